/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_BASE_ANOMALY_H
#define SLUICE_BASE_ANOMALY_H
/*
 * What can be odd about a packet, by the names Suricata gave it: one table row is the word in decode-event and
 * stream-event rules, the name in EVE's anomaly events, and a counter ("anomaly.<name>"). Only what this engine notices
 * has a row: a rule about anything else is dormant.
 */
#include <stdbool.h>
#include <stdint.h>

/* X(id, "name of the rule word", "what it means") */
#define ANOMALIES_OF_DECODE(X)                                                                              \
    X(AN_ETHERNET_PKT_TOO_SMALL, "ethernet.pkt_too_small", "frame shorter than an Ethernet header")         \
    X(AN_SLL_PKT_TOO_SMALL, "sll.pkt_too_small", "frame shorter than a Linux cooked header")                \
    X(AN_LTNULL_PKT_TOO_SMALL, "ltnull.pkt_too_small", "frame shorter than a BSD loopback header")          \
    X(AN_IPRAW_INVALID_IP_VERSION, "ipraw.invalid_ip_version",                                              \
      "neither IPv4 nor IPv6 where a raw IP packet should be")                                              \
    X(AN_VLAN_HEADER_TOO_SMALL, "vlan.header_too_small", "the frame ends inside a VLAN tag")                \
    X(AN_VLAN_TOO_MANY_LAYERS, "vlan.too_many_layers", "more than three VLAN tags")                         \
    X(AN_VNTAG_HEADER_TOO_SMALL, "vntag.header_too_small", "the frame ends inside a VN-Tag")                \
    X(AN_IEEE8021AH_HEADER_TOO_SMALL, "ieee8021ah.header_too_small",                                        \
      "the frame ends inside a provider backbone's I-TAG")                                                  \
    X(AN_TOO_MANY_LAYERS, "too_many_layers", "more headers or tunnels than are opened")                     \
    X(AN_MPLS_HEADER_TOO_SMALL, "mpls.header_too_small", "the frame ends inside the label stack")           \
    X(AN_MPLS_BAD_LABEL_ROUTER_ALERT, "mpls.bad_label_router_alert", "label 1 at the bottom of the stack")  \
    X(AN_MPLS_BAD_LABEL_IMPLICIT_NULL, "mpls.bad_label_implicit_null", "label 3, which is never sent")      \
    X(AN_MPLS_BAD_LABEL_RESERVED, "mpls.bad_label_reserved", "a reserved label at the bottom of the stack") \
    X(AN_MPLS_UNKNOWN_PAYLOAD_TYPE, "mpls.unknown_payload_type",                                            \
      "neither IP nor Ethernet behind the labels")                                                          \
    X(AN_PPPOE_PKT_TOO_SMALL, "pppoe.pkt_too_small", "PPPoE header or payload not whole")                   \
    X(AN_PPPOE_WRONG_CODE, "pppoe.wrong_code", "PPPoE of another version, or a code that no stage has")     \
    X(AN_PPPOE_MALFORMED_TAGS, "pppoe.malformed_tags", "discovery tags that run out of the packet")         \
    X(AN_PPP_PKT_TOO_SMALL, "ppp.pkt_too_small", "PPP header not whole")                                    \
    X(AN_NSH_HEADER_TOO_SMALL, "nsh.header_too_small", "service header not whole")                          \
    X(AN_NSH_UNSUPPORTED_VERSION, "nsh.unsupported_version", "service header of another version")           \
    X(AN_NSH_UNKNOWN_PAYLOAD, "nsh.unknown_payload", "service header before an unknown protocol")           \
    X(AN_IPV4_PKT_TOO_SMALL, "ipv4.pkt_too_small", "fewer bytes than an IPv4 header")                       \
    X(AN_IPV4_HLEN_TOO_SMALL, "ipv4.hlen_too_small", "header length below 20")                              \
    X(AN_IPV4_IPLEN_SMALLER_THAN_HLEN, "ipv4.iplen_smaller_than_hlen",                                      \
      "total length below the header length")                                                               \
    X(AN_IPV4_TRUNC_PKT, "ipv4.trunc_pkt", "the total length is more than the frame holds")                 \
    X(AN_IPV4_OPT_INVALID_LEN, "ipv4.opt_invalid_len", "an option that runs out of the header")             \
    X(AN_IPV4_OPT_DUPLICATE, "ipv4.opt_duplicate", "an option twice")                                       \
    X(AN_IPV4_OPT_UNKNOWN, "ipv4.opt_unknown", "an option that is not assigned")                            \
    X(AN_IPV4_WRONG_IP_VERSION, "ipv4.wrong_ip_version", "another version than 4")                          \
    X(AN_IPV4_ICMPV6, "ipv4.icmpv6", "ICMPv6 in IPv4")                                                      \
    X(AN_IPV4_UNKNOWN_PROTOCOL, "ipv4.unknown_protocol", "a protocol number that is not assigned")          \
    X(AN_IPV6_PKT_TOO_SMALL, "ipv6.pkt_too_small", "fewer bytes than an IPv6 header")                       \
    X(AN_IPV6_TRUNC_PKT, "ipv6.trunc_pkt", "the payload length is more than the frame holds")               \
    X(AN_IPV6_TRUNC_EXTHDR, "ipv6.trunc_exthdr", "an extension header runs out of the packet")              \
    X(AN_IPV6_EXTHDR_DUPL_FH, "ipv6.exthdr_dupl_fh", "two fragment headers")                                \
    X(AN_IPV6_EXTHDR_USELESS_FH, "ipv6.exthdr_useless_fh", "a fragment header on a whole datagram")         \
    X(AN_IPV6_EXTHDR_DUPL_RH, "ipv6.exthdr_dupl_rh", "two routing headers")                                 \
    X(AN_IPV6_EXTHDR_DUPL_HH, "ipv6.exthdr_dupl_hh", "two hop-by-hop headers")                              \
    X(AN_IPV6_EXTHDR_DUPL_DH, "ipv6.exthdr_dupl_dh", "more than two destination headers")                   \
    X(AN_IPV6_EXTHDR_DUPL_AH, "ipv6.exthdr_dupl_ah", "two authentication headers")                          \
    X(AN_IPV6_EXTHDR_INVALID_OPTLEN, "ipv6.exthdr_invalid_optlen", "an option that runs out of its header") \
    X(AN_IPV6_WRONG_IP_VERSION, "ipv6.wrong_ip_version", "another version than 6")                          \
    X(AN_IPV6_EXTHDR_AH_RES_NOT_NULL, "ipv6.exthdr_ah_res_not_null",                                        \
      "reserved bits set in an authentication header")                                                      \
    X(AN_IPV6_HOPOPTS_UNKNOWN_OPT, "ipv6.hopopts_unknown_opt", "a hop-by-hop option that is not assigned")  \
    X(AN_IPV6_HOPOPTS_ONLY_PADDING, "ipv6.hopopts_only_padding", "a hop-by-hop header with nothing in it")  \
    X(AN_IPV6_DSTOPTS_UNKNOWN_OPT, "ipv6.dstopts_unknown_opt", "a destination option that is not assigned") \
    X(AN_IPV6_DSTOPTS_ONLY_PADDING, "ipv6.dstopts_only_padding", "a destination header with nothing in it") \
    X(AN_IPV6_RH_TYPE_0, "ipv6.rh_type_0", "routing header of type 0 (RFC 5095)")                           \
    X(AN_IPV6_ZERO_LEN_PADN, "ipv6.zero_len_padn", "PadN of length 0")                                      \
    X(AN_IPV6_FH_NON_ZERO_RESERVED_FIELD, "ipv6.fh_non_zero_reserved_field",                                \
      "reserved bits set in a fragment header")                                                             \
    X(AN_IPV6_DATA_AFTER_NONE_HEADER, "ipv6.data_after_none_header", "bytes behind \"no next header\"")     \
    X(AN_IPV6_UNKNOWN_NEXT_HEADER, "ipv6.unknown_next_header", "a protocol number that is not assigned")    \
    X(AN_IPV6_ICMPV4, "ipv6.icmpv4", "ICMP in IPv6")                                                        \
    X(AN_IPV6_IPV4_IN_IPV6_TOO_SMALL, "ipv6.ipv4_in_ipv6_too_small",                                        \
      "fewer bytes than an IPv4 header in IPv6")                                                            \
    X(AN_IPV6_IPV4_IN_IPV6_WRONG_VERSION, "ipv6.ipv4_in_ipv6_wrong_version",                                \
      "not IPv4 where IPv6 says IPv4")                                                                      \
    X(AN_IPV6_IPV6_IN_IPV6_TOO_SMALL, "ipv6.ipv6_in_ipv6_too_small",                                        \
      "fewer bytes than an IPv6 header in IPv6")                                                            \
    X(AN_IPV6_IPV6_IN_IPV6_WRONG_VERSION, "ipv6.ipv6_in_ipv6_wrong_version",                                \
      "not IPv6 where IPv6 says IPv6")                                                                      \
    X(AN_IPV6_JUMBOGRAM, "ipv6.jumbogram", "a jumbo payload option that contradicts the header")            \
    X(AN_TCP_PKT_TOO_SMALL, "tcp.pkt_too_small", "fewer bytes than a TCP header")                           \
    X(AN_TCP_HLEN_TOO_SMALL, "tcp.hlen_too_small", "data offset below 20 or beyond the segment")            \
    X(AN_TCP_OPT_INVALID_LEN, "tcp.opt_invalid_len", "an option with a length that it cannot have")         \
    X(AN_TCP_OPT_DUPLICATE, "tcp.opt_duplicate", "an option twice")                                         \
    X(AN_UDP_PKT_TOO_SMALL, "udp.pkt_too_small", "fewer bytes than the UDP header, or its length, says")    \
    X(AN_UDP_HLEN_TOO_SMALL, "udp.hlen_too_small", "UDP length below 8")                                    \
    X(AN_UDP_HLEN_INVALID, "udp.hlen_invalid", "UDP length below what IP says")                             \
    X(AN_ICMPV4_PKT_TOO_SMALL, "icmpv4.pkt_too_small", "fewer bytes than an ICMP header")                   \
    X(AN_ICMPV4_UNKNOWN_TYPE, "icmpv4.unknown_type", "an ICMP type that is not assigned")                   \
    X(AN_ICMPV6_PKT_TOO_SMALL, "icmpv6.pkt_too_small", "fewer bytes than an ICMPv6 header")                 \
    X(AN_ICMPV6_UNKNOWN_TYPE, "icmpv6.unknown_type", "an ICMPv6 type that is not assigned")                 \
    X(AN_ICMPV6_MLD_MESSAGE_WITH_INVALID_HL, "icmpv6.mld_message_with_invalid_hl",                          \
      "multicast listener message with another hop limit than 1")                                           \
    X(AN_SCTP_PKT_TOO_SMALL, "sctp.pkt_too_small", "fewer bytes than an SCTP header")                       \
    X(AN_GRE_PKT_TOO_SMALL, "gre.pkt_too_small", "GRE header not whole")                                    \
    X(AN_GRE_WRONG_VERSION, "gre.wrong_version", "GRE of another version than 0 and 1")                     \
    X(AN_GRE_VERSION0_RECUR, "gre.version0_recur", "recursion control bits")                                \
    X(AN_GRE_VERSION0_FLAGS, "gre.version0_flags", "reserved bits")                                         \
    X(AN_GRE_VERSION0_HDR_TOO_BIG, "gre.version0_hdr_too_big", "options that run out of the packet")        \
    X(AN_GRE_VERSION0_MALFORMED_SRE_HDR, "gre.version0_malformed_sre_hdr",                                  \
      "a source route that runs out of the packet")                                                         \
    X(AN_GRE_VERSION1_CHKSUM, "gre.version1_chksum", "PPTP's GRE with a checksum")                          \
    X(AN_GRE_VERSION1_ROUTE, "gre.version1_route", "PPTP's GRE with a route")                               \
    X(AN_GRE_VERSION1_SSR, "gre.version1_ssr", "PPTP's GRE with a strict source route")                     \
    X(AN_GRE_VERSION1_RECUR, "gre.version1_recur", "PPTP's GRE with recursion control")                     \
    X(AN_GRE_VERSION1_FLAGS, "gre.version1_flags", "PPTP's GRE with reserved bits")                         \
    X(AN_GRE_VERSION1_NO_KEY, "gre.version1_no_key", "PPTP's GRE without a call")                           \
    X(AN_GRE_VERSION1_WRONG_PROTOCOL, "gre.version1_wrong_protocol",                                        \
      "PPTP's GRE with another protocol than PPP")                                                          \
    X(AN_GRE_VERSION1_HDR_TOO_BIG, "gre.version1_hdr_too_big",                                              \
      "PPTP's options or payload run out of the packet")                                                    \
    X(AN_ERSPAN_HEADER_TOO_SMALL, "erspan.header_too_small", "ERSPAN header not whole")                     \
    X(AN_ERSPAN_UNSUPPORTED_VERSION, "erspan.unsupported_version", "ERSPAN of another version")             \
    X(AN_VXLAN_UNKNOWN_PAYLOAD_TYPE, "vxlan.unknown_payload_type", "no frame inside VXLAN")                 \
    X(AN_GENEVE_UNKNOWN_PAYLOAD_TYPE, "geneve.unknown_payload_type", "an unknown protocol inside Geneve")

