/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon: start-up as a ladder, each rung undone in reverse when a later one fails.
 *
 *   launcher forked -> control socket bound -> bridges opened -> rules loaded -> event file opened -> privileges
 *   dropped -> logger thread, supervisor -> workers, program attached -> interfaces watched -> control threads -> ready
 *
 * Rules are loaded before the program is attached, so no frame ever crosses uninspected because of us; and
 * the socket is bound first, so a second daemon finds out before it touches an interface. The main thread
 * sleeps in sigwaitinfo() for the rest of its life. Owns everything below; threads borrow.
 *
 * At an upgrade the ladder is another: daemon_upgrade.c.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ips/base/clock.h"
#include "ips/base/log.h"
#include "ips/control/control.h"
#include "ips/control/live.h"
#include "ips/control/strikes.h"
#include "ips/daemon_parts.h"
#include "ips/notify.h"
#include "ips/sandbox.h"
#include "ips/supervise.h"

/* --- what the control socket and the stats event ask for
 * ----------------------------------------------------- */

static uint64_t uptime_s(const struct ipsd *d)
{
    return (clock_mono_ns() - d->started_ns) / NS_PER_S;
}

static json_t *ops_status(void *arg)
{
    struct ipsd *d = arg;
    json_t *bridges = json_array();

    for (unsigned i = 0; i < d->n_bridges; i++)
        json_array_append_new(bridges, bridge_status(&d->bridges[i]));
    return json_pack("{s:I, s:o}", "uptime_s", (json_int_t)uptime_s(d), "bridges", bridges);
}

static void ops_counters(void *arg, struct counters *sum)
{
    struct ipsd *d = arg;

    for (unsigned i = 0; i < d->n_bridges; i++)
        bridge_counters(&d->bridges[i], sum);
}

/* Both ports of all bridges, exits and parse counters under their own names. */
static void put_steer_counters(struct ipsd *d, json_t *root, uint64_t exits[STEER_CTR_N])
{
    static const char *const parse_names[STEER_PARSE_N] = {
#define X(id, name, help) name,
        STEER_PARSE_TABLE(X)
#undef X
    };
    uint64_t parse[STEER_PARSE_N] = {0};
    struct xdp_counters c;

    for (unsigned b = 0; b < d->n_bridges; b++) {
        if (xdp_counters(d->bridges[b].xdp, &c))
            continue; /* a bridge that is going down: its maps are gone */
        for (unsigned p = 0; p < STEER_PORTS; p++) {
            for (unsigned i = 0; i < STEER_CTR_N; i++)
                exits[i] += c.exits[p][i];
            for (unsigned i = 0; i < STEER_PARSE_N; i++)
                parse[i] += c.parse[p][i];
        }
    }
    for (unsigned i = 0; root && i < STEER_CTR_N; i++)
        stats_put(root, steer_counter_names[i], exits[i]);
    for (unsigned i = 0; root && i < STEER_PARSE_N; i++)
        stats_put(root, parse_names[i], parse[i]);
}

static void sum_port_stats(struct ipsd *d, struct port_stats *io)
{
    for (unsigned i = 0; i < d->n_bridges; i++)
        bridge_port_stats(&d->bridges[i], io);
}

