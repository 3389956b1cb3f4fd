/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keywords about the packet's headers, and sticky buffers over them.
 */
#include "harness.h"

static bool match(const char *options, const struct pkt *p)
{
    return options_match_packet(DIALECT_SURICATA, options, p);
}

static void tcp_numbers(void **state)
{
    struct pkt p = {.proto = 6, .seq = 4294967295u, .ack = 0, .window = 55808, .tcp_flags = 0x02};

    assert_true(match("seq:4294967295;", &p));
    assert_false(match("seq:4294967294;", &p));
    assert_true(match("seq:>1;", &p));
    assert_true(match("ack:0;", &p));
    assert_false(match("ack:!0;", &p));
    assert_true(match("window:55808;", &p));
    assert_false(match("window:!55808;", &p));
    assert_true(match("tcp.window:>55807;", &p));
    assert_true(match("tcp.flags:S;", &p));
    assert_false(match("tcp.flags:SA;", &p));
    assert_refused("alert udp any any -> any any (window:1; sid:1;)\n", 0,
                   "never hold for a packet of the rule's");
    assert_options_refused("window:65536;", "no condition");
    /* and none of it for another protocol */
    p.proto = 47;
    assert_false(match("seq:4294967295;", &p));
    assert_false(match("ack:0;", &p));
    assert_false(match("window:55808;", &p));
}

/* A TCP header with these options behind its 20 bytes. */
static struct span tcp_header(uint8_t out[60], const char *options, uint32_t len)
{
    memset(out, 0, 60);
    memcpy(out + 20, options, len);
    out[12] = (uint8_t)((20 + len) / 4 << 4);
    return span_of(out, 20 + len);
}

static void tcp_mss(void **state)
{
    uint8_t hdr[60];
    struct pkt p = {.proto = 6};

    assert_false(match("tcp.mss:>0;", &p)); /* no header at hand */
    p.l4 = tcp_header(hdr, "", 0);
    assert_false(match("tcp.mss:>0;", &p));
    p.l4 = tcp_header(hdr, "\x02\x04\x05\xb4", 4);
    assert_true(match("tcp.mss:1460;", &p));
    assert_true(match("tcp.mss:1000-2000;", &p));
    assert_false(match("tcp.mss:<1460;", &p));
    p.l4 = tcp_header(hdr, "\x01\x01\x04\x02\x08\x0a\0\0\0\0\0\0\0\0\x02\x04\x02\x18\x01\x00", 20);
    assert_true(match("tcp.mss:536;", &p));
    /* options that lie about their length, or end before the value */
    p.l4 = tcp_header(hdr, "\x08\x00\x02\x04\x05\xb4\x01\x01", 8);
    assert_false(match("tcp.mss:1460;", &p));
    p.l4 = tcp_header(hdr, "\x08\x28\x02\x04", 4);
    assert_false(match("tcp.mss:>0;", &p));
    p.l4 = tcp_header(hdr, "\x01\x01\x01\x02", 4);
    assert_false(match("tcp.mss:>0;", &p));
    p.l4 = tcp_header(hdr, "\x01\x01\x02\x04", 4);
    assert_false(match("tcp.mss:>0;", &p));
    p.l4 = tcp_header(hdr, "\x00\x02\x04\x05\xb4\x00\x00\x00", 8); /* behind the end of the list */
    assert_false(match("tcp.mss:1460;", &p));
}

static void fragments(void **state)
{
    static const struct {
        const char *options;
        uint16_t frag;
        bool suricata, snort;
    } cases[] = {
        {"fragbits:M;", 0x2000, true, true},     {"fragbits:M;", 0x6000, false, false},
        {"fragbits:MD;", 0x6000, true, true},    {"fragbits:R;", 0x8000, true, true},
        {"fragbits:+M;", 0x2000, false, true},   {"fragbits:+M;", 0x6000, true, true},
        {"fragbits:M+;", 0x6000, true, true},    {"fragbits:*MD;", 0x4000, true, true},
        {"fragbits:*MD;", 0x8000, false, false}, {"fragbits:!D;", 0x0000, true, true},
        {"fragbits:!D;", 0x4000, false, false},  {"fragbits:!DMR;", 0x4000, true, false},
        {"fragbits: ! m;", 0x4000, true, true},  {"fragbits:!MD;", 0x6000, false, false},
        {"fragoffset:>0;", 0x2001, true, true},  {"fragoffset:>0;", 0x2000, false, false},
        {"fragoffset:!0;", 0x0003, true, true},  {"fragoffset:8191;", 0x1fff, true, true},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pkt p = {.proto = 17, .frag = cases[i].frag};

        if (options_match_packet(DIALECT_SURICATA, cases[i].options, &p) != cases[i].suricata ||
            options_match_packet(DIALECT_SNORT3, cases[i].options, &p) != cases[i].snort)
            fail_msg("%s on 0x%04x", cases[i].options, cases[i].frag);
        p.src = "2001::1";
        if (strstr(cases[i].options, "bits") != NULL)
            assert_false(match(cases[i].options, &p)); /* IPv6 has no such bits */
    }
    assert_options_refused("fragbits:X;", "'X' in");
    assert_options_refused("fragbits:+!M;", "'!' in");
    assert_options_refused("fragbits:+;", "no bit");
    assert_options_refused("fragoffset:8192;", "no condition");
}

