/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the fields of a header block make of a message: what it asks for and of whom, how long its body is and how that is
 * coded.
 *
 * A request's target and host stand in pseudo headers; where they are missing, or say other than a Host field does, the
 * server and what stands in front of it may disagree on whom the request is for. The same goes for a length that is not
 * that of the DATA, and for bytes that become delimiters when a proxy turns the request into HTTP/1.
 *
 * An interim response (1xx) is shown to rules and forgotten: another one follows in the same stream.
 *
 * Worker thread. Owns nothing but the message's own memory.
 */
#include "ips/app/http2.h"

struct span h2_get(const struct http_fields *f, const char *name)
{
    const struct http_header *rows = (const struct http_header *)(const void *)f->rows.p;

    for (uint32_t i = 0; i < f->n; i++)
        if (span_eq_str(span_of(f->text.p + rows[i].at, rows[i].name_len), name))
            return span_of(f->text.p + rows[i].at + rows[i].name_len + 2, rows[i].value_len);
    return span_of(NULL, 0);
}

/* Bytes that end a part of HTTP/1's first line. */
static bool has_delimiters(struct span s)
{
    bool found = false;

    for (uint32_t i = 0; i < s.len; i++)
        found |= s.p[i] <= ' ' || s.p[i] == 0x7f; /* NOLINT: a span of NULL has no bytes */
    return found;
}

static bool make_line(struct app *a, struct bytes *line, const struct span *parts, unsigned n)
{
    line->len = 0;
    for (unsigned i = 0; i < n; i++)
        if ((i > 0 && !bytes_add(a, line, span_str(" "))) || !bytes_add(a, line, parts[i]))
            return false;
    return bytes_add(a, line, span_str("\r\n"));
}

/* --- requests ------------------------------------------------------------------------------------------------------- */

static bool same_host(struct span x, struct span y)
{
    bool same = x.len == y.len;

    for (uint32_t i = 0; same && i < x.len; i++) {
        uint8_t c = x.p[i], d = y.p[i];

        same = (c >= 'A' && c <= 'Z' ? c | 0x20 : c) == (d >= 'A' && d <= 'Z' ? d | 0x20 : d);
    }
    return same;
}

struct span h2_authority(const struct http_fields *f)
{
    struct span authority = h2_get(f, ":authority");

    return authority.p ? authority : http_fields_find(f, HTTP_HOST);
}

static bool take_host(struct app *a, struct h2_message *m)
{
    struct span authority = h2_get(&m->fields, ":authority"), field = http_fields_find(&m->fields, HTTP_HOST),
                host, port;
    const uint8_t *at;

    if (authority.p && field.p && !same_host(authority, field))
        app_event(a, AN_HTTP2_AUTHORITY_HOST);
    authority = h2_authority(&m->fields);
    at = authority.len > 0 ? memrchr(authority.p, '@', authority.len) : NULL;
    if (at) {
        app_event(a, AN_HTTP2_USERINFO);
        authority = span_sub(authority, (uint32_t)(at + 1 - authority.p), authority.len);
    }
    if (authority.len > 0 && !http_host_split(authority, &host, &port))
        app_event(a, AN_HTTP2_INVALID_TARGET);
    else if (authority.len == 0)
        host = authority;
    return http_host_lower(a, host, &m->host, &m->host_norm);
}

static bool take_request(struct app *a, struct h2_stream *t, struct h2_message *m)
{
    struct span method = h2_get(&m->fields, ":method"), path = h2_get(&m->fields, ":path");
    bool connects = span_eq_str(method, "CONNECT");
    struct http_uri uri;

    if (!method.p || (!connects && (!path.p || !h2_get(&m->fields, ":scheme").p)))
        app_event(a, AN_HTTP2_INVALID_PSEUDO);
    if (has_delimiters(method) || has_delimiters(path) ||
        (path.p && (path.len == 0 || (path.p[0] != '/' && !span_eq_str(path, "*")))))
        app_event(a, AN_HTTP2_INVALID_TARGET);
    t->head = span_eq_str(method, "HEAD");
    if (!http_uri_normalise(a, path, &m->uri, &uri) || !take_host(a, m))
        return false;
    m->uri_norm = uri.norm;
    return make_line(a, &m->line, (struct span[]){method, path, span_str("HTTP/2")}, 3);
}

