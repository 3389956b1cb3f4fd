/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What stands for a pcre in the prefilter loses no match: whatever PCRE2 matches holds the literal that was taken out of
 * the expression, and is found by the expression that Hyperscan was given. On expressions of our own that are
 * awkward, and on every one of the public rule sets where they are at hand, with random subjects.
 */
#include "tests/rules/harness.h"

#include <glob.h>
#include <hs/hs.h>

#include "rules/pcre_literal.h"
#include "rules/pcre_scan.h"
#include "tests/rules/sampler.h"

static const char *literal_of(const char *text, uint32_t options)
{
    static char shown[PCRE_LITERAL_MAX + 8];
    struct pcre_literal l = pcre_literal(span_str(text), options);

    snprintf(shown, sizeof(shown), "%.*s%s", (int)l.len, (const char *)l.bytes,
             l.len > 0 && l.nocase ? "/i" : "");
    return shown;
}

static void literals(void **state)
{
    static const struct {
        const char *text, *literal;
        uint32_t options;
    } t[] = {
        {"abc", "abc", 0},
        {"ABC", "abc/i", PCRE2_CASELESS},
        {"^abc$", "abc", 0},
        {"a\\.b\\x2fc\\/", "a.b/c/", 0},
        {"abc.def", "abc", 0},
        {"ab.cdef", "cdef", 0},
        {"abc?", "ab", 0},
        {"abc*de", "ab", 0},
        {"abc+de", "abc", 0},
        {"abc{2}", "abc", 0},
        {"abcd{0,3}ef", "abc", 0},
        {"abc{,3}", "", 0}, /* text or quantifier, by PCRE2's version */
        {"abc{x", "abc{x", 0},
        {"abc{1,x}", "abc{1,x}", 0},
        {"abc|def", "", 0},
        {"x(abc|def)yz", "yz", 0},
        {"x(?:abcd)y", "abcd", 0},
        {"x(abcd)?y", "x", 0},
        {"x(abcd)*yy", "yy", 0},
        {"x(abcd)+y", "abcd", 0},
        {"x(abcd){0}yy", "yy", 0},
        {"x(abcd){0,4}yy", "yy", 0},
        {"x(abcd){2}yy", "abcd", 0},
        {"(?P<name>abcd)x", "abcd", 0},
        {"(?<name>abcd)x", "abcd", 0},
        {"(?'name'abcd)x", "abcd", 0},
        {"(?=abcd)xy", "xy", 0},
        {"(?!abcd)xy", "xy", 0},
        {"(?<=abcd)xy", "xy", 0},
        {"(?<!abcd)xy", "xy", 0},
        {"(?>abcd)e", "abcd", 0},
        {"(?|abcd|efgh)ij", "ij", 0},
        {"(?i)AbCd", "abcd/i", 0},
        {"ab(?i:CDE)", "cde/i", 0},
        {"(?x) a b c", "", 0},
        {"a b c", "", PCRE2_EXTENDED},
        {"ab(?#comment)c", "", 0},
        {"(*ACCEPT)abc", "", 0},
        {"a(*ACCEPT)b", "", 0},
        {"(a)(?(1)bcd|efg)hijk", "", 0},
        {"abc(?R)?", "", 0},
        {"(abc)\\1de", "abc", 0},
        {"\\Qabc\\E", "", 0},
        {"[a]bc", "abc", 0},
        {"[.]bc", ".bc", 0},
        {"[ab]cd", "cd", 0},
        {"[^a]cd", "cd", 0},
        {"[]a]cd", "cd", 0},
        {"[\\]]cd", "]cd", 0},
        {"[\\x41]cd", "Acd", 0},
        {"[\\d]cd", "cd", 0},
        {"[[:alpha:]]cd", "cd", 0},
        {"[a-a]cd", "cd", 0},
        {"[a\\]b]cd", "cd", 0},
        {"\\bfoo\\b", "foo", 0},
        {"foo\\dbarx", "barx", 0},
        {"\\x{41}bc", "", 0},
        {"\\0bc", "", 0},
        {"\\R\\nabc", "\nabc", 0},
        {"a\\|b", "a|b", 0},
        {"((((deep))))er", "deep", 0},
        {"(a(b(cde)?)f)gh", "gh", 0},
        {"0123456789012345678901234567890123456789012345678901234567890123456789",
         "0123456789012345678901234567890123456789012345678901234567890123", 0},
    };

    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
        if (strcmp(literal_of(t[i].text, t[i].options), t[i].literal) != 0)
            fail_msg("/%s/ has '%s', not '%s'", t[i].text, literal_of(t[i].text, t[i].options), t[i].literal);
}

/* --- nothing is lost ------------------------------------------------------------------------------------------ */

