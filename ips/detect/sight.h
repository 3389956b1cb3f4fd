/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_DETECT_SIGHT_H
#define SLUICE_DETECT_SIGHT_H
/*
 * What of a packet rules may look into: its own payload, and the stream that it adds to. Of the packet in hand;
 * worker thread.
 */
#include "ips/stream/stream.h"
#include "rules/ruleset.h"

struct sight {
    const struct packet *p;
    struct stream_table *streams;   /* NULL: views are whole in memory, or only their new bytes are seen */
    const struct stream_view *view; /* NULL: it adds nothing */
    uint32_t tries;                 /* RULE_PACKET, RULE_STREAM: which rules it is for */
    bool plain;                     /* not of a stream: stream rules look at the packet */
    bool has_window;
    struct span window; /* of the stream: bytes that were looked at before, then new ones */
    uint32_t fresh_at;  /* where the new ones begin in it */
    int64_t origin;     /* place of its first byte in the stream */
};

void sight_open(struct sight *s, struct stream_table *streams, const struct packet *p);
/* RULE_PACKET, RULE_STREAM: what to try a rule with these flags on; 0: nothing. */
uint32_t sight_tries(const struct sight *s, uint32_t rule_flags);
/* Fills window, fresh_at and origin, once; the view is there. Copies a segment behind the bytes before it. */
void sight_window(struct sight *s);
/* The bytes of the stream in front of the packet's own payload, as far as they are known; the view is in the frame. */
struct span sight_before_payload(const struct sight *s);
/* Whether the view's new bytes begin with the packet's own payload, or are in it. */
bool sight_covers_payload(const struct sight *s);
/* Place of the payload's first byte in the window, which may be before it. False: not known. */
bool sight_payload_at(const struct sight *s, int64_t *at);
#endif
