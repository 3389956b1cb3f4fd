/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TLS: real handshakes, whole and in any cut, are published alike; what an attacker may do to a hello, its messages and its records is
 * seen or said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "ips/app/tls.h"
#include "tests/unit/app_lab.h"
#include "tests/unit/tls_flights.h"

#define CCS "\x14\x03\x03\x00\x01\x01"

static struct app_lab *lab(void)
{
    return lab_new(&(struct lab_setup){.dport = 443});
}

/* --- building --------------------------------------------------------------------------------------------------- */

struct out {
    uint8_t b[300000];
    uint32_t n;
};

static void add(struct out *o, const void *p, size_t n)
{
    assert_true(o->n + n <= sizeof(o->b));
    memcpy(o->b + o->n, p, n);
    o->n += (uint32_t)n;
}

static void add16(struct out *o, unsigned v)
{
    uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)v};

    add(o, b, 2);
}

static void add8(struct out *o, unsigned v)
{
    uint8_t b = (uint8_t)v;

    add(o, &b, 1);
}

/* A list behind its length of two bytes, which is written when the list is there. */
static uint32_t list_begins(struct out *o)
{
    add16(o, 0);
    return o->n;
}

static void list_ends(struct out *o, uint32_t at)
{
    store_be16(o->b + at - 2, (uint16_t)(o->n - at));
}

static void add16s(struct out *o, const uint16_t *v)
{
    uint32_t at = list_begins(o);

    for (; *v != 0xffff; v++)
        add16(o, *v);
    list_ends(o, at);
}

static void add_name(struct out *o, const char *name, size_t n)
{
    uint32_t ext, list;

    add16(o, 0);
    ext = list_begins(o);
    list = list_begins(o);
    add8(o, 0);
    add16(o, (unsigned)n);
    add(o, name, n);
    list_ends(o, list);
    list_ends(o, ext);
}

static void message_begins(struct out *o, uint8_t type, uint16_t version)
{
    static const uint8_t random[32] = "................................";

    o->n = 0;
    add8(o, type);
    add8(o, 0);
    add16(o, 0);
    add16(o, version);
    add(o, random, 32);
    add8(o, 0);
}

static void message_ends(struct out *o)
{
    o->b[1] = (uint8_t)((o->n - 4) >> 16);
    store_be16(o->b + 2, (uint16_t)(o->n - 4));
}

/* In records of at most so many bytes. */
static void send_records(struct app_lab *l, enum app_dir dir, const struct out *o, uint32_t piece, bool empty)
{
    static struct out r;

    r.n = 0;
    for (uint32_t at = 0; at < o->n; at += piece) {
        uint32_t n = o->n - at < piece ? o->n - at : piece;

        if (empty)
            add(&r, "\x16\x03\x01\x00\x00", 5);
        add(&r, "\x16\x03\x01", 3);
        add16(&r, n);
        add(&r, o->b + at, n);
        if (r.n > sizeof(r.b) / 2) {
            lab_send(l, dir, r.b, r.n);
            r.n = 0;
        }
    }
    lab_send(l, dir, r.b, r.n);
}

static void simple_hello(struct out *o, const char *name, size_t n)
{
    static const uint16_t ciphers[] = {47, 0xffff};
    uint32_t at;

    message_begins(o, TLS_CLIENT_HELLO, TLS1_2);
    add16s(o, ciphers);
    add(o, "\x01\x00", 2);
    at = list_begins(o);
    if (name)
        add_name(o, name, n);
    list_ends(o, at);
    message_ends(o);
}

/* --- whole handshakes ----------------------------------------------------------------------------------------------- */

static void same(const struct app_lab *a, const struct app_lab *b)
{
    assert_int_equal(a->n_seen, b->n_seen);
    for (uint32_t i = 0; i < a->n_seen; i++) {
        assert_int_equal(a->seen[i].buffer, b->seen[i].buffer);
        assert_int_equal(a->seen[i].dir, b->seen[i].dir);
        assert_true(span_eq(a->seen[i].bytes, b->seen[i].bytes));
    }
    assert_string_equal(a->logged, b->logged);
}

static void all_cuts(const struct flight *f)
{
    struct app_lab *whole = lab();

    play(whole, f, 0);
    assert_true(lab_speaks(whole, APP_TLS));
    for (int cut = -40; cut < 64; cut++) {
        struct app_lab *l = lab();

        play(l, f, cut < 0 ? -1 : cut + 1);
        same(whole, l);
        lab_free(l);
    }
    lab_free(whole);
}