static json_t *ops_stats(void *arg)
{
    struct ipsd *d = arg;
    struct counters sum = {.v = {0}};
    struct port_stats io = {0};
    uint64_t exits[STEER_CTR_N] = {0};
    struct bridge_use use = {0};

    ops_counters(d, &sum);
    sum_port_stats(d, &io);
    sum.v[CTR_TX_KICKS] = io.kicks;
    sum.v[CTR_FILL_STARVED] = io.fill_starved;
    for (unsigned i = 0; i < d->n_bridges; i++)
        bridge_use(&d->bridges[i], &use);

    json_t *root = stats_counters_json(&sum);
    if (!root)
        return NULL;
    stats_put(root, "uptime", uptime_s(d));
    stats_put(root, "flow.active", use.flows);
    stats_put(root, "stream.memory_bytes", use.stream_bytes);
    stats_put(root, "app.memory_bytes", use.app_bytes);
    stats_put(root, "overload.occupancy", use.occupancy_permille);
    stats_put(root, "overload.step", use.overload_step);
    stats_put(root, "link.carrier_changes", use.carrier_changes);
    stats_put(root, "link.rebuilds", use.rebuilds);
    stats_put(root, "io.kernel_rx_dropped", io.kernel_rx_dropped);
    stats_put(root, "io.kernel_rx_ring_full", io.kernel_rx_ring_full);
    stats_put(root, "io.kernel_fill_empty", io.kernel_fill_empty);
    stats_put(root, "io.kernel_tx_invalid", io.kernel_tx_invalid);
    stats_put(root, "io.kernel_tx_refused", io.kernel_tx_refused);
    put_steer_counters(d, root, exits);
    return root;
}

static unsigned ops_kernel_drops(void *arg, struct control_row *rows, unsigned max)
{
    struct ipsd *d = arg;
    struct port_stats io = {0};
    uint64_t exits[STEER_CTR_N] = {0}, missed = 0;
    struct nic_info info;

    sum_port_stats(d, &io);
    put_steer_counters(d, NULL, exits);
    for (unsigned i = 0; i < d->n_bridges; i++)
        for (int side = 0; side < 2; side++) {
            bridge_nic_info(&d->bridges[i], side, &info);
            missed += info.rx_missed;
        }
    const struct control_row all[] = {
        {"steering line", "kernel: a steering line says drop", exits[STEER_LINE_DROP]},
        {"broken header", "kernel: guard.broken", exits[STEER_BROKEN_DROP]},
        {"blocked src", "kernel: source address on the block list", exits[STEER_BLOCKED_SRC]},
        {"blocked dst", "kernel: destination address on the block list", exits[STEER_BLOCKED_DST]},
        {"blocked for a time", "kernel: a rule blocked the source", exits[STEER_BLOCKED_TIME]},
        {"rate", "kernel: the guard's limits for frames and SYNs",
         exits[STEER_RATE_DROP] + exits[STEER_SYN_SRC_DROP] + exits[STEER_SYN_DST_DROP]},
        {"flow dropped", "kernel: the flow was dropped before (verdict cache)", exits[STEER_FLOW_DROP]},
        {"fail closed", "kernel: no worker behind the queue, and bridges[].fail is closed",
         exits[STEER_FAIL_CLOSED_DROP]},
        {"fail unknown", "kernel: no worker, and the flow was not judged clean (open-known)",
         exits[STEER_FAIL_UNKNOWN_DROP]},
        {"no way out", "kernel: to be forwarded, and the other interface is gone", exits[STEER_NO_WAY_OUT]},
        {"rx ring full", "kernel: the worker did not empty its RX ring in time", io.kernel_rx_ring_full},
        {"rx dropped", "kernel: no free frame in the fill ring, or a frame too big", io.kernel_rx_dropped},
        {"tx invalid", "kernel: a TX descriptor was refused", io.kernel_tx_invalid},
        {"tx refused", "kernel: the driver's queue would not take the frame", io.kernel_tx_refused},
        {"nic missed", "driver: the NIC had no descriptor for the frame", missed},
    };
    unsigned n = sizeof(all) / sizeof(all[0]);
    if (n > max)
        n = max;
    memcpy(rows, all, n * sizeof(*rows));
    return n;
}

/* The block list and the allow list are each one list for the whole box: every bridge gets every entry. */
static int ops_list_add(void *arg, enum xdp_list list, const struct prefix *v, size_t n, bool keep,
                        struct err *e)
{
    struct ipsd *d = arg;
    int rc = 0;

    for (unsigned i = 0; i < d->n_bridges && rc == 0; i++)
        rc = xdp_list_add(d->bridges[i].xdp, list, v, n, keep, e);
    return rc;
}

