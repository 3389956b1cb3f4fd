/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_NOTIFY_H
#define SLUICE_NOTIFY_H
/* Tells the service manager how far we are, by the protocol of sd_notify(3). Nothing happens without NOTIFY_SOCKET. */
void notify_ready(void);
void notify_stopping(void);
#endif
