/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The normaliser: one function an item. See normalise.h.
 *
 * Checksums are kept by difference (RFC 1624): the sum over a header, its payload and its checksum stays what it was. So the
 * checksums of what a tunnel wraps around the packet hold as well, and a checksum that was wrong stays wrong. Items that
 * change a header without a checksum (IPv6) therefore leave packets inside others alone.
 *
 * The urgent pointer is on by default: a receiver takes the byte before it out of the stream (Linux, unless the program
 * set SO_OOBINLINE), or leaves it, or takes another (RFC 6093); nobody can inspect all readings at once. Without it all
 * receivers read the same. Firewalls have cleared it for decades, and new programs must not use it. Where it cannot be
 * cleared because the segment came in fragments, the segment is dropped.
 *
 * Worker thread. Reads and writes lie inside the headers that decode/ has measured.
 */
#include "ips/stream/normalise.h"

#include <netinet/in.h>

enum {
    TCP_FLAGS = 13,
    TCP_FIN = 0x01,
    TCP_SYN = 0x02,
    TCP_URG = 0x20,
    TCP_ECE_CWR = 0xc0,
    TCP_AE = 0x01, /* the bit beside the data offset: accurate ECN, once the nonce sum */
    TCP_RESERVED = 0x0e,
    TCP_CHECKSUM = 16,
    TCP_URGENT = 18,
    TCP_HDR_MIN = 20,
    IPV4_CHECKSUM = 10,
    OPT_END = 0,
    OPT_NOP = 1,
};

/* Writes the 16-bit word at `at` of the header, and its difference into the checksum at `sum`. */
static void put_word(uint8_t *header, unsigned at, uint16_t word, unsigned sum)
{
    uint32_t s = (uint16_t)~load_be16(header + sum) + (uint16_t)~load_be16(header + at) + word;

    s = (s & 0xffff) + (s >> 16);
    s = (s & 0xffff) + (s >> 16);
    store_be16(header + at, word);
    store_be16(header + sum, (uint16_t)~s);
}

static void put_byte(uint8_t *header, unsigned at, uint8_t byte, unsigned sum)
{
    uint16_t word = load_be16(header + (at & ~1u));

    word = at & 1 ? (uint16_t)((word & 0xff00) | byte) : (uint16_t)((word & 0x00ff) | byte << 8);
    put_word(header, at & ~1u, word, sum);
}

static void changed(struct packet *p, struct counters *c, enum counter_id which)
{
    p->flags |= PKT_REWRITTEN;
    counter_add(c, which, 1);
}

static void raise_ttl(const struct normalise_config *cfg, struct packet *p, struct counters *c)
{
    uint8_t *ip = p->data + p->l3_off;

    if (p->outer || p->ip_ttl >= cfg->ttl_floor)
        return;
    if (p->ip_version == 4)
        put_byte(ip, 8, cfg->ttl_floor, IPV4_CHECKSUM);
    else
        ip[7] = cfg->ttl_floor;
    p->ip_ttl = cfg->ttl_floor;
    changed(p, c, CTR_NORM_TTL);
}

static void clear_padding(struct packet *p, struct counters *c)
{
    const uint8_t *ip = p->data + p->l3_off;
    uint32_t len = p->ip_version == 4 ? load_be16(ip + 2) : 40u + load_be16(ip + 4);
    uint32_t end = p->l3_off + len;
    bool any = false;

    if (p->outer || len <= 40u * (p->ip_version == 6) || end >= p->len) /* a jumbogram says 0 */
        return;
    for (uint32_t i = end; i < p->len; i++) {
        any |= p->data[i] != 0;
        p->data[i] = 0;
    }
    if (any)
        changed(p, c, CTR_NORM_PADDING);
}

static void clear_ecn(struct packet *p, uint8_t *tcp, struct counters *c)
{
    uint8_t *ip = p->data + p->l3_off;
    bool any = false;

    if (!p->outer && (p->ip_tos & 3)) {
        if (p->ip_version == 4)
            put_byte(ip, 1, ip[1] & 0xfc, IPV4_CHECKSUM);
        else
            ip[1] &= 0xcf;
        p->ip_tos &= 0xfc;
        any = true;
    }
    if (tcp && ((tcp[TCP_FLAGS] & TCP_ECE_CWR) || (tcp[12] & TCP_AE))) {
        uint16_t word = load_be16(tcp + 12);

        put_word(tcp, 12, (uint16_t)(word & ~(TCP_AE << 8 | TCP_ECE_CWR)), TCP_CHECKSUM);
        any = true;
    }
    if (any)
        changed(p, c, CTR_NORM_ECN);
}

static void clear_urgent(struct packet *p, uint8_t *tcp, struct counters *c)
{
    if (!(tcp[TCP_FLAGS] & TCP_URG) && load_be16(tcp + TCP_URGENT) == 0)
        return;
    put_byte(tcp, TCP_FLAGS, tcp[TCP_FLAGS] & (uint8_t)~TCP_URG, TCP_CHECKSUM);
    put_word(tcp, TCP_URGENT, 0, TCP_CHECKSUM);
    changed(p, c, CTR_NORM_URGENT);
}