static void a_handshake_of_tls_12(void **state)
{
    struct app_lab *l = lab();

    play(l, tls12, 0);
    assert_true(lab_saw(l, BUF_TLS_SNI, "www.example.org"));
    assert_int_equal(lab_count(l, BUF_TLS_ALPN), 3);
    assert_true(lab_saw(l, BUF_TLS_ALPN, "h2"));
    assert_true(lab_saw(l, BUF_TLS_ALPN, "http/1.1"));
    assert_true(lab_saw(l, BUF_JA3_HASH, "22558766122974704364c9c75c5cce0a"));
    assert_true(lab_saw(l, BUF_JA3S_STRING, "771,49200,65281-11-35-16-23"));
    assert_true(lab_saw(l, BUF_JA3S_HASH, "895252f3ce80cebf7a8837be83ec8e16"));
    assert_true(lab_saw(l, BUF_JA4_HASH, "t12d2808h2_d943125447b4_e7e480e5a997"));
    assert_true(lab_saw_number(l, BUF_TLS_VERSION, TLS1_2));
    for (unsigned s = TLS_STATE_CLIENT_HELLO; s < TLS_STATE_UNKNOWN; s <<= 1)
        assert_true(lab_saw_number(l, BUF_TLS_STATE, s));
    assert_false(lab_saw_number(l, BUF_TLS_STATE, TLS_STATE_UNKNOWN));
    assert_int_equal(lab_count(l, BUF_TLS_RANDOM), 2);
    struct span hello = bytes_of(tls12_client_1);
    assert_true(lab_saw_bytes(l, BUF_TLS_RANDOM, hello.p + 11, 32));
    assert_true(lab_saw_bytes(l, BUF_TLS_RANDOM_TIME, hello.p + 11, 4));
    assert_true(lab_saw_bytes(l, BUF_TLS_RANDOM_BYTES, hello.p + 15, 28));
    assert_false(anomaly_any(&l->events));
    lab_free(l);
}

static void its_certificates(void **state)
{
    struct app_lab *l = lab();

    play(l, tls12, 0);
    assert_true(lab_saw(l, BUF_TLS_CERT_SUBJECT,
                        "C=FR, ST=IDF, L=Paris, O=Example, OU=A + OU=B, CN=www.example.org, "
                        "Email=a@example.org"));
    assert_true(lab_saw(l, BUF_TLS_CERT_ISSUER, "C=US, O=Sluice CA, CN=Test Root"));
    assert_true(lab_saw(l, BUF_TLS_CERT_SERIAL, "5C:AB:01"));
    assert_true(
        lab_saw(l, BUF_TLS_CERT_FINGERPRINT, "59:e4:ea:fc:16:75:b7:f5:1e:59:78:55:de:d4:3c:69:aa:b2:b3:e6"));
    assert_int_equal(lab_count(l, BUF_TLS_SUBJECTALTNAME), 6);
    assert_true(lab_saw(l, BUF_TLS_SUBJECTALTNAME, "www.example.org"));
    assert_true(lab_saw(l, BUF_TLS_SUBJECTALTNAME, "*.example.net"));
    assert_true(lab_saw(l, BUF_TLS_SUBJECTALTNAME, "192.0.2.7"));
    assert_true(lab_saw(l, BUF_TLS_SUBJECTALTNAME, "2001:0db8:0000:0000:0000:0000:0000:0001"));
    assert_true(lab_saw(l, BUF_TLS_SUBJECTALTNAME, "x@example.org"));
    assert_true(lab_saw(l, BUF_TLS_SUBJECTALTNAME, "https://example.org/"));
    assert_true(lab_saw_number(l, BUF_TLS_CHAIN_LEN, 2));
    assert_int_equal(lab_count(l, BUF_TLS_CERTS), 2);
    struct span server = bytes_of(tls12_server);
    assert_true(lab_saw_bytes(l, BUF_TLS_CERTS, server.p + 79 + 5 + 4 + 6, 1006));
    assert_true(lab_saw_number(l, BUF_TLS_NOT_BEFORE, 1795278231));
    assert_true(lab_saw_number(l, BUF_TLS_NOT_AFTER, 2110638231));
    assert_true(lab_saw_number(l, BUF_TLS_CERT_IS_VALID, 1));
    lab_free(l);
}

