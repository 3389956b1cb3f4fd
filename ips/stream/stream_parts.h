/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_STREAM_PARTS_H
#define SLUICE_STREAM_PARTS_H
/*
 * Between the files of this room only:
 *   tcp.c      sequence numbers, windows, timestamps, RST and SYN: what the receiver takes
 *   buffer.c   the bytes of one direction: kept, early, compared
 *   memory.c   who gets how much of the pool, and who gives when it is empty
 *   stream.c   the segment's way through them: begin, window, end; limits and what happens at them
 */
#include "ips/base/clock.h"
#include "ips/base/pool.h"
#include "ips/stream/stream.h"

/* What one end of a connection sends. The first packet of a flow clears it. */
struct tcp_dir {
    uint32_t isn;   /* sequence number of its SYN (TCP_SAW_SYN), or of the byte before the first one seen */
    uint32_t next;  /* first sequence number not inspected yet: its receiver's rcv_nxt is never beyond it */
    uint32_t sent;  /* highest sequence number behind anything it sent that was forwarded */
    uint32_t acked; /* highest acknowledgement of its data (TCP_SAW_ACK), from the other port only */
    uint32_t edge;  /* right edge of the largest window it was ever granted */
    uint32_t
        fin; /* sequence number behind its FIN (TCP_SAW_FIN); before that, an ISN it may have (TCP_OTHER_ISN) */
    uint32_t ts_recent;   /* RFC 7323: the last of its timestamps that its receiver echoed (TCP_HAS_TS) */
    uint32_t ts_recent_s; /* when, by the burst's clock; before TCP_SAW_ACK: when it last went on */
    uint16_t flags;       /* enum tcp_dir_flag */
    uint8_t wscale;       /* that it announced; 255: none */
    uint8_t in_port;      /* through which it is seen */
    /* buffer.c's. Held are [base, kept) and the early ranges, which lie beyond next. */
    uint32_t base;      /* sequence number of the buffer's first byte; what lies before it is not held */
    uint32_t kept;      /* behind the inspected bytes that are held: next, or where stream.depth ended them */
    pool_ref bytes;     /* the buffer; 0: none, and base = kept */
    pool_ref early;     /* array of struct early_range, sorted, neither overlapping nor touching */
    uint8_t order;      /* the buffer has POOL_UNIT << order bytes */
    uint8_t n_early;    /* ranges in it */
    uint16_t offset_hi; /* how often (next - isn - 1) has wrapped: streams can be longer than 4 GB */
};
_Static_assert(sizeof(struct tcp_dir) == 56, "two of them and what the flow has once are two cache lines");

enum tcp_dir_flag {
    TCP_SAW_SYN = 1 << 0,
    TCP_SAW_ACK = 1 << 1,
    TCP_SAW_FIN = 1 << 2,
    TCP_SAW_RST = 1 << 3, /* sent one that its receiver may have taken */
    TCP_HAS_TS = 1 << 4,
    TCP_MOVED =
        1
        << 5, /* set by tcp.c, cleared by stream.c: next is elsewhere, what the buffer holds is of another life */
    TCP_STARTED = 1 << 6, /* next and isn hold */
    TCP_DEPTH = 1 << 7,   /* stream.depth was reached: what follows is no stream */
    TCP_GAP = 1 << 8,     /* early bytes were given up: what fills their hole cannot be inspected with them */
    TCP_ANY_PORT =
        1 << 9, /* set at the start in capture mode: both directions have one port, ACKs count from it */
    TCP_OTHER_ISN = 1 << 10, /* it sent two SYNs that differ: fin is the other one's number */
    TCP_SYN_DATA = 1 << 11,  /* its SYN brought bytes */
    TCP_SEEN = 1 << 12,      /* a packet of it was forwarded: in_port holds */
};

