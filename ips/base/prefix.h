/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_BASE_PREFIX_H
#define SLUICE_BASE_PREFIX_H
/*
 * Address prefixes as text and as numbers, and lists of them: what block and allow lists are made of. Pure functions
 * over the caller's memory, and one that reads a file. Any thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "ips/base/err.h"

struct prefix {
    uint8_t family; /* 0 IPv4, 1 IPv6 */
    uint8_t bits;   /* 0 to 32 or 128 */
    uint8_t sides;  /* enum prefix_side; only lists look at it */
    uint8_t addr[16];
};
enum prefix_side { PREFIX_SRC = 1, PREFIX_DST = 2, PREFIX_BOTH = 3 };

#define PREFIX_TEXT_MAX 64      /* "address/length both" */
#define PREFIX_LINE_MAX 512     /* of a file; what stands behind '#' counts */
#define PREFIX_LIST_MAX 4194304 /* prefixes of one list */
#define PREFIX_ERRS_MAX 10      /* mistakes of one file that are named; the others are counted */

static inline bool prefix_is_host(const struct prefix *p)
{
    return p->bits == (p->family ? 128 : 32);
}

/* "10.0.0.0/8" or "2001:db8::/32"; an address alone is a host; bits behind the length are cleared. -EINVAL. */
int prefix_parse(const char *text, struct prefix *p, struct err *e);
/* The same with "src", "dst" or "both" behind it, which may be left out (side then holds). */
int prefix_parse_sided(const char *text, uint8_t side, struct prefix *p, struct err *e);
/* "10.0.0.0/8". buf has PREFIX_TEXT_MAX bytes; returns it. */
const char *prefix_format(const struct prefix *p, char *buf);
bool prefix_side_read(const char *word, uint8_t *side);
const char *prefix_side_name(uint8_t sides);
int prefix_cmp(const struct prefix *a, const struct prefix *b); /* by address and length, not by side */

struct prefix_list {  /* zeroed: empty */
    struct prefix *v; /* heap */
    size_t n, cap;
};
int prefix_list_add(struct prefix_list *l, const struct prefix *p, struct err *e); /* -ENOMEM, -ENOSPC */
/* One a line, '#' begins a comment. Mistakes go to errs with their place: at most PREFIX_ERRS_MAX, the others are
 * counted in errs->n_dropped. 0, or what went wrong. */
int prefix_list_read(struct prefix_list *l, const char *path, uint8_t side, struct err_list *errs);
/* Sorted, each prefix once with the sides of all that said it. */
void prefix_list_sort(struct prefix_list *l);
void prefix_list_fini(struct prefix_list *l);
#endif
