/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keywords that compare one number of the packet's headers, beyond those of packet.c: ack, seq, window, tcp.mss,
 * tos, fragoffset, icmp_id, icmp_seq, icmpv6.mtu.
 *
 * They share the notation of rules/number.h. What a packet has not does not compare: no MSS option, no tcp.mss; an
 * ICMP message without identifier, no icmp_id. All are about one packet (rules/check.c). Matching runs in workers;
 * options are walked in the header's own bytes, within their length.
 */
#include "rules/dialect.h"
#include "rules/keywords.h"
#include "rules/number.h"
#include "rules/source.h"

static bool parse_u8(struct draft *d, const struct option *o)
{
    return number_step(d, o, UINT8_MAX) != NULL;
}

static bool parse_u16(struct draft *d, const struct option *o)
{
    return number_step(d, o, UINT16_MAX) != NULL;
}

static bool parse_u32(struct draft *d, const struct option *o)
{
    return number_step(d, o, UINT32_MAX) != NULL;
}

/* The offset field counts units of 8 bytes and has 13 bits. */
static bool parse_fragoffset(struct draft *d, const struct option *o)
{
    return number_step(d, o, 0x1fff) != NULL;
}

static bool match_ack(const struct step *s, struct eval *e)
{
    return (e->facts->flags & FACT_TCP) && number_match(s, e->facts->tcp_ack);
}

static bool match_seq(const struct step *s, struct eval *e)
{
    return (e->facts->flags & FACT_TCP) && number_match(s, e->facts->tcp_seq);
}

static bool match_window(const struct step *s, struct eval *e)
{
    return (e->facts->flags & FACT_TCP) && number_match(s, e->facts->tcp_window);
}

/* The value of the first option of this kind and length; -1 when there is none (RFC 9293, 3.1). */
static int64_t tcp_option_u16(struct span hdr, uint8_t kind)
{
    for (uint32_t i = 20; i < hdr.len && hdr.p[i] != 0;) {
        if (hdr.p[i] == 1) {
            i++;
            continue;
        }
        if (i + 1 >= hdr.len || hdr.p[i + 1] < 2 || hdr.p[i + 1] > hdr.len - i)
            return -1;
        if (hdr.p[i] == kind && hdr.p[i + 1] == 4)
            return load_be16(hdr.p + i + 2);
        i += hdr.p[i + 1];
    }
    return -1;
}

static bool match_tcp_mss(const struct step *s, struct eval *e)
{
    int64_t mss = e->facts->flags & FACT_TCP ? tcp_option_u16(e->facts->l4_hdr, 2) : -1;

    return mss >= 0 && number_match(s, (uint32_t)mss);
}

/* IPv4's type of service, IPv6's traffic class. */
static bool match_tos(const struct step *s, struct eval *e)
{
    return (e->facts->flags & (FACT_IPV4 | FACT_IPV6)) && number_match(s, e->facts->ip_tos);
}

static bool match_fragoffset(const struct step *s, struct eval *e)
{
    return (e->facts->flags & (FACT_IPV4 | FACT_IPV6)) && number_match(s, e->facts->ip_frag & 0x1fff);
}

/* Queries and their answers carry an identifier and a sequence number (RFC 792, RFC 4443). */
static bool has_id(const struct facts *f)
{
    if (!(f->flags & FACT_ICMP) || (f->flags & FACT_FRAGMENT))
        return false;
    if (f->flags & FACT_IPV6)
        return f->icmp_type == 128 || f->icmp_type == 129;
    return f->icmp_type == 0 || f->icmp_type == 8 || (f->icmp_type >= 13 && f->icmp_type <= 18);
}

static bool match_icmp_id(const struct step *s, struct eval *e)
{
    return has_id(e->facts) && number_match(s, e->facts->icmp_id);
}

static bool match_icmp_seq(const struct step *s, struct eval *e)
{
    return has_id(e->facts) && number_match(s, e->facts->icmp_seq);
}

/* Only Packet Too Big has one (RFC 4443, 3.2). */
static bool match_icmpv6_mtu(const struct step *s, struct eval *e)
{
    const struct facts *f = e->facts;

    return (f->flags & (FACT_ICMP | FACT_IPV6)) == (FACT_ICMP | FACT_IPV6) && f->icmp_type == 2 &&
           f->l4_hdr.len >= 8 && number_match(s, load_be32(f->l4_hdr.p + 4));
}

#define FORMS(word) \
    "write " word ":N; with !, <, <=, > or >= before N, or " word ":a<>b; for the numbers between"
#define ROW_IN(symbol, word, parser, matcher, flag, in)                   \
    const struct keyword kw_##symbol = {.name = word,                     \
                                        .usage = FORMS(word),             \
                                        .value = VALUE_PLAIN,             \
                                        .flags = KEYWORD_PACKET | (flag), \
                                        .dialects = in,                   \
                                        .parse = parser,                  \
                                        .match = matcher}
#define ROW(symbol, word, parser, matcher, flag) ROW_IN(symbol, word, parser, matcher, flag, 0)

ROW(ack, "ack", parse_u32, match_ack, KEYWORD_TCP);
ROW(seq, "seq", parse_u32, match_seq, KEYWORD_TCP);
ROW(window, "window", parse_u16, match_window, KEYWORD_TCP);
ROW_IN(tcp_window, "tcp.window", parse_u16, match_window, KEYWORD_TCP, IN_SURICATA);
ROW_IN(tcp_mss, "tcp.mss", parse_u16, match_tcp_mss, KEYWORD_TCP, IN_SURICATA);
ROW(tos, "tos", parse_u8, match_tos, 0);
ROW(fragoffset, "fragoffset", parse_fragoffset, match_fragoffset, 0);
ROW(icmp_id, "icmp_id", parse_u16, match_icmp_id, KEYWORD_ICMP);
ROW(icmp_seq, "icmp_seq", parse_u16, match_icmp_seq, KEYWORD_ICMP);
ROW_IN(icmpv6_mtu, "icmpv6.mtu", parse_u32, match_icmpv6_mtu, KEYWORD_ICMP, IN_SURICATA);
