/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A mail of the fuzzer's behind SMTP's DATA: the first byte is the size of its pieces, the rest the mail.
 */
#include "tests/unit/app_lab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct app_lab *l = lab_new(&(struct lab_setup){.dport = 25});

    lab_say(l, APP_TO_SERVER, "EHLO x\r\nDATA\r\n");
    if (size > 1)
        lab_send_cut(l, APP_TO_SERVER, data + 1, size - 1, 1u + data[0]);
    lab_free(l);
    return 0;
}
