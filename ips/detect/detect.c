/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules against one packet.
 *
 *   verdicts   what flow or decode policy already decided stands; a dropped flow drops, a passed flow passes; of a
 *              malformed packet only its anomalies are asked about
 *   candidates rules whose fast pattern is in the payload, merged with the rules that have none, by rank
 *   confirm    header, then options (eval.c), in rank order: pass, drop, reject, alert unless configured otherwise
 *   act        what the rule remembers is done (flowbits:set), thresholds are asked, then: a pass rule ends the
 *              packet's inspection (later rules may only remember); a drop holds for the packet, and for the flow where
 *              RULE_DROPS_FLOW says so; lower-ranked rules are still evaluated, so their alerts come too
 *   report     one event per match that alerts, then one for the drop
 *
 * Rules about TCP payload look into the stream that the packet adds to (sight.h), rules about packets into the packet,
 * and a rule of both kinds into the stream first, because a match there reaches further. Candidates of both come
 * from one search, and keep their order. A match in the stream needs a byte that this segment brings (eval.c).
 *
 * When a rule's verdict holds for the flow is the rule compiler's decision (ruleset_holds_for_flow), but for
 * rules that look into TCP data outside of a connection: a SYN's payload is only a packet. The first verdict a flow gets is the one it keeps, and a pass rule cannot take back a drop.
 * Rules with RULE_IP_ONLY are decided by the first packet of each direction of a flow.
 *
 * A segment that its receiver will discard (PKT_IGNORED) is looked at as a packet, also when stream/ has dropped it: an
 * attack that is tried in vain is worth an alert. It changes nothing else, neither flowbits nor the flow's verdict.
 *
 * Not in-line, nothing is dropped and no drop event is written: drop rules alert, pass rules still pass.
 *
 * Worker thread; no allocation, no system call. Owns its evaluator scratch; the Hyperscan scratch is the ruleset's.
 */
#include "ips/detect/detect.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/random.h>

#include "ips/base/clock.h"
#include "ips/base/fault.h"
#include "ips/detect/detect_parts.h"
#include "ips/detect/profile.h"
#include "ips/detect/tag.h"

#define TRACK_DEFAULT 4096
#define STEPS_BYTES   1460 /* the bound is for so many bytes: longer ones have it again for each more */
#define STEPS_TIMES   64   /* that often at most: a segment that fills a hole may bring megabytes */
#define STEPS_DEFAULT 3000 /* default bound on backtracking: Suricata's inspection-recursion-limit */

/* The flow table forgets a flow. */
static void released(void *arg, uint32_t index, enum flow_end why)
{
    struct detect *d = arg;
    struct tally *t = &d->tallies[index];

    if (why == FLOW_TAKEN_UP_AGAIN)
        return;
    report_flow(&d->report, flow_at(d->flows, index), t, why);
    *t = (struct tally){0};
}

struct detect *detect_new(const struct detect_config *cfg, uint32_t worker, struct event_ring *ring,
                          struct counters *c, struct err *e)
{
    struct detect *d = calloc(1, sizeof(*d));

    if (!d) {
        err_set(e, -ENOMEM, "no memory for the detector of worker %u", worker);
        return NULL;
    }
    if (getrandom(&d->done_seed, sizeof(d->done_seed), 0) != sizeof(d->done_seed)) {
        err_set(e, -EIO, "the kernel gave no random bytes to the detector of worker %u", worker);
        free(d);
        return NULL;
    }
    d->eval.scratch = eval_scratch_new(e);
    d->own_track = track_new(cfg->track_entries ? cfg->track_entries : TRACK_DEFAULT, e);
    if (cfg->flows && cfg->max_flows > 0)
        d->late_table = late_table_new(cfg->max_flows, e);
    if (cfg->log_flows && cfg->flows && cfg->max_flows > 0)
        d->tallies =
            calloc(cfg->max_flows, sizeof(*d->tallies)); /* the kernel's zeros: touched by what is dropped */
    if (cfg->log_flows && !d->tallies) {
        err_set(e, -ENOMEM, "no memory for what was dropped of %u flows", cfg->max_flows);
        err_remedy(e, "lower flow.max");
        detect_free(d);
        return NULL;
    }
    if (!d->eval.scratch || !d->own_track || (cfg->max_flows > 0 && cfg->flows && !d->late_table)) {
        detect_free(d);
        return NULL;
    }
    d->flows = cfg->flows;
    d->streams = cfg->streams;
    d->sources = cfg->sources;
    d->app = cfg->app;
    d->eval.memory = (struct memory){
        .vars = cfg->flows ? flow_table_vars(cfg->flows) : NULL, .track = d->own_track, .c = c};
    d->c = c;
    d->eval.facts = &d->facts;
    d->inline_mode = cfg->inline_mode;
    d->log_anomalies = cfg->log_anomalies;
    d->steps_max = cfg->steps_max ? cfg->steps_max : STEPS_DEFAULT;
    d->worker = worker;
    d->beacon = cfg->beacon ? cfg->beacon : &d->own_beacon;
    d->meter = cfg->meter ? cfg->meter : &d->own_meter;
    if (d->tallies)
        flow_table_on_release(cfg->flows, released, d);
    d->report = (struct report){
        .ring = ring,
        .c = c,
        .log_payload = cfg->log_payload,
        .log_packet = cfg->log_packet,
        .bridge = cfg->bridge,
        .app = cfg->app,
    };
    return d;
}

