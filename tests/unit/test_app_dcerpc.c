/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DCERPC over TCP and UDP: interfaces that were agreed on, calls, and stubs put together from fragments; in both byte
 * orders, in pieces of any length.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/talk.h"

enum { FIRST = 1, LAST = 2, OBJECT = 0x80 };
enum { REQUEST = 0, RESPONSE = 2, BIND = 11, BIND_ACK = 12, ALTER = 14, ALTER_ACK = 15 };

/* 4b324fc8-1670-01d3-1278-5a47bf6ee188, version 3 */
#define SRVSVC "\x4b\x32\x4f\xc8\x16\x70\x01\xd3\x12\x78\x5a\x47\xbf\x6e\xe1\x88\x00\x03"
#define OTHER  "\x12\x34\x57\x78\x12\x34\xab\xcd\xef\x00\x01\x23\x45\x67\x89\xac\x00\x01"

static struct talk t;
static bool little;

static void num(uint64_t v, unsigned bytes)
{
    if (little)
        talk_le(&t, v, bytes);
    else
        talk_be(&t, v, bytes);
}

static void uuid(const char *iface)
{
    struct span s = span_of(iface, 18);

    num(load_be32(s.p), 4);
    num(load_be16(s.p + 4), 2);
    num(load_be16(s.p + 6), 2);
    talk_add(&t, s.p + 8, 8);
}

static void head(uint8_t type, uint8_t flags, uint32_t len, uint32_t auth, uint32_t call)
{
    const uint8_t start[8] = {5, 0, type, flags, little ? 0x10 : 0};

    talk_add(&t, start, 8);
    num(16 + len, 2);
    num(auth, 2);
    num(call, 4);
}

static void offer(uint8_t type, uint16_t context, const char *iface)
{
    head(type, FIRST | LAST, 12 + 44, 0, 1);
    talk_zeros(&t, 8);
    talk_le(&t, 1, 4);
    num(context, 2);
    talk_le(&t, 1, 2);
    uuid(iface);
    num((uint8_t)iface[17], 4);
    talk_zeros(&t, 20);
}

static void ack(uint8_t type, uint16_t result)
{
    head(type, FIRST | LAST, 16 + 4 + 24, 0, 1);
    talk_zeros(&t, 8);
    num(4, 2);
    talk_add(&t, "135\0\0\0", 6);
    talk_le(&t, 1, 4);
    num(result, 2);
    talk_zeros(&t, 22);
}

static void call(uint8_t type, uint8_t flags, uint32_t id, uint16_t context, uint16_t opnum, const char *stub,
                 uint32_t auth)
{
    uint32_t n = (uint32_t)strlen(stub);

    head(type, flags, 8 + (flags & OBJECT ? 16 : 0) + n + (auth ? auth + 8 : 0), auth, id);
    num(n, 4);
    num(context, 2);
    num(type == REQUEST ? opnum : 0, 2);
    if (flags & OBJECT)
        talk_zeros(&t, 16);
    talk_add(&t, stub, n);
    talk_zeros(&t, auth ? auth + 8 : 0);
}

static bool grown_is(struct app_lab *l, const char *s)
{
    return span_eq_str(lab_grown(l, BUF_DCERPC_STUB_DATA), s);
}

static void begin(bool order)
{
    t.n = t.n_turns = 0;
    little = order;
    talk_turn(&t, APP_TO_SERVER);
}

static void conversation(bool order)
{
    begin(order);
    offer(BIND, 7, SRVSVC);
    talk_turn(&t, APP_TO_CLIENT);
    ack(BIND_ACK, 0);
    talk_turn(&t, APP_TO_SERVER);
    call(REQUEST, FIRST | OBJECT, 2, 7, 15, "an attack in ", 16);
    call(REQUEST, 0, 2, 7, 15, "three ", 16);
    call(REQUEST, LAST, 2, 7, 3, "fragments", 16);
}

