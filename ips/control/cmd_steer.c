/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `steer ...`: the steering lines of a bridge, shown with their frames and changed one at a time while frames cross.
 * What is changed here holds until the configuration is read again; the maps are the only copy. Server thread.
 */
#include <errno.h>
#include <string.h>

#include "ips/base/log.h"
#include "ips/control/command.h"
#include "ips/io/steer_line.h"

struct steering { /* what a command works on */
    struct control_bridge bridge;
    struct xdp_line lines[STEER_LINES_MAX + 1];
    uint32_t n;
};

/* The bridge that args.bridge names, or the only one there is. */
static int find_bridge(struct command_call *call, struct control_bridge *out)
{
    const json_t *name = json_object_get(call->args, "bridge");
    const struct control_ops *ops = call->cfg->ops;
    struct control_bridge b;

    if (name != NULL && !json_is_string(name))
        return command_fail(call, PROTO_BAD_REQUEST, "give the name of a bridge", "bridge is not a text");
    for (unsigned i = 0; ops->bridge(ops->arg, i, out) == 0; i++) {
        if (name == NULL && ops->bridge(ops->arg, i + 1, &b) == 0)
            return command_fail(call, PROTO_BAD_REQUEST,
                                "say --bridge NAME; `ipsctl status` shows their names",
                                "there are several bridges");
        if (name == NULL || strcmp(json_string_value(name), out->name) == 0)
            return PROTO_OK;
    }
    return command_fail(call, PROTO_NOT_FOUND, "`ipsctl status` shows the bridges there are",
                        "no bridge is called %.40s", name != NULL ? json_string_value(name) : "so");
}

static int begin(struct command_call *call, struct steering *s)
{
    memset(s, 0, sizeof(*s));
    int code = find_bridge(call, &s->bridge);

    if (code != PROTO_OK)
        return code;
    return xdp_lines_get(s->bridge.xdp, s->lines, &s->n, &call->err) < 0 ? PROTO_FAILED : PROTO_OK;
}

static json_t *steering_json(struct steering *s)
{
    json_t *lines = json_array();
    char text[STEER_LINE_TEXT_MAX];

    for (uint32_t i = 0; i < s->n; i++)
        json_array_append_new(lines, json_pack("{s:I, s:s, s:I}", "number", (json_int_t)i + 1, "line",
                                               steer_line_format(&s->lines[i].line, s->bridge.ifname, text),
                                               "frames", (json_int_t)s->lines[i].frames));
    return json_pack("{s:s, s:o, s:s}", "bridge", s->bridge.name, "lines", lines, "default", "inspect");
}

static int answer(struct command_call *call, struct steering *s)
{
    call->result = steering_json(s);
    return call->result != NULL
               ? PROTO_OK
               : command_fail(call, PROTO_FAILED, "try again", "no memory for the steering lines");
}

static int put_in_force(struct command_call *call, struct steering *s, const char *what)
{
    if (xdp_lines_set(s->bridge.xdp, s->lines, s->n, &call->err) < 0)
        return PROTO_FAILED;
    log_notice("control", "bridge %s: steering line %s; %u in force", s->bridge.name, what, s->n);
    return answer(call, s);
}

/* args.<key>, a line's number from 1 to most; *at is its index, and stays as it is when the key is left out. */
static int read_number(struct command_call *call, const char *key, uint32_t most, uint32_t *at)
{
    const json_t *v = json_object_get(call->args, key);
    char remedy[64];

    if (v == NULL)
        return PROTO_OK;
    if (json_is_integer(v) && json_integer_value(v) >= 1 && json_integer_value(v) <= (json_int_t)most) {
        *at = (uint32_t)json_integer_value(v) - 1;
        return PROTO_OK;
    }
    if (most == 0)
        return command_fail(call, PROTO_NOT_FOUND, "`ipsctl steer list` shows them",
                            "there are no steering lines");
    snprintf(remedy, sizeof(remedy), "give a number from 1 to %u; see `ipsctl steer list`", most);
    return command_fail(call, PROTO_NOT_FOUND, remedy, "there is no such steering line");
}

int cmd_steer_list(struct command_call *call)
{
    struct steering s;
    int code = begin(call, &s);

    return code == PROTO_OK ? answer(call, &s) : code;
}

int cmd_steer_add(struct command_call *call)
{
    const char *text = json_string_value(json_object_get(call->args, "line"));
    char shown[STEER_LINE_TEXT_MAX + 16] = "added: ";
    struct xdp_line fresh = {.frames = 0};
    struct steering s;
    int code = begin(call, &s);
    uint32_t at = s.n;

    if (code != PROTO_OK)
        return code;
    if (text == NULL)
        return command_fail(call, PROTO_BAD_REQUEST, "write tests and an action, as in vlan 100-199 bypass",
                            "there is no line");
    if (steer_line_parse(text, s.bridge.ifname, &fresh.line, &call->err) < 0)
        return PROTO_BAD_REQUEST;
    code = read_number(call, "at", s.n + 1, &at);
    if (code != PROTO_OK)
        return code;
    memmove(&s.lines[at + 1], &s.lines[at], (s.n - at) * sizeof(s.lines[0]));
    s.lines[at] = fresh;
    s.n++;
    steer_line_format(&fresh.line, s.bridge.ifname, shown + strlen(shown));
    return put_in_force(call, &s, shown);
}

int cmd_steer_del(struct command_call *call)
{
    char shown[STEER_LINE_TEXT_MAX + 16] = "removed: ";
    uint32_t at = UINT32_MAX;
    struct steering s;
    int code = begin(call, &s);

    if (code == PROTO_OK)
        code = read_number(call, "number", s.n, &at);
    if (code != PROTO_OK)
        return code;
    if (at == UINT32_MAX)
        return command_fail(call, PROTO_BAD_REQUEST, "give its number; see `ipsctl steer list`",
                            "which line?");
    steer_line_format(&s.lines[at].line, s.bridge.ifname, shown + strlen(shown));
    memmove(&s.lines[at], &s.lines[at + 1], (s.n - at - 1) * sizeof(s.lines[0]));
    s.n--;
    return put_in_force(call, &s, shown);
}

int cmd_steer_clear(struct command_call *call)
{
    struct steering s;
    int code = begin(call, &s);

    s.n = 0;
    return code == PROTO_OK ? put_in_force(call, &s, "list emptied") : code;
}
