/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Streams of an HTTP/2 connection: each is a transaction with a request and a response.
 *
 * A stream begins with its first header block and is forgotten when both messages have ended, or when one end resets it.
 * What the other end has sent until it learns of a reset is ignored by who sent it, and so here: the last few streams
 * that were reset are remembered with the end that did it. Everything else that comes for a stream that is over is an
 * event, because a receiver that still takes it has seen what rules have not; header blocks open a new transaction, so
 * that rules see them all the same.
 *
 * At most limits.transactions streams are open at a time: who opens more than any server allows is not followed.
 *
 * Bodies gather the DATA of small frames and are shown to rules before anything else of the connection is, or before
 * the segment leaves.
 *
 * Worker thread. Owns the streams.
 */
#include "ips/app/http2.h"

static unsigned bucket_of(uint32_t id)
{
    return id * 0x9e3779b1u >> 26;
}
_Static_assert(H2_BUCKETS == 64, "bucket_of() keeps six bits");

struct h2_stream *h2_find(const struct h2 *h, uint32_t id)
{
    struct h2_stream *t = h->bucket[bucket_of(id)];

    while (t && t->id != id)
        t = t->next;
    return t;
}

void h2_flush(struct app *a, struct h2 *h)
{
    struct h2_stream *t = h->gathered ? h2_find(h, h->gathered) : NULL;

    h->gathered = 0;
    if (!t)
        return;
    for (int dir = 0; dir < 2; dir++) {
        body_flush(a, &t->way[dir].as_sent, &t->tx);
        body_flush(a, &t->way[dir].body, &t->tx);
    }
    h2_forget_made(a, h);
}

/* --- begin and end -------------------------------------------------------------------------------------------------- */

static void message_free(struct app *a, struct h2_message *m)
{
    http_fields_free(a, &m->fields);
    bytes_free(a, &m->line);
    bytes_free(a, &m->uri);
    bytes_free(a, &m->host);
    body_free(a, &m->body);
    body_free(a, &m->as_sent);
    doh_free(a, &m->doh);
}

static void close_stream(struct app *a, struct h2 *h, struct h2_stream *t)
{
    struct h2_stream **link = &h->bucket[bucket_of(t->id)];

    h2_flush(a, h);
    for (int dir = 0; dir < 2; dir++) {
        body_end(a, &t->way[dir].as_sent, &t->tx, false);
        body_end(a, &t->way[dir].body, &t->tx, false);
    }
    app_tx_close(a, &t->tx);
    for (int dir = 0; dir < 2; dir++)
        message_free(a, &t->way[dir]);
    while (*link != t)
        link = &(*link)->next;
    *link = t->next;
    app_give(a, t, sizeof(*t));
    h->n_streams--;
}

void h2_close_all(struct app *a, struct h2 *h)
{
    for (unsigned i = 0; i < H2_BUCKETS; i++)
        while (h->bucket[i])
            close_stream(a, h, h->bucket[i]);
}

/* Frames of `dir` for that stream are ignored by their receiver, who has reset it. */
static bool was_reset(const struct h2 *h, uint32_t id, enum app_dir dir)
{
    bool found = false;

    for (unsigned i = 0; i < H2_RESET_IDS; i++)
        found |= h->reset_id[i] == (id | (dir == APP_TO_SERVER ? 1u << 31 : 0));
    return found;
}

struct h2_stream *h2_open(struct app *a, struct h2 *h, uint32_t id, bool push, bool *ok)
{
    enum app_dir dir = (enum app_dir)h->dir;
    struct h2_stream *t = h2_find(h, id);
    uint32_t *last = &h->last_id[id & 1];

    if (t) {
        if (push || t->way[dir].ended)
            app_event(a, AN_HTTP2_STREAM_ID_REUSE);
        return t;
    }
    if (id == 0 || was_reset(h, id, dir))
        return NULL;
    if (id <= *last)
        app_event(a, AN_HTTP2_STREAM_ID_REUSE);
    else
        *last = id;
    if (h->n_streams >= app_limits(a)->transactions) {
        app_event(a, AN_HTTP2_TOO_MANY_STREAMS);
        *ok = false;
        return NULL;
    }
    t = app_take(a, sizeof(*t));
    *ok = t != NULL;
    if (!t)
        return NULL;
    h2_flush(a, h);
    app_tx_open(a, &t->tx);
    t->id = id;
    t->way[APP_TO_SERVER].ended = dir == APP_TO_CLIENT && !push; /* it came in HTTP/1, or was not seen */
    t->next = h->bucket[bucket_of(id)];
    h->bucket[bucket_of(id)] = t;
    h->n_streams++;
    return t;
}

/* Whether the message may have no body whatever its content-length says. */
static bool no_body(const struct h2_stream *t, enum app_dir dir)
{
    const struct h2_message *m = &t->way[dir];

    return dir == APP_TO_CLIENT && (t->head || m->status == 304 || m->status == 204) && m->got == 0;
}

