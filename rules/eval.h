/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_EVAL_H
#define SLUICE_RULES_EVAL_H
/*
 * What a keyword's match function may see: plain facts about the packet, and buffers. Rules know nothing of
 * frames or flows: ips/detect fills the facts once per packet, when the first candidate asks.
 */
#include <stdbool.h>
#include <stdint.h>
#include "ips/base/span.h"
#include "rules/ruleset.h"

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
};

struct eval_scratch; /* PCRE2 match data and contexts, one per worker; rules/eval_scratch.c */
struct eval_scratch *eval_scratch_new(struct err *e);
void eval_scratch_free(struct eval_scratch *s);

struct eval {
    const struct facts *facts;
    struct span buf[BUF_N]; /* unset buffers have p == NULL */
    struct eval_scratch *scratch;
    uint32_t steps_left; /* the bound on backtracking; reaching 0 ends the evaluation */
    bool hit_step_limit, hit_pcre_limit;
    /* the cursor of the buffer in hand; saved and restored by the evaluator when it backtracks */
    uint32_t cursor;      /* end of the previous match in the current buffer */
    uint32_t match_start; /* STEP_SEARCH: where the match just found begins */
    uint32_t search_from; /* STEP_SEARCH: do not look for a match that begins before this */
};
#endif
