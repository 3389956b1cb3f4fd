/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules about transactions, over real parsers: what is tried when, what is remembered, which verdict wins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/app_rules.h"

/* --- DNS queries, several in one message ----------------------------------------------------------------------------- */

static size_t dns_query(uint8_t *out, const char *const *names, unsigned n)
{
    uint8_t *p = out;

    memcpy(p, "\x12\x34\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00", 12);
    p[5] = (uint8_t)n;
    p += 12;
    for (unsigned i = 0; i < n; i++) {
        for (const char *at = names[i]; *at != '\0';) {
            size_t len = strcspn(at, ".");

            *p++ = (uint8_t)len;
            memcpy(p, at, len);
            p += len;
            at += len + (at[len] == '.');
        }
        memcpy(p, "\0\0\1\0\1", 5);
        p += 5;
    }
    return (size_t)(p - out);
}

static void ask(struct rules_lab *r, const char *const *names, unsigned n)
{
    uint8_t q[512];

    rules_lab_forget(r);
    lab_send(r->lab, APP_TO_SERVER, q, dns_query(q, names, n));
}

/* RULES.md 2B, 32: one occurrence of a buffer must hold for one of its instances, each occurrence for itself. */
static void instances(void **state)
{
    static const char rules[] =
        "alert dns any any -> any any (dns.query; content:\"evil\"; content:\".org\"; endswith; sid:1;)\n"
        "alert dns any any -> any any (dns.query; content:\"evil\"; dns.query; content:\".org\"; endswith; "
        "sid:2;)\n"
        "alert dns any any -> any any (dns.query; content:!\"evil\"; sid:3;)\n"
        "alert dns any any -> any any (dns.query; bsize:8; sid:4;)\n"
        "alert dns any any -> any any (dns.query; dotprefix; content:\".evil.com\"; endswith; sid:5;)\n"
        "alert dns any any -> any any (dns.rrtype:1; sid:6;)\n"
        "alert dns any any -> any any (dns.rrtype:!1; sid:7;)\n"
        "alert dns any any -> any any (dns.opcode:0; dns.query; content:\"good.org\"; sid:8;)\n";
    struct rules_lab *r = rules_lab_new(&(struct lab_setup){.udp = true, .dport = 53}, rules);

    ask(r, (const char *const[]){"good.com", "www.evil.com", "good.org"}, 3);
    assert_int_equal(rules_lab_alerts(r, 1), 0);
    assert_int_equal(rules_lab_alerts(r, 2), 1);
    assert_int_equal(rules_lab_alerts(r, 3), 1);
    assert_int_equal(rules_lab_alerts(r, 4), 1);
    assert_int_equal(rules_lab_alerts(r, 5), 1);
    assert_int_equal(rules_lab_alerts(r, 6), 1);
    assert_int_equal(rules_lab_alerts(r, 7), 0);
    assert_int_equal(rules_lab_alerts(r, 8), 1);
    ask(r, (const char *const[]){"evil.org"}, 1);
    assert_int_equal(rules_lab_alerts(r, 1), 1);
    assert_int_equal(rules_lab_alerts(r, 2), 1);
    assert_int_equal(rules_lab_alerts(r, 3), 0);
    rules_lab_free(r);
}

/* A pass rule wins wherever it matched, and so does the first action in general. */
static void order(void **state)
{
    static const char rules[] =
        "drop udp any any -> any 53 (content:\"evil\"; sid:1;)\n"
        "pass dns any any -> any any (dns.query; content:\"evil.pass\"; sid:2;)\n"
        "alert dns any any -> any any (dns.query; content:\"evil\"; sid:3;)\n"
        "alert dns any any -> any any (content:\"evil\"; flowbits:isset,asked; sid:4;)\n"
        "alert dns any any -> any any (dns.query; content:\"evil\"; flowbits:set,asked; noalert; sid:5;)\n";
    struct rules_lab *r = rules_lab_new(&(struct lab_setup){.udp = true, .dport = 53}, rules);

    ask(r, (const char *const[]){"evil.pass"}, 1);
    assert_int_equal(r->verdict, VERDICT_FORWARD);
    assert_int_equal(r->n, 0);
    lab_end_flow(r->lab);
    ask(r, (const char *const[]){"evil.drop"}, 1);
    assert_int_equal(r->verdict, VERDICT_DROP);
    assert_int_equal(rules_lab_alerts(r, 1), 1);
    assert_int_equal(rules_lab_alerts(r, 3), 1);
    rules_lab_free(r);
}

