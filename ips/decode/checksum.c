/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Internet checksum (RFC 1071): the 16-bit one's complement sum of big-endian words.
 *
 * The sum does not care for byte order as long as one order is kept (RFC 1071 2(B)), so the bytes are added as
 * native 32-bit halves of 64-bit words into a wide accumulator and swapped once at the end.
 *
 * Pure functions, any thread. The running sum is in host order; only the last piece of a chain may have an odd
 * length.
 */
#include <endian.h>

#include "ips/decode/decode.h"

static uint32_t fold(uint64_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint32_t)sum;
}

uint32_t checksum_add(uint32_t sum, const void *bytes, uint32_t len)
{
    const uint8_t *p = bytes;
    uint64_t acc = 0;

    for (; len >= 8; p += 8, len -= 8) {
        uint64_t w;

        memcpy(&w, p, sizeof(w));
        acc += (w & 0xffffffff) + (w >> 32);
    }
    if (len) {
        uint64_t w = 0; /* the missing bytes count as zero */

        memcpy(&w, p, len);
        acc += (w & 0xffffffff) + (w >> 32);
    }
    return fold((uint64_t)sum + be16toh((uint16_t)fold(acc)));
}

uint16_t checksum_finish(uint32_t sum)
{
    return (uint16_t)~fold(sum);
}

uint32_t checksum_pseudo(const struct addr *src, const struct addr *dst, uint8_t ip_version, uint8_t proto,
                         uint32_t l4_len)
{
    uint32_t skip = ip_version == 4 ? 12 : 0; /* IPv4 stands in the last four of the 16 bytes */
    uint32_t sum = checksum_add(0, src->b + skip, 16 - skip);

    sum = checksum_add(sum, dst->b + skip, 16 - skip);
    return fold((uint64_t)sum + proto + (l4_len >> 16) + (l4_len & 0xffff));
}
