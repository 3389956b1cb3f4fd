/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_CONTROL_COMMAND_H
#define SLUICE_CONTROL_COMMAND_H
/*
 * What a command's handler gets and gives back. One cmd_*.c per command or family; the table that ties them to
 * their names is in commands.c. Handlers run in the server thread and must not wait for anything.
 */
#include "ips/control/control.h"
#include "ips/control/loader.h"
#include "ips/control/proto.h"

#define COMMAND_LATER   0 /* in place of a code: the reply comes when the loader is done */
#define COMMAND_UPGRADE 1 /* likewise, when the upgrade is over */

struct command_call {
    const struct control_config *cfg;
    struct loader *loader;
    const json_t *args; /* an object; borrowed */
    json_t *result;     /* PROTO_OK: a new reference */
    json_t *errors;     /* PROTO_INVALID: a new reference to the array, or NULL */
    struct err err;     /* any other code */
};

/* An enum proto_code, COMMAND_LATER or COMMAND_UPGRADE. */
typedef int (*command_fn)(struct command_call *call);

int cmd_status(struct command_call *call);
int cmd_stats(struct command_call *call);
int cmd_drops(struct command_call *call);
int cmd_rules_check(struct command_call *call);
int cmd_rules_reload(struct command_call *call);
int cmd_rules_list(struct command_call *call);
int cmd_rules_policy(struct command_call *call);
int cmd_rules_explain(struct command_call *call);
int cmd_rules_profile(struct command_call *call);
int cmd_block_add(struct command_call *call);
int cmd_block_del(struct command_call *call);
int cmd_block_list(struct command_call *call);
int cmd_block_load(struct command_call *call);
int cmd_block_clear(struct command_call *call);
int cmd_allow_add(struct command_call *call);
int cmd_allow_del(struct command_call *call);
int cmd_allow_list(struct command_call *call);
int cmd_strikes_list(struct command_call *call);
int cmd_strikes_clear(struct command_call *call);
int cmd_config_diff(struct command_call *call);
int cmd_config_reload(struct command_call *call);
int cmd_steer_list(struct command_call *call);
int cmd_steer_add(struct command_call *call);
int cmd_steer_del(struct command_call *call);
int cmd_steer_clear(struct command_call *call);
int cmd_guard_show(struct command_call *call);
int cmd_flows_list(struct command_call *call);
int cmd_flows_bypass(struct command_call *call);
int cmd_flows_drop(struct command_call *call);
int cmd_flows_forget(struct command_call *call);
int cmd_upgrade(struct command_call *call);
int cmd_shutdown(struct command_call *call);
int cmd_help(struct command_call *call);

/* The answer to cmd_rules_check and cmd_rules_reload: publishes what was built when it may be. */
int rules_loaded(struct command_call *call, struct load_result *r);
/* The answer to cmd_upgrade, when there is one; GOES_ON: there is none yet. */
enum control_upgrade upgrade_turned(struct command_call *call, int *code);
void rules_publish(struct command_call *call, struct ruleset *rs); /* in place of what runs */
/* The answer to cmd_config_reload: puts the new configuration in force when it may be. */
int config_loaded(struct command_call *call, struct load_result *r);
/* The answer to cmd_rules_explain. */
int rule_explained(struct command_call *call, struct load_result *r);
json_t *ruleset_json(const struct ruleset *rs); /* the numbers of a ruleset; "null" for none */

/* Sets call->err and returns code, so that `return command_fail(...)` reads well. */
int command_fail(struct command_call *call, enum proto_code code, const char *remedy, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* The handler for a request, its code, and the reply line; see commands.c. */
int command_run(struct command_call *call, const char *line, size_t len);
/* A heap string that ends in a newline, NULL when memory is out. Takes call's references. */
char *command_reply(struct command_call *call, int code, size_t *len);
#endif
