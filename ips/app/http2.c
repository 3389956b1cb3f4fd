/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HTTP/2 (RFC 9113): a connection's frames, taken apart as their bytes come.
 *
 * Each direction is a small machine: nine bytes of frame header; then what stands in front of a frame's content (length of
 * the padding, priority, promised stream), collected in 24 bytes; then the content. DATA and header fragments are handed
 * on in the pieces they come in, control frames are collected in units of at most eight bytes, padding is stepped over.
 * So a frame needs no memory of its own, whatever its length says.
 *
 * A receiver that meets a broken frame closes the connection; where none could go on, neither do we (APP_BAD). Where some
 * go on, an event is set and so do we: a frame that is longer than was agreed, lengths that do not fit their type, DATA
 * on streams that are closed. Header blocks are decoded whatever becomes of their stream, because the next ones depend
 * on them. Floods (CONTINUATION, streams reset at once, frames that carry nothing) are counted, with limits in http2.h.
 *
 * The server's side begins with its SETTINGS, the client's with the preface, also behind an upgrade from HTTP/1 (h2c): the
 * answer to the request that was upgraded is stream 1.
 *
 * Frames of no stream are transactions of their own, for http2.settings and its like. Worker thread. Owns the streams and
 * the two HPACK decoders of each flow.
 */
#include "ips/app/http2.h"

enum h2_step { STEP_START, STEP_HEAD, STEP_PREFIX, STEP_UNIT, STEP_CONTENT, STEP_SKIP, STEP_PADDING };

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
#define PREFACE_BYTES 24
#define HEAD_BYTES    9

enum place { ON_STREAM = 1, ON_CONNECTION = 2, ON_BOTH = 3 };

static const struct frame_kind { /* by enum h2_type */
    uint8_t place;
    uint8_t unit;    /* bytes that are looked at together; 0: the content is handed on as it comes */
    uint8_t minimum; /* bytes of the payload */
    bool exact, many;
    bool pads, control;
} kinds[H2_TYPES] = {
    [H2_DATA] = {.place = ON_STREAM, .pads = true},
    [H2_HEADERS] = {.place = ON_STREAM, .pads = true},
    [H2_PRIORITY] = {.place = ON_STREAM, .unit = 5, .minimum = 5, .exact = true, .control = true},
    [H2_RST_STREAM] = {.place = ON_STREAM, .unit = 4, .minimum = 4, .exact = true, .control = true},
    [H2_SETTINGS] = {.place = ON_CONNECTION, .unit = 6, .many = true, .control = true},
    [H2_PUSH_PROMISE] = {.place = ON_STREAM, .minimum = 4, .pads = true},
    [H2_PING] = {.place = ON_CONNECTION, .unit = 8, .minimum = 8, .exact = true, .control = true},
    [H2_GOAWAY] = {.place = ON_CONNECTION, .unit = 8, .minimum = 8},
    [H2_WINDOW_UPDATE] = {.place = ON_BOTH, .unit = 4, .minimum = 4, .exact = true},
    [H2_CONTINUATION] = {.place = ON_STREAM},
};

bool h2_too_many(struct app *a, struct h2_rate *r, uint32_t max)
{
    uint64_t now = app_now_ns(a);

    /* a frame that was handed over may be older than the last */
    if (now >= r->since_ns + UINT64_C(1000000000))
        *r = (struct h2_rate){.since_ns = now};
    return ++r->n == max;
}

/* --- frames of no stream ------------------------------------------------------------------------------------------ */

void h2_global_begin(struct app *a, struct h2 *h, const struct h2_side *s)
{
    h2_flush(a, h);
    app_tx_open(a, &h->global);
    memset(&h->globals, 0, sizeof(h->globals));
    h->globals.type = s->type;
    h->globals.stream = s->stream;
    h->globals.dir = h->dir;
    h->globals.on = h->globals.put = true;
    app_put_number(a, &h->global, BUF_HTTP2_FRAMETYPE, s->type);
    app_put(a, &h->global, BUF_HTTP_PROTOCOL, span_str("HTTP/2"));
    if (h->dir == APP_TO_CLIENT)
        app_put(a, &h->global, BUF_HTTP_STAT_MSG, span_of(NULL, 0));
}

void h2_global_end(struct app *a, struct h2 *h)
{
    if (!h->globals.on)
        return;
    h2_inspect(a, h, &h->global, (enum app_dir)h->globals.dir, true);
    if (h->globals.n == 0 && h->globals.type != H2_GOAWAY)
        h->global.logged = 1; /* nothing is worth an event */
    app_tx_close(a, &h->global);
    h->globals.on = false;
}

