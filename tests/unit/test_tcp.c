/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What receivers do with segments, as tables: each case is a connection told segment by segment with the fate that each
 * must have. Numbers are relative: C(n) is n behind the client's ISN, S(n) behind the server's; both cross 2^32 early.
 * tests/net/test_receiver.py holds the same questions against the Linux stack.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "ips/base/clock.h"
#include "ips/stream/stream_parts.h"

#pragma GCC diagnostic ignored "-Wmissing-field-initializers" /* what a row leaves out is zero */

enum { F = 1, S = 2, R = 4, P = 8, A = 16 };
#define CISN  0xfffffff0u
#define SISN  0xffffff00u
#define C(n)  (CISN + (n))
#define S_(n) (SISN + (n))

enum { TAKES = TCP_TAKES, ANSWERS = TCP_ANSWERS, DISCARDS = TCP_DISCARDS };

struct step {
    char from; /* 'c', 's'; upper case: it comes through the other end's port. 0 ends */
    uint8_t flags;
    uint32_t seq, ack;
    uint16_t len;
    int fate;
    enum anomaly anomaly;
    uint16_t window; /* 0: 1,000; the window scale is 2 on both sides */
    uint32_t ts, ts_echo;
    uint32_t at_s;
};

/* Payload in sequence moves next, as stream.c does. */
static void commit(struct tcp_dir *d, const struct packet *p)
{
    uint32_t seq = tcp_data_seq(p), end = seq + p->payload_len;

    if (!seq_before(d->next, seq) && seq_before(d->next, end))
        d->next = end;
}

static struct packet segment(const struct step *s, uint8_t *bytes)
{
    bool client = s->from == 'c' || s->from == 'C';
    uint32_t n = 20;

    memset(bytes, 0, 80);
    if (s->flags & S) {
        memcpy(bytes + n, (uint8_t[]){3, 3, 2, 1}, 4);
        n += 4;
    }
    if (s->ts) {
        memcpy(bytes + n, (uint8_t[]){1, 1, 8, 10}, 4);
        store_be32(bytes + n + 4, s->ts);
        store_be32(bytes + n + 8, s->ts_echo);
        n += 12;
    }
    return (struct packet){.data = bytes,
                           .payload_off = (uint16_t)n,
                           .payload_len = s->len,
                           .tcp_flags = s->flags,
                           .tcp_seq = s->seq,
                           .tcp_ack = s->ack,
                           .tcp_window = s->window ? s->window : 1000,
                           .now_ns = (1000 + s->at_s) * NS_PER_S,
                           .in_port = (s->from == 'c' || s->from == 'S') ? 0 : 1,
                           .flags = client ? 0 : PKT_TO_CLIENT};
}

static struct tcp tcp;

static void play(const struct step *steps)
{
    uint8_t bytes[80];

    for (unsigned i = 0; steps[i].from; i++) {
        const struct step *s = &steps[i];
        struct packet p = segment(s, bytes);
        unsigned dir = p.flags & PKT_TO_CLIENT ? 1 : 0;
        int fate = (int)tcp_judge(&tcp, &p, dir);

        if (fate != s->fate)
            fail_msg("step %u: fate %d, not %d", i, fate, s->fate);
        for (unsigned a = 0; a < AN_N; a++)
            if (s->anomaly && anomaly_has(&p.anomalies, (enum anomaly)a) && a != s->anomaly &&
                s->anomaly != AN_PKT_INVALID_ACK && s->anomaly != AN_EST_INVALID_ACK)
                fail_msg("step %u: %s", i, anomaly_info[a].name);
        if (s->anomaly && !anomaly_has(&p.anomalies, s->anomaly))
            fail_msg("step %u: no %s", i, anomaly_info[s->anomaly].name);
        if (fate == TCP_DISCARDS)
            continue;
        if (fate == TCP_TAKES && !(p.tcp_flags & R) && (tcp.dir[dir].flags & TCP_STARTED))
            commit(&tcp.dir[dir], &p);
        tcp_forwarded(&tcp, &p, dir);
        tcp.dir[0].flags &= (uint16_t)~TCP_MOVED;
        tcp.dir[1].flags &= (uint16_t)~TCP_MOVED;
    }
}

static int setup(void **state)
{
    memset(&tcp, 0, sizeof(tcp));
    return 0;
}