static void what_the_log_says(void **state)
{
    static const char *const parts[] = {
        "subject=C=FR, ST=IDF,",
        "issuerdn=C=US, O=Sluice CA, CN=Test Root ",
        "serial=5C:AB:01 ",
        "fingerprint=59:e4:ea:",
        "notbefore=2026-11-21T16:23:51 ",
        "notafter=2036-11-18T16:23:51 ",
        "sni=www.example.org ",
        "version=TLS 1.2 ",
        "ja3={hash=22558766122974704364c9c75c5cce0a string=771,49196-",
        "ja4=t12d2808h2_d943125447b4_e7e480e5a997 ",
        "ja3s={hash=895252f3ce80cebf7a8837be83ec8e16 string=771,49200,65281-11-35-16-23 } ",
        "ja4s=t1205h2_c030_1ece00aee4e9 ",
        "client_alpns={=h2 =http/1.1 } ",
        "server_alpns={=h2 } ",
    };
    struct app_lab *l = lab();

    play(l, tls12, 0);
    for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (!strstr(l->logged, parts[i]))
            fail_msg("%s is not in: %s", parts[i], l->logged);
    assert_null(strstr(strstr(l->logged, "tls: ") + 1, "tls: ")); /* once */
    lab_free(l);
}

static void a_handshake_of_tls_13(void **state)
{
    struct app_lab *l = lab();

    play(l, tls13, 0);
    assert_true(lab_saw(l, BUF_TLS_SNI, "www.example.org"));
    assert_true(lab_saw(l, BUF_JA3_HASH, "5a1edc7f170af1014fc65c994878e63c"));
    assert_true(lab_saw(l, BUF_JA3S_HASH, "15af977ce25de452b96affa2addb1036"));
    assert_true(lab_saw(l, BUF_JA4_HASH, "t13d3111h2_e8f1e7e78f70_1f22a2ca17c4"));
    assert_true(lab_saw_number(l, BUF_TLS_VERSION, TLS1_2)); /* the client's field */
    assert_true(lab_saw_number(l, BUF_TLS_VERSION, TLS1_3));
    assert_non_null(strstr(l->logged, "version=TLS 1.3 "));
    assert_non_null(strstr(l->logged, "ja4s=t130200_1302_a56c5b993250 "));
    assert_null(strstr(l->logged, "session_resumed"));
    lab_free(l);
}

static void a_second_hello(void **state)
{
    struct app_lab *l = lab();

    play(l, retry, 0);
    assert_int_equal(lab_count(l, BUF_TLS_SNI), 2);
    assert_int_equal(lab_count(l, BUF_JA3_HASH), 2);
    assert_false(anomaly_any(&l->events));
    assert_non_null(strstr(l->logged, "sni=retry.example.org"));
    lab_free(l);

    l = lab();
    static uint8_t again[4096];
    struct span s = bytes_of(retry_client_2);
    memcpy(again, s.p, s.len);
    uint8_t *name = memmem(again, s.len, "retry.example.org", 17);
    memcpy(name, "other", 5);
    for (unsigned i = 0; i < 4; i++) {
        struct span f = bytes_of(retry[i].hex);
        lab_send(l, (enum app_dir)retry[i].dir, f.p, f.len);
    }
    lab_send(l, APP_TO_SERVER, again, s.len);
    assert_true(lab_saw(l, BUF_TLS_SNI, "other.example.org"));
    assert_true(lab_event(l, AN_TLS_SNI_CHANGED));
    lab_free(l);
}

static void in_any_cut(void **state)
{
    all_cuts(tls12);
    all_cuts(tls13);
    all_cuts(retry);
}

static void nothing_is_kept_when_it_is_over(void **state)
{
    struct app_lab *l = lab();

    play(l, tls12, 0);
    assert_true(app_bytes(l->app) <= 4096); /* the flow's state alone */
    lab_forget(l);
    lab_send(l, APP_TO_SERVER, "\x17\x03\x03\x00\x01z", 6);
    assert_int_equal(l->n_seen, 0);
    lab_free(l);
}

static void encryption_can_be_bypassed(void **state)
{
    struct app_limits limits = APP_LIMITS_DEFAULT;

    limits.encryption_bypass = true;
    struct app_lab *l = lab_new(&(struct lab_setup){.dport = 443, .limits = &limits});
    play(l, tls13, 0);
    assert_true(l->flow->verdict == FLOW_PASS && (l->flow->flags & FLOW_BY_POLICY));
    assert_non_null(strstr(l->logged, "sni=www.example.org"));
    lab_free(l);
}

/* --- fingerprints with known answers ------------------------------------------------------------------------------- */

