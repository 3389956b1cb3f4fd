/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_NAMES_H
#define SLUICE_RULES_NAMES_H
/* Private to rules/. Words a line of a rule file may start with: actions and protocols, one table row each. */
#include <stdbool.h>
#include "ips/base/span.h"
#include "rules/ruleset.h"

struct header_word {
    const char *word;
    int id;              /* enum rule_action or rule_proto; -1: known, but not supported */
    const char *remedy;  /* when not supported: what to write instead */
    uint8_t dialects;    /* IN_*; 0: all */
    bool packet_only;    /* single packets, never reassembled bytes */
    bool dormant;        /* nothing does what it asks for yet */
    uint32_t rule_flags; /* enum rule_flag that come with it */
};

/* NULL when the word is in no table. */
const struct header_word *names_action(struct span word);
const struct header_word *names_proto(struct span word);
bool names_is_action(struct span word);
/* How far an action of Snort's rules reaches: true when a drop or pass holds for the flow. */
bool names_action_holds_for_flow(const struct header_word *action, uint8_t dialect);
#endif
