/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A packet's way through its application protocol.
 *
 * begin   what is new in it (a datagram, or what stream/ says), whether it repeats what was parsed before, and which
 *         protocol the flow speaks, if that can be told
 * parse   the parser of the flow gets it, and what was kept for it; it calls detection as it goes. A parser that is
 *         done, or finds that this is not its protocol, gets no more; one that switches (STARTTLS, CONNECT, upgrade) has the
 *         rest of the bytes go to the next one
 * end     a segment that was dropped has been parsed all the same, and will come again: the copy must be what it was, or
 *         it is dropped, too (DROP_APP_CONFLICT)
 *
 * A flow costs 16 bytes here until its first bytes come, and a block of the pool until its protocol is known to need
 * none; a datagram's protocol without state needs none.
 *
 * Worker thread. Owns the slots beside the flow table, the pool, and everything that flows hold of it.
 */
#include "ips/app/app.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <xxhash.h>

#include "ips/app/app_parts.h"
#include "ips/app/expect.h"

/* --- flows ---------------------------------------------------------------------------------------------------------- */

static void close_parser(struct app *a)
{
    struct app_flow *f = a->flow;

    if (!f->parser || f->over || (f->parser->state_bytes > 0 && !f->state))
        return; /* closed already, or it never began */
    if (f->parser->close)
        f->parser->close(a, f->state);
    view_reset(a);
    if (f->parser->state_bytes > 0)
        app_give(a, f->state, f->parser->state_bytes);
    f->state = NULL;
}

static void forget(struct app *a)
{
    struct app_flow *f = a->flow;

    close_parser(a);
    for (int dir = 0; dir < 2; dir++)
        bytes_free(a, &f->way[dir].held);
    bytes_free(a, &f->note);
}

/* The flow table forgets a flow. */
static void released(void *arg, uint32_t index, enum flow_end why)
{
    struct app *a = arg;
    struct app_slot *s = &a->slots[index];

    if (s->flow) {
        a->p = NULL;
        a->slot = s;
        a->flow = s->flow;
        a->of = flow_at(a->flows, index);
        forget(a);
        memory_plain_give(a, s->flow, sizeof(*s->flow));
    }
    *s = (struct app_slot){0};
}

struct app *app_new(const struct app_config *cfg, struct flow_table *flows, struct stream_table *streams,
                    struct err *e)
{
    struct app *a = calloc(1, sizeof(*a));
    void *m = MAP_FAILED;

    if (a) {
        a->cfg = *cfg;
        a->cfg.beacon = cfg->beacon ? cfg->beacon : &a->own_beacon;
        a->cfg.meter = cfg->meter ? cfg->meter : &a->own_meter;
        a->asks = cfg->asks;
        a->flows = flows;
        a->streams = streams;
        a->slots_bytes = sizeof(*a->slots) * cfg->max_flows;
        m = mmap(NULL, a->slots_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                 -1, 0);
    }
    if (m == MAP_FAILED) {
        err_set(e, -ENOMEM, "no memory for the protocols of %u flows", cfg->max_flows);
        err_remedy(e, "lower flow.max; there is one table per worker");
        free(a);
        return NULL;
    }
    a->slots = m;
    recognise_init(a);
    a->pool = pool_new(cfg->memory_bytes, "protocols", "app.memory", e);
    a->ciphers = a->pool ? ciphers_new(e) : NULL;
    if (!a->ciphers) {
        app_free(a);
        return NULL;
    }
    flow_table_on_release(flows, released, a);
    return a;
}

void app_set_hooks(struct app *a, const struct app_hooks *hooks)
{
    a->hooks = *hooks;
}

void app_set_asks(struct app *a, uint8_t asks)
{
    a->asks = a->cfg.asks | asks;
    if (a->cfg.ja3_auto)
        a->cfg.limits.ja3 = (asks & ASK_JA3) != 0;
    if (a->cfg.ja4_auto)
        a->cfg.limits.ja4 = (asks & ASK_JA4) != 0;
}

void app_free(struct app *a)
{
    if (!a)
        return;
    flow_table_off_release(a->flows, a);
    pool_free(a->pool);
    ciphers_free(a->ciphers);
    munmap(a->slots, a->slots_bytes);
    free(a);
}

/* --- what is new in a packet ----------------------------------------------------------------------------------------- */

