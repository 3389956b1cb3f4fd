/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DNP3: fragments out of frames, whole and in pieces; objects with and without values; wrong checksums and wrong order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/app_cuts.h"

struct talk {
    uint8_t b[70000];
    uint32_t n;
};

static uint16_t crc(const uint8_t *p, uint32_t n)
{
    uint16_t c = 0;

    for (uint32_t i = 0; i < n; i++) {
        c ^= p[i];
        for (int k = 0; k < 8; k++)
            c = (uint16_t)(c & 1 ? c >> 1 ^ 0xa6bc : c >> 1);
    }
    return (uint16_t)~c;
}

static void add_summed(struct talk *t, const void *p, uint32_t n)
{
    memcpy(t->b + t->n, p, n);
    uint16_t c = crc(p, n);
    t->b[t->n + n] = (uint8_t)c;
    t->b[t->n + n + 1] = (uint8_t)(c >> 8);
    t->n += n + 2;
}

static void frame(struct talk *t, uint8_t transport, const char *bytes, uint32_t n)
{
    uint8_t head[8] = {5, 0x64, (uint8_t)(n + 6), 0xc4, 1, 0, 2, 0}, data[250];

    data[0] = transport;
    memcpy(data + 1, bytes, n);
    add_summed(t, head, 8);
    for (uint32_t i = 0; i < n + 1; i += 16)
        add_summed(t, data + i, n + 1 - i < 16 ? n + 1 - i : 16);
}

#define CROB     "\xc1\x05\x0c\x01\x28\x01\x00\x9f\x86\x03\x01\x64\x00\x00\x00\x64\x00\x00\x00\x00"
#define CLASSES  "\xc2\x01\x3c\x02\x06\x3c\x03\x06\x3c\x04\x06"
#define RESPONSE "\xc2\x81\x10\x04\x1e\x02\x00\x00\x01\x01\x11\x22\x01\x33\x44\x01\x01\x00\x00\x09\xff\x03"

static void test_fragments(void **state)
{
    struct app_lab *l = lab_new(&(struct lab_setup){.dport = 9999});
    static struct talk t;

    /* a fragment in two frames */
    t.n = 0;
    frame(&t, 0x40 | 9, CROB, 10);
    frame(&t, 0x80 | 10, &CROB[10], sizeof(CROB) - 1 - 10);
    lab_send(l, APP_TO_SERVER, t.b, t.n);
    assert_true(lab_speaks(l, APP_DNP3));
    assert_true(lab_saw_bytes(l, BUF_DNP3_DATA, CROB, sizeof(CROB) - 1));
    assert_true(lab_saw_number(l, BUF_DNP3_FUNC, 5));
    assert_int_equal(lab_count(l, BUF_DNP3_OBJ), 1);
    assert_true(lab_saw_number(l, BUF_DNP3_OBJ, 12 << 8 | 1));
    l->n_seen = 0;
    t.n = 0;
    frame(&t, 0xc0, CLASSES, sizeof(CLASSES) - 1);
    lab_send(l, APP_TO_SERVER, t.b, t.n);
    assert_int_equal(lab_count(l, BUF_DNP3_OBJ), 3);
    assert_true(lab_saw_number(l, BUF_DNP3_OBJ, 60 << 8 | 4));
    assert_int_equal(lab_count(l, BUF_DNP3_IND), 0);
    l->n_seen = 0;
    t.n = 0;
    frame(&t, 0xc0, RESPONSE, sizeof(RESPONSE) - 1);
    lab_send(l, APP_TO_CLIENT, t.b, t.n);
    assert_true(lab_saw_number(l, BUF_DNP3_IND, 0x1004));
    assert_int_equal(lab_count(l, BUF_DNP3_OBJ), 2);
    assert_true(lab_saw_number(l, BUF_DNP3_OBJ, 30 << 8 | 2));
    assert_true(lab_saw_number(l, BUF_DNP3_OBJ, 1 << 8 | 1));
    assert_non_null(
        strstr(l->logged, "dnp3: request={control={fir=1 fin=1 con=0 uns=0 sequence=1 } src=2 dst=1 "));
    assert_false(lab_event(l, AN_DNP3_MALFORMED) || lab_event(l, AN_DNP3_OBJECT));
    lab_free(l);
}

static void test_cuts(void **state)
{
    static struct talk t[2];
    struct said talk[2];

    frame(&t[0], 0x40 | 62, CROB, 18);
    frame(&t[0], 63, &CROB[18], 1);
    frame(&t[0], 0x80, &CROB[19], 1);
    frame(&t[0], 0xc0, CLASSES, sizeof(CLASSES) - 1);
    frame(&t[1], 0xc0, RESPONSE, sizeof(RESPONSE) - 1);
    talk[0] = (struct said){APP_TO_SERVER, t[0].b, t[0].n};
    talk[1] = (struct said){APP_TO_CLIENT, t[1].b, t[1].n};
    cuts_check(&(struct lab_setup){.dport = 20000}, talk, 2);

    struct app_lab *l = lab_new(&(struct lab_setup){.dport = 20000, .udp = true});
    lab_send(l, APP_TO_SERVER, t[0].b, t[0].n);
    assert_true(lab_saw_bytes(l, BUF_DNP3_DATA, CROB, sizeof(CROB) - 1));
    lab_free(l);
}

static void test_broken(void **state)
{
    struct app_lab *l = lab_new(&(struct lab_setup){.dport = 20000});
    static struct talk t;

    frame(&t, 0xc0, CLASSES, sizeof(CLASSES) - 1);
    lab_send(l, APP_TO_SERVER, t.b, t.n);
    lab_forget(l);
    t.b[12] ^= 1;
    lab_send(l, APP_TO_SERVER, t.b, t.n);
    assert_true(lab_event(l, AN_DNP3_DATA_CRC));
    assert_int_equal(lab_count(l, BUF_DNP3_DATA), 0);
    t.b[12] ^= 1;
    t.b[3] ^= 1;
    lab_send(l, APP_TO_SERVER, t.b, t.n);
    assert_true(lab_event(l, AN_DNP3_LINK_CRC));
    t.b[3] ^= 1;
    lab_send(l, APP_TO_SERVER, "\x05\x05noise\x05", 8); /* the next frame is found behind what is none */
    lab_send(l, APP_TO_SERVER, t.b, t.n);
    assert_true(lab_event(l, AN_DNP3_MALFORMED));
    assert_int_equal(lab_count(l, BUF_DNP3_DATA), 1);
    lab_forget(l);
    t.n = 0;
    frame(&t, 0x40 | 1, CROB, 10);
    frame(&t, 0x80 | 3, &CROB[10], 10);
    lab_send(l, APP_TO_SERVER, t.b, t.n);
    assert_true(lab_event(l, AN_DNP3_MALFORMED));
    assert_int_equal(lab_count(l, BUF_DNP3_DATA), 0);
    lab_forget(l);
    t.n = 0;
    frame(&t, 0xc0, "\xc0\x02\xc8\x01\x06\x3c\x01\x06", 8);
    lab_send(l, APP_TO_SERVER, t.b, t.n);
    assert_true(lab_event(l, AN_DNP3_OBJECT));
    assert_int_equal(lab_count(l, BUF_DNP3_OBJ), 1);
    lab_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fragments),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_broken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
