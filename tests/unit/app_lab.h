/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_TESTS_APP_LAB_H
#define SLUICE_TESTS_APP_LAB_H
/*
 * A flow for parsers, without frames and without rules: bytes go in by direction, and what is published is written down.
 *
 *     struct app_lab *l = lab_new(&(struct lab_setup){.dport = 80});
 *     lab_send(l, APP_TO_SERVER, "GET / HTTP/1.1\r\n\r\n", 18);     lab_send_cut(l, dir, p, len, piece)
 *     assert_true(lab_saw(l, BUF_HTTP_METHOD, "GET"));             any instance, since the last lab_forget()
 *     lab_free(l);                                                  checks that the flow gave all memory back
 *
 * Every byte handed to rules is read, so that sanitizers see buffers that are gone; a growing buffer's new bytes are
 * put together (lab_grown), so that nothing is published twice or left out.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ips/app/app_parts.h"
#include "tests/unit/packets.h"

#define LAB_HEADERS   60
#define LAB_SEEN_MAX  4096
#define LAB_TEXT_MAX  (4u << 20)
#define LAB_GROWN_MAX (4u << 20)

struct lab_setup {
    bool udp;
    uint16_t dport;
    const struct app_limits *limits; /* NULL: the defaults */
    uint32_t flow_bytes;             /* 0: 1 MB */
    uint64_t memory_bytes;           /* 0: 16 MB */
    bool not_inline;
    uint64_t only; /* APP_BIT()s that are recognised; 0: all */
    struct expect *expect;
};

struct lab_seen {
    uint16_t buffer;
    uint8_t dir;
    bool end;
    uint64_t tx;
    struct span bytes;
};

struct app_lab {
    struct app *app;
    struct flow_table *flows;
    struct counters counters;
    struct flow *flow;
    struct stream_view view;
    uint64_t sent[2], now_ns;
    struct lab_setup setup;
    struct packet pkt;
    void (*begin)(struct app_lab *l), (*end)(struct app_lab *l); /* detection's halves: app_rules.h */
    struct anomalies events;                                     /* of all packets */
    struct lab_seen seen[LAB_SEEN_MAX];
    uint32_t n_seen, n_inspected;
    uint8_t *text;
    uint32_t text_len;
    struct {
        uint8_t *p;
        uint32_t len;
        uint64_t tx, next;
        uint8_t dir;
        bool began;
    } grown[BUF_N];
    struct {
        uint64_t tx, next;
    } goes_on[BUF_N][512]; /* by transaction: several may grow in turn */
    char logged[65536];    /* EVE's members as text: event object{key=value,...}\n */
    uint32_t logged_len;
};

static inline void lab_note(struct app_lab *l, const char *s, size_t n)
{
    if (n > sizeof(l->logged) - 1 - l->logged_len)
        n = sizeof(l->logged) - 1 - l->logged_len;
    memcpy(l->logged + l->logged_len, s, n);
    l->logged_len += (uint32_t)n;
    l->logged[l->logged_len] = '\0';
}

static inline void lab_note_fields(struct app_lab *l, const struct fields *f)
{
    const uint8_t *at = f->p, *end = f->p + f->len;
    char number[32];

    for (;;) {
        struct field x = fields_next(&at, end);

        if (x.kind == FIELD_END)
            return;
        if (x.kind == FIELD_CLOSE || x.kind == FIELD_BESIDE) {
            lab_note(l, "} ", 2);
            continue;
        }
        lab_note(l, x.key, strlen(x.key));
        lab_note(l, "=", 1);
        if (x.kind == FIELD_TEXT) {
            lab_note(l, (const char *)x.bytes.p, x.bytes.len);
        } else if (x.kind == FIELD_HEX) {
            for (uint32_t i = 0; i < x.bytes.len; i++) {
                snprintf(number, sizeof(number), "%02x", x.bytes.p[i]);
                lab_note(l, number, 2);
            }
        } else if (x.kind == FIELD_OBJECT || x.kind == FIELD_LIST) {
            lab_note(l, "{", 1);
            continue;
        } else {
            lab_note(l, number,
                     (size_t)snprintf(number, sizeof(number), "%llu", (unsigned long long)x.number));
        }
        lab_note(l, " ", 1);
    }
}

static inline void lab_log(void *arg, const struct app_record *r)
{
    struct app_lab *l = arg;

    lab_note(l, r->event, strlen(r->event));
    lab_note(l, ": ", 2);
    if (r->fields)
        lab_note_fields(l, r->fields);
    lab_note(l, "\n", 1);
}

