/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Steering lines in the program: every test a line can ask, kept and missed by as little as there is; what the actions do;
 * that the first match decides and is the only one counted; and what stands behind the lines when they say "inspect".
 */
#include <asm/byteorder.h>
#include "tests/bpf/steer_lab.h"

#define A4(a, b, c, d) __constant_htonl((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))
#define NET4(n)        __constant_htonl(0xffffffffu << (32 - (n)))
#define LINE(...)      .lines = (const struct steer_line[]){__VA_ARGS__}, .n_lines = 1
#define LINES(n, ...)  .lines = (const struct steer_line[]){__VA_ARGS__}, .n_lines = n

/* Expected of a line that drops, or that does not match */
#define HIT  DROPPED(STEER_LINE_DROP), .line = 1
#define MISS TO_WORKER

static const struct row actions[] = {
    {"no test: everything, drop", IP4, LINE({.action = STEER_DROP}), HIT, .parse = P4},
    {"no test: everything, ARP", .type = 0x0806, LINE({.action = STEER_DROP}), HIT, .parse = POTH},
    {"no test: everything, short", IP4, .cut = 20, LINE({.action = STEER_DROP}), HIT, .parse = PSHRT},
    {"bypass", IP4, LINE({.action = STEER_BYPASS}), FORWARDED(STEER_LINE_BYPASS), .line = 1, .parse = P4},
    {"bypass, second port", IP6, .port = 1, LINE({.action = STEER_BYPASS}), FORWARDED(STEER_LINE_BYPASS),
     .line = 1, .parse = P6},
    {"bypass, no worker, closed", IP4, .empty = true, .policy = STEER_FAIL_CLOSED,
     LINE({.action = STEER_BYPASS}), FORWARDED(STEER_LINE_BYPASS), .line = 1, .parse = P4},
    {"host", IP4, LINE({.action = STEER_HOST}), .verdict = XDP_PASS, .exit = STEER_LINE_HOST, .line = 1,
     .parse = P4},
    {"host, no worker, closed", IP4, .empty = true, .policy = STEER_FAIL_CLOSED, LINE({.action = STEER_HOST}),
     .verdict = XDP_PASS, .exit = STEER_LINE_HOST, .line = 1, .parse = P4},
    {"inspect", IP4, LINE({.action = STEER_INSPECT}), TO_WORKER, .line = 1, .parse = P4},
    {"inspect, no worker", IP4, LINE({.action = STEER_INSPECT}), CLOSED, .line = 1, .parse = P4},
    {"drop, no worker, open", IP4, .empty = true, LINE({.action = STEER_DROP}), HIT, .parse = P4},

    {"the first match decides", IP4, LINES(2, {.action = STEER_DROP}, {.action = STEER_BYPASS}), HIT,
     .parse = P4},
    {"inspect ends the walk", IP4, LINES(2, {.action = STEER_INSPECT}, {.action = STEER_DROP}), TO_WORKER,
     .line = 1, .parse = P4},
    {"the second, when the first is not it", IP4,
     LINES(2, {.tests = STEER_TEST_VERSION, .version = 6, .action = STEER_DROP}, {.action = STEER_BYPASS}),
     FORWARDED(STEER_LINE_BYPASS), .line = 2, .parse = P4},
    {"none of them", IP4,
     LINES(2, {.tests = STEER_TEST_VERSION, .version = 6, .action = STEER_DROP},
           {.tests = STEER_TEST_IN_PORT, .in_port = 1, .action = STEER_DROP}),
     TO_WORKER, .parse = P4},
    {"the other half of the map", IP4, .first_line = STEER_LINES_MAX,
     LINES(2, {.tests = STEER_TEST_VERSION, .version = 6, .action = STEER_DROP}, {.action = STEER_BYPASS}),
     FORWARDED(STEER_LINE_BYPASS), .line = 2, .parse = P4},

    /* what comes after, and what does not */
    {"inspect does not spare the guard", IP4, LINE({.action = STEER_INSPECT}), .block = "192.0.2.1",
     .line = 1, DROPPED(STEER_BLOCKED_SRC), .parse = P4},
    {"bypass spares the guard", IP4, LINE({.action = STEER_BYPASS}), .block = "192.0.2.1", .line = 1,
     FORWARDED(STEER_LINE_BYPASS), .parse = P4},
    {"host spares the guard", IP4, LINE({.action = STEER_HOST}), .block = "192.0.2.1", .line = 1,
     .verdict = XDP_PASS, .exit = STEER_LINE_HOST, .parse = P4},
    {"the allow list does not lift a line", IP4, LINE({.action = STEER_DROP}), .allow = "192.0.2.1", HIT,
     .parse = P4},
    {"bypass before a dropped flow", IP4, UDP, LINE({.action = STEER_BYPASS}), .flags = STEER_USE_FLOWS,
     .entry = {.kind = STEER_KIND_DROP}, .line = 1, FORWARDED(STEER_LINE_BYPASS), .parse = P4},
};