void detect_free(struct detect *d)
{
    if (!d)
        return;
    eval_scratch_free(d->eval.scratch);
    late_table_free(d->late_table);
    if (d->tallies && d->flows)
        flow_table_off_release(d->flows, d);
    free(d->tallies);
    track_free(d->own_track);
    free(d);
}

void detect_share_track(struct detect *d, struct track *t)
{
    track_free(d->own_track);
    d->own_track = NULL;
    d->eval.memory.track = t;
}

static enum rule_proto proto_of(const struct packet *p)
{
    if (p->ip_proto == IPPROTO_TCP)
        return PROTO_TCP;
    if (p->ip_proto == IPPROTO_UDP)
        return PROTO_UDP;
    return p->ip_proto == (p->ip_version == 6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP) ? PROTO_ICMP : PROTO_IP;
}

static struct span ip_header(const struct packet *p)
{
    return span_of(p->data + p->l3_off, p->ip_hdr_len);
}

static struct span l4_header(const struct packet *p)
{
    if (!(p->flags & PKT_HAS_L4))
        return span_of(NULL, 0);
    return span_of(p->data + p->l4_off, (size_t)(p->payload_off - p->l4_off));
}

/*
 * How many sequence numbers each end has used, seen from this packet: its sender's up to its last byte, the other's as
 * far as this packet acknowledges. Unknown for a connection whose beginning was not seen, or that is being reopened.
 */
static bool sizes_by_flow(const struct packet *p, uint32_t size[2])
{
    const struct flow *f = p->flow;
    unsigned from = p->flags & PKT_TO_CLIENT ? 1 : 0;
    uint32_t end =
        p->tcp_seq + p->payload_len + (p->tcp_flags & 0x02 ? 1 : 0) + (p->tcp_flags & 0x01 ? 1 : 0);

    size[0] = size[1] = 0;
    if (!f || p->ip_proto != IPPROTO_TCP || (f->flags & (FLOW_MIDSTREAM | FLOW_REOPEN_TS | FLOW_REOPEN_TC)) ||
        !(f->flags & FLOW_SYN))
        return false;
    if (from == 0 || (f->flags & FLOW_SYNACK))
        size[from] = end - f->isn[from];
    if ((p->tcp_flags & 0x10) && (from == 1 || (f->flags & FLOW_SYNACK)))
        size[1 - from] = p->tcp_ack - f->isn[1 - from];
    return size[0] < 1u << 31 && size[1] < 1u << 31; /* an old copy of a packet from before the beginning */
}

