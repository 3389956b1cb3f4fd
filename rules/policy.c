/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Policy lines: made, checked against each other, and asked whether they fit a rule.
 *
 * A selector is a row of the table at the foot of this file: how its values are written, and when one fits a rule.
 * A line keeps its values by selector, so that cheap questions come first and two lines that select the same read
 * the same. Which line has the last word is policy_apply.c's business.
 *
 * The policy owns an arena with lines and strings, and on the heap its arrays and compiled expressions; all of it
 * dies in policy_free(). One control thread.
 */
#include "rules/policy.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>

#include "rules/policy_parts.h"
#include "rules/source.h"

#define ARENA_CHUNK_BYTES (64u << 10)
#define TEXT_MAX          1024 /* of a rule's text that a glob looks at */
#define REGEX_BYTES_MAX   8192
#define REGEX_PARENS_MAX  250
#define REGEX_MATCH_LIMIT 200000 /* steps on one rule's text; beyond it the expression is at fault */

static const struct {
    const char *word;
    enum policy_verb verb;
} verbs[POLICY_VERB_N] = {{"alert", POLICY_ALERT},   {"pass", POLICY_PASS}, {"drop", POLICY_DROP},
                          {"reject", POLICY_REJECT}, {"off", POLICY_OFF},   {"on", POLICY_ON},
                          {"modify", POLICY_MODIFY}};

/* --- the object ------------------------------------------------------------------------------------------- */

struct policy *policy_new(void)
{
    struct policy *p = calloc(1, sizeof(*p));

    if (p == NULL)
        return NULL;
    p->arena = arena_new(ARENA_CHUNK_BYTES);
    p->match = pcre2_match_data_create(1, NULL);
    p->match_ctx = pcre2_match_context_create(NULL);
    if (p->arena == NULL || p->match == NULL || p->match_ctx == NULL) {
        policy_free(p);
        return NULL;
    }
    pcre2_set_match_limit(p->match_ctx, REGEX_MATCH_LIMIT);
    return p;
}

void policy_free(struct policy *p)
{
    if (p == NULL)
        return;
    for (uint32_t i = 0; i < p->n_codes; i++)
        pcre2_code_free(p->codes[i]);
    pcre2_match_data_free(p->match);
    pcre2_match_context_free(p->match_ctx);
    free(p->codes);
    free(p->lines);
    free(p->by_sid);
    free(p->others);
    arena_free(p->arena);
    free(p);
}

uint32_t policy_n_lines(const struct policy *p)
{
    return p->n;
}

const struct policy_report *policy_line_report(const struct policy *p, uint32_t index)
{
    return &p->lines[index]->report;
}

static int no_memory(struct err *e)
{
    return err_set(e, -ENOMEM, "no memory for the policy");
}

/* Room for one more in a heap array of pointers. */
static bool grow(void *array, uint32_t n, uint32_t *cap)
{
    uint32_t bigger = *cap == 0 ? 64 : *cap * 2;
    void **old = *(void ***)array, **v;

    if (n < *cap)
        return true;
    v = realloc(old, bigger * sizeof(*v));
    if (v == NULL)
        return false;
    *(void ***)array = v;
    *cap = bigger;
    return true;
}

struct policy_line *policy_line_add(struct policy *p, enum policy_verb verb, const char *file, uint32_t line,
                                    bool local)
{
    struct policy_line *l = p->n < POLICY_LINES_MAX ? arena_alloc(p->arena, sizeof(*l)) : NULL;

    if (l == NULL || !grow(&p->lines, p->n, &p->cap))
        return NULL;
    if (p->n > 0 && strcmp(p->lines[p->n - 1]->report.file, file) == 0)
        file = p->lines[p->n - 1]->report.file;
    else
        file = arena_strndup(p->arena, file, strlen(file));
    if (file == NULL)
        return NULL;
    l->report = (struct policy_report){
        .file = file, .line = line, .verb = (uint8_t)verb, .reason = "", .selects = ""};
    l->local = local;
    l->index = p->n;
    p->lines[p->n++] = l;
    return l;
}

int policy_line_reason(struct policy *p, struct policy_line *l, struct span reason)
{
    l->report.reason = arena_strndup(p->arena, (const char *)reason.p, reason.len);
    return l->report.reason != NULL ? 0 : -ENOMEM;
}

/* --- how values are written ------------------------------------------------------------------------------- */

