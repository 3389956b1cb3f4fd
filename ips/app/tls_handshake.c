/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Handshake messages: out of the records' bytes, whole, and what rules look into made of them.
 *
 * Messages need not begin or end where records do. One that lies whole in a piece is read where it lies; hellos and
 * certificates that come in pieces are collected, up to TLS_HELLO_MAX and TLS_CERTS_MAX; of all others the type is
 * enough, and their bytes are passed over. What is kept of a hello is its message with JA3's string behind it, because
 * every buffer but the fingerprints is a part of it.
 *
 * A client may say hello twice (HelloRetryRequest): rules see both. When the second one asks for another name, a receiver
 * that looked at the first and one that looks at the second serve different hosts, which is an event.
 *
 * Worker thread. Owns struct tls_side of both ends.
 */
#include "ips/app/tls.h"

enum { CLIENT, SERVER }; /* index of struct tls.side */

void tls_open(struct app *a, struct tls *t)
{
    if (t->open)
        return;
    t->open = true;
    app_tx_open(a, &t->tx);
}

void tls_forget(struct app *a, struct tls *t)
{
    for (int i = 0; i < 2; i++) {
        bytes_free(a, &t->side[i].kept);
        memset(&t->side[i].hello, 0, sizeof(t->side[i].hello));
        t->side[i].print.ja3_len = t->side[i].print.ja4_len = 0;
        tls_certs_free(a, t->certs[i]);
        t->certs[i] = NULL;
        bytes_free(a, &t->way[i].message);
    }
}

/* --- publishing ------------------------------------------------------------------------------------------------------ */

static void put_hello(struct app *a, struct tls *t, const struct tls_side *s)
{
    const struct tls_hello *h = &s->hello;
    struct span list = h->alpn, name;
    struct span ja3 = span_sub(bytes_span(&s->kept), s->ja3_at, s->kept.len);

    /* a client's is what it says it speaks at least, a server's what is spoken */
    app_put_number(a, &t->tx, BUF_TLS_VERSION, h->client ? h->legacy_version : h->version);
    if (h->sni.p)
        app_put(a, &t->tx, BUF_TLS_SNI, h->sni);
    while (tls_alpn_next(&list, &name))
        app_put(a, &t->tx, BUF_TLS_ALPN, name);
    if (h->random.len == 32) {
        app_put(a, &t->tx, BUF_TLS_RANDOM, h->random);
        app_put(a, &t->tx, BUF_TLS_RANDOM_TIME, span_sub(h->random, 0, 4));
        app_put(a, &t->tx, BUF_TLS_RANDOM_BYTES, span_sub(h->random, 4, 28));
    }
    if (s->print.ja3_len) {
        app_put(a, &t->tx, h->client ? BUF_JA3_HASH : BUF_JA3S_HASH, span_of(s->print.ja3, s->print.ja3_len));
        app_put(a, &t->tx, h->client ? BUF_JA3_STRING : BUF_JA3S_STRING, ja3);
    }
    if (s->print.ja4_len && h->client)
        app_put(a, &t->tx, BUF_JA4_HASH, span_of(s->print.ja4, s->print.ja4_len));
}

static void put_states(struct app *a, struct tls *t, uint8_t states)
{
    for (unsigned i = 0; i < TLS_STATES; i++)
        if (states >> i & 1)
            app_put_number(a, &t->tx, BUF_TLS_STATE, 1u << i);
}

void tls_show(struct app *a, void *state, struct app_tx *tx, enum app_dir dir)
{
    struct tls *t = state;

    for (int i = 0; i < 2; i++)
        if (t->side[i].kept.len > 0 && t->side[i].dir == dir)
            put_hello(a, t, &t->side[i]);
    put_states(a, t, t->way[dir].states);
    tls_put_certs(a, t, dir, false);
}

/* A message of which rules ask no more than whether it came. */
static bool note(struct app *a, struct tls *t, enum app_dir dir, enum tls_state state)
{
    t->way[dir].states |= (uint8_t)state;
    app_put_number(a, &t->tx, BUF_TLS_STATE, state);
    return app_inspect(a, &t->tx, dir, false);
}

