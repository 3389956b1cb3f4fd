/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One netlink request and everything the kernel answers to it, through libmnl. Owns the socket in struct nl
 * and the words the kernel added to its last refusal (extended acknowledgement), which are worth more to the
 * operator than the bare errno. Control thread only. Promises that a socket is drained after each request,
 * refused or not, so that an answer is never taken for that of the next request.
 */
#include <errno.h>
#include <linux/ethtool_netlink.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include "ips/io/nic_parts.h"

#define ANSWER_BYTES 32768 /* a link with all its attributes and a full ethtool bitset are a few kB */

/* One multicast group of the family: an id and a name, in any order. */
static void take_group(const struct nlattr *group, struct nl *nl)
{
    const struct nlattr *attr;
    const char *name = "";
    uint32_t id = 0;

    mnl_attr_for_each_nested(attr, group)
    {
        if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GRP_ID)
            id = mnl_attr_get_u32(attr);
        else if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GRP_NAME)
            name = mnl_attr_get_str(attr);
    }
    if (strcmp(name, ETHTOOL_MCGRP_MONITOR_NAME) == 0)
        nl->monitor_group = id;
}

static int on_family_attr(const struct nlattr *attr, void *arg)
{
    const struct nlattr *group;
    struct nl *nl = arg;

    if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID)
        nl->family = mnl_attr_get_u16(attr);
    if (mnl_attr_get_type(attr) != CTRL_ATTR_MCAST_GROUPS)
        return MNL_CB_OK;
    mnl_attr_for_each_nested(group, attr)
    {
        take_group(group, nl);
    }
    return MNL_CB_OK;
}

static int on_family(const struct nlmsghdr *nlh, void *arg)
{
    return mnl_attr_parse(nlh, sizeof(struct genlmsghdr), on_family_attr, arg);
}

static int lookup_ethtool(struct nl *nl, struct err *e)
{
    char buf[256];
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
    struct genlmsghdr *genl;

    nlh->nlmsg_type = GENL_ID_CTRL;
    genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
    genl->cmd = CTRL_CMD_GETFAMILY;
    genl->version = 1;
    mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, ETHTOOL_GENL_NAME);
    int code = nl_talk(nl, nlh, on_family, nl);
    if (code == 0 && nl->family != 0)
        return 0;
    code = code ? code : -ENOENT;
    err_sys(e, code, "this kernel has no ethtool over netlink");
    err_remedy(e, "run a kernel built with CONFIG_ETHTOOL_NETLINK=y, such as Debian's, 6.1 or later");
    return code;
}

int nl_open(struct nl *nl, int bus, struct err *e)
{
    int one = 1;

    *nl = (struct nl){.seq = 0};
    nl->socket = mnl_socket_open2(bus, SOCK_CLOEXEC);
    if (!nl->socket || mnl_socket_bind(nl->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
        int code = err_sys(e, -errno, "cannot open a netlink socket");
        nl_close(nl);
        return code;
    }
    /* for the words beside a refusal; every kernel since 4.12 has them, and without them nothing else is lost
     */
    (void)mnl_socket_setsockopt(nl->socket, NETLINK_EXT_ACK, &one, sizeof(one));
    int code = bus == NETLINK_GENERIC ? lookup_ethtool(nl, e) : 0;
    if (code != 0)
        nl_close(nl);
    return code;
}

void nl_close(struct nl *nl)
{
    if (nl->socket)
        mnl_socket_close(nl->socket);
    nl->socket = NULL;
}

static int on_ack_attr(const struct nlattr *attr, void *arg)
{
    struct nl *nl = arg;

    if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG && mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0)
        snprintf(nl->why, sizeof(nl->why), "%s", mnl_attr_get_str(attr));
    return MNL_CB_OK;
}

/* The acknowledgement that ends the conversation: error 0 or -errno, then a copy of the request's header (and
 * of its payload, unless NLM_F_CAPPED), then attributes with the kernel's words. */
static int take_ack(struct nl *nl, const struct nlmsghdr *nlh)
{
    const struct nlmsgerr *ack = mnl_nlmsg_get_payload(nlh);
    size_t len = sizeof(*ack);

    if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*ack))
        return -EBADMSG;
    if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
        len += ack->msg.nlmsg_len - sizeof(struct nlmsghdr);
    if ((nlh->nlmsg_flags & NLM_F_ACK_TLVS) && mnl_nlmsg_get_payload_len(nlh) > len)
        mnl_attr_parse(nlh, (unsigned)len, on_ack_attr, nl);
    return ack->error;
}

int nl_talk(struct nl *nl, struct nlmsghdr *nlh, mnl_cb_t fn, void *arg)
{
    int code = 0;
    char *buf = malloc(ANSWER_BYTES);

    if (!buf)
        return -ENOMEM;
    nl->why[0] = '\0';
    nlh->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
    nlh->nlmsg_seq = ++nl->seq;
    if (mnl_socket_sendto(nl->socket, nlh, nlh->nlmsg_len) < 0) {
        code = -errno;
        goto out;
    }
    for (;;) {
        ssize_t got = mnl_socket_recvfrom(nl->socket, buf, ANSWER_BYTES);
        int len = (int)got;

        if (got < 0) {
            code = -errno;
            goto out;
        }
        for (const struct nlmsghdr *m = (void *)buf; mnl_nlmsg_ok(m, len); m = mnl_nlmsg_next(m, &len)) {
            if (m->nlmsg_seq != nl->seq)
                continue;
            if (m->nlmsg_type == NLMSG_ERROR) {
                int ack = take_ack(nl, m);
                code = ack ? ack : code;
                goto out;
            }
            if (m->nlmsg_type >= NLMSG_MIN_TYPE && fn && fn(m, arg) == MNL_CB_ERROR)
                code = -EBADMSG;
        }
    }
out:
    free(buf);
    return code;
}

int nl_err(const struct nl *nl, struct err *e, int code, const char *what, const char *ifname)
{
    err_sys(e, code, "cannot %s %s%s%s%s", what, ifname, nl->why[0] ? " (" : "", nl->why,
            nl->why[0] ? ")" : "");
    if (code == -EPERM)
        err_remedy(e, "run ipsd as root, or with CAP_NET_ADMIN");
    return code;
}
