/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_BASE_VARS_H
#define SLUICE_BASE_VARS_H
/*
 * A few small variables for each of many owners: number -> 32-bit value, in blocks of one cache line from a pool of
 * fixed size. An owner is a uint32_t, 0 when it has none. One thread.
 */
#include <stdbool.h>
#include <stdint.h>
#include "ips/base/err.h"

#define VARS_PER_OWNER_MAX 112

struct var {
    uint16_t id;
    uint16_t zero;
    uint32_t value;
};

struct vars_pool;

struct vars_pool *vars_pool_new(uint32_t n_blocks, struct err *e);
void vars_pool_free(struct vars_pool *p);

bool vars_get(const struct vars_pool *p, uint32_t owner, uint16_t id, uint32_t *value);
/* False when the pool is empty or the owner has VARS_PER_OWNER_MAX; nothing has changed then. */
bool vars_set(struct vars_pool *p, uint32_t *owner, uint16_t id, uint32_t value);
void vars_unset(struct vars_pool *p, uint32_t *owner, uint16_t id);
void vars_clear(struct vars_pool *p, uint32_t *owner);
/* Copies up to max of them, the last one set first; returns how many. */
uint32_t vars_list(const struct vars_pool *p, uint32_t owner, struct var *out, uint32_t max);
#endif
