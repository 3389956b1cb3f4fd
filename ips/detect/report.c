/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a match or a drop to an event record in the worker's ring: facts are copied, nothing is formatted. The
 * record owns its texts, since the ruleset may be gone when the logger reads it.
 *
 * The ring never blocks: without room the event is lost and CTR_LOG_LOST says so. Texts and bytes are cut at what
 * their 16-bit lengths can say.
 *
 * Worker thread. Owns nothing.
 */
#include "ips/detect/report.h"
#include "ips/base/fields.h"
#include "ips/detect/detect_parts.h"

#include <netinet/in.h>

/* In the order that event.h fixes. */
enum part {
    MSG,
    CATEGORY,
    METADATA,
    REFERENCES,
    PAYLOAD,
    PACKET,
    VARS,
    TUNNEL,
    APP,
    NAME,
    OBJECT,
    FIELDS,
    FILES,
    N_PARTS
};

static uint16_t cut(size_t len)
{
    return len < UINT16_MAX ? (uint16_t)len : UINT16_MAX;
}

static struct span part_of(const char *s)
{
    return s ? span_of(s, cut(strlen(s))) : span_of(NULL, 0);
}

/* As many as a length can say, of those that completed the match. */
static struct span last_bytes(struct span s)
{
    return s.len > UINT16_MAX ? span_sub(s, s.len - UINT16_MAX, UINT16_MAX) : s;
}

/* References are joined with '\n'. */
static uint32_t references_len(const struct rule_info *rule)
{
    size_t len = 0;

    for (uint32_t i = 0; i < rule->n_references; i++)
        len += strlen(rule->references[i]) + (i > 0);
    return cut(len);
}

static void write_references(const struct rule_info *rule, uint8_t *out, uint32_t size)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < rule->n_references && at < size; i++) {
        if (i > 0)
            out[at++] = '\n';
        struct span s = span_sub(span_str(rule->references[i]), 0, size - at);
        memcpy(out + at, s.p, s.len);
        at += s.len;
    }
}

static void fill_counts(struct event *ev, const struct flow *f)
{
    ev->exceptions = f->exceptions;
    ev->pkts_to_server = f->pkts[0];
    ev->pkts_to_client = f->pkts[1];
    ev->bytes_to_server = f->bytes[0];
    ev->bytes_to_client = f->bytes[1];
}

static void fill_flow(struct event *ev, const struct packet *p)
{
    const struct flow *f = p->flow;

    if (!f)
        return;
    ev->has_flow = 1;
    ev->to_client = (p->flags & PKT_TO_CLIENT) != 0;
    ev->flow_id = f->id;
    ev->flow_start_ns = f->start_ts_ns;
    fill_counts(ev, f);
}

static void fill_packet(struct event *ev, const struct packet *p)
{
    ev->ts_ns = p->ts_ns;
    ev->pcap_cnt = p->pcap_cnt;
    ev->in_port = p->in_port;
    ev->link = p->outer ? LINK_RAW : p->link; /* what log.packet shows of it begins with IP */
    ev->anomalies = p->anomalies;
    ev->n_vlans = p->n_vlans;
    memcpy(ev->vlan, p->vlan, sizeof(ev->vlan));
    if (!(p->flags & PKT_HAS_IP))
        return;
    ev->src = p->src;
    ev->dst = p->dst;
    ev->ip_version = p->ip_version;
    ev->ip_proto = p->ip_proto;
    ev->ip_len = load_be16(p->data + p->l3_off + (p->ip_version == 4 ? 2 : 4));
    ev->ip_id = p->ip_id;
    ev->ip_tos = p->ip_tos;
    ev->ip_ttl = p->ip_ttl;
    if (!(p->flags & PKT_HAS_L4))
        return;
    ev->sport = p->sport;
    ev->dport = p->dport;
    ev->icmp_type = p->icmp_type;
    ev->icmp_code = p->icmp_code;
    ev->tcp_flags = p->tcp_flags;
    ev->tcp_seq = p->tcp_seq;
    ev->tcp_ack = p->tcp_ack;
    ev->tcp_window = p->tcp_window;
    ev->tcp_urgent = p->tcp_urgent;
    if (p->ip_proto == IPPROTO_TCP)
        ev->tcp_reserved = p->data[p->l4_off + 12] & 0x0f;
    else if (p->ip_proto == IPPROTO_UDP)
        ev->udp_len = load_be16(p->data + p->l4_off + 4);
}

/* The packets around p, the outermost first; how many there are. */
static uint32_t fill_tunnel(struct tunnel_hop *hops, const struct packet *p)
{
    uint32_t n = 0;

    for (const struct packet *o = p->outer; o && n < NEST_MAX; o = o->outer)
        n++;
    for (uint32_t i = n; i > 0; i--, p = p->outer) {
        const struct packet *o = p->outer;

        hops[i - 1] = (struct tunnel_hop){.src = o->src,
                                          .dst = o->dst,
                                          .id = p->tunnel_id,
                                          .carries = p->tunnel,
                                          .ip_version = o->ip_version,
                                          .ip_proto = o->ip_proto,
                                          .sport = o->sport,
                                          .dport = o->dport};
    }
    return n;
}

