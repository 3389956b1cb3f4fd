/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * WebSocket (RFC 6455), behind HTTP/1's 101: frames in both directions.
 *
 * A message is a transaction: its payload, unmasked and put together from its frames, grows as websocket.payload; what
 * permessage-deflate (RFC 7692) packed is unpacked, with the window that goes on from message to message. Control frames
 * may come between the frames of a message, and are transactions of their own. A frame's flags, mask and opcode are looked
 * at when its header is there.
 *
 * Nothing is kept of a frame but its header's 14 bytes, so its length does not matter. What endpoints must refuse and some
 * let pass (frames without their mask, fragments that do not fit together, odd lengths and bits) is ambiguous, and is
 * read on as those do.
 *
 * Worker thread. Owns a zlib stream for each direction that packs, in the flow's memory.
 */
#include <zlib.h>

#include "ips/app/body.h"

#define HEAD_MAX    14
#define CONTROL_MAX 125  /* bytes of a control frame */
#define PIECE       2048 /* bytes that are unmasked or unpacked at a time */

enum { CONTINUATION, TEXT, BINARY, CLOSE = 8, PING, PONG };
enum { FIN = 0x80, RSV1 = 0x40, RSV23 = 0x30, MASKED = 0x80 };

struct message {
    struct app_tx tx;
    struct body body;
    uint32_t mask;
    uint8_t dir, opcode, frame_opcode, flags;
    bool on, masked;
};

struct side {
    uint8_t head[HEAD_MAX];
    uint8_t n_head;
    bool in_payload, packed, closed, lost; /* lost: what was packed cannot be unpacked any more */
    uint8_t key[4];
    uint32_t key_at;
    uint64_t left;    /* bytes of the frame's payload */
    uint64_t in, out; /* bytes of the message before and after unpacking */
    struct message data, control;
    struct message *now; /* which of them the frame is of */
    z_stream *z;
};

struct websocket {
    struct side side[2];
};

/* --- unpacking ------------------------------------------------------------------------------------------------------ */

static void *z_take(void *a, unsigned n, unsigned size)
{
    return app_lib_take(a, (size_t)n * size);
}

static void z_give(void *a, void *p)
{
    app_lib_give(a, p);
}

static void z_end(struct app *a, struct side *s)
{
    if (s->z)
        inflateEnd(s->z);
    app_give(a, s->z, sizeof(*s->z));
    s->z = NULL;
}

static bool z_begin(struct app *a, struct side *s)
{
    if (s->z)
        return true;
    s->z = app_take(a, sizeof(*s->z));
    if (!s->z)
        return false;
    s->z->zalloc = z_take;
    s->z->zfree = z_give;
    s->z->opaque = a;
    if (inflateInit2(s->z, -15) == Z_OK)
        return true;
    app_give(a, s->z, sizeof(*s->z));
    s->z = NULL;
    return false;
}

/* The rest of what is packed in this direction stays unknown. */
static void give_up(struct app *a, struct side *s)
{
    app_event(a, AN_WEBSOCKET_UNPACKING);
    s->lost = true;
    z_end(a, s);
}

static bool is_bomb(const struct app *a, const struct side *s)
{
    const struct app_limits *l = app_limits(a);

    return s->out > l->decompress_bytes && s->out > s->in * l->decompress_ratio;
}

static void unpack(struct app *a, struct side *s, struct span in)
{
    uint8_t out[PIECE];
    int got = Z_OK;

    if (s->lost || !z_begin(a, s)) {
        if (!s->lost)
            give_up(a, s);
        return;
    }
    s->in += in.len;
    s->z->next_in = (uint8_t *)(uintptr_t)in.p;
    s->z->avail_in = in.len;
    do {
        s->z->next_out = out;
        s->z->avail_out = sizeof(out);
        got = inflate(s->z, Z_SYNC_FLUSH);
        uint32_t n = (uint32_t)(sizeof(out) - s->z->avail_out);

        s->out += n;
        body_gather(a, &s->now->body, &s->now->tx, span_of(out, n));
        if (got == Z_STREAM_END)
            inflateReset(s->z); /* a last block: the next one begins behind it (RFC 7692, 7.2.3.5) */
        else if ((got != Z_OK && got != Z_BUF_ERROR) || is_bomb(a, s)) {
            give_up(a, s);
            return;
        }
    } while (s->z->avail_in > 0 || s->z->avail_out == 0);
}

