/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_APP_DIGEST_H
#define SLUICE_APP_DIGEST_H
/* Digests of a few bytes, for fingerprints (HASSH, JA3, JA4, a certificate's): digest.c. Worker thread. */
#include <stdbool.h>
#include <stdint.h>
#include "ips/base/span.h"

enum digest_kind { DIGEST_MD5, DIGEST_SHA1, DIGEST_SHA256, DIGEST_N };
#define DIGEST_BYTES_MAX 32

struct app;

/* Of something that comes in pieces: all kinds that are asked for, a bit each. Memory of the flow in hand; NULL: none. */
struct digests;
struct digests *digests_new(struct app *a, uint8_t kinds);
void digests_add(struct digests *d, struct span s);
void digests_end(struct digests *d);
/* After the end; empty when it was not asked for. */
struct span digests_value(const struct digests *d, enum digest_kind kind);
void digests_free(struct app *a, struct digests *d);

/* What was made lately, by what it was made of: app_lately(). A place is taken by whoever comes. */
#define DIGESTS_LATELY    256 /* a power of two */
#define DIGEST_LATELY_MAX 480 /* bytes of text */

struct digest_lately {
    uint16_t len;    /* of text; 0: none */
    uint8_t kind, n; /* enum digest_kind, or a maker's own; bytes of value */
    uint8_t value[2 * DIGEST_BYTES_MAX], text[DIGEST_LATELY_MAX];
};
/* The digest of s, 16, 20 or 32 bytes; the number of them. */
uint32_t app_digest(struct app *a, enum digest_kind kind, struct span s, uint8_t out[DIGEST_BYTES_MAX]);
/* The same as lower-case hexadecimal digits, without an end. */
uint32_t app_digest_hex(struct app *a, enum digest_kind kind, struct span s,
                        uint8_t out[2 * DIGEST_BYTES_MAX]);
/* What was kept for the text by the same kind; its length, 0: nothing, or something else was kept there since. */
uint32_t app_lately(struct app *a, uint8_t kind, struct span text, uint8_t out[2 * DIGEST_BYTES_MAX]);
void app_lately_keep(struct app *a, uint8_t kind, struct span text, struct span value);
/* The same as app_digest_hex(), out of those it made lately when it was asked before: fingerprints are few, and those who have them many. */
uint32_t app_digest_hex_again(struct app *a, enum digest_kind kind, struct span s,
                              uint8_t out[2 * DIGEST_BYTES_MAX]);
#endif