static int bad(struct err *e, const char *what, struct span text, const char *remedy)
{
    err_set(e, -EINVAL, "%s: '%.*s'", what, (int)(text.len < 120 ? text.len : 120), (const char *)text.p);
    return err_remedy(e, "%s", remedy), -EINVAL;
}

/* N or N-M */
static bool read_range(struct span text, struct policy_value *v)
{
    struct span lo;
    uint64_t a, b;
    bool two = text_split(&text, '-', &lo);

    if (!text_u64(text_trim(lo), UINT32_MAX, &a))
        return false;
    b = a;
    if (two && !text_u64(text_trim(text), UINT32_MAX, &b))
        return false;
    v->lo = (uint32_t)a;
    v->hi = (uint32_t)b;
    return true;
}

static int read_ids(struct policy *p, struct policy_value *v, struct span text, struct err *e)
{
    static const char remedy[] = "write N, N-M, GID:N, GID:N-M or GID:N:REV";
    struct span rest = text, one, two;
    uint64_t n;

    (void)p;
    if (text_split(&rest, ':', &one)) {
        if (!text_u64(text_trim(one), UINT32_MAX, &n))
            return bad(e, "not a gid", text, remedy);
        v->gid = (int64_t)n;
        if (text_split(&rest, ':', &two)) {
            if (!text_u64(text_trim(rest), UINT32_MAX, &n))
                return bad(e, "not a rev", text, remedy);
            v->rev = (int64_t)n;
        }
        one = two;
    }
    if (!read_range(text_trim(one), v))
        return bad(e, "not a sid", text, remedy);
    if (v->lo == 0 || v->lo > v->hi)
        return bad(e, v->lo == 0 ? "no rule has the sid 0" : "the range of sids is upside down", text,
                   remedy);
    return 0;
}

static int read_numbers(struct policy *p, struct policy_value *v, struct span text, struct err *e)
{
    (void)p;
    if (!read_range(text, v))
        return bad(e, "not a number or a range", text, "write N or N-M");
    if (v->lo > v->hi)
        return bad(e, "the range is upside down", text, "write the smaller number first");
    return 0;
}

static int read_word(struct policy *p, struct policy_value *v, struct span text, struct err *e)
{
    v->text = arena_strndup(p->arena, (const char *)text.p, text.len);
    return v->text != NULL ? 0 : no_memory(e);
}

/* Runs of white space become one blank, and there is none at the ends. out has room for size; false: too long. */
static bool squeeze(struct span s, char *out, size_t size)
{
    size_t n = 0;

    s = text_trim(s);
    for (uint32_t i = 0; i < s.len; i++) {
        bool blank = isspace(s.p[i]);

        if (blank && n > 0 && out[n - 1] == ' ')
            continue;
        if (n + 1 >= size || s.p[i] == '\0')
            return false;
        out[n++] = blank ? ' ' : (char)s.p[i];
    }
    out[n] = '\0';
    return true;
}

static int read_metadata(struct policy *p, struct policy_value *v, struct span text, struct err *e)
{
    char line[TEXT_MAX];

    if (!squeeze(text, line, sizeof(line)))
        return bad(e, "too long for a metadata entry", text, "write \"key value\" or \"key\"");
    if (strchr(line, ',') != NULL)
        return bad(e, "a comma stands between metadata entries, never in one", text,
                   "write a list, one entry each");
    return read_word(p, v, span_str(line), e);
}

int policy_regex_compile(struct policy *p, struct span text, uint32_t options, pcre2_code **out,
                         struct err *e)
{
    pcre2_compile_context *ctx = pcre2_compile_context_create(NULL);
    PCRE2_UCHAR why[160];
    PCRE2_SIZE at = 0;
    int error = 0;

    if (ctx == NULL || !grow(&p->codes, p->n_codes, &p->cap_codes)) {
        pcre2_compile_context_free(ctx);
        return no_memory(e);
    }
    pcre2_set_parens_nest_limit(ctx, REGEX_PARENS_MAX);
    pcre2_set_max_pattern_length(ctx, REGEX_BYTES_MAX);
    *out = pcre2_compile(text.p, text.len, options | PCRE2_NEVER_UTF, &error, &at, ctx);
    pcre2_compile_context_free(ctx);
    if (*out == NULL) {
        pcre2_get_error_message(error, why, sizeof(why));
        err_set(e, -EINVAL, "not a regular expression: %s at its byte %zu: '%.*s'", (const char *)why,
                (size_t)at, (int)(text.len < 120 ? text.len : 120), (const char *)text.p);
        return err_remedy(e, "correct it (pcre2pattern(3))"), -EINVAL;
    }
    p->codes[p->n_codes++] = *out;
    pcre2_jit_compile(*out,
                      PCRE2_JIT_COMPLETE); /* where the machine cannot, the interpreter matches the same */
    return 0;
}

