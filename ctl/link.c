/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `ipsctl link ...`: the kernel side of bridges, as it lies pinned (ips/io/pins.h). Asks no daemon, so it is what an operator
 * has when the daemon is dead, hangs or must not start. Results are JSON first, as the daemon's would be, and tables are
 * made of it. Without a BRIDGE, status, bypass and reset mean all that are pinned.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ips/io/pins.h"

static int failed(const struct ctl *c, const struct err *e)
{
    return client_failed(c, e,
                         e->code == -ENOENT                        ? PROTO_NOT_FOUND
                         : e->code == -EBUSY                       ? PROTO_CONFLICT
                         : e->code == -EACCES || e->code == -EPERM ? PROTO_DENIED
                                                                   : PROTO_FAILED);
}

static int wrong(const char *usage)
{
    fprintf(stderr, "ipsctl: wrong arguments; usage: ipsctl link %s\n", usage);
    return client_exit_status(PROTO_BAD_REQUEST);
}

static int done(const struct ctl *c, json_t *result, void (*print)(const json_t *))
{
    (c->json ? client_print_json : print)(result);
    json_decref(result);
    return client_end(0);
}

/* --- status --- */

static json_t *exits_json(const struct pins_state *s)
{
    json_t *o = json_object();

    for (unsigned i = 0; i < STEER_CTR_N; i++)
        json_object_set_new(o, pins_counter_name(i),
                            json_integer((json_int_t)s->exits[0][i] + (json_int_t)s->exits[1][i]));
    return o;
}

/* Queues whose worker has given a sign of life; a sleeping one has none to give. */
static json_t *workers_json(const struct pins_state *s)
{
    json_t *a = json_array();

    for (int q = 0; q < STEER_QUEUES_MAX; q++)
        if (s->beat_age_ns[q] == -2)
            json_array_append_new(a, json_pack("{s:i, s:b}", "queue", q, "asleep", 1));
        else if (s->beat_age_ns[q] >= 0)
            json_array_append_new(a, json_pack("{s:i, s:b, s:f}", "queue", q, "asleep", 0, "beat_age_ms",
                                               (double)s->beat_age_ns[q] / 1e6));
    return a;
}

static json_t *bridge_json(const struct pins_state *s)
{
    json_t *ports = json_array();
    const struct steer_life *l = &s->life;

    for (int port = 0; port < STEER_PORTS; port++)
        json_array_append_new(ports, json_pack("{s:s, s:b}", "interface",
                                               s->ifname[port][0] ? s->ifname[port] : l->ifname[port],
                                               "attached", s->attached[port]));
    return json_pack("{s:s, s:o, s:s, s:b, s:b, s:I, s:I, s:I, s:s, s:o, s:o}", "bridge", s->bridge, "ports",
                     ports, "fail", pins_fail_name(s->config.fail_policy), "bypass", s->switches.bypass != 0,
                     "daemon", s->daemon, "pid", (json_int_t)(s->daemon ? l->pid : 0), "starts",
                     (json_int_t)l->starts, "crashes", (json_int_t)l->crashes, "version", l->version,
                     "workers", workers_json(s), "exits", exits_json(s));
}

struct walk {
    const struct ctl *c;
    json_t *out;
    struct err e;
    bool on;
};

static int add_status(const char *bridge, void *arg)
{
    static struct pins_state s;
    struct walk *w = arg;
    int code = pins_read(w->c->pin_dir, bridge, &s, &w->e);

    if (code == 0)
        json_array_append_new(w->out, bridge_json(&s));
    return code;
}

static void print_links(const json_t *result)
{
    const json_t *b, *port, *n;
    const char *key;
    size_t i, j;

    json_array_foreach(json_object_get(result, "bridges"), i, b)
    {
        printf("%s", text(b, "bridge"));
        json_array_foreach(json_object_get(b, "ports"), j, port)
        {
            printf("  %s %s", text(port, "interface"),
                   json_is_true(json_object_get(port, "attached")) ? "attached" : "NOT ATTACHED");
        }
        printf("\n  fail %s, bypass %s, ", text(b, "fail"),
               json_is_true(json_object_get(b, "bypass")) ? "ON: nothing is inspected" : "off");
        if (json_is_true(json_object_get(b, "daemon")))
            printf("daemon %lld runs", num(b, "pid"));
        else
            printf("no daemon runs");
        printf(", %lld starts, %lld crashes\n", num(b, "starts"), num(b, "crashes"));
        json_object_foreach(json_object_get(b, "exits"), key, n)
        {
            if (json_integer_value(n) != 0)
                printf("  %-28s %12lld\n", key, (long long)json_integer_value(n));
        }
    }
}

