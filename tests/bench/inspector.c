/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The engine as the bench's adapters call it: decode_burst, flow_lookup, detect_packet over one ruleset, with
 * ipsd's defaults, and no logger: events fill the ring and are then counted as lost, which costs a worker no less
 * than a ring that is drained. A reject rule drops here and is not answered.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ips/base/clock.h"
#include "ips/base/counters.h"
#include "ips/decode/decode.h"
#include "ips/detect/detect.h"
#include "ips/flow/flow.h"
#include "rules/ruleset.h"
#include "tests/bench/inspector.h"
#include "tests/bench/wire.h"

#define RING_BYTES    (1u << 20)
#define MAX_FLOWS     65536
#define EXPIRE_BUDGET 64

struct inspector {
    struct counters counters;
    bool null; /* decode nothing, forward all */
    struct decode_config decode;
    struct flow_table *flows;
    struct detect *detect;
    struct ruleset *rules;
    struct event_ring *ring;
    uint64_t n_seen, n_dropped;
};

static volatile sig_atomic_t stopped;

static void on_signal(int sig)
{
    stopped = 1;
}

static _Noreturn void die(const struct err *e)
{
    char text[1024];
    wire_die("%s", err_format(e, text, sizeof(text)));
}

static void load(struct inspector *in, const char *path)
{
    struct ruleset_source src = {
        .files = &path, .n_files = 1, .n_workers = 1, .generation = 1, .strict = true};
    struct err_list errs;

    err_list_init(&errs);
    in->rules = ruleset_build(&src, &errs);
    if (!in->rules) {
        err_list_print(&errs, stderr);
        wire_die("the rules in %s do not load", path);
    }
    err_list_fini(&errs);
}

static void equip(struct inspector *in, const char *rules)
{
    struct flow_config fc = {.max_flows = MAX_FLOWS,
                             .tcp_new_s = 60,
                             .tcp_established_s = 600,
                             .tcp_closed_s = 10,
                             .udp_new_s = 30,
                             .udp_established_s = 300,
                             .icmp_s = 30,
                             .other_s = 30};
    struct detect_config dc = {.inline_mode = true};
    struct err e = {0};

    load(in, rules);
    in->decode.verify_checksums = true;
    in->ring = event_ring_new(RING_BYTES);
    if (!in->ring)
        wire_die("no memory for the event ring");
    in->flows = flow_table_new(&fc, &e);
    if (!in->flows)
        die(&e);
    in->detect = detect_new(&dc, 0, in->ring, &in->counters, &e);
    if (!in->detect)
        die(&e);
}

struct inspector *inspector_start(int argc, char **argv, int n_args, const char *usage, char ***args)
{
    struct sigaction sa = {.sa_handler = on_signal}; /* no SA_RESTART: a sleeping adapter wakes up */
    const char *rules = NULL;
    struct inspector *in;

    if (argc > 2 && strcmp(argv[1], "--rules") == 0) {
        rules = argv[2];
        argc -= 2;
        argv += 2;
    }
    if (argc != 1 + n_args)
        wire_die("usage: %s [--rules FILE] %s", program_invocation_short_name, usage);
    *args = argv + 1;
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGINT, &sa, NULL);
    if (posix_memalign((void **)&in, 64, sizeof(*in)) != 0)
        wire_die("no memory");
    memset(in, 0, sizeof(*in));
    in->null = !rules;
    if (rules)
        equip(in, rules);
    return in;
}

void inspector_ready(void)
{
    puts("ready");
    fflush(stdout);
}

bool inspector_stopped(void)
{
    return stopped;
}

void inspector_burst(struct inspector *in, struct packet *pkts, unsigned n)
{
    in->n_seen += n;
    if (in->null) {
        for (unsigned i = 0; i < n; i++)
            pkts[i].verdict = VERDICT_FORWARD;
        return;
    }
    uint64_t now = clock_mono_ns(), real = clock_real_ns();
    for (unsigned i = 0; i < n; i++) {
        pkts[i].now_ns = now;
        pkts[i].ts_ns = real;
    }
    decode_burst(pkts, n, &in->decode, &in->counters);
    flow_prefetch_burst(in->flows, pkts, n);
    for (unsigned i = 0; i < n; i++) {
        flow_lookup(in->flows, &pkts[i], &in->counters);
        flow_account(in->flows, &pkts[i]);
        detect_packet(in->detect, in->rules, &pkts[i]);
        in->n_dropped += pkts[i].verdict == VERDICT_DROP;
    }
    flow_expire(in->flows, now, EXPIRE_BUDGET, &in->counters);
}

void inspector_end(struct inspector *in)
{
    fprintf(stderr,
            "%s: %" PRIu64 " frames, %" PRIu64 " dropped by rules, %" PRIu64 " alerts, %" PRIu64
            " scans, %" PRIu64 " candidates\n",
            program_invocation_short_name, in->n_seen, in->n_dropped, in->counters.v[CTR_DETECT_ALERTS],
            in->counters.v[CTR_DETECT_SCANS], in->counters.v[CTR_DETECT_CANDIDATES]);
    if (!in->null) {
        detect_free(in->detect);
        flow_table_free(in->flows);
        event_ring_free(in->ring);
        ruleset_free(in->rules);
    }
    free(in);
}
