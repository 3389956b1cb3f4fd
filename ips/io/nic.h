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
#include "bpf/shared.h"
#include "ips/base/err.h"

struct nic;

struct nic_config {
    const char *ifname;
    uint32_t n_queues; /* wanted; 0 = as many as there are, at most max_queues */
    uint32_t max_queues;
    bool keep_offloads;          /* leave the offloads alone (the operator knows better) */
    const struct steer_was *was; /* nic_pack() of an earlier process that did not put back; NULL: none */
};

struct nic_info {
    uint32_t ifindex;
    uint32_t mtu;
    uint32_t n_queues; /* in effect */
    bool
        symmetric_rss; /* by addresses, programmed and read back; or n_queues == 1. One NIC's word: see nic_same_queue() */
    uint64_t rss_id; /* names what was programmed: hash, key, table, fields, driver; 0 with one queue */
    bool carrier;
    bool was_up; /* an earlier process set it up, and it still was: its link had all the time it needs */
    char driver[32];
    char offloads_off[256]; /* what was turned off, separated by blanks */
    uint64_t rx_missed; /* frames that the NIC dropped for want of a descriptor, where the driver says so */
};

/* Reads and sets. Refuses an interface that is missing, a loopback, or whose MTU does not fit a frame
 * (mtu + 14 + 2 * 4 <= FRAME_BYTES - headroom), each with the remedy. On failure everything is put back. */
/* Where an earlier process set up, its settings stay as they are on failure too. */
struct nic *nic_open(const struct nic_config *cfg, struct err *e);
void nic_restore(struct nic *n); /* puts back and frees */
void nic_leave(struct nic *n);   /* frees; the interface stays as it is */
/* What nic_restore() would put back, for a later process. */
void nic_pack(const struct nic *n, struct steer_was *out);
/* nic_restore() from what was packed, by a process that did not set up. 0 also when the interface is gone or nothing is
 * remembered. */
int nic_put_back(const struct steer_was *was, struct err *e);
uint32_t nic_packed_ifindex(const struct steer_was *was); /* 0: nothing is remembered */
/* The index of an interface that can be an end of a bridge; refuses as nic_open() does. */
int nic_lookup(const char *ifname, uint32_t *ifindex, struct err *e);
int nic_mtu_fits(const char *ifname, uint32_t mtu, struct err *e); /* 0 or -EMSGSIZE */
void nic_info(const struct nic *n, struct nic_info *out);          /* reads carrier afresh */

/* The two directions of a flow arrive on different NICs, so it is not enough that each hashes symmetrically: both
 * must compute the same hash and look it up in the same table. Only then does queue q of one see the other half
 * of what queue q of the other sees; else frames have to be handed to the flow's owner. */
static inline bool nic_same_queue(const struct nic_info *a, const struct nic_info *b)
{
    return a->symmetric_rss && b->symmetric_rss && a->n_queues == b->n_queues && a->rss_id == b->rss_id;
}
#endif
