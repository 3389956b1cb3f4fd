/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Detect with real rules, real flows and a real event ring: which events and which verdict a packet gets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "ips/base/clock.h"
#include "ips/detect/detect.h"
#include "ips/detect/profile.h"
#include "tests/unit/packets.h"

enum { SYN = 2, RST = 4, ACK = 16, PSH = 8, EVENTS_MAX = 64 };

static struct counters ctr;
static struct flow_table *flows;
static struct ruleset *rs;
static struct detect *det;
static struct event_ring *ring;
static struct frame f;
static bool want_reject; /* what detect_packet() said last */
static uint64_t now_s;

static struct ruleset *build_rules(const char *text, const uint8_t *order)
{
    char path[] = "/tmp/sluice-detect-XXXXXX";
    const char *const files[] = {path};
    struct ruleset_source src = {.files = files, .n_files = 1, .n_workers = 1, .strict = true};
    struct err_list errs;
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    if (order)
        memcpy(src.action_order, order, sizeof(src.action_order));
    err_list_init(&errs);
    struct ruleset *built = ruleset_build(&src, &errs);
    err_list_print(&errs, stderr);
    err_list_fini(&errs);
    unlink(path);
    assert_non_null(built);
    return built;
}

static void teardown_all(void)
{
    detect_free(det);
    flow_table_free(flows);
    event_ring_free(ring);
    if (rs)
        ruleset_free(rs);
    det = NULL, flows = NULL, ring = NULL, rs = NULL;
}

static void use_config(const char *rules, const struct detect_config *cfg, const uint8_t *order,
                       uint32_t policy)
{
    const struct flow_config fc = {.max_flows = 1000,
                                   .tcp_new_s = 30,
                                   .tcp_established_s = 600,
                                   .tcp_closed_s = 10,
                                   .udp_new_s = 30,
                                   .udp_established_s = 300,
                                   .icmp_s = 20,
                                   .other_s = 60,
                                   .on_midstream = policy};
    struct err e;

    teardown_all();
    memset(&ctr, 0, sizeof(ctr));
    now_s = 1000;
    rs = build_rules(rules, order);
    flows = flow_table_new(&fc, &e);
    ring = event_ring_new(1 << 20);
    det = detect_new(cfg, 0, ring, &ctr, &e);
    assert_true(flows && ring && det);
}

static void use(const char *rules)
{
    use_config(rules, &(struct detect_config){.inline_mode = true}, NULL, EXCEPTION_IGNORE);
}

static int teardown(void **state)
{
    teardown_all();
    return 0;
}

static struct packet send_pkt(const struct pkt *k)
{
    struct packet p = pkt_decoded(&f, k, ++now_s * NS_PER_S);

    p.pcap_cnt = now_s;
    flow_track(flows, &p, 1, &ctr);
    want_reject = detect_packet(det, rs, &p);
    return p;
}

static struct packet udp(const char *payload)
{
    return send_pkt(&(struct pkt){.proto = IPPROTO_UDP, .payload = payload});
}

/* Our TCP connection: c from the client, else from the server. */
static struct packet tcp(bool c, uint8_t flags, const char *payload)
{
    return send_pkt(&(struct pkt){.src = c ? 1 : 2,
                                  .dst = c ? 2 : 1,
                                  .sport = c ? 40000 : 80,
                                  .dport = c ? 80 : 40000,
                                  .tcp_flags = flags,
                                  .seq = c ? 100 : 500,
                                  .ack = c ? 500 : 100,
                                  .payload = payload});
}

static void handshake(void)
{
    tcp(true, SYN, NULL);
    tcp(false, SYN | ACK, NULL);
    tcp(true, ACK, NULL);
}

