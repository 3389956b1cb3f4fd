/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPv4 (RFC 791) and IPv6 (RFC 8200) headers: addresses, lengths, options, extension headers, jumbograms, fragments.
 *
 * What the receiver's stack would throw away as broken is broken here too: a wrong version, lengths that
 * contradict each other or the frame, an option that runs out of the header, a fragment that ends beyond
 * 65,535 bytes, a hop-by-hop header that is not the first. An IPv4 total length of 0, as captures taken before
 * segmentation offload show it, is a contradiction as well: on a bridge such a packet cannot exist.
 *
 * Bytes behind the length the IP header gives are link padding and no part of the packet. Fragments end the walk:
 * no L4 fields, the payload is what follows the IP header(s). An IPv6 fragment header that says "the whole
 * datagram" (offset 0, no more: RFC 6946) is stepped over like any other, or it would hide the payload. So is an
 * authentication header (RFC 4302) in either version.
 *
 * A jumbogram (RFC 2675) is longer than any frame of a bridge and can be whole in a capture only; what of it lies within
 * 65,535 bytes is decoded like a packet that the capture cut. Options of extension headers are read for what is odd
 * about them; what their receiver makes of them is its own affair.
 *
 * Worker thread; see decode.c.
 */
#include <netinet/in.h>

#include "ips/decode/layers.h"

enum {
    IPV4_HDR_MIN = 20,
    IPV6_HDR_LEN = 40,
    IPV6_EXT_MAX = 10, /* extension headers looked at; a packet with more is broken */
    IP_BYTES_MAX = 65535,
    FRAG_MORE = 0x2000,
    FRAG_OFFSET = 0x1fff, /* in units of 8 bytes */
    OPT_END = 0,
    OPT_NOP = 1,
    OPT_LSRR = 131,
    OPT_SSRR = 137,
    OPT6_PAD1 = 0,
    OPT6_PADN = 1,
    OPT6_JUMBO = 0xc2,
};

/* Numbers that IANA has given to no protocol, and those for experiments. */
static bool unassigned(uint8_t proto)
{
    return proto >= 148;
}

/* True when every option has a length that stays inside. *routed: a source route changes the destination on the
 * way, and with it the L4 pseudo header. */
static bool ipv4_options_valid(struct decode *d, struct span opts, bool *routed)
{
    static const uint8_t known[] = {7,   10,  11,  12,  15,  25,  30,  68,  82,  94,  130, 131, 133, 134,
                                    136, 137, 142, 144, 145, 147, 148, 149, 150, 151, 152, 158, 205, 222};
    uint64_t seen[4] = {0};

    for (uint32_t i = 0; i < opts.len && opts.p[i] != OPT_END;) {
        uint8_t type = opts.p[i];

        if (type == OPT_NOP) {
            i++;
            continue;
        }
        if (i + 1 >= opts.len || opts.p[i + 1] < 2 || opts.p[i + 1] > opts.len - i)
            return false;
        if (type == OPT_LSRR || type == OPT_SSRR)
            *routed = true;
        if (seen[type / 64] >> type % 64 & 1)
            decode_odd(d, AN_IPV4_OPT_DUPLICATE);
        if (memchr(known, type, sizeof(known)) == NULL)
            decode_odd(d, AN_IPV4_OPT_UNKNOWN);
        seen[type / 64] |= UINT64_C(1) << type % 64;
        i += opts.p[i + 1];
    }
    return true;
}

/* A fragment: where its bytes begin, and how many there are. */
static void set_fragment(struct decode *d, uint32_t off, uint32_t len, enum counter_id broken)
{
    struct packet *p = d->p;

    counter_add(d->c, CTR_DECODE_FRAGMENT, 1);
    p->flags |= PKT_FRAGMENT;
    p->l4_off = p->payload_off = (uint16_t)off;
    p->payload_len = (uint16_t)span_sub(d->frame, off, len).len;
    bool odd_end = p->ip_version == 6 && (p->ip_frag & FRAG_MORE) && len % 8; /* RFC 8200 4.5 */
    if ((uint32_t)(p->ip_frag & FRAG_OFFSET) * 8 + len > IP_BYTES_MAX) {
        if (odd_end)
            decode_odd(d, AN_IPV6_FRAG_LENGTH);
        decode_malformed(d, broken, p->ip_version == 6 ? AN_IPV6_FRAG_TOO_LARGE : AN_IPV4_FRAG_TOO_LARGE);
    } else if (odd_end) {
        decode_malformed(d, broken, AN_IPV6_FRAG_LENGTH);
    }
}

/* What is wrong with an IPv4 header, or AN_N. */
static enum anomaly ipv4_fault(struct decode *d, struct span ip, bool *routed)
{
    if (ip.len < IPV4_HDR_MIN)
        return AN_IPV4_PKT_TOO_SMALL;
    if (ip.p[0] >> 4 != 4)
        return AN_IPV4_WRONG_IP_VERSION;

