/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Offers 64-byte UDP frames at one end of the lab and counts what leaves at the other.
 *
 *   search  finds the highest rate at which at least 99 % of what is offered arrives: doubles from a low rate until
 *           a probe fails, then halves the gap. A probe that fails is tried once more, so one hiccup of a shared
 *           machine does not decide.
 *   fixed   keeps one rate for a while, waits until the queues are empty, and says how much was sent and arrived.
 *   mixed   the same, and of 32 frames only so many come from the usual address; the others from random ones of
 *           100.64.0.0/12. Rate 0 is as fast as it goes
 *   syn     the same with SYNs to a port nobody listens on, each from another of 65,536 addresses and ports
 *
 * A probe of the search counts within a window that opens when the queues have settled and closes while the flood still runs:
 * frames that merely pile up in a queue have not arrived. Two threads: one sits in BPF_PROG_TEST_RUN and sends,
 * this one watches the clock and the counters. Prints one line of JSON.
 */
#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include "ips/base/clock.h"
#include "tests/bench/flood.skel.h"
#include "tests/bench/wire.h"

#define BURST        32 /* frames that leave together, as a NIC's interrupt would deliver them */
#define BATCH        64 /* frames per round of BPF_PROG_TEST_RUN, and pages that its pool keeps for reuse */
#define SETTLE_MS    100
#define RATE_MIN     50000u
#define RATE_MAX     6000000u
#define ARRIVE_PART  0.99
#define OFFERED_PART 0.95
#define RESOLUTION   1.02 /* the search ends when good and bad are this close */
#define DRAIN_MS     50

struct flood {
    struct flood_bpf *bpf;
    const char *client_ns, *server_ns, *server_if;
    pthread_t thread;
    bool stop;
};

struct probe {
    uint64_t n_offered, n_arrived, window_ns;
};

static void sleep_ms(uint64_t ms)
{
    struct timespec ts = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000 * NS_PER_MS)};

    while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
        ;
}

/* Frames that arrived, modulo 2^32: the far interface's own counter. We live in the server's namespace. */
static uint32_t read_arrived(const struct flood *f)
{
    struct ifaddrs *all, *i;
    uint32_t n = 0;
    bool found = false;

    if (getifaddrs(&all) < 0)
        wire_die("cannot read interface counters: %s", strerror(errno));
    for (i = all; i; i = i->ifa_next)
        if (i->ifa_addr && i->ifa_addr->sa_family == AF_PACKET && strcmp(i->ifa_name, f->server_if) == 0) {
            n = ((const struct rtnl_link_stats *)i->ifa_data)->rx_packets;
            found = true;
        }
    freeifaddrs(all);
    if (!found)
        wire_die("no interface %s in namespace %s", f->server_if, f->server_ns);
    return n;
}

static void wake(int sig) {}

static void *send_frames(void *arg)
{
    struct flood *f = arg;
    uint8_t frame[WIRE_FRAME_BYTES];
    DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame),
                        .repeat = 2000000000, .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = BATCH);

    wire_enter(f->client_ns); /* where the program's redirect finds its interface */
    if (f->bpf->bss->random_source)
        wire_syn(frame);
    else
        wire_frame(frame);
    while (!__atomic_load_n(&f->stop, __ATOMIC_ACQUIRE)) {
        int rc = bpf_prog_test_run_opts(bpf_program__fd(f->bpf->progs.flood), &opts);
        if (rc < 0 && rc != -EINTR)
            wire_die("BPF_PROG_TEST_RUN with live frames: %s; it needs Linux 5.18", strerror(-rc));
    }
    return NULL;
}

static void start(struct flood *f, uint64_t rate)
{
    f->bpf->bss->interval_ns = rate ? BURST * NS_PER_S / rate : 0;
    f->bpf->bss->burst = BURST;
    f->bpf->bss->n_left = 0;
    f->bpf->bss->due_ns = clock_mono_ns();
    f->stop = false;
    int rc = pthread_create(&f->thread, NULL, send_frames, f);
    if (rc)
        wire_die("cannot start the sending thread: %s", strerror(rc));
}

/* The signal may come just before the system call it should end: repeat it until the thread is gone. */
static void stop(struct flood *f)
{
    struct timespec until;

    __atomic_store_n(&f->stop, true, __ATOMIC_RELEASE);
    do {
        pthread_kill(f->thread, SIGUSR1);
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 2 * (long)NS_PER_MS;
        if (until.tv_nsec >= (long)NS_PER_S) {
            until.tv_sec++;
            until.tv_nsec -= (long)NS_PER_S;
        }
    } while (pthread_timedjoin_np(f->thread, NULL, &until) == ETIMEDOUT);
}

