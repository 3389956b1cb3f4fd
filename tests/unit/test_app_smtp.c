/* SPDX-License-Identifier: BSD-2-Clause */
/* SMTP: commands, replies, mails, and what happens when the two ends do not wait for each other. */
#include "ips/app/dots.h"
#include "ips/app/table.h"
#include "tests/unit/app_talk.h"

static const struct turn ordinary[] = {
    {S, "220 mail.example ESMTP Postfix\r\n"},
    {C, "EHLO client.example\r\n"},
    {S, "250-mail.example\r\n250-PIPELINING\r\n250 CHUNKING\r\n"},
    {C, "MAIL FROM:<a@example.net> SIZE=100\r\nRCPT TO:<b@example.org>\r\nrcpt to: c@example.org "
        "NOTIFY=NEVER\r\nDATA\r\n"},
    {S, "250 Ok\r\n250 Ok\r\n250 Ok\r\n354 go on\r\n"},
    {C, "Subject: hello\r\n\r\n..dot\r\ntext\r\n.\r\n"},
    {S, "250 queued\r\n"},
    {C, "MAIL FROM:<second@example.net>\r\n"},
    {S, "250 Ok\r\n"},
    {C, "BDAT 5\r\nab\r\ncBDAT 3 LAST\r\ndefRSET\r\n"},
    {S, "250 Ok\r\n250 Ok\r\n250 Ok\r\n"},
    {C, "QUIT\r\n"},
    {S, "221 bye\r\n"},
};

static void test_mails(void **state)
{
    static const size_t pieces[] = {100000, 1, 2, 7, 0};

    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct app_lab *l = talk_new(25);

        play(l, ordinary, 6, pieces[i]);
        assert_true(lab_speaks(l, APP_SMTP));
        assert_true(lab_saw(l, BUF_SMTP_HELO, "client.example"));
        assert_true(lab_saw(l, BUF_SMTP_MAIL_FROM, "<a@example.net>"));
        assert_true(lab_saw(l, BUF_SMTP_RCPT_TO, "<b@example.org>"));
        assert_true(lab_saw(l, BUF_SMTP_RCPT_TO, "c@example.org"));
        assert_int_equal(lab_count(l, BUF_SMTP_RCPT_TO), 2);
        play(l, ordinary + 6, sizeof(ordinary) / sizeof(ordinary[0]) - 6, pieces[i]);
        assert_true(lab_saw(l, BUF_SMTP_MAIL_FROM, "<second@example.net>"));
        assert_non_null(strstr(l->logged, "smtp: helo=client.example mail_from=<a@example.net> "
                                          "rcpt_to={=<b@example.org> =c@example.org }"));
        assert_false(lab_event(l, AN_SMTP_PIPELINED));
        assert_false(lab_event(l, AN_SMTP_UNMATCHED_REPLY));
        assert_false(lab_event(l, AN_SMTP_BDAT_NOT_OFFERED));
        assert_false(lab_event(l, AN_SMTP_SMUGGLED_END));
        lab_free(l);
    }
}

/* What is text and where it ends, for any cut. */
static void dots_check(const char *in, const char *text, const char *rest, bool odd)
{
    size_t len = strlen(in);

    for (size_t piece = 1; piece <= len; piece++) {
        struct dots d = {0};
        char out[256];
        size_t n = 0, at = 0;
        bool end = false;

        while (at < len && !end) {
            struct span s = span_of(in + at, piece < len - at ? piece : len - at);

            at += s.len;
            while (s.len > 0 && !end) {
                struct span run;

                end = dots_take(&d, &s, &run);
                memcpy(out + n, run.p, run.len);
                n += run.len;
            }
            at -= s.len;
        }
        out[n] = '\0';
        assert_string_equal(out, text);
        assert_string_equal(in + at, rest);
        assert_int_equal(d.odd, odd);
        assert_int_equal(end, *rest != '\0');
    }
}

