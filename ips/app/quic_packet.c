/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * QUIC: long headers, the keys of Initial packets, and taking their protection off.
 *
 * The keys are made of a salt that belongs to the version and of the connection id that the client chose (RFC 9001, 5.2):
 * HKDF with SHA-256, then AES-128. They are no secret, and they must be used all the same: a packet whose tag does not fit
 * is dropped by its receiver, and must not tell us anything either.
 *
 * Worker thread. Owns nothing.
 */
#include "ips/app/digest.h"
#include "ips/app/quic.h"

/* --- versions -------------------------------------------------------------------------------------------------------- */

#define V2 0x6b3343cfu

static const struct version {
    uint32_t from, to;
    bool v2; /* RFC 9369: other labels and other numbers for the types */
    uint8_t salt[21];
} versions[] = {
    {1, 1, false, "\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a"},
    {V2, V2, true, "\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9"},
    {0xff000021, 0xff000022, false,
     "\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a"},
    {0xff00001d, 0xff000020, false,
     "\xaf\xbf\xec\x28\x99\x93\xd2\x4c\x9e\x97\x86\xf1\x9c\x61\x11\xe0\x43\x90\xa8\x99"},
    {0xff000017, 0xff00001c, false,
     "\xc3\xee\xf7\x12\xc7\x2e\xbb\x5a\x11\xa7\xd2\x43\x2b\xb4\x63\x65\xbe\xf9\xf5\x02"},
};
#define SALT 20

