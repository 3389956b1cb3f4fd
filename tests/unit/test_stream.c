/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/stream_model.h"

static void the_receiver_gets_what_was_inspected(void **state)
{
    static uint8_t data[6000];
    uint64_t r = 88172645463325252u;

    for (unsigned trial = 0; trial < 1000; trial++) {
        for (unsigned i = 0; i < sizeof(data); i++) {
            r ^= r << 13, r ^= r >> 7, r ^= r << 17;
            data[i] = (uint8_t)(r >> 32);
        }
        model_run(data, sizeof(data));
    }
}

/* Data before the server has answered: inspected, and again when the connection stands and it is sent again. */
static void what_came_before_the_answer_is_inspected_again(void **state)
{
    static struct model m;
    const struct flow_config fc = {
        .max_flows = 4, .tcp_new_s = 60, .tcp_established_s = 600, .tcp_closed_s = 60};
    struct err e;

    m = (struct model){.now_ns = 1000 * NS_PER_S, .sport = 1000, .strict = true};
    m.cfg = (struct stream_config){.memory_bytes = 1 << 20,
                                   .flow_bytes = 1 << 16,
                                   .window_bytes = 4096,
                                   .on_memcap = EXCEPTION_DROP_PACKET,
                                   .drop_ignored = true,
                                   .inline_mode = true,
                                   .max_flows = 4};
    m.flows = flow_table_new(&fc, &e);
    m.streams = stream_table_new(&m.cfg, m.flows, &e);
    m.sport = 1001;
    struct pkt syn = model_packet(&m, 0, 0x02), synack = model_packet(&m, 1, 0x12),
               data = model_packet(&m, 0, 0x10);
    syn.seq--;
    synack.seq--;
    data.payload = "attack";
    assert_true(model_pass(&m, 0, &syn, false, false));
    assert_true(model_pass(&m, 0, &data, false, true));
    assert_int_equal(m.end[0].viewed, 6);
    assert_true(model_pass(&m, 1, &synack, false, false));
    m.end[0].viewed = 0; /* it begins again */
    data.payload = "at";
    assert_true(model_pass(&m, 0, &data, false, false));
    assert_int_equal(m.end[0].viewed, 6);
    assert_memory_equal(m.end[0].view, "attack", 6);
    stream_table_free(m.streams);
    flow_table_free(m.flows);
}

/* A segment of the client, through all of the path; false when it was dropped. Its view must be its payload. */
static bool one_sided_segment(struct flow_table *flows, struct stream_table *streams, const struct pkt *k,
                              uint64_t now_ns)
{
    static struct counters c;
    static struct frame f;
    struct packet p = pkt_decoded(&f, k, now_ns);

    p.in_port = k->src == 2;
    flow_prefetch_burst(flows, &p, 1);
    flow_lookup(flows, &p, &c);
    stream_begin(streams, &p, &c);
    flow_account(flows, &p);
    if (p.verdict == VERDICT_FORWARD && k->payload_len) {
        assert_non_null(p.view);
        assert_int_equal(p.view->fresh.len, k->payload_len);
        assert_memory_equal(p.view->fresh.p, k->payload, k->payload_len);
        assert_true(p.view->offset == 0 || p.view->tail.len >= 1000); /* a rule can look back */
    }
    stream_end(streams, &p, &c);
    return p.verdict == VERDICT_FORWARD;
}

