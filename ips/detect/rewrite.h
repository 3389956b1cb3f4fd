/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_DETECT_REWRITE_H
#define SLUICE_DETECT_REWRITE_H
/*
 * `replace`: the bytes that a rule's contents matched, written over in the packet, which leaves with right
 * checksums. Lengths do not change. Worker thread, on a packet it owns.
 */
#include "ips/io/packet.h"
#include "rules/eval.h"

/*
 * at: place of the payload's first byte in the bytes that the rule looked into, which may be before them; what lies
 * outside of the payload stays. Sets PKT_REWRITTEN. False when the packet cannot be changed: it has no L4 header whose
 * checksum could be made right.
 */
bool rewrite_payload(struct packet *p, const struct eval *e, int64_t at);
#endif
