/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ipsctl: the operator's hand on ipsd.
 *
 * Commands, their arguments and help are the rows of proto.h's table, shared with the daemon; here each gets the
 * function that turns arguments into the request's and the one that prints the result. Options may stand before
 * or after the command. Exit status: proto.h's table; ipsctl(8) lists it.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ips/base/suggest.h"

typedef json_t *(*args_fn)(struct ctl *c); /* NULL: wrong usage */

static json_t *args_none(struct ctl *c)
{
    return c->n_args == 0 ? json_object() : NULL;
}

/* Without its file the command is not complete; with it, it does not come here. */
static json_t *args_nothing(struct ctl *c)
{
    (void)c;
    return NULL;
}

static json_t *args_reload(struct ctl *c)
{
    return c->n_args == 0 ? json_pack("{s:b}", "force", c->force) : NULL;
}

static json_t *args_upgrade(struct ctl *c)
{
    char *end = "";
    long wait_s = c->wait != NULL ? strtol(c->wait, &end, 10) : 0;
    json_t *args = c->n_args == 0 && *end == '\0' && (c->wait == NULL || wait_s > 0)
                       ? json_pack("{s:b, s:b}", "check", c->check, "force", c->force)
                       : NULL;

    if (args != NULL && c->wait != NULL)
        json_object_set_new(args, "wait_s", json_integer(wait_s));
    return args;
}

static json_t *args_list(struct ctl *c)
{
    char *end;
    unsigned long sid;

    if (c->n_args == 0)
        return json_pack("{s:s*}", "only", c->only);
    sid = strtoul(c->args[0], &end, 10);
    return c->n_args == 1 && c->args[0][0] != '\0' && *end == '\0'
               ? json_pack("{s:I, s:s*}", "sid", (json_int_t)sid, "only", c->only)
               : NULL;
}

static json_t *args_explain(struct ctl *c)
{
    long long gid, sid;
    json_t *args;

    if (c->n_args != 1 || !explain_id(c->args[0], &gid, &sid))
        return NULL;
    args = json_pack("{s:I}", "sid", (json_int_t)sid);
    if (gid >= 0)
        json_object_set_new(args, "gid", json_integer(gid));
    return args;
}

static json_t *args_profile(struct ctl *c)
{
    char *end = "";
    long limit = c->limit != NULL ? strtol(c->limit, &end, 10) : 20;

    if (c->n_args > 1 || *end != '\0' || limit < 1)
        return NULL;
    return json_pack("{s:s, s:I}", "action", c->n_args == 1 ? c->args[0] : "show", "limit",
                     (json_int_t)limit);
}

static json_t *args_steer_list(struct ctl *c)
{
    return c->n_args == 0 ? json_pack("{s:s*}", "bridge", c->bridge) : NULL;
}

/* [at N] and the words of the line, which may be one argument or many. */
static json_t *args_steer_add(struct ctl *c)
{
    bool has_place = c->n_args > 1 && strcmp(c->args[0], "at") == 0;
    char line[4096] = "", *end = NULL;
    long at = has_place ? strtol(c->args[1], &end, 10) : 0;
    json_t *args;

    if (c->n_args < (has_place ? 3u : 1u) || (has_place && (*c->args[1] == '\0' || *end != '\0')))
        return NULL;
    for (unsigned i = has_place ? 2 : 0; i < c->n_args; i++) {
        size_t n = strlen(line);

        snprintf(line + n, sizeof(line) - n, "%s%s", n > 0 ? " " : "", c->args[i]);
    }
    args = json_pack("{s:s, s:s*}", "line", line, "bridge", c->bridge);
    if (has_place && args != NULL)
        json_object_set_new(args, "at", json_integer(at));
    return args;
}

static json_t *args_steer_del(struct ctl *c)
{
    char *end = NULL;
    long n = c->n_args == 1 ? strtol(c->args[0], &end, 10) : 0;

    if (c->n_args != 1 || *c->args[0] == '\0' || *end != '\0')
        return NULL;
    return json_pack("{s:I, s:s*}", "number", (json_int_t)n, "bridge", c->bridge);
}

static json_t *args_block(struct ctl *c)
{
    if (c->n_args < 1 || c->n_args > 2)
        return NULL;
    return json_pack("{s:s, s:s}", "prefix", c->args[0], "side", c->n_args == 2 ? c->args[1] : "src");
}

