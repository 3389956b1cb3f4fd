/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules about TLS, over real handshakes: every keyword, in whole segments and byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/app_rules.h"
#include "tests/unit/tls_flights.h"

struct asked {
    const char *options;
    unsigned alerts; /* over the whole handshake */
};

#define TOGETHER 8 /* rules; a transaction remembers ten that have matched */

static void hold_some(const struct flight *f, const struct asked *asked, unsigned n)
{
    static char rules[8192];
    size_t at = 0;

    for (unsigned i = 0; i < n; i++)
        at += (size_t)snprintf(rules + at, sizeof(rules) - at, "alert tls any any -> any any (%s sid:%u;)\n",
                               asked[i].options, i + 1);
    for (int cut = 0; cut < 3; cut++) {
        struct rules_lab *r = rules_lab_new(&(struct lab_setup){.dport = 443}, rules);

        play(r->lab, f, cut);
        for (unsigned i = 0; i < n; i++)
            if (rules_lab_alerts(r, i + 1) != asked[i].alerts)
                fail_msg("%s: %u alerts, in pieces of %d", asked[i].options, rules_lab_alerts(r, i + 1), cut);
        rules_lab_free(r);
    }
}

static void hold(const struct flight *f, const struct asked *asked)
{
    unsigned n = 0;

    while (asked[n].options)
        n++;
    for (unsigned at = 0; at < n; at += TOGETHER)
        hold_some(f, asked + at, n - at < TOGETHER ? n - at : TOGETHER);
}

static void names_and_hashes(void **state)
{
    static const struct asked asked[] = {
        {"tls.sni; content:\"www.example.org\"; bsize:15;", 1},
        {"tls.sni; content:\"example.com\";", 0},
        {"tls.sni; dotprefix; content:\".example.org\"; endswith;", 1},
        {"tls.alpn; content:\"h2\"; flow:to_server;", 1},
        {"tls.alpn; content:\"http/1.1\"; flow:to_client;", 0},
        {"ja3.hash; content:\"22558766122974704364C9C75C5CCE0A\";", 1},
        {"ja3s.hash; content:\"895252f3ce80cebf7a8837be83ec8e16\";", 1},
        {"ja3.string; content:\"771,49196-\"; startswith;", 1},
        {"ja4.hash; content:\"t12d2808h2_\"; startswith;", 1},
        {NULL, 0},
    };

    hold(tls12, asked);
}

static void certificates(void **state)
{
    static const struct asked asked[] = {
        {"tls.cert_subject; content:\"O=Example, OU=A + OU=B, CN=www.example.org\";", 1},
        {"tls.subject:\"CN=www.example.org\";", 1},
        {"tls.subject:\"cn=www.example.org\";", 0},
        {"tls.subject:!\"CN=www.example.org\";", 0},
        {"tls.subject:!\"CN=other\";", 1},
        {"tls.issuerdn:\"O=Sluice CA\"; tls.sni; content:\"example\";", 0}, /* not of one direction */
        {"tls.issuerdn:\"O=Sluice CA\"; tls.cert_subject; content:\"C=FR\";", 1},
        {"tls.cert_serial; content:\"5c:ab:01\";", 1},
        {"tls.cert_fingerprint; content:\"59:E4:EA:FC\"; startswith;", 1},
        {"tls.fingerprint:\"59:E4:ea:fc:16:75:b7:f5:1e:59:78:55:de:d4:3c:69:aa:b2:b3:e6\";", 1},
        {"tls.subjectaltname; content:\"*.example.net\";", 1},
        {"tls.certs; content:\"|55 04 06 13 02|FR\";", 1},
        {"tls.cert_chain_len:2;", 1},
        {"tls.cert_chain_len:>2;", 0},
        {"tls_cert_notbefore:2026-11-21T16:23:51;", 1},
        {"tls_cert_notbefore:2026-11-21 16:23:52;", 0},
        {"tls_cert_notbefore:<2026-11-22;", 1},
        {"tls_cert_notbefore:>2026-11-22;", 0},
        {"tls_cert_notafter:2036-01<>2037-01;", 1},
        {"tls_cert_notafter:2110638231;", 1},
        {"tls_cert_valid;", 1},
        {"tls_cert_expired;", 0},
        {"tls.store; tls.subject:\"C=FR\";", 1},
        {NULL, 0},
    };

    hold(tls12, asked);
}

static void versions_and_states(void **state)
{
    static const struct asked asked12[] = {
        {"tls.version:1.2;", 2},
        {"tls.version:\"1.2\";", 2},
        {"tls.version:1.3;", 0},
        {"tls.version:0x0303;", 2},
        {"ssl_version:tls1.2;", 2},
        {"ssl_version:!tls1.0;", 2},
        {"ssl_version:sslv3,tls1.0;", 0},
        {"ssl_state:client_hello;", 1},
        {"ssl_state:server_hello|client_hello;", 2},
        {"ssl_state:server_keyx; flow:to_client;", 1},
        {"ssl_state:client_keyx; flow:to_client;", 0},
        {"ssl_state:unknown;", 0},
        {"ssl_state:server_hello; tls.version:1.2; tls.cert_subject; content:\"FR\";", 1},
        {NULL, 0},
    };
    static const struct asked asked13[] = {
        {"tls.version:1.3;", 1}, /* the server's choice */
        {"tls.version:1.3; flow:to_client;", 1},
        {"ssl_version:tls1.3;", 1},
        {"tls.sni; content:\"www.example.org\";", 1},
        {NULL, 0},
    };

    hold(tls12, asked12);
    hold(tls13, asked13);
}

/* The segment that completes what a drop rule asks for does not leave. */
static void a_drop_comes_in_time(void **state)
{
    struct rules_lab *r =
        rules_lab_new(&(struct lab_setup){.dport = 8443},
                      "drop tls any any -> any any (tls.sni; content:\"example.org\"; sid:1;)\n");
    struct span s = bytes_of(tls13_client);

    for (uint32_t at = 0; at < s.len; at++) {
        lab_send(r->lab, APP_TO_SERVER, s.p + at, 1);
        if (r->lab->pkt.verdict == VERDICT_DROP) {
            assert_int_equal(at, s.len - 1); /* its last byte */
            break;
        }
    }
    assert_int_equal(rules_lab_alerts(r, 1), 1);
    assert_int_equal(r->lab->pkt.verdict, VERDICT_DROP);
    rules_lab_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_hashes),
        cmocka_unit_test(certificates),
        cmocka_unit_test(versions_and_states),
        cmocka_unit_test(a_drop_comes_in_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
