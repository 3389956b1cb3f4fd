/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * numbers: numbered UDP datagrams at a constant rate from one namespace to another, each written down when it is sent and
 * when it arrives. That is how it is known what a fault of the box between them cost: which numbers are missing, when
 * they were sent, and how long nothing arrived. Every so many numbers there is one that a drop rule must stop (its
 * payload says "numbers-evil"): it shows whether anybody looked.
 *
 * Two threads, each in its namespace. The sender makes whole frames (a packet socket asks no neighbour and no route, so
 * the sender goes on while interfaces go and come), in small bursts at absolute times; when it could not run for long, it
 * shifts its schedule instead of making up for it with a flood. The receiver is a plain UDP socket that is emptied every
 * millisecond; what counts as arrival is the kernel's own receive time stamp. Both have a real-time priority where they
 * may, because their delays would look like the box's.
 *
 * Says "ready" when both run. SIGTERM, or --seconds, ends the sender; when the wire is empty one line of JSON follows.
 */
#include "tests/faults/numbers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000ull
#define SHIFT_NS \
    20000000ull          /* a sender that is later than this gives up what it should have sent meanwhile */
#define EMPTY_POLLS  300 /* of a millisecond each: then nothing is under way any more */
#define BURST_MAX    64
#define BYTES_MIN    60
#define BYTES_MAX    1514
#define PORT         7000
#define GOOD_SPORT   20000 /* and up, one for each standing flow */
#define EVIL_SPORT   19999
#define NEW_SPORT    32768 /* and up, for flows of one datagram */
#define NEW_SPORTS   28000
#define ANSWER_EVERY 128 /* numbers of a flow */
#define BUFFER_BYTES (64 << 20)

static const uint8_t client_mac[6] = {2, 0, 0, 9, 0, 1},
                     server_mac[6] = {2, 0, 0, 9, 0, 2}; /* tests/net/lab.py */

struct payload {
    char word[16]; /* "numbers-good", "numbers-evil" */
    uint64_t number;
} __attribute__((packed));

struct datagram {
    struct ether_header eth;
    struct iphdr ip;
    struct udphdr udp;
    struct payload payload;
    uint8_t rest[BYTES_MAX - sizeof(struct ether_header) - sizeof(struct iphdr) - sizeof(struct udphdr) -
                 sizeof(struct payload)];
} __attribute__((packed));

static struct {
    const char *client_ns, *ifname, *server_ns;
    uint32_t rate, burst, bytes, seconds;
} opt = {.rate = 20000, .burst = 10, .bytes = 200, .seconds = 60};

static struct record record = {.evil_every = 100, .flows = 64, .slot_us = 100000};
static int64_t mono_minus_real_ns;
static uint32_t highest[FLOWS_MAX]; /* number + 1, the receiver's */
static volatile sig_atomic_t over;
static bool sender_ended;

static void on_signal(int signum)
{
    over = signum;
}

static _Noreturn void die(const char *what, const char *on)
{
    fprintf(stderr, "numbers: %s %s: %s\n", what, on, strerror(errno));
    exit(2);
}

static uint64_t clock_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static uint32_t since_start_us(uint64_t mono_ns)
{
    return mono_ns > record.start_ns ? (uint32_t)((mono_ns - record.start_ns) / 1000) + 1 : 1;
}

static void enter(const char *ns)
{
    char path[256];

    snprintf(path, sizeof(path), "/run/netns/%s", ns);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET))
        die("cannot enter namespace", ns);
    close(fd);
}

/* Before ordinary programs where the machine lets us; where it does not, our own delays are in the report (stall_us). */
static void go_first(void)
{
    struct sched_param p = {.sched_priority = 10};

    pthread_setschedparam(pthread_self(), SCHED_FIFO, &p);
    prctl(PR_SET_TIMERSLACK, 1);
}

/* --- sending ---------------------------------------------------------------------------------------------------- */

