/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_CLASSES_H
#define SLUICE_RULES_CLASSES_H
/*
 * Private to rules/. Classtypes: short name, description (`category` in EVE) and priority; from a
 * classification.config, or the built-in table.
 */
#include <stdbool.h>
#include <stdint.h>
#include "ips/base/arena.h"
#include "ips/base/err.h"
#include "ips/base/span.h"

struct builder;
struct rule_text;

struct class_row {
    const char *name, *description;
    uint32_t priority;
};

struct classes {
    const struct class_row *rows;
    size_t n, cap;
    struct class_row *own; /* heap; NULL when rows is the built-in table */
};

#define PRIORITY_DEFAULT 3
#define PRIORITY_MAX     255

/* file NULL: the built-in table. Bad lines are reported to the builder; an unreadable file is -errno. */
int classes_load(struct builder *b, const char *file, struct err *e);
/* One "config classification: ..." line of any file; it is added to the table. False: memory is out. */
bool classes_line(struct builder *b, const struct rule_text *t);
void classes_fini(struct classes *c);
const struct class_row *classes_lookup(const struct classes *c, struct span name);
#endif
