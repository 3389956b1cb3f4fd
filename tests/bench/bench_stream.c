/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What it costs to inspect streams instead of packets: the same full-size segments of many connections, in turn.
 *
 *     bench_stream ways FILE...    searching them for the payload patterns of a rule set, in every way that finds a
 *                                  pattern that is cut in two; time of a segment
 *         packet      each segment alone: what packet rules cost, and the floor
 *         seam        and the last bytes before it with its first, in a second scan
 *         front       one scan that begins before the segment: those bytes are put over its headers while it runs
 *         vectored    hs_scan_vector() over the last bytes and the segment
 *         streaming   hs_scan_stream(), a state for each direction of each connection
 *
 * Each figure is the sum over bursts of the shortest time that one took in several rounds, each from nothing. The result
 * is one JSON object on standard output.
 */
#include <hs/hs.h>
#include <stdio.h>
#include <stdlib.h>

#include "rules/builder.h"
#include "tests/bench/payload.h"
#include "tests/bench/wire.h"

#define N_FLOWS    64 /* one segment of each is a burst */
#define N_SEGMENTS 64 /* of each */
#define HEADROOM   128
#define ROUNDS     9

static const struct ruleset_var vars[] = {{"HOME_NET", "[192.168.0.0/16,10.0.0.0/8,172.16.0.0/12]"},
                                          {"EXTERNAL_NET", "!$HOME_NET"}};

/* --- ways to search ------------------------------------------------------------------------------------------------ */

static struct {
    const char **text;
    size_t *len;
    unsigned *flags, *id;
    uint32_t n, longest;
} patterns;
static uint8_t *segments;
static hs_scratch_t *scratch;
static hs_stream_t *streams[N_FLOWS];

static int by_bytes(const void *a, const void *b)
{
    const struct fast_pattern *x = *(struct fast_pattern *const *)a, *y = *(struct fast_pattern *const *)b;
    int c = memcmp(x->bytes, y->bytes, x->len < y->len ? x->len : y->len);

    return c != 0 ? c : x->len != y->len ? (x->len < y->len ? -1 : 1) : (int)x->flags - (int)y->flags;
}

static void keep_distinct(const struct fast_pattern **v, uint32_t n)
{
    patterns.text = calloc(n + 1, sizeof(*patterns.text));
    patterns.len = calloc(n + 1, sizeof(*patterns.len));
    patterns.flags = calloc(n + 1, sizeof(*patterns.flags));
    patterns.id = calloc(n + 1, sizeof(*patterns.id));
    if (!patterns.text || !patterns.len || !patterns.flags || !patterns.id)
        wire_die("no memory for the patterns");
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = patterns.n;

        if (i > 0 && by_bytes(&v[i - 1], &v[i]) == 0)
            continue;
        patterns.text[k] = (const char *)v[i]->bytes;
        patterns.len[k] = v[i]->len;
        patterns.flags[k] = v[i]->flags | HS_FLAG_SINGLEMATCH;
        patterns.id[k] = k;
        patterns.longest = v[i]->len > patterns.longest ? v[i]->len : patterns.longest;
        patterns.n++;
    }
}

/* The payload literals of TCP rules about what goes to the server, each once. The builder stays: it has their bytes. */
static void gather(char **files, int n)
{
    struct ruleset_source src = {.files = (const char *const *)files,
                                 .n_files = (uint32_t)n,
                                 .vars = vars,
                                 .n_vars = 2,
                                 .n_workers = 1};
    static struct err_list errs;
    const struct fast_pattern **v;
    struct builder *b;
    struct err e;
    uint32_t k = 0;

    err_list_init(&errs);
    b = builder_new(&src, &errs);
    if (!b || builder_load(b, &e) != 0 || (v = calloc(b->n_rules + 1, sizeof(*v))) == NULL)
        wire_die("the rules do not load");
    for (size_t i = 0; i < b->n_rules; i++) {
        const struct builder_rule *r = &b->rules[i];

        if (!r->dead && !(r->rule.flags & RULE_DORMANT) && r->fast.kind == FAST_LITERAL &&
            r->fast.buffer == BUF_PAYLOAD && (prefilter_kinds(&r->rule) >> 2 * PROTO_TCP & 1))
            v[k++] = &r->fast;
    }
    qsort(v, k, sizeof(*v), by_bytes);
    keep_distinct(v, k);
    free(v);
}

static hs_database_t *compile(unsigned mode)
{
    hs_compile_error_t *why = NULL;
    hs_database_t *db = NULL;

    if (hs_compile_lit_multi(patterns.text, patterns.flags, patterns.id, patterns.len, patterns.n, mode, NULL,
                             &db, &why) != HS_SUCCESS ||
        hs_alloc_scratch(db, &scratch) != HS_SUCCESS)
        wire_die("Hyperscan: %s", why ? why->message : "no scratch");
    return db;
}

