/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a rule set costs: to load it, to hold it, to reload it, to ask it about a packet. One measurement a run, each in a
 * process of its own, so that memory is the measurement's; bench-rules runs them and makes the table.
 *
 *     bench_rules load CACHE|- FILE...     CPU and wall time of one load; memory held afterwards, and at its peak
 *     bench_rules reload FILE...           a second load beside the first, which is then freed
 *     bench_rules scan WHAT FILE...        WHAT is a folder of captures, or `synthetic`: full-size packets of four kinds
 *
 * scan reads everything into memory, then runs decode, flow and detection over it several times, from nothing each
 * time, and takes for each burst the shortest time that detection took: what else runs on the machine can only make
 * it longer. The result is one JSON object on standard output.
 */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "ips/base/clock.h"
#include "ips/detect/detect.h"
#include "ips/io/pcapio.h"
#include "rules/ruleset_layout.h"
#include "rules/sets.h"
#include "tests/bench/payload.h"
#include "tests/bench/wire.h"
#include "tests/unit/packets.h"

#define ROUNDS     9
#define SYNTHETIC  4000
#define FRAMES_MAX 400000
#define MAX_FLOWS  65536

static uint64_t cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* A line of /proc/self/status in kB: "VmRSS:", "VmHWM:". */
static long status_kb(const char *word)
{
    FILE *f = fopen("/proc/self/status", "re");
    char line[256];
    long kb = 0;

    if (!f)
        wire_die("cannot read /proc/self/status: %s", strerror(errno));
    while (fgets(line, sizeof(line), f))
        if (strncmp(line, word, strlen(word)) == 0)
            kb = strtol(line + strlen(word), NULL, 10);
    fclose(f);
    return kb;
}

static struct ruleset *load(const char *cache, char **files, int n)
{
    const struct ruleset_var vars[] = {{"HOME_NET", "[192.168.0.0/16,10.0.0.0/8,172.16.0.0/12]"},
                                       {"EXTERNAL_NET", "!$HOME_NET"}};
    struct ruleset_source src = {.files = (const char *const *)files,
                                 .n_files = (uint32_t)n,
                                 .vars = vars,
                                 .n_vars = 2,
                                 .cache_dir = cache,
                                 .n_workers = 1,
                                 .generation = 1};
    struct err_list errs;
    struct ruleset *rs;

    err_list_init(&errs);
    rs = ruleset_build(&src, &errs);
    if (!rs) {
        err_list_print(&errs, stderr);
        wire_die("the rules do not load");
    }
    err_list_fini(&errs);
    return rs;
}

/* One address against all rules that list addresses, half of the addresses from such a list; the best of rounds. */
static double address_ns(const struct ruleset *rs)
{
    enum { N = 1 << 16 };
    uint8_t(*addr)[16] = calloc(N, sizeof(*addr));
    uint64_t best = UINT64_MAX, sum = 0;

    if (!addr)
        wire_die("no memory for addresses");
    for (uint32_t i = 0; i < N; i++) {
        const struct addr_set *s = &rs->addr_sets[draw(rs->n_addr_sets)];
        uint32_t a = i % 2 && s->n4 > 0 ? s->v4[draw(s->n4)].lo : draw(UINT32_MAX >> 1) * 2 + draw(2);

        addr[i][10] = addr[i][11] = 0xff;
        store_be32(addr[i] + 12, a);
    }
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t began = wire_now_ns();

        for (uint32_t i = 0; i < N; i++)
            sum += iplist_lookup(&rs->ip_once, IPLIST_SRC, addr[i])->n;
        began = wire_now_ns() - began;
        best = began < best ? began : best;
    }
    free(addr);
    if (sum == 0)
        fputs("bench_rules: no rule lists an address\n", stderr);
    return (double)best / N;
}

