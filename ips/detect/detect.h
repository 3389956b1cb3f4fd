/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_DETECT_DETECT_H
#define SLUICE_DETECT_DETECT_H
/*
 * Rules against one packet and the stream that it adds to (p->view, set by stream_begin()): prefilter (one Hyperscan scan
 * per buffer) gives candidates, eval confirms them in order, the actions become a verdict, matches become events. Worker thread; no allocation, no system call.
 */
#include "ips/app/app.h"
#include "ips/base/beacon.h"
#include "ips/base/counters.h"
#include "ips/base/err.h"
#include "ips/base/meter.h"
#include "ips/base/track.h"
#include "ips/flow/flow.h"
#include "ips/io/packet.h"
#include "ips/log/event.h"
#include "ips/stream/stream.h"
#include "rules/ruleset.h"

struct detect;

struct detect_config {
    bool log_anomalies; /* an event for each packet that has any */
    bool inline_mode;   /* false: drop rules alert ("allowed") and nothing is dropped */
    bool log_payload, log_packet;
    bool log_flows;           /* an event for each flow that ends */
    uint32_t steps_max;       /* bound on backtracking per rule and packet; 0 = 3000 as Suricata's */
    uint32_t bridge;          /* index, for events */
    struct flow_table *flows; /* that packets' flows belong to; NULL: nothing is remembered about flows */
    uint32_t max_flows;       /* of flows; 0: nothing is remembered about what was searched for in a stream */
    struct app *app;          /* what flows speak; NULL: not known */
    struct stream_table *streams; /* beside flows; NULL: packets' views say all there is */
    struct flowcache *sources;    /* where drops block addresses for a time; NULL: nowhere */
    uint32_t track_entries;       /* of the table of hosts; 0 = 4096 */
    struct beacon *beacon;        /* the worker's; NULL: nobody looks */
    struct meter *meter;          /* the worker's; NULL: nothing is timed */
};

struct detect *detect_new(const struct detect_config *cfg, uint32_t worker, struct event_ring *ring,
                          struct counters *c, struct err *e);
void detect_free(struct detect *d);
/* Before the worker starts: use this table of hosts, which other workers use too, instead of one's own. */
void detect_share_track(struct detect *d, struct track *t);
/* Call it for every packet of the burst in order, also for those that decode or flow policy has already dropped: it
 * writes their drop events (and, when not in-line, takes the drop back). Sets p->verdict and p->drop_reason; counts
 * no drops; returns true when a reject rule wants its answer (reject.h). */
bool detect_packet(struct detect *d, const struct ruleset *rs, struct packet *p);
/* The same in two halves, with parsers at work in between: they call detect_point() (an app_hooks.inspect, whose arg is the
 * detector), and verdicts and events wait for the end. */
void detect_begin(struct detect *d, const struct ruleset *rs, struct packet *p);
void detect_point(void *detect, struct app *a, const struct app_view *v);
bool detect_end(struct detect *d, struct packet *p);
/* The rule that settled the flow with the packet that detect_end() was last called for; 0: none did. */
uint32_t detect_settled_by(const struct detect *d, const struct flow *f);
/* Parsers' events (an app_hooks.log with the same arg). */
void detect_log(void *detect, const struct app_record *r);
/*
 * The worker is overloaded: of the rules in rs (the one in force; NULL: nothing to do) those that make up half of the cost are
 * left out until detect_leave_none_out(); only_alerts: none that drops, or that others rely on. Once some are, further calls
 * change nothing while the ruleset is the same. A ruleset that is new begins with all its rules.
 */
#define COSTLY_MAX 32
void detect_leave_out(struct detect *d, const struct ruleset *rs, bool only_alerts);
void detect_leave_none_out(struct detect *d, const struct ruleset *rs);
/* gid << 32 | sid of each, n of them. Any thread. */
uint32_t detect_left_out(const struct detect *d, uint64_t ids[COSTLY_MAX]);
/* Files to be kept (an app_hooks.file). */
bool detect_file(void *detect, const struct app_chunk *chunk);
#endif