static void test_dots(void **state)
{
    dots_check("a\r\n.\r\nQ", "a\r\n", "Q", false);
    dots_check(".\r\nQ", "", "Q", false);
    dots_check("a\r\n..b\r\n.c\r\n.\r\nQ", "a\r\n.b\r\nc\r\n", "Q", false);
    dots_check("a\n.\nb\r\n.\r\nQ", "a\n\nb\r\n", "Q", true);
    dots_check("a\n.\r\nb\r\n.\r\nQ", "a\n\r\nb\r\n", "Q", true);
    dots_check("a\r\n.\nb\r\n.\r\nQ", "a\r\n\nb\r\n", "Q", true);
    dots_check("a\r\n.\rb\r\n.\r\nQ", "a\r\n\rb\r\n", "Q", true);
    dots_check("a.\r\n. \r\n.\r\nQ", "a.\r\n \r\n", "Q", false);
    dots_check("a\r\n.\r\r\n.\r\nQ", "a\r\n\r\r\n", "Q", true);
}

static void test_starttls(void **state)
{
    static const struct turn t[] = {
        {S, "220 mail.example ESMTP\r\n"},
        {C, "EHLO x\r\n"},
        {S, "250-mail\r\n250 STARTTLS\r\n"},
        {C, "STARTTLS\r\n"},
        {S, "220 go\r\n"},
        {C, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"},
    };

    for (size_t piece = 1; piece < 50; piece += 24) {
        struct app_lab *l = talk_new(587);

        play(l, t, N(t), piece);
        assert_false(lab_event(l, AN_SMTP_PIPELINED));
        assert_false(lab_event(l, AN_SMTP_TRUNCATED_LINE));
        assert_ptr_not_equal(l->app->slots[flow_index(l->flows, l->flow)].flow->parser, &parser_smtp);
        lab_free(l);
    }
}

static void test_starttls_refused(void **state)
{
    static const struct turn t[] = {
        {S, "220 mail.example ESMTP\r\n"}, {C, "STARTTLS\r\n"}, {S, "454 no\r\n"},
        {C, "HELO again.example\r\n"},     {S, "250 mail\r\n"},
    };
    struct app_lab *l = talk_new(25);

    play(l, t, N(t), 1000);
    assert_true(lab_event(l, AN_SMTP_TLS_REJECTED));
    assert_true(lab_saw(l, BUF_SMTP_HELO, "again.example"));
    lab_free(l);
}

/* The server refuses DATA, and what follows are commands again. */
static void test_data_refused(void **state)
{
    static const struct turn t[] = {
        {S, "220 mail.example ESMTP\r\n"},
        {C, "HELO x\r\n"},
        {S, "250 mail\r\n"},
        {C, "DATA\r\n"},
        {S, "503 no\r\n"},
        {C, "MAIL FROM:<evil@example.net>\r\n"},
    };
    struct app_lab *l = talk_new(25);

    play(l, t, N(t), 3);
    assert_true(lab_event(l, AN_SMTP_DATA_REJECTED));
    assert_true(lab_saw(l, BUF_SMTP_MAIL_FROM, "<evil@example.net>"));
    lab_free(l);
}

/* A lone LF inside a line makes us count one command more than the server: 354 puts it right. */
static void test_counts_differ(void **state)
{
    static const struct turn t[] = {
        {S, "220 mail.example ESMTP\r\n"},
        {C, "NOOP\nRSET\r\nDATA\r\n"},
        {S, "250 ok\r\n354 go\r\n"},
        {C, "one\r\n.\r\nMAIL FROM:<x>\r\n"},
        {S, "250 ok\r\n"},
    };
    struct app_lab *l = talk_new(25);

    play(l, t, N(t), 1000);
    assert_true(lab_saw(l, BUF_SMTP_MAIL_FROM, "<x>"));
    assert_false(lab_event(l, AN_SMTP_DATA_REJECTED));
    lab_free(l);
}

static void expect_event(const struct turn *t, size_t n, enum anomaly which)
{
    struct app_lab *l = talk_new(25);

    play(l, t, n, 1000);
    assert_true(lab_event(l, which));
    lab_free(l);
}

static void test_events(void **state)
{
    char *text = malloc(6000);
    struct turn long_command[] = {{S, "220 x ESMTP\r\n"}, {C, text}};

    memset(text, 'A', 6000);
    memcpy(text, "EHLO ", 5);
    memcpy(text + 5996, "\r\n", 3);
    expect_event(long_command, 2, AN_SMTP_LONG_COMMAND);
    expect_event(long_command, 2, AN_SMTP_TRUNCATED_LINE);
    memcpy(text, "220 SMTP ", 9);
    expect_event(&(struct turn){S, text}, 1, AN_SMTP_LONG_REPLY);
    free(text);

    expect_event((struct turn[]){{C, "EHLO x\r\n"}}, 1, AN_SMTP_NO_WELCOME);
    expect_event((struct turn[]){{S, "220 x ESMTP\r\n"}, {C, "EHLO x\r\n"}, {S, "huh\r\n"}}, 3,
                 AN_SMTP_INVALID_REPLY);
    expect_event((struct turn[]){{S, "220 x ESMTP\r\n"}, {S, "250 ok\r\n"}}, 2, AN_SMTP_UNMATCHED_REPLY);
    expect_event((struct turn[]){{S, "220 x ESMTP\r\n"}, {C, "STARTTLS\r\nMAIL FROM:<a>\r\n"}}, 2,
                 AN_SMTP_PIPELINED);
    expect_event((struct turn[]){{S, "220 x ESMTP\r\n"}, {C, "DATA\r\nMAIL FROM:<a>\r\n"}}, 2,
                 AN_SMTP_PIPELINED);
    expect_event((struct turn[]){{S, "220 x ESMTP\r\n"}, {C, "AUTH LOGIN\r\nDATA\r\n"}}, 2,
                 AN_SMTP_PIPELINED);
    expect_event((struct turn[]){{S, "220 x ESMTP\r\n"}, {C, "BDAT 99999999999999999999 LAST\r\n"}}, 2,
                 AN_SMTP_BDAT_LENGTH);
    expect_event(
        (struct turn[]){
            {S, "220 x ESMTP\r\n"}, {C, "EHLO x\r\n"}, {S, "250 x\r\n"}, {C, "BDAT 3 LAST\r\nabc"}},
        4, AN_SMTP_BDAT_NOT_OFFERED);
    expect_event(
        (struct turn[]){
            {S, "220 x ESMTP\r\n"}, {C, "DATA\r\n"}, {S, "354 x\r\n"}, {C, "a\n.\nMAIL FROM:<b>\r\n"}},
        4, AN_SMTP_SMUGGLED_END);
}

/* A password that looks like a command is none. */
static void test_auth(void **state)
{
    static const struct turn t[] = {
        {S, "220 mail.example ESMTP\r\n"},
        {C, "AUTH LOGIN\r\n"},
        {S, "334 VXNlcm5hbWU6\r\n"},
        {C, "DATA\r\n"},
        {S, "334 UGFzc3dvcmQ6\r\n"},
        {C, "DATA\r\n"},
        {S, "235 ok\r\n"},
        {C, "MAIL FROM:<q>\r\n"},
    };
    struct app_lab *l = talk_new(25);

    play(l, t, N(t), 1000);
    assert_true(lab_saw(l, BUF_SMTP_MAIL_FROM, "<q>"));
    assert_false(lab_event(l, AN_SMTP_PIPELINED));
    lab_free(l);
}

static const struct app_parser *parser_of(const struct app_lab *l)
{
    return l->app->slots[flow_index(l->flows, l->flow)].flow->parser;
}

/* What makes us lose count of commands and replies must hide nothing. */
static void test_count_is_lost(void **state)
{
    char many[66 * 6 + 64];
    struct app_lab *l = talk_new(25);

    /* the greeting's 220 does not answer a STARTTLS that came before it */
    lab_say(l, C, "STARTTLS\r\n");
    lab_say(l, S, "220 mail.example ESMTP\r\n");
    lab_say(l, S, "502 no\r\n");
    lab_say(l, C, "MAIL FROM:<early>\r\n");
    assert_ptr_equal(parser_of(l), &parser_smtp);
    assert_true(lab_saw(l, BUF_SMTP_MAIL_FROM, "<early>"));
    lab_free(l);

    /* more commands than are remembered, and DATA behind them */
    l = talk_new(25);
    lab_say(l, S, "220 x ESMTP\r\n");
    for (int i = 0; i < 66; i++)
        memcpy(many + i * 6, "NOOP\r\n", 6);
    strcpy(many + 66L * 6, "MAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\n");
    lab_say(l, C, many);
    for (int i = 0; i < 68; i++)
        lab_say(l, S, i % 2 ? "250 ok\r\n" : "500 no\r\n");
    lab_say(l, S, "354 go\r\n");
    lab_say(l, C, "Content-Transfer-Encoding: base64\r\n\r\nYWJj\r\n.\r\n");
    assert_true(lab_saw(l, BUF_FILE_DATA, "abc"));
    assert_false(lab_event(l, AN_SMTP_PIPELINED));
    lab_free(l);

    /* a server that takes for DATA what we do not */
    l = talk_new(25);
    lab_say(l, S, "220 x ESMTP\r\n");
    lab_send(l, C, "DATA\0\r\n", 7);
    lab_say(l, S, "354 go\r\n");
    lab_say(l, C, "Content-Transfer-Encoding: base64\r\n\r\nYWJj\r\n.\r\nMAIL FROM:<z>\r\n");
    assert_true(lab_saw(l, BUF_FILE_DATA, "abc"));
    assert_true(lab_saw(l, BUF_SMTP_MAIL_FROM, "<z>"));
    lab_free(l);

    /* a server that does not know BDAT */
    l = talk_new(25);
    lab_say(l, S, "220 x ESMTP\r\n");
    lab_say(l, C, "BDAT 100000\r\n");
    assert_true(lab_event(l, AN_SMTP_BDAT_NOT_OFFERED));
    lab_say(l, S, "502 what\r\n");
    lab_say(l, C, "MAIL FROM:<y>\r\n");
    assert_true(lab_saw(l, BUF_SMTP_MAIL_FROM, "<y>"));
    lab_free(l);
}

/* On any port: by the greeting, or by the client. */
static void test_recognised(void **state)
{
    struct app_lab *l = talk_new(9999);

    lab_say(l, S, "220 mail.example ESMTP\r\n");
    assert_true(lab_speaks(l, APP_SMTP));
    lab_free(l);
    l = talk_new(9999);
    lab_say(l, S, "220 hello\r\n");
    assert_false(lab_speaks(l, APP_SMTP));
    lab_say(l, C, "EHLO x\r\n");
    assert_true(lab_speaks(l, APP_SMTP));
    assert_true(lab_saw(l, BUF_SMTP_HELO, "x"));
    assert_false(lab_event(l, AN_SMTP_NO_WELCOME));
    lab_free(l);
    l = talk_new(25);
    lab_say(l, S, "220 hello FTP server\r\n");
    assert_false(lab_speaks(l, APP_SMTP));
    lab_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mails),        cmocka_unit_test(test_dots),
        cmocka_unit_test(test_starttls),     cmocka_unit_test(test_starttls_refused),
        cmocka_unit_test(test_data_refused), cmocka_unit_test(test_counts_differ),
        cmocka_unit_test(test_events),       cmocka_unit_test(test_auth),
        cmocka_unit_test(test_recognised),   cmocka_unit_test(test_count_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
