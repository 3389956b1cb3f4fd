/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The longest run of bytes that must stand in whatever a regular expression matches, as a literal for the
 * prefilter (rules/fastpattern.c).
 *
 * The expression is read once, left to right. Plain characters make a run; whatever may match different bytes
 * (a class, a dot, a back-reference, a group) ends it. A quantifier that allows zero takes its character, or all that
 * its group found, back. An alternation finds nothing, on its level. Assertions match no bytes: ^, $ and \b do not
 * end a run, and what a look-around holds is passed over.
 *
 * PCRE2 has already accepted the expression. Where this reader is not certain what PCRE2 understood (verbs,
 * conditions, comments, extended layout, unknown escapes) it gives up and there is no literal: a missing literal
 * costs time, a wrong one would lose a match. Control thread; owns nothing.
 */
#include "rules/pcre_literal.h"

#include <ctype.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

struct reader {
    struct span text;
    uint32_t at;
    bool nocase;
    bool lost; /* something that this reader does not know: no literal */
    uint32_t depth;
};

#define DEPTH_MAX 250

static bool more(const struct reader *r)
{
    return !r->lost && r->at < r->text.len;
}

static uint8_t peek(const struct reader *r, uint32_t ahead)
{
    return r->at + ahead < r->text.len ? r->text.p[r->at + ahead] : 0;
}

static void keep_longer(struct pcre_literal *best, const struct pcre_literal *run)
{
    if (run->len > best->len)
        *best = *run;
}

static void append(struct pcre_literal *run, uint8_t c)
{
    if (run->len < PCRE_LITERAL_MAX)
        run->bytes[run->len++] = c;
}

/* --- quantifiers --------------------------------------------------------------------------------------------- */

struct repeat {
    bool any;  /* there is a quantifier */
    bool zero; /* it allows none */
};

/* {n} {n,} {n,m}; anything else in braces is plain text. */
static bool read_braces(struct reader *r, struct repeat *q)
{
    uint32_t i = 1;
    bool digit = false, nonzero = false;

    for (; isdigit(peek(r, i)); i++) {
        digit = true;
        nonzero |= peek(r, i) != '0';
    }
    if (!digit) {
        r->lost = peek(r, i) == ',' || isspace(peek(r, i)); /* {,m}: plain text or not, by PCRE2's version */
        return false;
    }
    if (peek(r, i) == ',')
        for (i++; isdigit(peek(r, i));)
            i++;
    if (peek(r, i) != '}') {
        r->lost = isspace(peek(r, i));
        return false;
    }
    r->at += i + 1;
    *q = (struct repeat){.any = true, .zero = !nonzero};
    return true;
}

static struct repeat read_repeat(struct reader *r)
{
    struct repeat q = {0};

    switch (peek(r, 0)) {
    case '?':
    case '*':
        q = (struct repeat){.any = true, .zero = true};
        r->at++;
        break;
    case '+':
        q.any = true;
        r->at++;
        break;
    case '{':
        if (!read_braces(r, &q))
            return q;
        break;
    default:
        return q;
    }
    if (peek(r, 0) == '?' || peek(r, 0) == '+') /* lazy, possessive */
        r->at++;
    return q;
}

/* --- single items -------------------------------------------------------------------------------------------- */

enum item { ITEM_BYTE, ITEM_NOTHING, ITEM_OTHER }; /* this byte; no bytes; some bytes */

static int hex_digit(uint8_t c)
{
    return isdigit(c) ? c - '0' : isxdigit(c) ? tolower(c) - 'a' + 10 : -1;
}

static enum item read_hex(struct reader *r, uint8_t *c)
{
    int hi = hex_digit(peek(r, 0)), lo = hex_digit(peek(r, 1));

    if (hi < 0 || lo < 0) { /* \x{..}, \x5, \x */
        r->lost = true;
        return ITEM_OTHER;
    }
    *c = (uint8_t)(hi << 4 | lo);
    r->at += 2;
    return ITEM_BYTE;
}

/* Behind a backslash. */
static enum item read_escape(struct reader *r, uint8_t *c)
{
    static const char bytes[] = "n\nr\rt\tf\fe\033a\a";
    uint8_t e = peek(r, 0);

    r->at++;
    for (const char *b = bytes; *b != '\0'; b += 2)
        if ((uint8_t)b[0] == e) {
            *c = (uint8_t)b[1];
            return ITEM_BYTE;
        }
    if (e == 'x')
        return read_hex(r, c);
    if (!isalnum(e)) {
        *c = e;
        return ITEM_BYTE;
    }
    if (strchr("dDwWsShHvVNRX", e) != NULL)
        return ITEM_OTHER;
    if (strchr("bBAZzG", e) != NULL)
        return ITEM_NOTHING;
    if (e >= '1' && e <= '9' && !isdigit(peek(r, 0)))
        return ITEM_OTHER; /* a back-reference */
    r->lost = true;
    return ITEM_OTHER;
}

/* Behind '['. A class of one character is that character. */
static enum item read_class(struct reader *r, uint8_t *c)
{
    uint32_t n = 0;
    bool negated = peek(r, 0) == '^', wide = negated;

