/* SPDX-License-Identifier: BSD-2-Clause */
/* `shutdown`: asks the daemon to end. The reply is written before the socket closes. Server thread. */
#include "ips/base/log.h"
#include "ips/control/command.h"

int cmd_shutdown(struct command_call *call)
{
    log_notice("control", "shutdown was asked for");
    call->cfg->ops->shutdown(call->cfg->ops->arg);
    call->result = json_pack("{s:b}", "stopping", 1);
    return PROTO_OK;
}
