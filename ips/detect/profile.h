/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_DETECT_PROFILE_H
#define SLUICE_DETECT_PROFILE_H
/*
 * What each rule costs: how often it was tried, how often it matched, how long that took. Switched on and off while
 * workers run; when off, a worker pays one branch for each candidate.
 */
#include "ips/base/err.h"
#include "rules/ruleset.h"

struct
    rule_cost { /* of one rule, since profiling began; in a worker's rows only that worker writes, relaxed */
    uint64_t checks, matches, ns;
};

/* Control thread, on the published ruleset. Starting again begins at zero. */
int profile_start(struct ruleset *rs, struct err *e);
void profile_stop(struct ruleset *rs);
bool profile_is_on(const struct ruleset *rs);
/* Whether profiling was on since the ruleset was loaded, so that there is something to show. */
bool profile_is_there(const struct ruleset *rs);
/* Summed over workers. */
struct rule_cost profile_of(const struct ruleset *rs, uint32_t index);

/* Worker. */
static inline void profile_add(struct rule_cost *c, bool match, uint64_t ns)
{
    __atomic_store_n(&c->checks, c->checks + 1, __ATOMIC_RELAXED);
    __atomic_store_n(&c->matches, c->matches + match, __ATOMIC_RELAXED);
    __atomic_store_n(&c->ns, c->ns + ns, __ATOMIC_RELAXED);
}
#endif
