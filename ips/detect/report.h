/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_DETECT_REPORT_H
#define SLUICE_DETECT_REPORT_H
/*
 * Matches and drops as event records. Worker thread; a full ring loses the event and counts it.
 */
#include "ips/base/counters.h"
#include "ips/base/vars.h"
#include "ips/detect/detect.h"

struct report {
    struct event_ring *ring; /* NULL: nothing is written */
    struct counters *c;
    bool log_payload, log_packet;
    uint32_t bridge;
    /* of the packet in hand */
    bool rejected, passed;
    bool in_stream;               /* of the alert in hand: payload is the end of a stream */
    struct span payload;          /* of the alert in hand */
    const struct vars_pool *vars; /* NULL: none */
    uint32_t vars_owner;          /* the flow in it */
};

/* rule: of the alert, or of the drop; a drop may have none (NULL, action is then ignored). */
void report_event(const struct report *r, enum event_type type, const struct packet *p,
                  const struct rule_info *rule, enum rule_action action);
#endif