/* Bytes that nobody has parsed yet, with their place; false: there are none, or the packet is not of a flow. */
static bool new_bytes(const struct packet *p, struct span *bytes, uint64_t *offset)
{
    if (!p->flow ||
        (p->flags & (PKT_QUOTES | PKT_IGNORED | PKT_UNINSPECTED | PKT_BAD_CHECKSUM | PKT_FRAGMENT)))
        return false;
    *offset = 0;
    if (p->ip_proto == IPPROTO_UDP) {
        *bytes = packet_payload(p);
        return bytes->len > 0;
    }
    *bytes = span_of(NULL, 0);
    if (p->ip_proto != IPPROTO_TCP)
        return false;
    if (p->view) {
        *bytes = p->view->fresh;
        *offset = p->view->offset;
    }
    return p->view != NULL || (p->tcp_flags & 0x01) != 0;
}

/* A segment that was dropped came again. True when it is what it was; *bytes is then what lies behind it. */
static bool same_again(struct app_way *w, struct span *bytes, uint64_t *offset)
{
    uint64_t n = w->parsed - *offset;

    if (*offset != w->unsure || bytes->len < n || XXH3_64bits(bytes->p, n) != w->unsure_hash)
        return false;
    *bytes = span_sub(*bytes, (uint32_t)n, bytes->len);
    *offset += n;
    return true;
}

/*
 * Bytes come again that were parsed, and they are not the copy of a dropped segment: what was parsed never reached its
 * receiver (data in front of the handshake), or the copy differs. From its first byte on a direction can be
 * parsed anew; in the middle there is no way back. False: the packet was dropped.
 */
static bool parse_again(struct app *a, uint64_t offset)
{
    struct app_flow *f = a->flow;

    if (offset > f->way[a->dir].began || f->way[1 - a->dir].parsed > f->way[1 - a->dir].began) {
        if (a->cfg.inline_mode)
            packet_drop(a->p, DROP_APP_CONFLICT);
        else
            f->way[a->dir].lost = true;
        return !a->cfg.inline_mode;
    }
    forget(a);
    uint32_t used = f->used;
    uint64_t next_tx = f->next_tx;
    memset(f, 0, sizeof(*f));
    f->used = used;
    f->next_tx = next_tx;
    f->first = a->dir;
    a->slot->proto = 0;
    a->slot->flags &= (uint8_t)~SLOT_SETTLED;
    recognise_begin(f, a);
    return true;
}

static void set_parser(struct app *a, const struct app_parser *parser)
{
    struct app_flow *f = a->flow;

    assert(parser);
    f->parser = parser;
    f->apps = 1ull << parser->proto;
    a->slot->proto = (uint8_t)(parser->proto + 1);
    a->slot->flags |= SLOT_SETTLED | SLOT_JUST;
    counter_add(a->c, CTR_APP_RECOGNISED, 1);
}

/* A new flow that another one has agreed on: it need not be recognised. */
static void was_expected(struct app *a)
{
    struct expect_key k = {.listener = &a->of->addr[1],
                           .opener = &a->of->addr[0],
                           .port = a->of->port[1],
                           .vlans = a->of->vlans};
    struct expect_note n;

    if (!a->cfg.expect || !expect_take(a->cfg.expect, &k, a->now_ns / 1000000, &n) ||
        !recognise_find(n.proto))
        return;
    if (bytes_add(a, &a->flow->note, span_of(n.bytes, n.len)))
        set_parser(a, recognise_find(n.proto));
}

/* Where the flow's parsing is kept; NULL: nowhere, it has no protocol. */
static bool open_slot(struct app *a)
{
    struct app_slot *s = a->slot;

    if (s->flow || a->of->proto == IPPROTO_UDP) {
        a->flow = s->flow;
        if (a->flow)
            return true;
        memset(&a->datagram, 0, sizeof(a->datagram));
        a->flow = &a->datagram;
        if (s->proto) {
            a->flow->parser = recognise_find((enum app_proto)(s->proto - 1));
            a->flow->apps = 1ull << (s->proto - 1);
        } else {
            recognise_begin(a->flow, a);
        }
        return true;
    }
    s->flow = memory_plain(a, sizeof(*s->flow));
    if (!s->flow) {
        s->flags |= SLOT_OFF | SLOT_SETTLED;
        exception_apply(EXC_APP_MEMCAP, a->cfg.on_memcap, a->p, a->c);
        return false;
    }
    a->flow = s->flow;
    a->flow->first = a->dir;
    recognise_begin(a->flow, a);
    was_expected(a);
    return true;
}

