/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_TESTS_STREAM_MODEL_H
#define SLUICE_TESTS_STREAM_MODEL_H
/*
 * A conversation against the stream room, chosen byte by byte: by the fuzzer, or by a test's random numbers.
 *
 * Both ends send what they like: any bytes at any place near the end of what they sent, again and differently. Some packets
 * are dropped by "rules", some are lost behind the bridge. The receivers are as bad as can be: of bytes they cannot deliver
 * yet the last copy wins. What must hold: views follow one another without a gap and without an overlap, their tails are
 * what came before; when a receiver delivers a byte, it is one that was in a view, unchanged; a rewritten segment has a
 * right checksum; all memory comes back.
 */
#include <stdlib.h>
#include <stdio.h>

#include "ips/base/clock.h"
#include "ips/flow/exception.h"
#include "ips/stream/stream.h"
#include "tests/unit/packets.h"

#define MODEL_BYTES 65536
#define MODEL_FLOWS 4

#define MUST(cond)                                                     \
    do {                                                               \
        if (!(cond)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
            abort();                                                   \
        }                                                              \
    } while (0)

struct model_end { /* what one end sends */
    uint32_t isn, sent;
    uint32_t viewed, delivered, acked;
    uint8_t view[MODEL_BYTES], got[MODEL_BYTES];
    bool has[MODEL_BYTES + 1];
};

struct model {
    const uint8_t *data;
    size_t size;
    struct flow_table *flows;
    struct stream_table *streams;
    struct stream_config cfg;
    struct counters c;
    struct frame frame;
    struct model_end end[2];
    uint64_t now_ns;
    uint16_t sport;
    bool strict; /* nothing was allowed to pass for want of memory */
};

static inline uint32_t model_choice(struct model *m, uint32_t n)
{
    uint32_t v = 0;

    for (uint32_t most = n - 1; most > 0 && m->size > 0; most >>= 8, m->size--)
        v = v << 8 | *m->data++;
    return v % n;
}

static inline void model_check_view(struct model *m, struct packet *p, struct model_end *e)
{
    const struct stream_view *v = p->view;

    MUST(p->flags & PKT_STREAM);
    if (!m->strict && v->offset > e->viewed && v->offset < MODEL_BYTES)
        e->viewed = (uint32_t)v->offset; /* behind a gap */
    MUST(v->fresh.len > 0 && v->offset == e->viewed && e->viewed + v->fresh.len <= MODEL_BYTES);
    MUST(v->tail.len <= m->cfg.window_bytes);
    MUST(v->tail.len <= e->viewed);
    MUST(v->tail.len == 0 || !m->strict ||
         memcmp(v->tail.p, e->view + e->viewed - v->tail.len, v->tail.len) == 0);
    memcpy(e->view + e->viewed, v->fresh.p, v->fresh.len);
    if (model_choice(m, 2)) {
        struct span w = stream_window(m->streams, p);
        MUST(w.len == v->tail.len + v->fresh.len);
        MUST(!m->strict || memcmp(w.p, e->view + e->viewed - v->tail.len, w.len) == 0);
    }
}

/* Its receiver has the segment, and delivers what it can. */
static inline void model_receive(struct model *m, const struct packet *p, struct model_end *e)
{
    uint32_t at = p->tcp_seq - (e->isn + 1);

    for (uint32_t i = 0; i < p->payload_len; i++) {
        if (at + i >= MODEL_BYTES || at + i < e->delivered)
            continue;
        e->got[at + i] = p->data[p->payload_off + i];
        e->has[at + i] = true;
    }
    while (e->has[e->delivered]) {
        MUST(e->delivered < e->viewed || !m->strict);
        MUST(e->got[e->delivered] == e->view[e->delivered] || !m->strict);
        e->delivered++;
    }
}

/* One packet through the room; true when it is forwarded. */
static inline bool model_pass(struct model *m, unsigned from, const struct pkt *k, bool by_rule, bool lost)
{
    struct model_end *e = &m->end[from];
    struct packet p = pkt_decoded(&m->frame, k, m->now_ns);
    uint32_t fresh = 0;

    p.in_port = (uint8_t)from;
    flow_prefetch_burst(m->flows, &p, 1);
    flow_lookup(m->flows, &p, &m->c);
    MUST(p.flow);
    stream_begin(m->streams, &p, &m->c);
    flow_account(m->flows, &p);
    if (p.view) {
        model_check_view(m, &p, e);
        fresh = p.view->fresh.len;
    }
    if (p.flags & PKT_REWRITTEN) {
        struct packet again = frame_packet(&m->frame, LINK_ETHERNET);
        struct counters c = {.v = {0}};
        decode_burst(&again, 1, &(struct decode_config){.verify_checksums = true}, &c);
        MUST(!(again.flags & PKT_BAD_CHECKSUM));
    }
    MUST(p.verdict == VERDICT_FORWARD || p.drop_reason != DROP_NONE);
    if (by_rule && p.verdict == VERDICT_FORWARD) {
        p.verdict = VERDICT_DROP;
        p.drop_reason = DROP_RULES;
    }
    bool forwarded = p.verdict == VERDICT_FORWARD;
    stream_end(m->streams, &p, &m->c);
    MUST(!p.view);
    if (forwarded)
        e->viewed += fresh;
    if (forwarded && !lost)
        model_receive(m, &p, e);
    return forwarded;
}

