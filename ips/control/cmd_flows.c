/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `flows list`, `flows bypass`, `flows drop`, `flows forget`: the verdict cache, read, and written by the operator.
 *
 * A flow is named as it is on the wire: protocol, both ends with their ports, VLANs. What an operator says goes to the
 * caches of all bridges: the kernel settles the flow's frames by it at once, and the flow's worker takes it over with the
 * next packet that comes to it. `forget` leaves a note for that worker, which then gives up the verdict that the flow
 * has. Lists are counted in full, and shown as far as the limit. Server thread; owns nothing.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "ips/base/clock.h"
#include "ips/base/log.h"
#include "ips/base/prefix.h"
#include "ips/control/command.h"
#include "rules/source.h"

#define LIMIT_DEFAULT 100
#define NOTE_S        60 /* how long a flow's worker finds the note that it is to forget */
#define FOR_MAX_S     (30u * 86400)
#define END_TEXT_MAX  (INET6_ADDRSTRLEN + 8)

static const char *const kinds[] = {[STEER_KIND_DROP] = "dropped",
                                    [STEER_KIND_BYPASS] = "bypassed",
                                    [STEER_KIND_KNOWN] = "known",
                                    [STEER_KIND_SOURCE] = "blocked"};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))
static const char *const deciders[] = {
    [FLOWCACHE_BY_RULE] = "rule", [FLOWCACHE_BY_POLICY] = "policy", [FLOWCACHE_BY_OPERATOR] = "operator"};
static const struct {
    const char *name;
    uint8_t number;
} protos[] = {{"tcp", IPPROTO_TCP}, {"udp", IPPROTO_UDP}, {"sctp", IPPROTO_SCTP}};
#define N_PROTOS (sizeof(protos) / sizeof(protos[0]))

/* --- shown -------------------------------------------------------------------------------------------------------- */

struct listing {
    json_t *flows;
    json_int_t limit, count[N_KINDS];
    unsigned only; /* enum steer_kind; 0: all */
};

static const char *proto_name(uint8_t number)
{
    for (size_t i = 0; i < N_PROTOS; i++)
        if (protos[i].number == number)
            return protos[i].name;
    return "";
}

/* "10.0.0.1:80", "[2001:db8::1]:80", or the address alone. */
static const char *end_text(const struct steer_key *k, unsigned end, char text[END_TEXT_MAX])
{
    char ip[INET6_ADDRSTRLEN];

    inet_ntop(k->version == 4 ? AF_INET : AF_INET6, k->addr[end], ip, sizeof(ip));
    if (k->proto == 0)
        snprintf(text, END_TEXT_MAX, "%s", ip);
    else
        snprintf(text, END_TEXT_MAX, k->version == 4 ? "%s:%u" : "[%s]:%u", ip, ntohs(k->port_be[end]));
    return text;
}

static json_t *entry_json(const char *bridge, const struct flowcache_entry *e, uint64_t now_ns)
{
    const struct steer_key *k = &e->key;
    char a[END_TEXT_MAX], b[END_TEXT_MAX];
    uint64_t idle_ns = now_ns > e->last_ns ? now_ns - e->last_ns : 0;
    json_t *o =
        json_pack("{s:s, s:s, s:s, s:[I,I], s:[I,I], s:s, s:I, s:I}", "bridge", bridge, "kind",
                  kinds[e->verdict.kind], "from", end_text(k, 0, a), "packets", (json_int_t)e->pkts[0],
                  (json_int_t)e->pkts[1], "bytes", (json_int_t)e->bytes[0], (json_int_t)e->bytes[1], "by",
                  deciders[e->verdict.why <= FLOWCACHE_BY_OPERATOR ? e->verdict.why : 0], "sid",
                  (json_int_t)e->verdict.sid, "idle_s", (json_int_t)(idle_ns / NS_PER_S));

    if (o == NULL || e->verdict.kind == STEER_KIND_SOURCE)
        goto left;
    json_object_set_new(o, "proto", json_string(proto_name(k->proto)));
    json_object_set_new(o, "to", json_string(end_text(k, 1, b)));
    if (k->vlans != 0)
        json_object_set_new(o, "vlans",
                            json_pack("[I,I]", (json_int_t)(k->vlans & 0xfff), (json_int_t)(k->vlans >> 12)));
left:
    if (o != NULL && e->verdict.expires_ns != 0)
        json_object_set_new(o, "left_s",
                            json_integer((json_int_t)((e->verdict.expires_ns - now_ns) / NS_PER_S)));
    return o;
}

