/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers in options: one parser for every keyword that compares a header field with a number.
 *
 * Ranges are exclusive, as in Suricata (RULES.md 2A, 21; Snort counts both ends in). Whatever was written is
 * brought into one form, an inclusive range and a negation, so that matching is one comparison and impossible
 * conditions ("<0", "5<>6") are seen here, at load. Control thread.
 */
#include "rules/number.h"

#include "rules/source.h"

struct number_op {
    const char *sign;
    int lo_add, hi_add; /* from the number written to the bound meant */
    bool less, negated;
};

/* Longer signs first. */
static const struct number_op prefixes[] = {
    {"<=", 0, 0, true, false}, {">=", 0, 0, false, false}, {"!=", 0, 0, false, true},
    {"<", 0, -1, true, false}, {">", 1, 0, false, false},  {"!", 0, 0, false, true},
};

static bool usage(struct draft *d, const struct option *o, uint32_t max)
{
    return draft_fail(d, o->value.p, o->kw->usage, "%s: '%.*s' is no condition on a number from 0 to %u",
                      o->kw->name, TEXT_ARG(o->value), max);
}

static bool find_range(struct span text, struct span *lo, struct span *hi)
{
    for (uint32_t i = 1; i < text.len; i++) {
        uint32_t sign = text.p[i] == '-'                                               ? 1
                        : text.p[i] == '<' && i + 1 < text.len && text.p[i + 1] == '>' ? 2
                                                                                       : 0;

        if (sign == 0)
            continue;
        *lo = text_trim(span_sub(text, 0, i));
        *hi = text_trim(span_sub(text, i + sign, text.len));
        return true;
    }
    return false;
}

bool number_parse(struct draft *d, const struct option *o, uint32_t max, struct number_cond *c)
{
    struct span text = o->value, lo_text, hi_text;
    uint64_t lo, hi;

    *c = (struct number_cond){.lo = 0, .hi = max};
    if (find_range(text, &lo_text, &hi_text)) {
        if (!text_u64(lo_text, max, &lo) || !text_u64(hi_text, max, &hi))
            return usage(d, o, max);
        if (hi <= lo + 1)
            return draft_fail(d, text.p, "both ends are left out: 5<>8 means 6 or 7",
                              "%s: no number lies between the ends of '%.*s'", o->kw->name, TEXT_ARG(text));
        c->lo = (uint32_t)lo + 1;
        c->hi = (uint32_t)hi - 1;
        return true;
    }
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        const struct number_op *op = &prefixes[i];
        uint32_t n = (uint32_t)strlen(op->sign);

        if (text.len < n || memcmp(text.p, op->sign, n) != 0)
            continue;
        if (!text_u64(text_trim(span_sub(text, n, text.len)), max, &lo))
            return usage(d, o, max);
        if ((op->less && lo == 0 && op->hi_add < 0) || (op->lo_add > 0 && lo == max))
            return draft_fail(d, text.p, o->kw->usage, "%s: no number is '%.*s'", o->kw->name,
                              TEXT_ARG(text));
        if (op->less) {
            c->hi = (uint32_t)((int64_t)lo + op->hi_add);
        } else {
            c->lo = (uint32_t)((int64_t)lo + op->lo_add);
            c->hi = op->negated ? c->lo : max;
        }
        c->negated = op->negated;
        return true;
    }
    if (!text_u64(text, max, &lo))
        return usage(d, o, max);
    c->lo = c->hi = (uint32_t)lo;
    return true;
}

struct draft_step *number_step(struct draft *d, const struct option *o, uint32_t max)
{
    struct number_cond c;
    struct draft_step *s;

    if (!number_parse(d, o, max, &c))
        return NULL;
    s = draft_step_add(d, o->kw, o->name.p);
    if (s == NULL)
        return NULL;
    s->step.a = (int32_t)c.lo;
    s->step.b = (int32_t)c.hi;
    s->step.negated = c.negated;
    return s;
}

bool number_read(struct draft *d, const struct option *o, int64_t min, int64_t max, int64_t *v)
{
    struct span digits = o->value;
    bool minus = digits.len > 0 && digits.p[0] == '-';
    uint64_t n;

    if (minus)
        digits = span_sub(digits, 1, digits.len);
    if (text_u64(digits, INT64_MAX, &n)) {
        *v = minus ? -(int64_t)n : (int64_t)n;
        if (*v >= min && *v <= max)
            return true;
    }
    return draft_fail(d, o->value.p, o->kw->usage, "%s: '%.*s' is not a number from %lld to %lld",
                      o->kw->name, TEXT_ARG(o->value), (long long)min, (long long)max);
}
