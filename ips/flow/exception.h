/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_FLOW_EXCEPTION_H
#define SLUICE_FLOW_EXCEPTION_H
/*
 * What happens to a packet that the engine cannot inspect as it should: a policy for each cause, counted at each use,
 * remembered by the flow and said in its events. One row is a cause: its word in EVE (flow.exception_policy), its
 * counter, its drop reason, and what is done when the configuration says nothing.
 */
#include "ips/base/counters.h"
#include "ips/flow/flow.h"
#include "ips/io/packet.h"

/* X(id, "word", counter, drop reason, default action) */
#define EXCEPTION_TABLE(X)                                                                                  \
    X(EXC_MIDSTREAM, "stream_midstream", CTR_EXC_MIDSTREAM, DROP_MIDSTREAM, EXCEPTION_IGNORE)               \
    X(EXC_FLOW_MEMCAP, "flow_memcap", CTR_EXC_FLOW_MEMCAP, DROP_FLOW_MEMCAP, EXCEPTION_IGNORE)              \
    X(EXC_STREAM_MEMCAP, "stream_memcap", CTR_EXC_STREAM_MEMCAP, DROP_STREAM_MEMCAP, EXCEPTION_DROP_PACKET) \
    X(EXC_DEFRAG_MEMCAP, "defrag_memcap", CTR_EXC_DEFRAG_MEMCAP, DROP_DEFRAG_MEMCAP, EXCEPTION_DROP_PACKET) \
    /* no memory, or another limit behind which a parser cannot go on */                                    \
    X(EXC_APP_MEMCAP, "app_memcap", CTR_EXC_APP_MEMCAP, DROP_APP_MEMCAP, EXCEPTION_AUTO)                    \
    X(EXC_APP_ERROR, "app_error", CTR_EXC_APP_ERROR, DROP_APP_ERROR, EXCEPTION_IGNORE)                      \
    X(EXC_APP_AMBIGUOUS, "app_ambiguous", CTR_EXC_APP_AMBIGUOUS, DROP_APP_AMBIGUOUS, EXCEPTION_IGNORE)      \
    /* an elephant that passes from here on: no setting of its own (ips/base/overload.h) */                 \
    X(EXC_OVERLOAD, "overload", CTR_OVERLOAD_FLOWS, DROP_OVERLOAD, EXCEPTION_IGNORE)

enum exception {
#define X(id, word, counter, reason, action) id,
    EXCEPTION_TABLE(X)
#undef X
        EXC_N,
};
_Static_assert(EXC_N <= 8, "struct flow remembers them in a byte");

const char *exception_word(enum exception cause);
/*
 * The action for a cause: its own word in the configuration, else the word for all causes, else the table's. AUTO is
 * Suricata's: drop the flow in-line, ignore otherwise. Control thread.
 */
enum exception_action exception_resolve(enum exception cause, enum exception_action own,
                                        enum exception_action all, bool inline_mode);
/* Sets verdict and drop reason, PKT_UNINSPECTED, the flow's verdict (when the packet has one); counts. Worker. */
void exception_apply(enum exception cause, enum exception_action action, struct packet *p,
                     struct counters *c);
#endif
