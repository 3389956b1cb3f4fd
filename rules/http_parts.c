/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Parts of HTTP's buffers that Snort 3's rules name: one field of a header block, a part of a request's target, the value of one
 * parameter. They are transforms that write a part of their input over it; a part that is not there is no buffer.
 *
 * A field that came several times is joined in the block already; of a parameter that came several times the values are joined by
 * ", ", so that none of them hides another. Worker thread.
 */
#include "rules/transforms.h"

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static bool same(const uint8_t *p, const struct transform *t, bool nocase)
{
    const uint8_t *name = t->data;

    for (uint32_t i = 0; i < t->len; i++)
        if (p[i] != name[i] && !(nocase && lower(p[i]) == lower(name[i])))
            return false;
    return true;
}

int64_t http_part_field(const struct transform *t, uint8_t *p, uint32_t n)
{
    for (uint32_t at = 0; at < n;) {
        const uint8_t *lf = memchr(p + at, '\n', n - at);
        uint32_t end = lf ? (uint32_t)(lf - p) : n, next = end + 1, from = at + t->len + 1;

        if (from <= end && p[at + t->len] == ':' && same(p + at, t, true)) {
            while (end > from && (p[end - 1] == '\r' || p[end - 1] == ' '))
                end--;
            while (from < end && (p[from] == ' ' || p[from] == '\t'))
                from++;
            memmove(p, p + from, end - from);
            return end - from;
        }
        at = next;
    }
    return -1;
}

/* scheme://host:port/path?query#fragment; each is there or not. */
int64_t http_part_uri(const struct transform *t, uint8_t *p, uint32_t n)
{
    struct span part[URI_PARTS] = {{0}}, s = span_of(p, n);
    uint32_t i = 0;
    const uint8_t *at = n > 0 && p[0] != '/' ? memmem(p, n, "://", 3) : NULL;

    if (at) {
        part[URI_SCHEME] = span_of(p, (size_t)(at - p));
        s = span_sub(s, part[URI_SCHEME].len + 3, n);
        while (i < s.len && s.p[i] != '/' && s.p[i] != '?' && s.p[i] != '#')
            i++;
        part[URI_HOST] = span_sub(s, 0, i);
        s = span_sub(s, i, s.len);
        at = part[URI_HOST].len > 0 ? memrchr(part[URI_HOST].p, ':', part[URI_HOST].len) : NULL;
        if (at) {
            uint32_t host = (uint32_t)(at - part[URI_HOST].p);

            part[URI_PORT] = span_sub(part[URI_HOST], host + 1, n);
            part[URI_HOST].len = host;
        }
    }
    at = s.len > 0 ? memchr(s.p, '#', s.len) : NULL;
    if (at) {
        part[URI_FRAGMENT] = span_sub(s, (uint32_t)(at - s.p) + 1, s.len);
        s.len = (uint32_t)(at - s.p);
    }
    at = s.len > 0 ? memchr(s.p, '?', s.len) : NULL;
    if (at) {
        part[URI_QUERY] = span_sub(s, (uint32_t)(at - s.p) + 1, s.len);
        s.len = (uint32_t)(at - s.p);
    }
    part[URI_PATH] = s;
    if (part[t->key_at].len == 0)
        return -1;
    memmove(p, part[t->key_at].p, part[t->key_at].len);
    return part[t->key_at].len;
}

/* name=value&name=value; out never overtakes what is read, for a value is behind its name and '='. */
int64_t http_part_param(const struct transform *t, uint8_t *p, uint32_t n)
{
    uint32_t out = 0;
    bool any = false;

    for (uint32_t at = 0; at < n;) {
        const uint8_t *amp = memchr(p + at, '&', n - at);
        uint32_t end = amp ? (uint32_t)(amp - p) : n, from = at + t->len + 1;

        if (from <= end && p[at + t->len] == '=' && same(p + at, t, t->from)) {
            if (any && from >= out + 2) {
                p[out++] = ',';
                p[out++] = ' ';
            }
            memmove(p + out, p + from, end - from);
            out += end - from;
            any = true;
        }
        at = end + 1;
    }
    return any ? (int64_t)out : -1;
}
