/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evade: tries to get an attack past whatever stands between two network namespaces, in thousands of ways.
 *
 * It runs in the client's namespace and opens its receiver, ordinary listening sockets, in the server's. The receiver is
 * the server's kernel with all it does about TCP, UDP and fragments; the sender is this program: it writes frames on a
 * packet socket, in the name of addresses that the client's kernel does not own, so that nobody resets its connections.
 * Many variants (evade_plan.c) are on their way at a time, each with a source port of its own, by which the receiver's
 * connections are known. When a plan has come to its end, what was not acknowledged is sent again like TCP would.
 *
 * One thread. A stream is judged some time after its plan's end, by all that recv() ever gave for it:
 *   attack    did the receiving program get the attack? Each class is printed with how many did
 *   harmless  did it get exactly what was sent? Whatever did not is printed
 * A variant depends on --seed and its number alone, and --variant N -v plays and explains one.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "tests/net/evade.h"

#define FIRST_PORT   1024
#define MS           UINT64_C(1000000)
#define LINGER_NS    (400 * MS) /* between a plan's end and the judgement */
#define STREAMS_MAX  4          /* connections that one plan may open */
#define BURST_FRAMES 48         /* of one plan before the others have their turn */

struct stream {
    int fd;
    unsigned len;
    uint8_t *bytes;
};

struct slot {
    struct variant v;
    struct wire_state w;
    struct stream stream[STREAMS_MAX];
    unsigned n_streams, step, tries, syn_tries;
    uint64_t began_ns, wait_ns, rto_ns, done_ns;
    uint32_t acked; /* highest acknowledgement */
    bool synack, done, got_datagram, got_attack, mangled;
    struct slot *next;
};

struct class_sum {
    const char *name;
    unsigned n, hits, resent;
};

static struct {
    uint64_t seed;
    uint32_t first, count, in_flight;
    enum mode mode;
    const char *only, *server_ns, *dev;
    bool verbose;
    double patience;
    unsigned show;
} opt = {.seed = 1, .count = 1000, .in_flight = 96, .patience = 1, .show = 5, .dev = "wan0"};

static struct wire_addresses addresses;
static struct slot *by_port[65536];
static struct slot *active, *lingering, **lingering_end = &lingering;
static unsigned n_active, n_failed, n_class;
static struct class_sum class_sum[64];
static int packet_fd, epoll_fd;
static uint64_t now_ns, n_frames, n_refused;

static _Noreturn void die(const char *fmt, ...)
{
    int e = errno;
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "evade: ");
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, e ? ": %s\n" : "\n", strerror(e));
    exit(2);
}

static uint64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 * MS + (uint64_t)t.tv_nsec;
}

/* --- the receiver --------------------------------------------------------------------------------------------- */

enum { TAG_UDP = 1, TAG_LISTEN = 2, TAG_STREAM = 3 };

static void watch(int fd, uint64_t tag)
{
    struct epoll_event e = {.events = EPOLLIN, .data.u64 = tag << 56 | (uint32_t)fd};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e))
        die("epoll_ctl");
}

static void set(int fd, int level, int name, int value, const char *what)
{
    if (setsockopt(fd, level, name, &value, sizeof value))
        die("%s", what);
}

static int bound(int type, unsigned port)
{
    int fd = socket(AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("socket");
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    set(fd, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
    set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0, "IPV6_V6ONLY");
    if (bind(fd, (struct sockaddr *)&any, sizeof any))
        die("bind to port %u", port);
    return fd;
}

static void open_receiver(void)
{
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC),
        there = open(opt.server_ns, O_RDONLY | O_CLOEXEC);
    if (home < 0 || there < 0 || setns(there, CLONE_NEWNET))
        die("cannot enter the server's namespace %s", opt.server_ns);
    for (unsigned port = PORT_PLAIN; port <= PORT_FAST_OPEN; port++) {
        int fd = bound(SOCK_STREAM, port);
        set(fd, IPPROTO_IP, IP_MINTTL, MIN_TTL, "IP_MINTTL");
        set(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, MIN_TTL, "IPV6_MINHOPCOUNT");
        if (port == PORT_URGENT_INLINE)
            set(fd, SOL_SOCKET, SO_OOBINLINE, 1, "SO_OOBINLINE");
        if (port == PORT_FAST_OPEN)
            set(fd, IPPROTO_TCP, TCP_FASTOPEN, 4096, "TCP_FASTOPEN");
        if (listen(fd, 4096))
            die("listen");
        watch(fd, TAG_LISTEN);
    }
    int udp = bound(SOCK_DGRAM, PORT_PLAIN);
    set(udp, SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20, "SO_RCVBUFFORCE");
    watch(udp, TAG_UDP);
    if (setns(home, CLONE_NEWNET))
        die("cannot return from the server's namespace");
    close(home);
    close(there);
}

