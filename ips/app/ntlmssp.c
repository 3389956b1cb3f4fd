/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NTLMSSP in a token. SPNEGO around it is DER, but the message has a signature of eight bytes, and every receiver finds
 * it the same way: so does this. Each part of the message is a length, a capacity and a place from its beginning.
 */
#include "ips/app/ntlmssp.h"

static const char signature[8] = "NTLMSSP";

#define AUTHENTICATE 3
#define HEAD_LEN     64 /* up to the flags */
#define UNICODE      1

static uint16_t le16(const uint8_t *p)
{
    return (uint16_t)(p[1] << 8 | p[0]);
}

static bool part(struct span m, uint32_t at, struct span *out)
{
    uint32_t len = le16(m.p + at), from = le16(m.p + at + 4) | (uint32_t)le16(m.p + at + 6) << 16;

    *out = span_sub(m, from, len);
    return from <= m.len && len <= m.len - from;
}

enum ntlmssp_answer ntlmssp_parse(struct span token, struct ntlmssp *out)
{
    const uint8_t *at = token.len > 0 ? memmem(token.p, token.len, signature, sizeof(signature)) : NULL;
    struct span m;

    if (!at)
        return NTLMSSP_NONE;
    m = span_sub(token, (uint32_t)(at - token.p), token.len);
    if (m.len < 12)
        return NTLMSSP_BAD;
    if (le16(m.p + 8) != AUTHENTICATE)
        return NTLMSSP_OTHER;
    if (m.len < HEAD_LEN || !part(m, 28, &out->domain) || !part(m, 36, &out->user) ||
        !part(m, 44, &out->host))
        return NTLMSSP_BAD;
    out->unicode = (m.p[60] & UNICODE) != 0;
    return NTLMSSP_LOGIN;
}
