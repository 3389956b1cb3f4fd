/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_IO_NIC_H
#define SLUICE_IO_NIC_H
/*
 * A network interface as the bridge needs it: promiscuous, up, one queue per worker, the offloads that merge or
 * strip bytes off, symmetric RSS where the NIC has it. Everything is remembered before it is set and put back by
 * nic_restore(), in reverse order. ethtool over netlink and rtnetlink through libmnl, ioctl(SIOCETHTOOL) where
 * netlink has no word for it. Control thread only.
 */
#include <stdbool.h>
#include <stdint.h>
#include "ips/base/err.h"

struct nic;

struct nic_config {
    const char *ifname;
    uint32_t n_queues;  /* wanted; 0 = as many as there are, at most max_queues */
    uint32_t max_queues;
    bool keep_offloads; /* leave the offloads alone (the operator knows better) */
};

struct nic_info {
    uint32_t ifindex;
    uint32_t mtu;
    uint32_t n_queues;     /* in effect */
    bool symmetric_rss;    /* programmed and read back; or n_queues == 1 */
    bool carrier;
    char driver[32];
    char offloads_off[256];/* what was turned off, separated by blanks */
    uint64_t rx_missed;    /* frames that the NIC dropped for want of a descriptor, where the driver says so */
};

/* Reads and sets. Refuses an interface that is missing, a loopback, or whose MTU does not fit a frame
 * (mtu + 14 + 2 * 4 <= FRAME_BYTES - headroom), each with the remedy. On failure everything is put back. */
struct nic *nic_open(const struct nic_config *cfg, struct err *e);
void nic_restore(struct nic *n); /* puts back and frees */
void nic_info(const struct nic *n, struct nic_info *out); /* reads carrier afresh */
#endif
