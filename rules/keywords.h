/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_KEYWORDS_H
#define SLUICE_RULES_KEYWORDS_H
/*
 * Private to rules/. The keyword table: one row for each option name. A keyword is defined in a file of rules/kw/
 * and named once here; everything else (lookup, value checks, usage in error messages) follows from its row.
 */
#include "rules/draft.h"

enum keyword_value {
    VALUE_NONE,     /* nocase; */
    VALUE_PLAIN,    /* sid:1;  quotes around it are taken off */
    VALUE_QUOTED,   /* content:"x"; */
    VALUE_OPTIONAL, /* fast_pattern; or fast_pattern:1,2; */
};

enum keyword_flag {
    KEYWORD_ONCE = 1 << 0,    /* at most once in a rule */
    KEYWORD_NEGATED = 1 << 1, /* "!" may stand before the quoted value */
    KEYWORD_PACKET = 1 << 2,  /* about one packet's headers: see the drop scope in rules/check.c */
    KEYWORD_TCP = 1 << 3,     /* can only hold for TCP */
    KEYWORD_ICMP = 1 << 4,    /* can only hold for ICMP and ICMPv6 */
};

struct option { /* one option as it was written */
    const struct keyword *kw;
    struct span name;
    struct span value; /* trimmed, without "!" and quotes */
    bool negated;
};

struct keyword {
    const char *name;
    const char *usage; /* how to write it, for remedies */
    uint8_t value;     /* enum keyword_value */
    uint8_t flags;     /* enum keyword_flag */
    /* Writes into the draft. False when the option was refused (and reported). */
    bool (*parse)(struct draft *d, const struct option *o);
    /* Once for each step of the keyword when all options are known; may be NULL. */
    bool (*check)(struct draft *d, struct draft_step *s);
    step_match_fn match; /* NULL for keywords that make no step */
};

/* Sorted by name. */
#define KEYWORD_TABLE(X) \
    X(classtype)         \
    X(content)           \
    X(depth)             \
    X(distance)          \
    X(dsize)             \
    X(endswith)          \
    X(fast_pattern)      \
    X(flags)             \
    X(flow)              \
    X(gid)               \
    X(icode)             \
    X(id)                \
    X(ip_proto)          \
    X(itype)             \
    X(metadata)          \
    X(msg)               \
    X(noalert)           \
    X(nocase)            \
    X(offset)            \
    X(pcre)              \
    X(priority)          \
    X(rawbytes)          \
    X(reference)         \
    X(rev)               \
    X(sameip)            \
    X(sid)               \
    X(startswith)        \
    X(ttl)               \
    X(within)

#define X(word) extern const struct keyword kw_##word;
KEYWORD_TABLE(X)
#undef X

enum keyword_index {
#define X(word) KW_##word,
    KEYWORD_TABLE(X)
#undef X
        KW_N,
};

extern const struct keyword *const keyword_table[KW_N];
/* NULL when there is no such keyword. */
const struct keyword *keyword_lookup(struct span name, uint32_t *index);
#endif
