/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keywords that compare one number of the packet's headers: dsize, itype, icode, ttl, id.
 *
 * They share the notation of rules/number.h and differ in the field they read and in what must be there for it:
 * an icode test does not hold for TCP, an id test not for IPv6. All of them are about one packet, so a rule with
 * one is never matched on reassembled bytes and its drop holds for the packet (rules/check.c). dsize also tells
 * the checks how long a payload can be.
 *
 * Matching runs in workers and reads facts only.
 */
#include "rules/keywords.h"
#include "rules/number.h"

static bool parse_u8(struct draft *d, const struct option *o)
{
    return number_step(d, o, UINT8_MAX) != NULL;
}

static bool parse_u16(struct draft *d, const struct option *o)
{
    return number_step(d, o, UINT16_MAX) != NULL;
}

static bool parse_dsize(struct draft *d, const struct option *o)
{
    struct draft_step *s = number_step(d, o, UINT16_MAX);

    if (s == NULL)
        return false;
    d->dsize_at = o->name.p;
    if (!s->step.negated) {
        d->min_payload = (uint32_t)s->step.a;
        d->max_payload = (uint32_t)s->step.b;
    }
    return true;
}

static bool match_dsize(const struct step *s, struct eval *e)
{
    return number_match(s, e->facts->payload_len);
}

static bool match_itype(const struct step *s, struct eval *e)
{
    return (e->facts->flags & FACT_ICMP) && number_match(s, e->facts->icmp_type);
}

static bool match_icode(const struct step *s, struct eval *e)
{
    return (e->facts->flags & FACT_ICMP) && number_match(s, e->facts->icmp_code);
}

/* IPv4's time to live, IPv6's hop limit. */
static bool match_ttl(const struct step *s, struct eval *e)
{
    return (e->facts->flags & (FACT_IPV4 | FACT_IPV6)) && number_match(s, e->facts->ip_ttl);
}

static bool match_id(const struct step *s, struct eval *e)
{
    return (e->facts->flags & FACT_IPV4) && number_match(s, e->facts->ip_id);
}

#define FORMS(word) \
    "write " word ":N; with !, <, <=, > or >= before N, or " word ":a<>b; for the numbers between"
#define ROW(word, parser, flag)                                                        \
    const struct keyword kw_##word = {.name = #word,                                   \
                                      .usage = FORMS(#word),                           \
                                      .value = VALUE_PLAIN,                            \
                                      .flags = KEYWORD_ONCE | KEYWORD_PACKET | (flag), \
                                      .parse = parser,                                 \
                                      .match = match_##word}

ROW(dsize, parse_dsize, KEYWORD_BOTH_ENDS);
ROW(itype, parse_u8, KEYWORD_ICMP);
ROW(icode, parse_u8, KEYWORD_ICMP);
ROW(ttl, parse_u8, 0);
ROW(id, parse_u16, 0);
