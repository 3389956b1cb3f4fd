/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * QUIC, as far as it is not encrypted for us: versions, and the hellos of both sides in Initial packets.
 *
 * Initial packets are opened, several of a datagram too; their CRYPTO frames are put together by their offsets, in any
 * order and in pieces of any size; each handshake message that is complete and a hello is a transaction of its own: quic.sni,
 * quic.version, JA3, JA3S, JA4. A second hello after a retry is another one.
 *
 * Keys belong to the connection, and a flow may carry more than one: a client may begin anew from the same port, and
 * one that hides a second hello behind a harmless first one must. So keys of the last CONNECTIONS_MAX connections are kept and
 * tried, and a packet that none of them opens is tried with keys of its own connection id, as its receiver would. What
 * a datagram may make us compute is bounded (KEYS_MAX); what goes beyond is an event.
 *
 * Short headers begin packets that are encrypted with secrets: they cost a look at one byte. With app.encryption bypass the
 * flow leaves inspection when the server sends the first of them.
 *
 * Worker thread. Owns the CRYPTO bytes of each connection, by the flow.
 */
#include "ips/app/digest.h"
#include "ips/app/memory.h"
#include "ips/app/quic.h"
#include "ips/app/table.h"
#include "ips/app/tls_hello.h"

#define CONNECTIONS_MAX 4
#define KEYS_MAX        4     /* made for one datagram */
#define CRYPTO_MAX      32768 /* bytes of CRYPTO frames that are not complete */

struct quic_way {
    struct bytes data, there; /* from `origin` on; there: 1 for each byte that has come */
    uint64_t origin;          /* what is before it was complete */
    uint32_t ready;           /* of data, without a gap */
    uint64_t largest;         /* packet number */
};

struct quic_connection {
    bool used;
    uint8_t dcid_len;
    uint8_t dcid[QUIC_ID_MAX];
    uint32_t version;
    struct quic_keys keys[2];
    struct quic_way way[2];
};

struct quic {
    struct quic_connection c[CONNECTIONS_MAX];
    uint8_t next; /* whose place a new one takes */
    bool hello;   /* the client's was seen */
    bool said;    /* a version that cannot be opened: `version` */
    uint32_t version;
};

struct quic_tx {
    struct app_tx tx; /* first */
    struct tls_hello hello;
    bool has_hello;
    uint8_t version[4];
    uint32_t ja3_len, ja4_len;
    uint8_t ja3_hash[2 * DIGEST_BYTES_MAX], ja4[JA4_BYTES], ja3[JA3_TEXT_MAX];
};

/* --- what rules see -------------------------------------------------------------------------------------------------- */

static void show(struct app *a, void *state, struct app_tx *tx, enum app_dir dir)
{
    const struct quic_tx *t = (const struct quic_tx *)tx;

    app_put(a, tx, BUF_QUIC_VERSION, span_of(t->version, 4));
    if (!t->has_hello)
        return;
    if (t->hello.sni.p)
        app_put(a, tx, BUF_QUIC_SNI, t->hello.sni);
    if (t->ja3_len > 0) {
        app_put(a, tx, t->hello.client ? BUF_JA3_STRING : BUF_JA3S_STRING, span_of(t->ja3, t->ja3_len));
        app_put(a, tx, t->hello.client ? BUF_JA3_HASH : BUF_JA3S_HASH, span_of(t->ja3_hash, 32));
    }
    if (t->ja4_len > 0)
        app_put(a, tx, BUF_JA4_HASH, span_of(t->ja4, t->ja4_len));
}

static bool publish(struct app *a, struct quic_tx *t, enum app_dir dir)
{
    show(a, NULL, &t->tx, dir);
    bool goes_on = app_inspect(a, &t->tx, dir, true);
    app_tx_close(a, &t->tx);
    return goes_on;
}

/* Another handshake message than a hello is nothing to look at. False when the packet was dropped. */
static bool take_message(struct app *a, uint32_t version, struct span message, enum app_dir dir)
{
    struct quic_tx t;

    t.has_hello = tls_hello_parse(message, &t.hello);
    if (!t.has_hello || t.hello.client != (dir == APP_TO_SERVER)) {
        app_event(a, AN_QUIC_ERROR_ON_DATA);
        return true;
    }
    app_tx_open(a, &t.tx);
    store_be32(t.version, version);
    t.ja3_len = app_limits(a)->ja3 ? ja3_text(&t.hello, t.ja3) : 0;
    if (t.ja3_len > 0)
        app_digest_hex(a, DIGEST_MD5, span_of(t.ja3, t.ja3_len), t.ja3_hash);
    t.ja4_len = app_limits(a)->ja4 && t.hello.client ? ja4_make(a, &t.hello, true, t.ja4) : 0;
    return publish(a, &t, dir);
}

