/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket: commands as a client sees them, and clients that mean no good: garbage, endless lines,
 * half lines, a hundred at once, some that never read. Run under the thread sanitizer too.
 * The daemon behind the socket is a few functions here; rulesets are real, built from files of this test.
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

static const json_t *at(const json_t *j, const char *a, const char *b)
{
    j = json_object_get(j, a);
    return b != NULL ? json_object_get(j, b) : j;
}

/* --- the tests ------------------------------------------------------------------------------------------ */

static void commands_answer(void **state)
{
    int fd = client();
    json_t *r = ask(fd, "{\"command\":\"status\"}");

    assert_int_equal(code_of(r), 200);
    assert_int_equal(json_integer_value(at(r, "result", "pid")), getpid());
    assert_int_equal(json_integer_value(at(at(r, "result", "ruleset"), "loaded", NULL)), 1);
    json_decref(r);
    r = ask(fd, "{\"command\":\"stats\",\"args\":{}}");
    assert_int_equal(json_integer_value(at(at(r, "result", "frames"), "rx", NULL)), 42);
    assert_non_null(at(at(r, "result", "drop"), "flow_drop", NULL));
    for (int i = 0; i < AN_N; i++) { /* each room's, under its name in events */
        static const char *const under[] = {[ANOMALY_DECODE] = "",
                                            [ANOMALY_STREAM] = "stream.",
                                            [ANOMALY_APP] = "",
                                            [ANOMALY_DETECT] = "detect."};
        const json_t *j = at(r, "result", "anomaly");
        char name[128], *rest = name, *part;

        snprintf(name, sizeof(name), "%s%s", under[anomaly_room(i)], anomaly_info[i].name);
        while ((part = strsep(&rest, ".")) != NULL)
            j = json_object_get(j, part);
        if (!json_is_integer(j))
            fail_msg("%s is not counted", anomaly_info[i].name);
    }
    json_decref(r);
    r = ask(fd, "{\"command\":\"drops\"}");
    assert_int_equal(json_integer_value(at(r, "result", "total")), 10);
    json_decref(r);
    r = ask(fd, "{\"command\":\"help\"}");
    assert_int_equal(json_array_size(at(r, "result", "commands")), CMD_N);
    json_decref(r);
    r = ask(fd, "{\"command\":\"rules list\"}");
    assert_int_equal(json_array_size(at(r, "result", "rules")), 1);
    json_decref(r);
    expect(fd, "{\"command\":\"rules list\",\"args\":{\"sid\":1}}", 200);
    expect(fd, "{\"command\":\"rules list\",\"args\":{\"sid\":99}}", 404);
    expect(fd, "{\"command\":\"rules list\",\"args\":{\"offset\":99999999999}}", 200);
    expect(fd, "{\"command\":\"rules list\",\"args\":{\"offset\":-1}}", 400);
    r = ask(fd, "{\"command\":\"rules list\",\"args\":{\"only\":\"dormant\"}}");
    assert_int_equal(json_array_size(at(r, "result", "rules")), 0);
    json_decref(r);
    expect(fd, "{\"command\":\"rules list\",\"args\":{\"only\":\"disabled\"}}", 200);
    expect(fd, "{\"command\":\"rules list\",\"args\":{\"only\":\"disabled\",\"sid\":1}}", 404);
    expect(fd, "{\"command\":\"rules list\",\"args\":{\"only\":\"dormant\",\"sid\":1}}", 404);
    expect(fd, "{\"command\":\"rules list\",\"args\":{\"only\":\"old\"}}", 400);
    expect(fd, "{\"command\":\"rules list\",\"args\":{\"only\":7}}", 400);
    expect(fd, "{\"command\":\"rules profile\"}", 409); /* it was never on */
    expect(fd, "{\"command\":\"rules profile\",\"args\":{\"action\":\"on\"}}", 200);
    expect(fd, "{\"command\":\"rules profile\",\"args\":{\"action\":\"on\"}}", 200); /* again, from zero */
    expect(fd, "{\"command\":\"rules profile\",\"args\":{\"action\":\"sideways\"}}", 400);
    expect(fd, "{\"command\":\"rules profile\",\"args\":{\"limit\":0}}", 400);
    r = ask(fd, "{\"command\":\"rules profile\",\"args\":{\"action\":\"off\"}}");
    assert_false(json_is_true(json_object_get(json_object_get(r, "result"), "on")));
    json_decref(r);
    expect(fd, "{\"command\":\"rules profile\"}", 200);
    expect(fd, "{\"command\":\"rules list\",\"args\":{\"sid\":\"x\"}}", 400);
    expect(fd, "{\"command\":\"shutdown\"}", 200);
    assert_true(__atomic_load_n(&t.shutdown, __ATOMIC_ACQUIRE));
    close(fd);
}

