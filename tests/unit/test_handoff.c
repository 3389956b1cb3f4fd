// SPDX-License-Identifier: BSD-2-Clause
/*
 * Descriptors between workers: they arrive whole, in order, all of them, from two senders at once; a full
 * ring says so; a sleeper is woken by what was sent before and after it lay down; nobody is woken while
 * awake.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include "ips/io/handoff.h"

static bool readable(int fd, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, timeout_ms) == 1;
}

static void everything_travels(void **state)
{
    struct err e;
    struct handoff *h = handoff_new(2, 8, &e);
    uint8_t bytes[4];
    struct packet in = {.data = bytes,
                        .len = 1514,
                        .umem_addr = 0x123456789100,
                        .in_port = 1,
                        .link = LINK_ETHERNET,
                        .now_ns = 77,
                        .ts_ns = 88};
    struct packet out;

    memset(&out, 0xff, sizeof(out));
    assert_false(handoff_pending(h, 1));
    assert_true(handoff_send(h, 0, 1, &in));
    assert_true(handoff_pending(h, 1));
    assert_false(handoff_pending(h, 0));
    assert_int_equal(handoff_receive(h, 0, &out, 1), 0);
    assert_int_equal(handoff_receive(h, 1, &out, 1), 1);
    assert_ptr_equal(out.data, bytes);
    assert_int_equal(out.len, 1514);
    assert_int_equal(out.orig_len, 1514);
    assert_int_equal(out.umem_addr, 0x123456789100);
    assert_int_equal(out.in_port, 1);
    assert_int_equal(out.link, LINK_ETHERNET);
    assert_int_equal(out.now_ns, 77);
    assert_int_equal(out.ts_ns, 88);
    assert_int_equal(out.flags, 0);
    assert_false(handoff_pending(h, 1));
    handoff_free(h);
}

static void a_full_ring_refuses(void **state)
{
    struct err e;
    struct handoff *h = handoff_new(3, 8, &e);
    struct packet p = {.len = 60}, out[16];
    unsigned sent = 0;

    while (handoff_send(h, 2, 0, &p)) {
        p.len++;
        assert_true(++sent <= 8);
    }
    assert_int_equal(sent, 7);
    assert_true(handoff_send(h, 1, 0, &p)); /* the other sender's ring has room */
    assert_int_equal(handoff_receive(h, 0, out, 16), 8);
    assert_true(handoff_send(h, 2, 0, &p));
    handoff_free(h);
}

static void takes_turns(void **state)
{
    struct err e;
    struct handoff *h = handoff_new(3, 64, &e);
    struct packet p = {0}, out[4];
    unsigned from_two = 0;

    for (int i = 0; i < 40; i++) {
        p.umem_addr = 1;
        assert_true(handoff_send(h, 1, 0, &p));
        p.umem_addr = 2;
        assert_true(handoff_send(h, 2, 0, &p));
    }
    for (int burst = 0; burst < 6; burst++) {
        unsigned n = handoff_receive(h, 0, out, 4);
        for (unsigned i = 0; i < n; i++)
            from_two += out[i].umem_addr == 2;
    }
    assert_in_range(from_two, 8, 16); /* neither starves */
    handoff_free(h);
}

static void wakes_sleepers_only(void **state)
{
    struct err e;
    struct handoff *h = handoff_new(2, 8, &e);
    struct packet p = {0}, out[8];
    int fd = handoff_fd(h, 1);

    assert_true(handoff_send(h, 0, 1, &p));
    assert_false(readable(fd, 0)); /* awake: no system call was made */
    handoff_sleep(h, 1, true);
    assert_true(handoff_pending(h, 1)); /* the second look finds it */
    handoff_sleep(h, 1, false);
    assert_int_equal(handoff_receive(h, 1, out, 8), 1);

    handoff_sleep(h, 1, true);
    assert_false(handoff_pending(h, 1));
    assert_false(readable(fd, 0));
    assert_true(handoff_send(h, 0, 1, &p));
    assert_true(readable(fd, 0));
    assert_true(handoff_send(h, 0, 1, &p));
    handoff_sleep(h, 1, false);
    assert_false(readable(fd, 0)); /* one wake-up for both, taken back */
    assert_int_equal(handoff_receive(h, 1, out, 8), 2);
    handoff_free(h);
}

static void refuses_odd_sizes(void **state)
{
    struct err e = {0};

    assert_null(handoff_new(2, 1000, &e));
    assert_int_equal(e.code, -EINVAL);
    assert_null(handoff_new(0, 8, &e));
    handoff_free(NULL);
}

#define N_DESCRIPTORS 1000000u
#define POLL_LIMIT_MS 20000 /* far beyond any scheduling delay: reached only when a wake-up was lost */

struct run {
    struct handoff *h;
    uint32_t from, failed;
};

/* Sends 1, 2, 3, ...; waits for room when the ring is full. */
static void *sender(void *arg)
{
    struct run *r = arg;

    for (uint32_t i = 1; i <= N_DESCRIPTORS; i++) {
        struct packet p = {.umem_addr = i, .len = i ^ 0x5a5a5a5a, .in_port = (uint8_t)(r->from & 1)};
        while (!handoff_send(r->h, r->from, 0, &p))
            sched_yield();
        if (i % 4096 == 0) /* let the receiver run dry and lie down now and then */
            sched_yield();
    }
    return NULL;
}

static void a_million_from_each_of_two_senders(void **state)
{
    struct err e;
    struct handoff *h = handoff_new(3, 256, &e);
    struct run runs[2] = {{.h = h, .from = 1}, {.h = h, .from = 2}};
    pthread_t threads[2];
    struct packet out[BURST_MAX];
    uint64_t last[3] = {0}, sleeps = 0;

    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, sender, &runs[i]), 0);
    while (last[1] + last[2] < 2ull * N_DESCRIPTORS) {
        unsigned n = handoff_receive(h, 0, out, BURST_MAX);
        for (unsigned i = 0; i < n; i++) {
            uint32_t from = out[i].in_port ? 1 : 2;
            assert_int_equal(out[i].umem_addr, last[from] + 1);
            assert_int_equal(out[i].len, (uint32_t)out[i].umem_addr ^ 0x5a5a5a5a);
            last[from]++;
        }
        if (n)
            continue;
        handoff_sleep(h, 0, true);
        if (!handoff_pending(h, 0)) {
            sleeps++;
            assert_true(readable(handoff_fd(h, 0), POLL_LIMIT_MS));
        }
        handoff_sleep(h, 0, false);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(last[1], N_DESCRIPTORS);
    assert_int_equal(last[2], N_DESCRIPTORS);
    assert_false(handoff_pending(h, 0));
    print_message("slept %llu times\n", (unsigned long long)sleeps);
    handoff_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_travels), cmocka_unit_test(a_full_ring_refuses),
        cmocka_unit_test(takes_turns),        cmocka_unit_test(wakes_sleepers_only),
        cmocka_unit_test(refuses_odd_sizes),  cmocka_unit_test(a_million_from_each_of_two_senders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