/* Server grants the client 4,000 bytes from C(1), the client the server 4,000 from S_(1). */
static void open_connection(void)
{
    play((struct step[]){{'c', S, C(0), 0, 0, TAKES},
                         {'s', S | A, S_(0), C(1), 0, TAKES},
                         {'c', A, C(1), S_(1), 0, TAKES},
                         {'s', A, S_(1), C(1), 0, TAKES},
                         {0}});
}

static void open_with_timestamps(void)
{
    play((struct step[]){{'c', S, C(0), 0, 0, TAKES, 0, 0, 500},
                         {'s', S | A, S_(0), C(1), 0, TAKES, 0, 0, 900, 500},
                         {'c', A, C(1), S_(1), 0, TAKES, 0, 0, 501, 900},
                         {'c', A, C(1), S_(1), 10, TAKES, 0, 0, 510, 900},
                         {'s', A, S_(1), C(11), 0, TAKES, 0, 0, 910, 510},
                         {0}});
}

static void a_connection(void **state)
{
    open_connection();
    play((struct step[]){{'c', A | P, C(1), S_(1), 100, TAKES},
                         {'s', A, S_(1), C(101), 0, TAKES},
                         {'s', A | P, S_(1), C(101), 1000, TAKES},
                         {'s', A | P, S_(1001), C(101), 1000, TAKES},
                         {'c', A, C(101), S_(2001), 0, TAKES},
                         {'c', A | F, C(101), S_(2001), 0, TAKES},
                         {'s', A, S_(2001), C(102), 0, TAKES},
                         {'s', A, S_(2001), C(102), 500, TAKES}, /* half closed */
                         {'c', A, C(102), S_(2501), 0, TAKES},
                         {'s', A | F, S_(2501), C(102), 0, TAKES},
                         {'c', A, C(102), S_(2502), 0, TAKES},
                         {0}});
    assert_int_equal(tcp.dir[0].next, C(101)); /* a FIN is no byte */
    assert_int_equal(tcp.dir[0].acked, C(102));
    assert_int_equal(tcp.dir[1].next, S_(2501));
    assert_int_equal(tcp.dir[1].sent, S_(2502));
}

static void windows(void **state)
{
    open_connection();
    play((struct step[]){{'c', A, C(4001), S_(1), 1, TAKES},    /* at the edge */
                         {'c', A, C(3900), S_(1), 1400, TAKES}, /* across */
                         {'c', A, C(4002), S_(1), 10, DISCARDS, AN_EST_OUT_OF_WINDOW},
                         {'c', A, C(1000000), S_(1), 10, DISCARDS, AN_EST_OUT_OF_WINDOW},
                         {'c', A | F, C(1000000), S_(1), 0, DISCARDS, AN_FIN_OUT_OF_WINDOW},
                         {'c', A, C(0) - 100000, S_(1), 10, ANSWERS},
                         {'c', A, C(1), S_(1), 1000, TAKES},
                         {'s', A, S_(1), C(1001), 0, TAKES, 0, 2000}, /* 8,000 */
                         {'c', A, C(9001), S_(1), 10, TAKES},
                         {'c', A, C(9002), S_(1), 10, DISCARDS},
                         {'s', A, S_(1), C(1001), 0, TAKES, 0, 10}, /* edges do not shrink */
                         {'c', A, C(9001), S_(1), 10, TAKES},
                         {0}});
}

static void zero_window(void **state)
{
    open_connection();
    play((struct step[]){{'c', A, C(1), S_(1), 4000, TAKES}, {'s', A, S_(1), C(4001), 0, TAKES, 0, 0}, {0}});
    tcp.dir[0].edge = C(4001);
    play((struct step[]){{'c', A, C(4001), S_(1), 1, TAKES},   /* a probe with a byte */
                         {'c', A, C(4000), S_(1), 0, ANSWERS}, /* without */
                         {'c', A, C(4000), S_(1), 1, ANSWERS}, /* keep-alive with garbage */
                         {'c', A, C(4002), S_(1), 100, TAKES}, /* in sequence, though beyond */
                         {'c', A, C(5000), S_(1), 100, DISCARDS},
                         {0}});
}

static void old_segments(void **state)
{
    open_connection();
    play((struct step[]){{'c', A, C(1), S_(1), 100, TAKES},
                         {'c', A, C(1), S_(1), 100, TAKES}, /* again, before its ACK */
                         {'s', A, S_(1), C(101), 0, TAKES},
                         {'c', A, C(1), S_(1), 100, ANSWERS, AN_EST_BEFORE_LAST_ACK},
                         {'c', A, C(51), S_(1), 100, TAKES}, /* half of it is new */
                         {'c', A, C(60), S_(1), 0, ANSWERS}, /* an ACK that was overtaken */
                         {0}});
}

