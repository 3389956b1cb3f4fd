/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A set of values in two runs of memory: slots of one word, and records behind one another.
 *
 * A record is written first and never changes; then its slot is published by one compare-and-swap. Slots are found by
 * linear probing and never become free again, so a value has one place: whoever loses the race for a slot finds either its
 * own value there or goes on. Removing marks the slot, adding again takes the mark off. Readers take no lock and write
 * nothing. The table is never more than half full, so probing ends soon.
 *
 * Memory is mapped at once and touched as it is used; when entries or bytes are used up, adding says DATASET_FULL
 * and the set stays as it is. Records whose writer lost a race are lost until the set dies: a few at most.
 *
 * Hashes are XXH3 with a secret of the set's own, because values come from the wire. Made and freed by a control
 * thread; used by any.
 */
#include "rules/dataset.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

#include <xxhash.h>

/* A slot: 1 bit removed, 27 bits of hash (never 0 in a used slot), 36 bits of record offset in units of 8 bytes. */
#define SLOT_REMOVED (1ull << 63)
#define OFFSET_BITS  36
#define OFFSET_MASK  ((1ull << OFFSET_BITS) - 1)
#define TAG_MASK     (((1ull << 27) - 1) << OFFSET_BITS)

struct record {
    uint32_t len;
    uint16_t rep, zero;
    uint8_t bytes[];
};

struct dataset {
    uint64_t *slots;
    uint8_t *records;
    uint64_t mask, records_size;
    uint64_t used;   /* bytes of records given out; may run over records_size */
    uint32_t n_used; /* slots taken or about to be */
    uint32_t n_max;
    uint32_t n_removed;
    enum dataset_type type;
    uint8_t secret[192];
};

static void *map(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return p != MAP_FAILED ? p : NULL;
}

struct dataset *dataset_new(enum dataset_type type, uint32_t n_entries, uint64_t memcap, struct err *e)
{
    struct dataset *d = calloc(1, sizeof(*d));
    uint64_t n_slots = 64;

    while (n_slots < 2 * (uint64_t)n_entries)
        n_slots *= 2;
    if (d == NULL || n_slots * sizeof(*d->slots) >= memcap ||
        getrandom(d->secret, sizeof(d->secret), 0) != (ssize_t)sizeof(d->secret))
        goto fail;
    d->type = type;
    d->n_max = n_entries;
    d->mask = n_slots - 1;
    d->records_size = (memcap - n_slots * sizeof(*d->slots)) & ~7ull;
    d->slots = map(n_slots * sizeof(*d->slots));
    d->records = map(d->records_size);
    if (d->slots != NULL && d->records != NULL)
        return d;
fail:
    dataset_free(d);
    err_set(e, -ENOMEM, "no memory for a dataset of %u entries within %llu kB", n_entries,
            (unsigned long long)(memcap >> 10));
    err_remedy(e, "raise its memcap, or lower its hashsize");
    return NULL;
}

void dataset_free(struct dataset *d)
{
    if (d == NULL)
        return;
    if (d->slots != NULL)
        munmap(d->slots, (d->mask + 1) * sizeof(*d->slots));
    if (d->records != NULL)
        munmap(d->records, d->records_size);
    free(d);
}

enum dataset_type dataset_type(const struct dataset *d)
{
    return d->type;
}

uint32_t dataset_count(const struct dataset *d)
{
    return __atomic_load_n(&d->n_used, __ATOMIC_RELAXED) - __atomic_load_n(&d->n_removed, __ATOMIC_RELAXED);
}

uint64_t dataset_bytes(const struct dataset *d)
{
    uint64_t used = __atomic_load_n(&d->used, __ATOMIC_RELAXED);

    return (used < d->records_size ? used : d->records_size) + (d->mask + 1) * sizeof(*d->slots);
}

/* The value in the form that is stored; room holds 16 bytes. p == NULL: it fits no set of this type. */
static struct span normal_form(enum dataset_type type, struct span v, uint8_t room[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, 0xff};
    static const uint32_t lengths[DATASET_TYPE_N] = {
        [DATASET_MD5] = 16, [DATASET_SHA256] = 32, [DATASET_IPV4] = 4, [DATASET_IP] = 16};

    if (v.p == NULL || (type == DATASET_STRING && v.len <= DATASET_VALUE_MAX))
        return v;
    if (type == DATASET_IP && v.len == 4) {
        memcpy(room, mapped, 12);
        memcpy(room + 12, v.p, 4);
        return span_of(room, 16);
    }
    return v.len == lengths[type] ? v : span_of(NULL, 0);
}

struct probe {
    uint64_t at, tag;
};

static struct probe probe_of(const struct dataset *d, struct span v)
{
    uint64_t h = XXH3_64bits_withSecret(v.p, v.len, d->secret, sizeof(d->secret));
    uint64_t tag = (h >> 1) & TAG_MASK;

    return (struct probe){.at = h & d->mask, .tag = tag != 0 ? tag : 1ull << OFFSET_BITS};
}

