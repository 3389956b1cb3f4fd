/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A body's compression: layers that bytes are pushed through, the outermost first. The last one writes into the body's
 * window, the others into a little room of their own, so that what is in memory at a time is bounded whatever the
 * bytes grow to; growth itself is bounded by app.decompress_bytes and app.decompress_ratio (AN_BODY_BOMB).
 *
 * Senders lie about codings, and receivers differ in what they do then. The rule here: a layer that makes no sense lets
 * everything through as it came, from its first byte on while that is still held (HELD_MAX), so that rules see what a
 * lenient receiver shows; and an event says that there was something to be lenient about.
 *
 * Worker thread. Owns the layers, which die in layers_free().
 */
#include "ips/app/app_parts.h"
#include "ips/app/body_parts.h"
#include "ips/app/inflate.h"

#define HELD_MAX     4096 /* bytes of a layer's beginning that are kept until it is sure what it is */
#define MIDDLE_BYTES 4096 /* between two layers */

struct layer {
    struct decoder d;
    struct bytes held; /* everything that came so far, while it is little */
    uint8_t *middle;   /* what it makes for the next layer; NULL: it writes into the window */
    uint64_t out;
    bool sure;  /* held has gone */
    bool plain; /* it was no compression after all */
    bool ended;
};

/* What is done for one piece. */
struct work {
    struct app *a;
    struct body *b;
    struct app_tx *tx;
};

static bool push(struct work *w, unsigned i, struct span in);

static void hold(struct work *w, struct layer *l, struct span s)
{
    if (l->sure)
        return;
    if (l->held.len + s.len <= HELD_MAX && bytes_add(w->a, &l->held, s))
        return;
    bytes_free(w->a, &l->held);
    l->sure = true;
}

static void note_odd(struct work *w, struct layer *l)
{
    static const enum anomaly events[] = {AN_BODY_HEADER, AN_BODY_CHECKSUM, AN_BODY_MEMBERS, AN_BODY_BEHIND,
                                          AN_BODY_WINDOW};

    for (unsigned i = 0; l->d.odd && i < sizeof(events) / sizeof(events[0]); i++)
        if (l->d.odd >> i & 1)
            app_event(w->a, events[i]);
    l->d.odd = 0;
}

/*
 * The layer's bytes are not what they claim to be. Another coding is tried when nothing has come out; otherwise, what
 * is still held goes on as it is, and everything that follows: a receiver may show that.
 */
static bool was_bad(struct work *w, unsigned i)
{
    struct layer *l = &w->b->layers[i];
    struct bytes held = l->held;
    bool zlib = l->d.coding == BODY_GZIP || l->d.coding == BODY_DEFLATE, on;

    if (l->d.tries == 0)
        app_event(w->a, zlib ? AN_BODY_GZIP : AN_BODY_CODING);
    l->held = (struct bytes){0};
    if (l->sure || l->out > 0 || !decoder_again(&l->d, bytes_span(&held))) {
        decoder_fini(&l->d);
        l->plain = true;
    }
    on = push(w, i, bytes_span(&held));
    bytes_free(w->a, &held);
    return on;
}

static bool is_bomb(const struct work *w, const struct layer *l)
{
    const struct app_limits *m = app_limits(w->a);

    return l->out > m->decompress_bytes && l->out / m->decompress_ratio > w->b->raw;
}

/* Where the layer writes, and how much; 0: no memory. */
static uint32_t place(struct work *w, struct layer *l, uint32_t wanted, uint8_t **out)
{
    struct body *b = w->b;
    uint32_t room, fresh = b->window.len - b->fresh_at;

    if (l->middle) {
        *out = l->middle;
        return MIDDLE_BYTES;
    }
    if (wanted < b->window.len)
        wanted = b->window.len;
    room = body_room(w->a, b, wanted < BODY_PIECE - fresh ? wanted : BODY_PIECE - fresh);
    *out = b->window.p + b->window.len;
    return room;
}

/* What a layer has made goes to the next one, or to rules. */
static bool made(struct work *w, unsigned i, struct span s)
{
    if (w->b->layers[i].middle)
        return push(w, i + 1, s);
    return body_grown(w->a, w->b, w->tx, s.len);
}

