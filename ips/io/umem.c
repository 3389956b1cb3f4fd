// SPDX-License-Identifier: BSD-2-Clause
/*
 * The frames of one bridge: the memory, and who has which frame.
 *
 * umem_new() maps one area, in huge pages when the system has any set aside, and deals its frames out to the
 * workers' caches. A cache is a plain stack: the frame that was freed last is warm and goes out first. Only
 * its worker touches it, so there is nothing to lock.
 *
 * Nobody keeps a table of owners; that would cost a cache line a frame. Each worker counts moves instead,
 * burst by burst, and shows its counts to other threads once a service. As every move takes a frame from one
 * owner and gives it to another, the counts of all workers add up to the UMEM's size, wherever a frame was
 * received, sent or freed.
 *
 * Handing frames to other workers shifts them from cache to cache. A worker that holds more than its share
 * puts a batch into the depot, one that holds less takes a batch out. The depot is one ring of batches; a
 * batch is a frame whose own memory lists the others, so moving sixteen frames is one operation on the ring.
 * Where nothing is handed over every worker always has its share and nobody looks at the depot.
 */
#include "ips/io/umem_priv.h"

#include <ck_ring.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define HUGE_PAGE_BYTES (2u << 20)

struct depot {
    struct ck_ring ring;
    struct ck_ring_buffer slots[];
};

/* The first frame of a batch, while it is in the depot. */
struct batch {
    uint64_t addr[FRAME_BATCH]; /* its own among them */
};

static struct depot *depot_new(uint32_t n_frames)
{
    uint32_t size = 2;
    while (size <= n_frames / FRAME_BATCH + 1) /* a ring holds one entry less than its size */
        size *= 2;

    struct depot *d = aligned_alloc(64, (sizeof(*d) + size * sizeof(d->slots[0]) + 63) & ~(size_t)63);
    if (d)
        ck_ring_init(&d->ring, size);
    return d;
}

static void depot_give(struct frame_cache *c)
{
    struct batch *b = (struct batch *)(c->umem->area + c->addr[c->n - 1]);
    struct depot *d = c->umem->depot;

    c->n -= FRAME_BATCH;
    for (unsigned i = 0; i < FRAME_BATCH; i++)
        b->addr[i] = c->addr[c->n + i];
    if (!ck_ring_enqueue_mpmc(&d->ring, d->slots, b)) {
        c->n += FRAME_BATCH; /* full although it has room for all frames: keep them */
        return;
    }
    c->depot += FRAME_BATCH;
}

static bool depot_take(struct frame_cache *c)
{
    struct depot *d = c->umem->depot;
    struct batch *b;

    if (ck_ring_size(&d->ring) == 0 || !ck_ring_dequeue_mpmc(&d->ring, d->slots, &b))
        return false;
    memcpy(&c->addr[c->n], b->addr, sizeof(b->addr));
    c->n += FRAME_BATCH;
    c->depot -= FRAME_BATCH;
    return true;
}

static void cache_publish(struct frame_cache *c)
{
    __atomic_store_n(&c->seen.free, c->n + c->depot + c->closed, __ATOMIC_RELAXED);
    __atomic_store_n(&c->seen.fill, c->fill, __ATOMIC_RELAXED);
    __atomic_store_n(&c->seen.worker, c->worker, __ATOMIC_RELAXED);
    __atomic_store_n(&c->seen.tx, c->tx, __ATOMIC_RELAXED);
}

void frame_cache_settle(struct frame_cache *c)
{
    int64_t holds = c->n + c->fill + c->tx + c->closed; /* what lies in the depot is nobody's */

    if (holds >= c->share + FRAME_BATCH) {
        for (; holds >= c->share + FRAME_BATCH && c->n >= FRAME_BATCH; holds -= FRAME_BATCH)
            depot_give(c);
    } else {
        while (holds + FRAME_BATCH <= c->share && depot_take(c))
            holds += FRAME_BATCH;
    }
    cache_publish(c);
}

void umem_reset(struct umem *u)
{
    uint32_t share = u->n_frames / u->n_workers;

    ck_ring_init(&u->depot->ring, u->depot->ring.size); /* NOLINT: umem_new() failed without a depot */
    for (uint32_t w = 0; w < u->n_workers; w++) {
        struct frame_cache *c = &u->caches[w];

        /* The last address of a cache goes out first: lowest frames on top. */
        for (uint32_t i = 0; i < share; i++)
            c->addr[i] = (uint64_t)(w * share + share - 1 - i) * FRAME_BYTES;
        c->n = share;
        c->fill = c->tx = c->depot = c->closed =
            0; /* `worker` stays: what was not given back keeps the sum wrong */
        cache_publish(c);
    }
}

/* Huge pages when the system has enough of them free; else ordinary pages, which the kernel may join by
 * itself. */
