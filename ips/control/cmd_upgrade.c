/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `upgrade`: the next daemon is started and takes over. The command only begins it; the server calls upgrade_turned() when
 * the next daemon has something to say, and the client that asked waits for the end of it. Server thread.
 */
#include <errno.h>

#include "ips/base/log.h"
#include "ips/control/command.h"

#define WAIT_DEFAULT_S 120
#define WAIT_MAX_S     280 /* ipsctl waits 300 s for an answer */

static bool is_flag(const json_t *v)
{
    return v == NULL || json_is_boolean(v);
}

static bool is_time(const json_t *v)
{
    json_int_t s = json_integer_value(v);

    return v == NULL || (json_is_integer(v) && s >= 1 && s <= WAIT_MAX_S);
}

int cmd_upgrade(struct command_call *call)
{
    const json_t *check = json_object_get(call->args, "check"), *force = json_object_get(call->args, "force");
    const json_t *wait = json_object_get(call->args, "wait_s");
    const struct control_upgrade_wish wish = {.check = json_is_true(check),
                                              .force = json_is_true(force),
                                              .wait_s = wait != NULL ? (uint32_t)json_integer_value(wait)
                                                                     : WAIT_DEFAULT_S};
    const struct control_upgrader *u = call->cfg->ops->upgrader;
    int rc;

    if (!is_flag(check) || !is_flag(force))
        return command_fail(call, PROTO_BAD_REQUEST, "give true or false",
                            "upgrade: check or force is not a boolean");
    if (!is_time(wait))
        return command_fail(call, PROTO_BAD_REQUEST, "give 1 to 280",
                            "upgrade: for how many seconds to wait?");
    if (loader_busy(call->loader))
        return command_fail(call, PROTO_CONFLICT, "wait for it and try again", "rules are being loaded");
    if (u == NULL)
        return command_fail(call, PROTO_FAILED, "restart it instead", "this daemon cannot be upgraded");
    rc = u->begin(u->arg, &wish, &call->err);
    if (rc == 0)
        return COMMAND_UPGRADE;
    return rc == -EBUSY ? PROTO_CONFLICT : PROTO_FAILED;
}

enum control_upgrade upgrade_turned(struct command_call *call, int *code)
{
    const struct control_upgrader *u = call->cfg->ops->upgrader;
    enum control_upgrade state = u->turn(u->arg, &call->result, &call->err);

    *code = state == UPGRADE_FAILED ? PROTO_FAILED : PROTO_OK;
    return state;
}
