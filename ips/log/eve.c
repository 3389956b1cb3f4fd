/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events as EVE JSON lines.
 *
 * Owns nothing but the text of the current second, since most lines share it. Runs in the logger thread (or
 * in the one thread of capture mode). The record is trusted to be whole, because a worker of this process
 * wrote it; the texts inside it are not: they come from rule files and from the wire, and the writer escapes
 * them.
 *
 * Field names, their order and their words follow Suricata 7 (doc/userguide/output/eve/eve-json-format.rst),
 * so that what reads its logs reads ours: "blocked" is said of the rule that blocked, "verdict" of the
 * packet; IPv6 addresses are written out in full; protocols have the names of IANA's registry with Suricata's
 * spelling.
 */
#include "ips/log/eve.h"
#include "ips/log/eve_drop.h"
#include "ips/log/eve_rule.h"
#include "ips/log/eve_vars.h"

#include <netinet/in.h>
#include <stdio.h>
#include <time.h>

#include "ips/base/clock.h"
#include "ips/base/counters.h"
#include "ips/base/fields.h"
#include "ips/flow/exception.h"
#include "rules/ruleset.h"

/* IANA protocol numbers; those that have no row are written as a number of three digits. */
static const char *const proto_names[256] = {
    [0] = "HOPOPT",     [1] = "ICMP",         [2] = "IGMP",       [3] = "GGP",
    [4] = "IP-in-IP",   [5] = "ST",           [6] = "TCP",        [7] = "CBT",
    [8] = "EGP",        [9] = "IGP",          [12] = "PUP",       [17] = "UDP",
    [20] = "HMP",       [22] = "XNS-IDP",     [27] = "RDP",       [29] = "ISO-TP4",
    [33] = "DCCP",      [36] = "XTP",         [41] = "IPv6",      [43] = "IPv6-Route",
    [44] = "IPv6-Frag", [45] = "IDRP",        [46] = "RSVP",      [47] = "GRE",
    [50] = "ESP",       [51] = "AH",          [55] = "MOBILE",    [57] = "SKIP",
    [58] = "IPv6-ICMP", [59] = "IPv6-NoNxt",  [60] = "IPv6-Opts", [88] = "EIGRP",
    [89] = "OSPFIGP",   [94] = "IPIP",        [97] = "ETHERIP",   [98] = "ENCAP",
    [103] = "PIM",      [108] = "IPComp",     [112] = "VRRP",     [115] = "L2TP",
    [124] = "ISIS",     [132] = "SCTP",       [133] = "FC",       [135] = "Mobility-Header",
    [136] = "UDPLite",  [137] = "MPLS-in-IP", [138] = "manet",    [139] = "HIP",
    [140] = "Shim6",    [141] = "WESP",       [142] = "ROHC",
};

/* What a packet's bytes start with: the number and name of libpcap's link type. */
static const struct {
    uint32_t number;
    const char *name;
} links[] = {
    [LINK_ETHERNET] = {1, "EN10MB"},   [LINK_RAW] = {12, "RAW"},  [LINK_SLL] = {113, "LINUX_SLL"},
    [LINK_SLL2] = {276, "LINUX_SLL2"}, [LINK_NULL] = {0, "NULL"}, [LINK_PPP] = {9, "PPP"},
    [LINK_OTHER] = {147, "USER0"},
};

static const struct {
    const char *name, *pkt_src;
} tunnels[TUNNEL_N] = {
    [TUNNEL_NONE] = {"none", "wire/pcap"},         [TUNNEL_IPIP] = {"ipip", "ipv4 tunnel"},
    [TUNNEL_IPMPLS] = {"mpls", "mpls tunnel"},     [TUNNEL_ETHERIP] = {"etherip", "etherip tunnel"},
    [TUNNEL_GRE] = {"gre", "gre tunnel"},          [TUNNEL_ERSPAN] = {"erspan", "erspan tunnel"},
    [TUNNEL_VXLAN] = {"vxlan", "vxlan tunnel"},    [TUNNEL_GENEVE] = {"geneve", "geneve tunnel"},
    [TUNNEL_TEREDO] = {"teredo", "teredo tunnel"},
};

