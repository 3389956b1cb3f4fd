/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_LOG_EVE_H
#define SLUICE_LOG_EVE_H
/*
 * One event record becomes one line of EVE JSON, the format that Suricata's users' tools read: field names
 * and their order are those of Suricata 7. Logger thread only.
 */
#include "ips/log/event.h"
#include "ips/log/json.h"
#include "ips/log/logger.h"

struct eve { /* what stays the same from line to line */
    const struct logger_config *cfg;
    int64_t second; /* the one that `date` and `zone` show */
    char date[24];  /* "2024-01-01T10:00:00" */
    char zone[8];   /* "+0000" */
};

void eve_init(struct eve *eve, const struct logger_config *cfg);
/* Appends the line with its newline; on w->failed the caller cuts w back. */
void eve_write_event(struct eve *eve, struct json_writer *w, const struct event *ev);
/* Of an EVENT_FILE: its bytes; appends fileinfo's line when it has one. */
struct span eve_write_file(struct eve *eve, struct json_writer *w, const struct event *ev);
/* Opens a line: timestamp and event_type; the caller adds the rest, '}' and the newline. */
void eve_write_head(struct eve *eve, struct json_writer *w, uint64_t ts_ns, const char *event_type);
/* An address as Suricata writes it: IPv6 in full. */
void eve_write_addr(struct json_writer *w, const char *key, const struct addr *a, unsigned ip_version);
#endif
