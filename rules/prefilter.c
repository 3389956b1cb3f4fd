/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fast patterns into pattern databases.
 *
 * Patterns are grouped by what prunes most: the buffer they are looked for in, then the packet's protocol and
 * direction, so that a response is not searched for what only requests hold. Where two protocols or directions have
 * the same rules in a buffer they share a group. Within a group equal literals (same bytes, same case rule) are
 * one pattern, and a table says which rules each pattern stands for, with the facts about the packet without which the
 * rule need not be looked at; addresses and ports are left to the rule's header test.
 *
 * Literals are compiled as literals with their length, so any byte may be in them. Rules that have nothing but a
 * regular expression bring that, into a second database. Both are in block mode, and each pattern reports at most
 * once a scan: to be a candidate once is enough. Patterns are numbered in the order of their bytes, so the same
 * rules always make the same database, and the cache (cache.c) knows it again.
 *
 * Very short literals slow a scan down, and everything else that was tried is slower. With the payload patterns of a
 * public rule set (2,269, of which 37 of one or two bytes, 33 of three) bench_rules gives, per full-size packet and per
 * packet of the recorded cases: all in one database 0.81 and 0.65 us; those below two bytes on the always lists 0.78
 * and 0.62; below three 0.98 and 0.74; below four 1.00 and 0.77; below five 2.10 and 1.19; a second database for
 * those below four adds 0.56 and 0.80 and takes 0.3 at most from the first. So they stay in, and fastpattern.c
 * avoids them where a rule has anything longer, in a pcre too.
 *
 * Every worker gets a scratch of its own here, cloned from the first, a bitmap and room for candidates. All of it
 * dies in ruleset_free(). Control thread.
 */
#include <errno.h>
#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "rules/builder.h"

struct entry { /* one rule's fast pattern */
    const struct fast_pattern *fast;
    struct rule_ref ref;
};

/* Literals before expressions, then by their bytes. */
static int pattern_cmp(const struct fast_pattern *x, const struct fast_pattern *y)
{
    int c;

    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    c = memcmp(x->bytes, y->bytes, x->len < y->len ? x->len : y->len);
    if (c != 0)
        return c;
    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    return x->flags < y->flags ? -1 : x->flags > y->flags;
}

static int entry_cmp(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int c = pattern_cmp(x->fast, y->fast);

    return c != 0 ? c : x->ref.rule < y->ref.rule ? -1 : x->ref.rule > y->ref.rule;
}

static void release(struct ruleset *rs)
{
    for (uint32_t i = 0; i < rs->n_workers; i++)
        hs_free_scratch(rs->workers[i].scratch);
    for (uint32_t i = 0; i < rs->n_prefilters; i++) {
        hs_free_database(rs->prefilters[i].db);
        hs_free_database(rs->prefilters[i].exprs);
    }
    free(rs->costs);
    geoip_close(rs->geoip);
    for (uint32_t i = 0; i < rs->n_pcre_codes; i++)
        pcre2_code_free(rs->pcre_codes[i]);
}

static int hyperscan_error(struct err *e, hs_error_t code, const char *what, const char *why)
{
    if (code == HS_NOMEM)
        return err_set(e, -ENOMEM, "no memory for %s", what);
    return err_set(e, -EINVAL, "Hyperscan refused %s (error %d)%s%s", what, code, why != NULL ? ": " : "",
                   why != NULL ? why : "");
}

/* --- databases ------------------------------------------------------------------------------------------------ */

