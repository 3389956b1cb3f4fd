/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of hosts against simple truths, alone and with four threads at it; the variables of flows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ips/base/track.h"
#include "ips/base/vars.h"

static struct counters ctr;
static struct track *t;

static void setup_track(uint32_t n)
{
    struct err e;

    memset(&ctr, 0, sizeof(ctr));
    t = track_new(n, &e);
    assert_non_null(t);
}

static int teardown(void **state)
{
    track_free(t);
    t = NULL;
    return 0;
}

static struct track_key key(uint64_t n)
{
    return track_key_of(t, &n, sizeof(n));
}

struct put {
    uint64_t deadline_ms;
    bool was_alive;
    uint32_t was;
};

/* Adds one to the number. */
static bool bump(struct track_value *v, bool alive, void *arg)
{
    struct put *p = arg;

    p->was_alive = alive;
    p->was = v->data;
    v->data++;
    if (!alive)
        v->deadline_ms = p->deadline_ms;
    return true;
}

static bool drop(struct track_value *v, bool alive, void *arg)
{
    return false;
}

static uint32_t data_of(uint64_t n, uint64_t now_ms)
{
    struct track_value v;

    return track_get(t, key(n), now_ms, &v) ? v.data : 0;
}

static void entries_live_until_their_deadline(void **state)
{
    struct put p = {.deadline_ms = 100};
    struct track_value v;

    setup_track(64);
    assert_false(track_get(t, key(1), 10, &v));
    assert_true(track_update(t, key(1), 10, bump, &p, &ctr));
    assert_false(p.was_alive);
    assert_true(track_get(t, key(1), 100, &v));
    assert_int_equal(v.deadline_ms, 100);
    assert_int_equal(v.data, 1);
    assert_false(track_get(t, key(1), 101, &v));
    assert_true(track_update(t, key(1), 100, bump, &p, &ctr));
    assert_true(p.was_alive && p.was == 1);
    p.deadline_ms = 300;
    assert_true(track_update(t, key(1), 101, bump, &p, &ctr)); /* over: it begins again */
    assert_true(!p.was_alive && p.was == 0);
    assert_int_equal(data_of(1, 300), 1);
    assert_true(track_update(t, key(1), 200, drop, NULL, &ctr));
    assert_false(track_get(t, key(1), 200, &v));
    assert_true(track_update(t, key(2), 200, drop, NULL, &ctr)); /* nothing to drop */
}

static void numbers_and_times_are_cut_at_their_bits(void **state)
{
    struct put p = {.deadline_ms = UINT64_MAX};
    struct track_value v;

    setup_track(64);
    for (unsigned i = 0; i < 3; i++)
        track_update(t, key(1), 1, bump, &p, &ctr);
    assert_true(track_get(t, key(1), TRACK_MS_MAX, &v));
    assert_int_equal(v.deadline_ms, TRACK_MS_MAX);
    assert_int_equal(v.data, 3);
}

/* Whatever the keys, the table holds no more than it has room for, and the entry that would end next goes. */
static void full_buckets_forget_what_would_end_first(void **state)
{
    uint32_t left = 0, late = 0;

    setup_track(64);
    for (uint64_t i = 1; i <= 1000; i++) {
        struct put p = {.deadline_ms = i % 10 == 0 ? 5000 : 1000 + i};
        assert_true(track_update(t, key(i), 1, bump, &p, &ctr));
    }
    for (uint64_t i = 1; i <= 1000; i++) {
        left += data_of(i, 1) != 0;
        late += data_of(i, 1) != 0 && i % 10 == 0;
    }
    assert_int_equal(left, 64);
    assert_int_equal(ctr.v[CTR_TRACK_EVICTED], 1000 - 64);
    assert_in_range(late, 40, 64);
    for (uint64_t i = 2001; i <= 2010; i++) { /* those whose time is over are no loss */
        struct put p = {.deadline_ms = 9000};
        assert_true(track_update(t, key(i), 6000, bump, &p, &ctr));
    }
    assert_int_equal(ctr.v[CTR_TRACK_EVICTED], 1000 - 64);
}

enum { THREADS = 4, KEYS = 3000, ROUNDS = 20 };

struct job {
    pthread_t thread;
    struct counters ctr;
    uint64_t first; /* how often this thread found no entry */
    uint64_t broken;
    unsigned number;
};

/* Every thread counts every key, in another order, so that they meet both at making entries and at changing them. */
static void *count_all(void *arg)
{
    struct job *j = arg;

    for (unsigned r = 0; r < ROUNDS; r++)
        for (uint64_t i = 0; i < KEYS; i++) {
            uint64_t k = (r & 1) ? KEYS - 1 - i : i;
            struct put p = {.deadline_ms = 1000000};

            track_update(t, key(k), 1, bump, &p, &j->ctr);
            j->first += !p.was_alive;
        }
    return NULL;
}