/* Bytes of a direction whose protocol is not known yet wait for it. When they are too many, the last of them do: nonsense in
 * front of a greeting must not make a direction invisible. */
static void hold(struct app *a, struct span bytes)
{
    struct app_way *w = &a->flow->way[a->dir];

    if (w->lost || a->flow == &a->datagram) /* a datagram stands for itself */
        return;
    if (w->held.len == 0)
        bytes = span_sub(bytes, recognise_blank(bytes), bytes.len);
    if (bytes.len == 0)
        return;
    if (w->held.len + bytes.len > PROBE_HELD_MAX) {
        w->skipped = true;
        w->held.len = 0;
        bytes = span_sub(bytes, bytes.len > PROBE_HELD_MAX ? bytes.len - PROBE_HELD_MAX : 0, bytes.len);
        w->began = w->parsed - bytes.len;
    }
    if (bytes_add(a, &w->held, bytes))
        return;
    w->lost = true;
    bytes_free(a, &w->held);
    exception_apply(EXC_APP_MEMCAP, a->cfg.on_memcap, a->p, a->c);
}

/* Nobody speaks like this: the flow keeps nothing. */
static void give_up(struct app *a)
{
    a->slot->flags |= SLOT_SETTLED | SLOT_OFF;
    counter_add(a->c, CTR_APP_UNKNOWN, 1);
    if (a->flow != a->slot->flow)
        return;
    forget(a);
    memory_plain_give(a, a->slot->flow, sizeof(*a->slot->flow));
    a->slot->flow = a->flow = NULL;
}

static bool stream_ends(const struct app *a)
{
    if (a->of->proto == IPPROTO_UDP)
        return true;
    return a->streams ? stream_finishes(a->streams, a->p) : (a->p->tcp_flags & 0x01) != 0; /* a test's */
}

static void find_protocol(struct app *a, struct span bytes)
{
    struct app_flow *f = a->flow;
    bool end = stream_ends(a);

    if (bytes.len > 0 && recognise(a, bytes, (enum app_dir)a->dir, end)) {
        set_parser(a, f->parser);
        return;
    }
    if (f == &a->datagram) {
        /* anybody can send what the other end does not answer: only a conversation is nobody's */
        bool both = (a->of->flags & (FLOW_SEEN_TS | FLOW_SEEN_TC)) == (FLOW_SEEN_TS | FLOW_SEEN_TC);

        if (!f->way[a->dir].failed || !both || a->slot->tries == PROBE_DATAGRAMS)
            return;
        if (++a->slot->tries == PROBE_DATAGRAMS && recognise_hopeless(a))
            give_up(a);
        return;
    }
    if (f->way[0].failed && f->way[1].failed)
        give_up(a);
}

void app_begin(struct app *a, struct packet *p, struct counters *c)
{
    struct span bytes;
    uint64_t offset;

    a->p = NULL;
    a->flow = NULL;
    a->n_files = 0;
    if (!new_bytes(p, &bytes, &offset) || p->verdict == VERDICT_DROP)
        return;
    a->p = p;
    a->c = c;
    a->of = p->flow;
    a->slot = &a->slots[flow_index(a->flows, p->flow)];
    a->dir = p->flags & PKT_TO_CLIENT ? APP_TO_CLIENT : APP_TO_SERVER;
    a->now_ns = p->now_ns;
    a->real_ns = p->ts_ns;
    a->memcap = a->took = false;
    a->slot->flags &= (uint8_t)~SLOT_JUST;
    if (p->flow->verdict == FLOW_DROP || (p->flow->verdict == FLOW_PASS && (p->flow->flags & FLOW_BY_POLICY)))
        a->slot->flags |= SLOT_OFF;
    if ((a->slot->flags & SLOT_OFF) || !open_slot(a)) {
        a->p = NULL;
        return;
    }
    struct app_way *w = &a->flow->way[a->dir];
    if (p->view && offset < w->parsed && !same_again(w, &bytes, &offset) && !parse_again(a, offset)) {
        a->p = NULL;
        return;
    }
    if (!a->flow->parser)
        find_protocol(a, bytes);
}

