/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guard in the program: block lists, the allow list before them, broken headers one by one beside what only looks odd,
 * sources blocked for a time, and rates: how much passes at once, what a frame is charged to, and that two CPUs at one
 * address do not let more through than one.
 */
#include "tests/bpf/steer_lab.h"
#include <pthread.h>

#define BY_SRC DROPPED(STEER_BLOCKED_SRC)
#define BY_DST DROPPED(STEER_BLOCKED_DST)
static const struct row blocks[] = {
    {"source host", IP4, .block = "192.0.2.1", BY_SRC, .parse = P4},
    {"source prefix", IP4, .block = "192.0.0.0/16", BY_SRC, .parse = P4},
    {"source prefix of odd length", IP4, .block = "192.0.2.0/31", BY_SRC, .parse = P4},
    {"all sources", IP4, .block = "0.0.0.0/0", BY_SRC, .parse = P4},
    {"destination host", IP4, .block_dst = "198.51.100.9", BY_DST, .parse = P4},
    {"destination prefix", IP4, .block_dst = "198.51.100.8/29", BY_DST, .parse = P4},
    {"both sides listed, source counts", IP4, .block = "0.0.0.0/0", .block_dst = "0.0.0.0/0", BY_SRC,
     .parse = P4},
    {"both sides listed, destination hits", IP4, .block = "198.51.100.0/24", .block_dst = "198.51.100.0/24",
     BY_DST, .parse = P4},
    {"IPv6 source host", IP6, .block = "2001:db8::1", BY_SRC, .parse = P6},
    {"IPv6 source prefix", IP6, .block = "2001:db8::/33", BY_SRC, .parse = P6},
    {"IPv6 destination host", IP6, .block_dst = "2001:db8:f::9/128", BY_DST, .parse = P6},
    {"IPv6 destination prefix", IP6, .block_dst = "2001:db8:f::/48", BY_DST, .parse = P6},
    {"behind one tag", .tags = {0x8100}, IP4, .block = "192.0.2.1", BY_SRC, .parse = PVLAN | P4},
    {"behind two tags", .tags = {0x88a8, 0x8100}, IP6, .block_dst = "2001:db8:f::/48", BY_DST,
     .parse = PVLAN | P6},
    {"blocked before the fail policy", IP4, .empty = true, .block = "192.0.2.1", .policy = STEER_FAIL_OPEN,
     BY_SRC, .parse = P4},
    {"on the second port", IP4, .port = 1, .block = "192.0.2.1", BY_SRC, .parse = P4},
    {"neighbour of a prefix", IP4, .block = "192.0.3.0/24", .block_dst = "192.0.3.0/24", TO_WORKER,
     .parse = P4},
    {"neighbour of a host", IP4, .block = "192.0.2.0", .block_dst = "192.0.2.0", TO_WORKER, .parse = P4},
    {"neighbour of an IPv6 prefix", IP6, .block = "2001:db8:8000::/33", .block_dst = "2001:db8:8000::/33",
     TO_WORKER, .parse = P6},
    {"the source on the destinations' list", IP4, .block_dst = "192.0.2.1", TO_WORKER, .parse = P4},
    {"the destination on the sources' list", IP6, .block = "2001:db8:f::9", TO_WORKER, .parse = P6},
    {"IPv4 frame, IPv6 list", IP4, .block = "::/0", .block_dst = "::/0", TO_WORKER, .parse = P4},
    {"IPv6 frame, IPv4 list", IP6, .block = "0.0.0.0/0", .block_dst = "0.0.0.0/0", TO_WORKER, .parse = P6},
    {"ARP, all addresses blocked", .type = 0x0806, .block = "0.0.0.0/0", .block_dst = "0.0.0.0/0", TO_WORKER,
     .parse = POTH},

};

