/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon's diary: one line per message on standard error.
 *
 * Owns the level and nothing else. A line is formatted on the caller's stack and leaves in one write(2), so
 * lines of several threads never mix and no lock is held. Control threads and the logger only; workers count.
 *
 * Under systemd (JOURNAL_STREAM names it) a line begins with "<N>", the syslog priority that the journal
 * reads; on a terminal it begins with the level's word. Control characters in a message are replaced: texts
 * quote file names and words from the socket, and a terminal must not obey those.
 *
 * A message that cannot be written is lost on purpose: there is nowhere left to say so.
 */
#include "ips/base/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int level_now = LOG_LEVEL_NOTICE; /* relaxed atomic: any thread reads, the control thread writes */

static const struct {
    const char *word;
    char priority; /* syslog(3) */
} levels[] = {
    [LOG_LEVEL_ERROR] = {"error", '3'},   [LOG_LEVEL_WARNING] = {"warning", '4'},
    [LOG_LEVEL_NOTICE] = {"notice", '5'}, [LOG_LEVEL_INFO] = {"info", '6'},
    [LOG_LEVEL_DEBUG] = {"debug", '7'},
};

void log_set_level(enum log_level level)
{
    __atomic_store_n(&level_now, (int)level, __ATOMIC_RELAXED);
}

bool log_level_parse(const char *word, enum log_level *level)
{
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
        if (strcmp(levels[i].word, word) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    return false;
}

/* The variable is inherited by whatever a service starts; only device and inode say that it is this
 * descriptor. */
static bool is_journal(void)
{
    const char *env = getenv("JOURNAL_STREAM");
    unsigned long long dev, ino;
    struct stat st;

    return env != NULL && sscanf(env, "%llu:%llu", &dev, &ino) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
           st.st_dev == dev && st.st_ino == ino;
}

static void log_line(enum log_level level, const char *subsystem, const char *text)
{
    char line[1400];
    size_t len;
    ssize_t written;
    int n;

    if (is_journal())
        n = snprintf(line, sizeof(line), "<%c>%s: %s\n", levels[level].priority, subsystem, text);
    else
        n = snprintf(line, sizeof(line), "%s: %s: %s\n", levels[level].word, subsystem, text);
    if (n < 0)
        return;
    len = (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1;
    line[len - 1] = '\n';
    for (size_t i = 0; i + 1 < len; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    written = write(STDERR_FILENO, line, len);
    (void)written;
}

void log_write(enum log_level level, const char *subsystem, const char *fmt, ...)
{
    char text[1200];
    va_list ap;

    if ((int)level > __atomic_load_n(&level_now, __ATOMIC_RELAXED))
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    log_line(level, subsystem, text);
}

void log_err(enum log_level level, const char *subsystem, const struct err *e)
{
    char text[1100];

    if ((int)level <= __atomic_load_n(&level_now, __ATOMIC_RELAXED))
        log_line(level, subsystem, err_format(e, text, sizeof(text)));
}

bool log_rate_pass(struct log_rate *r, uint64_t now_ns, uint64_t every_ns, uint64_t *n_held)
{
    if (r->last_ns != 0 && now_ns - r->last_ns < every_ns) {
        r->n_held++;
        return false;
    }
    *n_held = r->n_held;
    r->n_held = 0;
    r->last_ns = now_ns != 0 ? now_ns : 1;
    return true;
}