static void known_ja3(void **state)
{
    static const uint16_t ciphers[] = {47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4, 0xffff};
    static const uint16_t groups[] = {0x1a1a, 23, 24, 25, 0xffff};
    static const uint16_t few[] = {4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99, 0x2a2a, 0xffff};
    struct app_lab *l = lab();
    static struct out o;
    uint32_t at, ext;

    message_begins(&o, TLS_CLIENT_HELLO, TLS1_0);
    add16s(&o, ciphers);
    add(&o, "\x01\x00", 2);
    at = list_begins(&o);
    add16(&o, 0xdada);
    add16(&o, 0);
    add_name(&o, "a.b", 3);
    add16(&o, 10);
    ext = list_begins(&o);
    add16s(&o, groups);
    list_ends(&o, ext);
    add(&o, "\x00\x0b\x00\x02\x01\x00", 6);
    list_ends(&o, at);
    message_ends(&o);
    send_records(l, APP_TO_SERVER, &o, 16384, false);
    assert_true(
        lab_saw(l, BUF_JA3_STRING, "769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0"));
    assert_true(lab_saw(l, BUF_JA3_HASH, "ada70206e40642a3e4461f35503241d5"));
    message_begins(&o, TLS_CLIENT_HELLO, TLS1_0);
    add16s(&o, few);
    add(&o, "\x01\x00", 2);
    message_ends(&o);
    send_records(l, APP_TO_SERVER, &o, 16384, false);
    assert_true(lab_saw(l, BUF_JA3_STRING, "769,4-5-10-9-100-98-3-6-19-18-99,,,"));
    assert_true(lab_saw(l, BUF_JA3_HASH, "de350869b8c85de67a350c8d186f11e6"));
    lab_free(l);
}

static void known_ja4(void **state)
{
    static const uint16_t ciphers[] = {0x5a5a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9,
                                       0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035, 0xffff};
    static const uint16_t types[] = {0x001b, 0x0033, 0x4469, 0x0017, 0x000a, 0x0015, 0x002d,
                                     0x0005, 0xff01, 0x000b, 0x0012, 0x0023, 0xffff};
    static const uint16_t algorithms[] = {0x0403, 0x0804, 0x0401, 0x0503, 0x0805,
                                          0x0501, 0x0806, 0x0601, 0xffff};
    struct app_lab *l = lab();
    static struct out o;
    uint32_t at, ext;

    message_begins(&o, TLS_CLIENT_HELLO, TLS1_2);
    add16s(&o, ciphers);
    add(&o, "\x01\x00", 2);
    at = list_begins(&o);
    add16(&o, 0x0a0a);
    add16(&o, 0);
    add_name(&o, "a.b", 3);
    for (const uint16_t *t = types; *t != 0xffff; t++) {
        add16(&o, *t);
        add16(&o, 0);
    }
    add(&o, "\x00\x10\x00\x0e\x00\x0c\x02h2\x08http/1.1", 18);
    add(&o, "\x00\x2b\x00\x07\x06\x3a\x3a\x03\x04\x03\x03", 11);
    add16(&o, 13);
    ext = list_begins(&o);
    add16s(&o, algorithms);
    list_ends(&o, ext);
    list_ends(&o, at);
    message_ends(&o);
    send_records(l, APP_TO_SERVER, &o, 16384, false);
    assert_true(lab_saw(l, BUF_JA4_HASH, "t13d1516h2_8daaf6152771_e5627efa2ab1"));
    lab_free(l);
}

/* What was made lately belongs to just the hello it was made of: one byte elsewhere is another fingerprint. */
static void fingerprints_are_not_mixed_up(void **state)
{
    struct span s = bytes_of(tls12_client_1);
    static uint8_t copy[4096];
    struct app_lab *l = lab();

    for (int round = 0; round < 2; round++) {
        for (uint32_t at = 45; at < s.len; at++) {
            uint8_t first[JA4_BYTES], again[JA4_BYTES];
            struct tls_hello h;
            uint32_t n, m;

            memcpy(copy, s.p, s.len);
            copy[at] ^= 0x10;
            if (!tls_hello_parse(span_of(copy + 5, s.len - 5), &h))
                continue;
            n = ja4_make(l->app, &h, false, first);
            memset(l->app->lately, 0, round ? sizeof(l->app->lately) : 0);
            m = ja4_make(l->app, &h, false, again);
            assert_int_equal(n, m);
            assert_memory_equal(first, again, n);
        }
    }
    lab_free(l);
}

static void no_fingerprints_when_they_are_off(void **state)
{
    struct app_limits limits = APP_LIMITS_DEFAULT;

    limits.ja3 = limits.ja4 = false;
    struct app_lab *l = lab_new(&(struct lab_setup){.dport = 443, .limits = &limits});
    play(l, tls12, 0);
    assert_int_equal(lab_count(l, BUF_JA3_HASH) + lab_count(l, BUF_JA3S_STRING) + lab_count(l, BUF_JA4_HASH),
                     0);
    assert_null(strstr(l->logged, "ja3"));
    lab_free(l);
}

/* --- evasions --------------------------------------------------------------------------------------------------------- */

