/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Replies as people read them: one function per kind of result.
 *
 * Nothing here trusts the reply's shape: a key that is missing prints as '-' or is left out, so that an ipsctl of
 * another version still shows what it can. --json does not come here.
 */
#include <string.h>

#include "ctl/ctl.h"

static const char *shown(const json_t *o, const char *key)
{
    const char *s = text(o, key);

    return s[0] != '\0' ? s : "-";
}

static const char *word(const json_t *o, const char *key, const char *yes, const char *no)
{
    const json_t *v = json_object_get(o, key);

    return !json_is_boolean(v) ? "-" : json_is_true(v) ? yes : no;
}

static void print_queue(struct table *t, const json_t *port, const json_t *queue)
{
    table_cell(t, "%s", shown(port, "interface"));
    table_cell(t, "%s", shown(port, "driver"));
    table_cell(t, "%lld", num(port, "mtu"));
    table_cell(t, "%s", shown(port, "state"));
    table_cell(t, "%lld", num(port, "carrier_changes"));
    table_cell(t, "%s", word(port, "symmetric_rss", "symmetric", "handoff"));
    if (queue)
        table_cell(t, "%lld", num(queue, "queue"));
    else
        table_cell(t, "none");
    table_cell(t, "%s", shown(queue, "mode"));
    table_cell(t, "%s", word(queue, "zero_copy", "zero-copy", "copied"));
    table_cell(t, "%s", word(queue, "need_wakeup", "yes", "no"));
    table_cell(t, "%s", word(queue, "busy_poll", "yes", "no"));
}

static void print_ports(const json_t *ports)
{
    static const char *const heads[] = {"INTERFACE", "DRIVER", "MTU",    "LINK",   "CHANGES",  "RSS",
                                        "QUEUE",     "MODE",   "FRAMES", "WAKEUP", "BUSY-POLL"};
    struct table *t = table_new(heads, N_OF(heads));
    size_t i, j;
    json_t *port, *queue;

    json_array_foreach(ports, i, port)
    {
        if (json_array_size(json_object_get(port, "queues")) == 0)
            print_queue(t, port, NULL);
        json_array_foreach(json_object_get(port, "queues"), j, queue)
        {
            print_queue(t, port, queue);
        }
    }
    table_print(t, "  ", stdout);
}

/* How full its fuller RX ring is, the most it ever was, and what is shed for it. */
static void print_load(struct table *t, const json_t *o)
{
    bool sheds = num(o, "step") > 0;

    table_cell(t, "%lld %%, peak %lld %%%s%s", num(o, "occupancy_permille") / 10,
               num(o, "peak_permille") / 10, sheds ? ", overload: " : "", sheds ? shown(o, "sheds") : "");
}

static void print_workers(const json_t *workers)
{
    static const char *const heads[] = {"WORKER", "CPU",        "RX",           "TX",  "DROPPED",
                                        "FLOWS",  "STREAMS KB", "PROTOCOLS KB", "RING"};
    static const char *const keys[] = {"index",   "cpu",   "rx",           "tx",
                                       "dropped", "flows", "stream_bytes", "app_bytes"};
    struct table *t = table_new(heads, N_OF(heads));
    size_t i;
    json_t *w;

    json_array_foreach(workers, i, w)
    {
        for (size_t k = 0; k < N_OF(keys); k++)
            if (strcmp(keys[k], "cpu") == 0 && num(w, "cpu") < 0)
                table_cell(t, "any");
            else if (strstr(keys[k], "_bytes") != NULL)
                table_cell(t, "%lld", num(w, keys[k]) / 1024);
            else
                table_cell(t, "%lld", num(w, keys[k]));
        print_load(t, json_object_get(w, "overload"));
    }
    table_print(t, "  ", stdout);
}

static void print_frames(const json_t *f)
{
    long long free = num(f, "free"), fill = num(f, "fill"), worker = num(f, "worker"), tx = num(f, "tx");
    long long sum = free + fill + worker + tx, size = num(f, "size");

    if (!json_is_object(f))
        return;
    printf(
        "  frames: %lld free + %lld in fill rings + %lld with workers + %lld in TX rings = %lld of %lld%s\n",
        free, fill, worker, tx, sum, size, sum == size ? "" : " (frames are moving)");
}

