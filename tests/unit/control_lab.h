/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_TESTS_CONTROL_LAB_H
#define SLUICE_TESTS_CONTROL_LAB_H
/*
 * A control server with nothing behind it but a few functions; its rulesets are real, built from files of the test. And a
 * client, which says a line, hears one, and compares the code.
 *
 *     cmocka_unit_test_setup_teardown(test, start, stop)
 *     expect(client(), "{\"command\":\"status\"}", 200);
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <urcu-qsbr.h>
#include <cmocka.h>

#include "ips/base/rcu.h"
#include "ips/control/control.h"
#include "ips/control/proto.h"

#define WAIT_MS 30000 /* no test waits so long; it ends one that would hang */

static struct {
    char dir[64], sock[96], rules[96], policy[96];
    struct config *config;
    struct control_ops ops;
    const struct ruleset *ruleset;
    struct control_server *server;
    struct prefix_list lists[2];
    bool unblocked;
    bool shutdown; /* atomic */
} t;

/* --- the daemon ----------------------------------------------------------------------------------------- */

static json_t *fake_status(void *arg)
{
    return json_pack("{s:i, s:[]}", "uptime_s", 5, "bridges");
}

static json_t *fake_stats(void *arg)
{
    struct counters c;

    memset(&c, 0, sizeof(c));
    c.v[CTR_RX_FRAMES] = 42;
    return stats_counters_json(&c);
}

static void fake_counters(void *arg, struct counters *sum)
{
    sum->drop[DROP_RULES] += 7;
}

static unsigned fake_kernel_drops(void *arg, struct control_row *rows, unsigned max)
{
    rows[0] = (struct control_row){.word = "blocked src", .help = "on the list", .count = 3};
    return 1;
}

static int fake_list_add(void *arg, enum xdp_list list, const struct prefix *v, size_t n, bool keep,
                         struct err *e)
{
    (void)arg, (void)e, (void)keep;
    for (size_t i = 0; i < n; i++)
        prefix_list_add(&t.lists[list], &v[i], e);
    prefix_list_sort(&t.lists[list]);
    return 0;
}

static int fake_list_del(void *arg, enum xdp_list list, const struct prefix *v, size_t n, size_t *n_removed,
                         struct err *e)
{
    struct prefix_list *l = &t.lists[list];

    (void)arg, (void)e, (void)n;
    *n_removed = 0;
    for (size_t i = 0; i < l->n; i++)
        if (prefix_cmp(&l->v[i], v) == 0) {
            l->v[i] = l->v[--l->n];
            ++*n_removed;
        }
    prefix_list_sort(l);
    return 0;
}

static int fake_list_clear(void *arg, enum xdp_list list, size_t max, size_t *n_removed, struct err *e)
{
    struct prefix_list *l = &t.lists[list];

    (void)arg, (void)e;
    *n_removed = l->n < max ? l->n : max;
    l->n -= *n_removed;
    return 0;
}

/* One address that a rule has blocked, until it is taken off. */
static int fake_flows_each(void *arg, control_flow_fn fn, void *fn_arg)
{
    struct flowcache_entry e = {.key = {.version = 4, .addr = {{192, 0, 2, 77}}},
                                .verdict = {.kind = STEER_KIND_SOURCE, .expires_ns = 70000000000, .sid = 5},
                                .pkts = {3}};

    (void)arg;
    return t.unblocked ? 0 : fn("br0", &e, 10000000000, fn_arg);
}

static bool fake_flows_unblock(void *arg, const struct steer_key *k)
{
    bool was = !t.unblocked && k->version == 4 && k->addr[0][3] == 77;

    (void)arg;
    t.unblocked |= was;
    return was;
}

/* The cursor is an entry, as in the kernel; the fake keeps all in one "trie". */
static int fake_list_page(void *arg, enum xdp_list list, struct xdp_cursor *c, uint32_t max,
                          const struct xdp_visit *visit)
{
    struct prefix_list *l = &t.lists[list];

    (void)arg;
    for (size_t i = 0; i < l->n; i++) {
        if (c->inside && prefix_cmp(&l->v[i], &c->at) <= 0)
            continue;
        if (max-- == 0)
            return 0;
        c->at = l->v[i];
        c->inside = true;
        visit->fn(&l->v[i], 9, visit->arg);
    }
    c->trie = 4;
    return 0;
}

static void fake_shutdown(void *arg)
{
    __atomic_store_n(&t.shutdown, true, __ATOMIC_RELEASE);
}

static void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void write_rules(const char *text)
{
    write_text(t.rules, text);
}

#define GOOD_RULE  "alert tcp any any -> any any (msg:\"one\"; content:\"evil\"; sid:1; rev:2;)\n"
#define OTHER_RULE "drop udp any any -> any 53 (msg:\"two\"; content:\"bad\"; sid:2;)\n"

