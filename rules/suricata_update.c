/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * suricata-update's files, read as its documentation and its own reader have them.
 *
 * A line of disable.conf, enable.conf and drop.conf says which rules it is about:
 *
 *     *    SID    GID:SID[:REV]    SID,SID,...    re:EXPRESSION    group:NAME    NAME.rules    filename:GLOB
 *     metadata: KEY VALUE
 *
 * and in modify.conf `RULES "from" "to"`, Oinkmaster's `modifysid RULES "from" | "to"`, and
 * `metadata-add RULES KEY VALUE`. Comments are lines that begin with '#', and what follows " #". Lines of
 * modify.conf are cut into words as a POSIX shell does it. Expressions of re: take letters of either case, those of
 * "from" do not.
 *
 * Where suricata-update warns and goes on, this is an error: a line that was meant to stop something must not be
 * lost in a log. One control thread; the file is read whole and freed.
 */
#include "rules/suricata_update.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "rules/source.h"

#define LINE_MAX_BYTES 65536
#define WORDS_MAX      6

static const char matcher_remedy[] =
    "write a sid, GID:SID, re:expression, group:file, filename:glob, metadata: key value, or *";

/* --- which rules ------------------------------------------------------------------------------------------ */

static bool starts(struct span s, const char *word, struct span *rest)
{
    uint32_t n = (uint32_t)strlen(word);

    if (s.len < n || memcmp(s.p, word, n) != 0)
        return false;
    *rest = text_trim(span_sub(s, n, s.len));
    return true;
}

/* One of N, G:N, G:N:R, and nothing else. */
static bool is_id(struct span s)
{
    struct span part;
    uint32_t n = 0;
    uint64_t v;
    bool more;

    do {
        more = text_split(&s, ':', &part);
        if (!text_u64(text_trim(part), UINT32_MAX, &v))
            return false;
    } while (++n < 4 && more);
    return n <= 3;
}

static bool are_ids(struct span s)
{
    struct span one;
    bool more;

    do {
        more = text_split(&s, ',', &one);
        if (!is_id(text_trim(one)))
            return false;
    } while (more);
    return true;
}

static int select_ids(struct policy *p, struct policy_line *l, struct span s, struct err *e)
{
    struct span one;
    char id[64];
    bool more;
    int rc;

    do {
        more = text_split(&s, ',', &one);
        one = text_trim(one);
        /* without a gid, 1 is meant */
        snprintf(id, sizeof(id), "%s%.*s", memchr(one.p, ':', one.len) == NULL ? "1:" : "",
                 (int)(one.len < 50 ? one.len : 50), (const char *)one.p);
        rc = policy_line_select(p, l, POLICY_SID, span_str(id), e);
    } while (rc == 0 && more);
    return rc;
}

static int select_rules(struct policy *p, struct policy_line *l, struct span s, struct err *e)
{
    struct span rest;

    s = text_trim(s);
    if (span_eq_str(s, "*"))
        return policy_line_select(p, l, POLICY_ALL, span_str("yes"), e);
    if (are_ids(s))
        return select_ids(p, l, s, e);
    if (starts(s, "re:", &rest))
        return policy_line_select(p, l, POLICY_REGEX, rest, e);
    if (starts(s, "filename:", &rest) || starts(s, "group:", &rest))
        return policy_line_select(p, l, POLICY_FILE, rest, e);
    if (s.len > 6 && memcmp(s.p + s.len - 6, ".rules", 6) == 0)
        return policy_line_select(p, l, POLICY_FILE, s, e);
    if (starts(s, "metadata:", &rest) && memchr(rest.p, ' ', rest.len) != NULL)
        return policy_line_select(p, l, POLICY_METADATA, rest, e);
    err_set(e, -EINVAL, "'%.*s' does not say which rules it is about", (int)(s.len < 120 ? s.len : 120),
            (const char *)s.p);
    return err_remedy(e, "%s", matcher_remedy), -EINVAL;
}

/* --- words ------------------------------------------------------------------------------------------------ */

struct words {
    char buf[LINE_MAX_BYTES + WORDS_MAX + 1]; /* the words, without their quotes, each with a NUL behind it */
    const char *v[WORDS_MAX];
    uint32_t n; /* may be more than have room */
};

/* One word of s from *i on, put at `out`; the byte behind it, or NULL when a quote is not closed. */
static char *take_word(struct span s, uint32_t *i, char *out)
{
    char quote = 0;

    for (; *i < s.len && (quote != 0 || !isspace(s.p[*i])); ++*i) {
        char c = (char)s.p[*i];

        if (quote == 0 && (c == '"' || c == '\'')) {
            quote = c;
        } else if (c == quote) {
            quote = 0;
        } else if (c == '\\' && quote != '\'' && *i + 1 < s.len) {
            char next = (char)s.p[++*i];

            if (quote == '"' && next != '"' && next != '\\')
                *out++ = c;
            *out++ = next;
        } else {
            *out++ = c;
        }
    }
    return quote == 0 ? out : NULL;
}

