/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as a frame of any link type: decode must stay inside them (the sanitizer watches) and must not promise
 * what is not there; what it opens inside must lie inside, and no deeper than NEST_MAX; an answer to the packet, if
 * there is one, must be right by decode's own judgement.
 *
 * Input: one byte of choices, then the frame. Bits 0-2 link type, 3 checksums verified, 4-7 bytes that a capture cut.
 */
#include <stdlib.h>

#include "ips/decode/decode.h"
#include "ips/detect/reject.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(cond)  \
    do {             \
        if (!(cond)) \
            abort(); \
    } while (0)

static void check_packet(const struct packet *p)
{
    CHECK(p->l3_off <= p->len && p->l4_off <= p->len);
    CHECK((uint32_t)p->payload_off + p->payload_len <= p->len);
    CHECK(p->verdict == VERDICT_FORWARD && p->flow == NULL && p->hash == 0);
    CHECK(p->n_vlans <= VLAN_MAX);
    if (p->flags & PKT_HAS_L4)
        CHECK((p->flags & PKT_HAS_IP) && !(p->flags & (PKT_FRAGMENT | PKT_MALFORMED)));
    if (p->flags & PKT_HAS_IP)
        CHECK(p->ip_version == 4 || p->ip_version == 6);
    else
        CHECK(p->ip_version == 0 && p->payload_len == 0);
    for (uint32_t i = 0, sum = 0; i < p->payload_len; i++) /* every payload byte can be read */
        CHECK((sum += p->data[p->payload_off + i]) < UINT32_MAX);
}

/* From the frame inwards; the number of packets that are broken or will be discarded. */
static unsigned check_chain(const struct packet *frame)
{
    unsigned depth = 0, bad = 0;

    CHECK(frame->outer == NULL && frame->tunnel == TUNNEL_NONE);
    for (const struct packet *p = frame; p; p = p->inner, depth++) {
        check_packet(p);
        bad += !!(p->flags & PKT_MALFORMED) + !!(p->flags & PKT_BAD_CHECKSUM);
        CHECK(!(p->flags & PKT_MALFORMED) || anomaly_any(&p->anomalies));
        if (!p->inner)
            continue;
        CHECK(p->inner->outer == p && p->inner->tunnel != TUNNEL_NONE && (p->flags & PKT_HAS_IP));
        CHECK(!(p->flags & (PKT_MALFORMED | PKT_FRAGMENT)));
        CHECK(p->inner->data > p->data && p->inner->data + p->inner->len <= p->data + p->len);
    }
    CHECK(depth <= NEST_MAX + 1);
    return bad;
}

static void check_answer(const struct packet *p, enum reject_to to)
{
    const struct decode_config cfg = {.verify_checksums = true};
    static struct counters c;
    static uint8_t out[2048];
    struct packet a = {.data = out, .link = p->link};

    a.len = reject_build(p, to, out, sizeof(out));
    CHECK(a.len <= sizeof(out));
    if (a.len == 0)
        return;
    decode_burst(&a, 1, &cfg, &c);
    CHECK((a.flags & (PKT_HAS_IP | PKT_HAS_L4)) == (PKT_HAS_IP | PKT_HAS_L4));
    CHECK(!(a.flags & (PKT_MALFORMED | PKT_BAD_CHECKSUM)));
    CHECK(reject_build(&a, REJECT_TO_SENDER, out, sizeof(out)) == 0); /* never an answer to an answer */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct counters c;

    if (size == 0)
        return 0;
    static struct packet_pool pool;
    struct decode_config cfg = {
        .verify_checksums = data[0] & 8, .n_ports = 4, .ports = DECODE_PORTS_DEFAULT, .pool = &pool};
    uint32_t cut = data[0] >> 4;
    uint8_t *frame = malloc(size); /* exact, so that one byte too many is seen */
    memcpy(frame, data + 1, size - 1);
    frame = realloc(frame, size - 1 ? size - 1 : 1);
    struct packet p = {.data = frame,
                       .len = (uint32_t)size - 1,
                       .link = (data[0] & 7) % (LINK_OTHER + 1),
                       .pcap_cnt = cut,
                       .orig_len = (uint32_t)size - 1 + cut};
    uint64_t invalid = c.v[CTR_DECODE_INVALID];

    pool.used = 0;
    decode_burst(&p, 1, &cfg, &c);
    CHECK(c.v[CTR_DECODE_INVALID] - invalid == check_chain(&p));
    check_answer(&p, REJECT_TO_SENDER);
    check_answer(&p, REJECT_TO_RECEIVER);
    free(frame);
    return 0;
}
