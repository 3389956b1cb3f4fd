/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef SLUICE_BPF_TAG_H
#define SLUICE_BPF_TAG_H
/*
 * The tag of a flow in the verdict cache: SipHash-1-3 (Aumasson and Bernstein, 2012; one round per word and three at the
 * end, as Linux and Rust key their hash tables) over struct steer_key with the secret of steer_config. Compiled into the
 * program and into the daemon, so that both find the same entry.
 */
#include "bpf/shared.h"

#define STEER_ROTL(x, b) ((x) << (b) | (x) >> (64 - (b)))
#define STEER_SIPROUND(v)                                                              \
    do {                                                                               \
        v[0] += v[1], v[1] = STEER_ROTL(v[1], 13) ^ v[0], v[0] = STEER_ROTL(v[0], 32); \
        v[2] += v[3], v[3] = STEER_ROTL(v[3], 16) ^ v[2];                              \
        v[0] += v[3], v[3] = STEER_ROTL(v[3], 21) ^ v[0];                              \
        v[2] += v[1], v[1] = STEER_ROTL(v[1], 17) ^ v[2], v[2] = STEER_ROTL(v[2], 32); \
    } while (0)

_Static_assert(sizeof(struct steer_key) == 48, "six words");

/* Makes it neither STEER_TAG_FREE nor STEER_TAG_BUSY. Not one of the low bits, which choose a bucket. */
#define STEER_TAG_SET (1ull << 63)

static inline __attribute__((always_inline)) __u64 steer_tag(const struct steer_key *k, const __u64 secret[2])
{
    __u64 v[4] = {secret[0] ^ 0x736f6d6570736575ull, secret[1] ^ 0x646f72616e646f6dull,
                  secret[0] ^ 0x6c7967656e657261ull, secret[1] ^ 0x7465646279746573ull};
    __u64 word[6];

    __builtin_memcpy(word, k, sizeof(word));
#pragma GCC unroll 6
    for (int i = 0; i < 6; i++) {
        v[3] ^= word[i];
        STEER_SIPROUND(v);
        v[0] ^= word[i];
    }
    v[3] ^= (__u64)sizeof(word) << 56; /* the length, as SipHash ends its input */
    STEER_SIPROUND(v);
    v[0] ^= (__u64)sizeof(word) << 56;
    v[2] ^= 0xff;
    STEER_SIPROUND(v);
    STEER_SIPROUND(v);
    STEER_SIPROUND(v);
    return (v[0] ^ v[1] ^ v[2] ^ v[3]) | STEER_TAG_SET;
}
#endif
