/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_CONTROL_STRIKES_H
#define SLUICE_CONTROL_STRIKES_H
/*
 * What this daemon leaves out because it stalled workers of daemons before it: rules of every ruleset that is loaded, and
 * parsers. One list for the process; any control thread.
 */
#include "bpf/shared.h"
#include "rules/ruleset.h"

/* From this many strikes on; 0: nothing is ever left out. Before the others. */
void strikes_limit(unsigned limit);
/* What a bridge's map remembers. What is left out from now on is named in the log and in an engine event. */
void strikes_learn(const struct steer_strike *v, unsigned n);
/* One (NULL: all) is forgiven: rules come back with the next reload, parsers with the next start. */
void strikes_forgive(const struct steer_strike *what);

bool strikes_is_off(const struct steer_strike *s);
unsigned strikes_rules(struct rule_id out[STEER_STRIKES_MAX]);
uint64_t strikes_apps(void); /* APP_BIT()s */
#endif
