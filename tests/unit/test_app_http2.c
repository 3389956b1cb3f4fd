/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HTTP/2: what rules see of requests and responses, of frames that belong to none, and of a connection that does what
 * receivers read in two ways; every conversation also byte by byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/app_cuts.h"
#include "tests/unit/http2_wire.h"

static struct wire c, s; /* what the client and the server say */

static const struct lab_setup web = {.dport = 80};

static const uint8_t some_settings[] = {0, 3, 0, 0, 0, 100, 0, 4, 0, 1, 0, 0};

#define GET(path) ":method: GET\n:path: " path "\n:scheme: http\n:authority: WWW.Example.com:8080\n"

static void begin(void)
{
    wire_begin(&c, true);
    wire_begin(&s, false);
    wire_frame(&c, H2_SETTINGS, 0, 0, some_settings, sizeof(some_settings));
    wire_frame(&s, H2_SETTINGS, 0, 0, "", 0);
}

/* Both sides' bytes, the client's first; and the same at any cut. */
static struct app_lab *tell(const struct lab_setup *setup)
{
    struct said talk[] = {{APP_TO_SERVER, c.b, c.n}, {APP_TO_CLIENT, s.b, s.n}};
    struct app_lab *l = lab_new(setup);

    cuts_check(setup, talk, 2);
    lab_send(l, APP_TO_SERVER, c.b, c.n);
    lab_send(l, APP_TO_CLIENT, s.b, s.n);
    return l;
}

static void end(struct app_lab *l)
{
    lab_free(l);
    wire_end(&c);
    wire_end(&s);
}

static void requests_and_responses(void **state)
{
    (void)state;
    begin();
    wire_headers(&c, 1, H2_END_STREAM,
                 GET("/a/../b%2fc?x=1") "user-agent: curl/8\naccept: */*\ncookie: a=1\ncookie: b=2\n");
    wire_headers(&c, 3, 0, ":method: POST\n:path: /up\n:scheme: http\n:authority: h\ncontent-length: 10\n");
    wire_data(&c, 3, 0, "hello");
    wire_data(&c, 3, H2_END_STREAM, "world");
    wire_headers(&s, 1, 0, ":status: 200\nserver: nginx\ncontent-type: text/html\nset-cookie: s=1\n");
    wire_data(&s, 1, 0, "<html>");
    wire_headers(&s, 3, H2_END_STREAM, ":status: 404\nlocation: /elsewhere\n");
    wire_data(&s, 1, H2_END_STREAM, "</html>");
    struct app_lab *l = tell(&web);

    assert_true(lab_speaks(l, APP_HTTP2));
    assert_true(lab_saw(l, BUF_HTTP_METHOD, "GET"));
    assert_true(lab_saw(l, BUF_HTTP_URI_RAW, "/a/../b%2fc?x=1"));
    assert_true(lab_saw(l, BUF_HTTP_URI, "/b/c?x=1"));
    assert_true(lab_saw(l, BUF_HTTP_HOST, "www.example.com"));
    assert_true(lab_saw(l, BUF_HTTP_HOST_RAW, "WWW.Example.com:8080"));
    assert_true(lab_saw(l, BUF_HTTP_USER_AGENT, "curl/8"));
    assert_true(lab_saw(l, BUF_HTTP_COOKIE, "a=1; b=2"));
    assert_true(lab_saw(l, BUF_HTTP_HEADER,
                        ":method: GET\r\n:path: /a/../b%2fc?x=1\r\n:scheme: http\r\n"
                        ":authority: WWW.Example.com:8080\r\nuser-agent: curl/8\r\naccept: */*\r\n"));
    assert_true(
        lab_saw(l, BUF_HTTP_HEADER_NAMES,
                "\r\n:method\r\n:path\r\n:scheme\r\n:authority\r\nuser-agent\r\naccept\r\ncookie\r\n\r\n"));
    assert_true(lab_saw(l, BUF_HTTP_REQUEST_LINE, "GET /a/../b%2fc?x=1 HTTP/2\r\n"));
    assert_true(lab_saw(l, BUF_HTTP_PROTOCOL, "HTTP/2"));
    assert_true(lab_saw(l, BUF_HTTP_REQUEST_HEADER, ":authority: WWW.Example.com:8080"));
    assert_true(lab_saw(l, BUF_HTTP2_HEADER, "::authority: WWW.Example.com::8080"));
    assert_true(lab_saw(l, BUF_HTTP2_HEADER, "user-agent: curl/8"));
    assert_true(lab_saw(l, BUF_HTTP2_HEADER_NAME, ":path"));
    assert_true(lab_saw(l, BUF_HTTP_CONTENT_LEN, "10"));
    assert_true(span_eq_str(lab_grown(l, BUF_HTTP_REQUEST_BODY), "helloworld"));
    assert_true(lab_saw(l, BUF_HTTP_STAT_CODE, "200"));
    assert_true(lab_saw(l, BUF_HTTP_STAT_CODE, "404"));
    assert_true(lab_saw(l, BUF_HTTP_STAT_MSG, ""));
    assert_true(lab_saw(l, BUF_HTTP_RESPONSE_LINE, "HTTP/2 200\r\n"));
    assert_true(lab_saw(l, BUF_HTTP_SERVER, "nginx"));
    assert_true(lab_saw(l, BUF_HTTP_LOCATION, "/elsewhere"));
    assert_true(lab_saw(l, BUF_HTTP_COOKIE, "s=1"));
    assert_true(span_eq_str(lab_grown(l, BUF_HTTP_RESPONSE_BODY), "<html></html>"));
    assert_true(span_eq_str(lab_grown(l, BUF_FILE_DATA), "<html></html>"));
    assert_true(lab_saw_number(l, BUF_HTTP2_FRAMETYPE, H2_HEADERS));
    assert_true(lab_saw_number(l, BUF_HTTP2_FRAMETYPE, H2_DATA));
    assert_false(anomaly_any(&l->events));
    assert_non_null(strstr(l->logged,
                           "http: version=2 http_method=GET url=/a/../b%2fc?x=1 "
                           "hostname=WWW.Example.com:8080 http_user_agent=curl/8 "
                           "http_content_type=text/html status=200 length=13 http2={stream_id=1 "));
    end(l);
}

