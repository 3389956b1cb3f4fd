/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_BENCH_FIGURES_H
#define SLUICE_BENCH_FIGURES_H
/*
 * For benches that measure one thing several times over what is drawn at random: the same draws in every run, and medians.
 */
#include <stdint.h>
#include <stdlib.h>

/* 32 bits (xorshift64). */
static inline uint32_t draw32(void)
{
    static uint64_t rng = 88172645463325252ull;

    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (uint32_t)(rng >> 16);
}

static inline int figures_by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Of n measurements, which it sorts. */
static inline double median(double *v, size_t n)
{
    qsort(v, n, sizeof(*v), figures_by_value);
    return v[n / 2];
}
#endif
