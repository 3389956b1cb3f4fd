/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * impair: a bad cable. Every frame that comes in on one interface leaves on the other, unless it is lost; some are sent
 * twice, some are held back so that later ones overtake them, some have a bit turned over. All of it is drawn from a
 * seed. With --cut N it is no worse than a sender that has little to say at a time: TCP segments leave as segments of N
 * bytes. It runs in a namespace between two others, and says at its end how many frames met which fate.
 *
 * One thread, two packet sockets, one heap of frames that wait for their time. SIGTERM ends it.
 */
#include <errno.h>
#include <getopt.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FRAME_MAX   2048
#define WAITING_MAX 8192 /* a frame that finds no place is lost, and counted so */
#define BURST       64

struct waiting {
    uint64_t due_ns, order; /* frames of one time leave in the order they came */
    uint16_t len;
    uint8_t to;
    uint8_t b[FRAME_MAX];
};

static struct {
    uint64_t seed, delay_us, reorder_us, cut;
    double loss, twice, reorder, corrupt; /* percent */
} opt = {.seed = 1, .delay_us = 0, .reorder_us = 1000};

static struct {
    unsigned long long in, out, lost, twice, reordered, corrupted, full, refused, cut;
} n;

static struct waiting *heap[WAITING_MAX], *spare[WAITING_MAX];
static unsigned n_heap, n_spare;
static uint64_t order;
static int port[2];
static volatile sig_atomic_t over;

static void on_signal(int signum)
{
    over = signum;
}

static _Noreturn void die(const char *what, const char *on)
{
    fprintf(stderr, "impair: %s %s: %s\n", what, on, strerror(errno));
    exit(2);
}

static uint64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint32_t draw(void) /* splitmix64 */
{
    uint64_t z = opt.seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ z >> 31) >> 16);
}

static bool chance(double percent)
{
    return draw() < percent / 100 * 4294967296.0;
}

static int open_port(const char *name)
{
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1, bytes = 32 << 20;
    struct sockaddr_ll a = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)if_nametoindex(name)};
    if (fd < 0 || !a.sll_ifindex || setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one) ||
        setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) ||
        setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) ||
        setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one) ||
        bind(fd, (struct sockaddr *)&a, sizeof a))
        die("no packet socket on", name);
    /* every frame, whoever it is for */
    struct packet_mreq all = {.mr_ifindex = a.sll_ifindex, .mr_type = PACKET_MR_PROMISC};
    if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all))
        die("promiscuous mode of", name);
    return fd;
}

/* --- frames that wait ----------------------------------------------------------------------------------------- */

static bool sooner(const struct waiting *a, const struct waiting *b)
{
    return a->due_ns < b->due_ns || (a->due_ns == b->due_ns && a->order < b->order);
}

static void swap(unsigned i, unsigned j)
{
    struct waiting *t = heap[i];
    heap[i] = heap[j];
    heap[j] = t;
}

static void hold(const uint8_t *b, size_t len, unsigned to, uint64_t due_ns)
{
    if (n_heap == WAITING_MAX) {
        n.full++;
        return;
    }
    struct waiting *w = n_spare ? spare[--n_spare] : malloc(sizeof *w);
    if (!w)
        die("no memory for", "a frame");
    w->due_ns = due_ns;
    w->order = order++;
    w->len = (uint16_t)len;
    w->to = (uint8_t)to;
    memcpy(w->b, b, len);
    heap[n_heap] = w;
    for (unsigned i = n_heap++; i > 0 && sooner(heap[i], heap[(i - 1) / 2]); i = (i - 1) / 2)
        swap(i, (i - 1) / 2);
}

static struct waiting *take(void)
{
    struct waiting *w = heap[0];
    heap[0] = heap[--n_heap];
    for (unsigned i = 0, least;; i = least) {
        least = i;
        for (unsigned c = 2 * i + 1; c <= 2 * i + 2 && c < n_heap; c++)
            least = sooner(heap[c], heap[least]) ? c : least;
        if (least == i)
            return w;
        swap(i, least);
    }
}

