/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The policy layer: every selector, who has the last word, noalert, suricata-update's files, what is refused and
 * what is only warned about; and the counts of RULES.md on the real sets (when ../shared/rules is there).
 */
#include "tests/rules/harness.h"

#include <glob.h>

#include "ips/control/policy_yaml.h"
#include "rules/policy.h"
#include "rules/suricata_update.h"

/* Rules with everything a selector asks about; sid 9 is disabled, sid 8 has noalert. */
static const char some_rules[] =
    "alert tcp any any -> any 1 (msg:\"ET ONE\\; begin\"; sid:1; rev:3; classtype:trojan-activity; "
    "metadata:deployment Perimeter, signature_severity  Major;)\n"
    "alert tcp any any -> any 2 (msg:\"ET TWO sid:1\\;\"; sid:2; classtype:misc-activity; "
    "metadata:policy balanced-ips drop, policy security-ips alert; metadata:ruleset community;)\n"
    "alert tcp any any -> any 3 (msg:\"GPL THREE\"; sid:3; gid:116; priority:1;)\n"
    "pass tcp any any -> any 4 (msg:\"ET FOUR\"; sid:4; content:\"a|3b|\";)\n"
    "drop tcp any any -> any 5 (msg:\"ET FIVE\"; sid:5; priority:7; metadata:signature_severity Minor;)\n"
    "alert tcp any any -> any 8 (msg:\"ET EIGHT\"; sid:8; noalert;)\n"
    "#alert tcp any any -> any 9 (msg:\"ET NINE\"; \\\n#  content:\"nine\"; sid:9;)\n";

/* Rules under a policy.yaml (its text; "policy:" goes before a bare list) and suricata-update's files; NULL: none. Any error fails. */
static struct ruleset *run(const char *rules, const char *yaml, const char *const conf[4],
                           struct err_list *errs)
{
    static const enum policy_verb verbs[] = {POLICY_OFF, POLICY_ON, POLICY_DROP, POLICY_MODIFY};
    struct policy *p = policy_new();
    struct loaded l;
    char path[64];

    assert_non_null(p);
    err_list_init(errs);
    for (int i = 0; i < 4 && conf != NULL; i++) {
        if (conf[i] == NULL)
            continue;
        write_file(path, conf[i], strlen(conf[i]));
        suricata_update_read(p, verbs[i], path, errs);
        unlink(path);
    }
    if (yaml != NULL) {
        char text[2048];

        snprintf(text, sizeof(text), "%s%s", strncmp(yaml, "- ", 2) == 0 ? "policy:\n" : "", yaml);
        write_file(path, text, strlen(text));
        policy_yaml_read(p, path, errs);
        unlink(path);
    }
    if (errs->n > 0) {
        policy_free(p);
        return NULL;
    }
    l = load_source(rules, strlen(rules), (struct ruleset_source){.policy = p});
    *errs = l.errs;
    policy_free(p); /* the ruleset must not need it */
    return l.rs;
}

static struct ruleset *run_ok(const char *rules, const char *yaml, const char *const conf[4])
{
    struct err_list errs;
    struct ruleset *rs = run(rules, yaml, conf, &errs);

    err_list_print(&errs, stderr);
    assert_int_equal(errs.n, 0);
    assert_non_null(rs);
    err_list_fini(&errs);
    return rs;
}

/* "1:drop 4:pass ..." of all loaded rules, by sid. */
static const char *actions(const struct ruleset *rs)
{
    static char text[1024];
    size_t at = 0;

    text[0] = '\0';
    for (uint32_t sid = 1; sid < 100; sid++)
        for (uint32_t i = 0; i < ruleset_n_rules(rs); i++)
            if (ruleset_info(rs, i)->sid == sid)
                at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%u:%s", at > 0 ? " " : "", sid,
                                       rule_action_name(ruleset_rule(rs, i)->action));
    return text;
}

#define AS_WRITTEN "1:alert 2:alert 3:alert 4:pass 5:drop 8:alert"

static void assert_actions(const char *yaml, const char *const conf[4], const char *want)
{
    struct ruleset *rs = run_ok(some_rules, yaml, conf);

    if (strcmp(actions(rs), want) != 0)
        fail_msg("%s%s\ngave   %s\nnot    %s", yaml != NULL ? yaml : "", conf != NULL ? "(conf)" : "",
                 actions(rs), want);
    ruleset_free(rs);
}

