/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_TESTS_LANE_H
#define SLUICE_TESTS_LANE_H
/*
 * One connection, and what else a test sends, through flow, stream, app and detect as the worker calls them, in-line; with a
 * verdict cache over plain memory, if a test wants one, that outlives the daemon.
 *
 *     lane_begin(rules, LANE_CACHED);
 *     lane_connect();
 *     assert_false(lane_say(0, "attack"));
 *     lane_end();
 */
#include "tests/unit/app_rules.h"
#include "tests/unit/packets.h"

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };
enum { LANE_SCALE = 7, LANE_BUCKETS = 16 };
enum lane_mode { LANE_PLAIN, LANE_CACHED, LANE_KNOWN /* and flows known clean are noted */ };

struct lane_end {
    uint32_t next;  /* what it sends next */
    uint32_t acked; /* of the other end's, that it has said */
};

static struct {
    struct flow_table *flows;
    struct stream_table *streams;
    struct app *app;
    struct detect *det;
    struct ruleset *rs;
    struct event_ring *ring;
    struct counters c;
    struct flowcache cache;
    uint64_t now_ns;
    struct lane_end end[2]; /* [0] the client */
    struct packet p;        /* the last one */
    struct frame f;
    bool reassembled,
        one_port; /* of what is sent next: it came in fragments; everything comes through port 0 */
    bool tunnel;  /* its datagrams may carry packets */
    unsigned connections;
    unsigned alerts;
    struct { /* of the last flow that ended */
        uint64_t pkts[2], bytes[2];
    } ended;
} lane;

/* Before the detector's own: totals are whole by then. */
static inline void lane_ended(void *arg, uint32_t index, enum flow_end why)
{
    const struct flow *f = flow_at(lane.flows, index);

    if (why == FLOW_TAKEN_UP_AGAIN)
        return;
    memcpy(lane.ended.pkts, f->pkts, sizeof(f->pkts));
    memcpy(lane.ended.bytes, f->bytes, sizeof(f->bytes));
}

static inline void lane_daemon_starts(enum lane_mode mode)
{
    const struct flow_config fc = {.max_flows = 16,
                                   .max_vars = 64,
                                   .tcp_new_s = 60,
                                   .tcp_established_s = 600,
                                   .tcp_closed_s = 60,
                                   .udp_new_s = 60,
                                   .udp_established_s = 60,
                                   .icmp_s = 60,
                                   .other_s = 60,
                                   .bridged = true};
    const struct stream_config sc = {.memory_bytes = 4 << 20,
                                     .flow_bytes = 1 << 18,
                                     .window_bytes = 4096,
                                     .on_memcap = EXCEPTION_DROP_PACKET,
                                     .drop_ignored = true,
                                     .inline_mode = true,
                                     .max_flows = 16};
    const struct app_config ac = {.memory_bytes = 4 << 20,
                                  .flow_bytes = 1 << 20,
                                  .max_flows = 16,
                                  .inline_mode = true,
                                  .limits = APP_LIMITS_DEFAULT};
    struct err e;

    lane.flows = flow_table_new(&fc, &e);
    if (mode != LANE_PLAIN)
        flow_table_use_cache(lane.flows, &lane.cache, true);
    flow_table_note_known(lane.flows, mode == LANE_KNOWN);
    lane.streams = stream_table_new(&sc, lane.flows, &e);
    lane.app = app_new(&ac, lane.flows, lane.streams, &e);
    const struct detect_config dc = {
        .inline_mode = true, .flows = lane.flows, .max_flows = 16, .app = lane.app, .streams = lane.streams};
    lane.det = detect_new(&dc, 0, lane.ring, &lane.c, &e);
    flow_table_on_release(lane.flows, lane_ended, &lane);
    app_set_hooks(lane.app, &(struct app_hooks){.arg = lane.det, .inspect = detect_point, .log = detect_log});
}

/* All that it has is gone; crashed: without a word to anybody. */
static inline void lane_daemon_ends(bool crashed)
{
    if (!crashed) {
        flow_flush(lane.flows);
        assert_int_equal(stream_table_bytes(lane.streams), 0);
        assert_int_equal(app_bytes(lane.app), 0);
    }
    detect_free(lane.det);
    app_free(lane.app);
    stream_table_free(lane.streams);
    flow_table_free(lane.flows);
}

static inline void lane_begin(const char *rules, enum lane_mode mode)
{
    static const __u64 secret[2] = {1, 2};
    struct steer_bucket *buckets = aligned_alloc(64, LANE_BUCKETS * sizeof(*buckets));

    memset(&lane, 0, sizeof(lane));
    memset(buckets, 0, LANE_BUCKETS * sizeof(*buckets));
    flowcache_init(&lane.cache, buckets, calloc((size_t)LANE_BUCKETS * STEER_WAYS, sizeof(*lane.cache.keys)),
                   LANE_BUCKETS, secret);
    lane.now_ns = 1000 * UINT64_C(1000000000);
    lane.ring = event_ring_new(1 << 20);
    lane.rs = rules_lab_load(rules, DIALECT_SURICATA);
    lane_daemon_starts(mode);
}

