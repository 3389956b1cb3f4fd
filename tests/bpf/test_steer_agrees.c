/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The steering program and the workers' decoder read frames by different code and must mean the same flow, or a verdict
 * would be carried out on another's frames. Here the program's reader is compiled like any C and given a million frames,
 * most of them mutated, that the decoder reads too: what both take for a flow has the same key, what the decoder takes for
 * a flow the program does not take for less, and what is a sound packet to the decoder is not broken to the guard but for
 * reasons named here. The frame ends where the next page cannot be read. Needs no privilege.
 */
#include "tests/bpf/steer_lab.h"
#include "ips/decode/decode.h"
#include "tests/bpf/steer_reader.h"

enum { FRAMES = 1000000, AREA = 0x20000000, PAGE = 65536 };

#define EXT(...) .ext = {__VA_ARGS__}, .n_ext = sizeof((const uint8_t[]){__VA_ARGS__})
static const struct frame seeds[] = {
    {IP4, TCP(ACK)},
    {IP6, TCP(PSH | ACK)},
    {IP4, UDP},
    {BACK6, UDP, .payload = 40},
    {IP4, .proto = IPPROTO_SCTP, .sport = 1, .dport = 2},
    {IP4, .proto = IPPROTO_ICMP, .icmp = 8},
    {IP6, .proto = IPPROTO_ICMPV6, .icmp = 128},
    {IP4, .proto = IPPROTO_ESP},
    {.tags = {0x8100}, BACK4, TCP(SYN)},
    {.tags = {0x88a8, 0x8100}, IP6, UDP},
    {.tags = {0x9100, 0x8100, 0x8100}, .vid = {1, NO_TAG_ID, 3}, IP4, UDP},
    {IP6, UDP, EXT(0, 60, 43, 44, 51)},
    {IP6, TCP(ACK), EXT(44), .frag = 1, .payload = 16},
    {IP6, UDP, EXT(0, 60, 60, 60, 60, 60, 60, 60, 60, 60)},
    {IP4, UDP, .frag = 0x2000},
    {IP4, TCP(ACK), .frag = 0x0003},
    {IP4, TCP(ACK), EXT(51)},
    {IP4, UDP, .pad = 40},
    {IP6, TCP(ACK), EXT(0, 60, 43), .pad = 100},
};

static uint64_t rng = 0x9e3779b97f4a7c15ull;

static uint32_t draw(uint32_t below)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (uint32_t)(rng >> 16) % below;
}

/* Mostly small numbers, protocols, ethertypes' halves, lengths around what is there. */
static uint8_t odd_byte(uint32_t len)
{
    static const uint8_t likely[] = {0,    1,    2,    4,    5,    6,    8,    17,   20,   40,   43,
                                     44,   50,   51,   58,   59,   60,   132,  135,  139,  140,  0x45,
                                     0x46, 0x60, 0x81, 0x86, 0x88, 0xa8, 0xdd, 0x91, 0xff, 0x80, 0x50};

    switch (draw(4)) {
    case 0:
        return (uint8_t)draw(256);
    case 1:
        return (uint8_t)(len - draw(60));
    default:
        return likely[draw(sizeof(likely))];
    }
}

/* A frame at the end of the area; returns its first byte. */
static uint8_t *draw_frame(uint8_t *area, uint32_t *len)
{
    uint8_t bytes[FRAME_MAX];

    *len = frame_build(&seeds[draw(N_OF(seeds))], bytes);
    for (uint32_t n = draw(6); n > 0; n--) {
        uint32_t at = 12 + draw(*len - 12 < 80 ? *len - 12 : 80);
        bytes[at] = odd_byte(*len);
    }
    if (draw(8) == 0)
        *len = 14 + draw(*len - 13);
    return memcpy(area + PAGE - *len, bytes, *len);
}

static void read_as_worker(uint8_t *frame, uint32_t len, struct packet *p)
{
    static const struct decode_config cfg = {0};
    static struct counters ctr;

    memset(p, 0, sizeof(*p));
    p->data = frame;
    p->len = len;
    decode_burst(p, 1, &cfg, &ctr);
}

