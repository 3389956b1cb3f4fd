/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_VARIABLES_H
#define SLUICE_RULES_VARIABLES_H
/*
 * Private to rules/. $NAME in a rule header. The defaults are those Suricata's configuration ships with, plus the
 * ones Snort's community rules use; the caller's values come first. Strings are borrowed.
 */
#include <stdint.h>
#include "ips/base/span.h"
#include "rules/ruleset.h"

struct variables {
    const struct ruleset_var *own; /* the caller's, looked at first */
    uint32_t n_own;
};

/* NULL when there is no such variable. The result's pointers live as long as the caller's array. */
const struct ruleset_var *variables_lookup(const struct variables *v, struct span name);
#endif
