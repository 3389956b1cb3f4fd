/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_BASE_COUNTERS_H
#define SLUICE_BASE_COUNTERS_H
/*
 * One table row per counter and per drop reason; the row is the counter, the name in `ipsctl stats`, the path
 * in EVE stats events, the metric and the line in the manual. Each worker writes its own block (single writer,
 * relaxed stores, own cache lines); readers add the blocks up with relaxed loads. 64 bits, never reset.
 *
 * No frame disappears uncounted: frames.rx = frames.tx + the sum of drop.* + defrag.held, at any quiet moment.
 */
#include <stdint.h>

#include "ips/base/anomaly.h"

/* X(id, "name", "what it counts") */
#define COUNTER_TABLE(X)                                                                                     \
    X(CTR_RX_FRAMES, "frames.rx", "frames received from both interfaces")                                    \
    X(CTR_RX_BYTES, "frames.rx_bytes", "bytes of the frames received")                                       \
    X(CTR_TX_FRAMES, "frames.tx", "frames handed to a TX ring towards the other interface")                  \
    X(CTR_TX_BYTES, "frames.tx_bytes", "bytes of the frames handed to a TX ring")                            \
    X(CTR_HANDED_OFF, "frames.handed_off", "frames whose descriptor went to the flow's owner")               \
    X(CTR_OWNER_SILENT, "frames.owner_silent",                                                               \
      "frames forwarded uninspected: their flow's owner gave no sign of life")                               \
    X(CTR_INJECTED, "frames.injected", "frames made by the engine: RST and ICMP unreachable")                \
    X(CTR_INJECT_FAILED, "frames.inject_failed", "RST or ICMP frames not sent: no free frame or TX full")    \
    X(CTR_TX_KICKS, "io.tx_kicks", "system calls that asked the kernel to transmit")                         \
    X(CTR_RX_POLLS, "io.polls", "times a worker slept in poll")                                              \
    X(CTR_FILL_STARVED, "io.fill_starved", "bursts that could not refill a fill ring: no free frame")        \
    X(CTR_DECODE_ETHERNET, "decode.ethernet", "Ethernet frames decoded")                                     \
    X(CTR_DECODE_VLAN, "decode.vlan", "frames with one VLAN tag or more")                                    \
    X(CTR_DECODE_QINQ, "decode.vlan_qinq", "frames with two VLAN tags or more")                              \
    X(CTR_DECODE_PBB, "decode.ieee8021ah", "frames with an I-TAG")                                           \
    X(CTR_DECODE_MPLS, "decode.mpls", "frames with MPLS labels")                                             \
    X(CTR_DECODE_PPPOE, "decode.pppoe", "PPPoE frames")                                                      \
    X(CTR_DECODE_PPP, "decode.ppp", "PPP frames, in PPPoE, GRE or of a capture")                             \
    X(CTR_DECODE_NSH, "decode.nsh", "service headers")                                                       \
    X(CTR_DECODE_ARP, "decode.arp", "ARP frames")                                                            \
    X(CTR_DECODE_NOT_IP, "decode.not_ip", "frames of any other ethertype than IPv4 and IPv6")                \
    X(CTR_DECODE_IPV4, "decode.ipv4", "IPv4 packets")                                                        \
    X(CTR_DECODE_IPV6, "decode.ipv6", "IPv6 packets")                                                        \
    X(CTR_DECODE_FRAGMENT, "decode.fragment", "IPv4 and IPv6 fragments")                                     \
    X(CTR_DECODE_TCP, "decode.tcp", "TCP segments")                                                          \
    X(CTR_DECODE_UDP, "decode.udp", "UDP datagrams")                                                         \
    X(CTR_DECODE_ICMPV4, "decode.icmpv4", "ICMP packets")                                                    \
    X(CTR_DECODE_ICMPV6, "decode.icmpv6", "ICMPv6 packets")                                                  \
    X(CTR_DECODE_SCTP, "decode.sctp", "SCTP packets")                                                        \
    X(CTR_DECODE_INNER, "decode.tunnelled", "packets opened inside others")                                  \
    X(CTR_DECODE_IPIP, "decode.ipip", "IP packets that carry IP: 6in4, 4in6 and their kin")                  \
    X(CTR_DECODE_GRE, "decode.gre", "GRE packets")                                                           \
    X(CTR_DECODE_ERSPAN, "decode.erspan", "ERSPAN packets")                                                  \
    X(CTR_DECODE_VXLAN, "decode.vxlan", "VXLAN packets")                                                     \
    X(CTR_DECODE_GENEVE, "decode.geneve", "Geneve packets")                                                  \
    X(CTR_DECODE_TEREDO, "decode.teredo", "Teredo packets")                                                  \
    X(CTR_DECODE_OTHER_L4, "decode.other_l4", "IP packets of another protocol")                              \
    X(CTR_DECODE_INVALID, "decode.invalid", "malformed packets of all kinds below")                          \
    X(CTR_DECODE_RUNT, "decode.runt", "frames shorter than an Ethernet header")                              \
    X(CTR_DECODE_VLAN_TRUNCATED, "decode.vlan_truncated", "frames that end inside a VLAN tag")               \
    X(CTR_DECODE_IPV4_MALFORMED, "decode.ipv4_malformed",                                                    \
      "bad version, header length, total length or options")                                                 \
    X(CTR_DECODE_IPV4_CHECKSUM, "decode.ipv4_bad_checksum", "IPv4 headers with a wrong checksum")            \
    X(CTR_DECODE_IPV6_MALFORMED, "decode.ipv6_malformed",                                                    \
      "bad version, payload length or extension headers")                                                    \
    X(CTR_DECODE_TCP_MALFORMED, "decode.tcp_malformed", "TCP header truncated or bad data offset")           \
    X(CTR_DECODE_UDP_MALFORMED, "decode.udp_malformed", "UDP header truncated or bad length")                \
    X(CTR_DECODE_ICMP_MALFORMED, "decode.icmp_malformed", "ICMP or ICMPv6 header truncated")                 \
    X(CTR_DECODE_SCTP_MALFORMED, "decode.sctp_malformed", "SCTP header truncated")                           \
    X(CTR_DECODE_LINK_MALFORMED, "decode.link_malformed",                                                    \
      "MPLS, PPPoE, PPP, NSH or I-TAG truncated or contradictory")                                           \
    X(CTR_DECODE_TUNNEL_MALFORMED, "decode.tunnel_malformed",                                                \
      "GRE, ERSPAN or IP in IP that contradicts itself")                                                     \
    X(CTR_DECODE_TOO_DEEP, "decode.too_deep", "more VLAN tags, labels, headers or tunnels than are opened")  \
    X(CTR_DECODE_L4_CHECKSUM, "decode.l4_bad_checksum",                                                      \
      "TCP, UDP, ICMP, ICMPv6 with a wrong checksum; not inspected")                                         \
    X(CTR_FLOW_NEW, "flow.new", "flows created")                                                             \
    X(CTR_FLOW_EXPIRED, "flow.expired", "flows removed by timeout")                                          \
    X(CTR_FLOW_EVICTED, "flow.evicted", "flows removed early because the table was full")                    \
    X(CTR_FLOW_EMERGENCY, "flow.emergencies", "times the table became full; over at nine tenths")            \
    X(CTR_FLOW_TAKEN_UP_AGAIN, "flow.taken_up_again",                                                        \
      "TCP flows that went on after frames crossed unseen: their streams begin anew")                        \
    X(CTR_FLOW_CACHED, "flow.cached", "flows whose verdict was given to the kernel (verdict cache)")         \
    X(CTR_FLOW_KNOWN, "flow.known", "flows that were noted as known clean (verdict cache)")                  \
    X(CTR_FLOW_RECALLED, "flow.recalled", "flows that began with a verdict from the verdict cache")          \
    X(CTR_FLOW_NO_MEMORY, "flow.full", "packets inspected without a flow: table full, nothing to evict")     \
    X(CTR_EXC_MIDSTREAM, "exceptions.stream_midstream",                                                      \
      "flows whose start was not seen, and a policy applied")                                                \
    X(CTR_EXC_FLOW_MEMCAP, "exceptions.flow_memcap", "packets without a flow because the table was full")    \
    X(CTR_EXC_STREAM_MEMCAP, "exceptions.stream_memcap", "segments whose bytes found no memory")             \
    X(CTR_EXC_DEFRAG_MEMCAP, "exceptions.defrag_memcap", "fragments that found no room")                     \
    X(CTR_EXC_APP_MEMCAP, "exceptions.app_memcap", "flows whose parser found no memory")                     \
    X(CTR_EXC_APP_ERROR, "exceptions.app_error", "flows whose bytes are not their protocol's")               \
    X(CTR_EXC_APP_AMBIGUOUS, "exceptions.app_ambiguous", "bytes that two receivers may read differently")    \
    X(CTR_APP_RECOGNISED, "app.recognised", "flows whose protocol was recognised")                           \
    X(CTR_APP_UNKNOWN, "app.unknown", "flows that speak no known protocol")                                  \
    X(CTR_APP_BYPASSED, "app.bypassed", "flows that need no inspection after their handshake")               \
    X(CTR_APP_EXPECTED, "app.expected", "connections that others agreed on (FTP's data)")                    \
    X(CTR_APP_EXPECT_FULL, "app.expect_full",                                                                \
      "of them, those that found no room: they are like any other connection")                               \
    X(CTR_APP_TX, "app.transactions", "transactions begun")                                                  \
    X(CTR_APP_VIEW_FULL, "app.buffers_full", "inspections in parts, because a message has too many buffers") \
    X(CTR_FILES_STORED, "files.stored", "files kept as a whole (filestore)")                                 \
    X(CTR_FILES_INCOMPLETE, "files.incomplete", "files of which a part was kept")                            \
    X(CTR_FILES_LOST, "files.lost", "pieces of files to be kept that found no room on the way to the disk")  \
    X(CTR_DEFRAG_HELD, "defrag.held",                                                                        \
      "frames of incomplete datagrams in hand now; the one number that falls")                               \
    X(CTR_DEFRAG_WHOLE, "defrag.whole", "datagrams put together and inspected")                              \
    X(CTR_DEFRAG_REFUSED, "defrag.refused",                                                                  \
      "datagrams dropped because their fragments contradict each other")                                     \
    X(CTR_DEFRAG_TIMEOUTS, "defrag.timeouts", "datagrams that did not become whole in time")                 \
    X(CTR_DEFRAG_EVICTED, "defrag.evicted",                                                                  \
      "incomplete datagrams given up for want of room, the oldest first")                                    \
    X(CTR_DEFRAG_TTL, "defrag.ttl_evened",                                                                   \
      "datagrams whose fragments came with different TTLs and left with the lowest")                         \
    X(CTR_NORM_TTL, "normalise.ttl", "packets whose TTL was raised to normalise.ttl_floor")                  \
    X(CTR_NORM_URGENT, "normalise.urgent",                                                                   \
      "segments whose urgent pointer was cleared, or that were dropped for it")                              \
    X(CTR_NORM_RESERVED, "normalise.tcp_reserved", "segments whose reserved bits were cleared")              \
    X(CTR_NORM_OPTIONS, "normalise.tcp_options", "segments whose unknown options were cleared")              \
    X(CTR_NORM_WINDOW, "normalise.window", "segments cut at the edge of their receiver's window")            \
    X(CTR_NORM_ECN, "normalise.ecn", "packets whose ECN bits were cleared")                                  \
    X(CTR_NORM_PADDING, "normalise.padding", "frames whose padding was cleared")                             \
    X(CTR_STREAM_EARLY, "stream.early", "segments that lie behind a hole of their stream")                   \
    X(CTR_STREAM_JOINED, "stream.joined", "segments that filled a hole")                                     \
    X(CTR_STREAM_CONFLICTS, "stream.conflicts", "segments that differ from the first copy of their bytes")   \
    X(CTR_STREAM_REWRITTEN, "stream.rewritten", "of those, segments made what the first copy was")           \
    X(CTR_STREAM_IGNORED, "stream.ignored", "segments that their receiver discards")                         \
    X(CTR_STREAM_GAPS, "stream.gaps", "holes that were given up: the stream went on behind them")            \
    X(CTR_STREAM_DEPTH, "stream.depth", "directions that reached stream.depth")                              \
    X(CTR_STREAM_IDLE_GIVEN, "stream.idle_given_up",                                                         \
      "directions that lost their last bytes for want of memory")                                            \
    X(CTR_STREAM_STALLED_GIVEN, "stream.stalled_given_up",                                                   \
      "directions that lost unacknowledged or early bytes for want of memory")                               \
    X(CTR_DETECT_SCANS, "detect.scans", "buffers scanned by the prefilter")                                  \
    X(CTR_DETECT_SCAN_BYTES, "detect.scan_bytes", "bytes scanned by the prefilter")                          \
    X(CTR_DETECT_CANDIDATES, "detect.candidates", "rules whose options were evaluated")                      \
    X(CTR_DETECT_PREFILTER_FALSE, "detect.prefilter_false", "of those, rules whose options did not match")   \
    X(CTR_DETECT_MATCHES, "detect.matches", "rules that matched")                                            \
    X(CTR_DETECT_ALERTS, "detect.alerts", "alert events made")                                               \
    X(CTR_DETECT_STEP_LIMIT, "detect.step_limit", "evaluations stopped by the bound on backtracking")        \
    X(CTR_DETECT_PCRE_LIMIT, "detect.pcre_limit", "pcre evaluations stopped by PCRE2's match limit")         \
    X(CTR_DETECT_TRANSFORM_LIMIT, "detect.transform_limit",                                                  \
      "packets with a transformed buffer that found no room")                                                \
    X(CTR_DETECT_QUEUE_FULL, "detect.alert_queue_full", "alerts beyond the limit per packet, not logged")    \
    X(CTR_DETECT_WANTED_FULL, "detect.wanted_full",                                                          \
      "rules about transactions, found in a payload, that were not tried: too many")                         \
    X(CTR_TRACK_EVICTED, "detect.track_evicted", "tracked hosts forgotten before their time: table full")    \
    X(CTR_TRACK_CONTENDED, "detect.track_contended",                                                         \
      "changes of a tracked host given up: other workers won")                                               \
    X(CTR_VARS_FULL, "detect.flow_vars_full",                                                                \
      "flowbits and flowints not set: flow.max_vars or 112 per flow")                                        \
    X(CTR_THRESHOLD_SILENT, "detect.alerts_suppressed",                                                      \
      "alerts held back by thresholds, filters and suppress")                                                \
    X(CTR_DATASET_FULL, "detect.dataset_full", "values not added to a dataset because it was full")          \
    X(CTR_TAGGED, "detect.tagged", "packets logged because of a tag")                                        \
    X(CTR_OVERLOAD_FLOWS, "overload.bypassed_flows",                                                         \
      "flows that pass from there on: overload, and overload.elephant_depth bytes were inspected")           \
    X(CTR_OVERLOAD_RULES, "overload.rules_skipped",                                                          \
      "packets inspected without the costliest rules: overload")                                             \
    X(CTR_OVERLOAD_FORWARDED, "overload.forwarded", "frames forwarded uninspected: overload")                \
    X(CTR_SLOW_ROUNDS, "overload.slow_rounds", "rounds longer than overload.packet_us")                      \
    X(CTR_SLOW_PACKETS, "overload.slow_packets", "packets found to take longer than overload.packet_us")     \
    X(CTR_LOG_LOST, "log.lost", "events lost because the logger's ring was full")                            \
    X(CTR_SOURCES_BLOCKED, "ips.sources_blocked", "addresses that a drop blocked for a time")                \
    X(CTR_REJECTED, "ips.rejected", "packets answered with RST or ICMP unreachable")                         \
    X(CTR_REJECT_TUNNELLED, "ips.reject_tunnelled",                                                          \
      "rejected packets inside a tunnel: dropped, no answer sent")                                           \
    X(CTR_PASSED, "ips.passed", "packets exempted by a pass rule")

