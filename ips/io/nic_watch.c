/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interfaces that change under a running daemon, as the kernel tells of them: rtnetlink's group for links, and the
 * group of ethtool where the number of queues is announced.
 *
 * A message says no more here than "look again": nothing in it is read, so nothing is lost when the socket overflows or
 * when messages come faster than they are taken, and the order of messages is nobody's business. Who waits then reads
 * the interfaces that matter to it, as they are now, and compares with what it knew. What changes without a message (a
 * BPF link detached by force, some drivers' queues) is found by the timeout.
 *
 * Owns four netlink sockets, two that listen and two that ask, and an eventfd that ends the sleep. One thread, but
 * for nic_watch_wake().
 */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include "ips/io/nic_parts.h"
#include "ips/io/nic_watch.h"

#define DRAIN_MAX 4096 /* messages thrown away at a time; what is left wakes the next wait at once */

struct nic_watch {
    struct nl route, ethtool;                     /* questions */
    struct mnl_socket *hear_route, *hear_ethtool; /* the second is NULL on kernels that announce nothing */
    int wake_fd;
};

static struct mnl_socket *listen_to(int bus, unsigned group, struct err *e)
{
    struct mnl_socket *s = mnl_socket_open2(bus, SOCK_CLOEXEC | SOCK_NONBLOCK);
    int id = (int)group;

    if (s && mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) == 0 &&
        mnl_socket_setsockopt(s, NETLINK_ADD_MEMBERSHIP, &id, sizeof(id)) == 0)
        return s;
    err_sys(e, -errno, "cannot listen to what happens to interfaces");
    if (s)
        mnl_socket_close(s);
    return NULL;
}

struct nic_watch *nic_watch_new(struct err *e)
{
    struct nic_watch *w = calloc(1, sizeof(*w));

    if (!w) {
        err_set(e, -ENOMEM, "no memory to watch interfaces");
        return NULL;
    }
    w->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (w->wake_fd < 0) {
        err_sys(e, -errno, "cannot make an eventfd");
        goto fail;
    }
    if (nl_open(&w->route, NETLINK_ROUTE, e) || nl_open(&w->ethtool, NETLINK_GENERIC, e))
        goto fail;
    w->hear_route = listen_to(NETLINK_ROUTE, RTNLGRP_LINK, e);
    if (!w->hear_route)
        goto fail;
    if (w->ethtool.monitor_group) {
        w->hear_ethtool = listen_to(NETLINK_GENERIC, w->ethtool.monitor_group, e);
        if (!w->hear_ethtool)
            goto fail;
    }
    return w;
fail:
    nic_watch_free(w);
    return NULL;
}

void nic_watch_free(struct nic_watch *w)
{
    if (!w)
        return;
    if (w->hear_ethtool)
        mnl_socket_close(w->hear_ethtool);
    if (w->hear_route)
        mnl_socket_close(w->hear_route);
    nl_close(&w->ethtool);
    nl_close(&w->route);
    if (w->wake_fd >= 0)
        close(w->wake_fd);
    free(w);
}

static void drain(struct mnl_socket *s)
{
    char byte;

    /* Datagrams are cut to one byte. ENOBUFS, messages were lost, is one more reason to look. */
    for (unsigned i = 0; s && i < DRAIN_MAX; i++)
        if (recv(mnl_socket_get_fd(s), &byte, 1, MSG_DONTWAIT) < 0 && errno != ENOBUFS && errno != EINTR)
            return;
}

void nic_watch_wait(struct nic_watch *w, int timeout_ms)
{
    struct pollfd fds[] = {
        {.fd = w->wake_fd, .events = POLLIN},
        {.fd = mnl_socket_get_fd(w->hear_route), .events = POLLIN},
        {.fd = w->hear_ethtool ? mnl_socket_get_fd(w->hear_ethtool) : -1, .events = POLLIN},
    };
    uint64_t woken;

    if (poll(fds, sizeof(fds) / sizeof(fds[0]), timeout_ms) <= 0)
        return; /* the time is over; EINTR means look, too */
    if (fds[0].revents && read(w->wake_fd, &woken, sizeof(woken)) < 0)
        return; /* somebody else's wake-up was taken: there is none */
    if (fds[1].revents)
        drain(w->hear_route);
    if (fds[2].revents)
        drain(w->hear_ethtool);
}

void nic_watch_wake(struct nic_watch *w)
{
    uint64_t one = 1;

    if (write(w->wake_fd, &one, sizeof(one)) < 0)
        return; /* full: it is awake already */
}

int nic_watch_read(struct nic_watch *w, const char *ifname, uint32_t ifindex, struct nic_facts *out)
{
    struct channels c;
    struct link l;
    int code = link_read(&w->route, ifindex ? NULL : ifname, ifindex, &l);

    if (code)
        return code;
    *out = (struct nic_facts){.ifindex = l.ifindex,
                              .mtu = l.mtu,
                              .up = l.flags & IFF_UP,
                              .carrier = (l.flags & IFF_UP) && l.carrier,
                              .promisc = l.flags & IFF_PROMISC,
                              .carrier_changes = l.carrier_changes};
    snprintf(out->ifname, sizeof(out->ifname), "%s", l.ifname);
    code = channels_read(&w->ethtool, l.ifindex, &c);
    if (code == 0)
        out->queues = c.rx + c.combined;
    return code == -ENODEV ? code : 0; /* gone between the two questions */
}

int nic_watch_set(struct nic_watch *w, uint32_t ifindex, enum nic_flag flag, bool on)
{
    return link_set_flag(&w->route, ifindex, flag == NIC_UP ? IFF_UP : IFF_PROMISC, on);
}

int nic_watch_set_queues(struct nic_watch *w, uint32_t ifindex, uint32_t n)
{
    struct channels now, want;
    int code = channels_read(&w->ethtool, ifindex, &now);

    if (code)
        return code;
    want = channels_for(&now, n);
    return channels_set(&w->ethtool, ifindex, &now, &want);
}
