/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_TESTS_WRAP_H
#define SLUICE_TESTS_WRAP_H
/*
 * Puts headers around a packet: a list of them, outermost first, each with lengths and checksums that fit what is inside.
 */
#include "tests/unit/packets.h"

#define WRAP_MAX 12

enum wrap_kind {
    WRAP_END,
    WRAP_ETH,   /* v: ethertype */
    WRAP_IP4,   /* v: protocol */
    WRAP_IP6,   /* v: next header */
    WRAP_UDP,   /* v: destination port; over IPv4 without, over IPv6 with a checksum */
    WRAP_PPPOE, /* a session's header, and PPP's protocol v */
    WRAP_PPTP,  /* GRE version 1 with sequence number */
    WRAP_BYTES, /* as they are */
};

struct wrap {
    enum wrap_kind kind;
    uint16_t v;
    uint8_t n;
    uint8_t bytes[24];
};

#define ETH(type)          \
    {                      \
        WRAP_ETH, type, 0, \
        {                  \
            0              \
        }                  \
    }
#define IP4(proto)          \
    {                       \
        WRAP_IP4, proto, 0, \
        {                   \
            0               \
        }                   \
    }
#define IP6(next)          \
    {                      \
        WRAP_IP6, next, 0, \
        {                  \
            0              \
        }                  \
    }
#define UDP(port)          \
    {                      \
        WRAP_UDP, port, 0, \
        {                  \
            0              \
        }                  \
    }
#define PPPOE(ppp)          \
    {                       \
        WRAP_PPPOE, ppp, 0, \
        {                   \
            0               \
        }                   \
    }
#define PPTP             \
    {                    \
        WRAP_PPTP, 0, 0, \
        {                \
            0            \
        }                \
    }
#define BYTES(...)                                       \
    {                                                    \
        WRAP_BYTES, 0, sizeof((uint8_t[]){__VA_ARGS__}), \
        {                                                \
            __VA_ARGS__                                  \
        }                                                \
    }

static inline uint8_t *wrap_room(struct frame *f, uint32_t n)
{
    memmove(f->b + n, f->b, f->len);
    memset(f->b, 0, n);
    f->len += n;
    return f->b;
}

static inline void wrap_ip4(struct frame *f, uint8_t proto)
{
    uint8_t *h = wrap_room(f, 20);

    h[0] = 0x45;
    store_be16(h + 2, (uint16_t)f->len);
    h[8] = 64;
    h[9] = proto;
    memcpy(h + 12, "\xc0\x00\x02\x01\xc0\x00\x02\x02", 8); /* 192.0.2.1, 192.0.2.2 */
    store_be16(h + 10, checksum_finish(checksum_add(0, h, 20)));
}

static inline void wrap_ip6(struct frame *f, uint8_t next)
{
    uint32_t len = f->len;
    uint8_t *h = wrap_room(f, 40);
    struct addr s = pkt_addr(true, 101), d = pkt_addr(true, 102);

    h[0] = 0x60;
    store_be16(h + 4, (uint16_t)len);
    h[6] = next;
    h[7] = 64;
    memcpy(h + 8, s.b, 16);
    memcpy(h + 24, d.b, 16);
    if (next == IPPROTO_UDP)
        store_be16(h + 46, checksum_finish(checksum_add(checksum_pseudo(&s, &d, 6, next, len), h + 40, len)));
}

static inline void wrap_one(struct frame *f, const struct wrap *w)
{
    uint32_t len = f->len;
    uint8_t *h;

    switch (w->kind) {
    case WRAP_ETH:
        h = wrap_room(f, 14);
        memcpy(h, "\x02\0\0\0\0\x02\x02\0\0\0\0\x01", 12);
        store_be16(h + 12, w->v);
        break;
    case WRAP_IP4:
        wrap_ip4(f, (uint8_t)w->v);
        break;
    case WRAP_IP6:
        wrap_ip6(f, (uint8_t)w->v);
        break;
    case WRAP_UDP:
        h = wrap_room(f, 8);
        store_be16(h, 50000);
        store_be16(h + 2, w->v);
        store_be16(h + 4, (uint16_t)(8 + len));
        break;
    case WRAP_PPPOE:
        h = wrap_room(f, 8);
        memcpy(h, "\x11\0\0\x07", 4);
        store_be16(h + 4, (uint16_t)(2 + len));
        store_be16(h + 6, w->v);
        break;
    case WRAP_PPTP:
        h = wrap_room(f, 12);
        memcpy(h, "\x30\x01\x88\x0b", 4);
        store_be16(h + 4, (uint16_t)len);
        store_be16(h + 6, 77);
        break;
    case WRAP_BYTES:
        memcpy(wrap_room(f, w->n), w->bytes, w->n);
        break;
    case WRAP_END:
        break;
    }
}

/* Around what is in f; w ends with WRAP_END. */
static inline void wrap_all(struct frame *f, const struct wrap *w)
{
    unsigned n = 0;

    while (w[n].kind != WRAP_END)
        n++;
    while (n > 0)
        wrap_one(f, &w[--n]);
}
#endif
