/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `rules profile [on|off|show] [--limit N]`: which rules cost most.
 *
 * On starts at zero; show sums up what the workers counted until now, dearest rule first; off stops and shows. The rows
 * belong to the ruleset (ips/detect/profile.h), and a reload that finds profiling on starts it on the new one
 * (cmd_rules.c). Server thread, which is the only one that swaps rulesets, so the one in hand stays.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ips/control/command.h"
#include "ips/control/rules_json.h"
#include "ips/detect/profile.h"

#define LIMIT_DEFAULT 20
#define LIMIT_MAX     10000

struct row {
    struct rule_cost cost;
    uint32_t index;
};

static int row_cmp(const void *a, const void *b)
{
    const struct row *x = a, *y = b;

    if (x->cost.ns != y->cost.ns)
        return x->cost.ns < y->cost.ns ? 1 : -1;
    if (x->cost.checks != y->cost.checks)
        return x->cost.checks < y->cost.checks ? 1 : -1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static json_t *rows_json(const struct ruleset *rs, const struct row *rows, uint32_t n)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < n; i++) {
        const struct rule_info *info = ruleset_info(rs, rows[i].index);
        const struct rule_cost *c = &rows[i].cost;

        json_array_append_new(list, json_pack("{s:I, s:I, s:I, s:I, s:I, s:o}", "sid", (json_int_t)info->sid,
                                              "gid", (json_int_t)info->gid, "checks", (json_int_t)c->checks,
                                              "matches", (json_int_t)c->matches, "ns", (json_int_t)c->ns,
                                              "msg", rules_text_json(info->msg)));
    }
    return list;
}

static int show(struct command_call *call, const struct ruleset *rs, uint32_t limit)
{
    uint32_t n_rules = ruleset_n_rules(rs), n = 0;
    struct row *rows = malloc(((size_t)n_rules + 1) * sizeof(*rows));
    struct rule_cost sum = {0};

    if (rows == NULL)
        return command_fail(call, PROTO_FAILED, "try again", "no memory to sort %u rules", n_rules);
    for (uint32_t i = 0; i < n_rules; i++) {
        struct row r = {profile_of(rs, i), i};

        if (r.cost.checks == 0)
            continue;
        sum.checks += r.cost.checks;
        sum.matches += r.cost.matches;
        sum.ns += r.cost.ns;
        rows[n++] = r;
    }
    qsort(rows, n, sizeof(*rows), row_cmp);
    call->result =
        json_pack("{s:b, s:I, s:I, s:I, s:I, s:o}", "on", profile_is_on(rs), "checked", (json_int_t)n,
                  "checks", (json_int_t)sum.checks, "matches", (json_int_t)sum.matches, "ns",
                  (json_int_t)sum.ns, "rules", rows_json(rs, rows, n < limit ? n : limit));
    free(rows);
    return call->result != NULL
               ? PROTO_OK
               : command_fail(call, PROTO_FAILED, "try again", "no memory for the list of rules");
}

int cmd_rules_profile(struct command_call *call)
{
    struct ruleset *rs =
        (struct ruleset *)*call->cfg->ruleset; /* of which workers' pointers are ours to set */
    const json_t *limit = json_object_get(call->args, "limit");
    const char *action = json_string_value(json_object_get(call->args, "action"));
    json_int_t n = limit != NULL ? json_integer_value(limit) : LIMIT_DEFAULT;

    if (action == NULL)
        action = "show";
    if (n < 1 || n > LIMIT_MAX)
        return command_fail(call, PROTO_BAD_REQUEST, "give a number from 1 to 10000",
                            "rules profile: limit is out of range");
    if (rs == NULL)
        return command_fail(call, PROTO_NOT_FOUND, "load rules first", "no rules are loaded");
    if (strcmp(action, "on") == 0) {
        if (profile_start(rs, &call->err) != 0)
            return PROTO_FAILED;
    } else if (strcmp(action, "off") == 0) {
        profile_stop(rs);
    } else if (strcmp(action, "show") != 0) {
        return command_fail(call, PROTO_BAD_REQUEST, "give on, off or show",
                            "rules profile: what is '%.40s'?", action);
    }
    if (!profile_is_there(rs))
        return command_fail(call, PROTO_CONFLICT, "start it with 'rules profile on'",
                            "rules are not profiled since they were loaded");
    return show(call, rs, (uint32_t)n);
}