static void clear_reserved(struct packet *p, uint8_t *tcp, struct counters *c)
{
    if (!(tcp[12] & TCP_RESERVED))
        return;
    put_byte(tcp, 12, tcp[12] & (uint8_t)~TCP_RESERVED, TCP_CHECKSUM);
    changed(p, c, CTR_NORM_RESERVED);
}

/* Those that end systems of today use: MSS, window scale, SACK, timestamps, MD5, user timeout, AO, MPTCP, Fast Open. */
static bool known_option(uint8_t kind)
{
    static const uint64_t known = 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 8 | 1u << 19 | 1u << 28 |
                                  1u << 29 | 1u << 30 | UINT64_C(1) << 34;

    return kind < 64 && known >> kind & 1;
}

static void clear_options(struct packet *p, uint8_t *tcp, struct counters *c)
{
    unsigned end = p->payload_off - p->l4_off, at = TCP_HDR_MIN;
    bool any = false;

    while (at < end && tcp[at] != OPT_END) {
        unsigned len = tcp[at] == OPT_NOP ? 1 : at + 1 < end ? tcp[at + 1] : 0;

        if (tcp[at] != OPT_NOP && (len < 2 || len > end - at))
            len = end - at; /* whatever a receiver makes of it */
        else if (tcp[at] == OPT_NOP || known_option(tcp[at])) {
            at += len;
            continue;
        }
        for (unsigned i = 0; i < len; i++)
            put_byte(tcp, at + i, OPT_NOP, TCP_CHECKSUM);
        at += len;
        any = true;
    }
    if (any)
        changed(p, c, CTR_NORM_OPTIONS);
}

/* The header lies in the fragments, which leave as they came. */
static void refuse_urgent_fragments(struct packet *p, struct counters *c)
{
    if (!(p->tcp_flags & TCP_URG))
        return;
    packet_drop(p, DROP_STREAM_INVALID);
    counter_add(c, CTR_NORM_URGENT, 1);
}

void normalise_packet(const struct normalise_config *cfg, struct packet *p, struct counters *c)
{
    bool has_tcp = (p->flags & PKT_HAS_L4) && p->ip_proto == IPPROTO_TCP;

    if (!(p->flags & PKT_HAS_IP) || (p->flags & (PKT_MALFORMED | PKT_BAD_CHECKSUM)))
        return;
    for (const struct packet *q = p; q; q = q->outer) {
        if (!(q->flags & PKT_REASSEMBLED))
            continue;
        if (has_tcp && cfg->urgent)
            refuse_urgent_fragments(p, c);
        return;
    }
    uint8_t *tcp = has_tcp ? p->data + p->l4_off : NULL;

    if (cfg->ttl_floor)
        raise_ttl(cfg, p, c);
    if (cfg->ecn)
        clear_ecn(p, tcp, c);
    if (tcp && cfg->urgent)
        clear_urgent(p, tcp, c);
    if (tcp && cfg->tcp_reserved)
        clear_reserved(p, tcp, c);
    if (tcp && cfg->tcp_options)
        clear_options(p, tcp, c);
    if (cfg->padding)
        clear_padding(p, c);
}

/* The pseudo header's length is part of the sum: as if it were a word of the header. */
static void checksum_shift(uint8_t *tcp, uint32_t was, uint32_t is)
{
    uint32_t s = (uint16_t)~load_be16(tcp + TCP_CHECKSUM) + (uint16_t) ~(uint16_t)was + (uint16_t)is;

    s = (s & 0xffff) + (s >> 16);
    s = (s & 0xffff) + (s >> 16);
    store_be16(tcp + TCP_CHECKSUM, (uint16_t)~s);
}

bool normalise_trim(struct packet *p, uint16_t len, struct counters *c)
{
    uint8_t *ip = p->data + p->l3_off, *tcp = p->data + p->l4_off, *payload = p->data + p->payload_off;
    unsigned header = p->payload_off - p->l4_off, cut = p->payload_len - len, at = p->ip_version == 4 ? 2 : 4;

    if (p->outer || p->inner || (p->flags & PKT_REASSEMBLED) || len >= p->payload_len ||
        load_be16(ip + at) < cut)
        return false;
    for (unsigned i = len; i < p->payload_len; i++) /* what goes counts as zero */
        if (payload[i]) {
            uint16_t word = (header + i) & 1 ? payload[i] : (uint16_t)(payload[i] << 8);

            checksum_shift(tcp, word, 0);
            payload[i] = 0;
        }
    checksum_shift(tcp, header + p->payload_len, header + len);
    if (p->ip_version == 4)
        put_word(ip, 2, (uint16_t)(load_be16(ip + 2) - cut), IPV4_CHECKSUM);
    else
        store_be16(ip + 4, (uint16_t)(load_be16(ip + 4) - cut));
    if (p->tcp_flags & TCP_FIN) {
        put_byte(tcp, TCP_FLAGS, tcp[TCP_FLAGS] & (uint8_t)~TCP_FIN, TCP_CHECKSUM);
        p->tcp_flags &= (uint8_t)~TCP_FIN;
    }
    p->payload_len = len; /* the frame keeps its length: what is behind the packet is padding now */
    changed(p, c, CTR_NORM_WINDOW);
    return true;
}
