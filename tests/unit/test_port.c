// SPDX-License-Identifier: BSD-2-Clause
/*
 * AF_XDP sockets on real veths, in a network namespace of the test's own:
 *
 *     packet socket [c0]====[c1] port 0 | this test | port 1 [s1]====[s0] packet socket
 *
 * A five-instruction XDP program on c1 and s1 redirects everything to the sockets. Frames go across by
 * descriptor; the test looks at their bytes, at who owns which frame, at a TX ring that overflows, at an
 * interface that is down, and at what an operator reads when a socket cannot be opened. Needs root; skips
 * without.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "ips/io/port.h"

#define RING     128
#define N_FRAMES (4 * RING + 2 * BURST_MAX)
#define WAIT_MS  5000 /* only a failure waits this long */

struct bed {
    struct umem *umem;
    struct port *port[2];
    int prog[2], map[2], link[2];
    int outside[2]; /* packet sockets on c0 and s0 */
};
static const char *const inner[2] = {"c1", "s1"}, *const outer[2] = {"c0", "s0"};

static void sh(const char *command)
{
    if (system(command))
        fail_msg("failed: %s", command);
}

/* return redirect_map(&map, 0, XDP_DROP) */
static int load_redirect(int map)
{
    const struct bpf_insn insns[] = {
        {.code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = map},
        {0},
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = 0},
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = XDP_DROP},
        {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map},
        {.code = BPF_JMP | BPF_EXIT},
    };
    return bpf_prog_load(BPF_PROG_TYPE_XDP, "redirect", "GPL", insns, sizeof(insns) / sizeof(insns[0]), NULL);
}

static int packet_socket(const char *ifname)
{
    struct sockaddr_ll a = {.sll_family = AF_PACKET,
                            .sll_protocol = htons(ETH_P_ALL),
                            .sll_ifindex = (int)if_nametoindex(ifname)};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(ETH_P_ALL)), yes = 1, bytes = 1 << 24;

    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof(yes)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

static void attach(struct bed *b, int i, uint32_t flags)
{
    LIBBPF_OPTS(bpf_link_create_opts, o, .flags = flags);
    uint32_t slot = 0;
    int fd = port_fd(b->port[i]);

    b->map[i] = bpf_map_create(BPF_MAP_TYPE_XSKMAP, "xsks", 4, 4, 1, NULL);
    assert_true(b->map[i] >= 0);
    assert_int_equal(bpf_map_update_elem(b->map[i], &slot, &fd, 0), 0);
    b->prog[i] = load_redirect(b->map[i]);
    assert_true(b->prog[i] >= 0);
    b->link[i] = bpf_link_create(b->prog[i], (int)if_nametoindex(inner[i]), BPF_XDP, &o);
    assert_true(b->link[i] >= 0);
}

static struct bed *bed_new(enum xdp_mode mode, enum busy_poll busy_poll)
{
    struct bed *b = calloc(1, sizeof(*b));
    struct err e;
    char text[1024];

    if (geteuid() != 0) {
        free(b);
        skip();
    }
    sh("ip link add c0 type veth peer name c1 && ip link add s0 type veth peer name s1 && "
       "for i in c0 c1 s0 s1; do ethtool -K $i tx off rx off tso off gso off gro off >/dev/null && "
       "ip link set $i up || exit 1; done");
    b->umem = umem_new(N_FRAMES, 1, &e);
    assert_non_null(b->umem);
    for (uint8_t i = 0; i < 2; i++) {
        struct port_config cfg = {
            .ifname = inner[i], .ring_size = RING, .index = i, .mode = mode, .busy_poll = busy_poll};
        b->port[i] = port_open(b->umem, 0, &cfg, &e);
        if (!b->port[i])
            fail_msg("%s", err_format(&e, text, sizeof(text)));
        attach(b, i, mode == XDP_MODE_GENERIC ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);
        b->outside[i] = packet_socket(outer[i]);
    }
    return b;
}

static void assert_owners(struct umem *u, uint64_t n_free, uint64_t fill, uint64_t worker, uint64_t tx)
{
    struct umem_totals t;

    umem_totals(u, &t);
    assert_int_equal(t.size, N_FRAMES);
    assert_int_equal(t.free, n_free);
    assert_int_equal(t.fill, fill);
    assert_int_equal(t.worker, worker);
    assert_int_equal(t.tx, tx);
}

