/* SPDX-License-Identifier: BSD-2-Clause */
/* Protocols that are recognised by their first bytes, in pieces chosen by the fuzzer, on their ports and on none. */
#include "tests/unit/app_lab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint16_t ports[] = {23, 6667, 3306, 5900, 554, 5432, 500, 9999};

    if (size > 0)
        lab_fuzz(&(struct lab_setup){.dport = ports[data[0] >> 1 & 7], .udp = data[0] & 1}, data + 1,
                 size - 1);
    return 0;
}
