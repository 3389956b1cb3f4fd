/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_RULES_VAR_NAMES_H
#define SLUICE_RULES_VAR_NAMES_H
/*
 * Names of what rules remember (flowbits, flowints, bits of hosts and pairs) as small numbers. A name keeps its number
 * for the life of the process, so flows and hosts may hold numbers across reloads. Flowbits and flowints have a name
 * space each; hostbits and xbits share one, as in Suricata.
 */
#include <stdint.h>
#include "ips/base/span.h"

enum var_kind { VAR_FLOWBIT, VAR_FLOWINT, VAR_HOSTBIT, VAR_KIND_N };

#define VAR_NAMES_MAX  65535
#define VAR_NAME_BYTES 255
#define VAR_ID_NONE    0

/* Control threads. VAR_ID_NONE when all numbers are taken or memory is out. */
uint16_t var_name_id(enum var_kind kind, struct span name);
/* Any thread: of an id that var_name_id() has given. */
const char *var_name(uint16_t id);
enum var_kind var_name_kind(uint16_t id);
#endif
