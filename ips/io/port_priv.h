/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_IO_PORT_PRIV_H
#define SLUICE_IO_PORT_PRIV_H
/*
 * An AF_XDP socket as port.c (the bursts, worker's thread), port_open.c (open, close, questions; control
 * thread) and port_adopt.c (taken over from another process; control thread) see it.
 */
#include "ips/io/port.h"
#include "ips/io/umem_priv.h"

#ifndef SO_PREFER_BUSY_POLL /* newer than the kernel headers of Debian 12 */
#define SO_PREFER_BUSY_POLL 69
#endif

struct xsk_port {
    struct port port;
    /* hot, worker */
    struct xsk_ring_cons rx, comp;
    struct xsk_ring_prod tx, fill;
    struct frame_cache *cache;
    uint8_t *area;
    uint32_t size;   /* descriptors in each ring */
    uint32_t n_fill; /* frames given to the kernel to receive into and not seen again, <= size */
    uint32_t n_tx;   /* frames given to the kernel to send and not completed, <= size: the ring of completions
                          can never be full */
    uint32_t kicks_max; /* system calls that send a whole TX ring in copy mode */
    bool tx_waits;      /* descriptors may lie in the TX ring that the kernel has not looked at */
    bool zero_copy, busy_poll;
    /* cold */
    struct xsk_socket *xsk; /* NULL: adopted, then `maps` are ours to unmap */
    struct ring_map {
        void *at;
        size_t bytes;
    } maps[4];
    struct umem *umem;
    char ifname[16];
    uint32_t ifindex, queue;
    enum xdp_mode mode;
};

extern const struct port_ops xsk_port_ops;

/* Only the worker writes its port's statistics. */
static inline void port_stat_add(uint64_t *stat, uint64_t n)
{
    __atomic_store_n(stat, *stat + n, __ATOMIC_RELAXED);
}

void xsk_port_close(struct port *port);
struct xsk_port *xsk_port_new(struct umem *u, uint32_t worker, const struct port_config *cfg);
bool xsk_is_zero_copy(int fd);
int xsk_port_check(const struct umem *u, const struct port_config *cfg, struct err *e);
/* How many system calls send a full ring in copy mode, and a socket buffer that holds one. */
void xsk_port_tune_copy_mode(struct xsk_port *p);
void xsk_port_unmap(struct xsk_port *p);
/* Frames into the fill ring, as many as are missing and there are. Control thread in port_open(), then worker. */
void xsk_port_refill(struct xsk_port *p);
#endif
