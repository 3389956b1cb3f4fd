/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_DECODE_DEFRAG_PARTS_H
#define SLUICE_DECODE_DEFRAG_PARTS_H
/*
 * Between the files of defragmentation only:
 *   defrag.c        the way of a fragment: what it is refused for, when its datagram is whole, who leaves
 *   defrag_table.c  memory: frames, datagrams, the lists that say which is the oldest
 *   defrag_check.c  what one fragment says of itself: its place, its key, its first headers
 *   defrag_join.c   the bytes: joined into one packet, written back, policies for overlaps
 */
#include "ips/base/wheel.h"
#include "ips/decode/defrag.h"

#define NONE         UINT32_MAX
#define DATAGRAM_MAX 65535       /* bytes of an IP packet, its header included */
#define BLOCKS       (65536 / 8) /* offsets count in blocks of 8 bytes */
#define WHOLE_BYTES  (65536 + 256)
#define DEPTH_MAX    3 /* fragments of what fragments carried */
#define HOSTS        4096
#define HEAD_MAX     256 /* an IP header with its options or extension headers */
#define SECRET_BYTES 192

/*
 * A frame in hand. Frames of one datagram form units: a unit is one fragment, usually one frame; several when a tunnel's
 * datagram came in fragments and carried a fragment. The unit's fields are in its first frame. Offsets are counted in the
 * unit's bytes: the frame's own, or those of the datagram that its frames made; `to`, `from`, `len` say which of
 * those bytes lie where in this frame.
 */
struct held {
    uint8_t *data;
    uint64_t umem_addr, now_ns, ts_ns, pcap_cnt;
    uint32_t len, orig_len;
    uint32_t next; /* frame of the unit, of the free list, of those that leave */
    uint32_t to, from, bytes;
    uint8_t in_port, link, why, verdict;
    /* of the unit */
    uint32_t next_unit, n_frames;
    uint32_t l3_at, payload_at, payload_len; /* in the unit's bytes */
    uint32_t off;                            /* of the payload in the datagram */
    uint8_t ttl;
    bool plain; /* one frame, and the fragment is the frame's own packet */
};

struct frame_list {
    uint32_t first, last, n;
};

struct key {
    struct addr src, dst;
    uint64_t path; /* what else says which receiver puts it together: port, MAC, VLAN, tunnels */
    uint32_t id;
    uint8_t proto; /* IPv4 */
    uint8_t ip_version, in_port, zero;
};

struct fragment { /* what one fragment says */
    struct key key;
    uint64_t fate; /* all fragments of a datagram agree in this, or some of them may not arrive */
    uint32_t off, len, l3_at, payload_at;
    uint32_t header; /* bytes of the IP header (IPv6: and its extensions) that the whole has in front */
    bool more;
};

enum datagram_list { LIST_ALL, LIST_HOST, LIST_N };

struct datagram {
    /* hot */
    struct key key;
    uint32_t next;        /* chain in the bucket, or the free list */
    uint32_t first, last; /* units in their order of arrival */
    uint32_t n_frames, n_blocks;
    uint32_t total; /* bytes; 0 while the end was not seen */
    uint32_t reach; /* end of the farthest fragment */
    uint64_t fate;
    uint8_t refused; /* enum drop_reason: whatever comes of it is dropped; 0: collecting */
    uint8_t ttl;     /* the lowest */
    bool overlaps, even_ttl;
    uint32_t head_len; /* 0: the first fragment is not here yet */
    uint32_t head_unit;
    uint32_t host;
    uint64_t deadline_ns;
    struct wheel_link timer;
    struct {
        uint32_t older, newer;
    } age[LIST_N];
    uint64_t have[BLOCKS / 64]; /* blocks */
    uint8_t head[HEAD_MAX];     /* IP header of the first fragment, without a fragment header */
    uint8_t head_next;          /* IPv6: what the fragment header says comes next */
};

struct age_list {
    uint32_t oldest, newest;
};

struct host {
    struct age_list age;
    uint32_t frames;
};

struct defrag {
    struct defrag_config cfg;
    struct held *held;
    struct datagram *datagrams;
    uint32_t *buckets, n_buckets;
    uint32_t free_held, free_datagram, n_held;
    struct age_list age;
    struct host *hosts; /* HOSTS */
    struct wheel wheel;
    uint32_t current;          /* the datagram that the last fragment went into; NONE: none */
    struct frame_list set;     /* of the whole, until it is settled */
    struct frame_list leaving; /* first in, first out */
    unsigned depth;
    bool even_ttl;             /* the set's fragments came with different ones */
    uint8_t ttl;               /* the lowest */
    uint32_t whole_payload_at; /* in the whole */
    struct packet whole[DEPTH_MAX];
    uint8_t *scratch; /* WHOLE_BYTES */
    uint16_t *owner;  /* policies but drop: who owns which byte */
    uint8_t secret[SECRET_BYTES];
};

/* --- defrag_table.c --------------------------------------------------------------------------------------------- */

struct datagram *datagram_find(struct defrag *d, const struct key *k);
/* A new one; the oldest of all goes when there is no place. */
struct datagram *datagram_new(struct defrag *d, const struct key *k, uint64_t now_ns, struct counters *c);
/* Its frames leave with this reason, and it is forgotten. */
void datagram_drop(struct defrag *d, struct datagram *g, enum drop_reason why);
/* Its frames leave with this reason, and so does whatever else comes of it until its time is over. */
void datagram_refuse(struct defrag *d, struct datagram *g, enum drop_reason why);
/* It is whole: its units become the set, in order of arrival. */
void datagram_take_set(struct defrag *d, struct datagram *g);
/* Makes room for one frame more of this host; the oldest datagrams go. */
void budget_make_room(struct defrag *d, const struct key *k, struct counters *c);
void unit_append(struct defrag *d, struct datagram *g, uint32_t unit);
uint32_t held_take(struct defrag *d);
void held_give(struct defrag *d, uint32_t i);
/* Frames move to the end of those that leave. */
void leave_with(struct defrag *d, struct frame_list *l, enum verdict verdict, enum drop_reason why);
struct datagram *datagram_at(struct defrag *d, uint32_t i);

/* --- defrag_check.c --------------------------------------------------------------------------------------------- */

/* False when the fragment cannot be part of any datagram: the packet's verdict is set. */
bool fragment_read(const struct defrag *d, const struct packet *frame, struct packet *p, struct fragment *f,
                   struct counters *c);
/* A first fragment that does not hold all headers (RFC 7112, 1858), or a later one that begins inside them. */
bool fragment_is_tiny(const struct packet *p, const struct fragment *f);

/* --- defrag_join.c ---------------------------------------------------------------------------------------------- */

/* Copies [at, at + len) of the unit's bytes. */
void unit_read(const struct defrag *d, uint32_t unit, uint32_t at, uint32_t len, uint8_t *to);
bool unit_equals(const struct defrag *d, uint32_t unit, const uint8_t *bytes, uint32_t len);
/* Makes the whole packet of the datagram's units; last: the fragment that completed it, in this frame. */
void datagram_join(struct defrag *d, const struct datagram *g, const struct packet *frame,
                   const struct packet *last, struct counters *c);
/* The set's frames get the bytes of the whole, and one TTL. */
void set_write_back(struct defrag *d);
void set_even_ttl(struct defrag *d);
/* After the set was flattened: places of its frames are counted in the whole's bytes. */
void set_rebase(struct defrag *d, const struct datagram *g);
#endif
