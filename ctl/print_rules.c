/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a policy came to, and what became of a rule, as people read it. Like print.c: nothing here trusts the
 * reply's shape.
 */
#include <string.h>

#include "ctl/ctl.h"

void print_policy(const json_t *result)
{
    static const char *const heads[] = {"LINE", "ACTION", "MATCHED", "DECIDED", "OFF", "KEPT", "RULES"};
    static const char *const numbers[] = {"matched", "decided", "off", "kept"};
    struct table *t = table_new(heads, N_OF(heads));
    const json_t *lines = json_object_get(result, "lines");
    size_t i;
    json_t *l;

    json_array_foreach(lines, i, l)
    {
        const char *file = text(l, "file"), *slash = strrchr(file, '/');

        table_cell(t, "%s:%lld", slash != NULL ? slash + 1 : file, num(l, "line"));
        table_cell(t, "%s%s%s", text(l, "action"), text(l, "block")[0] != '\0' ? ", block " : "",
                   text(l, "block"));
        for (size_t n = 0; n < N_OF(numbers); n++)
            table_cell(t, "%lld", num(l, numbers[n]));
        table_cell(t, "%.100s%s%s%.100s%s", text(l, "selects"), strlen(text(l, "selects")) > 100 ? "..." : "",
                   text(l, "reason")[0] != '\0' ? " (" : "", text(l, "reason"),
                   text(l, "reason")[0] != '\0' ? ")" : "");
    }
    table_print(t, "", stdout);
    if (json_array_size(lines) == 0)
        puts("no policy line: rules do what their files say");
    print_warnings(stderr, json_object_get(result, "warnings"));
}

/* --- explain ---------------------------------------------------------------------------------------------- */

static void line(const char *head, const char *a, const char *b)
{
    if (a[0] == '\0')
        return;
    printf("  %-12s ", head);
    print_clean(stdout, a);
    print_clean(stdout, b);
    putchar('\n');
}

static void list(const char *head, const json_t *v, bool numbered)
{
    size_t i;
    json_t *s;

    json_array_foreach((json_t *)v, i, s)
    {
        printf("  %-12s ", i == 0 ? head : "");
        if (numbered)
            printf("%zu. ", i + 1);
        print_clean(stdout, json_string_value(s) != NULL ? json_string_value(s) : "");
        putchar('\n');
    }
}

static void print_text(const json_t *r)
{
    char where[64], action[600];

    printf("sid %lld, gid %lld, rev %lld: ", num(r, "sid"), num(r, "gid"), num(r, "rev"));
    print_clean(stdout, text(r, "state"));
    if (text(r, "why")[0] != '\0')
        fputs(": ", stdout);
    print_clean(stdout, text(r, "why"));
    putchar('\n');
    snprintf(where, sizeof(where), ":%lld", num(r, "line"));
    line("file", text(r, "file"), where);
    line("text", text(r, "text"), "");
    line("changed", text(r, "changed"), "");
    line("by", text(r, "changed_by"), "");
    line("dialect", text(r, "dialect"), "");
    if (strcmp(text(r, "action"), text(r, "written")) != 0 || text(r, "action_by")[0] != '\0') {
        snprintf(action, sizeof(action), ", by %s; written %s",
                 text(r, "action_by")[0] != '\0' ? text(r, "action_by") : "the text", text(r, "written"));
        line("action", text(r, "action"), action);
    } else {
        line("action", text(r, "action"), ", as written");
    }
    list("policy", json_object_get(r, "policy"), false);
    list("errors", json_object_get(r, "errors"), false);
    line("looks at", text(r, "header"), "");
    line("in", text(r, "inspects"), "");
    line("found by", text(r, "fast_pattern"), "");
    list("then", json_object_get(r, "steps"), true);
    list("does", json_object_get(r, "effects"), false);
    list("alerts", json_object_get(r, "limits"), false);
    line("verdict", text(r, "verdict"), "");
}

void print_explained(const json_t *result)
{
    const json_t *rules = json_object_get(result, "rules"), *running = json_object_get(result, "running");
    size_t i;
    json_t *r;

    json_array_foreach(rules, i, r)
    {
        if (i > 0)
            putchar('\n');
        print_text(r);
    }
    if (!json_is_array(running))
        return;
    json_array_foreach((json_t *)running, i, r)
    {
        printf("running: gid %lld, rev %lld, %s, in generation %lld, at rank %lld\n", num(r, "gid"),
               num(r, "rev"), text(r, "action"), num(result, "generation"), num(r, "rank"));
    }
    if (json_array_size(running) == 0)
        printf("running: no rule with this sid, in generation %lld\n", num(result, "generation"));
    if (json_is_true(json_object_get(result, "stale")))
        puts("the files or the policy were changed since; 'ipsctl rules reload' applies what is told here");
}