/* What one line with `action: reject` does. */
static void selectors(void **state)
{
    static const struct {
        const char *selects, *sids;
    } rows[] = {
        {"sid: 1", "1"},
        {"sid: [2, 3]", "2 3"},
        {"sid: 1-3", "1 2 3"},
        {"sid: [1 - 2, 5]", "1 2 5"},
        {"sid: '116:3'", "3"},
        {"sid: '1:3'", ""},
        {"sid: '1:1-5'", "1 2 4 5"},
        {"sid: '1:1:3'", "1"},
        {"sid: '1:1:2'", ""},
        {"gid: 116", "3"},
        {"gid: 1-5", "1 2 4 5"},
        {"severity: 1", "1 3"},
        {"severity: [7, 2]", "5"},
        {"severity: 3", "2 4"}, /* misc-activity, and the default */
        {"classtype: Trojan-Activity", "1"},
        {"classtype: misc-*", "2"},
        {"metadata: signature_severity Major", "1"},
        {"metadata: SIGNATURE_severity   major", "1"},
        {"metadata: signature_severity", "1 5"},
        {"metadata: signature_severity M*", "1 5"},
        {"metadata: signature_severity Maj", ""},
        {"metadata: severity Major", ""},
        {"metadata: policy balanced-ips drop", "2"},
        {"metadata: policy balanced-ips alert", ""},
        {"metadata: [policy security-ips alert, deployment Perimeter]", "1 2"},
        {"metadata: ruleset community", "2"}, /* in a metadata option of its own */
        {"msg: et t", "2"},
        {"msg: [three, FOUR]", "3 4"},
        {"msg: 'sid:1'", "2"},
        {"msg_regex: '^ET (one|two)'", "1 2"},
        {"msg_regex: '(?-i)^ET (one|two)'", ""},
        {"regex: 'any [23] \\('", "2 3"},
        {"regex: 'balanced-IPS\\s+drop'", "2"},
        {"file: '*'", "1 2 3 4 5"},
        {"file: 'sluice-rules-*'", "1 2 3 4 5"},
        {"file: 'tmp/sluice-rules-*'", "1 2 3 4 5"},
        {"file: '/tmp/*'", "1 2 3 4 5"},
        {"file: 'rules-*'", ""},
        {"file: 'other/*'", ""},
        {"all: yes", "1 2 3 4 5"},
        {"severity: 1, msg: ET", "1"}, /* both must fit */
        {"sid: [1, 2, 3], severity: [1, 3], gid: 1", "1 2"},
    };

    (void)state;
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        struct ruleset *rs;
        char yaml[300], got[64] = "";

        snprintf(yaml, sizeof(yaml), "policy:\n- {action: reject, %s}\n", rows[r].selects);
        rs = run_ok(some_rules, yaml, NULL);
        for (uint32_t sid = 1; sid < 10; sid++)
            if (sid < 6 && ruleset_rule(rs, find_rule(rs, sid))->action == ACTION_REJECT)
                snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%u", got[0] != '\0' ? " " : "",
                         sid);
        if (strcmp(got, rows[r].sids) != 0)
            fail_msg("%s fits '%s', not '%s'", rows[r].selects, got, rows[r].sids);
        ruleset_free(rs);
    }
}

static void actions_and_order(void **state)
{
    (void)state;
    assert_actions("policy: []\n", NULL, AS_WRITTEN);
    assert_actions("policy:\n", NULL, AS_WRITTEN);
    assert_actions("# nothing\n", NULL, AS_WRITTEN);
    assert_actions("- {action: drop, sid: 1}\n", NULL, "1:drop 2:alert 3:alert 4:pass 5:drop 8:alert");
    assert_actions("policy: [{action: pass, sid: 1}, {action: alert, sid: 5}]", NULL,
                   "1:pass 2:alert 3:alert 4:pass 5:alert 8:alert");
    /* last match wins, whether the line names a sid or not */
    assert_actions(
        "- {action: drop, all: yes}\n- {action: reject, sid: [1, 2]}\n- {action: alert, severity: 1}\n", NULL,
        "1:alert 2:reject 3:alert 4:drop 5:drop 8:alert");
    assert_actions("- {action: alert, sid: 1}\n- {action: drop, severity: 1}\n", NULL,
                   "1:drop 2:alert 3:drop 4:pass 5:drop 8:alert");
    /* off; a later action takes it back, a later off again */
    assert_actions("- {action: off, severity: 1-3}\n- {action: drop, sid: 2}\n", NULL, "2:drop 5:drop");
    assert_actions("- {action: off, all: yes}\n- {action: drop, sid: [1, 2]}\n- {action: off, sid: 2}\n",
                   NULL, "1:drop");
    /* on loads what the file disables, with the action that other lines give it; an action alone does not load it */
    assert_actions("- {action: on, sid: 9}\n", NULL, AS_WRITTEN " 9:alert");
    assert_actions("- {action: drop, sid: 9}\n", NULL, AS_WRITTEN);
    assert_actions("- {action: drop, sid: 9}\n- {action: on, sid: 9}\n", NULL, AS_WRITTEN " 9:drop");
    assert_actions("- {action: on, sid: 9}\n- {action: drop, sid: 9}\n", NULL, AS_WRITTEN " 9:drop");
    assert_actions("- {action: on, msg: NINE}\n- {action: off, sid: 9}\n- {action: drop, regex: nine}\n",
                   NULL, AS_WRITTEN " 9:drop");
}

