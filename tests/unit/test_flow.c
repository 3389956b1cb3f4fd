/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flows: which packets belong together, who opened, when established, what ends or replaces a flow, what a full
 * table does. Time is what the packets say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "ips/base/clock.h"
#include "ips/flow/flow.h"
#include "ips/flow/exception.h"
#include "tests/unit/packets.h"

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16, T0 = 1000 };
#define CLIENT 1
#define SERVER 2

static struct counters ctr;
static struct flow_table *table;
static struct frame frames[BURST_MAX];
static const struct flow_config defaults = {.max_flows = 100,
                                            .tcp_new_s = 30,
                                            .tcp_established_s = 600,
                                            .tcp_closed_s = 10,
                                            .udp_new_s = 30,
                                            .udp_established_s = 300,
                                            .icmp_s = 20,
                                            .other_s = 60};

static void use_table(struct flow_config cfg)
{
    struct err e;

    flow_table_free(table);
    memset(&ctr, 0, sizeof(ctr));
    table = flow_table_new(&cfg, &e);
    assert_non_null(table);
}

static int setup(void **state)
{
    use_table(defaults);
    return 0;
}

static int teardown(void **state)
{
    flow_table_free(table);
    table = NULL;
    return 0;
}

/* One packet at `second`, looked up. */
static struct packet see(uint64_t second, const struct pkt *k)
{
    struct packet p = pkt_decoded(&frames[0], k, (T0 + second) * NS_PER_S);

    flow_track(table, &p, 1, &ctr);
    return p;
}

static void expire(uint64_t second)
{
    flow_expire(table, (T0 + second) * NS_PER_S, 1000, &ctr);
}

/* A TCP segment of the one connection most tests use, numbers not needed by most. */
static struct packet tcp(uint64_t second, uint8_t from, uint8_t flags, uint32_t seq, uint32_t ack)
{
    bool c = from == CLIENT;

    return see(second, &(struct pkt){.src = from,
                                     .dst = c ? SERVER : CLIENT,
                                     .sport = c ? 40000 : 80,
                                     .dport = c ? 80 : 40000,
                                     .tcp_flags = flags,
                                     .seq = seq,
                                     .ack = ack});
}

static struct flow *handshake(uint64_t second, uint32_t isn)
{
    tcp(second, CLIENT, SYN, isn, 0);
    tcp(second, SERVER, SYN | ACK, 5000, isn + 1);
    return tcp(second, CLIENT, ACK, isn + 1, 5001).flow;
}

static void both_directions_one_flow(void **state)
{
    static const struct pkt kinds[] = {
        {.proto = IPPROTO_TCP, .tcp_flags = SYN},
        {.proto = IPPROTO_UDP},
        {.proto = IPPROTO_UDP, .v6 = true},
        {.proto = IPPROTO_UDP, .n_vlans = 1, .tci = {0x2005}},
        {.proto = IPPROTO_UDP, .n_vlans = 2, .tci = {5, 6}},
        {.proto = IPPROTO_SCTP, .payload = "sctp"},
        {.proto = IPPROTO_ESP, .payload = "esp!"},
        {.proto = IPPROTO_ICMP, .icmp_type = 8, .icmp_id = 3},
        {.proto = IPPROTO_ICMPV6, .v6 = true, .icmp_type = 128, .icmp_id = 3},
    };
    const unsigned n = sizeof(kinds) / sizeof(kinds[0]);
    struct flow *flows[sizeof(kinds) / sizeof(kinds[0])];

    for (unsigned i = 0; i < n; i++) {
        struct pkt k = kinds[i], back = kinds[i];
        bool ports = k.proto == IPPROTO_TCP || k.proto == IPPROTO_UDP || k.proto == IPPROTO_SCTP;
        k.src = CLIENT, k.dst = SERVER, k.sport = ports ? 1234 : 0, k.dport = ports ? 53 : 0;
        back.src = SERVER, back.dst = CLIENT, back.sport = k.dport, back.dport = k.sport;
        back.icmp_type = k.proto == IPPROTO_ICMP ? 0 : 129;
        back.tcp_flags = SYN | ACK;

        struct packet p = see(0, &k), q = see(1, &back);
        assert_non_null(p.flow);
        assert_ptr_equal(p.flow, q.flow);
        assert_int_equal(p.hash, q.hash);
        assert_int_equal(flow_hash(&p), p.hash);
        assert_true(p.flags & PKT_FLOW_NEW);
        assert_false(p.flags & (PKT_TO_CLIENT | PKT_ESTABLISHED));
        assert_false(q.flags & PKT_FLOW_NEW);
        assert_true(q.flags & PKT_TO_CLIENT);
        assert_int_equal(!!(q.flags & PKT_ESTABLISHED), k.proto != IPPROTO_TCP);
        assert_int_equal(q.flow->pkts[0], 1);
        assert_int_equal(q.flow->pkts[1], 1);
        assert_int_equal(q.flow->bytes[0], p.len);
        flows[i] = p.flow;
        for (unsigned j = 0; j < i; j++)
            assert_ptr_not_equal(flows[i], flows[j]);
        for (unsigned j = 0; j < i; j++)
            assert_int_not_equal(flows[i]->id, flows[j]->id);
    }
    assert_int_equal(flow_table_count(table), n);
    assert_int_equal(ctr.v[CTR_FLOW_NEW], n);
}

