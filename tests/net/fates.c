/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the engine makes of the segments of one connection: lines "port frame-in-hex" in the order they crossed the
 * bridge, and for each a line TAKES, ANSWERS or DISCARDS. For test_receiver.py, which knows what the receiver did.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ips/decode/decode.h"
#include "ips/stream/stream_parts.h"

static const char *const words[] = {
    [TCP_TAKES] = "TAKES", [TCP_ANSWERS] = "ANSWERS", [TCP_DISCARDS] = "DISCARDS"};

static uint32_t unhex(const char *hex, uint8_t *out, uint32_t max)
{
    uint32_t n = 0;
    unsigned byte;

    while (n < max && sscanf(hex + n * 2, "%2x", &byte) == 1)
        out[n++] = (uint8_t)byte;
    return n;
}

/* The client is behind port 0. Only what is in sequence moves next, as in stream.c. */
static enum tcp_fate settle(struct tcp *t, struct packet *p)
{
    struct tcp_dir *d = &t->dir[p->in_port];
    enum tcp_fate fate = tcp_judge(t, p, p->in_port);
    uint32_t seq = tcp_data_seq(p), end = seq + p->payload_len;

    if (fate == TCP_DISCARDS)
        return fate;
    if (!(p->tcp_flags & 0x04) && (d->flags & TCP_STARTED) && !seq_before(d->next, seq) &&
        seq_before(d->next, end))
        d->next = end;
    tcp_forwarded(t, p, p->in_port);
    t->dir[0].flags &= (uint16_t)~TCP_MOVED;
    t->dir[1].flags &= (uint16_t)~TCP_MOVED;
    return fate;
}

int main(void)
{
    static char line[16384];
    static uint8_t bytes[FRAME_BYTES];
    static struct counters c;
    struct tcp t = {.used_s = 0};
    const struct decode_config cfg = {.verify_checksums = false};

    while (fgets(line, sizeof(line), stdin)) {
        char *hex;
        uint8_t port = (uint8_t)strtoul(line, &hex, 10);
        struct packet p = {.data = bytes, .in_port = port & 1, .now_ns = 1000000000};

        p.len = p.orig_len = unhex(hex + strspn(hex, " "), bytes, sizeof(bytes));
        decode_burst(&p, 1, &cfg, &c);
        if (p.ip_proto != 6 || !(p.flags & PKT_HAS_L4)) {
            puts("NOTHING");
            continue;
        }
        puts(words[settle(&t, &p)]);
    }
    return 0;
}