static void noalert_is_kept(void **state)
{
    static const char rules[] =
        "alert tcp any any -> any 1 (content:\"a\"; noalert; sid:1;)\n"
        "alert tcp any any -> any 1 (content:\"a\"; msg:\"noalert\\; flowbits:noalert\\;\"; sid:2;)\n"
        "drop tcp any any -> any 1 (content:\"a\"; noalert; sid:3;)\n";
    struct ruleset *rs;
    uint32_t n;

    (void)state;
    rs = run_ok(rules, "- {action: drop, all: yes}\n- {action: reject, sid: 1}\n", NULL);
    assert_string_equal(actions(rs), "1:alert 2:drop 3:drop");
    assert_int_equal(ruleset_policy(rs, &n)[0].n_kept, 2);
    assert_int_equal(ruleset_policy(rs, &n)[1].n_kept, 1);
    ruleset_free(rs);
    rs = run_ok(rules, "- {action: pass, sid: 1}\n- {action: drop, sid: 1-2}\n- {action: off, sid: 3}", NULL);
    assert_string_equal(actions(rs), "1:pass 2:drop");
    ruleset_free(rs);
    /* nor by rewriting its text */
    rs = run_ok(rules, NULL, (const char *const[4]){NULL, NULL, NULL, "* \"^alert\" \"drop\"\n"});
    assert_string_equal(actions(rs), "1:alert 2:drop 3:drop");
    ruleset_free(rs);
    rs = run_ok(rules, NULL,
                (const char *const[4]){NULL, NULL, "*", "1 \"^alert(.*)noalert;\" \"drop${1}\"\n"});
    assert_string_equal(actions(rs), "1:alert 2:drop 3:drop");
    ruleset_free(rs);
}

/* A rule that is off is not parsed: turning a broken one off is a way to be rid of its errors. */
static void off_rules_have_no_errors(void **state)
{
    static const char rules[] = "alert tcp any any -> any 1 (nonsense; sid:1;)\n"
                                "alert tcp any any -> any 2 (content:\"a\"; sid:2;)\n";
    struct err_list errs;
    struct ruleset *rs = run(rules, NULL, NULL, &errs);

    (void)state;
    assert_int_equal(errs.n, 1);
    err_list_fini(&errs);
    ruleset_free(rs);
    rs = run_ok(rules, "- {action: off, sid: 1}", NULL);
    assert_int_equal(ruleset_stats(rs)->n_disabled, 1);
    assert_int_equal(ruleset_stats(rs)->n_rejected, 0);
    ruleset_free(rs);
}

/* Actions are part of the order in which rules are evaluated, so the policy must come before the order. */
static void order_follows_the_policy(void **state)
{
    struct ruleset *rs =
        run_ok("alert tcp any any -> any 1 (sid:1;)\nalert tcp any any -> any 1 (sid:2;)\n"
               "drop tcp any any -> any 1 (sid:3;)\n",
               "- {action: pass, sid: 2, reason: a scanner}\n- {action: alert, sid: 3}\n", NULL);

    (void)state;
    assert_int_equal(ruleset_info(rs, 0)->sid, 2);
    assert_int_equal(ruleset_info(rs, 1)->sid, 1);
    assert_int_equal(ruleset_info(rs, 2)->sid, 3);
    assert_string_equal(ruleset_info(rs, 0)->policy->reason, "a scanner");
    assert_int_equal(ruleset_info(rs, 0)->policy->line, 2);
    assert_null(ruleset_info(rs, 1)->policy);
    assert_int_equal(ruleset_info(rs, 2)->policy->verb, POLICY_ALERT);
    ruleset_free(rs);
}

/* Snort 3's own drop is about one packet; the policy's is about the flow where the rule's kind allows it. */
static void drop_of_a_snort_rule(void **state)
{
    static const char rules[] = "drop tcp any any -> any 1 ( content:\"a\"; sid:1; )\n"
                                "alert tcp any any -> any 1 ( content:\"a\"; sid:2; )\n"
                                "alert tcp any any -> any 1 ( content:\"a\"; flags:S; sid:3; )\n"
                                "block tcp any any -> any 1 ( content:\"a\"; sid:4; )\n";
    struct policy *p = policy_new();
    struct err e = {.code = 0};
    struct policy_line *line = policy_line_add(p, POLICY_DROP, "x", 1, true);
    struct loaded l;

    (void)state;
    assert_int_equal(policy_line_select(p, line, POLICY_SID, span_str("2-3"), &e), 0);
    assert_int_equal(policy_line_finish(p, line, &e), 0);
    l = load_source(rules, strlen(rules), (struct ruleset_source){.policy = p, .dialect = DIALECT_SNORT3});
    err_list_print(&l.errs, stderr);
    assert_int_equal(l.errs.n, 0);
    assert_string_equal(actions(l.rs), "1:drop 2:drop 3:drop 4:drop");
    assert_false(ruleset_holds_for_flow(ruleset_rule(l.rs, find_rule(l.rs, 1)), true));
    assert_true(ruleset_holds_for_flow(ruleset_rule(l.rs, find_rule(l.rs, 2)), true));
    assert_false(ruleset_holds_for_flow(ruleset_rule(l.rs, find_rule(l.rs, 3)), true));
    assert_true(ruleset_holds_for_flow(ruleset_rule(l.rs, find_rule(l.rs, 4)), true));
    unload(&l);
    policy_free(p);
}

