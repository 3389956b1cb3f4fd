/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory of a worker's streams, or of its protocols' parsers: one area, cut into blocks of POOL_UNIT << order bytes by halving (the buddy system).
 *
 * The area is mapped once, without reserve, and touched only where it is used; nothing is taken from the heap after
 * that. Free blocks of each order stand in a list whose links lie in the blocks; a byte per unit says which blocks
 * are free, so that a block that comes back finds its other half and becomes one with it. Taking and giving cost at
 * most POOL_ORDER_MAX steps.
 *
 * Small blocks are what idle flows keep, and there can be hundreds of thousands of them: spread all over the area they
 * would leave no large block whole, so they get half of it at most. As a larger block is cut for them only when
 * no small one is free, the other half stays whole.
 *
 * One worker's; pool_used() may be read by any thread. Owns the area.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "ips/base/pool.h"

#define FREE_BIT \
    0x80 /* in the state of a free block's first unit, with its order; 0: in use, or inside a block */

struct link {
    pool_ref next, prev;
};

struct pool {
    uint8_t *area, *state; /* state: a byte per unit */
    uint32_t n_units;
    uint64_t used, used_small, size;
    pool_ref head[POOL_ORDER_MAX + 1];
};

static struct link *link_at(const struct pool *p, pool_ref r)
{
    return (struct link *)(void *)(p->area + (uint64_t)(r - 1) * POOL_UNIT);
}

static void push(struct pool *p, pool_ref r, unsigned order)
{
    *link_at(p, r) = (struct link){.next = p->head[order]};
    if (p->head[order])
        link_at(p, p->head[order])->prev = r;
    p->head[order] = r;
    p->state[r - 1] = (uint8_t)(FREE_BIT | order);
}

static void unlink_block(struct pool *p, pool_ref r, unsigned order)
{
    struct link l = *link_at(p, r);

    if (l.prev)
        link_at(p, l.prev)->next = l.next;
    else
        p->head[order] = l.next;
    if (l.next)
        link_at(p, l.next)->prev = l.prev;
    p->state[r - 1] = 0;
}

static void count(struct pool *p, unsigned order, int64_t sign)
{
    int64_t bytes = sign * ((int64_t)POOL_UNIT << order);

    __atomic_store_n(&p->used, p->used + (uint64_t)bytes, __ATOMIC_RELAXED);
    if (order <= POOL_ORDER_SMALL)
        p->used_small += (uint64_t)bytes;
}

static void *map_zeroed(size_t bytes)
{
    void *m = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return m == MAP_FAILED ? NULL : m;
}

struct pool *pool_new(uint64_t bytes, const char *what, const char *setting, struct err *e)
{
    struct pool *p = calloc(1, sizeof(*p));
    uint64_t n_units = bytes / POOL_UNIT;

    if (p && n_units > 0 && n_units < UINT32_MAX) {
        p->n_units = (uint32_t)n_units;
        p->size = n_units * POOL_UNIT;
        p->area = map_zeroed(p->size);
        p->state = map_zeroed(n_units);
    }
    if (!p || !p->area || !p->state) {
        err_set(e, -ENOMEM, "no memory for %s (%llu MB)", what, (unsigned long long)(bytes >> 20));
        err_remedy(e, "lower %s; there is one pool per worker", setting);
        pool_free(p);
        return NULL;
    }
    for (uint32_t at = 0; at < p->n_units;) { /* the largest aligned blocks that fit, front to back */
        unsigned order = POOL_ORDER_MAX;

        while ((at & ((1u << order) - 1)) || (1u << order) > p->n_units - at)
            order--;
        push(p, at + 1, order);
        at += 1u << order;
    }
    return p;
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    if (p->area)
        munmap(p->area, p->size);
    if (p->state)
        munmap(p->state, p->n_units);
    free(p);
}

pool_ref pool_take(struct pool *p, unsigned order)
{
    unsigned have = order;

    if (order <= POOL_ORDER_SMALL && p->used_small + (POOL_UNIT << order) > p->size / 2)
        return 0;
    while (have <= POOL_ORDER_MAX && !p->head[have])
        have++;
    if (have > POOL_ORDER_MAX)
        return 0;
    pool_ref r = p->head[have];
    unlink_block(p, r, have);
    while (have > order) {
        have--;
        push(p, r + (1u << have), have);
    }
    count(p, order, 1);
    return r;
}

void pool_give(struct pool *p, pool_ref r, unsigned order)
{
    uint32_t at = r - 1;

    count(p, order, -1);
    while (order < POOL_ORDER_MAX) {
        uint32_t other = at ^ (1u << order);

        if (other >= p->n_units || p->state[other] != (FREE_BIT | order))
            break;
        unlink_block(p, other + 1, order);
        at &= ~(1u << order);
        order++;
    }
    push(p, at + 1, order);
}

uint8_t *pool_at(const struct pool *p, pool_ref r)
{
    return p->area + (uint64_t)(r - 1) * POOL_UNIT;
}

pool_ref pool_ref_of(const struct pool *p, const void *at)
{
    return (pool_ref)((uint64_t)((const uint8_t *)at - p->area) / POOL_UNIT) + 1;
}

uint64_t pool_used(const struct pool *p)
{
    return __atomic_load_n(&p->used, __ATOMIC_RELAXED);
}

uint64_t pool_size(const struct pool *p)
{
    return p->size;
}
