/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef SLUICE_BPF_MAPS_H
#define SLUICE_BPF_MAPS_H
/*
 * Every map of the steering program: who writes it, who reads it, its size, and what happens when it is full.
 * "ipsd" is the control thread of the daemon; workers touch no map by system call, but write the two that are mapped into
 * their memory (steer_beats, steer_flows). All maps are pinned beside the links and outlive the daemon.
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

/* One value, struct steer_switch. Written by ipsctl and ipsd, read by the program once a frame. Cannot be full. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct steer_switch);
} steer_switch SEC(".maps");

/* Queue -> sign of life. Mapped: the queue's worker writes beat_ns with plain stores; the program reads it once a frame,
 * swaps STEER_ASLEEP for the time, and adds to `escaped`. Cannot be full. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, STEER_QUEUES_MAX);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, struct steer_beat);
} steer_beats SEC(".maps");

/* The verdict cache and, beside it, what its tags are of. Mapped and written by workers and ipsd; the program reads, and
 * writes last_ns and counts. The size is set before the maps are made. A bucket that is full loses its oldest entry:
 * that flow's frames go to a worker again. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, struct steer_bucket);
} steer_flows SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, STEER_WAYS);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, struct steer_key_info);
} steer_keys SEC(".maps");

/* Steering lines, two halves, and their frames. Written by ipsd (frames: by the program). Cannot be full: ipsd refuses more
 * than STEER_LINES_MAX. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 2 * STEER_LINES_MAX);
    __type(key, __u32);
    __type(value, struct steer_line);
} steer_lines SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 2 * STEER_LINES_MAX);
    __type(key, __u32);
    __type(value, __u64);
} steer_line_frames SEC(".maps");

/* Addresses whose rate is limited. Written by the program. When full, the kernel forgets the least recently used: a flood
 * from more sources than there are entries is not limited by source. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, STEER_RATES_DEFAULT);
    __type(key, struct steer_rate_key);
    __type(value, struct steer_rate);
} steer_rates SEC(".maps");

/* Kept for the next daemon, and for ipsctl when there is none; the program does not look. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct steer_life);
} steer_life SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, STEER_STRIKES_MAX);
    __type(key, __u32);
    __type(value, struct steer_strike);
} steer_strikes SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, STEER_PORTS);
    __type(key, __u32);
    __type(value, struct steer_was);
} steer_was SEC(".maps");

/*
 * The block lists. Entries are written and removed by ipsd; the program looks up the longest prefix and adds
 * to its `frames` atomically (several CPUs may hit one entry). Memory is taken entry by entry (the kernel
 * accepts a trie only with BPF_F_NO_PREALLOC); beyond STEER_BLOCK_MAX entries ipsd's update fails with
 * ENOSPC, the operator is told, and what is on the list stays in force.
 */
#define PREFIX_LIST(name, key_type, max)      \
    struct {                                  \
        __uint(type, BPF_MAP_TYPE_LPM_TRIE);  \
        __uint(max_entries, max);             \
        __uint(map_flags, BPF_F_NO_PREALLOC); \
        __type(key, struct key_type);         \
        __type(value, struct steer_block);    \
    } name SEC(".maps")

PREFIX_LIST(block_src_v4, steer_prefix_v4, STEER_BLOCK_MAX);
PREFIX_LIST(block_dst_v4, steer_prefix_v4, STEER_BLOCK_MAX);
PREFIX_LIST(block_src_v6, steer_prefix_v6, STEER_BLOCK_MAX);
PREFIX_LIST(block_dst_v6, steer_prefix_v6, STEER_BLOCK_MAX);

/* The allow list, which wins over block lists, limits and everything else of the guard. As the block lists. */
PREFIX_LIST(allow_src_v4, steer_prefix_v4, STEER_ALLOW_MAX);
PREFIX_LIST(allow_dst_v4, steer_prefix_v4, STEER_ALLOW_MAX);
PREFIX_LIST(allow_src_v6, steer_prefix_v6, STEER_ALLOW_MAX);
PREFIX_LIST(allow_dst_v6, steer_prefix_v6, STEER_ALLOW_MAX);
#endif