static void accept_all(int listener)
{
    for (;;) {
        struct sockaddr_in6 peer;
        socklen_t n = sizeof peer;
        int fd = accept4(listener, (struct sockaddr *)&peer, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        struct slot *s = by_port[ntohs(peer.sin6_port)];
        struct linger hard = {.l_onoff = 1};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        if (!s || s->n_streams == STREAMS_MAX) {
            close(fd);
            continue;
        }
        struct stream *st = &s->stream[s->n_streams++];
        *st = (struct stream){.fd = fd, .bytes = malloc(STREAM_MAX * 2)};
        if (!st->bytes)
            die("no memory");
        struct epoll_event e = {.events = EPOLLIN,
                                .data.u64 = (uint64_t)TAG_STREAM << 56 | (uint64_t)(s->n_streams - 1) << 32 |
                                            ntohs(peer.sin6_port)};
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e);
    }
}

static void stream_read(struct stream *st)
{
    while (st->fd >= 0 && st->len < STREAM_MAX * 2) {
        ssize_t n = recv(st->fd, st->bytes + st->len, STREAM_MAX * 2 - st->len, 0);
        if (n > 0) {
            st->len += (unsigned)n;
            continue;
        }
        if (n == 0 || errno != EAGAIN) /* its end, or a reset: nothing more will come */
            epoll_ctl(epoll_fd, EPOLL_CTL_DEL, st->fd, NULL);
        return;
    }
}

static bool holds_attack(const uint8_t *b, size_t n)
{
    return memmem(b, n, plan_attack[0], strlen(plan_attack[0])) ||
           memmem(b, n, plan_attack[1], strlen(plan_attack[1]));
}

static void datagrams_read(int fd)
{
    static uint8_t b[STREAM_MAX * 2];
    for (;;) {
        struct sockaddr_in6 peer;
        socklen_t n = sizeof peer;
        ssize_t len = recvfrom(fd, b, sizeof b, 0, (struct sockaddr *)&peer, &n);
        if (len < 0)
            return;
        struct slot *s = by_port[ntohs(peer.sin6_port)];
        if (!s)
            continue;
        s->got_datagram = true;
        s->got_attack |= holds_attack(b, (size_t)len);
        s->mangled |= (size_t)len != s->v.len || memcmp(b, s->v.real, (size_t)len) != 0;
    }
}

static void receiver_poll(int timeout_ms)
{
    struct epoll_event e[64];
    int n = epoll_wait(epoll_fd, e, 64, timeout_ms);
    for (int i = 0; i < n; i++) {
        uint32_t low = (uint32_t)e[i].data.u64;
        switch (e[i].data.u64 >> 56) {
        case TAG_LISTEN:
            accept_all((int)low);
            break;
        case TAG_UDP:
            datagrams_read((int)low);
            break;
        default:
            if (by_port[low])
                stream_read(&by_port[low]->stream[e[i].data.u64 >> 32 & 15]);
        }
    }
}

/* --- the sender ----------------------------------------------------------------------------------------------- */

static void send_frame(void *arg, const uint8_t *frame, size_t len)
{
    n_frames++;
    while (send(packet_fd, frame, len, 0) < 0) {
        if (errno != ENOBUFS && errno != EAGAIN) {
            n_refused++; /* longer than the MTU: a plan's combination that does not fit a cable */
            return;
        }
        sched_yield();
    }
}

