/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which protocol a flow speaks, by its first bytes in either direction; ports only break ties.
 *
 * Each parser's probe is asked as bytes come, until it says no. Who says yes has it. Who says "likely" has it when this
 * is its port, and when nobody wants to see more: then the first of them. Up to PROBE_BYTES_MAX bytes of a direction are
 * kept meanwhile, and go to the parser when it is found; they have left by then, but no message ended in them that
 * a probe could not recognise. When both directions are nobody's, the flow has no protocol, and its bytes are looked
 * at as a stream all the same.
 *
 * The direction that was not needed for the answer is shown to the probes, too: when it clearly speaks another
 * protocol, that is an event (applayer_mismatch_protocol_both_directions), and the flow goes on as that one: a server that
 * answers a client's nonsense with an error would not be looked into otherwise. HTTP stays: its clients show anything.
 *
 * Datagrams stand for themselves. A server passes over those that are not its protocol's, so neither a few of
 * nobody's nor one of another protocol may decide for those that follow: on the ports of a protocol its probe is always
 * asked, and a flow of another one is shown to all probes when its own says no.
 *
 * HTTP's servers take any word for a method, another protocol's command as well: so in front of the first line's end nobody
 * else is sure of a client's words that HTTP has not ruled out.
 *
 * Servers skip empty lines in front of a request, however many; so these do not count as bytes by which nothing was
 * recognised, and are not kept.
 *
 * Worker thread. Owns nothing.
 */
#include <netinet/in.h>

#include "ips/app/app_parts.h"

const struct app_parser *recognise_find(enum app_proto proto)
{
    for (const struct app_parser *const *p = app_parsers; *p; p++)
        if ((*p)->proto == proto)
            return *p;
    return NULL;
}

void recognise_init(struct app *a)
{
    for (unsigned i = 0; app_parsers[i]; i++) {
        const struct app_parser *p = app_parsers[i];

        if (!p->probe || (a->cfg.off >> p->proto & 1))
            continue;
        a->all[0] |= p->tcp ? 1ull << i : 0;
        a->all[1] |= p->udp ? 1ull << i : 0;
    }
}

/* Bit for each parser that the flow could be of. */
static uint64_t all_of(const struct app *a)
{
    return a->all[a->of->proto == IPPROTO_UDP];
}

static bool has_port(const struct app_parser *p, uint16_t port)
{
    for (const uint16_t *v = p->ports; v && *v; v++)
        if (*v == port)
            return true;
    return false;
}

bool recognise_owns(const struct app *a, const struct app_parser *p)
{
    return has_port(p, a->of->port[1]) || has_port(p, a->of->port[0]);
}

static uint64_t owners_of(const struct app *a, uint64_t all)
{
    uint64_t owners = 0;

    for (uint64_t left = all; left; left &= left - 1)
        if (recognise_owns(a, app_parsers[__builtin_ctzll(left)]))
            owners |= left & -left;
    return owners;
}

bool recognise_hopeless(const struct app *a)
{
    return owners_of(a, all_of(a)) == 0;
}

void recognise_begin(struct app_flow *f, const struct app *a)
{
    uint64_t may = all_of(a);

    if (f == &a->datagram && a->slot->tries >= PROBE_DATAGRAMS)
        may = owners_of(a, may);
    f->way[0].may = f->way[1].may = may;
    f->way[0].failed = f->way[1].failed = false;
}

/* The first of these parsers whose port this is; NULL: none. */
static const struct app_parser *by_port(const struct app *a, uint64_t of)
{
    for (; of; of &= of - 1) {
        const struct app_parser *p = app_parsers[__builtin_ctzll(of)];

        if (has_port(p, a->of->port[1]))
            return p;
    }
    return NULL;
}

/* NULL: not known. *may: who is still in question. */
static const struct app_parser *probe(const struct app *a, struct span bytes, const struct app_hint *h,
                                      uint64_t *may, bool last)
{
    uint64_t likely = 0, more = 0;
    bool may_be_http = false;

    for (uint64_t left = *may; left; left &= left - 1) {
        unsigned i = (unsigned)__builtin_ctzll(left);

        switch (app_parsers[i]->probe(bytes, h)) {
        case PROBE_YES:
            if (!may_be_http || last)
                return app_parsers[i];
            more |= 1ull << i;
            break;
        case PROBE_LIKELY:
            likely |= 1ull << i;
            break;
        case PROBE_MORE:
            may_be_http |=
                app_parsers[i]->proto == APP_HTTP1 && h->dir == APP_TO_SERVER; /* it is asked first */
            more |= 1ull << i;
            break;
        case PROBE_NO:
            break;
        }
    }
    *may = likely | more;
    const struct app_parser *here = by_port(a, likely);
    if (here && !by_port(a, more))
        return here;
    if (likely && (!more || last))
        return here ? here : app_parsers[__builtin_ctzll(likely)];
    if (last)
        *may = 0;
    return NULL;
}

static struct app_hint hint_of(const struct app *a, enum app_dir dir)
{
    return (struct app_hint){.sport = a->of->port[0],
                             .dport = a->of->port[1],
                             .dir = (uint8_t)dir,
                             .udp = a->of->proto == IPPROTO_UDP,
                             .other = bytes_span(&a->flow->way[1 - dir].held)};
}

/* Empty lines in front: bytes of them, if they are more than any protocol begins with. */
uint32_t recognise_blank(struct span s)
{
    uint32_t n = 0;

    while (n < s.len && (s.p[n] == '\r' || s.p[n] == '\n'))
        n++;
    return n > PROBE_BLANK_MAX ? n : 0;
}

bool recognise(struct app *a, struct span fresh, enum app_dir dir, bool end)
{
    struct app_way *w = &a->flow->way[dir];
    struct app_hint h = hint_of(a, dir);
    struct span all = fresh;

    if (w->failed)
        return false;
    if (w->held.len > 0 && recognise_blank(bytes_span(&w->held)) == w->held.len)
        bytes_cut(&w->held, w->held.len);
    if (w->held.len > 0) {
        if (!bytes_add(a, &w->held, fresh))
            return false;
        all = bytes_span(&w->held);
    }
    bool last = end || all.len - recognise_blank(all) >= PROBE_BYTES_MAX;
    a->flow->parser = probe(a, all, &h, &w->may, last);
    if (all.p != fresh.p)
        w->held.len -= fresh.len; /* who asked has them, and keeps them when nothing is known yet */
    w->failed = !a->flow->parser && w->may == 0;
    return a->flow->parser != NULL;
}

const struct app_parser *recognise_other(const struct app *a, struct span bytes, enum app_dir dir)
{
    const struct app_parser *own = a->flow->parser, *owner = NULL;
    struct app_hint h = hint_of(a, dir);

    if (!own->probe || own->probe(bytes, &h) != PROBE_NO)
        return NULL;
    for (uint64_t left = all_of(a); left; left &= left - 1) {
        const struct app_parser *p = app_parsers[__builtin_ctzll(left)];
        enum app_probe says = p->proto != own->proto ? p->probe(bytes, &h) : PROBE_NO;

        if (says == PROBE_YES)
            return p;
        if (says == PROBE_LIKELY && h.udp && recognise_owns(a, p))
            owner = p;
    }
    return owner;
}
