/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes what a rule with `replace` wants over the matches of its contents, and puts the checksum right.
 *
 * The checksum is updated by difference (RFC 1624), not made anew: a packet that came without one (UDP over IPv4 with
 * checksum 0) keeps none, and what a capture cut off or a NIC left out stays as wrong or as right as it was. Fragments
 * are left alone, because their checksum is in another packet.
 *
 * Worker thread; the frame belongs to the worker. No allocation.
 */
#include "ips/detect/rewrite.h"

#include <netinet/in.h>

/* Where the checksum is, from the L4 header's start; 0: none that is known. */
static uint32_t checksum_at(const struct packet *p)
{
    switch (p->ip_proto) {
    case IPPROTO_TCP:
        return 16;
    case IPPROTO_UDP:
        return 6;
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
        return 2;
    default:
        return 0;
    }
}

/* Changes one byte at `at` of the L4 packet and the running checksum (host order) with it. */
static void write_byte(uint8_t *l4, uint32_t at, uint8_t v, uint32_t *sum)
{
    uint32_t shift = at % 2 == 0 ? 8 : 0;

    *sum += 0xffffu - ((uint32_t)l4[at] << shift) + ((uint32_t)v << shift);
    *sum = (*sum & 0xffff) + (*sum >> 16);
    l4[at] = v;
}

bool rewrite_payload(struct packet *p, const struct eval *e, int64_t at)
{
    uint32_t checksum = checksum_at(p), payload = (uint32_t)p->payload_off - p->l4_off;
    uint8_t *l4 = p->data + p->l4_off;
    uint32_t sum;
    uint16_t old;

    if (!(p->flags & PKT_HAS_L4) || (p->flags & PKT_FRAGMENT) || checksum == 0)
        return false;
    p->flags |= PKT_REWRITTEN;
    old = load_be16(l4 + checksum);
    sum = (uint16_t)~old;
    for (uint32_t i = 0; i < e->n_replaced; i++) {
        const struct replaced *r = &e->replaced[i];

        for (uint32_t k = 0; k < r->len; k++) {
            int64_t place = (int64_t)r->at + k - at;

            if (place >= 0 && place < p->payload_len)
                write_byte(l4, payload + (uint32_t)place, r->bytes[k], &sum);
        }
    }
    p->flags |= PKT_REWRITTEN;
    sum = (sum & 0xffff) + (sum >> 16);
    if (p->ip_proto == IPPROTO_UDP && old == 0)
        return true;
    sum = (uint16_t)~sum;
    store_be16(l4 + checksum, p->ip_proto == IPPROTO_UDP && sum == 0 ? 0xffff : (uint16_t)sum);
    return true;
}
