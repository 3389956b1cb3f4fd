/* SPDX-License-Identifier: BSD-2-Clause */
/* ONC RPC, RDP, LDAP and Kerberos: the probes, on the port that the first byte chooses. */
#include "tests/unit/app_lab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint16_t ports[] = {111, 3389, 389, 88};

    if (size == 0)
        return 0;
    lab_fuzz(&(struct lab_setup){.dport = ports[data[0] & 3],
                                 .only = APP_BIT(SUNRPC) | APP_BIT(RDP) | APP_BIT(LDAP) | APP_BIT(KRB5),
                                 .udp = data[0] & 4},
             data + 1, size - 1);
    return 0;
}
