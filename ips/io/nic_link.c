/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What rtnetlink knows of an interface: index, type, MTU, flags, carrier, missed frames; and the two flags
 * that a bridge sets, IFF_UP and IFF_PROMISC. Owns nothing. Control thread only.
 *
 * Promiscuous mode is set as the interface's flag, not as a packet socket's membership: a membership ends
 * with the process, and the kernel side of a bridge goes on without it (fail-open), when frames for other
 * hosts' addresses must still come in.
 */
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include "ips/io/nic_parts.h"

static int on_link_attr(const struct nlattr *attr, void *arg)
{
    struct link *l = arg;

    switch (mnl_attr_get_type(attr)) {
    case IFLA_MTU:
        l->mtu = mnl_attr_get_u32(attr);
        break;
    case IFLA_NUM_RX_QUEUES:
        l->n_rx_queues = mnl_attr_get_u32(attr);
        break;
    case IFLA_CARRIER:
        l->carrier = mnl_attr_get_u8(attr) != 0;
        break;
    case IFLA_IFNAME:
        snprintf(l->ifname, sizeof(l->ifname), "%s", mnl_attr_get_str(attr));
        break;
    case IFLA_CARRIER_CHANGES:
        l->carrier_changes = mnl_attr_get_u32(attr);
        break;
    case IFLA_STATS64:
        if (mnl_attr_get_payload_len(attr) >= offsetof(struct rtnl_link_stats64, rx_missed_errors) + 8)
            memcpy(&l->rx_missed,
                   (const char *)mnl_attr_get_payload(attr) +
                       offsetof(struct rtnl_link_stats64, rx_missed_errors),
                   sizeof(l->rx_missed));
        break;
    }
    return MNL_CB_OK;
}

static int on_link(const struct nlmsghdr *nlh, void *arg)
{
    const struct ifinfomsg *info = mnl_nlmsg_get_payload(nlh);
    struct link *l = arg;

    if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*info))
        return MNL_CB_ERROR;
    l->ifindex = (uint32_t)info->ifi_index;
    l->type = info->ifi_type;
    l->flags = info->ifi_flags;
    return mnl_attr_parse(nlh, sizeof(*info), on_link_attr, l);
}

static struct nlmsghdr *put_ifinfo(char *buf, uint16_t type, uint32_t ifindex, struct ifinfomsg **info)
{
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

    nlh->nlmsg_type = type;
    *info = mnl_nlmsg_put_extra_header(nlh, sizeof(**info));
    (*info)->ifi_family = AF_UNSPEC;
    (*info)->ifi_index = (int)ifindex;
    return nlh;
}

int link_read(struct nl *nl, const char *ifname, uint32_t ifindex, struct link *out)
{
    char buf[256];
    struct ifinfomsg *info;
    struct nlmsghdr *nlh = put_ifinfo(buf, RTM_GETLINK, ifindex, &info);

    if (ifname && strlen(ifname) >= IFNAMSIZ)
        return -ENODEV;
    if (ifname)
        mnl_attr_put_strz(nlh, IFLA_IFNAME, ifname);
    *out = (struct link){.n_rx_queues = 1};
    int code = nl_talk(nl, nlh, on_link, out);
    return code == 0 && out->ifindex == 0 ? -ENODEV : code;
}

int link_set_flag(struct nl *nl, uint32_t ifindex, uint32_t flag, bool on)
{
    char buf[256];
    struct ifinfomsg *info;
    struct nlmsghdr *nlh = put_ifinfo(buf, RTM_NEWLINK, ifindex, &info);

    info->ifi_change = flag;
    info->ifi_flags = on ? flag : 0;
    return nl_talk(nl, nlh, NULL, NULL);
}