/* The events since the last call, as "alert SID ..., drop SID reason". */
static const char *events(void)
{
    static char text[4096];
    const struct event *ev;
    size_t n = 0;

    text[0] = 0;
    while ((ev = event_ring_peek(ring))) {
        if (ev->type == EVENT_ALERT)
            n += (size_t)snprintf(text + n, sizeof(text) - n, "alert %u%s%s; ", ev->sid,
                                  ev->verdict ? " dropped" : "", ev->passed ? " passed" : "");
        else
            n += (size_t)snprintf(text + n, sizeof(text) - n, "drop %u %s; ", ev->sid,
                                  drop_info[ev->drop_reason].name);
        event_ring_release(ring, ev);
    }
    return text;
}

/* A bound that was hit is counted for the rule, and an event of the packet. */
static void a_limit_is_told(void **state)
{
    use_config("drop udp any any -> any any (content:\"a\"; content:\"b\"; distance:0; content:\"c\"; "
               "distance:0; sid:1;)\nalert udp any any -> any any (content:\"c\"; sid:2;)",
               &(struct detect_config){.inline_mode = true, .log_anomalies = true, .steps_max = 2}, NULL,
               EXCEPTION_IGNORE);
    assert_int_equal(udp("a b c").verdict, VERDICT_FORWARD);
    assert_int_equal(ctr.v[CTR_DETECT_STEP_LIMIT], 1);
    assert_int_equal(ctr.anomaly[AN_DETECT_STEPS], 1);
    const struct event *ev = event_ring_peek(ring);
    assert_int_equal(ev->type, EVENT_ALERT);
    event_ring_release(ring, ev);
    ev = event_ring_peek(ring);
    assert_non_null(ev);
    assert_int_equal(ev->type, EVENT_ANOMALY);
    assert_true(anomaly_has(&ev->anomalies, AN_DETECT_STEPS));
    event_ring_release(ring, ev);
    udp("c"); /* nothing odd about this one */
    assert_string_equal(events(), "alert 2; ");
    assert_int_equal(ctr.anomaly[AN_DETECT_STEPS], 1);
}

static void alert_lets_the_packet_go(void **state)
{
    use("alert udp any any -> any any (msg:\"m\"; content:\"evil\"; sid:1;)\n"
        "alert udp any any -> any 81 (content:\"evil\"; sid:2;)\n"
        "alert tcp any any -> any any (content:\"evil\"; sid:3;)\n");
    struct packet p = udp("so evil");
    assert_int_equal(p.verdict, VERDICT_FORWARD);
    assert_string_equal(events(), "alert 1; ");
    udp("harmless");
    assert_string_equal(events(), "");
    assert_int_equal(ctr.v[CTR_DETECT_ALERTS], 1);
    assert_int_equal(ctr.v[CTR_DETECT_MATCHES], 1);
    assert_int_equal(ctr.v[CTR_DETECT_SCANS], 2);
    assert_int_equal(ctr.v[CTR_DETECT_SCAN_BYTES], 15);
}

/* A flow's totals count the packet in hand; the clock goes on by a second for each. */
static void totals_of_the_flow_are_told(void **state)
{
    use("alert tcp any any -> any any (flow.age:2; sid:1;)\n"
        "alert tcp any any -> any any (flow.pkts:toserver,2; flow.pkts:toclient,1; sid:2;)\n"
        "alert tcp any any -> any any (flow.pkts_toclient:1; flow.bytes_toclient:<100; sid:3;)\n"
        "alert tcp any any -> any any (flow.bytes:toserver,>500; sid:4;)\n");
    tcp(true, SYN, NULL);
    assert_string_equal(events(), "");
    tcp(false, SYN | ACK, NULL);
    assert_string_equal(events(), "alert 3; ");
    tcp(true, ACK, NULL);
    assert_string_equal(events(), "alert 1; alert 2; alert 3; ");
    char long_one[501];
    memset(long_one, 'x', sizeof(long_one) - 1);
    long_one[500] = 0;
    tcp(true, ACK | PSH, long_one);
    assert_string_equal(events(), "alert 3; alert 4; ");
}

