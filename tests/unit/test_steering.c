/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which of several workers sees a packet. A connection's segments of both directions and the datagrams that came in
 * fragments must meet in one worker, wherever NICs hash by the addresses (then they arrive there, and stay) and where
 * frames are handed to their owner (fragments by their addresses, their datagrams once more by the flow). What tunnels
 * carry is always handed, since NICs hash the tunnel's ends. That NICs hash so is test_nic.c's.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "ips/worker.h"
#include "tests/unit/fragments.h"
#include "tests/unit/wrap.h"

enum { N_WORKERS = 2, N_FLOWS = 64 };

static struct counters ctr;
static struct packet_pool pool;
static struct worker workers[N_WORKERS];
static struct packet pkt;

static int setup(void **state)
{
    static const struct flow_config cfg = {.max_flows = 16};
    struct err e;

    *state = flow_table_new(&cfg, &e); /* draws the hash's secret */
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    flow_table_free(*state);
    return 0;
}

static void set_up_workers(bool rss)
{
    static char rings; /* that there are some is all that is asked */

    for (uint32_t i = 0; i < N_WORKERS; i++) {
        workers[i].handoff = (struct handoff *)(void *)&rings;
        workers[i].cfg.index = i;
        workers[i].cfg.n_workers = N_WORKERS;
        workers[i].cfg.rss = rss;
    }
}

static struct packet *decoded(struct frame *f)
{
    const struct decode_config cfg = {.verify_checksums = true, .pool = &pool};

    pool.used = 0;
    pkt = (struct packet){.data = f->b, .len = f->len, .link = LINK_ETHERNET};
    decode_burst(&pkt, 1, &cfg, &ctr);
    return &pkt;
}

/* The owner of the frame, which all workers must agree on. */
static uint32_t owner(struct frame *f)
{
    struct packet *p = decoded(f);
    uint32_t o = worker_owner_of(&workers[0], p);

    for (uint32_t i = 1; i < N_WORKERS; i++)
        assert_int_equal(worker_owner_of(&workers[i], p), o);
    return o;
}

static void segment(struct frame *f, unsigned i, bool v6, bool back)
{
    uint16_t port = (uint16_t)(2000 + i);
    uint8_t host = (uint8_t)(10 + i % 8);

    frame_build(f, &(struct pkt){.v6 = v6,
                                 .src = back ? 2 : host,
                                 .dst = back ? host : 2,
                                 .sport = back ? 80 : port,
                                 .dport = back ? port : 80,
                                 .tcp_flags = 0x10,
                                 .payload = "x"});
}

static void fragment(struct frame *f, unsigned i, bool v6, uint32_t off)
{
    frag_build(f, &(struct frag){.v6 = v6,
                                 .src = (uint8_t)(10 + i % 8),
                                 .proto = IPPROTO_TCP,
                                 .id = i,
                                 .off = off,
                                 .more = off == 0,
                                 .bytes = "0123456789abcdef01234567",
                                 .len = 24});
}

static void test_handed_to_the_owner(void **state)
{
    static struct frame f;

    set_up_workers(false);
    for (unsigned v6 = 0; v6 < 2; v6++) {
        unsigned n[N_WORKERS] = {0};

        for (unsigned i = 0; i < N_FLOWS; i++) {
            segment(&f, i, v6, false);
            uint32_t o = owner(&f);
            segment(&f, i, v6, true);
            assert_int_equal(owner(&f), o);
            n[o]++;
            fragment(&f, i, v6, 0); /* all of a datagram; what it makes is asked about like any segment */
            o = owner(&f);
            fragment(&f, i, v6, 24);
            assert_int_equal(owner(&f), o);
            assert_true(decoded(&f)->flags & PKT_FRAGMENT);
        }
        assert_true(n[0] > 0 && n[1] > 0); /* one in 2^63 is wrong here */
    }
}

static void test_what_nics_brought_stays(void **state)
{
    static struct frame f;

    set_up_workers(true);
    for (unsigned i = 0; i < N_FLOWS; i++)
        for (uint32_t here = 0; here < N_WORKERS; here++)
            for (unsigned v6 = 0; v6 < 2; v6++) {
                segment(&f, i, v6, i % 2);
                assert_int_equal(worker_owner_of(&workers[here], decoded(&f)), here);
                fragment(&f, i, v6, 24 * (i % 2));
                struct packet *p = decoded(&f);
                assert_true(p->flags & PKT_FRAGMENT);
                assert_int_equal(worker_owner_of(&workers[here], p), here);
                p->flags ^= PKT_FRAGMENT; /* the datagram, when it is whole */
                assert_int_equal(worker_owner_of(&workers[here], p), here);
            }
}

/* Both directions of a tunnel may come by different ends: what they carry decides, whoever received it. */
static void test_tunnels_are_handed(void **state)
{
    static struct frame inner, f;

    set_up_workers(true);
    for (unsigned i = 0; i < N_FLOWS; i++) {
        uint32_t o[2];

        for (unsigned back = 0; back < 2; back++) {
            segment(&inner, i, false, back);
            frame_build(&f, &(struct pkt){.src = back ? 7 : 5,
                                          .dst = 6,
                                          .proto = IPPROTO_IPIP,
                                          .payload = inner.b + inner.l3,
                                          .payload_len = inner.len - inner.l3});
            assert_non_null(decoded(&f)->inner);
            o[back] = owner(&f);
        }
        assert_int_equal(o[0], o[1]);
    }
}

static void test_one_worker_has_no_rings(void **state)
{
    static struct frame f;

    set_up_workers(false);
    workers[0].handoff = NULL;
    segment(&f, 1, false, false);
    assert_int_equal(worker_owner_of(&workers[0], decoded(&f)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handed_to_the_owner),
        cmocka_unit_test(test_what_nics_brought_stays),
        cmocka_unit_test(test_tunnels_are_handed),
        cmocka_unit_test(test_one_worker_has_no_rings),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