/* What was put does not outlive the packet; the frame may. */
static void global_pause(struct app *a, struct h2 *h)
{
    if (h->globals.on && h->globals.put && h->globals.dir == h->dir)
        h2_inspect(a, h, &h->global, (enum app_dir)h->dir, false);
    h->globals.put = false;
}

static void setting(struct app *a, struct h2 *h, uint32_t id, uint32_t value)
{
    h->globals.put = true;
    if (h->globals.n < H2_SETTINGS_SHOWN) {
        h->globals.setting[h->globals.n].id = id;
        h->globals.setting[h->globals.n++].value = value;
    }
    app_put_number(a, &h->global, BUF_HTTP2_SETTINGS, (uint64_t)id << 32 | value);
}

/* --- a frame's parts ---------------------------------------------------------------------------------------------- */

/* side->part is one unit of a control frame. */
static void take_unit(struct app *a, struct h2 *h, struct h2_side *s)
{
    uint32_t v = load_be32(s->part);

    switch (s->type) {
    case H2_PRIORITY:
        h2_stream_number(a, h, s, H2_N_PRIORITY, s->part[4]);
        break;
    case H2_RST_STREAM:
        h2_stream_reset(a, h, s, v);
        break;
    case H2_SETTINGS:
        setting(a, h, load_be16(s->part), load_be32(s->part + 2));
        break;
    case H2_GOAWAY:
        h->globals.error = load_be32(s->part + 4);
        h->globals.put = true;
        app_put_number(a, &h->global, BUF_HTTP2_ERRORCODE, h->globals.error);
        break;
    case H2_WINDOW_UPDATE:
        v &= 0x7fffffff;
        if (s->stream == 0)
            app_put_number(a, &h->global, BUF_HTTP2_WINDOW, v);
        else
            h2_stream_number(a, h, s, H2_N_WINDOW, v);
        break;
    }
}

static void collect(struct h2_side *s, enum h2_step step, uint8_t want)
{
    s->step = (uint8_t)step;
    s->want = want;
    s->n_part = 0;
}

/* The next part of the frame, when what stood in front of it is done. */
static void content(struct h2_side *s)
{
    uint8_t unit = s->type < H2_TYPES ? kinds[s->type].unit : 0;

    if (unit > 0 && s->left >= unit)
        collect(s, STEP_UNIT, unit);
    else
        s->step = s->type < H2_TYPES && unit == 0 ? STEP_CONTENT : STEP_SKIP;
}

static bool broken(struct app *a, enum anomaly which)
{
    app_event(a, which);
    return false;
}

/* Whether the frame may stand here at all. False: nobody goes on behind it. */
static bool allowed(struct app *a, struct h2 *h, struct h2_side *s)
{
    const struct frame_kind *k = s->type < H2_TYPES ? &kinds[s->type] : NULL;

    if (s->block.on && (s->type != H2_CONTINUATION || s->stream != s->block.stream))
        return broken(a, AN_HTTP2_BLOCK_INTERRUPTED);
    if (!s->block.on && s->type == H2_CONTINUATION)
        return broken(a, AN_HTTP2_BLOCK_INTERRUPTED);
    if (s->left > H2_FRAME_MAX && s->type != H2_DATA)
        app_event(a, AN_HTTP2_LONG_FRAME);
    if (!k)
        return true;
    if (s->stream == 0 && k->place == ON_STREAM)
        app_event(a, s->type == H2_DATA ? AN_HTTP2_DATA_STREAM_ZERO : AN_HTTP2_INVALID_FRAME_HEADER);
    else if (s->stream != 0 && k->place == ON_CONNECTION)
        app_event(a, AN_HTTP2_INVALID_FRAME_HEADER);
    if (s->left < k->minimum || (k->exact && s->left != k->minimum) || (k->many && s->left % k->unit > 0))
        app_event(a, AN_HTTP2_INVALID_FRAME_LENGTH);
    if (((k->control && s->type != H2_RST_STREAM) || (s->type == H2_DATA && s->left == 0 && s->flags == 0)) &&
        h2_too_many(a, &h->controls[h->dir], H2_CONTROLS_MAX))
        app_event(a, AN_HTTP2_TOO_MANY_FRAMES);
    return true;
}

