/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Profiling of rules.
 *
 * The control thread makes one block of rows, a part for each worker, and publishes to each worker where its part
 * begins; from then on the worker adds to it. To stop, the pointers are taken back and the block stays, to be shown. To
 * start anew a new block takes the place of the old one, which is freed when every worker has passed a quiescent
 * state. The block belongs to the ruleset and dies with it; a reload that finds profiling on starts it on the
 * new ruleset, at zero, because its rules are others.
 *
 * A time is taken before and after each rule's header and options. Two readings of the clock cost about 40 ns, which is
 * as much as a cheap rule: compare rules with each other, not with the packet.
 */
#include "ips/detect/profile.h"

#include <errno.h>
#include <stdlib.h>
#include <urcu-qsbr.h>

#include "rules/ruleset_layout.h"

static void publish(struct ruleset *rs, struct rule_cost *block)
{
    for (uint32_t i = 0; i < rs->n_workers; i++)
        __atomic_store_n(&rs->workers[i].costs, block != NULL ? block + (size_t)i * rs->n_rules : NULL,
                         __ATOMIC_RELEASE);
}

int profile_start(struct ruleset *rs, struct err *e)
{
    struct rule_cost *old = rs->costs, *block;

    block = calloc((size_t)rs->n_rules * rs->n_workers + 1, sizeof(*block));
    if (block == NULL) {
        err_set(e, -ENOMEM, "no memory to profile %u rules in %u workers", rs->n_rules, rs->n_workers);
        return err_remedy(e, "give the machine more memory"), -ENOMEM;
    }
    publish(rs, block);
    rs->costs = block;
    if (old != NULL) {
        synchronize_rcu();
        free(old);
    }
    return 0;
}

void profile_stop(struct ruleset *rs)
{
    publish(rs, NULL);
}

bool profile_is_on(const struct ruleset *rs)
{
    return __atomic_load_n(&rs->workers[0].costs, __ATOMIC_RELAXED) != NULL;
}

bool profile_is_there(const struct ruleset *rs)
{
    return rs->costs != NULL;
}

struct rule_cost profile_of(const struct ruleset *rs, uint32_t index)
{
    struct rule_cost sum = {0};

    for (uint32_t i = 0; i < rs->n_workers && rs->costs != NULL; i++) {
        const struct rule_cost *c = &rs->costs[(size_t)i * rs->n_rules + index];

        sum.checks += __atomic_load_n(&c->checks, __ATOMIC_RELAXED);
        sum.matches += __atomic_load_n(&c->matches, __ATOMIC_RELAXED);
        sum.ns += __atomic_load_n(&c->ns, __ATOMIC_RELAXED);
    }
    return sum;
}
