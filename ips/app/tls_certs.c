/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Certificate messages of TLS 1.2 and below, and SSLv2's one certificate: the chain as DER, and texts of the first
 * certificate, the one that names the peer.
 *
 * The message is kept until the handshake is over, because rules are tried again when the next message comes; texts are
 * made once. What is wrong with a certificate is an event, and what could be read of it is given to rules all the same: a
 * client that does not verify takes anything.
 *
 * Worker thread. Owns struct tls_certs of each direction.
 */
#include "ips/app/tls.h"

static uint32_t load_be24(const uint8_t *p)
{
    return (uint32_t)p[0] << 16 | load_be16(p + 1);
}

/* The next certificate of a chain; false at its end, or where it breaks (*broken). */
static bool next_certificate(struct span *chain, struct span *der, bool *broken)
{
    uint32_t n;

    if (chain->len == 0)
        return false;
    n = chain->len >= 3 ? load_be24(chain->p) : 0;
    *der = span_sub(*chain, 3, n);
    *broken |= chain->len < 3 || der->len != n || n == 0;
    *chain = span_sub(*chain, 3 + n, chain->len);
    return der->len > 0 || chain->len > 0;
}

static const enum anomaly event_of[] = {
    [X509_BAD_DER] = AN_TLS_CERT_DER,
    [X509_BAD_VERSION] = AN_TLS_CERT_VERSION,
    [X509_BAD_SERIAL] = AN_TLS_CERT_SERIAL,
    [X509_BAD_ALGORITHM] = AN_TLS_CERT_ALGORITHM,
    [X509_BAD_NAME] = AN_TLS_CERT_NAME,
    [X509_BAD_DATE] = AN_TLS_CERT_DATE,
    [X509_BAD_EXTENSIONS] = AN_TLS_CERT_EXTENSIONS,
};

/* The text's end in t; an attribute has at most 4 characters for each byte of it. */
#define TEXT_OF(name) (4 * (name).len + 64)

/* One more name at the end of c->text, where there is room for it. */
static struct span name_text(struct app *a, struct tls_certs *c, struct span name)
{
    uint32_t n = 0;
    uint8_t *at = c->text.p + c->text.len;

    if (!name.p)
        return (struct span){0};
    if (!x509_name_text(name, at, TEXT_OF(name), &n))
        app_event(a, AN_TLS_CERT_NAME);
    c->text.len += n;
    return span_of(at, n);
}

static bool make_texts(struct app *a, struct tls_certs *c)
{
    static const char hex[] = "0123456789abcdef";
    uint8_t digest[DIGEST_BYTES_MAX];
    uint32_t n = 0;

    c->text.len = 0;
    if (!bytes_reserve(a, &c->text, TEXT_OF(c->x.subject) + TEXT_OF(c->x.issuer) + 3 * c->x.serial.len + 1))
        return false;
    c->subject = name_text(a, c, c->x.subject);
    c->issuer = name_text(a, c, c->x.issuer);
    if (c->x.serial.p) {
        uint8_t *at = c->text.p + c->text.len;

        x509_serial_text(c->x.serial, at, 3 * c->x.serial.len + 1, &n);
        c->serial = span_of(at, n);
        c->text.len += n;
    }
    n = app_digest(a, DIGEST_SHA1, c->leaf, digest);
    for (uint32_t i = 0; i < n && 3 * i + 1 < TLS_FINGERPRINT; i++) {
        c->fingerprint[3 * i] = (uint8_t)hex[digest[i] >> 4];
        c->fingerprint[3 * i + 1] = (uint8_t)hex[digest[i] & 15];
        if (3 * i + 2 < TLS_FINGERPRINT)
            c->fingerprint[3 * i + 2] = ':';
    }
    return true;
}

/* The first certificate is read; false: no memory, and there is nothing to show. */
static bool read_leaf(struct app *a, struct tls_certs *c)
{
    enum x509_part broken = x509_parse(c->leaf, &c->x);

    if (broken != X509_WHOLE)
        app_event(a, event_of[broken]);
    if (make_texts(a, c))
        return true;
    c->n = 0;
    return false;
}

/* Place for the direction's certificates, with a copy of the message, or the one that was collected. */
static struct tls_certs *begin(struct app *a, struct tls *t, enum app_dir dir, struct span message)
{
    struct tls_way *w = &t->way[dir];
    struct tls_certs *c = t->certs[dir];
    struct bytes text;

    if (!c)
        c = t->certs[dir] = app_take(a, sizeof(*c));
    if (!c)
        return NULL;
    bytes_free(a, &c->message);
    text = c->text;
    memset(c, 0, sizeof(*c));
    c->text = text;
    if (w->message.p == message.p) {
        c->message = w->message;
        w->message = (struct bytes){0};
    } else if (!bytes_add(a, &c->message, message)) {
        return NULL;
    }
    return c;
}