#define SRC4(a, n)                                                                                     \
    {                                                                                                  \
        .tests = STEER_TEST_SRC, .version = 4, .src = {a}, .src_mask = {NET4(n)}, .action = STEER_DROP \
    }
#define DST4(a, n)                                                                                     \
    {                                                                                                  \
        .tests = STEER_TEST_DST, .version = 4, .dst = {a}, .dst_mask = {NET4(n)}, .action = STEER_DROP \
    }
#define ANY4(a, n)                                                                                     \
    {                                                                                                  \
        .tests = STEER_TEST_NET, .version = 4, .src = {a}, .src_mask = {NET4(n)}, .action = STEER_DROP \
    }
#define NET6(test, side, w0, w1, w3, m1, m3)                                            \
    {                                                                                   \
        .tests = test, .version = 6,                                                    \
        .side = {__constant_htonl(w0), __constant_htonl(w1), 0, __constant_htonl(w3)},  \
        .side##_mask = {0xffffffff, __constant_htonl(m1), m3, m3}, .action = STEER_DROP \
    }
#define RANGE(t, field, a, b)                             \
    {                                                     \
        .tests = t, .field = {a, b}, .action = STEER_DROP \
    }
#define SPORT(a, b) RANGE(STEER_TEST_SPORT, sport, a, b)
#define DPORT(a, b) RANGE(STEER_TEST_DPORT, dport, a, b)
#define PORT(a, b)  RANGE(STEER_TEST_PORT, dport, a, b)
#define VLAN(a, b)  RANGE(STEER_TEST_VLAN, vlan, a, b)
#define PROTO(n)                                                    \
    {                                                               \
        .tests = STEER_TEST_PROTO, .proto = n, .action = STEER_DROP \
    }
#define VERSION(n)                                                      \
    {                                                                   \
        .tests = STEER_TEST_VERSION, .version = n, .action = STEER_DROP \
    }
#define IN_PORT(n)                                                      \
    {                                                                   \
        .tests = STEER_TEST_IN_PORT, .in_port = n, .action = STEER_DROP \
    }
#define ETHERTYPE(n)                                                        \
    {                                                                       \
        .tests = STEER_TEST_ETHERTYPE, .ethertype = n, .action = STEER_DROP \
    }

