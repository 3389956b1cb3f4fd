/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From matches to a verdict.
 *
 *   note    a rule has matched: what it remembers (flowbits:set) and rewrites is done at once, because later rules of the
 *           packet ask for it. The match waits
 *   act     when everything in the packet was looked at, matches are taken in rank order: thresholds are asked, then a
 *           pass rule ends it (later rules only remember); a drop holds for the packet, and for the flow where the rule says
 *           so; lower-ranked rules still alert. So it does not matter whether a rule was found in the packet, in its stream
 *           or in one of the transactions that it carries
 *   report  one event per match that alerts, then one for the drop
 *
 * When a rule's verdict holds for the flow is the rule compiler's decision (ruleset_holds_for_flow), but for
 * rules that look into TCP data outside of a connection: a SYN's payload is only a packet. The first verdict a flow gets is
 * the one it keeps, and a pass rule cannot take back a drop.
 *
 * A packet can bring more matches than there is room for: those of the highest rank stay, and no drop goes for an alert.
 *
 * Worker thread. Owns nothing beyond the packet in hand.
 */
#include <netinet/in.h>

#include "ips/detect/detect_parts.h"
#include "ips/detect/reject.h"
#include "ips/detect/rewrite.h"
#include "ips/detect/tag.h"
#include "ips/detect/threshold.h"

/*
 * Anybody could have sent what its receiver discards, an ICMP error about the flow, or data of a connection that nobody
 * has answered yet.
 */
bool act_speaks_for_flow(const struct packet *p)
{
    return p->flow && !(p->flags & (PKT_IGNORED | PKT_QUOTES)) &&
           !(p->ip_proto == IPPROTO_TCP && flow_taken_up_only(p->flow));
}

static bool holds_for_flow(const struct detect *d, const struct rule *r, enum match match)
{
    const struct packet *p = d->p;
    /* a SYN with data may be anybody's */
    bool of_connection = p->ip_proto == IPPROTO_TCP && (p->flags & PKT_ESTABLISHED) && !(p->tcp_flags & 0x02);

    if (match == IN_APP)
        return (r->flags & RULE_DROPS_FLOW) != 0;
    if (!ruleset_holds_for_flow(r, match == IN_STREAM || (d->sight.plain && of_connection)))
        return false;
    return !(r->flags & RULE_NEEDS_PAYLOAD) || p->ip_proto != IPPROTO_TCP || of_connection;
}

static void note_settled(struct detect *d, const struct rule *r)
{
    d->settled.flow_id = d->p->flow->id;
    d->settled.sid = d->rs->info[r - d->rs->rules].sid;
}

uint32_t detect_settled_by(const struct detect *d, const struct flow *f)
{
    return d->settled.flow_id == f->id ? d->settled.sid : 0;
}

static void set_flow_verdict(struct detect *d, const struct rule *r, enum match match, enum flow_verdict v)
{
    if (act_speaks_for_flow(d->p) && holds_for_flow(d, r, match) && flow_settle(d->p->flow, v, false))
        note_settled(d, r);
}

/* The flow passes uninspected from the next packet on. */
static void bypass(struct detect *d, const struct rule *r)
{
    if (act_speaks_for_flow(d->p) && flow_settle(d->p->flow, FLOW_PASS, true))
        note_settled(d, r);
}

static void pass(struct detect *d, const struct rule *r, enum match match)
{
    d->inspected = true;
    if (d->p->verdict == VERDICT_DROP)
        return;
    d->report.passed = true;
    counter_add(d->c, CTR_PASSED, 1);
    set_flow_verdict(d, r, match, FLOW_PASS);
}

static void block(struct detect *d, const struct rule *r, struct alert a, bool by_rate_filter)
{
    struct packet *p = d->p;

    if (p->verdict !=
        VERDICT_DROP) { /* else an earlier rule, or what decode.malformed says, has the reason */
        d->drop = a;
        packet_drop(p, by_rate_filter ? DROP_RATE : DROP_RULES);
        d->has_drop = d->drop_said = true;
    }
    if (a.action == ACTION_REJECT && p->outer)
        counter_add(d->c, CTR_REJECT_TUNNELLED, 1); /* the answer would have to go through the tunnel */
    else
        d->report.rejected |= a.action == ACTION_REJECT;
    sources_block(d, &d->rs->info[a.rule]);
    set_flow_verdict(d, r, (enum match)a.match, FLOW_DROP);
}

/* Only what lies in this frame can be changed: bytes before it have gone on. (stream_end() keeps what leaves.) */
static void rewrite(struct detect *d, enum match match)
{
    int64_t at = 0;

    if (match == IN_PACKET || (match == IN_STREAM && sight_payload_at(&d->sight, &at)))
        rewrite_payload(d->p, &d->eval, at);
}

/* Where the match goes; NULL: it is of less weight than all that wait. */
static struct matched *find_place(struct detect *d, const struct rule *r)
{
    struct matched *worst = &d->matches[0];

    if (d->n_matches < MATCHES_MAX)
        return &d->matches[d->n_matches++];
    counter_add(d->c, CTR_DETECT_QUEUE_FULL, 1);
    for (uint32_t i = 1; i < MATCHES_MAX; i++) {
        bool alerts = d->rs->rules[d->matches[i].rule].action == ACTION_ALERT;
        bool worst_alerts = d->rs->rules[worst->rule].action == ACTION_ALERT;

        if (alerts != worst_alerts ? alerts : d->matches[i].rule > worst->rule)
            worst = &d->matches[i];
    }
    if (d->rs->rules[worst->rule].action == ACTION_ALERT)
        return r->action != ACTION_ALERT || (uint32_t)(r - d->rs->rules) < worst->rule ? worst : NULL;
    return NULL;
}