/* --- their fates ---------------------------------------------------------------------------------------------- */

static void leave(unsigned to, const uint8_t *b, size_t len)
{
    while (send(port[to], b, len, 0) < 0) {
        if (errno != ENOBUFS && errno != EAGAIN) {
            n.refused++;
            return;
        }
        struct pollfd p = {.fd = port[to], .events = POLLOUT};
        poll(&p, 1, 1);
    }
    n.out++;
}

static void decide(uint8_t *b, size_t len, unsigned to, uint64_t now)
{
    n.in++;
    if (chance(opt.loss)) {
        n.lost++;
        return;
    }
    uint64_t due = now + (opt.delay_us ? draw() % opt.delay_us : 0) * 1000;
    if (chance(opt.corrupt)) { /* behind the Ethernet header: its checksum, which a cable has, is not here */
        b[14 + draw() % (len - 14)] ^= (uint8_t)(1u << draw() % 8);
        n.corrupted++;
    }
    if (chance(opt.reorder)) {
        due += (1 + draw() % opt.reorder_us) * 1000;
        n.reordered++;
    }
    bool twice = chance(opt.twice);
    if (due == now)
        leave(to, b, len);
    else
        hold(b, len, to, due);
    if (twice) {
        n.twice++;
        hold(b, len, to, due + (draw() % 500) * 1000);
    }
}

/* --- cutting --------------------------------------------------------------------------------------------------- */

static uint16_t get16(const uint8_t *b)
{
    return (uint16_t)(b[0] << 8 | b[1]);
}

static void put16(uint8_t *b, uint32_t v)
{
    b[0] = (uint8_t)(v >> 8);
    b[1] = (uint8_t)v;
}

static uint32_t add(uint32_t sum, const uint8_t *b, size_t len)
{
    for (size_t i = 0; i + 1 < len; i += 2)
        sum += get16(b + i);
    return len & 1 ? sum + (uint32_t)(b[len - 1] << 8) : sum;
}

