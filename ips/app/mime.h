/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_APP_MIME_H
#define SLUICE_APP_MIME_H
/*
 * Mails: header fields, parts and what is encoded in them (RFC 5322, 2045 to 2047, 2231), for whatever protocol carries
 * them. A parser takes its own framing off (dots, literals, chunks) and hands the rest here in order.
 *
 *     mime_begin()   struct mime in the parser's memory, zeroed
 *     mime_add()     the next bytes. False: stop; m->bad says that there is no memory, else the packet was dropped
 *     mime_end()     nothing follows
 *     mime_show()    from the parser's show()
 *     mime_free()    when the transaction goes
 *
 * Each part that is no multipart goes to file.data as a body of its own, decoded; those with a name are files. The mail's own
 * header goes to email.* when `email` is set. Worker thread; memory of the flow in hand.
 */
#include "ips/app/body.h"

#define MIME_LEVELS_MAX   16   /* multiparts inside each other */
#define MIME_BOUNDARY_MAX 254  /* bytes; RFC 2046 allows 70 */
#define MIME_LINE_MAX     2048 /* bytes of a line that are handled at a time */
#define MIME_NAME_MAX     255  /* bytes of a file's name; the end of a longer one is kept */

enum mime_state { MIME_HEADER, MIME_BODY, MIME_BETWEEN, MIME_BARE };
enum mime_coding { MIME_IDENTITY, MIME_BASE64, MIME_QUOTED, MIME_UU };
enum mime_field {
    MIME_FROM,
    MIME_SUBJECT,
    MIME_TO,
    MIME_CC,
    MIME_DATE,
    MIME_MESSAGE_ID,
    MIME_X_MAILER,
    MIME_RECEIVED, /* a list: each with its length in front, 2 bytes */
    MIME_FIELDS
};

struct mime_part { /* what the header in hand has said */
    bool multipart, digest, message, text, attachment;
    bool typed, coded;    /* the field was there */
    uint8_t coding;       /* enum mime_coding */
    uint8_t boundary_len; /* of the text in boundary */
    uint8_t name_len;
    bool name_of_disposition;
    uint8_t boundary[MIME_BOUNDARY_MAX];
    uint8_t name[MIME_NAME_MAX];
};

struct mime {
    uint8_t dir;       /* enum app_dir */
    bool there, email; /* email: email.* are published */
    bool bad;          /* no memory */
    bool dropped;
    bool of_part;   /* the header in hand is a part's, not a mail's */
    bool cut;       /* in the middle of a line that is too long */
    bool top;       /* in the mail's own header */
    bool after_pad; /* base64 has ended; nothing should follow */
    bool uu;        /* between "begin" and "end" */
    uint8_t state;  /* enum mime_state */
    uint8_t levels;
    uint8_t eol;       /* bytes of the line's end that may belong to a boundary: 0, 1 (LF), 2 */
    uint8_t n_quantum; /* base64: characters in quantum; quoted-printable: bytes in escape */
    uint8_t url_at;    /* bytes of "http://" that were seen */
    bool url;          /* behind them */
    uint32_t quantum;  /* base64 */
    uint8_t escape[2]; /* quoted-printable: '=' and what follows it */
    uint16_t boundary_at[MIME_LEVELS_MAX + 1]; /* in boundaries */
    uint32_t digests; /* bit by level: its parts are mails when they do not say otherwise */
    struct app_tx *tx;
    struct mime_part part;
    struct bytes line;       /* without an end yet */
    struct bytes field;      /* of the header, unfolded */
    struct bytes boundaries; /* of all levels, outermost first */
    struct bytes fields[MIME_FIELDS];
    struct bytes plain_subject; /* decoded, when it has encoded words */
    struct bytes names;         /* of attachments: each with its length in front, 2 bytes */
    struct bytes urls;          /* the same; those before urls_seen are published */
    struct bytes link;          /* the URL in hand */
    uint32_t urls_seen;
    struct body body;
};

void mime_begin(struct app *a, struct mime *m, struct app_tx *tx, enum app_dir dir, bool email);
/* After mime_begin(): a part without its header, or several, follow. What they are is guessed from the first line. */
void mime_begin_bare(struct app *a, struct mime *m);
bool mime_add(struct app *a, struct mime *m, struct span bytes);
/* What mime_add() has left for later is looked at; before the parser returns from take(), because the bytes leave then. */
bool mime_flush(struct app *a, struct mime *m);
bool mime_end(struct app *a, struct mime *m, bool whole);
void mime_show(struct app *a, struct mime *m);
/* The members of EVE's object "email". */
void mime_fields(const struct mime *m, struct fields *f);
void mime_free(struct app *a, struct mime *m);

/* Lists of spans in bytes, each with its length in front: false: no memory. */
bool mime_list_add(struct app *a, struct bytes *list, struct span one);
/* The next one; false: there is none. */
bool mime_list_next(struct span *list, struct span *one);
#endif
