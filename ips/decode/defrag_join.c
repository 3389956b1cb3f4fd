/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bytes of a datagram: joined into one packet, and written back into the frames they came from.
 *
 * The joined packet is the first fragment's link header (none within a tunnel, or where offsets of 16 bits would not
 * reach the end), its IP header without what says "fragment", and the payload. It lies in the table's own memory until
 * the next one. It is decoded like any packet, so that everything behind sees nothing but a packet.
 *
 * Where fragments overlap and a policy says whose bytes hold, they are laid down in the order of their arrival, and for
 * each byte that somebody owns already the policy is asked about the two fragments as they came. That is how the
 * systems the policies are named after behave in Shankar's and Paxson's, and Novak's tests. In-line no overlap gets here.
 *
 * Worker thread.
 */
#include <netinet/in.h>

#include "ips/decode/defrag_parts.h"

enum { FRAG_HDR_LEN = 8, IPV6_HDR_LEN = 40 };

static uint32_t max_of(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static uint32_t min_of(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

void unit_read(const struct defrag *d, uint32_t unit, uint32_t at, uint32_t len, uint8_t *to)
{
    for (uint32_t i = unit, n = d->held[unit].n_frames; n > 0; i = d->held[i].next, n--) {
        const struct held *h = &d->held[i];
        uint32_t from = max_of(at, h->to), end = min_of(at + len, h->to + h->bytes);

        if (from < end)
            memcpy(to + (from - at), h->data + h->from + (from - h->to), end - from);
    }
}

bool unit_equals(const struct defrag *d, uint32_t unit, const uint8_t *bytes, uint32_t len)
{
    const struct held *u = &d->held[unit];

    if (u->payload_len != len)
        return false;
    for (uint32_t i = unit, n = u->n_frames; n > 0; i = d->held[i].next, n--) {
        const struct held *h = &d->held[i];
        uint32_t from = max_of(u->payload_at, h->to), end = min_of(u->payload_at + len, h->to + h->bytes);

        if (from < end &&
            memcmp(bytes + (from - u->payload_at), h->data + h->from + (from - h->to), end - from) != 0)
            return false;
    }
    return true;
}

/* --- policies --------------------------------------------------------------------------------------------------- */

/* Whether bytes of a later fragment hold over those of an earlier one. */
static bool later_wins(enum defrag_policy policy, const struct held *old, const struct held *new)
{
    uint32_t old_end = old->off + old->payload_len, new_end = new->off + new->payload_len;

    switch (policy) {
    case DEFRAG_POLICY_LAST:
        return true;
    case DEFRAG_POLICY_BSD:
        return new->off < old->off;
    case DEFRAG_POLICY_BSD_RIGHT:
        return new->off >= old->off;
    case DEFRAG_POLICY_LINUX:
        return new->off <= old->off;
    case DEFRAG_POLICY_WINDOWS:
        return new->off < old->off &&new_end > old_end;
    case DEFRAG_POLICY_SOLARIS:
        return new->off < old->off &&new_end >= old_end;
    default:
        return false; /* first */
    }
}

static void lay_down(struct defrag *d, const struct datagram *g, uint8_t *to)
{
    memset(d->owner, 0, (DATAGRAM_MAX + 1) * sizeof(*d->owner));
    for (uint32_t u = g->first; u != NONE; u = d->held[u].next_unit) {
        const struct held *h = &d->held[u];
        uint32_t end = min_of(h->off + h->payload_len, g->total);

        for (uint32_t at = h->off; at < end; at++) {
            if (d->owner[at] && !later_wins(d->cfg.policy, &d->held[d->owner[at] - 1], h))
                continue;
            d->owner[at] = (uint16_t)(u + 1);
            unit_read(d, u, h->payload_at + (at - h->off), 1, to + at);
        }
    }
}

/* --- joining ---------------------------------------------------------------------------------------------------- */

static void mend_ipv4(uint8_t *ip, uint32_t header, uint32_t total)
{
    store_be16(ip + 2, (uint16_t)(header + total));
    store_be16(ip + 6, load_be16(ip + 6) & 0xc000); /* reserved bit and DF stay */
    store_be16(ip + 10, 0);
    store_be16(ip + 10, checksum_finish(checksum_add(0, ip, header)));
}

/* ip: the headers in front of the fragment header, `header` bytes; frag_next: what that said comes next. */
static void mend_ipv6(uint8_t *ip, uint32_t header, uint32_t total, uint8_t frag_next)
{
    uint32_t next_at = 6, at = IPV6_HDR_LEN;

    while (at + 2 <= header) { /* decode has walked here before, so lengths are good */
        uint32_t len = ip[next_at] == IPPROTO_AH         ? (ip[at + 1] + 2u) * 4
                       : ip[next_at] == IPPROTO_FRAGMENT ? FRAG_HDR_LEN
                                                         : (ip[at + 1] + 1u) * 8;
        next_at = at;
        at += len;
    }
    ip[next_at] = frag_next;
    store_be16(ip + 4, (uint16_t)(header - IPV6_HDR_LEN + total));
}

/* Link and IP header; returns how many bytes. *l3_off: where the IP header begins. */
static uint32_t join_header(struct defrag *d, const struct datagram *g, uint32_t *l3_off)
{
    const struct held *u = &d->held[g->head_unit];
    uint8_t *ip;

    *l3_off = u->plain && u->l3_at + g->head_len + g->total <= DATAGRAM_MAX ? u->l3_at : 0;
    memcpy(d->scratch, u->data, *l3_off);
    ip = memcpy(d->scratch + *l3_off, g->head, g->head_len);
    if (g->key.ip_version == 4)
        mend_ipv4(ip, g->head_len, g->total);
    else
        mend_ipv6(ip, g->head_len, g->total, g->head_next);
    return *l3_off + g->head_len;
}

static void lay_side_by_side(struct defrag *d, const struct datagram *g, uint8_t *to)
{
    for (uint32_t u = g->first; u != NONE; u = d->held[u].next_unit) {
        const struct held *h = &d->held[u];

        unit_read(d, u, h->payload_at, h->payload_len, to + h->off);
    }
}

void datagram_join(struct defrag *d, const struct datagram *g, const struct packet *frame,
                   const struct packet *last, struct counters *c)
{
    struct packet *w = &d->whole[d->depth];
    uint32_t l3_off, at = join_header(d, g, &l3_off);

    if (g->overlaps)
        lay_down(d, g, d->scratch + at);
    else
        lay_side_by_side(d, g, d->scratch + at);
    d->whole_payload_at = at;
    *w = (struct packet){.data = d->scratch,
                         .len = at + g->total,
                         .orig_len = at + g->total,
                         .in_port = frame->in_port,
                         .link = l3_off ? frame->link : LINK_RAW,
                         .umem_addr = frame->umem_addr,
                         .now_ns = frame->now_ns,
                         .ts_ns = frame->ts_ns,
                         .pcap_cnt = frame->pcap_cnt};
    decode_burst(w, 1, &d->cfg.decode, c);
    w->flags |= PKT_REASSEMBLED;
    w->outer = last->outer;
    w->tunnel = last->tunnel;
    w->tunnel_id = last->tunnel_id;
    memcpy(w->vlan, last->vlan, sizeof(w->vlan));
    w->n_vlans = last->n_vlans;
}

/* --- back to the frames ----------------------------------------------------------------------------------------- */

void set_rebase(struct defrag *d, const struct datagram *g)
{
    uint32_t base = d->whole_payload_at;

    for (uint32_t u = g->first; u != NONE; u = d->held[u].next_unit) {
        const struct held unit = d->held[u];

        for (uint32_t i = u, n = unit.n_frames; n > 0; i = d->held[i].next, n--) {
            struct held *h = &d->held[i];
            uint32_t from = max_of(unit.payload_at, h->to);
            uint32_t end = min_of(unit.payload_at + unit.payload_len, h->to + h->bytes);

            h->from += from - h->to;
            h->bytes = from < end ? end - from : 0;
            h->to = base + unit.off + (from - unit.payload_at);
        }
    }
}

void set_write_back(struct defrag *d)
{
    for (uint32_t i = d->set.first; i != NONE; i = d->held[i].next)
        memcpy(d->held[i].data + d->held[i].from, d->scratch + d->held[i].to, d->held[i].bytes);
}

void set_even_ttl(struct defrag *d)
{
    for (uint32_t i = d->set.first; i != NONE; i = d->held[i].next) {
        struct held *h = &d->held[i];
        uint8_t *ip = h->data + h->l3_at;

        if (!h->plain || h->ttl == d->ttl)
            continue;
        if (ip[0] >> 4 == 6) {
            ip[7] = d->ttl;
            continue;
        }
        ip[8] = d->ttl;
        store_be16(ip + 10, 0);
        store_be16(ip + 10, checksum_finish(checksum_add(0, ip, (ip[0] & 15) * 4u)));
    }
}
