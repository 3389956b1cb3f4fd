/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a million idle connections cost in memory. A worker as the default configuration makes it, but for a flow.max of
 * a million: each connection has its handshake, sends 300 bytes each way, all of it acknowledged, and falls silent.
 * Then every one of them goes on, and must still be known as established, and inspected as a stream.
 *
 * Resident memory is what the process grew by, from before the worker was made. Printed with it is what was given up
 * to stay there: the last bytes of idle directions, without which a rule finds nothing that began before the pause.
 * One line on standard output; exit status 1 when a connection was lost.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ips/base/clock.h"
#include "ips/worker_setup.h"
#include "tests/bench/wire.h"
#include "tests/unit/packets.h"

#define N_FLOWS   1000000u
#define FLOW_MAX  "flow.max=1048576"
#define PAYLOAD   300
#define N_STEPS   6 /* and two after the pause */
#define REQUESTED "GET /"

static const struct step {
    uint8_t tcp_flags;
    bool back;
    uint32_t seq, ack, payload_len;
} steps[N_STEPS + 2] = {
    {0x02, false, 99, 0, 0},          {0x12, true, 499, 100, 0},       {0x10, false, 100, 500, 0},
    {0x18, false, 100, 500, PAYLOAD}, {0x18, true, 500, 400, PAYLOAD}, {0x10, false, 400, 800, 0},
    {0x18, false, 400, 800, PAYLOAD}, {0x10, true, 800, 700, 0},
};

static struct frame frames[N_STEPS + 2];
static struct packet shapes[N_STEPS + 2];

static uint64_t resident_bytes(void)
{
    char line[256];
    uint64_t kb = 0;
    FILE *f = fopen("/proc/self/status", "r");

    while (f && fgets(line, sizeof(line), f))
        if (memcmp(line, "VmRSS:", 6) == 0)
            kb = strtoull(line + 6, NULL, 10);
    if (f)
        fclose(f);
    return kb * 1024;
}

static void build_shapes(void)
{
    static uint8_t payload[PAYLOAD] = REQUESTED;

    for (unsigned i = 0; i < N_STEPS + 2; i++) {
        const struct step *s = &steps[i];
        struct pkt k = {.src = s->back ? 2 : 1,
                        .dst = s->back ? 1 : 2,
                        .sport = s->back ? 80 : 1024,
                        .dport = s->back ? 1024 : 80,
                        .tcp_flags = s->tcp_flags,
                        .seq = s->seq,
                        .ack = s->ack,
                        .payload = s->payload_len ? payload : NULL,
                        .payload_len = s->payload_len};
        shapes[i] = pkt_decoded(&frames[i], &k, 0);
        shapes[i].in_port = s->back;
    }
}

/* The step of connection i, through all that keeps state about it. */
static struct packet take(struct worker *w, unsigned step, uint32_t i, uint64_t now_ns)
{
    struct packet p = shapes[step];
    bool back = steps[step].back;

    p.now_ns = p.ts_ns = now_ns;
    store_be16((back ? p.dst.b : p.src.b) + 13, (uint16_t)(i >> 12));
    *(back ? &p.dport : &p.sport) = (uint16_t)(1024 + (i & 4095));
    flow_prefetch_burst(w->flows, &p, 1);
    flow_lookup(w->flows, &p, &w->counters);
    stream_begin(w->streams, &p, &w->counters);
    flow_account(w->flows, &p);
    stream_end(w->streams, &p, &w->counters);
    return p;
}

static struct worker *make_worker(void)
{
    const struct worker_place place = {.n_workers = 1, .cpu = -1, .inline_mode = true};
    struct err e = {0};
    struct config *cfg = config_new(&e);
    struct worker *w = NULL;

    if (cfg && config_set(cfg, FLOW_MAX, &e) == 0)
        w = worker_new(&place, cfg, &e);
    if (!w)
        wire_die("%s; %s", e.text, e.remedy);
    return w;
}

int main(void)
{
    uint64_t before, after, now_ns = NS_PER_S;
    uint32_t known = 0;

    build_shapes();
    before = resident_bytes();
    struct worker *w = make_worker();
    for (uint32_t i = 0; i < N_FLOWS; i++)
        for (unsigned s = 0; s < N_STEPS; s++)
            take(w, s, i, now_ns += 100);
    after = resident_bytes();
    uint64_t pool = stream_table_bytes(w->streams);
    uint64_t given = w->counters.v[CTR_STREAM_IDLE_GIVEN];
    uint32_t count = flow_table_count(w->flows);

    now_ns += 300 * NS_PER_S;
    for (uint32_t i = 0; i < N_FLOWS; i++) {
        struct packet p = take(w, N_STEPS, i, now_ns += 100);

        take(w, N_STEPS + 1, i, now_ns);
        known += p.verdict == VERDICT_FORWARD && (p.flags & PKT_ESTABLISHED) && (p.flags & PKT_STREAM) &&
                 !(p.flags & PKT_FLOW_NEW);
    }
    printf("idle_flows flows=%u resident_mb=%.0f bytes_per_flow=%.0f stream_pool_mb=%.0f "
           "directions_without_last_bytes=%llu of=%u known_afterwards=%u\n",
           count, (double)(after - before) / 1e6, (double)(after - before) / count, (double)pool / 1e6,
           (unsigned long long)given, 2 * count, known);
    return known == N_FLOWS ? 0 : 1;
}
