/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ruleset_build(): files in, one immutable ruleset out; and what the rest of the program asks of a ruleset.
 *
 * The build reads every file to its end and reports every error of every rule with its place and a remedy. A rule
 * with an error is left out and counted; the others load, unless the caller is strict. Only three things end a
 * build early: a file that cannot be read, memory that is out, and strict with an error.
 *
 * The builder (rules/builder.h) owns everything while it lasts. When it succeeds the arena, and in it the ruleset,
 * becomes the caller's and dies in ruleset_free(). A build runs in one control thread and touches nothing that a
 * running ruleset uses, so it may take place beside traffic.
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "ips/base/clock.h"
#include "rules/admit.h"
#include "rules/builder.h"
#include "rules/keywords.h"
#include "rules/source.h"

#define ARENA_CHUNK_BYTES (1u << 20)
#define WORKERS_MAX       (sizeof(((struct ruleset *)0)->workers) / sizeof(struct ruleset_worker))

bool builder_grow(struct builder *b, void **v, size_t *cap, size_t n, size_t elem_bytes)
{
    size_t bigger = *cap == 0 ? 256 : *cap * 2;
    void *grown;

    if (n < *cap)
        return true;
    grown = realloc(*v, bigger * elem_bytes);
    if (grown == NULL) {
        b->no_memory = true;
        return false;
    }
    *v = grown;
    *cap = bigger;
    return true;
}

void builder_error(struct builder *b, struct err *e)
{
    b->n_errors++;
    err_list_add(b->errs, e);
}

struct builder *builder_new(const struct ruleset_source *src, struct err_list *errs)
{
    struct builder *b = calloc(1, sizeof(*b));
    uint32_t has_jit = 0;

    if (b == NULL)
        return NULL;
    b->arena = arena_new(ARENA_CHUNK_BYTES);
    b->draft.references = malloc(REFERENCES_MAX * sizeof(*b->draft.references));
    if (b->arena != NULL && src->policy != NULL)
        b->reports = arena_alloc(b->arena, (policy_n_lines(src->policy) + 1) * sizeof(*b->reports));
    if (b->arena == NULL || b->draft.references == NULL || (src->policy != NULL && b->reports == NULL)) {
        arena_free(b->arena);
        free(b->draft.references);
        free(b);
        return NULL;
    }
    b->draft.b = b;
    b->src = src;
    b->errs = errs;
    b->vars = (struct variables){.own = src->vars, .n_own = src->n_vars};
    b->pcre_no_jit = pcre2_config(PCRE2_CONFIG_JIT, &has_jit) != 0 || has_jit == 0;
    sets_init(&b->sets, b->arena);
    return b;
}

void builder_free(struct builder *b, bool arena)
{
    for (size_t i = 0; i < b->n_codes; i++)
        pcre2_code_free(b->codes[i]);
    geoip_close(b->geoip);
    free(b->codes);
    free(b->rules);
    free(b->steps);
    free(b->sid_slots);
    free(b->disabled);
    free(b->scans);
    free(b->draft.references);
    sets_fini(&b->sets);
    variables_fini(&b->vars);
    classes_fini(&b->classes);
    limits_fini(&b->limits);
    reputation_fini(&b->reputation);
    datasets_release(b->datasets.v, b->datasets.n); /* what did not become the ruleset's */
    free(b->datasets.v);
    references_fini(&b->refs);
    if (arena)
        arena_free(b->arena);
    free(b);
}

int builder_load(struct builder *b, struct err *e)
{
    const struct ruleset_source *src = b->src;
    int rc;

    if (hs_valid_platform() != HS_SUCCESS) {
        rc = err_set(e, -ENOTSUP, "Hyperscan does not run on this processor");
        err_remedy(e, "use a machine with SSSE3");
        return rc;
    }
    if (src->n_workers == 0 || src->n_workers > WORKERS_MAX)
        return err_set(e, -EINVAL, "a ruleset for %u workers; 1 to %zu are possible", src->n_workers,
                       WORKERS_MAX);
    rc = classes_load(b, src->classification_file, e);
    if (rc == 0)
        rc = references_load(b, src->reference_file, e);
    if (rc == 0)
        rc = reputation_load(b, e);
    for (uint32_t i = 0; i < src->n_files && rc == 0; i++)
        rc = files_load(b, src->files[i], e);
    if (rc == 0)
        rc = limits_load(b, src->threshold_file, e);
    return rc;
}

static void fill_stats(struct builder *b, struct ruleset *rs, uint64_t started_ns)
{
    rs->arena = b->arena;
    rs->generation = b->src->generation;
    rs->stats.n_loaded = rs->n_rules;
    rs->stats.n_rejected = b->n_rejected;
    rs->stats.n_disabled = (uint32_t)b->n_disabled;
    rs->stats.n_skipped = b->n_skipped;
    rs->stats.memory_bytes += arena_bytes(b->arena) + b->pcre_bytes;
    rs->stats.load_ns = clock_mono_ns() - started_ns;
}

struct ruleset *ruleset_build(const struct ruleset_source *src, struct err_list *errs)
{
    uint64_t started_ns = clock_mono_ns();
    struct builder *b = builder_new(src, errs);
    struct ruleset *rs = NULL;
    struct err e = {0};

    if (b == NULL) {
        err_set(&e, -ENOMEM, "no memory to build a ruleset");
        err_list_add(errs, &e);
        return NULL;
    }
    if (builder_load(b, &e) == 0 && !(src->strict && b->n_errors > 0))
        rs = ruleset_compile(b, &e);
    if (rs != NULL && src->policy != NULL) {
        rs->policy = b->reports;
        rs->n_policy = policy_n_lines(src->policy);
        if (!policy_reports_copy(src->policy, b->arena, b->reports)) {
            err_set(&e, -ENOMEM, "no memory for the policy");
            rs->release(rs);
            rs = NULL;
        }
    }
    if (e.code != 0)
        builder_error(b, &e);
    if (rs != NULL)
        fill_stats(b, rs, started_ns);
    builder_free(b, rs == NULL);
    malloc_trim(0); /* compiling takes several times what is left of it */
    return rs;
}

void ruleset_free(struct ruleset *rs)
{
    if (rs == NULL)
        return;
    rs->release(rs);
    datasets_release(rs->datasets, rs->n_datasets);
    arena_free(rs->arena); /* the ruleset itself lies in it */
    malloc_trim(0);
}

uint32_t ruleset_n_rules(const struct ruleset *rs)
{
    return rs->n_rules;
}

const struct rule_info *ruleset_info(const struct ruleset *rs, uint32_t index)
{
    return &rs->info[index];
}

const struct rule *ruleset_rule(const struct ruleset *rs, uint32_t index)
{
    return &rs->rules[index];
}

const struct disabled_rule *ruleset_disabled(const struct ruleset *rs, uint32_t *n)
{
    *n = rs->n_disabled;
    return rs->disabled;
}

uint8_t ruleset_asks(const struct ruleset *rs)
{
    return rs->asks;
}

uint32_t ruleset_generation(const struct ruleset *rs)
{
    return rs->generation;
}

const struct policy_report *ruleset_policy(const struct ruleset *rs, uint32_t *n)
{
    *n = rs->n_policy;
    return rs->policy;
}

const struct ruleset_stats *ruleset_stats(const struct ruleset *rs)
{
    return &rs->stats;
}
