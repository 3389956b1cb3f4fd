/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commands of the control socket, as a client sees them. Run under the thread sanitizer too.
 */
#include "tests/unit/control_lab.h"

static const json_t *at(const json_t *j, const char *a, const char *b)
{
    j = json_object_get(j, a);
    return b != NULL ? json_object_get(j, b) : j;
}

static void commands_answer(void **state)
{
    int fd = client();
    json_t *r = ask(fd, "{\"command\":\"status\"}");

    assert_int_equal(code_of(r), 200);
    assert_int_equal(json_integer_value(at(r, "result", "pid")), getpid());
    assert_int_equal(json_integer_value(at(at(r, "result", "ruleset"), "loaded", NULL)), 1);
    json_decref(r);
    r = ask(fd, "{\"command\":\"stats\",\"args\":{}}");
    assert_int_equal(json_integer_value(at(at(r, "result", "frames"), "rx", NULL)), 42);
    assert_non_null(at(at(r, "result", "drop"), "flow_drop", NULL));
    for (int i = 0; i < AN_N; i++) { /* each room's, under its name in events */
        static const char *const under[] = {[ANOMALY_DECODE] = "",
                                            [ANOMALY_STREAM] = "stream.",
                                            [ANOMALY_APP] = "",
                                            [ANOMALY_DETECT] = "detect."};
        const json_t *j = at(r, "result", "anomaly");
        char name[128], *rest = name, *part;

        snprintf(name, sizeof(name), "%s%s", under[anomaly_room(i)], anomaly_info[i].name);
        while ((part = strsep(&rest, ".")) != NULL)
            j = json_object_get(j, part);
        if (!json_is_integer(j))
            fail_msg("%s is not counted", anomaly_info[i].name);
    }
    json_decref(r);
    r = ask(fd, "{\"command\":\"drops\"}");
    assert_int_equal(json_integer_value(at(r, "result", "total")), 10);
    json_decref(r);
    r = ask(fd, "{\"command\":\"help\"}");
    assert_int_equal(json_array_size(at(r, "result", "commands")), CMD_N);
    json_decref(r);
    r = ask(fd, "{\"command\":\"rules list\"}");
    assert_int_equal(json_array_size(at(r, "result", "rules")), 1);
    json_decref(r);
    expect(fd, "{\"command\":\"rules list\",\"args\":{\"sid\":1}}", 200);
    expect(fd, "{\"command\":\"rules list\",\"args\":{\"sid\":99}}", 404);
    expect(fd, "{\"command\":\"rules list\",\"args\":{\"offset\":99999999999}}", 200);
    expect(fd, "{\"command\":\"rules list\",\"args\":{\"offset\":-1}}", 400);
    r = ask(fd, "{\"command\":\"rules list\",\"args\":{\"only\":\"dormant\"}}");
    assert_int_equal(json_array_size(at(r, "result", "rules")), 0);
    json_decref(r);
    expect(fd, "{\"command\":\"rules list\",\"args\":{\"only\":\"disabled\"}}", 200);
    expect(fd, "{\"command\":\"rules list\",\"args\":{\"only\":\"disabled\",\"sid\":1}}", 404);
    expect(fd, "{\"command\":\"rules list\",\"args\":{\"only\":\"dormant\",\"sid\":1}}", 404);
    expect(fd, "{\"command\":\"rules list\",\"args\":{\"only\":\"old\"}}", 400);
    expect(fd, "{\"command\":\"rules list\",\"args\":{\"only\":7}}", 400);
    expect(fd, "{\"command\":\"rules profile\"}", 409); /* it was never on */
    expect(fd, "{\"command\":\"rules profile\",\"args\":{\"action\":\"on\"}}", 200);
    expect(fd, "{\"command\":\"rules profile\",\"args\":{\"action\":\"on\"}}", 200); /* again, from zero */
    expect(fd, "{\"command\":\"rules profile\",\"args\":{\"action\":\"sideways\"}}", 400);
    expect(fd, "{\"command\":\"rules profile\",\"args\":{\"limit\":0}}", 400);
    r = ask(fd, "{\"command\":\"rules profile\",\"args\":{\"action\":\"off\"}}");
    assert_false(json_is_true(json_object_get(json_object_get(r, "result"), "on")));
    json_decref(r);
    expect(fd, "{\"command\":\"rules profile\"}", 200);
    expect(fd, "{\"command\":\"rules list\",\"args\":{\"sid\":\"x\"}}", 400);
    expect(fd, "{\"command\":\"shutdown\"}", 200);
    assert_true(__atomic_load_n(&t.shutdown, __ATOMIC_ACQUIRE));
    close(fd);
}