static int list_entry(const char *bridge, const struct flowcache_entry *e, uint64_t now_ns, void *arg)
{
    struct listing *l = arg;
    unsigned kind = e->verdict.kind;

    if (kind == FLOWCACHE_WITHDRAWN || kind >= N_KINDS)
        return 0;
    l->count[kind]++;
    if ((l->only == 0 || l->only == kind) && (json_int_t)json_array_size(l->flows) < l->limit)
        return json_array_append_new(l->flows, entry_json(bridge, e, now_ns));
    return 0;
}

static int read_listing(struct command_call *call, struct listing *l)
{
    const json_t *limit = json_object_get(call->args, "limit"), *kind = json_object_get(call->args, "kind");

    *l = (struct listing){.limit = limit ? json_integer_value(limit) : LIMIT_DEFAULT};
    if (l->limit < 1 || l->limit > PROTO_RULES_MAX)
        return command_fail(call, PROTO_BAD_REQUEST, "give a limit from 1 to 5000",
                            "flows list: that is no limit");
    if (kind == NULL)
        return PROTO_OK;
    for (l->only = 1; l->only < N_KINDS; l->only++)
        if (json_is_string(kind) && strcmp(json_string_value(kind), kinds[l->only]) == 0)
            return PROTO_OK;
    return command_fail(call, PROTO_BAD_REQUEST, "give bypassed, dropped, known or blocked",
                        "flows list: that is no kind of entry");
}

int cmd_flows_list(struct command_call *call)
{
    struct listing l;
    int code = read_listing(call, &l);

    if (code != PROTO_OK)
        return code;
    l.flows = json_array();
    int rc = call->cfg->ops->flows_each(call->cfg->ops->arg, list_entry, &l);
    call->result = json_pack("{s:o, s:{s:I, s:I, s:I, s:I}}", "flows", l.flows, "count", "dropped",
                             l.count[STEER_KIND_DROP], "bypassed", l.count[STEER_KIND_BYPASS], "known",
                             l.count[STEER_KIND_KNOWN], "blocked", l.count[STEER_KIND_SOURCE]);
    if (rc != 0 || call->result == NULL)
        return command_fail(call, PROTO_FAILED, "try again", "no memory for the list");
    return PROTO_OK;
}

/* --- named -------------------------------------------------------------------------------------------------------- */

struct end { /* of a flow */
    uint8_t addr[16];
    uint16_t port_be;
    uint8_t version;
};

/* "10.0.0.1:80" or "[2001:db8::1]:80". */
static bool read_end(const json_t *from, struct end *e)
{
    const char *text = json_string_value(from), *colon = text ? strrchr(text, ':') : NULL;
    char ip[END_TEXT_MAX], *last;
    size_t n = colon ? (size_t)(colon - text) : 0;
    bool v6 = text && text[0] == '[';

    if (n < 3 || n >= sizeof(ip) || (v6 && text[n - 1] != ']'))
        return false;
    memcpy(ip, text + v6, n - 2 * v6);
    ip[n - 2 * v6] = '\0';
    unsigned long port = strtoul(colon + 1, &last, 10);
    *e = (struct end){.port_be = htons((uint16_t)port), .version = v6 ? 6 : 4};
    return inet_pton(v6 ? AF_INET6 : AF_INET, ip, e->addr) == 1 && colon[1] >= '0' && colon[1] <= '9' &&
           *last == '\0' && port >= 1 && port <= 65535;
}

/* "5" or "5.6": the outer id and the inner one. */
static bool read_vlans(const json_t *vlan, uint32_t *vlans)
{
    unsigned outer, inner = 0;
    int end = 0;

    *vlans = 0;
    if (vlan == NULL)
        return true;
    const char *text = json_string_value(vlan);
    if (text == NULL || (sscanf(text, "%4u%n.%4u%n", &outer, &end, &inner, &end) < 1))
        return false;
    *vlans = outer | inner << 12;
    return text[end] == '\0' && outer >= 1 && outer <= 4094 && inner <= 4094;
}

