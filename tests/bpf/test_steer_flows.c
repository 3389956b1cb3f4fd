/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The verdict cache in the program: whose frames an entry is for, how long it holds, who is charged, what goes to the
 * worker all the same, and what the entries mean while there is no worker. Tags are made here from the frames by
 * other code than the program's, so the tables also say that both agree on what a flow is.
 */
#include "tests/bpf/steer_lab.h"
#include <pthread.h>

#define CACHED      .flags = STEER_USE_FLOWS
#define DROP(...)   .entry = {.kind = STEER_KIND_DROP, ##__VA_ARGS__}
#define BYPASS(...) .entry = {.kind = STEER_KIND_BYPASS, ##__VA_ARGS__}
#define KNOWN(...)  .entry = {.kind = STEER_KIND_KNOWN, ##__VA_ARGS__}
#define IS_DROPPED  CACHED, DROPPED(STEER_FLOW_DROP), .charged = true
#define IS_BYPASSED CACHED, FORWARDED(STEER_FLOW_BYPASS), .charged = true
#define INSPECTED   CACHED, TO_WORKER
#define EXT(...)    .ext = {__VA_ARGS__}, .n_ext = sizeof((const uint8_t[]){__VA_ARGS__})

static const struct frame udp4 = {IP4, UDP}, udp6 = {IP6, UDP}, tcp4 = {IP4, TCP(ACK)},
                          on_100 = {.tags = {0x8100}, IP4, UDP},
                          on_7 = {.tags = {0x8100}, .vid = {7}, IP4, UDP},
                          qinq = {.tags = {0x88a8, 0x8100}, IP4, UDP},
                          other_port = {IP4, .proto = IPPROTO_UDP, .sport = 40001, .dport = 53},
                          turned_ports = {IP4, .proto = IPPROTO_UDP, .sport = 53, .dport = 40000},
                          low_port = {.type = 0x0800,
                                      .src = "192.0.2.1",
                                      .dst = "192.0.2.1",
                                      .proto = IPPROTO_UDP,
                                      .sport = 5,
                                      .dport = 300};