void act_note(struct detect *d, uint32_t rule, enum match match, uint8_t note)
{
    const struct rule *r = &d->rs->rules[rule];
    struct matched *m;

    if (r->n_post && !(d->p->flags & PKT_IGNORED))
        eval_post(d->rs, r, &d->eval);
    if (rule > d->pass_rank)
        return;
    counter_add(d->c, CTR_DETECT_MATCHES, 1);
    if ((r->flags & RULE_REPLACES) && d->inline_mode)
        rewrite(d, match);
    if (match != IN_APP && d->app && d->rs->info[rule].filestore)
        app_keep_files(d->app, d->p, d->rs->info[rule].filestore);
    if (r->action == ACTION_PASS && !r->limits)
        d->pass_rank = rule;
    m = find_place(d, r);
    if (m)
        *m = (struct matched){.rule = rule, .match = (uint8_t)match, .note = note};
}

/* What a matching rule does. */
static void act(struct detect *d, const struct matched *m)
{
    const struct rule *r = &d->rs->rules[m->rule];
    struct threshold_verdict v = {.answer = THRESHOLD_ALERT, .action = (enum rule_action)r->action};

    if (r->limits) {
        v = threshold_ask(d->rs, m->rule, d->p, &d->eval.memory);
        if (v.answer != THRESHOLD_ALERT)
            counter_add(d->c, CTR_THRESHOLD_SILENT, 1);
        if (v.answer == THRESHOLD_NOTHING)
            return;
        tag_begin(d->rs, m->rule, d->p, &d->eval.memory);
    }
    struct alert a = {.rule = m->rule, .action = (uint8_t)v.action, .match = m->match, .note = m->note};
    if (v.action == ACTION_PASS) {
        pass(d, r, (enum match)m->match);
        return;
    }
    if (d->inline_mode && v.action != ACTION_ALERT)
        block(d, r, a, v.by_rate_filter);
    if ((r->flags & RULE_BYPASS) && d->p->verdict != VERDICT_DROP)
        bypass(d, r);
    if (v.answer == THRESHOLD_SILENT || (r->flags & RULE_NOALERT))
        return;
    if (d->n_alerts < ALERTS_MAX)
        d->alerts[d->n_alerts++] = a;
    else
        counter_add(d->c, CTR_DETECT_QUEUE_FULL, 1);
}

void act_all(struct detect *d)
{
    for (uint32_t i = 1; i < d->n_matches; i++) { /* a few, and nearly in order */
        struct matched m = d->matches[i];
        uint32_t j = i;

        for (; j > 0 && d->matches[j - 1].rule > m.rule; j--)
            d->matches[j] = d->matches[j - 1];
        d->matches[j] = m;
    }
    for (uint32_t i = 0; i < d->n_matches && !d->inspected; i++)
        act(d, &d->matches[i]);
    d->n_matches = 0;
}

/* --- events ---------------------------------------------------------------------------------------------------------- */

void act_drop_uninspected(struct detect *d, enum drop_reason why)
{
    packet_drop(d->p, why);
    d->drop_said = true;
    report_event(&d->report, EVENT_DROP, d->p, NULL, ACTION_DROP);
}

static void report_alert(struct detect *d, const struct alert *a)
{
    struct report *r = &d->report;
    bool stream = a->match == IN_STREAM || (a->match == IN_APP && d->sight.view);
    uint8_t room[4096];
    struct fields files;

    if (stream)
        sight_window(&d->sight);
    r->in_stream = stream;
    r->payload = stream ? d->sight.window : packet_payload(d->p);
    r->note = a->note ? &d->notes[a->note - 1] : NULL;
    r->note_fields = a->note ? span_of(d->notes_room + r->note->at, r->note->len) : span_of(NULL, 0);
    r->files = span_of(NULL, 0);
    fields_begin(&files, room, sizeof(room));
    if (r->note && d->app && app_files(d->app, r->note->tx_id, r->note->to_client, &files))
        r->files = span_of(room, files.len);
    report_event(r, EVENT_ALERT, d->p, &d->rs->info[a->rule], (enum rule_action)a->action);
    r->note = NULL;
}

void act_report(struct detect *d)
{
    d->report.vars = d->eval.memory.vars;
    d->report.vars_owner = d->eval.memory.flow_vars ? *d->eval.memory.flow_vars : 0;
    counter_add(d->c, CTR_DETECT_ALERTS, d->n_alerts);
    if (d->p->flow && (d->n_alerts > 0 || d->has_drop))
        d->p->flow->alerted = 1;
    for (uint32_t i = 0; i < d->n_alerts; i++)
        report_alert(d, &d->alerts[i]);
    if (d->has_drop)
        report_event(&d->report, EVENT_DROP, d->p, &d->rs->info[d->drop.rule],
                     (enum rule_action)d->drop.action);
    if (d->tagged) {
        counter_add(d->c, CTR_TAGGED, 1);
        report_event(&d->report, EVENT_PACKET, d->p, NULL, ACTION_ALERT);
    }
}

void act_tally(struct detect *d)
{
    const struct packet *p = d->p;
    struct tally *t;

    if (!d->tallies || !p->flow || (p->verdict != VERDICT_DROP && !(d->rs && d->n_alerts)))
        return;
    t = &d->tallies[flow_index(d->flows, p->flow)];
    t->alerts += d->rs ? d->n_alerts : 0;
    if (p->verdict != VERDICT_DROP)
        return;
    if (t->dropped++ > 0)
        return;
    t->drop_reason = p->drop_reason;
    if (d->rs && d->has_drop)
        t->drop_sid = d->rs->info[d->drop.rule].sid;
}
