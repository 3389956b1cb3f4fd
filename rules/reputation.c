/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reputation files into tables that a worker asks by binary search.
 *
 *     categories    NUMBER,NAME,DESCRIPTION          NUMBER 1 to 60
 *     addresses     ADDRESS[/BITS],NUMBER,VALUE      VALUE 1 to 127
 *
 * Of two networks that hold an address the smaller one speaks, of two equal ones the later line. Networks nest and never
 * cross, so one pass over them in ascending order with a stack of those that are open cuts them into steps: "from
 * this address on, this value". Control thread, but for reputation_of().
 */
#include "rules/reputation.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rules/builder.h"
#include "rules/source.h"

#define NEST_MAX 130 /* prefix lengths there are, and one */

static bool report(struct builder *b, const struct rule_text *t, const char *what, const char *remedy)
{
    struct err e;
    int line, column;

    text_place(t, t->text.p, &line, &column);
    err_set(&e, -EINVAL, "%s", what);
    err_remedy(&e, "%s", remedy);
    err_at(&e, t->file, line, column);
    builder_error(b, &e);
    return true;
}

static bool category_line(struct builder *b, const struct rule_text *t)
{
    struct span rest = t->text, number, name;
    uint64_t n;

    text_split(&rest, ',', &number);
    text_split(&rest, ',', &name);
    name = text_trim(name);
    if (!text_u64(text_trim(number), REPUTATION_CATEGORIES_MAX, &n) || n == 0 || name.len == 0)
        return report(b, t, "the line is no reputation category",
                      "write NUMBER,NAME,DESCRIPTION with 1 to 60");
    b->reputation.names[n] = arena_strndup(b->arena, (const char *)name.p, name.len);
    return b->reputation.names[n] != NULL;
}

static bool read_network(struct span text, u128 *lo, u128 *hi)
{
    uint8_t b[16] = {[10] = 0xff, [11] = 0xff};
    struct span bits_text = text, addr;
    bool has_bits = text_split(&bits_text, '/', &addr), v4;
    char name[INET6_ADDRSTRLEN];
    uint64_t bits = 128;

    if (addr.len >= sizeof(name))
        return false;
    memcpy(name, addr.p, addr.len);
    name[addr.len] = '\0';
    v4 = inet_pton(AF_INET, name, b + 12) == 1;
    if (!v4 && inet_pton(AF_INET6, name, b) != 1)
        return false;
    if (has_bits && !text_u64(bits_text, v4 ? 32 : 128, &bits))
        return false;
    if (has_bits && v4)
        bits += 96;
    *lo = range_addr(b);
    *hi = bits == 0 ? ~(u128)0 : (((u128)1 << (128 - bits)) - 1);
    *lo = bits == 0 ? 0 : *lo & ~*hi;
    *hi |= *lo;
    return true;
}

static bool address_line(struct builder *b, const struct rule_text *t)
{
    struct reputation *r = &b->reputation;
    struct span rest = t->text, addr, category;
    uint64_t c, value;
    u128 lo, hi;
    void *v = r->entries;

    text_split(&rest, ',', &addr);
    text_split(&rest, ',', &category);
    if (!read_network(text_trim(addr), &lo, &hi) ||
        !text_u64(text_trim(category), REPUTATION_CATEGORIES_MAX, &c) ||
        !text_u64(text_trim(rest), REPUTATION_VALUE_MAX, &value))
        return report(b, t, "the line is no reputation",
                      "write ADDRESS,CATEGORY,VALUE with a value from 0 to 127");
    if (r->names[c] == NULL)
        return report(b, t, "the line's category has no line in the categories file", "add it there");
    if (!builder_grow(b, &v, &r->cap, r->n, sizeof(*r->entries)))
        return false;
    r->entries = v;
    r->entries[r->n] = (struct reputation_entry){lo, hi, (uint32_t)r->n, (uint8_t)c, (uint8_t)value};
    r->n++;
    return true;
}

static int read_lines(struct builder *b, const char *file,
                      bool (*line)(struct builder *, const struct rule_text *), struct err *e)
{
    struct source s;
    struct rule_text t;
    int rc = source_open(&s, file, e);

    if (rc != 0)
        return rc;
    while ((rc = source_next(&s, &t)) == 1)
        if (!line(b, &t)) {
            rc = -ENOMEM;
            break;
        }
    source_close(&s);
    return rc == 0 ? 0 : err_set(e, rc, "no memory to read %s", file);
}