/* X(id, "word", "why the frame did not leave") -- the word is EVE's drop.reason and `ipsctl drops`' line. */
#define DROP_TABLE(X)                                                                                      \
    X(DROP_NONE, "none", "not dropped")                                                                    \
    X(DROP_RULES, "rules", "a drop or reject rule matched the packet")                                     \
    X(DROP_RATE, "threshold detection_filter", "a rate_filter turned a rule into drop or reject")          \
    X(DROP_FLOW, "flow drop", "the flow was dropped by an earlier match")                                  \
    X(DROP_FLOW_POLICY, "exception policy flow drop", "the flow was dropped by an earlier policy")         \
    X(DROP_DECODE, "decode error", "a broken IP packet, and decode.malformed is drop")                     \
    X(DROP_DEFRAG_INVALID, "defrag error",                                                                 \
      "a fragment that no datagram can have, or unlike the others of its datagram")                        \
    X(DROP_DEFRAG_OVERLAP, "defrag overlap", "fragments of the datagram overlap or name different ends")   \
    X(DROP_DEFRAG_DUPLICATE, "defrag duplicate", "a second copy of a fragment that is held")               \
    X(DROP_DEFRAG_TINY, "defrag tiny",                                                                     \
      "the first fragment does not hold all headers, and defrag.tiny is drop")                             \
    X(DROP_DEFRAG_TIMEOUT, "defrag timeout", "the other fragments of the datagram did not come in time")   \
    X(DROP_NOT_IP, "not ip", "not an IP packet, and decode.not_ip is drop")                                \
    X(DROP_MIDSTREAM, "stream midstream", "a TCP flow whose start was not seen, and the policy is drop")   \
    X(DROP_FLOW_MEMCAP, "flow memcap", "the flow table is full, and the policy is drop")                   \
    X(DROP_STREAM_MEMCAP, "stream memcap", "no memory for a segment's bytes, and the policy is drop")      \
    X(DROP_DEFRAG_MEMCAP, "defrag memcap", "no room for a fragment, and the policy is drop")               \
    X(DROP_APP_MEMCAP, "app memcap", "no memory for the flow's parser, and the policy is drop")            \
    X(DROP_APP_ERROR, "app error", "bytes that are not the flow's protocol, and the policy is drop")       \
    X(DROP_APP_AMBIGUOUS, "app ambiguous", "two receivers may read it differently; app.ambiguous is drop") \
    X(DROP_APP_CONFLICT, "app conflict", "a copy of a dropped segment that differs from it")               \
    X(DROP_STREAM_INVALID, "stream invalid", "TCP that its receiver discards: stream.ignored is drop")     \
    X(DROP_STREAM_CONFLICT, "stream conflict", "TCP unlike its first copy, and stream.conflict is drop")   \
    X(DROP_STEPS, "detect steps", "bytes that waited for a hole used up the steps of a drop rule")         \
    X(DROP_TX_FULL, "tx ring full", "the TX ring stayed full after one kick")                              \
    X(DROP_LINK_DOWN, "link down", "the interface it was to leave by has no link, or is gone")             \
    X(DROP_HANDOFF_FULL, "handoff ring full", "the flow owner's handoff ring was full")                    \
    X(DROP_OWNER_SILENT, "owner silent",                                                                   \
      "the flow's worker gave no sign of life, and the fail policy is to drop")                            \
    X(DROP_OVERLOAD, "overload",                                                                           \
      "the worker was overloaded, and the fail policy or overload.policy is to drop")                      \
    X(DROP_SHUTDOWN, "shutdown", "the frame was in hand when the worker stopped")

