/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loading: files, places of errors, what an event will say, duplicates, strictness, and the rule sets people use (when
 * ../shared/rules is there). Hostile rules are in test_hostile.c.
 */
#include "harness.h"

#include <glob.h>

static void info(void **state)
{
    struct loaded l =
        load_ok("alert tcp any any -> any any (msg:\"A \\\"msg\\\"\\; x\"; sid:77; gid:3; rev:9; "
                "classtype:web-application-attack; "
                "reference:cve,2014-6271; reference:url,example.org/a?b=c; metadata:policy drop, k v; "
                "metadata:more x;)\n"
                "alert tcp any any -> any any (sid:78; classtype:trojan-activity; priority:4;)\n"
                "alert tcp any any -> any any (sid:79; priority:4; classtype:trojan-activity;)\n"
                "alert tcp any any -> any any (sid:80; classtype:no-such-class;)\n"
                "alert tcp any any -> any any (sid:81;)\n");
    const struct rule_info *i = ruleset_info(l.rs, find_rule(l.rs, 77));

    assert_string_equal(i->msg, "A \"msg\"; x");
    assert_int_equal(i->gid, 3);
    assert_int_equal(i->rev, 9);
    assert_int_equal(i->priority, 1);
    assert_string_equal(i->classtype, "web-application-attack");
    assert_string_equal(i->category, "Web Application Attack");
    assert_string_equal(i->metadata, "policy drop, k v, more x");
    assert_int_equal(i->n_references, 2);
    assert_string_equal(i->references[0], "cve,2014-6271");
    assert_string_equal(i->references[1], "url,example.org/a?b=c");
    assert_string_equal(i->file, l.path);
    assert_int_equal(i->line, 1);
    assert_int_equal(ruleset_info(l.rs, find_rule(l.rs, 78))->priority, 4);
    assert_int_equal(ruleset_info(l.rs, find_rule(l.rs, 79))->priority, 4);
    i = ruleset_info(l.rs, find_rule(l.rs, 80));
    assert_string_equal(i->classtype, "no-such-class");
    assert_string_equal(i->category, "");
    assert_int_equal(i->priority, 3);
    i = ruleset_info(l.rs, find_rule(l.rs, 81));
    assert_int_equal(i->gid, 1);
    assert_int_equal(i->rev, 0);
    assert_int_equal(i->priority, 3);
    assert_string_equal(i->msg, "");
    assert_string_equal(i->classtype, "");
    unload(&l);
}

static void comments_and_lines(void **state)
{
    struct loaded l = load("# a comment\n"
                           "\r\n"
                           "  # alert tcp any any -> any any (sid:1;)\n"
                           "#alert tcp any any -> any any (msg:\"off\"; \\\n"
                           "   sid:2;)\n"
                           "# alert people when this happens\n"
                           "## drop udp any any -> any any (sid:3;)\r\n"
                           "alert tcp any any -> any any (msg:\"joined\"; \\  \n"
                           "    content:\"ab\\\n"
                           "cd\"; \\\r\n"
                           "    nocasse; sid:4;)\n"
                           "   alert tcp any any -> any any (content:\"ab\\\n"
                           "cd\"; sid:5;)\r\n"
                           "alert tcp any any -> any any (sid:6;)");

    struct pkt p = {.proto = 6, .payload = "abcd"};

    assert_int_equal(l.errs.n, 1);
    assert_int_equal(l.errs.v[0].line, 11);
    assert_int_equal(l.errs.v[0].column, 5);
    assert_non_null(strstr(l.errs.v[0].text, "unknown keyword 'nocasse'"));
    assert_int_equal(ruleset_stats(l.rs)->n_loaded, 2);
    assert_int_equal(ruleset_stats(l.rs)->n_rejected, 1);
    assert_int_equal(ruleset_stats(l.rs)->n_disabled, 3);
    assert_true(rule_matches(l.rs, 5, &p)); /* nothing stands where two lines were joined */
    assert_int_equal(ruleset_info(l.rs, find_rule(l.rs, 5))->line, 12);
    unload(&l);
}

