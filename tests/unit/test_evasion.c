/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ways around the engine that were found by attacking it, each told segment by segment. What must hold: a receiver that
 * did what a real one does here has all bytes of the attack only when a view, or the one before it, showed them in one
 * piece, on a connection that counts as established.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ips/base/clock.h"
#include "ips/stream/stream.h"
#include "tests/unit/packets.h"

enum { F = 1, S = 2, R = 4, A = 16 };
#define C(n)  (0xfffffff0u + (n)) /* what the server has of the client: C(1) is next */
#define S_(n) (0xffffff00u + (n))

static struct flow_table *flows;
static struct stream_table *streams;
static struct counters ctr;
static uint64_t now;
static uint64_t offset; /* of the attack in its stream */
static bool seen;       /* a view had the attack */
static bool to_client;  /* the last segment was said to go to the client */

static const struct flow_config flow_defaults = {
    .max_flows = 16, .tcp_new_s = 60, .tcp_established_s = 600, .tcp_closed_s = 60, .bridged = true};

static int setup(void **state)
{
    struct err e;
    const struct stream_config sc = {.memory_bytes = 1 << 20,
                                     .flow_bytes = 1 << 16,
                                     .window_bytes = 4096,
                                     .on_memcap = EXCEPTION_DROP_PACKET,
                                     .drop_ignored = true,
                                     .inline_mode = true,
                                     .max_flows = 16};

    flows = flow_table_new(&flow_defaults, &e);
    streams = stream_table_new(&sc, flows, &e);
    now = 1000 * NS_PER_S;
    seen = false;
    return !flows || !streams;
}

static int teardown(void **state)
{
    stream_table_free(streams);
    flow_table_free(flows);
    return 0;
}

static void look(const struct packet *p)
{
    if (!p->view || !(p->flags & PKT_ESTABLISHED))
        return;
    uint64_t at = p->view->offset - p->view->tail.len;
    struct span w = stream_window(streams, p);
    const uint8_t *found = memmem(w.p, w.len, "attack", 6);
    if (!found)
        return;
    seen = true;
    offset = at + (uint64_t)(found - w.p);
}

/* True when the segment reaches the other side. */
static bool from(char end, uint8_t flags, uint32_t seq, uint32_t ack, const char *payload)
{
    static struct frame f;
    bool client = end == 'c';
    struct packet p = pkt_decoded(&f,
                                  &(struct pkt){.src = client ? 1 : 2,
                                                .dst = client ? 2 : 1,
                                                .sport = client ? 40000 : 80,
                                                .dport = client ? 80 : 40000,
                                                .tcp_flags = flags,
                                                .window = 64000,
                                                .seq = seq,
                                                .ack = ack,
                                                .payload = payload},
                                  now += NS_PER_MS);

    flow_prefetch_burst(flows, &p, 1);
    flow_lookup(flows, &p, &ctr);
    stream_begin(streams, &p, &ctr);
    flow_account(flows, &p);
    to_client = p.flags & PKT_TO_CLIENT;
    look(&p);
    stream_end(streams, &p, &ctr);
    return p.verdict == VERDICT_FORWARD;
}

static void handshake(void)
{
    assert_true(from('c', S, C(0), 0, NULL));
    assert_true(from('s', S | A, S_(0), C(1), NULL));
    assert_true(from('c', A, C(1), S_(1), NULL));
}

static void forget(void)
{
    now += 700 * NS_PER_S;
    flow_expire(flows, now, 100, &ctr);
    assert_int_equal(flow_table_count(flows), 0);
}

/* The server takes the first SYN; the ones that follow lie before its window, and it answers none of them. */
static void one_syn_too_many(void **state)
{
    assert_true(from('c', S, C(0), 0, NULL));
    from('c', S, C(0) - 500, 0, NULL);
    from('c', S, C(0) - 1000, 0, NULL);
    from('s', S | A, S_(0), C(1), NULL);
    if (from('c', A, C(1), S_(1), "attack"))
        assert_true(seen);
}