bool tls_certificate(struct app *a, struct tls *t, enum app_dir dir, struct span message, bool *bad)
{
    struct tls_certs *c = begin(a, t, dir, message);
    struct span chain, der;
    bool broken = false;

    if (!c) {
        *bad = true;
        return false;
    }
    chain = span_sub(bytes_span(&c->message), 4, c->message.len);
    uint32_t n = chain.len >= 3 ? load_be24(chain.p) : 0;
    broken = chain.len < 3 || chain.len - 3 != n;
    c->chain = chain = span_sub(chain, 3, n);
    while (next_certificate(&chain, &der, &broken)) {
        if (der.len == 0)
            continue;
        if (c->n++ == 0)
            c->leaf = der;
    }
    if (broken)
        app_event(a, AN_TLS_CERT_INVALID);
    if (c->leaf.len > 0 && !read_leaf(a, c)) {
        *bad = true;
        return false;
    }
    tls_put_certs(a, t, dir, true);
    return app_inspect(a, &t->tx, dir, false);
}

bool tls_certificate_v2(struct app *a, struct tls *t, enum app_dir dir, struct span der, bool *bad)
{
    struct tls_certs *c = begin(a, t, dir, der);

    if (!c) {
        *bad = true;
        return false;
    }
    c->leaf = bytes_span(&c->message);
    c->n = 1;
    if (!read_leaf(a, c)) {
        *bad = true;
        return false;
    }
    tls_put_certs(a, t, dir, true);
    return true;
}

static void put_names(struct app *a, struct tls *t, struct tls_certs *c, enum app_dir dir, bool fresh)
{
    struct span names = c->x.names, name;
    unsigned n = 0;

    while (x509_next_name(&names, c->address[n], &name)) {
        app_put(a, &t->tx, BUF_TLS_SUBJECTALTNAME, name);
        if (name.p != c->address[n] || ++n < TLS_ADDRESSES_MAX)
            continue;
        if (!fresh || !app_inspect(a, &t->tx, dir, false)) /* and the places are free again */
            return;
        n = 0;
    }
}

void tls_put_certs(struct app *a, struct tls *t, enum app_dir dir, bool fresh)
{
    struct tls_certs *c = t->certs[dir];
    struct span chain, der;
    bool broken = false;

    if (!c || c->n == 0)
        return;
    if (c->subject.p)
        app_put(a, &t->tx, BUF_TLS_CERT_SUBJECT, c->subject);
    if (c->issuer.p)
        app_put(a, &t->tx, BUF_TLS_CERT_ISSUER, c->issuer);
    if (c->serial.p)
        app_put(a, &t->tx, BUF_TLS_CERT_SERIAL, c->serial);
    app_put(a, &t->tx, BUF_TLS_CERT_FINGERPRINT, span_of(c->fingerprint, TLS_FINGERPRINT));
    app_put_number(a, &t->tx, BUF_TLS_CHAIN_LEN, c->n);
    if (c->x.has_dates) {
        app_put_number(a, &t->tx, BUF_TLS_NOT_BEFORE, (uint64_t)c->x.not_before);
        app_put_number(a, &t->tx, BUF_TLS_NOT_AFTER, (uint64_t)c->x.not_after);
        app_put_number(a, &t->tx, BUF_TLS_CERT_IS_VALID,
                       (int64_t)(app_real_ns(a) / 1000000000) <= c->x.not_after);
    }
    if (c->chain.len == 0)
        app_put(a, &t->tx, BUF_TLS_CERTS, c->leaf);
    for (chain = c->chain; next_certificate(&chain, &der, &broken);)
        if (der.len > 0)
            app_put(a, &t->tx, BUF_TLS_CERTS, der);
    put_names(a, t, c, dir, fresh);
}

void tls_certs_fields(const struct tls_certs *c, struct fields *f)
{
    uint8_t date[X509_DATE_TEXT];

    if (!c || c->n == 0)
        return;
    if (c->subject.p)
        fields_text(f, "subject", c->subject);
    if (c->issuer.p)
        fields_text(f, "issuerdn", c->issuer);
    if (c->serial.p)
        fields_text(f, "serial", c->serial);
    fields_text(f, "fingerprint", span_of(c->fingerprint, TLS_FINGERPRINT));
    if (c->x.has_dates) {
        x509_date_text(c->x.not_before, date);
        fields_text(f, "notbefore", span_of(date, sizeof(date)));
        x509_date_text(c->x.not_after, date);
        fields_text(f, "notafter", span_of(date, sizeof(date)));
    }
}

void tls_certs_free(struct app *a, struct tls_certs *c)
{
    if (!c)
        return;
    bytes_free(a, &c->message);
    bytes_free(a, &c->text);
    app_give(a, c, sizeof(*c));
}
