/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The timer wheel: a ring of slots, one per tick, each a circular list of array elements; a bitmap says which slots
 * may hold something, so that an idle stretch of any length is stepped over 64 slots at a time.
 *
 * Slot heads are nodes like the others (their indices follow the elements'), so a node can be taken out
 * without knowing its slot. A node stands in the slot of its deadline's tick, at most n_slots - 1 ahead of the
 * wheel's clock; a deadline in the past goes to the current slot and fires at once.
 *
 * The clock only goes forward: a smaller now than before changes nothing. It is first set by the first timer, so
 * that a capture of any year starts without a walk from 1970.
 *
 * Owns the slots and the bitmap, not the elements. One thread.
 */
#include "ips/base/wheel.h"

#include <errno.h>
#include <stdlib.h>

static struct wheel_link *link_of(const struct wheel *w, uint32_t node)
{
    if (node >= w->n_nodes)
        return &w->slots[node - w->n_nodes];
    return (struct wheel_link *)(w->links + (size_t)node * w->stride);
}

int wheel_init(struct wheel *w, void *first_link, size_t stride, uint32_t n_nodes, uint32_t n_slots,
               uint32_t tick_shift)
{
    *w = (struct wheel){
        .slots = malloc(n_slots * sizeof(*w->slots)),
        .busy = calloc(n_slots / 64, sizeof(*w->busy)),
        .links = first_link,
        .stride = stride,
        .n_nodes = n_nodes,
        .n_slots = n_slots,
        .tick_shift = tick_shift,
    };
    if (!w->slots || !w->busy) {
        wheel_fini(w);
        return -ENOMEM;
    }
    for (uint32_t s = 0; s < n_slots; s++)
        w->slots[s] = (struct wheel_link){n_nodes + s, n_nodes + s};
    return 0;
}

void wheel_fini(struct wheel *w)
{
    free(w->slots);
    free(w->busy);
    *w = (struct wheel){0};
}

void wheel_set(struct wheel *w, uint32_t node, uint64_t now_ns, uint64_t deadline_ns)
{
    uint64_t tick = (deadline_ns >> w->tick_shift) + 1; /* rounded up */

    if (w->now_tick == 0)
        w->now_tick = (now_ns >> w->tick_shift) + 1;
    if (tick < w->now_tick)
        tick = w->now_tick;
    if (tick > w->now_tick + w->n_slots - 1)
        tick = w->now_tick + w->n_slots - 1;

    uint32_t s = (uint32_t)(tick & (w->n_slots - 1)), head = w->n_nodes + s;
    struct wheel_link *h = link_of(w, head), *l = link_of(w, node);
    *l = (struct wheel_link){.next = head, .prev = h->prev}; /* at the end: oldest first */
    link_of(w, h->prev)->next = node;
    h->prev = node;
    w->busy[s / 64] |= 1ull << (s % 64);
}

void wheel_clear(struct wheel *w, uint32_t node)
{
    const struct wheel_link *l = link_of(w, node);

    link_of(w, l->prev)->next = l->next;
    link_of(w, l->next)->prev = l->prev;
}

/* The first tick from now_tick to `last` whose slot is not empty, or 0. */
static uint64_t next_busy(struct wheel *w, uint64_t last)
{
    uint64_t tick = w->now_tick;

    if (last - tick >= w->n_slots)
        last = tick + w->n_slots - 1;
    while (tick <= last) {
        uint32_t s = (uint32_t)(tick & (w->n_slots - 1));
        uint64_t bits = w->busy[s / 64] >> (s % 64);

        if (bits == 0) {
            tick += 64 - s % 64;
            continue;
        }
        tick += (uint64_t)__builtin_ctzll(bits);
        if (tick > last)
            break;
        s = (uint32_t)(tick & (w->n_slots - 1));
        if (w->slots[s].next != w->n_nodes + s)
            return tick;
        w->busy[s / 64] &= ~(1ull << (s % 64)); /* its timers were cleared one by one */
    }
    return 0;
}

static uint32_t take_first(struct wheel *w, uint64_t tick)
{
    uint32_t node = w->slots[tick & (w->n_slots - 1)].next;

    wheel_clear(w, node);
    return node;
}

uint32_t wheel_due(struct wheel *w, uint64_t now_ns)
{
    uint64_t now = now_ns >> w->tick_shift;

    if (now < w->now_tick || w->now_tick == 0)
        return WHEEL_NONE;
    uint64_t tick = next_busy(w, now);
    w->now_tick = tick ? tick : now;
    return tick ? take_first(w, tick) : WHEEL_NONE;
}

uint32_t wheel_nearest(struct wheel *w, uint64_t *slot_ns)
{
    uint64_t tick = w->now_tick ? next_busy(w, w->now_tick + w->n_slots - 1) : 0;

    *slot_ns = tick << w->tick_shift;
    return tick ? take_first(w, tick) : WHEEL_NONE;
}
