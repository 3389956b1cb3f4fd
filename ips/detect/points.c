/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules about transactions: asked whenever a parser has published something (app_inspect()), before the segment that
 * brought it leaves.
 *
 * Only what is fresh is searched for fast patterns. A rule that is a candidate is tried on all buffers that its
 * transaction has by then. One that did not match, and may when more comes (a buffer of it is not there yet, or may grow or
 * repeat itself), is remembered by the transaction (struct app_memo) and tried at each later point of that direction; one
 * that matched is remembered, too, so that it matches a transaction once. When there is no more room to remember, everything
 * that the transaction has is searched again at each point; that a rule has matched is then remembered for as long as
 * nothing else takes its place, so it may match again, but none is left out.
 *
 * What grows (a body, a file) is searched from FRONT_BYTES before its new bytes on, where a literal may begin that ends in
 * them. Steps that count places from the start of a buffer know where its first byte stands (eval_origin()).
 *
 * Rules whose fast pattern is in the payload, and which look into a transaction as well, were found when the packet was
 * searched (struct detect: wanted).
 *
 * A buffer that is absent fails every step, negated ones too: so a rule waits for all the buffers that it names.
 *
 * Worker thread. Owns nothing: the view is the parser's until app_inspect() returns.
 */
#include <netinet/in.h>
#include <xxhash.h>

#include "ips/detect/detect_parts.h"
#include "ips/detect/profile.h"
#include "ips/base/clock.h"
#include "ips/base/fault.h"

#define IS(set, b) ((set)[(b) / 64] >> ((b) % 64) & 1)

/* --- what a transaction remembers ------------------------------------------------------------------------------------ */

static void memo_begin(struct app_memo *m, uint32_t generation)
{
    if (m->generation == generation + 1)
        return;
    bool known = m->generation != 0;
    *m = (struct app_memo){.generation = generation + 1, .all = known};
}

static uint32_t *memo_find(struct app_memo *m, uint32_t rule)
{
    for (uint32_t i = 0; i < m->n; i++)
        if ((m->rule[i] & ~MEMO_DONE) == rule)
            return &m->rule[i];
    return NULL;
}

static bool memo_done(struct app_memo *m, uint32_t rule)
{
    const uint32_t *r = memo_find(m, rule);

    return r && (*r & MEMO_DONE);
}

/* done: it has matched. Else it waits; without room for it, everything is searched again. */
static void memo_keep(struct app_memo *m, uint32_t rule, bool done)
{
    uint32_t *r = memo_find(m, rule), entry = rule | (done ? MEMO_DONE : 0);

    if (r) {
        *r = entry;
        return;
    }
    if (m->n < sizeof(m->rule) / sizeof(m->rule[0])) {
        m->rule[m->n++] = entry;
        return;
    }
    m->all = true;
    m->full |= done;
    for (uint32_t i = 0; done && i < m->n;
         i++) /* a rule that waits is found again, one that is done must be known */
        if (!(m->rule[i] & MEMO_DONE)) {
            m->rule[i] = entry;
            return;
        }
}

/*
 * Whether the rule is among those that have matched and of which the transaction has no room to know; with `now` it is from
 * now on. One cache line of the worker's table; the oldest goes when it is full, and may match again.
 */
static bool done_elsewhere(struct detect *d, const struct app_view *v, uint32_t rule, bool now)
{
    uint64_t what[4] = {d->p->flow->id, v->tx->id, (uint64_t)d->rs->generation << 32 | rule, v->dir};
    uint64_t key = XXH3_64bits_withSeed(what, sizeof(what), d->done_seed);
    uint64_t *line = d->done[key % DONE_LINES];

    for (unsigned i = 0; i < DONE_WAYS; i++)
        if (line[i] == key)
            return true;
    if (now) {
        memmove(line + 1, line, (DONE_WAYS - 1) * sizeof(*line));
        line[0] = key;
    }
    return now;
}

static void memo_drop(struct app_memo *m, uint32_t rule)
{
    uint32_t *r = memo_find(m, rule);

    if (r)
        *r = m->rule[--m->n];
}

/* --- one rule ---------------------------------------------------------------------------------------------------------- */

/* Whether more may come that lets the rule match after all. */
static bool may_match_later(const struct detect *d, const struct app_view *v, const struct rule *r)
{
    const struct step *steps = d->rs->steps + r->first_step;

    for (uint32_t i = 0; i < r->n_steps; i++) {
        uint16_t b = slot_base(d->rs->transformed, steps[i].buffer);

        if (steps[i].flow == STEP_TEST)
            continue;
        if (b < BUFFERS_OF_PACKETS_N) {
            if (b == BUF_PAYLOAD)
                return true;
            continue;
        }
        bool way = buffer_table[b].direction & (v->dir == APP_TO_CLIENT ? TO_CLIENT : TO_SERVER);
        if (v->end && way && !IS(v->open, b))
            continue;
        if (!IS(v->set, b) || IS(v->open, b) || (buffer_table[b].flags & BUFFER_MULTI))
            return true;
    }
    return false;
}

/* All buffers of the view, each with its first instance. */
static void set_buffers(struct eval *e, const struct app_view *v)
{
    for (uint32_t word = 0; word < sizeof(v->set) / sizeof(v->set[0]); word++)
        for (uint64_t bits = v->set[word]; bits; bits &= bits - 1) {
            uint32_t b = word * 64 + (uint32_t)__builtin_ctzll(bits);

            eval_buffer_set(e, (uint16_t)b, v->instance[v->first[b] - 1].bytes);
        }
}

