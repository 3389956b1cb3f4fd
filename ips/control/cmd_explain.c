/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `rules explain`: what becomes of one rule.
 *
 * The loader reads the configured files and the policy again, because the ruleset keeps nothing of rules that are not
 * in it. What runs is told beside that, with a flag when the two are no longer the same. The loader's answer is
 * turned into a reply in the server thread, the only one that may look at the published ruleset without RCU.
 */
#include <string.h>

#include "ips/control/command.h"
#include "ips/control/rules_json.h"

int cmd_rules_explain(struct command_call *call)
{
    const json_t *sid = json_object_get(call->args, "sid"), *gid = json_object_get(call->args, "gid");
    struct load_job job = {.explain = true, .gid = -1};

    if (!json_is_integer(sid) || json_integer_value(sid) < 1 || json_integer_value(sid) > UINT32_MAX ||
        (gid != NULL &&
         (!json_is_integer(gid) || json_integer_value(gid) < 0 || json_integer_value(gid) > UINT32_MAX)))
        return command_fail(call, PROTO_BAD_REQUEST, "give a sid, and a gid if several rules have it",
                            "rules explain: sid or gid is not a number");
    job.sid = (uint32_t)json_integer_value(sid);
    if (gid != NULL)
        job.gid = (int64_t)json_integer_value(gid);
    if (loader_begin(call->loader, &job) < 0)
        return command_fail(call, PROTO_CONFLICT, "wait for it and try again", "rules are being loaded");
    return COMMAND_LATER;
}

/* Whether the rule that runs is the text that would be loaded now. */
static bool same(const struct ruleset *rs, uint32_t index, const struct explanation *x)
{
    const struct rule_info *info = ruleset_info(rs, index);
    const struct rule *r = ruleset_rule(rs, index);

    for (uint32_t i = 0; i < x->n; i++) {
        const struct explained *t = &x->v[i];

        if (t->gid == info->gid && t->loaded && t->text_hash == info->text_hash &&
            strcmp(t->action, rule_action_name(r->action)) == 0)
            return true;
    }
    return false;
}

/* The rules that run with the sid, and whether a reload would change anything about them. */
static json_t *running_json(const struct ruleset *rs, const struct load_job *job, const struct explanation *x,
                            bool *stale)
{
    json_t *list = json_array();
    uint32_t n_loaded = 0, n = 0;

    *stale = false;
    for (uint32_t i = 0; i < x->n; i++)
        n_loaded += x->v[i].loaded;
    for (uint32_t i = 0; rs != NULL && i < ruleset_n_rules(rs); i++) {
        const struct rule_info *info = ruleset_info(rs, i);

        if (info->sid != job->sid || (job->gid >= 0 && info->gid != job->gid))
            continue;
        n++;
        *stale |= !same(rs, i, x);
        json_array_append_new(list, json_pack("{s:I, s:I, s:I, s:s, s:o, s:I}", "gid", (json_int_t)info->gid,
                                              "rev", (json_int_t)info->rev, "rank", (json_int_t)i, "action",
                                              rule_action_name(ruleset_rule(rs, i)->action), "file",
                                              rules_text_json(info->file), "line", (json_int_t)info->line));
    }
    *stale |= n != n_loaded;
    return list;
}

int rule_explained(struct command_call *call, struct load_result *r)
{
    const struct ruleset *rs = *call->cfg->ruleset;
    int code = PROTO_OK;
    json_t *running;
    bool stale;

    if (r->errs.n > 0) {
        call->errors = rules_errors_json(&r->errs, r->errs.n);
        code = command_fail(call, PROTO_INVALID, "correct them, or give 'rules explain' the rule files",
                            "the rule files or the policy cannot be read");
    } else {
        running = running_json(rs, &r->job, &r->explained, &stale);
        if (r->explained.n == 0 && json_array_size(running) == 0)
            code =
                command_fail(call, PROTO_NOT_FOUND, "check the number, and rules.files in the configuration",
                             "no rule file has a rule with sid %u", r->job.sid);
        else
            call->result = json_pack("{s:I, s:O, s:b, s:o}", "generation",
                                     (json_int_t)(rs != NULL ? ruleset_generation(rs) : 0), "running",
                                     running, "stale", stale, "rules", rules_explain_json(&r->explained));
        json_decref(running);
    }
    explain_fini(&r->explained);
    err_list_fini(&r->errs);
    return code;
}
