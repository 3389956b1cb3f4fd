/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rule files as lines: continuation, rules over several lines, comments of every kind, marks and line ends that
 * editors leave, includes, variables and other lines that are no rules, disabled rules.
 */
#include "language.h"

#include <sys/stat.h>

#define RULE(options) "alert tcp any any -> any any (" options ")"

static void continuation(void **state)
{
    struct pkt p = {.proto = 6, .payload = "abcd"};
    struct loaded l = load_as_ok("alert tcp any any -> any any (content:\"ab\\\r\ncd\"; \\\n sid:1;)\r\n",
                                 DIALECT_SURICATA, 1);

    assert_true(rule_matches(l.rs, 1, &p));
    unload(&l);
    accepted("\xef\xbb\xbf" RULE("sid:1;") "\r\n\r\n" RULE("sid:2;"), DIALECT_AUTO, 2);
    refused_at("\xef\xbb\xbf" RULE("sidd:1;"), DIALECT_SURICATA, 1, 0, "unknown keyword 'sidd'");
    refused_at(RULE("sid:1;") "\n" RULE("msg:\"a\"; \\\n  sid:2; \\\n  nocasse;"), DIALECT_SURICATA, 4, 3,
               "unknown keyword 'nocasse'");
}

/* Snort 3: a rule ends with its ')', wherever that is; in the others with its line. */
static void rules_over_lines(void **state)
{
    static const char rules[] = "alert tcp any any -> any any\n(\n"
                                "    msg:\"over (many) lines\";\n\n"
                                "    # a comment inside\n"
                                "    content:\"ab\",nocase;\n"
                                "    content:\"c;d\",distance 0;\n"
                                "    sid:1;\n)\n"
                                "alert udp any any -> any any (content:\"x\"; sid:2;)\n";
    struct pkt p = {.proto = 6, .payload = "AB c;d"};
    struct loaded l = load_as_ok(rules, DIALECT_SNORT3, 2);

    assert_true(rule_matches(l.rs, 1, &p));
    assert_int_equal(ruleset_info(l.rs, find_rule(l.rs, 1))->line, 1);
    assert_int_equal(ruleset_info(l.rs, find_rule(l.rs, 2))->line, 10);
    unload(&l);
    accepted(rules, DIALECT_AUTO, 2);
    refused_at("alert tcp any any -> any any (\n  msg:\"a\";\n  bad;\n  sid:1;\n)", DIALECT_SNORT3, 3, 3,
               "unknown keyword 'bad'");
    refused_at("alert tcp any any -> any any (msg:\"a\";\nsid:1;)", DIALECT_SURICATA, 1, 38,
               "does not end in ')'");
    /* a rule that was left open costs no other rule */
    l = load_as("alert tcp any any -> any any (msg:\"open\"; sid:1;\n"
                "alert tcp any any -> any any (sid:2;)\n",
                DIALECT_SNORT3);
    assert_int_equal(l.errs.n, 1);
    assert_int_equal(l.errs.v[0].line, 1);
    assert_int_equal(ruleset_n_rules(l.rs), 1);
    unload(&l);
}

