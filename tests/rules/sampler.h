/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_TESTS_RULES_SAMPLER_H
#define SLUICE_TESTS_RULES_SAMPLER_H
/*
 * Random texts that a regular expression probably matches: it walks the expression and makes a choice wherever there
 * is one. It need not be right (look-around is passed over, for one): whoever uses it asks PCRE2 whether the text
 * does match. What one byte of a class or an escape may be is PCRE2's answer, too.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define SAMPLE_MAX 4096

struct sampler {
    const uint8_t *re;
    uint32_t len, at, options;
    uint64_t seed;
    uint8_t out[SAMPLE_MAX];
    uint32_t n;
    uint32_t group_from[100], group_to[100], n_groups;
};

static inline uint32_t sample_random(struct sampler *s, uint32_t below)
{
    s->seed = s->seed * 6364136223846793005ull + 1442695040888963407ull;
    return below == 0 ? 0 : (uint32_t)(s->seed >> 33) % below;
}

static inline void sample_put(struct sampler *s, uint8_t c)
{
    if (s->n < SAMPLE_MAX)
        s->out[s->n++] = c;
}

/* Past one class, escape or character. */
static inline uint32_t sample_atom_end(const struct sampler *s, uint32_t at)
{
    uint32_t start = at;

    if (s->re[at] == '\\') {
        at += 2;
        if (at <= s->len && s->re[start + 1] == 'x') {
            if (at < s->len && s->re[at] == '{')
                while (at < s->len && s->re[at - 1] != '}')
                    at++;
            else
                while (at < s->len && at < start + 4 && isxdigit(s->re[at]))
                    at++;
        } else if (isdigit(s->re[start + 1])) {
            while (at < s->len && at < start + 4 && isdigit(s->re[at]))
                at++;
        } else if (s->re[start + 1] == 'k' || s->re[start + 1] == 'g' || s->re[start + 1] == 'p') {
            if (at < s->len && strchr("{<'", s->re[at]) != NULL)
                while (at < s->len && strchr("}>'", s->re[at++]) == NULL)
                    ;
            else
                at++;
        }
        return at;
    }
    if (s->re[at] != '[')
        return at + 1;
    at++;
    if (at < s->len && s->re[at] == '^')
        at++;
    if (at < s->len && s->re[at] == ']')
        at++;
    while (at < s->len && s->re[at] != ']') {
        if (s->re[at] == '\\')
            at++;
        else if (s->re[at] == '[' && at + 1 < s->len && s->re[at + 1] == ':')
            while (at + 1 < s->len && !(s->re[at] == ':' && s->re[at + 1] == ']'))
                at++;
        at++;
    }
    return at + 1;
}

struct sample_bytes { /* the single bytes that an atom matches; printable ones first */
    uint8_t v[256];
    uint32_t n, n_plain;
};

static inline struct sample_bytes sample_atom(const struct sampler *s, uint32_t from, uint32_t to)
{
    int error;
    PCRE2_SIZE place;
    pcre2_code *code = pcre2_compile(s->re + from, to - from, s->options | PCRE2_ANCHORED | PCRE2_ENDANCHORED,
                                     &error, &place, NULL);
    pcre2_match_data *m = pcre2_match_data_create(1, NULL);
    struct sample_bytes b = {.n = 0};

    for (unsigned c = 0; code != NULL && m != NULL && c < 256; c++) {
        uint8_t byte = (uint8_t)c;

        if (pcre2_match(code, &byte, 1, 0, 0, m, NULL) < 0)
            continue;
        b.v[b.n++] = byte;
        if (c >= 0x20 && c < 0x7f) {
            b.v[b.n - 1] = b.v[b.n_plain];
            b.v[b.n_plain++] = byte;
        }
    }
    pcre2_match_data_free(m);
    pcre2_code_free(code);
    return b;
}

static inline void sample_put_one(struct sampler *s, const struct sample_bytes *b)
{
    if (b->n > 0)
        sample_put(s, b->v[sample_random(s, b->n_plain > 0 && sample_random(s, 4) != 0 ? b->n_plain : b->n)]);
}

static inline bool sample_braces(const struct sampler *s, uint32_t at, uint32_t *min, uint32_t *max,
                                 uint32_t *end)
{
    uint32_t v[2] = {0, 0}, i = at + 1, k = 0;

    if (i >= s->len || !isdigit(s->re[i]))
        return false;
    for (; i < s->len && (isdigit(s->re[i]) || (s->re[i] == ',' && k == 0)); i++) {
        if (s->re[i] == ',')
            k = 1;
        else
            v[k] = v[k] * 10 + (s->re[i] - '0');
    }
    if (i >= s->len || s->re[i] != '}')
        return false;
    *min = v[0];
    *max = k == 0 ? v[0] : v[1] != 0 ? v[1] : v[0] + 3;
    *end = i + 1;
    return true;
}

