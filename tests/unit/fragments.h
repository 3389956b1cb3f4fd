/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_TESTS_FRAGMENTS_H
#define SLUICE_TESTS_FRAGMENTS_H
/*
 * Fragments for tests: a frame with any bytes at any place of any datagram.
 */
#include "tests/unit/packets.h"

struct frag {
    bool v6, more;
    uint8_t src, ttl; /* 0: 1 and 61 */
    uint8_t proto;    /* 0: UDP */
    uint32_t id;
    uint32_t off; /* bytes, a multiple of 8 */
    const void *bytes;
    uint32_t len;
    const uint8_t *options; /* IPv4 options; IPv6: an extension header of type ext_next */
    uint32_t options_len;
    uint8_t ext_next;
    uint8_t dst_mac; /* last byte; 0: 2 */
};

static inline void frag_build(struct frame *f, const struct frag *k)
{
    uint8_t proto = k->proto ? k->proto : IPPROTO_UDP, bytes[4096], ext[256];
    struct pkt p = {.v6 = k->v6,
                    .src = k->src,
                    .proto = 253, /* frame_build() leaves the payload of unknown protocols alone */
                    .payload = k->len ? k->bytes : NULL,
                    .payload_len = k->len,
                    .options = k->options,
                    .options_len = k->options_len};

    if (k->v6) {
        if (k->options_len)
            memcpy(ext, k->options, k->options_len);
        memcpy(bytes, (uint8_t[8]){proto}, 8);
        store_be16(bytes + 2, (uint16_t)(k->off | k->more));
        store_be32(bytes + 4, k->id);
        memcpy(bytes + 8, k->bytes, k->len);
        p.payload = bytes;
        p.payload_len = k->len + 8;
        p.proto = 253;
        if (k->options_len) {
            ext[0] = IPPROTO_FRAGMENT;
            p.options = ext;
            p.ext_next = k->ext_next;
        }
    } else {
        p.frag = (uint16_t)(k->off / 8 | (k->more ? 0x2000 : 0));
    }
    frame_build(f, &p);
    if (k->dst_mac)
        f->b[5] = k->dst_mac;
    if (k->v6) {
        if (!k->options_len)
            f->b[f->l3 + 6] = IPPROTO_FRAGMENT;
        f->b[f->l3 + 7] = k->ttl ? k->ttl : 61;
    } else {
        f->b[f->l3 + 8] = k->ttl ? k->ttl : 61;
        f->b[f->l3 + 9] = proto;
        store_be16(f->b + f->l3 + 4, (uint16_t)k->id);
        frame_ip_checksum(f);
    }
}

static inline struct packet frag_decoded(struct frame *f, const struct frag *k, uint64_t now_ns)
{
    static struct counters scratch;
    const struct decode_config cfg = {.verify_checksums = true};

    frag_build(f, k);
    struct packet p = frame_packet(f, LINK_ETHERNET);
    p.now_ns = p.ts_ns = now_ns;
    decode_burst(&p, 1, &cfg, &scratch);
    return p;
}

/* A UDP datagram of len bytes, header included, its checksum right, as src 1 sends it to 2. */
static inline void datagram_build(uint8_t *b, uint32_t len, bool v6, uint8_t src, uint32_t seed)
{
    struct addr s = pkt_addr(v6, src ? src : 1), d = pkt_addr(v6, 2);

    for (uint32_t i = 8; i < len; i++)
        b[i] = (uint8_t)((i * 2654435761u + seed * 40503u) >> 13);
    store_be16(b, 40000);
    store_be16(b + 2, 53);
    store_be16(b + 4, (uint16_t)len);
    store_be16(b + 6, 0);
    uint16_t sum =
        checksum_finish(checksum_add(checksum_pseudo(&s, &d, v6 ? 6 : 4, IPPROTO_UDP, len), b, len));
    store_be16(b + 6, sum ? sum : 0xffff);
}
#endif
