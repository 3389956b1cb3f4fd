/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_DETECT_EVAL_H
#define SLUICE_DETECT_EVAL_H
/*
 * One rule's options against one packet. The caller has matched the header (ruleset_header_match) and filled e:
 * facts, the buffers at hand, scratch of its own worker, steps_left (the bound on backtracking of this rule).
 * eval_rule() sets the cursor fields itself, so one struct eval serves all candidates of a packet; it only ever
 * lowers steps_left and sets hit_step_limit / hit_pcre_limit, which the caller counts and clears.
 * Worker thread; no allocation, no system call, no recursion.
 */
#include "rules/eval.h"
#include "rules/ruleset.h"

/* True when every step of r holds. A rule without steps holds. */
bool eval_rule(const struct ruleset *rs, const struct rule *r, struct eval *e);
/* What r does when it has matched: the steps behind those that must hold. */
void eval_post(const struct ruleset *rs, const struct rule *r, struct eval *e);
#endif
