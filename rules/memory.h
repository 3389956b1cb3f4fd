/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_MEMORY_H
#define SLUICE_RULES_MEMORY_H
/*
 * What rules remember from one packet to the next: about a flow in the worker's own variables, about hosts and pairs
 * of hosts in the table that all workers share. ips/detect fills struct memory for each packet; keywords and
 * thresholds use it.
 */
#include <stdint.h>
#include <string.h>
#include "ips/base/counters.h"
#include "ips/base/track.h"
#include "ips/base/vars.h"

struct memory {
    struct vars_pool *vars;
    uint32_t *flow_vars; /* the flow's owner in vars; NULL: no flow, nothing can be remembered about it */
    struct track *track; /* NULL: nothing is remembered about hosts */
    struct counters *c;
    uint64_t now_ms;
};

/* What an entry of the shared table is about; hashed as bytes, so no padding. */
enum memory_kind {
    MEMORY_HOST_BIT = 1, /* id: name; a: host */
    MEMORY_PAIR_BIT,     /* id: name; a, b: hosts in ascending order */
    MEMORY_FILTER,       /* id: sid; gid; part: enum filter_kind; a, b: what it tracks */
    MEMORY_UNIQUE,       /* the same and a port in part: seen in this window */
    MEMORY_TAG_FLOW,     /* a: flow id */
    MEMORY_TAG_HOST,     /* a: host */
};
struct memory_key {
    uint32_t kind, id, gid, part;
    uint8_t a[16], b[16];
};
_Static_assert(sizeof(struct memory_key) == 48, "hashed as bytes");

/* A pair is the same in both directions. */
static inline void memory_key_pair(struct memory_key *k, const uint8_t a[16], const uint8_t b[16])
{
    bool turn = memcmp(a, b, 16) > 0;

    memcpy(k->a, turn ? b : a, 16);
    memcpy(k->b, turn ? a : b, 16);
}

static inline struct track_key memory_key_hash(const struct memory *m, const struct memory_key *k)
{
    return track_key_of(m->track, k, sizeof(*k));
}
#endif
