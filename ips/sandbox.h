/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_SANDBOX_H
#define SLUICE_SANDBOX_H
/*
 * Gives up what the running daemon will never need. Capabilities and filters belong to a thread and are inherited
 * by the threads it makes, so this is called once, in the main thread, before any other thread exists and after
 * everything that needs more was opened. Cannot be undone.
 */
#include "ips/base/err.h"

/* user: NULL or "" stays who it is. */
int sandbox_enter(const char *user, struct err *e);
#endif
