/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcre: regular expressions, pcre:"/expression/flags".
 *
 * Compiled with PCRE2 at load and, where the machine can, to machine code. Matching has a limit on steps and
 * never touches the heap (rules/eval_scratch.c); a match that hits a limit counts as no match, negated or not, and
 * sets hit_pcre_limit. R begins the subject at the cursor, so that ^ means "right behind the last match" and nothing
 * before it can be looked back at. A later relative option makes the search go on from one byte behind the
 * match's start (RULES.md 2A, 2); an expression anchored with A has one place only.
 *
 * Flags: i s m x A E G as in PCRE, R relative, B accepted without effect, O raises the step limit. In Suricata's
 * and Snort 2's rules other letters name an HTTP buffer (rules/buffers.h). Names for captures are read and not logged.
 *
 * The builder owns the compiled codes and hands them to the ruleset, which frees them.
 */
#include "rules/buffers.h"
#include "rules/builder.h"
#include "rules/eval_scratch.h"
#include "rules/keywords.h"
#include "rules/source.h"

#define PCRE_PARENS_MAX 250  /* nested parentheses */
#define PCRE_LENGTH_MAX 8192 /* bytes of an expression */

enum pcre_flag {
    PCRE_JIT = 1 << 0,
    PCRE_RAISED = 1 << 1,
    PCRE_ANCHORED = 1 << 2, /* the letter A */
    PCRE_AHEAD = 1 << 3,    /* may look at bytes behind its match */
};

static const struct {
    char letter;
    uint32_t option;
} option_letters[] = {
    {'i', PCRE2_CASELESS}, {'s', PCRE2_DOTALL},         {'m', PCRE2_MULTILINE}, {'x', PCRE2_EXTENDED},
    {'A', PCRE2_ANCHORED}, {'E', PCRE2_DOLLAR_ENDONLY}, {'G', PCRE2_UNGREEDY},
};

/* A letter that names a buffer, in the dialects that have them (RULES.md 2B, 30). */
static bool parse_buffer_letter(struct draft *d, const uint8_t *at, struct draft_step *s)
{
    enum buffer_id b = buffers_letter((char)*at);

    if (b == BUF_N)
        return draft_fail(d, at, "use flags of i s m x A E G R B O, or the letter of an HTTP buffer",
                          "pcre: unknown flag '%c'", *at >= 0x20 && *at < 0x7f ? *at : '?');
    if (d->dialect == DIALECT_SNORT3)
        return draft_fail(d, at, "name the buffer before the pcre instead",
                          "pcre: the flag %c names a buffer, which Snort 3's rules cannot do", *at);
    return buffers_move_step(d, s, at, b);
}

/* Suricata: what the groups capture gets names for the log, "/(a)(b)/i, flow:x, alert:y". They change no match. */
static bool check_captures(struct draft *d, struct span list)
{
    static const char *const kinds[] = {"flow:", "pkt:", "alert:"};
    struct span one;
    bool more = true;

    while (more) {
        size_t i = 0;

        more = text_split(&list, ',', &one);
        one = text_trim(one);
        while (i < 3 && (one.len <= strlen(kinds[i]) || memcmp(one.p, kinds[i], strlen(kinds[i])) != 0))
            i++;
        if (i == 3)
            return draft_fail(d, one.p, "write flow:NAME, pkt:NAME or alert:NAME for each group",
                              "pcre: '%.*s' names no capture", TEXT_ARG(one));
    }
    return true;
}

static bool parse_letters(struct draft *d, struct span letters, struct draft_step *s, uint32_t *options)
{
    struct span captures = letters;
    bool ok = true;

    if (text_split(&captures, ',', &letters))
        ok = check_captures(d, captures);
    letters = text_trim(letters);
    for (uint32_t i = 0; i < letters.len; i++) {
        uint8_t c = letters.p[i];
        size_t row = 0, n = sizeof(option_letters) / sizeof(option_letters[0]);

        while (row < n && (uint8_t)option_letters[row].letter != c)
            row++;
        if (row < n)
            *options |= option_letters[row].option;
        else if (c == 'R')
            s->step.relative = true;
        else if (c == 'O')
            s->step.flags |= PCRE_RAISED;
        else if (c != 'B')
            ok = parse_buffer_letter(d, letters.p + i, s) && ok;
    }
    if (*options & PCRE2_ANCHORED)
        s->step.flags |= PCRE_ANCHORED;
    return ok;
}

static void jit_compile(struct builder *b, pcre2_code *code, struct draft_step *s)
{
    size_t bytes = 0;

    if (!b->pcre_no_jit && pcre2_jit_compile(code, PCRE2_JIT_COMPLETE) == 0)
        s->step.flags |= PCRE_JIT;
    if (pcre2_pattern_info(code, PCRE2_INFO_SIZE, &bytes) == 0)
        b->pcre_bytes += bytes;
    if (pcre2_pattern_info(code, PCRE2_INFO_JITSIZE, &bytes) == 0) {
        b->pcre_bytes += bytes;
        if (bytes == 0) /* (*NO_JIT) in the expression compiles to nothing */
            s->step.flags &= (uint8_t)~PCRE_JIT;
    }
}

static pcre2_code *compile(struct draft *d, struct span text, uint32_t options)
{
    pcre2_compile_context *ctx = pcre2_compile_context_create(NULL);
    PCRE2_UCHAR why[160];
    pcre2_code *code;
    PCRE2_SIZE at = 0;
    int error = 0;

    if (ctx == NULL) {
        draft_no_memory(d);
        return NULL;
    }
    pcre2_set_parens_nest_limit(ctx, PCRE_PARENS_MAX);
    pcre2_set_max_pattern_length(ctx, PCRE_LENGTH_MAX);
    code = pcre2_compile(text.p, text.len, options | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP, &error, &at, ctx);
    pcre2_compile_context_free(ctx);
    if (code == NULL) {
        pcre2_get_error_message(error, why, sizeof(why));
        draft_fail(d, text.p + (at <= text.len ? at : 0), "correct the expression (pcre2pattern(3))",
                   "pcre: %s", (char *)why);
    }
    return code;
}

