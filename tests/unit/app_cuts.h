/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_TESTS_APP_CUTS_H
#define SLUICE_TESTS_APP_CUTS_H
/*
 * A conversation told whole, in pieces of one byte and at random cuts must be published alike, with the same events.
 * What grows is compared as what it grew to. TCP only: a datagram is not cut.
 *
 *     static const struct said talk[] = {{APP_TO_SERVER, SAID("hello\r\n")}, ...};
 *     cuts_check(&(struct lab_setup){.dport = 25}, talk, 2);
 */
#include "tests/unit/app_lab.h"

struct said {
    enum app_dir dir;
    const void *bytes;
    size_t len;
};
#define SAID(text) (text), sizeof(text) - 1

#define CUTS_TEXT_MAX (1u << 20)
struct cuts_text {
    uint8_t b[CUTS_TEXT_MAX];
    uint32_t n;
};

static inline void cuts_note(struct cuts_text *t, const void *p, size_t n)
{
    if (n > CUTS_TEXT_MAX - t->n)
        abort();
    if (n > 0)
        memcpy(t->b + t->n, p, n);
    t->n += (uint32_t)n;
}

/* piece: 0 is whole, UINT32_MAX is random. */
static inline void cuts_tell(const struct lab_setup *setup, const struct said *talk, unsigned n,
                             uint32_t piece, unsigned seed, struct cuts_text *t)
{
    struct app_lab *l = lab_new(setup);

    srand(seed);
    t->n = 0;
    for (unsigned i = 0; i < n; i++)
        for (size_t at = 0; at < talk[i].len;) {
            size_t m = piece == 0 ? talk[i].len : piece == UINT32_MAX ? 1 + (size_t)rand() % 40 : piece;

            m = m < talk[i].len - at ? m : talk[i].len - at;
            lab_send(l, talk[i].dir, (const uint8_t *)talk[i].bytes + at, m);
            at += m;
        }
    for (unsigned b = 0; b < BUF_N; b++) {
        for (uint32_t i = 0; i < l->n_seen; i++) {
            if (l->seen[i].buffer != b || l->grown[b].began)
                continue;
            cuts_note(t, &l->seen[i].buffer, 1);
            cuts_note(t, &l->seen[i].dir, 1);
            cuts_note(t, &l->seen[i].tx, sizeof(l->seen[i].tx));
            cuts_note(t, &l->seen[i].bytes.len, sizeof(l->seen[i].bytes.len));
            cuts_note(t, l->seen[i].bytes.p, l->seen[i].bytes.len);
        }
        if (l->grown[b].began)
            cuts_note(t, l->grown[b].p, l->grown[b].len);
    }
    cuts_note(t, l->events.bits, sizeof(l->events.bits));
    cuts_note(t, l->logged, l->logged_len);
    lab_free(l);
}

static inline void cuts_check(const struct lab_setup *setup, const struct said *talk, unsigned n)
{
    static struct cuts_text whole, cut;

    cuts_tell(setup, talk, n, 0, 0, &whole);
    for (unsigned round = 0; round < 20; round++) {
        cuts_tell(setup, talk, n, round == 0 ? 1 : UINT32_MAX, round, &cut);
        if (cut.n != whole.n || memcmp(cut.b, whole.b, whole.n) != 0) {
            fprintf(stderr, "round %u: published %u bytes of notes, %u when told whole\n", round, cut.n,
                    whole.n);
            fwrite(whole.b, 1, whole.n, stderr);
            fprintf(stderr, "\n---\n");
            fwrite(cut.b, 1, cut.n, stderr);
            abort();
        }
    }
}
#endif
