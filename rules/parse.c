/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One rule's text into a draft:
 *
 *     action proto source sport -> destination dport ( name:value; name; ... )
 *
 * The header is seven words, in which brackets may hold blanks. Options end at a ';' that is not escaped; as in
 * Suricata that holds inside quotes too, where it is an error here, because the author meant \; (Snort 3 reads
 * it as a plain character, and the same text must not mean two things). Names are looked up in the keyword
 * table; whatever a row says about its value is checked here, the rest by the keyword's own parser.
 *
 * Every error is reported, and parsing goes on behind it. Control thread; the text is borrowed.
 */
#include <ctype.h>

#include "rules/builder.h"
#include "rules/keywords.h"
#include "rules/names.h"
#include "rules/source.h"

/* --- header ---------------------------------------------------------------------------------------------- */

/* The next blank-separated word; blanks inside [] belong to it. */
static struct span take_word(struct span *s)
{
    uint32_t n = 0;
    int open = 0;

    while (s->len > 0 && isspace(s->p[0]))
        *s = span_sub(*s, 1, s->len);
    for (; n < s->len && (open > 0 || !isspace(s->p[n])); n++) {
        if (s->p[n] == '[')
            open++;
        else if (s->p[n] == ']' && open > 0)
            open--;
    }
    struct span word = span_sub(*s, 0, n);
    *s = span_sub(*s, n, s->len);
    return word;
}

static void parse_set(struct draft *d, enum range_kind kind, struct span word, uint32_t any_flag,
                      uint16_t *index)
{
    struct range_error e;
    struct set_ref ref;

    if (sets_intern(&d->b->sets, kind, word, &d->b->vars, &ref, &e)) {
        *index = ref.index;
        d->rule.flags |= ref.all ? any_flag : 0;
        d->addr_negated |= kind == RANGE_ADDR && ref.negated;
    } else if (e.no_memory) {
        draft_no_memory(d);
    } else {
        draft_fail(d, e.at, e.remedy, "%s", e.what);
    }
}

static void parse_action(struct draft *d, struct span word)
{
    const struct header_word *w = names_action(word);

    if (w == NULL)
        draft_fail(d, word.p, "a rule starts with alert, drop, reject or pass; put '#' before a comment",
                   "unknown action '%.*s'", TEXT_ARG(word));
    else if (w->id < 0)
        draft_fail(d, word.p, w->remedy, "the action '%s' is not supported", w->word);
    else
        d->rule.action = (uint8_t)w->id;
}

static void parse_proto(struct draft *d, struct span word)
{
    const struct header_word *w = names_proto(word);

    if (w == NULL)
        draft_fail(d, word.p, "write ip, tcp, udp or icmp", "unknown protocol '%.*s'", TEXT_ARG(word));
    else if (w->id < 0)
        draft_fail(d, word.p, w->remedy, "the protocol '%s' is not supported", w->word);
    else
        d->rule.proto = (uint8_t)w->id;
}

static bool parse_header(struct draft *d, struct span header)
{
    enum { ACTION, PROTO, SRC, SPORT, DIRECTION, DST, DPORT, N_WORDS };
    struct span rest = header, words[N_WORDS];

    for (int i = 0; i < N_WORDS; i++) {
        words[i] = take_word(&rest);
        if (words[i].len == 0 && i > ACTION && names_action(words[ACTION]) == NULL) {
            parse_action(d, words[ACTION]); /* the line is no rule at all: one error is enough */
            return false;
        }
        if (words[i].len == 0)
            return draft_fail(d, rest.p, "write: action proto source sport -> destination dport (options)",
                              "the rule's header has %d words instead of %d", i, N_WORDS);
    }
    if (text_trim(rest).len > 0)
        return draft_fail(d, text_trim(rest).p, "write lists without blanks, or in []",
                          "'%.*s' does not belong into the header", TEXT_ARG(text_trim(rest)));
    parse_action(d, words[ACTION]);
    parse_proto(d, words[PROTO]);
    parse_set(d, RANGE_ADDR, words[SRC], RULE_ANY_SRC, &d->rule.src);
    parse_set(d, RANGE_PORT, words[SPORT], RULE_ANY_SPORT, &d->rule.sport);
    if (span_eq_str(words[DIRECTION], "<>"))
        d->rule.flags |= RULE_BIDIRECTIONAL;
    else if (!span_eq_str(words[DIRECTION], "->"))
        draft_fail(d, words[DIRECTION].p, "write -> or <>", "'%.*s' is no direction",
                   TEXT_ARG(words[DIRECTION]));
    parse_set(d, RANGE_ADDR, words[DST], RULE_ANY_DST, &d->rule.dst);
    parse_set(d, RANGE_PORT, words[DPORT], RULE_ANY_DPORT, &d->rule.dport);
    if (d->rule.proto == PROTO_ICMP && !d->failed &&
        (d->rule.flags & (RULE_ANY_SPORT | RULE_ANY_DPORT)) != (RULE_ANY_SPORT | RULE_ANY_DPORT))
        draft_fail(d, words[SPORT].p, "write any for both ports", "an icmp rule cannot name ports");
    return true;
}

/* --- options --------------------------------------------------------------------------------------------- */

/* Where the quoted text that begins at s[from] == '"' ends; s.len when it does not. *semicolon: the first bare ';'. */
static uint32_t quote_end(struct span s, uint32_t from, uint32_t *semicolon)
{
    *semicolon = s.len;
    for (uint32_t i = from + 1; i < s.len; i++) {
        if (s.p[i] == '\\')
            i++;
        else if (s.p[i] == '"')
            return i;
        else if (s.p[i] == ';' && *semicolon == s.len)
            *semicolon = i;
    }
    return s.len;
}