#define ANOMALIES_OF_DEFRAG(X)                                                                             \
    X(AN_IPV4_FRAG_OVERLAP, "ipv4.frag_overlap",                                                           \
      "fragments of one datagram overlap, or name different ends")                                         \
    X(AN_IPV6_FRAG_OVERLAP, "ipv6.frag_overlap",                                                           \
      "fragments of one datagram overlap, or name different ends")                                         \
    X(AN_IPV4_FRAG_TOO_LARGE, "ipv4.frag_pkt_too_large", "the datagram would have more than 65,535 bytes") \
    X(AN_IPV6_FRAG_TOO_LARGE, "ipv6.frag_pkt_too_large", "the datagram would have more than 65,535 bytes") \
    X(AN_IPV4_FRAG_IGNORED, "ipv4.frag_ignored",                                                           \
      "a fragment without bytes, cut, not a multiple of 8 long, or one too many")                          \
    X(AN_IPV6_FRAG_IGNORED, "ipv6.frag_ignored", "a fragment without bytes, cut, or one too many")         \
    X(AN_IPV6_FRAG_LENGTH, "ipv6.frag_invalid_length",                                                     \
      "not the last fragment, and its length is no multiple of 8")                                         \
    X(AN_FRAG_TINY, "defrag.tiny", "the first fragment does not hold all headers")                         \
    X(AN_FRAG_DIFFERS, "defrag.differs", "a fragment that may not arrive where the others of its datagram do")

