/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Binary protocols of which rules ask no more than that a flow speaks them: ONC RPC, RDP, LDAP and Kerberos. They are
 * recognised by the first message of either direction, and their bytes are looked at as a stream or as datagrams.
 *
 * RFC 5531 (RPC), MS-RDPBCGR 2.2.1 (RDP in X.224 and TPKT), RFC 4511 (LDAP), RFC 4120 (Kerberos). The last two are
 * BER: a tag, a length, and what it contains; only the beginnings that a first message can have are taken.
 *
 * Worker thread. Owns nothing.
 */
#include "ips/app/parser.h"

/* Nothing in it is for rules. */
static enum app_answer done(struct app *a, void *state, const struct app_in *in)
{
    return APP_DONE;
}

/* --- ONC RPC -------------------------------------------------------------------------------------------------------- */

#define RPC_CALL_LEN     16 /* number, CALL, version of RPC, program */
#define RPC_REPLY_LEN    12
#define RPC_PROGRAM_MIN  100000u
#define RPC_PROGRAM_MAX  0x5fffffffu /* beyond it numbers are reserved */
#define RPC_FRAGMENT_MAX (1u << 20)

static enum app_probe probe_rpc_message(struct span b, uint8_t dir)
{
    uint32_t need = dir == APP_TO_SERVER ? RPC_CALL_LEN : RPC_REPLY_LEN;

    uint32_t type = dir == APP_TO_SERVER ? 0 : 1; /* CALL, REPLY */

    if (b.len >= 8 && load_be32(b.p + 4) != type)
        return PROBE_NO;
    if (b.len < need)
        return PROBE_MORE;
    if (dir == APP_TO_CLIENT) /* REPLY, accepted or denied */
        return load_be32(b.p + 8) <= 1 ? PROBE_LIKELY : PROBE_NO;
    uint32_t program = load_be32(b.p + 12);
    return load_be32(b.p + 8) == 2 && program >= RPC_PROGRAM_MIN && program <= RPC_PROGRAM_MAX ? PROBE_YES
                                                                                               : PROBE_NO;
}

static enum app_probe probe_sunrpc(struct span b, const struct app_hint *h)
{
    if (h->udp)
        return probe_rpc_message(b, h->dir) == PROBE_MORE ? PROBE_NO : probe_rpc_message(b, h->dir);
    /* a record's mark: the fragment's length, and whether it is the last */
    if (b.len > 0 && (b.p[0] & 0x7f) != 0)
        return PROBE_NO;
    if (b.len < 4)
        return PROBE_MORE;
    uint32_t n = load_be32(b.p) & 0x7fffffff;
    /* one that is not the last is no larger than what it is cut for; Modbus begins like that, too */
    bool last = b.p[0] & 0x80;
    return n < RPC_REPLY_LEN || n > (last ? RPC_FRAGMENT_MAX : UINT16_MAX)
               ? PROBE_NO
               : probe_rpc_message(span_sub(b, 4, b.len), h->dir);
}

/* --- RDP ------------------------------------------------------------------------------------------------------------ */

#define TPKT_VERSION 3
#define COTP_AT      4 /* behind TPKT: a length, then what it is */
#define COTP_LEN     11
#define COTP_REQUEST 0xe0
#define COTP_CONFIRM 0xd0
#define RDP_PORT     3389
#define ISO_TSAP     102 /* S7 and MMS begin with the same there */

static enum app_probe probe_rdp(struct span b, const struct app_hint *h)
{
    static const uint8_t any[] = {COTP_REQUEST, COTP_CONFIRM};

    if (b.p[0] != TPKT_VERSION || h->dport == ISO_TSAP || h->sport == ISO_TSAP ||
        (b.len > 1 && b.p[1] != 0) || (b.len > 5 && b.p[5] != any[h->dir]))
        return PROBE_NO;
    if (b.len < COTP_LEN)
        return PROBE_MORE;
    /* references and class are zero in RDP, what is chosen by the server apart */
    bool fits = load_be16(b.p + 2) == b.p[COTP_AT] + 5u && load_be16(b.p + 6) == 0 && b.p[10] == 0;
    bool asks = b.len > COTP_LEN && (b.p[COTP_LEN] == 'C' || b.p[COTP_LEN] <= 2); /* Cookie:, or for TLS */
    return !fits ? PROBE_NO : asks || h->dport == RDP_PORT ? PROBE_YES : PROBE_LIKELY;
}

/* --- BER ------------------------------------------------------------------------------------------------------------ */

