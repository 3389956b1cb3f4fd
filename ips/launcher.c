// SPDX-License-Identifier: BSD-2-Clause
/*
 * The launcher: how a daemon without privileges gets a successor that has them for as long as it starts.
 *
 * The daemon's sandbox refuses execve() and its capabilities are gone, so before it enters the sandbox it forks this
 * process, which stays as it is: no thread, two descriptors, no file read, and of everything a message says only its
 * first letter is looked at. `S` with a descriptor starts the program; `K` kills what was started. Which file, which
 * arguments, which environment: what the daemon itself was started with. The path is looked up again, because a
 * package manager that upgrades the daemon puts another file there.
 *
 * Owns its child: reaps it, knows by a pidfd when it ends, and answers `K` only when it is gone, so the daemon may rely
 * on nobody touching its rings. Ends with the daemon (end of file on the socket, PR_SET_PDEATHSIG) and lets the child
 * live: by then that is the daemon. In the daemon: main thread to start and end it, control thread for the rest.
 */
#include "ips/launcher.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_MS \
    5000 /* the launcher has nothing else to do; a fork of a small process takes less than a ms */

enum { SOCKET_FD = 3, TAKEOVER_FD = 3 }; /* in the launcher; in what it starts */

struct launcher {
    pid_t pid;
    int fd;
};

struct answer {
    int error;  /* -errno */
    pid_t pid;  /* S */
    int status; /* K: of waitpid() */
};

/* --- the process ------------------------------------------------------------------------------------------------ */

struct child {
    pid_t pid; /* 0: none */
    int fd;    /* pidfd */
    int status;
};

static char program[PATH_MAX]; /* the file to start: found before the fork */