void print_status(const json_t *result)
{
    const json_t *rules = json_object_get(result, "ruleset");
    long long up = num(result, "uptime_s");
    size_t i;
    json_t *b;

    printf("ipsd %s, pid %lld, up %lldd %lldh %lldm %llds\n", shown(result, "version"), num(result, "pid"),
           up / 86400, up / 3600 % 24, up / 60 % 60, up % 60);
    if (json_is_object(rules))
        printf("rules: generation %lld, %lld loaded (%lld of them dormant), %lld rejected, %lld patterns, "
               "%lld without prefilter, "
               "%.1f MB, "
               "loaded in %lld ms\n",
               num(rules, "generation"), num(rules, "loaded"), num(rules, "dormant"), num(rules, "rejected"),
               num(rules, "patterns"), num(rules, "no_prefilter"), (double)num(rules, "memory_bytes") / 1e6,
               num(rules, "load_ms"));
    json_array_foreach(json_object_get(result, "bridges"), i, b)
    {
        printf("\nbridge %s: %s, fail %s, shutdown %s, %s, frames in %s\n", shown(b, "name"),
               shown(b, "state"), shown(b, "fail"), shown(b, "shutdown"),
               word(b, "pinned", "pinned", "NOT PINNED"),
               word(b, "hugepages", "hugepages", "ordinary pages"));
        print_ports(json_object_get(b, "ports"));
        print_workers(json_object_get(b, "workers"));
        print_frames(json_object_get(b, "frames"));
    }
}

static void add_counters(struct table *t, const json_t *o, const char *path)
{
    const char *key;
    json_t *v;

    json_object_foreach((json_t *)o, key, v)
    {
        char name[256];

        snprintf(name, sizeof(name), "%s%s%s", path, path[0] != '\0' ? "." : "", key);
        if (json_is_object(v)) {
            add_counters(t, v, name);
        } else if (json_is_integer(v)) {
            table_cell(t, "%s", name);
            table_cell(t, "%lld", (long long)json_integer_value(v));
        }
    }
}

void print_stats(const json_t *result)
{
    static const char *const heads[] = {"COUNTER", "VALUE"};
    struct table *t = table_new(heads, N_OF(heads));

    add_counters(t, result, "");
    table_print(t, "", stdout);
}

void print_drops(const json_t *result)
{
    static const char *const heads[] = {"REASON", "FRAMES", "WHY"};
    struct table *t = table_new(heads, N_OF(heads));
    size_t i;
    json_t *row;

    json_array_foreach(json_object_get(result, "reasons"), i, row)
    {
        table_cell(t, "%s", shown(row, "reason"));
        table_cell(t, "%lld", num(row, "count"));
        table_cell(t, "%s", shown(row, "help"));
    }
    table_cell(t, "total");
    table_cell(t, "%lld", num(result, "total"));
    table_cell(t, "%s", "");
    table_print(t, "", stdout);
}

void print_disabled_rules(const json_t *result)
{
    static const char *const heads[] = {"SID", "GID", "REV", "PLACE", "MESSAGE", "WHY"};
    struct table *t = table_new(heads, N_OF(heads));
    size_t i;
    json_t *r;

    json_array_foreach(json_object_get(result, "rules"), i, r)
    {
        table_cell(t, "%lld", num(r, "sid"));
        table_cell(t, "%lld", num(r, "gid"));
        table_cell(t, "%lld", num(r, "rev"));
        table_cell(t, "%s:%lld", shown(r, "file"), num(r, "line"));
        table_cell(t, "%s", shown(r, "msg"));
        table_cell(t, "%s", shown(r, "why"));
    }
    table_print(t, "", stdout);
}

void print_dormant_rules(const json_t *result)
{
    static const char *const heads[] = {"SID", "GID", "REV", "WAITS FOR", "PLACE", "MESSAGE"};
    struct table *t = table_new(heads, N_OF(heads));
    size_t i;
    json_t *r;

    json_array_foreach(json_object_get(result, "rules"), i, r)
    {
        table_cell(t, "%lld", num(r, "sid"));
        table_cell(t, "%lld", num(r, "gid"));
        table_cell(t, "%lld", num(r, "rev"));
        table_cell(t, "%s", shown(r, "dormant"));
        table_cell(t, "%s:%lld", shown(r, "file"), num(r, "line"));
        table_cell(t, "%s", shown(r, "msg"));
    }
    table_print(t, "", stdout);
}

