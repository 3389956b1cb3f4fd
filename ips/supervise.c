/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The supervisor.
 *
 * A worker that hangs cannot say so. Its heartbeat goes stale, so that the kernel applies the bridge's fail policy within
 * milliseconds; this thread is slower, and finds out why. It samples the beacons (watch.c judges them), and when a
 * worker hangs it asks the worker's thread what it has in hand (inquiry.c), gives the rule or the parser a strike in the
 * maps that outlive the daemon, says all that in the log and in an event, and aborts: the service manager starts the next
 * daemon, which takes the bridge over and leaves out what has strikes enough. Nothing less than the end of the process
 * gets a thread out of an endless loop, and nothing of a worker could be trusted afterwards.
 *
 * A supervisor that was late itself (the whole process was stopped, or the machine is overrun) judges nobody by that time.
 * It also keeps the service manager's watchdog quiet, for as long as every worker lives.
 *
 * Owns its thread and the list of bridges, which a mutex guards: whoever stops a bridge waits for a look that is under way.
 * Wakes PERIOD_MS apart, and a look costs two loads for each worker.
 */
#include "ips/supervise.h"

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ips/base/clock.h"
#include "ips/base/log.h"
#include "ips/base/thread.h"
#include "ips/inquiry.h"
#include "ips/load_events.h"
#include "ips/log/engine.h"
#include "ips/notify.h"
#include "ips/watch.h"

#define PERIOD_MS     100
#define LATE_MS       200 /* that much later than it should wake, and nobody ran meanwhile */
#define ANSWER_MS     200
#define ESCAPES_S     10  /* between two events about one worker's escaped frames */
#define LAST_WORDS_MS 200 /* for the logger to write what was said before the end */

struct post { /* a worker that is watched */
    struct worker *w;
    struct watch watch;
    uint64_t escaped;        /* frames that crossed unseen, as they were last said */
    uint64_t escaped_due_ns; /* not said again before */
    struct load_said said;
};

static struct {
    pthread_mutex_t lock; /* guards bridges and posts */
    struct bridge *bridges[BRIDGES_MAX];
    struct post posts[WORKERS_MAX];
    unsigned n_bridges, n_posts;
    pthread_t thread;
    bool runs;
    int wake_fd;
    uint32_t stall_ms;
    uint64_t watchdog_ns, next_watchdog_ns; /* 0: there is none */
} sup = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake_fd = -1};

static const char *const stage_words[STAGE_N] = {
#define X(id, word) [id] = word,
    STAGE_TABLE(X)
#undef X
};

/* --- what is said -------------------------------------------------------------------------------------------------- */

static const char *bridge_name(const struct worker *w)
{
    for (unsigned i = 0; i < sup.n_bridges; i++)
        if (sup.bridges[i]->index == w->bridge)
            return sup.bridges[i]->cfg->name;
    return "";
}

/* What the worker has in hand, as an event's members. */
static json_t *story(const struct worker *w, uint64_t ms, const struct inquiry_answer *a)
{
    const struct beacon *b = &w->beacon;
    uint8_t parser = __atomic_load_n(&b->parser, __ATOMIC_RELAXED);
    json_t *o = json_pack("{s:i, s:s, s:I}", "worker", (int)w->cfg.index, "stage",
                          stage_words[beacon_stage_now(b)], "ms", (json_int_t)ms);

    if (a && a->sid) {
        json_object_set_new(o, "gid", json_integer(a->gid));
        json_object_set_new(o, "sid", json_integer(a->sid));
    }
    if (parser)
        json_object_set_new(o, "parser", json_string(app_word((enum app_proto)(parser - 1))));
    if (a)
        load_put_ends(o, &a->end);
    return o;
}

static void say(enum log_level level, const char *event, const struct worker *w, json_t *fields)
{
    engine_say(level, "main", event, bridge_name(w), fields);
}

/* --- the end ------------------------------------------------------------------------------------------------------- */

/* Every bridge's map: each of them may be the first that the next daemon reads. */
static void strike(const struct worker *w, const struct inquiry_answer *a)
{
    uint8_t parser = __atomic_load_n(&w->beacon.parser, __ATOMIC_RELAXED);
    struct steer_strike s = {.gid = a->gid, .sid = a->sid};
    struct err e;

    if (a->sid == 0 && parser == 0)
        return; /* nobody to blame */
    if (a->sid == 0)
        snprintf(s.parser, sizeof(s.parser), "%s", app_word((enum app_proto)(parser - 1)));
    for (unsigned i = 0; i < sup.n_bridges; i++)
        if (xdp_strike(sup.bridges[i]->xdp, &s, &e) < 0)
            log_err(LOG_LEVEL_ERROR, "main", &e);
}