static void every_error_in_one_pass(void **state)
{
    struct loaded l = load("alert tcp 10.0.0.300 any -> any 70000 (content:\"a|4|\"; depth:x; foo; sid:0;)\n"
                           "alert tcp any any -> any any (content:\"good\"; sid:2;)\n"
                           "alert tcp any any -> any any (msg:\"no sid\";)\n"
                           "alert tcp any any -> any any (nocase; offset:1; depth:1; distance:1; within:1; "
                           "startswith; endswith; fast_pattern; sid:3;)\n"
                           "alert tcp any any -> any any (content:\"a\"; nocase; nocase; sid:4; sid:5; "
                           "msg:\"a\"; msg:\"b\"; nocase:1; msg; reference:x;)\n");
    static const struct {
        int line, column;
        const char *part;
    } want[] = {
        {1, 11, "'10.0.0.300' is not an address"},
        {1, 33, "'70000' is not a port"},
        {1, 50, "odd number of hexadecimal digits"},
        {1, 62, "depth: there is no variable 'x'"},
        {1, 65, "unknown keyword 'foo'"},
        {1, 74, "sid: '0' is not a number from 1"},
        {3, 1, "the rule has no sid"},
        {4, 31, "nocase has no content before it"},
        {4, 39, "offset has no content"},
        {4, 49, "depth has no content"},
        {4, 58, "distance has no content"},
        {4, 70, "within has no content"},
        {4, 80, "startswith has no content"},
        {4, 92, "endswith has no content"},
        {4, 102, "fast_pattern has no content"},
        {5, 52, "nocase stands twice behind one content"},
        {5, 67, "sid stands in the rule twice"},
        {5, 83, "msg stands in the rule twice"},
        {5, 92, "nocase takes no value"},
        {5, 102, "msg stands in the rule twice"},
        {5, 117, "reference: 'x' has no type"},
    };

    assert_int_equal(l.errs.n, sizeof(want) / sizeof(want[0]));
    for (size_t i = 0; i < l.errs.n; i++) {
        if (l.errs.v[i].line != want[i].line || l.errs.v[i].column != want[i].column ||
            strstr(l.errs.v[i].text, want[i].part) == NULL)
            fail_msg("%d:%d: %s; want %d:%d: %s", l.errs.v[i].line, l.errs.v[i].column, l.errs.v[i].text,
                     want[i].line, want[i].column, want[i].part);
        assert_string_equal(l.errs.v[i].file, l.path);
        assert_true(l.errs.v[i].remedy[0] != '\0');
    }
    assert_int_equal(ruleset_n_rules(l.rs), 1);
    assert_int_equal(ruleset_stats(l.rs)->n_rejected, 4);
    unload(&l);
}

static void strict(void **state)
{
    static const char rules[] =
        "alert tcp any any -> any any (sid:1;)\nalert tcp any any -> any any (bad; sid:2;)\n";
    struct loaded l = load_source(rules, sizeof(rules) - 1, (struct ruleset_source){.strict = true});

    assert_null(l.rs);
    assert_int_equal(l.errs.n, 1);
    unload(&l);
    l = load_source(rules, sizeof("alert tcp any any -> any any (sid:1;)\n") - 1,
                    (struct ruleset_source){.strict = true});
    assert_non_null(l.rs);
    unload(&l);
}

static void duplicates(void **state)
{
    struct loaded l = load("alert tcp any any -> any any (msg:\"old\"; sid:1; rev:1;)\n"
                           "alert tcp any any -> any any (msg:\"new\"; sid:1; rev:2;)\n"
                           "alert tcp any any -> any any (msg:\"older\"; sid:1; rev:1;)\n"
                           "alert tcp any any -> any any (msg:\"other\"; sid:1; gid:2;)\n");

    assert_int_equal(l.errs.n, 2);
    assert_non_null(strstr(l.errs.v[0].text, "sid 1 (gid 1) is also in "));
    assert_non_null(strstr(l.errs.v[0].text, "line 1; rev 2 is kept"));
    assert_non_null(strstr(l.errs.v[1].text, "line 2; rev 2 is kept"));
    assert_int_equal(l.errs.v[1].line, 3);
    assert_int_equal(ruleset_n_rules(l.rs), 2);
    assert_int_equal(ruleset_stats(l.rs)->n_rejected, 2);
    assert_string_equal(ruleset_info(l.rs, 0)->msg, "new");
    assert_string_equal(ruleset_info(l.rs, 1)->msg, "other");
    unload(&l);
}

static void files(void **state)
{
    const char *missing[] = {"/nonexistent/x.rules"}, *directory[] = {"/tmp"};
    struct ruleset_source src = {.files = missing, .n_files = 1, .n_workers = 1};
    struct err_list errs;

    err_list_init(&errs);
    assert_null(ruleset_build(&src, &errs));
    assert_int_equal(errs.n, 1);
    assert_non_null(strstr(errs.v[0].text, "cannot open /nonexistent/x.rules: No such file"));
    err_list_fini(&errs);
    src.files = directory;
    assert_null(ruleset_build(&src, &errs));
    assert_non_null(strstr(errs.v[0].text, "/tmp is a directory"));
    err_list_fini(&errs);
    src.n_files = 0; /* no rules at all is a ruleset, too */
    struct ruleset *rs = ruleset_build(&src, &errs);
    assert_non_null(rs);
    assert_int_equal(ruleset_n_rules(rs), 0);
    assert_null(payload_patterns(rs, PROTO_TCP));
    assert_null(rs->workers[0].scratch);
    ruleset_free(rs);
    src.n_workers = 65;
    assert_null(ruleset_build(&src, &errs));
    assert_non_null(strstr(errs.v[0].text, "65 workers"));
    err_list_fini(&errs);
}

