/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The side of an upgrade that comes. The story, and who may do what when, is on top of handover.c.
 *
 * Until `running` is said nothing here is this process's own: interfaces, pins, sockets and control socket are another
 * daemon's, which serves them. So nothing is changed, and when something does not fit, the reason is said and the
 * process ends on the spot: unwinding would put back what the other one is using.
 *
 * What comes over the socket is checked before it is used. The daemon it comes from faces the network; if an attacker
 * took it over, this process must not become the way to its privileges. The first part (what the bridges are, their
 * descriptors) is read with privileges, the state of the frames behind the sandbox.
 */
#include "ips/takeover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ips/base/clock.h"
#include "ips/base/log.h"
#include "ips/handover.h"
#include "ips/log/engine.h"

#define HELLO_MS    5000  /* the other daemon has it all at hand */
#define FAREWELL_MS 10000 /* it writes its last events */

struct takeover {
    int fd;
    const struct config *cfg;
    json_t *hello;
    int control_fd;
    uint32_t n_workers; /* of all bridges */
    uint64_t switched_ns;
    struct bridge_heirloom heirlooms[BRIDGES_MAX];
};

static int misfit(struct err *e, const char *what)
{
    err_set(e, -ESTALE, "%s", what);
    return err_remedy(e, "this takes a restart, with the fail policy meanwhile; or leave it as it was"),
           -ESTALE;
}

/* --- the first part --------------------------------------------------------------------------------------------- */

static int hear_hello(struct takeover *t, struct err *e)
{
    struct handover_fds fds;

    t->hello = handover_hear(t->fd, HELLO_MS, &fds, e);
    if (!t->hello)
        return e->code;
    const json_t *bridges = json_object_get(t->hello, "bridges");

    if (!handover_is(t->hello, "hello") || fds.n != 1) {
        handover_close(&fds);
        return err_set(e, -EPROTO, "the running daemon does not say what it is");
    }
    t->control_fd = fds.v[0];
    if (json_integer_value(json_object_get(t->hello, "format")) != HANDOVER_FORMAT)
        return misfit(e, "the running daemon hands over in another format than this version takes over");
    if (json_array_size(bridges) != t->cfg->n_bridges)
        return misfit(e, "the configuration has another number of bridges than the running daemon");
    for (unsigned i = 0; i < t->cfg->n_bridges; i++)
        if (bridge_facts_same(&t->cfg->bridges[i], json_array_get(bridges, i), e))
            return e->code;
    return 0;
}

static int hear_bridge(struct takeover *t, unsigned i, struct err *e)
{
    const json_t *facts = json_array_get(json_object_get(t->hello, "bridges"), i);
    json_int_t n = json_integer_value(json_object_get(facts, "workers"));
    struct bridge_heirloom *h = &t->heirlooms[i];
    struct handover_fds fds;
    json_t *m = handover_hear(t->fd, HELLO_MS, &fds, e);

    if (!m)
        return e->code;
    if (!handover_is(m, "bridge") || n < 1 || n > WORKERS_MAX || fds.n != 2 + 2 * (unsigned)n) {
        json_decref(m);
        handover_close(&fds);
        return err_set(e, -EPROTO, "the running daemon does not hand over what bridge %u is made of", i);
    }
    json_decref(m);
    h->n_workers = (uint32_t)n;
    h->umem_fd = fds.v[0];
    h->pins_fd = fds.v[1];
    for (uint32_t w = 0; w < h->n_workers; w++)
        for (int side = 0; side < 2; side++)
            h->xsk_fd[w][side] = fds.v[2 + 2 * w + (uint32_t)side];
    t->n_workers += h->n_workers;
    return 0;
}

struct takeover *takeover_new(int fd, const struct config *cfg, struct err *e)
{
    struct takeover *t = calloc(1, sizeof(*t));
    int rc;

    if (!t) {
        err_set(e, -ENOMEM, "no memory to take over");
        return NULL;
    }
    t->fd = fd;
    t->cfg = cfg;
    rc = hear_hello(t, e);
    for (unsigned i = 0; i < cfg->n_bridges && rc == 0; i++)
        rc = hear_bridge(t, i, e);
    if (rc == 0)
        return t;
    takeover_free(t);
    return NULL;
}

void takeover_free(struct takeover *t)
{
    if (!t)
        return;
    json_decref(t->hello);
    free(t);
}

int takeover_control_fd(const struct takeover *t)
{
    return t->control_fd;
}

bool takeover_force(const struct takeover *t)
{
    return json_is_true(json_object_get(t->hello, "force"));
}

const struct bridge_heirloom *takeover_heirloom(const struct takeover *t, uint32_t bridge)
{
    return &t->heirlooms[bridge];
}

/* --- the switch ------------------------------------------------------------------------------------------------- */

