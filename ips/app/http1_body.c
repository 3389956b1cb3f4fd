/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a message's body ends (RFC 9112, 6.3), and taking its framing off.
 *
 * Chunked, a length, or until the connection ends, in this order; what no two receivers agree on is an event: both chunked
 * and a length, two lengths, a coding that is not known, HTTP/1.0 that is chunked. Chunks whose size is none, and bytes
 * where a message should begin, are looked at as a body that ends with the connection, as browsers show them; so nothing
 * passes that no rule sees.
 *
 * Small chunks are read where they lie, and rules look once a segment (body_gather()).
 *
 * Worker thread. Owns nothing: bodies are the transactions'.
 */
#include "ips/app/http1.h"

/* --- what the head says ----------------------------------------------------------------------------------------------- */

/* The first digits of s; false: there are none, or the number is beyond all bounds. */
static bool digits(struct span s, uint64_t *v, bool *more)
{
    uint32_t i = 0;

    *v = 0;
    for (; i < s.len && s.p[i] >= '0' && s.p[i] <= '9'; i++) {
        if (*v > UINT64_MAX / 100)
            return false;
        *v = *v * 10 + (uint64_t)(s.p[i] - '0');
    }
    *more = i < s.len;
    return i > 0;
}

void http1_note_length(struct http1_run *r, struct span value)
{
    struct http1_message *m = http1_message_of(r);
    struct span one;
    uint64_t v;
    bool more;

    if (value.len == 0)
        m->bad_length = true;
    while (http_list_next(&value, &one)) {
        if (!digits(one, &v, &more)) {
            m->bad_length = true;
            continue;
        }
        if (more)
            app_event(r->a, http1_which(r, AN_HTTP_INVALID_CONTENT_LENGTH_FIELD_IN_REQUEST,
                                        AN_HTTP_INVALID_CONTENT_LENGTH_FIELD_IN_RESPONSE));
        if (m->has_length)
            app_event(r->a, http1_which(r, AN_HTTP_DUPLICATE_CONTENT_LENGTH_FIELD_IN_REQUEST,
                                        AN_HTTP_DUPLICATE_CONTENT_LENGTH_FIELD_IN_RESPONSE));
        if (m->has_length && v != m->length)
            app_event(r->a, AN_HTTP_CONFLICTING_LENGTH);
        if (!m->has_length)
            m->length = v;
        m->has_length = true;
    }
    if (m->bad_length)
        app_event(r->a, http1_which(r, AN_HTTP_INVALID_CONTENT_LENGTH_FIELD_IN_REQUEST,
                                    AN_HTTP_INVALID_CONTENT_LENGTH_FIELD_IN_RESPONSE));
}

/* Values of Content-Encoding, in the order in which they were applied. */
static void take_codings(struct http1_run *r, struct body_about *about)
{
    struct span rest = http_fields_find(&http1_message_of(r)->fields, HTTP_CONTENT_ENCODING), one;
    bool odd = false;

    while (http_list_next(&rest, &one))
        if (one.len > 0 && !http_coding_add(one, about, &odd) && !http_word_is(one, "identity") &&
            !http_word_is(one, "none"))
            odd = true;
    if (odd)
        app_event(r->a, AN_HTTP_ABNORMAL_CE_HEADER);
}

/* Transfer-Encoding: chunked, and codings under it. */
static void take_transfer(struct http1_run *r, struct body_about *about)
{
    struct http1_message *m = http1_message_of(r);
    struct span rest = http_fields_find(&m->fields, HTTP_TRANSFER_ENCODING), one;
    bool odd = false, exact, other = false;

    if (!(m->fields.ids >> HTTP_TRANSFER_ENCODING & 1))
        return;
    while (http_list_next(&rest, &one)) {
        if (http_has_word(one, "chunked", &exact)) {
            odd |= !exact || m->chunked;
            m->chunked = true;
            continue;
        }
        odd |= m->chunked; /* chunked is to be the last */
        if (http_word_is(one, "identity") || one.len == 0)
            continue;
        other = true;
        if (!http_coding_add(one, about, &odd))
            odd = true;
    }
    if (odd || (r->dir == APP_TO_SERVER && !m->chunked))
        app_event(r->a, http1_which(r, AN_HTTP_INVALID_TRANSFER_ENCODING_VALUE_IN_REQUEST,
                                    AN_HTTP_INVALID_TRANSFER_ENCODING_VALUE_IN_RESPONSE));
    if (other && r->dir == APP_TO_CLIENT)
        app_event(r->a, AN_HTTP_RESPONSE_ABNORMAL_TRANSFER_ENCODING);
    if (m->chunked && m->has_length)
        app_event(r->a, AN_HTTP_LENGTH_AND_CHUNKED);
    if (m->chunked && m->version < 0x101)
        app_event(r->a, http1_which(r, AN_HTTP_INVALID_TRANSFER_ENCODING_VALUE_IN_REQUEST,
                                    AN_HTTP_RESPONSE_CHUNKED_OLD_PROTO));
}

