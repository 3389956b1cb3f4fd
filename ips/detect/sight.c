/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What rules look into when a TCP segment is in hand.
 *
 *     not of a stream       all rules, on the packet: no flow, not TCP, picked up in the middle by policy, or bytes that
 *                           the receiver will not take
 *     of a stream           packet rules on the packet; stream rules on the view, when it brings new bytes that can be
 *                           delivered: an early segment is looked at when its hole is filled, an old one was looked at
 *
 * The window is the view's tail and its new bytes in one piece. It is made when the first rule asks for it, because
 * a segment that no stream rule is a candidate for needs no copy.
 *
 * Worker thread. Owns nothing: bytes are the frame's or the stream's, and the latter move when the window is made.
 */
#include "ips/detect/sight.h"

#include <netinet/in.h>
#include <string.h>

void sight_open(struct sight *s, struct stream_table *streams, const struct packet *p)
{
    *s = (struct sight){.p = p, .streams = streams};
    if (p->ip_proto != IPPROTO_TCP || !(p->flags & PKT_STREAM) || (p->flags & PKT_IGNORED)) {
        s->plain = true;
        return;
    }
    s->tries = RULE_PACKET;
    if (!p->view || p->view->fresh.len == 0)
        return;
    s->view = p->view;
    s->tries |= RULE_STREAM;
}

uint32_t sight_tries(const struct sight *s, uint32_t rule_flags)
{
    if (s->plain)
        return rule_flags & RULE_ONLY_STREAM ? 0 : RULE_PACKET;
    return rule_flags & s->tries;
}

void sight_window(struct sight *s)
{
    const struct stream_view *v = s->view;
    struct span all = {NULL, 0};

    if (s->has_window)
        return;
    s->has_window = true;
    if (v->tail.len > 0 && v->tail.p + v->tail.len == v->fresh.p)
        all = span_of(v->tail.p, v->tail.len + v->fresh.len);
    else if (v->tail.len > 0 && s->streams)
        all = stream_window(s->streams, s->p);
    s->window = all.len > v->fresh.len ? all : v->fresh;
    s->fresh_at = s->window.len - v->fresh.len;
    s->origin = (int64_t)v->offset - s->fresh_at;
}

struct span sight_before_payload(const struct sight *s)
{
    const struct stream_view *v = s->view;
    uint32_t old =
        (uint32_t)(v->fresh.p - packet_payload(s->p).p); /* of the payload: the tail ends with it */

    return span_sub(v->tail, 0, v->tail.len > old ? v->tail.len - old : 0);
}

bool sight_covers_payload(const struct sight *s)
{
    struct span payload = packet_payload(s->p);
    const struct stream_view *v = s->view;

    return v->in_frame || (v->fresh.len >= payload.len && memcmp(v->fresh.p, payload.p, payload.len) == 0);
}

bool sight_payload_at(const struct sight *s, int64_t *at)
{
    if (!sight_covers_payload(s))
        return false;
    *at = s->fresh_at;
    if (s->view->in_frame)
        *at -= s->view->fresh.p - packet_payload(s->p).p;
    return true;
}
