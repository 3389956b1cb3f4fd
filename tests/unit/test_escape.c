// SPDX-License-Identifier: BSD-2-Clause
/*
 * Frames crossed that no worker saw: the fail policy had them. The connection behind them goes on, whichever of its
 * packets comes first, is the same flow as before, and is inspected again from there on.
 *
 * Each test tells a connection to flow, stream, app and detect as the worker calls them, with holes far wider than any
 * window that was granted, in both directions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/app_rules.h"
#include "tests/unit/packets.h"

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };
enum { SCALE = 7, SEG = 1400, HOLE = 400 * SEG };

static const char rules[] = "drop tcp any any -> any any (flow:established; content:\"attack\"; sid:1;)\n"
                            "alert tcp any any -> any any (flow:established,to_server; content:\"mark\"; "
                            "flowbits:set,marked; noalert; sid:2;)\n"
                            "alert tcp any any -> any any (flow:established,to_client; content:\"later\"; "
                            "flowbits:isset,marked; sid:3;)\n"
                            "pass tcp any any -> any any (flow:established; content:\"letmepass\"; sid:4;)\n";

struct end {
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
    uint64_t now_ns;
    struct end end[2]; /* [0] the client */
    struct packet p;   /* the last one */
    struct frame f;
    bool reassembled;
    unsigned alerts;
} lane;

static int setup(void **state)
{
    struct flow_config fc = {.max_flows = 16,
                             .max_vars = 64,
                             .tcp_new_s = 60,
                             .tcp_established_s = 600,
                             .tcp_closed_s = 60,
                             .udp_new_s = 60,
                             .udp_established_s = 60,
                             .icmp_s = 60,
                             .other_s = 60,
                             .bridged = true};
    struct stream_config sc = {.memory_bytes = 4 << 20,
                               .flow_bytes = 1 << 18,
                               .window_bytes = 4096,
                               .on_memcap = EXCEPTION_DROP_PACKET,
                               .drop_ignored = true,
                               .inline_mode = true,
                               .max_flows = 16};
    struct app_config ac = {.memory_bytes = 4 << 20,
                            .flow_bytes = 1 << 20,
                            .max_flows = 16,
                            .inline_mode = true,
                            .limits = APP_LIMITS_DEFAULT};
    struct err e;

    memset(&lane, 0, sizeof(lane));
    lane.now_ns = 1000 * UINT64_C(1000000000);
    lane.flows = flow_table_new(&fc, &e);
    lane.streams = stream_table_new(&sc, lane.flows, &e);
    lane.app = app_new(&ac, lane.flows, lane.streams, &e);
    lane.ring = event_ring_new(1 << 20);
    struct detect_config dc = {.inline_mode = true,
                               .log_flows = true,
                               .flows = lane.flows,
                               .max_flows = 16,
                               .app = lane.app,
                               .streams = lane.streams};
    lane.det = detect_new(&dc, 0, lane.ring, &lane.c, &e);
    lane.rs = rules_lab_load(rules, DIALECT_SURICATA);
    app_set_hooks(lane.app, &(struct app_hooks){.arg = lane.det, .inspect = detect_point, .log = detect_log});
    return 0;
}

static int teardown(void **state)
{
    flow_flush(lane.flows);
    assert_int_equal(stream_table_bytes(lane.streams), 0);
    assert_int_equal(app_bytes(lane.app), 0);
    detect_free(lane.det);
    app_free(lane.app);
    stream_table_free(lane.streams);
    flow_table_free(lane.flows);
    event_ring_free(lane.ring);
    ruleset_free(lane.rs);
    return 0;
}

/* A SYN announces a window scale: four bytes of options in front of the payload. */
static void add_scale(struct frame *f, const struct pkt *k)
{
    f->b[f->l4 + 12] = 6 << 4;
    memcpy(f->b + f->l4 + 20, (uint8_t[4]){3, 3, SCALE, 0}, 4);
    frame_l4_checksum(f, k, IPPROTO_TCP);
}