static struct span ip_header(uint8_t out[60], const char *options, uint32_t len)
{
    memset(out, 0, 60);
    memcpy(out + 20, options, len);
    out[0] = (uint8_t)(0x40 | (20 + len) / 4);
    return span_of(out, 20 + len);
}

static void ip_options(void **state)
{
    uint8_t hdr[60];
    struct pkt p = {.proto = 1, .l3 = ip_header(hdr, "", 0)};

    assert_false(match("ipopts:any;", &p));
    p.l3 = ip_header(hdr, "\x01\x07\x06\x04\0\0\0\0", 8);
    assert_true(match("ipopts:rr;", &p));
    assert_true(match("ipopts:nop;", &p));
    assert_true(match("ipopts:eol;", &p)); /* the first zero behind the record route option */
    assert_true(match("ipopts:any;", &p));
    assert_false(match("ipopts:lsrr;", &p));
    p.l3 = ip_header(hdr, "\x83\x04\x04\x00\x89\x04\x04\x00", 8);
    assert_true(match("ipopts:lsrr;", &p));
    assert_true(match("ipopts:SSRR;", &p));
    p.l3 = ip_header(hdr, "\x44\x04\x05\x00\x88\x04\x00\x01\x82\x03\x00\x85\x03\x00\x00\x00", 16);
    assert_true(match("ipopts:ts;", &p));
    assert_true(match("ipopts:satid;", &p));
    assert_true(match("ipopts:sec;", &p));
    assert_true(match("ipopts:esec;", &p));
    /* a length of 0 or one beyond the header ends the walk */
    p.l3 = ip_header(hdr, "\x44\x00\x83\x04", 4);
    assert_false(match("ipopts:lsrr;", &p));
    p.l3 = ip_header(hdr, "\x44\xff\x83\x04", 4);
    assert_false(match("ipopts:lsrr;", &p));
    p.l3 = ip_header(hdr, "\x01\x01\x01\x44", 4);
    assert_false(match("ipopts:lsrr;", &p));
    assert_options_refused("ipopts:xyz;", "unknown option 'xyz'");
}

static void tos(void **state)
{
    struct pkt p = {.proto = 17, .tos = 8};

    assert_true(match("tos:8;", &p));
    assert_false(match("tos:!8;", &p));
    assert_true(match("tos:!0; tos:!16; tos:!24;", &p)); /* more than once */
    assert_false(match("tos:!0; tos:!8;", &p));
    assert_options_refused("tos:256;", "no condition");
}

static void icmp_numbers(void **state)
{
    struct pkt p = {.proto = 1, .type = 8, .icmp_id = 666, .icmp_seq = 3};
    static const uint8_t too_big[8] = {2, 0, 0, 0, 0, 0, 0x05, 0x00};

    assert_true(match("icmp_id:666;", &p));
    assert_true(match("icmp_seq:3;", &p));
    assert_false(match("icmp_id:0;", &p));
    p.type = 3; /* destination unreachable carries none */
    p.icmp_id = p.icmp_seq = 0;
    assert_false(match("icmp_id:0;", &p));
    assert_false(match("icmp_seq:0;", &p));
    p = (struct pkt){.proto = 58, .src = "2001::1", .type = 128, .icmp_id = 7};
    assert_true(match("icmp_id:7;", &p));
    assert_false(match("icmpv6.mtu:<1300;", &p));
    p = (struct pkt){.proto = 58, .src = "2001::1", .type = 2, .l4 = span_of(too_big, 8)};
    assert_true(match("icmpv6.mtu:<1300;", &p));
    assert_true(match("icmpv6.mtu:1280;", &p));
    assert_false(match("icmpv6.mtu:>1280;", &p));
    assert_options_refused("icmp_id:1;", "never hold");
}

