/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_RULESET_LAYOUT_H
#define SLUICE_RULES_RULESET_LAYOUT_H
/*
 * The inside of a ruleset, for its builder (rules/) and its reader (ips/detect/). Read-only once published,
 * but for `workers`, of which each worker writes its own element only.
 */
#include <hs/hs.h>
#include "rules/eval.h"
#include "rules/filter.h"
#include "rules/ruleset.h"

/* One compiled keyword. Which union member holds is the keyword's business (rules/kw/<keyword>.c). */
enum step_flow {
    STEP_TEST,   /* about the packet as a whole: match() decides once, before any search */
    STEP_SEARCH, /* content, pcre: has a cursor; retried from its match start + 1 when a successor fails */
    STEP_AT, /* looks at one place of a buffer (byte_test, isdataat, ...): decides once, in the rule's order; may
                move the cursor or set a variable */
};
#define STEPS_MAX     255 /* of one rule */
#define STEP_NO_RETRY 255 /* this step's failure is the rule's: no other match of an earlier step can help */
struct step;
typedef bool (*step_match_fn)(const struct step *s, struct eval *e);

struct step {
    step_match_fn
        match;      /* STEP_TEST: the test; STEP_SEARCH: finds the next match at or after e->search_from */
    uint8_t flow;   /* enum step_flow */
    uint8_t buffer; /* slot it looks into: enum buffer_id, or BUF_N + number of a transformed buffer */
    uint8_t flags;  /* the keyword's own */
    bool relative;  /* starts at the cursor of the previous match */
    bool negated;
    bool replaces;      /* content: behind data's len bytes stand as many to write over the match */
    bool next_relative; /* the failure of a later step makes this one go on */
    uint8_t retry;   /* step of the rule (0 = its first) to search on when this one fails, or STEP_NO_RETRY */
    bool new_buffer; /* first step in its buffer: the cursor starts at 0 */
    uint16_t len;
    int32_t a, b, c, d; /* keyword's numbers: offset, depth, distance, within; ranges; masks */
    const void *data;   /* in the arena: pattern bytes, pcre2 code */
};

struct prefilter {     /* literals of one buffer; hs_compile_lit_multi, id = pattern number */
    hs_database_t *db; /* NULL when no rule has a fast pattern in this buffer */
    uint32_t n_patterns;
    const uint32_t *first; /* rules of pattern i: rules[first[i]] .. rules[first[i + 1] - 1] */
    const uint32_t *rules; /* ascending rule indices */
};

struct rule_list {
    const uint32_t *v; /* ascending rule indices */
    uint32_t n;
};

/* What one worker needs to scan with this ruleset; made by the builder so that workers never allocate. */
struct ruleset_worker {
    hs_scratch_t *scratch;
    uint64_t *seen;       /* bitmap over rules: candidate already noted; cleared by whoever set it */
    uint32_t *candidates; /* room for n_rules */
};

struct ruleset {
    uint32_t generation, n_rules, n_steps;
    const struct rule *rules;
    const struct step *steps;
    const struct rule_info *info;
    struct prefilter prefilter[BUF_SLOTS];
    const struct buffer_ref *transformed; /* what slot BUF_N + i is made of */
    uint32_t n_transformed;
    struct rule_list
        always[PROTO_N]; /* rules without a fast pattern, by the packet's protocol (PROTO_IP: neither
                                         TCP, UDP nor ICMP); `ip` rules stand in every list */
    struct ruleset_worker workers[64];
    uint32_t n_workers;
    struct ruleset_stats stats;
    const struct policy_report *policy; /* one per line of the policy */
    uint32_t n_policy;
    struct arena *arena;
    /* address and port sets: rules/sets.h */
    const struct addr_set *addr_sets;
    const struct port_set *port_sets;
    uint32_t n_addr_sets, n_port_sets;
    void *geoip;       /* MMDB_s, when a rule asks for it */
    void **pcre_codes; /* pcre2_code *, n_pcre_codes of them; steps borrow them */
    uint32_t n_pcre_codes;
    const struct rule_filter *filters;
    const struct filter_list *limits; /* rule.limits is an index into it; element 0 is empty */
    void (*release)(struct ruleset *rs); /* frees what is outside the arena (pcre2 codes, databases) */
};

bool ruleset_addr_in(const struct ruleset *rs, uint16_t set, const uint8_t addr[16]);
bool ruleset_port_in(const struct ruleset *rs, uint16_t set, uint16_t port);
/* Protocol, addresses, ports, direction, flow state, and that there is a payload when the rule looks into one. */
bool ruleset_header_match(const struct ruleset *rs, const struct rule *r, const struct facts *f);
/* Whether a drop or pass by this rule, having matched this packet, holds for the rest of the flow. */
bool ruleset_holds_for_flow(const struct rule *r, const struct facts *f);
#endif
