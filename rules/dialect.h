/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_DIALECT_H
#define SLUICE_RULES_DIALECT_H
/*
 * Private to rules/. Whose language a rule file is written in, and the few things of a rule that can be read
 * without knowing it.
 */
#include <stdbool.h>
#include <stdint.h>
#include "ips/base/span.h"
#include "rules/ruleset.h"

enum { /* of a table row: the dialects it exists in; 0 = all of them */
       IN_SURICATA = 1 << DIALECT_SURICATA,
       IN_SNORT3 = 1 << DIALECT_SNORT3,
       IN_SNORT2 = 1 << DIALECT_SNORT2,
};

static inline bool dialect_has(uint8_t in, uint8_t dialect)
{
    return in == 0 || (in >> dialect & 1) != 0;
}

const char *dialect_name(uint8_t dialect); /* "Suricata", "Snort 3", "Snort 2" */
/* "... is read as Suricata's": what to do when a rule is written in another dialect than its file is read in. */
#define DIALECT_REMEDY \
    "move it into a file of its own, or say what the files are with the dialect setting (rules.dialect)"

/* What the whole file's bytes are written in; Suricata's when nothing in it says. */
enum rule_dialect dialect_detect(struct span bytes);

struct option_text {
    struct span name, value; /* trimmed; value.p == NULL when there is none */
};
/*
 * The next option of a rule's text, of any dialect and however broken, from behind the '(' on; false at the end.
 * *at_end: the rule's ')' was seen.
 */
bool dialect_next_option(struct span *rest, struct option_text *o, bool *at_end);
#endif