static int read_regex(struct policy *p, struct policy_value *v, struct span text, struct err *e)
{
    int rc = read_word(p, v, text, e);

    return rc == 0 ? policy_regex_compile(p, text, PCRE2_CASELESS, &v->code, e) : rc;
}

static int read_yes(struct policy *p, struct policy_value *v, struct span text, struct err *e)
{
    (void)p, (void)v;
    if (text_eq_nocase(text, "yes") || text_eq_nocase(text, "true") || text_eq_nocase(text, "on"))
        return 0;
    return bad(e, "all can only be yes", text, "write all: yes, or other selectors in its place");
}

/* --- when a value fits ------------------------------------------------------------------------------------ */

int policy_regex_match(struct policy *p, const pcre2_code *code, struct span text)
{
    int rc = pcre2_match(code, text.p, text.len, 0, 0, p->match, p->match_ctx);

    if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
        rc = pcre2_match(code, text.p, text.len, 0, PCRE2_NO_JIT, p->match, p->match_ctx);
    return rc >= 0 ? 1 : rc == PCRE2_ERROR_NOMATCH ? 0 : -1;
}

static bool glob_nocase(const char *pattern, struct span text)
{
    char line[TEXT_MAX];

    return squeeze(text, line, sizeof(line)) && fnmatch(pattern, line, FNM_CASEFOLD | FNM_NOESCAPE) == 0;
}

static int fits_all(struct policy *p, const struct policy_value *v, const struct policy_facts *f)
{
    (void)p, (void)v, (void)f;
    return 1;
}

static int fits_sid(struct policy *p, const struct policy_value *v, const struct policy_facts *f)
{
    (void)p;
    return f->sid >= v->lo && f->sid <= v->hi && (v->gid < 0 || v->gid == f->gid) &&
           (v->rev < 0 || v->rev == f->rev);
}

static int fits_gid(struct policy *p, const struct policy_value *v, const struct policy_facts *f)
{
    (void)p;
    return f->gid >= v->lo && f->gid <= v->hi;
}

static int fits_severity(struct policy *p, const struct policy_value *v, const struct policy_facts *f)
{
    (void)p;
    return f->severity >= v->lo && f->severity <= v->hi;
}

static int fits_classtype(struct policy *p, const struct policy_value *v, const struct policy_facts *f)
{
    (void)p;
    return glob_nocase(v->text, f->classtype);
}

/*
 * The file's name, with or without its last extension; a glob that has a slash is held against the whole path and
 * against what stands behind each slash of it.
 */
static int fits_file(struct policy *p, const struct policy_value *v, const struct policy_facts *f)
{
    char stem[TEXT_MAX];
    const char *base = strrchr(f->file, '/'), *dot, *at = f->file;

    (void)p;
    base = base != NULL ? base + 1 : f->file;
    dot = strrchr(base, '.');
    snprintf(stem, sizeof(stem), "%.*s", (int)(dot != NULL ? dot - f->file : 0), f->file);
    if (strchr(v->text, '/') == NULL)
        at = base;
    while (at != NULL) {
        size_t from = (size_t)(at - f->file);

        if (fnmatch(v->text, at, FNM_NOESCAPE) == 0 ||
            (from < strlen(stem) && fnmatch(v->text, stem + from, FNM_NOESCAPE) == 0))
            return 1;
        at = strchr(at, '/');
        at = at != NULL ? at + 1 : NULL;
    }
    return 0;
}

static int fits_metadata(struct policy *p, const struct policy_value *v, const struct policy_facts *f)
{
    bool key_only = strchr(v->text, ' ') == NULL;

    (void)p;
    for (uint32_t i = 0; i < f->n_metadata; i++) {
        struct span rest = f->metadata[i], entry, key;

        while (rest.len > 0) {
            text_split(&rest, ',', &entry);
            entry = text_trim(entry);
            if (key_only) {
                text_split(&entry, ' ', &key);
                entry = key;
            }
            if (entry.len > 0 && glob_nocase(v->text, entry))
                return 1;
        }
    }
    return 0;
}

