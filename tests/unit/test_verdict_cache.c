// SPDX-License-Identifier: BSD-2-Clause
/*
 * What flows write to the verdict cache and read from it, over plain memory: final verdicts and what is known clean go in,
 * what the program counted comes out, a flow that only the program sees does not end, the next daemon finds the verdicts, a
 * new connection does not, and an operator has the last word.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/lane.h"

#define S UINT64_C(1000000000)

static const char rules[] = "drop ip any any -> any any (content:\"attack\"; sid:1;)\n"
                            "pass ip any any -> any any (content:\"letmepass\"; sid:2;)\n"
                            "alert tcp any any -> any any (content:\"enough\"; bypass; sid:3;)\n"
                            "pass udp any any <> any 81 (sid:4;)\n"
                            "drop udp any any -> any 82 (sid:5;)\n"
                            "drop icmp any any -> any any (sid:6;)\n";

static uint16_t udp_port; /* of host 2: what the rules say of datagrams goes by it */

static int cached(void **state)
{
    lane_begin(rules, LANE_CACHED);
    udp_port = 80;
    return 0;
}

static int known(void **state)
{
    lane_begin(rules, LANE_KNOWN);
    udp_port = 80;
    return 0;
}

/* As the program makes it: the lower end first. Host 1 is the client of the lane's connection. */
static struct steer_key key(uint8_t proto)
{
    return (struct steer_key){.addr = {{10, 0, 0, 1}, {10, 0, 0, 2}},
                              .port_be = {htons(40000), htons(proto == IPPROTO_UDP ? udp_port : 80)},
                              .proto = proto,
                              .version = 4};
}

static unsigned kind(uint8_t proto)
{
    struct steer_key k = key(proto);
    struct flowcache_entry e;

    return flowcache_get(&lane.cache, &k, lane.now_ns, &e) ? e.verdict.kind : 0;
}

static struct flowcache_entry entry(uint8_t proto)
{
    struct steer_key k = key(proto);
    struct flowcache_entry e = {.last_ns = 0};

    assert_true(flowcache_get(&lane.cache, &k, lane.now_ns, &e));
    return e;
}

/* The program settles a frame by the entry. */
static void in_the_kernel(uint8_t proto, unsigned end, uint64_t bytes)
{
    struct steer_key k = key(proto);

    for (uint64_t b = 0; b < LANE_BUCKETS; b++)
        for (unsigned i = 0; i < STEER_WAYS; i++) {
            struct steer_flow *w = &lane.cache.buckets[b].way[i];

            if (w->tag == STEER_TAG_FREE || memcmp(&lane.cache.keys[b * STEER_WAYS + i].key, &k, sizeof(k)))
                continue;
            w->last_ns = lane.now_ns;
            w->pkts[end]++;
            w->bytes[end] += bytes;
            return;
        }
    fail_msg("no entry");
}

static void pass_time(uint64_t ns)
{
    lane.now_ns += ns;
    flow_expire(lane.flows, lane.now_ns, 100, &lane.c);
}

static bool datagram(uint8_t from, const char *text)
{
    return lane_inspect(&(struct pkt){.src = from,
                                      .dst = 3 - from,
                                      .proto = IPPROTO_UDP,
                                      .sport = from == 1 ? 40000 : udp_port,
                                      .dport = from == 1 ? udp_port : 40000,
                                      .payload = text});
}

static void established(void)
{
    lane_connect();
    assert_true(lane_say(0, "hello"));
    assert_true(lane_acknowledge(1));
    assert_true(lane_say(1, "hello yourself"));
    assert_true(lane_acknowledge(0));
}