static void bench_load(const char *cache, char **files, int n)
{
    long before_kb = status_kb("VmRSS:");
    uint64_t cpu = cpu_ns(), wall = wire_now_ns();
    struct ruleset *rs = load(strcmp(cache, "-") == 0 ? NULL : cache, files, n);
    const struct ruleset_stats *st = ruleset_stats(rs);

    cpu = cpu_ns() - cpu;
    wall = wire_now_ns() - wall;
    printf("{\"loaded\": %u, \"rejected\": %u, \"dormant\": %u, \"patterns\": %u, \"databases\": %u, "
           "\"cached\": %u, "
           "\"always\": %u, \"cpu_ms\": %.1f, \"wall_ms\": %.1f, \"rss_kb\": %ld, \"peak_kb\": %ld, "
           "\"own_kb\": %llu, "
           "\"address_ns\": %.1f}\n",
           st->n_loaded, st->n_rejected, st->n_dormant, st->n_patterns, st->n_databases, st->n_cached,
           st->n_no_prefilter, (double)cpu / 1e6, (double)wall / 1e6, status_kb("VmRSS:") - before_kb,
           status_kb("VmHWM:") - before_kb, (unsigned long long)st->memory_bytes / 1024, address_ns(rs));
    ruleset_free(rs);
}

static void bench_reload(char **files, int n)
{
    long before_kb = status_kb("VmRSS:"), one_kb, both_kb;
    struct ruleset *old = load(NULL, files, n), *new;

    one_kb = status_kb("VmRSS:") - before_kb;
    new = load(NULL, files, n);
    both_kb = status_kb("VmRSS:") - before_kb;
    ruleset_free(old);
    printf("{\"one_kb\": %ld, \"both_kb\": %ld, \"peak_kb\": %ld, \"after_kb\": %ld}\n", one_kb, both_kb,
           status_kb("VmHWM:") - before_kb, status_kb("VmRSS:") - before_kb);
    ruleset_free(new);
}

/* --- packets ---------------------------------------------------------------------------------------------------- */

struct stored {
    uint8_t *bytes;
    uint32_t len;
    uint8_t link;
};
static struct stored *stored;
static uint32_t n_stored;

static void store(const uint8_t *bytes, uint32_t len, uint8_t link)
{
    struct stored *s = &stored[n_stored];

    if (n_stored == FRAMES_MAX)
        return;
    *s = (struct stored){malloc(len + 1), len, link};
    if (!s->bytes)
        wire_die("no memory for the packets");
    memcpy(s->bytes, bytes, len);
    n_stored++;
}

static int on_file(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    static struct packet pkts[BURST_MAX];
    size_t len = strlen(path);
    struct port *p;
    struct err e;
    unsigned n;

    if (kind != FTW_F ||
        (len < 5 || (strcmp(path + len - 5, ".pcap") != 0 && strcmp(path + len - 5, "pcapng") != 0)))
        return 0;
    p = pcapio_open(path, NULL, &e);
    if (!p)
        return 0; /* some are broken on purpose */
    while ((n = port_rx_burst(p, pkts, BURST_MAX)) > 0) {
        struct packet *v[BURST_MAX];

        for (unsigned i = 0; i < n; i++) {
            store(pkts[i].data, pkts[i].len, pkts[i].link);
            v[i] = &pkts[i];
        }
        port_free_burst(p, v, n);
    }
    port_close(p);
    return 0;
}

