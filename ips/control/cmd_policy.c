/* SPDX-License-Identifier: BSD-2-Clause */
/* `rules policy`: what each line of the policy came to when the running rules were loaded. Server thread. */
#include "ips/control/command.h"
#include "ips/control/rules_json.h"

int cmd_rules_policy(struct command_call *call)
{
    const struct ruleset *rs = *call->cfg->ruleset;
    const struct policy_report *lines = NULL;
    uint32_t n = 0;

    if (rs != NULL)
        lines = ruleset_policy(rs, &n);
    call->result =
        json_pack("{s:I, s:o, s:o}", "generation", (json_int_t)(rs != NULL ? ruleset_generation(rs) : 0),
                  "lines", rules_policy_json(lines, n), "warnings", rules_warnings_json(lines, n));
    return call->result != NULL ? PROTO_OK
                                : command_fail(call, PROTO_FAILED, "try again", "no memory for the policy");
}
