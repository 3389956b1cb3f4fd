/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `strikes list`, `strikes clear`: which rules and parsers stalled a worker, and forgiving them. The daemon's ops know the
 * maps that remember; what is left out because of it is strikes.c's. Server thread.
 */
#include <string.h>

#include "ips/base/log.h"
#include "ips/control/command.h"
#include "ips/control/strikes.h"

int cmd_strikes_list(struct command_call *call)
{
    const struct control_ops *ops = call->cfg->ops;
    struct steer_strike v[STEER_STRIKES_MAX];
    json_t *list = json_array();
    int n = ops->strikes(ops->arg, v, &call->err);

    for (int i = 0; i < n; i++)
        json_array_append_new(list, v[i].parser[0] != '\0'
                                        ? json_pack("{s:s, s:I, s:b}", "parser", v[i].parser, "count",
                                                    (json_int_t)v[i].count, "off", strikes_is_off(&v[i]))
                                        : json_pack("{s:I, s:I, s:I, s:b}", "gid", (json_int_t)v[i].gid,
                                                    "sid", (json_int_t)v[i].sid, "count",
                                                    (json_int_t)v[i].count, "off", strikes_is_off(&v[i])));
    call->result = json_pack("{s:o}", "strikes", list);
    return n < 0 ? PROTO_FAILED : PROTO_OK;
}

/* False: that is not one. *all: none was named. */
static bool read_one(const struct command_call *call, struct steer_strike *s, bool *all)
{
    const json_t *gid = json_object_get(call->args, "gid"), *sid = json_object_get(call->args, "sid");
    const json_t *parser = json_object_get(call->args, "parser");
    const char *name = json_string_value(parser);

    *s = (struct steer_strike){.count = 0};
    *all = gid == NULL && sid == NULL && parser == NULL;
    if (name != NULL && gid == NULL && sid == NULL && strlen(name) < sizeof(s->parser)) {
        memcpy(s->parser, name, strlen(name));
        return true;
    }
    if (*all || parser != NULL || !json_is_integer(gid) || !json_is_integer(sid))
        return *all;
    s->gid = (uint32_t)json_integer_value(gid);
    s->sid = (uint32_t)json_integer_value(sid);
    return true;
}

int cmd_strikes_clear(struct command_call *call)
{
    const struct control_ops *ops = call->cfg->ops;
    struct steer_strike one;
    bool all;

    if (!read_one(call, &one, &all))
        return command_fail(call, PROTO_BAD_REQUEST, "give GID:SID or a parser's name, or nothing for all",
                            "strikes clear: of what?");
    int n = ops->strikes_clear(ops->arg, all ? NULL : &one, &call->err);
    if (n < 0)
        return PROTO_FAILED;
    if (n == 0 && !all)
        return command_fail(call, PROTO_NOT_FOUND, "see 'strikes list'", "it has no strikes");
    log_notice("control", "%d strike%s forgiven", n, n == 1 ? "" : "s");
    call->result = json_pack("{s:i}", "forgiven", n);
    return PROTO_OK;
}
