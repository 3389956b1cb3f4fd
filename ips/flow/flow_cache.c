/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flows and the verdict cache (ips/io/flowcache.h): what the steering program may settle by itself.
 *
 * remember  a flow got its verdict, or was seen to be clean: an entry is put. Looked at per packet is only whether there is
 *           anything to do, in one table by the flow's standing (state, verdict, what was put)
 * recall    a flow begins: there may be a verdict from before, of a daemon that crashed or was replaced, or of the operator.
 *           A SYN begins another connection, of which only what an operator says holds
 * used      a flow's time is over, but the program has settled its frames meanwhile: then it is not
 * forget    the flow ends: the entry goes, and its counts come into the flow's totals. At the daemon's end entries stay for
 *           the next one
 * changed   an operator put, replaced or withdrew entries: flows that were not seen since look once
 *
 * Which flows: TCP, UDP and SCTP by their ports, untagged or with two tags at most, in no tunnel. Nothing that carries
 * tunnels is bypassed: what is inside has verdicts of its own. Flows whose transactions are logged are bypassed only where
 * they would not be parsed either (FLOW_BY_POLICY).
 *
 * Known clean (open-known) is a flow of which data passed inspection and whose both ends were heard through their own
 * ports: TCP, when each has acknowledged what the other sent; UDP and SCTP, when both have sent.
 *
 * Worker thread. The entries are the map's.
 */
#include <netinet/in.h>

#include "ips/base/clock.h"
#include "ips/flow/flow_parts.h"

#define KNOWN_PKTS_MAX 64 /* a flow that is not known clean by then is left alone */

/* A byte that a worker may be reading: it sees the old or the new. */
void flow_table_note_known(struct flow_table *t, bool known)
{
    for (unsigned state = FLOW_NEW; state <= FLOW_CLOSED; state++)
        for (unsigned verdict = FLOW_INSPECT; verdict <= FLOW_DROP; verdict++)
            for (unsigned cached = FLOW_UNCACHED; cached <= FLOW_CACHED_OPERATOR; cached++) {
                struct flow f = {.state = state & 3, .verdict = verdict & 3, .cached = cached & 3};
                bool settled = verdict != FLOW_INSPECT && cached != FLOW_CACHED;

                settled |=
                    known && verdict == FLOW_INSPECT && state == FLOW_ESTABLISHED && cached == FLOW_UNCACHED;
                __atomic_store_n(&t->to_remember[f.standing], t->cache && settled, __ATOMIC_RELAXED);
            }
}

void flow_table_use_cache(struct flow_table *t, struct flowcache *c, bool passed)
{
    t->cache = c;
    t->cache_passed = passed;
    flow_table_note_known(t, false);
}

const bool *flow_to_remember(const struct flow_table *t)
{
    return t->to_remember;
}

/* An address as the program reads it. */
static void put_addr(const struct flow *f, unsigned end, uint8_t out[16])
{
    if (f->ip_version == 4)
        memcpy(out, f->addr[end].b + 12, 4);
    else
        memcpy(out, f->addr[end].b, 16);
}

static bool client_is_lower(const struct flow *f)
{
    int order = memcmp(&f->addr[0], &f->addr[1], sizeof(f->addr[0]));

    return order != 0 ? order < 0 : f->port[0] <= f->port[1];
}

static bool key_of(const struct flow *f, struct steer_key *k)
{
    unsigned low = client_is_lower(f) ? 0 : 1;

    if ((f->vlans & FLOW_REALM_HASHED) ||
        (f->proto != IPPROTO_TCP && f->proto != IPPROTO_UDP && f->proto != IPPROTO_SCTP) ||
        (f->port[0] == 0 && f->port[1] == 0))
        return false;
    *k = (struct steer_key){.proto = f->proto, .version = f->ip_version, .vlans = f->vlans};
    for (unsigned i = 0; i < 2; i++) {
        put_addr(f, i ^ low, k->addr[i]);
        k->port_be[i] = htons(f->port[i ^ low]);
    }
    return true;
}

