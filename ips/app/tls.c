/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TLS (SSLv3 to 1.3) and what is left of SSLv2: recognising it, and its records.
 *
 * A record's header is taken byte by byte if it must be; what is in a handshake record goes to tls_handshake.c at once,
 * whatever part of it is there, so no record is ever kept. Empty records, many messages in one record and one message in
 * many are all the same. A direction is encrypted from its ChangeCipherSpec on when the server chose 1.2 or below; in
 * 1.3, where that record means nothing, from its first application data behind the server's hello. Until then a
 * handshake record is read, so that a client cannot hide its second hello behind a ChangeCipherSpec.
 *
 * When both directions are encrypted the handshake is over: the event is written, what was kept goes back, and the flow is
 * bypassed where app.encryption says so. Otherwise the headers of records are followed to the end of the flow, a few
 * dozen cycles each: heartbeats are seen so (CVE-2014-0160 shows in their lengths alone), and that it still is TLS.
 *
 * A header that no TLS has ends the parsing: receivers end the connection there.
 *
 * Worker thread. Owns struct tls.
 */
#include "ips/app/tls.h"

enum record {
    CHANGE_CIPHER_SPEC = 20,
    ALERT = 21,
    HANDSHAKE = 22,
    APPLICATION_DATA = 23,
    HEARTBEAT = 24,
};

#define HEADER_BYTES   5
#define RECORD_MAX     (16384 + 2048) /* encrypted, RFC 5246 6.2.3 */
#define PADDING_MIN    16             /* of a heartbeat (RFC 6520 4) */
#define MESSAGE_V2_MAX 32767

/* --- recognising --------------------------------------------------------------------------------------------------- */

static const uint16_t ports[] = {443, 465, 563, 585, 614,  636,  853,  989, 990,
                                 992, 993, 994, 995, 5061, 8443, 9443, 0};

static bool is_v2_version(uint16_t v)
{
    return v == SSL2 || (v >= SSL3 && v <= TLS1_3);
}

/* SSLv2 with a header of 2 bytes (top bit set) or 3 (padded). */
static enum app_probe probe_v2(struct span b)
{
    uint32_t head = b.p[0] & 0x80 ? 2 : 3;

    if (b.len <= head)
        return PROBE_MORE;
    if (b.p[head] == 4 && head == 2) {
        if (b.len < head + 5)
            return PROBE_MORE;
        return b.p[3] <= 1 && b.p[4] == 1 && load_be16(b.p + 5) == SSL2 ? PROBE_LIKELY : PROBE_NO;
    }
    if (b.p[head] != 1 || (load_be16(b.p) & (head == 2 ? 0x7fff : 0x3fff)) < 9)
        return PROBE_NO;
    if (b.len < head + 9)
        return b.len < head + 3 || is_v2_version(load_be16(b.p + head + 1)) ? PROBE_MORE : PROBE_NO;
    if (!is_v2_version(load_be16(b.p + head + 1)) || load_be16(b.p + head + 3) % 3 != 0 ||
        load_be16(b.p + head + 3) == 0)
        return PROBE_NO;
    return head == 2 && load_be16(b.p + head + 5) <= 16 ? PROBE_YES : PROBE_LIKELY;
}

static enum app_probe probe(struct span b, const struct app_hint *h)
{
    if (b.len == 0)
        return PROBE_MORE;
    if (b.p[0] != HANDSHAKE && b.p[0] != ALERT)
        return b.p[0] & 0x40 ? PROBE_NO : probe_v2(b);
    if (b.len > 1 && b.p[1] != 3)
        return b.p[0] & 0x40 ? PROBE_NO : probe_v2(b);
    if (b.len > 2 && b.p[2] > 4)
        return PROBE_NO;
    if (b.len < HEADER_BYTES)
        return PROBE_MORE;
    uint16_t n = load_be16(b.p + 3);
    if (n > RECORD_MAX)
        return PROBE_NO;
    if (b.p[0] == ALERT)
        return n == 2 ? PROBE_LIKELY : PROBE_NO;
    if (n == 0) /* some receivers pass over empty records */
        return PROBE_YES;
    if (b.len < HEADER_BYTES + 1)
        return PROBE_MORE;
    return b.p[5] <= TLS_SERVER_HELLO ? PROBE_YES : PROBE_NO;
}

/* --- what becomes of a direction --------------------------------------------------------------------------------------- */

