/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * requires: a rule says what its engine must have, and is skipped where that is not so.
 *
 *     requires:version >= 7.0.4 < 8 | >= 8.0.1, feature geoip, keyword bsize;
 *
 * All parts must hold; inside `version`, '|' parts alternatives and blanks join comparisons. The version is that of
 * the Suricata whose meaning this engine follows. A part of an unknown kind is not met, as in Suricata. The rule may
 * hold keywords that do not exist, so this is asked before any other option is parsed, and a rule that skips itself
 * is counted, not reported. Control thread.
 */
#include "rules/kw/requires.h"

#include <ctype.h>

#include "rules/buffers.h"
#include "rules/dialect.h"
#include "rules/keywords.h"
#include "rules/kw/app_numbers.h"
#include "rules/kw/later.h"
#include "rules/source.h"

static const uint32_t our_version[3] = {7, 0, 10};
static const char *const features[] = {"geoip"};

/* "7", "7.0", "7.0.3-dev": missing parts are 0. */
static bool read_version(struct span s, uint32_t v[3])
{
    struct span part;
    uint64_t n;

    memset(v, 0, 3 * sizeof(*v));
    for (uint32_t i = 0; i < s.len; i++)
        if (s.p[i] == '-')
            s.len = i;
    for (int i = 0; i < 3 && s.len > 0; i++) {
        text_split(&s, '.', &part);
        if (!text_u64(part, 9999, &n))
            return false;
        v[i] = (uint32_t)n;
    }
    return s.len == 0;
}

static bool compare(struct span op, const uint32_t v[3], bool *known)
{
    int c = 0;

    for (int i = 0; i < 3 && c == 0; i++)
        c = our_version[i] < v[i] ? -1 : our_version[i] > v[i];
    *known = true;
    if (span_eq_str(op, ">="))
        return c >= 0;
    if (span_eq_str(op, "<="))
        return c <= 0;
    if (span_eq_str(op, ">"))
        return c > 0;
    if (span_eq_str(op, "<"))
        return c < 0;
    *known = false;
    return false;
}

/* ">= 7.0.4 < 8": all comparisons of one alternative. */
static bool version_in(struct span s, bool *known)
{
    bool met = true;

    s = text_trim(s);
    *known = s.len > 0;
    while (s.len > 0 && *known) {
        uint32_t op = 0, end, v[3];

        while (op < s.len && text_is_one_of(s.p[op], "<>="))
            op++;
        struct span rest = text_trim(span_sub(s, op, s.len));
        for (end = 0; end < rest.len && !isspace(rest.p[end]) && !text_is_one_of(rest.p[end], "<>"); end++)
            ;
        if (!read_version(span_sub(rest, 0, end), v) || end == 0) {
            *known = false;
            return false;
        }
        met &= compare(span_sub(s, 0, op), v, known);
        s = text_trim(span_sub(rest, end, rest.len));
    }
    return met;
}

static bool version_met(struct span s, bool *known)
{
    struct span one;
    bool met = false, more = true;

    *known = true;
    while (more) {
        bool ok;

        more = text_split(&s, '|', &one);
        met |= version_in(one, &ok);
        *known &= ok;
    }
    return met;
}

static bool has_feature(struct span name)
{
    for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
        if (span_eq_str(name, features[i]))
            return true;
    return false;
}

static bool has_keyword(struct span name)
{
    const struct buffer_name *b = buffers_lookup(name);
    uint32_t index;

    if (app_numbers_lookup(name) != NULL || later_lookup(name) != NULL)
        return true;
    return keyword_lookup(name, &index) != NULL || (b != NULL && buffers_use(b, DIALECT_SURICATA) != 0);
}

/* One part; *known: it is of a known kind and well written. */
static bool part_met(struct span part, bool *known)
{
    struct span kind, rest = part;

    text_split(&rest, ' ', &kind);
    rest = text_trim(rest);
    *known = rest.len > 0;
    if (span_eq_str(kind, "version"))
        return version_met(rest, known);
    if (span_eq_str(kind, "feature"))
        return has_feature(rest);
    if (span_eq_str(kind, "keyword"))
        return has_keyword(rest);
    *known = false;
    return false;
}

static bool value_met(struct span value)
{
    struct span part;
    bool met = true, more = true, known;

    while (more) {
        more = text_split(&value, ',', &part);
        met &= part_met(text_trim(part), &known) && known;
    }
    return met;
}

bool requires_met(struct draft *d, struct span options)
{
    struct option_text o;
    bool at_end;

    if (options.len == 0 || memmem(options.p, options.len, "requires", 8) == NULL)
        return true;
    while (dialect_next_option(&options, &o, &at_end))
        if (span_eq_str(o.name, "requires") && o.value.p != NULL && !value_met(o.value))
            d->skipped = true;
    return !d->skipped;
}

/* Only rules that meet it come here. */
static bool parse_requires(struct draft *d, const struct option *o)
{
    return true;
}

const struct keyword kw_requires = {
    .name = "requires",
    .usage = "write requires:version >= 7.0.4; or requires:feature geoip, keyword bsize;",
    .value = VALUE_PLAIN,
    .dialects = IN_SURICATA,
    .parse = parse_requires,
};
