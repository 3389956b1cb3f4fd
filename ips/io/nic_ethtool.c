/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ethtool over generic netlink: the offloads and the number of queues of an interface. Owns nothing; the
 * table of offloads is here. Control thread only.
 *
 * Offloads go by name, as bit sets with names, so that neither the kernel's numbering nor an offload that
 * this kernel does not know matters. Source: Documentation/networking/ethtool-netlink.rst.
 */
#include <errno.h>
#include <linux/ethtool_netlink.h>
#include <linux/genetlink.h>
#include <string.h>
#include "ips/io/nic_parts.h"

/*
 * Merging: XDP runs below GRO in native mode and above nothing in generic mode, where a merged frame would be
 * one buffer of up to 64 kB. rx-gro on a veth also decides whether its peer may be redirected to, but the
 * kernel asks the receiving end for that: veth_xdp_xmit() on A wants NAPI (GRO or an XDP program) on A's
 * peer. So GRO off here takes nothing from a redirect out of this interface, and our own program keeps NAPI
 * on for redirects into it. Stripping: the tag would arrive beside the frame, where AF_XDP has no place for
 * it. igb ties tx insertion to rx. rx-vlan-filter stays as it is: promiscuous mode lifts it.
 */
const char *const offload_names[OFFLOAD_N] = {
    "rx-gro",
    "rx-lro",
    "rx-gro-hw",
    "rx-gro-list",
    "rx-udp-gro-forwarding",
    "rx-vlan-hw-parse",
    "tx-vlan-hw-insert",
    "rx-vlan-stag-hw-parse",
    "tx-vlan-stag-hw-insert",
};

#define REQUEST_BYTES 2048 /* a header and OFFLOAD_N names need about 500 */

/* Every ethtool request starts with a nest that names the interface; the three requests number it alike. */
static struct nlmsghdr *put_request(const struct nl *nl, char *buf, uint8_t cmd, uint32_t ifindex)
{
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
    struct genlmsghdr *genl;

    _Static_assert((int)ETHTOOL_A_FEATURES_HEADER == (int)ETHTOOL_A_CHANNELS_HEADER,
                   "the header is attribute 1");
    nlh->nlmsg_type = nl->family;
    genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
    genl->cmd = cmd;
    genl->version = ETHTOOL_GENL_VERSION;
    struct nlattr *header = mnl_attr_nest_start(nlh, ETHTOOL_A_FEATURES_HEADER);
    mnl_attr_put_u32(nlh, ETHTOOL_A_HEADER_DEV_INDEX, ifindex);
    mnl_attr_nest_end(nlh, header);
    return nlh;
}

/* --- offloads --- */

/* The features in effect come as a list of the bits that are set, each with its name. */
static int on_features(const struct nlmsghdr *nlh, void *arg)
{
    const struct nlattr *set, *list, *bit, *attr;
    bool *on = arg;

    mnl_attr_for_each(set, nlh, sizeof(struct genlmsghdr))
    {
        if (mnl_attr_get_type(set) != ETHTOOL_A_FEATURES_ACTIVE)
            continue;
        mnl_attr_for_each_nested(list, set)
        {
            if (mnl_attr_get_type(list) != ETHTOOL_A_BITSET_BITS)
                continue;
            mnl_attr_for_each_nested(bit, list)
            {
                mnl_attr_for_each_nested(attr, bit)
                {
                    if (mnl_attr_get_type(attr) != ETHTOOL_A_BITSET_BIT_NAME ||
                        mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) != 0)
                        continue;
                    for (int i = 0; i < OFFLOAD_N; i++)
                        on[i] |= strcmp(mnl_attr_get_str(attr), offload_names[i]) == 0;
                }
            }
        }
    }
    return MNL_CB_OK;
}

int offloads_read(struct nl *nl, uint32_t ifindex, bool on[OFFLOAD_N])
{
    char buf[REQUEST_BYTES];

    memset(on, 0, OFFLOAD_N * sizeof(on[0]));
    return nl_talk(nl, put_request(nl, buf, ETHTOOL_MSG_FEATURES_GET, ifindex), on_features, on);
}