#define ALLOWED TO_WORKER
static const struct row allows[] = {
    {"allowed source, blocked source", IP4, .block = "192.0.2.0/24", .allow = "192.0.2.1", ALLOWED,
     .parse = P4 | PALLOW},
    {"allowed destination, blocked source", IP4, .block = "192.0.2.0/24", .allow_dst = "198.51.100.0/24",
     ALLOWED, .parse = P4 | PALLOW},
    {"allowed source, blocked destination", IP4, .block_dst = "0.0.0.0/0", .allow = "192.0.2.1", ALLOWED,
     .parse = P4 | PALLOW},
    {"a wider allowed prefix wins as well", IP4, .block = "192.0.2.1", .allow = "0.0.0.0/0", ALLOWED,
     .parse = P4 | PALLOW},
    {"allowed, IPv6", IP6, .block = "2001:db8::/32", .allow = "2001:db8::1", ALLOWED, .parse = P6 | PALLOW},
    {"allowed, IPv6 destination", IP6, .block = "2001:db8::/32", .allow_dst = "2001:db8:f::/48", ALLOWED,
     .parse = P6 | PALLOW},
    {"the neighbour is allowed", IP4, .block = "192.0.2.0/24", .allow = "192.0.2.2", BY_SRC, .parse = P4},
    {"the source is allowed as destination", IP4, .block = "192.0.2.0/24", .allow_dst = "192.0.2.1", BY_SRC,
     .parse = P4},
    {"the other version is allowed", IP4, .block = "192.0.2.0/24", .allow = "::/0", .allow_dst = "::/0",
     BY_SRC, .parse = P4},
    {"allowed, broken", IP4, TCP(SYN | FIN), .flags = STEER_DROP_BROKEN, .allow = "192.0.2.1", ALLOWED,
     .parse = P4 | PALLOW},
    {"allowed, blocked for a time", IP4, UDP, .flags = STEER_HAS_SOURCES, .allow = "192.0.2.1",
     .entry = {.kind = STEER_KIND_SOURCE}, ALLOWED, .parse = P4 | PALLOW},
    {"allowed, and its flow was dropped", IP4, UDP, .flags = STEER_DROP_BROKEN | STEER_USE_FLOWS,
     .allow = "192.0.2.1", .entry = {.kind = STEER_KIND_DROP}, .charged = true, DROPPED(STEER_FLOW_DROP),
     .parse = P4 | PALLOW},
    {"allowed, no worker", IP4, .block = "192.0.2.0/24", .allow = "192.0.2.1", CLOSED, .parse = P4 | PALLOW},
    {"nothing to guard: nobody asks who is allowed", IP4, .allow = "192.0.2.1", TO_WORKER, .parse = P4},
};