static void frames_of_no_message(void **state)
{
    (void)state;
    begin();
    wire_number(&c, H2_WINDOW_UPDATE, 0, 0x80012345);
    wire_frame(&c, H2_HEADERS, H2_END_STREAM | H2_END_HEADERS | H2_PRIORITISED, 1,
               "\0\0\0\0\x20\x3f\x91\x1f\x82\x84\x86", 11);
    wire_frame(&c, H2_PRIORITY, 0, 1, "\0\0\0\0\x63", 5);
    wire_number(&c, H2_WINDOW_UPDATE, 1, 777);
    wire_frame(&c, H2_PING, 0, 0, "12345678", 8);
    wire_frame(&c, 0x10, 0, 0, "not known", 9);
    wire_number(&c, H2_RST_STREAM, 1, 8);
    wire_frame(&s, H2_GOAWAY, 0, 0,
               "\0\0\0\1\0\0\0\x0b"
               "debug data",
               18);
    struct app_lab *l = tell(&web);

    assert_true(lab_saw_number(l, BUF_HTTP2_SETTINGS, UINT64_C(3) << 32 | 100));
    assert_true(lab_saw_number(l, BUF_HTTP2_SETTINGS, UINT64_C(4) << 32 | 65536));
    assert_true(lab_saw_number(l, BUF_HTTP2_WINDOW, 0x12345));
    assert_true(lab_saw_number(l, BUF_HTTP2_WINDOW, 777));
    assert_true(lab_saw_number(l, BUF_HTTP2_PRIORITY, 0x20));
    assert_true(lab_saw_number(l, BUF_HTTP2_PRIORITY, 0x63));
    assert_true(lab_saw_number(l, BUF_HTTP2_SIZE_UPDATE, 31 + 17 + 31 * 128));
    assert_true(lab_saw_number(l, BUF_HTTP2_ERRORCODE, 8));
    assert_true(lab_saw_number(l, BUF_HTTP2_ERRORCODE, 11));
    for (unsigned i = H2_HEADERS; i <= H2_WINDOW_UPDATE; i++)
        if (i != H2_PUSH_PROMISE)
            assert_true(lab_saw_number(l, BUF_HTTP2_FRAMETYPE, i));
    assert_non_null(
        strstr(l->logged, "settings={={settings_id=SETTINGSMAXCONCURRENTSTREAMS settings_value=100 } "));
    assert_non_null(strstr(l->logged, "error_code=ENHANCE_YOUR_CALM"));
    assert_false(anomaly_any(&l->events));
    end(l);
}

