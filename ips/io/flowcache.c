/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The verdict cache as user space writes it: four ways to a bucket, each with one writer at a time and any number of
 * readers, of which one is the steering program.
 *
 * A writer claims a way by compare-and-swap of its tag to STEER_TAG_BUSY, and gives it back by storing the tag with
 * release. Readers see a way whose tag is theirs, copy it, and look at the tag again: a copy between two equal tags
 * is of one entry. (The same tag written anew in between is the same key, with a verdict as good as the one before.)
 * Nobody waits: a way that is busy is passed over, and where two put the same key at once the one in the lower way stays. A
 * writer that died in between leaves its way busy; flowcache_take_over() frees it.
 *
 * The program adds to counts and writes last_ns while user space writes the same entry; the counts are only ever
 * exchanged, and may lose a frame that was in the program's hands when the entry went.
 *
 * Owns no memory. Any thread.
 */
#include "ips/io/flowcache.h"

#include <stddef.h>
#include <string.h>

#include "bpf/tag.h"
#include "ips/base/clock.h"

#define CLAIM_TRIES 4 /* that other writers may spoil */

#define LOAD(x)     __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define STORE(x, v) __atomic_store_n(&(x), (v), __ATOMIC_RELAXED)

struct way { /* one entry's two places */
    struct steer_flow *flow;
    struct steer_key_info *info;
};

void flowcache_init(struct flowcache *c, struct steer_bucket *buckets, struct steer_key_info *keys,
                    uint32_t n_buckets, const __u64 secret[2])
{
    *c = (struct flowcache){.buckets = buckets, .keys = keys, .mask = n_buckets - 1};
    c->secret[0] = secret[0];
    c->secret[1] = secret[1];
}

static struct way way_at(const struct flowcache *c, uint64_t bucket, unsigned way)
{
    return (struct way){&c->buckets[bucket].way[way], &c->keys[bucket * STEER_WAYS + way]};
}

static bool claim(struct way w, __u64 tag)
{
    return __atomic_compare_exchange_n(&w.flow->tag, &tag, STEER_TAG_BUSY, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_RELAXED);
}

static void give(struct way w, uint64_t tag)
{
    __atomic_store_n(&w.flow->tag, tag, __ATOMIC_SEQ_CST);
}

/* --- an entry's members -------------------------------------------------------------------------------------------- */

static void read_info(struct way w, struct flowcache_entry *e)
{
    struct steer_key_info info;
    uint64_t words[sizeof(info) / 8] = {0};
    const uint64_t *from = (const uint64_t *)(const void *)w.info;

    _Static_assert(sizeof(info) % 8 == 0, "whole words");
    for (unsigned i = 0; i < sizeof(info) / 8; i++)
        words[i] = LOAD(from[i]);
    memcpy(&info, words, sizeof(info));
    e->key = info.key;
    e->verdict.sid = info.sid;
    e->verdict.why = info.why;
}

static void write_info(struct way w, const struct steer_key *k, const struct flowcache_verdict *v)
{
    struct steer_key_info info = {.key = *k, .sid = v->sid, .why = v->why};
    uint64_t words[sizeof(info) / 8], *to = (uint64_t *)(void *)w.info;

    memcpy(words, &info, sizeof(info));
    for (unsigned i = 0; i < sizeof(info) / 8; i++)
        STORE(to[i], words[i]);
}

static void read_entry(struct way w, struct flowcache_entry *e)
{
    read_info(w, e);
    e->verdict.kind = LOAD(w.flow->kind);
    e->verdict.idle_ms = LOAD(w.flow->idle_ms);
    e->verdict.expires_ns = LOAD(w.flow->expires_ns);
    e->last_ns = LOAD(w.flow->last_ns);
    for (unsigned i = 0; i < 2; i++) {
        e->pkts[i] = LOAD(w.flow->pkts[i]);
        e->bytes[i] = LOAD(w.flow->bytes[i]);
    }
}