static void classification(void **state)
{
    static const char rules[] = "alert tcp any any -> any any (sid:1; classtype:mine;)\nalert tcp any any -> "
                                "any any (sid:2; classtype:trojan-activity;)\n";
    static const char config[] = "# classes\nconfig classification: mine,My own class, 7\nconfig "
                                 "classification: bad\nconfig classification: x,y,0\nnonsense\n";
    char path[64];
    struct loaded l;

    write_file(path, config, sizeof(config) - 1);
    l = load_source(rules, sizeof(rules) - 1, (struct ruleset_source){.classification_file = path});
    unlink(path);
    assert_int_equal(l.errs.n, 3);
    assert_int_equal(l.errs.v[0].line, 3);
    assert_int_equal(l.errs.v[1].line, 4);
    assert_int_equal(l.errs.v[2].line, 5);
    assert_int_equal(ruleset_info(l.rs, find_rule(l.rs, 1))->priority, 7);
    assert_string_equal(ruleset_info(l.rs, find_rule(l.rs, 1))->category, "My own class");
    assert_int_equal(ruleset_info(l.rs, find_rule(l.rs, 2))->priority, 3); /* the file replaces the table */
    unload(&l);
    l = load_source(rules, sizeof(rules) - 1, (struct ruleset_source){.classification_file = "/nonexistent"});
    assert_null(l.rs);
    assert_int_equal(l.errs.n, 1);
    unload(&l);
}

static void workers(void **state)
{
    static const char rules[] = "alert tcp any any -> any any (content:\"abc\"; sid:1;)\n";
    struct loaded l =
        load_source(rules, sizeof(rules) - 1, (struct ruleset_source){.n_workers = 3, .generation = 42});

    assert_int_equal(ruleset_generation(l.rs), 42);
    assert_int_equal(l.rs->n_workers, 3);
    for (int i = 0; i < 3; i++) {
        assert_non_null(l.rs->workers[i].scratch);
        assert_non_null(l.rs->workers[i].seen);
        assert_non_null(l.rs->workers[i].candidates);
        for (int j = 0; j < i; j++)
            assert_ptr_not_equal(l.rs->workers[i].scratch, l.rs->workers[j].scratch);
    }
    unload(&l);
}

static void shared_patterns(void **state)
{
    struct loaded l = load_ok(
        "alert tcp any any -> any any (content:\"same\"; sid:1;)\nalert udp any any -> any any "
        "(content:\"same\"; sid:2;)\n"
        "alert tcp any any -> any any (content:\"same\"; nocase; sid:3;)\nalert tcp any any -> any any "
        "(content:\"SAME\"; nocase; sid:4;)\n"
        "alert udp any any -> any any (sid:5;)\nalert ip any any -> any any (content:!\"x\"; sid:6;)\n");
    const struct ruleset_stats *s = ruleset_stats(l.rs);

    assert_int_equal(s->n_patterns, 3); /* two for TCP, one for UDP */
    assert_int_equal(s->n_databases, 2);
    assert_int_equal(s->n_no_prefilter, 2);
    assert_int_equal(n_always(l.rs, FACT_TCP), 1);
    assert_int_equal(n_always(l.rs, FACT_UDP), 2);
    assert_int_equal(n_always(l.rs, FACT_ICMP), 1);
    assert_int_equal(n_always(l.rs, 0), 1);
    assert_true(s->memory_bytes > 0 && s->load_ns > 0);
    unload(&l);
}

/* --- pcre ---------------------------------------------------------------------------------------------------- */

static void pcre_flags(void **state)
{
    assert_true(options_match("pcre:\"/ABC/i\";", "xabc"));
    assert_true(options_match("pcre:\"/a.c/s\";", "a\nc"));
    assert_false(options_match("pcre:\"/a.c/\";", "a\nc"));
    assert_true(options_match("pcre:\"/^b/m\";", "a\nb"));
    assert_true(options_match("pcre:\"/a b/x\";", "ab"));
    assert_false(options_match("pcre:\"/b/A\";", "ab"));
    assert_true(options_match("pcre:\"/b$/\";", "ab\n"));
    assert_false(options_match("pcre:\"/b$/E\";", "ab\n"));
    assert_true(options_match("pcre:\"/x/B\";", "x"));
    assert_true(options_match("pcre:!\"/x/\";", "y"));
    assert_false(options_match("pcre:! \"/x/\";", "x"));
    assert_true(options_match("pcre:\"/a\\/b/\";", "a/b"));
    assert_true(options_match("pcre:\"/^(?P<q>['x]).*(?P=q)$/\";", "x--x")); /* back-references need PCRE2 */
    assert_true(options_match("pcre:\"/(?<=a)b/\"; content:\"c\"; distance:0;", "abc"));
    assert_false(options_match("content:\"a\"; pcre:\"/(?<=a)b/R\";",
                               "ab")); /* R: nothing before the cursor is seen */
    assert_options_refused("pcre:\"/x/iPH\";", "a second buffer, http.header, for one content");
    assert_options_refused("pcre:\"/x/q\";", "unknown flag 'q'");
    assert_options_refused("pcre:\"x\";", "between two slashes");
    assert_options_refused("pcre:\"/\";", "between two slashes");
    assert_refused("alert tcp any any -> any any (pcre:\"/a(b/\"; sid:1;)", 41,
                   "pcre: missing closing parenthesis");
}

