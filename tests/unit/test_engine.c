/* SPDX-License-Identifier: BSD-2-Clause */
/* Events about the daemon itself: what is said reaches the file, in order, and what found no room is counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "ips/log/engine.h"
#include "ips/log/logger.h"

static void they_reach_the_file(void **state)
{
    char dir[] = "/tmp/sluice-engine-XXXXXX", path[64], line[512];
    struct err e = {.code = 0};
    struct logger_config cfg = {.dir = mkdtemp(dir), .utc = true};
    struct logger *l;
    FILE *f;

    (void)state;
    engine_event("link_down", "br0", json_pack("{s:s}", "interface", "eth1")); /* before there is a logger */
    l = logger_new(&cfg, NULL, 0, &e);
    assert_non_null(l);
    assert_int_equal(logger_start(l, &e), 0);
    engine_event("daemon_started", NULL, NULL);
    assert_int_equal(logger_stop(l, &e), 0);
    logger_free(l);

    snprintf(path, sizeof(path), "%s/eve.json", dir);
    f = fopen(path, "r");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof(line), f));
    assert_non_null(strstr(line,
                           "\"event_type\":\"engine\",\"engine\":{\"event\":\"link_down\",\"bridge\":\"br0\","
                           "\"interface\":\"eth1\"}}\n"));
    assert_non_null(fgets(line, sizeof(line), f));
    assert_non_null(strstr(line, "\"engine\":{\"event\":\"daemon_started\"}}\n"));
    fclose(f);
    unlink(path);
    rmdir(dir);
}

static void what_finds_no_room_is_counted(void **state)
{
    uint64_t ns;
    char *text;

    (void)state;
    for (unsigned i = 0; i < ENGINE_EVENTS_MAX + 3; i++)
        engine_event("again", NULL, NULL);
    for (unsigned i = 0; i < ENGINE_EVENTS_MAX; i++) {
        text = engine_take(&ns);
        assert_string_equal(text, "{\"event\":\"again\"}");
        free(text);
    }
    assert_null(engine_take(&ns));
    engine_event("again", NULL, NULL);
    text = engine_take(&ns);
    assert_string_equal(text, "{\"event\":\"again\",\"lost\":3}");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_reach_the_file),
        cmocka_unit_test(what_finds_no_room_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