/* Random endpoints and protocols: the hash never depends on the direction, and differs between flows. */
static void hash_is_symmetric(void **state)
{
    unsigned same = 0;
    uint32_t last = 0;

    srand(2);
    for (unsigned i = 0; i < 20000; i++) {
        struct packet p = {.flags = PKT_HAS_IP | PKT_HAS_L4, .ip_version = rand() % 2 ? 4 : 6}, q;
        p.ip_proto = rand() % 2 ? IPPROTO_TCP : IPPROTO_UDP;
        for (unsigned b = 0; b < 16; b++)
            p.src.b[b] = (uint8_t)(rand() % 3), p.dst.b[b] = (uint8_t)(rand() % 3);
        if (i % 5 == 0)
            p.dst = p.src;
        p.sport = (uint16_t)rand(), p.dport = (uint16_t)rand();
        p.n_vlans = (uint8_t)(rand() % 3), p.vlan[0] = (uint16_t)rand(), p.vlan[1] = (uint16_t)rand();
        q = p;
        q.src = p.dst, q.dst = p.src, q.sport = p.dport, q.dport = p.sport;
        assert_int_equal(flow_hash(&p), flow_hash(&q));
        assert_int_not_equal(flow_hash(&p), 0);
        same += flow_hash(&p) == last;
        last = flow_hash(&p);
    }
    assert_true(same < 3);
}

static void different_flows(void **state)
{
    static const struct pkt kinds[] = {
        {.proto = IPPROTO_UDP},
        {.proto = IPPROTO_UDP, .sport = 40001},
        {.proto = IPPROTO_UDP, .dport = 81},
        {.proto = IPPROTO_UDP, .src = 9},
        {.proto = IPPROTO_UDP, .sport = 80, .dport = 40000}, /* ports turned, addresses not */
        {.proto = IPPROTO_UDP, .n_vlans = 1, .tci = {1}},
        {.proto = IPPROTO_UDP, .n_vlans = 2, .tci = {1, 1}},
        {.proto = IPPROTO_UDP, .n_vlans = 2, .tci = {1, 2}},
        {.proto = IPPROTO_TCP, .tcp_flags = SYN},
        {.proto = IPPROTO_ICMP, .icmp_type = 8, .icmp_id = 1},
        {.proto = IPPROTO_ICMP, .icmp_type = 8, .icmp_id = 2},
        {.proto = IPPROTO_ICMP, .icmp_type = 13, .icmp_id = 1},
    };

    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        assert_true(see(0, &kinds[i]).flags & PKT_FLOW_NEW);
    /* priority bits are no part of a VLAN id */
    assert_false(see(0, &(struct pkt){.proto = IPPROTO_UDP, .n_vlans = 1, .tci = {0xe001}}).flags &
                 PKT_FLOW_NEW);
}

static void no_flow_for(void **state)
{
    static const struct pkt kinds[] = {{.proto = 46, .payload = "rsvp"},
                                       {.frag = 0x2000, .payload = "fragment"}};

    for (unsigned i = 0; i < 2; i++) {
        struct packet p = see(0, &kinds[i]);
        assert_null(p.flow);
        assert_int_not_equal(flow_hash(&p), 0); /* yet it has an owner */
    }
    struct packet p = pkt_decoded(&frames[0], &(struct pkt){.tcp_flags = SYN}, NS_PER_S);
    for (unsigned i = 0; i < 3; i++) {
        struct packet q = p;
        q.flags = i == 0 ? 0 : (uint16_t)(p.flags | (i == 1 ? PKT_MALFORMED : PKT_BAD_CHECKSUM));
        flow_track(table, &q, 1, &ctr);
        assert_null(q.flow);
        assert_int_equal(flow_hash(&q), 0);
    }
    /* fragments of one datagram, whichever way, have one owner */
    struct packet a = see(0, &(struct pkt){.frag = 0x2000, .payload = "first"});
    struct packet b = see(0, &(struct pkt){.frag = 0x0003, .src = 2, .dst = 1, .payload = "last"});
    assert_int_equal(flow_hash(&a), flow_hash(&b));
    assert_int_equal(flow_table_count(table), 0);
}

static void tcp_handshake(void **state)
{
    struct packet p = tcp(0, CLIENT, SYN, 100, 0);
    assert_int_equal(p.flags & (PKT_FLOW_NEW | PKT_TO_CLIENT | PKT_ESTABLISHED), PKT_FLOW_NEW);
    p = tcp(0, SERVER, SYN | ACK, 500, 101);
    assert_int_equal(p.flags & (PKT_FLOW_NEW | PKT_TO_CLIENT | PKT_ESTABLISHED), PKT_TO_CLIENT);
    p = tcp(0, CLIENT, ACK, 101, 501); /* the handshake's last ACK belongs to the handshake */
    assert_false(p.flags & PKT_ESTABLISHED);
    assert_int_equal(p.flow->state, FLOW_ESTABLISHED);
    p = tcp(0, CLIENT, ACK, 101, 501);
    assert_true(p.flags & PKT_ESTABLISHED);
    p = tcp(0, SERVER, FIN | ACK, 501, 101);
    assert_true(p.flags & PKT_ESTABLISHED);
    assert_int_equal(p.flow->state, FLOW_ESTABLISHED);
    p = tcp(0, CLIENT, FIN | ACK, 101, 502);
    assert_int_equal(p.flow->state, FLOW_CLOSED);
    assert_true(p.flags & PKT_ESTABLISHED);
}

