/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the steering program costs a frame, stage by stage, and how long a million prefixes take to load. Under
 * BPF_PROG_TEST_RUN: the program alone, without driver and socket. `ns` is one frame again and again, so every map's
 * entry is in the cache; `cold_ns` is the mean over frames with addresses drawn at random, each run once and so with
 * the clock's own cost in it: compare it with that of the row "off". One line on standard output per figure, medians of
 * five. Needs root.
 */
#include "tests/bench/figures.h"
#include "tests/bpf/steer_lab.h"

enum { ROUNDS = 5, REPEAT = 1000000, COLD = 20000, PREFIXES = 1000000, BATCH = 4096, CACHED = 1 << 16 };

/* Mean ns a run; the verdict must be the expected one. */
static uint32_t run_ns(const struct steer_lab *l, const uint8_t *frame, uint32_t len, uint32_t repeat,
                       enum xdp_action expect)
{
    struct xdp_md ctx = {.data_end = len, .ingress_ifindex = l->x->ifindex[0]};
    uint8_t out[FRAME_MAX];
    LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = len, .data_out = out,
                .data_size_out = sizeof(out), .ctx_in = &ctx, .ctx_size_in = sizeof(ctx),
                .repeat = (int)repeat);

    if (bpf_prog_test_run_opts(l->prog, &opts) != 0 || opts.retval != expect) {
        fprintf(stderr, "bench_steer: verdict %u, not %u\n", opts.retval, expect);
        exit(1);
    }
    return opts.duration;
}

/* Both figures of one frame; `vary`: byte of the frame from which on three are drawn anew for each cold one. */
static void measure(struct steer_lab *l, const char *name, const struct frame *f, uint32_t vary,
                    enum xdp_action expect)
{
    uint8_t frame[FRAME_MAX];
    uint32_t len = frame_build(f, frame);
    double hot[ROUNDS], cold[ROUNDS];

    for (int r = 0; r < ROUNDS; r++)
        hot[r] = run_ns(l, frame, len, REPEAT, expect);
    for (int r = 0; r < ROUNDS; r++) {
        uint64_t sum_ns = 0;
        for (int i = 0; i < COLD; i++) {
            uint32_t addr = draw32();
            if (vary)
                memcpy(frame + vary, &addr, 3);
            sum_ns += run_ns(l, frame, len, 1, expect);
        }
        cold[r] = (double)sum_ns / COLD;
    }
    double ns = median(hot, ROUNDS);
    printf("steer_%s ns=%.0f cold_ns=%.0f mfps=%.1f\n", name, ns, median(cold, ROUNDS), 1e3 / ns);
    fflush(stdout);
}

#define SRC4_AT 27 /* 192.x.x.x */
static const struct frame udp = {IP4, UDP}, syn = {IP4, TCP(SYN)}, udp6 = {IP6, UDP};

static void set(struct steer_lab *l, uint32_t flags, uint64_t heartbeat_ns, uint32_t n_lines)
{
    l->cfg.flags = flags;
    l->cfg.heartbeat_ns = heartbeat_ns;
    l->cfg.lines = STEER_LINES(0, n_lines);
    steer_lab_push(l);
}

/* --- 64 lines, of which none or the last matches --- */

static void bench_lines(struct steer_lab *l)
{
    struct steer_line line = {.tests = STEER_TEST_SRC | STEER_TEST_DPORT,
                              .version = 4,
                              .src = {htonl(0x0a000000)},
                              .src_mask = {htonl(0xff000000)},
                              .dport = {1, 9},
                              .action = STEER_DROP};

    for (uint32_t i = 0; i < STEER_LINES_MAX; i++)
        assert_int_equal(bpf_map_update_elem(l->lines, &i, &line, BPF_ANY), 0);
    set(l, 0, 0, 1);
    measure(l, "lines_1_no_match", &udp, 0, XDP_REDIRECT);
    set(l, 0, 0, STEER_LINES_MAX);
    measure(l, "lines_64_no_match", &udp, 0, XDP_REDIRECT);
    uint32_t last = STEER_LINES_MAX - 1;
    line = (struct steer_line){.tests = STEER_TEST_DPORT, .dport = {53, 53}, .action = STEER_DROP};
    assert_int_equal(bpf_map_update_elem(l->lines, &last, &line, BPF_ANY), 0);
    measure(l, "lines_64_last_match", &udp, 0, XDP_DROP);
}

/* --- a million prefixes --- */

/* Hosts and networks of lengths as block lists have them, all below 128.0.0.0 (IPv6: 2001::/16), none twice. */
static void load(int map, bool v6)
{
    static struct steer_prefix_v6 keys6[BATCH];
    static struct steer_prefix_v4 keys4[BATCH];
    static struct steer_block values[BATCH];
    LIBBPF_OPTS(bpf_map_batch_opts, opts);
    uint64_t began_ns = steer_lab_now_ns();

    for (uint32_t i = 0; i < PREFIXES;) {
        uint32_t n = 0;
        for (; n < BATCH && i < PREFIXES; n++, i++) {
            uint32_t addr = i * 2147u; /* prime to 2^31: a walk over all of 0/1 */
            keys4[n] = (struct steer_prefix_v4){.prefixlen = i % 8 ? 32 : 24};
            store_be32(keys4[n].addr, addr & 0x7fffffff);
            keys6[n] = (struct steer_prefix_v6){.prefixlen = i % 8 ? 128 : 64, .addr = {0x20, 0x01}};
            store_be32(keys6[n].addr + 4, addr);
        }
        uint32_t count = n;
        if (bpf_map_update_batch(map, v6 ? (void *)keys6 : (void *)keys4, values, &count, &opts) != 0) {
            fprintf(stderr, "bench_steer: loading prefixes: %s\n", strerror(errno));
            exit(1);
        }
    }
    double s = (double)(steer_lab_now_ns() - began_ns) / 1e9;
    printf("steer_load_%s prefixes=%d s=%.2f (expected: 5)\n", v6 ? "v6" : "v4", PREFIXES, s);
    fflush(stdout);
}