static void padding_and_continuations(void **state)
{
    uint8_t pad[300] = {0};
    size_t third;

    (void)state;
    begin();
    wire_pack(&c, GET("/split") "x-long: some value that is cut in two\n");
    third = c.block_len / 3;
    wire_head(&c, 1 + third + 7, H2_HEADERS, H2_PADDED, 1);
    wire_bytes(&c, "\7", 1);
    wire_bytes(&c, c.block, third);
    wire_bytes(&c, pad, 7);
    wire_frame(&c, H2_CONTINUATION, 0, 1, c.block + third, third);
    wire_frame(&c, H2_CONTINUATION, 0, 1, "", 0);
    wire_frame(&c, H2_CONTINUATION, H2_END_HEADERS, 1, c.block + 2 * third, c.block_len - 2 * third);
    wire_head(&c, 1 + 5 + 255, H2_DATA, H2_PADDED, 1);
    wire_bytes(&c,
               "\xff"
               "at",
               3);
    wire_bytes(&c, "ta", 2);
    wire_bytes(&c, "-", 1);
    wire_bytes(&c, pad, 255);
    wire_head(&c, 1 + 3, H2_DATA, H2_PADDED | H2_END_STREAM, 1);
    wire_bytes(&c, "\0ck!", 4);
    struct app_lab *l = tell(&web);

    assert_true(lab_saw(l, BUF_HTTP_URI, "/split"));
    assert_true(lab_saw(l, BUF_HTTP2_HEADER, "x-long: some value that is cut in two"));
    assert_true(span_eq_str(lab_grown(l, BUF_HTTP_REQUEST_BODY), "atta-ck!"));
    assert_true(lab_saw_number(l, BUF_HTTP2_FRAMETYPE, H2_CONTINUATION));
    assert_false(anomaly_any(&l->events));
    end(l);
}

static void interim_responses_trailers_and_pushes(void **state)
{
    (void)state;
    begin();
    wire_headers(&c, 1, 0, GET("/"));
    wire_data(&c, 1, 0, "x");
    wire_headers(&c, 1, H2_END_STREAM, "x-trail: behind\n");
    wire_headers(&s, 1, 0, ":status: 103\nlink: early\n");
    wire_pack(&s, GET("/pushed"));
    wire_head(&s, 4 + s.block_len, H2_PUSH_PROMISE, H2_END_HEADERS, 1);
    wire_bytes(&s, "\0\0\0\2", 4);
    wire_bytes(&s, s.block, s.block_len);
    wire_headers(&s, 1, 0, ":status: 200\n");
    wire_data(&s, 1, 0, "body");
    wire_headers(&s, 1, H2_END_STREAM, "grpc-status: 0\n");
    wire_headers(&s, 2, 0, ":status: 200\n");
    wire_data(&s, 2, H2_END_STREAM, "pushed body");
    struct app_lab *l = tell(&web);

    assert_true(lab_saw(l, BUF_HTTP_STAT_CODE, "103"));
    assert_true(lab_saw(l, BUF_HTTP2_HEADER, "link: early"));
    assert_true(lab_saw(l, BUF_HTTP2_HEADER, "x-trail: behind"));
    assert_true(lab_saw(l, BUF_HTTP_HEADER, "x-trail: behind\r\n"));
    assert_true(lab_saw(l, BUF_HTTP2_HEADER, "grpc-status: 0"));
    assert_true(lab_saw(l, BUF_HTTP_URI, "/pushed"));
    assert_true(span_eq_str(lab_grown(l, BUF_HTTP_RESPONSE_BODY), "pushed body"));
    assert_true(lab_saw_number(l, BUF_HTTP2_FRAMETYPE, H2_PUSH_PROMISE));
    assert_non_null(strstr(l->logged, "http2={stream_id=2 ")); /* it is over */
    assert_false(anomaly_any(&l->events));
    end(l);
}

