/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_BASE_POOL_H
#define SLUICE_BASE_POOL_H
/*
 * Memory for workers, which may not ask the heap: one area, mapped at start and touched as it is used, cut into blocks of
 * POOL_UNIT << order bytes by halving. One worker's; pool_used() may be read by any thread.
 */
#include <stdint.h>
#include "ips/base/err.h"

/* A block: its place in units of POOL_UNIT, plus 1; 0 is none. */
#define POOL_UNIT 256
typedef uint32_t pool_ref;

#define POOL_ORDER_MAX   18 /* 64 MB */
#define POOL_ORDER_SMALL 4  /* blocks up to 4 KB, which idle flows keep, get at most half of the pool */

struct pool;
/* what: for whom, in the error ("streams"); setting: the configuration key that says how much. */
struct pool *pool_new(uint64_t bytes, const char *what, const char *setting, struct err *e);
void pool_free(struct pool *p);
pool_ref pool_take(struct pool *p, unsigned order); /* POOL_UNIT << order bytes; 0: none left */
void pool_give(struct pool *p, pool_ref r, unsigned order);
uint8_t *pool_at(const struct pool *p, pool_ref r);
/* The block that begins at this address. */
pool_ref pool_ref_of(const struct pool *p, const void *at);
uint64_t pool_used(const struct pool *p); /* any thread */
uint64_t pool_size(const struct pool *p);
#endif
