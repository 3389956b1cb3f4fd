/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which dialect a rule file is written in.
 *
 * Suricata, Snort 3 and Snort 2 share most words and give some of them different meanings, so a file is read in
 * one dialect from its first rule to its last. When the configuration does not name it, the file's own words
 * decide: a table row that exists in one dialect only is a sign of it (a keyword, a buffer's name, an action, a
 * protocol), and so are forms: a comma behind a content's quote, a rule without addresses, a rule that goes on in the
 * next line without a backslash, a buffer named before any content where other dialects would name it behind
 * (Snort 3); variable definitions, `metadata: service` and `fast_pattern:only` without anything newer (Snort 2). Disabled
 * rules count as well. A file without any sign is Suricata's; what is left then means the same everywhere, but for
 * the scope of a drop and the ends of ranges (ips.yaml(5)).
 *
 * A wrong guess cannot pass unnoticed: a rule with a word or form of another dialect is an error (rules/parse.c).
 * So the scan may stop when the signs are many and agree. Control thread; reads only.
 */
#include "rules/dialect.h"

#include <ctype.h>

#include "rules/buffers.h"
#include "rules/directives.h"
#include "rules/keywords.h"
#include "rules/kw/later.h"
#include "rules/names.h"
#include "rules/source.h"

#define SIGNS_ENOUGH 64 /* of one dialect, and none of another */

struct signs {
    uint32_t n[3];                           /* by enum rule_dialect */
    bool has_content;                        /* the rule in hand has one */
    enum { CLOSED, OPEN, OPEN_JOINED } open; /* the line before left a rule open; ended in a backslash */
};

const char *dialect_name(uint8_t dialect)
{
    static const char *const words[] = {"Suricata", "Snort 3", "Snort 2"};

    return words[dialect];
}

bool rule_dialect_read(const char *word, uint8_t *dialect)
{
    static const char *const words[] = {[DIALECT_SURICATA] = "suricata",
                                        [DIALECT_SNORT3] = "snort3",
                                        [DIALECT_SNORT2] = "snort2",
                                        [DIALECT_AUTO] = "auto"};

    for (*dialect = DIALECT_SURICATA; *dialect <= DIALECT_AUTO; ++*dialect)
        if (strcmp(word, words[*dialect]) == 0)
            return true;
    return false;
}

static void sign_of(struct signs *s, uint8_t in)
{
    for (unsigned i = 0; i < 3; i++)
        if (in == 1u << i)
            s->n[i]++;
}

/* --- options without a dialect --------------------------------------------------------------------------------- */

static uint32_t skip_blanks(struct span s, uint32_t i)
{
    while (i < s.len && isspace(s.p[i]))
        i++;
    return i;
}

/* Behind the quoted text that begins at s.p[i]; s.len when its quote is not closed. */
static uint32_t skip_quoted(struct span s, uint32_t i)
{
    for (i++; i < s.len && s.p[i] != '"'; i++)
        if (s.p[i] == '\\')
            i++;
    return i < s.len ? i + 1 : s.len;
}

bool dialect_next_option(struct span *rest, struct option_text *o, bool *at_end)
{
    struct span s = *rest;
    uint32_t from, i = 0;

    *at_end = false;
    while (i < s.len && (isspace(s.p[i]) || s.p[i] == ';'))
        i++;
    if (i == s.len || s.p[i] == ')') {
        *at_end = i < s.len;
        *rest = span_sub(s, s.len, 0);
        return false;
    }
    for (from = i; i < s.len && s.p[i] != ':' && s.p[i] != ';' && s.p[i] != ')'; i++)
        ;
    *o = (struct option_text){.name = text_trim(span_sub(s, from, i - from))};
    if (i < s.len && s.p[i] == ':') {
        from = i = skip_blanks(s, i + 1);
        while (i < s.len && (s.p[i] == '!' || isspace(s.p[i])))
            i++;
        if (i < s.len && s.p[i] == '"')
            i = skip_quoted(s, i);
        for (; i < s.len && s.p[i] != ';'; i++)
            if (s.p[i] == '\\')
                i++;
        if (i > s.len)
            i = s.len;
        o->value = text_trim(span_sub(s, from, i - from));
    }
    *rest = span_sub(s, i, s.len);
    return true;
}

/* --- signs ------------------------------------------------------------------------------------------------------- */

static bool has_words(struct span s, const char *words)
{
    return s.len > 0 && memmem(s.p, s.len, words, strlen(words)) != NULL;
}

/* content:"x",nocase: a comma stands behind the closing quote. */
static bool has_comma_list(struct span value)
{
    uint32_t i = 0;

    while (i < value.len && (value.p[i] == '!' || isspace(value.p[i])))
        i++;
    if (i == value.len || value.p[i] != '"')
        return false;
    i = skip_blanks(value, skip_quoted(value, i));
    return i < value.len && value.p[i] == ',';
}

static void look_at_buffer(struct signs *s, const struct buffer_name *b)
{
    if (b->uses == USE_SURICATA)
        sign_of(s, IN_SURICATA);
    else if (b->uses == USE_SNORT3 || ((b->uses & USE_MODIFIER) && (b->uses & USE_SNORT3) && !s->has_content))
        sign_of(s, IN_SNORT3);
}

