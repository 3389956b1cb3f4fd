/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tables of protocols agree: what rules are told is recognised (rules/service.h) has a parser and the other way
 * round, and no buffer is said to be filled when nobody recognises its protocol.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ips/app/app_parts.h"
#include "rules/buffers.h"

static const struct {
    const char *name;
    bool live;
} rows[APP_N] = {
#define X(id, name, suricata, snort, transport, live) {name, live},
    APP_TABLE(X)
#undef X
};

/* Recognised, but not by a parser of its own: bytes of files, whoever carries them, and DNS in HTTP/2. */
static bool is_inside_others(unsigned proto)
{
    return proto == APP_FILE || proto == APP_DOH2;
}

static uint64_t all_parsers(void)
{
    uint64_t all = 0;

    for (const struct app_parser *const *p = app_parsers; *p; p++)
        all |= 1ull << (*p)->proto;
    return all;
}

static void test_live_rows_have_parsers(void **state)
{
    for (unsigned i = 0; i < APP_N; i++)
        if (rows[i].live && !(all_parsers() >> i & 1) && !is_inside_others(i))
            fail_msg("%s is live in rules/service.h, and no parser is in ips/app/table.h", rows[i].name);
}

static void test_parsers_have_live_rows(void **state)
{
    unsigned n = 0;

    for (const struct app_parser *const *p = app_parsers; *p; p++, n++) {
        assert_true((*p)->proto < APP_N);
        if (!rows[(*p)->proto].live)
            fail_msg("%s has a parser and is not live in rules/service.h", rows[(*p)->proto].name);
        assert_non_null((*p)->take);
        if (!(*p)->tcp && !(*p)->udp)
            fail_msg("the parser of %s is for no transport", rows[(*p)->proto].name);
        for (const struct app_parser *const *q = app_parsers; q < p; q++)
            assert_ptr_not_equal(*q, *p);
    }
    assert_true(n > 0 && n <= PARSERS_MAX);
}

static void test_live_buffers_have_protocols(void **state)
{
    for (unsigned b = 0; b < BUF_N; b++) {
        uint64_t apps = buffer_table[b].apps;
        bool recognised = apps == 0;

        for (unsigned i = 0; i < APP_N; i++)
            recognised |= (apps >> i & 1) && rows[i].live;
        if ((buffer_table[b].flags & BUFFER_LIVE) && !recognised)
            fail_msg("%s is LIVE in rules/buffers.h, and no protocol of it is",
                     buffers_name((enum buffer_id)b));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_live_rows_have_parsers),
        cmocka_unit_test(test_parsers_have_live_rows),
        cmocka_unit_test(test_live_buffers_have_protocols),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
