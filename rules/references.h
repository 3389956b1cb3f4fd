/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_REFERENCES_H
#define SLUICE_RULES_REFERENCES_H
/*
 * Private to rules/. What the type of a rule's reference stands for: cve, bugtraq, url ... and the beginning of its
 * address; from a reference.config, or the built-in table.
 */
#include <stdbool.h>
#include <stddef.h>
#include "ips/base/err.h"

struct builder;
struct rule_text;

struct reference_kind {
    const char *name, *prefix;
};

struct references {
    const struct reference_kind *rows;
    size_t n, cap;
    struct reference_kind *own; /* heap; NULL when rows is the built-in table */
};

/* file NULL: the built-in table. Bad lines are reported to the builder; an unreadable file is -errno. */
int references_load(struct builder *b, const char *file, struct err *e);
/* One "config reference: ..." line of any file; it is added to the table. False: memory is out. */
bool references_line(struct builder *b, const struct rule_text *t);
void references_fini(struct references *r);
#endif