enum counter_id {
#define X(id, name, help) id,
    COUNTER_TABLE(X)
#undef X
        CTR_N,
};

enum drop_reason {
#define X(id, word, help) id,
    DROP_TABLE(X)
#undef X
        DROP_N,
};

/* One worker's block. Only that worker writes; it lies on cache lines of its own (worker.h). */
struct counters {
    uint64_t v[CTR_N];
    uint64_t drop[DROP_N];
    uint64_t anomaly[AN_N];
};

struct counter_info {
    const char *name, *help;
};
extern const struct counter_info counter_info[CTR_N];
extern const struct counter_info drop_info[DROP_N];

static inline void counter_add(struct counters *c, enum counter_id id, uint64_t n)
{
    __atomic_store_n(&c->v[id], c->v[id] + n, __ATOMIC_RELAXED);
}

/* For the few that are a state and not a count. */
static inline void counter_set(struct counters *c, enum counter_id id, uint64_t n)
{
    __atomic_store_n(&c->v[id], n, __ATOMIC_RELAXED);
}

static inline void counter_drop(struct counters *c, enum drop_reason why)
{
    __atomic_store_n(&c->drop[why], c->drop[why] + 1, __ATOMIC_RELAXED);
}

/* The anomaly is in the packet's set, and counted when it is new there. */
static inline void counter_anomaly(struct counters *c, struct anomalies *of, enum anomaly which)
{
    if (anomaly_has(of, which))
        return;
    anomaly_set(of, which);
    __atomic_store_n(&c->anomaly[which], c->anomaly[which] + 1, __ATOMIC_RELAXED);
}

/* Counts what is in `now` and was not in `before`: for rooms that set anomalies in many places. */
void counter_anomalies(struct counters *c, const struct anomalies *before, const struct anomalies *now);

/* sum += block, read as another thread may: each value whole, the set not a snapshot. */
void counters_sum(struct counters *sum, const struct counters *block);
#endif
