/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The timer wheel against a plain list of deadlines: nothing fires early, everything fires within a tick of its
 * time, whatever the clock does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "ips/base/wheel.h"

enum { N = 500, SLOTS = 64, SHIFT = 10 };
#define TICK (1ull << SHIFT)

struct element {
    uint64_t deadline; /* 0: not set */
    struct wheel_link link;
};

static struct element e[N];
static struct wheel w;

static int setup(void **state)
{
    for (unsigned i = 0; i < N; i++)
        e[i] = (struct element){0};
    return wheel_init(&w, &e[0].link, sizeof(e[0]), N, SLOTS, SHIFT);
}

static int teardown(void **state)
{
    wheel_fini(&w);
    return 0;
}

static void set(uint32_t node, uint64_t now, uint64_t deadline)
{
    e[node].deadline = deadline;
    wheel_set(&w, node, now, deadline);
}

static void fires_in_its_tick(void **state)
{
    const uint64_t start = 1000000 * TICK;

    set(7, start, start + 10 * TICK);
    assert_int_equal(wheel_due(&w, start), WHEEL_NONE);
    assert_int_equal(wheel_due(&w, start + 10 * TICK), WHEEL_NONE); /* rounded up, never early */
    assert_int_equal(wheel_due(&w, start + 11 * TICK), 7);
    assert_int_equal(wheel_due(&w, start + 11 * TICK), WHEEL_NONE);
}

static void cleared_does_not_fire(void **state)
{
    set(1, 0, 5 * TICK);
    set(2, 0, 5 * TICK);
    set(3, 0, 5 * TICK);
    wheel_clear(&w, 2);
    assert_int_equal(wheel_due(&w, 60 * TICK), 1); /* in the order they were set */
    assert_int_equal(wheel_due(&w, 60 * TICK), 3);
    assert_int_equal(wheel_due(&w, 60 * TICK), WHEEL_NONE);
    set(2, 60 * TICK, 61 * TICK);
    wheel_clear(&w, 2);
    assert_int_equal(wheel_due(&w, 200 * TICK), WHEEL_NONE);
}

static void beyond_the_horizon_comes_round(void **state)
{
    uint64_t now = 0;
    unsigned early = 0;

    set(0, now, 1000 * TICK);
    for (;; now += TICK) {
        uint32_t node = wheel_due(&w, now);
        if (node == WHEEL_NONE)
            continue;
        assert_int_equal(node, 0);
        if (e[0].deadline <= now)
            break;
        early++;
        wheel_set(&w, 0, now, e[0].deadline);
    }
    assert_in_range(now, 1000 * TICK, 1002 * TICK);
    assert_in_range(early, 10, 20);
}

static void past_deadlines_and_clocks_that_go_back(void **state)
{
    set(0, 1000 * TICK, 10 * TICK);
    assert_int_equal(wheel_due(&w, 1001 * TICK), 0);
    set(1, 1001 * TICK, 1003 * TICK);
    assert_int_equal(wheel_due(&w, 5), WHEEL_NONE);
    assert_int_equal(wheel_due(&w, 1004 * TICK), 1);
}

static void nearest(void **state)
{
    uint64_t slot;

    assert_int_equal(wheel_nearest(&w, &slot), WHEEL_NONE);
    set(0, 0, 40 * TICK);
    set(1, 0, 20 * TICK);
    set(2, 0, 5000 * TICK);
    assert_int_equal(wheel_nearest(&w, &slot), 1);
    assert_int_equal(slot, 21 * TICK);
    assert_int_equal(wheel_nearest(&w, &slot), 0);
    assert_int_equal(wheel_nearest(&w, &slot), 2);
    assert_true(slot < 5000 * TICK);
    assert_int_equal(wheel_nearest(&w, &slot), WHEEL_NONE);
}

/* One step of the clock: due nodes go back when their time is not over, and are done when it is. */
static void drain(uint64_t now)
{
    uint32_t node;

    while ((node = wheel_due(&w, now)) != WHEEL_NONE) {
        assert_true(node < N && e[node].deadline != 0);
        if (e[node].deadline > now)
            wheel_set(&w, node, now, e[node].deadline);
        else
            e[node].deadline = 0;
    }
}

static void agrees_with_a_list(void **state)
{
    uint64_t now = 123456 * TICK;

    srand(1);
    for (unsigned round = 0; round < 20000; round++) {
        uint32_t node = (uint32_t)rand() % N;

        if (e[node].deadline && rand() % 4 == 0) {
            wheel_clear(&w, node);
            e[node].deadline = 0;
        } else if (!e[node].deadline) {
            set(node, now, now + (uint64_t)rand() % (200 * TICK) + 1);
        }
        now += rand() % 100 == 0 ? (uint64_t)rand() % (300 * TICK) : (uint64_t)rand() % TICK;
        drain(now);
        for (unsigned i = 0; i < N; i++)
            assert_true(e[i].deadline == 0 || e[i].deadline + 2 * TICK > now);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(fires_in_its_tick, setup, teardown),
        cmocka_unit_test_setup_teardown(cleared_does_not_fire, setup, teardown),
        cmocka_unit_test_setup_teardown(beyond_the_horizon_comes_round, setup, teardown),
        cmocka_unit_test_setup_teardown(past_deadlines_and_clocks_that_go_back, setup, teardown),
        cmocka_unit_test_setup_teardown(nearest, setup, teardown),
        cmocka_unit_test_setup_teardown(agrees_with_a_list, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
