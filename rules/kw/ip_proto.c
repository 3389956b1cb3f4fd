/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ip_proto and sameip: what an `ip` rule can ask of the IP header.
 *
 * ip_proto takes a number or a name of IANA's protocol list, with !, < or > before it; it may stand in a rule
 * several times and all must hold. For IPv6 it is the protocol behind the extension headers. A condition that
 * the protocol in the rule's header can never meet is refused by rules/check.c. Matching runs in workers.
 */
#include "rules/keywords.h"
#include "rules/number.h"
#include "rules/source.h"

static const struct {
    const char *name;
    uint8_t number;
} protos[] = {
    {"hopopt", 0},    {"icmp", 1},         {"igmp", 2},    {"ggp", 3},         {"ipip", 4},
    {"ipencap", 4},   {"st", 5},           {"tcp", 6},     {"egp", 8},         {"igp", 9},
    {"pup", 12},      {"udp", 17},         {"hmp", 20},    {"xns-idp", 22},    {"rdp", 27},
    {"iso-tp4", 29},  {"dccp", 33},        {"xtp", 36},    {"ddp", 37},        {"idpr-cmtp", 38},
    {"ipv6", 41},     {"rsvp", 46},        {"gre", 47},    {"esp", 50},        {"ah", 51},
    {"skip", 57},     {"ipv6-icmp", 58},   {"icmpv6", 58}, {"ipv6-nonxt", 59}, {"ipv6-opts", 60},
    {"rspf", 73},     {"vmtp", 81},        {"eigrp", 88},  {"ospf", 89},       {"ospfigp", 89},
    {"ax.25", 93},    {"etherip", 97},     {"encap", 98},  {"pim", 103},       {"ipcomp", 108},
    {"vrrp", 112},    {"l2tp", 115},       {"isis", 124},  {"sctp", 132},      {"fc", 133},
    {"udplite", 136}, {"mpls-in-ip", 137},
};

static bool parse_ip_proto(struct draft *d, const struct option *o)
{
    struct span word = o->value;
    uint32_t signs = 0;
    struct draft_step *s;

    while (signs < word.len && text_is_one_of(word.p[signs], "!<>="))
        signs++;
    word = text_trim(span_sub(word, signs, word.len));
    for (size_t i = 0; i < sizeof(protos) / sizeof(protos[0]); i++) {
        if (!text_eq_nocase(word, protos[i].name))
            continue;
        if (signs > 1 || (signs == 1 && o->value.p[0] != '!'))
            return draft_fail(d, o->value.p, o->kw->usage, "ip_proto: < and > need a number, not a name");
        s = draft_step_add(d, o->kw, o->name.p);
        if (s == NULL)
            return false;
        s->step.a = s->step.b = protos[i].number;
        s->step.negated = signs == 1;
        return true;
    }
    return number_step(d, o, UINT8_MAX) != NULL;
}

static bool match_ip_proto(const struct step *s, struct eval *e)
{
    return (e->facts->flags & (FACT_IPV4 | FACT_IPV6)) && number_match(s, e->facts->ip_proto);
}

static bool parse_sameip(struct draft *d, const struct option *o)
{
    return draft_step_add(d, o->kw, o->name.p) != NULL;
}

static bool match_sameip(const struct step *s, struct eval *e)
{
    return (e->facts->flags & (FACT_IPV4 | FACT_IPV6)) && memcmp(e->facts->src, e->facts->dst, 16) == 0;
}

const struct keyword kw_ip_proto = {
    .name = "ip_proto",
    .usage = "write ip_proto:N; or a name such as udp, gre, ospf; ! before either, < or > before N",
    .value = VALUE_PLAIN,
    .flags = KEYWORD_PACKET,
    .parse = parse_ip_proto,
    .match = match_ip_proto,
};

const struct keyword kw_sameip = {
    .name = "sameip",
    .usage = "write sameip;",
    .value = VALUE_NONE,
    .flags = KEYWORD_ONCE | KEYWORD_PACKET,
    .parse = parse_sameip,
    .match = match_sameip,
};
