/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Accepted rules into the finished ruleset: sorted, linked, all in one arena.
 *
 * builder_add() takes a draft whose errors are known to be none, orders its steps (order.c) and appends it. A
 * second rule with the same gid and sid is an error; the one with the newer rev stays.
 *
 * ruleset_compile() sorts by action, what rules remember, priority and load order, so that an index is a rank, copies
 * everything into the arena, and has the structures made that say which rules are worth a look on a packet: pattern
 * databases (prefilter.c), lists of rules without a fast pattern (always.c). What the builder still owned outside the
 * arena (pcre codes) moves into the ruleset. Control thread.
 */
#include <errno.h>
#include <stdlib.h>

#include "rules/builder.h"
#include "rules/keywords.h"
#include "rules/source.h"

/* --- one rule ----------------------------------------------------------------------------------------------- */

static bool add_step(struct builder *b, const struct step *s)
{
    void *v = b->steps;

    if (!builder_grow(b, &v, &b->cap_steps, b->n_steps, sizeof(*b->steps)))
        return false;
    b->steps = v;
    b->steps[b->n_steps++] = *s;
    return true;
}

static bool add_steps(struct builder *b, const struct draft *d)
{
    const struct draft_step *order[STEPS_MAX];
    struct step steps[STEPS_MAX];
    bool ok = true;

    order_steps(d, steps, order);
    for (uint32_t i = 0; i < d->n_steps && ok; i++)
        ok = add_step(b, &steps[i]);
    for (uint32_t i = 0; i < d->n_posts && ok; i++)
        ok = add_step(b, &d->posts[i].step);
    return ok;
}

/*
 * What is set by one rule and asked by another holds on the same packet, so setters come first (RULES.md 2A, 38): for
 * flowbits, then flowints, then hosts, then pairs, two bits each: 0 writes, 1 writes and reads, 2 reads, 3 neither.
 */
static uint8_t state_rank(const struct draft *d)
{
    static const uint8_t order[4] = {[0] = 3, [1] = 2, [2] = 0, [3] = 1};
    uint8_t used[STATE_KIND_N] = {0}, rank = 0; /* bit 0: reads, bit 1: writes */

    for (uint32_t i = 0; i < d->n_steps; i++)
        used[d->steps[i].state] |= 1;
    for (uint32_t i = 0; i < d->n_posts; i++)
        used[d->posts[i].state] |= 2;
    for (int k = STATE_NONE + 1; k < STATE_KIND_N; k++)
        rank = (uint8_t)(rank << 2 | order[used[k]]);
    return rank;
}

/* --- sids --------------------------------------------------------------------------------------------------- */

static uint32_t *sid_slot(struct builder *b, uint32_t gid, uint32_t sid)
{
    size_t mask = b->n_sid_slots - 1;
    size_t i = ((uint64_t)gid << 32 | sid) * 0x9e3779b97f4a7c15ull >> 32 & mask;

    while (b->sid_slots[i] != 0) {
        const struct rule_info *info = &b->rules[b->sid_slots[i] - 1].info;

        if (info->gid == gid && info->sid == sid)
            break;
        i = (i + 1) & mask;
    }
    return &b->sid_slots[i];
}

static bool sids_grow(struct builder *b)
{
    size_t n = b->n_sid_slots == 0 ? 1024 : b->n_sid_slots * 2;

    if ((b->n_rules + 1) * 2 <= b->n_sid_slots)
        return true;
    free(b->sid_slots);
    b->sid_slots = calloc(n, sizeof(*b->sid_slots));
    b->n_sid_slots = b->sid_slots != NULL ? n : 0;
    if (b->sid_slots == NULL)
        return draft_no_memory(&b->draft);
    for (size_t i = 0; i < b->n_rules;
         i++) /* a dead rule's sid belongs to the one that replaced it, further on */
        *sid_slot(b, b->rules[i].info.gid, b->rules[i].info.sid) = (uint32_t)i + 1;
    return true;
}

/* Report a second rule with the same gid and sid. True when the new one stays. */
static bool settle_duplicate(struct builder *b, struct draft *d, struct builder_rule *old)
{
    bool newer = d->info.rev > old->info.rev;

    draft_fail(d, d->text->text.p, "give one of them another sid, or remove it",
               "sid %u (gid %u) is also in %.200s line %u; rev %u is kept", d->info.sid, d->info.gid,
               old->info.file, old->info.line, newer ? d->info.rev : old->info.rev);
    b->n_rejected++; /* one of the two */
    if (newer)
        old->dead = true;
    return newer;
}

