/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef SLUICE_BPF_SHARED_H
#define SLUICE_BPF_SHARED_H
/*
 * The contract between the steering program and user space: map names, keys, values, configuration words and
 * counters. Both sides include this file (and bpf/tag.h) and nothing else about each other. Only fixed-width types,
 * no padding that is not named. The maps are pinned and outlive the daemon, so the next daemon may be another build:
 * a change of any layout here must raise STEER_ABI, and whoever finds maps of another ABI starts them anew.
 *
 * All times are CLOCK_MONOTONIC in ns: what bpf_ktime_get_ns() and clock_gettime() both say.
 */
#include <linux/types.h>

#define STEER_ABI 2

/* The two interfaces of a bridge are its ports 0 and 1; a frame received on port p leaves through 1 - p. */
#define STEER_PORTS      2
#define STEER_QUEUES_MAX 64 /* per port; a queue beyond it follows the fail policy */

/* Slot of a socket in the XSKMAP `xsks`. */
#define STEER_XSK_SLOT(port, queue) ((port)*STEER_QUEUES_MAX + (queue))

/* What becomes of a frame with no worker behind its queue: forwarded through the other port; dropped; forwarded when its
 * flow was judged clean or it is not IP, and else dropped. X(id, value, "the operator's word") */
#define STEER_FAIL_TABLE(X)           \
    X(STEER_FAIL_OPEN, 0, "open")     \
    X(STEER_FAIL_CLOSED, 1, "closed") \
    X(STEER_FAIL_OPEN_KNOWN, 2, "open-known")
enum steer_fail_policy {
#define X(id, value, word) id = value,
    STEER_FAIL_TABLE(X)
#undef X
};

enum steer_flag { /* what there is to look at: spares the lookups that would find nothing */
                  STEER_HAS_BLOCKS = 1 << 0,    /* an entry in block_* */
                  STEER_HAS_ALLOWS = 1 << 1,    /* an entry in allow_* */
                  STEER_HAS_SOURCES = 1 << 2,   /* sources may be blocked for a time (steer_flows) */
                  STEER_DROP_BROKEN = 1 << 3,   /* guard: headers that no receiver takes */
                  STEER_USE_FLOWS = 1 << 4,     /* the verdict cache answers for flows it holds */
                  STEER_LIMIT_SOURCE = 1 << 5,  /* guard: frames per source */
                  STEER_LIMIT_SYN_SRC = 1 << 6, /* guard: SYNs per source */
                  STEER_LIMIT_SYN_DST = 1 << 7, /* guard: SYNs per destination */
};

/* A rate, as GCRA counts it: one frame each interval_ns, burst_ns of credit. */
struct steer_limit {
    __u64 interval_ns, burst_ns;
};
enum steer_limited { STEER_RATE_SOURCE, STEER_RATE_SYN_SRC, STEER_RATE_SYN_DST, STEER_RATE_N };

/* The only value of the ARRAY map `steer_config`. Written by who owns the bridge (ipsd, or ipsctl when no ipsd runs),
 * read by the program. It is copied as a whole, not atomically: each member must be right by itself. */
struct steer_config {
    __u32 abi;                  /* STEER_ABI */
    __u32 fail_policy;          /* enum steer_fail_policy */
    __u32 ifindex[STEER_PORTS]; /* ports 0 and 1 */
    __u32 flags;                /* enum steer_flag */
    __u32 lines;                /* STEER_LINES(first, n): the lines in force */
    __u64 heartbeat_ns;         /* a worker whose beat is older is no worker */
    __u64 key[2];               /* of tags (bpf/tag.h); drawn once, when the maps are made */
    __u32 flow_buckets;         /* of steer_flows; a power of two */
    __u32 reserved;
    struct steer_limit limit[STEER_RATE_N];
};

/* The only value of the ARRAY map `steer_switch`: words that an operator sets with no daemon running. */
struct steer_switch {
    __u32 bypass; /* every frame is forwarded, uninspected */
    __u32 reserved;
};

