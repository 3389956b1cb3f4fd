// SPDX-License-Identifier: BSD-2-Clause
/*
 * The UMEM's bookkeeping without sockets: frames are dealt out once each, and whatever workers do with them,
 * the counts add up and the frames can all be found again. The moves of port.c (to fill, to tx, to a hand)
 * are made here on the caches directly, by several workers in turn, at random but from a fixed seed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "ips/io/umem_priv.h"

static uint64_t rng_state;

static uint32_t rng(uint32_t below)
{
    rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(rng_state >> 33) % below;
}

static void assert_totals(const struct umem *u)
{
    struct umem_totals t;

    umem_totals(u, &t);
    assert_int_equal(t.size, u->n_frames);
    assert_int_equal(t.free + t.fill + t.worker + t.tx, t.size);
}

static void deals_every_frame_once(void **state)
{
    struct err e;
    struct umem *u = umem_new(1000, 3, &e);
    struct umem_totals t;

    assert_non_null(u);
    umem_totals(u, &t);
    assert_int_equal(t.size, 1002); /* rounded up to three equal shares */
    assert_int_equal(t.free, 1002);
    uint8_t seen[1002] = {0};
    for (uint32_t w = 0; w < 3; w++) {
        struct frame_cache *c = umem_cache(u, w);
        assert_int_equal(c->n, 334);
        while (c->n) {
            uint64_t addr = frame_cache_pop(c);
            assert_int_equal(addr % FRAME_BYTES, 0);
            assert_int_equal(addr / FRAME_BYTES / 334, w); /* its own part of the area */
            assert_int_equal(seen[addr / FRAME_BYTES]++, 0);
            memset(u->area + addr, 0xa5, FRAME_BYTES); /* the memory is there */
        }
    }
    umem_free(u);
}

static void push_takes_any_address_within_a_frame(void **state)
{
    struct err e;
    struct umem *u = umem_new(16, 1, &e);
    struct frame_cache *c = umem_cache(u, 0);

    uint64_t a = frame_cache_pop(c);
    frame_cache_push(c, a + FRAME_HEADROOM + 14);
    assert_int_equal(frame_cache_pop(c), a); /* last in, first out */
    umem_free(u);
}

static void refuses_what_cannot_be(void **state)
{
    struct err e = {0};

    assert_null(umem_new(0, 1, &e));
    assert_int_equal(e.code, -EINVAL);
    assert_null(umem_new(10, 0, &e));
    assert_null(umem_new(4000000000u, 1, &e)); /* 16 TB */
    assert_int_equal(e.code, -ENOMEM);
    assert_non_null(strstr(e.text, "4000000000 frames"));
    assert_true(e.remedy[0] != 0);
    umem_free(NULL);
}

#define N_WORKERS 3
#define N_FRAMES  1536
#define LIST_MAX  N_FRAMES

/* Where the model's frames are: every address is in a cache, in the depot, or in one of these lists. */
struct list {
    uint64_t v[LIST_MAX];
    uint32_t n;
};
static struct list fill[N_WORKERS], tx[N_WORKERS], hand[N_WORKERS];

static void move_to_list(struct frame_cache *c, int64_t *count, struct list *to, uint32_t n)
{
    for (; n && c->n; n--) {
        to->v[to->n++] = frame_cache_pop(c);
        ++*count;
    }
}

static void move(struct list *from, struct list *to, uint32_t n)
{
    for (; n && from->n; n--) {
        uint32_t i = rng(from->n);
        to->v[to->n++] = from->v[i];
        from->v[i] = from->v[--from->n];
    }
}

static void one_move(struct umem *u, uint32_t w)
{
    struct frame_cache *c = umem_cache(u, w);
    uint32_t n = 1 + rng(BURST_MAX), before;

    switch (rng(7)) {
    case 0: /* refill */
        move_to_list(c, &c->fill, &fill[w], n);
        break;
    case 1: /* receive */
        before = hand[w].n;
        move(&fill[w], &hand[w], n);
        c->fill -= hand[w].n - before;
        c->worker += hand[w].n - before;
        break;
    case 2: /* hand off, always the same way: the caches must drift */
        move(&hand[w], &hand[(w + 1) % N_WORKERS], w == 2 ? 0 : n);
        break;
    case 3: /* send */
        before = tx[w].n;
        move(&hand[w], &tx[w], n);
        c->worker -= tx[w].n - before;
        c->tx += tx[w].n - before;
        break;
    case 4: /* complete */
        for (; n && tx[w].n; n--, c->tx--)
            frame_cache_push(c, tx[w].v[--tx[w].n] + FRAME_HEADROOM);
        break;
    case 5: /* drop */
        for (; n && hand[w].n; n--, c->worker--)
            frame_cache_push(c, hand[w].v[--hand[w].n] + FRAME_HEADROOM);
        break;
    case 6: /* make a frame */
        move_to_list(c, &c->worker, &hand[w], 1);
        break;
    }
    frame_cache_settle(c);
}

