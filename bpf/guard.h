/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef SLUICE_BPF_GUARD_H
#define SLUICE_BPF_GUARD_H
/*
 * The guard: what is dropped before it costs a worker anything. Who is on the allow list, as source or as destination,
 * passes all of it. Then, cheapest first: broken headers, block lists, sources blocked for a time, rates.
 *
 * Rates are GCRA: an address owes interval_ns for each frame, and a frame that finds more than burst_ns of debt is dropped
 * and not charged. So 1 + burst_ns / interval_ns frames pass at once. An address the LRU map has no room for passes.
 */
#include "bpf/flows.h"
#include "bpf/maps.h"
#include "bpf/packet.h"

#define RATE_TRIES 4  /* against other CPUs at the same address */
#define GUARD_PASS -1 /* not an enum steer_counter */
#define GUARD_FLAGS                                                                                        \
    (STEER_HAS_BLOCKS | STEER_HAS_SOURCES | STEER_DROP_BROKEN | STEER_LIMIT_SOURCE | STEER_LIMIT_SYN_SRC | \
     STEER_LIMIT_SYN_DST)
#define GUARD_SYN_FLAGS (STEER_LIMIT_SYN_SRC | STEER_LIMIT_SYN_DST)

/* True, and counted on the entry, when the trie holds a prefix of the address. */
static __always_inline int listed(void *trie, const void *key)
{
    struct steer_block *entry = bpf_map_lookup_elem(trie, key);
    if (!entry)
        return 0;
    __sync_fetch_and_add(&entry->frames, 1);
    return 1;
}

/* The same of one end of the packet, by the trie of its IP version. */
static __always_inline int listed_end(void *v4, void *v6, const __u32 addr[4], __u8 version)
{
    if (version == 4) {
        struct steer_prefix_v4 key = {.prefixlen = 32};
        __builtin_memcpy(key.addr, addr, sizeof(key.addr));
        return listed(v4, &key);
    }
    struct steer_prefix_v6 key = {.prefixlen = 128};
    __builtin_memcpy(key.addr, addr, sizeof(key.addr));
    return listed(v6, &key);
}

/* Charges one end of the packet; true when it owes too much. */
__noinline int rate_over(const struct packet *p, const struct steer_limit *limit, __u32 which, __u32 end)
{
    struct steer_rate_key key = {.which = which};
    struct steer_rate *rate, first;
    __u64 now_ns = bpf_ktime_get_ns();

    if (!p || !limit)
        return 0;
    __u64 interval_ns = limit->interval_ns, burst_ns = limit->burst_ns;
    __builtin_memcpy(key.addr, end ? p->addr[1] : p->addr[0], sizeof(key.addr));
    key.version = p->version;
    rate = bpf_map_lookup_elem(&steer_rates, &key);
    if (!rate) {
        first.due_ns = now_ns + interval_ns;
        bpf_map_update_elem(&steer_rates, &key, &first, BPF_NOEXIST); /* another CPU's, or no room: passes */
        return 0;
    }
    for (int i = 0; i < RATE_TRIES; i++) {
        __u64 due_ns = READ_ONCE(rate->due_ns);
        __u64 from_ns = (__s64)(due_ns - now_ns) > 0 ? due_ns : now_ns;

        if (from_ns - now_ns > burst_ns)
            return 1;
        if (__sync_val_compare_and_swap(&rate->due_ns, due_ns, from_ns + interval_ns) == due_ns)
            return 0;
    }
    /* others were faster each time: charge first and ask then, so that not one frame too many passes */
    return (__s64)(__sync_fetch_and_add(&rate->due_ns, interval_ns) - now_ns) > (__s64)burst_ns;
}

static __always_inline int over_rates(const struct packet *p, const struct steer_config *config, __u32 flags)
{
    if ((flags & STEER_LIMIT_SOURCE) && rate_over(p, &config->limit[STEER_RATE_SOURCE], STEER_RATE_SOURCE, 0))
        return STEER_RATE_DROP;
    if (!(p->facts & PACKET_PORTS) || p->proto != IPPROTO_TCP ||
        (p->tcp_flags & (TCP_SYN | TCP_ACK)) != TCP_SYN)
        return GUARD_PASS;
    if ((flags & STEER_LIMIT_SYN_SRC) &&
        rate_over(p, &config->limit[STEER_RATE_SYN_SRC], STEER_RATE_SYN_SRC, 0))
        return STEER_SYN_SRC_DROP;
    if ((flags & STEER_LIMIT_SYN_DST) &&
        rate_over(p, &config->limit[STEER_RATE_SYN_DST], STEER_RATE_SYN_DST, 1))
        return STEER_SYN_DST_DROP;
    return GUARD_PASS;
}

/* The exit counter of what drops the packet, or GUARD_PASS. */
__noinline int guard(struct packet *p, const struct steer_config *config)
{
    if (!p || !config)
        return GUARD_PASS;
    __u32 flags = READ_ONCE(config->flags);
    __u8 version = p->version;

    if (version && (flags & STEER_HAS_ALLOWS) &&
        (listed_end(&allow_src_v4, &allow_src_v6, p->addr[0], version) ||
         listed_end(&allow_dst_v4, &allow_dst_v6, p->addr[1], version))) {
        p->facts |= PACKET_ALLOWED;
        return GUARD_PASS;
    }
    if ((flags & STEER_DROP_BROKEN) && (p->facts & PACKET_BROKEN))
        return STEER_BROKEN_DROP;
    if (!version)
        return GUARD_PASS;
    if (flags & STEER_HAS_BLOCKS) {
        if (listed_end(&block_src_v4, &block_src_v6, p->addr[0], version))
            return STEER_BLOCKED_SRC;
        if (listed_end(&block_dst_v4, &block_dst_v6, p->addr[1], version))
            return STEER_BLOCKED_DST;
    }
    if ((flags & STEER_HAS_SOURCES) &&
        flow_settle(p, config, source_tag(p, config), SETTLES(STEER_KIND_SOURCE)))
        return STEER_BLOCKED_TIME;
    return over_rates(p, config, flags);
}
#endif
