/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_BRIDGE_H
#define SLUICE_BRIDGE_H
/*
 * One bridge: two interfaces, the kernel side, a UMEM, and a worker per queue. Built and torn down by the control
 * thread in one order, see bridge.c; between bridge_start() and bridge_stop() the workers own the data path.
 */
#include <jansson.h>
#include "ips/control/config.h"
#include "ips/control/control.h"
#include "ips/io/flowcache.h"
#include "ips/io/handoff.h"
#include "ips/io/nic.h"
#include "ips/io/umem.h"
#include "ips/io/xdp.h"
#include "ips/worker.h"

/* One side as the link thread (ips/link.c) knows it, who alone writes it, under bridge.lock. Name and index are there from
 * bridge_open() on. */
struct bridge_side {
    char ifname[16]; /* as it is called now; the configuration's at first */
    uint32_t ifindex;
    uint32_t mtu, queues;     /* queues: 0 when the driver does not say */
    bool known;               /* was looked at */
    bool up, carrier;         /* administratively; as it is on the wire */
    bool gone;                /* no interface: removed, or moved to another namespace */
    bool passed;              /* set down by us, because the other side lost its link (link_pass) */
    uint64_t carrier_changes; /* while the daemon ran */
};

static inline bool bridge_has_link(const struct bridge_side *s)
{
    return !s->gone && s->up && s->carrier;
}

/* What a daemon that upgrades hands over of a bridge, beside the state of its frames. bridge_open() takes the ports' and the
 * UMEM's descriptors. */
struct bridge_heirloom {
    uint32_t n_workers;
    int umem_fd, pins_fd;
    int xsk_fd[WORKERS_MAX][2];
};

struct bridge_place {
    uint32_t index;                         /* in the configuration */
    uint32_t first_worker;                  /* among all workers of the daemon */
    const struct ruleset *const *ruleset;   /* the published pointer that workers read */
    const struct bridge_heirloom *heirloom; /* NULL: an ordinary start */
};

struct bridge {
    const struct bridge_config *cfg;
    uint32_t index;        /* in the configuration */
    uint32_t first_worker; /* of this bridge among all workers of the daemon */
    struct nic *nic[2];
    struct xdp *xdp;
    struct xdp_memory memory; /* of its maps */
    struct flowcache cache;   /* in it */
    uint64_t cache_grace_ns;  /* flows that an earlier daemon knew clean are to be seen again in */
    struct umem *umem;
    struct expect *expect;   /* the workers' */
    struct handoff *handoff; /* NULL when every flow arrives at its owner */
    struct worker **workers;
    uint32_t n_workers, n_started;
    bool force_copy, saw_zero_copy; /* while sockets are opened */
    bool started, detach;           /* detach: nothing stays attached at bridge_close() */
    enum worker_order order;        /* read by the workers */
    int wake_fd;                    /* an eventfd in every worker's poll: look at `order` */
    struct overload_config limits;  /* read by the workers; changed by overload_configure() only */
    bool link_pass;                 /* read by the link thread; atomic */
    uint64_t escaped_ns; /* frames crossed that no worker saw until then; written and read by the workers */
    /* Held while the link thread replaces the workers' ports and the NICs, and by whoever else looks at them; never for
     * longer than a look takes. */
    pthread_mutex_t lock;
    struct bridge_side side[2];
    struct port_stats closed_ports; /* what sockets that were replaced had counted */
    uint64_t rebuilds;              /* that succeeded */
    bool broken;                    /* it could not be rebuilt: no sockets, the fail policy decides */
};

/* Interfaces set up, sockets bound, program loaded; nothing attached yet, no thread runs. On failure everything
 * is put back. */
int bridge_open(struct bridge *b, const struct config *cfg, const struct bridge_place *place, struct err *e);
/* Starts the workers, fills the socket map, attaches the program: from here on frames cross. */
int bridge_start(struct bridge *b, struct err *e);
/* Takes the sockets out of the program's map, drains and joins the workers. */
void bridge_stop(struct bridge *b);
void bridge_close(struct bridge *b);

