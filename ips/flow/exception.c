/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exception policies: the table, and what its actions do to a packet and its flow.
 *
 * A packet without a flow can only be dropped or passed by itself; what says "flow" then means the packet. A flow that
 * has a verdict keeps it: the first one set wins, here as for rules. Nothing is dropped here when the engine is not
 * in-line: detection takes such a verdict back (detect.h), but the flow remembers the cause.
 *
 * Worker thread, but for exception_resolve() and exception_word(). Owns nothing.
 */
#include "ips/flow/exception.h"

struct row {
    const char *word;
    uint16_t counter, reason;
    uint8_t action;
};

static const struct row rows[EXC_N] = {
#define X(id, word, counter, reason, action) {word, counter, reason, action},
    EXCEPTION_TABLE(X)
#undef X
};

const char *exception_word(enum exception cause)
{
    return rows[cause].word;
}

enum exception_action exception_resolve(enum exception cause, enum exception_action own,
                                        enum exception_action all, bool inline_mode)
{
    enum exception_action a = own != EXCEPTION_DEFAULT ? own : all;

    if (a == EXCEPTION_DEFAULT)
        a = (enum exception_action)rows[cause].action;
    if (a == EXCEPTION_AUTO)
        return inline_mode ? EXCEPTION_DROP_FLOW : EXCEPTION_IGNORE;
    return a;
}

void exception_apply(enum exception cause, enum exception_action action, struct packet *p, struct counters *c)
{
    const struct row *r = &rows[cause];

    counter_add(c, r->counter, 1);
    if (p->flow)
        p->flow->exceptions |= (uint8_t)(1u << cause);
    switch (action) {
    case EXCEPTION_DROP_FLOW:
        if (p->flow)
            flow_settle(p->flow, FLOW_DROP, true);
        /* fall through */
    case EXCEPTION_DROP_PACKET:
        packet_drop(p, r->reason);
        break;
    case EXCEPTION_PASS_FLOW:
        if (p->flow)
            flow_settle(p->flow, FLOW_PASS, true);
        /* fall through */
    case EXCEPTION_PASS_PACKET:
        p->flags |= PKT_UNINSPECTED;
        break;
    default:
        break; /* inspected as well as can be */
    }
}
