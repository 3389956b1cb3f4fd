/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Adapter (c): AF_XDP the way an engine is ported to it without touching its buffers. Each interface has a UMEM of
 * its own; a received frame is copied into the engine's packet buffer and its UMEM frame goes back at once; after
 * inspection the bytes are copied into a frame of the other UMEM and sent. Rings, need_wakeup and the steering
 * program are those of the shipped adapter, so the two copies and the second UMEM are the difference.
 * Owns two UMEMs with a socket each. One thread.
 */
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <xdp/xsk.h>

#include "ips/io/xdp.h"
#include "tests/bench/inspector.h"
#include "tests/bench/wire.h"

#define RING_SIZE   2048
#define UMEM_BYTES  (2ull * RING_SIZE * FRAME_BYTES) /* one half to receive into, one half to send from */
#define IDLE_ROUNDS 32

struct side {
    struct xsk_umem *umem;
    struct xsk_socket *xsk;
    struct xsk_ring_prod fill, tx;
    struct xsk_ring_cons rx, comp;
    uint8_t *area;
    int fd;
    uint32_t n_free;
    uint64_t free[RING_SIZE]; /* frames to send from */
};

static uint8_t buffers[BURST_MAX][FRAME_BYTES]; /* the engine's own */
static struct packet pkts[BURST_MAX];

static _Noreturn void die(const struct err *e)
{
    char text[1024];
    wire_die("%s", err_format(e, text, sizeof(text)));
}