/* The rest of a list that did not fit one reply, added to the first part. */
static int rest_of_rules(struct ctl *c, const char *command, json_t *result, struct err *e)
{
    json_t *rules = json_object_get(result, "rules");
    json_int_t total = json_integer_value(json_object_get(result, "total"));
    json_int_t next = json_integer_value(json_object_get(result, "next"));

    while (next < total && rules != NULL) {
        json_t *reply = client_ask(c, command, json_pack("{s:I, s:s*}", "offset", next, "only", c->only), e);
        json_t *more = json_object_get(reply, "result");
        json_int_t then = json_integer_value(json_object_get(more, "next"));

        if (reply == NULL)
            return -1;
        json_array_extend(rules, json_object_get(more, "rules"));
        json_decref(reply);
        if (then <= next) /* a reload made the list shorter meanwhile */
            break;
        next = then;
    }
    json_object_set_new(result, "next", json_integer(total));
    return 0;
}

static json_t *args_strikes(struct ctl *c)
{
    long long gid, sid;

    if (c->n_args == 0)
        return json_object();
    if (c->n_args != 1)
        return NULL;
    if (!explain_id(c->args[0], &gid, &sid))
        return json_pack("{s:s}", "parser", c->args[0]);
    return json_pack("{s:I, s:I}", "gid", (json_int_t)(gid >= 0 ? gid : 1), "sid", (json_int_t)sid);
}

static const struct command {
    const char *name, *arguments, *help;
    args_fn args;
    void (*print)(const json_t *result);
    int (*offline)(
        struct ctl *c); /* instead of asking the daemon, when there are more than `alone` arguments */
    int alone;          /* -1: always */
    /* the other parts of a reply that came in parts, added to the first; -1: nobody answers any more */
    int (*rest)(struct ctl *c, const char *command, json_t *result, struct err *e);
} commands[CMD_N] = {
#define X(id, text, arguments_text, what) [id].name = text, [id].arguments = arguments_text, [id].help = what,
    PROTO_COMMAND_TABLE(X)
#undef X
        [CMD_STATUS]
            .args = args_none,
    [CMD_STATUS].print = print_status,
    [CMD_STATS].args = args_none,
    [CMD_STATS].print = print_stats,
    [CMD_DROPS].args = args_none,
    [CMD_DROPS].print = print_drops,
    [CMD_RULES_CHECK].args = args_none,
    [CMD_RULES_CHECK].print = print_checked,
    [CMD_RULES_CHECK].offline = offline_check,
    [CMD_RULES_POLICY].args = args_none,
    [CMD_RULES_POLICY].print = print_policy,
    [CMD_RULES_POLICY].offline = offline_policy,
    [CMD_RULES_EXPLAIN].args = args_explain,
    [CMD_RULES_EXPLAIN].print = print_explained,
    [CMD_RULES_EXPLAIN].offline = offline_explain,
    [CMD_RULES_EXPLAIN].alone = 1,
    [CMD_RULES_RELOAD].args = args_reload,
    [CMD_RULES_RELOAD].print = print_loaded,
    [CMD_RULES_LIST].args = args_list,
    [CMD_RULES_LIST].print = print_rules,
    [CMD_RULES_LIST].rest = rest_of_rules,
    [CMD_RULES_PROFILE].args = args_profile,
    [CMD_RULES_PROFILE].print = print_profile,
    [CMD_BLOCK_ADD].args = args_block,
    [CMD_BLOCK_ADD].print = print_blocked,
    [CMD_BLOCK_DEL].args = args_block,
    [CMD_BLOCK_DEL].print = print_blocked,
    [CMD_BLOCK_LIST].args = args_none,
    [CMD_BLOCK_LIST].print = print_blocks,
    [CMD_BLOCK_LIST].rest = lists_rest,
    [CMD_BLOCK_LOAD].offline = lists_load,
    [CMD_BLOCK_LOAD].args = args_nothing,
    [CMD_BLOCK_CLEAR].args = args_none,
    [CMD_BLOCK_CLEAR].print = print_cleared,
    [CMD_BLOCK_CLEAR].rest = lists_clear,
    [CMD_ALLOW_ADD].args = args_block,
    [CMD_ALLOW_ADD].print = print_blocked,
    [CMD_ALLOW_DEL].args = args_block,
    [CMD_ALLOW_DEL].print = print_blocked,
    [CMD_ALLOW_LIST].args = args_none,
    [CMD_ALLOW_LIST].print = print_blocks,
    [CMD_ALLOW_LIST].rest = lists_rest,
    [CMD_STRIKES_LIST].args = args_none,
    [CMD_STRIKES_LIST].print = print_strikes,
    [CMD_STRIKES_CLEAR].args = args_strikes,
    [CMD_STRIKES_CLEAR].print = print_forgiven,
    [CMD_LINK_STATUS].offline = link_status,
    [CMD_LINK_STATUS].alone = -1,
    [CMD_LINK_ATTACH].offline = link_attach,
    [CMD_LINK_ATTACH].alone = -1,
    [CMD_LINK_DETACH].offline = link_detach,
    [CMD_LINK_DETACH].alone = -1,
    [CMD_LINK_BYPASS].offline = link_bypass,
    [CMD_LINK_BYPASS].alone = -1,
    [CMD_LINK_RESET].offline = link_reset,
    [CMD_LINK_RESET].alone = -1,
    [CMD_CONFIG_DIFF].args = args_none,
    [CMD_CONFIG_DIFF].print = print_changes,
    [CMD_CONFIG_RELOAD].args = args_none,
    [CMD_CONFIG_RELOAD].print = print_changes,
    [CMD_STEER_LIST].args = args_steer_list,
    [CMD_STEER_LIST].print = print_steering,
    [CMD_STEER_ADD].args = args_steer_add,
    [CMD_STEER_ADD].print = print_steering,
    [CMD_STEER_DEL].args = args_steer_del,
    [CMD_STEER_DEL].print = print_steering,
    [CMD_STEER_CLEAR].args = args_steer_list,
    [CMD_STEER_CLEAR].print = print_steering,
    [CMD_GUARD_SHOW].args = args_none,
    [CMD_GUARD_SHOW].print = print_guard,
    [CMD_FLOWS_LIST].args = args_flows_list,
    [CMD_FLOWS_LIST].print = print_flows,
    [CMD_FLOWS_BYPASS].args = args_flow,
    [CMD_FLOWS_BYPASS].print = print_flow,
    [CMD_FLOWS_DROP].args = args_flow,
    [CMD_FLOWS_DROP].print = print_flow,
    [CMD_FLOWS_FORGET].args = args_forget,
    [CMD_FLOWS_FORGET].print = print_flow,
    [CMD_UPGRADE].args = args_upgrade,
    [CMD_UPGRADE].print = print_upgraded,
    [CMD_SHUTDOWN].args = args_none,
    [CMD_SHUTDOWN].print = print_stopping,
};

