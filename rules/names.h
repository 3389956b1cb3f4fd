/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_NAMES_H
#define SLUICE_RULES_NAMES_H
/* Private to rules/. Words of the rule header: action and protocol, one table row each. */
#include <stdbool.h>
#include "ips/base/span.h"
#include "rules/ruleset.h"

struct header_word {
    const char *word;
    int id;             /* enum rule_action or rule_proto; -1: known, but not supported */
    const char *remedy; /* when not supported: what to write instead */
};

/* NULL when the word is in no table. */
const struct header_word *names_action(struct span word);
const struct header_word *names_proto(struct span word);
bool names_is_action(struct span word);
#endif
