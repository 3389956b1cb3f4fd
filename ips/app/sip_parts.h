/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_APP_SIP_PARTS_H
#define SLUICE_APP_SIP_PARTS_H
/*
 * Between the files of SIP: sip.c takes messages apart, sip_head.c reads start line and headers, sdp.c reads session
 * descriptions. Worker thread.
 */
#include "ips/app/body.h"
#include "ips/app/lines.h"

enum sip_line { SIP_NEITHER, SIP_REQUEST, SIP_RESPONSE };

struct sip_start {    /* a message's first line; what is not of its kind is empty */
    struct span line; /* without its end */
    struct span method, uri, version, code, text; /* text: behind the code */
    uint8_t kind;                                 /* enum sip_line */
};

struct sip_head { /* start line and headers up to the empty line, and what they say about the body */
    struct bytes bytes, unfolded;
    struct sip_start start;
    uint32_t start_len; /* with its end */
    uint64_t length;    /* Content-Length */
    bool has_length, bad_length, two_lengths;
};

/* The first line of bytes. SIP_NEITHER: no message of SIP begins with it. */
struct sip_start sip_start_line(struct span bytes);
/* head->bytes is complete: the rest of the struct is filled. False: no memory. */
bool sip_head_read(struct app *a, struct sip_head *h);
void sip_head_put(struct app *a, struct sip_head *h, struct app_tx *tx);
void sip_head_fields(const struct sip_head *h, struct fields *f);
/* What rules call a method: 1 and up; 0: none of those. rules/kw/sip.c has the names in the same order. */
unsigned sip_method_number(struct span method);

/* The session description in a body: lines "x=value" from "v=" on. */
void sdp_put(struct app *a, struct app_tx *tx, struct span body);
void sdp_fields(struct span body, struct fields *f);
#endif
