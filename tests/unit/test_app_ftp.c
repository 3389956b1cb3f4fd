/* SPDX-License-Identifier: BSD-2-Clause */
/* FTP: commands and their replies, and where data connections go. */
#include "ips/app/ftp_parts.h"
#include "ips/app/table.h"
#include "tests/unit/app_talk.h"

static const struct turn ordinary[] = {
    {S, "220-Welcome\r\n220-to\r\n220 this (vsFTPd 3)\r\n"},
    {C, "USER anonymous\r\n"},
    {S, "331 Please specify the password.\r\n"},
    {C, "PASS a@b\r\nPWD\r\n"},
    {S, "230-Login\r\n text of it\r\n230 successful.\r\n257 \"/\"\r\n"},
    {C, "PASV\r\n"},
    {S, "227 Entering Passive Mode (0,0,0,2,156,64).\r\n"},
    {C, "RETR dir/temp.txt\r\n"},
    {S, "150 Opening\r\n226 Transfer complete.\r\n"},
    {C, "port 0,0,0,1,4,0\r\n"},
    {S, "200 ok\r\n"},
};

static void test_commands(void **state)
{
    static const size_t pieces[] = {100000, 1, 3, 11};

    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct app_lab *l = talk_new(21);

        play(l, ordinary, sizeof(ordinary) / sizeof(ordinary[0]), pieces[i]);
        assert_true(lab_speaks(l, APP_FTP));
        assert_true(lab_saw(l, BUF_FTP_COMMAND, "USER"));
        assert_true(lab_saw(l, BUF_FTP_COMMAND_DATA, "anonymous"));
        assert_true(lab_saw(l, BUF_FTP_REPLY, "Welcome"));
        assert_true(lab_saw(l, BUF_FTP_REPLY, " text of it"));
        assert_true(lab_saw(l, BUF_FTP_COMPLETION_CODE, "331"));
        assert_true(lab_saw(l, BUF_FTP_REPLY, "Please specify the password."));
        assert_true(lab_saw(l, BUF_FTP_COMMAND_DATA, "dir/temp.txt"));
        assert_true(lab_saw_number(l, BUF_FTP_DYNAMIC_PORT, 40000));
        assert_true(lab_saw_number(l, BUF_FTP_DYNAMIC_PORT, 1024));
        assert_true(lab_saw_number(l, BUF_FTP_MODE, 0));
        assert_true(lab_saw_number(l, BUF_FTP_MODE, 1));
        assert_non_null(strstr(l->logged,
                               "ftp: command=PASS command_data=a@b command_truncated=0 "
                               "completion_code={=230 =230 } reply={=Login = text of it =successful. }"));
        assert_non_null(strstr(l->logged, "ftp: command=PASV command_truncated=0 completion_code={=227 }"));
        assert_non_null(strstr(l->logged, "mode=passive dynamic_port=40000"));
        assert_non_null(strstr(l->logged, "completion_code={=150 =226 }"));
        assert_non_null(strstr(l->logged, "mode=active dynamic_port=1024"));
        lab_free(l);
    }
}

static void test_port_numbers(void **state)
{
    struct ftp_end e;

    assert_true(ftp_port_numbers(span_str(" Entering (192,0,2,1,1,2)"), &e));
    assert_int_equal(e.port, 258);
    assert_int_equal(e.addr.b[12], 192);
    assert_true(ftp_port_numbers(span_str("mode 12 =10, 0,0,1,0,21"), &e));
    assert_int_equal(e.port, 21);
    assert_int_equal(e.addr.b[12], 10);
    assert_true(ftp_port_numbers(span_str("1,2,999,10,0,0,1,0,21"), &e));
    assert_int_equal(e.addr.b[12], 10);
    assert_false(ftp_port_numbers(span_str("1,2,3,4,5"), &e));
    assert_false(ftp_port_numbers(span_str("1,2,3,4,0,0"), &e));
    assert_false(ftp_port_numbers(span_str("1,2,3,4,5,256"), &e));
    assert_false(ftp_port_numbers(span_str(""), &e));
    assert_true(ftp_port_extended(span_str("|1|192.0.2.1|1234|"), &e));
    assert_int_equal(e.port, 1234);
    assert_true(e.has_addr);
    assert_int_equal(e.addr.b[15], 1);
    assert_true(ftp_port_extended(span_str("|2|2001:db8::1|1234|"), &e));
    assert_int_equal(e.addr.b[0], 0x20);
    assert_true(ftp_port_extended(span_str(" Extended (!!!4321!)"), &e));
    assert_int_equal(e.port, 4321);
    assert_false(e.has_addr);
    assert_false(ftp_port_extended(span_str("|||0|"), &e));
    assert_false(ftp_port_extended(span_str("|||70000|"), &e));
    assert_false(ftp_port_extended(span_str("|||12"), &e));
    assert_false(ftp_port_extended(span_str(""), &e));
}

