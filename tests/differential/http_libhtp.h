/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_TESTS_HTTP_LIBHTP_H
#define SLUICE_TESTS_HTTP_LIBHTP_H
/*
 * Between the parts of the differential test of HTTP/1:
 *   http_libhtp.c     the program: captures, both parsers, comparing, counts
 *   http_readers.c    what each of the two made of a connection
 *   http_explained.c  differences that are meant, each with a reason and a check
 *   http_streams.c    captures into turns of bytes
 *   http_made.c       connections made up
 */
#include "tests/differential/http_streams.h"

/* In the order in which they are compared. */
#define READ_FIELDS(X)                        \
    X(METHOD, "method")                       \
    X(TARGET, "raw uri")                      \
    X(URI, "uri")                             \
    X(REQUEST_PROTOCOL, "protocol")           \
    X(REQUEST_HEADERS, "request headers")     \
    X(HOST, "host")                           \
    X(REQUEST_BODY, "request body")           \
    X(RESPONSE_PROTOCOL, "response protocol") \
    X(STATUS, "status")                       \
    X(MESSAGE, "message")                     \
    X(RESPONSE_HEADERS, "response headers")   \
    X(RESPONSE_BODY, "response body")

enum read_field {
#define X(id, name) READ_##id,
    READ_FIELDS(X)
#undef X
        READ_N
};

struct text {
    uint8_t *p;
    size_t len, cap;
    bool there;
};

struct read_tx {
    struct text field[READ_N]; /* header fields: "Name: value" LF of each */
    struct text sent;    /* ours only: a request's body as it came, which rules see beside the decoded one */
    struct text wire[2]; /* ours only: the body as it came, without its framing */
};

#define READ_TX_MAX 4096

struct reading {
    struct read_tx *tx[READ_TX_MAX];
    size_t n;
    bool recognised;         /* ours */
    bool tunnel;             /* what follows is another protocol */
    struct anomalies events; /* ours */
};

struct pair {
    const struct stream_flow *flow;
    const struct reading *our, *their;
    const struct read_tx *our_tx, *their_tx; /* an empty one where there is none */
    struct span us, them;
    enum read_field field;
    size_t id;
};

enum cutting { CUT_WHOLE, CUT_BYTES, CUT_RANDOM };

void read_with_libhtp(const struct stream_flow *f, struct reading *r);
void read_with_ours(const struct stream_flow *f, enum cutting cut, struct reading *r);
void reading_free(struct reading *r);
void text_add(struct text *t, const void *p, size_t len);
struct span text_span(const struct text *t);

/* The turns are the caller's: free() each and their array. */
void make_flow(unsigned number, struct stream_flow *f);

/* NULL: nothing explains it. */
const char *explained(const struct pair *p);
void explained_counts(void (*say)(const char *why, unsigned n));
#endif
