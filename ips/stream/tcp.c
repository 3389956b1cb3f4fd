/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the receiving stack will do with a segment: RFC 9293 with 7323 (window scale, PAWS), 5961 (RST, SYN and ACK that
 * are out of place) and 7413 (data in SYN), and as Linux does where they leave a choice.
 *
 * We stand in the middle. What passed us may be lost behind us, so `next` is an upper bound of the receiver's rcv_nxt and
 * its own acknowledgements are the lower one; only what it says itself, through its own port, is known: what it has
 * (acked), up to where it takes more (edge), which timestamp it took last (the one it echoes), which SYN it answers.
 * TCP_DISCARDS is said by that alone. Everything else that a stack might take is TCP_TAKES, even where Linux would not
 * (MD5 options, data behind an unacknowledged FIN or behind RST, segments across the window's edge or beyond it in
 * sequence, no timestamp after one was agreed): the first copy wins, so that a wrong guess gives the receiver what was
 * inspected or nothing, while a wrong discard would let bytes pass uninspected where stream.ignored is forward.
 *
 * SYNs: until both ends have acknowledged each other's, an end may begin again with another number; the receiver's
 * ACK says which of the last two it took. After that, a SYN changes nothing here (flow/ watches for a new connection)
 * and goes on without bytes: the challenge ACK it provokes heals half-open connections. SYN and SYN/ACK are handled alike in
 * both directions, so that simultaneous opens and split handshakes are no cases of their own.
 *
 * As long as its receiver has said nothing, nobody knows where a stream really is, not even behind a SYN: that may have
 * been sent over a connection that the engine has forgotten, or be one of several. So bytes are taken only where they
 * touch those that were inspected; others are discarded, and their sender repeats them when the first ACK has settled the
 * matter. (Nothing is early in front of it: what seems to lie behind a hole may be what the receiver waits for.) Where the
 * receiver's answers take another way, a hole that does not fill ends after JUMP_S. A connection that was picked up is
 * loose on top of that: bytes in front of the first ones, and touching them, are where it begins.
 *
 * Urgent data is part of the stream: the normaliser takes the flag away, and every receiver reads it in its place.
 *
 * Worker thread; touches the TCP state it is given only. Sequence arithmetic is modulo 2^32 throughout.
 */
#include "ips/base/clock.h"
#include "ips/stream/stream_parts.h"

enum { FIN = 0x01, SYN = 0x02, RST = 0x04, ACK = 0x10 };

enum {
    TCP_HDR_MIN = 20,
    OPT_END = 0,
    OPT_NOP = 1,
    OPT_WSCALE = 3,
    OPT_TIMESTAMP = 8,
    TIMESTAMP_ALONE = 12,        /* bytes: NOP, NOP, timestamp */
    TIMESTAMP_HEAD = 0x0101080a, /* the first four of them */
    WSCALE_MAX = 14,             /* RFC 7323 2.3; also assumed when the SYN was not seen */
    WSCALE_NONE = 255,
    PAWS_SLACK = 1,                /* Linux takes a timestamp that is one tick old */
    PAWS_EXPIRES_S = 24 * 86400,   /* RFC 7323 5.5 */
    HANDSHAKE_WINDOW = 65535 << 1, /* for RSTs of an end whose window was not granted yet */
    JUMP_S = 3, /* silence after which a stream that no acknowledgement is seen of goes on behind a hole */
};

struct options {
    bool has_ts;
    uint8_t wscale;
    uint32_t ts_value, ts_echo;
};

static void read_options(const uint8_t *o, const uint8_t *end, struct options *r)
{
    while (o < end && *o != OPT_END) {
        if (*o == OPT_NOP) {
            o++;
            continue;
        }
        if (end - o < 2 || o[1] < 2 || o[1] > end - o)
            break;
        if (o[0] == OPT_TIMESTAMP && o[1] == 10) {
            r->has_ts = true;
            r->ts_value = load_be32(o + 2);
            r->ts_echo = load_be32(o + 6);
        } else if (o[0] == OPT_WSCALE && o[1] == 3) {
            r->wscale = o[2] > WSCALE_MAX ? WSCALE_MAX : o[2];
        }
        o += o[1];
    }
}

