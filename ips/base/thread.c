/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads beside the workers: control, loader, logger, supervisor, link. A new thread inherits its signal mask, so the
 * caller's is set for the time of the start and put back; a signal that comes meanwhile waits for the main thread. Owns
 * nothing; whoever starts a thread joins it.
 */
#include "ips/base/thread.h"

#include <signal.h>

int thread_start(pthread_t *t, const char *name, void *(*run)(void *arg), void *arg, struct err *e)
{
    sigset_t all, old;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(t, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0)
        return err_sys(e, -rc, "cannot start the %s thread", name);
    pthread_setname_np(*t, name);
    return 0;
}
