// SPDX-License-Identifier: BSD-2-Clause
/*
 * Frames from the worker that received them to the worker that owns their flow.
 *
 * One ck_ring per ordered pair of workers: one thread writes it, one reads it, neither waits. What travels is
 * the descriptor; the frame's bytes and its place in the UMEM stay. A full ring is the sender's to deal with.
 *
 * A worker that finds nothing to do says so (handoff_sleep), looks once more (handoff_pending) and polls its
 * eventfd. A sender puts its descriptor into the ring first and asks for sleepers after. Saying and asking
 * are both atomic read-modify-writes of one word, so one comes before the other: a sender that comes later
 * sees the sleeper and wakes it; one that came earlier has its descriptor seen by the second look. Among
 * several senders the one that takes the word down makes the system call; while the receiver is awake nobody
 * does.
 */
#include "ips/io/handoff.h"

#include <ck_ring.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#ifdef SLUICE_TSAN /* the ring orders its accesses by assembler instructions, which the sanitizer does not see */
#include <sanitizer/tsan_interface.h>
#define say_given(p) __tsan_release(p)
#define say_taken(p) __tsan_acquire(p)
#else
#define say_given(p) ((void)(p))
#define say_taken(p) ((void)(p))
#endif

struct descriptor {
    uint8_t *data;
    uint64_t umem_addr, now_ns, ts_ns;
    uint32_t len;
    uint8_t in_port, link;
    bool handed;
};
CK_RING_PROTOTYPE(descriptor, descriptor)

struct lane { /* one ordered pair */
    struct ck_ring ring;
    struct descriptor *slots;
};

struct receiver {
    _Alignas(64) int asleep; /* atomic: written by its worker and by whoever wakes it */
    int fd;
    uint32_t next; /* the sender to look at first: taking turns keeps one from starving the others */
};

struct handoff {
    uint32_t n_workers;
    struct receiver *receivers; /* n_workers */
    struct lane *lanes;         /* [to][from] */
};

static struct lane *lane_of(const struct handoff *h, uint32_t from, uint32_t to)
{
    return &h->lanes[(size_t)to * h->n_workers + from];
}

static int lane_open(struct lane *l, uint32_t size)
{
    l->slots = calloc(size, sizeof(*l->slots));
    ck_ring_init(&l->ring, size);
    return l->slots ? 0 : -ENOMEM;
}

static int lanes_open(struct handoff *h, uint32_t ring_size)
{
    for (uint32_t w = 0; w < h->n_workers; w++)
        h->receivers[w].fd = -1;
    for (uint32_t to = 0; to < h->n_workers; to++) {
        h->receivers[to].fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (h->receivers[to].fd < 0)
            return -errno;
        for (uint32_t from = 0; from < h->n_workers; from++)
            if (from != to && lane_open(lane_of(h, from, to), ring_size))
                return -ENOMEM;
    }
    return 0;
}

struct handoff *handoff_new(uint32_t n_workers, uint32_t ring_size, struct err *e)
{
    if (n_workers == 0 || ring_size < 4 || (ring_size & (ring_size - 1))) {
        err_set(e, -EINVAL,
                "handoff rings of %u entries for %u workers: the size must be a power of two from 4",
                ring_size, n_workers);
        return NULL;
    }
    struct handoff *h = calloc(1, sizeof(*h));
    int rc = -ENOMEM;
    size_t n_lanes = (size_t)n_workers * n_workers;

    if (h) {
        h->n_workers = n_workers;
        h->receivers = aligned_alloc(64, n_workers * sizeof(*h->receivers));
        h->lanes = aligned_alloc(64, (n_lanes * sizeof(*h->lanes) + 63) & ~(size_t)63);
    }
    if (h && h->receivers && h->lanes) {
        memset(h->receivers, 0, n_workers * sizeof(*h->receivers));
        memset(h->lanes, 0, n_lanes * sizeof(*h->lanes));
        rc = lanes_open(h, ring_size);
    }
    if (rc == 0)
        return h;
    err_sys(e, rc, "cannot make %zu handoff rings of %u entries", n_lanes, ring_size);
    err_remedy(e, rc == -EMFILE ? "raise the limit of open files (systemd: LimitNOFILE)"
                                : "lower queues or ring_size of the bridge");
    handoff_free(h);
    return NULL;
}