static void records_of_any_length(void **state)
{
    static struct out o;

    simple_hello(&o, "evil.example", 12);
    for (uint32_t piece = 1; piece < 80; piece++) {
        for (int empty = 0; empty < 2; empty++) {
            struct app_lab *l = lab();

            send_records(l, APP_TO_SERVER, &o, piece, empty);
            assert_true(lab_saw(l, BUF_TLS_SNI, "evil.example"));
            assert_int_equal(lab_count(l, BUF_TLS_SNI), 1);
            lab_free(l);
        }
    }
}

static void a_name_behind_much_padding(void **state)
{
    static const uint16_t ciphers[] = {47, 0xffff};
    static struct out o;
    static const uint8_t zeros[60000];
    struct app_lab *l = lab();
    uint32_t at;

    message_begins(&o, TLS_CLIENT_HELLO, TLS1_2);
    add16s(&o, ciphers);
    add(&o, "\x01\x00", 2);
    at = list_begins(&o);
    add16(&o, 21);
    add16(&o, sizeof(zeros));
    add(&o, zeros, sizeof(zeros));
    add_name(&o, "evil.example", 12);
    list_ends(&o, at);
    message_ends(&o);
    send_records(l, APP_TO_SERVER, &o, 16384, false);
    assert_true(lab_saw(l, BUF_TLS_SNI, "evil.example"));
    lab_free(l);
}

static void change_cipher_spec_hides_nothing(void **state)
{
    static struct out o;
    struct app_lab *l = lab();

    simple_hello(&o, "a.example", 9);
    send_records(l, APP_TO_SERVER, &o, 16384, false);
    lab_send(l, APP_TO_SERVER, CCS, 6);
    simple_hello(&o, "evil.example", 12);
    send_records(l, APP_TO_SERVER, &o, 16384, false);
    assert_true(lab_saw(l, BUF_TLS_SNI, "evil.example"));
    assert_true(lab_event(l, AN_TLS_SNI_CHANGED));
    lab_free(l);
}

/* Sends a hello whose extensions are these. */
static struct app_lab *with_extensions(const void *bytes, size_t n)
{
    static const uint16_t ciphers[] = {47, 0xffff};
    static struct out o;
    struct app_lab *l = lab();
    uint32_t at;

    message_begins(&o, TLS_CLIENT_HELLO, TLS1_2);
    add16s(&o, ciphers);
    add(&o, "\x01\x00", 2);
    at = list_begins(&o);
    add(&o, bytes, n);
    list_ends(&o, at);
    message_ends(&o);
    send_records(l, APP_TO_SERVER, &o, 16384, false);
    return l;
}

#define NAME_A                             \
    "\x00\x00\x00\x08\x00\x06\x00\x00\x03" \
    "a.b"
#define NAME_C                             \
    "\x00\x00\x00\x08\x00\x06\x00\x00\x03" \
    "c.d"

static void odd_hellos(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *name; /* that rules see */
        enum anomaly event;
    } odd[] = {
        {NAME_A NAME_C, 24, "a.b", AN_TLS_SNI_TWICE},
        {"\x00\x00\x00\x0e\x00\x0c\x00\x00\x03"
         "a.b\x00\x00\x03"
         "c.d",
         18, "a.b", AN_TLS_SNI_TWICE},
        {"\x00\x00\x00\x08\x00\x06\x01\x00\x03"
         "a.b",
         12, "a.b", AN_TLS_SNI_TYPE},
        {"\x00\x00\x00\x08\x00\x06\x00\x00\x09"
         "a.b",
         12, "a.b", AN_TLS_SNI_LENGTH},
        {"\x00\x00\x00\x08\x00\x07\x00\x00\x03"
         "a.b",
         12, "a.b", AN_TLS_SNI_LENGTH},
        {"\x00\x00\x00\x05\x00\x03\x00\x00\x00", 9, NULL, AN_TLS_SNI_LENGTH},
        {"\x00\x00\x00\x08\x00\x06\x00\x00\x03"
         "a\0b",
         12, NULL, AN_TLS_SNI_NAME},
        {NAME_A "\x00", 13, "a.b", AN_TLS_HELLO_LENGTH},
        {"\x00\x00\x00\x09\x00\x06\x00\x00\x03"
         "a.b",
         12, "a.b", AN_TLS_HELLO_LENGTH},
        {NAME_A "\x00\x10\x00\x05\x00\x03\x02h2\x00\x10\x00\x05\x00\x03\x02xx", 30, "a.b",
         AN_TLS_EXTENSION_TWICE},
    };

    for (unsigned i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        struct app_lab *l = with_extensions(odd[i].bytes, odd[i].n);

        if (!lab_event(l, odd[i].event))
            fail_msg("%u: no %s", i, anomaly_info[odd[i].event].name);
        if (odd[i].name && !lab_saw(l, BUF_TLS_SNI, odd[i].name))
            fail_msg("%u: %s was not seen", i, odd[i].name);
        lab_free(l);
    }
}

