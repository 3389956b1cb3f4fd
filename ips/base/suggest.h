/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_BASE_SUGGEST_H
#define SLUICE_BASE_SUGGEST_H
/*
 * "Did you mean": which of several words is nearest to a misspelt one (edits of one letter each). Any thread.
 */
struct suggest {
    const char *word; /* what was written */
    const char *best; /* NULL: nothing is near enough to be meant */
    unsigned distance;
};

void suggest_init(struct suggest *s, const char *word);
void suggest_offer(struct suggest *s, const char *candidate); /* borrowed; must outlive s */
#endif
