/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef SLUICE_BPF_PACKET_H
#define SLUICE_BPF_PACKET_H
/*
 * The frame as the stages of the program see it. packet_read_link() reads up to the addresses and is all that a frame
 * costs while nothing is switched on; packet_read_transport() goes on from there to the ports and flags, and says what
 * is wrong with the headers. Both read as the workers' decoder does (ips/decode/), or a verdict would be cached for
 * another flow than the one the worker meant: three VLAN tags of the same ethertypes, of which those with id 0 name no
 * VLAN; ten extension headers; authentication headers stepped over; fragments end the walk.
 * (Options are not read here: a packet that the decoder calls broken for them alone is of its flow.)
 *
 * Broken is what no honest stack sends and no receiver takes: lengths that contradict each other or the frame, sources
 * that are no host, a packet to its own sender, TCP flags that exclude each other, a fragment that overlaps TCP's flags
 * or ends beyond 65,535 bytes. Link padding, odd options, wrong checksums and port 0 are not broken.
 */
#include <linux/in.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include "bpf/parse.h"
#include "bpf/shared.h"

#define VLANS_MAX   3      /* tags looked behind */
#define EXT_MAX     10     /* extension headers looked behind */
#define OFFSET_MAX  0x7fff /* of the bytes that are looked at */
#define IP_MORE     0x2000
#define IP_OFFSET   0x1fff
#define IP_BYTES    65535
#define SCTP_MIN    12
#define ICMP_MIN    8
#define PROTO_AH    51
#define PROTO_MH    135
#define PROTO_HIP   139
#define PROTO_SHIM6 140

enum fact {
    PACKET_SHORT = 1 << 0,  /* ends inside a header, as far as the addresses */
    PACKET_TAGGED = 1 << 1, /* has a VLAN tag */
    PACKET_BROKEN = 1 << 2,
    PACKET_FRAGMENT = 1 << 3,
    PACKET_PORTS = 1 << 4,   /* TCP, UDP, SCTP: port[] holds them */
    PACKET_WHOLE = 1 << 5,   /* no fragment, and all that a flow's key is made of was there */
    PACKET_ALLOWED = 1 << 6, /* by the guard */
    PACKET_READ = 1 << 7,    /* packet_read_transport() was here */
};
enum tcp_flag { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_ACK = 16 };

struct packet {
    __u32 addr[2][4]; /* source, destination; network order; IPv4 in the first word */
    __u32 bytes;      /* of the frame */
    __u32 vlans;      /* outer id | inner id << 12 */
    __u32 l3_off;
    __u16 facts;     /* enum fact */
    __u16 ethertype; /* host order, behind the tags */
    __u16 port[2];   /* source, destination; host order */
    __u8 in_port, n_vlans /* ids that are not 0 */, version /* 0: not IP */, proto, hops, tcp_flags,
        icmp_type, pad;
    __u32 queue;
    __u64 beat_ns; /* the queue's last sign of life, once it was asked for */
};

/* Frame bytes at off, or NULL when n of them are not there. A macro for the verifier's sake, like READ_HEADER; and the
 * compiler may not compare one copy of the offset and add another, between which the verifier of 6.1 sees no link. */
#define PACKET_AT(ctx, off, n)                                   \
    ({                                                           \
        const __u8 *at_ = (void *)0;                             \
        __u64 off_ = (off);                                      \
        barrier_var(off_);                                       \
        if (off_ <= OFFSET_MAX) {                                \
            at_ = (const __u8 *)(long)(ctx)->data + off_;        \
            if (at_ + (n) > (const __u8 *)(long)(ctx)->data_end) \
                at_ = (void *)0;                                 \
        }                                                        \
        at_;                                                     \
    })

static __always_inline __u16 be16_at(const __u8 *p)
{
    return (__u16)(p[0] << 8 | p[1]);
}

static __always_inline void packet_read_link(struct xdp_md *ctx, struct packet *p)
{
    struct cursor c = cursor_of(ctx);
    const struct ipv6hdr *ip6;
    const struct iphdr *ip4;
    struct ethertype type;

    p->bytes = (__u32)(ctx->data_end - ctx->data);
    if (!read_ethernet(&c, &type))
        goto too_short;
    for (int i = 0; i < VLANS_MAX && ethertype_is_vlan(type); i++) {
        const struct vlan_tag *tag = read_vlan(&c, &type);
        if (!tag)
            goto too_short;
        __u32 id = bpf_ntohs(tag->control_be) & 0xfff;
        p->facts |= PACKET_TAGGED;
        if (id && p->n_vlans < 2)
            p->vlans |= p->n_vlans ? id << 12 : id;
        p->n_vlans += id != 0;
    }
    p->ethertype = bpf_ntohs(type.be);
    p->l3_off = (__u32)((long)c.pos - (long)ctx->data);

    if (ethertype_is(type, ETH_P_IP)) {
        ip4 = read_ipv4(&c);
        if (!ip4)
            goto too_short;
        if (ip4->version == 4) {
            p->version = 4;
            p->addr[0][0] = ip4->saddr;
            p->addr[1][0] = ip4->daddr;
        }
    } else if (ethertype_is(type, ETH_P_IPV6)) {
        ip6 = read_ipv6(&c);
        if (!ip6)
            goto too_short;
        if (ip6->version == 6) {
            p->version = 6;
            __builtin_memcpy(p->addr, &ip6->saddr, sizeof(p->addr));
        }
    }
    return;
too_short:
    p->facts |= PACKET_SHORT;
}