static void a_hello_that_is_cut_short(void **state)
{
    struct span s = bytes_of(tls13_client);
    static struct out o;

    for (uint32_t n = 0; n < s.len - 9; n++) {
        struct app_lab *l = lab();

        o.n = 0;
        add(&o, s.p + 5, 4 + n);
        message_ends(&o);
        send_records(l, APP_TO_SERVER, &o, 16384, false);
        if (n < 34)
            assert_true(lab_event(l, AN_TLS_HELLO_LENGTH));
        else
            assert_true(lab_saw_number(l, BUF_TLS_STATE, TLS_STATE_CLIENT_HELLO));
        lab_free(l);
    }
}

static void messages_too_large_or_too_many(void **state)
{
    static struct out o;
    static const uint8_t zeros[1000];
    struct app_lab *l = lab();

    simple_hello(&o, "a.example", 9);
    send_records(l, APP_TO_SERVER, &o, 16384, false);
    o.n = 0;
    add(&o, "\x01\x02\x02\x00", 4);
    for (uint32_t left = 0x020200; left > 0;) {
        uint32_t n = left < sizeof(zeros) ? left : sizeof(zeros);

        add(&o, zeros, n);
        left -= n;
    }
    send_records(l, APP_TO_SERVER, &o, 16384, false);
    assert_true(lab_event(l, AN_TLS_MESSAGE_TOO_LARGE));
    assert_int_equal(lab_count(l, BUF_TLS_SNI), 1);
    simple_hello(&o, "b.example", 9); /* behind it everything is in its place */
    send_records(l, APP_TO_SERVER, &o, 5, false);
    assert_true(lab_saw(l, BUF_TLS_SNI, "b.example"));
    for (int i = 0; i < TLS_SAME_MAX; i++)
        send_records(l, APP_TO_SERVER, &o, 16384, false);
    assert_true(lab_event(l, AN_TLS_HANDSHAKE_INVALID));
    assert_int_equal(lab_count(l, BUF_TLS_SNI), TLS_SAME_MAX);
    lab_free(l);
}

static void many_messages_in_a_record(void **state)
{
    static struct out o, all;
    struct app_lab *l = lab();

    simple_hello(&o, "a.example", 9);
    all.n = 0;
    add(&all, o.b, o.n);
    add(&all, "\x10\x00\x00\x02xx", 6);
    add(&all, "\x0f\x00\x00\x00", 4);
    send_records(l, APP_TO_SERVER, &all, 16384, false);
    assert_true(lab_saw_number(l, BUF_TLS_STATE, TLS_STATE_CLIENT_HELLO));
    assert_true(lab_saw_number(l, BUF_TLS_STATE, TLS_STATE_CLIENT_KEYX));
    assert_false(anomaly_any(&l->events));
    lab_free(l);
}

static void records_that_are_none(void **state)
{
    static const struct {
        const char *bytes;
        enum anomaly event;
    } odd[] = {
        {"\x19\x03\x03\x00\x01", AN_TLS_RECORD_TYPE},
        {"\x16\x02\x03\x00\x01", AN_TLS_RECORD_VERSION},
        {"\x16\x03\x03\x48\x01", AN_TLS_RECORD_LENGTH},
        {"\x16\x03\x07\x00\x01", AN_TLS_RECORD_VERSION},
    };
    static struct out o;

    simple_hello(&o, "a.example", 9);
    for (unsigned i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        struct app_lab *l = lab();

        send_records(l, APP_TO_SERVER, &o, 16384, false);
        lab_send(l, APP_TO_SERVER, odd[i].bytes, 5);
        assert_true(lab_event(l, odd[i].event));
        lab_free(l);
    }
    struct app_lab *l = lab();
    send_records(l, APP_TO_SERVER, &o, 16384, false);
    lab_send(l, APP_TO_SERVER, "\x16\x03\x01\x00\x02\x01\x00\x15\x03\x01\x00\x02\x01\x00", 14);
    assert_true(lab_event(l, AN_TLS_INTERLEAVED));
    lab_free(l);
}

