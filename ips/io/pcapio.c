// SPDX-License-Identifier: BSD-2-Clause
/*
 * Capture files as a port: rx_burst reads frames from a pcap or pcapng file, tx_burst writes those that would
 * have left to a pcap file, or nowhere. One thread, the one that runs the burst loop in capture mode.
 *
 * The port owns 2 * BURST_MAX frames and as many as fragments may be held in, each large enough for an IP datagram of 65,535 bytes under any link
 * header, because captures taken with offloads on hold such (those never used are never touched). They go round as UMEM frames do: rx takes from
 * the free list, tx and free put back. So the engine above sees ownership and shortage as it does on a
 * socket.
 *
 * A burst ends early when its frames add up to BURST_BYTES. Whoever drains an event ring after every burst then
 * knows how much one can put there: a frame may be logged as often as a packet has alerts, each time whole.
 *
 * Time is the capture's, in nanoseconds whatever the file's resolution. The output has the input's link type;
 * what the engine made itself is written with the time of the frame that was read last.
 *
 * A file that breaks off, and an output that cannot be written, end the run: rx delivers nothing more, tx
 * takes nothing more, and pcapio_error() says what happened, and where.
 */
#include "ips/io/pcapio.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "ips/base/clock.h"

#define PCAPIO_FRAMES      (2 * BURST_MAX + PCAPIO_HELD_MAX)
#define PCAPIO_FRAME_BYTES (65536 + 256)
#define BURST_BYTES        65536
#define DLT_RAW_OPENBSD    14     /* in files from there; libpcap reads but does not write it */
#define PCAPIO_SNAPLEN     262144 /* what the output's header says; libpcap's own maximum */

struct pcapio {
    struct port port;
    pcap_t *in;
    pcap_dumper_t *out; /* NULL: frames that leave are forgotten */
    uint8_t link;
    uint16_t n_free;
    uint16_t free_frames[PCAPIO_FRAMES];
    uint8_t *memory; /* PCAPIO_FRAMES of PCAPIO_FRAME_BYTES */
    uint64_t n_read;
    uint64_t last_ts_ns;
    int in_error; /* -errno; the text is libpcap's, or says that a frame is too long */
    int out_error;
    uint32_t too_long;        /* bytes of the frame that did not fit; 0 when that is not what went wrong */
    char *in_path, *out_path; /* for messages */
};

static const struct {
    int dlt;
    enum link_type link;
} links[] = {
    {DLT_EN10MB, LINK_ETHERNET}, {DLT_RAW, LINK_RAW}, /* 12 here; 101 in files */
    {DLT_RAW_OPENBSD, LINK_RAW}, {101, LINK_RAW},
    {DLT_IPV4, LINK_RAW},        {DLT_IPV6, LINK_RAW},
    {DLT_LINUX_SLL, LINK_SLL},   {DLT_LINUX_SLL2, LINK_SLL2},
    {DLT_PPP, LINK_PPP},         {DLT_PPP_SERIAL, LINK_PPP},
    {DLT_NULL, LINK_NULL},       {DLT_LOOP, LINK_NULL}, /* the same four bytes, in network order */
};

static enum link_type link_of(int dlt)
{
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
        if (links[i].dlt == dlt)
            return links[i].link;
    return LINK_OTHER;
}

static struct pcapio *pcapio_of(struct port *port)
{
    return (struct pcapio *)port; /* its first member */
}

static uint8_t *take_frame(struct pcapio *p, struct packet *pkt)
{
    uint16_t i = p->free_frames[--p->n_free];

    pkt->umem_addr = (uint64_t)i * PCAPIO_FRAME_BYTES;
    pkt->data = p->memory + pkt->umem_addr;
    pkt->link = p->link;
    return pkt->data;
}

static void give_frame(struct pcapio *p, const struct packet *pkt)
{
    p->free_frames[p->n_free++] = (uint16_t)(pkt->umem_addr / PCAPIO_FRAME_BYTES);
}

