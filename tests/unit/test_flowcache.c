// SPDX-License-Identifier: BSD-2-Clause
/*
 * The verdict cache over plain memory: what is put is found and shown, counts come back, time ends entries, the oldest
 * gives its place, a dead writer's claim blocks nobody; and with several writers and a reader like the steering program at
 * work at once, nobody ever sees one key with another's verdict.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "bpf/tag.h"
#include "ips/io/flowcache.h"

#define MS UINT64_C(1000000)

static const __u64 secret[2] = {0x0123456789abcdef, 0xfedcba9876543210};

static struct steer_key key_of(uint32_t n)
{
    struct steer_key k = {.addr = {{10, 0, 0, 1}, {10, 0, 0, 2}}, .proto = 17, .version = 4};

    memcpy(k.port_be, &n, sizeof(n));
    return k;
}

static struct flowcache *cache_new(uint32_t n_buckets)
{
    struct flowcache *c = malloc(sizeof(*c));
    struct steer_bucket *b = aligned_alloc(64, n_buckets * sizeof(*b));
    struct steer_key_info *keys = calloc((size_t)n_buckets * STEER_WAYS, sizeof(*keys));

    memset(b, 0, n_buckets * sizeof(*b));
    flowcache_init(c, b, keys, n_buckets, secret);
    return c;
}

static void cache_free(struct flowcache *c)
{
    free(c->buckets);
    free(c->keys);
    free(c);
}

static bool put(struct flowcache *c, uint32_t n, uint32_t kind, uint64_t now_ns)
{
    struct steer_key k = key_of(n);

    return flowcache_put(c, &k, &(struct flowcache_verdict){.kind = kind, .idle_ms = 1000, .sid = n}, now_ns);
}

static bool get(const struct flowcache *c, uint32_t n, uint64_t now_ns, struct flowcache_entry *e)
{
    struct steer_key k = key_of(n);

    return flowcache_get(c, &k, now_ns, e);
}

/* As the program does: by tag, counts added. */
static struct steer_flow *in_kernel(const struct flowcache *c, const struct steer_key *k)
{
    uint64_t tag = steer_tag(k, secret);
    struct steer_bucket *b = &c->buckets[tag & c->mask];

    for (unsigned i = 0; i < STEER_WAYS; i++)
        if (__atomic_load_n(&b->way[i].tag, __ATOMIC_ACQUIRE) == tag)
            return &b->way[i];
    return NULL;
}

static int count_entries(const struct flowcache_entry *e, void *arg)
{
    assert_int_equal(e->key.port_be[0], e->verdict.sid);
    ++*(unsigned *)arg;
    return 0;
}

static void what_is_put_is_found(void **state)
{
    struct flowcache *c = cache_new(64);
    struct flowcache_entry e;
    struct steer_key k = key_of(7);
    unsigned n = 0;

    assert_false(get(c, 7, 5, &e));
    assert_true(put(c, 7, STEER_KIND_DROP, 5));
    assert_true(put(c, 8, STEER_KIND_BYPASS, 5));
    assert_true(get(c, 7, 6, &e));
    assert_int_equal(e.verdict.kind, STEER_KIND_DROP);
    assert_int_equal(e.verdict.sid, 7);
    assert_memory_equal(&e.key, &k, sizeof(k));
    struct steer_flow *f = in_kernel(c, &k);
    f->pkts[1] += 3;
    f->bytes[1] += 300;
    assert_true(put(c, 7, STEER_KIND_BYPASS, 9)); /* another verdict: the same place, the same counts */
    assert_ptr_equal(in_kernel(c, &k), f);
    assert_int_equal(flowcache_walk(c, 10, count_entries, &n), 0);
    assert_int_equal(n, 2);
    assert_true(flowcache_take_counts(c, &k, &e));
    assert_int_equal(e.pkts[1], 3);
    f->pkts[0]++;
    assert_true(flowcache_remove(c, &k, &e));
    assert_int_equal(e.verdict.kind, STEER_KIND_BYPASS);
    assert_int_equal(e.pkts[1], 0);
    assert_int_equal(e.pkts[0], 1);
    assert_false(get(c, 7, 10, &e));
    assert_false(flowcache_remove(c, &k, &e));
    assert_true(get(c, 8, 10, &e));
    cache_free(c);
}

