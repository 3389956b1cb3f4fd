/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Small things that the bench's load tools share: see wire.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ips/base/clock.h"
#include "ips/base/span.h"
#include "tests/bench/wire.h"

void wire_die(const char *fmt, ...)
{
    va_list ap;

    fprintf(stderr, "%s: ", program_invocation_short_name);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    exit(1);
}

uint64_t wire_now_ns(void)
{
    return clock_mono_ns();
}

void wire_enter(const char *netns)
{
    char path[128];

    snprintf(path, sizeof(path), "/run/netns/%s", netns);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
        wire_die("cannot enter namespace %s: %s; run-bench makes it, and root must run it", netns,
                 strerror(errno));
    close(fd);
}

uint64_t wire_number(const char *text, const char *what)
{
    char *end;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);

    if (errno || end == text || *end)
        wire_die("%s must be a number, not '%s'", what, text);
    return v;
}

static uint16_t ip_checksum(const uint8_t *p, unsigned len)
{
    uint32_t sum = 0;

    for (unsigned i = 0; i < len; i += 2)
        sum += load_be16(p + i);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

void wire_frame(uint8_t frame[WIRE_FRAME_BYTES])
{
    static const uint8_t head[] = {
        0x02, 0, 0,  0,  0, 0x52, 0x02, 0, 0,  0,  0, 0xc1, 0x08, 0x00, /* nobody's address, the client's */
        0x45, 0, 0,  46, 0, 1,    0x40, 0, 64, 17, 0, 0,    10,   1,
        0,    1, 10, 1,  0, 2,    0x40, 0, 0,  9,  0, 26,   0,    0, /* to discard; no UDP checksum */
    };
    static const char payload[] = "sluice bench frame";
    _Static_assert(sizeof(head) + sizeof(payload) - 1 == WIRE_FRAME_BYTES, "one 64-byte frame");

    memcpy(frame, head, sizeof(head));
    memcpy(frame + sizeof(head), payload, sizeof(payload) - 1);
    store_be16(frame + 24, ip_checksum(frame + 14, 20));
}

void wire_syn(uint8_t frame[WIRE_FRAME_BYTES])
{
    static const uint8_t pseudo[] = {10, 7, 0, 0, 10, 1, 0, 2, 0, 6, 0, 20};
    static const uint8_t tcp[20] = {0xff, 0xff, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff};
    uint8_t summed[sizeof(pseudo) + sizeof(tcp)];

    wire_frame(frame);
    memset(frame + 34, 0, WIRE_FRAME_BYTES - 34);
    store_be16(frame + 16, 40);     /* the rest is padding */
    store_be16(frame + 18, 0xffff); /* id, as the source's complement */
    frame[23] = 6;
    store_be16(frame + 24, 0);
    memcpy(frame + 26, pseudo, 4);
    memcpy(frame + 34, tcp, sizeof(tcp));
    memcpy(summed, pseudo, sizeof(pseudo));
    memcpy(summed + sizeof(pseudo), tcp, sizeof(tcp));
    store_be16(frame + 24, ip_checksum(frame + 14, 20));
    store_be16(frame + 50, ip_checksum(summed, sizeof(summed)));
}