static void reports_and_warnings(void **state)
{
    static const char yaml[] = "policy:\n"
                               "- {action: drop, severity: 1-3}\n" /* 1 2 3 4, 8 kept, 9 off */
                               "- {action: alert, sid: 2}\n"       /* decides 2 */
                               "- {action: off, sid: 77}\n"        /* fits none */
                               "- {action: drop, sid: 9}\n"        /* only one that is off */
                               "- {action: reject, sid: 8}\n"      /* only noalert */
                               "- {action: pass, sid: 1}\n"
                               "- {action: reject, metadata: deployment Perimeter}\n"
                               "- {action: drop, regex: '(.+)+(.+)+(.+)+(.+)+(.+)+xyzzy'}\n";
    static const struct policy_report want[] = {
        {.line = 2, .n_matched = 6, .n_decided = 2, .n_off = 1, .n_kept = 1},
        {.line = 3, .n_matched = 1, .n_decided = 1},
        {.line = 4},
        {.line = 5, .n_matched = 1, .n_off = 1},
        {.line = 6, .n_matched = 1, .n_kept = 1},
        {.line = 7, .n_matched = 1},
        {.line = 8, .n_matched = 1, .n_decided = 1},
        {.line = 9, .n_limit = 7},
    };
    static const char *const warnings[] = {NULL,      NULL, "fits no rule", "not loaded",
                                           "noalert", NULL, NULL,           "gave up"};
    struct ruleset *rs = run_ok(some_rules, yaml, NULL);
    const struct policy_report *r;
    uint32_t n;

    (void)state;
    r = ruleset_policy(rs, &n);
    assert_int_equal(n, sizeof(want) / sizeof(want[0]));
    for (uint32_t i = 0; i < n; i++) {
        struct err e = {.code = 0};
        bool warned = policy_report_warning(&r[i], &e);

        if (r[i].line != want[i].line || r[i].n_matched != want[i].n_matched ||
            r[i].n_decided != want[i].n_decided || r[i].n_off != want[i].n_off ||
            r[i].n_kept != want[i].n_kept || r[i].n_limit != want[i].n_limit)
            fail_msg("line %u: matched %u decided %u off %u kept %u limit %u", r[i].line, r[i].n_matched,
                     r[i].n_decided, r[i].n_off, r[i].n_kept, r[i].n_limit);
        if (warned != (warnings[i] != NULL) || (warned && strstr(e.text, warnings[i]) == NULL))
            fail_msg("line %u: %s", r[i].line, warned ? e.text : "no warning");
        assert_true(!warned || (e.remedy[0] != '\0' && e.line == (int)r[i].line && e.file[0] != '\0'));
    }
    assert_string_equal(r[6].selects, "metadata deployment Perimeter");
    ruleset_free(rs);
}

