/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tags: which packets are logged after a match.
 *
 * A tag is an entry of the table that all workers share, keyed by flow or by host, with what is left of it: packets,
 * units of 64 bytes, or only the time. So a host's tag counts its packets in all workers together. There is one tag for a flow
 * and one for a host; a newer one takes its place. Tags by packets and bytes end after TAG_IDLE_MS without a packet.
 *
 * Nearly no packet is tagged, and finding that out must cost nearly nothing: a flow says so in its flags, and a clock
 * of all workers says until when any host may be tagged.
 *
 * Worker thread. The clock is the only shared word: atomic, and only moves forward.
 */
#include "ips/detect/tag.h"

#include "ips/flow/flow.h"

#define TAG_IDLE_MS  (600 * 1000ull) /* Suricata's TAG_MAX_LAST_TIME_SEEN */
#define BYTES_UNIT   64
#define METRIC_SHIFT (TRACK_DATA_BITS - 2) /* the number: 20 bits of amount, 2 of metric */
#define AMOUNT_MAX   ((1u << METRIC_SHIFT) - 1)

static uint64_t hosts_until_ms;

static struct track_key flow_key(const struct packet *p, const struct memory *m)
{
    struct memory_key k = {.kind = MEMORY_TAG_FLOW};

    memcpy(k.a, &p->flow->id, sizeof(p->flow->id));
    return memory_key_hash(m, &k);
}

static struct track_key host_key(const struct addr *a, const struct memory *m)
{
    struct memory_key k = {.kind = MEMORY_TAG_HOST};

    memcpy(k.a, a->b, sizeof(k.a));
    return memory_key_hash(m, &k);
}

struct take {
    uint64_t now_ms;
    uint32_t packet_bytes;
    bool tagged;
};

static bool take(struct track_value *v, bool alive, void *arg)
{
    struct take *t = arg;
    uint32_t metric = v->data >> METRIC_SHIFT, left = v->data & AMOUNT_MAX, n = 1;

    t->tagged = alive;
    if (!alive)
        return false;
    if (metric == TAG_SECONDS)
        return true;
    if (metric == TAG_BYTES)
        n = (t->packet_bytes + BYTES_UNIT - 1) / BYTES_UNIT;
    if (left <= n)
        return false;
    *v = (struct track_value){t->now_ms + TAG_IDLE_MS, metric << METRIC_SHIFT | (left - n)};
    return true;
}

static bool take_one(const struct packet *p, const struct memory *m, struct track_key key)
{
    struct take t = {.now_ms = m->now_ms, .packet_bytes = p->len};

    track_update(m->track, key, m->now_ms, take, &t, m->c);
    return t.tagged;
}

/* The time may be a capture's, which is far from the clock's: whoever runs both in one process only looks in vain. */
static void move_clock(uint64_t until_ms)
{
    uint64_t now = __atomic_load_n(&hosts_until_ms, __ATOMIC_RELAXED);

    while (now < until_ms && !__atomic_compare_exchange_n(&hosts_until_ms, &now, until_ms, true,
                                                          __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

bool tag_take(const struct packet *p, const struct memory *m)
{
    bool tagged = false;

    if (p->flow && (p->flow->flags & FLOW_TAGGED)) {
        tagged = take_one(p, m, flow_key(p, m));
        if (!tagged)
            p->flow->flags &= (uint16_t)~FLOW_TAGGED;
    }
    if (__atomic_load_n(&hosts_until_ms, __ATOMIC_RELAXED) >= m->now_ms) {
        bool src = take_one(p, m, host_key(&p->src, m)), dst = take_one(p, m, host_key(&p->dst, m));

        if (src || dst)
            move_clock(m->now_ms + TAG_IDLE_MS);
        tagged |= src || dst;
    }
    return tagged;
}

static bool put(struct track_value *v, bool alive, void *arg)
{
    *v = *(const struct track_value *)arg;
    return true;
}

static void begin(const struct rule_filter *f, const struct packet *p, const struct memory *m)
{
    uint32_t amount = f->unique == TAG_BYTES ? (f->count + BYTES_UNIT - 1) / BYTES_UNIT : f->count;
    struct track_value v = {
        .deadline_ms = m->now_ms + (f->unique == TAG_SECONDS ? f->count * 1000ull : TAG_IDLE_MS),
        .data = (uint32_t)f->unique << METRIC_SHIFT | (f->unique == TAG_SECONDS ? 0
                                                       : amount < AMOUNT_MAX    ? amount
                                                                                : AMOUNT_MAX)};

    if (f->track == TRACK_FLOW) {
        if (!p->flow)
            return;
        track_update(m->track, flow_key(p, m), m->now_ms, put, &v, m->c);
        p->flow->flags |= FLOW_TAGGED;
        return;
    }
    track_update(m->track, host_key(f->track == TRACK_SRC ? &p->src : &p->dst, m), m->now_ms, put, &v, m->c);
    move_clock(v.deadline_ms);
}

void tag_begin(const struct ruleset *rs, uint32_t rule, const struct packet *p, const struct memory *m)
{
    const struct filter_list *list = &rs->limits[rs->rules[rule].limits];

    for (uint32_t i = list->n; i-- > 0 && rs->filters[list->first + i].kind == FILTER_TAG;)
        begin(&rs->filters[list->first + i], p, m);
}