int offloads_set(struct nl *nl, uint32_t ifindex, const bool mask[OFFLOAD_N], bool on)
{
    char buf[REQUEST_BYTES];
    struct nlmsghdr *nlh = put_request(nl, buf, ETHTOOL_MSG_FEATURES_SET, ifindex);
    struct nlattr *wanted = mnl_attr_nest_start(nlh, ETHTOOL_A_FEATURES_WANTED);
    struct nlattr *bits = mnl_attr_nest_start(nlh, ETHTOOL_A_BITSET_BITS);

    for (int i = 0; i < OFFLOAD_N; i++) {
        if (!mask[i])
            continue;
        struct nlattr *bit = mnl_attr_nest_start(nlh, ETHTOOL_A_BITSET_BITS_BIT);
        mnl_attr_put_strz(nlh, ETHTOOL_A_BITSET_BIT_NAME, offload_names[i]);
        if (on)
            mnl_attr_put(nlh, ETHTOOL_A_BITSET_BIT_VALUE, 0, NULL);
        mnl_attr_nest_end(nlh, bit);
    }
    mnl_attr_nest_end(nlh, bits);
    mnl_attr_nest_end(nlh, wanted);
    return nl_talk(nl, nlh, NULL, NULL);
}

/* --- queues --- */

static const struct {
    uint16_t attr;
    size_t offset; /* of the uint32_t in struct channels */
} channel_words[] = {
    {ETHTOOL_A_CHANNELS_RX_MAX, offsetof(struct channels, rx_max)},
    {ETHTOOL_A_CHANNELS_TX_MAX, offsetof(struct channels, tx_max)},
    {ETHTOOL_A_CHANNELS_COMBINED_MAX, offsetof(struct channels, combined_max)},
    {ETHTOOL_A_CHANNELS_RX_COUNT, offsetof(struct channels, rx)},
    {ETHTOOL_A_CHANNELS_TX_COUNT, offsetof(struct channels, tx)},
    {ETHTOOL_A_CHANNELS_COMBINED_COUNT, offsetof(struct channels, combined)},
};
#define CHANNEL_WORDS (sizeof(channel_words) / sizeof(channel_words[0]))

static int on_channel_attr(const struct nlattr *attr, void *arg)
{
    for (size_t i = 0; i < CHANNEL_WORDS; i++)
        if (mnl_attr_get_type(attr) == channel_words[i].attr && mnl_attr_validate(attr, MNL_TYPE_U32) == 0)
            *(uint32_t *)((char *)arg + channel_words[i].offset) = mnl_attr_get_u32(attr);
    return MNL_CB_OK;
}

static int on_channels(const struct nlmsghdr *nlh, void *arg)
{
    return mnl_attr_parse(nlh, sizeof(struct genlmsghdr), on_channel_attr, arg);
}

int channels_read(struct nl *nl, uint32_t ifindex, struct channels *out)
{
    char buf[REQUEST_BYTES];

    *out = (struct channels){0};
    return nl_talk(nl, put_request(nl, buf, ETHTOOL_MSG_CHANNELS_GET, ifindex), on_channels, out);
}

/* Only what differs: a driver without combined queues refuses the very word. */
int channels_set(struct nl *nl, uint32_t ifindex, const struct channels *now, const struct channels *want)
{
    char buf[REQUEST_BYTES];
    struct nlmsghdr *nlh = put_request(nl, buf, ETHTOOL_MSG_CHANNELS_SET, ifindex);

    if (want->rx != now->rx)
        mnl_attr_put_u32(nlh, ETHTOOL_A_CHANNELS_RX_COUNT, want->rx);
    if (want->tx != now->tx)
        mnl_attr_put_u32(nlh, ETHTOOL_A_CHANNELS_TX_COUNT, want->tx);
    if (want->combined != now->combined)
        mnl_attr_put_u32(nlh, ETHTOOL_A_CHANNELS_COMBINED_COUNT, want->combined);
    return nl_talk(nl, nlh, NULL, NULL);
}

struct channels channels_for(const struct channels *now, uint32_t n)
{
    struct channels want = *now;
    bool combined = now->combined_max >= n;

    want.combined = combined ? n : 0;
    want.rx = combined ? 0 : n;
    want.tx = combined ? 0 : n;
    return want;
}