static void data_on_the_last_ack_is_established(void **state)
{
    tcp(0, CLIENT, SYN, 100, 0);
    tcp(0, SERVER, SYN | ACK, 500, 101);
    struct packet p = see(0, &(struct pkt){.tcp_flags = ACK, .seq = 101, .ack = 501, .payload = "GET"});
    assert_true(p.flags & PKT_ESTABLISHED);
}

static void no_handshake_no_established(void **state)
{
    tcp(0, CLIENT, SYN, 100, 0);
    assert_false(tcp(0, CLIENT, ACK, 101, 1).flags & PKT_ESTABLISHED);
    assert_false(tcp(0, SERVER, ACK, 1, 101).flags & PKT_ESTABLISHED);
    assert_false(tcp(0, SERVER, SYN, 1, 0).flags & PKT_ESTABLISHED);
    assert_false(tcp(0, CLIENT, ACK, 101, 2).flags & PKT_ESTABLISHED);
    assert_false(tcp(0, CLIENT, ACK, 101, 2).flags & PKT_ESTABLISHED);
}

static void a_forged_rst_blinds_nobody(void **state)
{
    struct flow *f = handshake(0, 100);
    f->verdict = FLOW_DROP;
    tcp(1, CLIENT, RST, 999999, 0);
    assert_int_equal(f->state, FLOW_CLOSED);
    for (uint64_t s = 2; s < 60; s += 5) {
        struct packet p = tcp(s, CLIENT, ACK, 101, 5001);
        assert_ptr_equal(p.flow, f);
        assert_true(p.flags & PKT_ESTABLISHED);
        expire(s);
    }
    assert_int_equal(f->verdict, FLOW_DROP);
}

static void ports_used_again(void **state)
{
    struct flow *f = handshake(0, 100);
    uint64_t id = f->id;
    f->verdict = FLOW_PASS;
    tcp(1, CLIENT, FIN | ACK, 101, 5001);
    tcp(1, SERVER, FIN | ACK, 5001, 102);
    /* a SYN alone proves nothing */
    assert_int_equal(tcp(2, CLIENT, SYN, 7000, 0).flow->id, id);
    assert_int_equal(tcp(2, SERVER, ACK, 5002, 102).flow->id, id);
    assert_int_equal(tcp(2, SERVER, SYN | ACK, 9000, 6999).flow->id, id); /* answers another SYN */
    struct packet p = tcp(2, SERVER, SYN | ACK, 9000, 7001);
    assert_true(p.flags & PKT_FLOW_NEW);
    assert_true(p.flags & PKT_TO_CLIENT);
    assert_int_not_equal(p.flow->id, id);
    assert_int_equal(p.flow->verdict, FLOW_INSPECT);
    assert_int_equal(p.flow->port[0], 40000);
    assert_false(p.flow->flags & FLOW_MIDSTREAM);
    p = tcp(2, CLIENT, ACK, 7001, 9001);
    assert_false(p.flags & PKT_ESTABLISHED);
    assert_int_equal(p.flow->state, FLOW_ESTABLISHED);
    /* the old one is freed when the burst is over */
    assert_int_equal(flow_table_count(table), 2);
    expire(3);
    assert_int_equal(flow_table_count(table), 1);
}

/* The client answers its own SYN in the server's name: the port tells. */
static void ports_used_again_by_a_liar(void **state)
{
    uint64_t id = handshake(0, 100)->id;
    tcp(1, CLIENT, SYN, 7000, 0);
    struct packet p = pkt_decoded(&frames[0],
                                  &(struct pkt){.src = SERVER,
                                                .dst = CLIENT,
                                                .sport = 80,
                                                .dport = 40000,
                                                .tcp_flags = SYN | ACK,
                                                .seq = 1,
                                                .ack = 7001},
                                  (T0 + 1) * NS_PER_S);
    p.in_port = 0;
    flow_track(table, &p, 1, &ctr);
    assert_int_equal(p.flow->id, id);
    p.pcap_cnt = 1; /* a capture has one port */
    flow_track(table, &p, 1, &ctr);
    assert_int_not_equal(p.flow->id, id);
}

static void both_open_at_once(void **state)
{
    static const struct {
        uint8_t from, flags;
        uint32_t seq, ack;
    } split[] = {{CLIENT, SYN, 100, 0},
                 {SERVER, SYN, 500, 0},
                 {CLIENT, SYN | ACK, 100, 501},
                 {SERVER, ACK, 501, 101}},
      crossed[] = {{CLIENT, SYN, 100, 0},
                   {SERVER, SYN, 500, 0},
                   {CLIENT, SYN | ACK, 100, 501},
                   {SERVER, SYN | ACK, 500, 101}},
      *const ways[] = {split, crossed};

    for (unsigned i = 0; i < 2; i++) {
        use_table(defaults);
        for (unsigned j = 0; j < 4; j++) {
            struct packet p = tcp(0, ways[i][j].from, ways[i][j].flags, ways[i][j].seq, ways[i][j].ack);
            assert_int_equal(p.flow->state, j == 3 ? FLOW_ESTABLISHED : FLOW_NEW);
            assert_int_equal(p.flow->port[0], 40000);
        }
        assert_true(tcp(0, CLIENT, ACK, 101, 501).flags & PKT_ESTABLISHED);
    }
}

