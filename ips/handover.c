// SPDX-License-Identifier: BSD-2-Clause
/*
 * The handover: how a bridge changes daemons between two frames.
 *
 *   old                                             new, started by the launcher with `--takeover=FD`
 *   hello: what the bridges are, control socket ->
 *   bridge: memfd, pins, sockets (one each)     ->  reads configuration and rules, compares what must be equal,
 *                                                   allocates everything, maps frames and rings, enters the sandbox
 *                                               <-  ready, or refused: the reason; or its end
 *   workers stop at the end of a round
 *   worker (one each): its counters             ->
 *   state: a memfd per bridge                   ->  checks it, takes free frames and rings over
 *                                               <-  running, and from here on runs the workers
 *   writes the last events and ends             ->  end of file: its own events may follow
 *
 * `running` is where the bridge changes hands, and the only such place: before the new daemon has said it, it writes to no
 * ring; it goes on only if it could say it; and the old one, before it goes on in spite of it all, closes its end for good and
 * looks whether it was said. So there is never none of them and never both, whoever dies or hangs when.
 *
 * This file: the messages, and the state of the frames, as plain memory in and out. Both ends are ours, but the old
 * one faces the network and the new one is not in its sandbox yet: what comes in is checked like any input.
 */
#include "ips/handover.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "ips/base/clock.h"

#define MESSAGE_MAX (192u << 10) /* what a socket's buffer takes by default, with a margin */

union control {
    struct cmsghdr h;
    char space[CMSG_SPACE(HANDOVER_FDS_MAX * sizeof(int))];
};

int handover_say(int fd, json_t *say, const struct handover_fds *fds)
{
    char *text = say ? json_dumps(say, JSON_COMPACT) : NULL;
    union control c = {.space = {0}};
    struct iovec iov = {text, text ? strlen(text) : 0};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    int rc = text ? 0 : -ENOMEM;

    json_decref(say);
    if (rc == 0 && iov.iov_len > MESSAGE_MAX)
        rc = -EMSGSIZE;
    if (fds && fds->n) {
        size_t bytes = fds->n * sizeof(int);

        m.msg_control = &c;
        m.msg_controllen = CMSG_SPACE(bytes);
        c.h =
            (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(bytes)};
        memcpy(CMSG_DATA(&c.h), fds->v, bytes);
    }
    while (rc == 0 && sendmsg(fd, &m, MSG_NOSIGNAL) < 0)
        if (errno != EINTR)
            rc = errno == ECONNRESET ? -EPIPE : -errno;
    free(text);
    return rc;
}

void handover_close(struct handover_fds *fds)
{
    while (fds->n > 0)
        close(fds->v[--fds->n]);
}

static void take_fds(struct msghdr *m, struct handover_fds *fds)
{
    fds->n = 0;
    for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
        size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS || n > HANDOVER_FDS_MAX - fds->n)
            continue;
        memcpy(fds->v + fds->n, CMSG_DATA(h), n * sizeof(int));
        fds->n += (unsigned)n;
    }
}

static int wait_readable(int fd, int timeout_ms, struct err *e)
{
    uint64_t end_ns = clock_mono_ns() + (uint64_t)timeout_ms * NS_PER_MS, now;

    while ((now = clock_mono_ns()) < end_ns || timeout_ms == 0) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int n = poll(&p, 1, timeout_ms ? (int)((end_ns - now) / NS_PER_MS) + 1 : 0);

        if (n > 0)
            return 0;
        if (timeout_ms == 0)
            break;
    }
    return err_set(e, -ETIMEDOUT, "no word within %d ms", timeout_ms);
}

json_t *handover_hear(int fd, int timeout_ms, struct handover_fds *fds, struct err *e)
{
    struct handover_fds unwanted;
    union control c;
    char *text = malloc(MESSAGE_MAX);
    struct iovec iov = {text, MESSAGE_MAX};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c)};
    json_t *say = NULL;
    ssize_t n = -1;

    if (fds)
        fds->n = 0;
    if (!text) {
        err_set(e, -ENOMEM, "no memory for a message");
        return NULL;
    }
    if (wait_readable(fd, timeout_ms, e) == 0) {
        do /* one that ended before it read all gives this error once, in front of what it had said */
            n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        while (n < 0 && (errno == ECONNRESET || errno == EINTR));
        if (n <= 0)
            err_set(e, -EPIPE, "the other daemon has closed the connection");
    }
    if (n > 0) {
        take_fds(&m, fds ? fds : &unwanted);
        if (!fds)
            handover_close(&unwanted);
        say = m.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ? NULL : json_loadb(text, (size_t)n, 0, NULL);
        if (!say && fds)
            handover_close(fds);
        if (!say)
            err_set(e, -EPROTO, "the other daemon sent something that is no message");
    }
    free(text);
    return say;
}

int handover_is(const json_t *m, const char *say)
{
    const char *s = json_string_value(json_object_get(m, "say"));

    return s && strcmp(s, say) == 0;
}

/* --- the frames of a bridge ------------------------------------------------------------------------------------- */

