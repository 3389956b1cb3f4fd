/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How long a small UDP datagram takes across the lab, one way, at a moderate rate. One thread owns the sockets of
 * both ends and plays both: send at one, wait at the other, and the same back; so both stamps come from one clock
 * and no second process has to be woken. Every datagram is numbered, and one that does not come back within
 * 100 ms counts as lost. Prints quantiles in microseconds as one line of JSON.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "ips/base/clock.h"
#include "tests/bench/wire.h"

#define PORT    7
#define WAIT_MS 100
#define WARM_UP 50 /* datagrams that are not counted */

static int open_end(const char *netns, const char *local, const char *peer)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(PORT)}, to = at;

    wire_enter(netns);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, local, &at.sin_addr);
    inet_pton(AF_INET, peer, &to.sin_addr);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
        connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        wire_die("cannot open a UDP socket at %s in %s: %s", local, netns, strerror(errno));
    return fd;
}

/* Nanoseconds from one end to the other, or 0 when the datagram did not come. */
static uint64_t cross(int from, int to, uint64_t number)
{
    uint64_t text[2] = {number, 0}, got[2], t0 = clock_mono_ns();
    struct pollfd p = {.fd = to, .events = POLLIN};

    if (send(from, text, sizeof(text), 0) != sizeof(text))
        wire_die("cannot send: %s", strerror(errno));
    while (poll(&p, 1, WAIT_MS) > 0)
        if (recv(to, got, sizeof(got), MSG_DONTWAIT) == sizeof(got) && got[0] == number)
            return clock_mono_ns() - t0;
    return 0;
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static double quantile_us(const uint64_t *sorted, size_t n, double q)
{
    size_t i = (size_t)(q * (double)n);
    return (double)sorted[i < n ? i : n - 1] / NS_PER_US;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        wire_die("usage: bench_ping CLIENT_NS SERVER_NS COUNT GAP_US");
    int end[2] = {open_end(argv[1], WIRE_CLIENT_IP, WIRE_SERVER_IP),
                  open_end(argv[2], WIRE_SERVER_IP, WIRE_CLIENT_IP)};
    uint64_t count = wire_number(argv[3], "COUNT"), gap_us = wire_number(argv[4], "GAP_US"), n = 0, lost = 0;
    struct timespec gap = {.tv_nsec = (long)(gap_us % 1000000 * NS_PER_US)};
    uint64_t *ns = calloc(count, sizeof(*ns));

    if (!ns || count == 0)
        wire_die("no memory for %llu samples", (unsigned long long)count);
    for (uint64_t i = 0; i < count + WARM_UP; i++) {
        uint64_t t = cross(end[i & 1], end[~i & 1], i);
        if (i >= WARM_UP && t)
            ns[n++] = t;
        else if (i >= WARM_UP)
            lost++;
        nanosleep(&gap, NULL);
    }
    if (n == 0)
        wire_die("nothing came through");
    qsort(ns, n, sizeof(*ns), by_size);
    printf("{\"p50\": %.2f, \"p99\": %.2f, \"p999\": %.2f, \"samples\": %llu, \"lost\": %llu}\n",
           quantile_us(ns, n, 0.5), quantile_us(ns, n, 0.99), quantile_us(ns, n, 0.999),
           (unsigned long long)n, (unsigned long long)lost);
    free(ns);
    return 0;
}
