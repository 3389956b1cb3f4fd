/* SPDX-License-Identifier: BSD-2-Clause */
/* WebSocket in pieces chosen by the fuzzer, behind an upgrade that is right. */
#include "tests/unit/app_lab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char upgrade[] = "\x7eGET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: up"
                                  "\x10grade\r\n\r\n"
                                  "\x7fHTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgra"
                                  "\x0d"
                                  "de\r\n\r\n";
    uint8_t all[4096 + sizeof(upgrade)];
    size_t n = sizeof(upgrade) - 1;

    if (size > 4096)
        return 0;
    memcpy(all, upgrade, n);
    if (size > 0)
        memcpy(all + n, data, size);
    lab_fuzz(&(struct lab_setup){.dport = 80}, all, n + size);
    return 0;
}