void handoff_free(struct handoff *h)
{
    if (!h)
        return;
    for (size_t i = 0; h->lanes && i < (size_t)h->n_workers * h->n_workers; i++)
        free(h->lanes[i].slots);
    for (uint32_t w = 0; h->receivers && h->lanes && w < h->n_workers; w++)
        if (h->receivers[w].fd >= 0)
            close(h->receivers[w].fd);
    free(h->lanes);
    free(h->receivers);
    free(h);
}

static void wake(struct receiver *r)
{
    const uint64_t one = 1;

    /* Adding 0 reads the word in the one order of its read-modify-writes; a plain load might be too early. */
    if (__atomic_fetch_add(&r->asleep, 0, __ATOMIC_ACQ_REL) &&
        __atomic_exchange_n(&r->asleep, 0, __ATOMIC_ACQ_REL))
        while (write(r->fd, &one, sizeof(one)) < 0 && errno == EINTR)
            ; /* EAGAIN: the counter is at its limit, so the descriptor is readable anyhow */
}

bool handoff_send(struct handoff *h, uint32_t from, uint32_t to, const struct packet *p)
{
    struct lane *l = lane_of(h, from, to);
    struct descriptor d = {.data = p->data,
                           .umem_addr = p->umem_addr,
                           .now_ns = p->now_ns,
                           .ts_ns = p->ts_ns,
                           .len = p->len,
                           .in_port = p->in_port,
                           .link = p->link,
                           .handed = p->handed};

    say_given(p->data);
    if (!ck_ring_enqueue_spsc_descriptor(&l->ring, l->slots, &d))
        return false;
    wake(&h->receivers[to]);
    return true;
}

uint32_t handoff_room(const struct handoff *h, uint32_t from, uint32_t to)
{
    const struct ck_ring *r = &lane_of(h, from, to)->ring;

    return ck_ring_capacity(r) - 1 - ck_ring_size(r); /* a ring holds one entry less than its size */
}

unsigned handoff_receive(struct handoff *h, uint32_t to, struct packet *pkts, unsigned max)
{
    struct receiver *r = &h->receivers[to];
    unsigned n = 0;
    struct descriptor d;

    for (uint32_t i = 0; i < h->n_workers && n < max; i++) {
        uint32_t from = (r->next + i) % h->n_workers;
        struct lane *l = lane_of(h, from, to);

        while (from != to && n < max && ck_ring_dequeue_spsc_descriptor(&l->ring, l->slots, &d)) {
            struct packet *p = &pkts[n++];
            p->data = d.data;
            say_taken(p->data);
            __builtin_prefetch(p->data);
            p->umem_addr = d.umem_addr;
            p->now_ns = d.now_ns;
            p->ts_ns = d.ts_ns;
            p->len = p->orig_len = d.len;
            p->in_port = d.in_port;
            p->link = d.link;
            p->handed = d.handed;
            p->flags = 0;
            p->pcap_cnt = 0;
        }
    }
    r->next = (r->next + 1) % h->n_workers; /* NOLINT: handoff_new() refuses 0 workers */
    return n;
}

int handoff_fd(const struct handoff *h, uint32_t worker)
{
    return h->receivers[worker].fd;
}

void handoff_sleep(struct handoff *h, uint32_t worker, bool asleep)
{
    struct receiver *r = &h->receivers[worker];
    uint64_t count;

    __atomic_exchange_n(&r->asleep, asleep, __ATOMIC_ACQ_REL);
    /* Nothing to read (EAGAIN) means that something else ended the sleep; what a late waker still writes ends
     * the next one early, which costs a look at empty rings. */
    if (!asleep)
        (void)!read(r->fd, &count, sizeof(count));
}

bool handoff_pending(const struct handoff *h, uint32_t to)
{
    for (uint32_t from = 0; from < h->n_workers; from++)
        if (from != to && ck_ring_size(&lane_of(h, from, to)->ring) > 0)
            return true;
    return false;
}