/* What is behind a tag and its length; false: other bytes. *more: they are not all there. */
static bool ber_enter(struct span *b, uint8_t tag, bool *more)
{
    uint32_t n = 2;

    if (b->len > 0 && b->p[0] != tag)
        return false;
    if (b->len < 2) {
        *more = true;
        return true;
    }
    if (b->p[1] == 0x80 || b->p[1] > 0x84)
        return false;
    if (b->p[1] > 0x80)
        n += b->p[1] - 0x80u;
    if (b->len < n)
        *more = true;
    *b = span_sub(*b, n, b->len);
    return true;
}

/* A message: its number, then what it is. A bind with its version is more than chance. */
static enum app_probe probe_ldap(struct span b, const struct app_hint *h)
{
    static const uint8_t requests[] = {0x60, 0x63, 0x66, 0x68, 0x4a, 0x6c, 0x6e, 0x77, 0x42};
    static const uint8_t responses[] = {0x61, 0x64, 0x65, 0x67, 0x69, 0x6b, 0x6d, 0x6f, 0x73, 0x78, 0x79};
    bool more = false, up = h->dir == APP_TO_SERVER;

    if (!ber_enter(&b, 0x30, &more) || (!more && b.len > 0 && b.p[0] != 2) ||
        (!more && b.len > 1 && (b.p[1] == 0 || b.p[1] > 4)))
        return PROBE_NO;
    if (more || b.len < 2 || b.len < 2u + b.p[1] + 1)
        return h->udp ? PROBE_NO : PROBE_MORE;
    b = span_sub(b, 2 + b.p[1], b.len);
    uint8_t tag = b.p[0];
    if (!memchr(up ? requests : responses, tag, up ? sizeof(requests) : sizeof(responses)))
        return PROBE_NO;
    if (tag != requests[0])
        return PROBE_LIKELY;
    if (!ber_enter(&b, tag, &more))
        return PROBE_NO;
    if (more || b.len < 3)
        return PROBE_MORE;
    return b.p[0] == 2 && b.p[1] == 1 && (b.p[2] == 2 || b.p[2] == 3) ? PROBE_YES : PROBE_NO;
}

/* An application's tag with the message's type, a sequence, version 5, the type again. */
static enum app_probe probe_kerberos_message(struct span b, uint8_t dir)
{
    static const uint8_t requests[] = {0x6a, 0x6c, 0x6e, 0x74, 0x75, 0x76};
    static const uint8_t responses[] = {0x6b, 0x6d, 0x6f, 0x74, 0x75, 0x76, 0x7e};
    uint8_t tag = b.len > 0 ? b.p[0] : 0;
    bool more = false;

    if (b.len == 0)
        return PROBE_MORE;
    if (!memchr(dir == APP_TO_SERVER ? requests : responses, tag,
                dir == APP_TO_SERVER ? sizeof(requests) : sizeof(responses)))
        return PROBE_NO;
    if (!ber_enter(&b, tag, &more) || (!more && !ber_enter(&b, 0x30, &more)))
        return PROBE_NO;
    if (more || b.len < 10)
        return PROBE_MORE;
    /* requests count their members from 1, all others from 0 */
    return (b.p[0] & 0xfe) == 0xa0 && b.p[1] == 3 && b.p[2] == 2 && b.p[3] == 1 && b.p[4] == 5 &&
                   (b.p[5] & 0xfc) == 0xa0 && b.p[6] == 3 && b.p[7] == 2 && b.p[8] == 1 &&
                   b.p[9] == (tag & 0x1f)
               ? PROBE_YES
               : PROBE_NO;
}

static enum app_probe probe_krb5(struct span b, const struct app_hint *h)
{
    if (h->udp)
        return probe_kerberos_message(b, h->dir) == PROBE_YES ? PROBE_YES : PROBE_NO;
    if (b.len > 0 && b.p[0] != 0) /* the length of the message, 16 MB at most */
        return PROBE_NO;
    return b.len < 4 ? PROBE_MORE : probe_kerberos_message(span_sub(b, 4, b.len), h->dir);
}

static const uint16_t rpc_ports[] = {111, 2049, 0}, rdp_ports[] = {RDP_PORT, 0},
                      ldap_ports[] = {389, 3268, 0}, krb5_ports[] = {88, 464, 0};

const struct app_parser parser_sunrpc = {
    .proto = APP_SUNRPC, .tcp = true, .udp = true, .ports = rpc_ports, .probe = probe_sunrpc, .take = done};
const struct app_parser parser_rdp = {
    .proto = APP_RDP, .tcp = true, .ports = rdp_ports, .probe = probe_rdp, .take = done};
const struct app_parser parser_ldap = {
    .proto = APP_LDAP, .tcp = true, .udp = true, .ports = ldap_ports, .probe = probe_ldap, .take = done};
const struct app_parser parser_krb5 = {
    .proto = APP_KRB5, .tcp = true, .udp = true, .ports = krb5_ports, .probe = probe_krb5, .take = done};
