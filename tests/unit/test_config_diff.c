/* SPDX-License-Identifier: BSD-2-Clause */
/* What a configuration read again would change, how, and that taking it over moves the live values and no others. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ips/control/config_diff.h"

static struct config *config(const char *text)
{
    char path[] = "/tmp/sluice-config-XXXXXX";
    int fd = mkstemp(path);
    struct err e = {.code = 0};
    struct config *c;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    c = config_load(path, &e);
    unlink(path);
    if (c == NULL)
        fail_msg("%s: %s", text, e.text);
    return c;
}

#define BRIDGE "bridges: [{name: br0, interfaces: [a, b]"
#define BASE   BRIDGE "}]\n"

/* "key: was -> is (how)" of every change, a line each. */
static const char *diff(struct config *a, struct config *b)
{
    static char text[4096];
    struct config_changes c;
    size_t at = 0;

    assert_int_equal(config_diff(a, b, &c, NULL), 0);
    text[0] = '\0';
    for (size_t i = 0; i < c.n; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s: %s -> %s (%s)\n", c.v[i].key, c.v[i].was,
                               c.v[i].is, config_how_name(c.v[i].how));
    assert_int_equal(c.n, c.n_of[0] + c.n_of[1] + c.n_of[2]);
    config_changes_fini(&c);
    return text;
}

static void each_kind(void **state)
{
    static const struct {
        const char *text, *changes;
    } rows[] = {
        {BASE, ""},
        {BRIDGE ", fail: open}]\n", ""}, /* said, and the default */
        {BRIDGE ", fail: closed}]\n", "bridges[0].fail: open -> closed (live)\n"},
        {BRIDGE ", heartbeat: 50}]\n", "bridges[0].heartbeat: 20 -> 50 (live)\n"},
        {BRIDGE ", flow_cache: off}]\n", "bridges[0].flow_cache: on -> off (live)\n"},
        {BRIDGE ", shutdown: detach}]\n", "bridges[0].shutdown: fail -> detach (live)\n"},
        {BRIDGE ", steer: [vlan 1 drop, drop]}]\n", "bridges[0].steer: [] -> [vlan 1 drop, drop] (live)\n"},
        {BRIDGE ", queues: 2}]\n", "bridges[0].queues: 0 -> 2 (restart)\n"},
        {"bridges: [{name: br0, interfaces: [a, c]}]\n",
         "bridges[0].interfaces: [a, b] -> [a, c] (restart)\n"},
        {BASE "guard: {broken: on, source_rate: 9/s, block: [10.0.0.0/8], sources: 2048}\n",
         "guard.broken: off -> on (live)\nguard.source_rate: \"\" -> 9/s (live)\nguard.sources: 65536 -> "
         "2048 (restart)\n"
         "guard.block: [] -> [10.0.0.0/8] (live)\n"},
        {BASE "rules: {files: [x, y], strict: on}\n",
         "rules.files: [] -> [x, y] (live, with the rules)\nrules.strict: off -> on (live, with the "
         "rules)\n"},
        {BASE "rules: {vars: [{name: A, value: b}]}\n",
         "rules.vars: [] -> [{name: A, value: b}] (live, with the rules)\n"},
        {BASE "log: {level: debug, dir: /x}\n",
         "log.dir: /var/log/sluice -> /x (restart)\nlog.level: notice -> debug (live)\n"},
        {BASE "overload: {high: 70}\n", "overload.high: 50 -> 70 (live)\n"},
        {BASE "stream: {memory: 512mb}\n", "stream.memory: 268435456 -> 536870912 (restart)\n"},
        {"user: x\n" BASE, "user: \"\" -> x (restart)\n"},
    };
    struct config *base = config(BASE);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config *c = config(rows[i].text);

        assert_string_equal(diff(base, c), rows[i].changes);
        config_free(c);
    }
    config_free(base);
}

static void another_bridge(void **state)
{
    struct config *a = config(BASE),
                  *b = config("bridges: [{name: br0, interfaces: [a, b]}, {interfaces: [c, d]}]\n");

    (void)state;
    assert_non_null(strstr(diff(a, b), "(restart)"));
    assert_non_null(strstr(diff(a, b), "name: br1"));
    config_free(a);
    config_free(b);
}

static void adopted(void **state)
{
    struct config *a =
        config(BRIDGE ", steer: [drop], fail: closed}]\nrules: {files: [p]}\nlog: {dir: /a}\n");
    struct config *b =
        config(BRIDGE ", steer: [vlan 1 drop, inspect], heartbeat: 7, queues: 3}]\n"
                      "guard: {block: [10.0.0.0/8, /f], broken: on}\nrules: {vars: [{name: A, value: b}]}\n"
                      "log: {dir: /b, level: error}\n");
    const char *dir = a->log.dir, *name = a->bridges[0].name;

    (void)state;
    config_adopt(a, b);
    assert_string_equal(diff(a, b) /* what is not live, and b's old values the other way round */,
                        "bridges[0].queues: 0 -> 3 (restart)\n"
                        "bridges[0].fail: open -> closed (live)\n"
                        "bridges[0].heartbeat: 7 -> 20 (live)\n"
                        "bridges[0].steer: [vlan 1 drop, inspect] -> [drop] (live)\n"
                        "rules.files: [] -> [p] (live, with the rules)\n"
                        "rules.vars: [{name: A, value: b}] -> [] (live, with the rules)\n"
                        "guard.broken: on -> off (live)\n"
                        "guard.block: [10.0.0.0/8, /f] -> [] (live)\n"
                        "log.dir: /a -> /b (restart)\n"
                        "log.level: error -> notice (live)\n");
    config_free(b);
    assert_ptr_equal(a->log.dir, dir);
    assert_ptr_equal(a->bridges[0].name, name);
    assert_int_equal(*a->bridges[0].heartbeat_ms, 7);
    assert_int_equal(a->bridges[0].n_steer, 2);
    assert_string_equal(a->bridges[0].steer[1], "inspect");
    assert_string_equal(a->guard.block[1], "/f");
    config_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind),
        cmocka_unit_test(another_bridge),
        cmocka_unit_test(adopted),
    };

    return cmocka_run_group_tests_name("configuration: differences", tests, NULL, NULL);
}