static int ops_list_del(void *arg, enum xdp_list list, const struct prefix *v, size_t n, size_t *n_removed,
                        struct err *e)
{
    struct ipsd *d = arg;
    int rc = 0;

    *n_removed = 0;
    for (unsigned i = 0; i < d->n_bridges && rc == 0; i++) {
        size_t here;

        rc = xdp_list_del(d->bridges[i].xdp, list, v, n, &here, e);
        *n_removed = here > *n_removed ? here : *n_removed;
    }
    return rc;
}

static int ops_list_clear(void *arg, enum xdp_list list, size_t max, size_t *n_removed, struct err *e)
{
    struct ipsd *d = arg;
    int rc = 0;

    *n_removed = 0;
    for (unsigned i = 0; i < d->n_bridges && rc == 0; i++) {
        size_t here;

        rc = xdp_list_clear(d->bridges[i].xdp, list, max, &here, e);
        *n_removed = here > *n_removed ? here : *n_removed;
    }
    return rc;
}

struct list_walk {
    struct ipsd *d;
    enum xdp_list list;
    const struct xdp_visit *visit;
};

static int walk_list(const struct prefix *p, uint64_t frames, void *arg)
{
    const struct list_walk *w = arg;

    for (unsigned i = 1; i < w->d->n_bridges; i++)
        frames += xdp_list_frames(w->d->bridges[i].xdp, w->list, p);
    return w->visit->fn(p, frames, w->visit->arg);
}

static int ops_list_page(void *arg, enum xdp_list list, struct xdp_cursor *c, uint32_t max,
                         const struct xdp_visit *visit)
{
    struct ipsd *d = arg;
    struct list_walk walk = {.d = d, .list = list, .visit = visit};
    const struct xdp_visit each = {.fn = walk_list, .arg = &walk};

    c->trie = d->n_bridges > 0 ? c->trie : 4;
    return d->n_bridges > 0 ? xdp_list_page(d->bridges[0].xdp, list, c, max, &each) : 0;
}

/* Every bridge's map has them all: the supervisor writes to each. */
static int ops_strikes(void *arg, struct steer_strike v[STEER_STRIKES_MAX], struct err *e)
{
    struct ipsd *d = arg;

    return d->n_bridges ? xdp_strikes(d->bridges[0].xdp, v, e) : 0;
}

static int ops_strikes_clear(void *arg, const struct steer_strike *what, struct err *e)
{
    struct ipsd *d = arg;
    int n = 0;

    for (unsigned i = 0; i < d->n_bridges && n >= 0; i++)
        n = xdp_strikes_clear(d->bridges[i].xdp, what, e);
    if (n >= 0)
        strikes_forgive(what);
    return n;
}

static int ops_flows_each(void *arg, control_flow_fn fn, void *fn_arg)
{
    struct ipsd *d = arg;

    return bridge_flows_each(d->bridges, d->n_bridges, fn, fn_arg);
}

static int ops_flows_say(void *arg, const struct steer_key *k, const struct flowcache_verdict *v)
{
    struct ipsd *d = arg;

    return bridge_flows_say(d->bridges, d->n_bridges, k, v);
}

static bool ops_flows_unblock(void *arg, const struct steer_key *k)
{
    struct ipsd *d = arg;

    return bridge_flows_unblock(d->bridges, d->n_bridges, k);
}

/* Never off again: who was blocked stays so when the rule is gone. */
static int ops_rules_ask(void *arg, uint8_t asks, struct err *e)
{
    struct ipsd *d = arg;
    int rc = 0;

    for (unsigned i = 0; i < d->n_bridges && rc == 0 && (asks & ASK_SOURCES); i++)
        rc = xdp_set_flags(d->bridges[i].xdp, STEER_HAS_SOURCES, STEER_HAS_SOURCES, e);
    return rc;
}

static int ops_bridge(void *arg, unsigned index, struct control_bridge *out)
{
    struct ipsd *d = arg;

    if (index >= d->n_bridges)
        return -ENOENT;
    *out = (struct control_bridge){.name = d->bridges[index].cfg->name,
                                   .ifname = (const char *const *)d->bridges[index].cfg->interfaces,
                                   .xdp = d->bridges[index].xdp};
    return 0;
}