static unsigned rx_burst(struct port *port, struct packet *pkts, unsigned max)
{
    struct pcapio *p = pcapio_of(port);
    unsigned n = 0;
    uint32_t n_bytes = 0;
    struct pcap_pkthdr *h;
    const u_char *bytes;

    while (n < max && n_bytes < BURST_BYTES && p->n_free > 0 && !port->at_end) {
        int rc = pcap_next_ex(p->in, &h, &bytes);
        port->at_end = rc != 1;
        if (rc == PCAP_ERROR)
            p->in_error = -EIO;
        if (rc != 1)
            break;
        if (h->caplen > PCAPIO_FRAME_BYTES) {
            port->at_end = true;
            p->in_error = -EMSGSIZE;
            p->too_long = h->caplen;
            break;
        }
        struct packet *pkt = &pkts[n++];
        memcpy(take_frame(p, pkt), bytes, h->caplen);
        pkt->len = h->caplen;
        n_bytes += h->caplen;
        pkt->orig_len = h->len > h->caplen ? h->len : h->caplen;
        pkt->flags = 0;
        pkt->handed = false;
        pkt->in_port = port->index;
        pkt->pcap_cnt = ++p->n_read;
        /* opened with nanosecond precision: tv_usec holds nanoseconds */
        pkt->ts_ns = pkt->now_ns = (uint64_t)h->ts.tv_sec * NS_PER_S + (uint64_t)h->ts.tv_usec;
        p->last_ts_ns = pkt->ts_ns;
    }
    return n;
}

static void write_frame(struct pcapio *p, const struct packet *pkt)
{
    bool made = pkt->flags & PKT_INJECTED;
    uint64_t ts = made ? p->last_ts_ns : pkt->ts_ns;
    struct pcap_pkthdr h = {
        .ts = {.tv_sec = (time_t)(ts / NS_PER_S), .tv_usec = (suseconds_t)(ts % NS_PER_S)},
        .caplen = pkt->len,
        .len = made || pkt->orig_len < pkt->len ? pkt->len : pkt->orig_len};

    pcap_dump((u_char *)p->out, &h, pkt->data);
}

static unsigned tx_burst(struct port *port, struct packet *const *pkts, unsigned n)
{
    struct pcapio *p = pcapio_of(port);
    unsigned i;

    for (i = 0; i < n && !p->out_error; i++) {
        if (p->out) {
            errno = 0;
            write_frame(p, pkts[i]);
            if (ferror(pcap_dump_file(p->out))) {
                p->out_error = errno ? -errno : -EIO;
                port->at_end = true;
                break;
            }
        }
        give_frame(p, pkts[i]);
    }
    return i;
}

static void free_burst(struct port *port, struct packet *const *pkts, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        give_frame(pcapio_of(port), pkts[i]);
}

static bool alloc_frame(struct port *port, struct packet *pkt)
{
    struct pcapio *p = pcapio_of(port);

    if (p->n_free == 0)
        return false;
    take_frame(p, pkt);
    pkt->len = pkt->orig_len = 0;
    return true;
}

static void service(struct port *port) {}

static void pcapio_close(struct port *port)
{
    struct pcapio *p = pcapio_of(port);

    if (p->out)
        pcap_dump_close(p->out);
    if (p->in)
        pcap_close(p->in);
    free(p->in_path);
    free(p->out_path);
    free(p->memory);
    free(p);
}

static const struct port_ops pcapio_ops = {
    .rx_burst = rx_burst,
    .tx_burst = tx_burst,
    .free_burst = free_burst,
    .alloc = alloc_frame,
    .service = service,
    .close = pcapio_close,
};

static int open_in(struct pcapio *p, struct stat *st, struct err *e)
{
    char why[PCAP_ERRBUF_SIZE] = "";
    int rc = -EINVAL;
    FILE *f = fopen(p->in_path, "re");

    if (!f || fstat(fileno(f), st)) {
        rc = err_sys(e, -errno, "cannot open capture file %s", p->in_path);
        err_remedy(e, "give the path of a pcap or pcapng file that this user may read");
    } else {
        p->in = pcap_fopen_offline_with_tstamp_precision(f, PCAP_TSTAMP_PRECISION_NANO, why);
        if (p->in) {
            p->link = link_of(pcap_datalink(p->in));
            return 0;
        }
        err_set(e, rc, "%s cannot be read as a capture: %s", p->in_path, why);
        err_remedy(e, "give a pcap or pcapng file; 'file %s' says what it is", p->in_path);
    }
    if (f)
        fclose(f);
    return rc;
}

