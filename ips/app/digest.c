/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Digests for fingerprints and of files, with OpenSSL's low-level functions: their state is on the stack, or the flow's memory. The functions that replaced
 * them (EVP) allocate one for each digest, which a worker must not do, and take twice the time for a few bytes.
 *
 * Many clients are of one kind, and so are their fingerprints: what was hashed lately is compared as a whole and not
 * hashed again.
 *
 * Worker thread. Owns app.lately.
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "ips/app/digest.h"

#include <openssl/md5.h>
#include <openssl/sha.h>
#include <xxhash.h>

#include "ips/app/app_parts.h"

uint32_t app_digest(struct app *a, enum digest_kind kind, struct span s, uint8_t out[DIGEST_BYTES_MAX])
{
    union {
        MD5_CTX md5;
        SHA_CTX sha1;
        SHA256_CTX sha256;
    } c;

    switch (kind) {
    case DIGEST_MD5:
        MD5_Init(&c.md5);
        MD5_Update(&c.md5, s.p, s.len);
        MD5_Final(out, &c.md5);
        return MD5_DIGEST_LENGTH;
    case DIGEST_SHA1:
        SHA1_Init(&c.sha1);
        SHA1_Update(&c.sha1, s.p, s.len);
        SHA1_Final(out, &c.sha1);
        return SHA_DIGEST_LENGTH;
    case DIGEST_SHA256:
        SHA256_Init(&c.sha256);
        SHA256_Update(&c.sha256, s.p, s.len);
        SHA256_Final(out, &c.sha256);
        return SHA256_DIGEST_LENGTH;
    default:
        return 0;
    }
}

struct digests {
    uint8_t kinds;
    bool ended;
    uint8_t value[DIGEST_N][DIGEST_BYTES_MAX];
    MD5_CTX md5;
    SHA_CTX sha1;
    SHA256_CTX sha256;
};

struct digests *digests_new(struct app *a, uint8_t kinds)
{
    struct digests *d = app_take(a, sizeof(*d));

    if (!d)
        return NULL;
    d->kinds = kinds;
    MD5_Init(&d->md5);
    SHA1_Init(&d->sha1);
    SHA256_Init(&d->sha256);
    return d;
}

void digests_add(struct digests *d, struct span s)
{
    if (d->kinds >> DIGEST_MD5 & 1)
        MD5_Update(&d->md5, s.p, s.len);
    if (d->kinds >> DIGEST_SHA1 & 1)
        SHA1_Update(&d->sha1, s.p, s.len);
    if (d->kinds >> DIGEST_SHA256 & 1)
        SHA256_Update(&d->sha256, s.p, s.len);
}

void digests_end(struct digests *d)
{
    MD5_Final(d->value[DIGEST_MD5], &d->md5);
    SHA1_Final(d->value[DIGEST_SHA1], &d->sha1);
    SHA256_Final(d->value[DIGEST_SHA256], &d->sha256);
    d->ended = true;
}

struct span digests_value(const struct digests *d, enum digest_kind kind)
{
    static const uint8_t bytes[DIGEST_N] = {[DIGEST_MD5] = MD5_DIGEST_LENGTH,
                                            [DIGEST_SHA1] = SHA_DIGEST_LENGTH,
                                            [DIGEST_SHA256] = SHA256_DIGEST_LENGTH};

    if (!d || !d->ended || !(d->kinds >> kind & 1))
        return span_of(NULL, 0);
    return span_of(d->value[kind], bytes[kind]);
}

void digests_free(struct app *a, struct digests *d)
{
    app_give(a, d, sizeof(*d));
}

uint32_t app_digest_hex(struct app *a, enum digest_kind kind, struct span s,
                        uint8_t out[2 * DIGEST_BYTES_MAX])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t raw[DIGEST_BYTES_MAX];
    uint32_t n = app_digest(a, kind, s, raw);

    for (uint32_t i = 0; i < n; i++) {
        out[2 * i] = (uint8_t)digits[raw[i] >> 4];
        out[2 * i + 1] = (uint8_t)digits[raw[i] & 15];
    }
    return 2 * n;
}

static struct digest_lately *place_of(struct app *a, uint8_t kind, struct span text)
{
    return &a->lately[(XXH3_64bits(text.p, text.len) + kind) & (DIGESTS_LATELY - 1)];
}

uint32_t app_lately(struct app *a, uint8_t kind, struct span text, uint8_t out[2 * DIGEST_BYTES_MAX])
{
    if (text.len == 0 || text.len > DIGEST_LATELY_MAX)
        return 0;
    const struct digest_lately *r = place_of(a, kind, text);
    if (r->len != text.len || r->kind != kind || memcmp(r->text, text.p, text.len) != 0)
        return 0;
    memcpy(out, r->value, r->n);
    return r->n;
}

void app_lately_keep(struct app *a, uint8_t kind, struct span text, struct span value)
{
    if (text.len == 0 || text.len > DIGEST_LATELY_MAX || value.len > 2 * DIGEST_BYTES_MAX)
        return;
    struct digest_lately *r = place_of(a, kind, text);
    r->len = (uint16_t)text.len;
    r->kind = kind;
    r->n = (uint8_t)value.len;
    memcpy(r->value, value.p, value.len);
    memcpy(r->text, text.p, text.len);
}

uint32_t app_digest_hex_again(struct app *a, enum digest_kind kind, struct span s,
                              uint8_t out[2 * DIGEST_BYTES_MAX])
{
    uint32_t n = app_lately(a, (uint8_t)kind, s, out);

    if (n > 0)
        return n;
    n = app_digest_hex(a, kind, s, out);
    app_lately_keep(a, (uint8_t)kind, s, span_of(out, n));
    return n;
}
