/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SIP over TCP and UDP: requests, responses, folded and short headers, session descriptions, bodies of every framing, and
 * what is broken; every conversation also byte by byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/app_cuts.h"

#define SDP                                                                                            \
    "v=0\r\no=alice 2890844526 2890844526 IN IP4 host\r\ns=Weekly call\r\ni=about "                    \
    "work\r\nu=http://x.example/\r\n"                                                                  \
    "e=a@x.example\r\np=+1 617 555\r\nc=IN IP4 192.0.2.1\r\nb=AS:64\r\nt=0 0\r\nr=7d 1h 0 25h\r\nz=0 " \
    "-1h\r\n"                                                                                          \
    "k=prompt\r\na=recvonly\r\nm=audio 49170 RTP/AVP 0\r\ni=the voice\r\nc=IN IP4 "                    \
    "192.0.2.2\r\nk=base64:x\r\n"                                                                      \
    "a=rtpmap:0 PCMU/8000\r\n"

#define INVITE_HEAD                                       \
    "INVITE sip:bob@biloxi.example SIP/2.0\r\n"           \
    "Via: SIP/2.0/TCP pc33.example;branch=z9hG4bK776\r\n" \
    "v: SIP/2.0/TCP second.example\r\n"                   \
    "f: Alice <sip:alice@x.example>;tag=1\r\n"            \
    "TO : Bob\r\n  <sip:bob@biloxi.example>\r\n"          \
    "User-Agent: friendly-scanner \r\n"                   \
    "Content-Type: application/sdp\r\n"

#define OK_REPLY "SIP/2.0 401 Not you\r\nFrom: <sip:alice@x.example>\r\nContent-Length: 0\r\n\r\n"

static char invite[4096];

static const char *make_invite(void)
{
    snprintf(invite, sizeof(invite), INVITE_HEAD "l: %zu\r\n\r\n%s", strlen(SDP), SDP);
    return invite;
}

static void check_invite(struct app_lab *l)
{
    assert_true(lab_speaks(l, APP_SIP));
    assert_true(lab_saw(l, BUF_SIP_METHOD, "INVITE"));
    assert_true(lab_saw_number(l, BUF_SIP_METHOD_N, 1));
    assert_true(lab_saw(l, BUF_SIP_URI, "sip:bob@biloxi.example"));
    assert_true(lab_saw(l, BUF_SIP_PROTOCOL, "SIP/2.0"));
    assert_true(lab_saw(l, BUF_SIP_REQUEST_LINE, "INVITE sip:bob@biloxi.example SIP/2.0"));
    assert_true(lab_saw(l, BUF_SIP_VIA, "SIP/2.0/TCP pc33.example;branch=z9hG4bK776"));
    assert_true(lab_saw(l, BUF_SIP_VIA, "SIP/2.0/TCP second.example"));
    assert_true(lab_saw(l, BUF_SIP_FROM, "Alice <sip:alice@x.example>;tag=1"));
    assert_true(lab_saw(l, BUF_SIP_TO, "Bob <sip:bob@biloxi.example>"));
    assert_true(lab_saw(l, BUF_SIP_USER_AGENT, "friendly-scanner"));
    assert_true(lab_saw(l, BUF_SIP_CONTENT_TYPE, "application/sdp"));
    assert_int_equal(lab_count(l, BUF_SIP_HEADER), 1);
    assert_true(span_eq_str(lab_grown(l, BUF_SIP_BODY), SDP));
    assert_true(lab_saw(l, BUF_SDP_ORIGIN, "alice 2890844526 2890844526 IN IP4 host"));
    assert_true(lab_saw(l, BUF_SDP_SESSION_NAME, "Weekly call"));
    assert_true(lab_saw(l, BUF_SDP_SESSION_INFO, "about work"));
    assert_true(lab_saw(l, BUF_SDP_URI, "http://x.example/"));
    assert_true(lab_saw(l, BUF_SDP_EMAIL, "a@x.example"));
    assert_true(lab_saw(l, BUF_SDP_PHONE_NUMBER, "+1 617 555"));
    assert_true(lab_saw(l, BUF_SDP_CONNECTION_DATA, "IN IP4 192.0.2.1"));
    assert_false(lab_saw(l, BUF_SDP_CONNECTION_DATA, "IN IP4 192.0.2.2"));
    assert_true(lab_saw(l, BUF_SDP_MEDIA_CONNECTION, "IN IP4 192.0.2.2"));
    assert_true(lab_saw(l, BUF_SDP_BANDWIDTH, "AS:64"));
    assert_true(lab_saw(l, BUF_SDP_TIME, "0 0"));
    assert_true(lab_saw(l, BUF_SDP_REPEAT_TIME, "7d 1h 0 25h"));
    assert_true(lab_saw(l, BUF_SDP_TIMEZONE, "0 -1h"));
    assert_true(lab_saw(l, BUF_SDP_ENCRYPTION_KEY, "prompt"));
    assert_true(lab_saw(l, BUF_SDP_MEDIA_KEY, "base64:x"));
    assert_true(lab_saw(l, BUF_SDP_ATTRIBUTE, "recvonly"));
    assert_true(lab_saw(l, BUF_SDP_ATTRIBUTE, "rtpmap:0 PCMU/8000"));
    assert_true(lab_saw(l, BUF_SDP_MEDIA, "audio 49170 RTP/AVP 0"));
    assert_true(lab_saw(l, BUF_SDP_MEDIA_INFO, "the voice"));
}

