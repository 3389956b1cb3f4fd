/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ipsd: reads the command line, reads the configuration, and runs either the bridge (daemon.c) or a capture
 * (capture.c). One table of options gives parsing and help; ipsd(8) is its manual.
 * Exit status: 0 done, 1 failed, 2 wrong usage, 3 refused because of crashes.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ips/base/log.h"
#include "ips/capture.h"
#include "ips/control/config.h"
#include "ips/daemon.h"
#include "ips/takeover.h"

#define CONFIG_DEFAULT SLUICE_SYSCONFDIR "/sluice/ips.yaml"
#define LIST_MAX       256
#define EXIT_CRASHES   3 /* the service manager must not start it again */

struct list {
    const char *v[LIST_MAX];
    unsigned n;
};

struct args {
    const char *config, *log_dir, *checksums;
    struct list rules, vars, settings;
    struct capture_args capture;
    bool check, force;
    const char *takeover;
};

enum {
    OPT_CHECK = 256,
    OPT_SET,
    OPT_FORCE,
    OPT_PCAP,
    OPT_RULES,
    OPT_LOG_DIR,
    OPT_INLINE,
    OPT_CHECKSUMS,
    OPT_PCAP_OUT,
    OPT_VAR,
    OPT_TAKEOVER
};

static const struct option_row {
    const char *name, *arg;
    int code;
    const char *help;
} option_rows[] = {
    {"config", "FILE", 'c', "configuration (default " CONFIG_DEFAULT ")"},
    {"set", "KEY=VALUE", OPT_SET, "override one configuration key; may be repeated"},
    {"check", NULL, OPT_CHECK, "read configuration and rules, say what is wrong, and stop"},
    {"force", NULL, OPT_FORCE, "start in spite of crash_limit"},
    {"pcap", "FILE", OPT_PCAP, "capture mode: run the engine over a pcap or pcapng file"},
    {"rules", "FILE...", OPT_RULES, "rule files in place of the configured ones"},
    {"log-dir", "DIR", OPT_LOG_DIR, "where eve.json is written"},
    {"inline", NULL, OPT_INLINE, "capture mode: verdicts act, as on a bridge"},
    {"checksums", "on|off", OPT_CHECKSUMS, "verify checksums (default on)"},
    {"pcap-out", "FILE", OPT_PCAP_OUT, "capture mode: write the frames that would have left"},
    {"var", "NAME=VALUE", OPT_VAR, "set a rule variable; may be repeated"},
    {"takeover", "FD", OPT_TAKEOVER,
     "for `ipsctl upgrade` alone: take the bridges over from a running daemon"},
    {"version", NULL, 'V', "print the version"},
    {"help", NULL, 'h', "print this"},
};
#define N_OPTIONS (sizeof(option_rows) / sizeof(option_rows[0]))

static void print_help(FILE *out)
{
    fprintf(
        out,
        "usage: ipsd [-c FILE] [--set KEY=VALUE]...\n"
        "       ipsd --pcap FILE --rules FILE... --log-dir DIR [--inline] [--pcap-out FILE] [options]\n\n");
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const struct option_row *o = &option_rows[i];
        char left[48];
        snprintf(left, sizeof(left), "--%s%s%s", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
        fprintf(out, "  %-24s %s\n", left, o->help);
    }
}

static int usage(const char *why, const char *what)
{
    fprintf(stderr, "ipsd: %s%s%s; see 'ipsd --help'\n", why, what ? ": " : "", what ? what : "");
    return 2;
}

static int list_add(struct list *l, const char *s)
{
    if (l->n == LIST_MAX)
        return usage("more than 256 times the same option", s);
    l->v[l->n++] = s;
    return 0;
}

/* 0 go on, 1 stop with success, 2 wrong usage. */
static int take_option(struct args *a, int code, char **argv)
{
    switch (code) {
    case 'c':
        a->config = optarg;
        return 0;
    case OPT_SET:
        return list_add(&a->settings, optarg);
    case OPT_VAR:
        return list_add(&a->vars, optarg);
    case OPT_RULES: /* FILE... : everything up to the next option */
        if (list_add(&a->rules, optarg))
            return 2;
        while (argv[optind] && argv[optind][0] != '-')
            if (list_add(&a->rules, argv[optind++]))
                return 2;
        return 0;
    case OPT_CHECK:
        a->check = true;
        return 0;
    case OPT_FORCE:
        a->force = true;
        return 0;
    case OPT_PCAP:
        a->capture.in = optarg;
        return 0;
    case OPT_PCAP_OUT:
        a->capture.out = optarg;
        return 0;
    case OPT_INLINE:
        a->capture.inline_mode = true;
        return 0;
    case OPT_LOG_DIR:
        a->log_dir = optarg;
        return 0;
    case OPT_CHECKSUMS:
        a->checksums = optarg;
        return 0;
    case OPT_TAKEOVER:
        a->takeover = optarg;
        return 0;
    case 'V':
        puts("ipsd " SLUICE_VERSION);
        return 1;
    case 'h':
        print_help(stdout);
        return 1;
    default: /* getopt has said what is wrong */
        return usage("wrong usage", NULL);
    }
}