static void a_dropped_flow(void **state)
{
    established();
    assert_int_equal(kind(IPPROTO_TCP), 0);
    assert_false(lane_say(0, "attack"));
    assert_int_equal(kind(IPPROTO_TCP), STEER_KIND_DROP);
    assert_int_equal(entry(IPPROTO_TCP).verdict.sid, 1);
    assert_int_equal(entry(IPPROTO_TCP).verdict.why, FLOWCACHE_BY_RULE);
    assert_int_equal(entry(IPPROTO_TCP).verdict.idle_ms, 600000);
    assert_int_equal(lane.c.v[CTR_FLOW_CACHED], 1);
    assert_false(lane_say(0, "harmless")); /* where the kernel does not look */
    assert_int_equal(lane.c.v[CTR_FLOW_CACHED], 1);
    in_the_kernel(IPPROTO_TCP, 0, 60);
    uint64_t pkts = lane.p.flow->pkts[0], bytes = lane.p.flow->bytes[0];
    pass_time(601 * S);
    assert_int_equal(flow_table_count(lane.flows), 0);
    assert_int_equal(kind(IPPROTO_TCP), 0);
    assert_int_equal(lane.ended.pkts[0], pkts + 1);
    assert_int_equal(lane.ended.bytes[0], bytes + 60);
}

/* The kernel's counts are by address, the flow's by who opened it: here by host 2, the upper end. */
static void counts_by_direction(void **state)
{
    udp_port = 81;
    assert_true(datagram(2, "anything"));
    assert_int_equal(kind(IPPROTO_UDP), STEER_KIND_BYPASS);
    for (unsigned i = 0; i < 5; i++)
        in_the_kernel(IPPROTO_UDP, 1, 100);
    in_the_kernel(IPPROTO_UDP, 0, 7);
    uint64_t bytes = lane.p.flow->bytes[0];
    pass_time(61 * S);
    assert_int_equal(lane.ended.pkts[0], 1 + 5);
    assert_int_equal(lane.ended.pkts[1], 1);
    assert_int_equal(lane.ended.bytes[0], bytes + 500);
    assert_int_equal(lane.ended.bytes[1], 7);
}

/* Only the kernel has seen it for long: it lives as long as that goes on. */
static void a_flow_that_the_kernel_sees(void **state)
{
    established();
    assert_true(lane_say(0, "enough"));
    assert_int_equal(kind(IPPROTO_TCP), STEER_KIND_BYPASS);
    assert_int_equal(entry(IPPROTO_TCP).verdict.sid, 3);
    for (unsigned i = 0; i < 10; i++) {
        pass_time(400 * S);
        in_the_kernel(IPPROTO_TCP, 1, 1500);
        assert_int_equal(flow_table_count(lane.flows), 1);
    }
    lane.end[1].next += 10 * 1448;
    lane.end[0].acked = lane.end[1].next;
    assert_true(
        lane_segment(0, FIN | ACK, lane.end[0].next, NULL, 0)); /* its end comes here, bytes were missed */
    assert_int_equal(lane.c.v[CTR_FLOW_NEW], 1);
    pass_time(601 * S);
    assert_int_equal(flow_table_count(lane.flows), 0);
    assert_int_equal(lane.ended.bytes[1] / 1500, 10);
}

static void the_next_daemon_knows(void **state)
{
    established();
    assert_false(lane_say(0, "attack"));
    lane_daemon_ends(true);
    flowcache_take_over(&lane.cache, lane.now_ns, S);
    lane_daemon_starts(LANE_CACHED);
    assert_false(lane_say(0, "harmless"));
    assert_int_equal(lane.p.drop_reason, DROP_FLOW);
    assert_int_equal(lane.c.v[CTR_FLOW_RECALLED], 1);
    lane_daemon_ends(false); /* in good order: it still knows */
    assert_int_equal(kind(IPPROTO_TCP), STEER_KIND_DROP);
    lane_daemon_starts(LANE_CACHED);
    assert_false(lane_say(0, "harmless"));
    lane_daemon_ends(true);
    lane_daemon_starts(LANE_CACHED);
    established(); /* the same ports, and another connection */
    assert_int_equal(kind(IPPROTO_TCP), 0);
}

static void counts_are_not_counted_twice(void **state)
{
    udp_port = 81;
    assert_true(datagram(1, "anything"));
    in_the_kernel(IPPROTO_UDP, 0, 100);
    lane_daemon_ends(false);
    assert_int_equal(lane.ended.pkts[0], 2);
    lane_daemon_starts(LANE_CACHED);
    assert_true(datagram(1, "and more"));
    assert_int_equal(lane.p.flow->verdict, FLOW_PASS);
    lane_daemon_ends(false);
    assert_int_equal(lane.ended.pkts[0], 1);
    lane_daemon_starts(LANE_CACHED);
}