/* A connection may be upgraded from HTTP/1: the first stream's request came before. */
static void the_answer_to_an_upgraded_request(void **state)
{
    (void)state;
    begin();
    wire_headers(&s, 1, 0, ":status: 200\n");
    wire_data(&s, 1, H2_END_STREAM, "answer");
    wire_headers(&c, 3, H2_END_STREAM, GET("/next"));
    struct app_lab *l = tell(&web);

    assert_true(lab_saw(l, BUF_HTTP_STAT_CODE, "200"));
    assert_true(span_eq_str(lab_grown(l, BUF_HTTP_RESPONSE_BODY), "answer"));
    assert_true(lab_saw(l, BUF_HTTP_URI, "/next"));
    assert_non_null(strstr(l->logged, "http2={stream_id=1 ")); /* it is over */
    end(l);
}

/* RFC 8484: a question in the target, and one in a body; the answer to it. */
static void dns_over_https(void **state)
{
    static const uint8_t asked[] = "\0\0\1\0\0\1\0\0\0\0\0\0\4evil\4test\0\0\1\0\1",
                         told[] = "\0\0\x81\x80\0\1\0\0\0\0\0\0\4evil\4test\0\0\1\0\1";

    (void)state;
    begin();
    wire_headers(&c, 1, H2_END_STREAM,
                 GET("/dns-query?x=1&dns=AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB"));
    wire_headers(&c, 3, 0,
                 ":method: POST\n:path: /dns-query\n:scheme: http\ncontent-type: application/dns-message\n");
    wire_frame(&c, H2_DATA, 0, 3, asked, 9);
    wire_frame(&c, H2_DATA, H2_END_STREAM, 3, asked + 9, sizeof(asked) - 1 - 9);
    wire_headers(&s, 3, 0, ":status: 200\ncontent-type: application/dns-message\n");
    wire_frame(&s, H2_DATA, H2_END_STREAM, 3, told, sizeof(told) - 1);
    struct app_lab *l = tell(&web);

    assert_true(lab_saw(l, BUF_DNS_QUERY, "www.example.com"));
    assert_true(lab_saw(l, BUF_DNS_QUERY, "evil.test"));
    assert_true(lab_speaks(l, APP_DOH2));
    assert_true(lab_speaks(l, APP_DNS));
    assert_true(lab_speaks(l, APP_HTTP2));
    assert_false(anomaly_any(&l->events));
    end(l);

    begin();
    wire_headers(&c, 1, 0,
                 ":method: POST\n:path: /dns-query\n:scheme: http\ncontent-type: application/dns-message\n");
    for (int i = 0; i < 66; i++)
        wire_frame(&c, H2_DATA, 0, 1, c.block, 1000);
    l = lab_new(&web);
    lab_send(l, APP_TO_SERVER, c.b, c.n);
    assert_true(lab_event(l, AN_HTTP2_DNS_REQUEST_TOO_LONG));
    end(l);
}

/* --- what is odd ------------------------------------------------------------------------------------------------------ */