/* A packet of a version that cannot be opened, or a server's list of versions; once for each. */
static bool take_version(struct app *a, struct quic *q, uint32_t version, enum app_dir dir)
{
    struct quic_tx t;

    if (q->said && q->version == version)
        return true;
    q->said = true;
    q->version = version;
    t.has_hello = false;
    store_be32(t.version, version);
    app_tx_open(a, &t.tx);
    return publish(a, &t, dir);
}

static void fields(void *state, const struct app_tx *tx, struct fields *f)
{
    const struct quic_tx *t = (const struct quic_tx *)tx;
    uint8_t digits[8], first = 0;

    for (int i = 0; i < 8; i++)
        digits[i] = (uint8_t) "0123456789abcdef"[t->version[i / 2] >> (i % 2 ? 0 : 4) & 15];
    while (first < 7 && digits[first] == '0')
        first++;
    if (t->version[0] == 'Q')
        fields_text(f, "version", span_of(t->version, 4));
    else
        fields_text(f, "version", span_of(digits + first, 8u - first));
    if (!t->has_hello)
        return;
    if (t->hello.sni.p)
        fields_text(f, "sni", t->hello.sni);
    if (t->ja3_len > 0) {
        fields_object(f, t->hello.client ? "ja3" : "ja3s");
        fields_text(f, "hash", span_of(t->ja3_hash, 32));
        fields_text(f, "string", span_of(t->ja3, t->ja3_len));
        fields_close(f);
    }
    if (t->ja4_len > 0)
        fields_text(f, "ja4", span_of(t->ja4, t->ja4_len));
}

/* --- CRYPTO frames --------------------------------------------------------------------------------------------------- */

enum crypto_answer { CRYPTO_OK, CRYPTO_DROPPED, CRYPTO_NO_MEMORY };

/* Bytes from `at` on in data. What has come stays; what differs from it, two receivers may read differently. */
static bool fill(struct app *a, struct quic_way *w, uint32_t at, struct span bytes)
{
    uint32_t end = at + bytes.len;
    bool differs = false;

    if (end > w->data.len) {
        if (!bytes_reserve(a, &w->data, end) || !bytes_reserve(a, &w->there, end))
            return false;
        memset(w->there.p + w->there.len, 0, end - w->there.len);
        w->data.len = w->there.len = end;
    }
    for (uint32_t i = 0; i < bytes.len; i++) {
        if (w->there.p[at + i]) {
            differs |= w->data.p[at + i] != bytes.p[i];
        } else {
            w->data.p[at + i] = bytes.p[i];
            w->there.p[at + i] = 1;
        }
    }
    if (differs)
        app_event(a, AN_QUIC_CRYPTO_OVERLAP);
    return true;
}

/* Handshake messages that are complete. */
static enum crypto_answer take_complete(struct app *a, struct quic_connection *c, enum app_dir dir)
{
    struct quic_way *w = &c->way[dir];
    uint32_t at = 0;
    bool goes_on = true;

    while (w->ready < w->there.len && w->there.p[w->ready])
        w->ready++;
    while (goes_on && w->ready - at >= 4) {
        uint32_t n = 4 + (load_be32(w->data.p + at) & 0xffffff);

        if (n > w->ready - at)
            break;
        goes_on = take_message(a, c->version, span_of(w->data.p + at, n), dir);
        at += n;
    }
    w->origin += at;
    w->ready -= at;
    if (at == w->data.len) {
        bytes_free(a, &w->data);
        bytes_free(a, &w->there);
    } else {
        bytes_cut(&w->data, at);
        bytes_cut(&w->there, at);
    }
    return goes_on ? CRYPTO_OK : CRYPTO_DROPPED;
}

static enum crypto_answer take_crypto(struct app *a, struct quic_connection *c, enum app_dir dir,
                                      uint64_t offset, struct span bytes)
{
    struct quic_way *w = &c->way[dir];

    if (offset < w->origin) { /* some of it again */
        uint64_t old = w->origin - offset;

        if (old >= bytes.len)
            return CRYPTO_OK;
        bytes = span_sub(bytes, (uint32_t)old, bytes.len);
        offset = w->origin;
    }
    if (offset - w->origin + bytes.len > CRYPTO_MAX) {
        app_event(a, AN_QUIC_CRYPTO_TOO_LONG);
        return CRYPTO_OK;
    }
    if (!fill(a, w, (uint32_t)(offset - w->origin), bytes))
        return CRYPTO_NO_MEMORY;
    return take_complete(a, c, dir);
}

