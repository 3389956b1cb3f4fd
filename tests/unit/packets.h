/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_TESTS_PACKETS_H
#define SLUICE_TESTS_PACKETS_H
/*
 * Packets for tests, built from a description: what is not said has a sensible value, lengths and checksums are
 * right. A test that wants a broken packet builds a right one and breaks it.
 */
#include <netinet/in.h>
#include <string.h>

#include "ips/decode/decode.h"
#include "ips/flow/flow.h"

struct pkt {
    uint16_t tpid[4], tci[4]; /* VLAN tags, outermost first */
    unsigned n_vlans;
    bool v6, raw;          /* raw: no Ethernet header */
    uint8_t src, dst;      /* last byte of 10.0.0.x or 2001:db8::x; 0: 1 and 2 */
    uint8_t proto;         /* 0: TCP */
    uint16_t sport, dport; /* 0: 40000 and 80 */
    uint8_t tcp_flags;
    uint16_t window; /* 0: 1000 */
    uint32_t seq, ack;
    uint8_t icmp_type, icmp_code;
    uint16_t icmp_id;
    const void *payload;
    uint32_t payload_len;   /* 0 with a payload: strlen */
    uint16_t frag;          /* IPv4 flags and offset */
    const uint8_t *options; /* IPv4, a multiple of 4; IPv6: extension headers, the first of type ext_next */
    uint32_t options_len;
    uint8_t ext_next;
};

struct frame {
    uint8_t b[4096];
    uint32_t len, l3, l4;
};

static inline void frame_put(struct frame *f, const void *p, uint32_t len)
{
    if (len)
        memcpy(f->b + f->len, p, len);
    f->len += len;
}

static inline void frame_put16(struct frame *f, uint16_t v)
{
    store_be16(f->b + f->len, v);
    f->len += 2;
}

static inline struct addr pkt_addr(bool v6, uint8_t host)
{
    struct addr a = {{[10] = 0xff, 0xff, 10, 0, 0, host}};

    if (v6)
        a = (struct addr){{0x20, 0x01, 0x0d, 0xb8, [15] = host}};
    return a;
}

static inline void frame_put_l4(struct frame *f, const struct pkt *k, uint8_t proto, uint32_t payload_len)
{
    uint8_t h[20] = {0};
    uint32_t n = 8;

    store_be16(h, k->sport ? k->sport : 40000);
    store_be16(h + 2, k->dport ? k->dport : 80);
    if (proto == IPPROTO_TCP) {
        store_be32(h + 4, k->seq);
        store_be32(h + 8, k->ack);
        h[12] = 5 << 4;
        h[13] = k->tcp_flags;
        store_be16(h + 14, k->window ? k->window : 1000);
        n = 20;
    } else if (proto == IPPROTO_UDP) {
        store_be16(h + 4, (uint16_t)(8 + payload_len));
    } else if (proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6) {
        h[0] = k->icmp_type;
        h[1] = k->icmp_code;
        h[2] = h[3] = 0;
        store_be16(h + 4, k->icmp_id);
        store_be16(h + 6, 1);
    } else if (proto == IPPROTO_SCTP) {
        n = 12;
    } else {
        n = 0;
    }
    frame_put(f, h, n);
}

/* Puts the L4 checksum of a whole packet right; also after a test changed bytes. */
static inline void frame_l4_checksum(struct frame *f, const struct pkt *k, uint8_t proto)
{
    struct addr s = pkt_addr(k->v6, k->src ? k->src : 1), d = pkt_addr(k->v6, k->dst ? k->dst : 2);
    uint32_t at = proto == IPPROTO_TCP ? 16 : proto == IPPROTO_UDP ? 6 : 2, len = f->len - f->l4;

    if (proto != IPPROTO_TCP && proto != IPPROTO_UDP && proto != IPPROTO_ICMP && proto != IPPROTO_ICMPV6)
        return;
    store_be16(f->b + f->l4 + at, 0);
    uint32_t sum = proto == IPPROTO_ICMP ? 0 : checksum_pseudo(&s, &d, k->v6 ? 6 : 4, proto, len);
    uint16_t v = checksum_finish(checksum_add(sum, f->b + f->l4, len));
    store_be16(f->b + f->l4 + at, v ? v : 0xffff);
}

