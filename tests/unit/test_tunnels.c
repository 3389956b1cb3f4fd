/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets inside packets: every way in that is opened, what is not opened, and what is wrong on the way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/wrap.h"

static struct counters ctr;
static struct frame f;
static struct packet_pool pool;
static struct packet p;
static struct decode_config cfg = {
    .verify_checksums = true, .n_ports = 4, .ports = DECODE_PORTS_DEFAULT, .pool = &pool};

static void decode_frame(uint32_t pcap_cnt, uint32_t orig_len)
{
    p = (struct packet){.data = f.b, .len = f.len, .orig_len = orig_len, .pcap_cnt = pcap_cnt};
    memset(&ctr, 0, sizeof(ctr));
    pool.used = 0;
    decode_burst(&p, 1, &cfg, &ctr);
}

static const struct packet *decode(const struct wrap *w)
{
    wrap_all(&f, w);
    decode_frame(0, 0);
    return packet_innermost(&p);
}

/* A TCP segment in IP without a link. */
static void inner_ip(bool v6)
{
    frame_build(&f, &(struct pkt){.raw = true, .v6 = v6, .tcp_flags = 0x18, .payload = "attack"});
}

static void inner_eth(unsigned n_vlans)
{
    frame_build(
        &f, &(struct pkt){.n_vlans = n_vlans, .tci = {5, 6, 7, 8}, .tcp_flags = 0x18, .payload = "attack"});
}

enum carried { C_IP4, C_IP6, C_ETH };

struct way {
    const char *name;
    enum carried carried;
    unsigned depth; /* packets around the innermost */
    uint8_t tunnel; /* of the innermost */
    uint32_t id;
    struct wrap wrap[WRAP_MAX];
};

#define LABEL(bottom) 0, 1, 0x10 | (bottom), 64