#define GUARDED               .flags = STEER_DROP_BROKEN
#define BROKEN                GUARDED, DROPPED(STEER_BROKEN_DROP)
#define FINE                  GUARDED, TO_WORKER
#define POKE(at, v)           .n_poke = 1, .poke = {{at, v}}
#define POKE2(at, v, at2, v2) .n_poke = 2, .poke = {{at, v}, {at2, v2}}
#define FROM4(a, b)           .type = 0x0800, .src = a, .dst = b
#define FROM6(a, b)           .type = 0x86dd, .src = a, .dst = b
#define T4                    20 /* where the transport's header begins */
#define T6                    40
static const struct row broken_ip[] = {
    {"as it should be", IP4, UDP, FINE, .parse = P4},
    {"as it should be, IPv6", IP6, UDP, FINE, .parse = P6},
    {"not asked for", IP4, TCP(SYN | FIN), TO_WORKER, .parse = P4},
    {"ARP", .type = 0x0806, FINE, .parse = POTH},
    {"link padding", IP4, UDP, .pad = 30, FINE, .parse = P4},
    {"link padding, IPv6", IP6, UDP, .pad = 30, FINE, .parse = P6},
    {"header of 16 bytes", IP4, UDP, POKE(0, 0x44), BROKEN, .parse = P4},
    {"header of 24 bytes, no more there", IP4, .proto = 253, .payload = 1, POKE(0, 0x46), BROKEN,
     .parse = P4},
    {"total length below the header's", IP4, UDP, POKE2(2, 0, 3, 19), BROKEN, .parse = P4},
    {"total length 0", IP4, UDP, POKE2(2, 0, 3, 0), BROKEN, .parse = P4},
    {"total length of the header alone", IP4, .proto = 253, POKE2(2, 0, 3, 20), FINE, .parse = P4},
    {"total length a byte beyond the frame", IP4, UDP, POKE2(2, 0, 3, 41), BROKEN, .parse = P4},
    {"total length beyond the frame, tagged", .tags = {0x8100}, IP4, UDP, POKE2(2, 0, 3, 41), BROKEN,
     .parse = P4 | PVLAN},
    {"payload length a byte beyond the frame", IP6, UDP, POKE2(4, 0, 5, 21), BROKEN, .parse = P6},
    {"payload length 0", IP6, .proto = 253, POKE2(4, 0, 5, 0), FINE, .parse = P6},
    {"ends inside the IPv4 header", IP4, .cut = 33, BROKEN, .parse = PSHRT},
    {"ends inside the IPv6 header", IP6, .cut = 53, BROKEN, .parse = PSHRT},
    {"ends inside the tag", .tags = {0x8100}, IP4, .cut = 16, BROKEN, .parse = PSHRT},
    {"IPv4 ethertype, version 6", IP4, .version = 6, BROKEN, .parse = POTH},
    {"IPv6 ethertype, version 4", IP6, .version = 4, BROKEN, .parse = POTH},
    {"four tags are not read, not broken", .tags = {0x8100, 0x8100, 0x8100, 0x8100}, IP4, FINE,
     .parse = POTH | PVLAN},

    {"from itself", FROM4("192.0.2.1", "192.0.2.1"), UDP, BROKEN, .parse = P4},
    {"from itself, IPv6", FROM6("2001:db8::1", "2001:db8::1"), UDP, BROKEN, .parse = P6},
    {"from a multicast group", FROM4("224.0.0.1", "192.0.2.1"), UDP, BROKEN, .parse = P4},
    {"from the last multicast group", FROM4("239.255.255.255", "192.0.2.1"), UDP, BROKEN, .parse = P4},
    {"from below multicast", FROM4("223.255.255.255", "192.0.2.1"), UDP, FINE, .parse = P4},
    {"from class E, which some use", FROM4("240.0.0.1", "192.0.2.1"), UDP, FINE, .parse = P4},
    {"from the broadcast address", FROM4("255.255.255.255", "192.0.2.1"), UDP, BROKEN, .parse = P4},
    {"from loopback", FROM4("127.0.0.1", "192.0.2.1"), UDP, BROKEN, .parse = P4},
    {"to loopback", FROM4("192.0.2.1", "127.1.2.3"), UDP, BROKEN, .parse = P4},
    {"from 126/8", FROM4("126.255.255.255", "128.0.0.1"), UDP, FINE, .parse = P4},
    {"DHCP from a host without an address", FROM4("0.0.0.0", "255.255.255.255"), UDP, FINE, .parse = P4},
    {"to a multicast group", FROM4("192.0.2.1", "224.0.0.251"), UDP, FINE, .parse = P4},
    {"from a multicast group, IPv6", FROM6("ff02::1", "2001:db8::1"), UDP, BROKEN, .parse = P6},
    {"from loopback, IPv6", FROM6("::1", "2001:db8::1"), UDP, BROKEN, .parse = P6},
    {"to loopback, IPv6", FROM6("2001:db8::1", "::1"), UDP, BROKEN, .parse = P6},
    {"from nowhere, as in address detection", FROM6("::", "ff02::1:ff00:1"), .proto = IPPROTO_ICMPV6,
     .icmp = 135, .hops = 255, FINE, .parse = P6},
    {"to a multicast group, IPv6", FROM6("fe80::1", "ff02::fb"), UDP, FINE, .parse = P6},

    {"an option header that runs out", IP6, UDP, .n_ext = 1, .ext = {60}, POKE(T6 + 1, 4), BROKEN,
     .parse = P6},
    {"an option header that runs into the link padding", IP6, UDP, .n_ext = 1, .ext = {60}, .pad = 60,
     POKE(T6 + 1, 4), BROKEN, .parse = P6},
    {"hop-by-hop options first", IP6, UDP, .n_ext = 2, .ext = {0, 60}, FINE, .parse = P6},
    {"hop-by-hop options second", IP6, UDP, .n_ext = 2, .ext = {60, 0}, BROKEN, .parse = P6},
    {"ten extension headers", IP6, UDP, .n_ext = 10, .ext = {0, 60, 60, 60, 60, 60, 60, 60, 60, 60}, FINE,
     .parse = P6},
    {"eleven: not read, not broken", IP6, UDP, .n_ext = 11,
     .ext = {0, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60}, FINE, .parse = P6},
    {"no next header", IP6, .proto = 59, FINE, .parse = P6},
    {"an authentication header that runs out", IP4, UDP, .n_ext = 1, .ext = {51}, POKE(T4 + 1, 9), BROKEN,
     .parse = P4},
};