/* Whether a datagram came in fragments is a fact for rules; decode says it. */
static void fragments_are_told(void **state)
{
    const struct pkt k = {.proto = IPPROTO_UDP, .payload = "so evil"};

    use("alert udp any any -> any any (flow:only_frag; content:\"evil\"; sid:1;)\n"
        "alert udp any any -> any any (flow:no_frag; content:\"evil\"; sid:2;)\n");
    for (int joined = 0; joined < 2; joined++) {
        struct packet p = pkt_decoded(&f, &k, ++now_s * NS_PER_S);

        flow_track(flows, &p, 1, &ctr);
        p.flags |= joined ? PKT_REASSEMBLED : 0;
        detect_packet(det, rs, &p);
        assert_string_equal(events(), joined ? "alert 1; " : "alert 2; ");
    }
}

/* Its data may be delivered at once, and it opens a connection all the same. */
static void a_syn_with_data_is_both(void **state)
{
    use("alert tcp any any -> any any (flow:established,no_stream; content:\"x\"; sid:1;)\n"
        "alert tcp any any -> any any (flow:not_established,no_stream; content:\"x\"; sid:2;)");
    tcp(true, SYN, "x");
    assert_string_equal(events(), "alert 1; alert 2; ");
    tcp(false, SYN | ACK, NULL);
    tcp(true, ACK, NULL);
    tcp(true, ACK, "x");
    assert_string_equal(events(), "alert 1; ");
}

static void udp_payload_drop_is_for_the_packet(void **state)
{
    use("drop udp any any -> any any (content:\"evil\"; sid:1;)");
    struct packet p = udp("evil");
    assert_int_equal(p.verdict, VERDICT_DROP);
    assert_int_equal(p.drop_reason, DROP_RULES);
    assert_string_equal(events(), "alert 1 dropped; drop 1 rules; ");
    assert_int_equal(udp("fine").verdict, VERDICT_FORWARD);
    assert_string_equal(events(), "");
}

static void tcp_payload_drop_holds_for_the_connection(void **state)
{
    use("drop tcp any any -> any any (content:\"evil\"; sid:1;)");
    handshake();
    assert_int_equal(tcp(true, ACK | PSH, "fine").verdict, VERDICT_FORWARD);
    assert_int_equal(tcp(true, ACK | PSH, "evil").verdict, VERDICT_DROP);
    assert_string_equal(events(), "alert 1 dropped; drop 1 rules; ");
    struct packet p = tcp(false, ACK | PSH, "fine");
    assert_int_equal(p.verdict, VERDICT_DROP);
    assert_int_equal(p.drop_reason, DROP_FLOW);
    assert_string_equal(events(), "drop 0 flow drop; ");
    assert_int_equal(send_pkt(&(struct pkt){.sport = 5, .tcp_flags = SYN}).verdict, VERDICT_FORWARD);
}

static void outside_of_a_connection_only_the_packet(void **state)
{
    use("drop tcp any any -> any any (content:\"evil\"; sid:1;)");
    assert_int_equal(tcp(true, SYN, "evil").verdict, VERDICT_DROP);
    assert_int_equal(tcp(true, SYN, "fine").verdict, VERDICT_FORWARD);
}

static void address_rule_drops_the_flow_once(void **state)
{
    use("drop ip 10.0.0.1 any -> any any (sid:1;)\ndrop ip 10.0.0.2 any -> any any (sid:2;)");
    tcp(true, SYN, NULL);
    tcp(false, SYN | ACK, NULL);
    tcp(true, SYN, NULL);
    assert_string_equal(events(), "alert 1 dropped; drop 1 rules; drop 0 flow drop; drop 0 flow drop; ");
}

static void address_rules_are_decided_once_a_direction(void **state)
{
    use("alert ip any any -> any any (sid:1;)");
    for (unsigned i = 0; i < 3; i++) {
        tcp(true, i ? ACK : SYN, "x");
        tcp(false, i ? ACK : SYN | ACK, "x");
    }
    assert_string_equal(events(), "alert 1; alert 1; ");
    /* a packet without a flow is always asked */
    for (unsigned i = 0; i < 2; i++)
        send_pkt(&(struct pkt){.proto = 46, .payload = "rsvp"});
    assert_string_equal(events(), "alert 1; alert 1; ");
}

