/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The steps of overload.
 *
 * What tells is how full the RX rings are when a round begins: a worker that keeps up empties them, whatever the rate, and
 * how long a frame waits is how many lie before it. A ring that filled up while the worker was kept from running is no
 * overload; it drains, and so a step up needs a number of rounds above `high`, or a few long ones, in which the
 * ring did not become emptier. A step down needs a time below `low`. When the load comes back soon after a step down, that
 * step was too early, and the next one waits twice as long, up to CALM_MAX_NS: so what is shed does not flap.
 *
 * Where nothing may cross uninspected there is one step only, OVERLOAD_SHED, which drops.
 *
 * Worker thread, but for overload_configure(). Owns nothing.
 */
#include "ips/base/overload.h"

#include "ips/base/clock.h"

#define UP_ROUNDS    8
#define UP_ROUNDS_NS (20 * NS_PER_MS) /* with long rounds two of them are enough when they took as long */
#define CALM_MIN_NS  (100 * NS_PER_MS)
#define CALM_MAX_NS  (10 * NS_PER_S)

static uint32_t get(const uint32_t *v)
{
    return __atomic_load_n(v, __ATOMIC_RELAXED);
}

static void show(uint32_t *v, uint32_t to)
{
    __atomic_store_n(v, to, __ATOMIC_RELAXED);
}

static void go(struct overload *o, uint32_t step)
{
    o->rounds = 0;
    o->calm_since_ns = 0;
    show(&o->step, step);
    __atomic_store_n(&o->entered[step], o->entered[step] + 1, __ATOMIC_RELAXED);
}

static void step_up(struct overload *o, bool may_forward, uint64_t now_ns)
{
    if (o->down_ns != 0 && now_ns - o->down_ns < 2 * o->calm_ns)
        o->calm_ns = o->calm_ns * 2 < CALM_MAX_NS ? o->calm_ns * 2 : CALM_MAX_NS;
    o->down_ns = 0;
    go(o, may_forward ? o->step + 1 : OVERLOAD_SHED);
}

static void step_down(struct overload *o, bool may_forward, uint64_t now_ns)
{
    o->down_ns = now_ns;
    go(o, may_forward ? o->step - 1 : OVERLOAD_NONE);
}

/* Rounds above `high`: whether it is time for the next step. */
static bool is_too_much(struct overload *o, uint32_t permille, uint64_t now_ns)
{
    if (o->rounds++ == 0) {
        o->rounds_from = permille;
        o->rounds_ns = now_ns;
        return false;
    }
    if (o->rounds < UP_ROUNDS && (o->rounds < 3 || now_ns - o->rounds_ns < UP_ROUNDS_NS))
        return false;
    if (permille >= o->rounds_from)
        return true;
    o->rounds = 0; /* it drains */
    return false;
}

static bool is_calm(struct overload *o, uint64_t now_ns)
{
    if (o->calm_since_ns == 0)
        o->calm_since_ns = now_ns;
    return now_ns - o->calm_since_ns >= o->calm_ns;
}

void overload_look(struct overload *o, const struct overload_config *c, bool may_forward, uint32_t permille,
                   uint64_t now_ns)
{
    uint32_t policy = get(&c->policy);

    show(&o->permille, permille);
    if (permille > o->peak)
        show(&o->peak, permille);
    if (o->calm_ns < CALM_MIN_NS ||
        (o->step == OVERLOAD_NONE && o->down_ns != 0 && now_ns - o->down_ns > 2 * CALM_MAX_NS))
        o->calm_ns = CALM_MIN_NS;
    if (policy == OVERLOAD_OFF) {
        if (o->step != OVERLOAD_NONE)
            go(o, OVERLOAD_NONE);
        return;
    }
    may_forward = may_forward && policy == OVERLOAD_AUTO;
    if (permille > get(&c->high) * 10) {
        o->calm_since_ns = 0;
        if (o->step < OVERLOAD_SHED && is_too_much(o, permille, now_ns))
            step_up(o, may_forward, now_ns);
        return;
    }
    o->rounds = 0;
    if (permille >= get(&c->low) * 10)
        o->calm_since_ns = 0;
    else if (o->step > OVERLOAD_NONE && is_calm(o, now_ns))
        step_down(o, may_forward, now_ns);
}

void overload_configure(struct overload_config *live, const struct overload_config *to)
{
    show(&live->high, to->high);
    show(&live->low, to->low);
    show(&live->policy, to->policy);
    show(&live->elephant_bytes, to->elephant_bytes);
    show(&live->packet_us, to->packet_us);
}
