/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hostile rules: whoever can write into a rule file can write anything. Each case is read within a second of this
 * process's time and within 64 MB at its highest (its own text included), and ends in an error that says why, or in a
 * rule that matches within bounds, too.
 */
#include "harness.h"

#include <fcntl.h>
#include <time.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOW 24 /* a sanitizer's factor */
#else
#define SLOW 1
#endif
#define SECONDS_MAX 1.0
#define PEAK_MAX_KB (64l << 10)

static const char head[] = "alert tcp any any -> any any (";

static double cpu_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static long status_kb(const char *word)
{
    FILE *f = fopen("/proc/self/status", "re");
    char line[256];
    long kb = -1;

    assert_non_null(f);
    while (kb < 0 && fgets(line, sizeof(line), f) != NULL)
        if (strncmp(line, word, strlen(word)) == 0)
            kb = strtol(line + strlen(word), NULL, 10);
    fclose(f);
    assert_true(kb >= 0);
    return kb;
}

/* From here on the high-water mark is that of what follows; false where the kernel has no such switch. */
static bool forget_peak(void)
{
    int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, "5", 1) == 1;

    if (fd >= 0)
        close(fd);
    return ok;
}

static struct loaded load_within_bounds(const char *text, const char *what)
{
    bool peak_known = forget_peak();
    long before_kb = status_kb("VmRSS:"), peak_kb;
    double began = cpu_seconds(), took;
    struct loaded l = load(text);

    took = cpu_seconds() - began;
    peak_kb = status_kb("VmHWM:") - before_kb;
    if (took > SECONDS_MAX * SLOW)
        fail_msg("%.60s: %.1f s to read", what, took);
    if (peak_known && peak_kb > PEAK_MAX_KB * SLOW)
        fail_msg("%.60s: %ld kB to read", what, peak_kb);
    return l;
}

static char *repeat(const char *before, const char *unit, size_t n, const char *after)
{
    size_t unit_len = strlen(unit), at = strlen(before);
    char *s = malloc(at + n * unit_len + strlen(after) + 1);

    assert_non_null(s);
    memcpy(s, before, at);
    for (size_t i = 0; i < n; i++, at += unit_len)
        memcpy(s + at, unit, unit_len);
    memcpy(s + at, after, strlen(after) + 1);
    return s;
}

/* The one rule is refused, with an error that has `part` in it. */
static void assert_hostile(const char *before, const char *unit, size_t n, const char *after,
                           const char *part)
{
    char *rule = repeat(before, unit, n, after);
    struct loaded l = load_within_bounds(rule, unit);
    bool found = false;

    for (size_t i = 0; i < l.errs.n; i++)
        found |= strstr(l.errs.v[i].text, part) != NULL;
    if (!found)
        fail_msg("no error \"%s\"; the first of %zu is %s", part, l.errs.n,
                 l.errs.n > 0 ? l.errs.v[0].text : "");
    assert_int_equal(ruleset_n_rules(l.rs), 0);
    unload(&l);
    free(rule);
}

static void many_options(void **state)
{
    assert_hostile(head, "content:\"a\";", 2000, " sid:1;)", "more than 255 options that test or search");
    assert_hostile(head, "content:\"a\"; distance:0;", 2000, " sid:1;)", "more than 255 options");
    assert_hostile(head, "pcre:\"/a/\";", 2000, " sid:1;)", "more than 255 options");
    assert_hostile(head, "byte_test:1,>,1,0;", 2000, " sid:1;)", "more than 255 options");
    assert_hostile(head, "flowbits:set,a;", 2000, " sid:1;)", "more than 32 options that set");
    assert_hostile(head, "http.uri; content:\"a\"; to_md5;", 2000, " sid:1;)", "");
    assert_hostile(head, "threshold:type limit,track by_src,count 1,seconds 1;", 2000, " sid:1;)", "already");
    assert_hostile("alert tcp any any -> any any (sid:1; ", "reference:a,b;", 100, ")",
                   "more than 64 references");
    assert_hostile("alert tcp any any -> any any (", ";:\"\\", 50000, "sid:1;)", "");
    assert_hostile(head, "nonsense;", 100000, " sid:1;)", "unknown keyword");
}

