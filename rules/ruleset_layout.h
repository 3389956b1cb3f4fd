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
#include "rules/iplist.h"
#include "rules/ruleset.h"

/* One compiled keyword. Which union member holds is the keyword's business (rules/kw/<keyword>.c). */
enum step_flow {
    STEP_TEST,   /* about the packet as a whole: match() decides once, before any search */
    STEP_SEARCH, /* content, pcre: has a cursor; retried from its match start + 1 when a successor fails */
    STEP_AT, /* looks at one place of a buffer (byte_test, isdataat, ...): decides once, in the rule's order; may
                move the cursor or set a variable */
};
enum step_sees { /* which of a packet's bytes it needs to hold; what is negated needs none */
                 SEES_NOTHING,
                 SEES_PAYLOAD,
                 SEES_MADE, /* what a transform made of the payload */
};
#define SPAN_OPEN     INT32_MAX
#define STEPS_MAX     255 /* of one rule */
#define STEP_NO_RETRY 255 /* this step's failure is the rule's: no other match of an earlier step can help */
struct step;
typedef bool (*step_match_fn)(const struct step *s, struct eval *e);

struct step {
    step_match_fn
        match;       /* STEP_TEST: the test; STEP_SEARCH: finds the next match at or after e->search_from */
    uint8_t flow;    /* enum step_flow */
    uint16_t buffer; /* slot it looks into: enum buffer_id, or BUF_N + number of a transformed buffer */
    uint8_t flags;   /* the keyword's own */
    bool relative;   /* starts at the cursor of the previous match */
    bool negated;
    bool replaces;      /* content: behind data's len bytes stand as many to write over the match */
    bool next_relative; /* the failure of a later step makes this one go on */
    uint8_t retry;   /* step of the rule (0 = its first) to search on when this one fails, or STEP_NO_RETRY */
    bool new_buffer; /* first step in its buffer: the cursor starts at 0 */
    bool
        settles; /* search: where a match of it did not help once, it never will, from wherever it is found */
    uint8_t from; /* the step whose end it starts from, or STEP_NO_RETRY: its buffer's start */
    uint16_t len;
    uint8_t sees;       /* enum step_sees */
    int32_t a, b, c, d; /* keyword's numbers: offset, depth, distance, within; ranges; masks */
    int32_t span;       /* it looks at no byte further than this behind where it starts from, or SPAN_OPEN */
    const void *data;   /* in the arena: pattern bytes, pcre2 code */
};

struct rule_ref { /* a rule behind a fast pattern */
    uint32_t rule;
    uint32_t gate; /* enum fact_flag that must all be set for the rule to be worth a look, or GATE_NEVER */
};
#define GATE_NEVER (1u << 31) /* no fact: the rule is dormant */

#define EXPRS_OPEN UINT32_MAX

struct prefilter { /* the fast patterns of one buffer, for packets of one or more protocols and directions */
    hs_database_t *db;    /* patterns 0 .. n_literals - 1, compiled as literals; NULL when there is none */
    hs_database_t *exprs; /* the others: expressions of rules that have no literal; NULL when there is none */
    uint32_t n_literals, n_patterns;
    uint32_t longest;            /* bytes of the longest literal */
    uint32_t exprs_longest;      /* of the longest match of an expression, or EXPRS_OPEN */
    const uint32_t *first;       /* rules of pattern i: refs[first[i]] .. refs[first[i + 1] - 1] */
    const struct rule_ref *refs; /* ascending rule indices within a pattern */
};

struct scan { /* what a buffer means for a packet that has it */
    uint32_t slot;
    const struct prefilter *pf;  /* NULL: no fast patterns */
    struct rule_list candidates; /* rules without a fast pattern that look into this buffer */
};

struct scan_list { /* by the packet's protocol and direction */
    const struct scan *v;
    uint32_t n_packet; /* the first ones are of packets' buffers, the others of parsers' */
    uint32_t n;
};

/*
 * Rules without a fast pattern, for each kind of packet: by protocol (PROTO_IP: neither TCP, UDP nor ICMP; `ip` rules
 * stand in all) and ruleset_always_key(). Equal lists are one.
 */