    uint32_t hdr_len = (ip.p[0] & 15) * 4u, total = load_be16(ip.p + 2);
    if (hdr_len < IPV4_HDR_MIN)
        return AN_IPV4_HLEN_TOO_SMALL;
    if (total < hdr_len)
        return AN_IPV4_IPLEN_SMALLER_THAN_HLEN;
    if (total > d->wire_len - d->p->l3_off || hdr_len > ip.len)
        return AN_IPV4_TRUNC_PKT;
    if (hdr_len > IPV4_HDR_MIN &&
        !ipv4_options_valid(d, span_sub(ip, IPV4_HDR_MIN, hdr_len - IPV4_HDR_MIN), routed))
        return AN_IPV4_OPT_INVALID_LEN;
    return AN_N;
}

/* Steps over authentication headers in the `len` bytes from p->l4_off on; false when one runs out of them. */
static bool skip_ah(struct decode *d, uint32_t *len)
{
    struct packet *p = d->p;

    for (unsigned n = 0; p->ip_proto == IPPROTO_AH && n < IPV6_EXT_MAX; n++) {
        struct span h = span_sub(d->frame, p->l4_off, *len);
        uint32_t ah_len = h.len < 12 ? UINT32_MAX : (h.p[1] + 2u) * 4;

        if (ah_len > h.len)
            return false;
        p->ip_proto = h.p[0];
        p->l4_off = p->payload_off = (uint16_t)(p->l4_off + ah_len);
        *len -= ah_len;
    }
    return true;
}

void decode_ipv4(struct decode *d)
{
    struct packet *p = d->p;
    struct span ip = span_sub(d->frame, p->l3_off, UINT32_MAX);
    bool routed = false;

    counter_add(d->c, CTR_DECODE_IPV4, 1);
    enum anomaly fault = ipv4_fault(d, ip, &routed);
    if (fault != AN_N) {
        decode_malformed(d, CTR_DECODE_IPV4_MALFORMED, fault);
        return;
    }
    uint32_t hdr_len = (ip.p[0] & 15) * 4u, len = load_be16(ip.p + 2) - hdr_len;

    p->flags |= PKT_HAS_IP;
    p->ip_version = 4;
    p->ip_hdr_len = (uint8_t)hdr_len;
    p->ip_tos = ip.p[1];
    p->ip_id = load_be16(ip.p + 4);
    p->ip_frag = load_be16(ip.p + 6);
    p->ip_ttl = ip.p[8];
    p->ip_proto = ip.p[9];
    addr_set_ipv4(&p->src, ip.p + 12);
    addr_set_ipv4(&p->dst, ip.p + 16);
    p->payload_off = p->l4_off = (uint16_t)(p->l3_off + hdr_len);

    if (d->cfg->verify_checksums && checksum_finish(checksum_add(0, ip.p, hdr_len)) != 0) {
        decode_bad_checksum(d, CTR_DECODE_IPV4_CHECKSUM);
        return;
    }
    if (p->ip_frag & (FRAG_MORE | FRAG_OFFSET)) {
        set_fragment(d, p->l4_off, len, CTR_DECODE_IPV4_MALFORMED);
        return;
    }
    if (p->ip_proto == IPPROTO_ICMPV6)
        decode_odd(d, AN_IPV4_ICMPV6);
    if (unassigned(p->ip_proto))
        decode_odd(d, AN_IPV4_UNKNOWN_PROTOCOL);
    if (!skip_ah(d, &len)) {
        decode_malformed(d, CTR_DECODE_IPV4_MALFORMED, AN_IPV4_TRUNC_PKT);
        return;
    }
    d->l4_checksum = d->cfg->verify_checksums && !routed;
    decode_l4(d, len);
}

/* Length of the extension header whose first bytes are at h, or 0 when next is none that is stepped over. */
static uint32_t ext_len(uint8_t next, struct span h)
{
    switch (next) {
    case IPPROTO_HOPOPTS:
    case IPPROTO_ROUTING:
    case IPPROTO_DSTOPTS:
    case 135: /* mobility (RFC 6275) */
    case 139: /* host identity (RFC 7401) */
    case 140: /* shim6 (RFC 5533) */
        return (h.p[1] + 1u) * 8;
    case IPPROTO_FRAGMENT:
        return 8;
    case IPPROTO_AH:
        return (h.p[1] + 2u) * 4;
    default:
        return 0;
    }
}

static bool is_ext(uint8_t next)
{
    static const uint8_t zero[2];

    return ext_len(next, span_of(zero, sizeof(zero))) != 0;
}

