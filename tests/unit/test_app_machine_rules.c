/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules about SIP, MQTT, Modbus and DNP3 as both languages write them, on what their parsers publish: which hold, and which
 * do not, for one message each; and the message that holds is dropped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "rules/dialect.h"
#include "tests/unit/app_cuts.h"
#include "tests/unit/app_rules.h"

static const struct message {
    uint16_t port;
    bool udp;
    struct said first, second; /* second.len 0: there is none */
} messages[] = {
#define INVITE 0
    {5060,
     true,
     {APP_TO_SERVER, SAID("INVITE sip:x SIP/2.0\r\nFrom: () { :;}; evil\r\n\r\nv=0\r\ns=name\r\n")},
     {0}},
#define REFUSED 1
    {5060,
     true,
     {APP_TO_SERVER, SAID("OPTIONS sip:x SIP/2.0\r\n\r\n")},
     {APP_TO_CLIENT, SAID("SIP/2.0 404 No\r\n\r\n")}},
#define PUBLISH 2
    {1883,
     false,
     {APP_TO_SERVER, SAID("\x10\x0f\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x02"
                          "me\x33\x09\x00\x01t\x00\x07\x00yes")},
     {APP_TO_CLIENT, SAID("\x20\x03\x01\x87\x00")}},
#define WRITE 3
    {502, false, {APP_TO_SERVER, SAID("\0\2\0\0\0\x0b\x11\x10\x01\xf4\0\2\4\0\x0a\1\2")}, {0}},
#define OPERATE 4
    {20000,
     false,
     {APP_TO_SERVER, SAID("\x05\x64\x0b\xc4\x01\x00\x02\x00\x69\x9e\xc0\xc1\x01\x3c\x02\x06\x52\xc3")},
     {0}},
};

#define SURICATA DIALECT_SURICATA
#define SNORT    DIALECT_SNORT3

static const struct row {
    unsigned message;
    uint8_t dialect;
    const char *header, *options;
    unsigned alerts;
} rows[] = {
    {INVITE, SNORT, "udp", "sip_method:invite; content:\"INVITE\",fast_pattern,nocase; service:sip;", 1},
    {INVITE, SNORT, "udp", "sip_method:bye,options;", 0},
    {INVITE, SNORT, "udp", "sip_method:!invite;", 0},
    {INVITE, SNORT, "udp", "sip_header; content:\"() {\"; service:sip;", 1},
    {INVITE, SURICATA, "sip", "sip.method; content:\"INVITE\"; sip.from; content:\"evil\"; endswith;", 1},
    {INVITE, SURICATA, "sip", "sip.method; content:\"INVITE\"; sdp.session_name; content:\"name\"; bsize:4;",
     1},
    {INVITE, SURICATA, "sip", "sip.stat_code; content:\"200\";", 0},
    {INVITE, SURICATA, "dns", "content:\"INVITE\";", 0},
    {INVITE, SURICATA, "udp", "app-layer-protocol:sip; content:\"INVITE\";", 1},
    {REFUSED, SNORT, "udp", "sip_stat_code:4; content:\"SIP/2.0\",fast_pattern,nocase;", 1},
    {REFUSED, SNORT, "udp", "sip_stat_code:200,404;", 1},
    {REFUSED, SNORT, "udp", "sip_stat_code:2;", 0},
    {PUBLISH, SURICATA, "mqtt", "mqtt.type:CONNECT; mqtt.connect.flags:clean_session,!username;", 1},
    {PUBLISH, SURICATA, "mqtt", "mqtt.type:PUBLISH; mqtt.qos:1; mqtt.flags:retain,!dup;", 1},
    {PUBLISH, SURICATA, "mqtt", "mqtt.type:CONNECT; mqtt.qos:1;", 0},
    {PUBLISH, SURICATA, "mqtt", "mqtt.publish.topic; content:\"t\"; mqtt.publish.message; content:\"yes\";",
     1},
    {PUBLISH, SURICATA, "mqtt", "mqtt.protocol_version:5; mqtt.connect.clientid; content:\"me\";", 1},
    {PUBLISH, SURICATA, "mqtt", "mqtt.connack.session_present:yes; mqtt.connack.return_code:135;", 1},
    {PUBLISH, SURICATA, "mqtt", "mqtt.reason_code:>130;", 1},
    {WRITE, SURICATA, "modbus", "modbus:access write holding, address 501, value 258;", 1},
    {WRITE, SURICATA, "modbus", "modbus:access write holding, address 500, value 258;", 0},
    {WRITE, SURICATA, "modbus", "modbus:unit >16, access write, address 400<>600;", 1},
    {WRITE, SURICATA, "modbus", "modbus:access write, address >501;", 0},
    {WRITE, SURICATA, "modbus", "modbus:access read;", 0},
    {WRITE, SURICATA, "modbus", "modbus:function 16;", 1},
    {WRITE, SURICATA, "modbus", "modbus:function !assigned;", 0},
    {WRITE, SURICATA, "modbus", "modbus:unit 17, function public;", 1},
    {WRITE, SNORT, "tcp", "modbus_func:write_multiple_registers; modbus_data; content:\"|01 f4|\",depth 2;",
     1},
    {WRITE, SNORT, "tcp", "modbus_unit:18;", 0},
    {OPERATE, SURICATA, "dnp3", "dnp3_func:read; dnp3_obj:60,2;", 1},
    {OPERATE, SURICATA, "dnp3", "dnp3.obj:60,3;", 0},
    {OPERATE, SNORT, "tcp", "dnp3_func:write;", 0},
    {OPERATE, SURICATA, "dnp3", "dnp3.data; content:\"|3c 02 06|\"; endswith;", 1},
};

static void test_rules(void **state)
{
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct message *m = &messages[rows[i].message];
        const struct lab_setup setup = {.dport = m->port, .udp = m->udp};
        char text[512];

        snprintf(text, sizeof(text), "drop %s any any -> any any (msg:\"x\"; %s sid:1;)\n", rows[i].header,
                 rows[i].options);
        struct rules_lab *r = rules_lab_new_as(&setup, text, rows[i].dialect);
        unsigned alerts;

        lab_send(r->lab, m->first.dir, m->first.bytes, m->first.len);
        alerts = rules_lab_alerts(r, 1);
        if (alerts == 0 && m->second.len > 0) {
            lab_send(r->lab, m->second.dir, m->second.bytes, m->second.len);
            alerts = rules_lab_alerts(r, 1);
        }
        if (alerts != rows[i].alerts)
            fail_msg("row %u: %u alerts of %s", i, alerts, text);
        if (alerts > 0 && r->verdict != VERDICT_DROP)
            fail_msg("row %u is not dropped: %s", i, text);
        rules_lab_free(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rules)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
