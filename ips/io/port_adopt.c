// SPDX-License-Identifier: BSD-2-Clause
/*
 * AF_XDP sockets that another process opened: at an upgrade the new daemon gets their descriptors and goes on with
 * the same rings. Control thread.
 *
 * libxdp opens sockets and cannot take one over, so the rings are mapped here, as the kernel's documentation has it
 * (Documentation/networking/af_xdp.rst): XDP_MMAP_OFFSETS says where producer, consumer, flags and descriptors are, and
 * once a socket is bound its own descriptor gives all four rings, also those of a UMEM that is shared. What is filled in
 * is libxdp's struct of a ring, which its inline functions in xdp/xsk.h work on, so the bursts of port.c know no
 * difference.
 *
 * The cached indices of a ring say how far its user space side has looked. Bursts release and submit all they touched, so
 * between two of them nothing is lost by reading the ring's own indices anew: that is port_resume().
 *
 * Promise: port_adopt() writes nothing into a ring; until port_resume() the other process may run on it.
 */
#include "ips/io/port_priv.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RX, TX, FILL, COMP, RINGS };

static const struct {
    const char *name;
    uint64_t page_offset;
    size_t entry_bytes;
} rings[RINGS] = {
    [RX] = {"RX", XDP_PGOFF_RX_RING, sizeof(struct xdp_desc)},
    [TX] = {"TX", XDP_PGOFF_TX_RING, sizeof(struct xdp_desc)},
    [FILL] = {"fill", XDP_UMEM_PGOFF_FILL_RING, sizeof(uint64_t)},
    [COMP] = {"completion", XDP_UMEM_PGOFF_COMPLETION_RING, sizeof(uint64_t)},
};

static bool is_af_xdp(int fd)
{
    int domain = 0;
    socklen_t len = sizeof(domain);

    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_XDP;
}

/* Producer and consumer rings have the same members, under two names. */
#define PLACE_RING(r, map, off, n)                                \
    do {                                                          \
        (r)->mask = (n)-1;                                        \
        (r)->size = (n);                                          \
        (r)->producer = (void *)((char *)(map) + (off).producer); \
        (r)->consumer = (void *)((char *)(map) + (off).consumer); \
        (r)->flags = (void *)((char *)(map) + (off).flags);       \
        (r)->ring = (char *)(map) + (off).desc;                   \
    } while (0)

static int map_rings(struct xsk_port *p, int fd, struct err *e)
{
    struct xdp_mmap_offsets off;
    socklen_t len = sizeof(off);

    if (getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &off, &len) || len != sizeof(off))
        return err_sys(e, -errno, "cannot ask a socket of %s for the places in its rings", p->ifname);
    const struct xdp_ring_offset *at[RINGS] = {&off.rx, &off.tx, &off.fr, &off.cr};

    for (int i = 0; i < RINGS; i++) {
        struct ring_map *m = &p->maps[i];
        size_t bytes = at[i]->desc + p->size * rings[i].entry_bytes;

        m->at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd,
                     (off_t)rings[i].page_offset);
        if (m->at == MAP_FAILED) {
            m->at = NULL;
            return err_sys(e, -errno, "cannot map the %s ring of queue %u of %s", rings[i].name, p->queue,
                           p->ifname);
        }
        m->bytes = bytes;
    }
    PLACE_RING(&p->rx, p->maps[RX].at, off.rx, p->size);
    PLACE_RING(&p->tx, p->maps[TX].at, off.tx, p->size);
    PLACE_RING(&p->fill, p->maps[FILL].at, off.fr, p->size);
    PLACE_RING(&p->comp, p->maps[COMP].at, off.cr, p->size);
    return 0;
}

void xsk_port_unmap(struct xsk_port *p)
{
    for (int i = 0; i < RINGS; i++)
        if (p->maps[i].at)
            munmap(p->maps[i].at, p->maps[i].bytes);
}

static bool polls_busily(int fd)
{
    int prefer = 0;
    socklen_t len = sizeof(prefer);

    return getsockopt(fd, SOL_SOCKET, SO_PREFER_BUSY_POLL, &prefer, &len) == 0 && prefer;
}

struct port *port_adopt(struct umem *u, uint32_t worker, const struct port_config *cfg, int fd, struct err *e)
{
    if (xsk_port_check(u, cfg, e))
        return NULL;
    if (!is_af_xdp(fd)) {
        err_set(e, -ENOTSOCK, "what was handed over for queue %u of %s is no AF_XDP socket", cfg->queue,
                cfg->ifname);
        return NULL;
    }
    struct xsk_port *p = xsk_port_new(u, worker, cfg);
    if (!p) {
        err_set(e, -ENOMEM, "no memory for a port");
        return NULL;
    }
    if (map_rings(p, fd, e)) {
        xsk_port_unmap(p);
        free(p);
        return NULL;
    }
    u->n_ports++;
    p->port.fd = fd;
    p->zero_copy = xsk_is_zero_copy(fd);
    p->busy_poll = polls_busily(fd);
    if (!p->zero_copy)
        xsk_port_tune_copy_mode(p);
    return &p->port;
}

void port_held(const struct port *port, struct port_held *out)
{
    const struct xsk_port *p = (const struct xsk_port *)port;

    *out = (struct port_held){.fill = p->n_fill, .tx = p->n_tx};
}

static uint32_t index_now(const uint32_t *index)
{
    return __atomic_load_n(index, __ATOMIC_ACQUIRE);
}

void port_resume(struct port *port, struct port_held held)
{
    struct xsk_port *p = (struct xsk_port *)port;

    p->n_fill = held.fill;
    p->n_tx = held.tx;
    /* consumers look as far as `cached_prod`; producers know of room up to `cached_cons`, which runs `size` ahead */
    p->rx.cached_cons = p->rx.cached_prod = index_now(p->rx.consumer);
    p->comp.cached_cons = p->comp.cached_prod = index_now(p->comp.consumer);
    p->tx.cached_prod = index_now(p->tx.producer);
    p->tx.cached_cons = index_now(p->tx.consumer) + p->size;
    p->fill.cached_prod = index_now(p->fill.producer);
    p->fill.cached_cons = index_now(p->fill.consumer) + p->size;
    p->tx_waits = true; /* a kick too many costs nothing, one too few a stall */
}
