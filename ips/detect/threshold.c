/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Thresholds, detection filters, rate filters and suppressions of a rule that has matched.
 *
 * The window of a count begins with its first match and is as long as the rule says, not sliding (RULES.md 2A, 45). What is
 * counted is an entry of the table that all workers share, keyed by rule and tracked addresses, so a count is exact
 * however many workers see the matches, and it goes on across reloads. What each kind answers is Suricata's
 * (thresholding.rst, and what its code does where the text is silent):
 *
 *     limit      alert up to count, then silent: the action is still taken
 *     threshold  alert at every count-th match, nothing in between: not even the action
 *     both       nothing up to count, an alert at count, then silent
 *     backoff    alert at count, count * multiplier, ..., silent in between
 *     detection  nothing up to count, then an alert each time
 *     rate       counts, and from count + 1 on the action is another one for `timeout` seconds, again and again
 *                while the window lasts
 *     suppress   silent for some addresses; without addresses the same as noalert
 *
 * The first that does not say alert decides, so what is suppressed for its addresses is not counted. If the table has no room for an entry the
 * answer is that of a first match (and counted there): a limit then alerts too often, a threshold too rarely.
 *
 * Worker thread. No memory of its own.
 */
#include "ips/detect/threshold.h"

#include "ips/flow/flow.h"

#define BACKOFF_MS   (3600 * 1000ull) /* a flow that is quiet for longer starts anew */
#define RATE_ACTIVE  (1u << (TRACK_DATA_BITS - 1))
#define RATE_UNIT_MS 125

static uint64_t end_of(uint64_t now_ms, uint32_t seconds)
{
    return seconds == 0 ? TRACK_MS_MAX : now_ms + seconds * 1000ull;
}

/* Whether n is count * multiplier^k. */
static bool backoff_hit(const struct rule_filter *f, uint32_t n)
{
    uint64_t at = f->count;

    while (at < n)
        at *= f->multiplier;
    return at == n;
}

/*
 * While the other action holds, the entry lives until that ends or until the window does, whichever is later, and its
 * number is the flag and by how much the first comes before the second. The first match behind it is as the rule says;
 * when the window is still open the next one changes the action again, since its count was exceeded.
 */
static void rate_begin(struct track_value *v, struct threshold_step *s)
{
    uint64_t until = s->now_ms + s->filter->timeout_s * 1000ull, ahead = 0;

    if (v->deadline_ms > until)
        ahead = (v->deadline_ms - until) / RATE_UNIT_MS;
    if (ahead >= RATE_ACTIVE)
        ahead = RATE_ACTIVE - 1;
    s->active = true;
    *v = (struct track_value){until + ahead * RATE_UNIT_MS, RATE_ACTIVE | (uint32_t)ahead};
}

static void count_rate(struct track_value *v, bool alive, struct threshold_step *s)
{
    const struct rule_filter *f = s->filter;

    if (!alive) {
        *v = (struct track_value){end_of(s->now_ms, f->seconds), 1};
    } else if (v->data & RATE_ACTIVE) {
        s->active = s->now_ms + (v->data & ~RATE_ACTIVE) * (uint64_t)RATE_UNIT_MS <= v->deadline_ms;
        if (!s->active)
            v->data = f->count;
    } else if (++v->data > f->count) {
        rate_begin(v, s);
    }
}

bool threshold_count(struct track_value *v, bool alive, void *step)
{
    struct threshold_step *s = step;
    const struct rule_filter *f = s->filter;
    uint32_t n;

    s->answer = THRESHOLD_ALERT;
    s->active = false;
    if (f->kind == FILTER_RATE) {
        count_rate(v, alive, s);
        return true;
    }
    if (!alive)
        *v = (struct track_value){end_of(s->now_ms, f->seconds), 0};
    if (f->kind == FILTER_BACKOFF)
        v->deadline_ms = s->now_ms + BACKOFF_MS;
    /* beyond its count nothing changes any more for these: the entry stays as it is and no cache line moves */
    if ((f->kind == FILTER_LIMIT || f->kind == FILTER_BOTH || f->kind == FILTER_DETECTION) &&
        v->data > f->count)
        n = v->data;
    else
        n = v->data += s->distinct && v->data < TRACK_DATA_MAX;

    switch (f->kind) {
    case FILTER_LIMIT:
        s->answer = n <= f->count ? THRESHOLD_ALERT : THRESHOLD_SILENT;
        break;
    case FILTER_THRESHOLD:
        s->answer = n >= f->count ? THRESHOLD_ALERT : THRESHOLD_NOTHING;
        if (n >= f->count)
            v->data = 0;
        break;
    case FILTER_BOTH:
        s->answer = n < f->count ? THRESHOLD_NOTHING : n == f->count ? THRESHOLD_ALERT : THRESHOLD_SILENT;
        break;
    case FILTER_BACKOFF:
        s->answer = backoff_hit(f, n) && n < TRACK_DATA_MAX ? THRESHOLD_ALERT : THRESHOLD_SILENT;
        break;
    default:
        s->answer = n > f->count ? THRESHOLD_ALERT : THRESHOLD_NOTHING;
        break;
    }
    return true;
}

