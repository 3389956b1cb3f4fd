/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a match does beyond its action: replace on the wire with right checksums, bypass, target; and stream_size with
 * real flows.
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
#include "tests/unit/packets.h"

enum { FIN = 1, SYN = 2, ACK = 16 };

static struct counters ctr;
static struct flow_table *flows;
static struct ruleset *rs;
static struct detect *det;
static struct event_ring *ring;
static struct frame f;
static uint64_t now_s;

static int teardown(void **state)
{
    detect_free(det);
    flow_table_free(flows);
    event_ring_free(ring);
    if (rs)
        ruleset_free(rs);
    det = NULL, flows = NULL, ring = NULL, rs = NULL;
    return 0;
}

static void use(const char *rules, bool inline_mode)
{
    const struct flow_config fc = {.max_flows = 100,
                                   .tcp_new_s = 30,
                                   .tcp_established_s = 600,
                                   .tcp_closed_s = 10,
                                   .udp_new_s = 30,
                                   .udp_established_s = 300,
                                   .icmp_s = 20,
                                   .other_s = 60,
                                   .midstream = true};
    char path[] = "/tmp/sluice-effects-XXXXXX";
    const char *const files[] = {path};
    struct ruleset_source src = {.files = files, .n_files = 1, .n_workers = 1, .strict = true};
    struct err_list errs;
    struct err e;
    int fd = mkstemp(path);

    teardown(NULL);
    memset(&ctr, 0, sizeof(ctr));
    now_s = 1000;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, rules, strlen(rules)), (ssize_t)strlen(rules));
    close(fd);
    err_list_init(&errs);
    rs = ruleset_build(&src, &errs);
    err_list_print(&errs, stderr);
    err_list_fini(&errs);
    unlink(path);
    flows = flow_table_new(&fc, &e);
    ring = event_ring_new(1 << 20);
    det = detect_new(&(struct detect_config){.inline_mode = inline_mode}, 0, ring, &ctr, &e);
    assert_true(rs && flows && ring && det);
}

static struct packet inspect(struct packet p)
{
    flow_track(flows, &p, 1, &ctr);
    detect_packet(det, rs, &p);
    return p;
}

static struct packet send_pkt(const struct pkt *k)
{
    return inspect(pkt_decoded(&f, k, ++now_s * NS_PER_S));
}

static unsigned n_events(void)
{
    const struct event *ev;
    unsigned n = 0;

    for (; (ev = event_ring_peek(ring)); n++)
        event_ring_release(ring, ev);
    return n;
}

static bool payload_is(const struct packet *p, const char *want)
{
    return p->payload_len == strlen(want) && memcmp(p->data + p->payload_off, want, p->payload_len) == 0;
}

/* The frame as it left, decoded again with checksums verified. */
static bool checksum_right(const struct packet *p)
{
    struct counters c = {0};
    struct packet again = {.data = p->data, .len = p->len, .now_ns = p->now_ns};

    decode_burst(&again, 1, &(struct decode_config){.verify_checksums = true}, &c);
    return (again.flags & (PKT_HAS_L4 | PKT_BAD_CHECKSUM | PKT_MALFORMED)) == PKT_HAS_L4;
}

static void replace_on_the_wire(void **state)
{
    static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6};
    static const char *const before[] = {"bad!", ".bad", "..bad", "...bad...", "xxbadxxbad"};
    static const char *const after[] = {"BAD!", ".BAD", "..BAD", "...BAD...",
                                        "xxBADxxbad"}; /* the first one only */

    for (size_t i = 0; i < sizeof(protos); i++)
        for (int v6 = 0; v6 < 2; v6++)
            for (size_t k = 0; k < 5; k++) { /* odd and even places, odd and even lengths */
                struct pkt in = {
                    .proto = protos[i], .v6 = v6, .payload = before[k], .tcp_flags = ACK, .icmp_type = 8};
                struct packet p;

                if (v6 != (protos[i] == IPPROTO_ICMPV6) && protos[i] != IPPROTO_TCP &&
                    protos[i] != IPPROTO_UDP)
                    continue;
                use("alert ip any any -> any any (content:\"bad\"; replace:\"BAD\"; sid:1;)\n", true);
                p = send_pkt(&in);
                assert_true(payload_is(&p, after[k]));
                assert_true(checksum_right(&p));
                assert_int_equal(p.verdict, VERDICT_FORWARD);
                assert_int_equal(n_events(), 1);
            }
}

