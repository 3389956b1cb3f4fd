// SPDX-License-Identifier: BSD-2-Clause
/*
 * Opening and closing AF_XDP sockets, and asking them what is in effect. Control thread only, but for
 * port_read_stats(), which any thread may call while the port is open.
 *
 * The first port of a bridge registers the UMEM and its bind chooses the mode: zero-copy where the driver has
 * it, else copy (the kernel falls back by itself; what it chose is read back). The others bind with
 * XDP_SHARED_UMEM and inherit. libxdp keeps the first socket's descriptor with the UMEM, so that socket
 * leaves the kernel with the last port, whichever is closed first.
 *
 * Busy polling (SO_PREFER_BUSY_POLL) is off unless asked for. In zero-copy mode it stalls transmission for good on
 * NICs whose RX and TX interrupts are separate. In copy mode it gains nothing to speak of: measured on veth with
 * 64-byte frames, 1.0 million a second either way, and every look at an idle port becomes a system call.
 */
#include "ips/io/port_priv.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Newer than the kernel headers of Debian 12. */
#ifndef XDP_MAX_TX_SKB_BUDGET
#define XDP_MAX_TX_SKB_BUDGET 9
#endif
#ifndef SO_BUSY_POLL_BUDGET
#define SO_BUSY_POLL_BUDGET 70
#endif
#define TX_SKB_BUDGET_OLD 32 /* frames one sendto() sends where the option is unknown */
#define BUSY_POLL_US      20
#define BIND_PATIENCE_MS  2000
#define BIND_PAUSE_MS     10
#define SNDBUF_PER_FRAME  8192 /* an skb with a frame of 3,840 bytes is accounted with less */

struct open_error {
    int error;
    const char *why, *remedy;
};

static const struct open_error open_errors[] = {
    {EBUSY, "another AF_XDP socket is bound to it",
     "stop the program that 'ss -f xdp -p' or 'bpftool net' shows there; is another ipsd running?"},
    {EPERM, "not permitted",
     "start ipsd as root or with CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF and CAP_IPC_LOCK"},
    {EOPNOTSUPP, "the driver has no zero-copy, which the bridge's first interface uses",
     "set force_copy: true for this bridge"},
    {EAFNOSUPPORT, "the kernel has no AF_XDP", "boot a kernel built with CONFIG_XDP_SOCKETS=y"},
    {ENOBUFS, "the frames' memory may not be locked",
     "raise RLIMIT_MEMLOCK (systemd: LimitMEMLOCK=infinity) or lower the bridge's frames"},
    {ENOMEM, "no memory for the rings or frames", "lower ring_size or frames of the bridge"},
    {EINVAL, "there is no such queue, or the driver cannot use it for AF_XDP",
     "lower queues of the bridge to what 'ethtool -l' shows"},
    {ENODEV, "there is no such interface", "name an interface that 'ip link' shows"},
    {ENXIO, "there is no such interface or queue", "compare with 'ip link' and 'ethtool -l'"},
    {ENETDOWN, "the interface is down", "set it up: ip link set dev NAME up"},
};

static int open_error(struct err *e, const struct port_config *cfg, int rc)
{
    for (size_t i = 0; i < sizeof(open_errors) / sizeof(open_errors[0]); i++) {
        if (open_errors[i].error != -rc)
            continue;
        err_set(e, rc, "cannot open an AF_XDP socket on queue %u of %s: %s", cfg->queue, cfg->ifname,
                open_errors[i].why);
        err_remedy(e, "%s", open_errors[i].remedy);
        return rc;
    }
    err_sys(e, rc, "cannot open an AF_XDP socket on queue %u of %s", cfg->queue, cfg->ifname);
    err_remedy(e, "the kernel log (dmesg) may say more");
    return rc;
}

int xsk_port_check(const struct umem *u, const struct port_config *cfg, struct err *e)
{
    uint32_t share = u->n_frames / u->n_workers;
    uint64_t need = 4 * (uint64_t)cfg->ring_size + 2 * BURST_MAX;

    if (cfg->ring_size < BURST_MAX || (cfg->ring_size & (cfg->ring_size - 1))) {
        err_set(e, -EINVAL, "ring_size %u for %s is not a power of two of at least %u", cfg->ring_size,
                cfg->ifname, BURST_MAX);
        err_remedy(e, "use 2048");
        return -EINVAL;
    }
    if (share < need) {
        err_set(e, -ENOBUFS, "%u frames for each worker do not fill the rings of %s", share, cfg->ifname);
        err_remedy(e, "leave frames of the bridge out, or set it to at least %llu",
                   (unsigned long long)need * u->n_workers);
        return -ENOBUFS;
    }
    return 0;
}

