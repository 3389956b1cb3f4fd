/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_LOAD_EVENTS_H
#define SLUICE_LOAD_EVENTS_H
/*
 * What the supervisor says of workers that have too much to do: the members of engine events, made of what workers publish.
 */
#include <jansson.h>
#include "ips/worker.h"

struct load_said { /* of one worker, when it was last spoken of */
    uint64_t entered[OVERLOAD_STEPS];
    uint64_t at_ns; /* 0: never */
    uint64_t flows, rules, forwarded, dropped, slow;
};

/* All that the worker did so far counts as said. */
struct load_said load_said_now(const struct worker *w);
/* A step has changed since; NULL: none, or it is too soon to speak again. */
json_t *load_event(struct load_said *said, const struct worker *w, uint64_t now_ns);
/* A packet took longer than overload.packet_us; NULL: none did. Takes it out. */
json_t *load_slow_event(struct load_said *said, struct worker *w);
/* src_ip, src_port and so on, as EVE has them. */
void load_put_ends(json_t *o, const struct packet_ends *e);
#endif