/* --- responses ------------------------------------------------------------------------------------------------------ */

static bool take_response(struct app *a, struct h2_message *m)
{
    struct span status = h2_get(&m->fields, ":status");
    bool ok = status.len == 3;

    m->status = 0;
    for (uint32_t i = 0; i < status.len && i < 3; i++) {
        ok &= status.p[i] >= '0' && status.p[i] <= '9';
        m->status = (uint16_t)(m->status * 10 + (status.p[i] - '0'));
    }
    if (!ok) {
        m->status = 0;
        app_event(a, AN_HTTP2_INVALID_PSEUDO);
    }
    return make_line(a, &m->line, (struct span[]){span_str("HTTP/2"), status}, 2);
}

/* --- bodies --------------------------------------------------------------------------------------------------------- */

static void take_length(struct app *a, struct h2_message *m)
{
    struct span v = http_fields_find(&m->fields, HTTP_CONTENT_LENGTH);
    bool ok = v.len > 0 && v.len < 19;

    if (!v.p)
        return;
    for (uint32_t i = 0; ok && i < v.len; i++) {
        ok = v.p[i] >= '0' && v.p[i] <= '9';
        m->length = m->length * 10 + (unsigned)(v.p[i] - '0');
    }
    m->has_length = ok;
    if (!ok)
        app_event(a, AN_HTTP2_CONTENT_LENGTH);
}

static void take_codings(const struct http_fields *f, struct body_about *about)
{
    struct span list = http_fields_find(f, HTTP_CONTENT_ENCODING), one;
    bool odd = false;

    while (http_list_next(&list, &one))
        (void)http_coding_add(one, about, &odd);
}

/* The path, as rules expect it of a file's name. */
static struct span file_name(struct span path)
{
    uint32_t end = 0;

    while (end < path.len && path.p[end] != '?' && path.p[end] != '#')
        end++;
    return span_sub(path, 0, end);
}

static bool take_body(struct app *a, struct h2_stream *t, enum app_dir dir)
{
    struct h2_message *m = &t->way[dir];
    const struct app_limits *l = app_limits(a);
    struct body_about about = {
        .dir = dir,
        .buffers = {dir == APP_TO_SERVER ? BUF_HTTP_REQUEST_BODY : BUF_HTTP_RESPONSE_BODY, BUF_FILE_DATA},
        .n_buffers = 2,
        .depth = dir == APP_TO_SERVER ? l->request_body : l->response_body,
        .name = file_name(t->way[APP_TO_SERVER].uri_norm),
        .content_type = http_fields_find(&m->fields, HTTP_CONTENT_TYPE),
        .file = true,
    };

    take_codings(&m->fields, &about);
    if (dir == APP_TO_SERVER &&
        about.n_codings > 0) { /* few servers undo it, and others take the body as it is */
        struct body_about as_sent = {
            .dir = dir, .buffers = {BUF_HTTP_REQUEST_BODY}, .n_buffers = 1, .depth = about.depth};

        if (!body_begin(a, &m->as_sent, &t->tx, &as_sent))
            return false;
    }
    return body_begin(a, &m->body, &t->tx, &about);
}

bool h2_message_begin(struct app *a, struct h2 *h, struct h2_stream *t, enum app_dir dir, bool ends)
{
    struct h2_message *m = &t->way[dir];

    h2_flush(a, h);
    m->length = m->got = 0;
    m->has_length = false;
    if (dir == APP_TO_SERVER ? !take_request(a, t, m) : !take_response(a, m))
        return false;
    take_length(a, m);
    m->whole = true;
    h2_put_message(a, h, t, dir, true);
    h2_put_each(a, h, t, dir, true);
    h2_inspect(a, h, &t->tx, (enum app_dir)h->dir, false);
    if (dir == APP_TO_CLIENT && m->status >= 100 && m->status < 200 && !ends) {
        http_fields_free(a, &m->fields);
        m->whole = false;
        return true;
    }
    doh_begin(a, &m->doh, http_fields_find(&m->fields, HTTP_CONTENT_TYPE),
              dir == APP_TO_SERVER ? h2_get(&m->fields, ":path") : span_of(NULL, 0));
    return ends || take_body(a, t, dir);
}