/* A rule about a protocol sees its flows on every port, and no others; a drop holds for the flow. */
static void protocols(void **state)
{
    static const char rules[] = "drop dns any any -> any any (dns.query; content:\"evil\"; sid:1;)\n"
                                "alert dns any any -> any any (content:\"|01 00|\"; sid:2;)\n"
                                "alert sip any any -> any any (content:\"|01 00|\"; sid:3;)\n"
                                "alert udp any any -> any any (app-layer-protocol:dns; sid:4;)\n"
                                "alert udp any any -> any any (app-layer-protocol:!dns; sid:5;)\n";
    struct rules_lab *r = rules_lab_new(&(struct lab_setup){.udp = true, .dport = 5300}, rules);

    ask(r, (const char *const[]){"good.example.com"}, 1);
    assert_true(lab_speaks(r->lab, APP_DNS));
    assert_int_equal(rules_lab_alerts(r, 2), 1);
    assert_int_equal(rules_lab_alerts(r, 3), 0);
    assert_int_equal(rules_lab_alerts(r, 4), 1);
    assert_int_equal(rules_lab_alerts(r, 5), 0);
    assert_int_equal(r->verdict, VERDICT_FORWARD);
    ask(r, (const char *const[]){"evil.example.com"}, 1);
    assert_int_equal(r->verdict, VERDICT_DROP);
    ask(r, (const char *const[]){"good.example.com"}, 1);
    assert_int_equal(r->verdict, VERDICT_DROP); /* of the same flow */
    rules_lab_free(r);
}

/* --- SSH: what comes in several segments ------------------------------------------------------------------------------- */

static void a_buffer_in_pieces(void **state)
{
    static const char rules[] =
        "drop ssh any any -> any any (ssh.software; content:\"evil\"; sid:1;)\n"
        "alert ssh any any -> any any (ssh.proto; content:\"2.0\"; ssh.software; content:\"evil\"; sid:2;)\n"
        "alert ssh any any -> any any (ssh.software; content:!\"evil\"; sid:3;)\n"
        "alert ssh any any -> any any (ssh.proto; content:!\"1.99\"; sid:4;)\n";
    static const char banner[] = "SSH-2.0-evil_1.0\r\n";
    struct rules_lab *r = rules_lab_new(&(struct lab_setup){.dport = 2222}, rules);

    for (size_t i = 0; i + 1 < sizeof(banner) - 1; i++) {
        lab_send(r->lab, APP_TO_SERVER, banner + i, 1);
        if (r->verdict == VERDICT_DROP)
            fail_msg("dropped after %zu bytes", i + 1);
    }
    assert_int_equal(r->n, 0);
    lab_send(r->lab, APP_TO_SERVER, "\n", 1); /* the byte that completes it does not leave */
    assert_int_equal(r->verdict, VERDICT_DROP);
    assert_int_equal(rules_lab_alerts(r, 1), 1);
    assert_int_equal(rules_lab_alerts(r, 2), 1);
    assert_int_equal(rules_lab_alerts(r, 3), 0);
    assert_int_equal(rules_lab_alerts(r, 4), 1);
    rules_lab_free(r);
}

/* A segment that was dropped for itself comes again: the same is taken once, another one does not pass. */
static void dropped_segments(void **state)
{
    static const char rules[] = "drop tcp any any -> any any (dsize:7; sid:1;)\n"
                                "alert ssh any any -> any any (ssh.software; content:\"good\"; sid:2;)\n";
    struct rules_lab *r = rules_lab_new(&(struct lab_setup){.dport = 2222}, rules);

    lab_say(r->lab, APP_TO_SERVER, "SSH-2");
    lab_say(r->lab, APP_TO_SERVER, ".0-good");
    assert_int_equal(r->verdict, VERDICT_DROP);
    r->lab->sent[APP_TO_SERVER] -= 7; /* as stream/ has it: nothing of it happened */
    lab_say(r->lab, APP_TO_SERVER, ".0-goodness\r\n");
    assert_int_equal(r->verdict, VERDICT_FORWARD);
    assert_int_equal(rules_lab_alerts(r, 2), 1);
    lab_end_flow(r->lab);

    rules_lab_forget(r);
    lab_say(r->lab, APP_TO_SERVER, "SSH-2");
    lab_say(r->lab, APP_TO_SERVER, ".0-good");
    r->lab->sent[APP_TO_SERVER] -= 7;
    lab_say(r->lab, APP_TO_SERVER, ".0-evil_1.0\r\n");
    assert_int_equal(r->verdict, VERDICT_DROP);
    assert_int_equal(r->lab->pkt.drop_reason, DROP_APP_CONFLICT);
    rules_lab_free(r);
}

