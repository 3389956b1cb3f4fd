/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of hosts, pairs and flows that all workers share.
 *
 * An entry is 16 bytes, a tag and a value, and changes only by one compare-and-swap of both, so nobody ever sees or
 * changes half of it. The tag is 64 bits of a keyed hash (XXH3, secret drawn at start), the bucket comes from 64 other
 * bits of it: that two keys are taken for one has a chance of 8 in 2^64 for each lookup, and who does not know the
 * secret cannot do better. A value is a deadline (42 bits of milliseconds) and a number (22 bits).
 *
 * A key lives in one of the eight slots of its bucket, and in one only. Making an entry takes two steps: a slot is
 * claimed with the tag and value 0, which no reader takes for an entry; then the other slots are looked at. Another
 * claim of the same tag is removed, which makes its owner start again; a finished entry of the same tag makes us
 * withdraw. Only then is the claim finished, by a swap that fails if someone removed it. Of two that claim at the
 * same time, whoever claims later sees the other one, so never do both finish.
 *
 * Full bucket: a slot whose time is over goes first, else the entry whose time would be over next (counted). What
 * cannot be settled after TRIES_MAX rounds, each of which another thread won, is given up and counted.
 *
 * Owns its memory. Made and freed by a control thread; used by all workers, without locks or system calls.
 */
#include "ips/base/track.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include <xxhash.h>

#define BUCKET_SLOTS 8
#define TRIES_MAX    256

typedef unsigned __int128 u128;

union slot {
    struct {
        uint64_t tag;   /* 0: free */
        uint64_t value; /* 0: claimed, not an entry yet */
    };
    u128 both;
};

struct bucket {
    _Alignas(128) union slot slot[BUCKET_SLOTS]; /* two cache lines that are fetched as a pair */
};

struct track {
    struct bucket *buckets;
    uint64_t mask;
    size_t bytes;
    uint8_t secret[192];
};

struct track *track_new(uint32_t n_entries, struct err *e)
{
    struct track *t = calloc(1, sizeof(*t));
    uint64_t n_buckets = 8;
    void *p;

    while (n_buckets * BUCKET_SLOTS < n_entries)
        n_buckets *= 2;
    if (t == NULL || getrandom(t->secret, sizeof(t->secret), 0) != (ssize_t)sizeof(t->secret)) {
        err_set(e, -ENOMEM, "no memory or no random bytes for the table of tracked hosts");
        free(t);
        return NULL;
    }
    t->bytes = n_buckets * sizeof(*t->buckets);
    p = mmap(NULL, t->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        err_set(e, -ENOMEM, "no memory for a table of %u tracked hosts (%zu MB)", n_entries, t->bytes >> 20);
        err_remedy(e, "lower detect.track_max");
        free(t);
        return NULL;
    }
    madvise(p, t->bytes, MADV_HUGEPAGE); /* a wish */
    t->buckets = p;
    t->mask = n_buckets - 1;
    return t;
}

void track_free(struct track *t)
{
    if (t == NULL)
        return;
    munmap(t->buckets, t->bytes);
    free(t);
}

struct track_key track_key_of(const struct track *t, const void *bytes, size_t len)
{
    XXH128_hash_t h = XXH3_128bits_withSecret(bytes, len, t->secret, sizeof(t->secret));

    return (struct track_key){.place = h.low64, .tag = h.high64 != 0 ? h.high64 : 1};
}

static uint64_t pack(const struct track_value *v)
{
    uint64_t ms = v->deadline_ms < TRACK_MS_MAX ? v->deadline_ms : TRACK_MS_MAX;
    uint32_t data = v->data < TRACK_DATA_MAX ? v->data : TRACK_DATA_MAX;

    return (ms > 0 ? ms : 1) << TRACK_DATA_BITS | data;
}

static struct track_value unpack(uint64_t word)
{
    return (struct track_value){.deadline_ms = word >> TRACK_DATA_BITS,
                                .data = (uint32_t)(word & TRACK_DATA_MAX)};
}

/* The halves may be of different moments; whoever acts on them swaps both, which fails then. */
static union slot look(const union slot *s)
{
    union slot seen;

