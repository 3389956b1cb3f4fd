/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `rules check FILE...`, `rules policy FILE...`, `rules explain SID FILE...`: the daemon's own rule compiler in this
 * process, so that files and policies can be looked at anywhere, by anyone, without a daemon or a network interface.
 * Check prints all errors of all files in one go. Variables and policy files come from the command line.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ips/base/clock.h"
#include "ips/control/rules_json.h"
#include "rules/ruleset.h"

struct source {
    struct ruleset_source src;
    struct ruleset_var vars[VARS_MAX];
    struct err_list errs;
};

static void source_fini(struct source *s)
{
    for (unsigned i = 0; i < s->src.n_vars; i++)
        free((char *)s->vars[i].name);
    policy_free(s->src.policy);
    err_list_fini(&s->errs);
}

/* NAME=VALUE of every --var; 0 or an exit status. The names are copies, the values the arguments' own. */
static int take_vars(const struct ctl *c, struct source *s)
{
    for (unsigned *n = &s->src.n_vars; *n < c->n_vars; ++*n) {
        const char *text = c->vars[*n], *name = text + (text[0] == '$'), *eq = strchr(name, '=');

        if (eq == NULL || eq == name) {
            fprintf(stderr, "ipsctl: '%s' is not a variable; write --var NAME=VALUE\n", text);
            return client_exit_status(PROTO_BAD_REQUEST);
        }
        s->vars[*n] = (struct ruleset_var){.name = strndup(name, (size_t)(eq - name)), .value = eq + 1};
        if (s->vars[*n].name == NULL) {
            fputs("ipsctl: out of memory\n", stderr);
            return 1;
        }
    }
    return 0;
}

/* The rule files from args[first] on. 0, or an exit status; a policy that has errors leaves them in s->errs. */
static int source_init(struct source *s, const struct ctl *c, unsigned first)
{
    int status;

    memset(s, 0, sizeof(*s));
    err_list_init(&s->errs);
    s->src = (struct ruleset_source){.files = c->args + first,
                                     .n_files = c->n_args - first,
                                     .vars = s->vars,
                                     .n_workers = 1,
                                     .generation = 1,
                                     .dialect = DIALECT_AUTO};
    if (c->dialect != NULL && !rule_dialect_read(c->dialect, &s->src.dialect)) {
        fprintf(stderr, "ipsctl: no dialect '%s'; write auto, suricata, snort3 or snort2\n", c->dialect);
        return client_exit_status(PROTO_BAD_REQUEST);
    }
    status = take_vars(c, s);
    if (status == 0 && policy_load(&c->policy, &s->src.policy, &s->errs) < 0)
        status = 1;
    return status;
}

static void print_json(json_t *o)
{
    client_print_json(o);
    json_decref(o);
}

/* --- check ------------------------------------------------------------------------------------------------ */

static void print_report(const struct ruleset_stats *st, const struct err_list *errs, const json_t *warnings,
                         uint64_t took_ns, uint32_t refused)
{
    err_list_print(errs, stderr);
    print_warnings(stderr, warnings);
    if (refused > 0)
        printf("refused: --strict loads every rule or none; without it %u would be loaded\n", refused);
    printf("%u rules loaded (%u of them dormant), %u rejected, %u skipped, %u disabled; %.1f ms, %.1f MB\n",
           st->n_loaded, st->n_dormant, st->n_rejected, st->n_skipped, st->n_disabled, (double)took_ns / 1e6,
           (double)st->memory_bytes / 1e6);
}

/* With --strict the set is built all the same, so that the reply can count, and then counts as refused. */
static int report(const struct ctl *c, const struct ruleset *rs, const struct err_list *errs,
                  uint64_t took_ns)
{
    struct ruleset_stats stats = {.n_loaded = 0}, *st = &stats;
    const struct policy_report *lines = NULL;
    uint32_t n = 0, refused = 0;
    json_t *warnings;

    if (rs != NULL) {
        lines = ruleset_policy(rs, &n);
        stats = *ruleset_stats(rs);
    }
    if (c->strict && errs->n > 0) {
        refused = stats.n_loaded;
        stats.n_loaded = stats.n_dormant = 0;
    }
    warnings = rules_warnings_json(lines, n);
    if (!c->json) {
        print_report(st, errs, warnings, took_ns, refused);
        json_decref(warnings);
    } else {
        print_json(json_pack("{s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:I, s:I}", "loaded",
                             (json_int_t)st->n_loaded, "rejected", (json_int_t)st->n_rejected, "dormant",
                             (json_int_t)st->n_dormant, "skipped", (json_int_t)st->n_skipped, "disabled",
                             (json_int_t)st->n_disabled, "errors", rules_errors_json(errs, errs->n),
                             "warnings", warnings, "load_ms", (json_int_t)(took_ns / NS_PER_MS),
                             "memory_bytes", (json_int_t)st->memory_bytes));
    }
    return rs == NULL || errs->n > 0 ? 1 : 0;
}

