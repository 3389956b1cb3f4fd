/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_APP_CIPHER_H
#define SLUICE_APP_CIPHER_H
/* AES-128 for packets whose keys are public (QUIC's Initial packets): cipher.c. Worker thread. */
#include <stdbool.h>
#include <stdint.h>
#include "ips/base/err.h"
#include "ips/base/span.h"

#define AES_BLOCK 16
#define AES_KEY   16
#define GCM_IV    12
#define GCM_TAG   16

struct app;
struct ciphers;

struct ciphers *ciphers_new(struct err *e);
void ciphers_free(struct ciphers *c);

/* One block, encrypted. */
bool app_aes_block(struct app *a, const uint8_t key[AES_KEY], const uint8_t in[AES_BLOCK],
                   uint8_t out[AES_BLOCK]);
/* `sealed` is the text with its tag behind it; sealed.len - GCM_TAG bytes go to out. False: the tag does not fit. */
bool app_gcm_open(struct app *a, const uint8_t key[AES_KEY], const uint8_t iv[GCM_IV], struct span aad,
                  struct span sealed, uint8_t *out);
#endif
