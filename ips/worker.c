/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * THE SPINE: the burst loop. Read this file first; it is the story of a frame.
 *
 *   receive   up to 64 frames from one side's RX ring, clocks read once
 *   decode    Ethernet to L4, and what tunnels carry, or what is wrong with it
 *   hand off  frames whose flow another worker owns: descriptors only, and only where the NIC cannot do it
 *   hold      fragments, until their datagram is whole; it is one packet more, and its verdict is theirs
 *   look up   the flow of each packet, its direction and state
 *   follow    its TCP stream: what the receiver makes of it, and what it adds to what was inspected
 *   parse     the protocol that its flow speaks, which publishes what rules look into
 *   inspect   rules, before, while and after it is parsed; verdict, events; then the stream learns whether it leaves
 *   leave     forwarded frames to the other side's TX ring, dropped ones to the free cache, each one counted
 *   rest      completions taken back, fill rings refilled, timeouts, one RCU quiescent state; poll when idle
 *
 * Thread: one worker, one thread, one pair of queues. It never allocates, locks, formats text or makes a
 * system call, except to kick or poll a ring. It writes its own counters and nobody else's memory. Promise:
 * every frame that was received is transmitted, freed with a counted reason, handed to its owner, or held (defrag.held)
 * for a time that is limited.
 */
#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#include "ips/base/clock.h"
#include "ips/base/rcu.h"
#include "ips/detect/reject.h"
#include "ips/worker_parts.h"

/* Empty rounds before a worker sleeps in poll: long enough to bridge the gap between two interrupts' worth of
 * frames, short enough that a quiet link costs no CPU. */
#define IDLE_ROUNDS_MAX 32
#define POLL_MS         100
/* When told to stop, how many more rounds may find frames: the queues are already steered past us. */
#define DRAIN_ROUNDS_MAX 4096
#define EXPIRE_BUDGET    64

struct outbox { /* frames of one burst, by where they go */
    struct packet *v[BURST_MAX];
    unsigned n;
};

static struct port *port_out(const struct worker *w, unsigned in_port)
{
    return w->port[1] ? w->port[1 - in_port] : w->port[0];
}

static struct port *port_at(const struct worker *w, unsigned index)
{
    return w->port[1] ? w->port[index] : w->port[0];
}

static void stamp(struct worker *w, unsigned n)
{
    if (!w->port[1])
        return; /* a capture brings its own time */
    for (unsigned i = 0; i < n; i++) {
        w->pkts[i].now_ns = w->now_ns;
        w->pkts[i].ts_ns = w->real_ns;
    }
}

/* What the configuration says of frames that cannot be inspected, before anything else looks at them. */
void worker_apply_decode_policy(struct worker *w, struct packet *pkts, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (!w->cfg.inline_mode)
            continue;
        for (struct packet *p = &pkts[i]; p; p = p->inner)
            if ((p->flags & PKT_MALFORMED) && w->cfg.malformed_drop)
                packet_drop(p, DROP_DECODE);
            else if (!(p->flags & (PKT_HAS_IP | PKT_MALFORMED)) && w->cfg.not_ip_drop)
                packet_drop(p, DROP_NOT_IP);
    }
}

/* One answer to a rejected packet: a RST or an ICMP error in a frame of our own. */
static void inject(struct worker *w, const struct packet *p, enum reject_to to)
{
    struct port *out = port_at(w, to == REJECT_TO_SENDER ? p->in_port : 1 - p->in_port);
    struct packet answer = {.flags = PKT_INJECTED, .link = p->link, .ts_ns = p->ts_ns, .now_ns = p->now_ns};
    struct packet *a = &answer;

    answer.in_port = to == REJECT_TO_SENDER ? 1 - p->in_port : p->in_port;
    if (!port_alloc(out, a)) {
        counter_add(&w->counters, CTR_INJECT_FAILED, 1);
        return;
    }
    answer.len = answer.orig_len = reject_build(p, to, a->data, FRAME_BYTES / 2);
    if (answer.len == 0) {
        port_free_burst(out, &a, 1); /* no answer is due, see reject.h */
    } else if (port_tx_burst(out, &a, 1) == 1) {
        counter_add(&w->counters, CTR_INJECTED, 1);
    } else {
        counter_add(&w->counters, CTR_INJECT_FAILED, 1);
        port_free_burst(out, &a, 1);
    }
}

