/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fingerprints of TLS hellos: JA3 and JA3S (salesforce/ja3), JA4 and JA4S (FoxIO's technical_details/JA4.md, JA4S.md).
 *
 * JA3 is five lists in the order of the message, in decimal, GREASE left out: version, ciphers, extensions, groups, point
 * formats; JA3S is version, cipher, extensions, with GREASE as it comes. JA4 sorts ciphers and extensions, so that a
 * client which shuffles them stays itself, and hashes both lists; JA4S hashes the extensions in their order.
 *
 * A client of a kind that came lately has the JA4 that was made then: what it is made of is compared, in its order.
 *
 * Sorting is a merge sort over at most VALUES_MAX values; a hello with more has no fingerprint. Worker thread. Owns nothing.
 */
#include "ips/app/digest.h"
#include "ips/app/tls_hello.h"

#define VALUES_MAX 512 /* ciphers, extensions or algorithms that a JA4 is made of */
#define PART_CHARS 12  /* of a digest that a JA4 shows */

struct text {
    uint8_t *p;
    uint32_t len, cap;
    bool full;
};

static void put(struct text *t, uint8_t c)
{
    if (t->len < t->cap)
        t->p[t->len++] = c;
    else
        t->full = true;
}

static void put_decimal(struct text *t, uint16_t v)
{
    static const uint16_t tens[] = {10000, 1000, 100, 10};
    unsigned i = 0;

    if (t->cap - t->len < 5) {
        t->full = true;
        return;
    }
    while (i < 4 && v < tens[i])
        i++;
    for (; i < 4; i++) {
        uint8_t digit = (uint8_t)(v / tens[i]);

        t->p[t->len++] = (uint8_t)('0' + digit);
        v = (uint16_t)(v - digit * tens[i]);
    }
    t->p[t->len++] = (uint8_t)('0' + v);
}

static const char hex[] = "0123456789abcdef";

static void put_hex(struct text *t, uint16_t v)
{
    const uint8_t digits[4] = {(uint8_t)hex[v >> 12], (uint8_t)hex[v >> 8 & 15], (uint8_t)hex[v >> 4 & 15],
                               (uint8_t)hex[v & 15]};

    if (t->cap - t->len < 4) {
        t->full = true;
        return;
    }
    memcpy(t->p + t->len, digits, 4);
    t->len += 4;
}

static void put_two_digits(struct text *t, unsigned v)
{
    v = v > 99 ? 99 : v;
    put(t, (uint8_t)('0' + v / 10));
    put(t, (uint8_t)('0' + v % 10));
}

/* The next extension's type; false at the end. */
static bool next_extension(struct span *left, uint16_t *type)
{
    if (left->len < 4)
        return false;
    *type = load_be16(left->p);
    *left = span_sub(*left, 4u + load_be16(left->p + 2), left->len);
    return true;
}

/* --- JA3 ------------------------------------------------------------------------------------------------------------ */

/* Values of 2 bytes with '-' between. */
static void put_values(struct text *t, struct span values)
{
    bool first = true;

    for (uint32_t i = 0; i + 2 <= values.len && !t->full; i += 2) {
        uint16_t v = load_be16(values.p + i);

        if (tls_grease(v))
            continue;
        if (!first)
            put(t, '-');
        first = false;
        put_decimal(t, v);
    }
}

static void put_extensions(struct text *t, const struct tls_hello *h)
{
    struct span left = h->extensions;
    uint16_t type;
    bool first = true;

    while (!t->full && next_extension(&left, &type)) {
        if (h->client && tls_grease(type))
            continue;
        if (!first)
            put(t, '-');
        first = false;
        put_decimal(t, type);
    }
}

uint32_t ja3_text(const struct tls_hello *h, uint8_t out[JA3_TEXT_MAX])
{
    struct text t = {.p = out, .cap = JA3_TEXT_MAX};

    put_decimal(&t, h->legacy_version);
    put(&t, ',');
    if (!h->client) {
        put_decimal(&t, h->cipher);
        put(&t, ',');
        put_extensions(&t, h);
        return t.full ? 0 : t.len;
    }
    put_values(&t, h->ciphers);
    put(&t, ',');
    put_extensions(&t, h);
    put(&t, ',');
    put_values(&t, h->groups);
    put(&t, ',');
    for (uint32_t i = 0; i < h->points.len; i++) {
        if (i > 0)
            put(&t, '-');
        put_decimal(&t, h->points.p[i]);
    }
    return t.full ? 0 : t.len;
}

/* --- JA4 ------------------------------------------------------------------------------------------------------------ */

struct values {
    uint16_t v[VALUES_MAX];
    uint32_t n;
    bool full;
};

static void add_value(struct values *l, uint16_t v)
{
    if (l->n < VALUES_MAX)
        l->v[l->n++] = v;
    else
        l->full = true;
}

/* Merges runs of doubling length; short lists, the rule, are inserted in place. */
static void sort(struct values *l)
{
    uint16_t other[VALUES_MAX];

    if (l->n <= 32) {
        for (uint32_t i = 1; i < l->n; i++) {
            uint16_t v = l->v[i];
            uint32_t k = i;

            for (; k > 0 && l->v[k - 1] > v; k--)
                l->v[k] = l->v[k - 1];
            l->v[k] = v;
        }
        return;
    }
    for (uint32_t run = 1; run < l->n; run *= 2) {
        for (uint32_t at = 0; at < l->n; at += 2 * run) {
            uint32_t mid = at + run < l->n ? at + run : l->n, end = mid + run < l->n ? mid + run : l->n;
            uint32_t a = at, b = mid;

            for (uint32_t k = at; k < end; k++)
                other[k] = a < mid && (b >= end || l->v[a] <= l->v[b]) ? l->v[a++] : l->v[b++];
        }
        memcpy(l->v, other, l->n * sizeof(other[0]));
    }
}

static void put_list(struct text *t, const struct values *l)
{
    for (uint32_t i = 0; i < l->n; i++) {
        if (i > 0)
            put(t, ',');
        put_hex(t, l->v[i]);
    }
}

static void put_digest(struct app *a, struct text *t, struct span of)
{
    uint8_t digits[2 * DIGEST_BYTES_MAX];
    uint32_t n = of.len > 0 ? app_digest_hex_again(a, DIGEST_SHA256, of, digits) : 0;

    for (uint32_t i = 0; i < PART_CHARS; i++)
        put(t, n > i ? digits[i] : '0');
}

static void put_version(struct text *t, uint16_t version)
{
    static const struct {
        uint16_t version;
        char code[3];
    } codes[] = {{TLS1_3, "13"}, {TLS1_2, "12"}, {TLS1_1, "11"}, {TLS1_0, "10"}, {SSL3, "s3"}, {SSL2, "s2"}};

    for (unsigned i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (codes[i].version == version) {
            put(t, (uint8_t)codes[i].code[0]);
            put(t, (uint8_t)codes[i].code[1]);
            return;
        }
    }
    put(t, '0');
    put(t, '0');
}

static bool is_alphanumeric(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* First and last character of the first protocol; of its hexadecimal digits when one of them is no letter or digit. */
static void put_alpn(struct text *t, struct span list)
{
    struct span name;

    if (!tls_alpn_next(&list, &name)) {
        put(t, '0');
        put(t, '0');
        return;
    }
    uint8_t first = name.p[0], last = name.p[name.len - 1];
    if (is_alphanumeric(first) && is_alphanumeric(last)) {
        put(t, first);
        put(t, last);
    } else {
        put(t, (uint8_t)hex[first >> 4]);
        put(t, (uint8_t)hex[last & 15]);
    }
}

static uint32_t ja4s(struct app *a, const struct tls_hello *h, bool quic, uint8_t *out)
{
    struct text t = {.p = out, .cap = JA4S_BYTES};
    struct values list;
    struct span left = h->extensions;
    uint8_t raw[VALUES_MAX * 5];
    struct text r = {.p = raw, .cap = sizeof(raw)};
    uint16_t type;

    list.n = 0;
    list.full = false;
    while (next_extension(&left, &type))
        add_value(&list, type);
    if (list.full)
        return 0;
    put(&t, quic ? 'q' : 't');
    put_version(&t, h->version);
    put_two_digits(&t, list.n);
    put_alpn(&t, h->alpn);
    put(&t, '_');
    put_hex(&t, h->cipher);
    put(&t, '_');
    put_list(&r, &list);
    put_digest(a, &t, span_of(raw, r.len));
    return t.len;
}

/* All that a client's JA4 is made of, in its order, without GREASE. */
static void put_ingredients(struct text *t, const struct tls_hello *h, bool quic)
{
    const struct span lists[] = {h->ciphers, h->algorithms};
    struct span left = h->extensions, alpn = h->alpn, name;
    uint16_t type;

    put(t, (uint8_t)(quic << 1 | h->has_sni));
    put(t, (uint8_t)(h->version >> 8));
    put(t, (uint8_t)h->version);
    if (tls_alpn_next(&alpn, &name)) {
        put(t, 1);
        put(t, name.p[0]);
        put(t, name.p[name.len - 1]);
    } else {
        put(t, 0);
    }
    for (unsigned i = 0; i < 2; i++) {
        for (uint32_t k = 0; k + 2 <= lists[i].len && !t->full; k += 2) {
            if (tls_grease(load_be16(lists[i].p + k)))
                continue;
            put(t, lists[i].p[k]);
            put(t, lists[i].p[k + 1]);
        }
        put(t, 0x0a); /* no list holds 0x0a0a */
        put(t, 0x0a);
    }
    while (!t->full && next_extension(&left, &type)) {
        if (tls_grease(type))
            continue;
        put(t, (uint8_t)(type >> 8));
        put(t, (uint8_t)type);
    }
}

static uint32_t ja4(struct app *a, const struct tls_hello *h, bool quic, uint8_t *out)
{
    struct text t = {.p = out, .cap = JA4_BYTES};
    struct values ciphers, types, algorithms;
    struct span left = h->extensions;
    uint8_t raw[VALUES_MAX * 10 + 1];
    struct text r = {.p = raw, .cap = sizeof(raw)};
    unsigned n_extensions = 0;
    uint16_t type;

    ciphers.n = types.n = algorithms.n = 0; /* not zeroed: this runs for every hello */
    ciphers.full = types.full = algorithms.full = false;
    for (uint32_t i = 0; i + 2 <= h->ciphers.len && !ciphers.full; i += 2)
        if (!tls_grease(load_be16(h->ciphers.p + i)))
            add_value(&ciphers, load_be16(h->ciphers.p + i));
    while (next_extension(&left, &type)) {
        if (tls_grease(type))
            continue;
        n_extensions++;
        if (type != 0 && type != 16) /* server name and ALPN tell of the server, not of the client */
            add_value(&types, type);
    }
    for (uint32_t i = 0; i + 2 <= h->algorithms.len && !algorithms.full; i += 2)
        if (!tls_grease(load_be16(h->algorithms.p + i)))
            add_value(&algorithms, load_be16(h->algorithms.p + i));
    if (ciphers.full || types.full || algorithms.full)
        return 0;
    sort(&ciphers);
    sort(&types);
    put(&t, quic ? 'q' : 't');
    put_version(&t, h->version);
    put(&t, h->has_sni ? 'd' : 'i');
    put_two_digits(&t, ciphers.n);
    put_two_digits(&t, n_extensions);
    put_alpn(&t, h->alpn);
    put(&t, '_');
    put_list(&r, &ciphers);
    put_digest(a, &t, span_of(raw, r.len));
    put(&t, '_');
    r.len = 0;
    put_list(&r, &types);
    if (r.len > 0 && algorithms.n > 0) {
        put(&r, '_');
        put_list(&r, &algorithms);
    }
    put_digest(a, &t, span_of(raw, r.len));
    return t.len;
}

#define JA4_KIND DIGEST_N /* of app_lately() */

uint32_t ja4_make(struct app *a, const struct tls_hello *h, bool quic, uint8_t out[JA4_BYTES])
{
    uint8_t room[DIGEST_LATELY_MAX], value[2 * DIGEST_BYTES_MAX];
    struct text made_of = {.p = room, .cap = sizeof(room)};
    uint32_t n;

    if (!h->client)
        return ja4s(a, h, quic, out);
    put_ingredients(&made_of, h, quic);
    if (made_of.full)
        return ja4(a, h, quic, out);
    n = app_lately(a, JA4_KIND, span_of(room, made_of.len), value);
    if (n > 0) {
        memcpy(out, value, n);
        return n;
    }
    n = ja4(a, h, quic, out);
    app_lately_keep(a, JA4_KIND, span_of(room, made_of.len), span_of(out, n));
    return n;
}
