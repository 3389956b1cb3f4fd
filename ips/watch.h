/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_WATCH_H
#define SLUICE_WATCH_H
/*
 * Whether a worker hangs, judged from samples of its beacon. Pure: clocks and states are parameters.
 */
#include <stdbool.h>
#include <stdint.h>

struct watch_sample {
    uint64_t now_ns, round_ns; /* beacon.round_ns */
    uintptr_t place;           /* of the packet in hand: another one is progress */
    uint64_t cpu_ns;           /* that the thread has used; may be 0 when the round is a new one */
    bool asleep;               /* in poll, or its rounds have not begun or are over */
    char state;                /* of the thread, as in /proc/PID/stat; 0: not known */
};

enum watch_says {
    WATCH_FINE,
    WATCH_RESUMED, /* a round that was long is over */
    WATCH_STUCK,   /* it has been computing on one packet for as long as is allowed */
    WATCH_BLOCKED, /* it has been waiting in one system call for as long */
    WATCH_HELD,    /* as long, and nobody's fault here: stopped by a tracer, or by the kernel. Said once */
};

struct watch { /* of one worker; zeros: nothing was seen yet */
    uint64_t round_ns;
    uint64_t since_ns;   /* when that packet of that round was first seen */
    uintptr_t place;     /* the packet */
    uint64_t cpu_ns;     /* used by then */
    uint64_t resumed_ms; /* WATCH_RESUMED: how long it took */
    unsigned seen;       /* the round, in that many samples */
    bool cpu_known, said_held;
};

/* stall_ms: how long one packet, or all that a round does without one, may take; half of it is worth an event
 * when the round is over. */
enum watch_says watch_look(struct watch *w, const struct watch_sample *s, uint32_t stall_ms);
/* Time in which nobody ran, the watcher neither, is on nobody's account: the round counts as begun now. */
void watch_excuse(struct watch *w);
/* The round is the one seen last, so its cpu_ns and state are needed. */
static inline bool watch_wants_more(const struct watch *w, const struct watch_sample *s)
{
    return !s->asleep && w->seen > 0 && s->round_ns == w->round_ns;
}
#endif
