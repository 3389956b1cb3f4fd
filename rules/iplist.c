/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Address lists of many rules in one structure.
 *
 * A thousand rules of a public rule set are nothing but a list of addresses each. All ends of all their ranges cut
 * the address space into disjoint intervals, and each interval has the list of rules that name it; equal lists are
 * one. To look an IPv4 address up, its upper 16 bits give the few intervals that can hold it, and a binary search
 * finds the one; IPv6 is a binary search. The answer is exact for the end that was asked about; the rule's
 * header test decides the rest.
 *
 * Rules whose ranges overlap in every way can make the lists larger than the rules: they have a bound, and beyond it
 * the rules with the widest sets are left to be tried on every packet.
 *
 * Built in a control thread, in the ruleset's arena, with heap memory that is free again when it returns.
 */
#include "rules/iplist.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define COVER_MAX4     (1u << 28) /* addresses of a set that is worth looking up: a sixteenth of all */
#define COVER_MAX6     ((u128)1 << 120)
#define LIST_RULES_MAX (4u << 20) /* in all lists together: 16 MB */

static u128 cover4(const struct addr_set *s)
{
    u128 n = 0;

    for (uint32_t i = 0; i < s->n4; i++)
        n += (u128)s->v4[i].hi - s->v4[i].lo + 1;
    return n;
}

static u128 cover6(const struct addr_set *s)
{
    u128 n = 0;

    for (uint32_t i = 0; i < s->n6; i++) {
        u128 more = s->v6[i].hi - s->v6[i].lo;

        if (more >= COVER_MAX6)
            return COVER_MAX6;
        n += more + 1;
    }
    return n;
}

bool iplist_takes(const struct addr_set *s)
{
    return cover4(s) < COVER_MAX4 && cover6(s) < COVER_MAX6;
}

/* --- lists, each kind once -------------------------------------------------------------------------------------- */

struct list {
    size_t first; /* in the pool */
    uint32_t n;
};

struct lists { /* heap */
    struct list *v;
    uint32_t *pool;  /* the rules of all lists */
    uint32_t *slots; /* open hash, a power of two: list number + 1 */
    size_t n, cap, n_pool, cap_pool, n_slots;
};

static uint32_t *list_slot(struct lists *l, const uint32_t *rules, uint32_t n)
{
    size_t at = XXH3_64bits(rules, n * sizeof(*rules)) & (l->n_slots - 1);

    for (; l->slots[at] != 0; at = (at + 1) & (l->n_slots - 1)) {
        const struct list *old = &l->v[l->slots[at] - 1];

        if (old->n == n && (n == 0 || memcmp(l->pool + old->first, rules, n * sizeof(*rules)) == 0))
            break;
    }
    return &l->slots[at];
}

static bool grow_lists(struct lists *l)
{
    size_t cap = l->cap == 0 ? 1024 : l->cap * 2;
    struct list *v = realloc(l->v, cap * sizeof(*v));

    if (v == NULL)
        return false;
    l->v = v;
    free(l->slots);
    l->slots = calloc(cap * 2, sizeof(*l->slots));
    if (l->slots == NULL)
        return false;
    l->n_slots = cap * 2;
    l->cap = cap;
    for (size_t i = 0; i < l->n; i++)
        *list_slot(l, l->pool + v[i].first, v[i].n) = (uint32_t)i + 1;
    return true;
}

static bool grow_pool(struct lists *l, uint32_t n)
{
    size_t cap = (l->n_pool + n) * 2 + 1024;
    uint32_t *pool;

    if (l->n_pool + n <= l->cap_pool)
        return true;
    pool = realloc(l->pool, cap * sizeof(*pool));
    if (pool == NULL)
        return false;
    l->pool = pool;
    l->cap_pool = cap;
    return true;
}

/* The number of the list of these rules. -ENOMEM, or -E2BIG beyond LIST_RULES_MAX. */
static int lists_intern(struct lists *l, const uint32_t *rules, uint32_t n, uint32_t *number)
{
    uint32_t *slot;

    if ((l->n == l->cap && !grow_lists(l)) || !grow_pool(l, n))
        return -ENOMEM;
    slot = list_slot(l, rules, n);
    if (*slot == 0) {
        if (l->n_pool + n > LIST_RULES_MAX)
            return -E2BIG;
        if (n > 0)
            memcpy(l->pool + l->n_pool, rules, n * sizeof(*rules));
        l->v[l->n++] = (struct list){l->n_pool, n};
        l->n_pool += n;
        *slot = (uint32_t)l->n;
    }
    *number = *slot - 1;
    return 0;
}

