/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flowint: a number of 32 bits per name and flow.
 *
 *     flowint:NAME,=|+|-,VALUE;   flowint:NAME,==|!=|<|<=|>|>=,VALUE;   flowint:NAME,isset|notset;
 *
 * VALUE is a number or another name, which counts as 0 while it is not set. The first form is done when the whole rule
 * has matched; + begins at 0, - does nothing to a number that is not set (Suricata does the same). Both wrap around.
 * Comparisons are tests and do not hold for a number that is not set. A packet without a flow has no numbers.
 *
 * Kept like flowbits, see there. Matching runs in workers.
 */
#include "rules/builder.h"
#include "rules/dialect.h"
#include "rules/keywords.h"
#include "rules/source.h"
#include "rules/var_names.h"

enum operation { ASSIGN, ADD, SUBTRACT, EQ, NE, LT, LE, GT, GE, ISSET, NOTSET };

static const struct {
    const char *word;
    uint8_t operation;
} operations[] = {{"=", ASSIGN}, {"+", ADD},       {"-", SUBTRACT},    {"==", EQ},
                  {"!=", NE},    {"<", LT},        {"<=", LE},         {">", GT},
                  {">=", GE},    {"isset", ISSET}, {"notset", NOTSET}, {"isnotset", NOTSET}};

/* Of the right side: step.c is the id of a name, or 0 and step.d is the number. */
static uint32_t operand(const struct step *s, const struct memory *m)
{
    uint32_t v = (uint32_t)s->d;

    if (s->c != VAR_ID_NONE && !vars_get(m->vars, *m->flow_vars, (uint16_t)s->c, &v))
        v = 0;
    return v;
}

static bool test(const struct step *s, struct eval *e)
{
    const struct memory *m = &e->memory;
    uint32_t v, with;

    if (m->flow_vars == NULL)
        return false;
    if (!vars_get(m->vars, *m->flow_vars, (uint16_t)s->b, &v))
        return s->a == NOTSET;
    with = operand(s, m);
    switch (s->a) {
    case EQ:
        return v == with;
    case NE:
        return v != with;
    case LT:
        return v < with;
    case LE:
        return v <= with;
    case GT:
        return v > with;
    case GE:
        return v >= with;
    default:
        return s->a == ISSET;
    }
}

static bool act(const struct step *s, struct eval *e)
{
    const struct memory *m = &e->memory;
    uint32_t old = 0, v;

    if (m->flow_vars == NULL)
        return true;
    if (!vars_get(m->vars, *m->flow_vars, (uint16_t)s->b, &old) && s->a == SUBTRACT)
        return true;
    v = operand(s, m);
    if (s->a != ASSIGN)
        v = s->a == ADD ? old + v : old - v;
    if (!vars_set(m->vars, m->flow_vars, (uint16_t)s->b, v) && m->c != NULL)
        counter_add(m->c, CTR_VARS_FULL, 1);
    return true;
}

static bool refuse(struct draft *d, const struct option *o, struct span at, const char *what)
{
    return draft_fail(d, at.p, o->kw->usage, "flowint: '%.*s' is no %s", TEXT_ARG(at), what);
}

static bool is_name(struct span s)
{
    if (s.len == 0 || s.len > VAR_NAME_BYTES)
        return false;
    for (uint32_t i = 0; i < s.len; i++)
        if (!((s.p[i] | 0x20) >= 'a' && (s.p[i] | 0x20) <= 'z') &&
            (i == 0 || !((s.p[i] >= '0' && s.p[i] <= '9') || memchr("_./-", s.p[i], 4) != NULL)))
            return false;
    return true;
}

static bool name_id(struct draft *d, struct span name, int32_t *id)
{
    *id = var_name_id(VAR_FLOWINT, name);
    if (*id != VAR_ID_NONE)
        return true;
    return draft_fail(d, name.p, "restart, which forgets names that are no longer used",
                      "flowint: %d different names were used since the start", VAR_NAMES_MAX);
}

static bool parse_flowint(struct draft *d, const struct option *o)
{
    struct span rest = o->value, name, word, right;
    struct draft_step *s;
    uint64_t v = 0;
    unsigned i = 0;

    text_split(&rest, ',', &name);
    text_split(&rest, ',', &word);
    name = text_trim(name), word = text_trim(word), right = text_trim(rest);
    while (i < sizeof(operations) / sizeof(operations[0]) && !text_eq_nocase(word, operations[i].word))
        i++;
    if (!is_name(name))
        return refuse(d, o, name, "name");
    if (i == sizeof(operations) / sizeof(operations[0]))
        return refuse(d, o, word, "operation");
    if (operations[i].operation < ISSET ? !text_u64(right, UINT32_MAX, &v) && !is_name(right) : right.len > 0)
        return refuse(d, o, right, operations[i].operation < ISSET ? "number or name" : "part of it");
    s = operations[i].operation < EQ ? draft_post_add(d, o->kw, o->name.p)
                                     : draft_step_add(d, o->kw, o->name.p);
    if (s == NULL)
        return false;
    s->step.a = operations[i].operation;
    s->step.match = s->step.a < EQ ? act : test;
    s->state = STATE_FLOWINTS;
    s->step.d = (int32_t)(uint32_t)v;
    return name_id(d, name, &s->step.b) && (!is_name(right) || name_id(d, right, &s->step.c));
}

const struct keyword kw_flowint = {
    .name = "flowint",
    .usage = "write flowint:NAME,+,1; with =, +, - or a comparison before a number or a name, or "
             "flowint:NAME,isset; or notset",
    .value = VALUE_PLAIN,
    .dialects = IN_SURICATA,
    .parse = parse_flowint,
};