static void heartbeats(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        bool overflow, invalid;
    } beats[] = {
        {"\x18\x03\x02\x00\x03\x01\x40\x00", 8, true, false}, /* Heartbleed */
        {"\x18\x03\x02\x00\x17\x01\x00\x04"
         "abcd0123456789abcdef",
         28, false, false},
        {"\x18\x03\x02\x00\x17\x05\x00\x04"
         "abcd0123456789abcdef",
         28, false, true},
        {"\x18\x03\x02\x00\x17\x01\x00\x05"
         "abcd0123456789abcdef",
         28, true, false},
    };
    static struct out o;

    simple_hello(&o, "a.example", 9);
    for (unsigned i = 0; i < sizeof(beats) / sizeof(beats[0]); i++) {
        for (size_t cut = 1; cut < 32; cut += 15) {
            struct app_lab *l = lab();

            send_records(l, APP_TO_SERVER, &o, 16384, false);
            lab_send_cut(l, APP_TO_SERVER, beats[i].bytes, beats[i].n, cut);
            assert_true(lab_event(l, AN_TLS_HEARTBEAT));
            assert_int_equal(lab_event(l, AN_TLS_HEARTBEAT_OVERFLOW), beats[i].overflow);
            assert_int_equal(lab_event(l, AN_TLS_HEARTBEAT_INVALID), beats[i].invalid);
            lab_free(l);
        }
    }
    struct app_lab *l = lab();
    static const uint8_t zeros[300];
    play(l, tls12, 0);
    lab_send(l, APP_TO_SERVER,
             "\x18\x03\x03\x00\x20"
             "0123456789abcdef0123456789abcdef",
             37);
    assert_false(lab_event(l, AN_TLS_HEARTBEAT_LEAK));
    lab_send(l, APP_TO_CLIENT, "\x18\x03\x03\x01\x00", 5);
    lab_send(l, APP_TO_CLIENT, zeros, 256);
    assert_true(lab_event(l, AN_TLS_HEARTBEAT_LEAK));
    lab_free(l);
}

/* --- SSLv2 ---------------------------------------------------------------------------------------------------------- */

static void a_hello_of_sslv2(void **state)
{
    /* one cipher, a challenge of 16 bytes; then with padding of 3 */
    static const char plain[] = "\x80\x1c\x01\x03\x01\x00\x03\x00\x00\x00\x10\x00\x00\x2f"
                                "0123456789abcdef";
    static const char padded[] = "\x00\x1f\x03\x01\x00\x02\x00\x03\x00\x00\x00\x10\x01\x00\x80"
                                 "0123456789abcdef";

    for (size_t cut = 1; cut < 40; cut++) {
        struct app_lab *l = lab();

        lab_send_cut(l, APP_TO_SERVER, plain, sizeof(plain) - 1, cut);
        assert_true(lab_speaks(l, APP_TLS));
        assert_true(lab_saw_number(l, BUF_TLS_VERSION, TLS1_0));
        assert_true(lab_saw_number(l, BUF_TLS_STATE, TLS_STATE_CLIENT_HELLO));
        struct span s = bytes_of(tls12_server);
        lab_send_cut(l, APP_TO_CLIENT, s.p, s.len, cut);
        s = bytes_of(tls12_client_2);
        lab_send_cut(l, APP_TO_SERVER, s.p, s.len, cut);
        assert_true(lab_saw(l, BUF_TLS_CERT_SERIAL, "5C:AB:01"));
        assert_true(lab_saw_number(l, BUF_TLS_STATE, TLS_STATE_CLIENT_KEYX));
        assert_false(anomaly_any(&l->events));
        lab_free(l);

        l = lab();
        lab_send_cut(l, APP_TO_SERVER, padded, sizeof(padded) - 1, cut);
        lab_send(l, APP_TO_SERVER, "\x00\x00\x00", 3); /* its padding */
        assert_true(lab_speaks(l, APP_TLS));
        assert_true(lab_saw_number(l, BUF_TLS_VERSION, SSL2));
        lab_free(l);
    }
}

static void a_session_of_sslv2(void **state)
{
    static const char client[] = "\x80\x1c\x01\x00\x02\x00\x03\x00\x00\x00\x10\x01\x00\x80"
                                 "0123456789abcdef";
    struct app_lab *l = lab();
    static struct out o;
    struct span s = bytes_of(tls12_server);

    lab_send(l, APP_TO_SERVER, client, sizeof(client) - 1);
    o.n = 0;
    add16(&o, 0x8000 | (11 + 1006 + 3 + 4));
    add(&o, "\x04\x00\x01\x00\x02", 5);
    add16(&o, 1006);
    add(&o, "\x00\x03\x00\x04", 4);
    add(&o, s.p + 79 + 5 + 4 + 6, 1006);
    add(&o,
        "\x01\x00\x80"
        "conn",
        7);
    lab_send_cut(l, APP_TO_CLIENT, o.b, o.n, 100);
    assert_true(lab_saw(l, BUF_TLS_CERT_SERIAL, "5C:AB:01"));
    assert_true(lab_saw_number(l, BUF_TLS_VERSION, SSL2));
    lab_send(l, APP_TO_SERVER, "\x80\x03\x02xy", 5);
    assert_true(lab_saw_number(l, BUF_TLS_STATE, TLS_STATE_CLIENT_KEYX));
    lab_send(l, APP_TO_SERVER, "\x80\x03qwe\x80\x01z", 8);
    assert_false(anomaly_any(&l->events));
    assert_non_null(strstr(l->logged, "version=SSLv2"));
    lab_free(l);
}

