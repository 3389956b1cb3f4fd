/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_WORKER_SETUP_H
#define SLUICE_WORKER_SETUP_H
/*
 * The cold side of a worker: what it is given before its thread runs, for bridges and capture mode alike.
 * Control thread.
 */
#include "ips/control/config.h"
#include "ips/worker.h"

struct expect;

struct worker_place {
    uint32_t bridge;    /* index in the configuration */
    uint32_t index;     /* within the bridge */
    uint32_t n_workers; /* of the bridge */
    uint32_t number;    /* among all workers of the daemon: picks its scratch in the ruleset */
    int cpu;            /* -1: not pinned */
    bool poll, inline_mode;
    bool rss;                /* the NICs bring both directions of a flow to one worker */
    bool one_port;           /* capture mode */
    struct expect *expect;   /* of the bridge; outlives the worker */
    struct flowcache *cache; /* likewise; NULL: none */
};

/* Flow table, defragmentation, event ring, detector, counters; ports, handoff, order and ruleset are the caller's to set. */
struct worker *worker_new(const struct worker_place *place, const struct config *cfg, struct err *e);
void worker_delete(struct worker *w); /* closes its ports; NULL is fine */
#endif
