/* SPDX-License-Identifier: BSD-2-Clause */
/* DCERPC: over TCP or UDP, both directions in pieces chosen by the fuzzer. */
#include "tests/unit/app_lab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    lab_fuzz(&(struct lab_setup){.dport = 135, .only = APP_BIT(DCERPC), .udp = data[0] & 1}, data + 1,
             size - 1);
    return 0;
}
