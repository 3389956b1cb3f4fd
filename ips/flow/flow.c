/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flow table of one worker at work: lookups, time, and what goes when it is full. flow_table.c makes it.
 *
 * Prefetching goes by burst: all keys are hashed and their buckets prefetched, then the flows at the chains' heads.
 * Packets are looked up one by one after that, each when the ones before it are done, so that the second packet of
 * a new flow finds the flow of the first, and finds in it what the first one changed.
 *
 * Time: a flow stands in a wheel once, at the deadline it had when it was put there. A packet only writes last_ns;
 * when the wheel brings the flow up, its true deadline is computed and it goes back if that lies ahead. A flow that
 * closes moves forward at once. A lookup that meets a flow whose time is over does not wait for the wheel:
 * the old flow is detached (no lookup finds it any more, the wheel frees it) and a new one begins.
 *
 * Full: the flow that would expire next goes, and one that is not established before any that is: those have a wheel of
 * their own. So a flood of new flows evicts itself, and connections keep their state as long as there is a single
 * half-open, unanswered or closed flow to take. Entering and leaving this emergency is counted. Flows that packets
 * of the burst in hand point to (last_ns not before the burst) are never taken: detached ones stay whole until
 * flow_expire(), which runs when the burst is over. At most EVICT_TRIES flows are looked at.
 *
 * Worker thread. Owns nothing beyond the table.
 */
#include <netinet/in.h>

#include "ips/base/clock.h"
#include "ips/flow/exception.h"
#include "ips/flow/flow_parts.h"

#define EVICT_TRIES 8

static void set_count(struct flow_table *t, uint32_t count)
{
    __atomic_store_n(&t->count, count, __ATOMIC_RELAXED);
}

static uint32_t *bucket_of(const struct flow_table *t, uint32_t hash)
{
    /* Fibonacci hashing: the workers share the hash's low bits (owner = hash % n_workers), the top bits mix all */
    return &t->buckets[(hash * 0x9e3779b1u) >> t->bucket_shift];
}

uint64_t flow_timeout_ns(const struct flow_table *t, const struct flow *f)
{
    enum timeout_class class = f->proto == IPPROTO_TCP                                  ? CLASS_TCP
                               : f->proto == IPPROTO_UDP                                ? CLASS_UDP
                               : f->proto == IPPROTO_ICMP || f->proto == IPPROTO_ICMPV6 ? CLASS_ICMP
                                                                                        : CLASS_OTHER;

    return t->timeout_ns[class][f->state];
}

/* When the flow's time is over; at once when it is detached. */
static uint64_t deadline_of(const struct flow_table *t, const struct flow *f)
{
    return f->flags & FLOW_DETACHED ? 0 : f->last_ns + flow_timeout_ns(t, f);
}

/* Nothing of it was seen for too long, here or by the program. */
static bool is_over(struct flow_table *t, struct flow *f, uint64_t now_ns)
{
    if (now_ns < deadline_of(t, f))
        return false;
    if (!t->cache || f->cached == FLOW_UNCACHED || (f->flags & FLOW_DETACHED))
        return true;
    flow_used(t, f, now_ns);
    return now_ns >= deadline_of(t, f);
}

static struct wheel *wheel_of(struct flow_table *t, const struct flow *f)
{
    return &t->wheels[f->flags & FLOW_PROVEN ? 1 : 0];
}

/* To the wheel where it belongs, at the deadline it has now. */
static void set_timer(struct flow_table *t, const struct flow *f, uint64_t now_ns)
{
    wheel_set(wheel_of(t, f), (uint32_t)(f - t->flows), now_ns, deadline_of(t, f));
}

static void clear_timer(struct flow_table *t, const struct flow *f)
{
    wheel_clear(wheel_of(t, f), (uint32_t)(f - t->flows));
}

static void unhash(struct flow_table *t, struct flow *f)
{
    uint32_t index1 = (uint32_t)(f - t->flows) + 1, *link = bucket_of(t, f->hash);

    while (*link != index1)
        link = &t->flows[*link - 1].next;
    *link = f->next;
}

/* What the program may do with its frames ends with the flow, and what it did is the flow's. */
static void uncache(struct flow_table *t, struct flow *f, enum flow_end why)
{
    if (t->cache && f->cached != FLOW_UNCACHED)
        flow_forget(t, f, why);
    f->cached = FLOW_UNCACHED;
}

