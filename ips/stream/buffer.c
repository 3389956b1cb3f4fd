/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bytes of one direction: one block of the pool in which the byte of sequence number s lies at s - base. Held are the
 * inspected ones [base, kept) and the early ones, ranges of which a sorted array beside the block keeps account.
 * Between them are holes, with anything in them.
 *
 * Forgetting costs nothing: what is not needed any more stays until room is needed. Then the part that is still
 * wanted moves to the front of the block if it fills two thirds of it at most, and else to a block that it fills so. A
 * byte is copied once when it is put and at most about twice more in its life, whatever the sizes. Larger blocks
 * would move less, and cost more: what streams write to is what they take from the caches (tests/bench/bench_stream.c).
 *
 * A direction without a block holds nothing, and base = kept. While stream.depth is not reached, kept = next.
 *
 * Worker thread; bytes come from the wire, lengths are the caller's (checked against the block here: a wrong one would
 * write over other flows' memory).
 */
#include <assert.h>

#include "ips/stream/stream_parts.h"

#define LIST_ORDER 3
_Static_assert(EARLY_MAX * sizeof(struct early_range) <= POOL_UNIT << LIST_ORDER, "a list is one block");

static uint32_t room(const struct tcp_dir *d)
{
    return d->bytes ? (uint32_t)POOL_UNIT << d->order : 0;
}

static struct early_range *ranges(const struct pool *p, const struct tcp_dir *d)
{
    return (struct early_range *)(void *)pool_at(p, d->early);
}

/* The smallest block for so many bytes. */
static unsigned order_for(uint64_t bytes)
{
    unsigned order = 0;

    while ((uint64_t)POOL_UNIT << order < bytes)
        order++;
    return order;
}

static uint32_t held_end(const struct pool *p, const struct tcp_dir *d)
{
    return d->n_early ? ranges(p, d)[d->n_early - 1].end : d->kept;
}

void buffer_init(struct tcp_dir *d)
{
    d->base = d->kept = d->next;
    d->bytes = d->early = 0;
    d->order = d->n_early = 0;
}

/* Moves what is held from keep on to the front of the block `to`, which may be the one it is in. */
static void move(struct pool *p, struct tcp_dir *d, uint32_t keep, pool_ref to, unsigned order)
{
    uint32_t end = held_end(p, d);

    if (d->bytes)
        memmove(pool_at(p, to), pool_at(p, d->bytes) + (keep - d->base), end - keep);
    if (d->bytes && d->bytes != to)
        pool_give(p, d->bytes, d->order);
    d->bytes = to;
    d->order = (uint8_t)order;
    d->base = keep;
}

bool buffer_reserve(struct pool *p, struct tcp_dir *d, uint32_t keep, uint32_t end, uint32_t limit,
                    bool early)
{
    if (early && (d->n_early == EARLY_MAX || (!d->early && !(d->early = pool_take(p, LIST_ORDER)))))
        return false;
    if (d->bytes && end - d->base <= room(d))
        return true;
    if (seq_before(keep, d->base))
        keep = d->base;
    uint32_t live = end - keep;
    if (live > limit)
        return false;
    if (live <= room(d) / 3 * 2) {
        move(p, d, keep, d->bytes, d->order);
        return true;
    }
    unsigned least = order_for(live), order = d->bytes ? order_for(live * UINT64_C(3) / 2) : least;
    pool_ref r = pool_take(p, order);
    if (!r && order > least)
        r = pool_take(p, order = least);
    if (!r && live <= room(d)) {
        r = d->bytes; /* crowded, and moved more often than it should be */
        order = d->order;
    }
    if (r)
        move(p, d, keep, r, order);
    return r != 0;
}

