/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_FLOW_PARTS_H
#define SLUICE_FLOW_PARTS_H
/*
 * Between the files of this room only: keys (flow_key.c), TCP's part (flow_tcp.c), the table (flow_table.c, flow.c).
 */
#include "ips/base/wheel.h"
#include "ips/flow/flow.h"

enum timeout_class { CLASS_TCP, CLASS_UDP, CLASS_ICMP, CLASS_OTHER, CLASS_N };

struct flow_table {
    uint32_t *buckets; /* index + 1 of the chain's first flow */
    struct flow *flows;
    uint32_t *vars_of; /* by flow: its owner in vars; 4 bytes that only flows with variables ever touch */
    struct vars_pool *vars;
    uint32_t bucket_shift;
    uint32_t n_used;    /* flows that were ever in use; above them memory is untouched */
    uint32_t free_head; /* index + 1, chained by flow.next */
    uint32_t count;
    bool emergency;      /* it was full, and is not down to nine tenths yet */
    uint64_t burst_ns;   /* no flow with last_ns at or after it may be freed */
    uint64_t escaped_ns; /* frames crossed unseen until then */
    uint64_t
        look_ns; /* flows that were not seen since then may have missed something: that, or the operator's word */
    uint64_t next_id;
    uint64_t timeout_ns[CLASS_N][FLOW_CLOSED + 1];
    struct wheel wheels[2]; /* [FLOW_PROVEN set]: flows that have proven to be real, and all others */
    struct {
        flow_released_fn call;
        void *arg;
    } released[RELEASED_MAX]; /* the last one first */
    unsigned n_released;
    struct flowcache *cache; /* NULL: none */
    bool cache_passed;
    bool to_remember[FLOW_STANDINGS];
    struct flow_config cfg;
    size_t buckets_bytes, flows_bytes;
};

#define FLOW_REALM_HASHED (1u << 31) /* in flow.vlans: a hash (flow_key.c) */

/* --- flow.c, for flow_cache.c --- */

uint64_t flow_timeout_ns(const struct flow_table *t, const struct flow *f);
/* What is kept of its streams and protocols goes: they have a hole. */
void flow_take_up_again(struct flow_table *t, const struct flow *f, struct counters *c);

/* --- flow_cache.c; t->cache is set --- */

/* The flow begins with p. */
void flow_recall(struct flow_table *t, struct flow *f, const struct packet *p, struct counters *c);
/* An operator may have said something about it. */
void flow_changed(struct flow_table *t, struct flow *f, uint64_t now_ns, struct counters *c);
/* Its time seems to be over: last_ns says then when the program last settled a frame of it. */
void flow_used(struct flow_table *t, struct flow *f, uint64_t now_ns);
/* It ends: totals have what the program counted. */
void flow_forget(struct flow_table *t, struct flow *f, enum flow_end why);

/* As the packet has it: [0] source, [1] destination. For ICMP the ports are id and type class, in that order in both
 * directions. No padding: it is hashed as bytes. */
struct flow_key {
    struct addr addr[2];
    uint16_t port[2];
    uint32_t vlans;
    uint8_t proto, ip_version;
    uint8_t ports_turn; /* ports change places with the direction (TCP, UDP) */
    uint8_t zero[5];
};
_Static_assert(sizeof(struct flow_key) == 48, "hashed as bytes");

/* Draws the process's hash secret once. 0 or -errno. */
int flow_key_init(struct err *e);
/* False when the packet belongs to no flow. */
bool flow_key_of(const struct packet *p, struct flow_key *k);
/* False unless p is an ICMP error about a packet that its receiver sent: the key of an answer to that packet. */
bool flow_key_quoted(const struct packet *p, struct flow_key *k);
uint32_t flow_key_hash(const struct flow_key *k);
/* 0 when k goes the way of the flow's opener, 1 the other way, -1 when it is another flow. */
int flow_key_match(const struct flow_key *k, const struct flow *f);

/* First packet of a TCP connection: who opened it is settled; flags and state from the packet. */
void flow_tcp_open(struct flow *f, const struct packet *p, bool pick_up);
/* True when p, a SYN/ACK, answers a SYN that was sent over a connection we know: a new one takes its place. */
bool flow_tcp_reopens(const struct flow *f, const struct packet *p, unsigned dir);
/* Moves the connection's state; true when p counts as part of an established connection. */
bool flow_tcp_update(struct flow *f, const struct packet *p, unsigned dir, bool async);
/* On a bridge: true when p is data, which counts as established even if no handshake was seen. */
bool flow_tcp_take_up(struct flow *f, const struct packet *p);

enum { TCP_FIN = 0x01, TCP_SYN = 0x02, TCP_RST = 0x04, TCP_ACK = 0x10 };
#endif
