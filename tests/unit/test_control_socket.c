/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket itself, and clients that mean no good: garbage, endless lines, half lines, a hundred at once, some
 * that never read; who may connect, and what an earlier daemon left. Run under the thread sanitizer too.
 */
#include "tests/unit/control_lab.h"

static void bad_requests_are_answered(void **state)
{
    static const struct {
        const char *request;
        int code;
    } bad[] = {
        {"", 400},
        {"{", 400},
        {"null", 400},
        {"[]", 400},
        {"\"status\"", 400},
        {"{}", 400},
        {"{\"command\":7}", 400},
        {"{\"command\":\"status\",\"args\":[]}", 400},
        {"{\"command\":\"status\",\"command\":\"stats\"}", 400},
        {"{\"command\":\"staus\"}", 404},
        {"{\"command\":\"\"}", 404},
        {"{\"command\":\"\\u0000\"}", 400},
        {"\xff\xfe\x00", 400},
        {"{\"command\":\"status\"} trailing", 400},
    };
    int fd = client();

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect(fd, bad[i].request, bad[i].code);
    expect(fd, "{\"command\":\"status\"}", 200);
    json_t *r = ask(fd, "{\"command\":\"staus\"}");
    assert_non_null(strstr(json_string_value(json_object_get(r, "remedy")), "'status'"));
    json_decref(r);
    close(fd);
}

static void deep_nesting(void **state)
{
    static char text[200002];
    int fd = client();
    char *line;

    memset(text, '[', 200000);
    text[200000] = '\n';
    say(fd, text, 200001);
    line = hear(fd);
    assert_non_null(line);
    assert_non_null(strstr(line, "400"));
    close(fd);
}

static void endless_line(void **state)
{
    static char block[65536];
    int fd = client();
    size_t sent = 0;
    char *line;

    memset(block, 'a', sizeof(block));
    fcntl(fd, F_SETFL, O_NONBLOCK);
    while (sent < 2u << 20) { /* the server stops reading at its limit */
        ssize_t n = send(fd, block, sizeof(block), MSG_NOSIGNAL);

        if (n <= 0) {
            struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT};

            assert_int_equal(poll(&p, 1, WAIT_MS), 1);
            if (p.revents & (POLLIN | POLLHUP | POLLERR))
                break;
            continue;
        }
        sent += (size_t)n;
    }
    line = hear(fd);
    assert_non_null(line);
    assert_non_null(strstr(line, "longer than"));
    assert_null(hear(fd));
    close(fd);
}

static void pipelined_and_half_closed(void **state)
{
    static const char three[] = "{\"command\":\"status\"}\n{\"command\":\"drops\"}\n{\"command\":\"nix\"}\n";
    int fd = client();

    say(fd, three, sizeof(three) - 1);
    shutdown(fd, SHUT_WR);
    assert_non_null(strstr(hear(fd), "uptime_s"));
    assert_non_null(strstr(hear(fd), "reasons"));
    assert_non_null(strstr(hear(fd), "404"));
    assert_null(hear(fd));
    close(fd);
}

static void half_lines_and_single_bytes(void **state)
{
    static const char request[] = "{\"command\":\"status\"}\n";
    int fd = client(), gone = client();

    say(gone, request, 5);
    close(gone);
    for (size_t i = 0; i < sizeof(request) - 1; i++)
        say(fd, request + i, 1);
    assert_non_null(strstr(hear(fd), "uptime_s"));
    close(fd);
}

