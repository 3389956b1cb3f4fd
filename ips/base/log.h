/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_BASE_LOG_H
#define SLUICE_BASE_LOG_H
/*
 * The daemon's own diary on standard error (the journal under systemd, with "<N>" priorities when
 * JOURNAL_STREAM is set). Control threads only: a worker counts, it never formats. log_every() holds a message
 * that could repeat to one in `ms` milliseconds and says how many it swallowed.
 */
#include <stdint.h>
#include <stdbool.h>
#include "ips/base/err.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_NOTICE, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_set_level(enum log_level level);
bool log_level_parse(const char *word, enum log_level *level); /* "error" ... "debug" */
/* subsystem: the room's word ("io", "rules", "control", "log", "main"). */
void log_write(enum log_level level, const char *subsystem, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void log_err(enum log_level level, const char *subsystem, const struct err *e);

struct log_rate {
    uint64_t last_ns;
    uint64_t n_held;
};
/* True when the message may be written now; *n_held gets the number held back since the last one. */
bool log_rate_pass(struct log_rate *r, uint64_t now_ns, uint64_t every_ns, uint64_t *n_held);

#define log_error(sub, ...)   log_write(LOG_LEVEL_ERROR, sub, __VA_ARGS__)
#define log_warning(sub, ...) log_write(LOG_LEVEL_WARNING, sub, __VA_ARGS__)
#define log_notice(sub, ...)  log_write(LOG_LEVEL_NOTICE, sub, __VA_ARGS__)
#define log_info(sub, ...)    log_write(LOG_LEVEL_INFO, sub, __VA_ARGS__)
#define log_debug(sub, ...)   log_write(LOG_LEVEL_DEBUG, sub, __VA_ARGS__)
#endif