static void bed_free(struct bed *b)
{
    for (int i = 0; i < 2; i++) {
        close(b->link[i]);
        close(b->prog[i]);
        close(b->map[i]);
        close(b->outside[i]);
    }
    port_close(b->port[0]); /* the one that libxdp keeps with the UMEM, first: it must not matter */
    port_close(b->port[1]);
    assert_owners(b->umem, N_FRAMES, 0, 0, 0); /* no frame leaked in the whole test */
    umem_free(b->umem);
    sh("ip link del c0 && ip link del s0");
    free(b);
}

/* A frame that tells its number and length in every byte. */
static void make_frame(uint8_t *f, uint32_t len, uint32_t number)
{
    static const uint8_t head[14] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5};

    for (uint32_t i = 0; i < len; i++)
        f[i] = (uint8_t)(number * 31 + i * 7 + len);
    memcpy(f, head, sizeof(head));
    if (len >= 18)
        memcpy(f + 14, &number, 4);
}

static void outside_sends(struct bed *b, int i, const uint8_t *f, uint32_t len)
{
    assert_int_equal(send(b->outside[i], f, len, 0), len);
}

/* Our frames only: the namespace's own ARP and IPv6 noise is passed over. */
static int outside_receives(struct bed *b, int i, uint8_t *f, size_t size, int wait_ms)
{
    struct pollfd p = {.fd = b->outside[i], .events = POLLIN};

    for (;;) {
        if (poll(&p, 1, wait_ms) <= 0)
            return -1;
        int n = (int)recv(b->outside[i], f, size, 0);
        if (n >= 14 && f[12] == 0x88 && f[13] == 0xb5)
            return n;
    }
}

static unsigned receive(struct bed *b, int i, struct packet *pkts, unsigned max)
{
    struct pollfd p = {.fd = b->port[i]->fd, .events = POLLIN};

    for (;;) {
        unsigned n = port_rx_burst(b->port[i], pkts, max), kept = 0;
        for (unsigned k = 0; k < n; k++) {
            struct packet *pkt = &pkts[k];
            if (pkt->len >= 14 && pkt->data[12] == 0x88 && pkt->data[13] == 0xb5)
                pkts[kept++] = *pkt;
            else
                port_free_burst(b->port[i], &pkt, 1);
        }
        if (kept)
            return kept;
        port_service(b->port[i]);
        if (poll(&p, 1, WAIT_MS) <= 0)
            fail_msg("no frame arrived on %s", inner[i]);
    }
}

/* Until the kernel gave back all that it sent. */
static void wait_for_completions(struct bed *b)
{
    struct umem_totals t;

    for (int tries = 0; tries < WAIT_MS; tries++) {
        port_service(b->port[0]);
        port_service(b->port[1]);
        umem_totals(b->umem, &t);
        if (t.tx == 0)
            return;
        poll(NULL, 0, 1);
    }
    fail_msg("%llu frames never came back from the TX rings", (unsigned long long)t.tx);
}

static void forward_one(struct bed *b, int from, uint32_t len, uint32_t number)
{
    uint8_t sent[4096], got[4096];
    struct packet pkt, *v = &pkt;

    make_frame(sent, len, number);
    outside_sends(b, from, sent, len);
    assert_int_equal(receive(b, from, &pkt, 1), 1);
    assert_int_equal(pkt.len, len);
    assert_int_equal(pkt.orig_len, len);
    assert_int_equal(pkt.in_port, from);
    assert_int_equal(pkt.link, LINK_ETHERNET);
    assert_memory_equal(pkt.data, sent, len);
    assert_int_equal(port_tx_burst(b->port[1 - from], &v, 1), 1);
    port_service(b->port[1 - from]);
    assert_int_equal(outside_receives(b, 1 - from, got, sizeof(got), WAIT_MS), len);
    assert_memory_equal(got, sent, len);
}

