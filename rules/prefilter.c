/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fast patterns into one Hyperscan database per buffer.
 *
 * Equal literals (same bytes, same case rule) are one pattern, and a table says which rules each pattern stands
 * for. Patterns are compiled as literals with their length, so any byte may be in them, in block mode, and each
 * reports at most once a scan (HS_FLAG_SINGLEMATCH): to be a candidate once is enough. Patterns are numbered in the
 * order of their bytes, so the same rules always make the same database.
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
    const uint8_t *bytes;
    uint32_t len;
    bool nocase;
    uint32_t rank;
};

struct literals { /* what hs_compile_lit_multi() takes; heap */
    const char **text;
    unsigned *flags, *ids;
    size_t *lens;
};

static int pattern_cmp(const struct entry *x, const struct entry *y)
{
    int c = memcmp(x->bytes, y->bytes, x->len < y->len ? x->len : y->len);

    if (c != 0)
        return c;
    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    return (int)x->nocase - (int)y->nocase;
}

static int entry_cmp(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int c = pattern_cmp(x, y);

    return c != 0 ? c : x->rank < y->rank ? -1 : x->rank > y->rank;
}

static void release(struct ruleset *rs)
{
    for (uint32_t i = 0; i < rs->n_workers; i++)
        hs_free_scratch(rs->workers[i].scratch);
    for (uint32_t i = 0; i < BUF_N + rs->n_transformed; i++)
        hs_free_database(rs->prefilter[i].db);
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

static int compile_database(struct prefilter *p, const struct literals *l, struct err *e)
{
    hs_compile_error_t *why = NULL;
    hs_error_t rc = hs_compile_lit_multi(l->text, l->flags, l->ids, l->lens, p->n_patterns, HS_MODE_BLOCK,
                                         NULL, &p->db, &why);
    int code = 0;

    if (rc != HS_SUCCESS)
        code = hyperscan_error(e, rc, "the pattern database", why != NULL ? why->message : NULL);
    hs_free_compile_error(why);
    return code;
}

/* Sorted entries into patterns: literals for the compiler, rule lists for the packet. */
static void fill(const struct entry *entries, uint32_t n, struct literals *l, uint32_t *first,
                 uint32_t *rules, uint32_t *n_patterns)
{
    uint32_t p = 0;

    for (uint32_t i = 0; i < n; i++) {
        if (i == 0 || pattern_cmp(&entries[i - 1], &entries[i]) != 0) {
            l->text[p] = (const char *)entries[i].bytes;
            l->lens[p] = entries[i].len;
            l->flags[p] = HS_FLAG_SINGLEMATCH | (entries[i].nocase ? HS_FLAG_CASELESS : 0);
            l->ids[p] = p;
            first[p++] = i;
        }
        rules[i] = entries[i].rank;
    }
    first[p] = n;
    *n_patterns = p;
}

static int build_buffer(struct builder *b, struct prefilter *p, struct entry *entries, uint32_t n,
                        struct err *e)
{
    uint32_t *first = arena_alloc(b->arena, ((size_t)n + 1) * sizeof(*first));
    uint32_t *rules = arena_alloc(b->arena, (size_t)n * sizeof(*rules));
    struct literals l = {.text = malloc(n * sizeof(*l.text)),
                         .flags = malloc(n * sizeof(*l.flags)),
                         .ids = malloc(n * sizeof(*l.ids)),
                         .lens = malloc(n * sizeof(*l.lens))};
    int rc;

    if (first == NULL || rules == NULL || l.text == NULL || l.flags == NULL || l.ids == NULL ||
        l.lens == NULL) {
        rc = err_set(e, -ENOMEM, "no memory for the pattern database");
    } else {
        qsort(entries, n, sizeof(*entries), entry_cmp);
        fill(entries, n, &l, first, rules, &p->n_patterns);
        p->first = first;
        p->rules = rules;
        rc = compile_database(p, &l, e);
    }
    free(l.text);
    free(l.flags);
    free(l.ids);
    free(l.lens);
    return rc;
}

static int build_workers(struct builder *b, struct ruleset *rs, struct err *e)
{
    size_t words = ((size_t)rs->n_rules + 63) / 64, scratch_bytes = 0;
    hs_scratch_t *first = NULL;
    hs_error_t rc = HS_SUCCESS;

    for (uint32_t i = 0; i < BUF_N + rs->n_transformed && rc == HS_SUCCESS; i++)
        if (rs->prefilter[i].db != NULL)
            rc = hs_alloc_scratch(rs->prefilter[i].db, &first);
    rs->workers[0].scratch = first;
    rs->n_workers = 1; /* what release() frees */
    for (uint32_t i = 0; i < b->src->n_workers && rc == HS_SUCCESS; i++) {
        struct ruleset_worker *w = &rs->workers[i];

        w->seen = arena_alloc(b->arena, (words + 1) * sizeof(*w->seen));
        w->candidates = arena_alloc(b->arena, ((size_t)rs->n_rules + 1) * sizeof(*w->candidates));
        if (w->seen == NULL || w->candidates == NULL)
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

int prefilter_build(struct builder *b, struct ruleset *rs, const uint32_t *order, struct err *e)
{
    struct entry *entries = malloc(((size_t)rs->n_rules + 1) * sizeof(*entries));
    int rc = 0;

    rs->release = release;
    if (entries == NULL)
        return err_set(e, -ENOMEM, "no memory for the pattern database");
    for (uint32_t buf = 0; buf < BUF_N + rs->n_transformed && rc == 0; buf++) {
        size_t db_bytes = 0;
        uint32_t n = 0;

        for (uint32_t i = 0; i < rs->n_rules; i++) {
            const struct builder_rule *r = &b->rules[order[i]];

            if (r->fast != NULL && r->fast_buffer == buf)
                entries[n++] = (struct entry){r->fast, r->fast_len, r->fast_nocase, i};
        }
        if (n > 0)
            rc = build_buffer(b, &rs->prefilter[buf], entries, n, e);
        rs->stats.n_patterns += rs->prefilter[buf].n_patterns;
        if (rs->prefilter[buf].db != NULL && hs_database_size(rs->prefilter[buf].db, &db_bytes) == HS_SUCCESS)
            rs->stats.memory_bytes += db_bytes;
    }
    free(entries);
    return rc != 0 ? rc : build_workers(b, rs, e);
}