static struct packet data(uint8_t from, uint8_t flags, uint32_t seq, uint32_t ack)
{
    bool c = from == CLIENT;

    return see(0, &(struct pkt){.src = from,
                                .dst = c ? SERVER : CLIENT,
                                .sport = c ? 40000 : 80,
                                .dport = c ? 80 : 40000,
                                .tcp_flags = flags,
                                .seq = seq,
                                .ack = ack,
                                .payload = "data"});
}

/* What may be delivered is part of an established connection, whatever the handshake's state. */
static void data_in_the_handshake(void **state)
{
    assert_true(data(CLIENT, SYN, 100, 0).flags & PKT_ESTABLISHED);
    assert_false(tcp(0, SERVER, SYN | ACK, 500, 105).flags & PKT_ESTABLISHED);
    assert_true(data(SERVER, ACK, 501, 105).flags & PKT_ESTABLISHED);
    assert_true(tcp(0, CLIENT, ACK, 105, 505).flags & PKT_ESTABLISHED);
}

static void alive_behind_a_rst(void **state)
{
    struct flow *f = handshake(0, 100);
    tcp(0, CLIENT, RST, 101, 0);
    assert_int_equal(data(SERVER, ACK, 5001, 101).flow->state, FLOW_CLOSED); /* was on its way */
    assert_int_equal(data(CLIENT, ACK, 101, 5001).flow->state, FLOW_ESTABLISHED);
    tcp(0, CLIENT, FIN | ACK, 105, 5005);
    assert_int_equal(f->state, FLOW_ESTABLISHED); /* half closed */
    tcp(0, SERVER, FIN | ACK, 5005, 106);
    assert_int_equal(f->state, FLOW_CLOSED);
}

static void ports_used_again_by_the_server(void **state)
{
    uint64_t id = handshake(0, 100)->id;
    tcp(1, SERVER, SYN, 42, 0);
    struct packet p = tcp(1, CLIENT, SYN | ACK, 43, 43);
    assert_int_not_equal(p.flow->id, id);
    assert_true(p.flags & PKT_TO_CLIENT); /* the former server is the client now */
    assert_int_equal(p.flow->port[0], 80);
}

static void a_repeated_syn_is_no_new_connection(void **state)
{
    uint64_t id = handshake(0, 100)->id;
    tcp(1, CLIENT, SYN, 100, 0);
    assert_int_equal(tcp(1, SERVER, SYN | ACK, 5000, 101).flow->id, id);
    assert_true(tcp(1, CLIENT, ACK, 101, 5001).flags & PKT_ESTABLISHED);
}

static void refused_and_tried_again(void **state)
{
    tcp(0, CLIENT, SYN, 100, 0);
    assert_int_equal(tcp(0, SERVER, RST | ACK, 0, 101).flow->state, FLOW_CLOSED);
    struct flow *f = handshake(1, 200);
    assert_int_equal(f->state, FLOW_ESTABLISHED);
    assert_true(tcp(1, CLIENT, ACK, 201, 5001).flags & PKT_ESTABLISHED);
}

/* Packets of one burst that point to a flow keep it, whatever later packets of the burst do. */
static void reuse_inside_a_burst(void **state)
{
    struct flow *f = handshake(0, 100);
    uint64_t id = f->id, now = (T0 + 1) * NS_PER_S;
    struct packet b[3] = {
        pkt_decoded(&frames[0], &(struct pkt){.tcp_flags = ACK, .seq = 101, .payload = "old"}, now),
        pkt_decoded(&frames[1], &(struct pkt){.tcp_flags = SYN, .seq = 7000}, now),
        pkt_decoded(&frames[2],
                    &(struct pkt){.src = 2,
                                  .dst = 1,
                                  .sport = 80,
                                  .dport = 40000,
                                  .tcp_flags = SYN | ACK,
                                  .seq = 1,
                                  .ack = 7001},
                    now)};
    f->verdict = FLOW_DROP;
    flow_track(table, b, 3, &ctr);
    assert_int_equal(b[0].flow->id, id);
    assert_int_equal(b[0].flow->verdict, FLOW_DROP);
    assert_int_not_equal(b[2].flow->id, id);
    assert_int_equal(b[2].flow->verdict, FLOW_INSPECT);
}

