/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP (RFC 9293), UDP (RFC 768), ICMP (RFC 792) and ICMPv6 (RFC 4443): header fields, payload, checksum.
 *
 * The length comes from the IP header; UDP's own length may be shorter, never longer and never below 8 (0 would be
 * an IPv6 jumbogram, which no frame here can hold). The checksum is verified when the whole packet is at hand:
 * not for fragments, nor when a capture cut the frame, nor when a source route still changes the destination. A UDP
 * checksum of 0 means none over IPv4 and is wrong over IPv6 (RFC 8200 8.1).
 *
 * Worker thread; see decode.c.
 */
#include <netinet/in.h>

#include "ips/decode/layers.h"

enum {
    TCP_HDR_MIN = 20,
    UDP_HDR_LEN = 8,
    ICMP_HDR_LEN = 8,
};

static void set_payload(struct packet *p, uint32_t l4_hdr_len, struct span l4)
{
    p->flags |= PKT_HAS_L4;
    p->payload_off = (uint16_t)(p->l4_off + l4_hdr_len);
    p->payload_len = (uint16_t)(l4.len - l4_hdr_len);
}

/* l4: the captured bytes of what should be len. sum: the pseudo header's, 0 when the protocol has none. */
static void verify(struct decode *d, struct span l4, uint32_t len, uint32_t sum)
{
    if (d->l4_checksum && l4.len == len && checksum_finish(checksum_add(sum, l4.p, len)) != 0)
        decode_bad_checksum(d, CTR_DECODE_L4_CHECKSUM);
}

static uint32_t pseudo(const struct packet *p, uint32_t len)
{
    return checksum_pseudo(&p->src, &p->dst, p->ip_version, p->ip_proto, len);
}

static void decode_tcp(struct decode *d, struct span l4, uint32_t len)
{
    struct packet *p = d->p;

    counter_add(d->c, CTR_DECODE_TCP, 1);
    if (l4.len < TCP_HDR_MIN) {
        decode_malformed(d, CTR_DECODE_TCP_MALFORMED);
        return;
    }
    uint32_t hdr_len = (l4.p[12] >> 4) * 4u;
    if (hdr_len < TCP_HDR_MIN || hdr_len > l4.len) {
        decode_malformed(d, CTR_DECODE_TCP_MALFORMED);
        return;
    }
    p->sport = load_be16(l4.p);
    p->dport = load_be16(l4.p + 2);
    p->tcp_seq = load_be32(l4.p + 4);
    p->tcp_ack = load_be32(l4.p + 8);
    p->tcp_flags = l4.p[13];
    p->tcp_window = load_be16(l4.p + 14);
    p->tcp_urgent = load_be16(l4.p + 18);
    set_payload(p, hdr_len, l4);
    verify(d, l4, len, pseudo(p, len));
}

static void decode_udp(struct decode *d, struct span l4, uint32_t len)
{
    struct packet *p = d->p;

    counter_add(d->c, CTR_DECODE_UDP, 1);
    if (l4.len < UDP_HDR_LEN || load_be16(l4.p + 4) < UDP_HDR_LEN || load_be16(l4.p + 4) > len) {
        decode_malformed(d, CTR_DECODE_UDP_MALFORMED);
        return;
    }
    len = load_be16(l4.p + 4);
    l4 = span_sub(l4, 0, len);
    p->sport = load_be16(l4.p);
    p->dport = load_be16(l4.p + 2);
    set_payload(p, UDP_HDR_LEN, l4);
    if (load_be16(l4.p + 6) != 0)
        verify(d, l4, len, pseudo(p, len));
    else if (p->ip_version == 6 && d->l4_checksum)
        decode_bad_checksum(d, CTR_DECODE_L4_CHECKSUM);
}

/* Queries and their answers carry an identifier and a sequence number. */
static bool icmp_has_id(const struct packet *p)
{
    if (p->ip_version == 6)
        return p->icmp_type == 128 || p->icmp_type == 129;
    return p->icmp_type == 0 || p->icmp_type == 8 || (p->icmp_type >= 13 && p->icmp_type <= 18);
}

static void decode_icmp(struct decode *d, struct span l4, uint32_t len)
{
    struct packet *p = d->p;
    bool v6 = p->ip_version == 6;

    counter_add(d->c, v6 ? CTR_DECODE_ICMPV6 : CTR_DECODE_ICMPV4, 1);
    if (l4.len < ICMP_HDR_LEN) {
        decode_malformed(d, CTR_DECODE_ICMP_MALFORMED);
        return;
    }
    p->icmp_type = l4.p[0];
    p->icmp_code = l4.p[1];
    if (icmp_has_id(p)) {
        p->icmp_id = load_be16(l4.p + 4);
        p->icmp_seq = load_be16(l4.p + 6);
    }
    set_payload(p, ICMP_HDR_LEN, l4);
    verify(d, l4, len, v6 ? pseudo(p, len) : 0);
}

void decode_l4(struct decode *d, uint32_t len)
{
    struct packet *p = d->p;
    struct span l4 = span_sub(d->frame, p->l4_off, len);

    p->payload_len = (uint16_t)l4.len;
    if (p->ip_proto == IPPROTO_TCP)
        decode_tcp(d, l4, len);
    else if (p->ip_proto == IPPROTO_UDP)
        decode_udp(d, l4, len);
    else if (p->ip_proto == (p->ip_version == 6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
        decode_icmp(d, l4, len);
    else
        counter_add(d->c, CTR_DECODE_OTHER_L4, 1);
}