static const struct row addresses[] = {
    {"source host", IP4, LINE(SRC4(A4(192, 0, 2, 1), 32)), HIT, .parse = P4},
    {"source network", IP4, LINE(SRC4(A4(192, 0, 0, 0), 16)), HIT, .parse = P4},
    {"source network of odd length", IP4, LINE(SRC4(A4(192, 0, 2, 0), 31)), HIT, .parse = P4},
    {"source, neighbour", IP4, LINE(SRC4(A4(192, 0, 2, 2), 31)), MISS, .parse = P4},
    {"source, the destination's", IP4, LINE(SRC4(A4(198, 51, 100, 9), 32)), MISS, .parse = P4},
    {"destination host", IP4, LINE(DST4(A4(198, 51, 100, 9), 32)), HIT, .parse = P4},
    {"destination, neighbour", IP4, LINE(DST4(A4(198, 51, 100, 8), 32)), MISS, .parse = P4},
    {"destination, the source's", IP4, LINE(DST4(A4(192, 0, 2, 1), 32)), MISS, .parse = P4},
    {"either, the source", IP4, LINE(ANY4(A4(192, 0, 2, 1), 32)), HIT, .parse = P4},
    {"either, the destination", IP4, LINE(ANY4(A4(198, 51, 100, 0), 24)), HIT, .parse = P4},
    {"either, neither", IP4, LINE(ANY4(A4(203, 0, 113, 0), 24)), MISS, .parse = P4},
    {"IPv4 line of all addresses, IPv6 packet", IP6,
     LINE({.tests = STEER_TEST_SRC, .version = 4, .action = STEER_DROP}), MISS, .parse = P6},
    {"IPv4 line of all addresses, ARP", .type = 0x0806,
     LINE({.tests = STEER_TEST_SRC, .version = 4, .action = STEER_DROP}), MISS, .parse = POTH},
    {"source and destination", IP4,
     LINE({.tests = STEER_TEST_SRC | STEER_TEST_DST,
           .version = 4,
           .src = {A4(192, 0, 2, 1)},
           .src_mask = {NET4(32)},
           .dst = {A4(198, 51, 100, 9)},
           .dst_mask = {NET4(32)},
           .action = STEER_DROP}),
     HIT, .parse = P4},
    {"source, but not destination", IP4,
     LINE({.tests = STEER_TEST_SRC | STEER_TEST_DST,
           .version = 4,
           .src = {A4(192, 0, 2, 1)},
           .src_mask = {NET4(32)},
           .dst = {A4(198, 51, 100, 8)},
           .dst_mask = {NET4(32)},
           .action = STEER_DROP}),
     MISS, .parse = P4},
    {"IPv6 source host", IP6, LINE(NET6(STEER_TEST_SRC, src, 0x20010db8, 0, 1, 0xffffffff, 0xffffffff)), HIT,
     .parse = P6},
    {"IPv6 source, last bit", IP6, LINE(NET6(STEER_TEST_SRC, src, 0x20010db8, 0, 0, 0xffffffff, 0xffffffff)),
     MISS, .parse = P6},
    {"IPv6 destination network", IP6,
     LINE(NET6(STEER_TEST_DST, dst, 0x20010db8, 0x000f0000, 0, 0xffff0000, 0)), HIT, .parse = P6},
    {"IPv6 destination, neighbour", IP6,
     LINE(NET6(STEER_TEST_DST, dst, 0x20010db8, 0x000e0000, 0, 0xffff0000, 0)), MISS, .parse = P6},
    {"IPv6 either, the destination", IP6,
     LINE(NET6(STEER_TEST_NET, src, 0x20010db8, 0x000f0000, 0, 0xffff0000, 0)), HIT, .parse = P6},
    {"behind tags", .tags = {0x88a8, 0x8100}, IP4, LINE(SRC4(A4(192, 0, 2, 1), 32)), HIT,
     .parse = P4 | PVLAN},
};

