/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers to a rejected packet: a TCP RST towards either end, an ICMP error towards the sender of anything else.
 *
 * Which numbers a RST needs: an end takes it only when its sequence number is exactly what that end expects next
 * (RFC 5961 3.2; anything else in the window earns a challenge ACK), and in SYN-SENT only when it acknowledges
 * the SYN. So
 *   to the sender    seq = the acknowledgment number it sent (it is what the sender expects next); a segment without
 *                    ACK is answered as a closed port would: seq 0, ack = end of the segment (RFC 9293 3.10.7.1)
 *   to the receiver  seq = the segment's own: the segment is dropped, so the receiver still expects it; with the
 *                    segment's ACK, which makes the RST good in SYN-SENT too
 * Nothing answers a RST, and a lone SYN needs no RST towards the receiver, which has heard of no connection yet.
 *
 * ICMP: a UDP datagram gets "port unreachable" (3/3, ICMPv6 1/4), which a UDP client's socket reports at once; other
 * protocols "administratively prohibited" (3/13 RFC 1812 5.2.7.1, ICMPv6 1/1). Never for an ICMP error, a
 * fragment but the first, or anything whose source or destination is not one host (RFC 1122 3.2.2, RFC 4443 2.4(e)).
 * The quote is as much of the packet as keeps the answer within 576 bytes (RFC 1812 4.3.2.3), or 1,280 over IPv6.
 *
 * The frame copies the rejected one's link header with its VLAN tags, MAC addresses turned for the sender, and is
 * padded to Ethernet's minimum, which not every driver does for AF_XDP. Pure function of its arguments, any thread.
 */
#include "ips/detect/reject.h"

#include <netinet/in.h>

#include "ips/decode/decode.h"

enum {
    ETH_MIN_LEN = 60,
    IPV4_LEN = 20,
    IPV6_LEN = 40,
    TCP_LEN = 20,
    ICMP_LEN = 8,
    ICMPV4_TOTAL_MAX = 576,
    ICMPV6_TOTAL_MAX = 1280,
    HOPS = 64,
    FRAG_OFFSET = 0x1fff,
    TCP_FIN = 1,
    TCP_SYN = 2,
    TCP_RST = 4,
    TCP_ACK = 16,
};

/* One answer under construction. */
struct answer {
    const struct packet *p;
    uint8_t *out;
    uint32_t size;
    const struct addr *src, *dst;
};

static bool is_v4(const struct answer *a)
{
    return a->p->ip_version == 4;
}

static uint32_t ip_len(const struct answer *a)
{
    return is_v4(a) ? IPV4_LEN : IPV6_LEN;
}

static uint8_t *l4_of(const struct answer *a)
{
    return a->out + a->p->l3_off + ip_len(a);
}

/* One host, to which an answer may go or in whose name one may be sent. */
static bool is_host(const struct addr *addr, uint8_t ip_version)
{
    static const struct addr unspecified;
    const uint8_t *v4 = addr->b + 12;

    if (ip_version == 6)
        return addr->b[0] != 0xff && memcmp(addr, &unspecified, sizeof(*addr)) != 0;
    return v4[0] != 0 && v4[0] != 127 && v4[0] < 224; /* this net, loopback, multicast, reserved, broadcast */
}

static bool is_icmp_error(const struct packet *p)
{
    if (p->ip_version == 6)
        return p->icmp_type < 128;
    return p->icmp_type == 3 || p->icmp_type == 4 || p->icmp_type == 5 || p->icmp_type == 11 ||
           p->icmp_type == 12;
}