/* Nearly every segment has none, or a timestamp alone, as RFC 7323 appendix A lays it out. */
static inline void options_of(const struct packet *p, struct options *r)
{
    const uint8_t *o = p->data + p->l4_off + TCP_HDR_MIN, *end = p->data + p->payload_off;

    *r = (struct options){.wscale = WSCALE_NONE};
    if (end - o == TIMESTAMP_ALONE && load_be32(o) == TIMESTAMP_HEAD) {
        r->has_ts = true;
        r->ts_value = load_be32(o + 4);
        r->ts_echo = load_be32(o + 8);
    } else if (o < end) {
        read_options(o, end, r);
    }
}

static bool seq_within(uint32_t seq, uint32_t from, uint32_t to)
{
    return seq - from <= to - from;
}

static uint32_t seq_later(uint32_t a, uint32_t b)
{
    return seq_before(a, b) ? b : a;
}

/* Both ends have acknowledged each other: sequence numbers are settled. */
static bool synchronized(const struct tcp *t)
{
    return t->dir[0].flags & t->dir[1].flags & TCP_SAW_ACK;
}

/* Picked up, and its receiver has not said where it is. */
static bool loose(const struct tcp_dir *d)
{
    return !(d->flags & (TCP_SAW_SYN | TCP_SAW_ACK));
}

static void start(struct tcp_dir *d, uint32_t isn, uint16_t flags)
{
    uint16_t moved = d->flags & TCP_STARTED ? TCP_MOVED : 0;

    d->isn = isn;
    d->next = d->sent = d->acked = isn + 1;
    d->offset_hi = 0;
    d->wscale = WSCALE_NONE;
    d->flags = (d->flags & (TCP_ANY_PORT | TCP_MOVED | TCP_SEEN)) | TCP_STARTED | moved | flags;
}

static enum tcp_fate discard(struct packet *p, enum anomaly why)
{
    anomaly_set(&p->anomalies, why);
    return TCP_DISCARDS;
}

/* How far the windows that d's sender grants are to be shifted; the most it can be where a SYN was not seen. */
static unsigned scale_of(const struct tcp_dir *d, const struct tcp_dir *other)
{
    if (!(d->flags & TCP_SAW_SYN))
        return WSCALE_MAX;
    if (d->wscale == WSCALE_NONE || ((other->flags & TCP_SAW_SYN) && other->wscale == WSCALE_NONE))
        return 0;
    return d->wscale;
}

/* Whether p comes from where d's receiver is: what d sends enters through the other port. */
static bool speaks_for_receiver(const struct tcp_dir *d, const struct packet *p)
{
    return (d->flags & TCP_ANY_PORT) || ((d->flags & TCP_SEEN) && p->in_port != d->in_port);
}

/* Whether d's sender, whose SYN is not acknowledged yet, may be the one that this ACK speaks of. */
static bool answers_syn(const struct tcp_dir *d, uint32_t ack)
{
    return seq_within(ack, d->isn + 1, d->sent) || ((d->flags & TCP_OTHER_ISN) && ack == d->fin + 1);
}

/* --- SYN ---------------------------------------------------------------------------------------------------------- */

static void name_late_syn(const struct tcp *t, struct packet *p, unsigned dir)
{
    const struct tcp_dir *d = &t->dir[dir];
    bool same = (d->flags & TCP_SAW_SYN) && p->tcp_seq == d->isn;
    enum anomaly what;

    if ((t->dir[0].flags | t->dir[1].flags) & TCP_SAW_FIN)
        what = AN_SHUTDOWN_SYN_RESEND;
    else if (p->tcp_flags & ACK)
        what = dir == 0 ? AN_EST_SYNACK_TOSERVER : same ? AN_EST_SYNACK_RESEND : AN_EST_SYNACK_DIFF_SEQ;
    else
        what = dir == 1 ? AN_EST_SYN_TOCLIENT : same ? AN_EST_SYN_RESEND : AN_EST_SYN_DIFF_SEQ;
    anomaly_set(&p->anomalies, what);
}

/* A SYN that its receiver answers and does not obey. Its bytes, if any, would be taken if it did obey: then it is kept
 * away, and its sender repeats it without (RFC 7413 4.1.3). */
static enum tcp_fate late_syn(const struct packet *p)
{
    return p->payload_len && !(p->tcp_flags & ACK) ? TCP_DISCARDS : TCP_ANSWERS;
}

/* The end begins with another number than before, and may. */
static enum tcp_fate other_syn(struct tcp *t, struct packet *p, unsigned dir)
{
    struct tcp_dir *d = &t->dir[dir];
    uint32_t before = d->isn;