/* --- hellos ---------------------------------------------------------------------------------------------------------- */

static const struct {
    uint32_t odd; /* enum tls_odd */
    enum anomaly event;
} oddities[] = {
    {TLS_ODD_LENGTH, AN_TLS_HELLO_LENGTH}, {TLS_ODD_SNI_TWICE, AN_TLS_SNI_TWICE},
    {TLS_ODD_SNI_TYPE, AN_TLS_SNI_TYPE},   {TLS_ODD_SNI_LENGTH, AN_TLS_SNI_LENGTH},
    {TLS_ODD_SNI_NAME, AN_TLS_SNI_NAME},   {TLS_ODD_EXTENSION_TWICE, AN_TLS_EXTENSION_TWICE},
};

/* The message, with JA3's string behind it, becomes the side's. False: no memory. */
static bool keep_hello(struct app *a, struct tls *t, struct tls_way *w, struct tls_side *s,
                       struct span message, const struct tls_hello *h, bool v2)
{
    uint8_t text[JA3_TEXT_MAX], ja3[2 * DIGEST_BYTES_MAX];
    uint32_t n = 0;

    memset(&s->print, 0, sizeof(s->print));
    memset(&s->hello, 0, sizeof(s->hello)); /* it may lie in what goes back now */
    if (app_limits(a)->ja3 && !v2 && (n = ja3_text(h, text)) > 0) {
        s->print.ja3_len = (uint8_t)app_digest_hex_again(a, DIGEST_MD5, span_of(text, n), ja3);
        memcpy(s->print.ja3, ja3, sizeof(s->print.ja3));
    }
    if (app_limits(a)->ja4 && !v2)
        s->print.ja4_len = (uint8_t)ja4_make(a, h, false, s->print.ja4);
    if (w->message.p == message.p && !v2) {
        bytes_free(a, &s->kept);
        s->kept = w->message;
        w->message = (struct bytes){0};
    } else {
        s->kept.len = 0;
        if (!bytes_reserve(a, &s->kept, message.len + n) || !bytes_add(a, &s->kept, message))
            return false;
    }
    s->ja3_at = s->kept.len;
    if (!bytes_add(a, &s->kept, span_of(text, n)))
        return false;
    s->hello = *h;
    tls_hello_moved(&s->hello, message.p, s->kept.p);
    return true;
}

static bool client_hello_again(struct app *a, const struct tls *t, const struct tls_hello *now)
{
    const struct tls_side *s = &t->side[CLIENT];

    if (s->kept.len > 0 && !span_eq(s->hello.sni, now->sni))
        app_event(a, AN_TLS_SNI_CHANGED);
    return true;
}

static bool hello(struct app *a, struct tls *t, enum app_dir dir, struct span message, bool v2, bool *bad)
{
    struct tls_way *w = &t->way[dir];
    struct tls_hello h;

    if (!(v2 ? tls_hello_parse_v2(message, &h) : tls_hello_parse(message, &h))) {
        app_event(a, AN_TLS_HELLO_LENGTH);
        return true;
    }
    struct tls_side *s = &t->side[h.client ? CLIENT : SERVER];
    for (unsigned i = 0; i < sizeof(oddities) / sizeof(oddities[0]); i++)
        if (h.odd & oddities[i].odd)
            app_event(a, oddities[i].event);
    if (++s->n > TLS_SAME_MAX) {
        app_event(a, AN_TLS_HANDSHAKE_INVALID);
        *bad = true;
        return false;
    }
    if (h.client)
        client_hello_again(a, t, &h);
    if (!keep_hello(a, t, w, s, message, &h, v2)) {
        *bad = true;
        return false;
    }
    s->dir = (uint8_t)dir;
    if (!h.client) {
        const struct tls_hello *c = &t->side[CLIENT].hello;

        t->version = h.version;
        t->resumed =
            h.version != TLS1_3 && s->hello.session_id.len > 0 && span_eq(s->hello.session_id, c->session_id);
    }
    put_hello(a, t, s);
    return note(a, t, dir, h.client ? TLS_STATE_CLIENT_HELLO : TLS_STATE_SERVER_HELLO);
}

/* --- messages -------------------------------------------------------------------------------------------------------- */

