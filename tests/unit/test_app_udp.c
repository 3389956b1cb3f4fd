/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Small protocols of datagrams: DHCP, NTP, TFTP and SNMP. Each message as it should be, on its own port and on another;
 * every prefix of it, which must be an event or nothing more than less; and junk in front, which must hide nothing.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/app_lab.h"

static struct app_lab *lab(uint16_t port)
{
    return lab_new(&(struct lab_setup){.udp = true, .dport = port});
}

/* --- DHCP ------------------------------------------------------------------------------------------------------------- */

static const uint8_t dhcp_options[] =
    "\x63\x82\x53\x63\x35\1\5\x33\4\0\0\x0e\x10\x3a\4\0\0\7\x08\x0c\4host\x34\1\1\xff";

static uint32_t dhcp_message(uint8_t *p)
{
    memset(p, 0, 300);
    p[0] = 2;
    memcpy(p + 4, "\x12\x34\x56\x78", 4);
    memcpy(p + 16, "\xc0\0\2\x07", 4);
    memcpy(p + 28, "\2\0\0\0\0\1", 6);
    memcpy(p + 108, "\x3b\4\0\0\x0c\x4e\xff", 7); /* option 52: more options where the file's name would be */
    memcpy(p + 236, dhcp_options, sizeof(dhcp_options) - 1);
    return 236 + sizeof(dhcp_options) - 1;
}

static void dhcp(void **state)
{
    uint8_t p[300];
    uint32_t n = dhcp_message(p);

    for (int i = 0; i < 2; i++) {
        struct app_lab *l = lab(i ? 67 : 6767);
        lab_send(l, APP_TO_SERVER, p, n);
        assert_true(lab_speaks(l, APP_DHCP));
        assert_true(lab_saw_number(l, BUF_DHCP_LEASETIME, 3600));
        assert_true(lab_saw_number(l, BUF_DHCP_RENEWAL_TIME, 1800));
        assert_true(lab_saw_number(l, BUF_DHCP_REBINDING_TIME, 3150));
        assert_non_null(strstr(l->logged, "dhcp: type=reply id=305419896 client_mac=02:00:00:00:00:01"));
        assert_non_null(strstr(l->logged, "assigned_ip=192.0.2.7"));
        assert_non_null(strstr(l->logged, "dhcp_type=ack hostname=host"));
        assert_false(lab_event(l, AN_DHCP_TRUNCATED_OPTIONS));
        lab_free(l);
    }
    for (uint32_t cut = 1; cut < n - 1; cut++) {
        struct app_lab *l = lab(67);
        lab_send(l, APP_TO_SERVER, p, cut);
        assert_int_equal(lab_event(l, AN_DHCP_MALFORMED), cut < 240);
        lab_send(l, APP_TO_SERVER, p, n);
        assert_true(lab_saw_number(l, BUF_DHCP_LEASETIME, 3600));
        lab_free(l);
    }
    struct app_lab *l = lab(67);
    lab_send(l, APP_TO_SERVER, p, 240 + 5);
    assert_true(lab_event(l, AN_DHCP_TRUNCATED_OPTIONS));
    lab_free(l);
}

/* --- NTP -------------------------------------------------------------------------------------------------------------- */

static void ntp(void **state)
{
    uint8_t p[48] = {0x23};
    struct app_lab *l = lab(123);

    lab_send(l, APP_TO_SERVER, p, sizeof(p));
    assert_true(lab_speaks(l, APP_NTP));
    assert_int_equal(l->n_inspected, 1);
    lab_send(l, APP_TO_SERVER, "\x17\0\3\x2a\0\0\0\0", 8); /* monlist */
    assert_false(lab_event(l, AN_NTP_MALFORMED));
    lab_send(l, APP_TO_SERVER, p, 47);
    assert_true(lab_event(l, AN_NTP_MALFORMED));
    lab_free(l);
    l = lab(1230);
    lab_send(l, APP_TO_SERVER, p, sizeof(p));
    assert_false(lab_speaks(l, APP_NTP));
    lab_free(l);
}

/* --- TFTP ------------------------------------------------------------------------------------------------------------- */

