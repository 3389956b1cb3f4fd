/* SPDX-License-Identifier: BSD-2-Clause */
/* HTTP/2 in pieces chosen by the fuzzer, behind a preface and the server's SETTINGS that are right. */
#include "tests/unit/app_lab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t client[] = "\x30PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                         server[] = "\x13\0\0\0\4\0\0\0\0\0";
    uint8_t all[4096 + sizeof(client) + sizeof(server)];
    size_t n = sizeof(client) - 1, m = sizeof(server) - 1;

    if (size > 4096)
        return 0;
    memcpy(all, client, n);
    memcpy(all + n, server, m);
    if (size > 0)
        memcpy(all + n + m, data, size);
    lab_fuzz(&(struct lab_setup){.dport = 80}, all, n + m + size);
    return 0;
}
