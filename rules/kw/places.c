/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What byte_test, byte_jump, byte_extract and byte_math share: the words of their option lists, and reading a number
 * out of a buffer.
 *
 *     relative · little, big, endian big|little|dce · string, hex, dec, oct · dce · bitmask N
 *     multiplier N · align [2|4] · from_beginning, from_end · post_offset N        where the keyword has them
 *
 * The order of work is extract, bitmask and shift, multiply, align (RULES.md 2A, 11 to 13). Numbers are unsigned, 64
 * bits wide in Suricata's rules and 32 in Snort's. dce takes the byte order from the header of the DCERPC call in hand,
 * and the test fails where there is none (14). Matching runs in workers.
 */
#include "rules/kw/places.h"

#include <ctype.h>

#include "rules/builder.h"
#include "rules/source.h"

struct draft_step *place_step_add(struct draft *d, const struct option *o)
{
    struct draft_step *s = draft_step_add(d, o->kw, o->name.p);

    if (s == NULL)
        return NULL;
    s->step.flow = STEP_AT;
    s->fresh = d->buffer_fresh;
    d->buffer_fresh = false;
    return s;
}

void place_step_follow(const struct draft *d, struct draft_step *s)
{
    const struct draft_step *last = s;

    if (d->dialect != DIALECT_SURICATA || d->buffer.base != BUF_PAYLOAD)
        return;
    while (last > d->steps)
        if ((--last)->step.flow != STEP_TEST) {
            s->step.buffer = last->step.buffer;
            return;
        }
}

struct byte_op *byte_op_new(struct draft *d, struct draft_step *s)
{
    struct byte_op *op = arena_alloc(d->b->arena, sizeof(*op));

    if (op == NULL) {
        draft_no_memory(d);
        return NULL;
    }
    op->words_only = op->cut_short = d->dialect != DIALECT_SURICATA;
    s->step.data = op;
    return op;
}

bool byte_op_field(struct draft *d, const struct option *o, struct span *rest, struct span *field)
{
    if (words_field(rest, field) && field->len > 0)
        return true;
    return draft_fail(d, o->value.p, o->kw->usage, "%s: '%.*s' has too few fields", o->kw->name,
                      TEXT_ARG(o->value));
}

/* --- words --------------------------------------------------------------------------------------------------- */

struct word_reader {
    struct draft *d;
    const struct option *o;
    struct draft_step *s;
    struct byte_op *op;
    struct span *rest;
    struct span word; /* the one in hand */
    int32_t arg;      /* from the word's row */
};

static bool read_number(struct word_reader *r, int64_t min, uint64_t max, uint64_t *v)
{
    struct span text;

    if (words_next(r->rest, &text) && words_number(text, min, max, v))
        return true;
    return draft_fail(r->d, r->word.p, r->o->kw->usage, "%s: %.*s wants a number from %lld to %llu",
                      r->o->kw->name, TEXT_ARG(r->word), (long long)min, (unsigned long long)max);
}

static bool word_relative(struct word_reader *r)
{
    return r->s->step.relative = true;
}

static bool word_little(struct word_reader *r)
{
    r->op->little = r->arg != 0;
    return true;
}

static bool word_dce(struct word_reader *r)
{
    return r->op->dce = true;
}

static bool word_endian(struct word_reader *r)
{
    static const char *const orders[] = {"big", "little", "dce"};
    size_t row;

    if (!words_find(r->d, r->o, r->rest, orders, 3, &row))
        return draft_fail(r->d, r->word.p, r->o->kw->usage, "%s: endian wants big, little or dce",
                          r->o->kw->name);
    r->op->little = row == 1;
    r->op->dce = row == 2;
    return row < 3;
}

static bool word_string(struct word_reader *r)
{
    if (r->op->base == 0)
        r->op->base = 10;
    r->s->step.flags = 1; /* said so */
    return true;
}

static bool word_base(struct word_reader *r)
{
    r->op->base = (uint8_t)r->arg;
    return true;
}

static bool word_bitmask(struct word_reader *r)
{
    uint64_t v = 0;

    if (!read_number(r, 1, UINT32_MAX, &v))
        return false;
    r->op->mask = (uint32_t)v;
    return r->op->has_mask = true;
}

