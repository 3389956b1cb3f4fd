/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keyword table and its lookup.
 *
 * The rows come from KEYWORD_TABLE in keywords.h, which names each keyword once; this file turns that list into
 * an array and searches it by halves. A unit test holds the order. Constant; any thread.
 */
#include "rules/keywords.h"

const struct keyword *const keyword_table[KW_N] = {
#define X(word) &kw_##word,
    KEYWORD_TABLE(X)
#undef X
};

static int compare(struct span name, const char *word)
{
    size_t n = strlen(word);
    int c = memcmp(name.p, word, name.len < n ? name.len : n);

    return c != 0 ? c : name.len < n ? -1 : name.len > n;
}

const struct keyword *keyword_lookup(struct span name, uint32_t *index)
{
    for (uint32_t lo = 0, hi = KW_N; lo < hi;) {
        uint32_t mid = lo + (hi - lo) / 2;
        int c = compare(name, keyword_table[mid]->name);

        if (c == 0) {
            *index = mid;
            return keyword_table[mid];
        }
        if (c < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}
