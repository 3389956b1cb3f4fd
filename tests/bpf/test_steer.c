/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The steering program's ends: which port, how far a frame is read, the bypass switch, whether a worker is alive, and the
 * fail policy when none is. One row per case (tests/bpf/steer_lab.h says what a row checks); the other stages have tables
 * of their own: test_steer_lines.c, test_steer_guard.c, test_steer_flows.c.
 */
#include "tests/bpf/steer_lab.h"

static const struct row parsing[] = {
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

    /* not of the bridge: the host's, whatever it is */
    {"other interface", IP4, .port = LO, .verdict = XDP_PASS, .exit = STEER_UNKNOWN_PORT},
    {"other interface, fail closed", IP4, .port = LO, .policy = STEER_FAIL_CLOSED, .verdict = XDP_PASS,
     .exit = STEER_UNKNOWN_PORT},
    {"other interface, blocked address", IP4, .port = LO, .block = "0.0.0.0/0", .block_dst = "0.0.0.0/0",
     .verdict = XDP_PASS, .exit = STEER_UNKNOWN_PORT},
    {"other interface, bypass switched on", IP4, .port = LO, .bypass = true, .verdict = XDP_PASS,
     .exit = STEER_UNKNOWN_PORT},
};

#define SWITCHED     .bypass = true, FORWARDED(STEER_SWITCH_BYPASS)
#define STALE_OPEN   .policy = STEER_FAIL_OPEN, FORWARDED(STEER_FAIL_OPENED), .parse = P4 | PSTALE
#define STALE_CLOSED .policy = STEER_FAIL_CLOSED, DROPPED(STEER_FAIL_CLOSED_DROP), .parse = P4 | PSTALE
#define ALIVE        TO_WORKER, .parse = P4
#define EVERYTHING                                                                                   \
    (STEER_HAS_BLOCKS | STEER_HAS_ALLOWS | STEER_HAS_SOURCES | STEER_DROP_BROKEN | STEER_USE_FLOWS | \
     STEER_LIMIT_SOURCE | STEER_LIMIT_SYN_SRC | STEER_LIMIT_SYN_DST)
static const struct row living[] = {
    /* the switch: before everything else, and nothing is read */
    {"bypass switched on", IP4, SWITCHED},
    {"bypass switched on, second port", IP6, .port = 1, SWITCHED},
    {"bypass switched on, no worker, closed", IP4, .empty = true, .policy = STEER_FAIL_CLOSED, SWITCHED},
    {"bypass switched on, blocked", IP4, .block = "0.0.0.0/0", SWITCHED},
    {"bypass switched on, broken", IP4, .flags = STEER_DROP_BROKEN, .cut = 20, SWITCHED},
    {"bypass switched on, ARP", .type = 0x0806, .queue = 1, SWITCHED},

    /* signs of life */
    {"a beat of now", IP4, .heartbeat_ms = 1000, ALIVE},
    {"half a heartbeat old", IP4, .heartbeat_ms = 1000, .beat_age_ms = 500, ALIVE},
    {"two heartbeats old, open", IP4, .heartbeat_ms = 1000, .beat_age_ms = 2000, STALE_OPEN},
    {"two heartbeats old, closed", IP4, .heartbeat_ms = 1000, .beat_age_ms = 2000, STALE_CLOSED},
    {"two heartbeats old, second port and queue", IP4, .port = 1, .queue = 1, .heartbeat_ms = 1000,
     .beat_age_ms = 2000, STALE_CLOSED},
    {"just too old: by less than a tick", IP4, .heartbeat_ms = 1000, .beat_age_ms = 1001, STALE_CLOSED},
    {"just not too old", IP4, .heartbeat_ms = 1000, .beat_age_ms = 900, ALIVE},
    {"a heartbeat shorter than a tick, kept", IP4, .heartbeat_ms = 8, ALIVE},
    {"a heartbeat shorter than a tick, missed", IP4, .heartbeat_ms = 1, .beat_age_ms = 2, STALE_CLOSED},
    {"never a beat", IP4, .heartbeat_ms = 1000, .never_beat = true, STALE_CLOSED},
    {"never a beat, however long the heartbeat", IP4, .heartbeat_ms = 1000000000, .never_beat = true,
     STALE_CLOSED},
    {"a beat that lies ahead", IP4, .heartbeat_ms = 20, .beat_age_ms = -5000, ALIVE},
    {"a beat that lies far ahead", IP4, .heartbeat_ms = 20, .beat_age_ms = -86400000, ALIVE},
    {"asleep: the frame starts the clock", IP4, .heartbeat_ms = 20, .asleep = true, ALIVE},
    {"asleep, second queue", IP4, .queue = 1, .heartbeat_ms = 20, .asleep = true, ALIVE},
    {"nobody asks for a heartbeat: old", IP4, .beat_age_ms = 60000, ALIVE},
    {"nobody asks for a heartbeat: never", IP4, .never_beat = true, ALIVE},
    {"nobody asks for a heartbeat: asleep", IP4, .asleep = true, ALIVE},
    {"a beat and no socket", IP4, .heartbeat_ms = 1000, CLOSED, .parse = P4},
    {"asleep and no socket", IP4, .heartbeat_ms = 1000, .asleep = true, OPENED, .parse = P4},

    /* everything switched on, and nothing in it: as if it were off */
    {"all on, IPv4", IP4, TCP(ACK), .flags = EVERYTHING, .heartbeat_ms = 1000, ALIVE},
    {"all on, IPv6", IP6, UDP, .flags = EVERYTHING, .heartbeat_ms = 1000, TO_WORKER, .parse = P6},
    {"all on, ARP", .type = 0x0806, .flags = EVERYTHING, .heartbeat_ms = 1000, TO_WORKER, .parse = POTH},
    {"all on, no worker, open", IP4, UDP, .flags = EVERYTHING, OPENED, .parse = P4},
    {"all on, no worker, closed", IP4, UDP, .flags = EVERYTHING, CLOSED, .parse = P4},
};

