/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_STREAM_NORMALISE_H
#define SLUICE_STREAM_NORMALISE_H
/*
 * What receivers read in different ways is made unambiguous before it is inspected, so that what leaves is what was
 * inspected. In-line only; each item can be on or off (normalise.* in ips.yaml(5)) and counts the packets it changed.
 */
#include <stdbool.h>
#include <stdint.h>
#include "ips/base/counters.h"
#include "ips/io/packet.h"

struct normalise_config {
    uint8_t ttl_floor; /* lower TTLs and hop limits are raised to it; 0: off */
    bool urgent;       /* no urgent data: the byte stays where it is in the stream */
    bool tcp_reserved; /* reserved bits of the TCP header become 0 */
    bool tcp_options;  /* options of unknown kinds become NOPs */
    bool ecn;          /* no ECN: neither marks nor its negotiation */
    bool padding;      /* bytes behind the IP packet become 0 */
};

/* Changes the packet's bytes and keeps its checksums right; sets PKT_REWRITTEN. May set verdict and drop_reason. A packet
 * that is malformed or that its receiver will not take for its checksum is left alone. */
void normalise_packet(const struct normalise_config *cfg, struct packet *p, struct counters *c);
/* Cuts a TCP segment's payload to its first len bytes; a FIN behind it goes, too. False when that cannot be done here
 * (a packet in another, a reassembled one). Counts CTR_NORM_WINDOW. */
bool normalise_trim(struct packet *p, uint16_t len, struct counters *c);
#endif