struct tcp {                            /* of one flow */
    _Alignas(64) struct tcp_dir dir[2]; /* [0] what the client sends */
    uint32_t used_s;                    /* when it was last used, by the worker's clock in seconds */
    uint32_t more_recent, less_recent;  /* stream.c's list of flows that have memory: index + 1 */
    uint32_t listed;                    /* it is in that list */
};
_Static_assert(sizeof(struct tcp) == 128, "two cache lines");

/* Sequence numbers compare modulo 2^32 (RFC 9293 3.4). */
static inline bool seq_before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

/* The packet's time as a connection keeps it. */
static inline uint32_t stream_now_s(const struct packet *p)
{
    return (uint32_t)(p->now_ns / NS_PER_S);
}

/* Seconds since then; 0 where now lies before it: a frame that another worker handed over keeps the time at which that one
 * received it, and may be older than what it meets here. */
static inline uint32_t stream_elapsed_s(uint32_t now_s, uint32_t then_s)
{
    return seq_before(then_s, now_s) ? now_s - then_s : 0;
}

/* --- tcp.c ------------------------------------------------------------------------------------------------------ */

enum tcp_fate {
    TCP_TAKES, /* in the window: its bytes, if any, are the stream's */
    TCP_ANSWERS, /* its bytes are old, and its receiver answers it with an ACK: keep-alive, old retransmission */
    TCP_DISCARDS /* its receiver does nothing with it, or only complains: bad timestamp, out of window, data in a wrong place */
};

/* What the packet's receiver makes of it. Changes nothing but where a direction starts (TCP_MOVED when it had started
 * before). Sets the packet's anomalies. The payload of a RST is no stream. */
enum tcp_fate tcp_judge(struct tcp *t, struct packet *p, unsigned dir);
/* The packet leaves, and was not TCP_DISCARDS: acknowledgements, windows, timestamps, SYN, FIN, RST take effect; its bytes
 * are in the stream by then. May set TCP_MOVED in either direction. acked is never beyond sent; it may be beyond next,
 * when the receiver has bytes that did not pass here. */
void tcp_forwarded(struct tcp *t, const struct packet *p, unsigned dir);
/* Sequence number of the packet's first payload byte (a SYN takes one before it). */
static inline uint32_t tcp_data_seq(const struct packet *p)
{
    return p->tcp_seq + (p->tcp_flags & 0x02 ? 1 : 0);
}

/* --- buffer.c ---------------------------------------------------------------------------------------------------- */

#define EARLY_MAX 255 /* ranges per direction */
struct early_range {
    uint32_t seq, end;
};

/* A direction that holds nothing yet: what comes next is next. */
void buffer_init(struct tcp_dir *d);
/*
 * Makes room for bytes up to end and, when early, for one more range. What lies before keep (at most next) may be
 * forgotten for it. From keep to end it is limit bytes at most. False: no room or too many ranges, nothing is lost.
 */
bool buffer_reserve(struct pool *p, struct tcp_dir *d, uint32_t keep, uint32_t end, uint32_t limit,
                    bool early);
/* Copies the bytes to their place, where room was reserved; those held there stay (first copy wins). They are
 * held only after buffer_advance() or buffer_enter(). */
void buffer_put(const struct pool *p, struct tcp_dir *d, uint32_t seq, struct span bytes);
/* The bytes [seq, end), put before and beyond next, are held as early ones. */
void buffer_enter(struct pool *p, struct tcp_dir *d, uint32_t seq, uint32_t end);
/* Everything up to end is inspected and was put: next moves there, and kept with it. */
void buffer_advance(struct pool *p, struct tcp_dir *d, uint32_t end);
/* next goes back to seq: what is held behind it is early from now on, and inspected again when more comes. */
void buffer_rewind(struct pool *p, struct tcp_dir *d, uint32_t seq);
/* next was put elsewhere, in the same numbers: what is held behind it, up to limit bytes on, is early now. The rest goes. */
void buffer_restart(struct pool *p, struct tcp_dir *d, uint32_t limit);
/* next moves on and nothing is held of what it passes: behind stream.depth. */
void buffer_pass(struct tcp_dir *d, uint32_t end);
/* What lies between next and seq will not come: everything before seq is forgotten, next is seq. */
void buffer_skip(struct pool *p, struct tcp_dir *d, uint32_t seq);
/* Whether all bytes that are held of the range agree with these; bytes that are not held agree. */
bool buffer_agrees(const struct pool *p, const struct tcp_dir *d, uint32_t seq, struct span bytes);
/* Writes the held bytes over these. */
void buffer_restore(const struct pool *p, const struct tcp_dir *d, uint32_t seq, uint8_t *bytes,
                    uint32_t len);
