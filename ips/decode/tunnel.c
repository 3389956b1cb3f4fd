/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets inside IP: IPv4 and IPv6 in either (RFC 2003, 2473, 4213), MPLS in IP (RFC 4023), Ethernet in IP (RFC 3378),
 * GRE (RFC 2784, 2890, and 1701's source routes; NVGRE, RFC 7637), PPTP's GRE (RFC 2637), and what comes in GRE: IP,
 * Ethernet, PPP, MPLS, service headers, WCCP's redirections, ERSPAN of types I, II and III.
 *
 * These functions find where the inside begins and how long it is, and say so in d->inside; decode.c opens it. What
 * contradicts itself is malformed, since its receiver discards it; bits that a receiver must ignore are odd. GRE's
 * checksum is not verified, as not every receiver does: a wrong one must hide nothing.
 *
 * A packet that is nothing but the outside of another has no payload of its own, so that its bytes are inspected once.
 * Worker thread; see decode.c.
 */
#include <netinet/in.h>

#include "ips/decode/layers.h"

enum {
    GRE_HDR_LEN = 4,
    GRE_CHECKSUM = 0x8000, /* flags of the first 16 bits */
    GRE_ROUTING = 0x4000,
    GRE_KEY = 0x2000,
    GRE_SEQUENCE = 0x1000,
    GRE_STRICT = 0x0800,
    GRE_RECURSION = 0x0700,
    GRE_RESERVED = 0x00f8,
    GRE_V1_ACK = 0x0080,
    GRE_V1_RESERVED = 0x0078,
    GRE_VERSION = 0x0007,
    GRE_WCCP = 0x883e,
    GRE_ERSPAN_12 = 0x88be, /* types I and II */
    GRE_ERSPAN_3 = 0x22eb,
};

static void contains(struct decode *d, enum tunnel kind, uint16_t ethertype, uint32_t off, uint32_t len)
{
    if (!d->cfg->pool)
        return;
    d->inside = (struct inside){.ethertype = ethertype, .tunnel = (uint8_t)kind, .off = off, .len = len};
    d->p->payload_len = 0;
}

static bool broken(struct decode *d, enum anomaly what)
{
    decode_malformed(d, CTR_DECODE_TUNNEL_MALFORMED, what);
    return false;
}

/* --- IP in IP ----------------------------------------------------------------------------------------------------- */

static void open_ip(struct decode *d, uint32_t len, uint16_t ethertype)
{
    struct packet *p = d->p;
    struct span s = span_sub(d->frame, p->l4_off, len);
    bool in6 = p->ip_version == 6, is6 = ethertype == ETHERTYPE_IPV6;
    uint32_t need = is6 ? 40 : 20;

    counter_add(d->c, CTR_DECODE_IPIP, 1);
    if (s.len < need) {
        broken(d, !in6  ? (is6 ? AN_IPV6_PKT_TOO_SMALL : AN_IPV4_PKT_TOO_SMALL)
                  : is6 ? AN_IPV6_IPV6_IN_IPV6_TOO_SMALL
                        : AN_IPV6_IPV4_IN_IPV6_TOO_SMALL);
        return;
    }
    if (s.p[0] >> 4 != (is6 ? 6 : 4)) {
        broken(d, !in6  ? (is6 ? AN_IPV6_WRONG_IP_VERSION : AN_IPV4_WRONG_IP_VERSION)
                  : is6 ? AN_IPV6_IPV6_IN_IPV6_WRONG_VERSION
                        : AN_IPV6_IPV4_IN_IPV6_WRONG_VERSION);
        return;
    }
    contains(d, TUNNEL_IPIP, ethertype, p->l4_off, len);
}

/* Version 3 and twelve zero bits, then a frame. */
static void open_etherip(struct decode *d, uint32_t len)
{
    struct span s = span_sub(d->frame, d->p->l4_off, len);

    if (s.len > 2 && s.p[0] >> 4 == 3)
        contains(d, TUNNEL_ETHERIP, ETHERTYPE_TEB, d->p->l4_off + 2u, len - 2);
}

/* --- GRE ---------------------------------------------------------------------------------------------------------- */

struct gre {
    struct span s; /* captured bytes of the GRE packet */
    uint16_t flags, protocol;
    uint32_t at, end; /* from s.p: the payload; end is what the headers promise */
    uint32_t key;     /* 0: none */
};

/* The optional words that the flags promise, those of `which`; false when they run out. */
static bool gre_words(struct gre *g, uint16_t which)
{
    g->at = GRE_HDR_LEN;
    for (uint16_t bit = 0x8000; bit; bit >>= 1) {
        if (!(g->flags & bit & which))
            continue;
        if (g->at + 4 > g->s.len)
            return false;
        if (bit == GRE_KEY)
            g->key = load_be32(g->s.p + g->at);
        g->at += 4;
    }
    return true;
}

/* RFC 1701's list of source routes, closed by an empty one. */
static bool gre_routes(struct gre *g)
{
    for (;;) {
        if (g->at + 4 > g->s.len)
            return false;
        uint16_t family = load_be16(g->s.p + g->at);
        uint8_t len = g->s.p[g->at + 3];

        g->at += 4u + len;
        if (g->at > g->s.len)
            return false;
        if (family == 0 && len == 0)
            return true;
    }
}

static bool gre_v0(struct decode *d, struct gre *g)
{
    /* the checksum's word is there for routing too */
    uint16_t words = g->flags & (GRE_KEY | GRE_SEQUENCE);

    if (g->flags & GRE_RECURSION)
        decode_odd(d, AN_GRE_VERSION0_RECUR);
    if (g->flags & GRE_RESERVED)
        decode_odd(d, AN_GRE_VERSION0_FLAGS);
    if (g->flags & (GRE_CHECKSUM | GRE_ROUTING))
        words |= GRE_CHECKSUM;
    g->flags |= words & GRE_CHECKSUM;
    if (!gre_words(g, words))
        return broken(d, AN_GRE_VERSION0_HDR_TOO_BIG);
    if ((g->flags & GRE_ROUTING) && !gre_routes(g))
        return broken(d, AN_GRE_VERSION0_MALFORMED_SRE_HDR);
    return true;
}

/* RFC 2637 4.1: the key is the payload's length and the call; without a sequence number there is no payload. */
static bool gre_v1(struct decode *d, struct gre *g)
{
    bool whole = gre_words(g, GRE_KEY | GRE_SEQUENCE | GRE_V1_ACK);
    const struct {
        bool wrong;
        enum anomaly what;
    } faults[] = {
        {g->flags & GRE_CHECKSUM, AN_GRE_VERSION1_CHKSUM},
        {g->flags & GRE_ROUTING, AN_GRE_VERSION1_ROUTE},
        {g->flags & GRE_STRICT, AN_GRE_VERSION1_SSR},
        {g->flags & GRE_RECURSION, AN_GRE_VERSION1_RECUR},
        {g->flags & GRE_V1_RESERVED, AN_GRE_VERSION1_FLAGS},
        {!(g->flags & GRE_KEY), AN_GRE_VERSION1_NO_KEY},
        {g->protocol != ETHERTYPE_PPP, AN_GRE_VERSION1_WRONG_PROTOCOL},
        {!whole, AN_GRE_VERSION1_HDR_TOO_BIG},
        {g->at + (g->key >> 16) > g->end, AN_GRE_VERSION1_HDR_TOO_BIG},
    };

    for (unsigned i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        if (faults[i].wrong)
            return broken(d, faults[i].what);
    g->end = g->flags & GRE_SEQUENCE ? g->at + (g->key >> 16) : g->at;
    return true;
}

/* Skips the ERSPAN header, if there is one; false when it is broken. Type I has neither header nor sequence number. */
static bool gre_erspan(struct decode *d, struct gre *g)
{
    bool third = g->protocol == GRE_ERSPAN_3;
    uint32_t len = third ? 12 : 8;

    counter_add(d->c, CTR_DECODE_ERSPAN, 1);
    if (!third && !(g->flags & GRE_SEQUENCE))
        return true;
    if (g->s.len - g->at < len)
        return broken(d, AN_ERSPAN_HEADER_TOO_SMALL);
    if (g->s.p[g->at] >> 4 != (third ? 2 : 1))
        return broken(d, AN_ERSPAN_UNSUPPORTED_VERSION);
    if (third && (g->s.p[g->at + 11] & 1)) /* a platform's own words */
        len += 8;
    if (g->s.len - g->at < len)
        return broken(d, AN_ERSPAN_HEADER_TOO_SMALL);
    g->at += len;
    return true;
}

/* What the payload begins with; 0: nothing that is opened. */
static uint16_t gre_payload(struct decode *d, struct gre *g, enum tunnel *kind)
{
    *kind = TUNNEL_GRE;
    switch (g->protocol) {
    case GRE_ERSPAN_12:
    case GRE_ERSPAN_3:
        *kind = TUNNEL_ERSPAN;
        return gre_erspan(d, g) ? ETHERTYPE_TEB : 0;
    case GRE_WCCP: /* version 2 has a header of its own in front of the packet */
        if (g->s.len - g->at >= 4 && g->s.p[g->at] >> 4 != 4)
            g->at += 4;
        return ETHERTYPE_IPV4;
    default:
        return decode_link_knows(g->protocol) ? g->protocol : 0;
    }
}

static void open_gre(struct decode *d, uint32_t len)
{
    struct packet *p = d->p;
    struct gre g = {.s = span_sub(d->frame, p->l4_off, len), .end = len};
    enum tunnel kind;

    counter_add(d->c, CTR_DECODE_GRE, 1);
    if (g.s.len < GRE_HDR_LEN) {
        broken(d, AN_GRE_PKT_TOO_SMALL);
        return;
    }
    g.flags = load_be16(g.s.p);
    g.protocol = load_be16(g.s.p + 2);
    if ((g.flags & GRE_VERSION) > 1) {
        broken(d, AN_GRE_WRONG_VERSION);
        return;
    }
    if (!((g.flags & GRE_VERSION) ? gre_v1(d, &g) : gre_v0(d, &g)))
        return;
    uint16_t ethertype = gre_payload(d, &g, &kind);
    if (ethertype == 0 || g.at >= g.end)
        return; /* broken, unknown, a keep-alive or an acknowledgment */
    contains(d, kind, ethertype, p->l4_off + g.at, g.end - g.at);
    if (kind == TUNNEL_GRE && g.protocol == ETHERTYPE_TEB)
        d->inside.id = g.key >> 8; /* NVGRE: the rest is the flow's */
}

bool decode_tunnel(struct decode *d, uint32_t len)
{
    switch (d->p->ip_proto) {
    case IPPROTO_IPIP:
        open_ip(d, len, ETHERTYPE_IPV4);
        return true;
    case IPPROTO_IPV6:
        open_ip(d, len, ETHERTYPE_IPV6);
        return true;
    case IPPROTO_GRE:
        open_gre(d, len);
        return true;
    case 97: /* ETHERIP */
        open_etherip(d, len);
        return true;
    case 137: /* MPLS-in-IP */
        contains(d, TUNNEL_IPMPLS, ETHERTYPE_MPLS, d->p->l4_off, len);
        return true;
    default:
        return false;
    }
}