/* --- what a flow is taken for, on purpose --------------------------------------------------------------------------- */

/* The last of them has the rule's traffic; 16 more than are shown to all probes. */
static void deceive(const struct lab_setup *setup, const char *rule, const struct span *what, unsigned n)
{
    struct rules_lab *r = rules_lab_new(setup, rule);

    for (unsigned i = 0; i < n; i++) {
        bool back = what[i].len > 0 && what[i].p[0] == '<';
        struct span s = span_sub(what[i], back, what[i].len);

        assert_int_equal(rules_lab_alerts(r, 1), 0);
        lab_send(r->lab, back ? APP_TO_CLIENT : APP_TO_SERVER, s.p, s.len);
    }
    assert_int_equal(rules_lab_alerts(r, 1), 1);
    rules_lab_free(r);
}

static void test_deceived(void **state)
{
    static const char *const evil[] = {"evil.example"};
    static const char dns[] = "drop dns any any -> any any (dns.query; content:\"evil\"; sid:1;)\n";
    static const char smtp[] = "drop smtp any any -> any any (smtp.mail_from; content:\"evil\"; sid:1;)\n";
    static const char sip[] = "drop sip any any -> any any (sip.uri; content:\"evil\"; sid:1;)\n";
    struct lab_setup udp = {.udp = true, .dport = 53}, mail = {.dport = 25},
                     voice = {.udp = true, .dport = 5060};
    uint8_t q[512];
    struct span query = span_of(q, (uint32_t)dns_query(q, evil, 1));
    struct span invite = span_str("INVITE sip:evil@x SIP/2.0\r\nCall-ID: 1\r\n\r\n"), many[64];
    char *junk = malloc(5001);

    /* a datagram of another protocol first: with state, and without */
    deceive(&udp, dns, (struct span[]){span_str("OPTIONS sip:x@x SIP/2.0\r\n\r\n"), query}, 2);
    deceive(&udp, dns, (struct span[]){span_str("d1:ad2:id20:aaaa"), query}, 2);
    /* datagrams of nobody, with answers */
    for (unsigned i = 0; i < 62; i++)
        many[i] = span_str(i % 2 ? "<\x01" : "\r\n\r\n");
    many[62] = invite;
    deceive(&voice, sip, many, 63);
    /* a datagram that the parser gives up at */
    memset(junk, 'a', 5000);
    memcpy(junk, "OPTIONS sip:x@x SIP/2.0\r\n", 25);
    struct app_limits few = APP_LIMITS_DEFAULT;
    few.header_line = 100;
    deceive(&(struct lab_setup){.udp = true, .dport = 5060, .limits = &few}, sip,
            (struct span[]){span_of(junk, 1000), invite}, 2);
    /* another protocol's first line, to which the server says that it does not understand */
    static const char *const lines[] = {"RFB 003.008\n", "SSH-2.0-x\r\n", "NICK x\r\n",
                                        "\xff\xfb\x01\xff\r\n"};
    for (unsigned i = 0; i < 4; i++)
        deceive(&mail, smtp,
                (struct span[]){span_str(lines[i]), span_str("<220 x ESMTP\r\n"), span_str("<500 what\r\n"),
                                span_str("HELO x\r\n"), span_str("<250 x\r\n"),
                                span_str("MAIL FROM:<evil>\r\n")},
                6);
    /* so much nonsense before the greeting that it is not kept */
    memset(junk, 'a', 5000);
    junk[4998] = '\r', junk[4999] = '\n';
    deceive(&mail, smtp,
            (struct span[]){span_of(junk, 3000), span_of(junk + 3000, 2000), span_str("<220 x ESMTP\r\n"),
                            span_str("MAIL FROM:<evil>\r\n")},
            4);
    free(junk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deceived),
        cmocka_unit_test(instances),
        cmocka_unit_test(order),
        cmocka_unit_test(protocols),
        cmocka_unit_test(a_buffer_in_pieces),
        cmocka_unit_test(dropped_segments),
    };

    return cmocka_run_group_tests_name("detect: transactions", tests, NULL, NULL);
}
