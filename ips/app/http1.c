/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HTTP/1: a flow's way through its messages.
 *
 * Each direction is in one of a few steps (http1.h), and a step takes what it can of the bytes that came and says which is
 * next. A transaction begins with a request's first line, in order; responses go to the first one that has none yet, and
 * a response that nobody asked for gets a transaction of its own. When both messages are done it is closed and its memory
 * goes back: an idle flow keeps struct http1 alone.
 *
 * Rules look at a first line when the segment ends behind it, at header fields when all are there, at a body as it grows, and
 * at a message's end. The buffers of a request stay until the response is done, for rules that look at both.
 *
 * Worker thread. Owns the transactions.
 */
#include "ips/app/http1.h"

#include "ips/flow/flow.h"

static struct http1_tx *tx_of(struct app_tx *tx)
{
    return (struct http1_tx *)(void *)tx;
}

/* --- transactions --------------------------------------------------------------------------------------------------- */

static struct http1_tx *new_tx(struct http1_run *r)
{
    struct http1_tx *t = app_take(r->a, sizeof(*t));

    if (!t)
        return NULL;
    app_tx_open(r->a, &t->tx);
    if (r->s->last)
        r->s->last->next = t;
    else
        r->s->first = t;
    r->s->last = t;
    r->s->n_open++;
    return t;
}

static void free_message(struct app *a, struct http1_message *m)
{
    http_fields_free(a, &m->fields);
    http_fields_free(a, &m->trailer);
    bytes_free(a, &m->raw);
    bytes_free(a, &m->raw_trailer);
    body_free(a, &m->body);
    body_free(a, &m->as_sent);
    doh_free(a, &m->doh);
}

static void close_tx(struct app *a, struct http1 *s, struct http1_tx *t)
{
    struct http1_tx **link = &s->first, *before = NULL;

    app_tx_close(a, &t->tx);
    for (; *link != t; link = &(*link)->next)
        before = *link;
    *link = t->next;
    if (s->last == t)
        s->last = before;
    s->n_open--;
    for (int dir = 0; dir < 2; dir++)
        free_message(a, &t->way[dir]);
    bytes_free(a, &t->uri_room);
    bytes_free(a, &t->host_room);
    bytes_free(a, &t->uri_host_room);
    app_give(a, t, sizeof(*t));
}

static struct http1_tx *unanswered(struct http1 *s)
{
    struct http1_tx *t = s->first;

    while (t && t->way[APP_TO_CLIENT].done)
        t = t->next;
    return t;
}

enum http1_next http1_open(struct http1_run *r)
{
    if (r->w->tx)
        return GO; /* an interim answer was there */
    if (r->dir == APP_TO_CLIENT)
        r->w->tx = unanswered(r->s);
    if (r->w->tx)
        return GO;
    if (r->s->n_open >= app_limits(r->a)->transactions) {
        app_event(r->a, AN_HTTP_TOO_MANY_TRANSACTIONS);
        return http1_stop(r, APP_BAD);
    }
    r->w->tx = new_tx(r);
    if (!r->w->tx)
        return http1_stop(r, APP_BAD);
    if (r->dir == APP_TO_CLIENT) {
        r->w->tx->unasked = r->w->tx->way[APP_TO_SERVER].done = true;
        app_event(r->a, AN_HTTP_UNABLE_TO_MATCH_RESPONSE_TO_REQUEST);
    }
    return GO;
}

static void put_trailer(struct app *a, struct http1_tx *t, enum app_dir dir)
{
    struct http1_message *m = &t->way[dir];

    if (m->trailer.n == 0 || !m->trailer.finished)
        return;
    struct span block = http_fields_block(&m->trailer);
    app_put(a, &t->tx, BUF_HTTP_TRAILER, block);
    app_put(a, &t->tx, BUF_HTTP_TRAILER_RAW, bytes_span(&m->raw_trailer));
    app_put(a, &t->tx, BUF_HTTP_HEADER, block);
    app_put(a, &t->tx, BUF_HTTP_HEADER_RAW, bytes_span(&m->raw_trailer));
    http_fields_put_each(a, &m->trailer, &t->tx, dir);
}

