/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DCERPC 5: protocol data units out of a connection or a named pipe (C706, MS-RPCE).
 *
 * A PDU is a header of 16 bytes and what its type says. Binds are collected whole, because they are short; a request's
 * or response's stub is handed on as it comes, without the authentication behind it, and is a body that grows over all
 * fragments of its call (body.h). So rules look into what the server will put together, before it has the last byte of it.
 *
 * Calls are told apart by their number, because the fragments of several may be mixed. A call names a context, and the
 * context an interface, which a bind agreed on: bind_ack says which were refused.
 *
 * Integers are in the order that each PDU's header says. Worker thread; see dcerpc.h for who owns it.
 */
#include "ips/app/dcerpc.h"

#define HEAD_LEN 16
#define CALL_LEN 8 /* of a request or response behind the header */
#define UUID_LEN 16

enum { FLAG_FIRST = 1, FLAG_LAST = 2, FLAG_OBJECT = 0x80 };
enum {
    REQUEST = 0,
    RESPONSE = 2,
    FAULT = 3,
    BIND = 11,
    BIND_ACK = 12,
    ALTER = 14,
    ALTER_ACK = 15,
    TYPE_MAX = 20
};
enum stage { HEAD, CALL, STUB, WHOLE, SKIP };

static uint16_t load16(const uint8_t *p, bool little)
{
    return little ? (uint16_t)(p[1] << 8 | p[0]) : load_be16(p);
}

static uint32_t load32(const uint8_t *p, bool little)
{
    return little ? (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0] : load_be32(p);
}

/* UUID as it is written: the first three members are numbers. */
static void read_iface(const uint8_t *p, bool little, uint16_t version, uint8_t out[DCE_IFACE_LEN])
{
    store_be32(out, load32(p, little));
    store_be16(out + 4, load16(p + 4, little));
    store_be16(out + 6, load16(p + 6, little));
    memcpy(out + 8, p + 8, 8);
    store_be16(out + 16, version);
}

/* --- calls ---------------------------------------------------------------------------------------------------------- */

static void close_call(struct app *a, struct dce_call *call)
{
    if (call->used)
        app_tx_close(a, &call->tx);
    body_free(a, &call->stub[0]);
    body_free(a, &call->stub[1]);
    *call = (struct dce_call){0};
}

static void forget_call(struct app *a, struct dce *d, struct dce_call *call)
{
    for (int dir = 0; dir < 2; dir++)
        if (d->side[dir].call == call)
            d->side[dir].call = NULL;
    close_call(a, call);
}

static struct dce_call *find_call(struct dce *d, uint32_t id, const uint8_t *activity)
{
    for (unsigned i = 0; i < DCE_CALLS_MAX; i++)
        if (d->calls[i].used && d->calls[i].id == id &&
            (!activity || memcmp(d->calls[i].activity, activity, UUID_LEN) == 0))
            return &d->calls[i];
    return NULL;
}

static struct dce_call *open_call(struct app *a, struct dce *d, uint32_t id)
{
    struct dce_call *call = &d->calls[0];

    for (unsigned i = 1; i < DCE_CALLS_MAX; i++)
        if (d->calls[i].used < call->used)
            call = &d->calls[i];
    if (call->used && call->requested && !call->responded && call->stub[APP_TO_SERVER].there &&
        !call->stub[APP_TO_SERVER].ended)
        app_event(a, AN_DCERPC_TOO_MANY_CALLS);
    forget_call(a, d, call);
    app_tx_open(a, &call->tx);
    call->used = ++d->n_calls;
    call->id = id;
    return call;
}

static bool begin_stub(struct app *a, struct dce_call *call, enum app_dir dir)
{
    const struct body_about about = {.dir = dir, .buffers = {BUF_DCERPC_STUB_DATA}, .n_buffers = 1};

    return body_begin(a, &call->stub[dir], &call->tx, &about);
}