/* The flow lives on for packets that point to it, but no lookup finds it; the next flow_expire() frees it. */
static void detach(struct flow_table *t, struct flow *f, uint64_t now_ns)
{
    unhash(t, f);
    uncache(t, f, FLOW_END_REUSED);
    clear_timer(t, f);
    f->flags |= FLOW_DETACHED;
    set_timer(t, f, now_ns);
}

/* What others keep beside the flow goes. */
static void tell(struct flow_table *t, const struct flow *f, enum flow_end why)
{
    for (unsigned i = t->n_released; i-- > 0;)
        t->released[i].call(t->released[i].arg, flow_index(t, f), why);
}

/* f is out of the wheel already. */
static void release(struct flow_table *t, struct flow *f, enum flow_end why)
{
    if (!(f->flags & FLOW_DETACHED))
        unhash(t, f);
    uncache(t, f, why);
    if (t->vars)
        vars_clear(t->vars, &t->vars_of[f - t->flows]);
    tell(t, f, why);
    f->next = t->free_head;
    t->free_head = (uint32_t)(f - t->flows) + 1;
    set_count(t, t->count - 1);
}

enum evicted { EVICTED, NONE_THERE, ALL_IN_USE };

/* Frees the flow of one wheel that would expire next. */
static enum evicted evict_from(struct flow_table *t, struct wheel *w, uint64_t now_ns)
{
    uint32_t held[EVICT_TRIES], n = 0, best = WHEEL_NONE;
    uint64_t best_ns = UINT64_MAX;

    while (n < EVICT_TRIES) {
        uint64_t slot_ns;
        uint32_t node = wheel_nearest(w, &slot_ns);
        if (node == WHEEL_NONE)
            break;
        held[n++] = node;
        struct flow *f = &t->flows[node];
        if (t->cache && f->cached == FLOW_CACHED)
            flow_used(t, f, now_ns);
        uint64_t deadline = deadline_of(t, f);
        if (f->last_ns >= t->burst_ns || deadline >= best_ns)
            continue;
        best = node;
        best_ns = deadline;
        if (deadline <= slot_ns)
            break; /* not postponed: nothing in the wheel is nearer */
    }
    for (uint32_t i = 0; i < n; i++)
        if (held[i] != best)
            wheel_set(w, held[i], now_ns, deadline_of(t, &t->flows[held[i]]));
    if (best == WHEEL_NONE)
        return n ? ALL_IN_USE : NONE_THERE;
    release(t, &t->flows[best], FLOW_END_EVICTED);
    return EVICTED;
}

/* Makes room by the policy at the top of this file; false when nothing can go. */
static bool evict(struct flow_table *t, uint64_t now_ns, struct counters *c)
{
    if (!t->emergency)
        counter_add(c, CTR_FLOW_EMERGENCY, 1);
    t->emergency = true;
    enum evicted e = evict_from(t, &t->wheels[0], now_ns);
    if (e == NONE_THERE)
        e = evict_from(t, &t->wheels[1], now_ns);
    return e == EVICTED;
}

static struct flow *take(struct flow_table *t, uint64_t now_ns, struct counters *c)
{
    if (!t->free_head && t->n_used < t->cfg.max_flows)
        return &t->flows[t->n_used++];
    if (!t->free_head) {
        if (!evict(t, now_ns, c))
            return NULL;
        counter_add(c, CTR_FLOW_EVICTED, 1);
    }
    struct flow *f = &t->flows[t->free_head - 1];
    t->free_head = f->next;
    return f;
}

/* swap: the packet's receiver is the opener (its SYN/ACK is the first we see, or answers a SYN we noted). */
static struct flow *open_flow(struct flow_table *t, struct packet *p, const struct flow_key *k, bool swap,
                              struct counters *c)
{
    struct flow *f = take(t, p->now_ns, c);
    bool turn = swap && k->ports_turn;