static void odd_fields(void **state)
{
    static const struct {
        const char *fields;
        enum anomaly event;
    } cases[] = {
        {":method: GET\n:method: POST\n:path: /\n:scheme: http\n", AN_HTTP2_INVALID_PSEUDO},
        {":method: GET\n:scheme: http\n", AN_HTTP2_INVALID_PSEUDO},
        {":method: GET\n:path: /\n:scheme: http\nx: y\n:authority: late\n", AN_HTTP2_INVALID_PSEUDO},
        {":method: GET\n:path: /\n:scheme: http\n:status: 200\n", AN_HTTP2_INVALID_PSEUDO},
        {":method: GET\n:path: /\n:scheme: http\n:odd: 1\n", AN_HTTP2_INVALID_PSEUDO},
        {":method: GET\n:path: / HTTP/1.1\r\rx:\n:scheme: http\n", AN_HTTP2_INVALID_TARGET},
        {":method: GET X\n:path: /\n:scheme: http\n", AN_HTTP2_INVALID_TARGET},
        {":method: GET\n:path: evil\n:scheme: http\n", AN_HTTP2_INVALID_TARGET},
        {":method: GET\n:path: /\n:scheme: http\n:authority: a b\n", AN_HTTP2_INVALID_TARGET},
        {":method: GET\n:path: /\n:scheme: http\nx: a\rb\n", AN_HTTP2_INVALID_HEADER_BYTES},
        {":method: GET\n:path: /\n:scheme: http\nX-Upper: a\n", AN_HTTP2_INVALID_HEADER_BYTES},
        {":method: GET\n:path: /\n:scheme: http\nx y: a\n", AN_HTTP2_INVALID_HEADER_BYTES},
        {":method: GET\n:path: /\n:scheme: http\ntransfer-encoding: chunked\n", AN_HTTP2_CONNECTION_HEADER},
        {":method: GET\n:path: /\n:scheme: http\n:authority: a\nhost: b\n", AN_HTTP2_AUTHORITY_HOST},
        {":method: GET\n:path: /\n:scheme: http\n:authority: u:p@h\n", AN_HTTP2_USERINFO},
        {":method: GET\n:path: /\n:scheme: http\ncontent-length: 5\n", AN_HTTP2_CONTENT_LENGTH},
        {":method: GET\n:path: /\n:scheme: http\ncontent-length: 0\ncontent-length: 7\n",
         AN_HTTP2_CONTENT_LENGTH},
        {":method: GET\n:path: /\n:scheme: http\ncontent-length: 1x\n", AN_HTTP2_CONTENT_LENGTH},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin();
        wire_headers(&c, 1, H2_END_STREAM, cases[i].fields);
        struct app_lab *l = tell(&web);

        if (!lab_event(l, cases[i].event))
            fail_msg("no %s: %s", anomaly_info[cases[i].event].name, cases[i].fields);
        assert_true(lab_saw(l, BUF_HTTP2_HEADER_NAME, ":method"));
        end(l);
    }
}

/* Frames that are out of place or of an odd length, behind a request; what rules see of the rest. */
static void odd_frames(void **state)
{
    static const struct {
        enum anomaly event;
        uint8_t type, flags;
        uint32_t stream;
        const char *payload;
        size_t len;
        bool over; /* nobody goes on behind it */
    } cases[] = {
        {AN_HTTP2_DATA_STREAM_ZERO, H2_DATA, 0, 0, "x", 1, false},
        {AN_HTTP2_DATA_OUT_OF_PLACE, H2_DATA, 0, 1, "x", 1, false},
        {AN_HTTP2_DATA_OUT_OF_PLACE, H2_DATA, 0, 99, "x", 1, false},
        {AN_HTTP2_STREAM_ID_REUSE, H2_HEADERS, H2_END_HEADERS, 1, "\x82\x84\x86", 3, false},
        {AN_HTTP2_INVALID_FRAME_LENGTH, H2_PRIORITY, 0, 1, "abcd", 4, false},
        {AN_HTTP2_INVALID_FRAME_LENGTH, H2_PING, 0, 0, "abcdefghi", 9, false},
        {AN_HTTP2_INVALID_FRAME_LENGTH, H2_SETTINGS, 0, 0, "abcdefgh", 8, false},
        {AN_HTTP2_INVALID_FRAME_HEADER, H2_SETTINGS, 0, 5, "", 0, false},
        {AN_HTTP2_INVALID_FRAME_HEADER, H2_HEADERS, H2_END_HEADERS, 0, "\x82", 1, false},
        {AN_HTTP2_INVALID_PADDING, H2_DATA, H2_PADDED, 1, "\x05x", 2, true},
        {AN_HTTP2_INVALID_FRAME_LENGTH, H2_DATA, H2_PADDED, 1, "", 0, true},
        {AN_HTTP2_INVALID_HEADER, H2_HEADERS, H2_END_HEADERS, 5, "\xff\xff\xff\xff\xff\xff", 6, true},
        {AN_HTTP2_INVALID_HEADER, H2_HEADERS, H2_END_HEADERS, 5, "\x82\x41", 2, true},
        {AN_HTTP2_BLOCK_INTERRUPTED, H2_CONTINUATION, 0, 1, "\x82", 1, true},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin();
        wire_headers(&c, 1, H2_END_STREAM, GET("/first"));
        wire_frame(&c, cases[i].type, cases[i].flags, cases[i].stream, cases[i].payload, cases[i].len);
        wire_headers(&c, 101, H2_END_STREAM, GET("/second"));
        struct app_lab *l = tell(&web);

        if (!lab_event(l, cases[i].event))
            fail_msg("case %u: no %s", i, anomaly_info[cases[i].event].name);
        assert_true(lab_saw(l, BUF_HTTP_URI, "/first"));
        assert_int_equal(lab_saw(l, BUF_HTTP_URI, "/second"), !cases[i].over);
        end(l);
    }
}

