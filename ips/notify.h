/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_NOTIFY_H
#define SLUICE_NOTIFY_H
#include <stdint.h>
#include <sys/types.h>

/* Tells the service manager how far we are, by the protocol of sd_notify(3). Nothing happens without NOTIFY_SOCKET. */
void notify_ready(void);
void notify_stopping(void);
void notify_successor(pid_t pid); /* the main process is another one now */
/* How often it wants to hear that all is well (WATCHDOG_USEC); 0: never. */
uint64_t notify_watchdog_ns(void);
void notify_watchdog(void);
#endif
