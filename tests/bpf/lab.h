/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_TESTS_BPF_LAB_H
#define SLUICE_TESTS_BPF_LAB_H
/*
 * The ground the BPF tests stand on: a network namespace of this process with the two ends of a bridge,
 *
 *     tsa-peer ----- tsa (port 0)   [program]   (port 1) tsb ----- tsb-peer
 *
 * each a veth with two queues, and AF_XDP sockets to put into the program's slots. All of it goes with the process.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xdp/xsk.h>
#include <cmocka.h>
#include "ips/io/xdp.h"

#define LAB_QUEUES 2

static inline void lab_run(const char *cmd)
{
    if (system(cmd) != 0)
        fail_msg("failed: %s", cmd);
}

/* Once, before the tests. Without the privilege each test then skips itself with LAB_NEEDED(). */
static bool lab_entered;
static inline void lab_enter(void)
{
    lab_entered = geteuid() == 0 && unshare(CLONE_NEWNET) == 0;
    if (!lab_entered)
        print_message("skipped: loading the steering program needs root\n");
}
#define LAB_NEEDED()      \
    do {                  \
        if (!lab_entered) \
            skip();       \
    } while (0)

/* A cmocka setup function: two fresh pairs, up, with queues as wide as each other. */
static inline int lab_setup(void **state)
{
    static const char *const pairs[] = {"tsa", "tsb"};

    for (int i = 0; i < 2 && lab_entered; i++) {
        char cmd[512];
        snprintf(
            cmd, sizeof(cmd),
            "ip link del %1$s 2>/dev/null; ip link add %1$s numrxqueues 2 numtxqueues 2 type veth peer name "
            "%1$s-peer numrxqueues 2 numtxqueues 2 && sysctl -qw net.ipv6.conf.%1$s.disable_ipv6=1 "
            "net.ipv6.conf.%1$s-peer.disable_ipv6=1 && ip link set %1$s up && ip link set %1$s-peer up",
            pairs[i]);
        lab_run(cmd);
    }
    return 0;
}

static inline struct xdp_config lab_config(enum steer_fail_policy policy)
{
    return (struct xdp_config){.ifname = {"tsa", "tsb"},
                               .ifindex = {if_nametoindex("tsa"), if_nametoindex("tsb")},
                               .fail_policy = policy};
}

static inline struct xdp *lab_open(const struct xdp_config *cfg)
{
    struct err e = {0};
    struct xdp *x = xdp_open(cfg, &e);

    if (!x)
        fail_msg("%s; %s", e.text, e.remedy);
    return x;
}

/* A bound AF_XDP socket with an empty fill ring but for one frame. */
struct lab_socket {
    struct xsk_umem *umem;
    struct xsk_socket *xsk;
    struct xsk_ring_prod fill, tx;
    struct xsk_ring_cons completion, rx;
    void *area;
};
#define LAB_FRAMES 16

static inline void lab_socket_open(struct lab_socket *s, const char *ifname, uint32_t queue)
{
    const struct xsk_umem_config uc = {.fill_size = LAB_FRAMES, .comp_size = LAB_FRAMES, .frame_size = 4096};
    const struct xsk_socket_config sc = {.rx_size = LAB_FRAMES,
                                         .tx_size = LAB_FRAMES,
                                         .libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
                                         .bind_flags = XDP_COPY};
    uint32_t slot = 0;

    s->area = mmap(NULL, LAB_FRAMES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(s->area, MAP_FAILED);
    assert_int_equal(xsk_umem__create(&s->umem, s->area, LAB_FRAMES * 4096, &s->fill, &s->completion, &uc),
                     0);
    assert_int_equal(xsk_socket__create(&s->xsk, ifname, queue, s->umem, &s->rx, &s->tx, &sc), 0);
    assert_int_equal(xsk_ring_prod__reserve(&s->fill, 1, &slot), 1);
    *xsk_ring_prod__fill_addr(&s->fill, slot) = 0;
    xsk_ring_prod__submit(&s->fill, 1);
}

static inline void lab_socket_close(struct lab_socket *s)
{
    xsk_socket__delete(s->xsk);
    assert_int_equal(xsk_umem__delete(s->umem), 0);
    munmap(s->area, LAB_FRAMES * 4096);
}
#endif
