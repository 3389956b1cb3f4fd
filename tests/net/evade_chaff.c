/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kinds of chaff: what can be wrong about a segment, and what its receiver, Linux, makes of it. One row each. The
 * kinds whose fate is DISCARDED were seen to be discarded by a real receiver behind the kernel's bridge.
 */
#include "tests/net/evade_parts.h"

static void c_tcp_sum(struct builder *b, struct step *s)
{
    s->fault |= BAD_TCP_SUM;
}
static void c_zero_sum(struct builder *b, struct step *s)
{
    s->fault |= ZERO_TCP_SUM;
}
static void c_ip_sum(struct builder *b, struct step *s)
{
    s->fault |= b->v->v6 ? BAD_TCP_SUM : BAD_IP_SUM;
}
static void c_ttl(struct builder *b, struct step *s)
{
    s->fault |= LOW_TTL;
}
static void c_mac(struct builder *b, struct step *s)
{
    s->fault |= OTHER_MAC;
}
static void c_vlan(struct builder *b, struct step *s)
{
    s->fault |= VID_5;
}
static void c_far(struct builder *b, struct step *s)
{
    s->seq_add = rng_range(&b->r, 0x10000000, 0xe0000000);
}
static void c_old(struct builder *b, struct step *s)
{
    s->seq_add = (uint32_t) - (int32_t)(s->off + s->len + rng_below(&b->r, 1 << rng_range(&b->r, 0, 20)));
}
static void c_keepalive(struct builder *b, struct step *s)
{
    s->seq_add = (uint32_t)(-1 - s->off);
    s->len = (uint16_t)rng_below(&b->r, 2);
}
static void c_edge(struct builder *b, struct step *s)
{
    s->fault |= AT_EDGE;
    s->off = rng_chance(&b->r, 50) ? 0 : (int32_t)rng_below(&b->r, 3000);
}
static void c_paws(struct builder *b, struct step *s)
{
    if (!b->v->timestamps)
        s->fault |= BAD_TCP_SUM;
    else /* one tick before the last one is let by */
        s->ts_add = -(int32_t)(2000 + rng_below(&b->r, 1u << rng_range(&b->r, 1, 30)));
}
static void c_paws_edge(struct builder *b, struct step *s)
{
    s->ts_add = 2 - (int32_t)rng_below(&b->r, 6);
}
static void c_ts_future(struct builder *b, struct step *s)
{
    s->ts_add = (int32_t)(1u << rng_range(&b->r, 0, 30));
}
static void c_no_ts(struct builder *b, struct step *s)
{
    s->fault |= NO_TIMESTAMP;
}
static void c_echo(struct builder *b, struct step *s)
{
    s->fault |= BAD_ECHO;
}
static void c_options(struct builder *b, struct step *s)
{
    s->fault |= OPTIONS;
}
static void beyond(struct builder *b, struct step *s)
{
    s->off = (int32_t)(b->v->len + rng_range(&b->r, 7, 500));
}
static void c_rst_far(struct builder *b, struct step *s)
{
    s->flags = rng_chance(&b->r, 50) ? RST : RST | ACK;
    c_far(b, s);
}
static void c_rst_in(struct builder *b, struct step *s)
{
    s->flags = rng_chance(&b->r, 50) ? RST : RST | ACK;
    s->len = 0;
    beyond(b, s);
}
static void c_rst_sum(struct builder *b, struct step *s)
{
    s->flags = RST | ACK;
    s->fault |= BAD_TCP_SUM;
}
static void c_rst(struct builder *b, struct step *s)
{
    s->flags = rng_chance(&b->r, 50) ? RST : RST | ACK;
    s->len = (uint16_t)(rng_chance(&b->r, 50) ? 0 : s->len);
}
static void c_rst_ttl(struct builder *b, struct step *s)
{
    c_rst(b, s);
    s->fault |= LOW_TTL;
}
static void c_rst_mac(struct builder *b, struct step *s)
{
    c_rst(b, s);
    s->fault |= OTHER_MAC;
}
static void c_rst_near(struct builder *b, struct step *s)
{
    c_rst(b, s);
    s->off += (int32_t)rng_below(&b->r, 5) - 2;
}
static void c_rst_paws(struct builder *b, struct step *s)
{
    c_rst(b, s);
    c_paws(b, s);
}
static void c_fin_far(struct builder *b, struct step *s)
{
    s->flags = FIN | ACK;
    c_far(b, s);
}
static void c_fin_sum(struct builder *b, struct step *s)
{
    s->flags = FIN | ACK;
    s->fault |= BAD_TCP_SUM;
}
static void c_fin_paws(struct builder *b, struct step *s)
{
    s->flags = FIN | ACK;
    c_paws(b, s);
}
static void c_fin(struct builder *b, struct step *s)
{
    s->flags = FIN | ACK;
    s->len = (uint16_t)rng_below(&b->r, s->len + 1u);
}
static void c_fin_ttl(struct builder *b, struct step *s)
{
    c_fin(b, s);
    s->fault |= LOW_TTL;
}
static void c_fin_beyond(struct builder *b, struct step *s)
{
    s->flags = FIN | ACK;
    beyond(b, s);
}
static void c_fin_no_ack(struct builder *b, struct step *s)
{
    s->flags = FIN;
}
static void c_syn(struct builder *b, struct step *s)
{
    s->flags = rng_chance(&b->r, 60) ? SYN : SYN | ACK;
    if (s->len > 1360)
        s->len = 1360;
}
static void c_syn_far(struct builder *b, struct step *s)
{
    c_syn(b, s);
    s->seq_add = rng_next(&b->r) | 0x01000000;
}
static void c_syn_ttl(struct builder *b, struct step *s)
{
    c_syn_far(b, s);
    s->fault |= LOW_TTL;
}
static void c_no_ack(struct builder *b, struct step *s)
{
    s->flags = rng_chance(&b->r, 50) ? 0 : PSH;
}
static void c_christmas(struct builder *b, struct step *s)
{
    s->flags = FIN | PSH | URG;
}
static void c_ack_future(struct builder *b, struct step *s)
{
    s->ack_add = rng_range(&b->r, 1, 0x3fffffff);
}
static void c_ack_old(struct builder *b, struct step *s)
{
    s->ack_add = 0u - rng_range(&b->r, 0x4000000, 0x3fffffff);
}
static void c_ack_older(struct builder *b, struct step *s)
{
    s->ack_add = 0u - rng_range(&b->r, 1, 70000);
}
static void c_md5(struct builder *b, struct step *s)
{
    s->fault |= MD5_OPTION;
}
static void c_short(struct builder *b, struct step *s)
{
    s->fault |= SHORT_HEADER;
}
static void c_long(struct builder *b, struct step *s)
{
    s->fault |= LONG_HEADER;
    s->len = 5;
}
static void c_version(struct builder *b, struct step *s)
{
    s->fault |= BAD_VERSION;
}
static void c_truncated(struct builder *b, struct step *s)
{
    s->fault |= TRUNCATED;
}
static void c_routing(struct builder *b, struct step *s)
{
    s->fault |= b->v->v6 ? ROUTING_LEFT : BAD_IP_SUM;
}
static void c_nothing(struct builder *b, struct step *s) {}