static const struct row ports[] = {
    {"source port", IP4, TCP(ACK), LINE(SPORT(40000, 40000)), HIT, .parse = P4},
    {"source port, below", IP4, TCP(ACK), LINE(SPORT(40001, 65535)), MISS, .parse = P4},
    {"source port, above", IP4, TCP(ACK), LINE(SPORT(0, 39999)), MISS, .parse = P4},
    {"source port, the destination's", IP4, TCP(ACK), LINE(SPORT(443, 443)), MISS, .parse = P4},
    {"destination port, first of a range", IP4, UDP, LINE(DPORT(53, 60)), HIT, .parse = P4},
    {"destination port, last of a range", IP4, UDP, LINE(DPORT(50, 53)), HIT, .parse = P4},
    {"destination port, all", IP4, UDP, LINE(DPORT(0, 65535)), HIT, .parse = P4},
    {"either port, the source's", IP4, UDP, LINE(PORT(40000, 40000)), HIT, .parse = P4},
    {"either port, the destination's", IP4, UDP, LINE(PORT(53, 53)), HIT, .parse = P4},
    {"either port, neither", IP4, UDP, LINE(PORT(54, 39999)), MISS, .parse = P4},
    {"SCTP", IP4, .proto = IPPROTO_SCTP, .sport = 1, .dport = 36412, LINE(DPORT(36412, 36412)), HIT,
     .parse = P4},
    {"IPv6", IP6, UDP, LINE(DPORT(53, 53)), HIT, .parse = P6},
    {"ICMP has no port, not even 0", IP4, .proto = IPPROTO_ICMP, LINE(PORT(0, 65535)), MISS, .parse = P4},
    {"ARP has no port", .type = 0x0806, LINE(PORT(0, 65535)), MISS, .parse = POTH},
    {"first fragment", IP4, UDP, .frag = 0x2000, LINE(DPORT(53, 53)), HIT, .parse = P4},
    {"later fragment", IP4, UDP, .frag = 0x2001, LINE(DPORT(0, 65535)), MISS, .parse = P4},
    {"last fragment", IP4, UDP, .frag = 0x0001, LINE(DPORT(0, 65535)), MISS, .parse = P4},
    {"later fragment, by its protocol", IP4, UDP, .frag = 0x0001, LINE(PROTO(IPPROTO_UDP)), HIT, .parse = P4},
    {"IPv6 first fragment", IP6, UDP, .n_ext = 1, .ext = {44}, .frag = 1, .payload = 16, LINE(DPORT(53, 53)),
     HIT, .parse = P6},
    {"IPv6 later fragment", IP6, UDP, .n_ext = 1, .ext = {44}, .frag = 8, LINE(DPORT(0, 65535)), MISS,
     .parse = P6},
    {"IPv6 fragment header around a whole datagram", IP6, UDP, .n_ext = 1, .ext = {44}, LINE(DPORT(53, 53)),
     HIT, .parse = P6},
    {"behind options", IP6, UDP, .n_ext = 2, .ext = {0, 60}, LINE(DPORT(53, 53)), HIT, .parse = P6},
    {"behind one of each", IP6, UDP, .n_ext = 7, .ext = {0, 60, 43, 44, 135, 139, 140}, LINE(DPORT(53, 53)),
     HIT, .parse = P6},
    {"behind an authentication header", IP6, UDP, .n_ext = 1, .ext = {51}, LINE(DPORT(53, 53)), HIT,
     .parse = P6},
    {"behind an authentication header, IPv4", IP4, UDP, .n_ext = 1, .ext = {51}, LINE(DPORT(53, 53)), HIT,
     .parse = P4},
    {"IPv6's options are no headers of IPv4", IP4, UDP, .n_ext = 1, .ext = {60}, LINE(PORT(0, 65535)), MISS,
     .parse = P4},
    {"behind ten extension headers", IP6, UDP, .n_ext = 10, .ext = {0, 60, 60, 60, 60, 60, 60, 60, 60, 60},
     LINE(DPORT(53, 53)), HIT, .parse = P6},
    {"behind eleven", IP6, UDP, .n_ext = 11, .ext = {0, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60},
     LINE(PORT(0, 65535)), MISS, .parse = P6},
    {"ESP hides them", IP6, .proto = IPPROTO_ESP, LINE(PORT(0, 65535)), MISS, .parse = P6},
    {"cut before them", IP4, UDP, .cut = 37, LINE(PORT(0, 65535)), MISS, .parse = P4},
    {"the IP header says there are none", IP4, UDP, .n_poke = 2, .poke = {{2, 0}, {3, 24}},
     LINE(PORT(0, 65535)), MISS, .parse = P4},
};