static void midstream_not_picked_up(void **state)
{
    struct flow_config cfg = defaults;

    static const enum exception_action policies[] = {EXCEPTION_IGNORE, EXCEPTION_DROP_PACKET,
                                                     EXCEPTION_DROP_FLOW, EXCEPTION_PASS_PACKET,
                                                     EXCEPTION_PASS_FLOW};

    for (unsigned i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
        /* every packet of such a flow is one: the packet's words mean the flow's */
        bool drops = policies[i] == EXCEPTION_DROP_PACKET || policies[i] == EXCEPTION_DROP_FLOW;
        bool passes = policies[i] == EXCEPTION_PASS_PACKET || policies[i] == EXCEPTION_PASS_FLOW;

        cfg.on_midstream = policies[i];
        use_table(cfg);
        struct packet p = tcp(0, CLIENT, ACK, 1, 1);
        assert_true(p.flow->flags & FLOW_MIDSTREAM);
        assert_int_equal(p.flow->verdict, passes ? FLOW_PASS : drops ? FLOW_DROP : FLOW_INSPECT);
        assert_int_equal(p.verdict, drops ? VERDICT_DROP : VERDICT_FORWARD);
        assert_int_equal(p.drop_reason, drops ? DROP_MIDSTREAM : DROP_NONE);
        assert_int_equal(!!(p.flow->flags & FLOW_BY_POLICY), drops || passes);
        assert_int_equal(p.flow->exceptions, 1 << EXC_MIDSTREAM);
        assert_int_equal(ctr.v[CTR_EXC_MIDSTREAM], 1);
        p = tcp(0, SERVER, ACK, 1, 2);
        assert_true(p.flags & PKT_TO_CLIENT);
        assert_false(p.flags & PKT_ESTABLISHED);
        assert_int_equal(p.verdict,
                         VERDICT_FORWARD); /* only the first; the flow's verdict is detect's to enforce */
        assert_false(tcp(0, CLIENT, ACK, 2, 1).flags & PKT_ESTABLISHED);
    }
    cfg.on_midstream = EXCEPTION_DROP_FLOW;
    /* a stray RST is nobody's: it must not open a flow that would hide the policy */
    use_table(cfg);
    struct packet p = tcp(0, CLIENT, RST, 1, 0);
    assert_null(p.flow);
    assert_int_equal(p.verdict, VERDICT_FORWARD);
    assert_int_equal(tcp(0, CLIENT, ACK, 1, 1).verdict, VERDICT_DROP);
    /* a SYN/ACK is midstream too, and its receiver the client */
    use_table(cfg);
    p = tcp(0, SERVER, SYN | ACK, 1, 1);
    assert_int_equal(p.drop_reason, DROP_MIDSTREAM);
    assert_true(p.flags & PKT_TO_CLIENT);
    assert_int_equal(p.flow->port[1], 80);
}

static void midstream_picked_up(void **state)
{
    struct flow_config cfg = defaults;

    cfg.midstream = true;
    cfg.on_midstream = EXCEPTION_DROP_FLOW; /* has no meaning together with pick-up */
    use_table(cfg);
    struct packet p = tcp(0, CLIENT, ACK, 1, 1);
    assert_true(p.flags & PKT_ESTABLISHED);
    assert_false(p.flags & PKT_TO_CLIENT);
    assert_int_equal(p.verdict, VERDICT_FORWARD);
    use_table(cfg);
    p = tcp(0, SERVER, SYN | ACK, 1, 1);
    assert_true(p.flags & PKT_TO_CLIENT);
    assert_false(p.flags & PKT_ESTABLISHED);
    tcp(0, CLIENT, ACK, 1, 2);
    assert_true(tcp(0, CLIENT, ACK, 1, 2).flags & PKT_ESTABLISHED);
    cfg.on_midstream = EXCEPTION_PASS_FLOW;
    use_table(cfg);
    assert_int_equal(tcp(0, CLIENT, ACK, 1, 1).flow->verdict, FLOW_PASS);
}

/* One direction of a connection, with what it carries; what the flow's packets are said to be. */
static uint32_t one_side(bool server, const char *what)
{
    struct pkt k = {.src = CLIENT, .dst = SERVER, .sport = 40000, .dport = 80, .seq = 1};

    if (server)
        k = (struct pkt){.src = SERVER, .dst = CLIENT, .sport = 80, .dport = 40000, .seq = 1, .ack = 1};
    for (; *what; what++) {
        k.tcp_flags = *what == 'S' ? SYN | (server ? ACK : 0) : *what == 'F' ? FIN | ACK : ACK;
        k.payload = *what == 'D' ? "data" : NULL;
        k.seq++;
        k.ack += !server;
        struct packet p = see(0, &k);
        if (!what[1])
            return p.flags;
    }
    return 0;
}

static void one_sided(void **state)
{
    struct flow_config cfg = defaults;

    for (unsigned async = 0; async < 2; async++) {
        const uint32_t established = async ? PKT_ESTABLISHED : 0;

        cfg.async = async;
        use_table(cfg);
        assert_int_equal(one_side(false, "SD") & (PKT_ESTABLISHED | PKT_TO_CLIENT), established);
        use_table(cfg);
        assert_int_equal(one_side(false, "SAD") & (PKT_ESTABLISHED | PKT_TO_CLIENT), established);
        assert_int_equal(flow_table_count(table), 1);
        use_table(cfg);
        assert_int_equal(one_side(true, "SD") & (PKT_ESTABLISHED | PKT_TO_CLIENT),
                         PKT_TO_CLIENT | established);
        use_table(cfg);
        assert_int_equal(one_side(true, "SAAD") & (PKT_ESTABLISHED | PKT_TO_CLIENT),
                         PKT_TO_CLIENT | established);
        assert_int_equal(ctr.v[CTR_EXC_MIDSTREAM], !async); /* nobody will ever see its beginning */
        use_table(cfg);
        assert_false(one_side(false, "SA") & PKT_ESTABLISHED); /* the handshake itself is not */
        use_table(cfg);
        assert_false(one_side(true, "SA") & PKT_ESTABLISHED);
        use_table(cfg); /* without a beginning of any kind it is midstream, and that is another policy */
        assert_false(one_side(false, "AD") & PKT_ESTABLISHED);
        use_table(cfg);
        assert_false(one_side(true, "AD") & PKT_ESTABLISHED);
        use_table(cfg); /* both directions are here: then both must speak */
        tcp(0, CLIENT, SYN, 1, 0);
        tcp(0, SERVER, ACK, 1, 0);
        assert_false(one_side(false, "D") & PKT_ESTABLISHED);
        use_table(cfg);
        handshake(0, 1);
        assert_true(one_side(false, "D") & PKT_ESTABLISHED);
    }
    cfg.on_midstream = EXCEPTION_DROP_FLOW; /* who says so means the SYN/ACK, too */
    use_table(cfg);
    assert_int_equal(tcp(0, SERVER, SYN | ACK, 1, 1).drop_reason, DROP_MIDSTREAM);
}

