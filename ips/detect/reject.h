/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_DETECT_REJECT_H
#define SLUICE_DETECT_REJECT_H
/*
 * The answers to a rejected packet, built into a frame the worker gives: TCP RST towards either end (RFC 9293
 * 3.10.7: sequence numbers that the end will accept), ICMP port unreachable or administratively prohibited
 * towards the sender otherwise (RFC 792, RFC 1122 3.2.2, RFC 4443 3.1: never for an ICMP error, a fragment after
 * the first, broadcast or multicast). VLAN tags are repeated; checksums are right.
 */
#include <stdbool.h>
#include <stdint.h>
#include "ips/io/packet.h"

enum reject_to { REJECT_TO_SENDER, REJECT_TO_RECEIVER };

/* Bytes written to out, or 0 when no answer may be sent. A frame to the sender leaves through p->in_port. */
uint32_t reject_build(const struct packet *p, enum reject_to to, uint8_t *out, uint32_t size);
#endif