/* --- bodies -------------------------------------------------------------------------------------------------------------- */

/* The path, as rules expect it of a file's name, or what Content-Disposition says. */
static struct span file_name(const struct http1_tx *t, const struct http1_message *m)
{
    struct span d = http_fields_find(&m->fields, HTTP_CONTENT_DISPOSITION), path = http1_uri(t);
    const uint8_t *at = d.len > 0 ? memmem(d.p, d.len, "filename=", 9) : NULL, *end;

    if (at) {
        struct span name = span_sub(d, (uint32_t)(at - d.p) + 9, d.len);
        bool quoted = name.len > 0 && name.p[0] == '"';

        if (quoted)
            name = span_sub(name, 1, name.len);
        end = name.len > 0 ? memchr(name.p, quoted ? '"' : ';', name.len) : NULL;
        if (end)
            name.len = (uint32_t)(end - name.p);
        return name;
    }
    end = path.len > 0 ? memchr(path.p, '?', path.len) : NULL;
    if (end)
        path.len = (uint32_t)(end - path.p);
    return path;
}

static enum http1_next begin(struct http1_run *r, struct body_about *about, enum http1_step step)
{
    struct http1_tx *t = r->w->tx;
    struct http1_message *m = http1_message_of(r);
    const struct app_limits *l = app_limits(r->a);
    bool request = r->dir == APP_TO_SERVER;

    about->dir = r->dir;
    about->buffers[0] = request ? BUF_HTTP_REQUEST_BODY : BUF_HTTP_RESPONSE_BODY;
    about->buffers[1] = BUF_FILE_DATA;
    about->buffers[2] = BUF_HTTP_BODY_RAW;
    about->n_buffers = about->n_codings > 0 ? 2 : 3;
    about->depth = request ? l->request_body : l->response_body;
    about->content_type = http_fields_find(&m->fields, HTTP_CONTENT_TYPE);
    about->name = file_name(t, m);
    about->file = true;
    m->coded = about->n_codings > 0;
    r->w->step = (uint8_t)step;
    r->w->left = m->length;
    if (!body_begin(r->a, &m->body, &t->tx, about))
        return http1_stop(r, APP_BAD);
    if (request && m->coded) { /* few servers undo it, and others take the body as it is */
        struct body_about as_sent = {
            .dir = r->dir, .buffers = {BUF_HTTP_REQUEST_BODY}, .n_buffers = 1, .depth = about->depth};

        if (!body_begin(r->a, &m->as_sent, &t->tx, &as_sent))
            return http1_stop(r, APP_BAD);
    }
    return GO;
}

/* The next bytes of the body. */
static enum http1_next feed(struct http1_run *r, struct span bytes)
{
    struct http1_tx *t = r->w->tx;
    struct http1_message *m = http1_message_of(r);

    if (m->coded) {
        struct app_window w = {.bytes = bytes, .origin = m->body_bytes, .more = true};

        app_put_growing(r->a, &t->tx, BUF_HTTP_BODY_RAW, &w);
        r->put = true;
    }
    m->body_bytes += bytes.len;
    doh_add(r->a, &m->doh, r->dir, bytes);
    r->gathered = true;
    return body_gather(r->a, &m->as_sent, &t->tx, bytes) && body_gather(r->a, &m->body, &t->tx, bytes)
               ? GO
               : http1_stop(r, APP_OK);
}

