/* SPDX-License-Identifier: BSD-2-Clause */
/* TLS records, messages and certificates chosen by the fuzzer, in any cut, in both directions. */
#include "tests/unit/app_lab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lab_fuzz(&(struct lab_setup){.dport = 443}, data, size);
    return 0;
}
