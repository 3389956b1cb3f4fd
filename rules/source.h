/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_SOURCE_H
#define SLUICE_RULES_SOURCE_H
/*
 * Private to rules/. A text file read whole, given out as logical lines: comments and blank lines left out,
 * lines that end in a backslash joined with the next, and in Snort 3's files the lines of one rule. Remembers where
 * each byte came from.
 */
#include <stdbool.h>
#include <stdint.h>
#include "ips/base/err.h"
#include "ips/base/span.h"

#define SOURCE_FILE_MAX (256u << 20) /* bytes of a rule file */
#define RULE_TEXT_MAX   (1u << 20)   /* bytes of one rule: sixty thousand addresses in a header fit */

struct text_piece { /* from `off` of the logical line on, bytes come from this line and column */
    uint32_t off, line, column;
};

struct rule_text {
    struct span text; /* valid until the source is freed */
    const char *file;
    const struct text_piece *pieces; /* valid until the next logical line is asked for */
    uint32_t n_pieces;
    uint8_t dialect; /* enum rule_dialect that the file is read in */
    bool disabled;   /* it stood behind a '#', which is not part of the text */
};

struct source {
    const char *file;
    uint8_t *bytes;
    size_t len, at;
    uint32_t line;       /* of the byte at `at` */
    uint32_t n_disabled; /* lines like "#alert ..." */
    bool give_disabled;  /* give them out like others, marked, instead of passing over them */
    uint8_t dialect;     /* for rule_text.dialect */
    bool open_ended;     /* Snort 3: a rule goes on until its ')' */
    struct text_piece *pieces;
    size_t cap_pieces;
};

int source_open(struct source *s, const char *file, struct err *e);
/* 1: *t is the next logical line; 0: the file has ended; -ENOMEM. */
int source_next(struct source *s, struct rule_text *t);
/* For a file of Snort 3's: blocks between #begin and #end, and C comments, become blanks; rules may span lines.
 * The place of a comment without end is returned, or NULL. To be called before the first line is asked for. */
const uint8_t *source_set_snort3(struct source *s);
/* The place of a line that begins a block comment of Snort 3, or NULL. */
const uint8_t *source_find_block(const struct source *s);
void source_place(const struct source *s, const uint8_t *at, int *line, int *column);
void source_close(struct source *s);
void text_place(const struct rule_text *t, const uint8_t *at, int *line, int *column);

/* Small tools for reading text. */
struct span text_trim(struct span s);
/* Cuts at the first byte of `c`; the rest, without c, stays in *s. False (and all of *s in *head) when absent. */
bool text_split(struct span *s, char c, struct span *head);
bool text_eq_nocase(struct span s, const char *word);
/* c is one of the characters of set. */
static inline bool text_is_one_of(uint8_t c, const char *set)
{
    return c != 0 && strchr(set, c) != NULL;
}
/* Decimal digits only. */
bool text_u64(struct span s, uint64_t max, uint64_t *v);
#define TEXT_SECONDS_MAX 12
/* A time: "90", "90s", "10m", "4h", "30d", from 1 second to max. And as it is written, with the longest unit that fits. */
bool text_seconds(struct span s, uint32_t max, uint32_t *seconds);
const char *text_seconds_format(uint32_t seconds, char buf[TEXT_SECONDS_MAX]);
#endif