static struct span take_in(struct http1_run *r, uint64_t n)
{
    struct span s = span_sub(r->in, 0, n < r->in.len ? (uint32_t)n : r->in.len);

    r->in = span_sub(r->in, s.len, r->in.len);
    return s;
}

/* Whatever the other side makes of it from here on. */
static enum http1_next switch_to(struct http1_run *r, enum app_proto proto)
{
    enum http1_next next = http1_finish(r, true);

    if (next == STOP)
        return next;
    app_switch(r->a, r->bytes - r->in.len, proto);
    return http1_stop(r, APP_SWITCH);
}

static enum http1_next upgraded(struct http1_run *r)
{
    struct span rest = http_fields_find(&http1_message_of(r)->fields, HTTP_UPGRADE), one;
    enum app_proto proto = APP_N;

    if (!(r->w->tx->way[APP_TO_SERVER].fields.ids >> HTTP_UPGRADE & 1))
        app_event(r->a, AN_HTTP_FAILED_PROTOCOL_CHANGE); /* nobody asked for it */

    while (http_list_next(&rest, &one) && proto == APP_N)
        proto = http_word_is(one, "h2c") ? APP_HTTP2 : http_word_is(one, "websocket") ? APP_WEBSOCKET : APP_N;
    return switch_to(r, proto);
}

/* An interim answer: the transaction's own is yet to come. */
static enum http1_next interim(struct http1_run *r)
{
    struct http1_tx *t = r->w->tx;
    struct http1_message *m = http1_message_of(r);

    if (t->status == 100 && t->continued)
        app_event(r->a, AN_HTTP_100_CONTINUE_ALREADY_SEEN);
    t->continued |= t->status == 100;
    bool on = app_inspect(r->a, &t->tx, r->dir, false);
    r->put = false;
    http_fields_free(r->a, &m->fields);
    bytes_free(r->a, &m->raw);
    *m = (struct http1_message){0};
    r->w->step = AT_LINE;
    return on ? GO : http1_stop(r, APP_OK);
}

static enum http1_next response_begin(struct http1_run *r, struct body_about *about)
{
    struct http1_tx *t = r->w->tx;
    struct http1_message *m = http1_message_of(r);

    if (t->status == 101 && (m->fields.ids >> HTTP_UPGRADE & 1))
        return upgraded(r);
    if (t->status >= 100 && t->status < 200 && t->status != 101)
        return interim(r);
    if (t->method == METHOD_CONNECT && t->status / 100 == 2)
        return switch_to(r, APP_N);
    if (t->method == METHOD_HEAD || t->status == 204 || t->status == 304)
        return http1_finish(r, true);
    if (m->chunked)
        return begin(r, about, AT_CHUNK_SIZE);
    if (!m->has_length)
        return begin(r, about, AT_CLOSE);
    return m->length > 0 ? begin(r, about, AT_LENGTH) : http1_finish(r, true);
}

enum http1_next http1_body_begin(struct http1_run *r)
{
    struct http1_tx *t = r->w->tx;
    struct http1_message *m = http1_message_of(r);
    struct body_about about = {0};

    take_codings(r, &about);
    take_transfer(r, &about);
    doh_begin(r->a, &m->doh, http_fields_find(&m->fields, HTTP_CONTENT_TYPE),
              r->dir == APP_TO_SERVER ? http1_word(m, 1) : span_of(NULL, 0));
    if (r->dir == APP_TO_CLIENT)
        return response_begin(r, &about);
    if (t->method == METHOD_CONNECT) {
        r->w->step = AT_TUNNEL;
        r->put = false;
        return app_inspect(r->a, &t->tx, r->dir, true) ? GO : http1_stop(r, APP_OK);
    }
    if (m->chunked)
        return begin(r, &about, AT_CHUNK_SIZE);
    return m->length > 0 ? begin(r, &about, AT_LENGTH) : http1_finish(r, true);
}

enum http1_next http1_tunnel(struct http1_run *r)
{
    struct body_about about = {0};

    if (r->in.len == 0)
        return WAIT;
    app_event(r->a, AN_HTTP_CONNECT_EARLY_DATA);
    if (http1_request_probe(r->in) !=
        PROBE_NO) { /* of the tunnel, or behind a CONNECT that will be refused */
        http1_message_of(r)->done = true;
        r->w->tx = NULL;
        r->w->step = AT_LINE;
        return GO;
    }
    return begin(r, &about, AT_CLOSE);
}

