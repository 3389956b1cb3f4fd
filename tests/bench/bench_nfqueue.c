/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Adapter (a): packets from NFQUEUE, verdicts back to the kernel, the way Suricata's NFQ mode does it and a little
 * better: several packets a system call (recvmmsg), and one batch verdict for a run of accepted ones. Queue length
 * (4 * 1024) and socket buffer (queue length * 1500) are Suricata's; so is the socket that ignores ENOBUFS.
 * The kernel bridges; an iptables rule in FORWARD sends every IPv4 packet here, from the IP header on.
 * Owns one netlink socket. One thread.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <libnetfilter_queue/libnetfilter_queue.h>

#include "tests/bench/inspector.h"
#include "tests/bench/wire.h"

#define QUEUE_LEN           4096
#define COPY_BYTES          0xffff
#define MESSAGE_BYTES       (COPY_BYTES + 1 + 512) /* a multiple of 8: netlink headers are aligned */
#define MESSAGE_SMALL_BYTES 8192

struct queue {
    struct mnl_socket *nl;
    uint32_t number;
    uint32_t id[BURST_MAX];
    struct packet pkts[BURST_MAX];
    struct iovec iov[BURST_MAX];
    struct mmsghdr msgs[BURST_MAX];
    _Alignas(8) uint8_t buf[BURST_MAX][MESSAGE_BYTES];
};

static void configure(struct queue *q)
{
    _Alignas(8) char buf[MESSAGE_SMALL_BYTES];
    int on = 1, size = QUEUE_LEN * 1500;

    q->nl = mnl_socket_open(NETLINK_NETFILTER);
    if (!q->nl || mnl_socket_bind(q->nl, 0, MNL_SOCKET_AUTOPID) < 0)
        wire_die("cannot open a netfilter socket: %s", strerror(errno));
    mnl_socket_setsockopt(q->nl, NETLINK_NO_ENOBUFS, &on, sizeof(on));
    if (setsockopt(mnl_socket_get_fd(q->nl), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
        wire_die("cannot set the socket buffer to %d: %s", size, strerror(errno));

    struct nlmsghdr *h = nfq_nlmsg_put(buf, NFQNL_MSG_CONFIG, q->number);
    nfq_nlmsg_cfg_put_cmd(h, AF_INET, NFQNL_CFG_CMD_BIND);
    h->nlmsg_flags |= NLM_F_ACK;
    if (mnl_socket_sendto(q->nl, h, h->nlmsg_len) < 0)
        wire_die("cannot bind queue %u: %s", q->number, strerror(errno));
    ssize_t n = mnl_socket_recvfrom(q->nl, buf, sizeof(buf));
    if (n < 0 || mnl_cb_run(buf, (size_t)n, 0, mnl_socket_get_portid(q->nl), NULL, NULL) < 0)
        wire_die("cannot bind queue %u: %s", q->number, strerror(errno));

    h = nfq_nlmsg_put(buf, NFQNL_MSG_CONFIG, q->number);
    nfq_nlmsg_cfg_put_params(h, NFQNL_COPY_PACKET, COPY_BYTES);
    nfq_nlmsg_cfg_put_qmaxlen(h, QUEUE_LEN);
    if (mnl_socket_sendto(q->nl, h, h->nlmsg_len) < 0)
        wire_die("cannot configure queue %u: %s", q->number, strerror(errno));
}

/* One netlink message: packet number i of the burst, or nothing that concerns us. */
static bool take(struct queue *q, unsigned slot, unsigned i)
{
    const struct nlmsghdr *h = (const struct nlmsghdr *)q->buf[slot];
    struct nlattr *attr[NFQA_MAX + 1] = {NULL};

    if (!mnl_nlmsg_ok(h, (int)q->msgs[slot].msg_len) || (h->nlmsg_type & 0xff) != NFQNL_MSG_PACKET)
        return false;
    if (nfq_nlmsg_parse(h, attr) < 0 || !attr[NFQA_PACKET_HDR] || !attr[NFQA_PAYLOAD])
        return false;
    const struct nfqnl_msg_packet_hdr *ph = mnl_attr_get_payload(attr[NFQA_PACKET_HDR]);
    q->id[i] = ntohl(ph->packet_id);
    q->pkts[i] = (struct packet){.data = mnl_attr_get_payload(attr[NFQA_PAYLOAD]),
                                 .len = mnl_attr_get_payload_len(attr[NFQA_PAYLOAD]),
                                 .link = LINK_RAW};
    q->pkts[i].orig_len = q->pkts[i].len;
    return true;
}

static unsigned receive(struct queue *q)
{
    unsigned n = 0;

    for (unsigned i = 0; i < BURST_MAX; i++) {
        q->iov[i] = (struct iovec){q->buf[i], MESSAGE_BYTES};
        q->msgs[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &q->iov[i], .msg_iovlen = 1}};
    }
    int got = recvmmsg(mnl_socket_get_fd(q->nl), q->msgs, BURST_MAX, MSG_WAITFORONE, NULL);
    if (got < 0 && errno != EINTR)
        wire_die("cannot receive from queue %u: %s", q->number, strerror(errno));
    for (int i = 0; i < got; i++)
        n += take(q, (unsigned)i, n);
    return n;
}

/* A batch verdict holds for every packet up to its id that has none yet. */
static void decide(struct queue *q, unsigned i, int type, int verdict)
{
    _Alignas(8) char buf[MESSAGE_SMALL_BYTES];
    struct nlmsghdr *h = nfq_nlmsg_put(buf, type, q->number);

    nfq_nlmsg_verdict_put(h, (int)q->id[i], verdict);
    if (mnl_socket_sendto(q->nl, h, h->nlmsg_len) < 0)
        wire_die("cannot send a verdict to queue %u: %s", q->number, strerror(errno));
}

static void decide_all(struct queue *q, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (q->pkts[i].verdict == VERDICT_DROP)
            decide(q, i, NFQNL_MSG_VERDICT, NF_DROP);
        else if (i + 1 == n || q->pkts[i + 1].verdict == VERDICT_DROP)
            decide(q, i, NFQNL_MSG_VERDICT_BATCH, NF_ACCEPT);
}

int main(int argc, char **argv)
{
    static struct queue q;
    char **args;
    struct inspector *in = inspector_start(argc, argv, 1, "QUEUE", &args);

    q.number = (uint32_t)wire_number(args[0], "QUEUE");
    configure(&q);
    inspector_ready();
    while (!inspector_stopped()) {
        unsigned n = receive(&q);
        if (n == 0)
            continue;
        inspector_burst(in, q.pkts, n);
        decide_all(&q, n);
    }
    mnl_socket_close(q.nl);
    inspector_end(in);
    return 0;
}
