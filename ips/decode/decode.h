/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_DECODE_DECODE_H
#define SLUICE_DECODE_DECODE_H
/*
 * From the frame's first byte to the innermost L4 payload. Fills the parsed part of the packet and of those it carries
 * (p->inner), and counts what it saw. Never fails: what is not IP keeps PKT_HAS_IP clear, what is broken gets
 * PKT_MALFORMED, what the receiver would discard for its checksum gets PKT_BAD_CHECKSUM. Worker thread; touches nothing
 * but the packets, the pool and the counters.
 */
#include "ips/base/counters.h"
#include "ips/io/packet.h"

#define DECODE_PORTS_MAX 16

/* Packets for what is inside others: a worker's, empty again at the start of each of its bursts. */
struct packet_pool {
    uint32_t used;
    struct packet v[2 * BURST_MAX * NEST_MAX]; /* frames of a burst, and datagrams reassembled in it */
};

/* UDP ports behind which a tunnel is looked for. */
struct decode_port {
    uint16_t port;
    uint8_t tunnel; /* enum tunnel: VXLAN, GENEVE by destination; TEREDO by either end */
};

/* The ports that IANA has assigned, and 8472, which Linux used for VXLAN before that. */
#define DECODE_PORTS_DEFAULT                                               \
    {                                                                      \
        {4789, TUNNEL_VXLAN}, {8472, TUNNEL_VXLAN}, {6081, TUNNEL_GENEVE}, \
        {                                                                  \
            3544, TUNNEL_TEREDO                                            \
        }                                                                  \
    }

struct decode_config {
    bool verify_checksums;
    bool any_udp_checksum; /* but not of UDP: what was recorded on its sender has none yet */
    unsigned n_ports;
    struct decode_port ports[DECODE_PORTS_MAX];
    struct packet_pool *pool; /* NULL: tunnels stay closed */
};

/* p->data, len, link are set. Bursts of n; prefetches the next frame's headers while decoding one. */
void decode_burst(struct packet *pkts, unsigned n, const struct decode_config *cfg, struct counters *c);
/* Whether datagrams between these ports may carry packets. */
bool decode_is_tunnel(const struct decode_config *cfg, uint16_t sport, uint16_t dport);
/* The Internet checksum (RFC 1071) over len bytes at p, folded into the running sum; complement at the end. */
uint32_t checksum_add(uint32_t sum, const void *p, uint32_t len);
uint16_t checksum_finish(uint32_t sum);
/* Sum of the TCP/UDP/ICMPv6 pseudo header (RFC 9293 3.1, RFC 8200 8.1) for addresses as packets keep them. */
uint32_t checksum_pseudo(const struct addr *src, const struct addr *dst, uint8_t ip_version, uint8_t proto,
                         uint32_t l4_len);
#endif