/*
 * A worker's sign of life, one for each queue (a worker owns that queue of both ports). ARRAY `steer_beats`, mapped
 * into the daemon's memory. Before a worker sleeps it writes STEER_ASLEEP; the first frame that comes then starts the
 * clock in its place, by compare-and-swap. Once it is awake it writes the time, once a round. A beat that lies ahead is
 * alive: that is how a daemon that hands its queues over keeps them steered meanwhile.
 */
#define STEER_ASLEEP (~0ull)
struct steer_beat {
    __u64 beat_ns; /* 0: never */
    __u64 pad[7];
    __u64 escaped; /* frames that the fail policy or the bypass switch forwarded; added atomically */
    __u64 pad2[7];
};

/*
 * The verdict cache: flows, and sources, that user space has decided about. ARRAY `steer_flows` of buckets, mapped into
 * the daemon's memory, written by workers with plain stores, so no verdict costs a system call. Bucket = tag &
 * (flow_buckets - 1). Who writes claims a way by compare-and-swap of tag to STEER_TAG_BUSY, fills it and
 * stores the tag last; in a full bucket the way with the oldest last_ns goes. The tag is 64 bits of a keyed hash over
 * struct steer_key: two keys with one tag are not to be expected, nor to be made without the key.
 */
#define STEER_WAYS     4
#define STEER_TAG_FREE 0ull
#define STEER_TAG_BUSY 1ull
enum steer_kind {
    STEER_KIND_DROP = 1,   /* drop its frames */
    STEER_KIND_BYPASS = 2, /* forward them */
    STEER_KIND_KNOWN = 3,  /* judged clean so far: inspect, and forward under open-known when nobody can */
    STEER_KIND_SOURCE = 4, /* frames from this address are dropped (block for a time) */
};
struct steer_flow {
    __u64 tag;
    __u64 last_ns;    /* written by user space, and by the program when it settles a frame by this entry */
    __u64 expires_ns; /* at most so long, whatever comes; 0: as long as last_ns + idle_ms */
    __u32 idle_ms;    /* for KNOWN counted from the later of last_ns and the queue's last beat */
    __u32 kind;       /* enum steer_kind */
    __u64 pkts[2],
        bytes[2]; /* settled by the program; [0] sent by the lower end of the key, [1] by the other */
};
struct steer_bucket {
    struct steer_flow way[STEER_WAYS];
};

/* What a tag is made of. The lower end (memcmp of addr, then of port_be) comes first. SOURCE: addr[0] and version alone,
 * all else 0. ARRAY `steer_keys`, index bucket * STEER_WAYS + way: user space only, so that entries can be shown. */
struct steer_key {
    __u8 addr[2][16]; /* IPv4: the first four bytes, then zeros */
    __u16 port_be[2]; /* TCP, UDP, SCTP; 0 of any other protocol */
    __u8 proto;       /* IP protocol; behind IPv6 extension headers: that of the header they lead to */
    __u8 version;     /* 4, 6 */
    __u16 reserved;
    __u32
        vlans; /* outer VLAN id | inner VLAN id << 12, 0 without; flows with a third tag, labels or in tunnels,
                         and fragments, have no key */
    __u32 reserved2;
};
struct steer_key_info {
    struct steer_key key;
    __u32 sid; /* the rule that decided; 0: a policy or an operator */
    __u32 why; /* user space's */
};

/* Steering lines: first match decides. ARRAY `steer_lines`, two halves: a new list goes into the half that is not in
 * force. PERCPU_ARRAY `steer_line_frames` counts beside it. */
