/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_DATASETS_H
#define SLUICE_RULES_DATASETS_H
/*
 * Private to rules/. Which dataset a name in a rule means, and how long it lives.
 */
#include "rules/dataset.h"

struct builder;
struct draft;
struct option;
struct shared_dataset;

struct dataset_use { /* of a ruleset */
    const char *name;
    struct dataset *set;
    struct shared_dataset *shared; /* NULL: the set is the ruleset's own */
    bool rep;
};

struct datasets { /* heap while building */
    struct dataset_use *v;
    size_t n, cap;
};

struct dataset_want { /* as a rule asks for it */
    struct span name;
    int type; /* enum dataset_type; -1: it does not say */
    struct span load, save, state;
    uint64_t memcap;   /* 0: it does not say */
    uint32_t hashsize; /* 0: it does not say */
    bool rep;
};

#define DATASETS_MAX     1024 /* of one ruleset */
#define DATASET_NAME_MAX 63

/* The set; NULL when refused (reported). It lives as long as the ruleset. */
struct dataset *datasets_use(struct draft *d, const struct option *o, const struct dataset_want *w);
/* A ruleset that is gone, or was never made. The last user of a set with a file to save writes it. */
void datasets_release(struct dataset_use *v, size_t n);
#endif
