/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flowbits: one bit of memory per name and flow.
 *
 *     flowbits:set,NAME;  unset  toggle  isset  isnotset     flowbits:noalert;
 *
 * isset and isnotset are tests and run before any content; with a|b they hold when one of the names does, with a&b
 * (Snort) when all do. The others are done when the whole rule has matched, whatever thresholds then say of the alert,
 * and may name several bits with & (Snort). A packet without a flow has no bits: neither test holds, nothing is set.
 *
 * Names are numbers (rules/var_names.h), a set bit is a variable of the flow (ips/base/vars.h). When there is no room for
 * one more the bit stays clear and CTR_VARS_FULL counts it. Matching runs in workers.
 */
#include "rules/builder.h"
#include "rules/keywords.h"
#include "rules/source.h"
#include "rules/var_names.h"

#define NAMES_MAX 32 /* in one option */

enum command { SET, UNSET, TOGGLE, ISSET, ISNOTSET };

static const char *const words[] = {"set", "unset", "toggle", "isset", "isnotset"};

static bool test(const struct step *s, struct eval *e)
{
    const struct memory *m = &e->memory;
    const uint16_t *ids = s->data;
    uint32_t value, n = 0;

    if (m->flow_vars == NULL)
        return false;
    for (uint16_t i = 0; i < s->len; i++)
        n += vars_get(m->vars, *m->flow_vars, ids[i], &value) == (s->a == ISSET);
    return s->flags ? n == s->len : n > 0;
}

static void change(const struct memory *m, uint16_t id, bool set)
{
    if (!set)
        vars_unset(m->vars, m->flow_vars, id);
    else if (!vars_set(m->vars, m->flow_vars, id, 1) && m->c != NULL)
        counter_add(m->c, CTR_VARS_FULL, 1);
}

static bool act(const struct step *s, struct eval *e)
{
    const struct memory *m = &e->memory;
    const uint16_t *ids = s->data;
    uint32_t value;

    for (uint16_t i = 0; i < s->len && m->flow_vars != NULL; i++)
        change(m, ids[i],
               s->a == SET || (s->a == TOGGLE && !vars_get(m->vars, *m->flow_vars, ids[i], &value)));
    return true;
}

/* Names between | or &, but not both; their ids into ids. 0 when refused (and reported). */
static uint16_t parse_names(struct draft *d, const struct option *o, struct span text,
                            uint16_t ids[NAMES_MAX], char *separator)
{
    uint16_t n = 0;
    bool more = true;

    *separator = text.len > 0 && memchr(text.p, '&', text.len) != NULL ? '&' : '|';
    while (more) {
        struct span name;

        more = text_split(&text, *separator, &name);
        name = text_trim(name);
        if (name.len == 0 || name.len > VAR_NAME_BYTES || memchr(name.p, '|', name.len) != NULL ||
            memchr(name.p, ',', name.len) != NULL || memchr(name.p, ' ', name.len) != NULL) {
            draft_fail(d, name.p, o->kw->usage, "flowbits: '%.*s' is no name", TEXT_ARG(name));
            return 0;
        }
        if (n == NAMES_MAX) {
            draft_fail(d, name.p, "use several options", "flowbits: more than %d names in one option",
                       NAMES_MAX);
            return 0;
        }
        ids[n] = var_name_id(VAR_FLOWBIT, name);
        if (ids[n++] == VAR_ID_NONE) {
            draft_fail(d, name.p, "restart, which forgets names that are no longer used",
                       "flowbits: %d different names were used since the start", VAR_NAMES_MAX);
            return 0;
        }
    }
    return n;
}

static bool add_step(struct draft *d, const struct option *o, enum command c, struct span names)
{
    uint16_t ids[NAMES_MAX], n;
    struct draft_step *s;
    char separator;

    n = parse_names(d, o, names, ids, &separator);
    if (n == 0)
        return false;
    if (n > 1 && separator == '|' && c < ISSET)
        return draft_fail(d, names.p, "write one option for each, or & between them",
                          "flowbits: | stands for a choice, which %s does not have", words[c]);
    s = c < ISSET ? draft_post_add(d, o->kw, o->name.p) : draft_step_add(d, o->kw, o->name.p);
    if (s == NULL)
        return false;
    s->step.match = c < ISSET ? act : test;
    s->step.a = c;
    s->step.flags = separator == '&';
    s->step.len = n;
    s->step.data = arena_memdup(d->b->arena, ids, n * sizeof(*ids));
    s->state = STATE_FLOWBITS;
    s->ip_only = c == SET;
    return s->step.data != NULL || draft_no_memory(d);
}

static bool parse_flowbits(struct draft *d, const struct option *o)
{
    struct span names = o->value, word;
    bool has_names = text_split(&names, ',', &word);

    word = text_trim(word);
    if (text_eq_nocase(word, "noalert") && !has_names) {
        d->rule.flags |= RULE_NOALERT;
        return true;
    }
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (text_eq_nocase(word, words[i]) && has_names)
            return add_step(d, o, i, text_trim(names));
    return draft_fail(d, word.p, o->kw->usage, "flowbits: '%.*s' is no command", TEXT_ARG(word));
}

const struct keyword kw_flowbits = {
    .name = "flowbits",
    .usage =
        "write flowbits:set,NAME; with set, unset, toggle, isset or isnotset, or flowbits:noalert; isset and "
        "isnotset may name several: a|b or a&b",
    .value = VALUE_PLAIN,
    .parse = parse_flowbits,
};
