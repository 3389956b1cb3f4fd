/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What stands behind a content and changes how it is looked for: nocase, offset, depth, distance, within,
 * startswith, endswith, rawbytes, fast_pattern.
 *
 * Each applies to the last content before it and may be written once for it. They are only noted here; that they
 * fit together is checked when the whole rule is known (check_content), because their order is free.
 *
 * fast_pattern names the literal for the prefilter. It never changes what matches (RULES.md 2A, 17): `only` is
 * accepted and ignored as in Suricata, and on a negated content, which cannot stand for the rule, the whole
 * option is. Control thread.
 */
#include <ctype.h>

#include "rules/dialect.h"
#include "rules/keywords.h"
#include "rules/kw/content.h"
#include "rules/number.h"
#include "rules/source.h"
#include "rules/words.h"

/* The content to modify, with `bit` set in it; NULL (reported) when there is none or it has the modifier already. */
static struct draft_step *modify(struct draft *d, const struct option *o, uint32_t bit)
{
    struct draft_step *s = d->last_content;

    if (s == NULL) {
        draft_fail(d, o->name.p, "write it behind a content", "%s has no content before it", o->kw->name);
        return NULL;
    }
    if (s->has & bit) {
        draft_fail(d, o->name.p, "keep one of them", "%s stands twice behind one content", o->kw->name);
        return NULL;
    }
    s->has |= bit;
    return s;
}

/* The smallest and largest number of a modifier, where it goes, and where a variable's slot goes instead. */
struct place {
    int64_t min, max;
    int32_t *number, *slot;
};

static bool parse_place(struct draft *d, const struct option *o, struct draft_step *s, struct place p)
{
    struct operand v;
    int64_t n;

    if (o->value.len > 0 && (isalpha(o->value.p[0]) || o->value.p[0] == '_')) {
        if (!operand_read(d, o, s, o->value, p.min, (uint64_t)p.max, &v))
            return false;
        *p.number = (int32_t)v.value;
        *p.slot = v.slot;
        return true;
    }
    if (!number_read(d, o, p.min, p.max, &n))
        return false;
    *p.number = (int32_t)n;
    return true;
}

static bool parse_offset(struct draft *d, const struct option *o)
{
    struct draft_step *s = modify(d, o, LITERAL_OFFSET);

    return s != NULL && parse_place(d, o, s, (struct place){0, PLACE_MAX, &s->offset, &s->step.c});
}

static bool parse_depth(struct draft *d, const struct option *o)
{
    struct draft_step *s = modify(d, o, LITERAL_DEPTH);

    return s != NULL && parse_place(d, o, s, (struct place){1, PLACE_MAX, &s->depth, &s->step.d});
}

static bool parse_distance(struct draft *d, const struct option *o)
{
    struct draft_step *s = modify(d, o, LITERAL_DISTANCE);

    return s != NULL &&
           parse_place(d, o, s, (struct place){-DISTANCE_MAX, DISTANCE_MAX, &s->distance, &s->step.c});
}

static bool parse_within(struct draft *d, const struct option *o)
{
    struct draft_step *s = modify(d, o, LITERAL_WITHIN);

    return s != NULL && parse_place(d, o, s, (struct place){1, DISTANCE_MAX, &s->within, &s->step.d});
}

static bool parse_nocase(struct draft *d, const struct option *o)
{
    return modify(d, o, LITERAL_NOCASE) != NULL;
}

/* Suricata accepts it without effect, Snort 2 looks into the packet as it came, Snort 3 dropped it (RULES.md 2A, 16). */
static bool parse_rawbytes(struct draft *d, const struct option *o)
{
    struct draft_step *s;

    if (d->dialect == DIALECT_SNORT3)
        return draft_fail(d, o->name.p, "write raw_data; or pkt_data; before the content",
                          "rawbytes is no option of Snort 3");
    s = modify(d, o, LITERAL_RAWBYTES);
    if (s != NULL && d->dialect == DIALECT_SNORT2)
        s->step.buffer = BUF_PAYLOAD;
    return s != NULL;
}

static bool parse_startswith(struct draft *d, const struct option *o)
{
    return modify(d, o, LITERAL_STARTS) != NULL;
}

/* Twice says no more than once, and Suricata takes it; of the others, twice is an error there, too. */
static bool parse_endswith(struct draft *d, const struct option *o)
{
    if (d->last_content != NULL)
        d->last_content->has &= ~(uint32_t)LITERAL_ENDS;
    return modify(d, o, LITERAL_ENDS) != NULL;
}

