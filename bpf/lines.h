/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef SLUICE_BPF_LINES_H
#define SLUICE_BPF_LINES_H
/*
 * Steering lines: the first line whose tests all hold decides. At most STEER_LINES_MAX are walked, in a plain loop:
 * bpf_loop() would call a function for each line, and took three times as long.
 */
#include "bpf/maps.h"
#include "bpf/packet.h"

#define TEST_ADDRESS (STEER_TEST_SRC | STEER_TEST_DST | STEER_TEST_NET)
#define ARP_BYTES    28
#define ARP_SENDER   14
#define ARP_TARGET   24
#define TEST_PORTS   (STEER_TEST_SPORT | STEER_TEST_DPORT | STEER_TEST_PORT)

/* ARP's addresses stand where a packet's would, so that lines can tell whom is asked for (RFC 826; Ethernet and IPv4). */
static __always_inline void packet_read_arp(struct xdp_md *ctx, struct packet *p)
{
    static const __u8 kind[6] = {0, 1, ETH_P_IP >> 8, 0, 6, 4};
    const __u8 *h;

    if (p->ethertype != ETH_P_ARP)
        return;
    h = PACKET_AT(ctx, p->l3_off, ARP_BYTES);
    if (!h)
        return;
    for (int i = 0; i < 6; i++)
        if (h[i] != kind[i])
            return;
    __builtin_memcpy(&p->addr[0][0], h + ARP_SENDER, 4);
    __builtin_memcpy(&p->addr[1][0], h + ARP_TARGET, 4);
}

static __always_inline int within(__u16 v, const __u16 range[2])
{
    return v >= range[0] && v <= range[1];
}

static __always_inline int in_net(const __u32 a[4], const __u32 net[4], const __u32 mask[4])
{
    if ((a[0] ^ net[0]) & mask[0])
        return 0;
    return !((a[1] ^ net[1]) & mask[1]) && !((a[2] ^ net[2]) & mask[2]) && !((a[3] ^ net[3]) & mask[3]);
}

/* Lines that name addresses are of the IP version that they name; 0 of those for ARP. */
static __always_inline int addresses_match(const struct steer_line *l, const struct packet *p)
{
    if ((l->tests & STEER_TEST_SRC) && !in_net(p->addr[0], l->src, l->src_mask))
        return 0;
    if ((l->tests & STEER_TEST_DST) && !in_net(p->addr[1], l->dst, l->dst_mask))
        return 0;
    return !(l->tests & STEER_TEST_NET) || in_net(p->addr[0], l->src, l->src_mask) ||
           in_net(p->addr[1], l->src, l->src_mask);
}

static __always_inline int ports_match(const struct steer_line *l, const struct packet *p)
{
    if (!(p->facts & PACKET_PORTS))
        return 0;
    if ((l->tests & STEER_TEST_SPORT) && !within(p->port[0], l->sport))
        return 0;
    if ((l->tests & STEER_TEST_DPORT) && !within(p->port[1], l->dport))
        return 0;
    return !(l->tests & STEER_TEST_PORT) || within(p->port[0], l->dport) || within(p->port[1], l->dport);
}

static __always_inline int line_matches(const struct steer_line *l, const struct packet *p)
{
    __u16 tests = l->tests;

    if ((tests & (TEST_ADDRESS | STEER_TEST_VERSION)) && l->version != p->version)
        return 0;
    if ((tests & STEER_TEST_PROTO) && (!p->version || l->proto != p->proto))
        return 0;
    if ((tests & STEER_TEST_IN_PORT) && l->in_port != p->in_port)
        return 0;
    if ((tests & STEER_TEST_ETHERTYPE) && l->ethertype != p->ethertype)
        return 0;
    if ((tests & STEER_TEST_VLAN) && !within(p->vlans & 0xfff, l->vlan))
        return 0;
    if ((tests & TEST_ADDRESS) && !addresses_match(l, p))
        return 0;
    return !(tests & TEST_PORTS) || ports_match(l, p);
}

/* enum steer_action of the first line that matches, counted there; without one, STEER_INSPECT. */
__noinline int lines_action(const struct packet *p, __u32 lines)
{
    __u32 n = STEER_LINES_N(lines), first = STEER_LINES_FIRST(lines);

    if (!p)
        return STEER_INSPECT;
    NO_UNROLL
    for (__u32 i = 0; i < STEER_LINES_MAX && i < n; i++) {
        __u32 key = first + i;
        const struct steer_line *line = bpf_map_lookup_elem(&steer_lines, &key);
        if (!line)
            break;
        if (!line_matches(line, p))
            continue;
        __u64 *frames = bpf_map_lookup_elem(&steer_line_frames, &key);
        if (frames)
            *frames += 1; /* per CPU */
        return line->action;
    }
    return STEER_INSPECT;
}
#endif
