/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The logger: from the workers' rings to DIR/eve.json.
 *
 * Owns the file, the buffer of lines not yet written and its thread. The rings belong to the daemon; the
 * logger is their only consumer. Only the logger thread touches the buffer and the file while it runs; before
 * logger_start() and after logger_stop() the caller does, which is how capture mode works without a thread.
 *
 * The thread drains the rings in turn, a few records from each, so that a loud worker cannot starve the
 * others; writes whole batches; and sleeps in poll when all rings are empty, for at most WAIT_MAX_MS. Workers
 * never wake it, that would be a system call. A SIGHUP's reopen and the stop come through an eventfd.
 *
 * When the disk is full or the file cannot be written, what was formatted stays in the buffer and is tried
 * again; with PENDING_MAX bytes waiting the rings are left alone, fill up, and the workers count what they
 * lose (log.lost). So no line is torn, and the sum of what was written and what was lost is true. Each line
 * is whole in one file: on a reopen the rest of a half-written line is thrown away and counted in the diary.
 */
#include "ips/log/logger.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ips/base/clock.h"
#include "ips/base/log.h"
#include "ips/base/thread.h"
#include "ips/log/engine.h"
#include "ips/log/eve.h"
#include "ips/log/filestore.h"

#define BATCH_BYTES  (256u << 10) /* write when so much is formatted */
#define PENDING_MAX  (4u << 20)   /* formatted and not written: beyond it the rings wait */
#define TURN_RECORDS 64           /* from one ring before the next has its turn */
#define WAIT_MIN_MS  5
#define WAIT_MAX_MS  40       /* an idle logger wakes 25 times a second */
#define RETRY_NS     NS_PER_S /* after a write error */
#define COMPLAINT_NS (60 * NS_PER_S)

struct logger {
    struct logger_config cfg;
    struct event_ring *const *rings;
    uint32_t n_rings;
    int fd, wake_fd;
    char *path;
    struct eve eve;
    struct json_writer out;
    struct filestore *store;     /* NULL: no files are kept */
    struct json_writer fileinfo; /* of the file in hand */
    bool mid_line;               /* the file ends inside a line whose rest is at the start of `out` */
    int write_error;             /* of the last try: 0 or -errno */
    uint64_t retry_ns, stats_ns, start_ns;
    struct log_rate complaint;
    pthread_t thread;
    bool running;
    bool quit, reopen; /* atomics: set by other threads or a signal handler */
};

static int logger_open(struct logger *l, struct err *e)
{
    int fd = open(l->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);

    if (fd < 0) {
        err_sys(e, -errno, "cannot open %s for writing", l->path);
        err_remedy(e, "check log.dir (or --log-dir) and that the daemon's user may write there");
        return -errno;
    }
    if (l->fd >= 0)
        close(l->fd);
    l->fd = fd;
    return 0;
}

/* A daemon that was killed may have left half a line: ours must not be joined to it, or both are lost. */
static void logger_end_torn_line(struct logger *l)
{
    struct stat st;
    char last = '\n';
    int fd = open(l->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0)
        return; /* it can be written and not read: then nobody can tell */
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
        pread(fd, &last, 1, st.st_size - 1) == 1 && last != '\n' && write(l->fd, "\n", 1) == 1)
        log_warning("log", "%s ended inside a line: an earlier daemon was killed while it wrote", l->path);
    close(fd);
}

bool logger_wants(const struct logger_config *cfg, struct span event_type)
{
    const char *list = cfg->events ? cfg->events : "all";

    for (struct span word; span_next_word(&list, &word);)
        if (span_eq(word, event_type) || span_eq_str(word, "all"))
            return true;
    return false;
}

struct logger *logger_new(const struct logger_config *cfg, struct event_ring *const *rings, uint32_t n_rings,
                          struct err *e)
{
    struct logger *l = calloc(1, sizeof(*l));

    if (l == NULL) {
        err_sys(e, -ENOMEM, "cannot set up the logger");
        return NULL;
    }
    l->cfg = *cfg;
    l->rings = rings;
    l->n_rings = n_rings;
    l->fd = l->wake_fd = -1;
    l->start_ns = clock_mono_ns();
    eve_init(&l->eve, &l->cfg);
    if (asprintf(&l->path, "%s/eve.json", cfg->dir) < 0) {
        l->path = NULL;
        err_sys(e, -ENOMEM, "cannot set up the logger");
        goto fail;
    }
    if (mkdir(cfg->dir, 0750) < 0 && errno != EEXIST) {
        err_sys(e, -errno, "cannot create the log directory %s", cfg->dir);
        err_remedy(e, "create it, or set log.dir (--log-dir) to one that exists");
        goto fail;
    }
    if (logger_open(l, e) < 0)
        goto fail;
    logger_end_torn_line(l);
    if (cfg->store_dir != NULL) {
        l->store = filestore_new(cfg->store_dir, cfg->store_max_open, e);
        if (l->store == NULL)
            goto fail;
    }
    l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (l->wake_fd < 0) {
        err_sys(e, -errno, "cannot make the logger's eventfd");
        goto fail;
    }
    return l;
fail:
    logger_free(l);
    return NULL;
}