static const struct {
    const char *yaml;
    int line;
    const char *what, *remedy;
} mistakes[] = {
    {"policy:\n- {action: drop, sids: 1}\n", 2, "unknown key 'sids'", "did you mean 'sid'?"},
    {"policy:\n- action: drop\n  signature: x\n", 3, "unknown key 'signature'", "policy.yaml(5)"},
    {"policy:\n- {action: dorp, sid: 1}\n", 2, "no such action: 'dorp'", "reject"},
    {"policy:\n- {action: modify, sid: 1}\n", 2, "no such action: 'modify'", "reject"},
    {"policy:\n- {action: [drop], sid: 1}\n", 2, "no such action", "reject"},
    {"policy:\n- {sid: 1}\n", 2, "no action", "add action"},
    {"policy:\n- {action: drop}\n", 2, "which rules", "all: yes"},
    {"policy:\n- {action: drop, all: yes, sid: 1}\n", 2, "all rules, and some", "remove"},
    {"policy:\n- {action: drop, all: no}\n", 2, "all can only be yes", "all: yes"},
    {"policy:\n- {action: drop, sid: 0}\n", 2, "the sid 0", "N-M"},
    {"policy:\n- {action: drop, sid: 20-10}\n", 2, "upside down", "N-M"},
    {"policy:\n- {action: drop, sid: [1, 2x]}\n", 2, "not a sid: '2x'", "N-M"},
    {"policy:\n- {action: drop, sid: 4294967296}\n", 2, "not a sid", "N-M"},
    {"policy:\n- {action: drop, sid: '1:2:3:4'}\n", 2, "not a rev", "GID"},
    {"policy:\n- {action: drop, gid: x}\n", 2, "not a number", "N-M"},
    {"policy:\n- {action: drop, severity: 3-1}\n", 2, "upside down", "smaller"},
    {"policy:\n- {action: drop, severity: high}\n", 2, "not a number", "N-M"},
    {"policy:\n- {action: drop, sid: []}\n", 2, "empty list", "one value"},
    {"policy:\n- {action: drop, sid: {a: b}}\n", 2, "a map in place", "one value"},
    {"policy:\n- {action: drop, sid: [[1]]}\n", 2, "inside a list", "one list"},
    {"policy:\n- {action: drop, msg: ''}\n", 2, "an empty value", "write a value"},
    {"policy:\n- {action: drop, msg: \"a\\0b\"}\n", 2, "NUL", "remove"},
    {"policy:\n- {action: drop, metadata: 'a b, c d'}\n", 2, "a comma", "a list"},
    {"policy:\n- {action: drop, regex: 'a(b'}\n", 2, "not a regular expression", "pcre2pattern"},
    {"policy:\n- {action: drop, sid: 1, sid: 2}\n", 2, "the same key twice", "list of values"},
    {"policy:\n- {action: drop, sid: 1, reason: [a]}\n", 2, "reason", "one text"},
    {"policy:\n- {action: drop, sid: [5, 1]}\n- {action: alert, sid: [5, 1]}\n", 3, "on line 2, drop",
     "remove"},
    {"policy:\n- {action: off, msg: a}\n\n- {action: drop, msg: a}\n", 4, "on line 2, off", "remove"},
    {"policy:\n- drop\n", 2, "not a line of a policy", "- {action"},
    {"policy: drop\n", 1, "not a list of lines", "policy:"},
    {"just text\n", 1, "not a list of lines", "policy:"},
    {"rules: []\n", 1, "unknown key in a policy", "policy"},
    {"policy: []\npolicy: []\n", 2, "the same key twice", "list"},
    {"policy: []\n---\npolicy: []\n", 3, "second YAML document", "merge"},
    {"policy:\n\t- a\n", 2, "not YAML", "tabs"},
    {"policy: [", 2, "not YAML", "quote"},
};

static void mistakes_name_line_and_remedy(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        struct err_list errs;
        struct ruleset *rs = run(some_rules, mistakes[i].yaml, NULL, &errs);

        if (rs != NULL || errs.n == 0)
            fail_msg("accepted:\n%s", mistakes[i].yaml);
        if (errs.n != 1 || errs.v[0].line != mistakes[i].line ||
            strstr(errs.v[0].text, mistakes[i].what) == NULL ||
            strstr(errs.v[0].remedy, mistakes[i].remedy) == NULL || errs.v[0].column == 0) {
            err_list_print(&errs, stderr);
            fail_msg("not what was expected of:\n%s", mistakes[i].yaml);
        }
        err_list_fini(&errs);
    }
}

static void every_mistake_in_one_pass(void **state)
{
    struct err_list errs;

    (void)state;
    assert_null(
        run(some_rules, "- {action: x, sid: y}\n- {acton: drop}\n- {action: drop, sid: 1}\n", NULL, &errs));
    assert_int_equal(errs.n, 4); /* x, y, acton, no action */
    err_list_fini(&errs);
}

/* --- suricata-update ---------------------------------------------------------------------------------------- */

static void assert_conf(const char *disable, const char *enable, const char *drop, const char *modify,
                        const char *want)
{
    assert_actions(NULL, (const char *const[4]){disable, enable, drop, modify}, want);
}

