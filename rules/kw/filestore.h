/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_KW_FILESTORE_H
#define SLUICE_RULES_KW_FILESTORE_H
/* Private to rules/. A rule with filestore that looks at nothing else gets its step: when the rule is known. */
struct draft;
void filestore_check(struct draft *d);
#endif
