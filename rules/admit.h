/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_ADMIT_H
#define SLUICE_RULES_ADMIT_H
/*
 * Private to rules/. A rule's way from its file to the builder, as far as the policy has a say in it:
 *
 *     if (admit_rule(b, t, file, &a)) {          is it loaded at all?
 *         reset b->draft for a.text, parse it, check it
 *         admit_parsed(b, &a);                   its action
 *         ... keep the draft or count it as rejected
 *     }
 *     admit_end(&a);
 */
#include "rules/policy_parts.h"
#include "rules/source.h"

struct builder;

struct admission {
    const struct rule_text *given; /* as the file has it */
    const struct rule_text *text;  /* to be parsed: given, or changed by modify.conf */
    const char *file;
    struct policy_outcome policy;
    struct policy_facts facts; /* of the given text; only with a policy, or for explain */
    struct rule_text changed;
    struct text_piece piece;
    size_t n_errors; /* in the builder's list before the rule was parsed */
};

/* False: the rule is not loaded, which is no error. */
bool admit_rule(struct builder *b, const struct rule_text *t, const char *file, struct admission *a);
/* b->draft holds what came of a->text. From here on a->given stands for the rule in errors. */
void admit_parsed(struct builder *b, struct admission *a);
void admit_end(struct admission *a);
#endif