static void disable_enable_drop(void **state)
{
    (void)state;
    assert_conf("# a comment\n\n  2 \n1:1 # why\n116:3,4\n", NULL, NULL, NULL, "5:drop 8:alert");
    assert_conf("3\n1:1:2\n", NULL, NULL, NULL, AS_WRITTEN); /* gid 1 is meant; the rev is another */
    assert_conf("1:1:3\n", NULL, NULL, NULL, "2:alert 3:alert 4:pass 5:drop 8:alert");
    assert_conf("re:et (one|two)\n", NULL, NULL, NULL, "3:alert 4:pass 5:drop 8:alert");
    assert_conf("metadata: signature_severity  major\n", NULL, NULL, NULL,
                "2:alert 3:alert 4:pass 5:drop 8:alert");
    assert_conf("group:emerging-*\nother.rules\nfilename:*/x\n", NULL, NULL, NULL, AS_WRITTEN);
    assert_conf("group: sluice-rules-*\n", NULL, NULL, NULL, "");
    assert_conf("filename:*/sluice-rules-*\n", NULL, NULL, NULL, "");
    assert_conf("*\n", "1\n9\n", NULL, NULL, "1:alert 9:alert"); /* enable comes after disable */
    assert_conf(NULL, "9\n", "*\n", NULL, "1:drop 2:drop 3:drop 4:drop 5:drop 8:alert 9:drop");
    assert_conf("1\n", NULL, "1\n9\n2\n", NULL,
                "2:drop 3:alert 4:pass 5:drop 8:alert"); /* drop enables nothing */
    /* policy.yaml goes on where these end */
    assert_actions("- {action: alert, sid: 1}\n- {action: on, sid: 2}\n",
                   (const char *const[4]){"2\n", NULL, "*\n", NULL},
                   "1:alert 2:drop 3:drop 4:drop 5:drop 8:alert");
    assert_actions("- {action: reject, sid: 2}\n", (const char *const[4]){"2\n", NULL, NULL, NULL},
                   "1:alert 3:alert 4:pass 5:drop 8:alert"); /* it takes back only its own off */
}

static void modify(void **state)
{
    static const char rules[] =
        "alert tcp any any -> any 1 (msg:\"one\"; content:\"a\"; classtype:trojan-activity; sid:1; rev:1;)\n"
        "alert tcp any any -> any 2 (msg:\"two\"; content:\"|0d 0a|MZ\"; sid:2; rev:1; )\n"
        "alert tcp any any -> any 3 (msg:\"three\"; cntent:\"c\"; sid:3; rev:1;)\n"
        "alert tcp $HOME_NET any -> any 4 (msg:\"four\"; sid:4;)\n";
    static const char conf[] =
        "# modify.conf\n"
        "1 \"msg:\\\"(o)(n)e\\\"\" 'msg:\"${2}\\g<1>\\1 \\\\\\\\ $5\"' # swapped\n"
        "re:classtype:trojan-activity \"(alert)(.*)\" \"drop\\\\2\"\n"
        "2 \"\\|0d 0a\\|\" \"|ff ff|\"\n"
        "3 cntent content\n"
        "4 \"\\$HOME_NET any -> any 4 (.*)\\$\" \"\\$EXTERNAL_NET any -> \\$HOME_NET 4 \\1\"\n"
        "modifysid 2 \"^alert\" | \"reject\"\n"
        "metadata-add re:\"M[Z]\" \"box.action\" \"archive\"\n";
    struct ruleset *rs = run_ok(rules, NULL, (const char *const[4]){NULL, NULL, NULL, conf});
    struct pkt p = {.proto = 6, .dport = 2, .payload = "\xff\xffMZ"};
    const struct policy_report *r;
    uint32_t n;

    (void)state;
    assert_string_equal(actions(rs), "1:drop 2:reject 3:alert 4:alert");
    assert_string_equal(ruleset_info(rs, find_rule(rs, 1))->msg, "noo \\ $5");
    assert_string_equal(ruleset_info(rs, find_rule(rs, 2))->metadata, "box.action archive");
    assert_true(rule_matches(rs, 2, &p));
    p.dport = 3;
    p.payload = "c";
    assert_true(rule_matches(rs, 3, &p));
    p = (struct pkt){.proto = 6, .src = "192.0.2.1", .dst = "10.0.0.1", .dport = 4};
    assert_true(rule_matches(rs, 4, &p));
    p.dst = "192.0.2.2";
    assert_false(rule_matches(rs, 4, &p));
    r = ruleset_policy(rs, &n);
    assert_int_equal(n, 7);
    for (uint32_t i = 0; i < n; i++)
        if (r[i].n_decided != 1)
            fail_msg("line %u changed %u rules", r[i].line, r[i].n_decided);
    assert_int_equal(ruleset_info(rs, find_rule(rs, 2))->policy->line, 7);
    ruleset_free(rs);
    /* drop.conf comes first, so that modify.conf can take it back (suricata-update's own example) */
    rs = run_ok(rules, NULL,
                (const char *const[4]){"3\n", NULL, "*\n",
                                       "modifysid * \"^drop(.*)two(.*)\" | \"alert${1}two${2}\"\n"});
    assert_string_equal(actions(rs), "1:drop 2:alert 4:drop");
    ruleset_free(rs);
}

