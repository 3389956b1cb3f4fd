/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * WebSocket behind HTTP/1's upgrade: masked and fragmented messages, control frames between, packed ones, and what is
 * odd; every conversation also byte by byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <zlib.h>

#include "tests/unit/app_cuts.h"

static const char request[] =
    "GET /chat HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
static const char answer[] =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

static const struct lab_setup web = {.dport = 80};

static struct line {
    uint8_t b[300000];
    size_t n;
} c, s;

enum { FIN = 0x80, PACKED = 0x40, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };

/* From the client frames are masked. */
static void frame(struct line *l, uint8_t first, const void *p, size_t n)
{
    static const uint8_t key[4] = {0x12, 0x34, 0x56, 0x78};
    uint8_t mask = l == &c ? 0x80 : 0;

    l->b[l->n++] = first;
    if (n < 126) {
        l->b[l->n++] = mask | (uint8_t)n;
    } else if (n <= 0xffff) {
        l->b[l->n++] = mask | 126;
        store_be16(l->b + l->n, (uint16_t)n);
        l->n += 2;
    } else {
        l->b[l->n++] = mask | 127;
        store_be32(l->b + l->n, 0);
        store_be32(l->b + l->n + 4, (uint32_t)n);
        l->n += 8;
    }
    if (mask) {
        memcpy(l->b + l->n, key, 4);
        l->n += 4;
    }
    for (size_t i = 0; i < n; i++)
        l->b[l->n++] = ((const uint8_t *)p)[i] ^ (mask ? key[i & 3] : 0);
}

static void text(struct line *l, uint8_t first, const char *t)
{
    frame(l, first, t, strlen(t));
}

static struct app_lab *tell(void)
{
    const struct said talk[] = {{APP_TO_SERVER, SAID(request)},
                                {APP_TO_CLIENT, SAID(answer)},
                                {APP_TO_SERVER, c.b, c.n},
                                {APP_TO_CLIENT, s.b, s.n}};
    struct app_lab *l = lab_new(&web);

    cuts_check(&web, talk, 4);
    for (unsigned i = 0; i < 4; i++)
        if (talk[i].len > 0)
            lab_send(l, talk[i].dir, talk[i].bytes, talk[i].len);
    c.n = s.n = 0;
    return l;
}

static void messages(void **state)
{
    static char big[300];

    (void)state;
    memset(big, 'b', sizeof(big));
    text(&c, FIN | TEXT, "hello, server");
    text(&s, TEXT, "in three ");
    text(&s, FIN | PING, "still there?");
    text(&s, 0, "parts, ");
    text(&s, FIN | 0, "joined");
    text(&c, FIN | PONG, "yes");
    frame(&c, FIN | BINARY, big, sizeof(big));
    text(&c, FIN | CLOSE, "\x03\xe8");
    struct app_lab *l = tell();

    assert_true(lab_speaks(l, APP_WEBSOCKET));
    assert_true(lab_saw(l, BUF_WEBSOCKET_PAYLOAD, "hello, server"));
    assert_true(lab_saw(l, BUF_WEBSOCKET_PAYLOAD, "in three parts, joined"));
    assert_true(lab_saw(l, BUF_WEBSOCKET_PAYLOAD, "still there?"));
    assert_true(lab_saw(l, BUF_WEBSOCKET_PAYLOAD, "yes"));
    assert_true(lab_saw_number(l, BUF_WEBSOCKET_OPCODE, TEXT));
    assert_true(lab_saw_number(l, BUF_WEBSOCKET_OPCODE, PING));
    assert_true(lab_saw_number(l, BUF_WEBSOCKET_OPCODE, CLOSE));
    assert_true(lab_saw_number(l, BUF_WEBSOCKET_FLAGS, FIN));
    assert_true(lab_saw_number(l, BUF_WEBSOCKET_FLAGS, 0));
    assert_true(lab_saw_number(l, BUF_WEBSOCKET_MASK, 0x12345678));
    assert_non_null(strstr(l->logged, "websocket: fin=1 mask=305419896 opcode=text"));
    assert_non_null(strstr(l->logged, "websocket: fin=1 opcode=ping"));
    assert_false(anomaly_any(&l->events));
    lab_free(l);
}

