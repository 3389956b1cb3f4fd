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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_receiver_gets_what_was_inspected),
        cmocka_unit_test(what_came_before_the_answer_is_inspected_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