static int parse_args(int argc, char **argv, struct args *a)
{
    struct option longopts[N_OPTIONS + 1] = {{0}};
    int c, rc;

    for (size_t i = 0; i < N_OPTIONS; i++)
        longopts[i] =
            (struct option){option_rows[i].name, option_rows[i].arg ? required_argument : no_argument, NULL,
                            option_rows[i].code};
    /* '+': files after --rules are taken by hand, so getopt must not reorder */
    while ((c = getopt_long(argc, argv, "+c:hV", longopts, NULL)) != -1)
        if ((rc = take_option(a, c, argv)) != 0)
            return rc;
    if (optind < argc)
        return usage("unexpected argument", argv[optind]);
    if (!a->capture.in && (a->capture.out || a->capture.inline_mode))
        return usage("--pcap-out and --inline belong to capture mode; give --pcap FILE", NULL);
    return 0;
}

/* The command line on top of the configuration. */
static int apply_args(struct config *cfg, const struct args *a, struct err *e)
{
    char text[4096];
    /* who runs a capture by hand wants to see the packets that matched */
    int rc = a->capture.in && !a->config ? config_set(cfg, "log.packet=true", e) : 0;

    for (unsigned i = 0; i < a->settings.n && rc == 0; i++)
        rc = config_set(cfg, a->settings.v[i], e);
    if (rc == 0 && a->rules.n)
        rc = config_set_rules(cfg, a->rules.v, a->rules.n, e);
    for (unsigned i = 0; i < a->vars.n && rc == 0; i++)
        rc = config_set_var(cfg, a->vars.v[i], e);
    if (rc == 0 && a->log_dir) {
        snprintf(text, sizeof(text), "log.dir=%s", a->log_dir);
        rc = config_set(cfg, text, e);
    }
    if (rc == 0 && a->checksums) {
        snprintf(text, sizeof(text), "decode.checksums=%s", a->checksums);
        rc = config_set(cfg, text, e);
    }
    return rc;
}

/* -1: none. What another ipsd is started with is all but --takeover, which is the first of them (launcher.c). */
static int takeover_fd(const struct args *a, char ***argv)
{
    if (!a->takeover)
        return -1;
    (*argv)[1] = (*argv)[0];
    ++*argv;
    return atoi(a->takeover);
}

/* Files, command line and checks once more, for `ipsctl config reload`. */
static struct config *read_again(void *arg, struct err *e)
{
    const struct args *a = arg;
    struct config *cfg = config_load(a->config ? a->config : CONFIG_DEFAULT, e);

    if (cfg && apply_args(cfg, a, e) == 0 && config_check(cfg, false, e) == 0)
        return cfg;
    config_free(cfg);
    return NULL;
}

static int fail(const struct err *e)
{
    char text[1024];

    fprintf(stderr, "ipsd: %s\n", err_format(e, text, sizeof(text)));
    return e->code == -ELOOP ? EXIT_CRASHES : 1;
}

/* Signals the daemon waits for are blocked before any thread exists, so that all threads inherit it. */
static void block_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
    struct args a = {.config = NULL};
    struct err e = {.code = 0};
    int rc = parse_args(argc, argv, &a);

    if (rc)
        return rc == 1 ? 0 : rc;
    /* capture mode stands on its own: without -c it takes the defaults, not the box's configuration */
    int takeover = takeover_fd(&a, &argv);
    struct config *cfg =
        a.capture.in && !a.config ? config_new(&e) : config_load(a.config ? a.config : CONFIG_DEFAULT, &e);
    if (!cfg && takeover >= 0)
        takeover_refuse(takeover, &e);
    if (!cfg)
        return fail(&e);
    rc = apply_args(cfg, &a, &e);
    if (rc == 0)
        rc = config_check(cfg, a.capture.in != NULL, &e);
    if (rc && takeover >= 0)
        takeover_refuse(takeover, &e);
    enum log_level level;
    if (rc == 0 && log_level_parse(cfg->log.level, &level))
        log_set_level(level);
    cfg->force = a.force;
    cfg->reread = read_again;
    cfg->reread_arg = &a;
    if (rc == 0 && a.check)
        rc = daemon_check(cfg, &e);
    else if (rc == 0 && a.capture.in)
        rc = capture_run(cfg, &a.capture, &e);
    else if (rc == 0) {
        struct daemon_start start = {.argv = argv, .takeover_fd = takeover};

        block_signals();
        rc = daemon_run(cfg, &start, &e);
    }
    config_free(cfg);
    return rc ? fail(&e) : 0;
}
