/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_APP_MEMORY_H
#define SLUICE_APP_MEMORY_H
/*
 * Memory of parsers: blocks of the worker's pool, on account of the flow in hand. What one flow holds is limited
 * (app.flow_memory), and what all do (app.memory). NULL means that a limit is hit: the packet has met the exception
 * "app_memcap" by then, and the parser returns APP_BAD (or does without). Worker thread.
 */
#include "ips/app/parser.h"

/* Zeroed; aligned for anything. Blocks are powers of two from 256 bytes to 64 MB. */
void *app_take(struct app *a, uint32_t bytes);
/* The same number of bytes that it was taken with. NULL is allowed. */
void app_give(struct app *a, void *p, uint32_t bytes);
/* The same without a size, for libraries that give back without one; no exception when a limit is hit. */
void *app_lib_take(struct app *a, size_t bytes);
void app_lib_give(struct app *a, void *p);

/* Bytes that are collected. Zeroed, it is empty. */
struct bytes {
    uint8_t *p;
    uint32_t len, cap;
};
/* Behind what is there. False: no memory, nothing was added. */
bool bytes_add(struct app *a, struct bytes *b, struct span more);
/* Room for `len` bytes in all. */
bool bytes_reserve(struct app *a, struct bytes *b, uint32_t len);
/* Forgets the first n bytes. */
void bytes_cut(struct bytes *b, uint32_t n);
void bytes_free(struct app *a, struct bytes *b);
static inline struct span bytes_span(const struct bytes *b)
{
    return (struct span){.p = b->p, .len = b->len};
}

enum line_answer { LINE_MORE, LINE_WHOLE, LINE_LONG, LINE_NO_MEMORY };
/*
 * Takes from *in up to and including the next LF. LINE_WHOLE: *line is the line with its end (LF, or CRLF), in *in where
 * it lies there as a whole, else in *kept, and is valid until the next call. LINE_MORE: all of *in went into kept. LINE_LONG:
 * `max` bytes came without an end; *line is those, and the line goes on in *in. Call it with the same kept, zeroed at first.
 */
enum line_answer line_take(struct app *a, struct bytes *kept, struct span *in, uint32_t max,
                           struct span *line);
/* What waits in kept for its end: the beginning of a line, at the end of everything. */
struct span line_waits(const struct bytes *kept);
/* The same for n bytes: LINE_WHOLE when they are there. */
enum line_answer piece_take(struct app *a, struct bytes *kept, struct span *in, uint32_t n,
                            struct span *piece);
/* line without CR and LF at its end. */
struct span line_text(struct span line);
#endif
