/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SMTP or FTP? Both have the server begin with "220 ", and both take NOOP and HELP.
 *
 * A greeting that says the protocol's name is its own. One that does not is decided by the port, and on any other port by
 * the client's first command, which comes before anything that could do harm.
 *
 * Worker thread. Owns nothing.
 */
#include "ips/app/greeting.h"

#include "ips/app/words.h"

#define LINE_ENOUGH 512 /* bytes of a first line that say who it is, if it says so at all */

static bool own_port(const struct greeting *g, uint16_t port)
{
    for (const uint16_t *p = g->ports; *p; p++)
        if (*p == port)
            return true;
    return false;
}

static enum app_probe probe_server(const struct greeting *g, struct span bytes, const struct app_hint *h)
{
    static const char *const names[] = {"SMTP", "FTP"};
    const uint8_t *lf;
    struct span line = bytes;
    bool whole;

    if (!word_may_begin(bytes, "220") || (bytes.len > 3 && !memchr(" -\r\n", bytes.p[3], 4)))
        return PROBE_NO;
    if (bytes.len < 4)
        return PROBE_MORE;
    lf = memchr(bytes.p, '\n', bytes.len);
    if (lf)
        line.len = (uint32_t)(lf - bytes.p);
    whole = lf || line.len >= LINE_ENOUGH;
    if (word_has(line, g->name))
        return whole ? PROBE_YES : PROBE_MORE;
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (whole && strcmp(names[i], g->name) != 0 && word_has(line, names[i]))
            return PROBE_NO;
    if (own_port(g, h->dport))
        return whole ? PROBE_LIKELY : PROBE_MORE;
    return h->dport == g->other_port ? PROBE_NO : PROBE_MORE;
}

/* bytes begin with one of the words, and a blank or the line's end is behind it. */
static enum app_probe command_of(const char *const *words, struct span bytes, enum app_probe yes)
{
    enum app_probe best = PROBE_NO;

    for (; *words; words++) {
        size_t n = strlen(*words);

        if (!word_may_begin(bytes, *words))
            continue;
        if (bytes.len <= n)
            best = PROBE_MORE;
        else if (memchr(" \t\r\n:", bytes.p[n], 5))
            return yes;
    }
    return best;
}

static enum app_probe probe_client(const struct greeting *g, struct span bytes, const struct app_hint *h)
{
    enum app_probe own = command_of(g->commands, bytes, PROBE_YES), shared;
    bool greeted = word_begins(h->other, "220");

    if (own == PROBE_YES)
        return own;
    shared = command_of(g->shared, bytes, greeted || own_port(g, h->dport) ? PROBE_LIKELY : PROBE_MORE);
    if (own == PROBE_MORE || shared == PROBE_MORE)
        return PROBE_MORE;
    if (shared == PROBE_LIKELY)
        return h->dport == g->other_port ? PROBE_NO : shared;
    /* a server answers nonsense with an error, and goes on */
    return greeted || own_port(g, h->dport) ? PROBE_MORE : PROBE_NO;
}

enum app_probe greeting_probe(const struct greeting *g, struct span bytes, const struct app_hint *h)
{
    return h->dir == APP_TO_CLIENT ? probe_server(g, bytes, h) : probe_client(g, bytes, h);
}
