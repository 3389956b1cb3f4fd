/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_DECODE_LAYERS_H
#define SLUICE_DECODE_LAYERS_H
/*
 * Between the files of this room only: decode.c calls link.c calls ip.c calls l4.c, each with the bytes that are left.
 * tunnel.c and tunnel_udp.c find what is inside and say so in struct inside; decode.c opens it, and so on inwards.
 */
#include "ips/decode/decode.h"

struct inside {         /* bytes of the packet in hand that are a packet themselves */
    uint16_t ethertype; /* what they begin with; 0: there are none */
    uint8_t tunnel;     /* enum tunnel */
    uint32_t off;       /* from the packet's data */
    uint32_t len;       /* as the headers around it promise; a capture may have cut it */
    uint32_t id;        /* struct packet's tunnel_id */
};

struct decode {
    struct packet *p; /* in hand: the frame's own, then what it carries */
    const struct decode_config *cfg;
    struct counters *c;
    struct span frame; /* what was captured of it, at most 65,535 bytes so that 16-bit offsets hold */
    uint32_t wire_len; /* bytes it had on the wire: more than frame.len when a capture cut it */
    bool l4_checksum;  /* the L4 checksum can be verified: pseudo header known, no fragment */
    const uint8_t
        *final_dst; /* 16 bytes: an IPv6 routing header's last address, while it is not there yet; or NULL */
    struct inside inside;
};

enum {
    ETHERTYPE_IPV4 = 0x0800,
    ETHERTYPE_ARP = 0x0806,
    ETHERTYPE_TEB = 0x6558, /* transparent Ethernet bridging: an Ethernet frame */
    ETHERTYPE_8021Q = 0x8100,
    ETHERTYPE_IPV6 = 0x86dd,
    ETHERTYPE_PPP = 0x880b,
    ETHERTYPE_MPLS = 0x8847,
    ETHERTYPE_MPLS_MULTICAST = 0x8848,
    ETHERTYPE_PPPOE_DISCOVERY = 0x8863,
    ETHERTYPE_PPPOE_SESSION = 0x8864,
    ETHERTYPE_8021AD = 0x88a8,
    ETHERTYPE_ITAG = 0x88e7, /* 802.1ah, provider backbone bridges */
    ETHERTYPE_VNTAG = 0x8926,
    ETHERTYPE_NSH = 0x894f, /* RFC 8300 */
    ETHERTYPE_OLD_QINQ = 0x9100,
    ETHERTYPE_MIN = 0x0600, /* below it the field is an 802.3 length (IEEE 802.3 3.2.6) */
};

/* Something odd that does not break the packet. */
static inline void decode_odd(struct decode *d, enum anomaly what)
{
    counter_anomaly(d->c, &d->p->anomalies, what);
}

/* Marks the packet broken and counts why. */
static inline void decode_malformed(struct decode *d, enum counter_id why, enum anomaly what)
{
    d->p->flags |= PKT_MALFORMED;
    counter_add(d->c, why, 1);
    counter_add(d->c, CTR_DECODE_INVALID, 1);
    decode_odd(d, what);
}

static inline void decode_bad_checksum(struct decode *d, enum counter_id why)
{
    d->p->flags |= PKT_BAD_CHECKSUM;
    counter_add(d->c, why, 1);
    counter_add(d->c, CTR_DECODE_INVALID, 1);
}

/* From what the ethertype names at off to the network layer. */
void decode_link(struct decode *d, uint16_t ethertype, uint32_t off);
/* Whether decode_link() knows what to do with it. */
bool decode_link_knows(uint16_t ethertype);
/* From the IP header at p->l3_off. */
void decode_ipv4(struct decode *d);
void decode_ipv6(struct decode *d);
/* p->ip_proto and p->l4_off are set; len is what the IP header promises from l4_off on, which a cut frame may not
 * hold in full. */
void decode_l4(struct decode *d, uint32_t len);
/* What is neither TCP, UDP, ICMP nor SCTP: IP in IP, GRE and the like; true when it is one of them. */
bool decode_tunnel(struct decode *d, uint32_t len);
/* Behind a UDP header: len is the datagram's, its header included. */
void decode_udp_tunnel(struct decode *d, uint32_t len);
#endif
