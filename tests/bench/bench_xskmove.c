/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Adapter (d) with the null inspector: ipsd's own ports, one UMEM, descriptors handed from one side to the other,
 * and the rhythm of its burst loop (worker.c), with nothing done to a frame. What is left is the price of getting
 * frames in and out; with rules, run-bench runs ipsd itself.
 * Owns the UMEM, the ports and the steering program. One thread.
 */
#include <net/if.h>
#include <poll.h>

#include "ips/io/port.h"
#include "ips/io/umem.h"
#include "ips/io/xdp.h"
#include "tests/bench/inspector.h"
#include "tests/bench/wire.h"

#define RING_SIZE   2048
#define IDLE_ROUNDS 32

static struct packet pkts[BURST_MAX];

static _Noreturn void die(const struct err *e)
{
    char text[1024];
    wire_die("%s", err_format(e, text, sizeof(text)));
}

static struct xdp *open_bridge(char **ifname, struct umem *u, struct port *port[2])
{
    struct xdp_config xc = {.ifname = {ifname[0], ifname[1]}, .mode = XDP_MODE_NATIVE};
    struct err e = {0};

    for (int i = 0; i < 2; i++)
        xc.ifindex[i] = if_nametoindex(ifname[i]);
    struct xdp *x = xdp_open(&xc, &e);
    for (uint8_t i = 0; x && i < 2; i++) {
        struct port_config pc = {
            .ifname = ifname[i], .ring_size = RING_SIZE, .index = i, .mode = XDP_MODE_NATIVE};
        port[i] = port_open(u, 0, &pc, &e);
        if (!port[i] || xdp_set_socket(x, i, 0, port_fd(port[i]), &e))
            die(&e);
    }
    if (!x || xdp_attach(x, &e))
        die(&e);
    return x;
}

static unsigned burst(struct inspector *in, struct port *from, struct port *to)
{
    struct packet *v[BURST_MAX];
    unsigned n = port_rx_burst(from, pkts, BURST_MAX);

    if (n == 0)
        return 0;
    inspector_burst(in, pkts, n);
    for (unsigned i = 0; i < n; i++)
        v[i] = &pkts[i];
    unsigned sent = port_tx_burst(to, v, n);
    if (sent < n)
        port_free_burst(to, v + sent, n - sent);
    return n;
}

int main(int argc, char **argv)
{
    struct port *port[2];
    struct err e = {0};
    unsigned idle = 0;
    char **args;
    struct inspector *in = inspector_start(argc, argv, 2, "IF IF", &args);
    struct umem *u = umem_new(5 * RING_SIZE + 4 * BURST_MAX, 1, &e);

    if (!u)
        die(&e);
    struct xdp *x = open_bridge(args, u, port);
    inspector_ready();
    while (!inspector_stopped()) {
        struct pollfd fds[2] = {{.fd = port[0]->fd, .events = POLLIN}, {.fd = port[1]->fd, .events = POLLIN}};
        unsigned n = burst(in, port[0], port[1]) + burst(in, port[1], port[0]);
        port_service(port[0]);
        port_service(port[1]);
        if (n)
            idle = 0;
        else if (++idle > IDLE_ROUNDS)
            poll(fds, 2, 100);
    }
    xdp_close(x);
    for (int i = 1; i >= 0; i--)
        port_close(port[i]);
    umem_free(u);
    inspector_end(in);
    return 0;
}
