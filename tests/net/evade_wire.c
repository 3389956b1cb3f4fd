/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One step of an evasion becomes frames: the TCP segment or UDP datagram with whatever is wrong about it, its IP header
 * with options or extension headers, its fragments with their order and overlaps, VLAN tags, the Ethernet header.
 *
 * Everything that is not in the step comes from the step's own seed, so that a step gives the same frames whenever it is
 * sent. Nothing here keeps state. An MTU of 1,500 holds for all that is built.
 */
#include <string.h>
#include "tests/net/evade.h"

#define MTU 1480 /* leaves room for some more tags */

struct packet_buf {
    uint8_t b[STREAM_MAX + 1024];
    size_t len;
};

static void put8(struct packet_buf *p, unsigned v)
{
    p->b[p->len++] = (uint8_t)v;
}
static void put16(struct packet_buf *p, unsigned v)
{
    put8(p, v >> 8);
    put8(p, v);
}
static void put32(struct packet_buf *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p, v);
}
static void put(struct packet_buf *p, const void *from, size_t n)
{
    memcpy(p->b + p->len, from, n);
    p->len += n;
}
static void set16(uint8_t *at, unsigned v)
{
    at[0] = (uint8_t)(v >> 8);
    at[1] = (uint8_t)v;
}

static uint32_t sum_add(uint32_t sum, const uint8_t *b, size_t n)
{
    for (; n > 1; b += 2, n -= 2)
        sum += (uint32_t)b[0] << 8 | b[1];
    if (n)
        sum += (uint32_t)b[0] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

/* --- the segment ---------------------------------------------------------------------------------------------- */

static uint8_t stream_byte(const struct variant *v, const struct step *s, int32_t at)
{
    if (at < 0 || (unsigned)at >= v->len)
        return 'x';
    return s->chaff || at < s->chaff_to ? v->chaff[at] : v->real[at];
}

static void put_payload(struct packet_buf *p, const struct variant *v, const struct step *s)
{
    for (unsigned i = 0; i < s->len; i++)
        put8(p, stream_byte(v, s, s->off + (int32_t)i));
}

static void tcp_options(struct packet_buf *p, const struct variant *v, const struct step *s,
                        const struct wire_state *w, struct rng *r)
{
    if (s->flags & SYN) {
        put32(p, 0x020405b4); /* MSS 1460 */
        if (v->timestamps)
            put16(p, 0x0402); /* SACK permitted */
        else
            put16(p, 0x0101);
        put16(p, 0x0101);
        put32(p, 0x01030307); /* window scale 7 */
    }
    if (v->timestamps && !(s->fault & NO_TIMESTAMP)) {
        put32(p, 0x0101080a);
        put32(p, w->ts_now + (uint32_t)s->ts_add);
        put32(p, s->flags & ACK ? w->ts_echo + (s->fault & BAD_ECHO ? 100000 : 0) : 0);
    }
    if (s->fault & FAST_OPEN)
        put32(p, 0x01012202);
    if (s->fault & MD5_OPTION && !(s->flags & SYN)) {
        put32(p, 0x01011312);
        for (int i = 0; i < 4; i++)
            put32(p, rng_next(r));
    }
    if (s->fault & OPTIONS && !(s->flags & SYN)) {
        put32(p, 0xfd060000 | (rng_next(r) & 0xffff)); /* an experiment of RFC 6994 */
        put32(p, 0x00000101);
        put32(p, 0x01010101);
    }
}

static uint32_t pseudo_sum(const struct variant *v, const uint8_t *src, const uint8_t *dst, unsigned proto,
                           size_t len)
{
    unsigned n = v->v6 ? 16 : 4;
    return sum_add(sum_add((uint32_t)(proto + len), src, n), dst, n);
}

static unsigned right_sum(const struct variant *v, const struct wire_addresses *a, bool swap, unsigned proto,
                          const struct packet_buf *p)
{
    const uint8_t *c = v->v6 ? a->client6 : a->client4, *s = v->v6 ? a->server6 : a->server4;
    uint32_t sum = pseudo_sum(v, swap ? s : c, swap ? c : s, proto, p->len);
    return ~sum_add(sum, p->b, p->len) & 0xffff;
}

static void make_tcp(struct packet_buf *p, const struct variant *v, const struct step *s,
                     const struct wire_addresses *a, const struct wire_state *w, struct rng *r)
{
    bool spoof = s->fault & SPOOFED;
    uint32_t seq =
        s->fault & AT_EDGE ? w->edge + (uint32_t)s->off : v->isn + 1 + (uint32_t)s->off + s->seq_add;
    uint32_t ack = s->flags & ACK ? w->server_next + s->ack_add : 0;
    if (spoof) { /* off is what it acknowledges, seq_add where it stands in the server's stream */
        seq = w->server_next + s->seq_add;
        ack = v->isn + 1 + (uint32_t)s->off;
    }
    p->len = 0;
    put16(p, spoof ? v->port : w->sport);
    put16(p, spoof ? w->sport : v->port);
    put32(p, seq);
    put32(p, ack);
    put16(p, s->flags);
    put16(p, 502);
    put16(p, 0);
    put16(p, s->urgent);
    tcp_options(p, v, s, w, r);
    unsigned words = (unsigned)p->len / 4;
    if (!spoof)
        put_payload(p, v, s);
    if (s->fault & SHORT_HEADER)
        words = rng_below(r, 5);
    else if (s->fault & LONG_HEADER && p->len < 60)
        words = 15;
    else if (s->fault & (SHORT_HEADER | LONG_HEADER))
        words = 4;
    p->b[12] = (uint8_t)(words << 4 | (s->fault & RESERVED_BITS ? rng_range(r, 1, 7) << 1 : 0));
    unsigned sum = right_sum(v, a, spoof, 6, p);
    if (s->fault & BAD_TCP_SUM)
        sum ^= 1u << rng_below(r, 16);
    if (s->fault & ZERO_TCP_SUM)
        sum = sum ? 0 : 0x1234;
    set16(p->b + 16, sum);
}

static void make_udp(struct packet_buf *p, const struct variant *v, const struct step *s,
                     const struct wire_addresses *a, const struct wire_state *w, struct rng *r)
{
    p->len = 0;
    put16(p, w->sport);
    put16(p, v->port);
    put16(p, 8u + s->len);
    put16(p, 0);
    put_payload(p, v, s);
    if (v->udp_no_sum && !v->v6 && !(s->fault & BAD_TCP_SUM))
        return;
    unsigned sum = right_sum(v, a, false, 17, p);
    if (s->fault & BAD_TCP_SUM)
        sum ^= 1u << rng_below(r, 16);
    set16(p->b + 6, sum ? sum : 0xffff);
}

/* --- IP ------------------------------------------------------------------------------------------------------- */

struct fragment { /* of the fragmentable part; first and last are the whole */
    unsigned at, len;
    bool more, chaff, bad_sum, other_id;
};

struct wire {
    const struct variant *v;
    const struct step *s;
    const struct wire_addresses *a;
    wire_send *send;
    void *arg;
    struct rng r;
    struct packet_buf chain; /* IPv6: headers in front of the fragment header; IPv4: options */
    unsigned proto;          /* of the fragmentable part */
    struct packet_buf part;  /* the fragmentable part */
    uint32_t id;
};

static void ether(struct packet_buf *f, struct wire *w)
{
    bool spoof = w->s->fault & SPOOFED;
    f->len = 0;
    put(f, w->a->server_mac, 6);
    put(f, w->a->client_mac, 6);
    if (w->s->fault & OTHER_MAC)
        f->b[5] ^= 0x40;
    if (spoof)
        f->b[11] ^= 0x20;
    if (w->s->fault & VID_5)
        put32(f, 0x81000005);
    for (unsigned i = w->s->tags >> 3; i > 0; i--)
        put32(f, 0x81000000);
    if (w->s->tags & 4)
        put32(f, 0x81000000 | rng_below(&w->r, 8) << 13);
    if (w->s->tags & 2)
        put32(f, 0x88a80000 | rng_below(&w->r, 8) << 13);
    if (w->s->tags & 1)
        put32(f, 0x81000000 | rng_below(&w->r, 8) << 13);
    put16(f, w->v->v6 ? 0x86dd : 0x0800);
}

static unsigned hop_limit(const struct wire *w)
{
    if (w->s->fault & LEAST_TTL)
        return MIN_TTL;
    return w->s->fault & LOW_TTL ? 1 + w->s->seed % (MIN_TTL - 1) : 64;
}

static void part_bytes(struct packet_buf *f, const struct wire *w, const struct fragment *g)
{
    for (unsigned i = g->at; i < g->at + g->len; i++) {
        uint8_t b = i < w->part.len ? w->part.b[i] : 'y';
        put8(f, g->chaff ? (b == 'Z' ? 'z' : 'Z') : b);
    }
}

static void finish(struct packet_buf *f, struct wire *w)
{
    if ((w->s->fault & PADDED && f->len < MTU - 40) || f->len < 60)
        for (unsigned n = f->len < 60 ? 60 - (unsigned)f->len : rng_range(&w->r, 1, 40); n; n--)
            put8(f, 'p');
    w->send(w->arg, f->b, f->len);
}

static void frame4(struct wire *w, const struct fragment *g, bool whole)
{
    struct packet_buf f;
    ether(&f, w);
    size_t ip = f.len;
    bool spoof = w->s->fault & SPOOFED;
    unsigned hlen = 20 + (unsigned)w->chain.len, total = hlen + g->len;
    put8(&f, (w->s->fault & BAD_VERSION ? 0x50 : 0x40) | hlen / 4);
    put8(&f, 0);
    put16(&f, w->s->fault & TRUNCATED ? total + 1 + w->s->seed % 300 : total);
    put16(&f, (g->other_id ? w->id + 1 + rng_below(&w->r, 1000) : w->id) & 0xffff);
    put16(&f, (whole ? 0x4000 : 0) | (g->more ? 0x2000 : 0) | g->at / 8);
    put8(&f, hop_limit(w));
    put8(&f, w->proto);
    put16(&f, 0);
    put(&f, spoof ? w->a->server4 : w->a->client4, 4);
    put(&f, spoof ? w->a->client4 : w->a->server4, 4);
    put(&f, w->chain.b, w->chain.len);
    unsigned sum = ~sum_add(0, f.b + ip, hlen) & 0xffff;
    if (w->s->fault & BAD_IP_SUM || g->bad_sum)
        sum ^= 1u << rng_below(&w->r, 16);
    set16(f.b + ip + 10, sum);
    part_bytes(&f, w, g);
    if (!(w->s->fault & TRUNCATED))
        finish(&f, w);
    else
        w->send(w->arg, f.b, f.len);
}

static void frame6(struct wire *w, const struct fragment *g, bool whole)
{
    struct packet_buf f;
    ether(&f, w);
    bool spoof = w->s->fault & SPOOFED;
    unsigned n = (unsigned)w->chain.len + (whole ? 0 : 8) + g->len;
    /* the chain's first next-header byte is its type; each header names the one behind it */
    put32(&f, (w->s->fault & BAD_VERSION ? 0x50000000 : 0x60000000) | (w->s->seed & 0xfffff));
    put16(&f, w->s->fault & TRUNCATED ? n + 1 + w->s->seed % 300 : n);
    size_t next_at = f.len;
    put8(&f, whole ? w->proto : 44);
    put8(&f, hop_limit(w));
    put(&f, spoof ? w->a->server6 : w->a->client6, 16);
    put(&f, spoof ? w->a->client6 : w->a->server6, 16);
    if (w->chain
            .len) { /* the last header of the chain has 255 in its place: what follows is known only here */
        unsigned follows = f.b[next_at];
        f.b[next_at] = w->chain.b[w->chain.len];
        size_t at = f.len;
        put(&f, w->chain.b, w->chain.len);
        while (f.b[at] != 255)
            at += 8 + 8u * f.b[at + 1];
        f.b[at] = (uint8_t)follows;
    }
    if (!whole) {
        put8(&f, w->proto);
        put8(&f, 0);
        put16(&f, g->at | g->more);
        put32(&f, g->other_id ? w->id + 1 + rng_below(&w->r, 1000) : w->id);
    }
    part_bytes(&f, w, g);
    if (!(w->s->fault & TRUNCATED))
        finish(&f, w);
    else
        w->send(w->arg, f.b, f.len);
}

/* Appends an extension header to a chain whose types are kept in types[]. Only what a host skips without a word. */
static unsigned ext_header(struct packet_buf *p, struct wire *w, bool first)
{
    unsigned what = first ? rng_below(&w->r, 3) : 1 + rng_below(&w->r, 2), units = rng_below(&w->r, 3);
    put8(p, 255);
    if (what == 2) { /* a routing header at its end: type 0, or an experimental one */
        put8(p, 2 * units);
        put8(p, rng_chance(&w->r, 50) ? 0 : 253);
        put8(p, 0);
        put32(p, 0);
        for (unsigned i = 0; i < 4 * units; i++)
            put32(p, rng_next(&w->r));
        return 43;
    }
    put8(p, units);
    if (units == 0 && rng_chance(&w->r, 50)) {
        put16(p, 0x0104); /* PadN; Linux bears 7 bytes of padding in a row */
    } else {
        put8(p, 0x1e); /* an experimental option that who does not know it skips */
        put8(p, 4 + 8 * units);
    }
    for (unsigned i = 0; i < 4 + 8 * units; i++)
        put8(p, 0);
    return what == 0 ? 0 : 60;
}

/* Builds n headers; returns the type of the first (chain.b[chain.len] holds it, too). Every header's first byte names
 * the next; the last has 255. */
static void ext_chain(struct wire *w, struct packet_buf *p, unsigned n, bool unfragmentable)
{
    size_t at[256];
    unsigned type[256];
    p->len = 0;
    for (unsigned i = 0; i < n; i++) {
        at[i] = p->len;
        type[i] = ext_header(p, w, i == 0 && unfragmentable);
    }
    for (unsigned i = 0; i + 1 < n; i++)
        p->b[at[i]] = (uint8_t)type[i + 1];
    p->b[p->len] = n ? (uint8_t)type[0] : 255;
}

static void routing_left(struct wire *w, struct packet_buf *p)
{
    static const uint8_t rh[24] = {255, 2, 0, 1};
    p->len = 0;
    put(p, rh, sizeof rh);
    p->b[p->len] = 43;
}

static void ip_options(struct wire *w, unsigned words)
{
    struct packet_buf *p = &w->chain;
    p->len = 0;
    if (words > 10)
        words = 10;
    if (words >= 3 && rng_chance(&w->r, 40)) { /* record route, full */
        static const uint8_t rr[12] = {1, 7, 11, 12};
        put(p, rr, sizeof rr);
        words -= 3;
    }
    for (unsigned i = 0; i < words; i++)
        put32(p, rng_chance(&w->r, 30) ? 0x88040000 | (rng_next(&w->r) & 0xffff) : 0x01010101);
    if (p->len)
        p->b[p->len - 1] = p->b[p->len - 1] == 1 && rng_chance(&w->r, 50) ? 0 : p->b[p->len - 1];
}

/* --- fragments ------------------------------------------------------------------------------------------------ */

#define FRAGS_MAX 96

struct frag_list {
    struct fragment f[FRAGS_MAX];
    unsigned n;
};

static void frag_add(struct frag_list *l, struct fragment f)
{
    if (l->n < FRAGS_MAX)
        l->f[l->n++] = f;
}

static void shuffle(struct wire *w, struct frag_list *l)
{
    switch (rng_below(&w->r, 4)) {
    case 0:
        return;
    case 1:
        for (unsigned i = 0; i < l->n / 2; i++) {
            struct fragment t = l->f[i];
            l->f[i] = l->f[l->n - 1 - i];
            l->f[l->n - 1 - i] = t;
        }
        return;
    default:
        for (unsigned i = l->n; i > 1; i--) {
            unsigned j = rng_below(&w->r, i);
            struct fragment t = l->f[i - 1];
            l->f[i - 1] = l->f[j];
            l->f[j] = t;
        }
    }
}

static void cut(struct wire *w, struct frag_list *l)
{
    unsigned units = ((unsigned)w->part.len + 7) / 8, n = rng_range(&w->r, 2, 6), at = 0;
    unsigned most = (MTU - 40 - 8 - (unsigned)w->chain.len) / 8;
    unsigned tiny = rng_chance(&w->r, 15) ? 1 : 0; /* 8 bytes each */
    while (at < units && l->n < FRAGS_MAX / 2) {
        unsigned take = tiny && l->n < 20 ? 1 : rng_range(&w->r, 1, 2 * units / n + 1);
        if (w->v->v6 && at == 0 && take < 8 && !rng_chance(&w->r, 10))
            take = 8; /* the whole TCP header stands in the first fragment (RFC 7112) */
        if (take > most || (l->n >= FRAGS_MAX / 2 - 8))
            take = most;
        if (take > units - at)
            take = units - at;
        unsigned from = at * 8, len = take * 8;
        at += take;
        if (from + len > w->part.len)
            len = (unsigned)w->part.len - from;
        frag_add(l, (struct fragment){.at = from, .len = len, .more = at < units});
    }
}

/* A fragment that overlaps f in one of the ways there are. */
static struct fragment overlapping(struct wire *w, const struct fragment *f)
{
    struct fragment g = *f;
    unsigned step = 8 * rng_range(&w->r, 1, 4);
    switch (rng_below(&w->r, 6)) {
    case 0: /* the same place */
        break;
    case 1: /* its front, and what lies before */
        g.at -= g.at < step ? g.at : step;
        break;
    case 2: /* its back, and what lies behind */
        g.len += step;
        g.more = true;
        break;
    case 3: /* a part of it */
        if (g.len > 16) {
            g.at += 8;
            g.len = (g.len - 16 + 7) / 8 * 8;
            g.more = true;
        }
        break;
    case 4: /* more on both sides */
        g.at -= g.at < step ? g.at : step;
        g.len = (f->at - g.at + f->len + step) / 8 * 8;
        g.more = true;
        break;
    default: /* an end that comes too early, or a second one */
        g.more = !g.more;
        g.len = (g.len + 7) / 8 * 8;
    }
    if (g.more)
        g.len = (g.len + 7) / 8 * 8;
    if (g.len > 1200)
        g.len = 1200;
    g.chaff = w->v->mode == MODE_ATTACK;
    return g;
}

/* Chaff fragments around the real ones, each before or behind the one it is about. */
static void add_chaff(struct wire *w, struct frag_list *l)
{
    struct frag_list out = {.n = 0};
    unsigned trick = w->s->trick;
    if (trick == FRAG_BAD_SUM && w->v->v6)
        trick = FRAG_OTHER_ID;
    for (unsigned i = 0; i < l->n; i++) {
        struct fragment g = l->f[i];
        bool about = l->n < 4 || rng_chance(&w->r, 50), before = rng_chance(&w->r, 50);
        if (trick == FRAG_OVERLAP)
            g = overlapping(w, &l->f[i]);
        else if (trick == FRAG_BAD_SUM)
            g.bad_sum = g.chaff = true;
        else if (trick == FRAG_OTHER_ID)
            g.other_id = g.chaff = true;
        if (about && before)
            frag_add(&out, g);
        frag_add(&out, l->f[i]);
        if (about && !before)
            frag_add(&out, g);
    }
    if (trick != FRAG_TWICE && rng_chance(&w->r, 20)) /* the chaff somewhere else altogether */
        shuffle(w, &out);
    *l = out;
}

static void send_fragments(struct wire *w)
{
    struct frag_list l = {.n = 0};
    cut(w, &l);
    shuffle(w, &l);
    if (w->s->trick >= FRAG_TWICE && w->s->trick <= FRAG_OTHER_ID)
        add_chaff(w, &l);
    for (unsigned i = 0; i < l.n; i++)
        (w->v->v6 ? frame6 : frame4)(w, &l.f[i], false);
}

void wire_step(const struct variant *v, const struct step *s, const struct wire_addresses *a,
               const struct wire_state *ws, wire_send *send, void *arg)
{
    static struct wire w; /* large, and all of it that is read is set below */
    static struct packet_buf l4;
    w.v = v, w.s = s, w.a = a, w.send = send, w.arg = arg;
    w.r.s = s->seed;
    w.proto = v->udp ? 17 : 6;
    w.chain.len = w.part.len = 0;
    (v->udp ? make_udp : make_tcp)(&l4, v, s, a, ws, &w.r);
    w.id = rng_next(&w.r) + ws->attempt;
    w.chain.b[0] = 255;
    if (v->v6) {
        unsigned front = s->ext && s->trick ? rng_below(&w.r, s->ext + 1) : s->ext;
        ext_chain(&w, &w.chain, front, true);
        if (s->fault & ROUTING_LEFT)
            routing_left(&w, &w.chain);
        ext_chain(&w, &w.part, s->trick ? s->ext - front : 0, false); /* behind the fragment header */
        if (w.part.len) {
            unsigned first = w.part.b[w.part.len];
            size_t at = 0;
            while (w.part.b[at] != 255)
                at += 8 + 8u * w.part.b[at + 1];
            w.part.b[at] = (uint8_t)w.proto;
            w.proto = first;
        }
    } else if (s->ext) {
        ip_options(&w, s->ext);
    }
    put(&w.part, l4.b, l4.len);
    bool fits = w.part.len + w.chain.len + 48 <= MTU;
    struct fragment whole = {.len = (unsigned)w.part.len};
    if (fits && (s->trick == FRAG_NONE || (s->trick == FRAG_ATOMIC && v->v6) || w.part.len <= 16))
        (v->v6 ? frame6 : frame4)(&w, &whole, s->trick != FRAG_ATOMIC);
    else
        send_fragments(&w);
}

/* --- what comes back ------------------------------------------------------------------------------------------ */

static uint32_t get32(const uint8_t *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static void parse_options(const uint8_t *o, size_t n, struct wire_answer *out)
{
    while (n > 1 && o[0] != 0) {
        unsigned len = o[0] == 1 ? 1 : o[1];
        if (!len || len > n)
            return;
        if (o[0] == 3 && len == 3)
            out->has_scale = true, out->window_scale = o[2];
        if (o[0] == 8 && len == 10)
            out->has_ts = true, out->ts = get32(o + 2);
        o += len;
        n -= len;
    }
}

bool wire_parse(const uint8_t *f, size_t len, struct wire_answer *out)
{
    size_t at = 14;
    if (len < 54)
        return false;
    unsigned type = (unsigned)f[12] << 8 | f[13];
    if (type == 0x0800 && f[23] == 6)
        at += (f[14] & 15) * 4u;
    else if (type == 0x86dd && f[20] == 6)
        at += 40;
    else
        return false;
    if (len < at + 20)
        return false;
    const uint8_t *t = f + at;
    size_t words = t[12] >> 4;
    *out = (struct wire_answer){.port = (uint16_t)(t[2] << 8 | t[3]),
                                .flags = t[13],
                                .window = (uint16_t)(t[14] << 8 | t[15]),
                                .seq = get32(t + 4),
                                .ack = get32(t + 8)};
    if (words > 5 && len >= at + words * 4)
        parse_options(t + 20, words * 4 - 20, out);
    return true;
}
