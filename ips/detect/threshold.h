/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_DETECT_THRESHOLD_H
#define SLUICE_DETECT_THRESHOLD_H
/*
 * A rule has matched: does it alert, and does it act? Worker thread.
 */
#include "ips/io/packet.h"
#include "rules/memory.h"
#include "rules/ruleset_layout.h"

enum threshold_answer {
    THRESHOLD_NOTHING, /* no alert and no action: the count is not reached */
    THRESHOLD_SILENT,  /* the action and no alert */
    THRESHOLD_ALERT,
};

struct threshold_verdict {
    enum threshold_answer answer;
    enum rule_action action; /* the rule's, or a rate_filter's */
    bool by_rate_filter;
};

/* All filters of a rule but its tags, in order. */
struct threshold_verdict threshold_ask(const struct ruleset *rs, uint32_t rule, const struct packet *p,
                                       const struct memory *m);

/* The counting itself, without the table: one entry, one more match. *active: the rate filter changes the action. */
struct threshold_step {
    const struct rule_filter *filter;
    uint64_t now_ms;
    bool distinct; /* unique_on: this value is new in the window */
    enum threshold_answer answer;
    bool active;
};
bool threshold_count(struct track_value *v, bool alive, void *step);
#endif
