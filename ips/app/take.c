/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A parser gets a piece. The supervisor can see whose it is while it works on it, and the meter, when it is on, what that
 * took. Worker thread; owns nothing.
 */
#include "ips/app/app_parts.h"
#include "ips/base/clock.h"
#include "ips/base/fault.h"

enum app_answer app_take_piece(struct app *a, const struct app_in *in)
{
    const struct app_parser *parser = a->flow->parser;
    uint8_t name = (uint8_t)(parser->proto + 1);
    uint64_t began_ns = a->cfg.meter->on ? clock_mono_ns() : 0;

    beacon_parser(a->cfg.beacon, name);
    fault_parser(in->bytes);
    enum app_answer answer = parser->take(a, a->flow->state, in);
    beacon_parser(a->cfg.beacon, 0);
    if (began_ns)
        meter_parser(a->cfg.meter, name, clock_mono_ns() - began_ns);
    return answer;
}
