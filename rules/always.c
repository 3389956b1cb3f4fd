/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules without a fast pattern: when is each worth a look?
 *
 *   by anomaly   it asks for something odd (kw/event.c): when the packet has anything odd
 *   by address   the header names a list of addresses at one end, and not most of the world: one lookup for all
 *                such rules (iplist.c). Those that are nothing but a header are asked about once per flow and
 *                direction, the others on each packet
 *   by buffer    it looks into another buffer than the payload: when that buffer is there
 *   always       what is left, listed by what packets cheaply tell: protocol, TCP flags or ICMP type, payload or none,
 *                direction, and whether header-only rules were decided already
 *
 * Every list is a superset: the header test and the options decide. Which TCP flags and ICMP types a rule can match is
 * found by asking its own flags and itype options about each of the 256 values, so that the two cannot disagree.
 * Control thread; what is built lies in the ruleset's arena.
 */
#include <errno.h>
#include <stdlib.h>

#include "rules/builder.h"
#include "rules/keywords.h"

#define LIST_RANGES_MIN 8
#define BY_VALUE_MAX \
    2048 /* rules; more are not listed by TCP flags and ICMP type, so that lists stay small */

struct candidate { /* a rule that is left for the always lists */
    uint32_t rule;
    uint8_t kinds; /* of packet: prefilter_kinds() */
    bool needs_payload, once;
    uint64_t values[4]; /* bit for each value of the TCP flags or the ICMP type that it may match */
};

struct work {
    struct builder *b;
    struct ruleset *rs;
    uint32_t *uses; /* of each address set, by headers of rules */
    struct iplist_entry *once, *each;
    uint32_t n_once, n_each;
    struct candidate *left;
    uint32_t n_left;
    uint32_t *anomalous;
    uint32_t n_anomalous;
};

/* --- by address -------------------------------------------------------------------------------------------------- */

/*
 * Whether to look the set up. What is asked about on each packet must be a list: our own network would be in every
 * packet, and TCP flags or an ICMP type tell more.
 */
static bool is_list(const struct addr_set *s, bool once)
{
    return iplist_takes(s) && (once || s->n4 + s->n6 >= LIST_RANGES_MIN);
}

/*
 * Which end of the rule's header to look up; -1 when neither is a list. When both are, the one that fewer rules name: it
 * is the list, and the other our own network.
 */
static int listed_end(const struct work *w, const struct rule *r)
{
    const struct addr_set *sets = w->rs->addr_sets;
    bool once = (r->flags & RULE_IP_ONLY) != 0;
    bool src = !(r->flags & RULE_ANY_SRC) && is_list(&sets[r->src], once);
    bool dst = !(r->flags & RULE_ANY_DST) && is_list(&sets[r->dst], once);

    if (src && dst)
        return w->uses[r->src] <= w->uses[r->dst] ? IPLIST_SRC : IPLIST_DST;
    return src ? IPLIST_SRC : dst ? IPLIST_DST : -1;
}

static bool take_by_address(struct work *w, uint32_t index)
{
    const struct rule *r = &w->rs->rules[index];
    int end = listed_end(w, r);
    bool once = (r->flags & RULE_IP_ONLY) != 0;
    struct iplist_entry *v = once ? w->once : w->each;
    uint32_t *n = once ? &w->n_once : &w->n_each;

    if (end < 0)
        return false;
    v[(*n)++] = (struct iplist_entry){index, end == IPLIST_SRC ? r->src : r->dst, (uint8_t)end};
    if (r->flags & RULE_BIDIRECTIONAL) {
        v[*n] = v[*n - 1];
        v[(*n)++].side = end == IPLIST_SRC ? IPLIST_DST : IPLIST_SRC;
    }
    return true;
}

/* --- by anomaly -------------------------------------------------------------------------------------------------- */

static bool take_by_anomaly(struct work *w, uint32_t index)
{
    const struct rule *r = &w->rs->rules[index];

    for (uint32_t i = 0; i < r->n_steps; i++)
        if (w->rs->steps[r->first_step + i].match == kw_decode_event.match) {
            w->anomalous[w->n_anomalous++] = index;
            return true;
        }
    return false;
}

static bool place_anomalous(struct work *w)
{
    w->rs->anomalous = (struct rule_list){
        arena_memdup(w->b->arena, w->anomalous, w->n_anomalous * sizeof(*w->anomalous)), w->n_anomalous};
    return w->n_anomalous == 0 || w->rs->anomalous.v != NULL;
}

/* --- by buffer --------------------------------------------------------------------------------------------------- */