int link_status(struct ctl *c)
{
    struct walk w = {.c = c, .out = json_array()};
    int code;

    if (c->n_args > 1)
        return json_decref(w.out), wrong("status [--pin-dir DIR] [BRIDGE]");
    code = c->n_args ? add_status(c->args[0], &w) : pins_each(c->pin_dir, add_status, &w, &w.e);
    if (code != 0) {
        json_decref(w.out);
        return failed(c, &w.e);
    }
    return done(c, json_pack("{s:o}", "bridges", w.out), print_links);
}

/* --- changes --- */

static void print_done(const json_t *result)
{
    const json_t *b;
    size_t i;

    json_array_foreach(json_object_get(result, "bridges"), i, b)
    {
        printf("%s: %s\n", json_string_value(b), text(result, "done"));
    }
}

static int finish(struct walk *w, int code, const char *what)
{
    if (code != 0) {
        json_decref(w->out);
        return failed(w->c, &w->e);
    }
    return done(w->c, json_pack("{s:s, s:o}", "done", what, "bridges", w->out), print_done);
}

int link_attach(struct ctl *c)
{
    struct walk w = {.c = c, .out = json_array()};
    unsigned policy = STEER_FAIL_OPEN;

    if (c->n_args == 4)
        while (policy < STEER_FAIL_OPEN_KNOWN && strcmp(pins_fail_name(policy), c->args[3]) != 0)
            policy++; /* open-known without a daemon would know nothing */
    if (c->n_args < 3 || c->n_args > 4 || policy == STEER_FAIL_OPEN_KNOWN)
        return json_decref(w.out), wrong("attach [--pin-dir DIR] BRIDGE INTERFACE INTERFACE [open|closed]");
    const char *const ifname[STEER_PORTS] = {c->args[1], c->args[2]};
    int code = pins_attach(c->pin_dir, c->args[0], ifname, policy, &w.e);
    json_array_append_new(w.out, json_string(c->args[0]));
    return finish(&w, code,
                  policy == STEER_FAIL_OPEN ? "attached, frames are forwarded uninspected until a daemon runs"
                                            : "attached, frames are dropped until a daemon runs");
}

int link_detach(struct ctl *c)
{
    struct walk w = {.c = c, .out = json_array()};

    if (c->n_args != 1)
        return json_decref(w.out), wrong("detach [--pin-dir DIR] [--force] BRIDGE");
    int code = pins_detach(c->pin_dir, c->args[0], c->force, &w.e);
    json_array_append_new(w.out, json_string(c->args[0]));
    return finish(&w, code, "detached");
}

static int switch_one(const char *bridge, void *arg)
{
    struct walk *w = arg;

    json_array_append_new(w->out, json_string(bridge));
    return pins_bypass(w->c->pin_dir, bridge, w->on, &w->e);
}

int link_bypass(struct ctl *c)
{
    struct walk w = {.c = c, .out = json_array()};
    bool on = c->n_args > 0 && strcmp(c->args[0], "on") == 0;
    int code;

    if (c->n_args < 1 || c->n_args > 2 || (!on && strcmp(c->args[0], "off") != 0))
        return json_decref(w.out), wrong("bypass [--pin-dir DIR] on|off [BRIDGE]");
    w.on = on;
    code = c->n_args == 2 ? switch_one(c->args[1], &w) : pins_each(c->pin_dir, switch_one, &w, &w.e);
    return finish(&w, code, on ? "bypassed, nothing is inspected" : "bypass is off");
}

static int reset_one(const char *bridge, void *arg)
{
    struct walk *w = arg;

    json_array_append_new(w->out, json_string(bridge));
    return pins_reset(w->c->pin_dir, bridge, &w->e);
}

int link_reset(struct ctl *c)
{
    struct walk w = {.c = c, .out = json_array()};
    int code;

    if (c->n_args > 1)
        return json_decref(w.out), wrong("reset [--pin-dir DIR] [BRIDGE]");
    code = c->n_args ? reset_one(c->args[0], &w) : pins_each(c->pin_dir, reset_one, &w, &w.e);
    return finish(&w, code, "crashes are forgotten");
}
