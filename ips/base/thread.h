/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_BASE_THREAD_H
#define SLUICE_BASE_THREAD_H
/* The start of a thread beside the workers. */
#include <pthread.h>
#include "ips/base/err.h"

/* With all signals blocked: they are the main thread's business. name: what ps(1) shows, 15 bytes at most. 0 or -errno. */
int thread_start(pthread_t *t, const char *name, void *(*run)(void *arg), void *arg, struct err *e);
#endif