/* By category, then from left to right, the larger network before those in it. */
static int entry_cmp(const void *a, const void *b)
{
    const struct reputation_entry *x = a, *y = b;

    if (x->category != y->category)
        return x->category < y->category ? -1 : 1;
    if (x->lo != y->lo)
        return x->lo < y->lo ? -1 : 1;
    if (x->hi != y->hi)
        return x->hi > y->hi ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

struct cutter {
    struct reputation_step *v;
    size_t n;
    const struct reputation_entry *open[NEST_MAX];
    unsigned n_open;
};

/* Two steps at one address: the later one counts. */
static void step(struct cutter *c, u128 from, uint8_t value)
{
    if (c->n > 0 && c->v[c->n - 1].from == from)
        c->n--;
    c->v[c->n++] = (struct reputation_step){from, value};
}

static void close_until(struct cutter *c, u128 lo)
{
    while (c->n_open > 0 && c->open[c->n_open - 1]->hi < lo) {
        u128 behind = c->open[--c->n_open]->hi + 1;

        step(c, behind, c->n_open > 0 ? c->open[c->n_open - 1]->value : 0);
    }
}

static const struct reputation_table *cut(struct builder *b, const struct reputation_entry *v, size_t n)
{
    struct cutter c = {.v = malloc((2 * n + 1) * sizeof(*c.v))};
    struct reputation_table *t = arena_alloc(b->arena, sizeof(*t));

    if (c.v == NULL || t == NULL) {
        free(c.v);
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        close_until(&c, v[i].lo);
        if (c.n_open > 0 && c.open[c.n_open - 1]->lo == v[i].lo && c.open[c.n_open - 1]->hi == v[i].hi)
            c.n_open--; /* the same network again */
        step(&c, v[i].lo, v[i].value);
        c.open[c.n_open++] = &v[i];
    }
    while (c.n_open > 0 && c.open[c.n_open - 1]->hi != ~(u128)0)
        close_until(&c, c.open[c.n_open - 1]->hi + 1);
    t->v = arena_memdup(b->arena, c.v, c.n * sizeof(*c.v));
    t->n = c.n;
    free(c.v);
    return t->v != NULL ? t : NULL;
}

static bool make_tables(struct builder *b)
{
    struct reputation *r = &b->reputation;

    if (r->n > 0)
        qsort(r->entries, r->n, sizeof(*r->entries), entry_cmp);
    for (size_t i = 0, j; i < r->n; i = j) {
        uint8_t c = r->entries[i].category;

        for (j = i; j < r->n && r->entries[j].category == c; j++)
            ;
        r->tables[c] = cut(b, &r->entries[i], j - i);
        if (r->tables[c] == NULL)
            return false;
    }
    return true;
}

int reputation_load(struct builder *b, struct err *e)
{
    static const struct reputation_table nothing;
    const struct ruleset_source *src = b->src;
    int rc;

    if (src->reputation_categories == NULL)
        return 0;
    rc = read_lines(b, src->reputation_categories, category_line, e);
    for (uint32_t i = 0; i < src->n_reputation_files && rc == 0; i++)
        rc = read_lines(b, src->reputation_files[i], address_line, e);
    if (rc == 0 && !make_tables(b))
        rc = err_set(e, -ENOMEM, "no memory for the reputation of %zu addresses", b->reputation.n);
    b->reputation.loaded = rc == 0;
    for (int c = 1; c <= REPUTATION_CATEGORIES_MAX; c++)
        if (b->reputation.names[c] != NULL && b->reputation.tables[c] == NULL)
            b->reputation.tables[c] = &nothing;
    free(b->reputation.entries);
    b->reputation.entries = NULL;
    return rc;
}

const struct reputation_table *reputation_lookup(const struct reputation *r, struct span name)
{
    for (int c = 1; c <= REPUTATION_CATEGORIES_MAX; c++)
        if (r->names[c] != NULL && text_eq_nocase(name, r->names[c]))
            return r->tables[c];
    return NULL;
}

void reputation_fini(struct reputation *r)
{
    free(r->entries);
    *r = (struct reputation){.loaded = false};
}

uint8_t reputation_of(const struct reputation_table *t, const uint8_t addr[16])
{
    u128 a = range_addr(addr);
    size_t lo = 0, hi = t->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (t->v[mid].from <= a)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo > 0 ? t->v[lo - 1].value : 0;
}
