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

#define ANOMALIES_OF_DEFRAG(X) \
    X(AN_IPV4_FRAG_OVERLAP, "ipv4.frag_overlap", "fragments of one datagram overlap")

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