/* A buffer without which the rule cannot match, other than the payload; -1 when there is none. */
static int needed_slot(const struct ruleset *rs, const struct rule *r)
{
    for (uint32_t i = 0; i < r->n_steps; i++) {
        const struct step *s = &rs->steps[r->first_step + i];
        uint16_t base = slot_base(rs->transformed, s->buffer);

        if (s->flow != STEP_TEST && base != BUF_PAYLOAD && base != BUF_BASE64)
            return base;
    }
    return -1;
}

static bool place_by_buffer(struct work *w, const uint32_t *slot_of, uint32_t slot)
{
    for (unsigned kind = 0; kind < PACKET_KINDS; kind++) {
        uint32_t n = 0, *v;

        for (uint32_t i = 0; i < w->rs->n_rules; i++)
            n += slot_of[i] == slot && prefilter_kinds(&w->rs->rules[i]) >> kind & 1;
        if (n == 0)
            continue;
        v = arena_alloc(w->b->arena, n * sizeof(*v));
        if (v == NULL)
            return false;
        w->b->scans[slot][kind].candidates = (struct rule_list){v, n};
        for (uint32_t i = 0; i < w->rs->n_rules; i++)
            if (slot_of[i] == slot && prefilter_kinds(&w->rs->rules[i]) >> kind & 1)
                *v++ = i;
    }
    return true;
}

/* --- always ------------------------------------------------------------------------------------------------------ */

/* Clears the bits of values that one of the rule's tests on them never lets through. */
static void narrow_values(const struct ruleset *rs, const struct rule *r, unsigned proto, uint64_t values[4])
{
    step_match_fn test = proto == PROTO_TCP ? kw_flags.match : proto == PROTO_ICMP ? kw_itype.match : NULL;

    for (uint32_t i = 0; i < r->n_steps && test != NULL; i++) {
        const struct step *s = &rs->steps[r->first_step + i];
        struct facts f = {.flags = proto == PROTO_TCP ? FACT_TCP : FACT_ICMP};
        struct eval e = {.facts = &f};

        if (s->match != test)
            continue;
        for (unsigned v = 0; v < 256; v++) {
            f.tcp_flags = f.icmp_type = (uint8_t)v;
            if (!test(s, &e))
                values[v / 64] &= ~(1ull << v % 64);
        }
    }
}

static bool listed(const struct candidate *c, uint32_t key)
{
    uint32_t v = key & 0xff;

    return (c->values[v / 64] >> v % 64 & 1) != 0 && !(c->needs_payload && !(key & 0x100)) &&
           !(c->once && (key & 0x400));
}

static bool intern(struct rule_list *lists, struct always *a, struct arena *arena, const uint32_t *v,
                   uint32_t n, uint16_t *number)
{
    uint32_t i = 0;

    while (i < a->n_lists && (lists[i].n != n || (n > 0 && memcmp(lists[i].v, v, n * sizeof(*v)) != 0)))
        i++;
    if (i == a->n_lists) {
        lists[i] = (struct rule_list){arena_memdup(arena, v, n * sizeof(*v)), n};
        if (lists[i].v == NULL)
            return false;
        a->n_lists++;
    }
    *number = (uint16_t)i;
    return true;
}

/* Values that the same rules let through have the same lists: only the first of each such class is worked out. */
static void classes_of(const struct candidate *v, uint32_t n, uint8_t first[256])
{
    for (unsigned a = 0; a < 256; a++) {
        first[a] = (uint8_t)a;
        for (unsigned b = 0; b < a && first[a] == a; b++) {
            uint32_t i = 0;

            while (first[b] == b && i < n &&
                   (v[i].values[a / 64] >> a % 64 & 1) == (v[i].values[b / 64] >> b % 64 & 1))
                i++;
            if (first[b] == b && i == n)
                first[a] = (uint8_t)b;
        }
    }
}

static bool place_proto(struct work *w, struct always *a, struct rule_list *lists, unsigned proto,
                        uint32_t *scratch)
{
    uint8_t first[256];

    for (uint32_t i = 0; i < w->n_left; i++) {
        struct candidate *c = &w->left[i];

        memset(c->values, 0xff, sizeof(c->values));
        if (w->n_left <= BY_VALUE_MAX)
            narrow_values(w->rs, &w->rs->rules[c->rule], proto, c->values);
    }
    classes_of(w->left, w->n_left <= BY_VALUE_MAX ? w->n_left : 0, first);
    for (uint32_t key = 0; key < ALWAYS_KEYS; key++) {
        unsigned kind = proto * 2 + (key >> 9 & 1);
        uint32_t n = 0, same = (key & ~0xffu) | first[key & 0xff];

        if (same != key) {
            a->list[proto][key] = a->list[proto][same];
            continue;
        }
        for (uint32_t i = 0; i < w->n_left; i++)
            if ((w->left[i].kinds >> kind & 1) && listed(&w->left[i], key))
                scratch[n++] = w->left[i].rule;
        if (!intern(lists, a, w->b->arena, scratch, n, &a->list[proto][key]))
            return false;
    }
    return true;
}

