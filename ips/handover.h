/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_HANDOVER_H
#define SLUICE_HANDOVER_H
/*
 * What two daemons say to each other at an upgrade: messages, and the state of a bridge's frames. upgrade.c is the side
 * that goes, takeover.c the one that comes; the protocol's story is on top of handover.c.
 *
 * A message is one JSON object with a member "say", and descriptors, over a SOCK_SEQPACKET pair. Members are found by
 * name and unknown ones ignored, so another version may say more. HANDOVER_FORMAT says what must be the same: the
 * order of the messages, their descriptors, and the layout of the frames' state.
 */
#include <jansson.h>
#include <stdint.h>
#include "ips/base/err.h"
#include "ips/io/packet.h"
#include "ips/io/port.h"

#define HANDOVER_FORMAT  1
#define HANDOVER_FDS_MAX 250 /* of one message; the kernel's limit is 253 */
/* From the state until it says that it runs, nobody serves the rings: as long as WORKER_PAUSE_NS. */
#define HANDOVER_SWITCH_MS 1000

struct handover_fds {
    int v[HANDOVER_FDS_MAX];
    unsigned n;
};

/* Takes the reference to say. 0 or -errno; fds may be NULL. */
int handover_say(int fd, json_t *say, const struct handover_fds *fds);
/* The next message within so many ms: a new reference, and its descriptors, which are the caller's (fds NULL: closed). NULL:
 * e->code is -ETIMEDOUT, -EPIPE (the other end is closed) or -EPROTO. */
json_t *handover_hear(int fd, int timeout_ms, struct handover_fds *fds, struct err *e);
/* Whether the message says this. */
int handover_is(const json_t *m, const char *say);
void handover_close(struct handover_fds *fds);

/* handover_counters.c */
struct counters;
json_t *handover_counters(const struct counters *c);
void handover_counters_read(const json_t *o, struct counters *c);

/* --- the frames of a bridge ------------------------------------------------------------------------------------- */

struct handover_frame { /* in a worker's hand: a fragment that waits for the rest of its datagram */
    uint64_t umem_addr;
    uint32_t len;
    uint8_t in_port, link;
    uint16_t reserved;
};

struct handover_worker {
    uint32_t n_free, n_held;
    struct port_held port[2];
    const uint64_t *free; /* addresses of free frames */
    const struct handover_frame *held;
};

/* Bytes that hold any state of a bridge of so many frames and workers. */
size_t handover_state_bytes(uint32_t n_frames, uint32_t n_workers);

struct handover_writer { /* puts a state together, worker by worker, in memory of handover_state_bytes() */
    uint8_t *at, *end;
};
void handover_state_begin(struct handover_writer *w, void *memory, uint32_t n_frames, uint32_t n_workers);
/* Where free frames (room for free_max) of the next worker go; then its numbers and held frames. */
uint64_t *handover_state_free(struct handover_writer *w);
void handover_state_add(struct handover_writer *w, const struct handover_worker *worker);

/* Reads and checks: every frame is in exactly one place, no address lies outside, no ring holds more than ring_size. workers:
 * n_workers, pointing into the state. */
int handover_state_read(const void *state, size_t bytes, uint32_t n_frames, uint32_t n_workers,
                        uint32_t ring_size, struct handover_worker *workers, struct err *e);
#endif
