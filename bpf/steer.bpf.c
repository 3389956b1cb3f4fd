/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The steering program: runs in the kernel on every frame that arrives at either interface of a bridge,
 * before the host's network stack sees it, and decides which way the frame goes. The first of these that applies:
 *
 *   interface not of this bridge       -> the host, untouched
 *   ipsctl link bypass is on           -> out of the other interface
 *   a steering line matches            -> as it says: out of the other interface, dropped, the host (bpf/lines.h)
 *   the guard is against it            -> dropped, before it costs a worker anything (bpf/guard.h)
 *   the flow has its verdict           -> dropped, or out of the other interface (bpf/flows.h)
 *   a live worker waits for the queue  -> its socket: the worker inspects the frame
 *   nobody does                        -> fail policy: open = out of the other interface, closed = dropped, open-known =
 *                                         the former for flows that were judged clean, the latter for others
 *
 * It never changes a byte. A frame it cannot read (short, unknown ethertype, four tags, labels) is steered all the
 * same: what is to happen with it is the workers' decision. It owns nothing; bpf/maps.h says who writes which
 * map. It promises that every frame leaves through leave(), which counts it once, so that the exit counters
 * of a port add up to the frames that came in on it. What is switched off costs a test of a flag. Loads on kernels 6.1
 * and later; every loop has a named limit.
 */
#include "bpf/flows.h"
#include "bpf/guard.h"
#include "bpf/lines.h"
#include "bpf/maps.h"
#include "bpf/packet.h"

/* The coarse clock is late by a tick at most, and no tick is longer (HZ=100). */
#define TICK_NS 10000000ull

/* Ethertypes that workers look behind and may find IP there, which this program does not see. Those without a name: PPP,
 * 802.1ah, VN-Tag, NSH. */
#define LEADS_TO_IP(X) \
    X(ETH_P_IP)        \
    X(ETH_P_IPV6)      \
    X(ETH_P_8021Q)     \
    X(ETH_P_8021AD)    \
    X(ETH_P_QINQ1)     \
    X(ETH_P_MPLS_UC)   \
    X(ETH_P_MPLS_MC)   \
    X(ETH_P_PPP_SES)   \
    X(0x880b)          \
    X(0x88e7)          \
    X(0x8926)          \
    X(0x894f)          \
    X(ETH_P_TEB)

static __always_inline int leave(__u32 port, enum steer_counter counter, enum xdp_action action)
{
    __u32 key = port * STEER_CTR_N + counter;
    __u64 *frames = bpf_map_lookup_elem(&steer_counters, &key);
    if (frames)
        *frames += 1; /* per CPU */
    return action;
}

static __always_inline void saw(__u32 port, enum steer_parse kind)
{
    __u32 key = port * STEER_PARSE_N + kind;
    __u64 *frames = bpf_map_lookup_elem(&steer_parse, &key);
    if (frames)
        *frames += 1; /* per CPU */
}

static __always_inline void saw_packet(const struct packet *p)
{
    if (p->facts & PACKET_TAGGED)
        saw(p->in_port, STEER_PARSE_VLAN);
    saw(p->in_port, p->facts & PACKET_SHORT ? STEER_PARSE_SHORT
                    : p->version == 4       ? STEER_PARSE_IPV4
                    : p->version == 6       ? STEER_PARSE_IPV6
                                            : STEER_PARSE_OTHER);
}

/* Out of the other interface. XDP_PASS would give the frame to this host's stack, so it is a redirect; with the other
 * interface gone there is no way left but to drop. */
static __always_inline int forward(__u32 port, enum steer_counter counter)
{
    if (bpf_redirect_map(&peer, STEER_PORTS - 1 - port, XDP_DROP) == XDP_REDIRECT)
        return leave(port, counter, XDP_REDIRECT);
    return leave(port, STEER_NO_WAY_OUT, XDP_DROP);
}

/* A frame crosses that the queue's worker should have seen: its streams have a hole. (One that is dropped leaves none: its
 * sender repeats it.) */
static __always_inline void escapes(__u32 queue)
{
    struct steer_beat *beat = bpf_map_lookup_elem(&steer_beats, &queue);
    if (beat)
        __sync_fetch_and_add(&beat->escaped, 1);
}

