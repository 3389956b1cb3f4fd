/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_DIRECTIVES_H
#define SLUICE_RULES_DIRECTIVES_H
/* Private to rules/. Lines of a rule file that are no rules. */
#include <stdbool.h>
#include "ips/base/span.h"

enum directive {
    DIRECTIVE_NONE,
    DIRECTIVE_INCLUDE,        /* include FILE */
    DIRECTIVE_VARIABLE,       /* ipvar, portvar, var NAME VALUE */
    DIRECTIVE_CLASSIFICATION, /* config classification: ... */
    DIRECTIVE_REFERENCE,      /* config reference: ... */
    DIRECTIVE_FOREIGN,        /* another line of a snort.conf */
};

/* What the line is; *rest is what follows its first word. */
enum directive directive_of(struct span line, struct span *rest);
/* Whether the line's first word is a directive that only Snort 2 has. */
bool directive_is_snort2s(struct span word);
#endif
