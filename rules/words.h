/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_WORDS_H
#define SLUICE_RULES_WORDS_H
/*
 * Private to rules/. Option values that are lists of words, as engines write them: with commas, with blanks, or
 * both; and the numbers and variables among the words.
 */
#include "rules/keywords.h"
#include "rules/eval.h"

/* The next word; commas and blanks part words. False at the end. */
bool words_next(struct span *rest, struct span *word);
/* The next field; only commas part fields, blanks around them are taken off. False at the end. */
bool words_field(struct span *rest, struct span *field);
/* The next word with its place in a table of n words, or n when it is none of them (reported). False at the end. */
bool words_find(struct draft *d, const struct option *o, struct span *rest, const char *const *table,
                size_t n, size_t *row);
/* Decimal, 0x hexadecimal, or octal with a leading 0, with a sign when min is negative; two's complement. */
bool words_number(struct span s, int64_t min, uint64_t max, uint64_t *v);

/* A number in the rule, or the name of a variable that holds it when the rule is evaluated. */
struct operand {
    uint64_t value;
    uint8_t slot; /* 1 + index into eval.var; 0: value */
};

/* Reads one for step s, and notes what it hangs on. False: reported. */
bool operand_read(struct draft *d, const struct option *o, struct draft_step *s, struct span text,
                  int64_t min, uint64_t max, struct operand *out);
/* The variable that step s sets. False: reported. */
bool operand_define(struct draft *d, const struct option *o, struct draft_step *s, struct span name,
                    uint8_t *index);

static inline uint64_t operand_get(struct operand v, const struct eval *e)
{
    return v.slot == 0 ? v.value : e->var[v.slot - 1];
}

#define PLACE_FAR ((int64_t)1 << 40) /* farther than any buffer reaches, and sums of a few do not overflow */

/* The same as a place or a distance, in either direction. */
static inline int64_t operand_place(struct operand v, const struct eval *e)
{
    int64_t n = (int64_t)operand_get(v, e);

    return n > PLACE_FAR || (v.slot != 0 && n < 0) ? PLACE_FAR : n;
}
#endif
