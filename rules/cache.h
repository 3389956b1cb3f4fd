/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_CACHE_H
#define SLUICE_RULES_CACHE_H
/*
 * Private to rules/. Compiled pattern databases on disk, so that a restart with the same rules does not compile them
 * again. A cache that cannot be used is no error: databases are compiled then. One control thread for each.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <hs/hs.h>

#define CACHE_KEY_BYTES 32

struct cache {
    int dir;        /* -1: no cache */
    bool read_only; /* nothing is stored or removed */
    uint32_t n_hits, n_misses, n_stored;
};

struct cache_key { /* a digest of everything that a database is made of */
    uint8_t bytes[CACHE_KEY_BYTES];
};

/* What a database is compiled from: patterns whose ids are their places here. */
struct cache_patterns {
    const char **text;
    unsigned *flags;
    size_t *lens;
    uint32_t n;
    bool literals; /* else expressions, and text ends in NUL */
};

/* dir: NULL, "" or absent: no cache. A directory that others may write to is not used, and a warning says so. */
void cache_open(struct cache *c, const char *dir, bool read_only);
/* Removes what no load has used for a month, and closes. */
void cache_close(struct cache *c);
bool cache_key(struct cache_key *key, const struct cache_patterns *p);
/* The database, the caller's to free; NULL when there is none, or none that can be trusted. */
hs_database_t *cache_load(struct cache *c, const struct cache_key *key);
void cache_store(struct cache *c, const struct cache_key *key, const hs_database_t *db);
#endif
