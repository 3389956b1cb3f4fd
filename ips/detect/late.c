/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the prefilter remembers of a stream.
 *
 * Patterns are searched for in new bytes only. But a rule with two contents may have its fast pattern in one segment
 * and the other content in a later one, where nothing would make it a candidate again. So a rule that was tried in
 * vain and may match later (RULE_LATE) stays a candidate of its direction until the bytes in which its fast pattern
 * was seen have left the window. That is rare, so there is room for a few; when it is full, and when another ruleset has
 * come meanwhile, the whole window is searched instead, until it has moved on.
 *
 * An array beside the flow table, 64 bytes a flow, which are touched by segments with payload only. Nothing needs to be
 * told when a flow ends: the first segment of a stream has nothing before it, and begins anew.
 *
 * Worker thread; made and freed by the control thread.
 */
#include "ips/detect/late.h"

#include <errno.h>
#include <stdlib.h>

struct late_table {
    struct late (*dir)[2];
};
_Static_assert(sizeof(struct late[2]) == 64, "both directions of a flow share a cache line");

struct late_table *late_table_new(uint32_t max_flows, struct err *e)
{
    /* zeroed by the kernel: pages of flows that never come are never touched */
    struct late_table *t = calloc(1, sizeof(*t) + 64 + (size_t)max_flows * sizeof(*t->dir));

    if (!t) {
        err_set(e, -ENOMEM, "no memory for what rules remember of %u flows", max_flows);
        err_remedy(e, "lower flow.max");
        return NULL;
    }
    t->dir = (struct late(*)[2])(((uintptr_t)(t + 1) + 63) & ~(uintptr_t)63);
    return t;
}

void late_table_free(struct late_table *t)
{
    free(t);
}

struct late *late_of(struct late_table *t, uint32_t flow_index, bool to_client)
{
    return &t->dir[flow_index][to_client];
}

static uint32_t end_of(const struct stream_view *v)
{
    return (uint32_t)(v->offset + v->fresh.len);
}

void late_begin(struct late *l, const struct stream_view *v, uint32_t generation)
{
    uint16_t now = (uint16_t)(generation + 1);

    if (v->tail.len > 0 && l->generation != now) {
        l->all = true;
        l->until = (uint32_t)v->offset;
        l->n = 0;
    } else if (v->tail.len == 0 || (int32_t)((uint32_t)(v->offset - v->tail.len) - l->until) >= 0) {
        l->all = false;
        l->n = 0;
    }
    l->generation = now;
}

void late_add(struct late *l, const struct stream_view *v, uint32_t rule)
{
    uint32_t i = 0;

    l->until = end_of(v);
    while (i < l->n && l->rule[i] != rule)
        i++;
    if (i == LATE_MAX)
        l->all = true;
    else if (i == l->n)
        l->rule[l->n++] = rule;
}

void late_add_all(struct late *l, const struct stream_view *v)
{
    l->until = end_of(v);
    l->all = true;
}
