/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `config diff` and `config reload`: the configuration file (and the command line on top of it) is read again, and what
 * differs from what runs is shown, or put in force, all of it or nothing.
 *
 * A reload first looks at the keys: one that needs a new start refuses the whole. Then the loader makes what takes time:
 * lists from files, and the rules where a key of theirs has changed. Back here, in one go: the maps (undone when the
 * kernel refuses a part), the rules, and last the values themselves, which change places between the two objects; the
 * one that was read is freed with the old values in it. Server thread; the bridges' `hands` are held by the caller.
 */
#include <errno.h>
#include <string.h>

#include "ips/base/log.h"
#include "ips/control/command.h"
#include "ips/control/config_diff.h"
#include "ips/control/live.h"
#include "ips/control/rules_json.h"
#include "ips/log/engine.h"

#define ERRORS_SHOWN_MAX 100

static json_t *changes_json(const struct config_changes *c)
{
    json_t *list = json_array();

    for (size_t i = 0; i < c->n; i++)
        json_array_append_new(list,
                              json_pack("{s:s, s:o, s:o, s:s}", "key", c->v[i].key, "running",
                                        rules_text_json(c->v[i].was), "file", rules_text_json(c->v[i].is),
                                        "how", config_how_name(c->v[i].how)));
    return list;
}

/* The file and what it would change; PROTO_OK, or the answer. */
static int compare(struct command_call *call, struct config **fresh, struct config_changes *changes)
{
    const struct config *running = call->cfg->config;

    if (running->reread == NULL)
        return command_fail(call, PROTO_FAILED, "start ipsd with -c FILE", "there is no file to read again");
    *fresh = running->reread(running->reread_arg, &call->err);
    if (*fresh != NULL && config_diff(running, *fresh, changes, &call->err) == 0)
        return PROTO_OK;
    config_free(*fresh);
    *fresh = NULL;
    call->errors = json_array();
    json_array_append_new(call->errors, rules_error_json(&call->err));
    return command_fail(call, PROTO_INVALID, "correct it; what ran before runs on",
                        "the configuration cannot be taken, so nothing was changed");
}

int cmd_config_diff(struct command_call *call)
{
    struct config_changes changes;
    struct config *fresh = NULL;
    int code = compare(call, &fresh, &changes);

    if (code != PROTO_OK)
        return code;
    call->result = json_pack("{s:o}", "changes", changes_json(&changes));
    config_changes_fini(&changes);
    config_free(fresh);
    return call->result != NULL ? PROTO_OK : command_fail(call, PROTO_FAILED, "try again", "no memory");
}

/* Each key that stands in the way, with both values. */
static int refuse(struct command_call *call, const struct config_changes *changes)
{
    size_t n = changes->n_of[CONFIG_RESTART];
    struct err_list errs;

    err_list_init(&errs);
    for (size_t i = 0; i < changes->n; i++) {
        const struct config_change *c = &changes->v[i];
        struct err e = {.code = 0};

        if (c->how != CONFIG_RESTART)
            continue;
        err_set(&e, -EBUSY, "%s: %.150s -> %.150s", c->key, c->was, c->is);
        err_list_add(&errs, &e);
    }
    call->errors = rules_errors_json(&errs, ERRORS_SHOWN_MAX);
    err_list_fini(&errs);
    return command_fail(call, PROTO_INVALID,
                        "take them back, or start ipsd anew: `ipsctl upgrade`, or `systemctl restart sluice`",
                        "%zu key%s cannot change while ipsd runs, so nothing was changed", n,
                        n == 1 ? "" : "s");
}

int cmd_config_reload(struct command_call *call)
{
    const struct ruleset *now = *call->cfg->ruleset;
    struct config_changes changes = {.n_of = {0}};
    struct load_job job = {.generation = now != NULL ? ruleset_generation(now) + 1 : 1};
    int code = compare(call, &job.config, &changes);

    if (code != PROTO_OK)
        return code;
    if (changes.n_of[CONFIG_RESTART] > 0) {
        code = refuse(call, &changes);
    } else {
        job.rules = changes.n_of[CONFIG_RULES] > 0;
        code = COMMAND_LATER;
        if (loader_begin(call->loader, &job) < 0)
            code = command_fail(call, PROTO_CONFLICT, "wait for it and try again",
                                "rules are being loaded already");
    }
    if (code != COMMAND_LATER)
        config_free(job.config);
    config_changes_fini(&changes);
    return code;
}

/* --- when the loader is done ------------------------------------------------------------------------------ */

static int refused(struct command_call *call, struct load_result *r)
{
    size_t n = r->errs.n + r->errs.n_dropped;

    call->errors = rules_errors_json(&r->errs, ERRORS_SHOWN_MAX);
    return command_fail(call, PROTO_INVALID, "correct them; what ran before runs on",
                        "the lists or the rules have %zu error%s, so nothing was changed", n,
                        n == 1 ? "" : "s");
}

static void adopt(struct command_call *call, struct load_result *r)
{
    enum log_level level;

    if (r->rs != NULL)
        rules_publish(call, r->rs);
    r->rs = NULL;
    config_adopt(call->cfg->config, r->job.config);
    if (log_level_parse(call->cfg->config->log.level, &level))
        log_set_level(level);
}

static int put_in_force(struct command_call *call, struct load_result *r)
{
    struct config_changes changes;
    int code = config_diff(call->cfg->config, r->job.config, &changes, &call->err);

    if (code < 0)
        return PROTO_FAILED;
    code = call->cfg->ops->config_apply(call->cfg->ops->arg, r->job.config, r->live, &call->err);
    if (code < 0) {
        config_changes_fini(&changes);
        return PROTO_FAILED;
    }
    r->live = NULL; /* the daemon's */
    adopt(call, r);
    call->result = json_pack("{s:o}", "changes", changes_json(&changes));
    for (size_t i = 0; i < changes.n; i++)
        log_notice("control", "configuration: %s is %.200s, was %.200s", changes.v[i].key, changes.v[i].is,
                   changes.v[i].was);
    engine_event("config", NULL, json_pack("{s:o}", "changes", changes_json(&changes)));
    config_changes_fini(&changes);
    return call->result != NULL
               ? PROTO_OK
               : command_fail(call, PROTO_FAILED, "it is done", "no memory to say what changed");
}

int config_loaded(struct command_call *call, struct load_result *r)
{
    bool complete = r->live != NULL && (r->rs != NULL || !r->job.rules) && r->errs.n + r->errs.n_dropped == 0;
    int code = complete ? put_in_force(call, r) : refused(call, r);

    live_free(r->live);
    ruleset_free(r->rs);
    config_free(r->job.config);
    err_list_fini(&r->errs);
    return code;
}
