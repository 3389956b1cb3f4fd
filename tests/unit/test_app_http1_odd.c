/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HTTP/1 as it should not be spoken: what is odd is an event, and rules see what the most lenient receiver would. Each talk is
 * held whole, by bytes and at random cuts (http1_talk.h).
 */
#include "tests/unit/http1_talk.h"

#define HOST "Host: h\r\n"

struct odd {
    const char *what;
    struct says says[4];
    enum anomaly event;    /* AN_N: none is asked for */
    enum buffer_id buffer; /* BUF_PAYLOAD: none */
    const char *text;
};

#define GET CLIENT("GET / HTTP/1.1\r\n" HOST "\r\n")

static const struct odd odds[] = {
    /* first lines */
    {"tabs and blanks",
     {CLIENT("GET \t /x  \tHTTP/1.1 \r\n" HOST "\r\n")},
     AN_HTTP_METHOD_DELIM_NON_COMPLIANT,
     BUF_HTTP_URI,
     "/x"},
    {"blanks in the target",
     {CLIENT("GET /a b c HTTP/1.1\r\n" HOST "\r\n")},
     AN_HTTP_URI_DELIM_NON_COMPLIANT,
     BUF_HTTP_URI,
     "/a b c"},
    {"blanks in front",
     {CLIENT("  GET /x HTTP/1.1\r\n" HOST "\r\n")},
     AN_HTTP_REQUEST_LINE_LEADING_WHITESPACE,
     BUF_HTTP_METHOD,
     "GET"},
    {"empty lines in front", {CLIENT("\r\n\n\r\nGET /x HTTP/1.1\r\n" HOST "\r\n")}, AN_N, BUF_HTTP_URI, "/x"},
    {"bare LF", {CLIENT("GET /x HTTP/1.1\nHost: a\nX: y\n\n")}, AN_N, BUF_HTTP_HEADER, "Host: a\r\nX: y\r\n"},
    {"bare LF, as it came",
     {CLIENT("GET /x HTTP/1.1\nHost: a\nX: y\n\n")},
     AN_N,
     BUF_HTTP_HEADER_RAW,
     "Host: a\nX: y\n\n"},
    {"no version",
     {CLIENT("GET /x\r\nHost: a\r\n\r\n")},
     AN_HTTP_REQUEST_WITHOUT_VERSION,
     BUF_HTTP_HOST,
     "a"},
    {"a method of nobody's", {CLIENT("FROB /x HTTP/1.1\r\n" HOST "\r\n")}, AN_N, BUF_HTTP_METHOD, "FROB"},
    {"no host", {CLIENT("GET /x HTTP/1.1\r\n\r\n")}, AN_HTTP_MISSING_HOST_HEADER, BUF_HTTP_URI, "/x"},
    {"cut off", {CLIENT_ENDS("GET /cut HTTP/1.1")}, AN_HTTP_REQUEST_LINE_INCOMPLETE, BUF_HTTP_URI, "/cut"},
    {"a head that is cut off",
     {CLIENT_ENDS("GET / HTTP/1.1\r\nHost: h\r\nX: last")},
     AN_N,
     BUF_HTTP_REQUEST_HEADER,
     "X: last"},
    {"status without a number",
     {GET, SERVER("HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n")},
     AN_HTTP_RESPONSE_INVALID_STATUS,
     BUF_HTTP_RESPONSE_LINE,
     "HTTP/1.1 OK"},
    {"a status of four digits has a body",
     {GET, SERVER("HTTP/1.1 2040 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n")},
     AN_HTTP_RESPONSE_INVALID_STATUS,
     BUF_HTTP_RESPONSE_BODY,
     "ab"},
    {"NUL behind a name",
     {GET, SERVER("HTTP/1.1 200 OK\r\nX-A\0: b\r\nContent-Length: 0\r\n\r\n")},
     AN_HTTP_RESPONSE_HEADER_INVALID,
     BUF_HTTP_RESPONSE_HEADER,
     "X-A: b"},
    {"a version of nobody's",
     {GET, SERVER("HTTP/1.9 200 OK\r\nContent-Length: 0\r\n\r\n")},
     AN_HTTP_RESPONSE_INVALID_PROTOCOL,
     BUF_HTTP_STAT_CODE,
     "200"},
    /* targets */
    {"dots", {CLIENT("GET /a/./b/../../c/%2e%2e/%2E/d HTTP/1.1\r\n" HOST "\r\n")}, AN_N, BUF_HTTP_URI, "/d"},
    {"dots above the root",
     {CLIENT("GET /../../etc/passwd HTTP/1.1\r\n" HOST "\r\n")},
     AN_N,
     BUF_HTTP_URI,
     "/etc/passwd"},
    {"dots at the end", {CLIENT("GET /a/b/.. HTTP/1.1\r\n" HOST "\r\n")}, AN_N, BUF_HTTP_URI, "/a/"},
    {"slashes of other scripts",
     {CLIENT("GET /a/..%u2215%u2216b%u2044.%uff0e%u2215%u0103%u0100%u4e00%u015b HTTP/1.1\r\n" HOST "\r\n")},
     AN_HTTP_URI_U_ENCODED,
     BUF_HTTP_URI,
     "/aA?s"},
    {"names with dots",
     {CLIENT("GET /.a/..b/c./... HTTP/1.1\r\n" HOST "\r\n")},
     AN_N,
     BUF_HTTP_URI,
     "/.a/..b/c./..."},
    {"backslashes", {CLIENT("GET \\a%5cb\\\\c HTTP/1.1\r\n" HOST "\r\n")}, AN_N, BUF_HTTP_URI, "/a/b/c"},
    {"slashes", {CLIENT("GET //a///b%2f/c?//x HTTP/1.1\r\n" HOST "\r\n")}, AN_N, BUF_HTTP_URI, "/a/b/c?//x"},
    {"twice encoded",
     {CLIENT("GET /%2541 HTTP/1.1\r\n" HOST "\r\n")},
     AN_HTTP_DOUBLE_ENCODED_URI,
     BUF_HTTP_URI,
     "/%41"},
    {"%u",
     {CLIENT("GET /%u002e%u002E/%uFF41%u0041 HTTP/1.1\r\n" HOST "\r\n")},
     AN_HTTP_URI_U_ENCODED,
     BUF_HTTP_URI,
     "/aA"},
    {"overlong",
     {CLIENT("GET /a/..%c0%af..%c1%9cb%e0%80%ae HTTP/1.1\r\n" HOST "\r\n")},
     AN_HTTP_URI_NOT_UTF8,
     BUF_HTTP_URI,
     "/b."},
    {"not overlong",
     {CLIENT("GET /%c3%a4%c0x%e0%a4%85 HTTP/1.1\r\n" HOST "\r\n")},
     AN_HTTP_URI_NOT_UTF8,
     BUF_HTTP_URI,
     "/\xc3\xa4\xc0x\xe0\xa4\x85"},
    {"percent without digits", {CLIENT("GET /%zz%4 HTTP/1.1\r\n" HOST "\r\n")}, AN_N, BUF_HTTP_URI, "/%zz%4"},
    {"host in the target only", {CLIENT("GET HTTP://A.B:8/ HTTP/1.0\r\n\r\n")}, AN_N, BUF_HTTP_HOST, "a.b"},
    {"two hosts",
     {CLIENT("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")},
     AN_HTTP_HOST_HEADER_AMBIGUOUS,
     BUF_HTTP_HOST,
     "b"},
    {"no host at all",
     {CLIENT("GET / HTTP/1.1\r\nHost: a b/c\r\n\r\n")},
     AN_HTTP_REQUEST_HEADER_HOST_INVALID,
     BUF_HTTP_HOST,
     "a b/c"},
    {"a v6 host",
     {CLIENT("GET / HTTP/1.1\r\nHost: [2001:DB8::1]:80\r\n\r\n")},
     AN_N,
     BUF_HTTP_HOST,
     "[2001:db8::1]"},
    /* fields */
    {"folded",
     {CLIENT("GET / HTTP/1.1\r\n" HOST "X: a\r\n  b\r\n\tc\r\n\r\n")},
     AN_HTTP_INVALID_REQUEST_FIELD_FOLDING,
     BUF_HTTP_HEADER,
     "Host: h\r\nX: a b c\r\n"},
    {"folded, as it came",
     {CLIENT("GET / HTTP/1.1\r\n" HOST "X: a\r\n  b\r\n\r\n")},
     AN_N,
     BUF_HTTP_HEADER_RAW,
     "Host: h\r\nX: a\r\n  b\r\n\r\n"},
    {"nothing to fold",
     {CLIENT("GET / HTTP/1.1\r\n X: a\r\n" HOST "\r\n")},
     AN_HTTP_INVALID_REQUEST_FIELD_FOLDING,
     BUF_HTTP_HEADER,
     "X: a\r\nHost: h\r\n"},
    {"folded, and nothing has a name",
     {CLIENT("GET / HTTP/1.1\r\n" HOST "a\r\n b\r\n c\r\n d: e\r\n f\r\n\r\n")},
     AN_HTTP_REQUEST_FIELD_MISSING_COLON,
     BUF_HTTP_HEADER,
     "Host: h\r\na b c d: e f\r\n"},
    {"other white space in front of a value",
     {CLIENT("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\vchunked\r\n\r\n2\r\nab\r\n0\r\n\r\n")},
     AN_HTTP_REQUEST_HEADER_INVALID,
     BUF_HTTP_REQUEST_BODY,
     "ab"},
    {"no colon",
     {CLIENT("GET / HTTP/1.1\r\n" HOST "nothing\r\n\r\n")},
     AN_HTTP_REQUEST_FIELD_MISSING_COLON,
     BUF_HTTP_REQUEST_HEADER,
     ": nothing"},
    {"blank before the colon",
     {CLIENT("GET / HTTP/1.1\r\nHost \t: q\r\n\r\n")},
     AN_HTTP_SPACE_BEFORE_COLON,
     BUF_HTTP_HOST,
     "q"},
    {"no blank behind the colon",
     {CLIENT("GET / HTTP/1.1\r\nHost:q\r\nA:  b \r\n\r\n")},
     AN_N,
     BUF_HTTP_HEADER,
     "Host: q\r\nA: b\r\n"},
    {"no name",
     {CLIENT("GET / HTTP/1.1\r\n" HOST ": x\r\n\r\n")},
     AN_HTTP_REQUEST_HEADER_INVALID,
     BUF_HTTP_REQUEST_HEADER,
     ": x"},
    {"a name with a blank",
     {CLIENT("GET / HTTP/1.1\r\n" HOST "a b: x\r\n\r\n")},
     AN_HTTP_REQUEST_HEADER_INVALID,
     BUF_HTTP_REQUEST_HEADER,
     "a b: x"},
    {"bare CR in a request",
     {CLIENT("GET / HTTP/1.1\r\n" HOST "a: b\rc: d\r\n\r\n")},
     AN_HTTP_BARE_CR,
     BUF_HTTP_REQUEST_HEADER,
     "a: b\rc: d"},
    {"bare CR in a response",
     {GET, SERVER("HTTP/1.1 200 OK\rX: 1\rContent-Length: 0\r\n\r\n")},
     AN_HTTP_BARE_CR,
     BUF_HTTP_CONTENT_LEN,
     "0"},
    {"NUL", {CLIENT("GET / HTTP/1.1\r\n" HOST "a: \0b\r\n\r\n")}, AN_HTTP_NUL_IN_HEAD, BUF_PAYLOAD, ""},
    {"a coding with NULs",
     {GET, SERVER("HTTP/1.1 200 OK\r\nTransfer\0-Encoding: chu\0nked\r\n\r\n1\r\nz\r\n0\r\n\r\n")},
     AN_HTTP_NUL_IN_HEAD,
     BUF_HTTP_RESPONSE_BODY,
     "z"},
    {"a field that looks folded",
     {GET, SERVER("HTTP/1.1 200 OK\r\nX: y\r\n\tTransfer-Encoding: chunked\r\n\r\n1\r\nz\r\n0\r\n\r\n")},
     AN_HTTP_INVALID_RESPONSE_FIELD_FOLDING,
     BUF_HTTP_RESPONSE_BODY,
     "z"},
    {"a colon on the next line",
     {GET, SERVER("HTTP/1.1 200 OK\r\nTransfer-Encoding\r\n : chunked\r\n\r\n1\r\nz\r\n0\r\n\r\n")},
     AN_HTTP_RESPONSE_FIELD_MISSING_COLON,
     BUF_HTTP_RESPONSE_BODY,
     "z"},
    {"a NUL for a blank",
     {GET, SERVER("HTTP/1.1 200 OK\r\nTransfer-Encoding:\n\0chunked\r\n\r\n1\r\nz\r\n0\r\n\r\n")},
     AN_HTTP_INVALID_RESPONSE_FIELD_FOLDING,
     BUF_HTTP_RESPONSE_BODY,
     "z"},
    {"a blank for the empty line",
     {GET, SERVER("HTTP/1.1 200 OK\r\nContent-Length: 2\n \nab")},
     AN_N,
     BUF_HTTP_RESPONSE_BODY,
     "ab"},
    {"a blank before the empty line",
     {GET, SERVER("HTTP/1.1 200 OK\r\nContent-Length: 2\n \n\nab")},
     AN_N,
     BUF_HTTP_RESPONSE_BODY,
     "ab"},
    /* lengths */
    {"the same length twice",
     {CLIENT("POST / HTTP/1.1\r\n" HOST "Content-Length: 2\r\nContent-Length: 2\r\n\r\nab")},
     AN_HTTP_DUPLICATE_CONTENT_LENGTH_FIELD_IN_REQUEST,
     BUF_HTTP_REQUEST_BODY,
     "ab"},
    {"two lengths",
     {CLIENT("POST / HTTP/1.1\r\n" HOST "Content-Length: 2\r\nContent-Length: 3\r\n\r\nab")},
     AN_HTTP_CONFLICTING_LENGTH,
     BUF_HTTP_REQUEST_BODY,
     "ab"},
    {"a list of lengths",
     {GET, SERVER("HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nab")},
     AN_HTTP_CONFLICTING_LENGTH,
     BUF_HTTP_RESPONSE_BODY,
     "ab"},
    {"a length with more behind it",
     {GET, SERVER("HTTP/1.1 200 OK\r\nContent-Length: 2x\r\n\r\nab")},
     AN_HTTP_INVALID_CONTENT_LENGTH_FIELD_IN_RESPONSE,
     BUF_HTTP_RESPONSE_BODY,
     "ab"},
    {"no number",
     {GET, SERVER("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nab"), SERVER_ENDS("c")},
     AN_HTTP_INVALID_CONTENT_LENGTH_FIELD_IN_RESPONSE,
     BUF_HTTP_RESPONSE_BODY,
     "abc"},
    {"a number beyond all",
     {GET, SERVER("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nab"), SERVER_ENDS("c")},
     AN_HTTP_INVALID_CONTENT_LENGTH_FIELD_IN_RESPONSE,
     BUF_HTTP_RESPONSE_BODY,
     "abc"},
    {"a folded length",
     {CLIENT("POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n 4\r\n\r\nabcdGET /x HTTP/1.1\r\n" HOST "\r\n")},
     AN_HTTP_INVALID_REQUEST_FIELD_FOLDING,
     BUF_HTTP_URI,
     "/x"},
    {"length and chunks",
     {CLIENT("POST / HTTP/1.1\r\n" HOST
             "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n")},
     AN_HTTP_LENGTH_AND_CHUNKED,
     BUF_HTTP_REQUEST_BODY,
     "ab"},
    /* codings of the transfer */
    {"chunks of old",
     {GET, SERVER("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n")},
     AN_HTTP_RESPONSE_CHUNKED_OLD_PROTO,
     BUF_HTTP_RESPONSE_BODY,
     "ab"},
    {"nearly chunked",
     {CLIENT("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n2\r\nab\r\n0\r\n\r\n")},
     AN_HTTP_INVALID_TRANSFER_ENCODING_VALUE_IN_REQUEST,
     BUF_HTTP_REQUEST_BODY,
     "ab"},
    {"chunked is not the last",
     {GET, SERVER("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, identity\r\n\r\n2\r\nab\r\n0\r\n\r\n")},
     AN_HTTP_INVALID_TRANSFER_ENCODING_VALUE_IN_RESPONSE,
     BUF_HTTP_RESPONSE_BODY,
     "ab"},
    {"chunked without LWS",
     {GET, SERVER("HTTP/1.1 200 OK\r\ntransfer-encoding:\tCHUNKED\r\n\r\n 2 "
                  "\r\nab\r\n0000000000000000000000\r\n\r\n")},
     AN_HTTP_INVALID_RESPONSE_CHUNK_LEN,
     BUF_HTTP_RESPONSE_BODY,
     "ab"},
    {"no size",
     {GET, SERVER("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello"), SERVER_ENDS(" you\r\n")},
     AN_HTTP_INVALID_RESPONSE_CHUNK_LEN,
     BUF_PAYLOAD,
     ""},
    {"a size beyond all",
     {GET, SERVER("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nab")},
     AN_HTTP_INVALID_RESPONSE_CHUNK_LEN,
     BUF_HTTP_RESPONSE_BODY,
     "fffffffffffffffff\r\nab"},
    {"no size, and no line that ends",
     {GET, SERVER("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n X5O!")},
     AN_HTTP_INVALID_RESPONSE_CHUNK_LEN,
     BUF_HTTP_RESPONSE_BODY,
     " X5O!"},
    {"a size beyond all, and the end",
     {GET, SERVER_ENDS("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff")},
     AN_HTTP_INVALID_RESPONSE_CHUNK_LEN,
     BUF_HTTP_RESPONSE_BODY,
     "fffffffffffffffff"},
    {"no CRLF behind a chunk",
     {GET, SERVER("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab2\r\ncd\r\n0\r\n\r\n")},
     AN_HTTP_CHUNK_END_INVALID,
     BUF_HTTP_RESPONSE_BODY,
     "abcd"},
    {"LF behind chunks",
     {GET, SERVER("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\nab\n2\ncd\n0\n\n")},
     AN_N,
     BUF_HTTP_RESPONSE_BODY,
     "abcd"},
    {"an empty line for a size",
     {GET, SERVER("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n2\r\nab\r\n0\r\n\r\n")},
     AN_HTTP_INVALID_RESPONSE_CHUNK_LEN,
     BUF_HTTP_RESPONSE_BODY,
     "ab"},
    /* connections */
    {"bytes behind a response",
     {CLIENT("HEAD / HTTP/1.1\r\n" HOST "\r\n"), SERVER("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd")},
     AN_HTTP_RESPONSE_BODY_UNEXPECTED,
     BUF_HTTP_RESPONSE_BODY,
     "abcd"},
    {"bytes behind a request",
     {CLIENT("POST / HTTP/1.1\r\n" HOST "\r\n\x01\x02zz")},
     AN_HTTP_REQUEST_BODY_UNEXPECTED,
     BUF_HTTP_REQUEST_BODY,
     "\x01\x02zz"},
    {"a line in front of a response",
     {GET, SERVER("what\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab")},
     AN_HTTP_RESPONSE_BODY_UNEXPECTED,
     BUF_HTTP_STAT_CODE,
     "200"},
    {"a blank line in front of a response",
     {GET, SERVER(" \n\t\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab")},
     AN_HTTP_RESPONSE_BODY_UNEXPECTED,
     BUF_HTTP_STAT_CODE,
     "200"},
    {"a blank line in front of a request",
     {CLIENT(" \r\nGET /x HTTP/1.1\r\n" HOST "\r\n")},
     AN_HTTP_REQUEST_LINE_LEADING_WHITESPACE,
     BUF_HTTP_URI,
     "/x"},
    {"a page without a head",
     {GET, SERVER("one\r\ntwo\r\n"), SERVER_ENDS("three")},
     AN_HTTP_RESPONSE_BODY_UNEXPECTED,
     BUF_HTTP_RESPONSE_BODY,
     "one\r\ntwo\r\nthree"},
    {"100 twice",
     {GET,
      SERVER("HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 100 Go\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nz")},
     AN_HTTP_100_CONTINUE_ALREADY_SEEN,
     BUF_HTTP_RESPONSE_BODY,
     "z"},
    {"101 to nothing",
     {GET, SERVER("HTTP/1.1 101 OK\r\nContent-Length: 2\r\n\r\nab")},
     AN_N,
     BUF_HTTP_RESPONSE_BODY,
     "ab"},
    {"a question to DNS in a target",
     {CLIENT("GET /dns-query?x=1&dns=AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB HTTP/1.1\r\n" HOST "\r\n")},
     AN_N,
     BUF_DNS_QUERY,
     "www.example.com"},
    {"a question to DNS in a body",
     {CLIENT("POST /dns-query HTTP/1.1\r\n" HOST "Content-Type: application/dns-message\r\n"
             "Content-Length: 27\r\n\r\n"
             "\0\0\1\0\0\1\0\0\0\0\0\0\4evil\4test\0\0\1\0\1")},
     AN_N,
     BUF_DNS_QUERY,
     "evil.test"},
    {"early data in a tunnel",
     {CLIENT("CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n\1 early")},
     AN_HTTP_CONNECT_EARLY_DATA,
     BUF_HTTP_REQUEST_BODY,
     "\1 early"},
};

