/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes of both directions chosen by the fuzzer through the parser of POP3: tests/unit/app_lab.h. */
#include "tests/unit/app_lab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lab_fuzz(&(struct lab_setup){.dport = 110}, data, size);
    return 0;
}
