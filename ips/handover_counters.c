/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker's counters as names and numbers, so that a daemon with other counters finds those it has. Those that are a
 * state and not a count stay: the next daemon begins with its own. The next worker's block begins with these numbers.
 * Pure functions; the caller's worker does not run.
 */
#include "ips/handover.h"
#include "ips/base/counters.h"

#include <stdio.h>

static void put(json_t *o, const char *prefix, const char *name, uint64_t v)
{
    char key[96];

    if (v == 0)
        return;
    snprintf(key, sizeof(key), "%s%s", prefix, name);
    json_object_set_new(o, key, json_integer((json_int_t)v));
}

static uint64_t get(const json_t *o, const char *prefix, const char *name)
{
    char key[96];

    snprintf(key, sizeof(key), "%s%s", prefix, name);
    return (uint64_t)json_integer_value(json_object_get(o, key));
}

json_t *handover_counters(const struct counters *c)
{
    json_t *o = json_object();

    for (unsigned i = 0; o && i < CTR_N; i++)
        if (i != CTR_DEFRAG_HELD)
            put(o, "", counter_info[i].name, c->v[i]);
    for (unsigned i = 0; o && i < DROP_N; i++)
        put(o, "drop ", drop_info[i].name, c->drop[i]);
    for (unsigned i = 0; o && i < AN_N; i++)
        put(o, "anomaly ", anomaly_info[i].name, c->anomaly[i]);
    return o;
}

void handover_counters_read(const json_t *o, struct counters *c)
{
    for (unsigned i = 0; i < CTR_N; i++)
        if (i != CTR_DEFRAG_HELD)
            c->v[i] = get(o, "", counter_info[i].name);
    for (unsigned i = 0; i < DROP_N; i++)
        c->drop[i] = get(o, "drop ", drop_info[i].name);
    for (unsigned i = 0; i < AN_N; i++)
        c->anomaly[i] = get(o, "anomaly ", anomaly_info[i].name);
}
