/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The verdict caches of all bridges as an operator sees them (`ipsctl flows`): one. Nobody knows here which bridge a flow
 * crosses, so what is said about it is said to all. Control thread, while workers and the program use the caches. Owns
 * nothing.
 */
#include <errno.h>

#include "ips/base/clock.h"
#include "ips/bridge.h"

struct walk {
    const char *bridge;
    control_flow_fn fn;
    void *arg;
    uint64_t now_ns;
};

static int walk_entry(const struct flowcache_entry *e, void *arg)
{
    struct walk *w = arg;

    return w->fn(w->bridge, e, w->now_ns, w->arg);
}

int bridge_flows_each(struct bridge *b, unsigned n, control_flow_fn fn, void *arg)
{
    int rc = 0;

    for (unsigned i = 0; i < n && rc == 0; i++) {
        struct walk w = {.bridge = b[i].cfg->name, .fn = fn, .arg = arg, .now_ns = clock_mono_ns()};

        rc = flowcache_walk(&b[i].cache, w.now_ns, walk_entry, &w);
    }
    return rc;
}

int bridge_flows_say(struct bridge *b, unsigned n, const struct steer_key *k,
                     const struct flowcache_verdict *v)
{
    int rc = 0;

    for (unsigned i = 0; i < n; i++) {
        if (!flowcache_put(&b[i].cache, k, v, clock_mono_ns()))
            rc = -EBUSY;
        __atomic_store_n(&b[i].cache.changed_ns, clock_mono_ns(), __ATOMIC_RELEASE);
    }
    return rc;
}

bool bridge_flows_unblock(struct bridge *b, unsigned n, const struct steer_key *k)
{
    struct flowcache_entry e;
    bool was = false;

    for (unsigned i = 0; i < n; i++)
        was |= flowcache_remove(&b[i].cache, k, &e);
    return was;
}