/* As ips/flow/flow_key.c has it; the program knows no IP behind labels, PPPoE and the like. */
static bool worker_has_flow(const struct packet *p)
{
    if ((p->flags & (PKT_HAS_IP | PKT_MALFORMED)) != PKT_HAS_IP || p->flags & PKT_FRAGMENT)
        return false;
    return p->l3_off == 14u + 4u * p->n_vlans && p->tunnel_id == 0 &&
           (p->flags & PKT_HAS_L4 || p->ip_proto == IPPROTO_SCTP || p->ip_proto == IPPROTO_ESP);
}

/* What bpf/shared.h says a key is, and the end of it that sent the packet. */
static int worker_key(const struct packet *p, struct steer_key *k)
{
    bool v6 = p->ip_version == 6,
         ports = p->ip_proto == IPPROTO_TCP || p->ip_proto == IPPROTO_UDP || p->ip_proto == IPPROTO_SCTP;
    uint8_t end[2][18] = {0};
    uint16_t ids[VLAN_MAX] = {0};

    memset(k, 0, sizeof(*k));
    memcpy(end[0], v6 ? p->src.b : p->src.b + 12, v6 ? 16 : 4);
    memcpy(end[1], v6 ? p->dst.b : p->dst.b + 12, v6 ? 16 : 4);
    store_be16(end[0] + 16, ports ? p->sport : 0);
    store_be16(end[1] + 16, ports ? p->dport : 0);
    int low = memcmp(end[0], end[1], sizeof(end[0])) > 0;
    for (int i = 0; i < 2; i++) {
        memcpy(k->addr[i], end[i ^ low], 16);
        memcpy(&k->port_be[i], end[i ^ low] + 16, 2);
    }
    k->proto = p->ip_proto;
    k->version = p->ip_version;
    packet_vlan_ids(p, ids);
    k->vlans = ids[0] | (uint32_t)ids[1] << 12;
    return low;
}

static void fail_frame(const char *what, const uint8_t *frame, uint32_t len)
{
    char hex[2 * FRAME_MAX + 1];

    for (uint32_t i = 0; i < len; i++)
        snprintf(hex + 2 * i, 3, "%02x", frame[i]);
    fail_msg("%s: %s", what, hex);
}

static void check_frame(const uint8_t *frame, uint32_t len, const struct packet *p, const struct reading *r)
{
    bool sound = (p->flags & (PKT_HAS_IP | PKT_MALFORMED)) == PKT_HAS_IP;
    uint16_t ids[VLAN_MAX];
    struct steer_key key;

    /* of fragments the guard looks into TCP's header, and decode does not */
    if (sound && r->version && r->broken && !r->broken_addresses && !r->broken_flags &&
        !(p->flags & PKT_FRAGMENT))
        fail_frame("broken to the guard alone", frame, len);
    if (!worker_has_flow(p))
        return;
    if (r->has_key != (packet_vlan_ids(p, ids) < 3))
        fail_frame("a flow to one of them alone", frame, len);
    if (!r->has_key)
        return;
    int end = worker_key(p, &key);
    if (memcmp(&key, &r->key, sizeof(key)) != 0)
        fail_frame("two keys", frame, len);
    if (r->end != end)
        fail_frame("two ends", frame, len);
}

static void test_same_flow(void **state)
{
    uint8_t *area = mmap((void *)AREA, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned n_flows = 0, n_broken = 0;

    assert_ptr_equal(area, (void *)AREA);
    assert_int_equal(mprotect(area + PAGE, PAGE, PROT_NONE), 0);
    for (unsigned i = 0; i < FRAMES; i++) {
        struct reading r;
        struct packet p;
        uint32_t len;
        uint8_t *frame = draw_frame(area, &len);

        steer_reader_read(frame, len, &r);
        read_as_worker(frame, len, &p);
        check_frame(frame, len, &p, &r);
        n_flows += worker_has_flow(&p);
        n_broken += r.broken;
    }
    print_message("%d frames: %u of a flow, %u broken\n", FRAMES, n_flows, n_broken);
    assert_true(n_flows > FRAMES / 4 && n_broken > FRAMES / 10);
    munmap(area, 2 * PAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_flow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
