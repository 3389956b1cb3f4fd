/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory of defragmentation: frames in hand, datagrams that are being collected, and who is the oldest.
 *
 * All arrays are made at start. A datagram is found by a hash with a secret, since attackers choose the keys; it stands
 * in two lists by age, one of all and one of its source host, so that a budget that is spent is met by giving up the
 * oldest, of the host that overdraws its own first. Hosts are slots that their addresses hash to: two that meet share a
 * budget, which is rare and no harm. A timer wheel says whose time is over; nothing ever walks the table.
 *
 * A datagram that is refused gives its frames back and stays as a tombstone until its time is over, so that the rest of
 * it is known (RFC 5722); under pressure tombstones go like the others, oldest first.
 *
 * Worker thread; owns all of it.
 */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "ips/base/clock.h"
#include "ips/decode/defrag_parts.h"

#define WHEEL_SLOTS      1024
#define WHEEL_TICK_SHIFT 26 /* 67 ms, so 68 s ahead */

struct datagram *datagram_at(struct defrag *d, uint32_t i)
{
    return i == NONE ? NULL : &d->datagrams[i];
}

static uint32_t index_of(const struct defrag *d, const struct datagram *g)
{
    return (uint32_t)(g - d->datagrams);
}

static uint64_t hash_of(const struct defrag *d, const void *p, size_t len)
{
    return XXH3_64bits_withSecret(p, len, d->secret, sizeof(d->secret));
}

static uint32_t *bucket_of(struct defrag *d, const struct key *k)
{
    return &d->buckets[hash_of(d, k, sizeof(*k)) & (d->n_buckets - 1)];
}

/* IPv6 hosts have a /64 to choose addresses from, so that is a host. */
static uint32_t host_of(const struct defrag *d, const struct key *k)
{
    return (uint32_t)(hash_of(d, k->src.b, k->ip_version == 6 ? 8 : 16) % HOSTS);
}

/* --- lists by age ----------------------------------------------------------------------------------------------- */

static struct age_list *age_of(struct defrag *d, const struct datagram *g, enum datagram_list which)
{
    return which == LIST_ALL ? &d->age : &d->hosts[g->host].age;
}

static void age_append(struct defrag *d, struct datagram *g)
{
    uint32_t i = index_of(d, g);

    for (enum datagram_list l = LIST_ALL; l < LIST_N; l++) {
        struct age_list *a = age_of(d, g, l);

        g->age[l].older = a->newest;
        g->age[l].newer = NONE;
        if (a->newest != NONE)
            d->datagrams[a->newest].age[l].newer = i;
        else
            a->oldest = i;
        a->newest = i;
    }
}

static void age_remove(struct defrag *d, const struct datagram *g)
{
    for (enum datagram_list l = LIST_ALL; l < LIST_N; l++) {
        struct age_list *a = age_of(d, g, l);
        uint32_t older = g->age[l].older, newer = g->age[l].newer;

        if (older != NONE)
            d->datagrams[older].age[l].newer = newer;
        else
            a->oldest = newer;
        if (newer != NONE)
            d->datagrams[newer].age[l].older = older;
        else
            a->newest = older;
    }
}

/* --- frames ----------------------------------------------------------------------------------------------------- */

uint32_t held_take(struct defrag *d)
{
    uint32_t i = d->free_held;

    if (i == NONE)
        return NONE;
    d->free_held = d->held[i].next;
    d->n_held++;
    return i;
}

void held_give(struct defrag *d, uint32_t i)
{
    d->held[i].next = d->free_held;
    d->free_held = i;
    d->n_held--;
}

void leave_with(struct defrag *d, struct frame_list *l, enum verdict verdict, enum drop_reason why)
{
    if (l->n == 0)
        return;
    for (uint32_t i = l->first; i != NONE; i = d->held[i].next) {
        d->held[i].verdict = (uint8_t)verdict;
        d->held[i].why = (uint8_t)why;
    }
    if (d->leaving.n)
        d->held[d->leaving.last].next = l->first;
    else
        d->leaving.first = l->first;
    d->leaving.last = l->last;
    d->leaving.n += l->n;
    *l = (struct frame_list){.first = NONE, .last = NONE};
}

static void list_join(struct defrag *d, struct frame_list *l, uint32_t unit)
{
    uint32_t last = unit;

    if (l->n)
        d->held[l->last].next = unit;
    else
        l->first = unit;
    while (d->held[last].next != NONE)
        last = d->held[last].next;
    l->last = last;
    l->n += d->held[unit].n_frames;
}

void unit_append(struct defrag *d, struct datagram *g, uint32_t unit)
{
    d->held[unit].next_unit = NONE;
    if (g->first == NONE)
        g->first = unit;
    else
        d->held[g->last].next_unit = unit;
    g->last = unit;
    g->n_frames += d->held[unit].n_frames;
    d->hosts[g->host].frames += d->held[unit].n_frames;
}