static void fill_facts(struct detect *d, const struct packet *p)
{
    const struct flow *f = p->flow;
    static const uint32_t proto_fact[PROTO_N] = {0, FACT_TCP, FACT_UDP, FACT_ICMP};

    d->facts = (struct facts){
        .flags = proto_fact[proto_of(p)] |
                 (p->ip_version == 6   ? FACT_IPV6
                  : p->ip_version == 4 ? FACT_IPV4
                                       : 0) |
                 (p->flow ? FACT_HAS_FLOW : 0) | (p->flags & PKT_TO_CLIENT ? FACT_TO_CLIENT : 0) |
                 (p->flags & PKT_ESTABLISHED ? FACT_ESTABLISHED : 0) |
                 (p->ip_proto == IPPROTO_TCP && (p->tcp_flags & 0x02) ? FACT_SYN : 0) |
                 (p->flags & PKT_FRAGMENT ? FACT_FRAGMENT : 0) |
                 (p->flags & PKT_REASSEMBLED ? FACT_REASSEMBLED : 0) |
                 (!d->app || app_settled(d->app, p) ? FACT_APP_SETTLED : 0),
        .ip_proto = p->ip_proto,
        .ip_ttl = p->ip_ttl,
        .ip_tos = p->ip_tos,
        .ip_version = p->ip_version,
        .ip_id = p->ip_id,
        .ip_frag = p->ip_frag,
        .sport = p->sport,
        .dport = p->dport,
        .tcp_flags = p->tcp_flags,
        .icmp_type = p->icmp_type,
        .icmp_code = p->icmp_code,
        .tcp_window = p->tcp_window,
        .icmp_id = p->icmp_id,
        .icmp_seq = p->icmp_seq,
        .payload_len = p->payload_len,
        .tcp_seq = p->tcp_seq,
        .tcp_ack = p->tcp_ack,
        .src = p->src.b,
        .dst = p->dst.b,
        .l3_hdr = ip_header(p),
        .l4_hdr = l4_header(p),
        .vlan = {p->vlan[0], p->vlan[1], p->vlan[2]},
        .n_vlans = p->n_vlans,
        .apps = d->app ? app_of(d->app, p) : 0,
        .anomalies = &p->anomalies,
        .flow_pkts = f ? f->pkts : NULL,
        .flow_bytes = f ? f->bytes : NULL,
        .flow_age_ns = f && p->ts_ns > f->start_ts_ns ? p->ts_ns - f->start_ts_ns : 0,
    };
    if (d->streams ? stream_sizes(d->streams, p, d->facts.stream_size)
                   : sizes_by_flow(p, d->facts.stream_size))
        d->facts.flags |= FACT_STREAM_SIZE;
}

/* As many as the bytes call for; more bytes than STEPS_TIMES allows for get no more steps. */
static uint32_t steps_times(const struct detect *d)
{
    return 1 + d->eval.buf[BUF_PAYLOAD].len / STEPS_BYTES;
}

uint32_t detect_steps(const struct detect *d)
{
    uint32_t times = steps_times(d);

    return d->steps_max * (times < STEPS_TIMES ? times : STEPS_TIMES);
}

/* The rule's options, on the packet's own payload or on the stream's window. */
static bool try(struct detect *d, const struct ruleset *rs, const struct rule *r, enum match where)
{
    struct sight *s = &d->sight;

    if (where == IN_STREAM) {
        /* rules about a protocol that was not known before have seen nothing of it */
        bool anew = (r->flags & RULE_APP) && d->app && app_just_known(d->app, s->p);

        sight_window(s);
        eval_look_at(&d->eval, s->window, s->origin, anew ? 0 : s->fresh_at);
    } else {
        eval_look_at(&d->eval, packet_payload(s->p), 0, 0);
    }
    d->eval.steps_left = detect_steps(d);
    if (eval_rule(rs, r, &d->eval))
        return true;
    /* more bytes than the steps are meant for must not hide what a rule would block */
    d->unfinished |= d->eval.hit_step_limit && steps_times(d) > STEPS_TIMES &&
                     (r->action == ACTION_DROP || r->action == ACTION_REJECT);
    return false;
}

/* The rule is a candidate for what was in the stream before, and for nothing new. */
static bool only_recalled(const struct detect *d, uint32_t index)
{
    for (uint32_t i = 0; i < LATE_MAX; i++)
        if ((d->only_late >> i & 1) && d->rules_late[i] == index)
            return true;
    return false;
}

/* The stream first, because a match in it reaches further; a rule matches a packet once. */
static enum match try_all(struct detect *d, const struct ruleset *rs, uint32_t index, uint32_t tries)
{
    const struct rule *r = &rs->rules[index];

    fault_rule(rs->info[index].sid);
    if (tries & RULE_STREAM) {
        if (try(d, rs, r, IN_STREAM))
            return IN_STREAM;
        if (d->late && (r->flags & RULE_LATE) && !only_recalled(d, index))
            late_add(d->late, d->sight.view, index);
    }
    return (tries & RULE_PACKET) && try(d, rs, r, IN_PACKET) ? IN_PACKET : NO_MATCH;
}

