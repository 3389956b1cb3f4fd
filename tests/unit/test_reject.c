/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers to rejected packets. Every answer is read back by decode with checksums on, so lengths and checksums are
 * checked by what the bridge itself would say of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "ips/detect/reject.h"
#include "tests/unit/packets.h"

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };

static struct frame f;
static uint8_t out[2048];

/* Builds the answer to k; true when there is one, decoded into *a. */
static bool answer(const struct pkt *k, enum reject_to to, struct packet *a)
{
    const struct decode_config cfg = {.verify_checksums = true};
    static struct counters c;
    struct packet p = pkt_decoded(&f, k, 1);

    memset(out, 0xee, sizeof(out));
    *a = (struct packet){.data = out, .link = p.link};
    a->len = a->orig_len = reject_build(&p, to, out, sizeof(out));
    if (a->len == 0)
        return false;
    decode_burst(a, 1, &cfg, &c);
    assert_false(a->flags & (PKT_MALFORMED | PKT_BAD_CHECKSUM));
    assert_int_equal(out[a->len], 0xee);
    assert_int_equal(a->n_vlans, p.n_vlans);
    assert_memory_equal(a->vlan, p.vlan, sizeof(p.vlan));
    if (!k->raw) {
        assert_true(a->len >= 60);
        assert_memory_equal(out, to == REJECT_TO_SENDER ? p.data + 6 : p.data, 6);
        assert_memory_equal(out + 6, to == REJECT_TO_SENDER ? p.data : p.data + 6, 6);
    }
    assert_memory_equal(&a->src, to == REJECT_TO_SENDER ? &p.dst : &p.src, 16);
    assert_memory_equal(&a->dst, to == REJECT_TO_SENDER ? &p.src : &p.dst, 16);
    return true;
}

static void assert_rst(const struct packet *a, uint16_t sport, uint32_t seq, uint32_t ack, uint8_t flags)
{
    assert_int_equal(a->ip_proto, IPPROTO_TCP);
    assert_int_equal(a->sport, sport);
    assert_int_equal(a->tcp_seq, seq);
    assert_int_equal(a->tcp_ack, ack);
    assert_int_equal(a->tcp_flags, flags);
    assert_int_equal(a->payload_len, 0);
}

static void rst_to_both_ends_of_a_connection(void **state)
{
    struct packet a;

    for (unsigned i = 0; i < 6; i++) {
        struct pkt k = {.v6 = i % 2,
                        .n_vlans = i / 2,
                        .tci = {100, 200},
                        .tcp_flags = ACK | 8,
                        .seq = 1000,
                        .ack = 2000,
                        .payload = "attack"};
        assert_true(answer(&k, REJECT_TO_SENDER, &a));
        assert_rst(&a, 80, 2000, 0, RST); /* exactly what the sender expects next */
        assert_true(answer(&k, REJECT_TO_RECEIVER, &a));
        assert_rst(&a, 40000, 1000, 2000, RST | ACK); /* the dropped segment's place */
    }
}

static void rst_in_the_handshake(void **state)
{
    struct packet a;
    struct pkt syn = {.tcp_flags = SYN, .seq = 99, .payload = "tfo"};

    assert_true(answer(&syn, REJECT_TO_SENDER, &a));
    assert_rst(&a, 80, 0, 99 + 1 + 3, RST | ACK); /* as a closed port answers */
    assert_false(answer(&syn, REJECT_TO_RECEIVER, &a));
    struct pkt synack = {
        .src = 2, .dst = 1, .sport = 80, .dport = 40000, .tcp_flags = SYN | ACK, .seq = 7, .ack = 100};
    assert_true(answer(&synack, REJECT_TO_RECEIVER, &a));
    assert_rst(&a, 80, 7, 100, RST | ACK); /* in SYN-SENT the ACK makes it acceptable */
    struct pkt fin = {.tcp_flags = FIN, .seq = 5};
    assert_true(answer(&fin, REJECT_TO_SENDER, &a));
    assert_rst(&a, 80, 0, 6, RST | ACK);
    assert_true(answer(&fin, REJECT_TO_RECEIVER, &a));
    assert_rst(&a, 40000, 5, 0, RST);
}

static void no_answer(void **state)
{
    static const struct pkt silent[] = {
        {.tcp_flags = RST},
        {.tcp_flags = RST | ACK},
        {.proto = IPPROTO_ICMP, .icmp_type = 3},
        {.proto = IPPROTO_ICMP, .icmp_type = 11},
        {.proto = IPPROTO_ICMPV6, .v6 = true, .icmp_type = 1},
        {.proto = IPPROTO_ICMP, .icmp_type = 8, .frag = 0x2000},
        {.proto = IPPROTO_UDP, .frag = 0x0001, .payload = "later fragment"},
    };
    struct packet a;

    for (unsigned i = 0; i < sizeof(silent) / sizeof(silent[0]); i++) {
        assert_false(answer(&silent[i], REJECT_TO_SENDER, &a));
        assert_false(answer(&silent[i], REJECT_TO_RECEIVER, &a));
    }
    assert_false(answer(&(struct pkt){.proto = IPPROTO_UDP}, REJECT_TO_RECEIVER, &a));
}