static void modified_text_is_blamed(void **state)
{
    struct err_list errs;
    struct ruleset *rs = run("alert tcp any any -> any 1 (content:\"a\"; sid:1;)\n", NULL,
                             (const char *const[4]){NULL, NULL, NULL, "\n1 content contnt\n"}, &errs);

    (void)state;
    assert_int_equal(errs.n, 1);
    assert_non_null(strstr(errs.v[0].text, "unknown keyword 'contnt' (as changed by /tmp/"));
    assert_non_null(strstr(errs.v[0].text, ":2)"));
    assert_int_equal(errs.v[0].line, 1);
    err_list_fini(&errs);
    ruleset_free(rs);
}

static void bad_conf_lines(void **state)
{
    static const struct {
        int file; /* 0 disable, 3 modify */
        const char *line, *what;
    } rows[] = {
        {0, "heartbleed", "does not say which rules"},
        {0, "1:2:3:4", "does not say which rules"},
        {0, "1, a", "does not say which rules"},
        {0, "metadata:deployment", "does not say which rules"},
        {0, "re:a(b", "not a regular expression"},
        {0, "re:", "an empty value"},
        {0, "1:0", "the sid 0"},
        {3, "1 \"from\"", "2 words"},
        {3, "1 a b c", "4 words"},
        {3, "modifysid 1 a b", "4 words"},
        {3, "1 \"a b", "quote is not closed"},
        {3, "x a b", "does not say which rules"},
        {3, "1 (a b", "not a regular expression"},
        {3, "1 (a) \\\\2", "the group '2'"},
        {3, "1 (a) ${9}", "the group '9'"},
        {3, "1 (a) \\\\g<name>", "the group 'name'"},
        {3, "1 (a) \\\\n", "\\n"},
        {3, "metadata-add 1 key", "2 words"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *conf[4] = {NULL, NULL, NULL, NULL};
        struct err_list errs;
        char text[200];

        snprintf(text, sizeof(text), "# first\n1 a b\n%s\n", rows[i].line);
        conf[rows[i].file] = rows[i].file == 3 ? text : strstr(text, "1 a b") + 6;
        assert_null(run(some_rules, NULL, conf, &errs));
        if (errs.n != 1 || errs.v[0].line != (rows[i].file == 3 ? 3 : 1) || errs.v[0].remedy[0] == '\0' ||
            strstr(errs.v[0].text, rows[i].what) == NULL) {
            err_list_print(&errs, stderr);
            fail_msg("not what was expected of: %s", rows[i].line);
        }
        err_list_fini(&errs);
    }
}

/* --- the sets people use -------------------------------------------------------------------------------------- */

static struct ruleset *run_glob(const char *pattern, const struct policy_files *files, struct err_list *errs)
{
    struct ruleset_source src = {.n_workers = 1, .dialect = DIALECT_AUTO};
    struct ruleset *rs;
    glob_t g;

    if (glob(pattern, 0, NULL, &g) != 0)
        skip();
    err_list_init(errs);
    src.files = (const char *const *)g.gl_pathv;
    src.n_files = (uint32_t)g.gl_pathc;
    if (policy_load(files, &src.policy, errs) != 0)
        err_list_print(errs, stderr);
    assert_non_null(src.policy);
    rs = ruleset_build(&src, errs);
    policy_free(src.policy);
    globfree(&g);
    assert_non_null(rs);
    return rs;
}

static uint32_t count_action(const struct ruleset *rs, uint8_t action)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < ruleset_n_rules(rs); i++)
        n += ruleset_rule(rs, i)->action == action;
    return n;
}

static void et_open(void **state)
{
    static const char yaml[] = "policy:\n"
                               "- {action: drop, metadata: signature_severity Major}\n"
                               "- {action: off, file: emerging-deleted.rules}\n"
                               "- {action: alert, metadata: confidence Low}\n";
    static const char conf[] = "re:sid:2019401\\b \"seconds \\d+\" \"seconds 3600\"\n"
                               "* \"\\bcreated_at 2010_\" \"created_at 1910_\"\n";
    char path[2][64];
    struct policy_files files = {.policy = path[0], .modify_conf = path[1]};
    const struct policy_report *r;
    struct err_list errs;
    struct ruleset *rs;
    uint32_t n, n_drop = 0;

    (void)state;
    write_file(path[0], yaml, strlen(yaml));
    write_file(path[1], conf, strlen(conf));
    rs = run_glob("../shared/rules/et-open/*.rules", &files, &errs);
    r = ruleset_policy(rs, &n);
    assert_int_equal(n, 5);
    /* 9,371 of the enabled rules say so, 43 of these with noalert; 2,311 of the disabled ones */
    assert_int_equal(r[2].n_matched, 9371 + 2311);
    assert_int_equal(r[2].n_kept, 43 + 16);
    assert_true(r[2].n_decided > 8000 && r[2].n_decided <= 9371 - 43);
    assert_true(r[1].n_matched == 24827 + 10023 && r[1].n_decided > 5000);
    assert_int_equal(ruleset_stats(rs)->n_loaded + ruleset_stats(rs)->n_rejected, 24827);
    n_drop = count_action(rs, ACTION_DROP);
    assert_true(n_drop > 0 && n_drop <= r[2].n_decided);
    if (ruleset_stats(rs)->n_rejected == 0)
        assert_int_equal(n_drop, r[2].n_decided);
    ruleset_free(rs);
    err_list_fini(&errs);
    unlink(path[0]);
    unlink(path[1]);
}

