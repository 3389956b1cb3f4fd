/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * QUIC: datagrams as they come (the first byte is even), or frames that are sealed into Initial packets, because no fuzzer
 * finds a tag: for each a byte with the direction and what is next of several connections, a length, and the frames.
 */
#include "tests/unit/quic_seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void sealed(const uint8_t *data, size_t size)
{
    struct app_lab *l = lab_new(&(struct lab_setup){.udp = true, .dport = 443});
    uint32_t number = 0;

    while (size > 2) {
        enum app_dir dir = data[0] & 1 ? APP_TO_CLIENT : APP_TO_SERVER;
        uint32_t version = data[0] & 2 ? 0x6b3343cf : 1;
        uint8_t id[8] = {(uint8_t)(data[0] >> 2 & 7)};
        size_t n = data[1] < size - 2 ? data[1] : size - 2;
        struct quic_keys keys[2];
        struct out o = {.len = 0}, frames = {.len = 0};

        put(&frames, data + 2, (uint32_t)n);
        put(&frames, "\0\0\0\0", 4);
        quic_keys_make(l->app, version, span_of(id, sizeof(id)), keys);
        seal(l, &o, version, span_of(id, sizeof(id)), number++, span_of(frames.p, frames.len), &keys[dir]);
        lab_send(l, dir, o.p, o.len);
        data += 2 + n;
        size -= 2 + n;
    }
    lab_free(l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0 && data[0] & 1)
        sealed(data + 1, size - 1);
    else if (size > 0)
        lab_fuzz(&(struct lab_setup){.udp = true, .dport = 443}, data + 1, size - 1);
    return 0;
}