static void put_call(struct app *a, const struct dce_call *call, struct app_tx *tx)
{
    for (unsigned i = 0; i < call->n_ifaces; i++)
        app_put(a, tx, BUF_DCERPC_IFACE, span_of(call->iface[i], DCE_IFACE_LEN));
    if (call->requested)
        app_put_number(a, tx, BUF_DCERPC_OPNUM, call->opnum);
    app_put_number(a, tx, BUF_DCERPC_LITTLE, call->little);
}

/* The interface of the context, if it was agreed on. */
static void call_iface(const struct dce *d, struct dce_call *call, uint16_t context)
{
    for (unsigned i = 0; i < d->n_ifaces && call->n_ifaces == 0; i++) {
        if (d->ifaces[i].context != context || d->ifaces[i].refused)
            continue;
        memcpy(call->iface[call->n_ifaces++], d->ifaces[i].bytes, DCE_IFACE_LEN);
        if (d->ifaces[i].again)
            memcpy(call->iface[call->n_ifaces++], d->ifaces[i].before, DCE_IFACE_LEN);
    }
}

/* The call that a fragment belongs to, begun or gone on with; rules see what it calls. */
static enum dce_answer take_call(struct app *a, struct dce *d, enum app_dir dir, struct span head)
{
    struct dce_side *s = &d->side[dir];
    uint16_t context = load16(head.p + 4, s->little);
    struct dce_call *call = find_call(d, s->id, NULL);
    bool again = call && (s->flags & FLAG_FIRST) && call->fragments[dir] > 0;

    if (!call || again)
        call = open_call(a, d, s->id);
    s->call = call;
    if (call->fragments[dir]++ == 0) {
        call->little = s->little;
        if (!begin_stub(a, call, dir))
            return DCE_BAD;
    }
    if (dir == APP_TO_CLIENT) {
        call->responded = true;
        return DCE_OK;
    }
    if (!call->requested) /* the first fragment's: servers ignore those of the others, or refuse */
        call->opnum = load16(head.p + 6, s->little);
    call->requested = true;
    call_iface(d, call, context);
    put_call(a, call, &call->tx);
    return app_inspect(a, &call->tx, dir, false) ? DCE_OK : DCE_STOP;
}

static enum dce_answer end_fragment(struct app *a, struct dce *d, enum app_dir dir)
{
    struct dce_side *s = &d->side[dir];
    struct dce_call *call = s->call;

    s->call = NULL;
    if (!call || !(s->flags & FLAG_LAST))
        return DCE_OK;
    bool on = body_end(a, &call->stub[dir], &call->tx, true) && app_inspect(a, &call->tx, dir, true);
    if (dir == APP_TO_CLIENT)
        forget_call(a, d, call);
    return on ? DCE_OK : DCE_STOP;
}

/* --- binds ---------------------------------------------------------------------------------------------------------- */

static struct dce_iface *new_iface(struct app *a, struct dce *d, uint16_t context)
{
    unsigned i = 0;

    if (!d->ifaces)
        d->ifaces = app_take(a, DCE_IFACES_MAX * sizeof(*d->ifaces));
    if (!d->ifaces)
        return NULL;
    while (i < d->n_ifaces && d->ifaces[i].context != context)
        i++;
    bool known = i < d->n_ifaces;
    if (i == DCE_IFACES_MAX) {
        app_event(a, AN_DCERPC_TOO_MANY_CONTEXTS);
        i = d->next_iface;
        d->next_iface = (uint8_t)((d->next_iface + 1) % DCE_IFACES_MAX);
    } else if (i == d->n_ifaces) {
        d->n_ifaces++;
    }
    struct dce_iface *iface = &d->ifaces[i];
    if (known && !iface->refused) {
        memcpy(iface->before, iface->bytes, DCE_IFACE_LEN);
        iface->again = true;
    } else {
        *iface = (struct dce_iface){.context = context};
    }
    if (d->n_offered < DCE_IFACES_MAX)
        d->offered[d->n_offered++] = (uint16_t)i;
    return iface;
}

