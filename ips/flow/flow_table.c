/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flow table's memory: a pool of flows, hash chains of indices over it, and timer wheels.
 *
 * 128 bytes a flow and 8 to 16 for two buckets (short chains: most lookups read one flow), reserved at start and touched
 * only as flows come. Rooms that keep something beside each flow find their place by its index, and are told when it goes.
 *
 * Made and freed by the control thread; flow_table_count() may be read by any, the rest is the worker's. Owns all of it.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "ips/base/clock.h"
#include "ips/flow/flow_parts.h"

#define FLOWS_MAX        (1u << 26)
#define WHEEL_SLOTS      8192 /* of 2^27 ns: 18 minutes; later deadlines go round again */
#define WHEEL_TICK_SHIFT 27
#define TABLE_ID_SHIFT   43 /* flow ids: the table's number above, a counter below; 1,024 tables, 2^53 in all */
#define TABLE_ID_MAX     1023
#define TABLE_ID_START_MAX \
    ((UINT64_C(1) << (TABLE_ID_SHIFT - 1)) - 1) /* microseconds: 50 days until they repeat */

static uint32_t next_table_id; /* control threads make tables; atomic, since tests may use several */

static void *map_zeroed(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED)
        return NULL;
    madvise(p, bytes, MADV_HUGEPAGE); /* a wish: without it lookups only miss the TLB more often */
    return p;
}

static void set_timeouts(struct flow_table *t)
{
    const struct flow_config *c = &t->cfg;
    const uint32_t s[CLASS_N][FLOW_CLOSED + 1] = {
        [CLASS_TCP] = {c->tcp_new_s, c->tcp_established_s, c->tcp_closed_s},
        [CLASS_UDP] = {c->udp_new_s, c->udp_established_s, c->udp_established_s},
        [CLASS_ICMP] = {c->icmp_s, c->icmp_s, c->icmp_s},
        [CLASS_OTHER] = {c->other_s, c->other_s, c->other_s},
    };

    for (unsigned i = 0; i < CLASS_N; i++)
        for (unsigned j = 0; j <= FLOW_CLOSED; j++)
            t->timeout_ns[i][j] = s[i][j] * NS_PER_S;
}

struct flow_table *flow_table_new(const struct flow_config *cfg, struct err *e)
{
    if (cfg->max_flows == 0 || cfg->max_flows > FLOWS_MAX) {
        err_set(e, -EINVAL, "a flow table of %u flows is out of range", cfg->max_flows);
        err_remedy(e, "set flow.max between 1 and %u", FLOWS_MAX);
        return NULL;
    }
    if (flow_key_init(e))
        return NULL;

    struct flow_table *t = calloc(1, sizeof(*t));
    unsigned bits = 6;
    while (bits < 27 && (1u << bits) < cfg->max_flows * 2)
        bits++;
    if (!t)
        goto no_memory;
    t->cfg = *cfg;
    t->bucket_shift = 32 - bits;
    t->buckets_bytes = sizeof(*t->buckets) << bits;
    t->flows_bytes = sizeof(*t->flows) * cfg->max_flows;
    t->buckets = map_zeroed(t->buckets_bytes);
    t->flows = map_zeroed(t->flows_bytes);
    if (!t->buckets || !t->flows)
        goto no_memory;
    _Static_assert(offsetof(struct flow, timer_prev) == offsetof(struct flow, timer_next) + 4,
                   "a wheel_link");
    for (unsigned i = 0; i < 2; i++)
        if (wheel_init(&t->wheels[i], &t->flows[0].timer_next, sizeof(*t->flows), cfg->max_flows, WHEEL_SLOTS,
                       WHEEL_TICK_SHIFT))
            goto no_memory;
    if (cfg->max_vars > 0) {
        t->vars_of = map_zeroed(sizeof(*t->vars_of) * cfg->max_flows);
        t->vars = vars_pool_new(cfg->max_vars, e);
        if (!t->vars_of || !t->vars)
            goto no_memory;
    }
    set_timeouts(t);
    uint32_t number = __atomic_fetch_add(&next_table_id, 1, __ATOMIC_RELAXED) & TABLE_ID_MAX;
    /* a restarted daemon appends to the same event file: its flows must not take up the old numbers again */
    t->next_id = ((uint64_t)number << TABLE_ID_SHIFT) + (clock_real_ns() / NS_PER_US & TABLE_ID_START_MAX);
    return t;

no_memory:
    flow_table_free(t);
    err_set(e, -ENOMEM, "no memory for a table of %u flows (%zu MB)", cfg->max_flows,
            (sizeof(struct flow) * cfg->max_flows) >> 20);
    err_remedy(e, "lower flow.max; there is one table per worker");
    return NULL;
}

void flow_table_free(struct flow_table *t)
{
    if (!t)
        return;
    if (t->buckets)
        munmap(t->buckets, t->buckets_bytes);
    if (t->flows)
        munmap(t->flows, t->flows_bytes);
    if (t->vars_of)
        munmap(t->vars_of, sizeof(*t->vars_of) * t->cfg.max_flows);
    vars_pool_free(t->vars);
    wheel_fini(&t->wheels[0]);
    wheel_fini(&t->wheels[1]);
    free(t);
}

void flow_table_on_release(struct flow_table *t, flow_released_fn released, void *arg)
{
    assert(t->n_released < RELEASED_MAX);
    t->released[t->n_released].call = released;
    t->released[t->n_released++].arg = arg;
}

void flow_table_off_release(struct flow_table *t, void *arg)
{
    for (unsigned i = 0; i < t->n_released; i++)
        if (t->released[i].arg == arg)
            t->released[i] = t->released[--t->n_released];
}

struct flow *flow_at(const struct flow_table *t, uint32_t index)
{
    return &t->flows[index];
}

uint32_t flow_index(const struct flow_table *t, const struct flow *f)
{
    return (uint32_t)(f - t->flows);
}

struct vars_pool *flow_table_vars(struct flow_table *t)
{
    return t->vars;
}

uint32_t *flow_vars(struct flow_table *t, const struct flow *f)
{
    return &t->vars_of[f - t->flows];
}

uint32_t flow_table_count(const struct flow_table *t)
{
    return __atomic_load_n(&t->count, __ATOMIC_RELAXED);
}
