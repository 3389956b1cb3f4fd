/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What stands between Ethernet and IP: VLAN tags, provider backbone tags (802.1ah), VN-Tags, MPLS labels, PPPoE, PPP and
 * service headers (RFC 8300), in any order, each a function that takes the walk one step on.
 *
 * None of them makes a packet of its own, because none has addresses that flows could be told apart by; where a step
 * leads to another Ethernet header (I-TAG, pseudo-wire) the walk goes on behind that. Three VLAN tags are taken off in
 * all; more of them, or more labels and headers than LABELS_MAX and STEPS_MAX, break the frame: nobody needs them but who
 * hides something. An 802.3 length field with a SNAP header behind it names an ethertype (RFC 1042; Windows takes IP that
 * comes so). Any other length field and an ethertype without a row end the walk: such frames are "not IP" and what happens
 * to them is the operator's decode.not_ip.
 *
 * MPLS does not say what it carries. IP is taken for IP when its version and lengths fit the bytes; else an Ethernet frame
 * is looked for, without a control word (RFC 4448) and behind one; station addresses may begin with 0, 4 or 6. Who sits in a
 * pseudo-wire chooses much of what is looked at, so first both readings must lead to IP that fits, and only when neither
 * does the ethertype alone is believed. Bytes that can be read in two ways, which chance hardly makes, break the frame.
 *
 * PPPoE's length is what the receiver cuts the frame to, so nothing behind it counts. Worker thread; see decode.c.
 */
#include "ips/decode/layers.h"

enum {
    STEPS_MAX = 8,
    LABELS_MAX = 16,
    LABEL_LEN = 4,
    VLAN_TAG_LEN = 4,
    VNTAG_LEN = 6,
    ITAG_LEN = 4,
    ETH_HDR_LEN = 14,
    PPPOE_HDR_LEN = 6,
    NSH_HDR_MIN = 8,
    SNAP_LEN = 8,
};

struct walk {
    uint16_t ethertype;
    uint32_t off; /* of the bytes that it names */
};

/* False: the walk has ended here, for good (marked and counted) or because this leads to no packet. */
typedef bool (*step_fn)(struct decode *d, struct walk *w);
static step_fn step_of(uint16_t ethertype);

static bool broken(struct decode *d, enum anomaly what)
{
    decode_malformed(d, CTR_DECODE_LINK_MALFORMED, what);
    return false;
}

static bool no_packet(struct decode *d)
{
    counter_add(d->c, CTR_DECODE_NOT_IP, 1);
    return false;
}

static bool too_deep(struct decode *d, enum anomaly what)
{
    decode_malformed(d, CTR_DECODE_TOO_DEEP, what);
    return false;
}

/* Bytes that are left, and that many at least. */
static bool has(const struct decode *d, const struct walk *w, uint32_t n)
{
    return w->off <= d->frame.len && d->frame.len - w->off >= n;
}

static bool step_vlan(struct decode *d, struct walk *w)
{
    struct packet *p = d->p;

    if (p->n_vlans == VLAN_MAX)
        return too_deep(d, AN_VLAN_TOO_MANY_LAYERS);
    if (!has(d, w, VLAN_TAG_LEN)) {
        decode_malformed(d, CTR_DECODE_VLAN_TRUNCATED, AN_VLAN_HEADER_TOO_SMALL);
        return false;
    }
    p->vlan[p->n_vlans++] = load_be16(d->frame.p + w->off);
    w->ethertype = load_be16(d->frame.p + w->off + 2);
    w->off += VLAN_TAG_LEN;
    if (p->n_vlans == 1)
        counter_add(d->c, CTR_DECODE_VLAN, 1);
    if (p->n_vlans == 2)
        counter_add(d->c, CTR_DECODE_QINQ, 1);
    return true;
}

static bool step_vntag(struct decode *d, struct walk *w)
{
    if (!has(d, w, VNTAG_LEN))
        return broken(d, AN_VNTAG_HEADER_TOO_SMALL);
    w->ethertype = load_be16(d->frame.p + w->off + 4);
    w->off += VNTAG_LEN;
    return true;
}

/* An Ethernet header whose bytes begin here. */
static bool step_ethernet(struct decode *d, struct walk *w)
{
    if (!has(d, w, ETH_HDR_LEN))
        return broken(d, AN_ETHERNET_PKT_TOO_SMALL);
    w->ethertype = load_be16(d->frame.p + w->off + 12);
    w->off += ETH_HDR_LEN;
    return true;
}

