/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keywords about how long a buffer is: isdataat, bsize, bufferlen, urilen.
 *
 *     isdataat:[!]N [,relative] [,rawbytes];   N may be a variable
 *     bsize:N; <N, >N, <=N, >=N, !N, a<>b      the buffer in force (Suricata)
 *     bufferlen:the same and a<=>b             the same (Snort 3); `relative` counts from the cursor
 *     urilen:the same [,norm|raw]              the request's URI
 *
 * isdataat holds when byte N is there: N < length without relative; with it cursor + N < length in Snort's rules and
 * <= length in Suricata's (RULES.md 2A, 9), so that "the buffer ends here" is !1,relative in one and !0,relative in
 * the other. Right behind a content that means endswith and becomes it, which finds the one possible place at once.
 *
 * A bsize that the buffer's contents cannot meet is refused (20). Matching runs in workers.
 */
#include "rules/kw/places.h"
#include "rules/buffers.h"
#include "rules/dialect.h"
#include "rules/number.h"
#include "rules/source.h"

/* --- isdataat ------------------------------------------------------------------------------------------------- */

/* The content that the option stands right behind, in the same buffer; NULL when there is none. */
static struct draft_step *content_before(struct draft *d, const struct draft_step *s)
{
    struct draft_step *last = (struct draft_step *)s;

    while (last > d->steps)
        if ((--last)->step.flow != STEP_TEST)
            return last->literal.p != NULL && last->step.buffer == s->step.buffer && !s->fresh ? last : NULL;
    return NULL;
}

static bool parse_isdataat(struct draft *d, const struct option *o)
{
    enum { RELATIVE, RAWBYTES, N_WORDS };
    static const char *const words[N_WORDS] = {"relative", "rawbytes"};
    struct draft_step *s = place_step_add(d, o), *content;
    struct span rest = o->value, place;
    struct operand v;
    size_t row;

    if (s == NULL)
        return false;
    s->step.negated = o->negated;
    if (!words_next(&rest, &place))
        return draft_fail(d, o->value.p, o->kw->usage, "isdataat: no number");
    while (words_find(d, o, &rest, words, N_WORDS, &row)) {
        if (row == N_WORDS)
            return false;
        if (row == RELATIVE)
            s->step.relative = true;
        else if (d->dialect == DIALECT_SNORT2)
            s->step.buffer = BUF_PAYLOAD;
    }
    if (s->step.relative)
        place_step_follow(d, s);
    if (!operand_read(d, o, s, place, 0, UINT16_MAX, &v))
        return false;
    s->step.a = (int32_t)v.value;
    s->step.c = v.slot;
    s->step.flags = d->dialect == DIALECT_SURICATA && s->step.relative;
    content = content_before(d, s);
    if (content != NULL && v.slot == 0 && s->step.negated && s->step.relative &&
        v.value == (d->dialect == DIALECT_SURICATA ? 1u : 0u) &&
        (!content->step.negated || d->dialect == DIALECT_SURICATA)) {
        content->has |= LITERAL_ENDS;
        d->n_steps--;
    }
    return true;
}

static bool match_isdataat(const struct step *s, struct eval *e)
{
    struct span b = eval_buffer(e, s->buffer);
    int64_t at = operand_place((struct operand){.value = (uint32_t)s->a, .slot = (uint8_t)s->c}, e);

    if (b.p == NULL)
        return false;
    at += s->relative ? e->cursor : -eval_origin(e, s->buffer);
    e->read_end = at < 0 ? 0 : (uint32_t)at + (s->flags == 0);
    return (s->flags ? at <= b.len : at < b.len) != s->negated;
}

/* --- lengths --------------------------------------------------------------------------------------------------- */

/* The buffer's contents must fit into a length that the option lets through. */
static bool check_fits(struct draft *d, struct draft_step *s)
{
    int64_t need = draft_shortest(d, s->step.buffer, s);

    if (s->step.relative || s->step.negated || need <= (uint32_t)s->step.b)
        return true;
    return draft_fail(d, s->at, "make it larger, or remove it",
                      "%s allows at most %u bytes, and the contents of this buffer need %lld", s->kw->name,
                      (uint32_t)s->step.b, (long long)need);
}