/* --- parsing ---------------------------------------------------------------------------------------------------------- */

static bool begin_parser(struct app *a)
{
    struct app_flow *f = a->flow;

    if (f->parser->state_bytes == 0 || f->state)
        return true;
    if (f == &a->datagram) { /* it needs a place of its own from now on */
        struct app_flow *own = memory_plain(a, sizeof(*own));

        if (!own) {
            a->memcap = true;
            return false;
        }
        *own = *f;
        a->slot->flow = a->flow = f = own;
    }
    f->state = app_take(a, f->parser->state_bytes);
    return f->state != NULL;
}

/* The parser gets nothing more of this flow; of datagrams each is a new beginning. */
static void stop_parser(struct app *a)
{
    close_parser(a);
    a->flow->over = a->of->proto != IPPROTO_UDP || a->of->verdict == FLOW_PASS;
    for (int dir = 0; dir < 2; dir++)
        bytes_free(a, &a->flow->way[dir].held);
}

static void broken(struct app *a)
{
    if (a->memcap) {
        exception_apply(EXC_APP_MEMCAP, a->cfg.on_memcap, a->p, a->c);
    } else {
        exception_apply(EXC_APP_ERROR, a->cfg.on_error, a->p, a->c);
    }
    stop_parser(a);
}

/* From here on another protocol: known by name, or to be recognised. */
static void switch_parser(struct app *a)
{
    struct app_flow *f = a->flow;

    close_parser(a);
    f->parser = NULL;
    for (int dir = 0; dir < 2; dir++) {
        f->way[dir].began = f->way[dir].parsed;
        f->way[dir].ended = f->way[dir].checked = false;
    }
    a->slot->flags &= (uint8_t)~SLOT_SETTLED;
    f->first = a->dir;
    recognise_begin(f, a);
    if (a->switch_to != APP_N && recognise_find((enum app_proto)a->switch_to))
        set_parser(a, recognise_find((enum app_proto)a->switch_to));
}

/* One piece for the parser in hand; what a switch leaves of it stays in *bytes. False: nothing more is to be parsed. */
static bool feed(struct app *a, struct span *bytes, bool end)
{
    struct app_flow *f = a->flow;
    struct app_way *w = &f->way[a->dir];
    struct app_in in = {.bytes = *bytes, .offset = w->parsed - w->began, .dir = a->dir, .end = end};

    if (!begin_parser(a)) {
        broken(a);
        return false;
    }
    f = a->flow;
    w = &f->way[a->dir];
    a->switched = false;
    enum app_answer answer = app_take_piece(a, &in);
    view_reset(a);
    if (answer == APP_SWITCH && a->switched) {
        uint32_t n = a->switch_at < bytes->len ? a->switch_at : bytes->len;

        w->parsed += n;
        *bytes = span_sub(*bytes, n, bytes->len);
        switch_parser(a);
        return true;
    }
    w->parsed += bytes->len;
    w->ended = end;
    *bytes = span_sub(*bytes, bytes->len, 0);
    if (answer == APP_BAD)
        broken(a);
    else if (answer == APP_DONE)
        stop_parser(a);
    return !f->over;
}

/* Bytes of one direction, through as many protocols as they switch to. */
#define SWITCHES_MAX 8
static void feed_all(struct app *a, struct span bytes, bool end)
{
    struct app_flow *f = a->flow;

    for (int i = 0; i < SWITCHES_MAX && !f->over; i++) {
        if (!f->parser) { /* a switch left them to be recognised */
            if (bytes.len > 0 && recognise(a, bytes, (enum app_dir)a->dir, end)) {
                set_parser(a, f->parser);
            } else {
                f->way[a->dir].parsed += bytes.len;
                hold(a, bytes);
                return;
            }
        }
        if ((!feed(a, &bytes, end) || bytes.len == 0) && f->parser)
            return;
        f = a->flow;
    }
    if (!f->over)
        app_event(a, AN_APP_SWITCHES);
}

