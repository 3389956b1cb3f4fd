/* SPDX-License-Identifier: BSD-2-Clause */
/* What `rules explain` says of rules in every state, and of every kind of step. */
#include "tests/rules/harness.h"

#include <glob.h>

#include "ips/control/policy_yaml.h"
#include "ips/control/rules_json.h"
#include "rules/explain.h"

struct asked {
    struct explanation x;
    char rules[64], policy[64], modify[64], threshold[64];
};

/* Rules and policy as texts (NULL: none). */
static struct asked ask(const char *rules, const char *policy, const char *modify, const char *threshold,
                        int64_t gid, uint32_t sid)
{
    struct asked a = {.x = {.n = 0}};
    const char *files[] = {a.rules};
    struct policy_files pf = {.policy = policy != NULL ? a.policy : NULL,
                              .modify_conf = modify != NULL ? a.modify : NULL};
    struct ruleset_source src = {.files = files,
                                 .n_files = 1,
                                 .dialect = DIALECT_AUTO,
                                 .threshold_file = threshold != NULL ? a.threshold : NULL};
    struct err_list errs;
    struct err e = {.code = 0};

    err_list_init(&errs);
    write_file(a.rules, rules, strlen(rules));
    if (policy != NULL)
        write_file(a.policy, policy, strlen(policy));
    if (modify != NULL)
        write_file(a.modify, modify, strlen(modify));
    if (threshold != NULL)
        write_file(a.threshold, threshold, strlen(threshold));
    assert_int_equal(policy_load(&pf, &src.policy, &errs), 0);
    if (explain_rule(&src, gid, sid, &a.x, &e) != 0)
        fail_msg("%s", e.text);
    policy_free(src.policy);
    err_list_fini(&errs);
    unlink(a.rules);
    unlink(a.policy);
    unlink(a.modify);
    unlink(a.threshold);
    return a;
}

static void assert_says(const char *what, const char *said, const char *part)
{
    if (said == NULL || strstr(said, part) == NULL)
        fail_msg("%s: '%s' does not say '%s'", what, said != NULL ? said : "(null)", part);
}

static void assert_lists(const char *what, const struct explain_list *l, const char *const *want, uint32_t n)
{
    for (uint32_t i = 0; i < l->n || i < n; i++)
        if (i >= n || i >= l->n || strcmp(l->v[i], want[i]) != 0)
            fail_msg("%s %u: '%s', not '%s'", what, i + 1, i < l->n ? l->v[i] : "(nothing)",
                     i < n ? want[i] : "(nothing)");
}
#define ASSERT_LISTS(what, l, ...)                                   \
    do {                                                             \
        static const char *const want[] = {__VA_ARGS__};             \
        assert_lists(what, l, want, sizeof(want) / sizeof(want[0])); \
    } while (0)

static void a_loaded_rule(void **state)
{
    static const char rules[] =
        "# comment\n"
        "drop tcp $HOME_NET any -> any 80 (msg:\"one\"; flow:established,to_server; content:\"GET \"; "
        "startswith; "
        "content:\"/Evil|0d 0a|\"; nocase; distance:2; within:20; fast_pattern; content:!\"x\"; offset:4; "
        "depth:9; "
        "pcre:\"/a;b/Ri\"; byte_test:1,>,5,0,relative; content:\"end\"; endswith; flowbits:isset,a; "
        "flowbits:set,b; threshold:type limit, track by_src, count 1, seconds 60; sid:7; rev:3;)\n";
    struct asked a = ask(rules, NULL, NULL, NULL, -1, 7);
    const struct explained *t = a.x.v;

    (void)state;
    assert_int_equal(a.x.n, 1);
    assert_string_equal(t->state, "rejected"); /* a bare ';' inside quotes */
    assert_says("errors", t->errors.n == 1 ? t->errors.v[0] : "", "';' inside quotes");
    explain_fini(&a.x);
    char *semicolon = strdup(rules);
    memcpy(strstr(semicolon, "a;b"), "a.b", 3);
    a = ask(semicolon, NULL, NULL, NULL, 1, 7);
    free(semicolon);
    t = a.x.v;
    assert_string_equal(t->state, "loaded");
    assert_string_equal(t->why, "");
    assert_true(t->loaded && t->text_hash != 0);
    assert_int_equal(t->line, 2);
    assert_int_equal(t->rev, 3);
    assert_string_equal(t->dialect, "Suricata");
    assert_string_equal(t->written, "drop");
    assert_string_equal(t->action, "drop");
    assert_string_equal(t->action_by, "");
    assert_string_equal(t->header, "tcp $HOME_NET any -> any 80, to the server, in established flows");
    assert_string_equal(t->fast_pattern, "\"/evil|0d 0a|\" in payload, letters of either case");
    assert_string_equal(t->verdict,
                        "for the rest of the flow when it matched in a TCP stream, else for the packet");
    ASSERT_LISTS("step", &t->steps, "bits that rules note about the flow: flowbits:isset,a",
                 "payload has \"GET \" at its start",
                 "payload has \"/evil|0d 0a|\" within 20 bytes, from 2 bytes behind the last match on, "
                 "letters of either case",
                 "payload has no \"x\" within 9 bytes from byte 4 on", "payload matches: pcre:\"/a.b/Ri\"",
                 "a number in payload: byte_test:1,>,5,0,relative", "payload has \"end\", at its end");
    ASSERT_LISTS("effect", &t->effects, "bits that rules note about the flow: flowbits:set,b");
    ASSERT_LISTS("limit", &t->limits, "at most 1 alerts for a source in 60 s");
    explain_fini(&a.x);
}