static void become(char *const *argv, int fd)
{
    char pid[16];
    sigset_t none;

    if (fd == TAKEOVER_FD || dup2(fd, TAKEOVER_FD) != TAKEOVER_FD) /* dup2: without close-on-exec */
        _exit(126);
    close_range(TAKEOVER_FD + 1, ~0u, 0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    if (getenv("WATCHDOG_PID")) { /* sd_watchdog_enabled(3): whom the service manager means */
        snprintf(pid, sizeof(pid), "%d", (int)getpid());
        setenv("WATCHDOG_PID", pid, 1);
    }
    execv(program, argv);
    _exit(127);
}

static void reap(struct child *c, bool kill_it)
{
    if (c->pid == 0)
        return;
    if (kill_it)
        kill(c->pid, SIGKILL);
    while (waitpid(c->pid, &c->status, 0) < 0 && errno == EINTR)
        ;
    close(c->fd);
    c->pid = 0;
}

static struct answer start(struct child *c, char *const *argv, int fd)
{
    if (c->pid != 0)
        return (struct answer){.error = -EBUSY};
    pid_t pid = fork();
    if (pid < 0)
        return (struct answer){.error = -errno};
    if (pid == 0)
        become(argv, fd);
    *c = (struct child){.pid = pid, .fd = (int)syscall(SYS_pidfd_open, pid, 0)};
    if (c->fd < 0) {
        int error = errno;
        reap(c, true);
        return (struct answer){.error = -error};
    }
    return (struct answer){.pid = pid};
}

/* One message; false at the daemon's end. */
static bool serve(struct child *c, char *const *argv)
{
    char word = 0;
    union {
        struct cmsghdr h;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov = {&word, 1};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(SOCKET_FD, &m, MSG_CMSG_CLOEXEC);
    const struct cmsghdr *h = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
    struct answer a = {.error = -EINVAL};
    int fd = -1;

    if (n <= 0)
        return n < 0 && errno == EINTR;
    if (h && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS &&
        h->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&fd, CMSG_DATA(h), sizeof(fd));
    if (word == 'S' && fd >= 0) {
        a = start(c, argv, fd);
    } else if (word == 'K') {
        reap(c, true);
        a = (struct answer){.status = c->status};
    }
    if (fd >= 0)
        close(fd);
    return send(SOCKET_FD, &a, sizeof(a), MSG_NOSIGNAL) == sizeof(a);
}

static void launcher_run(int fd, char *const *argv)
{
    struct child c = {.pid = 0};

    prctl(PR_SET_NAME, "ipsd-launcher");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (dup2(fd, SOCKET_FD) != SOCKET_FD)
        _exit(1);
    close_range(SOCKET_FD + 1, ~0u, 0);
    for (;;) {
        struct pollfd p[2] = {{.fd = SOCKET_FD, .events = POLLIN},
                              {.fd = c.pid ? c.fd : -1, .events = POLLIN}};

        if (poll(p, 2, -1) < 0 && errno != EINTR)
            _exit(1);
        if (p[1].revents)
            reap(&c, false);
        if (p[0].revents && !serve(&c, argv))
            _exit(0);
    }
}

/* --- in the daemon ---------------------------------------------------------------------------------------------- */

/* The file this process runs, by the name it had. */
static int find_program(struct err *e)
{
    static const char gone[] = " (deleted)";
    ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);

    if (n < 0)
        return err_sys(e, -errno, "cannot find out which file ipsd was started from");
    program[n] = '\0';
    if ((size_t)n > sizeof(gone) - 1 && strcmp(program + n - (sizeof(gone) - 1), gone) == 0)
        program[(size_t)n - (sizeof(gone) - 1)] = '\0';
    return 0;
}

/* argv and one argument more; for the launcher's life. */
static char **successor_argv(char *const *argv)
{
    static char takeover[] = "--takeover=3";
    size_t n = 0;

    while (argv[n])
        n++;
    char **v = calloc(n + 2, sizeof(*v));
    if (!v)
        return NULL;
    v[0] = argv[0];
    v[1] = takeover; /* in front: what follows --rules are files */
    memcpy(v + 2, argv + 1, (n - 1) * sizeof(*v));
    return v;
}

struct launcher *launcher_new(char *const *argv, struct err *e)
{
    struct launcher *l = calloc(1, sizeof(*l));
    char **successor = successor_argv(argv);
    int pair[2] = {-1, -1};

    if (!l || !successor)
        err_set(e, -ENOMEM, "no memory for the launcher");
    else if (find_program(e) == 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        err_sys(e, -errno, "cannot make the launcher's socket");
    else if (pair[0] >= 0 && (l->pid = fork()) < 0)
        err_sys(e, -errno, "cannot fork the launcher");
    if (pair[0] >= 0 && l->pid == 0) {
        close(pair[0]);
        launcher_run(pair[1], successor);
    }
    free(successor);
    if (pair[1] >= 0)
        close(pair[1]);
    if (pair[0] >= 0 && l->pid > 0) {
        l->fd = pair[0];
        return l;
    }
    if (pair[0] >= 0)
        close(pair[0]);
    free(l);
    return NULL;
}

void launcher_free(struct launcher *l)
{
    if (!l)
        return;
    close(l->fd);
    while (waitpid(l->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    free(l);
}

static int ask(struct launcher *l, char word, int fd, struct answer *a, struct err *e)
{
    union {
        struct cmsghdr h;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {.space = {0}};
    struct iovec iov = {&word, 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    struct pollfd p = {.fd = l->fd, .events = POLLIN};

    if (fd >= 0) {
        m.msg_control = &control;
        m.msg_controllen = sizeof(control);
        control.h = (struct cmsghdr){
            .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
        memcpy(CMSG_DATA(&control.h), &fd, sizeof(fd));
    }
    if (sendmsg(l->fd, &m, MSG_NOSIGNAL) != 1 || poll(&p, 1, ANSWER_MS) != 1 ||
        recv(l->fd, a, sizeof(*a), MSG_DONTWAIT) != sizeof(*a)) {
        err_set(e, -EPIPE, "the launcher does not answer");
        err_remedy(e, "restart the daemon; only that brings it back");
        return -EPIPE;
    }
    return a->error;
}

pid_t launcher_start(struct launcher *l, int *fd, struct err *e)
{
    struct answer a;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_sys(e, -errno, "cannot make a socket for the new daemon");
    int rc = ask(l, 'S', pair[1], &a, e);
    close(pair[1]);
    if (rc == 0) {
        *fd = pair[0];
        return a.pid;
    }
    close(pair[0]);
    return rc == -EPIPE ? rc : err_sys(e, rc, "the launcher cannot start a process");
}

int launcher_end(struct launcher *l, char *how, size_t size, struct err *e)
{
    struct answer a;
    int rc = ask(l, 'K', -1, &a, e);

    if (rc)
        return rc;
    if (WIFEXITED(a.status) && WEXITSTATUS(a.status) == 127)
        snprintf(how, size, "could not be executed");
    else if (WIFEXITED(a.status))
        snprintf(how, size, "ended with status %d", WEXITSTATUS(a.status));
    else
        snprintf(how, size, "was ended by signal %d", WTERMSIG(a.status));
    return 0;
}

int launcher_fd(const struct launcher *l)
{
    return l->fd;
}
