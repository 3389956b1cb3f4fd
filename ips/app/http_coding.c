/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The codings of bodies by their names, for HTTP/1 and HTTP/2 alike.
 *
 * Receivers look for the word in what was written, and not all for the whole of it, so "xgzip" and "g\0zip" are gzip
 * to some: they are decoded here, too, and said to be odd. Two letters are no word to look for in others, so "br" is
 * only itself.
 *
 * Worker thread. Owns nothing.
 */
#include "ips/app/body.h"
#include "ips/app/http.h"

static const struct coding_word {
    const char *word, *other;
    uint8_t coding;
} coding_words[] = {
    {"gzip", "x-gzip", BODY_GZIP}, {"deflate", "x-deflate", BODY_DEFLATE},
    {"br", "br", BODY_BROTLI},     {"zstd", "zstd", BODY_ZSTD},
    {"lzma", "lzma", BODY_LZMA},
};

bool http_has_word(struct span s, const char *word, bool *exact)
{
    uint32_t len = (uint32_t)strlen(word);

    for (uint32_t at = 0; at < s.len; at++) {
        uint32_t i = at, k = 0;

        while (i < s.len && k < len) {
            if (s.p[i] == 0)
                i++;
            else if ((s.p[i] | 0x20) == (uint8_t)word[k])
                i++, k++;
            else
                break;
        }
        if (k == len) {
            *exact = at == 0 && i == s.len;
            return true;
        }
    }
    return false;
}

bool http_coding_add(struct span s, struct body_about *about, bool *odd)
{
    bool exact = false;

    for (unsigned i = 0; i < sizeof(coding_words) / sizeof(coding_words[0]); i++) {
        const struct coding_word *c = &coding_words[i];

        if (c->coding == BODY_BROTLI ? !http_word_is(s, "br") : !http_has_word(s, c->word, &exact))
            continue;
        *odd |= c->coding != BODY_BROTLI && !exact && !http_word_is(s, c->other);
        if (about->n_codings < BODY_CODINGS_MAX)
            about->coding[about->n_codings] = c->coding;
        about->n_codings++;
        return true;
    }
    return false;
}