static void ops_shutdown(void *arg)
{
    (void)arg;
    kill(getpid(), SIGTERM);
}

/* --- the ladder
 * ---------------------------------------------------------------------------------------------- */

static int open_bridges(struct ipsd *d, struct err *e)
{
    d->track = track_new(d->cfg->detect.track_max, e);
    if (!d->track)
        return e->code;
    for (unsigned i = 0; i < d->cfg->n_bridges; i++) {
        struct bridge_place place = {.index = i,
                                     .first_worker = d->n_workers,
                                     .ruleset = &d->ruleset,
                                     .heirloom = d->takeover ? takeover_heirloom(d->takeover, i) : NULL};

        if (bridge_open(&d->bridges[i], d->cfg, &place, e))
            return e->code;
        for (uint32_t w = 0; w < d->bridges[i].n_workers; w++)
            detect_share_track(d->bridges[i].workers[w]->detect, d->track);
        d->n_bridges++;
        d->n_workers += d->bridges[i].n_workers;
        if (d->n_workers > WORKERS_MAX) {
            err_set(e, -EINVAL, "%u workers in all, more than %d", d->n_workers, WORKERS_MAX);
            err_remedy(e, "lower bridges[].queues");
            return e->code;
        }
    }
    return 0;
}

static struct xdp *const *bridges_xdp(const struct ipsd *d, struct xdp *v[BRIDGES_MAX])
{
    for (unsigned i = 0; i < d->n_bridges; i++)
        v[i] = d->bridges[i].xdp;
    return v;
}

/* Maps, and what threads have of it. */
static int ops_config_apply(void *arg, const struct config *fresh, struct live *live, struct err *e)
{
    struct ipsd *d = arg;
    struct xdp *v[BRIDGES_MAX];
    int rc = live_apply(live, d->live, bridges_xdp(d, v), e);

    if (rc < 0)
        return rc;
    live_free(d->live);
    d->live = live;
    for (unsigned i = 0; i < d->n_bridges; i++)
        bridge_configure(&d->bridges[i], fresh);
    supervise_stall(fresh->supervisor.stall_ms);
    strikes_limit(fresh->supervisor.strikes);
    logger_stats_every(d->logger, fresh->log.stats_interval_s);
    return 0;
}

/* Steering lines, the guard and its lists, as the configuration has them. */
static int load_live(struct ipsd *d, struct err *e)
{
    struct err_list errs;
    int rc = 0;

    err_list_init(&errs);
    d->live = live_new(d->cfg, &errs);
    for (size_t i = 0; i < errs.n; i++)
        log_err(LOG_LEVEL_ERROR, "guard", &errs.v[i]);
    if (!d->live) {
        rc = err_set(e, -EINVAL, "the configuration's lists have %zu errors, listed above",
                     errs.n + errs.n_dropped);
        err_remedy(e, "correct them; nothing was attached");
    }
    err_list_fini(&errs);
    if (d->live && d->live->lists[XDP_LIST_BLOCK].n + d->live->lists[XDP_LIST_ALLOW].n > 0)
        log_notice("guard", "%zu prefixes on the configuration's block list, %zu on its allow list",
                   d->live->lists[XDP_LIST_BLOCK].n, d->live->lists[XDP_LIST_ALLOW].n);
    return rc;
}

/* And into the maps, with what the rules ask of the program. */
int daemon_fill_kernel(struct ipsd *d, struct err *e)
{
    struct xdp *v[BRIDGES_MAX];

    if (d->n_bridges > 0 && live_apply(d->live, NULL, bridges_xdp(d, v), e))
        return e->code;
    return ops_rules_ask(d, ruleset_asks(d->ruleset), e);
}