static bool before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

static void send_step(struct slot *s, const struct step *st, uint32_t tick)
{
    struct step same;
    s->w.ts_now = s->v.ts_base + tick;
    if (s->w.ts_now == 0 && s->v.mode == MODE_HARMLESS)
        s->w.ts_now = 1; /* after a 0, Linux takes any timestamp */
    if (st->fault & RESTART) {
        s->v.isn += 1000000;
        s->synack = false;
    }
    if (st->old && s->v.mode == MODE_HARMLESS && before(s->acked, s->v.isn + 1 + (uint32_t)st->old)) {
        same = *st; /* its receiver would take the chaff, because something was lost: it gets the truth */
        same.chaff = false;
        same.chaff_to = 0;
        st = &same;
    }
    if (opt.verbose) {
        printf("%8.1f ms acked %d\n", (double)(clock_ns() - s->began_ns) / 1e6,
               (int32_t)(s->acked - s->v.isn - 1));
        plan_print_step(&s->v, st);
    }
    wire_step(&s->v, st, &addresses, &s->w, send_frame, s);
}

static void open_sender(void)
{
    packet_fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_ll a = {.sll_family = AF_PACKET,
                            .sll_protocol = htons(ETH_P_ALL),
                            .sll_ifindex = (int)if_nametoindex(opt.dev)};
    if (packet_fd < 0 || !a.sll_ifindex)
        die("no packet socket on %s", opt.dev);
    set(packet_fd, SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20, "SO_RCVBUFFORCE");
    set(packet_fd, SOL_SOCKET, SO_SNDBUFFORCE, 64 << 20, "SO_SNDBUFFORCE");
    set(packet_fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1, "PACKET_IGNORE_OUTGOING");
    if (bind(packet_fd, (struct sockaddr *)&a, sizeof a))
        die("bind to %s", opt.dev);
}

static void answers_read(void)
{
    static uint8_t f[4096];
    ssize_t n;
    struct wire_answer a;
    while ((n = recv(packet_fd, f, sizeof f, 0)) > 0) {
        if (!wire_parse(f, (size_t)n, &a) || !by_port[a.port])
            continue;
        struct slot *s = by_port[a.port];
        static uint8_t scale[65536];
        if (opt.verbose)
            printf("%8.1f ms   answer %s%s%s ack %d window %u\n", (double)(clock_ns() - s->began_ns) / 1e6,
                   a.flags & SYN ? "S" : "", a.flags & RST ? "R" : "", a.flags & ACK ? "A" : "",
                   (int32_t)(a.ack - s->v.isn - 1), a.window);
        if (a.flags & RST || !(a.flags & ACK))
            continue;
        if (a.flags & SYN && !s->synack && !before(a.ack, s->v.isn + 1)) {
            s->synack = true;
            s->w.server_next = a.seq + 1;
            s->acked = a.ack;
            s->w.edge = a.ack + a.window;
            scale[a.port] = a.has_scale ? a.window_scale : 0;
            s->v.timestamps &= a.has_ts;
        }
        if (a.has_ts)
            s->w.ts_echo = a.ts;
        if (!s->synack || before(a.ack, s->acked) || before(s->v.isn + 1 + s->v.len + 1000, a.ack))
            continue;
        s->acked = a.ack;
        uint32_t edge = a.ack + ((uint32_t)a.window << (a.flags & SYN ? 0 : scale[a.port]));
        if (before(s->w.edge, edge))
            s->w.edge = edge;
    }
}

static uint64_t patient(uint64_t ms)
{
    return (uint64_t)((double)(ms * MS) * opt.patience);
}