static bool parse_fast_pattern(struct draft *d, const struct option *o)
{
    struct draft_step *s = modify(d, o, LITERAL_FAST);
    struct span rest = o->value, head;
    uint64_t offset, len;

    if (s == NULL)
        return false;
    for (uint32_t i = 0; i < d->n_steps; i++)
        if (&d->steps[i] != s && (d->steps[i].has & LITERAL_FAST))
            return draft_fail(d, o->name.p, "keep one of them", "two contents are fast_pattern");
    if (rest.len == 0 || text_eq_nocase(rest, "only"))
        return true;
    if (!text_split(&rest, ',', &head) || !text_u64(text_trim(head), PLACE_MAX, &offset) ||
        !text_u64(text_trim(rest), PLACE_MAX, &len) || len == 0)
        return draft_fail(d, o->value.p, o->kw->usage, "fast_pattern: '%.*s' is no offset and length",
                          TEXT_ARG(o->value));
    s->has |= LITERAL_FAST_PART;
    s->fast_offset = (uint32_t)offset;
    s->fast_len = (uint32_t)len;
    return true;
}

/* --- Snort 3's list: content:"x",nocase,offset 3; ---------------------------------------------------------- */

static bool parse_fast_place(struct draft *d, const struct option *o, struct span value, bool length)
{
    struct draft_step *s = d->last_content;
    uint64_t v;

    if (!text_u64(value, PLACE_MAX, &v) || (length && v == 0))
        return draft_fail(d, o->name.p, "write fast_pattern_offset N, fast_pattern_length N",
                          "'%.*s' is no %s of a fast pattern", TEXT_ARG(value), length ? "length" : "offset");
    s->has |= LITERAL_FAST_PART;
    if (length)
        s->fast_len = (uint32_t)v;
    else
        s->fast_offset = (uint32_t)v;
    return true;
}

static bool parse_list_word(struct draft *d, struct span name, struct span value)
{
    static const struct keyword *const words[] = {&kw_nocase,   &kw_offset, &kw_depth,
                                                  &kw_distance, &kw_within, &kw_fast_pattern};
    struct option o = {.name = name, .value = value};

    if (span_eq_str(name, "fast_pattern_offset") || span_eq_str(name, "fast_pattern_length"))
        return parse_fast_place(d, &o, value, name.p[13] == 'l');
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (!span_eq_str(name, words[i]->name))
            continue;
        o.kw = words[i];
        if ((value.len > 0) != (o.kw->value == VALUE_PLAIN))
            return draft_fail(
                d, name.p, "write nocase, fast_pattern, offset N, depth N, distance N or within N",
                "content: %s %s", o.kw->name, value.len > 0 ? "takes no value" : "needs a value");
        return o.kw->parse(d, &o);
    }
    return draft_fail(d, name.p,
                      "use nocase, offset, depth, distance, within, fast_pattern, fast_pattern_offset and "
                      "fast_pattern_length",
                      "content: unknown word '%.*s' in its list", TEXT_ARG(name));
}

bool content_parse_list(struct draft *d, struct span list)
{
    struct draft_step *s = d->last_content;
    struct span one, name;
    bool more = true, ok = true;

    while (more) {
        more = text_split(&list, ',', &one);
        name = one = text_trim(one);
        text_split(&one, ' ', &name);
        ok &= parse_list_word(d, name, text_trim(one));
    }
    if ((s->has & LITERAL_FAST_PART) && s->fast_len == 0) /* an offset alone: all behind it */
        s->fast_len = s->fast_offset < s->literal.len ? s->literal.len - s->fast_offset : 1;
    return ok;
}

/* In Snort 3 they stand in the content's list only. */
#define ROW(word, how, val)            \
    const struct keyword kw_##word = { \
        .name = #word, .usage = how, .value = val, .dialects = IN_OTHERS, .parse = parse_##word}
#define IN_OTHERS (IN_SURICATA | IN_SNORT2)

ROW(nocase, "write nocase;", VALUE_NONE);
ROW(offset, "write offset:N; with 0 to 65535, or the name of a byte_extract variable", VALUE_PLAIN);
ROW(depth, "write depth:N; with 1 to 65535, or the name of a byte_extract variable", VALUE_PLAIN);
ROW(distance, "write distance:N; N may be negative, or the name of a byte_extract variable", VALUE_PLAIN);
ROW(within, "write within:N; with 1 or more, or the name of a byte_extract variable", VALUE_PLAIN);
/* its parser says what to write instead in Snort 3 */
const struct keyword kw_rawbytes = {
    .name = "rawbytes", .usage = "write rawbytes;", .value = VALUE_NONE, .parse = parse_rawbytes};
ROW(startswith, "write startswith;", VALUE_NONE);
ROW(endswith, "write endswith;", VALUE_NONE);
ROW(fast_pattern, "write fast_pattern; or fast_pattern:offset,length;", VALUE_OPTIONAL);