static void fill_rule(struct event *ev, const struct rule_info *rule, enum rule_action action)
{
    ev->action = (uint8_t)action;
    ev->sid = rule->sid;
    ev->gid = rule->gid;
    ev->rev = rule->rev;
    ev->priority = rule->priority;
    ev->target = rule->target;
}

/* A record with its parts, whose lengths are in it then; NULL and counted when the ring is full. The caller fills it
 * and commits. */
static struct event *reserve(const struct report *r, enum event_type type, const struct span part[N_PARTS],
                             const struct rule_info *rule)
{
    uint32_t size = sizeof(struct event);

    for (unsigned i = 0; i < N_PARTS; i++)
        size += part[i].len;
    struct event *ev = event_ring_reserve(r->ring, size);
    if (!ev) {
        counter_add(r->c, CTR_LOG_LOST, 1);
        return NULL;
    }
    ev->type = (uint8_t)type;
    ev->bridge = r->bridge;

    uint16_t *const lens[N_PARTS] = {
        &ev->msg_len,    &ev->category_len, &ev->metadata_len, &ev->references_len, &ev->payload_len,
        &ev->packet_len, &ev->vars_len,     &ev->tunnel_len,   &ev->app_len,        &ev->name_len,
        &ev->object_len, &ev->fields_len,   &ev->files_len};
    uint8_t *out = (uint8_t *)(ev + 1);
    for (unsigned i = 0; i < N_PARTS; i++) {
        *lens[i] = (uint16_t)part[i].len;
        if (part[i].p)
            memcpy(out, part[i].p, part[i].len);
        else if (part[i].len)
            write_references(rule, out, part[i].len);
        out += part[i].len;
    }
    return ev;
}

void report_event(const struct report *r, enum event_type type, const struct packet *p,
                  const struct rule_info *rule, enum rule_action action)
{
    if (!r->ring)
        return;

    struct span part[N_PARTS] = {{0}};
    if (rule) {
        part[MSG] = part_of(rule->msg);
        part[CATEGORY] = part_of(rule->category);
        part[METADATA] = part_of(rule->metadata);
        part[REFERENCES].len = references_len(rule);
    }
    if (type == EVENT_ALERT && r->log_payload && (p->flags & PKT_HAS_IP))
        part[PAYLOAD] = last_bytes(r->payload);
    if ((type == EVENT_ALERT && r->log_packet) || type == EVENT_PACKET)
        part[PACKET] =
            p->outer ? span_of(p->data + p->l3_off, cut(p->len - p->l3_off)) : span_of(p->data, cut(p->len));
    struct var vars[VARS_PER_OWNER_MAX];
    if (type == EVENT_ALERT && r->vars_owner != 0)
        part[VARS] =
            span_of(vars, vars_list(r->vars, r->vars_owner, vars, VARS_PER_OWNER_MAX) * sizeof(vars[0]));

    struct tunnel_hop hops[NEST_MAX];
    if (p->outer)
        part[TUNNEL] = span_of(hops, fill_tunnel(hops, p) * sizeof(hops[0]));
    if (r->app)
        part[APP] = part_of(app_name(r->app, p));
    if (type == EVENT_ALERT && r->note && r->note_fields.len > 0) {
        part[OBJECT] = part_of(r->note->object);
        part[FIELDS] = span_sub(r->note_fields, 0, UINT16_MAX);
    }
    if (type == EVENT_ALERT && r->note)
        part[FILES] = r->files;

    struct event *ev = reserve(r, type, part, rule);
    if (!ev)
        return;
    ev->verdict = p->verdict;
    ev->drop_reason = p->drop_reason;
    ev->rejected = r->rejected;
    ev->passed = r->passed;
    ev->in_stream = type == EVENT_ALERT && r->in_stream;
    if (type == EVENT_ALERT && r->note) {
        ev->has_tx = 1;
        ev->tx_id = r->note->tx_id;
    }
    fill_packet(ev, p);
    fill_flow(ev, p);
    if (rule)
        fill_rule(ev, rule, action);
    if (type == EVENT_DROP && rule) {
        ev->blocked_s = r->blocked_s;
        ev->blocked_destination = r->blocked_destination;
    }
    event_ring_commit(r->ring, ev);
}

/* The ends of a flow that has no packet any more. */
static void fill_ends(struct event *ev, const struct flow *f)
{
    ev->src = f->addr[0];
    ev->dst = f->addr[1];
    ev->sport = f->port[0];
    ev->dport = f->port[1];
    ev->ip_version = f->ip_version;
    ev->ip_proto = f->proto;
    ev->has_flow = 1;
    ev->flow_id = f->id;
    ev->flow_start_ns = f->start_ts_ns;
}

static void app_parts(struct span part[N_PARTS], const struct app_record *a)
{
    part[APP] = part_of(a->app);
    part[NAME] = part_of(a->event);
    part[OBJECT] = part_of(a->object);
    if (a->fields)
        part[FIELDS] = span_of(a->fields->p, cut(a->fields->len));
}

