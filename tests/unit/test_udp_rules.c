/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules over the parsers of DNS, QUIC, SNMP and DHCP: numbers, places among several, events, and the byte that is held. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/app_rules.h"
#include "tests/unit/quic_seal.h"

static const uint8_t query[] = "\x12\x34\x01\x00\0\1\0\0\0\0\0\0\4evil\7example\0\0\x10\0\1";
static const uint8_t answer[] = "\x12\x34\x81\x83\0\1\0\2\0\0\0\0\3www\7example\0\0\1\0\1"
                                "\xc0\x0c\0\5\0\1\0\0\0\x3c\0\4\1x\xc0\x10"
                                "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1";

static void numbers_of_answers(void **state)
{
    static const char rules[] =
        "alert dns any any -> any any (flow:to_client; dns.rrtype:1,0; sid:1;)\n"
        "alert dns any any -> any any (flow:to_client; dns.rrtype:CNAME,0; sid:2;)\n"
        "alert dns any any -> any any (flow:to_client; dns.rrtype:A,-1; sid:3;)\n"
        "alert dns any any -> any any (flow:to_client; dns.rrtype:1,all; sid:4;)\n"
        "alert dns any any -> any any (flow:to_client; dns.rrtype:!28,all; sid:5;)\n"
        "alert dns any any -> any any (flow:to_client; dns.rrtype:5,any; sid:6;)\n"
        "alert dns any any -> any any (flow:to_client; dns.rrtype:1,2; sid:7;)\n"
        "alert dns any any -> any any (flow:to_client; dns.rrtype:1,-3; sid:8;)\n"
        "alert dns any any -> any any (dns.rcode:NXDOMAIN; dns.response.rrname; content:\"x.example\"; "
        "bsize:9; "
        "sid:9;)\n"
        "alert dns any any -> any any (flow:to_server; dns.rrtype:TXT,0; dns.opcode:0; sid:10;)\n";
    static const unsigned want[11] = {[2] = 1, [3] = 1, [5] = 1, [6] = 1, [9] = 1, [10] = 1};
    struct rules_lab *r = rules_lab_new(&(struct lab_setup){.udp = true, .dport = 53}, rules);

    lab_send(r->lab, APP_TO_SERVER, query, sizeof(query) - 1);
    lab_send(r->lab, APP_TO_CLIENT, answer, sizeof(answer) - 1);
    for (uint32_t sid = 1; sid <= 10; sid++)
        if (rules_lab_alerts(r, sid) != want[sid])
            fail_msg("sid %u: %u alerts", sid, rules_lab_alerts(r, sid));
    rules_lab_free(r);
}

/* Over TCP, one byte in each segment: the one that completes the message does not leave. */
static void the_last_byte_is_held(void **state)
{
    static const char rules[] = "drop dns any any -> any any (dns.query; content:\"evil.example\"; sid:1;)\n";
    struct rules_lab *r = rules_lab_new(&(struct lab_setup){.dport = 53}, rules);
    uint8_t p[2 + sizeof(query) - 1];

    store_be16(p, sizeof(query) - 1);
    memcpy(p + 2, query, sizeof(query) - 1);
    for (size_t i = 0; i < sizeof(p); i++) {
        lab_send(r->lab, APP_TO_SERVER, p + i, 1);
        assert_int_equal(r->verdict == VERDICT_DROP, i == sizeof(p) - 1);
    }
    rules_lab_free(r);
}

