/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_STREAM_PARTS_H
#define SLUICE_STREAM_PARTS_H
/*
 * Between the files of this room only:
 *   tcp.c      sequence numbers, windows, timestamps, RST and SYN: what the receiver takes
 *   pool.c     memory: blocks of powers of two out of one area
 *   buffer.c   the bytes of one direction: kept, early, compared
 *   stream.c   the segment's way through them: begin, window, end; limits and what happens at them
 */
#include "ips/stream/stream.h"

/* A block of the pool: its place in units of POOL_UNIT, plus 1; 0 is none. */
#define POOL_UNIT 256
typedef uint32_t pool_ref;

/* What one end of a connection sends. 64 bytes; the first packet of a flow writes it, so it may hold anything before. */
struct tcp_dir {
    uint32_t isn;   /* sequence number of its SYN (TCP_SAW_SYN), or of the byte before the first one seen */
    uint32_t next;  /* first sequence number not inspected yet: its receiver's rcv_nxt is never beyond it */
    uint32_t sent;  /* highest sequence number behind anything it sent that was forwarded */
    uint32_t acked; /* highest acknowledgement of its data (TCP_SAW_ACK), from the other port only */
    uint32_t edge;  /* right edge of the largest window it was ever granted */
    uint32_t fin;   /* sequence number behind its FIN (TCP_SAW_FIN) */
    uint32_t ts_recent; /* RFC 7323: the last timestamp its receiver took from it (TCP_HAS_TS) */
    uint32_t ts_recent_s;
    uint16_t flags;  /* enum tcp_dir_flag */
    uint8_t wscale;  /* that it announced; 255: none */
    uint8_t in_port; /* through which it is seen */
    uint32_t base;   /* sequence number of the buffer's first byte */
    pool_ref bytes;  /* the buffer: 0 when nothing is kept */
    pool_ref early;  /* the list of byte ranges beyond `next` that it holds */
    uint8_t order;   /* the buffer has POOL_UNIT << order bytes */
    uint8_t n_early;
    uint16_t zero;
    uint32_t offset_hi; /* how often (next - isn) has wrapped: streams can be longer than 4 GB */
};
_Static_assert(sizeof(struct tcp_dir) == 60 || sizeof(struct tcp_dir) == 64, "a direction is one cache line");

enum tcp_dir_flag {
    TCP_SAW_SYN = 1 << 0,
    TCP_SAW_ACK = 1 << 1,
    TCP_SAW_FIN = 1 << 2,
    TCP_SAW_RST = 1 << 3, /* sent one that its receiver may have taken */
    TCP_HAS_TS = 1 << 4,
    TCP_SACK_OK = 1 << 5,
    TCP_STARTED = 1 << 6, /* next and isn hold */
    TCP_DEPTH = 1 << 7,   /* stream.depth was reached */
    TCP_GAP = 1 << 8,     /* bytes were given up: what follows cannot be joined */
};

struct tcp {                            /* of one flow */
    _Alignas(64) struct tcp_dir dir[2]; /* [0] what the client sends */
};

/* Sequence numbers compare modulo 2^32 (RFC 9293 3.4). */
static inline bool seq_before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

/* --- tcp.c ------------------------------------------------------------------------------------------------------ */

enum tcp_fate {
    TCP_TAKES, /* in the window: its bytes, if any, are the stream's */
    TCP_ANSWERS, /* its bytes are old, and its receiver answers it with an ACK: keep-alive, old retransmission */
    TCP_DISCARDS /* its receiver does nothing with it, or only complains: bad timestamp, out of window, data in a wrong place */
};

/* What the packet's receiver makes of it; changes nothing but, on a flow's first packets, which dir starts where.
 * Sets the packet's anomalies. */
enum tcp_fate tcp_judge(struct tcp *t, struct packet *p, unsigned dir);
/* The packet leaves towards its receiver: acknowledgements, windows, timestamps, SYN, FIN, RST take effect. */
void tcp_forwarded(struct tcp *t, const struct packet *p, unsigned dir);
/* Sequence number of the packet's first payload byte (a SYN takes one before it). */
uint32_t tcp_data_seq(const struct packet *p);

/* --- pool.c ------------------------------------------------------------------------------------------------------ */

struct pool;
struct pool *pool_new(uint64_t bytes, struct err *e);
void pool_free(struct pool *p);
pool_ref pool_take(struct pool *p, unsigned order); /* POOL_UNIT << order bytes; 0: none left */
void pool_give(struct pool *p, pool_ref r, unsigned order);
uint8_t *pool_at(const struct pool *p, pool_ref r);
uint64_t pool_used(const struct pool *p); /* any thread */

/* --- buffer.c ---------------------------------------------------------------------------------------------------- */

/* Puts bytes that begin at seq into the direction's buffer, growing it as needed up to limit bytes; those beyond `next`
 * are entered in its list of early ranges. Bytes already there stay (first copy wins). False: no room, nothing changed. */
bool buffer_put(struct pool *p, struct tcp_dir *d, uint32_t seq, struct span bytes, uint32_t limit);
/* Whether all bytes the buffer holds of the range agree with these; bytes it does not hold agree. */
bool buffer_agrees(const struct pool *p, const struct tcp_dir *d, uint32_t seq, struct span bytes);
/* Writes the first copy over them, where there is one. */
void buffer_restore(const struct pool *p, const struct tcp_dir *d, uint32_t seq, uint8_t *bytes,
                    uint32_t len);
/* How many early bytes follow seq without a hole. */
uint32_t buffer_early_at(const struct pool *p, const struct tcp_dir *d, uint32_t seq);
/* The kept bytes from seq on, at most len, as they lie; empty when seq is not kept. */
struct span buffer_span(const struct pool *p, const struct tcp_dir *d, uint32_t seq, uint32_t len);
/* Forgets what lies before seq; gives memory back when much of it is empty. */
void buffer_trim(struct pool *p, struct tcp_dir *d, uint32_t seq);
void buffer_free(struct pool *p, struct tcp_dir *d);
#endif