#define EXIT_USAGE 2  /* proto.h: a bad request */
#define LEFT_WIDTH 44 /* of the list of commands */

static void print_usage(FILE *out, const struct command *only)
{
    if (only != NULL) {
        fprintf(out, "usage: ipsctl [--socket PATH] [--json] %s %s\n\n%s\n", only->name, only->arguments,
                only->help);
        return;
    }
    fputs("usage: ipsctl [--socket PATH] [--json] COMMAND [ARGUMENTS]\n\n", out);
    for (int i = 0; i < CMD_N; i++) {
        char left[120];
        int n = snprintf(left, sizeof(left), "%s %s", commands[i].name, commands[i].arguments);

        fprintf(out, "  %-*s", LEFT_WIDTH, left);
        if (n > LEFT_WIDTH) /* the help has a line of its own */
            fprintf(out, "\n  %*s", LEFT_WIDTH, "");
        fprintf(out, " %s\n", commands[i].help);
    }
    fputs("\n  --socket PATH  the daemon's control.socket (default " PROTO_SOCKET_DEFAULT ")\n"
          "  --json         print JSON instead of tables\n"
          "  --help         this, or of one command: ipsctl COMMAND --help\n"
          "  --version      print the version\n\n"
          "with rule FILEs, which are read without a daemon:\n"
          "  --var NAME=VALUE, --dialect auto|suricata|snort3|snort2\n"
          "  --policy FILE, --disable-conf FILE, --enable-conf FILE, --drop-conf FILE, --modify-conf FILE\n",
          out);
}

static int usage_error(const char *what, const char *which)
{
    fprintf(stderr, "ipsctl: %s%s%s; see 'ipsctl --help'\n", what, which != NULL ? ": " : "",
            which != NULL ? which : "");
    return EXIT_USAGE;
}

struct flags {
    bool help, version;
};

