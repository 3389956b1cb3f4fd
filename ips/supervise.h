/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_SUPERVISE_H
#define SLUICE_SUPERVISE_H
/*
 * The supervisor: a thread that looks at every worker ten times a second, and ends the process when one hangs. One for
 * the process. See supervise.c.
 */
#include "ips/bridge.h"

/* Before workers start. stall_ms: how long a round may take; 0: nobody is judged. */
int supervise_start(uint32_t stall_ms, struct err *e);
void supervise_stall(uint32_t ms); /* from now on; any thread */
/* After the last bridge_stop(). Fine when it was not started. */
void supervise_stop(void);
/* A bridge whose workers run, and before they are freed. b is borrowed in between. */
void supervise_add(struct bridge *b);
void supervise_remove(struct bridge *b);
#endif