static bool is_icmp(const struct packet *p)
{
    return p->ip_proto == (p->ip_version == 6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
}

/* No answer to what was not sent by one host to one host, nor by a link we cannot write on. */
static bool answerable(const struct packet *p)
{
    if ((p->flags & (PKT_HAS_IP | PKT_MALFORMED | PKT_BAD_CHECKSUM)) != PKT_HAS_IP)
        return false;
    if (p->outer) /* it would have to be sent through the tunnel */
        return false;
    if (p->flags & PKT_HAS_ETH) {
        if ((p->data[0] | p->data[6]) & 1) /* group addresses */
            return false;
        if (p->l3_off != 14u + 4u * p->n_vlans) /* labels and PPPoE's length are not ours to write */
            return false;
    } else if (p->link != LINK_RAW) {
        return false;
    }
    return is_host(&p->src, p->ip_version) && is_host(&p->dst, p->ip_version);
}

static void put_link(const struct answer *a, enum reject_to to)
{
    const struct packet *p = a->p;

    memcpy(a->out, p->data, p->l3_off);
    if (to == REJECT_TO_SENDER && (p->flags & PKT_HAS_ETH)) {
        memcpy(a->out, p->data + 6, 6);
        memcpy(a->out + 6, p->data, 6);
    }
}

static void put_ip(const struct answer *a, uint8_t proto, uint32_t l4_len)
{
    uint8_t *ip = a->out + a->p->l3_off;

    memset(ip, 0, ip_len(a));
    if (is_v4(a)) {
        ip[0] = 0x45;
        store_be16(ip + 2, (uint16_t)(IPV4_LEN + l4_len));
        ip[6] = 0x40; /* DF: an atomic datagram may have id 0 (RFC 6864) */
        ip[8] = HOPS;
        ip[9] = proto;
        memcpy(ip + 12, a->src->b + 12, 4);
        memcpy(ip + 16, a->dst->b + 12, 4);
        store_be16(ip + 10, checksum_finish(checksum_add(0, ip, IPV4_LEN)));
    } else {
        ip[0] = 0x60;
        store_be16(ip + 4, (uint16_t)l4_len);
        ip[6] = proto;
        ip[7] = HOPS;
        memcpy(ip + 8, a->src->b, 16);
        memcpy(ip + 24, a->dst->b, 16);
    }
}

/* Checksum of l4_len bytes behind the IP header, stored at their offset at. */
static void put_l4_checksum(const struct answer *a, uint8_t proto, uint32_t l4_len, uint32_t at)
{
    uint32_t sum =
        proto == IPPROTO_ICMP ? 0 : checksum_pseudo(a->src, a->dst, a->p->ip_version, proto, l4_len);

    store_be16(l4_of(a) + at, checksum_finish(checksum_add(sum, l4_of(a), l4_len)));
}

/* Pads to Ethernet's minimum; the frame's length. */
static uint32_t finish(const struct answer *a, uint32_t l4_len)
{
    uint32_t len = a->p->l3_off + ip_len(a) + l4_len;

    if (!(a->p->flags & PKT_HAS_ETH) || len >= ETH_MIN_LEN)
        return len;
    if (a->size < ETH_MIN_LEN)
        return 0;
    memset(a->out + len, 0, ETH_MIN_LEN - len);
    return ETH_MIN_LEN;
}

static uint32_t build_rst(struct answer *a, enum reject_to to)
{
    const struct packet *p = a->p;
    bool to_sender = to == REJECT_TO_SENDER, has_ack = p->tcp_flags & TCP_ACK;

    if ((p->tcp_flags & TCP_RST) || (!to_sender && (p->tcp_flags & TCP_SYN) && !has_ack))
        return 0;
    if (p->l3_off + ip_len(a) + TCP_LEN > a->size)
        return 0;

    put_link(a, to);
    put_ip(a, IPPROTO_TCP, TCP_LEN);
    uint8_t *tcp = l4_of(a), flags = TCP_RST;
    uint32_t seq = p->tcp_seq, ack = has_ack ? p->tcp_ack : 0;
    if (to_sender && has_ack) {
        seq = p->tcp_ack;
        ack = 0;
    } else if (to_sender) {
        seq = 0;
        ack = p->tcp_seq + p->payload_len + !!(p->tcp_flags & TCP_SYN) + !!(p->tcp_flags & TCP_FIN);
        flags |= TCP_ACK;
    } else if (has_ack) {
        flags |= TCP_ACK;
    }
    memset(tcp, 0, TCP_LEN);
    store_be16(tcp, to_sender ? p->dport : p->sport);
    store_be16(tcp + 2, to_sender ? p->sport : p->dport);
    store_be32(tcp + 4, seq);
    store_be32(tcp + 8, ack);
    tcp[12] = TCP_LEN / 4 << 4;
    tcp[13] = flags;
    put_l4_checksum(a, IPPROTO_TCP, TCP_LEN, 16);
    return finish(a, TCP_LEN);
}

static uint32_t build_icmp(struct answer *a)
{
    const struct packet *p = a->p;
    bool v4 = is_v4(a), udp = p->ip_proto == IPPROTO_UDP;

    if ((p->ip_frag & FRAG_OFFSET) || (is_icmp(p) && (!(p->flags & PKT_HAS_L4) || is_icmp_error(p))))
        return 0;
    uint32_t head = ip_len(a) + ICMP_LEN, room = (v4 ? ICMPV4_TOTAL_MAX : ICMPV6_TOTAL_MAX) - head;
    struct span quote =
        span_sub(span_of(p->data, p->len), p->l3_off, p->payload_off + p->payload_len - p->l3_off);
    quote = span_sub(quote, 0, room);
    if (p->l3_off + head + quote.len > a->size)
        return 0;

    put_link(a, REJECT_TO_SENDER);
    uint32_t l4_len = ICMP_LEN + quote.len;
    uint8_t proto = v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6, *icmp = l4_of(a);
    put_ip(a, proto, l4_len);
    memset(icmp, 0, ICMP_LEN);
    icmp[0] = v4 ? 3 : 1;
    icmp[1] = v4 ? (udp ? 3 : 13) : (udp ? 4 : 1);
    memcpy(icmp + ICMP_LEN, quote.p, quote.len);
    put_l4_checksum(a, proto, l4_len, 2);
    return finish(a, l4_len);
}

uint32_t reject_build(const struct packet *p, enum reject_to to, uint8_t *out, uint32_t size)
{
    struct answer a = {.p = p, .out = out, .size = size, .src = &p->dst, .dst = &p->src};

    if (!answerable(p))
        return 0;
    if (to == REJECT_TO_RECEIVER) {
        a.src = &p->src;
        a.dst = &p->dst;
    }
    if (p->ip_proto == IPPROTO_TCP && (p->flags & PKT_HAS_L4))
        return build_rst(&a, to);
    return to == REJECT_TO_SENDER ? build_icmp(&a) : 0;
}