/* Halves of handshakes can be forged: they do not push out connections. */
static void one_sided_are_evicted_first(void **state)
{
    struct flow_config cfg = defaults;
    struct flow *real;
    uint64_t id;

    cfg.async = true;
    cfg.max_flows = 64;
    use_table(cfg);
    real = handshake(0, 1);
    id = real->id;
    for (unsigned i = 0; i < 1000; i++)
        for (unsigned step = 0; step < 3; step++)
            see(1 + i / 50, &(struct pkt){.src = 9,
                                          .dst = SERVER,
                                          .sport = (uint16_t)(1024 + i),
                                          .dport = 80,
                                          .seq = 1 + step,
                                          .payload = step == 2 ? "data" : NULL,
                                          .tcp_flags = step ? ACK : SYN});
    assert_int_equal(flow_table_count(table), 64);
    assert_int_equal(tcp(200, CLIENT, ACK, 2, 5001).flow->id, id);
}

static void timeouts(void **state)
{
    static const struct {
        struct pkt k;
        unsigned seconds;
    } rows[] = {{{.proto = IPPROTO_TCP, .tcp_flags = SYN}, 30},
                {{.proto = IPPROTO_UDP}, 30},
                {{.proto = IPPROTO_ICMP, .icmp_type = 8}, 20},
                {{.proto = IPPROTO_ESP, .payload = "x"}, 60}};

    for (unsigned i = 0; i < 4; i++) {
        use_table(defaults);
        see(0, &rows[i].k);
        see(5, &rows[i].k); /* postpones */
        expire(rows[i].seconds + 4);
        assert_int_equal(flow_table_count(table), 1);
        expire(rows[i].seconds + 6);
        assert_int_equal(flow_table_count(table), 0);
        assert_int_equal(ctr.v[CTR_FLOW_EXPIRED], 1);
    }
    use_table(defaults);
    handshake(0, 1);
    expire(599);
    assert_int_equal(flow_table_count(table), 1);
    expire(601);
    assert_int_equal(flow_table_count(table), 0);
    handshake(700, 1);
    tcp(701, CLIENT, RST, 2, 0); /* the shorter timeout counts at once */
    expire(712);
    assert_int_equal(flow_table_count(table), 0);
}

static void a_lookup_does_not_wait_for_the_wheel(void **state)
{
    uint64_t id = see(0, &(struct pkt){.proto = IPPROTO_UDP}).flow->id;
    struct packet p = see(31, &(struct pkt){.proto = IPPROTO_UDP});
    assert_true(p.flags & PKT_FLOW_NEW);
    assert_int_not_equal(p.flow->id, id);
    expire(31);
    assert_int_equal(flow_table_count(table), 1);
    assert_int_equal(see(32, &(struct pkt){.proto = IPPROTO_UDP}).flow->id, p.flow->id);
}

static void expiry_has_a_budget(void **state)
{
    for (uint16_t i = 0; i < 50; i++)
        see(0, &(struct pkt){.proto = IPPROTO_UDP, .sport = (uint16_t)(1000 + i)});
    flow_expire(table, (T0 + 100) * NS_PER_S, 20, &ctr);
    assert_int_equal(flow_table_count(table), 30);
    flow_expire(table, (T0 + 100) * NS_PER_S, 100, &ctr);
    assert_int_equal(flow_table_count(table), 0);
}

static void full_table_evicts_what_would_expire_next(void **state)
{
    struct flow_config cfg = defaults;

    cfg.max_flows = 4;
    use_table(cfg);
    struct flow *kept = handshake(0, 1); /* established: 600 s */
    uint64_t kept_id = kept->id;
    see(1, &(struct pkt){.proto = IPPROTO_UDP, .sport = 1}); /* 30 s */
    tcp(2, CLIENT, ACK, 2, 5001);
    see(2, &(struct pkt){.proto = IPPROTO_ICMP, .icmp_type = 8}); /* 20 s: first */
    see(3, &(struct pkt){.proto = IPPROTO_UDP, .sport = 2});
    assert_int_equal(flow_table_count(table), 4);
    for (uint16_t i = 0; i < 1000; i++) { /* a flood evicts its own kind */
        struct packet p =
            pkt_decoded(&frames[0], &(struct pkt){.proto = IPPROTO_UDP, .sport = (uint16_t)(100 + i)},
                        (T0 + 4) * NS_PER_S + i); /* the clock moves from burst to burst */
        flow_track(table, &p, 1, &ctr);
        assert_non_null(p.flow);
        assert_int_equal(flow_table_count(table), 4);
    }
    assert_int_equal(ctr.v[CTR_FLOW_EVICTED], 1000);
    assert_int_equal(tcp(5, CLIENT, ACK, 2, 5001).flow->id, kept_id);
}

