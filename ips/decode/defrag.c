/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way of a fragment: refused, held, or the one that makes its datagram whole.
 *
 * In-line only what every receiver puts together in the same way goes on. A fragment that is broken by itself is dropped
 * by itself. One that contradicts the others, because it overlaps them, ends elsewhere or would not share their fate,
 * refuses the datagram, what is here and what still comes (RFC 5722 for IPv6; Linux does the same for IPv4). An exact
 * duplicate is dropped by itself: the first copy was taken, and is the only one that can arrive. Fragments of one
 * datagram leave with the lowest TTL of them, so that one of them cannot be made to die on the way.
 *
 * What is whole may be a fragment again, or carry one in a tunnel: then its frames become one unit of the datagram that
 * it is a part of, and defrag_take() goes on with that, three levels deep.
 *
 * Not in-line, datagrams are put together as the policy says a receiver would, and nothing is refused that some receiver
 * takes. Worker thread; see defrag_table.c for what it owns.
 */
#include "ips/decode/defrag_parts.h"

static enum defrag_policy policy_of(const struct defrag *d, const struct datagram *g)
{
    return g->key.ip_version == 6 ? DEFRAG_POLICY_DROP : d->cfg.policy;
}

/* --- blocks of 8 bytes that are here ---------------------------------------------------------------------------- */

/* Bits [from, to) of the word that holds `from`. */
static uint64_t word_mask(uint32_t from, uint32_t to)
{
    uint64_t mask = ~UINT64_C(0) << (from % 64);

    return to / 64 == from / 64 ? mask & ~(~UINT64_C(0) << (to % 64)) : mask;
}

/* How many of the blocks [from, to) are not here yet; with `mark`, they are from now on. */
static uint32_t blocks_missing(struct datagram *g, uint32_t from, uint32_t to, bool mark)
{
    uint32_t n = 0;

    for (; from < to; from = (from / 64 + 1) * 64) {
        uint64_t *w = &g->have[from / 64], mask = word_mask(from, to);

        n += (uint32_t)__builtin_popcountll(mask & ~*w);
        if (mark)
            *w |= mask;
    }
    return n;
}

static bool overlaps(struct datagram *g, const struct fragment *f)
{
    uint32_t from = f->off / 8, to = (f->off + f->len + 7) / 8;

    return blocks_missing(g, from, to, false) != to - from;
}

/* The unit that covers exactly the fragment's bytes, or NONE. */
static uint32_t same_place(const struct defrag *d, const struct datagram *g, const struct fragment *f)
{
    uint32_t u = g->first;

    while (u != NONE && (d->held[u].off != f->off || d->held[u].payload_len != f->len))
        u = d->held[u].next_unit;
    return u;
}

/* --- what is refused -------------------------------------------------------------------------------------------- */

static enum drop_reason odd(struct packet *p, struct counters *c, enum anomaly v4, enum anomaly v6,
                            enum drop_reason why)
{
    counter_anomaly(c, &p->anomalies, p->ip_version == 4 ? v4 : v6);
    return why;
}

/* Two ends, or something behind the end. */
static bool ends_elsewhere(const struct datagram *g, const struct fragment *f)
{
    uint32_t end = f->off + f->len;

    if (g->total)
        return end > g->total || (!f->more && end != g->total);
    return !f->more && end < g->reach;
}

