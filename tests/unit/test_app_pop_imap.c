/* SPDX-License-Identifier: BSD-2-Clause */
/* POP3 and IMAP: the mails that they carry, for any cut, and where commands and mails begin and end. */
#include "ips/app/table.h"
#include "tests/unit/app_talk.h"

static const size_t pieces[] = {100000, 1, 2, 9, 0};

struct talk {
    uint16_t port;
    enum app_proto proto;
    struct turn t[12];
    const char *parts[4];
};

static void check(const struct talk *k)
{
    size_t n = 0;

    while (n < N(k->t) && k->t[n].text)
        n++;
    for (size_t i = 0; i < N(pieces); i++) {
        struct app_lab *l = talk_new(k->port);
        struct anomalies none = {0};

        play(l, k->t, n, pieces[i]);
        assert_true(lab_speaks(l, k->proto));
        for (size_t j = 0; j < N(k->parts) && k->parts[j]; j++) {
            if (!lab_saw(l, BUF_FILE_DATA, k->parts[j]))
                fprintf(stderr, "pieces of %zu: no '%s'\n", pieces[i], k->parts[j]);
            assert_true(lab_saw(l, BUF_FILE_DATA, k->parts[j]));
        }
        assert_memory_equal(&l->events, &none, sizeof(none));
        lab_free(l);
    }
}

#define MAIL                                                                                                \
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\nContent-Transfer-Encoding: " \
    "base64\r\n"                                                                                            \
    "\r\nYWJj\r\n--b--\r\n"

static void test_pop3(void **state)
{
    static const struct talk talks[] = {
        {110,
         APP_POP3,
         {{S, "+OK ready\r\n"},
          {C, "CAPA\r\nUSER a\r\nPASS retr 1\r\nLIST\r\nRETR 1\r\nTOP 2 10\r\nLIST 1\r\n"},
          {S, "+OK\r\nUSER\r\nPIPELINING\r\n.\r\n+OK\r\n+OK\r\n+OK 2\r\n1 100\r\n2 100\r\n.\r\n"},
          {S, "+OK 100 octets\r\n" MAIL ".\r\n"},
          {S, "+OK\r\nSubject: x\r\n\r\n..dots\r\n.\r\n"},
          {S, "+OK 1 100\r\n"},
          {C, "RETR 9\r\n"},
          {S, "-ERR no\r\n"}},
         {"one", "abc", ".dots\r\n"}},
        {9110,
         APP_POP3,
         {{S, "+OK ready\r\n"},
          {C, "AUTH PLAIN\r\n"},
          {S, "+ \r\n"},
          {C, "RETR\r\n"},
          {S, "+OK\r\n"},
          {C, "RETR 1\r\n"},
          {S, "+OK\r\n\r\nbody\r\n.\r\n"}},
         {"body\r\n"}},
    };

    for (size_t i = 0; i < N(talks); i++)
        check(&talks[i]);
}

#define B64 "TG9uZyBlbm91Z2ggdG8gYmUgYmFzZTY0IGFuZCBubyB3b3JkIGF0IGFsbC4u"

static void test_imap(void **state)
{
    static const struct talk talks[] = {
        {143,
         APP_IMAP,
         {{S, "* OK ready\r\n"},
          {C, "a LOGIN {4}\r\n"},
          {S, "+ go\r\n"},
          {C, "user {6}\r\n"},
          {C, "a b\r\nc\r\n"},
          {S, "a OK in\r\n"},
          {C, "b UID FETCH 1:* (FLAGS BODY.PEEK[])\r\n"},
          {S, "* 1 FETCH (FLAGS (\\Seen) BODY[] {130}\r\n" MAIL " UID 4)\r\n* 2 FETCH (BODY[2] {62}\r\n" B64
              "\r\n)\r\nb OK\r\n"},
          {C, "c APPEND box (\\Seen) {22+}\r\nSubject: x\r\n\r\nappended\r\nd NOOP\r\n"}},
         {"one", "abc", "Long enough to be base64 and no word at all..", "appended"}},
        {9143,
         APP_IMAP,
         {{S, "* PREAUTH ready\r\n"},
          {C, "a FETCH 1 BODY[]<0.20>\r\n"},
          {S, "* 1 FETCH (BODY[]<0> {14}\r\nSubject: x\r\n\r\n)\r\na OK\r\n"},
          {C, "b FETCH 1 BODY[]<14.20>\r\n"},
          {S, "* 1 FETCH (BODY[]<14> {5}\r\npiece)\r\nb OK\r\n"},
          {C, "c FETCH 1 BODY[TEXT]\r\n"},
          {S, "* 1 FETCH (BODY[TEXT] {42}\r\n--b\r\n\r\nfirst\r\n--b\r\n\r\nsecond of them\r\n--b--)\r\n"}},
         {"piece", "first", "second of them"}},
        /* a literal that was refused does not come */
        {143,
         APP_IMAP,
         {{S, "* OK ready\r\n"},
          {C, "a LOGIN {999}\r\n"},
          {S, "a BAD too long\r\n"},
          {C, "b APPEND x {6}\r\n"},
          {S, "+ go\r\n"},
          {C, "\r\nmail\r\n"}},
         {"mail"}},
    };

    for (size_t i = 0; i < N(talks); i++)
        check(&talks[i]);
}