static const struct row broken_l4[] = {
    {"SYN", IP4, TCP(SYN), FINE, .parse = P4},
    {"SYN|ACK", IP4, TCP(SYN | ACK), FINE, .parse = P4},
    {"SYN with ECN's flags", IP4, TCP(SYN | 0xc0), FINE, .parse = P4},
    {"SYN|URG|PSH", IP4, TCP(SYN | URG | PSH), FINE, .parse = P4},
    {"ACK", IP4, TCP(ACK), FINE, .parse = P4},
    {"FIN|ACK", IP4, TCP(FIN | ACK), FINE, .parse = P4},
    {"RST", IP4, TCP(RST), FINE, .parse = P4},
    {"RST|ACK", IP4, TCP(RST | ACK), FINE, .parse = P4},
    {"FIN|PSH|URG|ACK", IP4, TCP(FIN | PSH | URG | ACK), FINE, .parse = P4},
    {"SYN|FIN", IP4, TCP(SYN | FIN), BROKEN, .parse = P4},
    {"SYN|RST", IP4, TCP(SYN | RST), BROKEN, .parse = P4},
    {"SYN|RST|ACK", IP6, TCP(SYN | RST | ACK), BROKEN, .parse = P6},
    {"no flags", IP4, TCP(0), BROKEN, .parse = P4},
    {"FIN alone", IP4, TCP(FIN), BROKEN, .parse = P4},
    {"PSH|URG", IP4, TCP(PSH | URG), BROKEN, .parse = P4},
    {"FIN|PSH|URG", IP6, TCP(FIN | PSH | URG), BROKEN, .parse = P6},
    {"TCP header of 16 bytes", IP4, TCP(ACK), POKE(T4 + 12, 0x40), BROKEN, .parse = P4},
    {"TCP header of all the packet", IP4, TCP(ACK), POKE(T4 + 12, 0x80), FINE, .parse = P4},
    {"TCP header beyond the packet", IP4, TCP(ACK), POKE(T4 + 12, 0x90), BROKEN, .parse = P4},
    {"TCP header into the link padding", IP4, TCP(ACK), .pad = 20, POKE(T4 + 12, 0x90), BROKEN, .parse = P4},
    {"TCP cut", IP4, TCP(ACK), .cut = 14 + 20 + 19, POKE2(2, 0, 3, 39), BROKEN, .parse = P4},
    {"port 0", IP4, .proto = IPPROTO_TCP, .tcp = ACK, FINE, .parse = P4},
    {"UDP length 7", IP4, UDP, POKE2(T4 + 4, 0, T4 + 5, 7), BROKEN, .parse = P4},
    {"UDP length 0", IP6, UDP, POKE2(T6 + 4, 0, T6 + 5, 0), BROKEN, .parse = P6},
    {"UDP length 8", IP4, UDP, POKE2(T4 + 4, 0, T4 + 5, 8), FINE, .parse = P4},
    {"UDP length of all", IP4, UDP, POKE2(T4 + 4, 0, T4 + 5, 20), FINE, .parse = P4},
    {"UDP length a byte beyond", IP4, UDP, POKE2(T4 + 4, 0, T4 + 5, 21), BROKEN, .parse = P4},
    {"UDP length into the link padding", IP4, UDP, .pad = 9, POKE2(T4 + 4, 0, T4 + 5, 21), BROKEN,
     .parse = P4},
    {"4 bytes of UDP", IP4, UDP, POKE2(2, 0, 3, 24), BROKEN, .parse = P4},
    {"SCTP", IP4, .proto = IPPROTO_SCTP, FINE, .parse = P4},
    {"11 bytes of SCTP", IP4, .proto = IPPROTO_SCTP, POKE2(2, 0, 3, 31), BROKEN, .parse = P4},
    {"ICMP", IP4, .proto = IPPROTO_ICMP, FINE, .parse = P4},
    {"7 bytes of ICMP", IP4, .proto = IPPROTO_ICMP, POKE2(2, 0, 3, 27), BROKEN, .parse = P4},
    {"ICMP's number in IPv6 says nothing", IP6, .proto = IPPROTO_ICMP, POKE2(4, 0, 5, 7), FINE, .parse = P6},
    {"OSPF", IP4, .proto = 89, .payload = 1, FINE, .parse = P4},

    {"first fragment: UDP speaks of the whole datagram", IP4, UDP, .frag = 0x2000,
     POKE2(T4 + 4, 5, T4 + 5, 0), FINE, .parse = P4},
    {"first fragment, its TCP options in the next", IP4, TCP(SYN), .frag = 0x2000, POKE(T4 + 12, 0xf0), FINE,
     .parse = P4},
    {"first fragment, TCP flags", IP4, TCP(0), .frag = 0x2000, BROKEN, .parse = P4},
    {"first fragment, half a TCP header", IP4, TCP(SYN), .frag = 0x2000, POKE2(2, 0, 3, 36), BROKEN,
     .parse = P4},
    {"a fragment that overlaps TCP's flags", IP4, TCP(0), .frag = 0x0001, BROKEN, .parse = P4},
    {"the same of UDP", IP4, UDP, .frag = 0x0001, FINE, .parse = P4},
    {"later fragment of TCP", IP4, TCP(0), .frag = 0x0002, FINE, .parse = P4},
    {"a fragment that ends at 65,535", IP4, .proto = 253, .payload = 7, .frag = 0x1fff, FINE, .parse = P4},
    {"a fragment that ends beyond", IP4, .proto = 253, .payload = 8, .frag = 0x1fff, BROKEN, .parse = P4},
    {"IPv6 fragment, a multiple of 8", IP6, UDP, .payload = 16, .n_ext = 1, .ext = {44}, .frag = 1, FINE,
     .parse = P6},
    {"IPv6 fragment of 20 bytes", IP6, UDP, .n_ext = 1, .ext = {44}, .frag = 1, BROKEN, .parse = P6},
    {"IPv6 last fragment of 20 bytes", IP6, UDP, .n_ext = 1, .ext = {44}, .frag = 16 << 3, FINE, .parse = P6},
    {"IPv6 fragment that overlaps TCP's flags", IP6, TCP(0), .n_ext = 1, .ext = {44}, .frag = 1 << 3, BROKEN,
     .parse = P6},
};