enum http1_next http1_finish(struct http1_run *r, bool whole)
{
    struct http1_tx *t = r->w->tx;
    struct http1_message *m = http1_message_of(r);

    bool on = body_end(r->a, &m->as_sent, &t->tx, whole);
    on = body_end(r->a, &m->body, &t->tx, whole) && on;
    if (m->trailer.n > 0 && !http_fields_finish(r->a, &m->trailer, r->dir))
        return http1_stop(r, APP_BAD);
    put_trailer(r->a, t, r->dir);
    if (whole)
        doh_end(r->a, &m->doh, &t->tx, r->dir);
    on = app_inspect(r->a, &t->tx, r->dir, true) && on;
    r->put = r->gathered = false;
    m->done = true;
    r->w->tx = NULL;
    r->w->step = AT_LINE;
    bytes_free(r->a, &r->w->kept);
    r->w->mid_line = false;
    struct http1_way *client = &r->s->way[APP_TO_SERVER];
    if (r->dir == APP_TO_CLIENT && client->tx == t && t->method == METHOD_CONNECT) { /* it was refused */
        t->way[APP_TO_SERVER].done = true;
        client->tx = NULL;
        client->step = AT_LINE;
    }
    if (t->way[APP_TO_SERVER].done && t->way[APP_TO_CLIENT].done)
        close_tx(r->a, r->s, t);
    return on ? GO : http1_stop(r, APP_OK);
}

/* --- what rules see -------------------------------------------------------------------------------------------------------- */

static void put_word(struct app *a, struct http1_tx *t, enum buffer_id b, struct span s)
{
    if (s.len > 0)
        app_put(a, &t->tx, b, s);
}

static struct span query_of(struct span uri)
{
    const uint8_t *at = uri.len > 0 ? memchr(uri.p, '?', uri.len) : NULL;

    return at ? span_sub(uri, (uint32_t)(at + 1 - uri.p), uri.len) : span_of(NULL, 0);
}

/* dir's own buffers; all: and those that both directions have. */
void http1_put_line(struct app *a, struct http1_tx *t, enum app_dir dir, bool all)
{
    struct http1_message *m = &t->way[dir];
    struct span line;

    if (!m->has_line)
        return;
    line = span_sub(bytes_span(&m->fields.text), 0, m->fields.first - 2);
    m->line_put = true;
    if (dir == APP_TO_SERVER) {
        put_word(a, t, BUF_HTTP_METHOD, http1_word(m, 0));
        put_word(a, t, BUF_HTTP_URI, http1_uri(t));
        put_word(a, t, BUF_HTTP_URI_RAW, http1_word(m, 1));
        put_word(a, t, BUF_HTTP_PARAM, query_of(http1_uri(t)));
        app_put(a, &t->tx, BUF_HTTP_REQUEST_LINE, line);
        if (all)
            put_word(a, t, BUF_HTTP_PROTOCOL, http1_word(m, 2));
        return;
    }
    put_word(a, t, BUF_HTTP_STAT_CODE, http1_word(m, 1));
    put_word(a, t, BUF_HTTP_STAT_MSG, http1_word(m, 2));
    app_put(a, &t->tx, BUF_HTTP_RESPONSE_LINE, line);
    if (all)
        put_word(a, t, BUF_HTTP_PROTOCOL, http1_word(m, 0));
}

static struct span without_dots(struct span host)
{
    while (host.len > 1 && host.p[host.len - 1] == '.')
        host.len--;
    return host;
}

