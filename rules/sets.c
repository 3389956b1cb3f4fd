/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interned address and port sets.
 *
 * Twenty thousand rules name a few hundred different sets, so a header field is looked up by its text and parsed
 * only when that text is new. The ranges lie in the ruleset's arena; the tables used while building are on the
 * heap and die in sets_fini().
 *
 * The lookup functions are called by workers on the published sets: no writes, a binary search each.
 */
#include "rules/sets.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

void sets_init(struct sets *s, struct arena *arena)
{
    memset(s, 0, sizeof(*s));
    s->arena = arena;
}

void sets_fini(struct sets *s)
{
    free(s->addr);
    free(s->port);
    free(s->texts[RANGE_ADDR]);
    free(s->texts[RANGE_PORT]);
    memset(s, 0, sizeof(*s));
}

void sets_forget(struct sets *s)
{
    for (int kind = 0; kind < 2; kind++) {
        if (s->n_slots[kind] > 0)
            memset(s->texts[kind], 0, s->n_slots[kind] * sizeof(*s->texts[kind]));
        s->n_texts[kind] = 0;
    }
}

/* --- texts seen before ------------------------------------------------------------------------------------- */

static struct set_text *text_slot(struct set_text *slots, uint32_t n_slots, uint64_t hash, struct span text)
{
    uint32_t i = (uint32_t)hash & (n_slots - 1);

    while (slots[i].text.p != NULL && (slots[i].hash != hash || !span_eq(slots[i].text, text)))
        i = (i + 1) & (n_slots - 1);
    return &slots[i];
}

static bool texts_grow(struct sets *s, enum range_kind kind)
{
    uint32_t n_slots = s->n_slots[kind] == 0 ? 256 : s->n_slots[kind] * 2;
    struct set_text *slots;

    if (s->n_texts[kind] * 2 < s->n_slots[kind])
        return true;
    slots = calloc(n_slots, sizeof(*slots));
    if (slots == NULL)
        return false;
    for (uint32_t i = 0; i < s->n_slots[kind]; i++) {
        struct set_text *old = &s->texts[kind][i];

        if (old->text.p != NULL)
            *text_slot(slots, n_slots, old->hash, old->text) = *old;
    }
    free(s->texts[kind]);
    s->texts[kind] = slots;
    s->n_slots[kind] = n_slots;
    return true;
}

/* --- values ------------------------------------------------------------------------------------------------ */

static bool publish_addr(struct sets *s, const struct range_list *l, struct addr_set *out)
{
    size_t n4 = 0, n6 = 0;
    struct range4 *v4;
    struct range *v6;

    /* a range that straddles the IPv4-mapped block is cut into the part before, in, and behind it */
    v4 = arena_alloc(s->arena, (l->n + 1) * sizeof(*v4));
    v6 = arena_alloc(s->arena, (l->n + 2) * sizeof(*v6));
    if (v4 == NULL || v6 == NULL)
        return false;
    for (size_t i = 0; i < l->n; i++) {
        struct range r = l->v[i];

        if (r.lo < V4_FIRST)
            v6[n6++] = (struct range){r.lo, r.hi < V4_FIRST ? r.hi : V4_FIRST - 1};
        if (r.hi >= V4_FIRST && r.lo <= V4_LAST)
            v4[n4++] = (struct range4){(uint32_t)(r.lo < V4_FIRST ? V4_FIRST : r.lo),
                                       (uint32_t)(r.hi > V4_LAST ? V4_LAST : r.hi)};
        if (r.hi > V4_LAST)
            v6[n6++] = (struct range){r.lo > V4_LAST ? r.lo : V4_LAST + 1, r.hi};
    }
    *out = (struct addr_set){.v4 = v4, .v6 = v6, .n4 = (uint32_t)n4, .n6 = (uint32_t)n6};
    return true;
}

static bool publish_port(struct sets *s, const struct range_list *l, struct port_set *out)
{
    struct port_range *v = arena_alloc(s->arena, l->n * sizeof(*v));

    if (v == NULL)
        return false;
    for (size_t i = 0; i < l->n; i++)
        v[i] = (struct port_range){(uint16_t)l->v[i].lo, (uint16_t)l->v[i].hi};
    *out = (struct port_set){.v = v, .n = (uint32_t)l->n};
    return true;
}