#define ANOMALIES_OF_STREAM(X)                                                                \
    X(AN_STREAM_DIFFERENT_DATA, "reassembly_overlap_different_data",                          \
      "a retransmission says something else than the first copy")                             \
    X(AN_STREAM_GAP, "reassembly_seq_gap", "bytes of a stream are missing and will not come") \
    X(AN_STREAM_NOT_KEPT, "reassembly_segment_before_base_seq",                               \
      "a retransmission of bytes that are not kept any more")                                 \
    X(AN_STREAM_MEMCAP, "reassembly_insert_memcap", "no memory for a segment")                \
    X(AN_STREAM_LIMIT, "reassembly_insert_limit", "a segment beyond stream.flow_bytes, or one hole too many")

#define ANOMALIES_OF_TCP(X)                                                                                  \
    X(AN_3WHS_SYN_DIFF_SEQ, "3whs_syn_resend_diff_seq_on_syn_recv",                                          \
      "another SYN, after an answer to the first one")                                                       \
    X(AN_3WHS_SYNACK_DIFF_SEQ, "3whs_synack_resend_with_diff_seq", "another SYN/ACK than the first one")     \
    X(AN_3WHS_SYNACK_WRONG_ACK, "3whs_synack_with_wrong_ack",                                                \
      "a SYN/ACK that answers no SYN of this connection")                                                    \
    X(AN_3WHS_TFO_IGNORED, "3whs_synack_tfo_data_ignored", "the SYN's data was not acknowledged with it")    \
    X(AN_3WHS_RIGHT_SEQ_WRONG_ACK, "3whs_right_seq_wrong_ack_evasion", "does not acknowledge the SYN/ACK")   \
    X(AN_3WHS_WRONG_SEQ_WRONG_ACK, "3whs_wrong_seq_wrong_ack",                                               \
      "does not acknowledge the SYN, nor follow its own")                                                    \
    X(AN_3WHS_ACK_DATA_INJECT, "3whs_ack_data_inject",                                                       \
      "data of the server before its SYN/ACK was acknowledged")                                              \
    X(AN_EST_SYN_RESEND, "est_syn_resend", "the SYN again, on an established connection")                    \
    X(AN_EST_SYN_DIFF_SEQ, "est_syn_resend_diff_seq", "another SYN on an established connection")            \
    X(AN_EST_SYN_TOCLIENT, "est_syn_toclient", "a SYN to the client of an established connection")           \
    X(AN_EST_SYNACK_RESEND, "est_synack_resend", "the SYN/ACK again, on an established connection")          \
    X(AN_EST_SYNACK_DIFF_SEQ, "est_synack_resend_with_diff_seq",                                             \
      "another SYN/ACK on an established connection")                                                        \
    X(AN_EST_SYNACK_TOSERVER, "est_synack_toserver", "a SYN/ACK to the server of an established connection") \
    X(AN_SHUTDOWN_SYN_RESEND, "shutdown_syn_resend", "a SYN on a connection that is being closed")           \
    X(AN_EST_OUT_OF_WINDOW, "est_packet_out_of_window", "outside of what its receiver takes")                \
    X(AN_FIN_OUT_OF_WINDOW, "fin_out_of_window", "a FIN outside of what its receiver takes")                 \
    X(AN_EST_INVALID_ACK, "est_invalid_ack",                                                                 \
      "acknowledges, on an established connection, what was never sent")                                     \
    X(AN_PKT_INVALID_ACK, "pkt_invalid_ack",                                                                 \
      "no ACK flag, or acknowledges what was never sent or is long over")                                    \
    X(AN_PKT_BROKEN_ACK, "pkt_broken_ack", "an acknowledgement number without the ACK flag")                 \
    X(AN_PKT_INVALID_TIMESTAMP, "pkt_invalid_timestamp",                                                     \
      "older, by its timestamp, than what its receiver took")                                                \
    X(AN_EST_BEFORE_LAST_ACK, "est_pkt_before_last_ack", "its receiver has acknowledged all of it")          \
    X(AN_RST_INVALID_ACK, "rst_invalid_ack", "a RST that answers no SYN of this connection")                 \
    X(AN_SUSPECTED_RST_INJECT, "suspected_rst_inject", "data behind a RST of the same end")                  \
    X(AN_FIN_SYN, "fin_syn", "SYN and FIN in one packet")                                                    \
    X(AN_RST_NO_SESSION, "rst_but_no_session", "a RST of no known connection")                               \
    X(AN_FIN_NO_SESSION, "fin_but_no_session", "a FIN of no known connection")

