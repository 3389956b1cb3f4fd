/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads a ClientHello or a ServerHello out of a whole handshake message.
 *
 * Lenient on purpose: whatever is wrong is remembered (enum tls_odd), and what can be read is given out all the same, since
 * some receiver may read it. What comes first wins, as in OpenSSL before it learned to refuse; a second copy is an oddity
 * that the caller says aloud. Each byte is looked at a bounded number of times; extensions are found in one pass.
 *
 * Owns nothing, allocates nothing. Any thread.
 */
#include "ips/app/tls_hello.h"

enum extension {
    EXT_SERVER_NAME = 0,
    EXT_GROUPS = 10,
    EXT_POINTS = 11,
    EXT_ALGORITHMS = 13,
    EXT_ALPN = 16,
    EXT_VERSIONS = 43,
};

#define RANDOM_BYTES 32

/* SHA-256 of "HelloRetryRequest" (RFC 8446 4.1.3) */
static const uint8_t retry_random[RANDOM_BYTES] = {
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
};

/* n bytes from the front of *s, or what is there of them: false then. */
static bool take(struct span *s, uint32_t n, struct span *out)
{
    bool whole = n <= s->len;

    *out = span_sub(*s, 0, n);
    *s = span_sub(*s, n, s->len);
    return whole;
}

/* The same behind a length of one or two bytes. */
static bool take_list(struct span *s, unsigned length_bytes, struct span *out)
{
    uint32_t n;

    if (s->len < length_bytes) {
        *out = span_sub(*s, 0, 0);
        *s = span_sub(*s, s->len, 0);
        return false;
    }
    n = length_bytes == 1 ? s->p[0] : load_be16(s->p);
    *s = span_sub(*s, length_bytes, s->len);
    return take(s, n, out);
}

static void server_name(struct tls_hello *h, struct span ext)
{
    struct span list, name;

    if (h->has_sni) {
        h->odd |= TLS_ODD_SNI_TWICE;
        return;
    }
    h->has_sni = true;
    if (!h->client && ext.len == 0)
        return; /* a server acknowledges it so */
    if (!take_list(&ext, 2, &list) || ext.len > 0 || list.len == 0)
        h->odd |= TLS_ODD_SNI_LENGTH;
    while (list.len > 0) {
        uint8_t type = list.p[0];

        list = span_sub(list, 1, list.len);
        if (!take_list(&list, 2, &name) || name.len == 0)
            h->odd |= TLS_ODD_SNI_LENGTH;
        if (type != 0)
            h->odd |= TLS_ODD_SNI_TYPE;
        if (h->sni.p)
            h->odd |= TLS_ODD_SNI_TWICE;
        else if (name.len > 0)
            h->sni = name;
    }
    if (h->sni.len > 0 && memchr(h->sni.p, 0, h->sni.len))
        h->odd |= TLS_ODD_SNI_NAME;
}

/* The list in an extension that is nothing but one; what comes first stays. */
static void only_list(struct tls_hello *h, struct span ext, unsigned length_bytes, struct span *out)
{
    struct span list;

    if (!take_list(&ext, length_bytes, &list) || ext.len > 0)
        h->odd |= TLS_ODD_LENGTH;
    if (out->p)
        h->odd |= TLS_ODD_EXTENSION_TWICE;
    else
        *out = list;
}

static uint16_t plain_version(uint16_t v)
{
    return v >> 8 == 0x7f ? TLS1_3 : v; /* drafts, and 0x7e of others are not worth a thought */
}

static void supported_versions(struct tls_hello *h, struct span ext)
{
    struct span list = ext;

    if (!h->client) {
        if (ext.len != 2)
            h->odd |= TLS_ODD_LENGTH;
        if (ext.len >= 2)
            h->version = plain_version(load_be16(ext.p));
        return;
    }
    if (!take_list(&ext, 1, &list) || ext.len > 0 || list.len % 2)
        h->odd |= TLS_ODD_LENGTH;
    uint16_t best = 0;
    for (uint32_t i = 0; i + 2 <= list.len; i += 2) {
        uint16_t v = load_be16(list.p + i);

        if (!tls_grease(v) && plain_version(v) > best)
            best = plain_version(v);
    }
    if (best)
        h->version = best;
}