/* False when the packet has nothing to track by. */
static bool fill_key(struct memory_key *k, const struct rule_filter *f, const struct packet *p)
{
    switch (f->track) {
    case TRACK_SRC:
        memcpy(k->a, p->src.b, sizeof(k->a));
        return true;
    case TRACK_DST:
        memcpy(k->a, p->dst.b, sizeof(k->a));
        return true;
    case TRACK_BOTH:
        memory_key_pair(k, p->src.b, p->dst.b);
        return true;
    case TRACK_FLOW:
        if (p->flow)
            memcpy(k->a, &p->flow->id, sizeof(p->flow->id));
        return p->flow != NULL;
    default:
        return true;
    }
}

/* unique_on: an entry per port says in which window of the count the port was seen. */
struct window {
    uint64_t now_ms, end_ms;
    uint32_t seconds;
    bool fresh;
};

static bool open_window(struct track_value *v, bool alive, void *arg)
{
    struct window *w = arg;

    if (!alive)
        *v = (struct track_value){end_of(w->now_ms, w->seconds), 0};
    w->end_ms = v->deadline_ms;
    return true;
}

static bool mark_seen(struct track_value *v, bool alive, void *arg)
{
    struct window *w = arg;
    uint32_t stamp = (uint32_t)(w->end_ms & TRACK_DATA_MAX);

    w->fresh = !alive || v->data != stamp;
    *v = (struct track_value){w->end_ms, stamp};
    return true;
}

static bool is_new(const struct rule_filter *f, const struct memory_key *count, const struct packet *p,
                   const struct memory *m)
{
    struct window w = {.now_ms = m->now_ms, .seconds = f->seconds};
    struct memory_key k = *count;

    track_update(m->track, memory_key_hash(m, count), m->now_ms, open_window, &w, m->c);
    k.kind = MEMORY_UNIQUE;
    k.part = f->unique == UNIQUE_SRC_PORT ? p->sport : p->dport;
    track_update(m->track, memory_key_hash(m, &k), m->now_ms, mark_seen, &w, m->c);
    return w.fresh;
}

static struct threshold_step count(const struct ruleset *rs, uint32_t rule, const struct rule_filter *f,
                                   const struct packet *p, const struct memory *m)
{
    struct threshold_step s = {.filter = f, .now_ms = m->now_ms, .distinct = true};
    struct memory_key k = {
        .kind = MEMORY_FILTER, .id = rs->info[rule].sid, .gid = rs->info[rule].gid, .part = f->kind};
    struct track_value none = {0};

    if (!fill_key(&k, f, p)) {
        threshold_count(&none, false, &s);
        return s;
    }
    if (f->unique != UNIQUE_NONE)
        s.distinct = is_new(f, &k, p, m);
    track_update(m->track, memory_key_hash(m, &k), m->now_ms, threshold_count, &s, m->c);
    return s;
}

static bool suppressed(const struct ruleset *rs, const struct rule_filter *f, const struct packet *p)
{
    bool src = f->track == TRACK_SRC || f->track == TRACK_EITHER;
    bool dst = f->track == TRACK_DST || f->track == TRACK_EITHER;

    return (src && ruleset_addr_in(rs, f->addr_set, p->src.b)) ||
           (dst && ruleset_addr_in(rs, f->addr_set, p->dst.b));
}

struct threshold_verdict threshold_ask(const struct ruleset *rs, uint32_t rule, const struct packet *p,
                                       const struct memory *m)
{
    const struct filter_list *list = &rs->limits[rs->rules[rule].limits];
    struct threshold_verdict v = {.answer = THRESHOLD_ALERT,
                                  .action = (enum rule_action)rs->rules[rule].action};
    bool mute = false;

    for (uint32_t i = 0; i < list->n && v.answer == THRESHOLD_ALERT; i++) {
        const struct rule_filter *f = &rs->filters[list->first + i];
        struct threshold_step s;

        if (f->kind == FILTER_TAG)
            break; /* the last kind */
        if (f->kind == FILTER_SUPPRESS) {
            if (f->track == TRACK_RULE)
                mute = true;
            else if (suppressed(rs, f, p))
                v.answer = THRESHOLD_SILENT;
            continue;
        }
        s = count(rs, rule, f, p, m);
        v.answer = s.answer;
        if (s.active) {
            v.action = (enum rule_action)f->new_action;
            v.by_rate_filter = true;
        }
    }
    if (mute && v.answer == THRESHOLD_ALERT)
        v.answer = THRESHOLD_SILENT;
    return v;
}
