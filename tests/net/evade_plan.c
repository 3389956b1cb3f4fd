/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Variant number n of seed s: how one sender gets a stream that holds an attack past an inspector. The classes are the
 * rows of a table; the last one combines whatever the others do. A class cuts the stream into pieces, orders them, and
 * puts chaff around them: packets that say something else about the same bytes.
 *
 * What a chaff packet may say depends on what its receiver makes of it (enum fate). In an attack chaff says anything. In
 * a harmless run, packets that a receiver surely discards carry other bytes, those that it might take carry the same
 * bytes as the stream, and those that would end a connection are not sent.
 */
#include <string.h>
#include "tests/net/evade.h"
#include "tests/net/evade_parts.h"

/* One for anywhere in a stream, one for its very beginning. test_evasion.py has rules about both, in many options. */
const char *const plan_attack[2] = {
    "GET /cgi-bin/evil-7f3a.sh?cmd=cat%20/etc/shadow&len=4096&key=zzqq HTTP/1.0",
    "POST /adm1n-zap?target=all&really=yes HTTP/1.1",
};
bool plan_decoys;
/* Harmless: one letter of one of these is another. */
static const char *const must_have[2][3] = {{"/cgi-bin/", "evil-", "/etc/shadow"},
                                            {"POST /", "adm1n-", "really=yes"}};

/* --- steps ---------------------------------------------------------------------------------------------------- */

static struct step *add_step(struct builder *b, enum step_kind kind)
{
    struct variant *v = b->v;
    struct step *s = &v->step[v->n_steps < STEPS_MAX - 1 ? v->n_steps++ : STEPS_MAX - 1];
    *s = (struct step){.kind = (uint8_t)kind, .seed = rng_next(&b->r), .flags = ACK};
    return s;
}

static struct step *add_data(struct builder *b, int32_t off, unsigned len)
{
    struct step *s = add_step(b, SEND);
    s->off = off;
    s->len = (uint16_t)(len > 1400 && !b->v->udp ? 1400 : len);
    s->flags = rng_chance(&b->r, 30) ? ACK | PSH : ACK;
    return s;
}

static void wait_ack(struct builder *b, int32_t off)
{
    add_step(b, WAIT_ACK)->off = off;
}

static void add_chaff(struct builder *b, const struct chaff *c, int32_t off, unsigned len)
{
    if (off < 0) {
        len -= len < (unsigned)-off ? len : (unsigned)-off;
        off = 0;
    }
    struct step *s = add_data(b, off, len);
    s->chaff = b->v->mode == MODE_ATTACK || c->fate == DISCARDED;
    c->make(b, s);
}

/* --- pieces --------------------------------------------------------------------------------------------------- */

static void add_piece(struct builder *b, unsigned off, unsigned len)
{
    while (len > 0 && b->n_pieces < sizeof b->piece / sizeof *b->piece) {
        unsigned take = len > 1400 ? 1400 : len;
        b->piece[b->n_pieces++] = (struct piece){(int32_t)off, take};
        off += take;
        len -= take;
    }
}

/* The stream cut at the given places, in any order and twice if it must be. */
static void cut_at(struct builder *b, unsigned *at, unsigned n)
{
    b->n_pieces = 0;
    for (unsigned i = 1; i < n; i++) {
        for (unsigned j = i; j > 0 && at[j - 1] > at[j]; j--) {
            unsigned t = at[j];
            at[j] = at[j - 1];
            at[j - 1] = t;
        }
    }
    unsigned from = 0;
    for (unsigned i = 0; i < n; i++) {
        if (at[i] > from && at[i] < b->v->len) {
            add_piece(b, from, at[i] - from);
            from = at[i];
        }
    }
    add_piece(b, from, b->v->len - from);
}

/* Cuts inside the attack at n places, and sometimes elsewhere. */
static void cut_attack(struct builder *b, unsigned n)
{
    unsigned at[16];
    for (unsigned i = 0; i < n && i < 16; i++) {
        at[i] = b->attack_at + rng_range(&b->r, 1, b->attack_len - 1);
        if (rng_chance(&b->r, 10))
            at[i] = rng_below(&b->r, b->v->len);
    }
    cut_at(b, at, n);
}

