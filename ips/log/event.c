/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event ring: records from one worker to the logger, in one power-of-two run of bytes.
 *
 * Owns the bytes; made and freed by the control thread while neither side runs. One producer (the worker),
 * one consumer (the logger). Both positions only grow; position & mask is the place. A record never wraps:
 * when the rest of the ring is too short, the producer puts a skip record over it and begins again at the
 * front. The consumer steps over skips. What is behind `tail` belongs to the producer, what is before `head`
 * to the consumer.
 *
 * Reserve never blocks: without room it returns NULL and the worker counts the loss. The producer looks at
 * the consumer's position (a cache line that another core writes) only when its remembered copy says "full";
 * the consumer does the same the other way round. A record larger than half the ring may never fit; see
 * ring_bytes.
 */
#include "ips/log/event.h"

#include <stdlib.h>
#include <string.h>

#define RING_MIN_BYTES 4096u
#define RING_MAX_BYTES (1u << 30)
#define TYPE_SKIP      0xff /* struct event's type when the record is only a step to the front */

struct event_ring {
    /* producer's line */
    _Alignas(64) uint64_t head; /* published: records before it are whole */
    uint64_t tail_seen;
    uint32_t skip; /* bytes skipped by the reservation in hand */
    /* consumer's line */
    _Alignas(64) uint64_t tail; /* published: bytes before it may be overwritten */
    uint64_t head_seen;
    /* both read */
    _Alignas(64) uint8_t *bytes;
    uint32_t size, mask;
};

/* A skip record is the first 8 bytes of a struct event, size and type; 8 always fit, every size being a
 * multiple. */
_Static_assert(offsetof(struct event, type) < 8, "a skip record has size and type in 8 bytes");

struct event_ring *event_ring_new(uint32_t bytes)
{
    struct event_ring *r = aligned_alloc(64, sizeof(*r));
    uint32_t size = RING_MIN_BYTES;

    if (r == NULL)
        return NULL;
    while (size < bytes && size < RING_MAX_BYTES)
        size *= 2;
    memset(r, 0, sizeof(*r));
    r->size = size;
    r->mask = size - 1;
    r->bytes = aligned_alloc(64, size);
    if (r->bytes == NULL) {
        free(r);
        return NULL;
    }
    memset(r->bytes, 0, size); /* touched now, so that no worker takes the page faults */
    return r;
}

void event_ring_free(struct event_ring *r)
{
    if (r == NULL)
        return;
    free(r->bytes);
    free(r);
}

struct event *event_ring_reserve(struct event_ring *r, uint32_t size)
{
    uint32_t at = (uint32_t)r->head & r->mask, rest = r->size - at, need;
    struct event *ev;

    if (size < sizeof(struct event) || size > r->size)
        return NULL;
    size = (size + 7) & ~7u;
    need = size <= rest ? size : rest + size;
    if (r->head + need - r->tail_seen > r->size) {
        r->tail_seen = __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE);
        if (r->head + need - r->tail_seen > r->size)
            return NULL;
    }
    r->skip = need - size;
    if (r->skip > 0) {
        struct event *s = (struct event *)(r->bytes + at);

        s->size = rest;
        s->type = TYPE_SKIP;
        at = 0;
    }
    ev = (struct event *)(r->bytes + at);
    memset(ev, 0, sizeof(*ev)); /* a field that a worker does not set reads as 0, never as an older event's */
    ev->size = size;
    return ev;
}

void event_ring_commit(struct event_ring *r, struct event *ev)
{
    __atomic_store_n(&r->head, r->head + r->skip + ev->size, __ATOMIC_RELEASE);
}

const struct event *event_ring_peek(struct event_ring *r)
{
    for (;;) {
        const struct event *ev;

        if (r->tail == r->head_seen) {
            r->head_seen = __atomic_load_n(&r->head, __ATOMIC_ACQUIRE);
            if (r->tail == r->head_seen)
                return NULL;
        }
        ev = (const struct event *)(r->bytes + ((uint32_t)r->tail & r->mask));
        if (ev->type != TYPE_SKIP)
            return ev;
        __atomic_store_n(&r->tail, r->tail + ev->size, __ATOMIC_RELEASE);
    }
}

void event_ring_release(struct event_ring *r, const struct event *ev)
{
    __atomic_store_n(&r->tail, r->tail + ev->size, __ATOMIC_RELEASE);
}
