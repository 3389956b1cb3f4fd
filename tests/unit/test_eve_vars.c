/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flow's variables in an alert, text for text; and their names, which threads add while others read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ips/base/vars.h"
#include "ips/log/eve_vars.h"
#include "rules/var_names.h"

static struct var bit(const char *name)
{
    return (struct var){.id = var_name_id(VAR_FLOWBIT, span_str(name)), .value = 1};
}

static struct var number(const char *name, uint32_t value)
{
    return (struct var){.id = var_name_id(VAR_FLOWINT, span_str(name)), .value = value};
}

/* Vars as an event has them: the last one set first. */
static const char *written(const struct var *v, size_t n)
{
    static char text[1024];
    struct json_writer w = {0};

    json_write_open(&w, NULL, '{');
    eve_write_vars(&w, span_of(v, n * sizeof(*v)));
    json_write_close(&w, '}');
    assert_false(w.failed);
    snprintf(text, sizeof(text), "%.*s", (int)w.len, w.p);
    json_writer_fini(&w);
    return text;
}

static void as_suricata_writes_them(void **state)
{
    struct var v[5] = {bit("traffic/label/cli-http"), number("n", 7), bit("traffic/id/curl"), bit("b"),
                       bit("a")};

    assert_string_equal(written(v, 0), "{}");
    assert_string_equal(written(v + 4, 1), "{\"metadata\":{\"flowbits\":[\"a\"]}}");
    assert_string_equal(written(v + 1, 1), "{\"metadata\":{\"flowints\":{\"n\":7}}}");
    assert_string_equal(written(v + 2, 1), "{\"traffic\":{\"id\":[\"curl\"]}}");
    assert_string_equal(written(v, 5), "{\"metadata\":{\"flowbits\":[\"a\",\"b\"],\"flowints\":{\"n\":7}},"
                                       "\"traffic\":{\"id\":[\"curl\"],\"label\":[\"cli-http\"]}}");
}

static void names_keep_their_numbers(void **state)
{
    uint16_t a = var_name_id(VAR_FLOWBIT, span_str("same")), b = var_name_id(VAR_FLOWINT, span_str("same"));

    assert_true(a != b && a != VAR_ID_NONE && b != VAR_ID_NONE);
    assert_int_equal(var_name_id(VAR_FLOWBIT, span_str("same")), a);
    assert_int_equal(var_name_kind(b), VAR_FLOWINT);
    assert_string_equal(var_name(a), "same");
    assert_string_equal(var_name(65535), "");
}

enum { THREADS = 4, NAMES = 2000 };
static uint16_t ids[THREADS][NAMES];

/* Every thread asks for the same names, and reads each at once. */
static void *name_all(void *arg)
{
    uint16_t *out = arg;

    for (unsigned i = 0; i < NAMES; i++) {
        char name[32];

        snprintf(name, sizeof(name), "thread.%u", i);
        out[i] = var_name_id(VAR_HOSTBIT, span_str(name));
        if (strcmp(var_name(out[i]), name) != 0)
            out[i] = VAR_ID_NONE;
    }
    return NULL;
}

static void threads_agree_on_numbers(void **state)
{
    pthread_t t[THREADS];

    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&t[i], NULL, name_all, ids[i]), 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    for (unsigned n = 0; n < NAMES; n++)
        for (unsigned i = 0; i < THREADS; i++) {
            assert_int_not_equal(ids[i][n], VAR_ID_NONE);
            assert_int_equal(ids[i][n], ids[0][n]);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_suricata_writes_them),
        cmocka_unit_test(names_keep_their_numbers),
        cmocka_unit_test(threads_agree_on_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