struct parts { /* the variable parts of a record, in their order */
    struct span msg, category, metadata, references, payload, packet, vars, tunnel, app, name, object, fields,
        files;
};

static struct span part_next(const uint8_t **at, uint32_t len)
{
    struct span s = span_of(*at, len);

    *at += len;
    return s;
}

static void parts_of(const struct event *ev, struct parts *p)
{
    const uint8_t *at = (const uint8_t *)(ev + 1);

    p->msg = part_next(&at, ev->msg_len);
    p->category = part_next(&at, ev->category_len);
    p->metadata = part_next(&at, ev->metadata_len);
    p->references = part_next(&at, ev->references_len);
    p->payload = part_next(&at, ev->payload_len);
    p->packet = part_next(&at, ev->packet_len);
    p->vars = part_next(&at, ev->vars_len);
    p->tunnel = part_next(&at, ev->tunnel_len);
    p->app = part_next(&at, ev->app_len);
    p->name = part_next(&at, ev->name_len);
    p->object = part_next(&at, ev->object_len);
    p->fields = part_next(&at, ev->fields_len);
    p->files = part_next(&at, ev->files_len);
}

void eve_init(struct eve *eve, const struct logger_config *cfg)
{
    *eve = (struct eve){.cfg = cfg, .second = INT64_MIN};
    tzset();
}

static void write_time(struct eve *eve, struct json_writer *w, const char *key, uint64_t ts_ns)
{
    int64_t second = (int64_t)(ts_ns / NS_PER_S);
    char text[48];

    if (second != eve->second) {
        time_t t = (time_t)second;
        struct tm tm;

        if ((eve->cfg->utc ? gmtime_r(&t, &tm) : localtime_r(&t, &tm)) == NULL)
            memset(&tm, 0, sizeof(tm)); /* a year beyond int: only a forged capture has it */
        strftime(eve->date, sizeof(eve->date), "%Y-%m-%dT%H:%M:%S", &tm);
        strftime(eve->zone, sizeof(eve->zone), "%z", &tm);
        eve->second = second;
    }
    snprintf(text, sizeof(text), "%s.%06u%s", eve->date, (unsigned)(ts_ns % NS_PER_S / NS_PER_US), eve->zone);
    json_write_str(w, key, text);
}

void eve_write_head(struct eve *eve, struct json_writer *w, uint64_t ts_ns, const char *event_type)
{
    w->comma = false;
    json_write_open(w, NULL, '{');
    write_time(eve, w, "timestamp", ts_ns);
    json_write_str(w, "event_type", event_type);
}

void eve_write_addr(struct json_writer *w, const char *key, const struct addr *a, unsigned ip_version)
{
    const uint8_t *b = a->b;
    char text[48];

    if (ip_version == 4)
        snprintf(text, sizeof(text), "%u.%u.%u.%u", b[12], b[13], b[14], b[15]);
    else
        snprintf(text, sizeof(text), "%04x:%04x:%04x:%04x:%04x:%04x:%04x:%04x", load_be16(b),
                 load_be16(b + 2), load_be16(b + 4), load_be16(b + 6), load_be16(b + 8), load_be16(b + 10),
                 load_be16(b + 12), load_be16(b + 14));
    json_write_str(w, key, text);
}

static bool has_ports(const struct event *ev)
{
    return ev->ip_proto == IPPROTO_TCP || ev->ip_proto == IPPROTO_UDP || ev->ip_proto == IPPROTO_SCTP;
}