/* What was not acknowledged, like TCP would; nothing clever about it. */
static void resend(struct slot *s)
{
    struct variant *v = &s->v;
    struct step st = {.kind = SEND, .flags = ACK | PSH, .seed = s->tries};
    if (v->udp) {
        s->w.attempt++;
        if (v->no_excuse) {
            send_step(s, &v->step[v->n_steps - 1], 0);
            return;
        }
        st.len = (uint16_t)v->len;
        st.trick = v->len > 1300 ? FRAG_PLAIN : FRAG_NONE;
        send_step(s, &st, 0);
        return;
    }
    uint32_t from = s->acked - (v->isn + 1);
    unsigned most = s->tries % 3 == 0 ? 1 + s->v.number % 1400 : 1400;
    if (most < v->len / 32)
        most = v->len / 32;
    for (; from < v->len; from += st.len) {
        st.off = (int32_t)from;
        st.len = (uint16_t)(v->len - from < most ? v->len - from : most);
        send_step(s, &st, STEPS_MAX + s->tries);
    }
}

/* Goes on with the plan as far as it goes now; true when it is over. */
static bool slot_go_on(struct slot *s)
{
    struct variant *v = &s->v;
    uint64_t sent = n_frames;
    for (; s->step < v->n_steps; s->step++, s->wait_ns = 0) {
        const struct step *st = &v->step[s->step];
        if (!s->wait_ns)
            s->wait_ns = now_ns;
        if (st->kind == SEND) {
            if (n_frames - sent > BURST_FRAMES)
                return false;
            send_step(s, st, s->step);
        } else if (st->kind == WAIT_ACK) {
            if (before(s->acked, v->isn + 1 + (uint32_t)st->off) && now_ns - s->wait_ns < 15 * MS)
                return false;
        } else if (st->kind == WAIT_ACCEPT) {
            if (s->n_streams || s->syn_tries > 10)
                continue;
            if (now_ns - s->wait_ns > patient(100)) { /* lost on the way */
                s->syn_tries++;
                s->wait_ns = 0;
                send_step(s, &v->step[s->step - 1], s->step);
            }
            return false;
        } else if (!s->synack) {
            if (now_ns - s->wait_ns < patient(100))
                return false;
            if (++s->syn_tries > 10)
                return true;
            s->wait_ns = 0;
            send_step(s, &(struct step){.kind = SEND, .flags = SYN, .off = -1, .seed = s->syn_tries},
                      s->step);
            return false;
        }
    }
    bool over = v->udp ? s->got_datagram : !before(s->acked, v->isn + 1 + v->len);
    if (over)
        return true;
    if (!s->rto_ns) {
        s->rto_ns = patient(v->mode == MODE_ATTACK ? 25 : 40);
        s->wait_ns = now_ns;
    }
    if (now_ns - s->wait_ns < s->rto_ns)
        return false;
    if (s->tries >= (v->mode == MODE_ATTACK ? v->udp ? 1u : 3u : 12u))
        return true;
    s->tries++;
    s->wait_ns = now_ns;
    s->rto_ns = s->rto_ns < patient(300) ? s->rto_ns * 2 : s->rto_ns;
    if (!v->udp || v->mode == MODE_HARMLESS)
        resend(s);
    return false;
}

/* --- the judgement -------------------------------------------------------------------------------------------- */

static struct class_sum *sum_of(const char *name)
{
    unsigned i = 0;
    while (i < n_class && strcmp(class_sum[i].name, name) != 0)
        i++;
    if (i == n_class)
        class_sum[n_class++].name = name;
    return &class_sum[i];
}

static const char *harmless_fault(const struct slot *s)
{
    static char where[60];
    const struct variant *v = &s->v;
    if (v->udp)
        return s->mangled ? "mangled" : !s->got_datagram ? "lost" : NULL;
    if (!s->n_streams)
        return s->synack ? "not accepted" : "no answer to the SYN";
    const struct stream *st = &s->stream[s->n_streams - 1];
    unsigned n = st->len < v->len ? st->len : v->len, same = 0;
    while (same < n && st->bytes[same] == v->real[same])
        same++;
    if (same == v->len && st->len == same)
        return NULL;
    snprintf(where, sizeof where, "%s at %u", same < n || st->len > v->len ? "other bytes" : "cut off", same);
    return where;
}

