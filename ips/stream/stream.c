/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A segment's way through its stream.
 *
 * begin   what its receiver makes of it (tcp.c); what it repeats must be what was inspected, or is made so; what it adds
 *         is old, early or new. New bytes, with the early ones they join, are the view. Room for all of it is found now,
 *         so that nothing can fail once it was inspected.
 * end     it is forwarded: its bytes are kept and next moves. Or it is dropped: then nothing of it has happened; bytes that
 *         were put into the buffer to be looked at together are not held until then.
 *
 * Invariants: a byte that its receiver may deliver was in a view before, as it is; all inspected bytes that are not
 * acknowledged and all early ones are held, or what would rely on them is treated by stream.memcap_policy.
 *
 * When bytes cannot be remembered or compared the segment is dropped by default: its sender repeats it, and by then there
 * may be room. Where that policy says otherwise, and in capture mode, the stream goes on behind the gap.
 *
 * Worker thread. Owns the array of TCP states beside the flow table, and the pool.
 */
#include "ips/stream/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "ips/base/clock.h"
#include "ips/decode/decode.h"
#include "ips/flow/exception.h"
#include "ips/stream/normalise.h"
#include "ips/stream/stream_parts.h"

enum { SYN = 0x02, RST = 0x04 };

/* Nothing is known of the connection. */
static void begin_anew(const struct stream_table *t, struct tcp *tcp)
{
    *tcp = (struct tcp){.used_s = 0};
    if (t->cfg.one_port)
        tcp->dir[0].flags = tcp->dir[1].flags = TCP_ANY_PORT;
}

/* The flow table forgets a flow, or what was known of its streams. */
static void released(void *arg, uint32_t index, enum flow_end why)
{
    struct stream_table *t = arg;

    memory_release(t, &t->tcp[index]);
    if (why == FLOW_TAKEN_UP_AGAIN)
        begin_anew(t, &t->tcp[index]);
}

struct stream_table *stream_table_new(const struct stream_config *cfg, struct flow_table *flows,
                                      struct err *e)
{
    struct stream_table *t = calloc(1, sizeof(*t));
    void *m = MAP_FAILED;

    if (t) {
        t->cfg = *cfg;
        t->flows = flows;
        t->tcp_bytes = sizeof(*t->tcp) * cfg->max_flows;
        m = mmap(NULL, t->tcp_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                 0);
    }
    if (m == MAP_FAILED) {
        err_set(e, -ENOMEM, "no memory for the TCP states of %u flows", cfg->max_flows);
        err_remedy(e, "lower flow.max; there is one table per worker");
        free(t);
        return NULL;
    }
    t->tcp = m;
    while ((uint32_t)POOL_UNIT << t->tail_order < cfg->window_bytes)
        t->tail_order++;
    t->pool = pool_new(cfg->memory_bytes, "streams", "stream.memory", e);
    if (!t->pool) {
        stream_table_free(t);
        return NULL;
    }
    flow_table_on_release(flows, released, t);
    return t;
}

void stream_table_free(struct stream_table *t)
{
    if (!t)
        return;
    flow_table_off_release(t->flows, t);
    pool_free(t->pool);
    munmap(t->tcp, t->tcp_bytes);
    free(t);
}

uint64_t stream_table_bytes(const struct stream_table *t)
{
    return pool_used(t->pool);
}

void stream_prefetch(const struct stream_table *t, uint32_t flow_index)
{
    __builtin_prefetch(&t->tcp[flow_index], 1);
    __builtin_prefetch((const char *)&t->tcp[flow_index] + 64, 1);
}

static struct span payload_from(const struct packet *p, uint32_t seq, uint32_t from)
{
    return span_sub(packet_payload(p), from - seq, p->payload_len);
}

static uint64_t offset_of_next(const struct tcp_dir *d)
{
    return ((uint64_t)d->offset_hi << 32) + (uint32_t)(d->next - (d->isn + 1));
}

/* Whether seq lies before the stream's first byte, which is told from wrapped numbers while the stream is young. */
static bool before_start(const struct tcp_dir *d, uint32_t seq)
{
    return offset_of_next(d) < UINT64_C(1) << 30 && seq_before(seq, d->isn + 1);
}

/* The segment cannot be remembered or compared. True when it is dropped for it: then nothing of it happens. */
static bool refuse(struct stream_table *t, struct packet *p, enum anomaly why, struct counters *c)
{
    anomaly_set(&p->anomalies, why);
    exception_apply(EXC_STREAM_MEMCAP, t->cfg.on_memcap, p, c);
    if (!t->cfg.inline_mode || p->verdict != VERDICT_DROP)
        return false;
    t->hand.p = NULL;
    return true;
}

