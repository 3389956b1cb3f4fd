/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_BASE_OVERLOAD_H
#define SLUICE_BASE_OVERLOAD_H
/*
 * When a worker has more to do than it can: how far it goes in doing less. Pure; occupancy and clock are parameters.
 */
#include <stdbool.h>
#include <stdint.h>

enum overload_policy { OVERLOAD_AUTO, OVERLOAD_OFF, OVERLOAD_DROP };
enum overload_step {
    OVERLOAD_NONE,
    OVERLOAD_ELEPHANTS, /* flows that were inspected to a depth pass */
    OVERLOAD_RULES,     /* the costliest rules are left out */
    OVERLOAD_SHED,      /* what waits beyond overload.low follows the fail policy */
    OVERLOAD_STEPS,
};

struct
    overload_config { /* the control thread may change each of them at any time; workers load them once a round */
    uint32_t high, low; /* percent of an RX ring */
    uint32_t policy;    /* enum overload_policy */
    uint32_t elephant_bytes;
    uint32_t packet_us; /* of one packet's inspection; 0: nobody asks */
};

struct overload {
    /* any thread, relaxed */
    uint32_t step;                    /* enum overload_step */
    uint32_t permille, peak;          /* of the fuller RX ring: now, and the most so far */
    uint64_t entered[OVERLOAD_STEPS]; /* how often a step began, upwards or downwards */
    /* the worker's */
    uint32_t rounds, rounds_from; /* above `high` without a break; the occupancy at their beginning */
    uint64_t rounds_ns;           /* when they began */
    uint64_t calm_since_ns;       /* below `low` since then; 0: it is not */
    uint64_t calm_ns;             /* how long that must be for a step down */
    uint64_t down_ns;             /* the last one */
};

/* Once a round. may_forward: frames may cross without inspection, so the first two steps are for us. */
void overload_look(struct overload *o, const struct overload_config *c, bool may_forward, uint32_t permille,
                   uint64_t now_ns);
/* Control thread. */
void overload_configure(struct overload_config *live, const struct overload_config *to);
#endif