static enum match weigh(struct detect *d, const struct ruleset *rs, uint32_t index, uint32_t tries)
{
    uint64_t began_ns = clock_mono_ns();
    enum match match = try_all(d, rs, index, tries);

    cost_add(d, index, clock_mono_ns() - began_ns);
    return match;
}

void detect_count_limits(struct detect *d, bool matched)
{
    if (!matched)
        counter_add(d->c, CTR_DETECT_PREFILTER_FALSE, 1);
    if (d->eval.hit_step_limit)
        counter_add(d->c, CTR_DETECT_STEP_LIMIT, 1);
    if (d->eval.hit_pcre_limit)
        counter_add(d->c, CTR_DETECT_PCRE_LIMIT, 1);
    d->hit_step_limit |= d->eval.hit_step_limit;
    d->hit_pcre_limit |= d->eval.hit_pcre_limit;
}

/* A rule about transactions whose fast pattern is in the payload: tried when the packet's parser publishes. */
static void want(struct detect *d, uint32_t index)
{
    if (d->n_wanted < WANTED_MAX)
        d->wanted[d->n_wanted++] = index; /* candidates come in order */
    else
        counter_add(d->c, CTR_DETECT_WANTED_FULL, 1);
}

static enum match confirm(struct detect *d, const struct ruleset *rs, uint32_t index)
{
    const struct rule *r = &rs->rules[index];
    uint32_t tries = sight_tries(&d->sight, r->flags);
    enum match match;

    if (r->flags & RULE_TX) {
        want(d, index);
        return NO_MATCH;
    }
    if (tries == 0 || cost_leaves_out(d, index))
        return NO_MATCH;
    if (!ruleset_header_match(rs, r, &d->facts)) {
        if ((r->flags & RULE_APP) && d->late && !(d->facts.flags & FACT_APP_SETTLED) && (tries & RULE_STREAM))
            late_add(d->late, d->sight.view, index); /* it may yet turn out to speak that */
        return NO_MATCH;
    }
    counter_add(d->c, CTR_DETECT_CANDIDATES, 1);
    d->eval.hit_step_limit = d->eval.hit_pcre_limit = false;
    beacon_rule(d->beacon, &rs->info[index]);
    match = d->meter->on ? weigh(d, rs, index, tries) : try_all(d, rs, index, tries);
    beacon_rule(d->beacon, NULL);
    detect_count_limits(d, match != NO_MATCH);
    return match;
}

static enum match matches(struct detect *d, const struct ruleset *rs, uint32_t index, struct rule_cost *costs)
{
    if (!costs)
        return confirm(d, rs, index);
    uint64_t began = clock_mono_ns();
    enum match match = confirm(d, rs, index);
    profile_add(&costs[index], match != NO_MATCH, clock_mono_ns() - began);
    return match;
}

/* The flow's IP-only flag for the packet's direction; 0 where the packet decides nothing for a flow. */
static uint16_t iponly_flag(const struct packet *p)
{
    if (!act_speaks_for_flow(p))
        return 0;
    return p->flags & PKT_TO_CLIENT ? FLOW_IPONLY_DONE_TC : FLOW_IPONLY_DONE_TS;
}

/* What every packet has for rules to look into. */
static void set_buffers(struct eval *e, const struct ruleset *rs, const struct packet *p)
{
    static const uint8_t l4_buffer[PROTO_N] = {
        [PROTO_TCP] = BUF_TCP_HDR, [PROTO_UDP] = BUF_UDP_HDR, [PROTO_ICMP] = BUF_ICMPV4_HDR};
    enum rule_proto proto = proto_of(p);

    eval_begin(e, rs);
    e->buf[BUF_PAYLOAD] = packet_payload(p);
    if (p->ip_version == 6) /* ipv6.hdr goes on to the last extension header */
        e->buf[BUF_IPV6_HDR] = span_of(p->data + p->l3_off, (size_t)(p->l4_off - p->l3_off));
    else
        e->buf[BUF_IPV4_HDR] = ip_header(p);
    if (proto == PROTO_ICMP && p->ip_version == 6)
        e->buf[BUF_ICMPV6_HDR] = l4_header(p);
    else if (proto != PROTO_IP)
        e->buf[l4_buffer[proto]] = l4_header(p);
}

