/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_BASE_CLOCK_H
#define SLUICE_BASE_CLOCK_H
/*
 * Time is a parameter: a worker reads the clocks once a burst and passes the value down; capture mode passes
 * the capture's own time. Only the functions that start threads or serve the socket call these directly.
 */
#include <stdint.h>
#include <time.h>

#define NS_PER_S  1000000000ull
#define NS_PER_MS 1000000ull
#define NS_PER_US 1000ull

static inline uint64_t clock_read(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}
#define clock_real_ns() clock_read(CLOCK_REALTIME)  /* what events show */
#define clock_mono_ns() clock_read(CLOCK_MONOTONIC) /* what timeouts use */
#endif
