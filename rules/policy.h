/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_POLICY_H
#define SLUICE_RULES_POLICY_H
/*
 * The operator's layer over rules that others wrote: which of them are loaded, and what they do when they match. An
 * ordered list of lines; each has selectors, which must all fit a rule, and a verb. The lines come from policy.yaml
 * (ips/control/policy_yaml.c) and from suricata-update's files (rules/suricata_update.c).
 *
 * Two things are decided for a rule, each by the last line that fits and speaks about it: whether it is loaded (off,
 * on) and its action; whom a drop blocks for a time is part of the action. An action of policy.yaml also takes back an `off` of policy.yaml, because it comes later; it
 * does not load what the rule file disables. A rule with noalert is never made to drop or reject: it sets flowbits
 * for others and matches ordinary traffic.
 *
 * A policy is made for one ruleset_build(), which counts in it; nothing of it outlives that but the reports. One
 * control thread.
 */
#include <stdbool.h>
#include <stdint.h>
#include "ips/base/err.h"
#include "ips/base/span.h"

enum policy_verb {
    POLICY_ALERT,
    POLICY_PASS,
    POLICY_DROP,
    POLICY_REJECT,
    POLICY_OFF,
    POLICY_ON,
    POLICY_MODIFY, /* modify.conf: the rule's text is changed */
    POLICY_VERB_N
};

enum policy_key { /* selectors; cheap ones first, since they are asked in this order */
                  POLICY_ALL,
                  POLICY_SID,
                  POLICY_GID,
                  POLICY_SEVERITY,
                  POLICY_CLASSTYPE,
                  POLICY_FILE,
                  POLICY_METADATA,
                  POLICY_MSG,
                  POLICY_MSG_REGEX,
                  POLICY_REGEX,
                  POLICY_KEY_N
};

#define POLICY_LINES_MAX 200000

/* What became of a line. Strings live as long as whoever gave the report: a policy, or a ruleset. */
struct policy_report {
    const char *file, *selects; /* selects: in words, as a person would write them */
    const char *reason;         /* "" when none was given */
    uint32_t line;
    uint8_t verb;       /* enum policy_verb */
    uint8_t block_side; /* enum rule_block_side, of drop and reject */
    uint32_t block_s;
    uint32_t n_matched; /* rules that its selectors fit */
    uint32_t n_decided; /* of these: those it had the last word on */
    uint32_t n_off;     /* of these: not loaded in the end, so that an action means nothing */
    uint32_t n_kept;    /* of these: not turned into drop or reject because of noalert */
    uint32_t n_limit;   /* rules on which an expression of the line gave up; taken as not fitting */
};

struct policy;
struct policy_line;

struct policy *policy_new(void); /* NULL: no memory */
void policy_free(struct policy *p);
uint32_t policy_n_lines(const struct policy *p);
const struct policy_report *policy_line_report(const struct policy *p, uint32_t index);

/* Adds a line at the end; NULL when memory is out or there are POLICY_LINES_MAX. `local`: from policy.yaml. */
struct policy_line *policy_line_add(struct policy *p, enum policy_verb verb, const char *file, uint32_t line,
                                    bool local);
/*
 * One more value that a selector may have (any of them fits), as text:
 *   sid        N, N-M, GID:N, GID:N-M, GID:N:REV      gid, severity   N, N-M
 *   classtype  name, may be a glob                     all             yes
 *   file       glob over the file's name with or without its extension; with a slash, over the end of its path
 *   metadata   "key value", may be a glob, or "key"    msg             a part of it
 *   msg_regex, regex (over the whole rule)             PCRE2, letters of either case
 * -EINVAL with what and remedy in e, or -ENOMEM.
 */
int policy_line_select(struct policy *p, struct policy_line *l, enum policy_key key, struct span value,
                       struct err *e);
int policy_line_reason(struct policy *p, struct policy_line *l, struct span reason);
/* Whom a drop by this line blocks and for how long: "src 10m"; dst, client, server; s, m, h, d. For drop and reject. */
int policy_line_block(struct policy_line *l, struct span text, struct err *e);
/* "src 10m", "" when the line blocks nobody. Returns buf. */
const char *policy_block_name(uint8_t side, uint32_t seconds, char *buf, size_t size);
/* What to change and into what, for POLICY_MODIFY: a PCRE2 expression, and text with \1 or ${1}. */
int policy_line_modify(struct policy *p, struct policy_line *l, struct span from, struct span to,
                       struct err *e);
/* The line is complete: checks that it selects something and does not stand against another line. */
int policy_line_finish(struct policy *p, struct policy_line *l, struct err *e);

const char *policy_verb_name(enum policy_verb v);
enum policy_verb policy_verb_lookup(struct span word); /* POLICY_VERB_N: no such verb */
const char *policy_key_name(enum policy_key k);
enum policy_key policy_key_lookup(struct span word); /* POLICY_KEY_N: no such key */

/* Whether the line did nothing, or not what it says; e then tells why, and where. After a build. */
bool policy_report_warning(const struct policy_report *r, struct err *e);
#endif
