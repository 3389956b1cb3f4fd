/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * AES-128 in counter mode with a tag, and of one block. OpenSSL allocates when a context is made and when it is told which
 * cipher it is for; both happen once, at start. A context that gets another key allocates nothing, so a worker may do it
 * (tests/unit/test_app_quic.c counts).
 *
 * Made by app_new(); worker thread after that. Owns its contexts.
 */
#include "ips/app/cipher.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "ips/app/app_parts.h"

struct ciphers {
    EVP_CIPHER_CTX *ecb, *gcm;
};

struct ciphers *ciphers_new(struct err *e)
{
    struct ciphers *c = calloc(1, sizeof(*c));

    if (c) {
        c->ecb = EVP_CIPHER_CTX_new();
        c->gcm = EVP_CIPHER_CTX_new();
        if (c->ecb && c->gcm && EVP_EncryptInit_ex(c->ecb, EVP_aes_128_ecb(), NULL, NULL, NULL) == 1 &&
            EVP_DecryptInit_ex(c->gcm, EVP_aes_128_gcm(), NULL, NULL, NULL) == 1)
            return c;
    }
    ciphers_free(c);
    err_set(e, -ENOMEM, "OpenSSL gives no context for AES-128");
    err_remedy(e, "allow the default provider in openssl.cnf: QUIC's first packets are opened with it");
    return NULL;
}

void ciphers_free(struct ciphers *c)
{
    if (!c)
        return;
    EVP_CIPHER_CTX_free(c->ecb);
    EVP_CIPHER_CTX_free(c->gcm);
    free(c);
}

bool app_aes_block(struct app *a, const uint8_t key[AES_KEY], const uint8_t in[AES_BLOCK],
                   uint8_t out[AES_BLOCK])
{
    int n = 0;

    return EVP_EncryptInit_ex(a->ciphers->ecb, NULL, NULL, key, NULL) == 1 &&
           EVP_EncryptUpdate(a->ciphers->ecb, out, &n, in, AES_BLOCK) == 1 && n == AES_BLOCK;
}

bool app_gcm_open(struct app *a, const uint8_t key[AES_KEY], const uint8_t iv[GCM_IV], struct span aad,
                  struct span sealed, uint8_t *out)
{
    EVP_CIPHER_CTX *ctx = a->ciphers->gcm;
    int n = 0;

    if (sealed.len < GCM_TAG)
        return false;
    uint32_t len = sealed.len - GCM_TAG;
    uint8_t tag[GCM_TAG];
    memcpy(tag, sealed.p + len, GCM_TAG);
    return EVP_DecryptInit_ex(ctx, NULL, NULL, key, iv) == 1 &&
           EVP_DecryptUpdate(ctx, NULL, &n, aad.p, (int)aad.len) == 1 &&
           EVP_DecryptUpdate(ctx, out, &n, sealed.p, (int)len) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, GCM_TAG, tag) == 1 &&
           EVP_DecryptFinal_ex(ctx, out + n, &n) == 1;
}
