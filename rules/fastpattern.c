/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fast pattern: what the prefilter looks for in a rule's place. A packet without it cannot match the rule, so the
 * choice decides only how often the rule is evaluated in vain, never what it matches.
 *
 * The rule's own wish (fast_pattern) comes first. Else, as Suricata chooses (RULES.md 2A, 17): a content in a buffer of
 * its own before one in the payload (BUFFER_LATE), and that before one in a method or a status, which say the same in
 * most flows (BUFFER_LAST), however long it is; then the longest positive content; among equally long ones the one of
 * greater strength: a byte seen for the first time counts 3 when it is a letter, 1 when it is 00, 01 or ff, 4 when it
 * is anything else that can be printed, 6 otherwise, and 1 when it is repeated; then the later buffer of the table, then
 * the leftmost. Negated contents never stand for a rule. Of ET Open's 23,611 rules with contents 99.7 % get Suricata
 * 7's own choice; the others are short ones, below, and a few ties.
 *
 * A literal of less than SHORT_LITERAL bytes is in nearly every packet, and slows down the search for all others. Then
 * a longer and stronger one is taken instead, wherever the rule has it but in a BUFFER_LAST: in another content, or in
 * a pcre as a run of bytes that all its matches contain (pcre_literal.c). A rule without any literal of two bytes is
 * found by its pcre itself, when Hyperscan takes it (pcre_scan.c). FAST_PATTERN_MAX is what can be put in front of a
 * payload, where a stream is searched across its segments (ips/detect/prefilter.c); no pattern of a public rule set
 * tells less for it. Control thread.
 */
#include <ctype.h>
#include <hs/hs.h>

#include "rules/builder.h"
#include "rules/pcre_literal.h"
#include "rules/pcre_scan.h"

#define FAST_PATTERN_MAX \
    32 /* of longer ones the end is taken, as necessary as the whole; prefilter.c: FRONT_BYTES */
#define SHORT_LITERAL    4
#define EXPRESSIONS_MAX  512 /* of a ruleset: each takes up to a tenth of a second to compile */
#define SHORTEST_LITERAL 2   /* below that an expression is better */

static uint32_t strength(struct span s)
{
    bool seen[256] = {false};
    uint32_t sum = 0;

    for (uint32_t i = 0; i < s.len; i++) {
        uint8_t c = s.p[i];

        if (seen[c])
            sum += 1;
        else if (isalpha(c))
            sum += 3;
        else if (isprint(c))
            sum += 4;
        else if (c == 0x00 || c == 0x01 || c == 0xff)
            sum += 1;
        else
            sum += 6;
        seen[c] = true;
    }
    return sum;
}

/* Whether the step's match is needed for the rule's, in a buffer that is scanned. */
static bool stands_for_rule(const struct draft_step *s)
{
    return s->step.flow == STEP_SEARCH && !s->step.negated && s->step.buffer != BUF_BASE64;
}

static struct fast_pattern of_content(const struct draft_step *s)
{
    struct fast_pattern f = {.bytes = s->literal.p,
                             .len = s->literal.len,
                             .flags = s->has & LITERAL_NOCASE ? HS_FLAG_CASELESS : 0,
                             .kind = FAST_LITERAL,
                             .buffer = s->step.buffer};

    if ((s->has & (LITERAL_FAST | LITERAL_FAST_PART)) == (LITERAL_FAST | LITERAL_FAST_PART)) {
        f.bytes += s->fast_offset;
        f.len = s->fast_len;
    }
    f.whole = f.bytes + f.len == s->literal.p + s->literal.len;
    if (f.len > FAST_PATTERN_MAX) {
        f.bytes += f.len - FAST_PATTERN_MAX;
        f.len = FAST_PATTERN_MAX;
    }
    return f;
}

/* Which buffers' contents are preferred, 0 first. */
static unsigned rank(uint16_t base)
{
    const uint16_t flags = buffer_table[base].flags;

    return flags & BUFFER_LAST ? 2 : flags & BUFFER_LATE ? 1 : 0;
}

