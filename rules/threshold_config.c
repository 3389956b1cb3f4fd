/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * threshold.config: what a site wants of rules that it did not write.
 *
 *     event_filter gen_id G, sig_id S, type ..., track ..., count N, seconds N      (also written `threshold`)
 *     rate_filter  gen_id G, sig_id S, track ..., count N, seconds N, new_action A, timeout N
 *     suppress     gen_id G, sig_id S[, track by_src|by_dst|by_either, ip ADDRESSES]
 *
 * sig_id 0 means every rule of the generator, gen_id 0 with it every rule there is. ADDRESSES are those of a rule header: lists,
 * negation, variables. A line for a rule that is not loaded does nothing: the file outlives rules.
 *
 * Lines are kept sorted by (gid, sid) while the ruleset is built; limits_of() then makes each rule's list. An event_filter
 * for one rule takes the place of the threshold or detection_filter in it (the last line wins); one for all rules is
 * for those that have none. Rate filters and suppressions come on top. Control thread; all dies with the builder,
 * but for the lists, which lie in the ruleset's arena.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rules/builder.h"
#include "rules/filter_parse.h"
#include "rules/limits.h"
#include "rules/source.h"

static bool report(struct builder *b, const struct rule_text *t, const uint8_t *at, const char *what,
                   const char *remedy)
{
    struct err e;
    int line, column;

    text_place(t, at, &line, &column);
    err_set(&e, -EINVAL, "%s", what);
    err_remedy(&e, "%s", remedy);
    err_at(&e, t->file, line, column);
    builder_error(b, &e);
    return true;
}

/* The addresses of a suppress. False: memory is out. */
static bool read_addresses(struct builder *b, const struct rule_text *t, struct filter_text *f, bool *good)
{
    struct range_error e;
    struct set_ref ref;

    if (sets_intern(&b->sets, RANGE_ADDR, f->ip, &b->vars, &ref, &e)) {
        f->filter.addr_set = ref.index;
        return true;
    }
    *good = false;
    return !e.no_memory && report(b, t, e.at, e.what, e.remedy);
}

static bool parse_line(struct builder *b, const struct rule_text *t)
{
    static const struct {
        const char *word;
        enum filter_form form;
    } words[] = {{"event_filter", FORM_EVENT},
                 {"threshold", FORM_EVENT},
                 {"rate_filter", FORM_RATE},
                 {"suppress", FORM_SUPPRESS}};
    struct limits *l = &b->limits;
    struct span rest = text_trim(t->text), word;
    struct filter_text f;
    struct filter_error e;
    bool good = true;
    unsigned i = 0;

    text_split(&rest, ' ', &word);
    while (i < 4 && !text_eq_nocase(word, words[i].word))
        i++;
    if (i == 4)
        return report(b, t, word.p, "a line of threshold.config starts with another word",
                      "write event_filter, threshold, rate_filter or suppress, or '#' before a comment");
    if (!filter_parse(words[i].form, text_trim(rest), &f, &e))
        return report(b, t, e.at, e.what, e.remedy);
    if (f.gid == 0 && f.sid != 0)
        return report(b, t, word.p, "gen_id 0 with a sig_id",
                      "give the rule's gid, which is 1 unless it says another");
    f.filter.global = true;
    if (f.filter.kind == FILTER_SUPPRESS && f.ip.len == 0)
        f.filter.track = TRACK_RULE;
    else if (f.filter.kind == FILTER_SUPPRESS && !read_addresses(b, t, &f, &good))
        return false;
    if (!good)
        return true;
    void *v = l->lines;
    if (!builder_grow(b, &v, &l->cap_lines, l->n_lines, sizeof(*l->lines)))
        return false;
    l->lines = v;
    l->lines[l->n_lines] = (struct limit_line){f.gid, f.sid, (uint32_t)l->n_lines, f.filter};
    l->n_lines++;
    return true;
}

