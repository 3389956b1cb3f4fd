/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_RULESET_H
#define SLUICE_RULES_RULESET_H
/*
 * The finished product of rules/: one immutable object in one arena. Built by a control thread, read by every
 * worker without locks, swapped by RCU, freed by ruleset_free() after a grace period. Nothing that outlives a
 * burst may point into it: keep rule ids (sid, gid) and the generation instead.
 *
 * Rules are sorted by the order in which they are evaluated on a packet (action order pass > drop > reject >
 * alert, then what writes flowbits, flowints, hostbits and xbits before what reads it, then priority, then load order), so a rule's index is its rank: candidates sorted by index are
 * candidates in order.
 */
#include <stdbool.h>
#include <stdint.h>
#include "ips/base/span.h"
#include "ips/base/arena.h"
#include "ips/base/err.h"
#include "rules/buffers.h" /* enum buffer_id: what rules look into */

struct hs_database;
struct hs_scratch;
struct policy;
struct policy_report;

enum rule_action {
    ACTION_PASS,
    ACTION_DROP,
    ACTION_REJECT, /* RST to both ends of a TCP connection, ICMP unreachable to the sender otherwise */
    ACTION_ALERT,
    ACTION_N
};

enum rule_dialect { /* whose reading of the same words holds */
                    DIALECT_SURICATA,
                    DIALECT_SNORT3,
                    DIALECT_SNORT2,
                    DIALECT_AUTO /* of a ruleset_source only: each file by what it holds (rules/dialect.c) */
};

enum rule_proto { /* of the header; app-layer protocols come with their parsers */
                  PROTO_IP,
                  PROTO_TCP,
                  PROTO_UDP,
                  PROTO_ICMP, /* ICMP and ICMPv6 */
                  PROTO_N
};

enum rule_flag {
    RULE_BIDIRECTIONAL = 1 << 0, /* <> */
    RULE_NOALERT = 1 << 1,
    RULE_ESTABLISHED = 1 << 2, /* flow:established */
    RULE_NOT_ESTABLISHED = 1 << 3,
    RULE_TO_SERVER = 1 << 4, /* flow:to_server */
    RULE_TO_CLIENT = 1 << 5,
    RULE_DROPS_FLOW = 1 << 6, /* drop/pass holds for the flow, not just this packet (RULES.md trap 40) */
    RULE_NEEDS_FLOW = 1 << 7, /* has a flow option: a packet without a flow cannot match */
    RULE_IP_ONLY = 1 << 8,    /* header only: decided by the first packet of each direction */
    RULE_ANY_SRC = 1 << 9,    /* header field is `any`: skip the lookup */
    RULE_ANY_DST = 1 << 10,
    RULE_ANY_SPORT = 1 << 11,
    RULE_ANY_DPORT = 1 << 12,
    RULE_NEEDS_PAYLOAD =
        1 << 13, /* looks into the payload: a packet without one cannot match, not even by negation */
    RULE_DROPS_STREAM = 1 << 14, /* stream rule: drop/pass holds for the flow when it matched in its stream */
    RULE_NO_STREAM = 1 << 15,    /* flow:no_stream: single packets only, never reassembled bytes */
    RULE_ONLY_STREAM = 1 << 16,  /* flow:only_stream */
    RULE_ONLY_FRAG = 1 << 20,    /* flow:only_frag: datagrams that were put together from fragments */
    RULE_NO_FRAG = 1 << 21,      /* flow:no_frag: the others */
    RULE_IPV4 = 1 << 22,         /* ipv4, ipv6, sctp: the header's protocol says more than `proto` */
    RULE_IPV6 = 1 << 23,
    RULE_SCTP = 1 << 24,
    RULE_ANY_PACKET = 1 << 28, /* pkthdr: not even IP is wanted */
    RULE_DORMANT =
        1
        << 17, /* loaded and compiled, never evaluated: what it asks about does not exist yet (info.dormant) */
    RULE_REPLACES = 1 << 18, /* replace: a match in-line changes bytes of the packet (struct eval.replaced) */
    RULE_BYPASS = 1 << 19,   /* bypass: a match ends the inspection of the flow */
    /* In TCP, what it is tried on (rules/check.c). Where there is no stream a stream rule is tried on the packet. */
    RULE_PACKET = 1 << 26,
    RULE_STREAM = 1 << 27,
    RULE_APP = 1 << 29,     /* of flows that speak one of `apps` */
    RULE_SERVICE = 1 << 30, /* the same where it is known, whatever the ports; else by its ports */
    RULE_TX = INT32_MIN,    /* looks into what parsers publish: tried when they do */
    RULE_LATE = 1 << 25,    /* may match with bytes that come after its fast pattern (rules/fastpattern.c) */
};

