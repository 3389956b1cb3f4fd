/* SPDX-License-Identifier: BSD-2-Clause */
/* SSH: both directions in pieces chosen by the fuzzer. */
#include "tests/unit/app_lab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lab_fuzz(&(struct lab_setup){.dport = 22, .only = APP_BIT(SSH)}, data, size);
    return 0;
}
