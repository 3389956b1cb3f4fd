/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_LOG_EVE_RULE_H
#define SLUICE_LOG_EVE_RULE_H
/* The metadata and references of an alert's rule. Logger thread. */
#include "ips/base/span.h"
#include "ips/log/json.h"

/* "key value, key value" as {"key": ["value", ...]}. */
void eve_write_metadata(struct json_writer *w, struct span text);
/* "type,value" lines as a list of addresses. */
void eve_write_references(struct json_writer *w, struct span text);
#endif
