/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of expected connections, shared by the workers of a bridge.
 *
 * An entry lives in one of the eight slots of its bucket. A slot has a state word: FREE, READY with its deadline, or
 * BUSY while one worker writes or reads what lies behind it; every change begins with a compare-and-swap from READY or
 * FREE to BUSY, so an entry has one owner while it is touched, and nobody waits for it: who finds a slot BUSY passes on.
 * A slot that is BUSY belongs to another flow nearly always, and where it does not (two workers see the same control
 * connection, which must not be), an entry is missed, and the data connection is looked at like any other.
 *
 * Keys are 64 bits of a hash with a seed that is drawn at start: who does not know it cannot make two collide.
 *
 * A full bucket: an entry whose time is over goes; if there is none, the new one finds no room (the caller counts).
 *
 * Owns its memory. Made and freed by a control thread; used by workers, without locks or system calls.
 */
#include "ips/app/expect.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <xxhash.h>

#define BUCKET_SLOTS 8
enum { FREE, READY, BUSY, STATE_BITS = 2 }; /* lowest bits of a state word; above them the deadline in ms */

struct slot {
    _Atomic uint64_t state;
    _Atomic uint64_t tag; /* written while BUSY */
    struct expect_note note;
};

struct expect {
    _Atomic uint32_t count;
    uint64_t mask; /* of buckets */
    uint64_t seed;
    struct slot *slots;
};

struct expect *expect_new(uint32_t n_entries, struct err *e)
{
    struct expect *x = calloc(1, sizeof(*x));
    uint64_t n = 64;

    while (n < n_entries)
        n *= 2;
    if (x && getrandom(&x->seed, sizeof(x->seed), 0) == (ssize_t)sizeof(x->seed)) {
        x->mask = n / BUCKET_SLOTS - 1;
        x->slots = calloc(n, sizeof(*x->slots));
    }
    if (!x || !x->slots) {
        err_set(e, -ENOMEM, "no memory or no random bytes for %u expected connections", n_entries);
        free(x);
        return NULL;
    }
    return x;
}

void expect_free(struct expect *x)
{
    if (!x)
        return;
    free(x->slots);
    free(x);
}

static uint64_t tag_of(const struct expect *x, const struct expect_key *k)
{
    struct {
        struct addr listener, opener;
        uint32_t port, vlans;
    } key = {.listener = *k->listener, .opener = *k->opener, .port = k->port, .vlans = k->vlans};

    return XXH3_64bits_withSeed(&key, sizeof(key), x->seed);
}

static struct slot *bucket_of(struct expect *x, uint64_t tag)
{
    return x->slots + (tag & x->mask) * BUCKET_SLOTS;
}

/* From the state that was seen to BUSY. */
static bool claim(struct slot *s, uint64_t *seen)
{
    return atomic_compare_exchange_strong_explicit(&s->state, seen, BUSY, memory_order_acquire,
                                                   memory_order_relaxed);
}

static void release(struct slot *s, uint64_t state)
{
    atomic_store_explicit(&s->state, state, memory_order_release);
}

static bool ready(uint64_t state)
{
    return (state & ((1 << STATE_BITS) - 1)) == READY;
}

static bool over(uint64_t state, uint64_t now_ms)
{
    return state >> STATE_BITS < now_ms;
}

static void write(struct slot *s, uint64_t tag, uint64_t now_ms, const struct expect_note *n)
{
    atomic_store_explicit(&s->tag, tag, memory_order_relaxed);
    s->note = *n;
    release(s, (now_ms + EXPECT_MS) << STATE_BITS | READY);
}

bool expect_add(struct expect *x, const struct expect_key *k, uint64_t now_ms, const struct expect_note *n)
{
    uint64_t tag = tag_of(x, k);
    struct slot *bucket = bucket_of(x, tag);

    for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
        struct slot *s = &bucket[i];
        uint64_t state = atomic_load_explicit(&s->state, memory_order_acquire);

        if (!ready(state) || atomic_load_explicit(&s->tag, memory_order_relaxed) != tag || !claim(s, &state))
            continue;
        if (atomic_load_explicit(&s->tag, memory_order_relaxed) == tag) {
            write(s, tag, now_ms, n);
            return true;
        }
        release(s, state); /* it was another's by the time of the claim */
    }
    for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
        struct slot *s = &bucket[i];
        uint64_t state = atomic_load_explicit(&s->state, memory_order_acquire);
        bool was_free = state == FREE;

        if ((!was_free && !(ready(state) && over(state, now_ms))) || !claim(s, &state))
            continue;
        if (was_free)
            atomic_fetch_add_explicit(&x->count, 1, memory_order_relaxed);
        write(s, tag, now_ms, n);
        return true;
    }
    return false;
}

bool expect_take(struct expect *x, const struct expect_key *k, uint64_t now_ms, struct expect_note *n)
{
    if (atomic_load_explicit(&x->count, memory_order_relaxed) == 0)
        return false;
    uint64_t tag = tag_of(x, k);
    struct slot *bucket = bucket_of(x, tag);
    bool found = false;

    for (unsigned i = 0; i < BUCKET_SLOTS && !found; i++) {
        struct slot *s = &bucket[i];
        uint64_t state = atomic_load_explicit(&s->state, memory_order_acquire);
        bool gone = ready(state) && over(state, now_ms);

        if (!ready(state) || (!gone && atomic_load_explicit(&s->tag, memory_order_relaxed) != tag) ||
            !claim(s, &state))
            continue;
        found = !gone && atomic_load_explicit(&s->tag, memory_order_relaxed) == tag;
        if (found)
            *n = s->note;
        if (found || gone)
            atomic_fetch_sub_explicit(&x->count, 1, memory_order_relaxed);
        release(s, found || gone ? FREE : state);
    }
    return found;
}

uint32_t expect_count(const struct expect *x)
{
    return atomic_load_explicit(&x->count, memory_order_relaxed);
}