static void forwards_both_ways(struct bed *b)
{
    static const uint32_t lengths[] = {14, 15, 60, 64, 65, 128, 1000, 1499, 1500, 1514};
    uint32_t number = 0;

    for (int from = 0; from < 2; from++)
        for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
            forward_one(b, from, lengths[i], number++);
    for (int i = 0; i < 1000; i++) /* every frame of the UMEM goes round more than once */
        forward_one(b, i & 1, 60 + (uint32_t)i % 1400, number++);
    wait_for_completions(b);
    assert_owners(b->umem, N_FRAMES - 2 * RING, 2 * RING, 0, 0);
}

static void native_copy_mode_forwards(void **state)
{
    struct bed *b = bed_new(XDP_MODE_NATIVE, BUSY_POLL_AUTO);
    struct port_mode m;

    assert_owners(b->umem, N_FRAMES - 2 * RING, 2 * RING, 0, 0);
    forwards_both_ways(b);
    for (int i = 0; i < 2; i++) {
        port_mode(b->port[i], &m);
        assert_false(m.zero_copy); /* veth has none, and says so */
        assert_true(m.need_wakeup);
        assert_false(m.busy_poll);
        assert_false(m.generic);
    }
    bed_free(b);
}

static void generic_mode_forwards(void **state)
{
    struct bed *b = bed_new(XDP_MODE_GENERIC, BUSY_POLL_AUTO);
    struct port_mode m;

    forwards_both_ways(b);
    port_mode(b->port[1], &m);
    assert_true(m.generic);
    assert_false(m.zero_copy);
    bed_free(b);
}

static void busy_polling_forwards(void **state)
{
    struct bed *b = bed_new(XDP_MODE_NATIVE, BUSY_POLL_ON);
    struct port_mode m;

    forwards_both_ways(b);
    port_mode(b->port[0], &m);
    assert_true(m.busy_poll);
    bed_free(b);
}

static void made_frames_leave(void **state)
{
    struct bed *b = bed_new(XDP_MODE_NATIVE, BUSY_POLL_AUTO);
    struct packet pkt = {0}, *v = &pkt;
    uint8_t want[200], got[2048];

    assert_true(port_alloc(b->port[0], &pkt));
    assert_int_equal(pkt.len, 0);
    assert_int_equal(port_tx_burst(b->port[0], &v, 1), 0); /* no bytes: the kernel would never give it back */
    pkt.len = FRAME_BYTES;
    assert_int_equal(port_tx_burst(b->port[0], &v, 1), 0);
    make_frame(want, sizeof(want), 7);
    memcpy(pkt.data, want, sizeof(want));
    pkt.len = sizeof(want);
    assert_int_equal(port_tx_burst(b->port[0], &v, 1), 1);
    port_service(b->port[0]);
    assert_int_equal(outside_receives(b, 0, got, sizeof(got), WAIT_MS), sizeof(want));
    assert_memory_equal(got, want, sizeof(want));

    static struct packet all[N_FRAMES + 1];
    unsigned n = 0;
    wait_for_completions(b);
    while (port_alloc(b->port[1], &all[n]))
        n++;
    assert_int_equal(n, N_FRAMES - 2 * RING); /* and then there are none: false, not a crash */
    for (unsigned i = 0; i < n; i++) {
        v = &all[i];
        port_free_burst(b->port[1], &v, 1);
    }
    bed_free(b);
}

/* n frames of the port's own into v[]. */
static void make_burst(struct port *p, struct packet *pkts, struct packet **v, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        v[i] = &pkts[i];
        assert_true(port_alloc(p, &pkts[i]));
        make_frame(pkts[i].data, 60, i);
        pkts[i].len = 60;
    }
}

/*
 * The way out is shut (interface down: sendto() says ENETDOWN), so the TX ring fills. What does not fit comes
 * back to the caller; when the way is open again, what was in the ring leaves, and no frame is lost or
 * doubled.
 */
