/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The steering program under BPF_PROG_TEST_RUN: one table, one row per case: a frame in; the verdict, the frame that
 * comes out (always the same bytes) and the counters that moved: exactly one exit, on the right port, by one, and
 * exactly the parse counters named. The program is the one of the skeleton, loaded and filled by ips/io/xdp.c.
 *
 * The kernel looks the frame's interface up in the caller's namespace, so the two ports are veths of tests/bpf/lab.h,
 * and a slot that is to be occupied holds a real AF_XDP socket. Skipped only without privilege.
 */
#include "tests/bpf/lab.h"
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include "bpf/steer.skel.h"
#include "ips/base/span.h"
#include "ips/io/xdp_parts.h"

#define FRAME_MAX 256
#define LO        2 /* instead of a port: the loopback, which is not of the bridge */

#define P4    (1u << STEER_PARSE_IPV4)
#define P6    (1u << STEER_PARSE_IPV6)
#define POTH  (1u << STEER_PARSE_OTHER)
#define PVLAN (1u << STEER_PARSE_VLAN)
#define PSHRT (1u << STEER_PARSE_SHORT)

enum slot { EMPTY, OCCUPIED };

static const struct row {
    const char *name;
    /* frame */
    uint16_t tags[4];      /* ethertypes of the tags, outermost first */
    uint16_t type;         /* ethertype behind them */
    const char *src, *dst; /* of an IP header, version by the ethertype */
    uint8_t version;       /* when it is not what the ethertype says */
    uint8_t cut;           /* bytes of the frame that are there; 0 = all */
    /* where and how */
    uint8_t port, queue;
    enum slot slot;
    enum steer_fail_policy policy;
    const char *block; /* prefix and side */
    enum xdp_block_side side;
    /* what is expected */
    enum xdp_action verdict;
    enum steer_counter exit;
    uint32_t parse;
} rows[] = {
#define IP4       .type = 0x0800, .src = "192.0.2.1", .dst = "198.51.100.9"
#define IP6       .type = 0x86dd, .src = "2001:db8::1", .dst = "2001:db8:f::9"
#define TO_WORKER .slot = OCCUPIED, .verdict = XDP_REDIRECT, .exit = STEER_TO_WORKER
#define OPENED    .policy = STEER_FAIL_OPEN, .verdict = XDP_REDIRECT, .exit = STEER_FAIL_OPENED
#define CLOSED    .policy = STEER_FAIL_CLOSED, .verdict = XDP_DROP, .exit = STEER_FAIL_CLOSED_DROP
#define BY_SRC    .slot = OCCUPIED, .verdict = XDP_DROP, .exit = STEER_BLOCKED_SRC
#define BY_DST    .slot = OCCUPIED, .verdict = XDP_DROP, .exit = STEER_BLOCKED_DST
    /* a worker waits: everything goes to it */
    {"IPv4", IP4, TO_WORKER, .parse = P4},
    {"IPv6", IP6, TO_WORKER, .parse = P6},
    {"IPv4, second queue", IP4, .queue = 1, TO_WORKER, .parse = P4},
    {"IPv4, second port", IP4, .port = 1, TO_WORKER, .parse = P4},
    {"IPv6, second port and queue", IP6, .port = 1, .queue = 1, TO_WORKER, .parse = P6},
    {"802.1Q IPv4", .tags = {0x8100}, IP4, TO_WORKER, .parse = PVLAN | P4},
    {"802.1Q IPv6", .tags = {0x8100}, IP6, TO_WORKER, .parse = PVLAN | P6},
    {"802.1ad and 802.1Q, IPv4", .tags = {0x88a8, 0x8100}, IP4, TO_WORKER, .parse = PVLAN | P4},
    {"802.1ad and 802.1Q, IPv6", .tags = {0x88a8, 0x8100}, IP6, TO_WORKER, .parse = PVLAN | P6},
    {"802.1Q twice, IPv4", .tags = {0x8100, 0x8100}, IP4, TO_WORKER, .parse = PVLAN | P4},
    {"three tags, the outer one of old", .tags = {0x9100, 0x8100, 0x8100}, IP4, TO_WORKER,
     .parse = PVLAN | P4},
    {"four tags: the fourth is not looked behind", .tags = {0x88a8, 0x8100, 0x8100, 0x8100}, IP4, TO_WORKER,
     .parse = PVLAN | POTH},
    {"ARP", .type = 0x0806, TO_WORKER, .parse = POTH},
    {"802.1Q ARP", .tags = {0x8100}, .type = 0x0806, TO_WORKER, .parse = PVLAN | POTH},
    {"802.3 length", .type = 0x0026, TO_WORKER, .parse = POTH},
    {"IPv4 ethertype, version 6", IP4, .version = 6, TO_WORKER, .parse = POTH},
    {"IPv6 ethertype, version 4", IP6, .version = 4, TO_WORKER, .parse = POTH},

    /* frames that end early: steered all the same */
    {"ends inside the Ethernet header", IP4, .cut = 8, TO_WORKER, .parse = PSHRT},
    {"one byte short of an Ethernet header", IP4, .cut = 13, TO_WORKER, .parse = PSHRT},
    {"Ethernet header and no more, IPv4", IP4, .cut = 14, TO_WORKER, .parse = PSHRT},
    {"Ethernet header and no more, IPv6", IP6, .cut = 14, TO_WORKER, .parse = PSHRT},
    {"Ethernet header and no more, ARP", .type = 0x0806, .cut = 14, TO_WORKER, .parse = POTH},
    {"one byte short of an IPv4 header", IP4, .cut = 33, TO_WORKER, .parse = PSHRT},
    {"an IPv4 header and no more", IP4, .cut = 34, TO_WORKER, .parse = P4},
    {"one byte short of an IPv6 header", IP6, .cut = 53, TO_WORKER, .parse = PSHRT},
    {"an IPv6 header and no more", IP6, .cut = 54, TO_WORKER, .parse = P6},
    {"ends inside the tag", .tags = {0x8100}, IP4, .cut = 16, TO_WORKER, .parse = PSHRT},
    {"ends inside the second tag", .tags = {0x88a8, 0x8100}, IP4, .cut = 21, TO_WORKER,
     .parse = PVLAN | PSHRT},
    {"short frame, no worker, open", IP4, .cut = 14, OPENED, .parse = PSHRT},
    {"short frame, no worker, closed", IP4, .cut = 14, CLOSED, .parse = PSHRT},

    /* no worker: the fail policy */
    {"no worker, open", IP4, OPENED, .parse = P4},
    {"no worker, open, second port", IP6, .port = 1, OPENED, .parse = P6},
    {"no worker, open, tagged", .tags = {0x8100}, IP4, OPENED, .parse = PVLAN | P4},
    {"no worker, open, ARP", .type = 0x0806, .queue = 1, OPENED, .parse = POTH},
    {"no worker, closed", IP4, CLOSED, .parse = P4},
    {"no worker, closed, second port", IP6, .port = 1, CLOSED, .parse = P6},
    {"no worker, closed, ARP", .type = 0x0806, .port = 1, .queue = 1, CLOSED, .parse = POTH},

    /* the block lists */
    {"source host", IP4, .block = "192.0.2.1", .side = XDP_BLOCK_SRC, BY_SRC, .parse = P4},
    {"source prefix", IP4, .block = "192.0.0.0/16", .side = XDP_BLOCK_SRC, BY_SRC, .parse = P4},
    {"source prefix of odd length", IP4, .block = "192.0.2.0/31", .side = XDP_BLOCK_SRC, BY_SRC, .parse = P4},
    {"all sources", IP4, .block = "0.0.0.0/0", .side = XDP_BLOCK_SRC, BY_SRC, .parse = P4},
    {"destination host", IP4, .block = "198.51.100.9", .side = XDP_BLOCK_DST, BY_DST, .parse = P4},
    {"destination prefix", IP4, .block = "198.51.100.8/29", .side = XDP_BLOCK_DST, BY_DST, .parse = P4},
    {"both sides listed, source counts", IP4, .block = "0.0.0.0/0", .side = XDP_BLOCK_BOTH, BY_SRC,
     .parse = P4},
    {"both sides listed, destination hits", IP4, .block = "198.51.100.0/24", .side = XDP_BLOCK_BOTH, BY_DST,
     .parse = P4},
    {"IPv6 source host", IP6, .block = "2001:db8::1", .side = XDP_BLOCK_SRC, BY_SRC, .parse = P6},
    {"IPv6 source prefix", IP6, .block = "2001:db8::/33", .side = XDP_BLOCK_SRC, BY_SRC, .parse = P6},
    {"IPv6 destination host", IP6, .block = "2001:db8:f::9/128", .side = XDP_BLOCK_DST, BY_DST, .parse = P6},
    {"IPv6 destination prefix", IP6, .block = "2001:db8:f::/48", .side = XDP_BLOCK_DST, BY_DST, .parse = P6},
    {"behind one tag", .tags = {0x8100}, IP4, .block = "192.0.2.1", .side = XDP_BLOCK_SRC, BY_SRC,
     .parse = PVLAN | P4},
    {"behind two tags", .tags = {0x88a8, 0x8100}, IP6, .block = "2001:db8:f::/48", .side = XDP_BLOCK_DST,
     BY_DST, .parse = PVLAN | P6},
    {"blocked before the fail policy", IP4, .block = "192.0.2.1", .side = XDP_BLOCK_SRC,
     .policy = STEER_FAIL_OPEN, .verdict = XDP_DROP, .exit = STEER_BLOCKED_SRC, .parse = P4},
    {"on the second port", IP4, .port = 1, .block = "192.0.2.1", .side = XDP_BLOCK_SRC, BY_SRC, .parse = P4},
    {"neighbour of a prefix", IP4, .block = "192.0.3.0/24", .side = XDP_BLOCK_BOTH, TO_WORKER, .parse = P4},
    {"neighbour of a host", IP4, .block = "192.0.2.0", .side = XDP_BLOCK_BOTH, TO_WORKER, .parse = P4},
    {"neighbour of an IPv6 prefix", IP6, .block = "2001:db8:8000::/33", .side = XDP_BLOCK_BOTH, TO_WORKER,
     .parse = P6},
    {"the source on the destinations' list", IP4, .block = "192.0.2.1", .side = XDP_BLOCK_DST, TO_WORKER,
     .parse = P4},
    {"the destination on the sources' list", IP6, .block = "2001:db8:f::9", .side = XDP_BLOCK_SRC, TO_WORKER,
     .parse = P6},
    {"IPv4 frame, IPv6 list", IP4, .block = "::/0", .side = XDP_BLOCK_BOTH, TO_WORKER, .parse = P4},
    {"IPv6 frame, IPv4 list", IP6, .block = "0.0.0.0/0", .side = XDP_BLOCK_BOTH, TO_WORKER, .parse = P6},
    {"ARP, all addresses blocked", .type = 0x0806, .block = "0.0.0.0/0", .side = XDP_BLOCK_BOTH, TO_WORKER,
     .parse = POTH},

    /* not of the bridge: the host's, whatever it is */
    {"other interface", IP4, .port = LO, .slot = OCCUPIED, .verdict = XDP_PASS, .exit = STEER_UNKNOWN_PORT},
    {"other interface, fail closed", IP4, .port = LO, .policy = STEER_FAIL_CLOSED, .verdict = XDP_PASS,
     .exit = STEER_UNKNOWN_PORT},
    {"other interface, blocked address", IP4, .port = LO, .block = "0.0.0.0/0", .side = XDP_BLOCK_BOTH,
     .verdict = XDP_PASS, .exit = STEER_UNKNOWN_PORT},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* Ethernet, tags, IP header, 20 bytes of something. Returns the length that is there. */
static uint32_t build(const struct row *r, uint8_t *frame)
{
    static const uint8_t macs[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
    uint8_t *p = frame;

    memset(frame, 0x5a, FRAME_MAX);
    memcpy(p, macs, sizeof(macs));
    p += sizeof(macs);
    for (int i = 0; i < 4 && r->tags[i]; i++, p += 4) {
        store_be16(p, r->tags[i]);
        store_be16(p + 2, (uint16_t)(100 + i));
    }
    store_be16(p, r->type);
    p += 2;
    if (r->type == 0x0800) {
        p[0] = (uint8_t)((r->version ? r->version : 4) << 4 | 5);
        assert_int_equal(inet_pton(AF_INET, r->src, p + 12), 1);
        assert_int_equal(inet_pton(AF_INET, r->dst, p + 16), 1);
        p += 20;
    } else if (r->type == 0x86dd) {
        p[0] = (uint8_t)((r->version ? r->version : 6) << 4);
        assert_int_equal(inet_pton(AF_INET6, r->src, p + 8), 1);
        assert_int_equal(inet_pton(AF_INET6, r->dst, p + 24), 1);
        p += 40;
    }
    p += 20;
    return r->cut ? r->cut : (uint32_t)(p - frame);
}

/* The test run wants 14 bytes at least. A shorter frame is put behind metadata, which the program does not see;
 * kernels that look through this (6.18 does) refuse it, -EINVAL, and the row is then counted as not run. */
static int run_program(int prog, uint32_t ifindex, uint32_t queue, const uint8_t *frame, uint32_t len,
                       uint8_t *out, uint32_t *out_len)
{
    uint8_t in[FRAME_MAX + 12] = {0};
    uint32_t meta = len < 14 ? 12 : 0;
    struct xdp_md ctx = {
        .data = meta, .data_end = meta + len, .ingress_ifindex = ifindex, .rx_queue_index = queue};
    LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in, .data_size_in = meta + len, .data_out = out,
                .data_size_out = FRAME_MAX, .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = 1);

    memcpy(in + meta, frame, len);
    int code = bpf_prog_test_run_opts(prog, &opts);
    if (code == -EINVAL && meta != 0)
        return code;
    if (code != 0)
        fail_msg("BPF_PROG_TEST_RUN, %u bytes on interface %u queue %u: %s", len, ifindex, queue,
                 strerror(-code));
    *out_len = opts.data_size_out;
    return (int)opts.retval;
}

/* Seen beside the exit of every frame that the fail policy took. */
static uint32_t no_socket(const struct row *r)
{
    return r->exit == STEER_FAIL_OPENED || r->exit == STEER_FAIL_CLOSED_DROP || r->exit == STEER_NO_WAY_OUT
               ? 1u << STEER_SAW_NO_SOCKET
               : 0;
}

static void check_counters(const struct row *r, const struct xdp_counters *a, const struct xdp_counters *b)
{
    uint32_t port = r->port == LO ? 0 : r->port;

    for (uint32_t p = 0; p < STEER_PORTS; p++) {
        for (uint32_t c = 0; c < STEER_CTR_N; c++) {
            uint64_t expect = p == port && c == r->exit;
            if (b->exits[p][c] - a->exits[p][c] != expect)
                fail_msg("%s: port %u: %s moved by %lu, not by %lu", r->name, p, steer_counter_names[c],
                         b->exits[p][c] - a->exits[p][c], expect);
        }
        for (uint32_t c = 0; c < STEER_PARSE_N; c++) {
            uint64_t expect = p == port && ((r->parse | no_socket(r)) >> c & 1);
            if (b->parse[p][c] - a->parse[p][c] != expect)
                fail_msg("%s: port %u: parse counter %u moved by %lu, not by %lu", r->name, p, c,
                         b->parse[p][c] - a->parse[p][c], expect);
        }
    }
}

/* False when the kernel would not run it. */
static bool check_row(struct xdp *x, const struct row *r, uint32_t slot_is_set)
{
    uint8_t frame[FRAME_MAX], out[FRAME_MAX];
    uint32_t len = build(r, frame), out_len;
    uint32_t ifindex = r->port == LO ? if_nametoindex("lo") : x->ifindex[r->port];
    struct xdp_counters before, after;

    assert_int_equal(slot_is_set, r->slot == OCCUPIED);
    x->config.fail_policy = r->policy;
    assert_int_equal(xdp_push_config(x, NULL), 0);
    if (r->block)
        assert_int_equal(xdp_block_add(x, r->block, r->side, NULL), 0);
    assert_int_equal(xdp_counters(x, &before), 0);
    int verdict =
        run_program(bpf_program__fd(x->skel->progs.steer), ifindex, r->queue, frame, len, out, &out_len);
    assert_int_equal(xdp_counters(x, &after), 0);
    if (verdict == -EINVAL)
        return false;
    if (verdict != (int)r->verdict)
        fail_msg("%s: verdict %d, not %d", r->name, verdict, r->verdict);
    check_counters(r, &before, &after);
    if (r->cut == 0 || r->cut >= 14) {
        assert_int_equal(out_len, len);
        assert_memory_equal(out, frame, len);
    }
    if (r->block)
        assert_int_equal(xdp_block_del(x, r->block, r->side, NULL), 0);
    return true;
}

/* All rows with empty slots, then all rows with a socket behind every queue. */
static void test_rows(void **state)
{
    LAB_NEEDED();
    struct lab_socket sockets[STEER_PORTS][LAB_QUEUES];
    struct xdp_config cfg = lab_config(STEER_FAIL_CLOSED);
    struct xdp *x = lab_open(&cfg);
    size_t n = 0, n_not_run = 0;

    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].slot == EMPTY)
            n++, n_not_run += !check_row(x, &rows[i], 0);
    for (uint32_t p = 0; p < STEER_PORTS; p++)
        for (uint32_t q = 0; q < LAB_QUEUES; q++) {
            lab_socket_open(&sockets[p][q], cfg.ifname[p], q);
            assert_int_equal(xdp_set_socket(x, p, q, xsk_socket__fd(sockets[p][q].xsk), NULL), 0);
        }
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].slot == OCCUPIED)
            n++, n_not_run += !check_row(x, &rows[i], 1);
    assert_int_equal(n, ROWS);
    print_message("%zu cases, %zu of them not run: this kernel has no test run below 14 bytes\n", n,
                  n_not_run);
    for (size_t i = 0; i < ROWS; i++)
        n_not_run -= n_not_run && rows[i].cut && rows[i].cut < 14;
    assert_int_equal(n_not_run, 0); /* only those may be missing */
    for (uint32_t p = 0; p < STEER_PORTS; p++)
        for (uint32_t q = 0; q < LAB_QUEUES; q++)
            lab_socket_close(&sockets[p][q]);
    xdp_close(x);
}