static void nothing_to_evict(void **state)
{
    struct flow_config cfg = defaults;

    for (unsigned drop = 0; drop < 2; drop++) {
        struct packet b[6];
        cfg.max_flows = 4;
        cfg.on_memcap = drop ? EXCEPTION_DROP_FLOW : EXCEPTION_IGNORE;
        use_table(cfg);
        for (uint16_t i = 0; i < 6; i++)
            b[i] = pkt_decoded(&frames[i], &(struct pkt){.proto = IPPROTO_UDP, .sport = (uint16_t)(i + 1)},
                               NS_PER_S);
        flow_track(table, b, 6, &ctr); /* all four are in use by this burst */
        for (unsigned i = 0; i < 6; i++) {
            assert_int_equal(b[i].flow != NULL, i < 4);
            assert_int_equal(b[i].drop_reason, i >= 4 && drop ? DROP_FLOW_MEMCAP : DROP_NONE);
        }
        assert_int_equal(ctr.v[CTR_FLOW_NO_MEMORY], 2);
        assert_int_equal(ctr.v[CTR_EXC_FLOW_MEMCAP], 2);
        assert_int_equal(ctr.v[CTR_FLOW_EVICTED], 0);
    }
}

/* Half-open flows go first, however little time an established one has left. */
static void a_flood_evicts_itself(void **state)
{
    struct flow_config cfg = defaults;

    cfg.max_flows = 8;
    use_table(cfg);
    uint64_t kept = handshake(0, 1)->id;
    for (uint16_t i = 0; i < 1000; i++) /* at the end the connection is the next to expire */
        see(550 + i / 20,
            &(struct pkt){.sport = (uint16_t)(1000 + i), .dport = 80, .tcp_flags = SYN, .seq = i});
    assert_int_equal(flow_table_count(table), 8);
    assert_true(ctr.v[CTR_FLOW_EVICTED] > 300); /* those of one second are in one burst: not all can go */
    assert_int_equal(ctr.v[CTR_FLOW_EMERGENCY], 1);
    assert_int_equal(tcp(599, CLIENT, ACK, 2, 5001).flow->id, kept);
    expire(700); /* the flood's rest times out: the emergency is over, and the next one counts again */
    assert_int_equal(flow_table_count(table), 1);
    for (uint16_t i = 0; i < 20; i++)
        see(701u + i, &(struct pkt){.sport = (uint16_t)(1000 + i), .dport = 80, .tcp_flags = SYN, .seq = i});
    assert_int_equal(ctr.v[CTR_FLOW_EMERGENCY], 2);
    assert_int_equal(tcp(721, CLIENT, ACK, 2, 5001).flow->id, kept);
}

/* An ICMP error quoting the given packet, sent by `from` to the packet's source (or to who `to` says). */
static struct packet error_about(const struct pkt *k, uint8_t from, uint8_t to)
{
    static struct frame quote;
    struct pkt raw = *k;

    raw.raw = true;
    frame_build(&quote, &raw);
    struct pkt error = {.v6 = k->v6,
                        .src = from,
                        .dst = to,
                        .proto = k->v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
                        .icmp_type = k->v6 ? 1 : 3,
                        .payload = quote.b,
                        .payload_len = quote.len};
    return see(1, &error);
}

static void icmp_errors_go_with_the_flow_they_quote(void **state)
{
    static const struct pkt asked[] = {
        {.proto = IPPROTO_UDP, .src = CLIENT, .dst = SERVER, .sport = 1234, .dport = 53},
        {.v6 = true, .proto = IPPROTO_UDP, .src = CLIENT, .dst = SERVER, .sport = 1234, .dport = 53},
        {.proto = IPPROTO_TCP, .src = CLIENT, .dst = SERVER, .sport = 1234, .dport = 80, .tcp_flags = SYN},
        {.proto = IPPROTO_ICMP, .src = CLIENT, .dst = SERVER, .icmp_type = 8, .icmp_id = 7},
    };

    for (unsigned i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        use_table(defaults);
        struct flow *f = see(0, &asked[i]).flow;
        uint8_t before = f->state;

        struct packet p = error_about(&asked[i], 9, CLIENT); /* a router on the way */
        assert_ptr_equal(p.flow, f);
        assert_true(p.flags & PKT_QUOTES);
        assert_true(p.flags & PKT_TO_CLIENT);
        assert_int_equal(p.hash, f->hash);
        assert_int_equal(flow_hash(&p), f->hash); /* the flow's worker gets it */
        assert_int_equal(f->state, before);       /* it is no packet of the flow */
        assert_false(f->flags & FLOW_SEEN_TC);
        assert_int_equal(f->pkts[1], 1);

        p = error_about(&asked[i], 9, 77); /* to somebody who never sent that packet: not believed */
        assert_ptr_not_equal(p.flow, f);
        assert_false(p.flags & PKT_QUOTES);
        struct pkt other = asked[i];
        other.sport++, other.icmp_id++;
        p = error_about(&other, 9, CLIENT); /* about a flow nobody has seen: on its own */
        assert_non_null(p.flow);
        assert_ptr_not_equal(p.flow, f);
    }
    /* a quote that is cut, or of a later fragment, names no flow */
    use_table(defaults);
    struct flow *f = see(0, &asked[0]).flow;
    struct pkt fragment = asked[0];
    fragment.frag = 100;
    assert_ptr_not_equal(error_about(&fragment, 9, CLIENT).flow, f);
    struct packet p =
        see(1, &(struct pkt){.src = 9, .dst = CLIENT, .proto = IPPROTO_ICMP, .icmp_type = 3, .payload = "E"});
    assert_ptr_not_equal(p.flow, f);
}

