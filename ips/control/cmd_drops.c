/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `drops`: every frame that did not leave, by reason. The workers' reasons are rows of counters.h, with the same
 * word that a drop event has; what was lost outside the workers comes from the daemon. Server thread.
 */
#include <string.h>

#include "ips/control/command.h"

#define KERNEL_ROWS_MAX 32

static int add_row(json_t *rows, const char *word, uint64_t count, const char *help)
{
    return json_array_append_new(
        rows, json_pack("{s:s, s:I, s:s}", "reason", word, "count", (json_int_t)count, "help", help));
}

int cmd_drops(struct command_call *call)
{
    const struct control_ops *ops = call->cfg->ops;
    struct control_row kernel[KERNEL_ROWS_MAX];
    json_t *rows = json_array();
    struct counters sum;
    uint64_t total = 0;
    unsigned n = 0;
    int rc = 0;

    memset(&sum, 0, sizeof(sum));
    ops->counters(ops->arg, &sum);
    for (int i = 0; i < DROP_N; i++) {
        if (i == DROP_NONE)
            continue;
        rc |= add_row(rows, drop_info[i].name, sum.drop[i], drop_info[i].help);
        total += sum.drop[i];
    }
    if (ops->kernel_drops != NULL)
        n = ops->kernel_drops(ops->arg, kernel, KERNEL_ROWS_MAX);
    for (unsigned i = 0; i < n; i++) {
        rc |= add_row(rows, kernel[i].word, kernel[i].count, kernel[i].help);
        total += kernel[i].count;
    }
    call->result = json_pack("{s:I, s:o}", "total", (json_int_t)total, "reasons", rows);
    if (rc != 0 || call->result == NULL)
        return command_fail(call, PROTO_FAILED, "try again", "no memory for the table of drops");
    return PROTO_OK;
}
