/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The evaluator: a rule's compiled steps, in order, against the buffers of one packet.
 *
 * A step that only tests decides once. A step that searches (content, pcre) may match in several places, and a
 * later step that is relative to it may hold for one place and not for another: so when a step fails, the search
 * it hangs on goes on from one byte behind its last match, and everything after it is tried again. Which search
 * that is was decided when the rule was compiled (step.retry, rules/compile.c); STEP_NO_RETRY means that no
 * other place can help, and the rule has failed.
 *
 * Where only the end of a content's match matters to later steps, a match that led nowhere is not tried again from another
 * beginning (step.settles): then the work grows with the bytes and not with their pairings, and bytes sent in front
 * of an attack do not use up the steps before it is reached.
 *
 * There is no recursion: the state to go back to is two numbers for each step. Every call of a match function
 * takes one from steps_left, so a hostile pairing of rule and payload ends after a known amount of work, with
 * hit_step_limit set and no match.
 *
 * Of a buffer that a parser has published several times, the steps that look into it between two changes of the buffer must
 * hold for one of its instances, any of them (RULES.md 2B, 32): when nothing else can help, they are tried on the next.
 *
 * In a stream the buffer begins with bytes that were looked at before (up to fresh_at), and a match counts only if it
 * needs a byte behind them; so nothing is reported twice, and what was sent in two parts is found with the second. Of
 * steps that hang together every combination is tried as above; to try those of steps that do not, each step in turn
 * is made the one that must need a new byte, and takes no other match. That is complete, and costs as many
 * walks as the rule has such steps, which are short where few bytes are new and no step looks far: otherwise one
 * without that condition is tried first. Each walk has steps_left of its own.
 *
 * Worker thread. Reads the ruleset, writes only the caller's struct eval; no allocation, no system call.
 */
#include "ips/detect/eval.h"

#include <string.h>

#include "rules/ruleset_layout.h"

/* The rule has matched: where its contents with `replace` did. */
static void note_replaced(const struct step *steps, uint32_t n, const uint32_t *start, struct eval *e)
{
    for (uint32_t i = 0; i < n && e->n_replaced < REPLACED_MAX; i++)
        if (steps[i].replaces)
            e->replaced[e->n_replaced++] = (struct replaced){
                .bytes = (const uint8_t *)steps[i].data + steps[i].len, .at = start[i], .len = steps[i].len};
}

/* A rule on its way through a buffer: what its steps found, and what the one that must see new bytes asks of others. */
struct walk {
    const struct step *steps;
    uint32_t n;
    uint32_t must;                 /* the step that must need a byte from fresh_at on, or NO_STEP */
    uint32_t anchor[STEPS_MAX];    /* cursor before step i */
    uint32_t start[STEPS_MAX];     /* where the last match of search i began */
    uint32_t floor[STEPS_MAX + 1]; /* where the first match of search i that can help begins */
    uint32_t
        tried[STEPS_MAX]; /* of a search that settles: before it none helps that begins behind anchor[i] */
    uint16_t instance[STEPS_MAX]; /* of the first step in a buffer: which of its instances, + 1 */
    uint32_t end;                 /* behind the last payload byte that any step needed */
};
#define NO_STEP UINT32_MAX

/* True when the step holds, and needs a new byte if it must; a search that must goes on until it does. */
static bool hold(struct walk *w, uint32_t i, struct eval *e)
{
    const struct step *s = &w->steps[i];

    for (;;) {
        uint32_t end;

        e->read_end = 0;
        if (!s->match(s, e))
            return false;
        end = e->read_end != 0 || s->flow != STEP_SEARCH ? e->read_end : e->cursor;
        if (w->must != i || end > e->fresh_at) {
            if (s->sees == SEES_PAYLOAD && end > w->end)
                w->end = end;
            return true;
        }
        if (s->flow != STEP_SEARCH || e->steps_left == 0)
            return false;
        e->steps_left--;
        e->search_from = e->match_start + 1;
        e->cursor = w->anchor[i];
    }
}

/*
 * Search i is reached again, from another place. Where it was reached from one further in front the last time, and none
 * of its matches helped, the same matches need not be tried again: so contents with `within` that begin many matches
 * are each tried once, and cannot use up the steps.
 */
static uint32_t resume(struct walk *w, uint32_t i, uint32_t cursor)
{
    /* NOLINTNEXTLINE: tried[i] is 0 until anchor[i] was set */
    if (w->tried[i] > 0 && cursor < w->anchor[i])
        w->tried[i] = 0;
    return w->tried[i];
}

/* --- instances ---------------------------------------------------------------------------------------------------- */

static uint16_t base_of(const struct eval *e, const struct step *s)
{
    return slot_base(e->transformed, s->buffer);
}

/* Step i is the first in its buffer: its first instance, if there are several. */
static void first_instance(struct walk *w, uint32_t i, struct eval *e)
{
    uint16_t base = base_of(e, &w->steps[i]);

    w->instance[i] = 0;
    if (base < BUFFERS_OF_PACKETS_N || !(e->is_set[base / 64] >> base % 64 & 1) ||
        e->instances[e->first[base] - 1].next == 0)
        return;
    w->instance[i] = e->first[base];
    eval_buffer_set(e, base, e->instances[e->first[base] - 1].bytes);
}