static void slot_judge(struct slot *s)
{
    struct class_sum *c = sum_of(s->v.class_name);
    const char *fault = NULL;
    unsigned got = 0;
    c->n++;
    c->resent += s->tries > 0 || s->syn_tries > 0;
    for (unsigned i = 0; i < s->n_streams; i++) {
        stream_read(&s->stream[i]);
        got += s->stream[i].len;
        s->got_attack |= holds_attack(s->stream[i].bytes, s->stream[i].len);
    }
    if (s->v.mode == MODE_ATTACK)
        fault = s->got_attack ? "ARRIVED" : NULL;
    else
        fault = harmless_fault(s);
    c->hits += fault != NULL;
    if (fault && n_failed++ < opt.show) {
        printf("%s: --seed %llu --variant %u class %s, %u bytes received\n", fault,
               (unsigned long long)s->v.seed, s->v.number, s->v.class_name, got);
        if (opt.show < 1000)
            plan_print(&s->v);
    }
    for (unsigned i = 0; i < s->n_streams; i++) {
        close(s->stream[i].fd);
        free(s->stream[i].bytes);
    }
    by_port[s->w.sport] = NULL;
    free(s);
}

static void judge_lingering(bool all)
{
    while (lingering && (all || now_ns - lingering->done_ns > (uint64_t)((double)LINGER_NS * opt.patience))) {
        struct slot *s = lingering;
        lingering = s->next;
        if (!lingering)
            lingering_end = &lingering;
        slot_judge(s);
    }
}

static void slot_start(uint32_t number, uint32_t i)
{
    struct slot *s = calloc(1, sizeof *s);
    if (!s)
        die("no memory");
    if (!plan_make(&s->v, opt.seed, number, opt.mode, opt.only))
        die("no class is called %s", opt.only);
    s->w.sport = (uint16_t)(FIRST_PORT + i);
    s->acked = s->v.isn + 1;
    s->began_ns = now_ns;
    by_port[s->w.sport] = s;
    if (opt.verbose)
        plan_print(&s->v);
    s->next = active;
    active = s;
    n_active++;
}

static void play(void)
{
    uint32_t started = 0;
    while (started < opt.count || active || lingering) {
        now_ns = clock_ns();
        while (started < opt.count && n_active < opt.in_flight) {
            slot_start(opt.first + started, started);
            started++;
        }
        for (struct slot **at = &active; *at;) {
            struct slot *s = *at;
            answers_read();
            if (!slot_go_on(s)) {
                at = &s->next;
                continue;
            }
            *at = s->next;
            s->next = NULL;
            s->done_ns = now_ns;
            *lingering_end = s;
            lingering_end = &s->next;
            n_active--;
        }
        answers_read();
        receiver_poll(1);
        judge_lingering(false);
    }
}

static void report(uint64_t took_ns)
{
    struct class_sum all = {.name = "all"};
    for (unsigned i = 0; i < n_class; i++) {
        const struct class_sum *c = &class_sum[i];
        printf("class %-10s %6u variants %6u %s %6u resent\n", c->name, c->n, c->hits,
               opt.mode == MODE_ATTACK ? "arrived" : "wrong", c->resent);
        all.n += c->n, all.hits += c->hits, all.resent += c->resent;
    }
    printf("total %-10s %6u variants %6u %s %6u resent, %llu frames, %llu refused, %.1f s\n", all.name, all.n,
           all.hits, opt.mode == MODE_ATTACK ? "arrived" : "wrong", all.resent, (unsigned long long)n_frames,
           (unsigned long long)n_refused, (double)took_ns / 1e9);
}

