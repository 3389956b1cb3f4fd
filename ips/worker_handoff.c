/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames whose flow is another worker's: where NICs cannot bring both directions of a flow to one queue, and for what no NIC
 * can. The descriptor goes over the ring between the two workers (ips/io/handoff.c), the bytes stay where they are.
 *
 * An owner that gives no sign of life must not take the frames of others with it: what would wait in its ring follows the
 * bridge's fail policy here, as the frames of its own queue do in the kernel, and is counted in the same place, so that
 * the streams begin anew behind what crossed unseen. What waits in the ring already waits for its return.
 *
 * Worker thread. Owns nothing.
 */
#include "ips/worker_parts.h"

uint32_t worker_owner_of(const struct worker *w, struct packet *p)
{
    struct packet *in = packet_innermost(p);

    /* NICs that hash bring fragments to where the rest of the flow is, and see no further than the outermost addresses. */
    if (!w->handoff || (w->cfg.rss && p == in && !p->outer))
        return w->cfg.index;
    uint32_t hash = flow_hash(in);
    return hash ? hash % w->cfg.n_workers : w->cfg.index;
}

/* The frame's flow is a worker's that gives no sign of life. Its own queue's frames follow the fail policy in the kernel;
 * this one does here. What was dropped stays dropped; known clean is what the verdict cache says of untunnelled flows. */
static void fail(struct worker *w, uint32_t owner, struct packet *p)
{
    enum steer_fail_policy policy = __atomic_load_n(&w->cfg.fail, __ATOMIC_RELAXED);
    uint32_t kind = p->inner ? 0 : flow_cached_kind(w->flows, p);
    bool known = kind == STEER_KIND_KNOWN || kind == STEER_KIND_BYPASS;

    if (kind == STEER_KIND_DROP)
        packet_drop(p, DROP_FLOW);
    else if (policy == STEER_FAIL_CLOSED || (policy == STEER_FAIL_OPEN_KNOWN && !known))
        packet_drop(p, DROP_OWNER_SILENT);
    else {
        counter_add(&w->counters, CTR_OWNER_SILENT, 1);
        pulse_escape(&w->pulse, owner);
    }
    worker_leave(w, p, 1);
}

/* Sends away the frames that other workers own; closes the gaps; returns how many stay. */
unsigned worker_hand_off(struct worker *w, unsigned n)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < n; i++) {
        struct packet *p = &w->pkts[i];
        uint32_t owner = worker_owner_of(w, p);

        if (owner == w->cfg.index) {
            if (kept != i)
                packet_move(&w->pkts[kept], p);
            kept++;
        } else if (!pulse_lives(&w->pulse, owner, w->now_ns)) {
            fail(w, owner, p);
        } else if (handoff_send(w->handoff, w->cfg.index, owner, p)) {
            counter_add(&w->counters, CTR_HANDED_OFF, 1);
        } else {
            counter_drop(&w->counters, DROP_HANDOFF_FULL);
            port_free_burst(w->port[p->in_port], &p, 1);
        }
    }
    return kept;
}
