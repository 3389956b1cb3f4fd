/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loader thread: a ruleset takes seconds to compile, and `ipsctl status` should not wait for it.
 *
 * One job at a time, handed over under a mutex: the server thread puts a job in, the loader builds with the mutex
 * released, puts the result back and pokes the server's eventfd. The result belongs to the loader until it is
 * taken. It never touches the published ruleset: swapping is the server thread's, in cmd_rules.c.
 * The thread is made at start, because the sandbox may forbid more of them later.
 */
#include "ips/control/loader.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "ips/base/thread.h"

#define LOADER_NICE 19

enum state { IDLE, ASKED, DONE };

struct loader {
    const struct config *cfg;
    uint32_t n_workers;
    int wake_fd; /* borrowed */
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t asked;
    enum state state;
    bool quit;
    struct load_result result;
};

static void loader_poke(const struct loader *l)
{
    uint64_t one = 1;
    ssize_t n = write(l->wake_fd, &one, sizeof(one));

    (void)n; /* fails only when the server has wake-ups pending already */
}

/* What the job asks for; the lock is not held. */
static void make(const struct loader *l, struct load_result *r)
{
    const struct load_job *job = &r->job;

    err_list_init(&r->errs);
    r->rs = NULL;
    r->live = NULL;
    memset(&r->explained, 0, sizeof(r->explained));
    if (job->explain) {
        ruleset_explain(l->cfg, job->gid, job->sid, &r->explained, &r->errs);
        return;
    }
    if (job->config != NULL)
        r->live = live_new(job->config, &r->errs);
    if (job->config == NULL || (job->rules && r->live != NULL))
        r->rs = ruleset_load(job->config != NULL ? job->config : l->cfg, l->n_workers, job->generation,
                             !job->check, &r->errs);
}

static void *loader_run(void *arg)
{
    struct loader *l = arg;

    /* Compiling must not take a worker's processor; who is refused this compiles as before. */
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), LOADER_NICE);
    pthread_mutex_lock(&l->lock);
    for (;;) {
        struct load_result r;

        while (l->state != ASKED && !l->quit)
            pthread_cond_wait(&l->asked, &l->lock);
        if (l->quit)
            break;
        r.job = l->result.job;
        pthread_mutex_unlock(&l->lock);

        make(l, &r);

        pthread_mutex_lock(&l->lock);
        l->result = r;
        l->state = DONE;
        loader_poke(l);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

struct loader *loader_new(const struct config *cfg, uint32_t n_workers, int wake_fd, struct err *e)
{
    struct loader *l = calloc(1, sizeof(*l));

    if (l == NULL) {
        err_set(e, -ENOMEM, "no memory for the loader");
        return NULL;
    }
    l->cfg = cfg;
    l->n_workers = n_workers;
    l->wake_fd = wake_fd;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->asked, NULL);
    if (thread_start(&l->thread, "loader", loader_run, l, e) == 0)
        return l;
    free(l);
    return NULL;
}

void loader_free(struct loader *l)
{
    if (l == NULL)
        return;
    pthread_mutex_lock(&l->lock);
    l->quit = true;
    pthread_cond_signal(&l->asked);
    pthread_mutex_unlock(&l->lock);
    pthread_join(l->thread, NULL);
    if (l->state != IDLE)
        config_free(l->result.job.config);
    if (l->state == DONE) {
        ruleset_free(l->result.rs);
        live_free(l->result.live);
        explain_fini(&l->result.explained);
        err_list_fini(&l->result.errs);
    }
    pthread_cond_destroy(&l->asked);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

int loader_begin(struct loader *l, const struct load_job *job)
{
    int rc = -EBUSY;

    pthread_mutex_lock(&l->lock);
    if (l->state == IDLE) {
        l->result.job = *job;
        l->state = ASKED;
        pthread_cond_signal(&l->asked);
        rc = 0;
    }
    pthread_mutex_unlock(&l->lock);
    return rc;
}

bool loader_busy(struct loader *l)
{
    bool busy;

    pthread_mutex_lock(&l->lock);
    busy = l->state != IDLE;
    pthread_mutex_unlock(&l->lock);
    return busy;
}

bool loader_take(struct loader *l, struct load_result *r)
{
    bool done;

    pthread_mutex_lock(&l->lock);
    done = l->state == DONE;
    if (done) {
        *r = l->result;
        l->state = IDLE;
    }
    pthread_mutex_unlock(&l->lock);
    return done;
}