static int line_cmp(const void *a, const void *b)
{
    const struct limit_line *x = a, *y = b;

    if (x->gid != y->gid)
        return x->gid < y->gid ? -1 : 1;
    if (x->sid != y->sid)
        return x->sid < y->sid ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

int limits_load(struct builder *b, const char *file, struct err *e)
{
    struct source s;
    struct rule_text t;
    int rc;

    if (file == NULL)
        return 0;
    rc = source_open(&s, file, e);
    if (rc != 0)
        return rc;
    while ((rc = source_next(&s, &t)) == 1)
        if (!parse_line(b, &t)) {
            rc = -ENOMEM;
            break;
        }
    source_close(&s);
    if (b->limits.n_lines > 0)
        qsort(b->limits.lines, b->limits.n_lines, sizeof(*b->limits.lines), line_cmp);
    return rc == 0 ? 0 : err_set(e, rc, "no memory to read %s", file);
}

/* --- each rule's list ---------------------------------------------------------------------------------------- */

static bool is_count(const struct rule_filter *f)
{
    return f->kind >= FILTER_DETECTION && f->kind <= FILTER_BACKOFF;
}

struct list { /* being made */
    struct rule_filter v[FILTERS_MAX];
    uint32_t n, n_lost;
};

static void add(struct list *out, const struct rule_filter *f)
{
    if (out->n < FILTERS_MAX)
        out->v[out->n++] = *f;
    else
        out->n_lost++;
}

static int find_count(const struct list *l)
{
    for (uint32_t i = 0; i < l->n; i++)
        if (is_count(&l->v[i]))
            return (int)i;
    return -1;
}

/* The lines for exactly (gid, sid). `replace`: their count takes the place of one that is there. */
static void add_lines(const struct limits *l, uint32_t gid, uint32_t sid, bool replace, struct list *out)
{
    size_t lo = 0, hi = l->n_lines;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const struct limit_line *x = &l->lines[mid];

        if (x->gid < gid || (x->gid == gid && x->sid < sid))
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < l->n_lines && l->lines[lo].gid == gid && l->lines[lo].sid == sid; lo++) {
        const struct rule_filter *f = &l->lines[lo].filter;
        int at = is_count(f) ? find_count(out) : -1;

        if (at < 0)
            add(out, f);
        else if (replace)
            out->v[at] = *f;
    }
}

static int kind_cmp(const void *a, const void *b)
{
    const struct rule_filter *x = a, *y = b;

    return (int)x->kind - (int)y->kind;
}

static bool publish(struct builder *b, const struct list *made, uint32_t *index)
{
    struct limits *l = &b->limits;
    void *v = l->filters;

    while (l->n_filters + made->n > l->cap_filters) {
        if (!builder_grow(b, &v, &l->cap_filters, l->cap_filters, sizeof(*l->filters)))
            return false;
        l->filters = v;
    }
    v = l->lists;
    if (!builder_grow(b, &v, &l->cap_lists, l->n_lists, sizeof(*l->lists)))
        return false;
    l->lists = v;
    if (made->n > 0)
        memcpy(l->filters + l->n_filters, made->v, made->n * sizeof(made->v[0]));
    *index = (uint32_t)l->n_lists;
    l->lists[l->n_lists++] = (struct filter_list){(uint32_t)l->n_filters, made->n};
    l->n_filters += made->n;
    return true;
}

bool limits_of(struct builder *b, const struct builder_rule *r, uint32_t *index)
{
    struct limits *l = &b->limits;
    struct list made = {.n = 0};
    const struct list none = {.n = 0};

    if (l->n_lists == 0 && !publish(b, &none, index))
        return false;
    *index = 0;
    for (uint32_t i = 0; i < r->n_filters; i++)
        add(&made, &r->filters[i]);
    add_lines(l, r->info.gid, r->info.sid, true, &made);
    if (made.n == 0 && l->shared_valid && l->shared_gid == r->info.gid) {
        *index = l->shared;
        return true;
    }
    bool is_shared = made.n == 0;
    add_lines(l, r->info.gid, 0, false, &made);
    add_lines(l, 0, 0, false, &made);
    for (uint32_t i = 1; i < made.n; i++) /* by kind, stable */
        for (uint32_t j = i; j > 0 && kind_cmp(&made.v[j - 1], &made.v[j]) > 0; j--) {
            struct rule_filter f = made.v[j];

            made.v[j] = made.v[j - 1];
            made.v[j - 1] = f;
        }
    l->n_lost += made.n_lost;
    if (made.n > 0 && !publish(b, &made, index))
        return false;
    if (is_shared) {
        l->shared = *index;
        l->shared_gid = r->info.gid;
        l->shared_valid = true;
    }
    return true;
}

bool limits_place(struct builder *b, struct ruleset *rs)
{
    struct limits *l = &b->limits;
    struct err e;

    rs->filters = arena_memdup(b->arena, l->filters, l->n_filters * sizeof(*l->filters));
    rs->limits = arena_memdup(b->arena, l->lists, l->n_lists * sizeof(*l->lists));
    if (l->n_lost > 0) {
        err_set(&e, -E2BIG, "%u lines of %s do nothing, because a rule has more than %d", l->n_lost,
                b->src->threshold_file, FILTERS_MAX);
        err_remedy(&e, "join suppressions of one rule into one line with a list of addresses");
        builder_error(b, &e);
    }
    return rs->filters != NULL && rs->limits != NULL;
}

void limits_fini(struct limits *l)
{
    free(l->lines);
    free(l->filters);
    free(l->lists);
    memset(l, 0, sizeof(*l));
}