    if (p->tcp_flags & ACK)
        anomaly_set(&p->anomalies, AN_3WHS_SYNACK_DIFF_SEQ);
    else if (t->dir[1 - dir].flags & TCP_SAW_SYN)
        anomaly_set(&p->anomalies, AN_3WHS_SYN_DIFF_SEQ);
    if (d->flags & TCP_SAW_ACK) { /* its receiver has taken the other one, until it says otherwise */
        d->fin = p->tcp_seq;
        d->flags |= TCP_OTHER_ISN;
        return late_syn(p);
    }
    if (d->flags & TCP_SYN_DATA) /* a server may have taken these: the stream begins with them */
        return TCP_DISCARDS;
    /* after data, one side of a connection is all we see, and which SYN counts stays unknown */
    bool only_syn = d->sent == d->isn + 1;
    start(d, p->tcp_seq, only_syn ? TCP_SAW_SYN | TCP_OTHER_ISN : 0);
    d->fin = before;
    return TCP_TAKES;
}

static enum tcp_fate judge_syn(struct tcp *t, struct packet *p, unsigned dir)
{
    struct tcp_dir *d = &t->dir[dir], *o = &t->dir[1 - dir];
    bool synack = p->tcp_flags & ACK;

    if (p->tcp_flags & FIN)
        return discard(p, AN_FIN_SYN);
    if (synchronized(t)) {
        name_late_syn(t, p, dir);
        return late_syn(p);
    }
    if (synack && (o->flags & TCP_SAW_SYN)) {
        if (!answers_syn(o, p->tcp_ack)) {
            anomaly_set(&p->anomalies, AN_3WHS_SYNACK_WRONG_ACK);
            if (p->payload_len)
                return TCP_DISCARDS;
            if ((o->flags & TCP_SAW_ACK) || !speaks_for_receiver(o, p))
                return TCP_ANSWERS;
        }
        if ((o->flags & TCP_SYN_DATA) && p->tcp_ack == o->isn + 1)
            anomaly_set(&p->anomalies, AN_3WHS_TFO_IGNORED);
    }
    if (!(d->flags & TCP_STARTED)) {
        start(d, p->tcp_seq, TCP_SAW_SYN);
    } else if (p->tcp_seq == d->isn) {
        d->flags |= TCP_SAW_SYN; /* again, or known from the answer to it */
    } else if (d->flags & TCP_SAW_SYN) {
        return other_syn(t, p, dir);
    } else if (d->flags & TCP_SAW_ACK) {
        return late_syn(p);
    } else {
        start(d, p->tcp_seq, TCP_SAW_SYN);
    }
    return TCP_TAKES;
}

/* --- RST ---------------------------------------------------------------------------------------------------------- */

/* The flow table noted a SYN over this connection, and this refuses it. */
static bool refuses_noted_syn(const struct packet *p, unsigned dir)
{
    const struct flow *f = p->flow;

    return f && (f->flags & (dir ? FLOW_REOPEN_TS : FLOW_REOPEN_TC)) && (p->tcp_flags & ACK) &&
           p->tcp_ack == f->isn[1] + 1;
}

/* Linux takes a RST at exactly rcv_nxt or at the edge of what it has selectively acknowledged, RFC 9293 one that is
 * anywhere in the window, some after a FIN one that ignores the FIN. */
static enum tcp_fate judge_rst(const struct tcp *t, struct packet *p, unsigned dir)
{
    const struct tcp_dir *d = &t->dir[dir], *o = &t->dir[1 - dir];

    if (!(d->flags & TCP_STARTED)) {
        bool opening = (o->flags & (TCP_SAW_SYN | TCP_SAW_ACK)) == TCP_SAW_SYN;

        if (opening && !((p->tcp_flags & ACK) && answers_syn(o, p->tcp_ack)))
            return discard(p, AN_RST_INVALID_ACK);
        return TCP_TAKES;
    }
    if (loose(d))
        return TCP_TAKES;
    uint32_t to = seq_later(d->next, d->sent);
    uint32_t from = d->flags & TCP_SAW_ACK ? d->acked - 1 : d->isn;
    if (d->flags & TCP_SAW_ACK)
        to = seq_later(to, d->edge);
    if (!synchronized(t))
        to = seq_later(to, d->isn + 1 + HANDSHAKE_WINDOW);
    if (seq_within(p->tcp_seq, from, to))
        return TCP_TAKES;
    if (!synchronized(t) || refuses_noted_syn(p, dir))
        return TCP_ANSWERS;
    return discard(p, AN_EST_OUT_OF_WINDOW);
}