static bool give_up(struct work *w)
{
    w->b->over = true;
    return true;
}

/* One step; *more: there may be more to come without further input. */
static bool decode(struct work *w, unsigned i, struct span *in, bool *more)
{
    struct layer *l = &w->b->layers[i];
    struct span before = *in;
    uint8_t *out;
    uint32_t room = place(w, l, in->len < WINDOW_FIRST / 3 ? WINDOW_FIRST : in->len * 3, &out), n = room;
    enum decoded r;
    bool on;

    if (room == 0)
        return give_up(w);
    r = decoder_run(&l->d, in, out, &n);
    *more = n == room;
    hold(w, l, span_sub(before, 0, before.len - in->len));
    l->out += n;
    note_odd(w, l);
    on = made(w, i, span_of(out, n));
    if (!on || w->b->over)
        return on;
    if (r == DECODED_NO_MEMORY) {
        w->a->memcap = true;
        return give_up(w);
    }
    if (is_bomb(w, l)) {
        app_event(w->a, AN_BODY_BOMB);
        return give_up(w);
    }
    l->ended = r == DECODED_END;
    return r != DECODED_BAD || was_bad(w, i);
}

/* Bytes for layer i; behind the last layer they are the body's own. */
static bool push(struct work *w, unsigned i, struct span in)
{
    bool on = true, more = false;

    if (i == w->b->n_layers)
        return body_plain(w->a, w->b, w->tx, in);
    if (w->b->layers[i].plain)
        return push(w, i + 1, in);
    while (on && !w->b->over && (in.len > 0 || more)) {
        if (w->b->layers[i].plain)
            return push(w, i + 1, in);
        on = decode(w, i, &in, &more);
    }
    return on;
}

bool layers_push(struct app *a, struct body *b, struct app_tx *tx, struct span raw)
{
    struct work w = {.a = a, .b = b, .tx = tx};

    return push(&w, 0, raw);
}

/* Nothing follows: what a layer still holds and could not make sense of is shown as it is. */
bool layers_finish(struct app *a, struct body *b, struct app_tx *tx, bool whole)
{
    struct work w = {.a = a, .b = b, .tx = tx};
    bool on = true;

    for (unsigned i = 0; on && !b->over && i < b->n_layers; i++) {
        struct layer *l = &b->layers[i];

        if (l->plain || l->ended || b->raw == 0)
            continue;
        if (l->out == 0 && l->held.len > 0) {
            l->d.tries = UINT8_MAX; /* no other coding */
            app_event(a, AN_BODY_GZIP);
            on = was_bad(&w, i);
        } else if (whole) {
            app_event(a, AN_BODY_CUT);
        }
    }
    return on;
}

void layers_free(struct app *a, struct body *b)
{
    for (unsigned i = 0; i < b->n_layers; i++) {
        struct layer *l = &b->layers[i];

        decoder_fini(&l->d);
        bytes_free(a, &l->held);
        if (l->middle)
            app_give(a, l->middle, MIDDLE_BYTES);
    }
    app_give(a, b->layers, b->n_layers * (uint32_t)sizeof(*b->layers));
    b->layers = NULL;
    b->n_layers = 0;
}

bool layers_open(struct app *a, struct body *b, const struct body_about *about)
{
    uint8_t codings[BODY_CODINGS_MAX];
    unsigned n = 0;

    if (about->n_codings > BODY_CODINGS_MAX || about->n_codings > app_limits(a)->layers) {
        app_event(a, AN_BODY_LAYERS);
        return true;
    }
    for (unsigned i = about->n_codings; i > 0; i--)
        if (about->coding[i - 1] != BODY_IDENTITY)
            codings[n++] = about->coding[i - 1];
    if (n == 0)
        return true;
    b->layers = app_take(a, n * (uint32_t)sizeof(*b->layers));
    if (!b->layers)
        return false;
    b->n_layers = (uint8_t)n;
    for (unsigned i = 0; i < n; i++) {
        decoder_init(a, &b->layers[i].d, (enum body_coding)codings[i]);
        if (i + 1 == n)
            continue;
        b->layers[i].middle = app_take(a, MIDDLE_BYTES);
        if (!b->layers[i].middle)
            return false;
    }
    return true;
}