static const struct way ways[] = {
    {"4in4", C_IP4, 1, TUNNEL_IPIP, 0, {ETH(0x0800), IP4(4)}},
    {"6in4", C_IP6, 1, TUNNEL_IPIP, 0, {ETH(0x0800), IP4(41)}},
    {"4in6", C_IP4, 1, TUNNEL_IPIP, 0, {ETH(0x86dd), IP6(4)}},
    {"6in6", C_IP6, 1, TUNNEL_IPIP, 0, {ETH(0x86dd), IP6(41)}},
    {"three of them", C_IP4, 3, TUNNEL_IPIP, 0, {ETH(0x0800), IP4(41), IP6(41), IP6(4)}},
    {"GRE", C_IP4, 1, TUNNEL_GRE, 0, {ETH(0x0800), IP4(47), BYTES(0, 0, 8, 0)}},
    {"GRE, IPv6 over IPv6", C_IP6, 1, TUNNEL_GRE, 0, {ETH(0x86dd), IP6(47), BYTES(0, 0, 0x86, 0xdd)}},
    {"GRE, checksum, key, sequence",
     C_IP4,
     1,
     TUNNEL_GRE,
     0,
     {ETH(0x0800), IP4(47), BYTES(0xb0, 0, 8, 0, 1, 2, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1)}},
    {"GRE, source route",
     C_IP4,
     1,
     TUNNEL_GRE,
     0,
     {ETH(0x0800), IP4(47), BYTES(0x40, 0, 8, 0, 0, 0, 0, 0, 8, 0, 0, 4, 10, 0, 0, 1, 0, 0, 0, 0)}},
    {"GRE, Ethernet", C_ETH, 1, TUNNEL_GRE, 0, {ETH(0x0800), IP4(47), BYTES(0, 0, 0x65, 0x58)}},
    {"NVGRE",
     C_ETH,
     1,
     TUNNEL_GRE,
     0x123456,
     {ETH(0x0800), IP4(47), BYTES(0x20, 0, 0x65, 0x58, 0x12, 0x34, 0x56, 0xee)}},
    {"GRE, MPLS", C_IP4, 1, TUNNEL_GRE, 0, {ETH(0x0800), IP4(47), BYTES(0, 0, 0x88, 0x47, LABEL(1))}},
    {"WCCP 1", C_IP4, 1, TUNNEL_GRE, 0, {ETH(0x0800), IP4(47), BYTES(0, 0, 0x88, 0x3e)}},
    {"WCCP 2", C_IP4, 1, TUNNEL_GRE, 0, {ETH(0x0800), IP4(47), BYTES(0, 0, 0x88, 0x3e, 0, 1, 2, 3)}},
    {"PPTP", C_IP4, 1, TUNNEL_GRE, 0, {ETH(0x0800), IP4(47), PPTP, BYTES(0xff, 3, 0, 0x21)}},
    {"PPTP, compressed fields", C_IP6, 1, TUNNEL_GRE, 0, {ETH(0x0800), IP4(47), PPTP, BYTES(0x57)}},
    {"ERSPAN I", C_ETH, 1, TUNNEL_ERSPAN, 0, {ETH(0x0800), IP4(47), BYTES(0, 0, 0x88, 0xbe)}},
    {"ERSPAN II",
     C_ETH,
     1,
     TUNNEL_ERSPAN,
     0,
     {ETH(0x0800), IP4(47), BYTES(0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 1, 0, 7, 0, 0, 0, 0)}},
    {"ERSPAN III",
     C_ETH,
     1,
     TUNNEL_ERSPAN,
     0,
     {ETH(0x0800), IP4(47), BYTES(0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 1, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0)}},
    {"ERSPAN III, platform's words",
     C_ETH,
     1,
     TUNNEL_ERSPAN,
     0,
     {ETH(0x0800), IP4(47), BYTES(0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 1, 0, 7, 0, 0, 0, 0, 0, 0, 0, 1),
      BYTES(1, 2, 3, 4, 5, 6, 7, 8)}},
    {"MPLS in IP", C_IP4, 1, TUNNEL_IPMPLS, 0, {ETH(0x0800), IP4(137), BYTES(LABEL(1))}},
    {"Ethernet in IP", C_ETH, 1, TUNNEL_ETHERIP, 0, {ETH(0x0800), IP4(97), BYTES(0x30, 0)}},
    {"VXLAN", C_ETH, 1, TUNNEL_VXLAN, 42, {ETH(0x0800), IP4(17), UDP(4789), BYTES(8, 0, 0, 0, 0, 0, 42, 0)}},
    {"VXLAN, Linux's port, odd bits",
     C_ETH,
     1,
     TUNNEL_VXLAN,
     42,
     {ETH(0x0800), IP4(17), UDP(8472), BYTES(0x88, 0xff, 1, 2, 0, 0, 42, 3)}},
    {"VXLAN over IPv6",
     C_ETH,
     1,
     TUNNEL_VXLAN,
     1,
     {ETH(0x86dd), IP6(17), UDP(4789), BYTES(8, 0, 0, 0, 0, 0, 1, 0)}},
    {"VXLAN in VLAN",
     C_ETH,
     1,
     TUNNEL_VXLAN,
     1,
     {ETH(0x8100), BYTES(0, 9, 8, 0), IP4(17), UDP(4789), BYTES(8, 0, 0, 0, 0, 0, 1, 0)}},
    {"Geneve, Ethernet, options",
     C_ETH,
     1,
     TUNNEL_GENEVE,
     7,
     {ETH(0x0800), IP4(17), UDP(6081), BYTES(2, 0, 0x65, 0x58, 0, 0, 7, 0, 1, 2, 3, 1, 0, 0, 0, 0)}},
    {"Geneve, IPv6",
     C_IP6,
     1,
     TUNNEL_GENEVE,
     7,
     {ETH(0x0800), IP4(17), UDP(6081), BYTES(0, 0, 0x86, 0xdd, 0, 0, 7, 0)}},
    {"Teredo", C_IP6, 1, TUNNEL_TEREDO, 0, {ETH(0x0800), IP4(17), UDP(3544)}},
    {"Teredo, origin",
     C_IP6,
     1,
     TUNNEL_TEREDO,
     0,
     {ETH(0x0800), IP4(17), UDP(3544), BYTES(0, 0, 1, 2, 3, 4, 5, 6)}},
    {"Teredo, authentication and origin",
     C_IP6,
     1,
     TUNNEL_TEREDO,
     0,
     {ETH(0x0800), IP4(17), UDP(3544), BYTES(0, 1, 1, 2, 'i', 'a', 'a', 0, 0, 0, 0, 0, 0, 0, 0, 1),
      BYTES(0, 0, 1, 2, 3, 4, 5, 6)}},
    {"authentication header in IPv4",
     C_IP4,
     1,
     TUNNEL_IPIP,
     0,
     {ETH(0x0800), IP4(51), BYTES(4, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1),
      BYTES(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)}},
    /* links: no packet of their own */
    {"I-TAG",
     C_ETH,
     0,
     TUNNEL_NONE,
     0x112233,
     {ETH(0x88a8), BYTES(0, 3, 0x88, 0xe7), BYTES(0, 0x11, 0x22, 0x33)}},
    {"MPLS", C_IP4, 0, TUNNEL_NONE, 0, {ETH(0x8847), BYTES(LABEL(0), LABEL(0), LABEL(1))}},
    {"MPLS, multicast, explicit null", C_IP6, 0, TUNNEL_NONE, 0, {ETH(0x8848), BYTES(0, 0, 0x21, 64)}},
    {"pseudo-wire, control word", C_ETH, 0, TUNNEL_NONE, 0, {ETH(0x8847), BYTES(LABEL(1), 0, 0, 0, 9)}},
    {"pseudo-wire", C_ETH, 0, TUNNEL_NONE, 0, {ETH(0x8847), BYTES(LABEL(1))}},
    {"PPPoE", C_IP4, 0, TUNNEL_NONE, 0, {ETH(0x8864), PPPOE(0x21)}},
    {"PPPoE, IPv6, in VLAN", C_IP6, 0, TUNNEL_NONE, 0, {ETH(0x8100), BYTES(0, 1, 0x88, 0x64), PPPOE(0x57)}},
    {"VN-Tag", C_IP4, 0, TUNNEL_NONE, 0, {ETH(0x8926), BYTES(0, 0, 0, 0, 8, 0)}},
    {"NSH", C_IP4, 0, TUNNEL_NONE, 0, {ETH(0x894f), BYTES(0x0f, 0xc2, 2, 1, 0, 0, 1, 255)}},
    {"NSH, Ethernet", C_ETH, 0, TUNNEL_NONE, 0, {ETH(0x894f), BYTES(0x0f, 0xc2, 2, 3, 0, 0, 1, 255)}},
};
#define N_WAYS (sizeof(ways) / sizeof(ways[0]))

