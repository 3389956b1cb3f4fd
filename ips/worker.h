/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_WORKER_H
#define SLUICE_WORKER_H
/*
 * THE SPINE. A worker owns queue w of both interfaces, a flow table, a detector and a counter block, and runs the
 * burst loop over them: receive, decode, find flows, inspect, transmit, count. See worker.c.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include "ips/base/counters.h"
#include "ips/decode/decode.h"
#include "ips/detect/detect.h"
#include "ips/flow/flow.h"
#include "ips/io/handoff.h"
#include "ips/io/port.h"

struct worker_config {
    uint32_t index;     /* within the bridge */
    uint32_t n_workers; /* of the bridge */
    int cpu;            /* -1: not pinned */
    bool not_ip_drop, malformed_drop;
    bool inline_mode; /* false: capture mode without --inline, verdicts are recorded and not enforced */
    bool poll;        /* false: spin (capture mode, busy_poll) */
    struct decode_config decode;
};

struct worker {
    /* hot: the burst loop */
    struct port *port[2];    /* port[1] is NULL in capture mode: frames leave through port[0] */
    struct handoff *handoff; /* NULL when every flow arrives at its owner */
    struct flow_table *flows;
    struct detect *detect;
    struct packet_pool *inner; /* what the frames of the burst carry */
    const struct ruleset *const *ruleset; /* the published pointer, read under RCU */
    const bool *quit;
    uint64_t now_ns, real_ns; /* the clocks of this round */
    struct worker_config cfg;
    struct packet pkts[BURST_MAX];
    _Alignas(64) struct counters counters;
    /* cold */
    _Alignas(64) pthread_t thread;
    struct event_ring *ring;
    uint32_t bridge;
    char name[16];
};

/* The thread's function: registers with RCU, runs bursts until *quit, leaves no frame in hand. */
void *worker_run(void *worker);
/* One burst from one port; returns the number of frames received. Capture mode and benchmarks call it directly. */
unsigned worker_burst(struct worker *w, unsigned in_port);
#endif