static void block_list(void **state)
{
    int fd = client();
    json_t *r;

    expect(fd, "{\"command\":\"block add\",\"args\":{\"prefix\":\"192.0.2.0/24\",\"side\":\"both\"}}", 200);
    expect(fd, "{\"command\":\"block add\",\"args\":{\"prefix\":\"192.0.2.0/24\"}}",
           200); /* again: one entry */
    r = ask(fd, "{\"command\":\"block list\"}");
    assert_int_equal(json_array_size(at(r, "result", "entries")), 1);
    json_decref(r);
    expect(fd, "{\"command\":\"block del\",\"args\":{\"prefix\":\"192.0.2.0/24\"}}", 200);
    r = ask(fd, "{\"command\":\"block del\",\"args\":{\"prefix\":\"192.0.2.0/24\"}}");
    assert_int_equal(json_integer_value(json_object_get(r, "code")), 404);
    assert_string_equal(json_string_value(json_object_get(r, "error")),
                        "192.0.2.0/24 is not on the block list");
    json_decref(r);
    expect(fd, "{\"command\":\"block add\",\"args\":{\"prefix\":\"bad\"}}", 400);
    expect(fd, "{\"command\":\"block add\",\"args\":{\"prefix\":\"::1\",\"side\":\"up\"}}", 400);
    expect(fd, "{\"command\":\"block add\",\"args\":{\"prefix\":\"::1\",\"side\":3}}", 400);
    expect(fd, "{\"command\":\"block add\",\"args\":{\"prefix\":7}}", 400);
    expect(fd, "{\"command\":\"block add\"}", 400);
    close(fd);
}

static void blocked_for_a_time(void **state)
{
    int fd = client();
    const json_t *e;
    json_t *r;

    t.unblocked = false;
    r = ask(fd, "{\"command\":\"block list\"}");
    assert_int_equal(json_array_size(at(r, "result", "entries")), 1);
    e = json_array_get(at(r, "result", "entries"), 0);
    assert_string_equal(json_string_value(json_object_get(e, "prefix")), "192.0.2.77/32");
    assert_int_equal(json_integer_value(json_object_get(e, "left_s")), 60);
    assert_int_equal(json_integer_value(json_object_get(e, "sid")), 5);
    assert_int_equal(json_integer_value(json_object_get(e, "frames")), 3);
    json_decref(r);
    expect(fd, "{\"command\":\"block del\",\"args\":{\"prefix\":\"192.0.2.77\",\"side\":\"dst\"}}", 404);
    expect(fd, "{\"command\":\"block del\",\"args\":{\"prefix\":\"192.0.2.76\"}}", 404);
    expect(fd, "{\"command\":\"block del\",\"args\":{\"prefix\":\"192.0.2.77\"}}", 200);
    expect(fd, "{\"command\":\"block del\",\"args\":{\"prefix\":\"192.0.2.77\"}}", 404);
    close(fd);
}