/* A file of its own header, not the input's: its snapshot length holds for frames the engine makes too. */
static int open_out(struct pcapio *p, const struct stat *in, struct err *e)
{
    struct stat st;
    int dlt = pcap_datalink(p->in);

    /* NOLINTNEXTLINE: `in` was filled, or open_in() failed and we are not here */
    if (stat(p->out_path, &st) == 0 && st.st_dev == in->st_dev && st.st_ino == in->st_ino) {
        err_set(e, -EINVAL, "%s is both the capture to read and the capture to write", p->out_path);
        err_remedy(e, "give --pcap-out another path; writing would destroy the capture");
        return -EINVAL;
    }
    if (dlt == DLT_RAW_OPENBSD)
        dlt = DLT_RAW;
    pcap_t *dead = pcap_open_dead_with_tstamp_precision(dlt, PCAPIO_SNAPLEN, PCAP_TSTAMP_PRECISION_NANO);
    if (!dead)
        return err_set(e, -ENOMEM, "no memory to write %s", p->out_path);
    p->out = pcap_dump_open(dead, p->out_path);
    if (!p->out) {
        err_set(e, -EIO, "cannot write capture file %s: %s", p->out_path, pcap_geterr(dead));
        err_remedy(e, "give --pcap-out a path in a directory that this user may write to");
    }
    pcap_close(dead);
    return p->out ? 0 : -EIO;
}

static struct pcapio *pcapio_new(const char *in_path, const char *out_path, struct err *e)
{
    struct pcapio *p = calloc(1, sizeof(*p));

    if (!p)
        goto no_memory;
    p->port.ops = &pcapio_ops;
    p->port.fd = -1;
    p->in_path = strdup(in_path);
    p->out_path = out_path ? strdup(out_path) : NULL;
    p->memory = malloc((size_t)PCAPIO_FRAMES * PCAPIO_FRAME_BYTES);
    if (!p->memory || !p->in_path || (out_path && !p->out_path))
        goto no_memory;
    for (uint32_t i = 0; i < PCAPIO_FRAMES; i++)
        p->free_frames[p->n_free++] = (uint16_t)(PCAPIO_FRAMES - 1 - i);
    return p;
no_memory:
    err_set(e, -ENOMEM, "no memory for %d frames to read %s into", PCAPIO_FRAMES, in_path);
    if (p)
        pcapio_close(&p->port);
    return NULL;
}

struct port *pcapio_open(const char *in_path, const char *out_path, struct err *e)
{
    struct pcapio *p = pcapio_new(in_path, out_path, e);
    struct stat st;

    if (!p)
        return NULL;
    if (open_in(p, &st, e) || (out_path && open_out(p, &st, e))) {
        pcapio_close(&p->port);
        return NULL;
    }
    return &p->port;
}

static int in_error(const struct pcapio *p, struct err *e)
{
    if (p->too_long) {
        err_set(e, p->in_error, "%s: frame %llu has %u bytes, more than a frame can have (%d)", p->in_path,
                (unsigned long long)p->n_read + 1, p->too_long, PCAPIO_FRAME_BYTES);
        err_remedy(e, "the frames before it were read; cut long ones with 'editcap -s %d'",
                   PCAPIO_FRAME_BYTES);
    } else {
        err_set(e, p->in_error, "%s breaks off in frame %llu: %s", p->in_path,
                (unsigned long long)p->n_read + 1, pcap_geterr(p->in));
        err_remedy(e, "the frames before it were read; copy the capture again, or take it again");
    }
    return p->in_error;
}

int pcapio_error(const struct port *port, struct err *e)
{
    const struct pcapio *p = (const struct pcapio *)port;
    int rc = p->out_error;

    if (rc == 0 && p->out && pcap_dump_flush(p->out))
        rc = errno ? -errno : -EIO;
    if (rc) {
        err_sys(e, rc, "cannot write capture file %s", p->out_path);
        err_remedy(e, "make room on its file system, or give --pcap-out another path");
        return rc;
    }
    return p->in_error ? in_error(p, e) : 0;
}
