/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `rules check`, `rules reload`, `rules list`.
 *
 * Check and reload give the loader a job and answer when it is done (rules_loaded()). A reload whose files have
 * any error leaves the running rules alone, so that a typing mistake cannot silently take rules away; `force`
 * publishes what did load. Publishing: exchange the pointer, wait until every worker has passed a quiescent
 * state, free the old ruleset. Only the server thread writes the pointer, so it may read it without RCU.
 */
#include <errno.h>
#include <string.h>
#include <urcu-qsbr.h>

#include "ips/base/log.h"
#include "ips/base/rcu.h"
#include "ips/control/command.h"
#include "ips/detect/profile.h"
#include "ips/control/rules_json.h"

#define ERRORS_SHOWN_MAX 1000 /* in a reply; the number of all of them is always there */

static int begin(struct command_call *call, bool check, bool force)
{
    const struct ruleset *now = *call->cfg->ruleset;
    struct load_job job = {
        .generation = now != NULL ? ruleset_generation(now) + 1 : 1, .check = check, .force = force};

    const struct control_upgrader *u = call->cfg->ops->upgrader;

    if (!check && u != NULL && u->fd(u->arg) >= 0)
        return command_fail(call, PROTO_CONFLICT, "wait for it and try again",
                            "an upgrade is on its way, which loads the rules anew");
    if (loader_begin(call->loader, &job) < 0)
        return command_fail(call, PROTO_CONFLICT, "wait for it and try again",
                            "rules are being loaded already");
    return COMMAND_LATER;
}

int cmd_rules_check(struct command_call *call)
{
    return begin(call, true, false);
}

int cmd_rules_reload(struct command_call *call)
{
    const json_t *force = json_object_get(call->args, "force");

    if (force != NULL && !json_is_boolean(force))
        return command_fail(call, PROTO_BAD_REQUEST, "give true or false",
                            "rules reload: force is not a boolean");
    return begin(call, false, json_is_true(force));
}

void rules_publish(struct command_call *call, struct ruleset *rs)
{
    const struct ruleset *old;
    struct err e;

    if (*call->cfg->ruleset != NULL && profile_is_on(*call->cfg->ruleset) && profile_start(rs, &e) != 0)
        log_err(LOG_LEVEL_WARNING, "rules", &e);
    if (call->cfg->ops->rules_ask &&
        call->cfg->ops->rules_ask(call->cfg->ops->arg, ruleset_asks(rs), &e) != 0)
        log_err(LOG_LEVEL_WARNING, "rules", &e);
    old = __atomic_exchange_n(call->cfg->ruleset, rs, __ATOMIC_ACQ_REL);

    synchronize_rcu();
    rcu_after_grace(call->cfg->ruleset);
    ruleset_free((struct ruleset *)old); /* nobody can reach it any more */
    log_notice("rules", "generation %u: %u rules loaded, %u rejected", ruleset_generation(rs),
               ruleset_stats(rs)->n_loaded, ruleset_stats(rs)->n_rejected);
}

int rules_loaded(struct command_call *call, struct load_result *r)
{
    size_t n_errors = r->errs.n + r->errs.n_dropped;
    int code = PROTO_OK;

    if (r->job.explain)
        return rule_explained(call, r);
    if (r->rs == NULL || (n_errors > 0 && !r->job.force)) {
        const char *remedy =
            r->job.check || r->rs == NULL
                ? "correct the files; the running rules were not touched"
                : "correct the files, or load the others with --force; the running rules stay";

        call->errors = rules_errors_json(&r->errs, ERRORS_SHOWN_MAX);
        code = command_fail(call, PROTO_INVALID, remedy, "the rule files have %zu error%s", n_errors,
                            n_errors == 1 ? "" : "s");
        ruleset_free(r->rs);
    } else {
        call->result = ruleset_json(r->rs);
        if (call->result != NULL) {
            uint32_t n;
            const struct policy_report *lines = ruleset_policy(r->rs, &n);

            json_object_set_new(call->result, "errors", rules_errors_json(&r->errs, ERRORS_SHOWN_MAX));
            json_object_set_new(call->result, "warnings", rules_warnings_json(lines, n));
        }
        if (r->job.check)
            ruleset_free(r->rs);
        else
            rules_publish(call, r->rs);
    }
    r->rs = NULL;
    err_list_fini(&r->errs);
    return code;
}

static json_t *references_json(const struct ruleset *rs, const struct rule_info *i)
{
    json_t *list = json_array();
    char url[1024];

    for (uint32_t r = 0; r < i->n_references; r++)
        json_array_append_new(list,
                              rules_text_json(ruleset_reference_url(rs, i->references[r], url, sizeof(url))));
    return list;
}

