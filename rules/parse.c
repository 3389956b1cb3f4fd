/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One rule's text into a draft:
 *
 *     action proto source sport -> destination dport ( name:value; name; ... )
 *
 * The header is seven words, in which brackets may hold blanks; Snort 3 may leave out all but action and protocol,
 * and its file_id rules have an action only. Options end at a ';' that is not escaped. In Suricata and Snort 2 that
 * holds inside quotes too, where it is an error here, because the author meant \;. In Snort 3 it is a plain character
 * there.
 *
 * A name is a keyword (its row says what its value looks like, its parser does the rest), else a buffer
 * (rules/buffers.c). A word or form of another dialect than the file's is an error, never read as something else
 * (rules/dialect.c). A rule whose `requires` is not met is skipped before anything else in it is looked at, because
 * it may hold anything.
 *
 * Every error is reported, and parsing goes on behind it. Control thread; the text is borrowed.
 */
#include <ctype.h>

#include "ips/base/suggest.h"
#include "rules/buffers.h"
#include "rules/builder.h"
#include "rules/dialect.h"
#include "rules/keywords.h"
#include "rules/kw/app_numbers.h"
#include "rules/kw/later.h"
#include "rules/kw/requires.h"
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

/* A word of the header or an option that the file's dialect does not have. */
static bool other_dialect(struct draft *d, struct span word, uint8_t in, const char *what)
{
    uint8_t first = in & IN_SURICATA ? DIALECT_SURICATA : in & IN_SNORT3 ? DIALECT_SNORT3 : DIALECT_SNORT2;

    return draft_fail(d, word.p, DIALECT_REMEDY, "%s '%.*s' is %s's, and this file is read as %s's", what,
                      TEXT_ARG(word), dialect_name(first), dialect_name(d->dialect));
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

static void take_header_word(struct draft *d, const struct header_word *w)
{
    d->rule.flags |= w->rule_flags;
    d->packet_only |= w->packet_only;
    if (w->dormant)
        draft_dormant(d, w->word);
}

static void parse_action(struct draft *d, struct span word)
{
    const struct header_word *w = names_action(word);

    if (w == NULL) {
        draft_fail(d, word.p, "a rule starts with alert, drop, reject or pass; put '#' before a comment",
                   "unknown action '%.*s'", TEXT_ARG(word));
    } else if (!dialect_has(w->dialects, d->dialect)) {
        other_dialect(d, word, w->dialects, "the action");
    } else if (w->id < 0) {
        draft_fail(d, word.p, w->remedy, "the action '%s' is not supported", w->word);
    } else {
        d->rule.action = (uint8_t)w->id;
        d->action_holds_for_flow = names_action_holds_for_flow(w, d->dialect);
        take_header_word(d, w);
    }
}

static void parse_proto(struct draft *d, struct span word)
{
    const struct header_word *w = names_proto(word);
    uint8_t other = d->dialect == DIALECT_SNORT3 ? DIALECT_SURICATA : DIALECT_SNORT3;
    struct service_word service;

    if (w != NULL && !dialect_has(w->dialects, d->dialect)) {
        other_dialect(d, word, w->dialects, "the protocol");
    } else if (w != NULL) {
        d->rule.proto = (uint8_t)w->id;
        take_header_word(d, w);
    } else if (d->dialect != DIALECT_SNORT2 && service_header_word(word, d->dialect, &service)) {
        d->rule.proto = service.proto;
        d->info.apps |= service.apps;
        d->rule.apps = service.apps;
        d->rule.flags |= RULE_APP;
        if (!service.live)
            draft_dormant(d, service.name);
    } else if (service_header_word(word, other, &service)) {
        other_dialect(d, word, other == DIALECT_SNORT3 ? IN_SNORT3 : IN_SURICATA, "the protocol");
    } else {
        draft_fail(d, word.p, "write ip, tcp, udp or icmp, or an application protocol such as http",
                   "unknown protocol '%.*s'", TEXT_ARG(word));
    }
}

static void parse_direction(struct draft *d, struct span word)
{
    if (span_eq_str(word, "<>")) {
        d->rule.flags |= RULE_BIDIRECTIONAL;
    } else if (span_eq_str(word, "=>")) { /* one rule about both directions of a transaction */
        if (d->dialect != DIALECT_SURICATA)
            other_dialect(d, word, IN_SURICATA, "the direction");
        else if (d->info.apps == 0)
            draft_fail(d, word.p, "write -> for packets", "'=>' needs an application protocol in the header");
        d->both_ways = true;
        draft_dormant(d, "=>");
    } else if (span_eq_str(word, "<-")) {
        draft_fail(d, word.p, "exchange the two sides and write ->", "'<-' is no direction");
    } else if (!span_eq_str(word, "->")) {
        draft_fail(d, word.p, "write -> or <>", "'%.*s' is no direction", TEXT_ARG(word));
    }
}

enum { ACTION, PROTO, SRC, SPORT, DIRECTION, DST, DPORT, N_WORDS };

/* Snort 3: a rule without addresses and ports is about all of them. False: the header is no such one. */
static bool parse_short_header(struct draft *d, const struct span *words, int n)
{
    static const uint8_t any[] = "any";
    struct span all = span_of(any, 3);
    const struct header_word *action = names_action(words[ACTION]);

    if (d->dialect != DIALECT_SNORT3 || action == NULL || n == 0 || n > SRC)
        return false;
    if (n == 1 && strcmp(action->word, "file_id") != 0)
        return false;
    parse_action(d, words[ACTION]);
    if (n > 1)
        parse_proto(d, words[PROTO]);
    parse_set(d, RANGE_ADDR, all, RULE_ANY_SRC, &d->rule.src);
    parse_set(d, RANGE_PORT, all, RULE_ANY_SPORT, &d->rule.sport);
    parse_set(d, RANGE_ADDR, all, RULE_ANY_DST, &d->rule.dst);
    parse_set(d, RANGE_PORT, all, RULE_ANY_DPORT, &d->rule.dport);
    return true;
}

static bool short_of_words(struct draft *d, const struct span *words, int n, struct span rest)
{
    if (parse_short_header(d, words, n))
        return true;
    if (n > 0 && names_action(words[ACTION]) == NULL) {
        parse_action(d, words[ACTION]); /* the line is no rule at all: one error is enough */
        return false;
    }
    return draft_fail(d, rest.p,
                      n == SRC
                          ? "write: action proto source sport -> destination dport (options); a rule without "
                            "addresses is Snort 3's: " DIALECT_REMEDY
                          : "write: action proto source sport -> destination dport (options)",
                      "the rule's header has %d words instead of %d", n, N_WORDS);
}

static bool parse_header(struct draft *d, struct span header)
{
    struct span rest = header, words[N_WORDS];

    for (int i = 0; i < N_WORDS; i++) {
        words[i] = take_word(&rest);
        if (words[i].len == 0)
            return short_of_words(d, words, i, rest);
    }
    if (text_trim(rest).len > 0)
        return draft_fail(d, text_trim(rest).p, "write lists without blanks, or in []",
                          "'%.*s' does not belong into the header", TEXT_ARG(text_trim(rest)));
    parse_action(d, words[ACTION]);
    parse_proto(d, words[PROTO]);
    parse_set(d, RANGE_ADDR, words[SRC], RULE_ANY_SRC, &d->rule.src);
    parse_set(d, RANGE_PORT, words[SPORT], RULE_ANY_SPORT, &d->rule.sport);
    parse_direction(d, words[DIRECTION]);
    parse_set(d, RANGE_ADDR, words[DST], RULE_ANY_DST, &d->rule.dst);
    parse_set(d, RANGE_PORT, words[DPORT], RULE_ANY_DPORT, &d->rule.dport);
    if (d->rule.proto == PROTO_ICMP && !d->failed &&
        (d->rule.flags & (RULE_ANY_SPORT | RULE_ANY_DPORT)) != (RULE_ANY_SPORT | RULE_ANY_DPORT))
        draft_fail(d, words[SPORT].p, "write any for both ports", "an %.*s rule cannot name ports",
                   TEXT_ARG(words[PROTO]));
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
            if (semicolon < end && (d->dialect != DIALECT_SNORT3 || end == s.len))
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

/* Snort 3's content:"x",nocase,depth 5: cuts what follows the quoted text off into o->list. */
static bool cut_list(struct draft *d, struct option *o, struct span *v)
{
    uint32_t semicolon, end = quote_end(*v, 0, &semicolon);
    struct span behind = text_trim(span_sub(*v, end + 1, v->len));

    if (behind.len == 0 || behind.p[0] != ',' || !o->kw->list)
        return true;
    if (d->dialect != DIALECT_SNORT3)
        return draft_fail(d, behind.p, DIALECT_REMEDY,
                          "%s: a list with commas is Snort 3's, and this file is read as %s's", o->kw->name,
                          dialect_name(d->dialect));
    o->list = text_trim(span_sub(behind, 1, behind.len));
    if (o->list.len == 0)
        return draft_fail(d, behind.p, "remove the comma", "%s: nothing behind the comma", o->kw->name);
    *v = span_sub(*v, 0, end + 1);
    return true;
}

/* Expressions have bare quotes inside in many rules for Suricata, which looks at the last one only. */
static bool is_quoted(const struct draft *d, const struct keyword *kw, struct span v)
{
    uint32_t semicolon;

    if (v.len < 2 || v.p[0] != '"' || v.p[v.len - 1] != '"')
        return false;
    return (kw == &kw_pcre && d->dialect != DIALECT_SNORT3) || quote_end(v, 0, &semicolon) == v.len - 1;
}

/* Takes "!" and quotes off the value. */
static bool clean_value(struct draft *d, struct option *o)
{
    struct span v = text_trim(o->value);

    if ((o->kw->flags & KEYWORD_NEGATED) && v.len > 0 && v.p[0] == '!') {
        o->negated = true;
        v = text_trim(span_sub(v, 1, v.len));
    }
    if (v.len > 0 && v.p[0] == '"' && !cut_list(d, o, &v))
        return false;
    if (is_quoted(d, o->kw, v)) {
        v = span_sub(v, 1, v.len - 2);
        o->value = o->kw->value == VALUE_QUOTED ? v : text_trim(v);
        return true;
    }
    o->value = v;
    if (v.len > 0 && v.p[0] == '"' && o->kw->value != VALUE_RAW)
        return draft_fail(d, v.p, o->kw->usage,
                          "%s: text behind the closing quote, or no closing quote: %.*s", o->kw->name,
                          TEXT_ARG(v));
    if (o->kw->value == VALUE_QUOTED)
        return draft_fail(d, v.p, o->kw->usage, "%s: the value must stand in quotes", o->kw->name);
    return true;
}

static void offer(const char *name, void *arg)
{
    suggest_offer(arg, name);
}

static void unknown_option(struct draft *d, struct span name)
{
    char word[64], remedy[160];
    struct suggest s;

    snprintf(word, sizeof(word), "%.*s", (int)(name.len < sizeof(word) ? name.len : 0), (const char *)name.p);
    suggest_init(&s, word);
    if (d->b->n_errors < ERR_LIST_MAX) { /* behind that nobody reads it, and it takes its time */
        for (uint32_t i = 0; i < KW_N; i++)
            suggest_offer(&s, keyword_table[i]->name);
        buffers_each_name(offer, &s);
        app_numbers_each_name(offer, &s);
        later_each_name(offer, &s);
    }
    if (s.best != NULL)
        snprintf(remedy, sizeof(remedy), "did you mean '%s'? Otherwise disable the rule with a '#'", s.best);
    else
        snprintf(remedy, sizeof(remedy), "check the spelling, or disable the rule with a '#'");
    draft_fail(d, name.p, remedy, "unknown keyword '%.*s'", TEXT_ARG(name));
}

/* What the row says about a value; true when the option may go to its parser. */
static bool check_value(struct draft *d, struct option *o, bool has_value)
{
    if (has_value && o->kw->value == VALUE_NONE)
        return draft_fail(d, o->name.p, o->kw->usage, "%s takes no value", o->kw->name);
    if (!has_value && o->kw->value != VALUE_NONE && o->kw->value != VALUE_OPTIONAL)
        return draft_fail(d, o->name.p, o->kw->usage, "%s needs a value", o->kw->name);
    if (has_value && !clean_value(d, o))
        return false;
    if (has_value && o->value.len == 0)
        return draft_fail(d, o->name.p, o->kw->usage, "%s has an empty value", o->kw->name);
    return true;
}

_Static_assert(KW_N <= KEYWORDS_MAX, "draft.seen has a bit for each keyword");

/* index: of the row in the keyword table; KW_N for an option that is in none. */
static void parse_keyword(struct draft *d, struct option *o, uint32_t index, bool has_value)
{
    if (!dialect_has(o->kw->dialects, d->dialect)) {
        other_dialect(d, o->name, o->kw->dialects, "the option");
        return;
    }
    if (index < KW_N && draft_seen(d, index) && (o->kw->flags & KEYWORD_ONCE)) {
        draft_fail(d, o->name.p, "keep one of them", "%s stands in the rule twice", o->kw->name);
        return;
    }
    if (index < KW_N)
        d->seen[index / 64] |= 1ull << index % 64;
    if (check_value(d, o, has_value) && o->kw->parse(d, o))
        d->packet_only |= (o->kw->flags & KEYWORD_PACKET) != 0;
}

static void parse_option(struct draft *d, struct span text)
{
    struct option o = {0};
    const struct buffer_name *buffer;
    uint32_t index = 0;
    bool has_value;

    o.value = text;
    has_value = text_split(&o.value, ':', &o.name);
    o.name = text_trim(o.name);
    o.value = text_trim(o.value);
    if ((o.kw = keyword_lookup(o.name, &index)) != NULL)
        parse_keyword(d, &o, index, has_value);
    else if ((buffer = buffers_lookup(o.name)) != NULL)
        buffers_option(d, buffer, &o);
    else if ((o.kw = app_numbers_lookup(o.name)) != NULL || (o.kw = later_lookup(o.name)) != NULL)
        parse_keyword(d, &o, KW_N, has_value);
    else
        unknown_option(d, o.name);
}

static void parse_options(struct draft *d, struct span s)
{
    while (s = text_trim(s), s.len > 0 && d->n_errors < DRAFT_ERRORS_MAX) {
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
    if (d->dialect == DIALECT_SURICATA &&
        !requires_met(d, span_of(open + 1, (size_t)(text.p + text.len - open - 1))))
        return;
    parse_header(d, span_of(text.p, (size_t)(open - text.p)));
    if (text.p[text.len - 1] != ')') {
        draft_fail(d, text.p + text.len - 1, "add the ')', or a backslash at the end of a line that goes on",
                   "the rule does not end in ')'");
        return;
    }
    parse_options(d, span_of(open + 1, (size_t)(text.p + text.len - open - 2)));
}
