/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * content: the bytes a rule looks for, and where.
 *
 * At load, text becomes bytes (|41 42| is hexadecimal, backslash escapes ; : " and \) and the modifiers that
 * follow it (rules/kw/content_modifiers.c) become a window. At match time the window is computed from the cursor
 * when the content is relative, or from the buffer's start:
 *
 *     absolute   [offset, offset + depth)
 *     relative   [cursor + distance, cursor + distance + within), its start never before the buffer
 *
 * and the whole pattern must lie inside it (RULES.md 2A, 3 and 4). A negated content holds when the pattern is not
 * in its window, so also when the window starts behind the buffer's end (7), and moves no cursor. Where the buffer is the
 * last part of a stream, offset and depth are counted from the stream's first byte (eval_origin): what had to stand
 * before that part is not there.
 *
 * Matching runs in workers: no writes but to struct eval, no allocation.
 */
#include <ctype.h>

#include "rules/builder.h"
#include "rules/keywords.h"
#include "rules/kw/content.h"
#include "rules/source.h"
#include "rules/words.h"

/* ASCII, whatever the locale */
static inline uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

enum content_flag { CONTENT_NOCASE = 1 << 0, CONTENT_ENDS = 1 << 1 };

/* --- load ------------------------------------------------------------------------------------------------- */

static int hex_value(uint8_t c)
{
    return isdigit(c) ? c - '0' : isxdigit(c) ? lower(c) - 'a' + 10 : -1;
}

/* The bytes of |..|, from s.p[*i] == '|' to the closing bar. */
static bool parse_hex(struct draft *d, struct span s, uint32_t *i, uint8_t *out, uint32_t *n)
{
    uint32_t from = *i, digits = 0;
    int high = 0;

    for (++*i; *i < s.len && s.p[*i] != '|'; ++*i) {
        int v = hex_value(s.p[*i]);

        if (s.p[*i] == ' ')
            continue;
        if (v < 0)
            return draft_fail(d, s.p + *i, "write hexadecimal digits and blanks between the bars",
                              "content: '%c' is no hexadecimal digit", isprint(s.p[*i]) ? s.p[*i] : '?');
        if (digits++ % 2 == 0)
            high = v;
        else
            out[(*n)++] = (uint8_t)(high << 4 | v);
    }
    if (*i >= s.len)
        return draft_fail(d, s.p + from, "add the '|', or write |7c| for a bar",
                          "content: '|' without its other '|'");
    if (digits % 2 != 0)
        return draft_fail(d, s.p + from, "write two digits for each byte",
                          "content: an odd number of hexadecimal digits");
    return true;
}

bool content_parse_bytes(struct draft *d, struct span s, uint8_t *out, uint32_t *n)
{
    for (uint32_t i = 0; i < s.len; i++) {
        uint8_t c = s.p[i];

        if (c == '|') {
            if (!parse_hex(d, s, &i, out, n))
                return false;
            continue;
        }
        if (c == '"')
            return draft_fail(d, s.p + i, "write \\\" or |22|", "content: a bare quote inside the text");
        if (c == '\\') {
            i++;
            if (i >= s.len || !text_is_one_of(s.p[i], ";:\"\\"))
                return draft_fail(d, s.p + i - 1, "write \\\\ for a backslash, |7c| for a bar",
                                  "content: a backslash may only stand before ; : \" and \\");
            c = s.p[i];
        }
        out[(*n)++] = c;
    }
    return true;
}

static bool parse_content(struct draft *d, const struct option *o)
{
    struct draft_step *s;
    uint8_t *bytes = arena_alloc(d->b->arena, o->value.len);
    uint32_t n = 0;

    d->last_content = NULL; /* its modifiers must not fall to an earlier one */
    if (bytes == NULL)
        return draft_no_memory(d);
    s = draft_step_add(d, o->kw, o->name.p);
    if (s == NULL)
        return false;
    d->last_content = s;
    s->step.flow = STEP_SEARCH;
    s->fresh = d->buffer_fresh;
    d->buffer_fresh = false;
    s->step.negated = o->negated;
    if (!content_parse_bytes(d, o->value, bytes, &n))
        return false;
    if (n == 0 || n > CONTENT_MAX)
        return draft_fail(d, o->value.p, "write 1 to 8192 bytes", "content: %s",
                          n == 0 ? "no bytes" : "too long");
    s->literal = span_of(bytes, n);
    s->step.data = bytes;
    s->step.len = (uint16_t)n;
    return o->list.len == 0 || content_parse_list(d, o->list);
}

static bool check_places(struct draft *d, struct draft_step *s)
{
    uint32_t n = s->literal.len;

    if ((s->has & (LITERAL_OFFSET | LITERAL_DEPTH)) && (s->has & (LITERAL_DISTANCE | LITERAL_WITHIN)))
        return draft_fail(
            d, s->at,
            "use offset and depth from the buffer's start, or distance and within from the last match",
            "content: offset or depth together with distance or within");
    if ((s->has & LITERAL_STARTS) &&
        (s->has & (LITERAL_OFFSET | LITERAL_DEPTH | LITERAL_DISTANCE | LITERAL_WITHIN)))
        return draft_fail(d, s->at, "remove one of them: startswith means offset:0; depth:<length>;",
                          "content: startswith together with offset, depth, distance or within");
    if ((s->has & LITERAL_DEPTH) && s->step.d == 0 && s->depth < (int32_t)n)
        return draft_fail(d, s->at, "make depth at least as large as the content",
                          "content: depth %d cannot hold the %u bytes of the content", s->depth, n);
    if ((s->has & LITERAL_WITHIN) && s->step.d == 0 && s->within < (int32_t)n)
        return draft_fail(d, s->at, "make within at least as large as the content",
                          "content: within %d cannot hold the %u bytes of the content", s->within, n);
    return true;
}

static bool check_content(struct draft *d, struct draft_step *s)
{
    struct step *st = &s->step;

    if (s->literal.p == NULL || !check_places(d, s))
        return false;
    if (s->has & LITERAL_STARTS) {
        s->has |= LITERAL_OFFSET | LITERAL_DEPTH;
        s->offset = 0;
        s->depth = (int32_t)s->literal.len;
    }
    st->relative = (s->has & (LITERAL_DISTANCE | LITERAL_WITHIN)) != 0;
    st->a = st->relative ? s->distance : s->offset;
    st->b = WINDOW_OPEN;
    if (s->has & LITERAL_DEPTH)
        st->b = s->depth;
    if (s->has & LITERAL_WITHIN)
        st->b = s->within;
    st->flags = (uint8_t)((s->has & LITERAL_NOCASE ? CONTENT_NOCASE : 0) |
                          (s->has & LITERAL_ENDS ? CONTENT_ENDS : 0));
    st->replaces = (s->has & LITERAL_REPLACE) != 0;
    if (s->has & LITERAL_NOCASE) {
        uint8_t *bytes = (uint8_t *)s->literal.p; /* ours, in the arena */

        for (uint32_t i = 0; i < s->literal.len; i++)
            bytes[i] = lower(bytes[i]);
    }
    if ((s->has & LITERAL_FAST_PART) && s->fast_offset + s->fast_len > s->literal.len)
        return draft_fail(d, s->at, "keep offset + length within the content",
                          "fast_pattern:%u,%u is outside the %u bytes of the content", s->fast_offset,
                          s->fast_len, s->literal.len);
    return true;
}

/* --- match ------------------------------------------------------------------------------------------------- */

static bool equal_nocase(const uint8_t *p, const uint8_t *pattern, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (lower(p[i]) != pattern[i])
            return false;
    return true;
}

/* The first place in [lo, hi) where the whole pattern stands; hi when there is none. */
static uint32_t find(const struct step *s, const uint8_t *buf, uint32_t lo, uint32_t hi)
{
    const uint8_t *pattern = s->data;

    if (!(s->flags & CONTENT_NOCASE)) {
        const uint8_t *hit = memmem(buf + lo, hi - lo, pattern, s->len);

        return hit != NULL ? (uint32_t)(hit - buf) : hi;
    }
    for (uint32_t i = lo; i + s->len <= hi; i++)
        if (lower(buf[i]) == pattern[0] && equal_nocase(buf + i, pattern, s->len))
            return i;
    return hi;
}

/* A number of the rule, or the value of the variable in a slot. */
static inline int64_t place_of(int32_t number, int32_t slot, const struct eval *e)
{
    return slot == 0 ? number : operand_place((struct operand){.slot = (uint8_t)slot}, e);
}

static bool match_content(const struct step *s, struct eval *e)
{
    struct span b = eval_buffer(e, s->buffer);
    int64_t lo = place_of(s->a, s->c, e), hi = b.len;
    uint32_t at;

    if (b.p == NULL)
        return false;
    lo += s->relative ? e->cursor : -eval_origin(e, s->buffer);
    if (s->b != WINDOW_OPEN && lo + place_of(s->b, s->d, e) < hi)
        hi = lo + place_of(s->b, s->d, e);
    if (lo < e->search_from)
        lo = e->search_from;
    if (lo + s->len > hi)
        return s->negated;
    if (s->flags & CONTENT_ENDS) { /* only one place can end at the buffer's end */
        if (hi != b.len)
            return s->negated;
        lo = hi - s->len;
    }
    at = find(s, b.p, (uint32_t)lo, (uint32_t)hi);
    if (s->negated)
        return at == hi;
    if (at == hi)
        return false;
    e->match_start = at;
    e->cursor = at + s->len;
    return true;
}

const struct keyword kw_content = {
    .name = "content",
    .usage = "write content:\"text |0d 0a|\"; or content:!\"text\";",
    .value = VALUE_QUOTED,
    .flags = KEYWORD_NEGATED,
    .list = true,
    .parse = parse_content,
    .check = check_content,
    .match = match_content,
};