/* --- messages ------------------------------------------------------------------------------------------------------- */

static bool message_begin(struct app *a, struct message *m, uint8_t dir, uint8_t opcode)
{
    struct body_about about = {.dir = (enum app_dir)dir, .buffers = {BUF_WEBSOCKET_PAYLOAD}, .n_buffers = 1};

    app_tx_open(a, &m->tx);
    m->on = true;
    m->dir = dir;
    m->opcode = opcode;
    return body_begin(a, &m->body, &m->tx, &about);
}

static void message_end(struct app *a, struct message *m, bool whole)
{
    if (!m->on)
        return;
    body_flush(a, &m->body, &m->tx);
    body_end(a, &m->body, &m->tx, whole);
    if (whole)
        app_inspect(a, &m->tx, (enum app_dir)m->dir, true);
    app_tx_close(a, &m->tx);
    body_free(a, &m->body);
    m->on = false;
}

static void put_frame(struct app *a, struct message *m)
{
    app_put_number(a, &m->tx, BUF_WEBSOCKET_OPCODE, m->frame_opcode);
    if (m->opcode != m->frame_opcode)
        app_put_number(a, &m->tx, BUF_WEBSOCKET_OPCODE, m->opcode);
    app_put_number(a, &m->tx, BUF_WEBSOCKET_FLAGS, m->flags);
    if (m->masked)
        app_put_number(a, &m->tx, BUF_WEBSOCKET_MASK, m->mask);
}

/* --- frames --------------------------------------------------------------------------------------------------------- */

static uint8_t length_bytes(uint8_t second)
{
    return (second & 0x7f) == 126 ? 2 : (second & 0x7f) == 127 ? 8 : 0;
}

static void check_frame(struct app *a, const struct side *s, uint8_t dir)
{
    uint8_t opcode = s->head[0] & 15, len7 = s->head[1] & 0x7f;
    bool control = opcode >= CLOSE, first = opcode == TEXT || opcode == BINARY;

    if (!(s->head[1] & MASKED) == (dir == APP_TO_SERVER))
        app_event(a, AN_WEBSOCKET_MASK);
    if ((s->head[0] & RSV23) || ((s->head[0] & RSV1) && !first))
        app_event(a, AN_WEBSOCKET_RESERVED);
    if ((opcode > BINARY && opcode < CLOSE) || opcode > PONG)
        app_event(a, AN_WEBSOCKET_OPCODE);
    if ((len7 == 126 && s->left < 126) || (len7 == 127 && s->left <= 0xffff))
        app_event(a, AN_WEBSOCKET_LENGTH);
    if (control && (s->left > CONTROL_MAX || !(s->head[0] & FIN)))
        app_event(a, AN_WEBSOCKET_CONTROL);
    if (!control && (opcode == CONTINUATION) != s->data.on)
        app_event(a, AN_WEBSOCKET_FRAGMENTS);
    if (s->closed)
        app_event(a, AN_WEBSOCKET_AFTER_CLOSE);
}

/* The header is there. False: nobody could read on. */
static bool frame_begin(struct app *a, struct side *s, uint8_t dir)
{
    uint8_t opcode = s->head[0] & 15, n = length_bytes(s->head[1]);

    s->left = s->head[1] & 0x7f;
    if (n == 2)
        s->left = load_be16(s->head + 2);
    else if (n == 8)
        s->left = (uint64_t)load_be32(s->head + 2) << 32 | load_be32(s->head + 6);
    check_frame(a, s, dir);
    if (s->left >> 63) {
        app_event(a, AN_WEBSOCKET_LENGTH);
        return false;
    }
    s->now = opcode >= CLOSE ? &s->control : &s->data;
    if (s->now == &s->control || opcode != CONTINUATION)
        message_end(a, s->now, false); /* a message that never ended: the new one takes its place */
    body_flush(a, &s->data.body, &s->data.tx);
    if (!s->now->on) {
        if (!message_begin(a, s->now, dir, opcode))
            return false;
        if (s->now == &s->data) {
            s->packed = s->head[0] & RSV1;
            s->in = s->out = 0;
        }
    }
    s->now->frame_opcode = opcode;
    s->now->flags = s->head[0] & 0xf0;
    s->now->masked = s->head[1] & MASKED;
    memset(s->key, 0, sizeof(s->key));
    if (s->now->masked)
        memcpy(s->key, s->head + 2 + n, sizeof(s->key));
    s->now->mask = load_be32(s->key);
    s->key_at = 0;
    s->in_payload = true;
    put_frame(a, s->now);
    app_inspect(a, &s->now->tx, (enum app_dir)dir, false);
    return true;
}