static void replace_edges(void **state)
{
    struct packet p;

    /* every content that has one, to any bytes; the checksum lands on 0 and on ffff somewhere among these */
    use("alert udp any any -> any any (content:\"a\"; replace:\"|00|\"; content:\"b\"; distance:0; "
        "replace:\"|ff|\"; "
        "sid:1;)\n",
        true);
    for (int i = 0; i < 65536; i += 7) {
        char payload[] = "a..b";

        payload[1] = (char)(i >> 8), payload[2] = (char)i;
        if (memchr("ab", payload[1], 2) || memchr("ab", payload[2], 2))
            continue;
        p = send_pkt(&(struct pkt){.proto = IPPROTO_UDP, .payload = payload, .payload_len = 4});
        assert_int_equal(p.data[p.payload_off], 0);
        assert_int_equal(p.data[p.payload_off + 3], 0xff);
        assert_true(checksum_right(&p));
        n_events();
    }
    /* out of line nothing changes */
    use("alert tcp any any -> any any (content:\"bad\"; replace:\"BAD\"; sid:1;)\n", false);
    p = send_pkt(&(struct pkt){.payload = "bad", .tcp_flags = ACK});
    assert_true(payload_is(&p, "bad"));
    assert_int_equal(n_events(), 1);
    /* nor without a match, nor by a rule that a pass rule stands before */
    use("pass tcp any any -> any any (content:\"ok\"; sid:2;)\n"
        "alert tcp any any -> any any (content:\"bad\"; replace:\"BAD\"; content:\"x\"; sid:1;)\n",
        true);
    p = send_pkt(&(struct pkt){.payload = "bad", .tcp_flags = ACK});
    assert_true(payload_is(&p, "bad"));
    p = send_pkt(&(struct pkt){.payload = "bad ok x", .tcp_flags = ACK});
    assert_true(payload_is(&p, "bad ok x"));
    /* a fragment's checksum is in another packet: it stays as it is */
    use("alert ip any any -> any any (content:\"bad\"; replace:\"BAD\"; sid:1;)\n", true);
    p = send_pkt(&(struct pkt){.proto = IPPROTO_UDP, .payload = "..bad..", .frag = 0x2000});
    assert_non_null(memmem(p.data, p.len, "bad", 3));
}

/* UDP over IPv4 may have no checksum, and keeps none. */
static void replace_without_checksum(void **state)
{
    struct packet p;

    use("alert udp any any -> any any (content:\"bad\"; replace:\"BAD\"; sid:1;)\n", true);
    frame_build(&f, &(struct pkt){.proto = IPPROTO_UDP, .payload = "bad"});
    store_be16(f.b + f.l4 + 6, 0);
    p = (struct packet){.data = f.b, .len = f.len, .now_ns = ++now_s * NS_PER_S};
    decode_burst(&p, 1, &(struct decode_config){.verify_checksums = true}, &ctr);
    p = inspect(p);
    assert_true(payload_is(&p, "BAD"));
    assert_int_equal(load_be16(f.b + f.l4 + 6), 0);
}

static void bypass(void **state)
{
    struct packet p;

    use("alert udp any any -> any any (content:\"a\"; bypass; sid:1;)\n"
        "alert udp any any -> any any (content:\"b\"; sid:2;)\n"
        "drop udp any any -> any 99 (content:\"c\"; bypass; sid:3;)\n",
        true);
    send_pkt(&(struct pkt){.proto = IPPROTO_UDP, .payload = "b"});
    assert_int_equal(n_events(), 1);
    send_pkt(&(struct pkt){.proto = IPPROTO_UDP, .payload = "ab"}); /* both rules see the packet itself */
    assert_int_equal(n_events(), 2);
    p = send_pkt(&(struct pkt){.proto = IPPROTO_UDP, .payload = "ab"});
    assert_int_equal(n_events(), 0);
    assert_int_equal(p.verdict, VERDICT_FORWARD);
    send_pkt(&(struct pkt){.proto = IPPROTO_UDP, .payload = "b", .sport = 4000}); /* another flow */
    assert_int_equal(n_events(), 1);
    /* what drops does not pass the rest */
    p = send_pkt(&(struct pkt){.proto = IPPROTO_UDP, .payload = "c", .dport = 99});
    assert_int_equal(p.verdict, VERDICT_DROP);
    n_events();
    p = send_pkt(&(struct pkt){.proto = IPPROTO_UDP, .payload = "c", .dport = 99});
    assert_int_equal(p.verdict, VERDICT_DROP);
}

