/* SPDX-License-Identifier: BSD-2-Clause */
/* A flow on port 80, whatever both sides say. */
#include "tests/unit/app_lab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lab_fuzz(&(struct lab_setup){.dport = 80}, data, size);
    return 0;
}
