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

/* --- Transfer-Encoding twice, and names whose hashes keep the second from being joined to the first ---------------------- */

static uint32_t hash_of(const char *name)
{
    uint32_t h = (uint32_t)strlen(name);

    for (const char *c = name; *c != '\0'; c++)
        h = (h ^ ((uint8_t)*c | 0x20)) * 0x9e3779b1u;
    return (h ^ h >> 15) & 0xffffff;
}

static void coding_behind_collisions(void **state)
{
    struct rules_lab *r = begin();
    uint32_t slot = hash_of("transfer-encoding") * 0x9e3779b1u >> 25;
    char name[16];

    client(r, "POST / HTTP/1.1\r\nHost: x\r\n");
    for (unsigned i = 0, n = 0; n < 30; i++) {
        snprintf(name, sizeof(name), "x%u", i);
        if (hash_of(name) * 0x9e3779b1u >> 25 != slot)
            continue;
        client(r, name);
        client(r, ": y\r\n");
        n++;
    }
    client(r, "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n");
    client(r, "3\r\ncmd\r\n7\r\n=attack\r\n0\r\n\r\n");
    expect_drop(r, 4);
}

/* --- more rules wait than a transaction remembers ----------------------------------------------------------------------- */

static void many_rules_wait(void **state)
{
    static char many[16384];
    size_t n = 0;

    for (unsigned i = 1; i <= 40; i++)
        n +=
            (size_t)snprintf(many + n, sizeof(many) - n,
                             "alert http any any -> any any (http.uri; content:\"/page\"; http.request_body; "
                             "content:\"word%02u\"; sid:%u;)\n"
                             "alert http any any -> any any (http.uri; content:\"page%u\"; sid:%u;)\n",
                             i, i, i, 100 + i);
    struct rules_lab *r = rules_lab_new(&(struct lab_setup){.dport = 80}, many);
    char text[1024] = "POST /page";
    for (unsigned i = 1; i <= 40; i++)
        snprintf(text + strlen(text), 16, "page%u", i);
    strcat(text, " HTTP/1.1\r\nHost: x\r\nContent-Length: 240\r\n\r\n");
    client(r, text);
    for (unsigned i = 1; i <= 40; i++) {
        snprintf(text, sizeof(text), "word%02u", i);
        client(r, text);
    }
    for (unsigned i = 1; i <= 40; i++) {
        assert_int_equal(rules_lab_alerts(r, i), 1);
        assert_true(rules_lab_alerts(r, 100 + i) <= 1); /* of one packet, 15 are logged */
    }
    rules_lab_free(r);
}

/* --- anywhere in a body, however it is cut ---------------------------------------------------------------------------------- */

static void anywhere_in_a_body(void **state)
{
    static const char two[] =
        "drop http any any -> any any (http.request_body; content:\"needle-one\"; sid:1;)\n"
        "drop http any any -> any any (http.request_body; content:\"start=\"; content:\"finish\"; "
        "distance:0; "
        "within:4000; sid:2;)\n"
        "drop http any any -> any any (http.request_body; content:\"deep\"; offset:60000; depth:100; "
        "sid:3;)\n";
    struct ruleset *rs = rules_lab_load(two, DIALECT_SURICATA);
    static char body[100000], wire[400000];

    srand(1);
    for (unsigned round = 0; round < 300; round++) {
        struct rules_lab *r = rules_lab_over(&(struct lab_setup){.dport = 80}, rs);
        unsigned which = round % 3;
        size_t at = which == 2 ? 60000 + (size_t)rand() % 90 : (size_t)rand() % 95000, n = 0;

        memset(body, '.', sizeof(body));
        if (which == 0)
            memcpy(body + at, "needle-one", 10);
        else if (which == 1) {
            memcpy(body + at, "start=", 6);
            memcpy(body + at + 6 + (size_t)rand() % 3990 * (at < 90000), "finish", 6);
        } else {
            memcpy(body + at, "deep", 4);
        }
        client(r, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (size_t i = 0, k; i < sizeof(body); i += k) {
            size_t max = (size_t)1 << (rand() % 15);

            k = 1 + (size_t)rand() % (round % 2 ? 20000 : max);
            k = k < sizeof(body) - i ? k : sizeof(body) - i;
            n += (size_t)sprintf(wire + n, "%zx\r\n", k);
            memcpy(wire + n, body + i, k);
            n += k;
            n += (size_t)sprintf(wire + n, "\r\n");
        }
        for (size_t i = 0, k; i < n && r->verdict != VERDICT_DROP; i += k) {
            k = 1 + (size_t)rand() % (round % 5 ? 1460 : 50000);
            k = k < n - i ? k : n - i;
            lab_send(r->lab, APP_TO_SERVER, wire + i, k);
        }
        if (rules_lab_alerts(r, which + 1) != 1)
            print_error("round %u, rule %u, at %zu\n", round, which + 1, at);
        assert_int_equal(rules_lab_alerts(r, which + 1), 1);
        rules_lab_free(r);
    }
    ruleset_free(rs);
}

/* --- more codings than are undone ------------------------------------------------------------------------------------------- */

static void many_codings(void **state)
{
    struct rules_lab *r = begin();

    client(r, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    lab_say(r->lab, APP_TO_CLIENT,
            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip, gzip, gzip, gzip\r\nContent-Length: "
            "5\r\n\r\nhello");
    assert_true(lab_event(r->lab, AN_BODY_LAYERS));
    rules_lab_free(r);
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
        cmocka_unit_test(coding_behind_collisions),
        cmocka_unit_test(many_rules_wait),
        cmocka_unit_test(anywhere_in_a_body),
        cmocka_unit_test(many_codings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
