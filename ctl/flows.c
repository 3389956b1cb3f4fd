/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `ipsctl flows ...`: arguments into requests, and the list as a table. The daemon reads addresses and times; here only
 * the words between them are.
 */
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"

json_t *args_flows_list(struct ctl *c)
{
    char *end = "";
    long limit = c->limit != NULL ? strtol(c->limit, &end, 10) : 100;

    if (c->n_args > 1 || *end != '\0')
        return NULL;
    return json_pack("{s:I, s:s*}", "limit", (json_int_t)limit, "kind", c->n_args == 1 ? c->args[0] : NULL);
}

/* PROTO END END [for TIME] [vlan ID[.ID]] */
json_t *args_flow(struct ctl *c)
{
    json_t *args;

    if (c->n_args < 3 || c->n_args > 7 || c->n_args % 2 == 0)
        return NULL;
    args = json_pack("{s:s, s:s, s:s}", "proto", c->args[0], "from", c->args[1], "to", c->args[2]);
    for (unsigned i = 3; i < c->n_args; i += 2) {
        if (strcmp(c->args[i], "for") != 0 && strcmp(c->args[i], "vlan") != 0) {
            json_decref(args);
            return NULL;
        }
        json_object_set_new(args, c->args[i], json_string(c->args[i + 1]));
    }
    return args;
}

/* ADDRESS, or a flow */
json_t *args_forget(struct ctl *c)
{
    return c->n_args == 1 ? json_pack("{s:s}", "address", c->args[0]) : args_flow(c);
}

static void print_time(struct table *t, const json_t *row, const char *key)
{
    if (json_object_get(row, key) != NULL)
        table_cell(t, "%lld s", num(row, key));
    else
        table_cell(t, "-");
}

static long long both(const json_t *row, const char *key)
{
    const json_t *v = json_object_get(row, key);

    return json_integer_value(json_array_get(v, 0)) + json_integer_value(json_array_get(v, 1));
}

void print_flows(const json_t *result)
{
    static const char *const heads[] = {"BRIDGE",  "KIND",  "PROTO", "ENDS", "",
                                        "PACKETS", "BYTES", "BY",    "IDLE", "LEFT"};
    const json_t *count = json_object_get(result, "count");
    struct table *t = table_new(heads, N_OF(heads));
    size_t i;
    json_t *row;

    json_array_foreach(json_object_get(result, "flows"), i, row)
    {
        table_cell(t, "%s", text(row, "bridge"));
        table_cell(t, "%s", text(row, "kind"));
        table_cell(t, "%s", text(row, "proto"));
        table_cell(t, "%s", text(row, "from"));
        table_cell(t, "%s", text(row, "to"));
        table_cell(t, "%lld", both(row, "packets"));
        table_cell(t, "%lld", both(row, "bytes"));
        if (num(row, "sid") != 0)
            table_cell(t, "rule %lld", num(row, "sid"));
        else
            table_cell(t, "%s", text(row, "by"));
        print_time(t, row, "idle_s");
        print_time(t, row, "left_s");
    }
    table_print(t, "", stdout);
    printf("%zu shown; dropped %lld, bypassed %lld, known clean %lld, sources blocked %lld\n",
           json_array_size(json_object_get(result, "flows")), num(count, "dropped"), num(count, "bypassed"),
           num(count, "known"), num(count, "blocked"));
}

void print_flow(const json_t *result)
{
    printf("done: %s%s%s%s%s\n", text(result, "proto"), text(result, "proto")[0] ? " " : "",
           text(result, "from"), text(result, "to")[0] ? " " : "", text(result, "to"));
}
