/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A rule's steps in the order in which they are evaluated, and what happens when one fails.
 *
 * Tests about the packet come first, because they are cheap and change no cursor. Steps that look into buffers
 * follow: in Suricata's rules all of one buffer together, in the order in which the rule names the buffers, each
 * with one cursor (RULES.md 2A, 5), unless there may be several instances of the buffer and naming it again means
 * another one (2B, 32); in Snort's as they are written, and naming a buffer starts its cursor anew.
 *
 * When a step fails, another match of an earlier search may help: of the search whose match end it starts from, of
 * the one behind the byte_jump that moved the cursor, behind the byte_extract whose variable it uses, or behind
 * the base64_decode that filled its buffer. The evaluator goes back to the latest of these; when that one has no
 * further match, it must go on with the others, so their set is handed down from step to step. A step with an empty
 * set ends the rule. Control thread; no allocation.
 */
#include "rules/builder.h"
#include "rules/keywords.h"
#include "rules/kw/content.h"
#include "rules/kw/places.h"

struct set { /* of steps of one rule */
    uint64_t w[(STEPS_MAX + 63) / 64];
};

static void set_add(struct set *s, uint32_t i)
{
    s->w[i / 64] |= 1ull << i % 64;
}

static void set_join(struct set *s, const struct set *other)
{
    for (size_t i = 0; i < sizeof(s->w) / sizeof(s->w[0]); i++)
        s->w[i] |= other->w[i];
}

/* The highest member; STEP_NO_RETRY when there is none. */
static uint8_t set_last(const struct set *s)
{
    for (size_t i = sizeof(s->w) / sizeof(s->w[0]); i-- > 0;)
        if (s->w[i] != 0)
            return (uint8_t)(i * 64 + 63 - (size_t)__builtin_clzll(s->w[i]));
    return STEP_NO_RETRY;
}

struct ordered {
    const struct draft *d;
    const struct draft_step **v;
    uint32_t n;
};

static void sort(struct ordered *o)
{
    const struct draft *d = o->d;
    bool placed[STEPS_MAX] = {false};

    for (uint32_t i = 0; i < d->n_steps; i++) {
        placed[i] = d->steps[i].step.flow == STEP_TEST;
        if (placed[i])
            o->v[o->n++] = &d->steps[i];
    }
    for (uint32_t i = 0; i < d->n_steps; i++)
        for (uint32_t j = i; j < d->n_steps && !placed[i]; j++) {
            if (placed[j] || d->steps[j].step.buffer != d->steps[i].step.buffer ||
                (j > i && d->dialect != DIALECT_SURICATA))
                continue;
            if (j > i && d->steps[j].fresh && draft_is_multi(d, d->steps[j].step.buffer))
                break;
            if (j > i)
                placed[j] = true;
            o->v[o->n++] = &d->steps[j];
        }
}

/* Whether step i finds the cursor at its buffer's start, whatever stands before it. */
static bool begins_buffer(const struct ordered *o, uint32_t i)
{
    const struct draft_step *s = o->v[i];

    return i == 0 || o->v[i - 1]->step.flow == STEP_TEST || o->v[i - 1]->step.buffer != s->step.buffer ||
           (s->fresh && (o->d->dialect != DIALECT_SURICATA || draft_is_multi(o->d, s->step.buffer)));
}

static bool moves_cursor(const struct draft_step *s)
{
    return s->step.flow == STEP_SEARCH ? !s->step.negated : (s->kw->flags & KEYWORD_MOVES) != 0;
}

/* The step whose end step i starts from; STEP_NO_RETRY when that is the buffer's start. */
static uint8_t provider_of(const struct ordered *o, uint32_t i)
{
    uint32_t p = i;

    while (o->v[i]->step.relative && !begins_buffer(o, p))
        if (moves_cursor(o->v[--p]))
            return (uint8_t)p;
    return STEP_NO_RETRY;
}

/*
 * A positive content without `within` that was not found behind one match of a content is not behind a later one
 * either, because the part of the buffer it may stand in only shrinks. That holds while everything up the chain
 * is content with plain numbers: the next match of a pcre may end before the last one did.
 */