/* --- the rest --------------------------------------------------------------------------------------------------------- */

static void broken_certificates(void **state)
{
    struct span s = bytes_of(tls12_server);
    static uint8_t copy[4096];

    for (uint32_t at = 79; at < 79 + 1871; at++) {
        struct app_lab *l = lab();
        struct span hello = bytes_of(tls12_client_1);

        s = bytes_of(tls12_server);
        memcpy(copy, s.p, s.len);
        copy[at] ^= (uint8_t)(1 + rand() % 255);
        lab_send(l, APP_TO_SERVER, hello.p, hello.len);
        lab_send(l, APP_TO_CLIENT, copy, s.len);
        lab_free(l);
    }
    struct app_lab *l = lab();
    struct span hello = bytes_of(tls12_client_1);
    lab_send(l, APP_TO_SERVER, hello.p, hello.len);
    lab_send(l, APP_TO_CLIENT, "\x16\x03\x03\x00\x0c\x0b\x00\x00\x08\x00\x00\x05\x00\x00\x02\x31\x00", 17);
    assert_true(lab_event(l, AN_TLS_CERT_DER));
    assert_true(lab_saw(l, BUF_TLS_CERTS, "\x31") || lab_count(l, BUF_TLS_CERTS) == 1);
    lab_send(l, APP_TO_CLIENT, "\x16\x03\x03\x00\x0b\x0b\x00\x00\x07\x00\x00\x05\x00\x00\x09\x31", 16);
    assert_true(lab_event(l, AN_TLS_CERT_INVALID));
    lab_free(l);
}

static void little_memory(void **state)
{
    for (uint32_t bytes = 512; bytes <= 65536; bytes *= 2) {
        struct app_lab *l = lab_new(&(struct lab_setup){.dport = 443, .flow_bytes = bytes});

        play(l, tls12, 7);
        lab_free(l);
    }
}

static void who_is_not_meant(void **state)
{
    static const char *const others[] = {
        "GET / HTTP/1.1\r\n\r\n",   "SSH-2.0-x\r\n",      "\x16\x04\x01\x00\x05\x01",
        "\x16\x03\x01\x00\x05\x63", "220 mail ESMTP\r\n", "\x80\x00\x00\x28\x00\x00\x00\x01\x00\x00\x00\x00"};

    for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct app_lab *l = lab_new(&(struct lab_setup){.dport = 5000});

        lab_send(l, APP_TO_SERVER, others[i], i == 5 ? 12 : strlen(others[i]) < 6 ? 6 : strlen(others[i]));
        assert_false(lab_speaks(l, APP_TLS));
        lab_free(l);
    }
    struct app_lab *l = lab_new(&(struct lab_setup){.dport = 5000}); /* any port, the server first */
    struct span s = bytes_of(tls12_server);
    lab_send(l, APP_TO_CLIENT, s.p, s.len);
    assert_true(lab_speaks(l, APP_TLS));
    lab_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handshake_of_tls_12),
        cmocka_unit_test(its_certificates),
        cmocka_unit_test(what_the_log_says),
        cmocka_unit_test(a_handshake_of_tls_13),
        cmocka_unit_test(a_second_hello),
        cmocka_unit_test(in_any_cut),
        cmocka_unit_test(nothing_is_kept_when_it_is_over),
        cmocka_unit_test(encryption_can_be_bypassed),
        cmocka_unit_test(known_ja3),
        cmocka_unit_test(known_ja4),
        cmocka_unit_test(fingerprints_are_not_mixed_up),
        cmocka_unit_test(no_fingerprints_when_they_are_off),
        cmocka_unit_test(records_of_any_length),
        cmocka_unit_test(a_name_behind_much_padding),
        cmocka_unit_test(change_cipher_spec_hides_nothing),
        cmocka_unit_test(odd_hellos),
        cmocka_unit_test(a_hello_that_is_cut_short),
        cmocka_unit_test(messages_too_large_or_too_many),
        cmocka_unit_test(many_messages_in_a_record),
        cmocka_unit_test(records_that_are_none),
        cmocka_unit_test(heartbeats),
        cmocka_unit_test(a_hello_of_sslv2),
        cmocka_unit_test(a_session_of_sslv2),
        cmocka_unit_test(broken_certificates),
        cmocka_unit_test(little_memory),
        cmocka_unit_test(who_is_not_meant),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
