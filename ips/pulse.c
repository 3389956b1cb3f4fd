/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether a worker lives is for the steering program to see: once a round the worker writes the time to its place in a map
 * that is mapped into the daemon's memory, which costs a store. When that is older than bridges[].heartbeat, the program
 * gives its frames to the fail policy, and counts those that crossed.
 *
 * Those frames lie between what the RX rings held when the worker stopped and what came in after its next sign of life. So
 * when the count has moved, the frames that were in the rings before that sign are received by themselves, and the round
 * behind them is when the gap ends: what TCP flows send from then on does not follow what was seen (flow_escaped()).
 * Flows may be another worker's, so the time is the bridge's: all its workers read it once a round. It is said when the
 * count moves, too, because a frame can cross while the program's word is on its way.
 *
 * Where frames are handed to their flow's owner, another worker meets his silence first: it judges by the same sign, and
 * counts what it lets cross in the same place.
 *
 * Worker thread, but for pulse_start(), pulse_hold() and pulse_escaped(). Owns nothing.
 */
#include "ips/pulse.h"

#include "ips/base/clock.h"

static void sign(struct pulse *p, uint64_t ns)
{
    __atomic_store_n(&p->beat->beat_ns, ns, __ATOMIC_RELEASE);
}

static uint64_t count(const struct pulse *p)
{
    return __atomic_load_n(&p->beat->escaped, __ATOMIC_ACQUIRE);
}

uint64_t pulse_escaped(const struct pulse *p)
{
    return p->beat ? count(p) : 0;
}

void pulse_start(struct pulse *p)
{
    uint64_t now_ns = clock_mono_ns(), beat_ns = __atomic_load_n(&p->beat->beat_ns, __ATOMIC_ACQUIRE);

    p->escaped = count(p);
    if (beat_ns == STEER_ASLEEP || beat_ns < now_ns)
        sign(p, now_ns);
}

void pulse_hold(struct pulse *p, uint64_t for_ns)
{
    if (p->beat)
        sign(p, clock_mono_ns() + for_ns);
}

/* Never back, whoever else says it. */
static void tell(const struct pulse *p, uint64_t now_ns)
{
    uint64_t was = __atomic_load_n(p->escaped_ns, __ATOMIC_RELAXED);

    while (was < now_ns && !__atomic_compare_exchange_n(p->escaped_ns, &was, now_ns, true, __ATOMIC_RELEASE,
                                                        __ATOMIC_RELAXED))
        ;
}

uint64_t pulse_round(struct pulse *p, struct port *const port[2], uint64_t now_ns)
{
    if (!p->beat)
        return 0;
    uint32_t queued[2] = {port_rx_waiting(port[0]), port_rx_waiting(port[1])}; /* before frames come again */

    sign(p, now_ns);
    uint64_t escaped = count(p);
    if (escaped != p->escaped) {
        p->escaped = escaped;
        p->queued[0] = queued[0];
        p->queued[1] = queued[1];
        p->gap = true;
        tell(p, now_ns);
    } else if (p->gap && p->queued[0] == 0 && p->queued[1] == 0) {
        p->gap = false;
        tell(p, now_ns);
    }
    return __atomic_load_n(p->escaped_ns, __ATOMIC_ACQUIRE);
}

void pulse_received(struct pulse *p, unsigned in_port, unsigned n)
{
    if (p->gap)
        p->queued[in_port] = n < p->queued[in_port] && n > 0 ? p->queued[in_port] - n : 0;
}

void pulse_touch(struct pulse *p, uint64_t now_ns)
{
    if (p->beat)
        sign(p, now_ns);
}

bool pulse_lives(const struct pulse *p, uint32_t queue, uint64_t now_ns)
{
    uint64_t heartbeat_ns = __atomic_load_n(&p->heartbeat_ns, __ATOMIC_RELAXED);
    __u64 ns = STEER_ASLEEP;

    if (!p->beats || heartbeat_ns == 0)
        return true;
    /* who sleeps is woken by the frame: from now on he has time for a sign */
    if (__atomic_load_n(&p->beats[queue].beat_ns, __ATOMIC_ACQUIRE) == STEER_ASLEEP &&
        __atomic_compare_exchange_n(&p->beats[queue].beat_ns, &ns, now_ns, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
        return true;
    ns = __atomic_load_n(&p->beats[queue].beat_ns, __ATOMIC_ACQUIRE);
    return ns == STEER_ASLEEP || (int64_t)(now_ns - ns) <= (int64_t)heartbeat_ns;
}

void pulse_escape(const struct pulse *p, uint32_t queue)
{
    __atomic_fetch_add(&p->beats[queue].escaped, 1, __ATOMIC_ACQ_REL);
}

void pulse_sleep(struct pulse *p)
{
    if (p->beat)
        sign(p, STEER_ASLEEP);
}

void pulse_wake(struct pulse *p)
{
    if (p->beat)
        sign(p, clock_mono_ns());
}
