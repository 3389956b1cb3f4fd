/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Digests for fingerprints. OpenSSL allocates when a context is made and when it is told which digest it is for; both
 * happen once, at start. A context that is started again allocates nothing, so a worker may use it.
 *
 * Made by app_new(); worker thread after that. Owns a context for each kind.
 */
#include "ips/app/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "ips/app/app_parts.h"

struct digests {
    EVP_MD_CTX *ctx[DIGEST_N];
};

struct digests *digests_new(struct err *e)
{
    const EVP_MD *const kinds[DIGEST_N] = {EVP_md5(), EVP_sha1(), EVP_sha256()};
    struct digests *d = calloc(1, sizeof(*d));

    for (unsigned i = 0; d && i < DIGEST_N; i++) {
        d->ctx[i] = EVP_MD_CTX_new();
        if (d->ctx[i] && EVP_DigestInit_ex(d->ctx[i], kinds[i], NULL) == 1)
            continue;
        digests_free(d);
        d = NULL;
    }
    if (!d) {
        err_set(e, -ENOMEM, "OpenSSL gives no context for MD5, SHA-1 and SHA-256");
        err_remedy(e,
                   "allow the default provider in openssl.cnf: fingerprints of clients are made with these");
    }
    return d;
}

void digests_free(struct digests *d)
{
    if (!d)
        return;
    for (unsigned i = 0; i < DIGEST_N; i++)
        EVP_MD_CTX_free(d->ctx[i]);
    free(d);
}

uint32_t app_digest(struct app *a, enum digest_kind kind, struct span s, uint8_t out[DIGEST_BYTES_MAX])
{
    EVP_MD_CTX *ctx = a->digests->ctx[kind];
    unsigned n = 0;

    if (EVP_DigestInit_ex(ctx, NULL, NULL) != 1 || EVP_DigestUpdate(ctx, s.p, s.len) != 1 ||
        EVP_DigestFinal_ex(ctx, out, &n) != 1)
        return 0;
    return n;
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