static const struct version *version_of(uint32_t v)
{
    for (unsigned i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
        if (v >= versions[i].from && v <= versions[i].to)
            return &versions[i];
    return NULL;
}

bool quic_version_known(uint32_t version)
{
    return version_of(version) != NULL;
}

/* --- headers --------------------------------------------------------------------------------------------------------- */

bool quic_varint(struct span *in, uint64_t *v)
{
    uint32_t n = in->len > 0 ? 1u << (in->p[0] >> 6) : 1;

    if (in->len < n)
        return false;
    *v = in->p[0] & 0x3f;
    for (uint32_t i = 1; i < n; i++)
        *v = *v << 8 | in->p[i];
    *in = span_sub(*in, n, in->len);
    return true;
}

static bool take(struct span *in, uint64_t n, struct span *out)
{
    if (n > in->len)
        return false;
    *out = span_sub(*in, 0, (uint32_t)n);
    *in = span_sub(*in, (uint32_t)n, in->len);
    return true;
}

static uint8_t type_of(uint32_t version, uint8_t first)
{
    const struct version *v = version_of(version);
    uint8_t bits = first >> 4 & 3;

    if (version == 0)
        return QUIC_NEGOTIATION;
    if (!v)
        return QUIC_UNKNOWN;
    return v->v2 ? (bits + 3) & 3 : bits; /* the enum is in version 1's order */
}

bool quic_packet_next(struct span *datagram, struct quic_packet *p)
{
    struct span rest = *datagram, token;
    uint64_t n;

    *p = (struct quic_packet){.type = QUIC_UNKNOWN};
    if (rest.len < 7 || !(rest.p[0] & 0x80))
        return false;
    p->version = load_be32(rest.p + 1);
    p->type = type_of(p->version, rest.p[0]);
    rest = span_sub(rest, 5, rest.len);
    for (int i = 0; i < 2; i++) {
        if (rest.len < 1)
            return false;
        n = rest.p[0];
        rest = span_sub(rest, 1, rest.len);
        if (!take(&rest, n, i == 0 ? &p->dcid : &p->scid))
            return false;
    }
    if (p->type >= QUIC_RETRY) { /* without a length: up to the end */
        p->whole = *datagram;
        *datagram = span_sub(*datagram, datagram->len, 0);
        return true;
    }
    if (p->dcid.len > QUIC_ID_MAX || p->scid.len > QUIC_ID_MAX)
        return false;
    if (p->type == QUIC_INITIAL && (!quic_varint(&rest, &n) || !take(&rest, n, &token)))
        return false;
    if (!quic_varint(&rest, &n) || n > rest.len)
        return false;
    p->number_at = (uint32_t)(rest.p - datagram->p);
    p->whole = span_sub(*datagram, 0, p->number_at + (uint32_t)n);
    *datagram = span_sub(*datagram, p->whole.len, datagram->len);
    return true;
}

/* --- keys ------------------------------------------------------------------------------------------------------------- */

#define HASH       32
#define HASH_BLOCK 64
#define TEXT_MAX   64 /* of what is authenticated here */

/* HMAC-SHA256 (RFC 2104); key.len <= HASH_BLOCK, text.len <= TEXT_MAX. */
static bool hmac(struct app *a, struct span key, struct span text, uint8_t out[HASH])
{
    uint8_t inner[HASH_BLOCK + TEXT_MAX], outer[HASH_BLOCK + HASH];

    memset(inner, 0x36, HASH_BLOCK);
    memset(outer, 0x5c, HASH_BLOCK);
    for (uint32_t i = 0; i < key.len; i++) {
        inner[i] ^= key.p[i];
        outer[i] ^= key.p[i];
    }
    memcpy(inner + HASH_BLOCK, text.p, text.len);
    return app_digest(a, DIGEST_SHA256, span_of(inner, HASH_BLOCK + text.len), outer + HASH_BLOCK) == HASH &&
           app_digest(a, DIGEST_SHA256, span_of(outer, sizeof(outer)), out) == HASH;
}

/* HKDF-Expand-Label (RFC 8446, 7.1) for n <= HASH bytes and no context. */
static bool expand(struct app *a, const uint8_t secret[HASH], const char *label, uint8_t *out, uint32_t n)
{
    uint8_t text[TEXT_MAX], block[HASH];
    uint32_t len = (uint32_t)strlen(label);

    store_be16(text, (uint16_t)n);
    text[2] = (uint8_t)(6 + len);
    memcpy(text + 3, "tls13 ", 6);
    memcpy(text + 9, label, len);
    text[9 + len] = 0; /* of the context */
    text[10 + len] = 1;
    if (!hmac(a, span_of(secret, HASH), span_of(text, 11 + len), block))
        return false;
    memcpy(out, block, n);
    return true;
}

bool quic_keys_make(struct app *a, uint32_t version, struct span dcid, struct quic_keys keys[2])
{
    static const char *const sides[2] = {[APP_TO_SERVER] = "client in", [APP_TO_CLIENT] = "server in"};
    const struct version *v = version_of(version);
    uint8_t initial[HASH], secret[HASH];

    if (!v || dcid.len > QUIC_ID_MAX || !hmac(a, span_of(v->salt, SALT), dcid, initial))
        return false;
    for (int side = 0; side < 2; side++)
        if (!expand(a, initial, sides[side], secret, HASH) ||
            !expand(a, secret, v->v2 ? "quicv2 key" : "quic key", keys[side].key, AES_KEY) ||
            !expand(a, secret, v->v2 ? "quicv2 iv" : "quic iv", keys[side].iv, GCM_IV) ||
            !expand(a, secret, v->v2 ? "quicv2 hp" : "quic hp", keys[side].header, AES_KEY))
            return false;
    return true;
}

/* The packet number whose lowest bytes these are (RFC 9000, A.3). */
static uint64_t number_of(uint64_t largest, uint32_t low, unsigned bytes)
{
    uint64_t expected = largest + 1, window = 1ull << 8 * bytes;
    uint64_t n = (expected & ~(window - 1)) | low;

    if (n + window / 2 <= expected && n < (1ull << 62) - window)
        return n + window;
    return n > expected + window / 2 && n >= window ? n - window : n;
}

bool quic_open(struct app *a, const struct quic_packet *p, const struct quic_keys *keys, uint64_t *largest,
               uint8_t *room, struct span *frames)
{
    uint8_t mask[AES_BLOCK], iv[GCM_IV];
    uint32_t at = p->number_at, low = 0;

    if (p->whole.len < at + 4 + AES_BLOCK || !app_aes_block(a, keys->header, p->whole.p + at + 4, mask))
        return false;
    uint8_t first = p->whole.p[0] ^ (mask[0] & 0x0f);
    unsigned bytes = (first & 3) + 1u;
    uint32_t begins = at + bytes;
    memcpy(room, p->whole.p, begins); /* the header is authenticated without its protection */
    room[0] = first;
    for (unsigned i = 0; i < bytes; i++) {
        room[at + i] ^= mask[1 + i];
        low = low << 8 | room[at + i];
    }
    uint64_t number = number_of(*largest, low, bytes);
    memcpy(iv, keys->iv, GCM_IV);
    for (int i = 0; i < 8; i++)
        iv[GCM_IV - 1 - i] ^= (uint8_t)(number >> 8 * i);
    if (!app_gcm_open(a, keys->key, iv, span_of(room, begins), span_sub(p->whole, begins, p->whole.len),
                      room + begins))
        return false;
    *frames = span_of(room + begins, p->whole.len - begins - GCM_TAG);
    if (number > *largest)
        *largest = number;
    return true;
}
