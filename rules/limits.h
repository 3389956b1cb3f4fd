/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_LIMITS_H
#define SLUICE_RULES_LIMITS_H
/*
 * Private to rules/. The lines of threshold.config, and each rule's list of filters made of them and of its own
 * (rules/threshold_config.c).
 */
#include <stddef.h>
#include "ips/base/err.h"
#include "rules/filter.h"

struct builder;
struct builder_rule;
struct ruleset;

struct limit_line {
    uint32_t gid, sid, order;
    struct rule_filter filter;
};

struct limits {
    struct limit_line *lines; /* heap, sorted by gid, sid, place in the file */
    size_t n_lines, cap_lines;
    struct rule_filter *filters; /* heap; published lists one after the other */
    size_t n_filters, cap_filters;
    struct filter_list *lists;
    size_t n_lists, cap_lists;
    uint32_t shared, shared_gid; /* the list of rules that have nothing of their own */
    bool shared_valid;
    uint32_t n_lost;
};

/* file NULL: nothing. Bad lines are reported to the builder; an unreadable file is -errno. */
int limits_load(struct builder *b, const char *file, struct err *e);
/* The list of one rule: what rule.limits is to be. False: memory is out. */
bool limits_of(struct builder *b, const struct builder_rule *r, uint32_t *index);
/* When all rules have theirs: into the ruleset's arena. */
bool limits_place(struct builder *b, struct ruleset *rs);
void limits_fini(struct limits *l);
#endif
