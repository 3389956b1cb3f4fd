/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What rules see of HTTP/2: the http.* buffers, as they are of HTTP/1, and those of http2.*; and what EVE says.
 *
 * Pseudo headers are headers like others in http.header, its names and its like, as Suricata has them. http2.header is
 * one instance for each field, "name: value" with every ':' of both written twice, so that a rule can tell where the
 * name ends; most fields have none and are shown where they lie.
 *
 * Worker thread. Owns what is made for one inspection.
 */
#include "ips/app/http2.h"

static const struct http_header *rows_of(const struct http_fields *f)
{
    return (const struct http_header *)(const void *)f->rows.p;
}

static struct span name_of(const struct http_fields *f, uint32_t i)
{
    return span_of(f->text.p + rows_of(f)[i].at, rows_of(f)[i].name_len);
}

static struct span value_of(const struct http_fields *f, uint32_t i)
{
    return span_of(f->text.p + rows_of(f)[i].at + rows_of(f)[i].name_len + 2, rows_of(f)[i].value_len);
}

/* --- http2.header --------------------------------------------------------------------------------------------------- */

static uint32_t colons(struct span s)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < s.len; i++)
        n += s.p[i] == ':';
    return n;
}

static void write_escaped(struct bytes *b, struct span s)
{
    for (uint32_t i = 0; i < s.len; i++) {
        b->p[b->len++] = s.p[i];
        if (s.p[i] == ':')
            b->p[b->len++] = ':';
    }
}

static void put_each(struct app *a, struct h2_made *made, struct app_tx *tx, const struct http_fields *f)
{
    uint32_t bytes = 0;
    bool again = made->on, room = true;

    for (uint32_t i = 0; i < f->n; i++) {
        uint32_t n = colons(name_of(f, i)) + colons(value_of(f, i));

        bytes += n > 0 ? name_of(f, i).len + 2 + value_of(f, i).len + n : 0;
    }
    if (!again) {
        made->text.len = 0;
        room = bytes_reserve(a, &made->text, bytes);
        made->on = room;
    }
    for (uint32_t i = 0, at = 0; i < f->n; i++) {
        struct span name = name_of(f, i), value = value_of(f, i);
        uint32_t n = colons(name) + colons(value), len = name.len + 2 + value.len + n;

        app_put(a, tx, BUF_HTTP2_HEADER_NAME, name);
        if (n == 0 || !room) {
            app_put(a, tx, BUF_HTTP2_HEADER, span_of(name.p, name.len + 2 + value.len));
            continue;
        }
        if (!again) {
            write_escaped(&made->text, name);
            memcpy(made->text.p + made->text.len, ": ", 2);
            made->text.len += 2;
            write_escaped(&made->text, value);
        }
        app_put(a, tx, BUF_HTTP2_HEADER, span_of(made->text.p + at, len));
        at += len;
    }
}

void h2_forget_made(struct app *a, struct h2 *h)
{
    for (int i = 0; i < 3; i++) {
        bytes_free(a, &h->made[i].text);
        h->made[i].on = false;
    }
}

/* --- messages ------------------------------------------------------------------------------------------------------- */

