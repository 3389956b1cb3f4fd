/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef SLUICE_BPF_PARSE_H
#define SLUICE_BPF_PARSE_H
/*
 * A cursor over the frame and one reader per header. A reader returns the header and moves the cursor behind
 * it, or returns NULL and leaves the cursor where it is when the frame ends first. What comes next is told in
 * a type of its own: an ethertype is a struct, so that it cannot be compared with a protocol number by
 * mistake.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* Of the next loop: ten rounds of it written out are no faster and longer to verify. (The tests compile with gcc.) */
#ifdef __clang__
#define NO_UNROLL _Pragma("clang loop unroll(disable)")
#else
#define NO_UNROLL
#endif

struct cursor {
    const void *pos;
    const void *end; /* behind the last byte */
};

struct ethertype {
    __u16 be; /* as on the wire */
};

struct vlan_tag { /* what follows the tag's own ethertype */
    __u16 control_be;
    __u16 ethertype_be;
};

static __always_inline struct cursor cursor_of(const struct xdp_md *ctx)
{
    return (struct cursor){.pos = (const void *)(long)ctx->data, .end = (const void *)(long)ctx->data_end};
}

/* A macro, so that the pointer compared with the end is the very one that is read: the verifier wants that.
 */
#define READ_HEADER(c, type)                   \
    ({                                         \
        const type *h_ = (c)->pos;             \
        if ((const void *)(h_ + 1) > (c)->end) \
            h_ = (void *)0;                    \
        else                                   \
            (c)->pos = h_ + 1;                 \
        h_;                                    \
    })

static __always_inline const struct ethhdr *read_ethernet(struct cursor *c, struct ethertype *next)
{
    const struct ethhdr *h = READ_HEADER(c, struct ethhdr);
    if (h)
        next->be = h->h_proto;
    return h;
}

static __always_inline const struct vlan_tag *read_vlan(struct cursor *c, struct ethertype *next)
{
    const struct vlan_tag *h = READ_HEADER(c, struct vlan_tag);
    if (h)
        next->be = h->ethertype_be;
    return h;
}

static __always_inline const struct iphdr *read_ipv4(struct cursor *c)
{
    return READ_HEADER(c, struct iphdr);
}

static __always_inline const struct ipv6hdr *read_ipv6(struct cursor *c)
{
    return READ_HEADER(c, struct ipv6hdr);
}

static __always_inline int ethertype_is(struct ethertype t, __u16 host)
{
    return t.be == bpf_htons(host);
}

/* 802.1Q and 802.1ad tags; older QinQ switches put 0x8100 or 0x9100 outside. */
static __always_inline int ethertype_is_vlan(struct ethertype t)
{
    return ethertype_is(t, ETH_P_8021Q) || ethertype_is(t, ETH_P_8021AD) || ethertype_is(t, ETH_P_QINQ1);
}
#endif
