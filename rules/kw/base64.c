/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base64_decode: decodes what stands at a place of the buffer; base64_data: what follows looks into the result.
 *
 *     base64_decode:bytes N, offset N, relative;
 *
 * All words may be left out. At most `bytes` of encoded text are read, up to the first byte that is not of the
 * alphabet; the break of a folded header line is passed over, as in Snort. The option holds when at least one byte came out. The result
 * lives in the worker's scratch while the rule is evaluated: it is made anew when a search before it goes on, so
 * the contents behind base64_data take part in backtracking, and long texts use up steps. Matching runs in workers.
 */
#include "rules/kw/places.h"

#include "rules/eval_scratch.h"
#include "rules/words.h"

#define STEP_BYTES \
    128 /* of encoded text cost what a step costs: every place a search finds may decode all that follows */

static bool parse_base64_decode(struct draft *d, const struct option *o)
{
    enum { BYTES, OFFSET, RELATIVE, N_WORDS };
    static const char *const words[N_WORDS] = {"bytes", "offset", "relative"};
    struct draft_step *s = place_step_add(d, o);
    uint64_t number[] = {[BYTES] = BASE64_MAX, [OFFSET] = 0};
    struct span rest = o->value, text;
    size_t row;

    if (s == NULL)
        return false;
    while (words_find(d, o, &rest, words, N_WORDS, &row)) {
        if (row == N_WORDS)
            return false;
        if (row == RELATIVE) {
            s->step.relative = true;
            continue;
        }
        if (!words_next(&rest, &text) || !words_number(text, row == BYTES, BASE64_MAX, &number[row]))
            return draft_fail(d, o->value.p, o->kw->usage, "base64_decode: %s wants a number up to %d",
                              words[row], BASE64_MAX);
    }
    place_step_follow(d, s);
    s->step.a = (int32_t)number[OFFSET];
    s->step.b = (int32_t)number[BYTES];
    return true;
}

/* The alphabet (RFC 4648, 4): its values plus 1; 0: not of it. */
static const uint8_t alphabet[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64,
};

/* Behind a line break and the blanks that say the line goes on (a folded header); i when there is none. */
static uint32_t skip_fold(struct span in, uint32_t i)
{
    uint32_t j = i;

    if (j < in.len && in.p[j] == '\r')
        j++;
    if (j + 1 >= in.len || in.p[j] != '\n' || (in.p[j + 1] != ' ' && in.p[j + 1] != '\t'))
        return i;
    for (j++; j < in.len && (in.p[j] == ' ' || in.p[j] == '\t'); j++)
        ;
    return j;
}

/* *used: how many bytes of the text that took. */
static uint32_t decode(struct span in, uint8_t *out, uint32_t *used)
{
    uint32_t bits = 0, n_bits = 0, n = 0;

    for (uint32_t i = 0; i < in.len; i++) {
        uint32_t v = alphabet[in.p[i]];

        if (v == 0) {
            i = skip_fold(in, i);
            v = i < in.len ? alphabet[in.p[i]] : 0;
            if (v == 0) /* padding ends it, too */
                break;
        }
        *used = i + 1;
        bits = bits << 6 | (v - 1);
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            out[n++] = (uint8_t)(bits >> n_bits);
        }
    }
    return n;
}

static bool match_base64_decode(const struct step *s, struct eval *e)
{
    struct span b = eval_buffer(e, s->buffer);
    int64_t from = (int64_t)s->a + (s->relative ? e->cursor : -eval_origin(e, s->buffer));
    uint32_t n, used = 0;

    e->buf[BUF_BASE64] = span_of(NULL, 0);
    if (b.p == NULL || from < 0 || from >= b.len)
        return false;
    n = decode(span_sub(b, (uint32_t)from, (uint32_t)s->b), e->scratch->base64, &used);
    e->steps_left -= used / STEP_BYTES < e->steps_left ? used / STEP_BYTES : e->steps_left;
    if (n == 0)
        return false;
    e->read_end = (uint32_t)from + used;
    eval_buffer_set(e, BUF_BASE64, span_of(e->scratch->base64, n));
    return true;
}

static bool parse_base64_data(struct draft *d, const struct option *o)
{
    uint32_t i = 0;

    while (i < d->n_steps && d->steps[i].kw != &kw_base64_decode)
        i++;
    if (i == d->n_steps)
        return draft_fail(d, o->name.p, "write base64_decode; before it",
                          "base64_data without base64_decode");
    draft_buffer_set(d, BUF_BASE64);
    return true;
}

const struct keyword kw_base64_decode = {
    .name = "base64_decode",
    .usage = "write base64_decode; or base64_decode:bytes N, offset N, relative;",
    .value = VALUE_OPTIONAL,
    .flags = KEYWORD_ONCE,
    .parse = parse_base64_decode,
    .match = match_base64_decode,
};

const struct keyword kw_base64_data = {
    .name = "base64_data",
    .usage = "write base64_data;",
    .value = VALUE_NONE,
    .parse = parse_base64_data,
};