#define SOURCES     .flags = STEER_HAS_SOURCES
#define FOR_TIME    SOURCES, DROPPED(STEER_BLOCKED_TIME), .charged = true
#define SOURCE(...) .entry = {.kind = STEER_KIND_SOURCE, ##__VA_ARGS__}
static const struct frame other = {.type = 0x0800, .src = "192.0.2.2"},
                          at_dst = {.type = 0x0800, .src = "198.51.100.9"},
                          high = {.type = 0x0800, .src = "198.51.100.9"};
static const struct row sources[] = {
    {"blocked", IP4, UDP, SOURCE(), FOR_TIME, .parse = P4},
    {"blocked, IPv6", IP6, UDP, SOURCE(), FOR_TIME, .parse = P6},
    {"blocked, second port", IP4, TCP(SYN), .port = 1, SOURCE(), FOR_TIME, .parse = P4},
    {"blocked, tagged: the address counts", .tags = {0x8100}, IP4, UDP, SOURCE(), FOR_TIME,
     .parse = P4 | PVLAN},
    {"blocked, fragment", IP4, UDP, .frag = 0x2000, SOURCE(), FOR_TIME, .parse = P4},
    {"blocked, cut behind the IP header", IP4, .cut = 34, SOURCE(), FOR_TIME, .parse = P4},
    {"blocked, the higher end", BACK4, UDP, SOURCE(.of = &high), FOR_TIME, .parse = P4},
    {"another source", IP4, UDP, SOURCE(.of = &other), SOURCES, TO_WORKER, .parse = P4},
    {"frames to it pass", IP4, UDP, SOURCE(.of = &at_dst), SOURCES, TO_WORKER, .parse = P4},
    {"its time is over", IP4, UDP, SOURCE(.expires_in_ms = -1000), SOURCES, TO_WORKER, .parse = P4},
    {"its time is not over", IP4, UDP, SOURCE(.expires_in_ms = 1000), FOR_TIME, .parse = P4},
    {"silent for too long", IP4, UDP, SOURCE(.age_ms = 2000, .idle_ms = 1000), SOURCES, TO_WORKER,
     .parse = P4},
    {"nothing is too long", IP4, UDP, SOURCE(.age_ms = 200000000, .idle_ms = UINT32_MAX), FOR_TIME,
     .parse = P4},
    {"nobody asks", IP4, UDP, SOURCE(), TO_WORKER, .parse = P4},
    {"blocked, no worker, open", IP4, UDP, .empty = true, SOURCE(), FOR_TIME, .parse = P4},
    {"the verdict cache alone does not ask", IP4, UDP, SOURCE(), .flags = STEER_USE_FLOWS, TO_WORKER,
     .parse = P4},
    {"a dropped flow is no source", IP4, UDP, .entry = {.kind = STEER_KIND_DROP}, SOURCES, TO_WORKER,
     .parse = P4},
};

