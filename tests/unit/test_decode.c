/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decode: every header that is read, every way it can be broken, and what is counted for it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/packets.h"

static struct counters ctr;
static struct frame f;

static struct packet decode_link(enum link_type link, bool verify)
{
    const struct decode_config cfg = {.verify_checksums = verify};
    struct packet p = frame_packet(&f, link);

    memset(&ctr, 0, sizeof(ctr));
    decode_burst(&p, 1, &cfg, &ctr);
    return p;
}

static struct packet decode(void)
{
    return decode_link(LINK_ETHERNET, true);
}

static void assert_broken(enum counter_id why)
{
    struct packet p = decode();

    assert_true(p.flags & PKT_MALFORMED);
    assert_false(p.flags & PKT_BAD_CHECKSUM);
    assert_int_equal(ctr.v[why], 1);
    assert_int_equal(ctr.v[CTR_DECODE_INVALID], 1);
}

static void assert_bad_sum(enum counter_id why)
{
    struct packet p = decode();

    assert_true(p.flags & PKT_BAD_CHECKSUM);
    assert_false(p.flags & PKT_MALFORMED);
    assert_int_equal(ctr.v[why], 1);
    assert_int_equal(ctr.v[CTR_DECODE_INVALID], 1);
    p = decode_link(LINK_ETHERNET, false);
    assert_false(p.flags & PKT_BAD_CHECKSUM);
    assert_int_equal(ctr.v[CTR_DECODE_INVALID], 0);
}

static void assert_payload(const struct packet *p, const char *want)
{
    assert_true(span_eq_str(packet_payload(p), want));
}

