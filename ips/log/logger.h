/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_LOG_LOGGER_H
#define SLUICE_LOG_LOGGER_H
/*
 * The logger thread: drains every worker's event ring in turn, writes EVE JSON lines, reopens its file when
 * asked (SIGHUP, logrotate), writes a stats event every interval and one at the end. It may block on the disk;
 * workers never wait for it: a full ring loses the event and counts it.
 */
#include <jansson.h>
#include <stdint.h>
#include "ips/base/err.h"
#include "ips/log/event.h"

struct logger_config {
    const char *dir;           /* eve.json is written here */
    uint32_t stats_interval_s; /* 0: only at the end */
    bool utc;                  /* times in UTC instead of the local zone */
    bool payload, payload_printable, packet;
    bool references;             /* of rules, in alerts */
    const char *events;          /* of protocols, with commas; "all"; NULL: all */
    const char *store_dir;       /* files are kept there; NULL: none are */
    uint32_t store_max_open;     /* at a time */
    const char *const *ifname;   /* in_iface: ifname[bridge * 2 + in_port]; NULL in capture mode */
    json_t *(*stats)(void *arg); /* the body of a stats event, a new reference */
    void *stats_arg;
};

/* Whether the list has that event_type. */
bool logger_wants(const struct logger_config *cfg, struct span event_type);

struct logger;
struct logger *logger_new(const struct logger_config *cfg, struct event_ring *const *rings, uint32_t n_rings,
                          struct err *e); /* opens the file, starts no thread */
int logger_start(struct logger *l, struct err *e);
void logger_reopen(struct logger *l); /* async-signal-safe */
/* Stats events from the last one on. Any thread. */
void logger_stats_every(struct logger *l, uint32_t seconds);
int logger_stop(struct logger *l,
                struct err *e); /* drains, writes the last stats, flushes; 0 or the write error */
void logger_free(struct logger *l);
/* Capture mode without a thread: write all that is in the rings now. */
int logger_drain(struct logger *l, struct err *e);
#endif