#define KNOWN   .empty = true, .policy = STEER_FAIL_OPEN_KNOWN, FORWARDED(STEER_FAIL_KNOWN)
#define UNKNOWN .empty = true, .policy = STEER_FAIL_OPEN_KNOWN, DROPPED(STEER_FAIL_UNKNOWN_DROP)
#define ND(t)   IP6, .proto = IPPROTO_ICMPV6, .hops = 255, .icmp = (t)
static const struct row open_known[] = {
    {"a worker is there", IP4, .policy = STEER_FAIL_OPEN_KNOWN, TO_WORKER, .parse = P4},
    {"a flow nobody knows", IP4, TCP(ACK), UNKNOWN, .parse = P4},
    {"a SYN", IP4, TCP(SYN), UNKNOWN, .parse = P4},
    {"stale", IP4, UDP, .policy = STEER_FAIL_OPEN_KNOWN, .heartbeat_ms = 1, .beat_age_ms = 2,
     DROPPED(STEER_FAIL_UNKNOWN_DROP), .parse = P4 | PSTALE},
    {"ARP", .type = 0x0806, KNOWN, .parse = POTH},
    {"ARP, tagged", .tags = {0x8100}, .type = 0x0806, KNOWN, .parse = PVLAN | POTH},
    {"ARP, second port", .type = 0x0806, .port = 1, KNOWN, .parse = POTH},
    {"LLDP", .type = 0x88cc, KNOWN, .parse = POTH},
    {"802.3, spanning tree", .type = 0x0026, KNOWN, .parse = POTH},
    {"router solicitation", ND(133), KNOWN, .parse = P6},
    {"router advertisement", ND(134), KNOWN, .parse = P6},
    {"neighbour solicitation", ND(135), KNOWN, .parse = P6},
    {"neighbour advertisement", ND(136), KNOWN, .parse = P6},
    {"neighbour advertisement, tagged", .tags = {0x8100}, ND(136), KNOWN, .parse = PVLAN | P6},
    {"redirect", ND(137), KNOWN, .parse = P6},
    {"the type below", ND(132), UNKNOWN, .parse = P6},
    {"the type above", ND(138), UNKNOWN, .parse = P6},
    {"echo request", ND(128), UNKNOWN, .parse = P6},
    {"neighbour solicitation that a router passed on", IP6, .proto = IPPROTO_ICMPV6, .hops = 254, .icmp = 135,
     UNKNOWN, .parse = P6},
    {"neighbour solicitation in a fragment", ND(135), .n_ext = 1, .ext = {44}, .frag = 1, UNKNOWN,
     .parse = P6},
    {"neighbour solicitation, cut", ND(135), .cut = 56, UNKNOWN, .parse = P6},
    {"the same type in IPv4", IP4, .proto = IPPROTO_ICMPV6, .hops = 255, .icmp = 135, UNKNOWN, .parse = P4},

    /* not IP to this program, and yet it may lead to IP, or have been meant as such */
    {"four tags", .tags = {0x88a8, 0x8100, 0x8100, 0x8100}, IP4, UNKNOWN, .parse = PVLAN | POTH},
    {"labels", .type = 0x8847, UNKNOWN, .parse = POTH},
    {"multicast labels", .type = 0x8848, UNKNOWN, .parse = POTH},
    {"PPPoE session", .type = 0x8864, UNKNOWN, .parse = POTH},
    {"PPPoE discovery", .type = 0x8863, KNOWN, .parse = POTH},
    {"PPP", .type = 0x880b, UNKNOWN, .parse = POTH},
    {"provider backbone bridge", .type = 0x88e7, UNKNOWN, .parse = POTH},
    {"VN-Tag", .type = 0x8926, UNKNOWN, .parse = POTH},
    {"service header", .type = 0x894f, UNKNOWN, .parse = POTH},
    {"transparent Ethernet", .type = 0x6558, UNKNOWN, .parse = POTH},
    {"SNAP", .type = 0x0026, .n_poke = 2, .poke = {{0, 0xaa}, {1, 0xaa}}, UNKNOWN, .parse = POTH},
    {"IPv4 ethertype, version 6", IP4, .version = 6, UNKNOWN, .parse = POTH},
    {"IPv6 ethertype, version 4", IP6, .version = 4, UNKNOWN, .parse = POTH},
    {"ends inside the IP header", IP4, .cut = 30, UNKNOWN, .parse = PSHRT},
    {"ends inside the tag", .tags = {0x8100}, IP4, .cut = 16, UNKNOWN, .parse = PSHRT},
    {"a fragment", IP4, UDP, .frag = 0x2000, UNKNOWN, .parse = P4},
};