static void checksum_known_vectors(void **state)
{
    /* RFC 1071 3: the sum of these is ddf2 */
    static const uint8_t rfc[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    assert_int_equal(checksum_finish(checksum_add(0, rfc, 8)), 0xffff - 0xddf2);
    /* a header as printed in many a textbook: b861 */
    static const uint8_t ip[] = {0x45, 0, 0,    0x73, 0, 0, 0x40, 0,    0x40, 0x11,
                                 0,    0, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0,    0xc7};
    assert_int_equal(checksum_finish(checksum_add(0, ip, sizeof(ip))), 0xb861);
    /* any length, any split at an even place: as the plain definition has it */
    uint8_t b[67];
    for (unsigned i = 0; i < sizeof(b); i++)
        b[i] = (uint8_t)(i * 37 + 200);
    for (uint32_t len = 0; len <= sizeof(b); len++) {
        uint32_t plain = 0;
        for (uint32_t i = 0; i < len; i++)
            plain += i % 2 ? b[i] : (uint32_t)b[i] << 8;
        while (plain >> 16)
            plain = (plain & 0xffff) + (plain >> 16);
        for (uint32_t cut = 0; cut <= len; cut += 2)
            assert_int_equal(checksum_finish(checksum_add(checksum_add(0, b, cut), b + cut, len - cut)),
                             (uint16_t)~plain);
    }
}

static void tcp_over_ipv4(void **state)
{
    frame_build(&f,
                &(struct pkt){.tcp_flags = 0x18, .seq = 0x11223344, .ack = 0x55667788, .payload = "GET /"});
    struct packet p = decode();

    assert_int_equal(p.flags, PKT_HAS_ETH | PKT_HAS_IP | PKT_HAS_L4);
    assert_int_equal(p.ip_version, 4);
    assert_int_equal(p.ip_proto, IPPROTO_TCP);
    assert_int_equal(p.sport, 40000);
    assert_int_equal(p.dport, 80);
    assert_int_equal(p.tcp_flags, 0x18);
    assert_int_equal(p.tcp_seq, 0x11223344);
    assert_int_equal(p.tcp_ack, 0x55667788);
    assert_int_equal(p.tcp_window, 1000);
    assert_int_equal(p.ip_ttl, 61);
    assert_int_equal(p.ip_id, 0x1234);
    assert_int_equal(p.l3_off, 14);
    assert_int_equal(p.l4_off, 34);
    struct addr src = pkt_addr(false, 1), dst = pkt_addr(false, 2);
    assert_memory_equal(&p.src, &src, 16);
    assert_memory_equal(&p.dst, &dst, 16);
    assert_payload(&p, "GET /");
    assert_int_equal(ctr.v[CTR_DECODE_ETHERNET], 1);
    assert_int_equal(ctr.v[CTR_DECODE_IPV4], 1);
    assert_int_equal(ctr.v[CTR_DECODE_TCP], 1);
    assert_int_equal(ctr.v[CTR_DECODE_INVALID], 0);
}

static void padding_is_no_payload(void **state)
{
    frame_build(&f, &(struct pkt){.proto = IPPROTO_UDP, .payload = "x"});
    f.len = 60;
    struct packet p = decode();
    assert_payload(&p, "x");
    assert_false(p.flags & (PKT_MALFORMED | PKT_BAD_CHECKSUM));
    frame_build(&f, &(struct pkt){.v6 = true, .tcp_flags = 2});
    f.len += 4;
    p = decode();
    assert_payload(&p, "");
    assert_int_equal(p.flags, PKT_HAS_ETH | PKT_HAS_IP | PKT_HAS_L4);
}

static void reused_packet_keeps_nothing(void **state)
{
    struct packet p;
    const struct decode_config cfg = {.verify_checksums = true};

    frame_build(&f, &(struct pkt){.n_vlans = 2, .tci = {5, 6}, .tcp_flags = 2, .seq = 9, .payload = "abc"});
    p = frame_packet(&f, LINK_ETHERNET);
    decode_burst(&p, 1, &cfg, &ctr);
    p.verdict = VERDICT_DROP;
    p.drop_reason = DROP_RULES;
    p.flow = (struct flow *)&ctr;
    store_be16(f.b + 12, 0x0806);
    decode_burst(&p, 1, &cfg, &ctr);
    assert_int_equal(p.flags, PKT_HAS_ETH);
    assert_int_equal(p.verdict, VERDICT_FORWARD);
    assert_int_equal(p.drop_reason, DROP_NONE);
    assert_null(p.flow);
    assert_int_equal(p.n_vlans + p.vlan[0] + p.vlan[1] + p.ip_version + p.ip_proto + p.tcp_flags, 0);
    assert_int_equal(p.sport + p.dport + p.payload_len + p.tcp_seq + p.src.b[15], 0);
}

static void vlan_tags(void **state)
{
    static const uint16_t tpids[] = {0x8100, 0x88a8, 0x9100};

    for (unsigned i = 0; i < 3; i++) {
        frame_build(&f, &(struct pkt){.n_vlans = 1, .tpid = {tpids[i]}, .tci = {0x2064}, .payload = "v"});
        struct packet p = decode();
        assert_int_equal(p.n_vlans, 1);
        assert_int_equal(p.vlan[0], 0x2064);
        assert_int_equal(p.ethertype, 0x0800);
        assert_payload(&p, "v");
        assert_int_equal(ctr.v[CTR_DECODE_VLAN], 1);
        assert_int_equal(ctr.v[CTR_DECODE_QINQ], 0);
    }
    frame_build(
        &f,
        &(struct pkt){.n_vlans = 2, .tpid = {0x88a8, 0x8100}, .tci = {100, 200}, .v6 = true, .payload = "q"});
    struct packet p = decode();
    assert_int_equal(p.n_vlans, 2);
    assert_int_equal(p.vlan[0], 100);
    assert_int_equal(p.vlan[1], 200);
    assert_int_equal(p.ip_version, 6);
    assert_payload(&p, "q");
    assert_int_equal(ctr.v[CTR_DECODE_QINQ], 1);

    frame_build(&f, &(struct pkt){.n_vlans = 3, .tci = {1, 2, 3}, .payload = "q"});
    p = decode();
    assert_int_equal(p.n_vlans, 3);
    assert_int_equal(p.vlan[2], 3);
    assert_payload(&p, "q");

    frame_build(&f, &(struct pkt){.n_vlans = 4, .tci = {1, 2, 3, 4}});
    assert_broken(CTR_DECODE_TOO_DEEP);
    assert_int_equal(ctr.anomaly[AN_VLAN_TOO_MANY_LAYERS], 1);

    frame_build(&f, &(struct pkt){.n_vlans = 2});
    f.len = 21;
    assert_broken(CTR_DECODE_VLAN_TRUNCATED);
    f.len = 16;
    assert_broken(CTR_DECODE_VLAN_TRUNCATED);
}

/* Windows takes IP behind LLC and SNAP, with and without a tag in front. */
static void ip_in_802_3(void **state)
{
    static const uint8_t snap[] = {0xaa, 0xaa, 3, 0, 0, 0};

    for (unsigned tags = 0; tags < 2; tags++) {
        uint32_t at = 12 + 4 * tags;

        frame_build(&f, &(struct pkt){.n_vlans = tags, .tci = {5}, .payload = "attack"});
        memmove(f.b + at + 8, f.b + at, f.len - at);
        f.len += 8;
        store_be16(f.b + at, (uint16_t)(f.len - at - 2));
        memcpy(f.b + at + 2, snap, sizeof(snap));
        struct packet p = decode();
        assert_int_equal(p.n_vlans, tags);
        assert_int_equal(p.ethertype, 0x0800);
        assert_true(p.flags & PKT_HAS_L4);
        assert_int_equal(p.payload_len, 6);
        f.b[at + 7] = 0xf; /* another organisation's */
        assert_false(decode().flags & PKT_HAS_IP);
    }
}

static void not_ip(void **state)
{
    static const struct {
        uint16_t ethertype;
        enum counter_id counter;
    } rows[] = {{0x0806, CTR_DECODE_ARP},
                {0x88cc, CTR_DECODE_NOT_IP},
                {0x0026, CTR_DECODE_NOT_IP},
                {0x0000, CTR_DECODE_NOT_IP}};

    for (unsigned i = 0; i < 4; i++) {
        frame_build(&f, &(struct pkt){.payload = "x"});
        store_be16(f.b + 12, rows[i].ethertype);
        struct packet p = decode();
        assert_int_equal(p.flags, PKT_HAS_ETH);
        assert_int_equal(p.ip_version, 0);
        assert_int_equal(p.ethertype, rows[i].ethertype < 0x600 ? 0 : rows[i].ethertype);
        assert_int_equal(ctr.v[rows[i].counter], 1);
        assert_int_equal(ctr.v[CTR_DECODE_INVALID], 0);
    }
    for (uint32_t len = 0; len < 14; len++) {
        f.len = len;
        assert_broken(CTR_DECODE_RUNT);
    }
}

static void other_links(void **state)
{
    struct packet p;

    for (int v6 = 0; v6 < 2; v6++) {
        struct pkt k = {.raw = true, .v6 = v6, .proto = IPPROTO_UDP, .payload = "raw"};
        uint8_t head[20] = {0};

        frame_build(&f, &k);
        p = decode_link(LINK_RAW, true);
        assert_int_equal(p.flags, PKT_HAS_IP | PKT_HAS_L4);
        assert_payload(&p, "raw");
        assert_int_equal(ctr.v[CTR_DECODE_ETHERNET], 0);

        static const struct {
            uint8_t link, len, proto_at;
        } links[] = {{LINK_SLL, 16, 14}, {LINK_SLL2, 20, 0}, {LINK_NULL, 4, 0}};
        for (unsigned i = 0; i < 3; i++) {
            frame_build(&f, &k);
            memmove(f.b + links[i].len, f.b, f.len);
            store_be16(head + links[i].proto_at, v6 ? 0x86dd : 0x0800);
            memcpy(f.b, head, links[i].len);
            f.len += links[i].len;
            p = decode_link(links[i].link, true);
            assert_int_equal(p.l3_off, links[i].len);
            assert_int_equal(p.flags, PKT_HAS_IP | PKT_HAS_L4);
            assert_payload(&p, "raw");
            f.len = links[i].len - 1u;
            p = decode_link(links[i].link, true);
            assert_true(p.flags & PKT_MALFORMED);
        }
    }
    p = decode_link(LINK_OTHER, true);
    assert_int_equal(p.flags, 0);
    assert_int_equal(ctr.v[CTR_DECODE_NOT_IP], 1);
    f.len = 0;
    p = decode_link(LINK_RAW, true);
    assert_true(p.flags & PKT_MALFORMED);
}

static void ipv4_broken(void **state)
{
    const struct pkt k = {.proto = IPPROTO_UDP, .payload = "hello"};

    frame_build(&f, &k), f.b[f.l3] = 0x55; /* version */
    assert_broken(CTR_DECODE_IPV4_MALFORMED);
    frame_build(&f, &k), f.b[f.l3] = 0x44; /* header of 16 bytes */
    assert_broken(CTR_DECODE_IPV4_MALFORMED);
    frame_build(&f, &k), f.b[f.l3] = 0x4f; /* header longer than the total length */
    assert_broken(CTR_DECODE_IPV4_MALFORMED);
    frame_build(&f, &k), store_be16(f.b + f.l3 + 2, 19);
    assert_broken(CTR_DECODE_IPV4_MALFORMED);
    frame_build(&f, &k), store_be16(f.b + f.l3 + 2, 0);
    assert_broken(CTR_DECODE_IPV4_MALFORMED);
    frame_build(&f, &k), store_be16(f.b + f.l3 + 2, 34); /* one byte more than there is */
    assert_broken(CTR_DECODE_IPV4_MALFORMED);
    for (uint32_t len = 14; len < 34; len++) {
        frame_build(&f, &k), f.len = len;
        assert_broken(CTR_DECODE_IPV4_MALFORMED);
    }
}

static void ipv4_options(void **state)
{
    static const uint8_t good[][8] = {
        {1, 1, 1, 0}, {0x94, 4, 0, 0, 1, 1, 0, 0xff}, {0x44, 8, 5, 0, 0, 0, 0, 0}};
    static const uint8_t bad[][4] = {{0x94, 1, 0, 0}, {0x94, 0, 0, 0}, {0x94, 5, 0, 0}, {1, 1, 1, 0x94}};

    for (unsigned i = 0; i < 3; i++) {
        frame_build(&f, &(struct pkt){.options = good[i], .options_len = i ? 8 : 4, .payload = "o"});
        struct packet p = decode();
        assert_int_equal(p.flags, PKT_HAS_ETH | PKT_HAS_IP | PKT_HAS_L4);
        assert_int_equal(p.ip_hdr_len, i ? 28 : 24);
        assert_payload(&p, "o");
    }
    for (unsigned i = 0; i < 4; i++) {
        frame_build(&f, &(struct pkt){.options = bad[i], .options_len = 4});
        assert_broken(CTR_DECODE_IPV4_MALFORMED);
    }
    /* a source route: the checksum is for the final destination, so it cannot be judged here */
    static const uint8_t lsrr[8] = {131, 7, 4, 10, 9, 9, 9, 0};
    frame_build(&f, &(struct pkt){.options = lsrr, .options_len = 8, .payload = "o"});
    f.b[f.len - 1] ^= 1;
    struct packet p = decode();
    assert_false(p.flags & PKT_BAD_CHECKSUM);
}

static void ipv4_fragments(void **state)
{
    static const uint16_t frags[] = {0x2000, 0x2001, 0x0001};

    for (unsigned i = 0; i < 3; i++) {
        frame_build(&f, &(struct pkt){.frag = frags[i], .payload = "fragment"});
        struct packet p = decode();
        assert_int_equal(p.flags, PKT_HAS_ETH | PKT_HAS_IP | PKT_FRAGMENT);
        assert_int_equal(p.ip_frag, frags[i]);
        assert_int_equal(p.sport + p.dport, 0);
        assert_int_equal(p.payload_len, 28);
        assert_int_equal(ctr.v[CTR_DECODE_FRAGMENT], 1);
        assert_int_equal(ctr.v[CTR_DECODE_TCP], 0);
    }
    frame_build(&f, &(struct pkt){.frag = 0x4000, .payload = "whole"}); /* DF alone is no fragment */
    struct packet p = decode();
    assert_true(p.flags & PKT_HAS_L4);
    frame_build(&f, &(struct pkt){.frag = 0x1fff, .payload = "beyond 65,535"});
    assert_broken(CTR_DECODE_IPV4_MALFORMED);
}

static void ipv6_extensions(void **state)
{
    static const uint8_t chain[] = {60, 0, 1, 4, 0, 0, 0, 0, /* hop-by-hop: PadN; next dest opts */
                                    43, 0, 1, 4, 0, 0, 0, 0, /* next routing */
                                    51, 0, 4, 0, 0, 0, 0, 0, /* routing, no segment left; next AH */
                                    44, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, /* AH of 12 bytes; next fragment */
                                    6,  0, 0, 0, 0, 0, 0, 7};            /* atomic fragment; next TCP */
    frame_build(&f, &(struct pkt){.v6 = true,
                                  .options = chain,
                                  .options_len = sizeof(chain),
                                  .ext_next = 0,
                                  .tcp_flags = 0x18,
                                  .payload = "deep"});
    struct packet p = decode();
    assert_int_equal(p.flags, PKT_HAS_ETH | PKT_HAS_IP | PKT_HAS_L4);
    assert_int_equal(p.ip_proto, IPPROTO_TCP);
    assert_int_equal(p.l4_off, 14 + 40 + sizeof(chain));
    assert_payload(&p, "deep");

    for (uint32_t cut = 1; cut < sizeof(chain); cut++) { /* the IP length ends inside the chain */
        frame_build(&f,
                    &(struct pkt){.v6 = true, .options = chain, .options_len = sizeof(chain), .ext_next = 0});
        store_be16(f.b + f.l3 + 4, (uint16_t)cut);
        p = decode();
        assert_true(p.flags & PKT_MALFORMED);
        assert_int_equal(ctr.v[CTR_DECODE_IPV6_MALFORMED] + ctr.v[CTR_DECODE_TCP_MALFORMED], 1);
    }
    static const uint8_t late[] = {0, 0, 1, 4, 0, 0, 0, 0,
                                   6, 0, 1, 4, 0, 0, 0, 0}; /* hop-by-hop behind dest opts */
    frame_build(&f, &(struct pkt){.v6 = true, .options = late, .options_len = sizeof(late), .ext_next = 60});
    assert_broken(CTR_DECODE_IPV6_MALFORMED);

    uint8_t many[11 * 8] = {0};
    for (unsigned i = 0; i < 11; i++)
        many[i * 8] = i == 10 ? 6 : 60, many[i * 8 + 2] = 1, many[i * 8 + 3] = 4;
    frame_build(&f, &(struct pkt){.v6 = true, .options = many, .options_len = sizeof(many), .ext_next = 60});
    assert_broken(CTR_DECODE_IPV6_MALFORMED);
    frame_build(
        &f,
        &(struct pkt){.v6 = true, .options = many + 8, .options_len = 80, .ext_next = 60, .payload = "ten"});
    p = decode();
    assert_payload(&p, "ten");

    static const uint8_t routing[] = {6, 0, 4, 1, 0, 0, 0, 0}; /* a segment left: checksum not judged */
    frame_build(
        &f, &(struct pkt){.v6 = true, .options = routing, .options_len = 8, .ext_next = 43, .payload = "r"});
    f.b[f.len - 1] ^= 1;
    p = decode();
    assert_false(p.flags & PKT_BAD_CHECKSUM);
    for (unsigned esp = 50; esp <= 59; esp += 9) { /* ESP, no next header */
        frame_build(&f, &(struct pkt){.v6 = true, .proto = (uint8_t)esp, .payload = "end"});
        p = decode();
        assert_int_equal(p.flags, PKT_HAS_ETH | PKT_HAS_IP);
        assert_payload(&p, "end");
        assert_int_equal(ctr.v[CTR_DECODE_OTHER_L4], 1);
    }

    /* where the route is listed, its last host is the checksum's (RFC 8200 8.1): for types 0 and 2 the last address */
    for (unsigned type = 0; type <= 4; type += 2) {
        uint8_t route[40] = {6, 4, (uint8_t)type, 1};
        struct addr last = pkt_addr(true, 9);
        const struct pkt k = {
            .v6 = true, .options = route, .options_len = 40, .ext_next = 43, .payload = "r"};

        memcpy(route + (type == 4 ? 8 : 24), last.b, 16);
        frame_build(&f, &k);
        assert_int_equal(decode().flags & PKT_BAD_CHECKSUM, PKT_BAD_CHECKSUM);
        struct pkt to_last = k;
        to_last.dst = 9;
        frame_l4_checksum(&f, &to_last, IPPROTO_TCP);
        assert_int_equal(decode().flags & PKT_BAD_CHECKSUM, 0);
    }
}

static void ipv6_fragments_and_broken(void **state)
{
    uint8_t frag[8] = {6, 0, 0x00, 0x09, 1, 2, 3, 4}; /* offset 8, more */

    frame_build(
        &f, &(struct pkt){.v6 = true, .options = frag, .options_len = 8, .ext_next = 44, .payload = "1234"});
    struct packet p = decode();
    assert_int_equal(p.flags, PKT_HAS_ETH | PKT_HAS_IP | PKT_FRAGMENT);
    assert_int_equal(p.ip_frag, 0x2001);
    assert_int_equal(p.payload_len, 24);
    frame_build(
        &f, &(struct pkt){.v6 = true, .options = frag, .options_len = 8, .ext_next = 44, .payload = "12345"});
    assert_broken(CTR_DECODE_IPV6_MALFORMED); /* more to come, and not a multiple of 8 */
    store_be16(frag + 2, 0xfff8);
    frame_build(
        &f, &(struct pkt){.v6 = true, .options = frag, .options_len = 8, .ext_next = 44, .payload = "1234"});
    assert_broken(CTR_DECODE_IPV6_MALFORMED); /* beyond 65,535 */

    frame_build(&f, &(struct pkt){.v6 = true}), f.b[f.l3] = 0x40;
    assert_broken(CTR_DECODE_IPV6_MALFORMED);
    frame_build(&f, &(struct pkt){.v6 = true}), f.len--;
    assert_broken(CTR_DECODE_IPV6_MALFORMED);
    frame_build(&f, &(struct pkt){.v6 = true}), f.len = 14 + 39;
    assert_broken(CTR_DECODE_IPV6_MALFORMED);
}

static void l4_broken(void **state)
{
    for (int v6 = 0; v6 < 2; v6++) {
        frame_build(&f, &(struct pkt){.v6 = v6}), f.b[f.l4 + 12] = 4 << 4;
        assert_broken(CTR_DECODE_TCP_MALFORMED);
        frame_build(&f, &(struct pkt){.v6 = v6}), f.b[f.l4 + 12] = 6 << 4;
        assert_broken(CTR_DECODE_TCP_MALFORMED);
        frame_build(&f, &(struct pkt){.v6 = v6, .proto = IPPROTO_UDP, .payload = "x"}),
            store_be16(f.b + f.l4 + 4, 7);
        assert_broken(CTR_DECODE_UDP_MALFORMED);
        frame_build(&f, &(struct pkt){.v6 = v6, .proto = IPPROTO_UDP, .payload = "x"}),
            store_be16(f.b + f.l4 + 4, 10);
        assert_broken(CTR_DECODE_UDP_MALFORMED);
        frame_build(&f, &(struct pkt){.v6 = v6, .proto = IPPROTO_UDP, .payload = "x"}),
            store_be16(f.b + f.l4 + 4, 0);
        assert_broken(CTR_DECODE_UDP_MALFORMED);
    }
    static const struct {
        uint8_t proto, min;
        enum counter_id why;
    } rows[] = {{IPPROTO_TCP, 20, CTR_DECODE_TCP_MALFORMED},
                {IPPROTO_UDP, 8, CTR_DECODE_UDP_MALFORMED},
                {IPPROTO_ICMP, 8, CTR_DECODE_ICMP_MALFORMED}};
    for (unsigned i = 0; i < 3; i++)
        for (uint16_t len = 0; len < rows[i].min; len++) {
            frame_build(&f, &(struct pkt){.proto = rows[i].proto});
            store_be16(f.b + f.l3 + 2, (uint16_t)(20 + len));
            frame_ip_checksum(&f);
            assert_broken(rows[i].why);
        }
}

static void udp_shorter_than_ip(void **state)
{
    frame_build(&f, &(struct pkt){.proto = IPPROTO_UDP, .payload = "used and unused"});
    store_be16(f.b + f.l4 + 4, 12);
    store_be16(f.b + f.l4 + 6, 0);
    struct packet p = decode();
    assert_payload(&p, "used");
    assert_false(p.flags & (PKT_MALFORMED | PKT_BAD_CHECKSUM));
}

static void checksums(void **state)
{
    frame_build(&f, &(struct pkt){.payload = "x"}), f.b[f.l3 + 8]--; /* TTL changed, checksum not */
    assert_bad_sum(CTR_DECODE_IPV4_CHECKSUM);
    for (int v6 = 0; v6 < 2; v6++) {
        const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP};
        for (unsigned i = 0; i < 3; i++) {
            frame_build(&f, &(struct pkt){.v6 = v6, .proto = protos[i], .icmp_type = 128, .payload = "odd"});
            assert_false(decode().flags & (PKT_BAD_CHECKSUM | PKT_MALFORMED));
            f.b[f.len - 1] ^= 1;
            assert_bad_sum(CTR_DECODE_L4_CHECKSUM);
        }
    }
    frame_build(&f, &(struct pkt){.proto = IPPROTO_UDP, .payload = "x"}), store_be16(f.b + f.l4 + 6, 0);
    assert_false(decode().flags & PKT_BAD_CHECKSUM);
    frame_build(&f, &(struct pkt){.v6 = true, .proto = IPPROTO_UDP, .payload = "x"}),
        store_be16(f.b + f.l4 + 6, 0);
    assert_bad_sum(CTR_DECODE_L4_CHECKSUM);
}