static void cut_bytes(struct builder *b)
{
    unsigned size = rng_range(&b->r, 1, 3);
    b->n_pieces = 0;
    add_piece(b, 0, b->attack_at);
    for (unsigned i = 0; i < b->attack_len; i += size)
        add_piece(b, b->attack_at + i, size < b->attack_len - i ? size : b->attack_len - i);
    add_piece(b, b->attack_at + b->attack_len, b->v->len - b->attack_at - b->attack_len);
}

static void cut_any(struct builder *b)
{
    unsigned how = rng_below(&b->r, 10);
    if (how == 0)
        cut_bytes(b);
    else
        cut_attack(b, rng_below(&b->r, how < 8 ? 6 : 12));
}

/* Permutation number k of the pieces (all of them are reached when there are up to six). */
static void order(struct builder *b, unsigned k)
{
    for (unsigned i = 0; i + 1 < b->n_pieces; i++) {
        unsigned j = i + k % (b->n_pieces - i);
        k /= b->n_pieces - i;
        struct piece t = b->piece[j];
        memmove(&b->piece[i + 1], &b->piece[i], (j - i) * sizeof t);
        b->piece[i] = t;
    }
}

static void order_some(struct builder *b, unsigned percent)
{
    if (rng_chance(&b->r, percent))
        order(b, rng_next(&b->r));
}

/* A copy that overlaps the piece in one of the ways there are. */
static void add_overlap(struct builder *b, const struct chaff *c, const struct piece *p)
{
    int32_t off = p->off, len = (int32_t)p->len,
            x = (int32_t)rng_range(&b->r, 1, rng_chance(&b->r, 50) ? 8 : 200);
    switch (rng_below(&b->r, 7)) {
    case 0: /* exact */
    case 1:
        break;
    case 2: /* its front and what lies before */
        off -= x;
        len = x + (int32_t)rng_range(&b->r, 1, p->len);
        break;
    case 3: /* its back and what lies behind */
        off += (int32_t)rng_below(&b->r, p->len);
        break;
    case 4: /* contained */
        off += (int32_t)rng_below(&b->r, p->len);
        len = (int32_t)rng_range(&b->r, 1, (unsigned)(p->off + len - off));
        break;
    case 5: /* containing */
        off -= x;
        len += 2 * x;
        break;
    default: /* longer at its end */
        len += x;
    }
    if (b->v->mode == MODE_HARMLESS && off + len > (int32_t)b->v->len)
        len = (int32_t)b->v->len - off; /* what lies behind the end would be data, too */
    if (len > 0)
        add_chaff(b, c, off, (unsigned)len);
}

struct style {
    unsigned groups;  /* of chaff; 0: none */
    unsigned percent; /* of pieces that get some */
    bool overlap;     /* good segments that differ */
    unsigned waits;   /* percent of pieces after which the sender waits for the acknowledgement */
};

static void send_pieces(struct builder *b, const struct style *st)
{
    int32_t reached = 0;
    for (unsigned i = 0; i < b->n_pieces; i++) {
        const struct piece *p = &b->piece[i];
        unsigned when = rng_range(&b->r, 1, 3); /* before, behind, both */
        bool some = rng_chance(&b->r, b->n_pieces > 20 ? st->percent / 4 : st->percent);
        for (unsigned pass = 1; pass <= 2; pass++) {
            if (some && when & pass) {
                if (st->groups && (!st->overlap || rng_chance(&b->r, 50)))
                    add_overlap(b, chaff_pick(b, st->groups), p);
                else if (st->overlap)
                    add_overlap(b, &chaff_conflict, p);
            }
            if (pass == 1)
                add_data(b, p->off, p->len);
        }
        if (p->off == reached)
            reached += (int32_t)p->len;
        if (rng_chance(&b->r, st->waits))
            wait_ack(b, reached);
    }
}

/* --- the handshake -------------------------------------------------------------------------------------------- */

