/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers in options: one parser for every keyword that compares a header field with a number.
 *
 * a<>b is without its ends, as in Suricata and Snort 3; a<=>b is with them (Snort 3); in Snort 2's rules a<>b of some
 * keywords, and every a-b, is with them and may leave an end out of a-b (RULES.md 2A, 21). Whatever was written is
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
    {"=", 0, 0, false, false},
};

static bool usage(struct draft *d, const struct option *o, uint32_t max)
{
    return draft_fail(d, o->value.p, o->kw->usage, "%s: '%.*s' is no condition on a number from 0 to %u",
                      o->kw->name, TEXT_ARG(o->value), max);
}

static const struct range_sign {
    const char *sign;
    bool with_ends, open; /* with its ends; an end may be left out in Snort 2's rules */
} range_signs[] = {{"<=>", true, false}, {"<>", false, false}, {"-", false, true}};

/* The sign that makes the text a range, and what stands on its sides; NULL when it is none. */
static const struct range_sign *find_range(struct span text, struct span *lo, struct span *hi)
{
    for (uint32_t i = 0; i < text.len; i++)
        for (size_t row = 0; row < sizeof(range_signs) / sizeof(range_signs[0]); row++) {
            const struct range_sign *r = &range_signs[row];
            uint32_t n = (uint32_t)strlen(r->sign);

            if (n > text.len - i || memcmp(text.p + i, r->sign, n) != 0)
                continue;
            *lo = text_trim(span_sub(text, 0, i));
            *hi = text_trim(span_sub(text, i + n, text.len));
            return r;
        }
    return NULL;
}

static bool parse_range(struct draft *d, const struct option *o, uint32_t max, const struct range_sign *r,
                        struct span text[2], struct number_cond *c)
{
    bool snort2 = d->dialect == DIALECT_SNORT2;
    bool with_ends = r->with_ends || (snort2 && (r->open || (o->kw->flags & KEYWORD_BOTH_ENDS)));
    bool open = snort2 && r->open && text[0].len + text[1].len > 0;
    uint64_t lo = 0, hi = max;

    if (!(open && text[0].len == 0) && !text_u64(text[0], max, &lo))
        return usage(d, o, max);
    if (!(open && text[1].len == 0) && !text_u64(text[1], max, &hi))
        return usage(d, o, max);
    if (with_ends ? hi < lo : hi <= lo + 1)
        return draft_fail(d, o->value.p,
                          with_ends ? "write the smaller number first"
                                    : "both ends are left out: 5<>8 means 6 or 7",
                          "%s: no number lies between the ends of '%.*s'", o->kw->name, TEXT_ARG(o->value));
    c->lo = (uint32_t)lo + !with_ends;
    c->hi = (uint32_t)hi - !with_ends;
    return true;
}

bool number_parse(struct draft *d, const struct option *o, uint32_t max, struct number_cond *c)
{
    struct span text = o->value, ends[2];
    const struct range_sign *range = find_range(text, &ends[0], &ends[1]);
    uint64_t lo;

    *c = (struct number_cond){.lo = 0, .hi = max};
    if (range != NULL)
        return parse_range(d, o, max, range, ends, c);
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
            c->hi = op->negated || op->sign[0] == '=' ? c->lo : max;
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
