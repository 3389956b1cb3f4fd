/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_IO_STEER_LINE_H
#define SLUICE_IO_STEER_LINE_H
/*
 * Steering lines as people write them: "vlan 100-199 bypass", "src 10.0.0.0/8 proto tcp dport 22 host". Pure functions;
 * any thread. ips.yaml(5) has the words.
 */
#include <stddef.h>
#include "bpf/shared.h"
#include "ips/base/err.h"

#define STEER_LINE_TEXT_MAX 512

/* ifname: the bridge's interfaces, what `in NAME` may name. -EINVAL with the word and the remedy. */
int steer_line_parse(const char *text, const char *const ifname[STEER_PORTS], struct steer_line *l,
                     struct err *e);
/* The same line in one form, always the same. buf has STEER_LINE_TEXT_MAX bytes; returns it. */
const char *steer_line_format(const struct steer_line *l, const char *const ifname[STEER_PORTS], char *buf);
#endif