static void block_list(void **state)
{
    int fd = client();
    json_t *r;

    expect(fd, "{\"command\":\"block add\",\"args\":{\"prefix\":\"192.0.2.0/24\",\"side\":\"both\"}}", 200);
    expect(fd, "{\"command\":\"block add\",\"args\":{\"prefix\":\"192.0.2.0/24\"}}",
           200); /* again: one entry */
    r = ask(fd, "{\"command\":\"block list\"}");
    assert_int_equal(json_array_size(at(r, "result", "entries")), 1);
    json_decref(r);
    expect(fd, "{\"command\":\"block del\",\"args\":{\"prefix\":\"192.0.2.0/24\"}}", 200);
    r = ask(fd, "{\"command\":\"block del\",\"args\":{\"prefix\":\"192.0.2.0/24\"}}");
    assert_int_equal(json_integer_value(json_object_get(r, "code")), 404);
    assert_string_equal(json_string_value(json_object_get(r, "error")),
                        "192.0.2.0/24 is not on the block list");
    json_decref(r);
    expect(fd, "{\"command\":\"block add\",\"args\":{\"prefix\":\"bad\"}}", 400);
    expect(fd, "{\"command\":\"block add\",\"args\":{\"prefix\":\"::1\",\"side\":\"up\"}}", 400);
    expect(fd, "{\"command\":\"block add\",\"args\":{\"prefix\":\"::1\",\"side\":3}}", 400);
    expect(fd, "{\"command\":\"block add\",\"args\":{\"prefix\":7}}", 400);
    expect(fd, "{\"command\":\"block add\"}", 400);
    close(fd);
}

static void blocked_for_a_time(void **state)
{
    int fd = client();
    const json_t *e;
    json_t *r;

    t.unblocked = false;
    r = ask(fd, "{\"command\":\"block list\"}");
    assert_int_equal(json_array_size(at(r, "result", "entries")), 1);
    e = json_array_get(at(r, "result", "entries"), 0);
    assert_string_equal(json_string_value(json_object_get(e, "prefix")), "192.0.2.77/32");
    assert_int_equal(json_integer_value(json_object_get(e, "left_s")), 60);
    assert_int_equal(json_integer_value(json_object_get(e, "sid")), 5);
    assert_int_equal(json_integer_value(json_object_get(e, "frames")), 3);
    json_decref(r);
    expect(fd, "{\"command\":\"block del\",\"args\":{\"prefix\":\"192.0.2.77\",\"side\":\"dst\"}}", 404);
    expect(fd, "{\"command\":\"block del\",\"args\":{\"prefix\":\"192.0.2.76\"}}", 404);
    expect(fd, "{\"command\":\"block del\",\"args\":{\"prefix\":\"192.0.2.77\"}}", 200);
    expect(fd, "{\"command\":\"block del\",\"args\":{\"prefix\":\"192.0.2.77\"}}", 404);
    close(fd);
}

