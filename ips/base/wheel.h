/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_BASE_WHEEL_H
#define SLUICE_BASE_WHEEL_H
/*
 * A timer wheel over the elements of an array: the links are two 32-bit indices inside each element, the clock is
 * passed in, and nothing is allocated after wheel_init(). Setting and clearing a timer costs two list operations.
 *
 * Times are rounded up to a tick, never down, so no timer fires early. A deadline beyond the wheel's
 * horizon waits in the farthest slot; whoever takes it from there compares the deadline and sets it again. That is
 * also how an owner postpones a timer for free: let it fire, look at the true deadline, set it again.
 * One thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "ips/base/err.h"

#define WHEEL_NONE UINT32_MAX

struct wheel_link {
    uint32_t next, prev; /* meaningful only while the timer is set */
};

struct wheel {
    struct wheel_link *slots; /* heads of circular lists; slot s is node n_nodes + s */
    uint64_t *busy;           /* bitmap of slots that may hold something */
    char *links;              /* the first element's struct wheel_link */
    size_t stride;
    uint32_t n_nodes, n_slots;
    uint32_t tick_shift; /* a tick is 2^tick_shift ns */
    uint64_t now_tick;   /* every slot before it is empty; 0 until the first timer */
};

/* n_slots: a power of two, at least 64. first_link: address of the link in element 0; stride: of the array. */
int wheel_init(struct wheel *w, void *first_link, size_t stride, uint32_t n_nodes, uint32_t n_slots,
               uint32_t tick_shift);
void wheel_fini(struct wheel *w);
/* now_ns starts the wheel's clock when this is the first timer. */
void wheel_set(struct wheel *w, uint32_t node, uint64_t now_ns, uint64_t deadline_ns);
/* The timer must be set. */
void wheel_clear(struct wheel *w, uint32_t node);
/* Takes out one node whose slot is due at now_ns, or returns WHEEL_NONE. Call again until then, or until enough. */
uint32_t wheel_due(struct wheel *w, uint64_t now_ns);
/* Takes out the first node of the nearest slot, due or not; WHEEL_NONE when no timer is set. *slot_ns: when it would
 * have fired; a deadline beyond it was postponed or lies behind the horizon. */
uint32_t wheel_nearest(struct wheel *w, uint64_t *slot_ns);
#endif
