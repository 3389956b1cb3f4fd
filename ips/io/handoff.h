/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_IO_HANDOFF_H
#define SLUICE_IO_HANDOFF_H
/*
 * Where a NIC cannot hash both directions of a flow to one queue, and for what no NIC can (a datagram that came in
 * fragments, what a tunnel carries), the worker that received a frame hands its descriptor to the flow's owner: one single-producer single-consumer ring (ck_ring) per ordered pair of workers.
 * Only descriptors move; the bytes stay where they are in the shared UMEM.
 */
#include <stdbool.h>
#include <stdint.h>
#include "ips/base/err.h"
#include "ips/io/packet.h"

struct handoff; /* all rings of one bridge */

struct handoff *handoff_new(uint32_t n_workers, uint32_t ring_size, struct err *e);
void handoff_free(struct handoff *h);
/* False when the ring is full; the frame stays with the caller. p->handed goes with it. */
bool handoff_send(struct handoff *h, uint32_t from, uint32_t to, const struct packet *p);
/* How many frames `from` can send to `to` now, at least. Only `from` may ask. */
uint32_t handoff_room(const struct handoff *h, uint32_t from, uint32_t to);
/* Frames that others sent to `to`: data, len, umem_addr, in_port, link, handed and times as the sender had them. */
unsigned handoff_receive(struct handoff *h, uint32_t to, struct packet *pkts, unsigned max);
/* An eventfd to poll beside the sockets: readable when somebody sent to a sleeping worker. */
int handoff_fd(const struct handoff *h, uint32_t worker);
void handoff_sleep(struct handoff *h, uint32_t worker, bool asleep);
bool handoff_pending(const struct handoff *h, uint32_t to);
#endif
