/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_POLICY_PARTS_H
#define SLUICE_RULES_POLICY_PARTS_H
/*
 * Private to rules/. What a policy looks at in a rule, and what it says about it. Both come from the rule's text,
 * before it is parsed: a rule that is turned off costs nothing and cannot be an error, and modify.conf may mend one
 * that would be.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include "ips/base/arena.h"
#include "rules/classes.h"
#include "rules/policy.h"

#define POLICY_METADATA_MAX 16 /* metadata options of one rule */

struct policy_facts {
    struct span text;   /* without '#' */
    struct span action; /* its first word */
    const char *file;
    uint32_t gid, sid, rev, severity; /* sid 0: the text has none */
    struct span msg, classtype;       /* as written, without quotes */
    struct span metadata[POLICY_METADATA_MAX];
    uint32_t n_metadata;
    bool enabled; /* no '#' before it */
    bool noalert; /* noalert, or flowbits:noalert */
};

/* The caller sets file and enabled. (policy_facts.c) */
void policy_facts_read(struct policy_facts *f, struct span text, const struct classes *classes);

/* An option of a rule's text: "name" or "name:value", neither trimmed nor unquoted. (policy_facts.c) */
struct span policy_rule_options(struct span text);
bool policy_option_next(struct span *rest, struct span *name, struct span *value);

#define POLICY_SEEN_MAX 64 /* lines that are named for one rule */

struct policy_outcome {
    struct span text; /* to be parsed: the rule's own, or `changed` */
    char *changed;    /* heap; NULL when no modify line changed anything */
    bool enabled;
    bool struck; /* not enabled, because it stalled workers: nothing can turn it on */
    int action;  /* enum policy_verb up to POLICY_REJECT; -1: as it is written */
    /* the lines that had the last word; NULL: the rule file */
    const struct policy_report *enabled_by, *action_by, *changed_by;
    const struct policy_report *kept_from;             /* would have made it drop or reject but for noalert */
    const struct policy_report *seen[POLICY_SEEN_MAX]; /* all that fit, in order */
    uint32_t n_seen;                                   /* of them; may be more than have room */
};

/* Asks every line about the rule and counts. 0, or -ENOMEM. (policy_apply.c) */
int policy_apply(struct policy *p, const struct policy_facts *facts, const struct classes *classes,
                 struct policy_outcome *o);
void policy_outcome_fini(struct policy_outcome *o);
/* Every line's report into out, their strings into the arena. False: memory is out. */
bool policy_reports_copy(const struct policy *p, struct arena *a, struct policy_report *out);

/* --- between policy.c and policy_apply.c ------------------------------------------------------------------ */

struct policy_value {
    uint32_t lo, hi;  /* numbers: both inside */
    int64_t gid, rev; /* -1: any */
    const char *text; /* as written */
    pcre2_code *code;
};

struct policy_test {        /* holds when one of the values fits; no values: not asked */
    struct policy_value *v; /* in the arena, doubled when full */
    uint32_t n, cap;
};

struct policy_line {
    struct policy_report report; /* first: policy_report_index() */
    struct policy_test tests[POLICY_KEY_N];
    bool local;
    pcre2_code *from; /* POLICY_MODIFY */
    const char *to;   /* in pcre2_substitute()'s form */
    uint32_t index;
};

struct policy_id { /* a line that asks for one sid, and stands in `by_sid` for it */
    uint32_t sid, line;
};

struct policy {
    struct arena *arena;
    struct policy_line **lines;
    uint32_t n, cap;
    pcre2_code **codes;
    uint32_t n_codes, cap_codes;
    pcre2_match_data *match;
    pcre2_match_context *match_ctx;
    /* made when the first rule is asked about: lines that name plain sids by sid, the others as they stand */
    struct policy_id *by_sid;
    uint32_t *others;
    uint32_t n_ids, n_others;
    bool sealed;
};

/* Of a report that is in a policy's line. */
static inline uint32_t policy_report_index(const struct policy_report *r)
{
    return ((const struct policy_line *)r)->index;
}

/* Whether the line's selectors fit. */
bool policy_line_fits(struct policy *p, struct policy_line *l, const struct policy_facts *f);
int policy_regex_compile(struct policy *p, struct span text, uint32_t options, pcre2_code **out,
                         struct err *e);
/* 1 match, 0 none, -1 a limit was hit. */
int policy_regex_match(struct policy *p, const pcre2_code *code, struct span text);
#endif
