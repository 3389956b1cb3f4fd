/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * byte_jump: reads a number and moves the cursor by it.
 *
 *     byte_jump:bytes, offset [, words of rules/kw/places.c] [, multiplier N] [, align [2|4]]
 *               [, from_beginning | from_end] [, post_offset N];
 *
 * Extract, mask, multiply, align, add post_offset, then from behind what was read, from the buffer's beginning or
 * from its end (RULES.md 2A, 13). The end itself is a place, what lies behind it is none; a place before the buffer
 * is its start in Suricata's rules, and none in Snort's. With 0 bytes and without string nothing is read and the
 * number is 0: byte_jump:0,0,from_end,post_offset -8. Matching runs in workers.
 */
#include "rules/kw/places.h"

static bool parse_byte_jump(struct draft *d, const struct option *o)
{
    struct draft_step *s = place_step_add(d, o);
    struct span rest = o->value, n_bytes, offset;
    struct byte_op *op;

    if (s == NULL || (op = byte_op_new(d, s)) == NULL)
        return false;
    return byte_op_field(d, o, &rest, &n_bytes) && byte_op_field(d, o, &rest, &offset) &&
           byte_op_words(d, o, s, rest,
                         BYTE_WORD_MULTIPLIER | BYTE_WORD_ALIGN | BYTE_WORD_FROM | BYTE_WORD_POST_OFFSET) &&
           operand_read(d, o, s, n_bytes, 0, BYTES_STRING_MAX, &op->n_bytes) &&
           operand_read(d, o, s, offset, -UINT16_MAX, UINT16_MAX, &op->offset) && byte_op_check(d, o, s, 0);
}

static bool match_byte_jump(const struct step *s, struct eval *e)
{
    const struct byte_op *op = s->data;
    int64_t len, jump, to, first = -eval_origin(e, s->buffer);
    uint64_t v;
    uint32_t end;

    if (!byte_op_read(s, e, &v, &end))
        return false;
    len = eval_buffer(e, s->buffer).len;
    jump = (int64_t)v;
    if (op->words_only && jump > INT32_MAX) /* Snort adds in 32 bits */
        jump = (int32_t)(uint32_t)v;
    if (jump > PLACE_FAR || jump < -PLACE_FAR)
        jump = jump > 0 ? PLACE_FAR : -PLACE_FAR;
    to = jump + op->post_offset + (op->from == FROM_BEGINNING ? first : op->from == FROM_END ? len : end);
    if (to < 0 && !op->words_only)
        to = 0;
    if (to < 0 || to > len)
        return false;
    e->cursor = (uint32_t)to;
    return true;
}

const struct keyword kw_byte_jump = {
    .name = "byte_jump",
    .usage = "write byte_jump:bytes,offset[,relative][,multiplier N][,little|big][,string,hex|dec|oct]"
             "[,align][,from_beginning|from_end][,post_offset N][,dce][,bitmask N];",
    .value = VALUE_PLAIN,
    .flags = KEYWORD_MOVES,
    .parse = parse_byte_jump,
    .match = match_byte_jump,
};
