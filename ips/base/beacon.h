/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_BASE_BEACON_H
#define SLUICE_BASE_BEACON_H
/*
 * Where a worker is. It says so with plain stores to a cache line of its own, and reads no clock for it; the supervisor
 * (ips/supervise.c) looks now and then, and when a round does not end it asks the worker's own thread, in a signal
 * handler, what `rule` and `packet` point to: only there are they sure to be alive.
 */
#include <stdint.h>

/* X(id, "word in logs and events") */
#define STAGE_TABLE(X)          \
    X(STAGE_POLL, "poll")       \
    X(STAGE_RECEIVE, "receive") \
    X(STAGE_DECODE, "decode")   \
    X(STAGE_HANDOFF, "handoff") \
    X(STAGE_DEFRAG, "defrag")   \
    X(STAGE_FLOW, "flow")       \
    X(STAGE_STREAM, "stream")   \
    X(STAGE_PARSE, "parse")     \
    X(STAGE_DETECT, "detect")   \
    X(STAGE_LEAVE, "leave")     \
    X(STAGE_SERVICE, "service")

enum stage { /* in POLL it sleeps */
#define X(id, word) id,
             STAGE_TABLE(X)
#undef X
                 STAGE_N,
};

struct rule_info;
struct packet;

struct beacon {
    uint64_t round_ns;            /* the worker's clock when the round began */
    const struct rule_info *rule; /* that is tried now; NULL: none */
    const struct packet *packet;  /* in hand; NULL: none, or several */
    int32_t tid;                  /* gettid(); 0 before it began its rounds, and when they are over */
    uint8_t stage;                /* enum stage */
    uint8_t parser;               /* that has the bytes: enum app_proto + 1; 0: none */
} __attribute__((aligned(64)));

static inline void beacon_stage(struct beacon *b, enum stage s)
{
    __atomic_store_n(&b->stage, (uint8_t)s, __ATOMIC_RELAXED);
}

static inline enum stage beacon_stage_now(const struct beacon *b)
{
    return (enum stage)__atomic_load_n(&b->stage, __ATOMIC_RELAXED);
}

static inline void beacon_round(struct beacon *b, uint64_t now_ns)
{
    __atomic_store_n(&b->round_ns, now_ns, __ATOMIC_RELAXED);
    __atomic_store_n(&b->stage, STAGE_RECEIVE, __ATOMIC_RELEASE); /* who sees it awake sees the new round */
}

static inline void beacon_packet(struct beacon *b, const struct packet *p)
{
    __atomic_store_n(&b->packet, p, __ATOMIC_RELAXED);
}

static inline void beacon_rule(struct beacon *b, const struct rule_info *r)
{
    __atomic_store_n(&b->rule, r, __ATOMIC_RELAXED);
}

static inline void beacon_parser(struct beacon *b, uint8_t proto_and_1)
{
    __atomic_store_n(&b->parser, proto_and_1, __ATOMIC_RELAXED);
}
#endif
