/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_UPGRADE_H
#define SLUICE_UPGRADE_H
/*
 * The side of an upgrade that goes: starts the next daemon, hands the bridges over to it, or goes on when that fails.
 * Control thread, but for upgrade_new() and upgrade_free(). The protocol is on top of handover.c.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "ips/bridge.h"
#include "ips/control/control.h"
#include "ips/launcher.h"
#include "ips/link.h"

struct upgrade;

struct upgrade_place { /* outlives the upgrade */
    struct launcher *launcher;
    struct bridge *bridges;
    unsigned n_bridges;
    int control_fd;       /* the listening control socket */
    struct links **links; /* who watches the bridges' interfaces */
};

struct upgrade *upgrade_new(const struct upgrade_place *place, struct err *e);
void upgrade_free(struct upgrade *u);
const struct control_upgrader *upgrade_control(struct upgrade *u);
/* The bridges are another daemon's: this one may write its events, and must end with upgrade_leave(). Any thread. */
bool upgrade_done(const struct upgrade *u);
/* The last thing said to the next daemon: it may write events. Returns its pid. */
pid_t upgrade_leave(struct upgrade *u);
#endif