static int compile(const struct cache_patterns *p, hs_database_t **db, struct err *e)
{
    unsigned *ids = malloc(p->n * sizeof(*ids));
    hs_compile_error_t *why = NULL;
    hs_error_t rc;
    int code = 0;

    if (ids == NULL)
        return err_set(e, -ENOMEM, "no memory for the pattern database");
    for (uint32_t i = 0; i < p->n; i++)
        ids[i] = i;
    if (p->literals)
        rc = hs_compile_lit_multi(p->text, p->flags, ids, p->lens, p->n, HS_MODE_BLOCK, NULL, db, &why);
    else
        rc = hs_compile_multi(p->text, p->flags, ids, p->n, HS_MODE_BLOCK, NULL, db, &why);
    if (rc != HS_SUCCESS)
        code = hyperscan_error(e, rc, "the pattern database", why != NULL ? why->message : NULL);
    hs_free_compile_error(why);
    free(ids);
    return code;
}

static int database(struct builder *b, const struct cache_patterns *p, hs_database_t **db, struct err *e)
{
    struct cache_key key;
    bool cached = b->cache.dir >= 0 && cache_key(&key, p);
    int rc;

    if (p->n == 0)
        return 0;
    if (cached && (*db = cache_load(&b->cache, &key)) != NULL)
        return 0;
    rc = compile(p, db, e);
    if (rc == 0 && cached)
        cache_store(&b->cache, &key, *db);
    return rc;
}

/* Patterns from..to - 1 of the group; which of the entries begins pattern i is in first[i]. */
static int build_database(struct builder *b, const struct entry *entries, const uint32_t *first, uint32_t n,
                          hs_database_t **db, struct err *e)
{
    struct cache_patterns p = {.text = malloc((n + 1) * sizeof(*p.text)),
                               .flags = malloc((n + 1) * sizeof(*p.flags)),
                               .lens = malloc((n + 1) * sizeof(*p.lens)),
                               .n = n};
    int rc = -ENOMEM;

    if (p.text == NULL || p.flags == NULL || p.lens == NULL) {
        err_set(e, rc, "no memory for the pattern database");
    } else {
        for (uint32_t i = 0; i < n; i++) {
            const struct fast_pattern *f = entries[first[i]].fast;

            p.text[i] = (const char *)f->bytes;
            p.lens[i] = f->len;
            p.flags[i] = f->flags | HS_FLAG_SINGLEMATCH;
            p.literals = f->kind == FAST_LITERAL;
        }
        rc = database(b, &p, db, e);
    }
    free(p.text);
    free(p.flags);
    free(p.lens);
    return rc;
}

/* How long a match of the pattern may be. Hyperscan has taken the expression before (pcre_scan.c). */
static void measure(struct prefilter *p, const struct fast_pattern *f)
{
    hs_compile_error_t *why = NULL;
    hs_expr_info_t *info = NULL;
    uint32_t longest = EXPRS_OPEN;

    if (f->kind == FAST_LITERAL) {
        p->longest = f->len > p->longest ? f->len : p->longest;
        return;
    }
    if (hs_expression_info((const char *)f->bytes, f->flags, &info, &why) == HS_SUCCESS)
        longest = info->max_width;
    free(info);
    hs_free_compile_error(why);
    p->exprs_longest = longest > p->exprs_longest ? longest : p->exprs_longest;
}

static int build_group(struct builder *b, struct prefilter *p, struct entry *entries, uint32_t n,
                       struct err *e)
{
    uint32_t *first = arena_alloc(b->arena, ((size_t)n + 1) * sizeof(*first));
    struct rule_ref *refs = arena_alloc(b->arena, (size_t)n * sizeof(*refs));
    int rc;

    if (first == NULL || refs == NULL)
        return err_set(e, -ENOMEM, "no memory for the pattern database");
    qsort(entries, n, sizeof(*entries), entry_cmp);
    for (uint32_t i = 0; i < n; i++) {
        if (i == 0 || pattern_cmp(entries[i - 1].fast, entries[i].fast) != 0) {
            first[p->n_patterns++] = i;
            p->n_literals += entries[i].fast->kind == FAST_LITERAL;
            measure(p, entries[i].fast);
        }
        refs[i] = entries[i].ref;
    }
    first[p->n_patterns] = n;
    p->first = first;
    p->refs = refs;
    rc = build_database(b, entries, first, p->n_literals, &p->db, e);
    if (rc == 0)
        rc = build_database(b, entries, first + p->n_literals, p->n_patterns - p->n_literals, &p->exprs, e);
    return rc;
}