    r->at += negated;
    while (more(r)) {
        uint8_t b = peek(r, 0);

        if (b == ']' && n > 0) {
            r->at++;
            return n == 1 && !wide ? ITEM_BYTE : ITEM_OTHER;
        }
        r->at++;
        n++;
        if (b == '[' && (peek(r, 0) == ':' || peek(r, 0) == '.' || peek(r, 0) == '=')) {
            uint8_t kind = peek(r, 0);
            uint32_t i = 1;

            while (isalpha(peek(r, i)) || peek(r, i) == '^')
                i++;
            wide = true;
            if (peek(r, i) == kind && peek(r, i + 1) == ']')
                r->at += i + 2;
        } else if (b == '\\') {
            if (peek(r, 0) == 'b') {
                r->at++;
                *c = '\b';
            } else if (isdigit(peek(r, 0))) {
                r->at++; /* octal digits that follow count as members, which is harmless here */
                wide = true;
            } else if (strchr("QEcoNpP", peek(r, 0)) != NULL) {
                r->lost = true;
            } else if (read_escape(r, c) != ITEM_BYTE) {
                wide = true;
            }
        } else {
            *c = b;
        }
    }
    r->lost = true;
    return ITEM_OTHER;
}

/* --- groups -------------------------------------------------------------------------------------------------- */

enum group {
    GROUP_PLAIN,
    GROUP_LOOK,
    GROUP_EMPTY
}; /* matches what it holds; only looks; is read to its end */

/* (?i) and (?i:. What follows may be read as caseless where it is not: that only makes the literal less exact. */
static enum group read_options(struct reader *r)
{
    for (; more(r); r->at++) {
        uint8_t c = peek(r, 0);

        if (c == ':' || c == ')') {
            r->at++;
            return c == ':' ? GROUP_PLAIN : GROUP_EMPTY;
        }
        if (c == 'i')
            r->nocase = true;
        else if (strchr("msUJ-", c) == NULL)
            break;
    }
    r->lost = true;
    return GROUP_EMPTY;
}

static enum group skip_name(struct reader *r, uint8_t end)
{
    while (more(r) && peek(r, 0) != end)
        r->at++;
    r->at++;
    return GROUP_PLAIN;
}

/* Behind '('. */
static enum group read_group_start(struct reader *r)
{
    uint8_t c = peek(r, 1);

    if (peek(r, 0) == '*') {
        r->lost = true; /* a verb */
        return GROUP_EMPTY;
    }
    if (peek(r, 0) != '?')
        return GROUP_PLAIN;
    r->at += 2;
    switch (c) {
    case ':':
    case '>':
    case '|':
        return GROUP_PLAIN;
    case '=':
    case '!':
        return GROUP_LOOK;
    case '\'':
        return skip_name(r, '\'');
    case '<':
        if (peek(r, 0) == '=' || peek(r, 0) == '!') {
            r->at++;
            return GROUP_LOOK;
        }
        return skip_name(r, '>');
    case 'P':
        if (peek(r, 0) == '<')
            return skip_name(r, '>');
        r->lost = true;
        return GROUP_EMPTY;
    default:
        r->at--;
        return read_options(r);
    }
}

static struct pcre_literal read_level(struct reader *r, bool top);

/* A group and its quantifier; adds to best what it surely holds. True when it matches no bytes at all. */
static bool read_group(struct reader *r, struct pcre_literal *best)
{
    enum group kind = read_group_start(r);
    struct pcre_literal inner = {.len = 0};

    if (kind == GROUP_EMPTY)
        return true;
    if (++r->depth > DEPTH_MAX)
        r->lost = true;
    else
        inner = read_level(r, false);
    r->depth--;
    if (!read_repeat(r).zero && kind == GROUP_PLAIN)
        keep_longer(best, &inner);
    return false;
}

/* --- the whole ------------------------------------------------------------------------------------------------- */

struct level {
    struct pcre_literal run, best;
    bool alternatives;
};

static void end_run(struct level *l)
{
    keep_longer(&l->best, &l->run);
    l->run.len = 0;
}

/* One byte and its quantifier: x? may be absent, x+ is one at least and may be more. */
static void take_byte(struct reader *r, struct level *l, uint8_t c)
{
    struct repeat q = read_repeat(r);

    if (!q.zero)
        append(&l->run, c);
    if (q.any) {
        end_run(l);
        if (!q.zero)
            append(&l->run, c); /* the last of them stands before what follows */
    }
}

static void read_item(struct reader *r, struct level *l)
{
    uint8_t c = peek(r, 0);
    enum item kind = ITEM_BYTE;

    r->at++;
    switch (c) {
    case '|':
        l->alternatives = true;
        return;
    case '^':
    case '$':
        kind = ITEM_NOTHING;
        break;
    case '.':
        kind = ITEM_OTHER;
        break;
    case '(':
        if (!read_group(r, &l->best))
            end_run(l);
        return;
    case '[':
        kind = read_class(r, &c);
        break;
    case '\\':
        kind = read_escape(r, &c);
        break;
    }
    if (kind == ITEM_BYTE) {
        take_byte(r, l, c);
    } else if (read_repeat(r).any || kind == ITEM_OTHER) {
        end_run(l);
    }
}

static struct pcre_literal read_level(struct reader *r, bool top)
{
    struct level l = {.alternatives = false};

    while (more(r) && (top || peek(r, 0) != ')'))
        read_item(r, &l);
    if (!top)
        r->at++;
    end_run(&l);
    if (l.alternatives)
        l.best.len = 0;
    return l.best;
}

struct pcre_literal pcre_literal(struct span text, uint32_t options)
{
    struct reader r = {.text = text, .nocase = (options & PCRE2_CASELESS) != 0};
    struct pcre_literal best = {.len = 0};

    if (!(options & (PCRE2_EXTENDED | PCRE2_LITERAL)))
        best = read_level(&r, true);
    if (r.lost)
        best.len = 0;
    best.nocase = r.nocase;
    if (best.nocase)
        for (uint32_t i = 0; i < best.len; i++)
            best.bytes[i] =
                best.bytes[i] >= 'A' && best.bytes[i] <= 'Z' ? best.bytes[i] | 0x20 : best.bytes[i];
    return best;
}