static void vlans(void **state)
{
    struct pkt none = {.proto = 6},
               one = {.proto = 6, .vlan = {0xe064}, .n_vlans = 1}, /* 100 with priority 7 */
        two = {.proto = 6, .vlan = {100, 200}, .n_vlans = 2};

    assert_true(match("vlan.id:100;", &one));
    assert_false(match("vlan.id:101;", &one));
    assert_false(match("vlan.id:!100;", &none));
    assert_true(match("vlan.id:200;", &two));
    assert_true(match("vlan.id:200,any;", &two));
    assert_true(match("vlan.id:100,0;", &two));
    assert_false(match("vlan.id:100,1;", &two));
    assert_true(match("vlan.id:200,1;", &two));
    assert_true(match("vlan.id:200,-1;", &two));
    assert_true(match("vlan.id:100,-2;", &two));
    assert_false(match("vlan.id:100,-3;", &two));
    assert_false(match("vlan.id:100,2;", &two));
    assert_true(match("vlan.id:>99,all;", &two));
    assert_false(match("vlan.id:>100,all;", &two));
    assert_false(match("vlan.id:>0,all;", &none));
    assert_true(match("vlan.id:99<>101;", &one));
    assert_true(match("vlan.layers:0;", &none));
    assert_true(match("vlan.layers:2;", &two));
    assert_true(match("vlan.layers:<2;", &one));
    assert_options_refused("vlan.id:4096;", "no condition");
    assert_options_refused("vlan.id:1,3;", "no layer");
    assert_options_refused("vlan.layers:4;", "no condition");
}

static void header_buffers(void **state)
{
    uint8_t hdr[60], ip[60];
    struct pkt p = {.proto = 6, .payload = "payload"};

    p.l4 = tcp_header(hdr, "\x02\x04\x02\x17", 4);
    p.l3 = ip_header(ip, "", 0);
    /* Suricata's own example */
    assert_true(match("tcp.hdr; content:\"|02 04|\"; offset:20; byte_test:2,<,536,0,big,relative;", &p));
    assert_true(match("ipv4.hdr; content:\"E\"; startswith; bsize:20;", &p));
    assert_false(match("ipv6.hdr; content:\"E\"; startswith;", &p));
    assert_false(match("udp.hdr; content:\"|02 04|\";", &p));
    assert_false(match("udp.hdr; content:!\"|02 04|\";", &p)); /* no such buffer: nothing to be absent from */
    /* two buffers, each with its cursor, however they are mixed */
    assert_true(
        match("tcp.hdr; content:\"|02|\"; offset:20; ipv4.hdr; content:\"E\"; tcp.hdr; content:\"|02 17|\"; "
              "distance:1; within:2;",
              &p));
    assert_true(match("content:\"pay\"; tcp.hdr; content:\"|02 17|\"; endswith;", &p));
    /* Snort: naming a buffer starts its cursor anew */
    p.payload = "AB AB";
    assert_false(options_match_packet(DIALECT_SNORT3,
                                      "content:\"AB\"; pkt_data; content:\"AB\",distance 1,within 2;", &p));
    assert_true(
        options_match_packet(DIALECT_SNORT3, "content:\"AB\"; content:\"AB\",distance 1,within 2;", &p));
    assert_true(options_match_packet(DIALECT_SNORT3,
                                     "content:\"AB\"; pkt_data; content:\"AB\",distance 0,within 2;", &p));
    /* a modifier behind the name of a buffer belongs to no content */
    assert_options_refused("content:\"a\"; tcp.hdr; nocase;", "nocase has no content before it");
    /* about one packet: its drop holds for the packet */
    struct loaded l = load_ok("drop tcp any any -> any any (tcp.hdr; content:\"|02 04|\"; sid:1;)\n"
                              "drop tcp any any -> any any (content:\"|02 04|\"; sid:2;)\n");
    assert_false((ruleset_rule(l.rs, find_rule(l.rs, 1))->flags & RULE_DROPS_FLOW) != 0);
    assert_true((ruleset_rule(l.rs, find_rule(l.rs, 2))->flags & RULE_DROPS_STREAM) != 0);
    assert_false((ruleset_rule(l.rs, find_rule(l.rs, 1))->flags & RULE_NEEDS_PAYLOAD) != 0);
    unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tcp_numbers), cmocka_unit_test(tcp_mss),
        cmocka_unit_test(fragments),   cmocka_unit_test(ip_options),
        cmocka_unit_test(tos),         cmocka_unit_test(icmp_numbers),
        cmocka_unit_test(vlans),       cmocka_unit_test(header_buffers),
    };

    return cmocka_run_group_tests_name("rules: headers", tests, NULL, NULL);
}
