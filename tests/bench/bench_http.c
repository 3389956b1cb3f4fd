/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What HTTP/1's parser costs by itself: app_begin(), app_parse() and app_end() on ready packets, with nobody who looks at what
 * is published.
 *
 *     ordinary       requests and responses as browsers and servers write them, bodies of 0 to 64 KB by length and in chunks,
 *                    full-size segments: Gbit/s of payload, and ns a byte
 *     the others     the worst inputs that are accepted, ns a byte, and how many times the ordinary that is, and how many
 *                    times what a parser of 5 Gbit/s may take for a byte (1.6 ns). Segments of one
 *                    byte are counted as their frames are: 60 bytes each, in both figures of that line
 *     gzip ...       compressed bodies are counted as what they become when they are unpacked, for that is what rules see:
 *                    text in one layer, text in four, and zeros in two, which is as much as app.decompress_ratio lets by
 *     idle_bytes     of the pool that a flow keeps between two transactions
 *
 * One line for each on standard output, name key=value... Each figure is the best of several rounds.
 */
#include <time.h>
#include <zlib.h>

#include "tests/unit/app_lab.h"

#define SEGMENT    1448
#define ROUNDS     7
#define TALK_BYTES (8u << 20)
#define FRAME      60 /* bytes of the shortest frame */

struct talk {
    uint8_t *p;
    size_t len;
    struct {
        size_t at, len;
        uint8_t dir;
    } part[8192];
    unsigned n;
};

static void say(struct talk *t, enum app_dir dir, const void *p, size_t n)
{
    if (t->n == 0 || t->part[t->n - 1].dir != dir) {
        t->part[t->n].at = t->len;
        t->part[t->n++].dir = (uint8_t)dir;
    }
    if (t->len + n > TALK_BYTES)
        abort();
    memcpy(t->p + t->len, p, n);
    t->len += n;
    t->part[t->n - 1].len += n;
}

static void say_text(struct talk *t, enum app_dir dir, const char *text)
{
    say(t, dir, text, strlen(text));
}

static const char get[] =
    "GET /assets/js/app.7f3c2a.js?v=20260101&lang=en HTTP/1.1\r\n"
    "Host: www.example.org\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
    "Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate\r\n"
    "Referer: http://www.example.org/index.html\r\nCookie: id=0123456789abcdef; theme=dark\r\n"
    "Connection: keep-alive\r\n\r\n";
static const char head[] =
    "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: nginx/1.24.0\r\n"
    "Content-Type: application/javascript\r\nLast-Modified: Sat, 05 Nov 1994 08:00:00 GMT\r\n"
    "ETag: \"66b1c2d3-1f40\"\r\nCache-Control: max-age=3600\r\nConnection: keep-alive\r\n";
static uint8_t filler[65536];