static int read_key(struct command_call *call, struct steer_key *k)
{
    const char *proto = json_string_value(json_object_get(call->args, "proto"));
    struct end e[2];

    *k = (struct steer_key){.version = 0};
    for (size_t i = 0; proto != NULL && i < N_PROTOS; i++)
        if (strcmp(protos[i].name, proto) == 0)
            k->proto = protos[i].number;
    if (k->proto == 0)
        return command_fail(call, PROTO_BAD_REQUEST,
                            "give tcp, udp or sctp: others have no ports to tell flows by",
                            "flows: that is not a protocol whose flows have a verdict");
    if (!read_end(json_object_get(call->args, "from"), &e[0]) ||
        !read_end(json_object_get(call->args, "to"), &e[1]) || e[0].version != e[1].version)
        return command_fail(call, PROTO_BAD_REQUEST,
                            "give two, such as 10.0.0.1:4711 10.0.0.2:443, or [2001:db8::1]:443",
                            "flows: those are not the two ends of a flow, each with its port");
    if (!read_vlans(json_object_get(call->args, "vlan"), &k->vlans))
        return command_fail(call, PROTO_BAD_REQUEST, "give a VLAN id, or two as in 5.6",
                            "flows: that is no VLAN");
    int order = memcmp(e[0].addr, e[1].addr, sizeof(e[0].addr));
    unsigned low = order != 0 ? order > 0 : ntohs(e[0].port_be) > ntohs(e[1].port_be);
    k->version = e[0].version;
    for (unsigned i = 0; i < 2; i++) {
        memcpy(k->addr[i], e[i ^ low].addr, sizeof(k->addr[i]));
        k->port_be[i] = e[i ^ low].port_be;
    }
    return PROTO_OK;
}

/* Without a time it ends as a flow does, by silence. */
static int read_verdict(struct command_call *call, uint8_t proto, struct flowcache_verdict *v)
{
    const json_t *asked = json_object_get(call->args, "for");
    const char *time = json_string_value(asked);
    const struct config *cfg = call->cfg->config;
    uint32_t seconds = 0;

    if (asked != NULL && (time == NULL || !text_seconds(span_str(time), FOR_MAX_S, &seconds)))
        return command_fail(call, PROTO_BAD_REQUEST, "give a number with s, m, h or d, at most 30d",
                            "flows: that is no time");
    v->why = FLOWCACHE_BY_OPERATOR;
    v->expires_ns = seconds ? clock_mono_ns() + seconds * NS_PER_S : 0;
    v->idle_ms = seconds                ? FLOWCACHE_NEVER_IDLE
                 : proto == IPPROTO_TCP ? cfg->flow.tcp_established_s * 1000u
                                        : cfg->flow.udp_established_s * 1000u;
    return PROTO_OK;
}

static int say(struct command_call *call, const struct steer_key *k, const struct flowcache_verdict *v,
               const char *verb)
{
    char a[END_TEXT_MAX], b[END_TEXT_MAX];

    if (call->cfg->ops->flows_say(call->cfg->ops->arg, k, v) != 0)
        return command_fail(call, PROTO_FAILED, "try again", "workers were writing in the same place");
    end_text(k, 0, a);
    end_text(k, 1, b);
    log_notice("control", "flows: %s %s %s %s", verb, proto_name(k->proto), a, b);
    call->result = json_pack("{s:s, s:s, s:s}", "proto", proto_name(k->proto), "from", a, "to", b);
    return PROTO_OK;
}

static int settle(struct command_call *call, uint32_t kind, const char *verb)
{
    struct flowcache_verdict v = {.kind = kind};
    struct steer_key k;
    int code = read_key(call, &k);

    if (code == PROTO_OK)
        code = read_verdict(call, k.proto, &v);
    return code == PROTO_OK ? say(call, &k, &v, verb) : code;
}

int cmd_flows_bypass(struct command_call *call)
{
    return settle(call, STEER_KIND_BYPASS, "bypass");
}

int cmd_flows_drop(struct command_call *call)
{
    return settle(call, STEER_KIND_DROP, "drop");
}

/* An address that is blocked for a time is free again. */
static int forget_source(struct command_call *call, const char *address)
{
    struct prefix p;

    if (prefix_parse(address, &p, &call->err) < 0)
        return PROTO_BAD_REQUEST;
    struct steer_key k = flowcache_source(p.family, p.addr);
    if (!prefix_is_host(&p) || !call->cfg->ops->flows_unblock(call->cfg->ops->arg, &k))
        return command_fail(call, PROTO_NOT_FOUND, "`ipsctl flows list blocked` shows who is",
                            "%.64s is not blocked for a time", address);
    log_notice("control", "flows: %s is not blocked any more", address);
    call->result = json_pack("{s:s}", "from", address);
    return PROTO_OK;
}

int cmd_flows_forget(struct command_call *call)
{
    const char *address = json_string_value(json_object_get(call->args, "address"));
    struct flowcache_verdict v = {.kind = FLOWCACHE_WITHDRAWN,
                                  .idle_ms = FLOWCACHE_NEVER_IDLE,
                                  .expires_ns = clock_mono_ns() + NOTE_S * NS_PER_S,
                                  .why = FLOWCACHE_BY_OPERATOR};
    struct steer_key k;

    if (address != NULL)
        return forget_source(call, address);
    int code = read_key(call, &k);
    return code == PROTO_OK ? say(call, &k, &v, "forget") : code;
}
