/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_APP_LINES_H
#define SLUICE_APP_LINES_H
/*
 * Lines and words of text protocols (SIP, SDP, IRC), as spans into what the caller has. A line ends with LF; what is
 * before it may end with CR. Any thread.
 */
#include <stdbool.h>
#include <stdint.h>
#include <strings.h>
#include "ips/base/span.h"

static inline bool lines_is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static inline bool lines_is_white(uint8_t c)
{
    return lines_is_blank(c) || c == '\r' || c == '\n';
}

/* The next line of *rest with its end, or what is left of it; false: nothing is left. */
static inline bool lines_next(struct span *rest, struct span *line)
{
    const uint8_t *end = rest->len ? memchr(rest->p, '\n', rest->len) : NULL;

    if (rest->len == 0)
        return false;
    *line = span_sub(*rest, 0, end ? (uint32_t)(end - rest->p) + 1 : rest->len);
    *rest = span_sub(*rest, line->len, rest->len);
    return true;
}

/* Without white space, line ends among it, at both ends. */
static inline struct span lines_trim(struct span s)
{
    while (s.len > 0 && lines_is_white(s.p[0]))
        s = span_sub(s, 1, s.len);
    while (s.len > 0 && lines_is_white(s.p[s.len - 1]))
        s.len--;
    return s;
}

/* The next word of *rest, which moves on behind the blanks that follow it. */
static inline struct span lines_word(struct span *rest)
{
    struct span word;
    uint32_t n = 0;

    while (n < rest->len && !lines_is_blank(rest->p[n]))
        n++;
    word = span_sub(*rest, 0, n);
    while (n < rest->len && lines_is_blank(rest->p[n]))
        n++;
    *rest = span_sub(*rest, n, rest->len);
    return word;
}

static inline bool lines_eq_nocase(struct span s, const char *word)
{
    return s.len == strlen(word) && strncasecmp((const char *)s.p, word, s.len) == 0;
}

static inline bool lines_begins(struct span s, const char *word)
{
    size_t n = strlen(word);

    return s.len >= n && memcmp(s.p, word, n) == 0;
}

static inline bool lines_begins_nocase(struct span s, const char *word)
{
    size_t n = strlen(word);

    return s.len >= n && strncasecmp((const char *)s.p, word, n) == 0;
}
#endif
