/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who gets how much of a worker's stream memory, and who gives when there is none left.
 *
 * A direction keeps what its receiver has not acknowledged, the last window_bytes that were inspected, and early bytes;
 * stream.flow_bytes of all these at most. Where no acknowledgement is ever seen (asymmetric paths) nothing says what is
 * still of use: such a direction keeps its newest bytes, and the less the more the pool is used, so that a
 * few downloads do not take all of it. When everything is acknowledged only the window is of use.
 *
 * Flows that have memory stand in a list, in the order in which they got it. When the pool is empty, some from its old
 * end are looked at. One that has everything acknowledged gives its memory up: a rule will not find what lies partly in
 * the lost window and partly in what comes next. One that waits for something and has been silent for STALLED_S gives
 * it up too, and so does one that nobody has answered: what it sends again cannot be compared any more, which stream.c
 * treats as the lack of memory it is. All
 * others go to the list's new end. Early bytes far behind a hole are the cheapest way to fill the pool, so there is no
 * memory for them when half of it is used; losing them costs honest senders a retransmission.
 *
 * Worker thread. Owns nothing; the list lies in the flows.
 */
#include "ips/stream/stream_parts.h"

#define GIVERS_MAX 8     /* flows looked at for one segment */
#define STALLED_S  10    /* silence after which a flow that waits for something may lose its memory */
#define FAR_BYTES  65536 /* behind a hole */
/* A direction without acknowledgements keeps this part of what is free, in a block of twice that at most. */
#define ONE_SIDED_SHARE     128
#define ONE_SIDED_BYTES_MIN 16384

static struct tcp *at(const struct stream_table *t, uint32_t ref)
{
    return ref ? &t->tcp[ref - 1] : NULL;
}

static void unlist(struct stream_table *t, struct tcp *f)
{
    if (f->more_recent)
        at(t, f->more_recent)->less_recent = f->less_recent;
    else
        t->most_recent = f->less_recent;
    if (f->less_recent)
        at(t, f->less_recent)->more_recent = f->more_recent;
    else
        t->least_recent = f->more_recent;
    f->listed = false;
}

static void list(struct stream_table *t, struct tcp *f)
{
    uint32_t ref = (uint32_t)(f - t->tcp) + 1;

    f->more_recent = 0;
    f->less_recent = t->most_recent;
    if (t->most_recent)
        at(t, t->most_recent)->more_recent = ref;
    else
        t->least_recent = ref;
    t->most_recent = ref;
    f->listed = true;
}

static bool has_memory(const struct tcp *f)
{
    return f->dir[0].bytes || f->dir[0].early || f->dir[1].bytes || f->dir[1].early;
}

void memory_list(struct stream_table *t, struct tcp *f)
{
    bool has = has_memory(f);

    if (has && !f->listed)
        list(t, f);
    else if (!has && f->listed)
        unlist(t, f);
}

void memory_release(struct stream_table *t, struct tcp *f)
{
    if (!f->listed)
        return;
    buffer_free(t->pool, &f->dir[0]);
    buffer_free(t->pool, &f->dir[1]);
    unlist(t, f);
}

/* What f can do without. */
static bool give(struct stream_table *t, struct tcp *f, bool stalled, struct counters *c)
{
    bool given = false;

    for (unsigned i = 0; i < 2; i++) {
        struct tcp_dir *d = &f->dir[i];

        if (!d->bytes && !d->early)
            continue;
        bool unanswered = !(d->flags & TCP_SAW_ACK) && !(f->dir[1 - i].flags & TCP_SEEN);

        if (all_acked(d))
            counter_add(c, CTR_STREAM_IDLE_GIVEN, 1);
        else if (stalled || unanswered) /* of the latter anybody can send any number */
            counter_add(c, CTR_STREAM_STALLED_GIVEN, 1);
        else
            continue;
        if (d->n_early)
            d->flags |= TCP_GAP;
        buffer_free(t->pool, d);
        given = true;
    }
    return given;
}

