/* SPDX-License-Identifier: BSD-2-Clause */
/* `stats`: the body of a stats event, asked for now. Server thread. */
#include "ips/control/command.h"

int cmd_stats(struct command_call *call)
{
    call->result = call->cfg->ops->stats(call->cfg->ops->arg);
    if (call->result == NULL)
        return command_fail(call, PROTO_FAILED, "try again", "no memory for the counters");
    return PROTO_OK;
}
