/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_EVAL_H
#define SLUICE_RULES_EVAL_H
/*
 * What a keyword's match function may see: plain facts about the packet, and buffers. Rules know nothing of
 * frames or flows: ips/detect fills the facts once per packet, when the first candidate asks.
 */
#include <stdbool.h>
#include <stdint.h>
#include "ips/base/anomaly.h"
#include "ips/base/span.h"
#include "rules/memory.h"
#include "rules/ruleset.h"
#include "rules/transforms.h"

#define VARS_MAX        16 /* byte_extract and byte_math names of one rule */
#define TRANSFORMED_MAX 64 /* different (buffer, transforms) of one ruleset */
#define BUF_SLOTS       (BUF_N + TRANSFORMED_MAX)
#define REPLACED_MAX    16 /* contents with replace in one rule */

enum fact_flag {
    FACT_HAS_FLOW = 1 << 0,
    FACT_TO_CLIENT = 1 << 1, /* clear: to_server */
    FACT_ESTABLISHED = 1 << 2,
    FACT_IPV4 = 1 << 3,
    FACT_IPV6 = 1 << 4,
    FACT_TCP = 1 << 5,
    FACT_UDP = 1 << 6,
    FACT_ICMP = 1 << 7, /* ICMP or ICMPv6 */
    FACT_FRAGMENT = 1 << 8,
    FACT_STREAM_SIZE = 1 << 9,  /* stream_size[] holds */
    FACT_REASSEMBLED = 1 << 10, /* put together from fragments */
    FACT_APP_SETTLED = 1 << 12, /* apps holds: it will not become known any more, or it is */
    FACT_SYN = 1 << 11,         /* TCP, opening: not established whatever its data is, see flow_tcp.c */
};

struct facts {
    uint32_t flags; /* enum fact_flag */
    uint8_t ip_proto, ip_ttl, ip_tos, ip_version;
    uint16_t ip_id, ip_frag; /* as in the header, host order */
    uint16_t sport, dport;
    uint8_t tcp_flags, icmp_type, icmp_code, pad;
    uint16_t tcp_window, icmp_id, icmp_seq, payload_len;
    uint32_t tcp_seq, tcp_ack;
    const uint8_t *src, *dst; /* 16 bytes each, IPv4 mapped */
    struct span l3_hdr;       /* IP header with IPv4 options, without IPv6 extension headers */
    struct span l4_hdr;       /* TCP with options, UDP or ICMP header; p == NULL when there is none */
    uint16_t vlan[3];         /* tag control words, outermost first */
    uint8_t n_vlans;
    uint64_t apps;                          /* what the flow speaks: APP_BIT()s; 0: not known */
    const struct anomalies *anomalies;      /* of the packet; NULL: none */
    const uint64_t *flow_pkts, *flow_bytes; /* [2], [0] to_server, this packet included; NULL: no flow */
    uint64_t flow_age_ns;
    uint32_t stream_size[2]; /* TCP: sequence numbers used so far, SYN and FIN count one; [0] by the client */
};

/* A content to be written over when its rule has matched. */
struct replaced {
    const uint8_t *bytes; /* in the ruleset's arena */
    uint32_t at, len;     /* in the payload */
};

struct eval_scratch; /* PCRE2 match data and contexts, one per worker; rules/eval_scratch.c */
struct eval_scratch *eval_scratch_new(struct err *e);
void eval_scratch_free(struct eval_scratch *s);

struct eval {
    const struct facts *facts;
    struct span buf[BUF_SLOTS];           /* unset buffers have p == NULL; read them with eval_buffer() */
    const struct buffer_ref *transformed; /* of the ruleset in hand */
    uint32_t n_transformed;
    uint64_t is_set[(BUF_N + 63) / 64]; /* buffers that eval_buffer_set() gave something */
    uint64_t made;            /* bit i: buf[BUF_N + i] is the transform of what its base holds now */
    bool hit_transform_limit; /* a transformed buffer found no room and counts as absent */
    struct eval_scratch *scratch;
    struct memory memory;
    uint32_t steps_left; /* the bound on backtracking; reaching 0 ends the evaluation */
    bool hit_step_limit, hit_pcre_limit;
    /* the payload in hand: a packet's own, or a stream's last bytes */
    int64_t origin;    /* place of its first byte, as rules count places; 0 but in a stream */
    uint32_t fresh_at; /* where the bytes begin that no rule has seen before; 0: all of it is new */
    uint32_t read_end; /* set by steps that are no search: behind the last payload byte they needed */
    /* what a parser has published; NULL in between. first, origins: by buffer, where is_set says so */
    const struct buffer_instance *instances;
    const uint16_t *first; /* index + 1 */
    const uint64_t *origins;
    /* the cursor of the buffer in hand; saved and restored by the evaluator when it backtracks */
    uint32_t cursor;      /* end of the previous match in the current buffer */
    uint32_t match_start; /* STEP_SEARCH: where the match just found begins */
    uint32_t search_from; /* STEP_SEARCH: do not look for a match that begins before this */
    uint64_t var[VARS_MAX];
    /* what a rule that matched wants written over; nothing for other rules */
    struct replaced replaced[REPLACED_MAX];
    uint32_t n_replaced;
};

struct ruleset;
/*
 * Once a packet, before its buffers are set: forgets all of them. Then the buffers of packets may be written into buf
 * as they are; all others, and any of them later on, are set by eval_buffer_set(). (rules/transforms.c)
 */
void eval_begin(struct eval *e, const struct ruleset *rs);
/* A parser's buffers are set from here on (eval_buffer_set(): the first instance of each), until they are taken back. */
void eval_publish(struct eval *e, const struct buffer_instance *instances, const uint16_t *first,
                  const uint64_t *origins);
void eval_unpublish(struct eval *e);
/* What stands for the payload from now on, and what was made of the last one is forgotten. */
void eval_look_at(struct eval *e, struct span payload, int64_t origin, uint32_t fresh_at);
/* Where the buffer's bytes begin, for places that are counted from the start. */
static inline int64_t eval_origin(const struct eval *e, uint16_t slot)
{
    if (slot == BUF_PAYLOAD)
        return e->origin;
    if (e->instances == NULL || slot >= BUF_N || !(e->is_set[slot / 64] >> slot % 64 & 1))
        return 0;
    return (int64_t)e->origins[slot];
}
/* Gives a buffer its bytes and forgets what was made of the old ones. */
void eval_buffer_set(struct eval *e, uint16_t buffer, struct span bytes);
/* A transformed buffer is made when it is asked for first. */
struct span eval_buffer_make(struct eval *e, uint16_t slot);
static inline struct span eval_buffer(struct eval *e, uint16_t slot)
{
    if (slot < BUF_N || (e->made >> (slot - BUF_N) & 1))
        return e->buf[slot];
    return eval_buffer_make(e, slot);
}
#endif