static struct step *add_syn(struct builder *b)
{
    struct step *s = add_step(b, SEND);
    s->off = -1;
    s->flags = SYN;
    return s;
}

static void add_ack(struct builder *b)
{
    add_step(b, SEND)->off = 0;
}

static void handshake(struct builder *b)
{
    add_syn(b);
    add_step(b, WAIT_SYNACK);
    add_ack(b);
    if (b->v->mode == MODE_HARMLESS) /* a SYN that overtakes the ACK would end it */
        add_step(b, WAIT_ACCEPT);
}

/* --- the classes ---------------------------------------------------------------------------------------------- */

static void k_split(struct builder *b) /* at each byte in turn */
{
    unsigned n = b->v->number / plan_n_classes();
    unsigned at[3] = {b->attack_at + n % b->attack_len, b->attack_at + n / b->attack_len * 7 % b->attack_len,
                      b->attack_at + rng_below(&b->r, b->attack_len)};
    cut_at(b, at, rng_range(&b->r, 1, 3));
    handshake(b);
    send_pieces(b, &(struct style){.waits = 20});
}

static void k_bytes(struct builder *b)
{
    cut_bytes(b);
    order_some(b, 50);
    handshake(b);
    send_pieces(b, &(struct style){.waits = 2});
}

static void k_order(struct builder *b) /* every order of 2 to 6 pieces */
{
    unsigned n = b->v->number / plan_n_classes();
    cut_attack(b, 1 + n % 5);
    order(b, n / 5);
    handshake(b);
    send_pieces(b, &(struct style){.waits = 5});
}

static void k_overlap(struct builder *b)
{
    cut_any(b);
    order_some(b, 70);
    handshake(b);
    send_pieces(b, &(struct style){.overlap = true, .percent = 60, .waits = 10});
}

static void with_chaff(struct builder *b, unsigned groups)
{
    cut_any(b);
    order_some(b, 40);
    handshake(b);
    send_pieces(b, &(struct style){.groups = groups, .percent = 60, .waits = 20});
}

static void k_checksum(struct builder *b)
{
    with_chaff(b, G_SUM);
}
static void k_ttl(struct builder *b)
{
    with_chaff(b, G_TTL);
}
static void k_window(struct builder *b)
{
    with_chaff(b, G_WINDOW);
}
static void k_paws(struct builder *b)
{
    b->v->timestamps = true;
    with_chaff(b, G_PAWS);
}
static void k_rst(struct builder *b)
{
    with_chaff(b, G_RST);
}
static void k_fin(struct builder *b)
{
    with_chaff(b, G_FIN);
}
static void k_syn(struct builder *b)
{
    with_chaff(b, G_SYN);
}
static void k_fields(struct builder *b)
{
    with_chaff(b, G_FIELDS);
}

static void k_resend(struct builder *b) /* other bytes for what the receiver has acknowledged already */
{
    cut_attack(b, rng_range(&b->r, 1, 5));
    handshake(b);
    for (unsigned i = 0; i < b->n_pieces; i++) {
        const struct piece *p = &b->piece[i];
        int32_t back = (int32_t)rng_below(&b->r, (unsigned)p->off < 1000 ? (unsigned)p->off + 1 : 1000);
        if (p->off && rng_chance(&b->r, 50)) { /* old bytes that differ, and new ones that do not */
            struct step *s = add_data(b, p->off - back, p->len + (unsigned)back);
            s->chaff_to = s->old = p->off;
            int32_t reached = s->off + s->len;
            if (reached < p->off + (int32_t)p->len)
                add_data(b, reached, (unsigned)(p->off + (int32_t)p->len - reached));
        } else {
            add_data(b, p->off, p->len);
        }
        wait_ack(b, p->off + (int32_t)p->len);
        if (rng_chance(&b->r, 60)) {
            struct step *s = add_data(b, p->off - back, (unsigned)back + p->len);
            s->chaff = true;
            s->old = p->off + (int32_t)p->len;
            if (rng_chance(&b->r, 30))
                s->fault |= LOW_TTL;
        }
    }
}

