/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MQTT 3.1.1 and 5: every kind of message, whole and in pieces; what is out of place or broken is said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/app_cuts.h"

#define CONNECT4                                   \
    "\x10\x2a\x00\x04MQTT\x04\xc6\x00\x3c\x00\x03" \
    "dev\x00\x04will\x00\x04gone\x00\x05"          \
    "alice\x00\x06secret"
#define CONNECT5                                                   \
    "\x10\x13\x00\x04MQTT\x05\x02\x00\x3c\x03\x21\x00\x14\x00\x03" \
    "abc"
#define CONNACK "\x20\x02\x01\x05"
#define PUBLISH        \
    "\x33\x0e\x00\x03" \
    "a/b\x00\x07hi you!"
#define SUBSCRIBE              \
    "\x82\x0d\x00\x0a\x00\x03" \
    "x/y\x01\x00\x02"          \
    "z#\x00"
#define SUBACK "\x90\x04\x00\x0a\x01\x80"
#define UNSUBSCRIBE            \
    "\xa2\x07\x00\x0b\x00\x03" \
    "x/y"

static void test_messages(void **state)
{
    struct app_lab *l = lab_new(&(struct lab_setup){.dport = 9999});

    lab_send(l, APP_TO_SERVER, CONNECT4, sizeof(CONNECT4) - 1);
    assert_true(lab_speaks(l, APP_MQTT));
    assert_true(lab_saw(l, BUF_MQTT_PROTOCOL_STRING, "MQTT"));
    assert_true(lab_saw(l, BUF_MQTT_CLIENTID, "dev"));
    assert_true(lab_saw(l, BUF_MQTT_WILLTOPIC, "will"));
    assert_true(lab_saw(l, BUF_MQTT_WILLMESSAGE, "gone"));
    assert_true(lab_saw(l, BUF_MQTT_USERNAME, "alice"));
    assert_true(lab_saw(l, BUF_MQTT_PASSWORD, "secret"));
    assert_true(lab_saw_number(l, BUF_MQTT_TYPE, 1));
    assert_true(lab_saw_number(l, BUF_MQTT_VERSION, 4));
    assert_true(lab_saw_number(l, BUF_MQTT_CONNECT_FLAGS, 0xc6));
    lab_send(l, APP_TO_CLIENT, CONNACK, 4);
    assert_true(lab_saw_number(l, BUF_MQTT_SESSION_PRESENT, 1));
    assert_true(lab_saw_number(l, BUF_MQTT_RETURN_CODE, 5));
    lab_send(l, APP_TO_SERVER, PUBLISH, sizeof(PUBLISH) - 1);
    assert_true(lab_saw_number(l, BUF_MQTT_QOS, 1));
    assert_true(lab_saw_number(l, BUF_MQTT_FLAGS, 3));
    assert_true(lab_saw(l, BUF_MQTT_PUBLISH_TOPIC, "a/b"));
    assert_true(span_eq_str(lab_grown(l, BUF_MQTT_PUBLISH_MESSAGE), "hi you!"));
    lab_send(l, APP_TO_SERVER, SUBSCRIBE, sizeof(SUBSCRIBE) - 1);
    assert_true(lab_saw(l, BUF_MQTT_SUBSCRIBE_TOPIC, "x/y"));
    assert_true(lab_saw(l, BUF_MQTT_SUBSCRIBE_TOPIC, "z#"));
    lab_send(l, APP_TO_CLIENT, SUBACK, sizeof(SUBACK) - 1);
    assert_true(lab_saw_number(l, BUF_MQTT_REASON, 1) && lab_saw_number(l, BUF_MQTT_REASON, 0x80));
    lab_send(l, APP_TO_SERVER, UNSUBSCRIBE, sizeof(UNSUBSCRIBE) - 1);
    assert_true(lab_saw(l, BUF_MQTT_UNSUBSCRIBE_TOPIC, "x/y"));
    assert_non_null(
        strstr(l->logged, "mqtt: connect={qos=0 retain=0 dup=0 protocol_string=MQTT protocol_version=4"));
    assert_non_null(
        strstr(l->logged, "publish={qos=1 retain=1 dup=0 topic=a/b message_id=7 message=hi you! }"));
    assert_non_null(strstr(l->logged, "topics={={topic=x/y qos=1 } ={topic=z# qos=0 } }"));
    assert_null(strstr(l->logged, "secret"));
    assert_false(lab_event(l, AN_MQTT_MALFORMED));
    assert_false(lab_event(l, AN_MQTT_UNINTRODUCED));
    lab_free(l);
}

