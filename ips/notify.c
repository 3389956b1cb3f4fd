/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One datagram to the socket in $NOTIFY_SOCKET: what sd_notify(3) does, without libsystemd. A leading '@' is
 * an abstract socket. Failure is not an error: the service manager has a timeout of its own. Main thread, and
 * the supervisor's for the watchdog; owns nothing.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ips/base/clock.h"
#include "ips/notify.h"

static void notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t len = path ? strlen(path) : 0;

    if (len < 2 || len >= sizeof(a.sun_path))
        return;
    memcpy(a.sun_path, path, len);
    if (path[0] == '@')
        a.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    (void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&a,
                  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
    close(fd);
}

void notify_ready(void)
{
    notify("READY=1");
}

void notify_successor(pid_t pid)
{
    char text[32];

    snprintf(text, sizeof(text), "MAINPID=%d", (int)pid);
    notify(text);
}

void notify_stopping(void)
{
    notify("STOPPING=1");
}

void notify_watchdog(void)
{
    notify("WATCHDOG=1");
}

uint64_t notify_watchdog_ns(void)
{
    const char *usec =
        getenv("WATCHDOG_USEC"); /* WATCHDOG_PID is the first daemon's: after an upgrade it is not ours */

    return usec ? strtoull(usec, NULL, 10) * NS_PER_US : 0;
}