static void dump(const struct worker *w)
{
    void *frames[INQUIRY_FRAMES];
    unsigned n = inquiry_trace(&w->beacon, frames, ANSWER_MS);
    char **names = n > 0 ? backtrace_symbols(frames, (int)n) : NULL;

    for (unsigned i = 0; names && i < n; i++)
        log_error("main", "  %s #%u %s", w->name, i, names[i]);
    free(names);
}

__attribute__((noreturn)) static void give_up(const struct worker *w, uint64_t ms, bool blocked)
{
    struct inquiry_answer a = {.sid = 0};

    if (!inquiry_ask(&w->beacon, &a, ANSWER_MS))
        log_error("main", "%s does not answer signals", w->name);
    else if (!blocked)
        strike(w, &a);
    say(LOG_LEVEL_ERROR, "worker_stalled", w, story(w, ms, &a));
    dump(w);
    poll(NULL, 0, LAST_WORDS_MS);
    abort();
}

/* --- a look -------------------------------------------------------------------------------------------------------- */

/* The letter behind the last ')' of the thread's stat; 0 when it cannot be read. */
static char thread_state(int tid)
{
    char path[64], text[256];
    ssize_t n = -1;

    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        n = read(fd, text, sizeof(text) - 1);
        close(fd);
    }
    text[n > 0 ? n : 0] = '\0';
    const char *end = strrchr(text, ')');
    return end && end[1] == ' ' ? end[2] : '\0';
}

static struct watch_sample sample(const struct post *p, uint64_t now_ns)
{
    const struct beacon *b = &p->w->beacon;
    int tid = __atomic_load_n(&b->tid, __ATOMIC_RELAXED);
    uint8_t stage = __atomic_load_n(&b->stage, __ATOMIC_ACQUIRE);
    struct watch_sample s = {.now_ns = now_ns,
                             .round_ns = __atomic_load_n(&b->round_ns, __ATOMIC_RELAXED),
                             .place = (uintptr_t)__atomic_load_n(&b->packet, __ATOMIC_RELAXED),
                             .asleep = tid == 0 || stage == STAGE_POLL};
    clockid_t clock;

    if (!watch_wants_more(&p->watch, &s))
        return s;
    if (pthread_getcpuclockid(p->w->thread, &clock) == 0)
        s.cpu_ns = clock_read(clock);
    s.state = thread_state(tid);
    return s;
}

/* True when the worker lives. */
static bool look_at(struct post *p, uint64_t now_ns)
{
    struct watch_sample s = sample(p, now_ns);
    enum watch_says says = watch_look(&p->watch, &s, sup.stall_ms);
    uint64_t ms = (now_ns - p->watch.since_ns) / NS_PER_MS;

    switch (says) {
    case WATCH_FINE:
        break;
    case WATCH_RESUMED:
        say(LOG_LEVEL_WARNING, "worker_resumed", p->w,
            json_pack("{s:i, s:I}", "worker", (int)p->w->cfg.index, "ms", (json_int_t)p->watch.resumed_ms));
        break;
    case WATCH_HELD:
        say(LOG_LEVEL_WARNING, "worker_held", p->w, story(p->w, ms, NULL));
        break;
    case WATCH_STUCK:
    case WATCH_BLOCKED:
        give_up(p->w, ms, says == WATCH_BLOCKED);
    }
    return s.asleep || p->watch.seen < 2 || ms < sup.stall_ms;
}

static void tell_load(struct post *p, uint64_t now_ns)
{
    json_t *load = load_event(&p->said, p->w, now_ns), *slow = load_slow_event(&p->said, p->w);

    if (load)
        say(LOG_LEVEL_WARNING, "overload", p->w, load);
    if (slow)
        say(LOG_LEVEL_NOTICE, "packet_slow", p->w, slow);
}