static uint16_t folded(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

/* Lengths and checksums of a piece: IP at ip, TCP at tcp, end at end. */
static void mend(uint8_t *ip, uint8_t *tcp, const uint8_t *end)
{
    size_t tcp_len = (size_t)(end - tcp), addresses = ip[0] >> 4 == 4 ? 8 : 32;
    const uint8_t *from = ip[0] >> 4 == 4 ? ip + 12 : ip + 8;

    if (ip[0] >> 4 == 4) {
        put16(ip + 2, (uint32_t)(end - ip));
        put16(ip + 10, 0);
        put16(ip + 10, folded(add(0, ip, (size_t)(tcp - ip))));
    } else {
        put16(ip + 4, (uint32_t)tcp_len);
    }
    put16(tcp + 16, 0);
    put16(tcp + 16, folded(add(add((uint32_t)tcp_len + 6, from, addresses), tcp, tcp_len)));
}

/* Where TCP begins in a frame with a whole segment; 0: it is something else. */
static size_t tcp_at(const uint8_t *b, size_t len)
{
    size_t ip_len = 0;

    if (len >= 54 && get16(b + 12) == 0x0800 && b[23] == 6 && !(get16(b + 20) & 0x3fff))
        ip_len = (b[14] & 15) * 4u;
    else if (len >= 74 && get16(b + 12) == 0x86dd && b[20] == 6)
        ip_len = 40;
    return ip_len && len >= 14 + ip_len + 20 ? 14 + ip_len : 0;
}

static void pass_on(uint8_t *b, size_t len, unsigned to, uint64_t now)
{
    static uint8_t piece[FRAME_MAX];
    size_t tcp = opt.cut ? tcp_at(b, len) : 0, head = tcp ? tcp + (b[tcp + 12] >> 4) * 4u : 0;
    size_t end = !tcp ? 0 : b[14] >> 4 == 4 ? 14u + get16(b + 16) : 54u + get16(b + 18);

    if (!tcp || end > len || end <= head + opt.cut) {
        decide(b, len, to, now);
        return;
    }
    uint32_t seq = (uint32_t)get16(b + tcp + 4) << 16 | get16(b + tcp + 6);
    n.cut++;
    for (size_t at = head; at < end; at += opt.cut) {
        size_t part = end - at < opt.cut ? end - at : opt.cut;

        memcpy(piece, b, head);
        memcpy(piece + head, b + at, part);
        put16(piece + tcp + 4, (seq + (uint32_t)(at - head)) >> 16);
        put16(piece + tcp + 6, seq + (uint32_t)(at - head));
        if (at + part < end)
            piece[tcp + 13] &= 0xf6; /* FIN and PSH are the last one's */
        mend(piece + 14, piece + tcp, piece + head + part);
        decide(piece, head + part, to, now);
    }
}

static unsigned receive(unsigned from)
{
    static uint8_t b[FRAME_MAX];
    unsigned i = 0;
    for (uint64_t now = clock_ns(); i < BURST; i++) {
        ssize_t len = recv(port[from], b, sizeof b, 0);
        if (len <= 14)
            break;
        pass_on(b, (size_t)len, !from, now);
    }
    return i;
}

static void run(void)
{
    while (!over) {
        uint64_t now = clock_ns();
        while (n_heap && heap[0]->due_ns <= now) {
            struct waiting *w = take();
            leave(w->to, w->b, w->len);
            spare[n_spare++] = w;
        }
        if (receive(0) + receive(1))
            continue;
        struct timespec t = {.tv_nsec = 5000000};
        if (n_heap)
            t.tv_nsec = heap[0]->due_ns > now ? (long)(heap[0]->due_ns - now) % 5000000 : 0;
        struct pollfd p[2] = {{.fd = port[0], .events = POLLIN}, {.fd = port[1], .events = POLLIN}};
        ppoll(p, 2, &t, NULL);
    }
}

int main(int argc, char **argv)
{
    static const struct option table[] = {
        {"seed", 1, NULL, 's'},       {"loss", 1, NULL, 'l'},    {"twice", 1, NULL, 't'},
        {"reorder", 1, NULL, 'r'},    {"corrupt", 1, NULL, 'c'}, {"delay-us", 1, NULL, 'd'},
        {"reorder-us", 1, NULL, 'o'}, {"cut", 1, NULL, 'n'},     {NULL, 0, NULL, 0}};
    int c;
    while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
        double *percent = c == 'l'   ? &opt.loss
                          : c == 't' ? &opt.twice
                          : c == 'r' ? &opt.reorder
                                     : &opt.corrupt;
        if (c == 's')
            opt.seed = strtoull(optarg, NULL, 0);
        else if (c == 'n')
            opt.cut = strtoull(optarg, NULL, 0);
        else if (c == 'd')
            opt.delay_us = strtoull(optarg, NULL, 0);
        else if (c == 'o')
            opt.reorder_us = strtoull(optarg, NULL, 0);
        else if (c == '?')
            optind = argc + 1;
        else
            *percent = strtod(optarg, NULL);
    }
    if (argc - optind != 2 || opt.reorder_us == 0) {
        fprintf(stderr,
                "usage: impair [--seed N] [--loss PERCENT] [--twice PERCENT] [--reorder PERCENT] "
                "[--reorder-us MOST]\n"
                "              [--corrupt PERCENT] [--delay-us MOST] [--cut BYTES] INTERFACE INTERFACE\n");
        return 2;
    }
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    for (int i = 0; i < 2; i++)
        port[i] = open_port(argv[optind + i]);
    printf("ready\n");
    fflush(stdout);
    run();
    printf("in %llu out %llu lost %llu twice %llu reordered %llu corrupted %llu full %llu refused %llu "
           "waiting %u cut %llu\n",
           n.in, n.out, n.lost, n.twice, n.reordered, n.corrupted, n.full, n.refused, n_heap, n.cut);
    return 0;
}
