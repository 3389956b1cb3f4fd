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

#include "tests/unit/lane.h"

enum { SEG = 1400, HOLE = 400 * SEG };

static const char rules[] = "drop tcp any any -> any any (flow:established; content:\"attack\"; sid:1;)\n"
                            "alert tcp any any -> any any (flow:established,to_server; content:\"mark\"; "
                            "flowbits:set,marked; noalert; sid:2;)\n"
                            "alert tcp any any -> any any (flow:established,to_client; content:\"later\"; "
                            "flowbits:isset,marked; sid:3;)\n"
                            "pass tcp any any -> any any (flow:established; content:\"letmepass\"; sid:4;)\n";

static int setup(void **state)
{
    lane_begin(rules, LANE_PLAIN);
    return 0;
}

/* A download in its middle: HTTP, with a body that goes on for long. */
static uint64_t download(void)
{
    lane_connect();
    assert_true(lane_say(0, "GET /mark HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_true(lane_acknowledge(1));
    assert_true(lane_say(1, "HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\nbody"));
    assert_true(lane_acknowledge(0));
    assert_true(lane_say(1, " and body"));
    assert_true(lane_acknowledge(0));
    return lane.p.flow->id;
}

static void hole(void)
{
    lane_cross_unseen(1, HOLE);
    lane_cross_unseen(0, HOLE);
    lane.now_ns += 300 * UINT64_C(1000000);
    flow_escaped(lane.flows, lane.now_ns);
}

static void still_inspected(unsigned from, uint64_t id)
{
    assert_true(lane_say(from, "nothing and att"));
    assert_false(lane_say(from, "ack of the rest"));
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
    lane_cross_unseen(1, HOLE);
    lane_cross_unseen(0, HOLE);
    assert_false(lane_say(1, "more"));
    assert_int_equal(lane.p.drop_reason, DROP_STREAM_INVALID);
}

static void the_server_goes_on(void **state)
{
    uint64_t id = download(), pkts = lane.p.flow->pkts[1];

    hole();
    assert_true(lane_say(1, "more of the body"));
    assert_int_equal(lane.p.flow->pkts[1], pkts + 1);
    assert_true(lane.p.flags & PKT_ESTABLISHED);
    assert_true(lane_acknowledge(0));
    still_inspected(1, id);
}

/* Only the flow's own frames crossed, and it is known that they did. */
static void one_flow_alone(void **state)
{
    uint64_t id = download();
    struct flow *f = flow_find(lane.flows, &lane.p);

    assert_ptr_equal(f, lane.p.flow);
    lane_cross_unseen(1, HOLE);
    lane_cross_unseen(0, HOLE);
    flow_hole(f, lane.now_ns);
    assert_true(lane_say(1, "more of the body"));
    assert_true(lane_acknowledge(0));
    assert_false(f->holed);
    still_inspected(1, id);
}

static void the_client_acknowledges_first(void **state)
{
    uint64_t id = download();

    hole();
    assert_true(lane_acknowledge(0));
    assert_true(lane_say(1, "more of the body"));
    assert_true(lane_say(1, "and more"));
    still_inspected(1, id);
}

static void the_client_asks_first(void **state)
{
    uint64_t id = download();

    hole();
    assert_true(lane_say(0, "GET /next HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_true(lane_acknowledge(1));
    assert_true(lane_say(1, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"));
    still_inspected(0, id);
}

/* It repeats what its receiver has had since: the ACK was lost, and the next one says so. */
static void the_server_repeats_old_bytes_first(void **state)
{
    uint64_t id = download();
    static const char old[SEG] = "old";

    hole();
    assert_true(lane_segment(1, ACK, lane.end[1].next - 5 * SEG, old, SEG));
    assert_true(lane_acknowledge(0));
    assert_true(lane_say(1, "more of the body"));
    assert_true(lane_acknowledge(0));
    still_inspected(1, id);
}

/* Of its first segments one is lost, and comes last; its receiver complains in between. */
static void the_first_segments_come_out_of_order(void **state)
{
    uint64_t id = download();
    uint32_t at = lane.end[1].next + HOLE;
    static const char body[SEG] = "body";

    hole();
    assert_true(lane_segment(1, ACK, at + SEG, body, SEG));
    assert_true(lane_segment(0, ACK, lane.end[0].next, NULL, 0)); /* it wants `at` */
    assert_true(lane_segment(1, ACK, at, body, SEG));
    lane.end[1].next = at + 2 * SEG;
    assert_true(lane_acknowledge(0));
    still_inspected(1, id);
}

static void what_rules_remember_stays(void **state)
{
    download();
    hole();
    assert_true(lane_say(1, "this is later"));
    assert_int_equal(lane.alerts, 1);
}

/* Put together from fragments, as the first thing after the hole and as the attack. */
static void a_datagram_in_fragments(void **state)
{
    uint64_t id = download();

    hole();
    lane.reassembled = true;
    assert_true(lane_say(1, "more of the body"));
    still_inspected(1, id);
}

static void the_handshake_is_in_the_hole(void **state)
{
    lane.end[0] = (struct lane_end){.next = 1000};
    lane.end[1] = (struct lane_end){.next = 5001};
    assert_true(lane_segment(0, SYN, lane.end[0].next++, NULL, 0));
    uint64_t id = lane.p.flow->id;
    lane.end[0].acked = lane.end[1].next;
    lane.end[1].acked = lane.end[0].next;
    hole();
    assert_true(lane_say(0, "GET / HTTP/1.0\r\n\r\n"));
    assert_true(lane_acknowledge(1));
    assert_true(lane_say(1, "HTTP/1.0 200 OK\r\n\r\nbody"));
    assert_true(lane_acknowledge(0));
    still_inspected(1, id);
}

static void verdicts_stay(void **state)
{
    download();
    assert_true(lane_say(0, "letmepass"));
    hole();
    assert_true(lane_say(0, "attack"));
    assert_int_equal(lane.p.flow->verdict, FLOW_PASS);
    lane.p.flow->verdict = FLOW_DROP;
    hole();
    assert_false(lane_say(0, "harmless"));
    assert_int_equal(lane.c.v[CTR_FLOW_TAKEN_UP_AGAIN], 0);
}

static void the_end_of_a_connection(void **state)
{
    download();
    hole();
    assert_true(lane_segment(1, FIN | ACK, lane.end[1].next++, NULL, 0));
    assert_true(lane_acknowledge(0));
    assert_true(lane_segment(0, FIN | ACK, lane.end[0].next++, NULL, 0));
    assert_true(lane_acknowledge(1));
    assert_int_equal(lane.p.flow->state, FLOW_CLOSED);
    hole();
    assert_true(lane_segment(0, RST | ACK, lane.end[0].next, NULL, 0));
}

static void other_flows_are_left_alone(void **state)
{
    struct pkt k = {.proto = IPPROTO_UDP, .payload = "x"};

    assert_true(lane_inspect(&k));
    hole();
    assert_true(lane_inspect(&k));
    assert_int_equal(lane.c.v[CTR_FLOW_TAKEN_UP_AGAIN], 0);
    download(); /* began behind the hole */
    assert_int_equal(lane.c.v[CTR_FLOW_TAKEN_UP_AGAIN], 0);
}

#define ONE(f) cmocka_unit_test_setup_teardown(f, setup, lane_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(a_hole_that_nobody_told_of),
        ONE(the_server_goes_on),
        ONE(one_flow_alone),
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
