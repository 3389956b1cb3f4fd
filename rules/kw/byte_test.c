/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * byte_test: compares a number in the buffer with a value.
 *
 *     byte_test:bytes, [!]operator, value, offset [, words of rules/kw/places.c];
 *
 * Operators are < > = <= >= & ^; ! before one turns it round, and alone means "not equal". & holds when any bit is
 * common, ^ when the numbers differ, whatever manuals call it (RULES.md 2A, 11). A number that cannot be read, because
 * the buffer ends or there is no digit, makes the test fail, with ! too. Matching runs in workers.
 */
#include "rules/kw/places.h"

#include "rules/source.h"

enum { OP_EQ, OP_LT, OP_GT, OP_LE, OP_GE, OP_AND, OP_XOR };

static const char *const signs[] = {[OP_EQ] = "=",  [OP_LT] = "<",  [OP_GT] = ">", [OP_LE] = "<=",
                                    [OP_GE] = ">=", [OP_AND] = "&", [OP_XOR] = "^"};

static bool parse_operator(struct draft *d, const struct option *o, struct span text, struct byte_op *op)
{
    struct span sign = text;

    if (sign.p[0] == '!') {
        op->negated = true;
        sign = text_trim(span_sub(sign, 1, sign.len));
        if (sign.len == 0) /* "!" alone */
            return true;
    }
    for (op->op = 0; op->op < sizeof(signs) / sizeof(signs[0]); op->op++)
        if (span_eq_str(sign, signs[op->op]))
            return true;
    return draft_fail(d, text.p, o->kw->usage, "byte_test: '%.*s' is no operator", TEXT_ARG(text));
}

static bool parse_byte_test(struct draft *d, const struct option *o)
{
    struct draft_step *s = place_step_add(d, o);
    struct span rest = o->value, n_bytes, sign, value, offset;
    struct byte_op *op;

    if (s == NULL || (op = byte_op_new(d, s)) == NULL)
        return false;
    return byte_op_field(d, o, &rest, &n_bytes) && byte_op_field(d, o, &rest, &sign) &&
           byte_op_field(d, o, &rest, &value) && byte_op_field(d, o, &rest, &offset) &&
           parse_operator(d, o, sign, op) && byte_op_words(d, o, s, rest, 0) &&
           operand_read(d, o, s, n_bytes, 0, BYTES_STRING_MAX, &op->n_bytes) &&
           operand_read(d, o, s, value, 0, UINT64_MAX, &op->value) &&
           operand_read(d, o, s, offset, -INT32_MAX, INT32_MAX, &op->offset) && byte_op_check(d, o, s, 1);
}

static bool compare(uint8_t op, uint64_t v, uint64_t value)
{
    switch (op) {
    case OP_LT:
        return v < value;
    case OP_GT:
        return v > value;
    case OP_LE:
        return v <= value;
    case OP_GE:
        return v >= value;
    case OP_AND:
        return (v & value) != 0;
    case OP_XOR:
        return (v ^ value) != 0;
    default:
        return v == value;
    }
}

static bool match_byte_test(const struct step *s, struct eval *e)
{
    const struct byte_op *op = s->data;
    uint64_t v;
    uint32_t end;

    return byte_op_read(s, e, &v, &end) && compare(op->op, v, operand_get(op->value, e)) != op->negated;
}

const struct keyword kw_byte_test = {
    .name = "byte_test",
    .usage = "write byte_test:bytes,operator,value,offset[,relative][,little|big][,string,hex|dec|oct][,dce]"
             "[,bitmask N]; with an operator of < > = <= >= & ^, ! before it",
    .value = VALUE_PLAIN,
    .parse = parse_byte_test,
    .match = match_byte_test,
};
