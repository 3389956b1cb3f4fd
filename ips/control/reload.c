/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the configuration to a ruleset: which files, which variables, which policy, in which order of actions.
 *
 * Globs are expanded anew at every load, so a reload finds files that were added. Owns the expanded list for the
 * length of the call; the ruleset keeps nothing of it. Runs in the main thread at start and in the loader thread
 * on a reload (server.c); touches no shared state but the read-only configuration.
 */
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ips/base/log.h"
#include "ips/control/config_schema.h"
#include "ips/control/control.h"
#include "ips/control/policy_yaml.h"
#include "ips/control/strikes.h"
#include "rules/explain.h"

struct file_list {
    char **v;
    uint32_t n;
};

static void file_list_fini(struct file_list *l)
{
    for (uint32_t i = 0; i < l->n; i++)
        free(l->v[i]);
    free(l->v);
}

/* A file that two globs match is loaded once, at its first place. */
static int file_list_add(struct file_list *l, const char *path)
{
    char **v;

    for (uint32_t i = 0; i < l->n; i++)
        if (strcmp(l->v[i], path) == 0)
            return 0;
    v = realloc(l->v, (l->n + 1) * sizeof(*v));
    if (v == NULL)
        return -ENOMEM;
    l->v = v;
    l->v[l->n] = strdup(path);
    return l->v[l->n] != NULL ? (l->n++, 0) : -ENOMEM;
}

/* key: where the pattern was configured. */
static int expand(struct file_list *l, const char *key, const char *pattern, struct err *e)
{
    glob_t g;
    int rc;

    if (access(pattern, F_OK) == 0) { /* a file whose name has brackets is that file */
        rc = file_list_add(l, pattern);
        return rc == 0 ? 0 : err_set(e, rc, "no memory to list %s", pattern);
    }
    rc = glob(pattern, 0, NULL, &g);
    if (rc == GLOB_NOMATCH) {
        err_set(e, -ENOENT, "no file matches %s", pattern);
        return err_remedy(e, "correct %s in the configuration", key), -ENOENT;
    }
    if (rc != 0)
        return err_set(e, rc == GLOB_NOSPACE ? -ENOMEM : -EIO, "cannot list %s", pattern);
    for (size_t i = 0; rc == 0 && i < g.gl_pathc; i++)
        rc = file_list_add(l, g.gl_pathv[i]);
    globfree(&g);
    return rc == 0 ? 0 : err_set(e, rc, "no memory to list %s", pattern);
}

/* An empty text is a key that was not given. */
static const char *given(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

/* A source for rules/, and what it borrows. */
struct source {
    struct ruleset_source src;
    struct file_list files, reputation;
    struct ruleset_var *vars;
    struct rule_id struck[STEER_STRIKES_MAX];
};

static void source_fini(struct source *s)
{
    policy_free(s->src.policy);
    file_list_fini(&s->files);
    file_list_fini(&s->reputation);
    free(s->vars);
}

static int source_init(struct source *s, const struct config *c, struct err_list *errs)
{
    const struct policy_files policy_files = {.policy = c->rules.policy,
                                              .disable_conf = c->rules.disable_conf,
                                              .enable_conf = c->rules.enable_conf,
                                              .drop_conf = c->rules.drop_conf,
                                              .modify_conf = c->rules.modify_conf};
    struct err e = {.code = 0};

    memset(s, 0, sizeof(*s));
    s->vars = calloc(c->rules.n_vars + 1, sizeof(*s->vars));
    if (s->vars == NULL)
        err_set(&e, -ENOMEM, "no memory to load the rules");
    for (unsigned i = 0; e.code == 0 && i < c->rules.n_files; i++)
        expand(&s->files, "rules.files (or --rules)", c->rules.files[i], &e);
    if (e.code == 0 && c->detect.reputation_files[0] != '\0')
        expand(&s->reputation, "detect.reputation_files", c->detect.reputation_files, &e);
    if (e.code == 0)
        config_action_order(c->detect.action_order, s->src.action_order, &e);
    if (e.code != 0) {
        err_list_add(errs, &e);
        return e.code;
    }
    for (unsigned i = 0; i < c->rules.n_vars; i++)
        s->vars[i] = (struct ruleset_var){.name = c->rules.vars[i].name, .value = c->rules.vars[i].value};
    s->src.strict = c->rules.strict;
    s->src.struck = s->struck;
    s->src.n_struck = strikes_rules(s->struck);
    s->src.files = (const char *const *)s->files.v;
    s->src.n_files = s->files.n;
    s->src.vars = s->vars;
    s->src.n_vars = c->rules.n_vars;
    s->src.dialect = (uint8_t)c->rules.dialect;
    s->src.classification_file = given(c->rules.classification);
    s->src.reference_file = given(c->rules.reference);
    s->src.cache_dir = given(c->rules.cache);
    s->src.geoip_database = given(c->rules.geoip_database);
    s->src.threshold_file = given(c->detect.threshold_file);
    s->src.state_dir = given(c->detect.state_dir);
    s->src.reputation_categories = given(c->detect.reputation_categories);
    s->src.reputation_files = (const char *const *)s->reputation.v;
    s->src.n_reputation_files = s->reputation.n;
    return policy_load(&policy_files, &s->src.policy, errs);
}

struct ruleset *ruleset_load(const struct config *c, uint32_t n_workers, uint32_t generation, bool keep,
                             struct err_list *errs)
{
    struct ruleset *rs = NULL;
    struct source s;

    if (source_init(&s, c, errs) == 0) {
        s.src.n_workers = n_workers;
        s.src.generation = generation;
        s.src.cache_read_only = !keep;
        rs = ruleset_build(&s.src, errs);
    }
    source_fini(&s);
    return rs;
}

void ruleset_explain(const struct config *c, int64_t gid, uint32_t sid, struct explanation *out,
                     struct err_list *errs)
{
    struct err e = {.code = 0};
    struct source s;

    memset(out, 0, sizeof(*out));
    if (source_init(&s, c, errs) == 0 && explain_rule(&s.src, gid, sid, out, &e) < 0)
        err_list_add(errs, &e);
    source_fini(&s);
}

void ruleset_warn(const struct ruleset *rs)
{
    const struct policy_report *lines;
    uint32_t n;

    lines = ruleset_policy(rs, &n);
    for (uint32_t i = 0; i < n; i++) {
        struct err e = {.code = 0};

        if (policy_report_warning(&lines[i], &e))
            log_err(LOG_LEVEL_WARNING, "policy", &e);
    }
}
