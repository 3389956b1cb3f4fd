/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Protocols that are only recognised: by their first bytes, whole and one by one, and not what looks like them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/app_cuts.h"

#define GREETING           \
    "\x4a\x00\x00\x00\x0a" \
    "8.0.36\x00"           \
    "0123456789012345678901234567890123456789012345678901234567890123456789"

static const struct row {
    struct said said;
    uint8_t proto;
    bool udp;
} rows[] = {
    {{APP_TO_CLIENT, SAID("\xff\xfd\x18\xff\xfd\x20")}, APP_TELNET, false},
    {{APP_TO_SERVER, SAID("\xff\xfb\x1f")}, APP_TELNET, false},
    {{APP_TO_SERVER, SAID("NICK bot\r\nUSER a b c :d\r\n")}, APP_IRC, false},
    {{APP_TO_SERVER, SAID("PASS x\r\nNICK bot\r\n")}, APP_IRC, false},
    {{APP_TO_SERVER, SAID("USER a 0 * :real name\r\n")}, APP_IRC, false},
    {{APP_TO_SERVER, SAID("JOIN #biz abc\r\n")}, APP_IRC, false},
    {{APP_TO_CLIENT, SAID(":irc.example NOTICE AUTH :*** Looking up\r\n")}, APP_IRC, false},
    {{APP_TO_CLIENT, SAID(":irc.example 001 bot :Welcome\r\n")}, APP_IRC, false},
    {{APP_TO_CLIENT, SAID(GREETING)}, APP_MYSQL, false},
    {{APP_TO_CLIENT, SAID("RFB 003.008\n")}, APP_RFB, false},
    {{APP_TO_SERVER, SAID("OPTIONS rtsp://x/y RTSP/1.0\r\nCSeq: 1\r\n\r\n")}, APP_RTSP, false},
    {{APP_TO_SERVER, SAID("d1:ad2:id20:01234567890123456789e1:q4:ping1:t2:aa1:y1:qe")}, APP_BITTORRENT, true},
    /* not these */
    {{APP_TO_SERVER, SAID("\xff\xff\xff\xff")}, APP_N, false},
    {{APP_TO_SERVER, SAID("USER anonymous\r\nPASS a@b\r\n")}, APP_N, false},
    {{APP_TO_CLIENT, SAID("220 ftp\r\n")}, APP_N, false},
    {{APP_TO_SERVER, SAID(GREETING)}, APP_N, false},
    {{APP_TO_SERVER, SAID("d1:xd2:id20:")}, APP_N, true},
    {{APP_TO_SERVER, SAID("OPTIONS / HTTP/1.1\r\n")}, APP_N, false},
};

static void test_first_bytes(void **state)
{
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (size_t piece = 1; piece <= rows[i].said.len; piece += rows[i].said.len - 1) {
            struct app_lab *l = lab_new(&(struct lab_setup){.dport = 9999, .udp = rows[i].udp});
            uint64_t expected = rows[i].proto == APP_N ? 0 : 1ull << rows[i].proto;

            lab_send_cut(l, rows[i].said.dir, rows[i].said.bytes, rows[i].said.len,
                         rows[i].udp ? rows[i].said.len : piece);
            uint64_t others = APP_BIT(TELNET) | APP_BIT(IRC) | APP_BIT(MYSQL) | APP_BIT(RFB) | APP_BIT(RTSP) |
                              APP_BIT(BITTORRENT);
            if ((app_of(l->app, &l->pkt) & others) != expected)
                fail_msg("row %u, pieces of %zu: recognised as %s", i, piece, app_name(l->app, &l->pkt));
            lab_free(l);
        }
}

/* TLS inside MySQL is recognised as what it is, also when the request for it comes byte by byte. */
static void test_mysql_tls(void **state)
{
    static const char request[] = "\x20\x00\x00\x01\x85\xae\x7f\x00\x00\x00\x00\x01\x21"
                                  "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

    for (size_t piece = 1; piece <= 36; piece += 35) {
        struct app_lab *l = lab_new(&(struct lab_setup){.dport = 3306});

        lab_send(l, APP_TO_CLIENT, GREETING, sizeof(GREETING) - 1);
        assert_true(lab_speaks(l, APP_MYSQL));
        assert_int_equal(sizeof(request) - 1, 36);
        lab_send_cut(l, APP_TO_SERVER, request, 36, piece);
        lab_say(l, APP_TO_SERVER, "RFB 003.008\n"); /* stands for whatever comes */
        assert_false(lab_speaks(l, APP_MYSQL));
        assert_true(lab_speaks(l, APP_RFB));
        lab_free(l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_bytes),
        cmocka_unit_test(test_mysql_tls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
