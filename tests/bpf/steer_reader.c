/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs the steering program's own reader on a frame in memory, and says what it made of it. For tests/bpf/test_steer_agrees.c;
 * no state, any thread.
 */
#include <netinet/in.h>
#include <string.h>
#include "bpf/packet.h"
#include "tests/bpf/steer_reader.h"

void steer_reader_read(const uint8_t *frame, uint32_t len, struct reading *r)
{
    struct xdp_md ctx = {.data = (uint32_t)(uintptr_t)frame, .data_end = (uint32_t)(uintptr_t)frame + len};
    struct packet p = {0};

    memset(r, 0, sizeof(*r));
    packet_read_link(&ctx, &p);
    packet_read_transport(&ctx, &p);
    r->version = p.version;
    r->has_key = packet_key(&p, &r->key);
    r->ports = p.facts & PACKET_PORTS;
    r->broken = p.facts & PACKET_BROKEN;
    r->broken_addresses = p.version && addresses_broken(&p);
    r->broken_flags = p.proto == IPPROTO_TCP && r->ports && tcp_flags_broken(p.tcp_flags);
    r->end = packet_end(&p);
}
