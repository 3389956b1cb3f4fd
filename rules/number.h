/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_NUMBER_H
#define SLUICE_RULES_NUMBER_H
/*
 * Private to rules/. Conditions on a number: N, =N, !N, !=N, <N, <=N, >N, >=N, a<>b and a-b without a and b, and
 * a<=>b with them; number.c has what differs in Snort's rules. All of them become "in lo..hi" or "not in lo..hi".
 */
#include "rules/keywords.h"

struct number_cond {
    uint32_t lo, hi;
    bool negated;
};

/* Reports and returns false when the text is no condition, or one that no number up to max can meet. */
bool number_parse(struct draft *d, const struct option *o, uint32_t max, struct number_cond *c);
/* number_parse() and a step that carries the condition: a = lo, b = hi, negated. NULL when refused. */
struct draft_step *number_step(struct draft *d, const struct option *o, uint32_t max);
/* Reads a whole signed number within min..max; reports otherwise. */
bool number_read(struct draft *d, const struct option *o, int64_t min, int64_t max, int64_t *v);

static inline bool number_match(const struct step *s, uint32_t v)
{
    return (v >= (uint32_t)s->a && v <= (uint32_t)s->b) != s->negated;
}
#endif
