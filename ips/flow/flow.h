/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_FLOW_FLOW_H
#define SLUICE_FLOW_FLOW_H
/*
 * One flow table per worker, sized at start, never locked, never scanned as a whole: expiry is a timer wheel
 * driven by the burst's clock. Keyed by protocol, addresses, ports and VLAN ids; both directions find the same
 * flow. The hash is XXH3 with a secret drawn at start, because attackers choose the keys.
 */
#include <stdbool.h>
#include <stdint.h>
#include "ips/base/counters.h"
#include "ips/base/err.h"
#include "ips/base/vars.h"
#include "ips/io/flowcache.h"
#include "ips/io/packet.h"

enum flow_state { FLOW_NEW, FLOW_ESTABLISHED, FLOW_CLOSED };
enum flow_verdict { FLOW_INSPECT, FLOW_PASS, FLOW_DROP };
enum flow_cached { /* what there may be of it in the verdict cache */
                   FLOW_UNCACHED,
                   FLOW_CACHED_KNOWN,    /* that it is known clean, or nothing, since it cannot be said */
                   FLOW_CACHED,          /* its verdict, or nothing, since it is not the kernel's to settle */
                   FLOW_CACHED_OPERATOR, /* an operator's verdict, which may end before the flow */
};
#define FLOW_STANDINGS 64

struct flow {
    /* hot, one cache line: what every packet of the flow touches */
    uint32_t hash, next; /* chain in the bucket: index + 1, 0 ends it */
    union {
        struct {
            uint8_t state : 2;   /* enum flow_state */
            uint8_t verdict : 2; /* enum flow_verdict: holds for every later packet; the first one set wins */
            uint8_t cached : 2;  /* enum flow_cached */
        };
        uint8_t standing; /* the three of them */
    };
    uint8_t exceptions; /* bit for each enum exception that its packets met */
    uint8_t proto;
    uint8_t ip_version : 4;
    uint8_t alerted : 1; /* a rule alerted on one of its packets, or dropped one */
    uint8_t holed : 1;   /* one of its packets crossed unseen: flow_hole() */
    uint8_t tcp_seen[2]; /* TCP flags seen so far, by direction (0 = to_server) */
    uint16_t flags;      /* enum flow_flag */
    uint32_t
        vlans; /* outer VLAN id, inner VLAN id << 12; with a third, or in a tunnel, a hash (flow_key.c) */
    uint16_t port[2];    /* [0] of the opener (client), [1] of the server; ICMP: id and type class */
    struct addr addr[2]; /* [0] client, [1] server */
    uint64_t last_ns;
    /* second line */
    uint64_t id;          /* what events call flow_id: unique, below 2^53 */
    uint64_t start_ts_ns; /* real time */
    uint64_t pkts[2], bytes[2];
    uint32_t timer_next, timer_prev; /* wheel slot list */
    uint32_t isn
        [2]; /* TCP: [0] of the opener's SYN; [1] of the SYN/ACK, and with FLOW_REOPEN_* of the later SYN that
                        may reopen the connection. Others: 1 + the port that the end was heard through, 0: unknown */
};
_Static_assert(sizeof(struct flow) == 128, "a flow is two cache lines");

enum flow_flag {
    FLOW_MIDSTREAM = 1 << 0, /* TCP, and no SYN was seen */
    FLOW_SYN = 1 << 1,
    FLOW_SYNACK = 1 << 2,
    FLOW_IPONLY_DONE_TS = 1 << 3, /* address-only rules were decided, per direction */
    FLOW_IPONLY_DONE_TC = 1 << 4,
    FLOW_BY_POLICY = 1 << 5,      /* the verdict was set by a policy, not by a rule */
    FLOW_HANDSHAKE_DONE = 1 << 6, /* stays when the flow closes */
    FLOW_REOPEN_TS = 1 << 7,      /* a later SYN was seen, per direction: its SYN/ACK starts a new flow */
    FLOW_REOPEN_TC = 1 << 8,
    FLOW_DETACHED = 1 << 9, /* no longer found by lookups: its time is over or its ports were reused */
    FLOW_SEEN_TS = 1 << 10, /* a packet was seen, per direction */
    FLOW_SEEN_TC = 1 << 11,
    FLOW_PROVEN = 1 << 13,      /* established, and seen from its beginning: evicted last */
    FLOW_TAGGED = 1 << 12,      /* set and cleared by detect/: a rule wants its packets logged */
    FLOW_REOPEN_PORT = 1 << 14, /* the later SYN came through port 1 */
    FLOW_CROSSED = 1 << 15,     /* the opener answered a SYN: simultaneous open, split handshake */
};

enum exception_action {                   /* ips/flow/exception.h */
                        EXCEPTION_IGNORE, /* inspect as well as can be */
                        EXCEPTION_DROP_PACKET,
                        EXCEPTION_DROP_FLOW,
                        EXCEPTION_PASS_PACKET, /* uninspected */
                        EXCEPTION_PASS_FLOW,
                        EXCEPTION_AUTO,    /* of a configuration only */
                        EXCEPTION_DEFAULT, /* of a configuration only */
};

struct flow_config {
    uint32_t max_flows; /* of this table */
    uint32_t max_vars;  /* blocks of 7 variables (flowbits, flowints) for all its flows; 0: flows have none */
    uint32_t tcp_new_s, tcp_established_s, tcp_closed_s, udp_new_s, udp_established_s, icmp_s, other_s;
    bool midstream; /* pick up TCP flows whose handshake was not seen: they count as established */
    bool async;     /* one direction can make a connection established: the other may take another way */
    bool
        bridged; /* in-line: data of a connection counts as established, whether or not its handshake was seen */
    enum exception_action
        on_midstream; /* for flows whose start was not seen; only passing, when midstream is true */
    enum exception_action on_memcap; /* for packets that get no flow: table full, nothing to evict */
};