/* The value of an option "--name VALUE" or "--name=VALUE"; NULL when argv[*i] is another. */
static const char *option_value(const char *name, char **argv, int *i)
{
    size_t len = strlen(name);

    if (strncmp(argv[*i], name, len) != 0)
        return NULL;
    if (argv[*i][len] == '=')
        return argv[*i] + len + 1;
    if (argv[*i][len] != '\0')
        return NULL;
    return argv[*i + 1] != NULL ? argv[++*i] : "";
}

/* The policy that rule files on the command line are read under: options as suricata-update has them. */
static const struct {
    const char *name;
    size_t at;
} policy_options[] = {{"--policy", offsetof(struct policy_files, policy)},
                      {"--disable-conf", offsetof(struct policy_files, disable_conf)},
                      {"--enable-conf", offsetof(struct policy_files, enable_conf)},
                      {"--drop-conf", offsetof(struct policy_files, drop_conf)},
                      {"--modify-conf", offsetof(struct policy_files, modify_conf)}};
#define N_POLICY_OPTIONS (sizeof(policy_options) / sizeof(policy_options[0]))

static bool policy_option(struct ctl *c, char **argv, int *i)
{
    for (size_t n = 0; n < N_POLICY_OPTIONS; n++) {
        const char *v = option_value(policy_options[n].name, argv, i);

        if (v == NULL)
            continue;
        *(const char **)((char *)&c->policy + policy_options[n].at) = v;
        return true;
    }
    return false;
}

static bool has_policy(const struct ctl *c)
{
    bool has = false;

    for (size_t n = 0; n < N_POLICY_OPTIONS; n++)
        has |= *(const char *const *)((const char *)&c->policy + policy_options[n].at) != NULL;
    return has;
}

static int parse(struct ctl *c, struct flags *f, char **argv)
{
    bool options = true;
    const char *v;

    for (int i = 1; argv[i] != NULL; i++) {
        if (!options || argv[i][0] != '-' || argv[i][1] == '\0') {
            if (c->n_args == CTL_ARGS_MAX)
                return usage_error("too many arguments", NULL);
            c->args[c->n_args++] = argv[i];
        } else if (strcmp(argv[i], "--") == 0) {
            options = false;
        } else if (strcmp(argv[i], "--json") == 0) {
            c->json = true;
        } else if (strcmp(argv[i], "--force") == 0) {
            c->force = true;
        } else if (strcmp(argv[i], "--check") == 0) {
            c->check = true;
        } else if (strcmp(argv[i], "--strict") == 0) {
            c->strict = true;
        } else if (strcmp(argv[i], "--dormant") == 0 || strcmp(argv[i], "--disabled") == 0) {
            c->only = argv[i] + 2;
        } else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            f->help = true;
        } else if (strcmp(argv[i], "--version") == 0 || strcmp(argv[i], "-V") == 0) {
            f->version = true;
        } else if ((v = option_value("--socket", argv, &i)) != NULL) {
            c->socket = v;
        } else if ((v = option_value("--pin-dir", argv, &i)) != NULL) {
            c->pin_dir = v;
        } else if (policy_option(c, argv, &i)) {
            continue;
        } else if ((v = option_value("--bridge", argv, &i)) != NULL) {
            c->bridge = v;
        } else if ((v = option_value("--limit", argv, &i)) != NULL) {
            c->limit = v;
        } else if ((v = option_value("--wait", argv, &i)) != NULL) {
            c->wait = v;
        } else if ((v = option_value("--dialect", argv, &i)) != NULL) {
            c->dialect = v;
        } else if ((v = option_value("--var", argv, &i)) != NULL) {
            if (c->n_vars == VARS_MAX)
                return usage_error("too many variables", NULL);
            c->vars[c->n_vars++] = v;
        } else {
            return usage_error("unknown option", argv[i]);
        }
    }
    return 0;
}

/* Takes the command's words off the front of the arguments; NULL when there is no such command. */
static const struct command *find_command(struct ctl *c, char *words, size_t size)
{
    for (unsigned n = c->n_args < 2 ? c->n_args : 2; n > 0; n--) {
        snprintf(words, size, "%s%s%s", c->args[0], n > 1 ? " " : "", n > 1 ? c->args[1] : "");
        for (int i = 0; i < CMD_N; i++)
            if (strcmp(commands[i].name, words) == 0) {
                c->n_args -= n;
                memmove(c->args, c->args + n, c->n_args * sizeof(c->args[0]));
                return &commands[i];
            }
    }
    return NULL;
}

