/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_KW_PLACES_H
#define SLUICE_RULES_KW_PLACES_H
/* Private to rules/. What keywords that look at one place of a buffer (STEP_AT) have in common. */
#include "rules/words.h"

/* A step of the keyword in the buffer in force, or NULL (reported). */
struct draft_step *place_step_add(struct draft *d, const struct option *o);
/*
 * When all words of the option are read: in Suricata's rules an option without a sticky buffer that starts from the
 * last match looks into the buffer of that match (RULES.md 2A, 10).
 */
void place_step_follow(const struct draft *d, struct draft_step *s);

/* How byte_test, byte_jump, byte_extract and byte_math read a number, and what may follow. In the arena. */
struct byte_op {
    struct operand n_bytes, offset, value; /* value: byte_test's, byte_math's rvalue */
    uint32_t mask;                         /* when has_mask: ANDed, then shifted by its trailing zeros */
    uint32_t multiplier, align;            /* 0: none */
    int32_t post_offset;
    uint8_t base; /* of digits; 0: a binary number */
    uint8_t op;   /* byte_test, byte_math: place in the keyword's table */
    uint8_t var;  /* byte_extract, byte_math: the variable set */
    uint8_t from; /* byte_jump: enum byte_from */
    bool little, has_mask, negated;
    bool dce;       /* as the DCERPC header says: BUF_DCERPC_LITTLE */
    bool mask_last; /* byte_math in Suricata: the mask is for the result */
    bool cut_short; /* Snort: fewer digits when the buffer ends (RULES.md 2A, 12) */
    bool
        words_only; /* Snort: values have 32 bits; a jump may end at the buffer's end, not before its start */
};

enum byte_from { FROM_HERE, FROM_BEGINNING, FROM_END };

enum byte_word { /* bits: what a keyword's option list may hold beside what all have */
                 BYTE_WORD_MULTIPLIER = 1 << 0,
                 BYTE_WORD_ALIGN = 1 << 1,
                 BYTE_WORD_FROM = 1 << 2,
                 BYTE_WORD_POST_OFFSET = 1 << 3,
};

#define BYTES_MAX        8  /* of a binary number */
#define BYTES_STRING_MAX 23 /* digits: 2^64 in octal with its leading 0 */

/* A byte_op for the step, in the arena; NULL: no memory (reported). */
struct byte_op *byte_op_new(struct draft *d, struct draft_step *s);
/* The words behind the positional ones; allowed: enum byte_word. False: reported. */
bool byte_op_words(struct draft *d, const struct option *o, struct draft_step *s, struct span rest,
                   uint32_t allowed);
/* One of them; its argument, when it has one, is taken off rest. */
bool byte_op_word(struct draft *d, const struct option *o, struct draft_step *s, struct span word,
                  struct span *rest);
/* When all is read: what does not fit together is refused. n_min: the smallest number of bytes of a binary number; 0
 * bytes of a string are all its digits. */
bool byte_op_check(struct draft *d, const struct option *o, struct draft_step *s, uint64_t n_min);
/* Reads it: *v and where the bytes end. False when they are not there or are no digits. */
bool byte_op_read(const struct step *s, struct eval *e, uint64_t *v, uint32_t *end);
/* The next comma-separated field, which must be there. */
bool byte_op_field(struct draft *d, const struct option *o, struct span *rest, struct span *field);
#endif