static void k_urgent(struct builder *b)
{
    struct variant *v = b->v;
    unsigned at = b->attack_at + rng_range(&b->r, 1, b->attack_len - 2);
    bool inside = v->mode == MODE_HARMLESS || rng_chance(&b->r, 50);
    v->port = inside ? PORT_URGENT_INLINE : PORT_PLAIN;
    if (!inside) { /* one byte more, which an ordinary receiver takes out */
        memmove(v->real + at + 1, v->real + at, v->len - at);
        v->real[at] = 'U';
        v->chaff[v->len] = 'C';
        v->len++;
        b->attack_len++;
    }
    unsigned cuts[2] = {at - rng_below(&b->r, at > 20 ? 20 : at), at + rng_range(&b->r, 1, 10)};
    cut_at(b, cuts, rng_below(&b->r, 3));
    order_some(b, 20);
    handshake(b);
    unsigned how = rng_below(&b->r, 4);
    if (how == 0) { /* announced by a segment without data */
        struct step *s = add_step(b, SEND);
        s->flags = ACK | URG;
        s->urgent = (uint16_t)(at + 1);
    }
    for (unsigned i = 0; i < b->n_pieces; i++) {
        const struct piece *p = &b->piece[i];
        struct step *s = add_data(b, p->off, p->len);
        bool covers = p->off <= (int32_t)at && (int32_t)at < p->off + (int32_t)s->len;
        if (p->off <= (int32_t)at && (how == 1 ? !covers || i == 0 : how >= 2 && covers)) {
            s->flags |= URG; /* by itself, or ahead of time by one before */
            s->urgent = (uint16_t)(at + 1 - (unsigned)p->off);
        }
    }
}

static void k_handshake(struct builder *b)
{
    struct variant *v = b->v;
    bool attack = v->mode == MODE_ATTACK;
    unsigned how = rng_below(&b->r, attack ? 9 : 6), first = 0;
    struct step *s;
    cut_any(b);
    order_some(b, 30);
    switch (how) {
    case 0: /* a first SYN that never gets there, with another sequence number */
        s = add_syn(b);
        s->seq_add = rng_next(&b->r);
        s->fault |= rng_chance(&b->r, 50) && attack ? LOW_TTL : BAD_TCP_SUM;
        break;
    case 1: /* data in the SYN, which an ordinary receiver does not take */
        s = add_syn(b);
        s->off = 0;
        s->seq_add = (uint32_t)-1;
        s->len = (uint16_t)rng_range(&b->r, 1, v->len < 1000 ? v->len : 1000);
        s->chaff = attack && rng_chance(&b->r, 70);
        add_step(b, WAIT_SYNACK);
        break;
    case 2: /* data in the SYN, and taken */
        v->port = PORT_FAST_OPEN;
        s = add_syn(b);
        s->off = 0;
        s->seq_add = (uint32_t)-1;
        first = rng_range(&b->r, 1, v->len < 1000 ? v->len : 1000);
        s->len = (uint16_t)first;
        s->fault |= rng_chance(&b->r, 70) ? FAST_OPEN : 0;
        break;
    case 3: /* the handshake ends with the first data */
        add_syn(b);
        add_step(b, WAIT_SYNACK);
        send_pieces(b, &(struct style){.waits = 10});
        return;
    case 4: /* twice */
        add_syn(b);
        add_syn(b);
        break;
    case 5: /* data before the answer, with a bad acknowledgement */
        add_syn(b);
        add_chaff(b, &chaff_bad_sum, 0, v->len);
        if (attack) {
            s = add_data(b, 0, v->len);
            s->chaff = rng_chance(&b->r, 50);
            s->ack_add = rng_next(&b->r);
        }
        break;
    case 6: /* data in a SYN that never gets there, then the same with other data */
        v->port = PORT_FAST_OPEN;
        for (int i = 0; i < 2; i++) {
            s = add_syn(b);
            s->off = 0;
            s->seq_add = (uint32_t)-1;
            s->len = (uint16_t)(v->len < 1000 ? v->len : 1000);
            s->chaff = i == 0;
            s->fault |= FAST_OPEN | (i == 0 ? rng_chance(&b->r, 50) ? LOW_TTL : BAD_TCP_SUM : 0);
        }
        break;
    case 7: /* a reset that never gets there */
        add_syn(b);
        s = add_step(b, SEND);
        s->flags = RST;
        s->fault |= LOW_TTL;
        break;
    default: /* a second SYN with another sequence number, which the receiver answers with the first one's */
        add_syn(b);
        s = add_syn(b);
        s->seq_add = rng_next(&b->r);
    }
    if (how != 1 && how != 2)
        add_syn(b);
    else if (how == 1)
        add_ack(b);
    add_step(b, WAIT_SYNACK);
    add_ack(b);
    if (how == 2 && attack && rng_chance(&b->r, 50))
        add_chaff(b, &chaff_conflict, 0, first);
    send_pieces(b, &(struct style){.waits = 10, .overlap = how == 2 && attack, .percent = 30});
}