static void make_synthetic(void)
{
    static uint8_t payload[PAYLOAD_LEN];
    struct frame f;

    for (uint32_t i = 0; i < SYNTHETIC + 3; i++) {
        bool server =
            i == 1 || (i > 2 && i % 8 != 7); /* seven packets come from the server for one that goes there */
        struct pkt k = {.src = server ? 2 : 1,
                        .dst = server ? 1 : 2,
                        .sport = server ? 80 : 40000,
                        .dport = server ? 40000 : 80,
                        .tcp_flags = i == 0   ? 2
                                     : i == 1 ? 18
                                              : 16};

        if (i > 2) {
            fill_payload(payload, server ? i % 3 : 3);
            k.payload = payload;
            k.payload_len = PAYLOAD_LEN;
        }
        frame_build(&f, &k);
        store(f.b, f.len, LINK_ETHERNET);
    }
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

/* One pass over all packets; best[i]: the shortest time of burst i so far. */
static void pass(const struct ruleset *rs, struct counters *c, uint64_t *best)
{
    struct flow_config fc = {.max_flows = MAX_FLOWS,
                             .tcp_new_s = 60,
                             .tcp_established_s = 600,
                             .tcp_closed_s = 10,
                             .udp_new_s = 30,
                             .udp_established_s = 300,
                             .icmp_s = 30,
                             .other_s = 30,
                             .max_vars = 65536,
                             .midstream = true};
    struct decode_config dc = {.verify_checksums = false};
    struct event_ring *ring = event_ring_new(1 << 20);
    static struct packet pkts[BURST_MAX];
    struct err e = {0};
    struct flow_table *flows = flow_table_new(&fc, &e);
    struct detect_config cfg = {.inline_mode = false, .flows = flows};
    struct detect *d = flows && ring ? detect_new(&cfg, 0, ring, c, &e) : NULL;

    if (!d)
        wire_die("no memory for the engine");
    memset(c, 0, sizeof(*c));
    for (uint32_t at = 0, burst = 0; at < n_stored; at += BURST_MAX, burst++) {
        uint32_t n = n_stored - at < BURST_MAX ? n_stored - at : BURST_MAX;
        uint64_t began;

        memset(pkts, 0, sizeof(pkts));
        for (uint32_t i = 0; i < n; i++) {
            const struct stored *s = &stored[at + i];

            pkts[i].data = s->bytes;
            pkts[i].len = pkts[i].orig_len = s->len;
            pkts[i].link = s->link;
            pkts[i].now_ns = pkts[i].ts_ns = NS_PER_S + (uint64_t)(at + i) * 1000;
        }
        decode_burst(pkts, n, &dc, c);
        flow_prefetch_burst(flows, pkts, n);
        for (uint32_t i = 0; i < n; i++) {
            flow_lookup(flows, &pkts[i], c);
            flow_account(flows, &pkts[i]);
        }
        began = wire_now_ns();
        for (uint32_t i = 0; i < n; i++)
            detect_packet(d, rs, &pkts[i]);
        began = wire_now_ns() - began;
        if (best[burst] == 0 || began < best[burst])
            best[burst] = began;
    }
    detect_free(d);
    flow_table_free(flows);
    event_ring_free(ring);
}

static void bench_scan(const char *what, char **files, int n)
{
    struct ruleset *rs = load(NULL, files, n);
    uint64_t *best = calloc(FRAMES_MAX / BURST_MAX + 1, sizeof(*best)), ns = 0;
    static struct counters c;
    double packets;

    stored = malloc(FRAMES_MAX * sizeof(*stored));
    if (!stored || !best)
        wire_die("no memory for the packets");
    if (strcmp(what, "synthetic") == 0)
        make_synthetic();
    else if (nftw(what, on_file, 16, FTW_PHYS) != 0 || n_stored == 0)
        wire_die("no captures below %s", what);
    for (int i = 0; i < ROUNDS; i++)
        pass(rs, &c, best);
    for (uint32_t i = 0; i <= FRAMES_MAX / BURST_MAX; i++)
        ns += best[i];
    packets = n_stored;
    printf("{\"packets\": %u, \"ns_per_packet\": %.0f, \"scan_bytes_per_packet\": %.0f, "
           "\"scans_per_packet\": %.2f, "
           "\"candidates_per_packet\": %.3f, \"false_per_packet\": %.3f, \"matches_per_packet\": %.3f}\n",
           n_stored, (double)ns / packets, (double)c.v[CTR_DETECT_SCAN_BYTES] / packets,
           (double)c.v[CTR_DETECT_SCANS] / packets, (double)c.v[CTR_DETECT_CANDIDATES] / packets,
           (double)c.v[CTR_DETECT_PREFILTER_FALSE] / packets, (double)c.v[CTR_DETECT_MATCHES] / packets);
    for (uint32_t i = 0; i < n_stored; i++)
        free(stored[i].bytes);
    free(stored);
    free(best);
    ruleset_free(rs);
}

int main(int argc, char **argv)
{
    if (argc > 3 && strcmp(argv[1], "load") == 0)
        bench_load(argv[2], argv + 3, argc - 3);
    else if (argc > 2 && strcmp(argv[1], "reload") == 0)
        bench_reload(argv + 2, argc - 2);
    else if (argc > 3 && strcmp(argv[1], "scan") == 0)
        bench_scan(argv[2], argv + 3, argc - 3);
    else
        wire_die("usage: bench_rules load CACHE|- FILE... | reload FILE... | scan FOLDER|synthetic FILE...");
    return 0;
}
