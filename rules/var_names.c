/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process's list of variable names.
 *
 * Flows outlive rulesets, and what they remember is a number, so a number must never come to mean another name: names are
 * only added, until VAR_NAMES_MAX, after which a rule with a new name is refused. A rule set has two thousand; only
 * a restart forgets those that are no longer used.
 *
 * Adding is for control threads, under a mutex. Reading a name is for any thread (the logger writes them): an id
 * reaches it through a ruleset or an event, both of which were published after the name.
 */
#include "rules/var_names.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS (2 * (VAR_NAMES_MAX + 1)) /* a power of two */

static struct {
    pthread_mutex_t lock;
    const char *names[VAR_NAMES_MAX + 1]; /* by id; 0 is none */
    uint8_t kinds[VAR_NAMES_MAX + 1];
    uint16_t slots[SLOTS]; /* open hash: id, 0 is free */
    uint16_t n;
} all = {.lock = PTHREAD_MUTEX_INITIALIZER};

static uint16_t *slot_of(enum var_kind kind, struct span name)
{
    uint32_t h = 2166136261u ^ kind; /* FNV-1a */

    for (uint32_t i = 0; i < name.len; i++)
        h = (h ^ name.p[i]) * 16777619u;
    for (h &= SLOTS - 1; all.slots[h] != 0; h = (h + 1) & (SLOTS - 1))
        if (all.kinds[all.slots[h]] == kind && span_eq_str(name, all.names[all.slots[h]]))
            break;
    return &all.slots[h];
}

static uint16_t add(enum var_kind kind, struct span name)
{
    char *copy = all.n < VAR_NAMES_MAX ? strndup((const char *)name.p, name.len) : NULL;

    if (copy == NULL)
        return VAR_ID_NONE;
    all.n++;
    all.kinds[all.n] = (uint8_t)kind;
    __atomic_store_n(&all.names[all.n], copy, __ATOMIC_RELEASE);
    return all.n;
}

uint16_t var_name_id(enum var_kind kind, struct span name)
{
    uint16_t *slot, id;

    pthread_mutex_lock(&all.lock);
    slot = slot_of(kind, name);
    if (*slot == 0)
        *slot = add(kind, name);
    id = *slot;
    pthread_mutex_unlock(&all.lock);
    return id;
}

const char *var_name(uint16_t id)
{
    const char *name = __atomic_load_n(&all.names[id], __ATOMIC_ACQUIRE);

    return name != NULL ? name : "";
}

enum var_kind var_name_kind(uint16_t id)
{
    return all.kinds[id];
}