static void k_spoof(struct builder *b) /* in the server's name, from the client's side */
{
    cut_attack(b, rng_below(&b->r, 4));
    handshake(b);
    for (unsigned i = 0; i < b->n_pieces; i++) {
        const struct piece *p = &b->piece[i];
        if (b->v->mode == MODE_ATTACK) {
            if (rng_chance(&b->r, 60))
                add_overlap(b, rng_chance(&b->r, 50) ? &chaff_bad_sum : &chaff_low_ttl, p);
            struct step *s = add_step(b, SEND);
            s->fault |= SPOOFED;
            s->off = p->off + (int32_t)p->len;
            static const uint8_t flags[] = {ACK, ACK, ACK, RST, RST | ACK, FIN | ACK, SYN | ACK};
            s->flags = flags[rng_below(&b->r, sizeof flags)];
            if (s->flags & SYN)
                s->seq_add = rng_next(&b->r);
        }
        add_data(b, p->off, p->len);
        if (rng_chance(&b->r, 20))
            wait_ack(b, p->off + (int32_t)p->len);
    }
}

/* Odd things about segments that the receiver takes. */
static void dress_odd(struct builder *b, unsigned percent)
{
    for (unsigned i = 0; i < b->v->n_steps; i++) {
        struct step *s = &b->v->step[i];
        if (s->kind == SEND && s->len && !s->chaff && !(s->flags & SYN) && rng_chance(&b->r, percent))
            chaff_odd(b, s);
    }
}

static void k_odd(struct builder *b)
{
    cut_any(b);
    order_some(b, 30);
    handshake(b);
    send_pieces(b, &(struct style){.waits = 20});
    dress_odd(b, rng_range(&b->r, 20, 100));
}

static void k_reuse(struct builder *b) /* one connection, its reset, another one from the same port */
{
    unsigned n = rng_below(&b->r, b->v->len);
    handshake(b);
    if (n)
        add_data(b, 0, n)->chaff = b->v->mode == MODE_ATTACK; /* the first one is harmless in any case */
    wait_ack(b, (int32_t)n);
    struct step *s = add_data(b, (int32_t)(n > 1400 ? 1400 : n), 0);
    s->flags = rng_chance(&b->r, 50) ? RST : RST | ACK;
    s = add_syn(b);
    s->fault |= RESTART;
    add_step(b, WAIT_SYNACK);
    add_ack(b);
    cut_any(b);
    order_some(b, 40);
    send_pieces(b, &(struct style){.waits = 10});
}

static void dress_fragments(struct builder *b, unsigned percent)
{
    for (unsigned i = 0; i < b->v->n_steps; i++) {
        struct step *s = &b->v->step[i];
        if (s->kind == SEND && s->len > 16 && rng_chance(&b->r, percent))
            s->trick = (uint8_t)rng_range(&b->r, 1, FRAG_TRICKS - 1);
    }
}

static void dress_ip(struct builder *b, unsigned percent)
{
    for (unsigned i = 0; i < b->v->n_steps; i++) {
        struct step *s = &b->v->step[i];
        if (s->kind != SEND || !rng_chance(&b->r, percent))
            continue;
        s->ext = (uint8_t)rng_range(&b->r, 1,
                                    b->v->v6 && b->v->mode == MODE_ATTACK && rng_chance(&b->r, 10) ? 40 : 4);
        if (s->len > 1300)
            s->ext = 1;
        if (rng_chance(&b->r, 10))
            s->fault |= PADDED;
    }
}

