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
 *     bench_stream path FILE...    stream_begin(), detection and stream_end(), all of them and apart; time of a segment
 *                                  with its part of the other side's acknowledgements
 *
 * Each figure is the sum over bursts of the shortest time that one took in several rounds: in `ways` each from nothing, in
 * `path` on the same connections, which go on. The result is one JSON object on standard output.
 */
#include <hs/hs.h>
#include <stdio.h>
#include <stdlib.h>

#include "ips/base/clock.h"
#include "ips/detect/detect.h"
#include "ips/stream/stream.h"
#include "rules/builder.h"
#include "tests/bench/payload.h"
#include "tests/bench/wire.h"
#include "tests/unit/packets.h"

#define N_FLOWS    64 /* one segment of each is a burst */
#define N_SEGMENTS 64 /* of each */
#define HEADROOM   128
#define ROUNDS     9
#define LATE_PCT   20 /* of segments that come after the one behind them */

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

/* --- the path of a segment ------------------------------------------------------------------------------------------- */

enum parts { STREAM = 1, DETECT = 2 };

struct path {
    struct frame *data; /* N_SEGMENTS of each flow */
    struct frame *acks; /* the server's, as many */
    struct frame *hello;
    uint32_t order[N_FLOWS][N_SEGMENTS];
    const struct ruleset *rs;
    struct flow_table *flows;
    struct stream_table *streams;
    struct detect *det;
    struct counters c;
};

static void build(struct path *x)
{
    static uint8_t payload[PAYLOAD_LEN];

    x->data = calloc(N_FLOWS * N_SEGMENTS, sizeof(*x->data));
    x->acks = calloc(N_FLOWS * N_SEGMENTS, sizeof(*x->acks));
    x->hello = calloc((size_t)N_FLOWS * 3, sizeof(*x->hello));
    if (!x->data || !x->acks || !x->hello)
        wire_die("no memory for frames");
    for (uint32_t f = 0; f < N_FLOWS; f++) {
        struct pkt up = {
            .sport = (uint16_t)(1024 + f), .dport = 80, .tcp_flags = 2, .window = 65535, .seq = 99};
        struct pkt down = {.src = 2, .dst = 1, .sport = 80, .dport = up.sport, .window = 65535, .ack = 100};

        down.tcp_flags = 18;
        frame_build(&x->hello[f * 3], &up);
        frame_build(&x->hello[f * 3 + 1], &down);
        up.tcp_flags = down.tcp_flags = 16;
        up.seq = 100;
        up.ack = down.seq = 1;
        frame_build(&x->hello[f * 3 + 2], &up);
        for (uint32_t i = 0; i < N_SEGMENTS; i++) {
            fill_payload(payload, f % 4);
            up.seq = 100 + i * PAYLOAD_LEN;
            up.payload = payload;
            up.payload_len = PAYLOAD_LEN;
            frame_build(&x->data[f * N_SEGMENTS + i], &up);
            down.ack = up.seq + PAYLOAD_LEN;
            frame_build(&x->acks[f * N_SEGMENTS + i], &down);
        }
    }
}

/* late_pct of the segments come after the one that follows them. */
static void shuffle(struct path *x, uint32_t late_pct)
{
    for (uint32_t f = 0; f < N_FLOWS; f++) {
        for (uint32_t i = 0; i < N_SEGMENTS; i++)
            x->order[f][i] = i;
        for (uint32_t i = 0; i + 1 < N_SEGMENTS; i++)
            if (draw(100) < late_pct) {
                x->order[f][i] = i + 1;
                x->order[f][i + 1] = i;
                i++;
            }
    }
}

/* What comes before the stream and does not belong to the measurement. Checksums are verified as they are by default, so
 * the burst's bytes are in the cache. Frames are sent again and again: numbers are so much further each time. */
static struct packet arrive(struct path *x, struct frame *f, uint8_t in_port, uint64_t now, uint32_t further)
{
    const struct decode_config dc = {.verify_checksums = true};
    struct packet p = frame_packet(f, LINK_ETHERNET);

    p.in_port = in_port;
    p.now_ns = p.ts_ns = now;
    decode_burst(&p, 1, &dc, &x->c);
    *(in_port ? &p.tcp_ack : &p.tcp_seq) += further;
    flow_prefetch_burst(x->flows, &p, 1);
    flow_lookup(x->flows, &p, &x->c);
    flow_account(x->flows, &p);
    return p;
}

static void run(struct path *x, struct packet *p, unsigned parts)
{
    if (parts & STREAM)
        stream_begin(x->streams, p, &x->c);
    if (parts & DETECT)
        detect_packet(x->det, x->rs, p);
    if (parts & STREAM)
        stream_end(x->streams, p, &x->c);
}

