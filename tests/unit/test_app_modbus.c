/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Modbus: what requests ask for is found, whole and in pieces; what cannot be is said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "rules/modbus_facts.h"
#include "tests/unit/app_cuts.h"

#define READ_COILS  "\x00\x01\x00\x00\x00\x06\x11\x01\x00\x13\x00\x25"
#define READ_ANSWER "\x00\x01\x00\x00\x00\x08\x11\x01\x05\xcd\x6b\xb2\x0e\x1b"
#define WRITE_MANY  "\x00\x02\x00\x00\x00\x0b\x11\x10\x00\x01\x00\x02\x04\x00\x0a\x01\x02"
#define WRITE_COILS "\x00\x03\x00\x00\x00\x09\x11\x0f\x00\x13\x00\x0a\x02\xcd\x01"
#define REFUSED     "\x00\x03\x00\x00\x00\x03\x11\x8f\x02"
#define DIAGNOSE    "\x00\x04\x00\x00\x00\x06\x11\x08\x00\x04\x00\x00"
#define BOTH        "\x00\x05\x00\x00\x00\x0d\x11\x17\x00\x03\x00\x06\x00\x0e\x00\x01\x02\x00\xff"

static struct modbus_facts last_facts(const struct app_lab *l)
{
    struct modbus_facts f = {0};

    for (uint32_t i = 0; i < l->n_seen; i++)
        if (l->seen[i].buffer == BUF_MODBUS_FACTS)
            memcpy(&f, l->seen[i].bytes.p, sizeof(f));
    return f;
}

static struct modbus_facts ask(struct app_lab *l, const char *bytes, size_t n)
{
    lab_send(l, APP_TO_SERVER, bytes, n);
    return last_facts(l);
}

static void test_requests(void **state)
{
    struct app_lab *l = lab_new(&(struct lab_setup){.dport = 502});
    struct modbus_facts f = ask(l, READ_COILS, sizeof(READ_COILS) - 1);

    assert_true(lab_speaks(l, APP_MODBUS));
    assert_int_equal(f.unit, 0x11);
    assert_int_equal(f.function, 1);
    assert_int_equal(f.access, MODBUS_READ);
    assert_int_equal(f.table, MODBUS_COILS);
    assert_int_equal(f.category, MODBUS_PUBLIC_ASSIGNED);
    assert_int_equal(f.read_address, 0x13);
    assert_int_equal(f.read_quantity, 0x25);
    assert_true(lab_saw_bytes(l, BUF_MODBUS_DATA, "\x00\x13\x00\x25", 4));
    lab_send(l, APP_TO_CLIENT, READ_ANSWER, sizeof(READ_ANSWER) - 1);
    assert_int_equal(last_facts(l).access, 0);
    assert_false(lab_event(l, AN_MODBUS_UNSOLICITED));
    f = ask(l, WRITE_MANY, sizeof(WRITE_MANY) - 1);
    assert_int_equal(f.access, MODBUS_WRITE);
    assert_int_equal(f.table, MODBUS_HOLDING);
    assert_int_equal(f.n_values, 2);
    assert_true(f.value[0] == 0x0a && f.value[1] == 0x0102);
    f = ask(l, WRITE_COILS, sizeof(WRITE_COILS) - 1);
    assert_int_equal(f.n_values, 10);
    assert_true(f.value[0] == 1 && f.value[1] == 0 && f.value[9] == 0 && f.value[8] == 1);
    lab_send(l, APP_TO_CLIENT, REFUSED, sizeof(REFUSED) - 1);
    f = ask(l, DIAGNOSE, sizeof(DIAGNOSE) - 1);
    assert_true(f.has_subfunction && f.subfunction == 4);
    f = ask(l, BOTH, sizeof(BOTH) - 1);
    assert_int_equal(f.access, MODBUS_READ | MODBUS_WRITE);
    assert_true(f.read_address == 3 && f.write_address == 14 && f.n_values == 1 && f.value[0] == 0xff);
    assert_non_null(
        strstr(l->logged, "modbus: request={transaction_id=1 protocol_id=0 unit_id=17 function_raw=1 "));
    assert_false(lab_event(l, AN_MODBUS_VALUE) || lab_event(l, AN_MODBUS_LENGTH) ||
                 lab_event(l, AN_MODBUS_EXCEPTION));
    lab_free(l);
}

static void test_cuts(void **state)
{
    static const struct said talk[] = {
        {APP_TO_SERVER, SAID(READ_COILS)},
        {APP_TO_CLIENT, SAID(READ_ANSWER)},
        {APP_TO_SERVER, SAID(WRITE_MANY WRITE_COILS DIAGNOSE BOTH)},
        {APP_TO_CLIENT, SAID(REFUSED)},
    };

    cuts_check(&(struct lab_setup){.dport = 502}, talk, 4);
}

static void test_broken(void **state)
{
    struct app_lab *l = lab_new(&(struct lab_setup){.dport = 502});

    ask(l, READ_COILS, sizeof(READ_COILS) - 1);
    ask(l, "\x00\x09\x00\x00\x00\x06\x11\x03\x00\x00\x00\xff", 12);
    assert_true(lab_event(l, AN_MODBUS_VALUE));
    ask(l, "\x00\x09\x00\x00\x00\x02\x11\x00", 8);
    assert_true(lab_event(l, AN_MODBUS_FUNCTION));
    lab_send(l, APP_TO_CLIENT, "\x00\x63\x00\x00\x00\x03\x11\x83\x63", 9);
    assert_true(lab_event(l, AN_MODBUS_UNSOLICITED));
    assert_true(lab_event(l, AN_MODBUS_EXCEPTION));
    ask(l, "\x00\x09\x00\x01\x00\x02\x11\x07", 8);
    assert_true(lab_event(l, AN_MODBUS_PROTOCOL));
    for (int i = 0; i < 70; i++)
        ask(l, "\x00\x09\x00\x00\x00\x02\x11\x07", 8);
    assert_true(lab_event(l, AN_MODBUS_FLOODED));
    ask(l, "\x00\x09\x00\x00\xff\x02\x11\x07", 8);
    assert_true(lab_event(l, AN_MODBUS_LENGTH));
    lab_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_broken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