/* Pages, parts and rounds: more entries than one request has. */
static void long_list(void **state)
{
    enum { N = PROTO_BLOCKS_MAX + 5 };
    size_t size = N * 20;
    char *text = malloc(size), *request = malloc(size + 200);
    int fd = client();
    size_t at_byte = 0;
    json_t *r;

    assert_non_null(text);
    assert_non_null(request);
    for (unsigned i = 0; i < N; i++) {
        at_byte += (size_t)snprintf(text + at_byte, size - at_byte, "10.%u.%u.%u\\n", i >> 16, i >> 8 & 255,
                                    i & 255);
        if (i != PROTO_BLOCKS_MAX - 1 && i != N - 1)
            continue;
        snprintf(request, size + 200, "{\"command\":\"block load\",\"args\":{\"prefixes\":\"%s\"}}", text);
        expect(fd, request, 200);
        at_byte = 0;
    }
    r = ask(fd, "{\"command\":\"block list\"}");
    assert_int_equal(json_array_size(at(r, "result", "entries")), PROTO_BLOCKS_MAX);
    snprintf(request, size, "{\"command\":\"block list\",\"args\":{\"after\":\"%s\"}}",
             json_string_value(at(r, "result", "next")));
    json_decref(r);
    r = ask(fd, request);
    assert_int_equal(json_array_size(at(r, "result", "entries")), 5);
    assert_null(at(r, "result", "next"));
    json_decref(r);
    expect(fd, "{\"command\":\"block list\",\"args\":{\"after\":\"x\"}}", 400);
    expect(fd, "{\"command\":\"block list\",\"args\":{\"after\":1}}", 400);
    for (int i = 0; i < 2; i++) {
        r = ask(fd, "{\"command\":\"block clear\"}");
        assert_true(json_is_true(at(r, "result", "more")) == (i == 0));
        json_decref(r);
    }
    assert_int_equal(t.lists[XDP_LIST_BLOCK].n, 0);
    free(text);
    free(request);
    close(fd);
}

static void bulk_is_all_or_nothing(void **state)
{
    int fd = client();

    expect(fd, "{\"command\":\"block load\",\"args\":{\"prefixes\":\"10.0.0.0/8\\nx\\n\"}}", 400);
    expect(fd, "{\"command\":\"block load\",\"args\":{\"prefixes\":\"10.0.0.0/8 up\\n\"}}", 400);
    expect(fd, "{\"command\":\"block load\",\"args\":{\"prefixes\":[\"10.0.0.0/8\"]}}", 400);
    expect(fd, "{\"command\":\"block load\",\"args\":{\"prefixes\":\"::/0\",\"side\":1}}", 400);
    assert_int_equal(t.lists[XDP_LIST_BLOCK].n, 0);
    expect(
        fd,
        "{\"command\":\"block load\",\"args\":{\"prefixes\":\"10.1.0.0/8 dst\\n\\n::1\",\"side\":\"both\"}}",
        200);
    assert_int_equal(t.lists[XDP_LIST_BLOCK].n, 2);
    assert_int_equal(t.lists[XDP_LIST_BLOCK].v[0].sides, PREFIX_DST);
    assert_int_equal(t.lists[XDP_LIST_BLOCK].v[1].sides, PREFIX_BOTH);
    expect(fd, "{\"command\":\"allow add\",\"args\":{\"prefix\":\"10.1.2.3\"}}", 200);
    assert_int_equal(t.lists[XDP_LIST_ALLOW].n, 1);
    expect(fd, "{\"command\":\"allow del\",\"args\":{\"prefix\":\"10.1.2.4\"}}", 404);
    expect(fd, "{\"command\":\"allow del\",\"args\":{\"prefix\":\"10.1.2.3\"}}", 200);
    expect(fd, "{\"command\":\"block clear\"}", 200);
    close(fd);
}