enum rule_target {
    TARGET_UNKNOWN,
    TARGET_SRC,
    TARGET_DST
}; /* which end of a packet is attacked, for events */

/* Hot part of a rule: what header checking and evaluation touch. */
struct rule {
    uint32_t flags;        /* enum rule_flag */
    uint8_t action;        /* enum rule_action */
    uint8_t proto;         /* enum rule_proto */
    uint8_t n_steps;       /* that must hold */
    uint8_t n_post;        /* steps behind them: what the rule does when they held (flowbits:set) */
    uint16_t src, dst;     /* address sets (index for ruleset_addr_in) */
    uint16_t sport, dport; /* port sets (index for ruleset_port_in) */
    uint32_t first_step;   /* index into the step array */
    uint32_t limits;       /* thresholds and suppressions: index into the ruleset's lists, 0 = none */
    uint64_t apps;         /* RULE_APP, RULE_SERVICE: APP_BIT()s */
};

/* Whom a drop of the rule blocks for a time (policy.yaml's `block`). */
enum rule_block_side {
    RULE_BLOCK_NOBODY,
    RULE_BLOCK_SRC,    /* the source of the packet that was dropped */
    RULE_BLOCK_DST,    /* its destination */
    RULE_BLOCK_CLIENT, /* who opened the flow; without a flow: as src */
    RULE_BLOCK_SERVER, /* the other end; without a flow: as dst */
};
#define RULE_BLOCK_MAX_S (30u * 86400)

/* Cold part: what an event says. Strings live in the arena, NUL-terminated. */
struct rule_info {
    uint32_t sid, gid, rev;
    uint32_t priority; /* 1 is the gravest; `severity` in EVE */
    uint64_t apps;     /* APP_BIT()s of the application protocols it is about; 0: of none in particular */
    const char *msg;
    const char *classtype;         /* short name; "" when none */
    const char *category;          /* the description in classification.config; "" when none */
    const char *metadata;          /* as written; "" when none */
    const char *const *references; /* "type,value", n_references of them */
    uint32_t n_references;
    const char *file;
    uint32_t line;
    uint64_t text_hash;                 /* of what was parsed, to tell whether the file has changed since */
    const struct policy_report *policy; /* the line that decided its action; NULL: it is as written */
    uint8_t target;                     /* enum rule_target */
    uint8_t filestore;                  /* enum filestore: files to keep when it has matched */
    uint8_t block_side;                 /* enum rule_block_side; RULE_BLOCK_NOBODY: a drop blocks nobody */
    uint32_t block_s;                   /* for so long, at most RULE_BLOCK_MAX_S */
    const char *dormant; /* RULE_DORMANT: the word of the rule that has nothing behind it; NULL otherwise */
};

struct ruleset; /* laid out in rules/ruleset_layout.h, which only rules/ and ips/detect/ include */

/* What to build from. All pointers are borrowed for the call. */
struct ruleset_var {
    const char *name, *value; /* NAME without '$', VALUE as in a rule file */
};
struct rule_id {
    uint32_t gid, sid;
};
struct ruleset_source {
    const char *const *files; /* paths; a glob is expanded by the caller */
    uint32_t n_files;
    const struct ruleset_var *vars; /* override the defaults of rules/variables.c */
    uint32_t n_vars;
    const char *classification_file; /* NULL: the built-in table */
    const char *reference_file;      /* NULL: the built-in table */
    const char *geoip_database;      /* a MaxMind country file; NULL: rules with geoip are dormant */
    uint32_t n_workers;              /* scratch for so many; at least 1 */
    uint32_t generation;
    uint8_t dialect;                   /* enum rule_dialect: what the files are read as */
    bool strict;                       /* any error refuses the whole load */
    const char *state_dir;             /* where rules may have datasets saved; NULL: beside their file */
    const char *reputation_categories; /* NULL: rules with iprep are dormant */
    const char *const *reputation_files;
    uint32_t n_reputation_files;
    const char *threshold_file;   /* Snort's and Suricata's threshold.config; NULL: none */
    struct policy *policy;        /* rules/policy.h; counts in it. NULL: rules as they are written */
    const struct rule_id *struck; /* that stalled workers: left out, whatever the policy says */
    uint32_t n_struck;
    const char *cache_dir;          /* compiled pattern databases are kept here; NULL: nowhere */
    bool cache_read_only;           /* use what is there, keep nothing */
    uint8_t action_order[ACTION_N]; /* rank of each action, 0 first; all zero = the default order */
};