static uint8_t *segment(uint32_t flow, uint32_t i)
{
    return segments + ((size_t)flow * N_SEGMENTS + i) * (HEADROOM + PAYLOAD_LEN) + HEADROOM;
}

/* The bytes that a pattern can begin in before segment i; none before the first. */
static struct span before(uint32_t flow, uint32_t i)
{
    uint32_t n = patterns.longest - 1;

    return i == 0 ? span_of(NULL, 0) : span_of(segment(flow, i - 1) + PAYLOAD_LEN - n, n);
}

static int on_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *ctx)
{
    return 0;
}

static void way_packet(const hs_database_t *db, uint32_t flow, uint32_t i)
{
    hs_scan(db, (char *)segment(flow, i), PAYLOAD_LEN, 0, scratch, on_match, NULL);
}

static void way_seam(const hs_database_t *db, uint32_t flow, uint32_t i)
{
    struct span b = before(flow, i);
    uint8_t seam[2 * HEADROOM];

    way_packet(db, flow, i);
    if (b.len == 0)
        return;
    memcpy(seam, b.p, b.len);
    memcpy(seam + b.len, segment(flow, i), b.len);
    hs_scan(db, (char *)seam, 2 * b.len, 0, scratch, on_match, NULL);
}

static void way_front(const hs_database_t *db, uint32_t flow, uint32_t i)
{
    struct span b = before(flow, i);
    uint8_t kept[HEADROOM], *at = segment(flow, i) - b.len;

    memcpy(kept, at, b.len);
    if (b.len > 0)
        memcpy(at, b.p, b.len);
    hs_scan(db, (char *)at, PAYLOAD_LEN + b.len, 0, scratch, on_match, NULL);
    memcpy(at, kept, b.len);
}

static void way_vectored(const hs_database_t *db, uint32_t flow, uint32_t i)
{
    struct span b = before(flow, i);
    const char *v[2] = {(const char *)b.p, (char *)segment(flow, i)};
    unsigned len[2] = {b.len, PAYLOAD_LEN}, skip = b.len == 0;

    hs_scan_vector(db, v + skip, len + skip, 2 - skip, 0, scratch, on_match, NULL);
}

static void way_streaming(const hs_database_t *db, uint32_t flow, uint32_t i)
{
    if (i == 0 && streams[flow])
        hs_reset_stream(streams[flow], 0, scratch, NULL, NULL);
    else if (i == 0 && hs_open_stream(db, 0, &streams[flow]) != HS_SUCCESS)
        wire_die("Hyperscan: no stream");
    hs_scan_stream(streams[flow], (char *)segment(flow, i), PAYLOAD_LEN, 0, scratch, on_match, NULL);
}

static double measure(void (*way)(const hs_database_t *db, uint32_t flow, uint32_t i), unsigned mode)
{
    hs_database_t *db = compile(mode);
    uint64_t best[N_SEGMENTS], sum = 0;

    memset(best, 0xff, sizeof(best));
    for (int round = 0; round < ROUNDS; round++)
        for (uint32_t i = 0; i < N_SEGMENTS; i++) {
            uint64_t began = wire_now_ns();

            for (uint32_t flow = 0; flow < N_FLOWS; flow++)
                way(db, flow, i);
            began = wire_now_ns() - began;
            best[i] = began < best[i] ? began : best[i];
        }
    for (uint32_t i = 0; i < N_SEGMENTS; i++)
        sum += best[i];
    hs_free_database(db);
    return (double)sum / (N_FLOWS * N_SEGMENTS);
}

static void bench_ways(char **files, int n)
{
    hs_database_t *db;
    size_t state = 0;

    gather(files, n);
    segments = calloc((size_t)N_FLOWS * N_SEGMENTS, HEADROOM + PAYLOAD_LEN);
    if (!segments || patterns.n == 0)
        wire_die("no patterns, or no memory for segments");
    for (uint32_t i = 0; i < N_FLOWS * N_SEGMENTS; i++)
        fill_payload(segment(i / N_SEGMENTS, i % N_SEGMENTS), i / N_SEGMENTS % 4);
    db = compile(HS_MODE_STREAM);
    hs_stream_size(db, &state);
    hs_free_database(db);
    printf("{\"patterns\": %u, \"longest\": %u, \"state_bytes\": %zu, ", patterns.n, patterns.longest, state);
    printf("\"packet\": %.0f, ", measure(way_packet, HS_MODE_BLOCK));
    printf("\"seam\": %.0f, ", measure(way_seam, HS_MODE_BLOCK));
    printf("\"front\": %.0f, ", measure(way_front, HS_MODE_BLOCK));
    printf("\"vectored\": %.0f, ", measure(way_vectored, HS_MODE_VECTORED));
    printf("\"streaming\": %.0f}\n", measure(way_streaming, HS_MODE_STREAM));
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "ways") == 0)
        bench_ways(argv + 2, argc - 2);
    else
        wire_die("usage: bench_stream ways FILE...");
    return 0;
}
