// SPDX-License-Identifier: BSD-2-Clause
/*
 * The bursts of an AF_XDP socket: receive, send, free, and the service between them. Runs in the worker that
 * the port belongs to; takes no lock and no memory. Opening and closing are in port_open.c.
 *
 * Two bounds keep the rest simple. At most `size` frames are with the kernel to be received into, and at most
 * `size` to be sent. So a socket never holds more than 2 * size frames, a worker's share of the UMEM fills
 * all its rings, and the completion ring, which has `size` entries, cannot overflow: nothing the kernel takes
 * can get stuck.
 *
 * tx_burst() writes descriptors and leaves the system call to port_service(), so that a burst costs one. In
 * copy mode that call is the transmission: the kernel copies and sends inside sendto(), so many frames at a
 * time (all of them where XDP_MAX_TX_SKB_BUDGET exists, else 32), and says EAGAIN when more are left. EAGAIN
 * without progress is a busy driver or a full socket buffer; EBUSY is one frame that the driver refused and
 * that is lost; ENETDOWN and the like send nothing. All of these leave the rest in the ring for the next
 * service: no call is repeated but when the last one made progress. Zero-copy calls only where the driver
 * sleeps and has said so.
 *
 * A full TX ring is kicked once. What still does not fit is the caller's, to drop and count. The same goes for a
 * packet without bytes or beyond its frame, which only a mistake of ours could make, and for those behind it.
 */
#include "ips/io/port_priv.h"

#include <errno.h>
#include <sys/socket.h>

static struct xsk_port *xsk_port_of(struct port *port)
{
    return (struct xsk_port *)port; /* its first member */
}

static unsigned rx_burst(struct port *port, struct packet *pkts, unsigned max)
{
    struct xsk_port *p = xsk_port_of(port);
    uint32_t at;
    unsigned n = xsk_ring_cons__peek(&p->rx, max, &at);

    if (n == 0)
        return 0;
    for (unsigned i = 0; i < n; i++) {
        const struct xdp_desc *d = xsk_ring_cons__rx_desc(&p->rx, at + i);
        struct packet *pkt = &pkts[i];

        pkt->data = p->area + d->addr;
        __builtin_prefetch(pkt->data);
        pkt->umem_addr = d->addr;
        pkt->len = pkt->orig_len = d->len;
        pkt->flags = 0;
        pkt->handed = false;
        pkt->in_port = port->index;
        pkt->link = LINK_ETHERNET;
        pkt->pcap_cnt = 0;
    }
    xsk_ring_cons__release(&p->rx, n);
    p->n_fill -= n;
    p->cache->fill -= n;
    p->cache->worker += n;
    return n;
}

uint32_t port_rx_waiting(struct port *port)
{
    struct xsk_port *p = xsk_port_of(port);

    /* not xsk_cons_nb_avail(): it is content with what it saw before */
    return __atomic_load_n(p->rx.producer, __ATOMIC_ACQUIRE) - p->rx.cached_cons;
}

static void reclaim(struct xsk_port *p)
{
    uint32_t at, n = xsk_ring_cons__peek(&p->comp, p->size, &at);

    if (n == 0)
        return;
    for (uint32_t i = 0; i < n; i++)
        frame_cache_push(p->cache, *xsk_ring_cons__comp_addr(&p->comp, at + i));
    xsk_ring_cons__release(&p->comp, n);
    p->n_tx -= n;
    p->cache->tx -= n;
}

void xsk_port_refill(struct xsk_port *p)
{
    /* The kernel shows a received frame before it shows its fill entry as used, so the ring may lag behind.
     */
    uint32_t at = 0, missing = p->size - p->n_fill, room = xsk_prod_nb_free(&p->fill, missing);
    uint32_t want = missing < room ? missing : room, n = want < p->cache->n ? want : p->cache->n;

    if (n < want)
        port_stat_add(&p->port.stats.fill_starved, 1);
    if (n == 0)
        return;
    xsk_ring_prod__reserve(&p->fill, n, &at);
    for (uint32_t i = 0; i < n; i++)
        *xsk_ring_prod__fill_addr(&p->fill, at + i) = frame_cache_pop(p->cache);
    xsk_ring_prod__submit(&p->fill, n);
    p->n_fill += n;
    p->cache->fill += n;
}

static uint32_t tx_taken(const struct xsk_port *p)
{
    return __atomic_load_n(p->tx.consumer, __ATOMIC_ACQUIRE);
}