static void a_full_tx_ring_gives_frames_back(void **state)
{
    struct bed *b = bed_new(XDP_MODE_NATIVE, BUSY_POLL_AUTO);
    struct packet pkts[2 * RING], *v[2 * RING];
    struct port_stats before, after;
    uint8_t got[2048];

    sh("ip link set s1 down");
    make_burst(b->port[1], pkts, v, 2 * RING);
    port_read_stats(b->port[1], &before);
    unsigned taken = port_tx_burst(b->port[1], v, BURST_MAX);
    assert_int_equal(taken, BURST_MAX);
    taken += port_tx_burst(b->port[1], v + taken, 2 * RING - taken);
    assert_int_equal(taken, RING);
    port_read_stats(b->port[1], &after);
    assert_int_equal(after.kicks - before.kicks, 1); /* a full ring is kicked once, never spun on */
    assert_int_equal(port_tx_burst(b->port[1], v + taken, RING), 0);
    port_free_burst(b->port[1], v + taken, RING);
    port_service(b->port[1]);
    assert_owners(b->umem, N_FRAMES - 3 * RING, 2 * RING, 0, RING);

    sh("ip link set s1 up");
    for (uint32_t i = 0; i < RING; i++) {
        port_service(b->port[1]);
        assert_int_equal(outside_receives(b, 1, got, sizeof(got), WAIT_MS), 60);
        uint32_t number;
        memcpy(&number, got + 14, 4);
        assert_int_equal(number, i); /* in order */
    }
    assert_int_equal(outside_receives(b, 1, got, sizeof(got), 0), -1);
    wait_for_completions(b);
    port_read_stats(b->port[1], &after);
    assert_int_equal(after.kernel_tx_invalid, 0);
    assert_int_equal(after.kernel_tx_refused, 0);
    bed_free(b);
}

/* The link of the other end is down: the driver takes frames and drops them. They come back, and are counted.
 */
static void frames_that_the_driver_drops_are_counted(void **state)
{
    struct bed *b = bed_new(XDP_MODE_NATIVE, BUSY_POLL_AUTO);
    struct packet pkts[20], *v[20];
    struct port_stats s;

    sh("ip link set s0 down");
    make_burst(b->port[1], pkts, v, 20);
    assert_int_equal(port_tx_burst(b->port[1], v, 20), 20);
    wait_for_completions(b);
    port_read_stats(b->port[1], &s);
    assert_int_equal(s.kernel_tx_refused, 20);
    assert_owners(b->umem, N_FRAMES - 2 * RING, 2 * RING, 0, 0);
    bed_free(b);
}

/* More frames than the rings hold, and nobody receives: the kernel counts what it could not place, we lose
 * none. */
static void too_many_received_frames_are_counted(void **state)
{
    struct bed *b = bed_new(XDP_MODE_NATIVE, BUSY_POLL_AUTO);
    struct packet pkts[BURST_MAX], *v[BURST_MAX];
    struct port_stats s;
    uint8_t f[60];
    unsigned n, total = 0;

    for (uint32_t i = 0; i < 3 * RING; i++) {
        make_frame(f, sizeof(f), i);
        outside_sends(b, 0, f, sizeof(f));
    }
    while (total < RING) {
        n = receive(b, 0, pkts, BURST_MAX);
        for (unsigned i = 0; i < n; i++, total++) {
            uint32_t number;
            v[i] = &pkts[i];
            memcpy(&number, pkts[i].data + 14, 4);
            assert_int_equal(number, total);
        }
        port_free_burst(b->port[0], v, n);
    }
    port_read_stats(b->port[0], &s);
    assert_true(s.kernel_rx_dropped + s.kernel_rx_ring_full + s.kernel_fill_empty >= RING);
    port_service(b->port[0]);
    assert_owners(b->umem, N_FRAMES - 2 * RING, 2 * RING, 0, 0);
    bed_free(b);
}

