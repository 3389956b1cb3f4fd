/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_DECODE_DEFRAG_H
#define SLUICE_DECODE_DEFRAG_H
/*
 * Fragments of IPv4 (RFC 791, 815) and IPv6 (RFC 8200 4.5), held as the frames they came in until their datagram is whole
 * and was judged. Nothing of a datagram leaves before all of it was inspected; then all its frames share one verdict.
 *
 * One table per worker, sized at start: a budget of frames, of which one source host gets a part. The worker keeps
 * owning the frames, they are only not in a burst. What does not complete in its time, breaks a rule or does not fit the
 * budget comes back with the reason for its drop.
 *
 * Calls, for a packet p that is a fragment (the innermost packet of its frame):
 *   defrag_take      DEFRAG_HELD: the frame stays here. DEFRAG_DROP: it does not, p's verdict and reason are set.
 *                    DEFRAG_WHOLE: defrag_whole() is the datagram, decoded; all its frames are here
 *   defrag_refuse    after DEFRAG_HELD: a rule dropped the fragment, so its datagram goes
 *   defrag_settle    after DEFRAG_WHOLE: its verdict becomes that of its frames, which begin to leave
 *   defrag_leaving   the frames that leave, oldest first; after every call above and after defrag_expire()
 */
#include <stdbool.h>
#include <stdint.h>
#include "ips/base/counters.h"
#include "ips/base/err.h"
#include "ips/decode/decode.h"
#include "ips/io/packet.h"

enum defrag_policy {                     /* whose bytes hold where fragments overlap */
                     DEFRAG_POLICY_DROP, /* nobody's: the datagram is refused (RFC 5722; Linux since 4.19) */
                     DEFRAG_POLICY_FIRST,
                     DEFRAG_POLICY_LAST,
                     DEFRAG_POLICY_BSD,
                     DEFRAG_POLICY_BSD_RIGHT,
                     DEFRAG_POLICY_LINUX, /* as it was before 4.19 */
                     DEFRAG_POLICY_WINDOWS,
                     DEFRAG_POLICY_SOLARIS,
};

struct defrag_config {
    uint32_t frames;           /* held at most; datagrams in hand, too */
    uint32_t host_frames;      /* of one source address; IPv6: of its /64 */
    uint32_t datagram_frames;  /* of one datagram; at most host_frames */
    uint32_t ipv4_s, ipv6_s;   /* from the first fragment on */
    enum defrag_policy policy; /* of IPv4; IPv6 is always DEFRAG_POLICY_DROP in-line, and so must this be */
    bool tiny_drop;            /* a first fragment without the whole L4 header is refused */
    bool inline_mode; /* not in-line everything is put together that can be, and nothing is dropped */
    struct decode_config decode;
};

enum defrag_answer { DEFRAG_HELD, DEFRAG_DROP, DEFRAG_WHOLE };

struct defrag;

struct defrag *defrag_new(const struct defrag_config *cfg, struct err *e);
/* Every frame must have left: defrag_flush() and defrag_leaving(). */
void defrag_free(struct defrag *d);
/* frame: the frame's outermost packet; p: the fragment in it. Where p lies in defrag_whole(), frame is that. */
enum defrag_answer defrag_take(struct defrag *d, const struct packet *frame, struct packet *p,
                               struct counters *c);
/* Valid until the next defrag_take(); PKT_REASSEMBLED, with the last fragment's times and numbers. */
struct packet *defrag_whole(struct defrag *d);
unsigned defrag_whole_frames(const struct defrag *d);
void defrag_refuse(struct defrag *d, enum drop_reason why, struct counters *c);
/* Bytes that were changed in the whole are written into its frames; fragments leave with one TTL. */
void defrag_settle(struct defrag *d, enum verdict verdict, enum drop_reason why, struct counters *c);
/* The set's frames leave as they are: to another worker, which puts them together again. */
void defrag_hand_on(struct defrag *d);
/* At most max frames that leave, with verdict and drop_reason. */
unsigned defrag_leaving(struct defrag *d, struct packet *frames, unsigned max, struct counters *c);
/* At most `budget` datagrams whose time is over. */
void defrag_expire(struct defrag *d, uint64_t now_ns, unsigned budget, struct counters *c);
/* Every frame that is held, in the order they came, datagram by datagram; nothing changes. Between two bursts. */
typedef void (*defrag_held_fn)(const struct packet *frame, void *arg);
void defrag_each_held(const struct defrag *d, defrag_held_fn fn, void *arg);
/* The end: everything leaves, with this reason. */
void defrag_flush(struct defrag *d, enum drop_reason why, struct counters *c);
#endif