static bool frame_begin(struct app *a, struct h2 *h, struct h2_side *s)
{
    uint32_t prefix = 0;

    s->left = load_be32(s->part) >> 8;
    s->type = s->part[3];
    s->flags = s->part[4];
    s->stream = load_be32(s->part + 5) & 0x7fffffff;
    s->pad = 0;
    if (!allowed(a, h, s))
        return false;
    if (s->type < H2_TYPES && kinds[s->type].pads)
        prefix = (s->flags & H2_PADDED ? 1u : 0) + (s->type == H2_PUSH_PROMISE ? 4u : 0) +
                 (s->type == H2_HEADERS && (s->flags & H2_PRIORITISED) ? 5u : 0);
    if (prefix > s->left)
        return broken(a, AN_HTTP2_INVALID_FRAME_LENGTH);
    if (s->type < H2_TYPES && kinds[s->type].place == ON_CONNECTION)
        h2_global_begin(a, h, s);
    else if (s->type == H2_WINDOW_UPDATE && s->stream == 0)
        h2_global_begin(a, h, s);
    if (s->type == H2_CONTINUATION && ++s->block.frames > H2_CONTINUATIONS_MAX)
        return broken(a, AN_HTTP2_CONTINUATION_FLOOD);
    if (prefix > 0) {
        collect(s, STEP_PREFIX, (uint8_t)prefix);
        return true;
    }
    content(s);
    return s->type != H2_HEADERS || h2_block_begin(a, h, s, s->stream, -1, false);
}

static bool frame_prefix(struct app *a, struct h2 *h, struct h2_side *s)
{
    const uint8_t *p = s->part;
    int priority = -1;

    s->left -= s->want;
    if (s->flags & H2_PADDED)
        s->pad = *p++;
    if (s->pad > s->left)
        return broken(a, AN_HTTP2_INVALID_PADDING);
    s->left -= s->pad;
    content(s);
    if (s->type == H2_PUSH_PROMISE)
        return h2_block_begin(a, h, s, load_be32(p) & 0x7fffffff, -1, true);
    if (s->type != H2_HEADERS)
        return true;
    if (s->flags & H2_PRIORITISED)
        priority = p[4];
    return h2_block_begin(a, h, s, s->stream, priority, false);
}

static bool frame_end(struct app *a, struct h2 *h, struct h2_side *s)
{
    bool whole = true;

    collect(s, STEP_HEAD, HEAD_BYTES);
    switch (s->type) {
    case H2_DATA:
        h2_stream_data_end(a, h, s);
        break;
    case H2_HEADERS:
    case H2_PUSH_PROMISE:
    case H2_CONTINUATION:
        if (s->flags & H2_END_HEADERS)
            whole = h2_block_end(a, h, s);
        break;
    case H2_WINDOW_UPDATE:
        if (s->stream == 0)
            h2_global_end(a, h);
        break;
    case H2_SETTINGS:
    case H2_PING:
    case H2_GOAWAY:
        h2_global_end(a, h);
        break;
    }
    return whole;
}

/* --- bytes -------------------------------------------------------------------------------------------------------- */

/* Up to side->want bytes are collected. */
static bool collected(struct h2_side *s, struct span *in)
{
    uint32_t n = s->want - s->n_part;

    if (n > in->len)
        n = in->len;
    if (n > 0)
        memcpy(s->part + s->n_part, in->p, n);
    s->n_part = (uint8_t)(s->n_part + n);
    *in = span_sub(*in, n, in->len);
    return s->n_part == s->want;
}

/* The next bytes of the content or the padding; *left: how many there are of it. */
static struct span next_piece(struct span *in, uint32_t *left)
{
    struct span piece = span_sub(*in, 0, *left);

    *in = span_sub(*in, piece.len, in->len);
    *left -= piece.len;
    return piece;
}

static bool begin_side(struct app *a, struct h2_side *s, enum app_dir dir, struct span *in)
{
    if (dir == APP_TO_CLIENT) {
        collect(s, STEP_HEAD, HEAD_BYTES);
        return true;
    }
    s->want = PREFACE_BYTES;
    if (!collected(s, in))
        return true;
    if (memcmp(s->part, preface, PREFACE_BYTES) != 0)
        return broken(a, AN_HTTP2_INVALID_CLIENT_MAGIC);
    collect(s, STEP_HEAD, HEAD_BYTES);
    return true;
}

