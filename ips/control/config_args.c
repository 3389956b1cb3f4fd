/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lists that the command line gives: --rules and --var. They change the same heap-allocated lists that the YAML
 * reader makes, so config_free() frees both alike.
 * Main thread, before the configuration is shared.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ips/control/config.h"

static int no_memory(struct err *e)
{
    return err_set(e, -ENOMEM, "no memory for the configuration");
}

int config_set_rules(struct config *c, const char *const *files, unsigned n, struct err *e)
{
    char **v = calloc(n ? n : 1, sizeof(*v));

    if (!v)
        return no_memory(e);
    for (unsigned i = 0; i < c->rules.n_files; i++)
        free(c->rules.files[i]);
    free(c->rules.files);
    c->rules.files = v;
    for (c->rules.n_files = 0; c->rules.n_files < n; c->rules.n_files++) {
        v[c->rules.n_files] = strdup(files[c->rules.n_files]);
        if (!v[c->rules.n_files])
            return no_memory(e);
    }
    return 0;
}

int config_set_var(struct config *c, const char *assignment, struct err *e)
{
    const char *eq = strchr(assignment, '=');

    if (!eq || eq == assignment || !eq[1]) {
        err_set(e, -EINVAL, "'%s' is not a variable", assignment);
        return err_remedy(e, "write NAME=VALUE, as in HOME_NET=[10.0.0.0/8]"), -EINVAL;
    }
    struct var_config *v = realloc(c->rules.vars, (c->rules.n_vars + 1) * sizeof(*v));
    if (!v)
        return no_memory(e);
    c->rules.vars = v;
    v += c->rules.n_vars;
    /* a leading $ is how rules write it, and people copy that */
    const char *name = assignment[0] == '$' ? assignment + 1 : assignment;
    v->name = strndup(name, (size_t)(eq - name));
    v->value = strdup(eq + 1);
    c->rules.n_vars++;
    return v->name && v->value ? 0 : no_memory(e);
}
