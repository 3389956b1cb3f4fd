/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_TESTS_TALK_H
#define SLUICE_TESTS_TALK_H
/* A conversation for parsers of binary protocols: turns that are written member by member and sent in any pieces. */
#include "tests/unit/app_lab.h"

#define TALK_BYTES_MAX (1u << 20)
#define TALK_TURNS_MAX 64

struct talk {
    uint8_t b[TALK_BYTES_MAX];
    uint32_t n;
    struct {
        uint32_t at;
        enum app_dir dir;
    } turn[TALK_TURNS_MAX];
    uint32_t n_turns;
};

/* What is written from here on is sent in that direction. */
static inline void talk_turn(struct talk *t, enum app_dir dir)
{
    t->turn[t->n_turns].at = t->n;
    t->turn[t->n_turns++].dir = dir;
}

static inline void talk_add(struct talk *t, const void *p, size_t n)
{
    if (n > 0)
        memcpy(t->b + t->n, p, n);
    t->n += (uint32_t)n;
}

static inline void talk_le(struct talk *t, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        t->b[t->n++] = (uint8_t)(v >> 8 * i);
}

static inline void talk_be(struct talk *t, uint64_t v, unsigned bytes)
{
    while (bytes-- > 0)
        t->b[t->n++] = (uint8_t)(v >> 8 * bytes);
}

static inline void talk_zeros(struct talk *t, uint32_t n)
{
    memset(t->b + t->n, 0, n);
    t->n += n;
}

static inline void talk_utf16(struct talk *t, const char *s)
{
    for (; *s; s++)
        talk_le(t, (uint8_t)*s, 2);
}

/* A little-endian number that was left open. */
static inline void talk_fill_le(struct talk *t, uint32_t at, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        t->b[at + i] = (uint8_t)(v >> 8 * i);
}

/* piece 0: of random lengths. A turn does not begin before the one in front of it is sent. */
static inline void talk_send(struct app_lab *l, const struct talk *t, uint32_t piece)
{
    for (uint32_t i = 0; i < t->n_turns; i++) {
        uint32_t end = i + 1 < t->n_turns ? t->turn[i + 1].at : t->n;

        for (uint32_t at = t->turn[i].at; at < end;) {
            uint32_t n = piece ? piece : (uint32_t)rand() % 200 + 1;

            if (n > end - at)
                n = end - at;
            lab_send(l, t->turn[i].dir, t->b + at, n);
            at += n;
        }
    }
}
#endif
