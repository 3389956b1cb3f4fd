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

#define ERRORS_SHOWN_MAX 1000 /* in a reply; the number of all of them is always there */

static int begin(struct command_call *call, bool check, bool force)
{
    const struct ruleset *now = *call->cfg->ruleset;
    struct load_job job = {
        .generation = now != NULL ? ruleset_generation(now) + 1 : 1, .check = check, .force = force};

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

/* File names and quoted rule text may be any bytes; JSON takes UTF-8 only. */
static json_t *text_json(const char *s)
{
    char ascii[1024];
    json_t *j = json_string(s);
    size_t i;

    if (j != NULL)
        return j;
    for (i = 0; i < sizeof(ascii) - 1 && s[i] != '\0'; i++)
        ascii[i] = (unsigned char)s[i] < 0x80 ? s[i] : '?';
    ascii[i] = '\0';
    return json_string(ascii);
}

static json_t *errors_json(const struct err_list *errs)
{
    json_t *list = json_array();

    for (size_t i = 0; i < errs->n && i < ERRORS_SHOWN_MAX; i++) {
        const struct err *e = &errs->v[i];

        json_array_append_new(list, json_pack("{s:o, s:i, s:i, s:o, s:o}", "file", text_json(e->file), "line",
                                              e->line, "column", e->column, "what", text_json(e->text),
                                              "remedy", text_json(e->remedy)));
    }
    return list;
}

static void publish(struct command_call *call, struct ruleset *rs)
{
    const struct ruleset *old = __atomic_exchange_n(call->cfg->ruleset, rs, __ATOMIC_ACQ_REL);

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

    if (r->rs == NULL || (n_errors > 0 && !r->job.force)) {
        const char *remedy =
            r->job.check || r->rs == NULL
                ? "correct the files; the running rules were not touched"
                : "correct the files, or load the others with --force; the running rules stay";

        call->errors = errors_json(&r->errs);
        code = command_fail(call, PROTO_INVALID, remedy, "the rule files have %zu error%s", n_errors,
                            n_errors == 1 ? "" : "s");
        ruleset_free(r->rs);
    } else {
        call->result = ruleset_json(r->rs);
        if (call->result != NULL)
            json_object_set_new(call->result, "errors", errors_json(&r->errs));
        if (r->job.check)
            ruleset_free(r->rs);
        else
            publish(call, r->rs);
    }
    r->rs = NULL;
    err_list_fini(&r->errs);
    return code;
}

static json_t *rule_json(const struct ruleset *rs, uint32_t index)
{
    const struct rule_info *i = ruleset_info(rs, index);

    return json_pack("{s:I, s:I, s:I, s:s, s:I, s:o, s:o, s:o, s:I}", "sid", (json_int_t)i->sid, "gid",
                     (json_int_t)i->gid, "rev", (json_int_t)i->rev, "action",
                     rule_action_name(ruleset_rule(rs, index)->action), "priority", (json_int_t)i->priority,
                     "msg", text_json(i->msg), "classtype", text_json(i->classtype), "file",
                     text_json(i->file), "line", (json_int_t)i->line);
}

int cmd_rules_list(struct command_call *call)
{
    const struct ruleset *rs = *call->cfg->ruleset;
    const json_t *sid = json_object_get(call->args, "sid"), *offset = json_object_get(call->args, "offset");
    uint32_t n = rs != NULL ? ruleset_n_rules(rs) : 0, i = 0;
    json_t *rules;

    if ((sid != NULL && !json_is_integer(sid)) ||
        (offset != NULL && (!json_is_integer(offset) || json_integer_value(offset) < 0)))
        return command_fail(call, PROTO_BAD_REQUEST, "give a number",
                            "rules list: sid or offset is not a number");
    if (offset != NULL)
        i = json_integer_value(offset) < (json_int_t)n ? (uint32_t)json_integer_value(offset) : n;
    rules = json_array();
    for (; i < n && json_array_size(rules) < PROTO_RULES_MAX; i++)
        if (sid == NULL || (json_int_t)ruleset_info(rs, i)->sid == json_integer_value(sid))
            json_array_append_new(rules, rule_json(rs, i));
    if (sid != NULL && json_array_size(rules) == 0) {
        json_decref(rules);
        return command_fail(call, PROTO_NOT_FOUND, "see 'rules list' for those that are",
                            "no rule with sid %lld is loaded", (long long)json_integer_value(sid));
    }
    call->result =
        json_pack("{s:I, s:I, s:o}", "total", (json_int_t)n, "next", (json_int_t)i, "rules", rules);
    return call->result != NULL
               ? PROTO_OK
               : command_fail(call, PROTO_FAILED, "try again", "no memory for the list of rules");
}