static uint64_t burst(struct path *x, uint32_t i, uint64_t now, uint32_t further, unsigned parts)
{
    static struct packet data[N_FLOWS], acks[N_FLOWS];
    uint64_t began;

    for (uint32_t f = 0; f < N_FLOWS; f++) {
        data[f] = arrive(x, &x->data[f * N_SEGMENTS + x->order[f][i]], 0, now, further);
        acks[f] =
            arrive(x, &x->acks[f * N_SEGMENTS + (i < 3 ? 0 : i - 3)], 1, now, further); /* late ones are in */
    }
    began = wire_now_ns();
    for (uint32_t f = 0; f < N_FLOWS; f++)
        run(x, &data[f], parts);
    for (uint32_t f = 0; f < N_FLOWS && i % 2; f++) /* every other segment is acknowledged */
        run(x, &acks[f], parts);
    return wire_now_ns() - began;
}

static void open_path(struct path *x)
{
    struct flow_config fc = {.max_flows = 1024,
                             .tcp_new_s = 60,
                             .tcp_established_s = 600,
                             .tcp_closed_s = 10,
                             .udp_new_s = 30,
                             .udp_established_s = 300,
                             .icmp_s = 30,
                             .other_s = 30};
    struct stream_config sc = {.memory_bytes = 64 << 20,
                               .flow_bytes = 256 << 10,
                               .window_bytes = 4096,
                               .inline_mode = true,
                               .max_flows = fc.max_flows};
    struct detect_config dc = {.inline_mode = true, .max_flows = fc.max_flows};
    struct err e = {0};

    x->flows = flow_table_new(&fc, &e);
    x->streams = x->flows ? stream_table_new(&sc, x->flows, &e) : NULL;
    dc.flows = x->flows;
    dc.streams = x->streams;
    x->det = x->streams ? detect_new(&dc, 0, NULL, &x->c, &e) : NULL;
    if (!x->det)
        wire_die("no memory for the engine");
}

static double measure_path(struct path *x, unsigned parts, uint32_t late_pct)
{
    uint64_t best[N_SEGMENTS], sum = 0, now = NS_PER_S;

    memset(best, 0xff, sizeof(best));
    memset(&x->c, 0, sizeof(x->c));
    shuffle(x, late_pct);
    open_path(x);
    for (uint32_t i = 0; i < N_FLOWS * 3; i++) {
        struct packet p = arrive(x, &x->hello[i], i % 3 == 1, now += 1000, 0);
        run(x, &p, parts);
    }
    for (uint32_t round = 0; round < ROUNDS; round++)
        for (uint32_t i = 0; i < N_SEGMENTS; i++) {
            uint64_t ns = burst(x, i, now += 100000, round * N_SEGMENTS * PAYLOAD_LEN, parts);

            best[i] = ns < best[i] ? ns : best[i];
        }
    detect_free(x->det);
    stream_table_free(x->streams);
    flow_table_free(x->flows);
    for (uint32_t i = 0; i < N_SEGMENTS; i++)
        sum += best[i];
    return (double)sum / (N_FLOWS * N_SEGMENTS);
}

static void bench_path(char **files, int n)
{
    struct ruleset_source src = {.files = (const char *const *)files,
                                 .n_files = (uint32_t)n,
                                 .vars = vars,
                                 .n_vars = 2,
                                 .n_workers = 1};
    static struct path x;
    struct err_list errs;
    struct ruleset *rs;

    err_list_init(&errs);
    x.rs = rs = ruleset_build(&src, &errs);
    if (!rs)
        wire_die("the rules do not load");
    build(&x);
    printf("{\"scan\": %.0f, ", measure_path(&x, DETECT, 0));
    printf("\"stream\": %.0f, ", measure_path(&x, STREAM, 0));
    printf("\"both\": %.0f, ", measure_path(&x, STREAM | DETECT, 0));
    printf("\"candidates\": %.3f, ", (double)x.c.v[CTR_DETECT_CANDIDATES] / (ROUNDS * N_FLOWS * N_SEGMENTS));
    printf("\"late_pct\": %u, \"late_stream\": %.0f, ", LATE_PCT, measure_path(&x, STREAM, LATE_PCT));
    printf("\"late_both\": %.0f}\n", measure_path(&x, STREAM | DETECT, LATE_PCT));
    ruleset_free(rs);
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "ways") == 0)
        bench_ways(argv + 2, argc - 2);
    else if (argc > 2 && strcmp(argv[1], "path") == 0)
        bench_path(argv + 2, argc - 2);
    else
        wire_die("usage: bench_stream ways|path FILE...");
    return 0;
}