static void a_preface_that_is_none(void **state)
{
    struct app_lab *l = lab_new(&web);

    (void)state;
    lab_say(l, APP_TO_SERVER, "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n");
    assert_true(lab_event(l, AN_HTTP2_INVALID_CLIENT_MAGIC));
    lab_free(l);
}

/* What the other end sends before it learns of a reset is nobody's business; what the one who reset sends is. */
static void data_behind_a_reset(void **state)
{
    (void)state;
    begin();
    wire_headers(&c, 1, 0, GET("/"));
    struct app_lab *l = lab_new(&web);
    lab_send(l, APP_TO_SERVER, c.b, c.n);
    wire_number(&s, H2_RST_STREAM, 1, 0);
    lab_send(l, APP_TO_CLIENT, s.b, s.n);
    c.n = 0;
    wire_data(&c, 1, 0, "late");
    lab_send(l, APP_TO_SERVER, c.b, c.n);
    assert_false(anomaly_any(&l->events));
    s.n = 0;
    wire_data(&s, 1, 0, "odd");
    lab_send(l, APP_TO_CLIENT, s.b, s.n);
    assert_true(lab_event(l, AN_HTTP2_DATA_OUT_OF_PLACE));
    end(l);
}

/* HTTP/1's names of codings are HTTP/2's. */
static void codings(void **state)
{
    static const uint8_t stored[] = {1, 2, 0, 0xfd, 0xff, 'h', 'i'}; /* deflate without zlib's header */

    (void)state;
    begin();
    wire_headers(&c, 1, H2_END_STREAM, GET("/"));
    wire_headers(&s, 1, 0, ":status: 200\ncontent-encoding: x-deflate\n");
    wire_frame(&s, H2_DATA, H2_END_STREAM, 1, stored, sizeof(stored));
    struct app_lab *l = tell(&web);
    assert_true(span_eq_str(lab_grown(l, BUF_FILE_DATA), "hi"));
    end(l);

    begin();
    wire_headers(&c, 1, H2_END_STREAM, GET("/"));
    wire_headers(&s, 1, 0, ":status: 200\ncontent-encoding: gzip, gzip, gzip, gzip, br\n");
    wire_data(&s, 1, H2_END_STREAM, "raw");
    l = tell(&web);
    assert_true(lab_event(l, AN_BODY_LAYERS));
    assert_true(span_eq_str(lab_grown(l, BUF_FILE_DATA), "raw"));
    end(l);

    begin(); /* who does not undo it takes the name in gzip's header for the body */
    static const uint8_t named[] = "\x1f\x8b\x08\x08\0\0\0\0\0\x03&cmd=attack&\0\x03\0\0\0\0\0\0\0\0";
    wire_headers(&c, 1, 0, ":method: POST\n:path: /\n:scheme: http\n:authority: h\ncontent-encoding: gzip\n");
    wire_frame(&c, H2_DATA, H2_END_STREAM, 1, named, sizeof(named));
    l = lab_new(&web);
    lab_send(l, APP_TO_SERVER, c.b, c.n);
    assert_true(lab_saw_bytes(l, BUF_HTTP_REQUEST_BODY, named, sizeof(named)));
    end(l);
}

/* --- floods ----------------------------------------------------------------------------------------------------------- */

