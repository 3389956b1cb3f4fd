/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JSON writer behind the EVE log.
 *
 * Owns one heap buffer that grows by doubling and dies in json_writer_fini(). The logger thread writes,
 * nobody else. Whatever bytes come in, what goes out is valid JSON in valid UTF-8: text from rules and wires
 * is checked (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF) before it may stand as it
 * is.
 */
#include "ips/log/json.h"

#include <stdio.h>
#include <stdlib.h>

#define FIRST_BYTES 65536

static const char hex[] = "0123456789abcdef";

/* Room for n more bytes at the returned place, or NULL. */
static char *json_room(struct json_writer *w, size_t n)
{
    size_t cap = w->cap;
    char *p;

    if (w->failed)
        return NULL;
    if (n <= w->cap - w->len)
        return w->p + w->len;
    if (cap == 0)
        cap = FIRST_BYTES;
    while (cap - w->len < n && cap <= SIZE_MAX / 2)
        cap *= 2;
    p = cap - w->len >= n ? realloc(w->p, cap) : NULL;
    if (p == NULL) {
        w->failed = true;
        return NULL;
    }
    w->p = p;
    w->cap = cap;
    return p + w->len;
}

void json_writer_fini(struct json_writer *w)
{
    free(w->p);
    memset(w, 0, sizeof(*w));
}

void json_write_raw(struct json_writer *w, const char *s, size_t len)
{
    char *at = json_room(w, len);

    if (at == NULL)
        return;
    memcpy(at, s, len);
    w->len += len;
}

static void json_write_key(struct json_writer *w, const char *key)
{
    if (w->comma)
        json_write_raw(w, ",", 1);
    w->comma = true;
    if (key == NULL)
        return;
    json_write_raw(w, "\"", 1);
    json_write_raw(w, key, strlen(key));
    json_write_raw(w, "\":", 2);
}

void json_write_open(struct json_writer *w, const char *key, char bracket)
{
    json_write_key(w, key);
    json_write_raw(w, &bracket, 1);
    w->comma = false;
}

void json_write_close(struct json_writer *w, char bracket)
{
    json_write_raw(w, &bracket, 1);
    w->comma = true;
}

void json_write_uint(struct json_writer *w, const char *key, uint64_t v)
{
    char text[24];
    int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)v);

    json_write_key(w, key);
    json_write_raw(w, text, (size_t)n);
}

void json_write_bool(struct json_writer *w, const char *key, bool v)
{
    json_write_key(w, key);
    json_write_raw(w, v ? "true" : "false", v ? 4 : 5);
}

void json_write_str(struct json_writer *w, const char *key, const char *s)
{
    json_write_text(w, key, span_str(s));
}

/* Length of the UTF-8 sequence at p, or 0 when there is none. */
static uint32_t utf8_sequence(const uint8_t *p, uint32_t left)
{
    uint32_t n, code, least;

    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        n = 2, code = p[0] & 0x1f, least = 0x80;
    } else if ((p[0] & 0xf0) == 0xe0) {
        n = 3, code = p[0] & 0x0f, least = 0x800;
    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        n = 4, code = p[0] & 0x07, least = 0x10000;
    } else {
        return 0;
    }
    if (left < n)
        return 0;
    for (uint32_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (p[i] & 0x3f);
    }
    if (code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    return n;
}

static bool utf8_valid(struct span s)
{
    for (uint32_t i = 0, n; i < s.len; i += n) {
        n = utf8_sequence(s.p + i, s.len - i);
        if (n == 0)
            return false;
    }
    return true;
}

/* One character below U+0080, escaped where JSON asks for it; returns where the next one goes. */
static char *put_char(char *at, uint8_t c)
{
    static const char shorts[32] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};

    if (c == '"' || c == '\\') {
        *at++ = '\\';
        *at++ = (char)c;
    } else if (c < 0x20 && shorts[c] != 0) {
        *at++ = '\\';
        *at++ = shorts[c];
    } else if (c < 0x20) {
        *at++ = '\\';
        *at++ = 'u';
        *at++ = '0';
        *at++ = '0';
        *at++ = hex[c >> 4];
        *at++ = hex[c & 15];
    } else {
        *at++ = (char)c;
    }
    return at;
}

/* The widest escape is six bytes for one. */
#define ESCAPE_MAX 6

void json_write_text(struct json_writer *w, const char *key, struct span s)
{
    bool valid = utf8_valid(s);
    char *at;

    json_write_key(w, key);
    at = json_room(w, (size_t)s.len * ESCAPE_MAX + 2);
    if (at == NULL)
        return;
    *at++ = '"';
    for (uint32_t i = 0; i < s.len; i++) {
        uint8_t c = s.p[i];

        if (valid || (c >= 0x20 && c < 0x7f)) {
            at = put_char(at, c);
        } else {
            at = put_char(at, '\\'); /* a backslash as text, then xNN */
            *at++ = 'x';
            *at++ = hex[c >> 4];
            *at++ = hex[c & 15];
        }
    }
    *at++ = '"';
    w->len = (size_t)(at - w->p);
}

void json_write_printable(struct json_writer *w, const char *key, struct span s)
{
    char *at;

    json_write_key(w, key);
    at = json_room(w, (size_t)s.len * ESCAPE_MAX + 2);
    if (at == NULL)
        return;
    *at++ = '"';
    for (uint32_t i = 0; i < s.len; i++) {
        uint8_t c = s.p[i];
        bool keep = (c >= 0x20 && c < 0x7f) || c == '\r' || c == '\n';

        at = put_char(at, keep ? c : '.');
    }
    *at++ = '"';
    w->len = (size_t)(at - w->p);
}

void json_write_base64(struct json_writer *w, const char *key, struct span s)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *at;

    json_write_key(w, key);
    at = json_room(w, ((size_t)s.len + 2) / 3 * 4 + 2);
    if (at == NULL)
        return;
    *at++ = '"';
    for (uint32_t i = 0; i < s.len; i += 3) {
        uint32_t left = s.len - i;
        uint32_t v = (uint32_t)s.p[i] << 16;

        if (left > 1)
            v |= (uint32_t)s.p[i + 1] << 8;
        if (left > 2)
            v |= s.p[i + 2];
        *at++ = digits[v >> 18];
        *at++ = digits[v >> 12 & 63];
        *at++ = left > 1 ? digits[v >> 6 & 63] : '=';
        *at++ = left > 2 ? digits[v & 63] : '=';
    }
    *at++ = '"';
    w->len = (size_t)(at - w->p);
}

void json_write_hex(struct json_writer *w, const char *key, struct span s)
{
    char *at;

    json_write_key(w, key);
    at = json_room(w, 2 * (size_t)s.len + 2);
    if (at == NULL)
        return;
    *at++ = '"';
    for (uint32_t i = 0; i < s.len; i++) {
        *at++ = hex[s.p[i] >> 4];
        *at++ = hex[s.p[i] & 15];
    }
    *at = '"';
    w->len += 2 * (size_t)s.len + 2;
}
