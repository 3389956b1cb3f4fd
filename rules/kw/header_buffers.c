/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sticky buffers over the packet's own headers: ipv4.hdr, ipv6.hdr, tcp.hdr, udp.hdr, icmpv4.hdr, icmpv6.hdr.
 *
 * The bytes are the header's as it is on the wire: IPv4 and TCP with their options, IPv6's fixed 40 bytes. A packet
 * without such a header has no such buffer, and no option that looks there holds. Control thread.
 */
#include "rules/dialect.h"
#include "rules/keywords.h"

#define ROW(symbol, word, buffer_id, flag)                                \
    static bool parse_##symbol(struct draft *d, const struct option *o)   \
    {                                                                     \
        draft_buffer_set(d, buffer_id);                                   \
        return true;                                                      \
    }                                                                     \
    const struct keyword kw_##symbol = {.name = word,                     \
                                        .usage = "write " word ";",       \
                                        .value = VALUE_NONE,              \
                                        .dialects = IN_SURICATA,          \
                                        .flags = KEYWORD_PACKET | (flag), \
                                        .parse = parse_##symbol}

ROW(ipv4_hdr, "ipv4.hdr", BUF_IPV4_HDR, 0);
ROW(ipv6_hdr, "ipv6.hdr", BUF_IPV6_HDR, 0);
ROW(tcp_hdr, "tcp.hdr", BUF_TCP_HDR, 0);
ROW(udp_hdr, "udp.hdr", BUF_UDP_HDR, 0);
ROW(icmpv4_hdr, "icmpv4.hdr", BUF_ICMPV4_HDR, 0);
ROW(icmpv6_hdr, "icmpv6.hdr", BUF_ICMPV6_HDR, 0);
