/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections made up for the differential test of HTTP/1: requests and responses as many programs write them, each with an
 * oddity now and then. The same number makes the same connection, so a difference can be looked at again.
 *
 * Test code: one thread, memory from malloc.
 */
#include "tests/differential/http_libhtp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

struct maker {
    uint64_t state;
    struct text request, response;
    bool head, closes; /* the response ends with the connection */
};

static uint32_t draw(struct maker *m, uint32_t n)
{
    m->state = m->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(m->state >> 33) % n;
}

static bool seldom(struct maker *m)
{
    return draw(m, 24) == 0;
}

static void put(struct text *t, const char *s)
{
    text_add(t, s, strlen(s));
}

#define ONE_OF(m, list) ((list)[draw((m), sizeof(list) / sizeof((list)[0]))])

static const char *newline(struct maker *m)
{
    return seldom(m) ? "\n" : "\r\n";
}

/* --- targets ----------------------------------------------------------------------------------------------------------- */

static void put_target(struct maker *m, struct text *t)
{
    static const char *const parts[] = {"a", "index.html", "Images", "x-y_z~", "%41", "%7e", "b.c", "0"};
    static const char *const odd[] = {
        "..",     ".",         "%2e%2e", "%2E", "",    "\\",     "%5c",   "%2f",      "%20",    "+",
        "%zz",    "%",         "%4",     "%00", "%u",  "%u0041", "%252e", "\xc3\xa9", "%C3%A9", "...",
        "%c0%af", "%e0%80%af", "a;b=c",  "a:b", "%3f", "%23",    "\x80",  "%ff",      "%u2215"};
    static const char *const queries[] = {"?x=1",      "?a=b&c=%20d", "?q=a+b",   "?%41=%3d",
                                          "?",         "?a?b",        "?../..//", "?%zz",
                                          "?x=%u0041", "?x=A%2fb\\c", "?x=%00",   "?x=%"};
    static const char *const bases[] = {"http://www.example.org", "http://Example.ORG:8080", "HTTP://h",
                                        "http://u:p@h"};

    if (seldom(m))
        put(t, ONE_OF(m, bases));
    for (uint32_t n = 1 + draw(m, 4); n > 0; n--) {
        put(t, "/");
        put(t, draw(m, 6) == 0 ? ONE_OF(m, odd) : ONE_OF(m, parts));
    }
    if (draw(m, 3) == 0)
        put(t, ONE_OF(m, queries));
    if (seldom(m))
        put(t, "#part");
}

/* --- header fields --------------------------------------------------------------------------------------------------- */

static void put_field(struct maker *m, struct text *t, const char *name, const char *value)
{
    static const char *const colons[] = {":", ":\t", " : ", ":  ", "\t:"};
    static const char *const ends[] = {" ", "\t", " \t "};
    size_t at = t->len;

    put(t, name);
    for (size_t i = at; i < t->len && seldom(m); i++)
        t->p[i] ^= t->p[i] >= 'A' ? 0x20 : 0;
    put(t, seldom(m) ? ONE_OF(m, colons) : ": ");
    if (seldom(m)) {
        put(t, newline(m));
        put(t, draw(m, 2) ? " " : "\t");
    }
    put(t, value);
    if (seldom(m))
        put(t, ONE_OF(m, ends));
    put(t, newline(m));
}

static void put_fields(struct maker *m, struct text *t)
{
    static const char *const names[] = {
        "X-A",     "User-Agent", "Accept", "Cookie", "Set-Cookie",  "X-Forwarded-For",
        "Referer", "x",          "Server", "Via",    "Content-Type"};
    static const char *const values[] = {"a",     "text/html; charset=utf-8", "b=c; d=e", "",  "0",
                                         "\"q\"", "http://example.org/?a:b",  "a,b , c",  "=", "\xe9\x80"};
    static const char *const odd[] = {"no colon\r\n", ": no name\r\n", "b@d: name\r\n", "sp ace: name\r\n",
                                      "a:b:c\r\n"};

    for (uint32_t n = draw(m, 5); n > 0; n--)
        if (draw(m, 60) == 0)
            put(t, ONE_OF(m, odd));
        else
            put_field(m, t, ONE_OF(m, names), ONE_OF(m, values));
}

