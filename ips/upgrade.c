/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The side of an upgrade that goes. The story, and who may do what when, is on top of handover.c.
 *
 * Everything that takes time (loading, allocating) is the next daemon's, while this one works. upgrade_turn() is called by
 * the control thread when that one says something; when it says that it is ready, the same call stops the workers, hands
 * the frames over, and waits for `running`: some milliseconds, at most HANDOVER_SWITCH_MS. Whatever goes wrong before, the
 * launcher first makes sure that the other one is gone; then the workers go on.
 *
 * Owns the socket to the next daemon and the memory that the state is written to, which exists before the workers stop.
 */
#include "ips/upgrade.h"

#include <errno.h>
#include <linux/memfd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "ips/base/clock.h"
#include "ips/base/log.h"
#include "ips/handover.h"
#include "ips/log/engine.h"

struct blob { /* a bridge's state */
    int fd;
    void *memory;
    size_t bytes;
};

struct upgrade {
    struct upgrade_place place;
    struct control_upgrader control;
    struct control_upgrade_wish wish;
    bool done; /* atomic */
    int fd;    /* -1: none */
    pid_t pid;
    uint64_t begun_ns, deadline_ns, paused_ns;
    uint64_t frames, held; /* handed over; of them fragments */
    struct blob blobs[BRIDGES_MAX];
    uint64_t rebuilds[BRIDGES_MAX]; /* of the bridges at the beginning */
};

static void free_blobs(struct upgrade *u)
{
    for (unsigned i = 0; i < BRIDGES_MAX; i++) {
        struct blob *b = &u->blobs[i];

        if (b->memory) {
            munmap(b->memory, b->bytes);
            close(b->fd);
        }
        *b = (struct blob){.fd = -1};
    }
}

/* --- the beginning ---------------------------------------------------------------------------------------------- */

static int say_hello(struct upgrade *u)
{
    struct handover_fds fds = {.n = 1, .v = {u->place.control_fd}};
    json_t *bridges = json_array();

    for (unsigned i = 0; i < u->place.n_bridges; i++)
        json_array_append_new(bridges, bridge_facts(&u->place.bridges[i]));
    return handover_say(u->fd,
                        json_pack("{s:s, s:i, s:s, s:i, s:b, s:o}", "say", "hello", "format", HANDOVER_FORMAT,
                                  "version", SLUICE_VERSION, "pid", (int)getpid(), "force", u->wish.force,
                                  "bridges", bridges),
                        &fds);
}

/* The frames' memory, the pins, and the sockets of worker after worker, side after side. */
static int say_bridge(struct upgrade *u, const struct bridge *b)
{
    struct handover_fds fds = {.n = 2, .v = {umem_fd(b->umem), xdp_pins_fd(b->xdp)}};

    if (2 + 2 * b->n_workers > HANDOVER_FDS_MAX)
        return -E2BIG;
    for (uint32_t w = 0; w < b->n_workers; w++)
        for (int side = 0; side < 2; side++)
            fds.v[fds.n++] = port_fd(b->workers[w]->port[side]);
    return handover_say(u->fd, json_pack("{s:s, s:s}", "say", "bridge", "name", b->cfg->name), &fds);
}

static int make_blobs(struct upgrade *u)
{
    for (unsigned i = 0; i < u->place.n_bridges; i++) {
        struct blob *b = &u->blobs[i];

        b->bytes = bridge_frames_bytes(&u->place.bridges[i]);
        b->fd = memfd_create("sluice-state", MFD_CLOEXEC);
        if (b->fd < 0)
            return -errno;
        if (ftruncate(b->fd, (off_t)b->bytes) == 0)
            b->memory = mmap(NULL, b->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, b->fd, 0);
        if (!b->memory || b->memory == MAP_FAILED) {
            int error = errno;
            b->memory = NULL;
            close(b->fd);
            return -error;
        }
    }
    return 0;
}

