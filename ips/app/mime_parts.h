/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_APP_MIME_PARTS_H
#define SLUICE_APP_MIME_PARTS_H
/*
 * Between the files of mails:
 *   mime.c         lines, parts and their boundaries
 *   mime_header.c  header fields and their parameters
 *   mime_decode.c  base64, quoted-printable, uuencode
 *   mime_show.c    email.*, and EVE
 */
#include "ips/app/mime.h"

/* mime_header.c: m->field is a whole field. */
void mime_header_field(struct app *a, struct mime *m);
/* Encoded words (RFC 2047) are decoded; out has room for in.len bytes. */
uint32_t mime_words_decode(struct span in, uint8_t *out);

/* mime_decode.c: a line's text; ends: its end was seen, of eol bytes. */
void mime_decode_line(struct app *a, struct mime *m, struct span text, bool ends, uint8_t eol);
/* The part ends here. */
void mime_decode_end(struct app *a, struct mime *m);
/* One base64 digit's value, or a number above 63: 64 is no digit, 65 '=', 66 a blank. */
uint8_t mime_base64_value(uint8_t c);
int mime_hex(uint8_t c); /* -1: it is none */

/* mime.c: decoded bytes of the part in hand. */
void mime_part_bytes(struct app *a, struct mime *m, struct span bytes);
/* A file inside of a text, without a part of its own. */
void mime_part_begin(struct app *a, struct mime *m, struct span name, bool file);
void mime_part_end(struct app *a, struct mime *m);

/* mime_show.c */
void mime_put_header(struct app *a, const struct mime *m);
void mime_find_urls(struct app *a, struct mime *m, struct span text);
void mime_put_urls(struct app *a, struct mime *m);
#endif