    seen.tag = __atomic_load_n(&s->tag, __ATOMIC_ACQUIRE);
    seen.value = __atomic_load_n(&s->value, __ATOMIC_ACQUIRE);
    return seen;
}

static bool swap(union slot *s, union slot from, uint64_t tag, uint64_t value)
{
    union slot to;

    to.tag = tag;
    to.value = value;
    return __sync_bool_compare_and_swap(&s->both, from.both, to.both);
}

static struct bucket *bucket_of(const struct track *t, struct track_key key)
{
    return &t->buckets[key.place & t->mask];
}

bool track_get(const struct track *t, struct track_key key, uint64_t now_ms, struct track_value *v)
{
    const struct bucket *b = bucket_of(t, key);

    for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
        union slot seen = look(&b->slot[i]);

        if (seen.tag != key.tag || seen.value == 0 ||
            __atomic_load_n(&b->slot[i].tag, __ATOMIC_ACQUIRE) != key.tag)
            continue;
        *v = unpack(seen.value);
        return v->deadline_ms >= now_ms;
    }
    return false;
}

static union slot *find(struct bucket *b, uint64_t tag, union slot *seen)
{
    for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
        *seen = look(&b->slot[i]);
        if (seen->tag == tag && seen->value != 0)
            return &b->slot[i];
    }
    return NULL;
}

/* The slot that a new entry takes: free, over, or the next to be over. NULL when others are claiming all of them. */
static union slot *choose(struct bucket *b, union slot *seen)
{
    union slot *best = NULL;

    for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
        union slot s = look(&b->slot[i]);

        if (s.tag != 0 && s.value == 0)
            continue;
        if (best != NULL && (s.tag == 0 ? 0 : s.value) >= (seen->tag == 0 ? 0 : seen->value))
            continue;
        best = &b->slot[i];
        *seen = s;
    }
    return best;
}

/* We have claimed `mine`. True when no other slot is, or is about to be, an entry of the same tag. */
static bool alone(struct bucket *b, const union slot *mine, uint64_t tag)
{
    for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
        union slot *s = &b->slot[i];
        union slot seen = look(s);

        if (s == mine || seen.tag != tag)
            continue;
        if (seen.value != 0 || !swap(s, seen, 0, 0))
            return false;
    }
    return true;
}

/* False when somebody else was faster, and all has to be looked at again. */
static bool make(struct bucket *b, uint64_t tag, const struct track_value *v, uint64_t now_ms,
                 struct counters *c)
{
    union slot old, claim;
    union slot *s = choose(b, &old);

    if (s == NULL || !swap(s, old, tag, 0))
        return false;
    if (old.tag != 0 && unpack(old.value).deadline_ms >= now_ms)
        counter_add(c, CTR_TRACK_EVICTED, 1);
    claim.tag = tag;
    claim.value = 0;
    if (!alone(b, s, tag)) {
        swap(s, claim, 0, 0); /* fails when it was removed already */
        return false;
    }
    return swap(s, claim, tag, pack(v));
}

bool track_update(struct track *t, struct track_key key, uint64_t now_ms, track_fn fn, void *arg,
                  struct counters *c)
{
    struct bucket *b = bucket_of(t, key);

    for (unsigned i = 0; i < TRIES_MAX; i++) {
        union slot seen;
        union slot *s = find(b, key.tag, &seen);
        struct track_value v = s != NULL ? unpack(seen.value) : (struct track_value){0};
        bool alive = s != NULL && v.deadline_ms >= now_ms, keep;

        if (!alive)
            v = (struct track_value){0};
        keep = fn(&v, alive, arg);
        if (s == NULL) {
            if (!keep || make(b, key.tag, &v, now_ms, c))
                return true;
        } else if (keep && pack(&v) == seen.value) {
            if (__atomic_load_n(&s->tag, __ATOMIC_ACQUIRE) == key.tag)
                return true;
        } else if (keep ? swap(s, seen, key.tag, pack(&v)) : swap(s, seen, 0, 0)) {
            return true;
        }
    }
    counter_add(c, CTR_TRACK_CONTENDED, 1);
    return false;
}