static void carry(const struct way *w)
{
    if (w->carried == C_ETH)
        inner_eth(1);
    else
        inner_ip(w->carried == C_IP6);
}

static void check_chain(const struct packet *frame, uint32_t frame_len)
{
    unsigned depth = 0;

    for (const struct packet *q = frame; q; q = q->inner, depth++) {
        assert_true(q->data >= frame->data && q->data + q->len <= frame->data + frame_len);
        assert_true(q->l3_off <= q->len && q->l4_off <= q->len);
        assert_true((uint32_t)q->payload_off + q->payload_len <= q->len);
        if (q->inner)
            assert_ptr_equal(q->inner->outer, q);
    }
    assert_true(depth <= NEST_MAX + 1);
}

static void every_way_in(void **state)
{
    for (unsigned i = 0; i < N_WAYS; i++) {
        const struct way *w = &ways[i];
        const struct packet *in;
        unsigned depth = 0;

        carry(w);
        in = decode(w->wrap);
        for (const struct packet *q = in; q->outer; q = q->outer, depth++)
            assert_true(q->outer->flags & PKT_HAS_IP);
        if (depth != w->depth || !(in->flags & PKT_HAS_L4) || in->tunnel != w->tunnel)
            print_error("%s\n", w->name);
        assert_int_equal(depth, w->depth);
        assert_int_equal(ctr.v[CTR_DECODE_INNER], depth);
        assert_int_equal(ctr.v[CTR_DECODE_INVALID], 0);
        assert_int_equal(in->tunnel, w->tunnel);
        assert_int_equal(in->tunnel_id, w->id);
        assert_true(in->flags & PKT_HAS_L4);
        assert_int_equal(in->ip_version, w->carried == C_IP6 ? 6 : 4);
        struct addr src = pkt_addr(w->carried == C_IP6, 1);
        assert_memory_equal(&in->src, &src, sizeof(src));
        assert_int_equal(in->dport, 80);
        assert_true(span_eq_str(packet_payload(in), "attack"));
        if (w->carried == C_ETH)
            assert_int_equal(in->vlan[in->n_vlans - 1], 5);
        check_chain(&p, f.len);
    }
}

/* Whatever length a frame is cut to, and whichever byte is another: nothing is read beyond its end. */
static void every_prefix_is_safe(void **state)
{
    static struct frame whole;

    for (unsigned i = 0; i < N_WAYS; i++) {
        carry(&ways[i]);
        decode(ways[i].wrap);
        whole = f;
        for (uint32_t len = 0; len <= whole.len; len++) {
            uint8_t *exact = test_malloc(len ? len : 1);

            memcpy(exact, whole.b, len);
            p = (struct packet){.data = exact, .len = len, .orig_len = whole.len, .pcap_cnt = 1};
            pool.used = 0;
            decode_burst(&p, 1, &cfg, &ctr);
            check_chain(&p, len);
            test_free(exact);
        }
        for (uint32_t at = 12; at < whole.len; at++)
            for (unsigned bit = 0; bit < 8; bit++) {
                f = whole;
                f.b[at] ^= (uint8_t)(1u << bit);
                decode_frame(0, 0);
                check_chain(&p, f.len);
            }
    }
}

struct fault {
    enum anomaly what;
    bool broken;  /* malformed, or only odd */
    unsigned cut; /* bytes off the end */
    struct wrap wrap[WRAP_MAX];
};