/* Sizes, group, then contexts: number, transfer syntaxes, the interface, as many transfer syntaxes of 20 bytes. */
static enum dce_answer take_bind(struct app *a, struct dce *d, struct span body, bool little)
{
    unsigned n = body.len > 8 ? body.p[8] : 0;
    struct span rest = span_sub(body, 12, body.len);

    d->n_offered = 0;
    for (unsigned i = 0; i < n; i++) {
        struct dce_iface *iface;

        if (rest.len < 24) {
            app_event(a, AN_DCERPC_MALFORMED);
            return DCE_OK;
        }
        iface = new_iface(a, d, load16(rest.p, little));
        if (!iface)
            return DCE_BAD;
        read_iface(rest.p + 4, little, (uint16_t)load32(rest.p + 20, little), iface->bytes);
        rest = span_sub(rest, 24 + 20u * rest.p[2], rest.len);
    }
    return DCE_OK;
}

/* What was agreed on before stays when another offer for its context is refused. */
static void answer_offer(struct dce_iface *iface, bool refused)
{
    if (refused && iface->again)
        memcpy(iface->bytes, iface->before, DCE_IFACE_LEN);
    else
        iface->refused = refused;
    iface->again = false;
}

/* Sizes, group, the secondary address (aligned to 4), results of 24 bytes in the order of what was asked for. */
static void take_bind_ack(struct app *a, struct dce *d, struct span body, bool little)
{
    uint32_t at = body.len >= 10 ? (10u + load16(body.p + 8, little) + 3) & ~3u : UINT32_MAX;

    if (at > body.len || body.len - at < 4) {
        app_event(a, AN_DCERPC_MALFORMED);
        return;
    }
    unsigned n = body.p[at];
    struct span rest = span_sub(body, at + 4, body.len);
    for (unsigned i = 0; i < n && i < d->n_offered && rest.len >= 24; i++) {
        answer_offer(&d->ifaces[d->offered[i]], load16(rest.p, little) != 0);
        rest = span_sub(rest, 24, rest.len);
    }
    d->n_offered = 0;
}

/* --- PDUs ----------------------------------------------------------------------------------------------------------- */

static enum dce_answer take_head(struct app *a, struct dce *d, enum app_dir dir, struct span head)
{
    struct dce_side *s = &d->side[dir];
    bool little = (head.p[4] & 0xf0) == 0x10;
    uint32_t len = load16(head.p + 8, little);

    if (head.p[0] != 5 || head.p[1] > 1 || head.p[2] > TYPE_MAX || len < HEAD_LEN) {
        app_event(a, AN_DCERPC_MALFORMED);
        return DCE_BAD;
    }
    s->type = head.p[2];
    s->flags = head.p[3];
    s->little = little;
    s->auth = load16(head.p + 10, little);
    s->id = load32(head.p + 12, little);
    s->left = len - HEAD_LEN;
    if (s->type == BIND || s->type == ALTER || s->type == BIND_ACK || s->type == ALTER_ACK)
        s->stage = WHOLE;
    else if ((s->type == REQUEST && dir == APP_TO_SERVER) || (s->type == RESPONSE && dir == APP_TO_CLIENT))
        s->stage = CALL;
    else
        s->stage = SKIP;
    return DCE_OK;
}

/* Bytes of what the type says in front of the stub. */
static uint32_t call_len(const struct dce_side *s)
{
    return CALL_LEN + (s->type == REQUEST && (s->flags & FLAG_OBJECT) ? UUID_LEN : 0);
}

static enum dce_answer take_call_head(struct app *a, struct dce *d, enum app_dir dir, struct span head)
{
    struct dce_side *s = &d->side[dir];
    uint32_t tail = s->auth > 0 ? s->auth + 8u : 0;

    s->left -= head.len;
    s->stub = s->left > tail ? s->left - tail : 0;
    if (tail > s->left) {
        app_event(a, AN_DCERPC_MALFORMED);
        s->stub = s->left;
    }
    s->stage = STUB;
    return take_call(a, d, dir, head);
}

static enum dce_answer take_stub(struct app *a, struct dce *d, enum app_dir dir, struct span *bytes)
{
    struct dce_side *s = &d->side[dir];
    struct span piece = span_sub(*bytes, 0, s->stub);
    bool on = true;