static struct probe probe(struct flood *f, uint64_t rate, uint64_t window_ms)
{
    struct probe p;

    start(f, rate);
    sleep_ms(SETTLE_MS);
    uint64_t t0 = clock_mono_ns(), sent = f->bpf->bss->n_sent;
    uint32_t arrived = read_arrived(f);
    sleep_ms(window_ms);
    p.n_offered = f->bpf->bss->n_sent - sent;
    p.n_arrived = (uint32_t)(read_arrived(f) - arrived);
    p.window_ns = clock_mono_ns() - t0;
    stop(f);
    sleep_ms(DRAIN_MS);
    return p;
}

static bool arrives(struct flood *f, uint64_t rate, uint64_t window_ms, struct probe *best)
{
    for (int attempt = 0; attempt < 2; attempt++) {
        struct probe p = probe(f, rate, window_ms);
        /* a rate that the generator could not nearly make was not shown to be carried */
        if ((double)p.n_offered >= OFFERED_PART * (double)rate * (double)p.window_ns / NS_PER_S &&
            (double)p.n_arrived >= ARRIVE_PART * (double)p.n_offered) {
            *best = p;
            return true;
        }
    }
    return false;
}

static void search(struct flood *f, uint64_t window_ms)
{
    uint64_t good = 0, bad = 0, rate = RATE_MIN * 2;
    struct probe best = {.window_ns = 1};

    while (bad == 0 || (double)bad > RESOLUTION * (double)good) {
        if (arrives(f, rate, window_ms, &best))
            good = rate;
        else
            bad = rate;
        if (good >= RATE_MAX || bad == 1)
            break;
        if (bad == 0)
            rate = good * 2;
        else if (good == 0)
            rate = bad / 2;
        else
            rate = (good + bad) / 2;
    }
    printf("{\"fps\": %.0f}\n", (double)best.n_arrived * NS_PER_S / (double)best.window_ns);
}

static void fixed(struct flood *f, uint64_t rate, uint64_t ms)
{
    uint32_t before = read_arrived(f);

    start(f, rate);
    sleep_ms(ms);
    stop(f);
    sleep_ms(DRAIN_MS);
    printf("{\"offered\": %llu, \"arrived\": %u}\n", (unsigned long long)f->bpf->bss->n_sent,
           read_arrived(f) - before);
}

int main(int argc, char **argv)
{
    struct flood f = {0};
    struct sigaction sa = {.sa_handler = wake};

    if (!(argc == 7 && strcmp(argv[1], "search") == 0) &&
        !(argc == 8 && (strcmp(argv[1], "fixed") == 0 || strcmp(argv[1], "syn") == 0)) &&
        !(argc == 9 && strcmp(argv[1], "mixed") == 0))
        wire_die("usage: bench_flood search CLIENT_NS IF SERVER_NS IF MS\n"
                 "       bench_flood fixed|syn CLIENT_NS IF SERVER_NS IF MS RATE\n"
                 "       bench_flood mixed CLIENT_NS IF SERVER_NS IF MS RATE GOOD_OF_32");
    wire_enter(argv[2]);
    f.bpf = flood_bpf__open_and_load();
    if (!f.bpf)
        wire_die("cannot load the generator's BPF program: %s; run as root", strerror(errno));
    f.bpf->bss->ifindex = if_nametoindex(argv[3]);
    if (!f.bpf->bss->ifindex)
        wire_die("no interface %s in namespace %s", argv[3], argv[2]);
    f.bpf->bss->random_source = strcmp(argv[1], "syn") == 0;
    if (argc == 9) {
        uint64_t good = wire_number(argv[8], "GOOD_OF_32");
        f.bpf->bss->n_bad = BURST - (uint32_t)(good < BURST ? good : BURST);
    }
    f.client_ns = argv[2];
    f.server_ns = argv[4];
    f.server_if = argv[5];
    sigaction(SIGUSR1, &sa, NULL);

    uint64_t window_ms = wire_number(argv[6], "MS");
    wire_enter(f.server_ns);
    if (argc == 7)
        search(&f, window_ms);
    else
        fixed(&f, wire_number(argv[7], "RATE"), window_ms);
    flood_bpf__destroy(f.bpf);
    return 0;
}
