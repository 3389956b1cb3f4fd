/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef SLUICE_BPF_FLOWS_H
#define SLUICE_BPF_FLOWS_H
/*
 * The verdict cache, read side: what workers decided about the flow, or the source, of a frame. An entry that settles a
 * frame is charged with it. A worker may give a way to another flow while it is read here: the tag is the last thing it
 * writes and the first it takes away, so an entry whose tag is the same after the reading as before was read whole.
 */
#include "bpf/maps.h"
#include "bpf/packet.h"
#include "bpf/tag.h"

#define NS_PER_MS         1000000ull
#define READ_ONCE(x)      (*(const volatile typeof(x) *)&(x))
#define SETTLES(kind)     (1u << (kind))
#define SETTLES_MASK_BITS 32

/* The tag of the frame's flow, or 0: it has none that user space could mean. */
__noinline __u64 flow_tag(const struct packet *p, const struct steer_config *config)
{
    struct steer_key key = {};

    if (!p || !config || !packet_key(p, &key))
        return 0;
    return steer_tag(&key, config->key);
}

__noinline __u64 source_tag(const struct packet *p, const struct steer_config *config)
{
    struct steer_key key = {};

    if (!p || !config)
        return 0;
    __builtin_memcpy(key.addr[0], p->addr[0], sizeof(key.addr[0]));
    key.version = p->version;
    return steer_tag(&key, config->key);
}

/* Its kind while it holds, 0 when its time is over. */
static __always_inline __u32 kind_now(const struct steer_flow *f, const struct packet *p, __u64 now_ns)
{
    __u64 last_ns = READ_ONCE(f->last_ns), expires_ns = READ_ONCE(f->expires_ns);
    __u32 kind = READ_ONCE(f->kind);

    if (kind == STEER_KIND_KNOWN && (__s64)(p->beat_ns - last_ns) > 0)
        last_ns = p->beat_ns; /* the worker noted no single frame, but it was there to see them */
    if ((__s64)(now_ns - last_ns) > (__s64)(READ_ONCE(f->idle_ms) * NS_PER_MS))
        return 0;
    return expires_ns && now_ns >= expires_ns ? 0 : kind;
}

static __always_inline __u32 settle(struct steer_flow *f, const struct packet *p, __u64 tag, __u32 settles)
{
    __u64 now_ns = bpf_ktime_get_coarse_ns();
    __u32 kind = kind_now(f, p, now_ns);

    if (kind > STEER_KIND_SOURCE || !(settles & SETTLES(kind)))
        return 0;
    if (__sync_val_compare_and_swap(&f->tag, tag, tag) != tag) /* a barrier too: what was read came before */
        return 0;
    f->last_ns = now_ns;
    if (kind != STEER_KIND_SOURCE && packet_end(p)) {
        __sync_fetch_and_add(&f->pkts[1], 1);
        __sync_fetch_and_add(&f->bytes[1], p->bytes);
    } else {
        __sync_fetch_and_add(&f->pkts[0], 1);
        __sync_fetch_and_add(&f->bytes[0], p->bytes);
    }
    return kind;
}

/* enum steer_kind of the entry with this tag, charged with the frame; 0 when there is none, when its time is over, or when
 * its kind is none of those in `settles`, a set of SETTLES(kind). */
__noinline __u32 flow_settle(const struct packet *p, const struct steer_config *config, __u64 tag,
                             __u32 settles)
{
    struct steer_flow *found = (void *)0;
    struct steer_bucket *bucket;
    __u32 index;

    if (!p || !config || !tag || !config->flow_buckets)
        return 0;
    index = (__u32)tag & (config->flow_buckets - 1);
    bucket = bpf_map_lookup_elem(&steer_flows, &index);
    if (!bucket)
        return 0;
    for (int i = 0; i < STEER_WAYS; i++)
        if (READ_ONCE(bucket->way[i].tag) == tag) {
            found = &bucket->way[i];
            break;
        }
    return found ? settle(found, p, tag, settles) : 0;
}
#endif
