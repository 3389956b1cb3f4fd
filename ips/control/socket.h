/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_CONTROL_SOCKET_H
#define SLUICE_CONTROL_SOCKET_H
/*
 * The control socket's file: made, guarded, removed. open and close in the main thread, allowed in the server's.
 */
#include <stdbool.h>
#include <sys/types.h>
#include "ips/base/err.h"

struct control_socket {
    int fd;         /* -1: not open */
    char path[108]; /* as sockaddr_un has room for */
    uid_t owner;    /* who may use it besides root: whoever runs the daemon */
    gid_t group;    /* and this group, when has_group */
    bool has_group;
};

/* An answered socket is another daemon's (-EADDRINUSE); one that refuses is a dead one's and is replaced. */
int control_socket_open(struct control_socket *s, const char *path, const char *group, struct err *e);
/* At an upgrade: the socket that another daemon listens on, if it is at this path. Owns fd on success. */
int control_socket_adopt(struct control_socket *s, int fd, const char *path, const char *group,
                         struct err *e);
void control_socket_close(struct control_socket *s);
/* Closes it here only: another daemon listens on it. */
void control_socket_leave(struct control_socket *s);
/* Are the peer's credentials, as they were when it connected, good enough? */
bool control_socket_allowed(const struct control_socket *s, int fd);
#endif