static void no_answer_but_to_one_host(void **state)
{
    static const struct {
        uint8_t at, v[4];
        bool v6;
    } rows[] = {{26, {0, 0, 0, 0}, false},         {26, {224, 0, 0, 1}, false},
                {26, {255, 255, 255, 255}, false}, {30, {224, 0, 0, 251}, false},
                {30, {255, 255, 255, 255}, false}, {26, {127, 0, 0, 1}, false},
                {38, {0xff, 2, 0, 0}, true},       {22, {0xff, 2, 0, 0}, true}};
    const struct decode_config cfg = {0};
    static struct counters c;

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (unsigned proto = IPPROTO_TCP; proto <= IPPROTO_UDP; proto += IPPROTO_UDP - IPPROTO_TCP) {
            frame_build(&f, &(struct pkt){.v6 = rows[i].v6, .proto = (uint8_t)proto, .tcp_flags = ACK});
            struct packet p = frame_packet(&f, LINK_ETHERNET);
            decode_burst(&p, 1, &cfg, &c);
            assert_int_not_equal(reject_build(&p, REJECT_TO_SENDER, out, sizeof(out)), 0);
            memcpy(f.b + rows[i].at, rows[i].v, 4);
            decode_burst(&p, 1, &cfg, &c);
            assert_int_equal(reject_build(&p, REJECT_TO_SENDER, out, sizeof(out)), 0);
        }
    }
    frame_build(&f, &(struct pkt){.proto = IPPROTO_UDP});
    f.b[0] |= 1; /* a group MAC address */
    struct packet p = frame_packet(&f, LINK_ETHERNET);
    decode_burst(&p, 1, &cfg, &c);
    assert_int_equal(reject_build(&p, REJECT_TO_SENDER, out, sizeof(out)), 0);
    p.flags = 0; /* not IP */
    assert_int_equal(reject_build(&p, REJECT_TO_SENDER, out, sizeof(out)), 0);
}

static void icmp_to_the_sender(void **state)
{
    static const struct {
        struct pkt k;
        uint8_t type, code;
    } rows[] = {
        {{.proto = IPPROTO_UDP, .payload = "query"}, 3, 3},
        {{.proto = IPPROTO_UDP, .payload = "query", .raw = true}, 3, 3},
        {{.proto = IPPROTO_UDP, .payload = "query", .v6 = true, .n_vlans = 1, .tci = {7}}, 1, 4},
        {{.proto = IPPROTO_ICMP, .icmp_type = 8, .payload = "ping"}, 3, 13},
        {{.proto = IPPROTO_ICMPV6, .v6 = true, .icmp_type = 128, .payload = "ping"}, 1, 1},
        {{.proto = 46, .payload = "rsvp"}, 3, 13},
        {{.proto = IPPROTO_UDP, .frag = 0x2000, .payload = "first fragment"}, 3, 3},
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct packet a;
        assert_true(answer(&rows[i].k, REJECT_TO_SENDER, &a));
        assert_int_equal(a.ip_proto, rows[i].k.v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
        assert_int_equal(a.icmp_type, rows[i].type);
        assert_int_equal(a.icmp_code, rows[i].code);
        /* the whole packet is quoted, from its IP header on */
        assert_int_equal(a.payload_len, f.len - f.l3);
        assert_memory_equal(out + a.payload_off, f.b + f.l3, a.payload_len);
    }
}

static void quotes_are_bounded(void **state)
{
    static uint8_t big[1400];
    struct packet a;

    assert_true(answer(&(struct pkt){.proto = IPPROTO_UDP, .payload = big, .payload_len = 1400},
                       REJECT_TO_SENDER, &a));
    assert_int_equal(a.len - a.l3_off, 576);
    assert_true(answer(&(struct pkt){.proto = IPPROTO_UDP, .v6 = true, .payload = big, .payload_len = 1400},
                       REJECT_TO_SENDER, &a));
    assert_int_equal(a.len - a.l3_off, 1280);
}

static void never_beyond_the_room_given(void **state)
{
    static const struct pkt kinds[] = {
        {.tcp_flags = ACK}, {.tcp_flags = ACK, .v6 = true}, {.proto = IPPROTO_UDP, .payload = "x"}};

    for (unsigned i = 0; i < 3; i++) {
        struct packet p = pkt_decoded(&f, &kinds[i], 1);
        uint32_t need = reject_build(&p, REJECT_TO_SENDER, out, sizeof(out));
        for (uint32_t size = 0; size < need; size++) {
            uint8_t *exact = test_malloc(size ? size : 1);
            assert_int_equal(reject_build(&p, REJECT_TO_SENDER, exact, size), 0);
            test_free(exact);
        }
        assert_int_equal(reject_build(&p, REJECT_TO_SENDER, out, need), need);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rst_to_both_ends_of_a_connection),
        cmocka_unit_test(rst_in_the_handshake),
        cmocka_unit_test(no_answer),
        cmocka_unit_test(no_answer_but_to_one_host),
        cmocka_unit_test(icmp_to_the_sender),
        cmocka_unit_test(quotes_are_bounded),
        cmocka_unit_test(never_beyond_the_room_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