static void snort3_community(void **state)
{
    static const char yaml[] = "policy: [{action: drop, metadata: policy balanced-ips drop}]\n";
    char path[64];
    struct policy_files files = {.policy = path};
    const struct policy_report *r;
    struct err_list errs;
    struct ruleset *rs;
    uint32_t n;

    (void)state;
    write_file(path, yaml, strlen(yaml));
    rs = run_glob("../shared/rules/snort3-community/*.rules", &files, &errs);
    r = ruleset_policy(rs, &n);
    assert_int_equal(n, 1);
    assert_int_equal(r->n_matched, 378); /* RULES.md 1.6 */
    assert_int_equal(r->n_decided, 378);
    if (ruleset_stats(rs)->n_rejected == 0)
        assert_int_equal(count_action(rs, ACTION_DROP), 378);
    ruleset_free(rs);
    err_list_fini(&errs);
    unlink(path);
}

/* The line that decides the action decides whom a drop blocks, too; one that comes later without `block` takes it back. */
static void block_for_a_time(void **state)
{
    static const struct {
        const char *yaml, *name; /* of sid 1 */
    } rows[] = {
        {"- {action: drop, sid: 1, block: src 10m}", "src 10m"},
        {"- {action: reject, sid: 1, block: dst 90}", "dst 90s"},
        {"- {action: drop, sid: 1, block: client  2h}", "client 2h"},
        {"- {action: drop, sid: 1, block: server 30d}", "server 30d"},
        {"- {action: drop, all: yes, block: src 24h}", "src 1d"},
        {"- {action: drop, sid: 1, block: src 1m}\n- {action: drop, sid: 1-2}", ""},
        {"- {action: drop, sid: 1-2, block: src 1m}\n- {action: alert, sid: 1}", ""},
        {"- {action: drop, sid: 2, block: src 1m}", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ruleset *rs = run_ok(some_rules, rows[i].yaml, NULL);
        const struct rule_info *info = NULL;
        char buf[32];

        for (uint32_t r = 0; r < ruleset_n_rules(rs); r++)
            if (ruleset_info(rs, r)->sid == 1)
                info = ruleset_info(rs, r);
        assert_non_null(info);
        assert_string_equal(policy_block_name(info->block_side, info->block_s, buf, sizeof(buf)),
                            rows[i].name);
        ruleset_free(rs);
    }
}

static void block_mistakes(void **state)
{
    static const char *const rows[] = {
        "action: alert, sid: 1, block: src 10m", "action: off, sid: 1, block: src 10m",
        "action: drop, sid: 1, block: 10m",      "action: drop, sid: 1, block: src",
        "action: drop, sid: 1, block: src 0",    "action: drop, sid: 1, block: src 31d",
        "action: drop, sid: 1, block: src 10w",  "action: drop, sid: 1, block: src -1m",
        "action: drop, sid: 1, block: both 1m",  "action: drop, sid: 1, block: [src, 1m]",
        "action: drop, sid: 1, block: ''",       "action: drop, sid: 1, block: src 1m 1s",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct err_list errs;
        char yaml[128];

        snprintf(yaml, sizeof(yaml), "- {%s}", rows[i]);
        assert_null(run(some_rules, yaml, NULL, &errs));
        if (errs.n != 1 || errs.v[0].line != 2 || errs.v[0].remedy[0] == '\0')
            fail_msg("%s: %zu errors", rows[i], errs.n);
        err_list_fini(&errs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(selectors),
        cmocka_unit_test(actions_and_order),
        cmocka_unit_test(noalert_is_kept),
        cmocka_unit_test(off_rules_have_no_errors),
        cmocka_unit_test(order_follows_the_policy),
        cmocka_unit_test(drop_of_a_snort_rule),
        cmocka_unit_test(reports_and_warnings),
        cmocka_unit_test(mistakes_name_line_and_remedy),
        cmocka_unit_test(every_mistake_in_one_pass),
        cmocka_unit_test(disable_enable_drop),
        cmocka_unit_test(modify),
        cmocka_unit_test(modified_text_is_blamed),
        cmocka_unit_test(bad_conf_lines),
        cmocka_unit_test(block_for_a_time),
        cmocka_unit_test(block_mistakes),
        cmocka_unit_test(et_open),
        cmocka_unit_test(snort3_community),
    };

    return cmocka_run_group_tests_name("rules: policy", tests, NULL, NULL);
}
