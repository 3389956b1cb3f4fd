/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_BRIDGE_H
#define SLUICE_BRIDGE_H
/*
 * One bridge: two interfaces, the kernel side, a UMEM, and a worker per queue. Built and torn down by the control
 * thread in one order, see bridge.c; between bridge_start() and bridge_stop() the workers own the data path.
 */
#include <jansson.h>
#include "ips/control/config.h"
#include "ips/io/handoff.h"
#include "ips/io/nic.h"
#include "ips/io/umem.h"
#include "ips/io/xdp.h"
#include "ips/worker.h"

struct bridge {
    const struct bridge_config *cfg;
    uint32_t index;        /* in the configuration */
    uint32_t first_worker; /* of this bridge among all workers of the daemon */
    struct nic *nic[2];
    struct xdp *xdp;
    struct xdp_memory memory; /* of its maps */
    struct umem *umem;
    struct expect *expect;   /* the workers' */
    struct handoff *handoff; /* NULL when every flow arrives at its owner */
    struct worker **workers;
    uint32_t n_workers, n_started;
    bool force_copy, saw_zero_copy; /* while sockets are opened */
    bool started, detach;           /* detach: nothing stays attached at bridge_close() */
    bool quit;                      /* read by the workers */
    uint64_t escaped_ns; /* frames crossed that no worker saw until then; written and read by the workers */
};

/* Interfaces set up, sockets bound, program loaded; nothing attached yet, no thread runs. On failure everything
 * is put back. *ruleset is the published pointer that workers read. */
int bridge_open(struct bridge *b, const struct config *cfg, uint32_t index, uint32_t first_worker,
                const struct ruleset *const *ruleset, struct err *e);
/* Starts the workers, fills the socket map, attaches the program: from here on frames cross. */
int bridge_start(struct bridge *b, struct err *e);
/* Takes the sockets out of the program's map, drains and joins the workers. */
void bridge_stop(struct bridge *b);
void bridge_close(struct bridge *b);

json_t *bridge_status(const struct bridge *b);
void bridge_counters(const struct bridge *b, struct counters *sum);     /* adds the workers' blocks to sum */
void bridge_port_stats(const struct bridge *b, struct port_stats *sum); /* adds what the sockets say */

struct bridge_use { /* now */
    uint32_t flows;
    uint64_t stream_bytes, app_bytes; /* of stream.memory and app.memory */
};
void bridge_use(const struct bridge *b, struct bridge_use *sum); /* adds what the workers hold */
#endif