/* Its flow got a verdict, or is known clean: the kernel, and the next daemon, are to know. */
static void remember(struct worker *w, const struct packet *p)
{
    const struct flow_facts facts = {
        .synchronized = stream_synchronized(w->streams, p->flow),
        .tunnel =
            p->inner || (p->ip_proto == IPPROTO_UDP && decode_is_tunnel(&w->cfg.decode, p->sport, p->dport)),
        .sid = detect_settled_by(w->detect, p->flow)};

    flow_remember(w->flows, p, &facts, &w->counters);
}

/* One packet, when all that came before it are settled. */
static void inspect(struct worker *w, const struct ruleset *rs, struct packet *p)
{
    beacon_packet(&w->beacon, p);
    beacon_stage(&w->beacon, STAGE_FLOW);
    if (w->cfg.inline_mode && p->verdict != VERDICT_DROP)
        normalise_packet(&w->cfg.normalise, p, &w->counters);
    flow_lookup(w->flows, p, &w->counters);
    beacon_stage(&w->beacon, STAGE_STREAM);
    stream_begin(w->streams, p, &w->counters);
    flow_account(w->flows, p);
    beacon_stage(&w->beacon, STAGE_PARSE);
    app_begin(w->app, p, &w->counters);
    beacon_stage(&w->beacon, STAGE_DETECT);
    detect_begin(w->detect, rs, p);
    beacon_stage(&w->beacon, STAGE_PARSE);
    app_parse(w->app, p, &w->counters);
    beacon_stage(&w->beacon, STAGE_DETECT);
    bool reject = detect_end(w->detect, p);
    app_end(w->app, p);
    beacon_stage(&w->beacon, STAGE_STREAM);
    stream_end(w->streams, p, &w->counters);
    if (w->overload.step >= OVERLOAD_ELEPHANTS)
        worker_load_bypass(w, p);
    if (p->flow && w->to_remember[p->flow->standing])
        remember(w, p);
    if (!reject || (w->port[1] && p->link != LINK_ETHERNET))
        return; /* what has no link header of its own gets no answer */
    counter_add(&w->counters, CTR_REJECTED, 1);
    inject(w, p, REJECT_TO_SENDER);
    if (p->ip_proto == IPPROTO_TCP)
        inject(w, p, REJECT_TO_RECEIVER);
}

static void inspect_timed(struct worker *w, const struct ruleset *rs, struct packet *p)
{
    uint64_t began_ns = clock_mono_ns();

    meter_begin(&w->meter);
    inspect(w, rs, p);
    w->meter.on = false;
    worker_load_timed(w, p, began_ns);
}

/* A frame's packet and what it carries, from the outside in. A verdict on any of them is the frame's. */
static void inspect_chain(struct worker *w, const struct ruleset *rs, struct packet *frame)
{
    for (struct packet *p = frame; p; p = p->inner) {
        if (++w->meter.n % METER_EVERY && !w->attentive)
            inspect(w, rs, p);
        else
            inspect_timed(w, rs, p);
        if (p->verdict == VERDICT_FORWARD)
            continue;
        frame->verdict = p->verdict;
        frame->drop_reason = p->drop_reason;
        return;
    }
}

static void transmit(struct worker *w, struct outbox *box, unsigned in_port)
{
    struct port *out = port_out(w, in_port);
    unsigned sent = port_tx_burst(out, box->v, box->n);
    uint64_t bytes = 0;

    for (unsigned i = 0; i < sent; i++)
        bytes += box->v[i]->len;
    counter_add(&w->counters, CTR_TX_FRAMES, sent);
    counter_add(&w->counters, CTR_TX_BYTES, bytes);
    for (unsigned i = sent; i < box->n; i++)
        counter_drop(&w->counters, port_is_down(out) ? DROP_LINK_DOWN : DROP_TX_FULL);
    if (sent < box->n)
        port_free_burst(out, box->v + sent, box->n - sent);
}

/* Every frame leaves the worker's hand here, at most a burst at a time. */
void worker_leave(struct worker *w, struct packet *frames, unsigned n)
{
    struct outbox forward[2] = {{.n = 0}, {.n = 0}}, dropped = {.n = 0};

    beacon_packet(&w->beacon, NULL);
    beacon_stage(&w->beacon, STAGE_LEAVE);
    for (unsigned i = 0; i < n; i++) {
        struct packet *p = &frames[i];

        if (p->verdict == VERDICT_HOLD)
            continue;
        if (p->verdict == VERDICT_DROP) {
            counter_drop(&w->counters, p->drop_reason);
            dropped.v[dropped.n++] = p;
        } else {
            forward[p->in_port].v[forward[p->in_port].n++] = p;
        }
    }
    for (unsigned in_port = 0; in_port < 2; in_port++)
        if (forward[in_port].n)
            transmit(w, &forward[in_port], in_port);
    if (dropped.n)
        port_free_burst(w->port[0], dropped.v, dropped.n);
}