static void acknowledgements(void **state)
{
    open_connection();
    play((struct step[]){{'s', A, S_(1), C(1), 1000, TAKES},
                         {'c', A, C(1), S_(1001), 10, TAKES},
                         {'c', A, C(11), S_(6000), 10, DISCARDS, AN_PKT_INVALID_ACK}, /* never sent */
                         {'c', A, C(11), S_(6000), 0, DISCARDS, AN_EST_INVALID_ACK},
                         {'c', A, C(11), S_(1001) - 300000, 10, DISCARDS, AN_PKT_INVALID_ACK},
                         {'c', A, C(11), S_(1001) - 300000, 0, ANSWERS, AN_PKT_INVALID_ACK},
                         {'c', A, C(11), S_(1), 10, TAKES}, /* a little old */
                         {'c', P, C(21), S_(1), 10, DISCARDS},
                         {'c', 0, C(21), 0, 10, DISCARDS, AN_PKT_INVALID_ACK},
                         {'c', F, C(21), 0, 0, DISCARDS, AN_PKT_INVALID_ACK},
                         {0}});
    assert_int_equal(tcp.dir[1].acked, S_(1001));
}

/* Who sends data cannot acknowledge it himself in his receiver's name. */
static void acknowledgement_from_the_wrong_port(void **state)
{
    open_connection();
    play((struct step[]){{'c', A, C(1), S_(1), 100, TAKES}, {'S', A, S_(1), C(101), 0, TAKES}, {0}});
    assert_int_equal(tcp.dir[0].acked, C(1));
    tcp.dir[0].flags |= TCP_ANY_PORT; /* a capture: one port */
    play((struct step[]){{'S', A, S_(1), C(101), 0, TAKES}, {0}});
    assert_int_equal(tcp.dir[0].acked, C(101));
}

static void timestamps(void **state)
{
    open_with_timestamps();
    play(
        (struct step[]){{'c', A, C(11), S_(1), 10, DISCARDS, AN_PKT_INVALID_TIMESTAMP, 0, 508},
                        {'c', A, C(11), S_(1), 0, ANSWERS, AN_PKT_INVALID_TIMESTAMP, 0, 508},
                        {'c', A | F, C(11), S_(1), 0, DISCARDS, AN_PKT_INVALID_TIMESTAMP, 0, 508},
                        /* another worker had received it a second before it saw the ACK */
                        {'c', A, C(11), S_(1), 10, DISCARDS, AN_PKT_INVALID_TIMESTAMP, 0, 508, 0, UINT32_MAX},
                        {'c', A, C(1), S_(1), 10, ANSWERS, AN_EST_BEFORE_LAST_ACK, 0, 400},
                        {'c', A, C(11), S_(1), 10, TAKES, 0, 0, 509},
                        {'c', A, C(21), S_(1), 10, TAKES}, /* none: Linux does not mind */
                        {'c', A, C(31), S_(1), 10, TAKES, 0, 0, 0x7fffff00},
                        {'c', A, C(41), S_(1), 10, TAKES, 0, 0, 511}, /* the jump was never echoed */
                        {'c', R, C(51), 0, 0, TAKES, 0, 0, 1},
                        {'c', A, C(51), S_(1), 10, TAKES, 0, 0, 100, 0, 25 * 86400}, /* expired */
                        {0}});
}

static void timestamps_echoed_through_the_wrong_port(void **state)
{
    open_with_timestamps();
    play((struct step[]){{'S', A, S_(1), C(11), 0, TAKES, 0, 0, 911, 100000},
                         {'c', A, C(11), S_(1), 10, TAKES, 0, 0, 511},
                         {0}});
}

static void resets(void **state)
{
    open_connection();
    play((struct step[]){{'c', A, C(1), S_(1), 100, TAKES},
                         {'s', A, S_(1), C(51), 0, TAKES},
                         {'c', R, C(49), 0, 0, DISCARDS},
                         {'c', R, C(4100), 0, 0, DISCARDS},
                         {'c', R, C(101), 0, 0, TAKES},
                         {'c', R, C(51), 0, 0, TAKES}, /* where it may be */
                         {'c', R | A, C(2000), S_(999999), 20, TAKES},
                         {'c', A, C(101), S_(1), 10, TAKES, AN_SUSPECTED_RST_INJECT},
                         {0}});
    assert_int_equal(tcp.dir[0].next, C(111));
}