/* --- what is wrong with it ------------------------------------------------------------------------------------------ */

static __always_inline int tcp_flags_broken(__u8 f)
{
    if (f & TCP_SYN)
        return f & (TCP_FIN | TCP_RST);
    return !(f & (TCP_ACK | TCP_RST));
}

static __always_inline int addresses_broken(const struct packet *p)
{
    __u32 differ = 0, src0 = p->addr[0][0], dst0 = p->addr[1][0];

    for (int i = 0; i < 4; i++)
        differ |= p->addr[0][i] ^ p->addr[1][i];
    if (!differ)
        return 1;
    if (p->version == 4) {
        __u32 src = bpf_ntohl(src0), dst = bpf_ntohl(dst0);
        return src >> 28 == 14 || src == 0xffffffff || src >> 24 == 127 || dst >> 24 == 127;
    }
    if (bpf_ntohl(src0) >> 24 == 0xff)
        return 1;
    for (int end = 0; end < 2; end++)
        if (!p->addr[end][0] && !p->addr[end][1] && !p->addr[end][2] && p->addr[end][3] == bpf_htonl(1))
            return 1;
    return 0;
}

/* --- the transport's header ----------------------------------------------------------------------------------------- */

/* The least that is there of a header whose number is proto; 0: not one that is read. */
static __always_inline __u32 l4_min(const struct packet *p)
{
    switch (p->proto) {
    case IPPROTO_TCP:
        return sizeof(struct tcphdr);
    case IPPROTO_UDP:
        return sizeof(struct udphdr);
    case IPPROTO_SCTP:
        return SCTP_MIN;
    case IPPROTO_ICMP:
        return p->version == 4 ? ICMP_MIN : 0;
    case IPPROTO_ICMPV6:
        return p->version == 6 ? ICMP_MIN : 0;
    default:
        return 0;
    }
}

/* The header at off, with len bytes to the packet's end; of a first fragment (part) they are not all that the header
 * speaks of. False: broken. */
static __always_inline int read_l4(struct xdp_md *ctx, struct packet *p, __u32 off, __u32 len, int part)
{
    __u32 min = l4_min(p), says;
    const __u8 *h;

    if (!min)
        return 1;
    if (len < min)
        return 0;
    if (p->proto == IPPROTO_ICMP || p->proto == IPPROTO_ICMPV6) {
        h = PACKET_AT(ctx, off, ICMP_MIN);
        if (!h)
            return 0;
        p->icmp_type = h[0];
        return 1;
    }
    h = PACKET_AT(ctx, off, sizeof(struct udphdr));
    if (!h)
        return 0;
    p->port[0] = be16_at(h);
    p->port[1] = be16_at(h + 2);
    p->facts |= PACKET_PORTS;
    if (p->proto == IPPROTO_SCTP)
        return 1;
    if (p->proto == IPPROTO_UDP) {
        says = be16_at(h + 4);
    } else {
        h = PACKET_AT(ctx, off, sizeof(struct tcphdr));
        if (!h)
            return 0;
        p->tcp_flags = h[13];
        says = (h[12] >> 4) * 4;
        if (tcp_flags_broken(p->tcp_flags))
            p->facts |= PACKET_BROKEN; /* and yet of a flow */
    }
    return says >= min && (says <= len || part);
}

/* len bytes at off, a multiple of 8 in the datagram. False: broken. */
static __always_inline int read_fragment(struct xdp_md *ctx, struct packet *p, __u32 off, __u32 len,
                                         __u32 frag)
{
    __u32 begin = (frag & IP_OFFSET) * 8;

    p->facts |= PACKET_FRAGMENT;
    if (begin + len > IP_BYTES || (p->version == 6 && (frag & IP_MORE) && len % 8))
        return 0;
    if (begin == 8 && p->proto == IPPROTO_TCP)
        return 0; /* RFC 3128: it would write over the flags */
    return begin || read_l4(ctx, p, off, len, 1);
}

/* Is p->proto an extension header that is stepped over? */
static __always_inline int at_extension(const struct packet *p)
{
    switch (p->proto) {
    case PROTO_AH:
        return 1;
    case IPPROTO_HOPOPTS:
    case IPPROTO_ROUTING:
    case IPPROTO_DSTOPTS:
    case IPPROTO_FRAGMENT:
    case PROTO_MH:
    case PROTO_HIP:
    case PROTO_SHIM6:
        return p->version == 6;
    default:
        return 0;
    }
}