enum walk { WALK_L4, WALK_FRAGMENT, WALK_BROKEN };

/* Options of a hop-by-hop or destination header (RFC 8200 4.2), read for what is odd; false when one runs out. */
static bool ext_options(struct decode *d, struct span opts, bool hop)
{
    static const uint8_t known[] = {0x04, 0x05, 0x07, 0x08, 0x0f, 0x10, 0x11, 0x1e, 0x22, 0x23, 0x26,
                                    0x30, 0x31, 0x3e, 0x4d, 0x5e, 0x63, 0x6d, 0x6e, 0x7e, 0x8a, 0x8b,
                                    0x8c, 0x9e, 0xbe, 0xc2, 0xc3, 0xc9, 0xde, 0xee, 0xfe};
    bool only_padding = true;

    for (uint32_t i = 0; i < opts.len;) {
        uint8_t type = opts.p[i];

        if (type == OPT6_PAD1) {
            i++;
            continue;
        }
        if (opts.len - i < 2 || opts.p[i + 1] > opts.len - i - 2)
            return false;
        if (type != OPT6_PADN)
            only_padding = false;
        else if (opts.p[i + 1] == 0)
            decode_odd(d, AN_IPV6_ZERO_LEN_PADN);
        if (type != OPT6_PADN && memchr(known, type, sizeof(known)) == NULL)
            decode_odd(d, hop ? AN_IPV6_HOPOPTS_UNKNOWN_OPT : AN_IPV6_DSTOPTS_UNKNOWN_OPT);
        i += 2u + opts.p[i + 1];
    }
    if (only_padding)
        decode_odd(d, hop ? AN_IPV6_HOPOPTS_ONLY_PADDING : AN_IPV6_DSTOPTS_ONLY_PADDING);
    return true;
}

/* Segments are left: the pseudo header names the last host of the route (RFC 8200 8.1), which types 0 and 2 list last
 * and a segment routing header (RFC 8754) first. */
static void look_at_route(struct decode *d, struct span h)
{
    if (h.len >= 8 + 16 && (h.p[2] == 0 || h.p[2] == 2))
        d->final_dst = h.p + h.len - 16;
    else if (h.len >= 8 + 16 && h.p[2] == 4)
        d->final_dst = h.p + 8;
    else
        d->l4_checksum = false;
}

/* What is odd about one extension header, h its bytes; n[] counts them by kind. False when it is broken. */
static bool ext_look(struct decode *d, uint8_t kind, struct span h, uint8_t n[256])
{
    unsigned times = ++n[kind];

    switch (kind) {
    case IPPROTO_HOPOPTS:
    case IPPROTO_DSTOPTS:
        if (kind == IPPROTO_DSTOPTS && times > 2)
            decode_odd(d, AN_IPV6_EXTHDR_DUPL_DH);
        return ext_options(d, span_sub(h, 2, UINT32_MAX), kind == IPPROTO_HOPOPTS);
    case IPPROTO_ROUTING:
        if (times > 1)
            decode_odd(d, AN_IPV6_EXTHDR_DUPL_RH);
        if (h.p[2] == 0)
            decode_odd(d, AN_IPV6_RH_TYPE_0);
        if (h.p[3] > 0)
            look_at_route(d, h);
        return true;
    case IPPROTO_FRAGMENT:
        if (times > 1)
            decode_odd(d, AN_IPV6_EXTHDR_DUPL_FH);
        if (h.p[1] || h.p[3] & 6)
            decode_odd(d, AN_IPV6_FH_NON_ZERO_RESERVED_FIELD);
        if ((load_be16(h.p + 2) & 0xfff9) == 0)
            decode_odd(d, AN_IPV6_EXTHDR_USELESS_FH);
        return true;
    case IPPROTO_AH:
        if (times > 1)
            decode_odd(d, AN_IPV6_EXTHDR_DUPL_AH);
        if (load_be16(h.p + 2) != 0)
            decode_odd(d, AN_IPV6_EXTHDR_AH_RES_NOT_NULL);
        return true;
    default:
        return true;
    }
}

/* Steps over extension headers in the `end - *off` bytes from *off on; leaves p->ip_proto at what follows. On WALK_BROKEN
 * *fault says why. */
static enum walk walk_ext(struct decode *d, uint32_t *off, uint32_t end, enum anomaly *fault)
{
    struct packet *p = d->p;
    uint8_t seen[256];

    if (!is_ext(p->ip_proto))
        return WALK_L4;
    memset(seen, 0, sizeof(seen));