static const struct row whose[] = {
    {"dropped, UDP", IP4, UDP, DROP(), IS_DROPPED, .parse = P4},
    {"dropped, TCP", IP4, TCP(ACK), DROP(), IS_DROPPED, .parse = P4},
    {"dropped, SCTP", IP4, .proto = IPPROTO_SCTP, .sport = 7, .dport = 9, DROP(), IS_DROPPED, .parse = P4},
    {"dropped, ICMP", IP4, .proto = IPPROTO_ICMP, .sport = 7, .dport = 9, DROP(), IS_DROPPED, .parse = P4},
    {"dropped, ICMPv6", IP6, .proto = IPPROTO_ICMPV6, DROP(), IS_DROPPED, .parse = P6},
    {"dropped, ESP", IP4, .proto = IPPROTO_ESP, DROP(), IS_DROPPED, .parse = P4},
    {"dropped, IPv6", IP6, UDP, DROP(), IS_DROPPED, .parse = P6},
    {"bypassed, UDP", IP4, UDP, BYPASS(), IS_BYPASSED, .parse = P4},
    {"bypassed, IPv6, second port", IP6, TCP(ACK), .port = 1, BYPASS(), IS_BYPASSED, .parse = P6},
    {"known: to the worker", IP4, UDP, KNOWN(), INSPECTED, .parse = P4},
    {"a source of that tag is no flow", IP4, UDP, .entry = {.kind = STEER_KIND_SOURCE}, INSPECTED,
     .parse = P4},
    {"a kind nobody knows", IP4, UDP, .entry = {.kind = 5}, INSPECTED, .parse = P4},
    {"a kind far off", IP4, UDP, .entry = {.kind = 33}, INSPECTED, .parse = P4},
    {"the cache is not asked", IP4, UDP, DROP(), TO_WORKER, .parse = P4},

    {"the answer: the higher end is charged", BACK4, .proto = IPPROTO_UDP, .sport = 53, .dport = 40000,
     DROP(.of = &udp4, .end = 1), IS_DROPPED, .parse = P4},
    {"the answer, bypassed, IPv6", BACK6, .proto = IPPROTO_UDP, .sport = 53, .dport = 40000,
     BYPASS(.of = &udp6, .end = 1), IS_BYPASSED, .parse = P6},
    {"one address, ports tell the ends", .type = 0x0800, .src = "192.0.2.1", .dst = "192.0.2.1",
     .proto = IPPROTO_UDP, .sport = 5, .dport = 300, DROP(), IS_DROPPED, .parse = P4},
    {"one address, the other end", .type = 0x0800, .src = "192.0.2.1", .dst = "192.0.2.1",
     .proto = IPPROTO_UDP, .sport = 300, .dport = 5, DROP(.of = &low_port, .end = 1), IS_DROPPED,
     .parse = P4},
    {"addresses that differ in the last byte only", .type = 0x86dd, .src = "2001:db8::2",
     .dst = "2001:db8::1", UDP, DROP(.end = 1), IS_DROPPED, .parse = P6},
    {"bytes compare as they are sent", .type = 0x0800, .src = "1.0.0.2", .dst = "2.0.0.1", UDP, DROP(),
     IS_DROPPED, .parse = P4},
    {"another port", IP4, UDP, DROP(.of = &other_port), INSPECTED, .parse = P4},
    {"ports the other way round", IP4, UDP, DROP(.of = &turned_ports), INSPECTED, .parse = P4},
    {"another protocol", IP4, UDP, DROP(.of = &tcp4), INSPECTED, .parse = P4},

    {"on its VLAN", .tags = {0x8100}, IP4, UDP, DROP(), IS_DROPPED, .parse = P4 | PVLAN},
    {"on its VLANs", .tags = {0x88a8, 0x8100}, IP4, UDP, DROP(), IS_DROPPED, .parse = P4 | PVLAN},
    {"the kind of tag does not matter", .tags = {0x9100, 0x88a8}, IP4, UDP, DROP(.of = &qinq), IS_DROPPED,
     .parse = P4 | PVLAN},
    {"on another VLAN", .tags = {0x8100}, IP4, UDP, DROP(.of = &on_7), INSPECTED, .parse = P4 | PVLAN},
    {"untagged, the flow is on a VLAN", IP4, UDP, DROP(.of = &on_100), INSPECTED, .parse = P4},
    {"on a VLAN, the flow is untagged", .tags = {0x8100}, IP4, UDP, DROP(.of = &udp4), INSPECTED,
     .parse = P4 | PVLAN},
    {"a tag without an id is as none", .tags = {0x8100}, .vid = {NO_TAG_ID}, IP4, UDP, DROP(.of = &udp4),
     IS_DROPPED, .parse = P4 | PVLAN},
    {"a tag without an id outside", .tags = {0x8100, 0x8100}, .vid = {NO_TAG_ID, 7}, IP4, UDP,
     DROP(.of = &on_7), IS_DROPPED, .parse = P4 | PVLAN},
    {"a tag without an id between two", .tags = {0x88a8, 0x8100, 0x8100}, .vid = {100, NO_TAG_ID, 101}, IP4,
     UDP, DROP(.of = &qinq), IS_DROPPED, .parse = P4 | PVLAN},
    {"three VLANs have no key", .tags = {0x88a8, 0x8100, 0x8100}, IP4, UDP, DROP(.of = &qinq), INSPECTED,
     .parse = P4 | PVLAN},

    {"behind extension headers", IP6, UDP, EXT(0, 60, 43), DROP(.of = &udp6), IS_DROPPED, .parse = P6},
    {"behind a fragment header around all", IP6, UDP, EXT(44), DROP(.of = &udp6), IS_DROPPED, .parse = P6},
    {"behind an authentication header", IP4, UDP, EXT(51), DROP(.of = &udp4), IS_DROPPED, .parse = P4},
    {"behind eleven", IP6, UDP, EXT(0, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60), DROP(.of = &udp6), INSPECTED,
     .parse = P6},
    {"first fragment", IP4, UDP, .frag = 0x2000, DROP(.of = &udp4), INSPECTED, .parse = P4},
    {"later fragment", IP4, UDP, .frag = 0x0002, DROP(.of = &udp4), INSPECTED, .parse = P4},
    {"IPv6 first fragment", IP6, UDP, EXT(44), .payload = 16, .frag = 1, DROP(.of = &udp6), INSPECTED,
     .parse = P6},
    {"do not fragment, it says", IP4, UDP, .frag = 0x4000, DROP(.of = &udp4), IS_DROPPED, .parse = P4},
    {"padded", IP4, UDP, .pad = 18, DROP(), IS_DROPPED, .parse = P4},
    {"IP length beyond the frame", IP4, UDP, .n_poke = 1, .poke = {{3, 200}}, DROP(), INSPECTED, .parse = P4},
    {"UDP length beyond the packet", IP4, UDP, .n_poke = 1, .poke = {{25, 200}}, DROP(), INSPECTED,
     .parse = P4},
    {"TCP header beyond the packet", IP4, TCP(ACK), .n_poke = 1, .poke = {{32, 0xf0}}, DROP(), INSPECTED,
     .parse = P4},
    {"cut", IP4, UDP, .cut = 40, DROP(), INSPECTED, .parse = P4},
};