/* What misses differs from an entry in its last bits: the longest walk. */
static void bench_blocks(struct steer_lab *l)
{
    static const struct frame hit = {.type = 0x0800, .src = "0.0.8.99", .dst = "198.51.100.9", UDP},
                              miss = {.type = 0x0800, .src = "0.0.8.98", .dst = "198.51.100.9", UDP},
                              miss6 = {.type = 0x86dd, .src = "2001:0:0:863::1", .dst = "2003::1", UDP};

    load(l->block[0][0], false);
    load(l->block[0][1], true);
    set(l, STEER_HAS_BLOCKS, 0, 0);
    measure(l, "block_1m_hit", &hit, 0, XDP_DROP);
    measure(l, "block_1m_miss", &miss, 0, XDP_REDIRECT);
    measure(l, "block_1m_miss_v6", &miss6, 0, XDP_REDIRECT);
    set(l, STEER_HAS_BLOCKS | STEER_HAS_ALLOWS, 0, 0);
    measure(l, "block_1m_miss_allows", &miss, 0, XDP_REDIRECT);
}

/* --- the verdict cache, rates --- */

static void put_verdict(struct steer_lab *l, const struct frame *f, enum steer_kind kind)
{
    struct steer_bucket b = {0};
    struct steer_key key;

    frame_key(f, &key);
    b.way[STEER_WAYS - 1] = (struct steer_flow){.tag = steer_tag(&key, l->cfg.key),
                                                .last_ns = steer_lab_now_ns(),
                                                .idle_ms = UINT32_MAX,
                                                .kind = kind};
    uint32_t index = (uint32_t)b.way[STEER_WAYS - 1].tag & (l->n_buckets - 1);
    assert_int_equal(bpf_map_update_elem(l->flows, &index, &b, BPF_ANY), 0);
}

static void bench_flows(struct steer_lab *l)
{
    set(l, STEER_USE_FLOWS, 0, 0);
    measure(l, "flows_miss", &udp, SRC4_AT, XDP_REDIRECT);
    put_verdict(l, &udp, STEER_KIND_DROP);
    measure(l, "flows_drop", &udp, 0, XDP_DROP);
    put_verdict(l, &udp, STEER_KIND_BYPASS);
    measure(l, "flows_bypass", &udp, 0, XDP_REDIRECT);
    set(l, STEER_HAS_SOURCES, 0, 0);
    measure(l, "sources_miss", &udp, SRC4_AT, XDP_REDIRECT);
}

static void bench_rates(struct steer_lab *l)
{
    uint8_t frame[FRAME_MAX];

    for (int i = 0; i < STEER_RATE_N; i++)
        l->cfg.limit[i] = (struct steer_limit){1, 1000000000000ull};
    set(l, STEER_LIMIT_SOURCE, 0, 0);
    measure(l, "rate_source", &udp, SRC4_AT, XDP_REDIRECT);
    set(l, STEER_LIMIT_SYN_SRC | STEER_LIMIT_SYN_DST, 0, 0);
    measure(l, "rate_syn", &syn, SRC4_AT, XDP_REDIRECT);
    l->cfg.limit[STEER_RATE_SOURCE] = (struct steer_limit){1ull << 50, 0};
    set(l, STEER_LIMIT_SOURCE, 0, 0);
    run_ns(l, frame, frame_build(&udp6, frame), 1, XDP_REDIRECT); /* the one that passes */
    measure(l, "rate_source_over", &udp6, 0, XDP_DROP);
}

int main(void)
{
    static struct steer_lab l;
    struct steer_beat beat = {.beat_ns = steer_lab_now_ns() + 3600ull * 1000000000};
    uint32_t zero = 0;

    lab_enter();
    if (!lab_entered)
        return 1;
    lab_setup(NULL);
    steer_lab_open(&l);
    int fd = xsk_socket__fd(l.sockets[0][0].xsk);
    assert_int_equal(bpf_map_update_elem(l.xsks, &zero, &fd, BPF_ANY), 0);
    assert_int_equal(bpf_map_update_elem(l.beats, &zero, &beat, BPF_ANY), 0);
    set(&l, 0, 0, 0);
    measure(&l, "off", &udp, SRC4_AT, XDP_REDIRECT);
    measure(&l, "off_v6", &udp6, 0, XDP_REDIRECT);
    set(&l, 0, 20000000, 0);
    measure(&l, "heartbeat", &udp, SRC4_AT, XDP_REDIRECT);
    set(&l, STEER_DROP_BROKEN, 0, 0);
    measure(&l, "broken", &udp, SRC4_AT, XDP_REDIRECT);
    bench_lines(&l);
    bench_flows(&l);
    bench_rates(&l);
    bench_blocks(&l);
    set(&l, STEER_USE_FLOWS | STEER_HAS_BLOCKS | STEER_HAS_ALLOWS | STEER_HAS_SOURCES | STEER_DROP_BROKEN,
        20000000, 0);
    measure(&l, "all_but_rates", &udp6, 0, XDP_REDIRECT);
    steer_lab_close(&l);
    return 0;
}