static void test_cuts(void **state)
{
    static const struct said talk[] = {
        {APP_TO_SERVER, SAID(CONNECT4)},
        {APP_TO_CLIENT, SAID(CONNACK)},
        {APP_TO_SERVER, SAID(PUBLISH SUBSCRIBE "\xc0\x00" PUBLISH UNSUBSCRIBE)},
        {APP_TO_CLIENT, SAID(SUBACK "\xd0\x00\x30\x05\x00\x03yes")},
    };
    static const struct said five[] = {
        {APP_TO_SERVER, SAID(CONNECT5)},
        {APP_TO_SERVER, SAID("\x30\x0e\x00\x01t\x05\x26\x00\x00\x00\x00text!")},
        {APP_TO_CLIENT, SAID("\xe0\x01\x8e")},
    };
    struct app_lab *l = lab_new(&(struct lab_setup){.dport = 1883});

    cuts_check(&(struct lab_setup){.dport = 1883}, talk, 4);
    cuts_check(&(struct lab_setup){.dport = 1883}, five, 3);
    for (unsigned i = 0; i < 3; i++)
        lab_send(l, five[i].dir, five[i].bytes, five[i].len);
    assert_true(lab_saw(l, BUF_MQTT_CLIENTID, "abc"));
    assert_true(lab_saw(l, BUF_MQTT_PUBLISH_TOPIC, "t"));
    assert_true(span_eq_str(lab_grown(l, BUF_MQTT_PUBLISH_MESSAGE), "text!"));
    assert_true(lab_saw_number(l, BUF_MQTT_REASON, 0x8e));
    lab_free(l);
}

static void test_out_of_place(void **state)
{
    struct app_lab *l = lab_new(&(struct lab_setup){.dport = 1883});

    lab_send(l, APP_TO_SERVER, "\xc0\x00", 2);
    for (int i = 0; i < 600; i++) /* others hope for more as long as they may */
        lab_send(l, APP_TO_CLIENT, CONNACK, 4);
    assert_true(lab_event(l, AN_MQTT_MISSING_CONNECT));
    lab_send(l, APP_TO_SERVER, "\xc0\x00", 2);
    assert_true(lab_event(l, AN_MQTT_UNINTRODUCED));
    lab_send(l, APP_TO_SERVER, CONNECT4 CONNECT4, 2 * (sizeof(CONNECT4) - 1));
    assert_true(lab_event(l, AN_MQTT_DOUBLE_CONNECT));
    lab_send(l, APP_TO_SERVER, "\x36\x02\x00\x00", 4);
    assert_true(lab_event(l, AN_MQTT_QOS));
    lab_forget(l);
    lab_send(l, APP_TO_SERVER, "\x82\x04\x00\x01\x00\x09", 6);
    assert_true(lab_event(l, AN_MQTT_MALFORMED));
    lab_forget(l);
    lab_send(l, APP_TO_SERVER, "\x00\x00", 2);
    assert_true(lab_event(l, AN_MQTT_UNASSIGNED));
    lab_send(l, APP_TO_SERVER, "\x30\xff\xff\xff\xff\x01", 6);
    assert_true(lab_event(l, AN_MQTT_MALFORMED));
    lab_free(l);
}

/* A text beyond the window is seen to its end; topics beyond what is collected are skipped, and that is said. */
static void test_long(void **state)
{
    static uint8_t big[400000];
    struct app_lab *l = lab_new(&(struct lab_setup){.dport = 1883});

    lab_send(l, APP_TO_SERVER, CONNECT4, sizeof(CONNECT4) - 1);
    memcpy(big, "\x30\xc3\xa7\x12\x00\x01t", 7);
    memset(big + 7, 'x', sizeof(big) - 7);
    lab_send_cut(l, APP_TO_SERVER, big, 4 + 0x43 + (0x27 << 7) + (0x12 << 14), 1400);
    assert_int_equal(lab_grown(l, BUF_MQTT_PUBLISH_MESSAGE).len, 0x43 + (0x27 << 7) + (0x12 << 14) - 3);
    lab_forget(l);
    memcpy(big, "\x82\xc3\xa7\x12\x00\x01\x00\x01t\x00", 10);
    lab_send_cut(l, APP_TO_SERVER, big, 4 + 0x43 + (0x27 << 7) + (0x12 << 14), 1400);
    assert_true(lab_event(l, AN_MQTT_TOO_LONG));
    assert_true(lab_saw(l, BUF_MQTT_SUBSCRIBE_TOPIC, "t"));
    lab_send(l, APP_TO_SERVER, UNSUBSCRIBE, sizeof(UNSUBSCRIBE) - 1);
    assert_true(lab_saw(l, BUF_MQTT_UNSUBSCRIBE_TOPIC, "x/y"));
    lab_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_out_of_place),
        cmocka_unit_test(test_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
