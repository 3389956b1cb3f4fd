/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A rule's header against a packet's facts: protocol, direction and flow state, addresses, ports.
 *
 * The cheap flag tests come first and decide most rules. Ports exist for TCP, UDP and SCTP only: a rule that names ports
 * never matches another protocol or a fragment. <> tries the packet's ends both ways round, address and port
 * together. Workers; read-only.
 */
#include <netinet/in.h>

#include "rules/ruleset_layout.h"
#include "rules/sets.h"

bool ruleset_addr_in(const struct ruleset *rs, uint16_t set, const uint8_t addr[16])
{
    return addr_set_has(&rs->addr_sets[set], addr);
}

bool ruleset_port_in(const struct ruleset *rs, uint16_t set, uint16_t port)
{
    return port_set_has(&rs->port_sets[set], port);
}

static bool ends_match(const struct ruleset *rs, const struct rule *r, const struct facts *f, bool swapped)
{
    const uint8_t *src = swapped ? f->dst : f->src, *dst = swapped ? f->src : f->dst;
    uint16_t sport = swapped ? f->dport : f->sport, dport = swapped ? f->sport : f->dport;

    return ((r->flags & RULE_ANY_DPORT) || ruleset_port_in(rs, r->dport, dport)) &&
           ((r->flags & RULE_ANY_SPORT) || ruleset_port_in(rs, r->sport, sport)) &&
           ((r->flags & RULE_ANY_SRC) || ruleset_addr_in(rs, r->src, src)) &&
           ((r->flags & RULE_ANY_DST) || ruleset_addr_in(rs, r->dst, dst));
}

/* A flow's protocol is known: ports say nothing any more. */
static bool addrs_match(const struct ruleset *rs, const struct rule *r, const struct facts *f)
{
    for (int swapped = 0; swapped < (r->flags & RULE_BIDIRECTIONAL ? 2 : 1); swapped++)
        if (((r->flags & RULE_ANY_SRC) || ruleset_addr_in(rs, r->src, swapped ? f->dst : f->src)) &&
            ((r->flags & RULE_ANY_DST) || ruleset_addr_in(rs, r->dst, swapped ? f->src : f->dst)))
            return true;
    return false;
}

static bool flow_matches(uint32_t rule, uint32_t facts)
{
    if (!(rule & RULE_NEEDS_FLOW))
        return true;
    if (!(facts & FACT_HAS_FLOW))
        return false;
    if ((rule & RULE_TO_SERVER) && (facts & FACT_TO_CLIENT))
        return false;
    if ((rule & RULE_TO_CLIENT) && !(facts & FACT_TO_CLIENT))
        return false;
    if ((rule & RULE_ESTABLISHED) && !(facts & FACT_ESTABLISHED))
        return false;
    if ((rule & RULE_ONLY_FRAG) && !(facts & FACT_REASSEMBLED))
        return false;
    if ((rule & RULE_NO_FRAG) && (facts & FACT_REASSEMBLED))
        return false;
    return !(rule & RULE_NOT_ESTABLISHED) || !(facts & FACT_ESTABLISHED) || (facts & FACT_SYN);
}

/* icmpv6, ipv4, sctp: one flag of each rule's header. */
static bool exact_proto(uint32_t rule, const struct facts *f)
{
    if (rule & RULE_SCTP)
        return f->ip_proto == IPPROTO_SCTP;
    return (f->flags & (rule & RULE_IPV4 ? FACT_IPV4 : FACT_IPV6)) != 0;
}

bool ruleset_header_match(const struct ruleset *rs, const struct rule *r, const struct facts *f)
{
    static const uint32_t proto_facts[PROTO_N] = {[PROTO_IP] = FACT_IPV4 | FACT_IPV6,
                                                  [PROTO_TCP] = FACT_TCP,
                                                  [PROTO_UDP] = FACT_UDP,
                                                  [PROTO_ICMP] = FACT_ICMP};
    const uint32_t any_ports = RULE_ANY_SPORT | RULE_ANY_DPORT;

    const uint32_t by_app = r->flags & (RULE_APP | RULE_SERVICE);

    if (by_app && (f->apps || (by_app & RULE_APP)) && !(r->apps & f->apps))
        return false;
    if ((!(f->flags & proto_facts[r->proto]) && !(r->flags & RULE_ANY_PACKET)) ||
        !flow_matches(r->flags, f->flags))
        return false;
    if ((r->flags & (RULE_IPV4 | RULE_IPV6 | RULE_SCTP)) && !exact_proto(r->flags, f))
        return false;
    if ((r->flags & RULE_NEEDS_PAYLOAD) && f->payload_len == 0)
        return false;
    if ((r->flags & RULE_SERVICE) && f->apps)
        return addrs_match(rs, r, f);
    if ((r->flags & any_ports) != any_ports &&
        ((!(f->flags & (FACT_TCP | FACT_UDP)) && f->ip_proto != IPPROTO_SCTP) || (f->flags & FACT_FRAGMENT)))
        return false;
    return ends_match(rs, r, f, false) || ((r->flags & RULE_BIDIRECTIONAL) && ends_match(rs, r, f, true));
}

bool ruleset_holds_for_flow(const struct rule *r, bool in_stream)
{
    return (r->flags & RULE_DROPS_FLOW) || ((r->flags & RULE_DROPS_STREAM) && in_stream);
}