static int map_area(struct umem *u, struct err *e)
{
    uint64_t bytes = (uint64_t)u->n_frames * FRAME_BYTES;
    int prot = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS;

    u->area_bytes = (bytes + HUGE_PAGE_BYTES - 1) & ~(uint64_t)(HUGE_PAGE_BYTES - 1);
    u->area = mmap(NULL, u->area_bytes, prot, flags | MAP_HUGETLB | MAP_POPULATE, -1, 0);
    u->huge = u->area != MAP_FAILED;
    if (u->huge)
        return 0;

    u->area = mmap(NULL, u->area_bytes, prot, flags, -1, 0);
    if (u->area != MAP_FAILED) {
        madvise(u->area, u->area_bytes, MADV_HUGEPAGE);
        /* EINVAL: a kernel before 5.14, which finds the pages when the first socket registers the area. */
        if (madvise(u->area, u->area_bytes, MADV_POPULATE_WRITE) == 0 || errno == EINVAL)
            return 0;
    }
    int rc = err_sys(e, -errno, "no memory for %u frames of %u bytes (%llu MB)", u->n_frames, FRAME_BYTES,
                     (unsigned long long)(u->area_bytes >> 20));
    err_remedy(e, "lower ring_size, queues or frames of the bridge, or give the machine more memory");
    if (u->area != MAP_FAILED)
        munmap(u->area, u->area_bytes);
    u->area = NULL;
    return rc;
}

static int make_caches(struct umem *u, struct err *e)
{
    u->caches = aligned_alloc(64, u->n_workers * sizeof(*u->caches));
    if (!u->caches)
        goto no_memory;
    memset(u->caches, 0, u->n_workers * sizeof(*u->caches));
    for (uint32_t w = 0; w < u->n_workers; w++) {
        struct frame_cache *c = &u->caches[w];
        /* handoff could bring every frame here for a while; pages that stay unused are never touched */
        c->addr = calloc(u->n_frames, sizeof(*c->addr));
        c->share = u->n_frames / u->n_workers;
        c->umem = u;
        if (!c->addr)
            goto no_memory;
    }
    u->depot = depot_new(u->n_frames);
    if (u->depot)
        return 0;
no_memory:
    return err_set(e, -ENOMEM, "no memory for the lists of %u frames for %u workers", u->n_frames,
                   u->n_workers);
}

struct umem *umem_new(uint32_t n_frames, uint32_t n_workers, struct err *e)
{
    struct umem *u = calloc(1, sizeof(*u));
    struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};

    if (!u || n_workers == 0 || n_frames == 0 || n_frames > UINT32_MAX - n_workers) {
        err_set(e, u ? -EINVAL : -ENOMEM, "cannot make a UMEM of %u frames for %u workers", n_frames,
                n_workers);
        free(u);
        return NULL;
    }
    u->n_workers = n_workers;
    u->n_frames = (n_frames + n_workers - 1) / n_workers * n_workers;
    /* The kernel counts pinned frames against this limit unless we may lock memory anyhow; a refusal here
     * shows as ENOBUFS in port_open(), which names the remedy. */
    (void)setrlimit(RLIMIT_MEMLOCK, &unlimited);
    if (map_area(u, e) || make_caches(u, e)) {
        umem_free(u);
        return NULL;
    }
    umem_reset(u);
    return u;
}

void umem_free(struct umem *u)
{
    if (!u)
        return;
    for (uint32_t w = 0; u->caches && w < u->n_workers; w++)
        free(u->caches[w].addr);
    free(u->caches);
    free(u->depot);
    if (u->area)
        munmap(u->area, u->area_bytes);
    free(u);
}

bool umem_is_huge(const struct umem *u)
{
    return u->huge;
}

struct frame_cache *umem_cache(struct umem *u, uint32_t worker)
{
    return &u->caches[worker];
}

static uint64_t not_negative(int64_t n)
{
    return n < 0 ? 0 : (uint64_t)n; /* read while workers move frames, a sum may be off by a burst */
}

void umem_totals(const struct umem *u, struct umem_totals *t)
{
    int64_t n_free = 0, fill = 0, worker = 0, tx = 0;

    for (uint32_t w = 0; w < u->n_workers; w++) {
        const struct frame_cache *c = &u->caches[w];
        n_free += __atomic_load_n(&c->seen.free, __ATOMIC_RELAXED);
        fill += __atomic_load_n(&c->seen.fill, __ATOMIC_RELAXED);
        worker += __atomic_load_n(&c->seen.worker, __ATOMIC_RELAXED);
        tx += __atomic_load_n(&c->seen.tx, __ATOMIC_RELAXED);
    }
    *t = (struct umem_totals){.free = not_negative(n_free),
                              .fill = not_negative(fill),
                              .worker = not_negative(worker),
                              .tx = not_negative(tx),
                              .size = u->n_frames};
}