static const struct chaff chaffs[] = {
    {G_SUM, DISCARDED, c_tcp_sum},
    {G_SUM, DISCARDED, c_zero_sum},
    {G_SUM, DISCARDED, c_ip_sum},
    {G_TTL, MAYBE, c_ttl},
    {G_TTL, MAYBE, c_mac},
    {G_VLAN, DISCARDED, c_vlan},
    {G_WINDOW, DISCARDED, c_far},
    {G_WINDOW, DISCARDED, c_old},
    {G_WINDOW, DISCARDED, c_keepalive},
    {G_WINDOW, DISCARDED, c_edge},
    {G_PAWS, DISCARDED, c_paws},
    {G_PAWS, MAYBE, c_paws_edge},
    {G_PAWS, ENDS, c_ts_future},
    {G_PAWS, MAYBE, c_no_ts},
    {G_PAWS, MAYBE, c_echo},
    {G_RST, DISCARDED, c_rst_far},
    {G_RST, DISCARDED, c_rst_in},
    {G_RST, DISCARDED, c_rst_sum},
    {G_RST, ENDS, c_rst},
    {G_RST, ENDS, c_rst_ttl},
    {G_RST, ENDS, c_rst_mac},
    {G_RST, ENDS, c_rst_near},
    {G_RST, ENDS, c_rst_paws},
    {G_FIN, DISCARDED, c_fin_far},
    {G_FIN, DISCARDED, c_fin_sum},
    {G_FIN, DISCARDED, c_fin_paws},
    {G_FIN, DISCARDED, c_fin_no_ack},
    {G_FIN, ENDS, c_fin},
    {G_FIN, ENDS, c_fin_ttl},
    {G_FIN, ENDS, c_fin_beyond},
    {G_SYN, DISCARDED, c_syn},
    {G_SYN, DISCARDED, c_syn_far},
    {G_SYN, ENDS, c_syn_ttl},
    {G_FIELDS, DISCARDED, c_no_ack},
    {G_FIELDS, DISCARDED, c_christmas},
    {G_FIELDS, DISCARDED, c_ack_future},
    {G_FIELDS, MAYBE, c_ack_old}, /* Linux looks at it on its slow path only */
    {G_FIELDS, MAYBE, c_ack_older},
    {G_FIELDS, MAYBE, c_md5},
    {G_FIELDS, DISCARDED, c_short},
    {G_FIELDS, DISCARDED, c_long},
    {G_FIELDS, DISCARDED, c_version},
    {G_FIELDS, DISCARDED, c_truncated},
    {G_FIELDS, MAYBE, c_routing},
    {G_FIELDS, MAYBE, c_options},
};
const struct chaff chaff_conflict = {0, MAYBE, c_nothing};
const struct chaff chaff_bad_sum = {G_SUM, DISCARDED, c_tcp_sum};
const struct chaff chaff_low_ttl = {G_TTL, MAYBE, c_ttl};

const struct chaff *chaff_pick(struct builder *b, unsigned groups)
{
    for (;;) {
        const struct chaff *c = &chaffs[rng_below(&b->r, sizeof chaffs / sizeof *chaffs)];
        if (c->group & groups && (b->v->mode == MODE_ATTACK || c->fate != ENDS))
            return c;
    }
}

void chaff_odd(struct builder *b, struct step *s)
{
    switch (rng_below(&b->r, 9)) {
    case 0:
        s->fault |= NO_TIMESTAMP;
        break;
    case 1:
        c_ack_old(b, s); /* Linux lets it by on its fast path */
        break;
    case 2:
        s->ack_add = 0u - rng_below(&b->r, 3);
        break;
    case 3:
        s->ts_add = -1; /* within what Linux forgives */
        break;
    case 4:
        s->fault |= OPTIONS;
        break;
    case 5:
        s->fault |= BAD_ECHO;
        break;
    case 6:
        s->flags |= rng_chance(&b->r, 50) ? CWR : ECE;
        break;
    case 7:
        s->fault |= RESERVED_BITS;
        break;
    default:
        s->fault |= LEAST_TTL;
    }
}