/* Two messages with one window: the second refers to the first. */
static void packed_messages(void **state)
{
    static const char *const said[] = {"a secret word that is long enough",
                                       "a secret word that is long enough again"};
    z_stream z = {0};
    uint8_t out[200];

    (void)state;
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY), Z_OK);
    for (int i = 0; i < 2; i++) {
        z.next_in = (uint8_t *)(uintptr_t)said[i];
        z.avail_in = (unsigned)strlen(said[i]);
        z.next_out = out;
        z.avail_out = sizeof(out);
        assert_int_equal(deflate(&z, Z_SYNC_FLUSH), Z_OK);
        size_t n = sizeof(out) - z.avail_out - 4;
        assert_memory_equal(out + n, "\0\0\xff\xff", 4);
        frame(&c, PACKED | TEXT, out, n / 2);
        frame(&c, FIN | 0, out + n / 2, n - n / 2);
    }
    deflateEnd(&z);
    text(&c, FIN | TEXT, "plain");
    struct app_lab *l = tell();

    assert_true(lab_saw(l, BUF_WEBSOCKET_PAYLOAD, said[0]));
    assert_true(lab_saw(l, BUF_WEBSOCKET_PAYLOAD, said[1]));
    assert_true(lab_saw(l, BUF_WEBSOCKET_PAYLOAD, "plain"));
    assert_true(lab_saw_number(l, BUF_WEBSOCKET_FLAGS, PACKED));
    assert_false(anomaly_any(&l->events));
    lab_free(l);
}

static void what_packs_a_bomb(void **state)
{
    static uint8_t zeros[1 << 20], out[200000];
    z_stream z = {0};

    (void)state;
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_out = out;
    z.avail_out = sizeof(out);
    for (int i = 0; i < 64; i++) {
        z.next_in = zeros;
        z.avail_in = sizeof(zeros);
        assert_int_equal(deflate(&z, Z_NO_FLUSH), Z_OK);
    }
    assert_int_equal(deflate(&z, Z_SYNC_FLUSH), Z_OK);
    frame(&c, FIN | PACKED | BINARY, out, sizeof(out) - z.avail_out);
    deflateEnd(&z);
    struct app_limits few = APP_LIMITS_DEFAULT;
    few.decompress_ratio = 100;
    few.decompress_bytes = 1 << 20;
    struct app_lab *l = lab_new(&(struct lab_setup){.dport = 80, .limits = &few});
    lab_say(l, APP_TO_SERVER, request);
    lab_say(l, APP_TO_CLIENT, answer);
    lab_send(l, APP_TO_SERVER, c.b, c.n);
    c.n = 0;
    assert_true(lab_event(l, AN_WEBSOCKET_UNPACKING));
    assert_in_range(l->goes_on[BUF_WEBSOCKET_PAYLOAD][2].next, 1 << 20, 2 << 20);
    lab_free(l);
}

static void odd_frames(void **state)
{
    static const struct {
        enum anomaly event;
        const char *bytes; /* from the client, behind "before" */
        size_t len;
        bool over;
    } cases[] = {
        {AN_WEBSOCKET_MASK, "\x81\x02hi", 4, false},
        {AN_WEBSOCKET_RESERVED, "\x91\x82\0\0\0\0hi", 8, false},
        {AN_WEBSOCKET_RESERVED, "\xc9\x82\0\0\0\0hi", 8, false},
        {AN_WEBSOCKET_OPCODE, "\x83\x82\0\0\0\0hi", 8, false},
        {AN_WEBSOCKET_LENGTH, "\x81\xfe\0\2\0\0\0\0hi", 10, false},
        {AN_WEBSOCKET_LENGTH, "\x81\xff\0\0\0\0\0\0\0\2\0\0\0\0hi", 16, false},
        {AN_WEBSOCKET_LENGTH, "\x81\xff\x80\0\0\0\0\0\0\2\0\0\0\0hi", 16, true},
        {AN_WEBSOCKET_CONTROL, "\x09\x82\0\0\0\0hi", 8, false},
        {AN_WEBSOCKET_FRAGMENTS, "\x80\x82\0\0\0\0hi", 8, false},
        {AN_WEBSOCKET_FRAGMENTS, "\x01\x81\0\0\0\0x\x81\x82\0\0\0\0hi", 15, false},
        {AN_WEBSOCKET_AFTER_CLOSE, "\x88\x80\0\0\0\0\x81\x82\0\0\0\0hi", 14, false},
        {AN_WEBSOCKET_UNPACKING, "\xc1\x84\0\0\0\0\xff\xff\xff\xff", 10, false},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        text(&c, FIN | TEXT, "before");
        memcpy(c.b + c.n, cases[i].bytes, cases[i].len);
        c.n += cases[i].len;
        text(&c, FIN | TEXT, "behind");
        struct app_lab *l = tell();

        if (!lab_event(l, cases[i].event))
            fail_msg("case %u: no %s", i, anomaly_info[cases[i].event].name);
        assert_true(lab_saw(l, BUF_WEBSOCKET_PAYLOAD, "before"));
        assert_int_equal(lab_saw(l, BUF_WEBSOCKET_PAYLOAD, "behind"), !cases[i].over);
        if (!cases[i].over && cases[i].event != AN_WEBSOCKET_UNPACKING)
            assert_true(lab_saw(l, BUF_WEBSOCKET_PAYLOAD, "hi"));
        lab_free(l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages),
        cmocka_unit_test(packed_messages),
        cmocka_unit_test(what_packs_a_bomb),
        cmocka_unit_test(odd_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
