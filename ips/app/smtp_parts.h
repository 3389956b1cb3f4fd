/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_APP_SMTP_PARTS_H
#define SLUICE_APP_SMTP_PARTS_H
/*
 * Between the files of SMTP:
 *   smtp.c        lines and mails out of the bytes of both directions
 *   smtp_words.c  what commands and replies mean
 */
#include "ips/app/dots.h"
#include "ips/app/mime.h"

#define SMTP_LINE_MAX    4096  /* bytes of a command or reply; RFC 5321 allows 512, AUTH 12288 */
#define SMTP_AWAITED_MAX 64    /* commands whose replies have not come */
#define SMTP_KEPT_MAX    65536 /* bytes of recipients that are kept for later; all are published */

enum smtp_mode { SMTP_COMMANDS, SMTP_TEXT, SMTP_CHUNK };

enum smtp_awaited { SMTP_OTHER, SMTP_HELO, SMTP_DATA, SMTP_BDAT, SMTP_STARTTLS, SMTP_AUTH };

struct smtp {
    struct bytes line[2]; /* by direction: what has no end yet */
    bool cut[2];          /* the rest of a line that was too long */
    bool greeted, speaks; /* the server, the client have said something */
    bool chunking;        /* the server offered BDAT */
    bool agreed;          /* 354 has come for the text in hand */
    bool auth;            /* the next line of the client is no command */
    bool last_chunk;
    bool open;                         /* tx is */
    bool dropped, bad;                 /* stop */
    bool tls;                          /* STARTTLS was agreed to */
    uint8_t mode;                      /* enum smtp_mode */
    uint8_t first, n_awaited;          /* in awaited, a ring */
    uint8_t awaited[SMTP_AWAITED_MAX]; /* enum smtp_awaited */
    uint64_t chunk_left;
    struct dots dots;
    struct app_tx tx;
    struct bytes helo, from, to; /* to: each with its length in front, 2 bytes */
    struct mime mime;
};

/* smtp_words.c */
void smtp_command(struct app *a, struct smtp *s, struct span line);
void smtp_reply(struct app *a, struct smtp *s, struct span line);
/* smtp.c */
bool smtp_open(struct app *a, struct smtp *s);
void smtp_close_tx(struct app *a, struct smtp *s);
void smtp_mail_end(struct app *a, struct smtp *s, bool whole);
/* One more reply is to come. */
void smtp_await(struct app *a, struct smtp *s, enum smtp_awaited what);
#endif
