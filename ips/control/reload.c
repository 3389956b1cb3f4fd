/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the configuration to a ruleset: which files, which variables, in which order of actions.
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

#include "ips/control/config_schema.h"
#include "ips/control/control.h"

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

static int expand(struct file_list *l, const char *pattern, struct err *e)
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
        return err_remedy(e, "correct rules.files in the configuration (or --rules)"), -ENOENT;
    }
    if (rc != 0)
        return err_set(e, rc == GLOB_NOSPACE ? -ENOMEM : -EIO, "cannot list %s", pattern);
    for (size_t i = 0; rc == 0 && i < g.gl_pathc; i++)
        rc = file_list_add(l, g.gl_pathv[i]);
    globfree(&g);
    return rc == 0 ? 0 : err_set(e, rc, "no memory to list %s", pattern);
}

struct ruleset *ruleset_load(const struct config *c, uint32_t n_workers, uint32_t generation,
                             struct err_list *errs)
{
    struct ruleset_source src = {.n_workers = n_workers, .generation = generation, .strict = c->rules.strict};
    struct ruleset_var *vars = calloc(c->rules.n_vars + 1, sizeof(*vars));
    struct file_list files = {.n = 0};
    struct ruleset *rs = NULL;
    struct err e = {.code = 0};

    if (vars == NULL) {
        err_set(&e, -ENOMEM, "no memory to load the rules");
        err_list_add(errs, &e);
        return NULL;
    }
    for (unsigned i = 0; e.code == 0 && i < c->rules.n_files; i++)
        expand(&files, c->rules.files[i], &e);
    if (e.code == 0)
        config_action_order(c->detect.action_order, src.action_order, &e);
    if (e.code != 0) {
        err_list_add(errs, &e);
        goto out;
    }
    for (unsigned i = 0; i < c->rules.n_vars; i++)
        vars[i] = (struct ruleset_var){.name = c->rules.vars[i].name, .value = c->rules.vars[i].value};
    src.files = (const char *const *)files.v;
    src.n_files = files.n;
    src.vars = vars;
    src.n_vars = c->rules.n_vars;
    src.classification_file = c->rules.classification[0] != '\0' ? c->rules.classification : NULL;
    src.threshold_file = c->detect.threshold_file[0] != '\0' ? c->detect.threshold_file : NULL;
    rs = ruleset_build(&src, errs);
out:
    file_list_fini(&files);
    free(vars);
    return rs;
}