static int open_cable(void)
{
    struct sockaddr_ll a = {.sll_family = AF_PACKET};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), one = 1, bytes = BUFFER_BYTES;

    a.sll_ifindex = (int)if_nametoindex(opt.ifname);
    if (fd < 0 || !a.sll_ifindex || setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) ||
        setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)) ||
        bind(fd, (struct sockaddr *)&a, sizeof(a)))
        die("no packet socket on", opt.ifname);
    return fd;
}

static void datagram_init(struct datagram *d)
{
    memcpy(d->eth.ether_dhost, server_mac, 6);
    memcpy(d->eth.ether_shost, client_mac, 6);
    d->eth.ether_type = htons(ETHERTYPE_IP);
    d->ip = (struct iphdr){.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP};
    d->ip.tot_len = htons((uint16_t)(opt.bytes - sizeof(d->eth)));
    d->ip.frag_off = htons(IP_DF);
    inet_pton(AF_INET, "10.9.0.1", &d->ip.saddr);
    inet_pton(AF_INET, "10.9.0.2", &d->ip.daddr);
    d->udp.dest = htons(PORT);
    d->udp.len = htons((uint16_t)(opt.bytes - sizeof(d->eth) - sizeof(d->ip)));
    memset(d->rest, '.', sizeof(d->rest));
}

static uint16_t source_port(uint64_t number, enum kind kind)
{
    if (kind == KIND_GOOD)
        return (uint16_t)(GOOD_SPORT + number % record.flows);
    if (kind == KIND_EVIL)
        return EVIL_SPORT;
    return (uint16_t)(NEW_SPORT + number / (record.evil_every / 2) % NEW_SPORTS);
}

/* The UDP checksum stays 0, which says that there is none (RFC 768). */
static void number_it(struct datagram *d, uint64_t number)
{
    enum kind kind = record_kind(&record, number);
    const uint8_t *b = (const uint8_t *)&d->ip;
    uint32_t sum = 0;

    memset(d->payload.word, 0, sizeof(d->payload.word));
    strcpy(d->payload.word, kind == KIND_EVIL || kind == KIND_EVIL_NEW ? "numbers-evil" : "numbers-good");
    d->payload.number = number;
    d->udp.source = htons(source_port(number, kind));
    d->ip.id = htons((uint16_t)number);
    d->ip.check = 0;
    for (unsigned i = 0; i < sizeof(d->ip); i += 2)
        sum += (uint32_t)(b[i] << 8 | b[i + 1]);
    sum = (sum >> 16) + (sum & 0xffff);
    d->ip.check = htons((uint16_t) ~(sum + (sum >> 16)));
}

/* Frames that the kernel did not take: the interface is down or gone (the cable is not there), or had no room. */
static void send_burst(int fd, struct mmsghdr *messages, unsigned n)
{
    unsigned done = 0;

    while (done < n) {
        int rc = sendmmsg(fd, messages + done, n - done, 0);
        if (rc > 0) {
            done += (unsigned)rc;
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno == ENETDOWN || errno == ENXIO || errno == ENODEV) {
            record.sent_us[record.n + done] = 0;
            record.not_sent++;
        } else if (errno == ENOBUFS || errno == EAGAIN) {
            record.refused++; /* remains a number that was sent and is lost */
        } else {
            die("cannot send on", opt.ifname);
        }
        done++;
    }
}

/* What answers are sent to: they are not read, but nobody says that the port is closed. */
static void open_ends(void)
{
    for (uint32_t i = 0; i < record.flows; i++) {
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(GOOD_SPORT + i))};
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)))
            die("no UDP socket in", opt.client_ns);
    }
}

