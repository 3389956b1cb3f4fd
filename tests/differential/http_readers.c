/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two readers of the differential test: libhtp, set as Suricata 7 sets it, and our parser on the bench of the unit tests.
 * Both fill struct reading. Test code: one thread, memory from malloc.
 */
#include "tests/differential/http_libhtp.h"

#include <htp/htp.h>

#include "tests/unit/app_lab.h"

static void *got(void *p)
{
    if (!p)
        abort();
    return p;
}

void text_add(struct text *t, const void *p, size_t len)
{
    t->there = true;
    if (t->cap - t->len < len) {
        t->cap = 2 * t->cap + len + 64;
        t->p = got(realloc(t->p, t->cap));
    }
    if (len > 0)
        memcpy(t->p + t->len, p, len);
    t->len += len;
}

struct span text_span(const struct text *t)
{
    return span_of(t->p, (uint32_t)t->len);
}

static void text_free(struct text *t)
{
    free(t->p);
    *t = (struct text){0};
}

static void text_set(struct text *t, const void *p, size_t len)
{
    t->len = 0;
    text_add(t, p, len);
}

static struct read_tx *tx_at(struct reading *r, uint64_t id)
{
    if (id >= READ_TX_MAX)
        abort();
    if (!r->tx[id])
        r->tx[id] = got(calloc(1, sizeof(struct read_tx)));
    if (id >= r->n)
        r->n = (size_t)id + 1;
    return r->tx[id];
}

void reading_free(struct reading *r)
{
    for (size_t i = 0; i < r->n; i++) {
        if (!r->tx[i])
            continue;
        for (unsigned k = 0; k < READ_N; k++)
            text_free(&r->tx[i]->field[k]);
        for (unsigned k = 0; k < 2; k++) {
            text_free(&r->tx[i]->wire[k]);
        }
        text_free(&r->tx[i]->sent);
        free(r->tx[i]);
    }
    *r = (struct reading){0};
}

/* --- libhtp ---------------------------------------------------------------------------------------------------------- */

static int body_data(htp_tx_data_t *d, enum read_field field)
{
    struct read_tx *t = htp_tx_get_user_data(d->tx);

    if (!t) {
        t = got(calloc(1, sizeof(*t)));
        htp_tx_set_user_data(d->tx, t);
    }
    if (d->data && d->len > 0)
        text_add(&t->field[field], d->data, d->len);
    return HTP_OK;
}

static int request_body(htp_tx_data_t *d)
{
    return body_data(d, READ_REQUEST_BODY);
}

static int response_body(htp_tx_data_t *d)
{
    return body_data(d, READ_RESPONSE_BODY);
}

static htp_cfg_t *htp_settings(void)
{
    static htp_cfg_t *cfg;

    if (cfg)
        return cfg;
    cfg = got(htp_config_create());
    htp_config_set_server_personality(cfg, HTP_SERVER_IDS);
    htp_config_set_convert_lowercase(cfg, HTP_DECODER_URL_PATH, 0); /* as Suricata has it */
    htp_config_set_request_decompression(cfg, 1);
    htp_config_set_response_decompression_layer_limit(cfg, 2);
    htp_config_set_lzma_layers(cfg, 1);
    htp_config_set_compression_time_limit(cfg, 100000000); /* a slow machine is not to decide */
    htp_config_set_field_limits(cfg, 9000, 18000);
    htp_config_set_allow_space_uri(cfg, 1);
    htp_config_set_plusspace_decode(cfg, HTP_DECODER_URLENCODED, 0);
    htp_config_set_parse_request_cookies(cfg, 0);
    htp_config_register_request_body_data(cfg, request_body);
    htp_config_register_response_body_data(cfg, response_body);
    return cfg;
}

static void add_bstr(struct text *t, const bstr *b)
{
    if (b)
        text_add(t, bstr_ptr(b), bstr_len(b));
}

static void add_fields(struct text *t, const htp_table_t *fields)
{
    for (size_t i = 0; fields && i < htp_table_size(fields); i++) {
        const htp_header_t *h = htp_table_get_index(fields, i, NULL);

        add_bstr(t, h->name);
        text_add(t, ": ", 2);
        add_bstr(t, h->value);
        text_add(t, "\n", 1);
    }
}

/* http.uri as Suricata makes it: the path, '?' and the query, decoded, '#' and the fragment. */
static void add_uri(struct text *t, const htp_tx_t *tx)
{
    const htp_uri_t *u = tx->parsed_uri;
    uint64_t flags = 0;

    if (!u)
        return;
    add_bstr(t, u->path);
    if (u->query) {
        bstr *query = got(bstr_dup(u->query));

        htp_urldecode_inplace(htp_settings(), HTP_DECODER_URLENCODED, query, &flags);
        text_add(t, "?", 1);
        add_bstr(t, query);
        bstr_free(query);
    }
    if (u->fragment) {
        text_add(t, "#", 1);
        add_bstr(t, u->fragment);
    }
}

