/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_APP_HTTP2_H
#define SLUICE_APP_HTTP2_H
/*
 * Between the files of the HTTP/2 parser:
 *   http2.c          a connection: preface, frames, what belongs to no stream
 *   http2_stream.c   streams: opened, found, ended; what their frames do to them
 *   http2_block.c    header blocks: HPACK, limits, fields that are odd
 *   http2_message.c  what a block makes of its message: target, host, body
 *   http2_show.c     what rules and EVE see
 * Worker thread; memory of the flow in hand.
 */
#include <nghttp2/nghttp2.h>

#include "ips/app/body.h"
#include "ips/app/doh.h"
#include "ips/app/http.h"

#define H2_EXPANSION_MAX     16    /* times its bytes that a block may grow to beyond the limit of headers */
#define H2_TABLE_MAX         65536 /* bytes of a dynamic table that an encoder may ask for */
#define H2_FRAME_MAX         16384 /* bytes of a frame's payload without the receiver having asked for more */
#define H2_CONTINUATIONS_MAX 128   /* of one header block */
#define H2_RESETS_MAX        128   /* streams of a connection that are reset unfinished, within a second */
#define H2_CONTROLS_MAX      1024 /* frames that carry nothing of a message, within a second and a direction */
#define H2_BUCKETS           64
#define H2_RESET_IDS         16
#define H2_SETTINGS_SHOWN    8

enum h2_type {
    H2_DATA,
    H2_HEADERS,
    H2_PRIORITY,
    H2_RST_STREAM,
    H2_SETTINGS,
    H2_PUSH_PROMISE,
    H2_PING,
    H2_GOAWAY,
    H2_WINDOW_UPDATE,
    H2_CONTINUATION,
    H2_TYPES
};
enum h2_flag { H2_END_STREAM = 1, H2_ACK = 1, H2_END_HEADERS = 4, H2_PADDED = 8, H2_PRIORITISED = 0x20 };

/* What goes on where several frames are looked at together: the last of each kind. */
enum h2_number { H2_N_PRIORITY, H2_N_WINDOW, H2_N_ERROR, H2_N_SIZE_UPDATE, H2_NUMBERS };

struct h2_message { /* one direction of a stream */
    struct http_fields fields;
    struct bytes line, uri,
        host; /* made of them: first line, http.uri, http.host where they are not in fields */
    struct body body;
    struct body as_sent; /* of a request whose body is coded: the same without decoding */
    struct doh doh;
    struct span uri_norm, host_norm; /* in uri, host, or fields */
    uint64_t length, got;            /* content-length, and bytes of DATA */
    uint32_t number[H2_NUMBERS];
    uint16_t seen;   /* frame types: 1 << type */
    uint16_t status; /* of a response */
    uint8_t has;     /* numbers: 1 << enum h2_number */
    bool has_length, ended;
    bool whole; /* its fields are there */
};

struct h2_stream {
    struct app_tx tx;
    struct h2_stream *next; /* of the bucket */
    uint32_t id;
    bool head;                /* the method is HEAD */
    struct h2_message way[2]; /* by enum app_dir: request, response */
};

struct h2_side { /* one direction of the connection */
    uint8_t part[24];
    uint8_t n_part, want; /* bytes that are collected, and how many it takes */
    uint8_t step;
    uint8_t type, flags;
    uint32_t left, pad; /* bytes of the frame in hand: payload, padding */
    uint32_t stream;
    nghttp2_hd_inflater *inflate;
    struct h2_block { /* the header block in hand */
        struct http_fields fields;
        struct bytes cookie;                  /* crumbs of a request's cookie, joined */
        uint32_t stream, frames, wire, plain; /* bytes as they came, and decoded */
        uint32_t size;                        /* of the table, as far as it was read */
        uint8_t sizing;                       /* table size updates at its beginning: see size_updates() */
        uint8_t size_shift, pseudo; /* pseudo headers that were there, by their place in the table */
        bool on, ends, push;        /* its stream ends with it */
        bool regular, parted;       /* a field that is no pseudo header came; a part was inspected */
        bool has_size;
    } block;
};

struct h2_rate {
    uint64_t since_ns;
    uint32_t n;
};