static void snort3_comments(void **state)
{
    static const char rules[] =
        "/* a comment */ alert tcp any any -> any any (sid:1;)\n"
        "/* many\n"
        " * lines\nalert tcp any any -> any any (sid:9;)\n"
        " */\n"
        "alert tcp any any -> any any ( /* inside */ content:\"/*\"; msg:\"*/\"; sid:2;)\n"
        "alert tcp any any -> any any (reference:url,example.org/*; sid:3;)\n"
        "#begin\n"
        "alert tcp any any -> any any (sid:8;)\n"
        "#end of it\n"
        "# alert tcp any any -> any any (sid:7;) /*\n"
        "alert tcp any any -> any any (sid:4;)\n";
    struct pkt p = {.proto = 6, .payload = "a/*b"};
    struct loaded l = load_as_ok(rules, DIALECT_SNORT3, 4);

    assert_true(rule_matches(l.rs, 2, &p));
    assert_int_equal(ruleset_info(l.rs, find_rule(l.rs, 2))->line, 6);
    assert_int_equal(ruleset_info(l.rs, find_rule(l.rs, 4))->line, 12);
    assert_int_equal(ruleset_stats(l.rs)->n_disabled, 1);
    unload(&l);
    accepted(rules, DIALECT_AUTO, 4);
    refused_at("alert tcp any any -> any any (sid:1;)\n /* never closed\nx", DIALECT_SNORT3, 2, 2,
               "the comment that begins here does not end");
    refused_at("alert tcp any any -> any any (sid:1;)\n#begin\nx", DIALECT_SNORT3, 2, 1,
               "the comment that begins here does not end");
    /* where #begin is not known, the rules behind it are not passed over, and that is said */
    refused_at("#begin\nalert tcp any any -> any any (sid:1;)\n#end\n", DIALECT_SURICATA, 1, 1,
               "comment of many lines in Snort 3 only");
}

/* A ';' inside quotes: an error where it ends the option, a character in Snort 3 (RULES.md 2A, 19). */
static void trap19_semicolon_in_quotes(void **state)
{
    struct pkt p = {.proto = 6, .payload = "xa;by"};
    struct loaded l = load_as_ok(RULE("content:\"a;b\"; sid:1;"), DIALECT_SNORT3, 1);

    assert_true(rule_matches(l.rs, 1, &p));
    unload(&l);
    refused_at(RULE("content:\"a;b\"; sid:1;"), DIALECT_SURICATA, 1, 0, "';' inside quotes ends the option");
    refused_at(RULE("content:\"a;b\"; sid:1;"), DIALECT_SNORT2, 1, 0, "';' inside quotes ends the option");
    for (int dialect = DIALECT_SURICATA; dialect <= DIALECT_SNORT2; dialect++) {
        l = load_as_ok(RULE("content:\"a\\;b\"; sid:1;"), (enum rule_dialect)dialect, 1);
        assert_true(rule_matches(l.rs, 1, &p));
        unload(&l);
    }
}

/* --- includes ------------------------------------------------------------------------------------------------------ */

static char dir[64];