static int keep_lists(struct iplist *out, struct arena *arena, const struct lists *l)
{
    const uint32_t *pool = arena_memdup(arena, l->pool, l->n_pool * sizeof(*pool));
    struct rule_list *v = arena_alloc(arena, l->n * sizeof(*v));

    if (pool == NULL || v == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < l->n; i++)
        v[i] = (struct rule_list){pool + l->v[i].first, l->v[i].n};
    out->lists = v;
    out->n_lists = (uint32_t)l->n;
    return 0;
}

static void lists_fini(struct lists *l)
{
    free(l->v);
    free(l->pool);
    free(l->slots);
}

/* --- from ranges to intervals ----------------------------------------------------------------------------------- */

struct edge { /* from here on the rule is in, or out again */
    u128 at;
    uint32_t rule;
    bool in;
};

static int edge_cmp(const void *a, const void *b)
{
    const struct edge *x = a, *y = b;

    return x->at < y->at ? -1 : x->at > y->at;
}

struct sweep {
    struct edge *edges;
    size_t n_edges;
    uint32_t *active; /* ascending */
    uint32_t n_active;
    u128 *start;
    uint32_t *list;
    size_t n; /* intervals */
};

static void sweep_apply(struct sweep *s, const struct edge *e)
{
    uint32_t lo = 0, hi = s->n_active;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (s->active[mid] < e->rule)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (e->in) {
        memmove(s->active + lo + 1, s->active + lo, (s->n_active - lo) * sizeof(*s->active));
        s->active[lo] = e->rule;
        s->n_active++;
    } else {
        s->n_active--;
        memmove(s->active + lo, s->active + lo + 1, (s->n_active - lo) * sizeof(*s->active));
    }
}

static int sweep_run(struct sweep *s, struct lists *l)
{
    qsort(s->edges, s->n_edges, sizeof(*s->edges), edge_cmp);
    s->start[0] = 0;
    s->list[0] = 0;
    s->n = 1;
    for (size_t i = 0; i < s->n_edges;) {
        u128 at = s->edges[i].at;
        uint32_t number;
        int rc;

        /* a rule's ranges do not touch, so at one place it cannot both leave and enter */
        for (; i < s->n_edges && s->edges[i].at == at; i++)
            sweep_apply(s, &s->edges[i]);
        rc = lists_intern(l, s->active, s->n_active, &number);
        if (rc != 0)
            return rc;
        if (at == 0)
            s->n = 0;
        else if (number == s->list[s->n - 1])
            continue;
        s->start[s->n] = at;
        s->list[s->n++] = number;
    }
    return 0;
}

/* --- one end ------------------------------------------------------------------------------------------------------ */

struct input {
    struct arena *arena;
    const struct addr_set *sets;
    const struct iplist_entry *v;
    uint32_t n;
};

static size_t count_ranges(const struct input *in, bool v4)
{
    size_t ranges = 0;

    for (uint32_t i = 0; i < in->n; i++)
        ranges += v4 ? in->sets[in->v[i].set].n4 : in->sets[in->v[i].set].n6;
    return ranges;
}

static void add_edges(struct sweep *s, const struct addr_set *set, uint32_t rule, bool v4)
{
    for (uint32_t i = 0; i < (v4 ? set->n4 : set->n6); i++) {
        u128 lo = v4 ? set->v4[i].lo : set->v6[i].lo, hi = v4 ? set->v4[i].hi : set->v6[i].hi;

        s->edges[s->n_edges++] = (struct edge){lo, rule, true};
        if (hi != (v4 ? UINT32_MAX : ~(u128)0))
            s->edges[s->n_edges++] = (struct edge){hi + 1, rule, false};
    }
}

/* For each upper half of an address, the interval that its lowest address is in; and one more for the end. */
static const uint32_t *make_top(struct arena *arena, const uint32_t *start, uint32_t n)
{
    uint32_t *top = arena_alloc(arena, 65537 * sizeof(*top)), i = 0;

    for (uint32_t half = 0; top != NULL && half < 65536; half++) {
        while (i + 1 < n && start[i + 1] <= half << 16)
            i++;
        top[half] = i;
    }
    if (top != NULL)
        top[65536] = n - 1;
    return top;
}

static int keep4(struct iplist_index *x, struct arena *arena, const struct sweep *s)
{
    uint32_t *start = arena_alloc(arena, s->n * sizeof(*start));

    x->list4 = arena_memdup(arena, s->list, s->n * sizeof(*s->list));
    if (start == NULL || x->list4 == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < s->n; i++)
        start[i] = (uint32_t)s->start[i];
    x->start4 = start;
    x->n4 = (uint32_t)s->n;
    x->top4 = make_top(arena, start, x->n4);
    return x->top4 != NULL ? 0 : -ENOMEM;
}