struct tally {
    unsigned n, sampled, literal, scanned, subjects;
};

static bool holds(const uint8_t *text, uint32_t len, const struct pcre_literal *l)
{
    for (uint32_t i = 0; i + l->len <= len; i++) {
        uint32_t k = 0;

        while (k < l->len && (l->nocase ? (uint8_t)tolower(text[i + k]) : text[i + k]) == l->bytes[k])
            k++;
        if (k == l->len)
            return true;
    }
    return false;
}

static int found(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *arg)
{
    *(bool *)arg = true;
    return 1;
}

struct tried {
    struct span text;
    uint32_t options;
    pcre2_code *code;
    pcre2_match_data *data;
    struct pcre_literal literal;
    hs_database_t *db;
    hs_scratch_t **scratch;
};

/* True when PCRE2 matches; then what stands for the expression must be there, too. */
static bool try_subject(const struct tried *t, const uint8_t *subject, uint32_t len)
{
    bool hit = false;

    if (pcre2_match(t->code, subject, len, 0, 0, t->data, NULL) < 0)
        return false;
    if (t->literal.len > 0 && !holds(subject, len, &t->literal))
        fail_msg("/%.*s/ matches without its literal '%.*s'", (int)t->text.len, (const char *)t->text.p,
                 (int)t->literal.len, (const char *)t->literal.bytes);
    if (t->db != NULL && len > 0) {
        hs_scan(t->db, (const char *)subject, len, 0, *t->scratch, found, &hit);
        if (!hit)
            fail_msg("/%.*s/ (options %x) matches '%.*s' for PCRE2 and not for Hyperscan", (int)t->text.len,
                     (const char *)t->text.p, t->options, (int)len, (const char *)subject);
    }
    return true;
}

/* A sample alone, inside other text, with changed case, and damaged. */
static unsigned try_variants(const struct tried *t, struct sampler *s, unsigned round)
{
    static uint8_t text[3 * SAMPLE_MAX];
    unsigned matches = 0;
    uint32_t before = sample_random(s, 8), n = 0;

    sample(s, t->text.p, t->text.len, t->options & ~PCRE2_ANCHORED);
    matches += try_subject(t, s->out, s->n);
    if (t->options & PCRE2_CASELESS)
        for (uint32_t i = 0; i < s->n; i++)
            if (isalpha(s->out[i]) && sample_random(s, 2))
                s->out[i] ^= 0x20;
    for (uint32_t i = 0; i < before; i++)
        text[n++] = (uint8_t) "\n\r /ab\0\xff"[sample_random(s, 8)];
    memcpy(text + n, s->out, s->n);
    n += s->n;
    text[n++] = (uint8_t) "\n/ z"[round % 4];
    matches += try_subject(t, text, n);
    matches += try_subject(t, text, n - 1);
    if (s->n > 1) {
        text[before + sample_random(s, s->n)] = (uint8_t)sample_random(s, 256);
        matches += try_subject(t, text, n);
    }
    return matches;
}

static void try_expression(struct span text, uint32_t options, hs_scratch_t **scratch, unsigned rounds,
                           struct tally *sum)
{
    /* its compiler takes a few milliseconds for each: all of a public rule set only when asked to */
    bool with_hyperscan = sum->n % 4 == 0 || rounds > 4 || getenv("SLUICE_EVERY_PCRE") != NULL;
    struct tried t = {
        .text = text, .options = options, .literal = pcre_literal(text, options), .scratch = scratch};
    static struct sampler s;
    struct pcre_scan x;
    PCRE2_SIZE at;
    unsigned matches = 0;
    int error;

    t.code = pcre2_compile(text.p, text.len, options | PCRE2_NEVER_UTF, &error, &at, NULL);
    if (t.code == NULL)
        return;
    t.data = pcre2_match_data_create(1, NULL);
    s.seed = 1 + sum->n;
    if (with_hyperscan && pcre_scan(text, options, &x)) {
        hs_compile_error_t *why = NULL;

        assert_int_equal(hs_compile(x.text, x.flags, HS_MODE_BLOCK, NULL, &t.db, &why), HS_SUCCESS);
        assert_int_equal(hs_alloc_scratch(t.db, scratch), HS_SUCCESS);
    }
    for (unsigned i = 0; i < rounds; i++)
        matches += try_variants(&t, &s, i);
    if (matches == 0 && rounds > 4)
        print_message("no subject for /%.*s/\n", (int)text.len, (const char *)text.p);
    sum->n++;
    sum->sampled += matches > 0;
    sum->subjects += matches;
    sum->literal += t.literal.len > 1;
    sum->scanned += t.db != NULL;
    hs_free_database(t.db);
    pcre2_match_data_free(t.data);
    pcre2_code_free(t.code);
}