/* Random traffic against the invariants: a packet's flow has its key; counts add up; ids are never used twice. */
static void random_traffic(void **state)
{
    struct flow_config cfg = defaults;
    uint64_t now = T0 * NS_PER_S, top_id = 0;

    cfg.max_flows = 64;
    use_table(cfg);
    srand(3);
    for (unsigned round = 0; round < 3000; round++) {
        struct packet b[16];
        unsigned n = 1 + (unsigned)rand() % 16;
        for (unsigned i = 0; i < n; i++) {
            bool turn = rand() % 2;
            uint16_t port = (uint16_t)(1 + rand() % (round < 1500 ? 100 : 20));
            static const uint8_t flags[] = {SYN, SYN | ACK, ACK, ACK, ACK, FIN | ACK, RST};
            b[i] = pkt_decoded(&frames[i],
                               &(struct pkt){.proto = rand() % 3 ? IPPROTO_TCP : IPPROTO_UDP,
                                             .src = turn ? 2 : 1,
                                             .dst = turn ? 1 : 2,
                                             .sport = turn ? 7 : port,
                                             .dport = turn ? port : 7,
                                             .seq = (uint32_t)(rand() % 3),
                                             .ack = (uint32_t)(rand() % 4),
                                             .tcp_flags = flags[rand() % 7]},
                               now - (uint64_t)rand() % 1000);
        }
        flow_track(table, b, n, &ctr);
        for (unsigned i = 0; i < n; i++) {
            const struct flow *f = b[i].flow;
            if (!f)
                continue;
            unsigned from = b[i].flags & PKT_TO_CLIENT ? 1 : 0;
            assert_int_equal(f->port[from], b[i].sport);
            assert_int_equal(f->port[!from], b[i].dport);
            assert_memory_equal(&f->addr[from], &b[i].src, 16);
            assert_int_equal(f->proto, b[i].ip_proto);
            if ((b[i].flags & PKT_FLOW_NEW) && f->id > top_id)
                top_id = f->id;
        }
        assert_true(flow_table_count(table) <= 64);
        now += (uint64_t)rand() % (3 * NS_PER_S);
        flow_expire(table, now, 8, &ctr);
        assert_int_equal(flow_table_count(table),
                         ctr.v[CTR_FLOW_NEW] - ctr.v[CTR_FLOW_EXPIRED] - ctr.v[CTR_FLOW_EVICTED]);
    }
    assert_true(top_id < 1ull << 53);
    assert_int_not_equal(ctr.v[CTR_FLOW_EVICTED], 0);
    assert_int_not_equal(ctr.v[CTR_FLOW_EXPIRED], 0);
    flow_expire(table, now + 1000 * NS_PER_S, 100000, &ctr);
    assert_int_equal(flow_table_count(table), 0);
}

static void impossible_sizes(void **state)
{
    struct flow_config cfg = defaults;
    struct err e;
    char text[1024];

    cfg.max_flows = 0;
    assert_null(flow_table_new(&cfg, &e));
    assert_int_equal(e.code, -22);
    assert_non_null(strstr(err_format(&e, text, sizeof(text)), "flow.max"));
    cfg.max_flows = UINT32_MAX;
    assert_null(flow_table_new(&cfg, &e));
}

static void likely_is_the_flow_that_is_found(void **state)
{
    const struct pkt k = {.proto = IPPROTO_UDP, .sport = 5000, .dport = 53};
    struct packet p = pkt_decoded(&frames[0], &k, T0 * NS_PER_S);

    flow_prefetch_burst(table, &p, 1);
    assert_int_equal(flow_likely(table, &p), FLOW_NONE);
    for (uint16_t port = 4000; port < 4003; port++)
        see(0, &(struct pkt){.proto = IPPROTO_UDP, .sport = port, .dport = 53});
    flow_lookup(table, &p, &ctr);
    flow_prefetch_burst(table, &p, 1);
    assert_int_equal(flow_likely(table, &p), flow_index(table, p.flow)); /* the newest of its chain */
    p.hash = 0;
    assert_int_equal(flow_likely(table, &p), FLOW_NONE);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(likely_is_the_flow_that_is_found),
        T(both_directions_one_flow),
        T(hash_is_symmetric),
        T(different_flows),
        T(no_flow_for),
        T(tcp_handshake),
        T(data_on_the_last_ack_is_established),
        T(no_handshake_no_established),
        T(a_forged_rst_blinds_nobody),
        T(ports_used_again_by_a_liar),
        T(both_open_at_once),
        T(data_in_the_handshake),
        T(alive_behind_a_rst),
        T(ports_used_again),
        T(ports_used_again_by_the_server),
        T(a_repeated_syn_is_no_new_connection),
        T(refused_and_tried_again),
        T(reuse_inside_a_burst),
        T(midstream_not_picked_up),
        T(midstream_picked_up),
        T(one_sided),
        T(one_sided_are_evicted_first),
        T(timeouts),
        T(a_lookup_does_not_wait_for_the_wheel),
        T(expiry_has_a_budget),
        T(full_table_evicts_what_would_expire_next),
        T(nothing_to_evict),
        T(a_flood_evicts_itself),
        T(icmp_errors_go_with_the_flow_they_quote),
        T(random_traffic),
        T(impossible_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
