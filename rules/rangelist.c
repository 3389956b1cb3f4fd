/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Address and port expressions: text to sets of ranges.
 *
 * One recursive parser serves both kinds, because the grammar is the same and only the elements differ. It
 * recurses on brackets and variables, never deeper than RANGE_DEPTH_MAX, so that neither a hostile line nor a
 * variable that names itself can exhaust the stack. Lists are heap arrays owned by the caller of range_parse();
 * inner ones die as soon as they are merged into the outer one.
 *
 * Negation follows Suricata: [a,!b] is a without b, a bracket of negated members only starts from everything, and
 * a set that turns out empty ("!$HOME_NET" when HOME_NET is any) is an error, because a rule with it could never
 * match. Control thread.
 */
#include "rules/rangelist.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "rules/draft.h"
#include "rules/source.h"
#include "rules/variables.h"

struct parse {
    enum range_kind kind;
    const struct variables *vars;
    uint32_t n_entries; /* seen so far, those of variables counted at each use */
    bool negated;
    struct range_error *e;
};

static bool parse_set(struct parse *p, struct span text, const uint8_t *at, int depth,
                      struct range_list *out);

static bool fail(struct parse *p, const uint8_t *at, const char *remedy, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static bool fail(struct parse *p, const uint8_t *at, const char *remedy, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(p->e->what, sizeof(p->e->what), fmt, ap);
    va_end(ap);
    p->e->at = at;
    p->e->remedy = remedy;
    return false;
}

static const char *kind_word(const struct parse *p)
{
    return p->kind == RANGE_ADDR ? "address" : "port";
}

static struct range universe(enum range_kind kind)
{
    return (struct range){.lo = 0, .hi = kind == RANGE_ADDR ? ~(u128)0 : 65535};
}

u128 range_addr(const uint8_t b[16])
{
    u128 v = 0;

    for (int i = 0; i < 16; i++)
        v = v << 8 | b[i];
    return v;
}

void range_free(struct range_list *l)
{
    free(l->v);
    memset(l, 0, sizeof(*l));
}

bool range_is_all(enum range_kind kind, const struct range_list *l)
{
    struct range all = universe(kind);

    return l->n == 1 && l->v[0].lo == all.lo && l->v[0].hi == all.hi;
}

/* --- sets ------------------------------------------------------------------------------------------------ */

static bool list_add(struct parse *p, struct range_list *l, struct range r)
{
    if (l->n == l->cap) {
        size_t cap = l->cap == 0 ? 4 : l->cap * 2;
        struct range *v = realloc(l->v, cap * sizeof(*v));

        if (v == NULL) {
            p->e->no_memory = true;
            return false;
        }
        l->v = v;
        l->cap = cap;
    }
    l->v[l->n++] = r;
    return true;
}

static int range_cmp(const void *a, const void *b)
{
    const struct range *x = a, *y = b;

    return x->lo < y->lo ? -1 : x->lo > y->lo ? 1 : 0;
}

/* Sort, join what overlaps or touches. */
static void list_normalise(struct range_list *l)
{
    size_t n = 0;

    if (l->n < 2)
        return;
    qsort(l->v, l->n, sizeof(*l->v), range_cmp);
    for (size_t i = 1; i < l->n; i++) {
        struct range *last = &l->v[n];

        if (l->v[i].lo <= last->hi || l->v[i].lo == last->hi + 1) {
            if (l->v[i].hi > last->hi)
                last->hi = l->v[i].hi;
        } else {
            l->v[++n] = l->v[i];
        }
    }
    l->n = n + 1;
}

/* out = a without b; a and b in normal form. */
static bool list_subtract(struct parse *p, const struct range_list *a, const struct range_list *b,
                          struct range_list *out)
{
    size_t first = 0;

    for (size_t i = 0; i < a->n; i++) {
        struct range rest = a->v[i];
        bool left = true;

        while (first < b->n && b->v[first].hi < rest.lo)
            first++;
        for (size_t j = first; j < b->n && b->v[j].lo <= rest.hi && left; j++) {
            if (b->v[j].lo > rest.lo && !list_add(p, out, (struct range){rest.lo, b->v[j].lo - 1}))
                return false;
            left = b->v[j].hi < rest.hi;
            rest.lo = b->v[j].hi + 1;
        }
        if (left && !list_add(p, out, rest))
            return false;
    }
    return true;
}

/* --- elements -------------------------------------------------------------------------------------------- */

static bool read_addr(struct span s, u128 *v, bool *v4)
{
    char text[INET6_ADDRSTRLEN + 1];
    struct in6_addr a6;
    struct in_addr a4;

    if (s.len == 0 || s.len >= sizeof(text))
        return false;
    memcpy(text, s.p, s.len);
    text[s.len] = '\0';
    *v4 = inet_pton(AF_INET, text, &a4) == 1;
    if (*v4) {
        *v = V4_FIRST | ntohl(a4.s_addr);
        return true;
    }
    if (inet_pton(AF_INET6, text, &a6) != 1)
        return false;
    *v = range_addr(a6.s6_addr);
    return true;
}

/* "/24" or "/255.255.255.0" as the number of low bits that are free. */
static bool read_mask(struct span s, bool v4, unsigned *host_bits)
{
    unsigned width = v4 ? 32 : 128;
    uint64_t bits;
    u128 mask;
    bool mask_v4;

    if (text_u64(s, width, &bits)) {
        *host_bits = width - (unsigned)bits;
        return true;
    }
    if (!v4 || !read_addr(s, &mask, &mask_v4) || !mask_v4)
        return false;
    mask = ~mask & 0xffffffff; /* contiguous: all ones at the low end */
    if ((mask & (mask + 1)) != 0)
        return false;
    *host_bits = (unsigned)__builtin_popcount((uint32_t)mask);
    return true;
}

static bool element_addr(struct parse *p, struct span s, const uint8_t *at, struct range *r)
{
    static const char remedy[] =
        "write a.b.c.d, a.b.c.d/n, a.b.c.d-e.f.g.h, the same in IPv6, any, $NAME, or a list in []";
    struct span rest = s, head;
    bool v4, v4_hi;
    unsigned host_bits;

    if (text_split(&rest, '/', &head)) {
        if (!read_addr(head, &r->lo, &v4))
            return fail(p, at, remedy, "'%.*s' is not an address", TEXT_ARG(s));
        if (!read_mask(rest, v4, &host_bits))
            return fail(p, at, v4 ? "write /0 to /32 or a netmask like /255.255.255.0" : "write /0 to /128",
                        "'%.*s' has no valid prefix length", TEXT_ARG(s));
        if (host_bits == 128) {
            *r = universe(RANGE_ADDR);
            return true;
        }
        r->lo &= ~(((u128)1 << host_bits) - 1);
        r->hi = r->lo | (((u128)1 << host_bits) - 1);
        return true;
    }
    rest = s;
    if (text_split(&rest, '-', &head)) {
        if (!read_addr(text_trim(head), &r->lo, &v4) || !read_addr(text_trim(rest), &r->hi, &v4_hi) ||
            v4 != v4_hi)
            return fail(p, at, remedy, "'%.*s' is not an address range", TEXT_ARG(s));
        if (r->lo > r->hi)
            return fail(p, at, "put the smaller address first", "the range '%.*s' is backwards", TEXT_ARG(s));
        return true;
    }
    if (!read_addr(s, &r->lo, &v4))
        return fail(p, at, remedy, "'%.*s' is not an address", TEXT_ARG(s));
    r->hi = r->lo;
    return true;
}

/* An IPv6 network that is larger than the IPv4-mapped block holds no IPv4: ::/0 is every IPv6 address. */
static bool add_addrs(struct parse *p, struct range_list *out, struct range r)
{
    if (r.lo >= V4_FIRST || r.hi <= V4_LAST)
        return list_add(p, out, r);
    return list_add(p, out, (struct range){r.lo, V4_FIRST - 1}) &&
           list_add(p, out, (struct range){V4_LAST + 1, r.hi});
}

static bool element_port(struct parse *p, struct span s, const uint8_t *at, struct range *r)
{
    static const char remedy[] = "write a port from 0 to 65535, a:b, a:, :b, any, $NAME, or a list in []";
    struct span rest = s, head;
    uint64_t lo = 0, hi = 65535;
    bool is_range = text_split(&rest, ':', &head);

    head = text_trim(head);
    rest = text_trim(rest);
    if ((head.len > 0 || !is_range) && !text_u64(head, 65535, &lo))
        return fail(p, at, remedy, "'%.*s' is not a port", TEXT_ARG(s));
    if (!is_range)
        hi = lo;
    else if ((rest.len > 0 && !text_u64(rest, 65535, &hi)) || (rest.len == 0 && head.len == 0))
        return fail(p, at, remedy, "'%.*s' is not a port range", TEXT_ARG(s));
    if (lo > hi)
        return fail(p, at, "put the smaller port first", "the range '%.*s' is backwards", TEXT_ARG(s));
    *r = (struct range){.lo = lo, .hi = hi};
    return true;
}

/*
 * In what follows `at` is where errors point to when the text comes from a variable's value; NULL: into the text.
 */
/* --- the grammar ----------------------------------------------------------------------------------------- */

/* The next member of a bracket's inside: up to a comma that is not in an inner bracket. */
static bool next_member(struct parse *p, struct span *inside, const uint8_t *at, struct span *member)
{
    uint32_t i = 0;
    int open = 0;

    for (; i < inside->len && (open > 0 || inside->p[i] != ','); i++) {
        if (inside->p[i] == '[')
            open++;
        else if (inside->p[i] == ']' && --open < 0)
            return fail(p, at != NULL ? at : inside->p + i, "remove it, or add the '[' that belongs to it",
                        "']' without '['");
    }
    *member = text_trim(span_sub(*inside, 0, i));
    if (member->len == 0)
        return fail(p, at != NULL ? at : inside->p, "remove the comma", "empty entry in a list of %ss",
                    p->kind == RANGE_ADDR ? "addresse" : "port");
    *inside = span_sub(*inside, i, inside->len);
    return true;
}

static bool merge(struct parse *p, struct range_list *into, const struct range_list *from)
{
    for (size_t i = 0; i < from->n; i++)
        if (!list_add(p, into, from->v[i]))
            return false;
    return true;
}

/* The inside of a bracket into plain and negated members. */
static bool parse_members(struct parse *p, struct span inside, const uint8_t *at, int depth,
                          struct range_list yes_no[2])
{
    bool first = true;

    while (first || inside.len > 0) {
        struct span member = {0};
        struct range_list one = {0};
        bool no, ok;

        if (!first)
            inside = span_sub(inside, 1, inside.len); /* the comma */
        first = false;
        if (!next_member(p, &inside, at, &member))
            return false;
        no = member.len > 0 && member.p[0] == '!';
        if (no) {
            p->negated = true;
            member = text_trim(span_sub(member, 1, member.len));
        }
        ok = parse_set(p, member, at, depth + 1, &one) && merge(p, &yes_no[no], &one);
        range_free(&one);
        if (!ok)
            return false;
    }
    return true;
}

static bool parse_members_as_set(struct parse *p, struct span inside, const uint8_t *at, int depth,
                                 struct range_list *out)
{
    struct range_list yes_no[2] = {0};
    bool ok = parse_members(p, inside, at, depth, yes_no);

    if (ok && yes_no[0].n == 0)
        ok = list_add(p, &yes_no[0], universe(p->kind));
    list_normalise(&yes_no[0]);
    list_normalise(&yes_no[1]);
    ok = ok && list_subtract(p, &yes_no[0], &yes_no[1], out);
    range_free(&yes_no[0]);
    range_free(&yes_no[1]);
    return ok;
}

static bool parse_variable(struct parse *p, struct span name, const uint8_t *at, int depth,
                           struct range_list *out)
{
    bool outermost = at == NULL;
    const struct ruleset_var *var = variables_lookup(p->vars, name);

    if (outermost)
        at = name.p - 1; /* the '$' */
    if (var == NULL) {
        const char *near = variables_suggest(p->vars, name);

        return fail(p, at, "define it in the configuration's vars, or with --var NAME=VALUE",
                    near != NULL ? "unknown variable '$%.*s'; did you mean $%s?" : "unknown variable '$%.*s'",
                    TEXT_ARG(name), near);
    }
    if (text_trim(span_str(var->value)).len == 0)
        return fail(p, at, "give it a value", "the variable '$%.*s' is empty", TEXT_ARG(name));
    if (!parse_set(p, text_trim(span_str(var->value)), at, depth + 1, out)) {
        char what[sizeof(p->e->what)];

        if (outermost) {
            snprintf(what, sizeof(what), "%s", p->e->what);
            snprintf(p->e->what, sizeof(p->e->what), "in the variable $%.*s: %.180s",
                     (int)(name.len < 40 ? name.len : 40), (const char *)name.p, what);
        }
        return false;
    }
    return true;
}

static bool parse_set(struct parse *p, struct span text, const uint8_t *at, int depth, struct range_list *out)
{
    const uint8_t *here = at != NULL ? at : text.p;
    struct range r = {0};

    if (depth > RANGE_DEPTH_MAX)
        return fail(p, here, "look for a variable that names itself, or flatten the list",
                    "brackets and variables are more than %d deep", RANGE_DEPTH_MAX);
    if (++p->n_entries > RANGE_ENTRIES_MAX)
        return fail(p, here, "use fewer or larger networks", "more than %u entries in one %s list",
                    RANGE_ENTRIES_MAX, kind_word(p));
    if (text.len == 0)
        return fail(p, here, "write any, or a value", "empty %s", kind_word(p));
    if (text.p[0] == '!')
        return parse_members_as_set(p, text, at, depth, out);
    if (text.p[0] == '$')
        return parse_variable(p, span_sub(text, 1, text.len), at, depth, out);
    if (text.p[0] == '[') {
        if (text.p[text.len - 1] != ']')
            return fail(p, here, "add the ']'", "the list '%.*s' does not end in ']'", TEXT_ARG(text));
        return parse_members_as_set(p, span_sub(text, 1, text.len - 2), at, depth, out);
    }
    if (text_eq_nocase(text, "any"))
        return list_add(p, out, universe(p->kind));
    if (!(p->kind == RANGE_ADDR ? element_addr : element_port)(p, text, here, &r))
        return false;
    return p->kind == RANGE_ADDR ? add_addrs(p, out, r) : list_add(p, out, r);
}

bool range_parse(enum range_kind kind, struct span text, const struct variables *vars, struct range_list *out,
                 bool *negated, struct range_error *e)
{
    struct parse p = {.kind = kind, .vars = vars, .e = e};
    bool ok;

    memset(out, 0, sizeof(*out));
    memset(e, 0, sizeof(*e));
    ok = parse_set(&p, text, NULL, 0, out);
    *negated = p.negated;
    list_normalise(out);
    if (ok && out->n == 0)
        ok = fail(&p, text.p, "a rule like this can never match: change the variable, or write any",
                  "'%.*s' is no %s at all", TEXT_ARG(text), kind_word(&p));
    if (!ok)
        range_free(out);
    return ok;
}
