/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_CONTROL_LOADER_H
#define SLUICE_CONTROL_LOADER_H
/*
 * The loader thread: builds one ruleset at a time, so that the server thread can answer others meanwhile.
 * The server thread asks with loader_begin(), is woken through the eventfd, and collects with loader_take().
 */
#include "ips/control/control.h"
#include "ips/control/live.h"
#include "rules/explain.h"

struct loader;

struct load_job {
    struct config *
        config; /* a new one, to be put in force: its lists are read, and with `rules` its rules, too; NULL: the
                              running one's rules. The taker frees it. */
    bool rules;
    uint32_t generation;
    bool check;   /* build, say what is wrong, throw away */
    bool force;   /* publish in spite of rejected rules */
    bool explain; /* build nothing: say what becomes of one rule */
    int64_t gid;  /* -1: any */
    uint32_t sid;
};

struct load_result {
    struct load_job job;
    struct ruleset *rs;           /* NULL when refused; the taker owns it */
    struct live *live;            /* job.config: NULL when refused; the taker owns it */
    struct err_list errs;         /* the taker frees it */
    struct explanation explained; /* job.explain; the taker ends it */
};

struct loader *loader_new(const struct config *cfg, uint32_t n_workers, int wake_fd,
                          struct err *e); /* starts */
void loader_free(struct loader *l);       /* waits for a build that runs, joins */
int loader_begin(struct loader *l,
                 const struct load_job *job);              /* -EBUSY while one runs or waits to be taken */
bool loader_busy(struct loader *l);                        /* one runs or waits to be taken */
bool loader_take(struct loader *l, struct load_result *r); /* false when nothing is done */
#endif