/* A hundred clients; some hold half a line, some ask and never read, the others are served. */
static void a_hundred_clients(void **state)
{
    int fds[100];

    for (int i = 0; i < 100; i++)
        fds[i] = client();
    for (int i = 0; i < 100; i++) {
        if (i % 3 == 0)
            say(fds[i], "{\"command\":", 11);
        for (int n = 0; i % 3 == 1 && n < 200; n++)
            if (send(fds[i], "{\"command\":\"help\"}\n", 19, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
                break;
    }
    for (int i = 2; i < 100; i += 3)
        expect(fds[i], "{\"command\":\"status\"}", 200);
    for (int i = 0; i < 99; i += 3) {
        say(fds[i], "\"status\"}\n", 10);
        assert_non_null(strstr(hear(fds[i]), "uptime_s"));
    }
    for (int i = 0; i < 100; i++)
        close(fds[i]);
}

/* With all places taken, the quietest client makes room. */
static void more_clients_than_places(void **state)
{
    int fds[140], fd;

    for (int i = 0; i < 140; i++) {
        fds[i] = client();
        expect(fds[i], "{\"command\":\"status\"}", 200);
    }
    assert_null(hear(fds[0]));
    fd = client();
    expect(fd, "{\"command\":\"status\"}", 200);
    expect(fds[139], "{\"command\":\"status\"}", 200);
    close(fd);
    for (int i = 0; i < 140; i++)
        close(fds[i]);
}

static void random_bytes(void **state)
{
    uint32_t seed = 1;
    int fd = client();

    for (int round = 0; round < 200; round++) {
        uint8_t noise[256];

        for (size_t i = 0; i < sizeof(noise); i++) {
            seed = seed * 1664525 + 1013904223;
            noise[i] = (uint8_t)(seed >> 24);
        }
        noise[255] = '\n';
        say(fd, noise, sizeof(noise));
        for (size_t i = 0; i < sizeof(noise); i++)
            if (noise[i] == '\n')
                assert_non_null(hear(fd));
    }
    expect(fd, "{\"command\":\"status\"}", 200);
    close(fd);
}

static void the_socket_is_guarded(void **state)
{
    struct control_config cc = {.config = t.config, .ops = &t.ops, .ruleset = &t.ruleset};
    struct err e;
    struct stat st;

    assert_int_equal(stat(t.sock, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_null(control_new(&cc, &e)); /* a second daemon finds the first */
    assert_int_equal(e.code, -EADDRINUSE);
    assert_non_null(strstr(e.text, "another ipsd runs"));
    if (geteuid() == 0) {
        /* somebody else gets a polite no even when the mode lets them in */
        int fd;

        assert_int_equal(chmod(t.sock, 0777) | chmod(t.dir, 0755), 0);
        assert_int_equal(seteuid(65534), 0);
        fd = client();
        assert_int_equal(seteuid(0), 0);
        char *line = hear(fd);
        assert_non_null(line);
        assert_non_null(strstr(line, "403"));
        assert_null(hear(fd));
        close(fd);
    }
}

static void dead_sockets_are_replaced(void **state)
{
    struct control_config cc = {.config = t.config, .ops = &t.ops, .ruleset = &t.ruleset};
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    struct control_server *s;
    struct config *c;
    struct err e;
    char set[160], path[96];
    FILE *f;
    int fd;

    snprintf(path, sizeof(path), "%s/dead.sock", t.dir);
    snprintf(set, sizeof(set), "control.socket=%s", path);
    c = config_new(&e);
    assert_non_null(c);
    assert_int_equal(config_set(c, set, &e), 0);
    cc.config = c;
    snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
    close(fd); /* the file stays, nobody listens */
    s = control_new(&cc, &e);
    assert_non_null(s);
    control_stop(s); /* never started */
    assert_int_equal(access(path, F_OK), -1);

    f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
    assert_null(control_new(&cc, &e)); /* somebody's file is left alone */
    assert_int_equal(e.code, -EEXIST);
    assert_int_equal(access(path, F_OK), 0);
    unlink(path);

    assert_int_equal(config_set(c, "control.group=no-such-group", &e), 0);
    assert_null(control_new(&cc, &e));
    assert_int_equal(config_set(c, "control.group=", &e), 0);
    assert_int_equal(config_set(c, "control.socket=/nonexistent/deep/x.sock", &e), 0);
    assert_null(control_new(&cc, &e));
    assert_true(e.remedy[0] != '\0');
    config_free(c);
}

static void stopping_amid_a_reload(void **state)
{
    int fd = client();

    say(fd, "{\"command\":\"rules reload\"}\n", 27);
    close(fd);
    /* stop() joins whatever runs and frees what was built */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bad_requests_are_answered, start, stop),
        cmocka_unit_test_setup_teardown(deep_nesting, start, stop),
        cmocka_unit_test_setup_teardown(endless_line, start, stop),
        cmocka_unit_test_setup_teardown(pipelined_and_half_closed, start, stop),
        cmocka_unit_test_setup_teardown(half_lines_and_single_bytes, start, stop),
        cmocka_unit_test_setup_teardown(a_hundred_clients, start, stop),
        cmocka_unit_test_setup_teardown(more_clients_than_places, start, stop),
        cmocka_unit_test_setup_teardown(random_bytes, start, stop),
        cmocka_unit_test_setup_teardown(the_socket_is_guarded, start, stop),
        cmocka_unit_test_setup_teardown(dead_sockets_are_replaced, start, stop),
        cmocka_unit_test_setup_teardown(stopping_amid_a_reload, start, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