#define STATE_MAGIC 0x53756c48u

struct state_head {
    uint32_t magic, format, n_frames, n_workers;
};

struct state_worker { /* then n_free addresses and n_held frames */
    uint32_t n_free, n_held, fill[2], tx[2];
};

size_t handover_state_bytes(uint32_t n_frames, uint32_t n_workers)
{
    return sizeof(struct state_head) + (size_t)n_workers * sizeof(struct state_worker) +
           (size_t)n_frames * sizeof(struct handover_frame);
}

void handover_state_begin(struct handover_writer *w, void *memory, uint32_t n_frames, uint32_t n_workers)
{
    struct state_head h = {STATE_MAGIC, HANDOVER_FORMAT, n_frames, n_workers};

    memcpy(memory, &h, sizeof(h));
    w->at = (uint8_t *)memory + sizeof(h);
    w->end = (uint8_t *)memory + handover_state_bytes(n_frames, n_workers);
}

uint64_t *handover_state_free(struct handover_writer *w)
{
    return (uint64_t *)(w->at + sizeof(struct state_worker)); /* all parts are multiples of 8 bytes */
}

void handover_state_add(struct handover_writer *w, const struct handover_worker *worker)
{
    struct state_worker s = {.n_free = worker->n_free, .n_held = worker->n_held};

    for (int i = 0; i < 2; i++) {
        s.fill[i] = worker->port[i].fill;
        s.tx[i] = worker->port[i].tx;
    }
    memcpy(w->at, &s, sizeof(s));
    w->at += sizeof(s) + worker->n_free * sizeof(uint64_t);
    memcpy(w->at, worker->held, worker->n_held * sizeof(struct handover_frame));
    w->at += worker->n_held * sizeof(struct handover_frame);
}

struct reader {
    const uint8_t *at;
    size_t left;
    uint8_t *seen; /* a bit a frame */
    uint64_t n_seen;
    uint32_t n_frames;
};

static const void *take(struct reader *r, size_t bytes)
{
    const uint8_t *at = r->at;

    if (bytes > r->left)
        return NULL;
    r->at += bytes;
    r->left -= bytes;
    return at;
}

/* A frame that nobody had so far. */
static bool claim(struct reader *r, uint64_t addr)
{
    uint64_t i = addr / FRAME_BYTES;

    if (i >= r->n_frames || r->seen[i / 8] & 1u << i % 8)
        return false;
    r->seen[i / 8] |= (uint8_t)(1u << i % 8);
    r->n_seen++;
    return true;
}

static bool held_is_sound(const struct handover_frame *f)
{
    return f->in_port < 2 && f->len > 0 && f->umem_addr % FRAME_BYTES + f->len <= FRAME_BYTES;
}

static bool read_worker(struct reader *r, uint32_t ring_size, struct handover_worker *out,
                        uint64_t *with_kernel)
{
    struct state_worker s;
    const void *p = take(r, sizeof(s));

    if (!p)
        return false;
    memcpy(&s, p, sizeof(s));
    *out = (struct handover_worker){.n_free = s.n_free, .n_held = s.n_held};
    out->free = take(r, s.n_free * sizeof(uint64_t));
    out->held = take(r, s.n_held * sizeof(struct handover_frame));
    if (!out->free || !out->held)
        return false;
    for (int i = 0; i < 2; i++) {
        if (s.fill[i] > ring_size || s.tx[i] > ring_size)
            return false;
        out->port[i] = (struct port_held){.fill = s.fill[i], .tx = s.tx[i]};
        *with_kernel += s.fill[i] + s.tx[i];
    }
    for (uint32_t i = 0; i < s.n_free; i++)
        if (out->free[i] % FRAME_BYTES || !claim(r, out->free[i]))
            return false;
    for (uint32_t i = 0; i < s.n_held; i++)
        if (!held_is_sound(&out->held[i]) || !claim(r, out->held[i].umem_addr))
            return false;
    return true;
}

int handover_state_read(const void *state, size_t bytes, uint32_t n_frames, uint32_t n_workers,
                        uint32_t ring_size, struct handover_worker *workers, struct err *e)
{
    struct reader r = {.at = state, .left = bytes, .n_frames = n_frames, .seen = calloc(1, n_frames / 8 + 1)};
    const struct state_head *h = take(&r, sizeof(*h));
    uint64_t with_kernel = 0;
    bool sound = r.seen && h && h->magic == STATE_MAGIC && h->format == HANDOVER_FORMAT &&
                 h->n_frames == n_frames && h->n_workers == n_workers;

    for (uint32_t w = 0; sound && w < n_workers; w++)
        sound = read_worker(&r, ring_size, &workers[w], &with_kernel);
    free(r.seen);
    if (!sound)
        return err_set(e, -EPROTO, "the state of the frames that was handed over contradicts itself");
    if (r.n_seen + with_kernel != n_frames)
        return err_set(e, -EPROTO, "%llu frames were handed over, and the bridge has %u",
                       (unsigned long long)r.n_seen + with_kernel, n_frames);
    return 0;
}
