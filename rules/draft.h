/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_DRAFT_H
#define SLUICE_RULES_DRAFT_H
/*
 * Private to rules/. A draft is one rule between its text and its compiled form: keyword parsers write into it,
 * checks read all of it, compile copies it out. The builder is one ruleset_build() call: what all rules share.
 * One control thread; both die when ruleset_build() returns.
 */
#include <stdbool.h>
#include <stdint.h>
#include "ips/base/arena.h"
#include "ips/base/err.h"
#include "ips/base/span.h"
#include "rules/ruleset.h"
#include "rules/ruleset_layout.h"

struct builder;
struct keyword;
struct rule_text;

enum literal_flag {
    LITERAL_NOCASE = 1 << 0,
    LITERAL_FAST = 1 << 1,   /* the rule asks for this one as its fast pattern */
    LITERAL_OFFSET = 1 << 2, /* modifiers written so far, to find doubles and contradictions */
    LITERAL_DEPTH = 1 << 3,
    LITERAL_DISTANCE = 1 << 4,
    LITERAL_WITHIN = 1 << 5,
    LITERAL_STARTS = 1 << 6,
    LITERAL_ENDS = 1 << 7,
    LITERAL_FAST_PART = 1 << 8, /* fast_pattern:offset,length */
    LITERAL_RAWBYTES = 1 << 9,
    LITERAL_REPLACE = 1 << 10,
    LITERAL_BUFFER = 1 << 11, /* a modifier or a pcre letter named its buffer */
};

#define KEYWORDS_MAX 512 /* rows of the keyword table */

/* What a step remembers things in; rules are ordered by whether they write or read it (rules/compile.c). */
enum state_kind { STATE_NONE, STATE_FLOWBITS, STATE_FLOWINTS, STATE_HOSTS, STATE_PAIRS, STATE_KIND_N };

struct draft_step {
    struct step step; /* what will be published */
    const struct keyword *kw;
    const uint8_t *at;   /* the option in the rule's text, for errors */
    struct span literal; /* content: its bytes, in the arena; p == NULL for other keywords */
    struct span pcre;    /* pcre: the expression, in the rule's text; p == NULL for other keywords */
    uint32_t pcre_options;
    bool at_start;                           /* pcre: can only match where its search begins */
    uint32_t has;                            /* enum literal_flag */
    int32_t offset, depth, distance, within; /* content: as written */
    uint32_t fast_offset, fast_len;
    uint16_t uses, sets; /* bit per variable of the rule */
    bool fresh;          /* the rule named the buffer anew just before */
    uint8_t state;       /* enum state_kind */
    bool ip_only;        /* does not keep the rule from being decided by addresses alone */
};

struct draft_var { /* a name that byte_extract or byte_math fills */
    struct span name;
    uint16_t buffer; /* slot that its value comes from */
};

#define POSTS_MAX         32
#define DRAFT_FILTERS_MAX 8 /* threshold, detection_filter and tags written in a rule */

struct draft {
    struct builder *b;
    const struct rule_text *text;
    struct rule rule;
    struct rule_info info;
    struct draft_step steps[STEPS_MAX];
    struct draft_step posts[POSTS_MAX]; /* what the rule does when all steps held (flowbits:set) */
    uint32_t n_steps;
    uint32_t n_posts;
    struct draft_step *last_content; /* what content modifiers apply to */
    struct buffer_ref buffer;        /* the sticky buffer in force, with its transforms */
    bool buffer_fresh;               /* just named, and no step looked into it yet */
    const char *sticky;              /* its name; NULL: none was named, and `buffer` is the payload */
    const uint8_t *sticky_at;
    uint32_t sticky_steps; /* n_steps when it was named */
    struct draft_var vars[VARS_MAX];
    uint32_t n_vars;
    uint64_t seen[KEYWORDS_MAX / 64];  /* bit per keyword table row */
    const char **references;           /* room for REFERENCES_MAX */
    uint32_t min_payload, max_payload; /* what dsize allows; whole range when there is none */
    const uint8_t *dsize_at;
    struct rule_filter filters[DRAFT_FILTERS_MAX];
    uint32_t n_filters;
    bool
        packet_only; /* has a keyword about one packet's headers: no stream, and a drop holds for the packet */
    uint8_t dialect;   /* enum rule_dialect */
    bool stateless;    /* flow:stateless */
    bool addr_negated; /* an address in the header is negated */
    bool has_priority;
    bool action_holds_for_flow; /* Snort's: block, reject, and Snort 2's drop */
    bool both_ways;             /* => : both directions of a transaction */
    bool asks_app;              /* has an option about the flow's protocol */
    bool skipped;               /* a `requires` of it is not met */
    bool failed;
    uint32_t n_errors; /* reported */
};

#define REFERENCES_MAX   64
#define DRAFT_ERRORS_MAX 64 /* of one rule that are reported: it may be 1 MB of errors */

/*
 * Report an error at `at` (inside the rule's text) with its remedy, and mark the rule as failed. Always false,
 * so that a parser can `return draft_fail(...)`.
 */
bool draft_fail(struct draft *d, const uint8_t *at, const char *remedy, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Memory is out: the build ends. Always false. */
bool draft_no_memory(struct draft *d);

static inline bool draft_seen(const struct draft *d, uint32_t row)
{
    return (d->seen[row / 64] >> row % 64 & 1) != 0;
}
/* The rule asks for something that nothing fills or emits yet: it loads and sleeps. `word` names it, and lives on. */
void draft_dormant(struct draft *d, const char *word);
/* What follows looks into this buffer (a sticky buffer's parse function), until the next one is named. */
void draft_buffer_set(struct draft *d, uint16_t base);
/* The slot of the buffer in force. False (reported) when there are too many different lists of transforms. */
bool draft_buffer_slot(struct draft *d, const uint8_t *at, uint16_t *slot);
/* A new step of the keyword, or NULL (reported) when the rule has too many. */
struct draft_step *draft_step_add(struct draft *d, const struct keyword *kw, const uint8_t *at);
/* The same for what the rule does when it has matched: not a condition, so it is no step (ruleset_layout.h). */
struct draft_step *draft_post_add(struct draft *d, const struct keyword *kw, const uint8_t *at);
/* One more threshold, detection_filter or tag. False (reported) when there are too many. */
bool draft_filter_add(struct draft *d, const struct rule_filter *f, const uint8_t *at);
/* Copies text into the arena with backslash escapes of ; " \ : undone. NULL: memory is out (reported). */
const char *draft_unescape(struct draft *d, struct span text);
const char *draft_string(struct draft *d, struct span text);

/* The buffer of the table behind a slot, which may have transforms. (buffers.c) */
uint16_t draft_base(const struct draft *d, uint16_t slot);
/* Whether there may be several instances of the slot's buffer, so that naming it again means another. (buffers.c) */
bool draft_is_multi(const struct draft *d, uint16_t slot);
/*
 * The shortest buffer that the rule's contents fit into, of those that look where `step` does, or where a step of
 * slot does when it is NULL; when all are known. (check.c)
 */
int64_t draft_shortest(const struct draft *d, uint16_t slot, const struct draft_step *step);

/* For %.*s in messages: the text, cut to a length that can be read. */
#define TEXT_ARG(s) (int)((s).len < 60 ? (s).len : 60), (const char *)(s).p
#endif
