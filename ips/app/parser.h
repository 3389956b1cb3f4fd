/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_APP_PARSER_H
#define SLUICE_APP_PARSER_H
/*
 * What a protocol's parser is, and what it may call. This is all that a parser includes of the engine.
 *
 * A parser gets the bytes of both directions, each in order and each byte once, in pieces of any length: a piece of
 * one byte is as good as a megabyte. It keeps what it needs of them in its own memory (memory.h), bounded by the
 * limits in limits.h, and never waits for a whole message before it says what it has. It never sees a packet.
 *
 * Transactions. A parser's transaction begins with a struct app_tx, which detection uses to remember what rules it has
 * tried. app_tx_open() numbers it; while the parser publishes for it:
 *
 *     app_put(a, tx, BUF_HTTP_URI, uri);               one more instance of the buffer, or its only one
 *     app_put_number(a, tx, BUF_DNS_OPCODE, 0);        a number, for keywords with conditions (numbers are buffers, too)
 *     app_put_growing(a, tx, BUF_FILE_DATA, &window);  the last bytes of something that grows
 *     app_inspect(a, tx, dir, end);                    rules look at what was put since the last time
 *
 * What was put must stay as it is until app_inspect() returns, no longer. Rules that found a part of what they ask for
 * in an earlier app_inspect() of the transaction are tried again, with everything that the parser's show() puts: it puts
 * all buffers of the transaction that the parser still has, of both directions. Inspect as early as something is
 * complete (a request line, all headers, a chunk of a body) if it would otherwise have to wait for bytes that are
 * not there yet, and before memory is reused; not for every byte. `end` says that nothing more will be put in that
 * direction.
 *
 * An event (app_event) is noticed by rules (app-layer-event), counted, and said in EVE. Rows of ips/base/anomaly.h whose
 * help begins with '*' are ambiguities: two receivers may read the bytes differently; app.ambiguous says what becomes
 * of the flow. Rows whose help begins with '#' are limits behind which something is not looked into: what then happens
 * is app.memcap_policy, so that no limit makes us blind and silent.
 *
 * Every loop over attacker's bytes is linear in them or bounded by a limit. Worker thread.
 */
#include <stdbool.h>
#include <stdint.h>
#include "ips/app/limits.h"
#include "ips/base/anomaly.h"
#include "ips/base/fields.h"
#include "ips/base/span.h"
#include "rules/buffers.h"
#include "rules/service.h"

struct app;
struct packet;
struct flow;

enum app_dir { APP_TO_SERVER, APP_TO_CLIENT };

/* --- what a parser is --------------------------------------------------------------------------------------------- */

enum app_probe {
    PROBE_NO,     /* these bytes cannot be this protocol's */
    PROBE_MORE,   /* so far they could */
    PROBE_LIKELY, /* they could well be: when the port fits too, or nobody else claims them */
    PROBE_YES,    /* no other protocol begins like this */
};

struct app_hint {          /* beside the bytes */
    uint16_t sport, dport; /* of the flow: the opener's, the other's */
    uint8_t dir;           /* enum app_dir of the bytes */
    bool udp;
    struct span other; /* what the other direction has sent so far; may be empty */
};

struct app_in {
    struct span bytes;
    uint64_t offset; /* of them in the direction, from where the parser began */
    uint8_t dir;     /* enum app_dir */
    bool end; /* nothing follows in this direction: FIN. bytes may be empty then. Datagrams: always, and bytes
                        are one whole datagram */
};

enum app_answer {
    APP_OK, /* all bytes are taken */
    APP_DONE, /* nothing further of this flow can be understood (it is encrypted, say): no more calls but close() */
    APP_BAD,    /* these bytes are not the protocol's (an event was set): no more calls but close() */
    APP_SWITCH, /* after app_switch(): another protocol from there on */
};

struct app_tx {
    uint64_t id; /* from 0 in each flow, EVE's tx_id */
    uint8_t logged;
    uint8_t store; /* bit by direction: its files are kept (filestore) */
    struct app_memo {
        uint32_t generation; /* of the ruleset, + 1; 0: nothing is remembered */
        uint8_t n;           /* rules below */
        bool all;            /* more rules than that wait: everything is searched again */
        bool full;           /* some that have matched are not among them */
        uint8_t pad;
        uint32_t rule[14]; /* index; MEMO_DONE: it has matched */
    } memo[2];             /* by direction */
};
#define MEMO_DONE (1u << 31)

struct app_parser {
    uint8_t proto; /* enum app_proto */
    bool tcp, udp;
    uint32_t state_bytes; /* per flow, zeroed; 0: none is kept, and state is NULL */
    const uint16_t
        *ports; /* 0-terminated; the server's; they break ties between probes, nothing more. NULL: none */
    /* NULL: this protocol is only switched to */
    enum app_probe (*probe)(struct span bytes, const struct app_hint *h);
    enum app_answer (*take)(struct app *a, void *state, const struct app_in *in);
    /* The flow is gone, or switched to another protocol: what is unfinished is logged, memory goes back. May be NULL. */
    void (*close)(struct app *a, void *state);
    /* All buffers of the transaction that are still there; dir is the direction that is being inspected. */
    void (*show)(struct app *a, void *state, struct app_tx *tx, enum app_dir dir);
    /* For EVE: the members of the object named after the protocol. May be NULL. */
    void (*fields)(void *state, const struct app_tx *tx, struct fields *f);
    const char *object; /* its key in events; NULL: the protocol's name */
};

