/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The arena: a chain of chunks from which pieces are cut, all freed at once.
 *
 * The arena owns its chunks; arena_free() is the one place where they die. A piece larger than a quarter of a
 * chunk gets a chunk of its own, put behind the current one, so that a big table does not waste the rest of a
 * half-used chunk. Chunks are zeroed when they are taken, because every piece is promised to be.
 *
 * One thread while it grows, any number of readers afterwards. Pieces never move.
 */
#include "ips/base/arena.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_ALIGN     64 /* pieces this big or bigger start on a cache line */
#define ARENA_MIN_CHUNK 4096

struct chunk {
    struct chunk *next;
    size_t used, size; /* of bytes[] */
    _Alignas(ARENA_ALIGN) uint8_t bytes[];
};

struct arena {
    struct chunk *current; /* the one that is cut from; older and oversized ones hang behind it */
    size_t chunk_bytes;
    size_t held;
};

static struct chunk *chunk_new(struct arena *a, size_t bytes)
{
    struct chunk *c;

    if (bytes > SIZE_MAX / 2)
        return NULL;
    bytes = (bytes + sizeof(*c) + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    c = aligned_alloc(ARENA_ALIGN, bytes);
    if (c == NULL)
        return NULL;
    memset(c, 0, bytes);
    c->size = bytes - sizeof(*c);
    a->held += bytes;
    return c;
}

struct arena *arena_new(size_t chunk_bytes)
{
    struct arena *a = calloc(1, sizeof(*a));

    if (a == NULL)
        return NULL;
    a->chunk_bytes = chunk_bytes < ARENA_MIN_CHUNK ? ARENA_MIN_CHUNK : chunk_bytes;
    a->held = sizeof(*a);
    return a;
}

void arena_free(struct arena *a)
{
    if (a == NULL)
        return;
    for (struct chunk *c = a->current, *next; c != NULL; c = next) {
        next = c->next;
        free(c);
    }
    free(a);
}

/* Room for `bytes` in c at the alignment, or SIZE_MAX. */
static size_t chunk_fit(const struct chunk *c, size_t bytes, size_t align)
{
    size_t at = (c->used + align - 1) / align * align;

    return at <= c->size && bytes <= c->size - at ? at : SIZE_MAX;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
    size_t align = bytes >= ARENA_ALIGN ? ARENA_ALIGN : _Alignof(max_align_t);
    struct chunk *c = a->current;
    size_t at = c != NULL ? chunk_fit(c, bytes, align) : SIZE_MAX;

    if (at == SIZE_MAX) {
        bool own = bytes > a->chunk_bytes / 4;

        c = chunk_new(a, own ? bytes : a->chunk_bytes);
        if (c == NULL)
            return NULL;
        if (own && a->current != NULL) {
            c->next = a->current->next;
            a->current->next = c;
        } else {
            c->next = a->current;
            a->current = c;
        }
        at = 0;
    }
    c->used = at + bytes;
    return c->bytes + at;
}

void *arena_memdup(struct arena *a, const void *p, size_t bytes)
{
    void *copy = arena_alloc(a, bytes);

    if (copy != NULL && bytes > 0)
        memcpy(copy, p, bytes);
    return copy;
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
    char *copy;

    if (len == SIZE_MAX)
        return NULL;
    copy = arena_alloc(a, len + 1);
    if (copy != NULL && len > 0)
        memcpy(copy, s, len);
    return copy;
}

size_t arena_bytes(const struct arena *a)
{
    return a->held;
}