/* One flow from the old end of the list; false when it gave nothing. `user` is who needs it, and gives nothing. */
static bool take_from_oldest(struct stream_table *t, const struct tcp *user, struct counters *c)
{
    struct tcp *f = at(t, t->least_recent);
    bool given = f && f != user && give(t, f, stream_elapsed_s(user->used_s, f->used_s) >= STALLED_S, c);

    if (!f)
        return false;
    unlist(t, f);
    if (has_memory(f))
        list(t, f);
    return given;
}

static uint32_t one_sided_bytes(const struct stream_table *t)
{
    uint64_t share = (pool_size(t->pool) - pool_used(t->pool)) / ONE_SIDED_SHARE;
    uint32_t least = t->cfg.window_bytes > ONE_SIDED_BYTES_MIN ? t->cfg.window_bytes : ONE_SIDED_BYTES_MIN;

    return share > t->cfg.flow_bytes ? t->cfg.flow_bytes : share < least ? least : (uint32_t)share;
}

/* From where on the direction's bytes are of use when it holds bytes up to end. */
static uint32_t wanted_from(const struct stream_table *t, const struct tcp_dir *d, uint32_t end)
{
    uint32_t limit = t->cfg.flow_bytes, kept = d->next - d->base;
    uint32_t window = d->next - (kept < t->cfg.window_bytes ? kept : t->cfg.window_bytes);

    if (d->flags & TCP_SAW_ACK) {
        uint32_t acked = data_acked(d);

        if (seq_before(d->next, acked))
            acked = d->next;
        if (seq_before(acked, d->base))
            acked = d->base;
        if (seq_before(window, acked) && end - window <= limit)
            return window;
        return acked;
    }
    limit = one_sided_bytes(t);
    if (end - d->base <= limit)
        return d->base;
    return end - limit - d->next < UINT32_C(1) << 31 ? d->next : end - limit;
}

/* A direction without acknowledgements has far more room than its share is by now. */
static void give_back(struct stream_table *t, struct tcp_dir *d, uint32_t keep)
{
    if (d->bytes && !(d->flags & TCP_SAW_ACK) && !seq_before(d->kept, keep) &&
        (uint64_t)POOL_UNIT << d->order > UINT64_C(8) * one_sided_bytes(t))
        buffer_shrink(t->pool, d, keep);
}

enum reserved memory_reserve(struct stream_table *t, struct tcp *f, struct tcp_dir *d, uint32_t end,
                             bool early, struct counters *c)
{
    uint32_t limit = t->cfg.flow_bytes, room = (uint32_t)POOL_UNIT << d->order;

    if (d->bytes && !early && end - d->base <= (room < limit ? room : limit))
        return RESERVED; /* behind what is there */
    uint32_t keep = wanted_from(t, d, end);
    if (end - keep > limit || (early && d->n_early == EARLY_MAX))
        return BEYOND_LIMIT;
    bool far = early && end - d->next > FAR_BYTES && end - d->base > (uint32_t)POOL_UNIT << d->order &&
               pool_used(t->pool) > pool_size(t->pool) / 2;
    if (far)
        return NO_MEMORY;
    give_back(t, d, keep);
    bool done = buffer_reserve(t->pool, d, keep, end, limit, early);
    for (unsigned i = 0; !done && i < GIVERS_MAX; i++)
        if (take_from_oldest(t, f, c))
            done = buffer_reserve(t->pool, d, keep, end, limit, early);
    memory_list(t, f);
    return done ? RESERVED : NO_MEMORY;
}

void memory_acked(struct stream_table *t, struct tcp_dir *d)
{
    if (!d->bytes || !all_acked(d))
        return;
    if (d->flags &
        TCP_DEPTH) /* nothing more will be joined with it; behind a FIN there may: it may be a lie */
        buffer_free(t->pool, d);
    else if (d->order > t->tail_order + 2 && pool_used(t->pool) > pool_size(t->pool) / 4)
        buffer_shrink(t->pool, d, d->next - t->cfg.window_bytes);
}
