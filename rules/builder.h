/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_BUILDER_H
#define SLUICE_RULES_BUILDER_H
/*
 * Private to rules/. What one ruleset_build() call gathers: accepted rules and their steps in growing heap arrays,
 * interned sets, compiled pcre codes. The builder owns all of it until ruleset_compile() moves it into the
 * ruleset; builder_fini() frees whatever is left.
 */
#include "rules/cache.h"
#include "rules/draft.h"
#include "rules/sets.h"
#include "rules/variables.h"
#include "rules/classes.h"
#include "rules/datasets.h"
#include "rules/limits.h"
#include "rules/references.h"
#include "rules/reputation.h"

enum fast_kind {
    FAST_NONE,      /* tried whenever its header, or its buffer, is there */
    FAST_LITERAL,   /* these bytes must be in the buffer */
    FAST_EXPRESSION /* this regular expression, as Hyperscan takes it, must match somewhere in the buffer */
};

struct fast_pattern {     /* what stands for a rule in the prefilter */
    const uint8_t *bytes; /* in the arena; behind an expression stands a NUL */
    uint32_t len;
    uint32_t flags;  /* HS_FLAG_*: how to look for it */
    uint8_t kind;    /* enum fast_kind */
    uint16_t buffer; /* slot */
    bool whole;      /* where it ends, the step that it is taken from has matched */
};

#define PACKET_KINDS 8 /* protocol * 2 + to_client: what rules are grouped by, within a buffer */

struct builder_rule {
    struct rule rule; /* first_step counts in builder.steps */
    struct rule_info info;
    struct fast_pattern fast;
    const struct rule_filter *filters; /* in the arena */
    uint32_t n_filters;
    uint8_t state_rank; /* see rules/compile.c */
    bool dead;          /* replaced by a newer revision */
    uint32_t order;     /* load order */
};

struct builder {
    const struct ruleset_source *src;
    struct err_list *errs;
    uint32_t n_errors; /* by this build; errs may hold others */
    struct arena *arena;
    struct variables vars;
    struct classes classes;
    struct references refs;
    struct sets sets;
    struct limits limits;
    struct datasets datasets;
    struct reputation reputation;
    struct builder_rule *rules;
    size_t n_rules, cap_rules;
    struct disabled_rule *disabled; /* heap, the strings lie in the arena */
    size_t n_disabled, cap_disabled;
    struct step *steps;
    size_t n_steps, cap_steps;
    void **codes; /* pcre2_code * */
    size_t n_codes, cap_codes;
    uint32_t *sid_slots; /* open hash over rules: index + 1, 0 = empty */
    size_t n_sid_slots;
    struct buffer_ref transformed[TRANSFORMED_MAX]; /* slot BUF_N + i */
    uint32_t n_transformed;
    uint32_t n_rejected, n_skipped;
    void *geoip; /* MMDB_s, opened by the first rule that asks */
    uint64_t pcre_bytes;
    struct scan (*scans)[PACKET_KINDS]; /* heap; by slot */
    struct cache cache;
    uint32_t n_expressions; /* that stand for rules, so far */
    struct draft draft;     /* one at a time */
    bool no_memory;
    bool pcre_no_jit;              /* the machine cannot: the interpreter is used */
    struct policy_report *reports; /* one per line of the policy, in the arena; filled at the end */
    struct explainer *explainer;   /* only one sid is of interest (explain.c); NULL: all are */
};

/* errs takes the errors; both are borrowed until builder_free(). NULL: no memory. (ruleset.c) */
struct builder *builder_new(const struct ruleset_source *src, struct err_list *errs);
/* arena: whether it dies too; it does not when it became a ruleset's. */
void builder_free(struct builder *b, bool arena);
/* Make room for one more element in a heap array; false when memory is out (and b->no_memory is set). */
bool builder_grow(struct builder *b, void **v, size_t *cap, size_t n, size_t elem_bytes);
/* Take over the draft as a rule. False when it was refused (reported). */
bool builder_add(struct builder *b, struct draft *d);
void geoip_close(void *db); /* MMDB_s or NULL (kw/geoip.c) */
/* Add an error to the list and count it. */
void builder_error(struct builder *b, struct err *e);

/* All files of the source, without compiling. (ruleset.c) */
int builder_load(struct builder *b, struct err *e);
/* The rules of a file, and of what it includes. Their errors go to the list; -errno for those that end the build. (files.c) */
int files_load(struct builder *b, const char *path, struct err *e);

struct explainer;
struct admission;
struct policy_facts;
/* For admit.c: whether these facts are of the rule in question; and what became of it. (explain.c) */
bool explain_wants(const struct explainer *x, const struct policy_facts *f);
void explain_take(struct explainer *x, struct builder *b, const struct admission *a);

/* One logical rule's text: header and options into the draft, every error reported. (parse.c) */
void parse_rule(struct draft *d, const struct rule_text *t);
/* What can only be seen when all options are known: contradictions, drop scope. (check.c) */
void check_rule(struct draft *d);
/* Gives a checked rule another action than the one it was written with. (check.c) */
void check_set_action(struct draft *d, enum rule_action action);
/*
 * The rule's steps in the order of evaluation, linked: which search goes on when a step fails, where a buffer
 * begins. order[i] is the draft's step behind out[i]; both have room for n_steps. (order.c)
 */
void order_steps(const struct draft *d, struct step *out, const struct draft_step **order);
/* Which of a packet's bytes the step needs to hold. (order.c) */
enum step_sees draft_sees(const struct draft *d, const struct draft_step *s);
/* What stands for the rule in the prefilter. False: memory is out. (fastpattern.c) */
bool fastpattern_choose(const struct draft *d, struct fast_pattern *out);
/* Whether nothing that comes later can make the rule match, once its fast pattern was there and it did not. */
bool fastpattern_is_last(const struct draft *d, const struct fast_pattern *f);
/* A bit for each kind of packet that the rule may match. (prefilter.c) */
uint8_t prefilter_kinds(const struct rule *r);
/* Everything into one arena, in order. NULL with *e filled. (compile.c, prefilter.c) */
struct ruleset *ruleset_compile(struct builder *b, struct err *e);
int prefilter_build(struct builder *b, struct ruleset *rs, const uint32_t *order, struct err *e);
/* The rules that have no fast pattern, by what else tells whether to try them. 0 or -ENOMEM. (always.c) */
int always_build(struct builder *b, struct ruleset *rs, const uint32_t *order);
#endif