/* Pages, parts and rounds: more entries than one request has. */
static void long_list(void **state)
{
    enum { N = PROTO_BLOCKS_MAX + 5 };
    size_t size = N * 20;
    char *text = malloc(size), *request = malloc(size + 200);
    int fd = client();
    size_t at_byte = 0;
    json_t *r;

    assert_non_null(text);
    assert_non_null(request);
    for (unsigned i = 0; i < N; i++) {
        at_byte += (size_t)snprintf(text + at_byte, size - at_byte, "10.%u.%u.%u\\n", i >> 16, i >> 8 & 255,
                                    i & 255);
        if (i != PROTO_BLOCKS_MAX - 1 && i != N - 1)
            continue;
        snprintf(request, size + 200, "{\"command\":\"block load\",\"args\":{\"prefixes\":\"%s\"}}", text);
        expect(fd, request, 200);
        at_byte = 0;
    }
    r = ask(fd, "{\"command\":\"block list\"}");
    assert_int_equal(json_array_size(at(r, "result", "entries")), PROTO_BLOCKS_MAX);
    snprintf(request, size, "{\"command\":\"block list\",\"args\":{\"after\":\"%s\"}}",
             json_string_value(at(r, "result", "next")));
    json_decref(r);
    r = ask(fd, request);
    assert_int_equal(json_array_size(at(r, "result", "entries")), 5);
    assert_null(at(r, "result", "next"));
    json_decref(r);
    expect(fd, "{\"command\":\"block list\",\"args\":{\"after\":\"x\"}}", 400);
    expect(fd, "{\"command\":\"block list\",\"args\":{\"after\":1}}", 400);
    for (int i = 0; i < 2; i++) {
        r = ask(fd, "{\"command\":\"block clear\"}");
        assert_true(json_is_true(at(r, "result", "more")) == (i == 0));
        json_decref(r);
    }
    assert_int_equal(t.lists[XDP_LIST_BLOCK].n, 0);
    free(text);
    free(request);
    close(fd);
}

static void bulk_is_all_or_nothing(void **state)
{
    int fd = client();

    expect(fd, "{\"command\":\"block load\",\"args\":{\"prefixes\":\"10.0.0.0/8\\nx\\n\"}}", 400);
    expect(fd, "{\"command\":\"block load\",\"args\":{\"prefixes\":\"10.0.0.0/8 up\\n\"}}", 400);
    expect(fd, "{\"command\":\"block load\",\"args\":{\"prefixes\":[\"10.0.0.0/8\"]}}", 400);
    expect(fd, "{\"command\":\"block load\",\"args\":{\"prefixes\":\"::/0\",\"side\":1}}", 400);
    assert_int_equal(t.lists[XDP_LIST_BLOCK].n, 0);
    expect(
        fd,
        "{\"command\":\"block load\",\"args\":{\"prefixes\":\"10.1.0.0/8 dst\\n\\n::1\",\"side\":\"both\"}}",
        200);
    assert_int_equal(t.lists[XDP_LIST_BLOCK].n, 2);
    assert_int_equal(t.lists[XDP_LIST_BLOCK].v[0].sides, PREFIX_DST);
    assert_int_equal(t.lists[XDP_LIST_BLOCK].v[1].sides, PREFIX_BOTH);
    expect(fd, "{\"command\":\"allow add\",\"args\":{\"prefix\":\"10.1.2.3\"}}", 200);
    assert_int_equal(t.lists[XDP_LIST_ALLOW].n, 1);
    expect(fd, "{\"command\":\"allow del\",\"args\":{\"prefix\":\"10.1.2.4\"}}", 404);
    expect(fd, "{\"command\":\"allow del\",\"args\":{\"prefix\":\"10.1.2.3\"}}", 200);
    expect(fd, "{\"command\":\"block clear\"}", 200);
    close(fd);
}