static void faults(void **state)
{
    static const struct fault rows[] = {
        {AN_IPV4_WRONG_IP_VERSION, true, 0, {ETH(0x0800), IP4(4), BYTES(0x65)}},
        {AN_IPV6_IPV4_IN_IPV6_WRONG_VERSION, true, 0, {ETH(0x86dd), IP6(4), BYTES(0x65)}},
        {AN_IPV6_IPV6_IN_IPV6_WRONG_VERSION, true, 0, {ETH(0x86dd), IP6(41)}},
        {AN_GRE_WRONG_VERSION, true, 0, {ETH(0x0800), IP4(47), BYTES(0, 2, 8, 0)}},
        {AN_GRE_VERSION0_RECUR, false, 0, {ETH(0x0800), IP4(47), BYTES(1, 0, 8, 0)}},
        {AN_GRE_VERSION0_FLAGS, false, 0, {ETH(0x0800), IP4(47), BYTES(0, 8, 8, 0)}},
        {AN_GRE_VERSION0_MALFORMED_SRE_HDR,
         true,
         0,
         {ETH(0x0800), IP4(47), BYTES(0x40, 0, 8, 0, 0, 0, 0, 0, 8, 0, 0, 255)}},
        {AN_GRE_VERSION1_NO_KEY, true, 0, {ETH(0x0800), IP4(47), BYTES(0x10, 1, 0x88, 0x0b, 0, 0, 0, 0)}},
        {AN_GRE_VERSION1_CHKSUM, true, 0, {ETH(0x0800), IP4(47), BYTES(0xa0, 1, 0x88, 0x0b, 0, 0, 0, 0)}},
        {AN_GRE_VERSION1_WRONG_PROTOCOL, true, 0, {ETH(0x0800), IP4(47), BYTES(0x20, 1, 8, 0, 0, 0, 0, 0)}},
        {AN_GRE_VERSION1_HDR_TOO_BIG,
         true,
         0,
         {ETH(0x0800), IP4(47), BYTES(0x30, 1, 0x88, 0x0b, 99, 0, 0, 0, 0, 0, 0, 0)}},
        {AN_ERSPAN_UNSUPPORTED_VERSION,
         true,
         0,
         {ETH(0x0800), IP4(47), BYTES(0x10, 0, 0x88, 0xbe, 0, 0, 0, 0, 0x70, 0, 0, 0, 0, 0, 0, 0)}},
        {AN_GENEVE_UNKNOWN_PAYLOAD_TYPE,
         false,
         0,
         {ETH(0x0800), IP4(17), UDP(6081), BYTES(0, 0, 1, 2, 0, 0, 0, 0)}},
        {AN_VLAN_TOO_MANY_LAYERS,
         true,
         0,
         {ETH(0x8100), BYTES(0, 1, 0x81, 0, 0, 2, 0x81, 0, 0, 3, 0x81, 0, 0, 4, 8, 0)}},
        {AN_MPLS_BAD_LABEL_IMPLICIT_NULL, false, 0, {ETH(0x8847), BYTES(0, 0, 0x31, 64)}},
        {AN_MPLS_BAD_LABEL_RESERVED, false, 0, {ETH(0x8847), BYTES(0, 0, 0x91, 64)}},
        {AN_MPLS_UNKNOWN_PAYLOAD_TYPE, false, 0, {ETH(0x8847), BYTES(LABEL(1), 0xf0, 1, 2, 3)}},
        {AN_PPPOE_WRONG_CODE, true, 0, {ETH(0x8864), BYTES(0x21, 0, 0, 1, 0, 20, 0, 0x21)}},
        {AN_PPPOE_PKT_TOO_SMALL, true, 1, {ETH(0x8864), PPPOE(0x21)}},
        {AN_IPV4_TRUNC_PKT,
         true,
         0,
         {ETH(0x8864), BYTES(0x11, 0, 0, 1, 0, 45, 0, 0x21)}}, /* the receiver cuts it */
        {AN_PPPOE_MALFORMED_TAGS,
         false,
         0,
         {ETH(0x8863), BYTES(0x11, 9, 0, 0, 0, 8, 1, 1, 0, 99, 1, 2, 3, 4)}},
        {AN_NSH_UNSUPPORTED_VERSION, true, 0, {ETH(0x894f), BYTES(0x4f, 0xc2, 2, 1, 0, 0, 1, 255)}},
        {AN_NSH_HEADER_TOO_SMALL, true, 0, {ETH(0x894f), BYTES(0x0f, 0xc1, 2, 1, 0, 0, 1, 255)}},
        {AN_IPV4_UNKNOWN_PROTOCOL, false, 0, {ETH(0x0800), IP4(253)}},
        {AN_IPV6_UNKNOWN_NEXT_HEADER, false, 0, {ETH(0x86dd), IP6(200)}},
        {AN_IPV6_DATA_AFTER_NONE_HEADER, false, 0, {ETH(0x86dd), IP6(59)}},
        {AN_IPV4_TRUNC_PKT, true, 0, {ETH(0x0800), IP4(51), BYTES(6, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)}},
        {AN_IPV6_EXTHDR_INVALID_OPTLEN, true, 0, {ETH(0x86dd), IP6(60), BYTES(41, 0, 4, 9, 0, 0, 0, 0)}},
        {AN_IPV6_DSTOPTS_ONLY_PADDING, false, 0, {ETH(0x86dd), IP6(60), BYTES(59, 0, 1, 4, 0, 0, 0, 0)}},
        {AN_IPV6_ZERO_LEN_PADN, false, 0, {ETH(0x86dd), IP6(60), BYTES(59, 0, 1, 0, 1, 2, 0, 0)}},
        {AN_IPV6_HOPOPTS_UNKNOWN_OPT, false, 0, {ETH(0x86dd), IP6(0), BYTES(59, 0, 0x3f, 4, 0, 0, 0, 0)}},
        {AN_IPV6_RH_TYPE_0, false, 0, {ETH(0x86dd), IP6(43), BYTES(59, 0, 0, 0, 0, 0, 0, 0)}},
        {AN_IPV6_EXTHDR_DUPL_HH,
         true,
         0,
         {ETH(0x86dd), IP6(0), BYTES(0, 0, 5, 2, 0, 0, 0, 0, 59, 0, 5, 2, 0, 0, 0, 0)}},
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct packet *with = NULL;

        inner_ip(false);
        wrap_all(&f, rows[i].wrap);
        f.len -= rows[i].cut;
        decode_frame(0, 0);
        for (const struct packet *q = &p; q; q = q->inner)
            if (anomaly_has(&q->anomalies, rows[i].what))
                with = q;
        if (!with || !!(with->flags & PKT_MALFORMED) != rows[i].broken)
            print_error("%s\n", anomaly_info[rows[i].what].name);
        assert_non_null(with);
        assert_int_equal(!!(with->flags & PKT_MALFORMED), rows[i].broken);
        assert_int_equal(ctr.anomaly[rows[i].what], 1);
        if (rows[i].broken)
            assert_null(with->inner);
    }
}