/* The same, with bytes that fill up the room to where the server is, so that the attack seems to be further in. */
static void a_stream_that_begins_too_early(void **state)
{
    assert_true(from('c', S, C(0), 0, NULL));
    from('c', S, C(0) - 500, 0, NULL);
    from('c', S, C(0) - 5, 0, NULL);
    assert_true(from('s', S | A, S_(0), C(1), NULL));
    from('c', A, C(0) - 4, S_(1), "chaff"); /* old, to the server */
    bool all = from('c', A, C(1), S_(1), "att");
    all &= from('c', A, C(4), S_(1), "ack");
    if (all) {
        assert_true(seen);
        assert_int_equal(offset, 0);
    }
}

/* The client takes the first of three SYN/ACKs; the others are a server's lies. */
static void an_answer_that_begins_too_early(void **state)
{
    assert_true(from('c', S, C(0), 0, NULL));
    assert_true(from('s', S | A, S_(0), C(1), NULL));
    from('s', S | A, S_(0) - 500, C(1), NULL);
    from('s', S | A, S_(0) - 5, C(1), NULL);
    assert_true(from('c', A, C(1), S_(1), NULL));
    from('s', A, S_(0) - 4, C(1), "chaff");
    bool all = from('s', A, S_(1), C(1), "att");
    all &= from('s', A, S_(4), C(1), "ack");
    if (all) {
        assert_true(seen);
        assert_int_equal(offset, 0);
    }
    assert_true(from('c', A, C(1), S_(7), "a request")); /* it works */
}

/* What a Fast Open server took with the first SYN belongs to the stream, whatever SYN follows. */
static void another_syn_behind_fast_open(void **state)
{
    assert_true(from('c', S, C(0), 0, "att"));
    from('c', S, C(0) - 1000, 0, NULL);
    from('s', S | A, S_(0), C(4), NULL);
    if (from('c', A, C(4), S_(1), "ack"))
        assert_true(seen);
}

/* A SYN over a live connection that the engine has forgotten. */
static void a_syn_over_a_forgotten_connection(void **state)
{
    handshake();
    forget();
    assert_true(from('c', S, C(1) - 100, 0, NULL));
    if (from('c', A, C(1), S_(1), "attack")) /* before the server's challenge has come by */
        assert_true(seen);
    from('s', A, S_(1), C(1), NULL);
    bool all = from('c', A, C(4), S_(1), "ack");
    all &= from('c', A, C(1), S_(1), "att");
    if (all)
        assert_true(seen);
    now += 10 * NS_PER_S;
    all = from('c', A, C(4), S_(1), "ack");
    all &= from('c', A, C(1), S_(1), "att");
    if (all)
        assert_true(seen);
}

/* A connection that was idle for longer than the engine remembers goes on. */
static void idle_for_longer_than_remembered(void **state)
{
    handshake();
    forget();
    assert_true(from('c', A, C(1), S_(1), "attack"));
    assert_true(seen);
}

/* The server's keep-alive is the first sign of it: that does not make the server a client, for rules about directions. */
static void a_keep_alive_opens_nothing(void **state)
{
    handshake();
    forget();
    assert_true(from('s', A, S_(0), C(1), NULL));
    assert_true(from('c', A, C(1), S_(1), "attack"));
    assert_true(seen);
    assert_false(to_client);
}

/* It goes on with its second segment before its first. */
static void picked_up_out_of_order(void **state)
{
    handshake();
    forget();
    bool tail = from('c', A, C(4), S_(1), "ack"), head = from('c', A, C(1), S_(1), "att");
    if (tail && head)
        assert_true(seen);
    assert_true(from('s', A, S_(1), C(1), NULL)); /* it has a hole, or nothing */
    assert_true(from('c', A, C(1), S_(1), "att"));
    if (!tail)
        assert_true(from('c', A, C(4), S_(1), "ack"));
    assert_true(seen);
}

