/* SPDX-License-Identifier: BSD-2-Clause */
/* What an attacker does to reach a web server, or a browser, past rules about HTTP: each way is one test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/app_rules.h"

static const char rules[] =
    "drop http any any -> any any (http.uri; content:\"/attack\"; sid:1;)\n"
    "drop http any any -> any any (http.user_agent; content:\"evil\"; http.request_body; content:\"attack\"; "
    "sid:2;)\n"
    "drop http any any -> any any (http.host; content:\"evil.com\"; http.request_body; content:\"attack\"; "
    "sid:3;)\n"
    "drop http any any -> any any (http.request_body; content:\"cmd=attack\"; sid:4;)\n";

static struct rules_lab *begin(void)
{
    return rules_lab_new(&(struct lab_setup){.dport = 80}, rules);
}

static void client(struct rules_lab *r, const char *text)
{
    lab_say(r->lab, APP_TO_SERVER, text);
}

static void pad(struct rules_lab *r, char c, size_t n)
{
    char *text = malloc(n);

    memset(text, c, n);
    lab_send_cut(r->lab, APP_TO_SERVER, text, n, 1400);
    free(text);
}

static void expect_drop(struct rules_lab *r, uint32_t sid)
{
    assert_int_equal(rules_lab_alerts(r, sid), 1);
    assert_int_equal(r->verdict, VERDICT_DROP);
    rules_lab_free(r);
}

/* nginx skips any number of empty lines. */
static void empty_lines_in_front(void **state)
{
    struct rules_lab *r = begin();

    for (int i = 0; i < 1100; i += 10)
        client(r, "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n");
    client(r, "GET /attack HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_drop(r, 1);
}

static void empty_lines_in_one_segment(void **state)
{
    struct rules_lab *r = begin();
    char text[3000 + 64];

    for (int i = 0; i < 3000; i++)
        text[i] = i & 1 ? '\n' : '\r';
    strcpy(text + 3000, "GET /attack HTTP/1.1\r\nHost: x\r\n\r\n");
    client(r, text);
    expect_drop(r, 1);
}

/* Servers take a target with any scheme. */
static void scheme_of_another(void **state)
{
    struct rules_lab *r = begin();

    client(r, "GET rtsp://x/attack HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_drop(r, 1);
}

static void scheme_of_another_later(void **state)
{
    struct rules_lab *r = begin();

    client(r, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    client(r, "GET sip:x/attack HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_drop(r, 1);
}

/* nginx hands any method on. */
static void long_method(void **state)
{
    struct rules_lab *r = begin();

    client(r, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA /attack HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_drop(r, 1);
}

static void long_method_later(void **state)
{
    struct rules_lab *r = begin();

    client(r, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    client(r, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA /attack HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_drop(r, 1);
}

static void very_long_method(void **state)
{
    struct rules_lab *r = begin();

    pad(r, 'A', 3000);
    client(r, " /attack HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_drop(r, 1);
}

static void strange_method_and_long_target(void **state)
{
    struct rules_lab *r = begin();

    client(r, "FOO /x?");
    pad(r, 'x', 3000);
    client(r, "/attack HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_drop(r, 1);
}

static void strange_method_and_long_target_at_once(void **state)
{
    struct rules_lab *r = begin();
    char text[4096] = "FOO /x?";

    memset(text + 7, 'x', 3000);
    strcpy(text + 3007, "/attack HTTP/1.1\r\nHost: x\r\n\r\n");
    client(r, text);
    expect_drop(r, 1);
}

static void white_behind_the_method(void **state)
{
    struct rules_lab *r = begin();

    client(r, "GET\v/attack HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_drop(r, 1);
}

/* Another protocol's command as a method, and the segment ends behind it. */
static void command_of_another(void **state)
{
    static const char *const commands[] = {"EHLO ", "NICK ", "CAP LS", "JOIN #", "USER ", "HELO "};

    for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        struct rules_lab *r = begin();

        client(r, commands[i]);
        client(r, " /attack HTTP/1.1\r\nHost: x\r\n\r\n");
        if (strchr(commands[i], '#')) /* that is no method */
            rules_lab_free(r);
        else
            expect_drop(r, 1);
    }
}

/* A CONNECT that will be refused, and the next request behind it. */
static void behind_connect(void **state)
{
    struct rules_lab *r = begin();

    client(r, "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\nGET /attack HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_drop(r, 1);
}

static void behind_connect_in_pieces(void **state)
{
    static const char text[] =
        "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\nGET /attack HTTP/1.1\r\nHost: x\r\n\r\n";
    struct rules_lab *r = begin();

    lab_send_cut(r->lab, APP_TO_SERVER, text, sizeof(text) - 1, 1);
    assert_int_equal(rules_lab_alerts(r, 1), 1);
    rules_lab_free(r);
}

/* Fields, so many that not all are shown at once. */
static void many_fields(struct rules_lab *r, const char *field)
{
    client(r, "POST / HTTP/1.1\r\nContent-Length: 10\r\n");
    for (int i = 0; i < 540; i++) {
        char line[32];

        snprintf(line, sizeof(line), "a%d:b\r\n", i);
        client(r, line);
    }
    client(r, field);
    client(r, "\r\n\r\n");
    client(r, "xxxxattack");
}

static void user_agent_behind_many(void **state)
{
    struct rules_lab *r = begin();

    many_fields(r, "User-Agent: evil");
    expect_drop(r, 2);
}

static void host_behind_many(void **state)
{
    struct rules_lab *r = begin();

    many_fields(r, "Host: evil.com");
    expect_drop(r, 3);
}

/* PHP takes the body of a request as it is, whatever its coding is said to be. */
static void coded_and_plain(void **state)
{
    static const uint8_t gzip[] = {0x1f, 0x8b, 8,   8,   0,   0,   0,   0,   0,   3,   '&',
                                   'c',  'm',  'd', '=', 'a', 't', 't', 'a', 'c', 'k', '&',
                                   0,    3,    0,   0,   0,   0,   0,   0,   0,   0,   0};
    struct rules_lab *r = begin();

    client(r, "POST / HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 33\r\n\r\n");
    lab_send_cut(r->lab, APP_TO_SERVER, gzip, 17, 17);
    lab_send(r->lab, APP_TO_SERVER, gzip + 17, sizeof(gzip) - 17);
    expect_drop(r, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_lines_in_front),
        cmocka_unit_test(empty_lines_in_one_segment),
        cmocka_unit_test(scheme_of_another),
        cmocka_unit_test(scheme_of_another_later),
        cmocka_unit_test(long_method),
        cmocka_unit_test(long_method_later),
        cmocka_unit_test(very_long_method),
        cmocka_unit_test(strange_method_and_long_target),
        cmocka_unit_test(strange_method_and_long_target_at_once),
        cmocka_unit_test(white_behind_the_method),
        cmocka_unit_test(command_of_another),
        cmocka_unit_test(behind_connect),
        cmocka_unit_test(behind_connect_in_pieces),
        cmocka_unit_test(user_agent_behind_many),
        cmocka_unit_test(host_behind_many),
        cmocka_unit_test(coded_and_plain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
