/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `rules check FILE...`: the daemon's own rule compiler in this process, so that files can be checked anywhere,
 * by anyone, without a daemon or a network interface. All errors of all files in one go.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ips/base/clock.h"
#include "rules/ruleset.h"

/* File names and quoted rule text may be any bytes; JSON takes UTF-8 only. */
static json_t *text_json(const char *s)
{
    json_t *j = json_string(s);
    char *ascii;

    if (j != NULL)
        return j;
    ascii = strdup(s);
    for (char *p = ascii; p != NULL && *p != '\0'; p++)
        if ((unsigned char)*p >= 0x80)
            *p = '?';
    j = json_string(ascii);
    free(ascii);
    return j;
}

static json_t *errors_json(const struct err_list *errs)
{
    json_t *list = json_array();

    for (size_t i = 0; i < errs->n; i++) {
        const struct err *e = &errs->v[i];

        json_array_append_new(list, json_pack("{s:o, s:i, s:i, s:o, s:o}", "file", text_json(e->file), "line",
                                              e->line, "column", e->column, "what", text_json(e->text),
                                              "remedy", text_json(e->remedy)));
    }
    return list;
}

static int report(const struct ctl *c, const struct ruleset *rs, const struct err_list *errs,
                  uint64_t took_ns)
{
    static const struct ruleset_stats none;
    const struct ruleset_stats *st = rs != NULL ? ruleset_stats(rs) : &none;
    bool failed = rs == NULL || errs->n > 0;
    json_t *o;

    if (!c->json) {
        err_list_print(errs, stderr);
        printf(
            "%u rules loaded (%u of them dormant), %u rejected, %u skipped, %u disabled; %.1f ms, %.1f MB\n",
            st->n_loaded, st->n_dormant, st->n_rejected, st->n_skipped, st->n_disabled, (double)took_ns / 1e6,
            (double)st->memory_bytes / 1e6);
        return failed ? 1 : 0;
    }
    o = json_pack("{s:I, s:I, s:I, s:I, s:I, s:o, s:I, s:I}", "loaded", (json_int_t)st->n_loaded, "rejected",
                  (json_int_t)st->n_rejected, "dormant", (json_int_t)st->n_dormant, "skipped",
                  (json_int_t)st->n_skipped, "disabled", (json_int_t)st->n_disabled, "errors",
                  errors_json(errs), "load_ms", (json_int_t)(took_ns / NS_PER_MS), "memory_bytes",
                  (json_int_t)st->memory_bytes);
    json_dumpf(o, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(o);
    return failed ? 1 : 0;
}

static void vars_fini(struct ruleset_var *vars, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        free((char *)vars[i].name);
}

/* NAME=VALUE of every --var; 0 or an exit status. The names are copies, the values the arguments' own. */
static int vars_parse(const struct ctl *c, struct ruleset_var *vars, unsigned *n)
{
    for (*n = 0; *n < c->n_vars; ++*n) {
        const char *text = c->vars[*n], *name = text + (text[0] == '$'), *eq = strchr(name, '=');

        if (eq == NULL || eq == name) {
            fprintf(stderr, "ipsctl: '%s' is not a variable; write --var NAME=VALUE\n", text);
            return client_exit_status(PROTO_BAD_REQUEST);
        }
        vars[*n] = (struct ruleset_var){.name = strndup(name, (size_t)(eq - name)), .value = eq + 1};
        if (vars[*n].name == NULL) {
            fputs("ipsctl: out of memory\n", stderr);
            return 1;
        }
    }
    return 0;
}

int check_files(struct ctl *c)
{
    struct ruleset_var vars[sizeof(c->vars) / sizeof(c->vars[0])];
    struct ruleset_source src = {.files = c->args,
                                 .n_files = c->n_args,
                                 .vars = vars,
                                 .n_workers = 1,
                                 .generation = 1,
                                 .dialect = DIALECT_AUTO};
    uint64_t began = clock_mono_ns();
    struct err_list errs;
    int status = vars_parse(c, vars, &src.n_vars);

    if (status == 0) {
        struct ruleset *rs;

        err_list_init(&errs);
        rs = ruleset_build(&src, &errs);
        status = report(c, rs, &errs, clock_mono_ns() - began);
        ruleset_free(rs);
        err_list_fini(&errs);
    }
    vars_fini(vars, src.n_vars);
    return status;
}
