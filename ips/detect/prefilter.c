/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The prefilter: one Hyperscan scan over a buffer for the fast patterns of all rules.
 *
 * Hyperscan reports patterns in the order of their ends in the data; rules must be confirmed in the order of
 * their rank, and once. A bitmap over rules takes the duplicates out; the list is then sorted, by insertion while it
 * is short, as it nearly always is, and by reading the bitmap in order when it is long.
 *
 * A scan that fails (it cannot, with a scratch made for this database) must not blind the rules: then all rules
 * with a pattern in this buffer are candidates, which is slow and right.
 *
 * Worker thread. Writes only this worker's scratch, bitmap and list, which the ruleset keeps for it.
 */
#include "ips/detect/prefilter.h"

#define INSERTION_SORT_MAX 48

struct scan {
    const struct prefilter *pf;
    uint64_t *seen;
    uint32_t *candidates;
    uint32_t n;
};

static void add(struct scan *s, uint32_t rule)
{
    uint64_t bit = 1ull << (rule % 64);

    if (s->seen[rule / 64] & bit)
        return;
    s->seen[rule / 64] |= bit;
    s->candidates[s->n++] = rule;
}

static int on_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *ctx)
{
    struct scan *s = ctx;

    for (uint32_t i = s->pf->first[id]; i < s->pf->first[id + 1]; i++)
        add(s, s->pf->rules[i]);
    return 0;
}

uint32_t prefilter_scan(const struct ruleset *rs, const struct ruleset_worker *w, unsigned buffer,
                        struct span bytes, uint32_t n, struct counters *c)
{
    const struct prefilter *pf = &rs->prefilter[buffer];
    struct scan s = {.pf = pf, .seen = w->seen, .candidates = w->candidates, .n = n};

    if (!pf->db || bytes.len == 0)
        return n;
    counter_add(c, CTR_DETECT_SCANS, 1);
    counter_add(c, CTR_DETECT_SCAN_BYTES, bytes.len);
    if (hs_scan(pf->db, (const char *)bytes.p, bytes.len, 0, w->scratch, on_match, &s) != HS_SUCCESS)
        for (uint32_t i = 0; i < pf->first[pf->n_patterns]; i++)
            add(&s, pf->rules[i]);
    return s.n;
}

static void sort_by_insertion(uint32_t *v, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        uint32_t x = v[i], j = i;

        for (; j > 0 && v[j - 1] > x; j--)
            v[j] = v[j - 1];
        v[j] = x;
    }
}

/* Reads the set bits from the lowest word to the highest; clears them. */
static void sort_by_bitmap(uint64_t *seen, uint32_t *v, uint32_t n)
{
    uint32_t lo = UINT32_MAX, hi = 0, out = 0;

    for (uint32_t i = 0; i < n; i++) {
        uint32_t word = v[i] / 64;

        lo = word < lo ? word : lo;
        hi = word > hi ? word : hi;
    }
    for (uint32_t word = lo; word <= hi; word++) {
        for (uint64_t bits = seen[word]; bits; bits &= bits - 1)
            v[out++] = word * 64 + (uint32_t)__builtin_ctzll(bits);
        seen[word] = 0;
    }
}

void prefilter_sort(const struct ruleset_worker *w, uint32_t n)
{
    if (n > INSERTION_SORT_MAX) {
        sort_by_bitmap(w->seen, w->candidates, n);
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        w->seen[w->candidates[i] / 64] = 0;
    sort_by_insertion(w->candidates, n);
}
