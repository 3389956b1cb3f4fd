/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the frame's first byte to the network layer: link headers, VLAN tags, and the burst loop around them.
 *
 * A bridge sees Ethernet only; the other link types come from capture files. Up to three VLAN tags (802.1Q, 802.1ad,
 * and the older 0x9100) are taken off; a fourth tag, an 802.3 length field and every other ethertype end the walk:
 * such frames are "not IP" and what happens to them is the operator's decode.not_ip.
 *
 * Every read is from a span whose length was looked at first; nothing here casts wire bytes to a struct. A frame
 * that a capture's snapshot length cut (orig_len > len) is not broken for missing payload, only for headers that
 * are not whole. A live frame is whole by definition, so what its headers promise must be there.
 *
 * Worker thread. Owns nothing: writes the packet's parsed fields, all of them, for every packet, since the packet
 * array is reused, and the worker's own counters.
 */
#include "ips/decode/layers.h"

enum {
    TPID_8021Q = 0x8100,
    TPID_8021AD = 0x88a8,
    TPID_OLD_QINQ = 0x9100,
    ETHERTYPE_MIN = 0x0600, /* below it the field is an 802.3 length (IEEE 802.3 3.2.6) */
    ETH_HDR_LEN = 14,
    VLAN_TAG_LEN = 4,
    SLL_HDR_LEN = 16,
    SLL2_HDR_LEN = 20,
    NULL_HDR_LEN = 4,
};

/* Everything that decode/, flow/ and detect/ write, so that nothing of the frame before it shows through. */
static void reset(struct packet *p)
{
    p->flags = 0;
    p->verdict = VERDICT_FORWARD;
    p->drop_reason = DROP_NONE;
    p->ip_version = p->ip_proto = p->tcp_flags = 0;
    p->l3_off = p->l4_off = p->payload_off = p->payload_len = 0;
    p->sport = p->dport = 0;
    p->hash = 0;
    p->flow = NULL;
    p->src = p->dst = (struct addr){{0}};
    p->tcp_seq = p->tcp_ack = 0;
    p->ethertype = 0;
    p->n_vlans = 0;
    memset(p->vlan, 0, sizeof(p->vlan));
    p->tcp_window = p->tcp_urgent = 0;
    p->ip_id = p->ip_frag = 0;
    p->ip_ttl = p->ip_tos = p->ip_hdr_len = 0;
    p->icmp_type = p->icmp_code = 0;
    p->icmp_id = p->icmp_seq = 0;
    if (p->pcap_cnt == 0)
        p->orig_len = p->len;
}

static bool is_vlan_tag(uint16_t ethertype)
{
    return ethertype == TPID_8021Q || ethertype == TPID_8021AD || ethertype == TPID_OLD_QINQ;
}

/* off: where the bytes after the ethertype begin. */
static void decode_ethertype(struct decode *d, uint16_t ethertype, uint32_t off)
{
    struct packet *p = d->p;

    while (is_vlan_tag(ethertype) && p->n_vlans < VLAN_MAX) {
        if (d->frame.len < off + VLAN_TAG_LEN) {
            decode_malformed(d, CTR_DECODE_VLAN_TRUNCATED);
            return;
        }
        p->vlan[p->n_vlans++] = load_be16(d->frame.p + off);
        ethertype = load_be16(d->frame.p + off + 2);
        off += VLAN_TAG_LEN;
    }
    if (p->n_vlans)
        counter_add(d->c, CTR_DECODE_VLAN, 1);
    if (p->n_vlans == 2)
        counter_add(d->c, CTR_DECODE_QINQ, 1);

    p->ethertype = ethertype >= ETHERTYPE_MIN ? ethertype : 0;
    p->l3_off = (uint16_t)off;
    if (ethertype == ETHERTYPE_IPV4)
        decode_ipv4(d);
    else if (ethertype == ETHERTYPE_IPV6)
        decode_ipv6(d);
    else if (ethertype == ETHERTYPE_ARP)
        counter_add(d->c, CTR_DECODE_ARP, 1);
    else
        counter_add(d->c, CTR_DECODE_NOT_IP, 1);
}

static void decode_ethernet(struct decode *d)
{
    if (d->frame.len < ETH_HDR_LEN) {
        decode_malformed(d, CTR_DECODE_RUNT);
        return;
    }
    d->p->flags |= PKT_HAS_ETH;
    counter_add(d->c, CTR_DECODE_ETHERNET, 1);
    decode_ethertype(d, load_be16(d->frame.p + 12), ETH_HDR_LEN);
}

/* An IP header without a link header, told apart by its version. */
static void decode_raw(struct decode *d, uint32_t off)
{
    if (d->frame.len <= off) {
        decode_malformed(d, CTR_DECODE_RUNT);
        return;
    }
    uint8_t version = d->frame.p[off] >> 4;
    decode_ethertype(d, version == 4 ? ETHERTYPE_IPV4 : version == 6 ? ETHERTYPE_IPV6 : 0, off);
}

/* Linux cooked headers: an ethertype at proto_off, the packet after hdr_len bytes. */
static void decode_cooked(struct decode *d, uint32_t proto_off, uint32_t hdr_len)
{
    if (d->frame.len < hdr_len)
        decode_malformed(d, CTR_DECODE_RUNT);
    else
        decode_ethertype(d, load_be16(d->frame.p + proto_off), hdr_len);
}

static void decode_one(struct packet *p, const struct decode_config *cfg, struct counters *c)
{
    struct decode d = {.p = p, .cfg = cfg, .c = c};

    reset(p);
    d.frame = span_of(p->data, p->len < UINT16_MAX ? p->len : UINT16_MAX);
    d.wire_len = p->orig_len > p->len ? p->orig_len : p->len;
    switch (p->link) {
    case LINK_ETHERNET:
        decode_ethernet(&d);
        break;
    case LINK_RAW:
        decode_raw(&d, 0);
        break;
    case LINK_NULL: /* the address family's number and byte order are the capturing host's: look at the packet */
        decode_raw(&d, NULL_HDR_LEN);
        break;
    case LINK_SLL:
        decode_cooked(&d, 14, SLL_HDR_LEN);
        break;
    case LINK_SLL2:
        decode_cooked(&d, 0, SLL2_HDR_LEN);
        break;
    default:
        counter_add(c, CTR_DECODE_NOT_IP, 1);
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
