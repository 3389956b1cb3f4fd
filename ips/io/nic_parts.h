/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_IO_NIC_PARTS_H
#define SLUICE_IO_NIC_PARTS_H
/*
 * What nic.c asks of the kernel, by the way it is asked: nic_netlink.c (the conversation), nic_link.c
 * (rtnetlink), nic_ethtool.c (ethtool over generic netlink), nic_rss.c (ioctl). For these files and their
 * test only.
 */
#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include "ips/base/err.h"
#include "ips/io/nic.h"

/* --- nic_netlink.c: one request, its answers, its acknowledgement --- */

struct nl {
    struct mnl_socket *socket;
    uint32_t seq;
    uint16_t family;        /* generic netlink: of "ethtool" */
    uint32_t monitor_group; /* and the group that hears of changes; 0: the kernel has none */
    char why[128];          /* the kernel's own words (extack) on the last refusal; may be empty */
};

/* bus: NETLINK_ROUTE or NETLINK_GENERIC; the latter looks the ethtool family up. */
int nl_open(struct nl *nl, int bus, struct err *e);
void nl_close(struct nl *nl);
/* Sends the message and gives every answer to fn (which may be NULL). 0 or -errno; reads until the kernel is
 * done. */
int nl_talk(struct nl *nl, struct nlmsghdr *nlh, mnl_cb_t fn, void *arg);
/* err_sys() with the kernel's own words, when it gave any. */
int nl_err(const struct nl *nl, struct err *e, int code, const char *what, const char *ifname);

/* --- nic_link.c --- */

struct link {
    uint32_t ifindex, mtu, flags; /* IFF_* */
    uint32_t n_rx_queues;         /* that the driver allocated, in use or not */
    uint16_t type;                /* ARPHRD_* */
    char ifname[IFNAMSIZ];
    bool carrier;
    uint32_t carrier_changes; /* the kernel's count of them, up and down */
    uint64_t rx_missed;
};
/* By name, or by index when ifname is NULL. */
int link_read(struct nl *nl, const char *ifname, uint32_t ifindex, struct link *out);
/* Sets or clears one flag (IFF_UP, IFF_PROMISC). */
int link_set_flag(struct nl *nl, uint32_t ifindex, uint32_t flag, bool on);

/* --- nic_ethtool.c --- */

/* The offloads that hide from XDP what was on the wire: they merge frames, or take VLAN tags out of them. */
#define OFFLOAD_N 9
extern const char *const offload_names[OFFLOAD_N]; /* the kernel's words, as `ethtool -k` shows them */

/* on[i]: offload i is in effect. */
int offloads_read(struct nl *nl, uint32_t ifindex, bool on[OFFLOAD_N]);
/* Switches the offloads of mask on or off in one request. */
int offloads_set(struct nl *nl, uint32_t ifindex, const bool mask[OFFLOAD_N], bool on);

struct channels {
    uint32_t rx_max, tx_max, combined_max, rx, tx, combined;
};
/* -EOPNOTSUPP where the driver has no word for it. */
int channels_read(struct nl *nl, uint32_t ifindex, struct channels *out);
int channels_set(struct nl *nl, uint32_t ifindex, const struct channels *now, const struct channels *want);
/* n queues: combined ones where the driver has enough of them (most NICs), else separate ones (veth, some old NICs). */
struct channels channels_for(const struct channels *now, uint32_t n);

/* --- nic_rss.c --- */

/* ioctl(SIOCETHTOOL) on one interface; a test puts a driver of its own here. 0 or -errno. */
struct ethtool_dev {
    int fd;
    const char *ifname;
    int (*call)(const struct ethtool_dev *d, void *request);
};
int ethtool_ioctl(const struct ethtool_dev *d, void *request);

/* All of ETHTOOL_GRSSH, on the heap; NULL where the driver has no word for it. */
struct ethtool_rxfh *rss_read(const struct ethtool_dev *d);
#define RSS_KINDS   8 /* of packets that have a hash of their own: TCP, UDP, SCTP, other IP; v4, v6 */
#define RSS_UNKNOWN UINT64_MAX /* fields of a kind that the driver has no word for */
/* The RXH_* bits that each kind of packet is hashed by. */
void rss_fields_read(const struct ethtool_dev *d, uint64_t fields[RSS_KINDS]);
/* Programs a hash of the addresses alone, the same for both directions, over queues 0 to n-1, and reads it back. True
 * when it is in effect; *id then names what was programmed. *touched: something was set, so rss_put_back() has work.
 */
bool rss_set_symmetric(const struct ethtool_dev *d, uint32_t n_queues, const char *driver, uint64_t *id,
                       bool *touched);
/* Key, function and fields as they were, with the driver's own table: the old one may name queues that are still off.
 */
int rss_put_back(const struct ethtool_dev *d, const struct ethtool_rxfh *was,
                 const uint64_t fields[RSS_KINDS]);
/* The table as it was, when it is not so again; call it when the queues are back. */
int rss_put_back_table(const struct ethtool_dev *d, const struct ethtool_rxfh *was);

/* --- nic.c, nic_was.c --- */

struct nic {
    struct nl route, ethtool;
    struct ethtool_dev dev;
    char ifname[IFNAMSIZ];
    struct link was; /* at nic_open() */
    struct nic_info info;
    /* what was changed, for the way back; by this process or by one before it */
    bool channels_changed, rss_changed, promisc_changed, up_changed;
    bool taken_over; /* one before it had set it up */
    struct channels channels_was;
    struct ethtool_rxfh *rss_was; /* heap; NULL where the NIC has no RSS to set */
    uint64_t fields_was[RSS_KINDS];
    bool offloads_changed[OFFLOAD_N];
};

/* What an earlier process changed on this very interface. False: nothing is remembered, or of another one. */
bool nic_unpack(struct nic *n, const struct steer_was *was);
#endif