static void fill_app(const struct report *r, struct event *ev, const struct app_record *a)
{
    ev->has_tx = a->has_tx;
    ev->tx_id = a->tx_id;
    if (a->p) {
        fill_packet(ev, a->p);
        fill_flow(ev, a->p);
    } else {
        fill_ends(ev, a->flow);
        ev->ts_ns = r->ts_ns;
    }
    ev->to_client = a->to_client;
}

void report_app(const struct report *r, const struct app_record *a)
{
    struct span part[N_PARTS] = {{0}};

    if (!r->ring)
        return;
    app_parts(part, a);
    struct event *ev = reserve(r, EVENT_APP, part, NULL);
    if (!ev)
        return;
    fill_app(r, ev, a);
    event_ring_commit(r->ring, ev);
}

bool report_file(const struct report *r, const struct app_chunk *c)
{
    struct span part[N_PARTS] = {{0}};

    if (!r->ring)
        return false;
    part[PAYLOAD] = c->bytes;
    if (c->info)
        app_parts(part, c->info);
    struct event *ev = reserve(r, EVENT_FILE, part, NULL);
    if (!ev)
        return false;
    ev->file_id = c->id;
    ev->file_first = c->first;
    ev->file_last = c->last;
    if (c->info)
        fill_app(r, ev, c->info);
    event_ring_commit(r->ring, ev);
    return true;
}

/* How it ended and what was dropped of it; the names are Suricata's where it has them. */
static void fill_flow_fields(struct fields *f, const struct flow *flow, const struct tally *t,
                             enum flow_end why)
{
    static const char *const states[] = {
        [FLOW_NEW] = "new", [FLOW_ESTABLISHED] = "established", [FLOW_CLOSED] = "closed"};
    static const char *const reasons[] = {[FLOW_END_TIMEOUT] = "timeout",
                                          [FLOW_END_REUSED] = "tcp_reuse",
                                          [FLOW_END_EVICTED] = "forced",
                                          [FLOW_END_SHUTDOWN] = "shutdown"};

    fields_word(f, "state", states[flow->state]);
    fields_word(f, "reason", reasons[why]);
    fields_bool(f, "alerted", t->alerts > 0);
    if (t->alerts > 0)
        fields_number(f, "alerts", t->alerts);
    if (flow->verdict != FLOW_INSPECT)
        fields_word(f, "action", flow->verdict == FLOW_DROP ? "drop" : "pass");
    if (t->dropped == 0)
        return;
    fields_number(f, "pkts_dropped", t->dropped);
    fields_word(f, "drop_reason", drop_info[t->drop_reason].name);
    if (t->drop_sid != 0)
        fields_number(f, "drop_signature_id", t->drop_sid);
}

static void fill_tcp_fields(struct fields *f, const struct flow *flow)
{
    static const struct {
        uint8_t bit;
        const char *name;
    } flags[] = {{0x02, "syn"}, {0x01, "fin"}, {0x04, "rst"}, {0x08, "psh"}, {0x10, "ack"}, {0x20, "urg"}};
    uint8_t ts = flow->tcp_seen[0], tc = flow->tcp_seen[1], both = ts | tc;

    fields_object(f, "tcp");
    fields_hex(f, "tcp_flags", span_of(&both, 1));
    fields_hex(f, "tcp_flags_ts", span_of(&ts, 1));
    fields_hex(f, "tcp_flags_tc", span_of(&tc, 1));
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        if (both & flags[i].bit)
            fields_bool(f, flags[i].name, true);
    fields_close(f);
}

/* Real time of its last packet: flows keep the worker's clock. */
static uint64_t last_seen(const struct report *r, const struct flow *f)
{
    uint64_t ago = r->now_ns > f->last_ns ? r->now_ns - f->last_ns : 0;

    return r->ts_ns > ago && r->ts_ns - ago > f->start_ts_ns ? r->ts_ns - ago : f->start_ts_ns;
}

void report_flow(const struct report *r, const struct flow *f, const struct tally *t, enum flow_end why)
{
    struct span part[N_PARTS] = {{0}};
    uint8_t room[1024];
    struct fields flow;

    if (!r->ring)
        return;
    fields_begin(&flow, room, sizeof(room));
    fill_flow_fields(&flow, f, t, why);
    uint32_t at = flow.len;
    if (f->proto == IPPROTO_TCP)
        fill_tcp_fields(&flow, f);
    part[OBJECT] = span_of(room, at); /* of the flow object */
    part[FIELDS] = span_of(room + at, flow.len - at);
    if (r->app)
        part[APP] = part_of(app_name_of(r->app, f));
    struct event *ev = reserve(r, EVENT_FLOW, part, NULL);
    if (!ev)
        return;
    fill_ends(ev, f);
    fill_counts(ev, f);
    ev->ts_ns = r->ts_ns;
    ev->flow_age_ns = r->ts_ns > f->start_ts_ns ? last_seen(r, f) - f->start_ts_ns : 0;
    event_ring_commit(r->ring, ev);
}