/* `all`: also the buffers that both directions have. */
void h2_put_message(struct app *a, struct h2 *h, struct h2_stream *t, enum app_dir dir, bool all)
{
    struct h2_message *m = &t->way[dir];
    struct app_tx *tx = &t->tx;
    struct span text = bytes_span(&m->fields.text), authority;

    if (!m->whole)
        return;
    if (dir == APP_TO_SERVER) {
        authority = h2_authority(&m->fields);
        app_put(a, tx, BUF_HTTP_METHOD, h2_get(&m->fields, ":method"));
        app_put(a, tx, BUF_HTTP_URI, m->uri_norm);
        app_put(a, tx, BUF_HTTP_URI_RAW, h2_get(&m->fields, ":path"));
        app_put(a, tx, BUF_HTTP_REQUEST_LINE, bytes_span(&m->line));
        if (authority.p) {
            app_put(a, tx, BUF_HTTP_HOST, m->host_norm);
            app_put(a, tx, BUF_HTTP_HOST_RAW, authority);
        }
    } else {
        app_put(a, tx, BUF_HTTP_STAT_CODE, h2_get(&m->fields, ":status"));
        app_put(a, tx, BUF_HTTP_STAT_MSG, span_of(NULL, 0));
        app_put(a, tx, BUF_HTTP_RESPONSE_LINE, bytes_span(&m->line));
    }
    http_fields_put(a, &m->fields, tx, dir, all);
    if (!all)
        return;
    app_put(a, tx, BUF_HTTP_HEADER_RAW, span_sub(text, 0, text.len - 2)); /* without the empty line */
    app_put(a, tx, BUF_HTTP_PROTOCOL, span_str("HTTP/2"));
    h2_put_seen(a, t, dir);
}

/* One instance for each field: more, maybe, than a view can hold. */
void h2_put_each(struct app *a, struct h2 *h, struct h2_stream *t, enum app_dir dir, bool all)
{
    struct h2_message *m = &t->way[dir];

    if (!m->whole)
        return;
    http_fields_put_each(a, &m->fields, &t->tx, dir);
    if (all)
        put_each(a, &h->made[dir], &t->tx, &m->fields);
}

void h2_put_more(struct app *a, struct h2 *h, struct app_tx *tx, const struct http_fields *f,
                 enum app_dir dir)
{
    http_fields_put(a, f, tx, dir, true);
    app_put(a, tx, BUF_HTTP_HEADER_RAW, span_sub(bytes_span(&f->text), 0, f->text.len - 2));
    http_fields_put_each(a, f, tx, dir);
    put_each(a, &h->made[2], tx, f);
}

void h2_inspect(struct app *a, struct h2 *h, struct app_tx *tx, enum app_dir dir, bool end)
{
    app_inspect(a, tx, dir,
                end); /* a connection is followed on when a packet of it was dropped: its tables go on */
    h2_forget_made(a, h);
}

static void show_global(struct app *a, struct h2 *h, enum app_dir dir)
{
    app_put_number(a, &h->global, BUF_HTTP2_FRAMETYPE, h->globals.type);
    app_put(a, &h->global, BUF_HTTP_PROTOCOL, span_str("HTTP/2"));
    if (dir == APP_TO_CLIENT)
        app_put(a, &h->global, BUF_HTTP_STAT_MSG, span_of(NULL, 0));
}

void h2_show(struct app *a, void *state, struct app_tx *tx, enum app_dir dir)
{
    struct h2 *h = state;
    struct h2_stream *t = (struct h2_stream *)(void *)tx;

    if (tx == &h->global) {
        show_global(a, h, dir);
        return;
    }
    _Static_assert(offsetof(struct h2_stream, tx) == 0, "a stream begins with its transaction");
    for (int way = 0; way < 2; way++)
        h2_put_message(a, h, t, (enum app_dir)way, way == (int)dir);
    body_show(a, &t->way[dir].body, &t->tx);
    body_show(a, &t->way[dir].as_sent, &t->tx);
    body_show(a, &t->way[1 - dir].body, &t->tx);
    for (int way = 0; way < 2; way++)
        h2_put_each(a, h, t, (enum app_dir)way, way == (int)dir);
}

/* --- EVE -------------------------------------------------------------------------------------------------------------- */

static const char *const errors[] = {"NO_ERROR",
                                     "PROTOCOL_ERROR",
                                     "INTERNAL_ERROR",
                                     "FLOW_CONTROL_ERROR",
                                     "SETTINGS_TIMEOUT",
                                     "STREAM_CLOSED",
                                     "FRAME_SIZE_ERROR",
                                     "REFUSED_STREAM",
                                     "CANCEL",
                                     "COMPRESSION_ERROR",
                                     "CONNECT_ERROR",
                                     "ENHANCE_YOUR_CALM",
                                     "INADEQUATE_SECURITY",
                                     "HTTP_1_1_REQUIRED"};