static void every_oddity(void **state)
{
    unsigned failed = 0;

    for (unsigned i = 0; i < sizeof(odds) / sizeof(odds[0]); i++) {
        const struct odd *o = &odds[i];
        unsigned n = 0;

        while (n < 4 && o->says[n].text)
            n++;
        struct app_lab *l = talk_with(&(struct lab_setup){.dport = 80}, o->says, n);
        bool saw = o->buffer == BUF_PAYLOAD || (talk_grows(o->buffer) ? talk_body(l, o->buffer, o->text)
                                                                      : lab_saw(l, o->buffer, o->text));

        if (!saw || (o->event != AN_N && !lab_event(l, o->event))) {
            static char seen[1 << 18];

            talk_seen(l, seen, sizeof(seen));
            print_error("%s: %s%s; body [%.*s]\n%s", o->what, saw ? "no event" : "not ", saw ? "" : o->text,
                        (int)lab_grown(l, o->buffer).len, (const char *)lab_grown(l, o->buffer).p, seen);
            failed++;
        }
        lab_free(l);
    }
    assert_int_equal(failed, 0);
}

/* What everybody writes is no oddity. */
/* The outermost of five codings is not left out: nothing is decoded, and that is said. */
static void five_codings(void **state)
{
    static const struct says talk[] = {
        GET, SERVER("HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip, br, x-deflate, gzip\r\n"
                    "Content-Length: 5\r\n\r\nbytes")};
    struct app_lab *l = talk_with(&(struct lab_setup){.dport = 80}, talk, 2);

    assert_true(lab_event(l, AN_BODY_LAYERS));
    assert_true(talk_body(l, BUF_FILE_DATA, "bytes"));
    lab_free(l);
}