/* The steering program let frames cross that the worker should have seen. */
static void look_for_escapes(struct post *p, uint64_t now_ns)
{
    uint64_t escaped = pulse_escaped(&p->w->pulse);

    if (escaped == p->escaped || now_ns < p->escaped_due_ns)
        return;
    say(LOG_LEVEL_WARNING, "worker_escape", p->w,
        json_pack("{s:i, s:I}", "worker", (int)p->w->cfg.index, "frames",
                  (json_int_t)(escaped - p->escaped)));
    p->escaped = escaped;
    p->escaped_due_ns = now_ns + ESCAPES_S * NS_PER_S;
}

static void look(uint64_t now_ns, uint64_t late_ms)
{
    bool all_live = true;

    pthread_mutex_lock(&sup.lock);
    for (unsigned i = 0; i < sup.n_posts; i++) {
        if (late_ms >= LATE_MS)
            watch_excuse(&sup.posts[i].watch);
        look_for_escapes(&sup.posts[i], now_ns);
        if (sup.stall_ms > 0)
            all_live &= look_at(&sup.posts[i], now_ns);
        tell_load(&sup.posts[i], now_ns);
    }
    pthread_mutex_unlock(&sup.lock);
    if (late_ms >= LATE_MS) {
        log_warning("main", "the daemon did not run for %llu ms", (unsigned long long)late_ms);
        engine_event("daemon_stopped", NULL, json_pack("{s:I}", "ms", (json_int_t)late_ms));
    }
    if (all_live && sup.watchdog_ns > 0 && now_ns >= sup.next_watchdog_ns) {
        notify_watchdog();
        sup.next_watchdog_ns = now_ns + sup.watchdog_ns;
    }
}

static void *run(void *arg)
{
    struct pollfd stop = {.fd = sup.wake_fd, .events = POLLIN};
    uint64_t before_ns = clock_mono_ns(), now_ns, took_ms;

    (void)arg;
    while (poll(&stop, 1, PERIOD_MS) <= 0) {
        now_ns = clock_mono_ns();
        took_ms = (now_ns - before_ns) / NS_PER_MS;
        look(now_ns, took_ms > PERIOD_MS ? took_ms - PERIOD_MS : 0);
        before_ns = now_ns;
    }
    return NULL;
}

/* --- start and end ------------------------------------------------------------------------------------------------- */

void supervise_stall(uint32_t ms)
{
    pthread_mutex_lock(&sup.lock);
    sup.stall_ms = ms;
    pthread_mutex_unlock(&sup.lock);
}

int supervise_start(uint32_t stall_ms, struct err *e)
{
    if (inquiry_init(e) < 0)
        return e->code;
    supervise_stall(stall_ms);
    sup.watchdog_ns = notify_watchdog_ns() / 2;
    sup.wake_fd = eventfd(0, EFD_CLOEXEC);
    if (sup.wake_fd < 0)
        return err_sys(e, -errno, "cannot make an eventfd for the supervisor");
    int rc = thread_start(&sup.thread, "supervisor", run, NULL, e);
    if (rc)
        close(sup.wake_fd);
    sup.runs = rc == 0;
    return rc;
}

void supervise_stop(void)
{
    uint64_t one = 1;

    if (!sup.runs)
        return;
    if (write(sup.wake_fd, &one, sizeof(one)) != sizeof(one))
        log_warning("main", "the supervisor cannot be told to end");
    pthread_join(sup.thread, NULL);
    close(sup.wake_fd);
    sup.runs = false;
}

void supervise_add(struct bridge *b)
{
    pthread_mutex_lock(&sup.lock);
    if (sup.n_bridges < BRIDGES_MAX)
        sup.bridges[sup.n_bridges++] = b;
    for (uint32_t i = 0; i < b->n_workers && sup.n_posts < WORKERS_MAX; i++)
        sup.posts[sup.n_posts++] = (struct post){.w = b->workers[i],
                                                 .escaped = pulse_escaped(&b->workers[i]->pulse),
                                                 .said = load_said_now(b->workers[i])};
    pthread_mutex_unlock(&sup.lock);
}

void supervise_remove(struct bridge *b)
{
    unsigned n = 0;

    pthread_mutex_lock(&sup.lock);
    for (unsigned i = 0; i < sup.n_posts; i++)
        if (sup.posts[i].w->bridge != b->index)
            sup.posts[n++] = sup.posts[i];
    sup.n_posts = n;
    n = 0;
    for (unsigned i = 0; i < sup.n_bridges; i++)
        if (sup.bridges[i] != b)
            sup.bridges[n++] = sup.bridges[i];
    sup.n_bridges = n;
    pthread_mutex_unlock(&sup.lock);
}
