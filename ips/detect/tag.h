/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_DETECT_TAG_H
#define SLUICE_DETECT_TAG_H
/*
 * Packets that are logged because a rule with `tag` matched before them. Worker thread.
 */
#include "ips/io/packet.h"
#include "rules/memory.h"
#include "rules/ruleset_layout.h"

/* Whether this packet is one of those; counts it. Before the packet's own rules are tried. */
bool tag_take(const struct packet *p, const struct memory *m);
/* The rule has matched (and its thresholds did not say THRESHOLD_NOTHING): what its tags ask for begins. */
void tag_begin(const struct ruleset *rs, uint32_t rule, const struct packet *p, const struct memory *m);
#endif
