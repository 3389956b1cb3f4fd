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
#define ANOMALIES_OF_DECODE(X) \
    X(AN_IPV4_TRUNC_PKT, "ipv4.trunc_pkt", "the total length is more than the frame holds")

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

#define ANOMALIES_OF_STREAM(X)                                       \
    X(AN_STREAM_DIFFERENT_DATA, "reassembly_overlap_different_data", \
      "a retransmission says something else than the first copy")

#define ANOMALY_TABLE(X)   \
    ANOMALIES_OF_DECODE(X) \
    ANOMALIES_OF_DEFRAG(X) \
    ANOMALIES_OF_STREAM(X)

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

struct anomalies { /* a set */
    uint64_t bits[3];
};
_Static_assert(AN_N <= 192, "struct anomalies holds them all");

static inline void anomaly_set(struct anomalies *a, enum anomaly which)
{
    a->bits[which / 64] |= UINT64_C(1) << (which % 64);
}

static inline bool anomaly_has(const struct anomalies *a, enum anomaly which)
{
    return a->bits[which / 64] >> (which % 64) & 1;
}
#endif
