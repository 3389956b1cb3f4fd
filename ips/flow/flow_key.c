/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What makes two packets one flow: IP version, protocol, VLAN ids, both addresses, and both ports, or for ICMP the
 * identifier and the type, where a query and its answer count as one type. In a tunnel also the kinds and the tenants'
 * numbers (VNI, VSID, I-SID) of all that is around the packet: tenants use the same addresses, and none of them may
 * write into another's flow. Not what a tunnel's two directions may have different: its ends, labels, PPTP's calls.
 *
 * The hash is the same for both directions (the smaller endpoint goes first) and is XXH3 with 192 secret bytes
 * drawn from the kernel once in the life of the process: who sends the packets cannot choose their buckets, nor
 * the worker that has to carry them. Fragments have no ports; they hash by their addresses, so that one worker sees
 * all of a datagram, and belong to no flow until they are reassembled. Protocols other than TCP, UDP, ICMP,
 * SCTP, ESP and AH have none either: there is no conversation to follow in a tunnel's outside.
 *
 * An ICMP error belongs to the flow it complains about, on the side of the packet it answers: the key is read from
 * the packet it quotes. Only an error that goes to the quoted packet's source is believed.
 *
 * Pure but for the secret, which is written before the first worker starts and only read after.
 */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "ips/decode/quoted.h"
#include "ips/flow/flow_parts.h"

static uint8_t secret[192];
static pthread_once_t secret_once = PTHREAD_ONCE_INIT;
static int secret_error;

static void draw_secret(void)
{
    ssize_t n = getrandom(secret, sizeof(secret), 0); /* up to 256 bytes come whole */

    secret_error = n == (ssize_t)sizeof(secret) ? 0 : n < 0 ? -errno : -EIO;
}

int flow_key_init(struct err *e)
{
    pthread_once(&secret_once, draw_secret);
    if (!secret_error)
        return 0;
    err_sys(e, secret_error, "cannot draw the flow table's hash secret with getrandom()");
    return err_remedy(e, "the kernel's random generator must be usable; a seccomp filter may forbid it"),
           secret_error;
}