/* Why the fragment refuses its datagram; DROP_NONE: it does not. */
static enum drop_reason offence(struct defrag *d, struct datagram *g, const struct fragment *f,
                                uint32_t n_frames, struct packet *p, struct counters *c)
{
    if (g->n_frames + n_frames > d->cfg.datagram_frames)
        return odd(p, c, AN_IPV4_FRAG_IGNORED, AN_IPV6_FRAG_IGNORED, DROP_DEFRAG_INVALID);
    if (d->cfg.inline_mode && g->first != NONE && g->fate != f->fate)
        return odd(p, c, AN_FRAG_DIFFERS, AN_FRAG_DIFFERS, DROP_DEFRAG_INVALID);
    if (fragment_is_tiny(p, f)) {
        odd(p, c, AN_FRAG_TINY, AN_FRAG_TINY, DROP_NONE);
        if (d->cfg.inline_mode && d->cfg.tiny_drop)
            return DROP_DEFRAG_TINY;
    }
    if (ends_elsewhere(g, f))
        return odd(p, c, AN_IPV4_FRAG_OVERLAP, AN_IPV6_FRAG_OVERLAP, DROP_DEFRAG_OVERLAP);
    if ((f->off ? g->head_len : f->header) + (g->reach > f->off + f->len ? g->reach : f->off + f->len) >
        DATAGRAM_MAX)
        return odd(p, c, AN_IPV4_FRAG_TOO_LARGE, AN_IPV6_FRAG_TOO_LARGE, DROP_DEFRAG_INVALID);
    return DROP_NONE;
}

static enum defrag_answer drop(struct packet *p, enum drop_reason why)
{
    packet_drop(p, why);
    return DEFRAG_DROP;
}

/* --- what is taken ---------------------------------------------------------------------------------------------- */

/* The frame, or the frames of the whole that p lies in, as one unit. */
static uint32_t unit_make(struct defrag *d, const struct packet *frame, const struct packet *p,
                          const struct fragment *f)
{
    uint32_t unit = d->set.first;

    if (frame->flags & PKT_REASSEMBLED) {
        d->held[unit].n_frames = d->set.n;
        d->set = (struct frame_list){.first = NONE, .last = NONE};
    } else {
        unit = held_take(d);
        d->held[unit] = (struct held){.data = frame->data,
                                      .umem_addr = frame->umem_addr,
                                      .now_ns = frame->now_ns,
                                      .ts_ns = frame->ts_ns,
                                      .pcap_cnt = frame->pcap_cnt,
                                      .len = frame->len,
                                      .orig_len = frame->orig_len,
                                      .next = NONE,
                                      .bytes = frame->len,
                                      .in_port = frame->in_port,
                                      .link = frame->link,
                                      .n_frames = 1};
    }
    struct held *u = &d->held[unit];
    u->plain = frame == p && !(frame->flags & PKT_REASSEMBLED);
    u->l3_at = f->l3_at;
    u->payload_at = f->payload_at;
    u->payload_len = f->len;
    u->off = f->off;
    u->ttl = p->ip_ttl;
    return unit;
}

static void enter(struct defrag *d, struct datagram *g, const struct packet *p, const struct fragment *f,
                  uint32_t unit)
{
    const struct held *u = &d->held[unit];
    uint32_t end = f->off + f->len;

    if (g->first == NONE) {
        g->fate = f->fate;
        g->ttl = u->ttl;
    }
    if (u->plain && u->ttl != g->ttl) {
        g->even_ttl = true;
        g->ttl = u->ttl < g->ttl ? u->ttl : g->ttl;
    }
    if (f->off == 0 && g->head_len == 0) {
        memcpy(g->head, p->data + p->l3_off, f->header);
        g->head_len = f->header;
        g->head_unit = unit;
        g->head_next = p->ip_proto;
    }
    if (!f->more)
        g->total = end;
    if (end > g->reach)
        g->reach = end;
    g->n_blocks += blocks_missing(g, f->off / 8, (end + 7) / 8, true);
    unit_append(d, g, unit);
}

static bool is_whole(const struct datagram *g)
{
    return g->total && g->n_blocks == (g->total + 7) / 8;
}

static void make_whole(struct defrag *d, struct datagram *g, const struct packet *frame,
                       const struct packet *last, struct counters *c)
{
    counter_add(c, CTR_DEFRAG_WHOLE, 1);
    datagram_join(d, g, frame, last, c);
    set_rebase(d, g);
    d->even_ttl = g->even_ttl;
    d->ttl = g->ttl;
    datagram_take_set(d, g);
}