static void test_tls(void **state)
{
    static const struct talk talks[] = {
        {110, APP_POP3, {{S, "+OK\r\n"}, {C, "STLS\r\n"}, {S, "+OK go\r\n"}, {C, "\x16\x03\x01\x02"}}, {0}},
        {143,
         APP_IMAP,
         {{S, "* OK\r\n"}, {C, "a STARTTLS\r\n"}, {S, "a OK go\r\n"}, {C, "\x16\x03\x01\x02"}},
         {0}},
    };

    for (size_t i = 0; i < N(talks); i++) {
        struct app_lab *l = talk_new(talks[i].port);
        const struct app_parser *p;

        play(l, talks[i].t, 2, 1);
        p = l->app->slots[flow_index(l->flows, l->flow)].flow->parser;
        assert_int_equal(p->proto, talks[i].proto);
        play(l, talks[i].t + 2, 2, 1);
        assert_ptr_not_equal(l->app->slots[flow_index(l->flows, l->flow)].flow->parser, p);
        lab_free(l);
    }
}

/* Answers to other commands, and what is none, do not begin TLS. */
static void test_no_tls(void **state)
{
    static const struct turn early[] = {{C, "* STARTTLS\r\n"},
                                        {S, "* OK ready\r\n"},
                                        {C, "a APPEND x {3}\r\n"}},
                             same[] = {{S, "* OK ready\r\n"},
                                       {C, "a NOOP\r\nb NOOP\r\na STARTTLS\r\n"},
                                       {S, "a OK\r\nb OK\r\n"},
                                       {S, "a BAD no\r\n"}};
    struct app_lab *l = talk_new(143);

    play(l, early, N(early), 1000);
    assert_ptr_equal(l->app->slots[flow_index(l->flows, l->flow)].flow->parser, &parser_imap);
    lab_free(l);
    l = talk_new(143);
    play(l, same, N(same), 1000);
    assert_ptr_equal(l->app->slots[flow_index(l->flows, l->flow)].flow->parser, &parser_imap);
    assert_true(lab_event(l, AN_IMAP_PIPELINED));
    lab_free(l);
}

static void check_event(uint16_t port, const char *greeting, enum app_dir dir, const char *text,
                        enum anomaly which)
{
    struct app_lab *l = talk_new(port);

    lab_say(l, S, greeting);
    lab_say(l, dir, text);
    assert_true(lab_event(l, which));
    lab_free(l);
}

static void test_events(void **state)
{
    static char many[8300];

    memset(many, 'x', sizeof(many));
    many[sizeof(many) - 1] = '\0';
    check_event(110, "+OK\r\n", S, "+OK\r\n", AN_POP3_UNMATCHED);
    check_event(110, "+OK\r\n", C, "STLS\r\nUSER a\r\n", AN_POP3_PIPELINED);
    check_event(143, "* OK\r\n", C, "a STARTTLS\r\nb NOOP\r\n", AN_IMAP_PIPELINED);
    check_event(143, "* OK\r\n", C, many, AN_IMAP_LONG_LINE);
    for (int i = 0; i < 1025; i++)
        memcpy(many + i * 6, "NOOP\r\n", 7);
    check_event(110, "+OK\r\n", C, many, AN_POP3_MANY_COMMANDS);

    struct app_lab *l = talk_new(110);
    lab_say(l, S, "+OK\r\n");
    lab_say(l, C, "RETR 1\r\n");
    lab_say(l, S, "+OK\r\n\r\nx\n.\n");
    assert_true(lab_event(l, AN_POP3_ODD_END));
    lab_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pop3),   cmocka_unit_test(test_imap),   cmocka_unit_test(test_tls),
        cmocka_unit_test(test_no_tls), cmocka_unit_test(test_events),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