/* Bytes begin that clearly are another protocol's than the flow's: it goes on as that one. */
static void check_protocol(struct app *a, struct span bytes)
{
    struct app_flow *f = a->flow;
    const struct app_parser *other = recognise_other(a, bytes, (enum app_dir)a->dir);
    struct app_way *back = &f->way[1 - a->dir];
    uint64_t apps = f->apps;

    if (!other)
        return;
    app_event(a, AN_APP_MISMATCH);
    if (!f->over && (f->parser->proto == APP_HTTP1 || f->parser->proto == APP_HTTP2))
        return;
    close_parser(a);
    if (f->over)
        back->parsed = 0; /* nobody counted */
    back->began = back->parsed;
    f->over = false;
    set_parser(a, other);
    f->apps |= apps;
}

/* Whether bytes begin a direction, or a datagram, that are to be compared with what the flow is. */
static bool is_beginning(const struct app *a)
{
    const struct app_way *w = &a->flow->way[a->dir];

    if (!a->flow->parser || (a->slot->flags & SLOT_JUST) || w->lost)
        return false;
    if (a->of->proto == IPPROTO_UDP)
        return !recognise_owns(a, a->flow->parser);
    return !w->checked && w->parsed == w->began;
}

/* What was kept of a direction before the protocol was known. */
static void feed_held(struct app *a, enum app_dir dir, bool end)
{
    struct app_way *w = &a->flow->way[dir];
    struct bytes held = w->held;
    uint8_t was = a->dir;

    if (held.len == 0 || a->flow->over)
        return;
    a->dir = (uint8_t)dir;
    if (w->skipped)
        app_event(a, AN_APP_GAP);
    w->held = (struct bytes){0};
    w->parsed -= held.len; /* they were counted when they came */
    feed_all(a, bytes_span(&held), end);
    bytes_free(a, &held);
    a->dir = was;
}

static void parse_new(struct app *a, struct span bytes, uint64_t offset)
{
    struct app_flow *f = a->flow;
    struct app_way *w = &f->way[a->dir];
    bool end = stream_ends(a) && !w->ended;

    if (a->p->view && offset > w->parsed && w->parsed > 0)
        w->lost = true; /* stream/ went on behind a hole */
    else if (a->p->view && w->parsed < offset)
        w->parsed = w->began =
            offset; /* taken up in the middle, or its SYN brought bytes that were looked at alone */
    if (w->lost) {
        app_event(a, AN_APP_GAP);
        return;
    }
    f->first = f->way[0].parsed == 0 && f->way[1].parsed == 0 ? a->dir : f->first;
    if (!f->parser) {
        w->parsed += bytes.len;
        hold(a, bytes);
        return;
    }
    if (f->way[f->first].held.len > 0 && f->first != a->dir)
        feed_held(a, (enum app_dir)f->first, false);
    feed_held(a, (enum app_dir)a->dir, false);
    f = a->flow;
    if (bytes.len > 0 && is_beginning(a)) {
        f->way[a->dir].checked = true;
        check_protocol(a, bytes);
    }
    if (f->over)
        return;
    if (bytes.len > 0 || end)
        feed_all(a, bytes, end);
    f = a->flow;
    if (!f->over && f->parser && f->way[1 - a->dir].held.len > 0 && !f->way[1 - a->dir].lost)
        feed_held(a, (enum app_dir)(1 - a->dir), false);
}

void app_parse(struct app *a, struct packet *p, struct counters *c)
{
    struct span bytes;
    uint64_t offset;

    if (a->p != p || !new_bytes(p, &bytes, &offset) || !a->flow || (a->slot->flags & SLOT_OFF) ||
        p->verdict == VERDICT_DROP || (a->flow->over && !is_beginning(a)))
        return;
    struct app_way *w = &a->flow->way[a->dir];
    if (p->view && offset < w->parsed && !same_again(w, &bytes, &offset))
        return; /* app_begin() has said what becomes of it */
    a->took = p->view != NULL && bytes.len > 0;
    parse_new(a, bytes, offset);
}

void app_end(struct app *a, struct packet *p)
{
    if (a->p != p)
        return;
    if (a->took && a->flow && a->flow != &a->datagram && p->verdict == VERDICT_DROP && a->cfg.inline_mode) {
        struct app_way *w = &a->flow->way[a->dir];
        const struct stream_view *v = p->view;
        uint64_t n = w->parsed > v->offset ? w->parsed - v->offset : 0;

        if (n <= v->fresh.len) {
            w->unsure = v->offset;
            w->unsure_hash = XXH3_64bits(v->fresh.p, n);
        }
    }
    a->p = NULL;
}