/* What its receiver discards must not use up the one look that address rules have at each direction. */
static void a_discarded_packet_decides_nothing_for_the_flow(void **state)
{
    use("drop ip 10.0.0.1 any -> any any (sid:1;)\n");
    struct packet p = pkt_decoded(&f, &(struct pkt){.tcp_flags = SYN | 1, .seq = 100}, ++now_s * NS_PER_S);
    flow_track(flows, &p, 1, &ctr);
    p.flags |= PKT_IGNORED; /* as stream/ says of SYN and FIN together */
    detect_packet(det, rs, &p);
    assert_int_equal(p.verdict, VERDICT_DROP);
    assert_int_equal(tcp(true, SYN, NULL).verdict, VERDICT_DROP);
    assert_int_equal(tcp(true, ACK, "data").verdict, VERDICT_DROP);
}

/* An ICMP error from `src` to `dst`, about a packet of our connection that dst has sent. */
static struct packet icmp_about(uint8_t src, uint8_t dst)
{
    uint8_t quoted[28] = {0x45, [8] = 64, IPPROTO_TCP, [12] = 10, 0, 0, dst, 10, 0, 0, dst == 1 ? 2 : 1};

    store_be16(quoted + 20, dst == 1 ? 40000 : 80);
    store_be16(quoted + 22, dst == 1 ? 80 : 40000);
    return send_pkt(&(struct pkt){.proto = IPPROTO_ICMP,
                                  .src = src,
                                  .dst = dst,
                                  .icmp_type = 3,
                                  .icmp_code = 3,
                                  .payload = quoted,
                                  .payload_len = sizeof(quoted)});
}

/* Anybody can send an ICMP error about a connection: what rules make of it is about that packet alone. */
static void an_icmp_error_decides_nothing_for_the_flow(void **state)
{
    use("pass icmp any any -> any any (sid:1;)\ndrop tcp any any -> any any (content:\"evil\"; sid:2;)\n");
    handshake();
    struct packet p = icmp_about(1, 2);
    assert_non_null(p.flow);
    assert_int_equal(p.verdict, VERDICT_FORWARD);
    assert_int_equal(tcp(true, ACK, "evil").verdict, VERDICT_DROP);

    use("drop icmp any any -> any any (sid:1;)\n");
    handshake();
    assert_int_equal(icmp_about(3, 2).verdict, VERDICT_DROP);
    assert_int_equal(tcp(true, ACK, "harmless").verdict, VERDICT_FORWARD);

    use("alert icmp any any -> any any (bypass; sid:1;)\n"
        "drop tcp any any -> any any (content:\"evil\"; sid:2;)\n");
    handshake();
    icmp_about(1, 2);
    assert_int_equal(tcp(true, ACK, "evil").verdict, VERDICT_DROP);

    use("drop ip 10.0.0.2 any -> any any (sid:1;)\n");
    tcp(true, SYN, NULL);
    assert_int_equal(icmp_about(3, 1).verdict, VERDICT_FORWARD);
    assert_int_equal(tcp(false, SYN | ACK, NULL).verdict, VERDICT_DROP);
}

static void pass_ends_inspection(void **state)
{
    use("pass tcp any any -> any 80 (sid:1;)\n"
        "drop tcp any any -> any any (content:\"evil\"; sid:2;)\n"
        "alert tcp any any -> any any (sid:3;)\n");
    handshake();
    assert_int_equal(tcp(true, ACK | PSH, "evil").verdict, VERDICT_FORWARD);
    assert_int_equal(tcp(false, ACK | PSH, "evil").verdict, VERDICT_FORWARD);
    assert_string_equal(events(), "");
    assert_int_equal(ctr.v[CTR_PASSED], 5);
    assert_int_equal(ctr.v[CTR_DETECT_MATCHES], 1);
}