static void clear_counts(struct way w)
{
    for (unsigned i = 0; i < 2; i++) {
        STORE(w.flow->pkts[i], 0);
        STORE(w.flow->bytes[i], 0);
    }
}

/* What is known clean is so until the flow's owner says otherwise, as long as that lives. */
static bool over(uint32_t kind, uint32_t idle_ms, uint64_t expires_ns, uint64_t last_ns, uint64_t now_ns)
{
    if (expires_ns != 0 && now_ns >= expires_ns)
        return true;
    return kind != STEER_KIND_KNOWN && idle_ms != FLOWCACHE_NEVER_IDLE &&
           now_ns >= last_ns + idle_ms * NS_PER_MS;
}

static bool entry_over(const struct flowcache_entry *e, uint64_t now_ns)
{
    return over(e->verdict.kind, e->verdict.idle_ms, e->verdict.expires_ns, e->last_ns, now_ns);
}

static bool way_over(struct way w, uint64_t now_ns)
{
    return over(LOAD(w.flow->kind), LOAD(w.flow->idle_ms), LOAD(w.flow->expires_ns), LOAD(w.flow->last_ns),
                now_ns);
}

/* --- one key ------------------------------------------------------------------------------------------------------- */

/* The way with this tag; false when there is none. */
static bool find(const struct flowcache *c, uint64_t tag, struct way *w)
{
    for (unsigned i = 0; i < STEER_WAYS; i++) {
        *w = way_at(c, tag & c->mask, i);
        if (__atomic_load_n(&w->flow->tag, __ATOMIC_SEQ_CST) == tag)
            return true;
    }
    return false;
}

bool flowcache_get(const struct flowcache *c, const struct steer_key *k, uint64_t now_ns,
                   struct flowcache_entry *out)
{
    uint64_t tag = steer_tag(k, c->secret);
    struct way w;

    if (!find(c, tag, &w))
        return false;
    read_entry(w, out);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return LOAD(w.flow->tag) == tag && !entry_over(out, now_ns);
}

/* The way that gives its place: a free one, one whose time is over, or the one that was idle longest; its tag then. False
 * when writers have them all. */
static bool victim(const struct flowcache *c, uint64_t bucket, uint64_t now_ns, struct way *out,
                   uint64_t *tag)
{
    uint64_t oldest_ns = UINT64_MAX;

    for (unsigned i = 0; i < STEER_WAYS; i++) {
        struct way w = way_at(c, bucket, i);
        uint64_t t = __atomic_load_n(&w.flow->tag, __ATOMIC_ACQUIRE), last_ns = LOAD(w.flow->last_ns);

        if (t == STEER_TAG_BUSY)
            continue;
        if (t == STEER_TAG_FREE || way_over(w, now_ns))
            last_ns = 0;
        if (last_ns >= oldest_ns)
            continue;
        *out = w;
        *tag = t;
        oldest_ns = last_ns;
    }
    return oldest_ns != UINT64_MAX;
}

/* Two that put the same key at once have each taken a way: the lower one stays. */
static void remove_twin(struct flowcache *c, uint64_t tag)
{
    bool seen = false;

    for (unsigned i = 0; i < STEER_WAYS; i++) {
        struct way w = way_at(c, tag & c->mask, i);

        if (__atomic_load_n(&w.flow->tag, __ATOMIC_SEQ_CST) != tag)
            continue;
        if (seen && claim(w, tag))
            give(w, STEER_TAG_FREE);
        seen = true;
    }
}