/* What comes is a body until the connection ends, with what was kept of a line. */
static enum http1_next show_rest(struct http1_run *r)
{
    enum http1_next next = GO;

    r->w->step = AT_CLOSE;
    if (r->w->mid_line)
        next = feed(r, bytes_span(&r->w->kept));
    r->w->mid_line = false;
    bytes_free(r->a, &r->w->kept);
    return next;
}

/*
 * Bytes where a message should begin. Browsers show them; but when the line behind them is a response's first line, some begin
 * there. So a response's first line of junk is a body up to its end, and then it is decided.
 */
enum http1_next http1_junk(struct http1_run *r)
{
    struct body_about about = {0};
    enum http1_next next = GO;
    bool again = r->w->after_junk;

    if (!again) {
        app_event(r->a, http1_which(r, AN_HTTP_REQUEST_BODY_UNEXPECTED, AN_HTTP_RESPONSE_BODY_UNEXPECTED));
        next = http1_open(r);
        if (next == GO)
            next = begin(r, &about, AT_CLOSE);
    }
    r->w->in_junk = !again && r->dir == APP_TO_CLIENT;
    r->w->after_junk = false;
    return next == GO ? show_rest(r) : next;
}

void http1_forget_junk(struct http1_run *r)
{
    struct http1_tx *t = r->w->tx;
    struct http1_message *m = http1_message_of(r);

    r->w->after_junk = false;
    body_end(r->a, &m->body, &t->tx, false);
    body_free(r->a, &m->body);
    *m = (struct http1_message){0};
    r->gathered = false;
}

/* --- steps within a body ----------------------------------------------------------------------------------------------- */

enum http1_next http1_length(struct http1_run *r)
{
    if (r->in.len == 0)
        return r->end ? http1_finish(r, false) : WAIT;
    struct span s = take_in(r, r->w->left);
    r->w->left -= s.len;
    enum http1_next next = feed(r, s);
    return next == GO && r->w->left == 0 ? http1_finish(r, true) : next;
}

enum http1_next http1_close(struct http1_run *r)
{
    if (r->in.len == 0)
        return r->end ? http1_finish(r, true) : WAIT;
    const uint8_t *lf = r->w->in_junk ? memchr(r->in.p, '\n', r->in.len) : NULL;
    if (lf) {
        r->w->in_junk = false;
        r->w->after_junk = true;
        r->w->step = AT_LINE;
        return feed(r, take_in(r, (uint64_t)(lf - r->in.p) + 1));
    }
    return feed(r, take_in(r, r->in.len));
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_white(uint8_t c)
{
    return http_blank(c) || (c >= 0x0a && c <= 0x0d);
}

enum chunk_line { CHUNK_SIZE, CHUNK_EMPTY, CHUNK_BAD };

/* A chunk's first line: its size, and whether there is more. */
static enum chunk_line read_size(struct span s, uint64_t *size, bool *extension, bool *odd)
{
    uint32_t i = 0, n = 0;