static void pcre_limits(void **state)
{
    char text[200];

    memset(text, 'a', sizeof(text) - 1);
    text[199] = '\0';
    assert_false(options_match("pcre:\"/^(a+)+$/\"; pcre:\"/./\";",
                               "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"));
    assert_true(last.pcre_limit);
    /* the limit is no match for a negated pcre either */
    assert_false(
        options_match("pcre:!\"/^(a+)+$/\";", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"));
    assert_true(last.pcre_limit);
    assert_true(options_match("pcre:\"/^(a+)+$/\";", text));
    assert_false(last.pcre_limit);
    /* the same by the interpreter, whose memory comes from the worker's pool */
    assert_true(options_match("pcre:\"/(*NO_JIT)^(a|b)*$/\";", text));
    assert_false(options_match("pcre:\"/(*NO_JIT)^(a+)+$/\";",
                               "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"));
    assert_true(last.pcre_limit);
}

/* --- long lists --------------------------------------------------------------------------------------------------- */

static void large_list(void **state)
{
    size_t cap = 30000 * 16 + 200, at;
    char *rule = malloc(cap);
    struct loaded l;
    struct pkt p = {.proto = 6, .src = "10.1.2.2"};

    assert_non_null(rule);
    at = (size_t)sprintf(rule, "drop ip [192.0.2.1");
    for (int i = 0; i < 30000; i++)
        at += (size_t)sprintf(rule + at, ",10.%d.%d.%d", i >> 14, (i >> 7) & 127, (i & 127) * 2);
    sprintf(rule + at, "] any -> any any (sid:1;)");
    l = load_ok(rule);
    p.src = "10.1.2.2";
    assert_true(rule_matches(l.rs, 1, &p));
    p.src = "10.1.2.3";
    assert_false(rule_matches(l.rs, 1, &p));
    unload(&l);
    free(rule);
}

/* --- the sets people use ------------------------------------------------------------------------------------------ */

static void load_glob(const char *pattern, uint32_t n_enabled, uint32_t n_disabled, uint32_t at_least)
{
    glob_t g;
    struct err_list errs;
    struct ruleset_source src = {.n_workers = 1};
    struct ruleset *rs;
    const struct ruleset_stats *s;

    if (glob(pattern, 0, NULL, &g) != 0)
        skip();
    err_list_init(&errs);
    src.files = (const char *const *)g.gl_pathv;
    src.n_files = (uint32_t)g.gl_pathc;
    rs = ruleset_build(&src, &errs);
    assert_non_null(rs);
    s = ruleset_stats(rs);
    assert_int_equal(s->n_loaded + s->n_rejected, n_enabled);
    assert_int_equal(s->n_disabled, n_disabled);
    assert_true(s->n_loaded >= at_least);
    for (size_t i = 0; i < errs.n; i++) /* an error that names no place or no way out helps nobody */
        assert_true(errs.v[i].line > 0 && errs.v[i].column > 0 && errs.v[i].remedy[0] != '\0');
    ruleset_free(rs);
    err_list_fini(&errs);
    globfree(&g);
}

static void et_open(void **state)
{
    load_glob("../shared/rules/et-open/*.rules", 24827, 10023, 1500);
}

static void snort3_community(void **state)
{
    load_glob("../shared/rules/snort3-community/*.rules", 4004, 0, 190);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(info),
        cmocka_unit_test(comments_and_lines),
        cmocka_unit_test(every_error_in_one_pass),
        cmocka_unit_test(strict),
        cmocka_unit_test(duplicates),
        cmocka_unit_test(files),
        cmocka_unit_test(classification),
        cmocka_unit_test(workers),
        cmocka_unit_test(shared_patterns),
        cmocka_unit_test(pcre_flags),
        cmocka_unit_test(pcre_limits),
        cmocka_unit_test(large_list),
        cmocka_unit_test(et_open),
        cmocka_unit_test(snort3_community),
    };

    return cmocka_run_group_tests_name("rules: load", tests, NULL, NULL);
}