/* What is known of the stream that the packet adds to. */
static void recall(struct detect *d, const struct ruleset *rs, const struct packet *p,
                   struct prefilter_hints *h)
{
    const struct stream_view *v = d->sight.view;

    d->late = NULL;
    h->sight = &d->sight;
    h->whole_window = true;
    if (!v || !d->late_table || !p->flow)
        return;
    d->late = late_of(d->late_table, flow_index(d->flows, p->flow), (p->flags & PKT_TO_CLIENT) != 0);
    late_begin(d->late, v, rs->generation);
    h->whole_window = d->late->all || (d->app && app_just_known(d->app, p));
    memcpy(d->rules_late, d->late->rule, sizeof(d->rules_late)); /* the list grows while rules are tried */
    h->late = d->rules_late;
    h->n_late = d->late->n;
}

/* All candidates in rank order; after a pass rule only those that remember something. */
static void inspect(struct detect *d, const struct ruleset *rs, struct packet *p, enum look look)
{
    const struct ruleset_worker *w = &rs->workers[d->worker];
    struct rule_cost *costs = __atomic_load_n(&w->costs, __ATOMIC_ACQUIRE);
    uint16_t iponly = iponly_flag(p);
    struct prefilter_hints hints = {.ip_only_done = iponly && p->flow && (p->flow->flags & iponly)};
    struct candidates found;

    fill_facts(d, p);
    set_buffers(&d->eval, rs, p);
    sight_open(&d->sight, d->streams, p);
    if (look == LOOK) {
        recall(d, rs, p, &hints);
        prefilter_run(rs, w, &d->eval, &hints, &found, d->c);
    } else {
        d->late = NULL;
        prefilter_run_anomalous(rs, &found);
    }
    d->only_late = found.only_late;
    for (uint32_t i; (i = candidates_next(&found)) != CANDIDATE_NONE;) {
        enum match match;

        if (i > d->pass_rank && !rs->rules[i].n_post)
            continue;
        match = matches(d, rs, i, costs);
        if (match != NO_MATCH)
            act_note(d, i, match, 0);
    }
    /* what was not tried here, but may be on the next segment */
    if (d->late && (d->pass_rank != UINT32_MAX || !(p->flags & PKT_ESTABLISHED)))
        late_add_all(d->late, d->sight.view);
    if (d->eval.hit_transform_limit)
        counter_add(d->c, CTR_DETECT_TRANSFORM_LIMIT, 1);
    if (iponly)
        p->flow->flags |= iponly;
}

static enum look settle(struct detect *d, struct packet *p)
{
    struct flow *f = p->flow;

    d->drop_said = false;

    if (!d->inline_mode) {
        p->verdict = VERDICT_FORWARD;
        p->drop_reason = DROP_NONE;
        if (f && f->verdict == FLOW_DROP)
            f->verdict = FLOW_INSPECT;
    }
    if (p->verdict == VERDICT_DROP)
        act_drop_uninspected(d, p->drop_reason);
    if (p->flags & PKT_MALFORMED)
        return LOOK_AT_ANOMALIES;
    if ((p->flags & (PKT_HAS_IP | PKT_BAD_CHECKSUM | PKT_UNINSPECTED)) != PKT_HAS_IP)
        return LOOK_NOWHERE;
    if (p->verdict == VERDICT_DROP)
        return (p->flags & PKT_IGNORED) && !(f && f->verdict != FLOW_INSPECT) ? LOOK : LOOK_NOWHERE;
    if (f && f->verdict == FLOW_DROP) {
        act_drop_uninspected(d, f->flags & FLOW_BY_POLICY ? DROP_FLOW_POLICY : DROP_FLOW);
        return LOOK_NOWHERE;
    }
    if (f && f->verdict == FLOW_PASS) {
        if (!(f->flags & FLOW_BY_POLICY))
            counter_add(d->c, CTR_PASSED, 1);
        return LOOK_NOWHERE;
    }
    return LOOK;
}

bool detect_is_odd(const struct detect *d)
{
    bool more = false;

    for (unsigned i = 0; i < sizeof(d->asked.bits) / sizeof(d->asked.bits[0]); i++)
        more |= (d->p->anomalies.bits[i] & ~d->asked.bits[i]) != 0;
    return more;
}