static void gap(struct stream_table *t, struct packet *p, uint32_t seq, struct counters *c)
{
    anomaly_set(&p->anomalies, AN_STREAM_GAP);
    counter_add(c, CTR_STREAM_GAPS, 1);
    buffer_skip(t->pool, t->hand.d, seq);
    t->hand.d->flags &= (uint16_t)~TCP_GAP;
}

/* The held bytes over the segment's, from sequence number `from` on, and the checksum by difference (RFC 1624). */
static void rewrite(struct stream_table *t, struct packet *p, uint32_t from, struct counters *c)
{
    const struct segment *h = &t->hand;
    uint8_t *l4 = p->data + p->l4_off, *payload = p->data + p->payload_off;
    uint32_t skip =
        (uint32_t)(p->payload_off - p->l4_off) & ~1u; /* the sum goes by words from the header's start */
    uint32_t len = p->payload_off + p->payload_len - p->l4_off - skip;
    uint16_t before = checksum_finish(checksum_add(0, l4 + skip, len));

    buffer_restore(t->pool, h->d, from, payload + (from - h->seq), h->end - from);
    uint32_t sum = (uint32_t)(uint16_t)~load_be16(l4 + 16) + before;
    store_be16(l4 + 16, checksum_finish(checksum_add(sum, l4 + skip, len)));
    p->flags |= PKT_REWRITTEN;
    counter_add(c, CTR_STREAM_REWRITTEN, 1);
}

/* Bytes that were seen before must be what they were. False: the segment is dropped. */
static bool first_copy_wins(struct stream_table *t, struct packet *p, struct counters *c)
{
    struct segment *h = &t->hand;
    struct tcp_dir *d = h->d;
    uint32_t from = h->seq;

    if (d->n_early == 0 && !seq_before(from, d->kept))
        return true; /* as nearly always: nothing like it was seen */
    if ((d->flags & TCP_SAW_ACK) && seq_before(from, data_acked(d)))
        from = data_acked(d); /* its receiver has these, and does not look at them again */
    if (before_start(d, from))
        from = d->isn + 1; /* the SYN's own number, or from before we came */
    if (!seq_before(from, h->end))
        return true;
    if (seq_before(from, d->base)) {
        if (refuse(t, p, AN_STREAM_NOT_KEPT, c))
            return false;
        from = d->base;
    }
    if (!seq_before(from, h->end) || buffer_agrees(t->pool, d, from, payload_from(p, h->seq, from)))
        return true;
    anomaly_set(&p->anomalies, AN_STREAM_DIFFERENT_DATA);
    counter_add(c, CTR_STREAM_CONFLICTS, 1);
    if (!t->cfg.inline_mode)
        return true;
    if (t->cfg.conflict == CONFLICT_REWRITE && !(p->flags & PKT_REASSEMBLED)) {
        rewrite(t, p, from, c);
        return true;
    }
    packet_drop(p, DROP_STREAM_CONFLICT);
    h->p = NULL;
    return false;
}

/* Where the bytes go that can be delivered now: upto. True when the segment lies beyond a hole. */
static bool place(struct stream_table *t)
{
    struct segment *h = &t->hand;

    h->upto = h->d->next + buffer_early_at(t->pool, h->d, h->d->next); /* early ones at next: behind a gap */
    if (seq_before(h->upto, h->seq))
        return true;
    if (seq_before(h->upto, h->end))
        h->upto = h->end + buffer_early_at(t->pool, h->d, h->end);
    return false;
}

/* There is no room for a segment that goes on all the same: the stream continues behind what is missing. */
static void go_on_without(struct stream_table *t, struct packet *p, struct counters *c)
{
    struct segment *h = &t->hand;
    struct tcp_dir *d = h->d;
    uint32_t early = buffer_early_first(t->pool, d);

    if (seq_before(d->next, h->seq)) {
        gap(t, p, d->n_early && seq_before(early, h->seq) ? early : h->seq, c);
        bool beyond = place(t);
        if (memory_reserve(t, h->tcp, d, h->end, beyond, c) == RESERVED) {
            h->part = beyond ? PART_EARLY : PART_NEW;
            return;
        }
        if (seq_before(d->next, h->seq))
            gap(t, p, h->seq, c);
    }
    h->part = PART_UNKEPT;
    h->upto = h->end;
}

