/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_KW_APP_NUMBERS_H
#define SLUICE_RULES_KW_APP_NUMBERS_H
/* Private to rules/. Keywords that ask about a number that a parser publishes: one row each. */
#include "rules/keywords.h"

/* NULL when there is no such option. */
const struct keyword *app_numbers_lookup(struct span name);
void app_numbers_each_name(void (*take)(const char *name, void *arg), void *arg);
#endif