/* Data of it was seen, on a bridge, and neither its handshake nor an answer: anybody could have sent that. */
static inline bool flow_taken_up_only(const struct flow *f)
{
    return f->state == FLOW_NEW && (f->flags & FLOW_HANDSHAKE_DONE);
}

/* The verdict of every later packet of the flow; the first one that is set stays. by_policy: no rule said it. True when
 * this is the first one. */
bool flow_settle(struct flow *f, enum flow_verdict verdict, bool by_policy);

struct flow_table;
struct flow_table *flow_table_new(const struct flow_config *cfg, struct err *e);
void flow_table_free(struct flow_table *t);
/* Called with a flow's index when it is freed, so that what others keep beside it (stream/, app/) goes with it; who asks
 * last is called first. RELEASED_MAX of them, one for each arg. FLOW_TAKEN_UP_AGAIN: the same goes, the flow stays. */
enum flow_end { /* why */
                FLOW_END_TIMEOUT,
                FLOW_END_REUSED,  /* its ports are another connection's now */
                FLOW_END_EVICTED, /* the table was full */
                FLOW_END_SHUTDOWN,
                FLOW_TAKEN_UP_AGAIN, /* no end: there are holes in its streams */
};
#define RELEASED_MAX 3
typedef void (*flow_released_fn)(void *arg, uint32_t index, enum flow_end why);
void flow_table_on_release(struct flow_table *t, flow_released_fn released, void *arg);
void flow_table_off_release(struct flow_table *t, void *arg);
struct flow *flow_at(const struct flow_table *t, uint32_t index);
/* The flow's place in its table, below max_flows: rooms below keep arrays of their own beside the table. */
uint32_t flow_index(const struct flow_table *t, const struct flow *f);
uint32_t flow_table_count(const struct flow_table *t); /* any thread */
/* What rules remember about flows: the pool (NULL: nothing), and the owner in it that a flow of this table is. */
struct vars_pool *flow_table_vars(struct flow_table *t);
uint32_t *flow_vars(struct flow_table *t, const struct flow *f);

/* Hash of the packet's key; 0 when it has none. The owner of a flow is hash % n_workers. Fragments have a hash (of
 * their addresses) but no flow. The secret is drawn by the first flow_table_new() of the process. */
uint32_t flow_hash(const struct packet *p);
/*
 * A packet goes through three calls, in the order of the burst, so that each sees what the one before it did:
 *   flow_prefetch_burst  hashes all keys of the burst and brings their buckets and flows into the cache
 *   flow_lookup          finds or creates the packet's flow and its direction; packets that are not IP, malformed or
 *                        have a bad checksum get none. Sets verdict and drop_reason where the midstream or memory
 *                        policy says drop
 *   flow_account         the packet counts: time, totals, TCP state, PKT_ESTABLISHED. What its receiver will not take
 *                        (PKT_IGNORED, set by stream/ in between) enters the totals and changes no state
 */
void flow_prefetch_burst(struct flow_table *t, struct packet *pkts, unsigned n);
void flow_lookup(struct flow_table *t, struct packet *p, struct counters *c);
/* After flow_prefetch_burst(): the index that flow_lookup() will most likely find, for what is to be fetched with the
 * flow; FLOW_NONE when there is none. */
#define FLOW_NONE UINT32_MAX
uint32_t flow_likely(const struct flow_table *t, const struct packet *p);
void flow_account(struct flow_table *t, struct packet *p);
/* Removes at most `budget` flows whose time is over. Once a burst, when no packet of it is in use any more. */
void flow_expire(struct flow_table *t, uint64_t now_ns, unsigned budget, struct counters *c);
/*
 * Until before_ns frames crossed that no worker saw. TCP flows that were last seen before it, and have no verdict, are
 * taken up again with their next packet, as from the middle of a connection: nothing is known any more of sequence
 * numbers and protocols, and nothing is impossible. Who opened them, totals, state and what rules remember stay.
 */
void flow_escaped(struct flow_table *t, uint64_t before_ns);
/*
 * From here on flows that begin ask the verdict cache, and their entries go when they end. passed: flows that a pass
 * rule let through need not be parsed either. Control thread, before the worker starts; c outlives the table.
 */
void flow_table_use_cache(struct flow_table *t, struct flowcache *c, bool passed);
/* Flows that were judged clean are noted in it (fail: open-known), or not, as at the start. Any thread. */
void flow_table_note_known(struct flow_table *t, bool known);
/* By a flow's standing: whether flow_remember() has anything to do when the packet was judged. */
const bool *flow_to_remember(const struct flow_table *t);
struct flow_facts {    /* what other rooms know of it */
    bool synchronized; /* TCP, and each end has acknowledged through its own port what the other sent */
    bool tunnel;       /* packets may be inside its packets */
    uint32_t sid;      /* of the rule that settled it; 0: none */
};
void flow_remember(struct flow_table *t, const struct packet *p, const struct flow_facts *facts,
                   struct counters *c);
/* The flow of a packet if there is one (after flow_prefetch_burst(), or without): changes nothing. */
struct flow *flow_find(struct flow_table *t, struct packet *p);
/* What the verdict cache says of the packet's flow, which may be another worker's: enum steer_kind, 0 for nothing. */
uint32_t flow_cached_kind(const struct flow_table *t, const struct packet *p);
/* A packet of this flow alone went on unseen: likewise, with its next packet. */
static inline void flow_hole(struct flow *f, uint64_t now_ns)
{
    f->holed = 1;
    f->last_ns = now_ns; /* it lives */
}
/* Removes all flows: the end. */
void flow_flush(struct flow_table *t);
#endif
