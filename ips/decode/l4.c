/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP (RFC 9293), UDP (RFC 768), ICMP (RFC 792), ICMPv6 (RFC 4443) and SCTP (RFC 9260): header fields, payload, checksum.
 *
 * The length comes from the IP header; UDP's own length may be shorter, never longer and never below 8, but for 0 in a
 * jumbogram (RFC 2675 4). SCTP's CRC is not verified. Options of TCP are read for what is odd about them; a stack that
 * meets a bad one ignores those behind it and takes the segment. The checksum is verified when the whole packet is at hand:
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
    SCTP_HDR_LEN = 12,
    OPTIONS_TIMESTAMP = 0x0101080a, /* two NOPs and a timestamp: what nearly every segment has, and alone */
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

static uint32_t pseudo(const struct decode *d, uint32_t len)
{
    const struct packet *p = d->p;
    struct addr dst = p->dst;

    if (d->final_dst)
        memcpy(dst.b, d->final_dst, sizeof(dst.b));
    return checksum_pseudo(&p->src, &dst, p->ip_version, p->ip_proto, len);
}

/* Lengths that the options of TCP can have (RFC 9293 3.2, 7323, 2018, 7413). */
static bool tcp_option_fits(uint8_t kind, uint32_t len)
{
    switch (kind) {
    case 2: /* maximum segment size */
        return len == 4;
    case 3: /* window scale */
        return len == 3;
    case 4: /* SACK permitted */
        return len == 2;
    case 5: /* SACK */
        return len >= 10 && (len - 2) % 8 == 0;
    case 8: /* timestamps */
        return len == 10;
    case 34: /* Fast Open cookie */
        return len == 2 || (len >= 6 && len <= 18 && len % 2 == 0);
    default:
        return true;
    }
}

static void tcp_options(struct decode *d, struct span opts)
{
    uint64_t seen = 0;

    for (uint32_t i = 0; i < opts.len && opts.p[i] != 0;) {
        uint8_t kind = opts.p[i];

        if (kind == 1) {
            i++;
            continue;
        }
        if (opts.len - i < 2 || opts.p[i + 1] < 2 || opts.p[i + 1] > opts.len - i) {
            decode_odd(d, AN_TCP_OPT_INVALID_LEN);
            return;
        }
        if (!tcp_option_fits(kind, opts.p[i + 1]))
            decode_odd(d, AN_TCP_OPT_INVALID_LEN);
        if (kind < 64 && (seen >> kind & 1))
            decode_odd(d, AN_TCP_OPT_DUPLICATE);
        if (kind < 64)
            seen |= UINT64_C(1) << kind;
        i += opts.p[i + 1];
    }
}

static void decode_tcp(struct decode *d, struct span l4, uint32_t len)
{
    struct packet *p = d->p;

    counter_add(d->c, CTR_DECODE_TCP, 1);
    if (l4.len < TCP_HDR_MIN) {
        decode_malformed(d, CTR_DECODE_TCP_MALFORMED, AN_TCP_PKT_TOO_SMALL);
        return;
    }
    uint32_t hdr_len = (l4.p[12] >> 4) * 4u;
    if (hdr_len < TCP_HDR_MIN || hdr_len > l4.len) {
        decode_malformed(d, CTR_DECODE_TCP_MALFORMED, AN_TCP_HLEN_TOO_SMALL);
        return;
    }
    if (hdr_len > TCP_HDR_MIN && (hdr_len != 32 || load_be32(l4.p + TCP_HDR_MIN) != OPTIONS_TIMESTAMP))
        tcp_options(d, span_sub(l4, TCP_HDR_MIN, hdr_len - TCP_HDR_MIN));
    p->sport = load_be16(l4.p);
    p->dport = load_be16(l4.p + 2);
    p->tcp_seq = load_be32(l4.p + 4);
    p->tcp_ack = load_be32(l4.p + 8);
    p->tcp_flags = l4.p[13];
    p->tcp_window = load_be16(l4.p + 14);
    p->tcp_urgent = load_be16(l4.p + 18);
    set_payload(p, hdr_len, l4);
    verify(d, l4, len, pseudo(d, len));
}