/* Two workers, two queues, four sockets on one UMEM, closed in another order than they were opened. */
static void four_sockets_share_a_umem(void **state)
{
    struct umem_totals t;
    struct port *p[4];
    struct packet pkts[RING], *v[RING];
    uint8_t got[2048];
    struct err e;

    if (geteuid() != 0)
        skip();
    sh("ip link add c0 numtxqueues 2 numrxqueues 2 type veth peer name c1 numtxqueues 2 numrxqueues 2 && "
       "ip link add s0 numtxqueues 2 numrxqueues 2 type veth peer name s1 numtxqueues 2 numrxqueues 2 && "
       "for i in c0 c1 s0 s1; do ip link set $i up || exit 1; done");
    struct umem *u = umem_new(2 * N_FRAMES, 2, &e);
    for (uint8_t i = 0; i < 4; i++) {
        struct port_config cfg = {.ifname = inner[i & 1], .queue = i / 2, .ring_size = RING, .index = i & 1};
        p[i] = port_open(u, i / 2, &cfg, &e);
        assert_non_null(p[i]);
    }
    umem_totals(u, &t);
    assert_int_equal(t.fill, 4 * RING);
    assert_int_equal(t.free, 2 * N_FRAMES - 4 * RING);

    /* Worker 0 makes frames, worker 1 sends them: its counts alone would be negative, the sums are right. */
    int outside = packet_socket("s0");
    make_burst(p[0], pkts, v, RING);
    assert_int_equal(port_tx_burst(p[3], v, RING), RING);
    for (int i = 0; i < RING; i++) {
        struct pollfd fd = {.fd = outside, .events = POLLIN};
        port_service(p[3]);
        assert_int_equal(poll(&fd, 1, WAIT_MS), 1);
        assert_int_equal(recv(outside, got, sizeof(got), 0), 60);
    }
    for (int tries = 0; tries < WAIT_MS; tries++) {
        for (int i = 0; i < 4; i++)
            port_service(p[i]);
        umem_totals(u, &t);
        assert_int_equal(t.free + t.fill + t.worker + t.tx, t.size);
        if (t.tx == 0)
            break;
        poll(NULL, 0, 1);
    }
    assert_int_equal(t.tx, 0);
    assert_int_equal(t.worker, 0); /* the surplus went back to worker 0, not into a hand for good */

    static const int order[] = {0, 3, 1, 2};
    for (int i = 0; i < 4; i++)
        port_close(p[order[i]]);
    umem_totals(u, &t);
    assert_int_equal(t.free, t.size);
    assert_int_equal(t.worker, 0);
    umem_free(u);
    close(outside);
    sh("ip link del c0 && ip link del s0");
}

/* What the next daemon does with what the last one says. */
static void take_over(struct bed *b, struct umem **umem, struct port *port[2])
{
    static uint64_t addr[N_FRAMES];
    struct frame_counts counts = {0};
    struct err e;

    umem_empty_depot(b->umem);
    uint32_t n = frame_cache_read(umem_cache(b->umem, 0), addr);
    *umem = umem_adopt(dup(umem_fd(b->umem)), N_FRAMES, 1, &e);
    assert_non_null(*umem);
    for (uint8_t i = 0; i < 2; i++) {
        struct port_config cfg = {.ifname = inner[i], .ring_size = RING, .index = i};
        struct port_held held;

        port[i] = port_adopt(*umem, 0, &cfg, dup(port_fd(b->port[i])), &e);
        assert_non_null(port[i]);
        port_held(b->port[i], &held);
        port_resume(port[i], held);
        counts.fill += held.fill;
        counts.tx += held.tx;
    }
    assert_int_equal(n + counts.fill + counts.tx, N_FRAMES);
    frame_cache_adopt(umem_cache(*umem, 0), addr, n, counts);
}

/* Frames wait in both rings while the one side stops and the other takes over; they leave, in order, once. */
static void another_takes_the_rings_over(void **state)
{
    struct bed *b = bed_new(XDP_MODE_NATIVE, BUSY_POLL_AUTO);
    struct umem *old = b->umem;
    struct port *last[2], *next[2];
    struct packet pkts[BURST_MAX], *v[BURST_MAX];
    struct pollfd p = {.fd = b->port[0]->fd, .events = POLLIN};
    uint8_t f[60], got[2048];
    uint32_t number;

    for (uint32_t i = 0; i < 1000; i++)
        forward_one(b, i & 1, 60, i);
    make_burst(b->port[1], pkts, v, 5);
    assert_int_equal(port_tx_burst(b->port[1], v, 5), 5); /* and not kicked */
    for (uint32_t i = 5; i < 15; i++) {
        make_frame(f, sizeof(f), i);
        outside_sends(b, 0, f, sizeof(f));
    }
    assert_int_equal(poll(&p, 1, WAIT_MS), 1);
    memcpy(last, b->port, sizeof(last));
    take_over(b, &b->umem, next);
    memcpy(b->port, next, sizeof(next));
    port_close(last[0]);
    port_close(last[1]);
    umem_free(old);

    for (uint32_t n = 0; n < 10;) {
        unsigned k = receive(b, 0, pkts, BURST_MAX);
        for (unsigned i = 0; i < k; i++)
            v[i] = &pkts[i];
        assert_int_equal(port_tx_burst(b->port[1], v, k), k);
        n += k;
    }
    port_service(b->port[1]);
    for (uint32_t i = 0; i < 15; i++) {
        assert_int_equal(outside_receives(b, 1, got, sizeof(got), WAIT_MS), 60);
        memcpy(&number, got + 14, 4);
        assert_int_equal(number, i);
    }
    forwards_both_ways(b); /* asserts the owners, too */
    bed_free(b);
}

