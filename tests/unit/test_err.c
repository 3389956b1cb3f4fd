/* SPDX-License-Identifier: BSD-2-Clause */
/* Errors as the operator reads them, lists of them, rate-limited messages, suggestions, and the counter tables. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "ips/base/clock.h"
#include "ips/base/counters.h"
#include "ips/base/err.h"
#include "ips/base/log.h"
#include "ips/base/suggest.h"

static void one_sentence(void **state)
{
    struct err e;
    char buf[1024];

    (void)state;
    assert_int_equal(err_set(&e, -EINVAL, "queue %d of %s is busy", 3, "eth1"), -EINVAL);
    assert_string_equal(err_format(&e, buf, sizeof(buf)), "queue 3 of eth1 is busy");
    err_remedy(&e, "stop the other %s", "program");
    assert_string_equal(err_format(&e, buf, sizeof(buf)), "queue 3 of eth1 is busy; stop the other program");
    err_at(&e, "a.rules", 7, 0);
    assert_string_equal(err_format(&e, buf, sizeof(buf)),
                        "a.rules:7: queue 3 of eth1 is busy; stop the other program");
    err_at(&e, "a.rules", 7, 12);
    assert_string_equal(err_format(&e, buf, sizeof(buf)),
                        "a.rules:7:12: queue 3 of eth1 is busy; stop the other program");
    /* the next error starts clean */
    assert_int_equal(err_sys(&e, -ENOENT, "cannot open %s", "/x"), -ENOENT);
    assert_string_equal(err_format(&e, buf, sizeof(buf)), "cannot open /x: No such file or directory");
    assert_int_equal(err_set(NULL, -EPERM, "nobody listens"), -EPERM);
}

static void long_texts_are_cut(void **state)
{
    char big[4096], small[16];
    struct err e;

    (void)state;
    memset(big, 'a', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    err_set(&e, -EINVAL, "%s", big);
    err_remedy(&e, "%s", big);
    err_at(&e, big, 1, 1);
    assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
    assert_int_equal(strlen(e.remedy), sizeof(e.remedy) - 1);
    assert_int_equal(strlen(e.file), sizeof(e.file) - 1);
    assert_int_equal(strlen(err_format(&e, small, sizeof(small))), sizeof(small) - 1);
    assert_string_equal(err_format(&e, small, 0), "");
}

static void lists_are_bounded(void **state)
{
    struct err_list l;
    struct err e;

    (void)state;
    err_list_init(&l);
    for (int i = 0; i < ERR_LIST_MAX + 5; i++) {
        err_set(&e, -EINVAL, "error %d", i);
        err_list_add(&l, &e);
    }
    assert_int_equal(l.n, ERR_LIST_MAX);
    assert_int_equal(l.n_dropped, 5);
    assert_string_equal(l.v[ERR_LIST_MAX - 1].text, "error 9999");
    err_list_fini(&l);
    assert_int_equal(l.n, 0);
}

static void rate_limit_counts_what_it_holds(void **state)
{
    struct log_rate r = {.last_ns = 0};
    uint64_t held = 99;

    (void)state;
    assert_true(log_rate_pass(&r, 5 * NS_PER_S, NS_PER_S, &held));
    assert_int_equal(held, 0);
    assert_false(log_rate_pass(&r, 5 * NS_PER_S + 1, NS_PER_S, &held));
    assert_false(log_rate_pass(&r, 6 * NS_PER_S - 1, NS_PER_S, &held));
    assert_true(log_rate_pass(&r, 6 * NS_PER_S, NS_PER_S, &held));
    assert_int_equal(held, 2);
}

static void level_words(void **state)
{
    enum log_level level;

    (void)state;
    assert_true(log_level_parse("error", &level));
    assert_int_equal(level, LOG_LEVEL_ERROR);
    assert_true(log_level_parse("debug", &level));
    assert_int_equal(level, LOG_LEVEL_DEBUG);
    assert_false(log_level_parse("loud", &level));
}

static void suggestions(void **state)
{
    struct suggest s;

    (void)state;
    suggest_init(&s, "staus");
    suggest_offer(&s, "stats");
    suggest_offer(&s, "status");
    suggest_offer(&s, "shutdown");
    assert_non_null(s.best);
    assert_int_equal(s.distance, 1);
    suggest_init(&s, "xyzzy");
    suggest_offer(&s, "status");
    suggest_offer(&s, "drops");
    assert_null(s.best);
}

static void every_counter_has_its_row(void **state)
{
    (void)state;
    for (int i = 0; i < CTR_N; i++) {
        assert_non_null(counter_info[i].name);
        assert_true(strlen(counter_info[i].help) > 0);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(counter_info[i].name, counter_info[j].name);
    }
    for (int i = 0; i < DROP_N; i++)
        assert_true(strlen(drop_info[i].name) > 0);
    assert_string_equal(drop_info[DROP_RULES].name, "rules");
}

static void blocks_add_up(void **state)
{
    static struct counters a, b, sum;

    (void)state;
    counter_add(&a, CTR_RX_FRAMES, 3);
    counter_add(&b, CTR_RX_FRAMES, 4);
    counter_drop(&a, DROP_RULES);
    counters_sum(&sum, &a);
    counters_sum(&sum, &b);
    assert_int_equal(sum.v[CTR_RX_FRAMES], 7);
    assert_int_equal(sum.drop[DROP_RULES], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_sentence),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(lists_are_bounded),
        cmocka_unit_test(rate_limit_counts_what_it_holds),
        cmocka_unit_test(level_words),
        cmocka_unit_test(suggestions),
        cmocka_unit_test(every_counter_has_its_row),
        cmocka_unit_test(blocks_add_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
