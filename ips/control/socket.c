/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file of the control socket, and who may use it.
 *
 * The file's mode keeps others from connecting (0600, or 0660 with the group), and every connection's
 * credentials, which the kernel vouches for, are checked again: a mode can be changed by hand. The socket is
 * bound under a umask that lets nobody in until group and mode are right. Main thread, but for
 * control_socket_allowed(), which only reads.
 */
#include "ips/control/socket.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG    64
#define GROUPS_MAX 1024

/* Is somebody there? 0: nobody, and nothing is in the way any more. */
static int make_way(const struct sockaddr_un *sun, struct err *e)
{
    struct stat st;
    int fd, rc;

    if (lstat(sun->sun_path, &st) < 0)
        return errno == ENOENT ? 0
                               : err_sys(e, -errno, "cannot look at the control socket %s", sun->sun_path);
    if (!S_ISSOCK(st.st_mode)) {
        err_set(e, -EEXIST, "%s is in the way of the control socket and is not a socket", sun->sun_path);
        return err_remedy(e, "move it away, or set control.socket to another path"), -EEXIST;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_sys(e, -errno, "cannot make a socket");
    rc = connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) < 0 ? -errno : 0;
    close(fd);
    if (rc != -ECONNREFUSED) { /* connected, or its queue is full: alive in any case */
        err_set(e, -EADDRINUSE, "another ipsd runs and answers on %s", sun->sun_path);
        err_remedy(e, "stop it ('ipsctl shutdown'), or give this one its own control.socket");
        return -EADDRINUSE;
    }
    if (unlink(sun->sun_path) < 0)
        return err_sys(e, -errno, "cannot remove the dead control socket %s", sun->sun_path);
    return 0;
}

/* /run is empty after each boot: the last directory is made when it is missing. */
static int make_directory(const char *path, struct err *e)
{
    char dir[108];
    char *slash;

    snprintf(dir, sizeof(dir), "%s", path);
    slash = strrchr(dir, '/');
    if (slash == NULL || slash == dir)
        return 0;
    *slash = '\0';
    if (mkdir(dir, 0755) == 0 || errno == EEXIST)
        return 0;
    err_sys(e, -errno, "cannot make the directory %s for the control socket", dir);
    return err_remedy(e, "make it, or set control.socket to a path whose directory is there"), e->code;
}

static int set_owner(const struct control_socket *s, struct err *e)
{
    if (s->has_group && chown(s->path, (uid_t)-1, s->group) < 0)
        return err_sys(e, -errno, "cannot give the control socket %s to its group", s->path);
    if (chmod(s->path, s->has_group ? 0660 : 0600) < 0)
        return err_sys(e, -errno, "cannot set the mode of the control socket %s", s->path);
    return 0;
}

static int find_group(struct control_socket *s, const char *group, struct err *e)
{
    const struct group *g = group != NULL && group[0] != '\0' ? getgrnam(group) : NULL;

    if (g != NULL) {
        s->has_group = true;
        s->group = g->gr_gid;
    } else if (group != NULL && group[0] != '\0') {
        err_set(e, -ENOENT, "there is no group '%s' for the control socket", group);
        return err_remedy(e, "create it, or leave control.group out"), -ENOENT;
    }
    return 0;
}

int control_socket_adopt(struct control_socket *s, int fd, const char *path, const char *group, struct err *e)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(sun);
    int rc;

    *s = (struct control_socket){.fd = -1, .owner = geteuid()};
    if (getsockname(fd, (struct sockaddr *)&sun, &len) < 0 || sun.sun_family != AF_UNIX ||
        strncmp(sun.sun_path, path, sizeof(sun.sun_path)) != 0) {
        err_set(e, -ESTALE, "control.socket is %s, and the running daemon has another", path);
        return err_remedy(e, "this takes a restart; or leave it as it was"), -ESTALE;
    }
    rc = find_group(s, group, e);
    if (rc < 0)
        return rc;
    memcpy(s->path, sun.sun_path, sizeof(s->path));
    rc = set_owner(s, e);
    if (rc == 0)
        s->fd = fd;
    return rc;
}

int control_socket_open(struct control_socket *s, const char *path, const char *group, struct err *e)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    mode_t old;
    int rc;

    *s = (struct control_socket){.fd = -1, .owner = geteuid()};
    if (strlen(path) >= sizeof(sun.sun_path)) {
        err_set(e, -ENAMETOOLONG, "the control socket's path %s is too long", path);
        return err_remedy(e, "give control.socket at most %zu bytes", sizeof(sun.sun_path) - 1),
               -ENAMETOOLONG;
    }
    memcpy(sun.sun_path, path, strlen(path) + 1);
    rc = find_group(s, group, e);
    if (rc == 0)
        rc = make_directory(path, e);
    if (rc == 0)
        rc = make_way(&sun, e);
    if (rc < 0)
        return rc;
    s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd < 0)
        return err_sys(e, -errno, "cannot make a socket");
    old = umask(0177);
    rc = bind(s->fd, (const struct sockaddr *)&sun, sizeof(sun)) < 0 ? -errno : 0;
    umask(old);
    if (rc < 0) {
        err_sys(e, rc, "cannot bind the control socket %s", path);
        err_remedy(e, "check that the directory is writable, or set control.socket to another path");
        close(s->fd);
        s->fd = -1;
        return rc;
    }
    memcpy(s->path, sun.sun_path, sizeof(s->path)); /* from now on it is ours to remove */
    rc = set_owner(s, e);
    if (rc == 0 && listen(s->fd, BACKLOG) < 0)
        rc = err_sys(e, -errno, "cannot listen on the control socket %s", path);
    if (rc < 0)
        control_socket_close(s);
    return rc;
}

void control_socket_close(struct control_socket *s)
{
    if (s->fd < 0)
        return;
    close(s->fd);
    s->fd = -1;
    unlink(s->path); /* may be forbidden after privileges were dropped: the next start finds it dead */
}

void control_socket_leave(struct control_socket *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

bool control_socket_allowed(const struct control_socket *s, int fd)
{
    struct ucred cred;
    gid_t groups[GROUPS_MAX];
    socklen_t len = sizeof(cred);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
        return false;
    if (cred.uid == 0 || cred.uid == s->owner)
        return true;
    if (!s->has_group)
        return false;
    if (cred.gid == s->group)
        return true;
    len = sizeof(groups);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
        return false;
    for (socklen_t i = 0; i < len / sizeof(groups[0]); i++)
        if (groups[i] == s->group)
            return true;
    return false;
}