static const struct row how_long[] = {
    {"used half its idle time ago", IP4, UDP, DROP(.age_ms = 5000, .idle_ms = 10000), IS_DROPPED,
     .parse = P4},
    {"idle for a bit too long", IP4, UDP, DROP(.age_ms = 10050, .idle_ms = 10000), INSPECTED, .parse = P4},
    {"idle for a bit less", IP4, UDP, DROP(.age_ms = 9000, .idle_ms = 10000), IS_DROPPED, .parse = P4},
    {"idle for hours", IP4, UDP, DROP(.age_ms = 10000000, .idle_ms = 10000), INSPECTED, .parse = P4},
    {"used in the time to come, as another CPU's clock says", IP4, UDP, DROP(.age_ms = -3, .idle_ms = 1),
     IS_DROPPED, .parse = P4},
    {"bypassed, idle for too long", IP4, UDP, BYPASS(.age_ms = 20000, .idle_ms = 10000), INSPECTED,
     .parse = P4},
    {"expired, however fresh", IP4, UDP, DROP(.expires_in_ms = -50), INSPECTED, .parse = P4},
    {"expired, bypassed", IP4, UDP, BYPASS(.expires_in_ms = -1000), INSPECTED, .parse = P4},
    {"not expired", IP4, UDP, DROP(.expires_in_ms = 1000), IS_DROPPED, .parse = P4},
    {"not expired, but idle", IP4, UDP, DROP(.expires_in_ms = 1000, .age_ms = 20, .idle_ms = 10), INSPECTED,
     .parse = P4},
};

/* A SYN may begin another connection, and the worker wants to see the end of what it does not inspect. */
static const struct row ends[] = {
    {"SYN of a dropped flow", IP4, TCP(SYN), DROP(), INSPECTED, .parse = P4},
    {"SYN|ACK of a dropped flow", IP4, TCP(SYN | ACK), DROP(), INSPECTED, .parse = P4},
    {"FIN of a dropped flow", IP4, TCP(FIN | ACK), DROP(), IS_DROPPED, .parse = P4},
    {"RST of a dropped flow", IP4, TCP(RST), DROP(), IS_DROPPED, .parse = P4},
    {"SYN of a bypassed flow", IP4, TCP(SYN), BYPASS(), INSPECTED, .parse = P4},
    {"SYN|ACK of a bypassed flow", IP4, TCP(SYN | ACK), BYPASS(), INSPECTED, .parse = P4},
    {"data of a bypassed flow", IP4, TCP(PSH | ACK), BYPASS(), IS_BYPASSED, .parse = P4},
    {"FIN of a bypassed flow", IP4, TCP(FIN | ACK), BYPASS(), INSPECTED, .parse = P4},
    {"RST of a bypassed flow", IP4, TCP(RST), BYPASS(), INSPECTED, .parse = P4},
    {"RST of a bypassed flow, IPv6", IP6, TCP(RST | ACK), BYPASS(), INSPECTED, .parse = P6},
    {"a byte of UDP where TCP has its flags", IP4, UDP, .n_poke = 1, .poke = {{33, 0xff}}, BYPASS(),
     IS_BYPASSED, .parse = P4},
};