static int register_umem(struct umem *u, struct xsk_port *p)
{
    struct xsk_umem_config cfg = {.fill_size = p->size, .comp_size = p->size, .frame_size = FRAME_BYTES};

    return xsk_umem__create(&u->xsk, u->area, (uint64_t)u->n_frames * FRAME_BYTES, &p->fill, &p->comp, &cfg);
}

static int bind_socket(struct umem *u, struct xsk_port *p, const struct port_config *pc)
{
    bool copy = pc->force_copy || pc->mode == XDP_MODE_GENERIC;
    struct xsk_socket_config cfg = {.rx_size = p->size,
                                    .tx_size = p->size,
                                    .libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
                                    .bind_flags = XDP_USE_NEED_WAKEUP | (copy ? XDP_COPY : 0)};
    int rc = u->xsk ? 0 : register_umem(u, p);

    if (rc == 0)
        rc = xsk_socket__create_shared(&p->xsk, pc->ifname, pc->queue, u->xsk, &p->rx, &p->tx, &p->fill,
                                       &p->comp, &cfg);
    if (rc && u->xsk && u->n_ports == 0) {
        xsk_umem__delete(u->xsk);
        u->xsk = NULL;
    }
    return rc;
}

/*
 * A socket that was closed a moment ago still holds its queue: the kernel gives it back in a work item
 * (xp_release_deferred), so a daemon that is restarted at once meets its predecessor's shadow. Wait for that, but
 * not for a socket that is alive.
 */
static int bind_socket_patiently(struct umem *u, struct xsk_port *p, const struct port_config *pc)
{
    const struct timespec pause = {.tv_nsec = BIND_PAUSE_MS * 1000000};
    int rc = bind_socket(u, p, pc);

    for (unsigned ms = 0; rc == -EBUSY && ms < BIND_PATIENCE_MS; ms += BIND_PAUSE_MS) {
        nanosleep(&pause, NULL);
        rc = bind_socket(u, p, pc);
    }
    return rc;
}

bool xsk_is_zero_copy(int fd)
{
    struct xdp_options o = {0};
    socklen_t len = sizeof(o);

    return getsockopt(fd, SOL_XDP, XDP_OPTIONS, &o, &len) == 0 && (o.flags & XDP_OPTIONS_ZEROCOPY);
}

static int set_busy_poll(struct xsk_port *p, struct err *e)
{
    static const struct {
        int option, value;
    } options[] = {{SO_PREFER_BUSY_POLL, 1}, {SO_BUSY_POLL, BUSY_POLL_US}, {SO_BUSY_POLL_BUDGET, BURST_MAX}};

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (setsockopt(p->port.fd, SOL_SOCKET, options[i].option, &options[i].value, sizeof(int))) {
            int rc =
                err_sys(e, -errno, "cannot switch busy polling on for queue %u of %s", p->queue, p->ifname);
            err_remedy(e, "it needs Linux 5.11 and CAP_NET_ADMIN; else set busy_poll: auto");
            return rc;
        }
    p->busy_poll = true;
    return 0;
}

/* What copy mode needs to send a full ring: calls that do not stop early, and a socket buffer that holds it.
 */
void xsk_port_tune_copy_mode(struct xsk_port *p)
{
    uint32_t budget = p->size;
    uint64_t wanted = (uint64_t)p->size * SNDBUF_PER_FRAME;
    int sndbuf = wanted < (1u << 29) ? (int)wanted : 1 << 29;

    if (setsockopt(p->port.fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, &budget, sizeof(budget)))
        budget = TX_SKB_BUDGET_OLD; /* Linux before 6.17 */
    p->kicks_max = p->size / budget + 1;
    /* Without CAP_NET_ADMIN the limit of net.core.wmem_max holds; frames then wait in the TX ring for a later
     * kick. */
    if (setsockopt(p->port.fd, SOL_SOCKET, SO_SNDBUFFORCE, &sndbuf, sizeof(sndbuf)))
        (void)setsockopt(p->port.fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf));
}

struct xsk_port *xsk_port_new(struct umem *u, uint32_t worker, const struct port_config *cfg)
{
    struct xsk_port *p = aligned_alloc(64, (sizeof(*p) + 63) & ~(size_t)63);