static void not_opened(void **state)
{
    static const struct wrap rows[][WRAP_MAX] = {
        {ETH(0x0800), IP4(17), UDP(4789),
         BYTES(0, 0, 0, 0, 0, 0, 42, 0)}, /* no VNI: a tunnel's end discards it */
        {ETH(0x0800), IP4(17), UDP(4790), BYTES(8, 0, 0, 0, 0, 0, 42, 0)},   /* another port */
        {ETH(0x0800), IP4(17), UDP(6081), BYTES(0x40, 0, 8, 0, 0, 0, 0, 0)}, /* Geneve of another version */
        {ETH(0x0800), IP4(17), UDP(3544)},                                   /* no IPv6 */
        {ETH(0x0800), IP4(17), UDP(53)},
        {ETH(0x0800), IP4(47), BYTES(0, 0, 0x20, 0)},                   /* GRE with CDP */
        {ETH(0x0800), IP4(47), BYTES(0x20, 1, 0x88, 0x0b, 0, 0, 0, 7)}, /* PPTP's acknowledgment */
        {ETH(0x8864), PPPOE(0xc021)},                                   /* LCP */
        {ETH(0x0800), IP4(50)},
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        inner_ip(false);
        decode(rows[i]);
        assert_null(p.inner);
        assert_false(p.flags & PKT_MALFORMED);
        assert_int_equal(ctr.v[CTR_DECODE_INVALID], 0);
    }
    /* without a pool every tunnel stays closed, and its payload is there to look into */
    cfg.pool = NULL;
    for (unsigned i = 0; i < N_WAYS; i++) {
        carry(&ways[i]);
        decode(ways[i].wrap);
        assert_null(p.inner);
        assert_false(p.flags & PKT_MALFORMED);
        assert_true(p.payload_len > 0);
    }
    cfg.pool = &pool;
}

