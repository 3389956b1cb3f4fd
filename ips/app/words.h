/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_APP_WORDS_H
#define SLUICE_APP_WORDS_H
/*
 * Words in lines of protocols that people could type: SMTP, FTP, POP3, IMAP and the headers of mail. Letters are ASCII,
 * case does not count. Everything is linear in the span.
 */
#include "ips/base/span.h"

static inline bool word_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static inline uint8_t word_lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static inline bool word_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* s begins with `with`. */
static inline bool word_begins(struct span s, const char *with)
{
    uint32_t i = 0;

    while (i < s.len && with[i] != '\0' && word_lower(s.p[i]) == word_lower((uint8_t)with[i]))
        i++;
    return with[i] == '\0';
}

static inline bool word_is(struct span s, const char *word)
{
    return s.len == strlen(word) && word_begins(s, word);
}

/* s could still begin with it, when more of s comes: one is the other's beginning. */
static inline bool word_may_begin(struct span s, const char *with)
{
    uint32_t i = 0;

    while (i < s.len && with[i] != '\0') {
        if (word_lower(s.p[i]) != word_lower((uint8_t)with[i]))
            return false;
        i++;
    }
    return true;
}

/* s has it somewhere; with is a constant of ours, so it is linear. */
static inline bool word_has(struct span s, const char *with)
{
    for (uint32_t i = 0; i < s.len; i++)
        if (word_begins(span_sub(s, i, s.len), with))
            return true;
    return false;
}

static inline struct span word_skip_blanks(struct span s)
{
    uint32_t n = 0;

    while (n < s.len && word_blank(s.p[n]))
        n++;
    return span_sub(s, n, s.len);
}

static inline struct span word_trim(struct span s)
{
    s = word_skip_blanks(s);
    while (s.len > 0 && word_blank(s.p[s.len - 1]))
        s.len--;
    return s;
}

/* Up to the next blank; *rest is what follows it, without blanks in front. */
static inline struct span word_next(struct span *rest)
{
    struct span s = word_skip_blanks(*rest);
    uint32_t n = 0;

    while (n < s.len && !word_blank(s.p[n]))
        n++;
    *rest = word_skip_blanks(span_sub(s, n, s.len));
    return span_sub(s, 0, n);
}

/* The decimal digits that *s begins with are taken; false: there is none, or the number is beyond max. */
static inline bool word_number(struct span *s, uint64_t max, uint64_t *v)
{
    uint32_t n = 0;

    *v = 0;
    while (n < s->len && word_digit(s->p[n])) {
        uint64_t d = (uint64_t)(s->p[n++] - '0');

        if (*v > (max - d) / 10)
            return false;
        *v = *v * 10 + d;
    }
    *s = span_sub(*s, n, s->len);
    return n > 0;
}
#endif