/* --- fragments -------------------------------------------------------------------------------------------------- */

/* The fragment that the frame, or a datagram, carries, if it can be put together. */
static struct packet *fragment_in(struct packet *p)
{
    struct packet *in = packet_innermost(p);

    return (in->flags & (PKT_FRAGMENT | PKT_MALFORMED | PKT_BAD_CHECKSUM)) == PKT_FRAGMENT ? in : NULL;
}

/* Frames that defragmentation gives back, behind those of the burst that came before them; returns the first frame of
 * the burst that did not leave yet. */
static unsigned leave_fragments(struct worker *w, unsigned from, unsigned upto)
{
    unsigned n = defrag_leaving(w->defrag, w->given_back, BURST_MAX, &w->counters);

    if (n == 0)
        return from;
    worker_leave(w, w->pkts + from, upto - from);
    for (; n > 0; n = defrag_leaving(w->defrag, w->given_back, BURST_MAX, &w->counters)) {
        for (unsigned i = 0; i < n; i++) {
            struct packet *p = &w->given_back[i];

            if (!w->cfg.inline_mode)
                p->verdict = VERDICT_FORWARD;
            else if (p->verdict == VERDICT_DROP && p->drop_reason == DROP_DEFRAG_MEMCAP) {
                p->verdict = VERDICT_FORWARD;
                exception_apply(EXC_DEFRAG_MEMCAP, w->cfg.on_defrag_memcap, p, &w->counters);
            }
        }
        worker_leave(w, w->given_back, n);
    }
    return upto;
}

/* The datagram's flow is another worker's: all its frames go there, or none. */
static void hand_on(struct worker *w, uint32_t owner)
{
    struct packet frames[8];
    unsigned n;

    if (handoff_room(w->handoff, w->cfg.index, owner) < defrag_whole_frames(w->defrag)) {
        defrag_settle(w->defrag, VERDICT_DROP, DROP_HANDOFF_FULL, &w->counters);
        return;
    }
    defrag_hand_on(w->defrag);
    while ((n = defrag_leaving(w->defrag, frames, 8, &w->counters)) > 0)
        for (unsigned i = 0; i < n; i++) {
            frames[i].handed = true;
            (void)handoff_send(w->handoff, w->cfg.index, owner, &frames[i]); /* there is room */
            counter_add(&w->counters, CTR_HANDED_OFF, 1);
        }
}

static void prefetch_chain(struct worker *w, struct packet *p)
{
    do
        flow_prefetch_burst(w->flows, p, 1);
    while ((p = p->inner) != NULL);
}

/* A datagram is whole: it is judged like a packet, and may be or carry a fragment itself. */
static void judge_whole(struct worker *w, const struct ruleset *rs, bool handed)
{
    struct defrag *d = w->defrag;

    for (;;) {
        struct packet *whole = defrag_whole(d), *in = fragment_in(whole);
        uint32_t owner = in ? w->cfg.index : worker_owner_of(w, whole);

        if (owner != w->cfg.index) {
            hand_on(w, owner);
            return;
        }
        if (!in || !handed) { /* what it is a part of was looked at by who handed it on */
            worker_apply_decode_policy(w, whole, 1);
            prefetch_chain(w, whole);
            inspect_chain(w, rs, whole);
        }
        if (!in || whole->verdict == VERDICT_DROP) {
            defrag_settle(d, whole->verdict, whole->drop_reason, &w->counters);
            return;
        }
        enum defrag_answer a = defrag_take(d, whole, in, &w->counters);
        if (a == DEFRAG_DROP)
            defrag_settle(d, VERDICT_DROP, in->drop_reason, &w->counters);
        if (a != DEFRAG_WHOLE)
            return;
    }
}

/* The frame carries a fragment. It is inspected as the packet it is, and then held, dropped, or the last of its datagram;
 * a rule that drops one fragment drops all of them. */