/* The type that stands for a query and its answer. */
static uint16_t icmp_class(const struct packet *p)
{
    static const uint8_t pairs[][3] = {/* ip_version, query, answer */
                                       {4, 8, 0},  {4, 13, 14},   {4, 15, 16},   {4, 17, 18},
                                       {4, 10, 9}, {6, 128, 129}, {6, 133, 134}, {6, 135, 136}};

    for (unsigned i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        if (pairs[i][0] == p->ip_version && pairs[i][2] == p->icmp_type)
            return pairs[i][1];
    return p->icmp_type;
}

/* VLAN ids as they are where nothing else keeps realms apart; else a hash, with the top bit to tell it from those. A
 * priority tag (id 0) names no VLAN: receivers take such frames, tagged as often as the sender likes, like untagged. */
static uint32_t realm_of(const struct packet *p)
{
    struct {
        uint32_t id;
        uint16_t vlan[VLAN_MAX];
        uint8_t n_vlans, tunnel;
    } layers[NEST_MAX + 1];
    uint16_t ids[VLAN_MAX] = {0};
    unsigned n = 0;

    if (!p->outer && p->tunnel_id == 0 && packet_vlan_ids(p, ids) < 3)
        return ids[0] | (uint32_t)ids[1] << 12;
    memset(layers, 0, sizeof(layers));
    for (; p && n <= NEST_MAX; p = p->outer, n++) {
        layers[n].id = p->tunnel_id;
        layers[n].tunnel = p->tunnel;
        layers[n].n_vlans = (uint8_t)packet_vlan_ids(p, layers[n].vlan);
    }
    return (uint32_t)XXH3_64bits_withSecret(layers, n * sizeof(layers[0]), secret, sizeof(secret)) |
           FLOW_REALM_HASHED;
}

/* Every packet with an IP header can be hashed; see flow_key_of() for which have a flow. */
static void fill_key(const struct packet *p, struct flow_key *k)
{
    *k = (struct flow_key){
        .addr = {p->src, p->dst},
        .proto = p->flags & PKT_FRAGMENT ? 0 : p->ip_proto, /* IPv6: only the first one's is true */
        .ip_version = p->ip_version,
        .vlans = realm_of(p),
    };
    if (!(p->flags & PKT_HAS_L4))
        return;
    if (p->ip_proto == IPPROTO_TCP || p->ip_proto == IPPROTO_UDP || p->ip_proto == IPPROTO_SCTP) {
        k->port[0] = p->sport;
        k->port[1] = p->dport;
        k->ports_turn = 1;
    } else {
        k->port[0] = p->icmp_id;
        k->port[1] = icmp_class(p);
    }
}

static bool hashable(const struct packet *p)
{
    return (p->flags & (PKT_HAS_IP | PKT_MALFORMED | PKT_BAD_CHECKSUM)) == PKT_HAS_IP;
}

bool flow_key_of(const struct packet *p, struct flow_key *k)
{
    if (!hashable(p) || (p->flags & PKT_FRAGMENT))
        return false;
    if (!(p->flags & PKT_HAS_L4) && p->ip_proto != IPPROTO_SCTP && p->ip_proto != IPPROTO_ESP &&
        p->ip_proto != IPPROTO_AH)
        return false;
    fill_key(p, k);
    return true;
}

bool flow_key_quoted(const struct packet *p, struct flow_key *k)
{
    struct quoted q;

    if (!hashable(p) || !decode_quoted(p, &q) || memcmp(&q.src, &p->dst, sizeof(q.src)) != 0)
        return false;
    fill_key(p, k); /* what is around the addresses is the error's own */
    k->addr[0] = q.dst;
    k->addr[1] = q.src;
    k->proto = q.ip_proto;
    k->ports_turn = q.icmp_type == 0;
    k->port[0] = k->ports_turn ? q.dport : q.icmp_id;
    k->port[1] = k->ports_turn ? q.sport : q.icmp_type;
    return true;
}

/* True when the source is the greater endpoint: the hash takes them the other way round. */
static bool turned(const struct flow_key *k, const uint64_t a[2], const uint64_t b[2])
{
    if (a[0] != b[0])
        return a[0] > b[0];
    if (a[1] != b[1])
        return a[1] > b[1];
    return k->ports_turn && k->port[0] > k->port[1];
}

/* In words, since a load of what was just stored in smaller pieces waits for the stores. */
uint32_t flow_key_hash(const struct flow_key *k)
{
    uint64_t w[6], a[2], b[2];

    memcpy(a, &k->addr[0], sizeof(a));
    memcpy(b, &k->addr[1], sizeof(b));
    unsigned turn = turned(k, a, b), ports = turn & k->ports_turn;
    w[0] = turn ? b[0] : a[0];
    w[1] = turn ? b[1] : a[1];
    w[2] = turn ? a[0] : b[0];
    w[3] = turn ? a[1] : b[1];
    w[4] = k->port[ports] | (uint64_t)k->port[!ports] << 16 | (uint64_t)k->vlans << 32;
    w[5] = k->proto | (uint64_t)k->ip_version << 8 | (uint64_t)k->ports_turn << 16;
    uint32_t h = (uint32_t)XXH3_64bits_withSecret(w, sizeof(w), secret, sizeof(secret));
    return h ? h : 1; /* 0 says "no key" */
}

uint32_t flow_hash(const struct packet *p)
{
    struct flow_key k;

    if (!hashable(p))
        return 0;
    if (!flow_key_quoted(p, &k))
        fill_key(p, &k);
    return flow_key_hash(&k);
}

static bool addr_eq(const struct addr *a, const struct addr *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

int flow_key_match(const struct flow_key *k, const struct flow *f)
{
    if (k->proto != f->proto || k->ip_version != f->ip_version || k->vlans != f->vlans)
        return -1;

    bool ports_same = k->port[0] == f->port[0] && k->port[1] == f->port[1];
    bool ports_turned = k->ports_turn ? k->port[0] == f->port[1] && k->port[1] == f->port[0] : ports_same;
    if (ports_same && addr_eq(&k->addr[0], &f->addr[0]) && addr_eq(&k->addr[1], &f->addr[1]))
        return 0;
    if (ports_turned && addr_eq(&k->addr[0], &f->addr[1]) && addr_eq(&k->addr[1], &f->addr[0]))
        return 1;
    return -1;
}