static const struct record *record_of(const struct dataset *d, uint64_t slot)
{
    return (const struct record *)(d->records + (slot & OFFSET_MASK) * 8);
}

static bool holds(const struct dataset *d, uint64_t slot, uint64_t tag, struct span v)
{
    const struct record *r;

    if ((slot & TAG_MASK) != tag)
        return false;
    r = record_of(d, slot);
    return r->len == v.len && memcmp(r->bytes, v.p, v.len) == 0;
}

/* The value's slot, NULL when it has none; *seen is what is in it. */
static uint64_t *find(const struct dataset *d, struct span v, uint64_t *seen)
{
    struct probe p = probe_of(d, v);

    for (uint64_t i = 0; i <= d->mask; i++, p.at = (p.at + 1) & d->mask) {
        *seen = __atomic_load_n(&d->slots[p.at], __ATOMIC_ACQUIRE);
        if (*seen == 0)
            return NULL;
        if (holds(d, *seen, p.tag, v))
            return &d->slots[p.at];
    }
    return NULL;
}

bool dataset_has(const struct dataset *d, struct span value, uint16_t *rep)
{
    uint8_t room[16];
    struct span v = normal_form(d->type, value, room);
    uint64_t seen;

    if (v.p == NULL || find(d, v, &seen) == NULL || (seen & SLOT_REMOVED))
        return false;
    if (rep != NULL)
        *rep = record_of(d, seen)->rep;
    return true;
}

/* A record with the value; the slot word that leads to it, 0 when there is no room. */
static uint64_t write_record(struct dataset *d, struct span v, uint16_t rep, uint64_t tag)
{
    uint64_t need = (sizeof(struct record) + v.len + 7) & ~7ull;
    uint64_t at = __atomic_load_n(&d->used, __ATOMIC_RELAXED);
    struct record *r;

    if (need > d->records_size || at > d->records_size - need)
        return 0; /* asked first, so that what does not fit does not use up the rest */
    at = __atomic_fetch_add(&d->used, need, __ATOMIC_RELAXED);
    if (at > d->records_size - need)
        return 0;
    r = (struct record *)(d->records + at);
    *r = (struct record){.len = v.len, .rep = rep};
    memcpy(r->bytes, v.p, v.len);
    return tag | at / 8;
}

/* The value is in this slot: takes the mark off when there is one. */
static enum dataset_answer put_back(struct dataset *d, uint64_t *slot, uint64_t seen)
{
    while (seen & SLOT_REMOVED)
        if (__atomic_compare_exchange_n(slot, &seen, seen & ~SLOT_REMOVED, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE)) {
            __atomic_fetch_sub(&d->n_removed, 1, __ATOMIC_RELAXED);
            return DATASET_ADDED;
        }
    return DATASET_THERE;
}

enum dataset_answer dataset_add(struct dataset *d, struct span value, uint16_t rep)
{
    uint8_t room[16];
    struct span v = normal_form(d->type, value, room);
    struct probe p;
    uint64_t mine = 0;

    if (v.p == NULL)
        return DATASET_UNFIT;
    p = probe_of(d, v);
    for (uint64_t i = 0; i <= d->mask; i++, p.at = (p.at + 1) & d->mask) {
        uint64_t seen = __atomic_load_n(&d->slots[p.at], __ATOMIC_ACQUIRE);

        if (seen == 0 && mine == 0) {
            if (__atomic_load_n(&d->n_used, __ATOMIC_RELAXED) >= d->n_max ||
                (mine = write_record(d, v, rep, p.tag)) == 0)
                return DATASET_FULL;
        }
        if (seen == 0 && __atomic_compare_exchange_n(&d->slots[p.at], &seen, mine, false, __ATOMIC_ACQ_REL,
                                                     __ATOMIC_ACQUIRE)) {
            __atomic_fetch_add(&d->n_used, 1, __ATOMIC_RELAXED);
            return DATASET_ADDED;
        }
        if (holds(d, seen, p.tag, v)) /* seen is what is there now */
            return put_back(d, &d->slots[p.at], seen);
    }
    return DATASET_FULL;
}

bool dataset_remove(struct dataset *d, struct span value)
{
    uint8_t room[16];
    struct span v = normal_form(d->type, value, room);
    uint64_t seen, *slot = v.p != NULL ? find(d, v, &seen) : NULL;

    while (slot != NULL && !(seen & SLOT_REMOVED))
        if (__atomic_compare_exchange_n(slot, &seen, seen | SLOT_REMOVED, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE)) {
            __atomic_fetch_add(&d->n_removed, 1, __ATOMIC_RELAXED);
            return true;
        }
    return false;
}

bool dataset_each(const struct dataset *d, dataset_fn fn, void *arg)
{
    for (uint64_t i = 0; i <= d->mask; i++) {
        uint64_t seen = __atomic_load_n(&d->slots[i], __ATOMIC_ACQUIRE);
        const struct record *r;

        if (seen == 0 || (seen & SLOT_REMOVED))
            continue;
        r = record_of(d, seen);
        if (!fn(span_of(r->bytes, r->len), r->rep, arg))
            return false;
    }
    return true;
}
