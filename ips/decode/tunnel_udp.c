/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets inside UDP: VXLAN (RFC 7348), Geneve (RFC 8926), Teredo (RFC 4380), behind the ports that the configuration
 * names.
 *
 * A port is no proof: other programs may have taken it. So what does not look like the tunnel stays a UDP datagram and is
 * inspected as one, and nothing here calls a packet malformed; but what a tunnel's end would take is opened, odd bits or
 * not, and a wrong UDP checksum does not keep it closed either, because that end may not look at it (RFC 7348 5).
 *
 *   VXLAN    the I flag is set; a tunnel's end discards the others
 *   Geneve   version 0, options that fit
 *   Teredo   an authentication and an origin indication, either or none (RFC 4380 5.1.1), then an IPv6 packet whose
 *            length is exactly what is left
 *
 * The datagram keeps its payload: rules about UDP see it too. Worker thread; see decode.c.
 */
#include "ips/decode/layers.h"

enum {
    UDP_HDR_LEN = 8,
    ETH_HDR_LEN = 14,
    VXLAN_HDR_LEN = 8,
    VXLAN_HAS_VNI = 0x08,
    GENEVE_HDR_LEN = 8,
    IPV6_HDR_LEN = 40,
    TEREDO_AUTH_LEN = 13, /* with neither client identification nor authentication value */
    TEREDO_ORIGIN_LEN = 8,
};

static void contains(struct decode *d, struct inside in, enum counter_id counter)
{
    in.off += d->p->payload_off;
    d->inside = in;
    counter_add(d->c, counter, 1);
}

/* s: what was captured of the payload; len: what the datagram promises. */
static void open_vxlan(struct decode *d, struct span s, uint32_t len)
{
    if (s.len < VXLAN_HDR_LEN || !(s.p[0] & VXLAN_HAS_VNI))
        return;
    if (len < VXLAN_HDR_LEN + ETH_HDR_LEN) { /* no frame: a tunnel's end takes it for nothing, others may */
        decode_odd(d, AN_VXLAN_UNKNOWN_PAYLOAD_TYPE);
        return;
    }
    contains(d,
             (struct inside){.ethertype = ETHERTYPE_TEB,
                             .tunnel = TUNNEL_VXLAN,
                             .off = VXLAN_HDR_LEN,
                             .len = len - VXLAN_HDR_LEN,
                             .id = load_be32(s.p + 4) >> 8},
             CTR_DECODE_VXLAN);
}

static void open_geneve(struct decode *d, struct span s, uint32_t len)
{
    uint32_t hdr_len = s.len < GENEVE_HDR_LEN ? UINT32_MAX : GENEVE_HDR_LEN + (s.p[0] & 63) * 4u;

    if (hdr_len >= len || hdr_len > s.len || s.p[0] >> 6 != 0)
        return;
    uint16_t protocol = load_be16(s.p + 2);
    if (!decode_link_knows(protocol) || (protocol == ETHERTYPE_TEB && len - hdr_len < ETH_HDR_LEN)) {
        decode_odd(d, AN_GENEVE_UNKNOWN_PAYLOAD_TYPE);
        return;
    }
    contains(d,
             (struct inside){.ethertype = protocol,
                             .tunnel = TUNNEL_GENEVE,
                             .off = hdr_len,
                             .len = len - hdr_len,
                             .id = load_be32(s.p + 4) >> 8},
             CTR_DECODE_GENEVE);
}

static void open_teredo(struct decode *d, struct span s, uint32_t len)
{
    uint32_t at = 0;

    if (s.len >= 4 && s.p[0] == 0 && s.p[1] == 1) /* authentication: two lengths, nonce, confirmation */
        at = TEREDO_AUTH_LEN + s.p[2] + s.p[3];
    if (at + 2 <= s.len && s.p[at] == 0 && s.p[at + 1] == 0)
        at += TEREDO_ORIGIN_LEN;
    if (at + IPV6_HDR_LEN > s.len || s.p[at] >> 4 != 6 ||
        load_be16(s.p + at + 4) + (uint32_t)IPV6_HDR_LEN != len - at)
        return;
    contains(
        d, (struct inside){.ethertype = ETHERTYPE_IPV6, .tunnel = TUNNEL_TEREDO, .off = at, .len = len - at},
        CTR_DECODE_TEREDO);
}

void decode_udp_tunnel(struct decode *d, uint32_t len)
{
    const struct packet *p = d->p;
    struct span s = packet_payload(p);

    if (!d->cfg->pool)
        return;
    len -= UDP_HDR_LEN;
    for (unsigned i = 0; i < d->cfg->n_ports; i++) {
        const struct decode_port *port = &d->cfg->ports[i];

        if (port->port != p->dport && (port->tunnel != TUNNEL_TEREDO || port->port != p->sport))
            continue;
        if (port->tunnel == TUNNEL_VXLAN)
            open_vxlan(d, s, len);
        else if (port->tunnel == TUNNEL_GENEVE)
            open_geneve(d, s, len);
        else
            open_teredo(d, s, len);
        if (d->inside.ethertype)
            return;
    }
}

bool decode_is_tunnel(const struct decode_config *cfg, uint16_t sport, uint16_t dport)
{
    for (unsigned i = 0; i < cfg->n_ports; i++)
        if (cfg->ports[i].port == sport || cfg->ports[i].port == dport)
            return true;
    return false;
}