static void refused(void **state)
{
    play((struct step[]){{'c', S, C(0), 0, 0, TAKES},
                         {'s', R | A, 0, C(7), 0, DISCARDS, AN_RST_INVALID_ACK},
                         {'s', R, 0, 0, 0, DISCARDS, AN_RST_INVALID_ACK},
                         {'s', R | A, 0, C(1), 0, TAKES},
                         {'c', S, C(5000), 0, 0, TAKES}, /* tried again */
                         {'s', S | A, S_(0), C(5001), 0, TAKES},
                         {'c', A, C(5001), S_(1), 10, TAKES},
                         {0}});
}

static void data_behind_a_fin(void **state)
{
    open_connection();
    play((struct step[]){{'c', A | F, C(1), S_(1), 100, TAKES},
                         {'c', A, C(101), S_(1), 10, TAKES}, /* the FIN may be lost behind us */
                         {'c', A | F, C(111), S_(1), 0, TAKES},
                         {'s', A, S_(1), C(112), 0, TAKES},
                         {'c', A, C(112), S_(1), 10, DISCARDS, AN_EST_OUT_OF_WINDOW},
                         {'c', A, C(101), S_(1), 20, DISCARDS},
                         {'c', A | F, C(111), S_(1), 0, ANSWERS},
                         {'c', A, C(112), S_(1), 0, TAKES},
                         {0}});
}

static void syn_on_an_established_connection(void **state)
{
    open_connection();
    play((struct step[]){{'c', S, C(0), 0, 0, ANSWERS, AN_EST_SYN_RESEND},
                         {'c', S, C(777), 0, 0, ANSWERS, AN_EST_SYN_DIFF_SEQ},
                         {'c', S, C(777), 0, 10, DISCARDS, AN_EST_SYN_DIFF_SEQ},
                         {'s', S, S_(777), 0, 0, ANSWERS, AN_EST_SYN_TOCLIENT},
                         {'s', S | A, S_(0), C(1), 0, ANSWERS, AN_EST_SYNACK_RESEND},
                         {'s', S | A, S_(9), C(1), 0, ANSWERS, AN_EST_SYNACK_DIFF_SEQ},
                         {'c', S | A, C(0), S_(1), 0, ANSWERS, AN_EST_SYNACK_TOSERVER},
                         {'c', S | F, C(0), 0, 0, DISCARDS, AN_FIN_SYN},
                         {'c', A, C(1), S_(1), 10, TAKES},
                         {'c', A | F, C(11), S_(1), 0, TAKES},
                         {'c', S, C(777), 0, 0, ANSWERS, AN_SHUTDOWN_SYN_RESEND},
                         {0}});
    assert_int_equal(tcp.dir[0].isn, C(0));
}

/* A RST that refuses the SYN of a new connection in the old one's place goes on. */
static void syn_over_an_old_connection_refused(void **state)
{
    struct flow f = {.flags = FLOW_REOPEN_TS, .isn = {0, 12345}};
    struct packet p = {.flow = &f, .tcp_flags = R | A, .tcp_seq = 0x70000000, .tcp_ack = 12346, .in_port = 1};

    open_connection();
    assert_int_equal(tcp_judge(&tcp, &p, 1), TCP_ANSWERS);
    p.tcp_ack = 12347;
    assert_int_equal(tcp_judge(&tcp, &p, 1), TCP_DISCARDS);
}

static void simultaneous_open(void **state)
{
    play((struct step[]){{'c', S, C(0), 0, 0, TAKES},
                         {'s', S, S_(0), 0, 0, TAKES},
                         {'c', S | A, C(0), S_(1), 0, TAKES},
                         {'s', S | A, S_(0), C(1), 0, TAKES},
                         {'c', A, C(1), S_(1), 10, TAKES},
                         {'s', A, S_(1), C(11), 10, TAKES},
                         {0}});
}

static void split_handshake(void **state)
{
    play((struct step[]){{'c', S, C(0), 0, 0, TAKES},
                         {'s', S, S_(0), 0, 0, TAKES},
                         {'c', S | A, C(0), S_(1), 0, TAKES},
                         {'s', A, S_(1), C(1), 0, TAKES},
                         {'c', A, C(1), S_(1), 10, TAKES},
                         {'s', A, S_(1), C(11), 10, TAKES},
                         {'s', A, S_(11), C(9999), 10, DISCARDS},
                         {0}});
}