static void what_is_no_socket_is_not_adopted(void **state)
{
    struct bed *b = bed_new(XDP_MODE_NATIVE, BUSY_POLL_AUTO);
    struct port_config cfg = {.ifname = "c1", .ring_size = RING};
    struct err e = {0};
    int fd = open("/dev/null", O_RDWR);

    assert_null(port_adopt(b->umem, 0, &cfg, fd, &e));
    assert_non_null(strstr(e.text, "no AF_XDP socket"));
    assert_null(umem_adopt(fd, N_FRAMES, 1, &e));
    assert_non_null(strstr(e.text, "not a sealed memfd"));
    assert_null(umem_adopt(umem_fd(b->umem), 4 * N_FRAMES, 1, &e)); /* smaller than it says */
    close(fd);
    bed_free(b);
}

static void assert_refused(struct umem *u, struct port_config cfg, int code, const char *text)
{
    struct err e = {0};

    assert_null(port_open(u, 0, &cfg, &e));
    if (e.code != code || !strstr(e.text, text) || !e.remedy[0])
        fail_msg("code %d: %s; %s", e.code, e.text, e.remedy);
}

static void refusals_say_what_to_do(void **state)
{
    struct bed *b = bed_new(XDP_MODE_NATIVE, BUSY_POLL_AUTO);
    struct port_config ok = {.ifname = "c1", .ring_size = RING}, cfg;
    struct err e;
    struct umem *u = umem_new(N_FRAMES, 1, &e), *small = umem_new(RING, 1, &e);

    assert_refused(u, ok, -EBUSY, "another AF_XDP socket"); /* b has it */
    cfg = ok;
    cfg.queue = 5;
    assert_refused(u, cfg, -EINVAL, "queue 5 of c1");
    cfg = ok;
    cfg.ifname = "nosuch0";
    assert_refused(u, cfg, -ENODEV, "nosuch0");
    cfg = ok;
    cfg.ring_size = 100;
    assert_refused(u, cfg, -EINVAL, "power of two");
    assert_refused(small, ok, -ENOBUFS, "do not fill the rings");
    assert_owners(u, N_FRAMES, 0, 0, 0);

    /* none of these left anything behind */
    cfg = ok;
    cfg.ifname = "c0";
    struct port *p = port_open(u, 0, &cfg, &e);
    assert_non_null(p);
    port_close(p);
    assert_owners(u, N_FRAMES, 0, 0, 0);
    umem_free(u);
    umem_free(small);
    bed_free(b);
}

static int own_namespace(void **state)
{
    if (geteuid() != 0)
        return 0;
    if (unshare(CLONE_NEWNET))
        return -1;
    sh("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1; ip link set lo up");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(native_copy_mode_forwards),
        cmocka_unit_test(generic_mode_forwards),
        cmocka_unit_test(busy_polling_forwards),
        cmocka_unit_test(made_frames_leave),
        cmocka_unit_test(a_full_tx_ring_gives_frames_back),
        cmocka_unit_test(frames_that_the_driver_drops_are_counted),
        cmocka_unit_test(too_many_received_frames_are_counted),
        cmocka_unit_test(four_sockets_share_a_umem),
        cmocka_unit_test(another_takes_the_rings_over),
        cmocka_unit_test(what_is_no_socket_is_not_adopted),
        cmocka_unit_test(refusals_say_what_to_do),
    };
    return cmocka_run_group_tests(tests, own_namespace, NULL);
}