/* --- everything else ---------------------------------------------------------------------------------------------- */

/* What its receiver thinks of the acknowledgement; TCP_TAKES when it does not mind. */
static enum tcp_fate judge_ack(const struct tcp *t, struct packet *p, unsigned dir)
{
    const struct tcp_dir *d = &t->dir[dir], *o = &t->dir[1 - dir];
    bool empty = p->payload_len == 0 && !(p->tcp_flags & FIN);

    if (!(o->flags & TCP_SEEN) || loose(o))
        return TCP_TAKES;
    if (!(o->flags & TCP_SAW_ACK)) {
        if (answers_syn(o, p->tcp_ack))
            return TCP_TAKES;
        bool right_seq = (d->flags & TCP_STARTED) && p->tcp_seq == d->next;
        anomaly_set(&p->anomalies, right_seq ? AN_3WHS_RIGHT_SEQ_WRONG_ACK : AN_3WHS_WRONG_SEQ_WRONG_ACK);
        return empty ? TCP_ANSWERS : TCP_DISCARDS; /* empty: the challenge of a half-open end, among others */
    }
    if (seq_before(o->sent, p->tcp_ack) && seq_before(o->edge, p->tcp_ack)) {
        if (synchronized(t))
            anomaly_set(&p->anomalies, AN_EST_INVALID_ACK);
        return discard(p, AN_PKT_INVALID_ACK);
    }
    if (seq_before(p->tcp_ack, o->acked - (UINT32_C(65535) << scale_of(d, o)))) {
        anomaly_set(&p->anomalies, AN_PKT_INVALID_ACK);
        return empty ? TCP_ANSWERS : TCP_DISCARDS; /* RFC 5961 5.2 */
    }
    return TCP_TAKES;
}

/* RFC 7323 5: older than what the receiver has echoed. */
static bool paws_fails(const struct tcp_dir *d, const struct packet *p)
{
    if (!(d->flags & TCP_HAS_TS))
        return false;
    struct options o;

    options_of(p, &o);

    return o.has_ts && (int32_t)(d->ts_recent - o.ts_value) > PAWS_SLACK &&
           stream_elapsed_s(stream_now_s(p), d->ts_recent_s) < PAWS_EXPIRES_S;
}

/* In a capture nobody repeats anything: a picked-up direction goes on wherever it goes on. */
static void follow_capture(struct tcp_dir *d, const struct packet *p)
{
    uint32_t seq = p->tcp_seq, end = seq + p->payload_len;

    if (seq_before(d->next, seq) || (seq_before(seq, d->isn + 1) && seq_before(d->next, end)))
        start(d, seq - 1, 0);
}

/* Only this direction is seen, and nothing has come that goes on where it was. */
static bool may_jump(const struct tcp_dir *d, const struct packet *p, unsigned dir)
{
    bool one_side = !p->flow || !(p->flow->flags & (dir ? FLOW_SEEN_TS : FLOW_SEEN_TC));

    return one_side && stream_elapsed_s(stream_now_s(p), d->ts_recent_s) >= JUMP_S;
}

/* Bytes before the first acknowledgement. */
static enum tcp_fate follow_unanswered(struct tcp_dir *d, const struct packet *p, unsigned dir)
{
    uint32_t seq = p->tcp_seq, back = d->next - seq, so_far = d->next - (d->isn + 1);

    if (d->flags & TCP_ANY_PORT) {
        if (loose(d))
            follow_capture(d, p);
        return TCP_TAKES;
    }
    if (seq_before(d->next, seq)) {
        if (!may_jump(d, p, dir))
            return TCP_DISCARDS;
        start(d, seq - 1, 0);
        return TCP_TAKES;
    }
    if (!loose(d) || back <= so_far)
        return TCP_TAKES;
    if (back - so_far > p->payload_len) /* a hole behind it */
        return may_jump(d, p, dir) ? TCP_TAKES : TCP_DISCARDS;
    start(d, seq - 1, 0);
    return TCP_TAKES;
}

