/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ICMP errors: which packet do they answer?
 *
 * IPv4's destination unreachable, source quench, redirect, time exceeded and parameter problem, and IPv6's errors of
 * types 1 to 4, carry the beginning of the packet that caused them. Addresses, protocol and ports are read from
 * it; a quoted fragment after the first has no ports and names no flow. IPv6 extension headers in front of the
 * quoted L4 header are stepped over, a few of them.
 *
 * Worker thread; reads the packet, writes the caller's struct.
 */
#include "ips/decode/quoted.h"

#include <netinet/in.h>

enum {
    IPV4_HDR_MIN = 20,
    IPV6_HDR_LEN = 40,
    EXT_MAX = 4,
    L4_MIN = 8, /* what an error quotes at least of it */
};

static bool is_error(const struct packet *p)
{
    if (!(p->flags & PKT_HAS_L4))
        return false;
    if (p->ip_version == 6)
        return p->ip_proto == IPPROTO_ICMPV6 && p->icmp_type >= 1 && p->icmp_type <= 4;
    return p->ip_proto == IPPROTO_ICMP && (p->icmp_type == 3 || p->icmp_type == 4 || p->icmp_type == 5 ||
                                           p->icmp_type == 11 || p->icmp_type == 12);
}

/* Where the quoted L4 header begins, or 0. */
static uint32_t quoted_ipv4(struct span s, struct quoted *q)
{
    if (s.len < IPV4_HDR_MIN || s.p[0] >> 4 != 4 || (s.p[0] & 15) < 5 || (load_be16(s.p + 6) & 0x1fff))
        return 0;
    addr_set_ipv4(&q->src, s.p + 12);
    addr_set_ipv4(&q->dst, s.p + 16);
    q->ip_proto = s.p[9];
    return (s.p[0] & 15) * 4u;
}

static uint32_t quoted_ipv6(struct span s, struct quoted *q)
{
    uint32_t off = IPV6_HDR_LEN;

    if (s.len < IPV6_HDR_LEN || s.p[0] >> 4 != 6)
        return 0;
    memcpy(q->src.b, s.p + 8, 16);
    memcpy(q->dst.b, s.p + 24, 16);
    q->ip_proto = s.p[6];
    for (unsigned n = 0; n < EXT_MAX; n++) {
        struct span ext = span_sub(s, off, UINT32_MAX);
        bool fragment = q->ip_proto == IPPROTO_FRAGMENT;

        if (q->ip_proto != IPPROTO_HOPOPTS && q->ip_proto != IPPROTO_ROUTING &&
            q->ip_proto != IPPROTO_DSTOPTS && !fragment)
            break;
        if (ext.len < 8 || (fragment && load_be16(ext.p + 2) >> 3))
            return 0;
        q->ip_proto = ext.p[0];
        off += fragment ? 8 : (ext.p[1] + 1u) * 8;
    }
    return off;
}

bool decode_quoted(const struct packet *p, struct quoted *q)
{
    struct span s = packet_payload(p);

    if (!is_error(p))
        return false;
    *q = (struct quoted){.ip_proto = 0};
    uint32_t off = p->ip_version == 6 ? quoted_ipv6(s, q) : quoted_ipv4(s, q);
    struct span l4 = span_sub(s, off, UINT32_MAX);
    if (off == 0 || l4.len < L4_MIN)
        return false;
    switch (q->ip_proto) {
    case IPPROTO_TCP:
    case IPPROTO_UDP:
    case IPPROTO_SCTP:
        q->sport = load_be16(l4.p);
        q->dport = load_be16(l4.p + 2);
        return true;
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
        q->icmp_type = l4.p[0];
        q->icmp_id = load_be16(l4.p + 4);
        return q->ip_proto == (p->ip_version == 6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP) &&
               (p->ip_version == 6 ? q->icmp_type == 128 : q->icmp_type == 8); /* echo: whose id is its key */
    default:
        return false;
    }
}