static void write_end_points(struct json_writer *w, const struct event *ev, bool swap)
{
    eve_write_addr(w, "src_ip", swap ? &ev->dst : &ev->src, ev->ip_version);
    if (has_ports(ev))
        json_write_uint(w, "src_port", swap ? ev->dport : ev->sport);
    eve_write_addr(w, "dest_ip", swap ? &ev->src : &ev->dst, ev->ip_version);
    if (has_ports(ev))
        json_write_uint(w, "dest_port", swap ? ev->sport : ev->dport);
}

static void write_proto(struct json_writer *w, uint8_t proto)
{
    const char *name = proto_names[proto];
    char number[8];

    if (name == NULL) {
        snprintf(number, sizeof(number), "%03u", proto);
        name = number;
    }
    json_write_str(w, "proto", name);
}

static void write_ip(struct json_writer *w, const struct event *ev)
{
    if (ev->ip_version == 0)
        return;
    write_end_points(w, ev, false);
    write_proto(w, ev->ip_proto);
    json_write_uint(w, "ip_v", ev->ip_version);
    if (ev->ip_proto == IPPROTO_ICMP || ev->ip_proto == IPPROTO_ICMPV6) {
        json_write_uint(w, "icmp_type", ev->icmp_type);
        json_write_uint(w, "icmp_code", ev->icmp_code);
    }
}

static struct tunnel_hop hop_at(const struct parts *p, uint32_t i)
{
    struct tunnel_hop h;

    memcpy(&h, p->tunnel.p + i * sizeof(h), sizeof(h));
    return h;
}

static uint32_t n_hops(const struct parts *p)
{
    return p->tunnel.len / (uint32_t)sizeof(struct tunnel_hop);
}

/* Where the packet comes from, in Suricata's words where it has them. */
static const char *pkt_src(const struct parts *p)
{
    if (p->tunnel.len == 0)
        return "wire/pcap";
    struct tunnel_hop last = hop_at(p, n_hops(p) - 1);
    if (last.carries == TUNNEL_IPIP && last.ip_version == 6)
        return "ipv6 tunnel"; /* named after what is outside */
    return tunnels[last.carries < TUNNEL_N ? last.carries : TUNNEL_NONE].pkt_src;
}

static void write_hop(struct json_writer *w, const struct tunnel_hop *h)
{
    eve_write_addr(w, "src_ip", &h->src, h->ip_version);
    if (h->ip_proto == IPPROTO_UDP)
        json_write_uint(w, "src_port", h->sport);
    eve_write_addr(w, "dest_ip", &h->dst, h->ip_version);
    if (h->ip_proto == IPPROTO_UDP)
        json_write_uint(w, "dest_port", h->dport);
}

/* The outermost packet, and the path from it inwards. */
static void write_tunnel(struct json_writer *w, const struct event *ev, const struct parts *p)
{
    struct tunnel_hop h = hop_at(p, 0);

    json_write_open(w, "tunnel", '{');
    write_hop(w, &h);
    write_proto(w, h.ip_proto);
    json_write_uint(w, "depth", n_hops(p));
    if (ev->pcap_cnt != 0)
        json_write_uint(w, "pcap_cnt", ev->pcap_cnt);
    json_write_str(w, "pkt_src", "wire/pcap");
    json_write_open(w, "path", '[');
    for (uint32_t i = 0; i < n_hops(p); i++) {
        h = hop_at(p, i);
        json_write_open(w, NULL, '{');
        json_write_str(w, "type", tunnels[h.carries < TUNNEL_N ? h.carries : TUNNEL_NONE].name);
        if (h.id != 0)
            json_write_uint(w, "id", h.id);
        write_hop(w, &h);
        json_write_close(w, '}');
    }
    json_write_close(w, ']');
    json_write_close(w, '}');
}