/* Calls f for every held part of [seq, end), in order; false when it said so, and then no further. */
static bool each_held(const struct pool *p, const struct tcp_dir *d, uint32_t seq, uint32_t end,
                      bool (*f)(uint8_t *held, uint32_t at, uint32_t len, void *arg), void *arg)
{
    const struct early_range *r = d->n_early ? ranges(p, d) : NULL;
    struct early_range part = {d->base, d->kept};

    for (unsigned i = 0;; i++) {
        uint32_t from = seq_before(part.seq, seq) ? seq : part.seq,
                 to = seq_before(part.end, end) ? part.end : end;

        if (d->bytes && seq_before(from, to) &&
            !f(pool_at(p, d->bytes) + (from - d->base), from - seq, to - from, arg))
            return false;
        if (i == d->n_early || !seq_before(part.end, end))
            return true;
        part = r[i];
    }
}

static bool same(uint8_t *held, uint32_t at, uint32_t len, void *bytes)
{
    return memcmp(held, (const uint8_t *)bytes + at, len) == 0;
}

static bool write_over(uint8_t *held, uint32_t at, uint32_t len, void *bytes)
{
    memcpy((uint8_t *)bytes + at, held, len);
    return true;
}

bool buffer_agrees(const struct pool *p, const struct tcp_dir *d, uint32_t seq, struct span bytes)
{
    return each_held(p, d, seq, seq + bytes.len, same, (void *)(uintptr_t)bytes.p);
}

void buffer_restore(const struct pool *p, const struct tcp_dir *d, uint32_t seq, uint8_t *bytes, uint32_t len)
{
    each_held(p, d, seq, seq + len, write_over, bytes);
}

struct put { /* the bytes of a segment between two held parts */
    uint8_t *block;
    struct span bytes;
    uint32_t done;
};

static bool put_before(uint8_t *held, uint32_t at, uint32_t len, void *arg)
{
    struct put *u = arg;

    memcpy(u->block + u->done, u->bytes.p + u->done, at - u->done);
    u->done = at + len;
    return true;
}

void buffer_put(const struct pool *p, struct tcp_dir *d, uint32_t seq, struct span bytes)
{
    uint32_t at = seq - d->base;
    struct put u = {.bytes = bytes};

    assert(d->bytes && at <= room(d) && bytes.len <= room(d) - at);
    u.block = pool_at(p, d->bytes) + at;
    if (d->n_early > 0 || seq_before(seq, d->kept))
        each_held(p, d, seq, seq + bytes.len, put_before, &u);
    put_before(NULL, bytes.len, 0, &u);
}

void buffer_enter(struct pool *p, struct tcp_dir *d, uint32_t seq, uint32_t end)
{
    struct early_range *r = ranges(p, d);
    unsigned first = 0, behind;

    while (first < d->n_early && seq_before(r[first].end, seq))
        first++; /* wholly before, not touching */
    for (behind = first; behind < d->n_early && !seq_before(end, r[behind].seq); behind++) {
        if (seq_before(r[behind].seq, seq))
            seq = r[behind].seq;
        if (seq_before(end, r[behind].end))
            end = r[behind].end;
    }
    memmove(r + first + 1, r + behind, (d->n_early - behind) * sizeof(*r));
    d->n_early = (uint8_t)(d->n_early + 1 - (behind - first));
    r[first] = (struct early_range){seq, end};
}

/* Takes ranges out of the list that begin before seq. */
static void drop_ranges(struct pool *p, struct tcp_dir *d, uint32_t seq)
{
    struct early_range *r = d->early ? ranges(p, d) : NULL;
    unsigned n = 0;

    while (n < d->n_early && seq_before(r[n].seq, seq))
        n++;
    if (n > 0)
        memmove(r, r + n, (d->n_early - n) * sizeof(*r));
    d->n_early = (uint8_t)(d->n_early - n);
    if (d->early && d->n_early == 0) {
        pool_give(p, d->early, LIST_ORDER);
        d->early = 0;
    }
}

/* next moves on, and the count of its wraps with it. */
static void move_next(struct tcp_dir *d, uint32_t seq)
{
    uint32_t first = d->isn + 1;

    if (seq - first < d->next - first)
        d->offset_hi++;
    d->next = seq;
}

