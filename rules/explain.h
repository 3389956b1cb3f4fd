/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_EXPLAIN_H
#define SLUICE_RULES_EXPLAIN_H
/*
 * What becomes of one rule, and why: every text with its sid that the rule files hold, disabled ones too, read and
 * parsed afresh. So nothing has to be kept beside a ruleset for rules that are not in it.
 */
#include <stdbool.h>
#include <stdint.h>
#include "ips/base/arena.h"
#include "ips/base/err.h"
#include "rules/ruleset.h"

struct explain_list {
    const char **v;
    uint32_t n, cap;
};

/*
 * One text with the sid. Strings live in the explanation's arena; "" or NULL: nothing to say. What a rule looks for is
 * there when its text could be parsed.
 */
struct explained {
    const char *file;
    uint32_t line, gid, sid, rev;
    uint64_t text_hash;               /* of what was parsed */
    bool loaded;                      /* it would be in a ruleset, dormant or not */
    const char *state;                /* loaded, dormant, rejected, skipped, disabled, off, replaced */
    const char *why;                  /* of the state */
    const char *text;                 /* as the file has it, without '#' */
    const char *changed, *changed_by; /* by modify.conf */
    const char *dialect;
    const char *written;            /* action, in the file */
    const char *action, *action_by; /* in the end, and the policy line that says so */
    struct explain_list policy;     /* all lines that fit */
    const char *header, *inspects, *fast_pattern, *verdict;
    struct explain_list steps;   /* in the order in which they are evaluated */
    struct explain_list effects; /* what it does when all held */
    struct explain_list limits;  /* between a match and its alert */
    struct explain_list errors;
};

struct explanation {
    struct arena *arena;
    struct explained *v; /* heap */
    uint32_t n, cap;
};

/*
 * gid -1: any. 0, with n = 0 when no file has the sid; negative with e filled when files cannot be read. The policy
 * of src counts only what is explained here. In any case the caller ends it with explain_fini().
 */
int explain_rule(const struct ruleset_source *src, int64_t gid, uint32_t sid, struct explanation *out,
                 struct err *e);
void explain_fini(struct explanation *x);
#endif