static void ordinary(struct talk *t)
{
    static const uint32_t sizes[] = {0, 1200, 4000, 9000, 20000, 40000, 65536};
    char line[64];

    for (unsigned i = 0; i < 7; i++) {
        say_text(t, APP_TO_SERVER, get);
        say_text(t, APP_TO_CLIENT, head);
        if (i % 2 == 0) {
            snprintf(line, sizeof(line), "Content-Length: %u\r\n\r\n", sizes[i]);
            say_text(t, APP_TO_CLIENT, line);
            say(t, APP_TO_CLIENT, filler, sizes[i]);
            continue;
        }
        say_text(t, APP_TO_CLIENT, "Transfer-Encoding: chunked\r\n\r\n");
        for (uint32_t at = 0; at < sizes[i]; at += 4096) {
            uint32_t n = sizes[i] - at < 4096 ? sizes[i] - at : 4096;

            snprintf(line, sizeof(line), "%x\r\n", n);
            say_text(t, APP_TO_CLIENT, line);
            say(t, APP_TO_CLIENT, filler, n);
            say_text(t, APP_TO_CLIENT, "\r\n");
        }
        say_text(t, APP_TO_CLIENT, "0\r\n\r\n");
    }
    say_text(t, APP_TO_SERVER,
             "POST /api/v1/items HTTP/1.1\r\nHost: www.example.org\r\nContent-Length: 2000\r\n\r\n");
    say(t, APP_TO_SERVER, filler, 2000);
    say_text(t, APP_TO_CLIENT, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
}

static void small_chunks(struct talk *t)
{
    say_text(t, APP_TO_SERVER, get);
    say_text(t, APP_TO_CLIENT, head);
    say_text(t, APP_TO_CLIENT, "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 50000; i++)
        say_text(t, APP_TO_CLIENT, "1\r\nx\r\n");
    say_text(t, APP_TO_CLIENT, "0\r\n\r\n");
}

static void tiny_fields(struct talk *t)
{
    char line[16];

    say_text(t, APP_TO_SERVER, "GET / HTTP/1.1\r\nHost: h\r\n");
    for (unsigned i = 0; i < 10000; i++) { /* 62 KB: as many as fit below headers_bytes, all different */
        snprintf(line, sizeof(line), "%x:\n", i);
        say_text(t, APP_TO_SERVER, line);
    }
    say_text(t, APP_TO_SERVER, "\r\n");
    say_text(t, APP_TO_CLIENT, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

static void same_fields(struct talk *t)
{
    say_text(t, APP_TO_SERVER, "GET / HTTP/1.1\r\nHost: h\r\n");
    for (unsigned i = 0; i < 10000; i++)
        say_text(t, APP_TO_SERVER, "a:b\n");
    say_text(t, APP_TO_SERVER, "\r\n");
    say_text(t, APP_TO_CLIENT, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

static void folded(struct talk *t)
{
    say_text(t, APP_TO_SERVER, "GET / HTTP/1.1\r\nHost: h\r\nX: y\r\n");
    for (unsigned i = 0; i < 12000; i++)
        say_text(t, APP_TO_SERVER, " z\n");
    say_text(t, APP_TO_SERVER, "\r\n");
    say_text(t, APP_TO_CLIENT, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

static void small_messages(struct talk *t)
{
    for (unsigned i = 0; i < 2000; i++) {
        say_text(t, APP_TO_SERVER, "GET / HTTP/1.0\n\n");
        say_text(t, APP_TO_CLIENT, "HTTP/1.0 204 N\n\n");
    }
}

static void escapes(struct talk *t)
{
    for (unsigned i = 0; i < 20; i++) {
        say_text(t, APP_TO_SERVER, "GET ");
        for (unsigned k = 0; k < 2600; k++)
            say_text(t, APP_TO_SERVER, k % 2 ? "/%2e." : "/a%41");
        say_text(t, APP_TO_SERVER, " HTTP/1.0\r\n\r\n");
        say_text(t, APP_TO_CLIENT, "HTTP/1.0 204 N\r\n\r\n");
    }
}

/* --- compressed bodies ------------------------------------------------------------------------------------------------ */

#define BODY_BYTES (4u << 20)

static size_t became; /* bytes that rules see of the talk; 0: as many as it has */

static void pack(uint8_t **p, size_t *len)
{
    z_stream z = {0};
    size_t room = *len + *len / 100 + 1024;
    uint8_t *out = malloc(room);

    if (!out || deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    z.next_in = *p;
    z.avail_in = (uInt)*len;
    z.next_out = out;
    z.avail_out = (uInt)room;
    if (deflate(&z, Z_FINISH) != Z_STREAM_END)
        abort();
    free(*p);
    *p = out;
    *len = z.total_out;
    deflateEnd(&z);
}

static void packed(struct talk *t, bool zeros, unsigned layers)
{
    size_t len = zeros ? 12u << 20 : BODY_BYTES;
    uint8_t *p = calloc(1, len);
    uint32_t seed = 1;
    char line[128];

    if (!p)
        abort();
    for (size_t i = 0; !zeros && i < len; i++) { /* about four to one, as pages are */
        seed = seed * 1103515245 + 12345;
        p[i] =
            i % 64 < 40 && i >= 4096 ? p[i - 4096 + i / 4096 % 7] : (uint8_t)("etaoin shrdlu</>"[seed >> 28]);
    }
    became = len;
    for (unsigned i = 0; i < layers; i++)
        pack(&p, &len);
    say_text(t, APP_TO_SERVER, get);
    say_text(t, APP_TO_CLIENT, head);
    for (unsigned i = 0; i < layers; i++)
        say_text(t, APP_TO_CLIENT, i == 0 ? "Content-Encoding: gzip" : ", gzip");
    snprintf(line, sizeof(line), "%sContent-Length: %zu\r\n\r\n", layers > 0 ? "\r\n" : "", len);
    say_text(t, APP_TO_CLIENT, line);
    say(t, APP_TO_CLIENT, p, len);
    free(p);
}

static void plain_body(struct talk *t)
{
    packed(t, false, 0);
}

static void gzip(struct talk *t)
{
    packed(t, false, 1);
}

static void gzip_in_gzip(struct talk *t)
{
    packed(t, false, 4);
}

static void gzip_zeros(struct talk *t)
{
    packed(t, true, 2);
}

static double now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* ns for the talk, `repeat` times over, in segments of so many bytes. */
static double hold(struct app_lab *l, const struct talk *t, size_t segment, unsigned repeat)
{
    double start = now_ns();

    for (unsigned k = 0; k < repeat; k++)
        for (unsigned i = 0; i < t->n; i++)
            for (size_t at = 0; at < t->part[i].len; at += segment) {
                size_t n = t->part[i].len - at < segment ? t->part[i].len - at : segment;
                struct packet *p = &l->pkt;

                p->flags =
                    t->part[i].dir == APP_TO_CLIENT ? p->flags | PKT_TO_CLIENT : p->flags & ~PKT_TO_CLIENT;
                p->verdict = VERDICT_FORWARD;
                memset(&p->anomalies, 0, sizeof(p->anomalies));
                l->view.fresh = span_of(t->p + t->part[i].at + at, n);
                l->view.offset = l->sent[t->part[i].dir];
                app_begin(l->app, p, &l->counters);
                app_parse(l->app, p, &l->counters);
                app_end(l->app, p);
                l->sent[t->part[i].dir] += n;
            }
    return now_ns() - start;
}

static double best(void (*make)(struct talk *t), size_t segment, unsigned repeat, size_t *bytes,
                   uint64_t *idle)
{
    static struct talk t;
    double shortest = 1e18;

    if (!t.p)
        t.p = malloc(TALK_BYTES);
    t.n = 0;
    t.len = 0;
    memset(t.part, 0, sizeof(t.part));
    became = 0;
    make(&t);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct app_lab *l = lab_new(&(struct lab_setup){.dport = 80});

        l->app->hooks = (struct app_hooks){0};
        lab_say(l, APP_TO_SERVER, "GET / HTTP/1.0\r\n\r\n");
        lab_say(l, APP_TO_CLIENT, "HTTP/1.0 204 N\r\n\r\n");
        double ns = hold(l, &t, segment, repeat);
        shortest = ns < shortest ? ns : shortest;
        *idle = app_bytes(l->app);
        if (!lab_speaks(l, APP_HTTP1) || l->app->slots[flow_index(l->flows, l->flow)].flow->over)
            abort(); /* it gave up: nothing was measured */
        lab_free(l);
    }
    *bytes = (became ? became : t.len) * repeat;
    return shortest;
}

int main(void)
{
    static const struct {
        const char *name;
        void (*make)(struct talk *t);
        size_t segment;
        unsigned repeat;
    } inputs[] = {
        {"ordinary", ordinary, SEGMENT, 60},       {"small_chunks", small_chunks, SEGMENT, 10},
        {"tiny_fields", tiny_fields, SEGMENT, 40}, {"same_fields", same_fields, SEGMENT, 40},
        {"folded", folded, SEGMENT, 40},           {"small_messages", small_messages, SEGMENT, 40},
        {"escapes", escapes, SEGMENT, 10},         {"slow_ordinary", ordinary, 1, 1},
        {"plain_body", plain_body, SEGMENT, 2},    {"gzip", gzip, SEGMENT, 2},
        {"nested_gzip", gzip_in_gzip, SEGMENT, 2}, {"nested_zeros", gzip_zeros, SEGMENT, 2},
    };
    double ordinary_ns = 0;
    uint64_t idle = 0;
    size_t bytes;

    for (unsigned i = 0; i < sizeof(filler); i++)
        filler[i] = (uint8_t)("abcdefgh <p>/12"[i % 15]);
    for (unsigned i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
        double ns = best(inputs[i].make, inputs[i].segment, inputs[i].repeat, &bytes, &idle);
        double wire = (double)bytes * (inputs[i].segment == 1 ? FRAME : 1);

        if (i == 0)
            ordinary_ns = ns / wire;
        printf("http %s gbit=%.2f ns_per_byte=%.3f times_ordinary=%.2f times_5gbit=%.2f idle_bytes=%llu\n",
               inputs[i].name, wire * 8 / ns, ns / wire, ns / wire / ordinary_ns, ns / wire / 1.6,
               (unsigned long long)idle);
        fflush(stdout);
    }
    return 0;
}