static int may_begin(const struct upgrade *u, struct err *e)
{
    if (u->fd >= 0)
        return err_set(e, -EBUSY, "an upgrade is on its way already, pid %d", (int)u->pid);
    for (unsigned i = 0; i < u->place.n_bridges; i++)
        if (bridge_may_leave(&u->place.bridges[i], e))
            return e->code;
    return 0;
}

/* What was told the other one at the beginning still holds: its sockets are the bridges'. */
static int still_may(const struct upgrade *u, struct err *e)
{
    for (unsigned i = 0; i < u->place.n_bridges; i++) {
        const struct bridge *b = &u->place.bridges[i];

        if (bridge_may_leave(b, e))
            return e->code;
        if (b->rebuilds != u->rebuilds[i]) {
            err_set(e, -ESTALE, "bridge %s was rebuilt while the new daemon got ready", b->cfg->name);
            return err_remedy(e, "try again"), -ESTALE;
        }
    }
    return 0;
}

/* The launcher saw to it that nobody else has the rings. how: what became of the other one. */
static void end_other(struct upgrade *u, char *how, size_t size)
{
    struct err e = {.code = 0};

    snprintf(how, size, "is gone");
    if (launcher_end(u->place.launcher, how, size, &e))
        log_err(LOG_LEVEL_ERROR, "upgrade", &e);
    if (u->fd >= 0)
        close(u->fd);
    u->fd = -1;
    free_blobs(u);
}