/* bridge_rebuild.c: interface `fresh[side]` is to be taken in the place of one that has gone (NULL: the side stays). Flows,
 * counters and event rings stay; sockets are opened anew. On failure the bridge may be left without sockets
 * (b->broken); frames follow the fail policy until another call succeeds. Link thread, while nobody else changes bridges. */
int bridge_rebuild(struct bridge *b, const char *const fresh[2], struct err *e);

/* --- bridge_handover.c: an upgrade. While nobody else changes bridges. ---------------------------------------------- */

/* What cannot change while frames are in the rings, by name. */
json_t *bridge_facts(const struct bridge *b);
/* 0, or -ESTALE: the configuration wants something else, and a restart is needed. */
int bridge_facts_same(const struct bridge_config *cfg, const json_t *facts, struct err *e);
/* Takes what a configuration reload may change of the workers; cfg has as many bridges, with the same names. */
void bridge_configure(struct bridge *b, const struct config *cfg);

/* Can it be handed over as it is now? */
int bridge_may_leave(const struct bridge *b, struct err *e);
/* The workers stop at a round's end; the program keeps steering to them for WORKER_PAUSE_NS. */
void bridge_pause(struct bridge *b);
/* And go on, as if nothing had been. */
int bridge_resume(struct bridge *b, struct err *e);
/* Paused: the state of all frames into memory of bridge_frames_bytes(); *bytes of it. -EPROTO: the books do not balance. */
size_t bridge_frames_bytes(const struct bridge *b);
int bridge_frames_write(struct bridge *b, void *memory, size_t *bytes, struct err *e);
/* On a bridge with an heirloom: takes frames and rings over. Nothing has changed when it fails. */
int bridge_frames_adopt(struct bridge *b, const void *state, size_t bytes, struct err *e);
/* When its workers run on what was adopted, since then: the kernel side becomes this daemon's. */
int bridge_succeed(struct bridge *b, const struct config *cfg, uint64_t since_ns, struct err *e);
/* The workers' threads only; those that run are counted. */
int bridge_run_workers(struct bridge *b, struct err *e);

/* For bridge_handover.c and bridge_rebuild.c. */
void bridge_join_workers(struct bridge *b, enum worker_order order);
void bridge_xdp_config(const struct bridge *b, const struct config *cfg, struct xdp_config *xc);
int bridge_open_nic(struct bridge *b, int side, struct nic_config *nc, struct err *e);
int bridge_start_workers(struct bridge *b,
                         struct err *e);    /* with sockets and program; or all is stopped again */
void bridge_stop_workers(struct bridge *b); /* the program's part of an end is left undone */
bool bridge_flows_arrive_at_owner(const struct bridge *b);
int bridge_open_ports(struct bridge *b, struct err *e); /* all or none */
void bridge_close_ports(struct bridge *b);
void bridge_add_port_stats(struct port_stats *sum, const struct port *p);

json_t *bridge_status(struct bridge *b);
void bridge_counters(const struct bridge *b, struct counters *sum);     /* adds the workers' blocks to sum */
void bridge_port_stats(struct bridge *b, struct port_stats *sum);       /* adds what the sockets say */
void bridge_nic_info(struct bridge *b, int side, struct nic_info *out); /* zeros when it has gone */

struct bridge_use { /* now */
    uint32_t flows;
    uint64_t stream_bytes, app_bytes;           /* of stream.memory and app.memory */
    uint64_t carrier_changes, rebuilds;         /* since the daemon started */
    uint32_t occupancy_permille, overload_step; /* of the fullest ring; of the worker that sheds most */
};
void bridge_use(struct bridge *b, struct bridge_use *sum); /* adds what the workers hold */

/* --- bridge_flows.c: the verdict caches of n bridges; control_ops says what each does. */
int bridge_flows_each(struct bridge *b, unsigned n, control_flow_fn fn, void *arg);
int bridge_flows_say(struct bridge *b, unsigned n, const struct steer_key *k,
                     const struct flowcache_verdict *v);
bool bridge_flows_unblock(struct bridge *b, unsigned n, const struct steer_key *k);
#endif