/* New bytes of something that grows continue what came before them. */
static inline void lab_grow(struct app_lab *l, const struct app_view *v, unsigned b, struct span s)
{
    struct span fresh = span_sub(s, v->fresh_at[b], s.len);
    uint64_t at = v->origin[b] + v->fresh_at[b];

    uint64_t who = v->tx->id * 2 + v->dir; /* a message of each direction */
    uint64_t *next = &l->goes_on[b][who % 512].next, *of = &l->goes_on[b][who % 512].tx;

    if (*of != who + 1 || at == 0)
        *next = 0;
    *of = who + 1;
    if (!l->grown[b].began || at == 0 || l->grown[b].tx != v->tx->id) {
        l->grown[b].len = 0;
        l->grown[b].began = true;
        l->grown[b].tx = v->tx->id;
        l->grown[b].dir = v->dir;
    }
    if (l->grown[b].dir != v->dir) { /* both directions' bodies go on: only one of them is put together */
        l->grown[b].dir = v->dir;
        l->grown[b].len = 0;
    }
    if (at != *next) {
        fprintf(stderr, "%s: bytes from %llu on, after %llu\n", buffers_name((enum buffer_id)b),
                (unsigned long long)at, (unsigned long long)*next);
        abort();
    }
    *next = l->grown[b].next = at + fresh.len;
    if (!l->grown[b].p)
        l->grown[b].p = malloc(LAB_GROWN_MAX);
    if (fresh.len <= LAB_GROWN_MAX - l->grown[b].len) {
        memcpy(l->grown[b].p + l->grown[b].len, fresh.p, fresh.len);
        l->grown[b].len += fresh.len;
    }
}

static inline void lab_write_down(struct app_lab *l, const struct app_view *v, bool fresh_only)
{
    volatile uint8_t sum = 0;

    for (unsigned b = 0; b < BUF_N; b++) {
        if (!(v->set[b / 64] >> b % 64 & 1))
            continue;
        bool body = b == BUF_FILE_DATA || b == BUF_HTTP_REQUEST_BODY || b == BUF_HTTP_RESPONSE_BODY ||
                    b == BUF_HTTP_BODY_RAW; /* these grow even when all of them comes at once */
        bool grows = (v->fresh[b / 64] >> b % 64 & 1) &&
                     (body || v->fresh_at[b] > 0 || v->origin[b] > 0 || (v->open[b / 64] >> b % 64 & 1));
        for (uint16_t i = v->first[b]; i; i = v->instance[i - 1].next) {
            struct span s = v->instance[i - 1].bytes;

            for (uint32_t k = 0; k < s.len; k++)
                sum = (uint8_t)(sum + s.p[k]);
            if (!fresh_only || !v->instance[i - 1].fresh)
                continue;
            if (grows || (l->grown[b].began && l->grown[b].tx == v->tx->id && l->grown[b].next > 0 &&
                          v->fresh_at[b] > 0))
                lab_grow(l, v, b, s);
            if (l->n_seen < LAB_SEEN_MAX && s.len < LAB_TEXT_MAX - l->text_len) {
                memcpy(l->text + l->text_len, s.p, s.len);
                l->seen[l->n_seen++] = (struct lab_seen){.buffer = (uint16_t)b,
                                                         .dir = v->dir,
                                                         .end = v->end,
                                                         .tx = v->tx->id,
                                                         .bytes = span_of(l->text + l->text_len, s.len)};
                l->text_len += s.len;
            }
        }
    }
}

static inline void lab_inspect(void *arg, struct app *a, const struct app_view *v)
{
    struct app_lab *l = arg;
    static uint8_t room[65536];
    struct fields f;
    const char *object;

    l->n_inspected++;
    lab_write_down(l, v, true);
    app_view_complete(a);
    lab_write_down(l, v, false);
    fields_begin(&f, room, sizeof(room));
    if (app_view_fields(a, &f, &object))
        for (const uint8_t *at = f.p; fields_next(&at, f.p + f.len).kind != FIELD_END;)
            ;
}