/* (?= (?! and their like, and the verbs that stand for them. */
static bool looks_ahead(struct span text)
{
    for (uint32_t i = 0; i + 2 < text.len; i++)
        if (text.p[i] == '(' &&
            (text.p[i + 1] == '*' || (text.p[i + 1] == '?' && strchr("=!(", text.p[i + 2]) != NULL)))
            return true;
    return false;
}

static bool parse_pcre(struct draft *d, const struct option *o)
{
    const uint8_t *last = memrchr(o->value.p, '/', o->value.len);
    struct builder *b = d->b;
    void *codes = b->codes;
    struct draft_step *s;
    struct span text;
    uint32_t options = 0, all = 0;
    pcre2_code *code;

    if (o->value.p[0] != '/' || last == o->value.p)
        return draft_fail(d, o->value.p, o->kw->usage, "pcre: the expression must stand between two slashes");
    s = draft_step_add(d, o->kw, o->name.p);
    if (s == NULL)
        return false;
    s->step.flow = STEP_SEARCH;
    s->fresh = d->buffer_fresh;
    d->buffer_fresh = false;
    s->step.negated = o->negated;
    text = span_of(o->value.p + 1, (size_t)(last - o->value.p - 1));
    if (!parse_letters(d, span_of(last + 1, (size_t)(o->value.p + o->value.len - last - 1)), s, &options))
        return false;
    if (!builder_grow(b, &codes, &b->cap_codes, b->n_codes, sizeof(*b->codes)))
        return false;
    b->codes = codes;
    code = compile(d, text, options);
    if (code == NULL)
        return false;
    b->codes[b->n_codes++] = code;
    s->pcre = text;
    s->pcre_options = options;
    if (looks_ahead(text))
        s->step.flags |= PCRE_AHEAD;
    if (pcre2_pattern_info(code, PCRE2_INFO_ALLOPTIONS, &all) == 0)
        s->at_start = (all & PCRE2_ANCHORED) != 0;
    jit_compile(b, code, s);
    s->step.data = code;
    return true;
}

/* One run over the first len bytes of the subject. */
static int run(const struct step *s, struct eval_scratch *scratch, struct span subject, uint32_t start,
               uint32_t options)
{
    pcre2_match_context *ctx = s->flags & PCRE_RAISED ? scratch->mctx_raised : scratch->mctx;

    if (s->flags & PCRE_JIT)
        return pcre2_jit_match(s->data, subject.p, subject.len, start, options, scratch->match_data, ctx);
    return pcre2_match(s->data, subject.p, subject.len, start, options, scratch->match_data, ctx);
}

/*
 * The last byte that a match at [from, to) of the subject needed: one that looks ahead needed more than it covers if, with
 * nothing behind `fresh`, it is not found.
 */
static uint32_t needed(const struct step *s, struct eval *e, struct span subject, uint32_t start,
                       uint32_t options)
{
    const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(e->scratch->match_data);
    uint32_t base = (uint32_t)(subject.p - eval_buffer(e, s->buffer).p);
    PCRE2_SIZE from = ends[0], to = ends[1];

    if (!(s->flags & PCRE_AHEAD) || base + to > e->fresh_at || base + start > e->fresh_at)
        return base + (uint32_t)to;
    if (run(s, e->scratch, span_sub(subject, 0, e->fresh_at - base), start, options) > 0 && ends[0] == from &&
        ends[1] == to)
        return base + (uint32_t)to;
    return e->fresh_at + 1;
}

/*
 * In the last part of a stream an expression's own beginning (^, \A) is the stream's, which is not there: the search
 * begins behind the part's first byte, where it cannot hold.
 */
static bool match_pcre(const struct step *s, struct eval *e)
{
    struct span b = eval_buffer(e, s->buffer), subject;
    uint32_t base = s->relative ? e->cursor : 0;
    uint32_t start = e->search_from > base ? e->search_from - base : 0, options = 0;
    bool inside = !s->relative && eval_origin(e, s->buffer) > 0;
    const PCRE2_SIZE *ends;
    int rc;

    if (b.p == NULL || base > b.len || start > b.len - base || (start > 0 && (s->flags & PCRE_ANCHORED)))
        return false;
    if (inside && (s->flags & PCRE_ANCHORED))
        return s->negated;
    if (inside && start == 0) {
        start = e->fresh_at > 0 && b.len > 0;
        options = PCRE2_NOTBOL;
    }
    subject = span_of(b.p + base, b.len - base);
    rc = run(s, e->scratch, subject, start, options);
    if (rc == PCRE2_ERROR_NOMATCH)
        return s->negated;
    if (rc < 0) {
        e->hit_pcre_limit = true;
        return false;
    }
    if (s->negated)
        return false;
    ends = pcre2_get_ovector_pointer(e->scratch->match_data);
    e->match_start = base + (uint32_t)ends[0];
    e->cursor = base + (uint32_t)ends[1];
    if (e->fresh_at > 0 && s->sees == SEES_PAYLOAD)
        e->read_end = needed(s, e, subject, start, options);
    return true;
}

const struct keyword kw_pcre = {
    .name = "pcre",
    .usage = "write pcre:\"/expression/flags\"; or pcre:!\"/expression/flags\";",
    .value = VALUE_PLAIN,
    .flags = KEYWORD_NEGATED,
    .parse = parse_pcre,
    .match = match_pcre,
};
