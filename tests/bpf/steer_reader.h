/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SLUICE_TESTS_BPF_STEER_READER_H
#define SLUICE_TESTS_BPF_STEER_READER_H
/*
 * The steering program's reader (bpf/packet.h) compiled for user space. A file of its own, since the helpers of BPF programs
 * and libbpf have the same names.
 */
#include <stdbool.h>
#include <stdint.h>
#include "bpf/shared.h"

struct reading {
    struct steer_key key; /* zeros without one */
    uint8_t version;
    bool has_key, ports, broken;
    bool broken_addresses, broken_flags; /* of the reasons for broken, those that decode does not know */
    int end;                             /* of the key, that sent the frame */
};

/* The frame must lie below 4 GB: the program's context has pointers of 32 bits. */
void steer_reader_read(const uint8_t *frame, uint32_t len, struct reading *r);
#endif
