/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One worker without a thread, its port a capture file. The event ring is drained after every burst, and the
 * default ring holds what a burst of a capture can say (pcapio.c), so nothing is lost to a full ring, whatever
 * the rules say; what a smaller ring loses is told at the end. Owns the worker, the ruleset and the logger for
 * the length of the call.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <urcu-qsbr.h>

#include "ips/app/expect.h"
#include "ips/base/log.h"
#include "ips/capture.h"
#include "ips/control/control.h"
#include "ips/io/pcapio.h"
#include "ips/log/logger.h"
#include "ips/worker_setup.h"

struct capture {
    struct worker *w;
    struct expect *expect;
    const struct ruleset *ruleset;
    struct logger *logger;
};

static int load_rules(struct capture *c, const struct config *cfg, struct err *e)
{
    struct err_list errs;

    err_list_init(&errs);
    c->ruleset = ruleset_load(cfg, 1, 1, false, &errs);
    err_list_print(&errs, stderr);
    if (!c->ruleset) {
        err_set(e, -EINVAL, "the rules cannot be loaded: %zu errors, listed above", errs.n + errs.n_dropped);
        err_remedy(e, "mend them, or leave rules.strict off to go on without the bad ones");
    } else {
        ruleset_warn(c->ruleset);
    }
    err_list_fini(&errs);
    return c->ruleset ? 0 : -EINVAL;
}

static int open_worker(struct capture *c, const struct config *cfg, const struct capture_args *args,
                       struct err *e)
{
    c->expect = expect_new(EXPECT_ENTRIES, e);
    if (!c->expect)
        return e->code;
    struct worker_place place = {
        .n_workers = 1, .cpu = -1, .inline_mode = args->inline_mode, .one_port = true, .expect = c->expect};

    c->w = worker_new(&place, cfg, e);
    if (!c->w)
        return e->code;
    c->w->ruleset = &c->ruleset;
    c->w->port[0] = pcapio_open(args->in, args->out, e);
    return c->w->port[0] ? 0 : e->code;
}

static json_t *stats(void *arg)
{
    struct capture *c = arg;
    struct counters sum = {.v = {0}};

    counters_sum(&sum, &c->w->counters);
    return stats_counters_json(&sum);
}

static int open_logger(struct capture *c, const struct config *cfg, struct err *e)
{
    struct logger_config lc = {.dir = cfg->log.dir,
                               .utc = cfg->log.utc,
                               .payload = cfg->log.payload,
                               .events = cfg->log.events,
                               .references = cfg->log.references,
                               .store_dir = cfg->app.filestore.enabled ? cfg->app.filestore.dir : NULL,
                               .store_max_open = cfg->app.filestore.max_open,
                               .payload_printable = cfg->log.payload,
                               .packet = cfg->log.packet,
                               .stats = stats,
                               .stats_arg = c};

    c->logger = logger_new(&lc, &c->w->ring, 1, e);
    return c->logger ? 0 : e->code;
}

static int run(struct capture *c, struct err *e)
{
    struct port *port = c->w->port[0];
    struct err tail = {.code = 0};

    while (!port->at_end) {
        unsigned n = worker_burst(c->w, 0);

        port_service(port);
        if (logger_drain(c->logger, e))
            return e->code;
        if (n)
            worker_expire(c->w, c->w->pkts[n - 1].now_ns, BURST_MAX);
    }
    worker_drain(c->w, DROP_DEFRAG_TIMEOUT);
    if (logger_drain(c->logger, e))
        return e->code;
    if (pcapio_error(port, &tail)) { /* what came before the break was inspected and counts */
        *e = tail;
        return e->code;
    }
    return 0;
}

static void print_totals(const struct capture *c)
{
    const struct counters *k = &c->w->counters;
    uint64_t dropped = 0;

    for (unsigned i = 0; i < DROP_N; i++)
        dropped += k->drop[i];
    printf("%llu frames, %llu alerts, %llu dropped\n", (unsigned long long)k->v[CTR_RX_FRAMES],
           (unsigned long long)k->v[CTR_DETECT_ALERTS], (unsigned long long)dropped);
    if (k->v[CTR_LOG_LOST] > 0)
        log_warning("capture",
                    "%llu events are not in the log: the ring before it was full; raise log.ring_bytes",
                    (unsigned long long)k->v[CTR_LOG_LOST]);
}

int capture_run(const struct config *cfg, const struct capture_args *args, struct err *e)
{
    struct capture c = {.w = NULL};
    struct err log_error = {.code = 0};

    e->code = 0;
    rcu_register_thread();
    if (load_rules(&c, cfg, e) == 0 && open_worker(&c, cfg, args, e) == 0 && open_logger(&c, cfg, e) == 0) {
        run(&c, e);
        if (logger_stop(c.logger, &log_error) && e->code == 0)
            *e = log_error;
        if (e->code == 0)
            print_totals(&c);
    }
    logger_free(c.logger);
    worker_delete(c.w);
    expect_free(c.expect);
    ruleset_free((struct ruleset *)c.ruleset);
    rcu_unregister_thread();
    return e->code;
}
