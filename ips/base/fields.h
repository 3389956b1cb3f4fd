/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_BASE_FIELDS_H
#define SLUICE_BASE_FIELDS_H
/*
 * Names and values for an event, written by a worker as bytes and read by the logger as the members of a JSON object.
 * Nothing is formatted here: numbers stay numbers, texts are copied as they came from the wire.
 *
 *     struct fields f; fields_begin(&f, room, sizeof(room));
 *     fields_text(&f, "hostname", host);
 *     fields_number(&f, "status", 200);
 *     fields_list(&f, "answers"); fields_object(&f, NULL); ... fields_close(&f); fields_close(&f);
 *
 * A key is NULL in a list. What finds no room is left out, whole, and lists and objects that are open stay well-formed.
 * One thread at a time.
 */
#include <stdbool.h>
#include <stdint.h>
#include "ips/base/span.h"

#define FIELDS_DEPTH_MAX 6
#define FIELD_TEXT_MAX   4096 /* bytes of one text; longer ones are cut */

enum field_kind {
    FIELD_END,
    FIELD_TEXT,
    FIELD_NUMBER,
    FIELD_BOOL,
    FIELD_HEX,
    FIELD_OBJECT,
    FIELD_LIST,
    FIELD_CLOSE,
    FIELD_BESIDE
};

struct fields {
    uint8_t *p;
    uint32_t len, cap;
    uint8_t depth;   /* open lists and objects */
    uint8_t skipped; /* of the innermost, those that found no room */
};

void fields_begin(struct fields *f, void *room, uint32_t bytes);
void fields_text(struct fields *f, const char *key, struct span text);
void fields_word(struct fields *f, const char *key, const char *word); /* a constant of ours */
void fields_number(struct fields *f, const char *key, uint64_t v);
void fields_bool(struct fields *f, const char *key, bool v);
void fields_hex(struct fields *f, const char *key, struct span bytes); /* shown as lower-case hexadecimal */
void fields_address(struct fields *f, const char *key, struct span a); /* IPv4, or IPv6 in full, as a text */
void fields_mac(struct fields *f, const char *key, struct span a);     /* 02:00:00:00:00:01 */
void fields_object(struct fields *f, const char *key);
void fields_list(struct fields *f, const char *key);
void fields_close(struct fields *f);
/* What follows stands beside the object that all this is the members of: email beside smtp. Once, with nothing open. */
void fields_beside(struct fields *f);

struct field {         /* as the logger reads it */
    uint8_t kind;      /* enum field_kind */
    const char *key;   /* NUL-terminated; "" in a list */
    struct span bytes; /* of FIELD_TEXT and FIELD_HEX */
    uint64_t number;   /* FIELD_NUMBER, FIELD_BOOL */
};
/* The next one at *at, which moves on; FIELD_END behind the last. */
struct field fields_next(const uint8_t **at, const uint8_t *end);
#endif