static void pass_of_a_packet_rule_is_for_the_packet(void **state)
{
    use("pass udp any any -> any any (content:\"good\"; sid:1;)\ndrop udp any any -> any any "
        "(content:\"evil\"; sid:2;)");
    assert_int_equal(udp("good and evil").verdict, VERDICT_FORWARD);
    assert_int_equal(udp("evil").verdict, VERDICT_DROP);
}

static void configured_order(void **state)
{
    /* drop, pass, reject, alert: ranks by enum rule_action */
    static const uint8_t order[ACTION_N] = {
        [ACTION_DROP] = 0, [ACTION_PASS] = 1, [ACTION_REJECT] = 2, [ACTION_ALERT] = 3};
    use_config("pass tcp any any -> any any (sid:1;)\n"
               "drop tcp any any -> any any (content:\"Hi all\"; sid:2;)\n"
               "alert tcp any any -> any any (sid:3;)\n",
               &(struct detect_config){.inline_mode = true}, order, EXCEPTION_IGNORE);
    tcp(true, SYN,
        "Hi all"); /* the drop comes first, and the pass behind it neither takes it back nor keeps the flow */
    tcp(false, SYN, "Hi all");
    tcp(true, ACK, "Hi all");
    assert_string_equal(events(), "alert 2 dropped; drop 2 rules; alert 2 dropped; drop 2 rules; "
                                  "alert 2 dropped; drop 2 rules; ");
    static const uint8_t alert_first[ACTION_N] = {
        [ACTION_ALERT] = 0, [ACTION_PASS] = 1, [ACTION_DROP] = 2, [ACTION_REJECT] = 3};
    use_config("pass udp any any -> any any (sid:1;)\nalert udp any any -> any any (content:\"x\"; sid:2;)\n"
               "drop udp any any -> any any (sid:3;)\n",
               &(struct detect_config){.inline_mode = true}, alert_first, EXCEPTION_IGNORE);
    assert_int_equal(udp("x").verdict, VERDICT_FORWARD);
    assert_string_equal(events(), "alert 2 passed; ");
}

static void lower_ranked_alerts_still_come(void **state)
{
    use("alert udp any any -> any any (content:\"evil\"; sid:1;)\n"
        "drop udp any any -> any any (content:\"evil\"; sid:2;)\n"
        "drop udp any any -> any any (content:\"vil\"; sid:3;)\n");
    udp("evil");
    assert_string_equal(events(), "alert 2 dropped; alert 3 dropped; alert 1 dropped; drop 2 rules; ");
}

static void noalert_still_drops(void **state)
{
    use("drop udp any any -> any any (content:\"evil\"; noalert; sid:1;)");
    assert_int_equal(udp("evil").verdict, VERDICT_DROP);
    assert_string_equal(events(), "drop 1 rules; ");
    assert_int_equal(ctr.v[CTR_DETECT_ALERTS], 0);
}

static void reject_drops_and_asks_for_an_answer(void **state)
{
    use("reject tcp any any -> any any (content:\"evil\"; sid:1;)");
    handshake();
    assert_int_equal(tcp(true, ACK | PSH, "evil").verdict, VERDICT_DROP);
    assert_true(want_reject);
    const struct event *ev = event_ring_peek(ring);
    assert_int_equal(ev->rejected, 1);
    assert_string_equal(events(), "alert 1 dropped; drop 1 rules; ");
    tcp(true, ACK | PSH, "evil");
    assert_false(want_reject); /* the flow is dropped; one answer is enough */
    assert_string_equal(events(), "drop 0 flow drop; ");
}