/* The receiver has said what it has and what it wants. */
static enum tcp_fate judge_window(const struct tcp_dir *d, struct packet *p)
{
    uint32_t seq = p->tcp_seq, end = seq + p->payload_len + (p->tcp_flags & FIN ? 1 : 0);
    bool fin_acked = (d->flags & TCP_SAW_FIN) && d->acked == d->fin;

    if (seq == end && seq_before(seq, d->acked))
        return TCP_ANSWERS; /* an ACK that was overtaken, a keep-alive without its byte */
    if (seq != end && !seq_before(d->acked, end)) {
        if (p->payload_len && end - seq > 1)
            anomaly_set(&p->anomalies, AN_EST_BEFORE_LAST_ACK);
        return TCP_ANSWERS;
    }
    if (fin_acked && p->payload_len && seq_before(d->fin, end))
        return discard(p, AN_EST_OUT_OF_WINDOW);
    /* beyond the edge, but in sequence: a window probe; or its receiver's ACKs have begun to go another way */
    uint32_t edge = seq_later(d->edge, d->next);
    if (d->flags & TCP_SAW_FIN)
        edge = seq_later(edge, d->fin);
    if (seq_before(edge, seq))
        return discard(p, p->tcp_flags & FIN ? AN_FIN_OUT_OF_WINDOW : AN_EST_OUT_OF_WINDOW);
    if (paws_fails(d, p)) {
        anomaly_set(&p->anomalies, AN_PKT_INVALID_TIMESTAMP);
        return seq == end ? TCP_ANSWERS : TCP_DISCARDS;
    }
    return TCP_TAKES;
}

static void name_data(const struct tcp *t, struct packet *p, unsigned dir)
{
    const struct tcp_dir *d = &t->dir[dir], *o = &t->dir[1 - dir];
    const uint16_t both = TCP_SAW_SYN | TCP_SAW_ACK;

    if (d->flags & TCP_SAW_RST)
        anomaly_set(&p->anomalies, AN_SUSPECTED_RST_INJECT);
    if (dir == 1 && (d->flags & both) == TCP_SAW_SYN && (o->flags & both) == both &&
        !(o->flags & TCP_SYN_DATA))
        anomaly_set(&p->anomalies, AN_3WHS_ACK_DATA_INJECT);
}

enum tcp_fate tcp_judge(struct tcp *t, struct packet *p, unsigned dir)
{
    struct tcp_dir *d = &t->dir[dir];

    if (!(p->tcp_flags & ACK) && p->tcp_ack != 0 && !(p->tcp_flags & RST))
        anomaly_set(&p->anomalies, AN_PKT_BROKEN_ACK);
    if (p->tcp_flags & RST)
        return judge_rst(t, p, dir);
    if (p->tcp_flags & SYN)
        return judge_syn(t, p, dir);
    if (!(p->tcp_flags & ACK))
        return discard(p, AN_PKT_INVALID_ACK); /* RFC 9293 3.10.7.4, fifth */

    enum tcp_fate fate = judge_ack(t, p, dir);
    if (fate != TCP_TAKES)
        return fate;
    if (p->payload_len)
        name_data(t, p, dir);
    if (!(d->flags & TCP_STARTED))
        start(d, p->tcp_seq - 1, 0);
    if (d->flags & TCP_SAW_ACK)
        return judge_window(d, p);
    return p->payload_len ? follow_unanswered(d, p, dir) : TCP_TAKES;
}

/* --- it is forwarded ---------------------------------------------------------------------------------------------- */

/* flow/ has seen the SYN that this answers, over the connection before, and that this comes from the other port. */
static bool reopens(const struct packet *p)
{
    return p->flow && (p->flags & PKT_FLOW_NEW) && (p->tcp_flags & SYN) && !(p->flow->flags & FLOW_MIDSTREAM);
}

/* At a SYN whose options are not known any more: windows may be scaled by the most. */
static void start_at_other(struct tcp_dir *d, uint32_t isn, uint16_t flags)
{
    start(d, isn, flags);
    d->wscale = WSCALE_MAX;
}

/* The receiver took a SYN with this number, and may come to think better of it. */
static void believe(struct tcp_dir *d, uint32_t isn)
{
    uint32_t last = d->isn;

    start_at_other(d, isn, TCP_SAW_SYN | TCP_OTHER_ISN);
    d->fin = last;
}

