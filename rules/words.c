/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Words, numbers and variables in option values.
 *
 * Variables (byte_extract, byte_math) get their slot in struct eval when the rule is loaded; a name must be defined
 * by an option before the one that uses it. Each definition has a slot of its own and a name means the last one
 * before its use, so that evaluating again from an earlier step finds the values of then. Suricata knows a variable only in the buffer it came from and takes 0
 * elsewhere, Snort knows it everywhere (RULES.md 2A, 15). Control thread.
 */
#include "rules/words.h"

#include <ctype.h>

#include "rules/source.h"

static bool parts_words(uint8_t c)
{
    return c == ',' || isspace(c);
}

bool words_next(struct span *rest, struct span *word)
{
    uint32_t from = 0, to;

    while (from < rest->len && parts_words(rest->p[from]))
        from++;
    for (to = from; to < rest->len && !parts_words(rest->p[to]); to++)
        ;
    *word = span_sub(*rest, from, to - from);
    *rest = span_sub(*rest, to, rest->len);
    return word->len > 0;
}

bool words_field(struct span *rest, struct span *field)
{
    if (rest->len == 0) {
        *field = *rest;
        return false;
    }
    text_split(rest, ',', field);
    *field = text_trim(*field);
    return true;
}

bool words_find(struct draft *d, const struct option *o, struct span *rest, const char *const *table,
                size_t n, size_t *row)
{
    struct span word;

    if (!words_next(rest, &word))
        return false;
    for (*row = 0; *row < n; ++*row)
        if (text_eq_nocase(word, table[*row]))
            return true;
    draft_fail(d, word.p, o->kw->usage, "%s: '%.*s' is no word of this option", o->kw->name, TEXT_ARG(word));
    return true;
}

static int digit_value(uint8_t c)
{
    return isdigit(c) ? c - '0' : isxdigit(c) ? tolower(c) - 'a' + 10 : 99;
}

bool words_number(struct span s, int64_t min, uint64_t max, uint64_t *v)
{
    bool minus = s.len > 0 && s.p[0] == '-';
    uint64_t n = 0, limit = minus ? (uint64_t)-min : max;
    int base = 10;

    if (minus && min >= 0)
        return false;
    if (s.len > 0 && (minus || s.p[0] == '+'))
        s = span_sub(s, 1, s.len);
    if (s.len > 2 && s.p[0] == '0' && tolower(s.p[1]) == 'x') {
        base = 16;
        s = span_sub(s, 2, s.len);
    } else if (s.len > 1 && s.p[0] == '0') {
        base = 8;
    }
    if (s.len == 0)
        return false;
    for (uint32_t i = 0; i < s.len; i++) {
        int digit = digit_value(s.p[i]);

        if (digit >= base || __builtin_mul_overflow(n, (uint64_t)base, &n) ||
            __builtin_add_overflow(n, (uint64_t)digit, &n))
            return false;
    }
    *v = minus ? (uint64_t)0 - n : n;
    return n <= limit && (minus || min <= 0 || n >= (uint64_t)min);
}

static bool is_name(struct span s)
{
    if (s.len == 0 || s.len > 64 || !(isalpha(s.p[0]) || s.p[0] == '_'))
        return false;
    for (uint32_t i = 1; i < s.len; i++)
        if (!isalnum(s.p[i]) && memchr("_.-", s.p[i], 3) == NULL)
            return false;
    return true;
}

/* The last definition of the name; n_vars when there is none. */
static uint32_t find_var(const struct draft *d, struct span name)
{
    for (uint32_t i = d->n_vars; i-- > 0;)
        if (span_eq(d->vars[i].name, name))
            return i;
    return d->n_vars;
}

bool operand_read(struct draft *d, const struct option *o, struct draft_step *s, struct span text,
                  int64_t min, uint64_t max, struct operand *out)
{
    uint32_t i;

    *out = (struct operand){0};
    if (!is_name(text)) {
        if (words_number(text, min, max, &out->value))
            return true;
        return draft_fail(d, text.p, o->kw->usage,
                          "%s: '%.*s' is no number from %lld to %llu and no variable", o->kw->name,
                          TEXT_ARG(text), (long long)min, (unsigned long long)max);
    }
    i = find_var(d, text);
    if (i == d->n_vars)
        return draft_fail(d, text.p, "define it before with byte_extract or byte_math",
                          "%s: there is no variable '%.*s' here", o->kw->name, TEXT_ARG(text));
    if (d->dialect == DIALECT_SURICATA && d->vars[i].buffer != s->step.buffer)
        return true; /* 0 */
    out->slot = (uint8_t)(i + 1);
    s->uses |= (uint16_t)(1u << i);
    return true;
}

bool operand_define(struct draft *d, const struct option *o, struct draft_step *s, struct span name,
                    uint8_t *index)
{
    uint32_t i = d->n_vars;

    if (!is_name(name))
        return draft_fail(d, name.p, "begin it with a letter; letters, digits and . _ - may follow",
                          "%s: '%.*s' is no name for a variable", o->kw->name, TEXT_ARG(name));
    if (i == VARS_MAX)
        return draft_fail(d, name.p, "split the rule", "%s: more than %d variables in one rule", o->kw->name,
                          VARS_MAX);
    d->n_vars++;
    d->vars[i] = (struct draft_var){.name = name, .buffer = s->step.buffer};
    s->sets |= (uint16_t)(1u << i);
    *index = (uint8_t)i;
    return true;
}
