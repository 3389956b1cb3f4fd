/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_IO_UMEM_PRIV_H
#define SLUICE_IO_UMEM_PRIV_H
/*
 * What umem.c shares with port.c and nobody else: the frame cache that the fast path pushes to and pops from, and
 * the UMEM as libxdp knows it. A cache belongs to one worker's thread; only `seen` is read by others.
 */
#include <stdbool.h>
#include <stdint.h>
#include <xdp/xsk.h>
#include "ips/io/umem.h"

/* What the kernel leaves free in front of a received frame (XDP_PACKET_HEADROOM); made frames do the same. */
#define FRAME_HEADROOM 256
/* Frames that move between caches at once. A worker may be this far off its share and nothing happens. */
#define FRAME_BATCH 16

struct frame_cache {
    /* hot, one worker */
    uint64_t *addr; /* LIFO of frame addresses, room for every frame of the UMEM */
    uint32_t n;     /* addresses in it: frames free */
    uint32_t share; /* frames this worker is meant to hold */
    /* Frames this worker moved to an owner less those it moved away. A frame that is handed to another worker is
     * counted into one worker's hand and out of the other's, so each may be negative; the sums are right. */
    int64_t fill, worker, tx;
    int64_t depot;  /* put into the depot less taken out of it: free, and nobody's yet */
    int64_t closed; /* came back from ports that were closed; in `addr` again when the last port is */
    struct umem *umem;
    /* cold: what other threads see, written once a service */
    _Alignas(64) struct {
        int64_t free, fill, worker, tx;
    } seen;
};

struct umem {
    uint8_t *area;
    uint64_t area_bytes;
    int fd; /* the memfd behind the area */
    uint32_t n_frames, n_workers;
    bool huge;
    struct frame_cache *caches; /* n_workers, each on cache lines of its own */
    struct depot *depot;        /* frames on their way from workers with too many to workers with too few */
    /* control thread, port_open() and port_close() */
    struct xsk_umem *xsk; /* NULL until the first port is open */
    uint32_t n_ports;
};

static inline void frame_cache_push(struct frame_cache *c, uint64_t addr)
{
    c->addr[c->n++] = addr & ~(uint64_t)(FRAME_BYTES - 1);
}

/* The caller has seen that c->n is not 0. */
static inline uint64_t frame_cache_pop(struct frame_cache *c)
{
    return c->addr[--c->n];
}

/* Once a service: even out what handoff has shifted, then show the counts to other threads. */
void frame_cache_settle(struct frame_cache *c);
/* All ports are closed: every frame is free again, with the worker it started with. */
void umem_reset(struct umem *u);
#endif