static int load_rules(struct ipsd *d, struct err *e)
{
    struct err_list errs;

    err_list_init(&errs);
    struct ruleset *rs = ruleset_load(d->cfg, d->n_workers, 1, true, &errs);
    for (size_t i = 0; i < errs.n; i++)
        log_err(rs ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR, "rules", &errs.v[i]);
    if (rs) {
        log_notice("rules", "%u rules loaded (%u of them dormant), %u rejected", ruleset_stats(rs)->n_loaded,
                   ruleset_stats(rs)->n_dormant, ruleset_stats(rs)->n_rejected);
        ruleset_warn(rs);
        d->ruleset = rs;
    } else {
        err_set(e, -EINVAL, "the rules cannot be loaded: %zu errors, listed above", errs.n + errs.n_dropped);
        err_remedy(e, "run 'ipsctl rules check FILE...' and mend them; nothing was attached");
    }
    int rc = rs ? 0 : -EINVAL;
    if (rs && d->takeover && errs.n > 0 && !takeover_force(d->takeover)) {
        char first[400];

        rc = err_set(e, -EINVAL, "the rule files have %zu errors, the first: %s", errs.n + errs.n_dropped,
                     err_format(&errs.v[0], first, sizeof(first)));
        err_remedy(e, "correct the files, or leave those rules out with --force");
    }
    err_list_fini(&errs);
    return rc;
}

static int open_logger(struct ipsd *d, struct err *e)
{
    static const char *names[2 * BRIDGES_MAX];
    static struct event_ring *rings[WORKERS_MAX];
    uint32_t n = 0;

    for (unsigned i = 0; i < d->n_bridges; i++) {
        names[2 * i] = d->bridges[i].cfg->interfaces[0];
        names[2 * i + 1] = d->bridges[i].cfg->interfaces[1];
        for (uint32_t w = 0; w < d->bridges[i].n_workers; w++)
            rings[n++] = d->bridges[i].workers[w]->ring;
    }
    struct logger_config lc = {.dir = d->cfg->log.dir,
                               .stats_interval_s = d->cfg->log.stats_interval_s,
                               .utc = d->cfg->log.utc,
                               .payload = d->cfg->log.payload,
                               .events = d->cfg->log.events,
                               .references = d->cfg->log.references,
                               .store_dir = d->cfg->app.filestore.enabled ? d->cfg->app.filestore.dir : NULL,
                               .store_max_open = d->cfg->app.filestore.max_open,
                               .payload_printable = d->cfg->log.payload,
                               .packet = d->cfg->log.packet,
                               .ifname = names,
                               .stats = ops_stats,
                               .stats_arg = d};
    d->logger = logger_new(&lc, rings, n, e);
    return d->logger ? 0 : e->code;
}

static int start_bridges(struct ipsd *d, struct err *e)
{
    for (unsigned i = 0; i < d->n_bridges; i++) {
        if (bridge_start(&d->bridges[i], e))
            return e->code;
        log_notice("io", "bridge %s: %s and %s, %u worker%s%s", d->bridges[i].cfg->name,
                   d->bridges[i].cfg->interfaces[0], d->bridges[i].cfg->interfaces[1],
                   d->bridges[i].n_workers, d->bridges[i].n_workers == 1 ? "" : "s",
                   d->bridges[i].handoff ? ", flows handed to their owner" : "");
    }
    return 0;
}

int daemon_watch_links(struct ipsd *d, struct err *e)
{
    d->links = links_start(d->bridges, d->n_bridges, &d->hands, e);
    return d->links ? 0 : e->code;
}

