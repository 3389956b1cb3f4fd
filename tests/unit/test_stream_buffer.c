/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory of streams: blocks never overlap and become whole again; a buffer holds what a simple array of bytes says it
 * must, whatever the order of segments, across the end of the sequence numbers and when memory runs out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "ips/stream/stream_parts.h"

#define MODEL 60000 /* bytes of a stream in a trial */
#define LIMIT 16384 /* that may lie between keep and the end */

static uint64_t rng;

static uint32_t below(uint32_t n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (uint32_t)(rng >> 32) % n;
}

static struct pool *pool_of(uint64_t bytes)
{
    struct err e;
    struct pool *p = pool_new(bytes, "streams", "stream.memory", &e);

    assert_non_null(p);
    return p;
}

/* Takes everything there is in blocks of one order; the number taken. */
static unsigned drain(struct pool *p, unsigned order, pool_ref *r, unsigned max)
{
    unsigned n = 0;

    while (n < max && (r[n] = pool_take(p, order)) != 0)
        n++;
    return n;
}

static void blocks_do_not_overlap(void **state)
{
    enum { N = 500, BYTES = 1 << 20 };
    struct pool *p = pool_of(BYTES + 5 * POOL_UNIT); /* no power of two */
    struct {
        pool_ref r;
        unsigned order;
        uint8_t mark;
    } b[N] = {{0}};
    uint64_t used = 0;

    rng = 77;
    for (unsigned turn = 0; turn < 200000; turn++) {
        unsigned i = below(N);
        if (b[i].r) {
            uint8_t *at = pool_at(p, b[i].r);
            uint32_t len = POOL_UNIT << b[i].order;
            for (uint32_t k = 0; k < len; k += 61)
                assert_int_equal(at[k], b[i].mark);
            assert_int_equal(at[len - 1], b[i].mark);
            pool_give(p, b[i].r, b[i].order);
            b[i].r = 0;
            used -= len;
        } else {
            b[i].order = below(8);
            b[i].mark = (uint8_t)turn;
            b[i].r = pool_take(p, b[i].order);
            if (b[i].r) {
                memset(pool_at(p, b[i].r), b[i].mark, (size_t)POOL_UNIT << b[i].order);
                used += POOL_UNIT << b[i].order;
            }
        }
        assert_int_equal(pool_used(p), used);
    }
    for (unsigned i = 0; i < N; i++)
        if (b[i].r)
            pool_give(p, b[i].r, b[i].order);
    assert_int_equal(pool_used(p), 0);
    pool_ref whole = pool_take(p, 12);
    assert_int_not_equal(whole, 0); /* every half has found its other half */
    assert_int_equal(pool_take(p, 12), 0);
    pool_free(p);
}

static void small_blocks_get_half(void **state)
{
    enum { N = 4096 };
    static pool_ref small[N], large[N];
    struct pool *p = pool_of(1 << 20);
    unsigned n_small = drain(p, POOL_ORDER_SMALL, small, N), n_large = drain(p, 11, large, N);

    assert_int_equal(n_small * (POOL_UNIT << POOL_ORDER_SMALL), 1 << 19);
    assert_int_equal(n_large * (POOL_UNIT << 11), 1 << 19);
    assert_int_equal(pool_take(p, 0), 0);
    pool_give(p, small[7], POOL_ORDER_SMALL);
    assert_int_not_equal(pool_take(p, 0), 0);
    assert_int_equal(pool_take(p, POOL_ORDER_SMALL + 1), 0);
    pool_free(p);
}

/* What a buffer must hold, by places in the stream. */
struct model {
    uint8_t byte[MODEL];
    bool held[MODEL + 1]; /* the last one ends every run */
    uint32_t next, isn;
};

static uint32_t seq_at(const struct model *m, uint32_t place)
{
    return m->isn + 1 + place;
}

/* Everything the model holds from `from` on is in the buffer, and a segment of these bytes agrees with it. */
static void compare(struct pool *p, struct tcp_dir *d, struct model *m, uint32_t from, uint32_t end)
{
    static uint8_t good[MODEL], back[MODEL];
    uint32_t len = end - from;

    for (uint32_t i = 0; i < len; i++) {
        good[i] = m->held[from + i] ? m->byte[from + i] : (uint8_t)below(256);
        back[i] = m->held[from + i] ? (uint8_t)(good[i] ^ (1 + below(255))) : good[i];
    }
    assert_true(buffer_agrees(p, d, seq_at(m, from), span_of(good, len)));
    assert_int_equal(buffer_agrees(p, d, seq_at(m, from), span_of(back, len)), memcmp(good, back, len) == 0);
    buffer_restore(p, d, seq_at(m, from), back, len);
    assert_memory_equal(back, good, len);
}

