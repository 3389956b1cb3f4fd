/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_BASE_FAULT_H
#define SLUICE_BASE_FAULT_H
/*
 * Faults on purpose, for tests of what happens then. They are in build/ipsd-faults and in no other program: without
 * SLUICE_FAULTS these are nothing.
 *
 *   a rule with sid FAULT_STALL_SID          loops for ever when it is tried
 *   sid FAULT_SLOW_SID + n, n below 100,000  takes n microseconds each time it is tried
 *   bytes with FAULT_STALL_BYTES             make the parser that gets them loop for ever
 */
#include <stdint.h>
#include "ips/base/span.h"

#ifdef SLUICE_FAULTS
#include "ips/base/clock.h"

#define FAULT_STALL_SID   4000000001u
#define FAULT_SLOW_SID    4001000000u
#define FAULT_STALL_BYTES "sluice-fault-stall"

static inline void fault_rule(uint32_t sid)
{
    static volatile int for_ever = 1;
    uint64_t began = clock_mono_ns();

    while (sid == FAULT_STALL_SID && for_ever)
        ;
    while (sid > FAULT_SLOW_SID && sid - FAULT_SLOW_SID < 100000 &&
           clock_mono_ns() - began < (sid - FAULT_SLOW_SID) * NS_PER_US)
        ;
}

static inline void fault_parser(struct span bytes)
{
    static volatile int for_ever = 1;

    while (memmem(bytes.p, bytes.len, FAULT_STALL_BYTES, sizeof(FAULT_STALL_BYTES) - 1) && for_ever)
        ;
}
#else
static inline void fault_rule(uint32_t sid)
{
    (void)sid;
}

static inline void fault_parser(struct span bytes)
{
    (void)bytes;
}
#endif
#endif