static inline struct pkt model_packet(const struct model *m, unsigned from, uint8_t flags)
{
    const struct model_end *e = &m->end[from], *o = &m->end[1 - from];

    return (struct pkt){.src = from ? 2 : 1,
                        .dst = from ? 1 : 2,
                        .sport = from ? 80 : m->sport,
                        .dport = from ? m->sport : 80,
                        .tcp_flags = flags,
                        .window = 65535,
                        .seq = e->isn + 1,
                        .ack = o->isn + 1 + o->delivered};
}

static inline void model_connect(struct model *m)
{
    memset(m->end, 0, sizeof(m->end));
    m->sport++;
    for (unsigned i = 0; i < 2; i++)
        m->end[i].isn =
            model_choice(m, 4) ? 0u - 1 - model_choice(m, MODEL_BYTES) : model_choice(m, 1u << 31);
    struct pkt syn = model_packet(m, 0, 0x02), synack = model_packet(m, 1, 0x12),
               ack = model_packet(m, 0, 0x10);
    syn.seq--;
    synack.seq--;
    MUST(model_pass(m, 0, &syn, false, false));
    MUST(model_pass(m, 1, &synack, false, false));
    MUST(model_pass(m, 0, &ack, false, false));
}

/* A segment, or an acknowledgement alone. */
static inline void model_segment(struct model *m)
{
    static uint8_t bytes[4096];
    unsigned kind = model_choice(m, 256), from = kind & 1;
    struct model_end *e = &m->end[from];
    struct pkt k = model_packet(m, from, 0x10);
    uint32_t len = kind & 2 ? 1 + model_choice(m, 8) : 1 + model_choice(m, 1400), at = e->viewed;

    if (kind & 4) /* back, ahead, or just behind */
        at = kind & 8 ? at - model_choice(m, at < 3000 ? at + 1 : 3000)
                      : at + model_choice(m, kind & 16 ? 8 : 6000);
    if (at + len > MODEL_BYTES - 1)
        return;
    uint8_t seed = (uint8_t)model_choice(m, 4);
    for (uint32_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(seed + (at + i) * 7); /* four texts, which disagree everywhere */
    k.seq += at;
    k.payload = bytes;
    k.payload_len = (kind & 0xe0) ? len : 0;
    if (!k.payload_len)
        k.payload = NULL;
    unsigned fate = model_choice(m, 16);
    if (fate == 15 && model_choice(m, 4) == 0)
        m->now_ns += model_choice(m, 40) * NS_PER_S;
    model_pass(m, from, &k, fate == 1, fate == 2 || fate == 3);
}

static inline void model_run(const uint8_t *data, size_t size)
{
    static struct model m;
    const struct flow_config fc = {.max_flows = MODEL_FLOWS,
                                   .tcp_new_s = 60,
                                   .tcp_established_s = 600,
                                   .tcp_closed_s = 60,
                                   .udp_new_s = 3,
                                   .udp_established_s = 30,
                                   .icmp_s = 2,
                                   .other_s = 4};
    struct err e;

    m = (struct model){.data = data, .size = size, .now_ns = 1000 * NS_PER_S, .sport = 1000};
    m.cfg = (struct stream_config){.memory_bytes = 4096u << model_choice(&m, 8),
                                   .flow_bytes = 4096u << model_choice(&m, 4),
                                   .window_bytes = 64u << model_choice(&m, 6),
                                   .conflict = model_choice(&m, 2) ? CONFLICT_REWRITE : CONFLICT_DROP,
                                   .on_memcap = EXCEPTION_DROP_PACKET,
                                   .drop_ignored = true,
                                   .inline_mode = true,
                                   .max_flows = MODEL_FLOWS};
    m.strict = true;
    if (model_choice(&m, 8) == 7) {
        m.cfg.on_memcap = EXCEPTION_IGNORE;
        m.strict = false;
    }
    m.flows = flow_table_new(&fc, &e);
    MUST(m.flows);
    m.streams = stream_table_new(&m.cfg, m.flows, &e);
    MUST(m.streams);
    model_connect(&m);
    while (m.size > 0) {
        m.now_ns += NS_PER_MS;
        if (m.end[0].viewed > MODEL_BYTES - 8192 || m.end[1].viewed > MODEL_BYTES - 8192)
            model_connect(&m);
        model_segment(&m);
    }
    flow_expire(m.flows, m.now_ns + 100000 * NS_PER_S, 1000, &m.c);
    MUST(flow_table_count(m.flows) == 0);
    MUST(stream_table_bytes(m.streams) == 0);
    stream_table_free(m.streams);
    flow_table_free(m.flows);
}
#endif