static void policy_and_explain(void **state)
{
    int fd = client();
    json_t *r;
    const json_t *o;

    write_rules(GOOD_RULE OTHER_RULE "#alert tcp any any -> any any (msg:\"three\"; sid:3;)\n");
    write_text(t.policy, "policy:\n- {action: drop, sid: 1, reason: why not}\n- {action: off, sid: 77}\n");
    r = ask(fd, "{\"command\":\"rules policy\"}"); /* of what runs: nothing yet */
    assert_int_equal(json_array_size(at(r, "result", "lines")), 0);
    json_decref(r);
    r = ask(fd, "{\"command\":\"rules explain\",\"args\":{\"sid\":1}}");
    assert_int_equal(code_of(r), 200);
    assert_true(json_is_true(at(r, "result", "stale"))); /* the policy has not been loaded */
    o = json_array_get(at(r, "result", "running"), 0);
    assert_string_equal(json_string_value(json_object_get(o, "action")), "alert");
    o = json_array_get(at(r, "result", "rules"), 0);
    assert_string_equal(json_string_value(json_object_get(o, "action")), "drop");
    assert_string_equal(json_string_value(json_object_get(o, "state")), "loaded");
    assert_string_equal(json_string_value(json_object_get(o, "file")), t.rules);
    json_decref(r);

    r = ask(fd, "{\"command\":\"rules reload\"}"); /* a line that fits nothing is no error */
    assert_int_equal(code_of(r), 200);
    assert_int_equal(json_array_size(at(r, "result", "errors")), 0);
    assert_int_equal(json_array_size(at(r, "result", "warnings")), 1);
    json_decref(r);
    r = ask(fd, "{\"command\":\"rules explain\",\"args\":{\"sid\":1,\"gid\":1}}");
    assert_false(json_is_true(at(r, "result", "stale")));
    json_decref(r);
    r = ask(fd, "{\"command\":\"rules policy\"}");
    assert_int_equal(json_array_size(at(r, "result", "lines")), 2);
    o = json_array_get(at(r, "result", "lines"), 0);
    assert_int_equal(json_integer_value(json_object_get(o, "decided")), 1);
    assert_string_equal(json_string_value(json_object_get(o, "reason")), "why not");
    json_decref(r);
    r = ask(fd, "{\"command\":\"rules explain\",\"args\":{\"sid\":3}}");
    assert_int_equal(code_of(r), 200);
    o = json_array_get(at(r, "result", "rules"), 0);
    assert_string_equal(json_string_value(json_object_get(o, "state")), "disabled");
    assert_int_equal(json_array_size(at(r, "result", "running")), 0);
    assert_false(json_is_true(at(r, "result", "stale")));
    json_decref(r);
    expect(fd, "{\"command\":\"rules explain\",\"args\":{\"sid\":99}}", 404);
    expect(fd, "{\"command\":\"rules explain\",\"args\":{\"sid\":0}}", 400);
    expect(fd, "{\"command\":\"rules explain\",\"args\":{\"sid\":1,\"gid\":\"x\"}}", 400);
    expect(fd, "{\"command\":\"rules explain\"}", 400);

    write_text(t.policy, "policy:\n- {action: dorp, sid: 1}\n");
    expect(fd, "{\"command\":\"rules reload\"}", 422);
    expect(fd, "{\"command\":\"rules reload\",\"args\":{\"force\":true}}", 422);
    expect(fd, "{\"command\":\"rules explain\",\"args\":{\"sid\":1}}", 422);
    r = ask(fd, "{\"command\":\"rules list\",\"args\":{\"sid\":1}}"); /* what ran runs */
    o = json_array_get(at(r, "result", "rules"), 0);
    assert_string_equal(json_string_value(json_object_get(o, "action")), "drop");
    json_decref(r);
    close(fd);
}

/* What is not evaluated is named, with the reason. */
static void lists_what_sleeps(void **state)
{
    int fd = client();
    const json_t *rule;
    json_t *r;

    write_rules(GOOD_RULE "alert tcp any any -> any any (rfb.name; content:\"x\"; sid:3;)\n"
                          "#alert tcp any any -> any any (msg:\"off\"; sid:4; rev:5;)\n");
    r = ask(fd, "{\"command\":\"rules reload\"}");
    assert_int_equal(json_integer_value(at(r, "result", "dormant")), 1);
    json_decref(r);
    r = ask(fd, "{\"command\":\"rules list\",\"args\":{\"only\":\"dormant\"}}");
    assert_int_equal(json_array_size(at(r, "result", "rules")), 1);
    rule = json_array_get(at(r, "result", "rules"), 0);
    assert_int_equal(json_integer_value(json_object_get(rule, "sid")), 3);
    assert_string_equal(json_string_value(json_object_get(rule, "dormant")), "rfb.name");
    json_decref(r);
    r = ask(fd, "{\"command\":\"rules list\",\"args\":{\"only\":\"disabled\",\"sid\":4}}");
    rule = json_array_get(at(r, "result", "rules"), 0);
    assert_string_equal(json_string_value(json_object_get(rule, "msg")), "off");
    assert_int_equal(json_integer_value(json_object_get(rule, "line")), 3);
    json_decref(r);
    close(fd);
}

