/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Request targets, as servers read them (http.h).
 *
 * http.uri is the path, with '?' and query, and '#' and fragment. In the path percent signs are decoded once (%2e, and %u002e as
 * IIS does), a backslash is a slash, several slashes are one, and dot segments are gone, whatever they were written as; in
 * the query only percent signs are decoded, and '+' stays. Overlong UTF-8 in the path is the character it stands for. An absolute target loses scheme and host. Whoever would decode
 * twice, or take bytes of invalid UTF-8 for characters, gets something else: those are events.
 *
 * One pass, linear: a dot segment takes back what was written, once. Targets with nothing to do stay where they are.
 *
 * Worker thread. Owns nothing.
 */
#include "ips/app/http.h"

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_hex(struct span s, uint32_t at, uint32_t n)
{
    bool ok = at + n <= s.len;

    for (uint32_t i = 0; ok && i < n; i++)
        ok = hex_digit(s.p[at + i]) >= 0;
    return ok;
}

static uint32_t hex_value(struct span s, uint32_t at, uint32_t n)
{
    uint32_t v = 0;

    for (uint32_t i = 0; i < n; i++)
        v = v << 4 | (uint32_t)hex_digit(s.p[at + i]);
    return v;
}

enum { ODD_U = 1, ODD_ENCODED = 2, ODD_OVERLONG = 4 };

/* The character at *at, which moves on. */
static uint8_t next_char(struct span s, uint32_t *at, unsigned *odd)
{
    uint8_t c = s.p[*at];

    *odd = 0;
    if (c == '%' && is_hex(s, *at + 1, 2)) {
        c = (uint8_t)hex_value(s, *at + 1, 2);
        *at += 3;
        *odd = ODD_ENCODED;
    } else if (c == '%' && *at + 1 < s.len && (s.p[*at + 1] | 0x20) == 'u' && is_hex(s, *at + 2, 4)) {
        c = http_best_fit(hex_value(s, *at + 2, 4));
        *at += 6;
        *odd = ODD_ENCODED | ODD_U;
    } else {
        (*at)++;
    }
    return c;
}

/*
 * An ASCII character in two or three bytes, as UTF-8 forbids and old servers read it: c was the first byte, *at is behind it. Any
 * other byte is what it is.
 */
static uint8_t overlong(struct span s, uint8_t c, uint32_t *at, unsigned *odd)
{
    uint32_t more = c == 0xc0 || c == 0xc1 ? 1 : c == 0xe0 ? 2 : 0, next = *at, v = c & 0x1f;
    unsigned ignored;

    if (more == 0)
        return c;
    for (uint32_t i = 0; i < more; i++) {
        uint8_t b = next < s.len ? next_char(s, &next, &ignored) : 0;

        if ((b & 0xc0) != 0x80)
            return c;
        v = v << 6 | (b & 0x3f);
    }
    if (v >= 0x80)
        return c;
    *at = next;
    *odd |= ODD_OVERLONG;
    return (uint8_t)v;
}

/* --- the path -------------------------------------------------------------------------------------------------------- */

/* A segment has ended at *len: what "." and ".." in its place mean. first: nothing in front of it can go. */
static void end_segment(uint8_t *out, uint32_t *len, uint32_t first)
{
    uint32_t at = *len;

    while (at > first && out[at - 1] != '/' && *len - at < 3)
        at--;
    uint32_t n = *len - at;
    if ((at > first && out[at - 1] != '/') || n == 0 || n > 2 || out[at] != '.' || out[*len - 1] != '.')
        return;
    if (n == 2 && at > first) { /* back over the slash and the segment in front of it */
        at--;
        while (at > first && out[at - 1] != '/')
            at--;
        if (at == first && first < *len && out[first] == '/')
            at = first + 1;
    }
    *len = at;
}

static uint32_t decode_path(struct span s, uint8_t *out, unsigned *seen)
{
    uint32_t at = 0, len = 0;
    unsigned odd;

    while (at < s.len) {
        uint8_t c = next_char(s, &at, &odd);

        if (c >= 0xc0)
            c = overlong(s, c, &at, &odd);
        *seen |= odd;
        if (c == '\\')
            c = '/';
        if (c != '/') {
            out[len++] = c;
            continue;
        }
        end_segment(out, &len, 0);
        if (len == 0 || out[len - 1] != '/')
            out[len++] = '/';
    }
    end_segment(out, &len, 0);
    return len;
}

static uint32_t decode_rest(struct span s, uint8_t *out, unsigned *seen)
{
    uint32_t at = 0, len = 0;
    unsigned odd;

    while (at < s.len) {
        out[len++] = next_char(s, &at, &odd);
        *seen |= odd;
    }
    return len;
}

/* Whether the path needs nothing: no escapes, no doubled slash, no dot behind a slash. */
static bool is_plain(struct span path)
{
    uint8_t last = 0;

    for (uint32_t i = 0; i < path.len; i++) {
        uint8_t c = path.p[i];

        if (c == '%' || c == '\\' || (last == '/' && (c == '/' || c == '.')))
            return false;
        last = c;
    }
    return path.len == 0 || path.p[0] != '.';
}

/* --- what is odd about it ----------------------------------------------------------------------------------------------- */

static bool is_encoded_twice(struct span s)
{
    const uint8_t *at = s.p, *end = s.p + s.len;

    while (at < end && (at = memchr(at, '%', (size_t)(end - at)))) {
        if (is_hex(s, (uint32_t)(at - s.p) + 1, 2))
            return true;
        at++;
    }
    return false;
}