static void process_fragment(struct worker *w, const struct ruleset *rs, struct packet *p, struct packet *in)
{
    beacon_packet(&w->beacon, p);
    beacon_stage(&w->beacon, STAGE_DEFRAG);
    enum defrag_answer a = defrag_take(w->defrag, p, in, &w->counters);

    if (a == DEFRAG_DROP && in->drop_reason == DROP_DEFRAG_MEMCAP && w->cfg.inline_mode) {
        in->verdict = VERDICT_FORWARD;
        exception_apply(EXC_DEFRAG_MEMCAP, w->cfg.on_defrag_memcap, in, &w->counters);
    }
    if (!p->handed)
        inspect_chain(w, rs, p);
    else if (in->verdict == VERDICT_DROP)
        packet_drop(p, in->drop_reason);
    if (a == DEFRAG_DROP)
        return;
    if (p->verdict != VERDICT_DROP) {
        if (a == DEFRAG_WHOLE)
            judge_whole(w, rs, p->handed);
    } else if (a == DEFRAG_WHOLE) {
        defrag_settle(w->defrag, VERDICT_DROP, p->drop_reason, &w->counters);
    } else {
        defrag_refuse(w->defrag, p->drop_reason, &w->counters);
    }
    p->verdict = VERDICT_HOLD;
}

/* --- the burst -------------------------------------------------------------------------------------------------- */

/* What the packets of a burst will read of flows and streams, while the first ones are looked at. */
static void prefetch(struct worker *w, struct packet *pkts, unsigned n)
{
    flow_prefetch_burst(w->flows, pkts, n);
    for (unsigned i = 0; i < n; i++) {
        uint32_t flow = pkts[i].ip_proto == IPPROTO_TCP ? flow_likely(w->flows, &pkts[i]) : FLOW_NONE;

        if (flow != FLOW_NONE)
            stream_prefetch(w->streams, flow);
    }
}

/* Decoded frames that are ours: from flow to exit. */
static void process(struct worker *w, unsigned n)
{
    const struct ruleset *rs = rcu_dereference(*w->ruleset);
    unsigned from = 0;

    worker_apply_decode_policy(w, w->pkts, n);
    prefetch(w, w->pkts, n);
    for (unsigned i = 0; i < n; i++) {
        struct packet *p = &w->pkts[i], *in = p->verdict == VERDICT_DROP ? NULL : fragment_in(p);

        if (!in) {
            inspect_chain(w, rs, p);
            continue;
        }
        process_fragment(w, rs, p, in);
        from = leave_fragments(w, from, i + 1);
    }
    worker_leave(w, w->pkts + from, n - from);
}

void worker_expire(struct worker *w, uint64_t now_ns, unsigned budget)
{
    flow_expire(w->flows, now_ns, budget, &w->counters);
    defrag_expire(w->defrag, now_ns, budget, &w->counters);
    leave_fragments(w, 0, 0);
}

void worker_drain(struct worker *w, enum drop_reason why)
{
    defrag_flush(w->defrag, why, &w->counters);
    leave_fragments(w, 0, 0);
    if (!w->keep_flows)
        flow_flush(w->flows);
}

unsigned worker_receive(struct worker *w, unsigned in_port, unsigned max)
{
    unsigned most = pulse_burst(&w->pulse, in_port);
    unsigned n = port_rx_burst(w->port[in_port], w->pkts, max < most ? max : most);
    uint64_t bytes = 0;

    pulse_received(&w->pulse, in_port, n);
    if (n == 0)
        return 0;
    for (unsigned i = 0; i < n; i++)
        bytes += w->pkts[i].len;
    counter_add(&w->counters, CTR_RX_FRAMES, n);
    counter_add(&w->counters, CTR_RX_BYTES, bytes);
    stamp(w, n);
    return n;
}

void worker_decode(struct worker *w, unsigned n)
{
    beacon_stage(&w->beacon, STAGE_DECODE);
    w->inner->used = 0;
    decode_burst(w->pkts, n, &w->cfg.decode, &w->counters);
}

unsigned worker_burst(struct worker *w, unsigned in_port)
{
    unsigned n = worker_receive(w, in_port, BURST_MAX), mine = n;

    if (n == 0)
        return 0;
    worker_decode(w, n);
    beacon_stage(&w->beacon, STAGE_HANDOFF);
    if (w->handoff)
        mine = worker_hand_off(w, n);
    process(w, mine);
    return n;
}

/* Frames that other workers received and this one owns. */
unsigned worker_take_handed(struct worker *w)
{
    beacon_stage(&w->beacon, STAGE_HANDOFF);
    unsigned n = handoff_receive(w->handoff, w->cfg.index, w->pkts, BURST_MAX);

    if (n) {
        worker_decode(w, n);
        process(w, n);
    }
    return n;
}