static void policy_and_explain(void **state)
{
    int fd = client();
    json_t *r;
    const json_t *o;

    write_rules(GOOD_RULE OTHER_RULE "#alert tcp any any -> any any (msg:\"three\"; sid:3;)\n");
    write_text(t.policy, "policy:\n- {action: drop, sid: 1, reason: why not}\n- {action: off, sid: 77}\n");
    r = ask(fd, "{\"command\":\"rules policy\"}"); /* of what runs: nothing yet */
    assert_int_equal(json_array_size(at(r, "result", "lines")), 0);
    json_decref(r);
    r = ask(fd, "{\"command\":\"rules explain\",\"args\":{\"sid\":1}}");
    assert_int_equal(code_of(r), 200);
    assert_true(json_is_true(at(r, "result", "stale"))); /* the policy has not been loaded */
    o = json_array_get(at(r, "result", "running"), 0);
    assert_string_equal(json_string_value(json_object_get(o, "action")), "alert");
    o = json_array_get(at(r, "result", "rules"), 0);
    assert_string_equal(json_string_value(json_object_get(o, "action")), "drop");
    assert_string_equal(json_string_value(json_object_get(o, "state")), "loaded");
    assert_string_equal(json_string_value(json_object_get(o, "file")), t.rules);
    json_decref(r);

    r = ask(fd, "{\"command\":\"rules reload\"}"); /* a line that fits nothing is no error */
    assert_int_equal(code_of(r), 200);
    assert_int_equal(json_array_size(at(r, "result", "errors")), 0);
    assert_int_equal(json_array_size(at(r, "result", "warnings")), 1);
    json_decref(r);
    r = ask(fd, "{\"command\":\"rules explain\",\"args\":{\"sid\":1,\"gid\":1}}");
    assert_false(json_is_true(at(r, "result", "stale")));
    json_decref(r);
    r = ask(fd, "{\"command\":\"rules policy\"}");
    assert_int_equal(json_array_size(at(r, "result", "lines")), 2);
    o = json_array_get(at(r, "result", "lines"), 0);
    assert_int_equal(json_integer_value(json_object_get(o, "decided")), 1);
    assert_string_equal(json_string_value(json_object_get(o, "reason")), "why not");
    json_decref(r);
    r = ask(fd, "{\"command\":\"rules explain\",\"args\":{\"sid\":3}}");
    assert_int_equal(code_of(r), 200);
    o = json_array_get(at(r, "result", "rules"), 0);
    assert_string_equal(json_string_value(json_object_get(o, "state")), "disabled");
    assert_int_equal(json_array_size(at(r, "result", "running")), 0);
    assert_false(json_is_true(at(r, "result", "stale")));
    json_decref(r);
    expect(fd, "{\"command\":\"rules explain\",\"args\":{\"sid\":99}}", 404);
    expect(fd, "{\"command\":\"rules explain\",\"args\":{\"sid\":0}}", 400);
    expect(fd, "{\"command\":\"rules explain\",\"args\":{\"sid\":1,\"gid\":\"x\"}}", 400);
    expect(fd, "{\"command\":\"rules explain\"}", 400);

    write_text(t.policy, "policy:\n- {action: dorp, sid: 1}\n");
    expect(fd, "{\"command\":\"rules reload\"}", 422);
    expect(fd, "{\"command\":\"rules reload\",\"args\":{\"force\":true}}", 422);
    expect(fd, "{\"command\":\"rules explain\",\"args\":{\"sid\":1}}", 422);
    r = ask(fd, "{\"command\":\"rules list\",\"args\":{\"sid\":1}}"); /* what ran runs */
    o = json_array_get(at(r, "result", "rules"), 0);
    assert_string_equal(json_string_value(json_object_get(o, "action")), "drop");
    json_decref(r);
    close(fd);
}

/* What is not evaluated is named, with the reason. */
static void lists_what_sleeps(void **state)
{
    int fd = client();
    const json_t *rule;
    json_t *r;

    write_rules(GOOD_RULE "alert tcp any any -> any any (rfb.name; content:\"x\"; sid:3;)\n"
                          "#alert tcp any any -> any any (msg:\"off\"; sid:4; rev:5;)\n");
    r = ask(fd, "{\"command\":\"rules reload\"}");
    assert_int_equal(json_integer_value(at(r, "result", "dormant")), 1);
    json_decref(r);
    r = ask(fd, "{\"command\":\"rules list\",\"args\":{\"only\":\"dormant\"}}");
    assert_int_equal(json_array_size(at(r, "result", "rules")), 1);
    rule = json_array_get(at(r, "result", "rules"), 0);
    assert_int_equal(json_integer_value(json_object_get(rule, "sid")), 3);
    assert_string_equal(json_string_value(json_object_get(rule, "dormant")), "rfb.name");
    json_decref(r);
    r = ask(fd, "{\"command\":\"rules list\",\"args\":{\"only\":\"disabled\",\"sid\":4}}");
    rule = json_array_get(at(r, "result", "rules"), 0);
    assert_string_equal(json_string_value(json_object_get(rule, "msg")), "off");
    assert_int_equal(json_integer_value(json_object_get(rule, "line")), 3);
    json_decref(r);
    close(fd);
}