static void test_call(void **state)
{
    (void)state;
    for (uint32_t piece = 0; piece < 400; piece = piece < 30 ? piece + 1 : piece * 2) {
        struct app_lab *l = lab_new(&(struct lab_setup){.dport = 49152});

        conversation(piece & 1);
        talk_send(l, &t, piece);
        assert_true(lab_speaks(l, APP_DCERPC));
        assert_true(lab_saw_bytes(l, BUF_DCERPC_IFACE, SRVSVC, 18));
        assert_true(lab_saw_number(l, BUF_DCERPC_OPNUM, 15));
        assert_true(lab_saw_number(l, BUF_DCERPC_LITTLE, piece & 1));
        assert_true(grown_is(l, "an attack in three fragments"));
        t.n = t.n_turns = 0;
        talk_turn(&t, APP_TO_CLIENT);
        call(RESPONSE, FIRST, 2, 7, 0, "what ", 0);
        call(RESPONSE, LAST, 2, 7, 0, "comes back", 0);
        talk_send(l, &t, piece);
        assert_true(grown_is(l, "what comes back"));
        assert_non_null(strstr(l->logged,
                               "request=REQUEST opnum=15 response=RESPONSE req={frag_cnt=3 "
                               "stub_data_size=28 } res={frag_cnt=2 stub_data_size=15 } call_id=2 "
                               "interfaces={={uuid=4b324fc8-1670-01d3-1278-5a47bf6ee188 version=3"));
        assert_false(lab_event(l, AN_DCERPC_MALFORMED));
        lab_free(l);
    }
}

/* Fragments of two calls are mixed: each is put together by itself. */
static void test_mixed(void **state)
{
    (void)state;
    struct app_lab *l = lab_new(&(struct lab_setup){.dport = 135});

    begin(true);
    offer(BIND, 0, SRVSVC);
    call(REQUEST, FIRST, 1, 0, 1, "one ", 0);
    call(REQUEST, FIRST, 2, 0, 2, "two ", 0);
    call(REQUEST, LAST, 1, 0, 1, "whole", 0);
    talk_send(l, &t, 100000);
    assert_true(lab_saw(l, BUF_DCERPC_STUB_DATA, "one whole"));
    t.n = t.n_turns = 0;
    talk_turn(&t, APP_TO_SERVER);
    call(REQUEST, LAST, 2, 0, 2, "whole", 0);
    talk_send(l, &t, 1);
    assert_true(lab_saw(l, BUF_DCERPC_STUB_DATA, "two whole"));
    lab_free(l);
}

/* A refused interface is none, and one that was agreed on stays when another is refused in its place. */
static void test_refused(void **state)
{
    (void)state;
    struct app_lab *l = lab_new(&(struct lab_setup){.dport = 135});

    begin(false);
    offer(BIND, 0, OTHER);
    talk_turn(&t, APP_TO_CLIENT);
    ack(BIND_ACK, 2);
    talk_turn(&t, APP_TO_SERVER);
    call(REQUEST, FIRST | LAST, 1, 0, 1, "x", 0);
    talk_send(l, &t, 7);
    assert_int_equal(lab_count(l, BUF_DCERPC_IFACE), 0);
    begin(false);
    offer(ALTER, 0, SRVSVC);
    talk_turn(&t, APP_TO_CLIENT);
    ack(ALTER_ACK, 0);
    talk_turn(&t, APP_TO_SERVER);
    offer(ALTER, 0, OTHER);
    call(REQUEST, FIRST | LAST, 2, 0, 1, "early", 0);
    talk_send(l, &t, 7);
    assert_true(lab_saw_bytes(l, BUF_DCERPC_IFACE, SRVSVC, 18));
    assert_true(lab_saw_bytes(l, BUF_DCERPC_IFACE, OTHER, 18));
    lab_forget(l);
    t.n = t.n_turns = 0;
    talk_turn(&t, APP_TO_CLIENT);
    ack(ALTER_ACK, 2);
    talk_turn(&t, APP_TO_SERVER);
    call(REQUEST, FIRST | LAST, 3, 0, 1, "late", 0);
    talk_send(l, &t, 7);
    assert_true(lab_saw_bytes(l, BUF_DCERPC_IFACE, SRVSVC, 18));
    assert_int_equal(lab_count(l, BUF_DCERPC_IFACE), 1);
    lab_free(l);
}

