/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whom a drop blocks for a time (policy.yaml's `block`): the address goes into the verdict cache, and the steering program
 * drops what comes from it until the time is over; the next drop begins the time anew. What the allow list lets past the
 * guard is not looked up there. An address inside a tunnel is no sender of frames on this wire, and is left alone.
 *
 * Worker thread. Owns nothing.
 */
#include <string.h>

#include "ips/base/clock.h"
#include "ips/detect/detect_parts.h"
#include "ips/io/flowcache.h"

static bool is_destination(const struct packet *p, uint8_t side)
{
    bool to_client = p->flow && (p->flags & PKT_TO_CLIENT);

    switch (side) {
    case RULE_BLOCK_DST:
        return true;
    case RULE_BLOCK_CLIENT:
        return to_client;
    case RULE_BLOCK_SERVER:
        return !to_client;
    default:
        return false;
    }
}

void sources_block(struct detect *d, const struct rule_info *info)
{
    const struct packet *p = d->p;
    struct flowcache_verdict v = {.kind = STEER_KIND_SOURCE,
                                  .idle_ms = FLOWCACHE_NEVER_IDLE,
                                  .expires_ns = p->now_ns + info->block_s * NS_PER_S,
                                  .sid = info->sid,
                                  .why = FLOWCACHE_BY_RULE};
    struct flowcache_entry before;

    if (info->block_side == RULE_BLOCK_NOBODY || !d->sources || p->outer || !(p->flags & PKT_HAS_IP))
        return;
    bool destination = is_destination(p, info->block_side);
    const struct addr *a = destination ? &p->dst : &p->src;
    struct steer_key k = p->ip_version == 4 ? flowcache_source(0, a->b + 12) : flowcache_source(1, a->b);
    bool known = flowcache_get(d->sources, &k, p->now_ns, &before);
    if (known && before.verdict.expires_ns > v.expires_ns)
        return; /* for longer already */
    if (!flowcache_put(d->sources, &k, &v, p->now_ns))
        return;
    counter_add(d->c, CTR_SOURCES_BLOCKED, known ? 0 : 1);
    d->report.blocked_s = info->block_s;
    d->report.blocked_destination = destination;
}