static void test_parsing(void **state)
{
    LAB_NEEDED();
    steer_lab_rows(parsing, N_OF(parsing));
}

static void test_living(void **state)
{
    LAB_NEEDED();
    steer_lab_rows(living, N_OF(living));
}

static void test_open_known(void **state)
{
    LAB_NEEDED();
    steer_lab_rows(open_known, N_OF(open_known));
}

/* A slot is of one port and one queue; taking the socket out, or closing it, brings the fail policy back. */
static void test_slots(void **state)
{
    static const struct row to_worker = {"slot set", IP4, .slots_kept = true, TO_WORKER, .parse = P4},
                            other_queue = {"other queue", IP4,    .slots_kept = true,
                                           .queue = 1,    CLOSED, .parse = P4},
                            other_port = {"other port", IP4,    .slots_kept = true,
                                          .port = 1,    CLOSED, .parse = P4},
                            cleared = {"slot cleared", IP4, .slots_kept = true, CLOSED, .parse = P4};
    LAB_NEEDED();
    static struct steer_lab l;
    struct err e = {0};

    steer_lab_open(&l);
    int fd = xsk_socket__fd(l.sockets[0][0].xsk);
    assert_int_equal(xdp_set_socket(l.x, 0, 0, fd, &e), 0);
    steer_lab_row(&l, &to_worker);
    steer_lab_row(&l, &other_queue);
    steer_lab_row(&l, &other_port);
    assert_int_equal(xdp_clear_socket(l.x, 0, 0), 0);
    steer_lab_row(&l, &cleared);
    assert_int_equal(xdp_set_socket(l.x, 0, 0, fd, &e), 0);
    steer_lab_row(&l, &to_worker);
    lab_socket_close(&l.sockets[0][0]); /* as when the daemon dies */
    l.sockets[0][0].xsk = NULL;
    steer_lab_row(&l, &cleared);
    assert_int_equal(xdp_set_socket(l.x, 0, STEER_QUEUES_MAX, 0, &e), -ERANGE);
    assert_int_equal(xdp_set_socket(l.x, STEER_PORTS, 0, 0, &e), -ERANGE);
    assert_int_equal(xdp_clear_socket(l.x, STEER_PORTS, 0), -ERANGE);
    steer_lab_close(&l);
}

/* More queues than there are slots for: they follow the fail policy. */
static void test_queue_without_a_slot(void **state)
{
    static const struct row rows[] = {
        {"the last slot, empty", IP4, .queue = STEER_QUEUES_MAX - 1, CLOSED, .parse = P4},
        {"closed", IP4, .queue = STEER_QUEUES_MAX, CLOSED, .parse = P4},
        {"open", IP4, .queue = STEER_QUEUES_MAX, .heartbeat_ms = 1000, OPENED, .parse = P4},
        {"bypass switched on", IP4, .queue = STEER_QUEUES_MAX, .bypass = true,
         FORWARDED(STEER_SWITCH_BYPASS)},
    };
    LAB_NEEDED();
    static struct steer_lab l;

    lab_run("ip link del tsa && ip link add tsa numrxqueues 65 type veth peer name tsa-peer && ip link set "
            "tsa up && "
            "ip link set tsa-peer up");
    steer_lab_open(&l);
    for (size_t i = 0; i < N_OF(rows); i++)
        steer_lab_row(&l, &rows[i]);
    steer_lab_close(&l);
}