static void cut_by_a_capture(void **state)
{
    const struct decode_config cfg = {.verify_checksums = true};

    for (int v6 = 0; v6 < 2; v6++) {
        frame_build(&f, &(struct pkt){.v6 = v6, .payload = "0123456789"});
        struct packet p = frame_packet(&f, LINK_ETHERNET);
        p.pcap_cnt = 1;
        p.len -= 4;
        memset(&ctr, 0, sizeof(ctr));
        decode_burst(&p, 1, &cfg, &ctr);
        assert_int_equal(p.flags, PKT_HAS_ETH | PKT_HAS_IP | PKT_HAS_L4);
        assert_payload(&p, "012345");
        p.len = f.l4 + 19; /* the header itself is cut */
        decode_burst(&p, 1, &cfg, &ctr);
        assert_true(p.flags & PKT_MALFORMED);
        p.pcap_cnt = 0; /* live, there is nothing behind the frame */
        p.len = f.len - 4;
        decode_burst(&p, 1, &cfg, &ctr);
        assert_true(p.flags & PKT_MALFORMED);
    }
}

static void icmp_fields(void **state)
{
    frame_build(&f, &(struct pkt){.proto = IPPROTO_ICMP, .icmp_type = 8, .icmp_id = 77, .payload = "ping"});
    struct packet p = decode();
    assert_int_equal(p.icmp_type, 8);
    assert_int_equal(p.icmp_id, 77);
    assert_int_equal(p.icmp_seq, 1);
    assert_payload(&p, "ping");
    frame_build(&f, &(struct pkt){.proto = IPPROTO_ICMP, .icmp_type = 3, .icmp_code = 13, .icmp_id = 77});
    p = decode();
    assert_int_equal(p.icmp_code, 13);
    assert_int_equal(p.icmp_id, 0);
    /* each under the other's IP version is just another protocol */
    frame_build(&f, &(struct pkt){.v6 = true, .proto = IPPROTO_ICMP, .payload = "x"});
    p = decode();
    assert_false(p.flags & PKT_HAS_L4);
    assert_int_equal(ctr.v[CTR_DECODE_OTHER_L4], 1);
}