/* Nobody is there. The cache itself may be off: what the entries say holds all the same. */
#define DEAD(p)  .empty = true, .policy = (p)
#define OPEN     DEAD(STEER_FAIL_OPEN)
#define SHUT     DEAD(STEER_FAIL_CLOSED)
#define ONLY     DEAD(STEER_FAIL_OPEN_KNOWN)
#define STAYS    DROPPED(STEER_FLOW_DROP), .charged = true
#define PASSES   FORWARDED(STEER_FAIL_KNOWN), .charged = true
#define REFUSED  DROPPED(STEER_FAIL_UNKNOWN_DROP)
#define STALE(p) .policy = (p), .heartbeat_ms = 1000, .beat_age_ms = 5000
static const struct row failing[] = {
    {"open: a dropped flow stays dropped", IP4, UDP, OPEN, DROP(), STAYS, .parse = P4 | PNOSK},
    {"open: its SYN too, for nobody could judge it", IP4, TCP(SYN), OPEN, DROP(), STAYS, .parse = P4 | PNOSK},
    {"open, cache on", IP4, UDP, OPEN, CACHED, DROP(), STAYS, .parse = P4},
    {"open, cache on: its SYN", IP4, TCP(SYN), OPEN, CACHED, DROP(), STAYS, .parse = P4 | PNOSK},
    {"open: the drop is over", IP4, UDP, OPEN, DROP(.age_ms = 100, .idle_ms = 50),
     FORWARDED(STEER_FAIL_OPENED), .parse = P4},
    {"open: known", IP4, UDP, OPEN, KNOWN(), FORWARDED(STEER_FAIL_OPENED), .parse = P4},
    {"open, stale: a dropped flow", IP4, UDP, STALE(STEER_FAIL_OPEN), DROP(), STAYS, .parse = P4 | PSTALE},
    {"closed: known", IP4, UDP, SHUT, KNOWN(), DROPPED(STEER_FAIL_CLOSED_DROP), .parse = P4},
    {"closed: bypassed, cache off", IP4, UDP, SHUT, BYPASS(), DROPPED(STEER_FAIL_CLOSED_DROP), .parse = P4},
    {"closed: bypassed, cache on", IP4, UDP, SHUT, CACHED, BYPASS(), FORWARDED(STEER_FLOW_BYPASS),
     .charged = true, .parse = P4},
    {"closed: FIN of what is bypassed", IP4, TCP(FIN | ACK), SHUT, CACHED, BYPASS(),
     DROPPED(STEER_FAIL_CLOSED_DROP), .parse = P4},
    {"closed: dropped, cache on", IP4, UDP, SHUT, CACHED, DROP(), STAYS, .parse = P4},

    {"open-known: known", IP4, UDP, ONLY, KNOWN(), PASSES, .parse = P4},
    {"open-known: known, the answer", BACK4, .proto = IPPROTO_UDP, .sport = 53, .dport = 40000, .port = 1,
     ONLY, KNOWN(.of = &udp4, .end = 1), PASSES, .parse = P4},
    {"open-known: known, TCP", IP6, TCP(ACK), ONLY, KNOWN(), PASSES, .parse = P6},
    {"open-known: known, its FIN", IP4, TCP(FIN | ACK), ONLY, KNOWN(), PASSES, .parse = P4},
    {"open-known: known, its RST", IP4, TCP(RST), ONLY, KNOWN(), PASSES, .parse = P4},
    {"open-known: known, a new SYN", IP4, TCP(SYN), ONLY, KNOWN(), REFUSED, .parse = P4},
    {"open-known: known, a new SYN|ACK", IP4, TCP(SYN | ACK), ONLY, KNOWN(), REFUSED, .parse = P4},
    {"open-known: known, on its VLAN", .tags = {0x8100}, IP4, UDP, ONLY, KNOWN(), PASSES,
     .parse = P4 | PVLAN},
    {"open-known: known, on another VLAN", .tags = {0x8100}, IP4, UDP, ONLY, KNOWN(.of = &on_7), REFUSED,
     .parse = P4 | PVLAN},
    {"open-known: known, its fragment", IP4, UDP, .frag = 0x2000, ONLY, KNOWN(), REFUSED, .parse = P4},
    {"open-known: known, stale", IP4, UDP, STALE(STEER_FAIL_OPEN_KNOWN), KNOWN(), PASSES,
     .parse = P4 | PSTALE},
    {"open-known: bypassed", IP4, UDP, ONLY, BYPASS(), PASSES, .parse = P4},
    {"open-known: bypassed, its FIN", IP4, TCP(FIN | ACK), ONLY, CACHED, BYPASS(), PASSES, .parse = P4},
    {"open-known: bypassed, cache on", IP4, UDP, ONLY, CACHED, BYPASS(), FORWARDED(STEER_FLOW_BYPASS),
     .charged = true, .parse = P4},
    {"open-known: dropped", IP4, UDP, ONLY, DROP(), STAYS, .parse = P4 | PNOSK},
    {"open-known: dropped, its SYN", IP4, TCP(SYN), ONLY, DROP(), STAYS, .parse = P4 | PNOSK},
    {"open-known: another flow is known", IP4, UDP, ONLY, KNOWN(.of = &other_port), REFUSED, .parse = P4},
    {"open-known: a source's entry", IP4, UDP, ONLY, .entry = {.kind = STEER_KIND_SOURCE}, REFUSED,
     .parse = P4},

    /* workers do not note each frame of what they inspect: while they lived, a flow they knew was not idle */
    {"known: idle, but the worker lived till now", IP4, UDP, ONLY, KNOWN(.age_ms = 5000, .idle_ms = 1000),
     PASSES, .parse = P4},
    {"known: idle since the worker died", IP4, UDP, ONLY, .beat_age_ms = 3000,
     KNOWN(.age_ms = 5000, .idle_ms = 1000), REFUSED, .parse = P4},
    {"known: not idle since the worker died", IP4, UDP, ONLY, .beat_age_ms = 3000,
     KNOWN(.age_ms = 5000, .idle_ms = 4000), PASSES, .parse = P4},
    {"known: used after the worker died", IP4, UDP, ONLY, .beat_age_ms = 3000,
     KNOWN(.age_ms = 500, .idle_ms = 1000), PASSES, .parse = P4},
    {"known: the worker died in its sleep", IP4, UDP, ONLY, .asleep = true,
     KNOWN(.age_ms = 5000, .idle_ms = 1000), PASSES, .parse = P4},
    {"known: never a worker", IP4, UDP, ONLY, .never_beat = true, KNOWN(.age_ms = 5000, .idle_ms = 1000),
     REFUSED, .parse = P4},
    {"known: expired", IP4, UDP, ONLY, KNOWN(.expires_in_ms = -10), REFUSED, .parse = P4},
    {"bypassed: the worker's life does not count", IP4, UDP, ONLY, BYPASS(.age_ms = 5000, .idle_ms = 1000),
     REFUSED, .parse = P4},
};