#define TABLE_TEST(table)                   \
    static void test_##table(void **state)  \
    {                                       \
        LAB_NEEDED();                       \
        steer_lab_rows(table, N_OF(table)); \
    }
TABLE_TEST(blocks)
TABLE_TEST(allows)
TABLE_TEST(broken_ip)
TABLE_TEST(broken_l4)
TABLE_TEST(sources)

/* --- rates ---------------------------------------------------------------------------------------------------------- */

enum { INTERVAL_S = 100, BURST = 5 };
#define NS_PER_S 1000000000ull

/* BURST frames pass at once, and so slowly does it recover that no time passes in a test. */
static void limit(struct steer_lab *l, enum steer_limited which, uint32_t flags)
{
    l->cfg.limit[which] = (struct steer_limit){INTERVAL_S * NS_PER_S, (BURST - 1) * INTERVAL_S * NS_PER_S};
    l->cfg.flags = flags;
    l->cfg.fail_policy = STEER_FAIL_CLOSED;
    steer_lab_push(l);
}

/* How many of n such frames pass the guard; the others go to `exit`. */
static unsigned pass(struct steer_lab *l, const struct frame *f, unsigned n, enum steer_counter exit)
{
    uint8_t frame[FRAME_MAX], out[FRAME_MAX];
    uint32_t len = frame_build(f, frame), out_len;
    struct xdp_counters a, b;

    assert_int_equal(xdp_counters(l->x, &a), 0);
    steer_lab_run(l, l->x->ifindex[0], 0, frame, len, out, &out_len, n);
    assert_int_equal(xdp_counters(l->x, &b), 0);
    uint64_t passed = b.exits[0][STEER_FAIL_CLOSED_DROP] - a.exits[0][STEER_FAIL_CLOSED_DROP],
             over = b.exits[0][exit] - a.exits[0][exit];
    assert_int_equal(passed + over, n);
    return (unsigned)passed;
}

