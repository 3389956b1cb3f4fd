/* SPDX-License-Identifier: BSD-2-Clause */
/* SIP and the session descriptions in it, in pieces chosen by the fuzzer, over TCP and UDP. */
#include "tests/unit/app_lab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0)
        lab_fuzz(&(struct lab_setup){.dport = 5060, .udp = data[0] & 1}, data + 1, size - 1);
    return 0;
}
