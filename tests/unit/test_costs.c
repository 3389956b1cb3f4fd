/* SPDX-License-Identifier: BSD-2-Clause */
/* What rules cost: which are measured, which are left out when that is too much, and that they come back. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/lane.h"

#include "ips/detect/detect_parts.h"

static const char rules[] =
    "alert udp any any -> any any (msg:\"1\"; content:\"one\"; sid:1;)\n"
    "alert udp any any -> any any (msg:\"2\"; content:\"two\"; sid:2;)\n"
    "alert udp any any -> any any (msg:\"3\"; content:\"three\"; sid:3;)\n"
    "drop udp any any -> any any (msg:\"4\"; content:\"four\"; sid:4;)\n"
    "alert udp any any -> any any (msg:\"5\"; content:\"five\"; flowbits:set,x; sid:5;)\n"
    "pass udp any any -> any any (msg:\"6\"; content:\"six\"; sid:6;)\n";

static uint32_t *row(uint32_t sid)
{
    for (uint32_t i = 0; i < lane.rs->n_rules; i++)
        if (lane.rs->info[i].sid == sid)
            return &lane.rs->workers[0].spent_ns[i];
    fail();
    return NULL;
}

static void spend(uint32_t one, uint32_t two, uint32_t three, uint32_t four, uint32_t five, uint32_t six)
{
    *row(1) = one, *row(2) = two, *row(3) = three, *row(4) = four, *row(5) = five, *row(6) = six;
}

/* What is left out now, as "1 2 ". */
static const char *left_out(void)
{
    static char text[256];
    uint64_t ids[COSTLY_MAX];
    uint32_t n = detect_left_out(lane.det, ids);
    size_t at = 0;

    text[0] = '\0';
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(ids[i] >> 32, 1);
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%u ", (unsigned)ids[i]);
    }
    return text;
}

static bool datagram(const char *payload)
{
    return lane_inspect(&(struct pkt){.proto = IPPROTO_UDP, .payload = payload});
}

static void the_costliest_half_goes(void **state)
{
    (void)state;
    spend(100, 300, 50, 10, 10, 10);
    detect_leave_out(lane.det, lane.rs, false);
    assert_string_equal(left_out(), "2 ");
    datagram("one two three");
    assert_int_equal(lane.alerts, 2);
    assert_int_equal(lane.c.v[CTR_OVERLOAD_RULES], 1);
    datagram("one three");
    assert_int_equal(lane.alerts, 4);
    assert_int_equal(lane.c.v[CTR_OVERLOAD_RULES], 1);

    spend(1000, 0, 0, 0, 0, 0); /* once is enough, until all came back */
    detect_leave_out(lane.det, lane.rs, false);
    assert_string_equal(left_out(), "2 ");
    detect_leave_none_out(lane.det, lane.rs);
    assert_string_equal(left_out(), "");
    datagram("one two three");
    assert_int_equal(lane.alerts, 7);
    detect_leave_out(lane.det, lane.rs, false);
    assert_string_equal(left_out(), "1 ");
}

/* What drops, or what others rely on, goes only when the rest is not enough; what passes never. */
static void what_drops_goes_last(void **state)
{
    (void)state;
    spend(30, 20, 10, 40, 60, 0);
    detect_leave_out(lane.det, lane.rs, false);
    assert_string_equal(left_out(), "1 2 3 5 ");
    detect_leave_none_out(lane.det, lane.rs);
    spend(0, 0, 0, 40, 30, 500);
    detect_leave_out(lane.det, lane.rs, false);
    assert_string_equal(left_out(), "4 5 ");
    assert_true(datagram("four"));
    assert_true(datagram("six"));
    detect_leave_none_out(lane.det, lane.rs);
    spend(20, 0, 0, 40, 30, 500);
    detect_leave_out(lane.det, lane.rs, true);
    assert_string_equal(left_out(), "1 ");
    detect_leave_none_out(lane.det, lane.rs);
    assert_false(datagram("four"));
}

static void nothing_is_known(void **state)
{
    (void)state;
    detect_leave_out(lane.det, lane.rs, false);
    assert_string_equal(left_out(), "");
    detect_leave_out(lane.det, NULL, false);
    detect_leave_none_out(lane.det, NULL);
    datagram("one two");
    assert_int_equal(lane.alerts, 2);
}

/* A new ruleset has all its rules; what was left out of the old one does not stand for anything in it. */
static void after_a_reload(void **state)
{
    struct ruleset *old = lane.rs;

    (void)state;
    spend(100, 0, 0, 0, 0, 0);
    detect_leave_out(lane.det, lane.rs, false);
    datagram("one");
    assert_int_equal(lane.alerts, 0);
    lane.rs = rules_lab_load(rules, DIALECT_SURICATA);
    lane.rs->generation = old->generation + 1;
    ruleset_free(old);
    datagram("one");
    assert_int_equal(lane.alerts, 1);
    spend(0, 0, 7, 0, 0, 0);
    detect_leave_out(lane.det, lane.rs, false);
    assert_string_equal(left_out(), "3 ");
}

static void tries_are_measured(void **state)
{
    struct meter *m = lane.det->meter;

    (void)state;
    datagram("one two");
    assert_int_equal(*row(1) + *row(2), 0);
    meter_begin(m);
    datagram("one two");
    assert_true(*row(1) > 0 && *row(2) > 0 && *row(3) == 0);
    assert_true(m->rule_ns > 0 && (m->sid == 1 || m->sid == 2) && m->gid == 1);
    m->on = false;
}

static int setup(void **state)
{
    (void)state;
    lane_begin(rules, LANE_PLAIN);
    return 0;
}

#define ONE(f) cmocka_unit_test_setup_teardown(f, setup, lane_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(the_costliest_half_goes), ONE(what_drops_goes_last), ONE(nothing_is_known),
        ONE(after_a_reload),          ONE(tries_are_measured),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