#define STEER_LINES_MAX       64
#define STEER_LINES(first, n) ((first) << 16 | (n))
#define STEER_LINES_FIRST(w)  ((w) >> 16)
#define STEER_LINES_N(w)      ((w)&0xffff)
enum steer_action { STEER_INSPECT, STEER_BYPASS, STEER_DROP, STEER_HOST };
enum steer_test {                           /* what a line asks; what it does not ask matches everything */
                  STEER_TEST_VLAN = 1 << 0, /* the outer VLAN id is from vlan[0] to vlan[1]; 0: untagged */
                  STEER_TEST_SRC = 1 << 1,  /* address, masked */
                  STEER_TEST_DST = 1 << 2,
                  STEER_TEST_NET = 1 << 3, /* source or destination is in src */
                  STEER_TEST_SPORT = 1
                                     << 4, /* from sport[0] to sport[1]; TCP, UDP and SCTP, first fragments */
                  STEER_TEST_DPORT = 1 << 5,
                  STEER_TEST_PORT = 1 << 6, /* source or destination port is in dport */
                  STEER_TEST_PROTO = 1 << 7,
                  STEER_TEST_VERSION = 1 << 8,    /* IP version; 0: not IP */
                  STEER_TEST_IN_PORT = 1 << 9,    /* received on this port of the bridge */
                  STEER_TEST_ETHERTYPE = 1 << 10, /* behind the tags */
};
struct steer_line {
    __u32 src[4], src_mask[4], dst[4], dst_mask[4]; /* network order; IPv4 in the first word */
    __u16 vlan[2], sport[2], dport[2];              /* host order, first and last */
    __u16 tests;                                    /* enum steer_test */
    __u16 ethertype;                                /* host order */
    __u8 proto, version /* 0 beside addresses: ARP's */, in_port, action; /* action: enum steer_action */
};

/* Keys of the LPM tries {block,allow}_{src,dst}_v{4,6}: prefix length in bits, then the address in network order. */
struct steer_prefix_v4 {
    __u32 prefixlen;
    __u8 addr[4];
};
struct steer_prefix_v6 {
    __u32 prefixlen;
    __u8 addr[16];
};
/* Value of the tries. The program adds to `frames` atomically. */
struct steer_block {
    __u64 frames;
};
#define STEER_BLOCK_MAX 2097152 /* entries per trie; memory is taken as entries come */
#define STEER_ALLOW_MAX 65536

/* LRU_HASH `steer_rates`: GCRA's theoretical arrival time of what is limited. */
struct steer_rate_key {
    __u8 addr[16]; /* as in steer_key */
    __u32 version;
    __u32 which; /* enum steer_limited */
};
struct steer_rate {
    __u64 due_ns;
};
#define STEER_RATES_DEFAULT 65536

#define STEER_NAME_BYTES 32
/* The life of the bridge's daemons. ARRAY `steer_life`, one value; user space only. */
struct steer_life {
    __u32 abi; /* STEER_ABI; found by whoever takes the maps over, before anything else is looked at */
    __u32 pid; /* of the daemon; 0: ended in good order */
    __u64 started_ns;
    __u64 starts;                /* of daemons on these maps */
    __u64 crashes;               /* of them, those that did not end in good order */
    __u64 crash_ns[8];           /* when the next one found that out, the newest at crashes % 8 */
    char name[STEER_NAME_BYTES]; /* of the bridge */
    char ifname[STEER_PORTS][16];
    char version[64]; /* of the build that wrote this */
};

/* What stalled a worker. ARRAY `steer_strikes`; user space only. */
#define STEER_STRIKES_MAX 64
struct steer_strike {
    __u32 count;     /* 0: the place is free */
    __u32 gid, sid;  /* a rule; else 0 */
    char parser[20]; /* an application protocol; else "" */
};

/* What an interface was before a daemon set it up, as ips/io/nic.c packs it; so that whoever detaches the program, and be
 * it another process, can put it back. ARRAY `steer_was`, one value for each port; user space only. */
#define STEER_WAS_BYTES   8184
#define STEER_WAS_VERSION 1
struct steer_was {
    __u32 version; /* STEER_WAS_VERSION; this map outlives a change of ABI, or nobody could put back */
    __u32 bytes;   /* used; 0: nothing remembered */
    __u8 data[STEER_WAS_BYTES];
};

/*
 * Every exit of the program goes through exactly one of these, so their sum is the number of frames seen.
 * PERCPU_ARRAY `steer_counters`, key = port * STEER_CTR_N + counter. X(id, "name", "what it counts")
 */
