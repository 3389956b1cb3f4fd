/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_IO_PORT_H
#define SLUICE_IO_PORT_H
/*
 * One way in and out for one worker: an AF_XDP socket on one queue of one interface (port.c), or a capture file
 * (pcapio.c). The worker's burst loop sees only this interface. A port belongs to one worker; no function here
 * may be called by another thread, but for port_read_stats() and port_set_down().
 *
 * Ownership of frames: rx_burst moves frames from the fill ring to the worker; tx_burst moves those it accepts
 * to the TX ring and leaves the rest with the worker; free_burst moves them to the worker's free cache.
 */
#include <stdbool.h>
#include <stdint.h>
#include "ips/base/err.h"
#include "ips/io/packet.h"
#include "ips/io/umem.h"

struct port;

struct port_ops {
    unsigned (*rx_burst)(struct port *p, struct packet *pkts, unsigned max);
    unsigned (*tx_burst)(struct port *p, struct packet *const *pkts, unsigned n);
    void (*free_burst)(struct port *p, struct packet *const *pkts, unsigned n);
    bool (*alloc)(struct port *p, struct packet *pkt);
    void (*service)(struct port *p);
    void (*close)(struct port *p);
};

struct port_stats { /* read by any thread */
    uint64_t kicks, fill_starved;
    /* getsockopt(XDP_STATISTICS), frames that the kernel dropped before the worker saw them or refused to send */
    uint64_t kernel_rx_dropped, kernel_rx_ring_full, kernel_fill_empty, kernel_tx_invalid;
    uint64_t kernel_tx_refused; /* copy mode: the driver dropped a frame it was given (EBUSY from a kick) */
};

struct port { /* the common head of every kind of port */
    const struct port_ops *ops;
    int fd;        /* to poll for POLLIN; -1 for capture files */
    uint8_t index; /* 0 or 1: which side of the bridge */
    bool at_end;   /* capture file: nothing more will come */
    bool down;     /* written by the control side: the interface has no link, so nothing is to be sent */
    struct port_stats stats;
};

/* Up to max frames; fills data, len, umem_addr, in_port, link and, in capture mode, ts_ns, pcap_cnt, orig_len. */
static inline unsigned port_rx_burst(struct port *p, struct packet *pkts, unsigned max)
{
    return p->ops->rx_burst(p, pkts, max);
}
/* Frames that rx_burst would find now; of an AF_XDP socket only. */
uint32_t port_rx_waiting(struct port *p);
/* An interface without a link would keep what it is given until it has one again: it is given nothing. Any thread. */
static inline bool port_is_down(const struct port *p)
{
    return __atomic_load_n(&p->down, __ATOMIC_RELAXED);
}
static inline void port_set_down(struct port *p, bool down)
{
    __atomic_store_n(&p->down, down, __ATOMIC_RELAXED);
}
/* Returns how many of the first n were accepted; kicks a full ring once and tries again once. */
static inline unsigned port_tx_burst(struct port *p, struct packet *const *pkts, unsigned n)
{
    return port_is_down(p) ? 0 : p->ops->tx_burst(p, pkts, n);
}
static inline void port_free_burst(struct port *p, struct packet *const *pkts, unsigned n)
{
    p->ops->free_burst(p, pkts, n);
}
/* A free frame for a packet that the engine makes: sets data and umem_addr, len 0. False when there is none. */
static inline bool port_alloc(struct port *p, struct packet *pkt)
{
    return p->ops->alloc(p, pkt);
}
/* Once a burst: take completions back, refill the fill ring, kick what needs a wake-up. */
static inline void port_service(struct port *p)
{
    p->ops->service(p);
}

enum xdp_mode { XDP_MODE_AUTO, XDP_MODE_NATIVE, XDP_MODE_GENERIC };
enum busy_poll { BUSY_POLL_AUTO, BUSY_POLL_ON, BUSY_POLL_OFF };

struct port_config {
    const char *ifname;
    uint32_t queue;
    uint32_t ring_size; /* descriptors in each of the four rings, a power of two */
    uint8_t index;      /* 0 or 1 */
    enum xdp_mode mode;
    enum busy_poll busy_poll;
    bool force_copy;
};

struct port_mode {  /* what is in effect, read back from the kernel */
    bool zero_copy; /* getsockopt(XDP_OPTIONS) */
    bool need_wakeup;
    bool busy_poll;
    bool generic; /* XDP runs on the skb */
};

/*
 * Binds a socket. The ports of a bridge must be opened in one thread, one after the other, and closed so too. The
 * first bind chooses zero-copy where the driver has it (not with force_copy or XDP_MODE_GENERIC), the others take
 * over its mode; where a later one cannot, it fails with -EOPNOTSUPP: close all and open them with force_copy.
 * A worker's share of the UMEM must fill its rings: 4 * ring_size + 2 * BURST_MAX frames.
 * BUSY_POLL_AUTO is off: see port.c.
 */
struct port *port_open(struct umem *u, uint32_t worker, const struct port_config *cfg, struct err *e);
/* The frames in its rings are counted free at once, and are in the caches again when the last port is closed. */
void port_close(struct port *p);
int port_fd(const struct port *p); /* for the XSKMAP */

/*
 * port_adopt.c: a port that another process opened and hands over, on a UMEM that umem_adopt() mapped. cfg as for
 * port_open(), and the same as it was opened with. port_adopt() owns fd on success and leaves the rings alone: the other
 * process may still run on them. When it has stopped, it says port_held(), and port_resume() takes over where the rings
 * stand.
 */
struct port *port_adopt(struct umem *u, uint32_t worker, const struct port_config *cfg, int fd,
                        struct err *e);
struct port_held {
    uint32_t fill, tx; /* frames with the kernel, to be received into and to be sent */
};
void port_held(const struct port *p, struct port_held *out);
void port_resume(struct port *p, struct port_held held);
void port_mode(const struct port *p, struct port_mode *m);
void port_read_stats(const struct port *p, struct port_stats *out);
#endif
