/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_LOG_EVE_VARS_H
#define SLUICE_LOG_EVE_VARS_H
/*
 * The flow's flowbits and flowints in an alert. Logger thread.
 */
#include "ips/base/span.h"
#include "ips/log/json.h"

/* vars: struct var of ips/base/vars.h, one after the other, not aligned. Nothing is written when there are none. */
void eve_write_vars(struct json_writer *w, struct span vars);
#endif
