/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Digests for fingerprints, with OpenSSL's low-level functions: their state is on the stack. The functions that replaced
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

uint32_t app_digest_hex_again(struct app *a, enum digest_kind kind, struct span s,
                              uint8_t out[2 * DIGEST_BYTES_MAX])
{
    struct digest_lately *r = &a->lately[(XXH3_64bits(s.p, s.len) + kind) & (DIGESTS_LATELY - 1)];

    if (s.len == 0 || s.len > DIGEST_LATELY_MAX)
        return app_digest_hex(a, kind, s, out);
    if (r->len != s.len || r->kind != kind || memcmp(r->text, s.p, s.len) != 0) {
        r->len = (uint16_t)s.len;
        r->kind = (uint8_t)kind;
        r->hex_len = (uint8_t)app_digest_hex(a, kind, s, r->hex);
        memcpy(r->text, s.p, s.len);
    }
    memcpy(out, r->hex, r->hex_len);
    return r->hex_len;
}
