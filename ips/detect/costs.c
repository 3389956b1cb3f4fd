/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What rules cost in operation, and leaving out the costliest.
 *
 * Of the packets that the meter is on for, every try of a rule is timed and added to the rule's row, which belongs to the
 * ruleset's part of this worker; the rows are halved now and then, so that they tell of the last while. When a worker
 * is overloaded, the rules that together make up half of it are left out: those that only alert first, then those that
 * drop or remember something for others, unless what is new must not cross unseen (open-known); a pass rule never, since
 * without it others would drop. At most COSTLY_MAX of them, found in one pass over the rows. If that is not enough there
 * is the next step of overload; all come back together.
 *
 * Worker thread; the names of what is left out are for any.
 */
#include "ips/detect/detect_parts.h"

#define HALVE_AFTER 4096   /* packets that were timed */
#define TRY_MAX_NS  500000 /* a try counts for no more: the worker may have lost its processor meanwhile */

void cost_add(struct detect *d, uint32_t rule, uint64_t ns)
{
    uint32_t *spent = &d->rs->workers[d->worker].spent_ns[rule];

    uint32_t counts = ns < TRY_MAX_NS ? (uint32_t)ns : TRY_MAX_NS;

    *spent = counts < UINT32_MAX - *spent ? *spent + counts : UINT32_MAX;
    meter_rule(d->meter, d->rs->info[rule].gid, d->rs->info[rule].sid, ns);
}

void cost_packet(struct detect *d)
{
    uint32_t *spent = d->rs->workers[d->worker].spent_ns;

    if (d->leaves_out || ++d->n_metered < HALVE_AFTER)
        return;
    d->n_metered = 0;
    for (uint32_t i = 0; i < d->rs->n_rules; i++)
        spent[i] /= 2;
}

struct costly { /* descending */
    uint32_t rule[COSTLY_MAX], n;
};

static void put(struct costly *c, const uint32_t *spent, uint32_t rule)
{
    uint32_t at = c->n;

    if (at == COSTLY_MAX && spent[c->rule[at - 1]] >= spent[rule])
        return;
    at = at < COSTLY_MAX ? c->n++ : at - 1;
    for (; at > 0 && spent[c->rule[at - 1]] < spent[rule]; at--)
        c->rule[at] = c->rule[at - 1];
    c->rule[at] = rule;
}

static void leave_out(struct detect *d, const struct ruleset *rs, uint32_t rule)
{
    uint32_t n = d->costly.n;
    const struct rule_info *info = &rs->info[rule];

    if (n == COSTLY_MAX)
        return;
    rs->workers[d->worker].out[rule / 64] |= 1ull << (rule % 64);
    __atomic_store_n(&d->costly.rule[n], (uint64_t)info->gid << 32 | info->sid, __ATOMIC_RELAXED);
    __atomic_store_n(&d->costly.n, n + 1, __ATOMIC_RELEASE);
}

void detect_leave_out(struct detect *d, const struct ruleset *rs, bool only_alerts)
{
    const uint32_t *spent = rs ? rs->workers[d->worker].spent_ns : NULL;
    struct costly alert = {.n = 0}, other = {.n = 0};
    uint64_t total = 0, out = 0;

    if (!rs || (d->out_generation == rs->generation + 1 && d->costly.n > 0))
        return;
    detect_leave_none_out(d, rs);
    d->out_generation = rs->generation + 1;
    for (uint32_t i = 0; i < rs->n_rules; i++) {
        const struct rule *r = &rs->rules[i];

        total += spent[i];
        if (spent[i] == 0 || r->action == ACTION_PASS)
            continue;
        if (r->action == ACTION_ALERT && r->n_post == 0)
            put(&alert, spent, i);
        else if (!only_alerts)
            put(&other, spent, i);
    }
    for (uint32_t i = 0; i < alert.n && out < total / 2; i++) {
        out += spent[alert.rule[i]];
        leave_out(d, rs, alert.rule[i]);
    }
    for (uint32_t i = 0; i < other.n && out < total / 2; i++) {
        out += spent[other.rule[i]];
        leave_out(d, rs, other.rule[i]);
    }
}

void detect_leave_none_out(struct detect *d, const struct ruleset *rs)
{
    if (rs && d->out_generation == rs->generation + 1)
        memset(rs->workers[d->worker].out, 0, (rs->n_rules + 63) / 64 * sizeof(uint64_t));
    d->out_generation = 0;
    __atomic_store_n(&d->costly.n, 0, __ATOMIC_RELEASE);
}

uint32_t detect_left_out(const struct detect *d, uint64_t ids[COSTLY_MAX])
{
    uint32_t n = __atomic_load_n(&d->costly.n, __ATOMIC_ACQUIRE);

    for (uint32_t i = 0; i < n; i++)
        ids[i] = __atomic_load_n(&d->costly.rule[i], __ATOMIC_RELAXED);
    return n;
}