static uint32_t idle_ms(const struct flow_table *t, const struct flow *f)
{
    uint64_t ms = flow_timeout_ns(t, f) / NS_PER_MS;

    return ms < FLOWCACHE_NEVER_IDLE ? (uint32_t)ms : FLOWCACHE_NEVER_IDLE - 1;
}

static void put(struct flow_table *t, struct flow *f, const struct steer_key *k, uint32_t kind, uint32_t sid)
{
    struct flowcache_verdict v = {.kind = kind,
                                  .idle_ms = idle_ms(t, f),
                                  .sid = sid,
                                  .why = sid ? FLOWCACHE_BY_RULE : FLOWCACHE_BY_POLICY};

    if (kind != STEER_KIND_KNOWN && !sid && !(f->flags & FLOW_BY_POLICY))
        v.why = FLOWCACHE_BY_RULE;
    flowcache_put(t->cache, k, &v, f->last_ns);
}

/* Whether each end of a conversation was heard through its own port; noted here, since only TCP uses the numbers. */
static bool heard_both(struct flow *f, const struct packet *p)
{
    f->isn[p->flags & PKT_TO_CLIENT ? 1 : 0] = 1 + p->in_port;
    return f->isn[0] != 0 && f->isn[1] != 0 && f->isn[0] != f->isn[1];
}

static bool is_known(struct flow *f, const struct packet *p, bool synchronized)
{
    if (p->verdict != VERDICT_FORWARD || p->payload_len == 0 || (p->flags & (PKT_IGNORED | PKT_QUOTES)))
        return false;
    return f->proto == IPPROTO_TCP ? synchronized && (p->flags & PKT_STREAM) : heard_both(f, p);
}

/* The operator's verdict may have ended, or the entry gone; then the flow is looked at again from its next packet on. */
static void look_after(struct flow_table *t, struct flow *f, const struct steer_key *k, struct counters *c)
{
    struct flowcache_entry e;

    if (flowcache_get(t->cache, k, f->last_ns, &e))
        return;
    f->verdict = FLOW_INSPECT;
    f->cached = FLOW_UNCACHED;
    f->flags &= (uint16_t)~FLOW_BY_POLICY;
    flow_take_up_again(t, f, c);
}

void flow_remember(struct flow_table *t, const struct packet *p, const struct flow_facts *facts,
                   struct counters *c)
{
    struct flow *f = p->flow;
    struct steer_key k;

    if (!key_of(f, &k)) {
        f->cached = f->verdict == FLOW_INSPECT ? FLOW_CACHED_KNOWN : FLOW_CACHED;
        return;
    }
    if (f->cached == FLOW_CACHED_OPERATOR) {
        look_after(t, f, &k, c);
    } else if (f->verdict == FLOW_INSPECT) {
        bool known = is_known(f, p, facts->synchronized);

        if (!known && f->pkts[0] + f->pkts[1] < KNOWN_PKTS_MAX)
            return;
        f->cached = FLOW_CACHED_KNOWN;
        if (!known)
            return;
        put(t, f, &k, STEER_KIND_KNOWN, 0);
        counter_add(c, CTR_FLOW_KNOWN, 1);
    } else {
        bool passes = f->verdict == FLOW_PASS;

        f->cached = FLOW_CACHED;
        if (passes && (facts->tunnel || !(t->cache_passed || (f->flags & FLOW_BY_POLICY))))
            return;
        put(t, f, &k, passes ? STEER_KIND_BYPASS : STEER_KIND_DROP, facts->sid);
        counter_add(c, CTR_FLOW_CACHED, 1);
    }
}