/* A fragment where others are already: DEFRAG_HELD when the policy takes it. */
static enum defrag_answer overlap(struct defrag *d, struct datagram *g, const struct fragment *f,
                                  struct packet *p, struct counters *c)
{
    uint32_t same = same_place(d, g, f);

    if (same == NONE || !unit_equals(d, same, p->data + p->payload_off, f->len))
        odd(p, c, AN_IPV4_FRAG_OVERLAP, AN_IPV6_FRAG_OVERLAP, DROP_NONE);
    if (policy_of(d, g) != DEFRAG_POLICY_DROP) {
        g->overlaps = true;
        return DEFRAG_HELD;
    }
    if (same != NONE)
        return drop(p, DROP_DEFRAG_DUPLICATE);
    counter_add(c, CTR_DEFRAG_REFUSED, 1);
    datagram_refuse(d, g, DROP_DEFRAG_OVERLAP);
    return drop(p, DROP_DEFRAG_OVERLAP);
}

static enum defrag_answer take(struct defrag *d, const struct packet *frame, struct packet *p,
                               struct counters *c)
{
    uint32_t n_frames = frame->flags & PKT_REASSEMBLED ? d->set.n : 1;
    struct fragment f;

    if (!fragment_read(d, frame, p, &f, c))
        return DEFRAG_DROP;
    budget_make_room(d, &f.key, c);
    struct datagram *g = datagram_find(d, &f.key);
    if (!g)
        g = datagram_new(d, &f.key, frame->now_ns, c);
    if (g->refused)
        return drop(p, g->refused);
    enum drop_reason why = offence(d, g, &f, n_frames, p, c);
    if (why != DROP_NONE) {
        counter_add(c, CTR_DEFRAG_REFUSED, 1);
        datagram_refuse(d, g, why);
        return drop(p, why);
    }
    if (overlaps(g, &f) && overlap(d, g, &f, p, c) == DEFRAG_DROP)
        return DEFRAG_DROP;
    enter(d, g, p, &f, unit_make(d, frame, p, &f));
    if (is_whole(g)) {
        make_whole(d, g, frame, p, c);
        return DEFRAG_WHOLE;
    }
    d->current = (uint32_t)(g - d->datagrams);
    return DEFRAG_HELD;
}

enum defrag_answer defrag_take(struct defrag *d, const struct packet *frame, struct packet *p,
                               struct counters *c)
{
    enum defrag_answer a;

    d->current = NONE;
    if (!(frame->flags & PKT_REASSEMBLED)) {
        d->depth = 0;
    } else {
        if (++d->depth == DEPTH_MAX) {
            d->depth--;
            return drop(p, DROP_DEFRAG_INVALID);
        }
        if (d->even_ttl && d->cfg.inline_mode)
            set_even_ttl(d); /* before its frames are parts of something else */
    }
    a = take(d, frame, p, c);
    counter_set(c, CTR_DEFRAG_HELD, d->n_held);
    return a;
}

struct packet *defrag_whole(struct defrag *d)
{
    return &d->whole[d->depth];
}

unsigned defrag_whole_frames(const struct defrag *d)
{
    return d->set.n;
}

void defrag_refuse(struct defrag *d, enum drop_reason why, struct counters *c)
{
    struct datagram *g = datagram_at(d, d->current);

    if (!g || g->refused)
        return;
    counter_add(c, CTR_DEFRAG_REFUSED, 1);
    datagram_refuse(d, g, why);
}

void defrag_settle(struct defrag *d, enum verdict verdict, enum drop_reason why, struct counters *c)
{
    if (verdict == VERDICT_FORWARD && d->cfg.inline_mode) {
        if (defrag_whole(d)->flags & PKT_REWRITTEN)
            set_write_back(d);
        if (d->even_ttl) {
            counter_add(c, CTR_DEFRAG_TTL, 1);
            set_even_ttl(d);
        }
    }
    leave_with(d, &d->set, verdict, why);
}

void defrag_hand_on(struct defrag *d)
{
    leave_with(d, &d->set, VERDICT_FORWARD, DROP_NONE);
}