static bool only_shrinks(const struct ordered *o, uint32_t i)
{
    const struct draft_step *s = o->v[i];
    uint8_t up = (uint8_t)i;

    if (s->literal.p == NULL || s->step.negated || s->step.b != WINDOW_OPEN || s->step.buffer == BUF_BASE64)
        return false;
    while (up != STEP_NO_RETRY && o->v[up]->literal.p != NULL && o->v[up]->uses == 0)
        up = provider_of(o, up);
    return up == STEP_NO_RETRY;
}

/* The searches whose next match may make step i hold after it failed; depends[] is done up to i. */
static void find_depends(const struct ordered *o, uint32_t i, struct set *depends)
{
    const struct draft_step *s = o->v[i];
    uint8_t provider = provider_of(o, i);

    if (s->step.flow == STEP_TEST || only_shrinks(o, i))
        return;
    if (provider != STEP_NO_RETRY && o->v[provider]->step.flow == STEP_SEARCH)
        set_add(&depends[i], provider);
    else if (provider != STEP_NO_RETRY)
        set_join(&depends[i], &depends[provider]);
    for (uint32_t j = 0; j < i; j++)
        if ((o->v[j]->sets & s->uses) != 0 ||
            (s->step.buffer == BUF_BASE64 && o->v[j]->kw == &kw_base64_decode))
            set_join(&depends[i], &depends[j]);
}

/* How far behind its start a step may look. */
static int32_t span_of_step(const struct draft_step *s)
{
    const struct step *st = &s->step;
    int64_t span = SPAN_OPEN;

    if (s->uses != 0)
        return SPAN_OPEN;
    if (s->literal.p != NULL && st->b != WINDOW_OPEN)
        span = (int64_t)st->a + st->b;
    else if (s->kw == &kw_isdataat)
        span = (int64_t)st->a + 1;
    else if (s->kw == &kw_base64_decode)
        span = (int64_t)st->a + st->b;
    else if (s->kw == &kw_byte_test || s->kw == &kw_byte_jump || s->kw == &kw_byte_extract ||
             s->kw == &kw_byte_math) {
        const struct byte_op *op = st->data;

        span = (int64_t)op->offset.value + BYTES_STRING_MAX;
    }
    return span > 0 && span < SPAN_OPEN ? (int32_t)span : SPAN_OPEN;
}

/* No step asks for more of an earlier one than where its match ended. */
static bool only_ends_matter(const struct ordered *o)
{
    for (uint32_t i = 0; i < o->n; i++)
        if (o->v[i]->uses != 0 || o->v[i]->step.buffer == BUF_BASE64)
            return false;
    return true;
}

enum step_sees draft_sees(const struct draft *d, const struct draft_step *s)
{
    if (s->step.flow == STEP_TEST || s->step.negated ||
        (s->kw == &kw_dataset && s->step.buffer == BUF_PAYLOAD))
        return SEES_NOTHING;
    if (s->step.buffer == BUF_PAYLOAD)
        return SEES_PAYLOAD;
    return draft_base(d, s->step.buffer) == BUF_PAYLOAD ? SEES_MADE : SEES_NOTHING;
}

void order_steps(const struct draft *d, struct step *out, const struct draft_step **order)
{
    struct ordered o = {.d = d, .v = order};
    struct set depends[STEPS_MAX] = {0};

    sort(&o);
    bool ends = only_ends_matter(&o);
    for (uint32_t i = 0; i < o.n; i++) {
        find_depends(&o, i, depends);
        out[i] = order[i]->step;
        out[i].new_buffer = out[i].flow != STEP_TEST && begins_buffer(&o, i);
        out[i].next_relative = false;
        out[i].from = provider_of(&o, i);
        out[i].span = span_of_step(order[i]);
        out[i].settles = ends && order[i]->literal.p != NULL && !out[i].negated;
        out[i].sees = (uint8_t)draft_sees(d, order[i]);
    }
    for (uint32_t i = o.n; i-- > 0;) {
        uint8_t back = set_last(&depends[i]);

        out[i].retry = back;
        if (back == STEP_NO_RETRY)
            continue;
        out[back].next_relative = true;
        depends[i].w[back / 64] &= ~(1ull << back % 64);
        set_join(&depends[back], &depends[i]);
    }
}
