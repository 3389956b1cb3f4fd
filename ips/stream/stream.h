/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_STREAM_STREAM_H
#define SLUICE_STREAM_STREAM_H
/*
 * TCP as its receiver will see it, in-line. One stream table per worker, an array beside the worker's flow table.
 *
 * For each segment, in order of arrival: stream_begin() says what the receiver will make of it (nothing: PKT_IGNORED;
 * bytes of its stream: PKT_STREAM) and, when it brings bytes that can be delivered now, gives the view that rules look
 * into. Then comes detection, then stream_end(): only a segment that is forwarded has entered the stream, so that
 * the retransmission of a dropped one is inspected like the first.
 *
 * First copy wins. Bytes that were inspected are kept until their receiver has acknowledged them, and early ones until
 * their hole is filled; a later copy that differs never passes as it is (stream.conflict). An early segment goes on at
 * once, since its receiver cannot deliver it; the one that fills the hole brings, in its view, all bytes that become
 * deliverable with it. Nothing is ever held back beyond the burst, and nothing here allocates after start-up.
 *
 * Behaviour is RFC 9293 with 7323 (timestamps, window scale), 5961 (RST, SYN) and 7413 (Fast Open) as Linux reads them.
 */
#include <stdbool.h>
#include <stdint.h>
#include "ips/base/counters.h"
#include "ips/base/err.h"
#include "ips/flow/flow.h"
#include "ips/io/packet.h"

struct stream_table;

enum stream_conflict { CONFLICT_REWRITE, CONFLICT_DROP };

struct stream_config {
    uint64_t memory_bytes; /* of this worker's pool; taken at start, touched as it is used */
    uint32_t flow_bytes;   /* kept of one direction at most; a power of two */
    uint32_t window_bytes; /* how far back behind new bytes a rule can look */
    uint64_t depth_bytes;  /* per direction; behind it nothing is inspected as a stream; 0: no limit */
    bool bypass_at_depth;  /* then the flow passes uninspected */
    enum stream_conflict conflict;
    enum exception_action on_memcap; /* for segments that cannot be remembered or compared */
    bool drop_ignored;               /* in-line: what the receiver would discard does not leave */
    bool inline_mode;
    bool one_port;      /* capture mode: both directions come through the same port */
    bool trim_window;   /* normalise.window: segments are cut at the edge of their receiver's window */
    uint32_t max_flows; /* of the flow table */
};

/* What a packet adds to its direction's stream: `fresh` was never inspected before and is deliverable now. */
struct stream_view {
    struct span
        tail; /* inspected bytes right in front of fresh, at most window_bytes; in the stream's memory */
    struct span fresh; /* where it lies: in the frame, or in the stream's memory when early bytes join it */
    uint64_t offset;   /* of fresh from the stream's first byte */
    bool in_frame;     /* fresh is (a part of) the packet's own payload */
};

struct stream_table *stream_table_new(const struct stream_config *cfg, struct flow_table *flows,
                                      struct err *e);
void stream_table_free(struct stream_table *t);

/*
 * p->flow and direction are set; packets that are not TCP, or have no flow, are left alone. Sets PKT_STREAM, PKT_IGNORED,
 * p->view, anomalies; may set verdict and drop_reason; may rewrite payload bytes and checksum (PKT_REWRITTEN).
 */
void stream_begin(struct stream_table *t, struct packet *p, struct counters *c);
/* Tail and fresh of p->view as one span, for rules that look into both: copies fresh behind the tail when it lies in
 * the frame and there is a tail. Valid until stream_end(). p is the packet of the last stream_begin(). */
struct span stream_window(struct stream_table *t, const struct packet *p);
/* The verdict is known: what is forwarded has happened, what is dropped has not. */
void stream_end(struct stream_table *t, struct packet *p, struct counters *c);
/* Fetches what stream_begin() will read of a flow. */
void stream_prefetch(const struct stream_table *t, uint32_t flow_index);
/* Sequence numbers used so far by each end, SYN and FIN counted, this packet included; false when unknown. */
bool stream_sizes(const struct stream_table *t, const struct packet *p, uint32_t size[2]);
/* Between begin and end: the packet ends its direction (FIN), and everything in front of it is there. */
bool stream_finishes(const struct stream_table *t, const struct packet *p);
/* Each end has acknowledged, through its own port, what the other sent. */
bool stream_synchronized(const struct stream_table *t, const struct flow *f);
/* Bytes of the pool in use; any thread. */
uint64_t stream_table_bytes(const struct stream_table *t);
#endif