static void complain(struct logger *l, const char *what, int error)
{
    uint64_t held = 0;

    if (!log_rate_pass(&l->complaint, clock_mono_ns(), COMPLAINT_NS, &held))
        return;
    log_error("log",
              "%s %s: %s; events wait in memory and are lost when the rings are full (log.lost); free "
              "space or correct log.dir (%llu such errors since the last message)",
              what, l->path, strerrordesc_np(error), (unsigned long long)held);
}

/* Writes what is in the buffer; what the file does not take stays there. */
static int logger_flush(struct logger *l)
{
    size_t done = 0;

    l->write_error = 0;
    while (done < l->out.len) {
        ssize_t n = write(l->fd, l->out.p + done, l->out.len - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            l->write_error = n < 0 ? -errno : -EIO;
            break;
        }
        done += (size_t)n;
    }
    if (done > 0) {
        l->mid_line = l->out.p[done - 1] != '\n';
        memmove(l->out.p, l->out.p + done, l->out.len - done);
        l->out.len -= done;
    }
    if (l->write_error != 0) {
        l->retry_ns = clock_mono_ns() + RETRY_NS;
        complain(l, "cannot write", -l->write_error);
    }
    return l->write_error;
}

/* A new file must not begin with the end of a line. */
static void drop_half_line(struct logger *l)
{
    const char *end = l->mid_line && l->out.len > 0 ? memchr(l->out.p, '\n', l->out.len) : NULL;

    if (end != NULL) {
        size_t n = (size_t)(end - l->out.p) + 1;

        memmove(l->out.p, l->out.p + n, l->out.len - n);
        l->out.len -= n;
        log_warning("log", "one event was half written to the old %s and is not in the new one", l->path);
    }
    l->mid_line = false;
}

static void logger_do_reopen(struct logger *l)
{
    struct err e;

    logger_flush(l);
    if (logger_open(l, &e) < 0) {
        log_err(LOG_LEVEL_ERROR, "log", &e); /* the old file stays in use */
        return;
    }
    drop_half_line(l);
    log_notice("log", "reopened %s", l->path);
}

/* A piece of a file that is kept. */
static void logger_store(struct logger *l, uint32_t ring, const struct event *ev)
{
    l->fileinfo.len = 0;
    l->fileinfo.failed = false;
    struct span bytes = eve_write_file(&l->eve, &l->fileinfo, ev);
    struct span info = span_of(l->fileinfo.p, l->fileinfo.failed ? 0 : l->fileinfo.len);

    if (l->store != NULL)
        filestore_take(l->store, ring, ev, bytes, info);
}

/* Formats one record; without memory it is given up, which only a machine out of memory sees. */
static void logger_format(struct logger *l, const struct event *ev)
{
    size_t before = l->out.len;

    eve_write_event(&l->eve, &l->out, ev);
    if (l->out.failed) {
        l->out.len = before;
        l->out.failed = false;
        complain(l, "no memory to format an event for", ENOMEM);
    }
}

/* One turn over all rings; true when any had something. */
static bool logger_turn(struct logger *l)
{
    bool any = false;

    for (uint32_t i = 0; i < l->n_rings; i++) {
        for (unsigned n = 0; n < TURN_RECORDS && l->out.len < PENDING_MAX; n++) {
            const struct event *ev = event_ring_peek(l->rings[i]);

            if (ev == NULL)
                break;
            if (ev->type == EVENT_FILE)
                logger_store(l, i, ev);
            else
                logger_format(l, ev);
            event_ring_release(l->rings[i], ev);
            any = true;
        }
        if (l->out.len >= BATCH_BYTES && (l->write_error == 0 || clock_mono_ns() >= l->retry_ns))
            logger_flush(l);
    }
    return any;
}

/* An event whose body is one object, under the name of its type. */
static void logger_object(struct logger *l, const char *type, const char *text, uint64_t real_ns)
{
    size_t before = l->out.len;

    eve_write_head(&l->eve, &l->out, real_ns, type);
    json_write_raw(&l->out, ",\"", 2);
    json_write_raw(&l->out, type, strlen(type));
    json_write_raw(&l->out, "\":", 2);
    json_write_raw(&l->out, text, strlen(text));
    json_write_raw(&l->out, "}\n", 2);
    if (l->out.failed) {
        l->out.len = before;
        l->out.failed = false;
        complain(l, "no memory to format an event for", ENOMEM);
    }
}