static void put(const char *name, const char *text)
{
    char path[128];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void remove_all(const char *const *names, size_t n)
{
    char path[128];

    for (size_t i = 0; i < n; i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        unlink(path);
    }
    snprintf(path, sizeof(path), "%s/sub", dir);
    rmdir(path);
    rmdir(dir);
}

static void make_dir(void)
{
    char path[128];

    snprintf(dir, sizeof(dir), "/tmp/sluice-include-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/sub", dir);
    assert_int_equal(mkdir(path, 0700), 0);
}

static struct loaded load_path(const char *name, enum rule_dialect dialect)
{
    char path[128];
    const char *files[] = {path};
    struct ruleset_source src = {.files = files, .n_files = 1, .n_workers = 1, .dialect = (uint8_t)dialect};
    struct loaded l = {0};

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    err_list_init(&l.errs);
    l.rs = ruleset_build(&src, &l.errs);
    return l;
}

static void includes(void **state)
{
    static const char *const names[] = {"top.rules",  "sub/a.rules",  "sub/b.rules",
                                        "loop.rules", "snort3.rules", "deep.rules"};
    struct loaded l;

    make_dir();
    put("top.rules",
        "include sub/a.rules\n" RULE("sid:1;") "\ninclude gone.rules\ninclude\ninclude 'snort3.rules'\n"
                                               "include /dev/zero\n");
    put("sub/a.rules", RULE("sid:2;") "\ninclude b.rules\n");
    put("sub/b.rules", RULE("http.uri; content:\"x\"; sid:3;") "\n" RULE("bad; sid:4;"));
    put("snort3.rules", RULE("content:\"x\",nocase; sid:5;"));
    l = load_path("top.rules", DIALECT_AUTO);
    assert_non_null(l.rs);
    assert_int_equal(ruleset_n_rules(l.rs), 4);
    assert_int_equal(l.errs.n, 4);
    assert_non_null(strstr(l.errs.v[3].text, "/dev/zero is no ordinary file"));
    assert_non_null(strstr(l.errs.v[0].file, "sub/b.rules"));
    assert_int_equal(l.errs.v[0].line, 2);
    assert_non_null(strstr(l.errs.v[1].text, "gone.rules"));
    assert_int_equal(l.errs.v[1].line, 3);
    assert_non_null(strstr(l.errs.v[1].file, "top.rules"));
    assert_non_null(strstr(l.errs.v[2].text, "include names no file"));
    for (size_t i = 0; i < l.errs.n; i++)
        assert_true(l.errs.v[i].remedy[0] != '\0');
    assert_non_null(strstr(ruleset_info(l.rs, find_rule(l.rs, 3))->file, "sub/b.rules"));
    unload(&l);

    put("loop.rules", RULE("sid:1;") "\ninclude sub/a.rules\n");
    put("sub/a.rules", "include ../loop.rules\n");
    l = load_path("loop.rules", DIALECT_AUTO);
    assert_int_equal(ruleset_n_rules(l.rs), 1);
    assert_int_equal(l.errs.n, 1);
    assert_non_null(strstr(l.errs.v[0].text, "includes itself"));
    assert_int_equal(l.errs.v[0].line, 1);
    unload(&l);
    remove_all(names, sizeof(names) / sizeof(names[0]));
}

static void include_depth(void **state)
{
    char names[20][24];
    const char *v[20];
    struct loaded l;

    make_dir();
    for (int i = 0; i < 20; i++) {
        char text[64];

        snprintf(names[i], sizeof(names[i]), "%d.rules", i);
        snprintf(text, sizeof(text), "include %d.rules\n" RULE("sid:%d;"), i + 1, i + 1);
        put(names[i], text);
        v[i] = names[i];
    }
    l = load_path("0.rules", DIALECT_AUTO);
    assert_int_equal(l.errs.n, 1);
    assert_non_null(strstr(l.errs.v[0].text, "through more than 16 files"));
    assert_int_equal(ruleset_n_rules(l.rs), 17);
    unload(&l);
    remove_all(v, 20);
}

/* --- other lines ---------------------------------------------------------------------------------------------------- */

/* Snort 2's variables hold for the rules behind them; the configuration's go first. */
static void variables(void **state)
{
    static const char rules[] = "ipvar MINE [10.0.0.0/8,!10.1.0.0/16]\n"
                                "portvar WEB 80:90\n"
                                "alert tcp $MINE any -> any $WEB (sid:1;)\n"
                                "ipvar MINE 192.0.2.0/24\n"
                                "alert tcp $MINE any -> any $WEB (sid:2;)\n"
                                "var NESTED $MINE\n"
                                "alert tcp $NESTED any -> any any (sid:3;)\n";
    struct pkt ten = {.proto = 6, .src = "10.2.0.1", .sport = 1, .dport = 85}, doc = ten;
    struct ruleset_var own = {"MINE", "8.8.8.8"};
    struct loaded l = load_as_ok(rules, DIALECT_AUTO, 3);

    doc.src = "192.0.2.7";
    assert_true(rule_matches(l.rs, 1, &ten) && !rule_matches(l.rs, 1, &doc));
    assert_true(rule_matches(l.rs, 2, &doc) && !rule_matches(l.rs, 2, &ten));
    assert_true(rule_matches(l.rs, 3, &doc));
    unload(&l);
    l = load_source(rules, sizeof(rules) - 1,
                    (struct ruleset_source){.dialect = DIALECT_AUTO, .vars = &own, .n_vars = 1});
    doc.src = "8.8.8.8";
    assert_int_equal(l.errs.n, 0);
    assert_true(rule_matches(l.rs, 2, &doc) && !rule_matches(l.rs, 1, &ten));
    unload(&l);
    refused_at("ipvar MINE 10.0.0.0/8\n", DIALECT_SURICATA, 1, 1, "variables in rule files are Snort 2's");
    refused_at("ipvar MINE\n", DIALECT_SNORT2, 1, 1, "needs a name and a value");
    refused_at("alert tcp $HOMENET any -> any any (sid:1;)", DIALECT_SURICATA, 1, 11,
               "unknown variable '$HOMENET'; did you mean $HOME_NET?");
    refused_at("alert tcp $QQQQQQQQ any -> any any (sid:1;)", DIALECT_SURICATA, 1, 11,
               "unknown variable '$QQQQQQQQ'");
}

static void configuration_lines(void **state)
{
    struct loaded l =
        load_as_ok("config classification: mine,My own class,2\n"
                   "config reference: own https://own.example/\n" RULE(
                       "classtype:mine; reference:own,7; "
                       "reference:cve,2014-6271; "
                       "reference:what,x; sid:1;") "\n" RULE("classtype:trojan-activity; sid:2;"),
                   DIALECT_AUTO, 2);
    const struct rule_info *i = ruleset_info(l.rs, find_rule(l.rs, 1));
    char url[256];

    assert_string_equal(i->category, "My own class");
    assert_int_equal(i->priority, 2);
    assert_int_equal(ruleset_info(l.rs, find_rule(l.rs, 2))->priority, 1); /* the built-in table stays */
    assert_string_equal(ruleset_reference_url(l.rs, i->references[0], url, sizeof(url)),
                        "https://own.example/7");
    assert_non_null(strstr(ruleset_reference_url(l.rs, i->references[1], url, sizeof(url)), "CVE-2014-6271"));
    assert_string_equal(ruleset_reference_url(l.rs, i->references[2], url, sizeof(url)), "what,x");
    assert_string_equal(ruleset_reference_url(l.rs, "url,example.org/a", url, sizeof(url)),
                        "https://example.org/a");
    assert_string_equal(ruleset_reference_url(l.rs, "url,http://example.org/a", url, sizeof(url)),
                        "http://example.org/a");
    unload(&l);
    refused_at("config classification: bad\n", DIALECT_SURICATA, 1, 0, "needs a name, a description");
    refused_at("config reference: bad\n", DIALECT_SURICATA, 1, 1, "not a reference type");
    refused_at("preprocessor frag3_global: x\n", DIALECT_SNORT2, 1, 1, "a line of Snort's configuration");
    refused_at("config checksum_mode: all\n", DIALECT_SNORT2, 1, 1, "a line of Snort's configuration");
}

static void reference_file(void **state)
{
    static const char rules[] = RULE("reference:mine,7; sid:1;");
    static const char config[] = "# types\nconfig reference: mine  ftp://x/\nconfig reference: bad\n";
    char path[64], url[64];
    struct loaded l;

    write_file(path, config, sizeof(config) - 1);
    l = load_source(rules, sizeof(rules) - 1, (struct ruleset_source){.reference_file = path});
    unlink(path);
    assert_int_equal(l.errs.n, 1);
    assert_int_equal(l.errs.v[0].line, 3);
    assert_string_equal(ruleset_reference_url(l.rs, "mine,7", url, sizeof(url)), "ftp://x/7");
    assert_string_equal(ruleset_reference_url(l.rs, "cve,7", url, sizeof(url)),
                        "cve,7"); /* the table was replaced */
    unload(&l);
}

static void disabled_rules(void **state)
{
    static const char rules[] =
        "# alert people when this happens\n"
        "# drop by (parentheses alone are no rule)\n"
        "#alert tcp any any -> any any (msg:\"one \\\"a\\\"\"; sid:11; rev:3;)\n"
        "## alert http any any -> any any (msg:\"two\"; \\\n"
        "#    content:\"sid:99\\;\"; sid:12; gid:3;)\n"
        "#alert udp any any -> any any (broken\n"
        "#pass tls any any -> any any (sid:13;)\n" RULE("http.uri; content:\"x\"; sid:1;");
    struct loaded l = load_as_ok(rules, DIALECT_AUTO, 1);
    const struct disabled_rule *d;
    uint32_t n;

    d = ruleset_disabled(l.rs, &n);
    assert_int_equal(n, 4);
    assert_int_equal(ruleset_stats(l.rs)->n_disabled, 4);
    assert_int_equal(d[0].sid, 11);
    assert_int_equal(d[0].rev, 3);
    assert_int_equal(d[0].gid, 1);
    assert_int_equal(d[0].line, 3);
    assert_string_equal(d[0].msg, "one \"a\"");
    assert_string_equal(d[0].file, l.path);
    assert_int_equal(d[1].sid, 12);
    assert_int_equal(d[1].gid, 3);
    assert_string_equal(d[1].msg, "two");
    assert_int_equal(d[2].sid, 0);
    assert_int_equal(d[3].sid, 13);
    unload(&l);
    /* Snort 3: over lines, each behind its '#' */
    l = load_as_ok("#alert tcp any any -> any any (\n#   msg:\"a\";\n#   sid:5;\n#)\n# prose\n"
                   "alert http (content:\"x\",nocase; sid:6;)\n",
                   DIALECT_AUTO, 1);
    d = ruleset_disabled(l.rs, &n);
    assert_int_equal(n, 1);
    assert_int_equal(d[0].sid, 5);
    assert_string_equal(d[0].msg, "a");
    unload(&l);
}

static void requires(void **state)
{
    static const struct {
        const char *value;
        bool met;
    } rows[] = {
        {"version >= 7", true},
        {"version >= 7.0.0 < 8", true},
        {"version >= 8", false},
        {"version > 7.0.10", false},
        {"version >= 6.0.3 < 7 | >= 7.0.3", true},
        {"version < 7 | >= 8.0", false},
        {"version>=7", false}, /* no blank, no kind */
        {"version ~ 7", false},
        {"feature geoip", true},
        {"feature time-travel", false},
        {"keyword bsize", true},
        {"keyword http.uri", true},
        {"keyword dns.opcode", true},
        {"keyword no.such", false},
        {"feature geoip, version >= 7, keyword content", true},
        {"feature geoip, version >= 9", false},
        {"colour blue", false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char rule[256];
        struct loaded l;

        /* what does not exist yet may stand in a rule that says so */
        snprintf(rule, sizeof(rule), "alert tcp any any -> any any (requires:%s; %s sid:1;)\n", rows[i].value,
                 rows[i].met ? "" : "keyword.of.tomorrow; content:bad");
        l = load_as(rule, DIALECT_SURICATA);
        if (l.errs.n != 0 || ruleset_n_rules(l.rs) != rows[i].met ||
            ruleset_stats(l.rs)->n_skipped == rows[i].met)
            fail_msg("requires:%s", rows[i].value);
        assert_int_equal(ruleset_stats(l.rs)->n_rejected, 0);
        unload(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(continuation),    cmocka_unit_test(rules_over_lines),
        cmocka_unit_test(snort3_comments), cmocka_unit_test(trap19_semicolon_in_quotes),
        cmocka_unit_test(includes),        cmocka_unit_test(include_depth),
        cmocka_unit_test(variables),       cmocka_unit_test(configuration_lines),
        cmocka_unit_test(reference_file),  cmocka_unit_test(disabled_rules),
        cmocka_unit_test(requires),
    };

    return cmocka_run_group_tests_name("rules: language: lines", tests, NULL, NULL);
}