static bool word_multiplier(struct word_reader *r)
{
    uint64_t v = 0;

    if (!read_number(r, 1, UINT16_MAX, &v))
        return false;
    r->op->multiplier = (uint32_t)v;
    return true;
}

/* The number may be left out; then it is 4. */
static bool word_align(struct word_reader *r)
{
    struct span peek = *r->rest, text;
    uint64_t v = 4;

    if (words_next(&peek, &text) && isdigit(text.p[0])) {
        *r->rest = peek;
        if (!words_number(text, 2, 4, &v) || v == 3)
            return draft_fail(r->d, text.p, "write align, align 2 or align 4", "%s: align %.*s",
                              r->o->kw->name, TEXT_ARG(text));
    }
    r->op->align = (uint32_t)v;
    return true;
}

static bool word_from(struct word_reader *r)
{
    if (r->op->from != FROM_HERE && r->op->from != r->arg)
        return draft_fail(r->d, r->word.p, "keep one of them", "%s: from_beginning together with from_end",
                          r->o->kw->name);
    r->op->from = (uint8_t)r->arg;
    return true;
}

static bool word_post_offset(struct word_reader *r)
{
    uint64_t v = 0;

    if (!read_number(r, -UINT16_MAX, UINT16_MAX, &v))
        return false;
    r->op->post_offset = (int32_t)(int64_t)v;
    return true;
}

static const struct byte_word_row {
    const char *word;
    bool (*read)(struct word_reader *r);
    int32_t arg;
    uint32_t needs; /* enum byte_word; 0: all keywords have it */
} word_rows[] = {
    {"relative", word_relative, 0, 0},
    {"little", word_little, 1, 0},
    {"big", word_little, 0, 0},
    {"endian", word_endian, 0, 0},
    {"string", word_string, 0, 0},
    {"hex", word_base, 16, 0},
    {"dec", word_base, 10, 0},
    {"oct", word_base, 8, 0},
    {"dce", word_dce, 0, 0},
    {"bitmask", word_bitmask, 0, 0},
    {"multiplier", word_multiplier, 0, BYTE_WORD_MULTIPLIER},
    {"align", word_align, 0, BYTE_WORD_ALIGN},
    {"from_beginning", word_from, FROM_BEGINNING, BYTE_WORD_FROM},
    {"from_end", word_from, FROM_END, BYTE_WORD_FROM},
    {"post_offset", word_post_offset, 0, BYTE_WORD_POST_OFFSET},
};

static bool read_word(struct word_reader *r, uint32_t allowed)
{
    for (size_t i = 0; i < sizeof(word_rows) / sizeof(word_rows[0]); i++)
        if (text_eq_nocase(r->word, word_rows[i].word) && (word_rows[i].needs & ~allowed) == 0) {
            r->arg = word_rows[i].arg;
            return word_rows[i].read(r);
        }
    return draft_fail(r->d, r->word.p, r->o->kw->usage, "%s: unknown word '%.*s'", r->o->kw->name,
                      TEXT_ARG(r->word));
}

bool byte_op_word(struct draft *d, const struct option *o, struct draft_step *s, struct span word,
                  struct span *rest)
{
    struct word_reader r = {
        .d = d, .o = o, .s = s, .op = (struct byte_op *)s->step.data, .rest = rest, .word = word};

    return read_word(&r, 0);
}

bool byte_op_words(struct draft *d, const struct option *o, struct draft_step *s, struct span rest,
                   uint32_t allowed)
{
    struct word_reader r = {.d = d, .o = o, .s = s, .op = (struct byte_op *)s->step.data, .rest = &rest};

    while (words_next(&rest, &r.word))
        if (!read_word(&r, allowed))
            return false;
    if (s->step.relative)
        place_step_follow(d, s);
    return true;
}

bool byte_op_check(struct draft *d, const struct option *o, struct draft_step *s, uint64_t n_min)
{
    const struct byte_op *op = s->step.data;
    uint64_t max = op->base != 0 ? BYTES_STRING_MAX : BYTES_MAX;

    if (op->base != 0 && s->step.flags == 0)
        return draft_fail(d, o->value.p, "add string, or remove hex, dec or oct",
                          "%s: hex, dec and oct say how a string is read, and there is no string",
                          o->kw->name);
    if (op->base != 0) /* 0: as many digits as there are, as Suricata reads it */
        n_min = 0;
    if (op->n_bytes.slot == 0 && (op->n_bytes.value < n_min || op->n_bytes.value > max))
        return draft_fail(d, o->value.p, o->kw->usage, "%s: %llu bytes; %llu to %llu can be read",
                          o->kw->name, (unsigned long long)op->n_bytes.value, (unsigned long long)n_min,
                          (unsigned long long)max);
    return true;
}