static void keep_tx(struct reading *r, size_t id, htp_tx_t *tx)
{
    struct read_tx *t = tx_at(r, id), *bodies = htp_tx_get_user_data(tx);

    if (bodies)
        *t = *bodies;
    free(bodies);
    add_bstr(&t->field[READ_METHOD], tx->request_method);
    add_bstr(&t->field[READ_TARGET], tx->request_uri);
    add_uri(&t->field[READ_URI], tx);
    add_bstr(&t->field[READ_REQUEST_PROTOCOL], tx->request_protocol);
    add_fields(&t->field[READ_REQUEST_HEADERS], tx->request_headers);
    add_bstr(&t->field[READ_HOST], tx->request_hostname);
    add_bstr(&t->field[READ_RESPONSE_PROTOCOL], tx->response_protocol);
    add_bstr(&t->field[READ_STATUS], tx->response_status);
    add_bstr(&t->field[READ_MESSAGE], tx->response_message);
    add_fields(&t->field[READ_RESPONSE_HEADERS], tx->response_headers);
}

struct htp_run {
    htp_connp_t *p;
    struct text held[2]; /* what it will not take before the other direction has gone on */
    bool stopped[2];
};

static bool give(struct htp_run *h, uint8_t dir)
{
    struct text *t = &h->held[dir];
    htp_time_t when = {0};
    int answer;
    size_t used;

    if (h->stopped[dir] || t->len == 0)
        return false;
    answer = dir == APP_TO_SERVER ? htp_connp_req_data(h->p, &when, t->p, t->len)
                                  : htp_connp_res_data(h->p, &when, t->p, t->len);
    used = answer != HTP_STREAM_DATA_OTHER ? t->len
           : dir == APP_TO_SERVER          ? htp_connp_req_data_consumed(h->p)
                                           : htp_connp_res_data_consumed(h->p);
    if (answer == HTP_STREAM_ERROR || answer == HTP_STREAM_STOP)
        h->stopped[dir] = true;
    if (used > 0)
        memmove(t->p, t->p + used, t->len - used);
    t->len -= used;
    return used > 0;
}

void read_with_libhtp(const struct stream_flow *f, struct reading *r)
{
    struct htp_run h = {.p = got(htp_connp_create(htp_settings()))};
    htp_time_t when = {0};

    htp_connp_open(h.p, "192.0.2.1", 40000, "192.0.2.2", f->server_port, &when);
    for (size_t i = 0; i < f->n_turns; i++) {
        const struct turn *t = &f->turns[i];

        text_add(&h.held[t->dir], t->p, t->len);
        for (uint8_t dir = t->dir; give(&h, dir); dir = !dir)
            ;
        if (t->end && !h.stopped[t->dir]) {
            if (t->dir == APP_TO_SERVER)
                htp_connp_req_close(h.p, &when);
            else
                htp_connp_close(h.p, &when);
        }
    }
    const htp_conn_t *conn = htp_connp_get_connection(h.p);
    for (size_t i = 0; i < htp_list_size(conn->transactions); i++) {
        htp_tx_t *tx = htp_list_get(conn->transactions, i);

        if (tx)
            keep_tx(r, i, tx);
    }
    text_free(&h.held[0]);
    text_free(&h.held[1]);
    htp_connp_destroy_all(h.p);
}

/* --- ours ------------------------------------------------------------------------------------------------------------ */

static const struct {
    uint16_t buffer;
    uint8_t field[2]; /* by direction */
} from_buffer[] = {
    {BUF_HTTP_METHOD, {READ_METHOD, READ_N}},
    {BUF_HTTP_URI_RAW, {READ_TARGET, READ_N}},
    {BUF_HTTP_URI, {READ_URI, READ_N}},
    {BUF_HTTP_PROTOCOL, {READ_REQUEST_PROTOCOL, READ_RESPONSE_PROTOCOL}},
    {BUF_HTTP_REQUEST_HEADER, {READ_REQUEST_HEADERS, READ_N}},
    {BUF_HTTP_HOST, {READ_HOST, READ_N}},
    {BUF_HTTP_REQUEST_BODY, {READ_REQUEST_BODY, READ_N}},
    {BUF_HTTP_STAT_CODE, {READ_N, READ_STATUS}},
    {BUF_HTTP_STAT_MSG, {READ_N, READ_MESSAGE}},
    {BUF_HTTP_RESPONSE_HEADER, {READ_N, READ_RESPONSE_HEADERS}},
    {BUF_HTTP_RESPONSE_BODY, {READ_N, READ_RESPONSE_BODY}},
};

/* An interim answer is no part of what follows it. */
static void forget_answer(struct read_tx *t)
{
    for (unsigned k = READ_RESPONSE_PROTOCOL; k < READ_N; k++)
        text_free(&t->field[k]);
}

/* New bytes of the body as it came, and not decoded. */
static bool is_wire(const struct text *wire, const struct app_view *v, unsigned b, struct span s)
{
    struct span fresh = span_sub(s, v->fresh_at[b], s.len);
    uint64_t at = v->origin[b] + v->fresh_at[b];

    return at + fresh.len <= wire->len && span_eq(fresh, span_of(wire->p + at, fresh.len));
}

