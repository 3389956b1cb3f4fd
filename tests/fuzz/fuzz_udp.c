/* SPDX-License-Identifier: BSD-2-Clause */
/* DHCP, NTP, TFTP and SNMP: the first byte chooses the port. */
#include "tests/unit/app_lab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint16_t ports[4] = {67, 123, 69, 161};

    if (size > 0)
        lab_fuzz(&(struct lab_setup){.udp = true, .dport = ports[data[0] & 3]}, data + 1, size - 1);
    return 0;
}