/* A bypassed connection's ports are used again: SYN and SYN/ACK come to the worker. */
static void a_new_connection_in_the_old_ones_place(void **state)
{
    established();
    assert_true(lane_say(0, "letmepass"));
    assert_int_equal(kind(IPPROTO_TCP), STEER_KIND_BYPASS);
    in_the_kernel(IPPROTO_TCP, 0, 100);
    established();
    assert_int_equal(kind(IPPROTO_TCP), 0);
    assert_false(lane_say(0, "attack"));
    assert_int_equal(kind(IPPROTO_TCP), STEER_KIND_DROP);
    pass_time(1 * S);
    assert_int_equal(lane.ended.pkts[0], 5 + 1 + 1); /* the SYN was of the old one */
}

static void known_clean(void **state)
{
    lane_connect();
    assert_int_equal(kind(IPPROTO_TCP), 0);
    assert_true(lane_say(0, "hello"));
    assert_int_equal(kind(IPPROTO_TCP), STEER_KIND_KNOWN);
    assert_int_equal(lane.c.v[CTR_FLOW_KNOWN], 1);
    assert_true(lane_say(0, "more"));
    assert_int_equal(lane.c.v[CTR_FLOW_KNOWN], 1);
    assert_false(lane_say(0, "attack"));
    assert_int_equal(kind(IPPROTO_TCP), STEER_KIND_DROP);
    pass_time(601 * S);
    established();
    assert_int_equal(kind(IPPROTO_TCP), STEER_KIND_KNOWN);
    pass_time(601 * S);
    assert_int_equal(kind(IPPROTO_TCP), 0);
}

static void known_to_the_next_daemon(void **state)
{
    established();
    lane_daemon_ends(true);
    flowcache_take_over(&lane.cache, lane.now_ns, 10 * S);
    lane_daemon_starts(LANE_KNOWN);
    assert_true(lane_say(0, "more")); /* it has an owner again */
    lane.now_ns += 100 * S;
    assert_int_equal(kind(IPPROTO_TCP), STEER_KIND_KNOWN);
    lane_daemon_ends(true);
    flowcache_take_over(&lane.cache, lane.now_ns, 10 * S);
    lane_daemon_starts(LANE_KNOWN);
    lane.now_ns += 11 * S; /* nobody asked for it */
    assert_int_equal(kind(IPPROTO_TCP), 0);
}

/* What one end alone can make up is not known clean. */
static void not_known_clean(void **state)
{
    lane.one_port = true;
    established();
    for (unsigned i = 0; i < 100; i++)
        assert_true(lane_say(0, "hello"));
    assert_int_equal(kind(IPPROTO_TCP), 0);
    assert_int_equal(lane.p.flow->cached, FLOW_CACHED_KNOWN); /* and is not asked again */
    assert_true(datagram(1, "question"));
    assert_true(datagram(2, "forged answer"));
    assert_int_equal(kind(IPPROTO_UDP), 0);
    lane.one_port = false;
    pass_time(700 * S);
    assert_true(datagram(1, "question"));
    assert_true(datagram(1, "question"));
    assert_int_equal(kind(IPPROTO_UDP), 0);
    assert_true(datagram(2, "answer"));
    assert_int_equal(kind(IPPROTO_UDP), STEER_KIND_KNOWN);
}

static void nothing_else_is_cached(void **state)
{
    struct pkt icmp = {.proto = IPPROTO_ICMP, .icmp_type = 8, .payload = "ping"};
    struct pkt tagged = {.proto = IPPROTO_UDP,
                         .tpid = {0x8100, 0x8100, 0x8100},
                         .tci = {1, 2, 3},
                         .n_vlans = 3,
                         .dport = 82,
                         .payload = "anything"};
    unsigned n = 0;

    assert_false(lane_inspect(&icmp));
    assert_int_equal(lane.p.flow->verdict, FLOW_DROP);
    assert_false(lane_inspect(&tagged));
    assert_int_equal(lane.p.flow->verdict, FLOW_DROP);
    lane.tunnel = true; /* what is inside has verdicts of its own */
    udp_port = 81;
    assert_true(datagram(1, "anything"));
    assert_int_equal(lane.p.flow->verdict, FLOW_PASS);
    for (uint64_t b = 0; b < LANE_BUCKETS; b++)
        for (unsigned i = 0; i < STEER_WAYS; i++)
            n += lane.cache.buckets[b].way[i].tag != STEER_TAG_FREE;
    assert_int_equal(n, 0);
    tagged.n_vlans = 2;
    assert_false(lane_inspect(&tagged));
    udp_port = 82;
    struct steer_key k = key(IPPROTO_UDP);
    struct flowcache_entry e;
    k.vlans = 1 | 2 << 12;
    assert_true(flowcache_get(&lane.cache, &k, lane.now_ns, &e));
}

