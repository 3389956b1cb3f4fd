/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_INQUIRY_H
#define SLUICE_INQUIRY_H
/*
 * Asks a worker that hangs what it is at. The answer is made by its own thread, in a signal handler, because what its
 * beacon points to may be gone for any other. One thread asks, one question at a time.
 */
#include "ips/base/beacon.h"
#include "ips/base/err.h"
#include "ips/worker.h"

#define INQUIRY_FRAMES 48

struct inquiry_answer {
    uint32_t gid, sid;      /* of the rule in hand; sid 0: none */
    struct packet_ends end; /* of the packet in hand; ip_version 0: none */
};

/* Before the workers start. */
int inquiry_init(struct err *e);
/* False: the thread did not answer in time (it is stopped, or the kernel has it). */
bool inquiry_ask(const struct beacon *b, struct inquiry_answer *out, unsigned ms);
/* Return addresses of the thread, the innermost first; 0: it did not answer. */
unsigned inquiry_trace(const struct beacon *b, void *frames[INQUIRY_FRAMES], unsigned ms);
#endif