static void test_auth_tls(void **state)
{
    static const struct turn t[] = {
        {S, "220 FTP\r\n"}, {C, "AUTH TLS\r\n"}, {S, "234 go\r\n"}, {C, "\x16\x03\x01\x02"}};
    struct app_lab *l = talk_new(21);

    play(l, t, 4, 1000);
    assert_ptr_not_equal(l->app->slots[flow_index(l->flows, l->flow)].flow->parser, &parser_ftp);
    assert_false(lab_saw(l, BUF_FTP_COMMAND, "\x16\x03\x01\x02"));
    lab_free(l);
    l = talk_new(21);
    lab_say(l, S, "220 FTP\r\n");
    lab_say(l, C, "AUTH TLS\r\nUSER x\r\n");
    assert_true(lab_event(l, AN_FTP_AUTH_PIPELINED));
    lab_free(l);
}

/* What makes us lose count, or see other commands than the server. */
static void test_odd(void **state)
{
    static const struct turn early[] = {{C, "NOOP\r\nPASV\r\nRETR x\r\n"},
                                        {S, "220-FTP\r\n220 ready\r\n"},
                                        {S, "200 ok\r\n"},
                                        {S, "227 ok (0,0,0,0,4,1)\r\n"}};
    struct app_lab *l = talk_new(21);

    play(l, early, N(early), 1000);
    assert_non_null(strstr(l->logged, "command=NOOP command_truncated=0 completion_code={=200 }"));
    assert_non_null(strstr(l->logged, "command=PASV command_truncated=0 completion_code={=227 }"));
    assert_true(lab_saw_number(l, BUF_FTP_DYNAMIC_PORT, 1025));
    assert_false(lab_event(l, AN_FTP_TELNET));
    lab_say(l, C,
            "\xff\xf4\xff\xf2"
            "ABOR\r\n\xff\xf1\r\n");
    assert_true(lab_saw(l, BUF_FTP_COMMAND, "ABOR"));
    assert_false(lab_event(l, AN_FTP_TELNET));
    lab_say(l, C, "ST\xff\xf1OR a\xff\xfb\x01.e\xff\xffxe\r\n");
    assert_true(lab_saw(l, BUF_FTP_COMMAND, "STOR"));
    assert_true(lab_saw(l, BUF_FTP_COMMAND_DATA, "a.e\xffxe"));
    assert_true(lab_event(l, AN_FTP_TELNET));
    lab_free(l);
}

static void test_events(void **state)
{
    static const struct app_limits defaults = APP_LIMITS_DEFAULT;
    struct app_limits few = defaults;
    struct app_lab *l;
    char text[6000];

    few.ftp_commands = 2;
    l = talk_limited(21, &few);
    lab_say(l, S, "220 FTP\r\n");
    lab_say(l, C, "PWD\r\nPWD\r\n");
    assert_false(lab_event(l, AN_FTP_TOO_MANY));
    lab_say(l, C, "PWD\r\n");
    assert_true(lab_event(l, AN_FTP_TOO_MANY));
    lab_free(l);

    l = talk_new(21);
    lab_say(l, S, "220 FTP\r\n");
    memset(text, 'A', sizeof(text));
    memcpy(text + 5990, "\r\nUSER x\r\n", 10);
    lab_send(l, C, text, sizeof(text));
    assert_true(lab_event(l, AN_FTP_LONG_REQUEST));
    assert_true(lab_saw(l, BUF_FTP_COMMAND, "USER"));
    assert_false(lab_event(l, AN_FTP_LONG_RESPONSE));
    lab_send_cut(l, S, text, sizeof(text), 999);
    assert_true(lab_event(l, AN_FTP_LONG_RESPONSE));
    assert_false(lab_event(l, AN_FTP_OTHER_HOST));
    lab_say(l, C, "PORT 9,9,9,9,4,0\r\n");
    assert_true(lab_event(l, AN_FTP_OTHER_HOST));
    lab_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands), cmocka_unit_test(test_port_numbers), cmocka_unit_test(test_auth_tls),
        cmocka_unit_test(test_odd),      cmocka_unit_test(test_events),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