static int bind_control(struct ipsd *d, struct err *e)
{
    d->ops = (struct control_ops){.arg = d,
                                  .status = ops_status,
                                  .stats = ops_stats,
                                  .counters = ops_counters,
                                  .kernel_drops = ops_kernel_drops,
                                  .list_add = ops_list_add,
                                  .list_del = ops_list_del,
                                  .list_clear = ops_list_clear,
                                  .list_page = ops_list_page,
                                  .strikes = ops_strikes,
                                  .strikes_clear = ops_strikes_clear,
                                  .flows_each = ops_flows_each,
                                  .flows_say = ops_flows_say,
                                  .flows_unblock = ops_flows_unblock,
                                  .rules_ask = ops_rules_ask,
                                  .bridge = ops_bridge,
                                  .config_apply = ops_config_apply,
                                  .shutdown = ops_shutdown};
    struct control_config cc = {
        .config = d->live_cfg, .ops = &d->ops, .ruleset = &d->ruleset, .hands = &d->hands};
    d->control = d->takeover ? control_adopt(&cc, takeover_control_fd(d->takeover), e) : control_new(&cc, e);
    return d->control ? 0 : e->code;
}

static void wait_for_signals(struct ipsd *d)
{
    sigset_t set;
    int sig;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    while (sigwait(&set, &sig) == 0 && sig == SIGHUP)
        logger_reopen(d->logger);
    if (!upgrade_done(d->upgrade))
        log_notice("main", "stopping");
}

/* Every rung that was climbed, downwards. The event file gets what the last frames said, and the last stats.
 */
static int take_down(struct ipsd *d, struct err *e)
{
    struct err log_error = {.code = 0};

    control_stop(d->control);
    upgrade_free(d->upgrade);
    links_stop(d->links);
    for (unsigned i = d->n_bridges; i-- > 0;)
        bridge_stop(&d->bridges[i]);
    supervise_stop();
    if (d->logger && logger_stop(d->logger, &log_error))
        log_err(LOG_LEVEL_ERROR, "log", &log_error);
    logger_free(d->logger);
    for (unsigned i = d->n_bridges; i-- > 0;)
        bridge_close(&d->bridges[i]);
    ruleset_free((struct ruleset *)d->ruleset);
    live_free(d->live);
    track_free(d->track);
    pthread_mutex_destroy(&d->hands);
    takeover_free(d->takeover);
    launcher_free(d->launcher);
    free(d);
    if (e->code == 0 && log_error.code)
        *e = log_error;
    return e->code;
}

int daemon_check(const struct config *cfg, struct err *e)
{
    struct ipsd d = {.cfg = cfg, .n_workers = 1};
    int rc = load_live(&d, e);

    if (rc == 0)
        rc = load_rules(&d, e);
    live_free(d.live);
    ruleset_free((struct ruleset *)d.ruleset);
    return rc;
}

/* Everything but what moves frames. */
int daemon_prepare(struct ipsd *d, struct err *e)
{
    if (bind_control(d, e) || open_bridges(d, e) || load_live(d, e) || load_rules(d, e) ||
        open_logger(d, e) || daemon_make_upgrade(d, e) || sandbox_enter(d->cfg->user, e))
        return e->code;
    return 0;
}

/* An ordinary start. */
static int climb(struct ipsd *d, struct err *e)
{
    if (daemon_prepare(d, e) || daemon_fill_kernel(d, e) || logger_start(d->logger, e) ||
        supervise_start(d->cfg->supervisor.stall_ms, e) || start_bridges(d, e) || daemon_watch_links(d, e) ||
        control_start(d->control, d->n_workers, e))
        return e->code;
    return 0;
}

int daemon_run(struct config *cfg, const struct daemon_start *start, struct err *e)
{
    struct ipsd *d = calloc(1, sizeof(*d));

    e->code = 0;
    if (!d)
        return err_set(e, -ENOMEM, "no memory for the daemon");
    d->cfg = d->live_cfg = cfg;
    d->started_ns = clock_mono_ns();
    pthread_mutex_init(&d->hands, NULL);
    strikes_limit(cfg->supervisor.strikes);
    d->launcher = launcher_new(start->argv, e);
    if (!d->launcher || (start->takeover_fd >= 0 ? daemon_succeed(d, start->takeover_fd, e) : climb(d, e)))
        return take_down(d, e);
    notify_ready();
    log_notice("main", "ready");
    wait_for_signals(d);
    if (upgrade_done(d->upgrade))
        daemon_leave(d);
    notify_stopping();
    return take_down(d, e);
}
