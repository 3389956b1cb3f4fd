/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_APP_HTTP1_H
#define SLUICE_APP_HTTP1_H
/*
 * Between the files of HTTP/1's parser:
 *   http1.c        the way of bytes through a direction's steps; transactions; what rules and events are told
 *   http1_head.c   first lines and header fields
 *   http1_body.c   where a body ends, and taking its framing off
 *   http1_probe.c  whether bytes are HTTP at all
 * Worker thread.
 */
#include "ips/app/body.h"
#include "ips/app/doh.h"
#include "ips/app/http.h"

enum http1_step {
    AT_LINE,    /* in front of or in a message's first line */
    AT_HEADERS, /* in its header fields */
    AT_LENGTH,  /* in a body of `left` bytes more */
    AT_CLOSE,   /* in a body that ends with the connection */
    AT_CHUNK_SIZE,
    AT_CHUNK,     /* `left` bytes more of it */
    AT_CHUNK_END, /* its CRLF */
    AT_TRAILER,
    AT_TUNNEL, /* behind CONNECT, before its answer */
    HTTP1_STEPS
};

enum http1_next {       /* what a step says */
                  GO,   /* on to the next step */
                  WAIT, /* for bytes */
                  STOP, /* run->answer is the parser's */
};

enum http1_method { METHOD_OTHER, METHOD_GET, METHOD_HEAD, METHOD_POST, METHOD_PUT, METHOD_CONNECT };

struct http1_message {
    struct http_fields fields, trailer;
    struct bytes raw,
        raw_trailer; /* header fields as they came; raw only when fields.text is something else */
    struct body body;
    struct doh doh;
    struct body as_sent; /* of a request whose body is coded: the same without decoding */
    uint64_t length;     /* Content-Length */
    uint64_t body_bytes;
    struct http_part word[3]; /* in fields.text: method, target, protocol; or protocol, code, reason */
    uint16_t version;         /* 0x0101 is HTTP/1.1; 0: none */
    bool has_line, line_put;
    bool has_head, head_put; /* all fields are there */
    bool has_length, bad_length;
    bool chunked;
    bool raw_differs;
    bool coded; /* the body is decoded, and http_raw_body is not */
    bool done;
};

struct http1_tx {
    struct app_tx tx; /* the first member */
    struct http1_tx *next;
    struct http1_message way[2];
    struct bytes uri_room, host_room, uri_host_room;
    /* Of the target: in uri_room, or (as all of the target) in the text of the request's fields. */
    struct http_part norm, uri_host, uri_port;
    struct span host; /* the first of http.host; in a room */
    uint16_t status;
    uint8_t method; /* enum http1_method */
    bool continued; /* a 100 was seen */
    bool unasked;   /* there is no request */
    bool norm_in_room;
};

struct http1_way {
    struct bytes kept;   /* the beginning of a line */
    struct http1_tx *tx; /* whose message is under way */
    uint64_t left;
    uint32_t head_bytes, head_lines;
    uint8_t step;    /* enum http1_step */
    bool mid_line;   /* kept is not empty */
    bool blank_line; /* the last line of the head was a blank and LF: the end, unless an empty line follows */
    bool in_junk, after_junk; /* in or behind the first line, which was none of a message */
};

struct http1 {
    struct http1_way way[2];
    struct http1_tx *first, *last; /* open, by their requests' order */
    uint32_t n_open;
};

struct http1_run { /* one take() */
    struct app *a;
    struct http1 *s;
    struct http1_way *w;
    struct span in;
    uint32_t bytes; /* of in at first */
    enum app_dir dir;
    enum app_answer answer;
    bool end;
    bool put;      /* something was put that was not inspected */
    bool cut_off;  /* the connection ended in the line in hand */
    bool gathered; /* a body has bytes that were not inspected */
};

static inline struct http1_message *http1_message_of(const struct http1_run *r)
{
    return &r->w->tx->way[r->dir];
}
static inline enum anomaly http1_which(const struct http1_run *r, enum anomaly request, enum anomaly response)
{
    return r->dir == APP_TO_SERVER ? request : response;
}
static inline enum http1_next http1_stop(struct http1_run *r, enum app_answer answer)
{
    r->answer = answer;
    return STOP;
}

/* http1.c */
extern const uint16_t http1_ports[];                           /* 0-terminated */
enum http1_next http1_open(struct http1_run *r);               /* r->w->tx for a message that begins */
enum http1_next http1_finish(struct http1_run *r, bool whole); /* the message is done */
void http1_put_line(struct app *a, struct http1_tx *t, enum app_dir dir, bool all);
void http1_put_head(struct app *a, struct http1_tx *t, enum app_dir dir, bool all);

/* http1_head.c */
enum http1_next http1_line(struct http1_run *r);
enum http1_next http1_headers(struct http1_run *r);
enum http1_next http1_trailer(struct http1_run *r);
enum http1_next http1_chunk_line(struct http1_run *r, struct span *line, bool *cut);
struct span http1_raw(const struct http1_message *m);
struct span http1_word(const struct http1_message *m, unsigned i);

struct span http1_uri(const struct http1_tx *t); /* http.uri */
struct span http1_part(const struct http1_message *m, struct http_part part);

/* http1_body.c */
void http1_note_length(struct http1_run *r, struct span value);
enum http1_next http1_body_begin(struct http1_run *r); /* the head is whole: what follows it */
enum http1_next http1_junk(struct http1_run *r); /* bytes that begin no message are looked at as a body */
void http1_forget_junk(struct http1_run *r);     /* a message begins behind it after all */
enum http1_next http1_length(struct http1_run *r);
enum http1_next http1_close(struct http1_run *r);
enum http1_next http1_chunk_size(struct http1_run *r);
enum http1_next http1_chunk(struct http1_run *r);
enum http1_next http1_chunk_end(struct http1_run *r);
enum http1_next http1_tunnel(struct http1_run *r);

/* http1_probe.c */
enum app_probe http1_probe(struct span bytes, const struct app_hint *h);
enum http1_method http1_method_of(struct span word);
bool http1_method_known(struct span word);
/* Whether a request, or a response, can begin like this. */
enum app_probe http1_request_probe(struct span bytes);
enum app_probe http1_response_probe(struct span bytes);
#endif
