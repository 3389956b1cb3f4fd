/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_IO_FLOWCACHE_H
#define SLUICE_IO_FLOWCACHE_H
/*
 * The verdict cache: what the steering program may do by itself with a flow, or with all that a source sends. The maps
 * steer_flows and steer_keys of bpf/shared.h, as they are mapped into the daemon's memory. Any worker and any control
 * thread may call anything here at any time; nothing waits, allocates or makes a system call. Times are the burst's
 * monotonic clock.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include "bpf/shared.h"

enum flowcache_why { /* steer_key_info.why: who decided */
                     FLOWCACHE_BY_RULE,
                     FLOWCACHE_BY_POLICY,
                     FLOWCACHE_BY_OPERATOR,
};

struct flowcache {
    struct steer_bucket *buckets; /* borrowed, as are the keys: the maps' */
    struct steer_key_info *keys;
    uint64_t mask; /* buckets - 1 */
    __u64 secret[2];
    uint64_t changed_ns; /* when an operator last changed it; flows that were not seen since look once */
};

/* What is to be written. */
struct flowcache_verdict {
    uint32_t kind;       /* enum steer_kind, or FLOWCACHE_WITHDRAWN */
    uint32_t idle_ms;    /* FLOWCACHE_NEVER_IDLE: silence does not end it */
    uint64_t expires_ns; /* 0: silence alone ends it */
    uint32_t sid;        /* 0: no rule */
    uint32_t why;        /* enum flowcache_why */
};
#define FLOWCACHE_NEVER_IDLE UINT32_MAX
#define FLOWCACHE_WITHDRAWN  0 /* no verdict: the flow's worker is to give up the one it has */

/* A copy of an entry. [0] was sent by the lower end of the key. */
struct flowcache_entry {
    struct steer_key key;
    struct flowcache_verdict verdict;
    uint64_t last_ns, pkts[2], bytes[2];
};

/* n_buckets is a power of two, as many as the map has. */
void flowcache_init(struct flowcache *c, struct steer_bucket *buckets, struct steer_key_info *keys,
                    uint32_t n_buckets, const __u64 secret[2]);
/* By whoever takes the maps over, before its workers start: frees what writers that died had claimed, and gives flows
 * known clean, of which nobody knows now whether they still are, `grace_ns` to be seen again. */
void flowcache_take_over(struct flowcache *c, uint64_t now_ns, uint64_t grace_ns);
/* The same at an upgrade, when workers run already: of what was known before since_ns. */
void flowcache_inherit(struct flowcache *c, uint64_t since_ns, uint64_t grace_ns);

/* What a blocked source is entered as. family: 0 IPv4 (4 bytes), 1 IPv6 (16). */
static inline struct steer_key flowcache_source(uint8_t family, const uint8_t *addr)
{
    struct steer_key k = {.version = family ? 6 : 4};

    memcpy(k.addr[0], addr, family ? 16 : 4);
    return k;
}

/* False when there is none, or its time is over. */
bool flowcache_get(const struct flowcache *c, const struct steer_key *k, uint64_t now_ns,
                   struct flowcache_entry *out);
/* New, or in place of what there is of the key, whose counts go on. In a full bucket the entry that was idle longest goes.
 * False when writers were in the way of each other too often: the flow's frames go on coming to a worker. */
bool flowcache_put(struct flowcache *c, const struct steer_key *k, const struct flowcache_verdict *v,
                   uint64_t now_ns);
/* Reads an entry as it was (its time may be over) and removes it. False when there is none. */
bool flowcache_remove(struct flowcache *c, const struct steer_key *k, struct flowcache_entry *out);
/* Reads an entry and sets its counts to 0. False when there is none. */
bool flowcache_take_counts(struct flowcache *c, const struct steer_key *k, struct flowcache_entry *out);
/* The entry was of use to user space. */
void flowcache_touch(struct flowcache *c, const struct steer_key *k, uint64_t now_ns);
/* All entries whose time is not over; fn may remove what it is shown, and stops the walk with nonzero, which is
 * returned. Control thread: it reads all of the map. */
typedef int (*flowcache_fn)(const struct flowcache_entry *e, void *arg);
int flowcache_walk(const struct flowcache *c, uint64_t now_ns, flowcache_fn fn, void *arg);
#endif
