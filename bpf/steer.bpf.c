/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The steering program: runs in the kernel on every frame that arrives at either interface of a bridge,
 * before the host's network stack sees it, and decides which way the frame goes:
 *
 *   interface not of this bridge      -> the host, untouched
 *   source or destination is blocked  -> dropped here, before it costs a worker anything
 *   a socket waits behind the queue   -> that socket: the worker of the queue inspects the frame
 *   no socket (daemon gone or not up) -> fail policy: open = out of the other interface, closed = dropped
 *
 * It never changes a byte. A frame it cannot read (short, unknown ethertype, four tags, labels) is steered all the
 * same: what is to happen with it is the workers' decision. It owns nothing; bpf/maps.h says who writes which
 * map. It promises that every frame leaves through leave(), which counts it once, so that the exit counters
 * of a port add up to the frames that came in on it. Loads on kernels 6.1 and later; no loop, no call but map
 * helpers.
 */
#include "bpf/maps.h"
#include "bpf/parse.h"

/* The number of tags that are looked behind; the decoder of the workers stops at the same depth. */
#define TAGS_MAX 3

enum blocked { BLOCKED_NOT, BLOCKED_BY_SRC, BLOCKED_BY_DST };

static __always_inline int leave(__u32 port, enum steer_counter counter, enum xdp_action action)
{
    __u32 key = port * STEER_CTR_N + counter;
    __u64 *frames = bpf_map_lookup_elem(&steer_counters, &key);
    if (frames)
        *frames += 1; /* per CPU */
    return action;
}

static __always_inline void saw(__u32 port, enum steer_parse kind)
{
    __u32 key = port * STEER_PARSE_N + kind;
    __u64 *frames = bpf_map_lookup_elem(&steer_parse, &key);
    if (frames)
        *frames += 1; /* per CPU */
}

/* True, and counted on the entry, when the trie holds a prefix of the address. */
static __always_inline int listed(void *trie, const void *key)
{
    struct steer_block *entry = bpf_map_lookup_elem(trie, key);
    if (!entry)
        return 0;
    __sync_fetch_and_add(&entry->frames, 1);
    return 1;
}

static __always_inline enum blocked blocked_v4(const struct iphdr *ip)
{
    struct steer_prefix_v4 key = {.prefixlen = 32};

    __builtin_memcpy(key.addr, &ip->saddr, sizeof(key.addr));
    if (listed(&block_src_v4, &key))
        return BLOCKED_BY_SRC;
    __builtin_memcpy(key.addr, &ip->daddr, sizeof(key.addr));
    return listed(&block_dst_v4, &key) ? BLOCKED_BY_DST : BLOCKED_NOT;
}

static __always_inline enum blocked blocked_v6(const struct ipv6hdr *ip)
{
    struct steer_prefix_v6 key = {.prefixlen = 128};

    __builtin_memcpy(key.addr, &ip->saddr, sizeof(key.addr));
    if (listed(&block_src_v6, &key))
        return BLOCKED_BY_SRC;
    __builtin_memcpy(key.addr, &ip->daddr, sizeof(key.addr));
    return listed(&block_dst_v6, &key) ? BLOCKED_BY_DST : BLOCKED_NOT;
}

/* Reads as far as the addresses, counts what it saw, and asks the block lists when there is anything on them.
 */
static __always_inline enum blocked classify(struct cursor c, __u32 port, const struct steer_config *config)
{
    const struct ipv6hdr *ip6;
    const struct iphdr *ip4;
    struct ethertype type;

    if (!read_ethernet(&c, &type))
        goto too_short;
    for (int i = 0; i < TAGS_MAX && ethertype_is_vlan(type); i++) {
        if (!read_vlan(&c, &type))
            goto too_short;
        if (i == 0)
            saw(port, STEER_PARSE_VLAN);
    }

    if (ethertype_is(type, ETH_P_IP)) {
        ip4 = read_ipv4(&c);
        if (!ip4)
            goto too_short;
        if (ip4->version != 4)
            goto other;
        saw(port, STEER_PARSE_IPV4);
        return (config->flags & STEER_HAS_BLOCKS) ? blocked_v4(ip4) : BLOCKED_NOT;
    }
    if (ethertype_is(type, ETH_P_IPV6)) {
        ip6 = read_ipv6(&c);
        if (!ip6)
            goto too_short;
        if (ip6->version != 6)
            goto other;
        saw(port, STEER_PARSE_IPV6);
        return (config->flags & STEER_HAS_BLOCKS) ? blocked_v6(ip6) : BLOCKED_NOT;
    }
other:
    saw(port, STEER_PARSE_OTHER);
    return BLOCKED_NOT;
too_short:
    saw(port, STEER_PARSE_SHORT);
    return BLOCKED_NOT;
}

/* There is no socket behind the queue. XDP_PASS would give the frame to this host's stack and not to the
 * other interface, so failing open is a redirect too; with the other interface gone there is no way left but
 * to drop. */
static __always_inline int fail(__u32 port, const struct steer_config *config)
{
    if (config->fail_policy == STEER_FAIL_OPEN &&
        bpf_redirect_map(&peer, STEER_PORTS - 1 - port, XDP_DROP) == XDP_REDIRECT)
        return leave(port, STEER_FAIL_OPENED, XDP_REDIRECT);
    return leave(port, STEER_FAIL_CLOSED_DROP, XDP_DROP);
}

SEC("xdp")
int steer(struct xdp_md *ctx)
{
    const struct steer_config *config;
    __u32 port, queue = ctx->rx_queue_index, zero = 0;

    config = bpf_map_lookup_elem(&steer_config, &zero);
    if (config && ctx->ingress_ifindex == config->ifindex[0])
        port = 0;
    else if (config && ctx->ingress_ifindex == config->ifindex[1])
        port = 1;
    else
        return leave(0, STEER_UNKNOWN_PORT, XDP_PASS);

    switch (classify(cursor_of(ctx), port, config)) {
    case BLOCKED_BY_SRC:
        return leave(port, STEER_BLOCKED_SRC, XDP_DROP);
    case BLOCKED_BY_DST:
        return leave(port, STEER_BLOCKED_DST, XDP_DROP);
    case BLOCKED_NOT:
        break;
    }
    /* The flags are what the helper returns for an empty slot, so one lookup answers both questions. */
    if (queue < STEER_QUEUES_MAX &&
        bpf_redirect_map(&xsks, STEER_XSK_SLOT(port, queue), XDP_DROP) == XDP_REDIRECT)
        return leave(port, STEER_TO_WORKER, XDP_REDIRECT);
    return fail(port, config);
}

char _license[] SEC("license") = "Dual BSD/GPL";