static void test_source_rate(void **state)
{
    static const struct frame one = {IP4, UDP}, two = {FROM4("192.0.2.2", "198.51.100.9"), UDP},
                              six = {IP6, UDP}, back = {BACK4, UDP}, arp = {.type = 0x0806};
    LAB_NEEDED();
    static struct steer_lab l;

    steer_lab_open(&l);
    limit(&l, STEER_RATE_SOURCE, STEER_LIMIT_SOURCE);
    assert_int_equal(pass(&l, &one, 3, STEER_RATE_DROP), 3);
    assert_int_equal(pass(&l, &one, 10, STEER_RATE_DROP), BURST - 3);
    assert_int_equal(pass(&l, &one, 10, STEER_RATE_DROP), 0);
    assert_int_equal(pass(&l, &two, 10, STEER_RATE_DROP), BURST); /* each source by itself */
    assert_int_equal(pass(&l, &six, 10, STEER_RATE_DROP), BURST);
    assert_int_equal(pass(&l, &back, 10, STEER_RATE_DROP), BURST);
    assert_int_equal(pass(&l, &arp, 100, STEER_RATE_DROP), 100);
    assert_int_equal(pass(&l, &(struct frame){IP4, UDP, .frag = 0x2000}, 10, STEER_RATE_DROP), 0);
    steer_lab_close(&l);
}

/* Time heals: what is owed shrinks as the clock goes on, and never below nothing. */
static void test_rate_recovers(void **state)
{
    static const struct frame one = {IP4, UDP};
    static const struct {
        int64_t due_in_s;
        unsigned passes;
    } rows[] = {
        {(BURST + 100) * INTERVAL_S, 0},
        {(BURST - 1) * INTERVAL_S + 10, 0},
        {(BURST - 1) * INTERVAL_S - 10, 1},
        {1 * INTERVAL_S - 10, BURST - 1},
        {-10, BURST},
        {-100000, BURST},
    };
    struct steer_rate_key key = {.addr = {192, 0, 2, 1}, .version = 4, .which = STEER_RATE_SOURCE};
    LAB_NEEDED();
    static struct steer_lab l;

    steer_lab_open(&l);
    limit(&l, STEER_RATE_SOURCE, STEER_LIMIT_SOURCE);
    for (size_t i = 0; i < N_OF(rows); i++) {
        struct steer_rate rate = {steer_lab_now_ns() + (uint64_t)rows[i].due_in_s * NS_PER_S};
        assert_int_equal(bpf_map_update_elem(l.rates, &key, &rate, BPF_ANY), 0);
        assert_int_equal(pass(&l, &one, 20, STEER_RATE_DROP), rows[i].passes);
    }
    steer_lab_close(&l);
}