/* The quantifier at s->at, taken; how often to make the item before it. */
static inline uint32_t sample_times(struct sampler *s)
{
    uint32_t min = 1, max = 1, end;
    uint8_t c = s->at < s->len ? s->re[s->at] : 0;

    if (c == '?' || c == '*' || c == '+') {
        min = c == '+';
        max = c == '?' ? 1 : 4;
        s->at++;
    } else if (c == '{' && sample_braces(s, s->at, &min, &max, &end)) {
        s->at = end;
    } else {
        return 1;
    }
    if (s->at < s->len && (s->re[s->at] == '?' || s->re[s->at] == '+'))
        s->at++;
    if (max > min + 4)
        max = min + 4;
    return min + sample_random(s, max - min + 1);
}

static inline void sample_level(struct sampler *s);

/* From one alternative's start to the end of its level; the places where alternatives begin. */
static inline uint32_t sample_alternatives(const struct sampler *s, uint32_t from, uint32_t *starts,
                                           uint32_t max, uint32_t *n)
{
    uint32_t at = from, depth = 0;

    *n = 0;
    starts[(*n)++] = from;
    while (at < s->len) {
        uint8_t c = s->re[at];

        if (c == '(')
            depth++;
        else if (c == ')' && depth-- == 0)
            break;
        else if (c == '|' && depth == 0 && *n < max)
            starts[(*n)++] = at + 1;
        at = c == '\\' || c == '[' ? sample_atom_end(s, at) : at + 1;
    }
    return at;
}

static inline void sample_group(struct sampler *s)
{
    uint32_t body = s->at + 1, end, again, times, n, starts[1];
    bool look = false, capture = true;
    uint32_t number = 0;

    if (body < s->len && s->re[body] == '?') {
        uint8_t k = body + 1 < s->len ? s->re[body + 1] : 0;
        uint8_t k2 = body + 2 < s->len ? s->re[body + 2] : 0;

        look = k == '=' || k == '!' || (k == '<' && (k2 == '=' || k2 == '!'));
        if (k == 'P' || (k == '<' && !look) || k == '\'') {
            while (body < s->len && s->re[body] != '>' && !(s->re[body] == '\'' && body > s->at + 3))
                body++;
        } else {
            capture = false;
            while (body < s->len && strchr(":=!>|)", s->re[body]) == NULL)
                body++;
        }
        if (body >= s->len || s->re[body] == ')') { /* (?i) */
            s->at = body + 1;
            return;
        }
        body++;
    }
    if (capture && s->n_groups < 99)
        number = ++s->n_groups;
    end = sample_alternatives(s, body, starts, 1, &n);
    s->at = end + 1;
    times = sample_times(s);
    again = s->at;
    for (uint32_t i = 0; i < times && !look; i++) {
        uint32_t begin = s->n;

        s->at = body;
        sample_level(s);
        s->group_from[number] = begin;
        s->group_to[number] = s->n;
    }
    s->at = again;
}

static inline void sample_item(struct sampler *s)
{
    uint32_t from = s->at, to, times, again;
    struct sample_bytes bytes = {.n = 0};
    uint8_t c = s->re[from];

    if (c == '(') {
        sample_group(s);
        return;
    }
    to = sample_atom_end(s, from);
    s->at = to > s->len ? s->len : to;
    to = s->at;
    times = sample_times(s);
    again = s->at;
    if (isalnum(c) && times == 1 && !(s->options & PCRE2_CASELESS))
        sample_put(s, c);
    else if (times > 0)
        bytes = sample_atom(s, from, to);
    for (uint32_t i = 0; i < times; i++) {
        uint32_t number = c == '\\' && to == from + 2 && s->re[from + 1] >= '1' && s->re[from + 1] <= '9'
                              ? s->re[from + 1] - '0'
                              : 0;

        if (number > 0)
            for (uint32_t k = s->group_from[number]; k < s->group_to[number]; k++)
                sample_put(s, s->out[k]);
        else if (c != '^' && c != '$')
            sample_put_one(s, &bytes);
    }
    s->at = again;
}

/* One alternative of the level that begins at s->at; leaves s->at behind the level. */
static inline void sample_level(struct sampler *s)
{
    uint32_t starts[64], n, end = sample_alternatives(s, s->at, starts, 64, &n);

    s->at = starts[sample_random(s, n)];
    while (s->at < end && s->re[s->at] != '|')
        sample_item(s);
    s->at = end;
}

static inline void sample(struct sampler *s, const uint8_t *re, uint32_t len, uint32_t options)
{
    s->re = re;
    s->len = len;
    s->options = options;
    s->at = s->n = s->n_groups = 0;
    memset(s->group_from, 0, sizeof(s->group_from));
    memset(s->group_to, 0, sizeof(s->group_to));
    sample_level(s);
}
#endif