    *size = 0;
    *extension = *odd = false;
    while (i < s.len && is_white(s.p[i]))
        i++;
    *odd = i > 0;
    if (i == s.len)
        return CHUNK_EMPTY;
    for (; i < s.len && hex_digit(s.p[i]) >= 0; i++, n++) {
        if (*size >> 58)
            return CHUNK_BAD;
        *size = *size << 4 | (uint64_t)hex_digit(s.p[i]);
    }
    if (n == 0)
        return CHUNK_BAD;
    while (i < s.len && http_blank(s.p[i]))
        i++, *odd = true;
    *extension = i < s.len;
    *odd |= i < s.len && s.p[i] != ';';
    return CHUNK_SIZE;
}

#define SIZE_KEPT_MAX 64 /* white space that is looked through anew for each piece */

/* The line in hand begins with what no size does; one of white space alone may yet. */
static bool is_no_size(const struct http1_run *r)
{
    struct span kept = r->w->mid_line ? bytes_span(&r->w->kept) : span_of(NULL, 0);
    uint32_t i = 0;

    while (i < kept.len && i < SIZE_KEPT_MAX && is_white(kept.p[i]))
        i++;
    if (i < kept.len)
        return false; /* it was looked at when it came */
    for (i = 0; i < r->in.len && r->in.p[i] != '\n' && is_white(r->in.p[i]);)
        i++;
    return i < r->in.len && r->in.p[i] != '\n' && hex_digit(r->in.p[i]) < 0;
}

static enum anomaly bad_size(const struct http1_run *r)
{
    return http1_which(r, AN_HTTP_INVALID_REQUEST_CHUNK_LEN, AN_HTTP_INVALID_RESPONSE_CHUNK_LEN);
}

static void chunk_of(struct http1_run *r, uint64_t size)
{
    r->w->left = size;
    r->w->step = size > 0 ? AT_CHUNK : AT_TRAILER;
    if (size == 0)
        r->w->head_bytes = r->w->head_lines = 0;
}

/* "5\r\n" as nearly everybody writes it, where it lies. */
static bool short_size(struct http1_run *r)
{
    uint64_t v = 0;
    uint32_t i = 0;
    int d;

    for (; i < 8 && i < r->in.len && (d = hex_digit(r->in.p[i])) >= 0; i++)
        v = v << 4 | (uint64_t)d;
    if (i == 0 || i + 2 > r->in.len || r->in.p[i] != '\r' || r->in.p[i + 1] != '\n')
        return false;
    r->in = span_sub(r->in, i + 2, r->in.len);
    chunk_of(r, v);
    return true;
}

enum http1_next http1_chunk_size(struct http1_run *r)
{
    struct span line;
    uint64_t size;
    bool extension, odd, cut;

    if (!r->w->mid_line && short_size(r))
        return GO;
    if (is_no_size(r)) { /* at once: its line may never end. Browsers that come this far show what is there */
        app_event(r->a, bad_size(r));
        return show_rest(r);
    }
    enum http1_next next = http1_chunk_line(r, &line, &cut);
    if (next == WAIT && r->end)
        return http1_finish(r, false);
    if (next != GO)
        return next;
    switch (cut ? CHUNK_BAD : read_size(line_text(line), &size, &extension, &odd)) {
    case CHUNK_EMPTY:
        app_event(r->a, bad_size(r));
        return GO;
    case CHUNK_BAD:
        app_event(r->a, bad_size(r));
        r->w->step = AT_CLOSE;
        line.len -= r->cut_off; /* its LF was not there */
        return feed(r, line);
    case CHUNK_SIZE:
        break;
    }
    if (extension)
        app_event(r->a, http1_which(r, AN_HTTP_REQUEST_CHUNK_EXTENSION, AN_HTTP_RESPONSE_CHUNK_EXTENSION));
    if (odd)
        app_event(r->a, bad_size(r));
    chunk_of(r, size);
    return GO;
}

enum http1_next http1_chunk(struct http1_run *r)
{
    if (r->in.len == 0)
        return r->end ? http1_finish(r, false) : WAIT;
    struct span s = take_in(r, r->w->left);
    r->w->left -= s.len;
    if (r->w->left == 0)
        r->w->step = AT_CHUNK_END;
    return feed(r, s);
}

/* Its CRLF, or LF. Without one, what is there is the next chunk's size, as some browsers have it. */
enum http1_next http1_chunk_end(struct http1_run *r)
{
    if (r->in.len >= 2 && r->w->left == 0 && r->in.p[0] == '\r' && r->in.p[1] == '\n') {
        r->in = span_sub(r->in, 2, r->in.len);
        r->w->step = AT_CHUNK_SIZE;
        return GO;
    }
    if (r->in.len == 0)
        return r->end ? http1_finish(r, false) : WAIT;
    if (r->w->left == 0 && r->in.p[0] == '\r') {
        r->w->left = 1; /* its CR was there */
        r->in = span_sub(r->in, 1, r->in.len);
        return GO;
    }
    if (r->in.p[0] == '\n')
        r->in = span_sub(r->in, 1, r->in.len);
    else
        app_event(r->a, AN_HTTP_CHUNK_END_INVALID);
    r->w->step = AT_CHUNK_SIZE;
    return GO;
}