static void open_side(struct side *s, const char *ifname)
{
    struct xsk_umem_config uc = {.fill_size = RING_SIZE, .comp_size = RING_SIZE, .frame_size = FRAME_BYTES};
    struct xsk_socket_config sc = {.rx_size = RING_SIZE,
                                   .tx_size = RING_SIZE,
                                   .libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
                                   .bind_flags = XDP_USE_NEED_WAKEUP};
    uint32_t at = 0;

    s->area =
        mmap(NULL, UMEM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    int rc = s->area == MAP_FAILED ? -ENOMEM
                                   : xsk_umem__create(&s->umem, s->area, UMEM_BYTES, &s->fill, &s->comp, &uc);
    if (rc == 0)
        rc = xsk_socket__create(&s->xsk, ifname, 0, s->umem, &s->rx, &s->tx, &sc);
    if (rc)
        wire_die("cannot open an AF_XDP socket on %s: %s", ifname, strerror(-rc));
    s->fd = xsk_socket__fd(s->xsk);
    int sndbuf = RING_SIZE * 8192; /* as ipsd's ports: room for a full ring */
    setsockopt(s->fd, SOL_SOCKET, SO_SNDBUFFORCE, &sndbuf, sizeof(sndbuf));
    xsk_ring_prod__reserve(&s->fill, RING_SIZE, &at);
    for (uint32_t i = 0; i < RING_SIZE; i++) {
        *xsk_ring_prod__fill_addr(&s->fill, at + i) = (uint64_t)i * FRAME_BYTES;
        s->free[s->n_free++] = (uint64_t)(RING_SIZE + i) * FRAME_BYTES;
    }
    xsk_ring_prod__submit(&s->fill, RING_SIZE);
}

/* Copies a burst out of the ring and gives its frames back to the kernel. */
static unsigned receive(struct side *s, uint8_t in_port)
{
    uint32_t at, fill;
    unsigned n = xsk_ring_cons__peek(&s->rx, BURST_MAX, &at);

    if (n == 0)
        return 0;
    /* as many entries as were received are free, but the kernel may be late in showing it */
    while (xsk_ring_prod__reserve(&s->fill, n, &fill) != n)
        ;
    for (unsigned i = 0; i < n; i++) {
        const struct xdp_desc *d = xsk_ring_cons__rx_desc(&s->rx, at + i);
        memcpy(buffers[i], s->area + d->addr, d->len);
        pkts[i] = (struct packet){
            .data = buffers[i], .len = d->len, .orig_len = d->len, .in_port = in_port, .link = LINK_ETHERNET};
        *xsk_ring_prod__fill_addr(&s->fill, fill + i) = d->addr - d->addr % FRAME_BYTES;
    }
    xsk_ring_prod__submit(&s->fill, n);
    xsk_ring_cons__release(&s->rx, n);
    return n;
}

static void reclaim(struct side *s)
{
    uint32_t at = 0, n = xsk_ring_cons__peek(&s->comp, RING_SIZE, &at);

    for (uint32_t i = 0; i < n; i++)
        s->free[s->n_free++] = *xsk_ring_cons__comp_addr(&s->comp, at + i);
    if (n)
        xsk_ring_cons__release(&s->comp, n);
}

/* What finds no free frame is lost, as in the shipped adapter. */
static void transmit(struct side *s, unsigned n)
{
    uint32_t at, n_tx = 0;

    reclaim(s);
    for (unsigned i = 0; i < n; i++) {
        if (pkts[i].verdict != VERDICT_FORWARD || s->n_free == 0 ||
            xsk_ring_prod__reserve(&s->tx, 1, &at) != 1)
            continue;
        uint64_t addr = s->free[--s->n_free];
        memcpy(s->area + addr, pkts[i].data, pkts[i].len);
        *xsk_ring_prod__tx_desc(&s->tx, at) = (struct xdp_desc){.addr = addr, .len = pkts[i].len};
        n_tx++;
    }
    xsk_ring_prod__submit(&s->tx, n_tx);
}

/* In copy mode one call sends 32 frames and says EAGAIN when more are left. */
static void kick(struct side *s)
{
    for (unsigned i = 0; i <= BURST_MAX / 32 && xsk_ring_prod__needs_wakeup(&s->tx); i++)
        if (sendto(s->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0 || errno != EAGAIN)
            break;
}

static unsigned burst(struct inspector *in, struct side *from, struct side *to, uint8_t in_port)
{
    unsigned n = receive(from, in_port);

    if (n == 0)
        return 0;
    inspector_burst(in, pkts, n);
    transmit(to, n);
    kick(to);
    return n;
}

static struct xdp *steer(char **ifname, struct side *s)
{
    struct xdp_config xc = {.ifname = {ifname[0], ifname[1]}, .mode = XDP_MODE_NATIVE};
    struct err e = {0};

    for (int i = 0; i < 2; i++)
        xc.ifindex[i] = if_nametoindex(ifname[i]);
    struct xdp *x = xdp_open(&xc, &e);
    if (!x)
        die(&e);
    for (uint32_t i = 0; i < 2; i++)
        if (xdp_set_socket(x, i, 0, s[i].fd, &e))
            die(&e);
    if (xdp_attach(x, &e))
        die(&e);
    return x;
}

int main(int argc, char **argv)
{
    static struct side s[2];
    unsigned idle = 0;
    char **args;
    struct inspector *in = inspector_start(argc, argv, 2, "IF IF", &args);

    for (int i = 0; i < 2; i++)
        open_side(&s[i], args[i]);
    struct xdp *x = steer(args, s);
    inspector_ready();
    while (!inspector_stopped()) {
        struct pollfd fds[2] = {{.fd = s[0].fd, .events = POLLIN}, {.fd = s[1].fd, .events = POLLIN}};
        if (burst(in, &s[0], &s[1], 0) + burst(in, &s[1], &s[0], 1))
            idle = 0;
        else if (++idle > IDLE_ROUNDS)
            poll(fds, 2, 100);
    }
    xdp_close(x);
    for (int i = 0; i < 2; i++) {
        xsk_socket__delete(s[i].xsk);
        xsk_umem__delete(s[i].umem);
        munmap(s[i].area, UMEM_BYTES);
    }
    inspector_end(in);
    return 0;
}