    if (!f)
        return NULL;
    *f = (struct flow){
        .hash = p->hash,
        .proto = k->proto,
        .ip_version = k->ip_version,
        .vlans = k->vlans,
        .addr = {k->addr[swap], k->addr[!swap]},
        .port = {k->port[turn], k->port[!turn]},
        .last_ns = p->now_ns,
        .id = t->next_id++,
        .start_ts_ns = p->ts_ns,
        .isn = {k->proto == IPPROTO_TCP ? 0 : 1u + p->in_port},
    };
    uint32_t *bucket = bucket_of(t, f->hash);
    f->next = *bucket;
    *bucket = flow_index(t, f) + 1;
    set_timer(t, f, p->now_ns);
    set_count(t, t->count + 1);
    counter_add(c, CTR_FLOW_NEW, 1);
    p->flags |= PKT_FLOW_NEW;
    return f;
}

/* What the operator wants of TCP flows whose start was not seen. A picked-up flow can be passed, not dropped. */
static void apply_midstream_policy(struct flow_table *t, struct flow *f, struct packet *p, bool picked_up,
                                   struct counters *c)
{
    enum exception_action action = t->cfg.on_midstream;

    /* every packet of such a flow is an exception */
    if (action == EXCEPTION_DROP_PACKET)
        action = EXCEPTION_DROP_FLOW;
    else if (action == EXCEPTION_PASS_PACKET)
        action = EXCEPTION_PASS_FLOW;
    if (picked_up && action != EXCEPTION_PASS_FLOW)
        return;
    p->flow = f;
    exception_apply(EXC_MIDSTREAM, action, p, c);
}

static struct flow *find(struct flow_table *t, const struct packet *p, const struct flow_key *k,
                         unsigned *dir)
{
    for (uint32_t i = *bucket_of(t, p->hash); i;) {
        struct flow *f = &t->flows[i - 1];

        if (f->hash == p->hash) {
            int match = flow_key_match(k, f);
            if (match >= 0) {
                *dir = (unsigned)match;
                return f;
            }
        }
        i = f->next;
    }
    return NULL;
}

/*
 * On a bridge, whoever speaks first in a connection that is taken up is its client, and an acknowledgement or a keep-alive
 * says nothing: a client could wait for the server's, and rules about directions would look the wrong way.
 */
static bool opens_nothing(const struct flow_table *t, const struct packet *p)
{
    return t->cfg.bridged && t->cfg.on_midstream == EXCEPTION_IGNORE && p->payload_len == 0 &&
           !(p->tcp_flags & (TCP_SYN | TCP_FIN));
}

/* The packet has a key and no flow. NULL when it gets none. */
static struct flow *begin(struct flow_table *t, struct packet *p, const struct flow_key *k, bool reopened,
                          struct counters *c)
{
    bool tcp = k->proto == IPPROTO_TCP, synack = (p->tcp_flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK);

    if (tcp && (p->tcp_flags & TCP_RST)) {
        counter_anomaly(c, &p->anomalies, AN_RST_NO_SESSION);
        return NULL; /* the end of something unknown begins nothing */
    }
    if (tcp && opens_nothing(t, p))
        return NULL;
    if (tcp && (p->tcp_flags & TCP_FIN))
        counter_anomaly(c, &p->anomalies, AN_FIN_NO_SESSION);
    struct flow *f = open_flow(t, p, k, tcp && synack, c);
    if (!f) {
        counter_add(c, CTR_FLOW_NO_MEMORY, 1);
        exception_apply(EXC_FLOW_MEMCAP, t->cfg.on_memcap, p, c);
        return NULL;
    }
    if (t->cache)
        flow_recall(t, f, p, c);
    if (reopened) {
        f->flags |= FLOW_SYN;
        f->isn[0] = p->tcp_ack - 1;
    } else if (tcp) {
        /* a SYN/ACK whose SYN took another way is as much of a start as there will be */
        bool pick_up =
            t->cfg.midstream || (t->cfg.async && synack && t->cfg.on_midstream == EXCEPTION_IGNORE);

        flow_tcp_open(f, p, pick_up);
        if (f->flags & FLOW_MIDSTREAM)
            apply_midstream_policy(t, f, p, pick_up, c);
    }
    return f;
}