static const struct row others[] = {
    {"protocol", IP4, TCP(SYN), LINE(PROTO(IPPROTO_TCP)), HIT, .parse = P4},
    {"other protocol", IP4, TCP(SYN), LINE(PROTO(IPPROTO_UDP)), MISS, .parse = P4},
    {"protocol 0 is not what is no IP", .type = 0x0806, LINE(PROTO(0)), MISS, .parse = POTH},
    {"protocol behind extension headers", IP6, UDP, .n_ext = 1, .ext = {60}, LINE(PROTO(IPPROTO_UDP)), HIT,
     .parse = P6},
    {"GRE", IP4, .proto = IPPROTO_GRE, LINE(PROTO(IPPROTO_GRE)), HIT, .parse = P4},
    {"version 4", IP4, LINE(VERSION(4)), HIT, .parse = P4},
    {"version 6", IP6, LINE(VERSION(6)), HIT, .parse = P6},
    {"not version 6", IP4, LINE(VERSION(6)), MISS, .parse = P4},
    {"not IP", .type = 0x0806, LINE(VERSION(0)), HIT, .parse = POTH},
    {"not IP, and it is", IP4, LINE(VERSION(0)), MISS, .parse = P4},
    {"received on port 0", IP4, LINE(IN_PORT(0)), HIT, .parse = P4},
    {"received on port 1", IP4, .port = 1, LINE(IN_PORT(1)), HIT, .parse = P4},
    {"received on the other", IP4, .port = 1, LINE(IN_PORT(0)), MISS, .parse = P4},
    {"ethertype", .type = 0x88cc, LINE(ETHERTYPE(0x88cc)), HIT, .parse = POTH},
    {"ethertype behind tags", .tags = {0x88a8, 0x8100}, .type = 0x0806, LINE(ETHERTYPE(0x0806)), HIT,
     .parse = POTH | PVLAN},
    {"other ethertype", .type = 0x88cc, LINE(ETHERTYPE(0x88cd)), MISS, .parse = POTH},
    {"untagged", IP4, LINE(VLAN(0, 0)), HIT, .parse = P4},
    {"untagged, but it is tagged", .tags = {0x8100}, IP4, LINE(VLAN(0, 0)), MISS, .parse = P4 | PVLAN},
    {"a tag without an id is none", .tags = {0x8100}, .vid = {NO_TAG_ID}, IP4, LINE(VLAN(0, 0)), HIT,
     .parse = P4 | PVLAN},
    {"VLAN", .tags = {0x8100}, IP4, LINE(VLAN(100, 100)), HIT, .parse = P4 | PVLAN},
    {"VLAN, first of a range", .tags = {0x8100}, IP4, LINE(VLAN(100, 200)), HIT, .parse = P4 | PVLAN},
    {"VLAN, last of a range", .tags = {0x8100}, IP4, LINE(VLAN(1, 100)), HIT, .parse = P4 | PVLAN},
    {"VLAN, next to a range", .tags = {0x8100}, IP4, LINE(VLAN(101, 200)), MISS, .parse = P4 | PVLAN},
    {"the highest VLAN", .tags = {0x8100}, .vid = {4095}, IP4, LINE(VLAN(4095, 4095)), HIT,
     .parse = P4 | PVLAN},
    {"VLAN, the outer one", .tags = {0x88a8, 0x8100}, IP4, LINE(VLAN(100, 100)), HIT, .parse = P4 | PVLAN},
    {"VLAN, not the inner one", .tags = {0x88a8, 0x8100}, IP4, LINE(VLAN(101, 101)), MISS,
     .parse = P4 | PVLAN},
    {"VLAN behind a tag without an id", .tags = {0x8100, 0x8100}, .vid = {NO_TAG_ID, 7}, IP4,
     LINE(VLAN(7, 7)), HIT, .parse = P4 | PVLAN},
    {"VLAN and port", .tags = {0x8100}, IP4, UDP,
     LINE({.tests = STEER_TEST_VLAN | STEER_TEST_DPORT,
           .vlan = {100, 100},
           .dport = {53, 53},
           .action = STEER_DROP}),
     HIT, .parse = P4 | PVLAN},
    {"VLAN, but not port", .tags = {0x8100}, IP4, UDP,
     LINE({.tests = STEER_TEST_VLAN | STEER_TEST_DPORT,
           .vlan = {100, 100},
           .dport = {54, 54},
           .action = STEER_DROP}),
     MISS, .parse = P4 | PVLAN},
};

static void test_actions(void **state)
{
    LAB_NEEDED();
    steer_lab_rows(actions, N_OF(actions));
}

static void test_addresses(void **state)
{
    LAB_NEEDED();
    steer_lab_rows(addresses, N_OF(addresses));
}

static void test_ports(void **state)
{
    LAB_NEEDED();
    steer_lab_rows(ports, N_OF(ports));
}

static void test_others(void **state)
{
    LAB_NEEDED();
    steer_lab_rows(others, N_OF(others));
}

/* As many lines as there may be; only the last one matches. One more in the word than there may be is not walked. */
static void test_last_line(void **state)
{
    static struct steer_line lines[STEER_LINES_MAX + 1];
    struct row r = {"the last line",
                    IP4,
                    .lines = lines,
                    .n_lines = STEER_LINES_MAX,
                    .line = STEER_LINES_MAX,
                    FORWARDED(STEER_LINE_BYPASS),
                    .parse = P4};
    struct row beyond = {"a line too many", IP4,        .lines = lines, .n_lines = STEER_LINES_MAX + 1,
                         TO_WORKER,         .parse = P4};
    LAB_NEEDED();
    static struct steer_lab l;

    for (unsigned i = 0; i < STEER_LINES_MAX; i++)
        lines[i] = (struct steer_line)VERSION(6);
    lines[STEER_LINES_MAX - 1] = lines[STEER_LINES_MAX] = (struct steer_line){.action = STEER_BYPASS};
    steer_lab_open(&l);
    steer_lab_row(&l, &r);
    lines[STEER_LINES_MAX - 1] = lines[0];
    steer_lab_row(&l, &beyond);
    steer_lab_close(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_actions, lab_setup),   cmocka_unit_test_setup(test_addresses, lab_setup),
        cmocka_unit_test_setup(test_ports, lab_setup),     cmocka_unit_test_setup(test_others, lab_setup),
        cmocka_unit_test_setup(test_last_line, lab_setup),
    };

    lab_enter();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
