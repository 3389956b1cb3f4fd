/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fragbits and ipopts: bits of the IPv4 header.
 *
 *     fragbits:[+|*|!]letters of M D R;     the modifier may stand behind them, too
 *     ipopts:rr|eol|nop|ts|sec|esec|lsrr|ssrr|satid|any;
 *
 * Without a modifier the fragment bits must be exactly those. `+` means these and perhaps others (Snort; Suricata
 * wants at least one other), `*` any of them, `!` not all of them in Suricata's rules and none of them in
 * Snort's. ipopts holds when the option is in the header, wherever. Neither holds for IPv6. Matching runs in workers.
 */
#include <ctype.h>

#include "rules/keywords.h"
#include "rules/source.h"

enum bits_mode { BITS_EXACT, BITS_PLUS, BITS_ANY, BITS_NOT_ALL, BITS_NONE };
enum { BIT_MORE = 0x20, BIT_DONT = 0x40, BIT_RESERVED = 0x80 }; /* of the header's byte 6 */

static uint8_t letter_bit(uint8_t c)
{
    c = (uint8_t)toupper(c);
    return c == 'M' ? BIT_MORE : c == 'D' ? BIT_DONT : c == 'R' ? BIT_RESERVED : 0;
}

static bool parse_fragbits(struct draft *d, const struct option *o)
{
    uint8_t mode = BITS_EXACT, bits = 0;
    struct draft_step *s;

    for (uint32_t i = 0; i < o->value.len; i++) {
        uint8_t c = o->value.p[i], bit = letter_bit(c);
        uint8_t sign = c == '+'   ? BITS_PLUS
                       : c == '*' ? BITS_ANY
                       : c == '!' ? (d->dialect == DIALECT_SURICATA ? BITS_NOT_ALL : BITS_NONE)
                                  : BITS_EXACT;

        if (isspace(c))
            continue;
        if (bit == 0 && (sign == BITS_EXACT || mode != BITS_EXACT))
            return draft_fail(d, o->value.p + i, o->kw->usage, "fragbits: '%c' in '%.*s'",
                              isprint(c) ? c : '?', TEXT_ARG(o->value));
        bits |= bit;
        mode = bit == 0 ? sign : mode;
    }
    if (bits == 0)
        return draft_fail(d, o->value.p, o->kw->usage, "fragbits: no bit in '%.*s'", TEXT_ARG(o->value));
    s = draft_step_add(d, o->kw, o->name.p);
    if (s == NULL)
        return false;
    s->step.flags = mode;
    s->step.a = bits;
    s->step.b = d->dialect == DIALECT_SURICATA; /* `+` wants others */
    return true;
}

static bool match_fragbits(const struct step *s, struct eval *e)
{
    uint8_t seen = (uint8_t)(e->facts->ip_frag >> 8) & (BIT_MORE | BIT_DONT | BIT_RESERVED);
    uint8_t bits = (uint8_t)s->a;

    if (!(e->facts->flags & FACT_IPV4))
        return false;
    switch (s->flags) {
    case BITS_PLUS:
        return (seen & bits) == bits && (s->b == 0 || seen != bits);
    case BITS_ANY:
        return (seen & bits) != 0;
    case BITS_NOT_ALL:
        return (seen & bits) != bits;
    case BITS_NONE:
        return (seen & bits) == 0;
    default:
        return seen == bits;
    }
}

/* --- ipopts ---------------------------------------------------------------------------------------------------- */

#define IPOPT_ANY (-1)

static const struct {
    const char *word;
    int type; /* the option's first byte (RFC 791, RFC 1108) */
} ipopts[] = {
    {"rr", 7},     {"eol", 0},     {"nop", 1},    {"ts", 68},     {"sec", 130},       {"esec", 133},
    {"lsrr", 131}, {"lsrre", 131}, {"ssrr", 137}, {"satid", 136}, {"any", IPOPT_ANY},
};

static bool parse_ipopts(struct draft *d, const struct option *o)
{
    size_t i = 0, n = sizeof(ipopts) / sizeof(ipopts[0]);
    struct draft_step *s;

    while (i < n && !text_eq_nocase(o->value, ipopts[i].word))
        i++;
    if (i == n)
        return draft_fail(d, o->value.p, o->kw->usage, "ipopts: unknown option '%.*s'", TEXT_ARG(o->value));
    s = draft_step_add(d, o->kw, o->name.p);
    if (s == NULL)
        return false;
    s->step.a = ipopts[i].type;
    return true;
}

static bool match_ipopts(const struct step *s, struct eval *e)
{
    struct span hdr = e->facts->l3_hdr;

    if (!(e->facts->flags & FACT_IPV4) || hdr.len <= 20)
        return false;
    if (s->a == IPOPT_ANY)
        return true;
    for (uint32_t i = 20; i < hdr.len;) {
        if (hdr.p[i] == s->a)
            return true;
        if (hdr.p[i] == 0)
            return false;
        if (hdr.p[i] == 1) {
            i++;
            continue;
        }
        if (i + 1 >= hdr.len || hdr.p[i + 1] < 2)
            return false;
        i += hdr.p[i + 1];
    }
    return false;
}

const struct keyword kw_fragbits = {
    .name = "fragbits",
    .usage = "write fragbits:M; or fragbits:!DM; with letters of M D R and one of + * ! before them",
    .value = VALUE_PLAIN,
    .flags = KEYWORD_PACKET,
    .parse = parse_fragbits,
    .match = match_fragbits,
};

const struct keyword kw_ipopts = {
    .name = "ipopts",
    .usage = "write ipopts: and one of rr eol nop ts sec esec lsrr ssrr satid any",
    .value = VALUE_PLAIN,
    .flags = KEYWORD_PACKET,
    .parse = parse_ipopts,
    .match = match_ipopts,
};