static void test_syn_rates(void **state)
{
    static const struct frame syn = {IP4, TCP(SYN)}, ack = {IP4, TCP(ACK)}, syn_ack = {IP4, TCP(SYN | ACK)},
                              other_src = {FROM4("192.0.2.2", "198.51.100.9"), TCP(SYN)},
                              other_dst = {FROM4("192.0.2.1", "198.51.100.8"), TCP(SYN)}, udp = {IP4, UDP},
                              six = {IP6, TCP(SYN)};
    static const struct {
        const char *name;
        const struct frame *frame;
        uint32_t flags;
        unsigned passes; /* of 10 */
        enum steer_counter exit;
    } rows[] = {
        {"not asked for", &syn, 0, 10, STEER_SYN_SRC_DROP},
        {"by source", &syn, STEER_LIMIT_SYN_SRC, BURST, STEER_SYN_SRC_DROP},
        {"by source, over", &syn, STEER_LIMIT_SYN_SRC, 0, STEER_SYN_SRC_DROP},
        {"by source, ACK", &ack, STEER_LIMIT_SYN_SRC, 10, STEER_SYN_SRC_DROP},
        {"by source, SYN|ACK", &syn_ack, STEER_LIMIT_SYN_SRC, 10, STEER_SYN_SRC_DROP},
        {"by source, UDP", &udp, STEER_LIMIT_SYN_SRC, 10, STEER_SYN_SRC_DROP},
        {"by source, to another", &other_dst, STEER_LIMIT_SYN_SRC, 0, STEER_SYN_SRC_DROP},
        {"by source, from another", &other_src, STEER_LIMIT_SYN_SRC, BURST, STEER_SYN_SRC_DROP},
        {"by source, IPv6", &six, STEER_LIMIT_SYN_SRC, BURST, STEER_SYN_SRC_DROP},
        {"by destination", &syn, STEER_LIMIT_SYN_DST, BURST, STEER_SYN_DST_DROP},
        {"by destination, from another", &other_src, STEER_LIMIT_SYN_DST, 0, STEER_SYN_DST_DROP},
        {"by destination, ACK", &ack, STEER_LIMIT_SYN_DST, 10, STEER_SYN_DST_DROP},
        {"by destination, another", &other_dst, STEER_LIMIT_SYN_DST, BURST, STEER_SYN_DST_DROP},
        {"both, the source comes first", &syn, STEER_LIMIT_SYN_SRC | STEER_LIMIT_SYN_DST, 0,
         STEER_SYN_SRC_DROP},
    };
    LAB_NEEDED();
    static struct steer_lab l;

    steer_lab_open(&l);
    limit(&l, STEER_RATE_SYN_SRC, 0);
    limit(&l, STEER_RATE_SYN_DST, 0);
    for (size_t i = 0; i < N_OF(rows); i++) {
        l.cfg.flags = rows[i].flags;
        steer_lab_push(&l);
        unsigned passed = pass(&l, rows[i].frame, 10, rows[i].exit);
        if (passed != rows[i].passes)
            fail_msg("%s: %u of 10 passed, not %u", rows[i].name, passed, rows[i].passes);
    }
    steer_lab_close(&l);
}

enum { FLOOD = 1000000 };

static void *flood(void *arg)
{
    static const struct frame one = {IP4, UDP};
    uint8_t frame[FRAME_MAX], out[FRAME_MAX];
    uint32_t len = frame_build(&one, frame), out_len;
    struct steer_lab *l = arg;

    steer_lab_run(l, l->x->ifindex[0], 0, frame, len, out, &out_len, FLOOD);
    return NULL;
}

/* Two CPUs: every frame is charged, whoever was faster. A frame may pass unseen where both find no entry. */
static void test_rate_on_two_cpus(void **state)
{
    enum { BURST_2 = FLOOD };
    LAB_NEEDED();
    static struct steer_lab l;
    struct xdp_counters c;
    pthread_t t[2];

    steer_lab_open(&l);
    limit(&l, STEER_RATE_SOURCE, STEER_LIMIT_SOURCE);
    l.cfg.limit[STEER_RATE_SOURCE].burst_ns = (BURST_2 - 1) * INTERVAL_S * NS_PER_S;
    steer_lab_push(&l);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&t[i], NULL, flood, &l), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    assert_int_equal(xdp_counters(l.x, &c), 0);
    assert_int_equal(c.exits[0][STEER_FAIL_CLOSED_DROP] + c.exits[0][STEER_RATE_DROP], 2 * FLOOD);
    assert_in_range(c.exits[0][STEER_FAIL_CLOSED_DROP], BURST_2, BURST_2 + 1);
    steer_lab_close(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_blocks, lab_setup),
        cmocka_unit_test_setup(test_allows, lab_setup),
        cmocka_unit_test_setup(test_broken_ip, lab_setup),
        cmocka_unit_test_setup(test_broken_l4, lab_setup),
        cmocka_unit_test_setup(test_sources, lab_setup),
        cmocka_unit_test_setup(test_source_rate, lab_setup),
        cmocka_unit_test_setup(test_rate_recovers, lab_setup),
        cmocka_unit_test_setup(test_syn_rates, lab_setup),
        cmocka_unit_test_setup(test_rate_on_two_cpus, lab_setup),
    };

    lab_enter();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