/* A slot is of one port and one queue; taking the socket out, or closing it, brings the fail policy back. */
static void test_slots(void **state)
{
    static const struct row to_worker = {"slot set", IP4, TO_WORKER, .parse = P4},
                            other_queue = {"other queue", IP4, .queue = 1, CLOSED, .parse = P4},
                            other_port = {"other port", IP4, .port = 1, CLOSED, .parse = P4},
                            cleared = {"slot cleared", IP4, CLOSED, .parse = P4};
    LAB_NEEDED();
    struct xdp_config cfg = lab_config(STEER_FAIL_CLOSED);
    struct xdp *x = lab_open(&cfg);
    struct lab_socket s;
    struct err e = {0};

    lab_socket_open(&s, "tsa", 0);
    assert_int_equal(xdp_set_socket(x, 0, 0, xsk_socket__fd(s.xsk), &e), 0);
    check_row(x, &to_worker, 1);
    check_row(x, &other_queue, 0);
    check_row(x, &other_port, 0);
    assert_int_equal(xdp_clear_socket(x, 0, 0), 0);
    check_row(x, &cleared, 0);
    assert_int_equal(xdp_set_socket(x, 0, 0, xsk_socket__fd(s.xsk), &e), 0);
    check_row(x, &to_worker, 1);
    lab_socket_close(&s); /* as when the daemon dies */
    check_row(x, &cleared, 0);
    assert_int_equal(xdp_set_socket(x, 0, STEER_QUEUES_MAX, 0, &e), -ERANGE);
    assert_int_equal(xdp_set_socket(x, STEER_PORTS, 0, 0, &e), -ERANGE);
    assert_int_equal(xdp_clear_socket(x, STEER_PORTS, 0), -ERANGE);
    xdp_close(x);
}

/* With the other interface gone, failing open has no way out: the frame is dropped and counted as such. */
static void test_fail_open_without_a_way_out(void **state)
{
    static const struct row nowhere = {"other interface gone",    IP4,
                                       .policy = STEER_FAIL_OPEN, .verdict = XDP_DROP,
                                       .exit = STEER_NO_WAY_OUT,  .parse = P4};
    LAB_NEEDED();
    struct xdp_config cfg = lab_config(STEER_FAIL_OPEN);
    struct xdp *x = lab_open(&cfg);

    lab_run("ip link del tsb");
    check_row(x, &nowhere, 0);
    xdp_close(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_rows, lab_setup),
        cmocka_unit_test_setup(test_slots, lab_setup),
        cmocka_unit_test_setup(test_fail_open_without_a_way_out, lab_setup),
    };

    lab_enter();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
