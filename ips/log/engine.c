/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The queue of events about the daemon itself.
 *
 * One for the process, because what can be said comes from everywhere on the control side, some of it before there is a
 * logger. Owns the texts until the logger takes them; a mutex guards the list, and is held only to link and unlink. No
 * worker comes here. When nobody takes them (no logger, a disk that is full) at most ENGINE_EVENTS_MAX wait; the newest
 * are lost, counted, and the count is said with the first one that finds room again.
 */
#include "ips/log/engine.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "ips/base/clock.h"
#include "ips/base/log.h"

struct item {
    uint64_t real_ns;
    char *text;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct item ring[ENGINE_EVENTS_MAX];
static unsigned n_waiting, oldest;
static uint64_t n_lost;

static bool put(char *text)
{
    bool room;

    pthread_mutex_lock(&lock);
    room = n_waiting < ENGINE_EVENTS_MAX;
    if (room)
        ring[(oldest + n_waiting++) % ENGINE_EVENTS_MAX] = (struct item){clock_real_ns(), text};
    else
        n_lost++;
    pthread_mutex_unlock(&lock);
    return room;
}

static uint64_t take_lost(void)
{
    uint64_t n;

    pthread_mutex_lock(&lock);
    n = n_waiting < ENGINE_EVENTS_MAX ? n_lost : 0;
    n_lost -= n;
    pthread_mutex_unlock(&lock);
    return n;
}

void engine_event(const char *what, const char *bridge, json_t *fields)
{
    json_t *o = json_pack("{s:s}", "event", what);
    uint64_t lost = take_lost();

    if (bridge)
        json_object_set_new(o, "bridge", json_string(bridge));
    if (fields)
        json_object_update(o, fields);
    if (lost)
        json_object_set_new(o, "lost", json_integer((json_int_t)lost));
    json_decref(fields);
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    if (!text)
        log_error("log", "no memory for the event %s", what);
    else if (!put(text))
        free(text);
}

void engine_say(enum log_level level, const char *subsystem, const char *what, const char *bridge,
                json_t *fields)
{
    char *text = json_dumps(fields, JSON_COMPACT);

    log_write(level, subsystem, "bridge %s: %s %s", bridge, what, text ? text : "");
    free(text);
    engine_event(what, bridge, fields);
}

char *engine_take(uint64_t *real_ns)
{
    char *text = NULL;

    pthread_mutex_lock(&lock);
    if (n_waiting > 0) {
        text = ring[oldest].text;
        *real_ns = ring[oldest].real_ns;
        oldest = (oldest + 1) % ENGINE_EVENTS_MAX;
        n_waiting--;
    }
    pthread_mutex_unlock(&lock);
    return text;
}
