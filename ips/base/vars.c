/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Variables in blocks. What rules remember about a flow is a handful of bits and counters for the few flows that have
 * any, so a flow that has none costs four bytes and one that has some costs 64 for every seven.
 *
 * An owner's blocks form a chain; only the first may have room, so setting a new one looks nowhere else. Taking
 * one out moves the first block's last into its place. The pool is mapped once and touched only as it is used.
 *
 * One worker's; no locks, no allocation after vars_pool_new(). When the pool is empty, setting fails, and whoever
 * asked decides what that means.
 */
#include "ips/base/vars.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#define BLOCK_VARS 7

struct block {
    _Alignas(64) uint32_t next; /* index + 1 of the owner's next block, or of the next free one; 0 ends it */
    uint16_t n;                 /* in this block */
    uint16_t total;             /* in this and the ones behind it */
    struct var v[BLOCK_VARS];
};
_Static_assert(sizeof(struct block) == 64, "a block is a cache line");

struct vars_pool {
    struct block *blocks;
    uint32_t n_blocks, n_used, free_head;
};

struct vars_pool *vars_pool_new(uint32_t n_blocks, struct err *e)
{
    struct vars_pool *p = calloc(1, sizeof(*p));
    size_t bytes = (size_t)n_blocks * sizeof(*p->blocks);
    void *m = p != NULL && n_blocks > 0 ? mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
                                        : MAP_FAILED;

    if (m == MAP_FAILED) {
        err_set(e, -ENOMEM, "no memory for the variables of flows (%u blocks, %zu MB)", n_blocks,
                bytes >> 20);
        err_remedy(e, "lower flow.max_vars; there is one pool per worker");
        free(p);
        return NULL;
    }
    p->blocks = m;
    p->n_blocks = n_blocks;
    return p;
}

void vars_pool_free(struct vars_pool *p)
{
    if (p == NULL)
        return;
    munmap(p->blocks, (size_t)p->n_blocks * sizeof(*p->blocks));
    free(p);
}

static struct var *find(const struct vars_pool *p, uint32_t owner, uint16_t id)
{
    for (uint32_t at = owner; at != 0; at = p->blocks[at - 1].next) {
        struct block *b = &p->blocks[at - 1];

        for (unsigned i = 0; i < b->n; i++)
            if (b->v[i].id == id)
                return &b->v[i];
    }
    return NULL;
}

bool vars_get(const struct vars_pool *p, uint32_t owner, uint16_t id, uint32_t *value)
{
    const struct var *v = find(p, owner, id);

    if (v != NULL)
        *value = v->value;
    return v != NULL;
}

static bool push_block(struct vars_pool *p, uint32_t *owner)
{
    uint32_t at = p->free_head, behind = *owner != 0 ? p->blocks[*owner - 1].total : 0;

    if (at != 0)
        p->free_head = p->blocks[at - 1].next;
    else if (p->n_used < p->n_blocks)
        at = ++p->n_used;
    else
        return false;
    p->blocks[at - 1].next = *owner;
    p->blocks[at - 1].n = 0;
    p->blocks[at - 1].total = (uint16_t)behind;
    *owner = at;
    return true;
}

static void pop_block(struct vars_pool *p, uint32_t *owner)
{
    struct block *b = &p->blocks[*owner - 1];
    uint32_t next = b->next;

    b->next = p->free_head;
    p->free_head = *owner;
    *owner = next;
}

bool vars_set(struct vars_pool *p, uint32_t *owner, uint16_t id, uint32_t value)
{
    struct var *v = find(p, *owner, id);
    struct block *b;

    if (v != NULL) {
        v->value = value;
        return true;
    }
    if (*owner != 0 && p->blocks[*owner - 1].total >= VARS_PER_OWNER_MAX)
        return false;
    if ((*owner == 0 || p->blocks[*owner - 1].n == BLOCK_VARS) && !push_block(p, owner))
        return false;
    b = &p->blocks[*owner - 1];
    b->v[b->n++] = (struct var){.id = id, .value = value};
    b->total++;
    return true;
}

void vars_unset(struct vars_pool *p, uint32_t *owner, uint16_t id)
{
    struct var *v = find(p, *owner, id);
    struct block *first;

    if (v == NULL)
        return;
    first = &p->blocks[*owner - 1];
    *v = first->v[--first->n];
    first->total--;
    if (first->n == 0)
        pop_block(p, owner);
}

void vars_clear(struct vars_pool *p, uint32_t *owner)
{
    while (*owner != 0)
        pop_block(p, owner);
}

uint32_t vars_list(const struct vars_pool *p, uint32_t owner, struct var *out, uint32_t max)
{
    uint32_t n = 0;

    for (uint32_t at = owner; at != 0; at = p->blocks[at - 1].next)
        for (unsigned i = p->blocks[at - 1].n; i-- > 0 && n < max;)
            out[n++] = p->blocks[at - 1].v[i];
    return n;
}