static inline int lane_end(void **state)
{
    lane_daemon_ends(false);
    event_ring_free(lane.ring);
    ruleset_free(lane.rs);
    free(lane.cache.buckets);
    free(lane.cache.keys);
    return 0;
}

/* A SYN announces a window scale: four bytes of options in front of the payload. */
static inline void add_scale(struct frame *f, const struct pkt *k)
{
    f->b[f->l4 + 12] = 6 << 4;
    memcpy(f->b + f->l4 + 20, (uint8_t[4]){3, 3, LANE_SCALE, 0}, 4);
    frame_l4_checksum(f, k, IPPROTO_TCP);
}

/* As the worker has it. True when the packet leaves. */
static inline bool lane_inspect(const struct pkt *k)
{
    static const struct decode_config cfg = {.verify_checksums = true};
    struct packet *p = &lane.p;

    frame_build(&lane.f, k);
    if (k->tcp_flags & SYN)
        add_scale(&lane.f, k);
    *p = frame_packet(&lane.f, LINK_ETHERNET);
    p->now_ns = p->ts_ns = lane.now_ns += 10000;
    p->in_port = k->src == 2 && !lane.one_port;
    decode_burst(p, 1, &cfg, &lane.c);
    assert_false(p->flags & (PKT_MALFORMED | PKT_BAD_CHECKSUM));
    p->flags |= lane.reassembled ? PKT_REASSEMBLED : 0;
    flow_prefetch_burst(lane.flows, p, 1);
    flow_lookup(lane.flows, p, &lane.c);
    stream_begin(lane.streams, p, &lane.c);
    flow_account(lane.flows, p);
    app_begin(lane.app, p, &lane.c);
    detect_begin(lane.det, lane.rs, p);
    app_parse(lane.app, p, &lane.c);
    detect_end(lane.det, p);
    app_end(lane.app, p);
    stream_end(lane.streams, p, &lane.c);
    if (p->flow && flow_to_remember(lane.flows)[p->flow->standing])
        flow_remember(lane.flows, p,
                      &(struct flow_facts){.synchronized = stream_synchronized(lane.streams, p->flow),
                                           .tunnel = lane.tunnel,
                                           .sid = detect_settled_by(lane.det, p->flow)},
                      &lane.c);
    for (const struct event *ev; (ev = event_ring_peek(lane.ring)); event_ring_release(lane.ring, ev))
        lane.alerts += ev->type == EVENT_ALERT;
    return p->verdict != VERDICT_DROP;
}

static inline bool lane_segment(unsigned from, uint8_t flags, uint32_t seq, const void *payload, uint32_t len)
{
    struct lane_end *e = &lane.end[from];

    return lane_inspect(&(struct pkt){.src = from ? 2 : 1,
                                      .dst = from ? 1 : 2,
                                      .sport = from ? 80 : 40000,
                                      .dport = from ? 40000 : 80,
                                      .tcp_flags = flags,
                                      .window = 1000, /* of 128 bytes: far less than a hole */
                                      .seq = seq,
                                      .ack = e->acked,
                                      .payload = len           ? payload
                                                 : flags & SYN ? "    "
                                                               : NULL,
                                      .payload_len = len           ? len
                                                     : flags & SYN ? 4
                                                                   : 0});
}

/* The next bytes of an end; the other one acknowledges nothing yet. */
static inline bool lane_say(unsigned from, const char *text)
{
    uint32_t seq = lane.end[from].next, len = (uint32_t)strlen(text);

    lane.end[from].next += len;
    return lane_segment(from, ACK, seq, text, len);
}

static inline bool lane_acknowledge(unsigned from)
{
    lane.end[from].acked = lane.end[1 - from].next;
    return lane_segment(from, ACK, lane.end[from].next, NULL, 0);
}

/* So many bytes of an end cross, and the worker sees none of them; they are acknowledged, unseen as well. */
static inline void lane_cross_unseen(unsigned from, uint32_t bytes)
{
    lane.end[from].next += bytes;
    lane.end[1 - from].acked = lane.end[from].next;
}

static inline void lane_connect(void)
{
    lane.end[0] = (struct lane_end){.next = 0xfffff000u + 100000000 * lane.connections};
    lane.end[1] = (struct lane_end){.next = 77 + 50000000 * lane.connections++};
    assert_true(lane_segment(0, SYN, lane.end[0].next++, NULL, 0));
    lane.end[1].acked = lane.end[0].next;
    assert_true(lane_segment(1, SYN | ACK, lane.end[1].next++, NULL, 0));
    lane.end[0].acked = lane.end[1].next;
    assert_true(lane_segment(0, ACK, lane.end[0].next, NULL, 0));
}

#endif