/* http.host: of an absolute target, and of each Host field that says otherwise. */
static void put_hosts(struct app *a, struct http1_tx *t, bool first)
{
    struct http1_message *m = &t->way[APP_TO_SERVER];
    struct span value = http_fields_find(&m->fields, HTTP_HOST), rest, one, host, port, uri;
    unsigned n = 0;

    t->host = span_of(NULL, 0);
    struct span target_host = http1_part(m, t->uri_host);
    if (target_host.len > 0 && http_host_lower(a, target_host, &t->uri_host_room, &uri)) {
        t->host = without_dots(uri);
        app_put(a, &t->tx, BUF_HTTP_HOST, t->host);
    }
    if (!http_host_lower(a, value, &t->host_room, &rest))
        return;
    for (; http_list_next(&rest, &one); n++) {
        if (!http_host_split(one, &host, &port) && first)
            app_event(a, AN_HTTP_REQUEST_HEADER_HOST_INVALID);
        host = without_dots(host);
        if (t->host.len > 0 && span_eq(t->host, host))
            continue;
        if (t->host.len > 0 && first)
            app_event(a, AN_HTTP_HOST_HEADER_AMBIGUOUS);
        if (t->host.len == 0)
            t->host = host;
        app_put(a, &t->tx, BUF_HTTP_HOST, host);
    }
    if (n == 0 && first && m->version >= 0x101 && t->method != METHOD_CONNECT)
        app_event(a, AN_HTTP_MISSING_HOST_HEADER);
    if (value.p)
        app_put(a, &t->tx, BUF_HTTP_HOST_RAW, value);
    else if (target_host.len > 0)
        app_put(a, &t->tx, BUF_HTTP_HOST_RAW, target_host);
}

void http1_put_head(struct app *a, struct http1_tx *t, enum app_dir dir, bool all)
{
    struct http1_message *m = &t->way[dir];
    bool first = !m->head_put;

    if (!m->has_head)
        return;
    m->head_put = true;
    http_fields_put(a, &m->fields, &t->tx, dir, all);
    if (all)
        put_word(a, t, BUF_HTTP_HEADER_RAW, http1_raw(m));
    if (dir == APP_TO_SERVER)
        put_hosts(a, t, first);
    if (first)
        http_fields_put_each(a, &m->fields, &t->tx, dir);
}

static void show(struct app *a, void *state, struct app_tx *tx, enum app_dir dir)
{
    struct http1_tx *t = tx_of(tx);

    for (enum app_dir d = APP_TO_SERVER; d <= APP_TO_CLIENT; d++) {
        http1_put_line(a, t, d, d == dir);
        http1_put_head(a, t, d, d == dir);
    }
    body_show(a, &t->way[dir].body, tx);
    body_show(a, &t->way[dir].as_sent, tx);
    put_trailer(a, t, dir);
    for (enum app_dir d = APP_TO_SERVER; d <= APP_TO_CLIENT; d++)
        http_fields_put_each(a, &t->way[d].fields, tx, d);
}

/* --- EVE ---------------------------------------------------------------------------------------------------------------------- */

static void text_field(struct fields *f, const char *key, struct span s)
{
    if (s.len > 0)
        fields_text(f, key, s);
}

static struct span without_parameters(struct span s)
{
    const uint8_t *end = s.len > 0 ? memchr(s.p, ';', s.len) : NULL;

    return http_trim(end ? span_of(s.p, (size_t)(end - s.p)) : s);
}

