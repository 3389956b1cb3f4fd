/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker that has more to do than it can.
 *
 * Once a round it looks how full its RX rings are, and overload.c says how far to go. Steps one and two make inspection
 * cheaper: flows that were inspected to overload.elephant_depth and never alerted pass from there on, and the rules that
 * cost most are left out. The third sheds: of each ring the frames beyond overload.low, which are those that waited
 * longest, are taken out first, and follow the bridge's fail policy. So the ring is never fuller than that for long, and
 * a frame waits for at most so many inspections, whatever the load; and as many are inspected as can be.
 *
 *   closed, and overload.policy drop    dropped, not even decoded
 *   open                                forwarded, but for flows that were dropped: they stay so
 *   open-known                          forwarded when their flow is established and never alerted; what is not IP and
 *                                       IPv6's neighbour discovery as well; the others are dropped
 *
 * What is forwarded leaves a hole in its flow, which is told (flow_hole()).
 *
 * A worker also notices when it is slow. A round that took long makes it attentive for a while: every packet is timed,
 * which costs nothing beside packets so slow; those above overload.packet_us are counted, and one at a time is shown to the
 * supervisor with the rule or parser that took most of it. A worker that lost its processor meanwhile must not blame the packet
 * for that: so an attentive one asks the kernel for its processor time, once a round and for each packet that seems slow. Those
 * are the only system calls here, and rounds must be milliseconds long for them. An attentive worker gives signs of life after each packet, so
 * that the kernel does not take a worker that is slow for one that hangs.
 *
 * Worker thread. Owns nothing of its own.
 */
#include <netinet/in.h>
#include <urcu-qsbr.h>

#include "ips/base/clock.h"
#include "ips/worker_parts.h"

#define ATTENTION_AT_NS  (5 * NS_PER_MS) /* a round this long; the least heartbeat */
#define ATTENTION_FOR_NS (10 * NS_PER_S)
#define COSTS_EVERY_NS \
    (100 * NS_PER_MS) /* between two looks at what rules cost, until there is something to see */

static uint32_t limit(const uint32_t *v)
{
    return __atomic_load_n(v, __ATOMIC_RELAXED);
}

/* A reload of the configuration may change it at any time. */
static enum steer_fail_policy fail_policy(const struct worker *w)
{
    return __atomic_load_n(&w->cfg.fail, __ATOMIC_RELAXED);
}

static bool may_forward(const struct worker *w)
{
    return fail_policy(w) != STEER_FAIL_CLOSED;
}

/* --- once a round -------------------------------------------------------------------------------------------------- */

static void mark(struct worker *w, uint64_t now_ns)
{
    w->mark_ns = now_ns;
    w->mark_cpu_ns = clock_read(CLOCK_THREAD_CPUTIME_ID);
}

static void look_back(struct worker *w)
{
    uint64_t took_ns = w->round_ns ? w->now_ns - w->round_ns : 0, most_us = limit(&w->limits->packet_us);

    w->round_ns = w->now_ns;
    if (most_us > 0 && took_ns > most_us * NS_PER_US)
        counter_add(&w->counters, CTR_SLOW_ROUNDS, 1);
    if (took_ns > ATTENTION_AT_NS)
        w->attentive_until_ns = w->now_ns + ATTENTION_FOR_NS;
    w->attentive = w->now_ns < w->attentive_until_ns;
    if (w->attentive)
        mark(w, w->now_ns);
}

static uint32_t permille_of(const struct worker *w)
{
    uint32_t a = port_rx_waiting(w->port[0]), b = port_rx_waiting(w->port[1]);

    return (uint32_t)((uint64_t)(a > b ? a : b) * 1000 / w->cfg.ring_size);
}

static void choose_rules(struct worker *w, uint32_t step_before)
{
    const struct ruleset *rs = rcu_dereference(*w->ruleset);

    if (w->overload.step >= OVERLOAD_RULES && may_forward(w)) {
        if (w->now_ns - w->costs_ns < COSTS_EVERY_NS)
            return;
        w->costs_ns = w->now_ns;
        detect_leave_out(w->detect, rs, fail_policy(w) == STEER_FAIL_OPEN_KNOWN);
    } else if (step_before >= OVERLOAD_RULES) {
        detect_leave_none_out(w->detect, rs);
    }
}

void worker_load_look(struct worker *w)
{
    uint32_t step_before = w->overload.step;

    look_back(w);
    overload_look(&w->overload, w->limits, may_forward(w), permille_of(w), w->now_ns);
    if (w->overload.step | step_before)
        choose_rules(w, step_before);
}

/* --- shedding ------------------------------------------------------------------------------------------------------ */

static bool is_neighbour_discovery(const struct packet *p)
{
    return p->ip_version == 6 && p->ip_proto == IPPROTO_ICMPV6 && p->icmp_type >= 133 && p->icmp_type <= 137;
}

static bool is_known(const struct packet *p, const struct flow *f)
{
    if (!(p->flags & PKT_HAS_IP))
        return !(p->flags & PKT_MALFORMED);
    return is_neighbour_discovery(p) || (f && f->state == FLOW_ESTABLISHED && !f->alerted);
}

