/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_KW_CONTENT_H
#define SLUICE_RULES_KW_CONTENT_H
/* Private to rules/. Limits of content and its modifiers. */
#include <stdbool.h>
#include <stdint.h>
#include "ips/base/span.h"

#define CONTENT_MAX 8192      /* bytes of one content */
#define WINDOW_OPEN INT32_MAX /* step.b: no depth, no within */
#define PLACE_MAX   65535     /* offset, depth */
struct draft;
/* The bytes that a quoted text means, into out, which has room for s.len; *n begins at 0. False: reported. */
bool content_parse_bytes(struct draft *d, struct span s, uint8_t *out, uint32_t *n);
/* Snort 3's list behind a content, for the content that was just added. False: reported. (content_modifiers.c) */
bool content_parse_list(struct draft *d, struct span list);

#define DISTANCE_MAX (1 << 20) /* distance and within, either way (Suricata's bound) */
#endif