static void write_common(struct eve *eve, struct json_writer *w, const struct event *ev,
                         const struct parts *p, const char *type)
{
    w->comma = false;
    json_write_open(w, NULL, '{');
    write_time(eve, w, "timestamp", ev->ts_ns);
    if (ev->has_flow)
        json_write_uint(w, "flow_id", ev->flow_id);
    if (ev->pcap_cnt != 0)
        json_write_uint(w, "pcap_cnt", ev->pcap_cnt);
    if (eve->cfg->ifname != NULL)
        json_write_str(w, "in_iface", eve->cfg->ifname[ev->bridge * 2 + ev->in_port]);
    json_write_str(w, "event_type", type);
    if (ev->n_vlans > 0) {
        json_write_open(w, "vlan", '[');
        for (unsigned i = 0; i < ev->n_vlans && i < VLAN_MAX; i++)
            json_write_uint(w, NULL, ev->vlan[i] & 0x0fff);
        json_write_close(w, ']');
    }
    write_ip(w, ev);
    json_write_str(w, "pkt_src", pkt_src(p));
    if (p->tunnel.len > 0)
        write_tunnel(w, ev, p);
}

static void write_end(struct json_writer *w, const char *key, const struct event *ev, bool src)
{
    json_write_open(w, key, '{');
    eve_write_addr(w, "ip", src ? &ev->src : &ev->dst, ev->ip_version);
    if (has_ports(ev))
        json_write_uint(w, "port", src ? ev->sport : ev->dport);
    json_write_close(w, '}');
}

static void write_alert(const struct eve *eve, struct json_writer *w, const struct event *ev,
                        const struct parts *p)
{
    bool blocked = ev->action == ACTION_REJECT || (ev->action == ACTION_DROP && ev->verdict == VERDICT_DROP);

    json_write_open(w, "alert", '{');
    json_write_str(w, "action", blocked ? "blocked" : "allowed");
    json_write_uint(w, "gid", ev->gid);
    json_write_uint(w, "signature_id", ev->sid);
    json_write_uint(w, "rev", ev->rev);
    json_write_text(w, "signature", p->msg);
    json_write_text(w, "category", p->category);
    json_write_uint(w, "severity", ev->priority);
    if (ev->target != TARGET_UNKNOWN && ev->ip_version != 0) {
        write_end(w, "source", ev, ev->target == TARGET_DST);
        write_end(w, "target", ev, ev->target == TARGET_SRC);
    }
    if (p->metadata.len > 0)
        eve_write_metadata(w, p->metadata);
    if (eve->cfg->references && p->references.len > 0)
        eve_write_references(w, p->references);
    json_write_close(w, '}');
}

static void write_verdict(struct json_writer *w, const struct event *ev)
{
    bool tcp = ev->ip_proto == IPPROTO_TCP;
    const char *action = "alert";

    if (ev->verdict == VERDICT_DROP)
        action = "drop";
    else if (ev->passed)
        action = "pass";
    json_write_open(w, "verdict", '{');
    json_write_str(w, "action", action);
    if (ev->rejected) {
        json_write_str(w, "reject-target", tcp ? "both" : "to_client");
        json_write_open(w, "reject", '[');
        json_write_str(w, NULL, tcp ? "tcp-reset" : "icmp-prohib");
        json_write_close(w, ']');
    }
    json_write_close(w, '}');
}

/* As Suricata names them, but for the action: that is what the configuration says. */
static void write_exceptions(struct json_writer *w, uint8_t exceptions)
{
    if (!exceptions)
        return;
    json_write_open(w, "exception_policy", '[');
    for (unsigned i = 0; i < EXC_N; i++)
        if (exceptions >> i & 1) {
            json_write_open(w, NULL, '{');
            json_write_str(w, "target", exception_word((enum exception)i));
            json_write_close(w, '}');
        }
    json_write_close(w, ']');
}

static void write_flow(struct eve *eve, struct json_writer *w, const struct event *ev)
{
    if (!ev->has_flow)
        return;
    json_write_str(w, "direction", ev->to_client ? "to_client" : "to_server");
    json_write_open(w, "flow", '{');
    json_write_uint(w, "pkts_toserver", ev->pkts_to_server);
    json_write_uint(w, "pkts_toclient", ev->pkts_to_client);
    json_write_uint(w, "bytes_toserver", ev->bytes_to_server);
    json_write_uint(w, "bytes_toclient", ev->bytes_to_client);
    write_time(eve, w, "start", ev->flow_start_ns);
    write_end_points(w, ev, ev->to_client);
    write_exceptions(w, ev->exceptions);
    json_write_close(w, '}');
}