/* IEEE 802.1Q 9.7: flags and I-SID, then the customer's frame. */
static bool step_itag(struct decode *d, struct walk *w)
{
    if (!has(d, w, ITAG_LEN + ETH_HDR_LEN))
        return broken(d, AN_IEEE8021AH_HEADER_TOO_SMALL);
    counter_add(d->c, CTR_DECODE_PBB, 1);
    d->p->tunnel_id = load_be32(d->frame.p + w->off) & 0xffffff;
    w->off += ITAG_LEN;
    return step_ethernet(d, w);
}

/* --- MPLS ------------------------------------------------------------------------------------------------------- */

/* The bytes are IP as far as version and lengths tell. */
static uint16_t ip_at(const struct decode *d, uint32_t off)
{
    struct span s = span_sub(d->frame, off, UINT32_MAX);
    uint32_t left = d->wire_len > off ? d->wire_len - off : 0;

    if (s.len >= 20 && s.p[0] >> 4 == 4 && (s.p[0] & 15) >= 5 && load_be16(s.p + 2) >= 20 &&
        load_be16(s.p + 2) <= left)
        return ETHERTYPE_IPV4;
    if (s.len >= 40 && s.p[0] >> 4 == 6 && load_be16(s.p + 4) + 40u <= left)
        return ETHERTYPE_IPV6;
    return 0;
}

static bool arp_at(const struct decode *d, uint32_t off)
{
    static const uint8_t ipv4_over_ethernet[] = {0, 1, 8, 0, 6, 4, 0};

    return span_eq(span_sub(d->frame, off, sizeof(ipv4_over_ethernet)),
                   span_of(ipv4_over_ethernet, sizeof(ipv4_over_ethernet)));
}

/* Where the tags of an Ethernet frame here lead to: IP or ARP that fits, or else a known ethertype; 0: it is none. */
static uint32_t ethernet_at(const struct decode *d, uint32_t off, bool fits)
{
    struct walk w = {.off = off};
    uint16_t type;
    bool is;

    if (!has(d, &w, ETH_HDR_LEN))
        return 0;
    type = load_be16(d->frame.p + off + 12);
    w.off += ETH_HDR_LEN;
    if (!fits)
        return type == ETHERTYPE_ARP || decode_link_knows(type) ? w.off : 0;
    for (unsigned n = 0; n < VLAN_MAX && step_of(type) == step_vlan && has(d, &w, VLAN_TAG_LEN); n++) {
        type = load_be16(d->frame.p + w.off + 2);
        w.off += VLAN_TAG_LEN;
    }
    is = type == ETHERTYPE_ARP ? arp_at(d, w.off) : type >= ETHERTYPE_MIN && ip_at(d, w.off) == type;
    return is ? w.off : 0;
}

/* An Ethernet frame here leads elsewhere than the other reading, and not by chance: IPv4's header has its checksum. */
static bool also_ethernet_at(const struct decode *d, uint32_t off, uint32_t other)
{
    uint32_t at = ethernet_at(d, off, true);

    if (at == 0 || at == other)
        return false;
    if (d->frame.p[at] >> 4 != 4)
        return true;
    struct span ip = span_sub(d->frame, at, (d->frame.p[at] & 15) * 4u);
    return checksum_finish(checksum_add(0, ip.p, ip.len)) == 0;
}

/* Labels 0 to 15 mean something by themselves (RFC 3032 2.1); at the bottom only the explicit nulls are right. */
static bool bottom_label(struct decode *d, uint32_t label, uint16_t *ethertype)
{
    if (label == 0)
        *ethertype = ETHERTYPE_IPV4;
    else if (label == 2)
        *ethertype = ETHERTYPE_IPV6;
    else if (label == 1)
        decode_odd(d, AN_MPLS_BAD_LABEL_ROUTER_ALERT);
    else if (label == 3)
        decode_odd(d, AN_MPLS_BAD_LABEL_IMPLICIT_NULL);
    else if (label < 16 && label != 7 && label != 13) /* entropy indicator, associated channel */
        decode_odd(d, AN_MPLS_BAD_LABEL_RESERVED);
    return *ethertype != 0;
}