/* An ICMP error about a flow we know: it goes with that flow, and is no packet of it. */
static bool lookup_quoted(struct flow_table *t, struct packet *p)
{
    struct flow_key k;
    unsigned dir = 0;

    if (!flow_key_quoted(p, &k))
        return false;
    p->hash = flow_key_hash(&k);
    p->flow = find(t, p, &k, &dir);
    if (p->flow && is_over(t, p->flow, p->now_ns))
        p->flow = NULL;
    if (p->flow)
        p->flags |= PKT_QUOTES | (dir ? PKT_TO_CLIENT : 0) |
                    (p->flow->state == FLOW_ESTABLISHED ? PKT_ESTABLISHED : 0);
    p->hash = p->flow ? p->hash : 0;
    return p->flow != NULL;
}

void flow_escaped(struct flow_table *t, uint64_t before_ns)
{
    uint64_t changed_ns = t->cache ? __atomic_load_n(&t->cache->changed_ns, __ATOMIC_ACQUIRE) : 0;

    t->escaped_ns = before_ns;
    t->look_ns = before_ns > changed_ns ? before_ns : changed_ns;
}

void flow_take_up_again(struct flow_table *t, const struct flow *f, struct counters *c)
{
    if (f->proto != IPPROTO_TCP || f->verdict != FLOW_INSPECT)
        return;
    tell(t, f, FLOW_TAKEN_UP_AGAIN);
    counter_add(c, CTR_FLOW_TAKEN_UP_AGAIN, 1);
}

/* Since the flow was last seen, frames crossed unseen, or an operator spoke. */
static void look(struct flow_table *t, struct flow *f, const struct packet *p, struct counters *c)
{
    if (f->last_ns < t->escaped_ns || f->holed)
        flow_take_up_again(t, f, c);
    f->holed = 0;
    if (t->cache)
        flow_changed(t, f, p->now_ns, c);
}

void flow_lookup(struct flow_table *t, struct packet *p, struct counters *c)
{
    struct flow_key k;
    unsigned dir = 0;
    bool reopened = false;

    if (lookup_quoted(t, p) || !flow_key_of(p, &k))
        return;
    if (p->hash == 0)
        p->hash = flow_key_hash(&k);
    struct flow *f = find(t, p, &k, &dir);
    if (f && is_over(t, f, p->now_ns)) {
        detach(t, f, p->now_ns);
        f = NULL;
    } else if (f && k.proto == IPPROTO_TCP && flow_tcp_reopens(f, p, dir)) {
        detach(t, f, p->now_ns);
        reopened = true;
        f = NULL;
    }
    if (!f) {
        f = begin(t, p, &k, reopened, c);
        if (!f)
            return;
        dir = flow_key_match(&k, f) == 1;
    } else if (f->last_ns < t->look_ns || f->holed) {
        look(t, f, p, c);
    }
    p->flow = f;
    p->flags |= dir ? PKT_TO_CLIENT : 0;
}

struct flow *flow_find(struct flow_table *t, struct packet *p)
{
    struct flow_key k;
    unsigned dir;

    if (!flow_key_of(p, &k))
        return NULL;
    if (p->hash == 0)
        p->hash = flow_key_hash(&k);
    struct flow *f = find(t, p, &k, &dir);
    return f && !is_over(t, f, p->now_ns) ? f : NULL;
}

bool flow_settle(struct flow *f, enum flow_verdict verdict, bool by_policy)
{
    if (f->verdict != FLOW_INSPECT)
        return false;
    f->verdict = verdict & 3;
    f->flags |= by_policy ? FLOW_BY_POLICY : 0;
    return true;
}

/* A new state has another timeout, and perhaps another wheel. */
static void retime(struct flow_table *t, struct flow *f, uint64_t now_ns)
{
    if (f->flags & FLOW_DETACHED)
        return;
    clear_timer(t, f);
    f->flags &= (uint16_t)~FLOW_PROVEN;
    bool both = (f->flags & FLOW_SEEN_TS) && (f->flags & FLOW_SEEN_TC); /* one end alone proves nothing */
    f->flags |= both && f->state == FLOW_ESTABLISHED && !(f->flags & FLOW_MIDSTREAM) ? FLOW_PROVEN : 0;
    set_timer(t, f, now_ns);
}

