/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_PCRE_SCAN_H
#define SLUICE_RULES_PCRE_SCAN_H
/* Private to rules/. A regular expression as Hyperscan takes it, for rules that have nothing else to be found by. */
#include <stdbool.h>
#include <stdint.h>
#include "ips/base/span.h"

#define PCRE_SCAN_MAX 1024 /* bytes of an expression that is given to Hyperscan */

struct pcre_scan {
    char text[PCRE_SCAN_MAX + 8]; /* NUL-terminated */
    unsigned flags;               /* HS_FLAG_* */
};

/*
 * An expression that matches wherever PCRE2 finds text (and perhaps elsewhere), for a subject that is the whole buffer.
 * False when there is none; the rule is then tried whenever its buffer is there.
 */
bool pcre_scan(struct span text, uint32_t options, struct pcre_scan *out);
#endif
