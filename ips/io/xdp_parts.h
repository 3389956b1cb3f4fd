/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_IO_XDP_PARTS_H
#define SLUICE_IO_XDP_PARTS_H
/*
 * The inside of struct xdp, for the files xdp*.c and their tests only: xdp.c (program, attachment, sockets, counters),
 * xdp_pin.c (what outlives the daemon), xdp_block.c (block lists).
 */
#include "ips/io/xdp.h"

struct steer_bpf;

/* Every map: X(member, "name"). The order is that of pinning; steer_life, which says that the rest is whole, is last. */
#define XDP_MAP_TABLE(X)                \
    X(config, "steer_config")           \
    X(xsks, "xsks")                     \
    X(peer, "peer")                     \
    X(counters, "steer_counters")       \
    X(parse, "steer_parse")             \
    X(switches, "steer_switch")         \
    X(beats, "steer_beats")             \
    X(flows, "steer_flows")             \
    X(keys, "steer_keys")               \
    X(lines, "steer_lines")             \
    X(line_frames, "steer_line_frames") \
    X(rates, "steer_rates")             \
    X(strikes, "steer_strikes")         \
    X(was, "steer_was")                 \
    X(block[0][0], "block_src_v4")      \
    X(block[0][1], "block_src_v6")      \
    X(block[1][0], "block_dst_v4")      \
    X(block[1][1], "block_dst_v6")      \
    X(allow[0][0], "allow_src_v4")      \
    X(allow[0][1], "allow_src_v6")      \
    X(allow[1][0], "allow_dst_v4")      \
    X(allow[1][1], "allow_dst_v6")      \
    X(life, "steer_life")

enum {
    XDP_MAP_N = 0
#define X(member, name) +1
    XDP_MAP_TABLE(X)
#undef X
};

struct xdp_maps { /* descriptors */
    int config, xsks, peer, counters, parse, switches, beats, flows, keys, lines, line_frames, rates, life,
        strikes, was;
    int block[2][2], allow[2][2]; /* [source 0, destination 1][IPv4 0, IPv6 1] */
};

struct xdp {
    struct steer_bpf
        *skel; /* the program as this build has it; its maps' descriptors below are the skeleton's */
    int link_fd[STEER_PORTS]; /* -1: not attached. Not pinned: closing one detaches */
    char ifname[STEER_PORTS][16], bridge[STEER_NAME_BYTES];
    uint32_t ifindex[STEER_PORTS];
    enum xdp_mode mode;
    struct steer_config config; /* what the map holds */
    struct xdp_maps map;
    struct xdp_memory memory;
    int dir_fd;                           /* of the pins, locked; -1: nothing is pinned */
    bool program_new;                     /* something is attached that is not the pinned program */
    bool map_taken[XDP_MAP_N], all_taken; /* in the order of the table */
    bool maps_taken;                      /* of an earlier daemon */
    bool link_taken[STEER_PORTS];         /* likewise, and still attached */
    bool dispatched[STEER_PORTS];         /* behind a dispatcher */
    bool leave_pinned;                    /* to whoever comes next */
    struct steer_life life;               /* as this daemon wrote it */
    bool crashed;                         /* the one before */
};

/* The one way in which x->config changes: the map has it, or both are as before. */
int xdp_push_config(struct xdp *x, const struct steer_config *to, struct err *e);

/* --- xdp_life.c --- */

int xdp_life_write(struct xdp *x, uint32_t pid, struct err *e); /* 0: nobody serves the bridge */
/* Ours begins; handed_over: the one before is being relieved, and lives. */
int xdp_life_begin(struct xdp *x, const struct xdp_config *cfg, bool handed_over, struct err *e);

/* --- xdp_pin.c --- */

/* Makes and locks the bridge's directory, takes over the maps in it that fit the skeleton (which is open, not loaded). */
int xdp_pin_open(struct xdp *x, const struct xdp_config *cfg, struct err *e);
/* When all maps are there: pins those that are new, looks at the links that are there. */
int xdp_pin_maps(struct xdp *x, struct err *e);
/* A link taken over runs this program from here on. */
int xdp_pin_update_link(struct xdp *x, int port);
int xdp_pin_link(struct xdp *x, int port, struct err *e);
int xdp_pin_program(struct xdp *x, struct err *e); /* when both links are there */
void xdp_pin_unlink(struct xdp *x, int port);      /* detached, whether pinned or not */
/* Detaches and removes all of it. */
void xdp_pin_remove(struct xdp *x);
/* For who is not the daemon (pins.c): a struct xdp of descriptors alone, and its end; dir_fd is the caller's to open. */
struct xdp *xdp_pin_look(const char *bridge);
int xdp_pin_get(struct xdp *x); /* opens what there is; -1: nothing */
bool xdp_pin_same_abi(const struct xdp *x, char *why, size_t size);
void xdp_pin_unlook(struct xdp *x);
uint32_t xdp_pin_link_ifindex(const struct xdp *x, int port); /* 0: not attached */
void xdp_pin_close(struct xdp *x);
int xdp_pin_get_one(const struct xdp *x, const char *name); /* a descriptor, or < 0 */
int xdp_pin_one(struct xdp *x, const char *name, int fd);
void xdp_pin_drop(struct xdp *x, const char *name);
int xdp_pin_share_maps(struct xdp *x, struct steer_bpf *other);
/* What this build would load, on these maps. id may be NULL. */
bool xdp_pin_same_build(const struct xdp *x, int prog_fd, uint32_t *id);

/* --- xdp_dispatch.c: link_fd of a dispatched port is the link by which the dispatcher calls the program --- */

int xdp_dispatch_open(struct xdp *x, struct err *e); /* takes over or attaches where there is a dispatcher */
bool xdp_dispatch_find(struct xdp *x, int port);     /* ours is there */
bool xdp_dispatch_same(const struct xdp *x, int port); /* and it is this build's */
void xdp_dispatch_drop(struct xdp *x, int port);
bool xdp_dispatch_holds(const struct xdp *x); /* and this process may not take it off */
#endif