int offline_check(struct ctl *c)
{
    static struct source s;
    uint64_t began = clock_mono_ns();
    struct ruleset *rs = NULL;
    int status = source_init(&s, c, 0);

    if (status == 0)
        rs = ruleset_build(&s.src, &s.errs);
    if (status == 0 || s.errs.n > 0)
        status = report(c, rs, &s.errs, clock_mono_ns() - began);
    ruleset_free(rs);
    source_fini(&s);
    return status;
}

/* --- policy ----------------------------------------------------------------------------------------------- */

int offline_policy(struct ctl *c)
{
    static struct source s;
    struct ruleset *rs = NULL;
    int status = source_init(&s, c, 0);

    if (status == 0 && s.src.policy == NULL) {
        fputs(
            "ipsctl: no policy to try on the files; give --policy FILE, or one of suricata-update's files\n",
            stderr);
        status = client_exit_status(PROTO_BAD_REQUEST);
    }
    if (status == 0)
        rs = ruleset_build(&s.src, &s.errs);
    if (rs != NULL) {
        uint32_t n;
        const struct policy_report *lines = ruleset_policy(rs, &n);
        json_t *result = json_pack("{s:o, s:o}", "lines", rules_policy_json(lines, n), "warnings",
                                   rules_warnings_json(lines, n));

        if (ruleset_stats(rs)->n_rejected > 0)
            fprintf(stderr, "ipsctl: %u rules have errors; 'ipsctl rules check' shows them\n",
                    ruleset_stats(rs)->n_rejected);
        if (c->json) {
            print_json(result);
        } else {
            print_policy(result);
            json_decref(result);
        }
    } else if (s.errs.n > 0) { /* the policy's, or a file that cannot be read */
        err_list_print(&s.errs, stderr);
        status = 1;
    }
    ruleset_free(rs);
    source_fini(&s);
    return status;
}

/* --- explain ---------------------------------------------------------------------------------------------- */

bool explain_id(const char *text, long long *gid, long long *sid)
{
    char *end;
    unsigned long long n = strtoull(text, &end, 10);

    *gid = -1;
    if (end != text && *end == ':' && n <= UINT32_MAX) {
        *gid = (long long)n;
        text = end + 1;
        n = strtoull(text, &end, 10);
    }
    *sid = (long long)n;
    return end != text && *end == '\0' && text[strspn(text, "0123456789")] == '\0' && n >= 1 &&
           n <= UINT32_MAX;
}

int offline_explain(struct ctl *c)
{
    static struct source s;
    struct explanation x = {.n = 0};
    struct err e = {.code = 0};
    long long gid, sid;
    int status;

    if (!explain_id(c->args[0], &gid, &sid)) {
        fprintf(stderr, "ipsctl: '%s' is not a sid; write SID or GID:SID\n", c->args[0]);
        return client_exit_status(PROTO_BAD_REQUEST);
    }
    status = source_init(&s, c, 1);
    if (status == 0 && explain_rule(&s.src, gid, (uint32_t)sid, &x, &e) < 0) {
        err_list_add(&s.errs, &e);
        status = 1;
    }
    err_list_print(&s.errs, stderr);
    if (status == 0 && x.n == 0) {
        fprintf(stderr, "ipsctl: no rule in these files has the sid %s\n", c->args[0]);
        status = client_exit_status(PROTO_NOT_FOUND);
    } else if (status == 0) {
        json_t *result = json_pack("{s:o}", "rules", rules_explain_json(&x));

        if (c->json) {
            print_json(result);
        } else {
            print_explained(result);
            json_decref(result);
        }
    }
    explain_fini(&x);
    source_fini(&s);
    return status;
}
