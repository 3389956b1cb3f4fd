/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_IO_NIC_WATCH_H
#define SLUICE_IO_NIC_WATCH_H
/*
 * What happens to network interfaces while the daemon runs: sleeps until the kernel says that something changed, then
 * reads an interface as it is now. See nic_watch.c. One thread, but for nic_watch_wake().
 */
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include "ips/base/err.h"

struct nic_watch;

struct nic_facts {
    char ifname[IFNAMSIZ];
    uint32_t ifindex, mtu;
    uint32_t queues; /* that receive; 0: the driver has no word for them */
    bool up;         /* administratively */
    bool carrier;    /* never without `up` */
    bool promisc;
    uint32_t carrier_changes; /* since the interface was made, up and down; wraps */
};

enum nic_flag { NIC_UP, NIC_PROMISC };

struct nic_watch *nic_watch_new(struct err *e);
void nic_watch_free(struct nic_watch *w);
/* Returns when any interface may have changed, when nic_watch_wake() was called, or after timeout_ms. */
void nic_watch_wait(struct nic_watch *w, int timeout_ms);
void nic_watch_wake(struct nic_watch *w); /* any thread */

/* By index, or by name when ifindex is 0. -ENODEV: there is none in this namespace. */
int nic_watch_read(struct nic_watch *w, const char *ifname, uint32_t ifindex, struct nic_facts *out);
int nic_watch_set(struct nic_watch *w, uint32_t ifindex, enum nic_flag flag, bool on); /* 0 or -errno */
int nic_watch_set_queues(struct nic_watch *w, uint32_t ifindex, uint32_t n);
#endif