/* The length of the next option, up to its ';'. Reports what is wrong with quotes and ends. */
static uint32_t option_length(struct draft *d, struct span s, bool *ok)
{
    uint32_t i = 0, semicolon, end;

    *ok = true;
    while (i < s.len && s.p[i] != ':' && s.p[i] != ';')
        i++;
    if (i < s.len && s.p[i] == ':') {
        i++;
        while (i < s.len && (isspace(s.p[i]) || s.p[i] == '!'))
            i++;
        if (i < s.len && s.p[i] == '"') {
            end = quote_end(s, i, &semicolon);
            if (semicolon < end)
                *ok = draft_fail(d, s.p + semicolon,
                                 "write \\; for a semicolon inside quotes, or close the quotes before it",
                                 "';' inside quotes ends the option");
            i = end < s.len ? end + 1 : semicolon;
        }
    }
    for (; i < s.len && s.p[i] != ';'; i++)
        if (s.p[i] == '\\' && i + 1 < s.len)
            i++;
    if (i >= s.len && *ok)
        *ok = draft_fail(d, s.p, "add the ';'", "the option '%.*s' does not end in ';'",
                         TEXT_ARG(text_trim(s)));
    return i < s.len ? i : s.len;
}

/* Takes "!" and quotes off the value. */
static bool clean_value(struct draft *d, struct option *o)
{
    struct span v = text_trim(o->value);

    if ((o->kw->flags & KEYWORD_NEGATED) && v.len > 0 && v.p[0] == '!') {
        o->negated = true;
        v = text_trim(span_sub(v, 1, v.len));
    }
    if (v.len >= 2 && v.p[0] == '"' && v.p[v.len - 1] == '"') {
        v = span_sub(v, 1, v.len - 2);
        o->value = o->kw->value == VALUE_QUOTED ? v : text_trim(v);
        return true;
    }
    o->value = v;
    if (v.len > 0 && v.p[0] == '"')
        return draft_fail(d, v.p, o->kw->usage,
                          "%s: text behind the closing quote, or no closing quote: %.*s", o->kw->name,
                          TEXT_ARG(v));
    if (o->kw->value == VALUE_QUOTED)
        return draft_fail(d, v.p, o->kw->usage, "%s: the value must stand in quotes", o->kw->name);
    return true;
}

_Static_assert(KW_N <= KEYWORDS_MAX, "draft.seen has a bit for each keyword");

static void parse_option(struct draft *d, struct span text)
{
    struct option o = {0};
    uint32_t index = 0;
    bool has_value;

    o.value = text;
    has_value = text_split(&o.value, ':', &o.name);
    o.name = text_trim(o.name);
    o.kw = keyword_lookup(o.name, &index);
    if (o.kw == NULL) {
        draft_fail(d, o.name.p,
                   "check the spelling, or disable the rule with a '#'; ipsd(8) lists the keywords",
                   "unknown keyword '%.*s'", TEXT_ARG(o.name));
        return;
    }
    if (draft_seen(d, index) && (o.kw->flags & KEYWORD_ONCE)) {
        draft_fail(d, o.name.p, "keep one of them", "%s stands in the rule twice", o.kw->name);
        return;
    }
    d->seen[index / 64] |= 1ull << index % 64;
    if (has_value && o.kw->value == VALUE_NONE) {
        draft_fail(d, o.name.p, o.kw->usage, "%s takes no value", o.kw->name);
        return;
    }
    if (!has_value && o.kw->value != VALUE_NONE && o.kw->value != VALUE_OPTIONAL) {
        draft_fail(d, o.name.p, o.kw->usage, "%s needs a value", o.kw->name);
        return;
    }
    if (has_value && !clean_value(d, &o))
        return;
    if (has_value && o.value.len == 0) {
        draft_fail(d, o.name.p, o.kw->usage, "%s has an empty value", o.kw->name);
        return;
    }
    if (o.kw->parse(d, &o))
        d->packet_only |= (o.kw->flags & KEYWORD_PACKET) != 0;
}

static void parse_options(struct draft *d, struct span s)
{
    while (s = text_trim(s), s.len > 0) {
        bool ok;
        uint32_t n = option_length(d, s, &ok);
        struct span one = text_trim(span_sub(s, 0, n));

        if (ok && one.len > 0)
            parse_option(d, one);
        s = span_sub(s, n + 1, s.len);
    }
}

void parse_rule(struct draft *d, const struct rule_text *t)
{
    struct span text = text_trim(t->text);
    const uint8_t *open = memchr(text.p, '(', text.len);

    if (text.len > RULE_TEXT_MAX) {
        draft_fail(d, text.p, "split the rule", "the rule has %u bytes; %u are allowed", text.len,
                   RULE_TEXT_MAX);
        return;
    }
    if (open == NULL) {
        struct span rest = text, word = take_word(&rest);

        parse_action(d, word);
        if (!d->failed)
            draft_fail(d, text.p, "write the options in parentheses behind the header",
                       "the rule has no options");
        return;
    }
    parse_header(d, span_of(text.p, (size_t)(open - text.p)));
    if (text.p[text.len - 1] != ')') {
        draft_fail(d, text.p + text.len - 1, "add the ')', or a backslash at the end of a line that goes on",
                   "the rule does not end in ')'");
        return;
    }
    parse_options(d, span_of(open + 1, (size_t)(text.p + text.len - open - 2)));
}
