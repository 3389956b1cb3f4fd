/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Adapter (b): frames from an AF_PACKET RX ring (TPACKET_V2: version 3 holds frames back until a block is full or a
 * timer fires, so nobody uses it in-line), inspected where they lie, and sent out of the other interface with one
 * sendto each: Suricata's copy-mode ips. The socket skips the queueing discipline and does not see what it sends.
 * Owns a socket and a mapped ring per interface. One thread.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <arpa/inet.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "tests/bench/inspector.h"
#include "tests/bench/wire.h"

#define SLOT_BYTES  2048
#define SLOTS       4096
#define BLOCK_BYTES (1u << 16)

struct side {
    int fd;
    uint8_t *ring;
    unsigned next; /* slot that the kernel fills next */
};

static void set(int fd, int option, const void *value, socklen_t size, const char *what)
{
    if (setsockopt(fd, SOL_PACKET, option, value, size) < 0)
        wire_die("AF_PACKET: cannot set %s: %s", what, strerror(errno));
}

static void open_side(struct side *s, const char *ifname)
{
    int on = 1, version = TPACKET_V2;
    struct sockaddr_ll at = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(ETH_P_ALL),
                             .sll_ifindex = (int)if_nametoindex(ifname)};
    struct packet_mreq promisc = {.mr_ifindex = at.sll_ifindex, .mr_type = PACKET_MR_PROMISC};
    struct tpacket_req req = {.tp_block_size = BLOCK_BYTES,
                              .tp_frame_size = SLOT_BYTES,
                              .tp_frame_nr = SLOTS,
                              .tp_block_nr = SLOTS / (BLOCK_BYTES / SLOT_BYTES)};

    s->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (s->fd < 0 || !at.sll_ifindex)
        wire_die("cannot open an AF_PACKET socket on %s: %s", ifname, strerror(errno));
    set(s->fd, PACKET_VERSION, &version, sizeof(version), "PACKET_VERSION");
    set(s->fd, PACKET_RX_RING, &req, sizeof(req), "PACKET_RX_RING");
    set(s->fd, PACKET_IGNORE_OUTGOING, &on, sizeof(on), "PACKET_IGNORE_OUTGOING");
    set(s->fd, PACKET_QDISC_BYPASS, &on, sizeof(on), "PACKET_QDISC_BYPASS");
    set(s->fd, PACKET_ADD_MEMBERSHIP, &promisc, sizeof(promisc), "PACKET_MR_PROMISC");
    s->ring =
        mmap(NULL, (size_t)SLOTS * SLOT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, s->fd, 0);
    if (s->ring == MAP_FAILED)
        wire_die("cannot map the ring of %s: %s", ifname, strerror(errno));
    if (bind(s->fd, (struct sockaddr *)&at, sizeof(at)) < 0)
        wire_die("cannot bind to %s: %s", ifname, strerror(errno));
}

static struct tpacket2_hdr *slot(const struct side *s, unsigned i)
{
    return (struct tpacket2_hdr *)(s->ring + (size_t)(i % SLOTS) * SLOT_BYTES);
}

static unsigned receive(struct side *s, struct packet *pkts, uint8_t in_port)
{
    unsigned n = 0;

    for (; n < BURST_MAX; n++) {
        struct tpacket2_hdr *h = slot(s, s->next + n);
        if (!(__atomic_load_n(&h->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
            break;
        pkts[n] = (struct packet){.data = (uint8_t *)h + h->tp_mac,
                                  .len = h->tp_snaplen,
                                  .orig_len = h->tp_len,
                                  .in_port = in_port,
                                  .link = LINK_ETHERNET};
    }
    return n;
}

static unsigned burst(struct side *in, struct side *out, struct inspector *inspector, uint8_t in_port)
{
    static struct packet pkts[BURST_MAX];
    unsigned n = receive(in, pkts, in_port);

    if (n == 0)
        return 0;
    inspector_burst(inspector, pkts, n);
    for (unsigned i = 0; i < n; i++) {
        /* a frame that the other side does not take is lost, as it would be on a wire */
        if (pkts[i].verdict == VERDICT_FORWARD && send(out->fd, pkts[i].data, pkts[i].len, 0) < 0 &&
            errno != ENOBUFS && errno != EAGAIN)
            wire_die("cannot send %u bytes: %s", pkts[i].len, strerror(errno));
        __atomic_store_n(&slot(in, in->next + i)->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
    }
    in->next += n;
    return n;
}

int main(int argc, char **argv)
{
    struct side s[2] = {{0}, {0}};
    char **args;
    struct inspector *in = inspector_start(argc, argv, 2, "IF IF", &args);

    for (int i = 0; i < 2; i++)
        open_side(&s[i], args[i]);
    inspector_ready();
    while (!inspector_stopped()) {
        struct pollfd fds[2] = {{.fd = s[0].fd, .events = POLLIN}, {.fd = s[1].fd, .events = POLLIN}};
        if (burst(&s[0], &s[1], in, 0) + burst(&s[1], &s[0], in, 1) == 0)
            poll(fds, 2, 100);
    }
    inspector_end(in);
    return 0;
}