/* One of the frame's packets. False: its flow says that it may pass, or not, and no policy is asked. */
static bool ask_flow(struct worker *w, struct packet *frame, struct packet *p, bool *known)
{
    struct flow *f = flow_find(w->flows, p);

    if (f && f->verdict == FLOW_DROP) {
        packet_drop(frame, f->flags & FLOW_BY_POLICY ? DROP_FLOW_POLICY : DROP_FLOW);
        return false;
    }
    if (f && f->verdict == FLOW_PASS)
        return false;
    *known &= is_known(p, f);
    if (f)
        flow_hole(f, w->now_ns);
    return true;
}

static void shed_frame(struct worker *w, struct packet *frame)
{
    bool known = true;

    for (struct packet *p = frame; p; p = p->inner)
        if (p->verdict == VERDICT_DROP || !ask_flow(w, frame, p, &known)) {
            if (p->verdict == VERDICT_DROP && p != frame)
                packet_drop(frame, p->drop_reason); /* decode policy's, about what it carries */
            return;
        }
    if (fail_policy(w) == STEER_FAIL_OPEN_KNOWN && !known)
        packet_drop(frame, DROP_OVERLOAD);
    else
        counter_add(&w->counters, CTR_OVERLOAD_FORWARDED, 1);
}

/* n frames in w->pkts. */
static void shed(struct worker *w, unsigned n)
{
    if (!may_forward(w) || limit(&w->limits->policy) == OVERLOAD_DROP) {
        for (unsigned i = 0; i < n; i++)
            packet_drop(&w->pkts[i], DROP_OVERLOAD);
        worker_leave(w, w->pkts, n);
        return;
    }
    worker_decode(w, n);
    if (w->handoff)
        n = worker_hand_off(w, n);
    worker_apply_decode_policy(w, w->pkts, n);
    flow_prefetch_burst(w->flows, w->pkts, n);
    for (unsigned i = 0; i < n; i++)
        shed_frame(w, &w->pkts[i]);
    worker_leave(w, w->pkts, n);
}

unsigned worker_load_shed(struct worker *w)
{
    uint32_t low = (uint32_t)((uint64_t)limit(&w->limits->low) * w->cfg.ring_size / 100);
    unsigned total = 0;

    for (unsigned in_port = 0; in_port < 2; in_port++) {
        uint32_t waiting = port_rx_waiting(w->port[in_port]);

        while (waiting > low) {
            uint32_t more = waiting - low;
            unsigned n = worker_receive(w, in_port, more < BURST_MAX ? more : BURST_MAX);

            if (n == 0)
                break;
            shed(w, n);
            port_service(w->port[0]);
            port_service(w->port[1]);
            waiting -= n;
            total += n;
        }
    }
    return total;
}

void worker_load_bypass(struct worker *w, struct packet *p)
{
    struct flow *f = p->flow;
    uint32_t depth = limit(&w->limits->elephant_bytes);

    if (!f || depth == 0 || !may_forward(w) || f->verdict != FLOW_INSPECT || f->alerted ||
        p->verdict != VERDICT_FORWARD || f->bytes[0] + f->bytes[1] < depth)
        return;
    exception_apply(EXC_OVERLOAD, EXCEPTION_PASS_FLOW, p, &w->counters);
}

/* --- packets that take long ---------------------------------------------------------------------------------------- */

/* For the supervisor, which takes it out: what comes meanwhile is only counted. */
static void show(struct worker *w, const struct packet *p, uint64_t took_ns)
{
    const struct meter *m = &w->meter;
    struct slow_packet *s = &w->slow;

    if (__atomic_load_n(&s->full, __ATOMIC_ACQUIRE))
        return;
    s->us = took_ns / NS_PER_US;
    s->gid = m->gid;
    s->sid = m->rule_ns * 2 >= took_ns ? m->sid : 0;
    s->parser = m->parser_ns * 2 >= took_ns ? m->parser : 0;
    s->end = packet_ends(p);
    __atomic_store_n(&s->full, true, __ATOMIC_RELEASE);
}

/* Processor time that surely went into what began then and ended now: all since the mark, but for what can have gone into
 * what came before. */
static uint64_t used_ns(struct worker *w, uint64_t began_ns, uint64_t now_ns)
{
    uint64_t before_ns = began_ns - w->mark_ns, cpu_ns = w->mark_cpu_ns;

    mark(w, now_ns);
    cpu_ns = w->mark_cpu_ns - cpu_ns;
    return cpu_ns > before_ns ? cpu_ns - before_ns : 0;
}

void worker_load_timed(struct worker *w, const struct packet *p, uint64_t began_ns)
{
    uint64_t now_ns = clock_mono_ns(), most_us = w->limits ? limit(&w->limits->packet_us) : 0;

    if (w->attentive)
        pulse_touch(&w->pulse, now_ns);
    if (most_us == 0 || now_ns - began_ns <= most_us * NS_PER_US)
        return;
    if (!w->attentive || used_ns(w, began_ns, now_ns) <= most_us * NS_PER_US)
        return;
    counter_add(&w->counters, CTR_SLOW_PACKETS, 1);
    show(w, p, now_ns - began_ns);
}
