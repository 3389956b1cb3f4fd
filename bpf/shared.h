/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef SLUICE_BPF_SHARED_H
#define SLUICE_BPF_SHARED_H
/*
 * The contract between the steering program and user space: map names, keys, values, configuration words and
 * counters. Both sides include this file and nothing else about each other. Only fixed-width types, no padding
 * that is not named. A change of any layout here must raise STEER_ABI.
 */
#include <linux/types.h>

#define STEER_ABI 1

/* The two interfaces of a bridge are its ports 0 and 1; a frame received on port p leaves through 1 - p. */
#define STEER_PORTS      2
#define STEER_QUEUES_MAX 64 /* per port; a queue beyond it follows the fail policy */

/* Slot of a socket in the XSKMAP `xsks`. */
#define STEER_XSK_SLOT(port, queue) ((port)*STEER_QUEUES_MAX + (queue))

enum steer_fail_policy {
    STEER_FAIL_OPEN = 0,   /* no socket behind the queue: forward through the other port */
    STEER_FAIL_CLOSED = 1, /* no socket behind the queue: drop */
};

/* The only value of the ARRAY map `steer_config`. Written by user space, read by the program. */
struct steer_config {
    __u32 abi;                  /* STEER_ABI */
    __u32 fail_policy;          /* enum steer_fail_policy */
    __u32 ifindex[STEER_PORTS]; /* ports 0 and 1 */
    __u32 block_enabled;        /* 0: the block lists are empty, skip the lookups */
    __u32 reserved[3];
};

/* Keys of the LPM tries block_{src,dst}_v{4,6}: prefix length in bits, then the address in network order. */
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
#define STEER_BLOCK_MAX 262144 /* entries per trie; memory is taken as entries come */

/*
 * Every exit of the program goes through exactly one of these, so their sum is the number of frames seen.
 * PERCPU_ARRAY `steer_counters`, key = port * STEER_CTR_N + counter. X(id, "name", "what it counts")
 */
#define STEER_COUNTER_TABLE(X)                                                                     \
    X(STEER_TO_WORKER, "steer.to_worker", "frames redirected to the queue's socket")               \
    X(STEER_FAIL_OPENED, "steer.fail_open", "no socket behind the queue: forwarded by the kernel") \
    X(STEER_FAIL_CLOSED_DROP, "steer.fail_closed", "no socket behind the queue: dropped")          \
    X(STEER_BLOCKED_SRC, "steer.blocked_src", "dropped: source address on the block list")         \
    X(STEER_BLOCKED_DST, "steer.blocked_dst", "dropped: destination address on the block list")    \
    X(STEER_UNKNOWN_PORT, "steer.unknown_port", "passed to the host: interface not of this bridge")

enum steer_counter {
#define X(id, name, help) id,
    STEER_COUNTER_TABLE(X)
#undef X
        STEER_CTR_N,
};

/* Counted beside the exits, in PERCPU_ARRAY `steer_parse`, key = port * STEER_PARSE_N + kind: what was seen. */
#define STEER_PARSE_TABLE(X)                                                 \
    X(STEER_PARSE_IPV4, "steer.parse_ipv4", "IPv4 packets")                  \
    X(STEER_PARSE_IPV6, "steer.parse_ipv6", "IPv6 packets")                  \
    X(STEER_PARSE_OTHER, "steer.parse_other", "frames of another ethertype") \
    X(STEER_PARSE_VLAN, "steer.parse_vlan", "frames with VLAN tags")         \
    X(STEER_PARSE_SHORT, "steer.parse_short", "frames that end inside a header; steered all the same")

enum steer_parse {
#define X(id, name, help) id,
    STEER_PARSE_TABLE(X)
#undef X
        STEER_PARSE_N,
};
#endif