static int start(void **state)
{
    struct control_config cc = {.ops = &t.ops, .ruleset = &t.ruleset};
    struct err_list errs;
    struct err e = {.code = 0};
    char set[160];

    snprintf(t.dir, sizeof(t.dir), "/tmp/sluice-control-XXXXXX");
    if (mkdtemp(t.dir) == NULL)
        return -1;
    snprintf(t.sock, sizeof(t.sock), "%s/run/ipsd.sock", t.dir);
    snprintf(t.rules, sizeof(t.rules), "%s/a[1].rules", t.dir); /* a name, not a glob */
    write_rules(GOOD_RULE);
    snprintf(t.policy, sizeof(t.policy), "%s/policy.yaml", t.dir);
    write_text(t.policy, "policy:\n");
    t.ops = (struct control_ops){.status = fake_status,
                                 .stats = fake_stats,
                                 .counters = fake_counters,
                                 .kernel_drops = fake_kernel_drops,
                                 .list_add = fake_list_add,
                                 .list_del = fake_list_del,
                                 .list_clear = fake_list_clear,
                                 .list_page = fake_list_page,
                                 .flows_each = fake_flows_each,
                                 .flows_unblock = fake_flows_unblock,
                                 .shutdown = fake_shutdown};
    t.config = config_new(&e);
    const char *files[] = {t.rules};
    snprintf(set, sizeof(set), "control.socket=%s", t.sock);
    if (t.config == NULL || config_set(t.config, set, &e) < 0 || config_set_rules(t.config, files, 1, &e) < 0)
        return -1;
    snprintf(set, sizeof(set), "rules.policy=%s", t.policy);
    if (config_set(t.config, set, &e) < 0)
        return -1;
    err_list_init(&errs);
    t.ruleset = ruleset_load(t.config, 1, 1, false, &errs);
    err_list_print(&errs, stderr);
    err_list_fini(&errs);
    if (t.ruleset == NULL)
        return -1;
    cc.config = t.config;
    t.server = control_new(&cc, &e);
    if (t.server == NULL || control_start(t.server, 1, &e) < 0) {
        fprintf(stderr, "%s\n", e.text);
        return -1;
    }
    t.shutdown = false;
    for (int i = 0; i < 2; i++)
        prefix_list_fini(&t.lists[i]);
    t.unblocked = true;
    return 0;
}

static int stop(void **state)
{
    char run[96];

    control_stop(t.server);
    t.server = NULL;
    ruleset_free((struct ruleset *)t.ruleset);
    t.ruleset = NULL;
    config_free(t.config);
    snprintf(run, sizeof(run), "%s/run", t.dir);
    unlink(t.rules);
    unlink(t.policy);
    return rmdir(run) == 0 && rmdir(t.dir) == 0 ? 0 : -1; /* the socket file must be gone */
}

/* --- a client ------------------------------------------------------------------------------------------- */

static int client(void)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", t.sock);
    assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
    return fd;
}

static void say(int fd, const void *text, size_t len)
{
    const char *p = text;

    while (len > 0) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

        assert_true(n > 0);
        p += n;
        len -= (size_t)n;
    }
}

/* One line, without its newline, or NULL when the server closed. */
static char *hear(int fd)
{
    static char line[4 << 20];
    size_t n = 0;

    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};

        assert_int_equal(poll(&p, 1, WAIT_MS), 1);
        ssize_t got = recv(fd, line + n, 1, 0);
        if (got <= 0)
            return NULL;
        if (line[n] == '\n') {
            line[n] = '\0';
            return line;
        }
        assert_true(++n < sizeof(line));
    }
}

static json_t *ask(int fd, const char *request)
{
    json_t *reply;
    char *line;

    say(fd, request, strlen(request));
    say(fd, "\n", 1);
    line = hear(fd);
    assert_non_null(line);
    reply = json_loads(line, 0, NULL);
    assert_non_null(reply);
    return reply;
}

static json_int_t code_of(const json_t *reply)
{
    return json_is_true(json_object_get(reply, "ok")) ? 200
                                                      : json_integer_value(json_object_get(reply, "code"));
}

static void expect(int fd, const char *request, int code)
{
    json_t *reply = ask(fd, request);

    if (code_of(reply) != code)
        fail_msg("%s -> %s", request, json_dumps(reply, 0));
    if (code != 200) { /* every refusal says what and what to do */
        assert_true(json_string_length(json_object_get(reply, "error")) > 0);
        assert_true(json_string_length(json_object_get(reply, "remedy")) > 0 || code == 404 || code == 409 ||
                    code == 400);
    }
    json_decref(reply);
}
#endif
