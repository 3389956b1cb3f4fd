/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * byte_extract and byte_math: read a number into a variable, which later options of the rule use where they take
 * numbers (rules/words.c).
 *
 *     byte_extract:bytes, offset, name [, words of rules/kw/places.c] [, multiplier N] [, align 2|4];
 *     byte_math:bytes N, offset N, oper + | - | * | / | << | >>, rvalue N, result name [, the same words];
 *
 * Both leave the cursor behind the bytes they read. byte_math's words may come in any order; its bitmask applies to
 * what the operation gave in Suricata's rules, to what was read in Snort's. A division by 0 fails, and so does a shift by 64 bits or more,
 * which has no meaning in C and gives Suricata a number of the processor's. Matching runs in workers.
 */
#include "rules/kw/places.h"

#include "rules/source.h"

static bool parse_byte_extract(struct draft *d, const struct option *o)
{
    struct draft_step *s = place_step_add(d, o);
    struct span rest = o->value, n_bytes, offset, name;
    struct byte_op *op;

    if (s == NULL || (op = byte_op_new(d, s)) == NULL)
        return false;
    return byte_op_field(d, o, &rest, &n_bytes) && byte_op_field(d, o, &rest, &offset) &&
           byte_op_field(d, o, &rest, &name) &&
           byte_op_words(d, o, s, rest, BYTE_WORD_MULTIPLIER | BYTE_WORD_ALIGN) &&
           operand_read(d, o, s, n_bytes, 0, BYTES_STRING_MAX, &op->n_bytes) &&
           operand_read(d, o, s, offset, -UINT16_MAX, UINT16_MAX, &op->offset) && byte_op_check(d, o, s, 1) &&
           operand_define(d, o, s, name, &op->var);
}

static bool match_byte_extract(const struct step *s, struct eval *e)
{
    const struct byte_op *op = s->data;
    uint32_t end;
    uint64_t v;

    if (!byte_op_read(s, e, &v, &end))
        return false;
    e->var[op->var] = v;
    e->cursor = end;
    return true;
}

/* --- byte_math ------------------------------------------------------------------------------------------------ */

enum { MATH_ADD, MATH_SUBTRACT, MATH_MULTIPLY, MATH_DIVIDE, MATH_LEFT, MATH_RIGHT, MATH_N };
static const char *const math_signs[MATH_N] = {"+", "-", "*", "/", "<<", ">>"};

enum { FIELD_BYTES, FIELD_OFFSET, FIELD_OPER, FIELD_RVALUE, FIELD_RESULT, N_FIELDS };
static const char *const field_words[N_FIELDS] = {"bytes", "offset", "oper", "rvalue", "result"};

/* The five named fields; every other word goes to the step. */
static bool split_math(struct draft *d, const struct option *o, struct draft_step *s,
                       struct span field[N_FIELDS])
{
    struct span rest = o->value, word;

    while (words_next(&rest, &word)) {
        size_t row = 0;

        while (row < N_FIELDS && !text_eq_nocase(word, field_words[row]))
            row++;
        if (row == N_FIELDS) {
            if (!byte_op_word(d, o, s, word, &rest))
                return false;
        } else if (field[row].len > 0 || !words_next(&rest, &field[row])) {
            return draft_fail(d, word.p, o->kw->usage, "byte_math: %s %s", field_words[row],
                              field[row].len > 0 ? "stands twice" : "has no value");
        }
    }
    for (size_t row = 0; row < N_FIELDS; row++)
        if (field[row].len == 0)
            return draft_fail(d, o->value.p, o->kw->usage, "byte_math: %s is missing", field_words[row]);
    return true;
}

static bool parse_oper(struct draft *d, const struct option *o, struct span text, struct byte_op *op)
{
    for (op->op = 0; op->op < MATH_N; op->op++)
        if (span_eq_str(text, math_signs[op->op]))
            return true;
    return draft_fail(d, text.p, o->kw->usage, "byte_math: '%.*s' is no operation", TEXT_ARG(text));
}

static bool parse_byte_math(struct draft *d, const struct option *o)
{
    struct draft_step *s = place_step_add(d, o);
    struct span field[N_FIELDS] = {{0}};
    struct byte_op *op;

    if (s == NULL || (op = byte_op_new(d, s)) == NULL || !split_math(d, o, s, field))
        return false;
    op->mask_last = d->dialect == DIALECT_SURICATA;
    if (s->step.relative)
        place_step_follow(d, s);
    if (!parse_oper(d, o, field[FIELD_OPER], op) ||
        !operand_read(d, o, s, field[FIELD_BYTES], 0, BYTES_STRING_MAX, &op->n_bytes) ||
        !operand_read(d, o, s, field[FIELD_OFFSET], -UINT16_MAX, UINT16_MAX, &op->offset) ||
        !operand_read(d, o, s, field[FIELD_RVALUE], 0, UINT32_MAX, &op->value) || !byte_op_check(d, o, s, 1))
        return false;
    if (op->op == MATH_DIVIDE && op->value.slot == 0 && op->value.value == 0)
        return draft_fail(d, field[FIELD_RVALUE].p, "divide by another number", "byte_math: division by 0");
    return operand_define(d, o, s, field[FIELD_RESULT], &op->var);
}

static bool calculate(uint8_t op, uint64_t *v, uint64_t by)
{
    switch (op) {
    case MATH_ADD:
        *v += by;
        return true;
    case MATH_SUBTRACT:
        *v -= by;
        return true;
    case MATH_MULTIPLY:
        *v *= by;
        return true;
    case MATH_DIVIDE:
        *v = by != 0 ? *v / by : 0;
        return by != 0;
    case MATH_LEFT:
        *v = by < 64 ? *v << by : 0;
        return by < 64;
    default:
        *v = by < 64 ? *v >> by : 0;
        return by < 64;
    }
}

static bool match_byte_math(const struct step *s, struct eval *e)
{
    const struct byte_op *op = s->data;
    uint32_t end;
    uint64_t v;

    if (!byte_op_read(s, e, &v, &end) || !calculate(op->op, &v, operand_get(op->value, e)))
        return false;
    if (op->words_only)
        v = (uint32_t)v;
    if (op->has_mask && op->mask_last)
        v = (v & op->mask) >> __builtin_ctz(op->mask);
    e->var[op->var] = v;
    e->cursor = end;
    return true;
}

const struct keyword kw_byte_extract = {
    .name = "byte_extract",
    .usage =
        "write byte_extract:bytes,offset,name[,relative][,multiplier N][,little|big][,string,hex|dec|oct]"
        "[,align 2|4][,dce][,bitmask N];",
    .value = VALUE_PLAIN,
    .flags = KEYWORD_MOVES,
    .parse = parse_byte_extract,
    .match = match_byte_extract,
};

const struct keyword kw_byte_math = {
    .name = "byte_math",
    .usage = "write byte_math:bytes N,offset N,oper +|-|*|/|<<|>>,rvalue N,result name[,relative]"
             "[,endian big|little|dce][,string hex|dec|oct][,dce][,bitmask N];",
    .value = VALUE_PLAIN,
    .flags = KEYWORD_MOVES,
    .parse = parse_byte_math,
    .match = match_byte_math,
};
