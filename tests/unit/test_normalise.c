/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The normaliser: each item changes what it should and nothing else, checksums hold, and what is off changes nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "ips/stream/normalise.h"
#include "tests/unit/packets.h"

static struct counters ctr;
static struct frame frame;
static const struct normalise_config all = {
    .ttl_floor = 70, .urgent = true, .tcp_reserved = true, .tcp_options = true, .ecn = true, .padding = true};

/* Decoded again: any wrong checksum shows. */
static struct packet again(void)
{
    static const struct decode_config cfg = {.verify_checksums = true};
    struct packet p = frame_packet(&frame, LINK_ETHERNET);

    decode_burst(&p, 1, &cfg, &ctr);
    return p;
}

/* A segment with bytes of its TCP header (from byte 12 on) set, checksum right. */
static struct packet segment(bool v6, const uint8_t *at12, unsigned n, const char *payload)
{
    struct packet p;

    memset(&ctr, 0, sizeof(ctr));
    frame = (struct frame){.len = 0};
    frame_build(&frame, &(struct pkt){.v6 = v6, .tcp_flags = 0x18, .seq = 5, .ack = 6, .payload = payload});
    uint8_t *tcp = frame.b + frame.l4;
    uint32_t len = frame.len - frame.l4, sum;
    for (unsigned i = 0; i < n; i++)
        if (12 + i != 16 && 12 + i != 17)
            tcp[12 + i] = at12[i];
    store_be16(tcp + 16, 0);
    struct addr src = pkt_addr(v6, 1), dst = pkt_addr(v6, 2);
    sum = checksum_pseudo(&src, &dst, v6 ? 6 : 4, IPPROTO_TCP, len);
    store_be16(tcp + 16, checksum_finish(checksum_add(sum, tcp, len)));
    p = again();
    assert_false(p.flags & (PKT_BAD_CHECKSUM | PKT_MALFORMED));
    return p;
}

static void assert_sound(void)
{
    struct packet p = again();

    assert_false(p.flags & (PKT_BAD_CHECKSUM | PKT_MALFORMED));
}

static void off_changes_nothing(void **state)
{
    static const uint8_t odd[] = {0x5f, 0xf8, 3, 232, 0, 0, 0, 9};
    struct packet p = segment(false, odd, sizeof(odd), "payload");
    struct frame before = frame;
    const struct normalise_config none = {.urgent = false};

    normalise_packet(&none, &p, &ctr);
    assert_memory_equal(before.b, frame.b, frame.len);
    assert_false(p.flags & PKT_REWRITTEN);
}

static void each_item(void **state)
{
    static const struct {
        const char *name;
        uint8_t header[24]; /* from byte 12 */
        unsigned n;
        struct normalise_config on;
        enum counter_id counter;
        uint8_t at, want; /* a byte of the TCP header */
    } rows[] = {
        {"urgent", {0x50, 0x38, 3, 232, 0, 0, 0, 9}, 8, {.urgent = true}, CTR_NORM_URGENT, 13, 0x18},
        {"urgent pointer alone",
         {0x50, 0x18, 3, 232, 0, 0, 1, 9},
         8,
         {.urgent = true},
         CTR_NORM_URGENT,
         18,
         0},
        {"reserved", {0x5f, 0x18}, 2, {.tcp_reserved = true}, CTR_NORM_RESERVED, 12, 0x51},
        {"ecn", {0x51, 0xd8}, 2, {.ecn = true}, CTR_NORM_ECN, 13, 0x18},
        {"ecn: its third bit", {0x51, 0x18}, 2, {.ecn = true}, CTR_NORM_ECN, 12, 0x50},
        {"option",
         {0x70, 0x18, 3, 232, 0, 0, 0, 0, 77, 4, 9, 9, 3, 3, 7, 1},
         16,
         {.tcp_options = true},
         CTR_NORM_OPTIONS,
         22,
         1},
        {"option without end",
         {0x70, 0x18, 3, 232, 0, 0, 0, 0, 3, 3, 7, 1, 1, 1, 8, 10},
         16,
         {.tcp_options = true},
         CTR_NORM_OPTIONS,
         27,
         1},
    };

    for (unsigned v6 = 0; v6 < 2; v6++)
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            struct packet p = segment(v6, rows[i].header, rows[i].n, "some payload of odd length.");
            normalise_packet(&rows[i].on, &p, &ctr);
            if (frame.b[frame.l4 + rows[i].at] != rows[i].want || ctr.v[rows[i].counter] != 1)
                fail_msg("%s", rows[i].name);
            assert_true(p.flags & PKT_REWRITTEN);
            assert_sound();
            struct frame before = frame;
            normalise_packet(&rows[i].on, &p, &ctr);
            assert_memory_equal(before.b, frame.b, frame.len); /* twice is once */
            assert_int_equal(ctr.v[rows[i].counter], 1);
        }
}