void buffer_advance(struct pool *p, struct tcp_dir *d, uint32_t end)
{
    if (d->early)
        drop_ranges(p, d, end);
    move_next(d, end);
    d->kept = end;
    if (!d->bytes)
        d->base = end;
}

void buffer_rewind(struct pool *p, struct tcp_dir *d, uint32_t seq)
{
    uint32_t end = d->kept;
    bool held = d->bytes && !seq_before(seq, d->base) && d->n_early < EARLY_MAX &&
                (d->early || (d->early = pool_take(p, LIST_ORDER)));

    d->next = d->kept = seq;
    if (held)
        buffer_enter(p, d, seq, end);
    else
        buffer_free(p, d);
}

void buffer_restart(struct pool *p, struct tcp_dir *d, uint32_t limit)
{
    uint32_t end = held_end(p, d), first = d->base, kept = d->kept, live = end - d->next;
    pool_ref r = 0;

    if (d->bytes && seq_before(d->next, first) && live <= limit && d->n_early < EARLY_MAX &&
        (d->early || (d->early = pool_take(p, LIST_ORDER))))
        r = pool_take(p, order_for(live));
    if (!r) {
        buffer_free(p, d);
        return;
    }
    memcpy(pool_at(p, r) + (first - d->next), pool_at(p, d->bytes), end - first);
    pool_give(p, d->bytes, d->order);
    d->bytes = r;
    d->order = (uint8_t)order_for(live);
    d->base = d->kept = d->next;
    if (seq_before(first, kept))
        buffer_enter(p, d, first, kept);
}

void buffer_pass(struct tcp_dir *d, uint32_t end)
{
    move_next(d, end);
}

void buffer_skip(struct pool *p, struct tcp_dir *d, uint32_t seq)
{
    struct early_range *r = d->n_early ? ranges(p, d) : NULL;

    for (unsigned i = 0; i < d->n_early && seq_before(r[i].seq, seq); i++)
        if (seq_before(seq, r[i].end))
            r[i].seq = seq; /* what is left of it */
    if (d->early)
        drop_ranges(p, d, seq);
    move_next(d, seq);
    d->kept = seq;
    if (d->n_early > 0)
        move(p, d, seq, d->bytes, d->order);
    else
        buffer_free(p, d);
}

uint32_t buffer_early_at(const struct pool *p, const struct tcp_dir *d, uint32_t seq)
{
    for (unsigned i = 0; i < d->n_early; i++) {
        const struct early_range *r = &ranges(p, d)[i];

        if (seq_before(seq, r->seq))
            return 0;
        if (seq_before(seq, r->end))
            return r->end - seq;
    }
    return 0;
}

uint32_t buffer_early_first(const struct pool *p, const struct tcp_dir *d)
{
    return d->n_early ? ranges(p, d)[0].seq : d->next;
}

struct span buffer_span(const struct pool *p, const struct tcp_dir *d, uint32_t seq, uint32_t len)
{
    uint32_t at = seq - d->base;

    if (len == 0)
        return span_of(NULL, 0);
    assert(d->bytes && at <= room(d) && len <= room(d) - at);
    return span_of(pool_at(p, d->bytes) + at, len);
}

void buffer_shrink(struct pool *p, struct tcp_dir *d, uint32_t keep)
{
    if (!d->bytes || d->n_early > 0)
        return;
    if (seq_before(keep, d->base))
        keep = d->base;
    unsigned order = order_for(d->kept - keep);
    if (order >= d->order)
        return;
    pool_ref r = pool_take(p, order);
    if (r)
        move(p, d, keep, r, order);
}

void buffer_free(struct pool *p, struct tcp_dir *d)
{
    if (d->bytes)
        pool_give(p, d->bytes, d->order);
    if (d->early)
        pool_give(p, d->early, LIST_ORDER);
    d->bytes = d->early = 0;
    d->order = d->n_early = 0;
    d->base = d->kept;
}