static void not_inline_nothing_drops(void **state)
{
    use_config("drop tcp any any -> any any (content:\"evil\"; sid:1;)\nreject tcp any any -> any any "
               "(content:\"evil\"; sid:2;)\n"
               "pass tcp any any -> any any (content:\"good\"; sid:3;)\n",
               &(struct detect_config){0}, NULL, EXCEPTION_DROP_FLOW);
    handshake();
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(tcp(true, ACK | PSH, "evil").verdict, VERDICT_FORWARD);
        assert_false(want_reject);
        assert_string_equal(events(), "alert 1; alert 2; ");
    }
    tcp(true, ACK | PSH, "good");
    assert_int_equal(tcp(true, ACK | PSH, "evil").verdict, VERDICT_FORWARD);
    assert_string_equal(events(), "");
    /* what flow policy dropped is taken back, and inspected */
    struct packet p = send_pkt(&(struct pkt){.sport = 9, .tcp_flags = ACK, .payload = "evil"});
    assert_int_equal(p.verdict, VERDICT_FORWARD);
    p = send_pkt(&(struct pkt){.sport = 9, .tcp_flags = ACK, .payload = "evil"});
    assert_int_equal(p.verdict, VERDICT_FORWARD);
    assert_string_equal(events(), "alert 1; alert 2; alert 1; alert 2; ");
    assert_int_equal(p.flow->verdict, FLOW_INSPECT);
}

static void midstream_policy(void **state)
{
    const char *rule = "alert tcp any any -> any any (content:\"x\"; sid:1;)\n"
                       "alert tcp any any -> any any (content:\"x\"; flow:established; sid:2;)";
    const struct detect_config cfg = {.inline_mode = true};

    use_config(rule, &cfg, NULL, EXCEPTION_DROP_FLOW);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(tcp(true, ACK, "x").verdict, VERDICT_DROP);
    assert_string_equal(
        events(),
        "drop 0 stream midstream; drop 0 exception policy flow drop; drop 0 exception policy flow drop; ");
    use_config(rule, &cfg, NULL, EXCEPTION_PASS_FLOW);
    tcp(true, ACK, "x");
    assert_string_equal(events(), "");
    assert_int_equal(ctr.v[CTR_PASSED], 0); /* by policy, not by a rule */
    use_config(rule, &cfg, NULL, EXCEPTION_IGNORE);
    tcp(true, ACK, "x");
    tcp(false, ACK, "x");
    assert_string_equal(events(), "alert 1; alert 1; ");
}

static void what_is_not_inspected(void **state)
{
    use("drop ip any any -> any any (sid:1;)");
    for (unsigned i = 0; i < 3; i++) {
        struct packet p = pkt_decoded(&f, &(struct pkt){.proto = IPPROTO_UDP}, NS_PER_S);
        p.flags = i == 0 ? PKT_HAS_ETH : (uint16_t)(p.flags | (i == 1 ? PKT_BAD_CHECKSUM : PKT_MALFORMED));
        assert_false(detect_packet(det, rs, &p));
        assert_int_equal(p.verdict, VERDICT_FORWARD);
        assert_string_equal(events(), "");
        p.verdict = VERDICT_DROP; /* as the operator's decode policy may say */
        p.drop_reason = i == 0 ? DROP_NOT_IP : DROP_DECODE;
        detect_packet(det, rs, &p);
        assert_int_equal(p.verdict, VERDICT_DROP);
        assert_string_equal(events(), i == 0 ? "drop 0 not ip; " : "drop 0 decode error; ");
    }
    struct packet p = udp("x");
    p = (struct packet){.data = p.data, .len = p.len};
    assert_false(detect_packet(det, NULL, &p));
}