/* Known options stay, byte for byte. */
static void options_in_use(void **state)
{
    static const uint8_t header[] = {0x80, 0x18, 3, 232, 0, 0, 0, 0, 1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8};
    struct packet p = segment(false, header, sizeof(header), "twelve bytes of options and this");

    normalise_packet(&all, &p, &ctr);
    assert_memory_equal(frame.b + frame.l4 + 20, header + 8, 12);
    assert_int_equal(ctr.v[CTR_NORM_OPTIONS], 0);
}

static void ttl_and_padding(void **state)
{
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct packet p = segment(v6, NULL, 0, "x");
        memcpy(frame.b + frame.len, "secret", 6);
        frame.len += 6;
        p = again();
        p.ip_ttl = frame.b[frame.l3 + (v6 ? 7 : 8)];
        uint8_t floor = (uint8_t)(p.ip_ttl + 1);
        const struct normalise_config on = {.ttl_floor = floor, .padding = true};
        normalise_packet(&on, &p, &ctr);
        assert_int_equal(frame.b[frame.l3 + (v6 ? 7 : 8)], floor);
        assert_memory_equal(frame.b + frame.len - 6, "\0\0\0\0\0\0", 6);
        assert_int_equal(ctr.v[CTR_NORM_TTL], 1);
        assert_int_equal(ctr.v[CTR_NORM_PADDING], 1);
        assert_sound();
    }
}

static void trimmed(void **state)
{
    static const char text[] = "a payload of some length\xff\xfe\x01";

    for (unsigned v6 = 0; v6 < 2; v6++)
        for (uint16_t len = 0; len <= sizeof(text) - 1; len++) {
            static const uint8_t fin[] = {0x50, 0x19};
            struct packet p = segment(v6, fin, sizeof(fin), text);
            assert_int_equal(normalise_trim(&p, len, &ctr), len < sizeof(text) - 1);
            assert_sound();
            p = again();
            assert_int_equal(p.payload_len, len);
            assert_memory_equal(packet_payload(&p).p, text, len);
            assert_int_equal(p.tcp_flags & 1, len == sizeof(text) - 1);
        }
}

static void left_alone(void **state)
{
    static const uint8_t urgent[] = {0x50, 0x38, 3, 232, 0, 0, 0, 9};
    struct packet p = segment(false, urgent, sizeof(urgent), "data");
    struct frame before = frame;

    p.flags |= PKT_BAD_CHECKSUM;
    normalise_packet(&all, &p, &ctr);
    assert_memory_equal(before.b, frame.b, frame.len);
    p.flags &= ~(uint32_t)PKT_BAD_CHECKSUM;
    p.flags |= PKT_REASSEMBLED; /* its bytes leave in other frames */
    normalise_packet(&all, &p, &ctr);
    assert_memory_equal(before.b, frame.b, frame.len);
    assert_int_equal(p.verdict, VERDICT_DROP);
    assert_int_equal(p.drop_reason, DROP_STREAM_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(off_changes_nothing), cmocka_unit_test(each_item), cmocka_unit_test(options_in_use),
        cmocka_unit_test(ttl_and_padding),     cmocka_unit_test(trimmed),   cmocka_unit_test(left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
