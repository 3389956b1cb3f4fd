/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rule files: every rule of a file and of what it includes, into the builder.
 *
 * A file is read in one dialect, its own: the caller's, or the one its words say (rules/dialect.c). Lines that are
 * no rules are done here: include, Snort 2's variables, classification and reference types. An include's path is
 * relative to the including file; files that include each other are an error, and so are chains deeper than
 * INCLUDE_DEPTH_MAX. An included file that cannot be read is an error of its line; one that the caller named ends the
 * build.
 *
 * Owns nothing beyond a call but the open file. Control thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "rules/admit.h"
#include "rules/builder.h"
#include "rules/dialect.h"
#include "rules/directives.h"
#include "rules/source.h"

#define INCLUDE_DEPTH_MAX 16
#define PATH_LEN_MAX      4096

struct open_file { /* the chain of files that are being read; on the stack */
    const struct open_file *includer;
    const char *path; /* in the arena */
    char *real;       /* heap; NULL when it cannot be told */
    uint32_t depth;
    uint8_t dialect;
};

static int load_file(struct builder *b, const char *path, const struct open_file *includer, struct err *e);

/* --- lines that are no rules --------------------------------------------------------------------------------------- */

static const struct {
    const char *word;
    enum directive is;
    bool snort2;
} words[] = {
    {"include", DIRECTIVE_INCLUDE, false},      {"ipvar", DIRECTIVE_VARIABLE, true},
    {"portvar", DIRECTIVE_VARIABLE, true},      {"var", DIRECTIVE_VARIABLE, true},
    {"preprocessor", DIRECTIVE_FOREIGN, true},  {"dynamicpreprocessor", DIRECTIVE_FOREIGN, true},
    {"dynamicengine", DIRECTIVE_FOREIGN, true}, {"dynamicdetection", DIRECTIVE_FOREIGN, true},
    {"output", DIRECTIVE_FOREIGN, true},        {"ruletype", DIRECTIVE_FOREIGN, true},
};

static struct span first_word(struct span *rest)
{
    uint32_t n = 0;

    *rest = text_trim(*rest);
    while (n < rest->len && !text_is_one_of(rest->p[n], " \t:"))
        n++;
    struct span word = span_sub(*rest, 0, n);
    *rest = text_trim(span_sub(*rest, n, rest->len));
    return word;
}

static enum directive config_line(struct span rest)
{
    struct span word = first_word(&rest);

    if (rest.len == 0 || rest.p[0] != ':') /* Suricata's action, or a Snort option without a value */
        return DIRECTIVE_NONE;
    if (text_eq_nocase(word, "classification"))
        return DIRECTIVE_CLASSIFICATION;
    return text_eq_nocase(word, "reference") ? DIRECTIVE_REFERENCE : DIRECTIVE_FOREIGN;
}

enum directive directive_of(struct span line, struct span *rest)
{
    struct span word;

    *rest = line;
    word = first_word(rest);
    if (span_eq_str(word, "config"))
        return config_line(*rest);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (span_eq_str(word, words[i].word))
            return words[i].is;
    return DIRECTIVE_NONE;
}

bool directive_is_snort2s(struct span word)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (words[i].snort2 && span_eq_str(word, words[i].word))
            return true;
    return false;
}

static void line_error(struct builder *b, const struct rule_text *t, const uint8_t *at, const char *remedy,
                       struct err *e)
{
    int line, column;

    if (remedy != NULL)
        err_remedy(e, "%s", remedy);
    text_place(t, at, &line, &column);
    err_at(e, t->file, line, column);
    builder_error(b, e);
}

static bool define(struct builder *b, const struct open_file *f, const struct rule_text *t, struct span rest)
{
    struct span name = first_word(&rest);
    struct err e;

    if (f->dialect != DIALECT_SNORT2) {
        err_set(&e, -EINVAL, "variables in rule files are Snort 2's, and this file is read as %s's",
                dialect_name(f->dialect));
        line_error(b, t, text_trim(t->text).p,
                   "define them in the configuration (rules.vars), or " DIALECT_REMEDY, &e);
        return true;
    }
    if (name.len == 0 || rest.len == 0) {
        err_set(&e, -EINVAL, "a variable's line needs a name and a value");
        line_error(b, t, text_trim(t->text).p, "write: ipvar NAME VALUE", &e);
        return true;
    }
    return variables_define(b, name, rest);
}