/* What control-side threads said of the daemon itself. */
static void logger_engine(struct logger *l)
{
    uint64_t real_ns = 0;
    char *text;

    while (l->out.len < PENDING_MAX && (text = engine_take(&real_ns)) != NULL) {
        logger_object(l, "engine", text, real_ns);
        free(text);
    }
}

static void logger_stats(struct logger *l)
{
    json_t *body = l->cfg.stats != NULL ? l->cfg.stats(l->cfg.stats_arg) : NULL;
    uint64_t uptime_s = (clock_mono_ns() - l->start_ns) / NS_PER_S;
    char *text = NULL;

    if (body != NULL && json_object_get(body, "uptime") == NULL)
        json_object_set_new(body, "uptime", json_integer((json_int_t)uptime_s));
    if (body != NULL)
        text = json_dumps(body, JSON_COMPACT | JSON_PRESERVE_ORDER);
    json_decref(body);
    if (text == NULL)
        return;
    logger_object(l, "stats", text, clock_real_ns());
    free(text);
}

static void logger_wait(struct logger *l, int timeout_ms)
{
    struct pollfd pfd = {.fd = l->wake_fd, .events = POLLIN};
    uint64_t n;

    if (poll(&pfd, 1, timeout_ms) > 0 && read(l->wake_fd, &n, sizeof(n)) < 0)
        complain(l, "cannot read the wake-up for", errno);
}

static bool stats_are_due(const struct logger *l, uint64_t now_ns)
{
    uint64_t every_s = __atomic_load_n(&l->cfg.stats_interval_s, __ATOMIC_RELAXED);

    return every_s > 0 && now_ns - l->stats_ns >= every_s * NS_PER_S;
}

void logger_stats_every(struct logger *l, uint32_t seconds)
{
    __atomic_store_n(&l->cfg.stats_interval_s, seconds, __ATOMIC_RELAXED);
}

static void *logger_run(void *arg)
{
    struct logger *l = arg;
    int wait_ms = WAIT_MIN_MS;

    while (!__atomic_load_n(&l->quit, __ATOMIC_ACQUIRE)) {
        bool any = logger_turn(l);
        uint64_t now = clock_mono_ns();

        logger_engine(l);
        if (__atomic_exchange_n(&l->reopen, false, __ATOMIC_ACQ_REL))
            logger_do_reopen(l);
        if (stats_are_due(l, now)) {
            l->stats_ns = now;
            if (l->out.len < PENDING_MAX)
                logger_stats(l);
        }
        if (any && l->write_error == 0)
            continue;
        if (l->out.len > 0 && (l->write_error == 0 || now >= l->retry_ns))
            logger_flush(l);
        wait_ms = any ? WAIT_MIN_MS : wait_ms * 2;
        if (wait_ms > WAIT_MAX_MS)
            wait_ms = WAIT_MAX_MS;
        logger_wait(l, wait_ms);
    }
    return NULL;
}

int logger_start(struct logger *l, struct err *e)
{
    l->stats_ns = clock_mono_ns();
    int rc = thread_start(&l->thread, "logger", logger_run, l, e);
    l->running = rc == 0;
    return rc;
}

static void logger_wake(struct logger *l)
{
    uint64_t one = 1;
    int saved = errno;
    ssize_t n = write(l->wake_fd, &one, sizeof(one));

    (void)n; /* fails only when wake-ups are pending already */
    errno = saved;
}

void logger_reopen(struct logger *l)
{
    __atomic_store_n(&l->reopen, true, __ATOMIC_RELEASE);
    logger_wake(l);
}

int logger_drain(struct logger *l, struct err *e)
{
    int rc = 0;

    if (__atomic_exchange_n(&l->reopen, false, __ATOMIC_ACQ_REL))
        logger_do_reopen(l);
    while (logger_turn(l))
        if (l->out.len >= BATCH_BYTES)
            rc = logger_flush(l);
    if (l->out.len > 0)
        rc = logger_flush(l);
    if (rc == 0)
        return 0;
    err_sys(e, rc, "cannot write events to %s", l->path);
    err_remedy(e, "free space there, or set log.dir (--log-dir) to another directory");
    return rc;
}

int logger_stop(struct logger *l, struct err *e)
{
    if (l->running) {
        __atomic_store_n(&l->quit, true, __ATOMIC_RELEASE);
        logger_wake(l);
        pthread_join(l->thread, NULL);
        l->running = false;
    }
    while (logger_turn(l))
        if (l->out.len >= PENDING_MAX && logger_flush(l) != 0)
            break;
    logger_engine(l);
    logger_stats(l);
    return logger_drain(l, e);
}

void logger_free(struct logger *l)
{
    if (l == NULL)
        return;
    if (l->fd >= 0)
        close(l->fd);
    if (l->wake_fd >= 0)
        close(l->wake_fd);
    filestore_free(l->store);
    json_writer_fini(&l->fileinfo);
    json_writer_fini(&l->out);
    free(l->path);
    free(l);
}
