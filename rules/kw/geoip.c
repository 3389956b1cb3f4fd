/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * geoip: the country of an address, from a MaxMind database.
 *
 *     geoip:[src|dst|both|any,] CC[,CC...];     two-letter countries; ! before one: any known country but this
 *
 * `any` (the default) wants one end there, `both` both. An address without a country (a private one) fits nothing,
 * negated or not. The database is opened once in a load, when a rule asks first, and belongs to the ruleset. Without
 * one (rules.geoip_database) the rule sleeps. Looking up reads mapped memory only: no allocation, any thread.
 */
#include <ctype.h>
#include <maxminddb.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "rules/builder.h"
#include "rules/dialect.h"
#include "rules/keywords.h"
#include "rules/source.h"
#include "rules/words.h"

#define COUNTRIES_MAX 64 /* Suricata's bound */

enum { GEOIP_SRC = 1 << 0, GEOIP_DST = 1 << 1, GEOIP_BOTH = 1 << 2 };

struct country {
    char code[2];
    bool negated;
};

struct geoip {
    const MMDB_s *db;
    uint32_t n;
    struct country v[COUNTRIES_MAX];
};

static const struct {
    const char *word;
    uint8_t ends;
} ends[] = {
    {"src", GEOIP_SRC},
    {"dst", GEOIP_DST},
    {"dest", GEOIP_DST},
    {"any", GEOIP_SRC | GEOIP_DST},
    {"both", GEOIP_SRC | GEOIP_DST | GEOIP_BOTH},
};

static uint8_t find_ends(struct span word)
{
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        if (text_eq_nocase(word, ends[i].word))
            return ends[i].ends;
    return 0;
}

/* The load's database; NULL when none is configured, or (reported) when it cannot be opened. */
static const MMDB_s *database(struct draft *d, const struct option *o)
{
    struct builder *b = d->b;
    int rc;

    if (b->geoip != NULL || b->src->geoip_database == NULL)
        return b->geoip;
    b->geoip = malloc(sizeof(MMDB_s));
    if (b->geoip == NULL) {
        draft_no_memory(d);
        return NULL;
    }
    rc = MMDB_open(b->src->geoip_database, MMDB_MODE_MMAP, b->geoip);
    if (rc == MMDB_SUCCESS)
        return b->geoip;
    free(b->geoip);
    b->geoip = NULL;
    draft_fail(d, o->name.p,
               "give rules.geoip_database a GeoLite2-Country or GeoIP2-Country file that can be read",
               "geoip: cannot use %s: %s", b->src->geoip_database, MMDB_strerror(rc));
    return NULL;
}

void geoip_close(void *db)
{
    if (db == NULL)
        return;
    MMDB_close(db);
    free(db);
}

static bool parse_country(struct draft *d, const struct option *o, struct span word, struct geoip *g)
{
    struct country *c = &g->v[g->n];

    if (g->n == COUNTRIES_MAX)
        return draft_fail(d, word.p, "split the rule", "geoip: more than %d countries", COUNTRIES_MAX);
    c->negated = word.len > 0 && word.p[0] == '!';
    if (c->negated)
        word = text_trim(span_sub(word, 1, word.len));
    if (word.len != 2 || !isalpha(word.p[0]) || !isalpha(word.p[1]))
        return draft_fail(d, word.p, o->kw->usage, "geoip: '%.*s' is no country's two letters",
                          TEXT_ARG(word));
    c->code[0] = (char)toupper(word.p[0]);
    c->code[1] = (char)toupper(word.p[1]);
    g->n++;
    return true;
}

static bool parse_geoip(struct draft *d, const struct option *o)
{
    struct draft_step *s = draft_step_add(d, o->kw, o->name.p);
    struct geoip *g = arena_alloc(d->b->arena, sizeof(*g));
    struct span rest = o->value, word;

    if (s == NULL)
        return false;
    if (g == NULL)
        return draft_no_memory(d);
    s->step.data = g;
    for (bool first = true; words_field(&rest, &word); first = false) {
        uint8_t found = first ? find_ends(word) : 0;

        if (found != 0)
            s->step.flags = found;
        else if (!parse_country(d, o, word, g))
            return false;
    }
    if (s->step.flags == 0)
        s->step.flags = GEOIP_SRC | GEOIP_DST;
    if (g->n == 0)
        return draft_fail(d, o->value.p, o->kw->usage, "geoip: no country in '%.*s'", TEXT_ARG(o->value));
    g->db = database(d, o);
    if (g->db == NULL)
        draft_dormant(d, "geoip");
    return !d->failed;
}

static bool country_of(const struct geoip *g, const uint8_t addr[16], char code[2])
{
    static const char *const path[] = {"country", "iso_code", NULL};
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    bool mapped = memcmp(addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0;
    MMDB_lookup_result_s found;
    MMDB_entry_data_s data;
    int rc = MMDB_SUCCESS;

    memcpy(&v4.sin_addr, addr + 12, 4);
    memcpy(&v6.sin6_addr, addr, 16);
    found = MMDB_lookup_sockaddr(g->db, mapped ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6,
                                 &rc);
    if (rc != MMDB_SUCCESS || !found.found_entry ||
        MMDB_aget_value(&found.entry, &data, path) != MMDB_SUCCESS || !data.has_data ||
        data.type != MMDB_DATA_TYPE_UTF8_STRING || data.data_size != 2)
        return false;
    memcpy(code, data.utf8_string, 2);
    return true;
}

static bool fits(const struct geoip *g, const uint8_t addr[16])
{
    bool wanted = false, any_wanted = false;
    char code[2];

    if (!country_of(g, addr, code))
        return false;
    for (uint32_t i = 0; i < g->n; i++) {
        bool here = memcmp(g->v[i].code, code, 2) == 0;

        if (here && g->v[i].negated)
            return false;
        any_wanted |= !g->v[i].negated;
        wanted |= here;
    }
    return wanted || !any_wanted;
}

static bool match_geoip(const struct step *s, struct eval *e)
{
    const struct geoip *g = s->data;
    bool src = (s->flags & GEOIP_SRC) && fits(g, e->facts->src);

    if (s->flags & GEOIP_BOTH)
        return src && fits(g, e->facts->dst);
    return src || ((s->flags & GEOIP_DST) && fits(g, e->facts->dst));
}

const struct keyword kw_geoip = {
    .name = "geoip",
    .usage = "write geoip:src,CC; with src, dst, any or both, and two-letter countries, ! before one to "
             "exclude it",
    .value = VALUE_PLAIN,
    .dialects = IN_SURICATA,
    .parse = parse_geoip,
    .match = match_geoip,
};