/* A $NAME at the path's beginning, as snort.conf has it in $RULE_PATH/local.rules. False: it does not fit. */
static bool expand_path(const struct builder *b, const struct open_file *f, struct span path,
                        char out[PATH_LEN_MAX])
{
    const char *slash = strrchr(f->path, '/');
    uint32_t n = 1;
    int len;

    if (path.len > 0 && path.p[0] == '$') {
        while (n < path.len && path.p[n] != '/')
            n++;
        const struct ruleset_var *var = variables_lookup(&b->vars, span_sub(path, 1, n - 1));

        if (var != NULL && var->value[0] != '/' && slash != NULL)
            len = snprintf(out, PATH_LEN_MAX, "%.*s/%s%.*s", (int)(slash - f->path), f->path, var->value,
                           (int)(path.len - n), (const char *)path.p + n);
        else
            len = snprintf(out, PATH_LEN_MAX, "%s%.*s", var != NULL ? var->value : "", (int)(path.len - n),
                           (const char *)path.p + n);
    } else if (path.len > 0 && path.p[0] != '/' && slash != NULL) {
        len = snprintf(out, PATH_LEN_MAX, "%.*s/%.*s", (int)(slash - f->path), f->path, (int)path.len,
                       (const char *)path.p);
    } else {
        len = snprintf(out, PATH_LEN_MAX, "%.*s", (int)path.len, (const char *)path.p);
    }
    return len > 0 && len < PATH_LEN_MAX;
}