static void extensions(struct tls_hello *h)
{
    struct span left = h->extensions, ext;

    while (left.len > 0) {
        uint16_t type = left.len >= 2 ? load_be16(left.p) : 0xffff;

        left = span_sub(left, 2, left.len);
        if (!take_list(&left, 2, &ext)) {
            h->odd |= TLS_ODD_LENGTH;
            if (!ext.p || ext.len == 0)
                return;
        }
        h->n_extensions++;
        switch (type) {
        case EXT_SERVER_NAME:
            server_name(h, ext);
            break;
        case EXT_GROUPS:
            only_list(h, ext, 2, &h->groups);
            break;
        case EXT_POINTS:
            only_list(h, ext, 1, &h->points);
            break;
        case EXT_ALGORITHMS:
            only_list(h, ext, 2, &h->algorithms);
            break;
        case EXT_ALPN:
            only_list(h, ext, 2, &h->alpn);
            break;
        case EXT_VERSIONS:
            supported_versions(h, ext);
            break;
        default:
            break;
        }
    }
}

bool tls_hello_parse(struct span message, struct tls_hello *h)
{
    struct span s = message, compression, body;

    memset(h, 0, sizeof(*h));
    if (s.len < 4 + 2 + RANDOM_BYTES || (s.p[0] != TLS_CLIENT_HELLO && s.p[0] != TLS_SERVER_HELLO))
        return false;
    h->client = s.p[0] == TLS_CLIENT_HELLO;
    s = span_sub(s, 4, s.len);
    h->legacy_version = load_be16(s.p);
    h->version = plain_version(h->legacy_version);
    s = span_sub(s, 2, s.len);
    take(&s, RANDOM_BYTES, &h->random);
    h->retry = !h->client && memcmp(h->random.p, retry_random, RANDOM_BYTES) == 0;
    bool ok = take_list(&s, 1, &h->session_id);
    if (h->client) {
        ok &= take_list(&s, 2, &h->ciphers) && h->ciphers.len % 2 == 0;
        ok &= take_list(&s, 1, &compression);
    } else {
        ok &= take(&s, 2, &body);
        h->cipher = body.len == 2 ? load_be16(body.p) : 0;
        /* drafts of 1.3 up to 21 had no compression here, nor a session id; nobody speaks them any more */
        ok &= take(&s, 1, &compression);
    }
    if (s.len > 0) {
        ok &= take_list(&s, 2, &h->extensions) && s.len == 0;
        extensions(h);
    }
    if (!ok)
        h->odd |= TLS_ODD_LENGTH;
    return true;
}

bool tls_hello_parse_v2(struct span s, struct tls_hello *h)
{
    memset(h, 0, sizeof(*h));
    if (s.len < 9 || s.p[0] != TLS_CLIENT_HELLO)
        return false;
    h->client = true;
    h->legacy_version = h->version = load_be16(s.p + 1);
    uint32_t n_ciphers = load_be16(s.p + 3), n_session = load_be16(s.p + 5), n_challenge = load_be16(s.p + 7);
    s = span_sub(s, 9, s.len);
    bool ok = take(&s, n_ciphers, &h->ciphers) && n_ciphers % 3 == 0;
    ok &= take(&s, n_session, &h->session_id);
    ok &= take(&s, n_challenge, &h->random);
    if (!ok || s.len > 0)
        h->odd |= TLS_ODD_LENGTH;
    return true;
}

void tls_hello_moved(struct tls_hello *h, const uint8_t *from, const uint8_t *to)
{
    struct span *spans[] = {&h->random, &h->session_id, &h->ciphers, &h->extensions, &h->sni,
                            &h->alpn,   &h->groups,     &h->points,  &h->algorithms};

    for (unsigned i = 0; i < sizeof(spans) / sizeof(spans[0]); i++)
        if (spans[i]->p)
            spans[i]->p = to + (spans[i]->p - from);
}

bool tls_alpn_next(struct span *list, struct span *name)
{
    while (list->len > 0) {
        take_list(list, 1, name);
        if (name->len > 0)
            return true;
    }
    return false;
}
