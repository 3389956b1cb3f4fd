/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * iprep: what is known of the packet's addresses.
 *
 *     iprep:any|src|dst|both,CATEGORY,<|>|=|<=|>=,VALUE;    iprep:any|src|dst|both,CATEGORY,isset|isnotset;
 *
 * An address of which nothing is known meets no comparison, and isnotset alone. any: one of the two ends, both: each of
 * them. Without detect.reputation_categories there are no categories: the rule loads and sleeps. The test runs
 * before any content, and does not keep a rule from being decided by addresses alone. Matching runs in workers.
 */
#include "rules/builder.h"
#include "rules/dialect.h"
#include "rules/keywords.h"
#include "rules/reputation.h"
#include "rules/source.h"
#include "rules/words.h"

enum operation { LT, GT, EQ, LE, GE, ISSET, ISNOTSET, N_OPERATIONS };
enum ends { ANY, SRC, DST, BOTH, N_ENDS };

static const char *const operations[N_OPERATIONS] = {"<", ">", "=", "<=", ">=", "isset", "isnotset"};
static const char *const ends[N_ENDS] = {"any", "src", "dst", "both"};

static bool compare(const struct step *s, const uint8_t addr[16])
{
    int value = reputation_of(s->data, addr);

    if (value == 0 || s->a >= ISSET)
        return s->a == (value == 0 ? ISNOTSET : ISSET);
    switch (s->a) {
    case LT:
        return value < s->b;
    case GT:
        return value > s->b;
    case EQ:
        return value == s->b;
    case LE:
        return value <= s->b;
    default:
        return value >= s->b;
    }
}

static bool match_iprep(const struct step *s, struct eval *e)
{
    switch (s->flags) {
    case SRC:
        return compare(s, e->facts->src);
    case DST:
        return compare(s, e->facts->dst);
    case BOTH:
        return compare(s, e->facts->src) && compare(s, e->facts->dst);
    default:
        return compare(s, e->facts->src) || compare(s, e->facts->dst);
    }
}

static bool refuse(struct draft *d, const struct option *o, struct span at)
{
    return draft_fail(d, at.p, o->kw->usage, "iprep: '%.*s' cannot be read", TEXT_ARG(at));
}

static int find(const char *const *words, int n, struct span word)
{
    int i = 0;

    while (i < n && !text_eq_nocase(word, words[i]))
        i++;
    return i;
}

static bool parse_iprep(struct draft *d, const struct option *o)
{
    struct span rest = o->value, end, category, sign, number = {0};
    const struct reputation_table *t;
    struct draft_step *s;
    uint64_t v = 0;
    int operation, where;

    if (!words_field(&rest, &end) || !words_field(&rest, &category) || !words_field(&rest, &sign))
        return refuse(d, o, o->value);
    words_field(&rest, &number);
    where = find(ends, N_ENDS, end);
    operation = find(operations, N_OPERATIONS, sign);
    if (where == N_ENDS)
        return refuse(d, o, end);
    if (operation == N_OPERATIONS)
        return refuse(d, o, sign);
    if (operation < ISSET ? !text_u64(number, REPUTATION_VALUE_MAX, &v) : number.len > 0)
        return refuse(d, o, number.len > 0 ? number : o->value);
    s = draft_step_add(d, o->kw, o->name.p);
    if (s == NULL)
        return false;
    s->step.flags = (uint8_t)where;
    s->step.a = operation;
    s->step.b = (int32_t)v;
    s->ip_only = true;
    if (!d->b->reputation.loaded) {
        draft_dormant(d, o->kw->name);
        return true;
    }
    t = reputation_lookup(&d->b->reputation, category);
    s->step.data = t;
    return t != NULL || draft_fail(d, category.p, "name one that the file detect.reputation_categories has",
                                   "iprep: no category '%.*s'", TEXT_ARG(category));
}

const struct keyword kw_iprep = {
    .name = "iprep",
    .usage = "write iprep:src,CATEGORY,>,VALUE; with any, src, dst or both, and <, >, =, <= or >= before 0 "
             "to 127, or "
             "isset or isnotset alone",
    .value = VALUE_PLAIN,
    .dialects = IN_SURICATA,
    .parse = parse_iprep,
    .match = match_iprep,
};