static void nesting_is_bounded(void **state)
{
    for (unsigned around = 1; around <= 8; around++) {
        struct wrap w[WRAP_MAX] = {ETH(0x0800)};
        const struct packet *in;

        for (unsigned i = 1; i <= around; i++)
            w[i] = (struct wrap)IP4(4);
        inner_ip(false);
        in = decode(w);
        assert_int_equal(!!(in->flags & PKT_MALFORMED), around > NEST_MAX);
        assert_int_equal(anomaly_has(&in->anomalies, AN_TOO_MANY_LAYERS), around > NEST_MAX);
        assert_int_equal(ctr.v[CTR_DECODE_TOO_DEEP], around > NEST_MAX);
        assert_int_equal(ctr.v[CTR_DECODE_INNER], around > NEST_MAX ? NEST_MAX : around);
        check_chain(&p, f.len);
    }
    /* 16 labels are a stack, 17 a hiding place */
    for (unsigned labels = 16; labels <= 17; labels++) {
        inner_ip(false);
        for (unsigned i = 0; i < labels; i++)
            wrap_one(&f, &(struct wrap)BYTES(LABEL(i == 0)));
        wrap_one(&f, &(struct wrap)ETH(0x8847));
        decode_frame(0, 0);
        assert_int_equal(!!(p.flags & PKT_MALFORMED), labels == 17);
    }
    /* headers that lead to each other for ever */
    inner_eth(0);
    for (unsigned i = 0; i < 20; i++)
        wrap_all(&f, (const struct wrap[]){ETH(0x8926), BYTES(0, 0, 0, 0, 0x65, 0x58), {0}});
    decode_frame(0, 0);
    assert_true(p.flags & PKT_MALFORMED);
    assert_int_equal(ctr.v[CTR_DECODE_TOO_DEEP], 1);
}

/* A burst in which every frame is nested as deep as it goes has room in the pool. */
static void a_burst_of_deep_ones(void **state)
{
    static struct packet pkts[BURST_MAX];
    const struct wrap w[] = {ETH(0x0800), IP4(4), IP4(4), IP4(4), IP4(4), {0}};

    inner_ip(false);
    wrap_all(&f, w);
    for (unsigned i = 0; i < BURST_MAX; i++)
        pkts[i] = (struct packet){.data = f.b, .len = f.len};
    pool.used = 0;
    decode_burst(pkts, BURST_MAX, &cfg, &ctr);
    for (unsigned i = 0; i < BURST_MAX; i++) {
        assert_int_equal(packet_innermost(&pkts[i])->dport, 80);
        check_chain(&pkts[i], f.len);
    }
    /* and one that has none is broken, not half seen */
    pool.used = sizeof(pool.v) / sizeof(pool.v[0]) - 1;
    decode_burst(pkts, 1, &cfg, &ctr);
    assert_true(packet_innermost(&pkts[0])->flags & PKT_MALFORMED);
}

static void checksums_inside(void **state)
{
    const struct wrap w[] = {ETH(0x86dd), IP6(17), UDP(4789), BYTES(8, 0, 0, 0, 0, 0, 42, 0), {0}};
    const struct packet *in;

    /* the inner one is wrong: its receiver discards it */
    inner_eth(0);
    f.b[f.len - 1] ^= 1;
    in = decode(w);
    assert_false(p.flags & PKT_BAD_CHECKSUM);
    assert_true(in != &p && (in->flags & PKT_BAD_CHECKSUM));
    assert_int_equal(ctr.v[CTR_DECODE_L4_CHECKSUM], 1);
    /* the outer one is wrong: a tunnel's end may not look at it */
    inner_eth(0);
    wrap_all(&f, w);
    f.b[14 + 40 + 6] ^= 1;
    decode_frame(0, 0);
    in = packet_innermost(&p);
    assert_true(p.flags & PKT_BAD_CHECKSUM);
    assert_true(in != &p && (in->flags & PKT_HAS_L4) && !(in->flags & PKT_BAD_CHECKSUM));
}

/* An outer IPv4 header with a wrong checksum, or a fragment: nobody looks inside. */
static void outside_not_whole(void **state)
{
    const struct wrap w[] = {ETH(0x0800), IP4(4), {0}};

    inner_ip(false);
    wrap_all(&f, w);
    f.b[14 + 8]--;
    decode_frame(0, 0);
    assert_true(p.flags & PKT_BAD_CHECKSUM);
    assert_null(p.inner);
    f.b[14 + 6] = 0x20;
    f.l3 = 14;
    frame_ip_checksum(&f);
    decode_frame(0, 0);
    assert_true(p.flags & PKT_FRAGMENT);
    assert_null(p.inner);
}

static void an_inner_fragment(void **state)
{
    const struct wrap w[] = {ETH(0x0800), IP4(4), {0}};
    const struct packet *in;

    frame_build(&f, &(struct pkt){.raw = true, .frag = 0x2000, .payload = "12345678"});
    in = decode(w);
    assert_ptr_not_equal(in, &p);
    assert_true(in->flags & PKT_FRAGMENT);
    assert_false(p.flags & PKT_FRAGMENT);
}