/* The entry's verdict is the flow's. */
static void adopt(struct flow_table *t, struct flow *f, const struct steer_key *k,
                  const struct flowcache_entry *e)
{
    bool by_operator = e->verdict.why == FLOWCACHE_BY_OPERATOR;

    switch (e->verdict.kind) {
    case STEER_KIND_KNOWN:
        f->cached = FLOW_CACHED_KNOWN;
        put(t, f, k, STEER_KIND_KNOWN, 0); /* it has an owner again */
        break;
    case STEER_KIND_DROP:
        flow_settle(f, FLOW_DROP, e->verdict.why != FLOWCACHE_BY_RULE);
        f->cached = by_operator ? FLOW_CACHED_OPERATOR : FLOW_CACHED;
        break;
    case STEER_KIND_BYPASS:
        flow_settle(f, FLOW_PASS, true);
        f->cached = by_operator ? FLOW_CACHED_OPERATOR : FLOW_CACHED;
        break;
    default:
        break;
    }
}

void flow_recall(struct flow_table *t, struct flow *f, const struct packet *p, struct counters *c)
{
    bool syn = f->proto == IPPROTO_TCP && (p->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
    struct flowcache_entry e;
    struct steer_key k;

    if (!key_of(f, &k) || !flowcache_get(t->cache, &k, p->now_ns, &e))
        return;
    if (e.verdict.kind == FLOWCACHE_WITHDRAWN || (syn && e.verdict.why != FLOWCACHE_BY_OPERATOR)) {
        flowcache_remove(t->cache, &k, &e);
        return;
    }
    adopt(t, f, &k, &e);
    if (f->verdict != FLOW_INSPECT)
        counter_add(c, CTR_FLOW_RECALLED, 1);
}

uint32_t flow_cached_kind(const struct flow_table *t, const struct packet *p)
{
    struct flowcache_entry e;
    struct steer_key k;
    struct flow_key as;

    if (!t->cache || !flow_key_of(p, &as))
        return 0;
    const struct flow f = {.addr = {as.addr[0], as.addr[1]},
                           .port = {as.port[0], as.port[1]},
                           .vlans = as.vlans,
                           .proto = as.proto,
                           .ip_version = as.ip_version};
    return key_of(&f, &k) && flowcache_get(t->cache, &k, p->now_ns, &e) ? e.verdict.kind : 0;
}

void flow_changed(struct flow_table *t, struct flow *f, uint64_t now_ns, struct counters *c)
{
    struct flowcache_entry e;
    struct steer_key k;

    if (!key_of(f, &k) || !flowcache_get(t->cache, &k, now_ns, &e) || e.verdict.why != FLOWCACHE_BY_OPERATOR)
        return;
    bool settled = f->verdict != FLOW_INSPECT;
    f->verdict = FLOW_INSPECT;
    f->cached = FLOW_UNCACHED;
    f->flags &= (uint16_t)~FLOW_BY_POLICY;
    if (e.verdict.kind == FLOWCACHE_WITHDRAWN)
        flowcache_remove(t->cache, &k, &e);
    else
        adopt(t, f, &k, &e);
    if (settled && f->verdict == FLOW_INSPECT)
        flow_take_up_again(t, f, c); /* nobody followed its streams */
}

void flow_used(struct flow_table *t, struct flow *f, uint64_t now_ns)
{
    struct flowcache_entry e;
    struct steer_key k;

    if (f->cached == FLOW_UNCACHED || !key_of(f, &k) || !flowcache_get(t->cache, &k, now_ns, &e))
        return;
    if (e.last_ns > f->last_ns)
        f->last_ns = e.last_ns;
    else if (e.verdict.kind == STEER_KIND_KNOWN)
        flowcache_touch(t->cache, &k, f->last_ns); /* not the first to go from a full bucket */
}

void flow_forget(struct flow_table *t, struct flow *f, enum flow_end why)
{
    struct flowcache_entry e = {.last_ns = 0};
    struct steer_key k;

    if (!key_of(f, &k))
        return;
    bool stays = why == FLOW_END_SHUTDOWN || f->cached == FLOW_CACHED_OPERATOR;
    if (!(stays ? flowcache_take_counts : flowcache_remove)(t->cache, &k, &e))
        return;
    for (unsigned i = 0; i < 2; i++) {
        unsigned end = client_is_lower(f) ? i : 1 - i;

        f->pkts[end] += e.pkts[i];
        f->bytes[end] += e.bytes[i];
    }
}
