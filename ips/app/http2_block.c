/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Header blocks of HTTP/2: HEADERS or PUSH_PROMISE with the CONTINUATIONs behind them.
 *
 * A block's bytes go through the direction's HPACK decoder in the pieces they come in; nothing of them is kept. Each field
 * that comes out is looked at alone (what RFC 9113, 8.2 and 8.3 forbid is what requests are smuggled with) and added to
 * the block's fields, which become the message's when the block ends, or are shown to rules as a trailer.
 *
 * A few bytes may stand for a table entry of kilobytes. What goes beyond the limits of headers is shown to rules in
 * parts, so that they see all of it, as long as the block as it came is not much smaller than what came out of it; then the
 * connection is given up. A decoder that has lost its table cannot go on either.
 *
 * Worker thread. Owns the decoders and the block in hand.
 */
#include "ips/app/http2.h"

bool h2_block_begin(struct app *a, struct h2 *h, struct h2_side *s, uint32_t id, int priority, bool push)
{
    struct h2_block *b = &s->block;
    bool ok = true;

    if (!s->inflate) {
        if (nghttp2_hd_inflate_new2(&s->inflate, &h->mem) != 0)
            return false;
        /* What the receiver has allowed is between the two: its SETTINGS may be on their way. */
        nghttp2_hd_inflate_change_table_size(s->inflate, H2_TABLE_MAX);
    }
    *b = (struct h2_block){
        .on = true, .stream = id, .push = push, .sizing = 1, .ends = !push && (s->flags & H2_END_STREAM)};
    struct h2_stream *t = h2_open(a, h, id, push, &ok);
    if (t && priority >= 0) {
        struct h2_message *m = &t->way[h->dir];

        m->number[H2_N_PRIORITY] = (uint32_t)priority;
        m->has |= 1u << H2_N_PRIORITY;
    }
    return ok;
}

/* --- fields, one by one ------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    bool request;
} pseudo[] = {{":method", true}, {":scheme", true},   {":authority", true},
              {":path", true},   {":protocol", true}, {":status", false}};
#define PSEUDO_N (sizeof(pseudo) / sizeof(pseudo[0]))

static const char *const of_connections[] = {"connection", "keep-alive", "proxy-connection",
                                             "transfer-encoding", "upgrade"};

/* What may stand in a name: no upper case, no blank, nothing that ends it in HTTP/1. */
static bool is_name(struct span s)
{
    bool ok = s.len > 0;

    for (uint32_t i = 0; i < s.len; i++)
        ok &= s.p[i] > ' ' && s.p[i] < 0x7f && !(s.p[i] >= 'A' && s.p[i] <= 'Z') && (s.p[i] != ':' || i == 0);
    return ok;
}

static bool is_value(struct span s)
{
    bool ok = true;

    for (uint32_t i = 0; i < s.len; i++)
        ok &= s.p[i] != '\r' && s.p[i] != '\n' && s.p[i] != '\0';
    return ok;
}

static void check_pseudo(struct app *a, struct h2_block *b, struct span name, bool request, bool trailer)
{
    for (unsigned i = 0; i < PSEUDO_N; i++) {
        if (!span_eq_str(name, pseudo[i].name))
            continue;
        if (pseudo[i].request != request || (b->pseudo >> i & 1) || b->regular || trailer)
            app_event(a, AN_HTTP2_INVALID_PSEUDO);
        b->pseudo |= (uint8_t)(1u << i);
        return;
    }
    app_event(a, AN_HTTP2_INVALID_PSEUDO);
}

static void check_field(struct app *a, struct h2_block *b, struct span name, struct span value, bool request,
                        bool trailer)
{
    if (!is_name(name) || !is_value(value))
        app_event(a, AN_HTTP2_INVALID_HEADER_BYTES);
    if (name.len > 0 && name.p[0] == ':') {
        check_pseudo(a, b, name, request, trailer);
        return;
    }
    b->regular = true;
    for (unsigned i = 0; i < sizeof(of_connections) / sizeof(of_connections[0]); i++)
        if (http_word_is(name, of_connections[i]))
            app_event(a, AN_HTTP2_CONNECTION_HEADER);
    if (http_word_is(name, "content-length") && b->fields.ids >> HTTP_CONTENT_LENGTH & 1 &&
        !span_eq(http_fields_find(&b->fields, HTTP_CONTENT_LENGTH), value))
        app_event(a, AN_HTTP2_CONTENT_LENGTH);
}

/* A part of the block is complete: its message's first fields, or more of them. */
static bool part_ends(struct app *a, struct h2 *h, struct h2_side *s)
{
    struct h2_block *b = &s->block;
    enum app_dir dir = (enum app_dir)h->dir, of = b->push ? APP_TO_SERVER : dir;
    struct h2_stream *t = h2_find(h, b->stream);
    bool ok = true;

    if (b->cookie.len > 0)
        ok = http_fields_add(a, &b->fields, span_str("cookie"), bytes_span(&b->cookie));
    bytes_free(a, &b->cookie);
    if (ok && t && b->fields.n > 0) {
        struct h2_message *m = &t->way[of];

        ok = http_fields_finish(a, &b->fields, of);
        if (ok && !m->whole) {
            http_fields_free(a, &m->fields);
            m->fields = b->fields;
            b->fields = (struct http_fields){0};
            ok = h2_message_begin(a, h, t, of, b->ends);
        } else if (ok) {
            h2_flush(a, h);
            h2_put_more(a, h, &t->tx, &b->fields, of);
            h2_inspect(a, h, &t->tx, dir, false);
        }
    }
    http_fields_free(a, &b->fields);
    b->parted = true;
    return ok;
}