static bool is_better(const struct draft *d, const struct draft_step *s, const struct draft_step *than,
                      bool by_buffer)
{
    const uint8_t a = draft_base(d, s->step.buffer), b = draft_base(d, than->step.buffer);
    uint32_t strength_a, strength_b;

    if (by_buffer && rank(a) != rank(b))
        return rank(a) < rank(b);
    if (s->literal.len != than->literal.len)
        return s->literal.len > than->literal.len;
    strength_a = strength(s->literal);
    strength_b = strength(than->literal);
    return strength_a != strength_b ? strength_a > strength_b : a > b;
}

/* wish: as the rule and its buffers would have it; else the longest, which a LAST buffer's is not worth being. */
static struct fast_pattern best_content(const struct draft *d, bool wish)
{
    const struct draft_step *best = NULL;

    for (uint32_t i = 0; i < d->n_steps; i++) {
        const struct draft_step *s = &d->steps[i];

        if (s->literal.p == NULL || !stands_for_rule(s) ||
            (!wish && rank(draft_base(d, s->step.buffer)) == 2))
            continue;
        if (wish && (s->has & LITERAL_FAST))
            return of_content(s);
        if (best == NULL || is_better(d, s, best, wish))
            best = s;
    }
    return best != NULL ? of_content(best) : (struct fast_pattern){.kind = FAST_NONE};
}

/* A literal of a pcre that is longer than what there is. False: memory is out. */
static bool longer_in_pcre(const struct draft *d, struct fast_pattern *out)
{
    for (uint32_t i = 0; i < d->n_steps; i++) {
        const struct draft_step *s = &d->steps[i];
        struct pcre_literal l;

        if (s->pcre.p == NULL || !stands_for_rule(s))
            continue;
        l = pcre_literal(s->pcre, s->pcre_options);
        if (l.len <= out->len || l.len < SHORTEST_LITERAL)
            continue;
        *out = (struct fast_pattern){.bytes = arena_memdup(d->b->arena, l.bytes, l.len),
                                     .len = l.len,
                                     .flags = l.nocase ? HS_FLAG_CASELESS : 0,
                                     .kind = FAST_LITERAL,
                                     .buffer = s->step.buffer};
        if (out->bytes == NULL)
            return false;
    }
    return true;
}

/* The first pcre that Hyperscan takes. A relative one sees only a part of its buffer as its subject. */
static bool whole_pcre(const struct draft *d, struct fast_pattern *out)
{
    for (uint32_t i = 0; i < d->n_steps && d->b->n_expressions < EXPRESSIONS_MAX; i++) {
        const struct draft_step *s = &d->steps[i];
        struct pcre_scan x;

        if (s->pcre.p == NULL || !stands_for_rule(s) || s->step.relative ||
            !pcre_scan(s->pcre, s->pcre_options, &x))
            continue;
        *out = (struct fast_pattern){.len = (uint32_t)strlen(x.text),
                                     .flags = x.flags,
                                     .kind = FAST_EXPRESSION,
                                     .whole = true,
                                     .buffer = s->step.buffer};
        out->bytes = arena_memdup(d->b->arena, x.text, out->len + 1);
        d->b->n_expressions++;
        return out->bytes != NULL;
    }
    return true;
}

bool fastpattern_is_last(const struct draft *d, const struct fast_pattern *f)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < d->n_steps; i++)
        n += draft_sees(d, &d->steps[i]) != SEES_NOTHING;
    return f->whole && f->buffer == BUF_PAYLOAD && n == 1;
}

bool fastpattern_choose(const struct draft *d, struct fast_pattern *out)
{
    *out = best_content(d, true);
    if (out->len < SHORT_LITERAL) {
        struct fast_pattern longest = best_content(d, false);

        if (longest.len > out->len &&
            strength(span_of(longest.bytes, longest.len)) > strength(span_of(out->bytes, out->len)))
            *out = longest;
    }
    if (out->len < SHORT_LITERAL && !longer_in_pcre(d, out))
        return false;
    return out->len >= SHORTEST_LITERAL || whole_pcre(d, out);
}
