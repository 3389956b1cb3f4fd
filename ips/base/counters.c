/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counters: the tables of names that counters.h declares, and the sum over workers' blocks.
 *
 * Owns two constant tables, made from the same rows as the enums, so a counter cannot lack its name. A block
 * belongs to the worker that writes it; counters_sum() may run in any thread while workers count: each value
 * is read whole, the set is not a snapshot of one moment.
 */
#include "ips/base/counters.h"

const struct counter_info counter_info[CTR_N] = {
#define X(id, counter, what) [id] = {.name = counter, .help = what},
    COUNTER_TABLE(X)
#undef X
};

const struct counter_info drop_info[DROP_N] = {
#define X(id, word, what) [id] = {.name = word, .help = what},
    DROP_TABLE(X)
#undef X
};

void counters_sum(struct counters *sum, const struct counters *block)
{
    for (int i = 0; i < CTR_N; i++)
        sum->v[i] += __atomic_load_n(&block->v[i], __ATOMIC_RELAXED);
    for (int i = 0; i < DROP_N; i++)
        sum->drop[i] += __atomic_load_n(&block->drop[i], __ATOMIC_RELAXED);
    for (int i = 0; i < AN_N; i++)
        sum->anomaly[i] += __atomic_load_n(&block->anomaly[i], __ATOMIC_RELAXED);
}

void counter_anomalies(struct counters *c, const struct anomalies *before, const struct anomalies *now)
{
    for (unsigned w = 0; w < sizeof(now->bits) / sizeof(now->bits[0]); w++)
        for (uint64_t fresh = now->bits[w] & ~before->bits[w]; fresh; fresh &= fresh - 1) {
            uint64_t *v = &c->anomaly[w * 64 + (unsigned)__builtin_ctzll(fresh)];

            __atomic_store_n(v, *v + 1, __ATOMIC_RELAXED);
        }
}