static bool step_mpls(struct decode *d, struct walk *w)
{
    uint32_t shim = 0;

    counter_add(d->c, CTR_DECODE_MPLS, 1);
    for (unsigned n = 0; !(shim & 0x100); n++, w->off += LABEL_LEN) {
        if (n == LABELS_MAX)
            return too_deep(d, AN_TOO_MANY_LAYERS);
        if (!has(d, w, LABEL_LEN))
            return broken(d, AN_MPLS_HEADER_TOO_SMALL);
        shim = load_be32(d->frame.p + w->off);
    }
    w->ethertype = 0;
    if (bottom_label(d, shim >> 12, &w->ethertype))
        return true;
    bool controlled = has(d, w, 4) && d->frame.p[w->off] >> 4 == 0; /* by a control word */
    uint32_t plain = ethernet_at(d, w->off, true);
    w->ethertype = ip_at(d, w->off);
    if (w->ethertype ? also_ethernet_at(d, w->off, 0)
                     : plain && controlled && also_ethernet_at(d, w->off + 4, plain))
        return broken(d, AN_MPLS_UNKNOWN_PAYLOAD_TYPE);
    if (w->ethertype)
        return true;
    w->ethertype = ETHERTYPE_TEB;
    for (int fits = 1; fits >= 0; fits--) {
        if (ethernet_at(d, w->off, fits))
            return true;
        if (controlled && ethernet_at(d, w->off + 4, fits)) {
            w->off += 4;
            return true;
        }
    }
    decode_odd(d, AN_MPLS_UNKNOWN_PAYLOAD_TYPE);
    return no_packet(d);
}

/* --- PPPoE and PPP ----------------------------------------------------------------------------------------------- */

/* RFC 2516 4: version and type 1, code, session, length. False when it is broken. */
static bool pppoe_header(struct decode *d, struct walk *w, bool session)
{
    counter_add(d->c, CTR_DECODE_PPPOE, 1);
    if (!has(d, w, PPPOE_HDR_LEN))
        return broken(d, AN_PPPOE_PKT_TOO_SMALL);

    const uint8_t *h = d->frame.p + w->off;
    uint32_t len = load_be16(h + 4);
    if (h[0] != 0x11 || (session && h[1] != 0))
        return broken(d, AN_PPPOE_WRONG_CODE);
    w->off += PPPOE_HDR_LEN;
    if (len > d->wire_len - w->off)
        return broken(d, AN_PPPOE_PKT_TOO_SMALL);
    d->frame = span_sub(d->frame, 0, w->off + len); /* the receiver cuts it here */
    d->wire_len = w->off + len;
    return true;
}

static bool step_pppoe_session(struct decode *d, struct walk *w)
{
    w->ethertype = ETHERTYPE_PPP;
    return pppoe_header(d, w, true);
}

/* Never a packet: codes and tags are looked at. */
static bool step_pppoe_discovery(struct decode *d, struct walk *w)
{
    static const uint8_t codes[] = {0x09, 0x07, 0x19, 0x65, 0xa7}; /* PADI, PADO, PADR, PADS, PADT */
    struct span tags;

    if (!has(d, w, PPPOE_HDR_LEN))
        return broken(d, AN_PPPOE_PKT_TOO_SMALL);
    if (memchr(codes, d->frame.p[w->off + 1], sizeof(codes)) == NULL)
        decode_odd(d, AN_PPPOE_WRONG_CODE);
    if (!pppoe_header(d, w, false))
        return false;
    for (tags = span_sub(d->frame, w->off, UINT32_MAX); tags.len >= 4 && load_be16(tags.p) != 0;) {
        uint32_t len = 4u + load_be16(tags.p + 2);

        if (len > tags.len) {
            decode_odd(d, AN_PPPOE_MALFORMED_TAGS);
            break;
        }
        tags = span_sub(tags, len, UINT32_MAX);
    }
    return no_packet(d);
}

