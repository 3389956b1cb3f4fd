/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the guard refuses, as the operator says it and as the program counts it: "1000/s burst 50" is a GCRA limit of an
 * interval and a credit, and the switches are bits of the program's configuration. All of it is written by one update,
 * and each member is right by itself, so that a change needs no pause. Control thread only.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "ips/base/clock.h"
#include "ips/io/xdp_parts.h"

#define RATE_MAX         100000000ul /* a second; an interval has at least 10 ns */
#define BURST_MAX_FRAMES 100000000ul

static const uint32_t limit_flags[STEER_RATE_N] = {[STEER_RATE_SOURCE] = STEER_LIMIT_SOURCE,
                                                   [STEER_RATE_SYN_SRC] = STEER_LIMIT_SYN_SRC,
                                                   [STEER_RATE_SYN_DST] = STEER_LIMIT_SYN_DST};

static bool read_count(const char **at, unsigned long most, unsigned long *v)
{
    char *end;

    if (!isdigit((unsigned char)**at))
        return false;
    errno = 0;
    *v = strtoul(*at, &end, 10);
    *at = end;
    return errno == 0 && *v <= most;
}

static bool skip(const char **at, const char *word)
{
    *at += strspn(*at, " ");
    if (strncmp(*at, word, strlen(word)) != 0)
        return false;
    *at += strlen(word);
    *at += strspn(*at, " ");
    return true;
}

/* An address owes interval_ns a frame and passes with up to burst_ns of debt: 1 + burst_ns / interval_ns at once. */
static void set_limit(struct steer_limit *l, unsigned long rate, unsigned long burst)
{
    l->interval_ns = rate > 0 ? NS_PER_S / rate : 0;
    l->burst_ns = rate > 0 ? (burst - 1) * l->interval_ns : 0;
}

int xdp_rate_parse(const char *text, struct steer_limit *l, struct err *e)
{
    const char *at = text + strspn(text, " ");
    unsigned long rate = 0, burst = 0;
    bool good = *at == '\0' || (read_count(&at, RATE_MAX, &rate) && (skip(&at, "/s") || rate == 0));

    burst = rate;
    if (good && skip(&at, "burst"))
        good = read_count(&at, BURST_MAX_FRAMES, &burst) && burst > 0 && rate > 0;
    at += strspn(at, " ");
    if (good && *at == '\0') {
        set_limit(l, rate, burst);
        return 0;
    }
    err_set(e, -EINVAL, "'%.64s' is no rate", text);
    err_remedy(e,
               "write N/s or N/s burst M, both up to %lu, as in 5000/s burst 1000; 0 or nothing for no limit",
               RATE_MAX);
    return -EINVAL;
}

/* buf has XDP_RATE_TEXT_MAX bytes; returns it. */
const char *xdp_rate_format(const struct steer_limit *l, char *buf)
{
    if (l->interval_ns == 0)
        snprintf(buf, XDP_RATE_TEXT_MAX, "off");
    else
        snprintf(buf, XDP_RATE_TEXT_MAX, "%llu/s burst %llu",
                 (unsigned long long)((NS_PER_S + l->interval_ns / 2) / l->interval_ns),
                 (unsigned long long)(l->burst_ns / l->interval_ns + 1));
    return buf;
}

int xdp_guard_set(struct xdp *x, const struct xdp_guard *g, struct err *e)
{
    struct steer_config to = x->config;

    to.flags &= ~(uint32_t)STEER_DROP_BROKEN;
    to.flags |= g->broken ? STEER_DROP_BROKEN : 0;
    for (int i = 0; i < STEER_RATE_N; i++) {
        to.limit[i] = g->limit[i];
        to.flags &= ~limit_flags[i];
        to.flags |= g->limit[i].interval_ns > 0 ? limit_flags[i] : 0;
    }
    return xdp_push_config(x, &to, e);
}

void xdp_guard_get(const struct xdp *x, struct xdp_guard *g)
{
    g->broken = (x->config.flags & STEER_DROP_BROKEN) != 0;
    for (int i = 0; i < STEER_RATE_N; i++)
        g->limit[i] =
            x->config.flags & limit_flags[i] ? x->config.limit[i] : (struct steer_limit){.burst_ns = 0};
}