/* --- bodies ------------------------------------------------------------------------------------------------------------ */

static void pack(struct text *body, int window_bits)
{
    z_stream z = {0};
    struct text out = {0};
    uint8_t room[1024];

    if (deflateInit2(&z, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    z.next_in = body->p;
    z.avail_in = (unsigned)body->len;
    do {
        z.next_out = room;
        z.avail_out = sizeof(room);
        deflate(&z, Z_FINISH);
        text_add(&out, room, sizeof(room) - z.avail_out);
    } while (z.avail_out == 0);
    deflateEnd(&z);
    free(body->p);
    *body = out;
}

static struct text make_body(struct maker *m)
{
    static const char *const words[] = {
        "Hello ", "<html>", "\r\n", "a=b&c=d", "0\r\n\r\n", "\n", "HTTP/1.1 200 OK\r\n", "GET / "};
    struct text b = {0};

    /* when LF alone ends a head, libhtp takes a line's end in front of the body for the head's */
    for (uint32_t n = draw(m, 12); n > 0; n--)
        if (b.len == 0)
            put(&b, draw(m, 2) ? "x" : words[0]);
        else
            put(&b, ONE_OF(m, words));
    if (draw(m, 40) == 0)
        for (uint32_t n = 2000 + draw(m, 20000); n > 0; n--)
            text_add(&b, &(uint8_t){(uint8_t)(n * n >> 3)}, 1);
    return b;
}

static void put_chunks(struct maker *m, struct text *t, const struct text *b)
{
    static const char *const sizes[] = {"%zx", "%zX", "%04zx", "%zx ", "%zx;x=y", "%zx ; \"z\""};
    char size[64];

    for (size_t at = 0; at < b->len;) {
        size_t n = 1 + draw(m, draw(m, 4) ? 20 : 4000);

        n = n < b->len - at ? n : b->len - at;
        snprintf(size, sizeof(size), seldom(m) ? ONE_OF(m, sizes) : "%zx", n);
        put(t, size);
        put(t, newline(m));
        text_add(t, b->p + at, n);
        put(t, newline(m));
        at += n;
    }
    put(t, seldom(m) ? "00" : "0");
    put(t, newline(m));
    if (seldom(m))
        put_field(m, t, "X-Trailer", "t");
    put(t, newline(m));
}

/* The rest of the head, and the body. */
static void put_body(struct maker *m, struct text *t, bool response)
{
    static const char *const codings[] = {"gzip",   "deflate",    "deflate",
                                          "x-gzip", "gzip, gzip", "deflate, gzip"};
    struct text b = make_body(m);
    char length[32];

    if (response && draw(m, 4) == 0) { /* a request's would be seen twice by us, and servers differ */
        const char *coding = ONE_OF(m, codings);

        put_field(m, t, "Content-Encoding", coding);
        pack(&b, strncmp(coding, "de", 2) != 0 ? 31 : draw(m, 2) ? 15 : -15);
        if (strchr(coding, ','))
            pack(&b, 31);
    }
    unsigned how = draw(m, response ? 8 : 6);
    if (how < 2 && !m->head) {
        put_field(m, t, "Transfer-Encoding", seldom(m) ? "Chunked" : "chunked");
        put(t, newline(m));
        put_chunks(m, t, &b);
    } else if (how < 6 || m->head) {
        snprintf(length, sizeof(length), seldom(m) ? "%05zu" : "%zu", b.len);
        put_field(m, t, "Content-Length", length);
        put(t, newline(m));
        if (!m->head)
            text_add(t, b.p, b.len);
    } else {
        put(t, newline(m));
        text_add(t, b.p, b.len);
        m->closes = true;
    }
    free(b.p);
}

/* --- messages ---------------------------------------------------------------------------------------------------------- */

static void put_request(struct maker *m, struct text *t, bool first)
{
    static const char *const methods[] = {"GET",  "GET", "GET",     "POST",  "POST",
                                          "HEAD", "PUT", "OPTIONS", "DELETE"};
    static const char *const hosts[] = {"www.example.org", "h", "h:80", "H.Example.", "[::1]:80", "10.0.0.1"};
    static const char *const gaps[] = {"  ", "\t", " \t"};
    /* to libhtp, an unknown one behind a first request is a body */
    const char *method = first && seldom(m) ? "FROB" : ONE_OF(m, methods);

    if (seldom(m))
        put(t, newline(m));
    put(t, method);
    put(t, draw(m, 60) ? " " : ONE_OF(m, gaps));
    if (draw(m, 60)) {
        put_target(m, t);
        put(t, " ");
    } else { /* one oddity at a time: to libhtp these blanks are the target's */
        put(t, "/a/b.c");
        put(t, ONE_OF(m, gaps));
    }
    put(t, draw(m, 10) ? "HTTP/1.1" : "HTTP/1.0");
    put(t, newline(m));
    if (!seldom(m))
        put_field(m, t, "Host", ONE_OF(m, hosts));
    put_fields(m, t);
    m->head = false;
    if (method[0] == 'P')
        put_body(m, t, false);
    else
        put(t, newline(m));
    m->head = strcmp(method, "HEAD") == 0;
}

static void put_response(struct maker *m, struct text *t)
{
    static const char *const lines[] = {
        "HTTP/1.1 200 OK",     "HTTP/1.1 200 OK",        "HTTP/1.1 200 OK",
        "HTTP/1.0 200 OK",     "HTTP/1.1 404 Not Found", "HTTP/1.1 200",
        "HTTP/1.1 302 Found ", "HTTP/1.1 500  x",        "HTTP/1.1 206 Partial Content"};
    static const char *const bare[] = {"HTTP/1.1 204 No Content", "HTTP/1.1 304 Not Modified"};

    if (seldom(m)) {
        put(t, "HTTP/1.1 100 Continue\r\n");
        put_fields(m, t);
        put(t, "\r\n");
    }
    bool no_body = draw(m, 12) == 0;
    put(t, no_body ? ONE_OF(m, bare) : ONE_OF(m, lines));
    put(t, newline(m));
    put_fields(m, t);
    if (no_body)
        put(t, newline(m));
    else
        put_body(m, t, true);
}

static void add_turn(struct stream_flow *f, struct text *t, uint8_t dir, bool end)
{
    f->turns = realloc(f->turns, (f->n_turns + 1) * sizeof(*f->turns));
    if (!f->turns)
        abort();
    f->turns[f->n_turns++] = (struct turn){.p = t->p, .len = t->len, .cap = t->cap, .dir = dir, .end = end};
    *t = (struct text){0};
}

void make_flow(unsigned number, struct stream_flow *f)
{
    struct maker m = {.state = number * 0x9e3779b97f4a7c15u + 1};
    bool pipelined = draw(&m, 4) == 0, first = true;

    *f = (struct stream_flow){.server_port = 80, .number = number};
    for (uint32_t n = 1 + draw(&m, 3); n > 0 && !m.closes; n--) {
        put_request(&m, &m.request, first);
        first = false;
        put_response(&m, &m.response);
        if (pipelined)
            continue;
        add_turn(f, &m.request, APP_TO_SERVER, false);
        add_turn(f, &m.response, APP_TO_CLIENT, false);
    }
    add_turn(f, &m.request, APP_TO_SERVER, true);
    add_turn(f, &m.response, APP_TO_CLIENT, true);
}