/* --- is there a worker? ------------------------------------------------------------------------------------------------ */

/* The queue's last sign of life, 0 when there never was one. The first frame for a worker that sleeps starts its clock:
 * the exact one, since a beat must not look older than it is. */
static __always_inline __u64 last_beat(__u32 queue)
{
    struct steer_beat *beat = bpf_map_lookup_elem(&steer_beats, &queue);
    __u64 beat_ns, now_ns;

    if (!beat)
        return 0;
    beat_ns = READ_ONCE(beat->beat_ns);
    if (beat_ns != STEER_ASLEEP)
        return beat_ns;
    now_ns = bpf_ktime_get_ns();
    beat_ns = __sync_val_compare_and_swap(&beat->beat_ns, STEER_ASLEEP, now_ns);
    return beat_ns == STEER_ASLEEP ? now_ns : beat_ns;
}

/* The exact clock is asked only when the coarse one leaves a doubt. */
static __always_inline int alive(__u64 beat_ns, __u64 heartbeat_ns)
{
    if (!beat_ns)
        return 0;
    if ((__s64)(bpf_ktime_get_coarse_ns() + TICK_NS - beat_ns) <= (__s64)heartbeat_ns)
        return 1;
    return (__s64)(bpf_ktime_get_ns() - beat_ns) <= (__s64)heartbeat_ns;
}

/* --- the fail policy --------------------------------------------------------------------------------------------------- */

static __always_inline int leads_to_ip(struct xdp_md *ctx, const struct packet *p)
{
    const __u8 *llc;

    switch (p->ethertype) {
#define X(type) case type:
        LEADS_TO_IP(X)
#undef X
        return 1;
    default:
        break;
    }
    if (p->ethertype >= ETH_P_802_3_MIN)
        return 0;
    llc = PACKET_AT(ctx, p->l3_off, 2);
    return llc && llc[0] == 0xaa && llc[1] == 0xaa; /* SNAP: an ethertype follows */
}

static __always_inline int is_neighbour_discovery(const struct packet *p)
{
    return p->version == 6 && p->proto == IPPROTO_ICMPV6 && (p->facts & PACKET_WHOLE) && p->hops == 255 &&
           p->icmp_type >= 133 && p->icmp_type <= 137; /* RFC 4861 */
}

/* There is no worker. What was dropped before stays dropped, whatever the policy. A SYN asks for a new connection: that
 * the last one on these ports was clean says nothing about it. */
__noinline int fail(struct xdp_md *ctx, struct packet *p, const struct steer_config *config)
{
    __u32 settles = SETTLES(STEER_KIND_DROP), policy, kind = 0, port;
    __u64 tag;

    if (!p || !config)
        return XDP_DROP; /* for the verifier */
    port = p->in_port;
    policy = READ_ONCE(config->fail_policy);
    if (p->version && policy != STEER_FAIL_CLOSED) {
        packet_read_transport(ctx, p);
        if (policy == STEER_FAIL_OPEN_KNOWN && !(p->tcp_flags & TCP_SYN))
            settles |= SETTLES(STEER_KIND_KNOWN) | SETTLES(STEER_KIND_BYPASS);
        p->beat_ns = last_beat(p->queue);
        tag = flow_tag(p, config);
        kind = flow_settle(p, config, tag, settles);
    }
    if (kind == STEER_KIND_DROP)
        return leave(port, STEER_FLOW_DROP, XDP_DROP);
    if (policy == STEER_FAIL_OPEN) {
        escapes(p->queue);
        return forward(port, STEER_FAIL_OPENED);
    }
    if (policy != STEER_FAIL_OPEN_KNOWN)
        return leave(port, STEER_FAIL_CLOSED_DROP, XDP_DROP);
    if (kind || is_neighbour_discovery(p) ||
        !(p->version || p->facts & PACKET_SHORT || leads_to_ip(ctx, p))) {
        escapes(p->queue);
        return forward(port, STEER_FAIL_KNOWN);
    }
    return leave(port, STEER_FAIL_UNKNOWN_DROP, XDP_DROP);
}

