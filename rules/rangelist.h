/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_RANGELIST_H
#define SLUICE_RULES_RANGELIST_H
/*
 * Private to rules/. Address and port expressions of a rule header as sets of numbers. Both are the same
 * grammar over different numbers:
 *
 *     set     = [ "!" ] ( "any" | "$" NAME | element | "[" set { "," set } "]" )
 *
 * A bracket means: the union of its plain members (everything, when all are negated) minus the union of its
 * negated ones. Addresses are 128-bit numbers, IPv4 at ::ffff:a.b.c.d; ports are 0 to 65535.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "ips/base/span.h"

typedef unsigned __int128 u128;

struct range {
    u128 lo, hi; /* both inside */
};

struct range_list { /* heap; normal form: ascending, disjoint, not touching */
    struct range *v;
    size_t n, cap;
};

enum range_kind { RANGE_ADDR, RANGE_PORT };

struct variables;

struct range_error {
    const uint8_t *at; /* in the text that was given to range_parse() */
    char what[256];
    const char *remedy;
    bool no_memory;
};

#define RANGE_DEPTH_MAX   32         /* brackets and variables inside each other */
#define RANGE_ENTRIES_MAX (1u << 20) /* of one header field */
#define V4_FIRST          ((u128)0xffff00000000ull)
#define V4_LAST           ((u128)0xffffffffffffull)

/* Fills *out (normal form; the caller frees it) or *e. *negated tells whether a "!" stood anywhere. */
bool range_parse(enum range_kind kind, struct span text, const struct variables *vars, struct range_list *out,
                 bool *negated, struct range_error *e);
void range_free(struct range_list *l);
bool range_is_all(enum range_kind kind, const struct range_list *l);
u128 range_addr(const uint8_t b[16]);
#endif
