/* SPDX-License-Identifier: BSD-2-Clause */
/* ONC RPC, RDP, LDAP and Kerberos are recognised by their first message, in pieces of any length, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/app_lab.h"

#define RPC_CALL                                                   \
    "\x12\x34\x56\x78\0\0\0\0\0\0\0\2\0\1\x86\xa0\0\0\0\2\0\0\0\3" \
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define AS_REQ    "\x6a\x82\1\2\x30\x82\1\0\xa1\3\2\1\5\xa2\3\2\1\x0a\xa3\x30"
#define KRB_ERROR "\x7e\x30\x30\x2e\xa0\3\2\1\5\xa1\3\2\1\x1e\xa4\x11"
#define BIND      "\x30\x0c\2\1\1\x60\7\2\1\3\4\0\x80\0"
#define SEARCH    "\x30\x84\0\0\0\x40\2\1\2\x63\x84\0\0\0\x37\4\0"
#define RDP       "\3\0\0\x0b\6\xe0\0\0\0\0\0"

static const struct {
    const char *bytes;
    uint16_t n, port;
    bool udp;
    uint8_t dir;
    enum app_proto proto; /* APP_N: none of them */
} rows[] = {
#define R(s) s, sizeof(s) - 1
    {R(RPC_CALL), 111, true, APP_TO_SERVER, APP_SUNRPC},
    {R("\x80\0\0\x28" RPC_CALL), 40111, false, APP_TO_SERVER, APP_SUNRPC},
    {R("\x80\0\0\x18\x12\x34\x56\x78\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), 111, false, APP_TO_CLIENT,
     APP_SUNRPC},
    {R("\x80\0\0\x28\x12\x34\x56\x78\0\0\0\0\0\0\0\3\0\1\x86\xa0"), 111, false, APP_TO_SERVER, APP_N},
    {R(AS_REQ), 88, true, APP_TO_SERVER, APP_KRB5},
    {R("\0\0\1\6" AS_REQ), 1088, false, APP_TO_SERVER, APP_KRB5},
    {R(KRB_ERROR), 88, true, APP_TO_CLIENT, APP_KRB5},
    {R("\0\0\1\6\x6a\x82\1\2\x30\x82\1\0\xa1\3\2\1\4\xa2\3\2\1\x0a"), 88, false, APP_TO_SERVER, APP_N},
    {R(BIND), 5389, false, APP_TO_SERVER, APP_LDAP},
    {R(SEARCH), 389, true, APP_TO_SERVER, APP_LDAP},
    {R("\x30\x0c\2\1\1\x61\7\x0a\1\0\4\0\4\0"), 389, false, APP_TO_CLIENT, APP_LDAP},
    {R("\x30\x0c\2\1\1\x60\7\2\1\x09\4\0\x80\0"), 389, false, APP_TO_SERVER, APP_N},
    {R(RDP), 3389, false, APP_TO_SERVER, APP_RDP},
    {R("\3\0\0\x13\x0e\xd0\0\0\x12\x34\0\2\0\x08\0\1\0\0\0"), 3389, false, APP_TO_CLIENT, APP_RDP},
    {R(RDP), 102, false, APP_TO_SERVER, APP_N},
    {R("\3\0\0\x0b\6\xf0\0\0\0\0\0"), 3389, false, APP_TO_SERVER, APP_N},
};

static bool speaks_any(const struct app_lab *l)
{
    return lab_speaks(l, APP_SUNRPC) || lab_speaks(l, APP_KRB5) || lab_speaks(l, APP_LDAP) ||
           lab_speaks(l, APP_RDP);
}

static void test_first_messages(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (uint32_t piece = 1; piece <= rows[i].n; piece++) {
            struct app_lab *l = lab_new(&(struct lab_setup){.dport = rows[i].port, .udp = rows[i].udp});

            lab_send_cut(l, (enum app_dir)rows[i].dir, rows[i].bytes, rows[i].n,
                         rows[i].udp ? rows[i].n : piece);
            if (rows[i].proto == APP_N)
                assert_false(speaks_any(l));
            else
                assert_true(lab_speaks(l, rows[i].proto));
            lab_free(l);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_first_messages)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
