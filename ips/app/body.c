/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A body's way from the bytes of its message to what rules look into: see body.h.
 *
 * Decoded bytes are written to the end of the window, and published from there. It grows by doubling while the body's
 * start is kept whole; when it is full, its last body_window bytes move to the front and the place behind them is filled
 * again, so each byte is moved once in a while at most and the cost per byte does not depend on the body's length.
 *
 * A body that finds no memory for its window is inspected piece by piece without looking back: the exception app_memcap
 * has been met by then.
 *
 * Worker thread. Owns the window, which dies in body_free(); the layers of compression are body_layers.c's.
 */
#include "ips/app/body_parts.h"
#include "ips/app/multipart.h"

static uint32_t window_max(const struct app *a)
{
    const struct app_limits *l = app_limits(a);
    uint32_t sliding = l->body_window + BODY_PIECE;

    return l->body_start > sliding ? l->body_start : sliding;
}

/* Rules see what is new. False: dropped. */
static bool publish(struct app *a, struct body *b, struct app_tx *tx, struct span bytes, bool more)
{
    struct app_window w = {.bytes = bytes, .fresh_at = b->fresh_at, .origin = b->origin, .more = more};

    for (unsigned i = 0; i < b->n_buffers; i++)
        app_put_growing(a, tx, (enum buffer_id)b->buffers[i], &w);
    if (b->origin == 0)
        file_look(&b->file, bytes, !more);
    file_take(a, &b->file, tx, bytes, b->origin);
    file_put(a, &b->file, tx);
    bool on = app_inspect(a, tx, (enum app_dir)b->dir, false);
    file_keep(a, &b->file, tx, bytes, b->origin);
    return on && (!b->parts || multipart_take(a, b->parts, tx, span_sub(bytes, b->fresh_at, bytes.len)));
}

bool body_flush(struct app *a, struct body *b, struct app_tx *tx)
{
    if (b->fresh_at == b->window.len)
        return true;
    bool on = publish(a, b, tx, bytes_span(&b->window), true);
    b->fresh_at = b->window.len;
    return on;
}

uint32_t body_room(struct app *a, struct body *b, uint32_t want)
{
    uint32_t max = window_max(a), keep = app_limits(a)->body_window;

    if (b->window.len == max) {
        uint32_t gone = b->fresh_at > keep ? b->fresh_at - keep : 0;

        bytes_cut(&b->window, gone);
        b->origin += gone;
        b->fresh_at -= gone;
    }
    if (b->window.len == b->window.cap) {
        uint32_t cap = b->window.len + want;

        cap = cap < WINDOW_FIRST ? WINDOW_FIRST : cap > max ? max : cap;
        if (!bytes_reserve(a, &b->window, cap))
            return 0;
    }
    uint32_t end = b->window.cap < max ? b->window.cap : max;
    return end - b->window.len < want ? end - b->window.len : want;
}

/* Without a window. */
static bool add_unkept(struct app *a, struct body *b, struct app_tx *tx, struct span s)
{
    b->origin += b->window.len;
    b->window.len = b->fresh_at = 0;
    bool on = publish(a, b, tx, s, true);
    b->origin += s.len;
    return on;
}

static struct span within_depth(struct body *b, struct span s)
{
    if (s.len >= b->depth - body_size(b)) {
        s.len = (uint32_t)(b->depth - body_size(b));
        b->over = true;
    }
    return s;
}

bool body_grown(struct app *a, struct body *b, struct app_tx *tx, uint32_t n)
{
    b->window.len += within_depth(b, span_of(NULL, n)).len;
    return b->window.len - b->fresh_at < BODY_PIECE || body_flush(a, b, tx);
}

bool body_plain(struct app *a, struct body *b, struct app_tx *tx, struct span s)
{
    bool on = true;

    s = within_depth(b, s);
    while (on && s.len > 0) {
        uint32_t room, fresh = b->window.len - b->fresh_at, n = BODY_PIECE - fresh;

        n = s.len < n ? s.len : n;
        room = body_room(a, b, n);
        if (room > 0) {
            n = room;
            memcpy(b->window.p + b->window.len, s.p, n);
            b->window.len += n;
            on = fresh + n < BODY_PIECE || body_flush(a, b, tx);
        } else {
            on = body_flush(a, b, tx) && add_unkept(a, b, tx, span_sub(s, 0, n));
        }
        s = span_sub(s, n, s.len);
    }
    return on;
}

bool body_begin(struct app *a, struct body *b, struct app_tx *tx, const struct body_about *about)
{
    body_free(a, b);
    b->there = true;
    b->dir = (uint8_t)about->dir;
    b->depth = about->depth ? about->depth : UINT64_MAX;
    if (about->file && about->dir == APP_TO_SERVER)
        b->parts = multipart_new(a, about);
    for (unsigned i = 0; i < about->n_buffers; i++)
        if (!b->parts || about->buffers[i] != BUF_FILE_DATA)
            b->buffers[b->n_buffers++] = (uint8_t)about->buffers[i];
    if (about->file && !b->parts)
        file_begin(a, &b->file, about->dir, about->name);
    b->over = !layers_open(a, b, about);
    return true;
}

bool body_gather(struct app *a, struct body *b, struct app_tx *tx, struct span raw)
{
    if (!b->there || b->ended || b->over)
        return true;
    b->raw += raw.len;
    return b->n_layers > 0 ? layers_push(a, b, tx, raw) : body_plain(a, b, tx, raw);
}

bool body_add(struct app *a, struct body *b, struct app_tx *tx, struct span raw)
{
    return body_gather(a, b, tx, raw) && body_flush(a, b, tx);
}

bool body_end(struct app *a, struct body *b, struct app_tx *tx, bool whole)
{
    if (!b->there || b->ended)
        return true;
    bool on = layers_finish(a, b, tx, whole);
    layers_free(a, b);
    b->ended = true;
    if (!on || body_size(b) == 0)
        return on;
    if (b->origin == 0)
        file_look(&b->file, bytes_span(&b->window), true);
    file_take(a, &b->file, tx, bytes_span(&b->window), b->origin);
    file_end(a, &b->file, tx, body_size(b), whole && !b->over);
    on = publish(a, b, tx, bytes_span(&b->window), false);
    file_close(a, &b->file, tx);
    b->fresh_at = b->window.len;
    b->closed = true;
    return on && (!b->parts || multipart_end(a, b->parts, tx, whole));
}

void body_show(struct app *a, struct body *b, struct app_tx *tx)
{
    struct app_window w = {
        .bytes = bytes_span(&b->window), .fresh_at = b->fresh_at, .origin = b->origin, .more = !b->closed};

    if (!b->there || body_size(b) == 0)
        return;
    file_show(a, &b->file, tx);
    if (b->parts)
        multipart_show(a, b->parts, tx);
    for (unsigned i = 0; i < b->n_buffers; i++)
        app_put_growing(a, tx, (enum buffer_id)b->buffers[i], &w);
}

void body_free(struct app *a, struct body *b)
{
    layers_free(a, b);
    file_free(a, &b->file);
    multipart_free(a, b->parts);
    bytes_free(a, &b->window);
    *b = (struct body){0};
}
