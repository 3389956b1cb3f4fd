/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_PCRE_LITERAL_H
#define SLUICE_RULES_PCRE_LITERAL_H
/* Private to rules/. The literal that every match of a regular expression contains. */
#include <stdbool.h>
#include <stdint.h>
#include "ips/base/span.h"

#define PCRE_LITERAL_MAX 64 /* bytes; a longer run is cut: its beginning is as necessary as the whole */

struct pcre_literal {
    uint8_t bytes[PCRE_LITERAL_MAX]; /* in lower case when nocase */
    uint32_t len;                    /* 0: none is known */
    bool nocase;
};

/* text: the expression without slashes and flags, known to compile; options: PCRE2_CASELESS, PCRE2_EXTENDED, ... */
struct pcre_literal pcre_literal(struct span text, uint32_t options);
#endif