bool builder_add(struct builder *b, struct draft *d)
{
    struct builder_rule r = {.rule = d->rule, .info = d->info, .order = (uint32_t)b->n_rules};
    void *v = b->rules;
    uint32_t *slot;

    if (!builder_grow(b, &v, &b->cap_rules, b->n_rules, sizeof(*b->rules)) || (b->rules = v, !sids_grow(b)))
        return false;
    slot = sid_slot(b, d->info.gid, d->info.sid);
    if (*slot != 0 && !settle_duplicate(b, d, &b->rules[*slot - 1]))
        return false;
    r.rule.first_step = (uint32_t)b->n_steps;
    r.rule.n_steps = (uint8_t)d->n_steps;
    r.rule.n_post = (uint8_t)d->n_posts;
    r.state_rank = state_rank(d);
    if (!add_steps(b, d))
        return false;
    if (d->info.n_references > 0) {
        r.info.references =
            arena_memdup(b->arena, d->references, d->info.n_references * sizeof(*d->references));
        if (r.info.references == NULL)
            return draft_no_memory(d);
    }
    if (d->n_filters > 0) {
        r.filters = arena_memdup(b->arena, d->filters, d->n_filters * sizeof(*d->filters));
        r.n_filters = d->n_filters;
        if (r.filters == NULL)
            return draft_no_memory(d);
    }
    if (!fastpattern_choose(d, &r.fast))
        return draft_no_memory(d);
    if ((r.rule.flags & RULE_STREAM) && r.fast.kind != FAST_NONE && !fastpattern_is_last(d, &r.fast))
        r.rule.flags |= RULE_LATE;
    b->rules[b->n_rules] = r;
    *slot = (uint32_t)++b->n_rules;
    return true;
}

/* --- the whole ------------------------------------------------------------------------------------------------ */

struct rank {
    uint64_t key; /* action, what it remembers, priority, load order */
    uint32_t index;
};

static int rank_cmp(const void *a, const void *b)
{
    const struct rank *x = a, *y = b;

    return x->key < y->key ? -1 : x->key > y->key;
}

/* order[rank] = index into b->rules; heap, the caller's. */
static uint32_t *sort_rules(struct builder *b, uint32_t *n_out)
{
    static const uint8_t default_order[ACTION_N] = {
        [ACTION_PASS] = 0, [ACTION_DROP] = 1, [ACTION_REJECT] = 2, [ACTION_ALERT] = 3};
    static const uint8_t unset[ACTION_N];
    const uint8_t *rank_of =
        memcmp(b->src->action_order, unset, sizeof(unset)) == 0 ? default_order : b->src->action_order;
    struct rank *ranks = malloc((b->n_rules + 1) * sizeof(*ranks));
    uint32_t *order = malloc((b->n_rules + 1) * sizeof(*order)), n = 0;

    if (ranks == NULL || order == NULL) {
        free(ranks);
        free(order);
        return NULL;
    }
    for (size_t i = 0; i < b->n_rules; i++) {
        const struct builder_rule *r = &b->rules[i];

        if (!r->dead)
            ranks[n++] =
                (struct rank){.key = (uint64_t)rank_of[r->rule.action] << 56 | (uint64_t)r->state_rank << 48 |
                                     (uint64_t)r->info.priority << 40 | r->order,
                              .index = (uint32_t)i};
    }
    qsort(ranks, n, sizeof(*ranks), rank_cmp);
    for (uint32_t i = 0; i < n; i++)
        order[i] = ranks[i].index;
    free(ranks);
    *n_out = n;
    return order;
}

/* What is made only for those who ask. */
static const uint8_t asks_of[BUF_N] = {
    [BUF_FILE_GROWN] = ASK_GROWN,   [BUF_FILE_MD5] = ASK_MD5,    [BUF_FILE_SHA1] = ASK_SHA1,
    [BUF_FILE_SHA256] = ASK_SHA256, [BUF_JA3_HASH] = ASK_JA3,    [BUF_JA3_STRING] = ASK_JA3,
    [BUF_JA3S_HASH] = ASK_JA3,      [BUF_JA3S_STRING] = ASK_JA3, [BUF_JA4_HASH] = ASK_JA4,
};

static void place_asks(const struct builder *b, struct ruleset *rs)
{
    for (uint32_t i = 0; i < rs->n_rules; i++) {
        const struct rule *r = &rs->rules[i];

        rs->asks |= rs->info[i].filestore ? ASK_STORE : 0;
        rs->asks |= rs->info[i].block_side != RULE_BLOCK_NOBODY ? ASK_SOURCES : 0;
        for (uint32_t k = 0; k < r->n_steps && !(r->flags & RULE_DORMANT); k++)
            rs->asks |= asks_of[slot_base(b->transformed, rs->steps[r->first_step + k].buffer)];
    }
}