static json_t *rule_json(const struct ruleset *rs, uint32_t index)
{
    const struct rule_info *i = ruleset_info(rs, index);

    return json_pack("{s:I, s:I, s:I, s:s, s:I, s:o, s:o, s:o, s:I, s:o, s:o}", "sid", (json_int_t)i->sid,
                     "gid", (json_int_t)i->gid, "rev", (json_int_t)i->rev, "action",
                     rule_action_name(ruleset_rule(rs, index)->action), "priority", (json_int_t)i->priority,
                     "msg", rules_text_json(i->msg), "classtype", rules_text_json(i->classtype), "file",
                     rules_text_json(i->file), "line", (json_int_t)i->line, "dormant",
                     i->dormant != NULL ? rules_text_json(i->dormant) : json_null(), "references",
                     references_json(rs, i));
}

static json_t *disabled_json(const struct disabled_rule *r)
{
    return json_pack("{s:I, s:I, s:I, s:o, s:o, s:I, s:s*}", "sid", (json_int_t)r->sid, "gid",
                     (json_int_t)r->gid, "rev", (json_int_t)r->rev, "msg", rules_text_json(r->msg), "file",
                     rules_text_json(r->file), "line", (json_int_t)r->line, "why",
                     r->struck ? "it stalled workers (ipsctl strikes)" : NULL);
}

struct listing { /* what a `rules list` asks for */
    const struct ruleset *rs;
    const struct disabled_rule *disabled; /* NULL: loaded rules */
    bool dormant;                         /* only those */
    const json_t *sid;                    /* only this one; NULL: all */
    uint32_t at, n;
};

static bool is_listed(const struct listing *l, uint32_t i)
{
    uint32_t sid = l->disabled != NULL ? l->disabled[i].sid : ruleset_info(l->rs, i)->sid;

    if (l->sid != NULL && (json_int_t)sid != json_integer_value(l->sid))
        return false;
    return !l->dormant || ruleset_info(l->rs, i)->dormant != NULL;
}

static json_t *list(struct listing *l)
{
    json_t *rules = json_array();

    for (; l->at < l->n && json_array_size(rules) < PROTO_RULES_MAX; l->at++)
        if (is_listed(l, l->at))
            json_array_append_new(rules, l->disabled != NULL ? disabled_json(&l->disabled[l->at])
                                                             : rule_json(l->rs, l->at));
    return rules;
}

/* False: *code is the answer. */
static bool read_listing(struct command_call *call, struct listing *l, int *code)
{
    const char *only = json_string_value(json_object_get(call->args, "only"));
    const json_t *offset = json_object_get(call->args, "offset");

    *l = (struct listing){.rs = *call->cfg->ruleset, .sid = json_object_get(call->args, "sid")};
    if (json_object_get(call->args, "only") != NULL &&
        (only == NULL || (strcmp(only, "dormant") != 0 && strcmp(only, "disabled") != 0))) {
        *code = command_fail(call, PROTO_BAD_REQUEST, "give dormant or disabled", "rules list: only what?");
        return false;
    }
    if ((l->sid != NULL && !json_is_integer(l->sid)) ||
        (offset != NULL && (!json_is_integer(offset) || json_integer_value(offset) < 0))) {
        *code = command_fail(call, PROTO_BAD_REQUEST, "give a number",
                             "rules list: sid or offset is not a number");
        return false;
    }
    l->dormant = only != NULL && strcmp(only, "dormant") == 0;
    if (l->rs != NULL && only != NULL && !l->dormant)
        l->disabled = ruleset_disabled(l->rs, &l->n);
    else if (l->rs != NULL)
        l->n = ruleset_n_rules(l->rs);
    if (offset != NULL)
        l->at = json_integer_value(offset) < (json_int_t)l->n ? (uint32_t)json_integer_value(offset) : l->n;
    return true;
}

int cmd_rules_list(struct command_call *call)
{
    struct listing l;
    json_t *rules;
    int code;

    if (!read_listing(call, &l, &code))
        return code;
    rules = list(&l);
    if (l.sid != NULL && json_array_size(rules) == 0) {
        json_decref(rules);
        return command_fail(call, PROTO_NOT_FOUND, "see 'rules list' for those that are",
                            "no rule with sid %lld is %s", (long long)json_integer_value(l.sid),
                            l.disabled != NULL ? "disabled"
                            : l.dormant        ? "dormant"
                                               : "loaded");
    }
    call->result =
        json_pack("{s:I, s:I, s:o}", "total", (json_int_t)l.n, "next", (json_int_t)l.at, "rules", rules);
    return call->result != NULL
               ? PROTO_OK
               : command_fail(call, PROTO_FAILED, "try again", "no memory for the list of rules");
}
