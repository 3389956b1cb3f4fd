/* SPDX-License-Identifier: BSD-2-Clause */
/* DNS in datagrams, over TCP and multicast: the first byte chooses. */
#include "tests/unit/app_lab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct lab_setup setups[] = {
        {.udp = true, .dport = 53}, {.dport = 53}, {.udp = true, .dport = 5353}, {.dport = 5300}};

    if (size > 0)
        lab_fuzz(&setups[data[0] & 3], data + 1, size - 1);
    return 0;
}
