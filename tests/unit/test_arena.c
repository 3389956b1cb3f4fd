/* SPDX-License-Identifier: BSD-2-Clause */
/* The arena: pieces are zeroed, aligned, apart from each other, and stay where they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "ips/base/arena.h"

static int is_zero(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != 0)
            return 0;
    return 1;
}

static void pieces_are_zeroed_and_apart(void **state)
{
    enum { N = 5000 };
    static uint8_t *piece[N];
    struct arena *a = arena_new(8192);

    (void)state;
    assert_non_null(a);
    for (int i = 0; i < N; i++) {
        size_t n = (size_t)(i * 37 % 3000) + 1; /* many sizes, some larger than a quarter of a chunk */

        piece[i] = arena_alloc(a, n);
        assert_non_null(piece[i]);
        assert_int_equal((uintptr_t)piece[i] % _Alignof(max_align_t), 0);
        assert_true(is_zero(piece[i], n));
        memset(piece[i], (i & 0x7f) + 1, n);
    }
    for (int i = 0; i < N; i++) {
        size_t n = (size_t)(i * 37 % 3000) + 1;

        for (size_t j = 0; j < n; j++)
            assert_int_equal(piece[i][j], (i & 0x7f) + 1);
    }
    arena_free(a);
}

static void big_pieces_do_not_waste_the_chunk(void **state)
{
    struct arena *a = arena_new(4096);
    char *first = arena_alloc(a, 16), *big = arena_alloc(a, 1 << 20), *second = arena_alloc(a, 16);

    (void)state;
    assert_non_null(big);
    assert_true(is_zero((uint8_t *)big, 1 << 20));
    assert_ptr_equal(second, first + 16);
    assert_true(arena_bytes(a) >= (1 << 20) + 4096);
    assert_true(arena_bytes(a) < (1 << 20) + 16384);
    arena_free(a);
}

static void large_pieces_start_on_a_cache_line(void **state)
{
    struct arena *a = arena_new(65536);

    (void)state;
    for (int i = 0; i < 100; i++) {
        assert_non_null(arena_alloc(a, 3));
        assert_int_equal((uintptr_t)arena_alloc(a, 64 + (size_t)i) % 64, 0);
    }
    arena_free(a);
}

static void copies(void **state)
{
    struct arena *a = arena_new(0);
    char *s = arena_strndup(a, "hello world", 5);

    (void)state;
    assert_string_equal(s, "hello");
    assert_string_equal(arena_strndup(a, "", 0), "");
    assert_memory_equal(arena_memdup(a, "\x01\x02\x03", 3), "\x01\x02\x03", 3);
    assert_non_null(arena_alloc(a, 0));
    arena_free(a);
    arena_free(NULL);
}

static void impossible_sizes_are_refused(void **state)
{
    struct arena *a = arena_new(4096);

    (void)state;
    assert_null(arena_alloc(a, SIZE_MAX));
    assert_null(arena_alloc(a, SIZE_MAX / 2 + 1));
    assert_null(arena_strndup(a, "x", SIZE_MAX));
    assert_non_null(arena_alloc(a, 8));
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_zeroed_and_apart),
        cmocka_unit_test(big_pieces_do_not_waste_the_chunk),
        cmocka_unit_test(large_pieces_start_on_a_cache_line),
        cmocka_unit_test(copies),
        cmocka_unit_test(impossible_sizes_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