static int split_words(struct span s, struct words *w, struct err *e)
{
    char *out = w->buf;
    uint32_t i = 0;

    for (w->n = 0;; w->n++) {
        char *word = out;

        while (i < s.len && isspace(s.p[i]))
            i++;
        if (i >= s.len || w->n == WORDS_MAX)
            return 0;
        out = take_word(s, &i, out);
        if (out == NULL) {
            err_set(e, -EINVAL, "a quote is not closed");
            return err_remedy(e, "close it, or write \\\" for a quote inside quotes"), -EINVAL;
        }
        *out++ = '\0';
        w->v[w->n] = word;
    }
}

static int take_metadata_add(struct policy *p, struct policy_line *l, const struct words *w, struct err *e)
{
    char *to = NULL;
    int rc;

    if (w->n != 4) {
        err_set(e, -EINVAL, "metadata-add has %u words behind it", w->n - 1);
        return err_remedy(e, "write: metadata-add RULES KEY VALUE"), -EINVAL;
    }
    rc = select_rules(p, l, span_str(w->v[1]), e);
    if (rc < 0)
        return rc;
    if (asprintf(&to, "; metadata:%s %s;)", w->v[2], w->v[3]) < 0)
        return err_set(e, -ENOMEM, "no memory for the policy");
    rc = policy_line_modify(p, l, span_str(";\\s*\\)$"), span_str(to), e);
    free(to);
    return rc;
}

static int take_words(struct policy *p, struct policy_line *l, const struct words *w, struct err *e)
{
    uint32_t rules = 0, to = 2;
    int rc;

    if (w->n > 0 && strcmp(w->v[0], "metadata-add") == 0)
        return take_metadata_add(p, l, w, e);
    if (w->n == 5 && strcmp(w->v[0], "modifysid") == 0 && strcmp(w->v[3], "|") == 0) {
        rules = 1;
        to = 4;
    } else if (w->n != 3) {
        err_set(e, -EINVAL, "the line has %s%u words", w->n == WORDS_MAX ? "at least " : "", w->n);
        return err_remedy(e, "write: RULES \"from\" \"to\", with quotes around what has blanks"), -EINVAL;
    }
    rc = select_rules(p, l, span_str(w->v[rules]), e);
    return rc == 0 ? policy_line_modify(p, l, span_str(w->v[rules + 1]), span_str(w->v[to]), e) : rc;
}

static int take_modify(struct policy *p, struct policy_line *l, struct span s, struct err *e)
{
    struct words *w = calloc(1, sizeof(*w));
    int rc;

    if (w == NULL)
        return err_set(e, -ENOMEM, "no memory for the policy");
    rc = split_words(s, w, e);
    if (rc == 0)
        rc = take_words(p, l, w, e);
    free(w);
    return rc;
}

/* --- the file --------------------------------------------------------------------------------------------- */

/*
 * "\$" is "$", as suricata-update has it for files that PulledPork read before; but not before a name, where
 * "$" could never match: there a variable's dollar is meant. Changes the text in place.
 */
static struct span unescape_dollars(struct span s)
{
    uint8_t *out = (uint8_t *)s.p;
    uint32_t n = 0;

    for (uint32_t i = 0; i < s.len; i++) {
        bool name = i + 2 < s.len && (isalpha(s.p[i + 2]) || s.p[i + 2] == '_');

        if (s.p[i] == '\\' && i + 1 < s.len && s.p[i + 1] == '$' && !name)
            i++;
        out[n++] = s.p[i];
    }
    return span_of(out, n);
}

static int take_line(struct policy *p, enum policy_verb verb, const char *path, uint32_t number,
                     struct span s, struct err *e)
{
    const uint8_t *comment;
    struct policy_line *l;
    int rc;

    s = text_trim(s);
    if (s.len == 0 || s.p[0] == '#')
        return 0;
    comment = memmem(s.p, s.len, " #", 2);
    s = text_trim(span_sub(s, 0, comment != NULL ? (uint32_t)(comment - s.p) : s.len));
    if (s.len > LINE_MAX_BYTES || memchr(s.p, '\0', s.len) != NULL) {
        err_set(e, -EINVAL,
                s.len > LINE_MAX_BYTES ? "the line is longer than 64 KB" : "a NUL byte in the line");
        return err_remedy(e, "split it, or remove what does not belong there"), -EINVAL;
    }
    l = policy_line_add(p, verb, path, number, false);
    if (l == NULL)
        return err_set(e, -ENOMEM, "no memory for more than %u policy lines", policy_n_lines(p));
    rc = verb == POLICY_MODIFY ? take_modify(p, l, unescape_dollars(s), e) : select_rules(p, l, s, e);
    return rc == 0 ? policy_line_finish(p, l, e) : rc;
}

int suricata_update_read(struct policy *p, enum policy_verb verb, const char *path, struct err_list *errs)
{
    struct err e = {.code = 0};
    struct source s;
    struct span rest, line;
    int bad = 0;

    if (source_open(&s, path, &e) != 0) {
        err_list_add(errs, &e);
        return e.code;
    }
    rest = span_of(s.bytes, s.len);
    for (uint32_t number = 1; rest.len > 0; number++) {
        int rc;

        text_split(&rest, '\n', &line);
        rc = take_line(p, verb, path, number, line, &e);
        if (rc == 0)
            continue;
        err_at(&e, path, (int)number, 0);
        err_list_add(errs, &e);
        bad = rc;
        if (rc == -ENOMEM)
            break;
    }
    source_close(&s);
    return bad;
}