static void what_a_policy_does(void **state)
{
    static const char rules[] =
        "alert tcp any any -> any 1 (msg:\"one\"; content:\"abcd\"; priority:1; sid:1;)\n"
        "#alert tcp any any -> any 2 (msg:\"two\"; sid:2;)\n"
        "alert tcp any any -> any 3 (msg:\"three\"; noalert; sid:3;)\n";
    static const char policy[] = "policy:\n"
                                 "- {action: drop, severity: 1-3, reason: block it all}\n"
                                 "- {action: alert, msg: two}\n"
                                 "- {action: reject, sid: 1}\n"
                                 "- {action: on, sid: 2}\n";
    struct asked a = ask(rules, policy, NULL, NULL, -1, 1);
    const struct explained *t = a.x.v;

    (void)state;
    assert_string_equal(t->action, "reject");
    assert_string_equal(t->written, "alert");
    assert_says("action_by", t->action_by, ":4");
    assert_int_equal(t->policy.n, 2);
    assert_says("policy", t->policy.v[0], ":2 drop: severity 1-3 (block it all)");
    assert_says("policy", t->policy.v[1], ":4 reject, decides: sid 1");
    explain_fini(&a.x);
    a = ask(rules, policy, NULL, NULL, -1, 2);
    assert_string_equal(a.x.v->state, "loaded");
    assert_says("why", a.x.v->why, ":5 turns it on");
    assert_string_equal(a.x.v->action, "alert");
    explain_fini(&a.x);
    a = ask(rules, NULL, NULL, NULL, -1, 2);
    assert_string_equal(a.x.v->state, "disabled");
    assert_says("why", a.x.v->why, "'#'");
    assert_false(a.x.v->loaded);
    assert_says("text", a.x.v->text, "alert tcp any any -> any 2 (");
    explain_fini(&a.x);
    a = ask(rules, policy, NULL, NULL, -1, 3);
    assert_string_equal(a.x.v->action, "alert");
    assert_says("policy", a.x.v->policy.v[0], "but it has noalert");
    ASSERT_LISTS("effect", &a.x.v->effects, "no alert (noalert)");
    explain_fini(&a.x);
    a = ask(rules, "policy: [{action: off, all: yes}]", NULL, NULL, -1, 1);
    assert_string_equal(a.x.v->state, "off");
    assert_says("why", a.x.v->why, ":1 turns it off");
    explain_fini(&a.x);
    a = ask(rules, NULL, "1 abcd efgh\n", NULL, -1, 1);
    assert_says("changed", a.x.v->changed, "content:\"efgh\"");
    assert_says("changed_by", a.x.v->changed_by, ":1");
    assert_says("text", a.x.v->text, "content:\"abcd\"");
    ASSERT_LISTS("step", &a.x.v->steps, "payload has \"efgh\"");
    explain_fini(&a.x);
}