#define ALWAYS_KEYS 2048
struct always {
    uint16_t list[PROTO_N][ALWAYS_KEYS];
    const struct rule_list *lists;
    uint32_t n_lists;
};

struct rule_cost; /* ips/detect/profile.h */

/* What one worker needs to scan with this ruleset; made by the builder so that workers never allocate. */
struct ruleset_worker {
    hs_scratch_t *scratch;
    uint64_t *seen;       /* bitmap over rules: candidate already noted; cleared by whoever set it */
    uint32_t *candidates; /* room for n_rules */
    uint32_t *spent_ns;   /* a row for each rule: what trying it took lately, sampled (ips/detect/costs.c) */
    uint64_t *out;        /* bitmap over rules: left out for now */
    struct rule_cost
        *costs; /* a row for each rule while rules are profiled, else NULL; ips/detect/profile.h */
};

struct ruleset {
    uint32_t generation, n_rules, n_steps;
    uint8_t asks; /* enum rule_ask */
    const struct rule *rules;
    const struct step *steps;
    const struct rule_info *info;
    struct scan_list scans[PROTO_N][2];   /* [1]: to_client */
    const struct buffer_ref *transformed; /* what slot BUF_N + i is made of */
    uint32_t n_transformed;
    const struct always *always;
    struct rule_list anomalous; /* rules without a fast pattern that ask for an anomaly */
    struct iplist ip_once; /* rules by address that are decided once per flow and direction (RULE_IP_ONLY) */
    struct iplist ip_each; /* rules by address that are tried on each packet */
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
    void *geoip; /* MMDB_s, when a rule asks for it */
    const struct disabled_rule *disabled;
    uint32_t n_disabled;
    const struct reference_kind *references; /* rules/references.h */
    size_t n_references;
    void **pcre_codes; /* pcre2_code *, n_pcre_codes of them; steps borrow them */
    uint32_t n_pcre_codes;
    struct dataset_use *datasets; /* rules/datasets.h; released with the ruleset */
    uint32_t n_datasets;
    const struct rule_filter *filters;
    const struct filter_list *limits; /* rule.limits is an index into it; element 0 is empty */
    struct prefilter *prefilters;     /* all of them; scans point here */
    uint32_t n_prefilters;
    struct rule_cost *costs; /* heap; of all workers, n_rules each. Stays when profiling stops, to be shown */
    void (*release)(struct ruleset *rs); /* frees what is outside the arena (pcre2 codes, databases) */
};

/* The protocol under which a packet's rules are kept. */
static inline enum rule_proto ruleset_proto_of(const struct facts *f)
{
    return f->flags & FACT_TCP    ? PROTO_TCP
           : f->flags & FACT_UDP  ? PROTO_UDP
           : f->flags & FACT_ICMP ? PROTO_ICMP
                                  : PROTO_IP;
}

/* TCP flags or ICMP type, whether there is a payload, the direction, whether RULE_IP_ONLY rules were decided before. */
static inline uint32_t ruleset_always_key(const struct facts *f, bool ip_only_done)
{
    uint32_t value = f->flags & FACT_TCP ? f->tcp_flags : f->flags & FACT_ICMP ? f->icmp_type : 0;

    return value | (f->payload_len > 0 ? 0x100 : 0) | (f->flags & FACT_TO_CLIENT ? 0x200 : 0) |
           (ip_only_done ? 0x400 : 0);
}

bool ruleset_addr_in(const struct ruleset *rs, uint16_t set, const uint8_t addr[16]);
bool ruleset_port_in(const struct ruleset *rs, uint16_t set, uint16_t port);
/* Protocol, addresses, ports, direction, flow state, and that there is a payload when the rule looks into one. */
bool ruleset_header_match(const struct ruleset *rs, const struct rule *r, const struct facts *f);
/* Whether a drop or pass by this rule, having matched this packet or the stream that it belongs to, holds for the rest of
 * the flow. */
bool ruleset_holds_for_flow(const struct rule *r, bool in_stream);
#endif