static void fast_open(void **state)
{
    play((struct step[]){{'c', S, C(0), 0, 100, TAKES},
                         {'s', S | A, S_(0), C(101), 0, TAKES},
                         {'s', A, S_(1), C(101), 50, TAKES}, /* before the last ACK of the handshake */
                         {'c', A, C(101), S_(51), 10, TAKES},
                         {0}});
    assert_int_equal(tcp.dir[0].next, C(111));
    setup(state);
    play((struct step[]){{'c', S, C(0), 0, 100, TAKES},
                         {'s', S | A, S_(0), C(1), 0, TAKES, AN_3WHS_TFO_IGNORED},
                         {'c', A, C(1), S_(1), 100, TAKES},
                         {'s', A, S_(1), C(101), 0, TAKES},
                         {0}});
}

static void data_before_the_handshake_is_over(void **state)
{
    play((struct step[]){{'c', S, C(0), 0, 0, TAKES},
                         {'s', S | A, S_(0), C(1), 0, TAKES},
                         {'s', A, S_(1), C(1), 10, TAKES, AN_3WHS_ACK_DATA_INJECT},
                         {'c', A, C(1), S_(5000), 10, DISCARDS, AN_3WHS_RIGHT_SEQ_WRONG_ACK},
                         {'c', A, C(9), S_(5000), 10, DISCARDS, AN_3WHS_WRONG_SEQ_WRONG_ACK},
                         {'c', A, C(1), S_(1), 10, TAKES},
                         {0}});
}

/* The receiver's answer says which of two SYNs it took. */
static void two_syns(void **state)
{
    static const struct step first[] = {{'c', S, C(0), 0, 0, TAKES},
                                        {'c', S, C(5000), 0, 0, TAKES},
                                        {'s', S | A, S_(0), C(1), 0, TAKES},
                                        {'c', A, C(1), S_(1), 10, TAKES},
                                        {0}},
                             second[] = {{'c', S, C(0), 0, 0, TAKES},
                                         {'c', S, C(5000), 0, 0, TAKES},
                                         {'s', S | A, S_(0), C(5001), 0, TAKES},
                                         {'c', A, C(5001), S_(1), 10, TAKES},
                                         {0}},
                             answered[] = {{'c', S, C(0), 0, 0, TAKES},
                                           {'s', S | A, S_(0), C(1), 0, TAKES},
                                           {'c', S, C(5000), 0, 0, ANSWERS, AN_3WHS_SYN_DIFF_SEQ},
                                           {'c', A, C(1), S_(1), 10, TAKES},
                                           {0}},
                             forgotten[] = {{'c', S, C(0), 0, 0, TAKES},
                                            {'s', S | A, S_(0), C(1), 0, TAKES},
                                            {'c', S, C(5000), 0, 0, ANSWERS, AN_3WHS_SYN_DIFF_SEQ},
                                            {'s', S | A, S_(70), C(5001), 0, TAKES, AN_3WHS_SYNACK_DIFF_SEQ},
                                            {'c', A, C(5001), S_(71), 10, TAKES},
                                            {0}},
                             wrong[] = {{'c', S, C(0), 0, 0, TAKES},
                                        {'s', S | A, S_(0), C(3), 0, TAKES, AN_3WHS_SYNACK_WRONG_ACK},
                                        {'s', S | A, S_(0), C(1), 0, TAKES},
                                        {0}};
    static const struct {
        const struct step *steps;
        uint32_t isn;
    } cases[] = {{first, C(0)}, {second, C(5000)}, {answered, C(0)}, {forgotten, C(5000)}, {wrong, C(0)}};

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        setup(state);
        play(cases[i].steps);
        assert_int_equal(tcp.dir[0].isn, cases[i].isn);
        assert_true(tcp.dir[0].flags & TCP_SAW_ACK);
    }
}

/* Which window scale came with a SYN that only its answer tells of is not known: nothing in it may be called too far. */
static void window_scale_of_another_syn(void **state)
{
    play((struct step[]){{'c', S, C(0), 0, 0, TAKES},
                         {'s', S | A, S_(0), C(1), 0, TAKES},
                         {'c', S, C(5000), 0, 0, ANSWERS},
                         {'s', S | A, S_(70), C(5001), 0, TAKES},
                         {'c', A, C(5001), S_(71), 0, TAKES},
                         {'s', A, S_(71) + 3000, C(5001), 100, TAKES},
                         {0}});
}