bool flowcache_put(struct flowcache *c, const struct steer_key *k, const struct flowcache_verdict *v,
                   uint64_t now_ns)
{
    uint64_t tag = steer_tag(k, c->secret), had = tag;

    for (unsigned tries = 0; tries < CLAIM_TRIES; tries++) {
        struct way w;

        had = tag;
        if (!find(c, tag, &w) && !victim(c, tag & c->mask, now_ns, &w, &had))
            return false;
        if (!claim(w, had))
            continue;
        if (had != tag)
            clear_counts(w);
        write_info(w, k, v);
        STORE(w.flow->kind, v->kind);
        STORE(w.flow->idle_ms, v->idle_ms);
        STORE(w.flow->expires_ns, v->expires_ns);
        STORE(w.flow->last_ns, now_ns);
        give(w, tag);
        remove_twin(c, tag);
        return true;
    }
    return false;
}

/* Reads the entry and claims it; false when there is none, or it is another's to remove or to write anew. */
static bool claim_entry(struct flowcache *c, uint64_t tag, struct way *w, struct flowcache_entry *out)
{
    if (!find(c, tag, w) || !claim(*w, tag))
        return false;
    read_entry(*w, out);
    return true;
}

bool flowcache_remove(struct flowcache *c, const struct steer_key *k, struct flowcache_entry *out)
{
    struct way w;

    if (!claim_entry(c, steer_tag(k, c->secret), &w, out))
        return false;
    give(w, STEER_TAG_FREE);
    return true;
}

bool flowcache_take_counts(struct flowcache *c, const struct steer_key *k, struct flowcache_entry *out)
{
    uint64_t tag = steer_tag(k, c->secret);
    struct way w;

    if (!claim_entry(c, tag, &w, out))
        return false;
    clear_counts(w);
    give(w, tag);
    return true;
}

void flowcache_touch(struct flowcache *c, const struct steer_key *k, uint64_t now_ns)
{
    struct way w;

    if (find(c, steer_tag(k, c->secret), &w))
        STORE(w.flow->last_ns, now_ns);
}

/* --- all of it ------------------------------------------------------------------------------------------------------ */

/* Of flows known clean and silent since before_ns nobody knows any more whether they still are. alone: no writer lives, and
 * what is claimed was so by one that died. */
static void let_known_end(struct flowcache *c, uint64_t before_ns, uint64_t expires_ns, bool alone)
{
    for (uint64_t b = 0; b <= c->mask; b++)
        for (unsigned i = 0; i < STEER_WAYS; i++) {
            struct way w = way_at(c, b, i);
            uint64_t tag = LOAD(w.flow->tag);

            if (tag == STEER_TAG_BUSY && alone)
                give(w, STEER_TAG_FREE);
            else if (tag != STEER_TAG_FREE && tag != STEER_TAG_BUSY &&
                     LOAD(w.flow->kind) == STEER_KIND_KNOWN && LOAD(w.flow->expires_ns) == 0 &&
                     LOAD(w.flow->last_ns) < before_ns)
                STORE(w.flow->expires_ns, expires_ns);
        }
}

void flowcache_take_over(struct flowcache *c, uint64_t now_ns, uint64_t grace_ns)
{
    let_known_end(c, UINT64_MAX, now_ns + grace_ns, true);
}

void flowcache_inherit(struct flowcache *c, uint64_t since_ns, uint64_t grace_ns)
{
    let_known_end(c, since_ns, since_ns + grace_ns, false);
}

int flowcache_walk(const struct flowcache *c, uint64_t now_ns, flowcache_fn fn, void *arg)
{
    for (uint64_t b = 0; b <= c->mask; b++)
        for (unsigned i = 0; i < STEER_WAYS; i++) {
            struct way w = way_at(c, b, i);
            struct flowcache_entry e;
            uint64_t tag = __atomic_load_n(&w.flow->tag, __ATOMIC_SEQ_CST);

            if (tag == STEER_TAG_FREE || tag == STEER_TAG_BUSY)
                continue;
            read_entry(w, &e);
            __atomic_thread_fence(__ATOMIC_ACQUIRE);
            if (LOAD(w.flow->tag) != tag || entry_over(&e, now_ns))
                continue;
            int rc = fn(&e, arg);
            if (rc != 0)
                return rc;
        }
    return 0;
}
