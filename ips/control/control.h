/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_CONTROL_CONTROL_H
#define SLUICE_CONTROL_CONTROL_H
/*
 * The control socket's server, and what it asks of the daemon.
 *
 * Two threads, both started by control_start(): the server thread runs the poll loop and every command
 * handler; the loader thread builds a new ruleset when told to and does nothing else, so that the socket
 * stays alive while rules compile. Only the server thread writes the published ruleset pointer: it swaps,
 * waits for a grace period (RCU, QSBR), and frees the old one. After control_stop() the pointer belongs to
 * the caller again.
 *
 * All ops are called in the server thread. They must not block for longer than a system call does.
 */
#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include "bpf/shared.h"
#include "ips/base/counters.h"
#include "ips/base/err.h"
#include "ips/control/config.h"
#include "ips/io/flowcache.h"
#include "ips/io/xdp.h"
#include "rules/ruleset.h"

/* Frames lost outside the workers: by the steering program, by the kernel, by the NIC. */
struct control_row {
    const char *word, *help; /* static strings */
    uint64_t count;
};

struct live;

struct control_bridge {
    const char *name;
    const char *const *ifname; /* of both ports */
    struct xdp *xdp;
};

/* An entry of a bridge's verdict cache. Nonzero ends the walk and is returned. */
typedef int (*control_flow_fn)(const char *bridge, const struct flowcache_entry *e, uint64_t now_ns,
                               void *arg);

enum control_upgrade { UPGRADE_GOES_ON, UPGRADE_CHECKED, UPGRADE_DONE, UPGRADE_FAILED };

struct control_upgrade_wish {
    bool check;      /* go as far as one can without changing anything */
    bool force;      /* rules with errors are left out, instead of no upgrade */
    uint32_t wait_s; /* until the next daemon has loaded everything */
};

/* How the daemon starts its successor. All in the server thread. */
struct control_upgrader {
    void *arg;
    int (*begin)(void *arg, const struct control_upgrade_wish *wish, struct err *e);
    int (*fd)(void *arg); /* to poll while an upgrade is on its way; -1: none is */
    uint64_t (*deadline_ns)(void *arg);
    /* When that is readable or over. DONE: another daemon serves the bridges and the control socket; after the answer
     * leave() asks this one to end, and returns at once. CHECKED, DONE: *result is a new reference. */
    enum control_upgrade (*turn)(void *arg, json_t **result, struct err *e);
    void (*leave)(void *arg);
};