static void time_ends_entries(void **state)
{
    struct flowcache *c = cache_new(1);
    struct flowcache_entry e;
    struct steer_key k = key_of(3);
    struct flowcache_verdict v = {
        .kind = STEER_KIND_SOURCE, .idle_ms = FLOWCACHE_NEVER_IDLE, .expires_ns = 50 * MS};
    unsigned n = 0;

    assert_true(put(c, 1, STEER_KIND_DROP, 1 * MS));
    assert_true(get(c, 1, 1000 * MS, &e));
    assert_false(get(c, 1, 1001 * MS, &e));
    flowcache_touch(c, &e.key, 900 * MS);
    assert_true(get(c, 1, 1001 * MS, &e)); /* used meanwhile */
    assert_true(put(c, 2, STEER_KIND_KNOWN, 1 * MS));
    assert_true(get(c, 2, 100000 * MS, &e)); /* for as long as its owner lives */
    assert_true(flowcache_put(c, &k, &v, 1 * MS));
    assert_true(get(c, 3, 49 * MS, &e));
    assert_false(get(c, 3, 50 * MS, &e));
    flowcache_take_over(c, 2000 * MS, 500 * MS); /* its owner is gone */
    assert_true(get(c, 2, 2499 * MS, &e));
    assert_false(get(c, 2, 2500 * MS, &e));
    assert_int_equal(flowcache_walk(c, 2500 * MS, count_entries, &n), 0);
    assert_int_equal(n, 0);
    assert_true(put(c, 2, STEER_KIND_KNOWN, 2500 * MS)); /* seen again */
    assert_true(get(c, 2, 9000 * MS, &e));
    cache_free(c);
}

static void the_oldest_gives_its_place(void **state)
{
    struct flowcache *c = cache_new(1);
    struct flowcache_entry e;

    for (uint32_t i = 0; i < STEER_WAYS; i++)
        assert_true(put(c, i, STEER_KIND_DROP, (100 + i) * MS));
    struct steer_key first = key_of(0);
    in_kernel(c, &first)->last_ns = 200 * MS; /* the program settled a frame by it */
    assert_true(put(c, 90, STEER_KIND_DROP, 201 * MS));
    assert_true(get(c, 0, 202 * MS, &e));
    assert_false(get(c, 1, 202 * MS, &e));
    assert_true(get(c, 2, 202 * MS, &e));
    c->buckets[0].way[2].expires_ns = 202 * MS; /* over: before the oldest */
    assert_true(put(c, 91, STEER_KIND_DROP, 203 * MS));
    assert_true(get(c, 0, 203 * MS, &e) && get(c, 90, 203 * MS, &e) && get(c, 3, 203 * MS, &e));
    cache_free(c);
}

static void a_dead_writers_claim_blocks_nobody(void **state)
{
    struct flowcache *c = cache_new(1);
    struct flowcache_entry e;

    c->buckets[0].way[0].tag = c->buckets[0].way[1].tag = STEER_TAG_BUSY;
    assert_true(put(c, 1, STEER_KIND_DROP, 1 * MS) && put(c, 2, STEER_KIND_DROP, 2 * MS));
    assert_true(put(c, 3, STEER_KIND_DROP, 3 * MS));
    assert_false(get(c, 1, 4 * MS, &e));
    c->buckets[0].way[2].tag = c->buckets[0].way[3].tag = STEER_TAG_BUSY;
    assert_false(put(c, 4, STEER_KIND_DROP, 4 * MS)); /* no way left, and no wait */
    flowcache_take_over(c, 5 * MS, 0);
    for (uint32_t i = 0; i < STEER_WAYS; i++)
        assert_true(put(c, i, STEER_KIND_DROP, (10 + i) * MS));
    for (uint32_t i = 0; i < STEER_WAYS; i++)
        assert_true(get(c, i, 20 * MS, &e));
    cache_free(c);
}

/* --- all at once ---------------------------------------------------------------------------------------------------- */

enum { KEYS = 64, ROUNDS = 60000, WRITERS = 3 };

