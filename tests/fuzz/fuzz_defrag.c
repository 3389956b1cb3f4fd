/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any sequence of frames through defragmentation, in-line and not, under small budgets and a clock that jumps: no byte
 * outside of a frame is read (the sanitizer watches), every frame that was taken leaves exactly once, the count of
 * those in hand is right, and a whole is a packet that decode has seen.
 *
 * Input: one byte of choices, then records: a byte of what to do (bits 0-1 seconds that pass, doubled thrice; bit 2 bridge
 * port; bit 3 the verdict; bit 4 a byte of the whole is rewritten), two bytes of length, the frame.
 */
#include <stdlib.h>

#include "ips/base/clock.h"
#include "ips/decode/defrag.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(cond)  \
    do {             \
        if (!(cond)) \
            abort(); \
    } while (0)

#define FRAMES_MAX 256

static struct packet_pool pool;

struct run {
    struct defrag *d;
    struct counters c;
    uint8_t *frames[FRAMES_MAX];
    bool held[FRAMES_MAX];
    uint64_t n_held;
};

static void leaving(struct run *r)
{
    struct packet v[5];
    unsigned n;

    while ((n = defrag_leaving(r->d, v, 5, &r->c)) > 0)
        for (unsigned i = 0; i < n; i++) {
            CHECK(v[i].umem_addr < FRAMES_MAX && r->held[v[i].umem_addr]);
            CHECK(v[i].data == r->frames[v[i].umem_addr]);
            r->held[v[i].umem_addr] = false;
            r->n_held--;
        }
    CHECK(r->c.v[CTR_DEFRAG_HELD] == r->n_held);
}

static struct packet *innermost(struct packet *p)
{
    while (p->inner)
        p = p->inner;
    return p;
}

static void whole(struct run *r, uint8_t choice)
{
    for (;;) {
        struct packet *w = defrag_whole(r->d), *in = innermost(w);

        CHECK(w->flags & PKT_REASSEMBLED);
        CHECK((uint32_t)w->payload_off + w->payload_len <= w->len);
        CHECK(defrag_whole_frames(r->d) > 0);
        if (!(in->flags & PKT_FRAGMENT) || (in->flags & (PKT_MALFORMED | PKT_BAD_CHECKSUM)))
            break;
        enum defrag_answer a = defrag_take(r->d, w, in, &r->c);
        if (a == DEFRAG_HELD)
            return;
        if (a == DEFRAG_DROP) {
            defrag_settle(r->d, VERDICT_DROP, in->drop_reason, &r->c);
            return;
        }
    }
    struct packet *w = defrag_whole(r->d);
    if ((choice & 16) && w->payload_len) {
        w->data[w->payload_off + w->payload_len - 1] ^= 1;
        w->flags |= PKT_REWRITTEN;
    }
    defrag_settle(r->d, choice & 8 ? VERDICT_DROP : VERDICT_FORWARD, choice & 8 ? DROP_RULES : DROP_NONE,
                  &r->c);
}

static void one_frame(struct run *r, unsigned i, uint32_t len, uint64_t now, uint8_t choice)
{
    const struct decode_config cfg = {.n_ports = 4, .ports = DECODE_PORTS_DEFAULT, .pool = &pool};
    struct packet p = {.data = r->frames[i],
                       .len = len,
                       .orig_len = len,
                       .umem_addr = i,
                       .now_ns = now,
                       .in_port = choice >> 2 & 1};

    pool.used = 0;
    decode_burst(&p, 1, &cfg, &r->c);
    struct packet *in = innermost(&p);
    if (!(in->flags & PKT_FRAGMENT) || (in->flags & (PKT_MALFORMED | PKT_BAD_CHECKSUM)))
        return;
    r->held[i] = true;
    r->n_held++;
    enum defrag_answer a = defrag_take(r->d, &p, in, &r->c);
    if (a == DEFRAG_DROP) {
        CHECK(in->verdict == VERDICT_DROP && in->drop_reason != DROP_NONE);
        r->held[i] = false;
        r->n_held--;
    } else if (a == DEFRAG_WHOLE) {
        whole(r, choice);
    } else if ((choice & 24) == 24) {
        defrag_refuse(r->d, DROP_RULES, &r->c);
    }
    leaving(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct defrag_config cfg = {.frames = 16,
                                .host_frames = 8,
                                .datagram_frames = 6,
                                .ipv4_s = 30,
                                .ipv6_s = 60,
                                .policy = (data[0] & 1) ? DEFRAG_POLICY_DROP : (data[0] >> 1) % 8,
                                .tiny_drop = data[0] & 16,
                                .inline_mode = data[0] & 1,
                                .decode = {.n_ports = 4, .ports = DECODE_PORTS_DEFAULT, .pool = &pool}};
    struct err e = {.code = 0};
    static struct run r;
    uint64_t now = NS_PER_S;
    unsigned n = 0;

    r = (struct run){.d = defrag_new(&cfg, &e)};
    for (size_t at = 1; at + 3 <= size && n < FRAMES_MAX; n++) {
        uint8_t choice = data[at];
        uint32_t len = load_be16(data + at + 1);

        at += 3;
        if (len > size - at)
            len = (uint32_t)(size - at);
        now += (UINT64_C(1) << (choice & 3) * 3) * NS_PER_S / 8;
        r.frames[n] = malloc(len ? len : 1);
        memcpy(r.frames[n], data + at, len);
        one_frame(&r, n, len, now, choice);
        defrag_expire(r.d, now, 4, &r.c);
        leaving(&r);
        at += len;
    }
    defrag_flush(r.d, DROP_SHUTDOWN, &r.c);
    leaving(&r);
    CHECK(r.n_held == 0);
    defrag_free(r.d);
    for (unsigned i = 0; i < n; i++)
        free(r.frames[i]);
    return 0;
}
