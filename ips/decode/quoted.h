/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_DECODE_QUOTED_H
#define SLUICE_DECODE_QUOTED_H
/*
 * The beginning of the packet that an ICMP error complains about (RFC 792: the IP header and 8 bytes; RFC 4443 2.4: as
 * much as fits). Who sends the error chooses every byte of it.
 */
#include <stdbool.h>
#include "ips/io/packet.h"

struct quoted {
    struct addr src, dst;
    uint16_t sport, dport; /* TCP, UDP, SCTP */
    uint16_t icmp_id;      /* of a quoted query */
    uint8_t icmp_type;
    uint8_t ip_proto;
};

/* False when p is no ICMP error, or quotes nothing that names a flow. Worker. */
bool decode_quoted(const struct packet *p, struct quoted *q);
#endif
