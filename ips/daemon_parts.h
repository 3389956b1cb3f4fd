/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_DAEMON_PARTS_H
#define SLUICE_DAEMON_PARTS_H
/* The inside of the daemon, for daemon.c (the ladder, what the control socket asks) and daemon_upgrade.c. Main thread. */
#include "ips/bridge.h"
#include "ips/control/control.h"
#include "ips/control/live.h"
#include "ips/daemon.h"
#include "ips/launcher.h"
#include "ips/link.h"
#include "ips/log/logger.h"
#include "ips/takeover.h"
#include "ips/upgrade.h"

struct ipsd {
    const struct config *cfg;
    struct config *live_cfg; /* the same: the control server takes values over in it */
    struct bridge bridges[BRIDGES_MAX];
    unsigned n_bridges; /* opened */
    uint32_t n_workers;
    const struct ruleset *ruleset; /* published; swapped by the control server */
    struct live *live;             /* what of the configuration is in the kernel's maps */
    struct track *track;           /* of hosts; all workers use it */
    struct control_ops ops;
    struct control_server *control;
    struct launcher *launcher;
    struct upgrade *upgrade;   /* how this daemon may go */
    struct takeover *takeover; /* how it came; NULL: it was started */
    struct logger *logger;
    struct links *links;
    pthread_mutex_t hands; /* on bridges: commands and the link thread, one at a time */
    uint64_t started_ns;
};

/* --- daemon.c --- */

int daemon_prepare(struct ipsd *d, struct err *e); /* everything but what moves frames */
int daemon_fill_kernel(struct ipsd *d, struct err *e);
int daemon_watch_links(struct ipsd *d, struct err *e);

/* --- daemon_upgrade.c --- */

int daemon_make_upgrade(struct ipsd *d, struct err *e); /* so that this one may be replaced */
/* Takes over from the daemon at the other end of fd. Does not return when it cannot. */
int daemon_succeed(struct ipsd *d, int fd, struct err *e);
/* When the bridges are another daemon's. Does not return. */
void daemon_leave(struct ipsd *d) __attribute__((noreturn));
#endif
