/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * asn1: malformed BER (X.690) that known decoders fall over.
 *
 *     asn1:[bitstring_overflow] [double_overflow] [oversize_length N] [absolute_offset N | relative_offset N];
 *
 * Words are parted by commas or blanks. From the offset (the buffer's start when there is none) values are walked one
 * after the other, constructed ones into their depth, until one fits the description, the bytes end or are no BER:
 *
 *     bitstring_overflow   a primitive bit string that leaves out more bits than it has
 *     double_overflow      a primitive real in ASCII of more than 256 bytes
 *     oversize_length      any value whose length says more than N
 *
 * A length may reach behind the buffer's end: that is the attack. No recursion: the walk needs only the next
 * value's place, because a constructed value's content is walked as if it stood beside it, which changes nothing for
 * these three tests. Values looked at are bounded by WALK_MAX. Matching runs in workers.
 */
#include "rules/kw/places.h"

#include "rules/source.h"

#define WALK_MAX 1024 /* values; a header has 2 bytes or more */

enum { ASN1_BITSTRING = 1 << 0, ASN1_DOUBLE = 1 << 1, ASN1_OVERSIZE = 1 << 2 };

static bool parse_asn1(struct draft *d, const struct option *o)
{
    enum { BITSTRING, DOUBLE, OVERSIZE, ABSOLUTE, RELATIVE, N_WORDS };
    static const char *const words[N_WORDS] = {"bitstring_overflow", "double_overflow", "oversize_length",
                                               "absolute_offset", "relative_offset"};
    struct draft_step *s = place_step_add(d, o);
    struct span rest = o->value, text;
    bool has_offset = false;
    uint64_t v;
    size_t row;

    if (s == NULL)
        return false;
    while (words_find(d, o, &rest, words, N_WORDS, &row)) {
        if (row == N_WORDS)
            return false;
        if (row == BITSTRING || row == DOUBLE) {
            s->step.flags |= row == BITSTRING ? ASN1_BITSTRING : ASN1_DOUBLE;
            continue;
        }
        if (!words_next(&rest, &text) || !words_number(text, row == RELATIVE ? -UINT16_MAX : 0,
                                                       row == OVERSIZE ? INT32_MAX : UINT16_MAX, &v))
            return draft_fail(d, o->value.p, o->kw->usage, "asn1: %s wants a number", words[row]);
        if (row == OVERSIZE) {
            s->step.flags |= ASN1_OVERSIZE;
            s->step.a = (int32_t)v;
            continue;
        }
        if (has_offset)
            return draft_fail(d, text.p, "keep one of them", "asn1: two offsets");
        has_offset = true;
        s->step.b = (int32_t)(int64_t)v;
        s->step.relative = row == RELATIVE;
    }
    if (s->step.flags == 0)
        return draft_fail(d, o->value.p, o->kw->usage, "asn1: '%.*s' looks for nothing", TEXT_ARG(o->value));
    if (s->step.relative)
        place_step_follow(d, s);
    return true;
}

struct ber { /* one value's header */
    uint8_t class;
    bool constructed, indefinite;
    uint32_t tag;
    uint64_t len;
    uint32_t content; /* where it begins */
};

/* False when there is no whole header at `at`. */
static bool read_header(struct span b, uint32_t at, struct ber *v)
{
    uint32_t n;

    if (at >= b.len)
        return false;
    v->class = b.p[at] >> 6;
    v->constructed = (b.p[at] & 0x20) != 0;
    v->tag = b.p[at++] & 0x1f;
    if (v->tag == 0x1f) { /* in groups of seven bits, the last without its top bit */
        v->tag = 0;
        do {
            if (at >= b.len || v->tag > UINT32_MAX >> 7)
                return false;
            v->tag = v->tag << 7 | (b.p[at] & 0x7f);
        } while (b.p[at++] & 0x80);
    }
    if (at >= b.len)
        return false;
    v->len = b.p[at++];
    v->indefinite = v->len == 0x80;
    if (v->len >= 0x80) {
        n = (uint32_t)v->len & 0x7f;
        if (n > b.len - at || n == 0x7f)
            return false;
        for (v->len = 0; n > 0; n--, at++)
            v->len = v->len > UINT64_MAX >> 8 ? UINT64_MAX : v->len << 8 | b.p[at];
    }
    v->content = at;
    return true;
}

static bool is_attack(const struct step *s, struct span b, const struct ber *v)
{
    bool primitive = v->class == 0 && !v->constructed && v->len > 0;
    uint8_t first = v->content < b.len ? b.p[v->content] : 0;

    if ((s->flags & ASN1_OVERSIZE) && v->len > (uint32_t)s->a)
        return true;
    if (!primitive || v->content >= b.len)
        return false;
    if ((s->flags & ASN1_BITSTRING) && v->tag == 3 && v->len <= UINT64_MAX / 8 && first > v->len * 8)
        return true;
    return (s->flags & ASN1_DOUBLE) && v->tag == 9 && v->len > 256 && (first & 0xc0) == 0;
}

static bool match_asn1(const struct step *s, struct eval *e)
{
    struct span b = eval_buffer(e, s->buffer);
    int64_t from = (int64_t)s->b + (s->relative ? e->cursor : -eval_origin(e, s->buffer));
    struct ber v;

    if (b.p == NULL || from < 0 || from >= b.len)
        return false;
    for (uint32_t n = 0, at = (uint32_t)from; n < WALK_MAX && read_header(b, at, &v); n++) {
        e->read_end = v.content < b.len ? v.content + 1 : b.len;
        if (is_attack(s, b, &v))
            return true;
        if (v.constructed)
            at = v.content;
        else if (v.indefinite || v.len > b.len - v.content)
            return false;
        else
            at = v.content + (uint32_t)v.len;
    }
    return false;
}

const struct keyword kw_asn1 = {
    .name = "asn1",
    .usage =
        "write asn1: and words of bitstring_overflow, double_overflow, oversize_length N, absolute_offset N, "
        "relative_offset N",
    .value = VALUE_PLAIN,
    .parse = parse_asn1,
    .match = match_asn1,
};
