/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_DAEMON_H
#define SLUICE_DAEMON_H
/*
 * ipsd in-line: every bridge of the configuration, one logger, one control socket. Runs in the calling thread
 * until SIGTERM, SIGINT or `ipsctl shutdown`; SIGHUP reopens the event file. The caller has blocked these signals.
 */
#include "ips/control/config.h"

struct daemon_start {
    char *const *argv; /* what another one is started with, at an upgrade */
    int takeover_fd;   /* -1; else: take the bridges over from the daemon at the other end */
};

int daemon_run(struct config *cfg, const struct daemon_start *start, struct err *e);
/* `ipsd --check`: the configuration is good already; loads the rules and says what is wrong with them. */
int daemon_check(const struct config *cfg, struct err *e);
#endif