static void parse_mac(const char *text, uint8_t mac[6])
{
    if (sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", mac, mac + 1, mac + 2, mac + 3, mac + 4, mac + 5) != 6)
        die("%s is no MAC address", text);
}

static void parse_address(const char *text, int family, void *to)
{
    errno = 0;
    if (inet_pton(family, text, to) != 1)
        die("%s is no IPv%c address", text, family == AF_INET ? '4' : '6');
}

static const char usage[] = "usage: evade --server-ns PATH --from MAC,IPV4,IPV6 --to MAC,IPV4,IPV6 [--dev "
                            "wan0] [--mode attack|harmless]\n"
                            "             [--seed N] [--first N] [--count N] [--class NAME] [--variant N] "
                            "[--in-flight N] [--patience X] [--show N] [--decoys] [-v]\n"
                            "Run it in the client's namespace; PATH is the server's (/run/netns/NAME). The "
                            "server needs the client's addresses,\n"
                            "which must not be the client kernel's own, as permanent neighbours.\n";

static void parse_end(char *text, uint8_t mac[6], void *v4, void *v6)
{
    char *save, *m = strtok_r(text, ",", &save), *a = strtok_r(NULL, ",", &save),
                *b = strtok_r(NULL, ",", &save);
    if (!b)
        die("%s", usage);
    parse_mac(m, mac);
    parse_address(a, AF_INET, v4);
    parse_address(b, AF_INET6, v6);
}

static void parse_arguments(int argc, char **argv)
{
    enum {
        SEED = 256,
        FIRST,
        COUNT,
        CLASS,
        VARIANT,
        MODE,
        SERVER_NS,
        FROM,
        TO,
        DEV,
        FLIGHT,
        PATIENCE,
        SHOW,
        DECOYS
    };
    static const struct option table[] = {{"seed", 1, NULL, SEED},
                                          {"first", 1, NULL, FIRST},
                                          {"count", 1, NULL, COUNT},
                                          {"class", 1, NULL, CLASS},
                                          {"variant", 1, NULL, VARIANT},
                                          {"mode", 1, NULL, MODE},
                                          {"server-ns", 1, NULL, SERVER_NS},
                                          {"from", 1, NULL, FROM},
                                          {"to", 1, NULL, TO},
                                          {"dev", 1, NULL, DEV},
                                          {"in-flight", 1, NULL, FLIGHT},
                                          {"patience", 1, NULL, PATIENCE},
                                          {"show", 1, NULL, SHOW},
                                          {"decoys", 0, NULL, DECOYS},
                                          {NULL, 0, NULL, 0}};
    int c;
    while ((c = getopt_long(argc, argv, "v", table, NULL)) != -1) {
        switch (c) {
        case SEED:
            opt.seed = strtoull(optarg, NULL, 0);
            break;
        case FIRST:
            opt.first = (uint32_t)strtoul(optarg, NULL, 0);
            break;
        case COUNT:
            opt.count = (uint32_t)strtoul(optarg, NULL, 0);
            break;
        case VARIANT:
            opt.first = (uint32_t)strtoul(optarg, NULL, 0), opt.count = 1;
            break;
        case CLASS:
            opt.only = optarg;
            break;
        case MODE:
            opt.mode = strcmp(optarg, "harmless") == 0 ? MODE_HARMLESS : MODE_ATTACK;
            break;
        case SERVER_NS:
            opt.server_ns = optarg;
            break;
        case FROM:
            parse_end(optarg, addresses.client_mac, addresses.client4, addresses.client6);
            break;
        case TO:
            parse_end(optarg, addresses.server_mac, addresses.server4, addresses.server6);
            break;
        case DEV:
            opt.dev = optarg;
            break;
        case FLIGHT:
            opt.in_flight = (uint32_t)strtoul(optarg, NULL, 0);
            break;
        case PATIENCE:
            opt.patience = strtod(optarg, NULL);
            break;
        case SHOW:
            opt.show = (unsigned)strtoul(optarg, NULL, 0);
            break;
        case DECOYS:
            plan_decoys = true;
            break;
        case 'v':
            opt.verbose = true;
            break;
        default:
            die("%s", usage);
        }
    }
    if (!opt.server_ns || !addresses.client4[0] || !addresses.server4[0] || opt.count > 65535 - FIRST_PORT)
        die("%s", usage);
}

int main(int argc, char **argv)
{
    parse_arguments(argc, argv);
    struct rlimit files = {65536, 65536};
    setrlimit(RLIMIT_NOFILE, &files);
    setvbuf(stdout, NULL, _IOLBF, 0);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    open_receiver();
    open_sender();
    uint64_t began = clock_ns();
    play();
    report(clock_ns() - began);
    return 0;
}
