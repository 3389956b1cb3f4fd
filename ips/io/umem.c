// SPDX-License-Identifier: BSD-2-Clause
/*
 * The frames of one bridge: the memory, and who has which frame.
 *
 * umem_new() maps one area, in huge pages when the system has any set aside, and deals its frames out to the
 * workers' caches. The area is a memfd, so that the daemon that takes over at an upgrade can map the same pages
 * (umem_adopt()); it is sealed, so that neither can pull them away from under the other. A cache is a plain stack: the frame that was freed last is warm and goes out first. Only
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
#include <fcntl.h>
#include <linux/memfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define HUGE_PAGE_BYTES (2u << 20)
#define HUGETLBFS_MAGIC 0x958458f6
#define AREA_SEALS      (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#ifndef MADV_COLLAPSE /* Linux 6.1 */
#define MADV_COLLAPSE 25
#endif

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

static uint64_t area_bytes(uint32_t n_frames)
{
    return ((uint64_t)n_frames * FRAME_BYTES + HUGE_PAGE_BYTES - 1) & ~(uint64_t)(HUGE_PAGE_BYTES - 1);
}

/* A memfd of the area's size, mapped; false with errno. */
static bool map_memfd(struct umem *u, unsigned flags, int map_flags)
{
    u->fd = memfd_create("sluice-frames", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);
    if (u->fd < 0)
        return false;
    if (ftruncate(u->fd, (off_t)u->area_bytes) == 0 && fcntl(u->fd, F_ADD_SEALS, AREA_SEALS) == 0) {
        u->area = mmap(NULL, u->area_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | map_flags, u->fd, 0);
        if (u->area != MAP_FAILED)
            return true;
    }
    int error = errno;
    u->area = NULL;
    close(u->fd);
    u->fd = -1;
    errno = error;
    return false;
}

/* A memfd's pages are not counted before they are written, and then there is no way back but the OOM killer: ask for as much
 * private memory first, which the kernel refuses when it cannot have it. */
static bool memory_is_there(uint64_t bytes)
{
    void *probe = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return probe != MAP_FAILED && munmap(probe, bytes) == 0;
}

/* Huge pages when the system has enough of them free; else ordinary pages, joined to huge ones where the kernel does. */
static int map_area(struct umem *u, struct err *e)
{
    u->area_bytes = area_bytes(u->n_frames);
    u->huge = map_memfd(u, MFD_HUGETLB | MFD_HUGE_2MB, MAP_POPULATE);
    if (u->huge)
        return 0;
    if (memory_is_there(u->area_bytes) && map_memfd(u, 0, 0)) {
        madvise(u->area, u->area_bytes, MADV_HUGEPAGE);
        /* EINVAL: a kernel before 5.14, which finds the pages when the first socket registers the area. */
        if (madvise(u->area, u->area_bytes, MADV_POPULATE_WRITE) == 0 || errno == EINVAL) {
            (void)madvise(u->area, u->area_bytes, MADV_COLLAPSE); /* best effort: needs Linux 6.1 and luck */
            return 0;
        }
    }
    int rc = err_sys(e, -errno, "no memory for %u frames of %u bytes (%llu MB)", u->n_frames, FRAME_BYTES,
                     (unsigned long long)(u->area_bytes >> 20));
    err_remedy(e, "lower ring_size, queues or frames of the bridge, or give the machine more memory");
    return rc;
}

/* Another process's area. It is trusted no further than that reading it cannot kill us. */
static int map_adopted(struct umem *u, int fd, struct err *e)
{
    struct stat st;
    struct statfs fs;
    int seals = fcntl(fd, F_GET_SEALS);

    u->area_bytes = area_bytes(u->n_frames);
    if (seals < 0 || (seals & AREA_SEALS) != AREA_SEALS || fstat(fd, &st) || fstatfs(fd, &fs) ||
        (uint64_t)st.st_size != u->area_bytes)
        return err_set(e, -EINVAL,
                       "the frames' memory that was handed over is not a sealed memfd of %u frames",
                       u->n_frames);
    u->area = mmap(NULL, u->area_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (u->area == MAP_FAILED) {
        u->area = NULL;
        return err_sys(e, -errno, "cannot map the frames' memory that was handed over");
    }
    u->huge = fs.f_type == HUGETLBFS_MAGIC;
    u->fd = fd;
    return 0;
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

static struct umem *umem_alloc(uint32_t n_frames, uint32_t n_workers, struct err *e)
{
    struct umem *u = calloc(1, sizeof(*u));
    struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};

    if (!u || n_workers == 0 || n_frames == 0 || n_frames > UINT32_MAX - n_workers) {
        err_set(e, u ? -EINVAL : -ENOMEM, "cannot make a UMEM of %u frames for %u workers", n_frames,
                n_workers);
        free(u);
        return NULL;
    }
    u->fd = -1;
    u->n_workers = n_workers;
    u->n_frames = (n_frames + n_workers - 1) / n_workers * n_workers;
    /* The kernel counts pinned frames against this limit unless we may lock memory anyhow; a refusal here
     * shows as ENOBUFS in port_open(), which names the remedy. */
    (void)setrlimit(RLIMIT_MEMLOCK, &unlimited);
    return u;
}

struct umem *umem_new(uint32_t n_frames, uint32_t n_workers, struct err *e)
{
    struct umem *u = umem_alloc(n_frames, n_workers, e);

    if (!u)
        return NULL;
    if (map_area(u, e) || make_caches(u, e)) {
        umem_free(u);
        return NULL;
    }
    umem_reset(u);
    return u;
}

struct umem *umem_adopt(int fd, uint32_t n_frames, uint32_t n_workers, struct err *e)
{
    struct umem *u = umem_alloc(n_frames, n_workers, e);

    if (!u)
        return NULL;
    if (map_adopted(u, fd, e) == 0 && make_caches(u, e) == 0)
        return u;
    if (u->fd == fd)
        u->fd = -1; /* the caller's still */
    umem_free(u);
    return NULL;
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
    if (u->fd >= 0)
        close(u->fd);
    free(u);
}

int umem_fd(const struct umem *u)
{
    return u->fd;
}

uint8_t *umem_at(const struct umem *u, uint64_t addr)
{
    return u->area + addr;
}

void umem_empty_depot(struct umem *u)
{
    while (depot_take(&u->caches[0]))
        ;
    cache_publish(&u->caches[0]);
}

uint32_t frame_cache_read(const struct frame_cache *c, uint64_t *addr)
{
    memcpy(addr, c->addr, c->n * sizeof(*addr));
    return c->n;
}

void frame_cache_adopt(struct frame_cache *c, const uint64_t *addr, uint32_t n, struct frame_counts counts)
{
    memcpy(c->addr, addr, n * sizeof(*addr));
    c->n = n;
    c->fill = counts.fill;
    c->tx = counts.tx;
    c->worker = counts.held;
    c->depot = c->closed = 0;
    cache_publish(c);
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
