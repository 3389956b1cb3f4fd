/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_CONTROL_RULES_JSON_H
#define SLUICE_CONTROL_RULES_JSON_H
/*
 * What rules/ says, as JSON: the same objects from the daemon's commands and from ipsctl's, which read rule files
 * themselves. All return new references, NULL when memory is out. ipsctl(8) lists the keys.
 */
#include <jansson.h>
#include "ips/base/err.h"
#include "rules/explain.h"
#include "rules/policy.h"

/* File names and quoted rule text may be any bytes, and JSON takes UTF-8 only: others become '?'. */
json_t *rules_text_json(const char *s);
/* [{"file", "line", "column", "what", "remedy"}, ...], at most max of them. */
json_t *rules_error_json(const struct err *e);
json_t *rules_errors_json(const struct err_list *errs, size_t max);
/* [{"file", "line", "action", "selects", "reason", "matched", "decided", "off", "kept"}, ...] */
json_t *rules_policy_json(const struct policy_report *lines, uint32_t n);
/* What is worth a warning of these lines, in the form of errors. */
json_t *rules_warnings_json(const struct policy_report *lines, uint32_t n);
/* An array with an object for each text. */
json_t *rules_explain_json(const struct explanation *x);
#endif
