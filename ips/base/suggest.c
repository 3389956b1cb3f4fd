/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The nearest word, for error messages about configuration keys and commands.
 *
 * Distance is Levenshtein's: letters to insert, delete or change. A candidate further away than a third of
 * the word's length (but at least 2) is no suggestion. Words longer than WORD_MAX get none. No allocation.
 */
#include "ips/base/suggest.h"

#include <stddef.h>
#include <string.h>

#define WORD_MAX 64

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;

    return m < c ? m : c;
}

static unsigned distance(const char *a, const char *b)
{
    size_t na = strlen(a), nb = strlen(b);
    unsigned row[WORD_MAX + 1];

    if (na > WORD_MAX || nb > WORD_MAX)
        return WORD_MAX;
    for (size_t j = 0; j <= nb; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= na; i++) {
        unsigned corner = row[0];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= nb; j++) {
            unsigned above = row[j];

            row[j] = min3(above + 1, row[j - 1] + 1, corner + (a[i - 1] != b[j - 1]));
            corner = above;
        }
    }
    return row[nb];
}

void suggest_init(struct suggest *s, const char *word)
{
    size_t third = strlen(word) / 3;

    s->word = word;
    s->best = NULL;
    s->distance = (unsigned)(third < 2 ? 2 : third) + 1;
}

void suggest_offer(struct suggest *s, const char *candidate)
{
    unsigned d = distance(s->word, candidate);

    if (d < s->distance) {
        s->distance = d;
        s->best = candidate;
    }
}
