/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef SLUICE_BPF_MAPS_H
#define SLUICE_BPF_MAPS_H
/*
 * Every map of the steering program: who writes it, who reads it, its size, and what happens when it is full.
 * "ipsd" is the control thread of the daemon (ips/io/xdp.c, xdp_block.c); workers touch no map.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "bpf/shared.h"

/* One value, struct steer_config. Written by ipsd, read by the program once a frame. Cannot be full. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct steer_config);
} steer_config SEC(".maps");

/* Slot STEER_XSK_SLOT(port, queue) -> the AF_XDP socket of that queue. Written by ipsd; the kernel empties a
 * slot when its socket is closed, by whatever death. Every slot exists from the start, so it cannot be full;
 * a queue beyond STEER_QUEUES_MAX has no slot and follows the fail policy. */
struct {
    __uint(type, BPF_MAP_TYPE_XSKMAP);
    __uint(max_entries, STEER_PORTS *STEER_QUEUES_MAX);
    __type(key, __u32);
    __type(value, __u32);
} xsks SEC(".maps");

/* Port -> ifindex of that port, where the fail-open policy sends a frame. Written by ipsd; the kernel empties
 * a slot when its interface is unregistered, and then fail-open has no way out and drops. Cannot be full. */
struct {
    __uint(type, BPF_MAP_TYPE_DEVMAP);
    __uint(max_entries, STEER_PORTS);
    __type(key, __u32);
    __type(value, __u32);
} peer SEC(".maps");

/* port * STEER_CTR_N + enum steer_counter -> frames. Written by the program, one value per CPU, never reset;
 * ipsd adds the CPUs up. Cannot be full. */
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, STEER_PORTS *STEER_CTR_N);
    __type(key, __u32);
    __type(value, __u64);
} steer_counters SEC(".maps");

/* port * STEER_PARSE_N + enum steer_parse -> frames. As steer_counters. */
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, STEER_PORTS *STEER_PARSE_N);
    __type(key, __u32);
    __type(value, __u64);
} steer_parse SEC(".maps");

/*
 * The block lists. Entries are written and removed by ipsd; the program looks up the longest prefix and adds
 * to its `frames` atomically (several CPUs may hit one entry). Memory is taken entry by entry (the kernel
 * accepts a trie only with BPF_F_NO_PREALLOC); beyond STEER_BLOCK_MAX entries ipsd's update fails with
 * ENOSPC, the operator is told, and what is on the list stays in force.
 */
#define BLOCK_LIST(name, key_type)            \
    struct {                                  \
        __uint(type, BPF_MAP_TYPE_LPM_TRIE);  \
        __uint(max_entries, STEER_BLOCK_MAX); \
        __uint(map_flags, BPF_F_NO_PREALLOC); \
        __type(key, struct key_type);         \
        __type(value, struct steer_block);    \
    } name SEC(".maps")

BLOCK_LIST(block_src_v4, steer_prefix_v4);
BLOCK_LIST(block_dst_v4, steer_prefix_v4);
BLOCK_LIST(block_src_v6, steer_prefix_v6);
BLOCK_LIST(block_dst_v6, steer_prefix_v6);
#endif
