/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_IO_UMEM_H
#define SLUICE_IO_UMEM_H
/*
 * The frames of one bridge: one memory area that the AF_XDP sockets of both interfaces and all queues share
 * (Documentation/networking/af_xdp.rst, XDP_SHARED_UMEM), and a cache of free frames per worker.
 *
 * A frame has exactly one owner: a worker's free cache, a fill ring, a worker's hand (a burst, a handoff ring, or a
 * fragment that decode/ holds), or a TX ring. Every move is one function of port.c or of this file. Each worker counts its frames per
 * owner and publishes the counts once a burst; their sum over all workers is the UMEM's size at any quiet moment.
 *
 * Workers never share a cache. Frame i belongs to worker i / (n_frames / n_workers) at start; a frame that ends
 * up in another worker's cache simply stays there. Handoff would so let the caches drift apart: in port_service()
 * a worker that holds more than its share puts the surplus into a depot, from which those with less take it.
 */
#include <stdbool.h>
#include <stdint.h>
#include "ips/base/err.h"
#include "ips/io/packet.h"

struct umem;
struct frame_cache;

struct umem_totals { /* frames per owner, summed over workers */
    uint64_t free, fill, worker, tx, size;
};

/* n_frames is rounded up to a multiple of n_workers. Hugepages when there are any, else ordinary pages.
 * Raises RLIMIT_MEMLOCK. Control thread; umem_totals() any thread. umem_free() after all ports are closed. */
struct umem *umem_new(uint32_t n_frames, uint32_t n_workers, struct err *e);
void umem_free(struct umem *u);
bool umem_is_huge(const struct umem *u);
struct frame_cache *umem_cache(struct umem *u, uint32_t worker);
void umem_totals(const struct umem *u, struct umem_totals *t);
#endif