static void test_limits(void **state)
{
    (void)state;
    struct app_lab *l = lab_new(&(struct lab_setup){.dport = 135});

    begin(true);
    for (uint16_t i = 0; i < 40; i++)
        offer(BIND, i, i & 1 ? SRVSVC : OTHER);
    for (uint32_t i = 0; i < 6; i++)
        call(REQUEST, FIRST, i, 0, 1, "never whole", 0);
    talk_send(l, &t, 1000);
    assert_true(lab_event(l, AN_DCERPC_TOO_MANY_CONTEXTS));
    assert_true(lab_event(l, AN_DCERPC_TOO_MANY_CALLS));
    lab_free(l);
}

static void test_malformed(void **state)
{
    (void)state;
    for (unsigned what = 0; what < 4; what++) {
        struct app_lab *l = lab_new(&(struct lab_setup){.dport = 135});

        begin(true);
        offer(BIND, 0, SRVSVC);
        if (what == 0) {
            head(REQUEST, FIRST | LAST, 4, 0, 1); /* shorter than a request's own header */
            talk_zeros(&t, 4);
        } else if (what == 1) {
            call(REQUEST, FIRST | LAST, 1, 0, 1, "short", 0);
            talk_fill_le(&t, t.n - 5 - 8 - 6, 500, 2); /* more authentication than there are bytes */
        } else if (what == 2) {
            head(BIND, FIRST | LAST, 12, 0, 1); /* contexts that are not there */
            talk_zeros(&t, 8);
            talk_le(&t, 3, 4);
        } else {
            talk_add(&t, "GET / HTTP/1.1\r\n\r\n", 18);
        }
        talk_send(l, &t, 3);
        assert_true(lab_event(l, AN_DCERPC_MALFORMED));
        lab_free(l);
    }
}

static uint32_t datagram(uint8_t flags, uint16_t fragment, uint16_t opnum, const char *stub)
{
    const uint8_t start[8] = {4, 0, flags, 0, little ? 0x10 : 0};

    t.n = 0;
    talk_add(&t, start, 8);
    talk_zeros(&t, 16);
    uuid(SRVSVC);
    talk_add(&t, "activity-of-this", 16);
    num(0, 4);
    num(3, 4);
    num(77, 4);
    num(opnum, 2);
    talk_zeros(&t, 4);
    num(strlen(stub), 2);
    num(fragment, 2);
    talk_zeros(&t, 2);
    talk_add(&t, stub, strlen(stub));
    return t.n;
}

static void test_datagrams(void **state)
{
    (void)state;
    for (int order = 0; order < 2; order++) {
        struct app_lab *l = lab_new(&(struct lab_setup){.dport = 135, .udp = true});

        little = order != 0;
        lab_send(l, APP_TO_SERVER, t.b, datagram(4, 0, 9, "two "));
        lab_send(l, APP_TO_SERVER, t.b, datagram(6, 1, 9, "datagrams"));
        assert_true(lab_speaks(l, APP_DCERPC));
        assert_true(lab_saw_bytes(l, BUF_DCERPC_IFACE, SRVSVC, 18));
        assert_true(lab_saw_number(l, BUF_DCERPC_OPNUM, 9));
        assert_true(grown_is(l, "two datagrams"));
        assert_false(lab_event(l, AN_DCERPC_FRAGMENT_ORDER));
        lab_send(l, APP_TO_SERVER, t.b, datagram(4, 5, 9, "out of order"));
        assert_true(lab_event(l, AN_DCERPC_FRAGMENT_ORDER));
        lab_send(l, APP_TO_SERVER, "\x04\0\0\0", 4);
        assert_true(lab_event(l, AN_DCERPC_MALFORMED));
        lab_free(l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_call),   cmocka_unit_test(test_mixed),     cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits), cmocka_unit_test(test_malformed), cmocka_unit_test(test_datagrams),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
