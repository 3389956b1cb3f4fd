/* SPDX-License-Identifier: BSD-2-Clause */
/* `help`: the rows of proto.h's command table. Server thread. */
#include "ips/control/command.h"

int cmd_help(struct command_call *call)
{
    static const struct {
        const char *name, *args, *help;
    } rows[] = {
#define X(id, name, args, help) {name, args, help},
        PROTO_COMMAND_TABLE(X)
#undef X
    };
    json_t *list = json_array();

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "name", rows[i].name, "args", rows[i].args,
                                              "help", rows[i].help));
    call->result = json_pack("{s:o}", "commands", list);
    return call->result != NULL ? PROTO_OK : command_fail(call, PROTO_FAILED, "try again", "no memory");
}
