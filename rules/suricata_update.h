/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_SURICATA_UPDATE_H
#define SLUICE_RULES_SURICATA_UPDATE_H
/*
 * suricata-update's disable.conf, enable.conf, drop.conf and modify.conf as policy lines. They go before those of
 * policy.yaml, in this order, as suricata-update applies them.
 */
#include "rules/policy.h"

/*
 * Adds the file's lines: POLICY_OFF for disable.conf, POLICY_ON for enable.conf, POLICY_DROP for drop.conf,
 * POLICY_MODIFY for modify.conf. Every bad line goes to errs, with a remedy. 0, or negative when there were any.
 */
int suricata_update_read(struct policy *p, enum policy_verb verb, const char *path, struct err_list *errs);
#endif