void print_rules(const json_t *result)
{
    static const char *const heads[] = {"SID", "GID", "REV", "ACTION", "PRIORITY", "PLACE", "MESSAGE"};
    struct table *t = table_new(heads, N_OF(heads));
    size_t i;
    json_t *r;

    json_array_foreach(json_object_get(result, "rules"), i, r)
    {
        table_cell(t, "%lld", num(r, "sid"));
        table_cell(t, "%lld", num(r, "gid"));
        table_cell(t, "%lld", num(r, "rev"));
        table_cell(t, "%s", shown(r, "action"));
        table_cell(t, "%lld", num(r, "priority"));
        table_cell(t, "%s:%lld", shown(r, "file"), num(r, "line"));
        table_cell(t, "%s", shown(r, "msg"));
    }
    table_print(t, "", stdout);
}

static void print_places(FILE *out, const json_t *errors, const char *before)
{
    size_t i;
    json_t *e;

    json_array_foreach((json_t *)errors, i, e)
    {
        const char *remedy = json_string_value(json_object_get(e, "remedy"));

        fputs(before, out);
        print_clean(out, shown(e, "file"));
        fprintf(out, ":%lld:", num(e, "line"));
        if (num(e, "column") > 0)
            fprintf(out, "%lld:", num(e, "column"));
        fputc(' ', out);
        print_clean(out, shown(e, "what"));
        if (remedy != NULL && remedy[0] != '\0') {
            fputs("; ", out);
            print_clean(out, remedy);
        }
        fputc('\n', out);
    }
}

void print_profile(const json_t *result)
{
    static const char *const heads[] = {"SID",          "GID",      "CHECKS", "MATCHES",
                                        "MICROSECONDS", "NS/CHECK", "MESSAGE"};
    struct table *t = table_new(heads, N_OF(heads));
    size_t i;
    json_t *r;

    printf("profiling is %s; %lld rules were tried %lld times and matched %lld times, in %.3f s\n",
           word(result, "on", "on", "off"), num(result, "checked"), num(result, "checks"),
           num(result, "matches"), (double)num(result, "ns") / 1e9);
    json_array_foreach(json_object_get(result, "rules"), i, r)
    {
        long long checks = num(r, "checks");

        table_cell(t, "%lld", num(r, "sid"));
        table_cell(t, "%lld", num(r, "gid"));
        table_cell(t, "%lld", checks);
        table_cell(t, "%lld", num(r, "matches"));
        table_cell(t, "%lld", num(r, "ns") / 1000);
        table_cell(t, "%lld", checks > 0 ? num(r, "ns") / checks : 0);
        table_cell(t, "%s", shown(r, "msg"));
    }
    table_print(t, "", stdout);
}

void print_errors(FILE *out, const json_t *errors)
{
    print_places(out, errors, "");
}

void print_warnings(FILE *out, const json_t *warnings)
{
    print_places(out, warnings, "warning: ");
}

static void print_numbers(const json_t *result, const char *before)
{
    print_errors(stderr, json_object_get(result, "errors"));
    print_warnings(stderr, json_object_get(result, "warnings"));
    printf("%s%lld rules loaded (%lld of them dormant), %lld rejected, %lld disabled; %lld ms, %.1f MB\n",
           before, num(result, "loaded"), num(result, "dormant"), num(result, "rejected"),
           num(result, "disabled"), num(result, "load_ms"), (double)num(result, "memory_bytes") / 1e6);
}

void print_loaded(const json_t *result)
{
    char before[64];

    snprintf(before, sizeof(before), "generation %lld runs: ", num(result, "generation"));
    print_numbers(result, before);
}

void print_checked(const json_t *result)
{
    print_numbers(result, "the daemon's rule files are good: ");
}

void print_blocks(const json_t *result)
{
    static const char *const heads[] = {"PREFIX", "SIDE", "FRAMES", "LEFT", "RULE"};
    struct table *t = table_new(heads, N_OF(heads));
    size_t i;
    json_t *row;

    json_array_foreach(json_object_get(result, "entries"), i, row)
    {
        table_cell(t, "%s", shown(row, "prefix"));
        bool timed = json_object_get(row, "left_s") != NULL;

        table_cell(t, "%s", shown(row, "side"));
        table_cell(t, "%lld", num(row, "frames"));
        if (timed) {
            table_cell(t, "%lld s", num(row, "left_s"));
            table_cell(t, "%lld", num(row, "sid"));
        } else {
            table_cell(t, "%s", "");
            table_cell(t, "%s", "");
        }
    }
    table_print(t, "", stdout);
}