/* Nothing that rules look into will come in this direction. */
static bool way_ends(struct app *a, struct tls *t, enum app_dir dir)
{
    if (t->way[dir].ended || t->over)
        return true;
    t->way[dir].ended = true;
    if (t->way[dir].states == 0) {
        t->way[dir].states = TLS_STATE_UNKNOWN;
        app_put_number(a, &t->tx, BUF_TLS_STATE, TLS_STATE_UNKNOWN);
    }
    return app_inspect(a, &t->tx, dir, true);
}

static bool encrypted_now(struct app *a, struct tls *t, enum app_dir dir)
{
    if (t->way[dir].encrypted)
        return true;
    t->way[dir].encrypted = true;
    if (!way_ends(a, t, dir))
        return false;
    if (!t->way[1 - dir].encrypted)
        return true;
    t->over = true;
    app_tx_close(a, &t->tx);
    tls_forget(a, t);
    return true;
}

/* --- records --------------------------------------------------------------------------------------------------------- */

/* RFC 6520. In clear its own length must fit its record (CVE-2014-0160); encrypted, an answer is as long as what it
 * answers. */
static void heartbeat_begins(struct app *a, struct tls *t, enum app_dir dir)
{
    struct tls_way *w = &t->way[dir];
    struct tls_way *other = &t->way[1 - dir];

    app_event(a, AN_TLS_HEARTBEAT);
    if (w->encrypted && other->heartbeat > 0 && w->left > other->heartbeat)
        app_event(a, AN_TLS_HEARTBEAT_LEAK);
    other->heartbeat = 0;
    w->heartbeat = (uint16_t)w->left;
    w->n_beat = 0;
}

static void heartbeat(struct app *a, struct tls_way *w, struct span s)
{
    enum { REQUEST = 1, RESPONSE = 2 };

    if (w->encrypted || w->n_beat == sizeof(w->beat))
        return;
    while (s.len > 0 && w->n_beat < sizeof(w->beat)) {
        w->beat[w->n_beat++] = s.p[0];
        s = span_sub(s, 1, s.len);
    }
    if (w->n_beat < sizeof(w->beat))
        return;
    if (w->beat[0] != REQUEST && w->beat[0] != RESPONSE)
        app_event(a, AN_TLS_HEARTBEAT_INVALID);
    if (3u + load_be16(w->beat + 1) + PADDING_MIN > w->heartbeat)
        app_event(a, AN_TLS_HEARTBEAT_OVERFLOW);
}

/* A header is whole. False: it is none. */
static bool record_begins(struct app *a, struct tls *t, enum app_dir dir, const uint8_t head[HEADER_BYTES])
{
    struct tls_way *w = &t->way[dir];

    w->type = head[0];
    w->version = load_be16(head + 1);
    w->left = load_be16(head + 3);
    if (head[0] < CHANGE_CIPHER_SPEC || head[0] > HEARTBEAT) {
        app_event(a, w->began ? AN_TLS_RECORD_TYPE : AN_TLS_HEADER);
        return false;
    }
    if (head[1] != 3 || head[2] > 4) {
        app_event(a, AN_TLS_RECORD_VERSION);
        if (head[1] != 3)
            return false;
    }
    if (w->left > RECORD_MAX) {
        app_event(a, AN_TLS_RECORD_LENGTH);
        return false;
    }
    w->began = true;
    if (w->type != HANDSHAKE && !w->encrypted && (w->message.len > 0 || w->skip > 0))
        app_event(a, AN_TLS_INTERLEAVED);
    if (w->type == HEARTBEAT)
        heartbeat_begins(a, t, dir);
    return true;
}

/* A piece of the record in hand; all of it when w->left is 0 by now. */
static bool record_part(struct app *a, struct tls *t, enum app_dir dir, struct span s, bool *bad)
{
    struct tls_way *w = &t->way[dir];

    switch (w->type) {
    case HANDSHAKE:
        return w->encrypted || tls_handshake(a, t, dir, s, bad);
    case CHANGE_CIPHER_SPEC:
        return w->left > 0 || t->version == 0 || t->version == TLS1_3 || encrypted_now(a, t, dir);
    case APPLICATION_DATA:
        return w->left > 0 || t->version == 0 || t->side[1].hello.retry || encrypted_now(a, t, dir);
    case HEARTBEAT:
        heartbeat(a, w, s);
        return true;
    default:
        return true;
    }
}

/* --- SSLv2 ---------------------------------------------------------------------------------------------------------- */

