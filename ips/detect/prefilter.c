/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The prefilter: one Hyperscan scan over each buffer for the fast patterns of all rules that its protocol and direction
 * can match, one lookup for each address, and the list of rules that have neither.
 *
 * Hyperscan reports patterns in the order of their ends in the data; rules must be confirmed in the order of
 * their rank, and once. A bitmap over rules takes the duplicates out; the list is then sorted, by insertion while it
 * is short, as it nearly always is, and by reading the bitmap in order when it is long. A rule behind a pattern
 * becomes a candidate only when the facts that the table names for it hold: a word read beside its index, and not
 * a rule fetched from memory.
 *
 * A scan that fails (it cannot, with a scratch made for this database) must not blind the rules: then all rules
 * with a pattern in this buffer are candidates, which is slow and right.
 *
 * Worker thread. Writes only this worker's scratch, bitmap and list, which the ruleset keeps for it.
 */
#include "ips/detect/prefilter.h"

#define INSERTION_SORT_MAX 48

struct run {
    const uint32_t *first; /* of the patterns in hand: see struct prefilter */
    const struct rule_ref *refs;
    uint32_t facts;
    uint64_t *seen;
    uint32_t *candidates;
    uint32_t n;
};

static void add(struct run *r, uint32_t rule)
{
    uint64_t bit = 1ull << (rule % 64);

    if (r->seen[rule / 64] & bit)
        return;
    r->seen[rule / 64] |= bit;
    r->candidates[r->n++] = rule;
}

static void add_list(struct run *r, const struct rule_list *l)
{
    for (uint32_t i = 0; i < l->n; i++)
        add(r, l->v[i]);
}

static void add_refs(struct run *r, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        if ((r->refs[i].gate & ~r->facts) == 0)
            add(r, r->refs[i].rule);
}

static int on_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *ctx)
{
    struct run *r = ctx;

    add_refs(r, r->first[id], r->first[id + 1]);
    return 0;
}

/* The n patterns of one database. */
static void scan(struct run *r, const hs_database_t *db, hs_scratch_t *scratch, struct span bytes, uint32_t n)
{
    if (db != NULL && hs_scan(db, (const char *)bytes.p, bytes.len, 0, scratch, on_match, r) != HS_SUCCESS)
        add_refs(r, r->first[0], r->first[n]);
}

static void look_into(struct run *r, const struct scan *s, hs_scratch_t *scratch, struct span bytes,
                      struct counters *c)
{
    const struct prefilter *pf = s->pf;

    add_list(r, &s->candidates);
    if (pf == NULL || bytes.len == 0)
        return;
    counter_add(c, CTR_DETECT_SCANS, 1);
    counter_add(c, CTR_DETECT_SCAN_BYTES, bytes.len);
    r->refs = pf->refs;
    r->first = pf->first;
    scan(r, pf->db, scratch, bytes, pf->n_literals);
    r->first = pf->first + pf->n_literals;
    scan(r, pf->exprs, scratch, bytes, pf->n_patterns - pf->n_literals);
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

static void sort(struct run *r)
{
    if (r->n > INSERTION_SORT_MAX) {
        sort_by_bitmap(r->seen, r->candidates, r->n);
        return;
    }
    for (uint32_t i = 0; i < r->n; i++)
        r->seen[r->candidates[i] / 64] = 0;
    sort_by_insertion(r->candidates, r->n);
}

void prefilter_run(const struct ruleset *rs, const struct ruleset_worker *w, struct eval *e,
                   bool ip_only_done, struct candidates *out, struct counters *c)
{
    const struct facts *f = e->facts;
    enum rule_proto proto = ruleset_proto_of(f);
    const struct scan_list *scans = &rs->scans[proto][f->flags & FACT_TO_CLIENT ? 1 : 0];
    const struct rule_list *always =
        &rs->always->lists[rs->always->list[proto][ruleset_always_key(f, ip_only_done)]];
    struct run r = {.facts = f->flags, .seen = w->seen, .candidates = w->candidates};

    for (uint32_t i = 0; i < scans->n; i++) {
        struct span bytes = eval_buffer(e, (uint8_t)scans->v[i].slot);

        if (bytes.p != NULL)
            look_into(&r, &scans->v[i], w->scratch, bytes, c);
    }
    add_list(&r, iplist_lookup(&rs->ip_each, IPLIST_SRC, f->src));
    add_list(&r, iplist_lookup(&rs->ip_each, IPLIST_DST, f->dst));
    if (!ip_only_done) {
        add_list(&r, iplist_lookup(&rs->ip_once, IPLIST_SRC, f->src));
        add_list(&r, iplist_lookup(&rs->ip_once, IPLIST_DST, f->dst));
    }
    sort(&r);
    *out = (struct candidates){r.candidates, always->v, r.n, always->n};
}