static void decode_udp(struct decode *d, struct span l4, uint32_t len)
{
    struct packet *p = d->p;

    counter_add(d->c, CTR_DECODE_UDP, 1);
    uint32_t udp_len = l4.len < UDP_HDR_LEN ? 0 : load_be16(l4.p + 4);
    if (udp_len == 0 && len > UINT16_MAX)
        udp_len = len; /* a jumbogram */
    if (l4.len < UDP_HDR_LEN || udp_len < UDP_HDR_LEN || udp_len > len) {
        decode_malformed(d, CTR_DECODE_UDP_MALFORMED,
                         l4.len >= UDP_HDR_LEN && udp_len < UDP_HDR_LEN ? AN_UDP_HLEN_TOO_SMALL
                                                                        : AN_UDP_PKT_TOO_SMALL);
        return;
    }
    if (udp_len < len)
        decode_odd(d, AN_UDP_HLEN_INVALID);
    len = udp_len;
    l4 = span_sub(l4, 0, len);
    p->sport = load_be16(l4.p);
    p->dport = load_be16(l4.p + 2);
    set_payload(p, UDP_HDR_LEN, l4);
    if (!d->cfg->any_udp_checksum && load_be16(l4.p + 6) != 0)
        verify(d, l4, len, pseudo(d, len));
    else if (!d->cfg->any_udp_checksum && p->ip_version == 6 && d->l4_checksum)
        decode_bad_checksum(d, CTR_DECODE_L4_CHECKSUM);
    if (d->cfg->n_ports)
        decode_udp_tunnel(d, len);
}

static void decode_sctp(struct decode *d, struct span l4)
{
    struct packet *p = d->p;

    counter_add(d->c, CTR_DECODE_SCTP, 1);
    if (l4.len < SCTP_HDR_LEN) {
        decode_malformed(d, CTR_DECODE_SCTP_MALFORMED, AN_SCTP_PKT_TOO_SMALL);
        return;
    }
    p->sport = load_be16(l4.p);
    p->dport = load_be16(l4.p + 2);
    set_payload(p, SCTP_HDR_LEN, l4);
}

/* Queries and their answers carry an identifier and a sequence number. */
static bool icmp_has_id(const struct packet *p)
{
    if (p->ip_version == 6)
        return p->icmp_type == 128 || p->icmp_type == 129;
    return p->icmp_type == 0 || p->icmp_type == 8 || (p->icmp_type >= 13 && p->icmp_type <= 18);
}

/* Types that IANA has given to something. */
static bool icmp_known(const struct packet *p)
{
    uint8_t t = p->icmp_type;

    if (p->ip_version == 6)
        return (t >= 1 && t <= 4) || (t >= 128 && t <= 161);
    return t == 0 || (t >= 3 && t <= 6) || (t >= 8 && t <= 18) || (t >= 30 && t <= 43);
}

static void icmp_odd(struct decode *d)
{
    const struct packet *p = d->p;
    bool v6 = p->ip_version == 6;

    if (!icmp_known(p))
        decode_odd(d, v6 ? AN_ICMPV6_UNKNOWN_TYPE : AN_ICMPV4_UNKNOWN_TYPE);
    if (v6 && p->icmp_type >= 130 && p->icmp_type <= 132 && p->ip_ttl != 1)
        decode_odd(d, AN_ICMPV6_MLD_MESSAGE_WITH_INVALID_HL);
}

static void decode_icmp(struct decode *d, struct span l4, uint32_t len)
{
    struct packet *p = d->p;
    bool v6 = p->ip_version == 6;

    counter_add(d->c, v6 ? CTR_DECODE_ICMPV6 : CTR_DECODE_ICMPV4, 1);
    if (l4.len < ICMP_HDR_LEN) {
        decode_malformed(d, CTR_DECODE_ICMP_MALFORMED,
                         v6 ? AN_ICMPV6_PKT_TOO_SMALL : AN_ICMPV4_PKT_TOO_SMALL);
        return;
    }
    p->icmp_type = l4.p[0];
    p->icmp_code = l4.p[1];
    icmp_odd(d);
    if (icmp_has_id(p)) {
        p->icmp_id = load_be16(l4.p + 4);
        p->icmp_seq = load_be16(l4.p + 6);
    }
    set_payload(p, ICMP_HDR_LEN, l4);
    verify(d, l4, len, v6 ? pseudo(d, len) : 0);
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
    else if (p->ip_proto == IPPROTO_SCTP)
        decode_sctp(d, l4);
    else if (!decode_tunnel(d, len))
        counter_add(d->c, CTR_DECODE_OTHER_L4, 1);
}
