/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_IO_PACKET_H
#define SLUICE_IO_PACKET_H
/*
 * A packet is the parsed view of one frame. Workers keep an array of BURST_MAX of them and reuse it for every
 * burst; nothing may keep a pointer to a packet or to its bytes when the burst has ended.
 *
 * io/ fills the frame part, decode/ the parsed part, flow/ the flow, detect/ the verdict. Integers are in host
 * order unless the name ends in _be; addresses are always 16 bytes (IPv4 as ::ffff:a.b.c.d), network order.
 *
 * A packet inside another (a tunnel's) is a packet of its own, from a pool of the worker's: `data` and `len` are its
 * bytes within the frame, offsets count from there. Only the outermost stands for the frame: what becomes of it is that
 * packet's verdict.
 */
#include <stdbool.h>
#include <stdint.h>
#include "ips/base/anomaly.h"
#include "ips/base/counters.h"
#include "ips/base/span.h"

#define BURST_MAX   64
#define FRAME_BYTES 4096 /* a UMEM chunk; smaller ones make igb cut frames in two */
#define VLAN_MAX    3
#define NEST_MAX    4 /* packets inside packets that are opened: tunnels in tunnels */

enum verdict {
    VERDICT_FORWARD,
    VERDICT_DROP,
    VERDICT_HOLD, /* a fragment: decode/ keeps the frame until its datagram was judged */
};

enum link_type { /* what the frame starts with; always LINK_ETHERNET on a bridge */
                 LINK_ETHERNET,
                 LINK_RAW,   /* an IPv4 or IPv6 header (DLT_RAW, LINKTYPE_IPV4, LINKTYPE_IPV6) */
                 LINK_SLL,   /* Linux cooked v1, 16 bytes */
                 LINK_SLL2,  /* Linux cooked v2, 20 bytes */
                 LINK_NULL,  /* BSD loopback, 4 bytes of address family in the capturing host's order */
                 LINK_PPP,   /* PPP, with or without address and control (DLT_PPP) */
                 LINK_OTHER, /* not decoded: counted as not IP */
};

struct addr {
    _Alignas(8) uint8_t b[16];
};

enum packet_flag {
    PKT_HAS_IP = 1 << 0,      /* ip_version is 4 or 6 and the addresses hold */
    PKT_HAS_L4 = 1 << 1,      /* ports or ICMP fields hold, payload is what follows the L4 header */
    PKT_FRAGMENT = 1 << 2,    /* part of a datagram: no L4 fields, payload is what follows the IP header(s) */
    PKT_TO_CLIENT = 1 << 3,   /* set by flow/: towards the flow's opener; clear = to_server */
    PKT_ESTABLISHED = 1 << 4, /* set by flow/: TCP: handshake done before this packet, or it carries data
                                 that may be delivered all the same; else: both sides seen, this packet included */
    PKT_FLOW_NEW = 1 << 5,    /* set by flow/: this packet created the flow */
    PKT_BAD_CHECKSUM = 1 << 6, /* the receiver will discard it: forwarded, never inspected nor tracked */
    PKT_MALFORMED = 1 << 7,    /* broken IP, TCP, UDP or ICMP; decode.malformed says what happens */
    PKT_HAS_ETH = 1 << 8,      /* the frame starts with an Ethernet header */
    PKT_INJECTED = 1 << 9,     /* made by the engine, not received */
    PKT_REASSEMBLED = 1 << 10, /* a datagram that decode/ put together; its frames share its verdict */
    PKT_IGNORED = 1 << 11, /* set by stream/: the receiver will discard it; changes no state, is no stream */
    PKT_STREAM = 1 << 12,  /* set by stream/: the payload belongs to a stream, as new, early or old bytes */
    PKT_QUOTES = 1 << 15,  /* set by flow/: an ICMP error about the packet's flow, no packet of it */
    PKT_UNINSPECTED = 1 << 14, /* set by an exception policy: it passes as it is */
    PKT_REWRITTEN = 1 << 13, /* bytes were changed: a retransmission that differed, replace, the normaliser */
};

struct flow;
struct stream_view;

enum tunnel { /* how a packet lies in the one around it */
              TUNNEL_NONE,
              TUNNEL_IPIP,    /* IPv4 or IPv6 in IPv4 or IPv6: 6in4 and its kin */
              TUNNEL_IPMPLS,  /* MPLS in IP (RFC 4023) */
              TUNNEL_ETHERIP, /* Ethernet in IP (RFC 3378) */
              TUNNEL_GRE,
              TUNNEL_ERSPAN,
              TUNNEL_VXLAN,
              TUNNEL_GENEVE,
              TUNNEL_TEREDO,
              TUNNEL_N,
};