static int upgrade_begin(void *arg, const struct control_upgrade_wish *wish, struct err *e)
{
    struct upgrade *u = arg;
    const struct timeval patience = {.tv_sec = HANDOVER_SWITCH_MS / 1000};
    char how[64];
    int rc = may_begin(u, e);

    if (rc)
        return rc;
    u->wish = *wish;
    u->begun_ns = clock_mono_ns();
    u->deadline_ns = u->begun_ns + wish->wait_s * NS_PER_S;
    u->pid = launcher_start(u->place.launcher, &u->fd, e);
    if (u->pid < 0) {
        u->fd = -1;
        return u->pid;
    }
    (void)setsockopt(u->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    rc = make_blobs(u);
    if (rc == 0)
        rc = say_hello(u);
    for (unsigned i = 0; i < u->place.n_bridges; i++)
        u->rebuilds[i] = u->place.bridges[i].rebuilds;
    for (unsigned i = 0; i < u->place.n_bridges && rc == 0; i++)
        rc = say_bridge(u, &u->place.bridges[i]);
    if (rc == 0 || rc == -EPIPE) { /* what has ended at once may have said why: upgrade_turn() will hear */
        log_notice("upgrade", "pid %d is getting ready%s", (int)u->pid, wish->check ? ", as a check" : "");
        return 0;
    }
    end_other(u, how, sizeof(how));
    return err_sys(e, rc, "cannot tell the new daemon what it takes over");
}

/* --- failing ---------------------------------------------------------------------------------------------------- */

static enum control_upgrade failed(struct upgrade *u, struct err *e)
{
    engine_event(
        "upgrade_failed", NULL,
        json_pack("{s:s, s:s, s:i}", "reason", e->text, "remedy", e->remedy, "new_pid", (int)u->pid));
    log_err(LOG_LEVEL_ERROR, "upgrade", e);
    return UPGRADE_FAILED;
}

/* It ended, or hangs, before it was ready. */
static enum control_upgrade never_ready(struct upgrade *u, const struct err *why, struct err *e)
{
    char how[64];

    end_other(u, how, sizeof(how));
    if (why->code == -ETIMEDOUT)
        err_set(e, -ETIMEDOUT, "the new daemon (pid %d) was not ready within %u s and was ended", (int)u->pid,
                u->wish.wait_s);
    else
        err_set(e, -ECHILD, "the new daemon (pid %d) %s before it was ready", (int)u->pid, how);
    err_remedy(e, "its own words are in the log; this one goes on");
    return failed(u, e);
}

static enum control_upgrade refused(struct upgrade *u, const json_t *m, struct err *e)
{
    const char *text = json_string_value(json_object_get(m, "error"));
    const char *remedy = json_string_value(json_object_get(m, "remedy"));
    char how[64];

    end_other(u, how, sizeof(how));
    err_set(e, -EINVAL, "%s", text ? text : "the new daemon refused without a reason");
    err_remedy(e, "%s", remedy ? remedy : "");
    return failed(u, e);
}

/* --- the switch ------------------------------------------------------------------------------------------------- */

static int say_worker(struct upgrade *u, unsigned bridge, const struct worker *w)
{
    const struct port_stats *a = &w->port[0]->stats, *b = &w->port[1]->stats;

    return handover_say(
        u->fd,
        json_pack("{s:s, s:i, s:i, s:o, s:[I, I, I, I, I, I]}", "say", "worker", "bridge", (int)bridge,
                  "worker", (int)w->cfg.index, "counters", handover_counters(&w->counters), "ports",
                  (json_int_t)a->kicks, (json_int_t)a->fill_starved, (json_int_t)a->kernel_tx_refused,
                  (json_int_t)b->kicks, (json_int_t)b->fill_starved, (json_int_t)b->kernel_tx_refused),
        NULL);
}

/* Workers are stopped: everything that was not said yet. */
static int say_state(struct upgrade *u, struct err *e)
{
    struct handover_fds fds = {.n = 0};
    struct umem_totals t;
    int rc = 0;

    u->frames = u->held = 0;
    for (unsigned i = 0; i < u->place.n_bridges && rc == 0; i++) {
        struct bridge *b = &u->place.bridges[i];
        size_t bytes;

        if (bridge_frames_write(b, u->blobs[i].memory, &bytes, e))
            return e->code;
        umem_totals(b->umem, &t);
        u->frames += t.size;
        u->held += t.worker;
        fds.v[fds.n++] = u->blobs[i].fd;
        for (uint32_t w = 0; w < b->n_workers && rc == 0; w++)
            rc = say_worker(u, i, b->workers[w]);
    }
    if (rc == 0)
        rc = handover_say(u->fd, json_pack("{s:s}", "say", "state"), &fds);
    return rc ? err_sys(e, rc, "cannot hand the frames over") : 0;
}

static bool hear_running(struct upgrade *u, int timeout_ms)
{
    struct err e;
    json_t *m = handover_hear(u->fd, timeout_ms, NULL, &e);
    bool runs = handover_is(m, "running");

    json_decref(m);
    return runs;
}

/* When this returns, the other one has said that it runs, or never can. */
static bool says_it_runs(struct upgrade *u)
{
    if (hear_running(u, HANDOVER_SWITCH_MS))
        return true;
    shutdown(u->fd, SHUT_RDWR);
    return hear_running(u, 0);
}

static void resume(struct upgrade *u)
{
    struct err e;

    for (unsigned i = 0; i < u->place.n_bridges; i++)
        if (bridge_resume(&u->place.bridges[i], &e))
            log_err(LOG_LEVEL_ERROR, "upgrade", &e);
}

static json_t *report(const struct upgrade *u, const json_t *ready, uint64_t gap_ns)
{
    uint64_t now = clock_mono_ns();

    return json_pack("{s:b, s:s, s:O, s:i, s:i, s:O, s:f, s:I, s:I, s:I}", "checked", u->wish.check,
                     "old_version", SLUICE_VERSION, "new_version", json_object_get(ready, "version"),
                     "old_pid", (int)getpid(), "new_pid", (int)u->pid, "rules",
                     json_object_get(ready, "rules"), "gap_ms", (double)gap_ns / NS_PER_MS, "frames",
                     (json_int_t)u->frames, "held", (json_int_t)u->held, "ready_ms",
                     (json_int_t)((now - u->begun_ns) / NS_PER_MS));
}

static enum control_upgrade switch_over(struct upgrade *u, const json_t *ready, json_t **result,
                                        struct err *e)
{
    uint64_t paused_ns = clock_mono_ns();
    char how[64];

    links_pause(*u->place.links);
    if (still_may(u, e)) {
        links_resume(*u->place.links);
        end_other(u, how, sizeof(how));
        return failed(u, e);
    }

    for (unsigned i = 0; i < u->place.n_bridges; i++)
        bridge_pause(&u->place.bridges[i]);
    if (say_state(u, e) == 0) {
        if (says_it_runs(u)) {
            *result = report(u, ready, clock_mono_ns() - paused_ns);
            log_notice("upgrade", "pid %d has taken over", (int)u->pid);
            __atomic_store_n(&u->done, true, __ATOMIC_RELEASE);
            return UPGRADE_DONE;
        }
        err_set(e, -ECHILD, "the new daemon (pid %d) was ready, and then did not take over", (int)u->pid);
        err_remedy(e, "its own words are in the log; this one goes on");
    }
    shutdown(u->fd, SHUT_RDWR);
    links_resume(*u->place.links);
    resume(u); /* it can say no more that it runs, so it never will: no need to see it gone first */
    end_other(u, how, sizeof(how));
    return failed(u, e);
}

static bool is_whole(const json_t *ready)
{
    return json_is_string(json_object_get(ready, "version")) &&
           json_is_integer(json_object_get(ready, "rules"));
}

static enum control_upgrade upgrade_turn(void *arg, json_t **result, struct err *e)
{
    struct upgrade *u = arg;
    struct err why = {.code = 0};
    enum control_upgrade state;
    char how[64];
    json_t *m = handover_hear(u->fd, 0, NULL, &why);

    if (!m && why.code == -ETIMEDOUT && clock_mono_ns() < u->deadline_ns)
        return UPGRADE_GOES_ON;
    if (!m) {
        state = never_ready(u, &why, e);
    } else if (handover_is(m, "refused")) {
        state = refused(u, m, e);
    } else if (!handover_is(m, "ready") || !is_whole(m)) {
        why.code = -EPROTO;
        state = never_ready(u, &why, e);
    } else if (u->wish.check) {
        *result = report(u, m, 0);
        end_other(u, how, sizeof(how));
        state = UPGRADE_CHECKED;
    } else {
        state = switch_over(u, m, result, e);
    }
    json_decref(m);
    return state;
}

static int upgrade_fd(void *arg)
{
    return ((struct upgrade *)arg)->fd;
}

static uint64_t upgrade_deadline_ns(void *arg)
{
    return ((struct upgrade *)arg)->deadline_ns;
}

/* The main thread does the rest: see daemon_leave(). */
static void ask_to_leave(void *arg)
{
    (void)arg;
    kill(getpid(), SIGTERM);
}

/* --- for the daemon --------------------------------------------------------------------------------------------- */

struct upgrade *upgrade_new(const struct upgrade_place *place, struct err *e)
{
    struct upgrade *u = calloc(1, sizeof(*u));

    if (!u) {
        err_set(e, -ENOMEM, "no memory for upgrades");
        return NULL;
    }
    u->place = *place;
    u->fd = -1;
    u->control = (struct control_upgrader){.arg = u,
                                           .begin = upgrade_begin,
                                           .fd = upgrade_fd,
                                           .deadline_ns = upgrade_deadline_ns,
                                           .turn = upgrade_turn,
                                           .leave = ask_to_leave};
    return u;
}

const struct control_upgrader *upgrade_control(struct upgrade *u)
{
    return &u->control;
}

bool upgrade_done(const struct upgrade *u)
{
    return __atomic_load_n(&u->done, __ATOMIC_ACQUIRE);
}

pid_t upgrade_leave(struct upgrade *u)
{
    close(u->fd);
    u->fd = -1;
    return u->pid;
}

void upgrade_free(struct upgrade *u)
{
    if (!u)
        return;
    if (u->fd >= 0)
        close(u->fd); /* what was started sees the end of file and ends */
    free_blobs(u);
    free(u);
}
