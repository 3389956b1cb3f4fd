/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any text where an operator writes one line: a steering line, a prefix with its side, a rate. What is refused has a
 * reason and a remedy; what is taken is, written out and read again, the same.
 *
 * Input: one byte that says which it is, then the text.
 */
#include <stdlib.h>
#include <string.h>

#include "ips/base/prefix.h"
#include "ips/io/steer_line.h"
#include "ips/io/xdp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static int steer(const char *text, struct err *e)
{
    static const char *const ports[] = {"eth0", "eth1"};
    char shown[STEER_LINE_TEXT_MAX];
    struct steer_line l, again;
    int rc = steer_line_parse(text, ports, &l, e);

    if (rc == 0)
        check(steer_line_parse(steer_line_format(&l, ports, shown), ports, &again, NULL) == 0 &&
              memcmp(&l, &again, sizeof(l)) == 0);
    return rc;
}

static int prefix(const char *text, struct err *e)
{
    char shown[PREFIX_TEXT_MAX];
    struct prefix p, again;
    int rc = prefix_parse_sided(text, PREFIX_DST, &p, e);

    if (rc == 0)
        check(prefix_parse(prefix_format(&p, shown), &again, NULL) == 0 && prefix_cmp(&p, &again) == 0 &&
              prefix_side_name(p.sides)[0] != '\0');
    return rc;
}

/* A rate is kept as whole nanoseconds, so it may come back rounded; it must be one all the same. */
static int rate(const char *text, struct err *e)
{
    char shown[XDP_RATE_TEXT_MAX];
    struct steer_limit l, again;
    int rc = xdp_rate_parse(text, &l, e);

    if (rc == 0 && l.interval_ns != 0)
        check(xdp_rate_parse(xdp_rate_format(&l, shown), &again, NULL) == 0);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int (*const kinds[])(const char *, struct err *) = {steer, prefix, rate};
    struct err e = {.code = 0};
    char text[2048];

    if (size < 1 || size > sizeof(text))
        return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    if (kinds[data[0] % 3](text, &e) != 0)
        check(e.text[0] != '\0' && e.remedy[0] != '\0');
    return 0;
}
