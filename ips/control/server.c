/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket's server: one thread, one poll loop, many clients.
 *
 * Owns the listening socket and its file, the clients with their buffers, the loader thread, and (while it runs)
 * the published ruleset pointer. control_new() and control_stop() belong to the main thread; everything else
 * here runs in the server thread. The only things the two share are the quit flag and the eventfd.
 *
 * A client is trusted to be root or of the configured group (SO_PEERCRED, SO_PEERGROUPS), not to behave: sockets
 * never block; a line is at most PROTO_REQUEST_MAX_BYTES; each client has one request in hand and is not read
 * while its reply waits to be taken, so its memory is one line and one reply; each gets one request a round.
 * When all CLIENTS_MAX places are taken, the one that was quiet the longest makes room.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ips/base/clock.h"
#include "ips/base/log.h"
#include "ips/base/thread.h"
#include "ips/control/command.h"
#include "ips/control/socket.h"

#define CLIENTS_MAX  128
#define READ_BYTES   16384
#define CROWDED_NS   (60 * NS_PER_S)
#define LOOK_AWAY_MS 100
#define FAREWELL_MS  1000 /* at the end: for clients to take their last replies */

struct client {
    int fd;   /* -1: the place is free */
    char *in; /* heap, in_cap bytes; in_len of them read, the first `looked` hold no newline */
    size_t in_len, in_cap, looked;
    char *out; /* heap: the reply in hand, NULL when there is none */
    size_t out_len, out_done;
    uint64_t active_ns; /* when it last sent or took something */
    enum { WAITS_NOT, WAITS_LOADER, WAITS_UPGRADE } waits;
    bool closing; /* when the reply is taken */
};

struct control_server {
    struct control_config cfg;
    struct control_socket sock;
    int wake_fd;
    struct loader *loader;
    pthread_t thread;
    bool running;
    bool quit; /* atomic */
    struct log_rate crowded;
    bool look_away;   /* no accept() for LOOK_AWAY_MS */
    bool handed_over; /* another daemon accepts */
    struct client clients[CLIENTS_MAX];
};

static void client_close(struct client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    free(c->in);
    free(c->out);
    *c = (struct client){.fd = -1};
}

/* Hands over as much of the reply as the socket takes. */
static void client_write(struct client *c)
{
    while (c->out != NULL && c->out_done < c->out_len) {
        ssize_t n = send(c->fd, c->out + c->out_done, c->out_len - c->out_done, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (n < 0) {
            client_close(c);
            return;
        }
        c->out_done += (size_t)n;
        c->active_ns = clock_mono_ns();
    }
    free(c->out);
    c->out = NULL;
    if (c->closing)
        client_close(c);
}

static void client_answer(struct client *c, struct command_call *call, int code)
{
    c->waits = WAITS_NOT;
    c->out_done = c->out_len = 0;
    c->out = command_reply(call, code, &c->out_len);
    if (c->out == NULL || c->out_len > PROTO_LINE_MAX_BYTES) {
        log_error("control", "a reply could not be made (%zu bytes); the client is disconnected", c->out_len);
        client_close(c);
        return;
    }
    client_write(c);
}

/* The first line in the buffer, if one is whole, is run and taken out. */
static void client_run(struct control_server *s, struct client *c)
{
    struct command_call call = {.cfg = &s->cfg, .loader = s->loader};
    char *end;
    size_t len;
    int code;

    if (c->fd < 0 || c->out != NULL || c->waits || c->closing)
        return;
    end = c->in_len > c->looked ? memchr(c->in + c->looked, '\n', c->in_len - c->looked) : NULL;
    if (end == NULL) {
        c->looked = c->in_len;
        if (c->in_len < PROTO_REQUEST_MAX_BYTES)
            return;
        code = command_fail(&call, PROTO_BAD_REQUEST, "end each request with a newline",
                            "the request is longer than %u bytes", PROTO_REQUEST_MAX_BYTES);
        c->closing = true;
        client_answer(c, &call, code);
        return;
    }
    len = (size_t)(end - c->in);
    if (s->cfg.hands != NULL)
        pthread_mutex_lock(s->cfg.hands);
    code = command_run(&call, c->in, len);
    if (s->cfg.hands != NULL)
        pthread_mutex_unlock(s->cfg.hands);
    memmove(c->in, end + 1, c->in_len - len - 1);
    c->in_len -= len + 1;
    c->looked = 0;
    if (code == COMMAND_LATER)
        c->waits = WAITS_LOADER;
    else if (code == COMMAND_UPGRADE)
        c->waits = WAITS_UPGRADE;
    else
        client_answer(c, &call, code);
}

static bool client_grow(struct client *c)
{
    size_t cap = c->in_cap == 0 ? READ_BYTES : c->in_cap * 2;
    char *p;

    if (cap > PROTO_REQUEST_MAX_BYTES)
        cap = PROTO_REQUEST_MAX_BYTES;
    p = realloc(c->in, cap);
    if (p == NULL)
        return false;
    c->in = p;
    c->in_cap = cap;
    return true;
}

static void client_read(struct client *c)
{
    ssize_t n;

    if (c->in_len == c->in_cap && (c->in_cap >= PROTO_REQUEST_MAX_BYTES || !client_grow(c)))
        return;
    n = recv(c->fd, c->in + c->in_len, c->in_cap - c->in_len, MSG_DONTWAIT);
    if (n > 0) {
        c->in_len += (size_t)n;
        c->active_ns = clock_mono_ns();
    } else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
        client_close(c); /* half a line is no request */
    }
}