/* The block has outgrown the limits. */
static bool next_part(struct app *a, struct h2 *h, struct h2_side *s)
{
    struct h2_block *b = &s->block;

    app_event(a, AN_HTTP2_HEADERS_TOO_LARGE);
    if (b->plain > app_limits(a)->headers_bytes + (uint64_t)H2_EXPANSION_MAX * b->wire) {
        app_event(a, AN_HTTP2_HEADER_BOMB);
        return false;
    }
    return part_ends(a, h, s);
}

static bool add_field(struct app *a, struct h2 *h, struct h2_side *s, const nghttp2_nv *nv)
{
    struct h2_block *b = &s->block;
    const struct app_limits *l = app_limits(a);
    struct span name = span_of(nv->name, nv->namelen), value = http_trim(span_of(nv->value, nv->valuelen));
    bool request = h->dir == APP_TO_SERVER || b->push;
    const struct h2_stream *t = h2_find(h, b->stream);

    b->plain += name.len + (uint32_t)nv->valuelen + 32; /* as SETTINGS_MAX_HEADER_LIST_SIZE counts */
    check_field(a, b, name, value, request,
                t && t->way[request ? APP_TO_SERVER : APP_TO_CLIENT].whole && !b->parted);
    if ((b->fields.n >= l->headers ||
         b->fields.text.len + name.len + value.len + b->cookie.len > l->headers_bytes) &&
        !next_part(a, h, s))
        return false;
    if (request && http_word_is(name, "cookie"))
        return (b->cookie.len == 0 || bytes_add(a, &b->cookie, span_str("; "))) &&
               bytes_add(a, &b->cookie, value);
    return http_fields_add(a, &b->fields, name, value);
}

/* --- bytes -------------------------------------------------------------------------------------------------------- */

enum { SIZES_NONE, SIZES_BEGIN, SIZES_NUMBER };

/* Table size updates stand in front of the first field (RFC 7541, 4.2): an integer with a prefix of five bits. */
static void size_updates(struct h2_block *b, struct span in)
{
    for (uint32_t i = 0; i < in.len && b->sizing != SIZES_NONE; i++) {
        uint8_t c = in.p[i];

        if (b->sizing == SIZES_BEGIN && (c & 0xe0) != 0x20) {
            b->sizing = SIZES_NONE;
        } else if (b->sizing == SIZES_BEGIN) {
            b->size = c & 0x1f;
            b->size_shift = 0;
            b->has_size = true;
            b->sizing = b->size == 0x1f ? SIZES_NUMBER : SIZES_BEGIN;
        } else {
            b->size += b->size_shift < 28 ? (uint32_t)(c & 0x7f) << b->size_shift : 0;
            b->size_shift = (uint8_t)(b->size_shift + 7);
            if (!(c & 0x80) || b->size_shift > 28)
                b->sizing = SIZES_BEGIN;
        }
    }
}

bool h2_block_add(struct app *a, struct h2 *h, struct h2_side *s, struct span in, bool last)
{
    struct h2_block *b = &s->block;

    if (!b->on)
        return true;
    size_updates(b, in);
    for (;;) {
        nghttp2_nv nv;
        int flags = 0;
        ssize_t n = nghttp2_hd_inflate_hd2(s->inflate, &nv, &flags, in.p, in.len, last);

        if (n < 0) {
            app_event(a, AN_HTTP2_INVALID_HEADER);
            return false;
        }
        in = span_sub(in, (uint32_t)n, in.len);
        b->wire += (uint32_t)n;
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) && !add_field(a, h, s, &nv))
            return false;
        if (flags & NGHTTP2_HD_INFLATE_FINAL)
            return nghttp2_hd_inflate_end_headers(s->inflate) == 0;
        if (!(flags & NGHTTP2_HD_INFLATE_EMIT) && in.len == 0)
            return true;
    }
}

bool h2_block_end(struct app *a, struct h2 *h, struct h2_side *s)
{
    struct h2_block *b = &s->block;
    enum app_dir dir = (enum app_dir)h->dir;
    struct h2_stream *t = h2_find(h, b->stream);

    b->on = false;
    if (t) {
        struct h2_message *m = &t->way[dir];

        m->seen |= (uint16_t)(1u << (b->push ? H2_PUSH_PROMISE : H2_HEADERS) |
                              (b->frames > 0 ? 1u << H2_CONTINUATION : 0));
        if (b->has_size) {
            m->number[H2_N_SIZE_UPDATE] = b->size;
            m->has |= 1u << H2_N_SIZE_UPDATE;
        }
    }
    if (!part_ends(a, h, s))
        return false;
    if (t && b->push)
        t->way[APP_TO_SERVER].ended = true;
    if (t && b->ends)
        h2_stream_end(a, h, t, dir);
    return true;
}

void h2_block_free(struct app *a, struct h2_side *s)
{
    http_fields_free(a, &s->block.fields);
    bytes_free(a, &s->block.cookie);
    if (s->inflate)
        nghttp2_hd_inflate_del(s->inflate);
    s->inflate = NULL;
}