static void other_states(void **state)
{
    static const char rules[] = "alert tcp any any -> any 1 (app-layer-event:x.y; content:\"abcd\"; sid:1;)\n"
                                "alert tcp any any -> any 1 (msg:\"old\"; sid:2; rev:1;)\n"
                                "alert tcp any any -> any 1 (msg:\"new\"; sid:2; rev:2;)\n"
                                "alert tcp any any -> any 1 (msg:\"other\"; sid:2; gid:3;)\n"
                                "alert ip 192.0.2.1 any -> any any (sid:4;)\n"
                                "pass icmp any any -> any any (ttl:1; sid:5;)\n";
    struct asked a = ask(rules, NULL, NULL, NULL, -1, 1);

    (void)state;
    assert_string_equal(a.x.v->state, "dormant");
    assert_says("why", a.x.v->why, "'app-layer-event'");
    assert_says("fast_pattern", a.x.v->fast_pattern, "never tried");
    explain_fini(&a.x);
    a = ask(rules, NULL, NULL, NULL, -1, 2);
    assert_int_equal(a.x.n, 3);
    assert_string_equal(a.x.v[0].state, "replaced");
    assert_says("why", a.x.v[0].why, ":3 has the same sid, with rev 2");
    assert_false(a.x.v[0].loaded);
    assert_string_equal(a.x.v[1].state, "loaded");
    assert_string_equal(a.x.v[2].state, "loaded");
    explain_fini(&a.x);
    a = ask(rules, NULL, NULL, NULL, 3, 2);
    assert_int_equal(a.x.n, 1);
    assert_int_equal(a.x.v->gid, 3);
    explain_fini(&a.x);
    a = ask(rules, NULL, NULL, NULL, 9, 2);
    assert_int_equal(a.x.n, 0);
    explain_fini(&a.x);
    a = ask(rules, NULL, NULL,
            "suppress gen_id 1, sig_id 4\nrate_filter gen_id 1, sig_id 4, track by_src, count 5, seconds 10, "
            "new_action drop, timeout 30\n",
            -1, 4);
    assert_says("inspects", a.x.v->inspects, "once for each direction");
    assert_says("fast_pattern", a.x.v->fast_pattern, "its addresses");
    assert_int_equal(a.x.v->limits.n, 2);
    assert_says("limits", a.x.v->limits.v[0], "no alert");
    assert_says("limits", a.x.v->limits.v[1],
                "drop for 30 s when a source matches more than 5 times in 10 s");
    explain_fini(&a.x);
    a = ask(rules, NULL, NULL, NULL, -1, 5);
    assert_string_equal(a.x.v->verdict, "for the packet");
    assert_string_equal(a.x.v->inspects, "single packets");
    assert_says("fast_pattern", a.x.v->fast_pattern, "nothing: it is tried whenever");
    ASSERT_LISTS("step", &a.x.v->steps, "time to live of the IP header: ttl:1");
    explain_fini(&a.x);
}

static void a_rule_of_snort(void **state)
{
    static const char rules[] = "alert tcp any any -> any 80 ( msg:\"one\"; flow:to_server; http_uri; "
                                "content:\"/Evil\",nocase,offset 2; content:\"x\",distance 1,within 5; "
                                "pkt_data; content:\"raw\"; sid:1; )\n";
    struct asked a = ask(rules, "policy: [{action: drop, sid: 1}]", NULL, NULL, -1, 1);

    (void)state;
    assert_string_equal(a.x.v->dialect, "Snort 3");
    assert_string_equal(a.x.v->action, "drop");
    assert_string_equal(a.x.v->verdict, "for the rest of the flow");
    assert_string_equal(a.x.v->inspects, "payload and the buffers that its steps name");
    ASSERT_LISTS("step", &a.x.v->steps, "http.uri has \"/evil\" from byte 2 on, letters of either case",
                 "http.uri has \"x\" within 5 bytes, from 1 bytes behind the last match on",
                 "payload has \"raw\"");
    explain_fini(&a.x);
}