/* What is wrong in many places is told up to a bound, which is an error of its own; rules behind it are read. */
static void many_errors(void **state)
{
    char *many = repeat("alert tcp any any -> any any (", "nonsense;", 64, " sid:1;)\n"),
         *one = repeat(many, "alert tcp any any -> any any (nonsense; sid:2;)\n", 1, ""), *rules;
    struct loaded l = load_within_bounds(one, "64 errors");

    assert_int_equal(l.errs.n, 65);
    assert_non_null(strstr(l.errs.v[62].text, "unknown keyword"));
    assert_non_null(strstr(l.errs.v[63].text, "more than 63 errors in one rule"));
    assert_int_equal(l.errs.v[64].line, 2);
    assert_int_equal(ruleset_stats(l.rs)->n_rejected, 2);
    unload(&l);
    free(many);
    free(one);
    assert_hostile("alert tcp [", "x,", 500000, "1.1.1.1] any -> any any (sid:1;)", "'x'");
    assert_hostile("alert tcp any [", "x,", 500000, "1] -> any any (sid:1;)", "'x'");
    assert_hostile(head, "flow:established;", 60000, " sid:1;)", "stands in the rule twice");
    assert_hostile("alert tcp any any -> any any (flow:", "x,", 500000, "x; sid:1;)", "unknown word 'x'");
    assert_hostile("alert tcp any any -> any any (content:\"", "|g|", 300000, "\"; sid:1;)", "hexadecimal");
    /* one in each of many rules */
    rules = repeat("", "alert tcp any any -> any any (nonsense; sid:1;)\n", 50000, "");
    l = load_within_bounds(rules, "50,000 rules");
    assert_int_equal(ruleset_stats(l.rs)->n_rejected, 50000);
    assert_int_equal(l.errs.n, ERR_LIST_MAX);
    assert_int_equal(l.errs.n_dropped, 50000 - ERR_LIST_MAX);
    unload(&l);
    free(rules);
}

static void long_lines(void **state)
{
    assert_hostile("alert tcp any any -> any any (content:\"", "A", 1 << 20, "\"; sid:1;)", "are allowed");
    assert_hostile("alert tcp any any -> any any (content:\"", "A", 10000, "\"; sid:1;)", "too long");
    assert_hostile("alert tcp any any -> any any (content:\"", "A", 1040000, "\"; sid:1;)", "too long");
    assert_hostile("alert tcp any any -> any any (content:\"|", "41 ", 340000, "|\"; sid:1;)", "too long");
    assert_hostile("alert tcp any any -> any any (pcre:\"/", "a", 1040000, "/\"; sid:1;)", "pcre:");
    assert_hostile("alert tcp any any -> any any (flowbits:isset,", "a|", 500000, "a; sid:1;)", "");
    assert_hostile("alert tcp any any -> any any (content:\"a\"; within:", "9", 1040000, "; sid:1;)",
                   "within");
    assert_hostile("alert tcp [", "!", 1040000, "1.1.1.1] any -> any any (sid:1;)", "");
    assert_hostile("alert tcp [", ",", 1040000, "] any -> any any (sid:1;)", "");
    assert_hostile("alert tcp any [1", ",1:65535", 130000, "] -> any any (sid:)", "sid");
    assert_hostile("alert tcp any any -> any any (", " ", 1040000, "x)", "");
    assert_hostile("", "\\\n", 100000, "x", "unknown action");
    assert_hostile("alert tcp any any -> any any (sid:1;", "\\\n", 500000, "x)", "");
    assert_hostile("", "a", 3 << 20, "", "are allowed"); /* no rule at all */
}

static void deep(void **state)
{
    char *open = repeat("alert tcp ", "[", 100, "1.1.1.1"),
         *rule = repeat(open, "]", 100, " any -> any any (sid:1;)");

    assert_refused(rule, 0, "brackets and variables are more than 32 deep");
    free(open);
    free(rule);
    assert_hostile("alert tcp ", "[", 100000, " any -> any any (sid:1;)", "the rule's header has");
    assert_hostile("alert tcp [", "[", 1000, "1.1.1.1] any -> any any (sid:1;)", "");
    assert_hostile("alert tcp ", "(", 100000, " any -> any any (sid:1;)", "the rule's header has");
    assert_hostile(head, "(", 100000, " sid:1;)", "");
    assert_hostile("alert tcp any any -> any any (pcre:\"/", "(", 100000, "/\"; sid:1;)", "pcre:");
    assert_hostile("alert tcp any any -> any any (pcre:\"/", "(", 2000, "/\"; sid:1;)",
                   "parentheses are too deeply nested");
    assert_hostile("alert tcp any any -> any any (pcre:\"/", "(?:a|", 100000, "/\"; sid:1;)", "pcre:");
    assert_hostile("alert tcp any any -> any any (tcp.hdr; pcrexform:\"", "(", 900, "\"; sid:1;)",
                   "pcrexform:");
}

