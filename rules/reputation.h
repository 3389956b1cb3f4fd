/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_REPUTATION_H
#define SLUICE_RULES_REPUTATION_H
/*
 * Private to rules/. What a site knows of addresses: categories by name, and for each of them a value from 1 to 127 for
 * addresses and networks. Suricata's file formats.
 */
#include <stddef.h>
#include "ips/base/err.h"
#include "ips/base/span.h"
#include "rules/rangelist.h"

struct builder;

#define REPUTATION_CATEGORIES_MAX 60
#define REPUTATION_VALUE_MAX      127

struct reputation_step { /* from here on, up to the next one */
    u128 from;
    uint8_t value; /* 0: nothing is known */
};

struct reputation_table { /* in the arena; ascending */
    const struct reputation_step *v;
    size_t n;
};

struct reputation_entry {
    u128 lo, hi;
    uint32_t order;
    uint8_t category, value;
};

struct reputation {
    bool loaded;                                      /* a categories file was given */
    const char *names[REPUTATION_CATEGORIES_MAX + 1]; /* by number; NULL: there is none */
    const struct reputation_table *tables[REPUTATION_CATEGORIES_MAX + 1];
    struct reputation_entry *entries; /* heap, while files are read */
    size_t n, cap;
};

/* As the source says; nothing when it names no files. Bad lines are reported; an unreadable file is -errno. */
int reputation_load(struct builder *b, struct err *e);
/* The table of a category; NULL when there is none of that name. */
const struct reputation_table *reputation_lookup(const struct reputation *r, struct span name);
void reputation_fini(struct reputation *r);

uint8_t reputation_of(const struct reputation_table *t, const uint8_t addr[16]); /* workers */
#endif