static struct flow *flow_in(struct flow_table *t, const struct wrap *w, bool back)
{
    frame_build(&f, &(struct pkt){.proto = IPPROTO_UDP,
                                  .src = back ? 2 : 1,
                                  .dst = back ? 1 : 2,
                                  .sport = back ? 53 : 1000,
                                  .dport = back ? 1000 : 53,
                                  .payload = "q"});
    decode(w);
    for (struct packet *q = &p; q; q = q->inner) {
        q->now_ns = q->ts_ns = 1000000000;
        flow_track(t, q, 1, &ctr);
    }
    return packet_innermost(&p)->flow;
}

static void tenants_do_not_mix(void **state)
{
    const struct flow_config fc = {.max_flows = 64, .udp_new_s = 30, .udp_established_s = 30};
    static const struct wrap realms[][WRAP_MAX] = {
        {{0}},
        {ETH(0x0800), IP4(17), UDP(4789), BYTES(8, 0, 0, 0, 0, 0, 42, 0)},
        {ETH(0x0800), IP4(17), UDP(4789), BYTES(8, 0, 0, 0, 0, 0, 43, 0)},
        {ETH(0x8100), BYTES(0, 5, 8, 0), IP4(17), UDP(4789), BYTES(8, 0, 0, 0, 0, 0, 42, 0)},
        {ETH(0x0800), IP4(47), BYTES(0x20, 0, 0x65, 0x58, 0, 0, 42, 1)},
        {ETH(0x88e7), BYTES(0, 0, 0, 42)},
        {ETH(0x88e7), BYTES(0, 0, 0, 43)},
    };
    enum { N = sizeof(realms) / sizeof(realms[0]) };
    struct err e;
    struct flow_table *t = flow_table_new(&fc, &e);
    struct flow *flows[N];

    assert_non_null(t);
    for (unsigned i = 0; i < N; i++) {
        flows[i] = flow_in(t, realms[i], false);
        assert_non_null(flows[i]);
        assert_ptr_equal(flow_in(t, realms[i], true), flows[i]);
        assert_ptr_equal(packet_innermost(&p)->flow, flows[i]);
        for (unsigned k = 0; k < i; k++)
            assert_ptr_not_equal(flows[i], flows[k]);
    }
    /* the tunnel's own ends and NVGRE's flow bits make no difference */
    assert_ptr_equal(
        flow_in(t,
                (const struct wrap[]){ETH(0x86dd), IP6(17), UDP(8472), BYTES(8, 0, 0, 0, 0, 0, 42, 0), {0}},
                true),
        flows[1]);
    assert_ptr_equal(
        flow_in(t, (const struct wrap[]){ETH(0x0800), IP4(47), BYTES(0x20, 0, 0x65, 0x58, 0, 0, 42, 9), {0}},
                true),
        flows[4]);
    flow_table_free(t);
}

static void jumbograms(void **state)
{
    static uint8_t big[66000] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x86, 0xdd, 0x60};
    uint8_t *ip = big + 14, *ext = ip + 40;

    ip[6] = 0;
    ip[8] = ip[24] = 0x20;
    memcpy(ext, "\x11\0\xc2\x04", 4);
    store_be32(ext + 4, 65600);
    store_be16(ext + 10, 53);
    p = (struct packet){.data = big, .len = sizeof(big), .orig_len = sizeof(big), .pcap_cnt = 1};
    decode_burst(&p, 1, &cfg, &ctr);
    assert_true(p.flags & PKT_HAS_L4);
    assert_int_equal(p.dport, 53);
    assert_int_equal(p.payload_len, 65535 - 14 - 40 - 8 - 8);
    store_be32(ext + 4, 65535); /* not a jumbogram's length */
    decode_burst(&p, 1, &cfg, &ctr);
    assert_true(p.flags & PKT_MALFORMED);
    assert_true(anomaly_has(&p.anomalies, AN_IPV6_JUMBOGRAM));
    store_be32(ext + 4, 70000); /* more than there is */
    decode_burst(&p, 1, &cfg, &ctr);
    assert_true(anomaly_has(&p.anomalies, AN_IPV6_TRUNC_PKT));
    store_be32(ext + 4, 65600);
    store_be16(ip + 4, 100); /* both lengths */
    decode_burst(&p, 1, &cfg, &ctr);
    assert_true(anomaly_has(&p.anomalies, AN_IPV6_JUMBOGRAM));
}