static void *send_numbers(void *arg)
{
    static struct datagram frames[BURST_MAX];
    struct mmsghdr messages[BURST_MAX] = {0};
    struct iovec parts[BURST_MAX];
    uint64_t interval_ns = NS_PER_S * opt.burst / opt.rate, due_ns;

    enter(opt.client_ns);
    go_first();
    int fd = open_cable();
    open_ends();
    for (unsigned i = 0; i < opt.burst; i++) {
        datagram_init(&frames[i]);
        parts[i] = (struct iovec){&frames[i], opt.bytes};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
    }
    due_ns = clock_ns(CLOCK_MONOTONIC);
    for (; !over && record.n + opt.burst <= record.most; due_ns += interval_ns) {
        struct timespec t = {.tv_sec = (time_t)(due_ns / NS_PER_S), .tv_nsec = (long)(due_ns % NS_PER_S)};

        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
        uint64_t now = clock_ns(CLOCK_MONOTONIC), late = now > due_ns ? now - due_ns : 0;
        if (late / 1000 > record.stall_us)
            record.stall_us = (uint32_t)(late / 1000);
        if (late > SHIFT_NS)
            due_ns = now;
        for (unsigned i = 0; i < opt.burst; i++) {
            number_it(&frames[i], record.n + i);
            record.sent_us[record.n + i] = since_start_us(now);
        }
        send_burst(fd, messages, opt.burst);
        record.n += opt.burst;
    }
    close(fd);
    __atomic_store_n(&sender_ended, true, __ATOMIC_RELEASE);
    return arg;
}

/* --- receiving -------------------------------------------------------------------------------------------------- */

static int open_receiver(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1, bytes = BUFFER_BYTES;

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) ||
        setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one)) ||
        bind(fd, (struct sockaddr *)&a, sizeof(a)))
        die("no UDP socket in", opt.server_ns);
    return fd;
}

static uint32_t arrival_us(struct msghdr *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPNS) {
            struct timespec t;
            memcpy(&t, CMSG_DATA(c), sizeof(t));
            return since_start_us(
                (uint64_t)((int64_t)t.tv_sec * (int64_t)NS_PER_S + t.tv_nsec + mono_minus_real_ns));
        }
    return since_start_us(clock_ns(CLOCK_MONOTONIC));
}

static void note_gap(uint32_t from_us, uint32_t to_us)
{
    struct gap g = {from_us, to_us > from_us ? to_us - from_us : 0};

    if (g.us > record.longest.us)
        record.longest = g;
    if (g.us >= GAP_LISTED_US && record.n_gaps++ < GAPS_MAX)
        record.gaps[record.n_gaps - 1] = g;
}

static void note_arrival(const struct payload *p, uint32_t us)
{
    static uint32_t last_us;

    if (p->number >= record.most || memcmp(p->word, "numbers-", 8)) {
        record.strange++;
        return;
    }
    if (record.arrived_us[p->number]) {
        record.duplicated++;
        return;
    }
    record.arrived_us[p->number] = us;
    if (record_kind(&record, p->number) != KIND_GOOD)
        return;
    uint32_t *high = &highest[p->number % record.flows];
    if (p->number + 1 < *high)
        record.reordered++;
    else
        *high = (uint32_t)p->number + 1;
    if (last_us)
        note_gap(last_us, us);
    last_us = us > last_us ? us : last_us;
}

/* Now and then an answer, so that the standing flows are conversations, which an engine may call known. */
static void answer(int fd, uint64_t number)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)(GOOD_SPORT + number % record.flows))};

    if (number / record.flows % ANSWER_EVERY || record_kind(&record, number) != KIND_GOOD)
        return;
    inet_pton(AF_INET, "10.9.0.1", &a.sin_addr);
    (void)!sendto(fd, "answer", 6, 0, (struct sockaddr *)&a, sizeof(a)); /* the cable may be out */
}