void print_strikes(const json_t *result)
{
    static const char *const heads[] = {"WHAT", "STRIKES", "STATE"};
    struct table *t = table_new(heads, N_OF(heads));
    size_t i;
    json_t *row;

    json_array_foreach(json_object_get(result, "strikes"), i, row)
    {
        if (json_object_get(row, "sid") != NULL)
            table_cell(t, "rule %lld:%lld", num(row, "gid"), num(row, "sid"));
        else
            table_cell(t, "parser %s", shown(row, "parser"));
        table_cell(t, "%lld", num(row, "count"));
        table_cell(t, "%s", json_is_true(json_object_get(row, "off")) ? "switched off" : "in use");
    }
    table_print(t, "", stdout);
}

void print_forgiven(const json_t *result)
{
    printf("forgiven: %lld; rules come back with 'rules reload', parsers with the next start\n",
           num(result, "forgiven"));
}

void print_blocked(const json_t *result)
{
    printf("done: %s\n", shown(result, "prefix"));
}

void print_cleared(const json_t *result)
{
    printf("%lld entries removed\n", num(result, "removed"));
}

void print_changes(const json_t *result)
{
    static const char *const heads[] = {"KEY", "RUNNING", "FILE", "HOW"};
    const json_t *changes = json_object_get(result, "changes");
    struct table *t;
    size_t i;
    json_t *row;

    if (json_array_size(changes) == 0) {
        puts("no key has changed");
        return;
    }
    t = table_new(heads, N_OF(heads));
    json_array_foreach(changes, i, row)
    {
        table_cell(t, "%s", shown(row, "key"));
        table_cell(t, "%.60s", shown(row, "running"));
        table_cell(t, "%.60s", shown(row, "file"));
        table_cell(t, "%s", shown(row, "how"));
    }
    table_print(t, "", stdout);
}

void print_steering(const json_t *result)
{
    static const char *const heads[] = {"N", "FRAMES", "LINE"};
    struct table *t = table_new(heads, N_OF(heads));
    size_t i;
    json_t *row;

    json_array_foreach(json_object_get(result, "lines"), i, row)
    {
        table_cell(t, "%lld", num(row, "number"));
        table_cell(t, "%lld", num(row, "frames"));
        table_cell(t, "%s", shown(row, "line"));
    }
    table_print(t, "", stdout);
    printf("bridge %s, all other frames: %s\n", shown(result, "bridge"), shown(result, "default"));
}

void print_guard(const json_t *result)
{
    static const char *const settings[] = {"source_rate", "syn_source_rate", "syn_destination_rate"};
    static const char *const heads[] = {"COUNTER", "FRAMES", "WHAT"};
    struct table *t = table_new(heads, N_OF(heads));
    size_t i;
    json_t *row;

    printf("broken                %s\n", json_is_true(json_object_get(result, "broken")) ? "on" : "off");
    for (i = 0; i < N_OF(settings); i++)
        printf("%-21s %s\n", settings[i], shown(result, settings[i]));
    json_array_foreach(json_object_get(result, "counters"), i, row)
    {
        table_cell(t, "%s", shown(row, "counter"));
        table_cell(t, "%lld", num(row, "frames"));
        table_cell(t, "%s", shown(row, "help"));
    }
    table_print(t, "", stdout);
}

void print_upgraded(const json_t *result)
{
    const char *was = shown(result, "old_version");
    const char *is = shown(result, "new_version");

    if (json_is_true(json_object_get(result, "checked"))) {
        printf("version %s can take over from version %s; nothing was changed\n", is, was);
        return;
    }
    printf("version %s (pid %d) took over from version %s (pid %d)\n", is,
           (int)json_integer_value(json_object_get(result, "new_pid")), was,
           (int)json_integer_value(json_object_get(result, "old_pid")));
    printf(
        "ready after %lld ms; frames waited for %.1f ms; %lld frames handed over, %lld of them fragments\n",
        (long long)json_integer_value(json_object_get(result, "ready_ms")),
        json_real_value(json_object_get(result, "gap_ms")),
        (long long)json_integer_value(json_object_get(result, "frames")),
        (long long)json_integer_value(json_object_get(result, "held")));
}

void print_stopping(const json_t *result)
{
    puts("ipsd is stopping");
}