/* The table (table.c): every parser's file defines one or more of them. */
extern const struct app_parser *const app_parsers[];

/* --- what a parser may call ----------------------------------------------------------------------------------------- */

/* A new transaction of the flow in hand. */
void app_tx_open(struct app *a, struct app_tx *tx);
/* It is complete, or given up: its EVE event is written if it was not (fields()). Its memory is the parser's. */
void app_tx_close(struct app *a, struct app_tx *tx);

struct app_window {    /* of something that grows */
    struct span bytes; /* its last bytes, at least all that are new since the last time */
    uint32_t fresh_at; /* where the new ones begin in bytes */
    uint64_t origin;   /* place of bytes.p[0] from its beginning */
    bool more;         /* it may grow further */
};

void app_put(struct app *a, struct app_tx *tx, enum buffer_id b, struct span bytes);
void app_put_number(struct app *a, struct app_tx *tx, enum buffer_id b, uint64_t v);
void app_put_growing(struct app *a, struct app_tx *tx, enum buffer_id b, const struct app_window *w);
/* False when the packet or its flow was dropped: stop parsing, return APP_OK. */
bool app_inspect(struct app *a, struct app_tx *tx, enum app_dir dir, bool end);

void app_event(struct app *a, enum anomaly which);
/* An EVE event of another type than the transaction's own (fileinfo). fields() in f are of `object`; f may be NULL. */
void app_log(struct app *a, const char *event, const char *object, const struct app_tx *tx,
             const struct fields *f);

/* From `consumed` bytes of this piece on the flow speaks `proto`; APP_N: it is recognised anew. In both directions: what
 * the other direction sends next is the new protocol's, too. Then return APP_SWITCH. */
void app_switch(struct app *a, uint32_t consumed, enum app_proto proto);
/* The flow speaks that, too: one protocol inside another. For rules, from the next app_inspect() on. */
void app_also(struct app *a, enum app_proto proto);
/* The flow needs no more inspection at all (what follows is encrypted, app.encryption is bypass). */
void app_bypass(struct app *a);
/* A connection that this one has agreed on (FTP's data): the next one between these hosts to `port` of the end `dir` points
 * to speaks proto; parent and note are given to its parser (app_expected). */
bool app_expect(struct app *a, enum app_dir dir, uint16_t port, enum app_proto proto, struct span note);
/* In take(): the note that app_expect() left for this flow; empty when it was not expected. */
struct span app_expected(const struct app *a);
/* What the flow is, for those who must know: time, ports, ids. Never NULL in take(). */
const struct flow *app_flow_of(const struct app *a);
uint64_t app_now_ns(const struct app *a);
uint64_t app_real_ns(const struct app *a); /* of the packet, for dates */
const struct app_limits *app_limits(const struct app *a);

/* --- what detection reads ------------------------------------------------------------------------------------------- */

#define APP_INSTANCES_MAX 512
#define APP_FRESH_MAX     384 /* of them, new ones: the others are room for what show() puts beside them */

struct app_view {
    uint64_t set[(BUF_N + 63) / 64];    /* buffers that are there */
    uint64_t fresh[(BUF_N + 63) / 64];  /* of them, those with something new */
    uint64_t open[(BUF_N + 63) / 64];   /* of them, those that may grow */
    uint16_t first[BUF_N], last[BUF_N]; /* index + 1 of an instance; only where set says so */
    uint32_t fresh_at[BUF_N];           /* growing ones only (open, or window) */
    uint64_t origin[BUF_N];
    struct buffer_instance instance[APP_INSTANCES_MAX];
    uint64_t numbers[APP_INSTANCES_MAX]; /* what app_put_number() put, by instance */
    uint16_t n;
    struct app_tx *tx;
    uint8_t proto; /* enum app_proto */
    uint8_t dir;   /* enum app_dir */
    bool end;
    bool shown; /* show() has put everything: app_view_complete() */
};

/* Puts everything that the parser still has, once; detection calls it when there is a rule to try. */
void app_view_complete(struct app *a);
/* fields() of the transaction in hand; false when there is none. *object: the key in the event. */
bool app_view_fields(struct app *a, struct fields *f, const char **object);

struct app_chunk {     /* of a file that is to be kept, for the file hook */
    uint64_t id;       /* of the file, among those of this app */
    struct span bytes; /* they follow those of the chunk before */
    bool first, last;
    const struct app_record *info; /* of the last one: fileinfo; NULL: it was given up */
};

struct app_record { /* for the log hook */
    const char *event, *object;
    const struct packet *p; /* NULL: the flow has ended */
    const struct flow *flow;
    const struct fields *fields;
    const char *app; /* app_word() */
    uint64_t tx_id;
    bool has_tx, to_client;
};
#endif
