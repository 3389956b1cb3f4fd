/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What was changed on an interface, packed so that it outlives the process: the bridge keeps it in a pinned map (steer_was,
 * bpf/shared.h), since a daemon that is killed puts nothing back, and the next one would take promiscuous mode and the
 * missing offloads for the interface's own.
 *
 * One fixed head, then the NIC's former RSS settings as the driver gave them, where they were changed. A table too big for
 * the map is left out: then the RSS key and table stay as they are, and the log says so once. What is read back is checked
 * as if a stranger had written it. Control thread; owns nothing.
 */
#include <stdlib.h>
#include <string.h>
#include "ips/base/log.h"
#include "ips/io/nic_parts.h"

struct head {
    uint32_t ifindex, rss_bytes;
    uint8_t channels_changed, rss_changed, promisc_changed, up_changed;
    uint8_t offloads_changed[OFFLOAD_N];
    struct channels channels_was;
    uint64_t fields_was[RSS_KINDS];
};
_Static_assert(sizeof(struct head) < STEER_WAS_BYTES, "room for RSS behind it");

static size_t rss_bytes(const struct ethtool_rxfh *r)
{
    return sizeof(*r) + (size_t)r->indir_size * sizeof(uint32_t) + r->key_size;
}

void nic_pack(const struct nic *n, struct steer_was *out)
{
    struct head h = {.ifindex = n->info.ifindex,
                     .channels_changed = n->channels_changed,
                     .promisc_changed = n->promisc_changed,
                     .up_changed = n->up_changed,
                     .channels_was = n->channels_was};
    bool rss = n->rss_changed && n->rss_was;

    if (rss && rss_bytes(n->rss_was) > STEER_WAS_BYTES - sizeof(h)) {
        log_notice("io",
                   "the RSS table of %s is too big to be remembered over a crash; `ethtool -X %s default` "
                   "puts it back",
                   n->ifname, n->ifname);
        rss = false;
    }
    for (int i = 0; i < OFFLOAD_N; i++)
        h.offloads_changed[i] = n->offloads_changed[i];
    memcpy(h.fields_was, n->fields_was, sizeof(h.fields_was));
    h.rss_changed = rss;
    h.rss_bytes = rss ? (uint32_t)rss_bytes(n->rss_was) : 0;
    memset(out, 0, sizeof(*out));
    out->version = STEER_WAS_VERSION;
    out->bytes = (uint32_t)sizeof(h) + h.rss_bytes;
    memcpy(out->data, &h, sizeof(h));
    if (rss)
        memcpy(out->data + sizeof(h), n->rss_was, h.rss_bytes);
}

static bool read_head(const struct steer_was *was, struct head *h)
{
    if (was->version != STEER_WAS_VERSION || was->bytes < sizeof(*h) || was->bytes > sizeof(was->data))
        return false;
    memcpy(h, was->data, sizeof(*h));
    return h->rss_bytes == was->bytes - sizeof(*h);
}

uint32_t nic_packed_ifindex(const struct steer_was *was)
{
    struct head h;

    return read_head(was, &h) ? h.ifindex : 0;
}

static struct ethtool_rxfh *read_rss(const struct steer_was *was, const struct head *h)
{
    struct ethtool_rxfh *r;

    if (h->rss_bytes < sizeof(*r))
        return NULL;
    r = malloc(h->rss_bytes);
    if (r)
        memcpy(r, was->data + sizeof(*h), h->rss_bytes);
    if (r && rss_bytes(r) == h->rss_bytes)
        return r;
    free(r);
    return NULL;
}

bool nic_unpack(struct nic *n, const struct steer_was *was)
{
    struct head h;

    if (!read_head(was, &h) || h.ifindex != n->info.ifindex)
        return false;
    n->channels_changed = h.channels_changed;
    n->channels_was = h.channels_was;
    n->promisc_changed = h.promisc_changed;
    n->up_changed = h.up_changed;
    for (int i = 0; i < OFFLOAD_N; i++)
        n->offloads_changed[i] = h.offloads_changed[i];
    if (h.rss_changed) {
        n->rss_was = read_rss(was, &h);
        n->rss_changed = n->rss_was != NULL;
        memcpy(n->fields_was, h.fields_was, sizeof(n->fields_was));
    }
    return true;
}