/* --- frames ---------------------------------------------------------------------------------------------------------- */

enum { PADDING = 0, PING = 1, ACK = 2, ACK_ECN = 3, CRYPTO = 6, CLOSE = 0x1c };

static bool skip_numbers(struct span *in, uint64_t n)
{
    uint64_t v;

    while (n-- > 0)
        if (!quic_varint(in, &v))
            return false;
    return true;
}

static bool skip_ack(struct span *in, bool ecn)
{
    uint64_t ranges;

    return skip_numbers(in, 2) && quic_varint(in, &ranges) && ranges <= in->len &&
           skip_numbers(in, 1 + 2 * ranges) && (!ecn || skip_numbers(in, 3));
}

/* A frame of CRYPTO: offset, length, bytes. */
static bool crypto_frame(struct span *in, uint64_t *offset, struct span *bytes)
{
    uint64_t n;

    if (!quic_varint(in, offset) || !quic_varint(in, &n) || n > in->len)
        return false;
    *bytes = span_sub(*in, 0, (uint32_t)n);
    *in = span_sub(*in, (uint32_t)n, in->len);
    return true;
}

static enum crypto_answer take_frames(struct app *a, struct quic_connection *c, enum app_dir dir,
                                      struct span in)
{
    enum crypto_answer answer = CRYPTO_OK;
    bool whole = true;

    while (in.len > 0 && whole && answer == CRYPTO_OK) {
        uint8_t type = in.p[0];
        uint64_t offset;
        struct span bytes;

        in = span_sub(in, 1, in.len);
        if (type == PADDING || type == PING)
            continue;
        if (type == ACK || type == ACK_ECN) {
            whole = skip_ack(&in, type == ACK_ECN);
        } else if (type == CRYPTO) {
            whole = crypto_frame(&in, &offset, &bytes);
            if (whole && bytes.len > 0)
                answer = take_crypto(a, c, dir, offset, bytes);
        } else {
            if (type != CLOSE) /* no other may stand in an Initial packet (RFC 9000, 12.4) */
                app_event(a, AN_QUIC_ERROR_ON_DATA);
            return answer;
        }
    }
    if (!whole)
        app_event(a, AN_QUIC_ERROR_ON_DATA);
    return answer;
}

/* --- packets --------------------------------------------------------------------------------------------------------- */

struct opening { /* of a datagram's packets */
    unsigned keys_made;
    uint8_t *room;
    uint32_t room_len;
};

static bool may_make_keys(struct app *a, struct opening *o)
{
    if (o->keys_made++ < KEYS_MAX)
        return true;
    app_event(a, AN_QUIC_TOO_MANY_CONNECTIONS);
    return false;
}

/* With the keys of a connection that is known; a server may have gone on to another version (RFC 9368). */
static bool open_with(struct app *a, struct quic_connection *c, const struct quic_packet *p, enum app_dir dir,
                      struct opening *o, struct span *frames)
{
    struct quic_keys keys[2];

    if (c->version == p->version)
        return quic_open(a, p, &c->keys[dir], &c->way[dir].largest, o->room, frames);
    if (!may_make_keys(a, o) || !quic_keys_make(a, p->version, span_of(c->dcid, c->dcid_len), keys) ||
        !quic_open(a, p, &keys[dir], &c->way[dir].largest, o->room, frames))
        return false;
    c->version = p->version;
    memcpy(c->keys, keys, sizeof(keys));
    return true;
}

static void forget(struct app *a, struct quic_connection *c)
{
    for (int dir = 0; dir < 2; dir++) {
        bytes_free(a, &c->way[dir].data);
        bytes_free(a, &c->way[dir].there);
    }
    *c = (struct quic_connection){0};
}

/* With keys of its own; then it is a connection that was not known. NULL: they do not fit. */
static struct quic_connection *open_new(struct app *a, struct quic *q, const struct quic_packet *p,
                                        struct opening *o, struct span *frames)
{
    struct quic_connection *c = &q->c[q->next];
    struct quic_keys keys[2];
    uint64_t largest = 0;

    if (!may_make_keys(a, o) || !quic_keys_make(a, p->version, p->dcid, keys) ||
        !quic_open(a, p, &keys[APP_TO_SERVER], &largest, o->room, frames))
        return NULL;
    if (c->way[APP_TO_SERVER].data.len > 0)
        app_event(a, AN_QUIC_TOO_MANY_CONNECTIONS); /* its hello was not complete */
    forget(a, c);
    q->next = (uint8_t)((q->next + 1) % CONNECTIONS_MAX);
    c->used = true;
    c->version = p->version;
    c->dcid_len = (uint8_t)p->dcid.len;
    memcpy(c->dcid, p->dcid.p, p->dcid.len);
    memcpy(c->keys, keys, sizeof(keys));
    c->way[APP_TO_SERVER].largest = largest;
    return c;
}