static void fields(void *state, const struct app_tx *tx, struct fields *f)
{
    const struct http1_tx *t = (const struct http1_tx *)(const void *)tx;
    const struct http1_message *request = &t->way[APP_TO_SERVER], *response = &t->way[APP_TO_CLIENT];
    struct span host = http_fields_find(&request->fields, HTTP_HOST), port = {0}, rest, one;

    if (t->uri_port.len > 0)
        port = http1_part(request, t->uri_port);
    else if (host.len > 0)
        http_host_split(host, &one, &port);
    text_field(f, "hostname", t->host);
    if (port.len > 0 && port.len <= 5) {
        uint32_t v = 0;
        for (uint32_t i = 0; i < port.len && port.p[i] >= '0' && port.p[i] <= '9'; i++)
            v = v * 10 + (uint32_t)(port.p[i] - '0');
        fields_number(f, "http_port", v);
    }
    if (t->unasked)
        fields_word(f, "url", "/libhtp::request_uri_not_seen");
    else
        text_field(f, "url", http1_word(request, 1));
    text_field(f, "http_user_agent", http_fields_find(&request->fields, HTTP_USER_AGENT));
    rest = http_fields_find(&request->fields, HTTP_FORWARDED_FOR);
    if (http_list_next(&rest, &one))
        text_field(f, "xff", one);
    text_field(f, "http_content_type",
               without_parameters(http_fields_find(&response->fields, HTTP_CONTENT_TYPE)));
    text_field(f, "http_refer", http_fields_find(&request->fields, HTTP_REFERER));
    text_field(f, "http_method", http1_word(request, 0));
    text_field(f, "protocol", request->has_line ? http1_word(request, 2) : http1_word(response, 0));
    if (response->has_line) {
        fields_number(f, "status", t->status);
        if (t->status >= 300 && t->status < 400)
            text_field(f, "redirect", http_fields_find(&response->fields, HTTP_LOCATION));
    }
    fields_number(f, "length", response->body_bytes);
}

/* --- steps --------------------------------------------------------------------------------------------------------------------- */

static enum http1_next (*const steps[HTTP1_STEPS])(struct http1_run *r) = {
    [AT_LINE] = http1_line,       [AT_HEADERS] = http1_headers,       [AT_LENGTH] = http1_length,
    [AT_CLOSE] = http1_close,     [AT_CHUNK_SIZE] = http1_chunk_size, [AT_CHUNK] = http1_chunk,
    [AT_TRAILER] = http1_trailer, [AT_CHUNK_END] = http1_chunk_end,   [AT_TUNNEL] = http1_tunnel,
};

/* Rules look at what is there before the bytes leave. */
static bool inspect_rest(struct http1_run *r)
{
    struct http1_tx *t = r->w->tx;

    if (!t)
        return true;
    struct http1_message *m = http1_message_of(r);
    if (m->has_line && !m->line_put) {
        http1_put_line(r->a, t, r->dir, true);
        r->put = true;
    }
    if (r->gathered && !(body_flush(r->a, &m->as_sent, &t->tx) && body_flush(r->a, &m->body, &t->tx)))
        return false;
    return !r->put || app_inspect(r->a, &t->tx, r->dir, false);
}

static enum app_answer take(struct app *a, void *state, const struct app_in *in)
{
    struct http1 *s = state;
    struct http1_run r = {.a = a,
                          .s = s,
                          .w = &s->way[in->dir],
                          .in = in->bytes,
                          .bytes = in->bytes.len,
                          .dir = (enum app_dir)in->dir,
                          .end = in->end};
    enum http1_next next;

    do {
        next = steps[r.w->step](&r);
    } while (next == GO);
    if (next == STOP)
        return r.answer;
    inspect_rest(&r);
    return APP_OK;
}

static void close_state(struct app *a, void *state)
{
    struct http1 *s = state;

    if (!s)
        return;
    while (s->first)
        close_tx(a, s, s->first);
    for (int dir = 0; dir < 2; dir++) {
        bytes_free(a, &s->way[dir].kept);
        s->way[dir] = (struct http1_way){0};
    }
}

const uint16_t http1_ports[] = {80, 8080, 8000, 8008, 3128, 8888, 0};

const struct app_parser parser_http1 = {
    .proto = APP_HTTP1,
    .tcp = true,
    .state_bytes = sizeof(struct http1),
    .ports = http1_ports,
    .probe = http1_probe,
    .take = take,
    .close = close_state,
    .show = show,
    .fields = fields,
    .object = "http",
};