static struct client *client_place(struct control_server *s)
{
    struct client *oldest = NULL;
    uint64_t held = 0;

    for (int i = 0; i < CLIENTS_MAX; i++) {
        struct client *c = &s->clients[i];

        if (c->fd < 0)
            return c;
        if (!c->waits && (oldest == NULL || c->active_ns < oldest->active_ns))
            oldest = c;
    }
    if (oldest == NULL)
        return NULL;
    if (log_rate_pass(&s->crowded, clock_mono_ns(), CROWDED_NS, &held))
        log_warning("control",
                    "all %d places for clients are taken; the one that was quiet longest is closed (%llu "
                    "more before)",
                    CLIENTS_MAX, (unsigned long long)held);
    client_close(oldest);
    return oldest;
}

/* Says no in one line, without giving the peer a place or waiting for it. */
static void turn_away(struct control_server *s, int fd)
{
    struct command_call call = {.cfg = &s->cfg};
    int code = command_fail(&call, PROTO_DENIED, "become root, or join the group in control.group",
                            "you may not control this daemon");
    size_t len = 0;
    char *line = command_reply(&call, code, &len);

    if (line == NULL || send(fd, line, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        log_warning("control", "a client without permission was turned away unheard");
    free(line);
    close(fd);
}

static void accept_client(struct control_server *s)
{
    /* cppcheck-suppress nullPointer -- accept(2): both may be NULL when nobody wants the address */
    int fd = accept4(s->sock.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct client *c;

    if (fd <
        0) { /* gone before we looked, or out of descriptors: then it stays readable, so look away a little */
        s->look_away = errno != EAGAIN && errno != ECONNABORTED && errno != EINTR;
        return;
    }
    if (!control_socket_allowed(&s->sock, fd)) {
        turn_away(s, fd);
        return;
    }
    c = client_place(s);
    if (c == NULL) {
        close(fd);
        return;
    }
    *c = (struct client){.fd = fd, .active_ns = clock_mono_ns()};
}

static struct client *client_waiting(struct control_server *s, int waits)
{
    for (int i = 0; i < CLIENTS_MAX; i++)
        if (s->clients[i].fd >= 0 && (int)s->clients[i].waits == waits)
            return &s->clients[i];
    return NULL;
}

/* The loader is done: swap if it was a reload, and tell whoever asked. */
static void finish_load(struct control_server *s)
{
    struct command_call call = {.cfg = &s->cfg, .loader = s->loader};
    struct load_result r;
    struct client *c;
    int code;

    if (!loader_take(s->loader, &r))
        return;
    if (s->cfg.hands != NULL)
        pthread_mutex_lock(s->cfg.hands);
    code = r.job.config != NULL ? config_loaded(&call, &r) : rules_loaded(&call, &r);
    if (s->cfg.hands != NULL)
        pthread_mutex_unlock(s->cfg.hands);
    c = client_waiting(s, WAITS_LOADER);
    if (c != NULL) {
        client_answer(c, &call, code);
        return;
    }
    log_notice("control", "the rules were loaded, but whoever asked has gone");
    json_decref(call.result);
    json_decref(call.errors);
}

/* The next daemon said something, or its time is over. */
static void turn_upgrade(struct control_server *s)
{
    struct command_call call = {.cfg = &s->cfg, .loader = s->loader};
    struct client *c = client_waiting(s, WAITS_UPGRADE);
    int code;
    if (s->cfg.hands != NULL)
        pthread_mutex_lock(s->cfg.hands);
    enum control_upgrade state = upgrade_turned(&call, &code);
    if (s->cfg.hands != NULL && state != UPGRADE_DONE) /* then nobody here may touch a bridge any more */
        pthread_mutex_unlock(s->cfg.hands);

    if (state == UPGRADE_GOES_ON)
        return;
    s->handed_over = state == UPGRADE_DONE;
    if (c != NULL)
        client_answer(c, &call, code);
    else
        json_decref(call.result); /* whoever asked has gone */
    if (s->handed_over)
        s->cfg.ops->upgrader->leave(s->cfg.ops->upgrader->arg);
}

enum { POLL_WAKE, POLL_SOCKET, POLL_UPGRADE, POLL_CLIENTS }; /* places in the poll set */

struct poll_set {
    struct pollfd fds[CLIENTS_MAX + POLL_CLIENTS];
    struct client *who[CLIENTS_MAX + POLL_CLIENTS];
    nfds_t n;
};

static void poll_add(struct poll_set *p, int fd, short events, struct client *who)
{
    p->fds[p->n] = (struct pollfd){.fd = fd, .events = events};
    p->who[p->n++] = who;
}

/* A whole line waits in some client's buffer: do not sleep. */
static bool client_ready(const struct client *c)
{
    return c->fd >= 0 && c->out == NULL && !c->waits && !c->closing && c->in_len > c->looked;
}

/* -1, or what is polled while an upgrade is on its way; then timeout_ms is not longer than it may take. */
static int upgrade_poll(const struct control_server *s, int *timeout_ms)
{
    const struct control_upgrader *u = s->cfg.ops->upgrader;
    int fd = u != NULL ? u->fd(u->arg) : -1;
    uint64_t now = clock_mono_ns(), end_ns = fd >= 0 ? u->deadline_ns(u->arg) : 0;
    int left_ms = end_ns > now ? (int)((end_ns - now) / NS_PER_MS) + 1 : 0;

    if (fd >= 0 && (*timeout_ms < 0 || left_ms < *timeout_ms))
        *timeout_ms = left_ms;
    return fd;
}

static bool upgrade_is_late(const struct control_server *s)
{
    const struct control_upgrader *u = s->cfg.ops->upgrader;

    return clock_mono_ns() >= u->deadline_ns(u->arg);
}

static void serve(struct control_server *s, struct poll_set *p)
{
    uint64_t woken;
    int timeout_ms = s->look_away ? LOOK_AWAY_MS : -1, upgrade = upgrade_poll(s, &timeout_ms);

    p->n = 0;
    poll_add(p, s->wake_fd, POLLIN, NULL);
    poll_add(p, s->look_away ? -1 : s->sock.fd, POLLIN, NULL);
    poll_add(p, upgrade, POLLIN, NULL);
    s->look_away = false;
    for (int i = 0; i < CLIENTS_MAX; i++) {
        struct client *c = &s->clients[i];

        if (c->fd < 0)
            continue;
        /* one that waits, or whose next line is here already, is only watched for its end (POLLHUP) */
        poll_add(p, c->fd, c->out != NULL ? POLLOUT : c->waits || client_ready(c) ? 0 : POLLIN, c);
        if (client_ready(c))
            timeout_ms = 0;
    }
    if (poll(p->fds, p->n, timeout_ms) < 0)
        return; /* EINTR */
    if (p->fds[POLL_WAKE].revents != 0 && read(s->wake_fd, &woken, sizeof(woken)) > 0)
        finish_load(s);
    if (p->fds[POLL_UPGRADE].revents != 0 || (upgrade >= 0 && upgrade_is_late(s)))
        turn_upgrade(s);
    if (s->handed_over) /* the bridges, and whoever connects, are the next daemon's */
        return;
    for (nfds_t i = POLL_CLIENTS; i < p->n; i++) {
        struct client *c = p->who[i];
        short ev = p->fds[i].revents;

        if (c->fd != p->fds[i].fd) /* closed meanwhile by finish_load() or turn_upgrade() */
            continue;
        if (ev & (POLLERR | POLLNVAL) || (ev & POLLHUP && !(ev & POLLIN)))
            client_close(c);
        else if (ev & POLLOUT)
            client_write(c);
        else if (ev & POLLIN)
            client_read(c);
        client_run(s, c);
    }
    if (p->fds[POLL_SOCKET].revents != 0)
        accept_client(s);
}

/* Clients that have a reply in hand may still take it, for a moment. */
static void farewell(struct control_server *s, struct poll_set *p)
{
    uint64_t end_ns = clock_mono_ns() + FAREWELL_MS * NS_PER_MS;

    for (;;) {
        uint64_t now = clock_mono_ns();

        p->n = 0;
        for (int i = 0; i < CLIENTS_MAX; i++)
            if (s->clients[i].fd >= 0 && s->clients[i].out != NULL)
                poll_add(p, s->clients[i].fd, POLLOUT, &s->clients[i]);
        if (p->n == 0 || now >= end_ns || poll(p->fds, p->n, (int)((end_ns - now) / NS_PER_MS) + 1) <= 0)
            return;
        for (nfds_t i = 0; i < p->n; i++)
            if (p->fds[i].revents & ~POLLOUT)
                client_close(p->who[i]);
            else if (p->fds[i].revents != 0)
                client_write(p->who[i]);
    }
}

static void *server_run(void *arg)
{
    struct control_server *s = arg;
    struct poll_set set;

    while (!__atomic_load_n(&s->quit, __ATOMIC_ACQUIRE) && !s->handed_over)
        serve(s, &set);
    farewell(s, &set);
    return NULL;
}

/* fd: the socket of the daemon before; -1: bind one. */
static struct control_server *server_new(const struct control_config *cfg, int fd, struct err *e)
{
    const char *path = cfg->config->control.socket, *group = cfg->config->control.group;
    struct control_server *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        err_set(e, -ENOMEM, "no memory for the control socket");
        return NULL;
    }
    s->cfg = *cfg;
    for (int i = 0; i < CLIENTS_MAX; i++)
        s->clients[i].fd = -1;
    s->sock.fd = -1;
    s->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (s->wake_fd < 0) {
        err_sys(e, -errno, "cannot make the control server's eventfd");
        control_stop(s);
        return NULL;
    }
    if ((fd < 0 ? control_socket_open(&s->sock, path, group, e)
                : control_socket_adopt(&s->sock, fd, path, group, e)) < 0) {
        control_stop(s);
        return NULL;
    }
    return s;
}

struct control_server *control_new(const struct control_config *cfg, struct err *e)
{
    return server_new(cfg, -1, e);
}

struct control_server *control_adopt(const struct control_config *cfg, int fd, struct err *e)
{
    return server_new(cfg, fd, e);
}

int control_fd(const struct control_server *s)
{
    return s->sock.fd;
}

int control_start(struct control_server *s, uint32_t n_workers, struct err *e)
{
    s->loader = loader_new(s->cfg.config, n_workers, s->wake_fd, e);
    if (s->loader == NULL)
        return e->code;
    int rc = thread_start(&s->thread, "control", server_run, s, e);
    s->running = rc == 0;
    return rc;
}

void control_stop(struct control_server *s)
{
    uint64_t one = 1;

    if (s == NULL)
        return;
    if (s->running) {
        __atomic_store_n(&s->quit, true, __ATOMIC_RELEASE);
        if (write(s->wake_fd, &one, sizeof(one)) < 0)
            log_error("control", "cannot wake the control thread: %s", strerrordesc_np(errno));
        pthread_join(s->thread, NULL);
    }
    loader_free(s->loader);
    for (int i = 0; i < CLIENTS_MAX; i++)
        client_close(&s->clients[i]);
    if (s->handed_over)
        control_socket_leave(&s->sock);
    control_socket_close(&s->sock); /* nothing, when it was left */
    if (s->wake_fd >= 0)
        close(s->wake_fd);
    free(s);
}