/* A content from the buffer's start to its end says its length. */
static bool check_exact(struct draft *d, struct draft_step *s)
{
    for (uint32_t i = 0; i < d->n_steps; i++) {
        const struct draft_step *c = &d->steps[i];

        if (c->literal.p != NULL && !c->step.negated && c->step.buffer == s->step.buffer &&
            (c->has & LITERAL_STARTS) && (c->has & LITERAL_ENDS) && !s->step.relative &&
            !number_match(&s->step, c->literal.len))
            return draft_fail(d, s->at, "correct the length, or remove startswith or endswith",
                              "%s: a content fills this buffer with its %u bytes", s->kw->name,
                              c->literal.len);
    }
    return check_fits(d, s);
}

static struct draft_step *length_step(struct draft *d, const struct option *o)
{
    struct draft_step *s = number_step(d, o, UINT32_MAX);

    if (s == NULL)
        return NULL;
    s->step.flow = STEP_AT;
    s->fresh = d->buffer_fresh;
    d->buffer_fresh = false;
    return s;
}

static bool parse_bsize(struct draft *d, const struct option *o)
{
    return length_step(d, o) != NULL;
}

static bool parse_bufferlen(struct draft *d, const struct option *o)
{
    struct option length = *o;
    struct span rest, word;
    struct draft_step *s;

    text_split(&length.value, ',', &rest); /* rest: what stands before the first comma */
    word = text_trim(length.value);
    length.value = text_trim(rest);
    s = length_step(d, &length);
    if (s == NULL)
        return false;
    if (word.len > 0 && !text_eq_nocase(word, "relative"))
        return draft_fail(d, word.p, o->kw->usage, "bufferlen: unknown word '%.*s'", TEXT_ARG(word));
    s->step.relative = word.len > 0;
    return true;
}

static bool match_length(const struct step *s, struct eval *e)
{
    struct span b = eval_buffer(e, s->buffer);
    uint64_t len;

    if (b.p == NULL || e->cursor > b.len)
        return false;
    e->read_end = b.len;
    len = s->relative ? b.len - e->cursor : b.len + (uint64_t)eval_origin(e, s->buffer);
    return number_match(s, len < UINT32_MAX ? (uint32_t)len : UINT32_MAX);
}

/* The request's URI, whatever buffer is in force: decoded in Suricata's rules, as it was sent in Snort 2's. */
static bool parse_urilen(struct draft *d, const struct option *o)
{
    bool raw = d->dialect == DIALECT_SNORT2, fresh = d->buffer_fresh;
    struct option length = *o;
    struct draft_step *s;
    struct span rest, word;

    text_split(&length.value, ',', &rest);
    word = text_trim(length.value);
    length.value = text_trim(rest);
    if (text_eq_nocase(word, "raw"))
        raw = true;
    else if (text_eq_nocase(word, "norm"))
        raw = false;
    else if (word.len > 0)
        return draft_fail(d, word.p, o->kw->usage, "urilen: unknown word '%.*s'", TEXT_ARG(word));
    s = length_step(d, &length);
    if (s == NULL)
        return false;
    d->buffer_fresh = fresh; /* not this option's buffer */
    s->fresh = false;
    buffers_look(d, s, raw ? BUF_HTTP_URI_RAW : BUF_HTTP_URI);
    return true;
}

#define LENGTHS "N; with !, <, <=, > or >= before N, a<>b without its ends, or a<=>b with them"

const struct keyword kw_isdataat = {
    .name = "isdataat",
    .usage =
        "write isdataat:N; or isdataat:N,relative; with ! before N, and rawbytes behind it; N to 65535 or "
        "the name of a byte_extract variable",
    .value = VALUE_PLAIN,
    .flags = KEYWORD_NEGATED,
    .parse = parse_isdataat,
    .match = match_isdataat,
};

const struct keyword kw_bsize = {
    .name = "bsize",
    .usage = "write bsize:" LENGTHS,
    .value = VALUE_PLAIN,
    .dialects = IN_SURICATA,
    .parse = parse_bsize,
    .check = check_exact,
    .match = match_length,
};

const struct keyword kw_bufferlen = {
    .name = "bufferlen",
    .usage = "write bufferlen:" LENGTHS ", and ,relative behind it to count from the cursor",
    .value = VALUE_PLAIN,
    .dialects = IN_SNORT3,
    .parse = parse_bufferlen,
    .check = check_exact,
    .match = match_length,
};

const struct keyword kw_urilen = {
    .name = "urilen",
    .usage = "write urilen:" LENGTHS ", and ,norm or ,raw behind it",
    .value = VALUE_PLAIN,
    .flags = KEYWORD_BOTH_ENDS,
    .dialects = IN_SURICATA | IN_SNORT2,
    .parse = parse_urilen,
    .check = check_exact,
    .match = match_length,
};
