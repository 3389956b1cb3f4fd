/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_BASE_ARENA_H
#define SLUICE_BASE_ARENA_H
/*
 * Memory that is given out piece by piece and freed all at once. A ruleset lives in one arena: built by the
 * control thread, read by all, freed in one call. Not thread-safe while it grows.
 */
#include <stddef.h>
#include <stdint.h>

struct arena;

struct arena *arena_new(size_t chunk_bytes);
void arena_free(struct arena *a);
/* Zeroed memory aligned for any type, or NULL when memory is out. */
void *arena_alloc(struct arena *a, size_t bytes);
void *arena_memdup(struct arena *a, const void *p, size_t bytes);
/* Copies len bytes and adds a NUL. */
char *arena_strndup(struct arena *a, const char *s, size_t len);
size_t arena_bytes(const struct arena *a); /* what the arena holds of the system's memory */
#endif
