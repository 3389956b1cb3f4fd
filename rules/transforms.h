/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_TRANSFORMS_H
#define SLUICE_RULES_TRANSFORMS_H
/*
 * Transforms: a sticky buffer's bytes turned into others before contents look at them. A (buffer, list of
 * transforms) pair is a slot of its own behind the buffers of the table, so that rules share its result and the
 * prefilter scans it like any other. Pure functions; any thread, with scratch of its own.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "ips/base/span.h"
#include "rules/buffers.h"

enum transform_kind {
    TRANSFORM_DOTPREFIX, /* a dot before the first byte */
    TRANSFORM_TO_LOWERCASE,
    TRANSFORM_TO_UPPERCASE,
    TRANSFORM_STRIP_WHITESPACE,     /* no white space at all */
    TRANSFORM_COMPRESS_WHITESPACE,  /* each run of it is one blank */
    TRANSFORM_URL_DECODE,           /* %41 and '+' */
    TRANSFORM_XOR,                  /* with a key, repeated; written in the rule, or bytes of the buffer */
    TRANSFORM_HEADER_LOWERCASE,     /* names of a header block, not their values */
    TRANSFORM_STRIP_PSEUDO_HEADERS, /* HTTP/2's lines that begin with ':' */
    TRANSFORM_TO_MD5,               /* raw digests */
    TRANSFORM_TO_SHA1,
    TRANSFORM_TO_SHA256,
    TRANSFORM_PCREXFORM,  /* what the first group of an expression captured */
    TRANSFORM_HTTP_FIELD, /* Snort 3's arguments (http_parts.c): the value of one field of a header block */
    TRANSFORM_HTTP_URI,   /* a part of a request's target */
    TRANSFORM_HTTP_PARAM, /* the value of one parameter */
    TRANSFORM_N
};

#define TRANSFORMS_MAX     8          /* in one list */
#define TRANSFORM_AREA     (1u << 20) /* bytes of a worker's room for transformed buffers of one packet */
#define TRANSFORM_ROOM_MIN 64         /* beyond the input: a digest, a few dots */

struct transform {
    /* XOR: the key, NULL: it is in the buffer; PCREXFORM: pcre2_code; HTTP_FIELD, HTTP_PARAM: the name; else NULL */
    const void *data;
    uint16_t from;   /* XOR: the first byte that is decoded; HTTP_PARAM: the name's case does not count */
    uint16_t key_at; /* XOR: where the key is in the buffer; HTTP_URI: enum uri_part */
    uint8_t len;     /* of the key or name */
    uint8_t kind;    /* enum transform_kind */
};

struct buffer_ref {
    struct transform list[TRANSFORMS_MAX];
    uint8_t n;
    uint16_t base; /* enum buffer_id */
};

/* What the bytes of a slot are, or are made of: enum buffer_id. refs: of the slots from BUF_N on. */
static inline uint16_t slot_base(const struct buffer_ref *refs, uint32_t slot)
{
    return slot < BUF_N ? (uint16_t)slot : refs[slot - BUF_N].base;
}

enum uri_part { URI_SCHEME, URI_HOST, URI_PORT, URI_PATH, URI_QUERY, URI_FRAGMENT, URI_PARTS };

/* http_parts.c: n bytes at p become a part of them; its length, or -1: there is none. */
int64_t http_part_field(const struct transform *t, uint8_t *p, uint32_t n);
int64_t http_part_uri(const struct transform *t, uint8_t *p, uint32_t n);
int64_t http_part_param(const struct transform *t, uint8_t *p, uint32_t n);

struct eval_scratch;

bool buffer_ref_eq(const struct buffer_ref *a, const struct buffer_ref *b);
/*
 * in through all transforms of ref into out, which holds in.len + TRANSFORM_ROOM_MIN bytes and may not overlap in.
 * The result lies in out. p == NULL when there is none: a pcrexform that did not match.
 */
struct span transform_apply(const struct buffer_ref *ref, struct span in, uint8_t *out,
                            struct eval_scratch *s);
#endif
