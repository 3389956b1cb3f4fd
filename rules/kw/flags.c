/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flags: TCP flags.
 *
 *     flags:[modifier]SET[,IGNORED];
 *
 * SET and IGNORED are letters of F S R P A U, C (or 1: congestion window reduced) and E (or 2: ECN echo), SET may be
 * 0 for none. Without a modifier the flags must be exactly SET, bits of IGNORED aside; + means at least SET, *
 * any of SET, ! not all of SET. This is Suricata's reading (detect-tcp-flags.c): flags:0 looks at the ignored bits
 * too, and !0 means any flag. Matching runs in workers.
 */
#include <ctype.h>

#include "rules/dialect.h"
#include "rules/keywords.h"
#include "rules/source.h"

enum flags_mode { FLAGS_EXACT, FLAGS_ALL, FLAGS_ANY, FLAGS_NOT };

static uint8_t letter_bit(uint8_t c)
{
    static const struct {
        char letter;
        uint8_t bit;
    } bits[] = {{'F', 0x01}, {'S', 0x02}, {'R', 0x04}, {'P', 0x08}, {'A', 0x10},
                {'U', 0x20}, {'E', 0x40}, {'2', 0x40}, {'C', 0x80}, {'1', 0x80}};

    for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
        if (toupper(c) == bits[i].letter)
            return bits[i].bit;
    return 0;
}

static bool refuse(struct draft *d, const struct option *o, const uint8_t *at, const char *why)
{
    return draft_fail(d, at, o->kw->usage, "flags: %s in '%.*s'", why, TEXT_ARG(o->value));
}

/* Letters, and in the first part one modifier before or behind them. */
static bool parse_part(struct draft *d, const struct option *o, struct span s, uint8_t *bits, uint8_t *mode)
{
    static const char modifiers[] = {[FLAGS_ALL] = '+', [FLAGS_ANY] = '*', [FLAGS_NOT] = '!'};
    uint32_t n_letters = 0;
    bool zero = false;

    for (uint32_t i = 0; i < s.len; i++) {
        uint8_t bit = letter_bit(s.p[i]);
        const char *m = mode != NULL && s.p[i] != 0 ? memchr(modifiers, s.p[i], sizeof(modifiers)) : NULL;

        if (bit != 0) {
            *bits |= bit;
            n_letters++;
        } else if (s.p[i] == '0' && mode != NULL) {
            zero = true;
        } else if (m != NULL && *mode == FLAGS_EXACT) {
            *mode = (uint8_t)(m - modifiers);
        } else {
            return refuse(d, o, s.p + i, m != NULL ? "two modifiers" : "no such flag");
        }
    }
    if (n_letters == 0 && !zero)
        return refuse(d, o, o->value.p, "no flag");
    if (n_letters > 0 && zero)
        return refuse(d, o, o->value.p, "0 together with flags");
    return true;
}

static bool parse_flags(struct draft *d, const struct option *o)
{
    struct span ignored_text = o->value, set_text;
    uint8_t set = 0, ignored = 0, mode = FLAGS_EXACT;
    bool has_ignored = text_split(&ignored_text, ',', &set_text);
    struct draft_step *s;

    if (!parse_part(d, o, text_trim(set_text), &set, &mode))
        return false;
    if (has_ignored && !parse_part(d, o, text_trim(ignored_text), &ignored, NULL))
        return false;
    if (mode != FLAGS_NOT && (set & ignored) != 0)
        return draft_fail(d, o->value.p, "take them out of one side",
                          "flags: '%.*s' wants and ignores the same flag", TEXT_ARG(o->value));
    if (set == 0 && (mode == FLAGS_ANY || mode == FLAGS_ALL))
        return refuse(d, o, o->value.p, "+ or * with no flag");
    s = draft_step_add(d, o->kw, o->name.p);
    if (s == NULL)
        return false;
    s->step.flags = mode;
    s->step.a = set;
    s->step.b = (uint8_t)~ignored;
    return true;
}

static bool match_flags(const struct step *s, struct eval *e)
{
    uint8_t all = e->facts->tcp_flags, set = (uint8_t)s->a, seen = all & (uint8_t)s->b;

    if (!(e->facts->flags & FACT_TCP))
        return false;
    if (set == 0)
        return (all == 0) != (s->flags == FLAGS_NOT);
    switch (s->flags) {
    case FLAGS_ALL:
        return (seen & set) == set;
    case FLAGS_ANY:
        return (seen & set) != 0;
    case FLAGS_NOT:
        return (seen & set) != set;
    default:
        return seen == set;
    }
}

const struct keyword kw_tcp_flags = {
    .name = "tcp.flags",
    .usage = "write tcp.flags:S; or tcp.flags:+SA; as for flags",
    .value = VALUE_PLAIN,
    .dialects = IN_SURICATA,
    .flags = KEYWORD_ONCE | KEYWORD_PACKET | KEYWORD_TCP,
    .parse = parse_flags,
    .match = match_flags,
};

const struct keyword kw_flags = {
    .name = "flags",
    .usage = "write flags:S; or flags:+SA; with letters of FSRPAUCE or 0, one of + * ! before them, ,letters "
             "to ignore",
    .value = VALUE_PLAIN,
    .flags = KEYWORD_ONCE | KEYWORD_PACKET | KEYWORD_TCP,
    .parse = parse_flags,
    .match = match_flags,
};
