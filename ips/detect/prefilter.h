/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_DETECT_PREFILTER_H
#define SLUICE_DETECT_PREFILTER_H
/*
 * Which rules are worth confirming: the rules whose fast pattern stands in a buffer. One scan per buffer, the
 * candidates of all buffers in one list without duplicates.
 */
#include "ips/base/counters.h"
#include "rules/ruleset_layout.h"

/* Adds the candidates of one buffer (a slot: see struct step) to the n already in w->candidates; returns the new number, at most n_rules. */
uint32_t prefilter_scan(const struct ruleset *rs, const struct ruleset_worker *w, unsigned buffer,
                        struct span bytes, uint32_t n, struct counters *c);
/* Ends the packet: candidates in ascending order, the bitmap clear for the next packet. */
void prefilter_sort(const struct ruleset_worker *w, uint32_t n);
#endif
