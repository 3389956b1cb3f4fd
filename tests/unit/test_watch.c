/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether a worker hangs: samples of every kind of round that takes long, ten a second. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ips/base/clock.h"
#include "ips/watch.h"

enum { STALL_MS = 1000, PERIOD_MS = 100, NEVER = 1000 };

/* Samples of a worker that stays in one round; cpu_percent of a processor goes to it. After how many ms, and what is said
 * then; NEVER: nothing in ten seconds. */
static unsigned stays(struct watch *w, unsigned cpu_percent, char state, enum watch_says *says)
{
    struct watch_sample s = {.now_ns = NS_PER_S, .round_ns = NS_PER_S, .state = state};

    for (unsigned i = 0; i < 100; i++) {
        *says = watch_look(w, &s, STALL_MS);
        if (*says != WATCH_FINE)
            return i * PERIOD_MS;
        s.now_ns += PERIOD_MS * NS_PER_MS;
        s.cpu_ns += PERIOD_MS * NS_PER_MS * cpu_percent / 100;
    }
    return NEVER;
}

static void computes_for_ever(void **state)
{
    struct watch w = {.seen = 0};
    enum watch_says says;

    (void)state;
    assert_int_equal(stays(&w, 100, 'R', &says), STALL_MS);
    assert_int_equal(says, WATCH_STUCK);
}

/* With a tenth of a processor it takes ten times as long to be sure. */
static void waits_for_a_processor(void **state)
{
    struct watch w = {.seen = 0};
    enum watch_says says;

    (void)state;
    assert_in_range(stays(&w, 10, 'R', &says), 7000, 8000);
    assert_int_equal(says, WATCH_STUCK);
    w = (struct watch){.seen = 0};
    assert_int_equal(stays(&w, 0, 'R', &says), NEVER);
}

static void sleeps_in_the_kernel(void **state)
{
    struct watch w = {.seen = 0};
    enum watch_says says;

    (void)state;
    assert_int_equal(stays(&w, 0, 'S', &says), STALL_MS);
    assert_int_equal(says, WATCH_BLOCKED);
}

static void is_held(void **state)
{
    static const char states[] = {'t', 'T', 'D'};

    (void)state;
    for (unsigned i = 0; i < sizeof(states); i++) {
        struct watch w = {.seen = 0};
        struct watch_sample s = {.now_ns = 20 * NS_PER_S, .round_ns = NS_PER_S, .state = states[i]};
        enum watch_says says;

        assert_int_equal(stays(&w, 0, states[i], &says), STALL_MS);
        assert_int_equal(says, WATCH_HELD);
        assert_int_equal(watch_look(&w, &s, STALL_MS), WATCH_FINE); /* said once */
        s.round_ns = s.now_ns;
        assert_int_equal(watch_look(&w, &s, STALL_MS), WATCH_RESUMED);
        assert_int_equal(w.resumed_ms, 19000);
    }
}

static void a_long_round_ends(void **state)
{
    struct watch w = {.seen = 0};
    struct watch_sample s = {.now_ns = NS_PER_S, .round_ns = NS_PER_S, .state = 'R'};

    (void)state;
    for (unsigned i = 0; i < 6; i++, s.now_ns += PERIOD_MS * NS_PER_MS)
        assert_int_equal(watch_look(&w, &s, STALL_MS), WATCH_FINE);
    s.round_ns += 520 * NS_PER_MS; /* more than half */
    assert_int_equal(watch_look(&w, &s, STALL_MS), WATCH_RESUMED);
    assert_int_equal(w.resumed_ms, 520);
    for (unsigned i = 0; i < 100; i++, s.now_ns += PERIOD_MS * NS_PER_MS, s.round_ns = s.now_ns)
        assert_int_equal(watch_look(&w, &s, STALL_MS), WATCH_FINE);
}

static void sleeps_in_poll(void **state)
{
    struct watch w = {.seen = 0};
    struct watch_sample s = {.now_ns = NS_PER_S, .round_ns = NS_PER_S, .asleep = true, .state = 'S'};

    (void)state;
    for (unsigned i = 0; i < 100; i++, s.now_ns += PERIOD_MS * NS_PER_MS)
        assert_int_equal(watch_look(&w, &s, STALL_MS), WATCH_FINE);
    s.asleep = false; /* it wakes: the round is the old one until its clock is read */
    assert_int_equal(watch_look(&w, &s, STALL_MS), WATCH_FINE);
}

/* A round of packets that each take long is slow, and nothing else. */
static void gets_on_slowly(void **state)
{
    struct watch w = {.seen = 0};
    struct watch_sample s = {.now_ns = NS_PER_S, .round_ns = NS_PER_S, .state = 'R'};

    (void)state;
    for (unsigned i = 0; i < 300; i++) {
        s.place = 1 + i / 8;
        assert_int_equal(watch_look(&w, &s, STALL_MS), WATCH_FINE);
        s.now_ns += PERIOD_MS * NS_PER_MS;
        s.cpu_ns += PERIOD_MS * NS_PER_MS;
    }
    for (unsigned i = 0; i < 6;
         i++) { /* and then hangs after all, in the packet that was there four samples long */
        assert_int_equal(watch_look(&w, &s, STALL_MS), WATCH_FINE);
        s.now_ns += PERIOD_MS * NS_PER_MS;
        s.cpu_ns += PERIOD_MS * NS_PER_MS;
    }
    assert_int_equal(watch_look(&w, &s, STALL_MS), WATCH_STUCK);
}

/* What the watcher did not see because it was stopped too is on nobody's account. */
static void everybody_was_stopped(void **state)
{
    struct watch w = {.seen = 0};
    struct watch_sample s = {.now_ns = NS_PER_S, .round_ns = NS_PER_S, .state = 'R'};

    (void)state;
    for (unsigned i = 0; i < 8; i++, s.now_ns += PERIOD_MS * NS_PER_MS, s.cpu_ns += PERIOD_MS * NS_PER_MS)
        assert_int_equal(watch_look(&w, &s, STALL_MS), WATCH_FINE);
    s.now_ns += 30 * NS_PER_S;
    watch_excuse(&w);
    for (unsigned i = 0; i < 9; i++, s.now_ns += PERIOD_MS * NS_PER_MS, s.cpu_ns += PERIOD_MS * NS_PER_MS)
        assert_int_equal(watch_look(&w, &s, STALL_MS), WATCH_FINE);
    s.round_ns = s.now_ns;
    watch_excuse(&w);
    assert_int_equal(watch_look(&w, &s, STALL_MS), WATCH_FINE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(computes_for_ever),     cmocka_unit_test(waits_for_a_processor),
        cmocka_unit_test(sleeps_in_the_kernel),  cmocka_unit_test(is_held),
        cmocka_unit_test(a_long_round_ends),     cmocka_unit_test(sleeps_in_poll),
        cmocka_unit_test(everybody_was_stopped), cmocka_unit_test(gets_on_slowly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
