/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_APP_MULTIPART_H
#define SLUICE_APP_MULTIPART_H
/*
 * Form data (RFC 7578) in a body: each part with a file name becomes a body of its own, a file in file.data. Part of struct
 * body, and called by body.c alone. Worker thread; memory of the flow in hand.
 */
#include "ips/app/body.h"

struct multipart;

/* NULL: the type is no form data, or there is no memory. */
struct multipart *multipart_new(struct app *a, const struct body_about *about);
/* Decoded bytes of the whole body. False: the packet was dropped. */
bool multipart_take(struct app *a, struct multipart *m, struct app_tx *tx, struct span in);
bool multipart_end(struct app *a, struct multipart *m, struct app_tx *tx, bool whole);
void multipart_show(struct app *a, struct multipart *m, struct app_tx *tx);
void multipart_free(struct app *a, struct multipart *m);
#endif