/* The payload that a rule about a transaction looks into, too: the stream, old bytes and new. */
static void look_at_payload(struct detect *d)
{
    if (d->sight.view) {
        sight_window(&d->sight);
        eval_look_at(&d->eval, d->sight.window, d->sight.origin, 0);
    } else {
        eval_look_at(&d->eval, packet_payload(d->p), 0, 0);
    }
}

static bool evaluate(struct detect *d, uint32_t index)
{
    const struct rule *r = &d->rs->rules[index];

    counter_add(d->c, CTR_DETECT_CANDIDATES, 1);
    d->eval.steps_left = detect_steps(d);
    d->eval.hit_step_limit = d->eval.hit_pcre_limit = false;
    beacon_rule(d->beacon, &d->rs->info[index]);
    uint64_t began_ns = d->meter->on ? clock_mono_ns() : 0;
    fault_rule(d->rs->info[index].sid);
    bool match = eval_rule(d->rs, r, &d->eval);
    if (began_ns)
        cost_add(d, index, clock_mono_ns() - began_ns);
    beacon_rule(d->beacon, NULL);
    detect_count_limits(d, match);
    return match;
}

static bool profiled(struct detect *d, uint32_t index, struct rule_cost *costs)
{
    if (!costs)
        return evaluate(d, index);
    uint64_t began = clock_mono_ns();
    bool match = evaluate(d, index);
    profile_add(&costs[index], match, clock_mono_ns() - began);
    return match;
}

/* --- a point ------------------------------------------------------------------------------------------------------------ */

/* What alerts say of the transaction; the note's number, or 0 when there is no room. */
static uint8_t take_note(struct detect *d, struct app *a, const struct app_view *v)
{
    struct note *n = &d->notes[d->n_notes];
    struct fields f;

    if (d->n_notes == NOTES_MAX)
        return 0;
    fields_begin(&f, d->notes_room + d->notes_used, NOTES_BYTES - d->notes_used);
    *n = (struct note){.at = d->notes_used, .tx_id = v->tx->id, .to_client = v->dir == APP_TO_CLIENT};
    app_view_fields(a, &f, &n->object);
    n->len = f.len;
    d->notes_used += f.len;
    return (uint8_t)++d->n_notes;
}

/* The other direction's bytes, kept until the protocol was known: the facts as its packets would have them. */
static void turn_round(struct facts *f)
{
    const uint8_t *src = f->src;
    uint16_t sport = f->sport;

    f->src = f->dst;
    f->dst = src;
    f->sport = f->dport;
    f->dport = sport;
    f->flags ^= FACT_TO_CLIENT;
}

static void try_candidates(struct detect *d, struct app *a, const struct app_view *v,
                           struct candidates *found)
{
    struct rule_cost *costs = __atomic_load_n(&d->rs->workers[d->worker].costs, __ATOMIC_ACQUIRE);
    struct app_memo *memo = &v->tx->memo[v->dir];
    uint8_t note = 0;

    app_view_complete(a);
    set_buffers(&d->eval, v);
    look_at_payload(d);
    for (uint32_t i; (i = candidates_next(found)) != CANDIDATE_NONE;) {
        const struct rule *r = &d->rs->rules[i];

        if (!(r->flags & RULE_TX) || memo_done(memo, i) || (i > d->pass_rank && !r->n_post) ||
            !ruleset_header_match(d->rs, r, &d->facts) || cost_leaves_out(d, i))
            continue;
        if (memo->full && done_elsewhere(d, v, i, false))
            continue;
        if (profiled(d, i, costs)) {
            if (!note)
                note = take_note(d, a, v);
            act_note(d, i, IN_APP, note);
            app_matched(a, v, d->rs->info[i].sid, d->rs->info[i].filestore);
            memo_keep(memo, i, true);
            if (memo->full && !memo_done(memo, i))
                done_elsewhere(d, v, i, true);
        } else if (may_match_later(d, v, r)) {
            memo_keep(memo, i, false);
        } else {
            memo_drop(memo, i);
        }
    }
}

void detect_point(void *detect, struct app *a, const struct app_view *v)
{
    struct detect *d = detect;
    enum stage was = beacon_stage_now(d->beacon);
    struct candidates found;

    if (!d->rs || d->look != LOOK)
        return;
    beacon_stage(d->beacon, STAGE_DETECT);
    bool turned = (v->dir == APP_TO_CLIENT) != ((d->p->flags & PKT_TO_CLIENT) != 0);
    struct app_memo *memo = &v->tx->memo[v->dir];
    struct span payload = d->eval.buf[BUF_PAYLOAD];
    struct prefilter_point hints = {.view = v, .memo = memo, .wanted = d->wanted, .n_wanted = d->n_wanted};

    memo_begin(memo, d->rs->generation);
    if (!d->event_note && detect_is_odd(d)) /* rules about events are asked when the packet is done */
        d->event_note = take_note(d, a, v);
    if (turned)
        turn_round(&d->facts);
    d->facts.apps = app_of(a, d->p);
    d->facts.flags |= FACT_APP_SETTLED;
    if (memo->all)
        app_view_complete(a);
    eval_publish(&d->eval, v->instance, v->first, v->origin);
    prefilter_run_point(d->rs, &d->rs->workers[d->worker], &d->eval, &hints, &found, d->c);
    if (found.n_found > 0)
        try_candidates(d, a, v, &found);
    eval_unpublish(&d->eval);
    eval_look_at(&d->eval, payload, 0, 0);
    if (turned)
        turn_round(&d->facts);
    beacon_stage(d->beacon, was);
}