void h2_stream_end(struct app *a, struct h2 *h, struct h2_stream *t, enum app_dir dir)
{
    struct h2_message *m = &t->way[dir];

    h2_flush(a, h);
    if (!m->ended) {
        if (m->has_length && m->length != m->got && !no_body(t, dir))
            app_event(a, AN_HTTP2_CONTENT_LENGTH);
        body_end(a, &m->as_sent, &t->tx, true);
        body_end(a, &m->body, &t->tx, true);
        m->ended = true;
        doh_end(a, &m->doh, &t->tx, dir);
        h2_inspect(a, h, &t->tx, dir, true);
    }
    if (t->way[0].ended && t->way[1].ended)
        close_stream(a, h, t);
}

/* --- frames ----------------------------------------------------------------------------------------------------------- */

void h2_stream_data(struct app *a, struct h2 *h, const struct h2_side *s, struct span bytes)
{
    struct h2_stream *t = h2_find(h, s->stream);

    if (!t || t->way[h->dir].ended || !t->way[h->dir].whole) {
        if (bytes.len > 0 && s->stream > 0 && (t || !was_reset(h, s->stream, (enum app_dir)h->dir)))
            app_event(a, AN_HTTP2_DATA_OUT_OF_PLACE);
        return;
    }
    struct h2_message *m = &t->way[h->dir];
    if (s->stream != h->gathered)
        h2_flush(a, h);
    h->gathered = s->stream;
    m->got += bytes.len;
    doh_add(a, &m->doh, (enum app_dir)h->dir, bytes);
    body_gather(a, &m->as_sent, &t->tx, bytes);
    body_gather(a, &m->body, &t->tx, bytes);
}

void h2_stream_data_end(struct app *a, struct h2 *h, const struct h2_side *s)
{
    struct h2_stream *t = h2_find(h, s->stream);

    if (!t)
        return;
    struct h2_message *m = &t->way[h->dir];
    if (!(m->seen >> H2_DATA & 1)) {
        m->seen |= 1u << H2_DATA;
        h2_flush(a, h);
        app_put_number(a, &t->tx, BUF_HTTP2_FRAMETYPE, H2_DATA);
        h2_inspect(a, h, &t->tx, (enum app_dir)h->dir, false);
    }
    if (s->flags & H2_END_STREAM)
        h2_stream_end(a, h, t, (enum app_dir)h->dir);
}

static const uint8_t buffer_of[H2_NUMBERS] = {
    [H2_N_PRIORITY] = BUF_HTTP2_PRIORITY,
    [H2_N_WINDOW] = BUF_HTTP2_WINDOW,
    [H2_N_ERROR] = BUF_HTTP2_ERRORCODE,
    [H2_N_SIZE_UPDATE] = BUF_HTTP2_SIZE_UPDATE,
};

void h2_stream_number(struct app *a, struct h2 *h, const struct h2_side *s, enum h2_number which, uint32_t v)
{
    struct h2_stream *t = h2_find(h, s->stream);

    if (!t) {
        h2_global_begin(a, h, s);
        app_put_number(a, &h->global, (enum buffer_id)buffer_of[which], v);
        h2_global_end(a, h);
        return;
    }
    struct h2_message *m = &t->way[h->dir];
    h2_flush(a, h);
    m->number[which] = v;
    m->has |= (uint8_t)(1u << which);
    m->seen |= (uint16_t)(1u << s->type);
    app_put_number(a, &t->tx, BUF_HTTP2_FRAMETYPE, s->type);
    app_put_number(a, &t->tx, (enum buffer_id)buffer_of[which], v);
    h2_inspect(a, h, &t->tx, (enum app_dir)h->dir, false);
}

void h2_put_seen(struct app *a, struct h2_stream *t, enum app_dir dir)
{
    const struct h2_message *m = &t->way[dir];

    for (unsigned i = 0; i < H2_TYPES; i++)
        if (m->seen >> i & 1)
            app_put_number(a, &t->tx, BUF_HTTP2_FRAMETYPE, i);
    for (unsigned i = 0; i < H2_NUMBERS; i++)
        if (m->has >> i & 1)
            app_put_number(a, &t->tx, (enum buffer_id)buffer_of[i], m->number[i]);
}

enum { NO_ERROR = 0, CANCEL = 8 };

/*
 * Work is asked for and called off: by the client, or by a server that was made to find fault with it. A server that has
 * answered may call the rest of a request off.
 */
void h2_stream_reset(struct app *a, struct h2 *h, const struct h2_side *s, uint32_t code)
{
    struct h2_stream *t = h2_find(h, s->stream);

    h2_stream_number(a, h, s, H2_N_ERROR, code);
    if (t || s->stream == 0) {
        bool counts = h->dir == APP_TO_SERVER || (code != NO_ERROR && code != CANCEL);

        if (counts && h2_too_many(a, &h->resets, H2_RESETS_MAX))
            app_event(a, AN_HTTP2_RAPID_RESET);
    }
    if (!t)
        return;
    h->reset_id[h->reset_at++ % H2_RESET_IDS] = s->stream | (h->dir == APP_TO_CLIENT ? 1u << 31 : 0);
    close_stream(a, h, t);
}