/* Step *i has failed for good: back to the first step of its buffer, with the next instance. False: there is none. What
 * base64_decode made is of the buffer before it. */
static bool next_instance(struct walk *w, uint32_t *i, struct eval *e)
{
    uint32_t at = *i;

    if (w->steps[at].flow == STEP_TEST)
        return false;
    while (!w->steps[at].new_buffer || w->steps[at].buffer == BUF_BASE64)
        if (at-- == 0 || w->steps[at].flow == STEP_TEST)
            return false;
    /* NOLINTNEXTLINE: set when the search came by its first step, which new_buffer marks */
    uint16_t next = w->instance[at] ? e->instances[w->instance[at] - 1].next : 0;
    if (next == 0)
        return false;
    w->instance[at] = next;
    eval_buffer_set(e, base_of(e, &w->steps[at]), e->instances[next - 1].bytes);
    *i = at;
    return true;
}

static bool walk(struct walk *w, struct eval *e)
{
    uint32_t i = 0;
    bool again = false; /* the search goes on behind its last match */
    bool next = false;  /* the first step of a buffer is reached with its next instance */

    memset(w->tried, 0, w->n * sizeof(w->tried[0]));
    e->cursor = 0;
    e->search_from = w->floor[0];
    w->end = 0;
    while (i < w->n) {
        const struct step *s = &w->steps[i];

        if (e->steps_left == 0) {
            e->hit_step_limit = true;
            return false;
        }
        e->steps_left--;
        if (!again) {
            if (s->new_buffer) {
                e->cursor = 0;
                if (e->instances && !next)
                    first_instance(w, i, e);
            }
            if (next)
                w->tried[i] = 0;
            next = false;
            if (s->settles && resume(w, i, e->cursor) > e->search_from)
                e->search_from = w->tried[i];
            w->anchor[i] = e->cursor;
        }
        if (hold(w, i, e)) {
            w->start[i] = e->match_start;
            i++;
            e->search_from = i < w->n ? w->floor[i] : 0;
            again = false;
            continue;
        }
        if (s->retry == STEP_NO_RETRY) {
            next = e->instances && next_instance(w, &i, e);
            if (!next)
                return false;
            e->search_from = w->floor[i];
            again = false;
            continue;
        }
        i = s->retry;
        e->cursor = w->anchor[i];
        e->search_from = w->tried[i] = w->start[i] + 1;
        again = true;
    }
    return true;
}

/*
 * Where the searches before step w->must must match at the earliest, so that it can reach new bytes: as far back as the
 * steps between allow. Without it, bytes that begin many matches could be sent first to use up the steps.
 */
static void set_floors(struct walk *w, uint32_t fresh_at)
{
    int64_t end = (int64_t)fresh_at + 1; /* that the step in hand must reach */

    for (uint32_t i = w->must;; i = w->steps[i].from) {
        const struct step *s = &w->steps[i];

        if (s->flow == STEP_SEARCH) {
            if (s->len == 0) /* an expression's match has any length */
                return;
            w->floor[i] = end > s->len ? (uint32_t)(end - s->len) : 0;
        } else if (i != w->must) {
            return; /* it jumped there, or read a number: where it started from says nothing */
        }
        if (s->from == STEP_NO_RETRY || s->span == SPAN_OPEN)
            return;
        end -= s->span;
    }
}

/* At least one step needs a byte that no rule has seen before: whichever of them it is. */
static bool walk_new_bytes(struct walk *w, struct eval *e)
{
    uint32_t budget = e->steps_left;
    bool sees_payload = false, open = false;

    for (uint32_t i = 0; i < w->n; i++) {
        if (w->steps[i].sees == SEES_MADE)
            return walk(w, e); /* which bytes it was made of is not known */
        sees_payload |= w->steps[i].sees == SEES_PAYLOAD;
        open |= w->steps[i].from != STEP_NO_RETRY && w->steps[i].span == SPAN_OPEN;
    }
    if (!sees_payload || open || e->fresh_at < e->buf[BUF_PAYLOAD].len / 2) {
        bool match = walk(w, e);

        if (!sees_payload || (match && w->end > e->fresh_at) || (!match && !e->hit_step_limit))
            return match;
    }
    for (w->must = 0; w->must < w->n; w->must++) {
        if (w->steps[w->must].sees != SEES_PAYLOAD)
            continue;
        memset(w->floor, 0, w->n * sizeof(w->floor[0]));
        set_floors(w, e->fresh_at);
        e->steps_left = budget;
        if (walk(w, e))
            return true;
    }
    return false;
}

bool eval_rule(const struct ruleset *rs, const struct rule *r, struct eval *e)
{
    struct walk w;

    w.steps = rs->steps + r->first_step;
    w.n = r->n_steps;
    w.must = NO_STEP;
    memset(w.floor, 0, (w.n + 1) * sizeof(w.floor[0]));
    e->n_replaced = 0;
    if (!(e->fresh_at == 0 ? walk(&w, e) : walk_new_bytes(&w, e)))
        return false;
    if (r->flags & RULE_REPLACES)
        note_replaced(w.steps, w.n, w.start, e);
    return true;
}

void eval_post(const struct ruleset *rs, const struct rule *r, struct eval *e)
{
    const struct step *steps = rs->steps + r->first_step + r->n_steps;

    for (uint32_t i = 0; i < r->n_post; i++)
        steps[i].match(&steps[i], e);
}