#define TABLE_TEST(table)                   \
    static void test_##table(void **state)  \
    {                                       \
        LAB_NEEDED();                       \
        steer_lab_rows(table, N_OF(table)); \
    }
TABLE_TEST(whose)
TABLE_TEST(how_long)
TABLE_TEST(ends)
TABLE_TEST(failing)

enum { FLOOD = 200000 };

static void *flood(void *arg)
{
    uint8_t frame[FRAME_MAX], out[FRAME_MAX];
    uint32_t len = frame_build(&udp4, frame), out_len;
    struct steer_lab *l = arg;

    assert_int_equal(steer_lab_run(l, l->x->ifindex[0], 0, frame, len, out, &out_len, FLOOD), XDP_DROP);
    return NULL;
}

/* Two CPUs at one entry: no frame and no byte is lost from its counts. */
static void test_counts_on_two_cpus(void **state)
{
    uint8_t frame[FRAME_MAX];
    LAB_NEEDED();
    static struct steer_lab l;
    struct steer_bucket b = {0};
    struct steer_key key;
    pthread_t t[2];

    steer_lab_open(&l);
    l.cfg.flags = STEER_USE_FLOWS;
    steer_lab_push(&l);
    frame_key(&udp4, &key);
    b.way[3] = (struct steer_flow){.tag = steer_tag(&key, l.cfg.key),
                                   .last_ns = steer_lab_now_ns(),
                                   .idle_ms = 60000,
                                   .kind = STEER_KIND_DROP};
    uint32_t index = (uint32_t)b.way[3].tag & (l.n_buckets - 1);
    assert_int_equal(bpf_map_update_elem(l.flows, &index, &b, BPF_ANY), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&t[i], NULL, flood, &l), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    assert_int_equal(bpf_map_lookup_elem(l.flows, &index, &b), 0);
    assert_int_equal(b.way[3].pkts[0], 2 * FLOOD);
    assert_int_equal(b.way[3].bytes[0], 2ull * FLOOD * frame_build(&udp4, frame));
    steer_lab_close(&l);
}

/* A map without buckets in its configuration, as before a daemon has written it, holds nothing. */
static void test_no_buckets(void **state)
{
    static const struct row row = {"no buckets", IP4, UDP, CACHED, TO_WORKER, .parse = P4};
    LAB_NEEDED();
    static struct steer_lab l;

    steer_lab_open(&l);
    l.cfg.flow_buckets = 0;
    steer_lab_row(&l, &row);
    steer_lab_close(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_whose, lab_setup),
        cmocka_unit_test_setup(test_how_long, lab_setup),
        cmocka_unit_test_setup(test_ends, lab_setup),
        cmocka_unit_test_setup(test_failing, lab_setup),
        cmocka_unit_test_setup(test_counts_on_two_cpus, lab_setup),
        cmocka_unit_test_setup(test_no_buckets, lab_setup),
    };

    lab_enter();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
