/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_DETECT_PREFILTER_H
#define SLUICE_DETECT_PREFILTER_H
/*
 * Which rules are worth confirming on a packet: those whose fast pattern stands in a buffer, those that list one of
 * its addresses, and those that have neither. In the order of evaluation, each once.
 */
#include "ips/app/app.h"
#include "ips/base/counters.h"
#include "ips/detect/sight.h"
#include "rules/ruleset_layout.h"

#define CANDIDATE_NONE UINT32_MAX

struct candidates { /* two ascending lists, read as one; valid until the worker's next prefilter_run() */
    const uint32_t *found, *always;
    uint32_t n_found, n_always;
    uint32_t only_late; /* bit i: hints.late[i] was not found again */
};

struct prefilter_hints {  /* what is known beside facts and buffers */
    bool ip_only_done;    /* the flow had a packet in this direction before */
    struct sight *sight;  /* NULL, or without a view: there is nothing but the packet */
    const uint32_t *late; /* rules that are candidates by what was found earlier in the stream */
    uint32_t n_late;      /* at most 32 */
    bool whole_window;    /* it is not known which rules those are */
};

struct prefilter_point { /* a parser has published something */
    const struct app_view *view;
    const struct app_memo *memo;
    const uint32_t *wanted; /* rules that something else made candidates */
    uint32_t n_wanted;
};
/* Rules about transactions: by what is fresh in the view (or all of it, when memo->all), by what the transaction
 * remembers. e->instances and the like are the view's (eval_publish()); buffers may be left set. */
void prefilter_run_point(const struct ruleset *rs, const struct ruleset_worker *w, struct eval *e,
                         const struct prefilter_point *point, struct candidates *out, struct counters *c);

/* facts and the buffers of e are the packet's. */
void prefilter_run(const struct ruleset *rs, const struct ruleset_worker *w, struct eval *e,
                   const struct prefilter_hints *hints, struct candidates *out, struct counters *c);

/* The next rule's index, or CANDIDATE_NONE. */
static inline uint32_t candidates_next(struct candidates *c)
{
    uint32_t a = c->n_found > 0 ? *c->found : CANDIDATE_NONE,
             b = c->n_always > 0 ? *c->always : CANDIDATE_NONE;

    if (a <= b && c->n_found > 0) {
        c->found++;
        c->n_found--;
    }
    if (b <= a && c->n_always > 0) {
        c->always++;
        c->n_always--;
    }
    return a < b ? a : b;
}
/* The rules that ask for an anomaly, and no others. */
void prefilter_run_anomalous(const struct ruleset *rs, struct candidates *out);
#endif