/* State and time of the flow, now that the packet belongs to it. */
static void update(struct flow_table *t, struct flow *f, struct packet *p, unsigned dir)
{
    uint8_t state_before = f->state;
    bool established;

    f->flags |= dir ? FLOW_SEEN_TC : FLOW_SEEN_TS;
    if (p->now_ns > f->last_ns)
        f->last_ns = p->now_ns;
    if (f->proto == IPPROTO_TCP) {
        established = flow_tcp_update(f, p, dir, t->cfg.async);
        if (t->cfg.bridged && flow_tcp_take_up(f, p))
            established = true;
    } else {
        established = (f->flags & FLOW_SEEN_TS) && (f->flags & FLOW_SEEN_TC);
        if (established)
            f->state = FLOW_ESTABLISHED;
    }
    p->flags |= established ? PKT_ESTABLISHED : 0;

    if (f->state != state_before)
        retime(t, f, p->now_ns);
}

void flow_account(struct flow_table *t, struct packet *p)
{
    unsigned dir = p->flags & PKT_TO_CLIENT ? 1 : 0;

    if (!p->flow)
        return;
    if (!(p->flags & (PKT_IGNORED | PKT_QUOTES)))
        update(t, p->flow, p, dir);
    p->flow->pkts[dir]++;
    p->flow->bytes[dir] += p->len;
}

/* 0 when the packet belongs to no flow. */
static uint32_t key_hash(const struct packet *p)
{
    struct flow_key k;

    return flow_key_of(p, &k) ? flow_key_hash(&k) : 0;
}

void flow_prefetch_burst(struct flow_table *t, struct packet *pkts, unsigned n)
{
    t->burst_ns = UINT64_MAX;
    for (unsigned i = 0; i < n; i++) {
        struct packet *p = &pkts[i];

        if (p->now_ns < t->burst_ns)
            t->burst_ns = p->now_ns;
        p->hash = key_hash(p);
        if (p->hash)
            __builtin_prefetch(bucket_of(t, p->hash));
    }
    for (unsigned i = 0; i < n; i++) {
        uint32_t head = pkts[i].hash ? *bucket_of(t, pkts[i].hash) : 0;

        if (head)
            __builtin_prefetch(&t->flows[head - 1]);
    }
    /* second lines only now: only so many lines can be on their way, and these first ones are waited for */
    for (unsigned i = 0; i < n; i++) {
        uint32_t head = pkts[i].hash ? *bucket_of(t, pkts[i].hash) : 0, next;

        if (!head)
            continue;
        const struct flow *f = &t->flows[head - 1];
        if (f->hash != pkts[i].hash && (next = f->next) != 0) {
            f = &t->flows[next - 1];
            __builtin_prefetch(f);
        }
        __builtin_prefetch((const char *)f + 64, 1);
    }
}

uint32_t flow_likely(const struct flow_table *t, const struct packet *p)
{
    uint32_t first = p->hash ? *bucket_of(t, p->hash) : 0;

    return first ? first - 1 : FLOW_NONE;
}

/* One wheel's part of it; returns what is left of the budget. */
static unsigned expire(struct flow_table *t, struct wheel *w, uint64_t now_ns, unsigned budget,
                       struct counters *c)
{
    while (budget > 0) {
        uint32_t node = wheel_due(w, now_ns);
        if (node == WHEEL_NONE)
            break;
        budget--;
        struct flow *f = &t->flows[node];
        if (!is_over(t, f, now_ns)) {
            wheel_set(w, node, now_ns, deadline_of(t, f));
            continue;
        }
        release(t, f, f->flags & FLOW_DETACHED ? FLOW_END_REUSED : FLOW_END_TIMEOUT);
        counter_add(c, CTR_FLOW_EXPIRED, 1);
    }
    return budget;
}

void flow_expire(struct flow_table *t, uint64_t now_ns, unsigned budget, struct counters *c)
{
    budget = expire(t, &t->wheels[0], now_ns, budget, c);
    expire(t, &t->wheels[1], now_ns, budget, c);
    if (t->emergency &&
        t->count < t->cfg.max_flows - t->cfg.max_flows / 10) /* not in and out with each flow */
        t->emergency = false;
}

void flow_flush(struct flow_table *t)
{
    for (unsigned i = 0; i < 2; i++)
        for (uint32_t node; (node = wheel_due(&t->wheels[i], UINT64_MAX)) != WHEEL_NONE;)
            release(t, &t->flows[node], FLOW_END_SHUTDOWN);
}