static const char *const settings[] = {"SETTINGSUNKNOWN",           "SETTINGSHEADERTABLESIZE",
                                       "SETTINGSENABLEPUSH",        "SETTINGSMAXCONCURRENTSTREAMS",
                                       "SETTINGSINITIALWINDOWSIZE", "SETTINGSMAXFRAMESIZE",
                                       "SETTINGSMAXHEADERLISTSIZE"};

static void error_field(struct fields *f, uint32_t code)
{
    if (code < sizeof(errors) / sizeof(errors[0]))
        fields_word(f, "error_code", errors[code]);
    else
        fields_number(f, "error_code", code);
}

static void global_fields(const struct h2 *h, struct fields *f)
{
    fields_object(f, "http2");
    fields_number(f, "stream_id", h->globals.stream);
    fields_object(f, h->globals.dir == APP_TO_SERVER ? "request" : "response");
    if (h->globals.n > 0) {
        fields_list(f, "settings");
        for (unsigned i = 0; i < h->globals.n; i++) {
            uint32_t id = h->globals.setting[i].id;

            fields_object(f, NULL);
            fields_word(f, "settings_id", settings[id < sizeof(settings) / sizeof(settings[0]) ? id : 0]);
            fields_number(f, "settings_value", h->globals.setting[i].value);
            fields_close(f);
        }
        fields_close(f);
    }
    if (h->globals.type == H2_GOAWAY)
        error_field(f, h->globals.error);
    fields_close(f);
    fields_close(f);
}

static void headers_field(const struct http_fields *fields, const char *key, struct fields *f)
{
    if (fields->n == 0)
        return;
    fields_list(f, key);
    for (uint32_t i = 0; i < fields->n; i++) {
        fields_object(f, NULL);
        fields_text(f, "name", name_of(fields, i));
        fields_text(f, "value", value_of(fields, i));
        fields_close(f);
    }
    fields_close(f);
}

static void common_fields(const struct h2_stream *t, struct fields *f)
{
    const struct h2_message *q = &t->way[APP_TO_SERVER], *r = &t->way[APP_TO_CLIENT];
    const struct {
        const char *key;
        struct span value;
    } texts[] = {
        {"http_method", h2_get(&q->fields, ":method")},
        {"url", h2_get(&q->fields, ":path")},
        {"hostname", h2_authority(&q->fields)},
        {"http_user_agent", http_fields_find(&q->fields, HTTP_USER_AGENT)},
        {"http_content_type", http_fields_find(&r->fields, HTTP_CONTENT_TYPE)},
    };

    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (texts[i].value.p)
            fields_text(f, texts[i].key, texts[i].value);
    if (r->status > 0)
        fields_number(f, "status", r->status);
    fields_number(f, "length", r->got);
}

void h2_fields(void *state, const struct app_tx *tx, struct fields *f)
{
    static const char *const way[2] = {"request", "response"};
    const struct h2 *h = state;
    const struct h2_stream *t = (const struct h2_stream *)(const void *)tx;

    fields_word(f, "version", "2");
    if (tx == &h->global) {
        global_fields(h, f);
        return;
    }
    common_fields(t, f);
    fields_object(f, "http2");
    fields_number(f, "stream_id", t->id);
    for (int dir = 0; dir < 2; dir++) {
        const struct h2_message *m = &t->way[dir];

        fields_object(f, way[dir]);
        if (m->has >> H2_N_PRIORITY & 1)
            fields_number(f, "priority", m->number[H2_N_PRIORITY]);
        if (m->has >> H2_N_ERROR & 1)
            error_field(f, m->number[H2_N_ERROR]);
        fields_close(f);
    }
    fields_close(f);
    headers_field(&t->way[APP_TO_SERVER].fields, "request_headers", f);
    headers_field(&t->way[APP_TO_CLIENT].fields, "response_headers", f);
}