/* The three parts of it in the order 1, 3, 2, and 3, 1, 2: nothing leaves that could be put together unseen. */
static void picked_up_in_three_parts(void **state)
{
    static const char *const part[3] = {"at", "ta", "ck"};
    static const unsigned orders[2][3] = {{0, 2, 1}, {2, 0, 1}};

    for (unsigned o = 0; o < 2; o++) {
        bool passed[3];

        handshake();
        forget();
        seen = false;
        for (unsigned i = 0; i < 3; i++) {
            unsigned k = orders[o][i];
            passed[k] = from('c', A, C(1 + 2 * k), S_(1), part[k]);
        }
        assert_true(seen || !(passed[0] && passed[1] && passed[2]));
        assert_true(from('s', A, S_(1), passed[0] ? C(3) : C(1), NULL));
        for (unsigned k = 0; k < 3; k++)
            if (!passed[k])
                assert_true(from('c', A, C(1 + 2 * k), S_(1), part[k]));
        assert_true(seen);
        forget();
    }
}

/* One direction is all that is seen: bytes that never come by must not end it. */
static void one_side_that_jumps(void **state)
{
    assert_true(from('c', S, C(0), 0, NULL));
    assert_true(from('c', A, C(1), S_(1), "first"));
    assert_false(from('c', A, C(1000), S_(1), "attack"));
    now += 10 * NS_PER_S;
    assert_true(from('c', A, C(1000), S_(1), "attack"));
    assert_true(seen);
}

/* --- any order, any start ------------------------------------------------------------------------------------------ */

static uint32_t chance(uint32_t n)
{
    static uint64_t r = 88172645463325252u;

    r ^= r << 13, r ^= r >> 7, r ^= r << 17;
    return (uint32_t)(r >> 32) % n;
}

/* How the engine comes to know of the connection: not at all, by a lie (then false), or by several SYNs. C(1) is next. */
static bool any_beginning(void)
{
    if (chance(3)) {
        handshake();
        forget();
        bool lies = chance(2);
        if (lies)
            from('c', S, C(0) - chance(60), 0, NULL);
        if (chance(2))
            from('s', A, S_(1), C(1), NULL);
        return !lies;
    }
    from('c', S, C(0), 0, NULL);
    for (unsigned n = chance(4); n > 0; n--)
        from('c', S, C(0) - chance(60), 0, NULL);
    from('s', S | A, S_(0), C(1), NULL);
    return true;
}

/* Pieces of a text in any order, some of them bytes that the server has, with its answers at any time. */
static void pieces_in_any_order(void **state)
{
    for (unsigned trial = 0; trial < 20000; trial++) {
        char text[64 + 1], piece[sizeof(text)];
        bool has[sizeof(text)] = {false};
        uint32_t next = 40, at = 40 + chance(12); /* text[40] is at C(1) */

        memset(text, '.', 64);
        memcpy(text + at, "attack", 6);
        seen = false;
        bool works = any_beginning();
        for (unsigned n = 0; n < 200 && next < at + 6; n++) {
            uint32_t a = chance(4) ? 40 + chance(24) : chance(64), b = a + 1 + chance(64 - a);

            memcpy(piece, text + a, b - a);
            piece[b - a] = 0;
            if (from('c', A, C(1) + a - 40, S_(1), piece))
                memset(has + a, true, b - a);
            while (has[next])
                next++;
            if (chance(3) == 0)
                assert_true(from('s', A, S_(1), C(1) + next - 40, NULL));
        }
        assert_true(seen || next < at + 6);
        assert_true(!works || next >= at + 6);
        forget();
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(one_syn_too_many),
        TEST(a_stream_that_begins_too_early),
        TEST(an_answer_that_begins_too_early),
        TEST(another_syn_behind_fast_open),
        TEST(a_syn_over_a_forgotten_connection),
        TEST(idle_for_longer_than_remembered),
        TEST(a_keep_alive_opens_nothing),
        TEST(picked_up_out_of_order),
        TEST(picked_up_in_three_parts),
        TEST(one_side_that_jumps),
        TEST(pieces_in_any_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
