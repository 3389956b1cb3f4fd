/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_CTL_CTL_H
#define SLUICE_CTL_CTL_H
/*
 * ipsctl's parts: what the command line said, the conversation with the daemon, tables for people.
 * One thread, short-lived; includes only ips/base, what of ips/control/ needs no daemon, and rules/ (to read rule
 * files itself).
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include "ips/base/err.h"
#include "ips/control/policy_yaml.h"
#include "ips/control/proto.h"

#define CTL_ARGS_MAX 4096
#define VARS_MAX     256

struct ctl {
    const char *socket;
    const char *pin_dir;        /* --pin-dir of the link commands */
    bool json;                  /* print JSON instead of tables */
    bool force;                 /* --force */
    bool check;                 /* --check of upgrade */
    const char *wait;           /* --wait SECONDS of upgrade, or NULL */
    bool strict;                /* --strict of rules check FILE... */
    const char *dialect;        /* --dialect NAME of rules check, policy and explain FILE...; NULL: auto */
    const char *only;           /* --dormant, --disabled: without the dashes */
    const char *limit;          /* --limit N, or NULL */
    const char *bridge;         /* --bridge NAME, or NULL */
    const char *vars[VARS_MAX]; /* --var NAME=VALUE */
    unsigned n_vars;
    struct policy_files policy;     /* --policy and suricata-update's files */
    const char *args[CTL_ARGS_MAX]; /* what follows the command's words */
    unsigned n_args;
    int fd; /* the daemon, -1: not connected */
};

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

/* Members of a reply; 0 and "" for what is not there, or is something else. */
static inline long long num(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

static inline const char *text(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));

    return s != NULL ? s : "";
}

/* --- client.c: replies are new references; NULL means that nobody answered, and e says why. */
json_t *client_ask(struct ctl *c, const char *command, json_t *args, struct err *e); /* takes args */
void client_close(struct ctl *c);
/* Say on stderr (and as JSON) that nobody answered, or that the daemon would not; the exit status. */
int client_no_daemon(const struct ctl *c, const struct err *e);
int client_refused(const struct ctl *c, const json_t *reply);
/* The same of something else; code: proto.h's. */
int client_failed(const struct ctl *c, const struct err *e, int code);
int client_exit_status(int code); /* of a reply's code, by proto.h's table */
void client_print_json(const json_t *o);
int client_end(int status); /* the exit status, unless what was printed cannot be written */

/* --- offline.c: commands that are given rule files, in this process; the exit status. */
int offline_check(struct ctl *c);
int offline_policy(struct ctl *c);
int offline_explain(struct ctl *c);
/* SID or GID:SID; gid is -1 when there is none. */
bool explain_id(const char *text, long long *gid, long long *sid);

/* --- link.c: what is pinned, with or without a daemon; the exit status. */
int link_status(struct ctl *c);
int link_attach(struct ctl *c);
int link_detach(struct ctl *c);
int link_bypass(struct ctl *c);
int link_reset(struct ctl *c);

/* --- lists.c: what does not fit one request. */
int lists_load(struct ctl *c); /* block load FILE [SIDE]; the exit status */
int lists_rest(struct ctl *c, const char *command, json_t *result, struct err *e);
int lists_clear(struct ctl *c, const char *command, json_t *result, struct err *e);

/* --- flows.c */
json_t *args_flows_list(struct ctl *c);
json_t *args_flow(struct ctl *c);
json_t *args_forget(struct ctl *c);
void print_flows(const json_t *result);
void print_flow(const json_t *result);

/* --- print.c */
void print_status(const json_t *result);
void print_stats(const json_t *result);
void print_drops(const json_t *result);
void print_profile(const json_t *result);
void print_rules(const json_t *result);
void print_disabled_rules(const json_t *result);
void print_dormant_rules(const json_t *result);
void print_loaded(const json_t *result);
void print_checked(const json_t *result);
void print_blocks(const json_t *result);
void print_blocked(const json_t *result);
void print_cleared(const json_t *result);
void print_strikes(const json_t *result);
void print_forgiven(const json_t *result);
void print_changes(const json_t *result);
void print_steering(const json_t *result);
void print_guard(const json_t *result);
void print_upgraded(const json_t *result);
void print_stopping(const json_t *result);
void print_errors(FILE *out, const json_t *errors);     /* "file:line:column: what; remedy" lines */
void print_warnings(FILE *out, const json_t *warnings); /* the same, with "warning: " before each */

/* --- print_rules.c */
void print_policy(const json_t *result);
void print_explained(const json_t *result);

/* --- table.c: columns as wide as their widest cell; numbers to the right. */
struct table;
struct table *table_new(const char *const *heads, unsigned n_columns);
void table_cell(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void table_print(struct table *t, const char *indent, FILE *out); /* and frees it */
/* Text from rules or the daemon, with control characters replaced: a terminal must not obey it. */
void print_clean(FILE *out, const char *s);
#endif