/* With the other interface gone, there is no way out for what is to be forwarded, whoever says so. */
static void test_no_way_out(void **state)
{
    static const struct steer_line bypass = {.action = STEER_BYPASS};
#define NOWHERE DROPPED(STEER_NO_WAY_OUT)
    static const struct row rows[] = {
        {"fail open", IP4, .empty = true, .policy = STEER_FAIL_OPEN, NOWHERE, .parse = P4},
        {"fail open, known", .type = 0x0806, .empty = true, .policy = STEER_FAIL_OPEN_KNOWN, NOWHERE,
         .parse = POTH},
        {"bypass switched on", IP4, .bypass = true, NOWHERE},
        {"a line says bypass", IP4, .lines = &bypass, .n_lines = 1, .line = 1, NOWHERE, .parse = P4,
         .worker = true},
        {"a bypassed flow", IP4, UDP, .flags = STEER_USE_FLOWS, .entry = {.kind = STEER_KIND_BYPASS},
         .charged = true, NOWHERE, .parse = P4, .worker = true},
        {"to the worker", IP4, TO_WORKER, .parse = P4},
    };
    LAB_NEEDED();
    static struct steer_lab l;

    steer_lab_open(&l);
    lab_run("ip link del tsb");
    for (size_t i = 0; i < N_OF(rows); i++)
        steer_lab_row(&l, &rows[i]);
    steer_lab_close(&l);
}

/* A beat never looks older than it is, however the coarse clock stands to the tick, and not younger either. */
static void test_the_clocks_agree(void **state)
{
    enum { HEARTBEAT_NS = 12000000, RUNS = 400 }; /* little above a tick: both clocks are asked */
    static const struct row row = {"beat", IP4, .policy = STEER_FAIL_CLOSED, TO_WORKER, .parse = P4};
    uint8_t frame[FRAME_MAX], out[FRAME_MAX];
    LAB_NEEDED();
    static struct steer_lab l;
    uint32_t zero = 0, len = frame_build(&row.frame, frame), out_len;
    unsigned early = 0, late = 0;

    steer_lab_open(&l);
    steer_lab_row(&l, &row);
    l.cfg.heartbeat_ns = HEARTBEAT_NS;
    steer_lab_push(&l);
    for (unsigned i = 0; i < RUNS; i++) {
        uint64_t before_ns = steer_lab_now_ns();
        struct steer_beat beat = {.beat_ns = before_ns - i * (2ull * HEARTBEAT_NS / RUNS)};
        assert_int_equal(bpf_map_update_elem(l.beats, &zero, &beat, BPF_ANY), 0);
        int verdict = steer_lab_run(&l, l.x->ifindex[0], 0, frame, len, out, &out_len, 1);
        early += verdict == XDP_DROP && steer_lab_now_ns() - beat.beat_ns <= HEARTBEAT_NS;
        late += verdict == XDP_REDIRECT && before_ns - beat.beat_ns > HEARTBEAT_NS;
    }
    assert_int_equal(early, 0);
    assert_int_equal(late, 0);
    steer_lab_close(&l);
}

/* A sleeper that never wakes: its first frame starts the clock, and when the heartbeat is over it counts as dead. */
static void test_asleep_for_ever(void **state)
{
    static const struct row first = {
        "first",   IP4,        .policy = STEER_FAIL_CLOSED, .heartbeat_ms = 20, .asleep = true,
        TO_WORKER, .parse = P4};
    uint8_t frame[FRAME_MAX], out[FRAME_MAX];
    LAB_NEEDED();
    static struct steer_lab l;
    uint32_t len = frame_build(&first.frame, frame), out_len;

    steer_lab_open(&l);
    steer_lab_row(&l, &first);
    uint64_t began_ns = steer_lab_now_ns(), age_ns;
    do {
        age_ns = steer_lab_now_ns() - began_ns;
    } while (steer_lab_run(&l, l.x->ifindex[0], 0, frame, len, out, &out_len, 1) == XDP_REDIRECT &&
             age_ns < 1000000000);
    assert_in_range(age_ns, 0, 999999999);
    steer_lab_close(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_parsing, lab_setup),
        cmocka_unit_test_setup(test_living, lab_setup),
        cmocka_unit_test_setup(test_open_known, lab_setup),
        cmocka_unit_test_setup(test_slots, lab_setup),
        cmocka_unit_test_setup(test_queue_without_a_slot, lab_setup),
        cmocka_unit_test_setup(test_no_way_out, lab_setup),
        cmocka_unit_test_setup(test_the_clocks_agree, lab_setup),
        cmocka_unit_test_setup(test_asleep_for_ever, lab_setup),
    };

    lab_enter();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