/* RFC 1661 2, RFC 1662 3.1: address and control may be there, the protocol's first byte may be left out when it is 0. */
static bool step_ppp(struct decode *d, struct walk *w)
{
    static const struct {
        uint16_t protocol, ethertype;
    } protocols[] = {{0x0021, ETHERTYPE_IPV4},
                     {0x0057, ETHERTYPE_IPV6},
                     {0x0281, ETHERTYPE_MPLS},
                     {0x0283, ETHERTYPE_MPLS_MULTICAST}};
    uint32_t protocol;

    counter_add(d->c, CTR_DECODE_PPP, 1);
    if (has(d, w, 2) && d->frame.p[w->off] == 0xff && d->frame.p[w->off + 1] == 0x03)
        w->off += 2;
    if (!has(d, w, 2))
        return broken(d, AN_PPP_PKT_TOO_SMALL);
    protocol = d->frame.p[w->off++];
    if (!(protocol & 1))
        protocol = protocol << 8 | d->frame.p[w->off++];
    for (unsigned i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
        if (protocols[i].protocol == protocol) {
            w->ethertype = protocols[i].ethertype;
            return true;
        }
    return no_packet(d); /* its control protocols, compression, encryption */
}

/* --- service headers (RFC 8300 2.2) -------------------------------------------------------------------------------- */

static bool step_nsh(struct decode *d, struct walk *w)
{
    static const uint16_t next[] = {
        0, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_TEB, ETHERTYPE_NSH, ETHERTYPE_MPLS};

    counter_add(d->c, CTR_DECODE_NSH, 1);
    if (!has(d, w, NSH_HDR_MIN))
        return broken(d, AN_NSH_HEADER_TOO_SMALL);

    const uint8_t *h = d->frame.p + w->off;
    uint32_t len = (h[1] & 63) * 4u;
    if (h[0] >> 6 != 0)
        return broken(d, AN_NSH_UNSUPPORTED_VERSION);
    if (len < NSH_HDR_MIN || !has(d, w, len))
        return broken(d, AN_NSH_HEADER_TOO_SMALL);
    w->ethertype = h[3] < sizeof(next) / sizeof(next[0]) ? next[h[3]] : 0;
    w->off += len;
    if (w->ethertype)
        return true;
    decode_odd(d, AN_NSH_UNKNOWN_PAYLOAD);
    return no_packet(d);
}

/* --- the walk ----------------------------------------------------------------------------------------------------- */

static step_fn step_of(uint16_t ethertype)
{
    switch (ethertype) {
    case ETHERTYPE_8021Q:
    case ETHERTYPE_8021AD:
    case ETHERTYPE_OLD_QINQ:
        return step_vlan;
    case ETHERTYPE_PPPOE_SESSION:
        return step_pppoe_session;
    case ETHERTYPE_PPPOE_DISCOVERY:
        return step_pppoe_discovery;
    case ETHERTYPE_MPLS:
    case ETHERTYPE_MPLS_MULTICAST:
        return step_mpls;
    case ETHERTYPE_ITAG:
        return step_itag;
    case ETHERTYPE_VNTAG:
        return step_vntag;
    case ETHERTYPE_PPP:
        return step_ppp;
    case ETHERTYPE_TEB:
        return step_ethernet;
    case ETHERTYPE_NSH:
        return step_nsh;
    default:
        return NULL;
    }
}

/* RFC 1042: LLC's AA AA 03 and the OUI 0, then an ethertype. */
static void skip_snap(const struct decode *d, struct walk *w)
{
    static const uint8_t snap[] = {0xaa, 0xaa, 3, 0, 0, 0};

    if (w->ethertype >= ETHERTYPE_MIN || !has(d, w, SNAP_LEN) ||
        memcmp(d->frame.p + w->off, snap, sizeof(snap)) != 0)
        return;
    w->ethertype = load_be16(d->frame.p + w->off + sizeof(snap));
    w->off += SNAP_LEN;
}

bool decode_link_knows(uint16_t ethertype)
{
    return ethertype == ETHERTYPE_IPV4 || ethertype == ETHERTYPE_IPV6 || step_of(ethertype) != NULL;
}

static void arrive(struct decode *d, const struct walk *w)
{
    struct packet *p = d->p;

    p->ethertype = w->ethertype >= ETHERTYPE_MIN ? w->ethertype : 0;
    p->l3_off = (uint16_t)w->off;
    if (w->ethertype == ETHERTYPE_IPV4)
        decode_ipv4(d);
    else if (w->ethertype == ETHERTYPE_IPV6)
        decode_ipv6(d);
    else if (w->ethertype == ETHERTYPE_ARP)
        counter_add(d->c, CTR_DECODE_ARP, 1);
    else
        counter_add(d->c, CTR_DECODE_NOT_IP, 1);
}

void decode_link(struct decode *d, uint16_t ethertype, uint32_t off)
{
    struct walk w = {.ethertype = ethertype, .off = off};

    if (ethertype != ETHERTYPE_IPV4 && ethertype != ETHERTYPE_IPV6) {
        step_fn step;

        skip_snap(d, &w);
        for (unsigned n = 0; (step = step_of(w.ethertype)) != NULL; n++) {
            if (n == STEPS_MAX) {
                too_deep(d, AN_TOO_MANY_LAYERS);
                return;
            }
            if (!step(d, &w))
                return;
            skip_snap(d, &w);
        }
    }
    arrive(d, &w);
}
