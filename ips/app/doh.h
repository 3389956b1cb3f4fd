/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_APP_DOH_H
#define SLUICE_APP_DOH_H
/*
 * DNS over HTTPS (RFC 8484) where HTTP is visible: a message's body of the type application/dns-message, or what a
 * request's target has behind dns=, is read like a datagram's, in the transaction of HTTP.
 *
 *     struct doh in a message's memory, zeroed: it is no DNS
 *     doh_begin()   once the message's fields are known; target: of a request, else empty
 *     doh_add()     the body's next bytes
 *     doh_end()     it is whole: rules look at dns.*
 *     doh_free()
 *
 * Worker thread; memory of the flow in hand.
 */
#include "ips/app/memory.h"

#define DOH_MESSAGE_MAX 65535

struct doh {
    struct bytes message;
    bool on, over; /* collected; it was too long */
};

void doh_begin(struct app *a, struct doh *d, struct span content_type, struct span target);
void doh_add(struct app *a, struct doh *d, enum app_dir dir, struct span bytes);
void doh_end(struct app *a, struct doh *d, struct app_tx *tx, enum app_dir dir);
void doh_free(struct app *a, struct doh *d);
#endif