static void reload_swaps_or_keeps(void **state)
{
    int fd = client();
    json_t *r;

    write_rules(GOOD_RULE OTHER_RULE);
    expect(fd, "{\"command\":\"rules check\"}", 200);
    r = ask(fd, "{\"command\":\"rules list\"}"); /* a check changes nothing */
    assert_int_equal(json_integer_value(at(r, "result", "total")), 1);
    json_decref(r);
    r = ask(fd, "{\"command\":\"rules reload\"}");
    assert_int_equal(code_of(r), 200);
    assert_int_equal(json_integer_value(at(r, "result", "loaded")), 2);
    assert_int_equal(json_integer_value(at(r, "result", "generation")), 2);
    json_decref(r);

    write_rules("alert tcp any any -> any any (msg:\"x\"; content:\"y\"; nonsense; sid:3;)\n" GOOD_RULE);
    r = ask(fd, "{\"command\":\"rules reload\"}");
    assert_int_equal(code_of(r), 422);
    assert_int_equal(json_array_size(json_object_get(r, "errors")), 1);
    const json_t *e = json_array_get(json_object_get(r, "errors"), 0);
    assert_string_equal(json_string_value(json_object_get(e, "file")), t.rules);
    assert_int_equal(json_integer_value(json_object_get(e, "line")), 1);
    assert_true(json_integer_value(json_object_get(e, "column")) > 0);
    json_decref(r);
    r = ask(fd, "{\"command\":\"rules list\"}"); /* the old ones run */
    assert_int_equal(json_integer_value(at(r, "result", "total")), 2);
    json_decref(r);
    r = ask(fd, "{\"command\":\"rules reload\",\"args\":{\"force\":true}}");
    assert_int_equal(code_of(r), 200);
    assert_int_equal(json_integer_value(at(r, "result", "loaded")), 1);
    json_decref(r);

    unlink(t.rules);
    expect(fd, "{\"command\":\"rules reload\",\"args\":{\"force\":true}}", 422);
    expect(fd, "{\"command\":\"rules reload\",\"args\":{\"force\":1}}", 400);
    r = ask(fd, "{\"command\":\"rules list\"}");
    assert_int_equal(json_integer_value(at(r, "result", "total")), 1);
    json_decref(r);
    close(fd);
}

/* A worker that looks at the published ruleset all the time must never see one that is gone. */
static void *reader(void *arg)
{
    const bool *quit = arg;
    uint64_t seen = 0;

    rcu_register_thread();
    while (!__atomic_load_n(quit, __ATOMIC_ACQUIRE)) {
        const struct ruleset *rs = __atomic_load_n(&t.ruleset, __ATOMIC_ACQUIRE);

        for (uint32_t i = 0; i < ruleset_n_rules(rs); i++)
            seen += ruleset_info(rs, i)->sid;
        rcu_before_quiescent(&t.ruleset);
        rcu_quiescent_state();
    }
    rcu_unregister_thread();
    return (void *)(uintptr_t)(seen > 0);
}

static void reload_under_readers(void **state)
{
    bool quit = false;
    pthread_t thread;
    int fd = client(), other = client();
    void *saw;

    assert_int_equal(pthread_create(&thread, NULL, reader, &quit), 0);
    for (int i = 0; i < 10; i++) {
        say(fd, "{\"command\":\"rules reload\"}\n", 27);
        expect(other, "{\"command\":\"status\"}", 200); /* answered whatever the loader does */
        assert_non_null(strstr(hear(fd), "\"ok\":true"));
    }
    __atomic_store_n(&quit, true, __ATOMIC_RELEASE);
    pthread_join(thread, &saw);
    assert_non_null(saw);
    close(fd);
    close(other);
}

static void who_asked_may_leave(void **state)
{
    int fd = client();

    say(fd, "{\"command\":\"rules reload\"}\n", 27);
    close(fd);
    fd = client();
    expect(fd, "{\"command\":\"status\"}", 200);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(commands_answer, start, stop),
        cmocka_unit_test_setup_teardown(block_list, start, stop),
        cmocka_unit_test_setup_teardown(blocked_for_a_time, start, stop),
        cmocka_unit_test_setup_teardown(long_list, start, stop),
        cmocka_unit_test_setup_teardown(bulk_is_all_or_nothing, start, stop),
        cmocka_unit_test_setup_teardown(policy_and_explain, start, stop),
        cmocka_unit_test_setup_teardown(lists_what_sleeps, start, stop),
        cmocka_unit_test_setup_teardown(reload_swaps_or_keeps, start, stop),
        cmocka_unit_test_setup_teardown(reload_under_readers, start, stop),
        cmocka_unit_test_setup_teardown(who_asked_may_leave, start, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