/* A pipe would hold the load up for ever. What is not there is source_open()'s to report. */
static int check_regular(const char *path, struct err *e)
{
    struct stat st;

    if (stat(path, &st) != 0 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
        return 0;
    return err_set(e, -EINVAL, "%s is no ordinary file", path);
}

static int include(struct builder *b, const struct open_file *f, const struct rule_text *t, struct span rest,
                   struct err *fatal)
{
    char path[PATH_LEN_MAX];
    struct err e = {0};
    int rc;

    if (rest.len >= 2 && (rest.p[0] == '"' || rest.p[0] == '\'') && rest.p[rest.len - 1] == rest.p[0])
        rest = span_sub(rest, 1, rest.len - 2);
    if (rest.len == 0 || !expand_path(b, f, rest, path)) {
        err_set(&e, -EINVAL, rest.len == 0 ? "include names no file" : "the path of the include is too long");
        line_error(b, t, text_trim(t->text).p, "write: include FILE", &e);
        return 0;
    }
    rc = check_regular(path, &e);
    if (rc == 0)
        rc = load_file(b, path, f, &e);
    if (rc == -ENOMEM)
        return err_set(fatal, rc, "no memory for the rules in %s", path);
    if (rc != 0)
        line_error(b, t, rest.p, e.remedy[0] == '\0' ? "correct the path, or remove the line" : NULL, &e);
    return 0;
}

/* A line that is no rule. 0: done; 1: it may be a rule; -errno: the build ends. */
static int run_directive(struct builder *b, const struct open_file *f, const struct rule_text *t,
                         struct err *fatal)
{
    struct span rest;
    struct err e;

    switch (directive_of(t->text, &rest)) {
    case DIRECTIVE_NONE:
        return 1;
    case DIRECTIVE_INCLUDE:
        return include(b, f, t, rest, fatal);
    case DIRECTIVE_VARIABLE:
        return define(b, f, t, rest) ? 0 : -ENOMEM;
    case DIRECTIVE_CLASSIFICATION:
        return classes_line(b, t) ? 0 : -ENOMEM;
    case DIRECTIVE_REFERENCE:
        return references_line(b, t) ? 0 : -ENOMEM;
    case DIRECTIVE_FOREIGN:
        break;
    }
    err_set(&e, -EINVAL, "a line of Snort's configuration, not a rule");
    line_error(b, t, text_trim(t->text).p, "remove it; ips.yaml(5) says how this is configured here", &e);
    return 0;
}

/* --- rules ------------------------------------------------------------------------------------------------------------ */

static void draft_reset(struct draft *d, struct builder *b, const struct rule_text *t, const char *file)
{
    const char **references = d->references;
    int line, column;

    /* steps are cleared one by one as they are added */
    memset(&d->rule, 0, sizeof(d->rule));
    memset((char *)d + offsetof(struct draft, n_steps), 0, sizeof(*d) - offsetof(struct draft, n_steps));
    d->b = b;
    d->text = t;
    d->dialect = t->dialect;
    d->references = references;
    d->max_payload = UINT32_MAX;
    text_place(t, text_trim(t->text).p, &line, &column);
    d->info = (struct rule_info){.gid = 1,
                                 .priority = PRIORITY_DEFAULT,
                                 .msg = "",
                                 .classtype = "",
                                 .category = "",
                                 .metadata = "",
                                 .file = file,
                                 .line = (uint32_t)line};
}

/* A rule that is not loaded, for those who list them; it may hold anything. */
static void note_disabled(struct builder *b, const struct rule_text *t, const char *file, bool struck)
{
    const uint8_t *open = memchr(t->text.p, '(', t->text.len);
    struct span rest = open != NULL ? span_of(open + 1, (size_t)(t->text.p + t->text.len - open - 1))
                                    : span_sub(t->text, t->text.len, 0);
    struct disabled_rule r = {.gid = 1, .file = file, .msg = "", .struck = struck};
    void *v = b->disabled;
    struct option_text o;
    int line, column;
    uint64_t n;
    bool at_end;

    text_place(t, text_trim(t->text).p, &line, &column);
    r.line = (uint32_t)line;
    while (dialect_next_option(&rest, &o, &at_end)) {
        if (span_eq_str(o.name, "msg") && o.value.len >= 2 && o.value.p[0] == '"')
            r.msg = draft_unescape(&b->draft, span_sub(o.value, 1, o.value.len - 2));
        else if (span_eq_str(o.name, "sid") && text_u64(o.value, UINT32_MAX, &n))
            r.sid = (uint32_t)n;
        else if (span_eq_str(o.name, "gid") && text_u64(o.value, UINT32_MAX, &n))
            r.gid = (uint32_t)n;
        else if (span_eq_str(o.name, "rev") && text_u64(o.value, UINT32_MAX, &n))
            r.rev = (uint32_t)n;
    }
    if (r.msg == NULL || !builder_grow(b, &v, &b->cap_disabled, b->n_disabled, sizeof(r))) {
        b->no_memory = true;
        return;
    }
    b->disabled = v;
    b->disabled[b->n_disabled++] = r;
}

static void load_rule(struct builder *b, const struct rule_text *t, const char *file)
{
    struct draft *d = &b->draft;
    struct admission a;

    if (!admit_rule(b, t, file, &a)) {
        if (b->explainer == NULL)
            note_disabled(b, a.text, file, a.policy.struck);
        admit_end(&a);
        return;
    }
    draft_reset(d, b, a.text, file);
    parse_rule(d, a.text);
    if (!d->failed && !d->skipped)
        check_rule(d);
    admit_parsed(b, &a);
    if (d->failed)
        b->n_rejected++;
    else if (d->skipped)
        b->n_skipped++;
    else
        builder_add(b, d);
    admit_end(&a);
}

/* A comment that swallows what follows, or one that the dialect does not know, is not passed over in silence. */
static void check_comments(struct builder *b, const struct open_file *f, const struct source *s,
                           const uint8_t *unclosed)
{
    const uint8_t *at = f->dialect == DIALECT_SNORT3 ? unclosed : source_find_block(s);
    struct err e;
    int line, column;

    if (at == NULL)
        return;
    source_place(s, at, &line, &column);
    if (f->dialect == DIALECT_SNORT3) {
        err_set(&e, -EINVAL, "the comment that begins here does not end");
        err_remedy(&e, "write %s where it ends", *at == '#' ? "a line #end" : "*/");
    } else {
        err_set(&e, -EINVAL,
                "#begin is a comment of many lines in Snort 3 only, and this file is read as %s's",
                dialect_name(f->dialect));
        err_remedy(&e, "put '#' before each line, or " DIALECT_REMEDY);
    }
    err_at(&e, f->path, line, column);
    builder_error(b, &e);
}

static int load_lines(struct builder *b, struct open_file *f, struct source *s, struct err *e)
{
    const uint8_t *unclosed = NULL;
    struct rule_text t;
    int rc = 0;

    f->dialect = b->src->dialect;
    if (f->dialect == DIALECT_AUTO)
        f->dialect = (uint8_t)dialect_detect(span_of(s->bytes + s->at, s->len - s->at));
    s->give_disabled = true;
    s->dialect = f->dialect;
    if (f->dialect == DIALECT_SNORT3)
        unclosed = source_set_snort3(s);
    check_comments(b, f, s, unclosed);
    while (!b->no_memory && (rc = source_next(s, &t)) == 1) {
        rc = run_directive(b, f, &t, e);
        if (rc < 0)
            return rc;
        if (rc == 1)
            load_rule(b, &t, f->path);
    }
    return b->no_memory || rc != 0 ? -ENOMEM : 0;
}

static int check_chain(const struct open_file *f, struct err *e)
{
    if (f->depth > INCLUDE_DEPTH_MAX) {
        err_set(e, -ELOOP, "%s is included through more than %d files", f->path, INCLUDE_DEPTH_MAX);
        return err_remedy(e, "name the files in the configuration instead"), -ELOOP;
    }
    for (const struct open_file *i = f->includer; i != NULL; i = i->includer)
        if (f->real != NULL && i->real != NULL && strcmp(f->real, i->real) == 0) {
            err_set(e, -ELOOP, "%s includes itself", f->path);
            return err_remedy(e, "remove this line"), -ELOOP;
        }
    return 0;
}

static int load_file(struct builder *b, const char *path, const struct open_file *includer, struct err *e)
{
    struct open_file f = {.includer = includer, .depth = includer != NULL ? includer->depth + 1 : 0};
    struct source s = {0};
    int rc;

    f.path = arena_strndup(b->arena, path, strlen(path));
    if (f.path == NULL)
        return err_set(e, -ENOMEM, "no memory to read %s", path);
    f.real = realpath(path, NULL);
    rc = check_chain(&f, e);
    if (rc == 0)
        rc = source_open(&s, f.path, e);
    if (rc == 0) {
        rc = load_lines(b, &f, &s, e);
        source_close(&s);
        if (rc == -ENOMEM)
            err_set(e, rc, "no memory for the rules in %s", path);
    }
    free(f.real);
    return rc;
}

int files_load(struct builder *b, const char *path, struct err *e)
{
    return load_file(b, path, NULL, e);
}