static void every_prefix_is_safe(void **state)
{
    /* whatever length a frame is cut to, fields stay inside it; the sanitizers watch the reads */
    static const uint8_t ext[] = {44, 0, 1, 4, 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0, 7};
    struct frame whole;
    frame_build(&whole, &(struct pkt){.v6 = true,
                                      .n_vlans = 2,
                                      .options = ext,
                                      .options_len = 16,
                                      .ext_next = 0,
                                      .proto = IPPROTO_UDP,
                                      .payload = "payload"});
    for (uint32_t len = 0; len <= whole.len; len++) {
        uint8_t *exact = test_malloc(len ? len : 1);
        memcpy(exact, whole.b, len);
        struct packet p = {.data = exact, .len = len, .orig_len = whole.len, .pcap_cnt = 1};
        const struct decode_config cfg = {.verify_checksums = true};
        decode_burst(&p, 1, &cfg, &ctr);
        assert_true((uint32_t)p.payload_off + p.payload_len <= len);
        assert_true(p.l4_off <= len && p.l3_off <= len);
        assert_int_equal(!(p.flags & PKT_MALFORMED), len >= whole.len - 7);
        test_free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksum_known_vectors),
        cmocka_unit_test(tcp_over_ipv4),
        cmocka_unit_test(padding_is_no_payload),
        cmocka_unit_test(reused_packet_keeps_nothing),
        cmocka_unit_test(vlan_tags),
        cmocka_unit_test(ip_in_802_3),
        cmocka_unit_test(not_ip),
        cmocka_unit_test(other_links),
        cmocka_unit_test(ipv4_broken),
        cmocka_unit_test(ipv4_options),
        cmocka_unit_test(ipv4_fragments),
        cmocka_unit_test(ipv6_extensions),
        cmocka_unit_test(ipv6_fragments_and_broken),
        cmocka_unit_test(l4_broken),
        cmocka_unit_test(udp_shorter_than_ip),
        cmocka_unit_test(checksums),
        cmocka_unit_test(cut_by_a_capture),
        cmocka_unit_test(icmp_fields),
        cmocka_unit_test(every_prefix_is_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