/* Bytes of a rule file that are no text reach neither a terminal nor JSON. */
static void hostile_text(void **state)
{
    struct asked a =
        ask("alert tcp any any -> any 1 (msg:\"\x1b[2J\xff\xfe\"; content:\"|00|\xff\"; sid:1;)\n", NULL,
            NULL, NULL, -1, 1);
    json_t *j = rules_explain_json(&a.x);
    char *dump;

    (void)state;
    assert_non_null(j);
    assert_int_equal(json_array_size(j), 1);
    dump = json_dumps(j, JSON_COMPACT);
    assert_non_null(dump);
    assert_says("json", dump, "\"state\":\"loaded\"");
    assert_null(strchr(dump, '\x1b'));
    assert_null(strstr(dump, "u001b"));
    free(dump);
    json_decref(j);
    ASSERT_LISTS("step", &a.x.v->steps, "payload has \"|00 ff|\"");
    explain_fini(&a.x);
}

/* What stalled workers is left out, also what a policy turns on; its gid counts. */
static void a_struck_rule(void **state)
{
    static const char rules[] = "alert tcp any any -> any 1 (msg:\"one\"; sid:1;)\n"
                                "# alert tcp any any -> any 1 (msg:\"two\"; sid:2;)\n"
                                "alert tcp any any -> any 1 (msg:\"other one\"; gid:5; sid:1;)\n";
    static const char on[] = "policy:\n  - {action: on, sid: 1-2}\n";
    static const struct rule_id struck[] = {{1, 1}, {1, 2}};
    const struct disabled_rule *off;
    char path[64], policy[64];
    const char *files[] = {path};
    struct policy_files pf = {.policy = policy};
    struct ruleset_source src = {.files = files,
                                 .n_files = 1,
                                 .n_workers = 1,
                                 .struck = struck,
                                 .n_struck = 2,
                                 .dialect = DIALECT_AUTO};
    struct explanation x;
    struct err_list errs;
    struct err e = {.code = 0};
    uint32_t n;

    (void)state;
    err_list_init(&errs);
    write_file(path, rules, strlen(rules));
    write_file(policy, on, strlen(on));
    assert_int_equal(policy_load(&pf, &src.policy, &errs), 0);
    struct ruleset *rs = ruleset_build(&src, &errs);
    assert_non_null(rs);
    assert_int_equal(ruleset_n_rules(rs), 1);
    assert_int_equal(ruleset_info(rs, 0)->gid, 5);
    off = ruleset_disabled(rs, &n);
    assert_int_equal(n, 2);
    assert_true(off[0].sid == 1 && off[0].struck && off[1].sid == 2 && off[1].struck);
    assert_int_equal(explain_rule(&src, 1, 1, &x, &e), 0);
    assert_int_equal(x.n, 1);
    assert_string_equal(x.v->state, "off");
    assert_says("why", x.v->why, "stalled workers");
    explain_fini(&x);
    ruleset_free(rs);
    policy_free(src.policy);
    err_list_fini(&errs);
    unlink(path);
    unlink(policy);
}

/* Every rule of ET Open that loads can be explained, each step in words. A sample, since each reads all files. */
static void et_open(void **state)
{
    static const uint32_t sids[] = {2100366, 2100498, 2019401, 2008578, 2001219, 2400000, 2522000};
    struct ruleset_source src = {.n_workers = 1, .dialect = DIALECT_AUTO};
    glob_t g;

    (void)state;
    if (glob("../shared/rules/et-open/*.rules", 0, NULL, &g) != 0)
        skip();
    src.files = (const char *const *)g.gl_pathv;
    src.n_files = (uint32_t)g.gl_pathc;
    for (size_t i = 0; i < sizeof(sids) / sizeof(sids[0]); i++) {
        struct explanation x;
        struct err e = {.code = 0};

        assert_int_equal(explain_rule(&src, -1, sids[i], &x, &e), 0);
        if (x.n != 1)
            fail_msg("%u texts with sid %u", x.n, sids[i]);
        assert_int_equal(x.v->sid, sids[i]);
        assert_true(x.v->state[0] != '\0' && x.v->text[0] != '\0');
        if (x.v->loaded)
            assert_true(x.v->fast_pattern[0] != '\0' && x.v->verdict[0] != '\0' && x.v->header[0] != '\0');
        explain_fini(&x);
    }
    globfree(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loaded_rule), cmocka_unit_test(what_a_policy_does),
        cmocka_unit_test(other_states),  cmocka_unit_test(a_rule_of_snort),
        cmocka_unit_test(hostile_text),  cmocka_unit_test(et_open),
        cmocka_unit_test(a_struck_rule),
    };

    return cmocka_run_group_tests_name("rules: explain", tests, NULL, NULL);
}