/* As the worker has it. True when the packet leaves. */
static bool inspect(const struct pkt *k)
{
    static const struct decode_config cfg = {.verify_checksums = true};
    struct packet *p = &lane.p;

    frame_build(&lane.f, k);
    if (k->tcp_flags & SYN)
        add_scale(&lane.f, k);
    *p = frame_packet(&lane.f, LINK_ETHERNET);
    p->now_ns = p->ts_ns = lane.now_ns += 10000;
    p->in_port = k->src == 2;
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
    for (const struct event *ev; (ev = event_ring_peek(lane.ring)); event_ring_release(lane.ring, ev))
        lane.alerts += ev->type == EVENT_ALERT;
    return p->verdict != VERDICT_DROP;
}

static bool segment(unsigned from, uint8_t flags, uint32_t seq, const void *payload, uint32_t len)
{
    struct end *e = &lane.end[from];

    return inspect(&(struct pkt){.src = from ? 2 : 1,
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
static bool say(unsigned from, const char *text)
{
    uint32_t seq = lane.end[from].next, len = (uint32_t)strlen(text);

    lane.end[from].next += len;
    return segment(from, ACK, seq, text, len);
}

static bool acknowledge(unsigned from)
{
    lane.end[from].acked = lane.end[1 - from].next;
    return segment(from, ACK, lane.end[from].next, NULL, 0);
}

/* So many bytes of an end cross, and the worker sees none of them; they are acknowledged, unseen as well. */
static void cross_unseen(unsigned from, uint32_t bytes)
{
    lane.end[from].next += bytes;
    lane.end[1 - from].acked = lane.end[from].next;
}

static void connect_both(void)
{
    lane.end[0] = (struct end){.next = 0xfffff000u};
    lane.end[1] = (struct end){.next = 77};
    assert_true(segment(0, SYN, lane.end[0].next++, NULL, 0));
    lane.end[1].acked = lane.end[0].next;
    assert_true(segment(1, SYN | ACK, lane.end[1].next++, NULL, 0));
    lane.end[0].acked = lane.end[1].next;
    assert_true(segment(0, ACK, lane.end[0].next, NULL, 0));
}

/* A download in its middle: HTTP, with a body that goes on for long. */
static uint64_t download(void)
{
    connect_both();
    assert_true(say(0, "GET /mark HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_true(acknowledge(1));
    assert_true(say(1, "HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\nbody"));
    assert_true(acknowledge(0));
    assert_true(say(1, " and body"));
    assert_true(acknowledge(0));
    return lane.p.flow->id;
}

static void hole(void)
{
    cross_unseen(1, HOLE);
    cross_unseen(0, HOLE);
    lane.now_ns += 300 * UINT64_C(1000000);
    flow_escaped(lane.flows, lane.now_ns);
}

static void still_inspected(unsigned from, uint64_t id)
{
    assert_true(say(from, "nothing and att"));
    assert_false(say(from, "ack of the rest"));
    assert_int_equal(lane.p.flow->id, id);
    assert_int_equal(lane.p.flow->verdict, FLOW_DROP);
    assert_int_equal(!!(lane.p.flags & PKT_TO_CLIENT), from);
    assert_int_equal(lane.c.v[CTR_FLOW_TAKEN_UP_AGAIN], 1);
    assert_int_equal(lane.c.v[CTR_FLOW_NEW], 1);
}

/* Without a word about it, all of it lies outside of every window: what this file is about. */
static void a_hole_that_nobody_told_of(void **state)
{
    download();
    cross_unseen(1, HOLE);
    cross_unseen(0, HOLE);
    assert_false(say(1, "more"));
    assert_int_equal(lane.p.drop_reason, DROP_STREAM_INVALID);
}

static void the_server_goes_on(void **state)
{
    uint64_t id = download(), pkts = lane.p.flow->pkts[1];

    hole();
    assert_true(say(1, "more of the body"));
    assert_int_equal(lane.p.flow->pkts[1], pkts + 1);
    assert_true(lane.p.flags & PKT_ESTABLISHED);
    assert_true(acknowledge(0));
    still_inspected(1, id);
}

static void the_client_acknowledges_first(void **state)
{
    uint64_t id = download();

    hole();
    assert_true(acknowledge(0));
    assert_true(say(1, "more of the body"));
    assert_true(say(1, "and more"));
    still_inspected(1, id);
}

static void the_client_asks_first(void **state)
{
    uint64_t id = download();

    hole();
    assert_true(say(0, "GET /next HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_true(acknowledge(1));
    assert_true(say(1, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"));
    still_inspected(0, id);
}

/* It repeats what its receiver has had since: the ACK was lost, and the next one says so. */
static void the_server_repeats_old_bytes_first(void **state)
{
    uint64_t id = download();
    static const char old[SEG] = "old";

    hole();
    assert_true(segment(1, ACK, lane.end[1].next - 5 * SEG, old, SEG));
    assert_true(acknowledge(0));
    assert_true(say(1, "more of the body"));
    assert_true(acknowledge(0));
    still_inspected(1, id);
}

/* Of its first segments one is lost, and comes last; its receiver complains in between. */
static void the_first_segments_come_out_of_order(void **state)
{
    uint64_t id = download();
    uint32_t at = lane.end[1].next + HOLE;
    static const char body[SEG] = "body";

    hole();
    assert_true(segment(1, ACK, at + SEG, body, SEG));
    assert_true(segment(0, ACK, lane.end[0].next, NULL, 0)); /* it wants `at` */
    assert_true(segment(1, ACK, at, body, SEG));
    lane.end[1].next = at + 2 * SEG;
    assert_true(acknowledge(0));
    still_inspected(1, id);
}

static void what_rules_remember_stays(void **state)
{
    download();
    hole();
    assert_true(say(1, "this is later"));
    assert_int_equal(lane.alerts, 1);
}

/* Put together from fragments, as the first thing after the hole and as the attack. */
static void a_datagram_in_fragments(void **state)
{
    uint64_t id = download();

    hole();
    lane.reassembled = true;
    assert_true(say(1, "more of the body"));
    still_inspected(1, id);
}

static void the_handshake_is_in_the_hole(void **state)
{
    lane.end[0] = (struct end){.next = 1000};
    lane.end[1] = (struct end){.next = 5001};
    assert_true(segment(0, SYN, lane.end[0].next++, NULL, 0));
    uint64_t id = lane.p.flow->id;
    lane.end[0].acked = lane.end[1].next;
    lane.end[1].acked = lane.end[0].next;
    hole();
    assert_true(say(0, "GET / HTTP/1.0\r\n\r\n"));
    assert_true(acknowledge(1));
    assert_true(say(1, "HTTP/1.0 200 OK\r\n\r\nbody"));
    assert_true(acknowledge(0));
    still_inspected(1, id);
}

static void verdicts_stay(void **state)
{
    download();
    assert_true(say(0, "letmepass"));
    hole();
    assert_true(say(0, "attack"));
    assert_int_equal(lane.p.flow->verdict, FLOW_PASS);
    lane.p.flow->verdict = FLOW_DROP;
    hole();
    assert_false(say(0, "harmless"));
    assert_int_equal(lane.c.v[CTR_FLOW_TAKEN_UP_AGAIN], 0);
}

static void the_end_of_a_connection(void **state)
{
    download();
    hole();
    assert_true(segment(1, FIN | ACK, lane.end[1].next++, NULL, 0));
    assert_true(acknowledge(0));
    assert_true(segment(0, FIN | ACK, lane.end[0].next++, NULL, 0));
    assert_true(acknowledge(1));
    assert_int_equal(lane.p.flow->state, FLOW_CLOSED);
    hole();
    assert_true(segment(0, RST | ACK, lane.end[0].next, NULL, 0));
}

static void other_flows_are_left_alone(void **state)
{
    struct pkt k = {.proto = IPPROTO_UDP, .payload = "x"};

    assert_true(inspect(&k));
    hole();
    assert_true(inspect(&k));
    assert_int_equal(lane.c.v[CTR_FLOW_TAKEN_UP_AGAIN], 0);
    download(); /* began behind the hole */
    assert_int_equal(lane.c.v[CTR_FLOW_TAKEN_UP_AGAIN], 0);
}

#define ONE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(a_hole_that_nobody_told_of),
        ONE(the_server_goes_on),
        ONE(the_client_acknowledges_first),
        ONE(the_client_asks_first),
        ONE(the_server_repeats_old_bytes_first),
        ONE(the_first_segments_come_out_of_order),
        ONE(what_rules_remember_stays),
        ONE(a_datagram_in_fragments),
        ONE(the_handshake_is_in_the_hole),
        ONE(verdicts_stay),
        ONE(the_end_of_a_connection),
        ONE(other_flows_are_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
