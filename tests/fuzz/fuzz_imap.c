/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes of both directions chosen by the fuzzer through the parser of IMAP: tests/unit/app_lab.h. */
#include "tests/unit/app_lab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lab_fuzz(&(struct lab_setup){.dport = 143}, data, size);
    return 0;
}
