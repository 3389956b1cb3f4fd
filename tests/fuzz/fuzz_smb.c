/* SPDX-License-Identifier: BSD-2-Clause */
/* SMB: both directions in pieces chosen by the fuzzer. */
#include "tests/unit/app_lab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lab_fuzz(&(struct lab_setup){.dport = 445, .only = APP_BIT(SMB)}, data, size);
    return 0;
}