/* What the segment adds, if anything, and room for it. False: dropped for lack of it. */
static bool find_room(struct stream_table *t, struct packet *p, struct counters *c)
{
    struct segment *h = &t->hand;
    struct tcp_dir *d = h->d;

    if ((d->flags & TCP_GAP) && seq_before(d->next, h->end)) {
        if (refuse(t, p, AN_STREAM_GAP, c))
            return false;
        if (seq_before(d->next, h->seq))
            gap(t, p, h->seq, c);
        d->flags &= (uint16_t)~TCP_GAP;
    }
    bool beyond = place(t);
    if (!seq_before(d->next, h->end)) {
        h->part = PART_OLD;
        return true;
    }
    h->part = beyond ? PART_EARLY : PART_NEW;
    enum reserved r = memory_reserve(t, h->tcp, d, h->end, beyond, c);
    if (r == RESERVED)
        return true;
    if (refuse(t, p, r == NO_MEMORY ? AN_STREAM_MEMCAP : AN_STREAM_LIMIT, c))
        return false;
    go_on_without(t, p, c);
    return true;
}

/* The part of the payload that is not inspected yet into the buffer. */
static void put(struct stream_table *t, const struct packet *p)
{
    struct segment *h = &t->hand;
    uint32_t from = seq_before(h->seq, h->d->next) ? h->d->next : h->seq;

    if (seq_before(from, h->end))
        buffer_put(t->pool, h->d, from, payload_from(p, h->seq, from));
    h->put = true;
}

/* Whether what the payload repeats in front of its new bytes is what was inspected. It need not be: bytes that their
 * receiver has acknowledged are not compared, and then the frame is not a picture of the stream. */
static bool repeats_truly(const struct stream_table *t, const struct packet *p)
{
    const struct segment *h = &t->hand;
    const struct tcp_dir *d = h->d;

    if (!seq_before(h->seq, d->next))
        return true;
    return !seq_before(h->seq, d->base) &&
           buffer_agrees(t->pool, d, h->seq, span_sub(packet_payload(p), 0, d->next - h->seq));
}

static void make_view(struct stream_table *t, struct packet *p)
{
    struct segment *h = &t->hand;
    struct tcp_dir *d = h->d;
    struct stream_view *v = &t->view;
    uint32_t len = h->upto - d->next, tail = d->next - d->base;

    if (h->part == PART_BEHIND || len == 0)
        return;
    if (tail > t->cfg.window_bytes)
        tail = t->cfg.window_bytes;
    v->offset = offset_of_next(d);
    v->in_frame =
        h->upto == h->end && !seq_before(d->next, h->seq) &&
        (h->part == PART_UNKEPT || (buffer_early_at(t->pool, d, d->next) == 0 && repeats_truly(t, p)));
    v->tail = h->part == PART_UNKEPT ? span_of(NULL, 0) : buffer_span(t->pool, d, d->next - tail, tail);
    if (v->in_frame) {
        v->fresh = payload_from(p, h->seq, d->next);
    } else {
        if (h->part == PART_NEW)
            put(t, p);
        v->fresh = buffer_span(t->pool, d, d->next, len);
    }
    p->view = v;
}

/* The payload, when there is a stream that it can belong to. */
static void take_payload(struct stream_table *t, struct packet *p, struct counters *c)
{
    struct segment *h = &t->hand;
    struct tcp_dir *d = h->d;

    h->seq = h->upto = tcp_data_seq(p);
    h->end = h->seq + p->payload_len;
    if (before_start(d, d->flags & TCP_SEEN ? h->end - 1 : h->seq))
        return; /* from before we came, or its SYN was dropped: looked at as a packet */
    if (!d->bytes && !(d->flags & TCP_DEPTH))
        d->base = d->kept = d->next;
    p->flags |= PKT_STREAM;
    h->upto = d->next;
    h->part = PART_OLD;
    if ((d->flags & (TCP_SAW_ACK | TCP_DEPTH)) == TCP_SAW_ACK && seq_before(d->next, data_acked(d))) {
        uint32_t early = buffer_early_first(t->pool, d), to = data_acked(d);

        gap(t, p, d->n_early && seq_before(early, to) ? early : to, c);
    }
    if (!first_copy_wins(t, p, c))
        return;
    if (d->flags & TCP_DEPTH) {
        h->part = PART_BEHIND;
        return;
    }
    if (find_room(t, p, c))
        make_view(t, p);
}