static bool is_wanted(uint8_t type)
{
    return type == TLS_CLIENT_HELLO || type == TLS_SERVER_HELLO || type == TLS_CERTIFICATE;
}

static uint32_t max_of(uint8_t type)
{
    return type == TLS_CERTIFICATE ? TLS_CERTS_MAX : TLS_HELLO_MAX;
}

static bool message(struct app *a, struct tls *t, enum app_dir dir, struct span m, bool *bad)
{
    if (m.p[0] == TLS_CERTIFICATE) {
        if (++t->way[dir].n_certs > TLS_SAME_MAX) {
            app_event(a, AN_TLS_HANDSHAKE_INVALID);
            *bad = true;
            return false;
        }
        return tls_certificate(a, t, dir, m, bad);
    }
    return hello(a, t, dir, m, false, bad);
}

/* Types of messages, by what their coming means to ssl_state. */
static bool passed_over(struct app *a, struct tls *t, enum app_dir dir, uint8_t type)
{
    if (type == TLS_CLIENT_KEY_EXCHANGE)
        return note(a, t, dir, TLS_STATE_CLIENT_KEYX);
    if (type == TLS_SERVER_KEY_EXCHANGE)
        return note(a, t, dir, TLS_STATE_SERVER_KEYX);
    if (type > 25 && type != 67 &&
        type != 254) /* none that was ever assigned (RFC 8446, NPN, message_hash) */
        app_event(a, AN_TLS_HANDSHAKE_INVALID);
    return true;
}

/* A message begins: its header is whole. Sets w->skip when nobody needs its bytes. */
static bool begins(struct app *a, struct tls *t, enum app_dir dir, struct span head, uint32_t *total)
{
    struct tls_way *w = &t->way[dir];
    uint8_t type = head.p[0];

    *total = 4 + ((uint32_t)head.p[1] << 16 | load_be16(head.p + 2));
    if (is_wanted(type) && *total <= max_of(type))
        return true;
    w->skip = *total;
    if (!is_wanted(type))
        return passed_over(a, t, dir, type);
    app_event(a, AN_TLS_MESSAGE_TOO_LARGE);
    return true;
}

/* Up to n bytes in all of the message that is being collected. False: no memory. */
static bool collect(struct app *a, struct tls_way *w, struct span *in, uint32_t n)
{
    struct span part = span_sub(*in, 0, n - w->message.len);

    *in = span_sub(*in, part.len, in->len);
    return bytes_add(a, &w->message, part);
}

bool tls_handshake(struct app *a, struct tls *t, enum app_dir dir, struct span in, bool *bad)
{
    struct tls_way *w = &t->way[dir];
    uint32_t total;

    while (in.len > 0) {
        if (w->skip > 0) {
            uint32_t n = in.len < w->skip ? in.len : w->skip;

            w->skip -= n;
            in = span_sub(in, n, in.len);
            continue;
        }
        if (w->message.len == 0 && in.len >= 4) {
            if (!begins(a, t, dir, in, &total))
                return false;
            if (w->skip > 0)
                continue;
            if (in.len >= total) {
                if (!message(a, t, dir, span_sub(in, 0, total), bad))
                    return false;
                in = span_sub(in, total, in.len);
                continue;
            }
        }
        if (w->message.len < 4) {
            if (!collect(a, w, &in, 4)) {
                *bad = true;
                return false;
            }
            if (w->message.len < 4)
                return true;
            bool go_on = begins(a, t, dir, bytes_span(&w->message), &total);

            if (w->skip > 0) {
                w->skip -= 4;
                w->message.len = 0;
            }
            if (!go_on)
                return false;
            if (w->skip > 0 || w->message.len == 0)
                continue;
        } else {
            total = 4 + ((uint32_t)w->message.p[1] << 16 | load_be16(w->message.p + 2));
        }
        if (!collect(a, w, &in, total)) {
            *bad = true;
            return false;
        }
        if (w->message.len < total)
            return true;
        bool go_on = message(a, t, dir, bytes_span(&w->message), bad);

        w->message.len = 0;
        if (!go_on)
            return false;
    }
    return true;
}

/* --- SSLv2 ---------------------------------------------------------------------------------------------------------- */