static void check_reply(struct app_lab *l)
{
    assert_true(lab_saw(l, BUF_SIP_RESPONSE_LINE, "SIP/2.0 401 Not you"));
    assert_true(lab_saw(l, BUF_SIP_STAT_CODE, "401"));
    assert_true(lab_saw(l, BUF_SIP_STAT_MSG, "Not you"));
    assert_true(lab_saw_number(l, BUF_SIP_STAT_N, 401));
    assert_true(lab_saw(l, BUF_SIP_CONTENT_LENGTH, "0"));
}

static void test_tcp(void **state)
{
    struct app_lab *l = lab_new(&(struct lab_setup){.dport = 9999});

    lab_say(l, APP_TO_SERVER, make_invite());
    check_invite(l);
    lab_say(l, APP_TO_CLIENT, OK_REPLY);
    check_reply(l);
    assert_non_null(
        strstr(l->logged, "sip: method=INVITE uri=sip:bob@biloxi.example version=SIP/2.0 request_line="));
    assert_non_null(strstr(l->logged, "sdp={origin=alice "));
    assert_non_null(
        strstr(l->logged, "sip: version=SIP/2.0 code=401 reason=Not you response_line=SIP/2.0 401"));
    assert_false(lab_event(l, AN_SIP_INVALID));
    lab_free(l);
}

static void test_udp(void **state)
{
    struct app_lab *l = lab_new(&(struct lab_setup){.dport = 40000, .udp = true});

    lab_say(l, APP_TO_SERVER, make_invite());
    check_invite(l);
    lab_say(l, APP_TO_CLIENT, OK_REPLY);
    check_reply(l);
    lab_say(l, APP_TO_SERVER, "\r\n\r\n");
    lab_say(l, APP_TO_SERVER, "BYE sip:x SIP/2.0\n\nno length, yet a body");
    assert_true(span_eq_str(lab_grown(l, BUF_SIP_BODY), "no length, yet a body"));
    lab_free(l);
}

/* Two messages in a segment, a keep-alive between them, and every cut. */
static void test_cuts(void **state)
{
    static char two[8192];

    snprintf(two, sizeof(two), "%s\r\n\r\nOPTIONS sip:x SIP/2.0\r\nTo: y\r\n\r\n", make_invite());
    const struct said talk[] = {
        {APP_TO_SERVER, two, strlen(two)},
        {APP_TO_CLIENT, SAID(OK_REPLY)},
        {APP_TO_CLIENT, SAID("NOTIFY sip:alice SIP/2.0\r\nContent-Length: 5\r\n\r\nhelloSIP/2.0 200 OK\n\n")},
    };
    struct app_lab *l = lab_new(&(struct lab_setup){.dport = 5060});

    cuts_check(&(struct lab_setup){.dport = 5060}, talk, 3);
    for (unsigned i = 0; i < 3; i++)
        lab_send(l, talk[i].dir, talk[i].bytes, talk[i].len);
    assert_true(lab_saw(l, BUF_SIP_METHOD, "OPTIONS"));
    assert_true(lab_saw(l, BUF_SIP_METHOD, "NOTIFY"));
    assert_true(lab_saw_number(l, BUF_SIP_STAT_N, 200));
    lab_free(l);
}

