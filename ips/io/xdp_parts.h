/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_IO_XDP_PARTS_H
#define SLUICE_IO_XDP_PARTS_H
/*
 * The inside of struct xdp, for xdp.c (program, attachment, sockets, counters) and xdp_block.c (block lists)
 * only.
 */
#include "ips/io/xdp.h"

struct steer_bpf;

struct xdp {
    struct steer_bpf *skel;   /* the loaded program; its maps' descriptors below are the skeleton's */
    int link_fd[STEER_PORTS]; /* closing one detaches; -1: not attached */
    char ifname[STEER_PORTS][16];
    uint32_t ifindex[STEER_PORTS];
    enum xdp_mode mode;
    struct steer_config config; /* what the map holds */
    struct {
        int config, xsks, counters, parse;
        int block[2][2]; /* [source 0, destination 1][IPv4 0, IPv6 1] */
    } map;
};

/* Writes x->config to the map. */
int xdp_push_config(struct xdp *x, struct err *e);
#endif
