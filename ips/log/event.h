/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_LOG_EVENT_H
#define SLUICE_LOG_EVENT_H
/*
 * What a worker tells the logger: binary records in a single-producer single-consumer byte ring, one ring per
 * worker. The worker copies facts and never formats text; the logger thread makes EVE JSON of them. A record
 * owns everything it says (rule text included), so it stays true when the ruleset is gone.
 */
#include <stdbool.h>
#include <stdint.h>
#include "ips/base/span.h"
#include "ips/io/packet.h"

enum event_type {
    EVENT_ALERT,
    EVENT_DROP,
    EVENT_PACKET,
    EVENT_ANOMALY,
    EVENT_APP,
    EVENT_FLOW,
    EVENT_FILE,
    EVENT_N
};

/* Fixed part; the variable parts follow in this order: msg, category, metadata, references, payload, packet,
 * vars (struct var of ips/base/vars.h, n_vars of them), tunnel (struct tunnel_hop, the frame's own packet first); copy those
 * two out, they are not aligned. Then app (the flow's protocol by its name in EVE), name (of an EVENT_APP: its event_type),
 * object (the member that fields are in), fields and files (ips/base/fields.h; the list "files" of an alert). */
struct event {
    uint32_t size;       /* of the whole record, a multiple of 8 */
    uint8_t type;        /* enum event_type */
    uint8_t action;      /* enum rule_action of the rule (EVENT_ALERT) */
    uint8_t verdict;     /* enum verdict the packet finally got */
    uint8_t drop_reason; /* enum drop_reason */
    uint64_t ts_ns, pcap_cnt, flow_id;
    struct addr src, dst;
    uint16_t sport, dport;
    uint8_t ip_version, ip_proto, icmp_type, icmp_code;
    uint8_t in_port, n_vlans, link, tcp_flags;
    uint16_t vlan[VLAN_MAX];
    uint8_t to_client; /* direction, when there is a flow */
    uint8_t has_flow, rejected;
    uint8_t tcp_reserved; /* low four bits of the TCP header's byte 12 */
    uint8_t passed;       /* a pass rule exempted the packet: verdict.action "pass" */
    uint8_t target;       /* enum rule_target of the rule */
    /* flow totals, this packet included */
    uint64_t flow_start_ns, pkts_to_server, pkts_to_client, bytes_to_server, bytes_to_client;
    /* header fields of a drop event */
    uint16_t ip_len, ip_id, tcp_window, udp_len;
    uint8_t ip_tos, ip_ttl;
    uint16_t tcp_urgent;
    uint32_t tcp_seq, tcp_ack;
    /* the rule (also of the rule that caused a drop; sid 0: none) */
    uint32_t sid, gid, rev, priority;
    uint16_t msg_len, category_len, metadata_len,
        references_len;   /* references: "type,value" joined by '\n' */
    uint16_t payload_len; /* 0 unless log.payload */
    uint16_t packet_len;  /* 0 unless log.packet */
    uint32_t bridge;      /* index of the bridge */
    uint32_t blocked_s;   /* EVENT_DROP: the source, or the destination, is blocked for so long; 0: nobody */
    uint32_t blocked_destination;
    uint16_t vars_len;  /* bytes: what rules remember of the flow */
    uint8_t exceptions; /* of the flow: bit for each enum exception (ips/flow/exception.h) */
    uint8_t in_stream;  /* alert: payload is the end of a TCP stream */
    uint8_t has_tx;     /* tx_id holds */
    uint8_t file_first : 1,
        file_last : 1;   /* EVENT_FILE: payload is a piece of it; the last has its fileinfo */
    uint16_t tunnel_len; /* bytes: the packets around this one */
    uint16_t app_len, name_len, object_len, fields_len, files_len;
    uint64_t tx_id;
    uint64_t file_id;           /* of the worker's files */
    uint64_t flow_age_ns;       /* EVENT_FLOW: from its first packet to its last */
    struct anomalies anomalies; /* EVENT_ANOMALY */
};

/* A packet around the one that an event is about. */
struct tunnel_hop {
    struct addr src, dst;
    uint32_t id;     /* of what it carries: VNI, VSID; 0: none */
    uint8_t carries; /* enum tunnel */
    uint8_t ip_version, ip_proto, zero;
    uint16_t sport, dport;
    uint32_t zero2;
};
_Static_assert(sizeof(struct event) % 8 == 0, "records stay aligned");

struct event_ring;
/* Control thread. bytes is rounded up to a power of two. NULL when memory is out. */
struct event_ring *event_ring_new(uint32_t bytes);
void event_ring_free(struct event_ring *r);
/* Worker: room for a record of size bytes (rounded up to 8), or NULL when the ring is full: count CTR_LOG_LOST. */
struct event *event_ring_reserve(struct event_ring *r, uint32_t size);
void event_ring_commit(struct event_ring *r, struct event *ev);
/* Logger: the oldest record, or NULL; release it when done. */
const struct event *event_ring_peek(struct event_ring *r);
void event_ring_release(struct event_ring *r, const struct event *ev);
#endif