static void *receive_numbers(void *arg)
{
    static struct payload payloads[BURST_MAX];
    static char control[BURST_MAX][64];
    struct mmsghdr messages[BURST_MAX] = {0};
    struct iovec parts[BURST_MAX];
    int fd = *(int *)arg, empty = 0;

    go_first();
    while (!__atomic_load_n(&sender_ended, __ATOMIC_ACQUIRE) || empty < EMPTY_POLLS) {
        for (unsigned i = 0; i < BURST_MAX; i++) {
            parts[i] = (struct iovec){&payloads[i], sizeof(payloads[i])};
            messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i],
                                                  .msg_iovlen = 1,
                                                  .msg_control = control[i],
                                                  .msg_controllen = sizeof(control[i])};
        }
        int n = recvmmsg(fd, messages, BURST_MAX, MSG_DONTWAIT, NULL);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            die("cannot receive in", opt.server_ns);
        for (int i = 0; i < n; i++)
            note_arrival(&payloads[i], arrival_us(&messages[i].msg_hdr)), answer(fd, payloads[i].number);
        empty = n > 0 ? 0 : empty + 1;
        if (n < BURST_MAX)
            usleep(1000);
    }
    close(fd);
    return NULL;
}

static void parse(int argc, char **argv)
{
    static const struct option table[] = {{"rate", 1, NULL, 'r'},    {"burst", 1, NULL, 'b'},
                                          {"bytes", 1, NULL, 'l'},   {"flows", 1, NULL, 'f'},
                                          {"seconds", 1, NULL, 's'}, {"evil-every", 1, NULL, 'e'},
                                          {"slot-ms", 1, NULL, 'm'}, {NULL, 0, NULL, 0}};
    int c;

    while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
        uint32_t *value = c == 'r'   ? &opt.rate
                          : c == 'b' ? &opt.burst
                          : c == 'l' ? &opt.bytes
                          : c == 'f' ? &record.flows
                          : c == 's' ? &opt.seconds
                          : c == 'm' ? &record.slot_us
                                     : &record.evil_every;
        *value = c == '?' ? 0 : (uint32_t)strtoul(optarg, NULL, 10) * (c == 'm' ? 1000 : 1);
    }
    if (argc - optind != 3 || !opt.rate || !opt.burst || opt.burst > BURST_MAX || opt.bytes < BYTES_MIN + 8 ||
        opt.bytes > BYTES_MAX || !opt.seconds || !record.flows || record.flows > FLOWS_MAX ||
        record.evil_every < 4 || !record.slot_us) {
        fprintf(stderr,
                "usage: numbers [--rate FRAMES_PER_S] [--burst N] [--bytes N] [--flows N] [--evil-every N]\n"
                "               [--seconds MOST] [--slot-ms N] CLIENT_NS INTERFACE SERVER_NS\n");
        exit(2);
    }
    opt.client_ns = argv[optind];
    opt.ifname = argv[optind + 1];
    opt.server_ns = argv[optind + 2];
}

static uint32_t *times(void)
{
    void *at = mmap(NULL, record.most * sizeof(uint32_t), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        die("no memory for", "the times");
    return at;
}

int main(int argc, char **argv)
{
    struct sigaction sa = {.sa_handler = on_signal};
    pthread_t sender, receiver;

    parse(argc, argv);
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGINT, &sa, NULL);
    record.most = (uint64_t)opt.rate * opt.seconds;
    record.sent_us = times();
    record.arrived_us = times();
    record.start_ns = clock_ns(CLOCK_MONOTONIC);
    mono_minus_real_ns = (int64_t)record.start_ns - (int64_t)clock_ns(CLOCK_REALTIME);
    enter(opt.server_ns);
    int fd = open_receiver();
    if ((errno = pthread_create(&receiver, NULL, receive_numbers, &fd)) ||
        (errno = pthread_create(&sender, NULL, send_numbers, NULL)))
        die("cannot start", "a thread");
    printf("ready\n");
    fflush(stdout);
    pthread_join(sender, NULL);
    pthread_join(receiver, NULL);
    record_print(&record, stdout);
    return 0;
}