struct control_ops {
    void *arg; /* first argument of every function here */
    /*
     * A new reference, or NULL when memory is out. The server adds "version", "pid" and "ruleset". What
     * ipsctl prints of it (a missing key is left out of the table):
     * {"uptime_s": 12, "bridges": [{"name": "br0", "fail": "open", "hugepages": true,
     *   "ports": [{"interface": "eth1", "driver": "veth", "mtu": 1500, "carrier": true, "symmetric_rss":
     * true, "offloads_off": "gro lro", "rx_missed": 0, "queues": [{"queue": 0, "mode": "native", "zero_copy":
     * false, "need_wakeup": true, "busy_poll": false}]}, ...], "workers": [{"index": 0, "cpu": -1, "rx": 0,
     * "tx": 0, "dropped": 0, "flows": 0}, ...], "frames": {"free": 0, "fill": 0, "worker": 0, "tx": 0,
     * "size": 0}}, ...]}
     */
    json_t *(*status)(void *arg);
    /* The body of a stats event (stats_counters_json() gives the counters' part), a new reference or NULL. */
    json_t *(*stats)(void *arg);
    void (*counters)(void *arg, struct counters *sum); /* adds all workers to sum */
    unsigned (*kernel_drops)(void *arg, struct control_row *rows,
                             unsigned max); /* rows filled; may be NULL */
    /* The block lists and the allow list of all bridges, as in xdp.h. */
    int (*list_add)(void *arg, enum xdp_list list, const struct prefix *v, size_t n, bool keep,
                    struct err *e);
    int (*list_del)(void *arg, enum xdp_list list, const struct prefix *v, size_t n, size_t *n_removed,
                    struct err *e);
    int (*list_clear)(void *arg, enum xdp_list list, size_t max, size_t *n_removed, struct err *e);
    int (*list_page)(void *arg, enum xdp_list list, struct xdp_cursor *c, uint32_t max,
                     const struct xdp_visit *visit);
    /* The verdict caches of all bridges: what is in them; an operator's word about a flow (-EBUSY: not everywhere); an
     * address that is blocked for a time is no more (false: it was not). */
    int (*flows_each)(void *arg, control_flow_fn fn, void *fn_arg);
    int (*flows_say)(void *arg, const struct steer_key *k, const struct flowcache_verdict *v);
    bool (*flows_unblock)(void *arg, const struct steer_key *k);
    int (*strikes)(void *arg, struct steer_strike v[STEER_STRIKES_MAX], struct err *e); /* how many; < 0 */
    int (*strikes_clear)(void *arg, const struct steer_strike *what, struct err *e);    /* NULL: all */
    int (*rules_ask)(void *arg, uint8_t asks,
                     struct err *e); /* a ruleset's enum rule_ask, before it is published */
    /* The live values of a configuration whose lists have been read go into the maps and to the workers; on success the
     * callee owns the second. */
    int (*config_apply)(void *arg, const struct config *fresh, struct live *live, struct err *e);
    int (*bridge)(void *arg, unsigned index, struct control_bridge *out); /* -ENOENT behind the last */
    const struct control_upgrader *upgrader;                              /* NULL: it cannot */
    void (*shutdown)(void *arg); /* asks the daemon to end; returns at once */
};

struct control_config {
    struct config *config;          /* socket, group, and what a reload builds from; outlives the server */
    const struct control_ops *ops;  /* outlives the server */
    const struct ruleset **ruleset; /* the published pointer */
    pthread_mutex_t *hands; /* held while a command runs: it may change bridges; NULL: nobody else does */
};

struct control_server;
/* Binds the socket (so that a second daemon, a wrong path or group is found at start). No thread yet. */
struct control_server *control_new(const struct control_config *cfg, struct err *e);
/* At an upgrade: on the socket of the daemon before. Owns fd on success. */
struct control_server *control_adopt(const struct control_config *cfg, int fd, struct err *e);
int control_fd(const struct control_server *s); /* the listening socket */
/* n_workers of all bridges: a reload makes scratch for so many. */
int control_start(struct control_server *s, uint32_t n_workers, struct err *e);
/* Answers what was asked, joins both threads, closes and (unless it was handed over) removes the socket, frees. NULL is fine. */
void control_stop(struct control_server *s);

/*
 * reload.c: a ruleset from the configuration: globs expanded in order, each file once, variables,
 * classification, action order. NULL when refused: errs says why. Otherwise errs may still hold the rejected
 * rules.
 * keep: what had to be compiled goes into the cache for the next load; else the cache is only read.
 */
struct ruleset *ruleset_load(const struct config *c, uint32_t n_workers, uint32_t generation, bool keep,
                             struct err_list *errs);

/* reload.c: what becomes of one rule of the same files under the same policy; errs says why that cannot be told. */
struct explanation;
void ruleset_explain(const struct config *c, int64_t gid, uint32_t sid, struct explanation *out,
                     struct err_list *errs);

/* reload.c: policy lines that did nothing, or not what they say, to the log. */
void ruleset_warn(const struct ruleset *rs);

/* stats.c: the counters as nested objects along the dots of their names, drops under "drop" with '_' for ' '.
 */
json_t *stats_counters_json(const struct counters *sum);
/* Sets root.a.b.c = v for name "a.b.c"; objects on the way are made. 0 or -ENOMEM. */
int stats_put(json_t *root, const char *name, uint64_t v);
#endif