/* What p, sent by the other end, says about d. */
static void acknowledge(struct tcp_dir *d, const struct tcp_dir *sender, const struct packet *p,
                        const struct options *opt)
{
    unsigned shift = p->tcp_flags & SYN ? 0 : scale_of(sender, d);
    uint32_t ack = p->tcp_ack, edge = ack + ((uint32_t)p->tcp_window << shift);

    if (!(d->flags & TCP_SEEN)) {
        if (!reopens(p))
            return; /* through which port it is seen is not known: it may be speaking for its receiver here */
        start(d, ack - 1, 0);
    } else if (!(d->flags & TCP_SAW_ACK)) {
        if ((d->flags & TCP_OTHER_ISN) && ack == d->fin + 1 && !seq_within(ack, d->isn + 1, d->sent))
            start_at_other(d, d->fin, TCP_SAW_SYN);
        else if ((d->flags & TCP_SAW_SYN) && !answers_syn(d, ack) &&
                 ((p->tcp_flags & SYN) || (d->flags & TCP_OTHER_ISN)))
            believe(d, ack - 1); /* the SYN that it answers came before those we remember */
        else if (loose(d) && !seq_within(ack, d->isn + 1, d->next))
            start(d, ack - 1, 0);
    } else if ((d->flags & TCP_OTHER_ISN) && (p->tcp_flags & SYN) && ack == d->fin + 1 &&
               !(sender->flags & TCP_SAW_ACK)) {
        start_at_other(d, d->fin, TCP_SAW_SYN); /* it has forgotten the first one and answers the other */
    }
    bool first = !(d->flags & TCP_SAW_ACK);
    bool has_it = !seq_before(d->sent, ack);
    if (first && !(has_it && seq_before(d->isn, ack)))
        return;
    if (has_it && (first || seq_before(d->acked, ack)))
        d->acked = ack;
    if (first || seq_before(d->edge, edge))
        d->edge = edge;
    d->flags |= TCP_SAW_ACK;
    if (opt->has_ts && opt->ts_echo != 0 && has_it) {
        if (!(d->flags & TCP_HAS_TS) || !seq_before(opt->ts_echo, d->ts_recent)) {
            d->ts_recent = opt->ts_echo;
            d->ts_recent_s = stream_now_s(p);
        }
        d->flags |= TCP_HAS_TS;
    }
}

static void advance(struct tcp_dir *d, const struct packet *p)
{
    uint32_t data = tcp_data_seq(p), data_end = data + p->payload_len;

    d->in_port = p->in_port;
    d->flags |= TCP_SEEN;
    if (!(d->flags & TCP_SAW_ACK))
        d->ts_recent_s = stream_now_s(p);
    if ((d->flags & TCP_SAW_FIN) && !seq_before(d->fin - 1, data) && seq_before(d->fin - 1, data_end))
        d->flags &= (uint16_t)~TCP_SAW_FIN; /* a byte in its place: which of both its receiver took is open */
    if ((p->tcp_flags & FIN) && !seq_before(data_end, d->next)) {
        d->fin = data_end + 1;
        d->flags = (d->flags & (uint16_t)~TCP_OTHER_ISN) | TCP_SAW_FIN;
        d->sent = seq_later(d->sent, d->fin);
    }
    d->sent = seq_later(d->sent, data_end);
}

void tcp_forwarded(struct tcp *t, const struct packet *p, unsigned dir)
{
    struct tcp_dir *d = &t->dir[dir], *o = &t->dir[1 - dir];

    if (p->tcp_flags & RST) {
        d->flags |= TCP_SAW_RST;
        return;
    }
    struct options opt;
    options_of(p, &opt);
    bool opens = (p->tcp_flags & SYN) && (d->flags & TCP_SAW_SYN) && p->tcp_seq == d->isn;
    if (opens && opt.wscale != WSCALE_NONE && (d->wscale == WSCALE_NONE || d->wscale < opt.wscale))
        d->wscale = opt.wscale;
    if (opens && p->payload_len)
        d->flags |= TCP_SYN_DATA;
    if ((d->flags & TCP_STARTED) && (opens || !(p->tcp_flags & SYN)))
        advance(d, p);
    bool other_port = !(o->flags & TCP_SEEN) || (o->flags & TCP_ANY_PORT) || p->in_port != o->in_port;
    if ((p->tcp_flags & ACK) && other_port && (d->flags & TCP_STARTED) && (opens || !(p->tcp_flags & SYN)))
        acknowledge(o, d, p, &opt);
}
