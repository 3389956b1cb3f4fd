/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one fragment says of itself, and what is wrong with it alone.
 *
 * The key says to which datagram it belongs: RFC 791's and RFC 8200's fields, and whatever decides which machine will put it
 * together: the port it came through, VLANs, the destination MAC, the tunnels around it. The fate is what all fragments of
 * one datagram must agree in, because it decides whether they arrive: IPv4 options, IPv6 extension headers in front, and
 * within a tunnel the TTL. Otherwise a sender could show us a harmless datagram of which one fragment never
 * arrives, and fill its place with a fragment of another.
 *
 * Pure but for the packet's verdict, its anomalies and their counters. Worker thread.
 */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <netinet/in.h>

#include "ips/decode/defrag_parts.h"

enum {
    FRAG_MORE = 0x2000,
    FRAG_OFFSET = 0x1fff,
    IPV6_HDR_LEN = 40,
    FRAG_HDR_LEN = 8,
};

struct digest {
    const struct defrag *d;
    uint64_t v;
};

static void digest_add(struct digest *g, const void *p, size_t len)
{
    g->v = XXH3_64bits_withSecret(p, len, g->d->secret, SECRET_BYTES) ^ (g->v * 0x9e3779b97f4a7c15u);
}

static void digest_link(struct digest *g, const struct packet *p)
{
    uint16_t ids[VLAN_MAX] = {0};

    if (p->flags & PKT_HAS_ETH)
        digest_add(g, p->data, 6);
    packet_vlan_ids(p, ids);
    digest_add(g, ids, sizeof(ids));
}

static uint64_t path_of(const struct defrag *d, const struct packet *p)
{
    struct digest g = {.d = d};

    digest_link(&g, p);
    for (const struct packet *in = p; in->outer; in = in->outer) {
        const struct packet *o = in->outer;

        digest_add(&g, &in->tunnel, sizeof(in->tunnel));
        digest_add(&g, &in->tunnel_id, sizeof(in->tunnel_id));
        digest_add(&g, o->src.b, sizeof(o->src.b));
        digest_add(&g, o->dst.b, sizeof(o->dst.b));
        digest_add(&g, &o->ip_ttl, sizeof(o->ip_ttl));
        digest_link(&g, o);
    }
    return g.v;
}

static uint64_t fate_of(const struct defrag *d, const struct packet *p)
{
    struct digest g = {.d = d};
    uint32_t from = p->l3_off + (p->ip_version == 4 ? 20u : IPV6_HDR_LEN), to = p->payload_off;

    if (p->ip_version == 6) {
        to -= FRAG_HDR_LEN;
        digest_add(&g, &p->ip_proto, sizeof(p->ip_proto));
    }
    digest_add(&g, p->data + from, to - from);
    if (p->outer)
        digest_add(&g, &p->ip_ttl, sizeof(p->ip_ttl));
    return g.v;
}

/* What the IP header promises behind the fragment's place, whether or not a capture holds all of it. */
static uint32_t promised(const struct packet *p)
{
    const uint8_t *ip = p->data + p->l3_off;

    if (p->ip_version == 4)
        return load_be16(ip + 2) - p->ip_hdr_len;
    return (uint32_t)load_be16(ip + 4) + IPV6_HDR_LEN - (p->payload_off - p->l3_off);
}

static bool refuse(struct packet *p, struct counters *c, enum anomaly v4, enum anomaly v6)
{
    counter_anomaly(c, &p->anomalies, p->ip_version == 4 ? v4 : v6);
    packet_drop(p, DROP_DEFRAG_INVALID);
    return false;
}

bool fragment_read(const struct defrag *d, const struct packet *frame, struct packet *p, struct fragment *f,
                   struct counters *c)
{
    bool v4 = p->ip_version == 4;
    uint32_t at = (uint32_t)(p->data - frame->data);

    *f = (struct fragment){
        .off = (uint32_t)(p->ip_frag & FRAG_OFFSET) * 8,
        .len = p->payload_len,
        .l3_at = at + p->l3_off,
        .payload_at = at + p->payload_off,
        .header = (uint32_t)p->payload_off - p->l3_off - (v4 ? 0 : FRAG_HDR_LEN),
        .more = p->ip_frag & FRAG_MORE,
    };
    if (f->len == 0 || (f->more && f->len % 8) || promised(p) != f->len || f->header > HEAD_MAX)
        return refuse(p, c, AN_IPV4_FRAG_IGNORED, f->len % 8 ? AN_IPV6_FRAG_LENGTH : AN_IPV6_FRAG_IGNORED);
    if (f->header + f->off + f->len > DATAGRAM_MAX)
        return refuse(p, c, AN_IPV4_FRAG_TOO_LARGE, AN_IPV6_FRAG_TOO_LARGE);
    f->key.src = p->src;
    f->key.dst = p->dst;
    f->key.path = path_of(d, p);
    f->key.id = v4 ? p->ip_id : load_be32(p->data + p->payload_off - 4);
    f->key.proto = v4 ? p->ip_proto : 0;
    f->key.ip_version = p->ip_version;
    f->key.in_port = frame->in_port;
    f->fate = fate_of(d, p);
    return true;
}

/* Bytes of the L4 header that begins the span, as far as they say; 0: a protocol without a known header. */
static uint32_t l4_header_len(uint8_t proto, struct span l4)
{
    switch (proto) {
    case IPPROTO_TCP:
        return l4.len > 12 && (l4.p[12] >> 4) > 5 ? (l4.p[12] >> 4) * 4u : 20;
    case IPPROTO_UDP:
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
    case IPPROTO_ESP:
        return 8;
    case IPPROTO_SCTP:
    case IPPROTO_DCCP:
        return 12;
    default:
        return 0;
    }
}

static bool is_ext(uint8_t next)
{
    return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS ||
           next == IPPROTO_FRAGMENT || next == IPPROTO_AH || next == 135 || next == 139 || next == 140;
}

bool fragment_is_tiny(const struct packet *p, const struct fragment *f)
{
    struct span rest = span_of(p->data + p->payload_off, p->payload_len);
    uint8_t next = p->ip_proto;

    if (f->off > 0)
        return f->off < l4_header_len(next, span_of(NULL, 0));
    while (p->ip_version == 6 && is_ext(next)) {
        if (rest.len < 8)
            return true;
        uint32_t len = next == IPPROTO_AH         ? (rest.p[1] + 2u) * 4
                       : next == IPPROTO_FRAGMENT ? FRAG_HDR_LEN
                                                  : (rest.p[1] + 1u) * 8;
        if (len > rest.len)
            return true;
        next = rest.p[0];
        rest = span_sub(rest, len, UINT32_MAX);
    }
    return rest.len < l4_header_len(next, rest);
}