static void events(void **state)
{
    static const char rules[] = "drop dns any any -> any any (app-layer-event:dns.malformed_data; sid:1;)\n"
                                "alert dns any any -> any any (app-layer-event:dns.not_a_request; sid:2;)\n"
                                "alert dns any any -> any any (app-layer-event:dns.z_flag_set; sid:3;)\n";
    struct rules_lab *r = rules_lab_new(&(struct lab_setup){.udp = true, .dport = 53}, rules);

    lab_send(r->lab, APP_TO_SERVER, query, sizeof(query) - 1);
    assert_int_equal(r->n, 0);
    lab_send(r->lab, APP_TO_SERVER, answer, sizeof(answer) - 1);
    assert_int_equal(rules_lab_alerts(r, 2), 1);
    assert_int_equal(rules_lab_alerts(r, 3), 0);
    lab_send(r->lab, APP_TO_SERVER, query, sizeof(query) - 3);
    assert_int_equal(rules_lab_alerts(r, 1), 1);
    assert_int_equal(r->verdict, VERDICT_DROP);
    rules_lab_free(r);
}

static void snmp_and_dhcp(void **state)
{
    static const char rules[] =
        "alert snmp any any -> any any (snmp.version:2; snmp.pdu_type:set_request; snmp.community; "
        "content:\"private\"; sid:1;)\n"
        "alert snmp any any -> any any (snmp.version:>2; sid:2;)\n"
        "alert dhcp any any -> any any (dhcp.leasetime:>3599; dhcp.renewal_time:<60; sid:3;)\n"
        "alert dhcp any any -> any any (dhcp.rebinding_time:0; sid:4;)\n";
    static const uint8_t set[] = "\x30\x19\2\1\1\4\7private\xa3\x0b\2\1\1\2\1\0\2\1\0\x30\0";
    struct rules_lab *r = rules_lab_new(&(struct lab_setup){.udp = true, .dport = 161}, rules);
    uint8_t lease[260] = {2};

    lab_send(r->lab, APP_TO_SERVER, set, sizeof(set) - 1);
    assert_int_equal(rules_lab_alerts(r, 1), 1);
    assert_int_equal(rules_lab_alerts(r, 2), 0);
    lab_end_flow(r->lab);
    memcpy(lease + 236, "\x63\x82\x53\x63\x33\4\0\0\x0e\x10\x3a\4\0\0\0\x3b\xff", 17);
    r->lab->setup.dport = 67;
    lab_send(r->lab, APP_TO_SERVER, lease, sizeof(lease));
    assert_int_equal(rules_lab_alerts(r, 3), 1);
    assert_int_equal(rules_lab_alerts(r, 4), 0);
    rules_lab_free(r);
}

/* A hello in two datagrams: the second one does not leave. */
static void quic_hello(void **state)
{
    static const char rules[] = "drop quic any any -> any any (quic.sni; content:\"evil.example\"; "
                                "quic.version; content:\"|00 00 00 01|\"; "
                                "sid:1;)\n";
    static const uint8_t hello[] = "\1\0\0\x44\3\3................................\0\0\2\x13\1\1\0\0\x19"
                                   "\0\0\0\x11\0\x0f\0\0\x0c"
                                   "evil.example"
                                   "\0\x2b\0\0";
    struct rules_lab *r = rules_lab_new(&(struct lab_setup){.udp = true, .dport = 443}, rules);
    struct quic_keys keys[2];
    struct span id = span_str("chosenid");

    quic_keys_make(r->lab->app, 1, id, keys);
    for (uint32_t half = 0; half < 2; half++) {
        struct out o = {.len = 0}, frames = {.len = 0};

        put_crypto(&frames, half * 40, hello + half * 40, half ? sizeof(hello) - 1 - 40 : 40);
        seal(r->lab, &o, 1, id, half, span_of(frames.p, frames.len), &keys[APP_TO_SERVER]);
        lab_send(r->lab, APP_TO_SERVER, o.p, o.len);
        assert_int_equal(r->verdict == VERDICT_DROP, half == 1);
    }
    assert_int_equal(rules_lab_alerts(r, 1), 1);
    rules_lab_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_of_answers),
        cmocka_unit_test(the_last_byte_is_held),
        cmocka_unit_test(events),
        cmocka_unit_test(snmp_and_dhcp),
        cmocka_unit_test(quic_hello),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