/* All frames of the datagram, which has none after. */
static void take_frames(struct defrag *d, struct datagram *g, struct frame_list *l)
{
    *l = (struct frame_list){.first = NONE, .last = NONE};
    for (uint32_t u = g->first; u != NONE; u = d->held[u].next_unit)
        list_join(d, l, u);
    d->hosts[g->host].frames -= g->n_frames;
    g->n_frames = 0;
    g->first = g->last = NONE;
}

/* --- datagrams -------------------------------------------------------------------------------------------------- */

struct datagram *datagram_find(struct defrag *d, const struct key *k)
{
    for (uint32_t i = *bucket_of(d, k); i != NONE; i = d->datagrams[i].next)
        if (memcmp(&d->datagrams[i].key, k, sizeof(*k)) == 0)
            return &d->datagrams[i];
    return NULL;
}

static void datagram_forget(struct defrag *d, struct datagram *g)
{
    uint32_t i = index_of(d, g), *at = bucket_of(d, &g->key);

    while (*at != i)
        at = &d->datagrams[*at].next;
    *at = g->next;
    age_remove(d, g);
    if (d->current == i)
        d->current = NONE;
    g->next = d->free_datagram;
    d->free_datagram = i;
}

void datagram_drop(struct defrag *d, struct datagram *g, enum drop_reason why)
{
    struct frame_list l;

    wheel_clear(&d->wheel, index_of(d, g));
    take_frames(d, g, &l);
    leave_with(d, &l, VERDICT_DROP, why);
    datagram_forget(d, g);
}

void datagram_refuse(struct defrag *d, struct datagram *g, enum drop_reason why)
{
    struct frame_list l;

    take_frames(d, g, &l);
    leave_with(d, &l, VERDICT_DROP, why);
    g->refused = (uint8_t)why;
    age_remove(d, g); /* what was just refused is worth more than what was refused long ago */
    age_append(d, g);
}

void datagram_take_set(struct defrag *d, struct datagram *g)
{
    wheel_clear(&d->wheel, index_of(d, g));
    take_frames(d, g, &d->set);
    datagram_forget(d, g);
}

struct datagram *datagram_new(struct defrag *d, const struct key *k, uint64_t now_ns, struct counters *c)
{
    if (d->free_datagram == NONE) { /* tombstones, mostly */
        counter_add(c, CTR_DEFRAG_EVICTED, 1);
        datagram_drop(d, &d->datagrams[d->age.oldest], DROP_DEFRAG_MEMCAP);
    }
    struct datagram *g = &d->datagrams[d->free_datagram];
    uint32_t *bucket = bucket_of(d, k), i = index_of(d, g);

    d->free_datagram = g->next;
    memset(g, 0, sizeof(*g));
    g->key = *k;
    g->next = *bucket;
    *bucket = i;
    g->first = g->last = NONE;
    g->host = host_of(d, k);
    g->deadline_ns = now_ns + (k->ip_version == 6 ? d->cfg.ipv6_s : d->cfg.ipv4_s) * NS_PER_S;
    wheel_set(&d->wheel, i, now_ns, g->deadline_ns);
    age_append(d, g);
    return g;
}

static void evict(struct defrag *d, uint32_t oldest, struct counters *c)
{
    struct datagram *g = &d->datagrams[oldest];

    if (g->n_frames == 0) {
        datagram_drop(d, g, DROP_DEFRAG_MEMCAP);
        return;
    }
    counter_add(c, CTR_DEFRAG_EVICTED, 1);
    datagram_refuse(d, g, DROP_DEFRAG_MEMCAP);
}

void budget_make_room(struct defrag *d, const struct key *k, struct counters *c)
{
    struct host *h = &d->hosts[host_of(d, k)];

    while (h->frames >= d->cfg.host_frames)
        evict(d, h->age.oldest, c);
    /* What leaves is still in hand until the worker has taken it, but it is as good as gone. */
    while (d->n_held - d->leaving.n >= d->cfg.frames && d->age.oldest != NONE)
        evict(d, d->age.oldest, c);
}

void defrag_expire(struct defrag *d, uint64_t now_ns, unsigned budget, struct counters *c)
{
    uint32_t i;

    while (budget-- > 0 && (i = wheel_due(&d->wheel, now_ns)) != WHEEL_NONE) {
        struct datagram *g = &d->datagrams[i];

        wheel_set(&d->wheel, i, now_ns, g->deadline_ns);
        if (g->deadline_ns > now_ns)
            continue; /* behind the wheel's horizon */
        if (!g->refused)
            counter_add(c, CTR_DEFRAG_TIMEOUTS, 1);
        datagram_drop(d, g, DROP_DEFRAG_TIMEOUT);
    }
    counter_set(c, CTR_DEFRAG_HELD, d->n_held);
}

void defrag_flush(struct defrag *d, enum drop_reason why, struct counters *c)
{
    leave_with(d, &d->set, VERDICT_DROP, why);
    while (d->age.oldest != NONE)
        datagram_drop(d, &d->datagrams[d->age.oldest], why);
    counter_set(c, CTR_DEFRAG_HELD, d->n_held);
}

