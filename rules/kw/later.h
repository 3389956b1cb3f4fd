/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_KW_LATER_H
#define SLUICE_RULES_KW_LATER_H
/* Private to rules/. Options that are known, checked, and answered by nothing yet: one row each. */
#include "rules/keywords.h"

/* NULL when there is no such option. */
const struct keyword *later_lookup(struct span name);
void later_each_name(void (*take)(const char *name, void *arg), void *arg);
#endif
