/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_DECODE_LAYERS_H
#define SLUICE_DECODE_LAYERS_H
/*
 * Between the files of this room only: link.c calls ip.c calls l4.c, each with the bytes that are left.
 */
#include "ips/decode/decode.h"

struct decode {
    struct packet *p;
    const struct decode_config *cfg;
    struct counters *c;
    struct span frame; /* what was captured, at most 65,535 bytes so that 16-bit offsets hold */
    uint32_t wire_len; /* bytes the frame had on the wire: more than frame.len when a capture cut it */
    bool l4_checksum;  /* the L4 checksum can be verified: pseudo header known, no fragment */
};

enum {
    ETHERTYPE_IPV4 = 0x0800,
    ETHERTYPE_ARP = 0x0806,
    ETHERTYPE_IPV6 = 0x86dd,
};

/* Marks the packet broken and counts why. */
static inline void decode_malformed(struct decode *d, enum counter_id why)
{
    d->p->flags |= PKT_MALFORMED;
    counter_add(d->c, why, 1);
    counter_add(d->c, CTR_DECODE_INVALID, 1);
}

static inline void decode_bad_checksum(struct decode *d, enum counter_id why)
{
    d->p->flags |= PKT_BAD_CHECKSUM;
    counter_add(d->c, why, 1);
    counter_add(d->c, CTR_DECODE_INVALID, 1);
}

/* From the IP header at p->l3_off. */
void decode_ipv4(struct decode *d);
void decode_ipv6(struct decode *d);
/* p->ip_proto and p->l4_off are set; len is what the IP header promises from l4_off on, which a cut frame may not
 * hold in full. */
void decode_l4(struct decode *d, uint32_t len);
#endif