static void everything_back(struct umem *u)
{
    for (uint32_t w = 0; w < N_WORKERS; w++) {
        struct frame_cache *c = umem_cache(u, w);
        for (; fill[w].n; c->fill--)
            frame_cache_push(c, fill[w].v[--fill[w].n]);
        for (; tx[w].n; c->tx--)
            frame_cache_push(c, tx[w].v[--tx[w].n]);
        for (; hand[w].n; c->worker--)
            frame_cache_push(c, hand[w].v[--hand[w].n]);
    }
    for (int round = 0; round < 3; round++) /* until nobody has more to give or to take */
        for (uint32_t w = 0; w < N_WORKERS; w++)
            frame_cache_settle(umem_cache(u, w));
}

/* After any moves: the totals hold, no frame is lost or doubled, and the shares are even again but for a
 * batch. */
static void random_moves_conserve_frames(void **state)
{
    struct err e;

    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct umem *u = umem_new(N_FRAMES, N_WORKERS, &e);
        uint8_t seen[N_FRAMES] = {0};
        uint32_t n_seen = 0;

        assert_non_null(u);
        rng_state = seed;
        for (int i = 0; i < 20000; i++) {
            one_move(u, rng(N_WORKERS));
            assert_totals(u);
        }
        everything_back(u);
        assert_totals(u);
        for (uint32_t w = 0; w < N_WORKERS; w++) {
            struct frame_cache *c = umem_cache(u, w);
            assert_in_range(c->n, c->share - (N_WORKERS - 1) * FRAME_BATCH, c->share + FRAME_BATCH - 1);
        }
        for (uint32_t w = 0; w < N_WORKERS; w++) {
            struct frame_cache *c = umem_cache(u, w);
            while (c->n) {
                for (; c->n; n_seen++)
                    assert_int_equal(seen[frame_cache_pop(c) / FRAME_BYTES]++, 0);
                frame_cache_settle(c); /* a batch that nobody wanted may be left in the depot */
            }
        }
        assert_int_equal(n_seen, N_FRAMES);
        umem_free(u);
    }
}

/* One worker receives all, the other ends up with all: what it has too much must come back. */
static void surplus_comes_back(void **state)
{
    struct err e;
    struct umem *u = umem_new(256, 2, &e);
    struct frame_cache *a = umem_cache(u, 0), *b = umem_cache(u, 1);
    struct umem_totals t;

    for (int i = 0; i < 128; i++, a->worker++, b->worker--)
        frame_cache_push(b, frame_cache_pop(a));
    assert_int_equal(a->n, 0);
    frame_cache_settle(b);
    assert_int_equal(b->n, 128);
    frame_cache_settle(a);
    assert_int_equal(a->n, 128);
    umem_totals(u, &t);
    assert_int_equal(t.free, 256);
    assert_int_equal(t.worker, 0);
    umem_free(u);
}

/* A frame that a worker kept shows after a reset: the sum no longer is the size. */
static void a_lost_frame_shows(void **state)
{
    struct err e;
    struct umem *u = umem_new(64, 1, &e);
    struct frame_cache *c = umem_cache(u, 0);
    struct umem_totals t;

    frame_cache_pop(c);
    c->worker++;
    umem_reset(u);
    umem_totals(u, &t);
    assert_int_equal(t.free, 64);
    assert_int_equal(t.worker, 1);
    umem_free(u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deals_every_frame_once), cmocka_unit_test(push_takes_any_address_within_a_frame),
        cmocka_unit_test(refuses_what_cannot_be), cmocka_unit_test(random_moves_conserve_frames),
        cmocka_unit_test(surplus_comes_back),     cmocka_unit_test(a_lost_frame_shows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
