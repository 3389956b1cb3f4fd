/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_APP_BODY_PARTS_H
#define SLUICE_APP_BODY_PARTS_H
/*
 * Between body.c (what rules see of a body) and body_layers.c (its compression). False from a function that may have
 * rules look means that the packet was dropped.
 */
#include "ips/app/body.h"

#define WINDOW_FIRST 1024 /* bytes of a window at first */

static inline uint64_t body_size(const struct body *b)
{
    return b->origin + b->window.len;
}

/* Decoded bytes from elsewhere. */
bool body_plain(struct app *a, struct body *b, struct app_tx *tx, struct span s);
/* Room for up to `want` bytes behind the window, at least one; 0: there is no memory. Seen bytes may go for it. */
uint32_t body_room(struct app *a, struct body *b, uint32_t want);
/* n bytes were written there. */
bool body_grown(struct app *a, struct body *b, struct app_tx *tx, uint32_t n);

bool layers_open(struct app *a, struct body *b, const struct body_about *about); /* false: no memory */
bool layers_push(struct app *a, struct body *b, struct app_tx *tx, struct span raw);
bool layers_finish(struct app *a, struct body *b, struct app_tx *tx, bool whole);
void layers_free(struct app *a, struct body *b);
#endif