/* --- match ---------------------------------------------------------------------------------------------------- */

static uint64_t read_binary(struct span s, bool little)
{
    uint64_t v = 0;

    for (uint32_t i = 0; i < s.len; i++)
        v = v << 8 | s.p[little ? s.len - 1 - i : i];
    return v;
}

/* Of the call in hand; false: there is none. */
static bool dce_order(struct eval *e, bool *little)
{
    struct span b = eval_buffer(e, BUF_DCERPC_LITTLE);
    uint64_t v;

    if (b.len != sizeof(v))
        return false;
    memcpy(&v, b.p, sizeof(v));
    *little = v != 0;
    return true;
}

/* 99: no digit */
static uint32_t digit_value(uint8_t c)
{
    uint8_t lower = c | 0x20;

    if (c >= '0' && c <= '9')
        return (uint32_t)c - '0';
    return lower >= 'a' && lower <= 'f' ? (uint32_t)lower - 'a' + 10 : 99;
}

/* As strtoull() reads it: white space, a sign, 0x in base 16, digits. The number of bytes it took; 0: no number. */
static uint32_t read_string(struct span s, uint32_t base, uint64_t *v)
{
    uint32_t i = 0, first;
    bool minus = false;

    *v = 0;
    while (i < s.len && (s.p[i] == ' ' || (s.p[i] >= '\t' && s.p[i] <= '\r')))
        i++;
    if (i < s.len && (s.p[i] == '-' || s.p[i] == '+'))
        minus = s.p[i++] == '-';
    if (base == 16 && i + 2 < s.len && s.p[i] == '0' && (s.p[i + 1] | 0x20) == 'x' &&
        digit_value(s.p[i + 2]) < 16)
        i += 2;
    for (first = i; i < s.len && digit_value(s.p[i]) < base; i++)
        if (__builtin_mul_overflow(*v, (uint64_t)base, v) ||
            __builtin_add_overflow(*v, (uint64_t)digit_value(s.p[i]), v))
            return 0;
    if (minus)
        *v = 0 - *v;
    return i > first ? i : 0;
}

bool byte_op_read(const struct step *s, struct eval *e, uint64_t *v, uint32_t *end)
{
    const struct byte_op *op = s->data;
    struct span b = eval_buffer(e, s->buffer);
    uint64_t n = operand_get(op->n_bytes, e);
    int64_t from = operand_place(op->offset, e) + (s->relative ? e->cursor : -eval_origin(e, s->buffer));
    bool little = op->little;
    uint32_t took;

    if (b.p == NULL || b.len == 0 || from < 0 || from > b.len || (s->relative && from == b.len) ||
        n > (op->base != 0 ? BYTES_STRING_MAX : BYTES_MAX))
        return false;
    if (n == 0 && op->base != 0)
        n = b.len - (uint64_t)from < BYTES_STRING_MAX ? b.len - (uint64_t)from : BYTES_STRING_MAX;
    if (n > b.len - (uint64_t)from) {
        if (op->base == 0 || !op->cut_short)
            return false;
        n = b.len - (uint64_t)from;
    }
    b = span_sub(b, (uint32_t)from, (uint32_t)n);
    took = (uint32_t)n;
    if (op->dce && !dce_order(e, &little))
        return false;
    if (op->base == 0)
        *v = read_binary(b, little);
    else if ((took = read_string(b, op->base, v)) == 0)
        return false;
    if (op->has_mask && !op->mask_last)
        *v = (*v & op->mask) >> __builtin_ctz(op->mask);
    if (op->multiplier != 0)
        *v *= op->multiplier;
    if (op->align != 0 && *v % op->align != 0)
        *v += op->align - *v % op->align;
    if (op->words_only)
        *v = (uint32_t)*v;
    *end = (uint32_t)from + took;
    e->read_end = (uint32_t)(from + (int64_t)n);
    return true;
}
