/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_BASE_TRACK_H
#define SLUICE_BASE_TRACK_H
/*
 * What is remembered about hosts, pairs of hosts and flows, by all workers together: one table of fixed size, whose
 * entries have a deadline and a small number. It is lock-free and never allocates after track_new(); see track.c for
 * what happens when it is full. What the number means is the user's business.
 *
 * Time is the caller's: milliseconds of one clock, the same for all users of a table.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "ips/base/counters.h"
#include "ips/base/err.h"

#define TRACK_DATA_BITS 22
#define TRACK_DATA_MAX  ((1u << TRACK_DATA_BITS) - 1)
#define TRACK_MS_MAX    ((1ull << (64 - TRACK_DATA_BITS)) - 1) /* 139 years */

struct track;

struct track_key {
    uint64_t place, tag; /* tag is never 0 */
};

struct track_value {
    uint64_t deadline_ms; /* the entry lives while now <= deadline; 1 to TRACK_MS_MAX, larger ones are cut */
    uint32_t data;        /* up to TRACK_DATA_MAX */
};

/* n_entries is rounded up to a power of two, at least 64. NULL with *e filled. Any thread may use it afterwards. */
struct track *track_new(uint32_t n_entries, struct err *e);
void track_free(struct track *t);

/* bytes: everything that makes the entry what it is, without padding. */
struct track_key track_key_of(const struct track *t, const void *bytes, size_t len);

/* False when there is no such entry, or its time is over. */
bool track_get(const struct track *t, struct track_key key, uint64_t now_ms, struct track_value *v);

/*
 * How an entry changes: *v holds it (zeroes when there is none: alive is false) and gets what it shall be. False: there
 * shall be none. It may be called several times for one change, and only the last call counts, so it must not do
 * anything but compute; arg may carry its answer out.
 */
typedef bool (*track_fn)(struct track_value *v, bool alive, void *arg);
/* False when the entry could not be made or changed (counted): fn's answer then holds as if it had been. */
bool track_update(struct track *t, struct track_key key, uint64_t now_ms, track_fn fn, void *arg,
                  struct counters *c);
#endif
