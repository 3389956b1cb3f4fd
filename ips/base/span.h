/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_BASE_SPAN_H
#define SLUICE_BASE_SPAN_H
/*
 * A span is a borrowed run of bytes: pointer and length, passed by value. It owns nothing; whoever made it
 * says how long the bytes live (for wire bytes: until the burst ends). Every read of wire bytes goes through
 * a span, and every reader here checks its bound and says so in its result.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const uint8_t *p;
    uint32_t len;
};

static inline struct span span_of(const void *p, size_t len)
{
    return (struct span){.p = p, .len = (uint32_t)len};
}

static inline struct span span_str(const char *s)
{
    return span_of(s, strlen(s));
}

/* Cuts the next word off a list like "a, b c"; false at its end. */
static inline bool span_next_word(const char **list, struct span *word)
{
    *list += strspn(*list, ", ");
    *word = span_of(*list, strcspn(*list, ", "));
    *list += word->len;
    return word->len > 0;
}

/* Bytes [off, off + len) of s; both ends are clamped, so the result is always inside s. */
static inline struct span span_sub(struct span s, uint32_t off, uint32_t len)
{
    if (off > s.len)
        off = s.len;
    if (len > s.len - off)
        len = s.len - off;
    return (struct span){.p = off > 0 ? s.p + off : s.p, .len = len}; /* NULL + 0 is undefined */
}

static inline bool span_eq(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static inline bool span_eq_str(struct span a, const char *s)
{
    return span_eq(a, span_str(s));
}

/* Loads of unaligned integers; the caller has checked that the bytes are there. */
static inline uint16_t load_be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t load_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void store_be16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void store_be32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}
#endif
