/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_APP_APP_H
#define SLUICE_APP_APP_H
/*
 * Application protocols: which one a flow speaks, and its parser. One `struct app` per worker, a slot for each flow of
 * the worker's flow table.
 *
 * For each packet, in this order:
 *     app_begin()    new bytes are shown to the probes while the flow's protocol is not known; a segment that repeats
 *                    what was parsed before must be what it was
 *     (detection of what needs no parser)
 *     app_parse()    the parser takes the new bytes; whenever it has something for rules to look into it publishes
 *                    buffers and calls app_inspect(), which calls detection: nothing of the packet has left by then
 *     app_end()      the packet's verdict is known
 * Detection is a callback, because it stands below this room. Worker thread; no allocation but from the worker's own
 * pool (memory.h), no system call, no text is formatted.
 */
#include <stdbool.h>
#include <stdint.h>
#include "ips/app/parser.h"
#include "ips/base/beacon.h"
#include "ips/base/counters.h"
#include "ips/base/err.h"
#include "ips/base/meter.h"
#include "ips/flow/exception.h"
#include "ips/flow/flow.h"
#include "ips/io/packet.h"
#include "ips/stream/stream.h"

struct expect;

struct app_config {
    uint64_t memory_bytes; /* of this worker's pool */
    uint32_t flow_bytes;   /* of it, that one flow may hold */
    uint32_t max_flows;    /* of the flow table */
    uint64_t off;          /* APP_BIT()s of protocols that are not to be recognised */
    enum exception_action on_memcap, on_error, on_ambiguous;
    bool inline_mode;
    uint64_t store_bytes;     /* of a file that rules want kept; 0: nothing is kept */
    uint8_t asks;             /* enum rule_ask, whatever rules ask */
    bool ja3_auto, ja4_auto;  /* made when rules ask for them */
    bool log;                 /* events of transactions are wanted (log_event is called) */
    struct app_limits limits; /* of the parsers: limits.h */
    struct expect *expect;    /* of the bridge; NULL: no connection is expected. Outlives the app */
    struct beacon *beacon;    /* the worker's; NULL: nobody looks */
    struct meter *meter;      /* the worker's; NULL: nothing is timed */
};

/* What a worker's detection and log are told; both may be NULL. */
struct app_hooks {
    void *arg;
    /* The view is filled; a verdict goes into the packet. */
    void (*inspect)(void *arg, struct app *a, const struct app_view *v);
    /* A transaction, or another event of a parser, is to be logged: `event` is EVE's event_type, `object` the member that
     * holds the fields. p is NULL when the flow has ended. */
    void (*log)(void *arg, const struct app_record *r);
    /* Files that rules want kept, in pieces; each one that began is ended. False: there is no room, it is lost. May be NULL. */
    bool (*file)(void *arg, const struct app_chunk *chunk);
};

struct app *app_new(const struct app_config *cfg, struct flow_table *flows, struct stream_table *streams,
                    struct err *e);
/* Before the first packet; without it nobody is told anything. */
void app_set_hooks(struct app *a, const struct app_hooks *hooks);
void app_free(struct app *a);

void app_begin(struct app *a, struct packet *p, struct counters *c);
void app_parse(struct app *a, struct packet *p, struct counters *c);
void app_end(struct app *a, struct packet *p);

/* Before app_parse(): what is made only for rules that ask (ruleset_asks()); it stays. */
void app_set_asks(struct app *a, uint8_t asks);

/* In an inspect hook: a rule has matched in the view, and its files are to be remembered with that, or kept (enum filestore). */
void app_matched(struct app *a, const struct app_view *v, uint32_t sid, uint8_t filestore);
/* A rule has matched outside of transactions: files of the packet's flow are kept from here on (enum filestore). */
void app_keep_files(struct app *a, const struct packet *p, uint8_t filestore);
/* The list "files" of what the transaction carries, after the packet was parsed. False: nothing is known. */
bool app_files(const struct app *a, uint64_t tx_id, bool to_client, struct fields *out);

/* What the flow of the packet speaks: APP_BIT(), more than one for what is inside another (HTTP/2's DoH); 0: not known. */
uint64_t app_of(const struct app *a, const struct packet *p);
/* It will not be known any more, or it is known. */
bool app_settled(const struct app *a, const struct packet *p);
/* It became known with this packet: rules about it have not seen what came before. */
bool app_just_known(const struct app *a, const struct packet *p);
/* Of an event about the packet: the protocol's name in EVE, "failed", or NULL when there is nothing to say; the members of
 * its current transaction (fields.h) under the key *object. */
const char *app_name(const struct app *a, const struct packet *p);
const char *app_name_of(const struct app *a, const struct flow *f);
/* Bytes of the pool in use; any thread. */
uint64_t app_bytes(const struct app *a);
/* The words of EVE's app_proto; "unknown" for APP_N. */
const char *app_word(enum app_proto proto);
#endif