/* How many early bytes follow seq without a hole. */
uint32_t buffer_early_at(const struct pool *p, const struct tcp_dir *d, uint32_t seq);
/* Where the first early range begins; next when there is none. */
uint32_t buffer_early_first(const struct pool *p, const struct tcp_dir *d);
/* The bytes [seq, seq + len) as they lie: held, or put. The caller knows that they are there. */
struct span buffer_span(const struct pool *p, const struct tcp_dir *d, uint32_t seq, uint32_t len);
/* With nothing early: moves what follows keep to the smallest block that holds it, if that is much smaller. */
void buffer_shrink(struct pool *p, struct tcp_dir *d, uint32_t keep);
/* Forgets everything; next stays. */
void buffer_free(struct pool *p, struct tcp_dir *d);

/* --- memory.c, stream.c -------------------------------------------------------------------------------------------- */

enum part { /* what becomes of a segment's payload when it is forwarded */
            PART_NONE,
            PART_OLD,
            PART_EARLY,
            PART_NEW,
            PART_UNKEPT, /* new, inspected where it lies, and there is no room to keep it */
            PART_BEHIND, /* stream.depth was reached before */
};

struct segment { /* in hand between begin and end */
    const struct packet *p;
    struct tcp *tcp;
    struct tcp_dir *d; /* its direction */
    unsigned dir;
    enum part part;
    uint32_t seq, end; /* of its payload */
    uint32_t upto;     /* where next will be when it has been forwarded */
    bool put;          /* its new bytes are in the buffer */
};

struct stream_table {
    struct tcp *tcp; /* by flow index */
    struct pool *pool;
    struct flow_table *flows;
    struct stream_config cfg;
    struct segment hand;
    struct stream_view view;
    uint32_t most_recent, least_recent; /* flows that have memory, by when they got it: index + 1; 0: none */
    unsigned tail_order;                /* of the block that holds window_bytes */
    size_t tcp_bytes;
};

enum reserved { RESERVED, NO_MEMORY, BEYOND_LIMIT };
/* Room for bytes up to end in d, one of the flow's directions. Takes from idle flows when the pool is empty. */
enum reserved memory_reserve(struct stream_table *t, struct tcp *f, struct tcp_dir *d, uint32_t end,
                             bool early, struct counters *c);
/* After the flow's buffers changed: it is in the list if it has any. */
void memory_list(struct stream_table *t, struct tcp *f);
/* d's receiver has acknowledged more: what nobody needs goes back, where it is worth it. */
void memory_acked(struct stream_table *t, struct tcp_dir *d);
void memory_release(struct stream_table *t, struct tcp *f);

/* The highest acknowledged data byte's successor: an acknowledged FIN is not data. */
static inline uint32_t data_acked(const struct tcp_dir *d)
{
    return (d->flags & TCP_SAW_FIN) && d->acked == d->fin ? d->acked - 1 : d->acked;
}

/* Everything that was inspected has arrived, and nothing is early. */
static inline bool all_acked(const struct tcp_dir *d)
{
    return (d->flags & TCP_SAW_ACK) && d->n_early == 0 && !seq_before(data_acked(d), d->next);
}
#endif