static void write_packet(struct json_writer *w, const struct event *ev, const struct parts *p)
{
    unsigned link = ev->link <= LINK_OTHER ? ev->link : LINK_OTHER;

    json_write_base64(w, "packet", p->packet);
    json_write_open(w, "packet_info", '{');
    json_write_uint(w, "linktype", links[link].number);
    json_write_str(w, "linktype_name", links[link].name);
    json_write_close(w, '}');
}

static void write_bytes(struct eve *eve, struct json_writer *w, const struct event *ev, const struct parts *p)
{
    if (p->payload.len > 0) {
        if (eve->cfg->payload)
            json_write_base64(w, "payload", p->payload);
        if (eve->cfg->payload_printable)
            json_write_printable(w, "payload_printable", p->payload);
        json_write_uint(w, "stream", ev->in_stream);
    }
    if (p->packet.len > 0 && eve->cfg->packet)
        write_packet(w, ev, p);
}

static void write_key(char *key, size_t size, struct span s)
{
    snprintf(key, size, "%.*s", (int)s.len, (const char *)s.p);
}

/* What a parser says: names and values as they are in the record. False: the object that they are in is closed. */
static bool write_fields(struct json_writer *w, struct span fields)
{
    const uint8_t *at = fields.p, *end = fields.p + fields.len;
    char close[FIELDS_DEPTH_MAX] = {0};
    unsigned depth = 0;
    bool inside = true;

    for (;;) {
        struct field f = fields_next(&at, end);
        const char *key = f.kind != FIELD_END && f.key[0] != '\0' ? f.key : NULL;

        switch (f.kind) {
        case FIELD_TEXT:
            json_write_text(w, key, f.bytes);
            break;
        case FIELD_HEX:
            json_write_hex(w, key, f.bytes);
            break;
        case FIELD_NUMBER:
            json_write_uint(w, key, f.number);
            break;
        case FIELD_BOOL:
            json_write_bool(w, key, f.number != 0);
            break;
        case FIELD_OBJECT:
        case FIELD_LIST:
            close[depth++] = f.kind == FIELD_LIST ? ']' : '}';
            json_write_open(w, key, f.kind == FIELD_LIST ? '[' : '{');
            break;
        case FIELD_CLOSE:
            json_write_close(w, close[--depth]);
            break;
        case FIELD_BESIDE:
            json_write_close(w, '}');
            inside = false;
            break;
        default:
            return inside;
        }
    }
}

static void write_app(struct json_writer *w, const struct event *ev, const struct parts *p)
{
    char key[64];

    if (p->app.len > 0)
        json_write_text(w, "app_proto", p->app);
    if (p->object.len == 0)
        return;
    write_key(key, sizeof(key), p->object);
    json_write_open(w, key, '{');
    if (write_fields(w, p->fields))
        json_write_close(w, '}');
}

/* A flow that has ended; its name in the list is `flow`. */
static void write_flow_end(struct eve *eve, struct json_writer *w, const struct event *ev,
                           const struct parts *p)
{
    write_common(eve, w, ev, p, "flow");
    if (p->app.len > 0)
        json_write_text(w, "app_proto", p->app);
    json_write_open(w, "flow", '{');
    json_write_uint(w, "pkts_toserver", ev->pkts_to_server);
    json_write_uint(w, "pkts_toclient", ev->pkts_to_client);
    json_write_uint(w, "bytes_toserver", ev->bytes_to_server);
    json_write_uint(w, "bytes_toclient", ev->bytes_to_client);
    write_time(eve, w, "start", ev->flow_start_ns);
    write_time(eve, w, "end", ev->flow_start_ns + ev->flow_age_ns);
    json_write_uint(w, "age", ev->flow_age_ns / NS_PER_S);
    write_fields(w, p->object);
    write_exceptions(w, ev->exceptions);
    json_write_close(w, '}');
    write_fields(w, p->fields);
    json_write_close(w, '}');
    json_write_raw(w, "\n", 1);
}

