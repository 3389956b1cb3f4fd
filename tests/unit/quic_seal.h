/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_TESTS_QUIC_SEAL_H
#define SLUICE_TESTS_QUIC_SEAL_H
/* QUIC's Initial packets as a client or server seals them, for the unit test and the fuzz target. */
#include <openssl/evp.h>

#include "ips/app/quic.h"
#include "tests/unit/app_lab.h"

struct out {
    uint8_t p[4096];
    uint32_t len;
};

static inline void put(struct out *o, const void *p, uint32_t n)
{
    memcpy(o->p + o->len, p, n);
    o->len += n;
}

static inline void put_u8(struct out *o, unsigned v)
{
    o->p[o->len++] = (uint8_t)v;
}

static inline void put_varint2(struct out *o, unsigned v)
{
    put_u8(o, 0x40 | v >> 8);
    put_u8(o, v);
}

static inline void put_crypto(struct out *o, uint32_t offset, const uint8_t *p, uint32_t n)
{
    put_u8(o, 6);
    put_varint2(o, offset);
    put_varint2(o, n);
    put(o, p, n);
}

/* An Initial packet with a number of 4 bytes behind what is in *o. */
static inline void seal(struct app_lab *l, struct out *o, uint32_t version, struct span dcid, uint32_t number,
                        struct span frames, const struct quic_keys *keys)
{
    uint8_t *head = o->p + o->len, iv[GCM_IV], mask[AES_BLOCK];
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0;

    put_u8(o, version == 0x6b3343cf ? 0xd3 : 0xc3);
    o->len += 4;
    store_be32(head + 1, version);
    put_u8(o, dcid.len);
    put(o, dcid.p, dcid.len);
    put_u8(o, 0);
    put_u8(o, 0);
    put_varint2(o, 4 + frames.len + GCM_TAG);
    uint8_t *at = o->p + o->len;
    store_be32(at, number);
    o->len += 4;
    memcpy(iv, keys->iv, GCM_IV);
    for (int i = 0; i < 4; i++)
        iv[8 + i] ^= at[i];
    EVP_EncryptInit_ex(ctx, EVP_aes_128_gcm(), NULL, keys->key, iv);
    EVP_EncryptUpdate(ctx, NULL, &n, head, (int)(at + 4 - head));
    EVP_EncryptUpdate(ctx, o->p + o->len, &n, frames.p, (int)frames.len);
    o->len += frames.len;
    EVP_EncryptFinal_ex(ctx, o->p + o->len, &n);
    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, GCM_TAG, o->p + o->len);
    o->len += GCM_TAG;
    EVP_CIPHER_CTX_free(ctx);
    app_aes_block(l->app, keys->header, at + 4, mask);
    head[0] ^= mask[0] & 0x0f;
    for (int i = 0; i < 4; i++)
        at[i] ^= mask[1 + i];
}

#endif
