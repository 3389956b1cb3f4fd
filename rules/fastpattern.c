/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fast pattern: the one literal of a rule that the prefilter looks for. A packet without it cannot match the
 * rule, so the choice decides only how often the rule is evaluated in vain, never what it matches.
 *
 * The rule's own wish (fast_pattern) comes first. Else the longest positive content; among equally long ones the
 * one of greater strength, Suricata's measure (RULES.md 2A, 17): a byte seen for the first time counts 3 when it is a
 * letter, 1 when it is 00, 01 or ff, 4 when it is anything else that can be printed, 6 otherwise, and 1 when it is
 * repeated; then the leftmost. Negated contents never stand for a rule. Control thread.
 */
#include <ctype.h>

#include "rules/builder.h"

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

const struct draft_step *fastpattern_choose(const struct draft *d)
{
    const struct draft_step *best = NULL;

    for (uint32_t i = 0; i < d->n_steps; i++) {
        const struct draft_step *s = &d->steps[i];

        if (s->literal.p == NULL || s->step.negated || s->step.buffer == BUF_BASE64)
            continue;
        if (s->has & LITERAL_FAST)
            return s;
        if (best == NULL || s->literal.len > best->literal.len ||
            (s->literal.len == best->literal.len && strength(s->literal) > strength(best->literal)))
            best = s;
    }
    return best;
}