static void look_at_option(struct signs *s, const struct option_text *o)
{
    const struct buffer_name *b;
    const struct keyword *kw;
    uint32_t index;

    if (span_eq_str(o->name, "content")) {
        if (has_comma_list(o->value))
            sign_of(s, IN_SNORT3);
        s->has_content = true;
    } else if (span_eq_str(o->name, "metadata")) {
        if (has_words(o->value, "service ")) /* ET's metadata has no such key */
            sign_of(s, IN_SNORT2);
    } else if (span_eq_str(o->name, "fast_pattern")) {
        if (span_eq_str(o->value, "only"))
            sign_of(s, IN_SNORT2);
    } else if ((kw = keyword_lookup(o->name, &index)) != NULL) {
        sign_of(s, kw->dialects);
    } else if ((b = buffers_lookup(o->name)) != NULL) {
        look_at_buffer(s, b);
    } else if ((kw = later_lookup(o->name)) != NULL) {
        sign_of(s, kw->dialects);
    }
}

static void look_at_options(struct signs *s, struct span rest, bool backslash)
{
    struct option_text o;
    bool at_end = false;

    while (dialect_next_option(&rest, &o, &at_end))
        look_at_option(s, &o);
    s->open = at_end ? CLOSED : backslash ? OPEN_JOINED : OPEN;
}

static struct span first_word(struct span *rest)
{
    uint32_t from = skip_blanks(*rest, 0), i = from;
    struct span word;

    while (i < rest->len && !isspace(rest->p[i]) && rest->p[i] != '(')
        i++;
    word = span_sub(*rest, from, i - from);
    *rest = text_trim(span_sub(*rest, i, rest->len));
    return word;
}

static void look_at_rule(struct signs *s, const struct header_word *action, struct span rest, bool backslash)
{
    struct span word = first_word(&rest);
    const struct header_word *proto = names_proto(word);
    const uint8_t *paren = rest.len > 0 ? memchr(rest.p, '(', rest.len) : NULL;
    struct service_word service;

    sign_of(s, action->dialects);
    if (rest.len > 0 && rest.p[0] == '(')
        sign_of(s, IN_SNORT3);
    else if (proto != NULL)
        sign_of(s, proto->dialects);
    else if (service_header_word(word, DIALECT_SURICATA, &service))
        sign_of(s, IN_SURICATA);
    s->has_content = false;
    s->open = backslash ? OPEN_JOINED : OPEN;
    if (paren != NULL)
        look_at_options(s, span_of(paren + 1, (size_t)(rest.p + rest.len - paren - 1)), backslash);
}

static void look_at_line(struct signs *s, struct span line)
{
    const struct header_word *action;
    struct span rest, word;
    bool backslash, comment;

    line = text_trim(line);
    comment = line.len > 0 && line.p[0] == '#';
    if (comment && line.len >= 6 && memcmp(line.p, "#begin", 6) == 0)
        sign_of(s, IN_SNORT3);
    while (line.len > 0 && line.p[0] == '#')
        line = text_trim(span_sub(line, 1, line.len));
    backslash = line.len > 0 && line.p[line.len - 1] == '\\';
    line.len -= backslash;
    rest = line;
    word = first_word(&rest);
    action = names_action(word);
    if (action != NULL && (s->open != OPEN_JOINED || !comment) &&
        (!comment || memchr(line.p, '(', line.len) != NULL || backslash)) {
        look_at_rule(s, action, rest, backslash);
    } else if (s->open != CLOSED && line.len > 0) {
        if (s->open == OPEN && !comment)
            sign_of(s, IN_SNORT3);
        look_at_options(s, line.p[0] == '(' ? span_sub(line, 1, line.len) : line, backslash);
    } else if (!comment && line.len >= 2 && memcmp(line.p, "/*", 2) == 0) {
        sign_of(s, IN_SNORT3);
    } else if (!comment && directive_is_snort2s(word)) {
        sign_of(s, IN_SNORT2);
    }
}

enum rule_dialect dialect_detect(struct span bytes)
{
    struct signs s = {0};
    uint32_t at = bytes.len >= 3 && memcmp(bytes.p, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

    while (at < bytes.len) {
        const uint8_t *p = bytes.p + at, *nl = memchr(p, '\n', bytes.len - at);
        uint32_t n = nl != NULL ? (uint32_t)(nl - p) : bytes.len - at;

        look_at_line(&s, span_of(p, n));
        at += n + 1;
        if ((s.n[DIALECT_SURICATA] >= SIGNS_ENOUGH && s.n[DIALECT_SNORT3] == 0) ||
            (s.n[DIALECT_SNORT3] >= SIGNS_ENOUGH && s.n[DIALECT_SURICATA] == 0))
            break;
    }
    if (s.n[DIALECT_SURICATA] == 0 && s.n[DIALECT_SNORT3] == 0)
        return s.n[DIALECT_SNORT2] > 0 ? DIALECT_SNORT2 : DIALECT_SURICATA;
    return s.n[DIALECT_SNORT3] > s.n[DIALECT_SURICATA] ? DIALECT_SNORT3 : DIALECT_SURICATA;
}