/* Rules that ask for what parsers found odd, which was not known when the packet was looked at. */
static void ask_again(struct detect *d)
{
    struct candidates found;

    if (!detect_is_odd(d) || d->look != LOOK)
        return;
    prefilter_run_anomalous(d->rs, &found);
    d->facts.apps = d->app ? app_of(d->app, d->p) : 0;
    d->late = NULL;
    for (uint32_t i; (i = candidates_next(&found)) != CANDIDATE_NONE;) {
        bool before = false;

        for (uint32_t k = 0; k < d->n_matches; k++)
            before |= d->matches[k].rule == i;
        enum match match = before || i > d->pass_rank ? NO_MATCH : confirm(d, d->rs, i);
        if (match != NO_MATCH)
            act_note(d, i, match, d->event_note);
    }
}

void detect_begin(struct detect *d, const struct ruleset *rs, struct packet *p)
{
    d->report.rejected = d->report.passed = false;
    d->report.ts_ns = p->ts_ns;
    d->report.now_ns = p->now_ns;
    d->p = p;
    d->look = settle(d, p);
    d->rs = rs && (d->look == LOOK || (d->look == LOOK_AT_ANOMALIES && rs->anomalous.n > 0)) ? rs : NULL;
    if (d->app && rs)
        app_set_asks(d->app, rs->asks);
    if (!d->rs)
        return;
    assert(d->worker < rs->n_workers); /* else it was built for fewer workers: ruleset_source.n_workers */
    d->n_alerts = d->n_matches = d->n_wanted = d->n_notes = d->notes_used = 0;
    d->event_note = 0;
    d->has_drop = d->inspected = d->unfinished = false;
    d->report.blocked_s = 0;
    d->pass_rank = UINT32_MAX;
    d->hit_step_limit = d->hit_pcre_limit = d->left_out = false;
    d->leaves_out = d->out_generation == rs->generation + 1 && d->costly.n > 0;
    d->eval.memory.flow_vars = p->flow && d->eval.memory.vars ? flow_vars(d->flows, p->flow) : NULL;
    d->eval.memory.now_ms = p->now_ns / NS_PER_MS;
    d->tagged = tag_take(p, &d->eval.memory);
    d->asked = p->anomalies;
    inspect(d, rs, p, d->look);
}

/* Rules that the payload made candidates, and which no transaction of this packet has answered, wait for the next one. */
static void keep_wanted(struct detect *d)
{
    for (uint32_t i = 0; d->late && i < d->n_wanted; i++)
        late_add(d->late, d->sight.view, d->wanted[i]);
}

bool detect_end(struct detect *d, struct packet *p)
{
    bool dropped = p->verdict == VERDICT_DROP;

    if (d->rs) {
        if (d->meter->on)
            cost_packet(d);
        if (d->left_out)
            counter_add(d->c, CTR_OVERLOAD_RULES, 1);
        keep_wanted(d);
        ask_again(d);
        act_all(d);
        if (d->unfinished && d->inline_mode && !d->inspected && p->verdict != VERDICT_DROP)
            act_drop_uninspected(d, DROP_STEPS);
        if (d->n_alerts || d->has_drop || d->tagged)
            act_report(d);
        if (d->hit_step_limit)
            counter_anomaly(d->c, &p->anomalies, AN_DETECT_STEPS);
        if (d->hit_pcre_limit)
            counter_anomaly(d->c, &p->anomalies, AN_DETECT_PCRE);
    }
    if (dropped && !d->drop_said) { /* by a parser's policy, after detect_begin() */
        if (d->inline_mode) {
            act_drop_uninspected(d, p->drop_reason);
        } else {
            p->verdict = VERDICT_FORWARD;
            p->drop_reason = DROP_NONE;
        }
    }
    act_tally(d);
    if (d->log_anomalies && anomaly_any(&p->anomalies))
        report_event(&d->report, EVENT_ANOMALY, p, NULL, ACTION_ALERT);
    return d->report.rejected;
}

void detect_log(void *detect, const struct app_record *r)
{
    struct detect *d = detect;

    report_app(&d->report, r);
}

bool detect_file(void *detect, const struct app_chunk *chunk)
{
    const struct detect *d = detect;

    return report_file(&d->report, chunk);
}

bool detect_packet(struct detect *d, const struct ruleset *rs, struct packet *p)
{
    detect_begin(d, rs, p);
    return detect_end(d, p);
}
