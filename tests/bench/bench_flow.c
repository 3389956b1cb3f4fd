/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What decode and the flow table cost a packet: bursts of 64 over a million flows in random order, so that nearly every
 * lookup misses the caches, as it does on a busy link. One line on standard output per figure; medians of five.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ips/base/clock.h"
#include "ips/flow/flow.h"
#include "tests/bench/figures.h"
#include "tests/unit/packets.h"

#define ROUNDS  5
#define BURSTS  40000u
#define N_FLOWS (1u << 20)

static struct counters ctr;

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
            aim(&pkts[i], draw32() & (N_FLOWS - 1), *now_ns);
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
    printf("flow_lookup ns_per_packet=%.1f\n", median(v, ROUNDS));
    flow_table_free(t);
}

/* --- a SYN flood ------------------------------------------------------------------------------------------------- */

enum { N_KEPT = 10000, FLOOD_TABLE = 1 << 18 };

/* A TCP segment of connection i, or a SYN of a source drawn at random. */
static void aim_tcp(struct packet *p, uint32_t i, uint8_t flags, bool to_client, uint64_t now_ns)
{
    aim(p, i, now_ns);
    p->ip_proto = IPPROTO_TCP;
    p->dport = 80;
    p->tcp_flags = flags;
    p->tcp_seq = 1 + !(flags & 2);
    p->tcp_ack = flags & 0x10 ? 2 : 0;
    if (!to_client)
        return;
    struct addr a = p->src;
    p->src = p->dst;
    p->dst = a;
    p->dport = p->sport;
    p->sport = 80;
}

static void aim_flood(struct packet *p, uint64_t now_ns)
{
    uint32_t a = draw32(), b = draw32();

    aim_tcp(p, 0, 2, false, now_ns);
    memcpy(p->src.b + 12, &a, 4);
    p->sport = (uint16_t)b;
}

/* Nanoseconds for each packet of the kept connections; `flood` SYNs come with each of them. */
static double kept_traffic(struct flow_table *t, unsigned flood, uint64_t *now_ns)
{
    enum { PACKETS = 1 << 20 };
    static struct packet kept[BURST_MAX], syns[BURST_MAX];
    uint64_t spent = 0;

    for (uint32_t b = 0; b < PACKETS / BURST_MAX; b++) {
        *now_ns += 10000;
        for (unsigned i = 0; i < BURST_MAX; i++)
            aim_tcp(&kept[i], draw32() % N_KEPT, 0x10, false, *now_ns);
        uint64_t t0 = clock_mono_ns();
        flow_track(t, kept, BURST_MAX, &ctr);
        spent += clock_mono_ns() - t0;
        for (unsigned n = 0; n < flood; n++) {
            for (unsigned i = 0; i < BURST_MAX; i++)
                aim_flood(&syns[i], *now_ns);
            flow_track(t, syns, BURST_MAX, &ctr);
        }
        flow_expire(t, *now_ns, 64, &ctr);
    }
    return (double)spent / PACKETS;
}

/* What a flood of SYNs from random sources does to the flows of others, and what one of them costs. */
static void bench_syn_flood(void)
{
    const struct flow_config cfg = {
        .max_flows = FLOOD_TABLE, .tcp_new_s = 60, .tcp_established_s = 600, .tcp_closed_s = 60};
    static struct packet p;
    struct err e;
    struct flow_table *t = flow_table_new(&cfg, &e);
    uint64_t now_ns = NS_PER_S, t0, syns = 0;
    unsigned kept = 0;

    if (!t)
        exit(1);
    for (uint32_t i = 0; i < N_KEPT; i++) {
        static const uint8_t handshake[] = {2, 0x12, 0x10};
        for (unsigned step = 0; step < 3; step++) {
            aim_tcp(&p, i, handshake[step], step == 1, now_ns);
            flow_track(t, &p, 1, &ctr);
        }
    }
    double calm = kept_traffic(t, 0, &now_ns);
    double flooded = kept_traffic(t, 1, &now_ns);
    t0 = clock_mono_ns();
    for (; syns < 1 << 20; syns++) {
        aim_flood(&p, ++now_ns);
        flow_track(t, &p, 1, &ctr);
    }
    double each = (double)(clock_mono_ns() - t0) / (double)syns;
    for (uint32_t i = 0; i < N_KEPT; i++) {
        aim_tcp(&p, i, 0x10, false, now_ns);
        flow_track(t, &p, 1, &ctr);
        kept += !(p.flags & PKT_FLOW_NEW) && (p.flags & PKT_ESTABLISHED);
    }
    printf("syn_flood ns_per_packet_of_others=%.1f without=%.1f ns_per_syn=%.1f kept=%u of=%u flows=%u "
           "cap=%u\n",
           flooded, calm, each, kept, N_KEPT, flow_table_count(t), FLOOD_TABLE);
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
    const uint32_t n_bursts = BURSTS / 4;
    for (unsigned r = 0; r < ROUNDS; r++) {
        uint64_t spent = 0;
        for (uint32_t b = 0; b < n_bursts; b++) {
            for (uint32_t i = 0; i < BURST_MAX; i++)
                pkts[i] = (struct packet){.data = area + (size_t)(draw32() % N) * STRIDE + 256, .len = f.len};
            uint64_t t0 = clock_mono_ns();
            decode_burst(pkts, BURST_MAX, &cfg, &ctr);
            spent += clock_mono_ns() - t0;
        }
        v[r] = (double)spent / n_bursts / BURST_MAX;
    }
    printf("decode ns_per_packet=%.1f frame_bytes=%u checksums=%s\n", median(v, ROUNDS), f.len,
           verify ? "on" : "off");
    free(area);
}

int main(void)
{
    bench_flow();
    bench_syn_flood();
    bench_decode(0, true);
    bench_decode(1400, true);
    bench_decode(1400, false);
    return 0;
}
