/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What it costs to parse DNS: app_begin(), app_parse() and app_end() of a datagram whose flow is known, without detection
 * and without events; recognising is measured apart. Time of a message, and the same for the worst that is accepted: as
 * many names as possible, each as long as possible, for the bytes that are sent.
 *
 *     bench_dns        one JSON object on standard output
 *
 * Each figure is the shortest of several rounds.
 */
#include <stdio.h>

#include "ips/app/dns.h"
#include "ips/base/clock.h"
#include "tests/unit/app_lab.h"

#define ROUNDS 200
#define TIMES  100

static double ns_each(uint16_t port, enum app_dir dir, struct span message, bool recognise)
{
    struct app_lab *l = lab_new(&(struct lab_setup){.udp = true, .dport = port});
    double best = 1e18;

    l->app->hooks.inspect = NULL;
    l->app->hooks.log = NULL;
    lab_send(l, APP_TO_SERVER, message.p, message.len); /* the flow's first packet is towards the server */
    uint8_t *copy = malloc(message.len + 64u);
    memcpy(copy + 64, message.p, message.len);
    lab_packet(l, dir, span_of(copy + 64, message.len), false);
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t t = clock_mono_ns();

        for (int i = 0; i < TIMES; i++) {
            if (recognise)
                l->app->slots[flow_index(l->flows, l->pkt.flow)] = (struct app_slot){0};
            app_begin(l->app, &l->pkt, &l->counters);
            app_parse(l->app, &l->pkt, &l->counters);
            app_end(l->app, &l->pkt);
        }
        double ns = (double)(clock_mono_ns() - t) / TIMES;
        best = ns < best ? ns : best;
    }
    free(copy);
    lab_free(l);
    return best;
}

static const uint8_t query[] = "\x12\x34\x01\x00\0\1\0\0\0\0\0\0\3www\6google\3com\0\0\1\0\1";
static const uint8_t answer[] =
    "\x12\x34\x81\x80\0\1\0\2\0\0\0\1\3www\7example\3com\0\0\1\0\1"
    "\xc0\x0c\0\5\0\1\0\0\0\x3c\0\6\3cdn\xc0\x10\xc0\x2d\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1"
    "\0\0\x29\4\xd0\0\0\0\0\0\0";

/* A name of 127 labels, and pointers into it as far as the datagram goes. */
static uint32_t worst(uint8_t *p, uint32_t max)
{
    uint32_t n = 12;

    memcpy(p, "\x12\x34\x01\x00\0\0\0\0\0\0\0\0", 12);
    for (int i = 0; i < 125; i++) {
        p[n++] = 1;
        p[n++] = 'x';
    }
    memcpy(p + n, "\0\0\1\0\1", 5);
    n += 5;
    uint16_t count = 1;
    for (; n + 6 <= max; n += 6, count++)
        memcpy(p + n, "\xc0\x0c\0\1\0\1", 6);
    store_be16(p + 4, count);
    return n;
}

int main(void)
{
    static uint8_t bad[1472];
    uint32_t bad_len = worst(bad, sizeof(bad));
    double q = ns_each(53, APP_TO_SERVER, span_of(query, sizeof(query) - 1), false);
    double a = ns_each(53, APP_TO_CLIENT, span_of(answer, sizeof(answer) - 1), false);
    double r = ns_each(53, APP_TO_SERVER, span_of(query, sizeof(query) - 1), true);
    double w = ns_each(53, APP_TO_SERVER, span_of(bad, bad_len), false);
    double ordinary = (q + a) / (double)(sizeof(query) - 1 + sizeof(answer) - 1);

    printf("{\"query_ns\": %.1f, \"answer_ns\": %.1f, \"recognise_ns\": %.1f, \"messages_per_s\": %.0f, "
           "\"worst_ns\": %.0f, \"worst_bytes\": %u, \"worst_to_ordinary_per_byte\": %.2f}\n",
           q, a, r, 2e9 / (q + a), w, bad_len, w / bad_len / ordinary);
    return 0;
}