/* --- groups ---------------------------------------------------------------------------------------------------- */

static uint32_t gate_of(const struct rule *r)
{
    if (r->flags & RULE_DORMANT)
        return GATE_NEVER;
    return (r->flags & RULE_NEEDS_FLOW ? FACT_HAS_FLOW : 0) |
           (r->flags & RULE_ESTABLISHED ? FACT_ESTABLISHED : 0);
}

/* Which kinds of packet the rule may match: bit proto * 2 + to_client. */
uint8_t prefilter_kinds(const struct rule *r)
{
    uint8_t kinds = r->proto == PROTO_IP ? 0xff : (uint8_t)(3u << 2 * r->proto);

    if (r->flags & RULE_TO_SERVER)
        kinds &= 0x55;
    if (r->flags & RULE_TO_CLIENT)
        kinds &= 0xaa;
    return kinds;
}
_Static_assert(PACKET_KINDS == 8 && PROTO_N == 4, "a bit for each kind of packet");

struct slot_rules { /* the rules whose fast pattern is in one buffer, ascending */
    const uint32_t *ranks;
    uint32_t n;
};

static int build_slot(struct builder *b, struct ruleset *rs, const uint32_t *order, uint32_t slot,
                      struct slot_rules in, struct entry *entries, struct err *e)
{
    uint8_t same[PACKET_KINDS], any = 0; /* same[k]: kinds with the very rules that kind k has */
    int rc = 0;

    memset(same, 0xff, sizeof(same));
    for (uint32_t i = 0; i < in.n; i++) {
        uint8_t kinds = prefilter_kinds(&rs->rules[in.ranks[i]]);

        any |= kinds;
        for (unsigned k = 0; k < PACKET_KINDS; k++)
            same[k] &= kinds >> k & 1 ? kinds : (uint8_t)~kinds;
    }
    for (unsigned k = 0; k < PACKET_KINDS && rc == 0; k++) {
        unsigned first = (unsigned)__builtin_ctz(same[k]);
        struct prefilter *p = &rs->prefilters[rs->n_prefilters];
        uint32_t n = 0;

        if (!(any >> k & 1))
            continue;
        if (first < k) {
            b->scans[slot][k].pf = b->scans[slot][first].pf;
            continue;
        }
        for (uint32_t i = 0; i < in.n; i++) {
            const struct rule *r = &rs->rules[in.ranks[i]];

            if (prefilter_kinds(r) >> k & 1)
                entries[n++] = (struct entry){&b->rules[order[in.ranks[i]]].fast, {in.ranks[i], gate_of(r)}};
        }
        rs->n_prefilters++;
        b->scans[slot][k].pf = p;
        rc = build_group(b, p, entries, n, e);
        rs->stats.n_patterns += p->n_patterns;
    }
    return rc;
}

static int build_slots(struct builder *b, struct ruleset *rs, const uint32_t *order, struct err *e)
{
    uint32_t n_slots = BUF_N + rs->n_transformed, start[BUF_SLOTS + 1] = {0}, at[BUF_SLOTS];
    uint32_t *ranks = malloc(((size_t)rs->n_rules + 1) * sizeof(*ranks));
    struct entry *entries = malloc(((size_t)rs->n_rules + 1) * sizeof(*entries));
    int rc = 0;

    rs->prefilters = arena_alloc(b->arena, (size_t)n_slots * PACKET_KINDS * sizeof(*rs->prefilters));
    if (ranks == NULL || entries == NULL || rs->prefilters == NULL) {
        rc = err_set(e, -ENOMEM, "no memory for the pattern databases");
    } else {
        for (uint32_t i = 0; i < rs->n_rules; i++)
            if (b->rules[order[i]].fast.kind != FAST_NONE)
                start[b->rules[order[i]].fast.buffer + 1]++;
        for (uint32_t slot = 0; slot < n_slots; slot++) {
            start[slot + 1] += start[slot];
            at[slot] = start[slot];
        }
        for (uint32_t i = 0; i < rs->n_rules; i++)
            if (b->rules[order[i]].fast.kind != FAST_NONE)
                ranks[at[b->rules[order[i]].fast.buffer]++] = i;
    }
    for (uint32_t slot = 0; slot < n_slots && rc == 0; slot++)
        rc = build_slot(b, rs, order, slot,
                        (struct slot_rules){ranks + start[slot], start[slot + 1] - start[slot]}, entries, e);
    free(ranks);
    free(entries);
    return rc;
}