static bool place_always(struct work *w)
{
    struct rule_list *lists = calloc((size_t)PROTO_N * ALWAYS_KEYS, sizeof(*lists));
    uint32_t *scratch = malloc(((size_t)w->n_left + 1) * sizeof(*scratch));
    struct always *a = arena_alloc(w->b->arena, sizeof(*a));
    bool ok = lists != NULL && scratch != NULL && a != NULL;

    for (unsigned proto = 0; proto < PROTO_N && ok; proto++)
        ok = place_proto(w, a, lists, proto, scratch);
    if (ok) {
        a->lists = arena_memdup(w->b->arena, lists, a->n_lists * sizeof(*lists));
        ok = a->lists != NULL;
        w->rs->always = a;
    }
    free(lists);
    free(scratch);
    return ok;
}

/* --- the whole ----------------------------------------------------------------------------------------------------- */

static void leave(struct work *w, uint32_t index)
{
    const struct rule *r = &w->rs->rules[index];

    w->left[w->n_left++] = (struct candidate){.rule = index,
                                              .kinds = prefilter_kinds(r),
                                              .needs_payload = (r->flags & RULE_NEEDS_PAYLOAD) != 0,
                                              .once = (r->flags & RULE_IP_ONLY) != 0};
}

/* The address structure; rules that it has no room for are left to the always lists. */
static bool place_addresses(struct work *w, struct iplist *out, struct iplist_entry *v, uint32_t n,
                            uint8_t *left)
{
    uint32_t taken;

    if (iplist_build(out, w->b->arena, w->rs->addr_sets, v, n, &taken) != 0)
        return false;
    for (uint32_t i = taken; i < n; i++)
        left[v[i].rule] =
            1; /* a rule that stands in it for its other end is a candidate twice, and evaluated once */
    return true;
}

static bool sort_out(struct work *w, const uint32_t *order, uint32_t *slot_of, uint8_t *left)
{
    uint32_t n = w->rs->n_rules;
    uint64_t slots[(BUF_SLOTS + 63) / 64] = {0};

    for (uint32_t i = 0; i < n; i++) {
        w->uses[w->rs->rules[i].src]++;
        w->uses[w->rs->rules[i].dst]++;
    }
    for (uint32_t i = 0; i < n; i++) {
        const struct rule *r = &w->rs->rules[i];
        int slot;

        slot_of[i] = UINT32_MAX;
        w->rs->stats.n_dormant += (r->flags & RULE_DORMANT) != 0;
        if (w->b->rules[order[i]].fast.kind != FAST_NONE || (r->flags & RULE_DORMANT) ||
            take_by_anomaly(w, i) || take_by_address(w, i))
            continue;
        slot = needed_slot(w->rs, r);
        if (slot >= 0) {
            slot_of[i] = (uint32_t)slot;
            slots[slot / 64] |= 1ull << slot % 64;
        } else {
            left[i] = 1;
        }
        w->rs->stats.n_no_prefilter++;
    }
    for (uint32_t slot = 0; slot < BUF_N; slot++)
        if ((slots[slot / 64] >> slot % 64 & 1) && !place_by_buffer(w, slot_of, slot))
            return false;
    return place_addresses(w, &w->rs->ip_once, w->once, w->n_once, left) &&
           place_addresses(w, &w->rs->ip_each, w->each, w->n_each, left);
}

int always_build(struct builder *b, struct ruleset *rs, const uint32_t *order)
{
    size_t n = (size_t)rs->n_rules + 1;
    struct work w = {.b = b,
                     .rs = rs,
                     .uses = calloc((size_t)rs->n_addr_sets + 1, sizeof(*w.uses)),
                     .once = malloc(2 * n * sizeof(*w.once)),
                     .each = malloc(2 * n * sizeof(*w.each)),
                     .left = malloc(n * sizeof(*w.left)),
                     .anomalous = malloc(n * sizeof(*w.anomalous))};
    uint32_t *slot_of = malloc(n * sizeof(*slot_of));
    uint8_t *left = calloc(n, 1);
    bool ok = w.uses != NULL && w.once != NULL && w.each != NULL && w.left != NULL && w.anomalous != NULL &&
              slot_of != NULL && left != NULL && sort_out(&w, order, slot_of, left);

    if (ok) {
        for (uint32_t i = 0; i < rs->n_rules; i++)
            if (left[i])
                leave(&w, i);
        ok = place_anomalous(&w) && place_always(&w);
    }
    free(w.uses);
    free(w.once);
    free(w.each);
    free(w.left);
    free(w.anomalous);
    free(slot_of);
    free(left);
    return ok ? 0 : -ENOMEM;
}