static void tcp_options(void **state)
{
    static const struct {
        uint8_t opts[12];
        bool invalid, twice;
    } rows[] = {
        {{1, 1, 8, 10, 0, 0, 0, 1}, false, false},
        {{2, 4, 5, 0xb4, 4, 2, 3, 3, 7, 0}, false, false},
        {{34, 2, 1, 1, 34, 8, 1, 2, 3, 4, 5, 6}, false, true},
        {{2, 3, 5, 0}, true, false},
        {{8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 9, 9}, true, false},
        {{3, 3, 1, 3, 3, 1}, false, true},
        {{5, 1}, true, false},
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char bytes[13] = {0};

        memcpy(bytes, rows[i].opts, 12);
        frame_build(&f, &(struct pkt){.tcp_flags = 2, .payload = bytes, .payload_len = 12});
        f.b[f.l4 + 12] = 8 << 4;
        frame_l4_checksum(&f, &(struct pkt){0}, IPPROTO_TCP);
        decode_frame(0, 0);
        assert_true(p.flags & PKT_HAS_L4);
        assert_int_equal(anomaly_has(&p.anomalies, AN_TCP_OPT_INVALID_LEN), rows[i].invalid);
        assert_int_equal(anomaly_has(&p.anomalies, AN_TCP_OPT_DUPLICATE), rows[i].twice);
    }
}

static void ports_of_sctp(void **state)
{
    frame_build(&f, &(struct pkt){.proto = IPPROTO_SCTP, .sport = 5, .dport = 3868, .payload = "chunk"});
    decode_frame(0, 0);
    assert_int_equal(p.sport, 5);
    assert_int_equal(p.dport, 3868);
    assert_true(span_eq_str(packet_payload(&p), "chunk"));
    f.len = f.l4 + 11;
    store_be16(f.b + f.l3 + 2, 31);
    frame_ip_checksum(&f);
    decode_frame(0, 0);
    assert_true(p.flags & PKT_MALFORMED);
    assert_true(anomaly_has(&p.anomalies, AN_SCTP_PKT_TOO_SMALL));
}

/* A few bytes to a tunnel's port are somebody else's datagram, and not a broken frame. */
static void short_datagrams_to_tunnel_ports(void **state)
{
    static const uint8_t few[12] = {8, 0, 0x65, 0x58};

    for (unsigned i = 0; i < 2; i++) {
        struct pkt k = {.proto = 17, .dport = i ? 6081 : 4789, .payload = few, .payload_len = sizeof(few)};

        if (i)
            k.payload = "\0\0\x65\x58\0\0\0\0what";
        frame_build(&f, &k);
        decode_frame(0, 0);
        assert_false(packet_innermost(&p)->flags & PKT_MALFORMED);
        assert_null(p.inner);
        assert_int_equal(p.payload_len, sizeof(few));
    }
}

/* A pseudo-wire's frame whose station addresses make a harmless packet of it, before MPLS and behind a control word. */
static void mpls_read_in_two_ways(void **state)
{
    static const uint8_t as_ip[12] = {0x60, 1, 2, 3, 0, 20, 59, 64, 1, 1, 1, 1};
    static const uint8_t as_plain[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0x86, 0xdd, 0x60, 0};
    const struct wrap wire[] = {{.kind = WRAP_ETH, .v = 0x8847},
                                {.kind = WRAP_BYTES, .n = 4, .bytes = {LABEL(1)}},
                                {.kind = WRAP_END}};
    const struct wrap word[] = {{.kind = WRAP_ETH, .v = 0x8847},
                                {.kind = WRAP_BYTES, .n = 8, .bytes = {LABEL(1), 0, 0, 0, 0}},
                                {.kind = WRAP_END}};

    inner_eth(0);
    memcpy(f.b, as_ip, sizeof(as_ip));
    assert_true(decode(wire)->flags & PKT_MALFORMED);
    inner_eth(0);
    memcpy(f.b, as_ip, 4); /* an address whose length does not fit */
    f.b[4] = 0x99;
    assert_int_equal(decode(wire)->dport, 80);
    inner_eth(1);
    f.b[14] = 0, f.b[15] = 10; /* the VLAN is the length */
    memcpy(f.b, as_plain, sizeof(as_plain));
    assert_true(decode(word)->flags & PKT_MALFORMED);
    inner_eth(1);
    assert_int_equal(decode(word)->dport, 80);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_in),
        cmocka_unit_test(every_prefix_is_safe),
        cmocka_unit_test(faults),
        cmocka_unit_test(not_opened),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(a_burst_of_deep_ones),
        cmocka_unit_test(checksums_inside),
        cmocka_unit_test(outside_not_whole),
        cmocka_unit_test(an_inner_fragment),
        cmocka_unit_test(tenants_do_not_mix),
        cmocka_unit_test(jumbograms),
        cmocka_unit_test(tcp_options),
        cmocka_unit_test(ports_of_sctp),
        cmocka_unit_test(mpls_read_in_two_ways),
        cmocka_unit_test(short_datagrams_to_tunnel_ports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