static inline void lab_packet(struct app_lab *l, enum app_dir dir, struct span payload, bool fin)
{
    struct pkt k = {.proto = l->setup.udp ? IPPROTO_UDP : IPPROTO_TCP,
                    .src = dir == APP_TO_SERVER ? 1 : 2,
                    .dst = dir == APP_TO_SERVER ? 2 : 1,
                    .sport = dir == APP_TO_SERVER ? 40000 : l->setup.dport,
                    .dport = dir == APP_TO_SERVER ? l->setup.dport : 40000,
                    .tcp_flags = (uint8_t)(0x10 | (fin ? 1 : 0))};
    struct packet *p = &l->pkt;

    l->now_ns += 1000000;
    *p = (struct packet){.now_ns = l->now_ns, .ts_ns = UINT64_C(1700000000000000000) + l->now_ns};
    p->flags = PKT_HAS_IP | PKT_HAS_L4;
    p->ip_version = 4;
    p->ip_proto = k.proto;
    p->tcp_flags = k.tcp_flags;
    p->sport = k.sport;
    p->dport = k.dport;
    p->src = pkt_addr(false, k.src);
    p->dst = pkt_addr(false, k.dst);
    p->payload_off = LAB_HEADERS;
    p->l3_off = 14;
    p->l4_off = 34;
    p->ip_hdr_len = 20;
    p->data = (uint8_t *)payload.p - LAB_HEADERS; /* lab_send_fin() has put headers there */
    p->payload_len =
        payload.len <= 60000 ? (uint16_t)payload.len : 0; /* more only in a view, as joined bytes */
    p->len = p->orig_len = LAB_HEADERS + p->payload_len;
    flow_prefetch_burst(l->flows, p, 1);
    flow_lookup(l->flows, p, &l->counters);
    p->verdict = VERDICT_FORWARD;
    if (!l->setup.udp) {
        p->flags |= PKT_STREAM | PKT_ESTABLISHED;
        l->view =
            (struct stream_view){.fresh = payload, .offset = l->sent[dir], .in_frame = payload.len <= 60000};
        if (payload.len > 0)
            p->view = &l->view;
    }
    p->flags &= (uint32_t)~PKT_TO_CLIENT; /* whoever spoke first */
    if (p->flow && dir == APP_TO_CLIENT)
        p->flags |= PKT_TO_CLIENT;
    l->flow = p->flow;
}

/* One segment or datagram. The bytes are copied to memory of just their size, so that reading beyond them is seen. */
static inline void lab_send_fin(struct app_lab *l, enum app_dir dir, const void *bytes, size_t len, bool fin)
{
    uint8_t *copy = calloc(1, LAB_HEADERS + len);

    if (len > 0)
        memcpy(copy + LAB_HEADERS, bytes, len);
    lab_packet(l, dir, span_of(copy + LAB_HEADERS, len), fin);
    app_begin(l->app, &l->pkt, &l->counters);
    if (l->begin)
        l->begin(l);
    app_parse(l->app, &l->pkt, &l->counters);
    if (l->end)
        l->end(l);
    app_end(l->app, &l->pkt);
    for (unsigned i = 0; i < sizeof(l->events.bits) / sizeof(l->events.bits[0]); i++)
        l->events.bits[i] |= l->pkt.anomalies.bits[i];
    if (!l->setup.udp)
        l->sent[dir] += len;
    free(copy);
}

static inline void lab_send(struct app_lab *l, enum app_dir dir, const void *bytes, size_t len)
{
    lab_send_fin(l, dir, bytes, len, false);
}

static inline void lab_say(struct app_lab *l, enum app_dir dir, const char *text)
{
    lab_send(l, dir, text, strlen(text));
}

/* In pieces of so many bytes. */
static inline void lab_send_cut(struct app_lab *l, enum app_dir dir, const void *bytes, size_t len,
                                size_t piece)
{
    for (size_t at = 0; at < len; at += piece)
        lab_send(l, dir, (const uint8_t *)bytes + at, len - at < piece ? len - at : piece);
}

static inline bool lab_saw_bytes(const struct app_lab *l, enum buffer_id b, const void *p, size_t len)
{
    for (uint32_t i = 0; i < l->n_seen; i++)
        if (l->seen[i].buffer == b && span_eq(l->seen[i].bytes, span_of(p, len)))
            return true;
    return false;
}

static inline bool lab_saw(const struct app_lab *l, enum buffer_id b, const char *text)
{
    return lab_saw_bytes(l, b, text, strlen(text));
}

static inline bool lab_saw_number(const struct app_lab *l, enum buffer_id b, uint64_t v)
{
    return lab_saw_bytes(l, b, &v, sizeof(v));
}

static inline unsigned lab_count(const struct app_lab *l, enum buffer_id b)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < l->n_seen; i++)
        n += l->seen[i].buffer == b;
    return n;
}

