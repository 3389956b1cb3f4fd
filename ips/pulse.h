/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_PULSE_H
#define SLUICE_PULSE_H
/*
 * A worker's sign of life to the steering program, and what the program says of the frames that crossed when it had
 * none. Worker thread; the bridge fills it in before the worker starts.
 */
#include "bpf/shared.h"
#include "ips/io/port.h"

struct pulse {
    struct steer_beat *beat;  /* of the worker's queue, in the program's map; NULL: no program looks */
    struct steer_beat *beats; /* of all queues */
    uint64_t heartbeat_ns;    /* of the bridge; 0: nobody looks. Changes live: atomic */
    uint64_t *escaped_ns;     /* of the bridge: frames crossed unseen until then */
    uint64_t escaped;         /* frames, when they were last counted */
    uint32_t queued[2];       /* frames in the RX rings that came before those that crossed unseen */
    bool gap;                 /* there are some, or were in this round */
};

/* Alive, for those who look before the first round. Control thread. */
void pulse_start(struct pulse *p);
/* Alive for so long, whatever happens: the worker stops, and another goes on. No pulse_start() shortens that. */
void pulse_hold(struct pulse *p, uint64_t for_ns);
/* Frames that crossed unseen so far. Any thread. */
uint64_t pulse_escaped(const struct pulse *p);
/* A round begins. Returns until when frames crossed unseen. */
uint64_t pulse_round(struct pulse *p, struct port *const port[2], uint64_t now_ns);
/* How many frames may be received at once, so that a burst has frames from one side of a gap only. */
static inline unsigned pulse_burst(const struct pulse *p, unsigned in_port)
{
    return p->gap && p->queued[in_port] < BURST_MAX ? p->queued[in_port] : BURST_MAX;
}
void pulse_received(struct pulse *p, unsigned in_port, unsigned n);
/* In the middle of a round that takes long. */
void pulse_touch(struct pulse *p, uint64_t now_ns);
/* Whether another queue's worker gives signs of life, judged as the program does; and that a frame of its crossed unseen. */
bool pulse_lives(const struct pulse *p, uint32_t queue, uint64_t now_ns);
void pulse_escape(const struct pulse *p, uint32_t queue);
/* Around poll: the first frame that comes starts the clock. */
void pulse_sleep(struct pulse *p);
void pulse_wake(struct pulse *p);
#endif
