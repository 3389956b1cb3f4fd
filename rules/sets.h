/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_SETS_H
#define SLUICE_RULES_SETS_H
/*
 * Address and port sets as packets ask for them: ascending disjoint ranges, found by binary search. Fields
 * written alike share one set; rules hold its index.
 */
#include <stdbool.h>
#include <stdint.h>
#include "ips/base/arena.h"
#include "rules/rangelist.h"

struct range4 {
    uint32_t lo, hi;
};

struct addr_set {
    const struct range4 *v4;
    const struct range *v6; /* addresses that are not IPv4-mapped */
    uint32_t n4, n6;
};

struct port_range {
    uint16_t lo, hi;
};

struct port_set {
    const struct port_range *v;
    uint32_t n;
};

/* While building: heap arrays and indices; the ranges themselves are in the arena from the start. */
struct set_text {
    uint64_t hash;
    struct span text; /* in the arena */
    uint16_t index;
    bool negated, all;
};
struct sets {
    struct arena *arena;
    struct addr_set *addr;
    struct port_set *port;
    uint32_t n[2]; /* by enum range_kind */
    size_t cap[2];
    struct set_text *texts[2]; /* open hash, a power of two; texts already seen */
    uint32_t n_texts[2], n_slots[2];
};

struct set_ref {
    uint16_t index;
    bool negated; /* a '!' stands somewhere in it */
    bool all;     /* any */
};

#define SETS_MAX 65535

void sets_init(struct sets *s, struct arena *arena);
void sets_fini(struct sets *s);
/* A variable has a new value: texts that were seen may mean something else now. The sets stay. */
void sets_forget(struct sets *s);
/* The set that text means. False: *e says why (e->no_memory when that is it). */
bool sets_intern(struct sets *s, enum range_kind kind, struct span text, const struct variables *vars,
                 struct set_ref *ref, struct range_error *e);
bool addr_set_has(const struct addr_set *s, const uint8_t addr[16]);
bool port_set_has(const struct port_set *s, uint16_t port);
#endif
