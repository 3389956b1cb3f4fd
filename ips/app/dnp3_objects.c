/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The objects of a DNP3 fragment (IEEE 1815): which groups and variations it names.
 *
 * An object header is group, variation and qualifier, then a range or a count; in fragments that carry values, those
 * follow, and only who knows their size finds the next header. The sizes are the table below; behind an object that is not in
 * it nothing is read. One step per header, or per value where values say their own length: each takes at least a byte.
 *
 * Worker thread. Owns nothing.
 */
#include "ips/app/dnp3_parts.h"

enum { UNKNOWN = 0, BITS = 250, DOUBLE_BITS = 251, NONE = 252, OF_VARIATION = 253, ATTRIBUTE = 254 };

static const struct group {
    uint8_t group;
    uint8_t size[8]; /* of variations 1 to 8, bytes or one of the words above */
} groups[] = {
    {1, {BITS, 1}},
    {2, {1, 7, 3}},
    {3, {DOUBLE_BITS, 1}},
    {4, {1, 7, 3}},
    {10, {BITS, 1}},
    {11, {1, 7}},
    {12, {11, 11, BITS}},
    {13, {1, 7}},
    {20, {5, 3, 5, 3, 4, 2, 4, 2}},
    {21, {5, 3, 5, 3, 11, 9, 11, 9}},
    {22, {5, 3, 5, 3, 11, 9, 11, 9}},
    {23, {5, 3, 5, 3, 11, 9, 11, 9}},
    {30, {5, 3, 4, 2, 5, 9}},
    {31, {5, 3, 11, 9, 4, 2, 5, 9}},
    {32, {5, 3, 11, 9, 5, 9, 11, 15}},
    {33, {5, 3, 11, 9, 5, 9, 11, 15}},
    {34, {2, 4, 4}},
    {40, {5, 3, 5, 9}},
    {41, {5, 3, 5, 9}},
    {42, {5, 3, 11, 9, 5, 9, 11, 15}},
    {43, {5, 3, 11, 9, 5, 9, 11, 15}},
    {50, {6, 10, 6, 11}},
    {51, {6, 6}},
    {52, {2, 2}},
    {60, {NONE, NONE, NONE, NONE}},
    {80, {BITS}},
};

static uint8_t size_of(uint8_t group, uint8_t variation)
{
    if (group == 0)
        return ATTRIBUTE;
    if (group >= 110 && group <= 113)
        return OF_VARIATION;
    if (group == 21 && (variation == 9 || variation == 10))
        return variation == 9 ? 4 : 2;
    for (unsigned i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
        if (groups[i].group == group && variation >= 1 && variation <= 8)
            return groups[i].size[variation - 1];
    return UNKNOWN;
}

static bool skip(struct span *s, uint64_t n)
{
    if (n > s->len)
        return false;
    *s = span_sub(*s, (uint32_t)n, s->len);
    return true;
}

/* A number of 1, 2 or 4 bytes, lowest first. */
static bool number(struct span *s, uint32_t n, uint32_t *v)
{
    *v = 0;
    if (s->len < n)
        return false;
    for (uint32_t i = 0; i < n; i++)
        *v |= (uint32_t)s->p[i] << 8 * i;
    return skip(s, n);
}

/* How many values a header is about; its range goes off *s. */
static bool count_of(struct span *s, uint8_t range, uint64_t *n)
{
    static const uint8_t width[16] = {1, 2, 4, 1, 2, 4, 0, 1, 2, 4, 0, 1};
    uint32_t first, last;

    *n = 0;
    if (range <= 5) {
        if (!number(s, width[range], &first) || !number(s, width[range], &last) || last < first)
            return false;
        *n = (uint64_t)last - first + 1;
        return true;
    }
    if (range == 6)
        return true;
    if (width[range] == 0 || !number(s, width[range], &first))
        return false;
    *n = first;
    return true;
}

/* Values that say their own length, each at least a byte. */
static bool skip_own_lengths(struct span *s, uint64_t n, uint32_t width)
{
    uint32_t bytes;

    for (; n > 0; n--)
        if (!number(s, width, &bytes) || !skip(s, bytes))
            return false;
    return true;
}

static enum dnp3_objects skip_values(struct span *s, uint8_t group, uint8_t variation, uint8_t prefix,
                                     uint64_t n)
{
    static const uint8_t width[8] = {0, 1, 2, 4, 1, 2, 4, 0};
    uint8_t size = size_of(group, variation);
    bool ok;

    if (prefix >= 4 && prefix <= 6)
        return skip_own_lengths(s, n, width[prefix]) ? DNP3_OBJECTS_OK : DNP3_OBJECTS_BAD;
    if (size == UNKNOWN)
        return DNP3_OBJECTS_UNKNOWN;
    if (size == ATTRIBUTE) {
        for (ok = true; ok && n > 0; n--)
            ok = skip(s, width[prefix] + 1u) && skip_own_lengths(s, 1, 1);
        return ok ? DNP3_OBJECTS_OK : DNP3_OBJECTS_BAD;
    }
    if (size == BITS)
        ok = skip(s, (n + 7) / 8);
    else if (size == DOUBLE_BITS)
        ok = skip(s, (n + 3) / 4);
    else
        ok = skip(s, n * (width[prefix] + (uint64_t)(size == NONE           ? 0
                                                     : size == OF_VARIATION ? variation
                                                                            : size)));
    return ok ? DNP3_OBJECTS_OK : DNP3_OBJECTS_BAD;
}

enum dnp3_objects dnp3_objects(struct span s, bool with_values, struct dnp3_facts *f)
{
    while (s.len > 0) {
        enum dnp3_objects answer;
        uint64_t n;

        if (s.len < 3)
            return DNP3_OBJECTS_BAD;
        uint8_t group = s.p[0], variation = s.p[1], qualifier = s.p[2];
        if (f->n_objects == DNP3_OBJECTS_MAX)
            return DNP3_OBJECTS_MANY;
        f->object[f->n_objects++] = (uint16_t)(group << 8 | variation);
        s = span_sub(s, 3, s.len);
        if (!count_of(&s, qualifier & 0xf, &n))
            return DNP3_OBJECTS_BAD;
        if (!with_values && (qualifier >> 4 & 7) == 0)
            continue;
        answer = with_values ? skip_values(&s, group, variation, qualifier >> 4 & 7, n)
                 : skip(&s, n * (uint64_t[]){0, 1, 2, 4, 1, 2, 4, 0}[qualifier >> 4 & 7]) ? DNP3_OBJECTS_OK
                                                                                          : DNP3_OBJECTS_BAD;
        if (answer != DNP3_OBJECTS_OK)
            return answer;
    }
    return DNP3_OBJECTS_OK;
}