    *bytes = span_sub(*bytes, piece.len, bytes->len);
    s->stub -= piece.len;
    s->left -= piece.len;
    if (s->call) {
        s->call->bytes[dir] += piece.len;
        on = body_add(a, &s->call->stub[dir], &s->call->tx, piece);
    }
    if (s->stub > 0)
        return on ? DCE_OK : DCE_STOP;
    s->stage = SKIP;
    enum dce_answer answer = end_fragment(a, d, dir);
    return on ? answer : DCE_STOP;
}

/* Something that is needed whole; false: it is not there yet. */
static bool whole(struct app *a, struct dce_side *s, struct span *bytes, uint32_t n, struct span *out,
                  enum dce_answer *answer)
{
    switch (piece_take(a, &s->kept, bytes, n, out)) {
    case LINE_WHOLE:
        return true;
    case LINE_MORE:
        *answer = DCE_OK;
        return false;
    default:
        *answer = DCE_BAD;
        return false;
    }
}

/* One step: takes something of *bytes, or ends a PDU. */
static enum dce_answer step(struct app *a, struct dce *d, enum app_dir dir, struct span *bytes)
{
    struct dce_side *s = &d->side[dir];
    enum dce_answer answer = DCE_OK;
    struct span piece;

    switch ((enum stage)s->stage) {
    case HEAD:
        return whole(a, s, bytes, HEAD_LEN, &piece, &answer) ? take_head(a, d, dir, piece) : answer;
    case CALL:
        if (s->left < call_len(s)) {
            app_event(a, AN_DCERPC_MALFORMED);
            s->stage = SKIP;
            return DCE_OK;
        }
        return whole(a, s, bytes, call_len(s), &piece, &answer) ? take_call_head(a, d, dir, piece) : answer;
    case STUB:
        return take_stub(a, d, dir, bytes);
    case WHOLE:
        if (!whole(a, s, bytes, s->left, &piece, &answer))
            return answer;
        s->stage = HEAD;
        if (s->type == BIND || s->type == ALTER)
            return take_bind(a, d, piece, s->little);
        take_bind_ack(a, d, piece, s->little);
        return DCE_OK;
    case SKIP:
        piece = span_sub(*bytes, 0, s->left);
        *bytes = span_sub(*bytes, piece.len, bytes->len);
        s->left -= piece.len;
        if (s->left == 0)
            s->stage = HEAD;
        return DCE_OK;
    }
    return DCE_BAD;
}

/* Whether a step is due that needs no byte: a stub or PDU of no length. */
static bool is_due(const struct dce_side *s)
{
    return (s->stage == STUB && s->stub == 0) || (s->stage >= WHOLE && s->left == 0) ||
           (s->stage == CALL && s->left < call_len(s));
}

enum dce_answer dce_take(struct app *a, struct dce *d, enum app_dir dir, struct span bytes)
{
    enum dce_answer answer = DCE_OK;

    while (answer == DCE_OK && (bytes.len > 0 || is_due(&d->side[dir])))
        answer = step(a, d, dir, &bytes);
    return answer;
}

/* --- datagrams -------------------------------------------------------------------------------------------------------- */

#define DATAGRAM_HEAD_LEN 80
enum { DATAGRAM_LAST = 2, DATAGRAM_FRAGMENT = 4 };

/* Version 4 says in each datagram what it calls; fragments are numbered. */
enum dce_answer dce_take_datagram(struct app *a, struct dce *d, enum app_dir dir, struct span bytes)
{
    const uint8_t *p = bytes.p;
    struct dce_call *call;

