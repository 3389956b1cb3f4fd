/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_DETECT_PARTS_H
#define SLUICE_DETECT_PARTS_H
/*
 * Between the files that make up a packet's detection:
 *   detect.c   which rules are asked about the packet and its stream, and in which order
 *   points.c   the same for what parsers publish
 *   act.c      what becomes of matches: verdicts, events
 */
#include "ips/app/app.h"
#include "ips/detect/detect.h"
#include "ips/detect/eval.h"
#include "ips/detect/late.h"
#include "ips/detect/prefilter.h"
#include "ips/detect/report.h"
#include "ips/detect/sight.h"
#include "rules/ruleset_layout.h"

#define ALERTS_MAX  15 /* per packet; more matches act, and are counted instead of logged */
#define MATCHES_MAX 64 /* per packet, of all transactions in it */
#define NOTES_MAX   16 /* transactions of a packet that alerts say something of */
#define NOTES_BYTES 32768
#define DONE_LINES  128 /* of rules that have matched, beside what transactions remember */
#define DONE_WAYS   8
#define WANTED_MAX  1024 /* rules about transactions whose fast pattern was in the payload */

enum match { NO_MATCH, IN_PACKET, IN_STREAM, IN_APP };

/* What an earlier decision leaves to ask about a packet. */
enum look {
    LOOK_NOWHERE,
    LOOK_AT_ANOMALIES, /* it is malformed: only rules that ask for anomalies */
    LOOK,
};

struct matched {
    uint32_t rule; /* index */
    uint8_t match; /* enum match */
    uint8_t note;  /* IN_APP: index + 1 into the notes; 0: none */
};

struct alert {
    uint32_t rule;  /* index */
    uint8_t action; /* what was done: the rule's, or a rate_filter's */
    uint8_t match;  /* enum match */
    uint8_t note;
};

struct tally { /* of a flow, for its event */
    uint32_t alerts;
    uint32_t dropped;    /* packets */
    uint32_t drop_sid;   /* of the first one; 0: by a policy */
    uint8_t drop_reason; /* enum drop_reason, of the first one */
};

struct detect {
    struct counters *c;
    struct eval eval;
    struct facts facts;
    bool inline_mode, log_anomalies;
    uint32_t steps_max, worker;
    struct beacon *beacon, own_beacon;  /* the first is the worker's, or the second */
    struct meter *meter, own_meter;     /* likewise */
    uint32_t n_metered, out_generation; /* see costs.c; the second + 1, 0: none */
    struct {
        uint64_t rule[COSTLY_MAX];
        uint32_t n;
    } costly;                  /* what is left out */
    bool leaves_out, left_out; /* of the packet in hand: some rules are not tried; one would have been */
    struct report report;
    struct flow_table *flows;
    struct stream_table *streams;
    struct app *app;
    struct tally *tallies;         /* by flow index; NULL: flows have no events */
    struct late_table *late_table; /* NULL: what was found before in a stream is searched for again */
    struct track *own_track;       /* NULL when one is shared */
    /* of the packet in hand */
    const struct ruleset *rs; /* NULL: no rule is asked */
    struct packet *p;
    enum look look;
    struct sight sight;
    struct late *late;                        /* of its stream; NULL when it adds nothing to one */
    uint32_t rules_late[LATE_MAX], only_late; /* what was in that list; bit i: and was not found again */
    struct matched matches[MATCHES_MAX];
    uint32_t n_matches;
    uint32_t wanted[WANTED_MAX]; /* rules about transactions that the payload made candidates, ascending */
    uint32_t n_wanted;
    struct anomalies asked; /* what was odd when rules about that were asked */
    struct alert alerts[ALERTS_MAX];
    uint32_t n_alerts;
    struct alert drop;         /* by the first rule that dropped it */
    struct flowcache *sources; /* of addresses that are blocked for a time; NULL: none are */
    struct {
        uint64_t flow_id;
        uint32_t sid;
    } settled; /* the last flow that a rule settled */
    bool has_drop;
    bool drop_said; /* its drop event is written */
    bool hit_step_limit, hit_pcre_limit;
    bool unfinished;    /* a drop rule ran out of steps in a very long window */
    uint32_t pass_rank; /* a pass rule has matched: rules behind it only remember */
    bool inspected;     /* a pass rule has acted */
    bool tagged;
    uint64_t done_seed, done[DONE_LINES][DONE_WAYS]; /* see points.c */
    uint32_t n_notes, notes_used;
    uint8_t event_note; /* of the transaction in which a parser found something odd; 0: none */
    struct note notes[NOTES_MAX];
    uint8_t notes_room[NOTES_BYTES];
};

/* Whether what is found in the packet may decide about its flow. */
bool act_speaks_for_flow(const struct packet *p);
/* A rule has matched: what it remembers and rewrites is done, the rest waits for act_all(). */
/* Parsers found something odd since the packet was looked at. */
bool detect_is_odd(const struct detect *d);
void act_note(struct detect *d, uint32_t rule, enum match match, uint8_t note);
/* The packet was dropped by the rule. */
void sources_block(struct detect *d, const struct rule_info *info);
/* All matches, in order. */
void act_all(struct detect *d);
/* A packet that a policy or its flow's verdict drops. */
void act_drop_uninspected(struct detect *d, enum drop_reason why);
void act_report(struct detect *d);
/* The packet's alerts and drop, on its flow's account. */
void act_tally(struct detect *d);

/* --- costs.c --- */
void cost_add(struct detect *d, uint32_t rule, uint64_t ns);
/* A packet was timed. */
void cost_packet(struct detect *d);
static inline bool cost_is_out(const struct ruleset_worker *w, uint32_t rule)
{
    return w->out[rule / 64] >> rule % 64 & 1;
}
/* Whether the candidate is one that is not tried now. */
static inline bool cost_leaves_out(struct detect *d, uint32_t rule)
{
    if (!d->leaves_out || !cost_is_out(&d->rs->workers[d->worker], rule))
        return false;
    d->left_out = true;
    return true;
}

/* The bound on backtracking for what is in the payload buffer now. */
uint32_t detect_steps(const struct detect *d);
/* After an evaluation: what it used up is counted. */
void detect_count_limits(struct detect *d, bool matched);
#endif