/* --- what workers need -------------------------------------------------------------------------------------------- */

static int build_workers(struct builder *b, struct ruleset *rs, struct err *e)
{
    size_t words = ((size_t)rs->n_rules + 63) / 64, scratch_bytes = 0;
    hs_scratch_t *first = NULL;
    hs_error_t rc = HS_SUCCESS;

    for (uint32_t i = 0; i < rs->n_prefilters && rc == HS_SUCCESS; i++) {
        const struct prefilter *p = &rs->prefilters[i];

        if (p->db != NULL)
            rc = hs_alloc_scratch(p->db, &first);
        if (p->exprs != NULL && rc == HS_SUCCESS)
            rc = hs_alloc_scratch(p->exprs, &first);
    }
    rs->workers[0].scratch = first;
    rs->n_workers = 1; /* what release() frees */
    for (uint32_t i = 0; i < b->src->n_workers && rc == HS_SUCCESS; i++) {
        struct ruleset_worker *w = &rs->workers[i];

        w->seen = arena_alloc(b->arena, (words + 1) * sizeof(*w->seen));
        w->candidates = arena_alloc(b->arena, ((size_t)rs->n_rules + 1) * sizeof(*w->candidates));
        w->spent_ns = arena_alloc(b->arena, ((size_t)rs->n_rules + 1) * sizeof(*w->spent_ns));
        w->out = arena_alloc(b->arena, (words + 1) * sizeof(*w->out));
        if (w->seen == NULL || w->candidates == NULL || w->spent_ns == NULL || w->out == NULL)
            return err_set(e, -ENOMEM, "no memory for worker %u's part of the ruleset", i);
        if (i > 0 && first != NULL)
            rc = hs_clone_scratch(first, &w->scratch);
        rs->n_workers = i + 1;
    }
    if (rc != HS_SUCCESS)
        return hyperscan_error(e, rc, "a worker's scratch", NULL);
    if (first != NULL && hs_scratch_size(first, &scratch_bytes) == HS_SUCCESS)
        rs->stats.memory_bytes += scratch_bytes * rs->n_workers;
    return 0;
}

static void count_databases(struct ruleset *rs)
{
    for (uint32_t i = 0; i < rs->n_prefilters; i++) {
        hs_database_t *both[] = {rs->prefilters[i].db, rs->prefilters[i].exprs};
        size_t bytes = 0;

        for (int k = 0; k < 2; k++)
            if (both[k] != NULL && hs_database_size(both[k], &bytes) == HS_SUCCESS) {
                rs->stats.memory_bytes += bytes;
                rs->stats.n_databases++;
            }
    }
}

int prefilter_build(struct builder *b, struct ruleset *rs, const uint32_t *order, struct err *e)
{
    int rc;

    rs->release = release;
    cache_open(&b->cache, b->src->cache_dir, b->src->cache_read_only);
    rc = build_slots(b, rs, order, e);
    rs->stats.n_cached = b->cache.n_hits;
    cache_close(&b->cache);
    count_databases(rs);
    return rc != 0 ? rc : build_workers(b, rs, e);
}