static void dress_tags(struct builder *b, unsigned percent)
{
    for (unsigned i = 0; i < b->v->n_steps; i++) {
        struct step *s = &b->v->step[i];
        if (s->kind == SEND && rng_chance(&b->r, percent))
            s->tags =
                (uint8_t)rng_range(&b->r, 1, b->v->mode == MODE_ATTACK && rng_chance(&b->r, 5) ? 23 : 7);
    }
}

static void fragmented(struct builder *b)
{
    cut_attack(b, rng_below(&b->r, 3));
    order_some(b, 30);
    handshake(b);
    send_pieces(b, &(struct style){.waits = 10});
    dress_fragments(b, 90);
}

static void k_frag4(struct builder *b)
{
    b->v->v6 = false;
    fragmented(b);
}

static void k_frag6(struct builder *b)
{
    b->v->v6 = true;
    fragmented(b);
    if (rng_chance(&b->r, 40))
        dress_ip(b, 60);
}

static void k_ext6(struct builder *b)
{
    b->v->v6 = true;
    with_chaff(b, G_SUM | G_TTL);
    dress_ip(b, 80);
}

static void k_options4(struct builder *b)
{
    b->v->v6 = false;
    with_chaff(b, G_SUM | G_TTL);
    dress_ip(b, 80);
}

static void k_vlan(struct builder *b)
{
    with_chaff(b, G_VLAN | G_TTL);
    dress_tags(b, rng_range(&b->r, 20, 100));
}

static void k_udp(struct builder *b)
{
    struct variant *v = b->v;
    v->udp = true;
    v->udp_no_sum = rng_chance(&b->r, 25);
    unsigned trick = rng_range(&b->r, 0, FRAG_TRICKS - 1), n = rng_chance(&b->r, 30) ? 2 : 1;
    v->no_excuse = trick != FRAG_OVERLAP && trick != FRAG_TWICE;
    for (unsigned i = 0; i < n; i++) {
        if (n == 2 && i == 0) {
            add_chaff(b, rng_chance(&b->r, 50) ? &chaff_bad_sum : &chaff_low_ttl, 0, v->len);
            if (rng_chance(&b->r, 50))
                dress_fragments(b, 100);
        } else {
            struct step *s = add_data(b, 0, v->len);
            s->trick = (uint8_t)trick;
            s->ext = (uint8_t)(rng_chance(&b->r, 20) ? rng_range(&b->r, 1, 4) : 0);
            s->tags = (uint8_t)(rng_chance(&b->r, 10) ? rng_range(&b->r, 1, 7) : 0);
            v->no_excuse &= !(v->v6 && s->ext); /* a first fragment without the UDP header is nobody's duty */
        }
    }
}

static void k_mixed(struct builder *b)
{
    struct style st = {
        .percent = rng_range(&b->r, 20, 80), .waits = rng_below(&b->r, 30), .overlap = rng_chance(&b->r, 50)};
    for (unsigned i = rng_below(&b->r, 4); i > 0; i--)
        st.groups |= 1u << rng_below(&b->r, GROUPS);
    cut_any(b);
    order_some(b, 60);
    handshake(b);
    send_pieces(b, &st);
    if (rng_chance(&b->r, 40))
        dress_fragments(b, rng_range(&b->r, 5, 60));
    if (rng_chance(&b->r, 30))
        dress_ip(b, rng_range(&b->r, 5, 60));
    if (rng_chance(&b->r, 25))
        dress_tags(b, rng_range(&b->r, 5, 100));
    if (rng_chance(&b->r, 25))
        dress_odd(b, rng_range(&b->r, 5, 60));
}