#define STEER_COUNTER_TABLE(X)                                                                               \
    X(STEER_TO_WORKER, "steer.to_worker", "frames redirected to the queue's socket")                         \
    X(STEER_FAIL_OPENED, "steer.fail_open", "no worker behind the queue: forwarded by the kernel")           \
    X(STEER_FAIL_KNOWN, "steer.fail_known", "no worker behind the queue: forwarded, flow judged clean")      \
    X(STEER_FAIL_CLOSED_DROP, "steer.fail_closed", "no worker behind the queue: dropped")                    \
    X(STEER_FAIL_UNKNOWN_DROP, "steer.fail_unknown", "no worker behind the queue: dropped, not known clean") \
    X(STEER_SWITCH_BYPASS, "steer.switch_bypass", "forwarded by the kernel: ipsctl link bypass is on")       \
    X(STEER_LINE_BYPASS, "steer.line_bypass", "forwarded by the kernel: a steering line says bypass")        \
    X(STEER_LINE_DROP, "steer.line_drop", "dropped: a steering line says drop")                              \
    X(STEER_LINE_HOST, "steer.line_host", "passed to the host: a steering line says host")                   \
    X(STEER_FLOW_DROP, "steer.flow_drop", "dropped: the flow was dropped before")                            \
    X(STEER_FLOW_BYPASS, "steer.flow_bypass", "forwarded by the kernel: the flow needs no inspection")       \
    X(STEER_BLOCKED_SRC, "steer.blocked_src", "dropped: source address on the block list")                   \
    X(STEER_BLOCKED_DST, "steer.blocked_dst", "dropped: destination address on the block list")              \
    X(STEER_BLOCKED_TIME, "steer.blocked_for_a_time", "dropped: source blocked for a time by a rule")        \
    X(STEER_BROKEN_DROP, "steer.guard_broken", "dropped: headers that no receiver takes")                    \
    X(STEER_RATE_DROP, "steer.guard_rate", "dropped: the source sends too many frames")                      \
    X(STEER_SYN_SRC_DROP, "steer.guard_syn_src", "dropped: the source sends too many SYNs")                  \
    X(STEER_SYN_DST_DROP, "steer.guard_syn_dst", "dropped: the destination gets too many SYNs")              \
    X(STEER_NO_WAY_OUT, "steer.no_way_out", "dropped: to be forwarded, but the other interface is gone")     \
    X(STEER_UNKNOWN_PORT, "steer.unknown_port", "passed to the host: interface not of this bridge")

enum steer_counter {
#define X(id, name, help) id,
    STEER_COUNTER_TABLE(X)
#undef X
        STEER_CTR_N,
};

/* Counted beside the exits, in PERCPU_ARRAY `steer_parse`, key = port * STEER_PARSE_N + kind: what was seen. */
#define STEER_PARSE_TABLE(X)                                                                           \
    X(STEER_PARSE_IPV4, "steer.parse_ipv4", "IPv4 packets")                                            \
    X(STEER_PARSE_IPV6, "steer.parse_ipv6", "IPv6 packets")                                            \
    X(STEER_PARSE_OTHER, "steer.parse_other", "frames of another ethertype")                           \
    X(STEER_PARSE_VLAN, "steer.parse_vlan", "frames with VLAN tags")                                   \
    X(STEER_PARSE_SHORT, "steer.parse_short", "frames that end inside a header; steered all the same") \
    X(STEER_SAW_ALLOWED, "steer.saw_allowed", "frames that the allow list let past the guard")         \
    X(STEER_SAW_STALE, "steer.saw_stale", "frames whose worker gave no sign of life: fail policy")     \
    X(STEER_SAW_NO_SOCKET, "steer.saw_no_socket", "frames with no socket behind their queue: fail policy")

enum steer_parse {
#define X(id, name, help) id,
    STEER_PARSE_TABLE(X)
#undef X
        STEER_PARSE_N,
};
#endif