static void run_threads(struct job *jobs, void *(*fn)(void *))
{
    for (unsigned i = 0; i < THREADS; i++) {
        jobs[i] = (struct job){.number = i};
        assert_int_equal(pthread_create(&jobs[i].thread, NULL, fn, &jobs[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(jobs[i].thread, NULL);
}

static void threads_lose_no_count_and_make_each_entry_once(void **state)
{
    static struct job jobs[THREADS];
    uint64_t first = 0, evicted = 0, contended = 0;

    setup_track(1 << 16); /* room for all: nothing is evicted */
    run_threads(jobs, count_all);
    for (unsigned i = 0; i < THREADS; i++) {
        first += jobs[i].first;
        evicted += jobs[i].ctr.v[CTR_TRACK_EVICTED];
        contended += jobs[i].ctr.v[CTR_TRACK_CONTENDED];
    }
    assert_int_equal(evicted, 0);
    assert_int_equal(contended, 0);
    assert_int_equal(first, KEYS);
    for (uint64_t k = 0; k < KEYS; k++)
        assert_int_equal(data_of(k, 1), THREADS * ROUNDS);
}

static bool one(struct track_value *v, bool alive, void *arg)
{
    struct put *p = arg;

    p->was_alive = alive;
    *v = (struct track_value){1000000, 1};
    return true;
}

/* All of one bucket's fate: entries made, dropped and evicted by all threads at once; the table stays whole. */
static void *churn(void *arg)
{
    struct job *j = arg;
    unsigned seed = j->number + 1;

    for (unsigned i = 0; i < KEYS * ROUNDS; i++) {
        uint64_t k = (unsigned)rand_r(&seed) % 200;
        struct put p;
        struct track_value v;

        if (rand_r(&seed) % 3 == 0)
            track_update(t, key(k), 1, drop, NULL, &j->ctr);
        else
            track_update(t, key(k), 1, one, &p, &j->ctr);
        if (track_get(t, key(k), 1, &v))
            j->broken += v.data != 1 || v.deadline_ms != 1000000; /* half of something */
    }
    return NULL;
}

static void threads_fight_for_a_full_table(void **state)
{
    static struct job jobs[THREADS];
    uint32_t left = 0;

    setup_track(64);
    run_threads(jobs, churn);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(jobs[i].broken, 0);
    for (uint64_t k = 0; k < 200; k++)
        left += data_of(k, 1);
    assert_in_range(left, 1, 64);
    for (uint64_t k = 0; k < 200; k++) { /* one drop is enough: no entry is there twice */
        track_update(t, key(k), 1, drop, NULL, &ctr);
        assert_int_equal(data_of(k, 1), 0);
    }
    for (uint64_t k = 1000; k < 5000; k++) { /* no claim was left behind: all slots can be had */
        struct put p;
        track_update(t, key(k), 1, one, &p, &ctr);
    }
    left = 0;
    for (uint64_t k = 1000; k < 5000; k++)
        left += data_of(k, 1);
    assert_int_equal(left, 64);
}

static void variables_against_an_array(void **state)
{
    enum { OWNERS = 20, IDS = 60 };
    uint32_t owner[OWNERS] = {0}, model[OWNERS][IDS] = {{0}}, refused = 0;
    struct vars_pool *p;
    struct err e;

    srand(7);
    p = vars_pool_new(100, &e);
    assert_non_null(p);
    for (unsigned i = 0; i < 200000; i++) {
        unsigned o = (unsigned)rand() % OWNERS, id = (unsigned)rand() % IDS;
        uint32_t v = 0;

        assert_int_equal(vars_get(p, owner[o], (uint16_t)(id + 1), &v), model[o][id] != 0);
        assert_int_equal(v, model[o][id]);
        if (rand() % 5 < 2) {
            vars_unset(p, &owner[o], (uint16_t)(id + 1));
            model[o][id] = 0;
        } else if (vars_set(p, &owner[o], (uint16_t)(id + 1), i + 1)) {
            model[o][id] = i + 1;
        } else {
            refused++;
            assert_int_equal(model[o][id], 0); /* a variable that is there can always be changed */
        }
        if (i % 5000 == 0) {
            vars_clear(p, &owner[o]);
            memset(model[o], 0, sizeof(model[o]));
        }
    }
    assert_true(refused > 0);
    for (unsigned o = 0; o < OWNERS; o++) {
        struct var list[VARS_PER_OWNER_MAX];
        uint32_t n = vars_list(p, owner[o], list, VARS_PER_OWNER_MAX), want = 0;

        for (unsigned id = 0; id < IDS; id++)
            want += model[o][id] != 0;
        assert_int_equal(n, want);
        for (uint32_t i = 0; i < n; i++)
            assert_int_equal(list[i].value, model[o][list[i].id - 1]);
        vars_clear(p, &owner[o]);
    }
    for (unsigned i = 0; i < 700; i++) /* every block came back */
        assert_true(vars_set(p, &owner[i / 70], (uint16_t)(i % 70 + 1), 1));
    assert_false(vars_set(p, &owner[11], 1, 1));
    vars_pool_free(p);
}

static void an_owner_has_a_limit(void **state)
{
    struct vars_pool *p;
    uint32_t owner = 0, v;
    struct err e;

    p = vars_pool_new(100, &e);
    for (uint16_t i = 1; i <= VARS_PER_OWNER_MAX; i++)
        assert_true(vars_set(p, &owner, i, i));
    assert_false(vars_set(p, &owner, VARS_PER_OWNER_MAX + 1, 1));
    assert_true(vars_get(p, owner, VARS_PER_OWNER_MAX, &v) && v == VARS_PER_OWNER_MAX);
    vars_unset(p, &owner, 1);
    assert_true(vars_set(p, &owner, VARS_PER_OWNER_MAX + 1, 1));
    vars_pool_free(p);
}

#define T(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(entries_live_until_their_deadline),
        T(numbers_and_times_are_cut_at_their_bits),
        T(full_buckets_forget_what_would_end_first),
        T(threads_lose_no_count_and_make_each_entry_once),
        T(threads_fight_for_a_full_table),
        T(variables_against_an_array),
        T(an_owner_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
