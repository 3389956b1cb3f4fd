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
/* The pages of another process's UMEM (same n_frames and n_workers as its umem_new()), for ports that port_adopt() takes
 * over. Owns fd on success. The caches are empty until frame_cache_adopt(). */
struct umem *umem_adopt(int fd, uint32_t n_frames, uint32_t n_workers, struct err *e);
int umem_fd(const struct umem *u);
bool umem_is_huge(const struct umem *u);
struct frame_cache *umem_cache(struct umem *u, uint32_t worker);
void umem_totals(const struct umem *u, struct umem_totals *t);
uint8_t *umem_at(const struct umem *u, uint64_t addr); /* the memory of an address within */

/* While no worker runs: what one process says of a worker's frames, and another takes over. */
struct frame_counts {
    uint32_t fill, tx, held; /* of the worker's two ports; in its hand */
};
/* No frame is between caches any more; the workers even themselves out again when they run. */
void umem_empty_depot(struct umem *u);
/* The free frames, at most the UMEM's size; returns how many. */
uint32_t frame_cache_read(const struct frame_cache *c, uint64_t *addr);
/* The caller has seen that every address is a frame's and occurs once. */
void frame_cache_adopt(struct frame_cache *c, const uint64_t *addr, uint32_t n, struct frame_counts counts);
#endif