/* One step of the machine; *more: another one may follow. False: the connection cannot be followed any further. */
static bool step(struct app *a, struct h2 *h, struct h2_side *s, struct span *in, bool *more)
{
    struct span piece;

    switch (s->step) {
    case STEP_START:
        if (!begin_side(a, s, (enum app_dir)h->dir, in))
            return false;
        *more = s->step != STEP_START;
        return true;
    case STEP_HEAD:
        *more = collected(s, in);
        return !*more || frame_begin(a, h, s);
    case STEP_PREFIX:
        *more = collected(s, in);
        return !*more || frame_prefix(a, h, s);
    case STEP_UNIT:
        *more = collected(s, in);
        if (!*more)
            return true;
        take_unit(a, h, s);
        s->left -= s->want;
        if (kinds[s->type].many && s->left >= s->want)
            collect(s, STEP_UNIT, s->want);
        else
            s->step = STEP_SKIP;
        return true;
    case STEP_CONTENT:
        piece = next_piece(in, &s->left);
        *more = s->left == 0;
        if (*more)
            s->step = STEP_PADDING;
        if (s->type != H2_DATA)
            return h2_block_add(a, h, s, piece, s->left == 0 && (s->flags & H2_END_HEADERS));
        h2_stream_data(a, h, s, piece);
        return true;
    case STEP_SKIP:
        next_piece(in, &s->left);
        *more = s->left == 0;
        if (*more)
            s->step = STEP_PADDING;
        return true;
    default:
        next_piece(in, &s->pad);
        *more = s->pad == 0;
        return !*more || frame_end(a, h, s);
    }
}

static void *lib_malloc(size_t n, void *a)
{
    return app_lib_take(a, n);
}

static void *lib_calloc(size_t n, size_t size, void *a)
{
    size_t bytes;

    return __builtin_mul_overflow(n, size, &bytes) ? NULL : app_lib_take(a, bytes);
}

/* The decoder never asks for it. */
static void *lib_realloc(void *p, size_t n, void *a)
{
    return p ? NULL : app_lib_take(a, n);
}

static void lib_free(void *p, void *a)
{
    app_lib_give(a, p);
}

static enum app_answer take(struct app *a, void *state, const struct app_in *in)
{
    struct h2 *h = state;
    struct h2_side *s = &h->side[in->dir];
    struct span bytes = in->bytes;
    bool on = true, more = true;

    h->mem = (nghttp2_mem){a, lib_malloc, lib_free, lib_calloc, lib_realloc};
    h->dir = in->dir;
    while (on && more && (bytes.len > 0 || s->step > STEP_UNIT))
        on = step(a, h, s, &bytes, &more);
    h2_flush(a, h);
    global_pause(a, h);
    return on ? APP_OK : APP_BAD;
}

static void finish(struct app *a, void *state)
{
    struct h2 *h = state;

    h2_close_all(a, h);
    for (int dir = 0; dir < 2; dir++)
        h2_block_free(a, &h->side[dir]);
}

/* --- the first bytes ---------------------------------------------------------------------------------------------- */

/* A server speaks first with SETTINGS, whose identifiers are small numbers. */
static enum app_probe probe_server(struct span s, bool client_spoke)
{
    static const uint8_t rest[6] = {H2_SETTINGS, 0, 0, 0, 0, 0};
    uint32_t n = s.len < HEAD_BYTES ? s.len : HEAD_BYTES, behind = n > 3 ? n - 3 : 0;

    if ((n > 0 && s.p[0] != 0) || (n > 1 && s.p[1] != 0) || (n > 2 && s.p[2] % 6 != 0) ||
        (behind > 0 && memcmp(s.p + 3, rest, behind) != 0))
        return PROBE_NO;
    if (n < HEAD_BYTES)
        return PROBE_MORE;
    if (s.p[2] > 0 && s.len >= HEAD_BYTES + 2 && load_be16(s.p + HEAD_BYTES) > 0xff)
        return PROBE_NO;
    return client_spoke || s.p[2] > 0 ? PROBE_YES : PROBE_LIKELY;
}

static enum app_probe probe(struct span s, const struct app_hint *hint)
{
    uint32_t n = s.len < PREFACE_BYTES ? s.len : PREFACE_BYTES;

    if (hint->dir == APP_TO_CLIENT)
        return probe_server(s, hint->other.len > 0 && hint->other.p[0] == (uint8_t)preface[0]);
    if (memcmp(s.p, preface, n < 16 ? n : 16) != 0)
        return PROBE_NO;
    return n >= 16 ? PROBE_YES : PROBE_MORE;
}

static const uint16_t ports[] = {80, 8080, 0};

const struct app_parser parser_http2 = {
    .proto = APP_HTTP2,
    .tcp = true,
    .state_bytes = sizeof(struct h2),
    .ports = ports,
    .probe = probe,
    .take = take,
    .close = finish,
    .show = h2_show,
    .fields = h2_fields,
    .object = "http",
};