    if (bytes.len < DATAGRAM_HEAD_LEN || p[0] != 4) {
        app_event(a, AN_DCERPC_MALFORMED);
        return DCE_BAD;
    }
    bool little = (p[4] & 0xf0) == 0x10;
    uint32_t sequence = load32(p + 64, little), fragment = load16(p + 76, little);
    struct span stub = span_sub(bytes, DATAGRAM_HEAD_LEN, load16(p + 74, little));
    if (p[1] != REQUEST && p[1] != RESPONSE)
        return DCE_OK;
    call = find_call(d, sequence, p + 40);
    if (!call)
        call = open_call(a, d, sequence);
    memcpy(call->activity, p + 40, UUID_LEN);
    if (fragment != call->fragments[dir] || !call->stub[dir].there) {
        if (fragment != 0)
            app_event(a, AN_DCERPC_FRAGMENT_ORDER);
        call->fragments[dir] = fragment;
        if (!begin_stub(a, call, dir))
            return DCE_BAD;
    }
    call->fragments[dir]++;
    call->little = little;
    call->n_ifaces = 1;
    read_iface(p + 24, little, (uint16_t)load32(p + 60, little), call->iface[0]);
    call->requested = true; /* a response says it, too */
    call->responded |= dir == APP_TO_CLIENT;
    call->opnum = load16(p + 68, little);
    call->bytes[dir] += stub.len;
    put_call(a, call, &call->tx);
    bool last = !(p[2] & DATAGRAM_FRAGMENT) || (p[2] & DATAGRAM_LAST);
    bool on =
        app_inspect(a, &call->tx, dir, false) && body_add(a, &call->stub[dir], &call->tx, stub) &&
        (!last || (body_end(a, &call->stub[dir], &call->tx, true) && app_inspect(a, &call->tx, dir, true)));
    if (last && dir == APP_TO_CLIENT)
        forget_call(a, d, call);
    return on ? DCE_OK : DCE_STOP;
}

/* --- for whoever has the conversation --------------------------------------------------------------------------------- */

struct dce_call *dce_owns(struct dce *d, const struct app_tx *tx)
{
    for (unsigned i = 0; i < DCE_CALLS_MAX; i++)
        if (&d->calls[i].tx == tx)
            return &d->calls[i];
    return NULL;
}

void dce_show(struct app *a, struct dce_call *call, struct app_tx *tx, enum app_dir dir)
{
    put_call(a, call, tx);
    body_show(a, &call->stub[dir], tx);
}

/* UUID and version as they are written; the last groups need no text to be formatted but hexadecimal digits. */
static struct span write_uuid(const uint8_t *p, char out[36])
{
    static const char digits[] = "0123456789abcdef";
    uint32_t n = 0;

    for (unsigned i = 0; i < UUID_LEN; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            out[n++] = '-';
        out[n++] = digits[p[i] >> 4];
        out[n++] = digits[p[i] & 15];
    }
    return span_of(out, n);
}

void dce_fields(const struct dce *d, const struct dce_call *call, struct fields *f)
{
    static const char *const sizes[2] = {"req", "res"};
    char uuid[36];

    (void)d;
    if (call->requested) {
        fields_word(f, "request", "REQUEST");
        fields_number(f, "opnum", call->opnum);
    }
    if (call->responded)
        fields_word(f, "response", "RESPONSE");
    for (int dir = 0; dir < 2; dir++) {
        if (call->fragments[dir] == 0)
            continue;
        fields_object(f, sizes[dir]);
        fields_number(f, "frag_cnt", call->fragments[dir]);
        fields_number(f, "stub_data_size", call->bytes[dir]);
        fields_close(f);
    }
    fields_number(f, "call_id", call->id);
    if (call->n_ifaces == 0)
        return;
    fields_list(f, "interfaces");
    fields_object(f, NULL);
    fields_text(f, "uuid", write_uuid(call->iface[0], uuid));
    fields_number(f, "version", load_be16(call->iface[0] + UUID_LEN));
    fields_close(f);
    fields_close(f);
}

void dce_free(struct app *a, struct dce *d)
{
    for (unsigned i = 0; i < DCE_CALLS_MAX; i++)
        close_call(a, &d->calls[i]);
    bytes_free(a, &d->side[0].kept);
    bytes_free(a, &d->side[1].kept);
    app_give(a, d->ifaces, DCE_IFACES_MAX * sizeof(*d->ifaces));
    *d = (struct dce){0};
}