/* Type 4: session hit, kind of certificate, version, three lengths, certificate, ciphers, connection (RFC 6101's
 * predecessor, draft-hickman-netscape-ssl). */
static bool server_hello_v2(struct app *a, struct tls *t, enum app_dir dir, struct span m, bool *bad)
{
    struct tls_side *s = &t->side[SERVER];

    if (m.len < 11) {
        app_event(a, AN_TLS_SSL2_HEADER);
        return true;
    }
    t->v2 = true;
    t->version = SSL2;
    s->dir = (uint8_t)dir;
    t->resumed = m.p[1] != 0;
    struct span der = span_sub(m, 11, load_be16(m.p + 5));
    if (der.len != load_be16(m.p + 5))
        app_event(a, AN_TLS_HELLO_LENGTH);
    if (der.len > 0 && !tls_certificate_v2(a, t, dir, der, bad))
        return false;
    app_put_number(a, &t->tx, BUF_TLS_VERSION, SSL2);
    return note(a, t, dir, TLS_STATE_SERVER_HELLO);
}

bool tls_message_v2(struct app *a, struct tls *t, enum app_dir dir, struct span m, bool *bad)
{
    enum { ERROR = 0, CLIENT_HELLO = 1, MASTER_KEY = 2, SERVER_HELLO = 4 };

    switch (m.len > 0 ? m.p[0] : 0xff) {
    case ERROR:
        app_event(a, AN_TLS_ERROR);
        return true;
    case CLIENT_HELLO:
        return hello(a, t, dir, m, true, bad);
    case MASTER_KEY:
        return note(a, t, dir, TLS_STATE_CLIENT_KEYX);
    case SERVER_HELLO:
        return server_hello_v2(a, t, dir, m, bad);
    default:
        app_event(a, AN_TLS_SSL2_HEADER);
        return true;
    }
}

/* --- EVE ------------------------------------------------------------------------------------------------------------- */

static const char *version_word(uint16_t version)
{
    switch (version) {
    case SSL2:
        return "SSLv2";
    case SSL3:
        return "SSLv3";
    case TLS1_0:
        return "TLSv1";
    case TLS1_1:
        return "TLS 1.1";
    case TLS1_2:
        return "TLS 1.2";
    case TLS1_3:
        return "TLS 1.3";
    default:
        return "UNDETERMINED";
    }
}

static void alpn_fields(struct fields *f, const char *key, struct span list)
{
    struct span name;

    if (list.len == 0)
        return;
    fields_list(f, key);
    while (tls_alpn_next(&list, &name))
        fields_text(f, NULL, name);
    fields_close(f);
}

static void print_fields(struct fields *f, const struct tls_side *s, const char *ja3, const char *ja4)
{
    if (s->print.ja3_len) {
        fields_object(f, ja3);
        fields_text(f, "hash", span_of(s->print.ja3, s->print.ja3_len));
        fields_text(f, "string", span_sub(bytes_span(&s->kept), s->ja3_at, s->kept.len));
        fields_close(f);
    }
    if (s->print.ja4_len)
        fields_text(f, ja4, span_of(s->print.ja4, s->print.ja4_len));
}

void tls_fields(void *state, const struct app_tx *tx, struct fields *f)
{
    const struct tls *t = state;
    const struct tls_side *client = &t->side[CLIENT], *server = &t->side[SERVER];

    tls_certs_fields(t->certs[APP_TO_CLIENT], f);
    if (client->hello.sni.p)
        fields_text(f, "sni", client->hello.sni);
    fields_word(f, "version", version_word(t->version));
    if (t->resumed)
        fields_bool(f, "session_resumed", true);
    print_fields(f, client, "ja3", "ja4");
    print_fields(f, server, "ja3s", "ja4s");
    alpn_fields(f, "client_alpns", client->hello.alpn);
    alpn_fields(f, "server_alpns", server->hello.alpn);
    if (t->certs[APP_TO_SERVER] && t->certs[APP_TO_SERVER]->n > 0) {
        fields_object(f, "client");
        tls_certs_fields(t->certs[APP_TO_SERVER], f);
        fields_close(f);
    }
}