static void frame_payload(struct app *a, struct side *s, struct span in)
{
    uint8_t plain[PIECE];

    while (in.len > 0) {
        struct span piece = span_sub(in, 0, PIECE);

        for (uint32_t i = 0; i < piece.len; i++)
            plain[i] = piece.p[i] ^ s->key[s->key_at++ & 3];
        in = span_sub(in, piece.len, in.len);
        piece.p = plain;
        if (s->now == &s->data && s->packed)
            unpack(a, s, piece);
        else
            body_gather(a, &s->now->body, &s->now->tx, piece);
    }
}

static void frame_end(struct app *a, struct side *s)
{
    static const uint8_t tail[] = {0, 0, 0xff,
                                   0xff}; /* which every packed message ends with, and leaves out */

    s->in_payload = false;
    s->n_head = 0;
    if ((s->head[0] & 15) == CLOSE)
        s->closed = true;
    if (!(s->head[0] & FIN) && s->now == &s->data)
        return;
    if (s->now == &s->data && s->packed && !s->lost)
        unpack(a, s, span_of(tail, sizeof(tail)));
    message_end(a, s->now, true);
}

/* Collects the header: its length is known when two bytes are there. True: it is whole. */
static bool take_head(struct side *s, struct span *in)
{
    while (in->len > 0) {
        s->head[s->n_head++] = in->p[0];
        *in = span_sub(*in, 1, in->len);
        if (s->n_head >= 2 && s->n_head == 2 + length_bytes(s->head[1]) + (s->head[1] & MASKED ? 4 : 0))
            return true;
    }
    return false;
}

static enum app_answer take(struct app *a, void *state, const struct app_in *in)
{
    struct websocket *w = state;
    struct side *s = &w->side[in->dir];
    struct span bytes = in->bytes;

    while (bytes.len > 0) {
        if (!s->in_payload) {
            if (!take_head(s, &bytes))
                break;
            if (!frame_begin(a, s, in->dir))
                return APP_BAD;
        }
        struct span piece = span_sub(bytes, 0, s->left < bytes.len ? (uint32_t)s->left : bytes.len);

        bytes = span_sub(bytes, piece.len, bytes.len);
        s->left -= piece.len;
        frame_payload(a, s, piece);
        if (s->left == 0)
            frame_end(a, s);
    }
    body_flush(a, &s->data.body, &s->data.tx);
    body_flush(a, &s->control.body, &s->control.tx);
    return APP_OK;
}

static void finish(struct app *a, void *state)
{
    struct websocket *w = state;

    for (int dir = 0; dir < 2; dir++) {
        message_end(a, &w->side[dir].data, false);
        message_end(a, &w->side[dir].control, false);
        z_end(a, &w->side[dir]);
    }
}

static void show(struct app *a, void *state, struct app_tx *tx, enum app_dir dir)
{
    struct message *m = (struct message *)(void *)tx;

    put_frame(a, m);
    body_show(a, &m->body, tx);
}
_Static_assert(offsetof(struct message, tx) == 0, "a message begins with its transaction");

static void fields(void *state, const struct app_tx *tx, struct fields *f)
{
    static const char *const words[16] = {
        [CONTINUATION] = "continuation", [TEXT] = "text", [BINARY] = "binary",
        [CLOSE] = "connection_close",    [PING] = "ping", [PONG] = "pong"};
    const struct message *m = (const struct message *)(const void *)tx;

    fields_bool(f, "fin", m->flags & FIN);
    if (m->masked)
        fields_number(f, "mask", m->mask);
    if (words[m->opcode])
        fields_word(f, "opcode", words[m->opcode]);
    else
        fields_number(f, "opcode", m->opcode);
}

const struct app_parser parser_websocket = {
    .proto = APP_WEBSOCKET,
    .tcp = true,
    .state_bytes = sizeof(struct websocket),
    .take = take,
    .close = finish,
    .show = show,
    .fields = fields,
};
