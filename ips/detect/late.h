/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_DETECT_LATE_H
#define SLUICE_DETECT_LATE_H
/*
 * Rules whose fast pattern was in a stream and which did not match yet. Worker thread.
 */
#include "ips/base/err.h"
#include "ips/stream/stream.h"

#define LATE_MAX 6 /* rules of a direction; beyond them the whole window is searched */

struct late {            /* of one direction of a flow */
    uint32_t until;      /* place in the stream, modulo 2^32, before which their fast patterns stand */
    uint16_t generation; /* of the ruleset, plus 1 */
    uint8_t n;
    bool all; /* any rule's may stand there */
    uint32_t rule[LATE_MAX];
};

struct late_table;
struct late_table *late_table_new(uint32_t max_flows, struct err *e);
void late_table_free(struct late_table *t);
struct late *late_of(struct late_table *t, uint32_t flow_index, bool to_client);
/* What is left of it before this view is looked at. */
void late_begin(struct late *l, const struct stream_view *v, uint32_t generation);
/* The rule was tried on the view in vain. */
void late_add(struct late *l, const struct stream_view *v, uint32_t rule);
/* Rules were not tried on the view as they would be on the next. */
void late_add_all(struct late *l, const struct stream_view *v);
#endif