static struct packet frame_of(const struct held *h)
{
    return (struct packet){.data = h->data,
                           .len = h->len,
                           .umem_addr = h->umem_addr,
                           .now_ns = h->now_ns,
                           .ts_ns = h->ts_ns,
                           .pcap_cnt = h->pcap_cnt,
                           .orig_len = h->orig_len,
                           .in_port = h->in_port,
                           .link = h->link,
                           .verdict = h->verdict,
                           .drop_reason = h->why};
}

void defrag_each_held(const struct defrag *d, defrag_held_fn fn, void *arg)
{
    for (uint32_t g = d->age.oldest; g != NONE; g = d->datagrams[g].age[LIST_ALL].newer)
        for (uint32_t u = d->datagrams[g].first; u != NONE; u = d->held[u].next_unit)
            for (uint32_t i = u, n = d->held[u].n_frames; n > 0; i = d->held[i].next, n--) {
                struct packet frame = frame_of(&d->held[i]);

                fn(&frame, arg);
            }
}

unsigned defrag_leaving(struct defrag *d, struct packet *frames, unsigned max, struct counters *c)
{
    unsigned n = 0;

    for (; n < max && d->leaving.n; n++) {
        uint32_t i = d->leaving.first;
        const struct held *h = &d->held[i];

        frames[n] = frame_of(h);
        d->leaving.first = h->next;
        d->leaving.n--;
        held_give(d, i);
    }
    counter_set(c, CTR_DEFRAG_HELD, d->n_held);
    return n;
}

/* --- start and end ---------------------------------------------------------------------------------------------- */

static int make_arrays(struct defrag *d, uint32_t n_held)
{
    uint32_t n = d->cfg.frames;

    for (d->n_buckets = 64; d->n_buckets < n; d->n_buckets *= 2)
        ;
    d->held = calloc(n_held, sizeof(*d->held));
    d->datagrams = calloc(n, sizeof(*d->datagrams));
    d->buckets = calloc(d->n_buckets, sizeof(*d->buckets));
    d->hosts = calloc(HOSTS, sizeof(*d->hosts));
    d->scratch = calloc(1, WHOLE_BYTES);
    if (d->cfg.policy != DEFRAG_POLICY_DROP)
        d->owner = calloc(DATAGRAM_MAX + 1, sizeof(*d->owner));
    if (!d->held || !d->datagrams || !d->buckets || !d->hosts || !d->scratch ||
        (d->cfg.policy != DEFRAG_POLICY_DROP && !d->owner))
        return -ENOMEM;
    for (uint32_t i = 0; i < n_held; i++)
        d->held[i].next = i + 1 < n_held ? i + 1 : NONE;
    for (uint32_t i = 0; i < n; i++)
        d->datagrams[i].next = i + 1 < n ? i + 1 : NONE;
    for (uint32_t i = 0; i < d->n_buckets; i++)
        d->buckets[i] = NONE;
    for (uint32_t i = 0; i < HOSTS; i++)
        d->hosts[i].age = (struct age_list){NONE, NONE};
    return wheel_init(&d->wheel, &d->datagrams[0].timer, sizeof(d->datagrams[0]), n, WHEEL_SLOTS,
                      WHEEL_TICK_SHIFT);
}

struct defrag *defrag_new(const struct defrag_config *cfg, struct err *e)
{
    struct defrag *d = calloc(1, sizeof(*d));

    if (!d || cfg->frames == 0 || cfg->host_frames > cfg->frames || cfg->datagram_frames > cfg->host_frames) {
        err_set(e, d ? -EINVAL : -ENOMEM, "cannot defragment with %u frames, %u of a host, %u of a datagram",
                cfg->frames, cfg->host_frames, cfg->datagram_frames);
        err_remedy(e, "defrag.datagram_frames <= defrag.host_frames <= defrag.frames");
        free(d);
        return NULL;
    }
    d->cfg = *cfg;
    d->current = NONE;
    d->age = (struct age_list){NONE, NONE};
    d->set = d->leaving = (struct frame_list){.first = NONE, .last = NONE};
    /* Those that leave wait for the worker to take them: as many as were held, and the one that came. */
    if (make_arrays(d, 2 * cfg->frames + 2) ||
        getrandom(d->secret, sizeof(d->secret), 0) != (ssize_t)sizeof(d->secret)) {
        err_set(e, -ENOMEM, "no memory, or no random numbers, to hold %u frames of fragments", cfg->frames);
        err_remedy(e, "lower defrag.frames");
        defrag_free(d);
        return NULL;
    }
    return d;
}

void defrag_free(struct defrag *d)
{
    if (!d)
        return;
    wheel_fini(&d->wheel);
    free(d->held);
    free(d->datagrams);
    free(d->buckets);
    free(d->hosts);
    free(d->scratch);
    free(d->owner);
    free(d);
}
