/* SPDX-License-Identifier: BSD-2-Clause */
/* `guard show`: what the guard refuses before any worker sees it, and how much of it came. Server thread. */
#include "ips/control/command.h"

static const enum steer_counter exits[] = {STEER_BROKEN_DROP,  STEER_BLOCKED_SRC, STEER_BLOCKED_DST,
                                           STEER_BLOCKED_TIME, STEER_RATE_DROP,   STEER_SYN_SRC_DROP,
                                           STEER_SYN_DST_DROP};
static const char *const helps[STEER_CTR_N] = {
#define X(id, name, help) [id] = help,
    STEER_COUNTER_TABLE(X)
#undef X
};

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

static json_t *counters_json(const uint64_t v[STEER_CTR_N], uint64_t allowed)
{
    json_t *list = json_array();

    json_array_append_new(list, json_pack("{s:s, s:s, s:I}", "counter", "steer.saw_allowed", "help",
                                          "frames that the allow list let past the guard", "frames",
                                          (json_int_t)allowed));
    for (size_t i = 0; i < N_OF(exits); i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:I}", "counter", steer_counter_names[exits[i]],
                                              "help", helps[exits[i]], "frames", (json_int_t)v[exits[i]]));
    return list;
}

int cmd_guard_show(struct command_call *call)
{
    static const char *const keys[STEER_RATE_N] = {"source_rate", "syn_source_rate", "syn_destination_rate"};
    const struct control_ops *ops = call->cfg->ops;
    uint64_t v[STEER_CTR_N] = {0}, allowed = 0;
    char text[XDP_RATE_TEXT_MAX];
    struct control_bridge b;
    struct xdp_counters c;
    struct xdp_guard g = {.broken = false}; /* the same on all bridges */

    for (unsigned i = 0; ops->bridge(ops->arg, i, &b) == 0; i++) {
        if (xdp_counters(b.xdp, &c) != 0)
            return command_fail(call, PROTO_FAILED, "try again", "cannot read the counters of bridge %s",
                                b.name);
        xdp_guard_get(b.xdp, &g);
        for (int p = 0; p < STEER_PORTS; p++) {
            allowed += c.parse[p][STEER_SAW_ALLOWED];
            for (int k = 0; k < STEER_CTR_N; k++)
                v[k] += c.exits[p][k];
        }
    }
    call->result = json_pack("{s:b, s:o}", "broken", g.broken, "counters", counters_json(v, allowed));
    for (int i = 0; i < STEER_RATE_N && call->result != NULL; i++)
        json_object_set_new(call->result, keys[i], json_string(xdp_rate_format(&g.limit[i], text)));
    return call->result != NULL ? PROTO_OK
                                : command_fail(call, PROTO_FAILED, "try again", "no memory for the guard");
}
