/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_APP_BODY_H
#define SLUICE_APP_BODY_H
/*
 * Bodies: what a message carries. A parser takes the framing off (lengths, chunks, base64) and hands the rest here in
 * order; here codings are undone, what rules look into is kept, published and inspected, and a body that is a file is
 * named, typed and hashed.
 *
 *     struct body in a transaction's memory, zeroed: there is none, and every call but body_begin() does nothing
 *     body_begin()   once its headers are known; about's spans need not outlive the call
 *     body_add()     its next bytes as they came. False: the packet was dropped, stop
 *     body_end()     nothing follows; whole: it ended where its framing says, and was not cut off
 *     body_show()    from the parser's show(): what is still there of it
 *     body_free()    when the transaction goes
 *
 * body_gather() is body_add() without a look at the end of each piece: for framing with many small pieces (chunks).
 * body_flush() must follow before the parser returns from take(), because the bytes leave then.
 *
 * What is published grows (app_put_growing): the first limits.body_start bytes stay together, behind that at least the last
 * limits.body_window bytes are still there in front of the new ones. Whatever comes at once, at most BODY_PIECE bytes are
 * new in one inspection. Form data in a request is taken apart: each part with a file's name is a file in file.data, and
 * the body itself is not.
 *
 * Worker thread; memory of the flow in hand.
 */
#include "ips/app/file.h"
#include "ips/app/memory.h"

#define BODY_BUFFERS_MAX 4
#define BODY_CODINGS_MAX 4
#define BODY_PIECE       16384 /* decoded bytes that are inspected at a time, at most */

enum body_coding { BODY_IDENTITY, BODY_GZIP, BODY_DEFLATE, BODY_BROTLI, BODY_ZSTD, BODY_LZMA };

struct body_about {
    enum app_dir dir;
    enum buffer_id buffers[BODY_BUFFERS_MAX]; /* that grow with it: BUF_HTTP_RESPONSE_BODY, BUF_FILE_DATA */
    unsigned n_buffers;
    uint64_t depth; /* bytes that rules look into; 0: all */
    struct span name, content_type;
    uint8_t coding[BODY_CODINGS_MAX]; /* enum body_coding, as the sender applied them, first to last */
    unsigned n_codings; /* more than BODY_CODINGS_MAX: there were more, and nothing is decoded */
    bool file;          /* it is a file: fileinfo, hashes, filestore */
};

struct layer;
struct multipart;

struct body {
    struct bytes window; /* decoded bytes from `origin` on */
    uint64_t origin;
    uint64_t depth;
    uint64_t raw;            /* bytes that came */
    struct layer *layers;    /* of compression, the outermost first */
    struct multipart *parts; /* of form data; NULL: it is none */
    struct file file;
    uint32_t fresh_at; /* in window: what rules have not seen */
    uint8_t buffers[BODY_BUFFERS_MAX];
    uint8_t n_buffers;
    uint8_t n_layers;
    uint8_t dir;
    bool over;   /* depth is reached, or it was given up: the rest is not looked into */
    bool there;  /* between body_begin() and body_free() */
    bool ended;  /* nothing is added any more */
    bool closed; /* rules were told so */
};

bool body_begin(struct app *a, struct body *b, struct app_tx *tx, const struct body_about *about);
bool body_add(struct app *a, struct body *b, struct app_tx *tx, struct span raw);
bool body_gather(struct app *a, struct body *b, struct app_tx *tx, struct span raw);
bool body_flush(struct app *a, struct body *b, struct app_tx *tx);
bool body_end(struct app *a, struct body *b, struct app_tx *tx, bool whole);
void body_show(struct app *a, struct body *b, struct app_tx *tx);
void body_free(struct app *a, struct body *b);
#endif