/* What follows the IP header. False: broken. */
static __always_inline int read_behind_ip(struct xdp_md *ctx, struct packet *p, __u32 off, __u32 len)
{
    NO_UNROLL
    for (int i = 0; i < EXT_MAX && at_extension(p); i++) {
        const __u8 *h = PACKET_AT(ctx, off, 8);
        __u8 kind = p->proto;
        __u32 step, frag;

        if (!h || len < 8 || (kind == IPPROTO_HOPOPTS && i > 0))
            return 0;
        step = kind == PROTO_AH ? (h[1] + 2) * 4 : kind == IPPROTO_FRAGMENT ? 8 : (h[1] + 1) * 8;
        if (step > len)
            return 0;
        frag = be16_at(h + 2);
        p->proto = h[0];
        off += step;
        len -= step;
        if (kind == IPPROTO_FRAGMENT && frag & 0xfff9)
            return read_fragment(ctx, p, off, len, frag >> 3 | (frag & 1 ? IP_MORE : 0));
    }
    if (at_extension(p))
        return 1; /* more than are followed: not broken, but of no flow */
    if (!read_l4(ctx, p, off, len, 0))
        return 0;
    p->facts |= PACKET_WHOLE;
    return 1;
}

static __always_inline int read_behind_ipv4(struct xdp_md *ctx, struct packet *p)
{
    const __u8 *h = PACKET_AT(ctx, p->l3_off, sizeof(struct iphdr));

    if (!h)
        return 0;
    __u32 hdr_len = (h[0] & 15) * 4, total = be16_at(h + 2), frag = be16_at(h + 6), off = p->l3_off + hdr_len;
    p->hops = h[8];
    p->proto = h[9];
    if (hdr_len < sizeof(struct iphdr) || total < hdr_len || total > p->bytes - p->l3_off)
        return 0;
    if (frag & (IP_MORE | IP_OFFSET))
        return read_fragment(ctx, p, off, total - hdr_len, frag);
    return read_behind_ip(ctx, p, off, total - hdr_len);
}

static __always_inline int read_behind_ipv6(struct xdp_md *ctx, struct packet *p)
{
    const __u8 *h = PACKET_AT(ctx, p->l3_off, sizeof(struct ipv6hdr));

    if (!h)
        return 0;
    __u32 len = be16_at(h + 4), off = p->l3_off + sizeof(struct ipv6hdr);
    p->proto = h[6];
    p->hops = h[7];
    if (len > p->bytes - off)
        return 0;
    return read_behind_ip(ctx, p, off, len);
}

/* Goes on where packet_read_link() ended. A function of its own, verified once, whatever called it. */
int packet_read_transport(struct xdp_md *ctx, struct packet *p);
__noinline int packet_read_transport(struct xdp_md *ctx, struct packet *p)
{
    int fine = 0;

    if (!p || p->facts & PACKET_READ)
        return 0;
    p->facts |= PACKET_READ;
    if (p->version == 4)
        fine = read_behind_ipv4(ctx, p);
    else if (p->version == 6)
        fine = read_behind_ipv6(ctx, p);
    else /* a short header, or one of a wrong version */
        fine = !(p->facts & PACKET_SHORT) && p->ethertype != ETH_P_IP && p->ethertype != ETH_P_IPV6;
    if (!fine || (p->version && addresses_broken(p)))
        p->facts |= PACKET_BROKEN;
    return 0;
}

/* --- the flow's key ----------------------------------------------------------------------------------------------- */

/* Which end of the key sent the frame: the lower one is 0. */
static __always_inline int packet_end(const struct packet *p)
{
    for (int i = 0; i < 4; i++)
        if (p->addr[0][i] != p->addr[1][i])
            return bpf_ntohl(p->addr[0][i]) > bpf_ntohl(p->addr[1][i]);
    return p->port[0] > p->port[1];
}

/* *key is all zeros. False: the frame has none. */
static __always_inline int packet_key(const struct packet *p, struct steer_key *key)
{
    if (!(p->facts & PACKET_WHOLE) || p->n_vlans > 2)
        return 0;
    int end = packet_end(p);
    __builtin_memcpy(key->addr[0], end ? p->addr[1] : p->addr[0], sizeof(key->addr[0]));
    __builtin_memcpy(key->addr[1], end ? p->addr[0] : p->addr[1], sizeof(key->addr[1]));
    key->port_be[0] = bpf_htons(end ? p->port[1] : p->port[0]);
    key->port_be[1] = bpf_htons(end ? p->port[0] : p->port[1]);
    key->proto = p->proto;
    key->version = p->version;
    key->vlans = p->vlans;
    return 1;
}
#endif