/* A flow's memory goes when nobody looks into it any more. */
static bool followed(struct stream_table *t, const struct flow *f, struct tcp *tcp, const struct packet *p)
{
    bool settled = f->verdict == FLOW_PASS || (t->cfg.inline_mode && f->verdict == FLOW_DROP);

    if (settled)
        memory_release(t, tcp);
    return !settled && !(t->cfg.inline_mode && p->verdict == VERDICT_DROP);
}

/* A direction starts elsewhere than it did: what it holds is of another life, or lies further on in one that was picked up. */
static void forget_moved(struct stream_table *t, struct tcp *tcp)
{
    for (unsigned i = 0; i < 2; i++) {
        struct tcp_dir *d = &tcp->dir[i];

        if (!(d->flags & TCP_MOVED))
            continue;
        if (d->flags & TCP_SAW_SYN)
            buffer_free(t->pool, d);
        else
            buffer_restart(t->pool, d, t->cfg.flow_bytes);
        d->flags &= (uint16_t) ~(TCP_MOVED | TCP_DEPTH | TCP_GAP);
    }
}

/* Linux before 6.17 takes what lies behind the edge of a segment that begins before it, others do not. A window probe
 * keeps its byte. */
static void trim_to_window(const struct tcp_dir *d, struct packet *p, struct counters *c)
{
    uint32_t seq = tcp_data_seq(p), room = d->edge - seq;

    if (!(d->flags & TCP_SAW_ACK) || seq_before(d->edge, seq) || p->payload_len <= 1 ||
        p->payload_len <= room)
        return;
    normalise_trim(p, room ? (uint16_t)room : 1, c);
}

static void begin(struct stream_table *t, struct packet *p, struct counters *c)
{
    unsigned dir = p->flags & PKT_TO_CLIENT ? 1 : 0;

    t->hand.p = NULL;
    p->view = NULL;
    if (!p->flow || p->ip_proto != IPPROTO_TCP || !(p->flags & PKT_HAS_L4))
        return;
    struct tcp *tcp = &t->tcp[flow_index(t->flows, p->flow)];
    if (p->flags & PKT_FLOW_NEW)
        begin_anew(t, tcp);
    tcp->used_s = stream_now_s(p);
    if (!followed(t, p->flow, tcp, p))
        return;
    enum tcp_fate fate = tcp_judge(tcp, p, dir);
    forget_moved(t, tcp);
    if (fate == TCP_DISCARDS) {
        counter_add(c, CTR_STREAM_IGNORED, 1);
        if (!t->cfg
                 .one_port) /* of a capture we saw less than its ends did: then it is a packet without a stream */
            p->flags |= PKT_IGNORED;
        if (t->cfg.inline_mode && t->cfg.drop_ignored)
            packet_drop(p, DROP_STREAM_INVALID);
        return;
    }
    if (t->cfg.trim_window && t->cfg.inline_mode && fate == TCP_TAKES)
        trim_to_window(&tcp->dir[dir], p, c);
    t->hand = (struct segment){.p = p, .tcp = tcp, .d = &tcp->dir[dir], .dir = dir};
    if (p->payload_len == 0 || (p->tcp_flags & RST) || !(tcp->dir[dir].flags & TCP_STARTED))
        return;
    if (fate == TCP_TAKES)
        take_payload(t, p, c);
    else if (!(p->tcp_flags & SYN))
        p->flags |= PKT_STREAM; /* its receiver has all of it */
}

void stream_begin(struct stream_table *t, struct packet *p, struct counters *c)
{
    struct anomalies before = p->anomalies;

    begin(t, p, c);
    counter_anomalies(c, &before, &p->anomalies);
}

struct span stream_window(struct stream_table *t, const struct packet *p)
{
    const struct stream_view *v = p->view;

    if (!v || t->hand.p != p)
        return span_of(NULL, 0);
    if (v->in_frame && v->tail.len == 0)
        return v->fresh;
    if (v->in_frame && !t->hand.put)
        put(t, p);
    return buffer_span(t->pool, t->hand.d, t->hand.d->next - v->tail.len, v->tail.len + v->fresh.len);
}

static void check_depth(struct stream_table *t, struct packet *p, struct counters *c)
{
    struct tcp_dir *d = t->hand.d;

    if (t->cfg.depth_bytes == 0 || offset_of_next(d) < t->cfg.depth_bytes || (d->flags & TCP_DEPTH))
        return;
    d->flags |= TCP_DEPTH;
    counter_add(c, CTR_STREAM_DEPTH, 1);
    if (t->cfg.bypass_at_depth)
        flow_settle(p->flow, FLOW_PASS, true);
}

