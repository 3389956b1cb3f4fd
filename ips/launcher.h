/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_LAUNCHER_H
#define SLUICE_LAUNCHER_H
/*
 * A process that keeps the privileges the daemon gives up, and can do one thing with them: start the program file that
 * the daemon was started from once more, with the daemon's arguments and `--takeover=FD`. See launcher.c.
 */
#include <stdbool.h>
#include <sys/types.h>
#include "ips/base/err.h"

struct launcher;

/* Forks; before any thread or descriptor that the launcher must not have. argv: the daemon's, without `--takeover`. */
struct launcher *launcher_new(char *const *argv, struct err *e);
/* Closing ends it, and leaves what it started alone. NULL is fine. */
void launcher_free(struct launcher *l);
/* Starts a daemon; *fd is our end of the socket it gets (SOCK_SEQPACKET). One at a time. Returns its pid or -errno. */
pid_t launcher_start(struct launcher *l, int *fd, struct err *e);
/* It is gone when this returns 0: killed, if it had not ended. how: "ended with status 1" and its like. */
int launcher_end(struct launcher *l, char *how, size_t size, struct err *e);
int launcher_fd(const struct launcher *l); /* its socket, for tests */
#endif