/* "rules" alone: the first word of several commands. */
static bool lacks_word(const char *first)
{
    size_t len = strlen(first);
    unsigned n = 0;

    for (int i = 0; i < CMD_N; i++)
        if (strncmp(commands[i].name, first, len) == 0 && commands[i].name[len] == ' ')
            fprintf(stderr, n++ == 0 ? "ipsctl: which one: %s" : ", %s", commands[i].name);
    if (n > 0)
        fputs("?\n", stderr);
    return n > 0;
}

static int unknown_command(const struct ctl *c)
{
    struct suggest one, two;
    char words[160];
    const char *best;

    if (c->n_args == 1 && lacks_word(c->args[0]))
        return EXIT_USAGE;

    snprintf(words, sizeof(words), "%s%s%s", c->args[0], c->n_args > 1 ? " " : "",
             c->n_args > 1 ? c->args[1] : "");
    suggest_init(&one, c->args[0]);
    suggest_init(&two, words);
    for (int i = 0; i < CMD_N; i++) {
        suggest_offer(&one, commands[i].name);
        suggest_offer(&two, commands[i].name);
    }
    best = one.best != NULL ? one.best : two.best;
    fprintf(stderr, "ipsctl: no such command: %s; %s%s%s\n", words,
            best != NULL ? "did you mean '" : "see 'ipsctl --help", best != NULL ? best : "",
            best != NULL ? "'?" : "'");
    return EXIT_USAGE;
}

static void (*choose_print(const struct ctl *c, const struct command *cmd))(const json_t *)
{
    if (c->only == NULL)
        return cmd->print;
    return strcmp(c->only, "dormant") == 0 ? print_dormant_rules : print_disabled_rules;
}

static int run(struct ctl *c, const struct command *cmd)
{
    json_t *args = cmd->args(c), *reply, *result;
    struct err e = {.code = 0};
    int status = 0;

    if (args == NULL) {
        fprintf(stderr, "ipsctl: wrong arguments; usage: ipsctl %s %s\n", cmd->name, cmd->arguments);
        return EXIT_USAGE;
    }
    reply = client_ask(c, cmd->name, args, &e);
    if (reply == NULL)
        return client_no_daemon(c, &e);
    result = json_object_get(reply, "result");
    if (!json_is_true(json_object_get(reply, "ok"))) {
        status = client_refused(c, reply);
    } else if (cmd->rest != NULL && cmd->rest(c, cmd->name, result, &e) < 0) {
        status = client_no_daemon(c, &e);
    } else {
        (c->json ? client_print_json : choose_print(c, cmd))(result);
    }
    json_decref(reply);
    client_close(c);
    return client_end(status);
}

int main(int argc, char **argv)
{
    static struct ctl c = {.socket = PROTO_SOCKET_DEFAULT, .pin_dir = PROTO_PIN_DIR_DEFAULT, .fd = -1};
    struct flags f = {.help = false};
    const struct command *cmd;
    char words[64];
    int rc = parse(&c, &f, argv);

    if (rc != 0)
        return rc;
    if (f.version) {
        puts("ipsctl " SLUICE_VERSION);
        return 0;
    }
    if (c.n_args == 0) {
        print_usage(f.help ? stdout : stderr, NULL);
        return f.help ? 0 : EXIT_USAGE;
    }
    cmd = find_command(&c, words, sizeof(words));
    if (cmd == &commands[CMD_HELP]) {
        cmd = c.n_args > 0 ? find_command(&c, words, sizeof(words)) : NULL;
        if (c.n_args > 0)
            return unknown_command(&c);
        f.help = true;
    } else if (cmd == NULL) {
        return unknown_command(&c);
    }
    if (f.help) {
        print_usage(stdout, cmd);
        return 0;
    }
    if ((c.check || c.wait != NULL) && cmd != &commands[CMD_UPGRADE])
        return usage_error("--check and --wait belong to 'upgrade'", NULL);
    if (c.strict && (cmd != &commands[CMD_RULES_CHECK] || c.n_args == 0))
        return usage_error("--strict belongs to 'rules check FILE...'; a daemon has rules.strict", NULL);
    if (cmd->offline != NULL && (int)c.n_args > cmd->alone)
        return cmd->offline(&c);
    if (c.only != NULL && cmd != &commands[CMD_RULES_LIST])
        return usage_error("--dormant and --disabled belong to 'rules list'", NULL);
    if (c.n_vars > 0 || c.dialect != NULL || has_policy(&c))
        return usage_error(
            "--var, --dialect and --policy belong to 'rules check', 'policy' and 'explain' with FILE...",
            NULL);
    return run(&c, cmd);
}
