/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The part of a drop event that says what was dropped and why: header fields as Suricata 7 has them, the reason in the
 * words of DROP_TABLE, and whom the rule blocked for a time. Logger thread. Owns nothing.
 */
#include "ips/log/eve_drop.h"

#include <netinet/in.h>

#include "ips/base/counters.h"
#include "ips/log/eve.h"

static void write_tcp_header(struct json_writer *w, const struct event *ev)
{
    static const struct {
        const char *name;
        uint8_t bit;
    } flags[] = {{"syn", 0x02}, {"ack", 0x10}, {"psh", 0x08}, {"rst", 0x04}, {"urg", 0x20}, {"fin", 0x01}};

    json_write_uint(w, "tcpseq", ev->tcp_seq);
    json_write_uint(w, "tcpack", ev->tcp_ack);
    json_write_uint(w, "tcpwin", ev->tcp_window);
    for (unsigned i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        json_write_bool(w, flags[i].name, (ev->tcp_flags & flags[i].bit) != 0);
    json_write_uint(w, "tcpres", ev->tcp_reserved);
    json_write_uint(w, "tcpurgp", ev->tcp_urgent);
}

/* Whom the rule asked to block, and for how long. */
static void write_blocked(struct json_writer *w, const struct event *ev)
{
    json_write_open(w, "blocked", '{');
    eve_write_addr(w, "ip", ev->blocked_destination ? &ev->dst : &ev->src, ev->ip_version);
    json_write_uint(w, "seconds", ev->blocked_s);
    json_write_close(w, '}');
}

void eve_write_drop(struct json_writer *w, const struct event *ev)
{
    unsigned why = ev->drop_reason < DROP_N ? ev->drop_reason : DROP_NONE;

    json_write_open(w, "drop", '{');
    if (ev->ip_version != 0)
        json_write_uint(w, "len", ev->ip_len);
    if (ev->ip_version == 4) {
        json_write_uint(w, "tos", ev->ip_tos);
        json_write_uint(w, "ttl", ev->ip_ttl);
        json_write_uint(w, "ipid", ev->ip_id);
    } else if (ev->ip_version == 6) {
        json_write_uint(w, "tc", ev->ip_tos);
        json_write_uint(w, "hoplimit", ev->ip_ttl);
    }
    if (ev->ip_version != 0 && ev->ip_proto == IPPROTO_TCP)
        write_tcp_header(w, ev);
    else if (ev->ip_version != 0 && ev->ip_proto == IPPROTO_UDP)
        json_write_uint(w, "udplen", ev->udp_len);
    json_write_str(w, "reason", drop_info[why].name);
    if (ev->blocked_s > 0)
        write_blocked(w, ev);
    json_write_close(w, '}');
}