static void many_matches(void **state)
{
    char text[200 * 80] = "", *t = text;
    for (unsigned i = 1; i <= 100; i++) /* more candidates than the insertion sort takes */
        t += sprintf(t, "alert udp any any -> any any (content:\"evil\"; sid:%u;)\n", i);
    sprintf(t, "drop udp any any -> any any (content:\"evil\"; content:\"2\"; sid:900;)\n");
    use(text);
    udp("evil");
    assert_string_equal(events(),
                        "alert 1; alert 2; alert 3; alert 4; alert 5; alert 6; alert 7; alert 8; alert 9; "
                        "alert 10; alert 11; alert 12; alert 13; alert 14; alert 15; ");
    assert_int_equal(ctr.v[CTR_DETECT_QUEUE_FULL], 85);
    assert_int_equal(ctr.v[CTR_DETECT_MATCHES], 100);
    /* nothing is left over for the next packet */
    udp("quiet");
    assert_string_equal(events(), "");
    assert_int_equal(udp("evil 2").verdict, VERDICT_DROP);
    events();
    assert_int_equal(udp("evil 3").verdict, VERDICT_FORWARD);
}

static void fast_pattern_and_always_rules_merge_in_order(void **state)
{
    use("alert udp any any -> any any (content:\"bb\"; sid:1;)\n"
        "alert udp any any -> any any (dsize:>0; sid:2;)\n"
        "alert udp any any -> any any (content:\"aa\"; content:\"bb\"; sid:3;)\n"
        "alert udp any any -> any any (ttl:61; sid:4;)\n"
        "alert udp any any -> any any (content:\"aa\"; sid:5;)\n");
    udp("aa bb aa bb");
    assert_string_equal(events(), "alert 1; alert 2; alert 3; alert 4; alert 5; ");
    udp("");
    assert_string_equal(events(), "alert 4; ");
}

static void an_event_says_what_happened(void **state)
{
    use_config(
        "drop tcp any any -> any any (msg:\"the message\"; content:\"evil\"; reference:url,a.example; "
        "reference:cve,2024-1; metadata:k v; classtype:bad-unknown; priority:2; gid:3; rev:9; sid:77;)",
        &(struct detect_config){.inline_mode = true, .log_payload = true, .log_packet = true, .bridge = 5},
        NULL, EXCEPTION_IGNORE);
    handshake();
    tcp(false, ACK, NULL);
    struct packet p = tcp(true, ACK | PSH, "evil");
    const struct event *ev = event_ring_peek(ring);
    const char *v = (const char *)(ev + 1);

    assert_int_equal(ev->type, EVENT_ALERT);
    assert_int_equal(ev->action, ACTION_DROP);
    assert_int_equal(ev->verdict, VERDICT_DROP);
    assert_int_equal(ev->drop_reason, DROP_RULES);
    assert_int_equal(ev->sid, 77);
    assert_int_equal(ev->gid, 3);
    assert_int_equal(ev->rev, 9);
    assert_int_equal(ev->priority, 2);
    assert_int_equal(ev->bridge, 5);
    assert_int_equal(ev->pcap_cnt, now_s);
    assert_int_equal(ev->ts_ns, now_s * NS_PER_S);
    assert_int_equal(ev->flow_start_ns, 1001 * NS_PER_S);
    assert_int_equal(ev->flow_id, p.flow->id);
    assert_int_equal(ev->pkts_to_server, 3);
    assert_int_equal(ev->pkts_to_client, 2);
    assert_int_equal(ev->to_client, 0);
    assert_int_equal(ev->sport, 40000);
    assert_int_equal(ev->dport, 80);
    assert_memory_equal(&ev->src, &p.src, 16);
    assert_int_equal(ev->ip_len, 44);
    assert_int_equal(ev->ip_ttl, 61);
    assert_int_equal(ev->ip_id, 0x1234);
    assert_int_equal(ev->tcp_seq, 100);
    assert_int_equal(ev->tcp_ack, 500);
    assert_int_equal(ev->tcp_window, 1000);
    assert_int_equal(ev->tcp_flags, ACK | PSH);
    assert_int_equal(ev->msg_len, 11);
    assert_memory_equal(v, "the message", 11);
    v += ev->msg_len + ev->category_len;
    assert_true(ev->category_len > 0);
    assert_memory_equal(v, "k v", 3);
    v += ev->metadata_len;
    assert_int_equal(ev->references_len, strlen("url,a.example\ncve,2024-1"));
    assert_memory_equal(v, "url,a.example\ncve,2024-1", ev->references_len);
    v += ev->references_len;
    assert_int_equal(ev->payload_len, 4);
    assert_memory_equal(v, "evil", 4);
    v += 4;
    assert_int_equal(ev->packet_len, f.len);
    assert_memory_equal(v, f.b, f.len);
    assert_true((uint32_t)((const uint8_t *)v + f.len - (const uint8_t *)ev) <= ev->size);
    event_ring_release(ring, ev);
    ev = event_ring_peek(ring);
    assert_int_equal(ev->type, EVENT_DROP);
    assert_int_equal(ev->sid, 77);
    assert_int_equal(ev->payload_len + ev->packet_len, 0);
}

