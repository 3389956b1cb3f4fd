/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP as the flow table sees it: handshake, end, and ports that are used again (RFC 9293 3.5, 3.6).
 *
 * The handshake is judged by flags and direction: SYN, SYN/ACK the other way, then an ACK of the opener. Its last ACK
 * belongs to it, unless it carries data, which the server will deliver: then it is part of the established
 * connection and rules with flow:established must see it. The same holds for data of the server behind its SYN/ACK, which
 * the client delivers at once, and for data in a SYN, which a server with Fast Open delivers (RFC 7413). When the opener
 * itself answers a SYN (simultaneous open, split handshake), the other end's ACK completes it.
 *
 * Where paths are asymmetric (stream.async) half of it is enough: the opener's SYN and ACK, when nothing of the other end
 * ever passed here, or a SYN/ACK and data behind it. Anybody can send that from a forged address, so such flows count as
 * established for rules, and not as proven when the table is full.
 *
 * RST, or FIN in both directions, closes: the flow keeps its verdict and its "established" and only its timeout becomes
 * shorter, because a forged RST must not blind rules; data of the end that the RST is said to come from undoes it. One FIN
 * changes nothing: a half-closed connection may live long.
 *
 * For the same reason a SYN over a connection we know changes nothing by itself: a live server answers it with a
 * challenge ACK (RFC 5961 4.2) and the old connection goes on. Only the SYN/ACK that acknowledges that SYN, and comes from
 * the port that the SYN left through, proves that the server began anew; then the table puts a new flow in the old one's
 * place. A dropped flow's SYN is dropped like the rest of it, so it comes back only after its timeout.
 *
 * Sequence numbers beyond that are the stream room's: what it calls PKT_IGNORED never gets here. Worker thread; touches
 * the flow only.
 */
#include "ips/flow/flow_parts.h"

void flow_tcp_open(struct flow *f, const struct packet *p, bool pick_up)
{
    uint8_t syn = p->tcp_flags & (TCP_SYN | TCP_ACK);

    if (syn == TCP_SYN)
        return; /* flow_tcp_update() takes it from here */
    f->flags |= FLOW_MIDSTREAM;
    if (!pick_up)
        return;
    if (syn == (TCP_SYN | TCP_ACK)) {
        f->flags |= FLOW_SYN;
    } else {
        f->flags |= FLOW_HANDSHAKE_DONE;
        f->state = FLOW_ESTABLISHED;
    }
}

bool flow_tcp_reopens(const struct flow *f, const struct packet *p, unsigned dir)
{
    uint16_t reopen = dir ? FLOW_REOPEN_TS : FLOW_REOPEN_TC;                        /* a SYN the other way */
    bool other_port = p->in_port != !!(f->flags & FLOW_REOPEN_PORT) || p->pcap_cnt; /* a capture has one */

    return (p->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST)) == (TCP_SYN | TCP_ACK) && (f->flags & reopen) &&
           p->tcp_ack == f->isn[1] + 1 && other_port;
}

/* A SYN: part of the handshake while that is open, else a wish to begin anew. */
static void saw_syn(struct flow *f, const struct packet *p, unsigned dir)
{
    if (!(f->flags & (FLOW_HANDSHAKE_DONE | FLOW_MIDSTREAM))) {
        f->flags |= FLOW_SYN;
        f->state = FLOW_NEW; /* refused before, tried again */
        f->isn[dir] = p->tcp_seq;
        return;
    }
    if (dir == 0 && !(f->flags & FLOW_MIDSTREAM) && p->tcp_seq == f->isn[0])
        return; /* a copy of the first one */
    f->isn[1] = p->tcp_seq;
    f->flags &= (uint16_t) ~(FLOW_REOPEN_TS | FLOW_REOPEN_TC | FLOW_REOPEN_PORT);
    f->flags |= (dir ? FLOW_REOPEN_TC : FLOW_REOPEN_TS) | (p->in_port ? FLOW_REOPEN_PORT : 0);
}

static void saw_syn_ack(struct flow *f, const struct packet *p, unsigned dir)
{
    if (f->flags & FLOW_HANDSHAKE_DONE)
        return;
    if (dir == 1 && (f->flags & FLOW_SYN)) {
        f->flags |= FLOW_SYNACK;
        f->isn[1] = p->tcp_seq;
    } else if (dir == 0 && (f->tcp_seen[1] & TCP_SYN) && p->tcp_ack == f->isn[1] + 1) {
        f->flags |= FLOW_CROSSED;
    }
}

/* Whether p, with an ACK, completes the handshake. async: the answer to the SYN may have taken another way. */
static bool completes(const struct flow *f, const struct packet *p, unsigned dir, bool async)
{
    if (dir == 0)
        return ((f->flags & FLOW_SYNACK) || (async && (f->flags & FLOW_SYN) && f->tcp_seen[1] == 0)) &&
               !(p->tcp_flags & TCP_SYN);
    if (f->flags & FLOW_CROSSED)
        return p->tcp_ack == f->isn[0] + 1;
    return (f->flags & FLOW_SYNACK) && !(p->tcp_flags & TCP_SYN) && p->payload_len > 0;
}

bool flow_tcp_update(struct flow *f, const struct packet *p, unsigned dir, bool async)
{
    uint8_t flags = p->tcp_flags;
    bool was_done = f->flags & FLOW_HANDSHAKE_DONE;

    f->tcp_seen[dir] |= flags;
    if (flags & TCP_RST) {
        f->state = FLOW_CLOSED;
        return was_done;
    }
    if ((flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
        saw_syn(f, p, dir);
    else if (flags & TCP_SYN)
        saw_syn_ack(f, p, dir);
    if ((flags & TCP_ACK) && !was_done && completes(f, p, dir, async)) {
        f->flags |= FLOW_HANDSHAKE_DONE;
        f->state = FLOW_ESTABLISHED;
    }
    if (f->tcp_seen[0] & f->tcp_seen[1] & TCP_FIN)
        f->state = FLOW_CLOSED;
    else if (was_done && (f->tcp_seen[dir] & TCP_RST) && p->payload_len > 0)
        f->state = f->tcp_seen[0] & f->tcp_seen[1] & TCP_ACK ? FLOW_ESTABLISHED : FLOW_NEW; /* it is alive */
    return was_done || (p->payload_len > 0 && ((f->flags & FLOW_HANDSHAKE_DONE) || (flags & TCP_SYN)));
}

/*
 * On a bridge, data whose handshake was not seen, or was not answered here, is delivered all the same: the engine has
 * forgotten the connection, or the answers take another way. Rules for established connections must see it. As anybody
 * could have sent it, the flow gets neither the long timeout nor a verdict before both ends were seen to acknowledge.
 */
bool flow_tcp_take_up(struct flow *f, const struct packet *p)
{
    if ((p->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_ACK || p->payload_len == 0)
        return false;
    if (!(f->flags & FLOW_HANDSHAKE_DONE))
        f->flags |= FLOW_HANDSHAKE_DONE | FLOW_MIDSTREAM;
    if (flow_taken_up_only(f) && (f->tcp_seen[0] & f->tcp_seen[1] & TCP_ACK))
        f->state = FLOW_ESTABLISHED;
    return true;
}