static bool sets_grow(struct sets *s, enum range_kind kind)
{
    size_t cap = s->cap[kind] == 0 ? 64 : s->cap[kind] * 2;
    size_t elem = kind == RANGE_ADDR ? sizeof(*s->addr) : sizeof(*s->port);
    void *v;

    if (s->n[kind] < s->cap[kind])
        return true;
    v = realloc(kind == RANGE_ADDR ? (void *)s->addr : (void *)s->port, cap * elem);
    if (v == NULL)
        return false;
    if (kind == RANGE_ADDR)
        s->addr = v;
    else
        s->port = v;
    s->cap[kind] = cap;
    return true;
}

/* A new set with these values; false when memory is out. */
static bool add_values(struct sets *s, enum range_kind kind, const struct range_list *l)
{
    uint32_t n = s->n[kind];

    if (!sets_grow(s, kind) ||
        !(kind == RANGE_ADDR ? publish_addr(s, l, &s->addr[n]) : publish_port(s, l, &s->port[n])))
        return false;
    s->n[kind]++;
    return true;
}

/* Parse a text that is new and put it into its slot. */
static bool add_text(struct sets *s, enum range_kind kind, struct span text, const struct variables *vars,
                     struct set_text *slot, struct range_error *e)
{
    struct range_list l;
    bool ok;

    if (s->n[kind] == SETS_MAX) {
        snprintf(e->what, sizeof(e->what), "more than %d different address or port lists", SETS_MAX);
        e->at = text.p;
        e->remedy = "use variables, or fewer rules";
        return false;
    }
    if (!range_parse(kind, text, vars, &l, &slot->negated, e))
        return false;
    slot->all = range_is_all(kind, &l);
    slot->index = (uint16_t)s->n[kind];
    ok = add_values(s, kind, &l);
    range_free(&l);
    slot->text = span_of(ok ? arena_memdup(s->arena, text.p, text.len) : NULL, text.len);
    if (slot->text.p == NULL) {
        e->no_memory = true;
        return false;
    }
    s->n_texts[kind]++;
    return true;
}

bool sets_intern(struct sets *s, enum range_kind kind, struct span text, const struct variables *vars,
                 struct set_ref *ref, struct range_error *e)
{
    uint64_t hash = XXH3_64bits(text.p, text.len);
    struct set_text *slot;

    memset(e, 0, sizeof(*e));
    if (!texts_grow(s, kind)) {
        e->no_memory = true;
        return false;
    }
    slot = text_slot(s->texts[kind], s->n_slots[kind], hash, text);
    if (slot->text.p == NULL && !add_text(s, kind, text, vars, slot, e))
        return false;
    slot->hash = hash;
    *ref = (struct set_ref){.index = slot->index, .negated = slot->negated, .all = slot->all};
    return true;
}

/* --- what workers ask ---------------------------------------------------------------------------------------- */

bool addr_set_has(const struct addr_set *s, const uint8_t addr[16])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    uint32_t lo = 0, hi;

    if (memcmp(addr, mapped, sizeof(mapped)) == 0) {
        uint32_t a = load_be32(addr + 12);

        for (hi = s->n4; lo < hi;) {
            uint32_t mid = lo + (hi - lo) / 2;

            if (a < s->v4[mid].lo)
                hi = mid;
            else if (a > s->v4[mid].hi)
                lo = mid + 1;
            else
                return true;
        }
        return false;
    }
    u128 a = range_addr(addr);

    for (hi = s->n6; lo < hi;) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (a < s->v6[mid].lo)
            hi = mid;
        else if (a > s->v6[mid].hi)
            lo = mid + 1;
        else
            return true;
    }
    return false;
}

bool port_set_has(const struct port_set *s, uint16_t port)
{
    for (uint32_t lo = 0, hi = s->n; lo < hi;) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (port < s->v[mid].lo)
            hi = mid;
        else if (port > s->v[mid].hi)
            lo = mid + 1;
        else
            return true;
    }
    return false;
}
