/* SPDX-License-Identifier: BSD-2-Clause */
/* HTTP/1 as it should be spoken: every buffer of both dialects, transactions, framing, what becomes of a connection. */
#include "tests/unit/http1_talk.h"

#define ASSERT_SAW(l, b, text)                                \
    do {                                                      \
        if (!lab_saw(l, BUF_##b, text)) {                     \
            static char seen[1 << 18];                        \
            talk_seen(l, seen, sizeof(seen));                 \
            print_error("no %s [%s] in\n%s", #b, text, seen); \
            fail();                                           \
        }                                                     \
    } while (0)

static void request_buffers(void **state)
{
    struct app_lab *l = talk(CLIENT("GET /a/../b%20c//d.html?x=%41+1#f HTTP/1.1\r\n"
                                    "Host: WWW.Example.org.:8080\r\n"
                                    "User-Agent: Agent/1\r\n"
                                    "Accept: text/html\r\n"
                                    "Accept-Encoding: gzip\r\n"
                                    "Accept-Language: de\r\n"
                                    "Referer: http://r/\r\n"
                                    "Cookie: a=1; b=2\r\n"
                                    "Connection: keep-alive\r\n"
                                    "X-Forwarded-For: 192.0.2.1, 10.0.0.1\r\n"
                                    "\r\n"));

    ASSERT_SAW(l, HTTP_METHOD, "GET");
    ASSERT_SAW(l, HTTP_URI, "/b c/d.html?x=A+1#f");
    ASSERT_SAW(l, HTTP_URI_RAW, "/a/../b%20c//d.html?x=%41+1#f");
    ASSERT_SAW(l, HTTP_PROTOCOL, "HTTP/1.1");
    ASSERT_SAW(l, HTTP_REQUEST_LINE, "GET /a/../b%20c//d.html?x=%41+1#f HTTP/1.1");
    ASSERT_SAW(l, HTTP_HOST, "www.example.org");
    ASSERT_SAW(l, HTTP_HOST_RAW, "WWW.Example.org.:8080");
    ASSERT_SAW(l, HTTP_USER_AGENT, "Agent/1");
    ASSERT_SAW(l, HTTP_ACCEPT, "text/html");
    ASSERT_SAW(l, HTTP_ACCEPT_ENC, "gzip");
    ASSERT_SAW(l, HTTP_ACCEPT_LANG, "de");
    ASSERT_SAW(l, HTTP_REFERER, "http://r/");
    ASSERT_SAW(l, HTTP_COOKIE, "a=1; b=2");
    ASSERT_SAW(l, HTTP_COOKIE_RAW, "a=1; b=2");
    ASSERT_SAW(l, HTTP_CONNECTION, "keep-alive");
    ASSERT_SAW(l, HTTP_TRUE_IP, "192.0.2.1");
    ASSERT_SAW(l, HTTP_HEADER,
               "Host: WWW.Example.org.:8080\r\nUser-Agent: Agent/1\r\nAccept: text/html\r\n"
               "Accept-Encoding: gzip\r\nAccept-Language: de\r\nReferer: http://r/\r\n"
               "Connection: keep-alive\r\nX-Forwarded-For: 192.0.2.1, 10.0.0.1\r\n");
    ASSERT_SAW(l, HTTP_HEADER_NAMES,
               "\r\nHost\r\nUser-Agent\r\nAccept\r\nAccept-Encoding\r\nAccept-Language\r\n"
               "Referer\r\nCookie\r\nConnection\r\nX-Forwarded-For\r\n\r\n");
    ASSERT_SAW(l, HTTP_REQUEST_HEADER, "Cookie: a=1; b=2");
    assert_true(lab_speaks(l, APP_HTTP1));
    assert_false(lab_event(l, AN_HTTP_REQUEST_HEADER_HOST_INVALID));
    lab_end_flow(l);
    assert_non_null(strstr(l->logged, "http: hostname=www.example.org http_port=8080 "));
    assert_non_null(strstr(l->logged, "xff=192.0.2.1 "));
    lab_free(l);
}

static void response_buffers(void **state)
{
    struct app_lab *l =
        talk(CLIENT("GET / HTTP/1.0\r\n\r\n"),
             SERVER("HTTP/1.1 302 Moved Somewhere\r\n"
                    "Server: s/1\r\nLocation: http://x/\r\nContent-Type: text/html; charset=x\r\n"
                    "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
                    "Content-Length: 5\r\n\r\nhello"));

    ASSERT_SAW(l, HTTP_STAT_CODE, "302");
    ASSERT_SAW(l, HTTP_STAT_MSG, "Moved Somewhere");
    ASSERT_SAW(l, HTTP_RESPONSE_LINE, "HTTP/1.1 302 Moved Somewhere");
    ASSERT_SAW(l, HTTP_SERVER, "s/1");
    ASSERT_SAW(l, HTTP_LOCATION, "http://x/");
    ASSERT_SAW(l, HTTP_CONTENT_TYPE, "text/html; charset=x");
    ASSERT_SAW(l, HTTP_CONTENT_LEN, "5");
    ASSERT_SAW(l, HTTP_COOKIE, "a=1, b=2");
    ASSERT_SAW(l, HTTP_HEADER,
               "Server: s/1\r\nLocation: http://x/\r\nContent-Type: text/html; charset=x\r\n"
               "Content-Length: 5\r\n");
    ASSERT_SAW(l, HTTP_HEADER_RAW,
               "Server: s/1\r\nLocation: http://x/\r\nContent-Type: text/html; charset=x\r\n"
               "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 5\r\n\r\n");
    ASSERT_SAW(l, HTTP_HEADER_NAMES,
               "\r\nServer\r\nLocation\r\nContent-Type\r\nSet-Cookie\r\nContent-Length\r\n\r\n");
    ASSERT_SAW(l, HTTP_START,
               "HTTP/1.1 302 Moved Somewhere\r\nServer: s/1\r\nLocation: http://x/\r\n"
               "Content-Type: text/html; charset=x\r\nSet-Cookie: a=1, b=2\r\nContent-Length: 5\r\n\r\n");
    assert_true(talk_body(l, BUF_HTTP_RESPONSE_BODY, "hello"));
    assert_true(talk_body(l, BUF_FILE_DATA, "hello"));
    assert_true(lab_event(l, AN_HTTP_RESPONSE_HEADER_REPETITION));
    assert_non_null(strstr(l->logged, "url=/ http_content_type=text/html http_method=GET protocol=HTTP/1.0 "
                                      "status=302 redirect=http://x/ length=5"));
    lab_free(l);
}

static void repeated_fields_are_joined(void **state)
{
    struct app_lab *l = talk(CLIENT("GET / HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nB: 2\r\nx-a: 3\r\nX-A:\r\n\r\n"));

    ASSERT_SAW(l, HTTP_HEADER, "Host: h\r\nX-A: 1, 3, \r\nB: 2\r\n");
    ASSERT_SAW(l, HTTP_HEADER_RAW, "Host: h\r\nX-A: 1\r\nB: 2\r\nx-a: 3\r\nX-A:\r\n\r\n");
    ASSERT_SAW(l, HTTP_HEADER_NAMES, "\r\nHost\r\nX-A\r\nB\r\n\r\n");
    lab_free(l);
}

static void bodies_by_length(void **state)
{
    struct app_lab *l =
        talk(CLIENT("POST /up/f.bin HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nhello world"),
             SERVER("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));

    assert_true(talk_body(l, BUF_HTTP_REQUEST_BODY, "hello world"));
    assert_true(talk_body(l, BUF_FILE_DATA, "hello world"));
    assert_false(lab_event(l, AN_HTTP_UNABLE_TO_MATCH_RESPONSE_TO_REQUEST));
    lab_free(l);
}

static void chunks(void **state)
{
    struct app_lab *l =
        talk(CLIENT("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nX-End: 1\r\n\r\n"
                    "GET /next HTTP/1.1\r\nHost: h\r\n\r\n"),
             SERVER("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0000b\r\nhello again\r\n0\r\n\r\n"
                    "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"));

    assert_true(talk_body(l, BUF_HTTP_REQUEST_BODY, "hello world"));
    assert_true(talk_body(l, BUF_HTTP_RESPONSE_BODY, "hello again"));
    ASSERT_SAW(l, HTTP_TRAILER, "X-End: 1\r\n");
    ASSERT_SAW(l, HTTP_TRAILER_RAW, "X-End: 1\r\n");
    ASSERT_SAW(l, HTTP_REQUEST_HEADER, "X-End: 1");
    ASSERT_SAW(l, HTTP_URI, "/next");
    ASSERT_SAW(l, HTTP_STAT_CODE, "404");
    assert_true(lab_event(l, AN_HTTP_REQUEST_CHUNK_EXTENSION));
    assert_false(lab_event(l, AN_HTTP_INVALID_REQUEST_CHUNK_LEN));
    lab_free(l);
}

static void pipelined(void **state)
{
    struct app_lab *l = talk(CLIENT("HEAD /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n"
                                    "GET /3 HTTP/1.1\r\nHost: h\r\n\r\n"),
                             SERVER("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"
                                    "HTTP/1.1 304 Same\r\nContent-Length: 500\r\n\r\n"
                                    "HTTP/1.1 204 None\r\n\r\n"));

    ASSERT_SAW(l, HTTP_STAT_CODE, "204");
    assert_int_equal(lab_count(l, BUF_HTTP_STAT_CODE), 3);
    assert_non_null(strstr(l->logged, "url=/3 http_method=GET protocol=HTTP/1.1 status=204"));
    assert_false(lab_event(l, AN_HTTP_RESPONSE_BODY_UNEXPECTED));
    lab_free(l);
}

static void too_many_wait(void **state)
{
    struct app_limits limits = APP_LIMITS_DEFAULT;
    limits.transactions = 3;
    struct app_lab *l = lab_new(&(struct lab_setup){.dport = 80, .limits = &limits});

    for (int i = 0; i < 3; i++)
        lab_say(l, APP_TO_SERVER, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_false(lab_event(l, AN_HTTP_TOO_MANY_TRANSACTIONS));
    lab_say(l, APP_TO_SERVER, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(lab_event(l, AN_HTTP_TOO_MANY_TRANSACTIONS));
    lab_free(l);
}

static void continued(void **state)
{
    struct app_lab *l =
        talk(CLIENT("PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"),
             SERVER("HTTP/1.1 100 Continue\r\nX: 1\r\n\r\n"), CLIENT("ab"),
             SERVER("HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nz"));

    ASSERT_SAW(l, HTTP_RESPONSE_HEADER, "X: 1");
    assert_int_equal(lab_count(l, BUF_HTTP_STAT_CODE), 3);
    assert_true(talk_body(l, BUF_HTTP_REQUEST_BODY, "ab"));
    assert_true(talk_body(l, BUF_HTTP_RESPONSE_BODY, "z"));
    assert_false(lab_event(l, AN_HTTP_100_CONTINUE_ALREADY_SEEN));
    lab_free(l);
}

static void until_the_connection_ends(void **state)
{
    struct app_lab *l = talk(CLIENT("GET /old\r\n"), SERVER("<html>old</html>"), SERVER_ENDS(""));

    ASSERT_SAW(l, HTTP_URI, "/old");
    assert_true(talk_body(l, BUF_HTTP_RESPONSE_BODY, "<html>old</html>"));
    assert_true(lab_event(l, AN_HTTP_REQUEST_WITHOUT_VERSION));
    lab_free(l);
    l = talk(CLIENT("GET /new HTTP/1.1\r\nHost: h\r\n\r\n"), SERVER("HTTP/1.1 200 OK\r\n\r\none"),
             SERVER_ENDS(" two"));
    assert_true(talk_body(l, BUF_HTTP_RESPONSE_BODY, "one two"));
    assert_non_null(strstr(l->logged, "length=7"));
    lab_free(l);
}

static void unasked_response(void **state)
{
    struct app_lab *l = talk(SERVER("HTTP/1.1 408 Timeout\r\nContent-Length: 2\r\n\r\nno"));

    assert_true(lab_event(l, AN_HTTP_UNABLE_TO_MATCH_RESPONSE_TO_REQUEST));
    assert_true(talk_body(l, BUF_HTTP_RESPONSE_BODY, "no"));
    lab_free(l);
}

static void tunnels(void **state)
{
    struct app_lab *l =
        talk(CLIENT("CONNECT h.example:443 HTTP/1.1\r\nHost: h.example:443\r\n\r\n"),
             SERVER("HTTP/1.1 200 Connection established\r\n\r\n"),
             CLIENT("GET /inside HTTP/1.1\r\nHost: i\r\n\r\n"), SERVER("HTTP/1.1 200 OK\r\n\r\nin"));

    ASSERT_SAW(l, HTTP_URI, "h.example:443");
    ASSERT_SAW(l, HTTP_HOST, "h.example");
    ASSERT_SAW(l, HTTP_URI, "/inside");
    assert_true(talk_body(l, BUF_HTTP_RESPONSE_BODY, "in"));
    lab_free(l);
    l = talk(CLIENT("CONNECT h.example:443 HTTP/1.1\r\nHost: h.example:443\r\n\r\n"),
             SERVER("HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"),
             CLIENT("GET /again HTTP/1.1\r\nHost: i\r\n\r\n"));
    ASSERT_SAW(l, HTTP_URI, "/again");
    assert_false(lab_event(l, AN_HTTP_CONNECT_EARLY_DATA));
    lab_free(l);
}

static void upgrades(void **state)
{
    static const struct {
        const char *word;
        enum app_proto proto;
    } to[] = {{"h2c", APP_HTTP2}, {"x, H2C", APP_HTTP2}};

    for (unsigned i = 0; i < sizeof(to) / sizeof(to[0]); i++) {
        struct app_lab *l = lab_new(&(struct lab_setup){.dport = 80});

        lab_say(l, APP_TO_SERVER, "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: ");
        lab_say(l, APP_TO_SERVER, to[i].word);
        lab_say(l, APP_TO_SERVER, "\r\n\r\n");
        lab_say(l, APP_TO_CLIENT, "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: ");
        lab_say(l, APP_TO_CLIENT, to[i].word);
        assert_true(lab_speaks(l, APP_HTTP1));
        lab_say(l, APP_TO_CLIENT, "\r\n\r\n");
        assert_true(lab_speaks(l, to[i].proto));
        assert_false(lab_event(l, AN_HTTP_FAILED_PROTOCOL_CHANGE));
        lab_free(l);
    }
    struct app_lab *l = lab_new(&(struct lab_setup){.dport = 80});
    lab_say(l, APP_TO_SERVER, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    lab_say(l, APP_TO_CLIENT, "HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n");
    assert_true(lab_event(l, AN_HTTP_FAILED_PROTOCOL_CHANGE));
    lab_free(l);
}

static void absolute_target(void **state)
{
    struct app_lab *l = talk(CLIENT("GET http://u:p@Abs.Example:81/p?q HTTP/1.1\r\nHost: other\r\n\r\n"));

    ASSERT_SAW(l, HTTP_URI, "/p?q");
    ASSERT_SAW(l, HTTP_URI_RAW, "http://u:p@Abs.Example:81/p?q");
    ASSERT_SAW(l, HTTP_HOST, "abs.example");
    ASSERT_SAW(l, HTTP_HOST, "other");
    assert_true(lab_event(l, AN_HTTP_HOST_HEADER_AMBIGUOUS));
    lab_free(l);
}

static void nothing_is_left_of_an_idle_flow(void **state)
{
    struct app_lab *l = lab_new(&(struct lab_setup){.dport = 80});

    for (int i = 0; i < 3; i++) {
        lab_say(l, APP_TO_SERVER, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
        lab_say(l, APP_TO_CLIENT, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc");
        assert_true(app_bytes(l->app) <= 1024);
    }
    lab_free(l);
}

static void not_http(void **state)
{
    static const char *const others[] = {"EHLO host\r\n",
                                         "USER joe\r\n",
                                         "OPTIONS sip:a@b SIP/2.0\r\n\r\n",
                                         "DESCRIBE rtsp://h/ RTSP/1.0\r\n\r\n",
                                         "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                                         "a1 LOGIN x y\r\n",
                                         "SSH-2.0-x\r\n"};

    for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct app_lab *l = lab_new(&(struct lab_setup){.dport = 80});

        lab_say(l, APP_TO_SERVER, others[i]);
        assert_false(lab_speaks(l, APP_HTTP1));
        lab_free(l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_buffers),
        cmocka_unit_test(response_buffers),
        cmocka_unit_test(repeated_fields_are_joined),
        cmocka_unit_test(bodies_by_length),
        cmocka_unit_test(chunks),
        cmocka_unit_test(pipelined),
        cmocka_unit_test(too_many_wait),
        cmocka_unit_test(continued),
        cmocka_unit_test(until_the_connection_ends),
        cmocka_unit_test(unasked_response),
        cmocka_unit_test(tunnels),
        cmocka_unit_test(upgrades),
        cmocka_unit_test(absolute_target),
        cmocka_unit_test(nothing_is_left_of_an_idle_flow),
        cmocka_unit_test(not_http),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