struct h2 {
    nghttp2_mem mem;
    struct h2_side side[2];
    struct h2_stream *bucket[H2_BUCKETS];
    uint32_t n_streams;
    uint32_t gathered;   /* id of the stream whose body has bytes that rules have not seen; 0: none */
    uint32_t last_id[2]; /* the highest that was opened: odd, even ones */
    uint32_t reset_id[H2_RESET_IDS];
    uint8_t reset_at, dir;
    struct h2_rate resets, controls[2];
    struct h2_made { /* http2.header of request, response, trailer: until rules have looked */
        struct bytes text;
        bool on;
    } made[3];
    struct app_tx global; /* the transaction of a frame of no open stream */
    struct {
        uint32_t stream, error;
        uint8_t type, dir, n;
        bool on, put;
        struct {
            uint32_t id, value;
        } setting[H2_SETTINGS_SHOWN];
    } globals;
};

/* http2.c: a transaction of the frame in hand alone */
void h2_global_begin(struct app *a, struct h2 *h, const struct h2_side *s);
void h2_global_end(struct app *a, struct h2 *h);
/* More than `max` within a second. */
bool h2_too_many(struct app *a, struct h2_rate *r, uint32_t max);

/* http2_stream.c */
struct h2_stream *h2_find(const struct h2 *h, uint32_t id);
/* The stream of a header block; NULL: there is none to be. *ok false: the connection is given up. */
struct h2_stream *h2_open(struct app *a, struct h2 *h, uint32_t id, bool push, bool *ok);
void h2_close_all(struct app *a, struct h2 *h);
void h2_stream_data(struct app *a, struct h2 *h, const struct h2_side *s, struct span bytes);
void h2_stream_data_end(struct app *a, struct h2 *h, const struct h2_side *s);
void h2_stream_number(struct app *a, struct h2 *h, const struct h2_side *s, enum h2_number which, uint32_t v);
void h2_stream_reset(struct app *a, struct h2 *h, const struct h2_side *s, uint32_t code);
/* A message's end: what it said of its length, and its stream's end when it was the last. */
void h2_stream_end(struct app *a, struct h2 *h, struct h2_stream *t, enum app_dir dir);
/* The body of a gathered stream is shown to rules: before anything else is. */
void h2_flush(struct app *a, struct h2 *h);

/* http2_block.c. False: the connection cannot be followed any further; an event was set, or memory is short. */
bool h2_block_begin(struct app *a, struct h2 *h, struct h2_side *s, uint32_t id, int priority, bool push);
bool h2_block_add(struct app *a, struct h2 *h, struct h2_side *s, struct span bytes, bool last);
bool h2_block_end(struct app *a, struct h2 *h, struct h2_side *s);
void h2_block_free(struct app *a, struct h2_side *s);

/* http2_message.c */
/* The fields of a first block become the message's. */
bool h2_message_begin(struct app *a, struct h2 *h, struct h2_stream *t, enum app_dir dir, bool ends);
/* The value of the field of that name; p is NULL when there is none. */
struct span h2_get(const struct http_fields *f, const char *name);

/* Whom a request is for, as sent: :authority, or else Host. */
struct span h2_authority(const struct http_fields *f);

/* http2_show.c */
void h2_put_message(struct app *a, struct h2 *h, struct h2_stream *t, enum app_dir dir, bool all);
void h2_put_each(struct app *a, struct h2 *h, struct h2_stream *t, enum app_dir dir, bool all);
/* Fields behind the first ones: of a trailer, or those beyond the limits. */
void h2_put_more(struct app *a, struct h2 *h, struct app_tx *tx, const struct http_fields *f,
                 enum app_dir dir);
void h2_put_seen(struct app *a, struct h2_stream *t, enum app_dir dir);
void h2_forget_made(struct app *a, struct h2 *h);
/* app_inspect(), and what was made for it goes. */
void h2_inspect(struct app *a, struct h2 *h, struct app_tx *tx, enum app_dir dir, bool end);
void h2_show(struct app *a, void *state, struct app_tx *tx, enum app_dir dir);
void h2_fields(void *state, const struct app_tx *tx, struct fields *f);
#endif
