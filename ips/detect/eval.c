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
 * There is no recursion: the state to go back to is two numbers for each step. Every call of a match function
 * takes one from steps_left, so a hostile pairing of rule and payload ends after a known amount of work, with
 * hit_step_limit set and no match.
 *
 * Worker thread. Reads the ruleset, writes only the caller's struct eval; no allocation, no system call.
 */
#include "ips/detect/eval.h"

#include "rules/ruleset_layout.h"

/* The rule has matched: where its contents with `replace` did. */
static void note_replaced(const struct step *steps, uint32_t n, const uint32_t *start, struct eval *e)
{
    for (uint32_t i = 0; i < n && e->n_replaced < REPLACED_MAX; i++)
        if (steps[i].replaces)
            e->replaced[e->n_replaced++] = (struct replaced){
                .bytes = (const uint8_t *)steps[i].data + steps[i].len, .at = start[i], .len = steps[i].len};
}

bool eval_rule(const struct ruleset *rs, const struct rule *r, struct eval *e)
{
    const struct step *steps = rs->steps + r->first_step;
    uint32_t anchor[STEPS_MAX]; /* cursor before step i */
    uint32_t start[STEPS_MAX];  /* where the last match of search i began */
    uint32_t i = 0;

    e->cursor = 0;
    e->search_from = 0;
    e->n_replaced = 0;
    while (i < r->n_steps) {
        const struct step *s = &steps[i];

        if (e->steps_left == 0) {
            e->hit_step_limit = true;
            return false;
        }
        e->steps_left--;
        if (s->new_buffer)
            e->cursor = 0;
        anchor[i] = e->cursor;
        if (s->match(s, e)) {
            start[i] = e->match_start;
            e->search_from = 0;
            i++;
            continue;
        }
        if (s->retry == STEP_NO_RETRY)
            return false;
        i = s->retry;
        e->cursor = anchor[i];
        e->search_from = start[i] + 1;
    }
    if (r->flags & RULE_REPLACES)
        note_replaced(steps, r->n_steps, start, e);
    return true;
}

void eval_post(const struct ruleset *rs, const struct rule *r, struct eval *e)
{
    const struct step *steps = rs->steps + r->first_step + r->n_steps;

    for (uint32_t i = 0; i < r->n_post; i++)
        steps[i].match(&steps[i], e);
}