static void two_syn_acks(void **state)
{
    play((struct step[]){{'c', S, C(0), 0, 0, TAKES},
                         {'s', S | A, S_(0), C(1), 0, TAKES},
                         {'s', S | A, S_(500), C(1), 0, TAKES, AN_3WHS_SYNACK_DIFF_SEQ},
                         {'c', A, C(1), S_(1), 0, TAKES}, /* it took the first one */
                         {'s', A, S_(1), C(1), 10, TAKES},
                         {0}});
    assert_int_equal(tcp.dir[1].isn, S_(0));
    assert_int_equal(tcp.dir[1].next, S_(11));
}

/* The server still has the old connection: its challenge and the client's RST must go on. */
static void half_open(void **state)
{
    play((struct step[]){{'c', S, C(0), 0, 0, TAKES},
                         {'s', A, S_(9000), C(700000), 0, ANSWERS},
                         {'c', R, C(700000), 0, 0, ANSWERS},
                         {'c', S, C(0), 0, 0, TAKES},
                         {'s', S | A, S_(0), C(1), 0, TAKES},
                         {'c', A, C(1), S_(1), 10, TAKES},
                         {0}});
}

static void picked_up(void **state)
{
    play((struct step[]){{'c', A, C(100), S_(100), 10, TAKES}, {0}});
    assert_int_equal(tcp.dir[0].next, C(110));
    /* its receiver has not said a word: what does not touch that is no part of it */
    play((struct step[]){
        {'c', A, C(200), S_(100), 10, DISCARDS}, {'c', A, C(80), S_(100), 10, DISCARDS}, {0}});
    play((struct step[]){{'c', A, C(90), S_(100), 10, TAKES}, {0}}); /* it began here */
    assert_int_equal(tcp.dir[0].isn, C(89));
    play((struct step[]){{'c', A, C(100), S_(100), 10, TAKES}, {0}});
    assert_int_equal(tcp.dir[0].next, C(110));
    play((struct step[]){{'s', A, S_(100), C(110), 0, TAKES}, {0}}); /* now it has */
    assert_int_equal(tcp.dir[0].next, C(110));
    play((struct step[]){{'c', A, C(110), S_(100), 20, TAKES},
                         {'c', A, C(90), S_(100), 20, ANSWERS},
                         {'c', A, C(110) + (2000u << 14), S_(100), 20, DISCARDS},
                         {0}});
    assert_int_equal(tcp.dir[0].next, C(130));
}

/* The other direction takes another path: no ACK is ever seen. */
static void one_side_only(void **state)
{
    play((struct step[]){{'c', S, C(0), 0, 0, TAKES},
                         {'c', A, C(1), S_(1), 100, TAKES},
                         {'c', A, C(1000000), S_(1), 100, DISCARDS},
                         {'c', A, C(101), S_(99999), 100, TAKES},
                         {'c', A | F, C(201), S_(99999), 0, TAKES},
                         {'c', R, C(202), 0, 0, TAKES},
                         {0}});
    assert_int_equal(tcp.dir[0].next, C(201));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_connection, setup),
        cmocka_unit_test_setup(windows, setup),
        cmocka_unit_test_setup(zero_window, setup),
        cmocka_unit_test_setup(old_segments, setup),
        cmocka_unit_test_setup(acknowledgements, setup),
        cmocka_unit_test_setup(acknowledgement_from_the_wrong_port, setup),
        cmocka_unit_test_setup(timestamps, setup),
        cmocka_unit_test_setup(timestamps_echoed_through_the_wrong_port, setup),
        cmocka_unit_test_setup(resets, setup),
        cmocka_unit_test_setup(refused, setup),
        cmocka_unit_test_setup(data_behind_a_fin, setup),
        cmocka_unit_test_setup(syn_on_an_established_connection, setup),
        cmocka_unit_test_setup(syn_over_an_old_connection_refused, setup),
        cmocka_unit_test_setup(simultaneous_open, setup),
        cmocka_unit_test_setup(split_handshake, setup),
        cmocka_unit_test_setup(fast_open, setup),
        cmocka_unit_test_setup(data_before_the_handshake_is_over, setup),
        cmocka_unit_test_setup(two_syns, setup),
        cmocka_unit_test_setup(window_scale_of_another_syn, setup),
        cmocka_unit_test_setup(two_syn_acks, setup),
        cmocka_unit_test_setup(half_open, setup),
        cmocka_unit_test_setup(picked_up, setup),
        cmocka_unit_test_setup(one_side_only, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
