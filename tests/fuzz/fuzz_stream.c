/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segments chosen by the fuzzer through reassembly, both directions, with drops, losses and memory of any size:
 * tests/unit/stream_model.h says what is sent and what must hold.
 */
#include "tests/unit/stream_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    model_run(data, size);
    return 0;
}