static int keep6(struct iplist_index *x, struct arena *arena, const struct sweep *s)
{
    x->start6 = arena_memdup(arena, s->start, s->n * sizeof(*s->start));
    x->list6 = arena_memdup(arena, s->list, s->n * sizeof(*s->list));
    x->n6 = (uint32_t)s->n;
    return x->start6 != NULL && x->list6 != NULL ? 0 : -ENOMEM;
}

static int build_index(struct iplist_index *x, struct lists *l, const struct input *in, enum iplist_side side,
                       bool v4)
{
    size_t max = count_ranges(in, v4) * 2;
    struct sweep s = {.edges = malloc((max + 1) * sizeof(*s.edges)),
                      .active = malloc(((size_t)in->n + 1) * sizeof(*s.active)),
                      .start = malloc((max + 1) * sizeof(*s.start)),
                      .list = malloc((max + 1) * sizeof(*s.list))};
    int rc = -ENOMEM;

    if (s.edges != NULL && s.active != NULL && s.start != NULL && s.list != NULL) {
        for (uint32_t i = 0; i < in->n; i++)
            if (in->v[i].side == side)
                add_edges(&s, &in->sets[in->v[i].set], in->v[i].rule, v4);
        rc = sweep_run(&s, l);
        if (rc == 0 && s.n_edges > 0)
            rc = v4 ? keep4(x, in->arena, &s) : keep6(x, in->arena, &s);
    }
    free(s.edges);
    free(s.active);
    free(s.start);
    free(s.list);
    return rc;
}

static int build(struct iplist *out, const struct input *in)
{
    struct lists l = {.n = 0};
    uint32_t empty;
    int rc = lists_intern(&l, NULL, 0, &empty); /* number 0 */

    memset(out, 0, sizeof(*out));
    for (int side = 0; side < IPLIST_SIDES && rc == 0; side++) {
        rc = build_index(&out->side[side], &l, in, side, true);
        if (rc == 0)
            rc = build_index(&out->side[side], &l, in, side, false);
    }
    if (rc == 0)
        rc = keep_lists(out, in->arena, &l);
    lists_fini(&l);
    return rc;
}

struct wide { /* an entry by how much its set covers */
    u128 cover;
    struct iplist_entry entry;
};

static int wide_cmp(const void *a, const void *b)
{
    const struct wide *x = a, *y = b;

    if (x->cover != y->cover)
        return x->cover < y->cover ? -1 : 1;
    return x->entry.rule < y->entry.rule ? -1 : x->entry.rule > y->entry.rule;
}

static int narrowest_first(struct iplist_entry *v, uint32_t n, const struct addr_set *sets)
{
    struct wide *w = malloc(((size_t)n + 1) * sizeof(*w));

    if (w == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++)
        w[i] = (struct wide){cover4(&sets[v[i].set]) + (cover6(&sets[v[i].set]) >> 64), v[i]};
    qsort(w, n, sizeof(*w), wide_cmp);
    for (uint32_t i = 0; i < n; i++)
        v[i] = w[i].entry;
    free(w);
    return 0;
}

int iplist_build(struct iplist *l, struct arena *arena, const struct addr_set *sets, struct iplist_entry *v,
                 uint32_t n, uint32_t *n_taken)
{
    struct input in = {.arena = arena, .sets = sets, .v = v, .n = n};
    int rc = narrowest_first(v, n, sets);

    if (rc == 0)
        while ((rc = build(l, &in)) == -E2BIG)
            in.n /= 2;
    *n_taken = in.n;
    return rc;
}

/* --- what workers ask ---------------------------------------------------------------------------------------------- */

static uint32_t find4(const struct iplist_index *x, uint32_t addr)
{
    uint32_t lo = x->top4[addr >> 16], hi = x->top4[(addr >> 16) + 1];

    while (lo < hi) { /* the last interval that begins at or before addr */
        uint32_t mid = lo + (hi - lo + 1) / 2;

        if (x->start4[mid] <= addr)
            lo = mid;
        else
            hi = mid - 1;
    }
    return x->list4[lo];
}

static uint32_t find6(const struct iplist_index *x, u128 addr)
{
    uint32_t lo = 0, hi = x->n6 - 1;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo + 1) / 2;

        if (x->start6[mid] <= addr)
            lo = mid;
        else
            hi = mid - 1;
    }
    return x->list6[lo];
}

const struct rule_list *iplist_lookup(const struct iplist *l, enum iplist_side side, const uint8_t addr[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    const struct iplist_index *x = &l->side[side];
    uint32_t number = 0;

    if (memcmp(addr, mapped, sizeof(mapped)) == 0)
        number = x->n4 > 0 ? find4(x, load_be32(addr + 12)) : 0;
    else if (x->n6 > 0)
        number = find6(x, range_addr(addr));
    return &l->lists[number];
}