static int adopt_worker(const struct takeover *t, struct bridge *bridges, const json_t *m, struct err *e)
{
    json_int_t b = json_integer_value(json_object_get(m, "bridge"));
    json_int_t i = json_integer_value(json_object_get(m, "worker"));
    const json_t *ports = json_object_get(m, "ports");

    if (b < 0 || b >= t->cfg->n_bridges || i < 0 || i >= bridges[b].n_workers)
        return err_set(e, -EPROTO, "the running daemon speaks of a worker that there is not");
    struct worker *w = bridges[b].workers[i];

    handover_counters_read(json_object_get(m, "counters"), &w->counters);
    for (size_t side = 0; side < 2; side++) {
        struct port_stats *s = &w->port[side]->stats;

        s->kicks = (uint64_t)json_integer_value(json_array_get(ports, side * 3));
        s->fill_starved = (uint64_t)json_integer_value(json_array_get(ports, side * 3 + 1));
        s->kernel_tx_refused = (uint64_t)json_integer_value(json_array_get(ports, side * 3 + 2));
    }
    return 0;
}

/* Read into memory of our own, where nobody can change it between check and use. */
static int adopt_frames(struct bridge *b, int fd, struct err *e)
{
    size_t max = bridge_frames_bytes(b), n = 0;
    struct stat st;
    uint8_t *state = malloc(max);
    ssize_t got = 1;
    int rc = 0;

    if (!state || fstat(fd, &st) || (size_t)st.st_size > max)
        rc = err_set(e, state ? -EPROTO : -ENOMEM, "the state of bridge %s cannot be read", b->cfg->name);
    while (rc == 0 && got > 0 && n < max) {
        got = pread(fd, state + n, max - n, (off_t)n);
        if (got < 0)
            rc = err_sys(e, -errno, "the state of bridge %s cannot be read", b->cfg->name);
        else
            n += (size_t)got;
    }
    if (rc == 0)
        rc = bridge_frames_adopt(b, state, n, e);
    free(state);
    return rc;
}

static int hear_state(struct takeover *t, struct bridge *bridges, struct err *e)
{
    struct handover_fds fds;
    json_t *m = NULL;
    int rc = 0;

    for (uint32_t i = 0; i <= t->n_workers && rc == 0; i++) {
        json_decref(m);
        /* the first word comes when the other daemon has stopped its workers, or never, after a check */
        m = handover_hear(t->fd, i == 0 ? HELLO_MS : HANDOVER_SWITCH_MS, &fds, e);
        if (i == 0)
            t->switched_ns = clock_mono_ns();
        if (!m)
            return e->code;
        if (i < t->n_workers && handover_is(m, "worker") && fds.n == 0)
            rc = adopt_worker(t, bridges, m, e);
        else if (i < t->n_workers || !handover_is(m, "state") || fds.n != t->cfg->n_bridges)
            rc = err_set(e, -EPROTO, "the running daemon hands over something else than its frames");
    }
    json_decref(m);
    for (unsigned i = 0; i < t->cfg->n_bridges && rc == 0; i++)
        rc = adopt_frames(&bridges[i], fds.v[i], e);
    handover_close(&fds);
    return rc;
}

int takeover_switch(struct takeover *t, struct bridge *bridges, uint32_t n_rules, struct err *e)
{
    int rc = handover_say(
        t->fd, json_pack("{s:s, s:s, s:i}", "say", "ready", "version", SLUICE_VERSION, "rules", (int)n_rules),
        NULL);

    if (rc == 0)
        rc = hear_state(t, bridges, e);
    else
        err_sys(e, rc, "the running daemon cannot be told that this one is ready");
    if (rc)
        return rc;
    /* From here on the bridges are ours; if it cannot be said, they are not. */
    rc = handover_say(t->fd, json_pack("{s:s}", "say", "running"), NULL);
    return rc ? err_sys(e, rc, "the running daemon waits no more") : 0;
}

void takeover_wait(struct takeover *t)
{
    struct err e;
    json_t *m = handover_hear(t->fd, FAREWELL_MS, NULL, &e);

    if (m || e.code == -ETIMEDOUT)
        log_warning("upgrade", "the daemon before does not end; its last events may come late");
    json_decref(m);
    close(t->fd);
    t->fd = -1;
}

void takeover_report(const struct takeover *t)
{
    const char *version = json_string_value(json_object_get(t->hello, "version"));
    int pid = (int)json_integer_value(json_object_get(t->hello, "pid"));

    engine_event("upgraded", NULL,
                 json_pack("{s:s, s:s, s:i, s:i}", "old_version", version ? version : "", "new_version",
                           SLUICE_VERSION, "old_pid", pid, "new_pid", (int)getpid()));
    log_notice("upgrade", "took over from pid %d, version %s", pid, version ? version : "unknown");
}

void takeover_refuse(int fd, const struct err *e)
{
    struct err what = *e;
    char text[1024];

    log_err(LOG_LEVEL_ERROR, "upgrade", e);
    what.remedy[0] = '\0'; /* it goes by itself */
    (void)handover_say(fd,
                       json_pack("{s:s, s:s, s:s}", "say", "refused", "error",
                                 err_format(&what, text, sizeof(text)), "remedy", e->remedy),
                       NULL);
    _exit(1);
}