/* One segment at a random place near next; what the buffer refuses does not happen. */
static void segment(struct pool *p, struct tcp_dir *d, struct model *m, uint32_t keep)
{
    static uint8_t bytes[3000];
    uint32_t from = m->next + below(4) * below(1500), len = 1 + below(below(2) ? 20 : 3000);

    if (below(8) == 0)
        from = m->next + below(LIMIT);
    if (from + len > MODEL)
        return;
    for (uint32_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)below(256);
    if (!buffer_reserve(p, d, seq_at(m, keep), seq_at(m, from + len), LIMIT, from > m->next)) {
        assert_true(from + len - keep > LIMIT || d->n_early == EARLY_MAX || pool_size(p) < LIMIT * 4);
        return;
    }
    buffer_put(p, d, seq_at(m, from), span_of(bytes, len));
    if (below(4) == 0)
        return; /* the packet was dropped */
    for (uint32_t i = from; i < from + len; i++) {
        if (!m->held[i])
            m->byte[i] = bytes[i - from];
        m->held[i] = true;
    }
    if (from > m->next) {
        buffer_enter(p, d, seq_at(m, from), seq_at(m, from + len));
    } else {
        uint32_t joined = buffer_early_at(p, d, seq_at(m, from + len)), end = from + len + joined;
        while (m->held[m->next])
            m->next++;
        assert_int_equal(end, m->next);
        struct span s = buffer_span(p, d, seq_at(m, from), end - from);
        assert_memory_equal(s.p, m->byte + from, end - from);
        buffer_advance(p, d, seq_at(m, end));
    }
}

static void trial(uint64_t seed, uint64_t pool_bytes)
{
    static struct model m;
    struct pool *p = pool_of(pool_bytes);
    struct tcp_dir d = {0};
    uint32_t keep = 0;

    rng = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    memset(&m, 0, sizeof(m));
    m.isn = below(3) ? 0u - below(MODEL) : below(UINT32_MAX);
    d.isn = m.isn;
    d.next = m.isn + 1;
    buffer_init(&d);
    for (unsigned turn = 0; turn < 400 && m.next < MODEL - 4000; turn++) {
        segment(p, &d, &m, keep);
        assert_int_equal(d.next, seq_at(&m, m.next));
        assert_int_equal(d.offset_hi, 0); /* counts 4 GB, not the ends of sequence numbers */
        if (below(4) == 0 && keep < m.next)
            keep += below(m.next - keep + 1);
        if (below(50) == 0) { /* what it lost must be asked for no more */
            buffer_shrink(p, &d, seq_at(&m, keep));
        } else if (below(200) == 0) {
            uint32_t to = m.next + below(2000);
            while (to < MODEL - 4000 && below(2) && !m.held[to])
                to++;
            buffer_skip(p, &d, seq_at(&m, to));
            m.next = keep = to;
            while (m.held[m.next])
                m.next++;
            assert_int_equal(buffer_early_at(p, &d, seq_at(&m, to)), m.next - to);
            buffer_advance(p, &d, seq_at(&m, m.next));
        }
        uint32_t from = keep + below(3000), len = below(5000);
        if (from + len <= MODEL)
            compare(p, &d, &m, from, from + len);
        if (d.n_early == 0)
            assert_int_equal(buffer_early_first(p, &d), d.next);
    }
    buffer_free(p, &d);
    assert_int_equal(pool_used(p), 0);
    pool_free(p);
}

static void a_buffer_holds_what_the_model_does(void **state)
{
    for (uint64_t seed = 1; seed <= 300; seed++)
        trial(seed, 1 << 20);
}

static void also_when_memory_is_short(void **state)
{
    for (uint64_t seed = 1; seed <= 300; seed++)
        trial(seed, 6 * 1024 + below(40) * 256);
}

static void ranges_are_limited(void **state)
{
    struct pool *p = pool_of(1 << 20);
    struct tcp_dir d = {.isn = 0xfffffff0, .next = 0xfffffff1};
    uint8_t one[1] = {'x'};
    uint32_t n = 0;

    buffer_init(&d);
    for (uint32_t seq = d.next + 1; buffer_reserve(p, &d, d.next, seq + 1, LIMIT, true); seq += 2, n++) {
        buffer_put(p, &d, seq, span_of(one, 1));
        buffer_enter(p, &d, seq, seq + 1);
    }
    assert_int_equal(n, EARLY_MAX);
    assert_true(buffer_reserve(p, &d, d.next, d.next + 2 * EARLY_MAX + 1, LIMIT, false));
    for (uint32_t i = 0; i < n; i++) { /* holes are filled from behind: the last one joins everything */
        uint32_t seq = d.next + 2 * (n - 1 - i);
        buffer_put(p, &d, seq, span_of(one, 1));
        if (seq != d.next)
            buffer_enter(p, &d, seq, seq + 1);
    }
    assert_int_equal(d.n_early, 1);
    assert_int_equal(buffer_early_at(p, &d, d.next + 1), 2 * EARLY_MAX - 1);
    buffer_free(p, &d);
    assert_int_equal(pool_used(p), 0);
    pool_free(p);
}

static void streams_may_be_longer_than_4_gb(void **state)
{
    struct pool *p = pool_of(1 << 20);
    struct tcp_dir d = {.isn = 0xfffffff0, .next = 0xfffffff1};

    buffer_init(&d);
    for (unsigned i = 1; i <= 20; i++) {
        buffer_skip(p, &d, d.next + (1u << 30));
        uint64_t offset = ((uint64_t)d.offset_hi << 32) + (uint32_t)(d.next - (d.isn + 1));
        assert_int_equal(offset, (uint64_t)i << 30);
    }
    pool_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_do_not_overlap),
        cmocka_unit_test(small_blocks_get_half),
        cmocka_unit_test(a_buffer_holds_what_the_model_does),
        cmocka_unit_test(also_when_memory_is_short),
        cmocka_unit_test(ranges_are_limited),
        cmocka_unit_test(streams_may_be_longer_than_4_gb),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