/* --- the stages -------------------------------------------------------------------------------------------------------- */

/* The verdict of the frame's flow: enum steer_kind, or 0. The worker wants to see the end of what is bypassed, and every
 * SYN: it may begin another connection. */
static __always_inline __u32 cached_verdict(const struct packet *p, const struct steer_config *config)
{
    __u32 settles = SETTLES(STEER_KIND_DROP);

    if (p->tcp_flags & TCP_SYN)
        return 0;
    if (!(p->tcp_flags & (TCP_FIN | TCP_RST)))
        settles |= SETTLES(STEER_KIND_BYPASS);
    return flow_settle(p, config, flow_tag(p, config), settles);
}

static __always_inline int to_worker(struct xdp_md *ctx, struct packet *p, const struct steer_config *config)
{
    __u64 heartbeat_ns = READ_ONCE(config->heartbeat_ns);

    /* The flags are what the helper returns for an empty slot, so one lookup answers both questions. */
    if (p->queue >= STEER_QUEUES_MAX ||
        bpf_redirect_map(&xsks, STEER_XSK_SLOT(p->in_port, p->queue), XDP_DROP) != XDP_REDIRECT)
        saw(p->in_port, STEER_SAW_NO_SOCKET);
    else if (!heartbeat_ns || alive(last_beat(p->queue), heartbeat_ns))
        return leave(p->in_port, STEER_TO_WORKER, XDP_REDIRECT);
    else
        saw(p->in_port, STEER_SAW_STALE);
    return fail(ctx, p, config);
}

static __always_inline int stages(struct xdp_md *ctx, struct packet *p, const struct steer_config *config)
{
    __u32 flags = READ_ONCE(config->flags), lines = READ_ONCE(config->lines), port = p->in_port;
    int counter;

    packet_read_link(ctx, p);
    saw_packet(p);
    if (STEER_LINES_N(lines) || flags & (STEER_DROP_BROKEN | STEER_USE_FLOWS | GUARD_SYN_FLAGS))
        packet_read_transport(ctx, p);
    if (STEER_LINES_N(lines))
        packet_read_arp(ctx, p);
    switch (STEER_LINES_N(lines) ? lines_action(p, lines) : STEER_INSPECT) {
    case STEER_BYPASS:
        return forward(port, STEER_LINE_BYPASS);
    case STEER_DROP:
        return leave(port, STEER_LINE_DROP, XDP_DROP);
    case STEER_HOST:
        return leave(port, STEER_LINE_HOST, XDP_PASS);
    default:
        break;
    }
    if (flags & GUARD_FLAGS) {
        counter = guard(p, config);
        if (counter != GUARD_PASS)
            return leave(port, counter, XDP_DROP);
        if (p->facts & PACKET_ALLOWED)
            saw(port, STEER_SAW_ALLOWED);
    }
    switch (flags & STEER_USE_FLOWS ? cached_verdict(p, config) : 0) {
    case STEER_KIND_DROP:
        return leave(port, STEER_FLOW_DROP, XDP_DROP);
    case STEER_KIND_BYPASS:
        return forward(port, STEER_FLOW_BYPASS);
    default:
        return to_worker(ctx, p, config);
    }
}

SEC("xdp")
int steer(struct xdp_md *ctx)
{
    const struct steer_config *config;
    const struct steer_switch *sw;
    struct packet p = {.queue = ctx->rx_queue_index};
    __u32 zero = 0;

    config = bpf_map_lookup_elem(&steer_config, &zero);
    sw = bpf_map_lookup_elem(&steer_switch, &zero);
    if (config && ctx->ingress_ifindex == config->ifindex[0])
        p.in_port = 0;
    else if (config && ctx->ingress_ifindex == config->ifindex[1])
        p.in_port = 1;
    else
        return leave(0, STEER_UNKNOWN_PORT, XDP_PASS);
    if (sw && READ_ONCE(sw->bypass)) {
        escapes(p.queue);
        return forward(p.in_port, STEER_SWITCH_BYPASS);
    }
    return stages(ctx, &p, config);
}

char _license[] SEC("license") = "Dual BSD/GPL";
