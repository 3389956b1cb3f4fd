/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_LOG_ENGINE_H
#define SLUICE_LOG_ENGINE_H
/*
 * What happens to the daemon itself (a link taken over, a worker that stalls, an upgrade), as EVE events of event_type
 * "engine": {"engine": {"event": "link_down", "bridge": "br0", ...}}. Said by any control-side thread, also before the
 * logger runs; written by the logger thread. Workers do not call this: they have their rings.
 */
#include <jansson.h>
#include <stdint.h>

#include "ips/base/log.h"

#define ENGINE_EVENTS_MAX 1024 /* waiting; what is said beyond it is counted in the next one's "lost" */

/* what: a word of letters and '_'; bridge: may be NULL; fields: an object whose members are added, taken, may be NULL. */
void engine_event(const char *what, const char *bridge, json_t *fields);

/* The same of a bridge, and a line for whoever reads the daemon's log: "bridge br0: link_down {...}". */
void engine_say(enum log_level level, const char *subsystem, const char *what, const char *bridge,
                json_t *fields);

/* For the logger: the oldest one's text (heap, the caller's; an object without a newline) and time, or NULL. */
char *engine_take(uint64_t *real_ns);
#endif
