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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_receiver_gets_what_was_inspected),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
