/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPv4 (RFC 791) and IPv6 (RFC 8200) headers: addresses, lengths, options, extension headers, fragments.
 *
 * What the receiver's stack would throw away as broken is broken here too: a wrong version, lengths that
 * contradict each other or the frame, an option that runs out of the header, a fragment that ends beyond
 * 65,535 bytes, a hop-by-hop header that is not the first. An IPv4 total length of 0, as captures taken before
 * segmentation offload show it, is a contradiction as well: on a bridge such a packet cannot exist.
 *
 * Bytes behind the length the IP header gives are link padding and no part of the packet. Fragments end the walk:
 * no L4 fields, the payload is what follows the IP header(s). An IPv6 fragment header that says "the whole
 * datagram" (offset 0, no more: RFC 6946) is stepped over like any other, or it would hide the payload.
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
};

static void set_v4_addr(struct addr *a, const uint8_t *p)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    memcpy(a->b, mapped, sizeof(mapped));
    memcpy(a->b + 12, p, 4);
}

/* True when every option has a length that stays inside. *routed: a source route changes the destination on the
 * way, and with it the L4 pseudo header. */
static bool ipv4_options_valid(struct span opts, bool *routed)
{
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
    if (odd_end || (uint32_t)(p->ip_frag & FRAG_OFFSET) * 8 + len > IP_BYTES_MAX)
        decode_malformed(d, broken);
}

void decode_ipv4(struct decode *d)
{
    struct packet *p = d->p;
    struct span ip = span_sub(d->frame, p->l3_off, UINT32_MAX);
    bool routed = false;

    counter_add(d->c, CTR_DECODE_IPV4, 1);
    if (ip.len < IPV4_HDR_MIN || ip.p[0] >> 4 != 4) {
        decode_malformed(d, CTR_DECODE_IPV4_MALFORMED);
        return;
    }
    uint32_t hdr_len = (ip.p[0] & 15) * 4u, total = load_be16(ip.p + 2);
    if (hdr_len < IPV4_HDR_MIN || hdr_len > ip.len || total < hdr_len || total > d->wire_len - p->l3_off ||
        !ipv4_options_valid(span_sub(ip, IPV4_HDR_MIN, hdr_len - IPV4_HDR_MIN), &routed)) {
        decode_malformed(d, CTR_DECODE_IPV4_MALFORMED);
        return;
    }

    p->flags |= PKT_HAS_IP;
    p->ip_version = 4;
    p->ip_hdr_len = (uint8_t)hdr_len;
    p->ip_tos = ip.p[1];
    p->ip_id = load_be16(ip.p + 4);
    p->ip_frag = load_be16(ip.p + 6);
    p->ip_ttl = ip.p[8];
    p->ip_proto = ip.p[9];
    set_v4_addr(&p->src, ip.p + 12);
    set_v4_addr(&p->dst, ip.p + 16);
    p->payload_off = p->l4_off = (uint16_t)(p->l3_off + hdr_len);

    if (d->cfg->verify_checksums && checksum_finish(checksum_add(0, ip.p, hdr_len)) != 0) {
        decode_bad_checksum(d, CTR_DECODE_IPV4_CHECKSUM);
        return;
    }
    if (p->ip_frag & (FRAG_MORE | FRAG_OFFSET)) {
        set_fragment(d, p->l4_off, total - hdr_len, CTR_DECODE_IPV4_MALFORMED);
        return;
    }
    d->l4_checksum = d->cfg->verify_checksums && !routed;
    decode_l4(d, total - hdr_len);
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

/* Steps over extension headers in the `end - *off` bytes from *off on; leaves p->ip_proto at what follows. */
static enum walk walk_ext(struct decode *d, uint32_t *off, uint32_t end)
{
    struct packet *p = d->p;

    for (unsigned n = 0; is_ext(p->ip_proto); n++) {
        struct span h = span_sub(d->frame, *off, end - *off);
        uint32_t len;

        if (n == IPV6_EXT_MAX || h.len < 8 || (p->ip_proto == IPPROTO_HOPOPTS && n > 0))
            return WALK_BROKEN;
        len = ext_len(p->ip_proto, h);
        if (len > h.len)
            return WALK_BROKEN;
        if (p->ip_proto == IPPROTO_ROUTING && h.p[3] > 0)
            d->l4_checksum = false; /* segments left: the pseudo header names another host (RFC 8200 8.1) */

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

void decode_ipv6(struct decode *d)
{
    struct packet *p = d->p;
    struct span ip = span_sub(d->frame, p->l3_off, UINT32_MAX);

    counter_add(d->c, CTR_DECODE_IPV6, 1);
    if (ip.len < IPV6_HDR_LEN || ip.p[0] >> 4 != 6 ||
        load_be16(ip.p + 4) + (uint32_t)IPV6_HDR_LEN > d->wire_len - p->l3_off) {
        decode_malformed(d, CTR_DECODE_IPV6_MALFORMED);
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

    uint32_t off = p->l4_off, end = off + load_be16(ip.p + 4);
    enum walk walk = walk_ext(d, &off, end);
    if (walk == WALK_BROKEN) {
        decode_malformed(d, CTR_DECODE_IPV6_MALFORMED);
        return;
    }
    p->payload_off = p->l4_off = (uint16_t)off;
    if (walk == WALK_FRAGMENT)
        set_fragment(d, off, end - off, CTR_DECODE_IPV6_MALFORMED);
    else
        decode_l4(d, end - off);
}