static inline struct span lab_grown(const struct app_lab *l, enum buffer_id b)
{
    return span_of(l->grown[b].p, l->grown[b].len);
}

static inline bool lab_event(const struct app_lab *l, enum anomaly which)
{
    return anomaly_has(&l->events, which);
}

static inline bool lab_speaks(const struct app_lab *l, enum app_proto proto)
{
    return app_of(l->app, &l->pkt) >> proto & 1;
}

static inline void lab_forget(struct app_lab *l)
{
    l->n_seen = l->text_len = l->logged_len = 0;
    memset(&l->events, 0, sizeof(l->events));
}

static inline struct app_lab *lab_new(const struct lab_setup *setup)
{
    static const struct app_limits defaults = APP_LIMITS_DEFAULT;
    struct flow_config fc = {.max_flows = 16,
                             .tcp_new_s = 60,
                             .tcp_established_s = 60,
                             .tcp_closed_s = 10,
                             .udp_new_s = 60,
                             .udp_established_s = 60,
                             .icmp_s = 60,
                             .other_s = 60,
                             .midstream = true};
    struct app_lab *l = calloc(1, sizeof(*l));
    struct err e = {0};

    l->setup = *setup;
    if (!l->setup.dport)
        l->setup.dport = 80;
    l->text = malloc(LAB_TEXT_MAX);
    l->flows = flow_table_new(&fc, &e);
    struct app_config cfg = {.memory_bytes = setup->memory_bytes ? setup->memory_bytes : 16u << 20,
                             .flow_bytes = setup->flow_bytes ? setup->flow_bytes : 4u << 20,
                             .max_flows = 16,
                             .inline_mode = !setup->not_inline,
                             .off = setup->only ? ~setup->only : 0,
                             .log = true,
                             .expect = setup->expect,
                             .limits = setup->limits ? *setup->limits : defaults};
    struct app_hooks hooks = {.arg = l, .inspect = lab_inspect, .log = lab_log};
    l->app = app_new(&cfg, l->flows, NULL, &e);
    if (!l->app)
        abort();
    app_set_hooks(l->app, &hooks);
    return l;
}

/* Ends the flow (what is unfinished is logged) and checks that nothing of the pool is left. */
static inline void lab_end_flow(struct app_lab *l)
{
    struct app_slot *s = l->flow ? &l->app->slots[flow_index(l->flows, l->flow)] : NULL;
    struct app_flow *f = s ? s->flow : NULL;

    l->now_ns += UINT64_C(3600) * 1000000000;
    flow_expire(l->flows, l->now_ns, 1000, &l->counters);
    (void)f;
    if (app_bytes(l->app) != 0) {
        fprintf(stderr, "%llu bytes of the pool were not given back\n",
                (unsigned long long)app_bytes(l->app));
        abort();
    }
    for (unsigned b = 0; b < BUF_N; b++)
        l->grown[b].began = false;
    l->flow = NULL;
    l->sent[0] = l->sent[1] = 0;
}

static inline void lab_free(struct app_lab *l)
{
    lab_end_flow(l);
    app_free(l->app);
    flow_table_free(l->flows);
    for (unsigned b = 0; b < BUF_N; b++)
        free(l->grown[b].p);
    free(l->text);
    free(l);
}

/*
 * For fuzz targets: one parser's flow out of the fuzzer's bytes. The first byte chooses transport details; then pieces: a
 * byte with the direction in its lowest bit and the length in the others (0: 64 bytes more than the next byte says).
 */
static inline void lab_pieces(struct app_lab *l, const uint8_t *data, size_t size)
{
    while (size > 1) {
        enum app_dir dir = data[0] & 1 ? APP_TO_CLIENT : APP_TO_SERVER;
        size_t n = data[0] >> 1;
        bool fin = false;

        data++, size--;
        if (n == 0) {
            n = 64 + data[0] * 8u;
            data++, size--;
        }
        fin = n == 127;
        if (n > size)
            n = size;
        lab_send_fin(l, dir, data, n, fin);
        data += n;
        size -= n;
    }
}

static inline void lab_fuzz(const struct lab_setup *setup, const uint8_t *data, size_t size)
{
    static struct app_lab *l; /* one for all runs: making it costs more than a run */

    if (!l)
        l = lab_new(setup);
    l->setup.udp = setup->udp; /* the other settings are the first run's */
    l->setup.dport = setup->dport;
    lab_pieces(l, data, size);
    lab_end_flow(l);
    lab_forget(l);
}
#endif