struct packet {
    /* hot: the frame */
    uint8_t *data;   /* first byte of the frame */
    uint64_t now_ns; /* the burst's monotonic clock; the capture's time in capture mode */
    uint32_t len;    /* bytes of the frame */
    uint8_t in_port; /* 0 or 1; leaves through 1 - in_port */
    uint8_t link;    /* enum link_type */
    bool handed; /* set by io/: a fragment that another worker inspected and put together with the others */
    /* hot: what was made of it. Decode begins with zeros from here to umem_addr */
    uint8_t verdict;       /* enum verdict */
    uint32_t flags;        /* enum packet_flag */
    uint8_t drop_reason;   /* enum drop_reason, when verdict is VERDICT_DROP */
    uint8_t ip_version;    /* 4, 6, or 0 */
    uint8_t ip_proto;      /* the L4 protocol, after IPv6 extension headers */
    uint8_t tcp_flags;     /* byte 13 of the TCP header */
    uint16_t l3_off;       /* of the IP header, from data */
    uint16_t l4_off;       /* of the L4 header */
    uint16_t payload_off;  /* of the L4 payload (or of the IP payload where there is no L4) */
    uint16_t payload_len;  /* by the IP and UDP lengths, so Ethernet padding is not part of it */
    uint16_t sport, dport; /* TCP and UDP; 0 otherwise */
    uint32_t hash;         /* of the flow key, the same for both directions */
    uint32_t tcp_seq, tcp_ack;
    uint16_t tcp_window, tcp_urgent;
    uint8_t tunnel; /* enum tunnel: how it lies in `outer` */
    uint8_t n_vlans;
    uint8_t ip_hdr_len; /* IPv4: bytes with options; IPv6: 40 */
    uint8_t ip_ttl;
    struct flow *flow;              /* NULL when not tracked */
    const struct stream_view *view; /* set by stream/: what it adds to its stream; NULL when nothing */
    struct packet *inner; /* set by decode/: the packet that this one carries; NULL when it is no tunnel */
    const struct packet *outer; /* the one that carries this; NULL for a frame's own */
    struct addr src, dst;
    struct anomalies
        anomalies; /* what is odd about it: events that decode-event and stream-event rules ask for */
    /* cold */
    uint32_t
        tunnel_id; /* what keeps tenants apart: VXLAN's and Geneve's VNI, NVGRE's VSID, an I-SID; 0: none */
    uint16_t ethertype;      /* of the innermost tag */
    uint16_t vlan[VLAN_MAX]; /* tag control words, outermost first */
    uint16_t ip_id;          /* IPv4 only */
    uint16_t ip_frag; /* IPv4 flags and fragment offset as in the header, host order; IPv6 in the same form */
    uint16_t icmp_id, icmp_seq; /* echo and friends */
    uint8_t icmp_type, icmp_code;
    uint8_t ip_tos;
    /* the frame again */
    uint64_t umem_addr; /* of data in the UMEM, as AF_XDP descriptors give it */
    uint64_t ts_ns;     /* real time for events */
    uint64_t pcap_cnt;  /* frame number from 1 in capture mode, else 0 */
    uint32_t orig_len;  /* capture mode: length on the wire; else len */
};

/* The last of the chain: the packet that decides whose the frame is. */
static inline struct packet *packet_innermost(struct packet *p)
{
    while (p->inner)
        p = p->inner;
    return p;
}

/* Another place in the burst's array for a frame's own packet; what it carries knows of it. */
static inline void packet_move(struct packet *to, const struct packet *from)
{
    *to = *from;
    if (to->inner)
        to->inner->outer = to;
}

/* The VLANs that the frame is in, outermost first. A priority tag (802.1Q: id 0) names none. Returns how many. */
static inline unsigned packet_vlan_ids(const struct packet *p, uint16_t ids[VLAN_MAX])
{
    unsigned n = 0;

    for (unsigned i = 0; i < p->n_vlans; i++)
        if (p->vlan[i] & 0xfff)
            ids[n++] = p->vlan[i] & 0xfff;
    return n;
}

static inline struct span packet_payload(const struct packet *p)
{
    return span_of(p->data + p->payload_off, p->payload_len);
}

/* The packet does not leave. Counting is for who frees its frame. */
static inline void packet_drop(struct packet *p, enum drop_reason why)
{
    p->verdict = VERDICT_DROP;
    p->drop_reason = (uint8_t)why;
}

/* Four bytes of an IPv4 header, as packets keep addresses. */
static inline void addr_set_ipv4(struct addr *a, const uint8_t *ipv4)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    memcpy(a->b, mapped, sizeof(mapped));
    memcpy(a->b + 12, ipv4, 4);
}
#endif
