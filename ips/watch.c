/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether a worker hangs.
 *
 * A round that does not end is not yet a hang. It may be full of packets that each take long: as long as the packet in hand
 * changes, the worker gets on, and is the business of overload. On a machine that is too small a worker may wait for a processor, a tracer
 * may hold it, the kernel may be busy for it; to kill the process mends none of that, and to blame the rule in hand would
 * be wrong. So the bound is on the processor time that went
 * into one packet; only a thread that sleeps inside a system call
 * other than poll, which a worker never should, is judged by the clock on the wall.
 *
 * Supervisor's thread. Owns nothing.
 */
#include "ips/watch.h"

#include "ips/base/clock.h"

void watch_excuse(struct watch *w)
{
    w->seen = 0;
}

static void begin(struct watch *w, const struct watch_sample *s)
{
    *w =
        (struct watch){.round_ns = s->round_ns, .since_ns = s->now_ns, .place = s->place, .seen = !s->asleep};
}

static enum watch_says judge(struct watch *w, const struct watch_sample *s, uint64_t stall_ns)
{
    if (s->now_ns - w->since_ns < stall_ns)
        return WATCH_FINE;
    if (s->cpu_ns - w->cpu_ns >=
        stall_ns - stall_ns / 4) /* what it used before it was known is not counted */
        return WATCH_STUCK;
    if (s->state == 'S')
        return WATCH_BLOCKED;
    if (w->said_held || (s->state != 't' && s->state != 'T' && s->state != 'D'))
        return WATCH_FINE;
    w->said_held = true;
    return WATCH_HELD;
}

enum watch_says watch_look(struct watch *w, const struct watch_sample *s, uint32_t stall_ms)
{
    uint64_t stall_ns = stall_ms * NS_PER_MS;

    if (s->asleep || w->seen == 0 || s->round_ns != w->round_ns) {
        /* seen twice: so the next round was seen soon after it began */
        uint64_t took_ns = w->seen > 1 && s->round_ns > w->round_ns ? s->round_ns - w->round_ns : 0;

        begin(w, s);
        w->resumed_ms = took_ns / NS_PER_MS;
        return took_ns > 0 && took_ns >= stall_ns / 2 ? WATCH_RESUMED : WATCH_FINE;
    }
    w->seen++;
    if (s->place != w->place || !w->cpu_known) {
        w->since_ns = s->place != w->place ? s->now_ns : w->since_ns;
        w->place = s->place;
        w->cpu_ns = s->cpu_ns;
        w->cpu_known = true;
    }
    return judge(w, s, stall_ns);
}