static void awkward_expressions(void **state)
{
    static const struct {
        const char *text;
        uint32_t options;
    } t[] = {
        {"^foo$", 0},
        {"^foo$", PCRE2_MULTILINE},
        {"foo$", 0},
        {"foo$", PCRE2_DOLLAR_ENDONLY},
        {"foo\\Z", 0},
        {"foo\\z", 0},
        {"a.c", 0},
        {"a.c", PCRE2_DOTALL},
        {"foo.*bar", PCRE2_DOTALL},
        {"bar", PCRE2_ANCHORED},
        {"foo|bar", PCRE2_ANCHORED},
        {"(foo|ba[rz])+\\s*=\\s*\\d{2,5}", PCRE2_CASELESS},
        {"\\s\\S\\d\\D\\w\\W", 0},
        {"\\h\\v", 0},
        {"[\\s]x[\\W]y[^\\d]", 0},
        {"(\\w)(\\w)\\2\\1", 0},
        {"(['\"])x\\1", 0},
        {"a(?=bc)\\w{2}", 0},
        {"a(?!bc)\\w{2}", 0},
        {"(?<=a)bc", 0},
        {"(?<!a)bc", 0},
        {"a++b", 0},
        {"(?>a+)b", 0},
        {"\\bfoo\\B", 0},
        {"\\x00\\xff[\\x80-\\xff]", 0},
        {"(?i)foo(?-i)BAR", 0},
        {"(?s)a.b(?-s).", 0},
        {"(?m)^x$", 0},
        {"a\\x0bb\\fc\\ed\\ae", 0},
        {"[[:alpha:]][[:^digit:]][[:punct:]]", 0},
        {"x{3}y{2,}z{0,2}", 0},
        {"(a|b|)c", 0},
        {"\\N+x", 0},
        {"\\Rx", 0},
        {"\\Ka", 0},
        {"(x)?(?(1)y|z)w", 0},
        {"[^a]b", PCRE2_CASELESS},
        {"[a-z_]{3}", PCRE2_CASELESS},
    };
    hs_scratch_t *scratch = NULL;
    struct tally sum = {0};

    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
        try_expression(span_str(t[i].text), t[i].options, &scratch, 200, &sum);
    hs_free_scratch(scratch);
    assert_int_equal(sum.n, sizeof(t) / sizeof(t[0]));
    assert_true(sum.sampled >= sum.n - 2); /* two look ahead or have conditions: the sampler does not */
}

/* The expression and options of every pcre in a line. */
static void try_line(const char *line, hs_scratch_t **scratch, unsigned rounds, struct tally *sum)
{
    for (const char *p = line; (p = strstr(p, "pcre:")) != NULL; p++) {
        const char *open = strchr(p, '"'), *end, *slash;
        uint32_t options = 0;

        if (open == NULL || open[1] != '/')
            continue;
        for (end = open + 1; *end != '\0' && *end != '"'; end++)
            end += *end == '\\' && end[1] != '\0';
        slash = memrchr(open + 2, '/', (size_t)(end - open - 2));
        if (*end != '"' || slash == NULL)
            continue;
        for (const char *f = slash; f < end; f++)
            options |= *f == 'i'   ? PCRE2_CASELESS
                       : *f == 's' ? PCRE2_DOTALL
                       : *f == 'm' ? PCRE2_MULTILINE
                       : *f == 'x' ? PCRE2_EXTENDED
                                   : 0;
        try_expression(span_of(open + 2, (size_t)(slash - open - 2)), options, scratch, rounds, sum);
    }
}

static void every_public_pcre(void **state)
{
    hs_scratch_t *scratch = NULL;
    struct tally sum = {0};
    char *line = NULL;
    size_t size = 0;
    glob_t g;

    if (glob("../shared/rules/*/*.rules", 0, NULL, &g) != 0)
        skip();
    for (size_t i = 0; i < g.gl_pathc; i++) {
        FILE *f = fopen(g.gl_pathv[i], "r");

        assert_non_null(f);
        while (getline(&line, &size, f) > 0)
            if (line[0] != '#')
                try_line(line, &scratch, 4, &sum);
        fclose(f);
    }
    print_message(
        "%u expressions: %u with a literal, %u that Hyperscan takes; %u subjects matched %u of them\n", sum.n,
        sum.literal, sum.scanned, sum.subjects, sum.sampled);
    assert_true(sum.n > 5000 && sum.sampled > sum.n * 9 / 10 && sum.literal > sum.n / 2);
    free(line);
    globfree(&g);
    hs_free_scratch(scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literals),
        cmocka_unit_test(awkward_expressions),
        cmocka_unit_test(every_public_pcre),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