/* The end comes alone, behind half a line: of what waits nothing is new. */
static void ends_amid_a_line(void **state)
{
    struct app_lab *l = talk(CLIENT("GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
                             SERVER("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), CLIENT("GET /half HT"),
                             CLIENT_ENDS(""), SERVER("HTTP/1.1 2"), SERVER_ENDS(""));

    assert_true(lab_event(l, AN_HTTP_REQUEST_LINE_INCOMPLETE));
    assert_true(lab_saw(l, BUF_HTTP_URI, "/half"));
    lab_free(l);
}

static void the_ordinary_is_not_odd(void **state)
{
    struct app_lab *l = talk(
        CLIENT("POST /a/b.html?x=1&y=%20 HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: a (b; c)\r\n"
               "Content-Length: 3\r\n\r\nabc"),
        SERVER("HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nTransfer-Encoding: chunked\r\n\r\n"
               "3\r\nabc\r\n0\r\n\r\n"));
    struct anomalies none = {0};

    assert_memory_equal(&l->events, &none, sizeof(none));
    lab_free(l);
}

static void long_lines(void **state)
{
    static char line[70000];
    struct app_lab *l = lab_new(&(struct lab_setup){.dport = 80});

    memset(line, 'a', sizeof(line));
    lab_say(l, APP_TO_SERVER, "GET / HTTP/1.1\r\nHost: h\r\nX: ");
    lab_send_cut(l, APP_TO_SERVER, line, 30000, 1000);
    assert_true(lab_event(l, AN_HTTP_REQUEST_FIELD_TOO_LONG));
    assert_true(lab_saw(l, BUF_HTTP_HOST, "h"));
    lab_free(l);

    l = lab_new(&(struct lab_setup){.dport = 80});
    lab_say(l, APP_TO_SERVER, "GET / HTTP/1.1\r\n");
    for (int i = 0; i < 600; i++)
        lab_say(l, APP_TO_SERVER, "A: b\r\n");
    assert_true(lab_event(l, AN_HTTP_REQUEST_TOO_MANY_HEADERS));
    assert_false(lab_event(l, AN_HTTP_REQUEST_FIELD_TOO_LONG));
    lab_say(l, APP_TO_SERVER, "last: one\r\n\r\n");
    assert_true(lab_saw(l, BUF_HTTP_REQUEST_HEADER, "last: one"));
    lab_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_oddity), cmocka_unit_test(the_ordinary_is_not_odd),
        cmocka_unit_test(five_codings), cmocka_unit_test(ends_amid_a_line),
        cmocka_unit_test(long_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
