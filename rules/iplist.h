/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_IPLIST_H
#define SLUICE_RULES_IPLIST_H
/*
 * Which of many rules name an address: one question instead of one for each rule. For rules that have no content and
 * a list of addresses at one end. Read-only once built; workers ask.
 */
#include <stdbool.h>
#include <stdint.h>
#include "ips/base/arena.h"
#include "rules/sets.h"

struct rule_list {
    const uint32_t *v; /* ascending rule indices */
    uint32_t n;
};

enum iplist_side { IPLIST_SRC, IPLIST_DST, IPLIST_SIDES }; /* which end of the packet is looked up */

struct iplist_entry { /* the rule names this set at this end */
    uint32_t rule;
    uint16_t set; /* index into the ruleset's address sets */
    uint8_t side; /* enum iplist_side */
};

/* Disjoint intervals that cover all addresses: interval i begins at start[i] and ends before start[i + 1]. */
struct iplist_index {
    const uint32_t *start4, *list4; /* list4[i]: number of its rule list, 0 is the empty one */
    const u128 *start6;             /* addresses that are not IPv4-mapped, too */
    const uint32_t *list6;
    const uint32_t *top4; /* by the upper 16 bits of an address: the interval that its lowest address is in */
    uint32_t n4, n6;      /* 0: nothing is listed */
};

struct iplist {
    struct iplist_index side[IPLIST_SIDES];
    const struct rule_list *lists;
    uint32_t n_lists;
};

/* Whether a set is one to look up: it leaves out nearly all addresses. */
bool iplist_takes(const struct addr_set *s);
/*
 * Into the arena, from at most n entries; entries with the widest sets may be left out (they come last then, behind
 * *n_taken) when the lists would need too much memory. Reorders v. 0 or -ENOMEM.
 */
int iplist_build(struct iplist *l, struct arena *arena, const struct addr_set *sets, struct iplist_entry *v,
                 uint32_t n, uint32_t *n_taken);
/* The rules that name the address at this end. Never NULL. */
const struct rule_list *iplist_lookup(const struct iplist *l, enum iplist_side side, const uint8_t addr[16]);
#endif
