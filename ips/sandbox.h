/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_SANDBOX_H
#define SLUICE_SANDBOX_H
/*
 * Gives up what the running daemon will never need. Capabilities and filters belong to a thread and are inherited
 * by the threads it makes, so this is called once, in the main thread, before any other thread exists and after
 * everything that needs more was opened. Cannot be undone.
 */
#include <sys/types.h>
#include "ips/base/err.h"

/* user: NULL or "" stays who it is. */
/* Who the daemon will be; root when there is no such user, which sandbox_enter() refuses. */
uid_t sandbox_uid(const char *user);
int sandbox_enter(const char *user, struct err *e);
#endif