/* Rules and steps, in order, into the arena. */
static bool place_rules(struct builder *b, struct ruleset *rs, const uint32_t *order)
{
    struct rule *rules = arena_alloc(b->arena, (rs->n_rules + 1) * sizeof(*rules));
    struct rule_info *info = arena_alloc(b->arena, (rs->n_rules + 1) * sizeof(*info));
    struct step *steps = arena_alloc(b->arena, (b->n_steps + 1) * sizeof(*steps));
    uint32_t n_steps = 0;

    if (rules == NULL || info == NULL || steps == NULL)
        return false;
    for (uint32_t i = 0; i < rs->n_rules; i++) {
        const struct builder_rule *r = &b->rules[order[i]];

        rules[i] = r->rule;
        info[i] = r->info;
        rules[i].first_step = n_steps;
        uint32_t n = (uint32_t)r->rule.n_steps + r->rule.n_post;
        if (n > 0)
            memcpy(steps + n_steps, b->steps + r->rule.first_step, n * sizeof(*steps));
        n_steps += n;
        if (!limits_of(b, r, &rules[i].limits))
            return false;
    }
    rs->rules = rules;
    rs->info = info;
    rs->steps = steps;
    rs->n_steps = n_steps;
    place_asks(b, rs);
    return true;
}

static bool place_sets(struct builder *b, struct ruleset *rs)
{
    rs->n_addr_sets = b->sets.n[RANGE_ADDR];
    rs->n_port_sets = b->sets.n[RANGE_PORT];
    rs->addr_sets = arena_memdup(b->arena, b->sets.addr, rs->n_addr_sets * sizeof(*b->sets.addr));
    rs->port_sets = arena_memdup(b->arena, b->sets.port, rs->n_port_sets * sizeof(*b->sets.port));
    rs->transformed = arena_memdup(b->arena, b->transformed, b->n_transformed * sizeof(*b->transformed));
    rs->n_transformed = b->n_transformed;
    rs->datasets = arena_memdup(b->arena, b->datasets.v, b->datasets.n * sizeof(*b->datasets.v));
    rs->disabled = arena_memdup(b->arena, b->disabled, b->n_disabled * sizeof(*b->disabled));
    rs->n_disabled = (uint32_t)b->n_disabled;
    rs->references = arena_memdup(b->arena, b->refs.rows, b->refs.n * sizeof(*b->refs.rows));
    rs->n_references = b->refs.n;
    rs->pcre_codes = arena_memdup(b->arena, b->codes, b->n_codes * sizeof(*b->codes));
    if (rs->datasets == NULL || rs->addr_sets == NULL || rs->port_sets == NULL || rs->pcre_codes == NULL ||
        rs->transformed == NULL || rs->references == NULL || rs->disabled == NULL)
        return false;
    rs->n_pcre_codes = (uint32_t)b->n_codes;
    b->n_codes = 0; /* the ruleset's now */
    rs->geoip = b->geoip;
    b->geoip = NULL;
    return true;
}

/* What to scan and whom to try, for each kind of packet: the slots that have anything. */
static bool place_scans(struct builder *b, struct ruleset *rs)
{
    for (uint32_t kind = 0; kind < PACKET_KINDS; kind++) {
        struct scan *v = arena_alloc(b->arena, (BUF_N + rs->n_transformed) * sizeof(*v));
        struct scan_list *list = &rs->scans[kind / 2][kind % 2];

        if (v == NULL)
            return false;
        for (int of_app = 0; of_app < 2; of_app++) {
            for (uint32_t slot = 0; slot < BUF_N + rs->n_transformed; slot++) {
                struct scan *s = &b->scans[slot][kind];
                uint32_t base = slot_base(rs->transformed, slot);

                s->slot = slot;
                if ((base >= BUFFERS_OF_PACKETS_N) == of_app && (s->pf != NULL || s->candidates.n > 0))
                    v[list->n++] = *s;
            }
            if (!of_app)
                list->n_packet = list->n;
        }
        list->v = v;
    }
    return true;
}

struct ruleset *ruleset_compile(struct builder *b, struct err *e)
{
    struct ruleset *rs = arena_alloc(b->arena, sizeof(*rs));
    uint32_t *order = NULL;
    int rc = -ENOMEM;

    b->scans = calloc(BUF_SLOTS, sizeof(*b->scans));
    if (rs != NULL && b->scans != NULL && (order = sort_rules(b, &rs->n_rules)) != NULL &&
        place_rules(b, rs, order) && place_sets(b, rs) && limits_place(b, rs)) {
        rc = prefilter_build(b, rs, order, e);
        if (rc == 0 && ((rc = always_build(b, rs, order)) != 0 || !place_scans(b, rs)))
            rc = err_set(e, -ENOMEM, "no memory for the ruleset");
    } else {
        err_set(e, rc, "no memory for the ruleset");
    }
    free(order);
    if (rc == 0) {
        rs->n_datasets = (uint32_t)b->datasets.n;
        b->datasets.n = 0; /* the ruleset's now */
        return rs;
    }
    if (rs != NULL && rs->release != NULL)
        rs->release(rs);
    return NULL;
}