static void a_full_ring_loses_events_not_verdicts(void **state)
{
    use("drop udp any any -> any any (content:\"evil\"; sid:1;)");
    for (unsigned i = 0; i < 10000; i++)
        assert_int_equal(udp("evil").verdict, VERDICT_DROP);
    assert_true(ctr.v[CTR_LOG_LOST] > 0);
    unsigned n = 0;
    for (const struct event *ev; (ev = event_ring_peek(ring)); n++)
        event_ring_release(ring, ev);
    assert_int_equal(n + ctr.v[CTR_LOG_LOST], 20000);
}

#define T(name) cmocka_unit_test_teardown(name, teardown)

static void rules_are_profiled_while_they_run(void **state)
{
    struct err e;

    use("alert udp any any -> any any (content:\"evil\"; content:\"twin\"; sid:1;)\n"
        "alert udp any any -> any any (content:\"good\"; sid:2;)\n");
    udp("evil twin");
    assert_false(profile_is_on(rs) || profile_is_there(rs));
    assert_int_equal(profile_start(rs, &e), 0);
    assert_true(profile_is_on(rs));
    udp("evil twin");
    udp("evil alone");
    struct rule_cost one = profile_of(rs, 0), two = profile_of(rs, 1);
    assert_int_equal(one.checks, 2);
    assert_int_equal(one.matches, 1);
    assert_true(one.ns > 0);
    assert_int_equal(two.checks, 0);
    profile_stop(rs);
    udp("evil twin");
    assert_int_equal(profile_of(rs, 0).checks, 2); /* what was counted stays */
    assert_true(profile_is_there(rs) && !profile_is_on(rs));
    assert_int_equal(profile_start(rs, &e), 0);
    assert_int_equal(profile_of(rs, 0).checks, 0);
    assert_int_equal(ctr.v[CTR_DETECT_CANDIDATES], 4);
    assert_int_equal(ctr.v[CTR_DETECT_PREFILTER_FALSE], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rules_are_profiled_while_they_run),
        T(a_limit_is_told),
        T(alert_lets_the_packet_go),
        T(fragments_are_told),
        T(totals_of_the_flow_are_told),
        T(a_syn_with_data_is_both),
        T(udp_payload_drop_is_for_the_packet),
        T(tcp_payload_drop_holds_for_the_connection),
        T(outside_of_a_connection_only_the_packet),
        T(address_rule_drops_the_flow_once),
        T(address_rules_are_decided_once_a_direction),
        T(a_discarded_packet_decides_nothing_for_the_flow),
        T(an_icmp_error_decides_nothing_for_the_flow),
        T(pass_ends_inspection),
        T(pass_of_a_packet_rule_is_for_the_packet),
        T(configured_order),
        T(lower_ranked_alerts_still_come),
        T(noalert_still_drops),
        T(reject_drops_and_asks_for_an_answer),
        T(not_inline_nothing_drops),
        T(midstream_policy),
        T(what_is_not_inspected),
        T(many_matches),
        T(fast_pattern_and_always_rules_merge_in_order),
        T(an_event_says_what_happened),
        T(a_full_ring_loses_events_not_verdicts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