static bool begins_v2(const struct tls *t, const struct tls_way *w, struct span in)
{
    uint8_t first = w->n_head > 0 ? w->head[0] : in.p[0];

    if (t->v2)
        return true;
    if (w->began || (t->version != 0 && t->version != SSL2))
        return false;
    return !(first >= CHANGE_CIPHER_SPEC && first <= HEARTBEAT) && !(first & 0x40 && !(first & 0x80));
}

/* A message with its header; answers as piece_take() does, and gives the message from its type on. */
static enum line_answer take_v2(struct app *a, struct tls_way *w, struct span *in, struct span *m)
{
    struct span whole;
    uint32_t head, n;

    while (w->n_head < 2 && in->len > 0) {
        w->head[w->n_head++] = in->p[0];
        *in = span_sub(*in, 1, in->len);
    }
    if (w->n_head < 2)
        return LINE_MORE;
    head = w->head[0] & 0x80 ? 0 : 1; /* bytes of it that are still to come: of padding */
    n = load_be16(w->head) & (head ? 0x3fff : 0x7fff);
    enum line_answer answer = piece_take(a, &w->message, in, head + n, &whole);
    if (answer != LINE_WHOLE)
        return answer;
    w->n_head = 0;
    *m = span_sub(whole, head, n);
    if (head && whole.len > 0 && whole.p[0] <= m->len)
        m->len -= whole.p[0]; /* padding */
    return LINE_WHOLE;
}

/* One message, or what is there of it. False: stop. */
static bool record_v2(struct app *a, struct tls *t, enum app_dir dir, struct span *in, bool *bad)
{
    struct tls_way *w = &t->way[dir];
    struct span m;

    enum line_answer answer = take_v2(a, w, in, &m);
    if (answer == LINE_NO_MEMORY) {
        *bad = true;
        return false;
    }
    if (answer != LINE_WHOLE)
        return true;
    w->began = true;
    bool go_on = w->encrypted || tls_message_v2(a, t, dir, m, bad);
    w->message.len = 0; /* piece_take() had given it out */
    if (!go_on)
        return false;
    if (!t->v2)
        return true;
    /* what follows the server's hello is the client's key, and then nothing that can be read */
    return !(w->states & (TLS_STATE_SERVER_HELLO | TLS_STATE_CLIENT_KEYX)) || encrypted_now(a, t, dir);
}

/* --- the parser ------------------------------------------------------------------------------------------------------ */

static bool record(struct app *a, struct tls *t, enum app_dir dir, struct span *in, bool *bad)
{
    struct tls_way *w = &t->way[dir];
    const uint8_t *head = w->head;

    if (w->left == 0) {
        if (begins_v2(t, w, *in))
            return record_v2(a, t, dir, in, bad);
        if (w->n_head == 0 && in->len >= HEADER_BYTES) {
            head = in->p;
            *in = span_sub(*in, HEADER_BYTES, in->len);
        } else {
            while (w->n_head < HEADER_BYTES && in->len > 0) {
                w->head[w->n_head++] = in->p[0];
                *in = span_sub(*in, 1, in->len);
            }
            if (w->n_head < HEADER_BYTES)
                return true;
        }
        w->n_head = 0;
        if (!record_begins(a, t, dir, head)) {
            *bad = true;
            return false;
        }
        if (w->left > 0 && in->len == 0)
            return true;
    }
    struct span part = span_sub(*in, 0, w->left);
    *in = span_sub(*in, part.len, in->len);
    w->left -= part.len;
    return record_part(a, t, dir, part, bad);
}

static enum app_answer take(struct app *a, void *state, const struct app_in *i)
{
    struct tls *t = state;
    struct span in = i->bytes;
    bool bad = false;

    tls_open(a, t);
    while (in.len > 0) {
        if (!record(a, t, (enum app_dir)i->dir, &in, &bad))
            return bad ? APP_BAD : APP_OK;
        if (t->over && app_limits(a)->encryption_bypass) {
            app_bypass(a);
            return APP_DONE;
        }
    }
    if (i->end)
        way_ends(a, t, (enum app_dir)i->dir);
    return APP_OK;
}

static void close(struct app *a, void *state)
{
    struct tls *t = state;

    if (t->open)
        app_tx_close(a, &t->tx);
    tls_forget(a, t);
}

const struct app_parser parser_tls = {
    .proto = APP_TLS,
    .tcp = true,
    .state_bytes = sizeof(struct tls),
    .ports = ports,
    .probe = probe,
    .take = take,
    .close = close,
    .show = tls_show,
    .fields = tls_fields,
};
