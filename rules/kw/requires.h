/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_KW_REQUIRES_H
#define SLUICE_RULES_KW_REQUIRES_H
/* Private to rules/. */
#include "rules/draft.h"

/*
 * Whether every `requires` among the options holds; sets draft.skipped when one does not. The options may be broken.
 */
bool requires_met(struct draft *d, struct span options);
#endif
