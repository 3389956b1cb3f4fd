/* SPDX-License-Identifier: BSD-2-Clause */
/* `status`: what the daemon says of its bridges, and of the rules that run. Server thread. */
#include <unistd.h>

#include "ips/base/clock.h"
#include "ips/control/command.h"

json_t *ruleset_json(const struct ruleset *rs)
{
    const struct ruleset_stats *st;

    if (rs == NULL)
        return json_null();
    st = ruleset_stats(rs);
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "generation",
                     (json_int_t)ruleset_generation(rs), "loaded", (json_int_t)st->n_loaded, "rejected",
                     (json_int_t)st->n_rejected, "disabled", (json_int_t)st->n_disabled, "dormant",
                     (json_int_t)st->n_dormant, "skipped", (json_int_t)st->n_skipped, "patterns",
                     (json_int_t)st->n_patterns, "no_prefilter", (json_int_t)st->n_no_prefilter,
                     "memory_bytes", (json_int_t)st->memory_bytes, "load_ms",
                     (json_int_t)(st->load_ns / NS_PER_MS));
}

int cmd_status(struct command_call *call)
{
    json_t *status = call->cfg->ops->status(call->cfg->ops->arg);

    if (status == NULL)
        return command_fail(call, PROTO_FAILED, "try again", "no memory for the status");
    json_object_set_new(status, "version", json_string(SLUICE_VERSION));
    json_object_set_new(status, "pid", json_integer(getpid()));
    json_object_set_new(status, "ruleset", ruleset_json(*call->cfg->ruleset));
    call->result = status;
    return PROTO_OK;
}
