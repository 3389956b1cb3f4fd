/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whose language a file is: the guess from its words, and that a wrong guess or a mixed file is an error and never
 * another meaning.
 */
#include "language.h"

#include "rules/dialect.h"

#define T "alert tcp any any -> any any "

static void guesses(void **state)
{
    static const struct {
        const char *text;
        enum rule_dialect is;
    } rows[] = {
        {"", DIALECT_SURICATA},
        {"# only prose\n", DIALECT_SURICATA},
        {T "(content:\"x\"; sid:1;)", DIALECT_SURICATA},
        /* Suricata */
        {T "(http.uri; content:\"x\"; sid:1;)", DIALECT_SURICATA},
        {"#" T "(http.uri; content:\"x\"; sid:1;)", DIALECT_SURICATA},
        {"alert tls any any -> any any (content:\"x\"; sid:1;)", DIALECT_SURICATA},
        {"alert tcp-pkt any any -> any any (content:\"x\"; sid:1;)", DIALECT_SURICATA},
        {"rejectboth tcp any any -> any any (content:\"x\"; sid:1;)", DIALECT_SURICATA},
        {T "(content:\"x\"; http_uri; content:\"y\"; nocase; sid:1;)", DIALECT_SURICATA},
        {T "(uricontent:\"x\"; sid:1;)", DIALECT_SURICATA},
        /* Snort 3 */
        {T "(content:\"x\",nocase; sid:1;)", DIALECT_SNORT3},
        {T "(content:! \"x\" , depth 5; sid:1;)", DIALECT_SNORT3},
        {T "(http_uri; content:\"x\"; sid:1;)", DIALECT_SNORT3},
        {T "(content:\"a,b\"; service:http; sid:1;)", DIALECT_SNORT3},
        {T "(js_data; content:\"x\"; sid:1;)", DIALECT_SNORT3},
        {"alert http (content:\"x\"; sid:1;)", DIALECT_SNORT3},
        {"alert tls (content:\"x\"; sid:1;)", DIALECT_SNORT3},
        {"rewrite tcp any any -> any any (content:\"x\"; sid:1;)", DIALECT_SNORT3},
        {"alert tcp any any -> any any\n(\n content:\"x\"; sid:1;\n)", DIALECT_SNORT3},
        {"alert tcp any any -> any any (msg:\"x\";\n sid:1;)", DIALECT_SNORT3},
        {"/* x */\n" T "(content:\"x\"; sid:1;)", DIALECT_SNORT3},
        {"#begin\n#end\n" T "(content:\"x\"; sid:1;)", DIALECT_SNORT3},
        /* Snort 2 */
        {"ipvar A 10.0.0.0/8\n" T "(content:\"x\"; http_uri; sid:1;)", DIALECT_SNORT2},
        {T "(content:\"x\"; http_uri; fast_pattern:only; sid:1;)", DIALECT_SNORT2},
        {T "(content:\"x\"; metadata:policy a drop, service http; sid:1;)", DIALECT_SNORT2},
        {"sdrop tcp any any -> any any (content:\"x\"; sid:1;)", DIALECT_SNORT2},
        /* the newer words are stronger */
        {T "(content:\"x\"; fast_pattern:only; http_uri; sid:1;)\n" T "(dns.query; content:\"x\"; sid:2;)",
         DIALECT_SURICATA},
        {T "(metadata:service http; content:\"x\",nocase; sid:1;)", DIALECT_SNORT3},
        /* what is joined by a backslash is one line in all of them */
        {T "(msg:\"x\"; \\\n sid:1;)", DIALECT_SURICATA},
        /* words inside quotes and comments are no signs */
        {T "(msg:\"alert http (service:x)\"; content:\"service:http\\;\"; sid:1;)", DIALECT_SURICATA},
        {"# /* service:http; */\n" T "(sid:1;)", DIALECT_SURICATA},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (dialect_detect(span_str(rows[i].text)) != rows[i].is)
            fail_msg("%s\nis read as %s's", rows[i].text,
                     dialect_name(dialect_detect(span_str(rows[i].text))));
}

/* Bytes that are no rules at all end the scan all the same. */
static void garbage(void **state)
{
    static const char *const texts[] = {"alert tcp (",
                                        "alert tcp any any -> any any (content:\"",
                                        "\\",
                                        "(((((",
                                        "alert",
                                        "#",
                                        "alert x (a:\\",
                                        "alert x (a:\"\\",
                                        "alert x (;;;:;:!",
                                        "\"\n\""};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_true(dialect_detect(span_str(texts[i])) < DIALECT_AUTO);
    assert_int_equal(dialect_detect(span_of(NULL, 0)), DIALECT_SURICATA);
}

/* A word of one dialect in a file of another names both, and the way out. */
static void mixed(void **state)
{
    struct loaded l = load_as(T "(http.uri; content:\"x\"; sid:1;)\n" T
                                "(http.host; content:\"x\"; sid:2;)\n" T "(content:\"x\",nocase; sid:3;)\n",
                              DIALECT_AUTO);

    assert_int_equal(l.errs.n, 1);
    assert_int_equal(l.errs.v[0].line, 3);
    assert_non_null(
        strstr(l.errs.v[0].text, "a list with commas is Snort 3's, and this file is read as Suricata's"));
    assert_non_null(strstr(l.errs.v[0].remedy, "rules.dialect"));
    assert_int_equal(ruleset_n_rules(l.rs), 2);
    unload(&l);
    assert_options_refused_as(DIALECT_SNORT3, "http.uri; content:\"x\";",
                              "the buffer 'http.uri' is Suricata's");
    assert_options_refused_as(DIALECT_SNORT2, "http.uri; content:\"x\";",
                              "the buffer 'http.uri' is Suricata's");
    assert_options_refused_as(DIALECT_SURICATA, "js_data; content:\"x\";",
                              "the buffer 'js_data' is Snort 3's");
    assert_options_refused_as(DIALECT_SNORT3, "content:\"x\"; nocase;", "the option 'nocase' is Suricata's");
    assert_options_refused_as(DIALECT_SNORT3, "content:\"x\"; depth:3;", "the option 'depth' is Suricata's");
    assert_options_refused_as(DIALECT_SNORT3, "uricontent:\"x\";", "the option 'uricontent' is Suricata's");
    assert_options_refused_as(DIALECT_SURICATA, "rem:\"x\";", "the option 'rem' is Snort 3's");
    /* the same text, read as the other: an error, not another meaning */
    assert_options_refused_as(DIALECT_SURICATA, "http_uri; content:\"x\";",
                              "http_uri has no content before it");
    assert_options_refused_as(DIALECT_SNORT3, "content:\"x\"; http_uri;",
                              "nothing looks into the buffer http_uri");
    assert_options_refused_as(DIALECT_SNORT3, "content:\"x\"; http_uri; http_header; content:\"y\";",
                              "nothing looks into the buffer http_uri");
}

/* content:"x",... in Snort 3 is content:"x"; ...; in the others. */
static void comma_lists(void **state)
{
    static const struct {
        const char *snort3, *suricata;
        const char *yes, *no;
    } rows[] = {
        {"content:\"ab\",nocase;", "content:\"ab\"; nocase;", "xAB", "xa"},
        {"content:\"ab\", nocase , offset 1;", "content:\"ab\"; nocase; offset:1;", "xAB", "AB"},
        {"content:\"ab\",depth 3;", "content:\"ab\"; depth:3;", "xab", "xxab"},
        {"content:\"ab\",offset 1,depth 3;", "content:\"ab\"; offset:1; depth:3;", "xxab", "xxxab"},
        {"content:\"a\"; content:\"b\",distance 1,within 1;",
         "content:\"a\"; content:\"b\"; distance:1; within:1;", "axb", "axxb"},
        {"content:!\"a\",depth 2;", "content:!\"a\"; depth:2;", "xxa", "xax"},
        {"content:\"a,b\",fast_pattern;", "content:\"a,b\"; fast_pattern;", "a,b", "ab"},
        {"content:\"abcdef\",fast_pattern,fast_pattern_offset 1,fast_pattern_length 3;",
         "content:\"abcdef\"; fast_pattern:1,3;", "abcdef", "bcd"},
        {"content:\"abcdef\",fast_pattern,fast_pattern_offset 4;", "content:\"abcdef\"; fast_pattern:4,2;",
         "abcdef", "ef"},
        {"byte_extract:1,0,n; content:\"a\",offset n;", "byte_extract:1,0,n; content:\"a\"; offset:n;",
         "\x03xxa", "\x03xa"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint32_t yes = (uint32_t)strlen(rows[i].yes), no = (uint32_t)strlen(rows[i].no);

        if (!options_match_as(DIALECT_SNORT3, rows[i].snort3, rows[i].yes, yes) ||
            !options_match_as(DIALECT_SURICATA, rows[i].suricata, rows[i].yes, yes) ||
            options_match_as(DIALECT_SNORT3, rows[i].snort3, rows[i].no, no) ||
            options_match_as(DIALECT_SURICATA, rows[i].suricata, rows[i].no, no))
            fail_msg("%s", rows[i].snort3);
    }
    assert_options_refused_as(DIALECT_SNORT3, "content:\"x\",nocasse;", "unknown word 'nocasse' in its list");
    assert_options_refused_as(DIALECT_SNORT3, "content:\"x\",;", "nothing behind the comma");
    assert_options_refused_as(DIALECT_SNORT3, "content:\"x\",depth;", "depth needs a value");
    assert_options_refused_as(DIALECT_SNORT3, "content:\"x\",nocase 3;", "nocase takes no value");
    assert_options_refused_as(DIALECT_SNORT3, "content:\"x\",depth y z;", "is no");
    assert_options_refused_as(DIALECT_SNORT3, "content:\"xyz\",depth 2;", "depth 2 cannot hold the 3 bytes");
    assert_options_refused_as(DIALECT_SNORT3, "content:\"x\",offset 1,distance 1;", "together with distance");
    assert_options_refused_as(DIALECT_SNORT3, "content:\"x\",nocase,nocase;", "nocase stands twice");
    assert_options_refused_as(DIALECT_SNORT3, "content:\"xy\",fast_pattern,fast_pattern_offset 5;",
                              "is outside");
    assert_options_refused_as(DIALECT_SNORT3, "content:\"xy\",fast_pattern,fast_pattern_length 0;",
                              "is no length of a fast pattern");
    assert_options_refused_as(DIALECT_SNORT3, "msg:\"x\",\"y\";", "text behind the closing quote");
}

/* Each file is read as its own. */
static void per_file(void **state)
{
    static const char suricata[] = "drop tcp any any -> any any (http.uri; content:\"x\"; sid:1;)\n"
                                   "drop tcp any any -> any any (content:\"x\"; sid:2;)\n";
    static const char snort3[] = "drop tcp any any -> any any (content:\"x\",nocase; sid:3;)\n";
    char a[64], b[64];
    const char *files[] = {a, b};
    struct ruleset_source src = {.files = files, .n_files = 2, .n_workers = 1, .dialect = DIALECT_AUTO};
    struct err_list errs;
    struct ruleset *rs;

    write_file(a, suricata, sizeof(suricata) - 1);
    write_file(b, snort3, sizeof(snort3) - 1);
    err_list_init(&errs);
    rs = ruleset_build(&src, &errs);
    unlink(a);
    unlink(b);
    assert_int_equal(errs.n, 0);
    assert_true(ruleset_rule(rs, find_rule(rs, 2))->flags & RULE_DROPS_STREAM);
    assert_false(ruleset_rule(rs, find_rule(rs, 3))->flags & RULE_DROPS_FLOW);
    ruleset_free(rs);
    err_list_fini(&errs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guesses),     cmocka_unit_test(garbage),  cmocka_unit_test(mixed),
        cmocka_unit_test(comma_lists), cmocka_unit_test(per_file),
    };

    return cmocka_run_group_tests_name("rules: dialects", tests, NULL, NULL);
}