static void target(void **state)
{
    static const struct {
        const char *option;
        uint8_t target;
    } cases[] = {{"", TARGET_UNKNOWN}, {"target:src_ip;", TARGET_SRC}, {"target:dest_ip;", TARGET_DST}};

    for (size_t i = 0; i < 3; i++) {
        char rule[128];
        const struct event *ev;

        snprintf(rule, sizeof(rule), "alert udp any any -> any any (content:\"a\"; %s sid:1;)\n",
                 cases[i].option);
        use(rule, true);
        send_pkt(&(struct pkt){.proto = IPPROTO_UDP, .payload = "a"});
        ev = event_ring_peek(ring);
        assert_non_null(ev);
        assert_int_equal(ev->target, cases[i].target);
    }
}

static unsigned segment(bool client, uint8_t flags, uint32_t seq, uint32_t ack, const char *payload)
{
    send_pkt(&(struct pkt){.src = client ? 1 : 2,
                           .dst = client ? 2 : 1,
                           .sport = client ? 40000 : 80,
                           .dport = client ? 80 : 40000,
                           .tcp_flags = flags,
                           .seq = seq,
                           .ack = ack,
                           .payload = payload});
    return n_events();
}

/* Sequence numbers count, SYN and FIN among them, across the wrap to 0. */
static void stream_size(void **state)
{
    const uint32_t c = 0xfffffffe, s = 1000;
    static const char rules[] =
        "alert tcp any any -> any any (stream_size:client,=,%u; stream_size:server,=,%u; "
        "sid:1;)\n";
    char text[256];
    static const struct {
        bool client;
        uint8_t flags;
        uint32_t seq, ack; /* behind the two beginnings */
        const char *payload;
        uint32_t size[2]; /* as this packet shows it */
    } steps[] = {
        {true, SYN, 0, 0, NULL, {1, 0}},        {false, SYN | ACK, 0, 1, NULL, {1, 1}},
        {true, ACK, 1, 1, NULL, {1, 1}},        {true, ACK, 1, 1, "12345", {6, 1}},
        {false, ACK, 1, 6, "1234567", {6, 8}},  {true, ACK, 6, 8, NULL, {6, 8}},
        {false, ACK | FIN, 8, 6, NULL, {6, 9}}, {true, ACK | FIN, 6, 9, NULL, {7, 9}},
    };

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        snprintf(text, sizeof(text), rules, steps[i].size[0], steps[i].size[1]);
        use(text, true);
        for (size_t k = 0; k <= i; k++) {
            uint32_t me = steps[k].client ? c : s, other = steps[k].client ? s : c;
            unsigned n = segment(steps[k].client, steps[k].flags, me + steps[k].seq,
                                 steps[k].flags & ACK ? other + steps[k].ack : 0, steps[k].payload);

            if (k == i)
                assert_int_equal(n, 1);
        }
    }
    /* a connection picked up in its middle has no size */
    use("alert tcp any any -> any any (stream_size:either,>=,0; sid:1;)\n", true);
    assert_int_equal(segment(true, ACK, 5000, 6000, "data"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(replace_on_the_wire, teardown),
        cmocka_unit_test_teardown(replace_edges, teardown),
        cmocka_unit_test_teardown(replace_without_checksum, teardown),
        cmocka_unit_test_teardown(bypass, teardown),
        cmocka_unit_test_teardown(target, teardown),
        cmocka_unit_test_teardown(stream_size, teardown),
    };

    return cmocka_run_group_tests_name("detect: effects", tests, NULL, NULL);
}
