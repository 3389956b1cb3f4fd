/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_DETECT_REPORT_H
#define SLUICE_DETECT_REPORT_H
/*
 * Matches and drops as event records. Worker thread; a full ring loses the event and counts it.
 */
#include "ips/base/counters.h"
#include "ips/base/vars.h"
#include "ips/detect/detect.h"

struct note { /* of a transaction, for events */
    uint64_t tx_id;
    const char *object;
    bool to_client;
    uint32_t at, len; /* its fields, in detect's room */
};

struct report {
    struct event_ring *ring; /* NULL: nothing is written */
    struct counters *c;
    bool log_payload, log_packet;
    uint32_t bridge;
    /* of the packet in hand */
    bool rejected, passed;
    bool blocked_destination; /* else the source */
    uint32_t blocked_s;       /* a drop blocked that address for so long; 0: none did */
    uint64_t ts_ns, now_ns;   /* real time and the worker's clock; they stay when the packet has gone */
    bool in_stream;           /* of the alert in hand: payload is the end of a stream */
    struct span payload;      /* of the alert in hand */
    const struct note *note;  /* of the alert in hand: the transaction; NULL: none */
    struct span note_fields;
    struct span files;            /* of its transaction */
    const struct app *app;        /* what flows speak; NULL: not known */
    const struct vars_pool *vars; /* NULL: none */
    uint32_t vars_owner;          /* the flow in it */
};

/* A transaction, or whatever else a parser has to say (app_hooks.log). */
void report_app(const struct report *r, const struct app_record *a);
/* A piece of a file that is kept. False: there is no room. */
bool report_file(const struct report *r, const struct app_chunk *c);
struct tally;
/* A flow has ended. */
void report_flow(const struct report *r, const struct flow *f, const struct tally *t, enum flow_end why);
/* rule: of the alert, or of the drop; a drop may have none (NULL, action is then ignored). */
void report_event(const struct report *r, enum event_type type, const struct packet *p,
                  const struct rule_info *rule, enum rule_action action);
#endif
