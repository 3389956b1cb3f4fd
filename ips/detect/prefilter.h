/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_DETECT_PREFILTER_H
#define SLUICE_DETECT_PREFILTER_H
/*
 * Which rules are worth confirming on a packet: those whose fast pattern stands in a buffer, those that list one of
 * its addresses, and those that have neither. In the order of evaluation, each once.
 */
#include "ips/base/counters.h"
#include "rules/ruleset_layout.h"

#define CANDIDATE_NONE UINT32_MAX

struct candidates { /* two ascending lists, read as one; valid until the worker's next prefilter_run() */
    const uint32_t *found, *always;
    uint32_t n_found, n_always;
};

/* facts and the buffers of e are the packet's. ip_only_done: its flow had a packet in this direction before. */
void prefilter_run(const struct ruleset *rs, const struct ruleset_worker *w, struct eval *e,
                   bool ip_only_done, struct candidates *out, struct counters *c);

/* The next rule's index, or CANDIDATE_NONE. */
static inline uint32_t candidates_next(struct candidates *c)
{
    uint32_t a = c->n_found > 0 ? *c->found : CANDIDATE_NONE,
             b = c->n_always > 0 ? *c->always : CANDIDATE_NONE;

    if (a <= b && c->n_found > 0) {
        c->found++;
        c->n_found--;
    }
    if (b <= a && c->n_always > 0) {
        c->always++;
        c->n_always--;
    }
    return a < b ? a : b;
}
#endif