static void reload_swaps_or_keeps(void **state)
{
    int fd = client();
    json_t *r;

    write_rules(GOOD_RULE OTHER_RULE);
    expect(fd, "{\"command\":\"rules check\"}", 200);
    r = ask(fd, "{\"command\":\"rules list\"}"); /* a check changes nothing */
    assert_int_equal(json_integer_value(at(r, "result", "total")), 1);
    json_decref(r);
    r = ask(fd, "{\"command\":\"rules reload\"}");
    assert_int_equal(code_of(r), 200);
    assert_int_equal(json_integer_value(at(r, "result", "loaded")), 2);
    assert_int_equal(json_integer_value(at(r, "result", "generation")), 2);
    json_decref(r);

    write_rules("alert tcp any any -> any any (msg:\"x\"; content:\"y\"; nonsense; sid:3;)\n" GOOD_RULE);
    r = ask(fd, "{\"command\":\"rules reload\"}");
    assert_int_equal(code_of(r), 422);
    assert_int_equal(json_array_size(json_object_get(r, "errors")), 1);
    const json_t *e = json_array_get(json_object_get(r, "errors"), 0);
    assert_string_equal(json_string_value(json_object_get(e, "file")), t.rules);
    assert_int_equal(json_integer_value(json_object_get(e, "line")), 1);
    assert_true(json_integer_value(json_object_get(e, "column")) > 0);
    json_decref(r);
    r = ask(fd, "{\"command\":\"rules list\"}"); /* the old ones run */
    assert_int_equal(json_integer_value(at(r, "result", "total")), 2);
    json_decref(r);
    r = ask(fd, "{\"command\":\"rules reload\",\"args\":{\"force\":true}}");
    assert_int_equal(code_of(r), 200);
    assert_int_equal(json_integer_value(at(r, "result", "loaded")), 1);
    json_decref(r);

    unlink(t.rules);
    expect(fd, "{\"command\":\"rules reload\",\"args\":{\"force\":true}}", 422);
    expect(fd, "{\"command\":\"rules reload\",\"args\":{\"force\":1}}", 400);
    r = ask(fd, "{\"command\":\"rules list\"}");
    assert_int_equal(json_integer_value(at(r, "result", "total")), 1);
    json_decref(r);
    close(fd);
}

/* A worker that looks at the published ruleset all the time must never see one that is gone. */
static void *reader(void *arg)
{
    const bool *quit = arg;
    uint64_t seen = 0;

    rcu_register_thread();
    while (!__atomic_load_n(quit, __ATOMIC_ACQUIRE)) {
        const struct ruleset *rs = __atomic_load_n(&t.ruleset, __ATOMIC_ACQUIRE);

        for (uint32_t i = 0; i < ruleset_n_rules(rs); i++)
            seen += ruleset_info(rs, i)->sid;
        rcu_before_quiescent(&t.ruleset);
        rcu_quiescent_state();
    }
    rcu_unregister_thread();
    return (void *)(uintptr_t)(seen > 0);
}

static void reload_under_readers(void **state)
{
    bool quit = false;
    pthread_t thread;
    int fd = client(), other = client();
    void *saw;

    assert_int_equal(pthread_create(&thread, NULL, reader, &quit), 0);
    for (int i = 0; i < 10; i++) {
        say(fd, "{\"command\":\"rules reload\"}\n", 27);
        expect(other, "{\"command\":\"status\"}", 200); /* answered whatever the loader does */
        assert_non_null(strstr(hear(fd), "\"ok\":true"));
    }
    __atomic_store_n(&quit, true, __ATOMIC_RELEASE);
    pthread_join(thread, &saw);
    assert_non_null(saw);
    close(fd);
    close(other);
}

static void who_asked_may_leave(void **state)
{
    int fd = client();

    say(fd, "{\"command\":\"rules reload\"}\n", 27);
    close(fd);
    fd = client();
    expect(fd, "{\"command\":\"status\"}", 200);
    close(fd);
}

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
        cmocka_unit_test_setup_teardown(commands_answer, start, stop),
        cmocka_unit_test_setup_teardown(block_list, start, stop),
        cmocka_unit_test_setup_teardown(blocked_for_a_time, start, stop),
        cmocka_unit_test_setup_teardown(long_list, start, stop),
        cmocka_unit_test_setup_teardown(bulk_is_all_or_nothing, start, stop),
        cmocka_unit_test_setup_teardown(policy_and_explain, start, stop),
        cmocka_unit_test_setup_teardown(lists_what_sleeps, start, stop),
        cmocka_unit_test_setup_teardown(reload_swaps_or_keeps, start, stop),
        cmocka_unit_test_setup_teardown(reload_under_readers, start, stop),
        cmocka_unit_test_setup_teardown(who_asked_may_leave, start, stop),
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
