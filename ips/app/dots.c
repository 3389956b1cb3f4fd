/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end of a mail: CR LF . CR LF (RFC 5321 4.5.2, RFC 1939 3). A dot in front of anything else at a line's beginning was
 * put there by the sender, and goes.
 *
 * Receivers that take a lone LF for a line's end see an end in LF . LF or CR LF . LF, too; others do not, and what follows is
 * commands to the former and text to the latter (SMTP smuggling). Here it is text, so that it is looked at as both: rules
 * about streams see it either way. The caller is told (odd).
 *
 * Pure functions.
 */
#include "ips/app/dots.h"

static const uint8_t cr[1] = "\r";

/* From the middle of a line to behind its end. */
static void take_line(struct dots *d, struct span in, uint32_t *i)
{
    const uint8_t *lf = memchr(in.p + *i, '\n', in.len - *i);
    bool after_cr;

    if (!lf) {
        d->at = in.p[in.len - 1] == '\r' ? DOTS_CR : DOTS_TEXT;
        *i = in.len;
        return;
    }
    after_cr = lf > in.p + *i ? lf[-1] == '\r' : d->at == DOTS_CR;
    d->at = after_cr ? DOTS_LINE : DOTS_LINE_LF;
    *i = (uint32_t)(lf - in.p) + 1;
}

/* Behind a dot at a line's beginning. True: the text's end. A CR is kept back until it is known to be text. */
static bool take_dot(struct dots *d, uint8_t c, uint32_t *i, struct span *run)
{
    bool after_lf = d->at == DOTS_DOT_LF || d->at == DOTS_DOT_LF_CR;

    if (d->at == DOTS_DOT || d->at == DOTS_DOT_LF) {
        if (c == '\r') {
            d->at = after_lf ? DOTS_DOT_LF_CR : DOTS_DOT_CR;
            ++*i;
        } else {
            d->odd |= c == '\n'; /* an end for those who need no CR */
            d->at = DOTS_TEXT;
        }
        return false;
    }
    if (c == '\n' && !after_lf) {
        ++*i;
        return true;
    }
    d->odd = true;
    d->at = DOTS_CR;
    *run = span_of(cr, 1);
    return false;
}

bool dots_take(struct dots *d, struct span *in, struct span *run)
{
    uint32_t i = 0;

    *run = span_of(in->p, 0);
    while (i < in->len &&
           (d->at == DOTS_DOT || d->at == DOTS_DOT_LF || d->at == DOTS_DOT_CR || d->at == DOTS_DOT_LF_CR)) {
        if (take_dot(d, in->p[i], &i, run)) {
            *d = (struct dots){.odd = d->odd};
            *in = span_sub(*in, i, in->len);
            return true;
        }
        if (run->len > 0) {
            *in = span_sub(*in, i, in->len);
            return false;
        }
    }
    uint32_t from = i;
    while (i < in->len) {
        if (d->at != DOTS_LINE && d->at != DOTS_LINE_LF) {
            take_line(d, *in, &i);
        } else if (in->p[i] != '.') {
            d->at = DOTS_TEXT;
        } else {
            d->at = d->at == DOTS_LINE ? DOTS_DOT : DOTS_DOT_LF;
            *run = span_sub(*in, from, i - from);
            *in = span_sub(*in, i + 1, in->len);
            return false;
        }
    }
    *run = span_sub(*in, from, i - from);
    *in = span_sub(*in, i, in->len);
    return false;
}
