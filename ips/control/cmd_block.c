/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `block add`, `block del`, `block list`: the list of addresses whose frames the steering program drops in the
 * kernel. The daemon's ops know the maps; here arguments are checked and errors become codes. Server thread.
 */
#include <errno.h>
#include <string.h>

#include "ips/base/log.h"
#include "ips/control/command.h"

static const struct {
    const char *word;
    unsigned side;
} sides[] = {{"src", CONTROL_BLOCK_SRC}, {"dst", CONTROL_BLOCK_DST}, {"both", CONTROL_BLOCK_BOTH}};
#define N_SIDES (sizeof(sides) / sizeof(sides[0]))

struct request {
    const char *prefix;
    unsigned side;
};

static int parse(struct command_call *call, struct request *r)
{
    const json_t *side = json_object_get(call->args, "side");
    size_t i = 0;

    r->prefix = json_string_value(json_object_get(call->args, "prefix"));
    r->side = CONTROL_BLOCK_SRC;
    if (r->prefix == NULL || strlen(r->prefix) > 64)
        return command_fail(call, PROTO_BAD_REQUEST, "give a prefix such as 192.0.2.0/24 or 2001:db8::1",
                            "there is no address or network to block");
    if (side == NULL)
        return PROTO_OK;
    while (i < N_SIDES && (!json_is_string(side) || strcmp(json_string_value(side), sides[i].word) != 0))
        i++;
    if (i == N_SIDES)
        return command_fail(call, PROTO_BAD_REQUEST, "give src, dst or both", "that is not a side to block");
    r->side = sides[i].side;
    return PROTO_OK;
}

static int answer(struct command_call *call, const struct request *r, int rc, const char *verb)
{
    if (rc == 0) {
        log_notice("control", "block list: %s %s", verb, r->prefix);
        call->result = json_pack("{s:s}", "prefix", r->prefix);
        return PROTO_OK;
    }
    switch (rc) {
    case -EINVAL:
        return PROTO_BAD_REQUEST;
    case -EEXIST:
        return PROTO_CONFLICT;
    case -ENOENT:
        return PROTO_NOT_FOUND;
    default:
        return PROTO_FAILED;
    }
}

int cmd_block_add(struct command_call *call)
{
    struct request r;
    int code = parse(call, &r);

    if (code != PROTO_OK)
        return code;
    return answer(call, &r, call->cfg->ops->block_add(call->cfg->ops->arg, r.prefix, r.side, &call->err),
                  "added");
}

int cmd_block_del(struct command_call *call)
{
    struct request r;
    int code = parse(call, &r);

    if (code != PROTO_OK)
        return code;
    return answer(call, &r, call->cfg->ops->block_del(call->cfg->ops->arg, r.prefix, r.side, &call->err),
                  "removed");
}

static int add_entry(const char *prefix, unsigned side, uint64_t frames, void *arg)
{
    const char *word = "both";

    for (size_t i = 0; i < N_SIDES; i++)
        if (sides[i].side == side)
            word = sides[i].word;
    return json_array_append_new(
        arg, json_pack("{s:s, s:s, s:I}", "prefix", prefix, "side", word, "frames", (json_int_t)frames));
}

int cmd_block_list(struct command_call *call)
{
    json_t *list = json_array();
    int rc = call->cfg->ops->block_each(call->cfg->ops->arg, add_entry, list);

    call->result = json_pack("{s:o}", "entries", list);
    if (rc < 0 || call->result == NULL)
        return command_fail(call, PROTO_FAILED, "try again", "cannot read the block list");
    return PROTO_OK;
}