/* Ten variables, each ten times the one before: ten thousand million addresses, were they all written out. */
static void variables(void **state)
{
    char *text = malloc(1 << 16);
    struct ruleset_var vars[12];
    char names[12][16], values[12][200];
    struct loaded l;
    double began;

    assert_non_null(text);
    for (int i = 0; i < 12; i++) {
        size_t n = 0;

        snprintf(names[i], sizeof(names[i]), "V%d", i);
        n += (size_t)sprintf(values[i] + n, "[");
        for (int k = 0; k < 10; k++)
            n += i == 0 ? (size_t)sprintf(values[i] + n, "%s10.%d.%d.1", k > 0 ? "," : "", i, k * 2)
                        : (size_t)sprintf(values[i] + n, "%s$V%d", k > 0 ? "," : "", i - 1);
        sprintf(values[i] + n, "]");
        vars[i] = (struct ruleset_var){names[i], values[i]};
    }
    sprintf(text, "alert tcp $V11 any -> any any (sid:1;)\n");
    began = cpu_seconds();
    l = load_source(text, strlen(text), (struct ruleset_source){.vars = vars, .n_vars = 12});
    assert_true(cpu_seconds() - began < SECONDS_MAX * SLOW);
    assert_int_equal(l.errs.n, 1);
    assert_int_equal(ruleset_n_rules(l.rs), 0);
    unload(&l);
    free(text);
}

/* Expressions that explode: in the compiler, in Hyperscan, or in the matcher. */
static void expressions(void **state)
{
    static const char *const refused[] = {"((a{100}){100}){100}",
                                          "(((((a{1,99}){1,99}){1,99}){1,99}){1,99})"};
    static const char *const taken[] = {
        "^(a+)+$",
        "(a|aa)+$",
        "(a*)*b",
        "(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)x\\1\\2\\3",
        "(a?){40}a{40}b",
        "((a{1,20}){1,20}){1,20}b",
        "(.{0,500}a){100}x",
        "([a-z]{1,200}[0-9]?){50}$x",
        "(?:a.{1,300}){20}b.*c.*d",
        "(?=(a+))a*b\\1",
        "(?>a+)+?(?R)?b",
        "(*NO_JIT)^(a+)+$",
    };
    char payload[1460], rule[400];

    memset(payload, 'a', sizeof(payload));
    payload[sizeof(payload) - 1] = '!';
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        snprintf(rule, sizeof(rule), "alert tcp any any -> any any (pcre:\"/%s/\"; sid:1;)", refused[i]);
        assert_hostile(rule, "", 0, "", "regular expression is too");
    }
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        struct pkt p = {.proto = 6, .payload = payload, .payload_len = sizeof(payload)};
        struct loaded l;
        double began;

        snprintf(rule, sizeof(rule), "alert tcp any any -> any any (pcre:\"/%s/\"; sid:1;)", taken[i]);
        l = load_within_bounds(rule, taken[i]);
        if (ruleset_n_rules(l.rs) == 0)
            fail_msg("%s: %s", taken[i], l.errs.v[0].text);
        began = cpu_seconds();
        rule_matches(l.rs, 1, &p); /* whatever it says: soon */
        if (cpu_seconds() - began > 0.1 * SLOW)
            fail_msg("%s: %.2f s on one packet", taken[i], cpu_seconds() - began);
        unload(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_options), cmocka_unit_test(many_errors), cmocka_unit_test(long_lines),
        cmocka_unit_test(deep),         cmocka_unit_test(variables),   cmocka_unit_test(expressions),
    };

    return cmocka_run_group_tests_name("rules: hostile", tests, NULL, NULL);
}