/* Of many downloads whose acknowledgements take another way, none takes the memory of the others. */
static void one_sided_streams_share_the_memory(void **state)
{
    enum { FLOWS = 200, SEGMENTS = 200, LEN = 1400 };
    const struct flow_config fc = {
        .max_flows = 256, .tcp_new_s = 60, .tcp_established_s = 600, .tcp_closed_s = 60, .async = true};
    const struct stream_config sc = {.memory_bytes = 16 << 20,
                                     .flow_bytes = 8 << 20,
                                     .window_bytes = 4096,
                                     .on_memcap = EXCEPTION_DROP_PACKET,
                                     .drop_ignored = true,
                                     .inline_mode = true,
                                     .max_flows = 256};
    static uint8_t payload[LEN];
    uint64_t now_ns = 1000 * NS_PER_S;
    struct err e;
    struct flow_table *flows = flow_table_new(&fc, &e);
    struct stream_table *streams = stream_table_new(&sc, flows, &e);

    for (unsigned first = 0; first < FLOWS;
         first += FLOWS / 2) /* the second half when the first has its share */
        for (unsigned s = 0; s <= SEGMENTS; s++)
            for (unsigned i = 0; i < first + FLOWS / 2; i++) {
                struct pkt k = {.sport = (uint16_t)(2000 + i), .tcp_flags = s ? 0x10 : 0x02, .seq = 99};

                if (i < first && s == 0)
                    continue;
                if (s > 0) {
                    k.seq = 100 + (s - 1 + (i < first ? SEGMENTS : 0)) * LEN;
                    k.ack = 1;
                    k.payload = payload;
                    k.payload_len = LEN;
                    memset(payload, (int)(s + i), LEN);
                }
                assert_true(one_sided_segment(flows, streams, &k, now_ns += 1000));
            }
    struct pkt again = {.sport = 2000, .tcp_flags = 0x10, .ack = 1, .payload = payload, .payload_len = LEN};
    again.seq =
        100 + (2 * SEGMENTS - 1) * LEN; /* its last one: other bytes are still told from the first copy */
    memset(payload, 'x', LEN);
    struct counters c = {.v = {0}};
    struct frame f;
    struct packet p = pkt_decoded(&f, &again, now_ns);
    flow_prefetch_burst(flows, &p, 1);
    flow_lookup(flows, &p, &c);
    stream_begin(streams, &p, &c);
    assert_int_equal(c.v[CTR_STREAM_CONFLICTS], 1);
    stream_end(streams, &p, &c);
    stream_table_free(streams);
    flow_table_free(flows);
}

/* Data from forged addresses, which nobody answers, fills the memory; connections get theirs all the same. */
static void unanswered_data_makes_room(void **state)
{
    enum { FORGED = 4000, LEN = 300 };
    const struct flow_config fc = {
        .max_flows = 8192, .tcp_new_s = 60, .tcp_established_s = 600, .tcp_closed_s = 60};
    const struct stream_config sc = {.memory_bytes = 1 << 20,
                                     .flow_bytes = 1 << 16,
                                     .window_bytes = 4096,
                                     .on_memcap = EXCEPTION_DROP_PACKET,
                                     .drop_ignored = true,
                                     .inline_mode = true,
                                     .max_flows = 8192};
    static const uint8_t payload[LEN];
    uint64_t now_ns = 1000 * NS_PER_S;
    struct err e;
    struct flow_table *flows = flow_table_new(&fc, &e);
    struct stream_table *streams = stream_table_new(&sc, flows, &e);

    for (unsigned i = 0; i <= FORGED; i++) {
        bool real = i == FORGED;
        struct pkt syn = {.sport = (uint16_t)(2000 + i), .tcp_flags = 0x02, .seq = 99};
        struct pkt synack = {
            .src = 2, .dst = 1, .sport = 80, .dport = syn.sport, .tcp_flags = 0x12, .ack = 100};
        struct pkt data = {.sport = syn.sport, .tcp_flags = 0x10, .seq = 100, .ack = 1};

        data.payload = payload;
        data.payload_len = LEN;
        assert_true(one_sided_segment(flows, streams, &syn, now_ns += 1000));
        if (real)
            assert_true(one_sided_segment(flows, streams, &synack, now_ns += 1000));
        assert_true(one_sided_segment(flows, streams, &data, now_ns += 1000));
    }
    stream_table_free(streams);
    flow_table_free(flows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_receiver_gets_what_was_inspected),
        cmocka_unit_test(what_came_before_the_answer_is_inspected_again),
        cmocka_unit_test(one_sided_streams_share_the_memory),
        cmocka_unit_test(unanswered_data_makes_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
