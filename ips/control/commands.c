/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a request line to a handler, and from what it says to a reply line.
 *
 * The names come from proto.h's table, so that ipsctl and the server cannot disagree; the handlers are beside
 * them here. A request may be any bytes: jansson parses with a bound on depth, everything else is checked before
 * it is used. Owns nothing beyond a call. Server thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ips/base/suggest.h"
#include "ips/control/command.h"

static const struct {
    const char *name;
    command_fn run;
} commands[CMD_N] = {
#define X(id, text, args, help) [id].name = text,
    PROTO_COMMAND_TABLE(X)
#undef X
        [CMD_STATUS]
            .run = cmd_status,
    [CMD_STATS].run = cmd_stats,
    [CMD_DROPS].run = cmd_drops,
    [CMD_RULES_CHECK].run = cmd_rules_check,
    [CMD_RULES_RELOAD].run = cmd_rules_reload,
    [CMD_RULES_LIST].run = cmd_rules_list,
    [CMD_RULES_POLICY].run = cmd_rules_policy,
    [CMD_RULES_EXPLAIN].run = cmd_rules_explain,
    [CMD_RULES_PROFILE].run = cmd_rules_profile,
    [CMD_BLOCK_ADD].run = cmd_block_add,
    [CMD_BLOCK_DEL].run = cmd_block_del,
    [CMD_BLOCK_LIST].run = cmd_block_list,
    [CMD_BLOCK_LOAD].run = cmd_block_load,
    [CMD_BLOCK_CLEAR].run = cmd_block_clear,
    [CMD_ALLOW_ADD].run = cmd_allow_add,
    [CMD_ALLOW_DEL].run = cmd_allow_del,
    [CMD_ALLOW_LIST].run = cmd_allow_list,
    [CMD_STRIKES_LIST].run = cmd_strikes_list,
    [CMD_STRIKES_CLEAR].run = cmd_strikes_clear,
    [CMD_CONFIG_DIFF].run = cmd_config_diff,
    [CMD_CONFIG_RELOAD].run = cmd_config_reload,
    [CMD_STEER_LIST].run = cmd_steer_list,
    [CMD_STEER_ADD].run = cmd_steer_add,
    [CMD_STEER_DEL].run = cmd_steer_del,
    [CMD_STEER_CLEAR].run = cmd_steer_clear,
    [CMD_GUARD_SHOW].run = cmd_guard_show,
    [CMD_FLOWS_LIST].run = cmd_flows_list,
    [CMD_FLOWS_BYPASS].run = cmd_flows_bypass,
    [CMD_FLOWS_DROP].run = cmd_flows_drop,
    [CMD_FLOWS_FORGET].run = cmd_flows_forget,
    [CMD_UPGRADE].run = cmd_upgrade,
    [CMD_SHUTDOWN].run = cmd_shutdown,
    [CMD_HELP].run = cmd_help,
};

int command_fail(struct command_call *call, enum proto_code code, const char *remedy, const char *fmt, ...)
{
    char text[400];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    err_set(&call->err, -EINVAL, "%s", text);
    err_remedy(&call->err, "%s", remedy);
    return code;
}

static int dispatch(struct command_call *call, const char *name)
{
    struct suggest s;
    char remedy[160];

    suggest_init(&s, name);
    for (int i = 0; i < CMD_N; i++) {
        if (strcmp(commands[i].name, name) == 0 && commands[i].run != NULL)
            return commands[i].run(call);
        if (strcmp(commands[i].name, name) == 0)
            return command_fail(call, PROTO_BAD_REQUEST, "run it as 'ipsctl link ...' on this machine",
                                "'%s' works on what is pinned, without the daemon", name);
        suggest_offer(&s, commands[i].name);
    }
    snprintf(remedy, sizeof(remedy), s.best != NULL ? "did you mean '%s'?" : "ask for 'help'", s.best);
    return command_fail(call, PROTO_NOT_FOUND, remedy, "no such command: %.64s", name);
}

int command_run(struct command_call *call, const char *line, size_t len)
{
    const char *form = "send one JSON object a line: {\"command\": \"status\", \"args\": {}}";
    json_t *request, *args, *empty = NULL;
    const char *name;
    json_error_t je;
    int code;

    request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &je);
    if (request == NULL)
        return command_fail(call, PROTO_BAD_REQUEST, form, "the request is not JSON: %.120s", je.text);
    name = json_string_value(json_object_get(request, "command"));
    args = json_object_get(request, "args");
    if (args == NULL)
        args = empty = json_object();
    call->args = args;
    if (name == NULL)
        code = command_fail(call, PROTO_BAD_REQUEST, form, "the request has no command");
    else if (!json_is_object(args))
        code = command_fail(call, PROTO_BAD_REQUEST, form, "the request's args are not an object");
    else
        code = dispatch(call, name);
    call->args = NULL;
    json_decref(empty);
    json_decref(request);
    return code;
}

char *command_reply(struct command_call *call, int code, size_t *len)
{
    json_t *reply;
    char *text, *line;

    if (code == PROTO_OK) {
        reply = json_pack("{s:b, s:O?}", "ok", 1, "result", call->result);
    } else {
        reply = json_pack("{s:b, s:i, s:s, s:s}", "ok", 0, "code", code, "error", call->err.text, "remedy",
                          call->err.remedy);
        if (reply == NULL) /* a text that is not UTF-8: file names may be anything */
            reply = json_pack("{s:b, s:i, s:s, s:s}", "ok", 0, "code", code, "error",
                              "it failed, and the reason is not text", "remedy", "see the daemon's log");
        if (call->errors != NULL && reply != NULL)
            json_object_set(reply, "errors", call->errors);
    }
    text = reply != NULL ? json_dumps(reply, JSON_COMPACT) : NULL;
    json_decref(reply);
    json_decref(call->result);
    json_decref(call->errors);
    call->result = call->errors = NULL;
    if (text == NULL)
        return NULL;
    *len = strlen(text);
    line = realloc(text, *len + 2);
    if (line == NULL) {
        free(text);
        return NULL;
    }
    line[(*len)++] = '\n';
    line[*len] = '\0';
    return line;
}
