/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon at an upgrade, as the one that comes and as the one that goes (the story is in handover.c).
 *
 * The ladder of daemon.c is climbed beside the daemon that still runs, up to everything that moves frames. Then the
 * bridges change hands, and only from then on there is something to undo. The daemon that goes leaves its bridges as they
 * are. Main thread.
 */
#include <unistd.h>

#include "ips/base/clock.h"
#include "ips/base/log.h"
#include "ips/daemon_parts.h"
#include "ips/notify.h"
#include "ips/supervise.h"

int daemon_make_upgrade(struct ipsd *d, struct err *e)
{
    struct upgrade_place place = {.launcher = d->launcher,
                                  .bridges = d->bridges,
                                  .n_bridges = d->n_bridges,
                                  .control_fd = control_fd(d->control),
                                  .links = &d->links};

    d->upgrade = upgrade_new(&place, e);
    if (!d->upgrade)
        return e->code;
    d->ops.upgrader = upgrade_control(d->upgrade);
    return 0;
}

/* In place of a daemon that runs. Up to the switch nothing is ours to undo. */
int daemon_succeed(struct ipsd *d, int fd, struct err *e)
{
    d->takeover = takeover_new(fd, d->cfg, e);
    if (!d->takeover || daemon_prepare(d, e) || supervise_start(d->cfg->supervisor.stall_ms, e) ||
        takeover_switch(d->takeover, d->bridges, ruleset_stats(d->ruleset)->n_loaded, e))
        takeover_refuse(fd, e);
    uint64_t since_ns = clock_mono_ns();
    for (unsigned i = 0; i < d->n_bridges; i++)
        if (bridge_run_workers(&d->bridges[i], e))
            return e->code;
    for (unsigned i = 0; i < d->n_bridges; i++)
        if (bridge_succeed(&d->bridges[i], d->cfg, since_ns, e))
            return e->code;
    if (daemon_fill_kernel(d, e) || daemon_watch_links(d, e) || control_start(d->control, d->n_workers, e))
        return e->code;
    takeover_wait(d->takeover);
    takeover_report(d->takeover);
    return logger_start(d->logger, e);
}

/* The bridges are another daemon's: what this one still has to say is written, and it ends as it stands. */
void daemon_leave(struct ipsd *d)
{
    struct err e = {.code = 0};

    control_stop(d->control);
    for (unsigned i = 0; i < d->n_bridges; i++)
        for (uint32_t w = 0; w < d->bridges[i].n_workers; w++)
            flow_flush(
                d->bridges[i].workers[w]->flows); /* their records end here; the next daemon begins its own */
    if (logger_stop(d->logger, &e))
        log_err(LOG_LEVEL_ERROR, "log", &e);
    /* The launcher ends first: with it gone its child is the service manager's, which then learns of it. */
    launcher_free(d->launcher);
    notify_successor(upgrade_leave(d->upgrade));
    log_notice("main", "ends, the bridges go on");
    _exit(0);
}
