/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What decode and the flow table cost a packet: bursts of 64 over a million flows in random order, so that nearly every
 * lookup misses the caches, as it does on a busy link. One line on standard output per figure; medians of five.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ips/base/clock.h"
#include "ips/flow/flow.h"
#include "tests/unit/packets.h"

#define ROUNDS  5
#define BURSTS  40000u
#define N_FLOWS (1u << 20)

static struct counters ctr;
static uint64_t rng = 88172645463325252ull;

static uint32_t draw(void)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (uint32_t)(rng >> 16);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *v)
{
    qsort(v, ROUNDS, sizeof(*v), by_value);
    return v[ROUNDS / 2];
}

/* The packet of flow i, as decode would leave it. */
static void aim(struct packet *p, uint32_t i, uint64_t now_ns)
{
    p->flags = PKT_HAS_ETH | PKT_HAS_IP | PKT_HAS_L4;
    p->ip_version = 4;
    p->ip_proto = IPPROTO_UDP;
    p->src = pkt_addr(false, 1);
    p->dst = pkt_addr(false, 2);
    store_be16(p->src.b + 13, (uint16_t)(i >> 10));
    p->sport = (uint16_t)(1024 + (i & 1023));
    p->dport = 53;
    p->len = 64;
    p->now_ns = p->ts_ns = now_ns;
    p->flow = NULL;
}

static double lookups(struct flow_table *t, uint64_t *now_ns)
{
    static struct packet pkts[BURST_MAX];
    uint64_t spent = 0;

    for (uint32_t b = 0; b < BURSTS; b++) {
        *now_ns += 10000;
        for (uint32_t i = 0; i < BURST_MAX; i++)
            aim(&pkts[i], draw() & (N_FLOWS - 1), *now_ns);
        uint64_t t0 = clock_mono_ns();
        flow_track(t, pkts, BURST_MAX, &ctr);
        flow_expire(t, *now_ns, 64, &ctr);
        spent += clock_mono_ns() - t0;
    }
    return (double)spent / BURSTS / BURST_MAX;
}

static void bench_flow(void)
{
    const struct flow_config cfg = {.max_flows = N_FLOWS, .udp_new_s = 3600, .udp_established_s = 3600};
    static struct packet p;
    double v[ROUNDS];
    struct err e;
    struct flow_table *t = flow_table_new(&cfg, &e);
    uint64_t now_ns = NS_PER_S, t0;

    if (!t) {
        char text[1024];
        fprintf(stderr, "bench_flow: %s\n", err_format(&e, text, sizeof(text)));
        exit(1);
    }
    t0 = clock_mono_ns();
    for (uint32_t i = 0; i < N_FLOWS; i++) {
        aim(&p, i, now_ns);
        flow_track(t, &p, 1, &ctr);
    }
    printf("flow_create ns_per_packet=%.1f flows=%u\n", (double)(clock_mono_ns() - t0) / N_FLOWS,
           flow_table_count(t));
    for (unsigned r = 0; r < ROUNDS; r++)
        v[r] = lookups(t, &now_ns);
    printf("flow_lookup ns_per_packet=%.1f\n", median(v));
    flow_table_free(t);
}

/* Decode of TCP frames with payload_len bytes, spread over 16 MB of frames as a UMEM spreads them. */
static void bench_decode(uint32_t payload_len, bool verify)
{
    enum { N = 4096, STRIDE = 4096 };
    static struct packet pkts[BURST_MAX];
    static uint8_t payload[1400];
    const struct decode_config cfg = {.verify_checksums = verify};
    uint8_t *area = malloc((size_t)N * STRIDE);
    static struct frame f;
    double v[ROUNDS];

    if (!area)
        exit(1);
    frame_build(&f, &(struct pkt){.tcp_flags = 0x10,
                                  .payload = payload_len ? payload : NULL,
                                  .payload_len = payload_len});
    for (uint32_t i = 0; i < N; i++)
        memcpy(area + (size_t)i * STRIDE + 256, f.b, f.len);
    for (unsigned r = 0; r < ROUNDS; r++) {
        uint64_t spent = 0;
        for (uint32_t b = 0; b < BURSTS / 4; b++) {
            for (uint32_t i = 0; i < BURST_MAX; i++)
                pkts[i] = (struct packet){.data = area + (size_t)(draw() % N) * STRIDE + 256, .len = f.len};
            uint64_t t0 = clock_mono_ns();
            decode_burst(pkts, BURST_MAX, &cfg, &ctr);
            spent += clock_mono_ns() - t0;
        }
        v[r] = (double)spent / (BURSTS / 4) / BURST_MAX;
    }
    printf("decode ns_per_packet=%.1f frame_bytes=%u checksums=%s\n", median(v), f.len,
           verify ? "on" : "off");
    free(area);
}

int main(void)
{
    bench_flow();
    bench_decode(0, true);
    bench_decode(1400, true);
    bench_decode(1400, false);
    return 0;
}