    for (unsigned n = 0; is_ext(p->ip_proto); n++) {
        struct span h = span_sub(d->frame, *off, end - *off);
        uint32_t len;

        *fault = n == IPV6_EXT_MAX                         ? AN_TOO_MANY_LAYERS
                 : p->ip_proto == IPPROTO_HOPOPTS && n > 0 ? AN_IPV6_EXTHDR_DUPL_HH
                                                           : AN_IPV6_TRUNC_EXTHDR;
        if (*fault != AN_IPV6_TRUNC_EXTHDR || h.len < 8)
            return WALK_BROKEN;
        len = ext_len(p->ip_proto, h);
        if (len > h.len)
            return WALK_BROKEN;
        *fault = AN_IPV6_EXTHDR_INVALID_OPTLEN;
        if (!ext_look(d, p->ip_proto, span_sub(h, 0, len), seen))
            return WALK_BROKEN;

        uint8_t ext = p->ip_proto;
        p->ip_proto = h.p[0];
        *off += len;
        if (ext == IPPROTO_FRAGMENT) {
            uint16_t frag = load_be16(h.p + 2); /* offset, two reserved bits, M */

            p->ip_frag = (uint16_t)((frag >> 3) | (frag & 1 ? FRAG_MORE : 0));
            if (p->ip_frag)
                return WALK_FRAGMENT;
        }
    }
    return WALK_L4;
}

/*
 * The payload's length. A jumbogram says 0 there and has its length as the first option of a hop-by-hop header; it is
 * 65,536 or more (RFC 2675 2, 3). False when the two contradict each other.
 */
static bool ipv6_payload_len(struct span ip, uint32_t *len)
{
    *len = load_be16(ip.p + 4);
    if (ip.p[6] != IPPROTO_HOPOPTS || ip.len < IPV6_HDR_LEN + 8 || ip.p[IPV6_HDR_LEN + 2] != OPT6_JUMBO ||
        ip.p[IPV6_HDR_LEN + 3] != 4)
        return true;
    bool jumbo = *len == 0;
    *len = load_be32(ip.p + IPV6_HDR_LEN + 4);
    return jumbo && *len > IP_BYTES_MAX;
}

/* What is wrong with an IPv6 header, or AN_N and the payload's length. */
static enum anomaly ipv6_fault(const struct decode *d, struct span ip, uint32_t *len)
{
    if (ip.len < IPV6_HDR_LEN)
        return AN_IPV6_PKT_TOO_SMALL;
    if (ip.p[0] >> 4 != 6)
        return AN_IPV6_WRONG_IP_VERSION;
    if (!ipv6_payload_len(ip, len))
        return AN_IPV6_JUMBOGRAM;
    return *len > d->wire_len - d->p->l3_off - IPV6_HDR_LEN ? AN_IPV6_TRUNC_PKT : AN_N;
}

static void ipv6_odd(struct decode *d, uint32_t len)
{
    const struct packet *p = d->p;

    if (p->ip_proto == IPPROTO_NONE && len > 0)
        decode_odd(d, AN_IPV6_DATA_AFTER_NONE_HEADER);
    if (p->ip_proto == IPPROTO_ICMP)
        decode_odd(d, AN_IPV6_ICMPV4);
    if (unassigned(p->ip_proto))
        decode_odd(d, AN_IPV6_UNKNOWN_NEXT_HEADER);
}

void decode_ipv6(struct decode *d)
{
    struct packet *p = d->p;
    struct span ip = span_sub(d->frame, p->l3_off, UINT32_MAX);
    uint32_t len;

    counter_add(d->c, CTR_DECODE_IPV6, 1);
    enum anomaly fault = ipv6_fault(d, ip, &len);
    if (fault != AN_N) {
        decode_malformed(d, CTR_DECODE_IPV6_MALFORMED, fault);
        return;
    }
    p->flags |= PKT_HAS_IP;
    p->ip_version = 6;
    p->ip_hdr_len = IPV6_HDR_LEN;
    p->ip_tos = (uint8_t)(load_be16(ip.p) >> 4);
    p->ip_proto = ip.p[6];
    p->ip_ttl = ip.p[7];
    memcpy(p->src.b, ip.p + 8, 16);
    memcpy(p->dst.b, ip.p + 24, 16);
    p->payload_off = p->l4_off = (uint16_t)(p->l3_off + IPV6_HDR_LEN);
    d->l4_checksum = d->cfg->verify_checksums;

    uint32_t off = p->l4_off, end = off + len;
    enum walk walk = walk_ext(d, &off, end, &fault);
    if (walk == WALK_BROKEN) {
        decode_malformed(d, CTR_DECODE_IPV6_MALFORMED, fault);
        return;
    }
    p->payload_off = p->l4_off = (uint16_t)off;
    if (walk == WALK_FRAGMENT) {
        set_fragment(d, off, end - off, CTR_DECODE_IPV6_MALFORMED);
        return;
    }
    ipv6_odd(d, end - off);
    decode_l4(d, end - off);
}
