/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_TAKEOVER_H
#define SLUICE_TAKEOVER_H
/*
 * The side of an upgrade that comes: `ipsd --takeover=FD`, started by the launcher of the daemon that goes. Main thread.
 * The protocol is on top of handover.c.
 */
#include <stdbool.h>
#include "ips/bridge.h"

struct takeover;

/* Hears what there is, and compares it with the configuration. NULL: e says what does not fit; tell takeover_refuse(). */
struct takeover *takeover_new(int fd, const struct config *cfg, struct err *e);
void takeover_free(struct takeover *t);
int takeover_control_fd(const struct takeover *t);
bool takeover_force(const struct takeover *t); /* rules with errors may be left out */
const struct bridge_heirloom *takeover_heirloom(const struct takeover *t, uint32_t bridge);
/* Everything is there: the other daemon stops, the frames are adopted, and it is said that this one runs. 0: it does, and
 * the bridges are its own; else nothing has changed. */
int takeover_switch(struct takeover *t, struct bridge *bridges, uint32_t n_rules, struct err *e);
/* The events of the other daemon come first: waits for its end, not for long. */
void takeover_wait(struct takeover *t);
/* The event about it, and the log's line. */
void takeover_report(const struct takeover *t);
/* Says why not, over the socket fd and in the log, and ends the process: nothing here is its own to put back. */
void takeover_refuse(int fd, const struct err *e) __attribute__((noreturn));
#endif
