/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The burst loop, the links that frames come from, and the walk inwards: a frame is a packet, which may carry another
 * (a tunnel's), which may carry another.
 *
 * Each of them is decoded on its own by the same functions, with the bytes that the packet around it gives it, and keeps
 * its own addresses, ports, flags and anomalies; they are chained by inner and outer. What is inside is found by
 * tunnel.c and tunnel_udp.c and opened here, in a loop and not by recursion. NEST_MAX bounds it: who goes deeper hides
 * something, so the packet that carries too much is malformed, and decode.malformed says what happens to the frame.
 *
 * A bridge sees Ethernet only; the other link types come from capture files. Every read is from a span whose length
 * was looked at first; nothing here casts wire bytes to a struct. A frame that a capture's snapshot length cut
 * (orig_len > len) is not broken for missing payload, only for headers that are not whole. A live frame is whole by
 * definition, so what its headers promise must be there.
 *
 * Worker thread. Owns nothing: writes the packet's parsed fields, all of them, for every packet, since the packet
 * array is reused, the pool's packets, and the worker's own counters.
 */
#include "ips/decode/layers.h"

enum {
    ETH_HDR_LEN = 14,
    SLL_HDR_LEN = 16,
    SLL2_HDR_LEN = 20,
    NULL_HDR_LEN = 4,
};

/* Everything that decode/, flow/ and detect/ write, so that nothing of the frame before it shows through. */
static void reset(struct packet *p)
{
    enum { FROM = offsetof(struct packet, verdict), MID = offsetof(struct packet, src) };
    _Static_assert(VERDICT_FORWARD == 0 && DROP_NONE == 0 && TUNNEL_NONE == 0, "what zeros mean");

    memset((char *)p + FROM, 0, MID - FROM); /* in two: compilers make a slow loop of the whole */
    memset((char *)p + MID, 0, offsetof(struct packet, umem_addr) - MID);
    if (p->pcap_cnt == 0)
        p->orig_len = p->len;
}

static void decode_ethernet(struct decode *d)
{
    if (d->frame.len < ETH_HDR_LEN) {
        decode_malformed(d, CTR_DECODE_RUNT, AN_ETHERNET_PKT_TOO_SMALL);
        return;
    }
    d->p->flags |= PKT_HAS_ETH;
    counter_add(d->c, CTR_DECODE_ETHERNET, 1);
    decode_link(d, load_be16(d->frame.p + 12), ETH_HDR_LEN);
}

/* An IP header without a link header, told apart by its version. */
static void decode_raw(struct decode *d, uint32_t off, enum anomaly too_small)
{
    if (d->frame.len <= off) {
        decode_malformed(d, CTR_DECODE_RUNT, too_small);
        return;
    }
    uint8_t version = d->frame.p[off] >> 4;
    if (version != 4 && version != 6)
        decode_odd(d, AN_IPRAW_INVALID_IP_VERSION);
    decode_link(d, version == 4 ? ETHERTYPE_IPV4 : version == 6 ? ETHERTYPE_IPV6 : 0, off);
}

/* Linux cooked headers: an ethertype at proto_off, the packet after hdr_len bytes. */
static void decode_cooked(struct decode *d, uint32_t proto_off, uint32_t hdr_len)
{
    if (d->frame.len < hdr_len)
        decode_malformed(d, CTR_DECODE_RUNT, AN_SLL_PKT_TOO_SMALL);
    else
        decode_link(d, load_be16(d->frame.p + proto_off), hdr_len);
}

static void decode_frame(struct decode *d)
{
    switch (d->p->link) {
    case LINK_ETHERNET:
        decode_ethernet(d);
        break;
    case LINK_RAW:
        decode_raw(d, 0, AN_IPV4_PKT_TOO_SMALL);
        break;
    case LINK_NULL: /* the address family's number and byte order are the capturing host's: look at the packet */
        decode_raw(d, NULL_HDR_LEN, AN_LTNULL_PKT_TOO_SMALL);
        break;
    case LINK_SLL:
        decode_cooked(d, 14, SLL_HDR_LEN);
        break;
    case LINK_SLL2:
        decode_cooked(d, 0, SLL2_HDR_LEN);
        break;
    case LINK_PPP:
        decode_link(d, ETHERTYPE_PPP, 0);
        break;
    default:
        counter_add(d->c, CTR_DECODE_NOT_IP, 1);
    }
}

/* A packet for what d->inside describes; false when there is none to be had. */
static bool enter(struct decode *d)
{
    const struct inside in = d->inside;
    struct packet_pool *pool = d->cfg->pool;
    struct packet *outer = d->p, *p;

    d->inside.ethertype = 0;
    if (pool->used == sizeof(pool->v) / sizeof(pool->v[0]))
        return false;
    p = &pool->v[pool->used++];
    d->frame = span_sub(d->frame, in.off, in.len);
    d->wire_len = in.len;
    d->l4_checksum = false;
    d->final_dst = NULL;
    p->data = outer->data + in.off;
    p->len = d->frame.len;
    p->orig_len = in.len;
    p->pcap_cnt = outer->pcap_cnt;
    p->now_ns = outer->now_ns;
    p->ts_ns = outer->ts_ns;
    p->umem_addr = outer->umem_addr + in.off;
    p->in_port = outer->in_port;
    p->link = in.ethertype == ETHERTYPE_TEB ? LINK_ETHERNET : LINK_RAW;
    reset(p);
    p->tunnel = in.tunnel;
    p->tunnel_id = in.id;
    p->outer = outer;
    outer->inner = p;
    d->p = p;
    counter_add(d->c, CTR_DECODE_INNER, 1);
    if (in.ethertype == ETHERTYPE_TEB)
        decode_ethernet(d);
    else
        decode_link(d, in.ethertype, 0);
    return true;
}

static void decode_one(struct packet *p, const struct decode_config *cfg, struct counters *c)
{
    struct decode d = {.p = p, .cfg = cfg, .c = c};

    reset(p);
    d.frame = span_of(p->data, p->len < UINT16_MAX ? p->len : UINT16_MAX);
    d.wire_len = p->orig_len > p->len ? p->orig_len : p->len;
    decode_frame(&d);
    for (unsigned depth = 0; d.inside.ethertype && cfg->pool; depth++) {
        if (depth < NEST_MAX && enter(&d))
            continue;
        d.p->flags &= ~(uint32_t)PKT_HAS_L4;
        decode_malformed(&d, CTR_DECODE_TOO_DEEP, AN_TOO_MANY_LAYERS);
        return;
    }
}

void decode_burst(struct packet *pkts, unsigned n, const struct decode_config *cfg, struct counters *c)
{
    if (n)
        __builtin_prefetch(pkts[0].data);
    for (unsigned i = 0; i < n; i++) {
        if (i + 1 < n) {
            __builtin_prefetch(pkts[i + 1].data);
            __builtin_prefetch(pkts[i + 1].data + 64);
        }
        decode_one(&pkts[i], cfg, c);
    }
}
