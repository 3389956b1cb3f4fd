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
#include "ips/app/app.h"
#include "ips/base/beacon.h"
#include "ips/base/counters.h"
#include "ips/decode/decode.h"
#include "ips/decode/defrag.h"
#include "ips/detect/detect.h"
#include "ips/flow/exception.h"
#include "ips/flow/flow.h"
#include "ips/io/handoff.h"
#include "ips/io/port.h"
#include "ips/base/overload.h"
#include "ips/pulse.h"
#include "ips/stream/normalise.h"
#include "ips/stream/stream.h"

struct worker_config {
    uint32_t index;     /* within the bridge */
    uint32_t n_workers; /* of the bridge */
    int cpu;            /* -1: not pinned */
    bool not_ip_drop, malformed_drop;
    bool inline_mode; /* false: capture mode without --inline, verdicts are recorded and not enforced */
    bool poll;        /* false: spin (capture mode, busy_poll) */
    bool rss; /* the NICs bring both directions of a flow to one worker: only what no NIC sees is handed on */
    enum exception_action on_defrag_memcap;
    enum steer_fail_policy fail; /* of the bridge */
    uint32_t ring_size;          /* of its ports; 0 in capture mode */
    struct decode_config decode;
    struct normalise_config normalise;
};

#define WORKER_PAUSE_NS 1000000000 /* a queue without its worker is steered to as before for so long */

enum worker_order {
    WORKER_RUN,
    WORKER_PAUSE, /* stop at a round's end: what is in rings and in hand stays there */
    WORKER_QUIT,  /* stop when the rings are empty, with nothing in hand */
};

struct packet_ends { /* of whose flow a packet is, for those who may not look at the packet */
    struct addr src, dst;
    uint16_t sport, dport;
    uint8_t ip_version, ip_proto;
};

static inline struct packet_ends packet_ends(const struct packet *p)
{
    return (struct packet_ends){.src = p->src,
                                .dst = p->dst,
                                .sport = p->sport,
                                .dport = p->dport,
                                .ip_version = p->ip_version,
                                .ip_proto = p->ip_proto};
}

struct slow_packet { /* the worker fills it in when it is empty, the supervisor empties it */
    bool full;
    uint8_t parser;    /* that took most of the time: enum app_proto + 1; 0: none */
    uint32_t gid, sid; /* the rule that did; sid 0: none */
    uint64_t us;
    struct packet_ends end;
};

struct worker {
    /* hot: the burst loop */
    struct pulse pulse;
    struct port *port[2];    /* port[1] is NULL in capture mode: frames leave through port[0] */
    struct handoff *handoff; /* NULL with a single worker */
    struct defrag *defrag;
    struct flow_table *flows;
    struct stream_table *streams;
    struct app *app;
    struct detect *detect;
    struct packet_pool *inner;            /* what the frames of the burst carry */
    const bool *to_remember;              /* flow_to_remember(flows) */
    const struct ruleset *const *ruleset; /* the published pointer, read under RCU */
    const enum worker_order *order;
    uint64_t now_ns, real_ns;             /* the clocks of this round */
    const struct overload_config *limits; /* NULL: nothing is shed, no slowness noticed */
    struct overload overload;
    struct meter meter;
    bool attentive; /* every packet is timed, until... */
    uint64_t attentive_until_ns;
    uint64_t mark_ns, mark_cpu_ns; /* attentive: the clock, and the thread's processor time then */
    uint64_t round_ns;             /* when the round before began; 0: it slept since */
    uint64_t costs_ns;             /* when it last looked which rules cost most */
    struct worker_config cfg;
    struct packet pkts[BURST_MAX];
    struct packet given_back[BURST_MAX]; /* frames that were held */
    _Alignas(64) struct counters counters;
    struct beacon beacon; /* the supervisor reads it */
    struct slow_packet slow;
    /* cold */
    _Alignas(64) pthread_t thread;
    struct event_ring *ring;
    bool keep_flows; /* the thread ends, but another will go on: set by the control side before *quit */
    struct packet *adopted; /* frames that the daemon before held: fragments; heap */
    uint32_t n_adopted;
    int wake_fd; /* readable when `order` changes */
    uint32_t bridge;
    char name[16];
};

/* Index of the worker that has to see p's innermost packet: its flow's owner, or its datagram's until that is whole. */
uint32_t worker_owner_of(const struct worker *w, struct packet *p);
/* The thread's function: registers with RCU, runs bursts until *order says otherwise. */
void *worker_run(void *worker);
/* One burst of what other workers handed on; the number of frames. For the control thread, while no worker runs. */
unsigned worker_take_handed(struct worker *w);
/* Gives up what is held: its frames leave with this reason (not in-line: as they came). After the last burst. */
void worker_drain(struct worker *w, enum drop_reason why);
/* Flows and datagrams whose time is over, at most `budget` of each. */
void worker_expire(struct worker *w, uint64_t now_ns, unsigned budget);
/* One burst from one port; returns the number of frames received. Capture mode and benchmarks call it directly. */
unsigned worker_burst(struct worker *w, unsigned in_port);
#endif
