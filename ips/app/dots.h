/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_APP_DOTS_H
#define SLUICE_APP_DOTS_H
/* A text that ends with a line that is a dot, as SMTP and POP3 send mails: dots.c. */
#include "ips/app/parser.h"

/* What was before the byte in hand. A struct dots that is zeroed is at a line's beginning. */
enum dots_at {
    DOTS_LINE,
    DOTS_LINE_LF,
    DOTS_DOT,
    DOTS_DOT_LF,
    DOTS_DOT_CR,
    DOTS_DOT_LF_CR,
    DOTS_TEXT,
    DOTS_CR
};

struct dots {
    uint8_t at; /* enum dots_at */
    bool odd;   /* set when another receiver may see the end where this one does not */
};

/*
 * Takes from *in up to the end of the text at most. Each call gives one run of the text in *run, without the dots that were
 * put in front of lines; it may be empty. True: the text has ended, and *in is what follows. Call it until *in is empty or
 * it is true.
 */
bool dots_take(struct dots *d, struct span *in, struct span *run);
#endif