/* Bytes of a character from s.p[at] on; 0: they are none, or more than it needs (overlong). */
static uint32_t utf8_length(struct span s, uint32_t at)
{
    uint8_t c = s.p[at];
    uint32_t n = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;

    if (n == 0 || at + n > s.len)
        return 0;
    for (uint32_t i = 1; i < n; i++)
        if ((s.p[at + i] & 0xc0) != 0x80)
            return 0;
    if ((c == 0xe0 && s.p[at + 1] < 0xa0) || (c == 0xf0 && s.p[at + 1] < 0x90))
        return 0;
    return n;
}

static bool is_utf8(struct span s)
{
    uint32_t at = 0, n;

    while (at < s.len) {
        n = utf8_length(s, at);
        if (n == 0)
            return false;
        at += n;
    }
    return true;
}

/* --- the target ----------------------------------------------------------------------------------------------------------- */

bool http_host_split(struct span s, struct span *host, struct span *port)
{
    const uint8_t *colon;
    bool ok = s.len > 0;

    *host = s;
    *port = span_of(NULL, 0);
    if (s.len > 0 && s.p[0] == '[') {
        const uint8_t *end = memchr(s.p, ']', s.len);

        if (!end)
            return false;
        *host = span_of(s.p, (size_t)(end + 1 - s.p));
        colon = end + 1 < s.p + s.len ? end + 1 : NULL;
        ok = !colon || *colon == ':';
    } else {
        colon = memchr(s.p ? s.p : (const uint8_t *)"", ':', s.len);
        if (colon)
            *host = span_of(s.p, (size_t)(colon - s.p));
        ok = host->len > 0;
    }
    if (colon && ok)
        *port = span_of(colon + 1, (size_t)(s.p + s.len - colon - 1));
    for (uint32_t i = 0; i < port->len; i++)
        ok &= port->p[i] >= '0' && port->p[i] <= '9';
    ok &= port->len <= 5 && (!colon || port->len > 0);
    for (uint32_t i = 0; i < host->len; i++) /* NOLINTNEXTLINE: a span of NULL has no bytes */
        ok &= host->p[i] > ' ' && host->p[i] != 0x7f && host->p[i] != '/' && host->p[i] != '\\' &&
              host->p[i] != ',';
    return ok;
}

bool http_host_lower(struct app *a, struct span host, struct bytes *room, struct span *lower)
{
    bool needed = false;

    for (uint32_t i = 0; i < host.len; i++)
        needed |= host.p[i] >= 'A' && host.p[i] <= 'Z';
    *lower = host;
    if (!needed)
        return true;
    if (!bytes_reserve(a, room, host.len))
        return false;
    for (uint32_t i = 0; i < host.len; i++)
        room->p[i] = host.p[i] >= 'A' && host.p[i] <= 'Z' ? host.p[i] | 0x20 : host.p[i];
    room->len = host.len;
    *lower = bytes_span(room);
    return true;
}

/* scheme "://" in front: bytes of both; 0: the target is not absolute. */
static uint32_t scheme_length(struct span s)
{
    uint32_t n = 0;

    while (n < s.len && n < 32 &&
           (((s.p[n] | 0x20) >= 'a' && (s.p[n] | 0x20) <= 'z') ||
            (n > 0 && s.p[n] >= '+' && s.p[n] <= '9' && s.p[n] != '/')))
        n++;
    return n > 0 && n + 3 <= s.len && memcmp(s.p + n, "://", 3) == 0 ? n + 3 : 0;
}

static struct span take_authority(struct app *a, struct span s, struct http_uri *u)
{
    uint32_t at = scheme_length(s), end = at;
    const uint8_t *user;

    if (at == 0)
        return s;
    while (end < s.len && s.p[end] != '/' && s.p[end] != '?' && s.p[end] != '#' && s.p[end] != '\\')
        end++;
    struct span authority = span_sub(s, at, end - at);
    user = authority.len > 0 ? memrchr(authority.p, '@', authority.len) : NULL;
    if (user)
        authority = span_sub(authority, (uint32_t)(user + 1 - authority.p), authority.len);
    u->absolute = true;
    if (!http_host_split(authority, &u->host, &u->port))
        app_event(a, AN_HTTP_REQUEST_URI_HOST_INVALID);
    return span_sub(s, end, s.len);
}

bool http_uri_normalise(struct app *a, struct span target, struct bytes *room, struct http_uri *u)
{
    *u = (struct http_uri){0};
    struct span s = take_authority(a, target, u), path = s, rest;
    uint32_t n = 0, len;
    unsigned seen = 0;

    /* NOLINTNEXTLINE: a span of NULL has no bytes */
    while (n < s.len && s.p[n] != '?' && s.p[n] != '#')
        n++;
    path.len = n;
    rest = span_sub(s, n, s.len);
    u->norm = s;
    if (!is_plain(path) || (rest.len > 0 && memchr(rest.p, '%', rest.len))) {
        if (!bytes_reserve(a, room, s.len))
            return false;
        len = decode_path(path, room->p, &seen);
        len += decode_rest(rest, room->p + len, &seen);
        room->len = len;
        u->norm = bytes_span(room);
    }
    if (seen & ODD_U)
        app_event(a, AN_HTTP_URI_U_ENCODED);
    if ((seen & ODD_ENCODED) && is_encoded_twice(u->norm))
        app_event(a, AN_HTTP_DOUBLE_ENCODED_URI);
    if ((seen & ODD_OVERLONG) || ((seen & ODD_ENCODED) && !is_utf8(u->norm)))
        app_event(a, AN_HTTP_URI_NOT_UTF8);
    return true;
}