#include "ips/base/anomaly_app.h"

/* Not what rules can ask for: what became of asking. */
#define ANOMALIES_OF_DETECT(X)                                                           \
    X(AN_DETECT_STEPS, "step_limit", "a rule was given up after detect.steps_max steps") \
    X(AN_DETECT_PCRE, "pcre_match_limit", "an expression was given up at PCRE2's match limit")

#define ANOMALY_TABLE(X)   \
    ANOMALIES_OF_DECODE(X) \
    ANOMALIES_OF_DEFRAG(X) \
    ANOMALIES_OF_STREAM(X) \
    ANOMALIES_OF_TCP(X)    \
    ANOMALIES_OF_APP(X)    \
    ANOMALIES_OF_DETECT(X)

enum anomaly {
#define X(id, name, help) id,
    ANOMALY_TABLE(X)
#undef X
        AN_N,
};

struct anomaly_info {
    const char *name, *help;
};
extern const struct anomaly_info anomaly_info[AN_N];

enum anomaly_room { ANOMALY_DECODE, ANOMALY_STREAM, ANOMALY_APP, ANOMALY_DETECT };

/* Who notices it: decode/, stream/, app/ or detect/. */
static inline enum anomaly_room anomaly_room(enum anomaly which)
{
#define X(id, name, help) +1
    if (which < 0 ANOMALIES_OF_DECODE(X) ANOMALIES_OF_DEFRAG(X))
        return ANOMALY_DECODE;
    if (which < AN_APP_MISMATCH)
        return ANOMALY_STREAM;
    return which < AN_DETECT_STEPS ? ANOMALY_APP : ANOMALY_DETECT;
#undef X
}

struct anomalies { /* a set */
    uint64_t bits[6];
};
_Static_assert(AN_N <= 384, "struct anomalies holds them all");

static inline void anomaly_set(struct anomalies *a, enum anomaly which)
{
    a->bits[which / 64] |= UINT64_C(1) << (which % 64);
}

static inline bool anomaly_has(const struct anomalies *a, enum anomaly which)
{
    return a->bits[which / 64] >> (which % 64) & 1;
}

static inline bool anomaly_any(const struct anomalies *a)
{
    return (a->bits[0] | a->bits[1] | a->bits[2] | a->bits[3] | a->bits[4] | a->bits[5]) != 0;
}
#endif