static void commit(struct stream_table *t, struct packet *p, struct counters *c)
{
    struct segment *h = &t->hand;
    struct tcp_dir *d = h->d;

    switch (h->part) {
    case PART_EARLY:
        put(t, p);
        buffer_enter(t->pool, d, h->seq, h->end);
        counter_add(c, CTR_STREAM_EARLY, 1);
        break;
    case PART_NEW:
        if (!h->put || (p->flags & PKT_REWRITTEN)) /* what leaves is what is kept */
            put(t, p);
        if (h->upto != h->end)
            counter_add(c, CTR_STREAM_JOINED, 1);
        break;
    case PART_UNKEPT:
        buffer_skip(t->pool, d, h->end);
        break;
    case PART_BEHIND:
        if (seq_before(d->next, h->end))
            buffer_pass(d, h->end);
        break;
    default:
        break;
    }
    if (h->part != PART_BEHIND && seq_before(d->next, h->upto))
        buffer_advance(t->pool, d, h->upto);
    check_depth(t, p, c);
}

/*
 * The first acknowledgement of what d sends. Bytes that came before it were inspected on a connection that was not
 * established, and most receivers have thrown them away: they are inspected again with what comes next.
 */
static void answered(struct stream_table *t, struct tcp_dir *d)
{
    const uint16_t both = TCP_SAW_SYN | TCP_SAW_ACK;

    if ((d->flags & (both | TCP_DEPTH | TCP_MOVED)) == both && seq_before(data_acked(d), d->next) &&
        !seq_before(data_acked(d), d->isn + 1))
        buffer_rewind(t->pool, d, data_acked(d));
}

void stream_end(struct stream_table *t, struct packet *p, struct counters *c)
{
    struct segment *h = &t->hand;

    p->view = NULL;
    if (h->p != p)
        return;
    h->p = NULL;
    if (t->cfg.inline_mode && p->verdict == VERDICT_DROP)
        return;
    if (h->part != PART_NONE)
        commit(t, p, c);
    struct tcp_dir *o = &h->tcp->dir[1 - h->dir];
    bool unanswered = !(o->flags & TCP_SAW_ACK);
    tcp_forwarded(h->tcp, p, h->dir);
    if (unanswered)
        answered(t, o);
    forget_moved(t, h->tcp);
    memory_acked(t, &h->tcp->dir[1 - h->dir]);
    memory_list(t, h->tcp);
}

bool stream_sizes(const struct stream_table *t, const struct packet *p, uint32_t size[2])
{
    unsigned from = p->flags & PKT_TO_CLIENT ? 1 : 0;

    size[0] = size[1] = 0;
    if (!p->flow || p->ip_proto != IPPROTO_TCP)
        return false;
    const struct tcp *f = &t->tcp[flow_index(t->flows, p->flow)];
    if (!(f->dir[0].flags & TCP_SAW_SYN))
        return false; /* taken up midstream */
    for (unsigned i = 0; i < 2; i++) {
        const struct tcp_dir *d = &f->dir[i];
        uint32_t end = d->sent;

        if (!(d->flags & TCP_SAW_SYN))
            continue;
        if (i == from) {
            uint32_t own = tcp_data_seq(p) + p->payload_len + (p->tcp_flags & 0x01);
            if (seq_before(end, own))
                end = own;
        }
        size[i] = end - d->isn;
    }
    return true;
}

bool stream_synchronized(const struct stream_table *t, const struct flow *f)
{
    const struct tcp *tcp = &t->tcp[flow_index(t->flows, f)];

    return f->proto == IPPROTO_TCP && (tcp->dir[0].flags & tcp->dir[1].flags & TCP_SAW_ACK) &&
           tcp->dir[0].in_port != tcp->dir[1].in_port;
}

bool stream_finishes(const struct stream_table *t, const struct packet *p)
{
    const struct segment *h = &t->hand;

    return h->p == p && (p->tcp_flags & 0x01) &&
           (h->part == PART_NEW || h->part == PART_NONE || h->part == PART_UNKEPT) &&
           (p->payload_len == 0 || h->upto == h->end) && !(p->flags & PKT_IGNORED) &&
           (p->payload_len > 0 || !seq_before(h->d->next, tcp_data_seq(p)));
}