static int fits_msg(struct policy *p, const struct policy_value *v, const struct policy_facts *f)
{
    size_t n = strlen(v->text);

    (void)p;
    for (size_t i = 0; i + n <= f->msg.len; i++)
        if (strncasecmp((const char *)f->msg.p + i, v->text, n) == 0)
            return 1;
    return 0;
}

static int fits_msg_regex(struct policy *p, const struct policy_value *v, const struct policy_facts *f)
{
    return f->msg.len > 0 ? policy_regex_match(p, v->code, f->msg) : 0;
}

static int fits_regex(struct policy *p, const struct policy_value *v, const struct policy_facts *f)
{
    return policy_regex_match(p, v->code, f->text);
}

static const struct key_row {
    const char *name;
    int (*read)(struct policy *p, struct policy_value *v, struct span text, struct err *e);
    int (*fits)(struct policy *p, const struct policy_value *v, const struct policy_facts *f);
} keys[POLICY_KEY_N] = {
    [POLICY_ALL] = {"all", read_yes, fits_all},
    [POLICY_SID] = {"sid", read_ids, fits_sid},
    [POLICY_GID] = {"gid", read_numbers, fits_gid},
    [POLICY_SEVERITY] = {"severity", read_numbers, fits_severity},
    [POLICY_CLASSTYPE] = {"classtype", read_word, fits_classtype},
    [POLICY_FILE] = {"file", read_word, fits_file},
    [POLICY_METADATA] = {"metadata", read_metadata, fits_metadata},
    [POLICY_MSG] = {"msg", read_word, fits_msg},
    [POLICY_MSG_REGEX] = {"msg_regex", read_regex, fits_msg_regex},
    [POLICY_REGEX] = {"regex", read_regex, fits_regex},
};

/* --- lines ------------------------------------------------------------------------------------------------ */

bool policy_line_fits(struct policy *p, struct policy_line *l, const struct policy_facts *f)
{
    for (int k = 0; k < POLICY_KEY_N; k++) {
        const struct policy_test *t = &l->tests[k];
        int fits = t->n == 0;

        for (uint32_t i = 0; i < t->n && fits <= 0; i++) {
            fits = keys[k].fits(p, &t->v[i], f);
            l->report.n_limit += fits < 0;
        }
        if (fits <= 0)
            return false;
    }
    return true;
}

int policy_line_select(struct policy *p, struct policy_line *l, enum policy_key key, struct span value,
                       struct err *e)
{
    struct policy_test *t = &l->tests[key];
    struct policy_value v = {.gid = -1, .rev = -1};
    int rc;

    value = text_trim(value);
    if (value.len == 0)
        return bad(e, "an empty value", value, "write a value, or remove the key");
    if (memchr(value.p, '\0', value.len) != NULL)
        return bad(e, "a NUL byte in a value", span_sub(value, 0, 0), "remove it");
    rc = keys[key].read(p, &v, value, e);
    if (rc == 0 && v.text == NULL)
        rc = read_word(p, &v, value, e);
    if (rc < 0)
        return rc;
    if (t->n == t->cap) {
        uint32_t cap = t->cap == 0 ? 2 : t->cap * 2;
        struct policy_value *bigger = arena_alloc(p->arena, cap * sizeof(*bigger));

        if (bigger == NULL)
            return no_memory(e);
        if (t->n > 0)
            memcpy(bigger, t->v, t->n * sizeof(*bigger));
        t->v = bigger;
        t->cap = cap;
    }
    t->v[t->n++] = v;
    return 0;
}

const char *policy_verb_name(enum policy_verb v)
{
    return verbs[v].word;
}

enum policy_verb policy_verb_lookup(struct span word)
{
    for (int i = 0; i < POLICY_VERB_N; i++)
        if (text_eq_nocase(word, verbs[i].word))
            return verbs[i].verb;
    return POLICY_VERB_N;
}

const char *policy_key_name(enum policy_key k)
{
    return keys[k].name;
}

enum policy_key policy_key_lookup(struct span word)
{
    for (int i = 0; i < POLICY_KEY_N; i++)
        if (span_eq_str(word, keys[i].name))
            return (enum policy_key)i;
    return POLICY_KEY_N;
}