/* One line for each anomaly of the packet. */
static void write_anomalies(struct eve *eve, struct json_writer *w, const struct event *ev,
                            const struct parts *p)
{
    static const struct {
        const char *type, *prefix;
    } rooms[] = {[ANOMALY_DECODE] = {"decode", "decoder"},
                 [ANOMALY_STREAM] = {"stream", "stream"},
                 [ANOMALY_APP] = {"applayer", "app"},
                 [ANOMALY_DETECT] = {"detect", "detect"}};
    char name[96];

    for (int i = 0; i < AN_N; i++) {
        enum anomaly_room room = anomaly_room(i);

        if (!anomaly_has(&ev->anomalies, i))
            continue;
        write_common(eve, w, ev, p, "anomaly");
        json_write_open(w, "anomaly", '{');
        json_write_str(w, "type", rooms[room].type);
        snprintf(name, sizeof(name), "%s.%s", rooms[room].prefix, anomaly_info[i].name);
        json_write_str(w, "event", name);
        json_write_close(w, '}');
        json_write_close(w, '}');
        json_write_raw(w, "\n", 1);
    }
}

/* What a parser says. */
static void write_record(struct eve *eve, struct json_writer *w, const struct event *ev,
                         const struct parts *p)
{
    char name[64];

    write_key(name, sizeof(name), p->name);
    write_common(eve, w, ev, p, name);
    if (ev->has_tx)
        json_write_uint(w, "tx_id", ev->tx_id);
    write_app(w, ev, p);
    json_write_close(w, '}');
    json_write_raw(w, "\n", 1);
}

struct span eve_write_file(struct eve *eve, struct json_writer *w, const struct event *ev)
{
    struct parts parts;

    parts_of(ev, &parts);
    if (parts.name.len > 0)
        write_record(eve, w, ev, &parts);
    return parts.payload;
}

void eve_write_event(struct eve *eve, struct json_writer *w, const struct event *ev)
{
    struct parts parts;

    parts_of(ev, &parts);
    if (ev->type == EVENT_ANOMALY) {
        write_anomalies(eve, w, ev, &parts);
        return;
    }
    if (ev->type == EVENT_APP) {
        if (logger_wants(eve->cfg, parts.name))
            write_record(eve, w, ev, &parts);
        return;
    }
    if (ev->type == EVENT_FLOW) {
        write_flow_end(eve, w, ev, &parts);
        return;
    }
    if (ev->type == EVENT_PACKET) {
        write_common(eve, w, ev, &parts, "packet");
        write_packet(w, ev, &parts);
        json_write_close(w, '}');
        json_write_raw(w, "\n", 1);
        return;
    }
    if (ev->type == EVENT_DROP) {
        write_common(eve, w, ev, &parts, "drop");
        eve_write_drop(w, ev);
    } else {
        write_common(eve, w, ev, &parts, "alert");
    }
    if (ev->type == EVENT_ALERT || ev->sid != 0)
        write_alert(eve, w, ev, &parts);
    if (ev->type == EVENT_ALERT && ev->has_tx)
        json_write_uint(w, "tx_id", ev->tx_id);
    write_app(w, ev, &parts);
    write_fields(w, parts.files);
    write_verdict(w, ev);
    write_flow(eve, w, ev);
    eve_write_vars(w, parts.vars);
    if (ev->type == EVENT_ALERT)
        write_bytes(eve, w, ev, &parts);
    json_write_close(w, '}');
    json_write_raw(w, "\n", 1);
}