static void floods(void **state)
{
    (void)state;
    begin(); /* streams that are called off */
    for (uint32_t id = 1; id < 2 * H2_RESETS_MAX + 1; id += 2) {
        wire_headers(&c, id, H2_END_STREAM, GET("/"));
        wire_number(&c, H2_RST_STREAM, id, 8);
    }
    struct app_lab *l = lab_new(&web);
    lab_send(l, APP_TO_SERVER, c.b, c.n);
    assert_true(lab_event(l, AN_HTTP2_RAPID_RESET));
    end(l);

    begin(); /* a header block without an end */
    wire_frame(&c, H2_HEADERS, 0, 1, "\x82", 1);
    for (int i = 0; i <= H2_CONTINUATIONS_MAX; i++)
        wire_frame(&c, H2_CONTINUATION, 0, 1, "", 0);
    l = lab_new(&web);
    lab_send(l, APP_TO_SERVER, c.b, c.n);
    assert_true(lab_event(l, AN_HTTP2_CONTINUATION_FLOOD));
    end(l);

    begin();
    for (int i = 0; i < H2_CONTROLS_MAX; i++)
        wire_frame(&c, H2_SETTINGS, 0, 0, some_settings, 6);
    l = lab_new(&web);
    lab_send(l, APP_TO_SERVER, c.b, c.n);
    assert_true(lab_event(l, AN_HTTP2_TOO_MANY_FRAMES));
    end(l);

    begin();
    l = lab_new(&web);
    for (uint32_t i = 0; i <= l->app->cfg.limits.transactions; i++)
        wire_headers(&c, 2 * i + 1, H2_END_STREAM, GET("/"));
    lab_send(l, APP_TO_SERVER, c.b, c.n);
    assert_true(lab_event(l, AN_HTTP2_TOO_MANY_STREAMS));
    end(l);
}

/* Beyond the limits headers are shown in parts, but not what a few bytes pretend to be. */
static void large_headers(void **state)
{
    static struct app_limits few = APP_LIMITS_DEFAULT;
    static char text[65536];
    size_t n = (size_t)sprintf(text, GET("/long"));

    (void)state;
    few.headers = 20;
    for (int i = 0; i < 100; i++)
        n += (size_t)sprintf(text + n, "x-%d: value%d\n", i, i);
    begin();
    wire_headers(&c, 1, H2_END_STREAM, text);
    struct app_lab *l = tell(&(struct lab_setup){.dport = 80, .limits = &few});
    assert_true(lab_event(l, AN_HTTP2_HEADERS_TOO_LARGE));
    assert_false(lab_event(l, AN_HTTP2_HEADER_BOMB));
    assert_true(lab_saw(l, BUF_HTTP_URI, "/long"));
    for (int i = 0; i < 100; i++) {
        sprintf(text, "x-%d: value%d", i, i);
        assert_true(lab_saw(l, BUF_HTTP2_HEADER, text));
    }
    end(l);

    begin();
    n = (size_t)sprintf(text, GET("/bomb") "x-big: ");
    memset(text + n, 'a', 3000);
    text[n + 3000] = '\n';
    text[n + 3001] = '\0';
    wire_headers(&c, 1, H2_END_STREAM, text);
    wire_head(&c, 400, H2_HEADERS, H2_END_HEADERS | H2_END_STREAM, 3);
    for (int i = 0; i < 400; i++)
        wire_bytes(&c, "\xbe", 1); /* the table's newest entry */
    l = tell(&web);
    assert_true(lab_event(l, AN_HTTP2_HEADER_BOMB));
    end(l);
}

/* Streams that take turns, and more of them than are looked at together. */
static void streams_in_turn(void **state)
{
    (void)state;
    begin();
    for (uint32_t id = 1; id < 60; id += 2)
        wire_headers(&c, id, 0, ":method: POST\n:path: /\n:scheme: http\n:authority: h\n");
    for (int round = 0; round < 3; round++)
        for (uint32_t id = 1; id < 60; id += 2)
            wire_data(&c, id, 0, "piece of it ");
    wire_data(&c, 1, H2_END_STREAM, "end");
    struct app_lab *l = tell(&web);

    assert_int_equal(lab_count(l, BUF_HTTP_METHOD), 30);
    assert_int_equal(l->goes_on[BUF_HTTP_REQUEST_BODY][2].next, 39); /* SETTINGS went before */
    assert_false(anomaly_any(&l->events));
    end(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_and_responses),
        cmocka_unit_test(frames_of_no_message),
        cmocka_unit_test(padding_and_continuations),
        cmocka_unit_test(interim_responses_trailers_and_pushes),
        cmocka_unit_test(the_answer_to_an_upgraded_request),
        cmocka_unit_test(dns_over_https),
        cmocka_unit_test(odd_fields),
        cmocka_unit_test(odd_frames),
        cmocka_unit_test(a_preface_that_is_none),
        cmocka_unit_test(data_behind_a_reset),
        cmocka_unit_test(codings),
        cmocka_unit_test(floods),
        cmocka_unit_test(large_headers),
        cmocka_unit_test(streams_in_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
