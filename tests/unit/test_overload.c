/* SPDX-License-Identifier: BSD-2-Clause */
/* The steps of overload, with occupancy and clock made up: up when it lasts, down when it is over, and not to and fro. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ips/base/clock.h"
#include "ips/base/overload.h"

static const struct overload_config cfg = {.high = 50, .low = 20, .policy = OVERLOAD_AUTO};

struct run {
    struct overload o;
    struct overload_config cfg;
    bool may_forward;
    uint64_t now_ns;
};

static struct run begin(void)
{
    return (struct run){.cfg = cfg, .may_forward = true, .now_ns = 5 * NS_PER_S};
}

/* n rounds of so many microseconds each. */
static uint32_t rounds(struct run *r, unsigned n, uint32_t permille, uint64_t us)
{
    for (unsigned i = 0; i < n; i++) {
        r->now_ns += us * NS_PER_US;
        overload_look(&r->o, &r->cfg, r->may_forward, permille, r->now_ns);
    }
    return r->o.step;
}

static void goes_up_step_by_step(void **state)
{
    struct run r = begin();

    (void)state;
    assert_int_equal(rounds(&r, 1000, 500, 100), OVERLOAD_NONE); /* as full as is allowed */
    assert_int_equal(rounds(&r, 7, 501, 100), OVERLOAD_NONE);
    assert_int_equal(rounds(&r, 1, 501, 100), OVERLOAD_ELEPHANTS);
    assert_int_equal(rounds(&r, 7, 600, 100), OVERLOAD_ELEPHANTS);
    assert_int_equal(rounds(&r, 1, 600, 100), OVERLOAD_RULES);
    assert_int_equal(rounds(&r, 8, 1000, 100), OVERLOAD_SHED);
    assert_int_equal(rounds(&r, 100, 1000, 100), OVERLOAD_SHED);
    assert_int_equal(r.o.peak, 1000);
    assert_int_equal(r.o.permille, 1000);
    for (unsigned i = 1; i < OVERLOAD_STEPS; i++)
        assert_int_equal(r.o.entered[i], 1);
}

static void long_rounds_count_for_more(void **state)
{
    struct run r = begin();

    (void)state;
    assert_int_equal(rounds(&r, 2, 900, 12000), OVERLOAD_NONE);
    assert_int_equal(rounds(&r, 1, 900, 12000), OVERLOAD_ELEPHANTS);
    assert_int_equal(rounds(&r, 6, 900, 12000), OVERLOAD_SHED);
}

/* The worker did not run for a while, and works off what has come meanwhile. */
static void a_ring_that_drains_is_no_overload(void **state)
{
    struct run r = begin();

    (void)state;
    for (uint32_t permille = 1000; permille > 0; permille -= 20)
        assert_int_equal(rounds(&r, 1, permille, 100), OVERLOAD_NONE);
    assert_int_equal(r.o.peak, 1000);
}

static void a_pause_begins_anew(void **state)
{
    struct run r = begin();

    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(rounds(&r, 7, 800, 100), OVERLOAD_NONE);
        assert_int_equal(rounds(&r, 1, 500, 100), OVERLOAD_NONE);
    }
}

static void goes_down_when_it_is_calm(void **state)
{
    struct run r = begin();

    (void)state;
    rounds(&r, 24, 1000, 100);
    assert_int_equal(rounds(&r, 10000, 200, 100), OVERLOAD_SHED); /* between low and high: as it is */
    assert_int_equal(rounds(&r, 999, 199, 100), OVERLOAD_SHED);
    assert_int_equal(rounds(&r, 1, 300, 100), OVERLOAD_SHED);
    assert_int_equal(rounds(&r, 1000, 0, 100), OVERLOAD_SHED);
    assert_int_equal(rounds(&r, 1, 0, 100), OVERLOAD_RULES);
    assert_int_equal(rounds(&r, 1001, 0, 100), OVERLOAD_ELEPHANTS);
    assert_int_equal(rounds(&r, 1001, 0, 100), OVERLOAD_NONE);
    assert_int_equal(rounds(&r, 10000, 0, 100), OVERLOAD_NONE);
    assert_int_equal(r.o.entered[OVERLOAD_NONE], 1);
}

/* The load comes back as soon as less is shed: each time that takes twice as long, and in a minute it is a few times. */
static void does_not_flap(void **state)
{
    struct run r = begin();
    unsigned changes = 0, late = 0;

    (void)state;
    for (unsigned i = 0; i < 600000; i++) { /* a minute */
        uint32_t was = r.o.step;

        rounds(&r, 1, was >= OVERLOAD_RULES ? 100 : 900, 100);
        changes += r.o.step != was;
        late += r.o.step != was && i >= 300000;
    }
    assert_in_range(changes, 8, 30);
    assert_in_range(late, 2, 8);
    rounds(&r, 400000, 0, 100); /* forty quiet seconds, and it is as new */
    assert_int_equal(r.o.step, OVERLOAD_NONE);
    rounds(&r, 16, 900, 100);
    assert_int_equal(rounds(&r, 1001, 0, 100), OVERLOAD_ELEPHANTS);
}

/* Where nothing may cross uninspected there is one step, to dropping and back. */
static void closed_only_drops(void **state)
{
    static const struct {
        uint32_t policy;
        bool may_forward;
    } of[] = {{OVERLOAD_AUTO, false}, {OVERLOAD_DROP, true}, {OVERLOAD_DROP, false}};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct run r = begin();

        r.cfg.policy = of[i].policy;
        r.may_forward = of[i].may_forward;
        assert_int_equal(rounds(&r, 8, 900, 100), OVERLOAD_SHED);
        assert_int_equal(rounds(&r, 1001, 0, 100), OVERLOAD_NONE);
        assert_int_equal(r.o.entered[OVERLOAD_ELEPHANTS] + r.o.entered[OVERLOAD_RULES], 0);
    }
}

static void may_be_switched_off_and_changed_at_any_time(void **state)
{
    struct run r = begin();
    struct overload_config to = cfg;

    (void)state;
    rounds(&r, 24, 1000, 100);
    to.policy = OVERLOAD_OFF;
    overload_configure(&r.cfg, &to);
    assert_int_equal(rounds(&r, 1, 1000, 100), OVERLOAD_NONE);
    assert_int_equal(rounds(&r, 1000, 1000, 100), OVERLOAD_NONE);
    assert_int_equal(r.o.permille, 1000); /* still shown */
    to = (struct overload_config){
        .high = 90, .low = 80, .policy = OVERLOAD_AUTO, .elephant_bytes = 7, .packet_us = 9};
    overload_configure(&r.cfg, &to);
    assert_memory_equal(&r.cfg, &to, sizeof(to));
    assert_int_equal(rounds(&r, 100, 900, 100), OVERLOAD_NONE);
    assert_int_equal(rounds(&r, 8, 901, 100), OVERLOAD_ELEPHANTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_up_step_by_step),
        cmocka_unit_test(long_rounds_count_for_more),
        cmocka_unit_test(a_ring_that_drains_is_no_overload),
        cmocka_unit_test(a_pause_begins_anew),
        cmocka_unit_test(goes_down_when_it_is_calm),
        cmocka_unit_test(does_not_flap),
        cmocka_unit_test(closed_only_drops),
        cmocka_unit_test(may_be_switched_off_and_changed_at_any_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
