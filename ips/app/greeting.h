/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_APP_GREETING_H
#define SLUICE_APP_GREETING_H
/* What a client's first command or a server's greeting says about SMTP and FTP, which begin alike: greeting.c. */
#include "ips/app/parser.h"

struct greeting {
    const char *name;            /* a greeting that has this word is the protocol's */
    uint16_t other_port;         /* with the other's port it is not, unless it says so */
    const uint16_t *ports;       /* of parser */
    const char *const *commands; /* that only this protocol has: NULL-terminated */
    const char *const *shared;   /* that a client may also begin with */
};

enum app_probe greeting_probe(const struct greeting *g, struct span bytes, const struct app_hint *h);
#endif
