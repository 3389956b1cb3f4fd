/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * threshold and detection_filter: how often a rule that matches says so.
 *
 *     threshold:type limit|threshold|both, track by_..., count N, seconds N;
 *     threshold:type backoff, track by_flow, count N, multiplier N;
 *     detection_filter:track by_..., count N, seconds N[, unique_on src_port|dst_port];
 *
 * They make no step: what they say is asked when the whole rule has matched (ips/detect/threshold.c). A rule has one of
 * them, as in Suricata, because two counts of the same matches have no agreed meaning. Control thread.
 */
#include "rules/filter_parse.h"
#include "rules/dialect.h"
#include "rules/keywords.h"

static bool parse(struct draft *d, const struct option *o, enum filter_form form)
{
    struct filter_text t;
    struct filter_error e;

    if (!filter_parse(form, o->value, &t, &e))
        return draft_fail(d, e.at, e.remedy, "%s: %s", o->kw->name, e.what);
    for (uint32_t i = 0; i < d->n_filters; i++)
        if (d->filters[i].kind != FILTER_TAG)
            return draft_fail(d, o->name.p, "keep one of them",
                              "%s: the rule has a threshold or a detection_filter already", o->kw->name);
    return draft_filter_add(d, &t.filter, o->name.p);
}

static bool parse_threshold(struct draft *d, const struct option *o)
{
    return parse(d, o, FORM_THRESHOLD);
}

static bool parse_detection_filter(struct draft *d, const struct option *o)
{
    return parse(d, o, FORM_DETECTION);
}

const struct keyword kw_threshold = {
    .name = "threshold",
    .usage = "write threshold:type limit, track by_src, count N, seconds N;",
    .value = VALUE_PLAIN,
    .dialects = IN_SURICATA | IN_SNORT2,
    .parse = parse_threshold,
};

const struct keyword kw_detection_filter = {
    .name = "detection_filter",
    .usage = "write detection_filter:track by_src, count N, seconds N;",
    .value = VALUE_PLAIN,
    .parse = parse_detection_filter,
};
