// SPDX-License-Identifier: BSD-2-Clause
/*
 * A worker's sign of life, and where a gap ends: frames that lay in the rings before it are received by themselves, the
 * round behind them says that what comes now does not follow what was seen, and all workers of the bridge hear it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "ips/base/clock.h"
#include "ips/io/port_priv.h"
#include "ips/pulse.h"

static struct {
    struct steer_beat beat;
    uint64_t escaped_ns;
    struct pulse pulse;
    struct xsk_port port[2];
    uint32_t producer[2];
    struct port *ports[2];
} bench;

static int setup(void **state)
{
    memset(&bench, 0, sizeof(bench));
    for (unsigned i = 0; i < 2; i++) {
        bench.port[i].size = bench.port[i].rx.size = 2048;
        bench.port[i].rx.producer = &bench.producer[i];
        bench.ports[i] = &bench.port[i].port;
    }
    bench.beat.escaped = 7; /* of another daemon's time */
    bench.pulse = (struct pulse){.beat = &bench.beat, .escaped_ns = &bench.escaped_ns};
    pulse_start(&bench.pulse);
    return 0;
}

static uint64_t round_at(uint64_t now_ns)
{
    return pulse_round(&bench.pulse, bench.ports, now_ns);
}

/* The kernel gives a port n frames. */
static void frames_come(unsigned port, uint32_t n)
{
    bench.producer[port] += n;
}

/* The worker's burst: as many as it may have and there are. */
static unsigned burst(unsigned port)
{
    uint32_t there = port_rx_waiting(bench.ports[port]), n = pulse_burst(&bench.pulse, (unsigned)port);

    n = n < there ? n : there;
    bench.port[port].rx.cached_cons += n;
    pulse_received(&bench.pulse, port, n);
    return n;
}

static void signs_of_life(void **state)
{
    uint64_t before = bench.beat.beat_ns;

    assert_true(before > 0 && before <= clock_mono_ns());
    assert_int_equal(round_at(1000), 0);
    assert_int_equal(bench.beat.beat_ns, 1000);
    pulse_sleep(&bench.pulse);
    assert_true(bench.beat.beat_ns == STEER_ASLEEP);
    pulse_wake(&bench.pulse);
    assert_true(bench.beat.beat_ns >= before && bench.beat.beat_ns <= clock_mono_ns());
    assert_int_equal(pulse_escaped(&bench.pulse), 7);
}

static void what_lay_in_the_rings_comes_first(void **state)
{
    frames_come(0, 100);
    frames_come(1, 3);
    bench.beat.escaped += 50;
    assert_int_equal(round_at(1000), 1000);
    frames_come(0, 500); /* behind the gap: the worker lives again */
    frames_come(1, 500);
    assert_int_equal(burst(0), 64);
    assert_int_equal(burst(1), 3);
    assert_int_equal(round_at(2000), 1000);
    assert_int_equal(burst(0), 36);
    assert_int_equal(burst(1), 0);
    assert_int_equal(round_at(3000), 3000); /* here it ends */
    assert_int_equal(burst(0), 64);
    assert_int_equal(burst(1), 64);
    assert_int_equal(round_at(4000), 3000);
}

static void empty_rings(void **state)
{
    bench.beat.escaped++;
    assert_int_equal(round_at(1000), 1000);
    frames_come(0, 10);
    assert_int_equal(burst(0), 0);
    assert_int_equal(round_at(2000), 2000);
    assert_int_equal(burst(0), 10);
}

/* It moves again before what lay there is inspected. */
static void a_gap_in_a_gap(void **state)
{
    frames_come(0, 70);
    bench.beat.escaped++;
    assert_int_equal(round_at(1000), 1000);
    assert_int_equal(burst(0), 64);
    frames_come(0, 20);
    bench.beat.escaped++;
    assert_int_equal(round_at(2000), 2000);
    assert_int_equal(burst(0), 26);
    assert_int_equal(round_at(3000), 3000);
    assert_int_equal(round_at(4000), 3000);
}

static void all_workers_hear_it(void **state)
{
    bench.escaped_ns = 5000; /* another worker's word */
    assert_int_equal(round_at(6000), 5000);
    bench.escaped_ns = 9000; /* its clock was read later */
    bench.beat.escaped++;
    assert_int_equal(round_at(7000), 9000);
    assert_int_equal(bench.escaped_ns, 9000);
}

static void nobody_looks(void **state)
{
    bench.pulse.beat = NULL; /* capture mode */
    assert_int_equal(round_at(1000), 0);
    assert_int_equal(pulse_burst(&bench.pulse, 0), BURST_MAX);
    assert_int_equal(pulse_escaped(&bench.pulse), 0);
}

/* Another queue's worker is judged as the program judges it. */
static void the_others(void **state)
{
    struct steer_beat beats[2] = {{.beat_ns = 0}, {.beat_ns = 0}};
    struct pulse p = {.beat = &beats[0], .beats = beats, .heartbeat_ns = 20};

    assert_false(pulse_lives(&p, 1, 1000)); /* never a sign */
    beats[1].beat_ns = 1000;
    assert_true(pulse_lives(&p, 1, 1020));
    assert_false(pulse_lives(&p, 1, 1021));
    beats[1].beat_ns = 5000; /* held by one who hands over */
    assert_true(pulse_lives(&p, 1, 1021));
    beats[1].beat_ns = STEER_ASLEEP; /* the first frame starts the clock */
    assert_true(pulse_lives(&p, 1, 2000));
    assert_true(beats[1].beat_ns == 2000);
    assert_true(pulse_lives(&p, 1, 2020));
    assert_false(pulse_lives(&p, 1, 2021));
    p.heartbeat_ns = 0;
    assert_true(pulse_lives(&p, 1, 9999));
    pulse_escape(&p, 1);
    assert_int_equal(beats[1].escaped, 1);
    assert_int_equal(beats[0].escaped, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(signs_of_life, setup),
        cmocka_unit_test_setup(what_lay_in_the_rings_comes_first, setup),
        cmocka_unit_test_setup(empty_rings, setup),
        cmocka_unit_test_setup(a_gap_in_a_gap, setup),
        cmocka_unit_test_setup(all_workers_hear_it, setup),
        cmocka_unit_test_setup(nobody_looks, setup),
        cmocka_unit_test(the_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