static void take_grown(struct text *t, const struct app_view *v, unsigned b, struct span s)
{
    uint64_t at = v->origin[b] + v->fresh_at[b];
    struct span fresh = span_sub(s, v->fresh_at[b], s.len);

    if (at == 0)
        t->len = 0; /* junk that was none after all */
    if (at != t->len) {
        fprintf(stderr, "%s goes on at %llu and not at %zu\n", buffers_name((enum buffer_id)b),
                (unsigned long long)at, t->len);
        abort();
    }
    text_add(t, fresh.p, fresh.len);
}

static void take_instance(struct read_tx *t, const struct app_view *v, unsigned b, enum read_field field,
                          struct span s)
{
    struct text *to = &t->field[field];

    if (field == READ_REQUEST_BODY || field == READ_RESPONSE_BODY) {
        bool sent = field == READ_REQUEST_BODY && is_wire(&t->wire[APP_TO_SERVER], v, b, s);

        take_grown(sent ? &t->sent : to, v, b, s);
    } else if (field == READ_REQUEST_HEADERS || field == READ_RESPONSE_HEADERS) {
        text_add(to, s.p, s.len);
        text_add(to, "\n", 1);
    } else if (field != READ_HOST || !to->there) { /* a host for each Host field: the first */
        text_set(to, s.p, s.len);
    }
}

static bool is_fresh(const struct app_view *v, unsigned b)
{
    return v->set[b / 64] & v->fresh[b / 64] & 1ull << b % 64;
}

static void inspect(void *arg, struct app *a, const struct app_view *v)
{
    struct reading *r = arg;
    struct read_tx *t;

    if (v->proto != APP_HTTP1)
        return;
    t = tx_at(r, v->tx->id);
    if (is_fresh(v, BUF_HTTP_RESPONSE_LINE) && t->field[READ_STATUS].there)
        forget_answer(t);
    if (is_fresh(v, BUF_HTTP_BODY_RAW))
        take_grown(&t->wire[v->dir], v, BUF_HTTP_BODY_RAW,
                   v->instance[v->first[BUF_HTTP_BODY_RAW] - 1].bytes);
    for (unsigned i = 0; i < sizeof(from_buffer) / sizeof(from_buffer[0]); i++) {
        unsigned b = from_buffer[i].buffer;
        enum read_field field = (enum read_field)from_buffer[i].field[v->dir];

        if (field == READ_N || !is_fresh(v, b))
            continue;
        for (uint16_t k = v->first[b]; k; k = v->instance[k - 1].next)
            if (v->instance[k - 1].fresh)
                take_instance(t, v, b, field, v->instance[k - 1].bytes);
    }
}

static void no_log(void *arg, const struct app_record *record) {}

static void send_turn(struct app_lab *l, const struct turn *t, enum cutting cut, uint32_t *seed)
{
    size_t at = 0;

    while (at < t->len) {
        size_t n = t->len;

        if (cut == CUT_BYTES)
            n = at < 65536 ? 1 : 1447; /* heads, and the first bytes of bodies */
        else if (cut == CUT_RANDOM) {
            *seed = *seed * 1103515245u + 12345;
            n = 1 + (*seed >> 16) % (*seed >> 8 & 1 ? 8 : 1460);
        }
        if (n > t->len - at)
            n = t->len - at;
        lab_send(l, (enum app_dir)t->dir, t->p + at, n);
        l->now_ns -= 1000000; /* no time passes: many small pieces are no old flow */
        at += n;
    }
    if (t->end)
        lab_send_fin(l, (enum app_dir)t->dir, "", 0, true);
}

void read_with_ours(const struct stream_flow *f, enum cutting cut, struct reading *r)
{
    static struct app_lab *l; /* one for all: making it costs more than most flows */
    uint32_t seed = f->number;

    if (!l)
        l = lab_new(&(struct lab_setup){.only = APP_BIT(HTTP1)});
    l->setup.dport = f->server_port;
    app_set_hooks(l->app, &(struct app_hooks){.arg = r, .inspect = inspect, .log = no_log});
    for (size_t i = 0; i < f->n_turns; i++) {
        send_turn(l, &f->turns[i], cut, &seed);
        r->recognised |= l->flow && lab_speaks(l, APP_HTTP1);
    }
    r->recognised |= r->n > 0;
    for (size_t i = 0; i < r->n; i++)
        if (r->tx[i] && r->tx[i]->field[READ_REQUEST_BODY].len == 0) { /* it was not coded */
            text_free(&r->tx[i]->field[READ_REQUEST_BODY]);
            r->tx[i]->field[READ_REQUEST_BODY] = r->tx[i]->sent;
            r->tx[i]->sent = (struct text){0};
        }
    r->events = l->events;
    lab_end_flow(l);
    lab_forget(l);
}