    if (!p)
        return NULL;
    memset(p, 0, sizeof(*p));
    p->port.ops = &xsk_port_ops;
    p->port.fd = -1;
    p->port.index = cfg->index;
    p->cache = umem_cache(u, worker);
    p->area = u->area;
    p->size = cfg->ring_size;
    p->umem = u;
    p->ifindex = if_nametoindex(cfg->ifname);
    p->queue = cfg->queue;
    p->mode = cfg->mode;
    strncpy(p->ifname, cfg->ifname, sizeof(p->ifname) - 1);
    return p;
}

struct port *port_open(struct umem *u, uint32_t worker, const struct port_config *cfg, struct err *e)
{
    if (xsk_port_check(u, cfg, e))
        return NULL;
    struct xsk_port *p = xsk_port_new(u, worker, cfg);
    if (!p) {
        open_error(e, cfg, -ENOMEM);
        return NULL;
    }
    int rc = p->ifindex ? bind_socket_patiently(u, p, cfg) : -ENODEV;
    if (rc) {
        open_error(e, cfg, rc);
        free(p);
        return NULL;
    }
    u->n_ports++;
    p->port.fd = xsk_socket__fd(p->xsk);
    p->zero_copy = xsk_is_zero_copy(p->port.fd);
    if (!p->zero_copy)
        xsk_port_tune_copy_mode(p);
    if (cfg->busy_poll == BUSY_POLL_ON && set_busy_poll(p, e)) {
        xsk_port_close(&p->port);
        return NULL;
    }
    xsk_port_refill(p);
    frame_cache_settle(p->cache);
    return &p->port;
}

void xsk_port_close(struct port *port)
{
    struct xsk_port *p = (struct xsk_port *)port;
    struct frame_cache *c = p->cache;
    struct umem *u = p->umem;

    if (p->xsk) {
        xsk_socket__delete(p->xsk);
    } else {
        xsk_port_unmap(p);
        close(p->port.fd);
    }
    c->fill -= p->n_fill;
    c->tx -= p->n_tx;
    c->closed += p->n_fill + p->n_tx;
    frame_cache_settle(c);
    if (--u->n_ports == 0) {
        if (u->xsk)
            xsk_umem__delete(u->xsk);
        u->xsk = NULL;
        umem_reset(u);
    }
    free(p);
}

void port_close(struct port *p)
{
    if (p)
        p->ops->close(p);
}

int port_fd(const struct port *p)
{
    return p->fd;
}

void port_mode(const struct port *port, struct port_mode *m)
{
    const struct xsk_port *p = (const struct xsk_port *)port;
    LIBBPF_OPTS(bpf_xdp_query_opts, q);
    int prefer = 0;
    socklen_t len = sizeof(prefer);

    *m = (struct port_mode){0};
    if (port->ops != &xsk_port_ops)
        return;
    m->zero_copy = xsk_is_zero_copy(port->fd);
    m->need_wakeup = true; /* every bind asks for it, and a kernel that has not got it refuses the bind */
    m->busy_poll = getsockopt(port->fd, SOL_SOCKET, SO_PREFER_BUSY_POLL, &prefer, &len) == 0 && prefer;
    if (bpf_xdp_query((int)p->ifindex, 0, &q) == 0 && q.attach_mode != XDP_ATTACHED_NONE)
        m->generic = q.attach_mode == XDP_ATTACHED_SKB;
    else
        m->generic = p->mode == XDP_MODE_GENERIC;
}

void port_read_stats(const struct port *p, struct port_stats *out)
{
    struct xdp_statistics s = {0};
    socklen_t len = sizeof(s);

    *out = (struct port_stats){.kicks = __atomic_load_n(&p->stats.kicks, __ATOMIC_RELAXED),
                               .fill_starved = __atomic_load_n(&p->stats.fill_starved, __ATOMIC_RELAXED),
                               .kernel_tx_refused =
                                   __atomic_load_n(&p->stats.kernel_tx_refused, __ATOMIC_RELAXED)};
    if (p->ops != &xsk_port_ops || getsockopt(p->fd, SOL_XDP, XDP_STATISTICS, &s, &len))
        return;
    out->kernel_rx_dropped = s.rx_dropped;
    out->kernel_rx_ring_full = s.rx_ring_full;
    out->kernel_fill_empty = s.rx_fill_ring_empty_descs;
    out->kernel_tx_invalid = s.tx_invalid_descs;
}