static void tftp(void **state)
{
    for (int i = 0; i < 2; i++) {
        struct app_lab *l = lab(i ? 69 : 6969);

        lab_send(l, APP_TO_SERVER, "\0\1boot.img\0OCTET\0blksize\0001400", 30);
        assert_true(lab_speaks(l, APP_TFTP));
        assert_string_equal(l->logged, "tftp: packet=read file=boot.img mode=OCTET \n");
        lab_send(l, APP_TO_CLIENT, "\0\3\0\1data", 8);
        assert_int_equal(l->n_inspected, 2);
        assert_false(lab_event(l, AN_TFTP_MALFORMED));
        lab_send(l, APP_TO_SERVER, "\0\2no end", 8);
        assert_true(lab_event(l, AN_TFTP_MALFORMED));
        lab_free(l);
    }
    struct app_lab *l = lab(69);
    for (int i = 0; i < 8; i++)
        lab_send(l, APP_TO_SERVER, "\xff\xff", 2);
    lab_send(l, APP_TO_SERVER, "\0\2passwd\0netascii\0", 18);
    assert_non_null(strstr(l->logged, "packet=write file=passwd mode=netascii"));
    lab_free(l);
}

/* --- SNMP ------------------------------------------------------------------------------------------------------------- */

static const uint8_t snmp_get[] =
    "\x30\x26\2\1\1\4\6public\xa0\x19\2\1\x2a\2\1\0\2\1\0\x30\x0e\x30\x0c\6\x08\x2b\6\1\2\1\1\1\0\5\0";
static const uint8_t snmp_v3[] = "\x30\x3a\2\1\3\x30\x0e\2\1\x01\2\3\0\xff\xe3\4\1\4\2\1\3"
                                 "\4\x15\x30\x13\4\1\x80\2\1\0\2\1\0\4\4root\4\0\4\0"
                                 "\x30\x14\4\0\4\0\xa3\x0e\2\1\1\2\1\0\2\1\0\x30\3\x30\1\0";

static void snmp(void **state)
{
    struct app_lab *l = lab(161);

    lab_send(l, APP_TO_SERVER, snmp_get, sizeof(snmp_get) - 1);
    assert_true(lab_speaks(l, APP_SNMP));
    assert_false(lab_event(l, AN_SNMP_MALFORMED));
    assert_true(lab_saw(l, BUF_SNMP_COMMUNITY, "public"));
    assert_true(lab_saw_number(l, BUF_SNMP_VERSION, 2));
    assert_true(lab_saw_number(l, BUF_SNMP_PDU_TYPE, 0));
    assert_string_equal(
        l->logged, "snmp: version=2 community=public pdu_type=get_request vars={=1.3.6.1.2.1.1.1.0 } \n");
    lab_free(l);
    for (uint32_t cut = 1; cut < sizeof(snmp_get) - 1; cut++) {
        l = lab(161);
        lab_send(l, APP_TO_SERVER, snmp_get, cut);
        assert_true(lab_event(l, AN_SNMP_MALFORMED));
        lab_send(l, APP_TO_SERVER, snmp_get, sizeof(snmp_get) - 1);
        assert_true(lab_saw(l, BUF_SNMP_COMMUNITY, "public"));
        lab_free(l);
    }
    l = lab(1161);
    lab_send(l, APP_TO_SERVER, snmp_get, sizeof(snmp_get) - 1);
    assert_true(lab_saw(l, BUF_SNMP_COMMUNITY, "public"));
    lab_free(l);
}

static void snmp_with_users(void **state)
{
    struct app_lab *l = lab(161);
    uint8_t p[sizeof(snmp_v3)];
    uint32_t n = sizeof(snmp_v3) - 1;

    memcpy(p, snmp_v3, n);
    p[1] = (uint8_t)(n - 2);
    lab_send(l, APP_TO_SERVER, p, n);
    assert_true(lab_saw(l, BUF_SNMP_USM, "root"));
    assert_true(lab_saw_number(l, BUF_SNMP_VERSION, 3));
    assert_false(lab_event(l, AN_SNMP_UNKNOWN_SECURITY));
    assert_true(lab_saw_number(l, BUF_SNMP_PDU_TYPE, 3));
    assert_false(lab_event(l, AN_SNMP_MALFORMED));
    p[20] = 9; /* the security model */
    lab_send(l, APP_TO_SERVER, p, n);
    assert_true(lab_event(l, AN_SNMP_UNKNOWN_SECURITY));
    lab_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dhcp),
        cmocka_unit_test(ntp),
        cmocka_unit_test(tftp),
        cmocka_unit_test(snmp),
        cmocka_unit_test(snmp_with_users),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
