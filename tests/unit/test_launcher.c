// SPDX-License-Identifier: BSD-2-Clause
/*
 * The launcher starts this very program once more. What it started says over its socket what it was started with, and then
 * does as its first argument says: it waits, or ends. Nothing here needs root.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "ips/launcher.h"

#define WAIT_MS 10000 /* only a failure waits this long */

static int successor(int argc, char **argv)
{
    char text[512] = "";
    size_t n = 0;

    for (int i = 1; i < argc; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s ", argv[i]);
    for (int fd = 4; fd < 64; fd++) /* the test's own descriptors must not have come along */
        if (fcntl(fd, F_GETFD) >= 0)
            n += (size_t)snprintf(text + n, sizeof(text) - n, "fd%d ", fd);
    if (send(3, text, n, 0) != (ssize_t)n)
        return 99;
    if (strcmp(argv[2], "end") == 0)
        return 7;
    (void)!recv(3, text, 1, 0);
    return 0;
}

static struct launcher *launcher(const char *what)
{
    char *argv[] = {"test_launcher", (char *)what, "-c", "file", NULL};
    struct err e;
    struct launcher *l = launcher_new(argv, &e);

    assert_non_null(l);
    return l;
}

/* What it says, or "" at its end. */
static void hear(int fd, char *text, size_t size)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    assert_int_equal(poll(&p, 1, WAIT_MS), 1);
    ssize_t n = recv(fd, text, size - 1, 0);
    assert_true(n >= 0);
    text[n] = '\0';
}

static void starts_the_program_with_its_arguments(void **state)
{
    struct launcher *l = launcher("wait");
    char text[512], how[64];
    int fd, other;
    struct err e;
    pid_t pid = launcher_start(l, &fd, &e);

    assert_true(pid > 0 && pid != getpid());
    hear(fd, text, sizeof(text));
    assert_string_equal(text, "--takeover=3 wait -c file ");
    assert_int_equal(launcher_start(l, &other, &e), -EBUSY); /* one at a time */
    assert_int_equal(launcher_end(l, how, sizeof(how), &e), 0);
    assert_string_equal(how, "was ended by signal 9");
    hear(fd, text, sizeof(text));
    assert_string_equal(text, ""); /* gone, and nobody else holds its socket */
    close(fd);
    assert_true(launcher_start(l, &fd, &e) > 0); /* and then another one */
    hear(fd, text, sizeof(text));
    close(fd);
    launcher_free(l);
}

static void says_how_it_ended(void **state)
{
    struct launcher *l = launcher("end");
    char text[512], how[64];
    struct err e;
    int fd;

    assert_true(launcher_start(l, &fd, &e) > 0);
    hear(fd, text, sizeof(text));
    hear(fd, text, sizeof(text));
    assert_string_equal(text, "");
    assert_int_equal(launcher_end(l, how, sizeof(how), &e), 0);
    assert_string_equal(how, "ended with status 7");
    close(fd);
    launcher_free(l);
}

/* The launcher ends with its daemon, and what it started lives on. */
static void the_successor_outlives_it(void **state)
{
    struct launcher *l = launcher("wait");
    char text[512];
    struct err e;
    int fd;
    pid_t pid = launcher_start(l, &fd, &e);

    hear(fd, text, sizeof(text));
    launcher_free(l);
    assert_int_equal(kill(pid, 0), 0);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 50), 0);
    shutdown(fd, SHUT_WR); /* which ends it */
    hear(fd, text, sizeof(text));
    assert_string_equal(text, "");
    close(fd);
}

static void nonsense_is_refused(void **state)
{
    struct launcher *l = launcher("wait");
    int fd = launcher_fd(l), answer[3] = {0};

    assert_int_equal(send(fd, "X/bin/sh", 8, 0), 8);
    assert_int_equal(recv(fd, answer, sizeof(answer), 0), sizeof(answer));
    assert_int_equal(answer[0], -EINVAL);
    assert_int_equal(send(fd, "S", 1, 0), 1); /* and no descriptor */
    assert_int_equal(recv(fd, answer, sizeof(answer), 0), sizeof(answer));
    assert_int_equal(answer[0], -EINVAL);
    launcher_free(l);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_the_program_with_its_arguments),
        cmocka_unit_test(says_how_it_ended),
        cmocka_unit_test(the_successor_outlives_it),
        cmocka_unit_test(nonsense_is_refused),
    };

    if (argc > 2 && strcmp(argv[1], "--takeover=3") == 0)
        return successor(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