static const struct class
{
    const char *name;
    void (*make)(struct builder *b);
} classes[] = {
    {"split", k_split},     {"bytes", k_bytes},       {"order", k_order},
    {"overlap", k_overlap}, {"checksum", k_checksum}, {"ttl", k_ttl},
    {"window", k_window},   {"paws", k_paws},         {"rst", k_rst},
    {"fin", k_fin},         {"syn", k_syn},           {"fields", k_fields},
    {"resend", k_resend},   {"urgent", k_urgent},     {"handshake", k_handshake},
    {"spoof", k_spoof},     {"frag4", k_frag4},       {"frag6", k_frag6},
    {"ext6", k_ext6},       {"options4", k_options4}, {"vlan", k_vlan},
    {"udp", k_udp},         {"odd", k_odd},           {"reuse", k_reuse},
    {"mixed", k_mixed},     {"mixed", k_mixed},       {"mixed", k_mixed},
    {"mixed", k_mixed},     {"mixed", k_mixed},       {"mixed", k_mixed},
    {"mixed", k_mixed},     {"mixed", k_mixed},
};

unsigned plan_n_classes(void)
{
    return sizeof classes / sizeof *classes;
}
const char *plan_class_name(unsigned i)
{
    return classes[i].name;
}

/* --- the stream ----------------------------------------------------------------------------------------------- */

static void fill(struct builder *b, uint8_t *to, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        to[i] = "abcdefghijklmnopqrstuvwxyz0123456789 \n"[rng_below(&b->r, 38)];
}

static void make_stream(struct builder *b)
{
    struct variant *v = b->v;
    unsigned which = rng_chance(&b->r, 25), front = 0, back = 0;
    if (!which)
        front = rng_chance(&b->r, 20) ? 0 : rng_below(&b->r, rng_chance(&b->r, 15) ? 4200 : 300);
    if (rng_chance(&b->r, 70))
        back = rng_below(&b->r, rng_chance(&b->r, 10) ? 2800 : 200);
    const char *text = plan_attack[which];
    b->attack_len = (unsigned)strlen(text);
    b->attack_at = front;
    v->len = front + b->attack_len + back;
    fill(b, v->real, front);
    memcpy(v->real + front, text, b->attack_len);
    fill(b, v->real + front + b->attack_len, back);
    if (v->mode == MODE_HARMLESS) {
        const char *word = must_have[which][rng_below(&b->r, 3)];
        size_t at = (size_t)(strstr(text, word) - text) + rng_below(&b->r, (unsigned)strlen(word));
        v->real[front + at] ^= 1;
        if (!which && plan_decoys &&
            rng_chance(&b->r, 30)) { /* what is discarded is the attack: that condemns nobody */
            memcpy(v->chaff, v->real, v->len);
            v->chaff[front + at] ^= 1;
            return;
        }
    }
    for (unsigned i = 0; i < v->len; i++) {
        v->chaff[i] = (uint8_t)('A' + rng_below(&b->r, 26));
        if (v->chaff[i] == v->real[i])
            v->chaff[i] = '#';
    }
}

bool plan_make(struct variant *v, uint64_t seed, uint32_t number, enum mode mode, const char *only)
{
    unsigned class = number % plan_n_classes();
    if (only) {
        for (class = 0; class < plan_n_classes() && strcmp(classes[class].name, only); class ++)
            ;
        if (class == plan_n_classes())
            return false;
    }
    struct builder b = {.v = v, .r = {seed * UINT64_C(0x2545f4914f6cdd1d) + number * 2 + mode}};
    v->seed = seed;
    v->number = number;
    v->mode = mode;
    v->class_name = classes[class].name;
    v->udp = v->udp_no_sum = v->no_excuse = false;
    v->n_steps = 0;
    v->port = PORT_PLAIN;
    v->isn =
        rng_chance(&b.r, 10) ? 0u - rng_below(&b.r, 6000) : rng_next(&b.r); /* sequence numbers wrap, too */
    v->ts_base = rng_chance(&b.r, 10) ? 0u - rng_below(&b.r, 100) : rng_next(&b.r);
    v->v6 = rng_chance(&b.r, 40);
    v->timestamps = rng_chance(&b.r, 60);
    make_stream(&b);
    classes[class].make(&b);
    return true;
}