static inline void frame_ip_checksum(struct frame *f)
{
    store_be16(f->b + f->l3 + 10, 0);
    store_be16(f->b + f->l3 + 10, checksum_finish(checksum_add(0, f->b + f->l3, (f->b[f->l3] & 15) * 4u)));
}

static inline void frame_put_ip(struct frame *f, const struct pkt *k, uint8_t proto, uint32_t l4_len)
{
    struct addr s = pkt_addr(k->v6, k->src ? k->src : 1), d = pkt_addr(k->v6, k->dst ? k->dst : 2);
    uint8_t h[40] = {0};

    f->l3 = f->len;
    if (k->v6) {
        h[0] = 0x60;
        store_be16(h + 4, (uint16_t)(k->options_len + l4_len));
        h[6] = k->options_len ? k->ext_next : proto;
        h[7] = 61;
        memcpy(h + 8, s.b, 16);
        memcpy(h + 24, d.b, 16);
        frame_put(f, h, 40);
    } else {
        h[0] = (uint8_t)(0x40 | (20 + k->options_len) / 4);
        store_be16(h + 2, (uint16_t)(20 + k->options_len + l4_len));
        store_be16(h + 4, 0x1234);
        store_be16(h + 6, k->frag);
        h[8] = 61;
        h[9] = proto;
        memcpy(h + 12, s.b + 12, 4);
        memcpy(h + 16, d.b + 12, 4);
        frame_put(f, h, 20);
    }
    frame_put(f, k->options, k->options_len);
    if (!k->v6)
        frame_ip_checksum(f);
    f->l4 = f->len;
}

static inline void frame_build(struct frame *f, const struct pkt *k)
{
    static const uint8_t macs[12] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1};
    uint8_t proto = k->proto ? k->proto : IPPROTO_TCP;
    uint32_t n = k->payload_len ? k->payload_len : k->payload ? (uint32_t)strlen(k->payload) : 0;
    uint32_t l4_hdr = proto == IPPROTO_TCP                                                       ? 20
                      : proto == IPPROTO_UDP || proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6 ? 8
                      : proto == IPPROTO_SCTP                                                    ? 12
                                                                                                 : 0;

    memset(f, 0, sizeof(*f));
    if (!k->raw) {
        frame_put(f, macs, 12);
        for (unsigned i = 0; i < k->n_vlans; i++) {
            frame_put16(f, k->tpid[i] ? k->tpid[i] : 0x8100);
            frame_put16(f, k->tci[i]);
        }
        frame_put16(f, k->v6 ? 0x86dd : 0x0800);
    }
    frame_put_ip(f, k, proto, l4_hdr + n);
    frame_put_l4(f, k, proto, n);
    if (n)
        frame_put(f, k->payload, n);
    frame_l4_checksum(f, k, proto);
}

/* A received packet over the frame, not yet decoded. */
static inline struct packet frame_packet(struct frame *f, enum link_type link)
{
    return (struct packet){.data = f->b, .len = f->len, .orig_len = f->len, .link = (uint8_t)link};
}

/* Built, received at now_ns, decoded with checksums on. f must outlive the packet. */
static inline struct packet pkt_decoded(struct frame *f, const struct pkt *k, uint64_t now_ns)
{
    static struct counters scratch;
    const struct decode_config cfg = {.verify_checksums = true};

    frame_build(f, k);
    struct packet p = frame_packet(f, k->raw ? LINK_RAW : LINK_ETHERNET);
    p.now_ns = p.ts_ns = now_ns;
    p.in_port = k->src == 2; /* host 2 lives on the other side of the bridge */
    decode_burst(&p, 1, &cfg, &scratch);
    return p;
}

/* Packets find their flows as in the worker's burst, with nothing between lookup and account. */
static inline void flow_track(struct flow_table *t, struct packet *pkts, unsigned n, struct counters *c)
{
    flow_prefetch_burst(t, pkts, n);
    for (unsigned i = 0; i < n; i++) {
        flow_lookup(t, &pkts[i], c);
        flow_account(t, &pkts[i]);
    }
}
#endif