/* A rule that stands in a file and is not loaded: behind a '#' there, turned off by the policy, or struck. */
struct disabled_rule {
    uint32_t sid, gid, rev, line;
    bool struck;
    const char *file, *msg; /* "" when there is none */
};

/* What rules ask about that costs something to know; the first three are enum digest_kind's bits (ips/app). */
enum rule_ask {
    ASK_MD5 = 1 << 0,
    ASK_SHA1 = 1 << 1,
    ASK_SHA256 = 1 << 2,
    ASK_HASHES = 7,
    ASK_GROWN = 1 << 3, /* how long it is while it comes */
    ASK_STORE = 1 << 4, /* filestore */
    ASK_JA3 = 1 << 5,   /* fingerprints of hellos */
    ASK_JA4 = 1 << 6,
    ASK_SOURCES = 1 << 7, /* drops that block addresses for a time */
};

enum filestore { /* the first two are bits by direction */
                 FILESTORE_TO_SERVER = 1 << 0,
                 FILESTORE_TO_CLIENT = 1 << 1,
                 FILESTORE_MATCHED = 1 << 2, /* the direction that matched */
                 FILESTORE_FLOW = 1 << 3,    /* and of the flow's later transactions */
};

struct ruleset_stats {
    uint32_t n_loaded, n_rejected, n_disabled;
    uint32_t n_skipped;      /* said themselves, with `requires`, that they are not for this engine */
    uint32_t n_dormant;      /* of the loaded ones: never evaluated */
    uint32_t n_patterns;     /* distinct fast patterns */
    uint32_t n_no_prefilter; /* rules evaluated on every packet their header fits */
    uint32_t n_databases;    /* of fast patterns */
    uint32_t n_cached;       /* of those, not compiled but read from the cache */
    uint64_t memory_bytes;   /* arena and pattern databases */
    uint64_t load_ns;
};

/*
 * Parse, check and compile. All errors of all files go to errs, each with file, line, column and remedy.
 * Returns NULL when strict and errs is not empty, when a file cannot be read, or when memory is out.
 */
struct ruleset *ruleset_build(const struct ruleset_source *src, struct err_list *errs);
void ruleset_free(struct ruleset *rs);

uint32_t ruleset_n_rules(const struct ruleset *rs);
const struct rule_info *ruleset_info(const struct ruleset *rs, uint32_t index);
const struct rule *ruleset_rule(const struct ruleset *rs, uint32_t index);
/* n of them, in the order of the files; they live as long as the ruleset. */
const struct disabled_rule *ruleset_disabled(const struct ruleset *rs, uint32_t *n);
uint32_t ruleset_generation(const struct ruleset *rs);
/* enum rule_ask of all its rules. */
uint8_t ruleset_asks(const struct ruleset *rs);
const struct ruleset_stats *ruleset_stats(const struct ruleset *rs);
/* What became of the policy's lines, n of them, in order; they live as long as the ruleset. */
const struct policy_report *ruleset_policy(const struct ruleset *rs, uint32_t *n);
const char *rule_action_name(enum rule_action a);
/* "auto", "suricata", "snort3" or "snort2"; false when it is none of them. */
bool rule_dialect_read(const char *word, uint8_t *dialect);
/* "cve,2014-6271" as an address, by reference.config; as it is written when its type has no prefix. Returns buf. */
const char *ruleset_reference_url(const struct ruleset *rs, const char *reference, char *buf, size_t size);
#endif