static void test_broken(void **state)
{
    struct app_lab *l = lab_new(&(struct lab_setup){.dport = 5060, .udp = true});

    lab_say(l, APP_TO_SERVER, "INVITE sip:x SIP/2.0\r\nFrom: evil");
    assert_true(lab_event(l, AN_SIP_INCOMPLETE));
    assert_true(lab_saw(l, BUF_SIP_FROM, "evil"));
    lab_forget(l);
    lab_say(l, APP_TO_SERVER, "what is this\r\n\r\n");
    assert_true(lab_event(l, AN_SIP_INVALID));
    lab_forget(l);
    lab_say(l, APP_TO_SERVER, "ACK sip:x SIP/2.0\r\nl: 3\r\nContent-Length: 4\r\n\r\nabcdef");
    assert_true(lab_event(l, AN_SIP_LENGTH));
    assert_true(lab_event(l, AN_SIP_TRAILING));
    assert_true(span_eq_str(lab_grown(l, BUF_SIP_BODY), "abcdef"));
    lab_forget(l);
    lab_say(l, APP_TO_SERVER, "ACK sip:x SIP/2.0\r\nl: 30\r\n\r\nabc");
    assert_true(lab_event(l, AN_SIP_INCOMPLETE));
    lab_free(l);

    l = lab_new(&(struct lab_setup){.dport = 5060});
    lab_say(l, APP_TO_SERVER, "ACK sip:x SIP/2.0\r\n\r\n");
    lab_say(l, APP_TO_SERVER, "GET / HTTP/1.0\r\n");
    assert_true(lab_event(l, AN_SIP_INVALID));
    lab_free(l);
}

/* A body longer than the window, and a head beyond the limits: seen as far as it came. */
static void test_long(void **state)
{
    static char big[200000];
    struct app_lab *l = lab_new(&(struct lab_setup){.dport = 5060});
    int n = snprintf(big, sizeof(big), "MESSAGE sip:x SIP/2.0\r\nContent-Length: 150000\r\n\r\n");

    memset(big + n, 'b', 150000);
    lab_send_cut(l, APP_TO_SERVER, big, (size_t)n + 150000, 1000);
    assert_int_equal(lab_grown(l, BUF_SIP_BODY).len, 150000);
    assert_true(lab_event(l, AN_SIP_BODY_LONG));
    lab_forget(l);
    n = snprintf(big, sizeof(big), "MESSAGE sip:x SIP/2.0\r\nFrom: seen\r\nX: ");
    memset(big + n, 'h', 100000);
    lab_send_cut(l, APP_TO_SERVER, big, (size_t)n + 100000, 1000);
    assert_true(lab_event(l, AN_SIP_HEADERS_LONG));
    assert_true(lab_saw(l, BUF_SIP_FROM, "seen"));
    lab_free(l);
}

static void test_recognise(void **state)
{
    static const char *const others[] = {"OPTIONS / HTTP/1.1\r\n", "OPTIONS * HTTP/1.0\r\n\r\n", "HELO x\r\n",
                                         "GET sip:x HTTP/1.1\r\n", "INVITE sip:x\r\n"};

    for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct app_lab *l = lab_new(&(struct lab_setup){.dport = 5060});

        lab_say(l, APP_TO_SERVER, others[i]);
        assert_false(lab_speaks(l, APP_SIP));
        lab_free(l);
    }
    struct app_lab *l = lab_new(&(struct lab_setup){.dport = 1});
    lab_send_cut(l, APP_TO_SERVER, "\r\nREGISTER sips:x SIP/2.0\n\n", 28, 1);
    assert_true(lab_speaks(l, APP_SIP));
    assert_true(lab_saw(l, BUF_SIP_METHOD, "REGISTER"));
    lab_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tcp),    cmocka_unit_test(test_udp),  cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_broken), cmocka_unit_test(test_long), cmocka_unit_test(test_recognise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
