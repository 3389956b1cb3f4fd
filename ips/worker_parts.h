/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_WORKER_PARTS_H
#define SLUICE_WORKER_PARTS_H
/*
 * Between the files of the spine, in the worker's thread:
 *   worker.c          the burst loop
 *   worker_handoff.c  frames that another worker owns
 *   worker_load.c     what a worker does when it has more to do than it can, and what it notices of its own slowness
 */
#include "ips/worker.h"

/* --- worker.c --- */
/* Up to max frames into w->pkts, counted and stamped, not decoded. */
unsigned worker_receive(struct worker *w, unsigned in_port, unsigned max);
void worker_decode(struct worker *w, unsigned n); /* the first n of w->pkts */
void worker_apply_decode_policy(struct worker *w, struct packet *pkts, unsigned n);
void worker_leave(struct worker *w, struct packet *frames, unsigned n);

/* --- worker_handoff.c --- */
/* Decoded frames that another worker owns go there; how many stay, with the gaps closed. */
unsigned worker_hand_off(struct worker *w, unsigned n);

/* --- worker_load.c --- */
/* A round begins; only for a worker with w->limits. */
void worker_load_look(struct worker *w);
/* OVERLOAD_SHED: what waits beyond overload.low goes the way of the fail policy; how many frames that were. */
unsigned worker_load_shed(struct worker *w);
/* From OVERLOAD_ELEPHANTS on: a packet is inspected, and its flow may need no more of it. */
void worker_load_bypass(struct worker *w, struct packet *p);
/* The meter was on for this packet. */
void worker_load_timed(struct worker *w, const struct packet *p, uint64_t began_ns);
#endif