static struct {
    struct flowcache *c;
    bool stop;
    unsigned seed, found, wrong;
} at_once;

/* What is put of key n always says n: in sid, in expires, and in kind. */
static void *write_all_the_time(void *arg)
{
    unsigned seed = __atomic_add_fetch(&at_once.seed, 1, __ATOMIC_RELAXED);
    struct flowcache_entry e;

    for (unsigned i = 0; i < ROUNDS; i++) {
        uint32_t n = (uint32_t)rand_r(&seed) % KEYS;
        struct steer_key k = key_of(n);
        struct flowcache_verdict v = {
            .kind = 1 + n % 2, .idle_ms = FLOWCACHE_NEVER_IDLE, .expires_ns = UINT64_MAX - n, .sid = n};
        unsigned what = (unsigned)rand_r(&seed) % 8;

        if (what < 5)
            flowcache_put(at_once.c, &k, &v, i + 1);
        else if (what == 5)
            flowcache_remove(at_once.c, &k, &e);
        else if (flowcache_get(at_once.c, &k, i, &e) &&
                 (e.verdict.sid != n || e.verdict.expires_ns != UINT64_MAX - n ||
                  e.verdict.kind != 1 + n % 2))
            __atomic_add_fetch(&at_once.wrong, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

static int check_entry(const struct flowcache_entry *e, void *arg)
{
    if (e->verdict.sid != e->key.port_be[0] || e->verdict.expires_ns != UINT64_MAX - e->verdict.sid)
        __atomic_add_fetch(&at_once.wrong, 1, __ATOMIC_RELAXED);
    return 0;
}

/* The program finds an entry by its tag, reads it, and takes it for good when the tag is still there; and ipsctl walks. */
static void *read_all_the_time(void *arg)
{
    unsigned seed = 99;

    while (!__atomic_load_n(&at_once.stop, __ATOMIC_RELAXED)) {
        for (unsigned i = 0; i < 100; i++) {
            uint32_t n = (uint32_t)rand_r(&seed) % KEYS;
            struct steer_key k = key_of(n);
            struct steer_flow *f = in_kernel(at_once.c, &k);

            if (!f)
                continue;
            uint32_t kind = __atomic_load_n(&f->kind, __ATOMIC_RELAXED);
            __atomic_fetch_add(&f->pkts[0], 1, __ATOMIC_RELAXED);
            __atomic_thread_fence(__ATOMIC_ACQUIRE);
            if (__atomic_load_n(&f->tag, __ATOMIC_RELAXED) != steer_tag(&k, secret))
                continue;
            at_once.found++;
            if (kind != 1 + n % 2)
                __atomic_add_fetch(&at_once.wrong, 1, __ATOMIC_RELAXED);
        }
        flowcache_walk(at_once.c, 1, check_entry, NULL);
    }
    return NULL;
}

static void nobody_sees_anothers_verdict(void **state)
{
    pthread_t writers[WRITERS], reader;

    at_once.c = cache_new(4); /* 16 places for 64 keys */
    pthread_create(&reader, NULL, read_all_the_time, NULL);
    for (unsigned i = 0; i < WRITERS; i++)
        pthread_create(&writers[i], NULL, write_all_the_time, NULL);
    for (unsigned i = 0; i < WRITERS; i++)
        pthread_join(writers[i], NULL);
    __atomic_store_n(&at_once.stop, true, __ATOMIC_RELAXED);
    pthread_join(reader, NULL);
    assert_int_equal(at_once.wrong, 0);
    for (uint64_t b = 0; b <= at_once.c->mask; b++)
        for (unsigned i = 0; i < STEER_WAYS; i++) {
            uint64_t tag = at_once.c->buckets[b].way[i].tag;

            assert_true(tag != STEER_TAG_BUSY);
            for (unsigned j = 0; j < i; j++)
                assert_true(tag == STEER_TAG_FREE || at_once.c->buckets[b].way[j].tag != tag);
        }
    cache_free(at_once.c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_is_found),         cmocka_unit_test(time_ends_entries),
        cmocka_unit_test(the_oldest_gives_its_place),   cmocka_unit_test(a_dead_writers_claim_blocks_nobody),
        cmocka_unit_test(nobody_sees_anothers_verdict),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