/* Copy mode: the kernel sends from this very call. */
static void kick_copy(struct xsk_port *p)
{
    uint32_t taken = tx_taken(p), before;

    for (uint32_t i = 0; i < p->kicks_max; i++) {
        ssize_t rc = sendto(p->port.fd, NULL, 0, MSG_DONTWAIT, NULL, 0);
        int error = rc < 0 ? errno : 0;

        port_stat_add(&p->port.stats.kicks, 1);
        before = taken;
        taken = tx_taken(p);
        if (error == EBUSY)
            port_stat_add(&p->port.stats.kernel_tx_refused, 1);
        if (error != EAGAIN || taken == before)
            break;
    }
    p->tx_waits = taken != *p->tx.producer;
}

static void kick(struct xsk_port *p)
{
    if (!p->zero_copy) {
        if (p->tx_waits)
            kick_copy(p);
        return;
    }
    /* What sendto() says of a zero-copy wake-up is of no use: the flag stays set while the driver needs
     * another. */
    if (p->n_tx > 0 && (p->busy_poll || xsk_ring_prod__needs_wakeup(&p->tx))) {
        (void)sendto(p->port.fd, NULL, 0, MSG_DONTWAIT, NULL, 0);
        port_stat_add(&p->port.stats.kicks, 1);
    }
}

static uint32_t tx_room(struct xsk_port *p, uint32_t n)
{
    /* The kernel may complete a frame before it shows its TX entry as used, so the ring may lag behind. */
    uint32_t room = p->size - p->n_tx, slots = xsk_prod_nb_free(&p->tx, n);

    room = room < slots ? room : slots;
    return room < n ? room : n;
}

/* The kernel skips a descriptor it finds invalid and never completes it: the frame would be gone. */
static bool is_sendable(const struct packet *pkt)
{
    return pkt->len > 0 && (pkt->umem_addr & (FRAME_BYTES - 1)) + pkt->len <= FRAME_BYTES;
}

static unsigned tx_burst(struct port *port, struct packet *const *pkts, unsigned n)
{
    struct xsk_port *p = xsk_port_of(port);
    uint32_t at = 0, room = tx_room(p, n);

    if (room < n) {
        reclaim(p);
        kick(p);
        reclaim(p);
        room = tx_room(p, n);
    }
    for (n = 0; n < room && is_sendable(pkts[n]); n++)
        ;
    if (n == 0)
        return 0;
    xsk_ring_prod__reserve(&p->tx, n, &at);
    for (unsigned i = 0; i < n; i++)
        *xsk_ring_prod__tx_desc(&p->tx, at + i) =
            (struct xdp_desc){.addr = pkts[i]->umem_addr, .len = pkts[i]->len};
    xsk_ring_prod__submit(&p->tx, n);
    p->tx_waits = true;
    p->n_tx += n;
    p->cache->tx += n;
    p->cache->worker -= n;
    return n;
}

static void free_burst(struct port *port, struct packet *const *pkts, unsigned n)
{
    struct frame_cache *c = xsk_port_of(port)->cache;

    for (unsigned i = 0; i < n; i++)
        frame_cache_push(c, pkts[i]->umem_addr);
    c->worker -= n;
}

static bool alloc_frame(struct port *port, struct packet *pkt)
{
    struct xsk_port *p = xsk_port_of(port);

    if (p->cache->n == 0)
        return false;
    pkt->umem_addr = frame_cache_pop(p->cache) + FRAME_HEADROOM;
    pkt->data = p->area + pkt->umem_addr;
    pkt->len = pkt->orig_len = 0;
    pkt->link = LINK_ETHERNET;
    p->cache->worker++;
    return true;
}

static void service(struct port *port)
{
    struct xsk_port *p = xsk_port_of(port);

    if (!port_is_down(port)) /* what lies in the ring from before would only be refused */
        kick(p);
    reclaim(p);
    xsk_port_refill(p);
    /* The driver sleeps for want of fill entries, or runs only when we call it. */
    if (p->busy_poll || xsk_ring_prod__needs_wakeup(&p->fill)) {
        (void)recvfrom(port->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
        port_stat_add(&port->stats.kicks, 1);
    }
    frame_cache_settle(p->cache);
}

const struct port_ops xsk_port_ops = {
    .rx_burst = rx_burst,
    .tx_burst = tx_burst,
    .free_burst = free_burst,
    .alloc = alloc_frame,
    .service = service,
    .close = xsk_port_close,
};