/* One turn over everything that can bring frames; the number it brought. */
static unsigned round_once(struct worker *w)
{
    w->now_ns = clock_mono_ns();
    w->real_ns = clock_real_ns();
    beacon_round(&w->beacon, w->now_ns);
    flow_escaped(w->flows, pulse_round(&w->pulse, w->port, w->now_ns));

    if (w->limits)
        worker_load_look(w);

    unsigned n = w->overload.step == OVERLOAD_SHED ? worker_load_shed(w) : 0;
    n += worker_burst(w, 0) + worker_burst(w, 1);
    if (w->handoff)
        n += worker_take_handed(w);

    beacon_stage(&w->beacon, STAGE_SERVICE);
    worker_expire(w, w->now_ns, EXPIRE_BUDGET);
    port_service(w->port[0]);
    port_service(w->port[1]);
    rcu_before_quiescent(w->ruleset);
    rcu_quiescent_state();
    return n;
}

/* Leaves out what can only say that it failed (its interface has gone); true when there was such. */
static bool drop_failed(struct pollfd *fds, nfds_t n)
{
    bool any = false;

    for (nfds_t i = 0; i < n; i++)
        if (fds[i].revents & (POLLERR | POLLHUP | POLLNVAL)) {
            fds[i].fd = -1;
            any = true;
        }
    return any;
}

/* Nothing came for a while: sleep until a socket or another worker has something, or a timer may be due. */
static void sleep_in_poll(struct worker *w)
{
    struct pollfd fds[4] = {{.fd = w->port[0]->fd, .events = POLLIN},
                            {.fd = w->port[1]->fd, .events = POLLIN},
                            {.fd = w->wake_fd, .events = POLLIN}};
    nfds_t n = 3;

    if (w->handoff) {
        fds[n++] = (struct pollfd){.fd = handoff_fd(w->handoff, w->cfg.index), .events = POLLIN};
        handoff_sleep(w->handoff, w->cfg.index, true);
    }
    if (!w->handoff || !handoff_pending(w->handoff, w->cfg.index)) {
        counter_add(&w->counters, CTR_RX_POLLS, 1);
        rcu_before_quiescent(w->ruleset);
        rcu_thread_offline();
        beacon_stage(&w->beacon, STAGE_POLL);
        pulse_sleep(&w->pulse);
        /* EINTR and timeouts both mean: look again. A socket in error would wake us at once and for ever. */
        if (poll(fds, n, POLL_MS) > 0 && drop_failed(fds, n))
            poll(fds, n, POLL_MS);
        pulse_wake(&w->pulse);
        w->round_ns = 0;
        rcu_thread_online();
    }
    if (w->handoff)
        handoff_sleep(w->handoff, w->cfg.index, false);
}

/* Fragments that the daemon before this one received and inspected: they wait here for the rest of their datagrams. */
static void take_adopted(struct worker *w)
{
    uint32_t at = 0;

    w->now_ns = clock_mono_ns();
    w->real_ns = clock_real_ns();
    while (at < w->n_adopted) {
        unsigned n = 0;

        while (n < BURST_MAX && at < w->n_adopted)
            w->pkts[n++] = w->adopted[at++];
        stamp(w, n);
        worker_decode(w, n);
        process(w, n);
    }
    w->n_adopted = 0;
}

void *worker_run(void *arg)
{
    struct worker *w = arg;
    enum worker_order order;
    unsigned idle = 0;

    rcu_register_thread();
    __atomic_store_n(&w->beacon.tid, gettid(), __ATOMIC_RELAXED);
    take_adopted(w);
    while ((order = __atomic_load_n(w->order, __ATOMIC_ACQUIRE)) == WORKER_RUN) {
        if (round_once(w))
            idle = 0;
        else if (w->cfg.poll && ++idle > IDLE_ROUNDS_MAX)
            sleep_in_poll(w);
    }
    if (order == WORKER_PAUSE)
        pulse_hold(&w->pulse, WORKER_PAUSE_NS);
    if (order == WORKER_QUIT)
        for (unsigned i = 0; i < DRAIN_ROUNDS_MAX && round_once(w); i++)
            ;
    __atomic_store_n(&w->beacon.tid, 0, __ATOMIC_RELAXED);
    if (order == WORKER_QUIT)
        worker_drain(w, DROP_SHUTDOWN);
    port_service(w->port[0]); /* shows the frames' owners once more */
    rcu_before_quiescent(w->ruleset);
    rcu_unregister_thread();
    return NULL;
}
