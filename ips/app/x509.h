/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_APP_X509_H
#define SLUICE_APP_X509_H
/*
 * What rules ask about a certificate (RFC 5280), as spans into its DER, and as the texts that Suricata makes of them.
 * Nothing is verified. Any thread.
 */
#include <stdbool.h>
#include <stdint.h>
#include "ips/base/span.h"

enum x509_part { /* where a certificate breaks */
                 X509_WHOLE,
                 X509_BAD_DER,
                 X509_BAD_VERSION,
                 X509_BAD_SERIAL,
                 X509_BAD_ALGORITHM,
                 X509_BAD_NAME,
                 X509_BAD_DATE,
                 X509_BAD_EXTENSIONS,
};

struct x509 {
    struct span serial;            /* of the INTEGER: two's complement, most significant first */
    struct span issuer, subject;   /* what is in the Name: a list of sets */
    int64_t not_before, not_after; /* seconds since 1970 */
    bool has_dates;
    struct span names; /* what is in subjectAltName; p is NULL where there is none */
};

/* Everything up to the part that breaks is in *c. */
enum x509_part x509_parse(struct span der, struct x509 *c);

/* "C=US, O=Example, CN=example.org", in the certificate's order; the length. False: it does not fit, or no name is there. */
bool x509_name_text(struct span name, uint8_t *out, uint32_t cap, uint32_t *len);
/* "0A:1B:.." */
bool x509_serial_text(struct span serial, uint8_t *out, uint32_t cap, uint32_t *len);

#define X509_DATE_TEXT 19
/* "2024-04-21T12:30:00"; years are 0000 to 9999. */
void x509_date_text(int64_t seconds, uint8_t out[X509_DATE_TEXT]);

#define X509_ADDRESS_TEXT 40 /* bytes of an IP address as text */
/* The next host name, mail address, URI or IP address among c->names, in order; addresses are written into room, and *text lies
 * there. False: no more. */
bool x509_next_name(struct span *names, uint8_t room[X509_ADDRESS_TEXT], struct span *text);
#endif