static enum crypto_answer take_initial(struct app *a, struct quic *q, const struct quic_packet *p,
                                       enum app_dir dir, struct opening *o)
{
    struct quic_connection *c = NULL;
    struct span frames;
    bool any = false;

    for (int i = 0; i < CONNECTIONS_MAX && !c; i++) {
        if (!q->c[i].used)
            continue;
        any = true;
        if (open_with(a, &q->c[i], p, dir, o, &frames))
            c = &q->c[i];
    }
    if (!c && dir == APP_TO_SERVER)
        c = open_new(a, q, p, o, &frames);
    if (!c) {
        if (any || dir == APP_TO_SERVER)
            app_event(a, AN_QUIC_FAILED_DECRYPT);
        return CRYPTO_OK;
    }
    q->hello |= dir == APP_TO_SERVER;
    return take_frames(a, c, dir, frames);
}

static enum crypto_answer take_packets(struct app *a, struct quic *q, struct span datagram, enum app_dir dir,
                                       struct opening *o)
{
    enum crypto_answer answer = CRYPTO_OK;
    struct quic_packet p;

    while (datagram.len > 0 && (datagram.p[0] & 0x80) && answer == CRYPTO_OK) {
        if (!quic_packet_next(&datagram, &p)) {
            app_event(a, AN_QUIC_ERROR_ON_HEADER);
            break;
        }
        if (p.type == QUIC_INITIAL)
            answer = take_initial(a, q, &p, dir, o);
        else if ((p.type == QUIC_UNKNOWN || p.type == QUIC_NEGOTIATION) &&
                 !take_version(a, q, p.version, dir))
            answer = CRYPTO_DROPPED;
    }
    return answer;
}

static enum app_answer take(struct app *a, void *state, const struct app_in *in)
{
    struct quic *q = state;
    struct opening o = {.room_len = in->bytes.len};

    if (in->bytes.len == 0)
        return APP_OK;
    if (!(in->bytes.p[0] & 0x80)) {
        if (in->dir == APP_TO_CLIENT && q->hello && app_limits(a)->encryption_bypass) {
            app_bypass(a);
            return APP_DONE;
        }
        return APP_OK;
    }
    o.room = app_take(a, o.room_len);
    if (!o.room)
        return APP_BAD;
    enum crypto_answer answer = take_packets(a, q, in->bytes, (enum app_dir)in->dir, &o);
    app_give(a, o.room, o.room_len);
    return answer == CRYPTO_NO_MEMORY ? APP_BAD : APP_OK;
}

static void close_flow(struct app *a, void *state)
{
    struct quic *q = state;

    for (int i = 0; i < CONNECTIONS_MAX; i++)
        forget(a, &q->c[i]);
}

/* --- recognising ----------------------------------------------------------------------------------------------------- */

static const uint16_t ports[] = {443, 80, 8443, 0};

/* A version that asks for negotiation (RFC 9000, 15), or one of Google's. */
static bool version_like(uint32_t v)
{
    return (v & 0x0f0f0f0f) == 0x0a0a0a0a || v >> 16 == ('Q' << 8 | '0') || v >> 16 == ('T' << 8 | '0') ||
           v >> 8 == 0xff0000;
}

static enum app_probe probe(struct span bytes, const struct app_hint *h)
{
    struct span datagram = bytes;
    struct quic_packet p;

    if (bytes.len < 7 || !(bytes.p[0] & 0x80))
        return PROBE_NO;
    if (!quic_packet_next(&datagram, &p))
        return h->dport == 443 && quic_version_known(load_be32(bytes.p + 1)) ? PROBE_LIKELY : PROBE_NO;
    if (quic_version_known(p.version))
        return p.type == QUIC_INITIAL ? PROBE_YES : PROBE_LIKELY;
    if (p.dcid.len > QUIC_ID_MAX || p.scid.len > QUIC_ID_MAX)
        return version_like(p.version) && h->dport == 443 ? PROBE_LIKELY : PROBE_NO;
    return version_like(p.version) || (p.version == 0 && h->dir == APP_TO_CLIENT) ? PROBE_LIKELY : PROBE_NO;
}

const struct app_parser parser_quic = {.proto = APP_QUIC,
                                       .udp = true,
                                       .state_bytes = sizeof(struct quic),
                                       .ports = ports,
                                       .probe = probe,
                                       .take = take,
                                       .close = close_flow,
                                       .show = show,
                                       .fields = fields};
