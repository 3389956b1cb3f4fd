/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_VARIABLES_H
#define SLUICE_RULES_VARIABLES_H
/*
 * Private to rules/. $NAME in a rule header. The caller's values come first, then those that rule files define
 * (ipvar, portvar, var), then the defaults: those Suricata's configuration ships with, plus the ones Snort's
 * community rules use. Strings are borrowed.
 */
#include <stdbool.h>
#include <stdint.h>
#include "ips/base/span.h"
#include "rules/ruleset.h"

struct builder;

struct variables {
    const struct ruleset_var *own; /* the caller's, looked at first */
    uint32_t n_own;
    struct ruleset_var *defined; /* by lines of rule files; heap, the strings lie in the ruleset's arena */
    size_t n_defined, cap_defined;
};

void variables_fini(struct variables *v);
/* A line of a rule file gives the variable a value, for the rules behind it. False: memory is out. */
bool variables_define(struct builder *b, struct span name, struct span value);
/* The name that was probably meant; NULL when none is near. */
const char *variables_suggest(const struct variables *v, struct span name);

/* NULL when there is no such variable. The result's pointers live as long as the caller's array. */
const struct ruleset_var *variables_lookup(const struct variables *v, struct span name);
#endif