/* --- the operator ---------------------------------------------------------------------------------------------------- */

static void operator_says(uint32_t kind_or_0, uint64_t expires_ns)
{
    struct steer_key k = key(IPPROTO_TCP);
    struct flowcache_verdict v = {.kind = kind_or_0,
                                  .idle_ms = FLOWCACHE_NEVER_IDLE,
                                  .expires_ns = expires_ns,
                                  .why = FLOWCACHE_BY_OPERATOR};

    assert_true(flowcache_put(&lane.cache, &k, &v, lane.now_ns));
    lane.cache.changed_ns = ++lane.now_ns;
    flow_escaped(lane.flows, 0); /* a round begins */
}

static void an_operator_drops_and_forgets(void **state)
{
    established();
    uint64_t id = lane.p.flow->id;
    operator_says(STEER_KIND_DROP, 0);
    assert_false(lane_say(0, "harmless"));
    assert_int_equal(lane.p.drop_reason, DROP_FLOW_POLICY);
    lane.end[0].next += 100000; /* the kernel would have dropped these */
    operator_says(FLOWCACHE_WITHDRAWN, lane.now_ns + 10 * S);
    assert_true(lane_say(0, "harmless"));
    assert_int_equal(lane.p.flow->id, id);
    assert_int_equal(kind(IPPROTO_TCP), 0);
    assert_false(lane_say(0, "attack"));
    assert_int_equal(entry(IPPROTO_TCP).verdict.why, FLOWCACHE_BY_RULE);
    operator_says(STEER_KIND_BYPASS, 0); /* whatever a rule said */
    assert_true(lane_say(0, "attack"));
    pass_time(601 * S); /* the flow is over, what the operator said is not */
    assert_int_equal(flow_table_count(lane.flows), 0);
    established();
    assert_true(lane_say(0, "attack"));
}

static void an_operators_word_that_ends(void **state)
{
    established();
    operator_says(STEER_KIND_BYPASS, lane.now_ns + 10 * S);
    assert_true(lane_say(0, "attack"));
    lane.now_ns += 11 * S;
    assert_true(lane_say(0, "the last one that is not looked at: attack"));
    assert_false(lane_say(0, "attack"));
}

static void other_flows_keep_their_verdicts(void **state)
{
    struct flowcache_entry e;

    udp_port = 82;
    struct steer_key k = key(IPPROTO_UDP);
    established();
    assert_false(lane_say(0, "attack"));
    assert_false(datagram(1, "anything"));
    assert_true(flowcache_remove(&lane.cache, &k, &e)); /* gone for want of room */
    operator_says(FLOWCACHE_WITHDRAWN, lane.now_ns + 10 * S);
    assert_false(datagram(1, "harmless"));
    assert_true(lane_say(0, "harmless"));
}

#define ONE(f, setup) cmocka_unit_test_setup_teardown(f, setup, lane_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(a_dropped_flow, cached),
        ONE(counts_by_direction, cached),
        ONE(a_flow_that_the_kernel_sees, cached),
        ONE(the_next_daemon_knows, cached),
        ONE(counts_are_not_counted_twice, cached),
        ONE(a_new_connection_in_the_old_ones_place, cached),
        ONE(known_clean, known),
        ONE(known_to_the_next_daemon, known),
        ONE(not_known_clean, known),
        ONE(nothing_else_is_cached, cached),
        ONE(an_operator_drops_and_forgets, cached),
        ONE(an_operators_word_that_ends, cached),
        ONE(other_flows_keep_their_verdicts, cached),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
