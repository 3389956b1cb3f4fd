/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_BASE_METER_H
#define SLUICE_BASE_METER_H
/*
 * What the packet in hand costs, for some packets: one of METER_EVERY, and all of them while rounds take long. When it is on,
 * rules and parsers are timed. A worker's; nobody else looks.
 */
#include <stdbool.h>
#include <stdint.h>

#define METER_EVERY 64

struct meter {
    bool on;
    uint8_t parser;    /* the costliest of the packet: enum app_proto + 1; 0: none */
    uint32_t n;        /* packets */
    uint32_t gid, sid; /* the costliest rule of the packet; sid 0: none */
    uint64_t rule_ns, parser_ns;
};

static inline void meter_begin(struct meter *m)
{
    *m = (struct meter){.on = true, .n = m->n};
}

static inline void meter_rule(struct meter *m, uint32_t gid, uint32_t sid, uint64_t ns)
{
    if (ns <= m->rule_ns)
        return;
    m->rule_ns = ns;
    m->gid = gid;
    m->sid = sid;
}

static inline void meter_parser(struct meter *m, uint8_t proto_and_1, uint64_t ns)
{
    if (ns <= m->parser_ns)
        return;
    m->parser_ns = ns;
    m->parser = proto_and_1;
}
#endif
