/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bridge goes on with an interface that was removed and is back, or with sockets that died.
 *
 * What is replaced is as little as can be: the NIC that went, its place in the program's maps, and all sockets (they share
 * one registration of the frames' memory, which dies with the interface of the first one). Workers end their loop for
 * that, without giving up a flow, and start it again; their flows, counters and event rings, which other threads look
 * at, are never freed. Whoever looks at ports or NICs meanwhile finds them missing, under bridge.lock.
 *
 * The NIC comes first, while the workers still run: what most often fails (it cannot have so many queues, its MTU does not
 * fit) fails there, and nothing was touched. From then on the bridge counts as broken until all of it is there again;
 * frames follow the fail policy, and the next call goes on where this one ended. Link thread.
 */
#include "ips/base/clock.h"
#include "ips/bridge.h"

/* The interface of that name takes the side of the one that has gone. */
static int take_nic(struct bridge *b, int side, const char *ifname, struct err *e)
{
    struct nic_config nc = {.ifname = ifname,
                            .n_queues = b->n_workers,
                            .max_queues = b->n_workers,
                            .keep_offloads = b->cfg->keep_offloads};
    struct nic *old;
    struct nic_info info;

    pthread_mutex_lock(&b->lock);
    old = b->nic[side];
    b->nic[side] = NULL;
    pthread_mutex_unlock(&b->lock);
    nic_leave(
        old); /* there is nothing to put back; should it be the same one, the maps remember what it was */
    if (bridge_open_nic(b, side, &nc, e))
        return e->code;
    bridge_nic_info(b, side, &info);
    pthread_mutex_lock(&b->lock);
    b->side[side].gone = false;
    b->side[side].ifindex = info.ifindex;
    snprintf(b->side[side].ifname, sizeof(b->side[side].ifname), "%s", ifname);
    b->broken = true; /* its sockets are the old one's */
    pthread_mutex_unlock(&b->lock);
    return 0;
}

static void set_broken(struct bridge *b, bool broken)
{
    pthread_mutex_lock(&b->lock);
    b->broken = broken;
    if (!broken)
        b->rebuilds++;
    pthread_mutex_unlock(&b->lock);
}

/* Whether workers that are stopped from now on keep their flows, for the thread that goes on. */
static void keep_flows(struct bridge *b, bool keep)
{
    for (uint32_t i = 0; i < b->n_workers; i++)
        b->workers[i]->keep_flows = keep;
}

int bridge_rebuild(struct bridge *b, const char *const fresh[2], struct err *e)
{
    e->code = 0;
    for (int side = 0; side < 2; side++)
        if (fresh[side] && take_nic(b, side, fresh[side], e))
            return e->code;
    set_broken(b, true);
    keep_flows(b, true);
    bridge_stop_workers(b);
    bridge_close_ports(b);
    for (int side = 0; side < 2; side++)
        if (xdp_replace_port(b->xdp, (uint32_t)side, b->side[side].ifname, b->side[side].ifindex, e))
            return e->code;
    for (uint32_t i = 0; i < b->n_workers; i++)
        b->workers[i]->cfg.rss = bridge_flows_arrive_at_owner(b);
    if (bridge_open_ports(b, e))
        return e->code;
    if (bridge_start_workers(b, e)) {
        bridge_close_ports(b);
        return e->code;
    }
    keep_flows(b, false);
    /* frames may have crossed meanwhile, between the flows' last ones and the next */
    __atomic_store_n(&b->escaped_ns, clock_mono_ns(), __ATOMIC_RELEASE);
    set_broken(b, false);
    return 0;
}
